/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/merkle.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

/*
 * One tree over all bundles of the country, so that a few signatures seal them all and a site needs
 * no more than its own bundle and sixteen hashes. The tree is kept as levels, the leaves first:
 * level k + 1 has half the nodes of level k, rounded up, and the node without a neighbour rises as
 * it is. That is RFC 6962's tree, whose left half is always the largest full one. A leaf and a node
 * hash differently (0x00 and 0x01 before them), so no bundle can be taken for a node.
 */

struct merkle_tree {
	uint32_t count[MERKLE_PATH_MAX + 1];
	struct merkle_hash *level[MERKLE_PATH_MAX + 1]; /* all in one block */
	size_t depth;
	struct merkle_hash *nodes;
};

int sha256_digest(const void *bytes, size_t length, uint8_t ret_digest[static SHA256_LEN])
{
	return EVP_Digest(bytes, length, ret_digest, NULL, EVP_sha256(), NULL) == 1 ? 0
										    : -TUYEN_ENOMEM;
}

int merkle_leaf(const void *bytes, size_t length, struct merkle_hash *ret_leaf)
{
	static const uint8_t prefix = 0x00;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct merkle_hash leaf;
	int ok;

	ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	     EVP_DigestUpdate(ctx, &prefix, 1) && EVP_DigestUpdate(ctx, bytes, length) &&
	     EVP_DigestFinal_ex(ctx, leaf.bytes, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -TUYEN_ENOMEM;
	*ret_leaf = leaf;
	return 0;
}

static int merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
		       struct merkle_hash *ret_node)
{
	uint8_t joined[1 + 2 * SHA256_LEN] = {0x01};

	memcpy(joined + 1, left->bytes, SHA256_LEN);
	memcpy(joined + 1 + SHA256_LEN, right->bytes, SHA256_LEN);
	return sha256_digest(joined, sizeof(joined), ret_node->bytes);
}

size_t merkle_path_depth(uint32_t index, uint32_t count)
{
	size_t depth = 0;

	for (; count > 1; index /= 2, count = (count + 1) / 2)
		depth += (index ^ 1) < count;
	return depth;
}

static int level_build(const struct merkle_hash *below, uint32_t count,
		       struct merkle_hash *ret_level)
{
	for (uint32_t i = 0; i + 1 < count; i += 2) {
		int err = merkle_node(&below[i], &below[i + 1], &ret_level[i / 2]);

		if (err < 0)
			return err;
	}
	if (count % 2)
		ret_level[count / 2] = below[count - 1];
	return 0;
}

int merkle_tree_build(const struct merkle_hash *leaves, uint32_t count,
		      struct merkle_tree **ret_tree)
{
	struct merkle_tree *tree = calloc(1, sizeof(*tree));
	struct merkle_hash *next;
	int err = 0;

	assert(count >= 1 && count <= MERKLE_LEAVES_MAX);
	if (!tree)
		return -TUYEN_ENOMEM;
	next = tree->nodes = calloc(2 * (size_t)count + MERKLE_PATH_MAX, sizeof(*next));
	if (!next) {
		free(tree);
		return -TUYEN_ENOMEM;
	}
	memcpy(next, leaves, count * sizeof(*leaves));
	tree->count[0] = count;
	tree->level[0] = next;
	while (!err && tree->count[tree->depth] > 1) {
		next += tree->count[tree->depth];
		err = level_build(tree->level[tree->depth], tree->count[tree->depth], next);
		tree->count[tree->depth + 1] = (tree->count[tree->depth] + 1) / 2;
		tree->level[++tree->depth] = next;
	}
	if (err < 0) {
		merkle_tree_free(tree);
		return err;
	}
	*ret_tree = tree;
	return 0;
}

void merkle_tree_free(struct merkle_tree *tree)
{
	if (tree)
		free(tree->nodes);
	free(tree);
}

struct merkle_hash merkle_tree_root(const struct merkle_tree *tree)
{
	return tree->level[tree->depth][0];
}

void merkle_tree_path(const struct merkle_tree *tree, uint32_t index, struct merkle_path *ret_path)
{
	ret_path->depth = 0;
	assert(index < tree->count[0]);
	for (size_t k = 0; k < tree->depth; k++, index /= 2)
		if ((index ^ 1) < tree->count[k])
			ret_path->sibling[ret_path->depth++] = tree->level[k][index ^ 1];
}

int merkle_verify(const struct merkle_hash *leaf, uint32_t index, uint32_t count,
		  const struct merkle_path *path, const struct merkle_hash *root)
{
	struct merkle_hash hash = *leaf;
	size_t used = 0;
	int err = 0;

	if (count > MERKLE_LEAVES_MAX || index >= count ||
	    path->depth != merkle_path_depth(index, count))
		return -TUYEN_ESIGNATURE;
	for (; count > 1 && !err; index /= 2, count = (count + 1) / 2) {
		const struct merkle_hash *sibling;

		if ((index ^ 1) >= count)
			continue;
		sibling = &path->sibling[used++];
		err = index % 2 ? merkle_node(sibling, &hash, &hash)
				: merkle_node(&hash, sibling, &hash);
	}
	if (err < 0)
		return err;
	return memcmp(hash.bytes, root->bytes, SHA256_LEN) == 0 ? 0 : -TUYEN_ESIGNATURE;
}
