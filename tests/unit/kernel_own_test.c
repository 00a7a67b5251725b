/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/kernel/own.c daemon/base/err.c
// libs: -lnl-3
/* What an address made of the kernel's table "local", out of all that may be in it. The kernel is a double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/kernel/internal.h"

static struct {
	const struct entry *entry;
	size_t count;
	unsigned int broken; /* dumps that are interrupted at their end */
	uint32_t asked;	     /* the table */
	int error;	     /* an errno */
	const char *name;
} says;

static const struct entry {
	uint8_t table, protocol, type, length;
	uint32_t address, ifindex;
	bool own;
} entries[] = {
    {RT_TABLE_LOCAL, RTPROT_KERNEL, RTN_LOCAL, 32, 0x0a00000a, 3, true},
    {RT_TABLE_LOCAL, RTPROT_KERNEL, RTN_BROADCAST, 32, 0x0a0000ff, 3, true},
    {RT_TABLE_LOCAL, RTPROT_KERNEL, RTN_LOCAL, 8, 0x7f000000, 1, false},
    {RT_TABLE_LOCAL, RTPROT_BOOT, RTN_LOCAL, 32, 0x0a00000b, 1, false},
    {RT_TABLE_LOCAL, TUYEN_RTPROTO, RTN_THROW, 32, 0x0a00000a, 0, false},
    {RT_TABLE_LOCAL, RTPROT_KERNEL, RTN_UNICAST, 32, 0x0a00000c, 3, false},
    {RT_TABLE_MAIN, RTPROT_KERNEL, RTN_LOCAL, 32, 0x0a00000d, 3, false},
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static struct nl_msg *message(const struct entry *e)
{
	struct rtmsg header = {.rtm_family = AF_INET,
			       .rtm_table = e->table,
			       .rtm_protocol = e->protocol,
			       .rtm_type = e->type,
			       .rtm_dst_len = e->length};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put_u32(m, RTA_DST, htonl(e->address)), 0);
	if (e->ifindex)
		assert_int_equal(nla_put_u32(m, RTA_OIF, e->ifindex), 0);
	return m;
}

int channel_dump(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	(void)channel;
	says.asked =
	    nla_get_u32(nlmsg_find_attr(nlmsg_hdr(request), sizeof(struct rtmsg), RTA_TABLE));
	nlmsg_free(request);
	if (says.error) {
		errno = says.error;
		return -TUYEN_ESYSTEM;
	}
	for (size_t i = 0; i < says.count; i++) {
		struct nl_msg *m = message(&says.entry[i]);
		int err = step(nlmsg_hdr(m), context);

		nlmsg_free(m);
		if (err)
			return err;
	}
	return says.broken && says.broken-- ? -TUYEN_EAGAIN : 0;
}

int channel_ask(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	struct ifinfomsg header = {.ifi_index = 3};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	(void)channel;
	nlmsg_free(request);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	if (says.name) {
		assert_int_equal(nla_put_string(m, IFLA_IFNAME, says.name), 0);
		assert_int_equal(step(nlmsg_hdr(m), context), 0);
	}
	nlmsg_free(m);
	return says.error;
}

static int clear(void **state)
{
	(void)state;
	memset(&says, 0, sizeof(says));
	says.entry = entries;
	says.count = ENTRIES;
	return 0;
}

static void what_an_address_made_is_found(void **state)
{
	struct kernel kernel = {0};
	struct own_address *own;
	struct reason reason;
	size_t count, k = 0;

	(void)state;
	says.broken = 2; /* what was read of those is void */
	assert_int_equal(kernel_own_read(&kernel, &own, &count, &reason), 0);
	assert_int_equal(says.asked, RT_TABLE_LOCAL);
	for (size_t i = 0; i < ENTRIES; i++) {
		if (!entries[i].own)
			continue;
		assert_true(k < count);
		assert_int_equal(own[k].address, entries[i].address);
		assert_int_equal(own[k++].ifindex, entries[i].ifindex);
	}
	assert_int_equal(k, count);
	free(own);
}

static void an_event_tells_of_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ENTRIES; i++) {
		struct nl_msg *m = message(&entries[i]);

		assert_int_equal(message_tells_own(nlmsg_hdr(m)), entries[i].own);
		nlmsg_hdr(m)->nlmsg_type = RTM_DELROUTE;
		assert_false(message_tells_own(nlmsg_hdr(m)));
		nlmsg_hdr(m)->nlmsg_type = RTM_NEWROUTE;
		nlmsg_hdr(m)->nlmsg_len = NLMSG_LENGTH(0);
		assert_false(message_tells_own(nlmsg_hdr(m)));
		nlmsg_free(m);
	}
}

static void what_cannot_be_read_is_an_error(void **state)
{
	struct kernel kernel = {0};
	struct own_address *own;
	struct reason reason;
	size_t count;

	(void)state;
	says.broken = DUMP_TRIES;
	assert_int_equal(kernel_own_read(&kernel, &own, &count, &reason), -TUYEN_EAGAIN);
	says.error = ENOBUFS;
	assert_int_equal(kernel_own_read(&kernel, &own, &count, &reason), -TUYEN_ESYSTEM);
	assert_non_null(strstr(reason.text, "cannot read the kernel"));
}

static void a_device_has_a_name_or_has_gone(void **state)
{
	char name[KERNEL_IFNAME_MAX] = "x";
	struct kernel kernel = {0};
	bool inner = true;

	(void)state;
	says.name = "lan0";
	assert_int_equal(kernel_device_name(&kernel, 3, name, &inner), 0);
	assert_string_equal(name, "lan0");
	assert_false(inner);
	says.name = NULL;
	says.error = ENODEV;
	assert_int_equal(kernel_device_name(&kernel, 3, name, &inner), 0);
	assert_string_equal(name, "");
	says.error = ENOBUFS;
	assert_int_equal(kernel_device_name(&kernel, 3, name, &inner), -TUYEN_ESYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(what_an_address_made_is_found, clear),
	    cmocka_unit_test_setup(an_event_tells_of_the_same, clear),
	    cmocka_unit_test_setup(what_cannot_be_read_is_an_error, clear),
	    cmocka_unit_test_setup(a_device_has_a_name_or_has_gone, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
