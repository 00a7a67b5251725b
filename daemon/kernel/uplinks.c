/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The box's own lines: what the main table's default routes and the addresses of a device say of it, by which gateway
 * the box would reach something, and whether the network behind it is there.
 *
 * A device may go while it is asked about: then it has neither. What could not be asked is an error, and not the same as none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

static int parse(const struct nlmsghdr *message, int header, struct nlattr *attributes[], int max)
{
	return nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, header, attributes, max, NULL);
}

static struct ipv6 get_ipv6(const struct nlattr *attribute)
{
	struct ipv6 address = {{0}};

	if (attribute && nla_len(attribute) >= (int)sizeof(address.byte))
		memcpy(address.byte, nla_data(attribute), sizeof(address.byte));
	return address;
}

/* @number 0: without that attribute. */
static struct nl_msg *request(int type, const void *header, size_t length, int attribute,
			      uint32_t number)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	if (m && (nlmsg_append(m, (void *)(uintptr_t)header, length, NLMSG_ALIGNTO) ||
		  (number && nla_put_u32(m, attribute, number)))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

/* ---- default routes ------------------------------------------------------------------------ */

struct line {
	uint32_t index; /* of the device */
	struct node_uplink *uplink;
	uint32_t metric, metric6; /* of the routes that were found */
	int preference6;
};

#define FLAGS_OF_NO_USE (RTNH_F_DEAD | RTNH_F_LINKDOWN)

/* The leg of a route of several that leads over the device, into @ret. @return false if none does, or that is of no use. */
static bool leg_find(struct nlattr *legs, uint32_t index, struct nlattr *ret[RTA_MAX + 1],
		     unsigned int *ret_flags)
{
	struct rtnexthop *leg = nla_data(legs);
	int left = nla_len(legs);

	for (; left >= (int)sizeof(*leg) && leg->rtnh_len >= sizeof(*leg) && leg->rtnh_len <= left;
	     left -= (int)RTNH_ALIGN(leg->rtnh_len), leg = RTNH_NEXT(leg))
		if ((uint32_t)leg->rtnh_ifindex == index && !(leg->rtnh_flags & FLAGS_OF_NO_USE) &&
		    nla_parse(ret, RTA_MAX, (struct nlattr *)RTNH_DATA(leg),
			      leg->rtnh_len - (int)sizeof(*leg), NULL) >= 0 &&
		    !ret[RTA_VIA]) {
			*ret_flags = leg->rtnh_flags;
			return true;
		}
	return false;
}

/*
 * Does the route lead over the device? @a and @ret_flags then hold what says by whom. A gateway of IPv6 of a route of IPv4 (RFC 8950) is
 * none that a route of ours can have.
 */
static bool leads_over(struct nlattr *a[RTA_MAX + 1], const struct rtmsg *header, uint32_t index,
		       unsigned int *ret_flags)
{
	*ret_flags = header->rtm_flags;
	if (a[RTA_MULTIPATH])
		return leg_find(a[RTA_MULTIPATH], index, a, ret_flags);
	return !(header->rtm_flags & FLAGS_OF_NO_USE) && !a[RTA_VIA] && a[RTA_OIF] &&
	       nla_get_u32(a[RTA_OIF]) == index;
}

/* A default route of the box's own. */
static bool is_default(const struct rtmsg *header, uint8_t family)
{
	return header->rtm_family == family && !header->rtm_dst_len && !header->rtm_src_len &&
	       !header->rtm_tos && header->rtm_type == RTN_UNICAST &&
	       header->rtm_table == RT_TABLE_MAIN && header->rtm_protocol != TUYEN_RTPROTO &&
	       !(header->rtm_flags & RTM_F_CLONED);
}

static int default_take(const struct nlmsghdr *message, void *context)
{
	struct line *line = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *a[RTA_MAX + 1];
	uint32_t metric;
	unsigned int flags;
	ipv4_t source;

	if (parse(message, sizeof(*header), a, RTA_MAX) < 0 || !is_default(header, AF_INET))
		return 0;
	metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	source = get_ipv4(a[RTA_PREFSRC]);
	if (!leads_over(a, header, line->index, &flags) ||
	    (line->uplink->has_route && metric >= line->metric))
		return 0;
	line->uplink->has_route = true;
	line->uplink->gateway = get_ipv4(a[RTA_GATEWAY]);
	line->uplink->source = source;
	line->metric = metric;
	return 0;
}

/* Of RFC 4191: high before medium before low. */
static int preference_of(const struct nlattr *a)
{
	uint8_t preference = a && nla_len(a) >= 1 ? nla_get_u8((struct nlattr *)(uintptr_t)a)
						  : ICMPV6_ROUTER_PREF_MEDIUM;

	return preference == ICMPV6_ROUTER_PREF_HIGH  ? 1
	       : preference == ICMPV6_ROUTER_PREF_LOW ? -1
						      : 0;
}

/* The same of IPv6. Of two routers of one metric the one that prefers itself. */
static int default6_take(const struct nlmsghdr *message, void *context)
{
	struct line *line = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *a[RTA_MAX + 1];
	struct ipv6 source;
	unsigned int flags;
	uint32_t metric;
	int preference;

	if (parse(message, sizeof(*header), a, RTA_MAX) < 0 || !is_default(header, AF_INET6))
		return 0;
	metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	preference = preference_of(a[RTA_PREF]);
	source = get_ipv6(a[RTA_PREFSRC]);
	if (!leads_over(a, header, line->index, &flags) ||
	    (line->uplink->has_route6 &&
	     (metric > line->metric6 ||
	      (metric == line->metric6 && preference <= line->preference6))))
		return 0;
	line->uplink->has_route6 = true;
	line->uplink->gateway6 = get_ipv6(a[RTA_GATEWAY]);
	line->uplink->onlink6 = flags & RTNH_F_ONLINK;
	line->uplink->source6 = source;
	line->metric6 = metric;
	line->preference6 = preference;
	return 0;
}

static int default_read(struct kernel *kernel, struct line *line, uint8_t family, message_step take)
{
	struct rtmsg header = {
	    .rtm_family = family, .rtm_table = RT_TABLE_MAIN, .rtm_type = RTN_UNICAST};
	struct nl_msg *m = request(RTM_GETROUTE, &header, sizeof(header), RTA_OIF, line->index);

	return m ? channel_dump(&kernel->route, m, take, line) : -TUYEN_ENOMEM;
}

/* ---- addresses ----------------------------------------------------------------------------- */

static int address_take(const struct nlmsghdr *message, void *context)
{
	struct line *line = context;
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *a[IFA_MAX + 1];

	if (parse(message, sizeof(*header), a, IFA_MAX) == 0 && header->ifa_family == AF_INET &&
	    header->ifa_index == line->index && get_ipv4(a[IFA_LOCAL]))
		node_uplink_address_add(line->uplink, get_ipv4(a[IFA_LOCAL]));
	return 0;
}

/* IFA_LOCAL where the other end has an address too. One that is not tried yet (RFC 4862), or that another has, is none. */
static int address6_take(const struct nlmsghdr *message, void *context)
{
	struct line *line = context;
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct nlattr *a[IFA_MAX + 1];
	struct ipv6 address;

	if (parse(message, sizeof(*header), a, IFA_MAX) < 0 || header->ifa_family != AF_INET6 ||
	    header->ifa_index != line->index || header->ifa_scope == RT_SCOPE_LINK ||
	    header->ifa_flags & (IFA_F_DADFAILED | IFA_F_TENTATIVE))
		return 0;
	address = get_ipv6(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS]);
	if (!ipv6_is_none(&address))
		node_uplink_address6_add(line->uplink, &address);
	return 0;
}

static int addresses_read(struct kernel *kernel, struct line *line, uint8_t family,
			  message_step take)
{
	struct ifaddrmsg header = {.ifa_family = family, .ifa_index = line->index};
	struct nl_msg *m = request(RTM_GETADDR, &header, sizeof(header), 0, 0);

	return m ? channel_dump(&kernel->route, m, take, line) : -TUYEN_ENOMEM;
}

/* ---- counters ------------------------------------------------------------------------------ */

static int counters_take(const struct nlmsghdr *message, void *context)
{
	struct node_uplink *u = context;
	struct nlattr *a[IFLA_MAX + 1];
	struct rtnl_link_stats64 stats;

	if (message->nlmsg_type != RTM_NEWLINK ||
	    parse(message, sizeof(struct ifinfomsg), a, IFLA_MAX) < 0 || !a[IFLA_STATS64] ||
	    nla_len(a[IFLA_STATS64]) < (int)offsetof(struct rtnl_link_stats64, rx_errors))
		return 0;
	nla_memcpy(&stats, a[IFLA_STATS64], sizeof(stats));
	u->received_bytes = stats.rx_bytes;
	u->sent_bytes = stats.tx_bytes;
	u->counted = true;
	return 0;
}

/* Nothing else waits for them: without an answer they are not known. */
static void counters_read(struct kernel *kernel, struct line *line)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)line->index};
	struct nl_msg *m = request(RTM_GETLINK, &header, sizeof(header), 0, 0);

	if (m)
		(void)channel_ask(&kernel->route, m, counters_take, line->uplink);
}

/* ---- one line, and all --------------------------------------------------------------------- */

static void facts_clear(struct node_uplink *u)
{
	u->has_route = u->strict = u->counted = false;
	u->received_bytes = u->sent_bytes = 0;
	u->gateway = u->source = 0;
	u->address_count = u->address6_count = 0;
	memset(u->address, 0, sizeof(u->address));
	u->has_route6 = false;
	u->onlink6 = false;
	memset(&u->gateway6, 0, sizeof(u->gateway6));
	memset(&u->source6, 0, sizeof(u->source6));
	memset(u->address6, 0, sizeof(u->address6));
}

static bool strict_read(const char *device)
{
	char path[64];
	uint32_t value;

	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", device);
	return sysctl_get(path, &value) == 0 && value == 1;
}

static int line_read(struct kernel *kernel, struct node_uplink *uplink, bool ipv6)
{
	struct line line = {.uplink = uplink};
	int index = links_refresh(kernel, uplink->device), err;

	facts_clear(uplink);
	if (index <= 0)
		return index;
	line.index = (uint32_t)index;
	err = default_read(kernel, &line, AF_INET, default_take);
	if (!err)
		err = addresses_read(kernel, &line, AF_INET, address_take);
	if (!err && ipv6)
		err = default_read(kernel, &line, AF_INET6, default6_take);
	if (!err && ipv6)
		err = addresses_read(kernel, &line, AF_INET6, address6_take);
	if (err == -TUYEN_ESYSTEM && errno == ENODEV) {
		facts_clear(uplink);
		return 0;
	}
	uplink->strict = !err && strict_read(uplink->device);
	if (!err)
		counters_read(kernel, &line);
	return err;
}

static bool has_ipv6(void)
{
	uint32_t value;

	return sysctl_get("net/ipv6/conf/lo/disable_ipv6", &value) == 0;
}

/* A dump that was interrupted is begun anew. */
static int line_read_whole(struct kernel *kernel, struct node_uplink *uplink, bool ipv6)
{
	int err = -TUYEN_EAGAIN;

	for (int tries = 0; err == -TUYEN_EAGAIN && tries < DUMP_TRIES; tries++)
		err = line_read(kernel, uplink, ipv6);
	return err;
}

int kernel_uplinks(struct kernel *kernel, struct node_uplinks *uplinks, struct reason *reason)
{
	struct node_uplinks now = *uplinks;
	int err = 0;

	if (now.count)
		events_watch_ipv6(kernel);
	now.ipv6 = has_ipv6();
	for (size_t i = 0; !err && i < now.count; i++)
		err = line_read_whole(kernel, &now.entry[i], now.ipv6);
	if (err)
		return reason_set(reason, err, "cannot read the routes of the uplinks: %s",
				  err == -TUYEN_ESYSTEM ? strerror(errno) : tuyen_strerror(err));
	*uplinks = now;
	return 0;
}

/* ---- next hops ----------------------------------------------------------------------------- */

struct next_hop {
	ipv4_t gateway;
	uint32_t ifindex;
};

static int next_hop_take(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct next_hop *hop = context;
	struct nlattr *a[RTA_MAX + 1];

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    parse(message, sizeof(*header), a, RTA_MAX) != 0 || header->rtm_family != AF_INET)
		return 0;
	hop->gateway = get_ipv4(a[RTA_GATEWAY]);
	hop->ifindex = a[RTA_OIF] ? nla_get_u32(a[RTA_OIF]) : 0;
	return 0;
}

/* What the kernel answers where no route leads: none, unreachable, prohibit, blackhole. */
static bool no_way(int error)
{
	return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EINVAL;
}

int kernel_next_hop(struct kernel *kernel, ipv4_t destination, ipv4_t *ret_gateway,
		    uint32_t *ret_ifindex)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_dst_len = 32};
	struct nl_msg *m =
	    request(RTM_GETROUTE, &header, sizeof(header), RTA_DST, htonl(destination));
	struct next_hop hop = {0};
	int error;

	if (!m)
		return -TUYEN_ENOMEM;
	error = channel_ask(&kernel->route, m, next_hop_take, &hop);
	if (error && !no_way(error)) {
		errno = error;
		return -TUYEN_ESYSTEM;
	}
	*ret_gateway = error ? 0 : hop.gateway;
	*ret_ifindex = error ? 0 : hop.ifindex;
	return 0;
}

/* ---- the network behind the box ------------------------------------------------------------ */

struct way {
	bool own; /* the address is the box's own */
	bool there;
	int index; /* of the device that it leads to */
};

static int way_take(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct nlattr *a[RTA_MAX + 1];
	struct way *way = context;

	if (message->nlmsg_type != RTM_NEWROUTE || parse(message, sizeof(*header), a, RTA_MAX) < 0)
		return 0;
	way->index = a[RTA_OIF] ? (int)nla_get_u32(a[RTA_OIF]) : 0;
	way->own = header->rtm_type == RTN_LOCAL || header->rtm_type == RTN_BROADCAST;
	way->there = header->rtm_type == RTN_UNICAST && header->rtm_dst_len &&
		     !(header->rtm_flags & FLAGS_OF_NO_USE);
	return 0;
}

static int way_ask(struct kernel *kernel, ipv4_t destination, struct way *ret_way)
{
	struct rtmsg header = {
	    .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_flags = RTM_F_FIB_MATCH};
	struct nl_msg *m =
	    request(RTM_GETROUTE, &header, sizeof(header), RTA_DST, htonl(destination));
	int error;

	*ret_way = (struct way){.there = false};
	if (!m)
		return -TUYEN_ENOMEM;
	error = channel_ask(&kernel->route, m, way_take, ret_way);
	if (!error || no_way(error))
		return 0;
	errno = error;
	return -TUYEN_ESYSTEM;
}

struct lan {
	struct ipv4_prefix prefix;
	bool there;
};

/* A route to the network, or to a part of it. */
static int lan_take(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = nlmsg_data(message);
	struct lan *lan = context;
	struct nlattr *a[RTA_MAX + 1];

	if (lan->there || parse(message, sizeof(*header), a, RTA_MAX) < 0 || !a[RTA_DST] ||
	    header->rtm_family != AF_INET || header->rtm_type != RTN_UNICAST ||
	    header->rtm_table != RT_TABLE_MAIN || header->rtm_protocol == TUYEN_RTPROTO ||
	    !header->rtm_dst_len || header->rtm_flags & FLAGS_OF_NO_USE)
		return 0;
	lan->there = ipv4_prefix_overlaps(
	    lan->prefix, (struct ipv4_prefix){get_ipv4(a[RTA_DST]), header->rtm_dst_len});
	return 0;
}

/* All of main is looked through: only where the addresses that were asked for have no way. */
static int lan_find(struct kernel *kernel, struct ipv4_prefix prefix, bool *ret_there)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN};
	struct nl_msg *m = request(RTM_GETROUTE, &header, sizeof(header), 0, 0);
	struct lan lan = {.prefix = prefix};
	int err = m ? channel_dump(&kernel->route, m, lan_take, &lan) : -TUYEN_ENOMEM;

	*ret_there = lan.there;
	return err;
}

/* By the first of some of its addresses that is not the box's own. */
static int lan_way(struct kernel *kernel, struct ipv4_prefix lan, struct way *ret_way)
{
	uint32_t size = lan.length ? UINT32_C(1) << (32 - lan.length) : 0;
	ipv4_t ask[3] = {lan.address + (size > 2), lan.address + size - 1 - (size > 2),
			 lan.address + size / 2};
	int err = 0;

	*ret_way = (struct way){.own = true};
	for (size_t i = 0; i < 3 && ret_way->own && !err; i++)
		err = way_ask(kernel, ask[i], ret_way);
	return err;
}

int kernel_lan_over(struct kernel *kernel, struct ipv4_prefix lan, uint32_t ifindex, bool *ret_over)
{
	struct way way;
	int err = lan_way(kernel, lan, &way);

	*ret_over = !err && way.there && way.index == (int)ifindex;
	return err;
}

int kernel_lan_closed(struct kernel *kernel, struct ipv4_prefix lan,
		      char ret_device[static KERNEL_IFNAME_MAX])
{
	char path[64];
	struct way way;
	uint32_t value;
	int err = lan_way(kernel, lan, &way);
	const char *device = err || !way.there ? "" : links_name(kernel, way.index);

	if (err)
		return err;
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/forwarding", device);
	if (!*device || sysctl_get(path, &value) != 0 || value)
		device = "";
	snprintf(ret_device, KERNEL_IFNAME_MAX, "%s", device);
	return 0;
}

int kernel_address_own(struct kernel *kernel, ipv4_t address, bool *ret_own)
{
	struct way way;
	int err = way_ask(kernel, address, &way);

	*ret_own = !err && way.own;
	return err;
}

int kernel_leads_over(struct kernel *kernel, ipv4_t destination, uint32_t ifindex, bool *ret_over)
{
	struct way way;
	int err = way_ask(kernel, destination, &way);

	*ret_over = !err && way.index == (int)ifindex;
	return err;
}

int kernel_device_is_default(struct kernel *kernel, const char *device, bool *ret_default)
{
	struct node_uplink line = {.device = ""};
	int err;

	snprintf(line.device, sizeof(line.device), "%s", device);
	err = line_read_whole(kernel, &line, has_ipv6());
	*ret_default = !err && (line.has_route || line.has_route6);
	return err;
}

int kernel_lan_there(struct kernel *kernel, struct ipv4_prefix lan, bool *ret_there)
{
	struct way way;
	int err = lan_way(kernel, lan, &way);

	if (err)
		return err;
	*ret_there = way.there || way.own;
	return *ret_there ? 0 : lan_find(kernel, lan, ret_there);
}
