/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_SNAPSHOT_H
#define TUYEN_POLICIES_SNAPSHOT_H

#include "tuyen/policies/compile.h"
#include "tuyen/policies/merkle.h"
#include "tuyen/policies/syntax.h"

/**
 * What a compile found, in one block of bytes that can lie in a file: the sources' text and what
 * compile_site() reads. Where the sources change only in the LANs of sites, the IPv4 addresses of their lines, or their keys,
 * no way, label or session changes: the few sites whose bundles can differ are made from the snapshot, and
 * nothing is parsed but what changed. Any other change is for a full compile.
 *
 * A snapshot is of one program and one machine. A sum over all its bytes finds damage, not malice:
 * who may write it may write the sources as well.
 */

#define SNAPSHOT_BASE                                                                              \
	UINT64_C(0x100000000000) /* where its bytes lie best: no pointer has to be moved */
#define SNAPSHOT_CHANGES_MAX 64	 /* statements that differ, and bundles to be made again */

struct snapshot;

/** What of a site changed against the snapshot. */
struct snapshot_change {
	uint32_t site;
	bool lan, uplink, link_key, session_key;
};

/** A site whose bundle can differ, once each, in the order of sites. */
struct snapshot_site {
	uint32_t site;
	enum snapshot_cause {
		SNAPSHOT_ITSELF,
		SNAPSHOT_NEIGHBOR, /* of @of, whose link key or line's address changed */
		SNAPSHOT_PEER,	   /* has a session with @of */
	} cause;
	uint32_t of;
};

/**
 * @program  what distinguishes this build of the program from others.
 * @said  what was said on the command line that a bundle depends on.
 * @ways_least  of a site that has so many labels, paths and returns their text is kept too: nothing that is followed changes it.
 * @ret_bytes  empty and initialised.
 * @return 0; -TUYEN_EINVAL where the sources say what a snapshot cannot follow: an address plan, rules that expire, prepared
 * or fresh links, or warnings; -TUYEN_ENOMEM.
 */
int snapshot_encode(const struct compile_result *result, const struct syntax_set *sources,
		    const uint8_t program[static SHA256_LEN], const char *said, size_t ways_least,
		    struct text *ret_bytes);

/**
 * @bytes  aligned to 16; changed in place, little where they lie at SNAPSHOT_BASE; borrowed until snapshot_free().
 * @unchanged  who calls knows that they are what snapshot_encode() made: their sum is not looked at, nor most of them touched.
 * @return 0; -TUYEN_EINVAL if it is none, or damaged, or of another program or other words; -TUYEN_ENOMEM.
 */
int snapshot_open(char *bytes, size_t length, bool unchanged,
		  const uint8_t program[static SHA256_LEN], const char *said,
		  struct snapshot **ret_snapshot);
/** Takes NULL. */
void snapshot_free(struct snapshot *snapshot);

/** The sum that the snapshot carries; of one that snapshot_encode() made, and of an open one. */
uint64_t snapshot_sum_of(const struct text *bytes);
uint64_t snapshot_sum(const struct snapshot *snapshot);
size_t snapshot_source_count(const struct snapshot *snapshot);
const char *snapshot_source_name(const struct snapshot *snapshot, size_t source);

/**
 * Source @source reads @bytes now. @return 0; -TUYEN_EINVAL: only a full compile can say what follows;
 * -TUYEN_ENOMEM. After a failure the snapshot is of no use.
 */
int snapshot_amend(struct snapshot *snapshot, size_t source, const char *bytes, size_t length);

/** After all sources: the same codes; holds what changed against the rest of the country. */
int snapshot_settle(struct snapshot *snapshot);

/** After snapshot_settle(), both borrowed. */
const struct snapshot_change *snapshot_changes(const struct snapshot *snapshot, size_t *ret_count);
const struct snapshot_site *snapshot_sites(const struct snapshot *snapshot, size_t *ret_count);
/** The kept text of a site, for forwarding_encode_pieces() after compile_site_without_ways(). @return borrowed; NULL: none kept. */
const struct forwarding_ways *snapshot_ways(const struct snapshot *snapshot, uint32_t site);
/** For compile_site() of the sites named there, and for counting. */
const struct compile_result *snapshot_result(const struct snapshot *snapshot);

#endif
