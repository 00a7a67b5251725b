/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file full of errors costs: words are compared with all keywords for what is shown, and not
 * for what is only counted. names.c is not linked: its place takes who counts.
 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: policies/lexer.c policies/syntax.c gen/grammar.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/names.h"
#include "tuyen/policies/syntax.h"

static size_t compared;

unsigned name_distance(const char *a, const char *b)
{
	compared++;
	return a == b ? 0 : 9;
}

unsigned name_tolerance(const char *name)
{
	return *name ? 1 : 0;
}

/* Of the walk over included files, which is not called here. */
int name_table_add(struct name_table *t, const char *name, uint32_t value)
{
	(void)t, (void)name, (void)value;
	return 0;
}

uint32_t name_table_find(const struct name_table *t, const char *name)
{
	(void)t, (void)name;
	return NAME_NONE;
}

void name_table_clear(struct name_table *t)
{
	(void)t;
}

/* How many comparisons @count statements cost that are none. */
static size_t comparisons(size_t count)
{
	static const char wrong[] = "frobb ;\n";
	size_t length = count * strlen(wrong);
	char *text = malloc(length + 1);
	struct diag_list diags;
	struct syntax_file *file;

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * strlen(wrong), wrong, sizeof(wrong));
	compared = 0;
	diag_list_init(&diags);
	assert_int_equal(syntax_parse("t", text, length, &diags, &file), 0);
	assert_int_equal(diags.error_count, count);
	assert_int_equal(diags.count, count < DIAG_SHOWN_MAX ? count : DIAG_SHOWN_MAX);
	diag_list_clear(&diags);
	syntax_file_free(file);
	free(text);
	return compared;
}

static void errors_that_are_not_shown_are_only_counted(void **state)
{
	size_t full = comparisons(DIAG_SHOWN_MAX);

	(void)state;
	assert_int_equal(comparisons(1) * DIAG_SHOWN_MAX, full);
	assert_true(full > 0);
	assert_int_equal(comparisons(50 * DIAG_SHOWN_MAX), full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_that_are_not_shown_are_only_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
