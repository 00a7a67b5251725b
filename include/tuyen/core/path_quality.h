/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PATH_QUALITY_H
#define TUYEN_CORE_PATH_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/topology/network.h"

/**
 * How well a path that lives serves: loss over its last 32 to 40 probes, round trip and jitter. Pure.
 *
 * Loss. S-BFD numbers no probe (RFC 7880): an answer does not say whose it is, and by counts alone one that is lost looks like one that
 * takes longer than those before. But one probe at a time asks with the Poll bit and its answer has the Final bit, and what takes one way
 * keeps its order. So when the Final comes, of what was sent up to that probe all that did not come is lost, and what was sent after it is
 * under way, however long the way has become. On a restless way a few may have been overtaken: they are lost if they are missing still at
 * the next Final. On one that becomes shorter at once, all that went by the longer one is: it is waited for as long as it can take.
 *
 * Where more answers come than were sent before the probe that asked, that one itself is lost. The next one asks when it is given up,
 * ROUND_TRIP_MAX_US of core/bfd.c later, and until a Final comes what can be under way is guessed by the round trip and jitter; the Final then
 * says whether that was right.
 *
 * So an answer that is late counts for what it is as long as it comes within those three seconds. Nothing is said of one who falls
 * silent altogether: for that there is the detection time.
 */
#define PATH_QUALITY_GROUP  8
#define PATH_QUALITY_GROUPS 4

struct path_quality {
	uint8_t missing[PATH_QUALITY_GROUPS + 1]; /* of a group of probes each, a ring */
	uint8_t at, judged;			  /* which group is filled now, with how many */
	uint8_t known;				  /* groups before it, up to PATH_QUALITY_GROUPS */
	uint8_t samples;			  /* of the round trip, up to 4 */
	bool asked, asked_lost;			  /* a probe that asks is out; it is lost */
	uint16_t loss_permille;
	uint32_t ahead;	      /* sent after the probe whose Final came, up to the one that asks */
	uint32_t after;	      /* sent after that */
	uint32_t received;    /* since that Final */
	uint32_t guessed;     /* of @ahead and @after: judged without a Final */
	uint32_t charged;     /* of those: missing */
	int32_t owed;	      /* missing at that Final and not judged; below 0: came out of turn */
	uint32_t interval_us; /* of the probes */

	uint32_t round_trip_us; /* smoothed by 1/8; 0 unknown */
	uint32_t jitter_us;	/* interarrival jitter of RFC 3550 section 6.4.1 */
	uint32_t shortened_us;	/* so long answers by a longer way may still come */
	uint32_t last_us;	/* the newest round trip; of the first four the least */
};

/** Forgets all: the path was down. */
void path_quality_reset(struct path_quality *q);
/**
 * A probe is sent along a path, the next follows in @interval_us.
 * @asks  with the Poll bit; where another one does so still, that is given up.
 * @return whether loss_permille changed, or a group of probes is judged.
 */
bool path_quality_sent(struct path_quality *q, uint32_t interval_us, bool asks);
/**
 * An answer came, or a neighbour's packet.
 * @final  that of the probe that asked last.
 * @return as of path_quality_sent().
 */
bool path_quality_received(struct path_quality *q, bool final);
/** A packet is sent to a neighbour, which sends as often as we do: of eight of ours as many of its are to come. @return likewise. */
bool path_quality_sent_to_neighbor(struct path_quality *q);
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
