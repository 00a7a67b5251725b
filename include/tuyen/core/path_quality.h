/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PATH_QUALITY_H
#define TUYEN_CORE_PATH_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/topology/network.h"

/**
 * How well a path that lives serves: loss over its last 32 to 40 probes, round trip and jitter. Pure.
 *
 * Loss is counted in groups of eight probes, by how many were sent and how many came back meanwhile: an answer
 * may be underway when the next probe leaves, so that a single probe is never called lost. That it is more than before is known
 * before the group ends: as soon as more are missing than can be underway.
 */
#define PATH_QUALITY_GROUP  8
#define PATH_QUALITY_GROUPS 4

struct path_quality {
	uint8_t sent, received;		      /* of the group that is filled now */
	uint8_t early;			      /* and missing of it, as was known before its end */
	uint8_t missing[PATH_QUALITY_GROUPS]; /* of those before, a ring */
	uint8_t at, known;		      /* groups known, up to PATH_QUALITY_GROUPS */
	uint8_t samples;		      /* of the round trip, up to 4 */
	uint16_t loss_permille;
	uint32_t round_trip_us; /* smoothed by 1/8; 0 unknown */
	uint32_t jitter_us;	/* interarrival jitter of RFC 3550 section 6.4.1 */
	uint32_t last_us;	/* the newest round trip; of the first four the least */
};

/** Forgets all: the path was down. */
void path_quality_reset(struct path_quality *q);
/** A probe is sent, the next follows in @interval_us. @return whether loss_permille changed, or is known now. */
bool path_quality_sent(struct path_quality *q, uint32_t interval_us);
/** An answer came. */
void path_quality_received(struct path_quality *q);
/**
 * A round trip was measured, us. Of the first four, when ways are still being found, the least counts.
 *
 * Jitter is that of RFC 3550 section 6.4.1, J += (|D| - J) / 16, with one difference: nobody at the other end tells when a probe
 * came in, so that D, there the difference of two packets' transit times, is that of two successive round trips.
 * A delay that has become another one and stays so is no jitter: it counts once, by a sixteenth, and is forgotten.
 */
void path_quality_round_trip(struct path_quality *q, uint32_t us);

/** Whether loss is of as many probes as it can be: none of before, and no luck of a few. */
bool path_quality_known(const struct path_quality *q);

/** The smoothed round trip, us; 0 before four were measured: the first ones wait for handshakes. */
uint32_t path_quality_known_round_trip(const struct path_quality *q);

/**
 * Is a path with this quality degraded under @limits? With hysteresis: one that @was goes on to be until it keeps
 * well below, loss under a half and times under three quarters of the limit.
 */
bool path_quality_degraded(const struct path_limits *limits, uint16_t loss_permille,
			   uint32_t round_trip_us, uint32_t jitter_us, bool was);

#endif
