/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MIGRATE_PLAN_INTERNAL_H
#define TUYEN_POLICIES_MIGRATE_PLAN_INTERNAL_H

#include "tuyen/policies/migrate_plan.h"

/** What the planner's files share; nobody else includes this. */

/** A site of either country. References are into the plan's sites. */
struct plan_site {
	uint32_t old, new; /* indexes of the networks; NETWORK_NONE */
	uint32_t id;
	char *name;		       /* while the old names hold */
	uint32_t parent[2], backup[2]; /* in the old country, in the new */
	struct ipv4_prefix *lans;
	ipv4_t *lan_own; /* by LAN: 0, or where it stands in one that it shares */
	size_t lan_count;
	bool moving;
};

struct migrate_plan {
	struct migrate_country country[2];
	struct plan_site *sites; /* the old country's in their order, then the new ones */
	size_t count;
	uint32_t *site_of[2];	       /* network's index -> plan's */
	char tag[NAME_MAX_BYTES + 1];  /* of the moving sites */
	char path[NAME_MAX_BYTES + 1]; /* their path to the new parent */
	struct migrate_plan_counts counts;
	enum migrate_care care;
};

static inline const struct network *plan_network(const struct migrate_plan *p, int side)
{
	return p->country[side].network;
}

/** Do sites have paths to both their parents? */
static inline bool plan_stage_moves(enum migrate_stage stage)
{
	return stage == MIGRATE_MAKE || stage == MIGRATE_MOVE || stage == MIGRATE_LEAVE;
}

/** Is it there in a stage? */
static inline bool plan_site_stands(const struct plan_site *s, enum migrate_stage stage)
{
	return stage != MIGRATE_END || s->new != NETWORK_NONE;
}

/** Its name in a stage. */
static inline const char *plan_site_name(const struct migrate_plan *p, const struct plan_site *s,
					 enum migrate_stage stage)
{
	return stage == MIGRATE_END ? plan_network(p, 1)->sites[s->new].name : s->name;
}

/* migrate_topology.c */
/** Everything but links that no parent or backup implies. */
void plan_topology(const struct migrate_plan *p, enum migrate_stage stage, struct text *ret_text);
/** The links that @made, what plan_topology() gives, lacks or has otherwise. */
int plan_links(const struct migrate_plan *p, enum migrate_stage stage, const struct network *made,
	       struct text *ret_text);
/* migrate_policy.c */
int plan_policy(const struct migrate_plan *p, enum migrate_stage stage, struct text *ret_text);

#endif
