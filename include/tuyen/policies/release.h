/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_RELEASE_H
#define TUYEN_POLICIES_RELEASE_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/statement.h"

/**
 * Makes a release out of bundles; keeps two lines and 36 bytes a bundle and not the bundles. The folder OUT:
 *
 *	release			statement.h; what officers sign
 *	manifest		"<hex>  sites/<id>.bundle" by id: `sha256sum -c manifest` checks it
 *	sites/<id>.bundle	forwarding.h
 *	leaves			the same lines with merkle_leaf()'s hash: what proofs of single sites are made of
 *	signatures/<officer>.sig	over the bytes of `release`, see roster.h
 *	roster, roster-signatures/<officer>.sig		roster.h; only where the officers changed
 */

#define RELEASE_FILE	       "release"
#define RELEASE_MANIFEST       "manifest"
#define RELEASE_BUNDLES	       "sites"
#define RELEASE_LEAVES	       "leaves"
#define RELEASE_SIGNATURES     "signatures"
#define RELEASE_ROSTER	       "roster"

struct release_source {
	const char *name; /* base name: no slash, no control character */
	uint8_t digest[SHA256_LEN]; /* sha256_digest() of its bytes */
};

struct release_header {
	uint64_t epoch;
	int64_t issued_s, expires_s;
	uint32_t roster_version;
	const char *compiler;
	const struct statement_audit *audit; /* NULL: none */
	const struct release_source *sources; /* any order */
	size_t source_count;
};

struct release_writer;

struct release_writer *release_writer_new(void); /* NULL without memory */
void release_writer_free(struct release_writer *writer); /* takes NULL */

/** Bundles come in ascending order of @site_id. @return 0; -TUYEN_EINVAL for the order; -TUYEN_ELIMIT; -TUYEN_ENOMEM. */
int release_writer_add(struct release_writer *writer, uint32_t site_id, const void *bytes, size_t length,
		       struct reason *reason);

/** The same where @digest and @leaf are known already: merkle_hasher_both() of the bundle's @length bytes. */
int release_writer_add_hashed(struct release_writer *writer, uint32_t site_id, size_t length,
			      const uint8_t digest[static SHA256_LEN], const struct merkle_hash *leaf,
			      struct reason *reason);

/** Starts from another release's texts, into an empty writer. @return 0; -TUYEN_EINVAL: they are not of one release. */
int release_writer_resume(struct release_writer *writer, const char *manifest, size_t manifest_length,
			  const char *leaves, size_t leaves_length, struct reason *reason);
/**
 * The bundle of @site_id, which was added already, is another now, with these hashes (merkle_hasher_both()).
 * @return 0; -TUYEN_ENOENT if it was not added.
 */
int release_writer_replace(struct release_writer *writer, uint32_t site_id, const uint8_t digest[static SHA256_LEN],
			   const struct merkle_hash *leaf, bool *ret_changed);

/** Ends the list and gives the text of `release`, into an initialised text. */
int release_writer_finish(struct release_writer *writer, const struct release_header *header,
			  struct text *ret_statement, struct reason *reason);

/** After finish: the root, the number of bundles, and the texts of `manifest` and `leaves` (the writer's). */
struct merkle_hash release_writer_root(const struct release_writer *writer);
uint32_t release_writer_count(const struct release_writer *writer);
const struct text *release_writer_manifest(const struct release_writer *writer);
const struct text *release_writer_leaves(const struct release_writer *writer);

/**
 * The tree of `leaves`, held against the statement: a path out of it leads to the signed root, whoever wrote the file.
 * @ret_tree  the caller's, released with merkle_tree_free(); leaf number i is that of line i.
 * @return 0; -TUYEN_EINVAL for a line; -TUYEN_ESIGNATURE for another number or root; -TUYEN_ENOMEM.
 */
int release_leaves_tree(const char *bytes, size_t length, const struct statement *statement,
			struct merkle_tree **ret_tree, struct reason *reason);

/** Walks the lines of a manifest or of leaves: @offset starts at 0. @return 1 with a line, 0 at the end, -TUYEN_EINVAL. */
int release_manifest_next(const char *bytes, size_t length, size_t *offset, uint32_t *ret_site_id,
			  uint8_t ret_digest[static SHA256_LEN]);

#endif
