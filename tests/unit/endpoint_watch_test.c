/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/endpoint_watch.c daemon/base/ip.c daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tuyen/core/endpoint_watch.h"

#define MS(n) ((struct monotime){1000000000ull + (n)*1000ull})

/* A neighbour as the kernel shows it, and who looks. */
struct view {
	struct endpoint_watch watch;
	struct endpoint_sight sight;
	unsigned int told;
};

static void look(struct view *v, uint64_t ms)
{
	v->told += endpoint_watch_step(&v->watch, &v->sight, MS(ms));
}

static void hears(struct view *v, uint8_t host, uint16_t port)
{
	v->sight.endpoint = (struct ip_endpoint){
	    .family = host ? 4 : 0, .address = {192, 0, 2, host}, .port = port};
	v->sight.rx_bytes += host ? 100 : 0;
}

static uint32_t chance(uint32_t *state)
{
	return (*state = *state * 1664525u + 1013904223u) >> 8;
}

/*
 * @boxes with one key, each at a place of its own: each sends about once a second, and calls when another has had the
 * key for 15 s. Looked at every @gap_ms, or 1 s where that is 5 s. @return ms until it is told, 0: never in @for_ms.
 */
static uint64_t clones(struct view *v, unsigned int boxes, uint64_t gap_ms, uint32_t seed,
		       uint64_t for_ms)
{
	uint64_t starving_since[8] = {0};
	unsigned int owner = 0;

	for (uint64_t ms = 0; ms < for_ms; ms += 50) {
		for (unsigned int b = 0; b < boxes; b++) {
			if (b != owner && ms - starving_since[b] > 15000 + chance(&seed) % 300) {
				starving_since[owner] = ms;
				owner = b;
				v->sight.handshake_s = (int64_t)(ms / 1000 + 1);
				hears(v, (uint8_t)(b + 1), 5);
			} else if (chance(&seed) % 20 == 0) {
				hears(v, (uint8_t)(b + 1), 5);
			}
		}
		if (ms % (gap_ms == 5000 && endpoint_watch_wary(&v->watch, MS(ms)) ? 1000 : gap_ms))
			continue;
		look(v, ms);
		if (v->watch.twice)
			return ms;
	}
	return 0;
}

static void clones_are_seen(void **state)
{
	(void)state;
	for (unsigned int boxes = 2; boxes <= 4; boxes++)
		for (uint32_t seed = 1; seed <= 100; seed++) {
			struct view v = {.told = 0};
			uint64_t ms = clones(&v, boxes, 5000, seed, 180000);

			if (!ms)
				fail_msg("%u boxes, seed %u: not seen", boxes, seed);
			assert_int_equal(v.told, 1);
			for (uint64_t t = ms + 5000; t < ms + 115000; t += 5000)
				look(&v, t); /* the others are gone */
			assert_true(v.watch.twice);
			look(&v, ms + 126000);
			assert_false(v.watch.twice);
			assert_int_equal(v.told, 2);
		}
}

static void one_is_none(void **state)
{
	struct view v = {.told = 0};

	(void)state;
	assert_int_equal(clones(&v, 1, 5000, 7, 600000), 0);
	assert_int_equal(clones(&v, 1, 10000, 7, 600000), 0);
}

/* By a gateway, for which a look at all its peers takes half a second. */
static void clones_are_seen_by_slow_eyes(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 100; seed++) {
		struct view v = {.told = 0};

		if (!clones(&v, 2, 10000, seed, 900000))
			fail_msg("seed %u: not seen", seed);
	}
}

/* One box, two or more lines in turn, every so many ms: it keeps its key for two minutes. */
static void lines_in_turn_are_no_clone(void **state)
{
	(void)state;
	for (uint8_t lines = 2; lines <= 5; lines++)
		for (uint64_t dwell = 100; dwell < 60000; dwell = dwell * 3 / 2) {
			struct view v = {.told = 0};

			for (uint64_t ms = 0; ms < 900000; ms += 250) {
				hears(&v, (uint8_t)(ms / dwell % lines + 1), 5);
				v.sight.handshake_s = (int64_t)(ms / 120000 * 120 + 1);
				look(&v, ms);
			}
			assert_int_equal(v.told, 0);
		}
}

/* Out of reach for 16 s each time, and by the other line then: it calls, and had reason to. */
static void outages_are_no_clone(void **state)
{
	struct view v = {.told = 0};

	(void)state;
	for (uint64_t ms = 0; ms < 900000; ms += 5000) {
		uint64_t round = ms / 20000;

		if (ms % 20000 == 0) {
			v.sight.handshake_s = (int64_t)(ms / 1000 + 1);
			hears(&v, round % 2 ? 1 : 2, 5);
		}
		look(&v, ms);
	}
	assert_int_equal(v.told, 0);
}

/* It is heard, and hears nothing: each line for as long as WireGuard bears it. */
static void deaf_lines_are_no_clone(void **state)
{
	struct view v = {.told = 0};

	(void)state;
	for (uint64_t ms = 0; ms < 900000; ms += 1000) {
		hears(&v, ms / 15300 % 2 ? 1 : 2, 5);
		v.sight.handshake_s = (int64_t)(ms / 15300 + 1);
		if (ms % (endpoint_watch_wary(&v.watch, MS(ms)) ? 1000 : 5000) == 0)
			look(&v, ms);
	}
	assert_int_equal(v.told, 0);
}

static void one_that_moves_is_none(void **state)
{
	struct view v = {.told = 0};

	(void)state;
	for (uint16_t i = 1; i < 2000; i++) { /* new ports, and a call for each */
		hears(&v, 1, i);
		v.sight.handshake_s = i;
		look(&v, i * 1000ull);
	}
	for (uint64_t ms = 3000000; ms < 3100000; ms += 1000) { /* nothing known between */
		hears(&v, ms / 1000 % 2 ? 7 : 0, 5);
		look(&v, ms);
	}
	assert_int_equal(v.told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clones_are_seen),
	    cmocka_unit_test(one_is_none),
	    cmocka_unit_test(clones_are_seen_by_slow_eyes),
	    cmocka_unit_test(lines_in_turn_are_no_clone),
	    cmocka_unit_test(outages_are_no_clone),
	    cmocka_unit_test(deaf_lines_are_no_clone),
	    cmocka_unit_test(one_that_moves_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
