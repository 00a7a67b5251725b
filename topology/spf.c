/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dial's algorithm: nodes wait in buckets by metric modulo the largest metric + 1,
 * so the queue costs nothing but a look at each bucket. Every edge costs
 * at least 1, hence all who could give a node an equal way are settled before the node
 * itself, and ties (hops, then rank of the next hop) are decided when the edge is relaxed, without
 * putting anything into the queue again.
 */
#include "tuyen/topology/spf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

struct spf_item {
	uint64_t cost;	/* dear edges, then metric */
	uint32_t node;
};

static int graph_check(size_t node_count, const struct spf_edge *edges, size_t edge_count)
{
	if (node_count > SPF_NODES_MAX || edge_count > UINT32_MAX / 4)
		return -TUYEN_ELIMIT;
	for (size_t i = 0; i < edge_count; i++)
		if (!edges[i].metric || edges[i].metric > SPF_METRIC_MAX)
			return -TUYEN_ELIMIT;
	return 0;
}

static void graph_fill(struct spf_graph *g, const struct spf_edge *edges)
{
	for (size_t i = 0; i < g->edge_count; i++) {
		assert(edges[i].a < g->node_count && edges[i].b < g->node_count);
		g->first[edges[i].a]++;
		g->first[edges[i].b]++;
		if (edges[i].metric > g->metric_max)
			g->metric_max = edges[i].metric;
	}
	for (size_t i = 1; i <= g->node_count; i++)
		g->first[i] += g->first[i - 1];
	for (size_t i = g->edge_count; i-- > 0;) {
		const struct spf_edge *e = &edges[i];

		g->arcs[--g->first[e->a]] = (struct spf_arc){e->b, e->metric, (uint32_t)i};
		g->arcs[--g->first[e->b]] = (struct spf_arc){e->a, e->metric, (uint32_t)i};
	}
}

int spf_graph_init(struct spf_graph *g, size_t node_count, const uint32_t *rank,
		   const struct spf_edge *edges, size_t edge_count)
{
	int err = graph_check(node_count, edges, edge_count);

	*g = (struct spf_graph){.node_count = node_count, .edge_count = edge_count};
	if (err < 0)
		return err;
	g->first = calloc(node_count + 1, sizeof(*g->first));
	g->arcs = calloc(2 * edge_count + 1, sizeof(*g->arcs));
	g->rank = calloc(node_count + 1, sizeof(*g->rank));
	if (!g->first || !g->arcs || !g->rank) {
		spf_graph_clear(g);
		return -TUYEN_ENOMEM;
	}
	if (node_count)
		memcpy(g->rank, rank, node_count * sizeof(*rank));
	graph_fill(g, edges);
	return 0;
}

void spf_graph_clear(struct spf_graph *g)
{
	free(g->first);
	free(g->arcs);
	free(g->rank);
	*g = (struct spf_graph){0};
}

int spf_work_init(struct spf_work *w, const struct spf_graph *g)
{
	*w = (struct spf_work){.bucket_count = g->metric_max + 1};
	w->bucket = calloc(w->bucket_count, sizeof(*w->bucket));
	w->after = calloc(g->node_count + 1, sizeof(*w->after));
	w->before = calloc(g->node_count + 1, sizeof(*w->before));
	w->heap = calloc(2 * g->edge_count + 1, sizeof(*w->heap));
	w->dear = calloc(g->node_count + 1, sizeof(*w->dear));
	if (!w->bucket || !w->after || !w->before || !w->heap || !w->dear) {
		spf_work_clear(w);
		return -TUYEN_ENOMEM;
	}
	for (size_t i = 0; i < w->bucket_count; i++)
		w->bucket[i] = SPF_NONE;
	return 0;
}

void spf_work_clear(struct spf_work *w)
{
	free(w->bucket);
	free(w->after);
	free(w->before);
	free(w->heap);
	free(w->dear);
	*w = (struct spf_work){0};
}

static void hops_reset(struct spf_hop *hops, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hops[i] = (struct spf_hop){.metric = SPF_NONE, .next = SPF_NONE};
}

static inline void bucket_put(struct spf_work *w, uint32_t node, uint32_t b)
{
	uint32_t head = w->bucket[b];

	w->after[node] = head;
	w->before[node] = SPF_NONE;
	if (head != SPF_NONE)
		w->before[head] = node;
	w->bucket[b] = node;
}

static inline void bucket_take(struct spf_work *w, uint32_t node, uint32_t b)
{
	uint32_t after = w->after[node], before = w->before[node];

	if (before == SPF_NONE)
		w->bucket[b] = after;
	else
		w->after[before] = after;
	if (after != SPF_NONE)
		w->before[after] = before;
}

/* Of two ways of equal metric: is the one by @next better than what @hop has? */
static inline bool tie_wins(const struct spf_graph *g, const struct spf_hop *hop, uint32_t hops,
			    uint32_t next)
{
	return hops < hop->hops || (hops == hop->hops && g->rank[next] < g->rank[hop->next]);
}

static inline uint32_t bucket_of(uint32_t base, uint32_t base_bucket, uint32_t metric, uint32_t count)
{
	uint32_t b = base_bucket + (metric - base);

	return b >= count ? b - count : b;
}

/* Relaxes every edge of @node, whose metric is that of bucket @at. @return nodes added to the queue. */
static inline size_t node_settle(const struct spf_graph *g, struct spf_work *w, uint32_t node,
				 uint32_t at, struct spf_hop *hops)
{
	uint32_t base = hops[node].metric, count = (uint32_t)w->bucket_count;
	uint32_t way = hops[node].hops + 1;
	size_t added = 0;

	for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
		const struct spf_arc *arc = &g->arcs[i];
		struct spf_hop *hop = &hops[arc->to];
		uint32_t metric = base + arc->metric;

		if (metric > hop->metric)
			continue;
		if (metric == hop->metric) {
			if (tie_wins(g, hop, way, node))
				*hop = (struct spf_hop){metric, node, way};
			continue;
		}
		if (hop->metric != SPF_NONE)
			bucket_take(w, arc->to, bucket_of(base, at, hop->metric, count));
		else
			added++;
		*hop = (struct spf_hop){metric, node, way};
		bucket_put(w, arc->to, bucket_of(base, at, metric, count));
	}
	return added;
}

void spf_tree(const struct spf_graph *g, struct spf_work *w, uint32_t destination,
	      struct spf_hop *ret_hops)
{
	size_t waiting = 1;
	uint32_t at = 0;

	assert(destination < g->node_count && w->bucket_count == g->metric_max + 1);
	hops_reset(ret_hops, g->node_count);
	ret_hops[destination].metric = 0;
	bucket_put(w, destination, 0);
	while (waiting) {
		uint32_t node = w->bucket[at];

		if (node == SPF_NONE) {
			at = at + 1 == w->bucket_count ? 0 : at + 1;
			continue;
		}
		bucket_take(w, node, at);
		waiting += node_settle(g, w, node, at, ret_hops);
		waiting--;
	}
}

static void heap_put(struct spf_item *heap, size_t *count, struct spf_item item)
{
	size_t i = (*count)++;

	for (; i && heap[(i - 1) / 2].cost > item.cost; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = item;
}

static struct spf_item heap_take(struct spf_item *heap, size_t *count)
{
	struct spf_item top = heap[0], last = heap[--*count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < *count) {
		if (child + 1 < *count && heap[child + 1].cost < heap[child].cost)
			child++;
		if (last.cost <= heap[child].cost)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

static uint64_t cost_of(uint32_t dear, uint32_t metric)
{
	return (uint64_t)dear << 32 | metric;
}

static bool marked(const uint8_t *marks, uint32_t index)
{
	return marks && marks[index];
}

static void node_settle_limited(const struct spf_graph *g, struct spf_work *w, uint32_t node,
				const struct spf_limits *limits, struct spf_hop *hops, size_t *count)
{
	for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
		const struct spf_arc *arc = &g->arcs[i];
		struct spf_hop *hop = &hops[arc->to];
		struct spf_hop way = {hops[node].metric + arc->metric, node, hops[node].hops + 1};
		uint32_t dear = w->dear[node] + marked(limits->edge_dear, arc->edge);
		uint64_t cost = cost_of(dear, way.metric), old = cost_of(w->dear[arc->to], hop->metric);

		if (marked(limits->edge_banned, arc->edge) || marked(limits->node_banned, arc->to) ||
		    (hop->metric != SPF_NONE && cost > old))
			continue;
		if (hop->metric != SPF_NONE && cost == old) {
			if (tie_wins(g, hop, way.hops, node))
				*hop = way;
			continue;
		}
		*hop = way;
		w->dear[arc->to] = dear;
		heap_put(w->heap, count, (struct spf_item){cost, arc->to});
	}
}

void spf_tree_limited(const struct spf_graph *g, struct spf_work *w, uint32_t destination,
		      uint32_t source, const struct spf_limits *limits, struct spf_hop *ret_hops)
{
	size_t count = 0;

	assert(destination < g->node_count);
	hops_reset(ret_hops, g->node_count);
	memset(w->dear, 0, g->node_count * sizeof(*w->dear));
	if (marked(limits->node_banned, destination))
		return;
	ret_hops[destination].metric = 0;
	heap_put(w->heap, &count, (struct spf_item){0, destination});
	while (count) {
		struct spf_item item = heap_take(w->heap, &count);

		if (item.node == source)
			return;
		if (item.cost == cost_of(w->dear[item.node], ret_hops[item.node].metric))
			node_settle_limited(g, w, item.node, limits, ret_hops, &count);
	}
}
