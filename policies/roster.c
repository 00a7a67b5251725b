/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/roster.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/lines.h"
#include "tuyen/policies/statement.h"

/*
 * The officers. A public key has one form here: the fixed head of its SubjectPublicKeyInfo and the
 * point, so that the same key twice is the same bytes twice, and one officer cannot count as two.
 */

struct key_kind {
	const char *name;
	uint8_t head[24];
	size_t head_length, length;
};

static const struct key_kind key_kinds[] = {
    [OFFICER_ED25519] =
	{
	    /* RFC 8410 */
	    .name = "ed25519",
	    .head = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00},
	    .head_length = 12,
	    .length = 44,
	},
    [OFFICER_P384] =
	{
	    /* RFC 5480, the point not compressed */
	    .name = "p384",
	    .head = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
		     0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04},
	    .head_length = 24,
	    .length = 120,
	},
};
#define KEY_KINDS (sizeof(key_kinds) / sizeof(key_kinds[0]))

const char *officer_algorithm_name(enum officer_algorithm algorithm)
{
	return key_kinds[algorithm].name;
}

static bool letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool officer_name_valid(const char *name, size_t length)
{
	if (length < 1 || length > OFFICER_NAME_MAX || !letter_or_digit(name[0]))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!letter_or_digit(name[i]) && !memchr("-_.", name[i], 3))
			return false;
	return true;
}

/* Ours, released with EVP_PKEY_free(); NULL if @officer's point is not on its curve. */
static EVP_PKEY *officer_key(const struct officer *officer)
{
	const uint8_t *p = officer->key;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)officer->key_length);

	if (key && p != officer->key + officer->key_length) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

/*
 * The y of the points of order 1, 2, 4 and 8 of edwards25519, least byte first, and what stands for the first two of them above the
 * field. Such a key has no private half and needs none: a signature that anybody can write holds for every text.
 */
static const uint8_t small_orders[][32] = {
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static bool key_is_weak(const struct officer *officer)
{
	uint8_t y[32];

	if (officer->algorithm != OFFICER_ED25519)
		return false;
	memcpy(y, officer->key + key_kinds[OFFICER_ED25519].head_length, sizeof(y));
	y[31] &= 0x7f; /* the sign of x */
	for (size_t i = 0; i < sizeof(small_orders) / sizeof(small_orders[0]); i++)
		if (memcmp(y, small_orders[i], sizeof(y)) == 0)
			return true;
	return false;
}

int officer_init(struct officer *ret_officer, const char *name, const uint8_t *key,
		 size_t key_length, struct reason *reason)
{
	struct officer officer = {.key_length = key_length};
	EVP_PKEY *parsed;
	size_t i;

	if (!officer_name_valid(name, strlen(name)))
		return reason_set(
		    reason, -TUYEN_EINVAL,
		    "officer's name '%.40s': only letters, digits, '-', '_', '.', at most %d", name,
		    OFFICER_NAME_MAX);
	memcpy(officer.name, name, strlen(name));
	for (i = 0; i < KEY_KINDS; i++)
		if (key_length == key_kinds[i].length &&
		    memcmp(key, key_kinds[i].head, key_kinds[i].head_length) == 0)
			break;
	if (i == KEY_KINDS)
		return reason_set(reason, -TUYEN_EINVAL,
				  "key of officer '%s' is neither Ed25519 nor P-384", name);
	officer.algorithm = (enum officer_algorithm)i;
	memcpy(officer.key, key, key_length);
	parsed = officer_key(&officer);
	if (!parsed)
		return reason_set(reason, -TUYEN_EINVAL,
				  "key of officer '%s' is no point of its curve", name);
	EVP_PKEY_free(parsed);
	if (key_is_weak(&officer))
		return reason_set(reason, -TUYEN_EINVAL,
				  "key of officer '%s' is one for which anybody can sign", name);
	*ret_officer = officer;
	return 0;
}

static int officer_compare(const void *a, const void *b)
{
	return strcmp(((const struct officer *)a)->name, ((const struct officer *)b)->name);
}

static bool same_key(const struct officer *a, const struct officer *b)
{
	return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

static int officers_distinct(const struct roster *roster, struct reason *reason)
{
	const struct officer *o = roster->officers;

	for (size_t i = 0; i < roster->officer_count; i++)
		for (size_t j = 0; j < i; j++) {
			if (strcmp(o[i].name, o[j].name) == 0)
				return reason_set(reason, -TUYEN_EINVAL,
						  "officer '%s' is in the roster twice", o[i].name);
			if (same_key(&o[i], &o[j]))
				return reason_set(reason, -TUYEN_EINVAL,
						  "officers '%s' and '%s' have the same key",
						  o[j].name, o[i].name);
		}
	return 0;
}

int roster_finish(struct roster *roster, struct reason *reason)
{
	if (roster->version < 1)
		return reason_set(reason, -TUYEN_EINVAL, "a roster's version starts from 1");
	if (roster->officer_count < 1 || roster->officer_count > ROSTER_OFFICERS_MAX)
		return reason_set(reason, -TUYEN_EINVAL, "a roster has 1 to %d officers",
				  ROSTER_OFFICERS_MAX);
	if (roster->threshold < 1 || roster->threshold > roster->officer_count)
		return reason_set(reason, -TUYEN_EINVAL, "threshold %u with %zu officers",
				  roster->threshold, roster->officer_count);
	qsort(roster->officers, roster->officer_count, sizeof(roster->officers[0]),
	      officer_compare);
	return officers_distinct(roster, reason);
}

void roster_encode(const struct roster *roster, struct text *ret_text)
{
	char issued[RFC3339_STRLEN];

	text_printf(ret_text, "tuyen-roster 1\nversion %u\nthreshold %u\nissued %s\n",
		    roster->version, roster->threshold, rfc3339_format(roster->issued_s, issued));
	for (size_t i = 0; i < roster->officer_count; i++) {
		const struct officer *o = &roster->officers[i];
		char base64[OFFICER_KEY_MAX / 3 * 4 + 1];

		EVP_EncodeBlock((unsigned char *)base64, o->key, (int)o->key_length);
		text_printf(ret_text, "officer %s %s %s\n", o->name,
			    officer_algorithm_name(o->algorithm), base64);
	}
}

/* Splits "NAME ALGORITHM KEY" in place. */
static bool officer_split(char *value, char **ret_algorithm, char **ret_key)
{
	char *algorithm = strchr(value, ' '), *key = algorithm ? strchr(algorithm + 1, ' ') : NULL;

	if (!key)
		return false;
	*algorithm = *key = '\0';
	*ret_algorithm = algorithm + 1;
	*ret_key = key + 1;
	return true;
}

/* Canonical base64 of a known kind of key, by its length. @return bytes, 0 if it is not. */
static size_t key_decode(const char *base64, uint8_t ret_key[static OFFICER_KEY_MAX + 2])
{
	size_t length = strlen(base64), padding;
	char again[OFFICER_KEY_MAX / 3 * 4 + 1];

	if (length < 4 || length % 4 || length >= sizeof(again))
		return 0;
	padding = (size_t)(base64[length - 1] == '=') + (base64[length - 2] == '=');
	if (EVP_DecodeBlock(ret_key, (const unsigned char *)base64, (int)length) < 0)
		return 0;
	EVP_EncodeBlock((unsigned char *)again, ret_key, (int)(length / 4 * 3 - padding));
	return strcmp(again, base64) == 0 ? length / 4 * 3 - padding : 0;
}

static void officer_read(struct line_reader *r, struct roster *roster)
{
	char value[LINE_VALUE_MAX], *algorithm, *base64;
	uint8_t key[OFFICER_KEY_MAX + 2];
	struct officer *officer = &roster->officers[roster->officer_count];
	struct reason why;

	line_read(r, "officer", value);
	if (r->failed)
		return;
	if (!officer_split(value, &algorithm, &base64)) {
		line_fail(r, "an officer is a name, an algorithm and a key");
		return;
	}
	if (officer_init(officer, value, key, key_decode(base64, key), &why) < 0)
		line_fail(r, "%.200s", why.text);
	else if (strcmp(algorithm, officer_algorithm_name(officer->algorithm)) != 0)
		line_fail(r, "the key is %s", officer_algorithm_name(officer->algorithm));
	else if (roster->officer_count && officer_compare(officer - 1, officer) > 0)
		line_fail(r, "officers are not in order");
	else
		roster->officer_count++;
}

int roster_parse(const char *bytes, size_t length, struct roster *ret_roster, struct reason *reason)
{
	struct roster roster = {0};
	struct line_reader r;
	int err;

	if (length > ROSTER_BYTES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "roster is above %u bytes",
				  ROSTER_BYTES_MAX);
	line_reader_init(&r, "roster", bytes, length, reason);
	line_read_u64(&r, "tuyen-roster", 1, 1);
	roster.version = (uint32_t)line_read_u64(&r, "version", 1, UINT32_MAX);
	roster.threshold = (uint32_t)line_read_u64(&r, "threshold", 1, ROSTER_OFFICERS_MAX);
	roster.issued_s = line_read_time(&r, "issued");
	while (!line_at_end(&r) && roster.officer_count < ROSTER_OFFICERS_MAX)
		officer_read(&r, &roster);
	err = line_finish(&r);
	if (!err)
		err = roster_finish(&roster, reason);
	if (err < 0)
		return err;
	*ret_roster = roster;
	return 0;
}

unsigned int roster_signers_count(roster_signers signers)
{
	return (unsigned int)__builtin_popcount(signers);
}

static bool signature_matches(const struct officer *officer, const void *message, size_t length,
			      const struct signature *signature)
{
	EVP_PKEY *key = officer_key(officer);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *digest = officer->algorithm == OFFICER_P384 ? EVP_sha384() : NULL;
	bool ok;

	ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, signature->bytes, signature->length, message, length) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return ok;
}

/* @return the officer's index, -1 for one unknown. */
static int officer_find(const struct roster *roster, const struct signature *signature)
{
	for (size_t i = 0; i < roster->officer_count; i++)
		if (strlen(roster->officers[i].name) == signature->name_length &&
		    memcmp(roster->officers[i].name, signature->name, signature->name_length) == 0)
			return (int)i;
	return -1;
}

int roster_verify(const struct roster *roster, const void *message, size_t length,
		  const struct signature *signatures, size_t count, roster_signers *ret_signers,
		  struct reason *reason)
{
	roster_signers signers = 0;

	for (size_t i = 0; i < count; i++) {
		int officer = officer_find(roster, &signatures[i]);

		if (officer < 0)
			continue;
		if (!signature_matches(&roster->officers[officer], message, length, &signatures[i]))
			return reason_set(reason, -TUYEN_ESIGNATURE,
					  "signature of officer '%s' does not match",
					  roster->officers[officer].name);
		signers |= (roster_signers)1 << officer;
	}
	if (roster_signers_count(signers) < roster->threshold)
		return reason_set(
		    reason, -TUYEN_ESIGNATURE, "%u of %u signatures needed (roster version %u)",
		    roster_signers_count(signers), roster->threshold, roster->version);
	if (ret_signers)
		*ret_signers = signers;
	return 0;
}

int roster_follow(const struct roster *now, const char *bytes, size_t length,
		  const struct signature *signatures, size_t count, struct roster *ret_next,
		  struct reason *reason)
{
	struct roster next;
	struct reason why;
	int err;

	err = roster_verify(now, bytes, length, signatures, count, NULL, &why);
	if (err < 0)
		return reason_set(reason, err, "new roster, by the old officers: %.300s", why.text);
	err = roster_parse(bytes, length, &next, reason);
	if (err < 0)
		return err;
	err = roster_verify(&next, bytes, length, signatures, count, NULL, &why);
	if (err < 0)
		return reason_set(reason, err, "new roster, by its own officers: %.300s", why.text);
	if (next.version - 1 != now->version)
		return reason_set(reason, -TUYEN_EINVAL,
				  "new roster has version %u, after %u comes %llu", next.version,
				  now->version, now->version + 1ULL);
	*ret_next = next;
	return 0;
}
