/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PATH_MTU_H
#define TUYEN_CORE_PATH_MTU_H

#include <stdbool.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"

/**
 * How big a packet a path carries, found by padded probes: RFC 8899 (DPLPMTUD), the probes being S-BFD packets padded
 * as in RFC 9764 with the answer as long as the question. Small probes say whether the path lives; these say whether what a
 * citizen's query fills comes through. Pure: the caller has the clock, sends and hears.
 *
 * A path is believed to carry what was compiled. It is asked for that once in PATH_MTU_EVERY intervals; when three such probes in a
 * row are lost while small ones come back, PATH_MTU_FLOOR is believed until the size that passes is found by halving, to the byte, and
 * the whole size was asked for once more: the failure may have passed meanwhile. Every PATH_MTU_RAISE-th time that is tried again.
 *
 * Padded probes wait in the queue of the rest, and a line that is slow may give that less than all paths would ask for while they search: so
 * there is a gap between two of a path, in which the queue sends those of all (path_mtu_gap_us()).
 */

#define PATH_MTU_EVERY                                                                             \
	128 /* of the path's probe intervals: a padded probe costs as much as 15 of the others, and 6 ms of 2 Mbit/s */
#define PATH_MTU_RAISE 8   /* every so manieth of them asks for more, where less than all passes */
#define PATH_MTU_FLOOR 636 /* bytes: a session over it still carries RFC 791's 576 */

struct path_mtu {
	uint16_t ceiling;   /* bytes of the whole IP packet, as compiled */
	uint16_t passes;    /* what is believed to pass */
	uint16_t low, high; /* while searching: passes, does not */
	uint16_t size;	    /* of the probe in flight, or the last */
	uint8_t lost;	    /* in a row, of that size */
	uint8_t until_raise;
	bool searching, in_flight;
	bool whole_asked; /* while searching: the end of it */
	bool proven;	  /* @passes was found, and is not just believed */
	uint64_t every_us, timeout_us;
	uint64_t
	    gap_us; /* the caller's: between two probes; and one may wait so long, there and back. 0: none */
	struct monotime sent_at;
	struct monotime due;
};

#define PATH_MTU_GAP_MAX_US 60000000u

/** For @paths that share @rate bytes a second, each probe @bytes with all headers. @rate 0: unknown, no gap. */
static inline uint32_t path_mtu_gap_us(uint64_t rate, uint32_t bytes, uint32_t paths)
{
	uint64_t us = rate ? (UINT64_C(1000000) * bytes * paths + rate - 1) / rate : 0;

	return us < PATH_MTU_GAP_MAX_US ? (uint32_t)us : PATH_MTU_GAP_MAX_US;
}

/** @detection_us  of the path: a probe that is not answered by then is lost. */
void path_mtu_init(struct path_mtu *m, uint16_t ceiling, uint16_t passes, uint32_t interval_us,
		   uint64_t detection_us, struct monotime now);

/**
 * What is due at @now? Call at m->due.
 * @alive  small probes come back: else nothing is asked and nothing concluded.
 * @loss_permille  of small probes: where many of those are lost too, more padded ones must be before a size is doubted.
 * @ret_changed  m->passes is another than before.
 * @return the size of the packet to send now, 0 for none.
 */
uint16_t path_mtu_step(struct path_mtu *m, struct monotime now, bool alive, uint16_t loss_permille,
		       bool *ret_changed);

/** A packet of @size bytes has come back. @return whether m->passes changed; then or not, m->due may be sooner. */
bool path_mtu_answer(struct path_mtu *m, uint16_t size, struct monotime now);

#endif
