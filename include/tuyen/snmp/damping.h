/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_DAMPING_H
#define TUYEN_SNMP_DAMPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/monotime.h"

/**
 * Keeps a flapping link from burying the network centre in notifications. Pure. An object (a key) may be heard
 * DAMPING_BURST times a window: one down and one up. What follows is held back and counted; when the window
 * ends, the newest of what was held goes out with the count, so that the last word is always true.
 */
#define DAMPING_WINDOW_US 1000000u
#define DAMPING_BURST	  2
#define DAMPING_KEYS	  64 /* remembered at once; without a free one nothing is held back */
#define DAMPING_KEY_BYTES 80

struct damping_entry {
	char key[DAMPING_KEY_BYTES]; /* "" free */
	struct monotime window_end;
	uint32_t sent, held;
	void *newest; /* owned; NULL while nothing is held */
};

struct damping {
	struct damping_entry entries[DAMPING_KEYS];
	void (*release)(void *notification);
	uint64_t held_total;
};

/** @release frees a notification that a newer one replaced. */
void damping_init(struct damping *damping, void (*release)(void *notification));
void damping_clear(struct damping *damping);

/**
 * Something happened to the object of @key.
 * @return true: send @notification now, it stays the caller's. false: it is held, and no longer the caller's.
 */
bool damping_offer(struct damping *damping, const char *key, void *notification,
		   struct monotime now);

/**
 * What was held in a window that has ended, one a call, until NULL.
 * @ret_held  how many were held back, this one included.
 */
void *damping_take(struct damping *damping, struct monotime now, uint32_t *ret_held);

/** When damping_take() is to be asked next; MONOTIME_NEVER while nothing is held. */
struct monotime damping_next(const struct damping *damping);

#endif
