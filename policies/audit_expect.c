/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations, answered from what walked and what rules let through. */
#include "audit_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define EXAMPLES_MAX 5

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

static bool class_open(const struct audit *a, const struct audit_session *s, uint64_t open,
		       uint32_t class_index)
{
	const struct policy *p = &a->network->policies[s->policy];

	if (class_index == NETWORK_NONE)
		return open != 0;
	for (size_t i = 0; i < p->class_count && i < 64; i++)
		if (p->classes[i] == class_index && open >> i & 1)
			return true;
	return false;
}

/* Links that every path seen so far needs. */
struct common {
	bool any;
	uint32_t *links; /* AUDIT_HOPS_MAX twice */
	size_t count;
};

static bool path_needs(const struct audit *a, uint32_t path, uint32_t link)
{
	uint32_t count;
	const uint32_t *links = audit_path_links(a, path, &count);

	for (uint32_t i = 0; i < count; i++)
		if (links[i] == link)
			return true;
	return false;
}

static void common_path(const struct audit *a, struct common *c, uint32_t path)
{
	uint32_t count;
	const uint32_t *links = audit_path_links(a, path, &count);
	size_t kept = 0;

	if (!c->any) {
		c->any = true;
		for (uint32_t i = 0; i < count && i < 2 * AUDIT_HOPS_MAX; i++)
			c->links[c->count++] = links[i];
		return;
	}
	for (size_t i = 0; i < c->count; i++)
		if (path_needs(a, path, c->links[i]))
			c->links[kept++] = c->links[i];
	c->count = kept;
}

/* Does any packet of the class go to a LAN of @site? Else all of it passes, and nothing does. */
static bool class_enters(const struct network *n, uint32_t class_index, uint32_t site)
{
	const struct traffic_class *c;

	if (class_index == NETWORK_NONE)
		return true;
	c = &n->classes[class_index];
	for (size_t i = 0; i < c->match_count; i++)
		for (size_t k = 0; k < n->sites[site].lan_count; k++)
			if (ipv4_prefix_overlaps(c->matches[i].to, n->sites[site].lans[k]))
				return true;
	return false;
}

static void common_of_head(const struct audit *a, uint32_t head, uint32_t endpoint, bool by_head,
			   uint32_t class_index, struct common *c)
{
	uint32_t site = audit_site_by_id(a, a->network->sites[head].id);

	if (site == NETWORK_NONE ||
	    !class_enters(a->network, class_index, by_head ? endpoint : head))
		return;
	for (uint32_t i = a->session_first[site]; i < a->session_first[site + 1]; i++) {
		const struct audit_session *s = &a->sessions[i];

		if (s->endpoint != endpoint ||
		    !class_open(a, s, by_head ? s->opens : s->opens_back, class_index))
			continue;
		for (uint32_t p = s->path; p < s->path + s->path_count; p++)
			common_path(a, c, p);
	}
}

static void reaches_pair(const struct audit *a, const struct expectation *e, uint32_t from,
			 uint32_t to, struct breach *b)
{
	uint32_t links[2 * AUDIT_HOPS_MAX];
	struct common c = {.links = links};
	bool needs = false, shares = site_shares_lan(&a->network->sites[to]);

	for (size_t i = 0; i < e->to.count; i++) {
		uint32_t t = shares ? e->to.sites[i] : to;

		if (!shares && i)
			break;
		if (t != to && !network_shares_lan(a->network, t, to))
			continue;
		common_of_head(a, from, t, true, e->class_index, &c);
		common_of_head(a, t, from, false, e->class_index, &c);
	}
	for (size_t i = 0; i < c.count; i++)
		needs |= links[i] == e->link;
	if (!c.any)
		breach_add(b, from, to, NETWORK_NONE);
	else if (e->kind == EXPECT_REACHES_AFTER_ANY_LINK_FAILURE && c.count)
		breach_add(b, from, to, links[0]);
	else if (e->kind == EXPECT_REACHES_AFTER_LINK_FAILURE && needs)
		breach_add(b, from, to, e->link);
}

/* Of gateways in one LAN, all of them expected, one that is reached is enough: asked of the first. */
static bool another_is_asked(const struct audit *a, const struct expectation *e, size_t to)
{
	if (!site_shares_lan(&a->network->sites[e->to.sites[to]]))
		return false;
	for (size_t i = 0; i < to; i++)
		if (network_shares_lan(a->network, e->to.sites[i], e->to.sites[to]))
			return true;
	return false;
}

static void check_reaches(const struct audit *a, const struct expectation *e, struct breach *b)
{
	for (size_t i = 0; i < e->from.count; i++)
		for (size_t k = 0; k < e->to.count; k++)
			if (e->from.sites[i] != e->to.sites[k] && !another_is_asked(a, e, k))
				reaches_pair(a, e, e->from.sites[i], e->to.sites[k], b);
}

static size_t asked_find(const struct audit *a, uint32_t class_index)
{
	size_t low = 0, high = a->asked_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		*(a->asked[middle] <= class_index ? &low : &high) = middle;
	}
	return low;
}

static bool bits_have(const uint64_t *bits, uint32_t site)
{
	return bits[site / 64] >> site % 64 & 1;
}

/* Another gateway of the same LAN is no other place. */
static void check_never(struct audit *a, const struct expectation *e, struct breach *b)
{
	size_t asked = asked_find(a, e->class_index);
	uint64_t *from = calloc(2 * a->set_words, sizeof(*from)), *to = from + a->set_words;

	if (!from) {
		a->failed = true;
		return;
	}
	network_bits_sharing(a->network, &e->from, from);
	network_bits_sharing(a->network, &e->to, to);

	for (uint32_t i = 0; i < a->session_count; i++) {
		const struct audit_session *s = &a->sessions[i];
		uint64_t there = audit_touches(a, i, false)[asked / 64] >> asked % 64,
			 back = audit_touches(a, i, true)[asked / 64] >> asked % 64;

		if (!s->path_count)
			continue;
		if (there & 1 && bits_have(from, s->head) && bits_have(to, s->endpoint))
			breach_add(b, s->head, s->endpoint, NETWORK_NONE);
		if (back & 1 && bits_have(from, s->endpoint) && bits_have(to, s->head))
			breach_add(b, s->endpoint, s->head, NETWORK_NONE);
	}
	free(from);
}

static void breach_report(struct audit *a, const struct expectation *e, const struct breach *b)
{
	const struct network *n = a->network;
	const char *verb = e->kind == EXPECT_NEVER_REACHES ? "reaches" : "does not reach";
	struct text t;

	text_init(&t);
	for (size_t i = 0; i < b->count && i < EXAMPLES_MAX; i++) {
		uint32_t link = b->example[i].link;

		text_printf(&t, "%s'%s' %s '%s'", i ? "; " : "", n->sites[b->example[i].from].name,
			    verb, n->sites[b->example[i].to].name);
		if (link != NETWORK_NONE)
			text_printf(&t, " when link %s %s%s fails", n->sites[n->links[link].a].name,
				    n->sites[n->links[link].b].name,
				    network_link_suffix(&n->links[link]));
	}
	if (b->count > EXAMPLES_MAX)
		text_printf(&t, "; and %zu more", b->count - EXAMPLES_MAX);
	audit_find(a, AUDIT_EXPECTATION, NETWORK_NONE, OBJECT_NONE, 0, e->place, "%s",
		   text_string(&t));
	a->failed |= t.failed;
	text_clear(&t);
}

int audit_expect(struct audit *a)
{
	for (size_t i = 0; i < a->network->expectation_count; i++) {
		const struct expectation *e = &a->network->expectations[i];
		struct breach b = {0};

		if (e->kind == EXPECT_NEVER_REACHES)
			check_never(a, e, &b);
		else
			check_reaches(a, e, &b);
		a->counts.expectations++;
		if (b.count)
			breach_report(a, e, &b);
		else
			a->counts.expectations_held++;
	}
	return a->failed ? -TUYEN_ENOMEM : 0;
}
