/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from names to numbers (open addressing, FNV-1a), and the search
 * for the name that was probably meant: the smallest distance, then the first
 * in the alphabet, so that a message never depends on the order of a table.
 * Marks on letters do not count: where a name was typed without them, or with
 * others, all of it is near.
 */
#include "tuyen/policies/names.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/base/utf8.h"

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

/* Ranges of letters with marks, and the letter below the marks: those of Vietnamese, and so most of western Europe's. */
static const struct {
	uint16_t first, last;
	char base;
} marked[] = {
    {0x00c0, 0x00c5, 'a'}, {0x00c8, 0x00cb, 'e'}, {0x00cc, 0x00cf, 'i'}, {0x00d2, 0x00d6, 'o'},
    {0x00d9, 0x00dc, 'u'}, {0x00dd, 0x00dd, 'y'}, {0x00e0, 0x00e5, 'a'}, {0x00e8, 0x00eb, 'e'},
    {0x00ec, 0x00ef, 'i'}, {0x00f2, 0x00f6, 'o'}, {0x00f9, 0x00fc, 'u'}, {0x00fd, 0x00fd, 'y'},
    {0x0102, 0x0103, 'a'}, {0x0110, 0x0111, 'd'}, {0x0128, 0x0129, 'i'}, {0x0168, 0x0169, 'u'},
    {0x01a0, 0x01a1, 'o'}, {0x01af, 0x01b0, 'u'}, {0x1ea0, 0x1eb7, 'a'}, {0x1eb8, 0x1ec7, 'e'},
    {0x1ec8, 0x1ecb, 'i'}, {0x1ecc, 0x1ee3, 'o'}, {0x1ee4, 0x1ef1, 'u'}, {0x1ef2, 0x1ef9, 'y'},
};

static uint32_t letter_base(uint32_t code)
{
	if (code >= 'A' && code <= 'Z')
		return code + ('a' - 'A');
	for (size_t i = 0; code >= 0xc0 && i < sizeof(marked) / sizeof(marked[0]); i++)
		if (code >= marked[i].first && code <= marked[i].last)
			return (uint32_t)marked[i].base;
	return code;
}

/* The letters of @name without their marks. @return how many, at most DISTANCE_LENGTH_MAX. */
static size_t name_letters(const char *name, uint32_t letters[static DISTANCE_LENGTH_MAX])
{
	size_t count = 0, left = strlen(name);

	while (left && count < DISTANCE_LENGTH_MAX) {
		uint32_t code = (unsigned char)*name;
		size_t size = utf8_decode(name, left, &code);

		size = size ? size : 1; /* a byte that is none counts as itself */
		if (!utf8_is_combining(code))
			letters[count++] = letter_base(code);
		name += size;
		left -= size;
	}
	return count;
}

static unsigned letters_distance(const uint32_t *a, size_t la, const uint32_t *b, size_t lb)
{
	unsigned row[3][DISTANCE_LENGTH_MAX + 1];

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

unsigned name_distance(const char *a, const char *b)
{
	uint32_t x[DISTANCE_LENGTH_MAX], y[DISTANCE_LENGTH_MAX];

	if (strlen(a) > DISTANCE_LENGTH_MAX || strlen(b) > DISTANCE_LENGTH_MAX)
		return UINT32_MAX;
	return letters_distance(x, name_letters(a, x), y, name_letters(b, y));
}

unsigned name_tolerance(const char *name)
{
	size_t length = strlen(name);

	return length < 3 ? 0 : length < 6 ? 1 : length < 12 ? 2 : 3;
}

const char *name_table_nearest(const struct name_table *t, const char *name)
{
	unsigned best = name_tolerance(name) + 1;
	uint32_t wanted[DISTANCE_LENGTH_MAX], letters[DISTANCE_LENGTH_MAX];
	size_t length = name_letters(name, wanted);
	const char *nearest = NULL;

	if (strlen(name) > DISTANCE_LENGTH_MAX)
		return NULL;
	for (size_t i = 0; i < t->capacity; i++) {
		const char *other = t->slots[i].name;
		size_t other_length = other ? name_letters(other, letters) : 0;
		unsigned distance;

		if (!other || other_length > length + best || length > other_length + best)
			continue;
		distance = letters_distance(wanted, length, letters, other_length);
		if (distance < best ||
		    (nearest && distance == best && strcmp(other, nearest) < 0)) {
			best = distance;
			nearest = other;
		}
	}
	return nearest;
}
