/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_SUPERVISOR_H
#define TUYEN_SERVICE_SUPERVISOR_H

#include "tuyen/service/engine.h"
#include "tuyen/service/sandbox.h"

/**
 * Starts the kernel process and the wire process, each in its sandbox, and starts either again
 * when it dies or falls silent: at once, and later while it keeps dying (service/restart.h). It reads nothing
 * from outside; it holds the control socket, the lock and both ends of the pair, so that one process
 * comes back without the other noticing more than a HELLO.
 */
struct supervisor_options {
	struct engine_options engine; /* fds are filled in */
	const char *run_dir; /* control socket "control", "lock", the wire process's root "empty" */
	struct sandbox_identity kernel, wire;
	gid_t control_group; /* may open the control socket */
};

#define SUPERVISOR_SILENCE_S 15 /* a process that says nothing for so long is started again */

/** Runs until SIGTERM or SIGINT; SIGHUP is passed on as "look at incoming". @return an exit code. */
int supervisor_run(const struct supervisor_options *options);

#endif
