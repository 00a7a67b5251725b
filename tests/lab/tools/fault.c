/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what shall fail in a process that was started with fault_preload.so and FAULT_FILE=FILE.
 *
 *	fault FILE new
 *	fault FILE arm POINT kill|break|lose|slow|ERRNO [SKIP [COUNT [PID]]]	 POINT and words: fault.h; ERRNO: ENOBUFS, EBUSY, ...
 *	fault FILE boottime SECONDS		all that have the block, from now on
 *	fault FILE off				prints how often it was met, and how many passed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

static const struct {
	const char *name;
	int32_t what;
} effects[] = {
    {"kill", FAULT_KILL}, {"break", FAULT_BREAK}, {"lose", FAULT_LOSE},	      {"slow", FAULT_SLOW},
    {"ENOBUFS", ENOBUFS}, {"ENOMEM", ENOMEM},	  {"EBUSY", EBUSY},	      {"EEXIST", EEXIST},
    {"EINTR", EINTR},	  {"EPERM", EPERM},	  {"ENOSPC", ENOSPC},	      {"EIO", EIO},
    {"EMFILE", EMFILE},	  {"EAGAIN", EAGAIN},	  {"EOPNOTSUPP", EOPNOTSUPP},
};

static int fail(const char *what)
{
	fprintf(stderr, "fault: %s\n", what);
	return 2;
}

static int arm(struct fault_block *b, int argc, char **argv)
{
	static const char *const names[] = FAULT_POINT_NAMES;
	struct fault_block next = {.count = 1};

	for (int i = 1; i < FAULT_POINTS; i++)
		if (strcmp(argv[0], names[i]) == 0)
			next.point = i;
	for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
		if (strcmp(argv[1], effects[i].name) == 0)
			next.what = effects[i].what;
	if (!next.point || !next.what)
		return fail("no such point, or no such effect");
	next.skip = argc > 2 ? atoll(argv[2]) : 0;
	next.count = argc > 3 ? atoll(argv[3]) : 1;
	next.pid = argc > 4 ? atoi(argv[4]) : 0;
	b->point = FAULT_NOWHERE;
	b->pid = next.pid, b->what = next.what, b->skip = next.skip, b->count = next.count;
	b->seen = b->hits = 0;
	__atomic_store_n(&b->point, next.point, __ATOMIC_SEQ_CST);
	return 0;
}

int main(int argc, char **argv)
{
	struct fault_block *b;
	int fd;

	if (argc < 3)
		return fail("see the top of its source");
	fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*b)) < 0)
		return fail(strerror(errno));
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return fail(strerror(errno));
	if (strcmp(argv[2], "new") == 0) {
		memset(b, 0, sizeof(*b));
	} else if (strcmp(argv[2], "off") == 0) {
		__atomic_store_n(&b->point, FAULT_NOWHERE, __ATOMIC_SEQ_CST);
		printf("%lld %lld\n", (long long)b->hits, (long long)b->seen);
	} else if (strcmp(argv[2], "boottime") == 0 && argc == 4) {
		__atomic_store_n(&b->boottime_s, atoll(argv[3]), __ATOMIC_SEQ_CST);
	} else if (strcmp(argv[2], "arm") == 0 && argc >= 5) {
		return arm(b, argc - 3, argv + 3);
	} else {
		return fail("see the top of its source");
	}
	return 0;
}
