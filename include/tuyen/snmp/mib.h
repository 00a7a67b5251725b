/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_MIB_H
#define TUYEN_SNMP_MIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/err.h"

/**
 * TUYEN-MIB as data: a static table says which key of the status document is which column, and one
 * loop fills it, one answers GET and one GETNEXT. Pure. Object identifiers here are relative to the
 * root that mib_root gives, sub-identifiers in host order.
 */

/**
 * 32473 is the enterprise number for documentation (RFC 5612): nobody's, so it collides with no vendor. It is
 * replaced by the project's own when IANA has given one, here and in packaging/mib/TUYEN-MIB, in one line each.
 */
#define TUYEN_PEN 32473

#define MIB_OID_MAX    80 /* table, 1, column, and an index: a length and 63 bytes of a name */
#define MIB_NAME_BYTES 63
#define MIB_STRING_MAX 255 /* bytes of an SnmpAdminString, RFC 3411 */

enum mib_table_id {
	MIB_SITE, /* the scalars: one row, index 0 */
	MIB_LINKS,
	MIB_PATHS,
	MIB_SESSIONS,
	MIB_LABELS,
	MIB_DEVICES,
	MIB_METERS,
	MIB_TABLES,
};

enum mib_type {
	MIB_STRING,
	MIB_ENUM, /* INTEGER, by its words */
	MIB_GAUGE, /* Unsigned32 or Gauge32; larger values stay at the maximum, RFC 2578 section 7.1.7 */
	MIB_TICKS,     /* TimeTicks, hundredths of a second */
	MIB_COUNTER32, /* modulo 2^32 */
	MIB_COUNTER64,
	MIB_DATE, /* DateAndTime of RFC 2579 in UTC; the cell's number is seconds since 1970 */
};

struct mib_word {
	const char *word;
	uint32_t number;
};

#define MIB_EXPIRY_DISTANT 1 /* tuyenBundleExpiry's first; the others are the worse the greater */
#define MIB_EXPIRY_PAST	   5

struct mib_column {
	uint32_t id;	  /* ascending; 0: ours alone, never served */
	const char *name; /* in TUYEN-MIB */
	enum mib_type type;
	const char
	    *key; /* of the status document, "object.key" for scalars; NULL: set by mib_set_* */
	const struct mib_word
	    *words; /* MIB_ENUM; ended by NULL, whose number is that of an unlisted word */
};

struct mib_table {
	uint32_t arc;
	const char *entry;    /* in TUYEN-MIB; of the scalars: their group */
	const char *json;     /* the array's key; NULL for the scalars */
	const char *index[2]; /* numbers; or one text, as length and bytes: */
	bool named;
	const struct mib_column *columns;
	size_t column_count;
};

extern const struct mib_table mib_tables[MIB_TABLES];

/** What is not known has no instance. */
struct mib_cell {
	bool known;
	uint64_t number;
	char *string;
};

struct mib_row {
	uint32_t *index;
	size_t index_length;
	struct mib_cell *cells; /* one a column */
};

struct mib {
	struct {
		struct mib_row *rows; /* sorted by index */
		size_t count;
	} tables[MIB_TABLES];
};

/** A value as it goes out. */
struct mib_value {
	enum mib_type type;
	uint64_t number;
	const char *bytes; /* MIB_STRING, MIB_DATE; borrowed from the mib or from @date */
	size_t length;
	char date[11];
};

/** Only the scalars' row, all unknown. @return 0 or -TUYEN_ENOMEM. */
int mib_init(struct mib *mib);
void mib_clear(struct mib *mib);

/**
 * Reads a status document (client/control.h). Rows without a valid index are left out; of two with
 * the same the first stays.
 * @ret_mib  the caller's, released with mib_clear().
 * @return 0, -TUYEN_EINVAL with @reason, or -TUYEN_ENOMEM.
 */
int mib_load(const char *json, size_t length, struct mib *ret_mib, struct reason *reason);

/** The cell of the row with this index. @return NULL if there is no such row. */
struct mib_cell *mib_cell(const struct mib *mib, enum mib_table_id table, const char *column,
			  const uint32_t *index, size_t index_length);
/** The same, of a table whose index is a name. */
struct mib_cell *mib_cell_named(const struct mib *mib, enum mib_table_id table, const char *column,
				const char *name);
void mib_set_number(struct mib_cell *cell, uint64_t number);
/** Copies, at most MIB_STRING_MAX bytes in whole characters. NULL or no memory: unknown. */
void mib_set_string(struct mib_cell *cell, const char *string);
/** The scalar of this name, known or not; never NULL for a name of the table. */
struct mib_cell *mib_scalar(const struct mib *mib, const char *name);

/**
 * How old the document is that @mib was read from: the wire process gives its last one to whoever asks while the kernel process, which makes
 * them, is away. @now_s, wall clock. 0 where it does not say, or comes from the future.
 */
uint64_t mib_age_s(const struct mib *mib, uint64_t now_s);

/** The index of a row that a name has: its length and its bytes. @return sub-identifiers, 0 if not 1..63 bytes. */
size_t mib_name_index(const char *name, uint32_t out[static MIB_NAME_BYTES + 1]);

/** The whole object identifier of an instance. @return its length. */
size_t mib_oid(enum mib_table_id table, uint32_t column, const uint32_t *index, size_t index_length,
	       uint32_t out[static MIB_OID_MAX]);
/** @return the column, NULL if the table has none of this name. */
const struct mib_column *mib_column_find(enum mib_table_id table, const char *name);

/** @return 0 or -TUYEN_ENOENT. */
int mib_get(const struct mib *mib, const uint32_t *oid, size_t length, struct mib_value *ret_value);
/** The first known instance after @oid. @return 0 or -TUYEN_ENOENT at the end. */
int mib_next(const struct mib *mib, const uint32_t *oid, size_t length,
	     uint32_t ret_oid[static MIB_OID_MAX], size_t *ret_length, struct mib_value *ret_value);

/** Lexicographic order of RFC 2578: shorter first when one begins the other. */
int mib_oid_compare(const uint32_t *a, size_t a_length, const uint32_t *b, size_t b_length);

/** "2025-01-31T23:59:59Z", a fraction allowed, UTC alone. @return 0 or -TUYEN_EINVAL. */
int mib_date_parse(const char *string, uint64_t *ret_seconds);
void mib_date_format(uint64_t seconds, char out[static 11]);

#endif
