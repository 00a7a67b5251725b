/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/uplink.c daemon/core/kernel_state.c daemon/core/plan.c daemon/core/plan_print.c topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
/* Which device a line is: words that say it, and the routes that come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"
#include "tuyen/core/uplink.h"

static const struct {
	const char *words;
	int count; /* -1: refused */
	const char *first, *last_device;
} lists[] = {
    {"", 0, NULL, NULL},
    {"fibre=eth0", 1, "fibre", "eth0"},
    {"fibre=eth0,lte=wwan0", 2, "fibre", "wwan0"},
    {"đường-quang=eth0", 1, "đường-quang", "eth0"},
    {"fibre", -1, NULL, NULL},
    {"fibre=", -1, NULL, NULL},
    {"=eth0", -1, NULL, NULL},
    {"fibre=eth0=eth1", -1, NULL, NULL},
    {"fibre=eth0,,lte=wwan0", -1, NULL, NULL},
    {"fibre=eth0,", -1, NULL, NULL},
    {",", -1, NULL, NULL},
    {"fibre=eth0,fibre=eth1", -1, NULL, NULL},
    {"fibre=eth0,lte=eth0", -1, NULL, NULL},
    {"a=1,b=2,b=3", -1, NULL, NULL},
    {"a=1,b=2,c=2", -1, NULL, NULL},
    {"fibre=a-device-of-16-b", -1, NULL, NULL},
    {"fibre=../eth0", -1, NULL, NULL},
    {"fibre=eth 0", -1, NULL, NULL},
    {"fibre=eth*", -1, NULL, NULL},
    {"fibre=\"eth0\"", -1, NULL, NULL},
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8", 8, "a", "8"},
    {"a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9", -1, NULL, NULL},
};

static void words_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct node_uplinks u = {.count = 99};
		struct reason reason;
		int err = node_uplinks_parse(lists[i].words, &u, &reason);

		if ((err < 0) != (lists[i].count < 0) ||
		    (err < 0 && (err != -TUYEN_EINVAL || u.count != 99)))
			fail_msg("'%s': %d, %zu", lists[i].words, err, u.count);
		if (lists[i].count <= 0)
			continue;
		assert_int_equal(u.count, lists[i].count);
		assert_string_equal(u.entry[0].underlay, lists[i].first);
		assert_string_equal(u.entry[u.count - 1].device, lists[i].last_device);
	}
}

/* ---- what comes of them --------------------------------------------------------------------- */

#define AT(last)                                                                                   \
	{                                                                                          \
		.family = 4, .address = { 198, 51, 100, last }                                     \
	}
#define SEEN(last) AT(last)
#define NOWHERE_SEEN                                                                               \
	{                                                                                          \
		.family = 0                                                                        \
	}
#define AT6(last)                                                                                  \
	{                                                                                          \
		.family = 6, .address = { 0x20, 1, 0xd, 0xb8, [15] = last }                        \
	}

static struct fwd_neighbor neighbors[] = {
    {.site_id = 100,
     .name = "a",
     .underlay = "vsat",
     .caller = true,
     .endpoint = AT(2)}, /* no such line here; as 102 */
    {.site_id = 101, .name = "b", .underlay = "fibre", .caller = true, .endpoint = AT(1)},
    {.site_id = 102, .name = "c", .underlay = "lte", .caller = true, .endpoint = AT(2)},
    {.site_id = 103,
     .name = "d",
     .underlay = "lte",
     .caller = true,
     .endpoint = AT(1)}, /* as 101 */
    {.site_id = 105,
     .name = "e",
     .underlay = "lte",
     .caller = true,
     .endpoint = {.family = 6, .address = {0x20, 1}}},
    {.site_id = 901, .name = "f", .underlay = "lte"}, /* these call */
    {.site_id = 902, .name = "g", .underlay = "fibre"},
    {.site_id = 903, .name = "h", .underlay = "vsat"},
};

static const struct forwarding forwarding = {.neighbors = neighbors, .neighbor_count = 8};

static const struct node_uplinks two = {.count = 2,
					.entry = {{.underlay = "fibre",
						   .device = "eth0",
						   .has_route = true,
						   .gateway = 0xcb007101,
						   .source = 0xcb007105,
						   .address = {0xcb007105, 0xcb007106},
						   .address_count = 2},
						  {.underlay = "lte",
						   .device = "wwan0",
						   .has_route = true,
						   .address = {0x0a400001},
						   .address_count = 1}}};

#define RULE_CALLED "ip rule add priority 9000 fwmark 0x57000000/0xff00ffff table 530000\n"
#define RULE_SEEN   "ip rule add priority 9100 fwmark 0x57000000/0xff00ffff table 531000\n"
#define RULE_SHARED "ip rule add priority 9300 fwmark 0x57000000/0xff00ffff table 533000\n"
#define RULE_LINE(from, table)                                                                     \
	"ip rule add priority 9200 from " from "/32 fwmark 0x57000000/0xff00ffff table " table "\n"
#define BY_ETH0(to, table)                                                                         \
	"ip route add " to                                                                         \
	" via 203.0.113.1 dev eth0 onlink src 203.0.113.5 metric 84 table " table                  \
	"\n" NOWHERE(to, table)
#define BY_WWAN0(to, table)                                                                        \
	"ip route add " to " dev wwan0 metric 84 table " table "\n" NOWHERE(to, table)
#define NOWHERE(to, table) "ip route add unreachable " to " metric 85 table " table "\n"

/* In the words of ip(8): routes, then rules. */
static void comes_of_these(const struct forwarding *f, const struct node_uplinks *u,
			   const struct ip_endpoint *seen, const char *words)
{
	struct kernel_state *s = kernel_state_new(), *nothing = kernel_state_new();
	struct kernel_plan *plan;
	struct reason reason;
	struct text text;

	text_init(&text);
	assert_int_equal(node_uplinks_desire(u, f, seen, s), 0);
	kernel_state_sort(s);
	assert_int_equal(kernel_plan_build(s, nothing, &plan, &reason), 0);
	kernel_plan_print(plan, &text);
	assert_string_equal(text_string(&text), words);
	text_clear(&text);
	kernel_plan_free(plan);
	kernel_state_free(nothing);
	kernel_state_free(s);
}

static void comes_of(const struct node_uplinks *u, const struct ip_endpoint *seen,
		     const char *words)
{
	comes_of_these(&forwarding, u, seen, words);
}

/* On PPP what is there is the other end. */
static void without_a_gateway_the_scope_is_the_link(void **state)
{
	struct kernel_state *s = kernel_state_new();

	(void)state;
	assert_int_equal(node_uplinks_desire(&two, &forwarding, NULL, s), 0);
	for (size_t i = 0; i < s->route_count; i++)
		assert_int_equal(s->routes[i].link_scope, !strcmp(s->routes[i].device, "wwan0"));
	kernel_state_free(s);
}

static void without_uplinks_nothing_is_added(void **state)
{
	const struct node_uplinks none = {0};

	(void)state;
	comes_of(&none, NULL, "");
}

static void each_line_has_its_neighbours(void **state)
{
	(void)state;
	comes_of(&two, NULL,
		 BY_ETH0("198.51.100.1/32", "530000") BY_WWAN0("198.51.100.2/32", "530000")
		     BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
			 RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001")
			     RULE_LINE("203.0.113.5", "532000") RULE_LINE("203.0.113.6", "532000")
				 RULE_SHARED);
}

/* 101 is where it is called; 102 roamed; 901 and 902 call from behind one translator by two lines: their sources alone tell. */
static void peers_go_by_their_line_wherever_they_are(void **state)
{
	const struct ip_endpoint seen[8] = {SEEN(70),	  SEEN(1),  SEEN(72), NOWHERE_SEEN,
					    NOWHERE_SEEN, SEEN(99), SEEN(99), SEEN(73)};

	(void)state;
	comes_of(&two, seen,
		 BY_ETH0("198.51.100.1/32", "530000") BY_WWAN0("198.51.100.2/32", "530000")
		     BY_WWAN0("198.51.100.72/32", "531000") BY_ETH0("0.0.0.0/0", "532000")
			 BY_WWAN0("0.0.0.0/0", "532001") NOWHERE("198.51.100.99/32", "533000")
			     RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001")
				 RULE_LINE("203.0.113.5", "532000")
				     RULE_LINE("203.0.113.6", "532000") RULE_SHARED);
}

/* Three behind one translator: that the first and the last of them go by one line tells nothing of the second. */
static void one_of_another_line_is_enough_to_share_a_place(void **state)
{
	struct fwd_neighbor n[] = {{.site_id = 1, .name = "a", .underlay = "fibre"},
				   {.site_id = 2, .name = "b", .underlay = "lte"},
				   {.site_id = 3, .name = "c", .underlay = "fibre"}};
	const struct ip_endpoint seen[3] = {SEEN(9), SEEN(9), SEEN(9)};
	const struct forwarding f = {.neighbors = n, .neighbor_count = 3};

	(void)state;
	comes_of_these(&f, &two, seen,
		       BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
			   NOWHERE("0.0.0.0/0", "533000") NOWHERE("198.51.100.9/32", "533000")
			       RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001")
				   RULE_LINE("203.0.113.5", "532000")
				       RULE_LINE("203.0.113.6", "532000") RULE_SHARED);
}

static void a_line_without_a_route_leads_nowhere(void **state)
{
	const struct node_uplinks u = {.count = 1,
				       .entry = {{.underlay = "fibre", .device = "eth0"}}};

	(void)state;
	comes_of(&u, NULL,
		 NOWHERE("198.51.100.1/32", "530000") NOWHERE("0.0.0.0/0", "532000")
		     RULE_CALLED RULE_SEEN RULE_SHARED);
}

static void an_address_of_two_lines_tells_neither(void **state)
{
	struct node_uplinks u = two;

	(void)state;
	u.entry[1].address[0] = u.entry[0].address[1];
	comes_of(&u, NULL,
		 BY_ETH0("198.51.100.1/32", "530000") BY_WWAN0("198.51.100.2/32", "530000")
		     BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
			 RULE_CALLED RULE_SEEN RULE_LINE("203.0.113.5", "532000") RULE_SHARED);
}

static void what_link0_sends_is_marked(void **state)
{
	const struct node_uplinks none = {0};
	struct kernel_state *s = kernel_state_new();
	struct kernel_device *device = kernel_state_add_device(s);

	(void)state;
	strcpy(device->name, LINK_DEVICE);
	assert_int_equal(node_uplinks_desire(&none, &forwarding, NULL, s), 0);
	assert_int_equal(s->devices[0].fwmark, 0);
	assert_int_equal(node_uplinks_desire(&two, &forwarding, NULL, s), 0);
	assert_int_equal(s->devices[0].fwmark, TUYEN_MARK_LINK);
	kernel_state_free(s);
}

/* All the neighbours' lines are named: what is none of theirs, or none's yet, does not leave by the box's own routes. */
static void what_is_nobodys_goes_nowhere(void **state)
{
	const struct ip_endpoint seen[2] = {SEEN(70), NOWHERE_SEEN};
	struct forwarding f = {.neighbors = neighbors + 1, .neighbor_count = 2};
	struct node_uplinks u = two;
	struct kernel_state *s = kernel_state_new();

	(void)state;
	comes_of_these(&f, &two, seen,
		       BY_ETH0("198.51.100.1/32", "530000") BY_WWAN0("198.51.100.2/32", "530000")
			   BY_ETH0("198.51.100.70/32", "531000") BY_ETH0("0.0.0.0/0", "532000")
			       BY_WWAN0("0.0.0.0/0", "532001") NOWHERE("0.0.0.0/0", "533000")
				   RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001")
				       RULE_LINE("203.0.113.5", "532000")
					   RULE_LINE("203.0.113.6", "532000") RULE_SHARED);
	u.entry[1].address[0] = u.entry[0].address[1]; /* an answer from that one has no rule */
	comes_of_these(&f, &u, seen,
		       BY_ETH0("198.51.100.1/32", "530000") BY_WWAN0("198.51.100.2/32", "530000")
			   BY_ETH0("198.51.100.70/32", "531000") BY_ETH0("0.0.0.0/0", "532000")
			       BY_WWAN0("0.0.0.0/0", "532001")
				   RULE_CALLED RULE_SEEN RULE_LINE("203.0.113.5", "532000")
				       RULE_SHARED);
	u = two;
	for (ipv4_t a = 1; a < 20; a++)
		node_uplink_address_add(&u.entry[1], a);
	assert_int_equal(node_uplinks_desire(&u, &f, seen, s), 0);
	for (size_t i = 0; i < s->route_count; i++)
		assert_true(s->routes[i].table != TUYEN_TABLE_SHARED);
	kernel_state_free(s);
	f = (struct forwarding){.neighbors = neighbors, .neighbor_count = 1};
	comes_of_these(&f, &two, NULL,
		       BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
			   RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001")
			       RULE_LINE("203.0.113.5", "532000") RULE_LINE("203.0.113.6", "532000")
				   RULE_SHARED);
}

/* WireGuard calls a new peer at once, and again 5 s after it found no way. */
static void ways_come_before_those_whom_they_lead_to(void **state)
{
	struct kernel_state *s = kernel_state_new(), *nothing = kernel_state_new();
	struct kernel_device *device = kernel_state_add_device(s);
	struct kernel_peer *peer = kernel_state_add_peer(s);
	struct kernel_plan *plan;
	struct reason reason;
	struct text text;
	const char *way, *call;

	(void)state;
	strcpy(device->name, LINK_DEVICE);
	strcpy(peer->device, LINK_DEVICE);
	assert_int_equal(node_uplinks_desire(&two, &forwarding, NULL, s), 0);
	kernel_state_sort(s);
	assert_int_equal(kernel_plan_build(s, nothing, &plan, &reason), 0);
	text_init(&text);
	kernel_plan_print(plan, &text);
	way = strstr(text_string(&text), "table 530000");
	call = strstr(text_string(&text), "wg set");
	assert_true(way && call && way < strstr(call, "peer") && !strstr(call, "ip route"));
	text_clear(&text);
	kernel_plan_free(plan);
	kernel_state_free(nothing);
	kernel_state_free(s);
}

/* One site by two lines, at one address: each device has ways of its own, and there is no conflict. */
static void a_parallel_link_goes_by_its_own_line(void **state)
{
	static const char *const words[] = {
	    BY_ETH0("198.51.100.1/32", "530000"),
	    BY_WWAN0("198.51.100.1/32", "534000"),
	    BY_ETH0("0.0.0.0/0", "532000"),
	    BY_WWAN0("0.0.0.0/0", "536001"),
	    NOWHERE("0.0.0.0/0", "533000"),
	    NOWHERE("0.0.0.0/0", "537000"),
	    RULE_CALLED,
	    "ip rule add priority 9400 fwmark 0x58000000/0xff00ffff table 534000\n",
	    "ip rule add priority 9600 from 10.64.0.1/32 fwmark 0x58000000/0xff00ffff table 536001\n",
	    "ip rule add priority 9700 fwmark 0x58000000/0xff00ffff table 537000\n",
	};
	struct fwd_neighbor both[] = {neighbors[1], neighbors[1]};
	const struct forwarding f = {.neighbors = both, .neighbor_count = 2};
	const struct fwd_neighbor *first, *second;
	struct kernel_state *s = kernel_state_new(), *nothing = kernel_state_new();
	struct kernel_plan *plan;
	struct reason reason;
	struct text text;

	(void)state;
	both[1].site_id += PARALLEL_ID;
	strcpy(both[1].underlay, "lte");
	assert_false(node_uplinks_conflict(&two, &f, &first, &second));
	strcpy(kernel_state_add_device(s)->name, LINK_DEVICE);
	strcpy(kernel_state_add_device(s)->name, PARALLEL_DEVICE);
	assert_int_equal(node_uplinks_desire(&two, &f, NULL, s), 0);
	assert_int_equal(s->devices[0].fwmark, TUYEN_MARK_LINK);
	assert_int_equal(s->devices[1].fwmark, TUYEN_MARK_PARALLEL);
	s->device_count = 0; /* of them enough is said */
	kernel_state_sort(s);
	text_init(&text);
	assert_int_equal(kernel_plan_build(s, nothing, &plan, &reason), 0);
	kernel_plan_print(plan, &text);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strstr(text_string(&text), words[i]))
			fail_msg("not there: %s%s", words[i], text_string(&text));
	text_clear(&text);
	kernel_plan_free(plan);
	kernel_state_free(nothing);
	kernel_state_free(s);
}

/* Who calls a site over two lines of its own is to name both. */
static void lines_of_parallel_links_are_named(void **state)
{
	static const struct {
		const char *uplinks, *lines[2];
		bool calls[2], unnamed;
	} rows[] = {
	    {"fibre=eth0,lte=wwan0", {"fibre", "lte"}, {true, true}, false},
	    {"", {"fibre", "lte"}, {true, true}, true},
	    {"fibre=eth0", {"fibre", "lte"}, {true, true}, true},
	    {"lte=wwan0", {"fibre", "lte"}, {true, true}, true},
	    {"vsat=eth2,lte=wwan0", {"fibre", "lte"}, {true, true}, true},
	    {"", {"fibre", "lte"}, {false, false}, false},
	    {"", {"fibre", "lte"}, {true, false}, false},
	    {"", {"fibre", "lte"}, {false, true}, false},
	    {"", {"fibre", "fibre"}, {true, true}, false}, /* the other site has two lines */
	};
	struct fwd_neighbor both[] = {neighbors[1], neighbors[1]};
	struct forwarding f = {.neighbors = both, .neighbor_count = 2};
	const struct fwd_neighbor *link = NULL, *parallel = NULL;

	(void)state;
	both[1].site_id += PARALLEL_ID;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct node_uplinks u;
		struct reason reason;

		assert_int_equal(node_uplinks_parse(rows[i].uplinks, &u, &reason), 0);
		for (int k = 0; k < 2; k++) {
			strcpy(both[k].underlay, rows[i].lines[k]);
			both[k].caller = rows[i].calls[k];
		}
		if (node_uplinks_unnamed(&u, &f, &link, &parallel) != rows[i].unnamed)
			fail_msg("row %zu", i);
	}
	assert_ptr_equal(link, &both[0]);
	assert_ptr_equal(parallel, &both[1]);
	f.neighbor_count = 1; /* no parallel link */
	assert_false(node_uplinks_unnamed(&(struct node_uplinks){0}, &f, &link, &parallel));
}

static void a_line_that_no_link_goes_by_may_be_misspelt(void **state)
{
	struct forwarding f = forwarding;
	struct node_uplinks u = two;

	(void)state;
	assert_null(node_uplinks_unused(&two, &forwarding));
	assert_null(node_uplinks_unused(&(struct node_uplinks){0}, &forwarding));
	u.entry[1].underlay[0] = 'x';
	assert_ptr_equal(node_uplinks_unused(&u, &forwarding), &u.entry[1]);
	u.entry[0].underlay[0] = 'x';
	assert_ptr_equal(node_uplinks_unused(&u, &forwarding), &u.entry[0]);
	f.neighbors = neighbors + 1; /* the one that is left goes by the first line */
	f.neighbor_count = 1;
	assert_ptr_equal(node_uplinks_unused(&two, &f), &two.entry[1]);
}

static void two_lines_to_one_address_are_a_conflict(void **state)
{
	const struct fwd_neighbor *first = NULL, *second = NULL;
	struct forwarding f = forwarding;

	(void)state;
	assert_true(node_uplinks_conflict(&two, &f, &first, &second));
	assert_string_equal(first->name, "b");
	assert_string_equal(second->name, "d");
	f.neighbor_count = 3; /* "a" goes by no line of ours: no conflict with "c" */
	assert_false(node_uplinks_conflict(&two, &f, &first, &second));
	f.neighbor_count = 0;
	assert_false(node_uplinks_conflict(&two, &f, &first, &second));
}

/* Three are called at one address, a translator's: by one line; the last by another; and all over parallel links. */
static void the_last_of_three_at_one_address_may_be_the_conflict(void **state)
{
	struct fwd_neighbor n[] = {neighbors[1], neighbors[1], neighbors[1]};
	const struct forwarding f = {.neighbors = n, .neighbor_count = 3};
	const struct fwd_neighbor *first = NULL, *second = NULL;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		n[i].site_id = 101 + i;
	assert_false(node_uplinks_conflict(&two, &f, &first, &second));
	strcpy(n[2].underlay, "lte");
	for (int parallel = 0; parallel < 2; parallel++) {
		first = second = NULL;
		assert_true(node_uplinks_conflict(&two, &f, &first, &second));
		assert_ptr_equal(first, &n[0]);
		assert_ptr_equal(second, &n[2]);
		for (size_t i = 0; i < 3; i++)
			n[i].site_id += PARALLEL_ID;
	}
}

/* The way, and apart from it, in the order of tables, what leads nowhere. */
#define BY_ETH0_6(to, table)                                                                       \
	"ip -6 route add " to " via fe80::1 dev eth0 metric 84 table " table "\n"
#define BY_WWAN0_6(to, table) "ip -6 route add " to " dev wwan0 metric 84 table " table "\n"
#define NOWHERE_6(to, table)  "ip -6 route add unreachable " to " metric 85 table " table "\n"
#define RULE_6(priority, from, table)                                                              \
	"ip -6 rule add priority " priority from " fwmark 0x57000000/0xff00ffff table " table "\n"
#define RULES_6                                                                                    \
	RULE_6("9000", "", "530000")                                                               \
	RULE_6("9001", "", "530500")                                                               \
	RULE_6("9100", "", "531000")                                                               \
	RULE_6("9101", "", "531500")                                                               \
	RULE_6("9200", " from 2001:db8:1::5/128", "532000")                                        \
	RULE_6("9200", " from 2001:db8:2::5/128", "532001")                                        \
	RULE_6("9201", " from 2001:db8:1::5/128", "532500")                                        \
	RULE_6("9201", " from 2001:db8:2::5/128", "532501") RULE_6("9300", "", "533000")
#define LINES_6                                                                                    \
	BY_ETH0_6("::/0", "532000")                                                                \
	BY_WWAN0_6("::/0", "532001")                                                               \
	NOWHERE_6("::/0", "532500") NOWHERE_6("::/0", "532501") NOWHERE_6("::/0", "533000")
#define RULES_4                                                                                    \
	RULE_CALLED RULE_SEEN RULE_LINE("10.64.0.1", "532001") RULE_LINE("203.0.113.5", "532000")  \
	    RULE_LINE("203.0.113.6", "532000") RULE_SHARED

static struct node_uplinks two_of_both(void)
{
	const struct ipv6 fibre = {{0x20, 1, 0xd, 0xb8, 0, 1, [15] = 5}},
			  lte = {{0x20, 1, 0xd, 0xb8, 0, 2, [15] = 5}};
	struct node_uplinks u = two;

	u.ipv6 = true;
	u.entry[0].has_route6 = u.entry[1].has_route6 = true;
	u.entry[0].gateway6 = (struct ipv6){{0xfe, 0x80, [15] = 1}};
	node_uplink_address6_add(&u.entry[0], &fibre);
	node_uplink_address6_add(&u.entry[1], &lte);
	return u;
}

/* 1 is called over the fibre, 2 over lte; 2 is seen at 7; 901 calls by lte. */
static struct fwd_neighbor neighbors6[] = {
    {.site_id = 1, .name = "a", .underlay = "fibre", .caller = true, .endpoint = AT6(1)},
    {.site_id = 2, .name = "b", .underlay = "lte", .caller = true, .endpoint = AT6(2)},
    {.site_id = 901, .name = "c", .underlay = "lte"},
};

static void ipv6_is_led_the_same_way(void **state)
{
	const struct ip_endpoint seen[3] = {AT6(1), AT6(7), AT6(9)};
	const struct forwarding f = {.neighbors = neighbors6, .neighbor_count = 3};
	struct node_uplinks u = two_of_both();

	(void)state;
	comes_of_these(
	    &f, &u, seen,
	    BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
		NOWHERE("0.0.0.0/0", "533000") BY_ETH0_6("2001:db8::1/128", "530000") BY_WWAN0_6(
		    "2001:db8::2/128", "530000") NOWHERE_6("2001:db8::1/128", "530500")
		    NOWHERE_6("2001:db8::2/128", "530500") BY_WWAN0_6("2001:db8::7/128", "531000")
			BY_WWAN0_6("2001:db8::9/128", "531000")
			    NOWHERE_6("2001:db8::7/128", "531500")
				NOWHERE_6("2001:db8::9/128", "531500") LINES_6 RULES_4 RULES_6);
}

static void an_ipv6_line_that_is_lost_leads_nowhere(void **state)
{
	const struct forwarding f = {.neighbors = neighbors6, .neighbor_count = 2};
	struct node_uplinks u = {
	    .ipv6 = true, .count = 1, .entry = {{.underlay = "fibre", .device = "eth0"}}};

	(void)state;
	comes_of_these(&f, &u, NULL,
		       NOWHERE("0.0.0.0/0", "532000") NOWHERE_6("2001:db8::1/128", "530500")
			   NOWHERE_6("::/0", "532500")
			       RULE_CALLED RULE_SEEN RULE_SHARED RULE_6("9000", "", "530000")
				   RULE_6("9001", "", "530500") RULE_6("9100", "", "531000")
				       RULE_6("9101", "", "531500") RULE_6("9300", "", "533000"));
	u.ipv6 = false; /* a kernel without it takes no route of it */
	comes_of_these(&f, &u, NULL,
		       NOWHERE("0.0.0.0/0", "532000") RULE_CALLED RULE_SEEN RULE_SHARED);
}

/* The two families of a line fail apart. */
static void each_family_has_its_own_route(void **state)
{
	struct fwd_neighbor n[] = {neighbors[1], neighbors6[0]};
	const struct forwarding f = {.neighbors = n, .neighbor_count = 2};
	struct node_uplinks u = two_of_both();

	(void)state;
	u.count = 1;
	u.entry[0].has_route6 = false;
	u.entry[0].address_count = u.entry[0].address6_count = 0;
	comes_of_these(&f, &u, NULL,
		       BY_ETH0("198.51.100.1/32", "530000") BY_ETH0("0.0.0.0/0", "532000")
			   NOWHERE("0.0.0.0/0", "533000") NOWHERE_6("2001:db8::1/128", "530500")
			       NOWHERE_6("::/0", "532500") NOWHERE_6("::/0", "533000")
				   RULE_CALLED RULE_SEEN RULE_SHARED RULE_6("9000", "", "530000")
				       RULE_6("9001", "", "530500") RULE_6("9100", "", "531000")
					   RULE_6("9101", "", "531500")
					       RULE_6("9300", "", "533000"));
	u.entry[0].has_route6 = true;
	u.entry[0].has_route = false;
	comes_of_these(
	    &f, &u, NULL,
	    NOWHERE("198.51.100.1/32", "530000") NOWHERE("0.0.0.0/0", "532000")
		NOWHERE("0.0.0.0/0", "533000") BY_ETH0_6("2001:db8::1/128", "530000")
		    NOWHERE_6("2001:db8::1/128", "530500") BY_ETH0_6("::/0", "532000")
			NOWHERE_6("::/0", "532500") NOWHERE_6("::/0", "533000")
			    RULE_CALLED RULE_SEEN RULE_SHARED RULE_6("9000", "", "530000")
				RULE_6("9001", "", "530500") RULE_6("9100", "", "531000")
				    RULE_6("9101", "", "531500") RULE_6("9300", "", "533000"));
}

/* One site by two lines at one address: link1's packets are led by rules and tables of their own. */
static void a_parallel_link_of_ipv6_goes_by_its_own_line(void **state)
{
	static const struct kernel_rule6 rules[] = {
	    {9400, TUYEN_MARK_PARALLEL, TUYEN_MARK_MASK, {{{0}}, 0}, 534000},
	    {9401, TUYEN_MARK_PARALLEL, TUYEN_MARK_MASK, {{{0}}, 0}, 534500},
	    {9500, TUYEN_MARK_PARALLEL, TUYEN_MARK_MASK, {{{0}}, 0}, 535000},
	    {9501, TUYEN_MARK_PARALLEL, TUYEN_MARK_MASK, {{{0}}, 0}, 535500},
	    {9700, TUYEN_MARK_PARALLEL, TUYEN_MARK_MASK, {{{0}}, 0}, 537000}};
	static const struct {
		uint32_t table;
		uint8_t length;
		const char *device;
	} routes[] = {{530000, 128, "eth0"}, {530500, 128, ""},	     {532000, 0, "eth0"},
		      {532001, 0, "wwan0"},  {532500, 0, ""},	     {532501, 0, ""},
		      {533000, 0, ""},	     {534000, 128, "wwan0"}, {534500, 128, ""},
		      {536000, 0, "eth0"},   {536001, 0, "wwan0"},   {536500, 0, ""},
		      {536501, 0, ""},	     {537000, 0, ""}};
	struct fwd_neighbor both[] = {neighbors6[0], neighbors6[0]};
	const struct forwarding f = {.neighbors = both, .neighbor_count = 2};
	struct kernel_state *s = kernel_state_new();
	struct node_uplinks u = two_of_both();

	(void)state;
	both[1].site_id += PARALLEL_ID;
	strcpy(both[1].underlay, "lte");
	strcpy(kernel_state_add_device(s)->name, LINK_DEVICE);
	strcpy(kernel_state_add_device(s)->name, PARALLEL_DEVICE);
	assert_int_equal(node_uplinks_desire(&u, &f, NULL, s), 0);
	kernel_state_sort(s);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_non_null(bsearch(&rules[i], s->rules6, s->rule6_count, sizeof(rules[0]),
					kernel_rule6_compare));
	assert_int_equal(s->route6_count, sizeof(routes) / sizeof(routes[0]));
	for (size_t i = 0; i < s->route6_count; i++) {
		assert_int_equal(s->routes6[i].table, routes[i].table);
		assert_int_equal(s->routes6[i].destination.length, routes[i].length);
		assert_string_equal(s->routes6[i].device, routes[i].device);
	}
	kernel_state_free(s);
}

/* RFC 4291 section 2.5.6: fe80::/10 */
static void what_is_of_a_link_alone_needs_no_way(void **state)
{
	static const struct {
		struct ip_endpoint at;
		bool led;
	} rows[] = {
	    {{.family = 6, .address = {0xfe, 0x80, [15] = 9}}, false},
	    {{.family = 6, .address = {0xfe, 0xbf, [15] = 9}}, false},
	    {{.family = 6, .address = {0xfe, 0xc0, [15] = 9}}, true},
	    {{.family = 6, .address = {0xfe, 0x40, [15] = 9}}, true},
	    {{.family = 6, .address = {0xfd, 0x80, [15] = 9}}, true},
	    {{.family = 4, .address = {198, 128, 0, 9}}, true},
	    {{.family = 4, .address = {254, 128, 0, 9}}, true},
	    {{.family = 0}, false},
	};
	const struct forwarding f = {.neighbors = neighbors6 + 2, .neighbor_count = 1};
	struct node_uplinks u = two_of_both();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel_state *s = kernel_state_new();
		bool led = false;

		assert_int_equal(node_uplinks_desire(&u, &f, &rows[i].at, s), 0);
		for (size_t k = 0; k < s->route_count; k++)
			led |= s->routes[k].table == TUYEN_TABLE_SEEN;
		for (size_t k = 0; k < s->route6_count; k++)
			led |= s->routes6[k].table == TUYEN_TABLE_SEEN;
		if (led != rows[i].led)
			fail_msg("row %zu", i);
		kernel_state_free(s);
	}
}

/* Two callers at one address by two lines; one at an address of the link alone. */
static void shared_ipv6_places_go_by_their_source(void **state)
{
	struct fwd_neighbor n[] = {{.site_id = 1, .name = "a", .underlay = "fibre"},
				   {.site_id = 2, .name = "b", .underlay = "lte"},
				   {.site_id = 3, .name = "c", .underlay = "lte"}};
	const struct ip_endpoint seen[3] = {
	    AT6(9), AT6(9), {.family = 6, .address = {0xfe, 0x80, [15] = 9}}};
	const struct forwarding f = {.neighbors = n, .neighbor_count = 3};
	struct node_uplinks u = two_of_both();

	(void)state;
	comes_of_these(&f, &u, seen,
		       BY_ETH0("0.0.0.0/0", "532000") BY_WWAN0("0.0.0.0/0", "532001")
			   NOWHERE("0.0.0.0/0", "533000")
			       LINES_6 NOWHERE_6("2001:db8::9/128", "533000") RULES_4 RULES_6);
}

/* A kernel that has IPv6 is no reason: a line that has it is, be it the first alone. */
static void without_ipv6_lines_nothing_of_it_is_led(void **state)
{
	const struct forwarding f = {.neighbors = neighbors + 1, .neighbor_count = 1};
	struct kernel_state *s = kernel_state_new();
	struct node_uplinks u = two;

	(void)state;
	u.ipv6 = true;
	assert_int_equal(node_uplinks_desire(&u, &f, NULL, s), 0);
	assert_int_equal(s->rule6_count, 0);
	u.ipv6 = false;
	u.entry[0].has_route6 = true;
	node_uplink_address6_add(&u.entry[0], &(struct ipv6){{0x20, 1}});
	assert_int_equal(node_uplinks_desire(&u, &f, NULL, s), 0);
	assert_int_equal(s->rule6_count, 0);
	assert_int_equal(s->route6_count, 0);
	kernel_state_free(s);
	for (int i = 0; i < 4; i++) { /* a route, or an address that it answers from */
		s = kernel_state_new();
		u = two;
		u.ipv6 = true;
		if (i < 2)
			u.entry[i].has_route6 = u.entry[i].onlink6 = true;
		else
			node_uplink_address6_add(&u.entry[i - 2], &(struct ipv6){{0x20, 1}});
		assert_int_equal(node_uplinks_desire(&u, &f, NULL, s), 0);
		assert_true(s->rule6_count > 0);
		for (size_t k = 0; k < s->route6_count; k++)
			assert_int_equal(s->routes6[k].onlink,
					 s->routes6[k].type == KERNEL_ROUTE_UNICAST);
		kernel_state_free(s);
	}
}

/* Each device's own neighbours say whether its box leads all their lines. */
static void a_line_of_link1_alone_may_be_unnamed(void **state)
{
	struct fwd_neighbor both[] = {neighbors[1], neighbors[1]};
	const struct forwarding f = {.neighbors = both, .neighbor_count = 2};
	struct kernel_state *s = kernel_state_new();
	const struct ipv4_prefix all = {0, 0};
	size_t rest[2] = {0};

	(void)state;
	both[1].site_id += PARALLEL_ID;
	strcpy(both[1].underlay, "vsat");
	strcpy(kernel_state_add_device(s)->name, LINK_DEVICE);
	strcpy(kernel_state_add_device(s)->name, PARALLEL_DEVICE);
	assert_int_equal(node_uplinks_desire(&two, &f, NULL, s), 0);
	for (size_t i = 0; i < s->route_count; i++)
		for (uint32_t k = 0; k < 2; k++)
			rest[k] +=
			    s->routes[i].table == TUYEN_TABLE_SHARED + k * TUYEN_TABLE_PARALLEL &&
			    !ipv4_prefix_compare(&s->routes[i].destination, &all);
	assert_int_equal(rest[0], 1);
	assert_int_equal(rest[1], 0);
	kernel_state_free(s);
}

static bool nobodys_is_led(const struct node_uplinks *u, const struct forwarding *f, uint8_t family)
{
	struct kernel_state *s = kernel_state_new();
	bool led = false;

	assert_int_equal(node_uplinks_desire(u, f, NULL, s), 0);
	for (size_t i = 0; family == 4 && i < s->route_count; i++)
		led |= s->routes[i].table == TUYEN_TABLE_SHARED;
	for (size_t i = 0; family == 6 && i < s->route6_count; i++)
		led |= s->routes6[i].table == TUYEN_TABLE_SHARED;
	kernel_state_free(s);
	return led;
}

/* What has no rule of its own may be an answer: from an address beyond those that are kept, on whichever line, or one of two lines. */
static void nobodys_waits_where_all_addresses_are_known(void **state)
{
	const struct forwarding f = {.neighbors = neighbors6, .neighbor_count = 2};

	(void)state;
	for (int line = 0; line < 2; line++) {
		struct node_uplinks u = two_of_both();
		struct node_uplink *e = &u.entry[line];

		for (uint8_t a = 1; e->address_count < NODE_UPLINK_ADDRESSES_MAX - 1; a++)
			node_uplink_address_add(e, a);
		for (uint8_t a = 1; e->address6_count < NODE_UPLINK_ADDRESSES6_MAX - 1; a++)
			node_uplink_address6_add(e, &(struct ipv6){{0x20, [15] = a}});
		assert_true(nobodys_is_led(&u, &f, 4));
		assert_true(nobodys_is_led(&u, &f, 6));
		node_uplink_address_add(e, 100);
		assert_false(nobodys_is_led(&u, &f, 4));
		assert_true(nobodys_is_led(&u, &f, 6));
		node_uplink_address6_add(e, &(struct ipv6){{0x20, [15] = 100}});
		assert_false(nobodys_is_led(&u, &f, 6));
		u = two_of_both();
		for (int both = 0; both < 2; both++) {
			node_uplink_address_add(&u.entry[both], UINT32_MAX);
			node_uplink_address6_add(&u.entry[both], &(struct ipv6){{0xff}});
			assert_int_equal(nobodys_is_led(&u, &f, 4), !both);
			assert_int_equal(nobodys_is_led(&u, &f, 6), !both);
		}
	}
}

static void addresses_are_kept_in_order(void **state)
{
	struct node_uplink u = {0};

	(void)state;
	for (ipv4_t a = 12; a > 2; a--) {
		node_uplink_address_add(&u, a);
		node_uplink_address_add(&u, a);
	}
	assert_int_equal(u.address_count, NODE_UPLINK_ADDRESSES_MAX);
	for (size_t i = 0; i < u.address_count; i++)
		assert_int_equal(u.address[i], 5 + i);
	for (uint8_t a = 44; a > 4; a--) {
		node_uplink_address6_add(&u, &(struct ipv6){{0x20, [15] = a}});
		node_uplink_address6_add(&u, &(struct ipv6){{0x20, [15] = a}});
	}
	assert_int_equal(u.address6_count, NODE_UPLINK_ADDRESSES6_MAX);
	for (size_t i = 0; i < u.address6_count; i++)
		assert_int_equal(u.address6[i].byte[15], 13 + i);
}

static void an_address_between_two_stands_between_them(void **state)
{
	static const uint8_t come[] = {5, 9, 7, 11, 5}, stand[] = {5, 7, 9, 11};
	struct node_uplink u = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(come); i++) {
		node_uplink_address_add(&u, come[i]);
		node_uplink_address6_add(&u, &(struct ipv6){{0x20, [15] = come[i]}});
	}
	assert_int_equal(u.address_count, sizeof(stand));
	assert_int_equal(u.address6_count, sizeof(stand));
	for (size_t i = 0; i < sizeof(stand); i++) {
		assert_int_equal(u.address[i], stand[i]);
		assert_int_equal(u.address6[i].byte[15], stand[i]);
	}
}

static void what_differs_is_seen(void **state)
{
	struct node_uplinks a = {.count = 1,
				 .entry = {{.underlay = "fibre",
					    .device = "eth0",
					    .has_route = true,
					    .gateway = 1}}},
			    b = a;

	(void)state;
	assert_true(node_uplinks_equal(&a, &b));
	b.entry[0].gateway = 2;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].has_route = false;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	node_uplink_address_add(&b.entry[0], 7);
	assert_false(node_uplinks_equal(&a, &b));
	a = b;
	assert_true(node_uplinks_equal(&a, &b));
	b.entry[0].strict = true;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].has_route6 = true;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].onlink6 = true;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].source6.byte[15] = 1;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].gateway6.byte[15] = 1;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	node_uplink_address6_add(&b.entry[0], &(struct ipv6){{0x20}});
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.ipv6 = true;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.count = 0;
	assert_false(node_uplinks_equal(&a, &b));
	a.count = 2; /* in the last of them, too */
	b = a;
	assert_true(node_uplinks_equal(&a, &b));
	b.entry[1].source = 7;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].device[3] = '1';
	assert_false(node_uplinks_equal(&a, &b));
	b = a; /* as many addresses, and others */
	node_uplink_address_add(&a.entry[1], 7);
	node_uplink_address_add(&b.entry[1], 8);
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	node_uplink_address6_add(&a.entry[1], &(struct ipv6){{0x20, 7}});
	node_uplink_address6_add(&b.entry[1], &(struct ipv6){{0x20, 8}});
	assert_false(node_uplinks_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_are_read),
	    cmocka_unit_test(without_uplinks_nothing_is_added),
	    cmocka_unit_test(each_line_has_its_neighbours),
	    cmocka_unit_test(peers_go_by_their_line_wherever_they_are),
	    cmocka_unit_test(without_a_gateway_the_scope_is_the_link),
	    cmocka_unit_test(one_of_another_line_is_enough_to_share_a_place),
	    cmocka_unit_test(a_line_without_a_route_leads_nowhere),
	    cmocka_unit_test(an_address_of_two_lines_tells_neither),
	    cmocka_unit_test(what_link0_sends_is_marked),
	    cmocka_unit_test(what_is_nobodys_goes_nowhere),
	    cmocka_unit_test(ways_come_before_those_whom_they_lead_to),
	    cmocka_unit_test(a_parallel_link_goes_by_its_own_line),
	    cmocka_unit_test(lines_of_parallel_links_are_named),
	    cmocka_unit_test(a_line_that_no_link_goes_by_may_be_misspelt),
	    cmocka_unit_test(two_lines_to_one_address_are_a_conflict),
	    cmocka_unit_test(the_last_of_three_at_one_address_may_be_the_conflict),
	    cmocka_unit_test(ipv6_is_led_the_same_way),
	    cmocka_unit_test(an_ipv6_line_that_is_lost_leads_nowhere),
	    cmocka_unit_test(each_family_has_its_own_route),
	    cmocka_unit_test(a_parallel_link_of_ipv6_goes_by_its_own_line),
	    cmocka_unit_test(what_is_of_a_link_alone_needs_no_way),
	    cmocka_unit_test(shared_ipv6_places_go_by_their_source),
	    cmocka_unit_test(without_ipv6_lines_nothing_of_it_is_led),
	    cmocka_unit_test(a_line_of_link1_alone_may_be_unnamed),
	    cmocka_unit_test(nobodys_waits_where_all_addresses_are_known),
	    cmocka_unit_test(addresses_are_kept_in_order),
	    cmocka_unit_test(an_address_between_two_stands_between_them),
	    cmocka_unit_test(what_differs_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
