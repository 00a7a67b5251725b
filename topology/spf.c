/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dial's algorithm: nodes wait in buckets by metric modulo the largest metric + 1,
 * so the queue costs nothing but a look at each bucket; who finds a better way waits a second time,
 * and the first entry is passed over. Every edge costs at least 1, hence all who could give a node
 * an equal way are settled before the node itself, and ties (hops, then rank of the next hop) are
 * decided when the edge is relaxed, without putting anything into the queue again.
 */
#include "tuyen/topology/spf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

struct spf_item {
	uint64_t promise; /* dear edges, then metric: so far, and what is left at least */
	uint32_t left;	  /* at least */
	uint32_t node;
};

struct spf_wait {
	uint32_t node;
	uint32_t next; /* in its bucket */
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

static void hops_reset(struct spf_hop *hops, size_t count)
{
	memset(hops, 0xff, count * sizeof(*hops)); /* SPF_NONE, SPF_NO_NODE */
}

int spf_work_init(struct spf_work *w, const struct spf_graph *g)
{
	*w = (struct spf_work){.bucket_count = g->metric_max + 1};
	w->bucket = calloc(w->bucket_count, sizeof(*w->bucket));
	w->waits = calloc(2 * g->edge_count + 1, sizeof(*w->waits));
	w->heap = calloc(2 * g->edge_count + 1, sizeof(*w->heap));
	w->dear = calloc(g->node_count + 1, sizeof(*w->dear));
	w->hops = malloc((g->node_count + 1) * sizeof(*w->hops));
	w->touched = calloc(g->node_count + 1, sizeof(*w->touched));
	if (!w->bucket || !w->waits || !w->heap || !w->dear || !w->hops || !w->touched) {
		spf_work_clear(w);
		return -TUYEN_ENOMEM;
	}
	for (size_t i = 0; i < w->bucket_count; i++)
		w->bucket[i] = SPF_NONE;
	hops_reset(w->hops, g->node_count);
	return 0;
}

void spf_work_clear(struct spf_work *w)
{
	free(w->bucket);
	free(w->waits);
	free(w->heap);
	free(w->dear);
	free(w->hops);
	free(w->touched);
	*w = (struct spf_work){0};
}

/* Of two ways of equal metric: is the one by @next better than what @hop has? */
static inline bool tie_wins(const struct spf_graph *g, const struct spf_hop *hop, uint16_t hops,
			    uint32_t next)
{
	return hops < hop->hops || (hops == hop->hops && g->rank[next] < g->rank[hop->next]);
}

/* The waiting nodes; @used of w->waits are taken. A bucket holds one metric at a time: an entry whose node has another by
 * now, a better one, is stale. */
struct queue {
	struct spf_wait *waits;
	uint32_t *buckets;
	uint32_t bucket_count, used, waiting;
};

static inline void queue_put(struct queue *q, uint32_t node, uint32_t bucket)
{
	q->waits[q->used] = (struct spf_wait){node, q->buckets[bucket]};
	q->buckets[bucket] = q->used++;
	q->waiting++;
}

/* Relaxes every edge of @node, which stands in bucket @at. */
static inline void node_settle(const struct spf_graph *g, struct queue *q, uint32_t node,
			       uint32_t at, struct spf_hop *hops)
{
	uint16_t way = hops[node].hops + 1;
	uint32_t base = hops[node].metric;
	const struct spf_arc *end = g->arcs + g->first[node + 1];

	for (const struct spf_arc *arc = g->arcs + g->first[node]; arc < end; arc++) {
		struct spf_hop *hop = &hops[arc->to];
		uint32_t metric = base + arc->metric, bucket = at + arc->metric;

		if (metric > hop->metric)
			continue;
		if (metric == hop->metric) {
			if (tie_wins(g, hop, way, node))
				*hop = (struct spf_hop){metric, (uint16_t)node, way};
			continue;
		}
		*hop = (struct spf_hop){metric, (uint16_t)node, way};
		queue_put(q, arc->to, bucket < q->bucket_count ? bucket : bucket - q->bucket_count);
	}
}

void spf_tree(const struct spf_graph *g, struct spf_work *w, uint32_t destination,
	      struct spf_hop *ret_hops)
{
	struct queue q = {
	    .waits = w->waits, .buckets = w->bucket, .bucket_count = g->metric_max + 1};
	uint32_t at = 0, metric = 0;

	assert(destination < g->node_count && w->bucket_count == q.bucket_count);
	hops_reset(ret_hops, g->node_count);
	ret_hops[destination] = (struct spf_hop){0, SPF_NO_NODE, 0};
	queue_put(&q, destination, 0);
	while (q.waiting) {
		uint32_t first = q.buckets[at], node;

		if (first == SPF_NONE) {
			at = at + 1 == q.bucket_count ? 0 : at + 1;
			metric++;
			continue;
		}
		node = q.waits[first].node;
		q.buckets[at] = q.waits[first].next;
		q.waiting--;
		if (ret_hops[node].metric == metric)
			node_settle(g, &q, node, at, ret_hops);
	}
}

/*
 * A way between two nodes, under limits. The tree towards the source, without limits, is there already and
 * bounds from below what is left of each way (A*): nodes that no best way can pass are not looked at.
 * Bounds never fall by more along an edge than it costs, and of items that promise the same the farther
 * comes first: so all who could give a node an equal way are settled before it, as above.
 */
static bool item_before(struct spf_item a, struct spf_item b)
{
	return a.promise != b.promise ? a.promise < b.promise : a.left > b.left;
}

static void heap_put(struct spf_item *heap, size_t *count, struct spf_item item)
{
	size_t i = (*count)++;

	for (; i && item_before(item, heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = item;
}

static struct spf_item heap_take(struct spf_item *heap, size_t *count)
{
	struct spf_item top = heap[0], last = heap[--*count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < *count) {
		if (child + 1 < *count && item_before(heap[child + 1], heap[child]))
			child++;
		if (!item_before(heap[child], last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

#define DEAR_SHIFT 34 /* above the sum of two ways' metrics */

static uint64_t cost_of(uint32_t dear, uint32_t metric)
{
	return (uint64_t)dear << DEAR_SHIFT | metric;
}

static bool marked(const uint8_t *marks, uint32_t index)
{
	return marks && marks[index];
}

/* Relaxes every edge of @node. */
static void node_settle_limited(const struct spf_graph *g, struct spf_work *w, uint32_t node,
				const struct spf_hop *guide, const struct spf_limits *limits,
				size_t *count)
{
	struct spf_hop *hops = w->hops;
	const struct spf_arc *end = g->arcs + g->first[node + 1];
	uint64_t base = cost_of(w->dear[node], hops[node].metric);
	uint16_t way = hops[node].hops + 1;

	for (const struct spf_arc *arc = g->arcs + g->first[node]; arc < end; arc++) {
		struct spf_hop *hop = &hops[arc->to];
		uint64_t cost = base + cost_of(marked(limits->edge_dear, arc->edge), arc->metric);
		uint32_t left = guide[arc->to].metric;
		bool found = hop->metric != SPF_NONE;
		uint64_t old = found ? cost_of(w->dear[arc->to], hop->metric) : UINT64_MAX;

		if (cost > old || left == SPF_NONE || marked(limits->edge_banned, arc->edge) ||
		    marked(limits->node_banned, arc->to))
			continue;
		if (cost == old) {
			if (tie_wins(g, hop, way, node))
				*hop = (struct spf_hop){(uint32_t)cost, (uint16_t)node, way};
			continue;
		}
		if (!found)
			w->touched[w->touched_count++] = (uint16_t)arc->to;
		*hop = (struct spf_hop){(uint32_t)cost, (uint16_t)node, way};
		w->dear[arc->to] = (uint32_t)(cost >> DEAR_SHIFT);
		heap_put(w->heap, count, (struct spf_item){cost + left, left, arc->to});
	}
}

const struct spf_hop *spf_way_limited(const struct spf_graph *g, struct spf_work *w,
				      uint32_t destination, uint32_t source,
				      const struct spf_hop *guide, const struct spf_limits *limits)
{
	uint32_t least = guide[destination].metric;
	size_t count = 0;

	assert(destination < g->node_count && source < g->node_count);
	while (w->touched_count)
		hops_reset(&w->hops[w->touched[--w->touched_count]], 1);
	if (marked(limits->node_banned, destination) || least == SPF_NONE)
		return w->hops;
	w->hops[destination] = (struct spf_hop){0, SPF_NO_NODE, 0};
	w->touched[w->touched_count++] = (uint16_t)destination;
	w->dear[destination] = 0;
	heap_put(w->heap, &count, (struct spf_item){least, least, destination});
	while (count) {
		struct spf_item item = heap_take(w->heap, &count);
		uint64_t cost = cost_of(w->dear[item.node], w->hops[item.node].metric);

		if (item.node == source)
			break;
		if (item.promise == cost + item.left)
			node_settle_limited(g, w, item.node, guide, limits, &count);
	}
	return w->hops;
}
