/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actual state, from raw dumps: libnl's caches are six times slower and wrong at times. Routes are
 * filtered by the kernel (strict checking, our protocol); a kernel that does not filter sends all,
 * and the same test is made here again.
 *
 * Ours is a device with our alias, or with our group: it has no alias yet (see message.c), or
 * somebody gave it another, which is no reason to leave what hangs on it as it is. An address is
 * ours by its protocol (kernel 5.18), or because it is one that is wanted: put there by hand, it
 * serves as well. So does a rule.
 *
 * A route that somebody else put where one of ours should stand is not seen, for the kernel sends ours alone: a host
 * may have a million others. Of our own tables see stray.c; in the main table it is left, and said. When a label route is
 * refused because of it, or a route of IPv6, readings look at all (kernel->wide) until the next apply, and it is replaced.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

struct reading {
	struct kernel *kernel;
	const struct kernel_state *desired;
	struct kernel_state *state;
};

static int parse(const struct nlmsghdr *message, int header, struct nlattr *attributes[], int max)
{
	return nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, header, attributes, max, NULL);
}

static int dump(struct kernel *kernel, int type, const void *header, size_t length,
		message_step step, void *context)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	if (!m)
		return -TUYEN_ENOMEM;
	if (nlmsg_append(m, (void *)(uintptr_t)header, length, NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	return channel_dump(&kernel->route, m, step, context);
}

static void name_take(const struct reading *reading, char out[static KERNEL_IFNAME_MAX],
		      const struct nlattr *index)
{
	snprintf(out, KERNEL_IFNAME_MAX, "%s",
		 index ? links_name(reading->kernel, (int)nla_get_u32(index)) : "");
}

static bool device_marked(struct nlattr *alias, struct nlattr *group)
{
	return (group && nla_get_u32(group) == TUYEN_GROUP) ||
	       (alias && strncmp(nla_get_string(alias), TUYEN_IFALIAS_PREFIX,
				 strlen(TUYEN_IFALIAS_PREFIX)) == 0);
}

static int ours_take(const struct nlmsghdr *message, void *context)
{
	struct nlattr *a[IFLA_MAX + 1];

	if (parse(message, sizeof(struct ifinfomsg), a, IFLA_MAX) == 0)
		*(bool *)context = device_marked(a[IFLA_IFALIAS], a[IFLA_GROUP]);
	return 0;
}

bool device_is_ours(struct kernel *kernel, const char *name)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);
	bool ours = false;

	if (!m)
		return false;
	if (nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO) ||
	    nla_put_string(m, IFLA_IFNAME, name)) {
		nlmsg_free(m);
		return false;
	}
	return channel_ask(&kernel->route, m, ours_take, &ours) == 0 && ours;
}

/* @return false for a kind that is never ours. */
static bool kind_take(struct kernel_device *device, struct nlattr *link_info)
{
	struct nlattr *info[IFLA_INFO_MAX + 1], *tunnel[IFLA_IPTUN_MAX + 1];

	if (!link_info || nla_parse_nested(info, IFLA_INFO_MAX, link_info, NULL) < 0 ||
	    !info[IFLA_INFO_KIND])
		return false;
	if (strcmp(nla_get_string(info[IFLA_INFO_KIND]), "wireguard") == 0) {
		device->kind = KERNEL_DEVICE_WIREGUARD;
		return true;
	}
	if (strcmp(nla_get_string(info[IFLA_INFO_KIND]), "ipip") || !info[IFLA_INFO_DATA] ||
	    nla_parse_nested(tunnel, IFLA_IPTUN_MAX, info[IFLA_INFO_DATA], NULL) < 0)
		return false;
	device->kind = KERNEL_DEVICE_MPLS_IN_IP;
	device->local = get_ipv4(tunnel[IFLA_IPTUN_LOCAL]);
	device->remote = get_ipv4(tunnel[IFLA_IPTUN_REMOTE]);
	device->ttl = tunnel[IFLA_IPTUN_TTL] ? nla_get_u8(tunnel[IFLA_IPTUN_TTL]) : 0;
	return tunnel[IFLA_IPTUN_PROTO] && nla_get_u8(tunnel[IFLA_IPTUN_PROTO]) == IPPROTO_MPLS;
}

static void counters_take(struct kernel_device *device, const struct nlattr *stats)
{
	struct rtnl_link_stats64 counters = {0};
	size_t length = stats ? (size_t)nla_len(stats) : 0;

	if (length > sizeof(counters))
		length = sizeof(counters);
	if (length)
		memcpy(&counters, nla_data(stats), length);
	device->rx_bytes = counters.rx_bytes;
	device->tx_bytes = counters.tx_bytes;
}

/* One beyond 16 bits is none that is wanted, and not what its lower half says. */
static uint16_t mtu_get(const struct nlattr *mtu)
{
	uint32_t value = mtu ? nla_get_u32(mtu) : 0;

	return value < UINT16_MAX ? (uint16_t)value : UINT16_MAX;
}

static void device_fill(struct kernel_device *device, const struct ifinfomsg *header,
			struct nlattr *a[])
{
	char path[64];
	uint32_t value;

	device->ifindex = (uint32_t)header->ifi_index;
	device->up = header->ifi_flags & IFF_UP;
	device->mtu = mtu_get(a[IFLA_MTU]);
	device->master = a[IFLA_MASTER] ? nla_get_u32(a[IFLA_MASTER]) : 0;
	if (a[IFLA_IFALIAS])
		snprintf(device->alias, sizeof(device->alias), "%s",
			 nla_get_string(a[IFLA_IFALIAS]));
	counters_take(device, a[IFLA_STATS64]);
	snprintf(path, sizeof(path), "net/mpls/conf/%s/input", device->name);
	device->mpls_input = sysctl_get(path, &value) == 0 && value == 1;
}

static int device_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct ifinfomsg *header = nlmsg_data(message);
	struct kernel_device *device;
	struct nlattr *a[IFLA_MAX + 1];
	const char *name;
	bool ours;

	if (parse(message, sizeof(*header), a, IFLA_MAX) < 0 || !a[IFLA_IFNAME])
		return 0;
	name = nla_get_string(a[IFLA_IFNAME]);
	ours = device_marked(a[IFLA_IFALIAS], a[IFLA_GROUP]);
	if (!ours && !kernel_state_device(reading->desired, name))
		return 0;
	device = kernel_state_add_device(reading->state);
	if (!device)
		return -TUYEN_ENOMEM;
	snprintf(device->name, sizeof(device->name), "%s", name);
	if (header->ifi_type == ARPHRD_LOOPBACK)
		device->kind = KERNEL_DEVICE_LOOPBACK;
	else
		device->foreign = !kind_take(device, a[IFLA_LINKINFO]) || !ours;
	device_fill(device, header, a);
	return 0;
}

int read_devices(struct kernel *kernel, const struct kernel_state *desired,
		 struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};

	return dump(kernel, RTM_GETLINK, &header, sizeof(header), device_take, &reading);
}

static bool address_wanted(const struct kernel_state *desired, const struct kernel_address *address)
{
	return desired->address_count &&
	       bsearch(address, desired->addresses, desired->address_count, sizeof(*address),
		       kernel_address_compare);
}

static int address_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct kernel_address address = {0}, *entry;
	struct nlattr *a[IFA_MAX + 1];
	bool ours;

	if (parse(message, sizeof(*header), a, IFA_MAX) < 0 || header->ifa_family != AF_INET)
		return 0;
	snprintf(address.device, sizeof(address.device), "%s",
		 links_name(reading->kernel, (int)header->ifa_index));
	address.prefix.address = get_ipv4(a[IFA_LOCAL]);
	address.prefix.length = header->ifa_prefixlen;
	ours = a[IFA_PROTO] && nla_get_u8(a[IFA_PROTO]) == TUYEN_RTPROTO;
	if (!ours && !address_wanted(reading->desired, &address))
		return 0;
	entry = kernel_state_add_address(reading->state);
	if (!entry)
		return -TUYEN_ENOMEM;
	*entry = address;
	return 0;
}

int read_addresses(struct kernel *kernel, const struct kernel_state *desired,
		   struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct ifaddrmsg header = {.ifa_family = AF_INET};

	return dump(kernel, RTM_GETADDR, &header, sizeof(header), address_take, &reading);
}

static void push_take(struct label_stack *stack, const struct nlattr *type, struct nlattr *encap)
{
	struct nlattr *a[MPLS_IPTUNNEL_MAX + 1];

	if (!type || nla_get_u16(type) != LWTUNNEL_ENCAP_MPLS || !encap ||
	    nla_parse_nested(a, MPLS_IPTUNNEL_MAX, encap, NULL) < 0 || !a[MPLS_IPTUNNEL_DST])
		return;
	stack_decode(nla_data(a[MPLS_IPTUNNEL_DST]), (size_t)nla_len(a[MPLS_IPTUNNEL_DST]), stack);
}

static uint16_t mtu_take(struct nlattr *metrics)
{
	struct nlattr *a[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(a, RTAX_MAX, metrics, NULL) < 0)
		return 0;
	return mtu_get(a[RTAX_MTU]);
}

static int route_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct kernel_route *route;
	struct nlattr *a[RTA_MAX + 1];

	if (parse(message, sizeof(*header), a, RTA_MAX) < 0 || header->rtm_family != AF_INET ||
	    header->rtm_flags & RTM_F_CLONED || header->rtm_protocol != TUYEN_RTPROTO)
		return 0;
	if (header->rtm_tos)
		return stray_add(reading->state, header, a);
	route = kernel_state_add_route(reading->state);
	if (!route)
		return -TUYEN_ENOMEM;
	route->table = a[RTA_TABLE] ? nla_get_u32(a[RTA_TABLE]) : header->rtm_table;
	route->destination.address = get_ipv4(a[RTA_DST]);
	route->destination.length = header->rtm_dst_len;
	route->metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	route->type = header->rtm_type == RTN_UNREACHABLE ? KERNEL_ROUTE_UNREACHABLE
		      : header->rtm_type == RTN_THROW	  ? KERNEL_ROUTE_THROW
							  : KERNEL_ROUTE_UNICAST;
	route->link_scope = header->rtm_scope == RT_SCOPE_LINK;
	if (route->type == KERNEL_ROUTE_UNICAST)
		name_take(reading, route->device, a[RTA_OIF]);
	route->gateway = get_ipv4(a[RTA_GATEWAY]);
	route->source = get_ipv4(a[RTA_PREFSRC]);
	route->mtu = mtu_take(a[RTA_METRICS]);
	push_take(&route->push, a[RTA_ENCAP_TYPE], a[RTA_ENCAP]);
	return 0;
}

int read_routes(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_protocol = TUYEN_RTPROTO};

	return dump(kernel, RTM_GETROUTE, &header, sizeof(header), route_take, &reading);
}

static bool label_in_place(const struct reading *reading, const struct kernel_label_route *label)
{
	const struct kernel_state *desired = reading->desired;

	return reading->kernel->wide && desired->label_count &&
	       bsearch(label, desired->labels, desired->label_count, sizeof(*label),
		       kernel_label_compare);
}

static int label_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct kernel_label_route key = {0}, *label;
	struct nlattr *a[RTA_MAX + 1];
	struct label_stack in;

	if (parse(message, sizeof(*header), a, RTA_MAX) < 0 || header->rtm_family != AF_MPLS ||
	    !a[RTA_DST] || !stack_decode(nla_data(a[RTA_DST]), (size_t)nla_len(a[RTA_DST]), &in))
		return 0;
	key.in_label = in.label[0];
	key.foreign = header->rtm_protocol != TUYEN_RTPROTO;
	if (key.foreign && !label_in_place(reading, &key))
		return 0;
	label = kernel_state_add_label(reading->state);
	if (!label)
		return -TUYEN_ENOMEM;
	*label = key;
	name_take(reading, label->device, a[RTA_OIF]);
	if (a[RTA_NEWDST])
		stack_decode(nla_data(a[RTA_NEWDST]), (size_t)nla_len(a[RTA_NEWDST]), &label->out);
	return 0;
}

/* A kernel without MPLS answers EOPNOTSUPP or with IPv4 routes: there are no label routes then. */
int read_labels(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct rtmsg header = {.rtm_family = AF_MPLS,
			       .rtm_protocol = kernel->wide ? RTPROT_UNSPEC : TUYEN_RTPROTO};
	int err = dump(kernel, RTM_GETROUTE, &header, sizeof(header), label_take, &reading);

	return err == -TUYEN_ESYSTEM && (errno == EOPNOTSUPP || errno == EINVAL) ? 0 : err;
}

/* Does it ask a packet for more than its mark and its source, or do more than lead it to a table? Then it is none of ours. */
static bool rule_is_another(const struct fib_rule_hdr *header, struct nlattr *a[FRA_MAX + 1])
{
	static const int more[] = {
	    FRA_IIFNAME,  FRA_OIFNAME,	   FRA_TUN_ID,	    FRA_L3MDEV, FRA_UID_RANGE,
	    FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE, FRA_DST,	FRA_SUPPRESS_IFGROUP};
	const struct nlattr *suppress = a[FRA_SUPPRESS_PREFIXLEN];

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (a[more[i]])
			return true;
	return header->action != FR_ACT_TO_TBL || header->tos || header->flags & FIB_RULE_INVERT ||
	       (suppress && nla_get_u32(suppress) != UINT32_MAX);
}

/* All of a rule but the address of its source. @return false where it is none of @family, or asks for more. */
static bool rule_parse(const struct nlmsghdr *message, uint8_t family,
		       struct nlattr *a[FRA_MAX + 1], struct kernel_rule *ret_rule)
{
	const struct fib_rule_hdr *header = nlmsg_data(message);

	if (parse(message, sizeof(*header), a, FRA_MAX) < 0 || header->family != family ||
	    rule_is_another(header, a))
		return false;
	*ret_rule = (struct kernel_rule){
	    .priority = a[FRA_PRIORITY] ? nla_get_u32(a[FRA_PRIORITY]) : 0,
	    .fwmark = a[FRA_FWMARK] ? nla_get_u32(a[FRA_FWMARK]) : 0,
	    .fwmask = a[FRA_FWMASK] ? nla_get_u32(a[FRA_FWMASK]) : 0,
	    .source = {.length = header->src_len},
	    .table = a[FRA_TABLE] ? nla_get_u32(a[FRA_TABLE]) : header->table,
	};
	return true;
}

static bool rule_is_ours(struct nlattr *a[FRA_MAX + 1])
{
	return a[FRA_PROTOCOL] && nla_get_u8(a[FRA_PROTOCOL]) == TUYEN_RTPROTO;
}

/* ---- IPv6 ------------------------------------------------------------------------------------ */

static struct ipv6 get_ipv6(const struct nlattr *attribute)
{
	struct ipv6 address = {{0}};

	if (attribute && nla_len(attribute) >= (int)sizeof(address.byte))
		memcpy(address.byte, nla_data(attribute), sizeof(address.byte));
	return address;
}

static bool route6_in_place(const struct reading *reading, const struct kernel_route6 *route)
{
	const struct kernel_state *desired = reading->desired;

	return reading->kernel->wide && desired->route6_count &&
	       bsearch(route, desired->routes6, desired->route6_count, sizeof(*route),
		       kernel_route6_compare);
}

static int route6_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	const struct rtmsg *header = nlmsg_data(message);
	struct kernel_route6 key = {0}, *route;
	struct nlattr *a[RTA_MAX + 1];

	if (parse(message, sizeof(*header), a, RTA_MAX) < 0 || header->rtm_family != AF_INET6 ||
	    header->rtm_flags & RTM_F_CLONED)
		return 0;
	key.table = a[RTA_TABLE] ? nla_get_u32(a[RTA_TABLE]) : header->rtm_table;
	key.destination.address = get_ipv6(a[RTA_DST]);
	key.destination.length = header->rtm_dst_len;
	key.metric = a[RTA_PRIORITY] ? nla_get_u32(a[RTA_PRIORITY]) : 0;
	key.foreign = header->rtm_protocol != TUYEN_RTPROTO;
	if (key.foreign && !route6_in_place(reading, &key))
		return 0;
	route = kernel_state_add_route6(reading->state);
	if (!route)
		return -TUYEN_ENOMEM;
	*route = key;
	route->type =
	    header->rtm_type == RTN_UNREACHABLE ? KERNEL_ROUTE_UNREACHABLE : KERNEL_ROUTE_UNICAST;
	if (route->type == KERNEL_ROUTE_UNICAST)
		name_take(reading, route->device, a[RTA_OIF]);
	route->gateway = get_ipv6(a[RTA_GATEWAY]);
	route->onlink = header->rtm_flags & RTNH_F_ONLINK;
	route->source = get_ipv6(a[RTA_PREFSRC]);
	return 0;
}

/* Who has no IPv6 answers with what else there is, or not at all. */
static int dump6(struct kernel *kernel, int type, const void *header, size_t length,
		 message_step step, struct reading *reading)
{
	int err = dump(kernel, type, header, length, step, reading);

	return err == -TUYEN_ESYSTEM &&
		       (errno == EOPNOTSUPP || errno == EAFNOSUPPORT || errno == EINVAL)
		   ? 0
		   : err;
}

int read_routes6(struct kernel *kernel, const struct kernel_state *desired,
		 struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct rtmsg header = {.rtm_family = AF_INET6,
			       .rtm_protocol = kernel->wide ? RTPROT_UNSPEC : TUYEN_RTPROTO};

	return dump6(kernel, RTM_GETROUTE, &header, sizeof(header), route6_take, &reading);
}

static int rule6_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	struct kernel_rule rule;
	struct kernel_rule6 *entry;
	struct nlattr *a[FRA_MAX + 1];

	if (!rule_parse(message, AF_INET6, a, &rule) || !rule_is_ours(a))
		return 0;
	entry = kernel_state_add_rule6(reading->state);
	if (!entry)
		return -TUYEN_ENOMEM;
	*entry = (struct kernel_rule6){.priority = rule.priority,
				       .fwmark = rule.fwmark,
				       .fwmask = rule.fwmask,
				       .source = {get_ipv6(a[FRA_SRC]), rule.source.length},
				       .table = rule.table};
	return 0;
}

int read_rules6(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct fib_rule_hdr header = {.family = AF_INET6};

	return dump6(kernel, RTM_GETRULE, &header, sizeof(header), rule6_take, &reading);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool rule_wanted(const struct kernel_state *desired, const struct kernel_rule *rule)
{
	return desired->rule_count && bsearch(rule, desired->rules, desired->rule_count,
					      sizeof(*rule), kernel_rule_compare);
}

static int rule_take(const struct nlmsghdr *message, void *context)
{
	const struct reading *reading = context;
	struct kernel_rule rule, *entry;
	struct nlattr *a[FRA_MAX + 1];

	if (!rule_parse(message, AF_INET, a, &rule))
		return 0;
	rule.source.address = get_ipv4(a[FRA_SRC]);
	if (!rule_is_ours(a) && !rule_wanted(reading->desired, &rule))
		return 0;
	entry = kernel_state_add_rule(reading->state);
	if (!entry)
		return -TUYEN_ENOMEM;
	*entry = rule;
	return 0;
}

int read_rules(struct kernel *kernel, const struct kernel_state *desired,
	       struct kernel_state *state)
{
	struct reading reading = {kernel, desired, state};
	struct fib_rule_hdr header = {.family = AF_INET};

	return dump(kernel, RTM_GETRULE, &header, sizeof(header), rule_take, &reading);
}
