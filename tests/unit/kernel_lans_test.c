/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/kernel/lans.c daemon/core/desired_nft.c daemon/core/desired.c daemon/core/desired_queue.c
// link: daemon/core/kernel_state.c daemon/core/repair.c topology/forwarding.c topology/labels.c topology/mtu.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
// libs: -lnl-3
/* What of a LAN lies behind which device. The kernel is a double: a table of routes; device 2 is "eth2". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/kernel/internal.h"

#define A(a, b, c, d) ((ipv4_t)(a) << 24 | (ipv4_t)(b) << 16 | (ipv4_t)(c) << 8 | (d))
#define ROUTES_MAX    36

struct route {
	ipv4_t to;
	uint8_t length, protocol;
	uint32_t device, another; /* a route of two legs */
};

struct more { /* of a route */
	uint32_t metric;
	bool via;	    /* a gateway of IPv6 */
	unsigned int flags; /* of the first leg, if there are two */
};

static struct {
	struct route routes[ROUTES_MAX];
	ipv4_t gateways[ROUTES_MAX], sources[ROUTES_MAX]; /* theirs */
	struct more more[ROUTES_MAX];
	int error, interrupted;
} says;

int kernel_device_name(struct kernel *kernel, uint32_t ifindex,
		       char ret_name[static KERNEL_IFNAME_MAX], bool *ret_inner)
{
	(void)kernel;
	memset(ret_name, 0, KERNEL_IFNAME_MAX);
	memcpy(ret_name, "eth0", 4);
	ret_name[3] = (char)('0' + ifindex);
	*ret_inner = false;
	return 0;
}

static void leg_put(struct nl_msg *m, uint32_t device, unsigned int flags)
{
	struct rtnexthop *leg = nlmsg_reserve(m, sizeof(*leg), NLMSG_ALIGNTO);

	*leg = (struct rtnexthop){.rtnh_len = sizeof(*leg),
				  .rtnh_flags = (unsigned char)flags,
				  .rtnh_ifindex = (int)device};
}

static struct nl_msg *route_new(const struct route *r, const struct more *more, ipv4_t gateway,
				ipv4_t source)
{
	struct rtmsg header = {.rtm_family = AF_INET,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_type = RTN_UNICAST,
			       .rtm_dst_len = r->length,
			       .rtm_flags = r->another ? 0 : more->flags,
			       .rtm_protocol = r->protocol};
	static const uint8_t via[18] = {AF_INET6, 0, 0xfe, 0x80};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_NEWROUTE, 0);

	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put_u32(m, RTA_DST, htonl(r->to)), 0);
	if (r->another) {
		struct nlattr *nest = nla_nest_start(m, RTA_MULTIPATH);

		leg_put(m, r->device, more->flags);
		leg_put(m, r->another, 0);
		nla_nest_end(m, nest);
	} else {
		assert_int_equal(nla_put_u32(m, RTA_OIF, r->device), 0);
	}
	if (gateway)
		assert_int_equal(nla_put_u32(m, RTA_GATEWAY, htonl(gateway)), 0);
	if (more->metric)
		assert_int_equal(nla_put_u32(m, RTA_PRIORITY, more->metric), 0);
	if (more->via)
		assert_int_equal(nla_put(m, RTA_VIA, sizeof(via), via), 0);
	if (source)
		assert_int_equal(nla_put_u32(m, RTA_PREFSRC, htonl(source)), 0);
	return m;
}

int channel_dump(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	uint8_t protocol = ((struct rtmsg *)nlmsg_data(nlmsg_hdr(request)))->rtm_protocol;
	int err = 0;

	(void)channel;
	nlmsg_free(request);
	if (says.error) {
		errno = ENOBUFS;
		return says.error;
	}
	for (size_t i = 0; !err && i < ROUTES_MAX && says.routes[i].device; i++) {
		struct nl_msg *m =
		    route_new(&says.routes[i], &says.more[i], says.gateways[i], says.sources[i]);

		if (says.routes[i].protocol == protocol)
			err = step(nlmsg_hdr(m), context);
		nlmsg_free(m);
	}
	return err ? err : says.interrupted-- > 0 ? -TUYEN_EAGAIN : 0;
}

static const struct ipv4_prefix lan = {A(10, 9, 1, 0), 24};

static struct desired_lines look(struct lan_claim *ret_claim)
{
	struct desired_lines lines = {.count = 0};
	struct kernel kernel = {0};

	assert_int_equal(kernel_lans_inner(&kernel, &lan, 1, &lines, ret_claim), 0);
	return lines;
}

static void routes_are(const struct route *routes, size_t count)
{
	memset(&says, 0, sizeof(says));
	memcpy(says.routes, routes, count * sizeof(*routes));
}

static const struct {
	const char *name;
	struct route routes[ROUTES_MAX];
	struct ipv4_prefix inner; /* length 0: none */
	const char *claimed_by;
} rows[] = {
    {"a line and a LAN",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0}},
     {A(10, 9, 1, 0), 24},
     ""},
    {"a lease with an address of the LAN",
     {{0, 0, RTPROT_BOOT, 1, 0},
      {A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0},
      {A(10, 9, 1, 128), 25, RTPROT_KERNEL, 1, 0}},
     {A(10, 9, 1, 0), 24},
     "eth1"},
    {"a lease with a route to one of its hosts",
     {{A(10, 9, 1, 10), 32, RTPROT_DHCP, 1, 0},
      {0, 0, RTPROT_DHCP, 1, 0},
      {A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0}},
     {A(10, 9, 1, 0), 24},
     "eth1"},
    {"a part of the LAN by a router",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 1, 64), 26, RTPROT_STATIC, 2, 0}},
     {A(10, 9, 1, 64), 26},
     ""},
    {"more than the LAN",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 0, 0, 0), 8, RTPROT_STATIC, 2, 0}},
     {A(10, 9, 1, 0), 24},
     ""},
    {"a route of two legs",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 1, 0), 24, RTPROT_STATIC, 1, 2}},
     {A(10, 9, 1, 0), 24},
     "eth1"},
    {"one device for both: nobody can tell",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 1, 0), 24, RTPROT_KERNEL, 1, 0}},
     {0, 0},
     ""},
    {"what is no LAN's",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 2, 0), 24, RTPROT_KERNEL, 2, 0}},
     {0, 0},
     ""},
    {"what is ours",
     {{0, 0, RTPROT_DHCP, 1, 0}, {A(10, 9, 1, 0), 24, TUYEN_RTPROTO, 2, 0}},
     {0, 0},
     ""},
};

static void a_lan_lies_behind_what_is_no_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct desired_lines lines;
		struct lan_claim claim;
		bool none = !rows[i].inner.length;

		routes_are(rows[i].routes, ROUTES_MAX);
		lines = look(&claim);
		if (lines.carrier_count != 1 || strcmp(lines.carrier[0], "eth1") != 0 ||
		    lines.inner_count != !none ||
		    (!none && ipv4_prefix_compare(&lines.inner[0], &rows[i].inner)) ||
		    strcmp(claim.device, rows[i].claimed_by) != 0)
			fail_msg("%s: %zu, %zu, '%s'", rows[i].name, lines.carrier_count,
				 lines.inner_count, claim.device);
	}
}

/* Where a line claims something the LAN's own ways stand before it: each by its device and gateway, and no carrier's. */
static void a_claim_is_passed_over(void **state)
{
	static const struct route routes[] = {
	    {0, 0, RTPROT_DHCP, 1, 0},
	    {A(10, 9, 1, 10), 32, RTPROT_DHCP, 1, 0},
	    {A(10, 9, 1, 64), 26, RTPROT_STATIC, 3, 0},
	    {A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0},
	    {A(10, 0, 0, 0), 8, RTPROT_STATIC, 3, 0},
	};
	struct desired_lines lines;
	struct lan_claim claim;

	(void)state;
	routes_are(routes, 5);
	says.gateways[2] = A(10, 9, 1, 2);
	says.sources[3] = A(10, 9, 1, 1);
	says.gateways[4] = A(10, 9, 1, 3);
	lines = look(&claim);
	assert_string_equal(claim.device, "eth1");
	assert_int_equal(lines.way_count, 2);
	assert_int_equal(lines.way[0].part.length, 24); /* and not by who leads to all of 10/8 */
	assert_string_equal(lines.way[0].device, "eth2");
	assert_int_equal(lines.way[0].gateway, 0);
	assert_int_equal(lines.way[0].source, A(10, 9, 1, 1));
	assert_int_equal(lines.way[1].part.length, 26);
	assert_string_equal(lines.way[1].device, "eth3");
	assert_int_equal(lines.way[1].gateway, A(10, 9, 1, 2));
	assert_int_equal(lines.way[1].source, 0);
	says.routes[1].device = 2; /* nobody claims it any more */
	lines = look(&claim);
	assert_int_equal(lines.way_count, 0);
}

/* Of several ways to one part. Device 1 is the line, which claims a host. */
static void the_best_way_to_a_part_is_kept(void **state)
{
	static const struct {
		const char *name, *device;
		const char *obstacle; /* NULL none */
		struct {
			struct route route;
			struct more more;
		} ways[2];
	} cases[] = {
	    {"the least metric, whoever made it",
	     "eth3",
	     NULL,
	     {{{A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0}, {600, false, 0}},
	      {{A(10, 9, 1, 0), 24, RTPROT_STATIC, 3, 0}, {100, false, 0}}}},
	    {"but one with light",
	     "eth2",
	     NULL,
	     {{{A(10, 9, 1, 0), 24, RTPROT_KERNEL, 2, 0}, {600, false, 0}},
	      {{A(10, 9, 1, 0), 24, RTPROT_STATIC, 3, 0}, {100, false, RTNH_F_LINKDOWN}}}},
	    {"the narrower, though both lead to the whole LAN",
	     "eth3",
	     NULL,
	     {{{A(10, 0, 0, 0), 8, RTPROT_KERNEL, 2, 0}, {0, false, 0}},
	      {{A(10, 9, 0, 0), 16, RTPROT_STATIC, 3, 0}, {100, false, 0}}}},
	    {"the leg with light",
	     "eth3",
	     NULL,
	     {{{A(10, 9, 1, 0), 24, RTPROT_STATIC, 2, 3}, {0, false, RTNH_F_DEAD}}}},
	    {"the first leg",
	     "eth2",
	     NULL,
	     {{{A(10, 9, 1, 0), 24, RTPROT_STATIC, 2, 3}, {0, false, 0}}}},
	    {"not by a gateway of IPv6, if it can be helped",
	     "eth3",
	     NULL,
	     {{{A(10, 9, 1, 0), 24, RTPROT_STATIC, 2, 0}, {100, true, 0}},
	      {{A(10, 9, 1, 0), 24, RTPROT_STATIC, 3, 0}, {600, false, 0}}}},
	    {"none where it cannot",
	     NULL,
	     "a gateway of IPv6",
	     {{{A(10, 9, 1, 64), 26, RTPROT_STATIC, 2, 0}, {0, true, 0}},
	      {{A(10, 9, 1, 0), 24, RTPROT_KERNEL, 3, 0}, {0, false, 0}}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route routes[] = {{0, 0, RTPROT_DHCP, 1, 0},
					 {A(10, 9, 1, 10), 32, RTPROT_DHCP, 1, 0},
					 cases[i].ways[0].route,
					 cases[i].ways[1].route};
		const char *wanted = cases[i].obstacle ? cases[i].obstacle : "";
		struct desired_lines lines;
		struct lan_claim claim;

		routes_are(routes, 4);
		says.more[2] = cases[i].ways[0].more;
		says.more[3] = cases[i].ways[1].more;
		lines = look(&claim);
		if (strcmp(claim.obstacle ? claim.obstacle : "", wanted) != 0 ||
		    lines.way_count != (cases[i].device != NULL) ||
		    (cases[i].device && strcmp(lines.way[0].device, cases[i].device) != 0))
			fail_msg("%s: %zu by '%s'", cases[i].name, lines.way_count,
				 lines.way[0].device);
	}
}

static void more_parts_than_there_is_room_for_are_said(void **state)
{
	struct route routes[ROUTES_MAX] = {{0, 0, RTPROT_DHCP, 1, 0},
					   {A(10, 9, 1, 255), 32, RTPROT_DHCP, 1, 0},
					   {A(10, 9, 1, 248), 29, RTPROT_KERNEL, 2, 0}};

	(void)state;
	for (uint32_t parts = DESIRED_INNER_MAX; parts <= DESIRED_INNER_MAX + 1; parts++) {
		bool more = parts > DESIRED_INNER_MAX;
		struct desired_lines lines;
		struct lan_claim claim;

		for (uint32_t i = 1; i < parts; i++)
			routes[2 + i] = (struct route){A(10, 9, 1, 2 * i), 32, RTPROT_STATIC, 2, 0};
		routes_are(routes, ROUTES_MAX);
		lines = look(&claim);
		assert_string_equal(claim.device, "eth1");
		assert_int_equal(lines.inner_more, more);
		assert_int_equal(lines.way_count, more ? 0 : DESIRED_INNER_MAX);
		assert_string_equal(claim.obstacle ? claim.obstacle : "",
				    more ? "more than 32 parts" : "");
	}
}

static void what_was_interrupted_is_read_anew(void **state)
{
	struct desired_lines lines;
	struct lan_claim claim;

	(void)state;
	routes_are(rows[1].routes, ROUTES_MAX);
	says.interrupted = 2;
	lines = look(&claim);
	assert_int_equal(lines.inner_count, 1);
	assert_string_equal(claim.device, "eth1");
}

static void without_an_answer_all_is_as_it_was(void **state)
{
	struct desired_lines lines = {.count = 0};
	struct lan_claim claim = {.device = "as it was"};
	struct kernel kernel = {0};

	(void)state;
	says.error = -TUYEN_ESYSTEM;
	assert_int_equal(kernel_lans_inner(&kernel, &lan, 1, &lines, &claim), -TUYEN_ESYSTEM);
	assert_int_equal(lines.carrier_count + lines.inner_count, 0);
	assert_string_equal(claim.device, "as it was");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lan_lies_behind_what_is_no_line),
	    cmocka_unit_test(a_claim_is_passed_over),
	    cmocka_unit_test(the_best_way_to_a_part_is_kept),
	    cmocka_unit_test(more_parts_than_there_is_room_for_are_said),
	    cmocka_unit_test(what_was_interrupted_is_read_anew),
	    cmocka_unit_test(without_an_answer_all_is_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
