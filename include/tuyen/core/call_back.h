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
 * and again after twice that time. A caller whose paths are all gone does the same sooner: core/renewal.h.
 *
 * What we send puts a caller's keepalive off: WireGuard counts its time from the last packet either way. Our own kernel
 * answers data that nobody replies to with two keepalives within 20 s (KEEPALIVE_TIMEOUT twice): so the silence counts from what was
 * sent last, unless it is longer than both together. Pure.
 */
#define CALL_BACK_SILENCE_US 28000000u /* a keepalive's time, and a reading's */
#define CALL_BACK_PUT_OFF_US 20000000u
#define CALL_BACK_LONGEST_US 900000000u

/** Of one peer that calls us. All zero: nothing known. */
struct call_back {
	uint64_t rx_bytes, tx_bytes;
	struct monotime since; /* the last reading that had more received, or the last call */
	struct monotime sent;  /* the last that had more sent */
	uint64_t wait_us;
};

static inline bool call_back_silent(const struct call_back *c, struct monotime read_at)
{
	uint64_t silence = monotime_between(c->since, read_at);

	return silence >= c->wait_us + CALL_BACK_PUT_OFF_US ||
	       (silence >= c->wait_us &&
		monotime_between(c->sent, read_at) >= CALL_BACK_SILENCE_US);
}

/**
 * By @read_at the kernel has received @rx_bytes from it and sent it @tx_bytes. @may_call  false: what is due waits.
 * @return whether to make it anew and to call it now.
 */
static inline bool call_back_due(struct call_back *c, uint64_t rx_bytes, uint64_t tx_bytes,
				 struct monotime read_at, bool may_call)
{
	if (!c->wait_us || rx_bytes != c->rx_bytes) {
		*c = (struct call_back){rx_bytes, tx_bytes, read_at, read_at, CALL_BACK_SILENCE_US};
		return false;
	}
	if (tx_bytes != c->tx_bytes) {
		c->tx_bytes = tx_bytes;
		c->sent = read_at;
	}
	if (!may_call || !call_back_silent(c, read_at))
		return false;
	c->since = read_at;
	c->rx_bytes = c->tx_bytes = 0; /* as a new peer's are */
	c->wait_us = c->wait_us * 2 < CALL_BACK_LONGEST_US ? c->wait_us * 2 : CALL_BACK_LONGEST_US;
	return true;
}

#endif
