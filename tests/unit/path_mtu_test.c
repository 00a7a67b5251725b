/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/path_mtu.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/core/path_mtu.h"

/* A line on a virtual clock that swallows what is bigger than @carries, and every @drop-th packet. */
struct line {
	struct path_mtu m;
	struct monotime now;
	uint16_t carries, loss_permille;
	uint32_t chance; /* state of a generator; 0: nothing is lost by chance */
	unsigned int drop, sent, changes;
	bool alive;
};

#define MS(n)  ((uint64_t)(n)*1000)
#define RTT_US 8000

static void line_init(struct line *l, uint16_t ceiling)
{
	*l = (struct line){.now = {1000000}, .carries = ceiling, .alive = true};
	path_mtu_init(&l->m, ceiling, ceiling, MS(50), MS(150), l->now);
}

static bool line_loses(struct line *l)
{
	if (!l->chance)
		return false;
	l->chance = l->chance * 1664525u + 1013904223u;
	return (l->chance >> 8) % 1000 < l->loss_permille;
}

static void line_run(struct line *l, uint64_t us)
{
	struct monotime end = monotime_after(l->now, us);

	while (!monotime_before(end, l->m.due)) {
		bool changed;
		uint16_t size;

		if (monotime_before(l->now, l->m.due))
			l->now = l->m.due;
		size = path_mtu_step(&l->m, l->now, l->alive, l->loss_permille, &changed);
		l->changes += changed;
		if (!size)
			continue;
		assert_in_range(size, PATH_MTU_FLOOR, l->m.ceiling);
		l->sent++;
		if (size > l->carries || (l->drop && l->sent % l->drop == 0) || line_loses(l))
			continue;
		l->now = monotime_after(l->now, RTT_US);
		l->changes += path_mtu_answer(&l->m, size, l->now);
	}
	l->now = end;
}

static void a_whole_path_costs_one_probe_in_128(void **state)
{
	struct line l;

	(void)state;
	line_init(&l, 1416);
	line_run(&l, MS(320000));
	assert_int_equal(l.m.passes, 1416);
	assert_int_equal(l.changes, 0);
	assert_in_range(l.sent, 48, 50);
}

static void a_black_hole_is_found_in_seconds(void **state)
{
	(void)state;
	for (uint16_t carries = PATH_MTU_FLOOR; carries < 1416; carries += 13) {
		struct line l;
		uint64_t took = 0;

		line_init(&l, 1416);
		line_run(&l, MS(10000));
		l.carries = carries;
		for (; !l.changes && took < MS(20000); took += MS(10))
			line_run(&l, MS(10));
		assert_in_range(took, 1, MS(6400 + 4 * 150)); /* that it is one */
		assert_int_equal(l.m.passes, PATH_MTU_FLOOR);
		for (; l.m.searching && took < MS(20000); took += MS(10))
			line_run(&l, MS(10));
		assert_in_range(took, 1,
				MS(6400 + 4 * 150 + 11 * 2 * 150)); /* what passes, to the byte */
		assert_int_equal(l.m.passes, carries);
		line_run(&l, MS(240000));
		assert_int_equal(l.m.passes, carries);
		l.carries = (uint16_t)((carries + 1416) / 2); /* half as bad */
		line_run(&l, MS(120000));
		assert_int_equal(l.m.passes, l.carries);
		l.carries = 1416; /* the carrier has repaired it */
		line_run(&l, MS(120000));
		assert_int_equal(l.m.passes, 1416);
		l.carries = carries; /* and it comes again */
		line_run(&l, MS(20000));
		assert_int_equal(l.m.passes, carries);
	}
}

/* RFC 8899 section 5.1.2: a size is doubted when so many probes in a row are lost, each of them waited for. */
static void so_many_in_a_row_are_a_doubt(void **state)
{
	static const struct {
		uint16_t loss_permille;
		unsigned int steady, searching;
	} rows[] = {{0, 3, 2}, {39, 3, 2}, {40, 4, 3}, {300, 10, 9}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct line l;
		bool changed = false;
		uint16_t size = 0;

		line_init(&l, 1416);
		assert_int_equal(l.m.due.us, l.now.us + MS(50 * PATH_MTU_EVERY));
		for (unsigned int sent = 0; sent < rows[i].steady; sent++) {
			assert_int_equal(
			    path_mtu_step(&l.m, l.m.due, true, rows[i].loss_permille, &changed),
			    1416);
			assert_false(changed);
			assert_int_equal(monotime_between(l.m.sent_at, l.m.due), MS(150));
		}
		size = path_mtu_step(&l.m, l.m.due, true, rows[i].loss_permille, &changed);
		assert_true(changed && l.m.proven);
		assert_int_equal(size, PATH_MTU_FLOOR + (1416 - PATH_MTU_FLOOR) / 2);
		for (unsigned int sent = 1; sent < rows[i].searching; sent++)
			assert_int_equal(
			    path_mtu_step(&l.m, l.m.due, true, rows[i].loss_permille, &changed),
			    size);
		assert_int_equal(
		    path_mtu_step(&l.m, l.m.due, true, rows[i].loss_permille, &changed),
		    PATH_MTU_FLOOR + (size - PATH_MTU_FLOOR) / 2);
	}
}

/* More than passes is lost, and costs: it is asked for once in PATH_MTU_RAISE times. */
static void more_is_asked_for_now_and_then(void **state)
{
	struct line l;

	(void)state;
	line_init(&l, 1416);
	l.carries = 1000;
	for (int round = 0; round < 3; round++) {
		bool changed;

		for (int searching = 1; searching >= 0; searching--)
			while (l.m.searching != searching)
				line_run(&l, MS(10));
		for (int i = 1; i <= PATH_MTU_RAISE; i++) {
			l.now = l.m.due;
			assert_int_equal(path_mtu_step(&l.m, l.now, true, 0, &changed),
					 i < PATH_MTU_RAISE ? 1000 : 1416);
			if (i < PATH_MTU_RAISE)
				assert_false(path_mtu_answer(&l.m, 1000, l.now));
		}
		assert_int_equal(l.m.passes, 1000);
	}
}

/* One that is over while what passes is looked for, before the last probe of that left: the whole passes when it is found. */
static void a_hole_that_passes_leaves_no_trace(void **state)
{
	(void)state;
	for (unsigned int ms = 0; ms < 4000; ms += 50) {
		struct line l;

		line_init(&l, 1396);
		line_run(&l, MS(10000));
		l.carries = 1000;
		while (!l.changes)
			line_run(&l, MS(10));
		line_run(&l, MS(ms));
		if (l.m.size == 1396 && l.m.lost)
			return;
		assert_true(l.m.searching);
		l.carries = 1396;
		while (l.m.searching)
			line_run(&l, MS(10));
		if (l.m.passes != 1396)
			fail_msg("whole again after %u ms, and %u pass", ms, l.m.passes);
	}
	fail_msg("the search does not end");
}

/* Sent, and asked for, by @paths in a row that all search at once, over a line that gives them @rate bytes a second. */
static void all_keep_to_the_rate(void **state)
{
	static const uint64_t rates[] = {1000, 1843, 7200, 60000, 1000000};

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
		for (uint32_t paths = 1; paths <= 15; paths++) {
			uint64_t bytes = 0, seconds = 3600;
			struct line l;

			for (uint32_t p = 0; p < paths; p++) {
				line_init(&l, 1416);
				l.m.gap_us = path_mtu_gap_us(rates[r], 1416, paths);
				l.carries = 700;
				line_run(&l, MS(seconds * 1000));
				bytes += l.sent * UINT64_C(1416);
				assert_int_equal(l.m.passes, 700);
			}
			assert_true(bytes <= rates[r] * seconds + paths * 1416);
		}
	assert_int_equal(path_mtu_gap_us(0, 1416, 15), 0);
	assert_int_equal(path_mtu_gap_us(1, 1416, 15), PATH_MTU_GAP_MAX_US);
	assert_int_equal(path_mtu_gap_us(1416, 1416, 2), 2000000);
}

static void loss_is_no_black_hole(void **state)
{
	(void)state;
	for (unsigned int drop = 2; drop < 9; drop++) {
		struct line l;

		line_init(&l, 1416);
		l.drop = drop;
		line_run(&l, MS(3600000));
		assert_int_equal(l.changes, 0);
		assert_int_equal(l.m.passes, 1416);
	}
}

/* Two of three probes lost by chance, for a day: hardly ever a wrong word, and never for long. */
static void nor_is_much_loss(void **state)
{
	struct line l;

	(void)state;
	for (uint16_t loss = 100; loss <= 500; loss += 100) {
		line_init(&l, 1416);
		l.loss_permille = loss;
		l.chance = loss;
		line_run(&l, MS(86400000));
		assert_in_range(l.changes, 0, 40);
		l.chance = 0;
		l.loss_permille = 0;
		line_run(&l, MS(120000));
		assert_int_equal(l.m.passes, 1416);
	}
}

static void a_dead_path_says_nothing(void **state)
{
	struct line l;

	(void)state;
	line_init(&l, 1416);
	l.carries = 0;
	l.alive = false;
	line_run(&l, MS(100000));
	assert_int_equal(l.sent, 0);
	assert_int_equal(l.m.passes, 1416);
	l.carries = 1300;
	l.alive = true;
	line_run(&l, MS(20000));
	assert_int_equal(l.m.passes, 1300);
	l.alive = false; /* what was found stays */
	line_run(&l, MS(100000));
	assert_int_equal(l.m.passes, 1300);
}

/* What was under way when it died says nothing of a size; a search that it ended begins anew with the whole. */
static void a_path_that_was_dead_begins_anew(void **state)
{
	bool changed;
	struct line l;

	(void)state;
	line_init(&l, 1416);
	for (int life = 0; life < 3; life++) {
		for (int lost = 0; lost < 3; lost++) {
			assert_int_equal(path_mtu_step(&l.m, l.m.due, true, 0, &changed), 1416);
			assert_false(changed);
		}
		assert_int_equal(path_mtu_step(&l.m, l.m.due, false, 0, &changed), 0);
		assert_false(path_mtu_answer(&l.m, 1416, l.m.due));
	}
	for (int lost = 0; lost < 4; lost++)
		path_mtu_step(&l.m, l.m.due, true, 0, &changed);
	assert_true(changed && l.m.searching);
	assert_int_equal(path_mtu_step(&l.m, l.m.due, false, 0, &changed), 0);
	assert_int_equal(path_mtu_step(&l.m, l.m.due, true, 0, &changed), 1416);
	assert_true(path_mtu_answer(&l.m, 1416, l.m.due));
	l.now = l.m.due;
	l.carries = 1000; /* also where more is asked for only now and then */
	line_run(&l, MS(20000));
	assert_int_equal(l.m.passes, 1000);
	l.carries = 700;
	while (!l.m.searching)
		line_run(&l, MS(10));
	assert_int_equal(path_mtu_step(&l.m, l.m.due, false, 0, &changed), 0);
	assert_int_equal(path_mtu_step(&l.m, l.m.due, true, 0, &changed), 1416);
}

static void nothing_passes_below_the_floor(void **state)
{
	struct line l;

	(void)state;
	line_init(&l, 1416);
	l.carries = 100;
	line_run(&l, MS(60000));
	assert_int_equal(l.m.passes, PATH_MTU_FLOOR);
	assert_int_equal(l.changes, 1);
	line_init(&l, 600); /* compiled below the floor: left alone */
	l.carries = 100;
	l.m.ceiling = 600;
	for (int i = 0; i < 1000; i++) {
		bool changed;

		l.now = l.m.due;
		assert_int_equal(path_mtu_step(&l.m, l.now, true, 0, &changed), 600);
		assert_false(changed);
	}
}

/* What an earlier life found is believed, but the whole is asked for first. */
static void what_was_known_stays_known(void **state)
{
	struct line l;

	(void)state;
	line_init(&l, 1416);
	path_mtu_init(&l.m, 1416, 1300, MS(50), MS(150), l.now);
	assert_false(l.m.proven);
	assert_int_equal(l.m.passes, 1300);
	l.carries = 1300;
	line_run(&l, MS(20000));
	assert_true(l.m.proven);
	assert_int_equal(l.m.passes, 1300);
	line_init(&l, 1416);
	path_mtu_init(&l.m, 1416, 1300, MS(50), MS(150), l.now);
	line_run(&l, MS(7000));
	assert_true(l.m.proven);
	assert_int_equal(l.m.passes, 1416);
}

/* An answer that comes after its time, or to another question, proves nothing wrong. */
static void stray_answers_are_ignored(void **state)
{
	struct line l;
	bool changed;

	(void)state;
	line_init(&l, 1416);
	assert_false(path_mtu_answer(&l.m, 1416, l.now));
	l.now = l.m.due;
	assert_int_equal(path_mtu_step(&l.m, l.now, true, 0, &changed), 1416);
	assert_false(path_mtu_answer(&l.m, 52, l.now));
	assert_true(l.m.in_flight);
	assert_false(path_mtu_answer(&l.m, 1416, l.now));
	assert_false(l.m.in_flight);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_path_costs_one_probe_in_128),
	    cmocka_unit_test(a_black_hole_is_found_in_seconds),
	    cmocka_unit_test(more_is_asked_for_now_and_then),
	    cmocka_unit_test(so_many_in_a_row_are_a_doubt),
	    cmocka_unit_test(a_hole_that_passes_leaves_no_trace),
	    cmocka_unit_test(all_keep_to_the_rate),
	    cmocka_unit_test(loss_is_no_black_hole),
	    cmocka_unit_test(nor_is_much_loss),
	    cmocka_unit_test(a_dead_path_says_nothing),
	    cmocka_unit_test(a_path_that_was_dead_begins_anew),
	    cmocka_unit_test(nothing_passes_below_the_floor),
	    cmocka_unit_test(what_was_known_stays_known),
	    cmocka_unit_test(stray_answers_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
