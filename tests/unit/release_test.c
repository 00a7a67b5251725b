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
	struct text statement = {0}, manifest = {0}, proof = {0};
	struct statement s;
	struct reason why;

	(void)state;
	assert_int_equal(release_writer_add(w, 7, "abc", 3, &why), 0);
	assert_int_equal(release_writer_add(w, 65535, "abc", 3, &why), 0);
	assert_int_equal(release_writer_finish(w, &header, &statement, &manifest, &why), 0);
	assert_string_equal(manifest.bytes, ABC "  sites/7.bundle\n" ABC "  sites/65535.bundle\n");
	assert_int_equal(statement_parse(statement.bytes, statement.length, &s, &why), 0);
	assert_int_equal(s.sites, 2);
	assert_non_null(strstr(statement.bytes, " a.topology\nsource "));
	assert_int_equal(release_writer_count(w), 2);
	assert_int_equal(release_writer_site(w, 1), 65535);
	release_writer_proof(w, 1, &proof);
	/* sha256(00 "abc") */
	assert_string_equal(proof.bytes,
			    "tuyen-proof 1\nindex 1\ncount 2\nhash "
			    "609f6e36d2405585188d5cfd761f407c7cc46a7d3f314c88270469dde315fcd1\n");
	text_clear(&statement);
	text_clear(&manifest);
	text_clear(&proof);
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
		struct text statement = {0}, manifest = {0};
		struct reason why;

		if (i < 3)
			assert_int_equal(release_writer_add(w, 1, "x", 1, &why), 0);
		assert_int_equal(release_writer_finish(w, &rows[i], &statement, &manifest, &why),
				 -TUYEN_EINVAL);
		if (!strstr(why.text, reasons[i]))
			fail_msg("'%s' lacks '%s'", why.text, reasons[i]);
		text_clear(&statement);
		text_clear(&manifest);
		release_writer_free(w);
	}
}

#define HASH "hash " ABC "\n"
static const struct {
	const char *text;
	int err;
} proofs[] = {
    {"tuyen-proof 1\nindex 0\ncount 1\n", 0},
    {"tuyen-proof 1\nindex 1\ncount 2\n" HASH, 0},
    {"tuyen-proof 1\nindex 2\ncount 3\n" HASH, 0},
    {"tuyen-proof 1\nindex 1\ncount 3\n" HASH HASH, 0},
    {"tuyen-proof 1\nindex 1\ncount 3\n" HASH, -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 2\ncount 3\n" HASH HASH, -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 2\ncount 2\n" HASH, -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 0\ncount 0\n", -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 1\ncount 2\nhash " ABC, -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 1\ncount 2\n" HASH "\n", -TUYEN_EINVAL},
    {"tuyen-proof 1\nindex 0\ncount 65535\n" HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH HASH
	 HASH HASH HASH HASH HASH HASH,
     -TUYEN_EINVAL},
};

static void proofs_have_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		struct merkle_path path;
		uint32_t index, count;
		struct reason why;

		assert_int_equal(release_proof_parse(proofs[i].text, strlen(proofs[i].text), &index,
						     &count, &path, &why),
				 proofs[i].err);
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
	    cmocka_unit_test(proofs_have_one_form),
	    cmocka_unit_test(manifests_name_bundles_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
