/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_METER_H
#define TUYEN_CORE_METER_H

#include <stdbool.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/text.h"
#include "tuyen/core/uplink.h"
#include "tuyen/topology/forwarding.h"

/**
 * What a metered line has carried today, sent and received, as its carrier counts: by the counters of the line's device, with all
 * that the box itself sends over it and the device's own headers. A counter that says less than half of what it did began anew (the
 * device came back, the box was started), and all it says was carried since; one that is a little less was corrected, and
 * nothing was. What came between two looks belongs to the day of the second. Another device's counter begins with nothing. A
 * clock that leaves a day and comes back to it finds what that day had carried. Pure.
 */

/** From so much of the allowance on a line is near its end. */
#define METER_NEAR_PERCENT 80
/** More bytes than this are said as this many: a number that JSON's readers take. */
#define METER_BYTES_MAX INT64_MAX

enum meter_level {
	METER_UNCOUNTED, /* its device is not known by name, or is not there and never was */
	METER_WITHIN,
	METER_NEAR,
	METER_EXCEEDED,
};

struct meter {
	uint32_t day;	     /* yyyymmdd where the box is; 0: nothing was counted yet */
	uint64_t used_bytes; /* of that day */
	uint64_t received_bytes, sent_bytes; /* the device's counters at the last look */
	char device[KERNEL_IFNAME_MAX];	     /* whose they are, "": none's */
	struct {
		uint32_t day; /* 0: none */
		uint64_t used_bytes;
	} left; /* the day before, or whichever was left last */
};

/** The counters of the line's @device on @day, not 0. The first look at a device counts nothing. */
void meter_step(struct meter *meter, uint32_t day, const char *device, uint64_t received_bytes,
		uint64_t sent_bytes);
/** It is @day, and the device is not there to be asked. */
void meter_turn(struct meter *meter, uint32_t day);

/** @allowance_bytes  of a day; not 0. */
enum meter_level meter_level(const struct meter *meter, uint64_t allowance_bytes);
/** "uncounted", "within", "near", "exceeded". */
const char *meter_level_word(enum meter_level level);

/** A line of what is kept over a restart: "UNDERLAY DAY USED RECEIVED SENT DEVICE LEFT_DAY LEFT_USED". */
void meter_put(const char *underlay, const struct meter *meter, struct text *ret_text);
/**
 * Finds @underlay's line in what meter_put() wrote. Bytes from a file: anything may stand in them.
 * @return 0; -TUYEN_ENOENT if there is none; -TUYEN_EINVAL if it is not lawful.
 */
int meter_find(const char *bytes, size_t length, const char *underlay, struct meter *ret_meter);

#endif
