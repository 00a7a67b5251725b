/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_NAMES_H
#define TUYEN_POLICIES_NAMES_H

#include <stddef.h>
#include <stdint.h>

/** Names and what they stand for. Keys are borrowed. */
struct name_table {
	struct name_slot {
		const char *name;
		uint32_t value;
		uint32_t hash;
	} * slots;
	size_t capacity, count;
};

#define NAME_NONE UINT32_MAX

void name_table_init(struct name_table *t);
void name_table_clear(struct name_table *t);
/** @return 0; -TUYEN_EEXIST, and nothing changes; -TUYEN_ENOMEM. */
int name_table_add(struct name_table *t, const char *name, uint32_t value);
/** @return its value, NAME_NONE if it is not there. */
uint32_t name_table_find(const struct name_table *t, const char *name);
/** @return the name that was probably meant, borrowed; NULL if none is near. */
const char *name_table_nearest(const struct name_table *t, const char *name);

/** Insertions, deletions, replacements and swaps of neighbours between two names, in letters: whatever their marks and case. */
unsigned name_distance(const char *a, const char *b);
/** The largest distance at which a misspelt @name is still recognizable. */
unsigned name_tolerance(const char *name);

#endif
