/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_WIRE_SESSIONS_H
#define TUYEN_SERVICE_WIRE_SESSIONS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"
#include "tuyen/core/message.h"

/**
 * All BFD sessions and reflectors of the node, their sockets and their clock. Configured by
 * generations: begin, sessions and reflectors, commit. A session that a new generation names again
 * lives on, with its state; new timers reach it by a poll sequence. What became of each is told by
 * wire_sessions_report_next(), the newest state only.
 */
#define WIRE_SESSIONS_MAX   16384 /* a source port each, RFC 5881 section 4 */
#define WIRE_REFLECTORS_MAX 16

struct wire_sessions;

/** Called after anything that may have made a report due. */
typedef void (*wire_report_fn)(void *context);

/** @return NULL without memory. */
struct wire_sessions *wire_sessions_new(struct event_base *base, wire_report_fn report,
					void *context);
void wire_sessions_free(struct wire_sessions *w);

void wire_sessions_begin(struct wire_sessions *w, uint32_t generation);
/** Forgets a generation that was begun and not committed. */
void wire_sessions_abandon(struct wire_sessions *w);
/**
 * Both checked by message_check(). @return 0, -TUYEN_EINVAL outside begin and commit; -TUYEN_ELIMIT, -TUYEN_ENOMEM: then the generation
 * is forgotten.
 */
int wire_sessions_add(struct wire_sessions *w, const struct message_session *session);
int wire_sessions_add_reflector(struct wire_sessions *w, const struct message_reflect *reflect);
/**
 * Takes the generation as a whole, or nothing of it; every session's report is then due.
 * @return 0; -TUYEN_EINVAL if another or none was begun; -TUYEN_EEXIST for a session named twice; -TUYEN_ENOMEM.
 */
int wire_sessions_commit(struct wire_sessions *w, uint32_t generation);

/** Every session's report becomes due. */
void wire_sessions_report_all(struct wire_sessions *w);
/** @return false if none is due. The report stays due until wire_sessions_report_done(). */
bool wire_sessions_report_next(struct wire_sessions *w, struct message *ret_message);
void wire_sessions_report_done(struct wire_sessions *w);

/** What befell packets and sockets outside of any session. */
struct wire_counters {
	uint64_t unmatched;	/* received, of no session */
	uint64_t not_reflected; /* received by a reflector and refused */
	uint64_t send_failures, open_failures;
};
const struct wire_counters *wire_sessions_counters(const struct wire_sessions *w);

/**
 * AdminDown to every neighbour, at once, and again for as long as the loop goes on: RFC 5880 section 6.8.16. Reflectors answer meanwhile.
 * @return after so many us each neighbour would have taken silence for a failure; WIRE_FAREWELL_MAX_US at most.
 */
#define WIRE_FAREWELL_MAX_US 1000000u
uint64_t wire_sessions_shut_down(struct wire_sessions *w);

#endif
