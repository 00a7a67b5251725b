/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_WORKERS_H
#define DAEMON_CLI_WORKERS_H

#include "tuyen/base/err.h"
#include "tuyen/base/executor.h"

/**
 * The threads of `compile` and `audit`. The layers below are pure and know of none: they have functions over single
 * sites, which read what is decided and write what is theirs, and executors.
 */

#define WORKERS_MAX 256

/** The processors that this process may run on: 1..WORKERS_MAX. */
unsigned int workers_default(void);
/** The argument of -j of `tuyen @command`. @return 0, or -TUYEN_EINVAL, said on standard error. */
int workers_option(const char *command, const char *argument, unsigned int *ret_workers);

/**
 * An executor's run: the caller is worker 0, and there are up to @workers - 1 threads more; fewer where the system
 * gives none. Items are begun in their order.
 */
int workers_run(unsigned int workers, size_t count, executor_step *step, void *context);

/** @workers  0 is 1. */
static inline struct executor workers_executor(unsigned int workers)
{
	return (struct executor){workers ? workers : 1, workers_run};
}

#endif
