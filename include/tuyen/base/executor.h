/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_EXECUTOR_H
#define TUYEN_BASE_EXECUTOR_H

#include <stddef.h>

/**
 * Who does many things of a kind. Pure code knows of no thread: where its work divides, it hands the parts to whom its
 * caller gave it, and each part writes at a place of its own, so that nothing depends on who did it, or when.
 */

/** Does item @item. @worker  from 0; no two run at once under one number. @return 0 or a negative error. */
typedef int executor_step(void *context, unsigned int worker, size_t item);

struct executor {
	unsigned int workers; /* at least 1 */
	/**
	 * Does items 0..@count - 1, each once, perhaps several at once. After an error no further item is begun.
	 * @return 0, or the error of the lowest item that failed.
	 */
	int (*run)(unsigned int workers, size_t count, executor_step *step, void *context);
};

/** @e NULL: one after the other. */
static inline int executor_run(const struct executor *e, size_t count, executor_step *step,
			       void *context)
{
	int err = 0;

	if (e)
		return e->run(e->workers, count, step, context);
	for (size_t i = 0; i < count && !err; i++)
		err = step(context, 0, i);
	return err;
}

#endif
