/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_ARENA_H
#define TUYEN_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/** Memory of many objects that are given back together: a tree of syntax, one site's state. All zeros is an empty one. */

#define ARENA_BLOCK 65536 /* bytes; what is larger has a block of its own */

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

struct arena {
	struct arena_block *blocks; /* the first has room */
};

/* A block of its own stands behind the first, which has room still. */
static inline void *arena_alloc_block(struct arena *a, size_t size)
{
	size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
	struct arena_block *block = malloc(sizeof(*block) + room);
	struct arena_block **at = a->blocks && size > ARENA_BLOCK ? &a->blocks->next : &a->blocks;

	if (!block)
		return NULL;
	*block = (struct arena_block){.next = *at, .used = size, .size = room};
	*at = block;
	return block->bytes;
}

/** @return @size bytes, whatever stands in them, aligned for any object; NULL without memory. */
static inline void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *block = a->blocks;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (!block || block->size - block->used < size)
		return arena_alloc_block(a, size);
	block->used += size;
	return block->bytes + block->used - size;
}

/** Gives everything back. */
static inline void arena_clear(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
}

/** The same, and keeps a block for the next ones. */
static inline void arena_reset(struct arena *a)
{
	struct arena behind = {a->blocks ? a->blocks->next : NULL};

	arena_clear(&behind);
	if (a->blocks) {
		a->blocks->next = NULL;
		a->blocks->used = 0;
	}
}

#endif
