/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/selection.c topology/forwarding.c topology/labels.c daemon/base/ip.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/selection.h"

/*
 * Paths 1 (preference 200), 2 (100) and 3 (100) to endpoint 1 of color 10, hold 2 s;
 * path 4 (50) to endpoint 2 of color 10; path 5 (10) to endpoint 1 of color 20, hold 0.
 */
static struct fwd_path paths[] = {
    {.index = 1, .color = 10, .preference = 200, .endpoint_site = 1},
    {.index = 2, .color = 10, .preference = 100, .endpoint_site = 1},
    {.index = 3, .color = 10, .preference = 100, .endpoint_site = 1},
    {.index = 4, .color = 10, .preference = 50, .endpoint_site = 2},
    {.index = 5, .color = 20, .preference = 10, .endpoint_site = 1},
    {.index = 6, .color = 20, .preference = 20, .endpoint_site = 1},
};
static struct fwd_session sessions[] = {
    {.color = 10, .revert_hold_ms = 2000},
    {.color = 20, .revert_hold_ms = 0},
};

static struct forwarding network(size_t path_count)
{
	return (struct forwarding){
	    .paths = paths,
	    .path_count = path_count,
	    .sessions = sessions,
	    .session_count = 2,
	};
}

#define NOW   10000000u
#define NEVER UINT64_MAX
#define STATE(number, what, from)                                                                  \
	{                                                                                          \
		.index = number, .liveness = what, .since = from                                   \
	}
#define SINCE(ms_ago)                                                                              \
	{                                                                                          \
		NOW - (uint64_t)(ms_ago)*1000                                                      \
	}

struct row {
	const char *rule;
	uint8_t used; /* 0: nothing */
	struct {
		enum path_liveness liveness;
		uint64_t up_for_ms;
	} path[3];
	uint8_t chosen;
	uint64_t next_look;
};

#define U PATH_UP
#define D PATH_DOWN
#define K PATH_UNKNOWN

static const struct row rows[] = {
    {"3: nothing in use, best that is up", 0, {{U, 0}, {U, 0}, {U, 0}}, 1, NEVER},
    {"3: nothing in use, up beats preference", 0, {{D, 0}, {K, 0}, {U, 0}}, 3, NEVER},
    {"3: nothing in use, unknown beats down", 0, {{D, 0}, {K, 0}, {D, 0}}, 2, NEVER},
    {"3: nothing in use, all unknown", 0, {{K, 0}, {K, 0}, {K, 0}}, 1, NEVER},
    {"3: nothing in use, all down", 0, {{D, 0}, {D, 0}, {D, 0}}, 1, NEVER},
    {"3: equal preference, lower index", 0, {{D, 0}, {U, 0}, {U, 0}}, 2, NEVER},
    {"1: in use and up", 1, {{U, 9}, {U, 9}, {U, 9}}, 1, NEVER},
    {"1: in use and unknown stays (restart)", 1, {{K, 0}, {U, 9}, {U, 9}}, 1, NEVER},
    {"1: spare in use, best unknown: no revert (restart)", 2, {{K, 0}, {U, 9}, {K, 0}}, 2, NEVER},
    {"1: spare unknown, best up but held", 2, {{U, 500}, {K, 0}, {K, 0}}, 2, NOW + 1500000},
    {"1: spare in use, best up 1 ms too short", 2, {{U, 1999}, {U, 9}, {K, 0}}, 2, NOW + 1000},
    {"1: spare in use, best up long enough", 2, {{U, 2000}, {U, 9}, {K, 0}}, 1, NEVER},
    {"1: spare in use, best just up (flap)", 2, {{U, 0}, {U, 9}, {K, 0}}, 2, NOW + 2000000},
    {"1: spare in use, best down", 2, {{D, 9000}, {U, 9}, {U, 9}}, 2, NEVER},
    {"1: equal preference never moves", 3, {{D, 0}, {U, 9000}, {U, 9}}, 3, NEVER},
    {"2: down, best up at once, no hold", 1, {{D, 0}, {U, 0}, {U, 9000}}, 2, NEVER},
    {"2: spare down, best up though held", 2, {{U, 1}, {D, 0}, {U, 9000}}, 1, NEVER},
    {"2: down, only unknown left", 1, {{D, 0}, {K, 0}, {D, 0}}, 2, NEVER},
    {"2: down, up of lower preference beats unknown", 2, {{K, 0}, {D, 0}, {U, 0}}, 3, NEVER},
    {"2: all down, it stays", 3, {{D, 0}, {D, 0}, {D, 0}}, 3, NEVER},
    {"previous path is no more", 9, {{U, 0}, {U, 0}, {U, 0}}, 1, NEVER},
    {"previous path is another pair's", 4, {{D, 0}, {U, 0}, {U, 0}}, 2, NEVER},
};

static void every_rule(void **state)
{
	struct forwarding f = network(3);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct path_state states[3];
		struct active_paths previous = {.entry = {{10, 1, r->used, true}},
						.count = r->used != 0};
		struct active_paths active;
		struct monotime next_look;

		for (uint8_t p = 0; p < 3; p++)
			states[p] = (struct path_state)STATE((uint8_t)(p + 1), r->path[p].liveness,
							     SINCE(r->path[p].up_for_ms));
		selection_choose(&f, states, 3, &previous, (struct monotime){NOW}, &active,
				 &next_look);
		if (active.count != 1 || active.entry[0].index != r->chosen ||
		    next_look.us != r->next_look)
			fail_msg("%s: path %u, next look %llu", r->rule, active.entry[0].index,
				 (unsigned long long)next_look.us);
		assert_int_equal(active.entry[0].color, 10);
		assert_int_equal(active.entry[0].endpoint_site, 1);
	}
}

/* Main, spare and third with hold 2 s; which of those that are up are degraded, bit by bit. */
static const struct degraded_row {
	const char *rule;
	uint8_t used, up, degraded, chosen;
	uint64_t good_for_ms, next_look;
} degraded_rows[] = {
    {"4: in use and degraded, at once to one that is not", 1, 7, 1, 2, 0, NEVER},
    {"4: the best of those that are not", 1, 7, 3, 3, 0, NEVER},
    {"4: all degraded: it stays", 1, 7, 7, 1, 0, NEVER},
    {"4: all degraded: so does a spare", 2, 7, 7, 2, 9000, NEVER},
    {"4: the others are down: it stays", 1, 1, 1, 1, 0, NEVER},
    {"1: no way back to one that is degraded", 2, 7, 1, 2, 9000, NEVER},
    {"1: good again, and held", 2, 3, 0, 2, 500, NOW + 1500000},
    {"1: good again long enough", 2, 3, 0, 1, 2000, NEVER},
    {"2: in use and down, the good one before the better", 3, 3, 1, 2, 0, NEVER},
    {"2: in use and down, a degraded one is better than none", 3, 1, 1, 1, 0, NEVER},
    {"3: nothing in use, the good one before the better", 0, 3, 1, 2, 0, NEVER},
};

static void a_degraded_path_is_left(void **state)
{
	struct forwarding f = network(3);

	(void)state;
	for (size_t i = 0; i < sizeof(degraded_rows) / sizeof(degraded_rows[0]); i++) {
		const struct degraded_row *r = &degraded_rows[i];
		struct active_paths previous = {.entry = {{10, 1, r->used, true}},
						.count = r->used != 0};
		struct path_state states[3];
		struct active_paths active;
		struct monotime next_look;

		for (uint8_t p = 0; p < 3; p++)
			states[p] =
			    (struct path_state){.index = (uint8_t)(p + 1),
						.liveness = r->up >> p & 1 ? PATH_UP : PATH_DOWN,
						.since = SINCE(r->good_for_ms),
						.degraded = r->degraded >> p & 1};
		selection_choose(&f, states, 3, &previous, (struct monotime){NOW}, &active,
				 &next_look);
		if (active.entry[0].index != r->chosen || next_look.us != r->next_look)
			fail_msg("%s: path %u, next look %llu", r->rule, active.entry[0].index,
				 (unsigned long long)next_look.us);
	}
}

/* All three up for long; which are in doubt, damped for 7 s more, bit by bit. */
static const struct doubt_row {
	const char *rule;
	uint8_t used, in_doubt, damped, chosen;
	uint64_t next_look;
} doubt_rows[] = {
    {"4: in use and in doubt, at once to one that is not", 1, 1, 0, 2, NEVER},
    {"4: the best of those that are not", 1, 3, 0, 3, NEVER},
    {"4: all in doubt: it stays", 1, 7, 0, 1, NEVER},
    {"4: all in doubt: so does a spare", 2, 7, 0, 2, NEVER},
    {"4: in doubt and damped, as all are: it stays until they are no more", 1, 1, 7, 1,
     NOW + 7000000},
    {"1: no way back to one that is in doubt", 2, 1, 0, 2, NEVER},
    {"4: it answers: back without a hold", 2, 0, 0, 1, NEVER},
    {"5: it answers, and was in doubt again and again", 2, 0, 1, 2, NOW + 7000000},
    {"4: the only other one is damped, and better than silence", 2, 6, 1, 1, NEVER},
    {"4: damped and in use, it is left for one that is not", 1, 1, 1, 2, NEVER},
    {"5: damped and in use, not for another that is damped", 2, 6, 3, 2, NOW + 7000000},
    {"3: nothing in use, one that answers before the better", 0, 1, 0, 2, NEVER},
};

static void a_path_in_doubt_is_left_a_few_times(void **state)
{
	struct forwarding f = network(3);

	(void)state;
	for (size_t i = 0; i < sizeof(doubt_rows) / sizeof(doubt_rows[0]); i++) {
		const struct doubt_row *r = &doubt_rows[i];
		struct active_paths previous = {.entry = {{10, 1, r->used, true}},
						.count = r->used != 0};
		struct path_state states[3];
		struct active_paths active;
		struct monotime next_look;

		for (uint8_t p = 0; p < 3; p++)
			states[p] = (struct path_state){
			    .index = (uint8_t)(p + 1),
			    .liveness = PATH_UP,
			    .since = SINCE(9000),
			    .in_doubt = r->in_doubt >> p & 1,
			    .damped_until = {r->damped >> p & 1 ? NOW + 7000000 : 0}};
		selection_choose(&f, states, 3, &previous, (struct monotime){NOW}, &active,
				 &next_look);
		if (active.entry[0].index != r->chosen || next_look.us != r->next_look)
			fail_msg("%s: path %u, next look %llu", r->rule, active.entry[0].index,
				 (unsigned long long)next_look.us);
	}
}

/* Main, spare and third with hold 2 s, up for good_for_ms; which are up, degraded, damped for 7 s more, bit by bit. */
static const struct damped_row {
	const char *rule;
	uint8_t used, up, degraded, damped, chosen;
	uint64_t up_for_ms, next_look;
} damped_rows[] = {
    {"5: no way back to one that is damped", 2, 7, 0, 1, 2, 9000, NOW + 7000000},
    {"5: the hold time may be the longer one", 2, 3, 0, 2, 2, 500, NOW + 1500000},
    {"5: both at once", 2, 3, 0, 1, 2, 500, NOW + 7000000},
    {"5: in use it stays", 1, 7, 0, 1, 1, 9000, NEVER},
    {"5: in use and down, one that is not damped before the better", 3, 3, 0, 1, 2, 9000, NEVER},
    {"5: the only one left is used at once", 2, 1, 0, 1, 1, 0, NEVER},
    {"5: all are damped: the best", 3, 3, 0, 7, 1, 0, NEVER},
    {"5: nothing in use, one that is not damped before the better", 0, 3, 0, 1, 2, 0, NEVER},
    {"5: a degraded one is left for it, if there is no other", 1, 3, 1, 2, 2, 9000, NEVER},
    {"5: a degraded one is left for one that is not damped", 1, 7, 1, 2, 3, 9000, NEVER},
    {"5: in use and down: a damped one before a degraded one", 1, 6, 2, 4, 3, 9000, NEVER},
};

static void a_damped_path_is_spare(void **state)
{
	struct forwarding f = network(3);

	(void)state;
	for (size_t i = 0; i < sizeof(damped_rows) / sizeof(damped_rows[0]); i++) {
		const struct damped_row *r = &damped_rows[i];
		struct active_paths previous = {.entry = {{10, 1, r->used, true}},
						.count = r->used != 0};
		struct path_state states[3];
		struct active_paths active;
		struct monotime next_look;

		for (uint8_t p = 0; p < 3; p++)
			states[p] = (struct path_state){
			    .index = (uint8_t)(p + 1),
			    .liveness = r->up >> p & 1 ? PATH_UP : PATH_DOWN,
			    .since = SINCE(r->up_for_ms),
			    .degraded = r->degraded >> p & 1,
			    .damped_until = {r->damped >> p & 1 ? NOW + 7000000 : 0}};
		selection_choose(&f, states, 3, &previous, (struct monotime){NOW}, &active,
				 &next_look);
		if (active.entry[0].index != r->chosen || next_look.us != r->next_look)
			fail_msg("%s: path %u, next look %llu", r->rule, active.entry[0].index,
				 (unsigned long long)next_look.us);
	}
}

static void pairs_are_apart(void **state)
{
	struct forwarding f = network(6);
	const struct path_state states[] = {
	    STATE(1, PATH_DOWN, SINCE(0)), STATE(2, PATH_UP, SINCE(0)),
	    STATE(3, PATH_UP, SINCE(0)),   STATE(4, PATH_UP, SINCE(0)),
	    STATE(5, PATH_UP, SINCE(900)), STATE(6, PATH_UP, SINCE(0)),
	};
	struct active_paths active = {.entry = {{10, 1, 1, true}, {20, 1, 5, true}}, .count = 2};
	struct monotime next_look;

	(void)state; /* in place: the output may be the input */
	selection_choose(&f, states, 6, &active, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.count, 3);
	assert_int_equal(active.entry[0].index, 2); /* (10, 1): main is down */
	assert_int_equal(active.entry[1].endpoint_site, 2);
	assert_int_equal(active.entry[1].index, 4); /* (10, 2): its only one */
	assert_int_equal(active.entry[2].color, 20);
	assert_int_equal(active.entry[2].index, 6); /* (20, 1): hold 0 reverts at once */
	assert_int_equal(next_look.us, UINT64_MAX);
	active.count = 0; /* nothing in use: the preference decides, and not the index */
	selection_choose(&f, states, 6, &active, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.entry[2].index, 6);
}

static void a_state_that_is_missing_is_unknown(void **state)
{
	struct forwarding f = network(3);
	const struct path_state states[] = {STATE(1, PATH_DOWN, SINCE(0)),
					    STATE(77, PATH_UP, SINCE(0))};
	struct active_paths previous = {.count = 0}, active;
	struct monotime next_look;

	(void)state;
	selection_choose(&f, states, 2, &previous, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.entry[0].index, 2);
}

static void nothing_to_choose(void **state)
{
	struct forwarding f = network(0);
	struct active_paths previous = {.entry = {{10, 1, 1}}, .count = 1}, active;
	struct monotime next_look;

	(void)state;
	selection_choose(&f, NULL, 0, &previous, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.count, 0);
	assert_int_equal(next_look.us, UINT64_MAX);
}

/* A main path that flaps every 300 ms for a minute: one switch away, one back after it has held. */
static void a_flapping_path_costs_one_switch(void **state)
{
	struct forwarding f = network(2);
	struct path_state states[] = {STATE(1, PATH_UP, {0}), STATE(2, PATH_UP, {0})};
	struct active_paths active = {.entry = {{10, 1, 1}}, .count = 1};
	struct monotime next_look;
	int switches = 0;

	(void)state;
	for (uint64_t ms = 1; ms <= 70000; ms++) {
		uint8_t before = active.entry[0].index;

		if (ms <= 60000 && ms % 300 == 0)
			states[0] = (struct path_state)STATE(
			    1, states[0].liveness == PATH_UP ? PATH_DOWN : PATH_UP, {ms * 1000});
		selection_choose(&f, states, 2, &active, (struct monotime){ms * 1000}, &active,
				 &next_look);
		if (active.entry[0].index != before)
			switches++;
		if (switches == 2) {
			assert_int_equal(ms, 62000); /* up for good since 60000 */
			break;
		}
	}
	assert_int_equal(switches, 2);
	assert_int_equal(active.entry[0].index, 1);
}

/* Before: main has index 1 and is dead, spare has 2 and is in use. A policy more, and they are 2 and 3. */
static void a_new_release_keeps_the_way_and_not_the_index(void **state)
{
	struct fwd_path before[] = {
	    {.index = 1, .color = 10, .endpoint_site = 1, .endpoint = 9, .first_site = 3},
	    {.index = 2, .color = 10, .endpoint_site = 1, .endpoint = 9, .first_site = 4},
	};
	struct fwd_path after[] = {
	    {.index = 1, .color = 5, .endpoint_site = 1, .endpoint = 9, .first_site = 3},
	    {.index = 2, .color = 10, .endpoint_site = 1, .endpoint = 9, .first_site = 3},
	    {.index = 3, .color = 10, .endpoint_site = 1, .endpoint = 9, .first_site = 4},
	};
	const struct forwarding old = {.paths = before, .path_count = 2};
	struct forwarding next = {.paths = after, .path_count = 3};
	struct active_paths active = {.entry = {{10, 1, 2, true}}, .count = 1}, again;

	(void)state;
	selection_carry_over(&old, &next, &active, &again);
	assert_int_equal(again.count, 1);
	assert_int_equal(again.entry[0].color, 10);
	assert_int_equal(again.entry[0].index, 3);
	after[2].stack = (struct label_stack){.depth = 1, .label = {16001}}; /* another way now */
	selection_carry_over(&old, &next, &active, &active);
	assert_int_equal(active.count, 0);
}

/* ---- endpoints that share a LAN ---------------------------------------------------------- */

static struct ipv4_prefix lan = {0x0a000000, 16}, other_lan = {0x0a630000, 16};

/* Endpoint 7 before endpoint 3, one LAN; 5 before 9, another. Paths 1 and 2 lead to 7, 3 to 3, 4 to 5, 5 to 9. */
static struct fwd_path gateway_paths[] = {
    {.index = 1, .color = 10, .preference = 200, .endpoint_site = 7},
    {.index = 2, .color = 10, .preference = 100, .endpoint_site = 7},
    {.index = 3, .color = 10, .preference = 200, .endpoint_site = 3},
    {.index = 4, .color = 10, .preference = 200, .endpoint_site = 5},
    {.index = 5, .color = 10, .preference = 200, .endpoint_site = 9},
};
static struct fwd_session_peer gateway_peers[] = {
    {.color = 10, .site_id = 3, .rank = 1, .caller = true, .prefixes = &lan, .prefix_count = 1},
    {.color = 10,
     .site_id = 5,
     .rank = 0,
     .caller = true,
     .prefixes = &other_lan,
     .prefix_count = 1},
    {.color = 10, .site_id = 7, .rank = 0, .caller = true, .prefixes = &lan, .prefix_count = 1},
    {.color = 10,
     .site_id = 9,
     .rank = 1,
     .caller = true,
     .prefixes = &other_lan,
     .prefix_count = 1},
};

static const struct gateway_row {
	const char *rule;
	uint32_t carried; /* endpoint; 0: none yet */
	struct {
		enum path_liveness liveness;
		uint64_t up_for_ms;
		enum { WELL, BAD, DOUBT, DAMPED, DEAD } how;
	} path[3];
	uint32_t carries;
	uint64_t next_look;
} gateway_rows[] = {
    {"nothing known: the first", 0, {{K, 0, WELL}, {K, 0, WELL}, {K, 0, WELL}}, 7, NEVER},
    {"the second alone is up", 0, {{D, 0, WELL}, {K, 0, WELL}, {U, 0, WELL}}, 3, NEVER},
    {"both up: the first", 0, {{U, 0, WELL}, {U, 0, WELL}, {U, 9, WELL}}, 7, NEVER},
    {"in use and up stays", 7, {{U, 0, WELL}, {U, 0, WELL}, {U, 9, WELL}}, 7, NEVER},
    {"in use and unknown stays (restart)", 7, {{K, 0, WELL}, {K, 0, WELL}, {U, 9, WELL}}, 7, NEVER},
    {"one path of the first is left: no move",
     7,
     {{D, 0, WELL}, {U, 0, WELL}, {U, 9, WELL}},
     7,
     NEVER},
    {"the first is dead: the second at once",
     7,
     {{D, 0, WELL}, {D, 0, WELL}, {U, 0, WELL}},
     3,
     NEVER},
    {"the first is dead, the second unknown",
     7,
     {{D, 0, WELL}, {D, 0, WELL}, {K, 0, WELL}},
     3,
     NEVER},
    {"all dead: it stays", 3, {{D, 0, WELL}, {D, 0, WELL}, {D, 0, WELL}}, 3, NEVER},
    {"the first is back, and held",
     3,
     {{U, 500, WELL}, {K, 0, WELL}, {U, 9, WELL}},
     3,
     NOW + 1500000},
    {"the first is back long enough", 3, {{U, 2000, WELL}, {D, 0, WELL}, {U, 9, WELL}}, 7, NEVER},
    {"the first is back, and damped",
     3,
     {{U, 9000, DAMPED}, {D, 0, WELL}, {U, 9, WELL}},
     3,
     NOW + 1},
    {"the second dies while the first is held",
     3,
     {{U, 1, WELL}, {D, 0, WELL}, {D, 0, WELL}},
     7,
     NEVER},
    {"all ways to the first are degraded: the second",
     7,
     {{U, 9000, BAD}, {U, 9000, BAD}, {U, 9, WELL}},
     3,
     NEVER},
    {"all ways to the first are degraded: even a damped one before them",
     7,
     {{U, 9000, BAD}, {U, 9000, BAD}, {U, 9, DAMPED}},
     3,
     NEVER},
    {"one way to the first is not: no move",
     7,
     {{U, 9000, BAD}, {U, 9000, WELL}, {U, 9, WELL}},
     7,
     NEVER},
    {"all are degraded: it stays", 7, {{U, 9, BAD}, {U, 9, BAD}, {U, 9000, BAD}}, 7, NEVER},
    {"all are degraded: so does the second",
     3,
     {{U, 9000, BAD}, {U, 9, BAD}, {U, 9, BAD}},
     3,
     NEVER},
    {"degraded, the second is dead: it stays",
     7,
     {{U, 9, BAD}, {D, 0, WELL}, {D, 0, WELL}},
     7,
     NEVER},
    {"degraded is not gone back to", 3, {{U, 9000, BAD}, {D, 0, WELL}, {U, 9, WELL}}, 3, NEVER},
    {"the second is degraded, the first held: at once",
     3,
     {{U, 500, WELL}, {D, 0, WELL}, {U, 9000, BAD}},
     7,
     NEVER},
    {"a doubt alone is borne", 7, {{U, 9000, DOUBT}, {D, 0, WELL}, {U, 9, WELL}}, 7, NEVER},
    {"the first is dead, the second damped",
     7,
     {{D, 0, WELL}, {D, 0, WELL}, {U, 0, DAMPED}},
     3,
     NEVER},
    {"the first's session is dead: the second",
     7,
     {{U, 9000, DEAD}, {U, 9000, DEAD}, {U, 9, WELL}},
     3,
     NEVER},
    {"a dead session is not gone back to",
     3,
     {{U, 9000, DEAD}, {U, 9000, DEAD}, {U, 9, WELL}},
     3,
     NEVER},
    {"all sessions are dead: it stays",
     7,
     {{U, 9000, DEAD}, {U, 9000, DEAD}, {U, 9, DEAD}},
     7,
     NEVER},
    {"nothing in use, the first unknown: one that is up, be it degraded",
     0,
     {{K, 0, WELL}, {K, 0, WELL}, {U, 9, BAD}},
     3,
     NEVER},
    {"nothing in use, the first degraded: the second",
     0,
     {{U, 9, BAD}, {D, 0, WELL}, {U, 9, WELL}},
     3,
     NEVER},
};

static void gateways_take_over(void **state)
{
	struct forwarding f = {.paths = gateway_paths,
			       .path_count = 5,
			       .peers = gateway_peers,
			       .peer_count = 4,
			       .sessions = sessions,
			       .session_count = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(gateway_rows) / sizeof(gateway_rows[0]); i++) {
		const struct gateway_row *r = &gateway_rows[i];
		struct active_paths previous = {
		    .entry = {{10, 7, 1, r->carried == 7}, {10, 3, 3, r->carried == 3}},
		    .count = r->carried ? 2 : 0};
		struct path_state states[5] = {STATE(4, PATH_UP, SINCE(0)),
					       STATE(5, PATH_UP, SINCE(0))};
		struct active_paths active;
		struct monotime next_look;
		uint32_t carries = 0;

		for (uint8_t p = 0; p < 3; p++)
			states[p + 2] = (struct path_state){
			    .index = (uint8_t)(p + 1),
			    .liveness = r->path[p].liveness,
			    .since = SINCE(r->path[p].up_for_ms),
			    .degraded = r->path[p].how == BAD,
			    .in_doubt = r->path[p].how == DOUBT,
			    .damped_until = {r->path[p].how == DAMPED ? NOW + 1 : 0},
			    .session_dead = r->path[p].how == DEAD,
			};
		selection_choose(&f, states, 5, &previous, (struct monotime){NOW}, &active,
				 &next_look);
		assert_int_equal(active.count, 4);
		for (size_t k = 0; k < active.count; k++) {
			uint32_t endpoint = active.entry[k].endpoint_site;

			if (endpoint == 5 || endpoint == 9)
				assert_int_equal(active.entry[k].carries, endpoint == 5);
			else if (active.entry[k].carries)
				carries = carries ? 99 : endpoint;
		}
		if (carries != r->carries || next_look.us != r->next_look)
			fail_msg("%s: %u carries, next look %llu", r->rule, carries,
				 (unsigned long long)next_look.us);
	}
}

/* After a restart: the first gateway is not heard yet, and one color goes by it, the other by the second. */
static void each_color_keeps_its_own_gateway(void **state)
{
	static struct fwd_path both[] = {
	    {.index = 1, .color = 10, .preference = 200, .endpoint_site = 7},
	    {.index = 2, .color = 10, .preference = 200, .endpoint_site = 3},
	    {.index = 3, .color = 20, .preference = 200, .endpoint_site = 7},
	    {.index = 4, .color = 20, .preference = 200, .endpoint_site = 3}};
	const struct path_state states[] = {
	    STATE(1, PATH_UNKNOWN, SINCE(0)), STATE(2, PATH_UP, SINCE(9)),
	    STATE(3, PATH_UNKNOWN, SINCE(0)), STATE(4, PATH_UP, SINCE(9))};
	const struct active_paths previous = {
	    .entry = {{20, 3, 4, true}, {20, 7, 3, false}, {10, 3, 2, false}, {10, 7, 1, true}},
	    .count = 4};
	struct fwd_session_peer peers[4];
	const struct forwarding f = {.paths = both,
				     .path_count = 4,
				     .peers = peers,
				     .peer_count = 4,
				     .sessions = sessions,
				     .session_count = 2};
	struct active_paths active;
	struct monotime next_look;

	(void)state;
	for (int i = 0; i < 4; i++) {
		peers[i] = gateway_peers[i % 2 ? 2 : 0];
		peers[i].color = i < 2 ? 10 : 20;
	}
	selection_choose(&f, states, 4, &previous, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.count, 4);
	for (size_t i = 0; i < active.count; i++)
		assert_int_equal(active.entry[i].carries,
				 active.entry[i].endpoint_site ==
				     (active.entry[i].color == 10 ? 7u : 3u));
}

/* An index is given out anew with each release: what another pair has now was never in use here. */
static void an_index_of_another_pair_is_nothing(void **state)
{
	const struct forwarding f = network(4);
	const struct path_state states[] = {
	    STATE(1, PATH_DOWN, SINCE(0)), STATE(2, PATH_UP, SINCE(9)), STATE(3, PATH_UP, SINCE(9)),
	    STATE(4, PATH_UP, SINCE(9))};
	const struct active_paths previous = {.entry = {{10, 1, 4, true}}, .count = 1};
	struct active_paths active;
	struct monotime next_look;

	(void)state;
	selection_choose(&f, states, 4, &previous, (struct monotime){NOW}, &active, &next_look);
	assert_int_equal(active.count, 2);
	assert_int_equal(active.entry[0].endpoint_site, 1);
	assert_int_equal(active.entry[0].index, 2);
	assert_true(active.entry[0].carries); /* as each that shares its LAN with nobody */
	assert_int_equal(active.entry[1].endpoint_site, 2);
	assert_int_equal(active.entry[1].index, 4);
	assert_true(active.entry[1].carries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_rule),
	    cmocka_unit_test(a_degraded_path_is_left),
	    cmocka_unit_test(a_damped_path_is_spare),
	    cmocka_unit_test(a_path_in_doubt_is_left_a_few_times),
	    cmocka_unit_test(gateways_take_over),
	    cmocka_unit_test(each_color_keeps_its_own_gateway),
	    cmocka_unit_test(an_index_of_another_pair_is_nothing),
	    cmocka_unit_test(pairs_are_apart),
	    cmocka_unit_test(a_new_release_keeps_the_way_and_not_the_index),
	    cmocka_unit_test(a_state_that_is_missing_is_unknown),
	    cmocka_unit_test(nothing_to_choose),
	    cmocka_unit_test(a_flapping_path_costs_one_switch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
