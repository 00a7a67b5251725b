/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_ROSTER_H
#define TUYEN_POLICIES_ROSTER_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"

/**
 * Who the officers are and how many must sign: the root role of The Update Framework. A node is installed with
 * one; a newer one replaces it when signed by the threshold of both. Canonical text, officers in byte order of
 * their names, no name and no key twice:
 *
 *	tuyen-roster 1
 *	version 1
 *	threshold 2
 *	issued 2025-01-31T08:00:00Z
 *	officer an ed25519 <SubjectPublicKeyInfo in base64>
 *	officer binh p384 <...>
 *
 * ed25519 signs the bytes as they are (RFC 8032); p384 is ECDSA on P-384 with SHA-384, the signature in DER.
 */

#define ROSTER_BYTES_MAX    (16u << 10)
#define ROSTER_OFFICERS_MAX 32
#define OFFICER_NAME_MAX    31 /* bytes: letters, digits, '-', '_', '.', the first a letter or digit */
#define OFFICER_KEY_MAX	    120
#define SIGNATURE_MAX	    104 /* ECDSA P-384 in DER; Ed25519 has 64 */

enum officer_algorithm {
	OFFICER_ED25519,
	OFFICER_P384,
};
const char *officer_algorithm_name(enum officer_algorithm algorithm);

struct officer {
	char name[OFFICER_NAME_MAX + 1];
	enum officer_algorithm algorithm;
	uint8_t key[OFFICER_KEY_MAX]; /* SubjectPublicKeyInfo, DER */
	size_t key_length;
};

struct roster {
	uint32_t version;   /* 1.. */
	uint32_t threshold; /* 1..officer_count */
	int64_t issued_s;
	struct officer officers[ROSTER_OFFICERS_MAX];
	size_t officer_count;
};

/** One detached signature, borrowed. @name is not terminated. */
struct signature {
	const char *name;
	size_t name_length;
	const uint8_t *bytes;
	size_t length;
};

bool officer_name_valid(const char *name, size_t length);
/** Takes the algorithm from @key (DER). @return 0; -TUYEN_EINVAL for a name or a key of another kind. */
int officer_init(struct officer *ret_officer, const char *name, const uint8_t *key,
		 size_t key_length, struct reason *reason);

/**
 * Brings officers into order and checks all rules of a roster.
 * @return 0 or -TUYEN_EINVAL with @reason.
 */
int roster_finish(struct roster *roster, struct reason *reason);
void roster_encode(const struct roster *roster, struct text *ret_text);
/** Reads what roster_encode() wrote and nothing else. Safe on any bytes. */
int roster_parse(const char *bytes, size_t length, struct roster *ret_roster,
		 struct reason *reason);

/** Which officers of a roster signed: bit i is officers[i]. */
typedef uint32_t roster_signers;
unsigned int roster_signers_count(roster_signers signers);

/**
 * Checks @signatures over @message. Names that are not in the roster are ignored; a name twice counts once.
 * @ret_signers  whose signatures match; may be NULL.
 * @return 0 when the threshold is reached; -TUYEN_ESIGNATURE with "signature of officer 'an' does not match"
 *	   or "1 of 2 signatures needed".
 */
int roster_verify(const struct roster *roster, const void *message, size_t length,
		  const struct signature *signatures, size_t count, roster_signers *ret_signers,
		  struct reason *reason);

/**
 * May @next, text @bytes, follow @now? Both thresholds over @bytes, version + 1. Parsed only when
 * the old officers' signatures match.
 * @return 0; -TUYEN_ESIGNATURE, -TUYEN_EINVAL.
 */
int roster_follow(const struct roster *now, const char *bytes, size_t length,
		  const struct signature *signatures, size_t count, struct roster *ret_next,
		  struct reason *reason);

#endif
