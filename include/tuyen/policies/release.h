/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_RELEASE_H
#define TUYEN_POLICIES_RELEASE_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/statement.h"

/**
 * Makes a release out of bundles; keeps 36 bytes a bundle and not the bundles. The folder OUT:
 *
 *	release			statement.h; what officers sign
 *	manifest		"<hex>  sites/<id>.bundle" by id: `sha256sum -c manifest` checks it
 *	sites/<id>.bundle	forwarding.h
 *	proofs/<id>.proof	"tuyen-proof 1", "index I", "count N", then a sibling's hash a line
 *	signatures/<officer>.sig	over the bytes of `release`, see roster.h
 *	roster, roster-signatures/<officer>.sig		roster.h; only where the officers changed
 */

#define RELEASE_FILE	       "release"
#define RELEASE_MANIFEST       "manifest"
#define RELEASE_BUNDLES	       "sites"
#define RELEASE_PROOFS	       "proofs"
#define RELEASE_SIGNATURES     "signatures"
#define RELEASE_ROSTER	       "roster"
#define RELEASE_PROOF_BYTES_MAX 2048

struct release_source {
	const char *name; /* base name: no slash, no control character */
	uint8_t digest[SHA256_LEN]; /* sha256_digest() of its bytes */
};

struct release_header {
	uint64_t epoch;
	int64_t issued_s, expires_s;
	uint32_t roster_version;
	const char *compiler;
	const struct release_source *sources; /* any order */
	size_t source_count;
};

struct release_writer;

struct release_writer *release_writer_new(void); /* NULL without memory */
void release_writer_free(struct release_writer *writer); /* takes NULL */

/** Bundles come in ascending order of @site_id. @return 0; -TUYEN_EINVAL for the order; -TUYEN_ELIMIT; -TUYEN_ENOMEM. */
int release_writer_add(struct release_writer *writer, uint32_t site_id, const void *bytes, size_t length,
		       struct reason *reason);

/** Ends the list and gives the texts of `release` and `manifest`, into initialised texts. */
int release_writer_finish(struct release_writer *writer, const struct release_header *header,
			  struct text *ret_statement, struct text *ret_manifest, struct reason *reason);

/** After finish: the root, the number of bundles, and of bundle number @index its site and the text of its proof. */
struct merkle_hash release_writer_root(const struct release_writer *writer);
uint32_t release_writer_count(const struct release_writer *writer);
uint32_t release_writer_site(const struct release_writer *writer, uint32_t index);
void release_writer_proof(const struct release_writer *writer, uint32_t index, struct text *ret_proof);

/** A proof file. @return 0 or -TUYEN_EINVAL with @reason. */
int release_proof_parse(const char *bytes, size_t length, uint32_t *ret_index, uint32_t *ret_count,
			struct merkle_path *ret_path, struct reason *reason);

/** Walks a manifest's lines: @offset starts at 0. @return 1 with a line, 0 at the end, -TUYEN_EINVAL. */
int release_manifest_next(const char *bytes, size_t length, size_t *offset, uint32_t *ret_site_id,
			  uint8_t ret_digest[static SHA256_LEN]);

#endif
