/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_SANDBOX_H
#define TUYEN_SERVICE_SANDBOX_H

#include <sys/types.h>

#include "tuyen/base/err.h"

/** Each gives up for good what its process does not need; to be called in the child, before its loop. */

struct sandbox_identity {
	uid_t uid;
	gid_t gid;
};

/**
 * CAP_NET_ADMIN and nothing else, an empty bounding set, no new privileges, no core dump; seccomp: no socket but
 * netlink, no new program, no tracing of others.
 */
int sandbox_kernel(struct sandbox_identity who, struct reason *reason);

/**
 * No capability, @root_fd (an empty folder, closed here) as its root, no new privileges, no core dump; seccomp: what
 * sockets, timers and memory need; it can open no file, start no program, signal nobody.
 */
int sandbox_wire(struct sandbox_identity who, int root_fd, struct reason *reason);

#endif
