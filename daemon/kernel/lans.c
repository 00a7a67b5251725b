/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the site's own networks lies behind devices that are no lines. A carrier may give a line an address, or a route, of the
 * LAN's: what it then sends from there would be the LAN's, and what the data centre answers there would be led to it in clear. So nothing
 * of it comes or goes by the line, and while such a route stands the box's own to the LAN stand in a table before it. An address that a
 * host of the LAN has is then the box's own: nothing but the end of the lease gives it back.
 *
 * Asked for are the routes of the box's own by who makes them for a LAN or a line, so that the kernel need not send a gateway's ten
 * thousands of ours. Whoever has a routing daemon of his own behind a box names its lines and sees to the rest himself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

struct way {
	struct ipv4_prefix destination;
	uint32_t ifindex, metric;
	bool via;		/* a gateway of another family */
	bool dark;		/* it is there, and its device has no light */
	ipv4_t gateway, source; /* 0 none */
	char device[KERNEL_IFNAME_MAX];
};

struct ways {
	const struct ipv4_prefix *lans;
	size_t lan_count;
	struct way *entry;
	size_t count, capacity;
};

static bool concerns(const struct ways *ways, struct ipv4_prefix destination)
{
	for (size_t i = 0; destination.length && i < ways->lan_count; i++)
		if (ipv4_prefix_overlaps(ways->lans[i], destination))
			return true;
	return !destination.length;
}

static int way_add(struct ways *ways, const struct way *way)
{
	if (ways->count == ways->capacity) {
		size_t capacity = ways->capacity ? ways->capacity * 2 : 8;
		struct way *grown = realloc(ways->entry, capacity * sizeof(*grown));

		if (!grown)
			return -TUYEN_ENOMEM;
		ways->entry = grown;
		ways->capacity = capacity;
	}
	ways->entry[ways->count++] = *way;
	return 0;
}

static bool is_dark(unsigned int flags)
{
	return flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN);
}

/* @way  what all legs have. */
static int legs_add(struct ways *ways, const struct way *way, struct nlattr *legs)
{
	struct rtnexthop *leg = nla_data(legs);
	int left = nla_len(legs), err = 0;

	for (; !err && left >= (int)sizeof(*leg) && leg->rtnh_len >= sizeof(*leg) &&
	       leg->rtnh_len <= left;
	     left -= (int)RTNH_ALIGN(leg->rtnh_len), leg = RTNH_NEXT(leg)) {
		struct nlattr *a = (struct nlattr *)RTNH_DATA(leg);
		int length = leg->rtnh_len - (int)RTNH_LENGTH(0);
		struct way one = *way;

		one.ifindex = (uint32_t)leg->rtnh_ifindex;
		one.gateway = get_ipv4(nla_find(a, length, RTA_GATEWAY));
		one.via = nla_find(a, length, RTA_VIA);
		one.dark = is_dark(leg->rtnh_flags);
		err = way_add(ways, &one);
	}
	return err;
}

/* Without light too: while a LAN's cable is out it is no carrier's. */
static int way_take(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct ways *ways = context;
	struct nlattr *a[RTA_MAX + 1];
	struct way way = {0};

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, RTA_MAX, NULL) <
		0 ||
	    header->rtm_family != AF_INET || header->rtm_table != RT_TABLE_MAIN ||
	    header->rtm_type != RTN_UNICAST || header->rtm_protocol == TUYEN_RTPROTO ||
	    header->rtm_flags & RTM_F_CLONED)
		return 0;
	way.destination = (struct ipv4_prefix){get_ipv4(a[RTA_DST]), header->rtm_dst_len};
	if (!concerns(ways, way.destination))
		return 0;
	way.metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	way.source = get_ipv4(a[RTA_PREFSRC]);
	if (a[RTA_MULTIPATH])
		return legs_add(ways, &way, a[RTA_MULTIPATH]);
	if (!a[RTA_OIF])
		return 0;
	way.ifindex = nla_get_u32(a[RTA_OIF]);
	way.gateway = get_ipv4(a[RTA_GATEWAY]);
	way.via = a[RTA_VIA];
	way.dark = is_dark(header->rtm_flags);
	return way_add(ways, &way);
}

static int ways_dump(struct kernel *kernel, uint8_t protocol, struct ways *ways)
{
	struct rtmsg header = {.rtm_family = AF_INET,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_type = RTN_UNICAST,
			       .rtm_protocol = protocol};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETROUTE, 0);

	if (!m)
		return -TUYEN_ENOMEM;
	if (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	return channel_dump(&kernel->route, m, way_take, ways);
}

/* Of devices there are few. */
static int way_name(struct kernel *kernel, struct ways *ways, size_t at)
{
	struct way *way = &ways->entry[at];
	bool inner;

	for (size_t i = 0; i < at; i++)
		if (ways->entry[i].ifindex == way->ifindex) {
			memcpy(way->device, ways->entry[i].device, sizeof(way->device));
			return 0;
		}
	return kernel_device_name(kernel, way->ifindex, way->device, &inner);
}

static int ways_read(struct kernel *kernel, struct ways *ways)
{
	static const uint8_t protocols[] = {RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC, RTPROT_DHCP};
	int err = 0;

	ways->count = 0;
	for (size_t i = 0; !err && i < sizeof(protocols); i++)
		err = ways_dump(kernel, protocols[i], ways);
	for (size_t i = 0; !err && i < ways->count; i++)
		err = way_name(kernel, ways, i);
	return err;
}

/* The part of @lan to which @way leads; length 0: none. */
static struct ipv4_prefix part_of(struct ipv4_prefix lan, const struct way *way)
{
	if (!ipv4_prefix_overlaps(lan, way->destination))
		return (struct ipv4_prefix){0};
	return lan.length > way->destination.length ? lan : way->destination;
}

static bool is_inner(const struct way *way, const struct desired_lines *lines)
{
	return way->destination.length && *way->device &&
	       !desired_lines_is_carrier(lines, way->device);
}

static void inner_add(const struct ways *ways, const struct way *way, struct desired_lines *lines)
{
	for (size_t i = 0; i < ways->lan_count; i++) {
		struct ipv4_prefix part = part_of(ways->lans[i], way);

		if (part.length)
			desired_lines_add_inner(lines, part);
	}
}

static void lines_find(const struct ways *ways, struct desired_lines *lines)
{
	for (size_t i = 0; i < ways->count; i++)
		if (!ways->entry[i].destination.length)
			desired_lines_add_carrier(lines, ways->entry[i].device);
	for (size_t i = 0; i < ways->count; i++)
		if (is_inner(&ways->entry[i], lines))
			inner_add(ways, &ways->entry[i], lines);
}

static void claim_find(const struct ways *ways, const struct desired_lines *lines,
		       struct lan_claim *ret_claim)
{
	*ret_claim = (struct lan_claim){.device = ""};
	for (size_t i = 0; i < ways->count; i++) {
		const struct way *way = &ways->entry[i];

		if (!way->destination.length || !desired_lines_is_carrier(lines, way->device))
			continue;
		for (size_t k = 0; k < lines->inner_count; k++)
			if (ipv4_prefix_overlaps(lines->inner[k], way->destination)) {
				ret_claim->part = way->destination;
				memcpy(ret_claim->device, way->device, sizeof(way->device));
				return;
			}
	}
}

static bool way_keep(const struct way *way, struct ipv4_prefix part, struct desired_lines *lines)
{
	struct desired_lan_way kept = {
	    .part = part, .gateway = way->gateway, .source = way->source};

	memcpy(kept.device, way->device, sizeof(kept.device));
	return desired_lines_add_way(lines, &kept);
}

/* Of two to one part: as the kernel has it, but for what cannot be kept and what leads nowhere now. */
static bool way_better(const struct way *a, const struct way *b)
{
	if (a->destination.length != b->destination.length)
		return a->destination.length > b->destination.length;
	if (a->via != b->via)
		return b->via;
	if (a->dark != b->dark)
		return b->dark;
	return a->metric < b->metric;
}

/* @at leads to @part of the LAN. @return whether no other does better. */
static bool way_best(const struct ways *ways, size_t at, struct ipv4_prefix lan,
		     struct ipv4_prefix part, const struct desired_lines *lines)
{
	const struct way *way = &ways->entry[at];

	for (size_t i = 0; i < ways->count; i++) {
		const struct way *other = &ways->entry[i];
		struct ipv4_prefix same = part_of(lan, other);

		if (i != at && is_inner(other, lines) && !ipv4_prefix_compare(&same, &part) &&
		    way_better(other, way))
			return false;
	}
	return true;
}

/* @return why not; NULL: it is kept, or another is to the same part. */
static const char *way_find(const struct ways *ways, size_t at, struct ipv4_prefix lan,
			    struct desired_lines *lines)
{
	const struct way *way = &ways->entry[at];
	struct ipv4_prefix part = part_of(lan, way);

	if (!part.length || !is_inner(way, lines) || !way_best(ways, at, lan, part, lines))
		return NULL;
	if (way->via)
		return "a gateway of IPv6";
	return way_keep(way, part, lines) ? NULL : "more than 32 parts";
}

/* All of them or none: of two, the narrower must not be the one that is left out. */
static const char *ways_find(const struct ways *ways, struct desired_lines *lines)
{
	const char *obstacle = NULL;

	for (size_t i = 0; !obstacle && i < ways->count; i++)
		for (size_t k = 0; !obstacle && k < ways->lan_count; k++)
			obstacle = way_find(ways, i, ways->lans[k], lines);
	if (obstacle)
		lines->way_count = 0;
	return obstacle;
}

int kernel_lans_inner(struct kernel *kernel, const struct ipv4_prefix *lans, size_t lan_count,
		      struct desired_lines *lines, struct lan_claim *ret_claim)
{
	struct ways ways = {.lans = lans, .lan_count = lan_count};
	int err = -TUYEN_EAGAIN;

	for (int tries = 0; err == -TUYEN_EAGAIN && tries < DUMP_TRIES; tries++)
		err = ways_read(kernel, &ways);
	if (!err) {
		lines_find(&ways, lines);
		claim_find(&ways, lines, ret_claim);
		if (*ret_claim->device)
			ret_claim->obstacle = ways_find(&ways, lines);
	}
	free(ways.entry);
	return err;
}
