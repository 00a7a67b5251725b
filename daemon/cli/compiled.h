/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_COMPILED_H
#define DAEMON_CLI_COMPILED_H

#include "tuyen/cli/load.h"
#include "tuyen/policies/compile.h"

/** Sources read, checked and compiled: what `compile` and `explain` begin with. */
struct compiled {
	struct load load;
	struct compile_result *result;
};

/**
 * Prints every problem with its place. @need_keys: a site without keys is an error, and
 * expectations are checked.
 * @ret_compiled  always set; cleared with compiled_clear().
 * @return 0 or a negative error, said already.
 */
int compiled_load(const char *command, const char *const *paths, size_t count,
		  const struct load_options *options, bool need_keys,
		  struct compiled *ret_compiled);
void compiled_clear(struct compiled *compiled);

/** The word that stands there; nowhere if there is none. */
struct diag_place compiled_place(const struct load *load, struct source_place at);

/** The site of that name or id. @return NETWORK_NONE if there is none. */
uint32_t compiled_site_find(const struct network *network, const char *word);

#endif
