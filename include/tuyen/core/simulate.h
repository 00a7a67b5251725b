/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_SIMULATE_H
#define TUYEN_CORE_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/err.h"
#include "tuyen/base/monotime.h"
#include "tuyen/base/text.h"
#include "tuyen/core/bfd.h"
#include "tuyen/core/repair.h"
#include "tuyen/core/selection.h"
#include "tuyen/topology/forwarding.h"

/**
 * A whole country on one virtual clock: the S-BFD session of every candidate path, BFD and local repair at the links
 * that fail, and the selection of every site, the very code of the daemon, over compiled forwarding state. Wires delay, lose and reorder; links are cut, sites die, and
 * a judge who knows the truth about every wire measures outages and looks whether a promise is broken.
 *
 *	simulation_new -> simulation_add (a site each) -> simulation_connect -> simulation_run (as often as wanted)
 *
 * Deterministic: the same sites, options and events give the same result.
 */
struct simulation;

#define SIMULATE_TIERS_MAX	 16
#define SIMULATE_BREACHES_MAX	 20 /* kept with their words; more are counted */
#define SIMULATE_BARS		 12
#define SIMULATE_POLICIES_MAX	 16
#define SIMULATE_FIRST_EVENT_US	 5000000ull /* before it sessions may still be coming up */
#define SIMULATE_DURATION_MAX_US (7 * 86400 * 1000000ull)

/** Added to the delay that each link has. */
struct simulate_wire {
	uint32_t jitter_us;   /* a packet is late by 0..jitter_us, each link */
	uint32_t loss_ppm;    /* is lost, each link */
	uint32_t reorder_ppm; /* waits a link's delay twice, so that later ones overtake it */
};

typedef void simulate_choose(const struct forwarding *forwarding, const struct path_state *states,
			     size_t state_count, const struct active_paths *previous,
			     struct monotime now, struct active_paths *ret_active,
			     struct monotime *ret_next_look);

/** For tests: a session changed state (@active false), or @path is in use from now on (@active true). */
typedef void simulate_watch(void *context, struct monotime at, uint32_t site_id, uint8_t path,
			    bool active, enum bfd_state state);

struct simulate_options {
	uint64_t seed;
	uint64_t duration_us;
	struct simulate_wire wire;
	uint32_t apply_us;	     /* from a decision to the route in the kernel */
	uint32_t packets_per_second; /* that each session carries, for what is lost */
	bool packet_by_packet;	     /* never skip a probe whose fate is plain */
	simulate_choose *choose;     /* NULL: selection_choose() */
	simulate_watch *watch;
	void *context;
};

enum simulate_event_kind {
	SIMULATE_CUT, /* link @a @b, both directions */
	SIMULATE_HEAL,
	SIMULATE_CUT_WAY, /* from @a to @b alone */
	SIMULATE_HEAL_WAY,
	SIMULATE_KILL, /* site @a is dead */
	SIMULATE_REVIVE,
	SIMULATE_SPOIL, /* site @a has a release with a bad label table: what comes to it is lost */
	SIMULATE_RESTORE, /* and is back at the one before */
};

/** @a is a site's id, @b that of a neighbour: with PARALLEL_ID it is the parallel link of the two. */
struct simulate_event {
	struct monotime at;
	enum simulate_event_kind kind;
	uint32_t a, b;
	uint32_t line; /* of the script that says so; 0: none does */
};

struct simulate_events {
	struct simulate_event *entries;
	size_t count, capacity;
};

void simulate_events_init(struct simulate_events *events);
void simulate_events_clear(struct simulate_events *events);
int simulate_events_add(struct simulate_events *events, const struct simulate_event *event);
/** Does it end what another one began? */
bool simulate_event_heals(const struct simulate_event *event);
/** "cut link hanoi ba-dinh". */
void simulate_event_print(const struct simulation *s, const struct simulate_event *event,
			  struct text *ret_text);

/** What must hold at every step. */
enum simulate_rule {
	SIMULATE_LOOP,	 /* a label goes round */
	SIMULATE_ASTRAY, /* a packet ends at a site that it is not for */
	SIMULATE_BLACK_HOLE, /* a site has no label for it, or its filter refuses it, and nothing is broken */
	SIMULATE_PLAINTEXT, /* a path without a session around it */
	SIMULATE_LOST, /* a live path is left unused for longer than detection, round trip and margin */
	SIMULATE_DEAD_CHOSEN, /* a path that is down is in use though another is up */
	SIMULATE_NEEDLESS,    /* a switch away from a path that is up, to none better */
	SIMULATE_EARLY,	      /* back to a better path before its hold time is over */
	SIMULATE_MANY,	      /* more switches than failures and repairs */
	SIMULATE_NOT_BEST, /* all is quiet, and a better live path, gateway or link is not in use */
	SIMULATE_DEAD_LINK, /* an end of a link that is down uses it for longer than detection and margin */
	SIMULATE_RULES,
};
const char *simulate_rule_name(enum simulate_rule rule);

struct simulate_breach {
	enum simulate_rule rule;
	struct monotime at;
	uint32_t site_id;
	char text[192];
};

/** How long each of several was out while it had a live way: of the longest outage of each that was out at all. */
struct simulate_outages {
	size_t count;
	uint64_t p50_us, p90_us, p99_us, max_us;
};

struct simulate_policy {
	uint32_t color;
	char name[NAME_MAX_BYTES + 1];
	struct simulate_outages outages; /* of its sessions */
};

struct simulate_result {
	uint64_t seed, duration_us;
	size_t sites, sessions, paths, links; /* sessions: (site, color, endpoint) */
	uint64_t changes;		      /* of a probe's verdict */
	uint64_t turns;			      /* of a site's selection */
	uint64_t takeovers;		      /* of a LAN, from one gateway to another */
	uint64_t repairs; /* links whose traffic began to go around them, each end for itself */
	uint64_t switches, probes_run, probes_about;
	uint64_t lost_us;	    /* session time without a way in use, of all sessions */
	uint64_t lost_avoidable_us; /* of it: while a live way was there */
	uint64_t packets_lost,
	    packets_lost_avoidable;	      /* by faults; what chance loses is not counted */
	bool loses_by_chance;		      /* and there was such loss */
	size_t rules_judged;		      /* of SIMULATE_RULES */
	size_t sites_hit;		      /* at least one session was out */
	size_t sites_moved;		      /* at least one session switched */
	size_t sites_cut[SIMULATE_TIERS_MAX]; /* at some time a session had no live path, by tier */
	size_t sites_dark[SIMULATE_TIERS_MAX]; /* at some time no session had */
	size_t sites_dark_at_end[SIMULATE_TIERS_MAX];
	struct simulate_outages outages; /* of whole sites */
	struct simulate_policy
	    policies[SIMULATE_POLICIES_MAX]; /* by color; those beyond are in the sum alone */
	size_t policy_count;
	uint64_t bar_us; /* width of a bar */
	size_t bars[SIMULATE_BARS];
	size_t breach_count;
	size_t breach_by_rule[SIMULATE_RULES];
	struct simulate_breach breaches[SIMULATE_BREACHES_MAX];
};

/** NULL without memory. */
struct simulation *simulation_new(void);
void simulation_free(struct simulation *s); /* takes NULL */

/** Takes the contents of @forwarding, also on failure. @return 0, -TUYEN_EEXIST for a site id, -TUYEN_ENOMEM. */
int simulation_add(struct simulation *s, struct forwarding *forwarding);
/**
 * After the last site: makes a link of each two neighbours (@delay_us one way) and follows every
 * path label by label, there and back. A path that does not arrive is a breach of every run, and dead.
 * @return 0, -TUYEN_ENOENT with @reason for a neighbour that is no site, -TUYEN_ENOMEM.
 */
int simulation_connect(struct simulation *s, uint32_t delay_us, struct reason *reason);
/** @site_b  as the other's neighbour. @return 0 or -TUYEN_ENOENT. */
int simulation_delay_set(struct simulation *s, uint32_t site_a, uint32_t site_b, uint32_t delay_us);

size_t simulation_site_count(const struct simulation *s);
const char *simulation_tier_name(const struct simulation *s, size_t tier); /* NULL past the last */
/** By name or number. @return the site's id, 0 if there is none. */
uint32_t simulation_site_find(const struct simulation *s, const char *word);

/**
 * @events  any order; borrowed. Links and sites that are not there are -TUYEN_ENOENT.
 * @return 0; -TUYEN_EINVAL for an event before SIMULATE_FIRST_EVENT_US, or not before the end; -TUYEN_ENOENT too for a
 *	   country without any session: nothing would be tried; -TUYEN_ENOMEM.
 */
int simulation_run(struct simulation *s, const struct simulate_options *options,
		   const struct simulate_events *events, struct simulate_result *ret_result,
		   struct reason *reason);

/**
 * Of the newest run: does what @site_id sends to its neighbour go around the link, as its BFD says from @at to
 * @ret_until? The kernel does so apply_us later. @ret_heard  that it is down the neighbour says.
 */
enum repair_link simulation_link_at(const struct simulation *s, uint32_t site_id,
				    uint32_t neighbor_id, struct monotime at,
				    struct monotime *ret_until, bool *ret_heard);

/**
 * Reads "at 10s cut link A B; at 20s heal link A B; at 30s kill site X;", "#" to the end of the line is a comment.
 *
 *	cut|heal link A B	cut|heal way A B	kill|revive site X	spoil|restore site X
 *
 * "parallel" behind A B is their parallel link.
 * Times are whole numbers of ms, s, m or h. Statements come in any order; what heals is cut before.
 * @return 0 or -TUYEN_EINVAL with "line N: ...", or "no event".
 */
int simulate_script_parse(const struct simulation *s, const char *bytes,
			  struct simulate_events *events, struct reason *reason);

/** A ready-made scenario. */
struct simulate_scenario {
	const char *name, *summary;
};
/** NULL past the last. */
const struct simulate_scenario *simulate_scenario(size_t index);
/**
 * Adds the events of scenario @name at site @site (an id; 0: the one that most ways depend on).
 * @return 0; -TUYEN_ENOENT with @reason where the country has nothing of the kind.
 */
int simulate_scenario_make(const struct simulation *s, const char *name, uint32_t site,
			   struct simulate_events *events, struct reason *reason);
/** Faults at random places and times: links mostly, one way of one, sites, bad releases; each heals after 1 to 60 s,
 *  if the run lasts so long. */
int simulate_random_make(const struct simulation *s, uint64_t seed, uint64_t duration_us,
			 uint32_t failures_per_hour, struct simulate_events *events);

/** For people: a table and a histogram. */
void simulate_print(const struct simulation *s, const struct simulate_result *r,
		    struct text *ret_text);
/** Fields of a JSON object, without its braces. */
void simulate_print_json(const struct simulation *s, const struct simulate_result *r,
			 struct text *ret_text);

/* ---- the dice, so that another implementation can throw the same ------------------------------- */

/** When the daemon of @site_id starts its sessions; and the seed of the jitter of the one of @path. */
struct monotime simulate_site_start(uint64_t seed, uint32_t site_id);
uint32_t simulate_session_seed(uint64_t seed, uint32_t site_id, uint8_t path);
/** What link number @hop (from 0, the way back goes on counting) does to probe number @probe. @return false: loses it. */
bool simulate_wire_pass(const struct simulate_options *o, uint32_t site_id, uint8_t path,
			uint64_t probe, uint32_t hop, uint32_t delay_us, uint64_t *ret_delay_us);

#endif
