/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/import.c policies/csv.c policies/generate.c policies/generate_units.c policies/names.c policies/print.c policies/print_canonical.c
// link: policies/lexer.c policies/syntax.c policies/merkle.c gen/grammar.c topology/network.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c daemon/base/diag.c
// libs: -lcrypto
/* Tables from outside, for `import` and `generate --units`: what is taken becomes canonical text without an error; what is
 * refused has one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/generate.h"
#include "tuyen/policies/import.h"
#include "tuyen/policies/print.h"
#include "tuyen/policies/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void canonical_or_abort(const struct text *t)
{
	struct diag_list diags;
	struct syntax_file *file;
	struct text again;

	diag_list_init(&diags);
	text_init(&again);
	if (syntax_parse("t", t->bytes, t->length, &diags, &file) || diags.error_count)
		abort();
	print_file(file, &again);
	if (again.length != t->length || memcmp(again.bytes, t->bytes, t->length))
		abort();
	text_clear(&again);
	syntax_file_free(file);
	diag_list_clear(&diags);
}

static void try_import(const struct diag_source *source)
{
	struct import_summary summary;
	struct diag_list diags;
	struct text t;
	int err;

	diag_list_init(&diags);
	text_init(&t);
	err = import_sites(source, NULL, 0, &diags, &t, &summary);
	if (!err != !diags.error_count || (err && t.length))
		abort();
	if (!err)
		canonical_or_abort(&t);
	text_clear(&t);
	diag_list_clear(&diags);
}

static void try_units(const struct diag_source *source)
{
	struct generate_options options = {2, 3, 1};
	struct generate_units units = {0};
	struct generate_plan plan = {0};
	struct diag_list diags;
	struct text t;
	int err;

	diag_list_init(&diags);
	text_init(&t);
	err = generate_units_read(source, &diags, &units);
	if (!err)
		err = generate_plan(&units, &options, &diags, &plan);
	if (!err != !diags.error_count)
		abort();
	if (!err) {
		if (generate_topology(&units, &plan, &options, &t))
			abort();
		canonical_or_abort(&t);
	}
	generate_plan_clear(&plan);
	generate_units_clear(&units);
	text_clear(&t);
	diag_list_clear(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *copy = malloc(length + 1);
	struct diag_source source;

	memcpy(copy, bytes, length);
	copy[length] = '\0';
	if (diag_source_init(&source, "table", copy, length))
		abort();
	try_import(&source);
	try_units(&source);
	diag_source_clear(&source);
	free(copy);
	return 0;
}
