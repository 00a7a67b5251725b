/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/diag.h"
#include "tuyen/base/err.h"
#include "tuyen/base/utf8.h"

static void columns_count_code_points(void **state)
{
	static const char text[] = "abc\n\txã y\r\nlast";
	static const struct {
		uint32_t offset, line, column;
	} cases[] = {
	    {0, 1, 1}, {3, 1, 4}, {4, 2, 1},  {5, 2, 2},
	    {6, 2, 3}, {9, 2, 5}, {12, 3, 1}, {16, 3, 5},
	};
	struct diag_source s;

	(void)state;
	assert_int_equal(diag_source_init(&s, "f", text, strlen(text)), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t line, column;

		diag_source_locate(&s, cases[i].offset, &line, &column);
		assert_int_equal(line, cases[i].line);
		assert_int_equal(column, cases[i].column);
	}
	diag_source_clear(&s);
}

static void print_shows_line_and_caret_in_order(void **state)
{
	static const char text[] = "one\n\tha\xcc\x80 bad\n";
	struct diag_source s;
	struct diag_list list;
	struct text out;

	(void)state;
	assert_int_equal(diag_source_init(&s, "f", text, strlen(text)), 0);
	diag_list_init(&list);
	text_init(&out);
	diag_error(&list, (struct diag_place){&s, 10, 3}, "second %d", 2);
	diag_note(&list, (struct diag_place){&s, 0, 3}, "why");
	diag_warning(&list, (struct diag_place){&s, 0, 1}, "some-name", "first");
	diag_list_print(&list, &out);
	assert_string_equal(text_string(&out), "f:1:1: warning: first [some-name]\n"
					       "    1 | one\n      | ^\n"
					       "f:2:6: error: second 2\n"
					       "    2 | \tha\xcc\x80 bad\n      | \t   ^~~\n"
					       "f:1:1: note: why\n"
					       "    1 | one\n      | ^~~\n");
	text_reset(&out);
	diag_list_print_json(&list, &out);
	assert_string_equal(
	    text_string(&out),
	    "[{\"file\":\"f\",\"line\":1,\"column\":1,\"severity\":\"warning\",\"name\":"
	    "\"some-name\",\"message\":\"first\",\"notes\":[]},{\"file\":\"f\",\"line\":2,"
	    "\"column\":6,\"severity\":\"error\",\"message\":\"second 2\",\"notes\":[{"
	    "\"file\":\"f\",\"line\":1,\"column\":1,\"severity\":\"note\",\"message\":"
	    "\"why\"}]}]");
	text_clear(&out);
	diag_list_clear(&list);
	diag_source_clear(&s);
}

static void ignored_warnings_are_not_there(void **state)
{
	struct diag_list list;

	(void)state;
	diag_list_init(&list);
	assert_int_equal(diag_list_ignore(&list, "this"), 0);
	diag_list_promote(&list, NULL);
	diag_warning(&list, (struct diag_place){0}, "this", "x");
	diag_note(&list, (struct diag_place){0}, "of x");
	assert_int_equal(list.count, 0);
	assert_int_equal(list.error_count + list.warning_count, 0);
	diag_warning(&list, (struct diag_place){0}, "that", "y");
	diag_note(&list, (struct diag_place){0}, "of y");
	assert_int_equal(list.count, 2);
	assert_int_equal(list.error_count, 1);
	assert_int_equal(list.promoted_errors, 1);
	diag_error(&list, (struct diag_place){0}, "z");
	assert_int_equal(list.promoted_errors, 1);
	for (size_t i = 1; i < DIAG_PROMOTE_MAX; i++)
		assert_int_equal(diag_list_ignore(&list, "n"), 0);
	assert_int_equal(diag_list_ignore(&list, "n"), -TUYEN_ELIMIT);
	assert_int_equal(diag_list_ignore(&list, NULL), 0);
	diag_warning(&list, (struct diag_place){0}, "any", "w");
	assert_int_equal(list.count, 3);
	diag_list_clear(&list);
}

static void promoted_warnings_are_errors(void **state)
{
	struct diag_list list;

	(void)state;
	diag_list_init(&list);
	assert_int_equal(diag_list_promote(&list, "this"), 0);
	diag_warning(&list, (struct diag_place){0}, "that", "a");
	diag_warning(&list, (struct diag_place){0}, "this", "b");
	assert_int_equal(list.error_count, 1);
	assert_int_equal(list.warning_count, 1 + 0);
	diag_list_promote(&list, NULL);
	diag_warning(&list, (struct diag_place){0}, "that", "c");
	assert_int_equal(list.error_count, 2);
	diag_list_clear(&list);
	for (size_t i = 0; i < DIAG_PROMOTE_MAX; i++)
		assert_int_equal(diag_list_promote(&list, "n"), 0);
	assert_int_equal(diag_list_promote(&list, "n"), -TUYEN_ELIMIT);
}

static void only_the_first_hundred_are_kept(void **state)
{
	struct diag_list list;
	struct text out;

	(void)state;
	diag_list_init(&list);
	text_init(&out);
	for (int i = 0; i < 250; i++) {
		assert_int_equal(diag_list_is_full(&list), i >= DIAG_SHOWN_MAX);
		diag_error(&list, (struct diag_place){0}, "e%d", i);
		diag_note(&list, (struct diag_place){0}, "n%d", i);
	}
	diag_warning(&list, (struct diag_place){0}, "w", "still heard");
	assert_int_equal(list.error_count, 250);
	assert_int_equal(list.count, 2 * DIAG_SHOWN_MAX + 1);
	diag_list_print(&list, &out);
	assert_non_null(strstr(text_string(&out), "error: e99\n"));
	assert_null(strstr(text_string(&out), "e100"));
	assert_non_null(strstr(text_string(&out), "too many errors: 250, the first 100 are shown"));
	text_clear(&out);
	diag_list_clear(&list);
}

static void utf8_takes_only_the_shortest_form(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		uint32_t code;
	} cases[] = {
	    {"a", 1, 'a'},
	    {"\xc3\xa3", 2, 0xe3},
	    {"\xe1\xbb\x87", 3, 0x1ec7},
	    {"\xf0\x9f\x98\x80", 4, 0x1f600},
	    {"\x80", 0, 0xfffd},
	    {"\xc0\xaf", 0, 0xfffd},
	    {"\xe0\x80\xaf", 0, 0xfffd},
	    {"\xed\xa0\x80", 0, 0xfffd},
	    {"\xf4\x90\x80\x80", 0, 0xfffd},
	    {"\xc3", 0, 0xfffd},
	    {"\xff", 0, 0xfffd},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t code;

		assert_int_equal(utf8_decode(cases[i].bytes, strlen(cases[i].bytes), &code),
				 cases[i].size);
		assert_int_equal(code, cases[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(columns_count_code_points),
	    cmocka_unit_test(print_shows_line_and_caret_in_order),
	    cmocka_unit_test(promoted_warnings_are_errors),
	    cmocka_unit_test(ignored_warnings_are_not_there),
	    cmocka_unit_test(only_the_first_hundred_are_kept),
	    cmocka_unit_test(utf8_takes_only_the_shortest_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
