/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MERKLE_H
#define TUYEN_POLICIES_MERKLE_H

#include <stddef.h>
#include <stdint.h>

/**
 * The Merkle tree of RFC 6962 section 2.1: leaf SHA-256(0x00 || bytes), node SHA-256(0x01 || left || right),
 * split at the largest power of two. Seen from below: neighbours pair up, an odd one rises.
 */

#define SHA256_LEN	  32
#define SHA256_STRLEN	  65 /* hex with the NUL */
#define MERKLE_LEAVES_MAX 65535
#define MERKLE_PATH_MAX	  16

struct merkle_hash {
	uint8_t bytes[SHA256_LEN];
};

/** Plain SHA-256. @return 0 or -TUYEN_ENOMEM, as all here. */
int sha256_digest(const void *bytes, size_t length, uint8_t ret_digest[static SHA256_LEN]);

int merkle_leaf(const void *bytes, size_t length, struct merkle_hash *ret_leaf);

/** For many: keeps what OpenSSL would look up for each. One caller at a time. */
struct merkle_hasher;
struct merkle_hasher *merkle_hasher_new(void);	       /* NULL without memory */
void merkle_hasher_free(struct merkle_hasher *hasher); /* takes NULL */
/** sha256_digest() piece by piece, each while it is in the cache: begin, more and more, end. */
int merkle_hasher_begin(struct merkle_hasher *hasher);
int merkle_hasher_more(struct merkle_hasher *hasher, const void *bytes, size_t length);
int merkle_hasher_end(struct merkle_hasher *hasher, uint8_t ret_digest[static SHA256_LEN]);
/** merkle_leaf(). */
int merkle_hasher_leaf(struct merkle_hasher *hasher, const void *bytes, size_t length,
		       struct merkle_hash *ret_leaf);

/** The siblings from a leaf up to the root, the lowest first. */
struct merkle_path {
	size_t depth;
	struct merkle_hash sibling[MERKLE_PATH_MAX];
};

/** Number of siblings of leaf @index among @count; @index < @count. */
size_t merkle_path_depth(uint32_t index, uint32_t count);

struct merkle_tree;

/** @count 1..MERKLE_LEAVES_MAX. @ret_tree  the caller's, released with merkle_tree_free(). */
int merkle_tree_build(const struct merkle_hash *leaves, uint32_t count,
		      struct merkle_tree **ret_tree);
void merkle_tree_free(struct merkle_tree *tree);
/** Another leaf in place of number @index, below the tree's count: hashes what lies above it. */
int merkle_tree_set(struct merkle_tree *tree, uint32_t index, const struct merkle_hash *leaf);
/** All nodes, the leaves first: merkle_nodes() of them, the tree's. To be kept, and given back to merkle_tree_restore(). */
const struct merkle_hash *merkle_tree_nodes(const struct merkle_tree *tree);
/** Nodes of a tree of @count leaves, 1..MERKLE_LEAVES_MAX. */
size_t merkle_nodes(uint32_t count);
/** As if merkle_tree_build() had made it. Nothing is hashed: who kept the nodes answers for them. */
int merkle_tree_restore(const struct merkle_hash *nodes, uint32_t count,
			struct merkle_tree **ret_tree);
struct merkle_hash merkle_tree_root(const struct merkle_tree *tree);
/** @index below the tree's count. */
void merkle_tree_path(const struct merkle_tree *tree, uint32_t index, struct merkle_path *ret_path);

/**
 * Does @path lead from @leaf, number @index of @count, to @root?
 * @return 0; -TUYEN_ESIGNATURE if not, also for an index or a depth that cannot be.
 */
int merkle_verify(const struct merkle_hash *leaf, uint32_t index, uint32_t count,
		  const struct merkle_path *path, const struct merkle_hash *root);

#endif
