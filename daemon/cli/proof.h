/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_PROOF_H
#define DAEMON_CLI_PROOF_H

#include "daemon/cli/states.h"
#include "tuyen/policies/audit.h"
#include "tuyen/policies/statement.h"

/** What `compile` does before it writes a release: all bundles in memory, and the audit of them. */
struct proof {
	struct states states; /* number i is of the network's site i */
	struct audit *audit;
};

/**
 * Compiles every site and audits what came of it, without failures.
 * @workers  see workers.h.
 * @ret_proof  always set, cleared with proof_clear().
 * @return 0 or a negative error; findings are no error: audit_findings_total().
 */
int proof_make(const struct compiled *compiled, unsigned int workers, struct proof *ret_proof);
void proof_clear(struct proof *proof);

/** audit_canonical() of an audit of these sources, as a terminal may show it. @return 0 or a negative error. */
int proof_document(const struct audit *audit, const struct load *load, struct text *ret_document);
/** The statement's line about it: clean unless there are findings. @return 0 or a negative error. */
int proof_statement(const struct audit *audit, const struct load *load,
		    struct statement_audit *ret_audit);

/** Prints the findings to standard error. */
void proof_findings_print(const struct audit *audit);

#endif
