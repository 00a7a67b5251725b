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
	const char *device;
	uint64_t received, sent, used;
} looks[] = {
    {"what was carried before the first look is nobody's", 20261128, "wwan0", 5000, 100, 0},
    {"nothing", 20261128, "wwan0", 5000, 100, 0},
    {"what came since, both ways", 20261128, "wwan0", 5600, 200, 700},
    {"the counters began anew: all they say", 20261128, "wwan0", 30, 10, 740},
    {"and go on", 20261128, "wwan0", 80, 20, 800},
    {"one that is a little less was corrected", 20261128, "wwan0", 79, 25, 805},
    {"another day", 20261129, "wwan0", 179, 75, 150},
    {"anew, on a new day", 20261130, "wwan0", 20, 10, 30},
    {"the clock was set back: that day goes on", 20261129, "wwan0", 21, 10, 151},
    {"and comes back: so does this", 20261130, "wwan0", 21, 12, 32},
    {"another device begins with nothing", 20261130, "wwan1", 900000, 900000, 32},
    {"and is counted", 20261130, "wwan1", 900001, 900001, 34},
    {"more than can be said is as much as can", 20261130, "wwan1", UINT64_MAX, UINT64_MAX,
     METER_BYTES_MAX},
};

static void it_counts(void **state)
{
	struct meter m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		meter_step(&m, looks[i].day, looks[i].device, looks[i].received, looks[i].sent);
		if (m.used_bytes != looks[i].used || m.day != looks[i].day)
			fail_msg("%s: %llu", looks[i].why, (unsigned long long)m.used_bytes);
	}
	meter_turn(&m, 20261201);
	assert_int_equal(m.used_bytes, 0);
	assert_int_equal(meter_level(&m, 1000), METER_WITHIN);
	meter_turn(&m, 20261130);
	assert_true(m.used_bytes == METER_BYTES_MAX);
}

static void levels(void **state)
{
	static const struct {
		uint64_t used;
		enum meter_level level;
	} of[] = {{0, METER_WITHIN},
		  {799, METER_WITHIN},
		  {800, METER_NEAR},
		  {999, METER_NEAR},
		  {1000, METER_EXCEEDED}};
	struct meter m = {0};

	(void)state;
	assert_int_equal(meter_level(&m, 1000), METER_UNCOUNTED);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		m = (struct meter){.day = 20261128, .used_bytes = of[i].used};
		assert_int_equal(meter_level(&m, 1000), of[i].level);
	}
	m.used_bytes = UINT64_MAX;
	assert_int_equal(meter_level(&m, UINT64_MAX), METER_EXCEEDED);
	assert_string_equal(meter_level_word(METER_NEAR), "near");
}

static void same(const struct meter *a, const struct meter *b)
{
	assert_int_equal(a->day, b->day);
	assert_int_equal(a->left.day, b->left.day);
	assert_string_equal(a->device, b->device);
	assert_true(a->used_bytes == b->used_bytes && a->received_bytes == b->received_bytes &&
		    a->sent_bytes == b->sent_bytes && a->left.used_bytes == b->left.used_bytes);
}

static void it_is_kept(void **state)
{
	const struct meter lte = {20261128, METER_BYTES_MAX, UINT64_MAX, 7, "wwan0", {20261127, 9}};
	const struct meter fibre = {20261128, 1, 2, 3, "", {0, 0}};
	struct meter found = {0};
	struct text t;

	(void)state;
	text_init(&t);
	meter_put("đường-lte", &lte, &t);
	meter_put("lte", &fibre, &t);
	assert_int_equal(meter_find(t.bytes, t.length, "đường-lte", &found), 0);
	same(&found, &lte);
	assert_int_equal(meter_find(t.bytes, t.length, "lte", &found), 0);
	same(&found, &fibre);
	assert_int_equal(meter_find(t.bytes, t.length, "lt", &found), -TUYEN_ENOENT);
	assert_int_equal(meter_find(t.bytes, t.length - 1, "lte", &found),
			 -TUYEN_EINVAL); /* cut off */
	text_clear(&t);
}

static void what_is_unlawful_is_none(void **state)
{
	static const char *const lines[] = {
	    "lte \n",
	    "lte 20261128\n",
	    "lte 20261128 1 2 3 wwan0 0\n",
	    "lte 20261128 1 2 3 wwan0 0 0 0\n",
	    "lte 0 1 2 3 wwan0 0 0\n",
	    "lte 20261128 x 2 3 wwan0 0 0\n",
	    "lte 20261128 9223372036854775808 2 3 wwan0 0 0\n",
	    "lte 20261128 1 18446744073709551616 3 wwan0 0 0\n",
	    "lte 99999999999 1 2 3 wwan0 0 0\n",
	    "lte  20261128 1 2 3 wwan0 0 0\n",
	    "lte 20261128 1 2 3 wwan0 0 0 \n",
	    "lte -1 1 2 3 wwan0 0 0\n",
	    "lte 20261128 1 2 3 sixteen-letters- 0 0\n",
	    "lte 20261128 1 2 3  0 0\n",
	};
	static const char *const others[] = {"", "\n", "lte\n", "x lte 20261128 1 2 3 wwan0 0 0\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct meter m = {.day = 5};

		if (meter_find(lines[i], strlen(lines[i]), "lte", &m) != -TUYEN_EINVAL ||
		    m.day != 5)
			fail_msg("taken: %s", lines[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct meter m = {.day = 5};

		assert_int_equal(meter_find(others[i], strlen(others[i]), "lte", &m),
				 -TUYEN_ENOENT);
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
