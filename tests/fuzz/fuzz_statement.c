/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/release.c policies/statement.c policies/merkle.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c
// libs: -lcrypto
/* The release's texts: a statement that is read is written again as it was; so are
 * manifests. */
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/policies/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void same(struct text *again, const char *bytes, size_t length)
{
	if (again->failed || again->length != length ||
	    memcmp(text_string(again), bytes, length) != 0)
		abort();
	text_clear(again);
}

static void statement_run(const char *bytes, size_t length)
{
	static struct statement statement;
	struct statement_source source;
	struct text again = {0};
	struct reason why = {""};
	size_t offset = 0, count = 0;

	if (statement_parse(bytes, length, &statement, &why) < 0) {
		if (!why.text[0])
			abort();
		return;
	}
	while (statement_source_next(&statement, &offset, &source))
		count++;
	if (count != statement.source_count || offset != statement.sources_length)
		abort();
	statement_encode(&statement, &again);
	same(&again, bytes, length);
}

/* A manifest is held against a statement of two sites: no tree but the one that it names. */
static void tree_run(const char *bytes, size_t length)
{
	static const struct statement statement = {.sites = 2};
	struct merkle_tree *tree;
	struct reason why = {""};

	if (release_manifest_tree(bytes, length, &statement, &tree, &why) == 0 || !why.text[0])
		abort();
}

static void manifest_run(const char *bytes, size_t length)
{
	uint8_t digest[SHA256_LEN];
	struct text again = {0};
	char hex[SHA256_STRLEN];
	size_t offset = 0;
	uint32_t site_id;
	int more;

	while ((more = release_manifest_next(bytes, length, &offset, &site_id, digest)) == 1)
		text_printf(&again, "%s  sites/%u.bundle\n", hex_format(digest, SHA256_LEN, hex),
			    site_id);
	if (more == 0)
		same(&again, bytes, length);
	text_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	statement_run((const char *)bytes, length);
	tree_run((const char *)bytes, length);
	manifest_run((const char *)bytes, length);
	return 0;
}
