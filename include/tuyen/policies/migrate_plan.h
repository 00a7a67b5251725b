/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MIGRATE_PLAN_H
#define TUYEN_POLICIES_MIGRATE_PLAN_H

#include "tuyen/base/text.h"
#include "tuyen/policies/syntax.h"
#include "tuyen/topology/network.h"

/**
 * A staged way from one country to another, written as sources, make before break:
 *
 *  join   all sites of both, and all links: those between old sites that are new are `prepared`, so that nothing is sent
 *         over them, and what they will need is accepted. Policies are the old ones.
 *  make   the new links are used, and are `fresh`: what was accepted without them still is. A site that will get another parent has it as its backup, and a path to it beside its old
 *         one.
 *  move   these sites change: the new parent is the parent, the old one the backup. Both paths are there all the time.
 *  leave  only where asked for, migrate_plan_care(): links to old parents are prepared, so that nothing is sent over them
 *         and what came over them is still accepted.
 *  break  the new country alone: new policies, tiers, names; old links and sites are gone.
 *
 * A site that both have keeps what others know of it: id (so label, link and path addresses), keys, networks and carrier
 * addresses are the old country's; a new site whose id or network is in use gets another. Whether a stage holds is for
 * migrate.h to prove. Pure and deterministic.
 */

enum migrate_same {
	MIGRATE_SAME_KEYS_OR_NAME, /* the same link key; without keys on either side the same name */
	MIGRATE_SAME_KEYS,
	MIGRATE_SAME_NAME,
	MIGRATE_SAME_ID,
};

struct migrate_country {
	const struct network *network;
	const struct syntax_file *const *files;
	size_t file_count;
};

enum migrate_stage {
	MIGRATE_JOIN,
	MIGRATE_MAKE,
	MIGRATE_MOVE,
	MIGRATE_LEAVE,
	MIGRATE_END,
	MIGRATE_STAGES,
};

/** "make"; static storage. */
const char *migrate_stage_name(enum migrate_stage stage);

struct migrate_plan_counts {
	size_t sites_kept, sites_gained, sites_lost;
	size_t moving; /* kept sites that get another parent */
	size_t renamed;
	size_t other_id, other_keys, other_lan,
	    other_carrier; /* kept, and the new sources say otherwise: the old stays */
	size_t new_id,
	    new_lan; /* gained, and what the new sources say is in use: another is given */
};

struct migrate_plan;

/**
 * @old, @new  checked sources, borrowed until migrate_plan_free().
 * @return 0; -TUYEN_EINVAL or -TUYEN_ELIMIT with @reason; -TUYEN_ENOMEM.
 */
int migrate_plan_new(const struct migrate_country *old, const struct migrate_country *new_country,
		     enum migrate_same same, struct migrate_plan **ret, struct reason *reason);
void migrate_plan_free(struct migrate_plan *plan); /* takes NULL */
struct migrate_plan_counts migrate_plan_counts(const struct migrate_plan *plan);

/**
 * How carefully sites move. With any care there is the stage leave, for moves after which a label leads another way at a
 * node that both ways pass: below one grandparent, say. Metrics then keep the way by the old parent the shortest until its
 * link is out of use; that link is fresh while sites move, and prepared in the stage leave. So labels change in that stage
 * alone, in which all nodes accept, as they did in the one before, what either way brings.
 */
enum migrate_care {
	MIGRATE_CARE_NONE,
	MIGRATE_CARE_FARTHER, /* the new link is a little farther than it is in the end */
	MIGRATE_CARE_NEARER,  /* the old link is a little nearer than it was */
	MIGRATE_CARES,
};

/** Of all stages written from now on; a new plan has none. */
void migrate_plan_care(struct migrate_plan *plan, enum migrate_care care);
/** Is the stage among the plan's? */
bool migrate_plan_has(const struct migrate_plan *plan, enum migrate_stage stage);
/** Its number, from 1; of MIGRATE_END, how many there are. */
int migrate_plan_number(const struct migrate_plan *plan, enum migrate_stage stage);

/**
 * The sources of one stage, canonical, into two empty texts. Together they are a whole country.
 * @return 0; -TUYEN_EINVAL with @reason when the stage is not lawful; -TUYEN_ENOMEM.
 */
int migrate_plan_stage(const struct migrate_plan *plan, enum migrate_stage stage,
		       struct text *ret_topology, struct text *ret_policy, struct reason *reason);

#endif
