/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_BUDGET_H
#define TUYEN_POLICIES_BUDGET_H

#include "tuyen/policies/compile.h"

/**
 * What watching costs on the carriers' lines, before the first citizen's query: BFD on every link, S-BFD along
 * every candidate path, and WireGuard's own keepalives and handshakes, each with all its headers as the carrier
 * counts it: IP packets of the link's WireGuard.
 *
 *	a probe		IP 20 + UDP 8 + BFD 24				RFC 5880 section 4.1
 *	on a path	+ 4 a label + IP 20				RFC 3032, RFC 4023
 *	on a link	padded to 16, + 32 + UDP 8 + IP 20 (IPv6: 40)	WireGuard
 *
 * Probes are sent at 75 to 100 % of the interval (RFC 5880 section 6.8.7): 7/8 on average, and so they are counted here
 * (with a multiplier of 1: 75 to 90 %). All paths are probed all the time. A path's probe costs every line that it
 * passes, twice where a site only passes it on.
 * Sessions are taken to be idle (a keepalive each 25 s), on their best path, with a handshake each 120 s;
 * links never need a keepalive, as they carry probes.
 */

enum budget_packet {
	BUDGET_PROBE,	    /* BFD or S-BFD */
	BUDGET_PADDED,	    /* S-BFD as long as a path of 1,500 bytes carries: RFC 9764 */
	BUDGET_PADDED_LINK, /* BFD as long as a link of 1,500 bytes carries */
	BUDGET_KEEPALIVE,   /* of a session: an empty data packet of WireGuard */
	BUDGET_INITIATION,
	BUDGET_RESPONSE,
};

/** Under how much it lies on the carrier. */
struct budget_wrap {
	bool link_itself; /* WireGuard's handshake of the link: not wrapped again */
	bool in_lsp;	  /* MPLS-in-IP */
	uint8_t labels;
	bool carrier_ipv6;
};

/** @return bytes of the IP packet that the carrier sees. */
uint32_t budget_packet_bytes(enum budget_packet packet, struct budget_wrap wrap);
/** @return how many probes a day one end sends. */
uint64_t budget_probes_day(struct probe_timers timers);

struct budget_flow {
	uint64_t packets_day, bytes_day;
};

/** One carrier line of one site. */
struct budget_uplink {
	uint32_t site, uplink;
	uint32_t links;
	struct budget_flow sent, received;
	uint64_t transit_bytes_day; /* of both: for other sites' paths */
	uint64_t detect_us;	    /* the slowest of its links: interval times multiplier */
};

struct budget_underlay {
	uint32_t lines, links;	  /* link ends on such lines */
	struct budget_flow both;  /* sent and received, all lines */
	uint64_t probe_bytes_day; /* one link at the underlay's own timers, one way */
	uint64_t detect_us;
	uint32_t busiest; /* index into uplinks; NETWORK_NONE without lines */
};

/** A site where paths end. */
struct budget_hub {
	uint32_t site;
	uint32_t sessions;
	uint64_t reflected_day;		   /* S-BFD probes that it answers */
	struct budget_flow sent, received; /* all its lines */
};

struct budget {
	struct budget_uplink *uplinks; /* in the order of sites and of their uplinks */
	size_t uplink_count;
	uint32_t *uplink_first;		   /* by site */
	struct budget_underlay *underlays; /* by index in the network */
	struct budget_hub *hubs;	   /* in the order of sites */
	size_t hub_count;
	struct budget_flow all; /* sent; what is sent is received */
};

/** @ret_budget  the caller's, released with budget_clear(). @return 0 or -TUYEN_ENOMEM. */
int budget_compute(const struct compile_result *result, struct budget *ret_budget);
/** Takes the zeroed. */
void budget_clear(struct budget *budget);
/** Sent and received: what a metered line's carrier counts. */
uint64_t budget_uplink_bytes(const struct budget_uplink *uplink);
/** Is the line metered, and does watching alone take more than it allows? */
bool budget_uplink_exceeds(const struct budget_uplink *uplink, const struct network *network);

#endif
