/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MIGRATE_REPORT_H
#define TUYEN_POLICIES_MIGRATE_REPORT_H

#include "tuyen/policies/migrate.h"
#include "tuyen/policies/migrate_plan.h"

/** What `tuyen migrate` prints, put together stage by stage: a stage's states need not be kept. */

/** What is known of one stage besides its proof. */
struct migrate_facts {
	const char *name;		  /* "make"; "" for a change at once */
	const char *topology, *policy;	  /* files; NULL */
	size_t sites, links;		  /* of the new state */
	size_t nodes_changed, operations; /* of sites that both have, and of new ones */
	size_t audit_findings;
	const char *audit_first; /* NULL */
};

struct migrate_report {
	size_t findings_max; /* shown a kind and stage; 0: all that were kept */
	struct text table, details, json;
	size_t stages, refused;
};

/** @return whether the stage holds. */
bool migrate_report_stage(struct migrate_report *report, const struct migrate_facts *facts,
			  const struct migrate_proof *proof);
/** @counts NULL: no plan was made. */
void migrate_report_text(const struct migrate_report *report,
			 const struct migrate_plan_counts *counts, struct text *ret_text);
void migrate_report_json(const struct migrate_report *report,
			 const struct migrate_plan_counts *counts, struct text *ret_text);
void migrate_report_clear(struct migrate_report *report);

#endif
