/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_RELEASE_H
#define TUYEN_POLICIES_RELEASE_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/statement.h"

/**
 * Makes a release out of bundles; keeps a line and about 80 bytes a bundle and not the bundles. The folder OUT:
 *
 *	release			statement.h; what officers sign
 *	manifest		"<hex>  sites/<id>.bundle" by id: `sha256sum -c manifest` checks it
 *	sites/<id>.bundle	forwarding.h
 *	signatures/<officer>.sig	over the bytes of `release`, see roster.h
 *	roster, roster-signatures/<officer>.sig		roster.h; only where the officers changed
 *
 * The manifest's digests, in its order, are what the Merkle tree of the statement is over: an entry of RFC 6962 is the
 * digest of a bundle, 32 bytes. So each bundle is hashed once, and who has the manifest can prove each site's.
 */

#define RELEASE_FILE	   "release"
#define RELEASE_MANIFEST   "manifest"
#define RELEASE_BUNDLES	   "sites"
#define RELEASE_SIGNATURES "signatures"
#define RELEASE_ROSTER	   "roster"

struct release_source {
	const char *name;	    /* base name: no slash, no control character */
	uint8_t digest[SHA256_LEN]; /* sha256_digest() of its bytes */
};

struct release_header {
	uint64_t epoch;
	int64_t issued_s, expires_s;
	uint32_t roster_version;
	const char *compiler;
	const struct statement_audit *audit;  /* NULL: none */
	const struct release_source *sources; /* any order */
	size_t source_count;
};

struct release_writer;

struct release_writer *release_writer_new(void);	 /* NULL without memory */
void release_writer_free(struct release_writer *writer); /* takes NULL */

/** Bundles come in ascending order of @site_id. @return 0; -TUYEN_EINVAL for the order; -TUYEN_ELIMIT; -TUYEN_ENOMEM. */
int release_writer_add(struct release_writer *writer, uint32_t site_id, const void *bytes,
		       size_t length, struct reason *reason);

/** The same where @digest is known already: sha256_digest() of the bundle's @length bytes. */
int release_writer_add_hashed(struct release_writer *writer, uint32_t site_id, size_t length,
			      const uint8_t digest[static SHA256_LEN], struct reason *reason);

/**
 * Starts from another release's manifest, into an empty writer; nothing can be added to it.
 * @nodes  merkle_tree_nodes() of that release's tree, @node_count of them; who kept both answers for their being of one release.
 * @return 0; -TUYEN_EINVAL: not a manifest, or another number of nodes; -TUYEN_ENOMEM.
 */
int release_writer_resume(struct release_writer *writer, const char *manifest,
			  size_t manifest_length, const struct merkle_hash *nodes,
			  size_t node_count, struct reason *reason);
/**
 * The bundle of @site_id, which a resumed writer has, is another now, with this digest.
 * @return 0; -TUYEN_ENOENT: no such bundle; -TUYEN_ENOMEM.
 */
int release_writer_replace(struct release_writer *writer, uint32_t site_id,
			   const uint8_t digest[static SHA256_LEN], bool *ret_changed);

/** Ends the list and gives the text of `release`, into an initialised text. */
int release_writer_finish(struct release_writer *writer, const struct release_header *header,
			  struct text *ret_statement, struct reason *reason);

/** After finish: the tree with the root, the number of bundles, and the text of `manifest` (the writer's). */
const struct merkle_tree *release_writer_tree(const struct release_writer *writer);
uint32_t release_writer_count(const struct release_writer *writer);
const struct text *release_writer_manifest(const struct release_writer *writer);

/** The leaf of a bundle in the release's tree, from the bundle's digest. */
int release_leaf(struct merkle_hasher *hasher, const uint8_t digest[static SHA256_LEN],
		 struct merkle_hash *ret_leaf);

/**
 * The tree over a manifest, held against the statement: a path out of it leads to the signed root, whoever wrote the file.
 * @ret_tree  the caller's, released with merkle_tree_free(); leaf number i is that of line i.
 * @return 0; -TUYEN_EINVAL for a line; -TUYEN_ESIGNATURE for another digest, number or root; -TUYEN_ENOMEM.
 */
int release_manifest_tree(const char *bytes, size_t length, const struct statement *statement,
			  struct merkle_tree **ret_tree, struct reason *reason);

/**
 * Walks the lines of a manifest: @offset starts at 0. @ret_digest  NULL: not wanted, and not looked at.
 * @return 1 with a line, 0 at the end, -TUYEN_EINVAL.
 */
int release_manifest_next(const char *bytes, size_t length, size_t *offset, uint32_t *ret_site_id,
			  uint8_t *ret_digest);

#endif
