/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues: HTB with our handle at the root of a device, classes below it, fq_codel in each leaf, and
 * filters that lead there:
 *
 *	at the root	prio 1  flower, destination: to the neighbour's class
 *	at that class	prio 1  fw, a mark: to a leaf of it
 *			prio 2  matchall: to the class for what is left, where it is the same once more
 *
 * A class, its fq_codel and its filter are one object, three messages. What is there of it and
 * differs is changed at its place: nothing that waits is lost. A filter below our root that leads
 * anywhere else makes the whole strange: it is made anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tuyen/core/desired.h"

#define QUEUE_HANDLE 0x5459 /* 'T', 'Y' */
#define ROOT_HANDLE  TC_H_MAKE(QUEUE_HANDLE << 16, 0)
#define TICK_NS	     64 /* what HTB counts buckets in */
#define CODEL_FLOWS  128
#define CODEL_LIMIT  1000 /* packets */
#define CODEL_MEMORY (4u << 20)
#define INTERVAL_US  100000
#define TARGET_WRONG UINT32_MAX /* there, and not as we would have it */
#define QUANTUM	     1600 /* of a class that is no leaf, where it means nothing, but 0 is warned of */
#define FILTER_FIRST 1
#define FILTER_REST  2
#define HTB_VERSION  3

static uint32_t class_id(uint16_t minor)
{
	return TC_H_MAKE(QUEUE_HANDLE << 16, minor);
}

static struct nl_msg *queue_message(int type, int flags, int index, uint32_t parent,
				    uint32_t handle, uint32_t info, const char *kind)
{
	struct tcmsg header = {
	    .tcm_family = AF_UNSPEC,
	    .tcm_ifindex = index,
	    .tcm_handle = handle,
	    .tcm_parent = parent,
	    .tcm_info = info,
	};
	struct nl_msg *m;

	if (!index) {
		errno = ENODEV;
		return NULL;
	}
	m = nlmsg_alloc_simple(type, flags);
	if (m && (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO) ||
		  (kind && nla_put_string(m, TCA_KIND, kind)))) {
		nlmsg_free(m);
		m = NULL;
	}
	if (!m)
		errno = ENOMEM;
	return m;
}

static struct nl_msg *message_root(int index)
{
	struct tc_htb_glob glob = {.version = HTB_VERSION, .rate2quantum = 10};
	struct nl_msg *m = queue_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index,
					 TC_H_ROOT, ROOT_HANDLE, 0, "htb");
	struct nlattr *options = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;

	if (!m)
		return NULL;
	if (!options || nla_put(m, TCA_HTB_INIT, sizeof(glob), &glob))
		return message_done(m, -1);
	return message_done(m, nla_nest_end(m, options));
}

static struct nl_msg *message_root_delete(int index)
{
	return queue_message(RTM_DELQDISC, 0, index, TC_H_ROOT, ROOT_HANDLE, 0, NULL);
}

static uint32_t bucket_ticks(uint32_t bytes, uint64_t rate)
{
	return (uint32_t)(bytes * UINT64_C(1000000000) / rate / TICK_NS);
}

/* In bytes again, as exactly as its ticks allow. */
static uint32_t bucket_bytes(uint32_t ticks, uint32_t rate)
{
	return (uint32_t)((ticks * (uint64_t)TICK_NS * rate + 999999999) / 1000000000);
}

static struct nl_msg *message_class(int index, const struct kernel_queue *queue)
{
	struct tc_htb_opt opt = {
	    .rate = {.linklayer = TC_LINKLAYER_ETHERNET,
		     .overhead = queue->overhead,
		     .rate = (uint32_t)queue->rate},
	    .ceil = {.linklayer = TC_LINKLAYER_ETHERNET,
		     .overhead = queue->overhead,
		     .rate = (uint32_t)queue->ceil},
	    .buffer = bucket_ticks(queue->burst_bytes, queue->rate),
	    .cbuffer = bucket_ticks(queue->ceil_burst_bytes, queue->ceil),
	    .quantum = queue->quantum ? queue->quantum : QUANTUM,
	    .prio = queue->priority,
	};
	struct nl_msg *m = queue_message(RTM_NEWTCLASS, NLM_F_CREATE, index,
					 queue->parent ? class_id(queue->parent) : ROOT_HANDLE,
					 class_id(queue->minor), 0, "htb");
	struct nlattr *options = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;

	if (!m)
		return NULL;
	if (!options || nla_put(m, TCA_HTB_PARMS, sizeof(opt), &opt))
		return message_done(m, -1);
	return message_done(m, nla_nest_end(m, options));
}

static struct nl_msg *message_class_delete(int index, uint16_t minor)
{
	return queue_message(RTM_DELTCLASS, 0, index, 0, class_id(minor), 0, "htb");
}

/* @made  it is there already, and the number of its flows cannot change. */
static struct nl_msg *message_codel(int index, const struct kernel_queue *queue, bool made)
{
	struct nl_msg *m = queue_message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, index,
					 class_id(queue->minor), 0, 0, "fq_codel");
	struct nlattr *options = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;

	if (!m)
		return NULL;
	if (!options || nla_put_u32(m, TCA_FQ_CODEL_TARGET, queue->target_us) ||
	    nla_put_u32(m, TCA_FQ_CODEL_INTERVAL, INTERVAL_US + queue->target_us) ||
	    nla_put_u32(m, TCA_FQ_CODEL_LIMIT, CODEL_LIMIT) ||
	    nla_put_u32(m, TCA_FQ_CODEL_MEMORY_LIMIT, CODEL_MEMORY) ||
	    nla_put_u32(m, TCA_FQ_CODEL_ECN, 0) ||
	    (!made && nla_put_u32(m, TCA_FQ_CODEL_FLOWS, CODEL_FLOWS)))
		return message_done(m, -1);
	return message_done(m, nla_nest_end(m, options));
}

/* The filter that leads to a class: where it stands, and how it is known there. */
struct way {
	uint32_t parent, handle, info;
	const char *kind;
};

static struct way way_to(const struct kernel_queue *queue)
{
	bool rest = !queue->destination && !queue->mark;

	return (struct way){
	    .parent = queue->destination ? ROOT_HANDLE : class_id(queue->parent),
	    .handle = queue->mark ? queue->mark : queue->minor,
	    .info =
		TC_H_MAKE((uint32_t)(rest ? FILTER_REST : FILTER_FIRST) << 16, htons(ETH_P_ALL)),
	    .kind = rest	  ? "matchall"
		    : queue->mark ? "fw"
				  : "flower",
	};
}

static int put_destination(struct nl_msg *m, const struct kernel_queue *queue)
{
	return nla_put_u32(m, TCA_FLOWER_CLASSID, class_id(queue->minor)) ||
	       nla_put_u32(m, TCA_FLOWER_KEY_IPV4_DST, htonl(queue->destination)) ||
	       nla_put_u32(m, TCA_FLOWER_KEY_IPV4_DST_MASK, UINT32_MAX);
}

static struct nl_msg *message_way(int index, const struct kernel_queue *queue)
{
	struct way way = way_to(queue);
	struct nl_msg *m = queue_message(RTM_NEWTFILTER, NLM_F_CREATE, index, way.parent,
					 way.handle, way.info, way.kind);
	struct nlattr *options = m ? nla_nest_start(m, TCA_OPTIONS) : NULL;
	int failed = !options;

	if (!m)
		return NULL;
	if (!failed && queue->destination)
		failed = put_destination(m, queue);
	else if (!failed && queue->mark)
		failed = nla_put_u32(m, TCA_FW_CLASSID, class_id(queue->minor));
	else if (!failed)
		failed = nla_put_u32(m, TCA_MATCHALL_CLASSID, class_id(queue->minor));
	return message_done(m, failed ? failed : nla_nest_end(m, options));
}

static struct nl_msg *message_way_delete(int index, const struct kernel_queue *queue)
{
	struct way way = way_to(queue);

	return queue_message(RTM_DELTFILTER, 0, index, way.parent, way.handle, way.info, way.kind);
}

/* Nobody may go to a class that goes; then the class, with what waits in it. */
static size_t queue_remove(int index, const struct kernel_queue *have,
			   struct nl_msg *ret[static QUEUE_MESSAGES])
{
	size_t count = 0;

	if (!have->minor) {
		ret[count++] = message_root_delete(index);
		return count;
	}
	if (have->led)
		ret[count++] = message_way_delete(index, have);
	ret[count++] = message_class_delete(index, have->minor);
	return count;
}

size_t message_queue(const struct kernel *kernel, enum plan_verb verb,
		     const struct kernel_queue *want, const struct kernel_queue *have,
		     struct nl_msg *ret[static QUEUE_MESSAGES])
{
	int index = links_index(kernel, (verb == PLAN_REMOVE ? have : want)->device);
	size_t count = 0;

	if (verb == PLAN_REMOVE)
		return queue_remove(index, have, ret);
	if (!want->minor) {
		ret[count++] = message_root(index);
		return count;
	}
	ret[count++] = message_class(index, want);
	if (want->leaf)
		ret[count++] = message_codel(index, want, have && have->target_us);
	if (have && have->led && have->destination == want->destination && have->mark == want->mark)
		return count;
	if (have && have->led)
		ret[count++] = message_way_delete(index, have);
	if (want->led)
		ret[count++] = message_way(index, want);
	return count;
}

/* ---- reading ------------------------------------------------------------------------ */

struct queue_dump {
	struct kernel_state *state;
	const char *device;
	int index;
	size_t first; /* of the device's queues in @state */
	bool root, strange;
	int err;
};

static struct kernel_queue *queue_find(struct queue_dump *dump, uint16_t minor)
{
	struct kernel_state *state = dump->state;

	for (size_t i = dump->first; i < state->queue_count; i++)
		if (state->queues[i].minor == minor)
			return &state->queues[i];
	return NULL;
}

static struct kernel_queue *queue_new(struct queue_dump *dump, uint16_t minor)
{
	struct kernel_queue *queue = kernel_state_add_queue(dump->state);

	if (!queue) {
		dump->err = -TUYEN_ENOMEM;
		return NULL;
	}
	memcpy(queue->device, dump->device, sizeof(queue->device));
	queue->minor = minor;
	return queue;
}

/* @return the attributes of a message about this device, false for any other. */
static bool queue_attributes(const struct queue_dump *dump, const struct nlmsghdr *message,
			     int type, struct nlattr *a[static TCA_MAX + 1])
{
	const struct tcmsg *header = nlmsg_data(message);

	return message->nlmsg_type == type && message->nlmsg_len >= NLMSG_LENGTH(sizeof(*header)) &&
	       header->tcm_ifindex == dump->index &&
	       nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, TCA_MAX,
			   NULL) == 0 &&
	       a[TCA_KIND] != NULL;
}

static bool kind_is(struct nlattr *a[static TCA_MAX + 1], const char *kind)
{
	return strcmp(nla_get_string(a[TCA_KIND]), kind) == 0;
}

static int class_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct queue_dump *dump = context;
	struct nlattr *a[TCA_MAX + 1], *htb[TCA_HTB_MAX + 1];
	struct kernel_queue *queue;
	struct tc_htb_opt opt;

	if (!queue_attributes(dump, message, RTM_NEWTCLASS, a) || !kind_is(a, "htb") ||
	    TC_H_MAJ(header->tcm_handle) != ROOT_HANDLE || !a[TCA_OPTIONS] ||
	    nla_parse_nested(htb, TCA_HTB_MAX, a[TCA_OPTIONS], NULL) < 0 || !htb[TCA_HTB_PARMS] ||
	    nla_len(htb[TCA_HTB_PARMS]) < (int)sizeof(opt))
		return 0;
	queue = queue_new(dump, TC_H_MIN(header->tcm_handle));
	if (!queue)
		return dump->err;
	memcpy(&opt, nla_data(htb[TCA_HTB_PARMS]), sizeof(opt));
	if (header->tcm_parent != TC_H_ROOT)
		queue->parent = TC_H_MIN(header->tcm_parent);
	queue->leaf = opt.level == 0;
	queue->rate = opt.rate.rate;
	queue->ceil = opt.ceil.rate;
	queue->overhead = opt.rate.overhead;
	queue->priority = (uint8_t)opt.prio;
	queue->quantum = queue->leaf ? opt.quantum : 0;
	queue->burst_bytes = bucket_bytes(opt.buffer, opt.rate.rate);
	queue->ceil_burst_bytes = bucket_bytes(opt.cbuffer, opt.ceil.rate);
	return 0;
}

static uint32_t word_of(struct nlattr *attribute)
{
	return attribute ? nla_get_u32(attribute) : 0;
}

/* In all but its target. The kernel counts times in units of 1024 ns. */
static bool codel_is_ours(struct nlattr *a[static TCA_FQ_CODEL_MAX + 1])
{
	uint32_t interval_us = word_of(a[TCA_FQ_CODEL_TARGET]) + INTERVAL_US;

	return !word_of(a[TCA_FQ_CODEL_ECN]) && word_of(a[TCA_FQ_CODEL_LIMIT]) == CODEL_LIMIT &&
	       word_of(a[TCA_FQ_CODEL_MEMORY_LIMIT]) == CODEL_MEMORY &&
	       word_of(a[TCA_FQ_CODEL_INTERVAL]) - interval_us + 2 <= 4;
}

static void codel_take(struct kernel_queue *queue, struct nlattr *options)
{
	struct nlattr *a[TCA_FQ_CODEL_MAX + 1];

	if (!options || nla_parse_nested(a, TCA_FQ_CODEL_MAX, options, NULL) < 0 ||
	    !a[TCA_FQ_CODEL_TARGET] || !a[TCA_FQ_CODEL_ECN])
		return;
	queue->target_us = codel_is_ours(a) ? word_of(a[TCA_FQ_CODEL_TARGET]) : TARGET_WRONG;
}

static void stats_take(struct kernel_queue *queue, struct nlattr *stats)
{
	struct nlattr *a[TCA_STATS_MAX + 1];
	struct gnet_stats_basic basic;
	struct gnet_stats_queue waiting;

	if (!stats || nla_parse_nested(a, TCA_STATS_MAX, stats, NULL) < 0)
		return;
	/* the kernel's structure ends without the padding that the compiler gives ours */
	if (a[TCA_STATS_BASIC] && nla_len(a[TCA_STATS_BASIC]) >= 12) {
		memcpy(&basic, nla_data(a[TCA_STATS_BASIC]), 12);
		queue->bytes = basic.bytes;
		queue->packets = basic.packets;
	}
	if (a[TCA_STATS_QUEUE] && nla_len(a[TCA_STATS_QUEUE]) >= (int)sizeof(waiting)) {
		memcpy(&waiting, nla_data(a[TCA_STATS_QUEUE]), sizeof(waiting));
		queue->drops = waiting.drops;
		queue->waiting_bytes = waiting.backlog;
	}
}

static int root_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct queue_dump *dump = context;
	struct nlattr *a[TCA_MAX + 1];

	if (queue_attributes(dump, message, RTM_NEWQDISC, a) && kind_is(a, "htb") &&
	    header->tcm_parent == TC_H_ROOT && header->tcm_handle == ROOT_HANDLE)
		dump->root = true;
	return 0;
}

static int leaf_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct queue_dump *dump = context;
	struct nlattr *a[TCA_MAX + 1];
	struct kernel_queue *queue;

	if (!queue_attributes(dump, message, RTM_NEWQDISC, a) ||
	    TC_H_MAJ(header->tcm_parent) != ROOT_HANDLE)
		return 0;
	queue = queue_find(dump, TC_H_MIN(header->tcm_parent));
	if (!queue || !queue->leaf)
		return 0;
	if (kind_is(a, "fq_codel"))
		codel_take(queue, a[TCA_OPTIONS]);
	stats_take(queue, a[TCA_STATS2]);
	return 0;
}

/* The attributes of a filter's own, by kind; @return its class, 0 if it is of no kind of ours. */
static uint32_t way_read(struct nlattr *a[static TCA_MAX + 1], uint32_t handle, uint32_t *ret_mark,
			 ipv4_t *ret_destination)
{
	struct nlattr *flower[TCA_FLOWER_MAX + 1], *fw[TCA_FW_MAX + 1],
	    *matchall[TCA_MATCHALL_MAX + 1];

	if (kind_is(a, "fw") && nla_parse_nested(fw, TCA_FW_MAX, a[TCA_OPTIONS], NULL) == 0) {
		*ret_mark = handle;
		return word_of(fw[TCA_FW_CLASSID]);
	}
	if (kind_is(a, "matchall") &&
	    nla_parse_nested(matchall, TCA_MATCHALL_MAX, a[TCA_OPTIONS], NULL) == 0)
		return word_of(matchall[TCA_MATCHALL_CLASSID]);
	if (!kind_is(a, "flower") ||
	    nla_parse_nested(flower, TCA_FLOWER_MAX, a[TCA_OPTIONS], NULL) < 0 ||
	    word_of(flower[TCA_FLOWER_KEY_IPV4_DST_MASK]) != UINT32_MAX)
		return 0;
	*ret_destination = ntohl(word_of(flower[TCA_FLOWER_KEY_IPV4_DST]));
	return word_of(flower[TCA_FLOWER_CLASSID]);
}

/* It must be the one that we would make for the class that it leads to. */
static bool way_is_ours(const struct kernel_queue *queue, const struct tcmsg *header,
			struct nlattr *a[static TCA_MAX + 1])
{
	struct way way = way_to(queue);

	return way.parent == header->tcm_parent && way.handle == header->tcm_handle &&
	       way.info == header->tcm_info && kind_is(a, way.kind);
}

static int way_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct queue_dump *dump = context;
	struct nlattr *a[TCA_MAX + 1];
	struct kernel_queue *queue, found;
	uint32_t class, mark = 0;
	ipv4_t destination = 0;

	if (!queue_attributes(dump, message, RTM_NEWTFILTER, a) || !header->tcm_handle ||
	    !a[TCA_OPTIONS])
		return 0;
	class = way_read(a, header->tcm_handle, &mark, &destination);
	queue = TC_H_MAJ(class) == ROOT_HANDLE ? queue_find(dump, TC_H_MIN(class)) : NULL;
	dump->strange |= !queue || queue->led;
	if (!queue || queue->led)
		return 0;
	found = *queue;
	found.mark = mark;
	found.destination = destination;
	found.led = way_is_ours(&found, header, a);
	dump->strange |= !found.led;
	*queue = found;
	return 0;
}

static int dump_one(struct kernel *kernel, struct nl_msg *request, message_step step,
		    struct queue_dump *dump)
{
	return request ? channel_dump(&kernel->route, request, step, dump) : -TUYEN_ENOMEM;
}

/* Those at the root, and those at each class that packets are told apart below. */
static int ways_read(struct kernel *kernel, struct queue_dump *dump)
{
	struct kernel_state *state = dump->state;
	int err =
	    dump_one(kernel, queue_message(RTM_GETTFILTER, 0, dump->index, ROOT_HANDLE, 0, 0, NULL),
		     way_take, dump);

	for (size_t i = dump->first; err == 0 && i < state->queue_count; i++)
		if (state->queues[i].minor && !state->queues[i].leaf)
			err = dump_one(kernel,
				       queue_message(RTM_GETTFILTER, 0, dump->index,
						     class_id(state->queues[i].minor), 0, 0, NULL),
				       way_take, dump);
	return err;
}

static int queues_of_device(struct kernel *kernel, struct queue_dump *dump)
{
	int index = dump->index;
	int err =
	    dump_one(kernel, queue_message(RTM_GETQDISC, 0, index, 0, 0, 0, NULL), root_take, dump);
	struct kernel_queue *root;

	if (err || !dump->root)
		return err;
	root = queue_new(dump, 0);
	if (!root)
		return dump->err;
	err = dump_one(kernel, queue_message(RTM_GETTCLASS, 0, index, 0, 0, 0, NULL), class_take,
		       dump);
	if (err == 0)
		err = dump_one(kernel, queue_message(RTM_GETQDISC, 0, index, 0, 0, 0, NULL),
			       leaf_take, dump);
	if (err == 0)
		err = ways_read(kernel, dump);
	if (err == 0)
		queue_find(dump, 0)->strange = dump->strange;
	return err;
}

int read_queues(struct kernel *kernel, struct kernel_state *state)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < state->device_count; i++) {
		const struct kernel_device *device = &state->devices[i];
		struct queue_dump dump = {.state = state,
					  .device = device->name,
					  .index = (int)device->ifindex,
					  .first = state->queue_count};

		if (!device->foreign && desired_is_link_device(device->name))
			err = queues_of_device(kernel, &dump);
	}
	return err;
}
