/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_UPLINK_H
#define TUYEN_CORE_UPLINK_H

#include "tuyen/core/kernel_state.h"
#include "tuyen/topology/forwarding.h"

/**
 * Which device of this box each line is, where it has several: what is meant for a line leaves by its device or not at all. So a
 * path's probe tells of its own line, and a metered one carries what policy sends over it and nothing else. Pure.
 */

#define NODE_UPLINKS_MAX	  8
#define NODE_UPLINK_ADDRESSES_MAX 8
#define NODE_UPLINK_ADDRESSES6_MAX                                                                 \
	32 /* the kernel itself makes 16 at most, by net.ipv6.conf.*.max_addresses */

/** In tables of our own: the line's route, and what remains when the line has none. */
#define TUYEN_METRIC_UPLINK  84u
#define TUYEN_METRIC_NOWHERE 85u

struct node_uplink {
	char underlay[NAME_MAX_BYTES + 1];
	char device[KERNEL_IFNAME_MAX];
	/* Facts: the box's own default route over the device, by DHCP or by hand. */
	bool has_route;
	ipv4_t gateway; /* 0: what is there is the line's other end, as on PPP */
	ipv4_t source;	/* that the route prefers; 0 none */
	ipv4_t address
	    [NODE_UPLINK_ADDRESSES_MAX]; /* of the device, in ascending order; more than there is room for are left out */
	size_t address_count;
	/* The same of IPv6: RFC 4861's router, or by hand. */
	bool has_route6;
	struct ipv6 gateway6; /* none: as above */
	bool onlink6;	      /* it is on the device, though no address of the device says so */
	struct ipv6 source6;
	struct ipv6 address6[NODE_UPLINK_ADDRESSES6_MAX]; /* but for those of the link alone */
	size_t address6_count;
	bool strict;  /* its rp_filter takes only what the main table would answer over it */
	bool counted; /* the device's counters are known; of no meaning to routes */
	uint64_t received_bytes, sent_bytes;
};

struct node_uplinks {
	struct node_uplink entry[NODE_UPLINKS_MAX];
	size_t count;
	bool ipv6; /* the kernel has it */
};

/**
 * "fibre=eth0,lte=wwan0"; "" is none.
 * @return 0 or -TUYEN_EINVAL with @reason.
 */
int node_uplinks_parse(const char *words, struct node_uplinks *ret_uplinks, struct reason *reason);

/** Keeps the addresses in order, each once; one for which there is no room is left out. */
void node_uplink_address_add(struct node_uplink *uplink, ipv4_t address);

void node_uplink_address6_add(struct node_uplink *uplink, const struct ipv6 *address);

/** Are the facts of the same devices the same? */
bool node_uplinks_equal(const struct node_uplinks *a, const struct node_uplinks *b);

/**
 * Adds to @desired a mark for what link0 sends, one for what link1 does, and for each the rules and tables that lead it: each neighbour that this site calls goes
 * over its line, wherever its peer really is; so does each that calls. Where neighbours of several lines are seen at one address,
 * what has an address of a line's device as its source keeps that line, and the rest goes nowhere. Behind each way is one that
 * leads nowhere, and so does the last rule what is no neighbour's, where @uplinks names every line and knows all its addresses.
 * The same for IPv6, where the kernel has it and a line or a neighbour does. Lines that it does not name go as the box's own routes
 * say; so does what has an address of a link alone (RFC 4291 section 2.5.6).
 * @seen  one each of the neighbours: where its peer is now; the port is of no meaning. NULL: nothing is known.
 * @return 0 or -TUYEN_ENOMEM. @desired is sorted before, and is not any more.
 */
int node_uplinks_desire(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			const struct ip_endpoint *seen, struct kernel_state *desired);

/**
 * Is there a neighbour that is called at the address of another over another line? It goes by that one's, @ret_first's.
 * @return false also without memory; outputs are set on true alone.
 */
bool node_uplinks_conflict(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			   const struct fwd_neighbor **ret_first,
			   const struct fwd_neighbor **ret_second);

/**
 * Is there a site that this one calls over two of its lines, of which @uplinks does not name both? Then the box's own
 * routes lead them, perhaps both links over one line: both are up, and one cut takes both.
 * @ret_link, @ret_parallel  set on true alone.
 */
bool node_uplinks_unnamed(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			  const struct fwd_neighbor **ret_link,
			  const struct fwd_neighbor **ret_parallel);

/** @return the first of @uplinks by whose name no link of this site goes: a name that is misspelt, perhaps. NULL: none. */
const struct node_uplink *node_uplinks_unused(const struct node_uplinks *uplinks,
					      const struct forwarding *forwarding);

#endif
