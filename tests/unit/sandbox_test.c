/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/sandbox.c daemon/base/err.c
// libs: -lseccomp -lcap-ng
/* What each process can still do in its sandbox, tried in a child. Only root can give up what root
 * has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuyen/service/sandbox.h"

static const struct sandbox_identity nobody = {65534, 65534};

/* @return the number of the first step that was not as it should be, 0 if all were. */
typedef int (*steps)(int root_fd);

static void run(steps body)
{
	char path[] = "/tmp/tuyen-sandbox-XXXXXX";
	int status, root_fd;
	pid_t pid;

	if (getuid() != 0)
		skip();
	assert_non_null(mkdtemp(path));
	root_fd = open(path, O_PATH | O_DIRECTORY);
	assert_int_equal(rmdir(path),
			 0); /* its name may be gone when the wire process comes back */
	pid = fork();
	if (pid == 0)
		_exit(body(root_fd));
	close(root_fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool socket_refused(long family, int type)
{
	return syscall(SYS_socket, family, (long)type, 0L) < 0 &&
	       (errno == EAFNOSUPPORT || errno == EPERM);
}

static int kernel_steps(int root_fd)
{
	struct reason reason;
	int step = 0, fd;

	(void)root_fd;
	if (sandbox_kernel(nobody, &reason) < 0)
		return 100;
	if (++step && socket(AF_NETLINK, SOCK_RAW, 0) < 0)
		return step;
	if (++step && !socket_refused(AF_INET, SOCK_DGRAM))
		return step;
	if (++step && !socket_refused(AF_UNIX, SOCK_STREAM))
		return step;
	if (++step && !socket_refused(AF_CAN, SOCK_RAW))
		return step;
	/* the kernel takes the family as an int and drops the upper half, a filter sees it all */
	if (++step && !socket_refused(0x100000000 | AF_INET, SOCK_DGRAM))
		return step;
	fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY);
	if (++step && fd < 0)
		return step;
	if (++step && (execl("/bin/true", "true", (char *)NULL) == 0 || errno != EPERM))
		return step;
	if (++step && setuid(0) == 0)
		return step;
	return 0;
}

static void the_kernel_process_has_netlink_and_sysctls(void **state)
{
	(void)state;
	run(kernel_steps);
}

static int wire_steps(int root_fd)
{
	struct reason reason;
	int step = 0;

	if (sandbox_wire(nobody, root_fd, &reason) < 0)
		return 100;
	if (++step && socket(AF_INET, SOCK_DGRAM, 0) < 0)
		return step;
	if (++step && !socket_refused(AF_INET, SOCK_STREAM))
		return step;
	if (++step && !socket_refused(AF_NETLINK, SOCK_RAW))
		return step;
	if (++step && !socket_refused(AF_UNIX, SOCK_STREAM))
		return step;
	if (++step && open("/", O_RDONLY) >= 0)
		return step;
	if (++step && mkdir("/x", 0700) == 0)
		return step;
	if (++step && (kill(1, 0) == 0 || errno != EPERM))
		return step;
	if (++step && fork() >= 0)
		return step;
	return 0;
}

static void the_wire_process_has_datagrams(void **state)
{
	(void)state;
	run(wire_steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kernel_process_has_netlink_and_sysctls),
	    cmocka_unit_test(the_wire_process_has_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
