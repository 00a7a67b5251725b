/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_DESIRED_INTERNAL_H
#define TUYEN_CORE_DESIRED_INTERNAL_H

#include "tuyen/core/desired.h"

/** What the files desired*.c share; nobody else includes this. */

/** The code point of probes on an adjacency's header: CS6, RFC 2474 section 4.2.2. */
#define DESIRED_DSCP_PROBES 48

/** Adds the queues of link0, none where no line has a rate. @return 0 or -TUYEN_ENOMEM. */
int desired_queues(struct kernel_state *state, const struct forwarding *forwarding);

#endif
