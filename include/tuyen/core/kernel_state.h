/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_KERNEL_STATE_H
#define TUYEN_CORE_KERNEL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/ip.h"
#include "tuyen/base/monotime.h"
#include "tuyen/topology/labels.h"

/**
 * What a node keeps in the kernel, desired or actual: the same structure for
 * both, so that a plan is their difference. Actual state holds only what is
 * ours (our rtm_protocol, our ifalias, our nft table) and, of what is not ours,
 * only what stands in the way of something desired (@foreign).
 */

/** How our objects are known: /etc/iproute2/rt_protos value of routes, rules and addresses. */
#define TUYEN_RTPROTO	     84 /* 'T' */
#define TUYEN_IFALIAS_PREFIX "tuyen: "
#define TUYEN_NFT_TABLE	     "tuyen"

/** fwmarks. A class's packets carry CLASS|color, its session's encrypted packets OUTER|color. */
#define TUYEN_MARK_CLASS 0x54000000u
#define TUYEN_MARK_OUTER 0x55000000u
#define TUYEN_MARK_MASK	 0xff00ffffu
/** A packet on link0, and a labelled one on its way through a node, carries QUEUE|the code point of its queue. */
#define TUYEN_MARK_QUEUE 0x56000000u
/** link0's encrypted packets, where a box has several lines: core/uplink.h; and link1's. */
#define TUYEN_MARK_LINK	    0x57000000u
#define TUYEN_MARK_PARALLEL 0x58000000u

/** Routing tables and rule priorities; +color, or +path index. */
#define TUYEN_TABLE_LOCAL 255u /* the kernel's own, of the box's addresses: core/conflict.h */
#define TUYEN_TABLE_FIRST 530000u
#define TUYEN_TABLE_CALLED                                                                         \
	530000u /* endpoints that the bundle names, each over its line: core/uplink.h */
#define TUYEN_TABLE_SEEN     531000u /* endpoints that peers really have, the same */
#define TUYEN_TABLE_LINE     532000u /* + place in --uplinks: that line, by its device's addresses */
#define TUYEN_TABLE_SHARED   533000u /* endpoints of peers of several lines, and of nobody: nowhere */
#define TUYEN_TABLE_PARALLEL 4000u   /* + each of these four: the same of link1 */
#define TUYEN_TABLE_LAN                                                                            \
	538000u /* what of the LANs a line claims, by its own devices: desired_lines */
#define TUYEN_TABLE_EMPTY 539000u /* nothing, ever: core/conflict.c */
/**
 * Where a way of IPv6 would be and is none, a table and a rule behind that of the way lead nowhere. In one table with it, they
 * would have the kernel never ask again for a router that was silent for some seconds (ip6_route.c, fib6_table_lookup()).
 */
#define TUYEN_TABLE_NOWHERE6 500u    /* + the way's table */
#define TUYEN_RULE_NOWHERE6  1u	     /* + its priority */
#define TUYEN_TABLE_CLASS    540000u /* prefixes behind the session's peers, dev s<color> */
#define TUYEN_TABLE_OUTER    550000u /* endpoints' node addresses, over the active path */
#define TUYEN_TABLE_PROBE                                                                          \
	560000u /* endpoint of one candidate path, for its S-BFD: by source address */
#define TUYEN_TABLE_REPAIR                                                                         \
	570000u /* + a neighbour's id, desired_repair_table(): ways back around its link, used while a rule leads there */
#define TUYEN_TABLE_END	    710000u
#define TUYEN_RULE_CALLED   9000u
#define TUYEN_RULE_SEEN	    9100u
#define TUYEN_RULE_LINE	    9200u
#define TUYEN_RULE_SHARED   9300u
#define TUYEN_RULE_PARALLEL 400u /* + each of these four: the same of link1 */
#define TUYEN_RULE_LAN	    9800u
#define TUYEN_RULE_APART    9900u
#define TUYEN_RULE_CLASS    10000u
#define TUYEN_RULE_OUTER    20000u
#define TUYEN_RULE_PROBE                                                                           \
	31000u /* after OUTER of every color: a session is never routed by its old source */
#define TUYEN_RULE_REPAIR                                                                          \
	32000u /* one priority for all: no destination is in two of those tables */

#define KERNEL_IFNAME_MAX 16

enum kernel_device_kind {
	KERNEL_DEVICE_WIREGUARD,
	KERNEL_DEVICE_MPLS_IN_IP, /* ipip mode mplsip */
	KERNEL_DEVICE_LOOPBACK, /* the box's own: it is to be up, and nothing else of it is ours */
};

/** Key: name. */
struct kernel_device {
	char name[KERNEL_IFNAME_MAX];
	enum kernel_device_kind kind;
	char alias[256]; /* begins with TUYEN_IFALIAS_PREFIX */
	uint16_t mtu;
	bool up;
	bool foreign;	 /* actual only: the name is taken by something that is not ours */
	bool mpls_input; /* net.mpls.conf.<dev>.input */
	uint32_t
	    master; /* ifindex of the VRF or bridge that it is a part of: ours are of none, 0 */
	/* KERNEL_DEVICE_MPLS_IN_IP */
	ipv4_t local, remote;
	uint8_t ttl;
	/* KERNEL_DEVICE_WIREGUARD */
	uint8_t private_key[WG_KEY_LEN];
	uint16_t listen_port;
	uint32_t fwmark;
	/* actual only, for status; desired leaves them 0 */
	uint32_t ifindex;
	uint64_t rx_bytes, tx_bytes;
};

enum kernel_preshared {
	KERNEL_PRESHARED_NONE,
	KERNEL_PRESHARED_PARALLEL, /* kernel_preshared_parallel */
	KERNEL_PRESHARED_ANOTHER,  /* actual only: none of ours ever has it */
};

/**
 * The preshared key of all peers of link1, and no secret: a site has the same key there as on link0, and a carrier that
 * turns a handshake to the other's port must not move that link to its line.
 */
extern const uint8_t kernel_preshared_parallel[WG_KEY_LEN];

/** Key: device, public_key. */
struct kernel_peer {
	char device[KERNEL_IFNAME_MAX];
	uint8_t public_key[WG_KEY_LEN];
	struct ip_endpoint
	    endpoint; /* desired: where to call first; a learned one is never rewritten */
	uint16_t keepalive_s;
	enum kernel_preshared preshared;
	struct ipv4_prefix *allowed; /* sorted */
	size_t allowed_count;
	/* actual only, for status */
	int64_t last_handshake_s; /* wall clock; 0 never */
	uint64_t rx_bytes, tx_bytes;
};

/** Key: device, prefix. */
struct kernel_address {
	char device[KERNEL_IFNAME_MAX];
	struct ipv4_prefix prefix;
};

enum kernel_route_type {
	KERNEL_ROUTE_UNICAST,
	KERNEL_ROUTE_UNREACHABLE,
	KERNEL_ROUTE_THROW, /* on to the next table; before whatever else has its key: core/conflict.h */
};

/** Key: table, destination, metric. */
struct kernel_route {
	uint32_t table;
	struct ipv4_prefix destination;
	uint32_t metric;
	enum kernel_route_type type;
	char device[KERNEL_IFNAME_MAX]; /* "" for all but unicast */
	ipv4_t gateway;			/* on the device, whatever its addresses say; 0 none */
	ipv4_t source;			/* preferred source; 0 none */
	bool link_scope;
	struct label_stack push; /* RTA_ENCAP mpls; depth 0 none */
	uint16_t mtu;		 /* RTAX_MTU; 0 the device's */
	bool foreign;		 /* actual only: not ours, and stands where ours should */
};

/**
 * A route that somebody else put into a table of ours, where it is before ours, beside it, or in its place; or anywhere, with our
 * protocol and a TOS. Actual only.
 * Key: that of a route, tos.
 */
struct kernel_stray {
	struct kernel_route route;   /* of it the key alone; foreign */
	uint8_t protocol, type, tos; /* as rtnetlink has them */
};

/**
 * IPv6, for the lines of a box alone: a node's own traffic is IPv4. Apart from the other routes, of which a gateway has ten
 * thousands. Key: table, destination, metric.
 */
struct kernel_route6 {
	uint32_t table;
	struct ipv6_prefix destination;
	uint32_t metric;
	enum kernel_route_type type;
	char device[KERNEL_IFNAME_MAX]; /* "" for unreachable */
	struct ipv6 gateway;		/* none: what is there is the other end */
	bool onlink;	    /* the gateway is on the device, whatever its addresses say */
	struct ipv6 source; /* preferred source */
	bool foreign;	    /* actual only */
};

/** Key: in_label. AF_MPLS. */
struct kernel_label_route {
	uint32_t in_label;
	char device[KERNEL_IFNAME_MAX]; /* "lo": our own label */
	struct label_stack out;		/* depth 0: pop */
	bool foreign;			/* actual only: not ours, and stands where ours should */
};

/** All of it is its key: the kernel changes no rule. */
struct kernel_rule {
	uint32_t priority;
	uint32_t fwmark, fwmask;   /* 0, 0: any */
	struct ipv4_prefix source; /* length 0: any */
	uint32_t table;
};

/** The same of IPv6. */
struct kernel_rule6 {
	uint32_t priority;
	uint32_t fwmark, fwmask;
	struct ipv6_prefix source;
	uint32_t table;
};

/** What may come in on an adjacency: clsact ingress, flower, and drop for the rest. Key: device. */
struct kernel_label_filter {
	char device[KERNEL_IFNAME_MAX];
	struct label_stack *accept; /* sorted */
	size_t accept_count;
	uint64_t drops; /* actual only: packets dropped so far */
};

/** BFD packets of a neighbour, by its link address, that were beyond its bound and dropped. Actual only. Key: neighbor. */
struct kernel_excess {
	ipv4_t neighbor;
	uint64_t packets;
};

/**
 * A class of the HTB at a device's root, or (minor 0) that root. Parents have smaller numbers than their
 * children. Rates are in bytes a second. Key: device, minor.
 */
struct kernel_queue {
	char device[KERNEL_IFNAME_MAX];
	uint16_t minor, parent;			/* parent 0: the root */
	uint64_t rate, ceil;			/* guaranteed; never more than */
	uint32_t burst_bytes, ceil_burst_bytes; /* that may go at once, of each of them */
	uint16_t overhead;			/* bytes that each packet counts more */
	uint8_t priority;			/* of what nobody else uses: 0 is first */
	uint32_t quantum; /* a leaf: bytes that it sends in its turn among those of its priority */
	bool leaf;	  /* packets wait here, in fq_codel without ECN */
	uint32_t target_us; /* of it, RFC 8290 */
	bool led;	    /* a filter leads here: */
	ipv4_t
	    destination; /* not a leaf: packets to this address; 0: its parent's that no mark leads elsewhere */
	uint32_t mark; /* a leaf: its parent's packets with this mark; 0: the rest of them */
	/* actual only */
	bool strange; /* the root: something below it is not ours */
	uint64_t bytes, packets, drops;
	uint32_t waiting_bytes;
};

/** What somebody else put on a session's device, at its root or where packets pass it. Actual only. Key: device, parent. */
struct kernel_qdisc {
	char device[KERNEL_IFNAME_MAX];
	uint32_t parent, handle; /* as rtnetlink has them */
	bool root;
	char kind[16];
};

/** Key: path, below /proc/sys. */
struct kernel_sysctl {
	char path[96];
	uint32_t value;
	bool at_least; /* the value may be larger */
};

struct kernel_state {
	struct kernel_device *devices;
	size_t device_count;
	struct kernel_peer *peers;
	size_t peer_count;
	struct kernel_address *addresses;
	size_t address_count;
	struct kernel_route *routes;
	size_t route_count;
	struct kernel_stray *strays; /* where they were looked for: kernel_read() */
	size_t stray_count;
	struct kernel_label_route *labels;
	size_t label_count;
	struct kernel_rule *rules;
	size_t rule_count;
	struct kernel_route6 *routes6;
	size_t route6_count;
	struct kernel_rule6 *rules6;
	size_t rule6_count;
	struct kernel_label_filter *filters;
	size_t filter_count;
	struct kernel_excess *excesses;
	size_t excess_count;
	struct kernel_queue *queues;
	size_t queue_count;
	struct kernel_qdisc *qdiscs;
	size_t qdisc_count;
	struct kernel_sysctl *sysctls;
	size_t sysctl_count;
	char *
	    nft; /* the canonical text of our table, as `nft -s -p list table` prints it; NULL: no table */
};

/** @return NULL without memory. */
struct kernel_state *kernel_state_new(void);
/** Wipes private keys. Takes NULL. */
void kernel_state_free(struct kernel_state *state);
/** Sorts every array by its key. */
void kernel_state_sort(struct kernel_state *state);

/** Each adds a zeroed entry. @return it, valid until the next addition; NULL without memory. */
struct kernel_device *kernel_state_add_device(struct kernel_state *state);
struct kernel_peer *kernel_state_add_peer(struct kernel_state *state);
struct kernel_address *kernel_state_add_address(struct kernel_state *state);
struct kernel_route *kernel_state_add_route(struct kernel_state *state);
struct kernel_stray *kernel_state_add_stray(struct kernel_state *state);
struct kernel_label_route *kernel_state_add_label(struct kernel_state *state);
struct kernel_rule *kernel_state_add_rule(struct kernel_state *state);
struct kernel_route6 *kernel_state_add_route6(struct kernel_state *state);
struct kernel_rule6 *kernel_state_add_rule6(struct kernel_state *state);
struct kernel_label_filter *kernel_state_add_filter(struct kernel_state *state);
struct kernel_excess *kernel_state_add_excess(struct kernel_state *state);
struct kernel_queue *kernel_state_add_queue(struct kernel_state *state);
struct kernel_qdisc *kernel_state_add_qdisc(struct kernel_state *state);
struct kernel_sysctl *kernel_state_add_sysctl(struct kernel_state *state);
/** @return 0 or -TUYEN_ENOMEM. */
int kernel_peer_allow(struct kernel_peer *peer, struct ipv4_prefix prefix);
int kernel_filter_accept(struct kernel_label_filter *filter, const struct label_stack *stack);

/** Orders of the keys, for qsort() and bsearch(). */
int kernel_device_compare(const void *a, const void *b);
int kernel_peer_compare(const void *a, const void *b);
int kernel_address_compare(const void *a, const void *b);
int kernel_route_compare(const void *a, const void *b);
int kernel_stray_compare(const void *a, const void *b);
int kernel_label_compare(const void *a, const void *b);
int kernel_rule_compare(const void *a, const void *b);
int kernel_route6_compare(const void *a, const void *b);
int kernel_rule6_compare(const void *a, const void *b);
int kernel_filter_compare(const void *a, const void *b);
int kernel_excess_compare(const void *a, const void *b);
int kernel_queue_compare(const void *a, const void *b);
int kernel_qdisc_compare(const void *a, const void *b);
int kernel_sysctl_compare(const void *a, const void *b);
int ipv4_prefix_compare(const void *a, const void *b);
/** @return the device of that name, or NULL. @state is sorted. */
struct kernel_device *kernel_state_device(const struct kernel_state *state, const char *name);
/**
 * A peer of @desired that waits to be called, and that @actual has no place for, is called where it was in @before, NULL: nothing known.
 * Whoever lost it with its device or by somebody's hand would otherwise not be heard by it before it calls anew, after 15 s.
 * All sorted.
 */
void kernel_state_call_back(struct kernel_state *desired, const struct kernel_state *actual,
			    const struct kernel_state *before);

#endif
