/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_ENGINE_H
#define TUYEN_SERVICE_ENGINE_H

#include <stdint.h>

#include "tuyen/base/monotime.h"
#include "tuyen/base/text.h"
#include "tuyen/core/uplink.h"

/**
 * The kernel process: verified bundle and liveness in, kernel state out. Facts mark it dirty; one turn
 * chooses paths, builds desired state, reads actual state, plans, applies, publishes a snapshot.
 */
struct engine_options {
	uint32_t site_id;
	const char *state_dir; /* opened before privileges were dropped, or readable without */
	struct node_uplinks
	    uplinks; /* which device each line is; none: the box's routes alone decide */
	int pair_fd; /* to the wire process; borrowed */
	struct monotime
	    last_end; /* of the life before this one, under the same supervisor; 0: there was none */
	int supervisor_fd; /* one byte ENGINE_READY after the first turn, ENGINE_ALIVE each second; -1 none */
};

#define ENGINE_READY 'R'
#define ENGINE_ALIVE '.'

/** Runs until SIGTERM; the kernel's state stays as it is. @return an exit code. */
int engine_run(const struct engine_options *options);

/** Verifies the release in force and prints what would be done now; changes nothing. @return an exit code. */
int engine_plan(const struct engine_options *options, struct text *ret_text);
/** Takes everything of ours out of the kernel. @return an exit code. */
int engine_remove(const struct engine_options *options, struct text *ret_text);
/** The self-check, a finding a line with its remedy. @return CLI-like: 0 all well, 1 something fatal found, 2. */
int engine_check(struct text *ret_text);

#endif
