/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/service/restart.h"

#define S 1000000ull

static void who_ends_at_once_waits_longer_each_time(void **state)
{
	static const uint64_t ms[] = {100,  200,   400,	  800,	 1600, 3200,
				      6400, 12800, 25600, 30000, 30000};
	uint64_t earned = RESTART_PAUSE_MIN_US;

	(void)state;
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++)
		assert_int_equal(restart_pause(&earned, i % 2 * S), ms[i] * 1000);
}

/* However often: links must not go unseen for half a minute because of one end in ten seconds. */
static void who_ends_now_and_then_is_back_at_once(void **state)
{
	static const uint64_t lives_s[] = {6, 10, 30, 59, 60, 86400 * 365};

	(void)state;
	for (size_t i = 0; i < sizeof(lives_s) / sizeof(lives_s[0]); i++) {
		uint64_t earned = RESTART_PAUSE_MIN_US;

		for (int k = 0; k < 100; k++)
			assert_in_range(restart_pause(&earned, lives_s[i] * S),
					RESTART_PAUSE_MIN_US, 2 * RESTART_PAUSE_MIN_US);
	}
}

static void what_was_earned_is_forgotten_by_and_by(void **state)
{
	static const struct {
		uint64_t lived_s, pause_ms;
	} rows[] = {{5, 30000}, {6, 15000}, {12, 7500}, {18, 3750}, {60, 100}, {100000, 100}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t earned = RESTART_PAUSE_MAX_US;

		assert_int_equal(restart_pause(&earned, rows[i].lived_s * S),
				 rows[i].pause_ms * 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_ends_at_once_waits_longer_each_time),
	    cmocka_unit_test(who_ends_now_and_then_is_back_at_once),
	    cmocka_unit_test(what_was_earned_is_forgotten_by_and_by),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
