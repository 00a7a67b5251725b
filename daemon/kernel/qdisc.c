/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queueing disciplines that somebody else put on a session's device: at its root, or where packets pass on their way in or
 * out (clsact, ingress). They lose, delay or lead away what it carries, and none of ours is ever there. One dump shows those
 * of all devices; what the kernel gives a device by itself has the handle 0.
 *
 * On link0 and the adjacencies they are left alone, but where ours should be: queue.c, filter.c. Somebody may shape a line
 * whose rate the topology does not say.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "tuyen/core/desired.h"

static struct nl_msg *qdisc_message(int type, int index, uint32_t parent, uint32_t handle)
{
	struct tcmsg header = {
	    .tcm_family = AF_UNSPEC,
	    .tcm_ifindex = index,
	    .tcm_handle = handle,
	    .tcm_parent = parent,
	};
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	if (m && nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		m = NULL;
	}
	if (!m)
		errno = ENOMEM;
	return m;
}

struct nl_msg *message_qdisc_remove(const struct kernel *kernel, const struct kernel_qdisc *have)
{
	int index = links_index(kernel, have->device);

	if (!index) {
		errno = ENODEV;
		return NULL;
	}
	return qdisc_message(RTM_DELQDISC, index, have->parent, have->handle);
}

/* @return the session's device of that index, or NULL. */
static const struct kernel_device *session_of(const struct kernel_state *state, int index)
{
	for (size_t i = 0; i < state->device_count; i++) {
		const struct kernel_device *device = &state->devices[i];

		if ((int)device->ifindex == index && !device->foreign &&
		    device->kind == KERNEL_DEVICE_WIREGUARD &&
		    !desired_is_link_device(device->name))
			return device;
	}
	return NULL;
}

static int qdisc_take(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = nlmsg_data(message);
	struct kernel_state *state = context;
	const struct kernel_device *device;
	struct nlattr *a[TCA_MAX + 1];
	struct kernel_qdisc *qdisc;

	if (message->nlmsg_type != RTM_NEWQDISC ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, TCA_MAX, NULL) <
		0 ||
	    !a[TCA_KIND] || !header->tcm_handle ||
	    (header->tcm_parent != TC_H_ROOT && header->tcm_parent != TC_H_CLSACT))
		return 0;
	device = session_of(state, header->tcm_ifindex);
	if (!device)
		return 0;
	qdisc = kernel_state_add_qdisc(state);
	if (!qdisc)
		return -TUYEN_ENOMEM;
	memcpy(qdisc->device, device->name, sizeof(qdisc->device));
	qdisc->parent = header->tcm_parent;
	qdisc->handle = header->tcm_handle;
	qdisc->root = header->tcm_parent == TC_H_ROOT;
	snprintf(qdisc->kind, sizeof(qdisc->kind), "%s", nla_get_string(a[TCA_KIND]));
	return 0;
}

int read_qdiscs(struct kernel *kernel, struct kernel_state *state)
{
	struct nl_msg *m = qdisc_message(RTM_GETQDISC, 0, 0, 0);

	return m ? channel_dump(&kernel->route, m, qdisc_take, state) : -TUYEN_ENOMEM;
}
