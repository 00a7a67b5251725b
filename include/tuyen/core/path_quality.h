/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PATH_QUALITY_H
#define TUYEN_CORE_PATH_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"
#include "tuyen/core/bfd.h"
#include "tuyen/topology/network.h"

/**
 * How well a path that lives serves: loss over its last 32 to 40 probes, round trip and jitter. Pure.
 *
 * Loss. Each probe has a number that its answer brings back (core/bfd.h), so that one that came twice counts once, and one that is late for
 * the probe it answers. A probe is lost when a later one was answered, and it has itself been out for longer than the round trip and jitter
 * were when it left, and are now: what takes one way keeps its order, and what left on a way that has become shorter since is on the longer one
 * still. If its answer comes all the same, it is lost no longer.
 *
 * Nothing is said of one who falls silent altogether: for that there is the detection time. Where that is longer, what is out for
 * BFD_ROUND_TRIP_MAX_US is given up, and with it all that is out for longer than the round trip.
 */
#define PATH_QUALITY_NUMBERS 256
#define PATH_QUALITY_GROUP   8
#define PATH_QUALITY_GROUPS  4

enum path_quality_fate {
	PROBE_ANSWERED, /* or not sent since the path is up */
	PROBE_UNDER_WAY,
	PROBE_OVERTAKEN, /* by a later one's answer */
	PROBE_MISSING,
};

struct path_quality_probe {
	uint32_t us;	  /* when it left, by the clock's last 32 bits; once answered: after that */
	uint8_t fate;	  /* enum path_quality_fate */
	uint8_t patience; /* so many leave after it before its own answer can have come */
};

struct quality_loss {
	uint8_t missing[PATH_QUALITY_GROUPS + 1]; /* of a group of probes each, a ring */
	uint8_t at, judged;			  /* which group is filled now, with how many */
	uint8_t known;				  /* groups before it, up to PATH_QUALITY_GROUPS */
	uint16_t permille;
};

struct path_quality { /* 2 KB */
	struct quality_loss loss;
	uint8_t samples;	/* of the round trip, up to 4 */
	uint8_t oldest, newest; /* nothing else is under way than from one to the other */
	struct path_quality_probe probe[PATH_QUALITY_NUMBERS]; /* by number */
	uint32_t interval_us;				       /* of the probes */

	uint32_t round_trip_us; /* smoothed by 1/8; 0 unknown */
	uint32_t jitter_us;	/* interarrival jitter of RFC 3550 section 6.4.1 */
	uint32_t last_us;	/* the newest of one not overtaken; of the first four the least */
};

/** Of a link: a neighbour's packets are not numbered, but as many are to come as are sent. */
struct neighbor_quality {
	struct quality_loss loss;
	uint32_t sent, received; /* to and from the neighbour: of this group */
};

/** Forgets all: the path, or the link, was down. */
void path_quality_reset(struct path_quality *q);
void neighbor_quality_reset(struct neighbor_quality *q);
/**
 * A probe is sent along a path, the next follows in @interval_us, with the next number.
 * @return whether the loss changed, or a group of probes is judged.
 */
bool path_quality_sent(struct path_quality *q, uint8_t number, uint32_t interval_us,
		       struct monotime now);
/** The answer to probe @number came, and tells the round trip. @return as of path_quality_sent(). */
bool path_quality_received(struct path_quality *q, uint8_t number, struct monotime now);
/** A neighbour's packet came. */
void neighbor_quality_heard(struct neighbor_quality *q);
/** A packet is sent to a neighbour, which sends as often as we do: of eight of ours as many of its are to come. @return likewise. */
bool neighbor_quality_sent(struct neighbor_quality *q);
/**
 * A round trip was measured, us. Of the first four, when ways are still being found, the least counts.
 *
 * Jitter is that of RFC 3550 section 6.4.1, J += (|D| - J) / 16, with one difference: nobody at the other end tells when a probe
 * came in, so that D, there the difference of two packets' transit times, is that of two successive round trips.
 * A delay that has become another one and stays so is no jitter: it counts once, by a sixteenth, and is forgotten. So the answer to a
 * probe that was overtaken is compared with that to the one sent before it.
 */
void path_quality_round_trip(struct path_quality *q, uint32_t us);

/** Whether loss is of as many probes as it can be: none of before, and no luck of a few. */
bool quality_loss_known(const struct quality_loss *loss);

/** The smoothed round trip, us; 0 before four were measured: the first ones wait for handshakes. */
uint32_t path_quality_known_round_trip(const struct path_quality *q);

/**
 * Is a path with this quality degraded under @limits? With hysteresis: one that @was goes on to be until it keeps
 * well below, loss under a half and times under three quarters of the limit.
 */
bool path_quality_degraded(const struct path_limits *limits, uint16_t loss_permille,
			   uint32_t round_trip_us, uint32_t jitter_us, bool was);

#endif
