/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_SEAL_H
#define TUYEN_POLICIES_SEAL_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/roster.h"
#include "tuyen/policies/statement.h"

/**
 * A seal is all that one site needs of a release, in one file, for any way of transport:
 *
 *	"tuyen-seal 1\n", then sections: type (1 byte), length (4, network order), content; in this order:
 *	{ roster, its signatures }	0..SEAL_CHAIN_MAX times: how the officers changed, oldest first
 *	release				the statement
 *	signatures			1..SEAL_SIGNATURES_MAX: name length (1 byte), name, signature; names ascend
 *	proof				leaf's index (4 bytes), then the siblings' hashes; the leaf is the bundle's digest, release.h
 *	bundle				and nothing after it
 *
 * Only this framing is read before signatures are checked; nothing in it makes anyone allocate.
 */

#define SEAL_MAGIC	    "tuyen-seal 1\n"
#define SEAL_BUNDLE_HEAD    "tuyen-bundle 1\nsite " /* then the id and a space: so a bundle begins */
#define SEAL_CHAIN_MAX	    16
#define SEAL_SIGNATURES_MAX 32
#define SEAL_BYTES_MAX	    (68u << 20) /* a file above this need not be read */

enum seal_section {
	SEAL_ROSTER = 1,
	SEAL_ROSTER_SIGNATURE = 2,
	SEAL_RELEASE = 3,
	SEAL_SIGNATURE = 4,
	SEAL_PROOF = 5,
	SEAL_BUNDLE = 6,
};

/** Bytes of someone else. */
struct seal_view {
	const uint8_t *bytes;
	size_t length;
};

/** A text and the signatures over it. */
struct seal_signed {
	struct seal_view text;
	struct signature signatures[SEAL_SIGNATURES_MAX];
	size_t count;
};

/** A seal taken apart, all borrowed; or one to be written. */
struct seal_parts {
	struct seal_signed chain[SEAL_CHAIN_MAX];
	size_t chain_length;
	struct seal_signed release;
	uint32_t index;
	struct merkle_path path;
	struct seal_view bundle;
};

void seal_encode(const struct seal_parts *parts, struct text *ret_seal);
/** The framing alone. @return 0, -TUYEN_ETRUNC, -TUYEN_EINVAL or -TUYEN_ELIMIT with @reason. */
int seal_decode(const uint8_t *bytes, size_t length, struct seal_parts *ret_parts,
		struct reason *reason);

/** What a node holds already. */
struct seal_trust {
	const char *roster; /* text of the roster now trusted */
	size_t roster_length;
	uint32_t site_id;		      /* this node */
	uint64_t epoch;			      /* newest accepted; 0: none yet */
	uint8_t statement_digest[SHA256_LEN]; /* of the statement of that epoch */
	int64_t now_s;			      /* wall clock, for the flag @expired alone */
};

struct seal_result {
	struct statement statement; /* its sources borrow from the seal */
	uint8_t statement_digest[SHA256_LEN];
	const uint8_t *bundle; /* borrowed from the seal */
	size_t bundle_length;
	uint8_t bundle_digest[SHA256_LEN];
	struct roster roster;	 /* now trusted */
	const char *roster_text; /* its text: in the seal if @roster_moved, else the trust's */
	size_t roster_length;
	bool roster_moved;	/* to be kept in place of the old one */
	roster_signers signers; /* bit i: roster.officers[i] signed the statement */
	bool repeated;		/* of the very statement already accepted */
	bool expired;		/* an alarm, never a refusal */
};

/**
 * May this node take this seal? In this order: framing; each step of the roster chain; the statement's
 * signatures; the statement; its roster version and epoch; the bundle's place in the Merkle tree; the bundle's site.
 * A chain may begin with rosters that the node has passed: what comes up to the trusted text is skipped.
 * Stateless: the caller keeps epoch, digest and roster, and does so before it acts on them.
 * @ret  about 10 kB.
 * @return 0; else, with a sentence in @reason: -TUYEN_EINVAL, -TUYEN_ETRUNC, -TUYEN_ELIMIT (framing, text),
 *	   -TUYEN_ESIGNATURE, -TUYEN_EEPOCH, -TUYEN_ESITE, -TUYEN_ENOMEM.
 */
int seal_verify(const uint8_t *bytes, size_t length, const struct seal_trust *trust,
		struct seal_result *ret, struct reason *reason);

/**
 * The same as far as no bundle is needed: chain, signatures, statement, epoch; the bundle's fields of @ret stay empty.
 * For whoever checks a whole release. @parts need no path and no bundle.
 */
int seal_verify_statement(const struct seal_parts *parts, const struct seal_trust *trust,
			  struct seal_result *ret, struct reason *reason);

#endif
