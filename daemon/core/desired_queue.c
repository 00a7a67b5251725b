/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where packets wait: at link0, after the sessions' encryption and before the links', so that the
 * carrier's own queue stays empty. Parallel links wait at link1 in the same way.
 *
 *	root			HTB on link0
 *	1 + line		a line of ours whose rate is known
 *	64 * slot		a neighbour over it, or one whose own line is slower; under its line
 *	64 * slot + 1 + k	its queues, each with fq_codel: k = 48 probes, else the policy's code point
 *	64 * slot + 1		what is above those of low priority, and the rest's, which has no code point (k = 62)
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
 * HTB lets a leaf below its guaranteed rate send at once, even in the moment in which another of its neighbour's has sent, and
 * whatever the classes above say. So a copy in its second queue, or a padded probe beside an image, would put one more large
 * packet before a query each. Those of low priority and the rest have their guarantee together, in a class that counts all that they
 * send against the neighbour's rate, and none of their own: they can but borrow, one packet at a time, and take turns. A turn is as
 * long as the share is large beside the least of them, but no longer than TURN_US: where shares are far apart on a slow line, the
 * small ones get more.
 *
 * Two devices over one line cannot lend each other what they do not use. So link0 has all of a line that both lead over, and link1
 * the part that its neighbours would take of it: enough for what comes to it when another line is cut. Only while link1 carries
 * much do both together send more than the line takes, by that part at most; the carrier's queue has the rest.
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
#define SLOT_SIZE	  DESIRED_QUEUE_SLOT
#define LINES_MAX	  (SLOT_SIZE - 1)
#define PRIORITY_LOW	  3
#define QUEUE_LOW	  0 /* + 1, as all */
#define QUEUE_REST	  62
#define SHARE_PROBES	  5    /* percent of a neighbour's rate */
#define MOST_PROBES	  25   /* ... and no more, whoever says that his packets are probes */
#define SHARE_REST	  3    /* ... for padded probes, handshakes, and what no policy names */
#define RATE_LEAST	  1000 /* bytes a second: HTB takes no 0 */
#define RATE_NONE                                                                                  \
	16 /* ... of which a large packet takes more than a minute, and HTB counts no longer */
#define BURST_LEAST	64
#define BURST_MOST_S	60
#define PACKET_BYTES	1600 /* a large packet with all headers */
#define TURN_US		20000
#define TURN_MOST	(100 * PACKET_BYTES)
#define TARGET_LEAST_US 5000 /* RFC 8289 section 4.4, unless a packet takes longer */
#define TARGET_MOST_US	100000

struct queueing {
	const struct forwarding *f;
	struct kernel_state *state;
	const char *device;
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
	strcpy(queue->device, q->device);
	queue->minor = minor;
	queue->parent = parent;
	queue->rate = rate < ceil ? rate : ceil;
	queue->ceil = ceil;
	queue->ceil_burst_bytes = (uint32_t)(ceil / 1000 > BURST_LEAST ? ceil / 1000 : BURST_LEAST);
	queue->burst_bytes = queue->ceil_burst_bytes;
	if (queue->burst_bytes > queue->rate * BURST_MOST_S) /* HTB counts it as time */
		queue->burst_bytes = (uint32_t)(queue->rate * BURST_MOST_S);
	return queue;
}

static uint32_t target_us(uint64_t rate)
{
	uint64_t us = PACKET_BYTES * UINT64_C(1500000) / rate;

	return (uint32_t)(us < TARGET_LEAST_US	? TARGET_LEAST_US
			  : us > TARGET_MOST_US ? TARGET_MOST_US
						: us);
}

/* A neighbour's class. */
struct above {
	uint16_t minor;
	uint64_t rate, ceil;
	uint16_t overhead;
};

/* @number  of the class, 0 for the one of low priority. @rate, @ceil  bytes a second. */
static struct kernel_queue *below_add(const struct queueing *q, const struct above *of,
				      uint16_t number, uint64_t rate, uint64_t ceil)
{
	struct kernel_queue *queue = queue_add(q, of->minor + 1 + number, of->minor, rate, ceil);

	if (!queue)
		return NULL;
	queue->overhead = of->overhead;
	queue->led = true;
	queue->leaf = number != QUEUE_LOW;
	if (!queue->leaf)
		return queue;
	queue->mark = number == QUEUE_REST ? 0 : TUYEN_MARK_QUEUE | number;
	queue->quantum = PACKET_BYTES;
	queue->target_us = target_us(queue->rate);
	return queue;
}

/* @promised  bytes a second, of what is promised to all of them. */
static struct kernel_queue *low_add(const struct queueing *q, const struct above *of,
				    uint16_t number, uint64_t promised, uint64_t ceil)
{
	struct kernel_queue *queue = below_add(q, of, number, RATE_NONE, ceil);

	if (!queue)
		return NULL;
	queue->parent = of->minor + 1 + QUEUE_LOW;
	queue->burst_bytes = BURST_LEAST;
	queue->target_us = target_us(promised);
	return queue;
}

static uint32_t turn_bytes(uint64_t ceil, uint32_t share, uint32_t least)
{
	uint64_t turn = (uint64_t)PACKET_BYTES * share / (least ? least : 1);
	uint64_t most = ceil * TURN_US / 1000000;

	if (most > TURN_MOST)
		most = TURN_MOST;
	if (turn > most)
		turn = most;
	return (uint32_t)(turn < PACKET_BYTES ? PACKET_BYTES : turn);
}

/* What the queues have of the whole: shares are of what probes and the rest leave; of more than the whole, each has its part. */
struct shares {
	uint64_t whole;
	uint32_t low;	    /* percent, all together */
	uint32_t least_low; /* of one of them, or of the rest */
};

static struct shares shares_of(const struct forwarding *f)
{
	struct shares s = {.least_low = SHARE_REST};

	for (size_t i = 0; i < f->queue_count; i++) {
		uint32_t share = f->queues[i].share_percent;

		s.whole += share;
		if (f->queues[i].priority)
			continue;
		s.low += share;
		s.least_low = share < s.least_low ? share : s.least_low;
	}
	if (s.whole < 100)
		s.whole = 100;
	return s;
}

static uint64_t share_rate(const struct above *of, const struct shares *s, uint32_t share)
{
	return part_of(of->rate, (uint64_t)share * (100 - SHARE_PROBES - SHARE_REST),
		       s->whole * 100);
}

static int policy_add(const struct queueing *q, const struct above *of, const struct shares *s,
		      const struct fwd_queue *policy)
{
	uint64_t rate = share_rate(of, s, policy->share_percent);
	struct kernel_queue *queue = policy->priority
					 ? below_add(q, of, policy->dscp, rate, of->ceil)
					 : low_add(q, of, policy->dscp, rate, of->ceil);

	if (!queue)
		return -TUYEN_ENOMEM;
	queue->priority = (uint8_t)(PRIORITY_LOW - policy->priority);
	if (!policy->priority)
		queue->quantum = turn_bytes(of->ceil, policy->share_percent, s->least_low);
	return 0;
}

static int rest_add(const struct queueing *q, const struct above *of, const struct shares *s)
{
	struct kernel_queue *queue =
	    low_add(q, of, QUEUE_REST, part_of(of->rate, SHARE_REST, 100), of->ceil);

	if (!queue)
		return -TUYEN_ENOMEM;
	queue->priority = PRIORITY_LOW;
	queue->quantum = turn_bytes(of->ceil, SHARE_REST, s->least_low);
	return 0;
}

static int queues_below(const struct queueing *q, const struct above *of)
{
	const struct forwarding *f = q->f;
	const struct shares s = shares_of(f);
	uint64_t rest = part_of(of->rate, SHARE_REST, 100);
	int err = 0;

	if (!below_add(q, of, DESIRED_DSCP_PROBES, part_of(of->rate, SHARE_PROBES, 100),
		       part_of(of->ceil, MOST_PROBES, 100)) ||
	    !below_add(q, of, QUEUE_LOW, rest + (s.low ? share_rate(of, &s, s.low) : 0), of->ceil))
		return -TUYEN_ENOMEM;
	for (size_t i = 0; err == 0 && i < f->queue_count; i++)
		err = policy_add(q, of, &s, &f->queues[i]);
	return err ? err : rest_add(q, of, &s);
}

/* What may go to @n a second; 0 where nobody knows. */
static uint64_t neighbor_rate(const struct fwd_neighbor *n, const struct fwd_line *line)
{
	uint64_t up = usable_bytes(line->up_kbps, UP_USED_PERCENT);
	uint64_t down = usable_bytes(n->down_kbps, DOWN_USED_PERCENT);

	return !up ? down : !down || up < down ? up : down;
}

/* Neighbours over one line may be promised more than it carries: then each has its part of it. @device  NULL: by both. */
static uint64_t neighbors_rate(const struct forwarding *f, const struct fwd_line *line,
			       const char *device)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->neighbor_count; i++)
		if (!strcmp(f->neighbors[i].underlay, line->underlay) &&
		    (!device || !strcmp(desired_link_device(f->neighbors[i].site_id), device)))
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

/* A line of ours, its class (0: none), what one device has of it, and what that one's neighbours would take. */
struct line {
	const struct fwd_line *line;
	uint16_t minor;
	uint64_t up, taken;
};

static uint64_t device_rate(const struct forwarding *f, const struct fwd_line *of,
			    const char *device)
{
	uint64_t up = usable_bytes(of->up_kbps, UP_USED_PERCENT);
	uint64_t own = neighbors_rate(f, of, device), taken = neighbors_rate(f, of, NULL);

	return strcmp(device, LINK_DEVICE) != 0 && taken > own ? part_of(up, own, taken) : up;
}

static struct line line_of(const struct forwarding *f, const struct fwd_line *of,
			   const char *device, uint16_t number)
{
	return (struct line){.line = of,
			     .minor = of->up_kbps && number <= LINES_MAX ? number : 0,
			     .up = device_rate(f, of, device),
			     .taken = neighbors_rate(f, of, device)};
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

	if (!minor)
		return 0;
	queue = queue_add(q, minor, line->minor, promised_rate(line, ceil), ceil);
	if (!queue)
		return -TUYEN_ENOMEM;
	queue->overhead = line->line->overhead + PADDING_BYTES;
	queue->led = true;
	queue->destination = n->link_address;
	return queues_below(q, &(struct above){minor, queue->rate, ceil, queue->overhead});
}

static int line_queues(struct queueing *q, const struct fwd_line *of, uint16_t number)
{
	struct line line = line_of(q->f, of, q->device, number);
	int err = 0;

	if (line.minor && !line.taken && neighbors_rate(q->f, of, NULL))
		return 0; /* it leads over the other device */
	if (line.minor) {
		struct kernel_queue *queue = queue_add(q, line.minor, 0, line.up, line.up);

		if (!queue)
			return -TUYEN_ENOMEM;
		queue->overhead = of->overhead + PADDING_BYTES;
	}
	for (size_t i = 0; err == 0 && i < q->f->neighbor_count; i++)
		if (!strcmp(q->f->neighbors[i].underlay, of->underlay) &&
		    !strcmp(desired_link_device(q->f->neighbors[i].site_id), q->device))
			err = neighbor_queues(q, &q->f->neighbors[i], &line);
	return err;
}

static int device_queues(struct kernel_state *state, const struct forwarding *f, const char *device)
{
	struct queueing q = {.f = f, .state = state, .device = device};
	size_t before = state->queue_count;
	struct kernel_queue *root;
	int err = 0;

	for (size_t i = 0; err == 0 && i < f->line_count; i++)
		err = line_queues(&q, &f->lines[i], (uint16_t)(i + 1));
	if (err || state->queue_count == before)
		return err;
	root = kernel_state_add_queue(state);
	if (!root)
		return -TUYEN_ENOMEM;
	strcpy(root->device, device);
	return 0;
}

int desired_queues(struct kernel_state *state, const struct forwarding *f)
{
	int err = device_queues(state, f, LINK_DEVICE);

	return err || !f->parallel_address ? err : device_queues(state, f, PARALLEL_DEVICE);
}

uint32_t desired_padded_gap_us(const struct forwarding *f, const struct fwd_neighbor *n)
{
	const struct fwd_line *of = forwarding_line(f, n->underlay);
	uint32_t asking = 1; /* the link's own, and its paths' */
	struct line line;
	uint64_t ceil;

	if (!of)
		return 0;
	line = line_of(f, of, desired_link_device(n->site_id), 1);
	ceil = neighbor_rate(n, of);
	for (size_t i = 0; i < f->path_count; i++)
		asking += f->paths[i].first_site == n->site_id;
	return ceil ? path_mtu_gap_us(part_of(promised_rate(&line, ceil), SHARE_REST, 100),
				      (uint32_t)n->link_mtu + of->overhead + PADDING_BYTES, asking)
		    : 0;
}
