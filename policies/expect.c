/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an `expect` asks is answered from the compiled result alone, never from the sources, so that
 * a mistake of the compiler shows here too. A site reaches another with a class when a session lets
 * it open such connections and a candidate path carries it. After a link's failure the path must be
 * one that does not use the link: labels are static, nothing else heals.
 *
 * "Reaches with" a class wants all of it; "never" none of its packets, also where another class
 * overlaps it, or another gateway has the same LAN. Packets that are of classes of two policies go
 * by the lower color, whether a path of that lives or not, and no path of the other's helps: so each
 * policy that has some of the class must hold by itself, up to the one that has all that is left.
 *
 * "Never" looks at the sessions that there are, "reaches" at those that should be: both in the
 * number of sessions or of expected pairs, and a pair's sessions are few.
 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

#define EXAMPLES_MAX 5

/* The pairs that break one expectation: the first few, and how many. */
struct breach {
	size_t count;
	struct {
		uint32_t from, to, link;
	} example[EXAMPLES_MAX];
};

static void breach_add(struct breach *b, uint32_t from, uint32_t to, uint32_t link)
{
	if (b->count < EXAMPLES_MAX) {
		b->example[b->count].from = from;
		b->example[b->count].to = to;
		b->example[b->count].link = link;
	}
	b->count++;
}

/* May this end send packets of @class_index, even as another class that overlaps it? */
static bool pair_passes(const struct compile_result *r, const struct compile_pair *p, bool head,
			uint32_t class_index)
{
	const struct policy *policy = &r->network->policies[p->policy];
	uint64_t opens = head ? p->opens : p->opens_back;

	if (class_index == NETWORK_NONE)
		return opens != 0;
	for (size_t i = 0; i < policy->class_count; i++)
		if (opens >> i & 1 &&
		    compile_classes_overlap(r->network, policy->classes[i], class_index))
			return true;
	return false;
}

/* Links that every path of every session seen so far uses. */
struct common {
	bool any; /* was there a path at all? */
	uint32_t links[COMPILE_WAY_MAX];
	size_t count;
};

static bool way_uses(const struct compile_result *r, const struct compile_path *path, uint32_t link)
{
	const uint32_t *way = compile_path_way(r, path);

	for (uint32_t i = 0; i + 1 < path->way_length; i++)
		if (compile_link_find(r, way[i], way[i + 1]) == link)
			return true;
	return false;
}

static void common_add(const struct compile_result *r, struct common *c,
		       const struct compile_path *path)
{
	const uint32_t *way = compile_path_way(r, path);
	size_t kept = 0;

	if (!c->any) {
		for (uint32_t i = 0; i + 1 < path->way_length; i++)
			c->links[c->count++] = compile_link_find(r, way[i], way[i + 1]);
		c->any = true;
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		if (way_uses(r, path, c->links[i]))
			c->links[kept++] = c->links[i];
	c->count = kept;
}

/* What of @class_index the head-end, or the other end, may open over @p. NETWORK_NONE: anything. */
static enum compile_share pair_share(struct compile_result *r, const struct compile_pair *p,
				     bool head, uint32_t class_index)
{
	const struct policy *policy = &r->network->policies[p->policy];
	uint64_t opens = head ? p->opens : p->opens_back;
	uint32_t to = head ? p->endpoint : p->head;
	enum compile_share most = COMPILE_SHARE_NONE, share;

	if (class_index == NETWORK_NONE)
		return opens && compile_class_enters(r->network, class_index, to)
			   ? COMPILE_SHARE_ALL
			   : COMPILE_SHARE_NONE;
	for (size_t i = 0; i < policy->class_count && most < COMPILE_SHARE_ALL; i++) {
		if (!(opens >> i & 1))
			continue;
		r->failed |= compile_class_share(r->network, policy->classes[i], class_index, to,
						 &share) < 0;
		most = share > most ? share : most;
	}
	return most;
}

/* The policy of the lowest color that has some of a class between two sites. */
struct carrier {
	uint32_t color;
	enum compile_share share; /* NONE: there is no such policy */
	struct common common;
};

/* As far as it is above color @above, and no higher than the one that is known already. */
static void carrier_of_head(struct compile_result *r, uint32_t head, uint32_t endpoint,
			    bool opened_by_head, uint32_t class_index, uint32_t above,
			    struct carrier *c)
{
	for (uint32_t i = r->head_first[head]; i < r->head_first[head + 1]; i++) {
		const struct compile_pair *p = &r->pairs[i];
		uint32_t color = r->network->policies[p->policy].color;
		enum compile_share share;

		if (p->endpoint != endpoint || color <= above || color > c->color)
			continue;
		share = pair_share(r, p, opened_by_head, class_index);
		if (share == COMPILE_SHARE_NONE)
			continue;
		if (color < c->color)
			*c = (struct carrier){.color = color};
		c->share = share > c->share ? share : c->share;
		for (uint32_t k = 0; k < p->path_count; k++)
			common_add(r, &c->common, &r->paths[p->path + k]);
	}
}

/* By which @from opens connections to @to, or to another gateway of its LAN that is expected too. */
static struct carrier carrier_next(struct compile_result *r, const struct expectation *e,
				   uint32_t from, uint32_t to, uint32_t above)
{
	struct carrier c = {.color = UINT32_MAX};
	bool shares = site_shares_lan(&r->network->sites[to]);

	for (size_t i = 0; i < e->to.count; i++) {
		uint32_t t = shares ? e->to.sites[i] : to;

		if (!shares && i)
			break;
		if (t != to && !network_shares_lan(r->network, t, to))
			continue;
		carrier_of_head(r, from, t, true, e->class_index, above, &c);
		carrier_of_head(r, t, from, false, e->class_index, above, &c);
	}
	return c;
}

static bool common_has(const struct common *c, uint32_t link)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->links[i] == link)
			return true;
	return false;
}

/* @ret_link  whose failure cuts it; NETWORK_NONE: there is no path anyway. */
static bool carrier_breaks(const struct carrier *c, const struct expectation *e, uint32_t *ret_link)
{
	*ret_link = NETWORK_NONE;
	if (!c->common.any)
		return true;
	switch (e->kind) {
	case EXPECT_REACHES_AFTER_ANY_LINK_FAILURE:
		*ret_link = c->common.links[0];
		return c->common.count != 0;
	case EXPECT_REACHES_AFTER_LINK_FAILURE:
		*ret_link = e->link;
		return common_has(&c->common, e->link);
	case EXPECT_REACHES:
	case EXPECT_NEVER_REACHES:
		break;
	}
	return false;
}

static void reaches_pair(struct compile_result *r, const struct expectation *e, uint32_t from,
			 uint32_t to, struct breach *b)
{
	struct carrier c = {0};
	uint32_t link;

	do {
		c = carrier_next(r, e, from, to, c.color);
		if (carrier_breaks(&c, e, &link)) {
			breach_add(b, from, to, link);
			return;
		}
	} while (c.share != COMPILE_SHARE_ALL);
}

/* Of gateways in one LAN, all of them expected, one that is reached is enough: asked of the first. */
static bool another_is_asked(const struct compile_result *r, const struct expectation *e, size_t to)
{
	if (!site_shares_lan(&r->network->sites[e->to.sites[to]]))
		return false;
	for (size_t i = 0; i < to; i++)
		if (network_shares_lan(r->network, e->to.sites[i], e->to.sites[to]))
			return true;
	return false;
}

static void check_reaches(struct compile_result *r, const struct expectation *e, struct breach *b)
{
	for (size_t i = 0; i < e->from.count; i++)
		for (size_t j = 0; j < e->to.count; j++)
			if (e->from.sites[i] != e->to.sites[j] && !another_is_asked(r, e, j))
				reaches_pair(r, e, e->from.sites[i], e->to.sites[j], b);
}

static void check_never(struct compile_result *r, const struct expectation *e, struct breach *b)
{
	uint64_t *from = calloc(2 * r->words, sizeof(*from)), *to = from ? from + r->words : NULL;

	if (!from) {
		r->failed = true;
		return;
	}
	network_bits_sharing(r->network, &e->from, from);
	network_bits_sharing(r->network, &e->to, to);
	for (size_t i = 0; i < r->pair_count; i++) {
		const struct compile_pair *p = &r->pairs[i];

		if (compile_bits_has(from, p->head) && compile_bits_has(to, p->endpoint) &&
		    pair_passes(r, p, true, e->class_index))
			breach_add(b, p->head, p->endpoint, NETWORK_NONE);
		if (compile_bits_has(from, p->endpoint) && compile_bits_has(to, p->head) &&
		    pair_passes(r, p, false, e->class_index))
			breach_add(b, p->endpoint, p->head, NETWORK_NONE);
	}
	free(from);
}

static void report_example(const struct compile_result *r, const struct breach *b, size_t i,
			   const char *verb, struct text *out)
{
	const struct network *n = r->network;
	uint32_t link = b->example[i].link;

	text_printf(out, "%s'%s' %s '%s'", i ? "; " : "", n->sites[b->example[i].from].name, verb,
		    n->sites[b->example[i].to].name);
	if (link != NETWORK_NONE)
		text_printf(out, " when link %s %s%s fails", n->sites[n->links[link].a].name,
			    n->sites[n->links[link].b].name, network_link_suffix(&n->links[link]));
}

static void report_breach(struct compile_result *r, const struct expectation *e,
			  const struct breach *b)
{
	const char *verb = e->kind == EXPECT_NEVER_REACHES ? "reaches" : "does not reach";
	struct text out;

	text_init(&out);
	for (size_t i = 0; i < b->count && i < EXAMPLES_MAX; i++)
		report_example(r, b, i, verb, &out);
	if (b->count > EXAMPLES_MAX)
		text_printf(&out, "; and %zu more", b->count - EXAMPLES_MAX);
	if (e->class_index != NETWORK_NONE)
		text_printf(&out, " (with '%s')", r->network->classes[e->class_index].name);
	r->failed |= out.failed;
	compile_report(r, true, NULL, e->place, "expectation broken: %s", text_string(&out));
	text_clear(&out);
}

int compile_expect(struct compile_result *r)
{
	bool broken = false;

	for (size_t i = 0; i < r->network->expectation_count; i++) {
		const struct expectation *e = &r->network->expectations[i];
		struct breach b = {0};

		if (e->kind == EXPECT_NEVER_REACHES)
			check_never(r, e, &b);
		else
			check_reaches(r, e, &b);
		if (b.count)
			report_breach(r, e, &b);
		broken |= b.count != 0;
	}
	if (r->failed)
		return -TUYEN_ENOMEM;
	return broken ? -TUYEN_EINVAL : 0;
}
