/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_STATEMENT_H
#define TUYEN_POLICIES_STATEMENT_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/policies/merkle.h"

/**
 * The release statement: what officers sign. Canonical text, LF after each line, each field once and in this
 * order, numbers without leading zeros, hex in lower case, times RFC 3339 in UTC:
 *
 *	tuyen-release 2
 *	epoch 7
 *	issued 2025-01-31T08:00:00Z
 *	expires 2025-03-31T08:00:00Z
 *	roster-version 1
 *	sites 6
 *	root <hex: RFC 6962 root over the bundles' digests in order of site id, release.h>
 *	manifest <hex: SHA-256 of the file `manifest`>
 *	compiler 0.1.0
 *	audit clean 0.1.0 <hex: SHA-256 of the audit's canonical document>	(or: audit none)
 *	source <hex: SHA-256> first-light.policy		(0 or more, sorted by name)
 *
 * Form 1 differs in one thing: its root is over the bundles themselves. A node that was given such a seal before it
 * had this program still takes it; nothing makes one any more.
 */

#define STATEMENT_FORM 2

#define STATEMENT_BYTES_MAX   (256u << 10)
#define STATEMENT_SOURCES_MAX 2048
#define STATEMENT_WORD_MAX    255 /* bytes of the compiler's version, of a source's name */

/** What the compiler proved of all bundles before it wrote them: a release with findings is never made. */
struct statement_audit {
	bool clean;			      /* else nobody looked, and the rest is empty */
	char version[STATEMENT_WORD_MAX + 1]; /* of the program that audited: one word */
	uint8_t digest[SHA256_LEN];	      /* of what `tuyen audit --canonical` prints */
};

struct statement {
	uint8_t form;		 /* 1 or STATEMENT_FORM */
	uint64_t epoch;		 /* 1.. */
	int64_t issued_s;	 /* wall clock, seconds since 1970 */
	int64_t expires_s;	 /* later than issued */
	uint32_t roster_version; /* that a node must have reached; a later one will do */
	uint32_t sites;
	struct merkle_hash root;
	uint8_t manifest[SHA256_LEN];
	char compiler[STATEMENT_WORD_MAX + 1];
	struct statement_audit audit;
	const char *
	    sources; /* the source lines: borrowed from what was parsed, for statement_source_next() */
	size_t sources_length;
	size_t source_count;
};

struct statement_source {
	char name[STATEMENT_WORD_MAX + 1];
	uint8_t digest[SHA256_LEN];
};

/**
 * Reads a statement and nothing else. Meant for verified bytes and safe on any.
 * @return 0; -TUYEN_EINVAL or -TUYEN_ELIMIT with "release statement, line N: ..." in @reason.
 */
int statement_parse(const char *bytes, size_t length, struct statement *ret_statement,
		    struct reason *reason);

/** Walks the sources: @offset starts at 0. @return false at the end. */
bool statement_source_next(const struct statement *statement, size_t *offset,
			   struct statement_source *ret_source);

/** Writes the canonical text, the source lines copied as they are. */
void statement_encode(const struct statement *statement, struct text *ret_text);

#define RFC3339_STRLEN 21	    /* "2025-01-31T08:00:00Z" and the NUL */
#define RFC3339_MAX_S  253402300799 /* the end of year 9999 */
/** @seconds since 1970, 0..RFC3339_MAX_S. */
const char *rfc3339_format(int64_t seconds, char out[static RFC3339_STRLEN]);
/** The one form that rfc3339_format() writes. @return 0 or -TUYEN_EINVAL. */
int rfc3339_parse(const char *string, int64_t *ret_seconds);

#endif
