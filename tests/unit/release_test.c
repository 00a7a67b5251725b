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

/* sha256(00 "abc"), sha256(00 "x"): by sha256sum. */
#define ABC_LEAF "609f6e36d2405585188d5cfd761f407c7cc46a7d3f314c88270469dde315fcd1"
#define X_LEAF	 "3c7e9bc930dc93f01fa69985ef242d9f9e861f3c5355aa24ce5ef4b4b8a70ccb"
/* "abc" and its digest, FIPS 180-2 appendix B.1. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

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
	assert_string_equal(release_writer_leaves(w)->bytes,
			    ABC_LEAF "  sites/7.bundle\n" ABC_LEAF "  sites/65535.bundle\n");
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

/* Of two leaves; each row differs from the first in one place. */
static const struct {
	const char *text;
	int err;
	const char *reason;
} leaves_rows[] = {
    {ABC_LEAF "  sites/7.bundle\n" X_LEAF "  sites/8.bundle\n", 0, ""},
    {X_LEAF "  sites/7.bundle\n" ABC_LEAF "  sites/8.bundle\n", -TUYEN_ESIGNATURE,
     "another Merkle root"},
    {ABC_LEAF "  sites/7.bundle\n" ABC_LEAF "  sites/8.bundle\n", -TUYEN_ESIGNATURE,
     "another Merkle root"},
    {ABC_LEAF "  sites/7.bundle\n", -TUYEN_ESIGNATURE, "1 bundles, the release has 2"},
    {"", -TUYEN_ESIGNATURE, "0 bundles, the release has 2"},
    {ABC_LEAF "  sites/7.bundle\n" X_LEAF "  sites/8.bundle\n" X_LEAF "  sites/9.bundle\n",
     -TUYEN_ESIGNATURE, "3 bundles, the release has 2"},
    {ABC_LEAF "  sites/7.bundle\n" X_LEAF "  sites/8.bundle", -TUYEN_EINVAL, "line 2 is not"},
    {ABC_LEAF "  proofs/7.proof\n" X_LEAF "  sites/8.bundle\n", -TUYEN_EINVAL, "line 1 is not"},
};

static void leaves_give_the_signed_tree_or_none(void **state)
{
	struct release_writer *w = release_writer_new();
	struct release_header header = header_make();
	struct text statement = {0};
	struct statement s;
	struct reason why;

	(void)state;
	assert_int_equal(release_writer_add(w, 7, "abc", 3, &why), 0);
	assert_int_equal(release_writer_add(w, 8, "x", 1, &why), 0);
	assert_int_equal(release_writer_finish(w, &header, &statement, &why), 0);
	assert_int_equal(statement_parse(statement.bytes, statement.length, &s, &why), 0);
	assert_string_equal(release_writer_leaves(w)->bytes, leaves_rows[0].text);
	for (size_t i = 0; i < sizeof(leaves_rows) / sizeof(leaves_rows[0]); i++) {
		struct merkle_tree *tree = NULL;
		struct merkle_path path;

		why = (struct reason){""};
		assert_int_equal(release_leaves_tree(leaves_rows[i].text,
						     strlen(leaves_rows[i].text), &s, &tree, &why),
				 leaves_rows[i].err);
		if (!strstr(why.text, leaves_rows[i].reason))
			fail_msg("'%s' lacks '%s'", why.text, leaves_rows[i].reason);
		assert_int_equal(!tree, leaves_rows[i].err != 0);
		if (!tree)
			continue;
		merkle_tree_path(tree, 1, &path);
		assert_int_equal(path.depth, 1);
		merkle_tree_free(tree);
	}
	text_clear(&statement);
	release_writer_free(w);
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
	    cmocka_unit_test(leaves_give_the_signed_tree_or_none),
	    cmocka_unit_test(manifests_name_bundles_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
