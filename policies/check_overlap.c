/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies that carry the same packets. Between the same two sites, a packet that is of classes of
 * two policies goes by the one of the lower color, and nothing of that stands in the sources. Where
 * it is meant (a class cut out of a wider one) a line of warning is the price; where it is not, a
 * citizen's query waits behind bulk.
 *
 * A class is a product: one of its ports or protocols, one of its prefixes, one of its code points.
 * So two overlap where each of the three does, and one holds the other where each of the three is
 * held by one of the other's. That a union of several holds it, is not looked for: then it is said
 * to overlap.
 *
 * Two policies meet at a pair of sites that both have and no deny rule forbids. Sites that the same
 * rules name are alike, so pairs of kinds of sites are tried, not of sites.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check_state.h"

#define RULES_MAX                                                                                  \
	64 /* deny rules looked at; with more there may be a warning about what is denied */

enum overlap {
	OVERLAP_NONE,
	OVERLAP_SOME,
	OVERLAP_WHOLE, /* all of the second is in the first */
};

/* ---- classes ---- */

/* What of @y, which may be NULL for any, is in @x. */
typedef enum overlap part_overlap(const struct syntax_node *x, const struct syntax_node *y);

static enum overlap ports_overlap(const struct syntax_node *x, const struct syntax_node *y)
{
	const struct class_match a = check_match(x), b = check_match(y);

	if (a.protocol != b.protocol || a.port_first > b.port_last || b.port_first > a.port_last)
		return OVERLAP_NONE;
	return a.port_first <= b.port_first && b.port_last <= a.port_last ? OVERLAP_WHOLE
									  : OVERLAP_SOME;
}

static enum overlap prefixes_overlap(const struct syntax_node *x, const struct syntax_node *y)
{
	if (!ipv4_prefix_overlaps(x->prefix, y->prefix))
		return OVERLAP_NONE;
	return x->prefix.length <= y->prefix.length ? OVERLAP_WHOLE : OVERLAP_SOME;
}

static enum overlap dscps_overlap(const struct syntax_node *x, const struct syntax_node *y)
{
	return check_dscp_of(x) == check_dscp_of(y) ? OVERLAP_WHOLE : OVERLAP_NONE;
}

static bool is_port(enum syntax_kind kind)
{
	return kind == SYNTAX_TO_PORT || kind == SYNTAX_PROTOCOL;
}

static bool is_prefix(enum syntax_kind kind)
{
	return kind == SYNTAX_TO_PREFIX;
}

static bool is_dscp(enum syntax_kind kind)
{
	return kind == SYNTAX_DSCP;
}

static const struct {
	bool (*is)(enum syntax_kind kind);
	part_overlap *overlap;
} parts[] = {
    {is_port, ports_overlap},
    {is_prefix, prefixes_overlap},
    {is_dscp, dscps_overlap},
};

static const struct syntax_node *part_next(const struct syntax_node *n, size_t part)
{
	while (n && !parts[part].is(n->kind))
		n = n->next;
	return n;
}

/* A class that says nothing of a part has all of it. */
static enum overlap part_of_class(const struct syntax_node *a, const struct syntax_node *b,
				  size_t part)
{
	const struct syntax_node *x = part_next(a->child, part), *y = part_next(b->child, part);
	const struct syntax_node *first = x;
	bool some = false, whole = true;

	if (!x || !y)
		return x ? OVERLAP_SOME : OVERLAP_WHOLE;
	for (; y; y = part_next(y->next, part)) {
		enum overlap best = OVERLAP_NONE;

		for (x = first; x; x = part_next(x->next, part)) {
			enum overlap o = parts[part].overlap(x, y);

			best = o > best ? o : best;
		}
		some |= best != OVERLAP_NONE;
		whole &= best == OVERLAP_WHOLE;
	}
	return whole ? OVERLAP_WHOLE : some ? OVERLAP_SOME : OVERLAP_NONE;
}

/* What of class @b is in class @a too. */
static enum overlap classes_overlap(const struct check *c, uint32_t a, uint32_t b)
{
	enum overlap least = OVERLAP_WHOLE;

	for (size_t part = 0; a != b && part < sizeof(parts) / sizeof(parts[0]); part++) {
		enum overlap o = part_of_class(c->class_at[a].node, c->class_at[b].node, part);

		least = o < least ? o : least;
	}
	return least;
}

/* ---- where two policies meet ---- */

/* Sites that the same rules name. Two of them: a pair has two ends. */
struct kind {
	uint64_t rules;
	uint32_t site[2];
};

struct kinds {
	struct kind *entry;
	size_t count;
};

/* Rules that could forbid either class. */
struct rules {
	const struct deny_rule *rule[RULES_MAX];
	size_t count;
};

static void rules_collect(const struct network *n, uint32_t a, uint32_t b, struct rules *r)
{
	r->count = 0;
	for (size_t i = 0; i < n->deny_count && r->count < RULES_MAX; i++) {
		uint32_t class = n->denies[i].class_index;

		if (class == NETWORK_NONE || class == a || class == b)
			r->rule[r->count++] = &n->denies[i];
	}
}

static int kind_compare(const void *left, const void *right)
{
	const struct kind *a = left, *b = right;

	if (a->rules != b->rules)
		return a->rules < b->rules ? -1 : 1;
	return a->site[0] < b->site[0] ? -1 : a->site[0] > b->site[0];
}

/* The kinds of the sites that are in both sets; @to: as the destinations of rules. */
static void kinds_collect(struct check *c, const struct site_set *x, const struct site_set *y,
			  const struct rules *r, bool to, struct kinds *k)
{
	size_t kept = 0;

	k->count = 0;
	k->entry = check_alloc(c, x->count < y->count ? x->count : y->count, sizeof(*k->entry));
	for (size_t i = 0, j = 0; k->entry && i < x->count && j < y->count;) {
		uint32_t site = x->sites[i];
		struct kind kind = {0, {site, site}};

		if (site != y->sites[j]) {
			*(site < y->sites[j] ? &i : &j) += 1;
			continue;
		}
		for (size_t d = 0; d < r->count; d++)
			kind.rules |=
			    (uint64_t)site_set_has(to ? &r->rule[d]->to : &r->rule[d]->from, site)
			    << d;
		k->entry[k->count++] = kind;
		i++, j++;
	}
	if (k->count > 1)
		qsort(k->entry, k->count, sizeof(*k->entry), kind_compare);
	for (size_t i = 0; i < k->count; i++) {
		if (!kept || k->entry[kept - 1].rules != k->entry[i].rules)
			k->entry[kept++] = k->entry[i];
		else if (k->entry[kept - 1].site[0] == k->entry[kept - 1].site[1])
			k->entry[kept - 1].site[1] = k->entry[i].site[0];
	}
	k->count = kept;
}

static bool kinds_meet(const struct kind *from, const struct kind *to, uint32_t ret_pair[static 2])
{
	if (from->rules & to->rules)
		return false;
	for (int i = 0; i < 4; i++)
		if (from->site[i / 2] != to->site[i % 2]) {
			ret_pair[0] = from->site[i / 2];
			ret_pair[1] = to->site[i % 2];
			return true;
		}
	return false;
}

/* A pair of sites between which both policies carry both classes. */
static bool policies_meet(struct check *c, const struct policy *p, const struct policy *q,
			  const struct rules *r, uint32_t ret_pair[static 2])
{
	struct kinds from = {0}, to = {0};
	bool met = false;

	kinds_collect(c, &p->from, &q->from, r, false, &from);
	kinds_collect(c, &p->to, &q->to, r, true, &to);
	for (size_t i = 0; i < from.count && !met; i++)
		for (size_t k = 0; k < to.count && !met; k++)
			met = kinds_meet(&from.entry[i], &to.entry[k], ret_pair);
	free(from.entry);
	free(to.entry);
	return met;
}

/* ---- what is said ---- */

static bool set_within(const struct site_set *inner, const struct site_set *outer)
{
	for (size_t i = 0; i < inner->count; i++)
		if (!site_set_has(outer, inner->sites[i]))
			return false;
	return true;
}

/* The word that has @policy carry @class. */
static struct diag_place carry_place(const struct check *c, uint32_t policy, uint32_t class)
{
	const struct syntax_node *n = check_child(c->policy_at[policy].node, SYNTAX_CARRY)->child;

	while (strcmp(n->text, c->network.classes[class].name) != 0)
		n = n->next;
	return syntax_place(c->policy_at[policy].file, n);
}

/* Of what two policies carry, class @a of @p, which is of the lower color, and class @b of @q. */
static void overlap_warn(struct check *c, uint32_t p, uint32_t q, uint32_t a, uint32_t b,
			 enum overlap overlap, const uint32_t pair[static 2])
{
	const struct network *n = &c->network;
	const struct policy *first = &n->policies[p], *second = &n->policies[q];
	const char *other = n->classes[b].name;

	if (overlap == OVERLAP_WHOLE && set_within(&second->from, &first->from) &&
	    set_within(&second->to, &first->to))
		diag_warning(
		    c->diags, carry_place(c, q, b), "shadowed-class",
		    "policy '%s' carries no packet of class '%s': all of them go by policy "
		    "'%s', whose color is lower, %u and not %u",
		    second->name, other, first->name, first->color, second->color);
	else
		diag_warning(c->diags, carry_place(c, q, b), "overlapping-classes",
			     "%s of class '%s' from '%s' to '%s' go by policy '%s', whose color is "
			     "lower, %u and not %u",
			     overlap == OVERLAP_WHOLE ? "packets" : "some packets", other,
			     n->sites[pair[0]].name, n->sites[pair[1]].name, first->name,
			     first->color, second->color);
	if (a == b)
		diag_note(c->diags, carry_place(c, p, a), "policy '%s' carries them here",
			  first->name);
	else
		diag_note(c->diags, carry_place(c, p, a),
			  "policy '%s' carries them here, as class '%s'", first->name,
			  n->classes[a].name);
}

static bool is_over(const struct check *c, const struct rule_note *note)
{
	return note->expires_s && note->expires_s <= c->times.now_s;
}

static void policies_compare(struct check *c, uint32_t p, uint32_t q)
{
	const struct policy *first = &c->network.policies[p], *second = &c->network.policies[q];

	for (size_t i = 0; i < first->class_count; i++)
		for (size_t k = 0; k < second->class_count && !c->failed; k++) {
			uint32_t a = first->classes[i], b = second->classes[k], pair[2];
			struct rules rules;
			enum overlap overlap;

			if (is_over(c, &c->network.classes[a].note) ||
			    is_over(c, &c->network.classes[b].note))
				continue;
			overlap = classes_overlap(c, a, b);
			if (overlap == OVERLAP_NONE)
				continue;
			rules_collect(&c->network, a, b, &rules);
			if (policies_meet(c, first, second, &rules, pair))
				overlap_warn(c, p, q, a, b, overlap, pair);
		}
}

void check_overlaps(struct check *c)
{
	const struct network *n = &c->network;

	for (uint32_t p = 0; p < n->policy_count && !check_unlawful(c); p++)
		for (uint32_t q = p + 1; q < n->policy_count && !c->failed; q++) {
			bool swap = n->policies[q].color < n->policies[p].color;

			if (!is_over(c, &n->policies[p].note) && !is_over(c, &n->policies[q].note))
				policies_compare(c, swap ? q : p, swap ? p : q);
		}
}
