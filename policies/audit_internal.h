/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_AUDIT_INTERNAL_H
#define TUYEN_POLICIES_AUDIT_INTERNAL_H

#include <stdlib.h>

#include "tuyen/policies/audit.h"
#include "tuyen/topology/mtu.h"

/** What the audit's files share; nobody else includes this. */

#define AUDIT_HOPS_MAX 255 /* the TTL of a labelled packet */

/** A growing array of numbers. */
struct numbers {
	uint32_t *value;
	size_t count, room;
};

/** A line of a bundle. */
enum audit_object {
	OBJECT_SITE,
	OBJECT_ADDRESS,
	OBJECT_SRGB,
	OBJECT_OVERLAY,
	OBJECT_LINK0,
	OBJECT_LINK1,
	OBJECT_LAN,
	OBJECT_NEIGHBOR,
	OBJECT_LABEL,
	OBJECT_PATH,
	OBJECT_RETURN,
	OBJECT_SESSION,
	OBJECT_PEER,
	OBJECT_RULE,
	OBJECT_LINE,
	OBJECT_QUEUE,
	OBJECT_METER,
	OBJECT_NONE, /* what should be there and is not */
};

/** What the audit knows of a neighbour entry: one end of an adjacency. */
struct adjacency {
	uint32_t site;	  /* whose entry it is, index into @sites */
	uint32_t peer;	  /* the other's site; NETWORK_NONE */
	uint32_t reverse; /* the other's adjacency back; NETWORK_NONE */
	uint32_t link;	  /* of the network; NETWORK_NONE */
	uint32_t accept;  /* its first accept entry, counted over all */
	bool works;	  /* keys, addresses and caller agree: packets cross */
};

struct session_peer {
	uint32_t other;	  /* site; NETWORK_NONE */
	uint32_t reverse; /* its entry for us; NETWORK_NONE */
	uint32_t policy;  /* NETWORK_NONE */
	uint32_t session; /* NETWORK_NONE */
	bool lawful;
	bool works; /* keys and calls agree: packets pass once there is a path */
};

struct audit_path {
	const struct fwd_path *path;
	uint32_t session;
	uint32_t way, way_count;    /* in ways: links */
	uint32_t nodes, node_count; /* in nodes: sites between the ends, of the network */
	uint32_t repaired, repaired_link_count,
	    repaired_node_count; /* in repaired: links, then sites, that may fail */
};

struct audit {
	const struct network *network;
	const struct forwarding *sites;
	size_t count;
	const struct executor *executor; /* NULL: nobody helps */
	bool failed;
	bool parallel; /* some link is */
	bool
	    prepared; /* some link is, or fresh: what is accepted may be more than what uses it now */

	size_t id_room, color_room; /* how long the tables by id and by color are */
	uint32_t *by_id;	    /* id -> index into sites */
	uint32_t *intent_by_id;	    /* id -> index into the network's sites */
	uint32_t *intent;	    /* index into sites -> into the network's */
	uint32_t *adjacency_first, *label_first, *return_first, *peer_first,
	    *session_device_first; /* count + 1 */
	struct adjacency *adjacencies;
	struct session_peer *peers;
	size_t accept_count;
	uint8_t *accept_used, *label_used, *return_used;

	/* the network, to be asked quickly */
	uint32_t *link_first, *link_near; /* links of a site */
	uint64_t *set_bits; /* of policies and denies: from, to, one after the other */
	size_t set_words;
	uint32_t *policy_of_color;

	uint16_t *least; /* by session of a site: the smallest MTU of its paths; audit_least() */
	struct audit_session *sessions;
	size_t session_count;
	uint32_t *session_first; /* by site: sites' count + 1 */
	uint32_t *
	    asked; /* classes that somebody must reach with, or never, each once, sorted; NETWORK_NONE: any packet */
	size_t asked_count, asked_words;
	uint64_t *
	    touches; /* by session: audit_touches() there and back, of the head-end's packets first, then audit_covers() */
	struct audit_path *paths;
	size_t path_count;
	struct numbers ways, nodes, repaired;

	struct audit_finding *findings;
	size_t finding_count, finding_room;
	size_t found[AUDIT_KINDS];
	struct audit_counts counts;

	struct audit_failure *failures;
	size_t failure_count, failure_room;
	struct numbers cut;
};

static inline const char *audit_name(const struct audit *a, uint32_t site)
{
	return a->sites[site].site;
}

/* audit_finding.c */
void audit_find(struct audit *a, enum audit_kind kind, uint32_t site, enum audit_object object,
		size_t index, struct source_place place, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
#define AUDIT_NOWHERE ((struct source_place){0})
bool numbers_add(struct audit *a, struct numbers *n, uint32_t value);
/** Takes a finding of another audit of the same state, as if it were found now. */
void audit_finding_take(struct audit *a, struct audit_finding *finding);
/** "country.policy:12", or "" . */
void audit_place(const struct audit *a, struct source_place place, struct text *ret_text);

/* audit_part.c: what divides by site */
/** Looks at sites @from .. @to - 1. What it finds, counts and keeps is @a's; of what is everybody's it changes only marks and
 * what is those sites' own. */
typedef int audit_pass(struct audit *a, uint32_t from, uint32_t to);
/** @return 0 or a negative error. */
int audit_divide(struct audit *a, audit_pass *pass);

/** Sets a mark that others may set too, at once. Most are set already, and a cache line is not taken for nothing. */
static inline void audit_mark(uint8_t *mark)
{
	if (!__atomic_load_n(mark, __ATOMIC_RELAXED))
		__atomic_store_n(mark, 1, __ATOMIC_RELAXED);
}

/** The same for a smallest number; 0: none yet. */
static inline void audit_least(uint16_t *least, uint16_t value)
{
	uint16_t now = __atomic_load_n(least, __ATOMIC_RELAXED);

	while ((!now || value < now) &&
	       !__atomic_compare_exchange_n(least, &now, value, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

/* audit.c: looking up */
uint32_t audit_site_by_id(const struct audit *a, uint32_t id);	       /* NETWORK_NONE */
uint32_t audit_policy_of_color(const struct audit *a, uint32_t color); /* NETWORK_NONE */
/** Counted over all sites. */
uint32_t audit_adjacency(const struct audit *a, uint32_t site, uint32_t neighbor_id);
uint32_t audit_peer(const struct audit *a, uint32_t site, uint32_t color, uint32_t site_id);
uint32_t audit_label(const struct audit *a, uint32_t site, uint32_t label);
/** The network's link between two of its sites, the ordinary or the parallel one. */
uint32_t audit_link(const struct audit *a, uint32_t site_a, uint32_t site_b, bool parallel);
/** The other link between the same two sites; NETWORK_NONE. */
uint32_t audit_link_twin(const struct audit *a, uint32_t link);
enum { SET_FROM, SET_TO };
bool audit_policy_has(const struct audit *a, uint32_t policy, int side, uint32_t site);
/** May it, after all deny rules? Sites of the network. Bit i: the policy's classes[i]. */
uint64_t audit_intent(const struct audit *a, uint32_t policy, uint32_t from, uint32_t to);
/** Bit i: some packet of asked[i] passes both ends' rules. @back  the endpoint opens it. */
uint64_t *audit_touches(const struct audit *a, uint32_t session, bool back);
/** Bit i: all packets of asked[i] that go to the other end's LANs do. */
uint64_t *audit_covers(const struct audit *a, uint32_t session, bool back);

/* The passes, in this order. */
void audit_orders(struct audit *a);	/* audit_site.c */
void audit_identities(struct audit *a); /* audit_site.c */
void audit_links(struct audit *a);	/* audit_site.c */
void audit_queues(struct audit *a);	/* audit_queue.c */
int audit_peers(struct audit *a);	/* audit_flow.c: peers, their LANs */
int audit_flows(struct audit *a);	/* audit_flow.c: rules against policy */
int audit_paths(struct audit *a);	/* audit_walk.c */
void audit_isolation(struct audit *a);	/* audit_walk.c */
void audit_reach(struct audit *a);	/* audit_walk.c */
int audit_expect(struct audit *a);	/* audit_expect.c */

/* audit_print.c: words for all outputs */
/** 11,385 */
void audit_number(struct text *t, size_t number);
/** The line of the bundle that @finding is about, without its LF; false where there is none. */
bool audit_finding_line(const struct audit *a, const struct audit_finding *f,
			struct text *ret_line);
/** "10,611 commune, 705 district" */
void audit_tiers(const struct audit *a, const struct audit_failure *f, struct text *t);
const char *audit_failure_kind_name(enum audit_failure_kind kind);
/** How many of the worst failures to show, at most @most. */
size_t audit_points_shown(const struct audit *a, size_t most);

/** (site, site, class) allowed, put together by policy, class and the two tiers. */
struct audit_group {
	uint32_t policy, bit, from_tier, to_tier;
	size_t pairs, open, with_spare;
};
/** @ret_groups  the caller's, free()d. */
int audit_groups(const struct audit *a, struct audit_group **ret_groups, size_t *ret_count);

#endif
