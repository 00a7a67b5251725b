/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SERVICE_ENGINE_INTERNAL_H
#define DAEMON_SERVICE_ENGINE_INTERNAL_H

#include <event2/event.h>

#include "tuyen/core/call_back.h"
#include "tuyen/core/conflict.h"
#include "tuyen/core/meter.h"
#include "tuyen/core/repair.h"
#include "tuyen/core/selection.h"
#include "tuyen/kernel/kernel.h"
#include "tuyen/policies/seal.h"
#include "tuyen/service/engine.h"
#include "tuyen/service/pair.h"
#include "tuyen/service/status.h"
#include "tuyen/service/store.h"

#define ENGINE_CHECKS_MAX 64
#define ENGINE_KEY_ENDS_S 180 /* WireGuard's REJECT_AFTER_TIME */

/** A release that was verified and parsed. */
struct engine_release {
	struct status_release status;
	struct forwarding forwarding;
};

/* One for each client that the control socket may have (control_server.h). */
#define ENGINE_REQUESTS_MAX 32

/** What the wire process asked for and is not answered yet; see engine_requests.c. */
struct engine_requests {
	struct event *event;
	struct monotime rest_until; /* none is served before */
	bool hello, status, incoming;
	struct engine_request_list {
		uint32_t request[ENGINE_REQUESTS_MAX];
		size_t count;
	} plan, reload;
	uint64_t ignored;
};

/* What may differ in the kernel because of what we know, and is no drift then. */
enum expected {
	EXPECTED_NOTHING,
	EXPECTED_MOVES, /* links, paths, lines: plan_operation_moves() */
	EXPECTED_ALL,	/* a release, or a start */
};

struct engine {
	const struct engine_options *options;
	struct event_base *base;
	struct event *turn_event, *kernel_event, *silent_event, *alive_event;
	struct event *term_event, *int_event, *hup_event;
	struct pair *pair;
	struct engine_requests requests;
	struct kernel *kernel;
	struct store store;
	struct node_keys keys;
	bool have_keys;
	struct store_held held_seal, held_roster; /* of the release in force */
	char folder[sizeof(
	    struct reason)]; /* said already: why a restart would miss something; "" */

	/* facts */
	struct node_uplinks uplinks;
	bool uplinks_lost; /* the last reading of them failed: they are as they were before */
	struct meter meters[NODE_UPLINKS_MAX]; /* one each of the uplinks */
	struct {
		struct meter kept; /* on the disk */
		enum meter_level level;
	} meters_told[NODE_UPLINKS_MAX]; /* likewise */
	struct monotime meters_kept;
	uint64_t meters_epoch;	       /* whose lines without a device were told */
	bool meters_wait;	       /* for the clock */
	uint32_t uplinks_conflict;     /* the site for which a conflict of two lines was said */
	uint32_t uplinks_unnamed;      /* likewise of lines without a device */
	uint64_t uplinks_unused_epoch; /* whose lines that no link goes by were told */
	struct store_state accepted;   /* newest epoch ever */
	struct engine_release release; /* .status.have says whether there is one */
	uint64_t expiry_epoch;	       /* of what was said last of an expiry */
	enum status_expiry expiry_said;
	struct status_liveness *links, *paths; /* one each of the forwarding's */
	uint32_t generation;		       /* of the config that the wire process has */
	bool wire_stale;		       /* it could not be told all of that config */
	struct monotime
	    told_since; /* the second in which told_count changes of liveness were said */
	unsigned int told_count, misdirected;
	bool untold; /* a link or path has changed more often than was said */

	/* what came of them */
	struct active_paths active;
	struct active_paths said; /* what was told of it last */
	struct ip_endpoint *
	    seen; /* where the neighbours' peers were (core/uplink.h); one each of the forwarding's */
	struct call_back *call_backs;	 /* one each of the forwarding's session peers */
	struct status_session *sessions; /* likewise */
	enum repair_link *repaired;	 /* core/repair.h; one each of the forwarding's neighbors */
	struct address_conflicts conflicts, conflicts_said;
	bool conflicts_unread;			 /* said already */
	struct monotime conflicts_hurried_since; /* the second with conflicts_hurried of them */
	unsigned int conflicts_hurried;
	struct desired_lines lines, lines_in_force; /* as seen now, and at the last turn */
	struct lan_claim claim;			    /* said already */
	struct kernel_state *actual;
	struct monotime actual_at;	    /* when its reading began */
	bool lan_away;			    /* no way leads to the LAN now */
	char lan_closed[KERNEL_IFNAME_MAX]; /* the device of a LAN that does not forward; "" none */
	struct kernel_state *
	    stood; /* the last that was all as wanted, @actual or older; NULL: none since the last change of ours */
	bool expected_kept;	/* beyond the turn in which something failed */
	bool taken_over;	/* the paths in use were read from the kernel once */
	enum expected expected; /* of what our own facts changed since the last turn */
	uint64_t facts;		/* counts those changes */
	uint64_t link_repairs;	/* at once, outside of turns */
	unsigned int cancelled_in_row;
	bool ready;
	bool in_turn, turn_wanted; /* one more, by what was heard in that which runs */
	bool
	    wary; /* a neighbour may speak from two places (core/endpoint_watch.h): look more often */
	unsigned int repairs_in_row;	/* turns that found drift, one after the other */
	struct monotime stood_still_at; /* the end of it; 0 never */
	struct monotime alive_at;	/* when the timer of each second ran last */
	struct monotime turn_at;	/* when the next turn is due */
	struct monotime rest_until;	/* the kernel's events cause none before */
	struct monotime hurried_since;	/* the second in which hurried_count turns were asked for */
	unsigned int hurried_count;
	bool poke_due; /* the far ends were called by a turn that failed */

	/* counters and words for the status document */
	struct monotime started, last_end; /* of this life, and (0: none) of the one before */
	uint64_t turns, operations, netlink_messages, drift_repairs;
	uint64_t
	    drift_failing; /* a hash of the drift that the last turn could not repair; 0 none */
	char last_failure[sizeof(struct reason)];
	struct status_refusal refusals[STATUS_REFUSALS_MAX];
	size_t refusal_count;
	struct kernel_check checks[ENGINE_CHECKS_MAX];
	size_t check_count;
};

/** @return 0 where it is none of IPv4. */
static inline ipv4_t engine_ipv4_of(const struct ip_endpoint *endpoint)
{
	const uint8_t *a = endpoint->address;

	return endpoint->family == 4
		   ? (ipv4_t)a[0] << 24 | (ipv4_t)a[1] << 16 | (ipv4_t)a[2] << 8 | a[3]
		   : 0;
}

/* engine_release.c: from files to a verified release */

/** Reads keys, state and the release in force. @return 0, or an error with @reason (and no release). */
int engine_load(struct engine *e, struct reason *reason);
/** What SIGHUP and RELOAD ask for: the release in force if it could not be loaded before, then incoming/. */
void engine_reload(struct engine *e, struct text *ret_answer, unsigned int *ret_status);
void engine_release_clear(struct engine *e);
/** Once a turn: says once that the release in force nears its expiry, or is past it, whenever that came. */
void engine_expiry_look(struct engine *e);

/* engine_folder.c: the node's folder, that somebody may delete, or move */

/** Once a turn: what is missing is written again; what cannot be is said once. */
void engine_folder_look(struct engine *e);

/* engine_wire.c: what passes to and from the wire process */

/** Sends the whole configuration, or none of it that would be taken: the next turn then tries again. */
void engine_wire_configure(struct engine *e);
/** A new life of the wire process: its sessions start from Down, which is no evidence against a path. */
void engine_liveness_forget(struct engine *e);
void engine_wire_message(void *context, const struct message *message);
/** Once a second: says how links and paths are that have changed too often for each time to be said. */
void engine_untold_tell(struct engine *e);
void engine_event(struct engine *e, struct text *line);
void engine_publish(struct engine *e);

/* engine_renewal.c: sessions of endpoints that are silent */

/** Once a turn, before the kernel is read. @next_look is set earlier when time alone changes something. */
/* engine_meter.c: what was kept; counts, says and keeps; keeps, at the end. */
void engine_meters_load(struct engine *e);
void engine_meters_look(struct engine *e);
void engine_meters_keep(struct engine *e);

void engine_renewals_step(struct engine *e, struct monotime *next_look);
/** Calls who calls us and is not heard any more; @state has the sessions' peers as they were at @read_at. */
void engine_call_back(struct engine *e, const struct kernel_state *state, struct monotime read_at);

/** Calls a neighbour where the release has it, if it is not heard from elsewhere; @state and @read_at as above. */
void engine_links_recall(struct engine *e, const struct kernel_state *state,
			 struct monotime read_at);

/** Nothing of the engine ran for @us: who calls makes anew what has ended meanwhile. */
void engine_stood_still(struct engine *e, uint64_t us);

/* engine_conflict.c: other sites' addresses on devices of this box (core/conflict.h) */

/** Reads them, and what they are needed for. @return 0, or an error with @reason: nothing is known then. */
int engine_conflicts_look(struct engine *e, struct reason *reason);
/** An address came: what it takes from another site is given back before all else. */
void engine_conflicts_hurry(struct engine *e);
/** To people, what is another than was said. */
void engine_conflicts_say(struct engine *e);

/* engine_requests.c: what the wire process asks for */

void engine_request_hello(struct engine *e);
void engine_request_incoming(struct engine *e);
void engine_request_take(struct engine *e, const struct message_command *command);
void engine_requests_serve(evutil_socket_t fd, short what, void *context);

/* engine_served.c: what served before the present life of the daemon, or of the wire process */

/** How long a session that was never up says nothing. */
static inline uint64_t engine_grace_us(const struct status_liveness *l)
{
	return l->served_us ? l->served_us : REPAIR_NEVER_UP_US;
}

/** By the kernel, at the first look: links whose peers have keys, and the paths in @use. */
void engine_served_read(struct engine *e, const struct kernel_state *actual,
			const struct active_paths *use);
/** By what is known when the wire process begins anew: what is up, and what has asked in vain. */
void engine_served_keep(struct engine *e);
/** The same of one link or path whose session a new release begins anew: what it is, is not known. */
void engine_served_renew(struct status_liveness *l, const struct probe_timers *probe);
/**
 * Once a turn, by what it has read of links that are up again: has the neighbour's kernel forwarded all the time, and its daemon alone begun
 * anew? Then the line never failed, and its traffic need not wait whether it holds. @return whether that is so of any.
 */
bool engine_served_again(struct engine *e);
/**
 * Is a path that served and was silent for long enough given the whole time, as none to the same end is up? One that has
 * only begun too is no reason to leave it. @next_look  set earlier when time alone changes that.
 */
bool engine_served_waits(const struct engine *e, size_t path, struct monotime now,
			 struct monotime *next_look);
/**
 * Once a turn, by what it has read: is a link whose neighbour is AdminDown dead, as that box is shut down and its kernel forwards no more?
 * Or is one that was taken for dead heard again? @return whether either is so of one more.
 */
bool engine_intent_look(struct engine *e);
/** Once a turn, before links take their steps: a link that has been silent for long enough, but carries, is given the whole time. */
void engine_served_look(struct engine *e);

/* engine.c: the turn */

/** What the next turn's plan may come of. */
void engine_expect(struct engine *e, enum expected expected);
/** The same, and marks the engine dirty. */
void engine_dirty(struct engine *e, enum expected expected);
/** @actual is what the kernel has now, read from @at on; @settled: all of it is as wanted. Takes it over. */
void engine_actual_take(struct engine *e, struct kernel_state *actual, struct monotime at,
			bool settled);
/** The same for a path that changed: moves are expected. */
void engine_hurry(struct engine *e);
/** The kernel is not as it should be: a turn, but no more of them than a fifth of the time, and those that undo the same less and less. */
void engine_turn_after_rest(struct engine *e);
/** The link of neighbour @index changed: repairs its traffic before all else, or looks when to go back. */
void engine_link_changed(struct engine *e, size_t index);
/** The neighbour's peer in @actual; NULL: it has none. */
const struct kernel_peer *engine_link_peer(const struct kernel_state *actual,
					   const struct fwd_neighbor *n);
/** What the probes say of a path; @next_look as above. */
enum path_liveness engine_path_liveness(const struct status_liveness *l, struct monotime now,
					struct monotime *next_look);
/** Reads the kernel and what it should hold; no change. @return 0 with all three, else an error with @reason. */
int engine_look(struct engine *e, struct kernel_state **ret_desired,
		struct kernel_state **ret_actual, struct kernel_plan **ret_plan,
		struct active_paths *ret_active, struct monotime *ret_next_look,
		struct reason *reason);

#endif
