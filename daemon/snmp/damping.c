/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/snmp/damping.h"

#include <stdio.h>
#include <string.h>

void damping_init(struct damping *damping, void (*release)(void *notification))
{
	*damping = (struct damping){.release = release};
}

void damping_clear(struct damping *damping)
{
	for (size_t i = 0; i < DAMPING_KEYS; i++)
		if (damping->entries[i].newest)
			damping->release(damping->entries[i].newest);
	damping_init(damping, damping->release);
}

static bool entry_over(const struct damping_entry *entry, struct monotime now)
{
	return !entry->newest && monotime_reached(now, entry->window_end);
}

/* The entry of @key, or one that is free or whose window has passed in silence. */
static struct damping_entry *entry_get(struct damping *damping, const char *key,
				       struct monotime now)
{
	struct damping_entry *spare = NULL;

	for (size_t i = 0; i < DAMPING_KEYS; i++) {
		struct damping_entry *entry = &damping->entries[i];

		if (!strncmp(entry->key, key, sizeof(entry->key) - 1) && entry->key[0]) {
			spare = entry;
			if (!entry_over(entry, now))
				return entry;
			break;
		}
		if (!spare && (!entry->key[0] || entry_over(entry, now)))
			spare = entry;
	}
	if (!spare)
		return NULL;
	*spare = (struct damping_entry){.window_end = monotime_after(now, DAMPING_WINDOW_US)};
	snprintf(spare->key, sizeof(spare->key), "%s", key);
	return spare;
}

bool damping_offer(struct damping *damping, const char *key, void *notification,
		   struct monotime now)
{
	struct damping_entry *entry = entry_get(damping, key, now);

	if (!entry)
		return true;
	if (!entry->newest && entry->sent < DAMPING_BURST) {
		entry->sent++;
		return true;
	}
	if (entry->newest)
		damping->release(entry->newest);
	entry->newest = notification;
	entry->held++;
	damping->held_total++;
	return false;
}

void *damping_take(struct damping *damping, struct monotime now, uint32_t *ret_held)
{
	for (size_t i = 0; i < DAMPING_KEYS; i++) {
		struct damping_entry *entry = &damping->entries[i];
		void *newest = entry->newest;

		if (!newest || !monotime_reached(now, entry->window_end))
			continue;
		*ret_held = entry->held;
		entry->newest = NULL;
		entry->held = 0;
		entry->sent = 1;
		entry->window_end = monotime_after(now, DAMPING_WINDOW_US);
		return newest;
	}
	return NULL;
}

struct monotime damping_next(const struct damping *damping)
{
	struct monotime next = MONOTIME_NEVER;

	for (size_t i = 0; i < DAMPING_KEYS; i++)
		if (damping->entries[i].newest)
			next = monotime_min(next, damping->entries[i].window_end);
	return next;
}
