/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_MONOTIME_H
#define TUYEN_BASE_MONOTIME_H

#include <stdbool.h>
#include <stdint.h>

/** A point in time: microseconds of CLOCK_BOOTTIME, or of a test's own clock. Never the wall clock. */
struct monotime {
	uint64_t us;
};

/** Later than every other point: "no deadline". */
#define MONOTIME_NEVER ((struct monotime){.us = UINT64_MAX})

static inline struct monotime monotime_after(struct monotime t, uint64_t us)
{
	return (struct monotime){.us = us > UINT64_MAX - t.us ? UINT64_MAX : t.us + us};
}

static inline bool monotime_reached(struct monotime now, struct monotime deadline)
{
	return now.us >= deadline.us;
}

static inline bool monotime_before(struct monotime a, struct monotime b)
{
	return a.us < b.us;
}

static inline struct monotime monotime_min(struct monotime a, struct monotime b)
{
	return a.us < b.us ? a : b;
}

/** @return microseconds from @from to @to, 0 if @to is earlier. */
static inline uint64_t monotime_between(struct monotime from, struct monotime to)
{
	return to.us > from.us ? to.us - from.us : 0;
}

#endif
