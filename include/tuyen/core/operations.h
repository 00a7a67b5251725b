/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_OPERATIONS_H
#define TUYEN_CORE_OPERATIONS_H

#include "tuyen/base/err.h"
#include "tuyen/topology/forwarding.h"

/**
 * How many operations a node's kernel will need from one bundle to the next: the plan between both desired states, with
 * all paths up and each pair on its most preferred one. The node's keys stay as they are.
 * @before  NULL: a new node, its kernel empty.
 * @return 0, or with @reason a negative error of desired_build() or kernel_plan_build().
 */
int operations_count(const struct forwarding *before, const struct forwarding *after,
		     size_t *ret_count, struct reason *reason);

#endif
