/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_DAMPING_H
#define TUYEN_CORE_DAMPING_H

#include "tuyen/base/monotime.h"

/**
 * What fails again and again is trusted for less: RFC 2439 section 4.2, of a path or a link. Each failure costs
 * DAMPING_FAILURE, a doubt that was none the half of it; what that has cost halves every quarter of the longest hold. Above DAMPING_HELD it is held as spare,
 * until it is below DAMPING_FREE again. Pure.
 */

#define DAMPING_FAILURE 1000u
#define DAMPING_DOUBT	500u  /* it was silent for a while, and answered before it failed */
#define DAMPING_HELD	2000u /* above it: with the third failure in a row */
#define DAMPING_FREE	1000u
#define DAMPING_HALVES                                                                             \
	4u /* in the longest hold: so the most that it can cost is 2^4 x DAMPING_FREE */

struct damping {
	uint32_t penalty; /* as it was at @at */
	struct monotime at;
	struct monotime until; /* held before that; 0: never was */
};

/** It cost @points. @longest_us: of holding it; 0: never. @return true if it is held from now on, and was not before. */
bool damping_count(struct damping *d, uint32_t points, uint64_t longest_us, struct monotime now);

static inline bool damping_failed(struct damping *d, uint64_t longest_us, struct monotime now)
{
	return damping_count(d, DAMPING_FAILURE, longest_us, now);
}

/** What is left of @penalty after @passed_us, when it halves every @half_us (not 0). */
uint32_t damping_decayed(uint32_t penalty, uint64_t passed_us, uint64_t half_us);

static inline bool damping_holds(const struct damping *d, struct monotime now)
{
	return !monotime_reached(now, d->until);
}

#endif
