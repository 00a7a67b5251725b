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

void compile_reserve(void *array, size_t *room, size_t count, size_t size)
{
	void *bytes = count && count < UINT32_MAX ? malloc(count * size) : NULL;

	if (!bytes)
		return;
	memcpy(array, &bytes, sizeof(bytes));
	*room = count;
}

/* FNV-1a, then mixed, as the low bits choose the slot. */
uint64_t compile_hash(const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	uint64_t h = 0xcbf29ce484222325u;
	uint32_t word;

	for (; length >= sizeof(word); length -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	for (size_t i = 0; i < length; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

uint32_t index_next(const struct index *index, uint64_t hash, size_t *step)
{
	if (!index->slot_count)
		return NETWORK_NONE;
	for (;;) {
		const struct index_slot *s =
		    &index->slots[(hash + (*step)++) & (index->slot_count - 1)];

		if (!s->position || s->hash == (uint32_t)hash)
			return s->position - 1;
	}
}

static void index_place(struct index *index, struct index_slot slot)
{
	size_t at = slot.hash & (index->slot_count - 1);

	while (index->slots[at].position)
		at = (at + 1) & (index->slot_count - 1);
	index->slots[at] = slot;
}

/* A site has a handful of each thing that is indexed: growing from nothing would look at all of
 * them time and again. */
static size_t index_first_slots(const struct compile_result *r)
{
	size_t slots = 256;

	while (slots < 8 * r->network->site_count)
		slots *= 2;
	return slots;
}

static bool index_double(struct compile_result *r, struct index *index)
{
	struct index more = {.slot_count =
				 index->slot_count ? index->slot_count * 2 : index_first_slots(r),
			     .used = index->used};

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

bool index_put(struct compile_result *r, struct index *index, uint32_t position, uint64_t hash)
{
	if (index->used * 2 >= index->slot_count && !index_double(r, index))
		return false;
	index_place(index, (struct index_slot){position + 1, (uint32_t)hash});
	index->used++;
	return true;
}
