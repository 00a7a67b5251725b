/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_DRIFT_H
#define TUYEN_CORE_DRIFT_H

#include <stdbool.h>
#include <stddef.h>

#include "tuyen/base/text.h"

/**
 * What was changed by somebody else and is not repaired yet. A plan may take several turns: an operation that failed is planned
 * again, and is neither another drift, nor one at all if it is of our own making. So drift is told twice at most: when it could not
 * be repaired, and when it is. Lines are operations as kernel_plan_print() (plan.h) has them. Pure.
 */
struct drift {
	struct text open; /* drift that no turn has repaired in full yet, a line each */
	struct text ours; /* operations that followed from our own facts, while turns fail */
	size_t told;	  /* bytes of .open that were told as not repaired */
};

/** Zeroed is empty, too. */
void drift_clear(struct drift *d);

/** A plan that is applied. @plan  its lines but for remarks ("#"); what is known already is not taken twice. @is_ours  none of it is drift. */
void drift_plan(struct drift *d, const char *plan, bool is_ours);

/**
 * Then, or after a turn that had nothing to do. What is to be said is added to @ret_what, its lines joined by "; ".
 * @failed    applying it was, in part or in full: what was not told yet has to be told as not repaired
 * @return how many operations @ret_what has: repaired ones, unless @failed
 */
size_t drift_settle(struct drift *d, bool failed, struct text *ret_what);

#endif
