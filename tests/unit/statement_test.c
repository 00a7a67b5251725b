/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/statement.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/statement.h"

#define HEX1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define GOOD                                                                                       \
	"tuyen-release 2\nepoch 7\nissued 2025-01-31T08:00:00Z\nexpires 2025-03-31T08:00:00Z\n"    \
	"roster-version 2\nsites 6\nroot " HEX1 "\nmanifest " HEX2 "\ncompiler 0.1.0\n"            \
	"audit clean 0.1.0 " HEX2 "\n"                                                             \
	"source " HEX1 " a b.policy\nsource " HEX2 " c.topology\n"

static void a_statement_reads_and_writes_the_same(void **state)
{
	struct statement_source source;
	struct text again = {0};
	struct statement s;
	struct reason why;
	size_t offset = 0;

	(void)state;
	assert_int_equal(statement_parse(GOOD, strlen(GOOD), &s, &why), 0);
	assert_int_equal(s.epoch, 7);
	assert_int_equal(s.issued_s, 1738310400);
	assert_int_equal(s.expires_s, 1743408000);
	assert_int_equal(s.roster_version, 2);
	assert_int_equal(s.sites, 6);
	assert_int_equal(s.root.bytes[1], 0x23);
	assert_int_equal(s.manifest[0], 0xfe);
	assert_string_equal(s.compiler, "0.1.0");
	assert_true(s.audit.clean);
	assert_string_equal(s.audit.version, "0.1.0");
	assert_int_equal(s.audit.digest[1], 0xdc);
	assert_int_equal(s.source_count, 2);
	assert_true(statement_source_next(&s, &offset, &source));
	assert_string_equal(source.name, "a b.policy");
	assert_int_equal(source.digest[0], 0x01);
	assert_true(statement_source_next(&s, &offset, &source));
	assert_string_equal(source.name, "c.topology");
	assert_false(statement_source_next(&s, &offset, &source));
	statement_encode(&s, &again);
	assert_string_equal(text_string(&again), GOOD);
	text_clear(&again);
}

/* GOOD with @from replaced by @to. */
static const struct {
	const char *from, *to, *reason;
} bad[] = {
    {"tuyen-release 2", "tuyen-release 3",
     "release statement, line 1: 'tuyen-release' is not a number in 1..2"},
    {"epoch 7", "epoch 07", "release statement, line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch 0", "line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch -1", "line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch 99999999999999999999", "line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch  7", "line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch 7 ", "line 2: 'epoch' is not a number"},
    {"epoch 7", "epoch 7\r", "line 2: the value of 'epoch' is not text"},
    {"epoch 7\n", "", "line 2: expected 'epoch'"},
    {"epoch 7\n", "epoch 7\nepoch 7\n", "line 3: expected 'issued'"},
    {"epoch 7", "epoch ", "line 2: the value of 'epoch' is empty"},
    {"01-31T", "02-30T", "line 3: 'issued' is not a time"},
    {"issued 2025", "issued 2026", "line 4: it expires before it is issued"},
    {"08:00:00Z\nexp", "08:00:00+07:00\nexp", "line 3: 'issued' is not a time"},
    {"roster-version 2", "roster-version 4294967296", "line 5: 'roster-version' is not a number"},
    {"sites 6", "sites 65536", "line 6: 'sites' is not a number in 1..65535"},
    {"root 01", "root 0", "line 7: 'root' is not 64 lower-case hex digits"},
    {"root 0123456789a", "root 0123456789A", "line 7: 'root' is not 64"},
    {"compiler 0.1.0\n", "compiler 0.1.0\n\n", "line 10: expected 'audit'"},
    {"audit clean 0.1.0 " HEX2 "\n", "", "line 10: expected 'audit'"},
    {"audit clean 0.1.0 " HEX2, "audit none ", "line 10: an audit is 'none', or 'clean'"},
    {"audit clean", "audit Clean", "line 10: an audit is 'none', or 'clean'"},
    {"audit clean 0.1.0 " HEX2, "audit clean 0.1.0", "line 10: an audit is 'none', or 'clean'"},
    {"audit clean 0.1.0", "audit clean ", "line 10: an audit is 'none', or 'clean'"},
    {"clean 0.1.0 fe", "clean 0.1.0  fe", "line 10: the audit's digest is not 64"},
    {"clean 0.1.0 fe", "clean 0.1.0 FE", "line 10: the audit's digest is not 64"},
    {"clean 0.1.0 fe", "clean 0.1.0 e", "line 10: the audit's digest is not 64"},
    {"clean 0.1.0 fe", "clean 0.1.0 rc1 fe", "line 10: the audit's digest is not 64"},
    {HEX2 "\nsource " HEX1 " a", HEX2 "\naudit none\nsource " HEX1 " a",
     "line 11: expected 'source'"},
    {" a b.policy", " a\xc2\x9b.policy", "line 11: the value of 'source' is not text"},
    {" a b.policy", " a\xe2\x80\xae.policy", "line 11: the value of 'source' is not text"},
    {" a b.policy", " a\xff.policy", "line 11: the value of 'source' is not text"},
    {" a b.policy", " z.policy", "line 12: sources are not in order"},
    {" a b.policy", "", "line 11: a source is a digest and a name"},
    {"c.topology\n", "c.topology", "line 12: the value of 'source' is cut off"},
    {"c.topology\n", "c.topology\nmore\n", "line 13: expected 'source'"},
};

static void replace(char *out, const char *from, const char *to)
{
	const char *at = strstr(GOOD, from);

	assert_non_null(at);
	memcpy(out, GOOD, (size_t)(at - GOOD));
	strcpy(out + (at - GOOD), to);
	strcat(out, at + strlen(from));
}

static void what_breaks_a_rule_is_refused_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[2000];
		struct statement s;
		struct reason why;

		replace(text, bad[i].from, bad[i].to);
		assert_int_equal(statement_parse(text, strlen(text), &s, &why), -TUYEN_EINVAL);
		if (!strstr(why.text, bad[i].reason))
			fail_msg("row %zu: '%s' lacks '%s'", i, why.text, bad[i].reason);
	}
}

static void a_statement_without_an_audit_says_so(void **state)
{
	struct text again = {0};
	struct statement s;
	struct reason why;
	char text[2000];

	(void)state;
	replace(text, "clean 0.1.0 " HEX2, "none");
	assert_int_equal(statement_parse(text, strlen(text), &s, &why), 0);
	assert_false(s.audit.clean);
	statement_encode(&s, &again);
	assert_string_equal(text_string(&again), text);
	text_clear(&again);
}

static void cut_off_anywhere_is_refused(void **state)
{
	size_t whole = (size_t)(strstr(GOOD, "source") - GOOD),
	       second = (size_t)(strstr(GOOD, "source " HEX2) - GOOD);
	struct statement s;
	struct reason why;

	(void)state;
	for (size_t n = 0; n < strlen(GOOD); n++) {
		char *exact = malloc(n + 1); /* so that the sanitizer sees a byte too far */
		int err;

		memcpy(exact, GOOD, n);
		exact = realloc(exact, n ? n : 1);
		err = statement_parse(exact, n, &s, &why);
		assert_int_equal(err, n == whole || n == second ? 0 : -TUYEN_EINVAL);
		free(exact);
	}
}

static void times_convert_both_ways(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
	    {"1970-01-01T00:00:00Z", 0},	  {"2000-02-29T23:59:59Z", 951868799},
	    {"2024-02-29T12:00:00Z", 1709208000}, {"2024-12-31T23:59:59Z", 1735689599},
	    {"2100-03-01T00:00:00Z", 4107542400}, {"9999-12-31T23:59:59Z", RFC3339_MAX_S},
	};
	static const char *const not_times[] = {"",
						"2025-01-31",
						"2100-02-29T00:00:00Z",
						"2025-13-01T00:00:00Z",
						"2025-00-01T00:00:00Z",
						"2025-01-01T24:00:00Z",
						"2025-01-01T00:60:00Z",
						"2025-01-01T00:00:60Z",
						"1969-12-31T23:59:59Z",
						"2025-01-01T00:00:00Z ",
						"2025-01-01t00:00:00z"};
	char out[RFC3339_STRLEN];
	int64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(rfc3339_format(rows[i].seconds, out), rows[i].text);
		assert_int_equal(rfc3339_parse(rows[i].text, &seconds), 0);
		assert_int_equal(seconds, rows[i].seconds);
	}
	for (size_t i = 0; i < sizeof(not_times) / sizeof(not_times[0]); i++)
		assert_int_equal(rfc3339_parse(not_times[i], &seconds), -TUYEN_EINVAL);
	for (int64_t day = 0; day < 200 * 366; day++)
		assert_true(rfc3339_parse(rfc3339_format(day * 86400 + 1, out), &seconds) == 0 &&
			    seconds == day * 86400 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_statement_reads_and_writes_the_same),
	    cmocka_unit_test(what_breaks_a_rule_is_refused_with_its_line),
	    cmocka_unit_test(a_statement_without_an_audit_says_so),
	    cmocka_unit_test(cut_off_anywhere_is_refused),
	    cmocka_unit_test(times_convert_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
