/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_CALL_BACK_H
#define TUYEN_CORE_CALL_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"

/**
 * WireGuard takes a handshake only if its time stamp is later than those before. A box whose clock went back over a reboot calls
 * in vain until its clock is right, and its own clock may be set by way of that very session. It has forgotten whom it heard, and
 * takes a call: so the end that is called, where nothing comes for longer than a caller's keepalive takes (25 s), makes the session anew and calls once,
 * and again after twice that time. A caller whose paths are all gone does the same sooner: core/renewal.h. Pure.
 */
#define CALL_BACK_SILENCE_US 28000000u /* a keepalive's time, and a reading's */
#define CALL_BACK_LONGEST_US 900000000u

/** Of one peer that calls us. All zero: nothing known. */
struct call_back {
	uint64_t rx_bytes;
	struct monotime since; /* the last reading that had more, or the last call */
	uint64_t wait_us;
};

/** The kernel has received @rx_bytes from it by @read_at. @may_call  false: what is due waits. @return whether to call it now. */
static inline bool call_back_due(struct call_back *c, uint64_t rx_bytes, struct monotime read_at,
				 bool may_call)
{
	if (!c->wait_us || rx_bytes != c->rx_bytes) {
		*c = (struct call_back){rx_bytes, read_at, CALL_BACK_SILENCE_US};
		return false;
	}
	if (!may_call || monotime_between(c->since, read_at) < c->wait_us)
		return false;
	c->since = read_at;
	c->wait_us = c->wait_us * 2 < CALL_BACK_LONGEST_US ? c->wait_us * 2 : CALL_BACK_LONGEST_US;
	return true;
}

#endif
