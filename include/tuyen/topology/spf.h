/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TOPOLOGY_SPF_H
#define TUYEN_TOPOLOGY_SPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Shortest paths towards one destination, by Dial's bucket queue (metrics are small
 * integers). The choice is total and does not depend on the order of edges: lower metric,
 * then fewer hops, then the next hop of lower rank. So every node that looks
 * at the same graph forwards along one tree, and a tree for a destination is all that hop-by-hop
 * forwarding of its label needs.
 */

#define SPF_NONE       UINT32_MAX /* no way; no node as an argument */
#define SPF_METRIC_MAX 65535	  /* of one edge; with as many nodes, no sum overflows */
#define SPF_NODES_MAX  65535
#define SPF_NO_NODE    UINT16_MAX

struct spf_edge {
	uint32_t a, b;	 /* nodes; both directions have @metric */
	uint32_t metric; /* 1..SPF_METRIC_MAX */
};

/** One direction of an edge. */
struct spf_arc {
	uint32_t to, metric, edge;
};

/** Edges of one node lie side by side. */
struct spf_graph {
	size_t node_count, edge_count;
	uint32_t metric_max;
	uint32_t *first;      /* node_count + 1 */
	struct spf_arc *arcs; /* 2 * edge_count */
	uint32_t *rank;	      /* ties go to the lower one */
};

/** How one node reaches the destination of its tree. Eight bytes, as there are many. */
struct spf_hop {
	uint32_t metric; /* the whole way's; SPF_NONE: cannot */
	uint16_t next; /* node; SPF_NO_NODE at the destination itself, and where there is no way */
	uint16_t hops; /* of the way, where there is one */
};

/** What a run must keep out of (banned) or use as little as it can (dear). Any pointer may be NULL. */
struct spf_limits {
	const uint8_t *edge_banned;
	const uint8_t *node_banned;
	const uint8_t *edge_dear;
};

struct spf_item;
struct spf_wait;

/** Queues of a run, reused from run to run. */
struct spf_work {
	uint32_t *bucket; /* heads of lists in waits */
	size_t bucket_count;
	struct spf_wait *waits;
	/* of ways under limits */
	struct spf_item *heap;
	uint32_t *dear;
	struct spf_hop *hops; /* SPF_NONE but for those touched by the last run */
	uint16_t *touched;
	size_t touched_count;
};

/**
 * @rank  one a node (a site id), borrowed only during the call.
 * @return 0, -TUYEN_ENOMEM, or -TUYEN_ELIMIT above SPF_NODES_MAX or for a metric outside 1..SPF_METRIC_MAX.
 */
int spf_graph_init(struct spf_graph *g, size_t node_count, const uint32_t *rank,
		   const struct spf_edge *edges, size_t edge_count);
void spf_graph_clear(struct spf_graph *g);

/** For runs over @g alone. @return 0 or -TUYEN_ENOMEM. */
int spf_work_init(struct spf_work *w, const struct spf_graph *g);
void spf_work_clear(struct spf_work *w);

/** Fills @ret_hops (node_count of them) with the tree towards @destination. */
void spf_tree(const struct spf_graph *g, struct spf_work *w, uint32_t destination,
	      struct spf_hop *ret_hops);

/**
 * The way from @source to @destination under @limits, with fewest dear edges before all else. A banned end has none.
 * @guide  the tree towards @source, without limits.
 * @return hops, of which those on that way alone are to be trusted: SPF_NONE at @source if there is none. Borrowed until
 * the next run.
 */
const struct spf_hop *spf_way_limited(const struct spf_graph *g, struct spf_work *w,
				      uint32_t destination, uint32_t source,
				      const struct spf_hop *guide, const struct spf_limits *limits);

#endif
