/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where packets wait: at link0, after the sessions' encryption and before the links', so that the
 * carrier's own queue stays empty.
 *
 *	root			HTB on link0
 *	1 + line		a line of ours whose rate is known
 *	64 * slot		a neighbour over it, or one whose own line is slower; under its line
 *	64 * slot + k		its queues, each with fq_codel: 48 probes, k = the policy's code
 *point, 63 what has none
 *
 * A packet's neighbour is its destination, its queue a mark. A node's own packets get it from the
 * session that they are of; at each hop the nft table writes it into the DSCP of the adjacency's
 * IP header, and takes it from there. So a transit node, which sees no class, keeps them apart all
 * the same. (A filter by DSCP would be less, but flower looks through an IP header to the labels
 * below, and then takes the packet for none of IP.) fq_codel keeps connections apart where the
 * session's own node still knows their hash: WireGuard keeps it.
 *
 * The numbers. All of a line is divided, and what somebody does not use goes to others, the highest
 * priority first. Rates are a little below the line's; a packet counts with what encryption adds
 * to it. A bucket holds one millisecond: at 2 Mbit/s two packets in a row are 12 ms for whoever
 * comes behind. Probes are before all, but for padded ones, which wait with the rest, behind
 * queries. One of those in PATH_MTU_EVERY costs 8 % of the others; where these fill all that they may, a
 * quarter of the line, the rest's share is more than those padded ones want, whosever they are. A node's own
 * searches keep to that share by themselves (path_mtu_gap_us()). A slot is the neighbour's id by remainder, the next free one
 * where two meet, so that a new neighbour seldom moves another's classes.
 *
 * ECN is off: what fq_codel would mark is the adjacency's header, whose mark nobody sees.
 */
#include <string.h>

#include "desired_internal.h"
#include "tuyen/base/err.h"
#include "tuyen/core/path_mtu.h"
#include "tuyen/topology/mtu.h"

#define UP_USED_PERCENT 96 /* of our own line, which nobody else fills */
/* of a neighbour's line: others send their probes over it, which we do not see */
#define DOWN_USED_PERCENT 93
#define PADDING_BYTES	  15   /* WireGuard's, at most */
#define SLOTS		  1009 /* a prime: ids in a row have slots in a row */
#define SLOT_SIZE	  64
#define LINES_MAX	  (SLOT_SIZE - 1)
#define QUEUE_REST	  63
#define SHARE_PROBES	  5    /* percent of a neighbour's rate */
#define MOST_PROBES	  25   /* ... and no more, whoever says that his packets are probes */
#define SHARE_REST	  3    /* ... for padded probes, handshakes, and what no policy names */
#define RATE_LEAST	  1000 /* bytes a second: HTB takes no 0 */
#define BURST_LEAST	  64
#define PACKET_BYTES	  1600 /* a large packet with all headers */
#define TARGET_LEAST_US	  5000 /* RFC 8289 section 4.4, unless a packet takes longer */
#define TARGET_MOST_US	  100000

struct queueing {
	const struct forwarding *f;
	struct kernel_state *state;
	bool slots[SLOTS];
};

static uint64_t usable_bytes(uint32_t kbps, uint32_t percent)
{
	return kbps * UINT64_C(125) * percent / 100;
}

static uint64_t part_of(uint64_t rate, uint64_t part, uint64_t whole)
{
	uint64_t result = rate * part / whole;

	return result < RATE_LEAST ? RATE_LEAST : result;
}

static struct kernel_queue *queue_add(const struct queueing *q, uint16_t minor, uint16_t parent,
				      uint64_t rate, uint64_t ceil)
{
	struct kernel_queue *queue = kernel_state_add_queue(q->state);

	if (!queue)
		return NULL;
	strcpy(queue->device, LINK_DEVICE);
	queue->minor = minor;
	queue->parent = parent;
	queue->rate = rate < ceil ? rate : ceil;
	queue->ceil = ceil;
	queue->burst_bytes = (uint32_t)(ceil / 1000 > BURST_LEAST ? ceil / 1000 : BURST_LEAST);
	return queue;
}

static uint32_t target_us(uint64_t rate)
{
	uint64_t us = PACKET_BYTES * UINT64_C(1500000) / rate;

	return (uint32_t)(us < TARGET_LEAST_US	? TARGET_LEAST_US
			  : us > TARGET_MOST_US ? TARGET_MOST_US
						: us);
}

struct leaf {
	uint16_t minor;
	uint64_t rate, ceil;
	uint16_t overhead;
};

static int leaf_add(const struct queueing *q, const struct leaf *of, uint16_t number,
		    uint64_t share, uint64_t whole, uint8_t priority)
{
	struct kernel_queue *queue =
	    queue_add(q, of->minor + number, of->minor, part_of(of->rate, share, whole), of->ceil);

	if (!queue)
		return -TUYEN_ENOMEM;
	queue->leaf = true;
	queue->priority = priority;
	queue->overhead = of->overhead;
	queue->led = true;
	queue->mark = number == QUEUE_REST ? 0 : TUYEN_MARK_QUEUE | number;
	queue->target_us = target_us(queue->rate);
	return 0;
}

/* Shares are of what probes and the rest leave; of more than the whole, each has its part. */
static int leaves_add(const struct queueing *q, const struct leaf *of)
{
	const struct forwarding *f = q->f;
	uint64_t shares = 0, left = 100 - SHARE_PROBES - SHARE_REST;
	struct leaf probes = *of;
	int err;

	probes.ceil = part_of(of->ceil, MOST_PROBES, 100);
	err = leaf_add(q, &probes, DESIRED_DSCP_PROBES, SHARE_PROBES, 100, 0);
	for (size_t i = 0; i < f->queue_count; i++)
		shares += f->queues[i].share_percent;
	if (shares < 100)
		shares = 100;
	for (size_t i = 0; err == 0 && i < f->queue_count; i++)
		err = leaf_add(q, of, f->queues[i].dscp, f->queues[i].share_percent * left,
			       shares * 100, (uint8_t)(3 - f->queues[i].priority));
	return err ? err : leaf_add(q, of, QUEUE_REST, SHARE_REST, 100, 2);
}

/* What may go to @n a second; 0 where nobody knows. */
static uint64_t neighbor_rate(const struct fwd_neighbor *n, const struct fwd_line *line)
{
	uint64_t up = usable_bytes(line->up_kbps, UP_USED_PERCENT);
	uint64_t down = usable_bytes(n->down_kbps, DOWN_USED_PERCENT);

	return !up ? down : !down || up < down ? up : down;
}

/* Neighbours over one line may be promised more than it carries: then each has its part of it. */
static uint64_t neighbors_rate(const struct forwarding *f, const struct fwd_line *line)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->neighbor_count; i++)
		if (!strcmp(f->neighbors[i].underlay, line->underlay))
			sum += neighbor_rate(&f->neighbors[i], line);
	return sum;
}

/* @return 0 where all are taken: that neighbour waits in no queue of its own. */
static uint16_t slot_take(struct queueing *q, uint32_t site_id)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t slot = (site_id + i) % SLOTS;

		if (q->slots[slot])
			continue;
		q->slots[slot] = true;
		return (uint16_t)((slot + 1) * SLOT_SIZE);
	}
	return 0;
}

/* A line of ours, its class (0: none), what it carries, and what its neighbours would take. */
struct line {
	const struct fwd_line *line;
	uint16_t minor;
	uint64_t up, taken;
};

static struct line line_of(const struct forwarding *f, const struct fwd_line *of, uint16_t number)
{
	return (struct line){.line = of,
			     .minor = of->up_kbps && number <= LINES_MAX ? number : 0,
			     .up = usable_bytes(of->up_kbps, UP_USED_PERCENT),
			     .taken = neighbors_rate(f, of)};
}

/* What a neighbour that would take @ceil is promised of it. */
static uint64_t promised_rate(const struct line *line, uint64_t ceil)
{
	return line->up && line->taken > line->up ? part_of(line->up, ceil, line->taken) : ceil;
}

static int neighbor_queues(struct queueing *q, const struct fwd_neighbor *n,
			   const struct line *line)
{
	uint64_t ceil = neighbor_rate(n, line->line);
	uint16_t minor = ceil ? slot_take(q, n->site_id) : 0;
	struct kernel_queue *queue;
	struct leaf leaf;

	if (!minor)
		return 0;
	queue = queue_add(q, minor, line->minor, promised_rate(line, ceil), ceil);
	if (!queue)
		return -TUYEN_ENOMEM;
	queue->overhead = line->line->overhead + PADDING_BYTES;
	queue->led = true;
	queue->destination = n->link_address;
	leaf = (struct leaf){minor, queue->rate, ceil, queue->overhead};
	return leaves_add(q, &leaf);
}

static int line_queues(struct queueing *q, const struct fwd_line *of, uint16_t number)
{
	struct line line = line_of(q->f, of, number);
	int err = 0;

	if (line.minor) {
		struct kernel_queue *queue = queue_add(q, line.minor, 0, line.up, line.up);

		if (!queue)
			return -TUYEN_ENOMEM;
		queue->overhead = of->overhead + PADDING_BYTES;
	}
	for (size_t i = 0; err == 0 && i < q->f->neighbor_count; i++)
		if (!strcmp(q->f->neighbors[i].underlay, of->underlay))
			err = neighbor_queues(q, &q->f->neighbors[i], &line);
	return err;
}

int desired_queues(struct kernel_state *state, const struct forwarding *f)
{
	struct queueing q = {.f = f, .state = state};
	struct kernel_queue *root;
	int err = 0;

	for (size_t i = 0; err == 0 && i < f->line_count; i++)
		err = line_queues(&q, &f->lines[i], (uint16_t)(i + 1));
	if (err || !state->queue_count)
		return err;
	root = kernel_state_add_queue(state);
	if (!root)
		return -TUYEN_ENOMEM;
	strcpy(root->device, LINK_DEVICE);
	return 0;
}

uint32_t desired_padded_gap_us(const struct forwarding *f, const struct fwd_neighbor *n)
{
	const struct fwd_line *of = forwarding_line(f, n->underlay);
	uint32_t asking = 1; /* the link's own, and its paths' */
	struct line line;
	uint64_t ceil;

	if (!of)
		return 0;
	line = line_of(f, of, 1);
	ceil = neighbor_rate(n, of);
	for (size_t i = 0; i < f->path_count; i++)
		asking += f->paths[i].first_site == n->site_id;
	return ceil ? path_mtu_gap_us(part_of(promised_rate(&line, ceil), SHARE_REST, 100),
				      (uint32_t)n->link_mtu + of->overhead + PADDING_BYTES, asking)
		    : 0;
}
