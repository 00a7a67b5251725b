/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_RESTART_H
#define TUYEN_SERVICE_RESTART_H

#include <stdint.h>

/**
 * How long a process that ended is left ended. What ends again and again at once is broken, and each of its lives costs a reading of
 * the kernel: its pauses double. But while the wire process is away nobody sees that a link is cut: so what a row of ends has earned
 * is halved for each RESTART_HALF_US that a life lasts, and who lives longer than that between two ends is back at once each time. A
 * minute without an end wipes the slate. Pure.
 */
#define RESTART_PAUSE_MIN_US 100000u
#define RESTART_PAUSE_MAX_US 30000000u
#define RESTART_HALF_US	     6000000u

/** @earned_us  RESTART_PAUSE_MIN_US at first. @lived_us  0 of one that could not be started. @return the pause. */
static inline uint64_t restart_pause(uint64_t *earned_us, uint64_t lived_us)
{
	uint64_t halves = lived_us / RESTART_HALF_US,
		 pause = halves < 64 ? *earned_us >> halves : 0;

	if (pause < RESTART_PAUSE_MIN_US)
		pause = RESTART_PAUSE_MIN_US;
	*earned_us = pause * 2 < RESTART_PAUSE_MAX_US ? pause * 2 : RESTART_PAUSE_MAX_US;
	return pause;
}

#endif
