/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_CHECK_H
#define TUYEN_POLICIES_CHECK_H

#include "tuyen/base/diag.h"
#include "tuyen/policies/syntax.h"
#include "tuyen/topology/network.h"

enum check_flag {
	CHECK_NEED_KEYS = 1, /* a site without keys is an error (compile), else a warning */
};

/** The warnings of all that reads the language, the compiler too, for -W and the manual page; NULL past the last. */
const char *check_warning_name(size_t index);
/** What that one means: one lower-case line, without a full stop. */
const char *check_warning_summary(size_t index);

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

/** Wall-clock times, seconds since 1970. */
struct check_times {
	int64_t
	    now_s; /* a rule that has expired by then is left out of the network, with a warning */
	int64_t until_s; /* one that expires before this gets a warning: a release's own expiry */
};

/**
 * The same at a time; check_network() is before all times. Checked is what is left out too: an
 * expired rule must still be lawful. Without an expired class a policy carries the others; one that is
 * left with none is left out itself.
 */
int check_network_at(const struct syntax_file *const *files, size_t count, unsigned flags,
		     const struct check_times *times, struct diag_list *diags,
		     struct network *ret_network);

#endif
