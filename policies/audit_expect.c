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

static size_t asked_find(const struct audit *a, uint32_t class_index)
{
	size_t low = 0, high = a->asked_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		*(a->asked[middle] <= class_index ? &low : &high) = middle;
	}
	return low;
}

/*
 * Whose session takes packets of a class: of several policies that let them pass, the lowest color has them, be its paths up or
 * not. Others have what it does not let pass.
 */
struct taker {
	uint32_t color;
	bool some, all; /* of the class that is asked for */
	struct common common;
};

static bool asked_has(const uint64_t *bits, size_t asked)
{
	return bits[asked / 64] >> asked % 64 & 1;
}

/* Nobody above color @above but the lowest. */
static void taker_of_head(const struct audit *a, uint32_t head, uint32_t endpoint, bool by_head,
			  size_t asked, uint32_t above, struct taker *t)
{
	uint32_t site = audit_site_by_id(a, a->network->sites[head].id);

	if (site == NETWORK_NONE)
		return;
	for (uint32_t i = a->session_first[site]; i < a->session_first[site + 1]; i++) {
		const struct audit_session *s = &a->sessions[i];

		if (s->endpoint != endpoint || s->color <= above || s->color > t->color ||
		    !asked_has(audit_touches(a, i, !by_head), asked))
			continue;
		if (s->color < t->color) {
			t->color = s->color;
			t->all = t->common.any = false;
			t->common.count = 0;
		}
		t->some = true;
		t->all |= a->asked[asked] == NETWORK_NONE ||
			  asked_has(audit_covers(a, i, !by_head), asked);
		for (uint32_t p = s->path; p < s->path + s->path_count; p++)
			common_path(a, &t->common, p);
	}
}

static void taker_next(const struct audit *a, const struct expectation *e, uint32_t from,
		       uint32_t to, size_t asked, uint32_t above, struct taker *t)
{
	bool shares = site_shares_lan(&a->network->sites[to]);

	t->color = UINT32_MAX;
	t->some = t->all = t->common.any = false;
	t->common.count = 0;
	for (size_t i = 0; i < e->to.count; i++) {
		uint32_t end = shares ? e->to.sites[i] : to;

		if (!shares && i)
			break;
		if (end != to && !network_shares_lan(a->network, end, to))
			continue;
		taker_of_head(a, from, end, true, asked, above, t);
		taker_of_head(a, end, from, false, asked, above, t);
	}
}

/* @ret_link  whose failure cuts it off; NETWORK_NONE: nobody takes it, or no path works. */
static bool taker_fails(const struct taker *t, const struct expectation *e, uint32_t *ret_link)
{
	bool needs = false;

	*ret_link = NETWORK_NONE;
	if (!t->common.any)
		return true;
	for (size_t i = 0; i < t->common.count; i++)
		needs |= t->common.links[i] == e->link;
	if (e->kind == EXPECT_REACHES_AFTER_ANY_LINK_FAILURE && t->common.count)
		*ret_link = t->common.links[0];
	else if (e->kind == EXPECT_REACHES_AFTER_LINK_FAILURE && needs)
		*ret_link = e->link;
	return *ret_link != NETWORK_NONE;
}

static void reaches_pair(const struct audit *a, const struct expectation *e, uint32_t from,
			 uint32_t to, size_t asked, struct breach *b)
{
	uint32_t links[2 * AUDIT_HOPS_MAX], link;
	struct taker t = {.common.links = links};

	do {
		taker_next(a, e, from, to, asked, t.color, &t);
		if (taker_fails(&t, e, &link)) {
			breach_add(b, from, to, link);
			return;
		}
	} while (!t.all);
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
	size_t asked = asked_find(a, e->class_index);

	for (size_t i = 0; i < e->from.count; i++)
		for (size_t k = 0; k < e->to.count; k++)
			if (e->from.sites[i] != e->to.sites[k] && !another_is_asked(a, e, k))
				reaches_pair(a, e, e->from.sites[i], e->to.sites[k], asked, b);
}

static bool bits_have(const uint64_t *bits, uint32_t site)
{
	return bits[site / 64] >> site % 64 & 1;
}

/* Another gateway of the same LAN is no other place. */
static void check_never(struct audit *a, const struct expectation *e, struct breach *b)
{
	size_t asked = asked_find(a, e->class_index);
	uint64_t *from = calloc(2 * a->set_words, sizeof(*from)),
		 *to = from ? from + a->set_words : NULL;

	if (!from) {
		a->failed = true;
		return;
	}
	network_bits_sharing(a->network, &e->from, from);
	network_bits_sharing(a->network, &e->to, to);

	for (uint32_t i = 0; i < a->session_count; i++) {
		const struct audit_session *s = &a->sessions[i];
		bool there = asked_has(audit_touches(a, i, false), asked);
		bool back = asked_has(audit_touches(a, i, true), asked);

		if (!s->path_count)
			continue;
		if (there && bits_have(from, s->head) && bits_have(to, s->endpoint))
			breach_add(b, s->head, s->endpoint, NETWORK_NONE);
		if (back && bits_have(from, s->endpoint) && bits_have(to, s->head))
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
