/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/path_quality.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/core/path_quality.h"

#define INTERVAL_US 50000

/* Sends @count probes of which those whose bit of @lost (a byte, over and over) is set are lost, answers @late probes after. */
static void probes(struct path_quality *q, unsigned int count, uint8_t lost, unsigned int late)
{
	for (unsigned int i = 0; i < count + late; i++) {
		if (i < count)
			path_quality_sent(q, INTERVAL_US);
		if (i >= late && !(lost >> ((i - late) % 8) & 1))
			path_quality_received(q);
	}
}

static void loss_is_counted(void **state)
{
	static const struct {
		uint8_t lost;
		uint16_t permille;
	} rows[] = {{0x00, 0}, {0x01, 125}, {0x11, 250}, {0x55, 500}, {0xff, 1000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct path_quality q = {0};

		probes(&q, 41, rows[i].lost, 0);
		assert_int_equal(q.loss_permille, rows[i].permille);
		probes(&q, 40, 0, 0); /* and forgotten */
		assert_int_equal(q.loss_permille, 0);
		assert_true(path_quality_known(&q));
		probes(&q, 17, 0xff, 0);
		path_quality_reset(&q);
		probes(&q, 32, 0, 0);
		assert_false(path_quality_known(&q));
		assert_true(path_quality_sent(&q, INTERVAL_US)); /* known now, and as it was */
		assert_true(path_quality_known(&q));
		assert_int_equal(q.loss_permille, 0);
	}
}

/* A path of 6 ms, of which a whole window came back, loses all from now on. */
static void loss_is_known_before_a_group_ends(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		path_quality_round_trip(&q, 6000);
	probes(&q, 33, 0, 0);
	assert_true(path_quality_known(&q));
	probes(&q, 1, 0xff, 0);
	assert_int_equal(q.loss_permille, 0);
	for (unsigned int lost = 1; lost < 7; lost++) {
		assert_true(path_quality_sent(&q, INTERVAL_US));
		assert_int_equal(q.loss_permille, lost * 1000 / (32 + lost + 1));
	}
	path_quality_received(&q); /* one is late: of four groups six are missing */
	assert_true(path_quality_sent(&q, INTERVAL_US));
	assert_int_equal(q.loss_permille, 6 * 1000 / 32);
}

/* Whose answers come two probes late, and differ by one: five of them may be underway. */
static void what_may_be_under_way_is_not_missing(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 400; i++)
		path_quality_round_trip(&q, i % 2 ? 2 * INTERVAL_US : 3 * INTERVAL_US);
	probes(&q, 400, 0, 2);
	assert_int_equal(q.loss_permille, 0);
	for (int i = 0; i < 4; i++)
		assert_false(path_quality_sent(&q, INTERVAL_US));
	assert_int_equal(q.loss_permille, 0);
}

/* Answers that are underway for three probes: the first group alone misses some. */
static void a_long_way_is_no_loss(void **state)
{
	struct path_quality q = {0};

	(void)state;
	probes(&q, 200, 0, 3);
	assert_int_equal(q.loss_permille, 0);
	for (unsigned int i = 0; i < 1000; i++) { /* bursts: all answers of a second at once */
		path_quality_sent(&q, INTERVAL_US);
		if (i % 4 == 3)
			for (int k = 0; k < 4; k++)
				path_quality_received(&q);
		assert_in_range(q.loss_permille, 0, 125);
	}
}

static void jitter_is_of_the_round_trip(void **state)
{
	struct path_quality q = {0};

	(void)state;
	path_quality_round_trip(&q, 3000000); /* the first probe waited for a handshake */
	assert_int_equal(path_quality_known_round_trip(&q), 0);
	for (int i = 0; i < 100; i++)
		path_quality_round_trip(&q, 20000);
	assert_int_equal(q.round_trip_us, 20000);
	assert_int_equal(q.jitter_us, 0);
	for (int i = 0; i < 200; i++)
		path_quality_round_trip(&q, i % 2 ? 10000 : 30000);
	assert_in_range(q.round_trip_us, 18000, 22000);
	assert_in_range(q.jitter_us, 19900, 20000); /* each is 20 ms from the one before */
	for (int i = 0; i < 200; i++)
		path_quality_round_trip(&q, 0);
	assert_in_range(q.round_trip_us, 0, 10);
	assert_in_range(q.jitter_us, 0, 20);
}

/* J += (|D| - J) / 16, by hand; the first four round trips are not of it. */
static void jitter_is_rfc_3550_s(void **state)
{
	static const uint32_t round_trip[] = {40000, 56000, 56000, 24000},
			      jitter[] = {0, 1000, 938, 2879};
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		path_quality_round_trip(&q, 40000 + (i == 2 ? 900000 : 0));
	for (size_t i = 0; i < sizeof(jitter) / sizeof(jitter[0]); i++) {
		path_quality_round_trip(&q, round_trip[i]);
		assert_int_equal(q.jitter_us, jitter[i]);
	}
}

/* A way that becomes 80 ms longer at once, and one that does so bit by bit: 5 ms is all that the first ever counts for. */
static void another_delay_is_no_jitter(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 40; i++)
		path_quality_round_trip(&q, 20000);
	for (int i = 0; i < 40; i++) {
		path_quality_round_trip(&q, 100000);
		assert_in_range(q.jitter_us, 0, 5000);
	}
	assert_in_range(q.jitter_us, 0, 500);
	for (uint32_t us = 100000; us < 180000; us += 1000) {
		path_quality_round_trip(&q, us);
		assert_in_range(q.jitter_us, 0, 1000);
	}
}

static void limits_have_hysteresis(void **state)
{
	const struct path_limits none = {0}, l = {.loss_percent = 10,
						  .round_trip_us = 100000,
						  .jitter_us = 20000};

	(void)state;
	assert_false(path_quality_degraded(&none, 1000, 9999999, 9999999, false));
	assert_false(path_quality_degraded(&none, 0, 0, 0, true));
	assert_false(path_quality_degraded(&l, 100, 100000, 20000, false));
	assert_true(path_quality_degraded(&l, 101, 0, 0, false));
	assert_true(path_quality_degraded(&l, 50, 0, 0, true));
	assert_false(path_quality_degraded(&l, 49, 0, 0, true));
	assert_true(path_quality_degraded(&l, 0, 100001, 0, false));
	assert_true(path_quality_degraded(&l, 0, 75000, 0, true));
	assert_false(path_quality_degraded(&l, 0, 74999, 0, true));
	assert_true(path_quality_degraded(&l, 0, 0, 20001, false));
	assert_false(path_quality_degraded(&l, 0, 0, 14999, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loss_is_counted),
	    cmocka_unit_test(loss_is_known_before_a_group_ends),
	    cmocka_unit_test(what_may_be_under_way_is_not_missing),
	    cmocka_unit_test(a_long_way_is_no_loss),
	    cmocka_unit_test(jitter_is_of_the_round_trip),
	    cmocka_unit_test(jitter_is_rfc_3550_s),
	    cmocka_unit_test(another_delay_is_no_jitter),
	    cmocka_unit_test(limits_have_hysteresis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
