/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/cli/cmd_compile.c daemon/cli/compile_cache.c policies/snapshot.c
// link: daemon/cli/proof.c daemon/cli/compiled.c daemon/cli/workers.c daemon/cli/compile_bundles.c
// link: daemon/cli/states.c daemon/cli/load.c daemon/cli/release_folder.c
// link: daemon/cli/files.c policies/audit.c policies/audit_expect.c
// link: policies/audit_failure.c policies/audit_finding.c policies/audit_flow.c
// link: policies/audit_peer.c policies/audit_part.c policies/audit_print.c policies/audit_report.c
// link: policies/audit_queue.c policies/audit_site.c policies/audit_walk.c policies/check.c policies/check_plan.c
// link: policies/check_policy.c policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_topology.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c
// link: policies/compile_site.c policies/compile_repair.c policies/compile_way.c policies/expect.c policies/lexer.c
// link: policies/lines.c policies/merkle.c policies/names.c policies/release.c
// link: policies/roster.c policies/seal.c policies/statement.c policies/syntax.c
// link: gen/grammar.c topology/forwarding.c topology/forwarding_codec.c topology/labels.c
// link: topology/mtu.c topology/network.c topology/spf.c daemon/base/diag.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/ip.c daemon/base/text.c
// link: daemon/base/wire.c
// libs: -lcrypto -ljansson -Wl,--wrap=audit_prove
/*
 * `tuyen compile` when its audit finds something. Sources whose bundles deserve a finding would be
 * a bug of the compiler, so the finding is planted behind the audit's back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/policies/audit.h"
#include "tuyen/policies/statement.h"

int __real_audit_prove(struct audit *audit);
int __wrap_audit_prove(struct audit *audit);

static bool planted;
static char folder[] = "/tmp/tuyen-compile.XXXXXX";

int __wrap_audit_prove(struct audit *audit)
{
	int err = __real_audit_prove(audit);

	if (planted)
		audit_add(audit, AUDIT_LEAK, 211, "planted: a label that leads astray");
	return err;
}

static int compile(const char *out, const char *epoch, const char *option)
{
	char *argv[] = {"compile",
			"topology/examples/first-light.topology",
			"policies/examples/first-light.policy",
			"tests/golden/compile/first-light/first-light.keys",
			"-o",
			NULL,
			"--issued",
			"2025-01-31",
			"--epoch",
			NULL,
			NULL};
	char path[256], number[8], last[32];

	snprintf(path, sizeof(path), "%s/%s", folder, out);
	snprintf(number, sizeof(number), "%s", epoch);
	snprintf(last, sizeof(last), "%s", option ? option : "");
	argv[5] = path;
	argv[9] = number;
	argv[10] = option ? last : NULL;
	return cli_compile.run(option ? 11 : 10, argv);
}

static struct statement statement_of(const char *out)
{
	struct text t = {0};
	struct statement s;
	struct reason why;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/release", folder, out);
	assert_int_equal(file_read(path, STATEMENT_BYTES_MAX, 0, &t, &why), 0);
	assert_int_equal(statement_parse(t.bytes, t.length, &s, &why), 0);
	text_clear(&t);
	return s;
}

static bool exists(const char *out)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, out);
	return access(path, F_OK) == 0;
}

static void clean_bundles_are_written_with_the_digest_of_their_proof(void **state)
{
	static const uint8_t none[SHA256_LEN];
	struct statement s;

	(void)state;
	planted = false;
	assert_int_equal(compile("r", "1", NULL), CLI_OK);
	s = statement_of("r");
	assert_true(s.audit.clean);
	assert_string_equal(s.audit.version, TUYEN_VERSION);
	assert_memory_not_equal(s.audit.digest, none, SHA256_LEN);
}

static void a_finding_leaves_the_release_that_was_there(void **state)
{
	(void)state;
	planted = true;
	assert_int_equal(compile("r", "2", NULL), CLI_INPUT);
	assert_int_equal(statement_of("r").epoch, 1);
	assert_int_equal(compile("new", "2", NULL), CLI_INPUT);
	assert_false(exists("new"));
}

static void without_an_audit_nothing_is_vouched_for(void **state)
{
	(void)state;
	planted = true;
	assert_int_equal(compile("r", "3", "--no-audit"), CLI_OK);
	assert_int_equal(statement_of("r").epoch, 3);
	assert_false(statement_of("r").audit.clean);
}

static int folder_make_here(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove_here(void **state)
{
	char command[sizeof(folder) + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clean_bundles_are_written_with_the_digest_of_their_proof),
	    cmocka_unit_test(a_finding_leaves_the_release_that_was_there),
	    cmocka_unit_test(without_an_audit_nothing_is_vouched_for),
	};

	return cmocka_run_group_tests(tests, folder_make_here, folder_remove_here);
}
