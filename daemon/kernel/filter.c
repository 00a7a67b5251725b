/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an adjacency may send us, as tc(8) holds it on the device's clsact ingress:
 *
 *	prio 1  flower, protocol mpls_uc: one filter a label stack, each entry's label and bottom
 *bit: pass prio 2  matchall, protocol all: drop, and count
 *
 * An entry is matched by depth, label and bottom-of-stack bit, so that a stack is matched as a
 *whole: the label that is allowed alone is not allowed on top of another. The kernel looks at seven
 *entries; of a stack of eight the first seven are matched. It prints a stack of one entry in older
 *attributes than those it was given.
 *
 * A filter that holds anything else, or has no drop, counts as not there: it is flushed and made
 *anew, the drop first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DISSECTED_MAX 7
#define INGRESS	      TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

static struct nl_msg *filter_message(int type, int flags, int index, uint32_t parent,
				     uint32_t handle, uint32_t info)
{
	struct tcmsg header = {
	    .tcm_family = AF_UNSPEC,
	    .tcm_ifindex = index,
	    .tcm_handle = handle,
	    .tcm_parent = parent,
	    .tcm_info = info,
	};

	return message_new(type, flags, &header, sizeof(header));
}

struct nl_msg *message_clsact(int index)
{
	struct nl_msg *m = filter_message(RTM_NEWQDISC, NLM_F_CREATE, index, TC_H_CLSACT,
					  TC_H_MAKE(TC_H_CLSACT, 0), 0);

	return m ? message_done(m, nla_put_string(m, TCA_KIND, "clsact")) : NULL;
}

struct nl_msg *message_clsact_remove(int index)
{
	return filter_message(RTM_DELQDISC, 0, index, TC_H_CLSACT, 0, 0);
}

struct nl_msg *message_filters_flush(int index)
{
	return filter_message(RTM_DELTFILTER, 0, index, INGRESS, 0, 0);
}

static int put_action(struct nl_msg *m, int attribute, int verdict)
{
	struct tc_gact gact = {.action = verdict};
	struct nlattr *list = nla_nest_start(m, attribute);
	struct nlattr *action = list ? nla_nest_start(m, 1) : NULL;
	struct nlattr *options;

	if (!action || nla_put_string(m, TCA_ACT_KIND, "gact"))
		return -1;
	options = nla_nest_start(m, TCA_ACT_OPTIONS);
	if (!options || nla_put(m, TCA_GACT_PARMS, sizeof(gact), &gact))
		return -1;
	nla_nest_end(m, options);
	nla_nest_end(m, action);
	return nla_nest_end(m, list);
}

struct nl_msg *message_filter_drop(int index)
{
	struct nl_msg *m = filter_message(RTM_NEWTFILTER, NLM_F_CREATE, index, INGRESS, 1,
					  TC_H_MAKE(FILTER_PRIORITY_DROP << 16, htons(ETH_P_ALL)));
	struct nlattr *options;

	if (!m)
		return NULL;
	if (nla_put_string(m, TCA_KIND, "matchall"))
		return message_done(m, -1);
	options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || put_action(m, TCA_MATCHALL_ACT, TC_ACT_SHOT))
		return message_done(m, -1);
	return message_done(m, nla_nest_end(m, options));
}

static int put_entry(struct nl_msg *m, uint8_t depth, uint32_t label, bool bottom)
{
	struct nlattr *nest = nla_nest_start(m, TCA_FLOWER_KEY_MPLS_OPTS_LSE);

	if (!nest || nla_put_u8(m, TCA_FLOWER_KEY_MPLS_OPT_LSE_DEPTH, depth) ||
	    nla_put_u8(m, TCA_FLOWER_KEY_MPLS_OPT_LSE_BOS, bottom) ||
	    nla_put_u32(m, TCA_FLOWER_KEY_MPLS_OPT_LSE_LABEL, label))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_stack(struct nl_msg *m, const struct label_stack *stack)
{
	struct nlattr *nest = nla_nest_start(m, TCA_FLOWER_KEY_MPLS_OPTS);

	if (!nest)
		return -1;
	for (uint8_t i = 0; i < stack->depth && i < DISSECTED_MAX; i++)
		if (put_entry(m, i + 1, stack->label[i], i + 1 == stack->depth))
			return -1;
	return nla_nest_end(m, nest);
}

struct nl_msg *message_filter_accept(int index, const struct label_stack *stack)
{
	struct nl_msg *m =
	    filter_message(RTM_NEWTFILTER, NLM_F_CREATE, index, INGRESS, 0,
			   TC_H_MAKE(FILTER_PRIORITY_ACCEPT << 16, htons(ETH_P_MPLS_UC)));
	struct nlattr *options;

	if (!m)
		return NULL;
	if (nla_put_string(m, TCA_KIND, "flower"))
		return message_done(m, -1);
	options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nla_put_u16(m, TCA_FLOWER_KEY_ETH_TYPE, htons(ETH_P_MPLS_UC)) ||
	    put_stack(m, stack) || put_action(m, TCA_FLOWER_ACT, TC_ACT_OK))
		return message_done(m, -1);
	return message_done(m, nla_nest_end(m, options));
}

struct nl_msg *message_filter_delete(int index, uint32_t handle)
{
	struct nl_msg *m =
	    filter_message(RTM_DELTFILTER, 0, index, INGRESS, handle,
			   TC_H_MAKE(FILTER_PRIORITY_ACCEPT << 16, htons(ETH_P_MPLS_UC)));

	return m ? message_done(m, nla_put_string(m, TCA_KIND, "flower")) : NULL;
}

/* The verdict of a filter's only action and its packets. @return false if it is anything else. */
static bool action_read(struct nlattr *list, int *ret_verdict, uint64_t *ret_drops)
{
	struct nlattr *action[TCA_ACT_MAX + 1], *gact[TCA_GACT_MAX + 1], *stats[TCA_STATS_MAX + 1];
	struct nlattr *first = list ? nla_data(list) : NULL;
	struct gnet_stats_queue queue;

	if (!first || !nla_ok(first, nla_len(list)) ||
	    nla_parse_nested(action, TCA_ACT_MAX, first, NULL) < 0 || !action[TCA_ACT_KIND] ||
	    strcmp(nla_get_string(action[TCA_ACT_KIND]), "gact") || !action[TCA_ACT_OPTIONS] ||
	    nla_parse_nested(gact, TCA_GACT_MAX, action[TCA_ACT_OPTIONS], NULL) < 0 ||
	    !gact[TCA_GACT_PARMS] || nla_len(gact[TCA_GACT_PARMS]) < (int)sizeof(struct tc_gact))
		return false;
	*ret_verdict = ((struct tc_gact *)nla_data(gact[TCA_GACT_PARMS]))->action;
	if (action[TCA_ACT_STATS] &&
	    nla_parse_nested(stats, TCA_STATS_MAX, action[TCA_ACT_STATS], NULL) == 0 &&
	    stats[TCA_STATS_QUEUE] && nla_len(stats[TCA_STATS_QUEUE]) >= (int)sizeof(queue)) {
		memcpy(&queue, nla_data(stats[TCA_STATS_QUEUE]), sizeof(queue));
		*ret_drops = queue.drops;
	}
	return true;
}

/* One entry of the newer attributes. @return false unless it is the next of the stack, by label and
 * bottom bit. */
static bool entry_read(struct nlattr *nest, struct label_stack *stack, bool *ret_bottom)
{
	struct nlattr *a[TCA_FLOWER_KEY_MPLS_OPT_LSE_MAX + 1];

	if (stack->depth == LABEL_STACK_MAX ||
	    nla_parse_nested(a, TCA_FLOWER_KEY_MPLS_OPT_LSE_MAX, nest, NULL) < 0 ||
	    !a[TCA_FLOWER_KEY_MPLS_OPT_LSE_DEPTH] || !a[TCA_FLOWER_KEY_MPLS_OPT_LSE_BOS] ||
	    !a[TCA_FLOWER_KEY_MPLS_OPT_LSE_LABEL] || a[TCA_FLOWER_KEY_MPLS_OPT_LSE_TTL] ||
	    a[TCA_FLOWER_KEY_MPLS_OPT_LSE_TC] ||
	    nla_get_u8(a[TCA_FLOWER_KEY_MPLS_OPT_LSE_DEPTH]) != stack->depth + 1)
		return false;
	*ret_bottom = nla_get_u8(a[TCA_FLOWER_KEY_MPLS_OPT_LSE_BOS]);
	stack->label[stack->depth++] = nla_get_u32(a[TCA_FLOWER_KEY_MPLS_OPT_LSE_LABEL]);
	return true;
}

static bool stack_read(struct nlattr *a[], struct label_stack *stack)
{
	bool bottom = false;
	struct nlattr *nest;
	int left;

	if (a[TCA_FLOWER_KEY_MPLS_LABEL]) {
		stack->label[stack->depth++] = nla_get_u32(a[TCA_FLOWER_KEY_MPLS_LABEL]);
		return a[TCA_FLOWER_KEY_MPLS_BOS] && nla_get_u8(a[TCA_FLOWER_KEY_MPLS_BOS]) &&
		       !a[TCA_FLOWER_KEY_MPLS_TTL] && !a[TCA_FLOWER_KEY_MPLS_TC];
	}
	if (!a[TCA_FLOWER_KEY_MPLS_OPTS])
		return false;
	nla_for_each_nested(nest, a[TCA_FLOWER_KEY_MPLS_OPTS],
			    left) if (bottom || !entry_read(nest, stack, &bottom)) return false;
	return bottom;
}

static int accept_take(struct filter_dump *dump, const struct label_stack *stack, uint32_t handle)
{
	struct filter_entry *grown = realloc(dump->entry, (dump->count + 1) * sizeof(*dump->entry));

	if (!grown)
		return -TUYEN_ENOMEM;
	dump->entry = grown;
	dump->entry[dump->count++] = (struct filter_entry){*stack, handle};
	return 0;
}

static int flower_take(struct filter_dump *dump, const struct tcmsg *header, struct nlattr *options)
{
	struct nlattr *a[TCA_FLOWER_MAX + 1];
	struct label_stack stack = {0};
	uint64_t drops;
	int verdict;

	if (nla_parse_nested(a, TCA_FLOWER_MAX, options, NULL) < 0 || !stack_read(a, &stack) ||
	    !action_read(a[TCA_FLOWER_ACT], &verdict, &drops) || verdict != TC_ACT_OK) {
		dump->strange = true;
		return 0;
	}
	return accept_take(dump, &stack, header->tcm_handle);
}

static void matchall_take(struct filter_dump *dump, struct nlattr *options)
{
	struct nlattr *a[TCA_MATCHALL_MAX + 1];
	int verdict;

	if (nla_parse_nested(a, TCA_MATCHALL_MAX, options, NULL) < 0 ||
	    !action_read(a[TCA_MATCHALL_ACT], &verdict, &dump->drops) || verdict != TC_ACT_SHOT)
		dump->strange = true;
	else
		dump->drop = true;
}

static int filter_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct filter_dump *dump = context;
	struct nlattr *a[TCA_MAX + 1];
	uint32_t priority = TC_H_MAJ(header->tcm_info) >> 16;

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, TCA_MAX, NULL) <
		0 ||
	    !a[TCA_KIND] || message->nlmsg_type != RTM_NEWTFILTER)
		return 0;
	if (!header->tcm_handle || !a[TCA_OPTIONS]) /* the head of a priority, without a filter */
		return 0;
	if (priority == FILTER_PRIORITY_ACCEPT && !strcmp(nla_get_string(a[TCA_KIND]), "flower"))
		return flower_take(dump, header, a[TCA_OPTIONS]);
	if (priority == FILTER_PRIORITY_DROP && !strcmp(nla_get_string(a[TCA_KIND]), "matchall"))
		matchall_take(dump, a[TCA_OPTIONS]);
	else
		dump->strange = true;
	return 0;
}

int filter_read(struct kernel *kernel, int index, struct filter_dump *ret_dump)
{
	struct filter_dump dump = {0};
	struct nl_msg *m = filter_message(RTM_GETTFILTER, 0, index, INGRESS, 0, 0);
	int err;

	if (!m)
		return -TUYEN_ENOMEM;
	err = channel_dump(&kernel->route, m, filter_take, &dump);
	if (err < 0) {
		free(dump.entry);
		return err;
	}
	*ret_dump = dump;
	return 0;
}

static int filter_add(struct kernel_state *state, const char *device,
		      const struct filter_dump *dump)
{
	struct kernel_label_filter *filter;
	int err = 0;

	if (!dump->drop || dump->strange)
		return 0;
	filter = kernel_state_add_filter(state);
	if (!filter)
		return -TUYEN_ENOMEM;
	memcpy(filter->device, device, sizeof(filter->device));
	filter->drops = dump->drops;
	for (size_t i = 0; err == 0 && i < dump->count; i++)
		err = kernel_filter_accept(filter, &dump->entry[i].stack);
	return err;
}

int read_filters(struct kernel *kernel, struct kernel_state *state)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < state->device_count; i++) {
		const struct kernel_device *device = &state->devices[i];
		struct filter_dump dump;

		if (device->foreign || device->kind != KERNEL_DEVICE_MPLS_IN_IP)
			continue;
		err = filter_read(kernel, (int)device->ifindex, &dump);
		if (err < 0)
			return err;
		err = filter_add(state, device->name, &dump);
		free(dump.entry);
	}
	return err;
}
