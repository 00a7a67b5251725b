/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A country decided by several at once. Head-ends are dealt out in their order, and who decides some of them has a result
 * of its own, a part, which borrows the graph and the sets of the whole. What all parts agree on (detours and who may
 * take them) is brought together between planning and installing; the rest is put together in the end, in the order of
 * the parts, and so is what one alone would have decided, in its order.
 *
 * Part 0 is the whole itself.
 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

#define PART_LEAST 8 /* heads: for fewer a part is not worth its trees */

/* Everything that is decided, or is a tool for it, is the part's own; what was found about the network is borrowed. */
static int part_init(const struct compile_result *whole, struct compile_result *part)
{
	const struct network *n = whole->network;
	size_t sites = n->site_count, links = n->link_count;

	*part = (struct compile_result){
	    .network = n,
	    .whole = whole,
	    .links = whole->links,
	    .near_first = whole->near_first,
	    .near = whole->near,
	    .link_slots = whole->link_slots,
	    .link_slot_count = whole->link_slot_count,
	    .link_mtu = whole->link_mtu,
	    .parallel_mtu = whole->parallel_mtu,
	    .core_of = whole->core_of,
	    .site_of = whole->site_of,
	    .edge_of = whole->edge_of,
	    .core = whole->core,
	    .risk_first = whole->risk_first,
	    .risk_links = whole->risk_links,
	    .deny_bits = whole->deny_bits,
	    .policy_bits = whole->policy_bits,
	    .words = whole->words,
	    .twins = whole->twins,
	    .head_first = whole->head_first,
	    .tally_first = whole->tally_first,
	};
	part->trees = calloc(sites + 1, sizeof(*part->trees));
	part->link_marked = calloc(links + 1, 1);
	part->edge_marked = calloc(links + 1, 1);
	part->edge_banned = calloc(links + 1, 1);
	part->node_marked = calloc(sites + 1, 1);
	if (!part->trees || !part->link_marked || !part->edge_marked || !part->edge_banned ||
	    !part->node_marked || !compile_tallies_allocate(part))
		return -TUYEN_ENOMEM;
	return spf_work_init(&part->work, &part->core);
}

static void part_free(struct compile_result *part)
{
	for (size_t i = 0; i < part->problem_count; i++)
		free(part->problems[i].text);
	free(part->problems);
	compile_trees_clear(part);
	spf_work_clear(&part->work);
	free(part->link_marked);
	free(part->edge_marked);
	free(part->edge_banned);
	free(part->node_marked);
	free(part->memo.values);
	free(part->memo_index.slots);
	free(part->pairs);
	free(part->paths);
	free(part->ways.values);
	free(part->shared.values);
	free(part->tallies);
	free(part->tails);
	free(part->stacks.values);
	free(part->accepts);
	free(part->labels);
	free(part->label_index.slots);
	compile_repairs_clear(part);
	free(part);
}

void compile_parts_clear(struct compile_parts *p)
{
	for (size_t i = 1; i < p->count; i++)
		part_free(p->part[i]);
	p->count = 0;
}

static size_t parts_wanted(const struct compile_result *r, uint32_t heads)
{
	size_t most = r->executor ? r->executor->workers : 1;

	if (r->error_count) /* there will be more, and they are said in order */
		return 1;
	most = most < COMPILE_PARTS_MAX ? most : COMPILE_PARTS_MAX;
	most = most < heads / PART_LEAST ? most : heads / PART_LEAST;
	return most ? most : 1;
}

/* So many head-ends each, as nearly as can be. */
static void heads_deal(const struct network *n, uint32_t heads, struct compile_parts *p)
{
	uint32_t dealt = 0;
	size_t part = 0;

	p->first[0] = 0;
	for (uint32_t s = 0; s < n->site_count; s++) {
		if (!n->sites[s].lan_count)
			continue;
		while (part + 1 < p->count && dealt >= (uint64_t)heads * (part + 1) / p->count)
			p->first[++part] = s;
		dealt++;
	}
	while (part < p->count)
		p->first[++part] = (uint32_t)n->site_count;
}

int compile_parts_init(struct compile_result *r, struct compile_parts *ret)
{
	const struct network *n = r->network;
	uint32_t heads = 0;
	size_t wanted;
	int err = 0;

	*ret = (struct compile_parts){.part = {r}, .count = 1};
	for (size_t i = 0; i < n->site_count; i++)
		heads += n->sites[i].lan_count > 0;
	wanted = parts_wanted(r, heads);
	while (ret->count < wanted && !err) {
		struct compile_result *part = malloc(sizeof(*part));

		if (!part)
			return -TUYEN_ENOMEM;
		err = part_init(r, part);
		ret->part[ret->count++] = part;
	}
	heads_deal(n, heads, ret);
	return err;
}

size_t compile_parts_errors(const struct compile_parts *p)
{
	size_t errors = 0;

	for (size_t i = 0; i < p->count; i++)
		errors += p->part[i]->error_count;
	return errors;
}

static void tally_absorb(struct path_tally *t, const struct path_tally *from, uint32_t path)
{
	for (uint32_t i = 0; i < from->shared && i < 3 && t->shared + i < 3; i++)
		t->example[t->shared + i] = from->example[i] + path;
	for (uint32_t i = 0; i < from->unmet && i < 3 && t->unmet + i < 3; i++)
		t->lacking[t->unmet + i] = from->lacking[i];
	if (!t->risky) {
		t->risky_head = from->risky_head;
		t->risky_risk = from->risky_risk;
	}
	t->sites += from->sites;
	t->shared += from->shared;
	t->unmet += from->unmet;
	t->risky += from->risky;
}

static void tallies_absorb(struct compile_result *r, const struct compile_result *part)
{
	size_t at = 0;

	for (size_t i = 0; i < r->network->policy_count; i++)
		for (size_t k = 0; k < r->network->policies[i].path_count; k++, at++)
			tally_absorb(&r->tallies[at], &part->tallies[at], (uint32_t)r->path_count);
}

static void paths_absorb(struct compile_result *r, const struct compile_result *part)
{
	uint32_t pair = (uint32_t)r->pair_count, path = (uint32_t)r->path_count;
	uint32_t way = (uint32_t)r->ways.count, shared = (uint32_t)r->shared.count;
	uint32_t stack = (uint32_t)r->stacks.count, accept = (uint32_t)r->accept_count;

	compile_append(r, &r->pairs, &r->pair_count, &r->pair_room, sizeof(*r->pairs), part->pairs,
		       part->pair_count);
	compile_append(r, &r->paths, &r->path_count, &r->path_room, sizeof(*r->paths), part->paths,
		       part->path_count);
	compile_append(r, &r->ways.values, &r->ways.count, &r->ways.room, sizeof(uint32_t),
		       part->ways.values, part->ways.count);
	compile_append(r, &r->shared.values, &r->shared.count, &r->shared.room, sizeof(uint32_t),
		       part->shared.values, part->shared.count);
	compile_append(r, &r->stacks.values, &r->stacks.count, &r->stacks.room, sizeof(uint32_t),
		       part->stacks.values, part->stacks.count);
	compile_append(r, &r->accepts, &r->accept_count, &r->accept_room, sizeof(*r->accepts),
		       part->accepts, part->accept_count);
	for (size_t i = pair; i < r->pair_count; i++)
		r->pairs[i].path += path;
	for (size_t i = path; i < r->path_count; i++) {
		struct compile_path *p = &r->paths[i];

		p->pair += pair;
		p->way += way;
		p->shared += shared;
		p->stack += stack;
		p->back += stack;
	}
	for (size_t i = accept; i < r->accept_count; i++)
		r->accepts[i].labels += stack;
}

void compile_parts_absorb(struct compile_parts *p)
{
	struct compile_result *r = p->part[0];

	for (size_t i = 1; i < p->count; i++) {
		struct compile_result *part = p->part[i];

		r->failed |= part->failed;
		for (uint32_t s = p->first[i]; s < p->first[i + 1]; s++)
			r->head_first[s] += (uint32_t)r->pair_count;
		tallies_absorb(r, part);
		paths_absorb(r, part);
		compile_labels_absorb(r, part);
	}
	r->head_first[r->network->site_count] = (uint32_t)r->pair_count;
	compile_parts_clear(p);
}
