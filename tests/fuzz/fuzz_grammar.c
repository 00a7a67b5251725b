/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/lexer.c policies/syntax.c policies/names.c gen/grammar.c
// link: policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_plan.c
// link: policies/check.c policies/check_topology.c policies/check_policy.c policies/print.c
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: daemon/base/encode.c topology/network.c topology/labels.c
// libs: -lcrypto
/*
 * Any bytes: parse, check, complain. What has no syntax error is printed, must
 * parse again to the same tree and comments, and must print the same again.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check.h"
#include "tuyen/policies/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_one(const struct syntax_file *file, struct diag_list *diags)
{
	struct network network;
	struct text t;
	const struct check_times times = {1766534400,
					  4000000000}; /* some rules are over, some soon */
	int err = check_network_at(&file, 1, 0, &times, diags, &network);

	must((err == 0) == (diags->error_count == 0));
	if (err == 0)
		network_clear(&network);
	text_init(&t);
	diag_list_print(diags, &t);
	diag_list_print_json(diags, &t);
	must(!t.failed);
	text_clear(&t);
}

static void print_twice(const struct syntax_file *file)
{
	struct diag_list diags;
	struct syntax_file *again;
	struct text once, twice;

	diag_list_init(&diags);
	text_init(&once);
	text_init(&twice);
	print_file(file, &once);
	must(syntax_parse("printed", text_string(&once), once.length, &diags, &again) == 0);
	must(diags.error_count == 0);
	must(syntax_file_equal(file, again));
	print_file(again, &twice);
	must(strcmp(text_string(&once), text_string(&twice)) == 0);
	text_clear(&once);
	text_clear(&twice);
	syntax_file_free(again);
	diag_list_clear(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct diag_list diags;
	struct syntax_file *file;

	diag_list_init(&diags);
	must(syntax_parse("input", (const char *)bytes, length, &diags, &file) == 0);
	must(file->has_errors == (diags.error_count > 0));
	if (!file->has_errors)
		print_twice(file);
	check_one(file, &diags);
	diag_list_clear(&diags);
	syntax_file_free(file);
	return 0;
}
