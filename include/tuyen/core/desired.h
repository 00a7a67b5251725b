/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_DESIRED_H
#define TUYEN_CORE_DESIRED_H

#include <string.h>

#include "tuyen/core/kernel_state.h"
#include "tuyen/topology/forwarding.h"

/** The node's own secrets; wiped by whoever holds them. */
struct node_keys {
	uint8_t link[WG_KEY_LEN];    /* private */
	uint8_t session[WG_KEY_LEN]; /* private */
};

/** Which candidate path each (color, endpoint) uses now. */
struct active_path {
	uint32_t color;
	uint32_t endpoint_site;
	uint8_t index;
	bool
	    carries; /* what is meant for the endpoint's LANs; false where another endpoint with the same LAN does */
	uint16_t mtu; /* of its outer packets, as measured, bytes; 0: as compiled */
};

struct active_paths {
	struct active_path entry[SITE_PATHS_MAX];
	size_t count;
};

/**
 * Kernel state that @forwarding asks for, with @active chosen. Sorted.
 * @ret_desired  the caller's, released with kernel_state_free().
 * @return 0 or -TUYEN_ENOMEM.
 */
int desired_build(const struct forwarding *forwarding, const struct node_keys *keys,
		  const struct active_paths *active, struct kernel_state **ret_desired);

/**
 * Kernel state of a node that is taken out: nothing of ours, and, as our firewall goes, no forwarding. Sorted. A kernel that stops
 * forwarding takes redirects from then on (inet_forward_change()), which is off here: it needs a second look.
 * @ret_desired  the caller's, released with kernel_state_free().
 * @return 0 or -TUYEN_ENOMEM.
 */
int desired_build_removed(struct kernel_state **ret_desired);

/** What becomes of the traffic of a neighbour's link; see core/repair.h. */
enum repair_link {
	REPAIR_LINK_USED,
	REPAIR_LINK_HELD, /* up again, and its traffic still goes around it */
	REPAIR_LINK_DOWN, /* its traffic goes around it, and no other's over it */
};

/** The box's own way to a part of its LANs. */
struct desired_lan_way {
	struct ipv4_prefix part;
	char device[KERNEL_IFNAME_MAX];
	ipv4_t gateway; /* 0: it is there itself */
	ipv4_t source;	/* what the box itself sends there has it; 0: the device's first */
};

/** The box's own lines to its carriers. */
#define DESIRED_HOPS_MAX    8
#define DESIRED_DEVICES_MAX 8
#define DESIRED_INNER_MAX   32
struct desired_lines {
	ipv4_t hop
	    [DESIRED_HOPS_MAX]; /* where they lead: gateways whose addresses (RFC 6598) may lie in the overlay's range */
	size_t count;
	char device
	    [DESIRED_DEVICES_MAX]
	    [KERNEL_IFNAME_MAX]; /* those that are known by name: nothing is forwarded between them */
	size_t device_count;
	char carrier[DESIRED_DEVICES_MAX]
		    [KERNEL_IFNAME_MAX]; /* all that are lines, as far as can be seen: */
	size_t carrier_count;
	struct ipv4_prefix inner
	    [DESIRED_INNER_MAX]; /* what of our LANs lies behind other devices comes by none of them, and goes by none */
	size_t inner_count;
	bool inner_more; /* there was no room for some of that */
	struct desired_lan_way way
	    [DESIRED_INNER_MAX]; /* to all of that, where a line claims some of it: before any other route */
	size_t way_count;
};

/** Adds @hop once; 0 is none, and what there is no room for is left out. */
void desired_lines_add_hop(struct desired_lines *lines, ipv4_t hop);
/** Adds @device; what there is no room for is left out. */
void desired_lines_add_device(struct desired_lines *lines, const char *device);
/** Adds @device once; "" is none, and what there is no room for is left out, as is a name that nft would not take as it is. */
void desired_lines_add_carrier(struct desired_lines *lines, const char *device);
bool desired_lines_is_carrier(const struct desired_lines *lines, const char *device);
/** Adds @part unless it lies in another. Where there is no room the broadest stay, and inner_more says so. */
void desired_lines_add_inner(struct desired_lines *lines, struct ipv4_prefix part);
/** Adds @way unless there is one to its part; @return false where there is no room. */
bool desired_lines_add_way(struct desired_lines *lines, const struct desired_lan_way *way);
/** The same, in the same order? What lies between the members, and behind the last of them, does not count. */
bool desired_lines_equal(const struct desired_lines *a, const struct desired_lines *b);

/**
 * The same, with the neighbours of @repaired (core/repair.h; NULL: none) left to the bundle's repairs, and with @lines (NULL: none),
 * whose hops are reached by name. Not one that has an address of the overlay's that the node knows: then the carrier lies.
 */
int desired_build_repaired(const struct forwarding *forwarding, const struct node_keys *keys,
			   const struct active_paths *active, const enum repair_link *repaired,
			   const struct desired_lines *lines, struct kernel_state **ret_desired);

/**
 * Of that, the label routes, routes and rules alone that have to do with neighbour @site_id and a repair: what a change
 * of its link sets, and nothing to look for in 10,000 others. Sorted; released with kernel_state_free().
 */
int desired_build_link(const struct forwarding *forwarding, const struct active_paths *active,
		       const enum repair_link *repaired, uint32_t site_id,
		       struct kernel_state **ret_routes);

/** The metric of the route back to a path address. */
uint32_t desired_return_metric(ipv4_t destination);
/** Where ways back around the link to a neighbour stand. */
uint32_t desired_repair_table(uint32_t neighbor_id);
/** The table of neighbours, ways back to path addresses, and prefixes. */
#define DESIRED_TABLE_MAIN 254

/**
 * The paths that @actual uses: how a restarted daemon takes over what forwards. Pairs
 * without a route of ours are absent.
 */
void desired_active_read(const struct forwarding *forwarding, const struct kernel_state *actual,
			 struct active_paths *ret_active);

/** How many devices session @color has: one, and one more for each rank of its peers. */
uint8_t desired_session_ranks(const struct forwarding *forwarding, uint32_t color);

/** The nft table's canonical text, byte for byte what `nft -s -p list table inet tuyen` prints back (Debian 12). */
void desired_nft(const struct forwarding *forwarding, const struct desired_lines *lines,
		 struct text *ret_text);

/**
 * The gap between two padded probes (core/path_mtu.h) of one asker with which the link to @neighbor and all the node's paths over it
 * together keep to what the queue of the rest is promised there; 0 where no rate is known.
 */
uint32_t desired_padded_gap_us(const struct forwarding *forwarding,
			       const struct fwd_neighbor *neighbor);

/** A neighbour's class and those below it: as many ids, the neighbour's first. */
#define DESIRED_QUEUE_SLOT 64

/**
 * Device names: "lsp<id>", over a parallel link "lsp<id>p", "s<color>" and for a slot above 0 (forwarding_peer_slot()) "s<color>-<slot + 1>",
 * "link0", and "link1" for parallel links. @out has KERNEL_IFNAME_MAX bytes.
 */
#define LINK_DEVICE	"link0"
#define PARALLEL_DEVICE "link1"
void desired_adjacency_name(uint32_t neighbor_id, char out[static KERNEL_IFNAME_MAX]);
/** Over which of the two the neighbour is reached. Static storage. */
static inline const char *desired_link_device(uint32_t neighbor_id)
{
	return forwarding_id_parallel(neighbor_id) ? PARALLEL_DEVICE : LINK_DEVICE;
}
/** Is it one of the two? */
static inline bool desired_is_link_device(const char *name)
{
	return !strcmp(name, LINK_DEVICE) || !strcmp(name, PARALLEL_DEVICE);
}
void desired_session_name(uint32_t color, uint8_t slot, char out[static KERNEL_IFNAME_MAX]);

#endif
