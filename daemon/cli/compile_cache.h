/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_COMPILE_CACHE_H
#define DAEMON_CLI_COMPILE_CACHE_H

#include "daemon/cli/compile_output.h"

/**
 * The folder of --cache: `snapshot` (snapshot.h) of the last full compile, and `state`: the lines of
 * the manifest and of the tree of the release that was written last, and what its files looked like
 * then. Either may be deleted at any time. What is damaged, of another program, from before the last
 * boot, or does not fit what lies in OUT is as good as not there. One compile uses a cache at a time; others go without.
 */
struct compile_cache;

/** @return NULL where it cannot be used: said on standard error unless another compile has it. */
struct compile_cache *compile_cache_open(const char *folder);
/** Takes NULL. */
void compile_cache_close(struct compile_cache *cache);

/**
 * Brings the release in OUT up to date, if the cache can say how: the same bytes as a full compile
 * would write. Bundles are written beside the old ones first; then OUT's statement goes, the files
 * take their places, and the new statement comes last: OUT is the old release, or the new one, or
 * none.
 * @return 1 done; 0 not for the cache, nothing was touched; a negative error with out->reason.
 */
int compile_cache_update(struct compile_cache *cache, struct output *out);
/** For the summary after compile_cache_update(). */
const struct compile_result *compile_cache_result(const struct compile_cache *cache);

/** After a full compile: what changed against the release that the cache knows, into out->changes. */
void compile_cache_compare(struct compile_cache *cache, const struct compiled *c,
			   struct output *out);
/** And keeps it for the next. A failure is said and harms nothing. */
void compile_cache_keep(struct compile_cache *cache, const struct compiled *c, struct output *out);

#endif
