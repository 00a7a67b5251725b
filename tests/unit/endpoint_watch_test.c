/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/endpoint_watch.c daemon/base/ip.c daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tuyen/core/endpoint_watch.h"

#define SECONDS(n) ((struct monotime){(n) * 1000000ull})

static bool heard(struct endpoint_watch *w, uint8_t host, uint16_t port, uint64_t at_s)
{
	const struct ip_endpoint e = {.family = host ? 4 : 0, .address = {192, 0, 2, host}, .port = port};

	return endpoint_watch_step(w, &e, SECONDS(at_s));
}

static void a_clone_is_seen(void **state)
{
	struct endpoint_watch w = {.twice = false};

	(void)state;
	assert_false(heard(&w, 1, 5, 10));
	assert_false(heard(&w, 2, 5, 25));
	assert_false(heard(&w, 1, 5, 40));
	assert_false(heard(&w, 2, 5, 55));
	assert_true(heard(&w, 1, 5, 70)); /* the third return */
	assert_true(w.twice);
	assert_false(heard(&w, 2, 5, 85));
	assert_false(heard(&w, 2, 5, 204));
	assert_true(heard(&w, 2, 5, 206)); /* two minutes of one place */
	assert_false(w.twice);
}

static void one_that_moves_is_none(void **state)
{
	struct endpoint_watch w = {.twice = false};

	(void)state;
	for (uint16_t i = 1; i < 200; i++) /* new ports */
		assert_false(heard(&w, 1, i, i));
	for (uint64_t t = 300; t < 3000; t += 60) /* to the other line and back, each two minutes */
		assert_false(heard(&w, t / 60 % 2 ? 7 : 8, 5, t));
	for (uint64_t t = 3000; t < 3100; t++)
		assert_false(heard(&w, t % 2 ? 7 : 0, 5, t)); /* nothing known between */
	assert_false(w.twice);
}

static void slow_returns_are_no_clone(void **state)
{
	struct endpoint_watch w = {.twice = false};

	(void)state;
	for (uint64_t t = 10; t < 4000; t += 61)
		assert_false(heard(&w, t % 2 ? 1 : 2, 5, t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clone_is_seen),
		cmocka_unit_test(one_that_moves_is_none),
		cmocka_unit_test(slow_returns_are_no_clone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
