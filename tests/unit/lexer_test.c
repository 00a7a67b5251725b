/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: policies/lexer.c policies/syntax.c policies/names.c gen/grammar.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "tuyen/policies/lexer.h"
#include "tuyen/policies/names.h"

struct scan {
	struct diag_source source;
	struct diag_list diags;
	struct token_list list;
};

static void scan_text(struct scan *s, const char *text, size_t length)
{
	assert_int_equal(diag_source_init(&s->source, "t", text, length), 0);
	diag_list_init(&s->diags);
	assert_int_equal(lexer_scan(&s->source, &s->diags, &s->list), 0);
}

static void scan_clear(struct scan *s)
{
	token_list_clear(&s->list);
	diag_list_clear(&s->diags);
	diag_source_clear(&s->source);
}

static void words_have_the_kind_of_their_bytes(void **state)
{
	static const struct {
		const char *word;
		int kind;
		uint64_t number, number2;
	} cases[] = {
	    {"site", TOKEN_SITE, 0, 0},
	    {"sites", TOKEN_NAME, 0, 0},
	    {"end-to-end", TOKEN_END_TO_END, 0, 0},
	    {"ba-dinh", TOKEN_NAME, 0, 0},
	    {"Đống-Đa_2.x", TOKEN_NAME, 0, 0},
	    {"\"any thing\"", TOKEN_STRING, 0, 0},
	    {"\"a \\\" b\"", TOKEN_STRING, 0, 0},
	    {"0", TOKEN_NUMBER, 0, 0},
	    {"65535", TOKEN_NUMBER, 65535, 65535},
	    {"161-162", TOKEN_RANGE, 161, 162},
	    {"50ms", TOKEN_TIME, 50000, 50000},
	    {"7us", TOKEN_TIME, 7, 7},
	    {"2s", TOKEN_TIME, 2000000, 2000000},
	    {"1m", TOKEN_TIME, 60000000, 60000000},
	    {"200MB/day", TOKEN_RATE, 200000000, 200000000},
	    {"1GB", TOKEN_SIZE, 1000000000, 1000000000},
	    {"10.0.0.0/16", TOKEN_PREFIX, 0x0a000000, 16},
	    {"/24", TOKEN_LENGTH, 24, 24},
	    {"30%", TOKEN_PERCENT, 30, 30},
	    {"2027-03-01", TOKEN_DATE, 1803859200, 1803859200},
	    {"10.0.0.1", TOKEN_ADDRESS, 0, 0},
	    {"2001:db8::1", TOKEN_ADDRESS, 0, 0},
	    {"fd00::1", TOKEN_ADDRESS, 0, 0},
	    {"# a comment", LEXER_COMMENT, 0, 0},
	    {"{", '{', 0, 0},
	    {";", ';', 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan s;

		scan_text(&s, cases[i].word, strlen(cases[i].word));
		assert_int_equal(s.diags.error_count, 0);
		assert_int_equal(s.list.count, 2);
		assert_int_equal(s.list.tokens[0].kind, cases[i].kind);
		assert_int_equal(s.list.tokens[0].length, strlen(cases[i].word));
		if (cases[i].number) {
			assert_int_equal(s.list.tokens[0].number, cases[i].number);
			assert_int_equal(s.list.tokens[0].number2, cases[i].number2);
		}
		assert_int_equal(s.list.tokens[1].kind, TOKEN_END_OF_FILE);
		scan_clear(&s);
	}
}

static void bad_bytes_are_errors_with_a_place(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		uint32_t offset;
		const char *says;
	} cases[] = {
	    {"a \0 b", 5, 2, "NUL"},
	    {"a \xff", 3, 2, "0xff is not UTF-8"},
	    {"# \xc3", 3, 2, "0xc3 is not UTF-8"},
	    {"\"x\xe2\x80\xaey\"", 6, 2, "U+202E"},
	    {"a\x01", 2, 1, "U+0001"},
	    {"# a\xe2\x80\xa8 b", 8, 3, "U+2028"}, /* a line's end to some, not to us */
	    {"hanoi\xe3\x85\xa4", 8, 5, "U+3164"}, /* a letter that shows nothing */
	    {"\"open", 5, 0, "no closing"},
	    {"\"open\\", 6, 0, "no closing"},
	    {"\"a\nb\"", 5, 0, "no closing"},
	    {"\xef\xbb\xbfsite", 7, 0, "byte order mark"},
	    {"a = b", 5, 2, "unexpected character '='"},
	    {"50sec", 5, 0, "no unit"},
	    {"007", 3, 0, "leading zero"},
	    {"99999999999999999999", 20, 0, "too many digits"},
	    {"10.0.0.1/8", 10, 0, "the network is 10.0.0.0/8"},
	    {"10.0.0.0/33", 11, 0, "not a prefix"},
	    {"10.0.0.256", 10, 0, "not an IPv4"},
	    {"1:2", 3, 0, "not an IPv6"},
	    {"a/b", 3, 0, "in quotes"},
	    {"-x", 2, 0, "in quotes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan s;

		scan_text(&s, cases[i].bytes, cases[i].length);
		assert_int_not_equal(s.diags.error_count, 0);
		assert_non_null(strstr(s.diags.entries[0].message, cases[i].says));
		assert_int_equal(s.diags.entries[0].place.offset, cases[i].offset);
		scan_clear(&s);
	}
}

static void every_keyword_is_known_to_both(void **state)
{
	size_t count = 0;

	(void)state;
	for (; lexer_keyword_at(count); count++) {
		const char *name = lexer_keyword_at(count);
		int kind = lexer_keyword(name, strlen(name));

		assert_int_not_equal(kind, 0);
		assert_string_equal(lexer_keyword_name(kind), name);
		if (count)
			assert_true(strcmp(lexer_keyword_at(count - 1), name) < 0);
	}
	assert_int_equal(count, TOKEN_X - TOKEN_ABOVE + 1);
	assert_int_equal(lexer_keyword("tie", 3), 0);
	assert_int_equal(lexer_keyword("", 0), 0);
}

static void plain_names_need_no_quotes(void **state)
{
	static const struct {
		const char *name;
		bool plain;
	} cases[] = {
	    {"ba-dinh", true}, {"xã", true},   {"port", true}, {"", false},    {"tier", false},
	    {"all", false},    {"2nd", false}, {"a b", false}, {"a/b", false}, {"a:b", false},
	    {"-a", false},     {"a;b", false}, {"a#b", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(lexer_is_plain_name(cases[i].name, strlen(cases[i].name)),
				 cases[i].plain);
}

static void nearest_name_is_found(void **state)
{
	static const struct {
		const char *name, *nearest;
	} cases[] = {
	    {"ba-dihn", "ba-dinh"},
	    {"hanoj", "hanoi"},
	    {"hanoi", "hanoi"},
	    {"zzz", NULL},
	    {"a", NULL},
	    {"Thanh pho Ho Chi Minh", "Thành phố Hồ Chí Minh"},
	    {"BA ĐINH", "ba-dinh"},
	};
	struct name_table t;

	(void)state;
	name_table_init(&t);
	assert_int_equal(name_table_find(&t, "hanoi"), NAME_NONE);
	assert_int_equal(name_table_add(&t, "hanoi", 1), 0);
	assert_int_equal(name_table_add(&t, "ba-dinh", 2), 0);
	assert_int_equal(name_table_add(&t, "Thành phố Hồ Chí Minh", 4), 0);
	assert_int_not_equal(name_table_add(&t, "hanoi", 3), 0);
	assert_int_equal(name_table_find(&t, "hanoi"), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *nearest = name_table_nearest(&t, cases[i].name);

		if (cases[i].nearest)
			assert_string_equal(nearest, cases[i].nearest);
		else
			assert_null(nearest);
	}
	assert_int_equal(name_distance("abcd", "acbd"), 1);
	assert_int_equal(name_distance("kitten", "sitting"), 3);
	assert_int_equal(name_distance("", "abc"), 3);
	assert_int_equal(name_distance("Ba Dinh", "Ba Đình"), 0);
	assert_int_equal(name_distance("Phu\xcc\x81"
				       "c",
				       "Phúc"),
			 0); /* decomposed */
	assert_int_equal(name_distance("Ứng Hoà", "Ung Hòe"), 1);
	assert_int_equal(name_distance("a\xff", "a\xff"), 0);
	name_table_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_have_the_kind_of_their_bytes),
	    cmocka_unit_test(bad_bytes_are_errors_with_a_place),
	    cmocka_unit_test(every_keyword_is_known_to_both),
	    cmocka_unit_test(plain_names_need_no_quotes),
	    cmocka_unit_test(nearest_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
