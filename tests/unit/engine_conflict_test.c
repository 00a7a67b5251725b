/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_conflict.c daemon/core/conflict.c daemon/core/kernel_state.c
// link: topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c
/* When another site's address is said, passed over and left. The kernel is a double: device 2 is eth0, 3 lan0, 4 wwan0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/plan.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define IP(a, b, c, d) ((ipv4_t)(a) << 24 | (ipv4_t)(b) << 16 | (ipv4_t)(c) << 8 | (d))
#define SERVER	       IP(10, 0, 0, 10)
#define PLACE	       IP(198, 51, 100, 9)

static struct {
	struct own_address own[4];
	size_t count;
	uint32_t index_of_default, index_of_place, index_of_no_lan, index_of_inner;
	bool fails; /* the reading; of devices: */
	bool no_names;
	unsigned int reads, said, events, expected;
	char event[CONFLICTS_STRLEN];
	size_t routes, rules; /* of the last apply */
	struct monotime now;
} world;

static struct ipv4_prefix behind[] = {{IP(10, 0, 0, 0), 16}};
static struct fwd_session_peer peer = {.color = 10, .prefixes = behind, .prefix_count = 1};
static struct ipv4_prefix own_lan = {IP(10, 9, 1, 0), 24};
static struct fwd_neighbor neighbor = {.site_id = 210};
static struct ip_endpoint seen;

int kernel_own_read(struct kernel *kernel, struct own_address **ret_own, size_t *ret_count,
		    struct reason *reason)
{
	(void)kernel;
	world.reads++;
	if (world.fails)
		return reason_set(reason, -TUYEN_ESYSTEM, "cannot read the kernel");
	*ret_own = malloc(sizeof(world.own));
	memcpy(*ret_own, world.own, sizeof(world.own));
	*ret_count = world.count;
	return 0;
}

int kernel_device_name(struct kernel *kernel, uint32_t ifindex,
		       char ret_name[static KERNEL_IFNAME_MAX], bool *ret_inner)
{
	static const char *const names[] = {"", "", "eth0", "lan0", "wwan0"};

	(void)kernel;
	if (world.no_names)
		return -TUYEN_ESYSTEM;
	strcpy(ret_name, names[ifindex]);
	*ret_inner = ifindex == world.index_of_inner;
	return 0;
}

int kernel_lan_over(struct kernel *kernel, struct ipv4_prefix lan, uint32_t ifindex, bool *ret_over)
{
	(void)kernel, (void)lan;
	*ret_over = ifindex != world.index_of_no_lan;
	return 0;
}

int kernel_device_is_default(struct kernel *kernel, const char *device, bool *ret_default)
{
	char name[KERNEL_IFNAME_MAX];
	bool inner;

	*ret_default = !kernel_device_name(kernel, world.index_of_default, name, &inner) &&
		       !strcmp(name, device);
	return 0;
}

int kernel_leads_over(struct kernel *kernel, ipv4_t destination, uint32_t ifindex, bool *ret_over)
{
	(void)kernel;
	*ret_over = destination == PLACE && ifindex == world.index_of_place;
	return 0;
}

int kernel_plan_routes(const struct kernel_state *routes, struct kernel_plan **ret_plan)
{
	world.routes = routes->route_count;
	world.rules = routes->rule_count;
	*ret_plan = calloc(1, sizeof(**ret_plan));
	(*ret_plan)->count = routes->route_count + routes->rule_count;
	return 0;
}

int kernel_apply_routes(struct kernel *kernel, struct kernel_plan *plan,
			struct kernel_report *ret_report)
{
	(void)kernel;
	ret_report->applied = plan->count;
	return 0;
}

void kernel_plan_free(struct kernel_plan *plan)
{
	free(plan);
}

void engine_expect(struct engine *e, enum expected expected)
{
	(void)e;
	assert_int_equal(expected, EXPECTED_MOVES);
	world.expected++;
}

void engine_event(struct engine *e, struct text *line)
{
	(void)e;
	world.events++;
	snprintf(world.event, sizeof(world.event), "%s", text_string(line));
}

void status_event_conflict(const char *words, int64_t wall_s, struct text *ret_json)
{
	(void)wall_s;
	text_add(ret_json, words);
}

void log_write(enum log_level level, const char *format, ...)
{
	(void)level, (void)format;
	world.said++;
}

struct monotime monotime_now(void)
{
	return world.now;
}

static void node(struct engine *e)
{
	memset(&world, 0, sizeof(world));
	world.now.us = 1000000;
	*e = (struct engine){.taken_over = true, .seen = &seen};
	seen = neighbor.endpoint = (struct ip_endpoint){0};
	e->release.status.have = true;
	e->release.forwarding.peers = &peer;
	e->release.forwarding.peer_count = 1;
	e->release.forwarding.neighbors = &neighbor;
	e->release.forwarding.neighbor_count = 1;
	e->release.forwarding.lans = &own_lan;
	e->release.forwarding.lan_count = 1;
}

static void address(ipv4_t address, uint32_t ifindex)
{
	world.own[world.count++] = (struct own_address){address, ifindex};
}

static void look(struct engine *e)
{
	struct reason reason;

	assert_int_equal(engine_conflicts_look(e, &reason), 0);
}

static void it_is_a_fact_and_said_once(void **state)
{
	struct engine e;

	(void)state;
	node(&e);
	for (int i = 0; i < 3; i++, engine_conflicts_say(&e))
		look(&e);
	assert_int_equal(world.said + world.events + world.expected, 0);
	address(SERVER, 3);
	for (int i = 0; i < 3; i++, engine_conflicts_say(&e))
		look(&e);
	assert_int_equal(world.expected, 1);
	assert_int_equal(world.said, 1);
	assert_string_equal(world.event, "10.0.0.10 on lan0");
	world.count = 0;
	for (int i = 0; i < 3; i++, engine_conflicts_say(&e))
		look(&e);
	assert_int_equal(world.expected, 2);
	assert_int_equal(world.said, 2);
	assert_int_equal(world.events, 2);
	assert_string_equal(world.event, "");
}

static void one_that_a_release_gives_to_nobody_is_said_to_be_the_box_s(void **state)
{
	struct engine e;

	(void)state;
	node(&e);
	address(SERVER, 3);
	look(&e);
	e.release.forwarding.peer_count = 0;
	look(&e);
	assert_int_equal(e.conflicts.count, 0);
	assert_int_equal(world.said, 1);
}

/* In what a device may be a line. */
static void one_that_a_line_needs_is_known(void **state)
{
	const struct ip_endpoint place = {.family = 4, .address = {198, 51, 100, 9}, .port = 1};

	(void)state;
	for (int way = 0; way < 6; way++) {
		struct engine e;

		node(&e);
		address(SERVER, 2);
		address(SERVER + 1, 3);
		if (way == 1)
			world.index_of_default = 2;
		if (way >= 2 && way <= 4)
			world.index_of_place = 2;
		if (way == 2)
			neighbor.endpoint = place;
		if (way == 3)
			seen = place;
		if (way == 5) {
			e.uplinks.count = 1;
			strcpy(e.uplinks.entry[0].device, "eth0");
		}
		look(&e);
		assert_int_equal(e.conflicts.count, 2);
		assert_int_equal(e.conflicts.entry[0].of_line, way && way != 4);
		assert_false(e.conflicts.entry[1].of_line);
	}
}

/* A line has its address before its routes: nothing tells it from another device that is no LAN's. */
static void what_may_be_a_line_is_left(void **state)
{
	struct engine e;

	(void)state;
	node(&e);
	world.index_of_no_lan = 2;
	address(SERVER, 2);
	address(SERVER + 1, 3);
	look(&e);
	assert_true(e.conflicts.entry[0].of_line);
	assert_false(e.conflicts.entry[1].of_line);
	world.index_of_inner = 2;
	look(&e);
	assert_false(e.conflicts.entry[0].of_line);
	world.index_of_default = 2;
	look(&e);
	assert_true(e.conflicts.entry[0].of_line);
}

static void what_cannot_be_read_is_no_end_of_it(void **state)
{
	struct reason reason;
	struct engine e;

	(void)state;
	node(&e);
	address(SERVER, 3);
	look(&e);
	world.fails = true;
	assert_int_equal(engine_conflicts_look(&e, &reason), -TUYEN_ESYSTEM);
	world.fails = false;
	world.no_names = true;
	assert_int_equal(engine_conflicts_look(&e, &reason), -TUYEN_ESYSTEM);
	assert_int_equal(e.conflicts.count, 1);
	assert_int_equal(world.expected, 1);
}

static void a_new_one_alone_is_passed_over_at_once(void **state)
{
	struct engine e;

	(void)state;
	node(&e);
	e.taken_over = false; /* the first turn does it */
	address(SERVER, 3);
	engine_conflicts_hurry(&e);
	assert_int_equal(world.reads, 0);
	e.taken_over = true;
	engine_conflicts_hurry(&e);
	assert_int_equal(world.routes, 1);
	assert_int_equal(world.rules, 1);
	assert_int_equal(e.operations, 2);
	engine_conflicts_hurry(&e);
	assert_int_equal(world.routes, 0);
	address(SERVER + 1, 4);
	engine_conflicts_hurry(&e);
	assert_int_equal(world.routes, 1);
	assert_int_equal(e.operations, 4);
	assert_int_equal(world.said, 0); /* the turn says it */
}

static void many_that_come_are_not_all_read_for(void **state)
{
	struct engine e;

	(void)state;
	node(&e);
	for (int i = 0; i < 1000; i++)
		engine_conflicts_hurry(&e);
	assert_in_range(world.reads, 2, 8);
	world.now.us += 1000000;
	world.reads = 0;
	engine_conflicts_hurry(&e);
	assert_int_equal(world.reads, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_a_fact_and_said_once),
	    cmocka_unit_test(one_that_a_release_gives_to_nobody_is_said_to_be_the_box_s),
	    cmocka_unit_test(one_that_a_line_needs_is_known),
	    cmocka_unit_test(what_may_be_a_line_is_left),
	    cmocka_unit_test(what_cannot_be_read_is_no_end_of_it),
	    cmocka_unit_test(a_new_one_alone_is_passed_over_at_once),
	    cmocka_unit_test(many_that_come_are_not_all_read_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
