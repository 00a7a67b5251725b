/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_RENEWAL_H
#define TUYEN_CORE_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"

/**
 * A hub that loses its power forgets every session, and all who call it try again at the same times: WireGuard first 15 s
 * after what was not answered, then every 5 s and up to a third (REKEY_TIMEOUT, REKEY_TIMEOUT_JITTER_MAX_JIFFIES). The hub, back again,
 * hears all of them within a second or two out of five, and beyond 512 in its queue answers with cookies, beyond 4,096 not at
 * all. So a caller that hears nothing any more on any path of an endpoint makes that peer anew, before WireGuard's first try, at a
 * moment of its own: then the tries of all are spread over the whole five seconds, and stay so.
 *
 * A hub whose daemons alone are gone answers no probe and forwards all the same: a session that has received anything since the probes fell
 * silent is in use, and waits until that has ended too. Whoever gets data and has none to send says so within WireGuard's
 * KEEPALIVE_TIMEOUT, 10 s. Pure.
 */

#define RENEWAL_SILENCE_US                                                                         \
	10000000u		   /* nothing is lost with a session that was silent for so long */
#define RENEWAL_SPREAD_US 5000000u /* WireGuard's REKEY_TIMEOUT */
#define RENEWAL_HEARD_US  2000000u /* a keepalive's delay, and longer than any round trip */
/*
 * WireGuard's REJECT_AFTER_TIME, 180 s, after which a keepalive of ours, each 25 s, asks for a key where the other end was to do so
 * before; tries that fail, 5 s each; and two readings.
 */
#define RENEWAL_DEAD_US 240000000u

/** What a silent endpoint's session has received meanwhile, by the kernel's counter. */
struct renewal {
	struct monotime since;	 /* the silence that this is of */
	struct monotime read_at; /* the last reading in it; 0: none yet */
	struct monotime heard;	 /* the last that had more than the one before; 0: none */
	uint64_t rx_bytes;
};

/** The counter was @rx_bytes at @read_at. An endpoint is silent @since then; readings before that count for nothing. */
static inline void renewal_read(struct renewal *r, struct monotime since, uint64_t rx_bytes,
				struct monotime read_at)
{
	if (r->since.us != since.us)
		*r = (struct renewal){.since = since};
	if (monotime_before(read_at, since))
		return;
	if (r->read_at.us && rx_bytes && rx_bytes != r->rx_bytes)
		r->heard = read_at;
	r->rx_bytes = rx_bytes;
	r->read_at = read_at;
}

/**
 * From the end of an endpoint's last path to the renewal of its session. Ids that follow each other lie as far apart as can be
 * (multiples of the golden ratio), so that those of one province are spread as well as those of a country.
 */
static inline uint64_t renewal_wait_us(uint32_t site_id)
{
	uint32_t fraction = site_id * UINT32_C(2654435769);

	return RENEWAL_SILENCE_US + ((uint64_t)RENEWAL_SPREAD_US * fraction >> 32);
}

/**
 * Has a session been without a new key for so long that nothing goes by it, however well its path answers? From reading to reading, by
 * our own clock: the wall clock, by which WireGuard says when a handshake was, may jump.
 * @seen  when its newest handshake was first read.
 */
static inline bool renewal_session_dead(struct monotime seen, struct monotime read_at)
{
	return monotime_between(seen, read_at) > RENEWAL_DEAD_US;
}

/**
 * Is it time to make the session anew? Only by a reading of that very time.
 * @ret_next_look  set earlier when not yet: read then.
 */
static inline bool renewal_due(const struct renewal *r, uint32_t site_id,
			       struct monotime *ret_next_look)
{
	struct monotime from = r->heard.us ? monotime_after(r->heard, RENEWAL_HEARD_US) : r->since;
	struct monotime due = monotime_after(from, renewal_wait_us(site_id));

	if (monotime_reached(r->read_at, due))
		return true;
	*ret_next_look = monotime_min(*ret_next_look, due);
	return false;
}

#endif
