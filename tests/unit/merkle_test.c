/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/merkle.c daemon/base/encode.c daemon/base/err.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/err.h"
#include "tuyen/policies/merkle.h"

/* The inputs and roots of RFC 6962's reference implementation. */
static const struct {
	const char *leaf;
	size_t length;
	const char *root;
} reference[] = {
    {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
    {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
    {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
    {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
    {"\x40\x41\x42\x43", 4, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
};
#define REFERENCE (sizeof(reference) / sizeof(reference[0]))

#define MANY 200

static struct merkle_hash many[MANY];

static int leaves_make(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		if (merkle_leaf(&i, sizeof(i), &many[i]) < 0)
			return -1;
	return 0;
}

static void roots_are_those_of_rfc6962(void **state)
{
	struct merkle_hash leaves[REFERENCE], root;
	struct merkle_tree *tree;
	char hex[SHA256_STRLEN];

	(void)state;
	for (uint32_t i = 0; i < REFERENCE; i++) {
		assert_int_equal(merkle_leaf(reference[i].leaf, reference[i].length, &leaves[i]),
				 0);
		assert_int_equal(merkle_tree_build(leaves, i + 1, &tree), 0);
		root = merkle_tree_root(tree);
		assert_string_equal(hex_format(root.bytes, SHA256_LEN, hex), reference[i].root);
		merkle_tree_free(tree);
	}
}

/* RFC 6962 section 2.1, as it is written: k is the largest power of two smaller than n. */
static struct merkle_hash definition(const struct merkle_hash *leaves, uint32_t n)
{
	uint8_t joined[65] = {1};
	struct merkle_hash left, right, node;
	uint32_t k = 1;

	if (n == 1)
		return leaves[0];
	while (2 * k < n)
		k *= 2;
	left = definition(leaves, k);
	right = definition(leaves + k, n - k);
	memcpy(joined + 1, left.bytes, 32);
	memcpy(joined + 33, right.bytes, 32);
	assert_int_equal(EVP_Digest(joined, sizeof(joined), node.bytes, NULL, EVP_sha256(), NULL),
			 1);
	return node;
}

static void levels_are_the_definition(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= MANY; n++) {
		struct merkle_hash want = definition(many, n), root;
		struct merkle_tree *tree;

		assert_int_equal(merkle_tree_build(many, n, &tree), 0);
		root = merkle_tree_root(tree);
		assert_memory_equal(root.bytes, want.bytes, SHA256_LEN);
		merkle_tree_free(tree);
	}
}

static void each_path_leads_from_its_own_place_alone(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 20; n++) {
		struct merkle_path path;
		struct merkle_tree *tree;
		struct merkle_hash root;

		assert_int_equal(merkle_tree_build(many, n, &tree), 0);
		root = merkle_tree_root(tree);
		for (uint32_t i = 0; i < n; i++) {
			merkle_tree_path(tree, i, &path);
			assert_int_equal(path.depth, merkle_path_depth(i, n));
			for (uint32_t leaf = 0; leaf < n; leaf++)
				for (uint32_t at = 0; at <= n; at++)
					assert_int_equal(
					    merkle_verify(&many[leaf], at, n, &path, &root),
					    leaf == i && at == i ? 0 : -TUYEN_ESIGNATURE);
		}
		merkle_tree_free(tree);
	}
}

static void a_changed_path_is_refused(void **state)
{
	struct merkle_path path, bad;
	struct merkle_tree *tree;
	struct merkle_hash root;

	(void)state;
	assert_int_equal(merkle_tree_build(many, 11, &tree), 0);
	root = merkle_tree_root(tree);
	merkle_tree_path(tree, 6, &path);
	for (size_t bit = 0; bit < path.depth * 256; bit++) {
		bad = path;
		bad.sibling[bit / 256].bytes[bit / 8 % 32] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(merkle_verify(&many[6], 6, 11, &bad, &root), -TUYEN_ESIGNATURE);
	}
	bad = path;
	bad.depth--;
	assert_int_equal(merkle_verify(&many[6], 6, 11, &bad, &root), -TUYEN_ESIGNATURE);
	bad.depth = MERKLE_PATH_MAX;
	assert_int_equal(merkle_verify(&many[6], 6, 11, &bad, &root), -TUYEN_ESIGNATURE);
	assert_int_equal(merkle_verify(&many[6], 6, UINT32_MAX, &path, &root), -TUYEN_ESIGNATURE);
	assert_int_equal(merkle_verify(&many[6], 0, 0, &path, &root), -TUYEN_ESIGNATURE);
	merkle_tree_free(tree);
}

static void a_node_is_no_leaf(void **state)
{
	struct merkle_path path = {.depth = 0};
	struct merkle_tree *tree;
	struct merkle_hash root, leaf;
	uint8_t joined[65] = {1};

	(void)state;
	assert_int_equal(merkle_tree_build(many, 2, &tree), 0);
	root = merkle_tree_root(tree);
	memcpy(joined + 1, many[0].bytes, 32);
	memcpy(joined + 33, many[1].bytes, 32);
	assert_int_equal(merkle_leaf(joined + 1, 64, &leaf), 0);
	assert_int_equal(merkle_verify(&leaf, 0, 1, &path, &root), -TUYEN_ESIGNATURE);
	assert_int_equal(merkle_leaf(joined, 65, &leaf), 0);
	assert_int_equal(merkle_verify(&leaf, 0, 1, &path, &root), -TUYEN_ESIGNATURE);
	merkle_tree_free(tree);
}

static void the_largest_tree_is_sixteen_high(void **state)
{
	(void)state;
	assert_int_equal(merkle_path_depth(0, MERKLE_LEAVES_MAX), MERKLE_PATH_MAX);
	assert_int_equal(merkle_path_depth(11378, 11379), 7);
	assert_int_equal(merkle_path_depth(0, 11379), 14);
	assert_int_equal(merkle_path_depth(0, 1), 0);
}

/* In pieces, and one of many: what the plain functions say. */
static void a_hasher_says_the_same(void **state)
{
	struct merkle_hasher *h = merkle_hasher_new();
	uint8_t bytes[300], digest[SHA256_LEN], want[SHA256_LEN];
	struct merkle_hash leaf, want_leaf;

	(void)state;
	assert_non_null(h);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t piece = 1; piece <= sizeof(bytes); piece++) {
		assert_int_equal(merkle_hasher_begin(h), 0);
		for (size_t at = 0; at < sizeof(bytes); at += piece)
			assert_int_equal(merkle_hasher_more(h, bytes + at,
							    piece < sizeof(bytes) - at
								? piece
								: sizeof(bytes) - at),
					 0);
		assert_int_equal(merkle_hasher_end(h, digest), 0);
		assert_int_equal(sha256_digest(bytes, sizeof(bytes), want), 0);
		assert_memory_equal(digest, want, SHA256_LEN);
		assert_int_equal(merkle_hasher_leaf(h, bytes, piece, &leaf), 0);
		assert_int_equal(merkle_leaf(bytes, piece, &want_leaf), 0);
		assert_memory_equal(&leaf, &want_leaf, sizeof(leaf));
	}
	merkle_hasher_free(h);
}

/* Each leaf of each tree in turn is another: what building it anew gives, node by node. */
static void a_leaf_can_be_another(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 20; n++) {
		struct merkle_hash leaves[20];
		struct merkle_tree *first, *tree, *want;

		memcpy(leaves, many, sizeof(leaves));
		assert_int_equal(merkle_tree_build(leaves, n, &first), 0);
		assert_int_equal(merkle_tree_restore(merkle_tree_nodes(first), n, &tree), 0);
		merkle_tree_free(first);
		for (uint32_t i = 0; i < n; i++) {
			leaves[i] = many[20 + i];
			assert_int_equal(merkle_tree_set(tree, i, &leaves[i]), 0);
			assert_int_equal(merkle_tree_build(leaves, n, &want), 0);
			assert_memory_equal(merkle_tree_nodes(tree), merkle_tree_nodes(want),
					    merkle_nodes(n) * sizeof(struct merkle_hash));
			merkle_tree_free(want);
		}
		merkle_tree_free(tree);
	}
	assert_int_equal(merkle_nodes(1), 1);
	assert_int_equal(merkle_nodes(2), 3);
	assert_int_equal(merkle_nodes(5), 5 + 3 + 2 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roots_are_those_of_rfc6962),
	    cmocka_unit_test(levels_are_the_definition),
	    cmocka_unit_test(each_path_leads_from_its_own_place_alone),
	    cmocka_unit_test(a_changed_path_is_refused),
	    cmocka_unit_test(a_hasher_says_the_same),
	    cmocka_unit_test(a_leaf_can_be_another),
	    cmocka_unit_test(a_node_is_no_leaf),
	    cmocka_unit_test(the_largest_tree_is_sixteen_high),
	};

	return cmocka_run_group_tests(tests, leaves_make, NULL);
}
