/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_STATES_H
#define DAEMON_CLI_STATES_H

#include "compiled.h"
#include "tuyen/base/err.h"
#include "tuyen/policies/statement.h"
#include "tuyen/topology/forwarding.h"

/** The forwarding state of all sites, for the commands that look at a whole country. */
struct states {
	struct forwarding *sites;
	size_t count, room;
	/* bundles that are not as they should be */
	struct states_bad {
		uint32_t site_id;
		bool kept; /* it could be read, and is among @sites */
		char *why; /* with the file and where in it; owned */
	} * bad;
	size_t bad_count;
	uint64_t epoch;		      /* of a release; 0: compiled here */
	struct text sources;	      /* of a release: "<hex> name" a line */
	struct statement_audit audit; /* of a release: what its statement claims */
};

/** From sources, compiled in memory. @workers  see workers.h. @return 0 or -TUYEN_ENOMEM. */
int states_compile(const struct compiled *compiled, unsigned int workers,
		   struct states *ret_states);
/** Puts what the sources say in the place of each bundle that could not be read. @return 0 or -TUYEN_ENOMEM. */
int states_complete(struct states *states, const struct compiled *compiled);
/**
 * From a release's folder. Signatures are not looked at: that is what `verify` does. A bundle that is not
 * what the manifest says, or cannot be parsed, is in @bad.
 */
int states_read(const char *folder, struct states *ret_states, struct reason *reason);
/** Takes what either left, also after an error. */
void states_clear(struct states *states);

#endif
