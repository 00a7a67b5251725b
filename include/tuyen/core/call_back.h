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
 * A running box whose clock goes back is heard until its key ends, and would be silent only then. But who sends asks for a new key
 * after REKEY_AFTER_TIME, 120 s, and then each 5 s: who is heard all that time and has no new one by 150 s is refused, and called
 * before the old key ends at 180 s. A key that we called for is renewed by us, at 165 s at the latest.
 *
 * What we send puts a caller's keepalive off: WireGuard counts its time from the last packet either way. Our own kernel
 * answers data that nobody replies to with two keepalives within 20 s (KEEPALIVE_TIMEOUT twice): so the silence counts from what was
 * sent last, unless it is longer than both together. Pure.
 */
#define CALL_BACK_SILENCE_US 28000000u /* a keepalive's time, and a reading's */
#define CALL_BACK_PUT_OFF_US 20000000u
#define CALL_BACK_LONGEST_US 900000000u
#define CALL_BACK_REFUSED_US 150000000u

/** Of one peer that calls us. All zero: nothing known. */
struct call_back {
	uint64_t rx_bytes, tx_bytes;
	struct monotime since; /* the last reading that had more received, or the last call */
	struct monotime sent;  /* the last that had more sent */
	uint64_t wait_us;
	int64_t handshake_s; /* the newest, as the kernel says it; 0: none yet */
	struct monotime
	    handshake_at; /* when it was first read, or its caller was called for want of another */
	bool calling, ours; /* the next handshake is of a call of ours; so was the newest */
};

static inline bool call_back_silent(const struct call_back *c, struct monotime read_at)
{
	uint64_t silence = monotime_between(c->since, read_at);

	return silence >= c->wait_us + CALL_BACK_PUT_OFF_US ||
	       (silence >= c->wait_us &&
		monotime_between(c->sent, read_at) >= CALL_BACK_SILENCE_US);
}

/* What the kernel counts of a peer, at one reading. */
struct call_back_reading {
	uint64_t rx_bytes, tx_bytes;
	int64_t handshake_s; /* 0: none */
	struct monotime at;
};

static inline void call_back_handshake(struct call_back *c, const struct call_back_reading *r)
{
	if (!r->handshake_s || r->handshake_s == c->handshake_s)
		return;
	c->handshake_s = r->handshake_s;
	c->handshake_at = r->at;
	c->ours = c->calling;
	c->calling = false;
}

/* Heard just now, and for so long without a new key. */
static inline bool call_back_refused(const struct call_back *c, struct monotime read_at)
{
	return c->handshake_s && !c->ours &&
	       monotime_between(c->handshake_at, read_at) >= CALL_BACK_REFUSED_US;
}

/**
 * @may_call  false: what is due waits.
 * @return whether to make the peer anew and to call it now.
 */
static inline bool call_back_due(struct call_back *c, const struct call_back_reading *r,
				 bool may_call)
{
	bool heard = c->wait_us && r->rx_bytes > c->rx_bytes, due;

	call_back_handshake(c, r);
	if (!c->wait_us || r->rx_bytes != c->rx_bytes) {
		c->rx_bytes = r->rx_bytes;
		c->tx_bytes = r->tx_bytes;
		c->since = c->sent = r->at;
		c->wait_us = CALL_BACK_SILENCE_US;
		due = heard && call_back_refused(c, r->at);
	} else {
		if (r->tx_bytes != c->tx_bytes)
			c->sent = r->at;
		c->tx_bytes = r->tx_bytes;
		due = call_back_silent(c, r->at);
	}
	if (!due || !may_call)
		return false;
	if (!heard)
		c->wait_us =
		    c->wait_us * 2 < CALL_BACK_LONGEST_US ? c->wait_us * 2 : CALL_BACK_LONGEST_US;
	c->since = c->handshake_at = r->at;
	c->rx_bytes = c->tx_bytes = 0; /* as a new peer's are */
	c->calling = true;
	return true;
}

#endif
