/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/workers.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
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

/* Many things of a kind, and who is at them. */
struct crew {
	executor_step *step;
	void *context;
	size_t count;
	atomic_size_t next; /* item; beyond @count after an error */
	pthread_mutex_t lock;
	size_t failed; /* the lowest item that did */
	int err;
};

/*
 * A command has a dozen things to do at once, each for some milliseconds: its threads are made once, and wait in between.
 */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t begun, ended;
	pthread_t threads[WORKERS_MAX];
	unsigned int started;
	struct crew *crew;	   /* NULL: nothing to do */
	unsigned int wanted, busy; /* workers of the crew beside the caller: not come yet; at it */
	unsigned int next;	   /* number of the one that comes next */
	bool ends;
};

static struct pool pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
			   .begun = PTHREAD_COND_INITIALIZER,
			   .ended = PTHREAD_COND_INITIALIZER};

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

static void crew_work(struct crew *crew, unsigned int number)
{
	size_t item;

	while ((item = atomic_fetch_add(&crew->next, 1)) < crew->count) {
		int err = crew->step(crew->context, number, item);

		if (err)
			crew_fail(crew, item, err);
	}
}

static void *thread_run(void *context)
{
	struct pool *p = context;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct crew *crew;
		unsigned int number;

		while (!p->wanted && !p->ends)
			pthread_cond_wait(&p->begun, &p->lock);
		if (p->ends)
			break;
		p->wanted--;
		p->busy++;
		crew = p->crew;
		number = p->next++;
		pthread_mutex_unlock(&p->lock);
		crew_work(crew, number);
		pthread_mutex_lock(&p->lock);
		if (!--p->busy)
			pthread_cond_signal(&p->ended);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void pool_end(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.ends = true;
	pthread_cond_broadcast(&pool.begun);
	pthread_mutex_unlock(&pool.lock);
	for (unsigned int i = 0; i < pool.started; i++)
		pthread_join(pool.threads[i], NULL);
	pool.started = 0;
}

/* With the lock held. A signal is the first thread's, which may hold it back: the others take none. */
static void pool_grow(unsigned int most)
{
	static bool registered;
	sigset_t all, before;

	if (most && !registered)
		registered = !atexit(pool_end);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool.started < most &&
	       !pthread_create(&pool.threads[pool.started], NULL, thread_run, &pool))
		pool.started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* @return whether others help: not those who are helping already. */
static bool pool_begin(struct crew *crew, unsigned int most)
{
	bool begun;

	pthread_mutex_lock(&pool.lock);
	begun = !pool.crew && !pool.ends && most;
	if (begun) {
		pool_grow(most);
		pool.crew = crew;
		pool.next = 1;
		pool.wanted = most < pool.started ? most : pool.started;
		pthread_cond_broadcast(&pool.begun);
	}
	pthread_mutex_unlock(&pool.lock);
	return begun;
}

/* Nothing is left to be begun: who has not come need not. */
static void pool_finish(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.wanted = 0;
	while (pool.busy)
		pthread_cond_wait(&pool.ended, &pool.lock);
	pool.crew = NULL;
	pthread_mutex_unlock(&pool.lock);
}

int workers_run(unsigned int workers, size_t count, executor_step *step, void *context)
{
	struct crew crew = {.step = step, .context = context, .count = count};
	unsigned int most = workers < WORKERS_MAX ? workers : WORKERS_MAX;
	bool begun;

	if (count < most)
		most = (unsigned int)count;
	pthread_mutex_init(&crew.lock, NULL);
	begun = pool_begin(&crew, most ? most - 1 : 0);
	crew_work(&crew, 0);
	if (begun)
		pool_finish();
	pthread_mutex_destroy(&crew.lock);
	return crew.err;
}
