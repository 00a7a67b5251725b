/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/nft_delta.c daemon/base/text.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuyen/core/nft_delta.h"

#define HEAD	       "table inet tuyen {\n\tset lans {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
#define MIDDLE	       "\t}\n\n\tset peers {\n\t\ttype ipv4_addr\n"
#define TAIL	       "\t}\n\n\tchain guard {\n\t\tmeta l4proto { 4, 47 } counter drop\n\t}\n}\n"
#define ELEMENTS(list) "\t\telements = { " list " }\n"
#define BOUND	       " limit rate over 600/second burst 128 packets counter"
#define OTHER	       " limit rate 600/second burst 128 packets counter"

struct row {
	const char *name, *want, *have;
	bool expressible;
	const char *commands;
};

static const struct row rows[] = {
    {"equal", HEAD ELEMENTS("10.0.0.0/24") MIDDLE TAIL, HEAD ELEMENTS("10.0.0.0/24") MIDDLE TAIL,
     true, ""},
    {"one for another",
     HEAD ELEMENTS("10.0.0.0/24, 10.0.2.0/24,\n\t\t\t     10.0.4.0/24") MIDDLE TAIL,
     HEAD ELEMENTS("10.0.0.0/24, 10.0.3.0/24,\n\t\t\t     10.0.4.0/24") MIDDLE TAIL, true,
     "delete element inet tuyen lans { 10.0.3.0/24 }\nadd element inet tuyen lans { 10.0.2.0/24 }\n"},
    {"two sets, what goes first", HEAD ELEMENTS("10.0.0.0/24") MIDDLE ELEMENTS("1.1.1.1") TAIL,
     HEAD ELEMENTS("10.0.0.0/23") MIDDLE ELEMENTS("1.1.1.2, 1.1.1.3") TAIL, true,
     "delete element inet tuyen lans { 10.0.0.0/23 }\ndelete element inet tuyen peers { 1.1.1.2, 1.1.1.3 }\n"
     "add element inet tuyen lans { 10.0.0.0/24 }\nadd element inet tuyen peers { 1.1.1.1 }\n"},
    {"from empty", HEAD MIDDLE ELEMENTS("1.1.1.1") TAIL, HEAD MIDDLE TAIL, true,
     "add element inet tuyen peers { 1.1.1.1 }\n"},
    {"to empty", HEAD MIDDLE TAIL, HEAD ELEMENTS("1.1.1.0/24") MIDDLE TAIL, true,
     "delete element inet tuyen lans { 1.1.1.0/24 }\n"},
    {"from empty, with a statement", HEAD MIDDLE ELEMENTS("1.1.1.1" BOUND) TAIL, HEAD MIDDLE TAIL,
     true, "add element inet tuyen peers { 1.1.1.1" BOUND " }\n"},
    {"one of three goes, with its statement",
     HEAD MIDDLE ELEMENTS("1.1.1.1" BOUND ", 1.1.1.3" BOUND) TAIL,
     HEAD MIDDLE ELEMENTS("1.1.1.1" BOUND ", 1.1.1.2" BOUND ",\n\t\t\t     1.1.1.3" BOUND) TAIL,
     true, "delete element inet tuyen peers { 1.1.1.2" BOUND " }\n"},
    {"one has another's statement", HEAD MIDDLE ELEMENTS("1.1.1.1" BOUND ", 1.1.1.2" BOUND) TAIL,
     HEAD MIDDLE ELEMENTS("1.1.1.1" BOUND ", 1.1.1.2" OTHER) TAIL, true,
     "delete element inet tuyen peers { 1.1.1.2" OTHER " }\n"
     "add element inet tuyen peers { 1.1.1.2" BOUND " }\n"},
    {"the same in another order", HEAD ELEMENTS("10.0.2.0/24, 10.0.0.0/24") MIDDLE TAIL,
     HEAD ELEMENTS("10.0.0.0/24, 10.0.2.0/24") MIDDLE TAIL, true, ""},
    {"some begin as others do", HEAD MIDDLE ELEMENTS("1.1.1.10, 1.1.1.1, 1.1.1.2") TAIL,
     HEAD MIDDLE ELEMENTS("1.1.1.2, 1.1.1.100, 1.1.1.10") TAIL, true,
     "delete element inet tuyen peers { 1.1.1.100 }\nadd element inet tuyen peers { 1.1.1.1 }\n"},
    {"a rule differs", HEAD MIDDLE TAIL, HEAD MIDDLE "\t}\n}\n", false, ""},
    {"a set more", HEAD MIDDLE TAIL, HEAD TAIL, false, ""},
    {"longer", HEAD MIDDLE TAIL, HEAD MIDDLE TAIL "x\n", false, ""},
    {"cut off in the elements", HEAD MIDDLE TAIL, HEAD "\t\telements = { 1.1.1.1,\n", false, ""},
    {"nothing there", HEAD MIDDLE TAIL, "", false, ""},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t;

		print_message("# %s\n", rows[i].name);
		text_init(&t);
		assert_int_equal(nft_delta(rows[i].want, rows[i].have, &t), rows[i].expressible);
		assert_string_equal(text_string(&t), rows[i].commands);
		text_clear(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
