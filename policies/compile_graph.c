/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph of a country is a small core with thousands of leaves on it. A leaf, a
 * site of the lowest tier below which nothing hangs, never carries what is not its own, so that a
 * commune's box and its LTE line are nobody's detour. It may when somebody says so: a path through
 * it, or a link between two of the lowest tier, which serves nothing else.
 *
 * Hence trees of shortest ways are made for core nodes alone, in the core, when first needed, and a
 * leaf's label is where its best neighbour's is.
 *
 * A leaf with a parallel link is two leaves here, itself and its face (struct network), each with the links of its
 * kind: so two sites, or a site and a face, have one link at most. Where it carries others' traffic it is no leaf, and its
 * parallel link is refused.
 *
 * A neighbour is always sent to directly, also where the metric knows a cheaper way round. So any
 * way, a backup line of a high metric too, can be said in node SIDs; and as every
 * other step comes nearer by metric, no label can loop.
 */
#include "compile_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int near_compare(const void *a, const void *b)
{
	const struct near *p = a, *q = b;

	return p->site < q->site ? -1 : p->site > q->site;
}

static void near_check_twins(struct compile_result *r, uint32_t site)
{
	const struct network *n = r->network;

	for (uint32_t i = r->near_first[site] + 1; i < r->near_first[site + 1]; i++)
		if (r->near[i].site == r->near[i - 1].site && site < r->near[i].site)
			compile_report(r, true, NULL, n->links[r->near[i].link].place,
				       "a second link between '%s' and '%s'", n->sites[site].name,
				       n->sites[r->near[i].site].name);
}

static void near_build(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];

		r->near_first[network_link_end(n, l, l->a)] += compile_link_used(r, l);
		r->near_first[network_link_end(n, l, l->b)] += compile_link_used(r, l);
	}
	for (size_t i = 1; i <= network_node_count(n); i++)
		r->near_first[i] += r->near_first[i - 1];
	for (size_t i = n->link_count; i-- > 0;) {
		const struct link *l = &n->links[i];
		uint32_t a = network_link_end(n, l, l->a), b = network_link_end(n, l, l->b);

		if (!compile_link_used(r, l))
			continue;
		r->near[--r->near_first[a]] = (struct near){b, (uint32_t)i};
		r->near[--r->near_first[b]] = (struct near){a, (uint32_t)i};
	}
	for (uint32_t s = 0; s < network_node_count(n); s++) {
		qsort(r->near + r->near_first[s], r->near_first[s + 1] - r->near_first[s],
		      sizeof(*r->near), near_compare);
		near_check_twins(r, s);
	}
}

/*
 * Which link joins two sites is asked a million times. Who has few neighbours is looked through; links of which both
 * ends have many stand in a table.
 */
#define NEAR_FEW 6

static uint32_t near_count(const struct compile_result *r, uint32_t site)
{
	return r->near_first[site + 1] - r->near_first[site];
}

static size_t link_slot(uint32_t a, uint32_t b)
{
	uint64_t hash = ((uint64_t)a << 32 | b) * 0x9e3779b97f4a7c15u;

	return (size_t)(hash >> 40);
}

static bool link_in_table(const struct compile_result *r, const struct link *l)
{
	const struct network *n = r->network;

	return compile_link_used(r, l) && near_count(r, network_link_end(n, l, l->a)) > NEAR_FEW &&
	       near_count(r, network_link_end(n, l, l->b)) > NEAR_FEW;
}

static void link_slot_put(struct compile_result *r, uint32_t link)
{
	const struct link *l = &r->network->links[link];
	uint32_t a = network_link_end(r->network, l, l->a);
	uint32_t b = network_link_end(r->network, l, l->b);
	struct link_slot s = {a < b ? a : b, a < b ? b : a, link + 1};
	size_t at = link_slot(s.a, s.b) & (r->link_slot_count - 1);

	while (r->link_slots[at].link)
		at = (at + 1) & (r->link_slot_count - 1);
	r->link_slots[at] = s;
}

static bool links_index(struct compile_result *r)
{
	const struct network *n = r->network;
	size_t count = 0, slots = 2;

	for (size_t i = 0; i < n->link_count; i++)
		count += link_in_table(r, &n->links[i]);
	while (slots < 3 * count)
		slots *= 2;
	r->link_slots = calloc(slots, sizeof(*r->link_slots));
	if (!r->link_slots)
		return false;
	r->link_slot_count = slots;
	for (uint32_t i = 0; i < n->link_count; i++)
		if (link_in_table(r, &n->links[i]))
			link_slot_put(r, i);
	return true;
}

static uint32_t near_find(const struct compile_result *r, uint32_t site, uint32_t other)
{
	for (uint32_t i = r->near_first[site]; i < r->near_first[site + 1]; i++)
		if (r->near[i].site == other)
			return r->near[i].link;
	return NETWORK_NONE;
}

uint32_t compile_link_find(const struct compile_result *r, uint32_t a, uint32_t b)
{
	uint32_t low = a < b ? a : b, high = a < b ? b : a;

	if (near_count(r, a) <= NEAR_FEW)
		return near_find(r, a, b);
	if (near_count(r, b) <= NEAR_FEW)
		return near_find(r, b, a);
	for (size_t at = link_slot(low, high);; at++) {
		const struct link_slot *s = &r->link_slots[at & (r->link_slot_count - 1)];

		if (!s->link || (s->a == low && s->b == high))
			return s->link - 1;
	}
}

/* The caller calls an address of the other end: its family is the outer packet's. */
bool compile_link_is_ipv6(const struct network *n, const struct link *l)
{
	return n->sites[l->b].uplinks[l->uplink_b].endpoint.family == 6;
}

static void link_narrows(const struct network *n, const struct link *l, uint32_t site, uint16_t mtu,
			 struct compile_result *r)
{
	uint32_t end = network_link_end(n, l, site);
	uint16_t *device = l->face && end == site ? &r->parallel_mtu[end] : &r->link_mtu[end];

	if (!*device || mtu < *device)
		*device = mtu;
}

static void links_measure(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];
		struct mtu_layers layers;

		if (!n->sites[l->b].uplinks[l->uplink_b].endpoint.family)
			compile_report(r, true, NULL, l->place,
				       "nobody can call: '%s' has no fixed address here",
				       n->sites[l->b].name);
		if (mtu_layers_compute(l->mtu_bytes, compile_link_is_ipv6(n, l), 1, &layers) < 0) {
			compile_report(
			    r, true, NULL, l->place,
			    "link '%s' '%s': MTU %u is too small for a session of %d bytes",
			    n->sites[l->a].name, n->sites[l->b].name, l->mtu_bytes, MTU_IPV4_MIN);
			continue;
		}
		if (!compile_link_used(r, l))
			continue;
		link_narrows(n, l, l->a, layers.link, r);
		link_narrows(n, l, l->b, layers.link, r);
	}
}

static void transit_mark(const struct compile_result *r, uint8_t *transit)
{
	const struct network *n = r->network;
	uint32_t lowest = (uint32_t)n->tier_count - 1;

	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		transit[i] |= s->tier != lowest;
		if (s->parent != NETWORK_NONE)
			transit[s->parent] = 1;
		if (s->backup != NETWORK_NONE)
			transit[s->backup] = 1;
	}
	for (size_t i = 0; i < n->link_count; i++) {
		uint32_t a = n->links[i].a, b = n->links[i].b;

		if (compile_link_used(r, &n->links[i]) && n->sites[a].tier == lowest &&
		    n->sites[b].tier == lowest)
			transit[a] = transit[b] = 1;
	}
	for (size_t p = 0; p < n->policy_count; p++)
		for (size_t c = 0; c < n->policies[p].path_count; c++) {
			const struct site_set *through = &n->policies[p].paths[c].through;

			for (size_t i = 0; i < through->count; i++)
				transit[through->sites[i]] = 1;
		}
}

/* A face is of a leaf: who carries others' traffic has one link with each neighbour. */
static void faces_check(struct compile_result *r, const uint8_t *transit)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];
		uint32_t leaf = l->face ? n->sites[l->face].face : NETWORK_NONE;

		if (leaf != NETWORK_NONE && transit[leaf])
			compile_report(r, true, NULL, l->place,
				       "'%s' carries others' traffic: only a leaf has a parallel "
				       "link",
				       n->sites[leaf].name);
	}
}

static size_t core_number(struct compile_result *r, const uint8_t *transit, uint32_t *rank)
{
	size_t count = 0;

	for (uint32_t s = 0; s < network_node_count(r->network); s++) {
		r->core_of[s] = NETWORK_NONE;
		if (!transit[s])
			continue;
		rank[count] = r->network->sites[s].id;
		r->site_of[count] = s;
		r->core_of[s] = (uint32_t)count++;
	}
	return count;
}

static size_t core_edges(struct compile_result *r, struct spf_edge *edges)
{
	const struct network *n = r->network;
	size_t count = 0;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];
		struct spf_edge e = {r->core_of[network_link_end(n, l, l->a)],
				     r->core_of[network_link_end(n, l, l->b)], l->metric};

		r->edge_of[i] = NETWORK_NONE;
		if (!l->metric || l->metric > SPF_METRIC_MAX)
			compile_report(r, true, NULL, l->place, "metric %u is not 1 to %d",
				       l->metric, SPF_METRIC_MAX);
		if (e.a == NETWORK_NONE || e.b == NETWORK_NONE || !compile_link_used(r, l))
			continue;
		r->edge_of[i] = (uint32_t)count;
		edges[count++] = e;
	}
	return count;
}

static int core_build(struct compile_result *r)
{
	const struct network *n = r->network;
	struct spf_edge *edges = calloc(n->link_count + 1, sizeof(*edges));
	uint8_t *transit = calloc(network_node_count(n) + 1, 1);
	uint32_t *rank = calloc(n->site_count + 1, sizeof(*rank));
	size_t nodes, edge_count;
	int err = -TUYEN_ENOMEM;

	if (!edges || !transit || !rank)
		goto out;
	transit_mark(r, transit);
	faces_check(r, transit);
	nodes = core_number(r, transit, rank);
	edge_count = core_edges(r, edges);
	err = r->error_count ? -TUYEN_EINVAL
			     : spf_graph_init(&r->core, nodes, rank, edges, edge_count);
	if (!err)
		err = spf_work_init(&r->work, &r->core);
out:
	free(edges);
	free(transit);
	free(rank);
	return err;
}

static bool graph_allocate(struct compile_result *r)
{
	size_t sites = network_node_count(r->network), links = r->network->link_count;

	r->near_first = calloc(sites + 2, sizeof(*r->near_first));
	r->near = calloc(2 * links + 1, sizeof(*r->near));
	r->link_mtu = calloc(sites + 1, sizeof(*r->link_mtu));
	r->parallel_mtu = calloc(sites + 1, sizeof(*r->parallel_mtu));
	r->core_of = calloc(sites + 1, sizeof(*r->core_of));
	r->site_of = calloc(sites + 1, sizeof(*r->site_of));
	r->edge_of = calloc(links + 1, sizeof(*r->edge_of));
	r->trees = calloc(sites + 1, sizeof(*r->trees));
	r->link_marked = calloc(links + 1, 1);
	r->edge_marked = calloc(links + 1, 1);
	r->edge_banned = calloc(links + 1, 1);
	r->node_marked = calloc(sites + 1, 1);
	return r->near_first && r->near && r->link_mtu && r->parallel_mtu && r->core_of &&
	       r->site_of && r->edge_of && r->trees && r->link_marked && r->edge_marked &&
	       r->edge_banned && r->node_marked;
}

/* Which links a shared risk takes down together. */
static bool risks_index(struct compile_result *r)
{
	const struct network *n = r->network;
	size_t count = 0;

	for (size_t i = 0; i < n->link_count; i++)
		count += n->links[i].risk_count;
	r->risk_first = calloc(n->risk_count + 2, sizeof(*r->risk_first));
	r->risk_links = calloc(count + 1, sizeof(*r->risk_links));
	if (!r->risk_first || !r->risk_links)
		return false;
	for (size_t i = 0; i < n->link_count; i++)
		for (size_t k = 0; k < n->links[i].risk_count; k++)
			r->risk_first[n->links[i].risks[k] + 1]++;
	for (size_t i = 1; i <= n->risk_count; i++)
		r->risk_first[i] += r->risk_first[i - 1];
	for (size_t i = n->link_count; i-- > 0;)
		for (size_t k = 0; k < n->links[i].risk_count; k++)
			r->risk_links[--r->risk_first[n->links[i].risks[k] + 1]] = (uint32_t)i;
	/* filling has moved each beginning to its predecessor's place */
	memmove(r->risk_first, r->risk_first + 1, n->risk_count * sizeof(*r->risk_first));
	r->risk_first[n->risk_count] = (uint32_t)count;
	return true;
}

int compile_graph_build(struct compile_result *r)
{
	if (!graph_allocate(r))
		return -TUYEN_ENOMEM;
	if (!risks_index(r))
		return -TUYEN_ENOMEM;
	near_build(r);
	if (!links_index(r))
		return -TUYEN_ENOMEM;
	links_measure(r);
	return core_build(r);
}

void compile_trees_clear(struct compile_result *r)
{
	for (size_t i = 0; r->trees && i < r->core.node_count; i++)
		free(r->trees[i]);
	free(r->trees);
	r->trees = NULL;
}

void compile_graph_clear(struct compile_result *r)
{
	compile_trees_clear(r);
	spf_graph_clear(&r->core);
	spf_work_clear(&r->work);
	free(r->near_first);
	free(r->near);
	free(r->link_slots);
	free(r->link_mtu);
	free(r->parallel_mtu);
	free(r->core_of);
	free(r->site_of);
	free(r->edge_of);
	free(r->link_marked);
	free(r->edge_marked);
	free(r->edge_banned);
	free(r->risk_first);
	free(r->risk_links);
	free(r->node_marked);
}

const struct spf_hop *compile_tree(struct compile_result *r, uint32_t node)
{
	if (r->trees[node])
		return r->trees[node];
	r->trees[node] = calloc(r->core.node_count, sizeof(**r->trees));
	if (r->trees[node])
		spf_tree(&r->core, &r->work, node, r->trees[node]);
	else
		r->failed = true;
	return r->trees[node];
}

/* One way to a leaf: to its neighbour as the tree says, then one link more. */
static struct spf_hop leaf_hop(struct compile_result *r, uint32_t node, const struct near *last)
{
	const struct spf_hop *tree = compile_tree(r, r->core_of[last->site]);
	struct spf_hop hop = {.metric = SPF_NONE};

	if (!tree || tree[node].metric == SPF_NONE)
		return hop;
	hop = tree[node];
	hop.metric += r->network->links[last->link].metric;
	hop.hops++;
	return hop;
}

static bool hop_better(const struct compile_result *r, struct spf_hop a, struct spf_hop b)
{
	if (b.metric == SPF_NONE || a.metric != b.metric)
		return a.metric < b.metric;
	if (a.hops != b.hops)
		return a.hops < b.hops;
	return r->core.rank[a.next] < r->core.rank[b.next];
}

static uint32_t label_next_to_leaf(struct compile_result *r, uint32_t node, uint32_t leaf)
{
	struct spf_hop best = {.metric = SPF_NONE, .next = SPF_NO_NODE};

	for (uint32_t i = r->near_first[leaf]; i < r->near_first[leaf + 1]; i++) {
		struct spf_hop hop;

		if (r->core_of[r->near[i].site] == NETWORK_NONE)
			continue;
		hop = leaf_hop(r, node, &r->near[i]);
		if (hop.metric != SPF_NONE && hop_better(r, hop, best))
			best = hop;
	}
	return best.next;
}

uint32_t compile_label_next(struct compile_result *r, uint32_t site, uint32_t destination)
{
	uint32_t node = r->core_of[site], next;

	if (compile_link_find(r, site, destination) != NETWORK_NONE)
		return destination;
	if (node == NETWORK_NONE)
		return NETWORK_NONE;
	if (r->core_of[destination] == NETWORK_NONE) {
		next = label_next_to_leaf(r, node, destination);
	} else {
		const struct spf_hop *tree = compile_tree(r, r->core_of[destination]);

		next = tree ? tree[node].next : SPF_NO_NODE;
	}
	return next == SPF_NO_NODE ? NETWORK_NONE : r->site_of[next];
}
