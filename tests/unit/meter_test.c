/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/meter.c daemon/base/text.c daemon/base/err.c daemon/base/encode.c
/* What a metered line has carried today. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/meter.h"

static const struct {
	const char *why;
	uint32_t day;
	uint64_t counter, used;
} looks[] = {
	{"what was carried before the first look is nobody's", 20261128, 5000, 0},
	{"nothing", 20261128, 5000, 0},
	{"what came since", 20261128, 5700, 700},
	{"the counter began anew: all it says", 20261128, 40, 740},
	{"and goes on", 20261128, 100, 800},
	{"another day", 20261129, 250, 150},
	{"anew, on a new day", 20261130, 30, 30},
	{"the clock was set back: a day of its own", 20261129, 31, 1},
};

static void it_counts(void **state)
{
	struct meter m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		meter_step(&m, looks[i].day, looks[i].counter);
		if (m.used_bytes != looks[i].used || m.day != looks[i].day)
			fail_msg("%s: %llu", looks[i].why, (unsigned long long)m.used_bytes);
	}
}

static void levels(void **state)
{
	static const struct {
		uint64_t used;
		enum meter_level level;
	} of[] = {{0, METER_WITHIN}, {799, METER_WITHIN}, {800, METER_NEAR}, {999, METER_NEAR}, {1000, METER_EXCEEDED}};
	struct meter m = {0};

	(void)state;
	assert_int_equal(meter_level(&m, 1000), METER_UNCOUNTED);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		m = (struct meter){20261128, of[i].used, 0};
		assert_int_equal(meter_level(&m, 1000), of[i].level);
	}
	m.used_bytes = UINT64_MAX;
	assert_int_equal(meter_level(&m, UINT64_MAX), METER_EXCEEDED);
	assert_string_equal(meter_level_word(METER_NEAR), "near");
}

static void same(const struct meter *a, const struct meter *b)
{
	assert_int_equal(a->day, b->day);
	assert_true(a->used_bytes == b->used_bytes && a->counter_bytes == b->counter_bytes);
}

static void it_is_kept(void **state)
{
	const struct meter lte = {20261128, 18446744073709551615u, 7}, fibre = {20261128, 1, 2};
	struct meter found;
	struct text t;

	(void)state;
	text_init(&t);
	meter_put("đường-lte", &lte, &t);
	meter_put("lte", &fibre, &t);
	assert_true(meter_find(t.bytes, t.length, "đường-lte", &found));
	same(&found, &lte);
	assert_true(meter_find(t.bytes, t.length, "lte", &found));
	same(&found, &fibre);
	assert_false(meter_find(t.bytes, t.length, "lt", &found));
	assert_false(meter_find(t.bytes, t.length - 1, "lte", &found)); /* cut off */
	text_clear(&t);
}

static void what_is_unlawful_is_none(void **state)
{
	static const char *const lines[] = {
		"", "\n", "lte\n", "lte \n", "lte 20261128\n", "lte 20261128 1\n", "lte 20261128 1 2 3\n", "lte 0 1 2\n",
		"lte 20261128 x 2\n", "lte 20261128 18446744073709551616 2\n", "lte 99999999999 1 2\n", "lte  20261128 1 2\n",
		"lte 20261128 1 2 \n", "lte -1 1 2\n", "x lte 20261128 1 2\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct meter m = {.day = 5};

		if (meter_find(lines[i], strlen(lines[i]), "lte", &m) || m.day != 5)
			fail_msg("taken: %s", lines[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts),
		cmocka_unit_test(levels),
		cmocka_unit_test(it_is_kept),
		cmocka_unit_test(what_is_unlawful_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
