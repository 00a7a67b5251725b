/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For programs that wait out the last part of a millisecond by polling without a timeout (FRR does), which never ends on
 * a clock that stands still while anybody computes. Preloaded, the 20th such poll in a row that finds nothing sleeps 50 us.
 */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

enum { POLLS_IN_A_ROW = 20, SLEEP_NS = 50000 };

static _Thread_local unsigned int in_a_row;

static int judged(int found, int at_once)
{
	const struct timespec pause = {0, SLEEP_NS};

	in_a_row = found == 0 && at_once ? in_a_row + 1 : 0;
	if (in_a_row < POLLS_IN_A_ROW)
		return found;
	nanosleep(&pause, NULL);
	return found;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "ppoll");
	return judged(real(fds, count, timeout, mask),
		      timeout && !timeout->tv_sec && !timeout->tv_nsec);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	static int (*real)(struct pollfd *, nfds_t, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "poll");
	return judged(real(fds, count, timeout), timeout == 0);
}
