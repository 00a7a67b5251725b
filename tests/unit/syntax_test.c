/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: policies/lexer.c policies/syntax.c policies/names.c gen/grammar.c
// link: policies/print.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/policies/print.h"
#include "tuyen/policies/syntax.h"

static struct syntax_file *parse(const char *text, struct diag_list *diags)
{
	struct syntax_file *file;

	diag_list_init(diags);
	assert_int_equal(syntax_parse("t", text, strlen(text), diags, &file), 0);
	return file;
}

static void tree_holds_what_was_said(void **state)
{
	struct diag_list diags;
	struct syntax_file *file =
	    parse("site a tier \"b c\" id 7 under x { lan 10.0.0.0/8; uplink u dynamic; }\n"
		  "expect a, b never reaches under c with port;",
		  &diags);
	const struct syntax_node *site = file->statements, *expect = site->next;

	(void)state;
	assert_int_equal(diags.count, 0);
	assert_int_equal(site->kind, SYNTAX_SITE);
	assert_string_equal(site->text, "a");
	assert_int_equal(site->child->kind, SYNTAX_TIER);
	assert_string_equal(site->child->text, "b c");
	assert_int_equal(site->child->next->number, 7);
	assert_int_equal(site->child->next->next->next->kind, SYNTAX_LAN);
	assert_int_equal(site->child->next->next->next->prefix.address, 10u << 24);
	assert_int_equal(site->child->next->next->next->next->child->kind, SYNTAX_DYNAMIC);
	assert_int_equal(expect->kind, SYNTAX_EXPECT);
	assert_int_equal(expect->number, 1);
	assert_int_equal(expect->child->child->kind, SYNTAX_SELECT_SITE);
	assert_string_equal(expect->child->child->child->next->text, "b");
	assert_int_equal(expect->child->next->child->kind, SYNTAX_SELECT_UNDER);
	assert_string_equal(expect->child->next->next->text, "port");
	syntax_file_free(file);
}

static void one_slip_is_one_error(void **state)
{
	static const struct {
		const char *text, *says;
		size_t statements;
	} cases[] = {
	    {"tiers a, b\nunderlay u { }", "missing ';' after 'b'", 2},
	    {"underlay u { mtu 1500 }", "missing ';' after '1500'", 1},
	    {"underlay u { mtu 1500 delay 2ms; }", "missing ';' after '1500'", 1},
	    {"underlay u { mtu; delay 2ms; }", "expected a number", 1},
	    {"sitte a { b { c; } d; } tiers a;", "did you mean 'site'?", 1},
	    {"site a teir b id 1 { uplink u dynamic; }", "did you mean 'tier'?", 1},
	    {"site a tier b id 1 undr c { uplink u dynamic; }", "did you mean 'under'?", 1},
	    {"site a tier b; tiers x;", "expected 'id'", 2},
	    {"class c { frob x { y; } priority high; }", "unexpected 'frob'", 1},
	    {"policy p color 1 { from tier a\n to all\n }", "missing ';' after 'a'", 1},
	    {"deny from a to", "the file ends here", 0},
	    {"underlay u {", "the file ends here", 0},
	    {"tiers a; }", "unexpected '}'", 1},
	    {"underlay \"\" { }", "cannot be empty", 1},
	    {"class a { to port 443; }", "expected 'tcp' or 'udp'", 1},
	    {"underlay u { probe 50 x 3; }", "expected a time", 1},
	    {"site a tier b id 1 { lan 10.0.0.1; }", "expected a prefix", 1},
	    {"site a tier b id 1 { uplink u dynamic metered 20MB; }", "like 200MB/day", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag_list diags;
		struct syntax_file *file = parse(cases[i].text, &diags);
		size_t statements = 0;

		assert_true(diags.error_count >= 1);
		assert_non_null(strstr(diags.entries[0].message, cases[i].says));
		assert_true(file->has_errors);
		for (const struct syntax_node *n = file->statements; n; n = n->next)
			statements++;
		assert_int_equal(statements, cases[i].statements);
		if (!strchr(cases[i].text, '\n') && cases[i].statements)
			assert_int_equal(diags.error_count, 1);
		diag_list_clear(&diags);
		syntax_file_free(file);
	}
}

static void nesting_has_a_limit_and_no_crash(void **state)
{
	enum { DEPTH = 50000 };
	char *text = malloc(DEPTH + 3);
	struct diag_list diags;
	struct syntax_file *file;

	(void)state;
	memset(text, '{', DEPTH);
	memcpy(text, "x ", 2);
	text[DEPTH] = '\0';
	file = parse(text, &diags);
	assert_int_equal(diags.error_count, 2);
	assert_non_null(strstr(diags.entries[1].message, "nested too deeply"));
	diag_list_clear(&diags);
	syntax_file_free(file);
	free(text);
}

static void names_have_63_bytes_at_most(void **state)
{
	char text[200] = "tiers ";
	struct diag_list diags;
	struct syntax_file *file;

	(void)state;
	memset(text + 6, 'a', 63);
	strcpy(text + 69, ";");
	file = parse(text, &diags);
	assert_int_equal(diags.error_count, 0);
	syntax_file_free(file);
	strcpy(text + 69, "b;");
	file = parse(text, &diags);
	assert_int_equal(diags.error_count, 1);
	diag_list_clear(&diags);
	syntax_file_free(file);
}

/* Any word of the language is a name wherever a name stands alone. */
static void keywords_are_names_too(void **state)
{
	(void)state;
	for (size_t i = 0; lexer_keyword_at(i); i++) {
		const char *k = lexer_keyword_at(i);
		struct diag_list diags;
		struct syntax_file *file;
		struct text t;

		text_init(&t);
		text_printf(
		    &t,
		    "tiers %s; site %s tier %s id 1 under %s backup %s { uplink %s dynamic; }"
		    "deny from site %s to tier %s, %s class %s;",
		    k, k, k, k, k, k, k, k, k, k);
		file = parse(text_string(&t), &diags);
		assert_int_equal(diags.error_count, 0);
		syntax_file_free(file);
		text_clear(&t);
	}
}

/* ---- includes ---- */

static const struct {
	const char *path, *text;
} disk[] = {
    {"a", "include \"d/b\"; tiers a; include \"d/c\";"},
    {"d/b", "include \"c\"; tiers b;"},
    {"d/c", "tiers c;"},
    {"loop", "include \"./d/../loop2\";"},
    {"loop2", "include \"loop\";"},
    {"self", "include \"self\";"},
    {"wrong", "tears x;"},
    {"lost", "include \"nowhere\"; tiers x;"},
    {"../up", "include \"../up2\";"},
    {"../../up2", "tiers y;"},
};

static int disk_load(void *context, const char *path, char **ret_bytes, size_t *ret_length,
		     struct reason *reason)
{
	(void)context;
	for (size_t i = 0; i < sizeof(disk) / sizeof(disk[0]); i++) {
		if (strcmp(disk[i].path, path) != 0)
			continue;
		*ret_bytes = strdup(disk[i].text);
		*ret_length = strlen(disk[i].text);
		return 0;
	}
	return reason_set(reason, -TUYEN_ENOENT, "no such file");
}

/* The last first, as threads may. */
static int backwards(unsigned int workers, size_t count, executor_step *step, void *context)
{
	int err = 0;

	for (size_t i = count; i-- > 0;)
		err = step(context, (unsigned int)i % workers, i) ? -TUYEN_EINVAL : err;
	return err;
}

struct includes_case {
	const char *paths[3];
	const char *files; /* in their order */
	const char *says;  /* NULL: no error */
};

static void includes_are(const struct includes_case *c, const struct executor *executor)
{
	struct diag_list diags;
	struct syntax_set set;
	struct text files;
	size_t count = 0;

	diag_list_init(&diags);
	text_init(&files);
	while (count < 3 && c->paths[count])
		count++;
	assert_int_equal(syntax_load(c->paths, count, disk_load, NULL, executor, &diags, &set), 0);
	for (size_t f = 0; f < set.count; f++) {
		assert_string_equal(set.files[f]->name, set.files[f]->source.name);
		assert_int_equal(set.files[f]->source.order, f);
		text_printf(&files, "%s ", set.files[f]->name);
	}
	assert_string_equal(text_string(&files), c->files);
	assert_int_equal(diags.error_count, c->says ? 1 : 0);
	if (c->says)
		assert_non_null(strstr(diags.entries[0].message, c->says));
	text_clear(&files);
	diag_list_clear(&diags);
	syntax_set_clear(&set);
}

static void includes_are_followed_once(void **state)
{
	static const struct includes_case cases[] = {
	    {{"a"}, "a d/b d/c ", NULL},
	    {{"a", "d/c"}, "a d/b d/c ", NULL},
	    {{"d/c", "./a"}, "d/c a d/b ", NULL},
	    {{"a", "d/./c", "a"}, "a d/b d/c ", NULL},
	    {{"d/c", "wrong", "a"}, "d/c wrong a d/b ", "unexpected 'tears'"},
	    {{"loop"}, "loop loop2 ", "includes itself"},
	    {{"self", "a"}, "self a d/b d/c ", "includes itself"},
	    {{"lost"}, "lost ", "cannot read 'nowhere': no such file"},
	    {{"gone"}, "", "cannot read 'gone'"},
	    {{"gone", "a"}, "a d/b d/c ", "cannot read 'gone'"},
	    {{"../up"}, "../up ../../up2 ", NULL},
	};
	static const struct executor several = {2, backwards};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		includes_are(&cases[i], NULL);
		includes_are(&cases[i], &several);
	}
}

/* ---- the printer ---- */

static void printing_is_canonical(void **state)
{
	static const struct {
		const char *rule, *in, *out;
	} cases[] = {
	    {"one space between words", "tiers   a ,b;", "tiers a, b;\n"},
	    {"a statement a line", "tiers a; class b { to port tcp 1; }",
	     "tiers a;\nclass b { to port tcp 1; }\n"},
	    {"a broken block stays broken", "class b {\nto port tcp 1; priority low; }",
	     "class b {\n\tto port tcp 1;\n\tpriority low;\n}\n"},
	    {"an empty block closes at once", "underlay u\n{\n}", "underlay u { }\n"},
	    {"one blank line at most", "\n\ntiers a;\n\n\n\nunderlay u { }\n\n",
	     "tiers a;\n\nunderlay u { }\n"},
	    {"no blank line at a block's ends", "underlay u {\n\nmtu 1500;\n\n}",
	     "underlay u {\n\tmtu 1500;\n}\n"},
	    {"no needless quotes", "site \"a\" tier \"b c\" id 1 { uplink u dynamic; }",
	     "site a tier \"b c\" id 1 { uplink u dynamic; }\n"},
	    {"quotes that are needed", "deny from \"tier\", \"2\" to \"all\";",
	     "deny from \"tier\", \"2\" to \"all\";\n"},
	    {"a trailing comment stays", "tiers a;# x  \ntiers b;", "tiers a; # x\ntiers b;\n"},
	    {"an own line stays", "tiers a;\n  # x\n", "tiers a;\n# x\n"},
	    {"a comment inside a statement", "tiers a, # x\nb;", "tiers a, # x\n\tb;\n"},
	    {"a comment before the end", "underlay u { mtu 1500;\n# x\n}",
	     "underlay u {\n\tmtu 1500;\n\t# x\n}\n"},
	    {"a comment keeps its block broken", "underlay u { # x\n}", "underlay u { # x\n}\n"},
	    {"strings keep their escapes", "include \"a \\\" \\\\\";",
	     "include \"a \\\" \\\\\";\n"},
	    {"carriage returns go", "tiers a;\r\n# x\r\n", "tiers a;\n# x\n"},
	    {"nothing stays nothing", " \n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag_list diags;
		struct syntax_file *file = parse(cases[i].in, &diags), *again;
		struct text t;

		assert_int_equal(diags.error_count, 0);
		text_init(&t);
		print_file(file, &t);
		if (strcmp(text_string(&t), cases[i].out) != 0)
			fail_msg("%s: %s", cases[i].rule, text_string(&t));
		again = parse(text_string(&t), &diags);
		assert_true(syntax_file_equal(file, again));
		text_reset(&t);
		print_file(again, &t);
		assert_string_equal(text_string(&t), cases[i].out);
		text_clear(&t);
		syntax_file_free(again);
		syntax_file_free(file);
	}
}

static void long_lists_are_folded_and_long_blocks_broken(void **state)
{
	struct diag_list diags;
	struct syntax_file *file;
	struct text in, out, twice;
	const char *line;

	(void)state;
	text_init(&in);
	text_init(&out);
	text_init(&twice);
	text_add(&in, "tiers first");
	for (int i = 0; i < 60; i++)
		text_printf(&in, ",tier-number-%d", i);
	text_add(&in, "; class q { to port tcp 1; to 10.0.0.0/8; to 11.0.0.0/8; to 12.0.0.0/8; to "
		      "13.0.0.0/8; "
		      "to 14.0.0.0/8; }");
	file = parse(text_string(&in), &diags);
	print_file(file, &out);
	syntax_file_free(file);
	for (line = text_string(&out); *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= PRINT_WIDTH);
	assert_non_null(strstr(text_string(&out), "\n\ttier-number-"));
	assert_non_null(strstr(text_string(&out), "class q {\n\tto port tcp 1;\n"));
	file = parse(text_string(&out), &diags);
	print_file(file, &twice);
	assert_string_equal(text_string(&out), text_string(&twice));
	syntax_file_free(file);
	text_clear(&in);
	text_clear(&out);
	text_clear(&twice);
}

static void different_files_are_not_equal(void **state)
{
	static const char *const cases[][2] = {
	    {"tiers a;", "tiers b;"},
	    {"tiers a;", "tiers a; # x"},
	    {"tiers a; # y", "tiers a; # x"},
	    {"underlay u { mtu 1500; }", "underlay u { mtu 1501; }"},
	    {"underlay u { probe 5ms x 3; }", "underlay u { probe 5ms x 4; }"},
	    {"deny from site all to b;", "deny from all to b;"},
	    {"tiers a;", "tiers a, b;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct diag_list diags;
		struct syntax_file *a = parse(cases[i][0], &diags), *b = parse(cases[i][1], &diags);

		assert_true(syntax_file_equal(a, a));
		assert_false(syntax_file_equal(a, b));
		syntax_file_free(a);
		syntax_file_free(b);
	}
}

static void names_are_quoted_where_they_must_be(void **state)
{
	struct text t;

	(void)state;
	text_init(&t);
	print_name("ba-dinh", &t);
	print_name("a \"b\" \\", &t);
	print_name("all", &t);
	assert_string_equal(text_string(&t), "ba-dinh\"a \\\"b\\\" \\\\\"\"all\"");
	text_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tree_holds_what_was_said),
	    cmocka_unit_test(one_slip_is_one_error),
	    cmocka_unit_test(nesting_has_a_limit_and_no_crash),
	    cmocka_unit_test(names_have_63_bytes_at_most),
	    cmocka_unit_test(keywords_are_names_too),
	    cmocka_unit_test(includes_are_followed_once),
	    cmocka_unit_test(printing_is_canonical),
	    cmocka_unit_test(long_lists_are_folded_and_long_blocks_broken),
	    cmocka_unit_test(different_files_are_not_equal),
	    cmocka_unit_test(names_are_quoted_where_they_must_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
