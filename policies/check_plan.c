/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of the LANs: blocks of addresses, handed down the hierarchy.
 *
 * A site of a tier that the plan names gets a block of that tier's length out of the block of the
 * nearest site above it that has one, or out of the plan's own prefix. The block of the lowest tier
 * of the plan is the site's LAN; a higher tier may keep the first piece of its block as its own.
 * A LAN that a site says itself wins: such a site of the lowest tier takes no block.
 *
 * Which block: number (id mod how many there are), or the next one that is free, the sites of
 * higher tiers first, then by id. So an address follows from a site's id and its parent alone, not
 * from how many sites there are: a new site with an id above its siblings' moves nobody, and one
 * with a lower id moves at most those that had given way to each other's number. Whoever must never
 * move says his LAN himself.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check_state.h"

#define PLAN_DEPTH_MAX 16 /* bits between the plan's prefix and its longest length */

struct plan {
	struct ipv4_prefix prefix;
	uint8_t *length, *own; /* by tier; 0: none */
	struct statement *tier_at;
	uint32_t lowest;	    /* tier */
	uint8_t deepest;	    /* the longest length of all */
	struct ipv4_prefix *blocks; /* by site; length 0: none */
	uint8_t **taken; /* by site, and the plan's at the end: pieces of the deepest length */
};

static struct diag_place plan_place(const struct check *c, const struct syntax_node *node)
{
	return syntax_place(c->plan_at.file, node);
}

static void plan_tier(struct check *c, struct plan *p, const struct syntax_node *node,
		      uint8_t above)
{
	const struct syntax_node *length = check_child(node, SYNTAX_LENGTH);
	const struct syntax_node *own = check_child(node, SYNTAX_OWN_LENGTH);
	uint32_t tier = check_name(c, c->plan_at.file, node, &c->tiers, "tier");

	if (tier == NETWORK_NONE)
		return;
	if (p->deepest && tier <= p->lowest)
		diag_error(c->diags, plan_place(c, node), "tier '%s' does not stand below '%s'",
			   node->text, c->network.tiers[p->lowest]);
	else if (length->number <= above || length->number > 30)
		diag_error(c->diags, plan_place(c, length),
			   "a block of this tier must be /%u to /30", above + 1u);
	else if (own && (own->number <= length->number || own->number > 30))
		diag_error(c->diags, plan_place(c, own), "a LAN in this block must be /%u to /30",
			   (unsigned)length->number + 1);
	p->length[tier] = (uint8_t)length->number;
	p->own[tier] = own ? (uint8_t)own->number : 0;
	p->tier_at[tier] = (struct statement){c->plan_at.file, node};
	p->lowest = tier;
	p->deepest = p->length[tier] > p->deepest ? p->length[tier] : p->deepest;
	p->deepest = p->own[tier] > p->deepest ? p->own[tier] : p->deepest;
}

/* @return whether it can be followed. */
static bool plan_read(struct check *c, struct plan *p)
{
	const struct syntax_node *node = c->plan_at.node;
	size_t errors = c->diags->error_count;
	uint8_t above = node->prefix.length;

	p->prefix = node->prefix;
	if (ipv4_prefix_overlaps(p->prefix, c->network.link_space) ||
	    ipv4_prefix_overlaps(p->prefix, c->network.path_space))
		diag_error(c->diags, plan_place(c, node),
			   "the plan overlaps the link space or the path space");
	for (const struct syntax_node *n = node->child; n; n = n->next) {
		plan_tier(c, p, n, above);
		above = (uint8_t)check_child(n, SYNTAX_LENGTH)->number;
	}
	if (!p->deepest && !node->broken)
		diag_error(c->diags, plan_place(c, node), "the plan names no tier");
	else if (p->deepest > p->prefix.length + PLAN_DEPTH_MAX)
		diag_error(c->diags, plan_place(c, node),
			   "the longest length of the plan may be %d bits more than its prefix",
			   PLAN_DEPTH_MAX);
	return !node->broken && c->diags->error_count == errors;
}

/* ---- blocks ---- */

/* The site above whose block @site's comes out of; site_count: the plan's prefix. */
static uint32_t plan_giver(const struct check *c, const struct plan *p, uint32_t site)
{
	uint32_t above = c->network.sites[site].parent;

	while (above != NETWORK_NONE && !p->blocks[above].length)
		above = c->network.sites[above].parent; /* ends: tiers fall strictly */
	return above == NETWORK_NONE ? (uint32_t)c->network.site_count : above;
}

static size_t pieces(const struct plan *p, uint8_t length)
{
	return (size_t)1 << (p->deepest - length);
}

static bool pieces_free(const uint8_t *taken, size_t first, size_t count)
{
	return !memchr(taken + first, 1, count);
}

static bool plan_take(struct check *c, struct plan *p, uint32_t giver, uint32_t id, uint8_t length,
		      struct ipv4_prefix *ret_block)
{
	struct ipv4_prefix from = giver == c->network.site_count ? p->prefix : p->blocks[giver];
	size_t width = pieces(p, length), count = (size_t)1 << (length - from.length);

	if (!p->taken[giver])
		p->taken[giver] = check_alloc(c, pieces(p, from.length), 1);
	for (size_t i = 0; p->taken[giver] && i < count; i++) {
		size_t slot = (id + i) % count;

		if (!pieces_free(p->taken[giver], slot * width, width))
			continue;
		memset(p->taken[giver] + slot * width, 1, width);
		*ret_block =
		    (struct ipv4_prefix){from.address + (uint32_t)(slot << (32 - length)), length};
		return true;
	}
	return false;
}

static void plan_give_lan(struct check *c, const struct plan *p, uint32_t site,
			  struct ipv4_prefix lan)
{
	struct site *s = &c->network.sites[site];
	struct statement at = p->tier_at[s->tier];

	if (s->lan_count)
		return;
	s->lan_places[0] = check_place(c, at.file, at.node);
	s->lans[s->lan_count++] = lan;
}

/* The first piece of a block that others get theirs from. */
static void plan_keep_own(struct check *c, struct plan *p, uint32_t site)
{
	uint8_t own = p->own[c->network.sites[site].tier];

	p->taken[site] = check_alloc(c, pieces(p, p->blocks[site].length), 1);
	if (!p->taken[site])
		return;
	memset(p->taken[site], 1, pieces(p, own));
	plan_give_lan(c, p, site, (struct ipv4_prefix){p->blocks[site].address, own});
}

static void plan_site(struct check *c, struct plan *p, uint32_t site)
{
	const struct site *s = &c->network.sites[site];
	uint8_t length = p->length[s->tier];
	uint32_t giver = plan_giver(c, p, site);
	char text[IPV4_PREFIX_STRLEN];

	if (s->tier == p->lowest && s->lan_count)
		return;
	if (!plan_take(c, p, giver, s->id, length, &p->blocks[site])) {
		if (c->failed)
			return;
		ipv4_prefix_format(giver == c->network.site_count ? p->prefix : p->blocks[giver],
				   text);
		diag_error(c->diags, check_at(c->site_at[site]),
			   "the plan has no /%u left for site '%s' in %s", length, s->name, text);
		diag_note(c->diags, check_at(p->tier_at[s->tier]), "the tier's line of the plan");
		return;
	}
	if (p->own[s->tier])
		plan_keep_own(c, p, site);
	else if (s->tier == p->lowest)
		plan_give_lan(c, p, site, p->blocks[site]);
}

static int plan_order(const void *left, const void *right, void *network)
{
	const struct network *n = network;
	const struct site *a = &n->sites[*(const uint32_t *)left];
	const struct site *b = &n->sites[*(const uint32_t *)right];

	if (a->tier != b->tier)
		return a->tier < b->tier ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void plan_sites(struct check *c, struct plan *p)
{
	struct network *n = &c->network;
	uint32_t *order = check_alloc(c, n->site_count, sizeof(*order));
	size_t count = 0;

	for (uint32_t i = 0; order && i < n->site_count; i++)
		if (n->sites[i].tier != NETWORK_NONE && p->length[n->sites[i].tier])
			order[count++] = i;
	if (order)
		qsort_r(order, count, sizeof(*order), plan_order, n);
	for (size_t i = 0; i < count && !c->failed; i++)
		plan_site(c, p, order[i]);
	free(order);
}

void check_plan(struct check *c)
{
	size_t sites = c->network.site_count, tiers = c->network.tier_count;
	struct plan p = {0};

	if (!c->plan_at.node)
		return;
	p.length = check_alloc(c, tiers, 1);
	p.own = check_alloc(c, tiers, 1);
	p.tier_at = check_alloc(c, tiers, sizeof(*p.tier_at));
	p.blocks = check_alloc(c, sites, sizeof(*p.blocks));
	p.taken = check_alloc(c, sites + 1, sizeof(*p.taken));
	if (!c->failed && plan_read(c, &p))
		plan_sites(c, &p);
	for (size_t i = 0; p.taken && i <= sites; i++)
		free(p.taken[i]);
	free(p.length);
	free(p.own);
	free(p.tier_at);
	free(p.blocks);
	free(p.taken);
}
