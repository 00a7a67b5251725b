/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_COMPILE_OUTPUT_H
#define DAEMON_CLI_COMPILE_OUTPUT_H

#include <limits.h>
#include <sys/stat.h>

#include "daemon/cli/proof.h"
#include "tuyen/cli/cli.h"
#include "tuyen/policies/release.h"

/** What the files of `tuyen compile` share; nobody else includes this. */

#define OUTPUT_NEXT ".new" /* behind the name of a file that is about to take another's place */

#define OUTPUT_PIECE (64 << 10) /* bytes of a bundle that are hashed and written at once */

struct compile_options {
	const char **files; /* owned; what they point to is argv's */
	size_t file_count;
	const char *out;
	const char *cache; /* folder, or NULL */
	uint64_t epoch;
	int64_t issued_s, expires_s; /* -1: not said */
	uint32_t roster_version;
	bool json, no_audit;
	struct load_options load;
};

/* What is being written. @folder is open; @path is its name beside OUT, "" when it is OUT. */
struct output {
	const struct compile_options *o;
	char path[PATH_MAX];
	int folder, bundles; /* the release's and its sites' */
	struct proof proof;  /* bundles as they were audited; empty with --no-audit */
	struct statement_audit audit;
	struct release_writer *writer;
	struct stat
	    *stats; /* of the bundles as they were written, by id; only for a cache; owned */
	uint64_t bytes;
	struct text
	    changes; /* what the summary says of them, or nothing; with --json, more members */
	struct reason reason;
};

/** "WHAT: " and errno. @return -TUYEN_ESYSTEM. */
int output_fail(struct output *out, const char *what);
/** May OUT be replaced? Only a release that nobody signed, what is left of one, or an empty folder. */
int output_check(struct output *out);
/** A new file, piece by piece. @return the descriptor, or a negative error. */
int output_create(int folder, const char *name, struct reason *reason);
int output_write(int fd, const char *name, const char *bytes, size_t length, struct reason *reason);
/** Closes it, also when it fails. @ret_stat  may be NULL. */
int output_end(int fd, const char *name, struct stat *ret_stat, struct reason *reason);
/** All at once. */
int output_put(int folder, const char *name, const struct text *t, struct stat *ret_stat,
	       struct reason *reason);
/**
 * compile_bundles.c: every bundle, into out->bundles, and its hashes into out->writer. Looks at signals between two
 * sites: those that wait end it.
 */
int output_bundles(struct output *out, const struct compile_result *result);
/**
 * `manifest` and `release`, each under its name and @suffix.
 * @sources  names may be paths; their last part counts.
 */
int output_header(struct output *out, struct release_source *sources, size_t count,
		  const char *suffix);
void output_close(struct output *out);
/** Of what is compiled, for the summary. */
void output_summary(const struct output *out, const struct compile_result *result, double ms);

#endif
