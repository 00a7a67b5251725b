/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CORE_SIMULATE_INTERNAL_H
#define DAEMON_CORE_SIMULATE_INTERNAL_H

#include "tuyen/core/damping.h"
#include "tuyen/core/repair.h"
#include "tuyen/core/simulate.h"

/*
 * A resource is what can fail: 2 * link + direction (0: from its a to its b), behind all links the label table of each
 * site, and behind those whether it lives. A link's end is 2 * link + end (0: at its a).
 */
#define SIM_NONE UINT32_MAX

struct sim_link {
	uint32_t a, b; /* sites, a < b */
	bool parallel;
	uint32_t delay_us;
};

struct sim_site {
	struct forwarding f;
	uint32_t tier;
	uint32_t *link; /* a neighbour each */
	uint32_t path, path_count;
	uint32_t pair, pair_count;
	uint32_t transit, ending; /* ways through it and to it */
};

struct sim_path {
	uint32_t site, pair;
	uint32_t hop, hop_count; /* into hops: resources, there and back, where nothing fails */
	uint8_t position;	 /* in its site's forwarding */
	bool broken;
	uint64_t round_trip_us; /* the longest of a run, repairs included */
	uint64_t base_us;	/* silent for so long it is in doubt; 0: it is down then */
	uint64_t
	    hasty_us; /* is enough when the link that it leaves by is down; 0: that is repaired */
	uint32_t first_end; /* that link's, at its site */
};

/* One session of one policy: the candidate paths of one (color, endpoint). */
struct sim_pair {
	uint32_t site;
	uint32_t color, endpoint;
	uint64_t hold_us, longest_us; /* the latter of a way that fails often */
	uint32_t path[SITE_PATHS_MAX];
	uint8_t path_count;
	uint32_t service;
};

/* What a site sends of one color to one LAN: by a pair, or by that of several gateways which is in use. */
struct sim_service {
	uint32_t site;
	uint32_t pair[FWD_RANKS_MAX];
	uint8_t pair_count;
};

struct sim_interval {
	uint64_t from_us, to_us; /* [from, to) */
};

struct sim_list {
	uint32_t first, count;
};

/* From when on @end's traffic goes around its link or over it again. */
struct sim_step {
	uint64_t at_us;
	uint32_t end;
	enum repair_link state;
	bool heard; /* REPAIR_LINK_DOWN: the other end says so */
};

#define SIM_DEAD UINT64_MAX

/* What leaves the head-end from @from_us on is back after @round_trip_us; SIM_DEAD: never. */
struct sim_fate {
	uint64_t from_us, round_trip_us;
};

struct sim_flight {
	uint64_t arrives_us;
	struct bfd_packet packet;
};

/* A session in doubt, as it was when it became that: should its endpoint turn out to be gone, it is run anew. */
struct sim_mark {
	struct bfd_session bfd;
	struct monotime now;
	uint32_t flight_count;
	struct sim_flight flight[];
};

struct sim_session {
	struct bfd_session bfd;
	struct monotime now;	   /* up to where it was run */
	struct sim_flight *flight; /* by arrival */
	uint32_t flight_count, flight_capacity;
	struct monotime next_at;	  /* its next change */
	enum bfd_state state, next_state; /* known to the site; and after its next change */
	enum bfd_diagnostic diagnostic, next_diagnostic;
	struct monotime since;
	struct damping damping;
	struct sim_mark *mark;
	uint32_t turn;		    /* wakes of earlier ones count for nothing */
	bool quiet;		    /* silent for its base; as far as it was run */
	bool doubted, next_doubted; /* the same, known to the site; and after its next change */
	bool asleep;
};

struct sim_pair_run {
	uint32_t active; /* path */
	uint64_t switches;
};

struct sim_service_run {
	uint32_t active; /* path */
	uint64_t active_from_us;
	uint64_t out_from_us, out_to_us, out_avoidable_us; /* the newest outage */
	uint64_t longest_us;				   /* outage with a live way */
};

struct sim_site_run {
	struct active_paths active;
	struct monotime next_look;
	uint64_t longest_us; /* outage with a live way */
	bool hit, moved, cut;
};

enum sim_wake_kind {
	SIM_WAKE_CHANGE, /* before looks of the same moment */
	SIM_WAKE_LOOK,
};

struct sim_wake {
	uint64_t at_us;
	uint32_t site;
	uint32_t kind;
	uint32_t path, turn; /* SIM_WAKE_CHANGE */
};

struct simulation {
	struct sim_site *sites; /* by id */
	size_t site_count, site_capacity;
	uint32_t *site_of_id; /* SITE_ID_MAX + 1 */
	char tiers[SIMULATE_TIERS_MAX][NAME_MAX_BYTES + 1];
	size_t tier_count;
	struct sim_link *links;
	size_t link_count;
	struct sim_path *paths;
	size_t path_count;
	struct sim_pair *pairs;
	size_t pair_count;
	struct sim_service *services;
	size_t service_count;
	uint32_t *hops;
	size_t hop_count, hop_capacity;
	struct simulate_result standing; /* breaches of the compiled state itself */

	/* a run */
	struct simulate_options o;
	struct simulate_result *result;
	struct sim_list *down; /* a resource each, into down_intervals */
	struct sim_interval *down_intervals;
	struct sim_list *link_lists; /* a link's end each, into steps */
	struct sim_step *steps;
	size_t step_count, step_capacity;
	struct sim_list *fate_lists; /* a path each that something happens to, into fates */
	struct sim_fate *fates;
	size_t fate_count, fate_capacity;
	struct sim_list
	    *dead; /* a path each: when a packet must leave to be lost, into dead_intervals */
	struct sim_interval *dead_intervals;
	size_t dead_count, dead_capacity;
	struct sim_session *sessions; /* a path each */
	struct sim_pair_run *pair_runs;
	struct sim_service_run *service_runs;
	struct sim_site_run *site_runs;
	struct sim_wake *heap;
	size_t heap_count, heap_capacity;
	bool failed; /* out of memory */
};

/* Grows by doubling to hold @count items. */
bool sim_reserve(struct simulation *s, void *array, size_t *capacity, size_t count, size_t size);

static inline uint32_t sim_resource_node(const struct simulation *s, uint32_t site)
{
	return (uint32_t)(2 * s->link_count) + site;
}

static inline uint32_t sim_resource_dead(const struct simulation *s, uint32_t site)
{
	return (uint32_t)(2 * s->link_count + s->site_count) + site;
}

static inline bool sim_resource_is_link(const struct simulation *s, uint32_t resource)
{
	return resource < 2 * s->link_count;
}

static inline uint32_t sim_resource_delay(const struct simulation *s, uint32_t resource)
{
	return sim_resource_is_link(s, resource) ? s->links[resource / 2].delay_us : 0;
}

static inline const struct fwd_path *sim_path_forwarding(const struct simulation *s, uint32_t path)
{
	return &s->sites[s->paths[path].site].f.paths[s->paths[path].position];
}

/* Site @from's link to its neighbour @id: the resource of the direction there; SIM_NONE. */
uint32_t sim_link_find(const struct simulation *s, uint32_t from, uint32_t id);
/* The end of a link that is at the site which the direction @resource leaves. */
static inline uint32_t sim_end_of(uint32_t resource)
{
	return resource; /* direction 0 leaves a, direction 1 leaves b */
}

/* @return the index of the site, or of the site that a neighbour is; SIM_NONE. */
uint32_t sim_site_by_id(const struct simulation *s, uint32_t id);

/* As @site knows @other, over the one or the other link. */
static inline const struct fwd_neighbor *sim_neighbor(const struct simulation *s, uint32_t site,
						      uint32_t other, bool parallel)
{
	return forwarding_neighbor(&s->sites[site].f,
				   s->sites[other].f.site_id + (parallel ? PARALLEL_ID : 0));
}

/* simulate_way.c: every path, there and back. */
int sim_ways_walk(struct simulation *s);

/* One packet that leaves the head-end of @path at @sent_us, over links as they are when it comes to them. */
struct sim_passage {
	uint64_t round_trip_us; /* SIM_DEAD: it is lost */
	uint64_t until_us;	/* one that leaves before that fares the same */
};
/* @chance: what wires do by chance befalls it too, as probe number @probe; then until_us means nothing. */
void sim_way_pass(struct simulation *s, uint32_t path, uint64_t sent_us, bool chance,
		  uint64_t probe, struct sim_passage *ret_passage);

/* simulate_link.c: needs the wires' intervals; makes steps. */
void sim_links_run(struct simulation *s);
/* Of a link's end at a moment, until when, and whether the other end says that it is down. */
enum repair_link sim_link_state(const struct simulation *s, uint32_t end, uint64_t at_us,
				uint64_t *ret_until_us, bool *ret_heard);
/* When it goes down next, after @after_us, and whether the other end says so. UINT64_MAX: never. */
uint64_t sim_link_down_next(const struct simulation *s, uint32_t end, uint64_t after_us,
			    bool *ret_heard);

/* simulate_wire.c */
int sim_wire_prepare(struct simulation *s, const struct simulate_events *events,
		     struct reason *reason);
void sim_wire_clear(struct simulation *s);
/* Does a probe sent at @at_us come back, and when? */
bool sim_wire_probe(struct simulation *s, uint32_t path, uint64_t at_us, uint64_t probe,
		    uint64_t *ret_arrives_us);
/* The first dead interval of @path that ends after @at_us; NULL. */
const struct sim_interval *sim_wire_dead_next(const struct simulation *s, uint32_t path,
					      uint64_t at_us);
/* Does anything still happen to what leaves from @at_us on? */
bool sim_wire_trouble(const struct simulation *s, uint32_t path, uint64_t at_us);
bool sim_resource_down(const struct simulation *s, uint32_t resource, uint64_t from_us,
		       uint64_t to_us);
/* The most that jitter and reordering add to a round trip. */
uint64_t sim_wire_slack(const struct simulation *s, uint32_t path);
uint64_t sim_random(uint64_t seed, uint64_t a, uint64_t b);

/* simulate_session.c */
void sim_session_start(struct simulation *s, uint32_t path);
/* Runs on to its next change: next_at, MONOTIME_NEVER if there is none. */
void sim_session_advance(struct simulation *s, uint32_t path);
/* It is in doubt from now on: remembers how it is. */
void sim_session_mark(struct simulation *s, uint32_t path);
/* Its endpoint is gone: it is down now, unless an answer comes at this moment. */
void sim_session_give_up(struct simulation *s, uint32_t path, struct monotime now);

/* simulate_judge.c */
void sim_judge_turn(struct simulation *s, uint32_t pair, uint32_t from, uint32_t to,
		    struct monotime now);
/* What is sent to the pair's LAN goes by @path. */
void sim_judge_carry(struct simulation *s, uint32_t service, uint32_t path, struct monotime now);
void sim_judge_end(struct simulation *s);
void sim_breach(struct simulation *s, struct simulate_result *r, enum simulate_rule rule,
		struct monotime at, uint32_t path, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
