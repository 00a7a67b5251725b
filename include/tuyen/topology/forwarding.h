/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TOPOLOGY_FORWARDING_H
#define TUYEN_TOPOLOGY_FORWARDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/err.h"
#include "tuyen/base/ip.h"
#include "tuyen/base/text.h"
#include "tuyen/topology/labels.h"
#include "tuyen/topology/network.h"

/**
 * One site's compiled forwarding state: all that its node must know, and
 * nothing of any other site. The compiler writes it, a bundle carries it in a
 * canonical text, the node turns it into desired kernel state. Sites are named
 * by id; names are for people. Every array is sorted by the key said beside it,
 * so that equal states have equal bytes.
 */

/**
 * A neighbour: one WireGuard peer on link0, one adjacency lsp<id>, one BFD session. The same site at the other end of a
 * parallel link is another neighbour, with PARALLEL_ID added, on link1; so everything that says a neighbour's id says
 * which of the two links it means. Key: site_id.
 */
struct fwd_neighbor {
	uint32_t site_id;
	char name[NAME_MAX_BYTES + 1];
	char underlay[NAME_MAX_BYTES + 1];
	uint8_t link_key[WG_KEY_LEN];
	ipv4_t link_address;
	bool caller;		     /* we start the handshake: endpoint is set */
	struct ip_endpoint endpoint; /* family 0: learned from its handshake */
	struct probe_timers probe;   /* BFD on this link, RFC 5881 */
	uint16_t link_mtu, lsp_mtu;  /* bytes, see mtu.h */
	uint32_t down_kbps;	     /* what its own line takes from the carrier; 0 unknown */
	/** Label stacks, complete to the bottom, that this neighbour may send us. Sorted. */
	struct label_stack *accept;
	size_t accept_count;
};

/**
 * What takes the place of a route over an adjacency while that is down: a detour to a site further down the way,
 * (RFC 9855; the facility backup of RFC 4090), over the labels of label_repair_sid().
 */
struct fwd_repair {
	uint32_t next_site;	/* neighbour's id, another one; 0: there is no repair */
	struct label_stack out; /* complete: what replaces in_label, or is pushed */
};

/** Incoming label. Key: in_label. Our own labels (pop, look again) have next_site 0 and an empty stack. */
struct fwd_label_route {
	uint32_t in_label;
	uint32_t next_site;	/* neighbour's id, or 0: ends here */
	struct label_stack out; /* what replaces in_label; depth 1 normally */
	struct fwd_repair repair;
};

#define DOUBT_LEAST 2 /* probes: one that comes late is no doubt yet */

/** A candidate path of which this site is the head-end, RFC 9256. Key: index. */
struct fwd_path {
	uint8_t index; /* 1..SITE_PATHS_MAX, unique at this site */
	char name[NAME_MAX_BYTES + 1];
	uint32_t color;
	uint32_t preference;
	uint32_t endpoint_site;
	ipv4_t source;	     /* our path address for it */
	ipv4_t endpoint;     /* node address of the endpoint */
	uint32_t first_site; /* first hop, a neighbour */
	struct label_stack stack;
	struct fwd_repair repair;
	uint16_t mtu;		   /* outer IP packet, bytes; repaired or not */
	struct probe_timers probe; /* S-BFD along it, RFC 7881 */
	uint8_t
	    doubt; /* 2..: after so many lost probes it is in doubt, as a repair may be on its way; 0: it does not wait for one */
	uint32_t reflector; /* discriminator of the endpoint's reflector: its site id */
};

/** The way back to a head-end's path address, at the endpoint. Key: destination. */
struct fwd_return {
	ipv4_t destination;
	uint32_t site_id;
	uint32_t first_site;
	struct label_stack stack;
	struct fwd_repair repair;
	uint16_t mtu;
};

/** One traffic class's VPN: WireGuard device s<color>. Key: color. */
struct fwd_session {
	uint32_t color;
	char policy[NAME_MAX_BYTES + 1];
	uint16_t listen_port;
	uint16_t mtu; /* inner IP packet: the smallest over its paths, bytes */
	uint32_t revert_hold_ms;
	uint32_t
	    revert_max_ms; /* of a path that fails again and again; not above the hold: no longer for that */
	struct path_limits degraded;
};

#define FWD_RANKS_MAX  4     /* gateways that take over for each other */
#define FWD_RANK_PORTS 10000 /* between the ports of two ranks of a color */

/**
 * Key: color, site_id. A head-end whose endpoints share a LAN has a device for each of them, s<color>, s<color>-2 ... in order of
 * their ids: so it hears all of them, to go over to another is to replace one route, and other ranks make no session anew.
 */
struct fwd_session_peer {
	uint32_t color;
	uint32_t site_id;
	uint8_t
	    rank; /* at a head-end: 0 for its first choice of those with this LAN, 1 for its second ...; else 0 */
	char name[NAME_MAX_BYTES + 1];
	uint8_t session_key[WG_KEY_LEN];
	bool caller; /* we are the head-end; the peer is at @endpoint:@port */
	ipv4_t endpoint;
	uint16_t port;
	/** LAN prefixes behind the peer: its AllowedIPs, and routes into s<color>. Sorted. */
	struct ipv4_prefix *prefixes;
	size_t prefix_count;
};

/** Who may open a connection: new ones match this, replies follow by connection tracking. Key: all fields in order. */
struct fwd_rule {
	uint32_t color;
	bool outbound; /* from our LANs into the session; else from the session to our LANs */
	uint8_t priority;
	uint8_t protocol; /* 0 any */
	uint16_t port_first, port_last;
	bool has_dscp;	       /* else any */
	uint8_t dscp;	       /* RFC 2474, 0..63: of the packets of both directions */
	struct ipv4_prefix to; /* destination; length 0: any prefix that the session reaches */
	struct ipv4_prefix
	    from; /* source; length 0: any that the session or our LANs have. Set where not every peer may */
	char class_name[NAME_MAX_BYTES + 1];
};

/** One of the site's own carrier lines, where packets are queued or marked for it. Key: underlay. */
struct fwd_line {
	char underlay[NAME_MAX_BYTES + 1];
	uint32_t up_kbps; /* IP packets on the carrier; 0 unknown */
	uint8_t overhead; /* what a packet of link0 grows by on it, bytes: see mtu.h */
	bool has_dscp;	  /* the carrier honours these */
	uint8_t dscp[3];  /* by priority: 0 low, 1 normal, 2 high */
};

/**
 * The queue of one policy, the same on every node of the country, whether it ends the policy's sessions or
 * sees their labels alone. Between neighbours a packet's queue is known by the DSCP of the adjacency's own IP
 * header. None where no line has a rate or honours DSCP. Key: color; dscps ascend with it.
 */
struct fwd_queue {
	uint32_t color;
	uint8_t dscp;	       /* 1..QUEUES_MAX */
	uint8_t priority;      /* 0 low, 1 normal, 2 high */
	uint8_t share_percent; /* 1..100, guaranteed, of what lines leave beside probes */
};

/** What one of the site's own lines may carry in a day, sent and received: core/meter.h counts it. Key: underlay. */
struct fwd_meter {
	char underlay[NAME_MAX_BYTES + 1];
	uint32_t allowance_kb_day; /* 1,000 bytes; not 0 */
};

/** What tuyen-snmp polls. Key: name. */
struct fwd_device {
	char name[NAME_MAX_BYTES + 1];
	ipv4_t address;
	uint16_t port;
	char user[NAME_MAX_BYTES + 1];
	char interface[NAME_MAX_BYTES + 1]; /* "" : the first */
	uint32_t link_site; /* neighbour (its id) whose link it carries; 0 unknown */
};

struct forwarding {
	uint32_t site_id;
	char site[NAME_MAX_BYTES + 1];
	char tier[NAME_MAX_BYTES + 1];
	struct label_block srgb;
	uint32_t own_label;
	ipv4_t link_address; /* /32 on link0 */
	ipv4_t node_address; /* /32 on lo: sessions end here, the S-BFD reflector answers here */
	ipv4_t lan_address;  /* /32 on lo: the node itself inside the LAN; 0 without a LAN */
	bool
	    lan_shared; /* with other gateways: what leaves by one may come back by another, no connection is tracked */
	struct ipv4_prefix overlay[2]; /* link space, path space: never from the carrier */
	uint16_t link_port;
	uint16_t link_mtu; /* of link0: the smallest over its neighbours, bytes */
	/* Of link1, where there is a parallel link; all 0 where there is none. */
	ipv4_t parallel_address; /* /32 on it */
	uint16_t parallel_port;
	uint16_t parallel_mtu;
	struct ipv4_prefix parallel_space; /* never from the carrier, as overlay */
	struct ipv4_prefix *lans;	   /* sorted */
	size_t lan_count;
	struct fwd_neighbor *neighbors;
	size_t neighbor_count;
	struct fwd_label_route *labels;
	size_t label_count;
	struct fwd_path *paths;
	size_t path_count;
	struct fwd_return *returns;
	size_t return_count;
	struct fwd_session *sessions;
	size_t session_count;
	struct fwd_session_peer *peers;
	size_t peer_count;
	bool peers_alike; /* by forwarding_sort(): each color has the same, and their prefixes */
	struct fwd_rule *rules;
	size_t rule_count;
	struct fwd_line *lines;
	size_t line_count;
	struct fwd_queue *queues;
	size_t queue_count;
	struct fwd_meter *meters;
	size_t meter_count;
	struct fwd_device *devices;
	size_t device_count;
};

void forwarding_init(struct forwarding *f);
void forwarding_clear(struct forwarding *f);
/** Brings every array into the order of its key; of equal rules one stays. Sets @peers_alike. */
void forwarding_sort(struct forwarding *f);

/** How long a path of the session is held as spare at most because it failed often (core/damping.h); 0: never. */
static inline uint64_t forwarding_damped_us(const struct fwd_session *session)
{
	return session->revert_max_ms > session->revert_hold_ms
		   ? (uint64_t)session->revert_max_ms * 1000
		   : 0;
}

/** Is it at the other end of a parallel link? */
static inline bool forwarding_id_parallel(uint32_t neighbor_id)
{
	return neighbor_id >= PARALLEL_ID;
}
/** The site that it is. */
static inline uint32_t forwarding_id_site(uint32_t neighbor_id)
{
	return neighbor_id % PARALLEL_ID;
}
/** How @neighbor_id knows @site_id, whose neighbour it is. */
static inline uint32_t forwarding_id_back(uint32_t neighbor_id, uint32_t site_id)
{
	return neighbor_id - forwarding_id_site(neighbor_id) + site_id;
}
/** Our address on the link to that neighbour. */
static inline ipv4_t forwarding_link_address(const struct forwarding *f, uint32_t neighbor_id)
{
	return forwarding_id_parallel(neighbor_id) ? f->parallel_address : f->link_address;
}

/** UDP port of the session's device @slot; 0: there is none. */
uint16_t forwarding_session_port(const struct fwd_session *session, uint8_t slot);
/** Which of the session's devices @peer has, from 0: its place by id among those that share its LAN. */
uint8_t forwarding_peer_slot(const struct forwarding *f, const struct fwd_session_peer *peer);
/** Do the two lead to one LAN? Peers of one color, of different rank. */
bool forwarding_peers_share(const struct fwd_session_peer *a, const struct fwd_session_peer *b);
/** @return the entry or NULL; borrowed. */
const struct fwd_session_peer *forwarding_peer(const struct forwarding *f, uint32_t color,
					       uint32_t site_id);
const struct fwd_neighbor *forwarding_neighbor(const struct forwarding *f, uint32_t site_id);
const struct fwd_label_route *forwarding_label(const struct forwarding *f, uint32_t in_label);
const struct fwd_return *forwarding_return(const struct forwarding *f, ipv4_t destination);
/**
 * What the node does with a packet that has @stack: pops its own labels, swaps another, by the routes and not their repairs.
 * @stack  what it is sent on with. @ret_next  to which neighbour; 0: it ends here.
 * @return NULL, or why the packet is lost: "has no such label"; static storage.
 */
const char *forwarding_step(const struct forwarding *f, struct label_stack *stack,
			    uint32_t *ret_next);
const struct fwd_path *forwarding_path(const struct forwarding *f, uint8_t index);
const struct fwd_session *forwarding_session(const struct forwarding *f, uint32_t color);
const struct fwd_line *forwarding_line(const struct forwarding *f, const char *underlay);
const struct fwd_meter *forwarding_meter(const struct forwarding *f, const char *underlay);

/**
 * The canonical text that a bundle is: one line an object, a keyword and its fields, LF
 * at the end of each, first line "tuyen-bundle 1", second "site <id> ...". Deterministic.
 * In names, bytes that are not a letter, a digit, "-", "_", "." or part of UTF-8 are "%XX"; no name is "-".
 */
void forwarding_encode(const struct forwarding *f, struct text *ret_text);

/** Of that text the lines that say where packets go: labels, paths and returns, which stand together. Borrowed. */
struct forwarding_ways {
	const char *bytes;
	size_t length;
};

/** Added to @ret_text. */
void forwarding_encode_ways(const struct forwarding *f, struct text *ret_text);

/** @return 0 or a negative error, after which there are no more pieces. */
typedef int forwarding_flush(void *context, const char *bytes, size_t length);
/**
 * The same text, handed on in pieces of whole lines, each of @piece bytes and not a line more: a gateway's is too large for a cache.
 * @ways  instead of the labels, paths and returns of @f; NULL: those of @f. Not of whole lines where they are cut into pieces.
 * @buffer  initialised; left empty.
 * @return 0, what @flush returned, or -TUYEN_ENOMEM.
 */
int forwarding_encode_pieces(const struct forwarding *f, const struct forwarding_ways *ways,
			     size_t piece, struct text *buffer, forwarding_flush *flush,
			     void *context);

#define FORWARDING_BYTES_MAX (64u << 20)

/**
 * Reads what forwarding_encode() wrote and nothing else: every line must have its canonical form,
 * order and references (each neighbour, color and path named exists). Meant for verified bytes
 * and safe on any.
 * @return 0; -TUYEN_EINVAL or -TUYEN_ELIMIT with "line N: ..." in @reason; -TUYEN_ENOMEM.
 */
int forwarding_parse(const char *bytes, size_t length, struct forwarding *ret_forwarding,
		     struct reason *reason);

#endif
