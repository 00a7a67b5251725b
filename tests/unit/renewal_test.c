/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/renewal.h"

#define SLOTS 50u /* of 100 ms */

/* Of ids in a row, and of every sixteenth, no slot has half as many again as its part. */
static void moments_are_spread(void **state)
{
	static const struct {
		uint32_t first, step, count;
	} rows[] = {{1, 1, 11379}, {901, 1, 2000}, {10000, 16, 2000}, {101, 1, 200}, {60000, 3, 1000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t slots[SLOTS] = {0}, most = 0;

		for (uint32_t k = 0; k < rows[i].count; k++) {
			uint64_t wait = renewal_wait_us(rows[i].first + k * rows[i].step);

			assert_in_range(wait, RENEWAL_SILENCE_US,
					RENEWAL_SILENCE_US + RENEWAL_SPREAD_US - 1);
			slots[(wait - RENEWAL_SILENCE_US) / 100000]++;
		}
		for (size_t k = 0; k < SLOTS; k++)
			most = slots[k] > most ? slots[k] : most;
		assert_true(most <= rows[i].count / SLOTS * 3 / 2);
	}
}

static void it_is_due_at_its_moment(void **state)
{
	struct monotime since = {7000000}, next = MONOTIME_NEVER, due;

	(void)state;
	due = monotime_after(since, renewal_wait_us(901));
	assert_false(renewal_due(since, 901, (struct monotime){due.us - 1}, &next));
	assert_int_equal(next.us, due.us);
	next = MONOTIME_NEVER;
	assert_true(renewal_due(since, 901, due, &next));
	assert_int_equal(next.us, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moments_are_spread),
	    cmocka_unit_test(it_is_due_at_its_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
