/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_OFFICERS_H
#define TESTS_UNIT_OFFICERS_H

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#include "tuyen/policies/roster.h"

/* Officers with keys for tests: number @seed always has the same Ed25519 key. */
struct test_officer {
	const char *name;
	EVP_PKEY *key;
	uint8_t signature[SIGNATURE_MAX];
};

static inline struct test_officer test_officer_ed25519(const char *name, uint8_t seed)
{
	uint8_t raw[32];

	memset(raw, seed, sizeof(raw));
	return (struct test_officer){
	    .name = name,
	    .key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw)),
	};
}

static inline struct test_officer test_officer_p384(const char *name)
{
	return (struct test_officer){.name = name, .key = EVP_EC_gen("P-384")};
}

static inline size_t test_officer_public(const struct test_officer *o, uint8_t out[static 256])
{
	uint8_t *p = out;
	int length = i2d_PUBKEY(o->key, &p);

	assert(length > 0 && length <= 256);
	return (size_t)length;
}

static inline void test_roster_add(struct roster *roster, const struct test_officer *o)
{
	uint8_t key[256];
	struct reason why;
	size_t length = test_officer_public(o, key);
	int err =
	    officer_init(&roster->officers[roster->officer_count++], o->name, key, length, &why);

	assert(err == 0);
	(void)err;
}

/* Lives as long as @o, until it signs again. */
static inline struct signature test_officer_sign(struct test_officer *o, const void *message,
						 size_t length)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = EVP_PKEY_get_id(o->key) == EVP_PKEY_ED25519 ? NULL : EVP_sha384();
	size_t size = sizeof(o->signature);
	int ok = EVP_DigestSignInit(ctx, NULL, md, NULL, o->key) == 1 &&
		 EVP_DigestSign(ctx, o->signature, &size, message, length) == 1;

	assert(ok);
	(void)ok;
	EVP_MD_CTX_free(ctx);
	return (struct signature){o->name, strlen(o->name), o->signature, size};
}

#endif
