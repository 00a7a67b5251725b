/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_ENDPOINT_WATCH_H
#define TUYEN_CORE_ENDPOINT_WATCH_H

#include <stdbool.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/monotime.h"

/**
 * Does a neighbour speak from two places? WireGuard follows whoever holds the key. What tells a box and its clone from one box
 * that moves:
 *  - Both keep sending, so that the endpoint is where it was again within moments: a return is counted when it comes within
 *    ENDPOINT_WATCH_BRIEF_US of leaving, to any of the last ENDPOINT_WATCH_PLACES.
 *  - Each of them hears nothing while the other has the key, and calls 15 s later (KEEPALIVE_TIMEOUT and REKEY_TIMEOUT): a handshake is
 *    counted when it comes long before REKEY_AFTER_TIME, 120 s, though we heard that neighbour all the time. One box, on however
 *    many lines in turn, goes on with the key that it has.
 * ENDPOINT_WATCH_RETURNS and ENDPOINT_WATCH_CALLS of them within ENDPOINT_WATCH_US are two boxes. Not told apart from
 * a clone: one that leaps between its lines every few seconds and twice meanwhile hears nothing for 15 s while it is heard.
 * Not seen: a clone that does not send, and one that sends on when the other is gone. Pure.
 */
#define ENDPOINT_WATCH_PLACES  4
#define ENDPOINT_WATCH_RETURNS 3
#define ENDPOINT_WATCH_CALLS   2
#define ENDPOINT_WATCH_US      120000000u
/*
 * Two looks at the kernel, 5 s apart; who moves for want of an answer takes 15 s. So much silence is reason enough to call. Who looks
 * at thousands of peers takes longer: one and a half times the gap between two looks then, up to BRIEF_MAX.
 */
#define ENDPOINT_WATCH_BRIEF_US	    8000000u
#define ENDPOINT_WATCH_BRIEF_MAX_US 15000000u
#define ENDPOINT_WATCH_REKEY_US	    110000000u
#define ENDPOINT_WATCH_WARY_US	    30000000u /* after such a call it is worth to look more often */

/** What the kernel says of the neighbour's peer; family 0, 0: nothing. */
struct endpoint_sight {
	struct ip_endpoint endpoint;
	int64_t handshake_s; /* the last one, wall clock: compared for equality alone */
	uint64_t rx_bytes;
};

struct endpoint_place {
	struct ip_endpoint endpoint; /* family 0: none yet */
	struct monotime left;
};

struct endpoint_watch {
	struct endpoint_place
	    place[ENDPOINT_WATCH_PLACES]; /* the newest first: the first is where it is now */
	struct monotime returned[ENDPOINT_WATCH_RETURNS]; /* the newest first; 0: none */
	struct monotime called[ENDPOINT_WATCH_CALLS];	  /* likewise */
	struct endpoint_sight seen;
	struct monotime seen_at, heard_at; /* the last look, the last at which rx_bytes had grown */
	struct monotime handshake_at;	   /* when the last handshake was seen */
	bool twice;
};

/** Looks at @sight. @return true if @twice has changed: it ends ENDPOINT_WATCH_US after the last return. */
bool endpoint_watch_step(struct endpoint_watch *watch, const struct endpoint_sight *sight,
			 struct monotime now);

/** Is one more look in a second worth its cost? */
bool endpoint_watch_wary(const struct endpoint_watch *watch, struct monotime now);

#endif
