/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/padded_limit.c daemon/core/path_mtu.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/core/padded_limit.h"
#include "tuyen/core/path_mtu.h"

#define SECRET	 0x0123456789abcdefu
#define PATHS	 68274u /* of a country, behind one gateway */
#define PROBE_US 50000u
#define LENGTH	 1388u /* the payload of 1416 bytes */
#define FIRST	 0x64500001u

static struct monotime at(uint64_t us)
{
	return (struct monotime){1000000 + us};
}

static void one_source_has_a_burst_and_then_one_each_gap(void **state)
{
	struct padded_limit l;
	uint64_t us = 0;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (unsigned int i = 0; i < PADDED_LIMIT_BURST; i++)
		assert_true(padded_limit_take(&l, FIRST, LENGTH, at(0)));
	for (int i = 0; i < 100; i++) {
		assert_false(padded_limit_take(&l, FIRST, LENGTH, at(us)));
		us += PADDED_LIMIT_GAP_US;
		assert_false(padded_limit_take(&l, FIRST, LENGTH, at(us - 1)));
		assert_true(padded_limit_take(&l, FIRST, LENGTH, at(us)));
	}
	us += PADDED_LIMIT_BURST * PADDED_LIMIT_GAP_US;
	for (unsigned int i = 0; i < PADDED_LIMIT_BURST; i++)
		assert_true(padded_limit_take(&l, FIRST, LENGTH, at(us)));
	assert_false(padded_limit_take(&l, FIRST, LENGTH, at(us)));
}

/* There are more of them than slots, so that some share one. */
static void no_source_is_refused_for_another(void **state)
{
	struct padded_limit l;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (uint32_t i = 0; i < 4 * PADDED_LIMIT_SOURCES; i++)
		assert_true(padded_limit_take(&l, FIRST + i, LENGTH, at(0)));
	for (uint32_t i = 0; i < 4 * PADDED_LIMIT_SOURCES; i++)
		assert_true(padded_limit_take(&l, FIRST + i, LENGTH, at(500000)));
}

/* Each path asks once in PATH_MTU_EVERY intervals, whenever it began to. */
static void the_probes_of_a_country_pass(void **state)
{
	static struct padded_limit l;
	uint64_t every_us = (uint64_t)PROBE_US * PATH_MTU_EVERY;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (uint64_t round = 0; round < 5; round++)
		for (uint32_t i = 0; i < PATHS; i++) {
			uint64_t us = round * every_us + every_us * i / PATHS;

			if (!padded_limit_take(&l, FIRST + i * 2654435761u, LENGTH, at(us)))
				fail_msg("path %u, round %u", i, (unsigned int)round);
		}
}

/* A search asks upon each answer: on a short way none of it may seem lost. */
static void a_search_passes(void **state)
{
	struct monotime now = at(0);
	struct padded_limit l;
	struct path_mtu m;
	bool changed;

	(void)state;
	padded_limit_init(&l, SECRET, now);
	path_mtu_init(&m, 1416, 1416, PROBE_US, 3 * PROBE_US, now);
	while (!m.proven || m.searching) {
		uint16_t size = path_mtu_step(&m, m.due, true, 0, &changed);

		now = m.sent_at;
		if (!size || size > 1300)
			continue;
		assert_true(padded_limit_take(&l, FIRST, size - 28u, now));
		path_mtu_answer(&m, size, monotime_after(now, 1000));
	}
	assert_int_equal(m.passes, 1300);
}

/* Of forged sources, none like the one before: what goes out is bounded all the same, and what is small costs little of it. */
static void all_together_are_bounded(void **state)
{
	static const uint64_t second = 1000000;
	struct padded_limit l;
	uint64_t bytes = 0;
	uint32_t source = 0;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (uint64_t us = 0; us < 3 * second; us += 10)
		if (padded_limit_take(&l, ++source, LENGTH, at(us)))
			bytes += LENGTH;
	assert_in_range(bytes, PADDED_LIMIT_BYTES * 4u - LENGTH * 2, PADDED_LIMIT_BYTES * 4u);
	assert_false(padded_limit_take(&l, FIRST, LENGTH, at(3 * second - 10)));
	assert_true(padded_limit_take(&l, FIRST, LENGTH, at(3 * second + 50)));
	padded_limit_init(&l, SECRET, at(0));
	for (uint32_t i = 0; i < 1000000; i++)
		assert_true(padded_limit_take(&l, ++source, 25, at(0)));
}

/* What was refused for the sake of all is not held against its source. */
static void a_refused_one_costs_nothing(void **state)
{
	struct padded_limit l;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (int i = 0; i < 100; i++)
		assert_false(padded_limit_take(&l, FIRST, PADDED_LIMIT_BYTES + 1, at(0)));
	for (unsigned int i = 0; i < PADDED_LIMIT_BURST; i++)
		assert_true(padded_limit_take(&l, FIRST, LENGTH, at(0)));
}

/* A source that is forged among others, to be forgotten meanwhile, is answered to one in hundreds. */
static void forgetting_is_no_way_round(void **state)
{
	static const uint64_t second = 1000000;
	struct padded_limit l;
	uint32_t answered = 0, source = 0;

	(void)state;
	padded_limit_init(&l, SECRET, at(0));
	for (uint64_t us = 0; us < 10 * second; us += 20) {
		answered += padded_limit_take(&l, FIRST, LENGTH, at(us));
		padded_limit_take(&l, source++, LENGTH, at(us));
	}
	assert_in_range(answered, 250, 3000); /* of 500000; alone 266 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_source_has_a_burst_and_then_one_each_gap),
	    cmocka_unit_test(no_source_is_refused_for_another),
	    cmocka_unit_test(the_probes_of_a_country_pass),
	    cmocka_unit_test(a_search_passes),
	    cmocka_unit_test(all_together_are_bounded),
	    cmocka_unit_test(a_refused_one_costs_nothing),
	    cmocka_unit_test(forgetting_is_no_way_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
