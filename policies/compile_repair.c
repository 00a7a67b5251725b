/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local repair: what a node does with the traffic of an adjacency that is down, before anybody else
 * knows (RFC 9855; the detours are RFC 4090's facility backups, said in segments).
 *
 * A crossing is a site, its neighbour, and the label on top of what goes there. Each may have a
 * detour: from the site, around the neighbour, to a site further down the same way, where the old
 * stack goes on; where there is none of that kind, around the link alone, to the neighbour. The
 * detour's labels are repair SIDs, twins of the node SIDs that lead along the same trees, and
 * routes of repair SIDs have no repair. So a packet on a detour is never sent on another, and each
 * detour that it leaves has brought it nearer to the end of its segment: whatever fails together,
 * nothing goes round.
 *
 * Tables are static, nobody reconverges: the way of a detour is found here, without the adjacency
 * that it goes around, and its stack is one that the tables of the nodes follow along just this
 * way. A neighbour from which the tree to the merge point serves (a loop-free alternate, RFC 5286)
 * costs one label and is tried first, as trees are cheap; else the shortest way around is searched.
 * What shares a risk with the failed link is the last resort.
 *
 * A detour is refused to a crossing when one of the paths over it would no longer fulfil the
 * constraints of its policy (avoid, max delay, max labels), get a stack too deep for filters, or
 * lose more than MTU_COST_MAX bytes of MTU; what it costs within that is taken from the path's MTU.
 * One label route serves all paths over it, so one path's refusal is all paths'.
 *
 * Leaves carry only what is their own (compile_graph.c): no detour starts, ends or passes there. But the last link of a way to a leaf
 * may have a twin, a parallel link of the same two sites: that is a crossing too, and the best of repairs, one link in place of
 * another. What comes there ends there, so it can go round as little. A way that must not take it is pinned, and its last
 * label is the leaf's repair SID. A path waits for no such repair: its head-end or its endpoint sees the link fail itself.
 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

#define MTU_COST_MAX  (4 * MTU_LABEL)
#define PATIENCE_MORE 2 /* probes: of a path, beyond the detection of a link that is repaired */

enum { OPTION_NODE, OPTION_LINK, OPTIONS };

/* A hop of a way, and what crosses it. */
struct hop {
	const struct way *way;
	uint32_t at;		  /* the hop's first site in @way */
	uint32_t target_at;	  /* where the label on top ends */
	struct label_stack stack; /* as it is sent over the hop */
};

static uint32_t hop_site(const struct hop *h)
{
	return h->way->site[h->at];
}

static uint32_t hop_next(const struct hop *h)
{
	return h->way->site[h->at + 1];
}

/* ---- detours ----------------------------------------------------------------------------- */

static uint64_t detour_key_hash(uint32_t from, uint32_t around, uint32_t to)
{
	uint32_t key[3] = {from, around, to};

	return compile_hash(key, 3);
}

static void risks_mark(struct compile_result *r, uint32_t link, uint8_t mark)
{
	const struct link *l = &r->network->links[link];

	for (size_t i = 0; i < l->risk_count; i++)
		for (uint32_t k = r->risk_first[l->risks[i]]; k < r->risk_first[l->risks[i] + 1];
		     k++)
			if (r->edge_of[r->risk_links[k]] != NETWORK_NONE)
				r->edge_marked[r->edge_of[r->risk_links[k]]] = mark;
}

/* What a detour avoids, for the searches; and what it should. */
static void detour_mark(struct compile_result *r, const struct detour *d, uint8_t mark)
{
	uint32_t link = compile_link_find(r, d->from, d->around);

	risks_mark(r, link, mark);
	r->edge_banned[r->edge_of[link]] = mark;
	if (d->to != d->around)
		r->node_marked[r->core_of[d->around]] = mark;
}

static bool way_append(struct way *w, uint32_t site)
{
	if (w->length == COMPILE_WAY_MAX)
		return false;
	w->site[w->length++] = site;
	return true;
}

static uint32_t way_metric(const struct compile_result *r, const struct way *w)
{
	uint32_t metric = 0;

	for (uint32_t i = 0; i + 1 < w->length; i++)
		metric +=
		    r->network->links[compile_link_find(r, w->site[i], w->site[i + 1])].metric;
	return metric;
}

static bool way_risky(const struct compile_result *r, const struct way *w)
{
	for (uint32_t i = 0; i + 1 < w->length; i++)
		if (r->edge_marked[r->edge_of[compile_link_find(r, w->site[i], w->site[i + 1])]])
			return true;
	return false;
}

/* From @first, a neighbour of the detour's beginning, as labels go. @return false if that leads
 * back, or to what failed. */
static bool alternate_follow(struct compile_result *r, const struct detour *d, uint32_t first,
			     struct way *ret_way)
{
	ret_way->length = 1;
	ret_way->site[0] = d->from;
	for (uint32_t at = first; at != d->to; at = compile_label_next(r, at, d->to))
		if (at == NETWORK_NONE || at == d->from || at == d->around ||
		    !way_append(ret_way, at))
			return false;
	return way_append(ret_way, d->to);
}

static bool alternate_better(const struct compile_result *r, const struct way *way,
			     const struct way *best)
{
	uint32_t metric = way_metric(r, way), least = way_metric(r, best);

	if (metric != least)
		return metric < least;
	if (way->length != best->length)
		return way->length < best->length;
	return r->network->sites[way->site[1]].id < r->network->sites[best->site[1]].id;
}

/* A neighbour, and what the way over it promises to cost. */
struct alternate {
	uint32_t site, least;
};

/* @ret_alternates  has room for all neighbours. @return how many there are. */
static size_t alternates_of(struct compile_result *r, const struct detour *d,
			    const struct spf_hop *tree, struct alternate *ret_alternates)
{
	size_t count = 0;

	for (uint32_t i = r->near_first[d->from]; i < r->near_first[d->from + 1]; i++) {
		const struct near *near = &r->near[i];
		uint32_t node = r->core_of[near->site];

		if (node != NETWORK_NONE && near->site != d->around &&
		    tree[node].metric != SPF_NONE)
			ret_alternates[count++] = (struct alternate){
			    near->site, r->network->links[near->link].metric + tree[node].metric};
	}
	return count;
}

/* Takes the one that promises most. */
static struct alternate alternates_take(struct alternate *alternates, size_t *count)
{
	size_t first = 0;
	struct alternate taken;

	for (size_t i = 1; i < *count; i++)
		if (alternates[i].least < alternates[first].least)
			first = i;
	taken = alternates[first];
	alternates[first] = alternates[--*count];
	return taken;
}

/*
 * A neighbour whose tree serves. @return true if no way around can be shorter: what another
 * neighbour's tree promises, and does not keep, must be longer.
 */
static bool alternate_find(struct compile_result *r, const struct detour *d, struct way *best)
{
	const struct spf_hop *tree = compile_tree(r, r->core_of[d->to]);
	uint32_t kept = UINT32_MAX, promised = UINT32_MAX;
	size_t count = tree ? alternates_of(r, d, tree, r->alternates) : 0;
	struct way way;

	best->length = 0;
	while (count) {
		struct alternate a = alternates_take(r->alternates, &count);

		if (a.least > kept)
			break;
		if (!alternate_follow(r, d, a.site, &way) || way_risky(r, &way)) {
			promised = a.least < promised ? a.least : promised;
		} else if (!best->length || alternate_better(r, &way, best)) {
			*best = way;
			kept = way_metric(r, best);
		}
	}
	return best->length && kept <= promised;
}

static bool around_find(struct compile_result *r, const struct detour *d, struct way *ret_way)
{
	const struct spf_limits limits = {.edge_banned = r->edge_banned,
					  .edge_dear = r->edge_marked,
					  .node_banned = r->node_marked};
	uint32_t at = r->core_of[d->from], to = r->core_of[d->to];
	const struct spf_hop *guide = compile_tree(r, at), *hops;

	if (!guide)
		return false;
	hops = spf_way_limited(&r->core, &r->work, to, at, guide, &limits);
	if (hops[at].metric == SPF_NONE)
		return false;
	ret_way->length = 1;
	ret_way->site[0] = d->from;
	while (at != to) {
		at = hops[at].next;
		if (!way_append(ret_way, r->site_of[at]))
			return false;
	}
	return true;
}

/* The same stack in repair SIDs. */
static bool detour_say(struct compile_result *r, const struct way *way, struct detour *d)
{
	if (!compile_way_stack(r, way, &d->stack))
		return false;
	for (uint8_t i = 0; i < d->stack.depth; i++)
		d->stack.label[i] += r->network->srgb.size;
	d->way = (uint32_t)r->detour_sites.count;
	for (uint32_t i = 0; i < way->length; i++)
		if (!pool_add(r, &r->detour_sites, way->site[i]))
			return false;
	return true;
}

static void detour_make(struct compile_result *r, struct detour *d)
{
	struct way way, around;
	bool found;

	detour_mark(r, d, 1);
	if (!alternate_find(r, d, &way) && around_find(r, d, &around))
		way = around;
	found = way.length && detour_say(r, &way, d);
	d->length = found ? (uint8_t)way.length : 0;
	d->risky = found && way_risky(r, &way);
	detour_mark(r, d, 0);
}

/* @return its place + 1; 0 when there is none. */
static uint32_t detour_find(struct compile_result *r, uint32_t from, uint32_t around, uint32_t to)
{
	uint64_t hash = detour_key_hash(from, around, to);
	struct detour *d, made = {.from = from, .around = around, .to = to};
	uint32_t position;
	size_t step = 0;

	if (to == from || r->core_of[to] == NETWORK_NONE)
		return 0;
	while ((position = index_next(&r->detour_index, hash, &step)) != NETWORK_NONE) {
		d = &r->detours[position];
		if (d->from == from && d->around == around && d->to == to)
			return d->length ? position + 1 : 0;
	}
	detour_make(r, &made);
	position = (uint32_t)r->detour_count;
	d = compile_grow(r, &r->detours, &r->detour_count, &r->detour_room, sizeof(*d));
	if (!d)
		return 0;
	*d = made;
	if (!index_put(r, &r->detour_index, position, hash))
		return 0;
	return d->length ? position + 1 : 0;
}

/* The result that knows, once all have planned, what each crossing does. */
static const struct compile_result *planned(const struct compile_result *r)
{
	return r->whole ? r->whole : r;
}

static const uint32_t *detour_way(const struct compile_result *r, const struct detour *d)
{
	return r->detour_sites.values + d->way;
}

/* ---- crossings ---------------------------------------------------------------------------- */

static uint64_t crossing_key_hash(uint32_t site, uint32_t next, uint32_t label)
{
	uint32_t key[3] = {site, next, label};

	return compile_hash(key, 3);
}

static struct crossing *crossing_lookup(const struct compile_result *r, uint32_t site,
					uint32_t next, uint32_t label)
{
	uint64_t hash = crossing_key_hash(site, next, label);
	uint32_t position;
	size_t step = 0;

	while ((position = index_next(&r->crossing_index, hash, &step)) != NETWORK_NONE) {
		struct crossing *c = &r->crossings[position];

		if (c->site == site && c->next == next && c->label == label)
			return c;
	}
	return NULL;
}

/* The first site of the detour that the old way passes further down, still under the same label. */
static uint32_t detour_meets(const struct compile_result *r, const struct hop *h,
			     const struct detour *d)
{
	const uint32_t *way = detour_way(r, d);

	for (uint32_t i = 1; i < d->length; i++)
		for (uint32_t k = h->at + 2; k <= h->target_at; k++)
			if (way[i] == h->way->site[k])
				return way[i];
	return d->to;
}

static uint32_t option_past_neighbor(struct compile_result *r, const struct hop *h)
{
	uint32_t from = hop_site(h), around = hop_next(h), detour, meets;

	if (h->target_at == h->at + 1) /* the neighbour is where the label ends */
		return 0;
	detour = detour_find(r, from, around, h->way->site[h->at + 2]);
	if (!detour)
		return 0;
	meets = detour_meets(r, h, &r->detours[detour - 1]);
	if (meets != r->detours[detour - 1].to)
		detour = detour_find(r, from, around, meets);
	return detour;
}

static struct crossing *crossing_get(struct compile_result *r, const struct hop *h)
{
	uint32_t site = hop_site(h), next = hop_next(h), label = h->stack.label[0];
	struct crossing *c = crossing_lookup(r, site, next, label);
	struct crossing made = {.site = site, .next = next, .label = label};
	uint32_t position = (uint32_t)r->crossing_count;

	if (c || r->failed)
		return c;
	made.target = h->way->site[h->target_at];
	made.option[OPTION_NODE] = option_past_neighbor(r, h);
	made.option[OPTION_LINK] = detour_find(r, site, next, next);
	c = compile_grow(r, &r->crossings, &r->crossing_count, &r->crossing_room, sizeof(*c));
	if (!c)
		return NULL;
	*c = made;
	index_put(r, &r->crossing_index, position, crossing_key_hash(site, next, label));
	return c;
}

/* What is sent over detour @d in place of @stack. @return false when it is too deep. */
static bool detour_stack(const struct crossing *c, const struct detour *d,
			 const struct label_stack *stack, struct label_stack *ret_stack)
{
	struct label_stack out = d->stack;

	for (uint8_t i = d->to == c->target; i < stack->depth; i++)
		if (!label_stack_push_bottom(&out, stack->label[i]))
			return false;
	*ret_stack = out;
	return out.depth <= DETOUR_DEPTH_MAX;
}

/* Bytes of IP packet that fit under @depth labels, the detour's on top, all along it. */
static uint16_t detour_measure(const struct compile_result *r, const struct detour *d,
			       uint8_t depth)
{
	const uint32_t *way = detour_way(r, d);
	uint16_t least = UINT16_MAX;
	uint8_t used = 0;

	for (uint32_t i = 1; i < d->length; i++) {
		uint16_t cost = (uint16_t)(MTU_MPLS_IN_IP + MTU_LABEL * (depth - used));
		uint16_t mtu = compile_link_room(r, way[i - 1], way[i]);

		mtu = mtu > cost ? mtu - cost : 0;
		least = mtu < least ? mtu : least;
		used += d->stack.label[used] == sites_repair_label(r, way[i]);
	}
	return least;
}

/* Asked for each path over it, and the same for nearly all of them. */
static uint16_t detour_mtu(const struct compile_result *r, struct detour *d,
			   const struct label_stack *stack)
{
	if (!d->mtu[stack->depth])
		d->mtu[stack->depth] = detour_measure(r, d, stack->depth);
	return d->mtu[stack->depth];
}

/* ---- the hops of all paths ------------------------------------------------------------------ */

typedef void hop_step(struct compile_result *r, struct compile_path *path, const struct hop *hop,
		      const struct candidate_path *candidate);

/* @ret_hops  has COMPILE_WAY_MAX. @return how many have what a repair needs at both ends. */
static uint32_t way_hops(const struct compile_result *r, const struct way *w,
			 const struct label_stack *stack, struct hop *ret_hops)
{
	uint32_t count = 0;
	uint8_t used = 0;

	for (uint32_t at = 0; at + 1 < w->length; at++) {
		struct hop *h = &ret_hops[count];

		if (at && sites_label_is(r, w->site[at], stack->label[used]))
			used++;
		if (r->core_of[w->site[at]] == NETWORK_NONE ||
		    r->core_of[w->site[at + 1]] == NETWORK_NONE)
			continue;
		*h = (struct hop){.way = w, .at = at, .target_at = at + 1};
		h->stack.depth = (uint8_t)(stack->depth - used);
		memcpy(h->stack.label, stack->label + used,
		       h->stack.depth * sizeof(h->stack.label[0]));
		while (!sites_label_is(r, w->site[h->target_at], h->stack.label[0]))
			h->target_at++;
		count++;
	}
	return count;
}

static void hops_of_way(struct compile_result *r, struct compile_path *path, const struct way *w,
			const struct label_stack *stack, const struct candidate_path *candidate,
			hop_step *step)
{
	struct hop hops[COMPILE_WAY_MAX];
	uint32_t count = way_hops(r, w, stack, hops);

	for (uint32_t i = 0; i < count; i++)
		index_fetch(&r->crossing_index,
			    crossing_key_hash(hop_site(&hops[i]), hop_next(&hops[i]),
					      hops[i].stack.label[0]));
	for (uint32_t i = 0; i < count; i++)
		step(r, path, &hops[i], candidate);
}

static void path_ways(const struct compile_result *r, const struct compile_path *path,
		      struct way *ret_there, struct way *ret_back)
{
	ret_there->length = path->way_length;
	memcpy(ret_there->site, compile_path_way(r, path),
	       ret_there->length * sizeof(ret_there->site[0]));
	compile_way_reverse(ret_there, ret_back);
}

static void hops_of_path(struct compile_result *r, struct compile_path *path, hop_step *step)
{
	const struct candidate_path *candidate =
	    &r->network->policies[r->pairs[path->pair].policy].paths[path->path];
	const struct label_stack stack = compile_path_stack(r, path, false);
	const struct label_stack stack_back = compile_path_stack(r, path, true);
	struct way there, back;

	path_ways(r, path, &there, &back);
	hops_of_way(r, path, &there, &stack, candidate, step);
	hops_of_way(r, path, &back, &stack_back, candidate, step);
}

/* ---- the last links of ways to leaves --------------------------------------------------- */

/* What takes over for the last link of a way; NETWORK_NONE: nothing. @pinned  of that way. */
static uint32_t way_twin(const struct compile_result *r, const struct way *w, bool pinned)
{
	return pinned ? NETWORK_NONE
		      : compile_twin(r, w->site[w->length - 2], w->site[w->length - 1]);
}

/* The leaf's label leads to its other face. */
static void twin_plan(struct compile_result *r, const struct way *w, uint32_t twin)
{
	uint32_t leaf = w->site[w->length - 1], site = w->site[w->length - 2];
	struct crossing made = {.site = site,
				.next = leaf,
				.label = sites_label(r, leaf),
				.target = leaf,
				.twin = {site, twin}};
	uint32_t position = (uint32_t)r->crossing_count;
	struct crossing *c;

	if (crossing_lookup(r, site, leaf, made.label))
		return;
	c = compile_grow(r, &r->crossings, &r->crossing_count, &r->crossing_room, sizeof(*c));
	if (!c)
		return;
	*c = made;
	index_put(r, &r->crossing_index, position, crossing_key_hash(site, leaf, made.label));
}

static void twin_install(struct compile_result *r, const struct way *w, uint32_t twin)
{
	struct label_stack stack = {.depth = 1, .label = {sites_label(r, twin)}};

	compile_accept_add(r, twin, w->site[w->length - 2], compile_stack_keep(r, &stack), 1);
	compile_label_add(r, twin, stack.label[0], twin);
}

static void path_twins(struct compile_result *r, const struct compile_path *path,
		       void (*step)(struct compile_result *, const struct way *, uint32_t))
{
	struct way there, back;
	uint32_t twin;

	path_ways(r, path, &there, &back);
	twin = way_twin(r, &there, path->pinned[0]);
	if (twin != NETWORK_NONE)
		step(r, &there, twin);
	twin = way_twin(r, &back, path->pinned[1]);
	if (twin != NETWORK_NONE)
		step(r, &back, twin);
}

/*
 * The leaves below one site go the same way from there, under the same labels: what a step did for
 * one of them, it has done for all. What it found out of the path is kept with the way.
 */
#define TAILS 256 /* kept at a time, a power of two */

struct tail {
	uint32_t length; /* sites from the leaf's neighbour on; 0: none */
	uint32_t site[COMPILE_WAY_MAX];
	struct label_stack stack;
	uint16_t mtu;
	uint16_t repaired_mtu;
	uint64_t repaired_after_us;
};

static bool tail_is(const struct tail *t, const struct way *there, const struct compile_path *path,
		    const struct label_stack *stack)
{
	return t->length == there->length - 1 && t->mtu == path->mtu &&
	       label_stack_equal(&t->stack, stack) &&
	       !memcmp(t->site, there->site + 1, t->length * sizeof(t->site[0]));
}

static void tail_keep(struct tail *t, const struct way *there, const struct compile_path *path,
		      const struct label_stack *stack)
{
	t->length = there->length - 1;
	t->mtu = path->mtu;
	t->stack = *stack;
	t->repaired_mtu = path->repaired_mtu;
	t->repaired_after_us = path->repaired_after_us;
	memcpy(t->site, there->site + 1, t->length * sizeof(t->site[0]));
}

/* hops_of_path() for a step that knows no candidate path. */
static void hops_of_path_once(struct compile_result *r, struct compile_path *path, hop_step *step,
			      struct tail *tails)
{
	const struct label_stack stack = compile_path_stack(r, path, false);
	const struct label_stack stack_back = compile_path_stack(r, path, true);
	struct way there, back;
	struct tail *t;
	bool leaf;

	path_ways(r, path, &there, &back);
	t = &tails[compile_hash(there.site + 1, there.length - 1) % TAILS];
	leaf = r->core_of[there.site[0]] == NETWORK_NONE; /* else its first hop counts too */
	if (leaf && tail_is(t, &there, path, &stack)) {
		path->repaired_mtu = t->repaired_mtu;
		path->repaired_after_us = t->repaired_after_us;
	} else {
		hops_of_way(r, path, &there, &stack, NULL, step);
		if (leaf)
			tail_keep(t, &there, path, &stack);
	}
	hops_of_way(r, path, &back, &stack_back, NULL, step);
}

static void hop_plan(struct compile_result *r, struct compile_path *path, const struct hop *h,
		     const struct candidate_path *candidate)
{
	struct crossing *c = crossing_get(r, h);
	struct label_stack out;
	uint16_t least = path->mtu > MTU_COST_MAX ? path->mtu - MTU_COST_MAX : 0;

	(void)candidate;
	if (least < MTU_IPV4_MIN + MTU_WIREGUARD_IPV4)
		least = MTU_IPV4_MIN + MTU_WIREGUARD_IPV4;
	for (int i = 0; c && i < OPTIONS; i++)
		if (c->option[i] && !(c->refused >> i & 1) &&
		    (!detour_stack(c, &r->detours[c->option[i] - 1], &h->stack, &out) ||
		     detour_mtu(r, &r->detours[c->option[i] - 1], &out) < least))
			c->refused |= (uint8_t)(1 << i);
}

static bool link_avoided(const struct candidate_path *p, uint32_t link)
{
	for (size_t i = 0; i < p->avoid_link_count; i++)
		if (p->avoid_links[i] == link)
			return true;
	return false;
}

/* Its ends are on the old way, and lawful. */
static bool detour_avoided(const struct compile_result *r, const struct detour *d,
			   const struct candidate_path *p)
{
	const uint32_t *way = detour_way(r, d);

	for (uint32_t i = 1; i < d->length; i++)
		if (link_avoided(p, compile_link_find(r, way[i - 1], way[i])) ||
		    (i + 1 < d->length && compile_set_has(&p->avoid, way[i])))
			return true;
	return false;
}

static uint64_t links_delay_us(const struct compile_result *r, const uint32_t *way, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i++)
		sum += r->network->links[compile_link_find(r, way[i], way[i + 1])].delay_us;
	return sum;
}

/* The whole way, the detour in place of what it goes around. */
static bool detour_late(const struct compile_result *r, const struct hop *h, const struct detour *d,
			const struct candidate_path *p)
{
	const uint32_t *way = h->way->site;
	uint32_t to = h->at + 1;

	if (!p->max_delay_us)
		return false;
	while (way[to] != d->to)
		to++;
	return links_delay_us(r, way, h->at + 1) + links_delay_us(r, detour_way(r, d), d->length) +
		   links_delay_us(r, way + to, h->way->length - to) >
	       p->max_delay_us;
}

static bool detour_unlawful(const struct compile_result *r, const struct hop *h,
			    const struct crossing *c, const struct detour *d,
			    const struct candidate_path *p)
{
	struct label_stack out;

	return detour_avoided(r, d, p) || detour_late(r, h, d, p) ||
	       (p->max_labels &&
		(!detour_stack(c, d, &h->stack, &out) || out.depth > p->max_labels));
}

static void hop_constrain(struct compile_result *r, struct compile_path *path, const struct hop *h,
			  const struct candidate_path *candidate)
{
	struct crossing *c = crossing_get(r, h);

	(void)path;
	for (int i = 0; c && i < OPTIONS; i++)
		if (c->option[i] &&
		    detour_unlawful(r, h, c, &r->detours[c->option[i] - 1], candidate))
			c->refused |= (uint8_t)(1 << i);
}

/* Past the neighbour rather than to it; but rather to it than over the same risk. */
static void crossing_choose(const struct compile_result *r, struct crossing *c)
{
	for (int risky = 0; risky < 2; risky++)
		for (int i = 0; i < OPTIONS && !c->detour; i++)
			if (c->option[i] && !(c->refused >> i & 1) &&
			    r->detours[c->option[i] - 1].risky == risky)
				c->detour = c->option[i];
}

static void detour_install(struct compile_result *r, struct detour *d)
{
	const uint32_t *way = detour_way(r, d);
	uint8_t used = 0;

	if (d->installed)
		return;
	d->installed = true;
	for (uint32_t i = 1; i < d->length; i++) {
		if (d->stack.label[used] == sites_repair_label(r, way[i]))
			compile_label_add(r, way[i], d->stack.label[used++], way[i]);
		if (i + 1 < d->length)
			compile_label_add(r, way[i], d->stack.label[used], way[i + 1]);
	}
}

static void detection_note(const struct compile_result *r, struct compile_path *path, uint32_t link)
{
	struct probe_timers t = r->network->links[link].probe;
	uint64_t detection_us = (uint64_t)t.interval_us * t.multiplier;

	if (detection_us > path->repaired_after_us)
		path->repaired_after_us = detection_us;
}

/* Its labels are those of the whole; whoever installs hops reads them only. */
static void hop_install(struct compile_result *r, struct compile_path *path, const struct hop *h,
			const struct candidate_path *candidate)
{
	const struct compile_result *plan = planned(r);
	struct crossing *c = crossing_lookup(plan, hop_site(h), hop_next(h), h->stack.label[0]);
	const struct detour *d;
	struct label_stack out;
	const uint32_t *way;
	uint8_t used = 0;
	uint32_t labels;
	uint16_t mtu;

	(void)candidate;
	if (!c || !c->detour)
		return;
	d = &plan->detours[c->detour - 1];
	detour_stack(c, d, &h->stack, &out);
	way = detour_way(plan, d);
	labels = compile_stack_keep(r, &out);
	for (uint32_t i = 1; i < d->length; i++) {
		compile_accept_add(r, way[i], way[i - 1], labels + used, out.depth - used);
		used += d->stack.label[used] == sites_repair_label(r, way[i]);
	}
	mtu = d->mtu[out.depth] ? d->mtu[out.depth] : detour_measure(plan, d, out.depth);
	if (mtu < path->repaired_mtu)
		path->repaired_mtu = mtu;
	detection_note(r, path, compile_link_find(r, c->site, c->next));
}

/* Probes that are lost until a link is repaired are no reason to give the path up: it waits for that,
 * and two probes more, the one that had just come through before, and the next one after. After as many as its policy or
 * its links bear it is in doubt. */
static void path_wait(struct compile_path *p)
{
	uint64_t probes;

	if (!p->repaired)
		return;
	probes = (p->repaired_after_us + p->probe.interval_us - 1) / p->probe.interval_us +
		 PATIENCE_MORE;
	if (probes <= p->probe.multiplier)
		return;
	p->doubt = p->probe.multiplier > DOUBT_LEAST ? p->probe.multiplier : DOUBT_LEAST;
	p->probe.multiplier = probes < UINT8_MAX ? (uint8_t)probes : UINT8_MAX;
}

static void path_settle(struct compile_path *p)
{
	p->repaired = p->repaired_mtu != UINT16_MAX;
	if (p->repaired_mtu < p->mtu) {
		p->mtu = p->repaired_mtu;
		p->session_mtu = (uint16_t)(p->mtu - MTU_WIREGUARD_IPV4);
	}
	path_wait(p);
}

/* Paths of one head-end that share a way share its place. */
static void path_copy_repair(const struct compile_result *r, size_t i)
{
	struct compile_path *p = &r->paths[i];

	for (size_t k = i; k-- > 0;)
		if (r->paths[k].way == p->way) {
			p->repaired = r->paths[k].repaired;
			p->mtu = r->paths[k].mtu;
			p->session_mtu = r->paths[k].session_mtu;
			p->repaired_after_us = r->paths[k].repaired_after_us;
			path_wait(p);
			return;
		}
}

static bool repairs_allocate(struct compile_result *r)
{
	uint32_t most = 0;

	for (size_t i = 0; i < r->network->site_count; i++)
		if (r->near_first[i + 1] - r->near_first[i] > most)
			most = r->near_first[i + 1] - r->near_first[i];
	r->alternates = calloc(most + 1, sizeof(*r->alternates));
	compile_reserve(&r->crossings, &r->crossing_room, 4 * r->network->site_count,
			sizeof(*r->crossings));
	return r->alternates && index_reserve(r, &r->crossing_index, 4 * r->network->site_count);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* Every path, @first those whose way no path before them had. */
typedef void path_step(struct compile_result *r, size_t path, bool first, struct tail *tails);

static int paths_walk(struct compile_result *r, path_step *step)
{
	struct tail *tails = calloc(TAILS, sizeof(*tails));
	uint32_t end = 0;

	if (!tails)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < r->path_count && !r->failed; i++) {
		bool first = r->paths[i].way >= end;

		end = first ? r->paths[i].way + r->paths[i].way_length : end;
		step(r, i, first, tails);
	}
	free(tails);
	return r->failed ? -TUYEN_ENOMEM : 0;
}

static void path_plan(struct compile_result *r, size_t i, bool first, struct tail *tails)
{
	struct compile_path *p = &r->paths[i];
	const struct candidate_path *c =
	    &r->network->policies[r->pairs[p->pair].policy].paths[p->path];

	p->repaired_mtu = UINT16_MAX;
	if (first) {
		hops_of_path_once(r, p, hop_plan, tails);
		path_twins(r, p, twin_plan);
	}
	if (c->avoid.count || c->avoid_link_count || c->max_delay_us || c->max_labels)
		hops_of_path(r, p, hop_constrain);
}

static void path_install(struct compile_result *r, size_t i, bool first, struct tail *tails)
{
	if (first) {
		hops_of_path_once(r, &r->paths[i], hop_install, tails);
		path_twins(r, &r->paths[i], twin_install);
		path_settle(&r->paths[i]);
	} else {
		path_copy_repair(r, i);
	}
}

static int plan_step(void *context, unsigned int worker, size_t item)
{
	struct compile_parts *parts = context;
	struct compile_result *r = parts->part[item];

	(void)worker;
	return repairs_allocate(r) ? paths_walk(r, path_plan) : -TUYEN_ENOMEM;
}

static int install_step(void *context, unsigned int worker, size_t item)
{
	struct compile_parts *parts = context;

	(void)worker;
	return paths_walk(parts->part[item], path_install);
}

/* @return its place + 1. */
static uint32_t detour_adopt(struct compile_result *r, const struct compile_result *part,
			     const struct detour *from)
{
	uint64_t hash = detour_key_hash(from->from, from->around, from->to);
	uint32_t position;
	size_t step = 0;
	struct detour *d;

	while ((position = index_next(&r->detour_index, hash, &step)) != NETWORK_NONE) {
		d = &r->detours[position];
		if (d->from != from->from || d->around != from->around || d->to != from->to)
			continue;
		for (size_t i = 0; i <= DETOUR_DEPTH_MAX; i++)
			if (!d->mtu[i])
				d->mtu[i] = from->mtu[i];
		return position + 1;
	}
	position = (uint32_t)r->detour_count;
	d = compile_grow(r, &r->detours, &r->detour_count, &r->detour_room, sizeof(*d));
	if (!d)
		return 0;
	*d = *from;
	d->way = (uint32_t)r->detour_sites.count;
	compile_append(r, &r->detour_sites.values, &r->detour_sites.count, &r->detour_sites.room,
		       sizeof(uint32_t), detour_way(part, from), from->length);
	return index_put(r, &r->detour_index, position, hash) ? position + 1 : 0;
}

/* What one refuses is refused. The options are the same: they follow from the tables of all sites. */
static void crossing_adopt(struct compile_result *r, const struct crossing *from,
			   const uint32_t *detours)
{
	struct crossing *c = crossing_lookup(r, from->site, from->next, from->label);
	uint32_t position = (uint32_t)r->crossing_count;

	if (c) {
		c->refused |= from->refused;
		return;
	}
	c = compile_grow(r, &r->crossings, &r->crossing_count, &r->crossing_room, sizeof(*c));
	if (!c)
		return;
	*c = *from;
	for (int i = 0; i < OPTIONS; i++)
		if (from->option[i])
			c->option[i] = detours[from->option[i] - 1];
	index_put(r, &r->crossing_index, position, crossing_key_hash(c->site, c->next, c->label));
}

static int plan_adopt(struct compile_result *r, const struct compile_result *part)
{
	enum { AHEAD = 16 };
	uint32_t *detours = calloc(part->detour_count + 1, sizeof(*detours));

	if (!detours)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < part->detour_count && !r->failed; i++)
		if (part->detours[i].length)
			detours[i] = detour_adopt(r, part, &part->detours[i]);
	for (size_t i = 0; i < part->crossing_count && !r->failed; i++) {
		const struct crossing *c = &part->crossings[i];

		if (i + AHEAD < part->crossing_count)
			index_fetch(
			    &r->crossing_index,
			    crossing_key_hash(c[AHEAD].site, c[AHEAD].next, c[AHEAD].label));
		crossing_adopt(r, c, detours);
	}
	free(detours);
	return r->failed ? -TUYEN_ENOMEM : 0;
}

int compile_repairs_build(struct compile_parts *parts)
{
	struct compile_result *r = parts->part[0];
	const struct executor *executor = r->executor;
	int err;

	if (compile_parts_errors(parts) || !label_repair_sid(r->network->srgb, 1))
		return 0;
	err = executor_run(executor, parts->count, plan_step, parts);
	for (size_t i = 1; i < parts->count && !err; i++)
		err = plan_adopt(r, parts->part[i]);
	for (size_t i = 0; i < r->crossing_count && !err; i++) {
		crossing_choose(r, &r->crossings[i]);
		if (r->crossings[i].detour) /* not a twin's: those are installed way by way */
			detour_install(r, &r->detours[r->crossings[i].detour - 1]);
	}
	return err || r->failed ? -TUYEN_ENOMEM
				: executor_run(executor, parts->count, install_step, parts);
}

void compile_repairs_clear(struct compile_result *r)
{
	free(r->detours);
	free(r->alternates);
	free(r->detour_index.slots);
	free(r->detour_sites.values);
	free(r->crossings);
	free(r->crossing_index.slots);
}

/* One link in place of another: from the site to the leaf's other face. */
static bool repair_by_twin(const struct compile_result *r, const struct crossing *c,
			   struct compile_repair *ret_repair)
{
	ret_repair->way = c->twin;
	ret_repair->way_length = 2;
	ret_repair->stack = (struct label_stack){.depth = 1, .label = {sites_label(r, c->twin[1])}};
	return true;
}

bool compile_repair_find(const struct compile_result *r, uint32_t site, uint32_t next,
			 const struct label_stack *stack, struct compile_repair *ret_repair)
{
	const struct crossing *c = r->core_of[site] == NETWORK_NONE ||
					   (r->core_of[next] == NETWORK_NONE &&
					    network_other_face(r->network, next) == NETWORK_NONE)
				       ? NULL
				       : crossing_lookup(r, site, next, stack->label[0]);
	const struct detour *d = c && c->detour ? &r->detours[c->detour - 1] : NULL;

	if (c && c->twin[0] != c->twin[1])
		return repair_by_twin(r, c, ret_repair);
	if (!d)
		return false;
	ret_repair->way = detour_way(r, d);
	ret_repair->way_length = d->length;
	return detour_stack(c, d, stack, &ret_repair->stack);
}
