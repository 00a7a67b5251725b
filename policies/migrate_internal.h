/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MIGRATE_INTERNAL_H
#define TUYEN_POLICIES_MIGRATE_INTERNAL_H

#include "tuyen/policies/migrate.h"

/** What the proof's files share; nobody else includes this. A node is named by its id, a release by 0 (old) or 1 (new). */

#define MIX_HOPS_MAX   255 /* the TTL of a labelled packet */
#define MIX_POINTS_MAX 4096
#define MIX_ENDS_MAX   8
#define MIX_NODES_MAX  32
#define MIX_PINS_MAX   16

enum { MIX_OLD = 1, MIX_NEW = 2, MIX_BOTH = MIX_OLD | MIX_NEW };

/** Both releases, to be asked quickly. */
struct mix {
	struct diff_side side[2];
	uint32_t *by_id[2];		    /* SITE_ID_MAX + 1: index + 1 */
	uint8_t (*link_key[2])[WG_KEY_LEN]; /* by id: what its neighbours say */
	bool *has_key[2];
};

/** NULL: that release has no such site. */
const struct forwarding *mix_site(const struct mix *m, int release, uint32_t id);
/** Its name, in whichever release has it. */
const char *mix_name(const struct mix *m, uint32_t id);
int mix_init(struct mix *m, struct diff_side before, struct diff_side after);
void mix_clear(struct mix *m);

/** Nodes of which is known which release they have; all others may have either, at each step anew. */
struct pins {
	uint32_t id[MIX_PINS_MAX];
	uint8_t releases[MIX_PINS_MAX]; /* MIX_OLD or MIX_NEW */
	size_t count;
};

/** What becomes of a stack while nodes change: one packet for each thing that can happen. */
struct mix_walk {
	bool lost;		     /* some packet is, see @site and @why */
	bool whole;		     /* no packet was left out: else @lost is set */
	uint32_t ends[MIX_ENDS_MAX]; /* where packets end, each once */
	size_t end_count;
	uint32_t
	    capacity; /* bytes of IP packet that fit under the labels, on every way that ends */
	uint32_t nodes[MIX_NODES_MAX]; /* passed or reached, each once, the first of them */
	size_t node_count;
	size_t steps;
	uint32_t site; /* where the first was lost */
	char why[256];
};

/** Site @from, which has one of @releases, sends @stack to its neighbour @next. */
void mix_send(const struct mix *m, uint32_t from, uint8_t releases, uint32_t next,
	      const struct label_stack *stack, const struct pins *pins, struct mix_walk *ret);
/** @at, with @release, has taken @stack already. */
void mix_arrive(const struct mix *m, uint32_t at, int release, const struct label_stack *stack,
		const struct pins *pins, struct mix_walk *ret);
/** All packets end at @site. */
bool mix_walk_reaches(const struct mix_walk *w, uint32_t site);
/** Some packet does. */
bool mix_walk_touches(const struct mix_walk *w, uint32_t site);

/* migrate_flow.c */
/** Is there a packet for both rules? Their colors and directions do not matter. */
bool mix_rules_meet(const struct fwd_rule *a, const struct fwd_rule *b);
/** The packets of both, which meet; the rest as in @a. */
struct fwd_rule mix_rules_common(const struct fwd_rule *a, const struct fwd_rule *b);
/** Does one rule of that color and direction have all of @packets? */
bool mix_rules_hold(const struct forwarding *f, uint32_t color, bool outbound,
		    const struct fwd_rule *packets);
/** Packets of a connection that is lost where its ends have these releases. */
struct mix_loss {
	const char *class_name; /* of the old release; borrowed */
	int from_release, to_release;
	uint32_t color; /* by which they are sent then */
};
/**
 * Of what @from may open to @to by @color in the old release, and to LANs that stay, is something lost with the new one, or with a mixture?
 * Not asked are connections that diff.h says are lost. @meant: nor what the new release by itself forbids.
 */
bool mix_openings_lost(const struct mix *m, uint32_t from, uint32_t to, uint32_t color, bool meant,
		       struct mix_loss *ret);

#endif
