/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_STATUS_H
#define TUYEN_SERVICE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"
#include "tuyen/base/text.h"
#include "tuyen/core/conflict.h"
#include "tuyen/core/damping.h"
#include "tuyen/core/endpoint_watch.h"
#include "tuyen/core/desired.h"
#include "tuyen/core/message.h"
#include "tuyen/core/meter.h"
#include "tuyen/core/renewal.h"
#include "tuyen/core/uplink.h"
#include "tuyen/kernel/kernel.h"
#include "tuyen/topology/forwarding.h"

/**
 * The status document and the event lines of client/control.h, from what the engine knows. Pure:
 * both clocks are arguments.
 */

/**
 * When a peer's last handshake was. The kernel says it by the wall clock, which may be set at any time: but it was after the reading
 * that had another, and before the first that has it.
 */
struct status_handshake {
	int64_t wall_s; /* as the kernel says it; 0: none */
	struct monotime at, read_at;
};

/**
 * A neighbour that is AdminDown: its daemon was stopped, and its kernel forwards; or the box is shut down as well. What it had sent by
 * its peer's counters, and we to it, at the first reading that had so much of it.
 */
struct status_intent {
	struct monotime heard; /* that reading; 0: none yet */
	uint64_t rx_bytes, tx_bytes;
	bool silent;	      /* nothing more came, for so long that its kernel is gone too */
	struct monotime back; /* the reading that heard it again after that; 0: none */
};

/** What the wire process last said of one BFD or S-BFD session. */
struct status_liveness {
	struct message_liveness last;
	struct monotime since; /* of the state */
	uint64_t
	    served_us; /* it served before the daemon's present life, and its silence is borne so long; 0: REPAIR_NEVER_UP_US */
	bool
	    served_in_kernel; /* of a link: so says the kernel, which has yet to be asked whether it does so now */
	uint64_t served_rx_bytes; /* of the neighbour's peer when that was read */
	int64_t failed_s;	  /* of a link: its last failure, on the wall clock; 0: none */
	bool
	    forwarded_on; /* of a link that is up: the neighbour's kernel did, while its daemon began anew */
	struct status_intent intent; /* of a link that is down by intent */
	uint64_t changes;	     /* of the state, since the daemon started */
	uint64_t doubts; /* of a path, likewise: status_liveness_in_doubt() became true */
	bool known;
	bool degraded;		      /* of a path that is up: under its policy's limits */
	struct monotime better_since; /* the end of being degraded */
	struct damping damping;	      /* of its failures and doubts */
	struct damping
	    damping_before; /* as it was before the last failure, which may turn out to be none */
	bool
	    keyless; /* of a path: its endpoint's session was made anew, and has no key yet: core/renewal.h */
	bool session_dead;		/* of a path: its endpoint's session is */
	int64_t handshake_s;		/* of that session, the last one's time on the wall clock */
	struct monotime handshake_seen; /* when that was first read */
	struct monotime renewed_for;	/* the beginning of the silence for which it was */
	struct renewal renewal;		/* what that session received in the silence that is now */
	struct monotime
	    hurried_since; /* of a link: the second in which it was repaired at once so many times */
	unsigned int hurried;
	struct monotime told_since; /* the second in which its state was said so many times */
	unsigned int told;
	bool untold; /* what was said last, told_up, may be so no more */
	bool told_up;
	bool unsaid; /* it served before the daemon's present life, which has not said yet how it is */
	struct status_handshake handshake; /* of a link */
	struct endpoint_watch watch; /* of a link: does the neighbour speak from two places? */
};

/**
 * A path that swallows what it should carry is worse than one that carries it. What was found stays found while
 * the wire process begins a new life.
 */
static inline bool status_liveness_narrow(const struct status_liveness *l, const struct fwd_path *p)
{
	return l->last.mtu && l->last.mtu < p->mtu;
}

/**
 * It waits for a repair on the way. Whether that comes nobody here knows, so that its traffic goes another way
 * meanwhile; the first answer, and it is back without a hold: it was never down. Unless that happens again and again.
 */
static inline bool status_liveness_in_doubt(const struct status_liveness *l)
{
	return l->known && l->last.state == BFD_STATE_UP && l->last.quiet;
}

/** So of a link, there and back. */
static inline bool status_link_narrow(const struct status_liveness *l, const struct fwd_neighbor *n)
{
	return l->last.mtu && l->last.mtu < n->link_mtu;
}

/** Of one session, at the last look. */
struct status_session {
	struct status_handshake handshake;
	bool known, up;
	struct monotime
	    since; /* of the state; of what was up at the first look, its last handshake */
};

#define STATUS_REFUSALS_MAX 8

struct status_refusal {
	int64_t at_s; /* wall clock */
	struct reason reason;
};

struct status_release {
	bool have;
	uint64_t epoch, roster_version;
	uint8_t root[32], digest[32];
	int64_t issued_s, expires_s, installed_s;
	char signers[512]; /* names, separated by one space */
};

/** An alarm, never a reason to stop: @wall_s is past the end that the release names, if it names one. */
static inline bool status_release_expired(const struct status_release *r, int64_t wall_s)
{
	return r->have && r->expires_s && wall_s > r->expires_s;
}

#define STATUS_DAY_S INT64_C(86400)

/** How near a release's end is, from bad to worse: 30, 7 and 1 days are left, or fewer. */
enum status_expiry {
	STATUS_EXPIRY_DISTANT,
	STATUS_EXPIRY_MONTH,
	STATUS_EXPIRY_WEEK,
	STATUS_EXPIRY_DAY,
	STATUS_EXPIRY_PAST,
};

/** "distant", "month", "week", "day", "past": the status document's words. */
const char *status_expiry_word(enum status_expiry expiry);
/**
 * As said; a lead that is longer than a third of the release's whole life is left out, so that none is due on the day
 * on which it is issued.
 */
enum status_expiry status_release_expiry(const struct status_release *r, int64_t wall_s);
/** Whole days until the end that the release names; 0 in the last one and after it. */
uint64_t status_release_days_left(const struct status_release *r, int64_t wall_s);

struct status_input {
	struct monotime now;
	int64_t wall_s;	  /* now, on the wall clock, */
	uint32_t wall_us; /* and of that second; without it what began at one time would seem to at two */
	struct monotime started;
	uint64_t turns, operations, netlink_messages, drift_repairs;
	const char *last_failure;
	struct status_release release;
	const struct status_refusal *refusals; /* newest last */
	size_t refusal_count;
	const struct forwarding *forwarding; /* NULL: none yet */
	bool lan_away;			     /* no way leads to the LAN */
	const char *lan_closed; /* the device of a LAN that does not forward; "" or NULL: none */
	const struct lan_claim *claim; /* NULL: none */
	const char *folder; /* why a restart would miss something of it; "" or NULL: it would not */
	const struct address_conflicts *conflicts; /* NULL: none */
	const struct fwd_neighbor *unnamed; /* node_uplinks_unnamed()'s parallel; NULL: none */
	const struct kernel_state *actual;  /* NULL: not read yet */
	struct monotime actual_at;	    /* when its reading began */
	const struct active_paths *active;
	const enum repair_link *repaired;    /* core/repair.h; NULL: none */
	struct status_liveness *links;	     /* one each of forwarding->neighbors */
	const struct status_liveness *paths; /* one each of forwarding->paths */
	struct status_session *sessions;     /* one each of forwarding->peers */
	const struct kernel_check *checks;
	size_t check_count;
	const struct node_uplinks *uplinks; /* NULL: none are named */
	const struct meter *meters;	    /* one each of them */
};

/**
 * Writes the document. What @input's actual says of handshakes goes into its links and sessions, which are zeroed
 * before the first look: the hub has 11,379 of them, and each peer is searched for once.
 */
void status_document(const struct status_input *input, struct text *ret_json);

/** "2026-11-24T20:31:55Z"; "null" without quotes for 0 in JSON. @out has STATUS_TIME_STRLEN bytes. */
#define STATUS_TIME_STRLEN 32
const char *status_time_format(int64_t wall_s, char out[static STATUS_TIME_STRLEN]);

void status_event_link(const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		       int64_t wall_s, struct text *ret_json);
void status_event_path(const struct forwarding *f, const struct fwd_path *path,
		       const struct message_liveness *l, int64_t wall_s, struct text *ret_json);
void status_event_switch(const struct forwarding *f, const struct active_path *from,
			 const struct active_path *to, int64_t wall_s, struct text *ret_json);
/** A path got worse than its policy bears, or better again. */
void status_event_quality(const struct forwarding *f, const struct fwd_path *path,
			  const struct message_liveness *l, bool degraded, int64_t wall_s,
			  struct text *ret_json);
/** A path (@neighbor NULL) or link fails, or is in doubt, again and again, and is held as spare for @held_us from now on. */
void status_event_damped(const struct forwarding *f, const struct fwd_path *path,
			 const struct fwd_neighbor *neighbor, uint64_t held_us, int64_t wall_s,
			 struct text *ret_json);
/** A neighbour's key speaks from two places, or no longer. */
void status_event_duplicate(const struct fwd_neighbor *neighbor, const struct endpoint_watch *watch,
			    int64_t wall_s, struct text *ret_json);
/** A path, or the link to @neighbor (the other is NULL), carries less than it should (l->mtu), or all of it again. */
void status_event_mtu(const struct forwarding *f, const struct fwd_path *path,
		      const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		      int64_t wall_s, struct text *ret_json);
/** Another gateway of those that share a LAN carries what is meant for it. */
void status_event_gateway(const struct forwarding *f, const struct active_path *to, int64_t wall_s,
			  struct text *ret_json);
/** No way leads to the LAN behind this site, or one does again. A gateway that shares it answers no probe meanwhile. */
void status_event_lan(bool away, int64_t wall_s, struct text *ret_json);
/** What of the LAN a line claims; of no device: nothing any more. */
void status_event_claim(const struct lan_claim *claim, int64_t wall_s, struct text *ret_json);
/** Other sites' addresses that stand on devices of this box, now: conflicts_format(); "" if none does any more. */
void status_event_conflict(const char *words, int64_t wall_s, struct text *ret_json);
/** Why a restart would miss something of the node's folder; "": it would not any more. */
void status_event_folder(const char *words, int64_t wall_s, struct text *ret_json);
void status_event_bundle(uint64_t epoch, bool accepted, const char *why, int64_t wall_s,
			 struct text *ret_json);
/** The neighbour's traffic goes around its link now, or over it again: by @repaired (core/repair.h). */
void status_event_repair(const struct forwarding *f, const struct fwd_neighbor *neighbor,
			 const enum repair_link *repaired, int64_t wall_s, struct text *ret_json);
/** A metered line came near its day's allowance, beyond it, or a new day began. */
void status_event_meter(const struct fwd_meter *line, const struct meter *meter, int64_t wall_s,
			struct text *ret_json);
/**
 * @repaired  operations of @what, with ';' between them, that were applied; not all of them where some failed.
 * Of very many the first are told, and how many more there are: so that whoever watches takes the line.
 */
void status_event_drift(size_t repaired, const char *what, int64_t wall_s, struct text *ret_json);

#endif
