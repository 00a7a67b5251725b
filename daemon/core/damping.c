/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole numbers alone, so that a site and the simulator agree to the microsecond: 2^-x by whole halvings and a table of
 * sixteenths, straight lines between. How long it is held is found by the same function, so that what is free is free.
 */
#include "tuyen/core/damping.h"

#include <stddef.h>

#define SIXTEENTHS 16u

/* 65536 x 2^(-i / 16) */
static const uint32_t power[SIXTEENTHS + 1] = {
    65536, 62757, 60097, 57549, 55109, 52772, 50535, 48393, 46341,
    44376, 42495, 40693, 38968, 37316, 35734, 34219, 32768,
};

uint32_t damping_decayed(uint32_t penalty, uint64_t passed_us, uint64_t half_us)
{
	uint64_t halves = passed_us / half_us, rest = passed_us % half_us * SIXTEENTHS;
	size_t i = (size_t)(rest / half_us);
	uint64_t within = rest % half_us, factor;

	if (halves >= 32)
		return 0;
	factor = power[i] - (power[i] - power[i + 1]) * within / half_us;
	return (uint32_t)((uint64_t)(penalty >> halves) * factor >> 16);
}

/* The first time at which it is below DAMPING_FREE; @return microseconds from now. */
static uint64_t time_to_free(uint32_t penalty, uint64_t half_us)
{
	uint64_t low = 0, high = DAMPING_HALVES * half_us;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (damping_decayed(penalty, middle, half_us) < DAMPING_FREE)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool damping_count(struct damping *d, uint32_t points, uint64_t longest_us, struct monotime now)
{
	uint64_t half_us = longest_us / DAMPING_HALVES;
	bool held = damping_holds(d, now);
	uint32_t left;

	if (!half_us) {
		*d = (struct damping){0};
		return false;
	}
	left = damping_decayed(d->penalty, monotime_between(d->at, now), half_us);
	d->penalty = left + points;
	if (d->penalty > DAMPING_FREE << DAMPING_HALVES)
		d->penalty = DAMPING_FREE << DAMPING_HALVES;
	d->at = now;
	if (!held && d->penalty <= DAMPING_HELD)
		return false;
	d->until = monotime_after(now, time_to_free(d->penalty, half_us));
	return !held;
}
