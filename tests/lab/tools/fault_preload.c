/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded, lets system calls and allocations of a program fail as a block in $FAULT_FILE says (fault.h). The block is
 * mapped before the program begins, so that it serves also behind a chroot, another user and seccomp, and in children.
 *
 * A request that shall be refused goes to the kernel with a type that no kernel knows, so that it is refused there,
 * in its place among others; the answer's errno is then the one that was asked for.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

#define TYPE_UNKNOWN 0xfffe
#define PROC_MAGIC   0x9fa0
#define FLAT_BYTES   (1u << 20)
#define SLOW_NS	     20000000

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *at, size_t size);

static struct fault_block *block;
static int refused_fd = -1, refused_errno;
static uint32_t refused_seq;
static char flat[FLAT_BYTES];

static __attribute__((constructor)) void block_map(void)
{
	const char *path = getenv("FAULT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*block), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED)
		block = at;
}

static bool armed(enum fault_point point)
{
	return block && block->point == (int32_t)point && (!block->pid || block->pid == getpid());
}

/* One more has come by. @return whether it is to fail; who is to be killed does not return. */
static bool met(void)
{
	int64_t n = __atomic_fetch_add(&block->seen, 1, __ATOMIC_SEQ_CST);

	if (n < block->skip || n - block->skip >= block->count)
		return false;
	block->hits++;
	if (block->what == FAULT_KILL)
		kill(getpid(), SIGKILL);
	return true;
}

static bool fails(enum fault_point point)
{
	if (!armed(point) || !met())
		return false;
	if (block->what == FAULT_SLOW) {
		nanosleep(&(struct timespec){.tv_nsec = 5 * SLOW_NS}, NULL);
		return false;
	}
	errno = block->what;
	return true;
}

/* @return the netlink protocol, -1 for another socket. */
static int netlink_of(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t length = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_NETLINK)
		return -1;
	length = sizeof(protocol);
	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	return protocol;
}

static bool asks(int protocol, const struct nlmsghdr *m)
{
	if (m->nlmsg_flags & NLM_F_DUMP && (protocol != NETLINK_ROUTE || (m->nlmsg_type & 3) == 2))
		return !(protocol == NETLINK_NETFILTER && m->nlmsg_flags & NLM_F_CREATE);
	if (protocol == NETLINK_ROUTE)
		return (m->nlmsg_type & 3) == 2;
	if (protocol == NETLINK_GENERIC)
		return m->nlmsg_type == GENL_ID_CTRL;
	return (m->nlmsg_type & 0xff) == 16 &&
	       m->nlmsg_type != 16; /* NFT_MSG_GETGEN, and not a batch's begin */
}

/* Of an nftables batch its begin and end are no requests. */
static bool is_request(int protocol, const struct nlmsghdr *m)
{
	return protocol != NETLINK_NETFILTER ||
	       (m->nlmsg_type != NFNL_MSG_BATCH_BEGIN && m->nlmsg_type != NFNL_MSG_BATCH_END);
}

/* A kernel without the module finds nothing of that name, or nobody for such routes. */
static bool needs_module(int protocol, const struct nlmsghdr *m)
{
	const struct rtmsg *route = NLMSG_DATA(m);
	bool is_route = protocol == NETLINK_ROUTE && m->nlmsg_type >= RTM_NEWROUTE &&
			m->nlmsg_type <= RTM_GETROUTE;
	const struct rtattr *a = RTM_RTA(route);
	long left = (long)m->nlmsg_len - NLMSG_SPACE(sizeof(*route));

	if (block->point == FAULT_WIREGUARD)
		return memmem(m, m->nlmsg_len, "wireguard", 9);
	if (!is_route || route->rtm_family == AF_MPLS)
		return is_route;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_ENCAP_TYPE)
			return true;
	return false;
}

static bool judged(int protocol, const struct nlmsghdr *m)
{
	return block->point == FAULT_REQUEST ? is_request(protocol, m) : needs_module(protocol, m);
}

static bool request_refuse(int fd, int protocol, char *bytes, size_t length)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length;) {
		struct nlmsghdr *m = (struct nlmsghdr *)(bytes + at);

		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > length - at)
			return false;
		if (judged(protocol, m) && met()) {
			m->nlmsg_type = TYPE_UNKNOWN;
			refused_fd = fd;
			refused_seq = m->nlmsg_seq;
			refused_errno =
			    block->point == FAULT_WIREGUARD && protocol == NETLINK_GENERIC
				? ENOENT
				: block->what;
			return true;
		}
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
	return false;
}

/* @return -1 to let the call fail, else how many bytes of @flat to send instead; 0: the call goes on as it is. */
static ssize_t send_judge(int fd, const struct iovec *parts, size_t count)
{
	size_t length = 0;
	int protocol;

	if (!armed(FAULT_CALL) && !armed(FAULT_STEP) && !armed(FAULT_REQUEST) &&
	    !armed(FAULT_WIREGUARD) && !armed(FAULT_MPLS))
		return 0;
	protocol = netlink_of(fd);
	if (protocol < 0)
		return 0;
	if (block->point == FAULT_CALL)
		return fails(FAULT_CALL) ? -1 : 0;
	if (block->point == FAULT_STEP)
		return !asks(protocol, parts[0].iov_base) && fails(FAULT_STEP) ? -1 : 0;
	for (size_t i = 0; i < count && length + parts[i].iov_len <= FLAT_BYTES; i++) {
		memcpy(flat + length, parts[i].iov_base, parts[i].iov_len);
		length += parts[i].iov_len;
	}
	return request_refuse(fd, protocol, flat, length) ? (ssize_t)length : 0;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to,
	       socklen_t to_length)
{
	static ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	const struct iovec part = {(void *)(uintptr_t)bytes, length};
	ssize_t instead = send_judge(fd, &part, 1);

	if (!real)
		*(void **)&real = next("sendto");
	if (instead < 0)
		return -1;
	return real(fd, instead ? flat : bytes, length, flags, to, to_length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	return sendto(fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	static ssize_t (*real)(int, const struct msghdr *, int);
	ssize_t instead = send_judge(fd, message->msg_iov, message->msg_iovlen);
	struct iovec part = {flat, (size_t)instead};
	struct msghdr other = *message;

	if (!real)
		*(void **)&real = next("sendmsg");
	if (instead < 0)
		return -1;
	if (!instead)
		return real(fd, message, flags);
	other.msg_iov = &part;
	other.msg_iovlen = 1;
	return real(fd, &other, flags);
}

static void refusal_rename(int fd, char *bytes, size_t length)
{
	if (fd != refused_fd)
		return;
	for (size_t at = 0; at + NLMSG_LENGTH(sizeof(struct nlmsgerr)) <= length;) {
		struct nlmsghdr *m = (struct nlmsghdr *)(bytes + at);
		struct nlmsgerr *error = NLMSG_DATA(m);

		if (m->nlmsg_len < sizeof(*m) || m->nlmsg_len > length - at)
			return;
		if (m->nlmsg_type == NLMSG_ERROR && m->nlmsg_seq == refused_seq && error->error) {
			error->error = -refused_errno;
			refused_fd = -1;
			return;
		}
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
}

static bool of_dump(const char *bytes, size_t length)
{
	return length >= sizeof(struct nlmsghdr) &&
	       ((const struct nlmsghdr *)bytes)->nlmsg_flags & NLM_F_MULTI;
}

static void dump_break(char *bytes, size_t length)
{
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length;) {
		struct nlmsghdr *m = (struct nlmsghdr *)(bytes + at);

		if (m->nlmsg_len < sizeof(*m))
			return;
		m->nlmsg_flags |= NLM_F_DUMP_INTR;
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
}

/* What came in: is it to be another thing, or to be lost? @return what the call returns. */
static ssize_t received(int fd, char *bytes, size_t size, ssize_t got, int flags)
{
	size_t length = got < 0 ? 0 : (size_t)got < size ? (size_t)got : size;

	if (got <= 0 || flags & MSG_PEEK)
		return got;
	refusal_rename(fd, bytes, length);
	if (!armed(FAULT_ANSWER) && !(armed(FAULT_DUMP) && of_dump(bytes, length)))
		return got;
	if (netlink_of(fd) < 0 || !met())
		return got;
	if (block->what == FAULT_SLOW) {
		nanosleep(&(struct timespec){.tv_nsec = SLOW_NS}, NULL);
		return got;
	}
	if (block->what == FAULT_BREAK) {
		dump_break(bytes, length);
		return got;
	}
	errno = block->what == FAULT_LOSE ? ENOBUFS : block->what;
	return -1;
}

ssize_t recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
		 socklen_t *length)
{
	static ssize_t (*real)(int, void *, size_t, int, struct sockaddr *, socklen_t *);

	if (!real)
		*(void **)&real = next("recvfrom");
	return received(fd, bytes, size, real(fd, bytes, size, flags, from, length), flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);

	if (!real)
		*(void **)&real = next("recvmsg");
	return received(fd, message->msg_iov->iov_base, message->msg_iov->iov_len,
			real(fd, message, flags), flags);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);

	if (!real)
		*(void **)&real = next("recv");
	if (armed(FAULT_EVENT) && netlink_of(fd) >= 0 && met()) {
		while (real(fd, bytes, size, MSG_DONTWAIT) > 0)
			;
		errno = ENOBUFS;
		return -1;
	}
	return real(fd, bytes, size, flags);
}

/* ---- memory ---- */

/* Libraries stand in files whose names say so. */
static bool is_own(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname &&
	       (!strstr(info.dli_fname, ".so") || strstr(info.dli_fname, "libnl-"));
}

static bool memory_fails(const void *caller)
{
	return fails(FAULT_MEMORY) ||
	       (armed(FAULT_OWN_MEMORY) && is_own(caller) && fails(FAULT_OWN_MEMORY));
}

void *malloc(size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *at, size_t size)
{
	return memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(at, size);
}

/* ---- files ---- */

static bool file(int fd, bool *ret_sysctl)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatfs(fd, &fs) < 0)
		return false;
	*ret_sysctl = fs.f_type == PROC_MAGIC;
	return true;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	static ssize_t (*real)(int, const void *, size_t);
	bool sysctl;

	if (!real)
		*(void **)&real = next("write");
	if ((armed(FAULT_WRITE) || armed(FAULT_STEP)) && file(fd, &sysctl) &&
	    fails(sysctl ? FAULT_STEP : FAULT_WRITE))
		return -1;
	return real(fd, bytes, length);
}

int fsync(int fd)
{
	static int (*real)(int);

	if (!real)
		*(void **)&real = next("fsync");
	return fails(FAULT_FSYNC) ? -1 : real(fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	static int (*real)(int, const char *, int, const char *);

	if (!real)
		*(void **)&real = next("renameat");
	return fails(FAULT_RENAME) ? -1 : real(from_dir, from, to_dir, to);
}

int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, mode_t);
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (!real)
		*(void **)&real = next("open");
	if (armed(FAULT_MPLS) && strncmp(path, "/proc/sys/net/mpls/", 19) == 0 && met()) {
		errno = ENOENT;
		return -1;
	}
	return real(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	static int (*real)(int, const char *, int, mode_t);
	va_list more;
	mode_t mode;

	va_start(more, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (!real)
		*(void **)&real = next("openat");
	return flags & O_CREAT && fails(FAULT_CREATE) ? -1 : real(dir, path, flags, mode);
}

/* ---- time ---- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int (*real)(clockid_t, struct timespec *);
	int err;

	if (!real)
		*(void **)&real = next("clock_gettime");
	err = real(clock, ret);
	if (!err && block && clock == CLOCK_BOOTTIME)
		ret->tv_sec += __atomic_load_n(&block->boottime_s, __ATOMIC_SEQ_CST);
	return err;
}
