/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_RELEASE_FOLDER_H
#define DAEMON_CLI_RELEASE_FOLDER_H

#include <jansson.h>

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/release.h"
#include "tuyen/policies/seal.h"

/* A release on disk, see release.h for its files. */

struct release_folder {
	const char *path;
	struct seal_parts parts; /* chain and release; borrows from @buffers */
	struct text *buffers;
	size_t buffer_count;
	struct text manifest;
};

/**
 * Reads statement, manifest, signatures and the roster with its signatures; bundles stay on disk.
 * @rosters  files of the roster chain, oldest first, each with its "FILE-signatures/"; none: OUT/roster if it is there.
 */
int release_folder_read(const char *path, const char *const *rosters, size_t roster_count,
			struct release_folder *ret_folder, struct reason *reason);
void release_folder_clear(struct release_folder *folder);

/** A text and the signatures in @signatures (a folder that may be missing), into what @folder owns. */
int release_folder_signed(struct release_folder *folder, const char *text, const char *signatures,
			  size_t max, struct seal_signed *ret_signed, struct reason *reason);

/** The bundle of @site_id, at most FORWARDING_BYTES_MAX. */
int release_folder_bundle(const struct release_folder *folder, uint32_t site_id,
			  struct text *ret_bundle, struct reason *reason);

/** The tree over its manifest, as release_manifest_tree() gives it. */
int release_folder_tree(const struct release_folder *folder, const struct statement *statement,
			struct merkle_tree **ret_tree, struct reason *reason);

/**
 * Makes the whole release again from its bundles and compares: manifest, every digest, root.
 * @statement  parsed from the release file.
 */
int release_folder_check(const struct release_folder *folder, const struct statement *statement,
			 struct reason *reason);

/** For people and for programs: what a statement says. @digest  of the statement's bytes; may be NULL. */
void statement_print(const struct statement *statement);
json_t *statement_json(const struct statement *statement, const uint8_t *digest);
json_t *signers_json(const struct roster *roster, roster_signers signers);
void json_line_print(json_t *object); /* takes it */

#endif
