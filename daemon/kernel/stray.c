/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that somebody else put into tables that are ours alone. The kernel takes the first of a destination that fits, so
 * that one before ours, or of a part of its prefix, carries off or stops what ours was to carry, and a reading of ours alone
 * shows nothing.
 *
 * To look for them doubles what is read, of which a gateway has ten thousands. So it is done when there is reason to: an
 * event tells of one, or may have been lost; the tables that are wanted are others than at the last reading, as they are at
 * the first; ours was refused because of it; and then until none is found. Each table is asked for by itself: what else a host
 * has, a million routes perhaps, costs nothing.
 *
 * One that has our protocol and a TOS is somebody else's, too, in whatever table: ours have none, and it would pass for the
 * route of the same key without.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "internal.h"

static bool table_is_own(uint32_t table)
{
	return table >= TUYEN_TABLE_FIRST && table < TUYEN_TABLE_END;
}

static uint32_t message_table(const struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *table =
	    nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), RTA_TABLE);

	return table && nla_len(table) >= 4 ? nla_get_u32(table) : header->rtm_table;
}

bool message_tells_stray(const struct nlmsghdr *message)
{
	const struct rtmsg *header = nlmsg_data(message);

	return message->nlmsg_type == RTM_NEWROUTE &&
	       message->nlmsg_len >= NLMSG_LENGTH(sizeof(*header)) &&
	       header->rtm_family == AF_INET && header->rtm_protocol != TUYEN_RTPROTO &&
	       table_is_own(message_table(message));
}

struct stray_reading {
	struct kernel_state *state;
	uint32_t table;
};

int stray_add(struct kernel_state *state, const struct rtmsg *header, struct nlattr *a[])
{
	struct kernel_stray *stray = kernel_state_add_stray(state);

	if (!stray)
		return -TUYEN_ENOMEM;
	stray->route.table = a[RTA_TABLE] ? nla_get_u32(a[RTA_TABLE]) : header->rtm_table;
	stray->route.destination.address = get_ipv4(a[RTA_DST]);
	stray->route.destination.length = header->rtm_dst_len;
	stray->route.metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	stray->route.foreign = true;
	stray->protocol = header->rtm_protocol;
	stray->type = header->rtm_type;
	stray->tos = header->rtm_tos;
	return 0;
}

static int stray_take(const struct nlmsghdr *message, void *context)
{
	const struct stray_reading *reading = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *a[RTA_MAX + 1];

	if (!message_tells_stray(message) || message_table(message) != reading->table ||
	    header->rtm_flags & RTM_F_CLONED ||
	    nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, RTA_MAX, NULL) <
		0)
		return 0;
	return stray_add(reading->state, header, a);
}

/* A table that nobody has put anything into is none, for the kernel. */
static int table_read(struct kernel *kernel, struct stray_reading *reading)
{
	struct rtmsg header = {.rtm_family = AF_INET};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);
	int err;

	if (!m)
		return -TUYEN_ENOMEM;
	if (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO) ||
	    nla_put_u32(m, RTA_TABLE, reading->table)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	err = channel_dump(&kernel->route, m, stray_take, reading);
	return err == -TUYEN_ESYSTEM && errno == ENOENT ? 0 : err;
}

static int table_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Those that a route is wanted in, and those that a rule leads to. @return how many; @ret_list has room. */
static size_t tables_list(const struct kernel_state *desired, uint32_t *ret_list)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < desired->route_count; i++)
		if (table_is_own(desired->routes[i].table) &&
		    (!count || ret_list[count - 1] != desired->routes[i].table))
			ret_list[count++] = desired->routes[i].table;
	for (size_t i = 0; i < desired->rule_count; i++)
		if (table_is_own(desired->rules[i].table))
			ret_list[count++] = desired->rules[i].table;
	if (count > 1)
		qsort(ret_list, count, sizeof(*ret_list), table_compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || ret_list[kept - 1] != ret_list[i])
			ret_list[kept++] = ret_list[i];
	return kept;
}

/* FNV-1a */
static uint64_t tables_hash(const uint32_t *table, size_t count)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ table[i]) * 1099511628211u;
	return hash;
}

int read_strays(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state)
{
	uint32_t *table = calloc(desired->route_count + desired->rule_count + 1, sizeof(*table));
	struct stray_reading reading = {.state = state};
	size_t count;
	uint64_t hash;
	int err = 0;

	if (!table)
		return -TUYEN_ENOMEM;
	count = tables_list(desired, table);
	hash = tables_hash(table, count);
	kernel->strays |= hash != kernel->tables_hash;
	kernel->tables_hash = hash;
	for (size_t i = 0; kernel->strays && err == 0 && i < count; i++) {
		reading.table = table[i];
		err = table_read(kernel, &reading);
	}
	free(table);
	return err;
}
