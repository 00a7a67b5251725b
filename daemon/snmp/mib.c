/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows are sorted once when a document is read, so that GET and GETNEXT are binary searches: the
 * library's table_iterator walks all rows for every variable instead, and takes half a minute for
 * the data centre's sessions. Instances of a column are in the order of the rows, columns in the
 * order of their numbers, tables in the order of their arcs; that is the order of RFC 2578, so
 * GETNEXT is: find the place, then take the first known cell from there on.
 */
#include "tuyen/snmp/mib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int mib_oid_compare(const uint32_t *a, size_t a_length, const uint32_t *b, size_t b_length)
{
	for (size_t i = 0; i < a_length && i < b_length; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return (a_length > b_length) - (a_length < b_length);
}

static void row_clear(struct mib_row *row, size_t column_count)
{
	for (size_t i = 0; row->cells && i < column_count; i++)
		free(row->cells[i].string);
	free(row->cells);
	free(row->index);
}

int mib_init(struct mib *mib)
{
	struct mib_row *row = calloc(1, sizeof(*row));

	*mib = (struct mib){0};
	if (!row)
		return -TUYEN_ENOMEM;
	mib->tables[MIB_SITE].rows = row;
	mib->tables[MIB_SITE].count = 1;
	row->index = calloc(1, sizeof(*row->index));
	row->cells = calloc(mib_tables[MIB_SITE].column_count, sizeof(*row->cells));
	row->index_length = 1;
	if (!row->index || !row->cells) {
		mib_clear(mib);
		return -TUYEN_ENOMEM;
	}
	return 0;
}

void mib_clear(struct mib *mib)
{
	for (size_t t = 0; t < MIB_TABLES; t++) {
		for (size_t i = 0; i < mib->tables[t].count; i++)
			row_clear(&mib->tables[t].rows[i], mib_tables[t].column_count);
		free(mib->tables[t].rows);
	}
	*mib = (struct mib){0};
}

const struct mib_column *mib_column_find(enum mib_table_id table, const char *name)
{
	const struct mib_table *t = &mib_tables[table];

	for (size_t i = 0; i < t->column_count; i++)
		if (!strcmp(t->columns[i].name, name))
			return &t->columns[i];
	return NULL;
}

/* The first row whose index is at least (or, with @after, above) @index. */
static size_t row_bound(const struct mib *mib, enum mib_table_id table, const uint32_t *index,
			size_t length, bool after)
{
	const struct mib_row *rows = mib->tables[table].rows;
	size_t low = 0, high = mib->tables[table].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order =
		    mib_oid_compare(rows[middle].index, rows[middle].index_length, index, length);

		if (order < 0 || (after && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct mib_row *row_find(const struct mib *mib, enum mib_table_id table,
				const uint32_t *index, size_t length)
{
	size_t i = row_bound(mib, table, index, length, false);
	struct mib_row *row;

	if (i == mib->tables[table].count)
		return NULL;
	row = &mib->tables[table].rows[i];
	return mib_oid_compare(row->index, row->index_length, index, length) ? NULL : row;
}

struct mib_cell *mib_cell(const struct mib *mib, enum mib_table_id table, const char *column,
			  const uint32_t *index, size_t index_length)
{
	const struct mib_column *c = mib_column_find(table, column);
	struct mib_row *row = row_find(mib, table, index, index_length);

	assert(c);
	return row ? &row->cells[c - mib_tables[table].columns] : NULL;
}

size_t mib_name_index(const char *name, uint32_t out[static MIB_NAME_BYTES + 1])
{
	size_t length = strlen(name);

	if (!length || length > MIB_NAME_BYTES)
		return 0;
	out[0] = (uint32_t)length;
	for (size_t i = 0; i < length; i++)
		out[i + 1] = (unsigned char)name[i];
	return length + 1;
}

struct mib_cell *mib_cell_named(const struct mib *mib, enum mib_table_id table, const char *column,
				const char *name)
{
	uint32_t index[MIB_NAME_BYTES + 1];
	size_t length = mib_name_index(name, index);

	return length ? mib_cell(mib, table, column, index, length) : NULL;
}

struct mib_cell *mib_scalar(const struct mib *mib, const char *name)
{
	return mib_cell(mib, MIB_SITE, name, (const uint32_t[]){0}, 1);
}

uint64_t mib_age_s(const struct mib *mib, uint64_t now_s)
{
	const struct mib_cell *made = mib_scalar(mib, "snapshot");

	return made->known && made->number < now_s ? now_s - made->number : 0;
}

void mib_set_number(struct mib_cell *cell, uint64_t number)
{
	cell->known = true;
	cell->number = number;
}

/* What an SnmpAdminString may hold of @string (RFC 3411), whole characters. */
static size_t string_length(const char *string)
{
	size_t length = strnlen(string, MIB_STRING_MAX + 1);

	if (length <= MIB_STRING_MAX)
		return length;
	for (length = MIB_STRING_MAX; length && ((unsigned char)string[length] & 0xc0) == 0x80;)
		length--;
	return length;
}

void mib_set_string(struct mib_cell *cell, const char *string)
{
	free(cell->string);
	cell->string = string ? strndup(string, string_length(string)) : NULL;
	cell->known = cell->string != NULL;
}

/* Sub-identifiers before the column: the scalars' group has no entry. */
static size_t table_prefix(enum mib_table_id table, uint32_t out[static 2])
{
	out[0] = mib_tables[table].arc;
	out[1] = 1;
	return mib_tables[table].json ? 2 : 1;
}

size_t mib_oid(enum mib_table_id table, uint32_t column, const uint32_t *index, size_t index_length,
	       uint32_t out[static MIB_OID_MAX])
{
	size_t n = table_prefix(table, out);

	assert(n + 1 + index_length <= MIB_OID_MAX);
	out[n++] = column;
	memcpy(out + n, index, index_length * sizeof(*index));
	return n + index_length;
}

static void value_of(const struct mib_column *column, const struct mib_cell *cell,
		     struct mib_value *ret_value)
{
	*ret_value = (struct mib_value){.type = column->type, .number = cell->number};
	switch (column->type) {
	case MIB_STRING:
		ret_value->bytes = cell->string;
		ret_value->length = strlen(cell->string);
		break;
	case MIB_DATE:
		mib_date_format(cell->number, ret_value->date);
		ret_value->bytes = ret_value->date;
		ret_value->length = sizeof(ret_value->date);
		break;
	case MIB_GAUGE:
		if (cell->number > UINT32_MAX)
			ret_value->number = UINT32_MAX;
		break;
	case MIB_TICKS:
	case MIB_COUNTER32:
		ret_value->number = cell->number & UINT32_MAX;
		break;
	case MIB_ENUM:
	case MIB_COUNTER64:
		break;
	}
}

static int table_get(const struct mib *mib, enum mib_table_id table, const uint32_t *rest,
		     size_t length, struct mib_value *ret_value)
{
	const struct mib_table *t = &mib_tables[table];
	const struct mib_row *row;

	if (!length)
		return -TUYEN_ENOENT;
	row = row_find(mib, table, rest + 1, length - 1);
	for (size_t c = 0; row && c < t->column_count; c++) {
		if (t->columns[c].id != rest[0] || !rest[0])
			continue;
		if (!row->cells[c].known)
			return -TUYEN_ENOENT;
		value_of(&t->columns[c], &row->cells[c], ret_value);
		return 0;
	}
	return -TUYEN_ENOENT;
}

int mib_get(const struct mib *mib, const uint32_t *oid, size_t length, struct mib_value *ret_value)
{
	uint32_t prefix[2];

	for (size_t t = 0; t < MIB_TABLES; t++) {
		size_t n = table_prefix(t, prefix);

		if (length >= n && !mib_oid_compare(oid, n, prefix, n))
			return table_get(mib, t, oid + n, length - n, ret_value);
	}
	return -TUYEN_ENOENT;
}

/* Where the instances after @rest (column, index; may be cut short) begin. */
static void table_seek(const struct mib *mib, enum mib_table_id table, const uint32_t *rest,
		       size_t length, size_t *ret_column, size_t *ret_row)
{
	const struct mib_table *t = &mib_tables[table];
	size_t c = 0;

	*ret_row = 0;
	while (length && c < t->column_count && t->columns[c].id < rest[0])
		c++;
	*ret_column = c;
	if (length && c < t->column_count && t->columns[c].id == rest[0])
		*ret_row = row_bound(mib, table, rest + 1, length - 1, true);
}

static int table_first(const struct mib *mib, enum mib_table_id table, size_t c, size_t r,
		       uint32_t *ret_oid, size_t *ret_length, struct mib_value *ret_value)
{
	const struct mib_table *t = &mib_tables[table];

	for (; c < t->column_count; c++, r = 0) {
		for (r = t->columns[c].id ? r : mib->tables[table].count;
		     r < mib->tables[table].count; r++) {
			const struct mib_row *row = &mib->tables[table].rows[r];

			if (!row->cells[c].known)
				continue;
			*ret_length = mib_oid(table, t->columns[c].id, row->index,
					      row->index_length, ret_oid);
			value_of(&t->columns[c], &row->cells[c], ret_value);
			return 0;
		}
	}
	return -TUYEN_ENOENT;
}

int mib_next(const struct mib *mib, const uint32_t *oid, size_t length,
	     uint32_t ret_oid[static MIB_OID_MAX], size_t *ret_length, struct mib_value *ret_value)
{
	uint32_t prefix[2];
	size_t column, row;

	for (size_t t = 0; t < MIB_TABLES; t++) {
		size_t n = table_prefix(t, prefix);
		int order = mib_oid_compare(oid, length < n ? length : n, prefix, n);

		if (order > 0)
			continue;
		if (order < 0 || length <= n)
			column = row = 0;
		else
			table_seek(mib, t, oid + n, length - n, &column, &row);
		if (!table_first(mib, t, column, row, ret_oid, ret_length, ret_value))
			return 0;
	}
	return -TUYEN_ENOENT;
}
