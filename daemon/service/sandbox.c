/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int privileges_drop(struct sandbox_identity who, bool net_admin, struct reason *reason)
{
	const struct rlimit none = {0, 0};
	pid_t parent = getppid();
	int err;

	setrlimit(RLIMIT_CORE, &none);
	capng_clear(CAPNG_SELECT_BOTH);
	if (net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
	err =
	    capng_change_id((int)who.uid, (int)who.gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (err)
		return reason_set(reason, -TUYEN_ESYSTEM,
				  "dropping privileges to user %u: step %d: %s", who.uid, -err,
				  strerror(errno));
	/* after the change of user, which resets the first two */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "prctl: %s", strerror(errno));
	if (getppid() != parent)
		return reason_set(reason, -TUYEN_ESYSTEM, "the supervisor is gone");
	return 0;
}

static int filter_load(scmp_filter_ctx filter, int err, struct reason *reason)
{
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err ? reason_set(reason, -TUYEN_ESYSTEM, "seccomp: %s", strerror(-err)) : 0;
}

static int rules_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = seccomp_rule_add(filter, action, calls[i], 0);
	return err;
}

/* What it must never do, for it has many libraries whose calls differ from version to version. */
static int kernel_filter(struct reason *reason)
{
	static const int never[] = {
	    SCMP_SYS(execve),
	    SCMP_SYS(execveat),
	    SCMP_SYS(ptrace),
	    SCMP_SYS(process_vm_readv),
	    SCMP_SYS(process_vm_writev),
	    SCMP_SYS(fork),
	    SCMP_SYS(vfork),
	    SCMP_SYS(bpf),
	    SCMP_SYS(perf_event_open),
	    SCMP_SYS(userfaultfd),
	    SCMP_SYS(keyctl),
	    SCMP_SYS(add_key),
	    SCMP_SYS(request_key),
	    SCMP_SYS(mount),
	    SCMP_SYS(umount2),
	    SCMP_SYS(pivot_root),
	    SCMP_SYS(chroot),
	    SCMP_SYS(setns),
	    SCMP_SYS(unshare),
	    SCMP_SYS(init_module),
	    SCMP_SYS(finit_module),
	    SCMP_SYS(kexec_load),
	    SCMP_SYS(io_uring_setup),
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err;

	if (!filter)
		return reason_set(reason, -TUYEN_ENOMEM, "seccomp: no memory");
	err = rules_add(filter, SCMP_ACT_ERRNO(EPERM), never, COUNT(never));
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_NE, AF_NETLINK, 0));
	return filter_load(filter, err, reason);
}

/* What it may do, and nothing else: its bytes come from anywhere. */
static const int wire_may[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(accept4),
    SCMP_SYS(accept),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(shutdown),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(fcntl),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(socketpair),
};

static int wire_filter(struct reason *reason)
{
	static const int families[] = {AF_INET, AF_INET6};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return reason_set(reason, -TUYEN_ENOMEM, "seccomp: no memory");
	err = rules_add(filter, SCMP_ACT_ALLOW, wire_may, COUNT(wire_may));
	if (!err) /* standard error's buffer is set up by an fstat of it */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fstat), 0);
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 0);
	if (!err) /* queue lengths of sockets */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_EQ, 0x541b /* FIONREAD */, 0));
	for (size_t i = 0; i < COUNT(families) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0),
				       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM));
	return filter_load(filter, err, reason);
}

int sandbox_kernel(struct sandbox_identity who, struct reason *reason)
{
	int err = privileges_drop(who, true, reason);

	return err ? err : kernel_filter(reason);
}

int sandbox_wire(struct sandbox_identity who, int root_fd, struct reason *reason)
{
	int err;

	if (fchdir(root_fd) < 0 || chroot(".") < 0 || close(root_fd) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "its root: %s", strerror(errno));
	err = privileges_drop(who, false, reason);
	return err ? err : wire_filter(reason);
}
