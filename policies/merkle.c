/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/merkle.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdbool.h>
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

enum { PREFIX_LEAF = 0x00, PREFIX_NODE = 0x01 };

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

struct merkle_hasher {
	EVP_MD_CTX *ctx;
};

struct merkle_hasher *merkle_hasher_new(void)
{
	struct merkle_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->ctx = EVP_MD_CTX_new();
	if (h->ctx && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL))
		return h;
	merkle_hasher_free(h);
	return NULL;
}

void merkle_hasher_free(struct merkle_hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

int merkle_hasher_begin(struct merkle_hasher *h)
{
	return EVP_DigestInit_ex(h->ctx, NULL, NULL) ? 0 : -TUYEN_ENOMEM;
}

int merkle_hasher_more(struct merkle_hasher *h, const void *bytes, size_t length)
{
	return EVP_DigestUpdate(h->ctx, bytes, length) ? 0 : -TUYEN_ENOMEM;
}

int merkle_hasher_end(struct merkle_hasher *h, uint8_t ret_digest[static SHA256_LEN])
{
	return EVP_DigestFinal_ex(h->ctx, ret_digest, NULL) ? 0 : -TUYEN_ENOMEM;
}

/* @prefix, then @bytes. */
static int hasher_run(struct merkle_hasher *h, uint8_t prefix, const void *bytes, size_t length,
		      struct merkle_hash *ret_hash)
{
	struct merkle_hash hash = {{0}}; /* @bytes may be @ret_hash's */
	int err = merkle_hasher_begin(h);

	if (!err)
		err = merkle_hasher_more(h, &prefix, 1);
	if (!err)
		err = merkle_hasher_more(h, bytes, length);
	if (!err)
		err = merkle_hasher_end(h, hash.bytes);
	if (!err)
		*ret_hash = hash;
	return err;
}

int merkle_hasher_leaf(struct merkle_hasher *h, const void *bytes, size_t length,
		       struct merkle_hash *ret_leaf)
{
	return hasher_run(h, PREFIX_LEAF, bytes, length, ret_leaf);
}

int merkle_leaf(const void *bytes, size_t length, struct merkle_hash *ret_leaf)
{
	struct merkle_hasher *h = merkle_hasher_new();
	int err = h ? merkle_hasher_leaf(h, bytes, length, ret_leaf) : -TUYEN_ENOMEM;

	merkle_hasher_free(h);
	return err;
}

static int merkle_node(struct merkle_hasher *h, const struct merkle_hash *left,
		       const struct merkle_hash *right, struct merkle_hash *ret_node)
{
	struct merkle_hash joined[2] = {*left, *right};

	return hasher_run(h, PREFIX_NODE, joined, sizeof(joined), ret_node);
}

size_t merkle_path_depth(uint32_t index, uint32_t count)
{
	size_t depth = 0;

	for (; count > 1; index /= 2, count = (count + 1) / 2)
		depth += (index ^ 1) < count;
	return depth;
}

static int level_build(struct merkle_hasher *h, const struct merkle_hash *below, uint32_t count,
		       struct merkle_hash *ret_level)
{
	for (uint32_t i = 0; i + 1 < count; i += 2) {
		int err = merkle_node(h, &below[i], &below[i + 1], &ret_level[i / 2]);

		if (err < 0)
			return err;
	}
	if (count % 2)
		ret_level[count / 2] = below[count - 1];
	return 0;
}

size_t merkle_nodes(uint32_t count)
{
	size_t nodes = 1;

	for (; count > 1; count = (count + 1) / 2)
		nodes += count;
	return nodes;
}

/* With room for all nodes, and where each level is. */
static struct merkle_tree *tree_new(uint32_t count)
{
	struct merkle_tree *tree = calloc(1, sizeof(*tree));
	struct merkle_hash *next;

	assert(count >= 1 && count <= MERKLE_LEAVES_MAX);
	if (!tree)
		return NULL;
	next = tree->nodes = malloc(merkle_nodes(count) * sizeof(*next));
	if (!next) {
		free(tree);
		return NULL;
	}
	tree->count[0] = count;
	tree->level[0] = next;
	for (; count > 1; tree->count[tree->depth] = count) {
		next += count;
		count = (count + 1) / 2;
		tree->level[++tree->depth] = next;
	}
	return tree;
}

int merkle_tree_build(const struct merkle_hash *leaves, uint32_t count,
		      struct merkle_tree **ret_tree)
{
	struct merkle_tree *tree = tree_new(count);
	struct merkle_hasher *h = merkle_hasher_new();
	int err = tree && h ? 0 : -TUYEN_ENOMEM;

	if (!err)
		memcpy(tree->nodes, leaves, count * sizeof(*leaves));
	for (size_t k = 0; !err && k < tree->depth; k++)
		err = level_build(h, tree->level[k], tree->count[k], tree->level[k + 1]);
	merkle_hasher_free(h);
	if (err)
		merkle_tree_free(tree);
	else
		*ret_tree = tree;
	return err;
}

int merkle_tree_restore(const struct merkle_hash *nodes, uint32_t count,
			struct merkle_tree **ret_tree)
{
	struct merkle_tree *tree = tree_new(count);

	if (!tree)
		return -TUYEN_ENOMEM;
	memcpy(tree->nodes, nodes, merkle_nodes(count) * sizeof(*nodes));
	*ret_tree = tree;
	return 0;
}

const struct merkle_hash *merkle_tree_nodes(const struct merkle_tree *tree)
{
	return tree->nodes;
}

int merkle_tree_set(struct merkle_tree *tree, uint32_t index, const struct merkle_hash *leaf)
{
	struct merkle_hasher *h = merkle_hasher_new();
	int err = h ? 0 : -TUYEN_ENOMEM;

	assert(index < tree->count[0]);
	tree->level[0][index] = *leaf;
	for (size_t k = 0; !err && k < tree->depth; k++, index /= 2) {
		const struct merkle_hash *left = &tree->level[k][index & ~1u];

		if ((index | 1) < tree->count[k])
			err = merkle_node(h, left, left + 1, &tree->level[k + 1][index / 2]);
		else
			tree->level[k + 1][index / 2] = *left;
	}
	merkle_hasher_free(h);
	return err;
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
	struct merkle_hasher *h;
	size_t used = 0;
	int err = 0;

	if (count > MERKLE_LEAVES_MAX || index >= count ||
	    path->depth != merkle_path_depth(index, count))
		return -TUYEN_ESIGNATURE;
	h = merkle_hasher_new();
	if (!h)
		return -TUYEN_ENOMEM;
	for (; count > 1 && !err; index /= 2, count = (count + 1) / 2) {
		const struct merkle_hash *sibling;

		if ((index ^ 1) >= count)
			continue;
		sibling = &path->sibling[used++];
		err = index % 2 ? merkle_node(h, sibling, &hash, &hash)
				: merkle_node(h, &hash, sibling, &hash);
	}
	merkle_hasher_free(h);
	if (err < 0)
		return err;
	return memcmp(hash.bytes, root->bytes, SHA256_LEN) == 0 ? 0 : -TUYEN_ESIGNATURE;
}
