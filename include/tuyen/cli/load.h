/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLI_LOAD_H
#define TUYEN_CLI_LOAD_H

#include "tuyen/policies/check.h"
#include "tuyen/policies/syntax.h"
#include "tuyen/topology/network.h"

struct load_options {
	unsigned flags; /* enum check_flag */
	bool json;	/* the caller prints the diagnostics, with diag_list_print_json() */
	const char *promote[DIAG_PROMOTE_MAX]; /* warnings that are errors; "" all of them */
	size_t promote_count;
	const char
	    *ignore[DIAG_PROMOTE_MAX]; /* warnings that nobody wants to hear; "" all of them */
	size_t ignore_count;
	int64_t now_s;	 /* when rules expire is judged by; 0: $SOURCE_DATE_EPOCH, else now */
	int64_t until_s; /* a rule that ends before gets a warning; 0: none does */
	bool trim; /* nobody asks for trees and tokens after the check: their memory serves again */
	unsigned int workers; /* threads that may parse files; 0 and 1: none but the caller */
};

/**
 * What the commands of the compiler work on: the source files, the network they
 * describe. Network's file index i is sources.files[i], whose name, bytes and
 * source.length are what the release statement digests.
 */
struct load {
	struct syntax_set sources;
	struct diag_list diags;
	struct network network; /* only after success */
	bool has_network;
};

/**
 * Reads, parses and checks the files of the command line and what they include ("-" is standard
 * input). Prints every diagnostic to standard error, unless @options->json. @options NULL:
 * defaults.
 * @ret_load  always set; the caller's, released with load_clear().
 * @return 0; -TUYEN_EINVAL when the sources have errors (said already: exit CLI_INPUT);
 *         -TUYEN_ENOMEM (said already: exit CLI_SYSTEM).
 */
int load_network(const char *const *paths, size_t count, const struct load_options *options,
		 struct load *ret_load);
void load_clear(struct load *load);

/**
 * Parses one "-W" argument, "error", "error=NAME" or "ignore=NAME", into @options. Says what is wrong with it.
 * @return 0, -TUYEN_EINVAL or -TUYEN_ELIMIT.
 */
int load_option_warning(const char *command, const char *argument, struct load_options *options);
/** What @options, which may be NULL, say of warnings, to a list that is to hold some. */
void load_options_apply(const struct load_options *options, struct diag_list *diags);

/** "2025-03-31" or "2025-03-31T08:00:00Z". @return 0 or -TUYEN_EINVAL. */
int load_time_parse(const char *string, int64_t *ret_s);

/** A syntax_loader that reads from the file system; @context is unused. */
int load_file(void *context, const char *path, char **ret_bytes, size_t *ret_length,
	      struct reason *reason);

#endif
