/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/seal.c policies/seal_encode.c
// link: policies/release.c policies/roster.c policies/statement.c
// link: policies/merkle.c policies/lines.c daemon/base/encode.c daemon/base/err.c
// link: daemon/base/text.c daemon/base/wire.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "officers.h"
#include "tuyen/policies/release.h"
#include "tuyen/policies/seal.h"

/*
 * A country of six sites; an, binh and chi are its officers and two of them are enough. Each test
 * changes one thing of a good seal of site 901 and says what the verifier of that node answers.
 */

#define ISSUED	1738310400 /* 2025-01-31T08:00:00Z */
#define EXPIRES 1743408000

static struct test_officer an, binh, chi, dung;
static struct text roster1,
    roster2; /* 2: binh is replaced by dung, signed by an, binh and dung, an */

static int text_roster(struct text *ret_text, uint32_t version,
		       const struct test_officer *const *who)
{
	struct roster roster = {.version = version, .threshold = 2, .issued_s = ISSUED};
	struct reason why;

	for (; *who; who++)
		test_roster_add(&roster, *who);
	roster_encode(&roster, ret_text);
	return roster_finish(&roster, &why);
}

static int officers_make(void **state)
{
	(void)state;
	an = test_officer_ed25519("an", 1);
	binh = test_officer_ed25519("binh", 2);
	chi = test_officer_ed25519("chi", 3);
	dung = test_officer_ed25519("dung", 4);
	return text_roster(&roster1, 1,
			   (const struct test_officer *const[]){&an, &binh, &chi, NULL}) ||
	       text_roster(&roster2, 2,
			   (const struct test_officer *const[]){&an, &chi, &dung, NULL});
}

static int officers_free(void **state)
{
	(void)state;
	EVP_PKEY_free(an.key);
	EVP_PKEY_free(binh.key);
	EVP_PKEY_free(chi.key);
	EVP_PKEY_free(dung.key);
	text_clear(&roster1);
	text_clear(&roster2);
	return 0;
}

static const struct {
	uint32_t id;
	const char *bundle;
} sites[] = {
    {1, "tuyen-bundle 1\nsite 1 npdc-hn npdc\n"},
    {101, "tuyen-bundle 1\nsite 101 hanoi province\n"},
    {210, "tuyen-bundle 1\nsite 210 ba-dinh x\n"},
    {901, "tuyen-bundle 1\nsite 901 phuc-xa commune\n"},
    {902, "tuyen-bundle 1\nsite 902 kham-thien x\n"},
    {9010, "tuyen-bundle 1\nsite 9010 far x\n"},
};
#define SITES (sizeof(sites) / sizeof(sites[0]))

/* A release as the compiler makes it. */
struct release {
	struct release_writer *writer;
	struct text statement;
};

static struct release release_make(uint64_t epoch, uint32_t roster_version)
{
	struct release_source source = {.name = "vn.policy"};
	struct release_header header = {
	    .epoch = epoch,
	    .issued_s = ISSUED,
	    .expires_s = EXPIRES,
	    .roster_version = roster_version,
	    .compiler = "0.1.0",
	    .sources = &source,
	    .source_count = 1,
	};
	struct release r = {.writer = release_writer_new()};
	struct reason why;

	for (size_t i = 0; i < SITES; i++)
		assert_int_equal(release_writer_add(r.writer, sites[i].id, sites[i].bundle,
						    strlen(sites[i].bundle), &why),
				 0);
	assert_int_equal(release_writer_finish(r.writer, &header, &r.statement, &why), 0);
	return r;
}

static void release_clear(struct release *r)
{
	release_writer_free(r->writer);
	text_clear(&r->statement);
}

static struct seal_view view(const struct text *t)
{
	return (struct seal_view){(const uint8_t *)t->bytes, t->length};
}

static void sign(struct seal_signed *s, const struct text *text, struct test_officer *const *who)
{
	s->text = view(text);
	for (s->count = 0; who[s->count]; s->count++)
		s->signatures[s->count] =
		    test_officer_sign(who[s->count], text->bytes, text->length);
}
#define SIGN(s, text, ...) sign(s, text, (struct test_officer *const[]){__VA_ARGS__, NULL})

/* The parts of a seal for sites[@index], not signed yet. */
static void parts_make(const struct release *r, uint32_t index, struct seal_parts *ret_parts)
{
	const struct text *manifest = release_writer_manifest(r->writer);
	struct merkle_tree *tree;
	struct statement s;
	struct reason why;

	memset(ret_parts, 0, sizeof(*ret_parts));
	assert_int_equal(statement_parse(r->statement.bytes, r->statement.length, &s, &why), 0);
	assert_int_equal(release_manifest_tree(manifest->bytes, manifest->length, &s, &tree, &why),
			 0);
	ret_parts->index = index;
	merkle_tree_path(tree, index, &ret_parts->path);
	merkle_tree_free(tree);
	ret_parts->release.text = view(&r->statement);
	ret_parts->bundle =
	    (struct seal_view){(const uint8_t *)sites[index].bundle, strlen(sites[index].bundle)};
}

static struct seal_trust trust_of(uint32_t site_id)
{
	return (struct seal_trust){
	    .roster = roster1.bytes,
	    .roster_length = roster1.length,
	    .site_id = site_id,
	    .now_s = ISSUED + 60,
	};
}

/* Verifies a copy that ends where the sanitizer sees a byte too far. */
static int verify_bytes(const void *bytes, size_t length, const struct seal_trust *trust,
			struct seal_result *ret, struct reason *why)
{
	uint8_t *exact = malloc(length ? length : 1);
	int err;

	if (length)
		memcpy(exact, bytes, length);
	why->text[0] = '\0';
	err = seal_verify(exact, length, trust, ret, why);
	free(exact);
	return err;
}

static int verify_parts(const struct seal_parts *parts, const struct seal_trust *trust,
			struct seal_result *ret, struct reason *why)
{
	struct text seal = {0};
	int err;

	seal_encode(parts, &seal);
	err = verify_bytes(seal.bytes, seal.length, trust, ret, why);
	text_clear(&seal);
	return err;
}

static void expect(const struct seal_parts *parts, const struct seal_trust *trust, int err,
		   const char *reason)
{
	struct seal_result result;
	struct reason why;
	int got = verify_parts(parts, trust, &result, &why);

	if (got != err || strcmp(why.text, reason) != 0)
		fail_msg("got %d '%s', want %d '%s'", got, why.text, err, reason);
}

static void each_site_takes_its_own_seal_and_no_other(void **state)
{
	struct release r = release_make(7, 1);

	(void)state;
	for (uint32_t seal = 0; seal < SITES; seal++)
		for (uint32_t node = 0; node < SITES; node++) {
			struct seal_trust trust = trust_of(sites[node].id);
			struct seal_parts parts;
			char reason[100] = "";

			parts_make(&r, seal, &parts);
			SIGN(&parts.release, &r.statement, &an, &binh);
			if (seal != node)
				snprintf(reason, sizeof(reason),
					 "this bundle is of site %u, this node is %u",
					 sites[seal].id, sites[node].id);
			expect(&parts, &trust, seal == node ? 0 : -TUYEN_ESITE, reason);
		}
	release_clear(&r);
}

static void the_result_says_what_was_proved(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	uint8_t digest[SHA256_LEN];
	struct text seal = {0};
	struct seal_parts parts;
	struct seal_result result;
	struct reason why;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &chi);
	seal_encode(&parts, &seal);
	assert_int_equal(
	    seal_verify((const uint8_t *)seal.bytes, seal.length, &trust, &result, &why), 0);
	assert_int_equal(result.statement.epoch, 7);
	assert_int_equal(result.statement.sites, SITES);
	assert_int_equal(result.statement.source_count, 1);
	assert_int_equal(result.bundle_length, strlen(sites[3].bundle));
	assert_memory_equal(result.bundle, sites[3].bundle, result.bundle_length);
	assert_ptr_equal(result.bundle, seal.bytes + seal.length - result.bundle_length);
	sha256_digest(sites[3].bundle, strlen(sites[3].bundle), digest);
	assert_memory_equal(result.bundle_digest, digest, SHA256_LEN);
	sha256_digest(r.statement.bytes, r.statement.length, digest);
	assert_memory_equal(result.statement_digest, digest, SHA256_LEN);
	assert_int_equal(result.signers, 5);
	assert_string_equal(result.roster.officers[2].name, "chi");
	assert_false(result.roster_moved);
	assert_ptr_equal(result.roster_text, roster1.bytes);
	assert_false(result.repeated);
	assert_false(result.expired);
	text_clear(&seal);
	release_clear(&r);
}

static void signatures_are_counted_before_the_statement_is_read(void **state)
{
	struct text nonsense = {0};
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct seal_parts parts;

	(void)state;
	text_add(&nonsense, "nonsense\n");
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &nonsense, &an);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 1)");
	SIGN(&parts.release, &nonsense, &an, &binh);
	expect(&parts, &trust, -TUYEN_EINVAL,
	       "release statement, line 1: expected 'tuyen-release'");
	SIGN(&parts.release, &r.statement, &an, &dung);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 1)");
	SIGN(&parts.release, &r.statement, &an, &binh, &dung);
	expect(&parts, &trust, 0, "");
	SIGN(&parts.release, &nonsense, &an, &binh);
	parts.release.text = view(&r.statement);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "signature of officer 'an' does not match");
	text_clear(&nonsense);
	release_clear(&r);
}

static void an_epoch_never_goes_back(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct seal_parts parts;
	struct seal_result result;
	struct reason why;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	trust.epoch = 8;
	expect(&parts, &trust, -TUYEN_EEPOCH, "release has epoch 7, epoch 8 was accepted before");
	trust.epoch = 6;
	expect(&parts, &trust, 0, "");
	trust.epoch = 7;
	expect(&parts, &trust, -TUYEN_EEPOCH,
	       "two releases of epoch 7: another one was accepted before");
	sha256_digest(r.statement.bytes, r.statement.length, trust.statement_digest);
	assert_int_equal(verify_parts(&parts, &trust, &result, &why), 0);
	assert_true(result.repeated);
	release_clear(&r);
}

static void expiry_is_told_and_never_refused(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct seal_parts parts;
	struct seal_result result;
	struct reason why;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	for (int64_t over = -1; over <= 1; over++) {
		trust.now_s = EXPIRES + over;
		assert_int_equal(verify_parts(&parts, &trust, &result, &why), 0);
		assert_int_equal(result.expired, over > 0);
	}
	release_clear(&r);
}

/* The statement of @r as form 1, with the root over the bundles themselves; the path of sites[@index]. */
static void form1_make(const struct release *r, uint32_t index, struct text *ret_statement,
		       struct merkle_path *ret_path)
{
	struct merkle_hash leaves[SITES];
	struct merkle_tree *tree;
	struct statement s;
	struct reason why;

	assert_int_equal(statement_parse(r->statement.bytes, r->statement.length, &s, &why), 0);
	for (size_t i = 0; i < SITES; i++)
		assert_int_equal(merkle_leaf(sites[i].bundle, strlen(sites[i].bundle), &leaves[i]),
				 0);
	assert_int_equal(merkle_tree_build(leaves, SITES, &tree), 0);
	s.form = 1;
	s.root = merkle_tree_root(tree);
	statement_encode(&s, ret_statement);
	merkle_tree_path(tree, index, ret_path);
	merkle_tree_free(tree);
}

#define NO_LEAF "bundle does not belong to this release (Merkle proof does not lead to the root)"

/* What a node was given before its program was this one. */
static void a_seal_of_the_first_form_is_taken(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct text statement = {0};
	struct seal_parts parts;
	struct merkle_path path;

	(void)state;
	form1_make(&r, 3, &statement, &path);
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &statement, &an, &binh);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF); /* the other form's path */
	parts.path = path;
	expect(&parts, &trust, 0, "");
	trust.site_id = 902;
	expect(&parts, &trust, -TUYEN_ESITE, "this bundle is of site 901, this node is 902");
	trust.site_id = 901;
	parts.release.text = view(&r.statement);
	SIGN(&parts.release, &r.statement, &an, &binh);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF); /* of form 2 now */
	text_clear(&statement);
	release_clear(&r);
}

static void a_bundle_of_elsewhere_is_no_leaf(void **state)
{
	static const char forged[] = "tuyen-bundle 1\nsite 901 phuc-xa forged\n";
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct seal_parts parts;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	parts.bundle = (struct seal_view){(const uint8_t *)forged, strlen(forged)};
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF);
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	parts.index = 2;
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF);
	parts.index = UINT32_MAX;
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF);
	parts.index = 3;
	parts.path.depth--;
	expect(&parts, &trust, -TUYEN_ESIGNATURE, NO_LEAF);
	release_clear(&r);
}

/* The chain's one step, from roster1 to roster2. */
static void chain_step(struct seal_parts *parts, struct test_officer *const *who)
{
	parts->chain_length = 1;
	sign(&parts->chain[0], &roster2, who);
}

static void the_officers_change_on_the_way(void **state)
{
	struct release r = release_make(7, 2);
	struct seal_trust trust = trust_of(901);
	struct test_officer again = test_officer_ed25519("an", 1),
			    chi2 = test_officer_ed25519("chi", 3);
	struct seal_parts parts;
	struct seal_result result;
	struct reason why;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	expect(&parts, &trust, -TUYEN_ESIGNATURE,
	       "release needs roster version 2, this node has 1 and the seal leads no further");
	SIGN(&parts.release, &r.statement, &an, &dung);
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 1)");
	chain_step(&parts, (struct test_officer *const[]){&again, &binh, NULL});
	expect(&parts, &trust, -TUYEN_ESIGNATURE,
	       "new roster, by its own officers: 1 of 2 signatures needed (roster version 2)");
	chain_step(&parts, (struct test_officer *const[]){&again, &chi2, NULL});
	assert_int_equal(verify_parts(&parts, &trust, &result, &why), 0);
	assert_true(result.roster_moved);
	assert_int_equal(result.roster.version, 2);
	assert_int_equal(result.roster_length, roster2.length);
	assert_int_equal(result.signers, 5); /* an, dung */
	trust.roster = roster2.bytes;
	trust.roster_length = roster2.length;
	assert_int_equal(verify_parts(&parts, &trust, &result, &why), 0);
	assert_false(result.roster_moved);
	SIGN(&parts.release, &r.statement, &an, &binh); /* binh is an officer no longer */
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 2)");
	EVP_PKEY_free(again.key);
	EVP_PKEY_free(chi2.key);
	release_clear(&r);
}

static void a_roster_passed_long_ago_is_skipped(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct test_officer again = test_officer_ed25519("an", 1),
			    chi2 = test_officer_ed25519("chi", 3);
	struct seal_parts parts;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &chi);
	parts.chain_length = 2;
	parts.chain[0].text = view(&roster1); /* the first is signed by nobody */
	SIGN(&parts.chain[1], &roster2, &again, &chi2);
	expect(&parts, &trust, 0, "");
	trust.roster = roster2.bytes;
	trust.roster_length = roster2.length;
	expect(&parts, &trust, 0, "");
	EVP_PKEY_free(again.key);
	EVP_PKEY_free(chi2.key);
	release_clear(&r);
}

/* A seal with as many signatures as are needed, so that there is nothing in it that does not count.
 */
static struct text seal_small(bool chain)
{
	struct release r = release_make(7, chain ? 2 : 1);
	struct test_officer again = test_officer_ed25519("an", 1),
			    chi2 = test_officer_ed25519("chi", 3);
	struct seal_parts parts;
	struct text seal = {0};

	parts_make(&r, 3, &parts);
	if (chain) {
		chain_step(&parts, (struct test_officer *const[]){&again, &chi2, NULL});
		SIGN(&parts.release, &r.statement, &an, &dung);
	} else {
		SIGN(&parts.release, &r.statement, &an, &binh);
	}
	seal_encode(&parts, &seal);
	EVP_PKEY_free(again.key);
	EVP_PKEY_free(chi2.key);
	release_clear(&r);
	return seal;
}

/* Every bit, or with a larger odd @step each byte at least once. */
static void flip_all(bool chain, size_t step)
{
	struct text seal = seal_small(chain);
	struct seal_trust trust = trust_of(901);
	struct seal_result result;
	struct reason why;

	assert_int_equal(verify_bytes(seal.bytes, seal.length, &trust, &result, &why), 0);
	for (size_t bit = 0; bit < 8 * seal.length; bit += step) {
		int err;

		seal.bytes[bit / 8] ^= (char)(1 << bit % 8);
		err = verify_bytes(seal.bytes, seal.length, &trust, &result, &why);
		if (err >= 0 || !why.text[0])
			fail_msg("bit %zu of %zu: %d '%s'", bit, 8 * seal.length, err, why.text);
		seal.bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	text_clear(&seal);
}

static void each_flipped_bit_is_refused(void **state)
{
	(void)state;
	flip_all(false, 1);
}

static void flipped_bits_are_refused_with_a_chain(void **state)
{
	(void)state;
	flip_all(true, 5);
}

static void cut_off_anywhere_or_longer_is_refused(void **state)
{
	struct text seal = seal_small(true);
	struct seal_trust trust = trust_of(901);
	struct seal_result result;
	struct reason why;

	(void)state;
	for (size_t n = 0; n < seal.length; n++)
		assert_true(verify_bytes(seal.bytes, n, &trust, &result, &why) < 0 && why.text[0]);
	text_add_char(&seal, '\n');
	assert_int_equal(verify_bytes(seal.bytes, seal.length, &trust, &result, &why),
			 -TUYEN_EINVAL);
	assert_string_equal(why.text, "seal has 1 bytes after its end");
	text_clear(&seal);
}

static void framing_has_one_form(void **state)
{
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	static const char damaged[] =
	    "seal is damaged or cut off: a section is missing or too long";
	struct signature swap;
	struct seal_parts parts;

	(void)state;
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &r.statement, &an, &binh);
	swap = parts.release.signatures[0];
	parts.release.signatures[0] = parts.release.signatures[1];
	parts.release.signatures[1] = swap;
	expect(&parts, &trust, -TUYEN_ETRUNC, damaged); /* names descend */
	parts.release.signatures[1] = parts.release.signatures[0];
	expect(&parts, &trust, -TUYEN_ETRUNC, damaged); /* a name twice */
	SIGN(&parts.release, &r.statement, &an, &binh);
	parts.release.signatures[0].name = "a/";
	expect(&parts, &trust, -TUYEN_ETRUNC, damaged);
	SIGN(&parts.release, &r.statement, &an, &binh);
	parts.release.signatures[1].length = 0;
	expect(&parts, &trust, -TUYEN_ETRUNC, damaged);
	parts.release.count = 0;
	expect(&parts, &trust, -TUYEN_ESIGNATURE, "0 of 2 signatures needed (roster version 1)");
	release_clear(&r);
}

static void a_claimed_size_beyond_the_file_is_refused(void **state)
{
	static const uint8_t huge[] = SEAL_MAGIC "\x03\xff\xff\xff\xff...";
	static const uint8_t most[] = SEAL_MAGIC "\x03\x00\x03\xff\xff...";
	struct seal_trust trust = trust_of(901);
	struct seal_result result;
	struct reason why;

	(void)state;
	assert_int_equal(verify_bytes(huge, sizeof(huge), &trust, &result, &why), -TUYEN_ETRUNC);
	assert_int_equal(verify_bytes(most, sizeof(most), &trust, &result, &why), -TUYEN_ETRUNC);
	assert_int_equal(seal_verify(huge, SEAL_BYTES_MAX + 1, &trust, &result, &why),
			 -TUYEN_ELIMIT);
}

static void a_section_above_its_limit_is_refused(void **state)
{
	static const char damaged[] =
	    "seal is damaged or cut off: a section is missing or too long";
	static const uint8_t long_proof[] = SEAL_MAGIC "\x03\0\0\0\1x\x05\0\0\2\x24";
	struct release r = release_make(7, 1);
	struct seal_trust trust = trust_of(901);
	struct text statement = {0}, seal = {0};
	struct seal_result result;
	struct seal_parts parts;
	struct reason why;

	(void)state;
	while (statement.length <= STATEMENT_BYTES_MAX)
		text_add(&statement, "0123456789abcdef");
	parts_make(&r, 3, &parts);
	SIGN(&parts.release, &statement, &an, &binh);
	expect(&parts, &trust, -TUYEN_ETRUNC, damaged);
	text_add_bytes(&seal, long_proof, sizeof(long_proof) - 1);
	while (seal.length < sizeof(long_proof) - 1 + 4 + 17 * SHA256_LEN) /* a hash too many */
		text_add_char(&seal, 'x');
	text_add_bytes(&seal, "\x06\0\0\0\0", 5);
	assert_int_equal(verify_bytes(seal.bytes, seal.length, &trust, &result, &why),
			 -TUYEN_ETRUNC);
	text_clear(&seal);
	text_clear(&statement);
	release_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_site_takes_its_own_seal_and_no_other),
	    cmocka_unit_test(the_result_says_what_was_proved),
	    cmocka_unit_test(signatures_are_counted_before_the_statement_is_read),
	    cmocka_unit_test(an_epoch_never_goes_back),
	    cmocka_unit_test(expiry_is_told_and_never_refused),
	    cmocka_unit_test(a_seal_of_the_first_form_is_taken),
	    cmocka_unit_test(a_bundle_of_elsewhere_is_no_leaf),
	    cmocka_unit_test(the_officers_change_on_the_way),
	    cmocka_unit_test(a_roster_passed_long_ago_is_skipped),
	    cmocka_unit_test(each_flipped_bit_is_refused),
	    cmocka_unit_test(flipped_bits_are_refused_with_a_chain),
	    cmocka_unit_test(cut_off_anywhere_or_longer_is_refused),
	    cmocka_unit_test(framing_has_one_form),
	    cmocka_unit_test(a_claimed_size_beyond_the_file_is_refused),
	    cmocka_unit_test(a_section_above_its_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, officers_make, officers_free);
}
