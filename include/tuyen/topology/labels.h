/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TOPOLOGY_LABELS_H
#define TUYEN_TOPOLOGY_LABELS_H

#include <stdbool.h>
#include <stdint.h>

#define LABEL_STACK_MAX 8
#define LABEL_MAX	0xfffff /* 20 bits, RFC 3032 */
#define LABEL_MIN	16	/* 0..15 are reserved, RFC 3032 section 2.1 */

/** A label stack, the outermost (top) label first. Depth 0 is the empty stack. */
struct label_stack {
	uint8_t depth;
	uint32_t label[LABEL_STACK_MAX];
};

/** Segment Routing Global Block, RFC 8402 section 3.1: labels base .. base + size - 1. */
struct label_block {
	uint32_t base;
	uint32_t size;
};

/**
 * Added to a site's id: the site at the other end of a parallel link, or a leaf as it is reached over its own. Whatever is known
 * by a neighbour's id (devices, tables, BFD sessions) is so known apart from that of the ordinary link. In decimal, one sees which.
 */
#define PARALLEL_ID 1000000u

/**
 * Node SID label of site @site_id; with PARALLEL_ID, the label of that leaf over its parallel link, in the third block of
 * the SRGB's size. @return 0 (no label) when it lies outside the block.
 */
static inline uint32_t label_node_sid(struct label_block srgb, uint32_t site_id)
{
	uint32_t id = site_id % PARALLEL_ID, skipped = site_id < PARALLEL_ID ? 0 : 2 * srgb.size;

	if (id >= srgb.size || srgb.base < LABEL_MIN || srgb.base > LABEL_MAX - id)
		return 0;
	if (skipped && srgb.size > (LABEL_MAX + 1 - srgb.base) / 4)
		return 0;
	return srgb.base + skipped + id;
}
/**
 * Repair SID of the site: its node SID's twin in the block of the same size above the SRGB. What carries it is
 * on a detour around a failed adjacency, and is never sent on another. That of a leaf's parallel link is in the fourth block.
 * @return 0 where that block does not fit into 20 bits, or the site has no node SID.
 */
static inline uint32_t label_repair_sid(struct label_block srgb, uint32_t site_id)
{
	uint32_t label = label_node_sid(srgb, site_id);

	if (!label || srgb.size > (LABEL_MAX + 1 - srgb.base) / 2)
		return 0;
	return label + srgb.size;
}
/** Is @label in a block of repair SIDs: every second one? */
static inline bool label_is_repair(struct label_block srgb, uint32_t label)
{
	return label >= srgb.base && srgb.size && (label - srgb.base) / srgb.size % 2;
}
bool label_stack_equal(const struct label_stack *a, const struct label_stack *b);
/** Total order: depth, then labels; for sorting. */
int label_stack_compare(const struct label_stack *a, const struct label_stack *b);
/** @return false (and @stack unchanged) when it is full. */
static inline bool label_stack_push_bottom(struct label_stack *stack, uint32_t label)
{
	if (stack->depth >= LABEL_STACK_MAX)
		return false;
	stack->label[stack->depth++] = label;
	return true;
}
/** "16210/16901", "-" when empty. @out has LABEL_STACK_STRLEN bytes. */
#define LABEL_STACK_STRLEN (LABEL_STACK_MAX * 8)
const char *label_stack_format(const struct label_stack *stack,
			       char out[static LABEL_STACK_STRLEN]);
int label_stack_parse(const char *string, struct label_stack *ret_stack);

#endif
