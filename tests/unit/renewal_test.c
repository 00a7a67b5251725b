/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/call_back.h"
#include "tuyen/core/renewal.h"

#define SLOTS 50u /* of 100 ms */

/* Of ids in a row, and of every sixteenth, no slot has half as many again as its part. */
static void moments_are_spread(void **state)
{
	static const struct {
		uint32_t first, step, count;
	} rows[] = {
	    {1, 1, 11379}, {901, 1, 2000}, {10000, 16, 2000}, {101, 1, 200}, {60000, 3, 1000}};

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

#define S     1000000ull
#define SINCE ((struct monotime){7 * S})

static struct monotime at(uint64_t us)
{
	return (struct monotime){us};
}

static void read_at(struct renewal *r, uint64_t rx_bytes, uint64_t us)
{
	renewal_read(r, SINCE, rx_bytes, at(us));
}

/* By a reading of that moment, and not by an older one. */
static void it_is_due_at_its_moment(void **state)
{
	uint64_t due = SINCE.us + renewal_wait_us(901);
	struct renewal r = {.rx_bytes = 0};
	struct monotime next = MONOTIME_NEVER;

	(void)state;
	read_at(&r, 500, SINCE.us - 1); /* of before: it says nothing of the silence */
	read_at(&r, 900, SINCE.us + 1);
	read_at(&r, 900, due - 1);
	assert_false(renewal_due(&r, 901, &next));
	assert_int_equal(next.us, due);
	next = MONOTIME_NEVER;
	read_at(&r, 900, due);
	assert_true(renewal_due(&r, 901, &next));
	assert_int_equal(next.us, UINT64_MAX);
}

/* A hub without its daemons: keepalives, each ten seconds at most, are enough. */
static void what_still_hears_is_left_alone(void **state)
{
	struct monotime next;

	(void)state;
	for (uint32_t site = 1; site < 2000; site += 7) {
		struct renewal r = {.rx_bytes = 0};
		uint64_t heard = 0;

		for (uint64_t us = SINCE.us + 20000; us < 600 * S; us += 5 * S) {
			uint64_t rx = 1000 + 32 * (us / (10 * S + 200000));

			heard = r.read_at.us && rx != r.rx_bytes ? us : heard;
			read_at(&r, rx, us);
			next = MONOTIME_NEVER;
			assert_false(renewal_due(&r, site, &next));
			if (next.us > us + 5 * S)
				continue;
			read_at(&r, 1000 + 32 * (next.us / (10 * S + 200000)), next.us);
			assert_false(renewal_due(&r, site, &next));
		}
		assert_int_not_equal(heard, 0);
	}
}

static void then_it_dies_too(void **state)
{
	struct monotime next = MONOTIME_NEVER;
	struct renewal r = {.rx_bytes = 0};
	uint64_t due = 90 * S + RENEWAL_HEARD_US + renewal_wait_us(5);

	(void)state;
	read_at(&r, 1000, 8 * S);
	read_at(&r, 2000, 90 * S);
	read_at(&r, 2000, due - 1);
	assert_false(renewal_due(&r, 5, &next));
	assert_int_equal(next.us, due);
	read_at(&r, 2000, due);
	assert_true(renewal_due(&r, 5, &next));
}

/* A peer that was made anew counts from 0; another silence is another beginning. */
static void counters_may_begin_again(void **state)
{
	struct monotime next = MONOTIME_NEVER;
	struct renewal r = {.rx_bytes = 0};

	(void)state;
	read_at(&r, 1000, 8 * S);
	read_at(&r, 0, 12 * S);
	assert_int_equal(r.heard.us, 0);
	read_at(&r, 92, 13 * S);
	assert_int_equal(r.heard.us, 13 * S);
	renewal_read(&r, at(100 * S), 500, at(101 * S));
	assert_int_equal(r.heard.us, 0);
	renewal_read(&r, at(100 * S), 500, at(116 * S));
	assert_true(renewal_due(&r, 5, &next));
}

/* Where the other end made the last key, the next may come 190 s after it: seen in the lab. */
static void an_idle_session_lives(void **state)
{
	const struct monotime seen = {7000000};

	(void)state;
	assert_false(renewal_session_dead(seen, (struct monotime){0}));
	assert_false(renewal_session_dead(seen, monotime_after(seen, 190000000 + 10000000)));
	assert_false(
	    renewal_session_dead(seen, monotime_after(seen, 180000000 + 25000000 + 5 * 5000000)));
	assert_true(renewal_session_dead(seen, monotime_after(seen, 250000000)));
}

static struct monotime second(uint64_t s)
{
	return (struct monotime){s * S};
}

static bool due(struct call_back *c, uint64_t rx_bytes, uint64_t tx_bytes, struct monotime at,
		bool may_call)
{
	const struct call_back_reading r = {rx_bytes, tx_bytes, 0, at};

	return call_back_due(c, &r, may_call);
}

/* Read each two seconds; what is made anew has received nothing. */
static void who_is_not_heard_is_called_less_and_less(void **state)
{
	static const uint64_t calls[] = {28, 84, 196, 420, 868, 1764, 2664};
	struct call_back c = {0};
	size_t called = 0;

	(void)state;
	for (uint64_t s = 0; s < 3000; s += 2)
		if (due(&c, called ? 0 : 4711, 0, second(100 + s), true))
			assert_int_equal(s, calls[called++]);
	assert_int_equal(called, sizeof(calls) / sizeof(calls[0]));
	assert_false(due(&c, 32, 0, second(3100), true)); /* heard: from the beginning */
	assert_false(due(&c, 32, 0, second(3127), true));
	assert_true(due(&c, 32, 0, second(3128), true));
}

static void who_is_heard_each_25_s_is_never_called(void **state)
{
	struct call_back c = {0};

	(void)state;
	for (uint64_t s = 0; s < 1000; s++)
		assert_false(due(&c, 32 * (s / 27), 0, second(100 + s), true));
}

/* Data that nobody replies to, each 46 s: our keepalives after 10 and 20 s put the caller's off to 45 s. */
static void who_is_put_off_by_what_we_send_is_not_called(void **state)
{
	struct call_back c = {0};

	(void)state;
	for (uint64_t s = 0; s < 1000; s++)
		assert_false(due(&c, 96 * (s / 46),
				 32 * (s / 46 * 2 + (s % 46 >= 10) + (s % 46 >= 20)),
				 second(100 + s), true));
}

static void who_is_sent_to_all_the_time_is_called_all_the_same(void **state)
{
	struct call_back c = {0};
	size_t calls = 0;

	(void)state;
	for (uint64_t s = 0; s <= 48; s++)
		calls += due(&c, 1, s, second(100 + s), true);
	assert_int_equal(calls, 1);
}

static void what_may_not_be_called_waits(void **state)
{
	struct call_back c = {0};

	(void)state;
	assert_false(due(&c, 1, 0, second(100), false));
	assert_false(due(&c, 1, 0, second(130), false));
	assert_true(due(&c, 1, 0, second(131), true));
	assert_false(due(&c, 0, 0, second(132), true));
}

/* Read each 5 s. Data comes all the time; handshakes each 120 s until the clock goes back, at 300 s. */
static size_t calls_of_refused(uint64_t answered_after_s, uint64_t *ret_first)
{
	struct call_back c = {0};
	uint64_t called_at = 0;
	size_t calls = 0;

	for (uint64_t s = 0; s < 900; s += 5) {
		bool anew = called_at && s >= called_at + answered_after_s;
		struct call_back_reading r = {
		    .rx_bytes = called_at ? (anew ? s - called_at : 0) : 1000 * (s + 1),
		    .handshake_s = called_at ? (anew ? 5000 + (int64_t)called_at : 0)
					     : (int64_t)(1000 + (s < 300 ? s : 299) / 120),
		    .at = second(100 + s)};

		if (!call_back_due(&c, &r, true))
			continue;
		if (!calls++)
			*ret_first = s;
		called_at = s;
	}
	return calls;
}

/* The handshake of 240 s is the last: 150 s later, before its key ends. What it got by our call is ours to renew. */
static void who_is_heard_without_a_new_key_is_called_once(void **state)
{
	uint64_t first = 0;

	(void)state;
	assert_int_equal(calls_of_refused(5, &first), 1);
	assert_int_equal(first, 390);
	assert_true(calls_of_refused(10000, &first) > 1); /* never answers: again, less and less */
	assert_true(calls_of_refused(10000, &first) < 6);
	assert_int_equal(first, 390);
}

/* A caller that only answers for keepalives calls at 145 s; one reading later that is known. */
static void who_renews_late_is_not_called(void **state)
{
	struct call_back c = {0};

	(void)state;
	for (uint64_t s = 0; s < 3000; s += 2) {
		const struct call_back_reading r = {.rx_bytes = 32 * (s / 25),
						    .handshake_s = (int64_t)(1000 + s / 145),
						    .at = second(100 + s)};

		assert_false(call_back_due(&c, &r, true));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(moments_are_spread),
	    cmocka_unit_test(it_is_due_at_its_moment),
	    cmocka_unit_test(what_still_hears_is_left_alone),
	    cmocka_unit_test(then_it_dies_too),
	    cmocka_unit_test(counters_may_begin_again),
	    cmocka_unit_test(who_is_not_heard_is_called_less_and_less),
	    cmocka_unit_test(who_is_heard_each_25_s_is_never_called),
	    cmocka_unit_test(who_is_put_off_by_what_we_send_is_not_called),
	    cmocka_unit_test(who_is_sent_to_all_the_time_is_called_all_the_same),
	    cmocka_unit_test(what_may_not_be_called_waits),
	    cmocka_unit_test(who_is_heard_without_a_new_key_is_called_once),
	    cmocka_unit_test(who_renews_late_is_not_called),
	    cmocka_unit_test(an_idle_session_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
