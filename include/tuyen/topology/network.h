/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TOPOLOGY_NETWORK_H
#define TUYEN_TOPOLOGY_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/ip.h"
#include "tuyen/topology/labels.h"

/**
 * The network as the sources describe it, names resolved: what the checker
 * builds from the syntax tree and what the compiler reads. Arrays are indexed
 * by position; references are indexes into them, NETWORK_NONE where there is
 * none. Sites are in source order. Owns all it points to.
 */

#define NETWORK_NONE	 UINT32_MAX
#define NAME_MAX_BYTES	 63 /* of a site, policy, path, class, device: UTF-8 */
#define SITE_ID_MAX	 65535
#define SITE_UPLINKS_MAX 64
#define QUEUES_MAX	 40 /* policies, where a line has a rate: a queue each, known by a code point */
#define REVERT_MAX_DEFAULT_MS                                                                      \
	60000		  /* of a policy that says no other, or its hold time if that is longer */
#define SITE_PATHS_MAX 15 /* candidate paths a head-end: a path address holds 4 bits for them */

/** A place in a source file, for messages and for `explain`. Lines and columns count from 1. */
struct source_place {
	uint32_t file; /* index into struct network's files */
	uint32_t line;
	uint32_t column;
};

/** How fast a link or path is probed, RFC 5880 section 6.8.1. Detection time = interval_us * multiplier. */
struct probe_timers {
	uint32_t interval_us;
	uint8_t multiplier;
};

/** What a line carries, seen from the site, bit/s of IP packets on the underlay; 0 unknown: not queued for. */
struct line_rate {
	uint64_t up_bps, down_bps;
};

#define LINE_RATE_MIN_BPS 64000u
#define LINE_RATE_MAX_BPS 10000000000u

/** Above what a path that is alive is left for another; 0: never for that. */
struct path_limits {
	uint8_t loss_percent;
	uint32_t round_trip_us;
	uint32_t jitter_us; /* RFC 3550 section 6.4.1, of the round trip */
};

/** A kind of carrier line: fibre, leased, lte, vsat. */
struct underlay_class {
	char *name;
	struct probe_timers probe;
	uint16_t mtu_bytes;
	uint32_t metric;       /* of a link that runs over it, unless the link says so */
	uint32_t delay_us;     /* one way, typical; 0 unknown */
	struct line_rate rate; /* of an uplink, unless it says its own */
	bool has_dscp;	       /* the carrier honours the code points of our packets */
	uint8_t dscp[3];       /* RFC 2474, 0..63, by a class's priority */
	struct source_place place;
};

/** Why a rule is there, and until when. Strings are NULL where nothing was said. */
struct rule_note {
	int64_t expires_s; /* since 1970, UTC: from then on it does not hold; 0 never */
	char *author, *reason;
};

struct site_uplink {
	uint32_t underlay;	      /* index into underlays */
	struct ip_endpoint endpoint;  /* family 0: dynamic, this site is always the caller */
	uint64_t allowance_bytes_day; /* 0: not metered */
	struct line_rate rate;
	uint32_t *risks; /* shared-risk groups (RFC 4202 section 2.3): indexes into risks */
	size_t risk_count;
	struct source_place place;
};

/** A device beside the site that tuyen-snmp polls: a modem, an ONT. */
struct site_device {
	char *name;
	ipv4_t address;
	uint16_t port;	 /* SNMP, normally 161 */
	char *user;	 /* SNMPv3 user; its secrets are in a file on the node */
	char *interface; /* ifName of the device's carrier side; NULL: its first */
	uint32_t uplink; /* index into the site's uplinks that it carries; NETWORK_NONE */
	struct source_place place;
};

struct site {
	char *name;
	uint32_t id;	 /* 1..SITE_ID_MAX, unique */
	uint32_t tier;	 /* index into tiers */
	uint32_t parent; /* index into sites */
	uint32_t backup; /* a second parent */
	struct site_uplink *uplinks;
	size_t uplink_count;
	struct ipv4_prefix *lans;
	struct source_place *lan_places;
	ipv4_t
	    *lan_own; /* by LAN: 0, or it is shared with other gateways, and this is ours in it */
	size_t lan_count;
	struct site_device *devices;
	size_t device_count;
	uint32_t *tags; /* indexes into tags, sorted */
	size_t tag_count;
	bool has_keys;
	uint8_t link_key[WG_KEY_LEN];	 /* public */
	uint8_t session_key[WG_KEY_LEN]; /* public */
	uint32_t
	    face; /* of a leaf with a parallel link: its face; of a face, whose it is; else 0 */
	struct source_place place;
};

/**
 * A link between two neighbours. parent and backup make one each; `link` statements add or amend. Two sites have one
 * ordinary link at most, and beside it one parallel link, where one of them is a leaf: a site of the lowest tier, which
 * carries nobody else's traffic.
 */
struct link {
	uint32_t a, b;		     /* a calls b: a is the child, or the first named */
	uint32_t uplink_a, uplink_b; /* index into that site's uplinks */
	uint32_t metric;	     /* >= 1 */
	uint32_t delay_us;
	struct probe_timers probe;
	uint16_t mtu_bytes; /* carrier MTU: the smaller of the two ends */
	uint32_t *risks;    /* its own and those of both its uplinks: indexes into risks, sorted */
	size_t risk_count;
	bool prepared; /* it stands and is watched, and nothing is sent over it yet */
	bool fresh;    /* it is used, and what was accepted without it still is */
	bool parallel;
	uint32_t face; /* of a parallel link: what its leaf is there; else 0 */
	struct source_place place;
};

struct class_match {
	uint8_t protocol;		/* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP; 0 any */
	uint16_t port_first, port_last; /* destination; 0..65535 any */
	struct ipv4_prefix to;		/* length 0: anywhere at the endpoint */
	bool has_dscp;
	uint8_t dscp; /* RFC 2474: 0..63 */
};

struct traffic_class {
	char *name;
	struct class_match
	    *matches; /* any of them: ports times prefixes times DSCPs, the last changes first */
	size_t match_count;
	uint8_t priority;      /* 0 low, 1 normal, 2 high */
	uint8_t share_percent; /* of a line whose rate is known, 1..100; 0 unsaid */
	bool expired;	       /* no policy carries it any more */
	struct rule_note note;
	struct source_place place;
};

/** A set of sites, already resolved: sorted site indexes. */
struct site_set {
	uint32_t *sites;
	size_t count;
};

enum path_via {
	PATH_VIA_SHORTEST, /* wherever the metric leads */
	PATH_VIA_PARENT,
	PATH_VIA_BACKUP,
	PATH_VIA_SITES, /* through these sites, in this order */
};

struct candidate_path {
	char *name;
	uint32_t preference; /* RFC 9256 section 2.7: higher wins */
	enum path_via via;
	struct site_set through; /* PATH_VIA_SITES: in the order given (not sorted) */
	uint32_t disjoint_from;	 /* index of an earlier path of the policy; NETWORK_NONE */
	/* a head-end whose way does not fulfil these lacks the path */
	struct site_set avoid; /* sites that it must not pass; sorted */
	uint32_t *avoid_links; /* indexes into links, sorted */
	size_t avoid_link_count;
	uint32_t
	    over; /* the head-end's own line that it begins with: index into underlays; NETWORK_NONE: any */
	uint32_t max_delay_us; /* one way, the sum of its links'; 0 unsaid */
	uint8_t max_labels;    /* pushed, either way; 0 unsaid */
	bool some;	       /* only these head-ends have it; else all of the policy's */
	struct site_set heads; /* sorted */
	struct source_place place;
};

struct policy {
	char *name;
	uint32_t color;		  /* 1..9999, unique a policy; RFC 9256 section 2.1 */
	struct site_set from, to; /* head-ends and endpoints */
	uint32_t *classes;	  /* that it carries */
	size_t class_count;
	struct candidate_path *paths; /* highest preference first */
	size_t path_count;
	uint32_t revert_hold_ms; /* a better path must be up this long before traffic goes back */
	uint32_t revert_max_ms;	 /* and at most so long if it fails again and again */
	struct path_limits degraded;
	struct probe_timers
	    probe; /* of its paths, where their links bear that; 0, 0: as their links */
	struct rule_note note;
	struct source_place place;
};

struct deny_rule {
	struct site_set from, to;
	uint32_t class_index; /* NETWORK_NONE: all */
	struct rule_note note;
	struct source_place place;
};

enum expect_kind {
	EXPECT_REACHES,
	EXPECT_REACHES_AFTER_ANY_LINK_FAILURE,
	EXPECT_REACHES_AFTER_LINK_FAILURE, /* of @link */
	EXPECT_NEVER_REACHES,
};

struct expectation {
	enum expect_kind kind;
	struct site_set from, to;
	uint32_t class_index; /* NETWORK_NONE: any */
	uint32_t link;	      /* index into links; NETWORK_NONE */
	struct source_place place;
};

struct network {
	char **files;
	size_t file_count;
	char **tiers; /* top first */
	size_t tier_count;
	char **tags; /* that sites have, in the order first said */
	size_t tag_count;
	char **risks; /* shared-risk groups, in the order first said */
	size_t risk_count;
	struct underlay_class *underlays;
	size_t underlay_count;
	struct site *sites; /* and behind them the faces */
	size_t site_count;
	/*
	 * A leaf with parallel links stands once more among the sites, as what it is over these: another leaf, with the id
	 * PARALLEL_ID + id and a name of its own; all else is that of the site. So a way says by its sites alone which links it
	 * takes.
	 */
	size_t face_count;
	struct link *links;
	size_t link_count;
	struct traffic_class *classes;
	size_t class_count;
	struct policy *policies;
	size_t policy_count;
	struct deny_rule *denies;
	size_t deny_count;
	struct expectation *expectations;
	size_t expectation_count;

	struct label_block srgb; /* default 16000, 70000 */
	struct ipv4_prefix
	    link_space; /* a /16: link address = base + site id; default 100.64.0.0/16 */
	struct ipv4_prefix
	    path_space; /* a /12: path address = base + site id * 16 + path index; default 100.80.0.0/12 */
	struct ipv4_prefix
	    parallel_space;    /* a /16: as link_space, on parallel links; default 100.65.0.0/16 */
	uint16_t link_port;    /* UDP, default 51820 */
	uint16_t session_port; /* UDP, color is added to it; default 52000 */
};

/** Is @site among @set? */
bool site_set_has(const struct site_set *set, uint32_t site);

void network_init(struct network *n);
void network_clear(struct network *n);
/** What one rule owns, for whoever takes it out of its array. */
void network_policy_clear(struct policy *policy);
void network_deny_clear(struct deny_rule *rule);
/** Where @site stands in its LAN @index if it shares that with other gateways; else 0. */
static inline ipv4_t site_lan_own(const struct site *site, size_t index)
{
	return site->lan_own ? site->lan_own[index] : 0;
}
static inline bool site_shares_lan(const struct site *site)
{
	for (size_t i = 0; i < site->lan_count; i++)
		if (site_lan_own(site, i))
			return true;
	return false;
}
/** Do two different sites stand in one LAN? Then each carries what is meant for it, and one takes over for the other. */
bool network_shares_lan(const struct network *n, uint32_t site_a, uint32_t site_b);
/**
 * Sets the bit of each site of @set, and of each that shares a LAN with one of them: who is let into that LAN, or out of it, by one
 * gateway is so by all of them. @bits  a bit a site, 64 in a word, lowest first.
 */
void network_bits_sharing(const struct network *n, const struct site_set *set, uint64_t *bits);
/** Sorts @sites, @count of them, by their ids. */
void network_sort_by_id(const struct network *n, uint32_t *sites, size_t count);
/** @return the site's index, NETWORK_NONE if there is none. */
uint32_t network_site_find(const struct network *n, const char *name);

#define NETWORK_PARALLEL_SUFFIX " parallel" /* of a site's name, on parallel links */

/** What follows the names of its ends where @link is named. */
static inline const char *network_link_suffix(const struct link *link)
{
	return link->parallel ? NETWORK_PARALLEL_SUFFIX : "";
}
/** Sites and faces. */
static inline size_t network_node_count(const struct network *n)
{
	return n->site_count + n->face_count;
}
/** The site that @node, a site or a face, is. */
static inline uint32_t network_site_of(const struct network *n, uint32_t node)
{
	return node < n->site_count ? node : n->sites[node].face;
}
/** What @node is over its other link: a site's face, or whose face it is. NETWORK_NONE where it has none. */
static inline uint32_t network_other_face(const struct network *n, uint32_t node)
{
	return node >= n->site_count || n->sites[node].face ? n->sites[node].face : NETWORK_NONE;
}
/** What @site, an end of @link, is there: itself or its face. */
static inline uint32_t network_link_end(const struct network *n, const struct link *link,
					uint32_t site)
{
	return link->face && n->sites[link->face].face == site ? link->face : site;
}
/**
 * Makes the faces of the leaves of parallel links; called once all sites and links are there.
 * @return 0 or -TUYEN_ENOMEM.
 */
int network_make_faces(struct network *n);
/** What a site of that name is called on its parallel links. @return the caller's; NULL without memory. */
char *network_face_name(const char *name);
#define NETWORK_PORT_BFD  3784 /* RFC 5881 section 4 */
#define NETWORK_PORT_SBFD 7784 /* RFC 7881 section 2 */

/** Does every node answer at UDP @port itself, by one of these? */
static inline bool network_port_reserved(uint32_t port)
{
	return port == NETWORK_PORT_BFD || port == NETWORK_PORT_SBFD;
}

/** Where WireGuard listens for links at @site; for parallel ones, one above. */
uint16_t network_listen_port(const struct network *n, uint32_t site);

/** 100.64.x.y of the site: what its link0 answers to; with PARALLEL_ID, 100.65.x.y, of its link1. */
ipv4_t network_link_address(const struct network *n, uint32_t site_id);
/** Path address @path_index of the site; index 0 is the node address, where its sessions end. */
ipv4_t network_path_address(const struct network *n, uint32_t site_id, uint8_t path_index);

#endif
