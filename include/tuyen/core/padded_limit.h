/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PADDED_LIMIT_H
#define TUYEN_CORE_PADDED_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/monotime.h"

/**
 * How many long answers padded probes (core/path_mtu.h) are given: their source may be forged, and each answer is as long as the
 * question. A probe that is refused looks lost to its asker, who then believes that the path carries less: what honest
 * askers send must pass. So there are two bounds:
 *  - one source has PADDED_LIMIT_BURST answers at once, as many as a search asks for one upon another, and then one each
 *    PADDED_LIMIT_GAP_US, sooner than an asker gives one up;
 *  - all together have PADDED_LIMIT_RATE bytes each microsecond. Behind one gateway of a whole country are 68,274 paths: probed each 50 ms they
 *    ask for half of it.
 * A source is known by its slot, which the next source of that slot takes over. Who has a slot to himself for less than the gap
 * may be answered sooner, but is never refused for another's sake. Which sources share one is a secret of this process: to be answered
 * more than its share, a forged source must be sent among thousands of others, and they have the bound of all. Pure.
 */
#define PADDED_LIMIT_SOURCES 2048 /* a power of two */
#define PADDED_LIMIT_GAP_US  40000u
#define PADDED_LIMIT_BURST   16u
#define PADDED_LIMIT_RATE    30u       /* bytes a microsecond: 30 MB a second, */
#define PADDED_LIMIT_BYTES   30000000u /* and a second's worth at once */

/** 24 KB. */
struct padded_limit {
	uint64_t secret;
	uint64_t bytes; /* left of the bound of all, at @since */
	struct monotime since;
	ipv4_t source[PADDED_LIMIT_SOURCES]; /* whose the slot is */
	struct monotime
	    paid_until[PADDED_LIMIT_SOURCES]; /* a gap after @now for each answer given at once */
};

/** @secret  random, of this process. */
void padded_limit_init(struct padded_limit *l, uint64_t secret, struct monotime now);

/**
 * May @source, whose question is good, be answered with @length bytes now? If so that is counted, if not nothing is.
 * @now  not before that of the last call.
 */
bool padded_limit_take(struct padded_limit *l, ipv4_t source, size_t length, struct monotime now);

#endif
