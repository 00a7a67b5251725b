/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_FEED_H
#define TUYEN_SNMP_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "tuyen/base/monotime.h"
#include "tuyen/client/answer.h"

/**
 * The control socket without waiting: one connection that watches for events, and one for each STATUS. Both may be
 * refused, stop half way or last for ever; then they are closed and tried again after a back-off.
 */
#define FEED_EVENT_MAX	    8192 /* bytes of one event line */
#define FEED_TIMEOUT_US	    3000000u
#define FEED_BACKOFF_US	    250000u /* doubled up to the maximum */
#define FEED_BACKOFF_MAX_US 4000000u

struct feed_connection {
	int fd; /* -1: none */
	struct control_answer answer;
	struct monotime give_up, retry;
	uint64_t backoff_us;
};

struct feed {
	const char *socket_path; /* borrowed */
	void (*status)(void *context, const char *json, size_t length);
	void (*event)(void *context, const char *json, size_t length);
	void (*lost)(
	    void *context,
	    const char *why); /* a STATUS failed; the loss of the watch only asks for one */
	void *context;
	struct feed_connection watch, request;
	char line[FEED_EVENT_MAX];
	size_t line_length;
	bool line_skip; /* too long: up to its end */
	bool watched;	/* once: what is said until it is again is to be heard too */
};

void feed_init(struct feed *feed, const char *socket_path);
void feed_clear(struct feed *feed);

/** Asks for a status document at @at or earlier; one that is under way is followed by another. */
void feed_want(struct feed *feed, struct monotime at);

/** Opens, reads and gives up as is due. Never waits; calls status(), event(), lost(). */
void feed_turn(struct feed *feed, struct monotime now);
/** When feed_turn() is due even if no descriptor is readable. */
struct monotime feed_next(const struct feed *feed);

#endif
