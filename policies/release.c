/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/release.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/topology/forwarding.h"
#include "tuyen/topology/network.h"

#define MANIFEST_PREFIX "  " RELEASE_BUNDLES "/"
#define MANIFEST_SUFFIX ".bundle\n"

struct release_writer {
	uint32_t count, capacity;
	uint32_t *sites;
	struct merkle_hash *leaves; /* empty in a resumed one, which has its tree */
	size_t *lines;		    /* where each one's line begins */
	struct text manifest;
	struct merkle_tree *tree;
	struct merkle_hasher *hasher;
};

struct release_writer *release_writer_new(void)
{
	struct release_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->hasher = merkle_hasher_new();
	if (w->hasher)
		return w;
	free(w);
	return NULL;
}

void release_writer_free(struct release_writer *w)
{
	if (!w)
		return;
	merkle_tree_free(w->tree);
	merkle_hasher_free(w->hasher);
	text_clear(&w->manifest);
	free(w->leaves);
	free(w->sites);
	free(w->lines);
	free(w);
}

static int writer_reserve(struct release_writer *w, uint32_t capacity)
{
	struct merkle_hash *leaves;
	uint32_t *sites;
	size_t *lines;

	lines = realloc(w->lines, capacity * sizeof(*lines));
	if (!lines)
		return -TUYEN_ENOMEM;
	w->lines = lines;
	sites = realloc(w->sites, capacity * sizeof(*sites));
	if (!sites)
		return -TUYEN_ENOMEM;
	w->sites = sites;
	leaves = realloc(w->leaves, capacity * sizeof(*leaves));
	if (!leaves)
		return -TUYEN_ENOMEM;
	w->leaves = leaves;
	w->capacity = capacity;
	return 0;
}

static int writer_grow(struct release_writer *w)
{
	if (w->count < w->capacity)
		return 0;
	return writer_reserve(w, w->capacity ? 2 * w->capacity : 64);
}

static int writer_check(const struct release_writer *w, uint32_t site_id, size_t length,
			struct reason *reason)
{
	if (site_id < 1 || site_id > SITE_ID_MAX)
		return reason_set(reason, -TUYEN_EINVAL, "site id %u is not in 1..%d", site_id,
				  SITE_ID_MAX);
	if (w->count && site_id <= w->sites[w->count - 1])
		return reason_set(reason, -TUYEN_EINVAL, "site %u comes after site %u", site_id,
				  w->sites[w->count - 1]);
	if (length > FORWARDING_BYTES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "bundle of site %u is above %u bytes",
				  site_id, FORWARDING_BYTES_MAX);
	return 0;
}

static void line_add(struct text *t, const uint8_t digest[static SHA256_LEN], uint32_t site_id)
{
	char hex[SHA256_STRLEN];

	text_add(t, hex_format(digest, SHA256_LEN, hex));
	text_add(t, MANIFEST_PREFIX);
	text_add_u64(t, site_id);
	text_add(t, MANIFEST_SUFFIX);
}

static int writer_put(struct release_writer *w, uint32_t site_id,
		      const uint8_t digest[static SHA256_LEN])
{
	int err = writer_grow(w);

	if (!err)
		err = release_leaf(w->hasher, digest, &w->leaves[w->count]);
	if (err)
		return err;
	w->lines[w->count] = w->manifest.length;
	line_add(&w->manifest, digest, site_id);
	w->sites[w->count++] = site_id;
	return 0;
}

int release_leaf(struct merkle_hasher *hasher, const uint8_t digest[static SHA256_LEN],
		 struct merkle_hash *ret_leaf)
{
	return merkle_hasher_leaf(hasher, digest, SHA256_LEN, ret_leaf);
}

int release_writer_add_hashed(struct release_writer *w, uint32_t site_id, size_t length,
			      const uint8_t digest[static SHA256_LEN], struct reason *reason)
{
	int err;

	assert(!w->tree);
	err = writer_check(w, site_id, length, reason);
	return err ? err : writer_put(w, site_id, digest);
}

int release_writer_add(struct release_writer *w, uint32_t site_id, const void *bytes, size_t length,
		       struct reason *reason)
{
	uint8_t digest[SHA256_LEN];
	int err = writer_check(w, site_id, length, reason);

	if (!err)
		err = sha256_digest(bytes, length, digest);
	return err ? err : release_writer_add_hashed(w, site_id, length, digest, reason);
}

/* The shortest line is one of a site of one digit. */
static uint32_t lines_at_most(size_t length)
{
	size_t shortest = SHA256_STRLEN - 1 + strlen(MANIFEST_PREFIX) + 1 + strlen(MANIFEST_SUFFIX);

	return (uint32_t)(length / shortest < SITE_ID_MAX ? length / shortest : SITE_ID_MAX) + 1;
}

/* Where its lines are, and whose. */
static int lines_resume(struct release_writer *w, const char *manifest, size_t length,
			struct reason *reason)
{
	uint32_t site_id;
	size_t at = 0;
	int more, err = writer_reserve(w, lines_at_most(length));

	while (!err && (w->lines[w->count] = at,
			more = release_manifest_next(manifest, length, &at, &site_id, NULL))) {
		err = more < 0 ? more : writer_check(w, site_id, 0, reason);
		if (!err)
			w->sites[w->count++] = site_id;
		if (!err)
			err = writer_grow(w);
	}
	return err;
}

int release_writer_resume(struct release_writer *w, const char *manifest, size_t manifest_length,
			  const struct merkle_hash *nodes, size_t node_count, struct reason *reason)
{
	int err;

	assert(!w->count && !w->tree);
	err = lines_resume(w, manifest, manifest_length, reason);
	if (!err &&
	    (!w->count || w->count > MERKLE_LEAVES_MAX || node_count != merkle_nodes(w->count)))
		err = -TUYEN_EINVAL;
	if (!err)
		err = merkle_tree_restore(nodes, w->count, &w->tree);
	if (err)
		return err;
	text_add_bytes(&w->manifest, manifest, manifest_length);
	return w->manifest.failed ? -TUYEN_ENOMEM : 0;
}

static bool writer_find(const struct release_writer *w, uint32_t site_id, uint32_t *ret_index)
{
	uint32_t low = 0, high = w->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (w->sites[middle] < site_id)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return low < w->count && w->sites[low] == site_id;
}

int release_writer_replace(struct release_writer *w, uint32_t site_id,
			   const uint8_t digest[static SHA256_LEN], bool *ret_changed)
{
	char hex[SHA256_STRLEN], *line;
	struct merkle_hash leaf;
	uint32_t i;
	int err;

	assert(w->tree);
	if (!writer_find(w, site_id, &i))
		return -TUYEN_ENOENT;
	line = w->manifest.bytes + w->lines[i];
	hex_format(digest, SHA256_LEN, hex);
	*ret_changed = memcmp(line, hex, SHA256_STRLEN - 1) != 0;
	if (!*ret_changed)
		return 0;
	memcpy(line, hex, SHA256_STRLEN - 1);
	err = release_leaf(w->hasher, digest, &leaf);
	return err ? err : merkle_tree_set(w->tree, i, &leaf);
}

static int source_compare(const void *a, const void *b)
{
	const struct release_source *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : memcmp(x->digest, y->digest, SHA256_LEN);
}

/* The source lines, sorted. */
static int sources_write(const struct release_header *header, struct text *ret_sources)
{
	size_t count = header->source_count;
	struct release_source *sorted = calloc(count + 1, sizeof(*sorted));
	char hex[SHA256_STRLEN];

	if (!sorted)
		return -TUYEN_ENOMEM;
	if (count)
		memcpy(sorted, header->sources, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), source_compare);
	for (size_t i = 0; i < count; i++)
		text_printf(ret_sources, "source %s %s\n",
			    hex_format(sorted[i].digest, SHA256_LEN, hex), sorted[i].name);
	free(sorted);
	return ret_sources->failed ? -TUYEN_ENOMEM : 0;
}

/* Writes the statement, and reads it back: what the verifier would refuse is not signed. */
static int statement_write(const struct release_writer *w, const struct release_header *header,
			   const struct text *sources, struct text *ret_statement,
			   struct reason *reason)
{
	struct statement s = {
	    .form = STATEMENT_FORM,
	    .epoch = header->epoch,
	    .issued_s = header->issued_s,
	    .expires_s = header->expires_s,
	    .roster_version = header->roster_version,
	    .sites = w->count,
	    .root = merkle_tree_root(w->tree),
	    .sources = text_string(sources),
	    .sources_length = sources->length,
	};
	struct statement again;
	int err = sha256_digest(text_string(&w->manifest), w->manifest.length, s.manifest);

	if (err < 0)
		return err;
	snprintf(s.compiler, sizeof(s.compiler), "%s", header->compiler);
	if (header->audit)
		s.audit = *header->audit;
	statement_encode(&s, ret_statement);
	if (ret_statement->failed)
		return -TUYEN_ENOMEM;
	return statement_parse(ret_statement->bytes, ret_statement->length, &again, reason);
}

int release_writer_finish(struct release_writer *w, const struct release_header *header,
			  struct text *ret_statement, struct reason *reason)
{
	struct text sources = {0};
	int err;

	if (!w->count)
		return reason_set(reason, -TUYEN_EINVAL, "a release needs at least one site");
	if (w->manifest.failed)
		return -TUYEN_ENOMEM;
	if (!w->tree) {
		err = merkle_tree_build(w->leaves, w->count, &w->tree);
		if (err < 0)
			return err;
	}
	err = sources_write(header, &sources);
	if (!err)
		err = statement_write(w, header, &sources, ret_statement, reason);
	text_clear(&sources);
	return err;
}

const struct merkle_tree *release_writer_tree(const struct release_writer *w)
{
	return w->tree;
}

uint32_t release_writer_count(const struct release_writer *w)
{
	return w->count;
}

const struct text *release_writer_manifest(const struct release_writer *w)
{
	return &w->manifest;
}

/* "<id>.bundle\n" at @s: the id without leading zeros. @return what follows, or NULL. */
static const char *manifest_site(const char *s, const char *end, uint32_t *ret_site_id)
{
	const char *p = s;
	uint32_t id = 0;

	while (p < end && *p >= '0' && *p <= '9' && p - s < 6)
		id = id * 10 + (uint32_t)(*p++ - '0');
	if (p == s || *s == '0' || id > SITE_ID_MAX ||
	    (size_t)(end - p) < strlen(MANIFEST_SUFFIX) ||
	    memcmp(p, MANIFEST_SUFFIX, strlen(MANIFEST_SUFFIX)) != 0)
		return NULL;
	*ret_site_id = id;
	return p + strlen(MANIFEST_SUFFIX);
}

/* The lower-case hex of hex_format(). */
static bool digest_parse(const char *line, uint8_t *ret_digest)
{
	char hex[SHA256_STRLEN];

	memcpy(hex, line, SHA256_STRLEN - 1);
	hex[SHA256_STRLEN - 1] = '\0';
	return hex_parse(hex, SHA256_LEN, ret_digest) == 0;
}

int release_manifest_next(const char *bytes, size_t length, size_t *offset, uint32_t *ret_site_id,
			  uint8_t *ret_digest)
{
	size_t head = SHA256_STRLEN - 1, prefix = strlen(MANIFEST_PREFIX);
	const char *line = bytes + *offset, *end;

	if (*offset == length)
		return 0;
	if (length - *offset < head + prefix || memcmp(line + head, MANIFEST_PREFIX, prefix) != 0 ||
	    (ret_digest && !digest_parse(line, ret_digest)))
		return -TUYEN_EINVAL;
	end = manifest_site(line + head + prefix, bytes + length, ret_site_id);
	if (!end)
		return -TUYEN_EINVAL;
	*offset = (size_t)(end - bytes);
	return 1;
}

/* At most @count of them, for which @ret_leaves has room. */
static int leaves_make(const char *bytes, size_t length, uint32_t count,
		       struct merkle_hash *ret_leaves, struct reason *reason)
{
	struct merkle_hasher *hasher = merkle_hasher_new();
	uint32_t site_id, found = 0;
	uint8_t digest[SHA256_LEN];
	size_t offset = 0;
	int more = 1, err = hasher ? 0 : -TUYEN_ENOMEM;

	while (!err &&
	       (more = release_manifest_next(bytes, length, &offset, &site_id, digest)) == 1) {
		if (found < count)
			err = release_leaf(hasher, digest, &ret_leaves[found]);
		found++;
	}
	merkle_hasher_free(hasher);
	if (err)
		return err;
	if (more < 0)
		return reason_set(reason, more, "line %u is not of this form", found + 1);
	if (found != count)
		return reason_set(reason, -TUYEN_ESIGNATURE, "%u bundles, the release has %u",
				  found, count);
	return 0;
}

static int tree_make(const char *bytes, size_t length, const struct statement *statement,
		     struct merkle_tree **ret_tree, struct reason *reason)
{
	struct merkle_hash *leaves = calloc(statement->sites, sizeof(*leaves));
	int err =
	    leaves ? leaves_make(bytes, length, statement->sites, leaves, reason) : -TUYEN_ENOMEM;

	if (!err)
		err = merkle_tree_build(leaves, statement->sites, ret_tree);
	free(leaves);
	return err;
}

int release_manifest_tree(const char *bytes, size_t length, const struct statement *statement,
			  struct merkle_tree **ret_tree, struct reason *reason)
{
	uint8_t digest[SHA256_LEN];
	struct merkle_tree *tree = NULL;
	struct merkle_hash root;
	int err = tree_make(bytes, length, statement, &tree, reason);

	if (!err)
		err = sha256_digest(bytes, length, digest);
	if (err < 0) {
		merkle_tree_free(tree);
		return err;
	}
	root = merkle_tree_root(tree);
	if (memcmp(root.bytes, statement->root.bytes, SHA256_LEN) != 0)
		err = reason_set(reason, -TUYEN_ESIGNATURE,
				 "not the one of this release (another Merkle root)");
	else if (memcmp(digest, statement->manifest, SHA256_LEN) != 0)
		err = reason_set(reason, -TUYEN_ESIGNATURE,
				 "not the one of this release (another digest)");
	if (err)
		merkle_tree_free(tree);
	else
		*ret_tree = tree;
	return err;
}
