/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_COMPILE_H
#define TUYEN_POLICIES_COMPILE_H

#include "tuyen/base/arena.h"
#include "tuyen/base/err.h"
#include "tuyen/base/executor.h"
#include "tuyen/topology/forwarding.h"
#include "tuyen/topology/network.h"

/**
 * From a network to what each of its sites must know. Pure and deterministic: the same
 * network gives the same bytes, whatever the order of its links.
 *
 * compile_network() decides everything once and keeps it compactly; compile_site() then writes out one
 * site's forwarding state at a time, so that a country's bundles never lie in memory together.
 */

#define COMPILE_WAY_MAX	    64 /* sites on one way, both ends included */
#define COMPILE_CLASSES_MAX 64 /* that one policy carries */

/** Name of the warning that a path cannot be as disjoint as it should. */
#define COMPILE_WARNING_SHARED "shared-links"
/** That a path cannot keep away from the shared risks of one it should be disjoint from. */
#define COMPILE_WARNING_RISKS "shared-risks"
/** That some head-ends lack a path, because no way of theirs fulfils its constraints. */
#define COMPILE_WARNING_UNMET "unmet-constraint"

/** Something that a person must hear. */
struct compile_problem {
	bool error;	  /* else a warning */
	const char *name; /* of a warning; static storage; NULL on errors */
	struct source_place place;
	char *text;
};

/** One candidate path of one head-end. */
struct compile_path {
	uint32_t pair;	    /* index into pairs */
	uint32_t path;	    /* index into the policy's paths */
	uint8_t index;	    /* path address */
	uint8_t way_length; /* sites on the way */
	uint8_t shared_count;
	uint32_t
	    way; /* index into ways: the head-end first, the endpoint last; either may be there as its face */
	uint32_t
	    shared; /* index into shared: links it has in common with what it should be disjoint from */
	uint32_t stack, back; /* where their labels are: compile_path_stack() */
	uint8_t stack_depth, back_depth;
	uint16_t mtu;	       /* outer IP packet, both ways, bytes; on a detour too */
	uint16_t session_mtu;  /* inner IP packet, bytes */
	uint16_t repaired_mtu; /* on its narrowest detour; UINT16_MAX: it has none */
	bool pinned
	    [2]; /* there, back: its last link's twin, a parallel link, does not take over for it */
	bool repaired; /* some link of it is: its probes wait for that, ... */
	uint8_t doubt; /* ... and after so many that are lost it is in doubt; 0: it does not wait */
	uint64_t repaired_after_us;  /* a link of it is repaired after so long at most */
	struct probe_timers slowest; /* of its links */
	struct probe_timers
	    probe; /* its own: that, or what its policy says if that is slower; and the wait for repairs */
};

/** A session of one policy: @head decides which way it takes. Sorted by head, color, endpoint's id. */
struct compile_pair {
	uint32_t head, endpoint; /* sites */
	uint32_t policy;
	uint8_t
	    rank; /* of the endpoint among those of this head-end that share its LAN: 0 the nearest */
	uint32_t path; /* its first in paths */
	uint32_t path_count;
	uint64_t opens; /* bit i: the head-end may open connections of the policy's classes[i] */
	uint64_t opens_back; /* the endpoint may */
};

struct compile_result;

enum compile_flag {
	COMPILE_NEED_KEYS = 1, /* a site without public keys is an error */
};

/**
 * @network  borrowed until compile_free().
 * @ret_result  always set unless memory ran out (then NULL); check compile_errors() before
 *              asking for sites. The caller's, released with compile_free().
 * @return 0, -TUYEN_EINVAL when there are errors, -TUYEN_ENOMEM.
 */
int compile_network(const struct network *network, unsigned flags,
		    struct compile_result **ret_result);
/** The same by several at once, of whom the result shows no trace. @executor  NULL: by the caller alone; borrowed. */
int compile_network_with(const struct network *network, unsigned flags,
			 const struct executor *executor, struct compile_result **ret_result);
/** Takes NULL. */
void compile_free(struct compile_result *result);

/**
 * Checks every `expect` of the network and adds an error for each that is broken, with the sites that break it.
 * @return 0, -TUYEN_EINVAL when one is broken, -TUYEN_ENOMEM.
 */
int compile_expect(struct compile_result *result);

/** What was found, in the order found. */
size_t compile_problem_count(const struct compile_result *result);
const struct compile_problem *compile_problem(const struct compile_result *result, size_t index);
size_t compile_errors(const struct compile_result *result);
/** Adds one. Without memory the problem still counts, without its text. */
void compile_report(struct compile_result *result, bool error, const char *name,
		    struct source_place place, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** For `explain` and `expect`; all borrowed. */
const struct network *compile_source(const struct compile_result *result);
size_t compile_pair_count(const struct compile_result *result);
const struct compile_pair *compile_pair(const struct compile_result *result, size_t index);
/** The pairs of which @site is the head-end lie side by side. @return the first's index. */
size_t compile_pairs_of_head(const struct compile_result *result, uint32_t site, size_t *ret_count);
size_t compile_path_count(const struct compile_result *result);
const struct compile_path *compile_path(const struct compile_result *result, size_t index);
/** way_length sites. */
const uint32_t *compile_path_way(const struct compile_result *result,
				 const struct compile_path *path);
/** What the head-end pushes; or the endpoint, for exactly the way @back. */
struct label_stack compile_path_stack(const struct compile_result *result,
				      const struct compile_path *path, bool back);
/** shared_count links. */
const uint32_t *compile_path_shared(const struct compile_result *result,
				    const struct compile_path *path);
/** How a site's traffic goes when the adjacency that it uses is down. */
struct compile_repair {
	const uint32_t *
	    way; /* way_length sites: from the site itself to where the old way goes on; borrowed */
	uint32_t way_length;
	struct label_stack stack; /* as it is sent to the first neighbour on it */
};
/** @stack  as the site sends it to @next otherwise. @return false when there is no repair. */
bool compile_repair_find(const struct compile_result *result, uint32_t site, uint32_t next,
			 const struct label_stack *stack, struct compile_repair *ret_repair);
/** The link between two neighbours, NETWORK_NONE if there is none. */
uint32_t compile_link_find(const struct compile_result *result, uint32_t site_a, uint32_t site_b);
size_t compile_label_count(const struct compile_result *result);
/** Is there a packet that belongs to both classes? */
bool compile_classes_overlap(const struct network *network, uint32_t a, uint32_t b);
/** Does any packet of the class go to a LAN of @site? NETWORK_NONE: any packet at all. */
bool compile_class_enters(const struct network *network, uint32_t class_index, uint32_t site);
/** May @from open connections of class @class_index to @to, as far as deny rules go? The rule that forbids it, or NETWORK_NONE. */
uint32_t compile_denied_by(const struct compile_result *result, uint32_t from, uint32_t to,
			   uint32_t class_index);
/** Is @site among @set? @set is sorted. */
bool compile_set_has(const struct site_set *set, uint32_t site);

/**
 * Site @site's forwarding state, sorted. @ret_forwarding is initialised here and is the
 * caller's, cleared with forwarding_clear(). Only of a result without errors.
 * @return 0 or -TUYEN_ENOMEM.
 */
int compile_site(const struct compile_result *result, uint32_t site,
		 struct forwarding *ret_forwarding);
/** The same; its arrays are @arena's, and it is not cleared. For one site after the other. */
int compile_site_in(const struct compile_result *result, uint32_t site, struct arena *arena,
		    struct forwarding *ret_forwarding);
/** The same without labels, paths and returns: for who has their text, forwarding_encode_ways(), already. */
int compile_site_without_ways(const struct compile_result *result, uint32_t site,
			      struct arena *arena, struct forwarding *ret_forwarding);

#endif
