/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_ENDPOINT_WATCH_H
#define TUYEN_CORE_ENDPOINT_WATCH_H

#include <stdbool.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/monotime.h"

/**
 * Does a neighbour speak from two places? WireGuard follows whoever holds the key; of a box and its clone each takes the peer
 * from the other again and again, so that the endpoint returns to where it was. One that moves (another lease, another
 * NAT port, the other uplink and back) does not return ENDPOINT_WATCH_RETURNS times within ENDPOINT_WATCH_US. Pure.
 */
#define ENDPOINT_WATCH_RETURNS 3
#define ENDPOINT_WATCH_US      120000000u

struct endpoint_watch {
	struct ip_endpoint now, before; /* family 0: none yet */
	struct monotime returned[ENDPOINT_WATCH_RETURNS]; /* the newest first; 0: none */
	bool twice;
};

/** What the kernel says now; family 0: nothing. @return true if @twice has changed: it ends ENDPOINT_WATCH_US after the last return. */
bool endpoint_watch_step(struct endpoint_watch *watch, const struct ip_endpoint *endpoint, struct monotime now);

#endif
