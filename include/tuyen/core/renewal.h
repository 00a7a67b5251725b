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
 * moment of its own: then the tries of all are spread over the whole five seconds, and stay so. Pure.
 */

#define RENEWAL_SILENCE_US 10000000u /* nothing is lost with a session that was silent for so long */
#define RENEWAL_SPREAD_US  5000000u  /* WireGuard's REKEY_TIMEOUT */

/**
 * From the end of an endpoint's last path to the renewal of its session. Ids that follow each other lie as far apart as can be
 * (multiples of the golden ratio), so that those of one province are spread as well as those of a country.
 */
static inline uint64_t renewal_wait_us(uint32_t site_id)
{
	uint32_t fraction = site_id * UINT32_C(2654435769);

	return RENEWAL_SILENCE_US + ((uint64_t)RENEWAL_SPREAD_US * fraction >> 32);
}

/** An endpoint is silent @since then: is it time to make its session anew? @ret_next_look is set earlier when not yet. */
static inline bool renewal_due(struct monotime since, uint32_t site_id, struct monotime now,
			       struct monotime *ret_next_look)
{
	struct monotime due = monotime_after(since, renewal_wait_us(site_id));

	if (monotime_reached(now, due))
		return true;
	*ret_next_look = monotime_min(*ret_next_look, due);
	return false;
}

#endif
