/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/uplink.c daemon/core/kernel_state.c topology/labels.c
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
	{"fibre=eth0,fibre=eth1", -1, NULL, NULL},
	{"fibre=eth0,lte=eth0", -1, NULL, NULL},
	{"fibre=a-device-of-16-b", -1, NULL, NULL},
	{"fibre=../eth0", -1, NULL, NULL},
	{"fibre=eth 0", -1, NULL, NULL},
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

		if ((err < 0) != (lists[i].count < 0) || (err < 0 && (err != -TUYEN_EINVAL || u.count != 99)))
			fail_msg("'%s': %d, %zu", lists[i].words, err, u.count);
		if (lists[i].count <= 0)
			continue;
		assert_int_equal(u.count, lists[i].count);
		assert_string_equal(u.entry[0].underlay, lists[i].first);
		assert_string_equal(u.entry[u.count - 1].device, lists[i].last_device);
	}
}

static struct fwd_neighbor neighbors[] = {
	{.site_id = 101, .underlay = "fibre", .caller = true, .endpoint = {.family = 4, .address = {198, 51, 100, 1}}},
	{.site_id = 102, .underlay = "lte", .caller = true, .endpoint = {.family = 4, .address = {198, 51, 100, 2}}},
	{.site_id = 103, .underlay = "lte", .caller = true, .endpoint = {.family = 4, .address = {198, 51, 100, 1}}}, /* as 101 */
	{.site_id = 104, .underlay = "vsat", .caller = true, .endpoint = {.family = 4, .address = {198, 51, 100, 4}}}, /* no such line here */
	{.site_id = 105, .underlay = "lte", .caller = true, .endpoint = {.family = 6, .address = {0x20, 1}}},
	{.site_id = 901, .underlay = "lte"}, /* it calls */
};

static void each_line_has_its_neighbours(void **state)
{
	const struct forwarding f = {.neighbors = neighbors, .neighbor_count = 6};
	struct node_uplinks u = {.count = 2,
				 .entry = {{.underlay = "fibre", .device = "eth0", .has_route = true, .gateway = 0xcb007101, .source = 0xcb007105},
					   {.underlay = "lte", .device = "wwan0", .has_route = true}}};
	struct kernel_state *s = kernel_state_new();

	(void)state;
	assert_int_equal(node_uplinks_desire(&u, &f, s), 0);
	kernel_state_sort(s);
	assert_int_equal(s->route_count, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct kernel_route *r = &s->routes[i];

		assert_int_equal(r->table, DESIRED_TABLE_MAIN);
		assert_int_equal(r->destination.address, 0xc6336401 + i / 2);
		assert_int_equal(r->destination.length, 32);
		assert_int_equal(r->metric, i % 2 ? TUYEN_METRIC_NOWHERE : TUYEN_METRIC_UPLINK);
		assert_int_equal(r->type, i % 2 ? KERNEL_ROUTE_UNREACHABLE : KERNEL_ROUTE_UNICAST);
		assert_string_equal(r->device, i % 2 ? "" : i ? "wwan0" : "eth0");
	}
	assert_int_equal(s->routes[0].gateway, 0xcb007101);
	assert_int_equal(s->routes[0].source, 0xcb007105);
	assert_false(s->routes[0].link_scope);
	assert_int_equal(s->routes[2].gateway, 0); /* the other end of a PPP line */
	assert_true(s->routes[2].link_scope);
	kernel_state_free(s);
}

static void a_line_without_a_route_leads_nowhere(void **state)
{
	const struct forwarding f = {.neighbors = neighbors, .neighbor_count = 6};
	struct node_uplinks u = {.count = 1, .entry = {{.underlay = "fibre", .device = "eth0"}}}, none = {0};
	struct kernel_state *s = kernel_state_new();

	(void)state;
	assert_int_equal(node_uplinks_desire(&none, &f, s), 0);
	assert_int_equal(s->route_count, 0);
	assert_int_equal(node_uplinks_desire(&u, &f, s), 0);
	assert_int_equal(s->route_count, 1);
	assert_int_equal(s->routes[0].type, KERNEL_ROUTE_UNREACHABLE);
	kernel_state_free(s);
}

static void what_differs_is_seen(void **state)
{
	struct node_uplinks a = {.count = 1, .entry = {{.underlay = "fibre", .device = "eth0", .has_route = true, .gateway = 1}}}, b = a;

	(void)state;
	assert_true(node_uplinks_equal(&a, &b));
	b.entry[0].gateway = 2;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.entry[0].has_route = false;
	assert_false(node_uplinks_equal(&a, &b));
	b = a;
	b.count = 0;
	assert_false(node_uplinks_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read),
		cmocka_unit_test(each_line_has_its_neighbours),
		cmocka_unit_test(a_line_without_a_route_leads_nowhere),
		cmocka_unit_test(what_differs_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
