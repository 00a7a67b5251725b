/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel takes for the box itself because of an address: the entries of its table "local" that it made by itself. The table is
 * asked for alone, and is small. One that somebody put there by hand is meant so, and none of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static bool is_own(const struct rtmsg *header)
{
	return header->rtm_family == AF_INET && header->rtm_table == RT_TABLE_LOCAL &&
	       header->rtm_protocol == RTPROT_KERNEL && header->rtm_dst_len == 32 &&
	       (header->rtm_type == RTN_LOCAL || header->rtm_type == RTN_BROADCAST) &&
	       !(header->rtm_flags & RTM_F_CLONED);
}

bool message_tells_own(const struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);

	return message->nlmsg_type == RTM_NEWROUTE &&
	       message->nlmsg_len >= NLMSG_LENGTH(sizeof(*header)) && is_own(header);
}

struct own_list {
	struct own_address *entry;
	size_t count;
};

/* Room doubles. */
static struct own_address *own_add(struct own_list *list)
{
	if ((list->count & (list->count - 1)) == 0) {
		struct own_address *grown = realloc(
		    list->entry, (list->count ? list->count * 2 : 1) * sizeof(*list->entry));

		if (!grown)
			return NULL;
		list->entry = grown;
	}
	return &list->entry[list->count++];
}

static int own_take(const struct nlmsghdr *message, void *context)
{
	struct nlattr *a[RTA_MAX + 1];
	struct own_address *own;

	if (!message_tells_own(message) ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(struct rtmsg), a, RTA_MAX,
			NULL) < 0 ||
	    !a[RTA_DST] || nla_len(a[RTA_DST]) < 4)
		return 0;
	own = own_add(context);
	if (!own)
		return -TUYEN_ENOMEM;
	own->address = ntohl(nla_get_u32(a[RTA_DST]));
	own->ifindex = a[RTA_OIF] ? nla_get_u32(a[RTA_OIF]) : 0;
	return 0;
}

static int own_dump(struct kernel *kernel, struct own_list *list)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_protocol = RTPROT_KERNEL};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);

	if (!m)
		return -TUYEN_ENOMEM;
	if (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO) ||
	    nla_put_u32(m, RTA_TABLE, RT_TABLE_LOCAL)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	return channel_dump(&kernel->route, m, own_take, list);
}

int kernel_own_read(struct kernel *kernel, struct own_address **ret_own, size_t *ret_count,
		    struct reason *reason)
{
	struct own_list list = {.count = 0};
	int err = -TUYEN_EAGAIN;

	for (int tries = 0; err == -TUYEN_EAGAIN && tries < DUMP_TRIES; tries++) {
		list.count = 0;
		free(list.entry);
		list.entry = NULL;
		err = own_dump(kernel, &list);
	}
	if (err) {
		free(list.entry);
		return reason_set(reason, err, "cannot read the kernel: %s",
				  err == -TUYEN_ESYSTEM ? strerror(errno) : tuyen_strerror(err));
	}
	*ret_own = list.entry;
	*ret_count = list.count;
	return 0;
}

struct device_name {
	char name[KERNEL_IFNAME_MAX];
	bool inner;
};

static bool is_dummy(const struct nlmsghdr *message)
{
	struct nlattr *info = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message,
					      sizeof(struct ifinfomsg), IFLA_LINKINFO);
	struct nlattr *kind = info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND) : NULL;

	return kind && nla_strcmp(kind, "dummy") == 0;
}

static int name_take(const struct nlmsghdr *message, void *context)
{
	struct nlattr *name = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message,
					      sizeof(struct ifinfomsg), IFLA_IFNAME);
	const struct ifinfomsg *header = nlmsg_data(message);
	struct device_name *device = context;

	if (message->nlmsg_type != RTM_NEWLINK || !name)
		return 0;
	snprintf(device->name, sizeof(device->name), "%s", nla_get_string(name));
	device->inner = header->ifi_flags & IFF_LOOPBACK || is_dummy(message);
	return 0;
}

int kernel_device_name(struct kernel *kernel, uint32_t ifindex,
		       char ret_name[static KERNEL_IFNAME_MAX], bool *ret_inner)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct device_name device = {.name = ""};
	int error;

	if (!m)
		return -TUYEN_ENOMEM;
	if (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	error = channel_ask(&kernel->route, m, name_take, &device);
	if (error && error != ENODEV) {
		errno = error;
		return -TUYEN_ESYSTEM;
	}
	memcpy(ret_name, device.name, sizeof(device.name));
	*ret_inner = device.inner;
	return 0;
}
