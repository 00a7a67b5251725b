/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/kernel/channel.c daemon/base/err.c
// libs: -lnl-3
/* The real kernel, asked for a device that there is none of, through a socket that does not hold all its answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/kernel/internal.h"

#define NO_INDEX 0x7ffffff0

static struct nl_msg *question(void)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = NO_INDEX};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	return m;
}

static void count_lost(size_t tag, int error, const char *words, void *context)
{
	(void)tag, (void)words;
	*(unsigned int *)context += error == ENOBUFS;
}

/* While answers are left unread the kernel throws new ones away, and says so once: who waited for one would wait for ever. */
static void who_has_lost_answers_is_answered_again(void **state)
{
	static struct batch batch;
	struct channel channel = {0};
	struct reason reason;
	unsigned int lost = 0;
	int small = 1;

	(void)state;
	alarm(60);
	assert_int_equal(channel_open(&channel, NETLINK_ROUTE, &reason), 0);
	assert_int_equal(setsockopt(channel.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	batch.channel = &channel;
	for (size_t i = 0; i < BATCH_MESSAGES; i++)
		assert_true(batch_add(&batch, question(), i));
	batch_flush(&batch, count_lost, &lost);
	assert_int_equal(lost, BATCH_MESSAGES); /* each of them may have been among those */
	assert_int_equal(channel_call(&channel, question(), NULL), ENODEV);
	channel_close(&channel);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_has_lost_answers_is_answered_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
