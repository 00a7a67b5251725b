/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rtnetlink requests, one function an object.
 *
 * A route is added with NLM_F_EXCL and changed with NLM_F_REPLACE: a change is one message, in
 * which the old route serves until the new one does, and an addition never takes the place of
 * somebody else's route: one to a neighbour, and one that throws, come before it. A device carries
 * our group from the message that creates it, because the kernel takes the alias only in a second
 * one: a daemon that dies between the two still knows it as its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"
#include "tuyen/core/desired.h"

uint32_t label_entry(uint32_t label, bool bottom)
{
	return htonl(label << 12 | (bottom ? 0x100u : 0));
}

void stack_encode(const struct label_stack *stack, uint32_t ret_entries[static LABEL_STACK_MAX])
{
	for (unsigned int i = 0; i < stack->depth; i++)
		ret_entries[i] = label_entry(stack->label[i], i + 1u == stack->depth);
}

bool stack_decode(const void *bytes, size_t length, struct label_stack *ret_stack)
{
	struct label_stack stack = {0};
	uint32_t entry;

	if (length == 0 || length % sizeof(entry) || length / sizeof(entry) > LABEL_STACK_MAX)
		return false;
	for (size_t i = 0; i < length / sizeof(entry); i++) {
		memcpy(&entry, (const char *)bytes + i * sizeof(entry), sizeof(entry));
		stack.label[stack.depth++] = ntohl(entry) >> 12;
	}
	*ret_stack = stack;
	return true;
}

struct nl_msg *message_new(int type, int flags, const void *header, size_t length)
{
	struct nl_msg *message = nlmsg_alloc_size(MESSAGE_BYTES);
	void *room;

	if (!message)
		return NULL;
	nlmsg_put(message, 0, 0, type, 0, flags); /* there is room */
	room = nlmsg_reserve(message, length, NLMSG_ALIGNTO);
	if (!room) {
		nlmsg_free(message);
		return NULL;
	}
	memcpy(room, header, length);
	return message;
}

struct nl_msg *message_done(struct nl_msg *message, int failed)
{
	if (!failed)
		return message;
	nlmsg_free(message);
	errno = ENOMEM;
	return NULL;
}

static int put_ipv4(struct nl_msg *message, int attribute, ipv4_t address)
{
	return nla_put_u32(message, attribute, htonl(address));
}

static int verb_type(enum plan_verb verb, int add, int del)
{
	return verb == PLAN_REMOVE ? del : add;
}

static int verb_flags(enum plan_verb verb)
{
	switch (verb) {
	case PLAN_ADD:
		return NLM_F_CREATE | NLM_F_EXCL;
	case PLAN_CHANGE:
		return NLM_F_CREATE | NLM_F_REPLACE;
	case PLAN_REMOVE:
		return 0;
	}
	return 0;
}

/* @return its index; 0 and errno when there is no such device. */
static int device_index(const struct kernel *kernel, const char *name)
{
	int index = links_index(kernel, name);

	if (!index)
		errno = ENODEV;
	return index;
}

struct nl_msg *message_address(const struct kernel *kernel, enum plan_verb verb,
			       const struct kernel_address *address)
{
	int index = device_index(kernel, address->device);
	struct ifaddrmsg header = {
	    .ifa_family = AF_INET,
	    .ifa_prefixlen = address->prefix.length,
	    .ifa_scope = RT_SCOPE_UNIVERSE,
	    .ifa_index = (uint32_t)index,
	};
	struct nl_msg *m;
	int failed;

	if (!index)
		return NULL;
	m = message_new(verb_type(verb, RTM_NEWADDR, RTM_DELADDR), verb_flags(verb), &header,
			sizeof(header));
	if (!m)
		return NULL;
	failed = put_ipv4(m, IFA_LOCAL, address->prefix.address) ||
		 put_ipv4(m, IFA_ADDRESS, address->prefix.address);
	if (verb != PLAN_REMOVE)
		failed = failed || nla_put_u8(m, IFA_PROTO, TUYEN_RTPROTO);
	return message_done(m, failed);
}

static int put_metrics(struct nl_msg *m, uint16_t mtu)
{
	struct nlattr *nest;

	if (!mtu)
		return 0;
	nest = nla_nest_start(m, RTA_METRICS);
	if (!nest || nla_put_u32(m, RTAX_MTU, mtu))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_encap(struct nl_msg *m, const struct label_stack *stack)
{
	uint32_t entries[LABEL_STACK_MAX];
	struct nlattr *nest;

	if (!stack->depth)
		return 0;
	stack_encode(stack, entries);
	if (nla_put_u16(m, RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_MPLS))
		return -1;
	nest = nla_nest_start(m, RTA_ENCAP);
	if (!nest || nla_put(m, MPLS_IPTUNNEL_DST, stack->depth * 4, entries))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_route(struct nl_msg *m, const struct kernel_route *route, int index)
{
	if (index && nla_put_u32(m, RTA_OIF, (uint32_t)index))
		return -1;
	if (route->gateway && put_ipv4(m, RTA_GATEWAY, route->gateway))
		return -1;
	if (route->source && put_ipv4(m, RTA_PREFSRC, route->source))
		return -1;
	return put_encap(m, &route->push) || put_metrics(m, route->mtu);
}

static unsigned char route_type(enum kernel_route_type type)
{
	switch (type) {
	case KERNEL_ROUTE_UNICAST:
		return RTN_UNICAST;
	case KERNEL_ROUTE_UNREACHABLE:
		return RTN_UNREACHABLE;
	case KERNEL_ROUTE_THROW:
		return RTN_THROW;
	}
	return RTN_UNSPEC;
}

/*
 * One that throws comes before what has its key, which stays: it must never take its place. So does one to a neighbour over its link
 * where none of ours is: a lease may bring a route to any address, and another carrier's line must not be the end of this link.
 */
static int route_flags(enum plan_verb verb, const struct kernel_route *route)
{
	bool first = route->type == KERNEL_ROUTE_THROW
			 ? verb != PLAN_REMOVE
			 : verb == PLAN_ADD && desired_is_link_device(route->device);

	return first ? NLM_F_CREATE : verb_flags(verb);
}

/* What is looked for on the link alone must not pass one that throws by: it has the scope of an address of the box. */
static unsigned char route_scope(enum plan_verb verb, const struct kernel_route *route)
{
	if (route->link_scope)
		return RT_SCOPE_LINK;
	if (verb == PLAN_REMOVE)
		return RT_SCOPE_NOWHERE;
	return route->type == KERNEL_ROUTE_THROW ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
}

struct nl_msg *message_route(const struct kernel *kernel, enum plan_verb verb,
			     const struct kernel_route *route)
{
	int index = *route->device ? device_index(kernel, route->device) : 0;
	struct rtmsg header = {
	    .rtm_family = AF_INET,
	    .rtm_dst_len = route->destination.length,
	    .rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC,
	    .rtm_protocol = TUYEN_RTPROTO,
	    .rtm_scope = route_scope(verb, route),
	    .rtm_type = route_type(route->type),
	    .rtm_flags = route->gateway ? RTNH_F_ONLINK : 0,
	};
	struct nl_msg *m;
	int failed;

	if (*route->device && !index)
		return NULL;
	m = message_new(verb_type(verb, RTM_NEWROUTE, RTM_DELROUTE), route_flags(verb, route),
			&header, sizeof(header));
	if (!m)
		return NULL;
	failed = put_ipv4(m, RTA_DST, route->destination.address) ||
		 nla_put_u32(m, RTA_TABLE, route->table) ||
		 (route->metric && nla_put_u32(m, RTA_PRIORITY, route->metric));
	if (verb != PLAN_REMOVE)
		failed = failed || put_route(m, route, index);
	return message_done(m, failed);
}

struct nl_msg *message_stray_remove(const struct kernel_stray *stray)
{
	const struct kernel_route *route = &stray->route;
	struct rtmsg header = {
	    .rtm_family = AF_INET,
	    .rtm_dst_len = route->destination.length,
	    .rtm_tos = stray->tos,
	    .rtm_protocol = stray->protocol,
	    .rtm_scope = RT_SCOPE_NOWHERE,
	    .rtm_type = stray->type,
	};
	struct nl_msg *m = message_new(RTM_DELROUTE, 0, &header, sizeof(header));

	if (!m)
		return NULL;
	return message_done(m, put_ipv4(m, RTA_DST, route->destination.address) ||
				   nla_put_u32(m, RTA_TABLE, route->table) ||
				   (route->metric && nla_put_u32(m, RTA_PRIORITY, route->metric)));
}

struct nl_msg *message_label(const struct kernel *kernel, enum plan_verb verb,
			     const struct kernel_label_route *label)
{
	int index = device_index(kernel, label->device);
	struct rtmsg header = {
	    .rtm_family = AF_MPLS,
	    .rtm_dst_len = 20,
	    .rtm_table = RT_TABLE_MAIN,
	    .rtm_protocol = TUYEN_RTPROTO,
	    .rtm_scope = RT_SCOPE_UNIVERSE,
	    .rtm_type = RTN_UNICAST,
	};
	uint32_t entries[LABEL_STACK_MAX];
	struct nl_msg *m;
	int failed;

	if (!index)
		return NULL;
	m = message_new(verb_type(verb, RTM_NEWROUTE, RTM_DELROUTE), verb_flags(verb), &header,
			sizeof(header));
	if (!m)
		return NULL;
	stack_encode(&label->out, entries);
	failed = nla_put_u32(m, RTA_DST, label_entry(label->in_label, true)) ||
		 nla_put_u32(m, RTA_OIF, (uint32_t)index);
	if (label->out.depth && verb != PLAN_REMOVE)
		failed = failed || nla_put(m, RTA_NEWDST, label->out.depth * 4, entries);
	return message_done(m, failed);
}

/* Of either family. @source  of the rule's source's length in bits. */
static struct nl_msg *rule_message(enum plan_verb verb, uint8_t family,
				   const struct kernel_rule *key, const void *source,
				   size_t source_bytes)
{
	struct fib_rule_hdr header = {
	    .family = family,
	    .src_len = key->source.length,
	    .table = key->table < 256 ? (uint8_t)key->table : RT_TABLE_UNSPEC,
	    .action = FR_ACT_TO_TBL,
	};
	struct nl_msg *m = message_new(verb_type(verb, RTM_NEWRULE, RTM_DELRULE), verb_flags(verb),
				       &header, sizeof(header));
	int failed;

	if (!m)
		return NULL;
	failed = nla_put_u32(m, FRA_PRIORITY, key->priority) ||
		 nla_put_u32(m, FRA_TABLE, key->table) ||
		 nla_put_u8(m, FRA_PROTOCOL, TUYEN_RTPROTO);
	if (key->source.length)
		failed = failed || nla_put(m, FRA_SRC, (int)source_bytes, source);
	if (key->fwmask)
		failed = failed || nla_put_u32(m, FRA_FWMARK, key->fwmark) ||
			 nla_put_u32(m, FRA_FWMASK, key->fwmask);
	return message_done(m, failed);
}

struct nl_msg *message_rule(enum plan_verb verb, const struct kernel_rule *rule)
{
	uint32_t source = htonl(rule->source.address);

	return rule_message(verb, AF_INET, rule, &source, sizeof(source));
}

struct nl_msg *message_rule6(enum plan_verb verb, const struct kernel_rule6 *rule)
{
	const struct kernel_rule key = {.priority = rule->priority,
					.fwmark = rule->fwmark,
					.fwmask = rule->fwmask,
					.source = {.length = rule->source.length},
					.table = rule->table};

	return rule_message(verb, AF_INET6, &key, rule->source.address.byte,
			    sizeof(rule->source.address.byte));
}

static int put_ipv6(struct nl_msg *m, int attribute, const struct ipv6 *address)
{
	return nla_put(m, attribute, sizeof(address->byte), address->byte);
}

struct nl_msg *message_route6(const struct kernel *kernel, enum plan_verb verb,
			      const struct kernel_route6 *route)
{
	int index = *route->device ? device_index(kernel, route->device) : 0;
	bool gateway = !ipv6_is_none(&route->gateway);
	struct rtmsg header = {
	    .rtm_family = AF_INET6,
	    .rtm_dst_len = route->destination.length,
	    .rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC,
	    .rtm_protocol = TUYEN_RTPROTO,
	    .rtm_scope = RT_SCOPE_UNIVERSE,
	    .rtm_type = route_type(route->type),
	    .rtm_flags = gateway && route->onlink ? RTNH_F_ONLINK : 0,
	};
	struct nl_msg *m;
	int failed;

	if (*route->device && !index)
		return NULL;
	m = message_new(verb_type(verb, RTM_NEWROUTE, RTM_DELROUTE), verb_flags(verb), &header,
			sizeof(header));
	if (!m)
		return NULL;
	failed = put_ipv6(m, RTA_DST, &route->destination.address) ||
		 nla_put_u32(m, RTA_TABLE, route->table) ||
		 nla_put_u32(m, RTA_PRIORITY, route->metric);
	if (index)
		failed = failed || nla_put_u32(m, RTA_OIF, (uint32_t)index);
	if (gateway)
		failed = failed || put_ipv6(m, RTA_GATEWAY, &route->gateway);
	if (verb != PLAN_REMOVE && !ipv6_is_none(&route->source))
		failed = failed || put_ipv6(m, RTA_PREFSRC, &route->source);
	return message_done(m, failed);
}

static int put_tunnel(struct nl_msg *m, const struct kernel_device *device)
{
	struct nlattr *nest;

	if (device->kind != KERNEL_DEVICE_MPLS_IN_IP)
		return 0;
	nest = nla_nest_start(m, IFLA_INFO_DATA);
	if (!nest || put_ipv4(m, IFLA_IPTUN_LOCAL, device->local) ||
	    put_ipv4(m, IFLA_IPTUN_REMOTE, device->remote) ||
	    nla_put_u8(m, IFLA_IPTUN_TTL, device->ttl) || nla_put_u8(m, IFLA_IPTUN_PMTUDISC, 1) ||
	    nla_put_u8(m, IFLA_IPTUN_PROTO, IPPROTO_MPLS))
		return -1;
	return nla_nest_end(m, nest);
}

static int put_kind(struct nl_msg *m, const struct kernel_device *device)
{
	const char *kind = device->kind == KERNEL_DEVICE_WIREGUARD ? "wireguard" : "ipip";
	struct nlattr *nest = nla_nest_start(m, IFLA_LINKINFO);

	if (!nest || nla_put_string(m, IFLA_INFO_KIND, kind) || put_tunnel(m, device))
		return -1;
	return nla_nest_end(m, nest);
}

struct nl_msg *message_device_new(const struct kernel_device *device)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m =
	    message_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));

	if (!m)
		return NULL;
	return message_done(m, nla_put_string(m, IFLA_IFNAME, device->name) ||
				   nla_put_u32(m, IFLA_GROUP, TUYEN_GROUP) ||
				   nla_put_u32(m, IFLA_MTU, device->mtu) || put_kind(m, device));
}

struct nl_msg *message_device_set(const struct kernel_device *device, int index)
{
	struct ifinfomsg header = {
	    .ifi_family = AF_UNSPEC,
	    .ifi_index = index,
	    .ifi_change = IFF_UP,
	    .ifi_flags = device->up ? IFF_UP : 0,
	};
	struct nl_msg *m = message_new(RTM_NEWLINK, 0, &header, sizeof(header));

	if (!m)
		return NULL;
	if (device->kind == KERNEL_DEVICE_LOOPBACK)
		return m;
	return message_done(m, nla_put_string(m, IFLA_IFALIAS, device->alias) ||
				   nla_put_u32(m, IFLA_MTU, device->mtu) ||
				   nla_put_u32(m, IFLA_MASTER, device->master));
}

struct nl_msg *message_device_delete(int index)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index};

	return message_new(RTM_DELLINK, 0, &header, sizeof(header));
}
