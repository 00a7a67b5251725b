/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/release.c policies/statement.c policies/merkle.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/policies/release.h"

/* "abc" and its digest, FIPS 180-2 appendix B.1. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

/* "x", by sha256sum. */
#define X_IS "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
/* Of both, in this order, by xxd and sha256sum: sha256(01 sha256(00 ABC) sha256(00 X_IS)). */
#define ROOT "349a6f4703cf6c4f741972685c326ca24132047daaf4085eda9935ec16483ed0"

static struct release_header header_make(void)
{
	static const struct release_source sources[] = {{.name = "b.policy"},
							{.name = "a.topology"}};

	return (struct release_header){
	    .epoch = 3,
	    .issued_s = 1738310400,
	    .expires_s = 1743408000,
	    .roster_version = 1,
	    .compiler = "0.1.0",
	    .sources = sources,
	    .source_count = 2,
	};
}

static void texts_are_what_stock_tools_write(void **state)
{
	struct release_writer *w = release_writer_new();
	struct release_header header = header_make();
	struct text statement = {0};
	struct statement s;
	struct reason why;

	(void)state;
	assert_int_equal(release_writer_add(w, 7, "abc", 3, &why), 0);
	assert_int_equal(release_writer_add(w, 65535, "abc", 3, &why), 0);
	assert_int_equal(release_writer_finish(w, &header, &statement, &why), 0);
	assert_string_equal(release_writer_manifest(w)->bytes,
			    ABC "  sites/7.bundle\n" ABC "  sites/65535.bundle\n");
	assert_int_equal(statement_parse(statement.bytes, statement.length, &s, &why), 0);
	assert_int_equal(s.sites, 2);
	assert_non_null(strstr(statement.bytes, " a.topology\nsource "));
	assert_int_equal(release_writer_count(w), 2);
	text_clear(&statement);
	release_writer_free(w);
}

static void sites_come_in_order_and_in_range(void **state)
{
	static const struct {
		uint32_t first, second;
		const char *reason;
	} rows[] = {
	    {5, 5, "site 5 comes after site 5"},
	    {5, 4, "site 4 comes after site 5"},
	    {5, 65536, "site id 65536 is not in 1..65535"},
	    {5, 0, "site id 0 is not in 1..65535"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct release_writer *w = release_writer_new();
		struct reason why;

		assert_int_equal(release_writer_add(w, rows[i].first, "", 0, &why), 0);
		assert_int_equal(release_writer_add(w, rows[i].second, "", 0, &why), -TUYEN_EINVAL);
		assert_string_equal(why.text, rows[i].reason);
		release_writer_free(w);
	}
}

static void a_statement_that_would_be_refused_is_not_made(void **state)
{
	struct release_source source = {.name = "line\nbreak"};
	struct release_header rows[] = {header_make(), header_make(), header_make(), header_make()};
	static const char *const reasons[] = {"'epoch'", "expires before", "'source'",
					      "at least one site"};

	(void)state;
	rows[0].epoch = 0;
	rows[1].expires_s = rows[1].issued_s;
	rows[2].sources = &source;
	rows[2].source_count = 1;
	for (size_t i = 0; i < 4; i++) {
		struct release_writer *w = release_writer_new();
		struct text statement = {0};
		struct reason why;

		if (i < 3)
			assert_int_equal(release_writer_add(w, 1, "x", 1, &why), 0);
		assert_int_equal(release_writer_finish(w, &rows[i], &statement, &why),
				 -TUYEN_EINVAL);
		if (!strstr(why.text, reasons[i]))
			fail_msg("'%s' lacks '%s'", why.text, reasons[i]);
		text_clear(&statement);
		release_writer_free(w);
	}
}

/* Of two bundles; each row differs from the first in one place. */
static const struct {
	const char *text;
	int err;
	const char *reason;
} trees[] = {
    {ABC "  sites/7.bundle\n" X_IS "  sites/8.bundle\n", 0, ""},
    {X_IS "  sites/7.bundle\n" ABC "  sites/8.bundle\n", -TUYEN_ESIGNATURE, "another Merkle root"},
    {ABC "  sites/7.bundle\n" ABC "  sites/8.bundle\n", -TUYEN_ESIGNATURE, "another Merkle root"},
    {ABC "  sites/7.bundle\n" X_IS "  sites/9.bundle\n", -TUYEN_ESIGNATURE, "another digest"},
    {ABC "  sites/7.bundle\n", -TUYEN_ESIGNATURE, "1 bundles, the release has 2"},
    {"", -TUYEN_ESIGNATURE, "0 bundles, the release has 2"},
    {ABC "  sites/7.bundle\n" X_IS "  sites/8.bundle\n" X_IS "  sites/9.bundle\n",
     -TUYEN_ESIGNATURE, "3 bundles, the release has 2"},
    {ABC "  sites/7.bundle\n" X_IS "  sites/8.bundle", -TUYEN_EINVAL, "line 2 is not"},
    {ABC "  proofs/7.proof\n" X_IS "  sites/8.bundle\n", -TUYEN_EINVAL, "line 1 is not"},
};

static void release_of_two(struct release_writer *w, struct text *ret_statement,
			   struct statement *ret)
{
	struct release_header header = header_make();
	struct reason why;

	assert_int_equal(release_writer_add(w, 7, "abc", 3, &why), 0);
	assert_int_equal(release_writer_add(w, 8, "x", 1, &why), 0);
	assert_int_equal(release_writer_finish(w, &header, ret_statement, &why), 0);
	assert_int_equal(statement_parse(ret_statement->bytes, ret_statement->length, ret, &why),
			 0);
	assert_string_equal(release_writer_manifest(w)->bytes, trees[0].text);
}

static void a_manifest_gives_the_signed_tree_or_none(void **state)
{
	struct release_writer *w = release_writer_new();
	struct text statement = {0};
	char hex[SHA256_STRLEN];
	struct statement s;

	(void)state;
	release_of_two(w, &statement, &s);
	assert_string_equal(hex_format(s.root.bytes, SHA256_LEN, hex), ROOT);
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct merkle_tree *tree = NULL;
		struct reason why = {""};
		struct merkle_path path;

		assert_int_equal(
		    release_manifest_tree(trees[i].text, strlen(trees[i].text), &s, &tree, &why),
		    trees[i].err);
		if (!strstr(why.text, trees[i].reason))
			fail_msg("'%s' lacks '%s'", why.text, trees[i].reason);
		assert_int_equal(!tree, trees[i].err != 0);
		if (!tree)
			continue;
		merkle_tree_path(tree, 1, &path);
		assert_int_equal(path.depth, 1);
		merkle_tree_free(tree);
	}
	text_clear(&statement);
	release_writer_free(w);
}

/* Two of the bundles are others, and then as they were: the statement that a writer of all bundles gives. */
static void a_resumed_release_is_the_one_made_anew(void **state)
{
	struct release_writer *w = release_writer_new(), *again = release_writer_new();
	struct release_header header = header_make();
	struct text first = {0}, statement = {0};
	uint8_t abc[SHA256_LEN], x[SHA256_LEN];
	struct statement s;
	struct reason why;
	bool changed;

	(void)state;
	release_of_two(w, &first, &s);
	assert_int_equal(sha256_digest("abc", 3, abc), 0);
	assert_int_equal(sha256_digest("x", 1, x), 0);
	assert_int_equal(release_writer_resume(again, trees[1].text, strlen(trees[1].text),
					       merkle_tree_nodes(release_writer_tree(w)), 3, &why),
			 0);
	/* the nodes are the first's already: only the text is to be put right */
	assert_int_equal(release_writer_replace(again, 9, x, &changed), -TUYEN_ENOENT);
	assert_int_equal(release_writer_replace(again, 7, abc, &changed), 0);
	assert_true(changed);
	assert_int_equal(release_writer_replace(again, 7, abc, &changed), 0);
	assert_false(changed);
	assert_int_equal(release_writer_replace(again, 8, abc, &changed), 0);
	assert_int_equal(release_writer_replace(again, 8, x, &changed), 0);
	assert_true(changed);
	assert_int_equal(release_writer_finish(again, &header, &statement, &why), 0);
	assert_string_equal(statement.bytes, first.bytes);
	text_clear(&first);
	text_clear(&statement);
	release_writer_free(w);
	release_writer_free(again);
}

static void what_was_kept_is_of_one_release(void **state)
{
	static const struct merkle_hash nodes[5];
	static const struct {
		const char *manifest;
		size_t nodes;
	} rows[] = {
	    {"", 0},
	    {"", 1},
	    {ABC "  sites/7.bundle\n", 0},
	    {ABC "  sites/7.bundle\n", 2},
	    {ABC "  sites/7.bundle", 1},
	    {ABC "  sites/7.bundle\n" ABC "  sites/7.bundle\n", 3},
	    {ABC "  sites/7.bundle\n" ABC "  sites/8.bundle\n", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct release_writer *w = release_writer_new();
		struct reason why;

		assert_int_equal(release_writer_resume(w, rows[i].manifest,
						       strlen(rows[i].manifest), nodes,
						       rows[i].nodes, &why),
				 -TUYEN_EINVAL);
		release_writer_free(w);
	}
}

static const struct {
	const char *text;
	int last;
	uint32_t site_id;
} manifests[] = {
    {"", 0, 0},
    {ABC "  sites/901.bundle\n", 0, 901},
    {ABC "  sites/1.bundle\n" ABC "  sites/65535.bundle\n", 0, 65535},
    {ABC "  sites/1.bundle\n" ABC "  sites/65536.bundle\n", -TUYEN_EINVAL, 1},
    {ABC "  sites/01.bundle\n", -TUYEN_EINVAL, 0},
    {ABC "  sites/.bundle\n", -TUYEN_EINVAL, 0},
    {ABC "  sites/0.bundle\n", -TUYEN_EINVAL, 0},
    {ABC "  sites/../etc/passwd\n", -TUYEN_EINVAL, 0},
    {ABC " *sites/1.bundle\n", -TUYEN_EINVAL, 0},
    {ABC "  sites/1.bundle", -TUYEN_EINVAL, 0},
    {ABC "  sites/1.bundle\r\n", -TUYEN_EINVAL, 0},
    {ABC, -TUYEN_EINVAL, 0},
    {"BA" ABC "  sites/1.bundle\n", -TUYEN_EINVAL, 0},
};

static void manifests_name_bundles_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		size_t length = strlen(manifests[i].text), offset = 0;
		char *exact = malloc(length + 1);
		uint8_t digest[SHA256_LEN];
		uint32_t site_id = 0;
		int err = 1;

		memcpy(exact, manifests[i].text, length);
		exact = realloc(exact, length ? length : 1);
		while (err == 1)
			err = release_manifest_next(exact, length, &offset, &site_id, digest);
		assert_int_equal(err, manifests[i].last);
		assert_int_equal(site_id, manifests[i].site_id);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_what_stock_tools_write),
	    cmocka_unit_test(sites_come_in_order_and_in_range),
	    cmocka_unit_test(a_statement_that_would_be_refused_is_not_made),
	    cmocka_unit_test(a_manifest_gives_the_signed_tree_or_none),
	    cmocka_unit_test(a_resumed_release_is_the_one_made_anew),
	    cmocka_unit_test(what_was_kept_is_of_one_release),
	    cmocka_unit_test(manifests_name_bundles_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
