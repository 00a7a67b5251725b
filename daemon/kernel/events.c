/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something changed: one epoll descriptor over a route socket, an nftables socket and an eventfd.
 *
 * Our own changes don't count: the kernel stamps most notifications with the port of the socket
 * that asked, and a filter on the route socket lets it drop them before they are queued: the echo
 * of a gateway's 60,000 routes would overrun any queue. Those of devices (before Linux 6.2) and of
 * nftables carry none of ours; what arrives of them while a plan is applied is taken for its echo.
 * If anything else arrived meanwhile, the eventfd keeps the descriptor readable. An overrun
 * (ENOBUFS) means that something was lost: it counts as a change. The next turn reads everything
 * anyway, so what is missed in this window is found by the periodic one.
 *
 * To make a notification and drop it still costs the kernel a microsecond. While a gateway's whole state is applied it is
 * spared those of routes and filters; that something may have changed is what it means then, and the next turn looks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define EVENT_BUFFER_BYTES (4 << 20)
#define COUNT(array)	   (sizeof(array) / sizeof((array)[0]))

static const int route_groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_RULE};
static const int numerous_groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_MPLS_ROUTE, RTNLGRP_TC};
static const int ipv6_groups[] = {RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE};
static const int nft_groups[] = {NFNLGRP_NFTABLES};

static struct nl_sock *listener(int protocol, const int *groups, size_t count)
{
	struct nl_sock *sock = nl_socket_alloc();
	int size = EVENT_BUFFER_BYTES;

	if (!sock)
		return NULL;
	if (nl_connect(sock, protocol) < 0 || nl_socket_set_nonblocking(sock) < 0) {
		nl_socket_free(sock);
		return NULL;
	}
	if (setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		nl_socket_set_buffer_size(sock, EVENT_BUFFER_BYTES, 0);
	for (size_t i = 0; i < count; i++)
		nl_socket_add_membership(sock,
					 groups[i]); /* a kernel without MPLS lacks its group */
	return sock;
}

/* One notification a datagram. Without the filter, route_drain() leaves them out by itself. */
static void own_left_out(const struct kernel *kernel, int fd)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kernel->route.port), 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(kernel->urgent.port), 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* taken whole */
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {.len = COUNT(code), .filter = code};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* A kernel without MPLS lacks its group; one that has no memory now is asked again. */
static void numerous_join(struct kernel *kernel)
{
	kernel->deaf = false;
	for (size_t i = 0; i < COUNT(numerous_groups); i++)
		kernel->deaf |=
		    nl_socket_add_membership(kernel->event_route, numerous_groups[i]) == -NLE_NOMEM;
}

static int watch(const struct kernel *kernel, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(kernel->event_epoll, EPOLL_CTL_ADD, fd, &event);
}

int events_open(struct kernel *kernel, struct reason *reason)
{
	kernel->event_route = listener(NETLINK_ROUTE, route_groups, COUNT(route_groups));
	kernel->event_nft = listener(NETLINK_NETFILTER, nft_groups, 1);
	kernel->event_epoll = epoll_create1(EPOLL_CLOEXEC);
	kernel->event_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!kernel->event_route || kernel->event_epoll < 0 || kernel->event_wake < 0 ||
	    watch(kernel, nl_socket_get_fd(kernel->event_route)) < 0 ||
	    watch(kernel, kernel->event_wake) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "netlink events: %s", strerror(errno));
	own_left_out(kernel, nl_socket_get_fd(kernel->event_route));
	numerous_join(kernel);
	if (kernel->event_nft) /* none without nf_tables: the self-check says so */
		watch(kernel, nl_socket_get_fd(kernel->event_nft));
	return 0;
}

/* A box whose lines nobody named has nothing of ours there, and a net may be full of router advertisements. */
void events_watch_ipv6(struct kernel *kernel)
{
	for (size_t i = 0; !kernel->ipv6_watched && i < COUNT(ipv6_groups); i++)
		nl_socket_add_membership(kernel->event_route, ipv6_groups[i]);
	kernel->ipv6_watched = true;
}

void events_close(struct kernel *kernel)
{
	nl_socket_free(kernel->event_route);
	nl_socket_free(kernel->event_nft);
	if (kernel->event_epoll >= 0)
		close(kernel->event_epoll);
	if (kernel->event_wake >= 0)
		close(kernel->event_wake);
}

int kernel_event_fd(const struct kernel *kernel)
{
	return kernel->event_epoll;
}

static bool message_counts(const struct kernel *kernel, const struct nlmsghdr *message,
			   bool applying)
{
	bool device = message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK;

	if (message->nlmsg_pid == kernel->route.port ||
	    message->nlmsg_pid == kernel->generic.port || message->nlmsg_pid == kernel->urgent.port)
		return false;
	if (!applying)
		return true;
	/* port 0: the kernel's own doing, such as the routes of a device that we took down */
	return !device && message->nlmsg_pid != 0;
}

static bool route_drain(struct kernel *kernel, bool applying)
{
	int fd = nl_socket_get_fd(kernel->event_route);
	bool counts = false;

	for (;;) {
		ssize_t got = recv(fd, kernel->route.buffer, CHANNEL_BUFFER_BYTES, MSG_DONTWAIT);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			counts = kernel->strays = true;
			continue;
		}
		if (got < 0)
			return counts;
		for (struct nlmsghdr *m = (struct nlmsghdr *)kernel->route.buffer;
		     nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
			counts |= message_counts(kernel, m, applying);
			kernel->strays |= message_tells_stray(m);
			kernel->own_told |= message_tells_own(m);
		}
	}
}

static bool nft_drain(struct kernel *kernel)
{
	bool any = false;

	if (!kernel->event_nft)
		return false;
	for (;;) {
		ssize_t got = recv(nl_socket_get_fd(kernel->event_nft), kernel->route.buffer,
				   CHANNEL_BUFFER_BYTES, MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != ENOBUFS)
			return any;
		any = true;
	}
}

static bool wake_drain(const struct kernel *kernel)
{
	uint64_t count;

	return read(kernel->event_wake, &count, sizeof(count)) == sizeof(count);
}

/* @return whether it heard less for a time: anything may have changed then. */
static bool hear_again(struct kernel *kernel)
{
	if (!kernel->deaf)
		return false;
	numerous_join(kernel);
	kernel->strays = true;
	return true;
}

bool kernel_event_drain(struct kernel *kernel)
{
	bool woken = wake_drain(kernel), nft = nft_drain(kernel), missed = hear_again(kernel);

	return route_drain(kernel, false) || nft || woken || missed;
}

bool kernel_event_own(struct kernel *kernel)
{
	bool told = kernel->own_told;

	kernel->own_told = false;
	return told;
}

void events_deafen(struct kernel *kernel)
{
	kernel->deaf = true;
	for (size_t i = 0; i < COUNT(numerous_groups); i++)
		nl_socket_drop_membership(kernel->event_route, numerous_groups[i]);
}

void events_forget_own(struct kernel *kernel)
{
	bool missed = hear_again(kernel);
	uint64_t one = 1;

	nft_drain(kernel);
	if ((route_drain(kernel, true) || missed) &&
	    write(kernel->event_wake, &one, sizeof(one)) < 0)
		return; /* full: it is readable already */
}
