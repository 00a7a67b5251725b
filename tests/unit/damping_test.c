/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/damping.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/core/damping.h"

#define S	1000000ull
#define LONGEST (60 * S) /* halves every 15 s */

static struct monotime at(uint64_t s)
{
	return (struct monotime){1000 * S + s * S};
}

static void it_halves(void **state)
{
	static const struct {
		uint32_t penalty;
		uint64_t passed_us;
		uint32_t left;
	} rows[] = {
	    {1000, 0, 1000},	   {1000, 15 * S, 500},	  {1000, 30 * S, 250},
	    {16000, 60 * S, 1000}, {2000, 7500000, 1414}, {1000, 480 * S, 0},
	    {1000, UINT64_MAX, 0}, {1, 15 * S, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(damping_decayed(rows[i].penalty, rows[i].passed_us, 15 * S),
				 rows[i].left);
}

static void it_never_rises(void **state)
{
	(void)state;
	for (uint64_t t = 0, before = 16000; t < 70 * S; t += 9973) {
		uint32_t left = damping_decayed(16000, t, 15 * S);

		assert_true(left <= before);
		before = left;
	}
}

/* Failures of one path, seconds after each other: how long each holds it, 0: not. */
static void failures_in_a_row(void **state)
{
	static const struct {
		const char *what;
		unsigned int every_s, count;
		uint64_t held_s[8];
	} rows[] = {
	    {"once in a while, for ever", 16, 8, {0}},
	    {"the third within seconds, then longer and longer", 1, 6, {0, 0, 22, 28, 32, 36}},
	    {"every ten seconds", 10, 6, {0, 0, 15, 17, 19, 20}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct damping d = {0};

		for (unsigned int k = 0; k < rows[i].count; k++) {
			struct monotime now = at(k * rows[i].every_s);

			damping_failed(&d, LONGEST, now);
			if (monotime_between(now, d.until) / S != rows[i].held_s[k])
				fail_msg("%s: failure %u holds it %llu ms", rows[i].what, k + 1,
					 (unsigned long long)monotime_between(now, d.until) / 1000);
		}
	}
}

static void never_longer_than_the_longest(void **state)
{
	struct damping d = {0};

	(void)state;
	for (unsigned int k = 0; k < 1000; k++)
		damping_failed(&d, LONGEST, at(0));
	assert_int_equal(monotime_between(at(0), d.until), LONGEST);
	assert_true(damping_holds(&d, at(59)));
	assert_false(damping_holds(&d, at(60)));
}

static void it_is_told_once(void **state)
{
	struct damping d = {0};

	(void)state;
	assert_false(damping_failed(&d, LONGEST, at(0)));
	assert_false(damping_failed(&d, LONGEST, at(1)));
	assert_true(damping_failed(&d, LONGEST, at(2)));
	assert_false(damping_failed(&d, LONGEST, at(3)));
	assert_false(damping_holds(&d, at(90)));
	assert_false(damping_failed(&d, LONGEST, at(900))); /* all is forgotten */
	assert_false(damping_failed(&d, LONGEST, at(901)));
	assert_true(damping_failed(&d, LONGEST, at(902)));
}

/* A carrier that swallows probes for 170 of every 300 ms; and what is repaired on the way now and then. */
static void doubts_cost_half(void **state)
{
	struct damping d = {0};
	uint64_t t = 1000 * S;
	unsigned int told = 0;

	(void)state;
	for (unsigned int k = 0; k < 100; k++, t += 300000) {
		bool now_held = damping_count(&d, DAMPING_DOUBT, LONGEST, (struct monotime){t});

		assert_int_equal(now_held, k == 4);
		told += now_held;
	}
	assert_int_equal(told, 1);
	t -= 300000;
	assert_true(damping_holds(&d, (struct monotime){t + 59 * S}));
	assert_false(damping_holds(&d, (struct monotime){t + 61 * S}));
	d = (struct damping){0};
	for (unsigned int k = 0; k < 100; k++)
		assert_false(damping_count(&d, DAMPING_DOUBT, LONGEST, at(8 * k)));
}

/* RFC 2439 section 4.2: what is held is held until it is below DAMPING_FREE, whatever has befallen it since. */
static void it_is_held_until_it_is_free(void **state)
{
	(void)state;
	for (uint64_t doubt_s = 3; doubt_s < 22; doubt_s++) {
		struct damping d = {0};

		for (unsigned int k = 0; k < 3; k++)
			damping_failed(&d, LONGEST, at(0));
		assert_false(damping_count(&d, DAMPING_DOUBT, LONGEST, at(doubt_s)));
		assert_true(damping_decayed(d.penalty, monotime_between(d.at, d.until),
					    LONGEST / 4) < DAMPING_FREE);
		assert_int_equal(
		    damping_decayed(d.penalty, monotime_between(d.at, d.until) - 1, LONGEST / 4),
		    DAMPING_FREE);
	}
}

static void without_a_longest_it_is_off(void **state)
{
	struct damping d = {0};

	(void)state;
	for (unsigned int k = 0; k < 100; k++)
		assert_false(damping_failed(&d, 0, at(k)));
	assert_false(damping_holds(&d, at(100)));
	assert_false(damping_failed(&d, 3, at(100)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_halves),
	    cmocka_unit_test(it_never_rises),
	    cmocka_unit_test(failures_in_a_row),
	    cmocka_unit_test(never_longer_than_the_longest),
	    cmocka_unit_test(it_is_told_once),
	    cmocka_unit_test(doubts_cost_half),
	    cmocka_unit_test(it_is_held_until_it_is_free),
	    cmocka_unit_test(without_a_longest_it_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
