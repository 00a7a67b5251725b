/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_METER_H
#define TUYEN_CORE_METER_H

#include <stdbool.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/text.h"
#include "tuyen/topology/forwarding.h"

/**
 * What a metered line has carried today, sent and received, as its carrier counts: by the counters of the line's device, with all
 * that the box itself sends over it and the device's own headers. A counter that is less than it was began anew (the device came
 * back, the box was started), and all it says was carried since. What came between two looks belongs to the day of the second. Pure.
 */

/** From so much of the allowance on a line is near its end. */
#define METER_NEAR_PERCENT 80

enum meter_level {
	METER_UNCOUNTED, /* its device is not known by name, or is not there and never was */
	METER_WITHIN,
	METER_NEAR,
	METER_EXCEEDED,
};

struct meter {
	uint32_t day; /* yyyymmdd where the box is; 0: nothing was counted yet */
	uint64_t used_bytes;	/* of that day */
	uint64_t counter_bytes; /* at the last look */
};

/** The line's counter says @counter_bytes on @day. The first look of all counts nothing. */
void meter_step(struct meter *meter, uint32_t day, uint64_t counter_bytes);

/** @allowance_bytes  of a day; not 0. */
enum meter_level meter_level(const struct meter *meter, uint64_t allowance_bytes);
/** "uncounted", "within", "near", "exceeded". */
const char *meter_level_word(enum meter_level level);

/** A line of what is kept over a restart: "UNDERLAY DAY USED COUNTER". */
void meter_put(const char *underlay, const struct meter *meter, struct text *ret_text);
/**
 * Finds @underlay's line in what meter_put() wrote. Bytes from a file: anything may stand in them.
 * @return false if there is none that is lawful.
 */
bool meter_find(const char *bytes, size_t length, const char *underlay, struct meter *ret_meter);

#endif
