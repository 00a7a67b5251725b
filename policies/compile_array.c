/* SPDX-License-Identifier: Apache-2.0 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

void *compile_grow_more(struct compile_result *r, void *array, size_t *count, size_t *room,
			size_t size)
{
	size_t more = *room ? *room * 2 : 64;
	char *bytes;

	memcpy(&bytes, array, sizeof(bytes));
	bytes = more < UINT32_MAX ? realloc(bytes, more * size) : NULL;
	if (!bytes) {
		r->failed = true;
		return NULL;
	}
	memcpy(array, &bytes, sizeof(bytes));
	*room = more;
	return compile_grow(r, array, count, room, size);
}

bool compile_append(struct compile_result *r, void *array, size_t *array_count, size_t *room,
		    size_t size, const void *from, size_t count)
{
	size_t more = *array_count + count;
	char *bytes;

	memcpy(&bytes, array, sizeof(bytes));
	if (more > *room) {
		size_t larger = more < 2 * *room ? 2 * *room : more;

		bytes = larger < UINT32_MAX ? realloc(bytes, larger * size) : NULL;
		if (!bytes) {
			r->failed = true;
			return false;
		}
		memcpy(array, &bytes, sizeof(bytes));
		*room = larger;
	}
	if (count)
		memcpy(bytes + *array_count * size, from, count * size);
	*array_count = more;
	return true;
}

void compile_reserve(void *array, size_t *room, size_t count, size_t size)
{
	void *bytes = count && count < UINT32_MAX ? malloc(count * size) : NULL;

	if (!bytes)
		return;
	memcpy(array, &bytes, sizeof(bytes));
	*room = count;
}

static void index_place(struct index *index, struct index_slot slot)
{
	size_t at = slot.hash & (index->slot_count - 1);

	while (index->slots[at].position)
		at = (at + 1) & (index->slot_count - 1);
	index->slots[at] = slot;
}

static bool index_resize(struct compile_result *r, struct index *index, size_t slots)
{
	struct index more = {.slot_count = slots, .used = index->used};

	more.slots = calloc(more.slot_count, sizeof(*more.slots));
	if (!more.slots) {
		r->failed = true;
		return false;
	}
	for (size_t i = 0; i < index->slot_count; i++)
		if (index->slots[i].position)
			index_place(&more, index->slots[i]);
	free(index->slots);
	*index = more;
	return true;
}

bool index_reserve(struct compile_result *r, struct index *index, size_t count)
{
	size_t slots = 256;

	while (slots < 2 * count)
		slots *= 2;
	return index_resize(r, index, slots);
}

bool index_put(struct compile_result *r, struct index *index, uint32_t position, uint64_t hash)
{
	size_t slots = index->slot_count ? index->slot_count * 2 : 256;

	if (index->used * 2 >= index->slot_count && !index_resize(r, index, slots))
		return false;
	index_place(index, (struct index_slot){position + 1, (uint32_t)hash});
	index->used++;
	return true;
}
