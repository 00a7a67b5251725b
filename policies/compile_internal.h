/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_COMPILE_INTERNAL_H
#define TUYEN_POLICIES_COMPILE_INTERNAL_H

#include <string.h>

#include "tuyen/base/executor.h"
#include "tuyen/policies/compile.h"
#include "tuyen/topology/mtu.h"
#include "tuyen/topology/spf.h"

/** What the compiler's files share; nobody else includes this. */

/** A neighbour of a site. */
struct near {
	uint32_t site, link;
};

/** Two neighbours of many each, the lower first. */
struct link_slot {
	uint32_t a, b;
	uint32_t link; /* + 1; 0 empty */
};

/** Sites one after the other, each a neighbour of the one before. */
struct way {
	uint32_t length;
	uint32_t site[COMPILE_WAY_MAX];
};

/** Where, from whom: a complete stack that may lawfully arrive. A country has half a million, of few stacks' ends. */
struct accept_entry {
	uint32_t site, from;
	uint32_t labels,
	    depth; /* of the stack: @depth values of the pool stacks, from @labels on */
};

#define COMPILE_TAILS 256 /* kept at a time, a power of two */

/** Of a way from a leaf, what follows the leaf, and the labels that it goes under. */
struct installed_tail {
	uint32_t length;
	uint32_t site[COMPILE_WAY_MAX];
	struct label_stack stack;
	uint32_t labels; /* compile_stack_keep() of it */
};

/** At @site, @label leads to neighbour @next; @next = @site: it ends there. */
struct label_entry {
	uint32_t site, label, next;
};

#define DETOUR_DEPTH_MAX 7 /* what the filters look into, see kernel/filter.c */

/** A way from site @from to site @to, without @around (or, where that is @to, without the link to it). */
struct detour {
	uint32_t from, around, to;
	uint32_t way;	/* index into detour_sites */
	uint8_t length; /* sites on it; 0: there is none */
	bool risky;	/* shares a risk with what it goes around */
	bool installed;
	uint16_t mtu[DETOUR_DEPTH_MAX + 1]; /* by the depth of a stack on it; 0: not asked yet */
	struct label_stack stack;	    /* of repair SIDs, to @to's own */
};

/** At @site, what has @label on top goes to @next. */
struct crossing {
	uint32_t site, next, label;
	uint32_t target;    /* the site whose label it is */
	uint32_t option[2]; /* detours + 1: past the neighbour, to the neighbour; 0: none */
	uint32_t detour;    /* the one chosen, + 1 */
	uint32_t twin
	    [2]; /* @next is a leaf, and its other face is taken: @site, and that; the same twice: none */
	uint8_t refused; /* bit an option */
};

/** A growing array of uint32_t and a set of the places of what stands in it. */
struct pool {
	uint32_t *values;
	size_t count, room;
};

struct index_slot {
	uint32_t position; /* + 1; 0 empty */
	uint32_t hash; /* its low half: chooses the slot, and spares most looks at what is there */
};

struct index {
	struct index_slot *slots;
	size_t slot_count, used;
};

struct path_tally {
	uint32_t sites, shared;
	uint32_t example[3]; /* indexes into paths */
	uint32_t unmet;	     /* head-ends that lack it because of a constraint */
	uint32_t lacking[3]; /* some of them */
	uint32_t risky;	     /* head-ends whose path shares a risk, but no link, with the other */
	uint32_t risky_head, risky_risk; /* one of them */
};

struct compile_result {
	const struct network *network;
	const struct executor *executor; /* who does what can be divided; NULL: the caller alone */
	const struct compile_result *whole; /* of a part: whose it is; else NULL */
	bool failed;			    /* no memory */
	bool divided;			    /* several decided it */
	bool queues; /* some line of the country has something to queue or to mark for */
	enum compile_links {
		LINKS_NOW, /* all but prepared ones */
		LINKS_ALL,
		LINKS_PAST, /* neither prepared nor fresh ones */
	} links;
	struct compile_result
	    *future; /* the same network with all links; NULL: it has no prepared one */
	struct compile_result *past; /* or without the fresh ones; NULL: it has none */

	struct compile_problem *problems;
	size_t problem_count, problem_room, error_count;

	/* the graph */
	uint32_t *near_first; /* site_count + 1 */
	struct near *near;    /* by site */
	struct link_slot
	    *link_slots; /* links between sites of many neighbours, see compile_link_find() */
	size_t link_slot_count; /* a power of two, or 0 */
	uint16_t *link_mtu;	/* of a site's link0; of a face, its link1 */
	uint16_t *parallel_mtu; /* of a site's link1, that leads to faces */
	uint32_t *core_of; /* site -> node of the core graph; NETWORK_NONE: a leaf, carries only its
			      own */
	uint32_t *site_of; /* and back */
	uint32_t *edge_of; /* link -> edge of the core graph */
	struct spf_graph core;
	struct spf_work work;
	struct spf_hop **trees; /* towards a core node, made when first needed */

	/* marks of the search for a way: enum mark */
	uint8_t *link_marked, *edge_marked, *edge_banned, *node_marked;
	uint32_t *risk_first; /* risk_count + 1, into risk_links */
	uint32_t *risk_links; /* links by risk */
	struct pool memo;
	struct index memo_index;

	/* the sites of deny rules, and of policies, as bits: [rule * 2 * words ..] from, then to */
	uint64_t *deny_bits, *policy_bits;
	size_t words;
	uint32_t *
	    twins; /* by policy: one of a lower color with the same candidate paths, or NETWORK_NONE */

	/* what was decided */
	struct compile_pair *pairs;
	size_t pair_count, pair_room;
	uint32_t *head_first;	  /* site_count + 1, into pairs */
	uint32_t *endpoint_first; /* site_count + 1, into endpoint_pairs */
	uint32_t *endpoint_pairs;
	struct compile_path *paths;
	size_t path_count, path_room;
	struct pool ways, shared;
	struct path_tally *tallies; /* by tally_first[policy] + path */
	uint32_t *tally_first;
	struct installed_tail *tails; /* COMPILE_TAILS, those installed last; compile_way.c */
	struct pool stacks;
	struct accept_entry *accepts; /* some twice, until they are divided by site */
	size_t accept_count, accept_room;
	uint32_t *accept_first; /* site_count + 1 */
	struct detour *detours;
	size_t detour_count, detour_room;
	struct index detour_index;
	struct alternate *alternates; /* of one detour: compile_repair.c */
	struct pool detour_sites;
	struct crossing *crossings;
	size_t crossing_count, crossing_room;
	struct index crossing_index;
	struct label_entry *labels;
	size_t label_count, label_room;
	struct index label_index;
	uint32_t *label_first; /* site_count + 1 */
};

/** Sets of sites as bits, result->words of them. */
static inline bool compile_bits_has(const uint64_t *bits, uint32_t site)
{
	return bits[site / 64] >> site % 64 & 1;
}
static inline void compile_bits_set(uint64_t *bits, const struct site_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		bits[set->sites[i] / 64] |= UINT64_C(1) << set->sites[i] % 64;
}

static inline uint32_t sites_label(const struct compile_result *r, uint32_t site)
{
	return label_node_sid(r->network->srgb, r->network->sites[site].id);
}

static inline uint32_t sites_repair_label(const struct compile_result *r, uint32_t site)
{
	return label_repair_sid(r->network->srgb, r->network->sites[site].id);
}

/** Does @label lead to @site? A pinned way (compile_way_stack()) says its leaf by the repair SID. */
static inline bool sites_label_is(const struct compile_result *r, uint32_t site, uint32_t label)
{
	return label == sites_label(r, site) || label == sites_repair_label(r, site);
}

/** Bytes of an IP packet in the link between neighbours @a and @b. */
static inline uint16_t compile_link_room(const struct compile_result *r, uint32_t a, uint32_t b)
{
	bool parallel = a >= r->network->site_count || b >= r->network->site_count;
	const uint16_t *core = parallel ? r->parallel_mtu : r->link_mtu;
	uint16_t x = a < r->network->site_count ? core[a] : r->link_mtu[a];
	uint16_t y = b < r->network->site_count ? core[b] : r->link_mtu[b];

	return x < y ? x : y;
}

/** Does the result use @link? */
static inline bool compile_link_used(const struct compile_result *r, const struct link *link)
{
	switch (r->links) {
	case LINKS_NOW:
		return !link->prepared;
	case LINKS_ALL:
		return true;
	case LINKS_PAST:
		return !link->prepared && !link->fresh;
	}
	return true;
}

#define COMPILE_PARTS_MAX 8 /* each has trees of its own */

/** Who decides which head-ends: compile_part.c. */
struct compile_parts {
	struct compile_result *part[COMPILE_PARTS_MAX]; /* the first is the whole */
	uint32_t first[COMPILE_PARTS_MAX + 1];		/* sites */
	size_t count;
};

/* compile_part.c: several that decide at once */
/** @return 0 or -TUYEN_ENOMEM; compile_parts_clear() either way. */
int compile_parts_init(struct compile_result *r, struct compile_parts *ret);
void compile_parts_clear(struct compile_parts *parts);
/** Those of all parts. */
size_t compile_parts_errors(const struct compile_parts *parts);
/** Puts into the whole what its parts decided, and clears them. */
void compile_parts_absorb(struct compile_parts *parts);

/* compile.c */
/** What a part has of its own, as the whole has: r->tallies and r->tails, empty. @return false without memory. */
bool compile_tallies_allocate(struct compile_result *r);

/* compile_divide.c */
/** Deals out what was decided to its sites. @return 0 or -TUYEN_ENOMEM. */
int compile_divide(struct compile_result *r);

/* compile_graph.c: who is whose neighbour, and who carries others' traffic */
int compile_graph_build(struct compile_result *r);
/** Is the outer packet of this link IPv6? */
bool compile_link_is_ipv6(const struct network *n, const struct link *l);
void compile_graph_clear(struct compile_result *r);
/** Once all is decided nobody asks for them, and they are megabytes. */
void compile_trees_clear(struct compile_result *r);
/** The tree of shortest ways towards core node @node; NULL without memory. */
const struct spf_hop *compile_tree(struct compile_result *r, uint32_t node);
/** Where @site sends label of @destination; NETWORK_NONE nowhere. A neighbour is always reached
 * directly. */
uint32_t compile_label_next(struct compile_result *r, uint32_t site, uint32_t destination);

/* compile_way.c: the way of one candidate path */
/**
 * @other  the way that this one should be disjoint from, or NULL.
 * @return false when the head-end has no such path.
 */
bool compile_way_find(struct compile_result *r, const struct candidate_path *path, uint32_t head,
		      uint32_t endpoint, const struct way *other, struct way *ret_way);
/** The fewest node SIDs that keep a packet on @way; the device chooses the first hop. @return false
 * when too many. */
bool compile_way_stack(struct compile_result *r, const struct way *way,
		       struct label_stack *ret_stack);
/**
 * What @leaf, the end of a way, is over the other link to @neighbor, the site before it. That takes over when the link of the way
 * is down, unless the way is pinned.
 * @return NETWORK_NONE where there is none.
 */
uint32_t compile_twin(const struct compile_result *r, uint32_t neighbor, uint32_t leaf);
/** The same for a way that is pinned to its last link: its last label is the repair SID of the leaf, which is never sent on another. */
bool compile_way_stack_pinned(struct compile_result *r, const struct way *way,
			      struct label_stack *ret_stack);
/** Adds the label routes and the lawful stacks that @way needs. @return where the labels of @stack are kept. */
uint32_t compile_way_install(struct compile_result *r, const struct way *way,
			     const struct label_stack *stack);
/** At @site, @label leads to neighbour @next, or ends (@next = @site). */
void compile_label_add(struct compile_result *r, uint32_t site, uint32_t label, uint32_t next);
/** Keeps the labels of @stack. @return where, for compile_accept_add(). */
uint32_t compile_stack_keep(struct compile_result *r, const struct label_stack *stack);
/** @site takes from @from the stack of @depth labels that is kept at @labels. Said twice, it is as if said once. */
void compile_accept_add(struct compile_result *r, uint32_t site, uint32_t from, uint32_t labels,
			uint32_t depth);
/** The stack of @depth labels that is kept at @labels. */
static inline struct label_stack compile_stack_kept(const struct compile_result *r, uint32_t labels,
						    uint32_t depth)
{
	struct label_stack stack = {.depth = (uint8_t)depth};

	for (uint32_t i = 0; i < depth; i++)
		stack.label[i] = r->stacks.values[labels + i];
	return stack;
}
/** The stack that @entry accepts. */
static inline struct label_stack compile_accept_stack(const struct compile_result *r,
						      const struct accept_entry *entry)
{
	return compile_stack_kept(r, entry->labels, entry->depth);
}
/** The routes of @part, which are the same where both know them. */
void compile_labels_absorb(struct compile_result *r, const struct compile_result *part);
/** Makes room for @count of @size in an array that is empty, if there is memory: it will not grow often. */
void compile_reserve(void *array, size_t *room, size_t count, size_t size);
/** Accepts and routes besides what @other, the same network with other links, does; what there is stays. */
void compile_way_adopt(struct compile_result *r, const struct compile_result *other);
void compile_way_reverse(const struct way *way, struct way *ret_way);

/* compile_repair.c: what each site does when an adjacency fails */
/** After all paths, before they are put together. Changes the MTU and the timers of paths that have repairs. */
int compile_repairs_build(struct compile_parts *parts);
void compile_repairs_clear(struct compile_result *r);

/* compile_classes.c */
enum compile_share { COMPILE_SHARE_NONE, COMPILE_SHARE_SOME, COMPILE_SHARE_ALL };
/** What of the packets of class @b that go into the LANs of @site are of class @a too. @return 0 or -TUYEN_ENOMEM. */
int compile_class_share(const struct network *n, uint32_t a, uint32_t b, uint32_t site,
			enum compile_share *ret_share);

/* compile_array.c */
void *compile_grow_more(struct compile_result *r, void *array, size_t *count, size_t *room,
			size_t size);
/** Makes room for one more at the end of the array whose pointer lies at @array. @return it,
 * zeroed; NULL: failed. */
static inline void *compile_grow(struct compile_result *r, void *array, size_t *count, size_t *room,
				 size_t size)
{
	char *bytes;

	if (*count == *room)
		return compile_grow_more(r, array, count, room, size);
	memcpy(&bytes, array, sizeof(bytes));
	bytes += (*count)++ * size;
	return memset(bytes, 0, size);
}
/** Puts @count of @size at the end of the array. */
bool compile_append(struct compile_result *r, void *array, size_t *array_count, size_t *room,
		    size_t size, const void *from, size_t count);
static inline bool pool_add(struct compile_result *r, struct pool *pool, uint32_t value)
{
	uint32_t *p = compile_grow(r, &pool->values, &pool->count, &pool->room, sizeof(*p));

	if (p)
		*p = value;
	return p;
}
static inline uint64_t compile_hash(const uint32_t *words, size_t count)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	return h ^ h >> 29; /* the low bits choose the slot */
}
/** Walks the positions that may have @hash; *@step starts at 0. @return NETWORK_NONE when there is
 * no more. */
static inline uint32_t index_next(const struct index *index, uint64_t hash, size_t *step)
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
/** It is about to hold @count: growing from nothing would look at all of them time and again. */
bool index_reserve(struct compile_result *r, struct index *index, size_t count);
/** It will be asked for @hash soon. */
static inline void index_fetch(const struct index *index, uint64_t hash)
{
	if (index->slot_count)
		__builtin_prefetch(&index->slots[hash & (index->slot_count - 1)]);
}
/** Keeps @position under @hash. */
bool index_put(struct compile_result *r, struct index *index, uint32_t position, uint64_t hash);

#endif
