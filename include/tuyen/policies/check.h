/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_CHECK_H
#define TUYEN_POLICIES_CHECK_H

#include "tuyen/base/diag.h"
#include "tuyen/policies/syntax.h"
#include "tuyen/topology/network.h"

enum check_flag {
	CHECK_NEED_KEYS = 1, /* a site without keys is an error (compile), else a warning */
};

/** Names of the warnings, for -W error=NAME and the manual page; NULL past the last. */
const char *check_warning_name(size_t index);

/**
 * Resolves the statements of all @files together into a network; a file's index in the network is
 * its position in @files. What is unlawful goes to @diags, all of it, each with its place.
 * Links come in this order: a site's parent, then its backup, in the order of sites; then those
 * that only a link statement makes.
 * @ret_network  the caller's, released with network_clear(); set on success only.
 * @return 0 (there may be warnings); -TUYEN_EINVAL when @diags holds an error; -TUYEN_ENOMEM.
 */
int check_network(const struct syntax_file *const *files, size_t count, unsigned flags,
		  struct diag_list *diags, struct network *ret_network);

#endif
