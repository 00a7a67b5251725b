/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/roster.c policies/statement.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "officers.h"

static struct test_officer an, binh, chi, dung;

static int officers_make(void **state)
{
	(void)state;
	an = test_officer_ed25519("an", 1);
	binh = test_officer_p384("binh");
	chi = test_officer_ed25519("chi", 3);
	dung = test_officer_ed25519("dung", 4);
	return 0;
}

static int officers_free(void **state)
{
	(void)state;
	EVP_PKEY_free(an.key);
	EVP_PKEY_free(binh.key);
	EVP_PKEY_free(chi.key);
	EVP_PKEY_free(dung.key);
	return 0;
}

static struct roster roster_make(uint32_t version, uint32_t threshold,
				 const struct test_officer *const *who)
{
	struct roster roster = {.version = version, .threshold = threshold, .issued_s = 1738310400};
	struct reason why;

	for (; *who; who++)
		test_roster_add(&roster, *who);
	assert_int_equal(roster_finish(&roster, &why), 0);
	return roster;
}

#define ROSTER(version, threshold, ...)                                                            \
	roster_make(version, threshold, (const struct test_officer *const[]){__VA_ARGS__, NULL})

static void a_roster_reads_and_writes_the_same(void **state)
{
	struct roster roster = ROSTER(3, 2, &chi, &an, &binh), again;
	struct text first = {0}, second = {0};
	struct reason why;

	(void)state;
	roster_encode(&roster, &first);
	assert_non_null(strstr(
	    first.bytes, "tuyen-roster 1\nversion 3\nthreshold 2\nissued 2025-01-31T08:00:00Z\n"
			 "officer an ed25519 MCowBQYDK2VwAyEA"));
	assert_non_null(
	    strstr(first.bytes, "\nofficer binh p384 MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE"));
	assert_int_equal(roster_parse(first.bytes, first.length, &again, &why), 0);
	assert_int_equal(again.version, 3);
	assert_int_equal(again.threshold, 2);
	assert_int_equal(again.officer_count, 3);
	assert_string_equal(again.officers[2].name, "chi");
	roster_encode(&again, &second);
	assert_string_equal(second.bytes, first.bytes);
	text_clear(&first);
	text_clear(&second);
}

#define AN	   "MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
#define CHI	   "MCowBQYDK2VwAyEA7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E="
#define HEAD(v, t) "tuyen-roster 1\nversion " v "\nthreshold " t "\nissued 2025-01-31T08:00:00Z\n"

static const struct {
	const char *text, *reason; /* NULL: good */
} texts[] = {
    {HEAD("1", "2") "officer an ed25519 " AN "\nofficer chi ed25519 " CHI "\n", NULL},
    {HEAD("1", "3") "officer an ed25519 " AN "\nofficer chi ed25519 " CHI "\n",
     "threshold 3 with 2 officers"},
    {HEAD("1", "0") "officer an ed25519 " AN "\n", "line 3: 'threshold' is not a number"},
    {HEAD("0", "1") "officer an ed25519 " AN "\n", "line 2: 'version' is not a number"},
    {HEAD("1", "1"), "a roster has 1 to 32 officers"},
    {HEAD("1", "1") "officer chi ed25519 " CHI "\nofficer an ed25519 " AN "\n",
     "line 6: officers are not in order"},
    {HEAD("1", "1") "officer an ed25519 " AN "\nofficer an ed25519 " CHI "\n",
     "officer 'an' is in the roster twice"},
    {HEAD("1", "2") "officer an ed25519 " AN "\nofficer bn ed25519 " AN "\n",
     "officers 'an' and 'bn' have the same key"},
    {HEAD("1", "1") "officer an p384 " AN "\n", "line 5: the key is ed25519"},
    {HEAD("1", "1") "officer ../an ed25519 " AN "\n", "line 5: officer's name '../an'"},
    {HEAD("1", "1") "officer an\n", "line 5: an officer is a name, an algorithm and a key"},
    {HEAD("1", "1") "officer an ed25519  " AN "\n", "neither Ed25519 nor P-384"},
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1x=\n",
     "neither Ed25519 nor P-384"}, /* padding bits set */
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VuAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n",
     "neither Ed25519 nor P-384"}, /* X25519 */
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
     "for which anybody can sign"},
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA=\n",
     "for which anybody can sign"},
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VwAyEAJuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/IU=\n",
     "for which anybody can sign"},
    {HEAD("1",
	  "1") "officer an ed25519 MCowBQYDK2VwAyEA7v///////////////////////////////////////38=\n",
     "for which anybody can sign"},
    {HEAD("1", "1") "officer an ed25519 ====\n", "neither Ed25519 nor P-384"},
    {HEAD("1", "1") "officer an ed25519 " AN, "line 5: the value of 'officer' is cut off"},
    {HEAD("1", "1") "officer an ed25519 " AN "\nmore\n", "line 6: expected 'officer'"},
};

static void what_breaks_a_rule_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct reason why = {""};
		struct roster roster;
		int err = roster_parse(texts[i].text, strlen(texts[i].text), &roster, &why);

		assert_int_equal(err, texts[i].reason ? -TUYEN_EINVAL : 0);
		if (texts[i].reason && !strstr(why.text, texts[i].reason))
			fail_msg("row %zu: '%s' lacks '%s'", i, why.text, texts[i].reason);
	}
}

static void a_hybrid_point_is_no_second_key(void **state)
{
	struct officer officer;
	struct reason why;
	uint8_t key[256];
	size_t length = test_officer_public(&binh, key);

	(void)state;
	key[23] = (uint8_t)(6 + (key[length - 1] & 1));
	assert_int_equal(officer_init(&officer, "b2", key, length, &why), -TUYEN_EINVAL);
	key[23] = 4;
	assert_int_equal(officer_init(&officer, "b2", key, length, &why), 0);
	key[length - 1] ^= 1;
	assert_int_equal(officer_init(&officer, "b2", key, length, &why), -TUYEN_EINVAL);
	assert_string_equal(why.text, "key of officer 'b2' is no point of its curve");
}

static void at_most_thirty_two_officers(void **state)
{
	struct text t = {0};
	struct roster roster;
	struct reason why;

	(void)state;
	text_add(&t, HEAD("1", "1"));
	for (int i = 0; i < 33; i++) {
		struct test_officer o = test_officer_ed25519("x", (uint8_t)(100 + i));
		uint8_t key[256];
		char base64[400];

		EVP_EncodeBlock((unsigned char *)base64, key, (int)test_officer_public(&o, key));
		text_printf(&t, "officer o%02d ed25519 %s\n", i, base64);
		EVP_PKEY_free(o.key);
		assert_int_equal(i ? roster_parse(t.bytes, t.length, &roster, &why) : 0,
				 i < 32 ? 0 : -TUYEN_EINVAL);
	}
	text_clear(&t);
}

static const char message[] = "tuyen-release 1\n";

static void the_threshold_counts_distinct_officers(void **state)
{
	struct roster roster = ROSTER(1, 2, &an, &binh, &chi);
	size_t n = strlen(message);
	struct signature a = test_officer_sign(&an, message, n),
			 b = test_officer_sign(&binh, message, n),
			 c = test_officer_sign(&chi, message, n),
			 d = test_officer_sign(&dung, message, n);
	struct signature a_as_b = {"binh", 4, a.bytes, a.length};
	struct signature a_short = {"an", 2, a.bytes, a.length - 1};
	struct signature a_empty = {"an", 2, a.bytes, 0};
	const struct {
		struct signature list[3];
		size_t count;
		int err;
		const char *reason;
		roster_signers signers;
	} rows[] = {
	    {{a, b}, 2, 0, "", 3},
	    {{a, c}, 2, 0, "", 5},
	    {{a, b, c}, 3, 0, "", 7},
	    {{a, d, b}, 3, 0, "", 3},
	    {{a, a}, 2, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 1)", 0},
	    {{a, d}, 2, -TUYEN_ESIGNATURE, "1 of 2 signatures needed (roster version 1)", 0},
	    {{d}, 1, -TUYEN_ESIGNATURE, "0 of 2 signatures needed (roster version 1)", 0},
	    {{a}, 0, -TUYEN_ESIGNATURE, "0 of 2 signatures needed (roster version 1)", 0},
	    {{a, a_as_b}, 2, -TUYEN_ESIGNATURE, "signature of officer 'binh' does not match", 0},
	    {{b, c, a_short}, 3, -TUYEN_ESIGNATURE, "signature of officer 'an' does not match", 0},
	    {{b, c, a_empty}, 3, -TUYEN_ESIGNATURE, "signature of officer 'an' does not match", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reason why = {""};
		roster_signers signers = 0;

		assert_int_equal(
		    roster_verify(&roster, message, n, rows[i].list, rows[i].count, &signers, &why),
		    rows[i].err);
		assert_string_equal(why.text, rows[i].reason);
		assert_int_equal(signers, rows[i].signers);
	}
	assert_int_equal(roster_verify(&roster, message, n - 1, rows[0].list, 2, NULL, NULL),
			 -TUYEN_ESIGNATURE);
}

struct follow {
	const char *name;
	struct roster next;
	struct test_officer *signers[4];
	int err;
	const char *reason;
};

static void follow_check(const struct roster *now, const struct follow *row)
{
	struct signature list[4];
	struct reason why = {""};
	struct text t = {0};
	struct roster got;
	size_t count = 0;
	int err;

	roster_encode(&row->next, &t);
	for (; count < 4 && row->signers[count]; count++)
		list[count] = test_officer_sign(row->signers[count], t.bytes, t.length);
	err = roster_follow(now, t.bytes, t.length, list, count, &got, &why);
	if (err != row->err || strcmp(why.text, row->reason) != 0)
		fail_msg("%s: %d '%s'", row->name, err, why.text);
	if (!err)
		assert_int_equal(got.version, row->next.version);
	text_clear(&t);
}

static void a_roster_follows_when_old_and_new_sign(void **state)
{
	struct roster now = ROSTER(1, 2, &an, &binh, &chi);
	const struct follow rows[] = {
	    {"an and binh are old and new", ROSTER(2, 2, &an, &binh, &dung), {&an, &binh}, 0, ""},
	    {"all change", ROSTER(2, 1, &dung), {&an, &binh, &dung}, 0, ""},
	    {"new ones alone",
	     ROSTER(2, 1, &dung),
	     {&dung},
	     -TUYEN_ESIGNATURE,
	     "new roster, by the old officers: 0 of 2 signatures needed (roster version 1)"},
	    {"old ones alone",
	     ROSTER(2, 1, &dung),
	     {&an, &binh},
	     -TUYEN_ESIGNATURE,
	     "new roster, by its own officers: 0 of 1 signatures needed (roster version 2)"},
	    {"below the old threshold",
	     ROSTER(2, 1, &an),
	     {&an},
	     -TUYEN_ESIGNATURE,
	     "new roster, by the old officers: 1 of 2 signatures needed (roster version 1)"},
	    {"below the new threshold",
	     ROSTER(2, 3, &an, &binh, &dung),
	     {&an, &binh},
	     -TUYEN_ESIGNATURE,
	     "new roster, by its own officers: 2 of 3 signatures needed (roster version 2)"},
	    {"a version left out",
	     ROSTER(3, 2, &an, &binh),
	     {&an, &binh},
	     -TUYEN_EINVAL,
	     "new roster has version 3, after 1 comes 2"},
	    {"the same version",
	     ROSTER(1, 1, &an, &binh),
	     {&an, &binh},
	     -TUYEN_EINVAL,
	     "new roster has version 1, after 1 comes 2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		follow_check(&now, &rows[i]);
}

static void officer_names_are_safe_file_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
	    {"an", true},
	    {"An.2-x_y", true},
	    {"7", true},
	    {"", false},
	    {".an", false},
	    {"-an", false},
	    {"a/b", false},
	    {"a b", false},
	    {"nguy\xe1\xbb\x85n", false},
	    {"abcdefghijklmnopqrstuvwxyz01234", true},
	    {"abcdefghijklmnopqrstuvwxyz012345", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(officer_name_valid(rows[i].name, strlen(rows[i].name)),
				 rows[i].valid);
	assert_false(officer_name_valid("a\0b", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_roster_reads_and_writes_the_same),
	    cmocka_unit_test(what_breaks_a_rule_is_refused),
	    cmocka_unit_test(a_hybrid_point_is_no_second_key),
	    cmocka_unit_test(at_most_thirty_two_officers),
	    cmocka_unit_test(the_threshold_counts_distinct_officers),
	    cmocka_unit_test(a_roster_follows_when_old_and_new_sign),
	    cmocka_unit_test(officer_names_are_safe_file_names),
	};

	return cmocka_run_group_tests(tests, officers_make, officers_free);
}
