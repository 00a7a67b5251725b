/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

unsigned int workers_default(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (unsigned int)count;
}

int workers_option(const char *command, const char *argument, unsigned int *ret_workers)
{
	bool number = *argument >= '0' && *argument <= '9';
	char *end = NULL;
	unsigned long n = number ? strtoul(argument, &end, 10) : 0;

	if (!n || *end || n > WORKERS_MAX) {
		fprintf(stderr, "tuyen %s: -j %s: a number of processors, 1 to %d\n", command,
			argument, WORKERS_MAX);
		return -TUYEN_EINVAL;
	}
	*ret_workers = (unsigned int)n;
	return 0;
}

struct crew {
	executor_step *step;
	void *context;
	size_t count;
	atomic_size_t next; /* item; beyond @count after an error */
	pthread_mutex_t lock;
	size_t failed; /* the lowest item that did */
	int err;
};

struct worker {
	struct crew *crew;
	unsigned int number;
	pthread_t thread;
};

static void crew_fail(struct crew *crew, size_t item, int err)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->err || item < crew->failed) {
		crew->err = err;
		crew->failed = item;
	}
	pthread_mutex_unlock(&crew->lock);
	atomic_store(&crew->next, crew->count);
}

static void *worker_run(void *context)
{
	const struct worker *w = context;
	struct crew *crew = w->crew;
	size_t item;

	while ((item = atomic_fetch_add(&crew->next, 1)) < crew->count) {
		int err = crew->step(crew->context, w->number, item);

		if (err)
			crew_fail(crew, item, err);
	}
	return NULL;
}

/* @return how many threads there are. */
static unsigned int threads_start(struct crew *crew, struct worker *others, unsigned int most)
{
	unsigned int started = 0;

	while (started < most) {
		struct worker *w = &others[started];

		*w = (struct worker){.crew = crew, .number = started + 1};
		if (pthread_create(&w->thread, NULL, worker_run, w) != 0)
			break;
		started++;
	}
	return started;
}

int workers_run(unsigned int workers, size_t count, executor_step *step, void *context)
{
	struct crew crew = {.step = step, .context = context, .count = count};
	struct worker self = {.crew = &crew}, others[WORKERS_MAX];
	unsigned int started, most = workers < WORKERS_MAX ? workers : WORKERS_MAX;

	if (count < most)
		most = (unsigned int)count;
	pthread_mutex_init(&crew.lock, NULL);
	started = threads_start(&crew, others, most > 1 ? most - 1 : 0);
	worker_run(&self);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(others[i].thread, NULL);
	pthread_mutex_destroy(&crew.lock);
	return crew.err;
}
