/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/kernel/channel.c daemon/base/err.c
// libs: -lnl-3
/* A dump and what becomes of it. The kernel is a double: a list of datagrams, or an errno each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/kernel/internal.h"

#define DATAGRAMS_MAX 4

static struct {
	struct {
		int error; /* of recvfrom() */
		uint16_t type, flags;
	} datagram[DATAGRAMS_MAX];
	size_t count, received;
	unsigned int calls;    /* of between */
	unsigned int true_at;  /* which of them says so; 0: none */
	unsigned int messages; /* that the step was given */
} says;

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	(void)fd, (void)bytes, (void)flags;
	return (ssize_t)length;
}

ssize_t recvfrom(int fd, void *restrict bytes, size_t size, int flags,
		 struct sockaddr *restrict from, socklen_t *restrict length)
{
	struct nlmsghdr message = {.nlmsg_len = NLMSG_LENGTH(4), .nlmsg_seq = 1};

	(void)fd, (void)size, (void)flags, (void)from, (void)length;
	assert_true(says.received < says.count);
	errno = says.datagram[says.received].error;
	message.nlmsg_type = says.datagram[says.received].type;
	message.nlmsg_flags = says.datagram[says.received++].flags;
	if (errno)
		return -1;
	memset(bytes, 0, message.nlmsg_len);
	memcpy(bytes, &message, sizeof(message));
	return message.nlmsg_len;
}

/* Behind what was lost there is nothing. */
ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	(void)fd, (void)bytes, (void)size, (void)flags;
	errno = EAGAIN;
	return -1;
}

static bool between(void *context)
{
	(void)context;
	return ++says.calls == says.true_at;
}

static int step(const struct nlmsghdr *message, void *context)
{
	(void)message, (void)context;
	says.messages++;
	return 0;
}

static void datagram(int error, uint16_t type, uint16_t flags)
{
	says.datagram[says.count].error = error;
	says.datagram[says.count].type = type;
	says.datagram[says.count++].flags = flags;
}

static int dump(void)
{
	static uint8_t buffer[CHANNEL_BUFFER_BYTES];
	struct channel channel = {.buffer = buffer, .between = between};

	return channel_dump(&channel, nlmsg_alloc_simple(RTM_GETROUTE, 0), step, NULL);
}

static int clear(void **state)
{
	(void)state;
	memset(&says, 0, sizeof(says));
	return 0;
}

static void a_dump_that_nobody_breaks_off(void **state)
{
	(void)state;
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(0, NLMSG_DONE, NLM_F_MULTI);
	assert_int_equal(dump(), 0);
	assert_int_equal(says.messages, 1);
	assert_int_equal(says.calls, 2);
}

static void one_that_is_broken_off_is_received_to_its_end(void **state)
{
	(void)state;
	says.true_at = 1;
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI | NLM_F_DUMP_INTR);
	datagram(0, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR);
	assert_int_equal(dump(), -TUYEN_ECANCELED);
	assert_int_equal(says.messages, 1);
	assert_int_equal(says.received, 3);
}

/* Two lines may be cut by one digger, and the rest of a gateway's routes takes as long as a link's detection. */
static void who_has_broken_off_goes_on_to_hear(void **state)
{
	(void)state;
	says.true_at = 1;
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(0, NLMSG_DONE, NLM_F_MULTI);
	assert_int_equal(dump(), -TUYEN_ECANCELED);
	assert_int_equal(says.calls, 3);
}

/* Read again, and it would be compared with what was wanted before the repair, which the plan would undo. */
static void what_is_broken_off_and_then_lost_stays_broken_off(void **state)
{
	(void)state;
	says.true_at = 1;
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(ENOBUFS, 0, 0);
	assert_int_equal(dump(), -TUYEN_ECANCELED);
}

static void what_is_lost_is_read_again(void **state)
{
	(void)state;
	datagram(0, RTM_NEWROUTE, NLM_F_MULTI);
	datagram(ENOBUFS, 0, 0);
	assert_int_equal(dump(), -TUYEN_EAGAIN);
}

#define CASE(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_dump_that_nobody_breaks_off),
	    CASE(one_that_is_broken_off_is_received_to_its_end),
	    CASE(who_has_broken_off_goes_on_to_hear),
	    CASE(what_is_broken_off_and_then_lost_stays_broken_off),
	    CASE(what_is_lost_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
