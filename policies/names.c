/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from names to numbers (open addressing, FNV-1a), and the search
 * for the name that was probably meant: the smallest distance, then the first
 * in the alphabet, so that a message never depends on the order of a table.
 */
#include "tuyen/policies/names.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

#define DISTANCE_LENGTH_MAX 63 /* bytes; longer names have no neighbours */

void name_table_init(struct name_table *t)
{
	*t = (struct name_table){0};
}

void name_table_clear(struct name_table *t)
{
	free(t->slots);
	name_table_init(t);
}

static uint32_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3u;
	return (uint32_t)(hash ^ hash >> 32);
}

/* Where @name is, or would be. */
static struct name_slot *table_slot(const struct name_table *t, const char *name, uint32_t hash)
{
	size_t i = hash & (t->capacity - 1);

	while (t->slots[i].name &&
	       (t->slots[i].hash != hash || strcmp(t->slots[i].name, name) != 0))
		i = (i + 1) & (t->capacity - 1);
	return &t->slots[i];
}

static int table_grow(struct name_table *t)
{
	struct name_table bigger = {.capacity = t->capacity ? t->capacity * 2 : 64,
				    .count = t->count};

	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < t->capacity; i++)
		if (t->slots[i].name)
			*table_slot(&bigger, t->slots[i].name, t->slots[i].hash) = t->slots[i];
	free(t->slots);
	*t = bigger;
	return 0;
}

int name_table_add(struct name_table *t, const char *name, uint32_t value)
{
	uint32_t hash = name_hash(name);
	struct name_slot *slot;
	int err;

	if (t->count * 2 >= t->capacity) {
		err = table_grow(t);
		if (err < 0)
			return err;
	}
	slot = table_slot(t, name, hash);
	if (slot->name)
		return -TUYEN_EEXIST;
	*slot = (struct name_slot){name, value, hash};
	t->count++;
	return 0;
}

uint32_t name_table_find(const struct name_table *t, const char *name)
{
	const struct name_slot *slot;

	if (!t->capacity)
		return NAME_NONE;
	slot = table_slot(t, name, name_hash(name));
	return slot->name ? slot->value : NAME_NONE;
}

unsigned name_distance(const char *a, const char *b)
{
	unsigned row[3][DISTANCE_LENGTH_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > DISTANCE_LENGTH_MAX || lb > DISTANCE_LENGTH_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);

			if (before[j] + 1 < best)
				best = before[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[la % 3][lb];
}

unsigned name_tolerance(const char *name)
{
	size_t length = strlen(name);

	return length < 3 ? 0 : length < 6 ? 1 : length < 12 ? 2 : 3;
}

const char *name_table_nearest(const struct name_table *t, const char *name)
{
	unsigned best = name_tolerance(name) + 1;
	size_t length = strlen(name);
	const char *nearest = NULL;

	for (size_t i = 0; i < t->capacity; i++) {
		const char *other = t->slots[i].name;
		size_t other_length = other ? strlen(other) : 0;
		unsigned distance;

		if (!other || other_length > length + best || length > other_length + best)
			continue;
		distance = name_distance(name, other);
		if (distance < best ||
		    (nearest && distance == best && strcmp(other, nearest) < 0)) {
			best = distance;
			nearest = other;
		}
	}
	return nearest;
}
