/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/drift.c daemon/base/text.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tuyen/core/drift.h"

#define TURNS 4

/* Turns in a row: each plan, and what is said of it. */
struct turn {
	const char *plan; /* NULL: nothing to do */
	bool is_ours, failed;
	size_t count;
	const char *what;
};

static const struct {
	const char *name;
	struct turn turns[TURNS];
} cases[] = {
    {"repaired at once",
     {{"route add a\nroute add b\n", false, false, 2, "route add a; route add b"},
      {NULL, false, false, 0, ""}}},
    {"the same again is another drift",
     {{"route add a\n", false, false, 1, "route add a"},
      {"route add a\n", false, false, 1, "route add a"}}},
    {"of our own making",
     {{"route add a\n", true, false, 0, ""}, {"route add a\n", false, false, 1, "route add a"}}},
    {"fails, and is told once until it is repaired",
     {{"route add a\nroute add b\n", false, true, 2, "route add a; route add b"},
      {"route add a\nroute add b\n", false, true, 0, ""},
      {"route add a\nroute add b\n", false, false, 2, "route add a; route add b"},
      {NULL, false, false, 0, ""}}},
    {"repaired in two turns: all of it is told",
     {{"link add x\nroute add a\n", false, true, 2, "link add x; route add a"},
      {"route add a\n", false, false, 2, "link add x; route add a"}}},
    {"... whatever the second turn is for",
     {{"route add a\n", false, true, 1, "route add a"},
      {"route add a\nroute add c\n", true, false, 1, "route add a"}}},
    {"... or if it finds nothing left",
     {{"route add a\n", false, true, 1, "route add a"}, {NULL, false, false, 1, "route add a"}}},
    {"more of it, while it fails",
     {{"route add a\nroute add b\n", false, true, 2, "route add a; route add b"},
      {"route add b\nroute add c\nroute add a\n", false, true, 1, "route add c"},
      {"route add c\n", false, false, 3, "route add a; route add b; route add c"}}},
    {"our own that failed is no drift when it is planned again",
     {{"route add a\nroute add b\n", true, true, 0, ""},
      {"route add b\n", false, true, 0, ""},
      {"route add b\nroute add d\n", false, false, 1, "route add d"},
      {"route add b\n", false, false, 1, "route add b"}}},
    {"a line is a whole line",
     {{"route add ab\n", false, true, 1, "route add ab"},
      {"route add a\nadd ab\nroute add ab\n", false, true, 2, "route add a; add ab"}}},
    {"a remark is no operation",
     {{"# left out: x\nroute add a\n", false, false, 1, "route add a"},
      {"# left out: x\n", false, false, 0, ""}}},
};

static void turns_in_a_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct drift d = {0};

		for (size_t k = 0; k < TURNS && cases[i].turns[k].what; k++) {
			const struct turn *turn = &cases[i].turns[k];
			struct text what;
			size_t count;

			text_init(&what);
			if (turn->plan)
				drift_plan(&d, turn->plan, turn->is_ours);
			count = drift_settle(&d, turn->failed, &what);
			if (count != turn->count || strcmp(text_string(&what), turn->what) != 0)
				print_error("%s, turn %zu\n", cases[i].name, k + 1);
			assert_int_equal(count, turn->count);
			assert_string_equal(text_string(&what), turn->what);
			text_clear(&what);
		}
		drift_clear(&d);
	}
}

/* A hub's plan that fails again and again is not compared line with line. */
static void a_hub(void **state)
{
	const size_t count = 60000;
	struct drift d = {0};
	struct text plan, what;

	(void)state;
	text_init(&plan);
	text_init(&what);
	for (size_t i = 0; i < count; i++)
		text_printf(&plan, "ip route add 10.%zu.%zu.0/24 dev lsp101\n", i / 256, i % 256);
	for (size_t i = 0; i < 20; i++) {
		drift_plan(&d, text_string(&plan), false);
		assert_int_equal(drift_settle(&d, true, &what), i ? 0 : count);
	}
	text_reset(&what);
	assert_int_equal(drift_settle(&d, false, &what), count);
	text_clear(&plan);
	text_clear(&what);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(turns_in_a_row),
	    cmocka_unit_test(a_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
