/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/kernel/uplinks.c daemon/core/uplink.c daemon/core/kernel_state.c topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
// libs: -lnl-3
/*
 * What the kernel says of a line, and what it does not say. The kernel is a double: an answer is a list of messages or
 * an errno, and the device has the index 7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/kernel/internal.h"

#define INDEX	     7
#define MESSAGES_MAX 4

static struct {
	int index, route_error, ask_error; /* @index: of links_refresh(); errnos, positive */
	bool ipv6, closed;		   /* closed: eth0 does not forward */
	struct nl_msg *route[MESSAGES_MAX], *address[MESSAGES_MAX], *gateway, *link;
} says;

int links_refresh(struct kernel *kernel, const char *name)
{
	(void)kernel, (void)name;
	errno = says.index < 0 ? ENOBUFS : 0;
	return says.index;
}

const char *links_name(const struct kernel *kernel, int index)
{
	(void)kernel;
	return index == INDEX ? "eth0" : "";
}

void events_watch_ipv6(struct kernel *kernel)
{
	kernel->ipv6_watched = true;
}

int sysctl_get(const char *path, uint32_t *ret_value)
{
	*ret_value = 1;
	if (says.ipv6 && !strcmp(path, "net/ipv6/conf/lo/disable_ipv6"))
		return 0;
	if (!strcmp(path, "net/ipv4/conf/eth0/forwarding")) {
		*ret_value = !says.closed;
		return 0;
	}
	return strcmp(path, "net/ipv4/conf/eth0/rp_filter") ? ENOENT : 0;
}

int channel_dump(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	bool routes = nlmsg_hdr(request)->nlmsg_type == RTM_GETROUTE;
	struct nl_msg **list = routes ? says.route : says.address;

	(void)channel;
	nlmsg_free(request);
	if (routes && says.route_error) {
		errno = says.route_error;
		return -TUYEN_ESYSTEM;
	}
	for (size_t i = 0; i < MESSAGES_MAX && list[i]; i++)
		assert_int_equal(step(nlmsg_hdr(list[i]), context), 0);
	return 0;
}

int channel_ask(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	bool link = nlmsg_hdr(request)->nlmsg_type == RTM_GETLINK;

	(void)channel;
	nlmsg_free(request);
	if (link) {
		if (says.link)
			step(nlmsg_hdr(says.link), context);
		return says.link ? 0 : ENOBUFS;
	}
	if (says.gateway)
		step(nlmsg_hdr(says.gateway), context);
	return says.ask_error;
}

static int clear(void **state)
{
	(void)state;
	for (size_t i = 0; i < MESSAGES_MAX; i++) {
		nlmsg_free(says.route[i]);
		nlmsg_free(says.address[i]);
	}
	nlmsg_free(says.gateway);
	nlmsg_free(says.link);
	memset(&says, 0, sizeof(says));
	says.index = INDEX;
	return 0;
}

/* ---- messages ------------------------------------------------------------------------------ */

static struct nl_msg *route_new(uint32_t metric)
{
	struct rtmsg header = {.rtm_family = AF_INET,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_type = RTN_UNICAST,
			       .rtm_protocol = RTPROT_DHCP};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put_u32(m, RTA_PRIORITY, metric), 0);
	return m;
}

static struct nl_msg *route_by(uint32_t metric, uint32_t index, ipv4_t gateway)
{
	struct nl_msg *m = route_new(metric);

	assert_int_equal(nla_put_u32(m, RTA_OIF, index), 0);
	if (gateway)
		assert_int_equal(nla_put_u32(m, RTA_GATEWAY, htonl(gateway)), 0);
	return m;
}

struct leg {
	int index;
	uint8_t flags;
	ipv4_t gateway;
};

static struct nl_msg *route_of_legs(uint32_t metric, const struct leg *legs, size_t count)
{
	struct nl_msg *m = route_new(metric);
	struct nlattr *nest = nla_nest_start(m, RTA_MULTIPATH);

	for (size_t i = 0; i < count; i++) {
		struct rtnexthop *leg = nlmsg_reserve(m, sizeof(*leg), NLMSG_ALIGNTO);

		*leg = (struct rtnexthop){.rtnh_len = sizeof(*leg) + 8,
					  .rtnh_flags = legs[i].flags,
					  .rtnh_ifindex = legs[i].index};
		assert_int_equal(nla_put_u32(m, RTA_GATEWAY, htonl(legs[i].gateway)), 0);
	}
	nla_nest_end(m, nest);
	return m;
}

static struct nl_msg *address_new(uint32_t index, ipv4_t address)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_index = index};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWADDR, 0);

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put_u32(m, IFA_LOCAL, htonl(address)), 0);
	return m;
}

/* ---- lines --------------------------------------------------------------------------------- */

static struct node_uplinks one(void)
{
	return (struct node_uplinks){.count = 1,
				     .entry = {{.underlay = "fibre", .device = "eth0"}}};
}

static int look(struct node_uplinks *u)
{
	struct kernel kernel = {0};
	struct reason reason;

	return kernel_uplinks(&kernel, u, &reason);
}

static void a_line_is_its_route_and_its_addresses(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	says.route[0] = route_by(200, INDEX, 0xc0000202);
	says.route[1] = route_by(100, INDEX, 0xc0000201);
	says.route[2] = route_by(50, INDEX + 1, 0xc0000203);
	says.address[0] = address_new(INDEX, 9);
	says.address[1] = address_new(INDEX + 1, 8);
	says.address[2] = address_new(INDEX, 7);
	assert_int_equal(look(&u), 0);
	assert_true(u.entry[0].has_route);
	assert_int_equal(u.entry[0].gateway, 0xc0000201);
	assert_int_equal(u.entry[0].address_count, 2);
	assert_int_equal(u.entry[0].address[0], 7);
	assert_int_equal(u.entry[0].address[1], 9);
	assert_true(u.entry[0].strict);
}

static void a_route_of_several_legs_has_one_by_the_line(void **state)
{
	static const struct leg legs[] = {{INDEX + 1, 0, 0xc0000201}, {INDEX, 0, 0xc0000202}};
	struct node_uplinks u = one();

	(void)state;
	says.route[0] = route_of_legs(100, legs, 2);
	assert_int_equal(look(&u), 0);
	assert_true(u.entry[0].has_route);
	assert_int_equal(u.entry[0].gateway, 0xc0000202);
}

static void a_dead_leg_is_none(void **state)
{
	static const struct leg legs[] = {{INDEX + 1, 0, 0xc0000201},
					  {INDEX, RTNH_F_LINKDOWN, 0xc0000202}};
	struct node_uplinks u = one();

	(void)state;
	says.route[0] = route_of_legs(100, legs, 2);
	assert_int_equal(look(&u), 0);
	assert_false(u.entry[0].has_route);
}

static void a_gateway_of_ipv6_is_none(void **state)
{
	struct node_uplinks u = one();
	uint8_t via[18] = {AF_INET6, 0, 0xfe, 0x80};

	(void)state;
	says.route[0] = route_by(100, INDEX, 0);
	assert_int_equal(nla_put(says.route[0], RTA_VIA, sizeof(via), via), 0);
	assert_int_equal(look(&u), 0);
	assert_false(u.entry[0].has_route);
}

/* ---- IPv6 ---------------------------------------------------------------------------------- */

static const struct ipv6 router = {{0xfe, 0x80, [15] = 1}}, router2 = {{0xfe, 0x80, [15] = 2}};

static struct nl_msg *route6_new(struct rtmsg header, uint32_t metric)
{
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	header.rtm_family = AF_INET6;
	header.rtm_table = RT_TABLE_MAIN;
	header.rtm_protocol = header.rtm_protocol ? header.rtm_protocol : RTPROT_RA;
	header.rtm_type = header.rtm_type ? header.rtm_type : RTN_UNICAST;
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put_u32(m, RTA_PRIORITY, metric), 0);
	return m;
}

static struct nl_msg *route6_by(struct rtmsg header, uint32_t metric, uint32_t index,
				const struct ipv6 *gateway)
{
	struct nl_msg *m = route6_new(header, metric);

	assert_int_equal(nla_put_u32(m, RTA_OIF, index), 0);
	if (gateway)
		assert_int_equal(nla_put(m, RTA_GATEWAY, 16, gateway->byte), 0);
	return m;
}

static struct nl_msg *address6_new(uint32_t index, uint8_t scope, uint8_t flags, uint8_t last)
{
	struct ifaddrmsg header = {
	    .ifa_family = AF_INET6, .ifa_index = index, .ifa_scope = scope, .ifa_flags = flags};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWADDR, 0);
	const struct ipv6 address = {{0x20, 1, [15] = last}};

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put(m, IFA_ADDRESS, 16, address.byte), 0);
	return m;
}

static void a_line_of_ipv6_is_its_router_and_its_addresses(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	says.ipv6 = true;
	says.route[0] = route6_by((struct rtmsg){0}, 1024, INDEX, &router2);
	says.route[1] = route6_by((struct rtmsg){0}, 512, INDEX, &router);
	says.route[2] = route6_by((struct rtmsg){0}, 100, INDEX + 1, &router2);
	says.address[0] = address6_new(INDEX, RT_SCOPE_UNIVERSE, 0, 9);
	says.address[1] = address6_new(INDEX, RT_SCOPE_LINK, 0, 8);
	says.address[2] = address6_new(INDEX, RT_SCOPE_UNIVERSE, IFA_F_TENTATIVE, 7);
	says.address[3] = address6_new(INDEX + 1, RT_SCOPE_UNIVERSE, 0, 6);
	assert_int_equal(look(&u), 0);
	assert_true(u.ipv6 && u.entry[0].has_route6 && !u.entry[0].has_route);
	assert_true(ipv6_equal(&u.entry[0].gateway6, &router));
	assert_int_equal(u.entry[0].address6_count, 1);
	assert_int_equal(u.entry[0].address6[0].byte[15], 9);
	assert_int_equal(u.entry[0].address_count, 0);
	says.ipv6 = false;
	assert_int_equal(look(&u), 0);
	assert_false(u.ipv6 || u.entry[0].has_route6 || u.entry[0].address6_count);
}

/* RFC 4191; the flag and the source come with the one that is taken. */
static void of_two_routers_the_preferred_one_is_taken(void **state)
{
	static const uint8_t low = 3, high = 1;
	const struct ipv6 source = {{0x20, 1, [15] = 9}};
	struct node_uplinks u = one();

	(void)state;
	says.ipv6 = true;
	says.route[0] = route6_by((struct rtmsg){0}, 1024, INDEX, &router2);
	says.route[1] = route6_by((struct rtmsg){.rtm_flags = RTNH_F_ONLINK}, 1024, INDEX, &router);
	says.route[2] = route6_by((struct rtmsg){0}, 1024, INDEX, &router2);
	assert_int_equal(nla_put(says.route[0], RTA_PREF, 1, &low), 0);
	assert_int_equal(nla_put(says.route[1], RTA_PREF, 1, &high), 0);
	assert_int_equal(nla_put(says.route[1], RTA_PREFSRC, 16, source.byte), 0);
	assert_int_equal(look(&u), 0);
	assert_true(ipv6_equal(&u.entry[0].gateway6, &router));
	assert_true(ipv6_equal(&u.entry[0].source6, &source));
	assert_true(u.entry[0].onlink6);
}

static void what_is_no_default_of_ipv6_is_none(void **state)
{
	static const struct rtmsg none[] = {
	    {.rtm_src_len = 64},	   {.rtm_dst_len = 64},
	    {.rtm_type = RTN_UNREACHABLE}, {.rtm_flags = RTNH_F_LINKDOWN},
	    {.rtm_flags = RTM_F_CLONED},   {.rtm_protocol = TUYEN_RTPROTO}};

	(void)state;
	says.ipv6 = true;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct node_uplinks u = one();

		nlmsg_free(says.route[0]);
		says.route[0] = route6_by(none[i], 100, INDEX, &router);
		assert_int_equal(look(&u), 0);
		assert_false(u.entry[0].has_route6);
	}
}

static void a_route_of_ipv6_of_several_legs_has_one_by_the_line(void **state)
{
	struct node_uplinks u = one();
	struct nlattr *nest;

	(void)state;
	says.ipv6 = true;
	says.route[0] = route6_new((struct rtmsg){0}, 100);
	nest = nla_nest_start(says.route[0], RTA_MULTIPATH);
	for (int i = 1; i >= 0; i--) {
		struct rtnexthop *leg = nlmsg_reserve(says.route[0], sizeof(*leg), NLMSG_ALIGNTO);

		*leg = (struct rtnexthop){.rtnh_len = sizeof(*leg) + 20, .rtnh_ifindex = INDEX + i};
		assert_int_equal(
		    nla_put(says.route[0], RTA_GATEWAY, 16, (i ? &router2 : &router)->byte), 0);
	}
	nla_nest_end(says.route[0], nest);
	assert_int_equal(look(&u), 0);
	assert_true(u.entry[0].has_route6 && ipv6_equal(&u.entry[0].gateway6, &router));
}

static struct nl_msg *link_new(size_t bytes)
{
	struct ifinfomsg header = {.ifi_index = INDEX};
	struct rtnl_link_stats64 stats = {
	    .rx_packets = 1, .tx_packets = 2, .rx_bytes = 1000, .tx_bytes = UINT64_C(5000000000)};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put(m, IFLA_STATS64, (int)bytes, &stats), 0);
	return m;
}

/* Both directions; a kernel that knows fewer counters says so by the length, one that says nothing of them counts nothing. */
static void a_line_is_counted(void **state)
{
	static const struct {
		size_t bytes;
		bool counted;
	} answers[] = {
	    {sizeof(struct rtnl_link_stats64), true}, {32, true}, {31, false}, {0, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct node_uplinks u = one();

		nlmsg_free(says.link);
		says.link = link_new(answers[i].bytes);
		assert_int_equal(look(&u), 0);
		assert_int_equal(u.entry[0].counted, answers[i].counted);
		assert_true(u.entry[0].received_bytes + u.entry[0].sent_bytes ==
			    (answers[i].counted ? UINT64_C(5000001000) : 0));
		assert_true(!answers[i].counted ||
			    u.entry[0].received_bytes != u.entry[0].sent_bytes);
	}
}

static void a_counter_that_could_not_be_asked_is_none_and_no_error(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	u.entry[0].counted = true;
	says.route[0] = route_by(200, INDEX, 0xc0000202);
	assert_int_equal(look(&u), 0);
	assert_false(u.entry[0].counted);
	assert_true(u.entry[0].has_route);
}

/* Between the question for its index and that for its routes. */
static void a_device_that_goes_meanwhile_has_no_route(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	u.entry[0].has_route = true;
	says.route_error = ENODEV;
	assert_int_equal(look(&u), 0);
	assert_false(u.entry[0].has_route);
}

static void a_device_that_is_not_there_has_nothing(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	u.entry[0].has_route = true;
	says.index = 0;
	assert_int_equal(look(&u), 0);
	assert_false(u.entry[0].has_route);
}

static void what_could_not_be_asked_is_an_error_and_changes_nothing(void **state)
{
	struct node_uplinks u = one();

	(void)state;
	u.entry[0].has_route = true;
	says.index = -TUYEN_ESYSTEM;
	assert_int_equal(look(&u), -TUYEN_ESYSTEM);
	assert_true(u.entry[0].has_route);
	says.index = INDEX;
	says.route_error = ENOMEM;
	assert_int_equal(look(&u), -TUYEN_ESYSTEM);
	assert_true(u.entry[0].has_route);
}

/* ---- next hops ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int error;
	bool answer;
	int err;
	ipv4_t gateway; /* 5: untouched */
} hops[] = {
    {"by a gateway", 0, true, 0, 0xc0000201},
    {"on the line", 0, false, 0, 0},
    {"no route", ENETUNREACH, false, 0, 0},
    {"unreachable", EHOSTUNREACH, false, 0, 0},
    {"prohibited", EACCES, false, 0, 0},
    {"blackhole", EINVAL, false, 0, 0},
    {"the answer is lost", ENOBUFS, false, -TUYEN_ESYSTEM, 5},
    {"the kernel has no memory", ENOMEM, false, -TUYEN_ESYSTEM, 5},
};

static void a_lan_is_closed_by_the_device_that_leads_to_it(void **state)
{
	const struct ipv4_prefix lan = {0x0a090100, 24};
	struct kernel kernel = {0};
	char device[KERNEL_IFNAME_MAX];

	(void)state;
	says.gateway = route_by(0, INDEX, 0);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(says.gateway)))->rtm_dst_len = 24;
	assert_int_equal(kernel_lan_closed(&kernel, lan, device), 0);
	assert_string_equal(device, "");
	says.closed = true;
	assert_int_equal(kernel_lan_closed(&kernel, lan, device), 0);
	assert_string_equal(device, "eth0");
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(says.gateway)))->rtm_dst_len =
	    0; /* by a default route */
	assert_int_equal(kernel_lan_closed(&kernel, lan, device), 0);
	assert_string_equal(device, "");
	says.ask_error = ENOBUFS;
	strcpy(device, "as it was");
	assert_int_equal(kernel_lan_closed(&kernel, lan, device), -TUYEN_ESYSTEM);
	assert_string_equal(device, "as it was");
}

static void an_address_may_be_the_box_s_own(void **state)
{
	struct kernel kernel = {0};
	bool own = false;

	(void)state;
	says.gateway = route_by(0, INDEX, 0);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(says.gateway)))->rtm_type = RTN_LOCAL;
	assert_int_equal(kernel_address_own(&kernel, 0x64500010, &own), 0);
	assert_true(own);
	((struct rtmsg *)nlmsg_data(nlmsg_hdr(says.gateway)))->rtm_type = RTN_UNICAST;
	assert_int_equal(kernel_address_own(&kernel, 0x64500010, &own), 0);
	assert_false(own);
	says.ask_error = ENOBUFS;
	assert_int_equal(kernel_address_own(&kernel, 0x64500010, &own), -TUYEN_ESYSTEM);
	assert_false(own);
}

static void a_way_leads_over_a_device(void **state)
{
	struct kernel kernel = {0};
	bool over = false;

	(void)state;
	says.gateway = route_by(0, INDEX, 0);
	assert_int_equal(kernel_leads_over(&kernel, 0xc0000201, INDEX, &over), 0);
	assert_true(over);
	assert_int_equal(kernel_leads_over(&kernel, 0xc0000201, INDEX + 1, &over), 0);
	assert_false(over);
	says.ask_error = ENOBUFS;
	assert_int_equal(kernel_leads_over(&kernel, 0xc0000201, INDEX, &over), -TUYEN_ESYSTEM);
	assert_false(over);
}

static void a_default_route_leads_over_a_device(void **state)
{
	struct kernel kernel = {0};
	bool is_default = true;

	(void)state;
	assert_int_equal(kernel_device_is_default(&kernel, "eth0", &is_default), 0);
	assert_false(is_default);
	says.route[0] = route_new(100);
	assert_int_equal(nla_put_u32(says.route[0], RTA_OIF, INDEX), 0);
	assert_int_equal(kernel_device_is_default(&kernel, "eth0", &is_default), 0);
	assert_true(is_default);
	says.route_error = ENOBUFS;
	assert_int_equal(kernel_device_is_default(&kernel, "eth0", &is_default), -TUYEN_ESYSTEM);
	assert_false(is_default);
}

static void a_next_hop_is_known_or_none_or_an_error(void **state)
{
	struct kernel kernel = {0};

	for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
		ipv4_t gateway = 5;
		uint32_t ifindex = 5, wanted;
		int err;

		clear(state);
		says.gateway = hops[i].answer ? route_by(0, INDEX, 0xc0000201) : NULL;
		says.ask_error = hops[i].error;
		err = kernel_next_hop(&kernel, 1, &gateway, &ifindex);
		wanted = hops[i].err ? 5 : hops[i].answer ? INDEX : 0;
		if (err != hops[i].err || gateway != hops[i].gateway || ifindex != wanted)
			fail_msg("%s: %d, %08x, %u", hops[i].name, err, gateway, ifindex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_line_is_its_route_and_its_addresses, clear, clear),
	    cmocka_unit_test_setup_teardown(a_route_of_several_legs_has_one_by_the_line, clear,
					    clear),
	    cmocka_unit_test_setup_teardown(a_dead_leg_is_none, clear, clear),
	    cmocka_unit_test_setup_teardown(a_gateway_of_ipv6_is_none, clear, clear),
	    cmocka_unit_test_setup_teardown(a_line_of_ipv6_is_its_router_and_its_addresses, clear,
					    clear),
	    cmocka_unit_test_setup_teardown(of_two_routers_the_preferred_one_is_taken, clear,
					    clear),
	    cmocka_unit_test_setup_teardown(what_is_no_default_of_ipv6_is_none, clear, clear),
	    cmocka_unit_test_setup_teardown(a_route_of_ipv6_of_several_legs_has_one_by_the_line,
					    clear, clear),
	    cmocka_unit_test_setup_teardown(a_line_is_counted, clear, clear),
	    cmocka_unit_test_setup_teardown(a_counter_that_could_not_be_asked_is_none_and_no_error,
					    clear, clear),
	    cmocka_unit_test_setup_teardown(a_device_that_goes_meanwhile_has_no_route, clear,
					    clear),
	    cmocka_unit_test_setup_teardown(a_device_that_is_not_there_has_nothing, clear, clear),
	    cmocka_unit_test_setup_teardown(what_could_not_be_asked_is_an_error_and_changes_nothing,
					    clear, clear),
	    cmocka_unit_test_setup_teardown(a_lan_is_closed_by_the_device_that_leads_to_it, clear,
					    clear),
	    cmocka_unit_test_setup_teardown(an_address_may_be_the_box_s_own, clear, clear),
	    cmocka_unit_test_setup_teardown(a_way_leads_over_a_device, clear, clear),
	    cmocka_unit_test_setup_teardown(a_default_route_leads_over_a_device, clear, clear),
	    cmocka_unit_test_setup_teardown(a_next_hop_is_known_or_none_or_an_error, clear, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
