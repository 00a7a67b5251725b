/* SPDX-License-Identifier: Apache-2.0 */
// link: topology/spf.c daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/topology/spf.h"

#define NODES 24
#define EDGES 60

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

/* Small metrics, so that ties are everywhere. No edge twice, as sites have one link a pair. */
static size_t random_edges(uint32_t seed, struct spf_edge *edges)
{
	bool seen[NODES][NODES] = {{false}};
	size_t count = 0;

	for (int i = 0; i < EDGES; i++) {
		uint32_t a = next_random(&seed) % NODES, b = next_random(&seed) % NODES;

		if (a == b || seen[a][b])
			continue;
		seen[a][b] = seen[b][a] = true;
		edges[count++] = (struct spf_edge){a, b, 1 + next_random(&seed) % 4};
	}
	return count;
}

struct label {
	uint32_t dear, metric, hops;
};

static bool before(struct label a, struct label b)
{
	if (a.dear != b.dear)
		return a.dear < b.dear;
	return a.metric != b.metric ? a.metric < b.metric : a.hops < b.hops;
}

static bool edge_open(const struct spf_limits *l, const struct spf_edge *edges, size_t e)
{
	if (l->edge_banned && l->edge_banned[e])
		return false;
	return !l->node_banned || (!l->node_banned[edges[e].a] && !l->node_banned[edges[e].b]);
}

/* Bellman-Ford, then the lowest next hop among the best: what spf.c must say. */
static void reference(const struct spf_edge *edges, size_t count, const uint32_t *rank,
		      uint32_t dest, const struct spf_limits *l, struct spf_hop *ret)
{
	struct label best[NODES];

	for (uint32_t i = 0; i < NODES; i++) {
		best[i] = (struct label){SPF_NONE, SPF_NONE, SPF_NONE};
		ret[i] = (struct spf_hop){SPF_NONE, SPF_NO_NODE, UINT16_MAX};
	}
	if (l->node_banned && l->node_banned[dest])
		return;
	best[dest] = (struct label){0, 0, 0};
	for (int round = 0; round < NODES; round++)
		for (size_t e = 0; e < 2 * count; e++) {
			const struct spf_edge *g = &edges[e / 2];
			uint32_t from = e & 1 ? g->a : g->b, to = e & 1 ? g->b : g->a;
			struct label way = {best[to].dear + (l->edge_dear && l->edge_dear[e / 2]),
					    best[to].metric + g->metric, best[to].hops + 1};

			if (best[to].metric != SPF_NONE && edge_open(l, edges, e / 2) &&
			    before(way, best[from]))
				best[from] = way;
		}
	for (uint32_t i = 0; i < NODES; i++) {
		ret[i].metric = best[i].metric;
		ret[i].hops = (uint16_t)best[i].hops;
	}
	for (size_t e = 0; e < 2 * count; e++) {
		const struct spf_edge *g = &edges[e / 2];
		uint32_t from = e & 1 ? g->a : g->b, to = e & 1 ? g->b : g->a;
		struct label way = {best[to].dear + (l->edge_dear && l->edge_dear[e / 2]),
				    best[to].metric + g->metric, best[to].hops + 1};

		if (from == dest || best[to].metric == SPF_NONE || !edge_open(l, edges, e / 2) ||
		    before(best[from], way) || before(way, best[from]))
			continue;
		if (ret[from].next == SPF_NO_NODE || rank[to] < rank[ret[from].next])
			ret[from].next = (uint16_t)to;
	}
}

static void compare(const struct spf_hop *a, const struct spf_hop *b, uint32_t seed, uint32_t dest)
{
	for (uint32_t i = 0; i < NODES; i++)
		if (a[i].metric != b[i].metric || a[i].next != b[i].next || a[i].hops != b[i].hops)
			fail_msg("seed %u to %u at %u: metric %u next %u hops %u, not %u %u %u",
				 seed, dest, i, a[i].metric, a[i].next, a[i].hops, b[i].metric,
				 b[i].next, b[i].hops);
}

/* A way from each node to @dest, against the tree of all that @limits leave. */
static void compare_ways(const struct spf_graph *g, struct spf_work *w, const struct spf_hop *want,
			 uint32_t dest, const struct spf_limits *limits, uint32_t seed)
{
	struct spf_hop guide[NODES];
	const struct spf_hop *got;

	for (uint32_t source = 0; source < NODES; source++) {
		spf_tree(g, w, source, guide);
		got = spf_way_limited(g, w, dest, source, guide, limits);
		for (uint16_t i = (uint16_t)source; i != SPF_NO_NODE; i = want[i].next)
			if (got[i].metric != want[i].metric || got[i].next != want[i].next ||
			    got[i].hops != want[i].hops)
				fail_msg("seed %u, from %u to %u: at %u metric %u next %u hops %u, "
					 "not %u %u %u",
					 seed, source, dest, i, got[i].metric, got[i].next,
					 got[i].hops, want[i].metric, want[i].next, want[i].hops);
	}
}

static void graph(const struct spf_edge *edges, size_t count, const uint32_t *rank,
		  struct spf_graph *g, struct spf_work *w)
{
	assert_int_equal(spf_graph_init(g, NODES, rank, edges, count), 0);
	assert_int_equal(spf_work_init(w, g), 0);
}

static void ranks(uint32_t *rank)
{
	for (uint32_t i = 0; i < NODES; i++)
		rank[i] = (i * 7 + 3) % NODES;
}

static void trees_are_those_of_bellman_ford(void **state)
{
	const struct spf_limits none = {0};
	uint32_t rank[NODES];

	(void)state;
	ranks(rank);
	for (uint32_t seed = 1; seed <= 60; seed++) {
		struct spf_edge edges[EDGES];
		size_t count = random_edges(seed, edges);
		struct spf_hop want[NODES], got[NODES];
		struct spf_graph g;
		struct spf_work w;

		graph(edges, count, rank, &g, &w);
		for (uint32_t dest = 0; dest < NODES; dest++) {
			reference(edges, count, rank, dest, &none, want);
			spf_tree(&g, &w, dest, got);
			compare(got, want, seed, dest);
			compare_ways(&g, &w, want, dest, &none, seed);
		}
		spf_work_clear(&w);
		spf_graph_clear(&g);
	}
}

static void limits_are_kept(void **state)
{
	uint32_t rank[NODES];

	(void)state;
	ranks(rank);
	for (uint32_t seed = 1; seed <= 60; seed++) {
		uint8_t banned[EDGES], dear[EDGES], nodes[NODES];
		const struct spf_limits l = {banned, nodes, dear};
		struct spf_edge edges[EDGES];
		size_t count = random_edges(seed, edges);
		struct spf_hop want[NODES];
		uint32_t random = seed;
		struct spf_graph g;
		struct spf_work w;

		for (int i = 0; i < EDGES; i++) {
			banned[i] = next_random(&random) % 8 == 0;
			dear[i] = next_random(&random) % 3 == 0;
		}
		for (int i = 0; i < NODES; i++)
			nodes[i] = next_random(&random) % 10 == 0;
		graph(edges, count, rank, &g, &w);
		for (uint32_t dest = 0; dest < NODES; dest++) {
			reference(edges, count, rank, dest, &l, want);
			compare_ways(&g, &w, want, dest, &l, seed);
		}
		spf_work_clear(&w);
		spf_graph_clear(&g);
	}
}

static void order_of_edges_says_nothing(void **state)
{
	uint32_t rank[NODES];

	(void)state;
	ranks(rank);
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct spf_edge edges[EDGES], turned[EDGES];
		size_t count = random_edges(seed, edges);
		struct spf_hop a[NODES], b[NODES];
		struct spf_graph g, h;
		struct spf_work v, w;

		for (size_t i = 0; i < count; i++)
			turned[i] =
			    (struct spf_edge){edges[count - 1 - i].b, edges[count - 1 - i].a,
					      edges[count - 1 - i].metric};
		graph(edges, count, rank, &g, &v);
		graph(turned, count, rank, &h, &w);
		for (uint32_t dest = 0; dest < NODES; dest++) {
			spf_tree(&g, &v, dest, a);
			spf_tree(&h, &w, dest, b);
			compare(a, b, seed, dest);
		}
		spf_work_clear(&v);
		spf_work_clear(&w);
		spf_graph_clear(&g);
		spf_graph_clear(&h);
	}
}

static void metrics_have_bounds(void **state)
{
	const uint32_t rank[3] = {1, 2, 3};
	struct spf_edge edges[2] = {{0, 1, 1}, {1, 2, SPF_METRIC_MAX}};
	struct spf_hop hops[3];
	struct spf_graph g;
	struct spf_work w;

	(void)state;
	assert_int_equal(spf_graph_init(&g, 3, rank, edges, 2), 0);
	assert_int_equal(spf_work_init(&w, &g), 0);
	spf_tree(&g, &w, 0, hops);
	assert_int_equal(hops[2].metric, SPF_METRIC_MAX + 1);
	spf_work_clear(&w);
	spf_graph_clear(&g);
	edges[1].metric = SPF_METRIC_MAX + 1;
	assert_int_equal(spf_graph_init(&g, 3, rank, edges, 2), -TUYEN_ELIMIT);
	edges[1].metric = 0;
	assert_int_equal(spf_graph_init(&g, 3, rank, edges, 2), -TUYEN_ELIMIT);
	assert_int_equal(spf_graph_init(&g, SPF_NODES_MAX + 1, rank, edges, 1), -TUYEN_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(trees_are_those_of_bellman_ford),
	    cmocka_unit_test(limits_are_kept),
	    cmocka_unit_test(order_of_edges_says_nothing),
	    cmocka_unit_test(metrics_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
