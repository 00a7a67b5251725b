/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the status document to rows. The document comes from our own daemon, yet nothing is taken on
 * trust: a key that is missing, null or of another kind is an unknown cell, and what has no valid
 * index is no row.
 *
 * A gateway's document is megabytes, and as a tree eight times that. So the arrays that are tables are read one row at a
 * time; what else there is, is small, and a tree. (Of a table that is there twice, all rows count.)
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/text.h"
#include "tuyen/snmp/mib.h"

#define STATUS_FORMAT 1

/* "key" or "object.key". */
static json_t *key_find(const json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	char first[32];

	if (!dot)
		return json_object_get(object, key);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - key), key);
	return json_object_get(json_object_get(object, first), dot + 1);
}

/* [16210, 16901] is "16210/16901", as label stacks are written everywhere. */
static void string_fill(struct mib_cell *cell, const json_t *value)
{
	struct text joined;
	size_t i;
	json_t *item;

	if (json_is_string(value)) {
		mib_set_string(cell, json_string_value(value));
		return;
	}
	if (!json_is_array(value))
		return;
	text_init(&joined);
	json_array_foreach(value, i, item)
	{
		if (i)
			text_add_char(&joined, '/');
		text_add_u64(&joined, json_is_integer(item) && json_integer_value(item) > 0
					  ? (uint64_t)json_integer_value(item)
					  : 0);
	}
	if (!joined.failed)
		mib_set_string(cell, text_string(&joined));
	text_clear(&joined);
}

static void enum_fill(struct mib_cell *cell, const struct mib_word *words, const json_t *value)
{
	const char *word = json_string_value(value);

	if (json_is_boolean(value))
		word = json_is_true(value) ? "true" : "false";
	if (!word)
		return;
	while (words->word && strcmp(words->word, word))
		words++;
	mib_set_number(cell, words->number);
}

static void number_fill(struct mib_cell *cell, const json_t *value)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		mib_set_number(cell, (uint64_t)json_integer_value(value));
}

static void date_fill(struct mib_cell *cell, const json_t *value)
{
	uint64_t seconds;

	if (json_is_string(value) && !mib_date_parse(json_string_value(value), &seconds))
		mib_set_number(cell, seconds);
}

static void cell_fill(struct mib_cell *cell, const struct mib_column *column, const json_t *object)
{
	const json_t *value = column->key ? key_find(object, column->key) : NULL;

	if (!value)
		return;
	switch (column->type) {
	case MIB_STRING:
		string_fill(cell, value);
		break;
	case MIB_ENUM:
		enum_fill(cell, column->words, value);
		break;
	case MIB_DATE:
		date_fill(cell, value);
		break;
	case MIB_GAUGE:
	case MIB_TICKS:
	case MIB_COUNTER32:
	case MIB_COUNTER64:
		number_fill(cell, value);
		break;
	}
}

static void row_fill(struct mib_row *row, const struct mib_table *table, const json_t *object)
{
	for (size_t c = 0; c < table->column_count; c++)
		cell_fill(&row->cells[c], &table->columns[c], object);
}

/* @return sub-identifiers, 0 when the index is not valid. */
static size_t index_read(const struct mib_table *table, const json_t *object,
			 uint32_t out[static MIB_NAME_BYTES + 1])
{
	const json_t *first = json_object_get(object, table->index[0]);
	size_t n = 0;

	if (table->named)
		return json_is_string(first) ? mib_name_index(json_string_value(first), out) : 0;
	for (; n < 2 && table->index[n]; n++) {
		const json_t *value = json_object_get(object, table->index[n]);

		if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		    json_integer_value(value) > UINT32_MAX)
			return 0;
		out[n] = (uint32_t)json_integer_value(value);
	}
	return n;
}

/* Room for one more: as many again as there are, whenever their number is a power of two. */
static int rows_reserve(struct mib *mib, enum mib_table_id t)
{
	size_t count = mib->tables[t].count;
	struct mib_row *rows;

	if (count & (count - 1))
		return 0;
	rows = realloc(mib->tables[t].rows, (count ? 2 * count : 1) * sizeof(*rows));
	if (!rows)
		return -TUYEN_ENOMEM;
	mib->tables[t].rows = rows;
	return 0;
}

static int row_add(struct mib *mib, enum mib_table_id t, const json_t *object)
{
	uint32_t index[MIB_NAME_BYTES + 1];
	size_t length = index_read(&mib_tables[t], object, index);
	struct mib_row *row;

	if (!length)
		return 0;
	if (rows_reserve(mib, t) < 0)
		return -TUYEN_ENOMEM;
	row = &mib->tables[t].rows[mib->tables[t].count];
	*row = (struct mib_row){0};
	row->index = malloc(length * sizeof(*index));
	row->cells = calloc(mib_tables[t].column_count, sizeof(*row->cells));
	mib->tables[t].count++;
	if (!row->index || !row->cells)
		return -TUYEN_ENOMEM;
	memcpy(row->index, index, length * sizeof(*index));
	row->index_length = length;
	row_fill(row, &mib_tables[t], object);
	return 0;
}

static int row_compare(const void *left, const void *right)
{
	const struct mib_row *a = left, *b = right;

	return mib_oid_compare(a->index, a->index_length, b->index, b->index_length);
}

static void rows_deduplicate(struct mib *mib, enum mib_table_id t)
{
	struct mib_row *rows = mib->tables[t].rows;
	size_t kept = 0;

	for (size_t i = 0; i < mib->tables[t].count; i++) {
		if (kept && !row_compare(&rows[kept - 1], &rows[i])) {
			for (size_t c = 0; c < mib_tables[t].column_count; c++)
				free(rows[i].cells[c].string);
			free(rows[i].cells);
			free(rows[i].index);
			continue;
		}
		rows[kept++] = rows[i];
	}
	mib->tables[t].count = kept;
}

static void tables_sort(struct mib *mib)
{
	for (size_t t = MIB_SITE + 1; t < MIB_TABLES; t++) {
		if (mib->tables[t].count)
			qsort(mib->tables[t].rows, mib->tables[t].count, sizeof(struct mib_row),
			      row_compare);
		rows_deduplicate(mib, (enum mib_table_id)t);
	}
}

/* ---- the document, from the left to the right -------------------------------------------------- */

struct reading {
	const char *at, *begin, *end;
	struct mib *mib;
	json_t *rest;	   /* all but the arrays */
	uint64_t failures; /* of self-checks */
	bool checked;	   /* there were some */
	struct reason *reason;
};

/* @more  lines behind where we are */
static int refuse(const struct reading *r, int more, const char *what)
{
	int line = 1 + (more > 0 ? more : 0);

	for (const char *p = r->begin; p < r->at; p++)
		line += *p == '\n';
	return reason_set(r->reason, -TUYEN_EINVAL, "line %d: %s", line, what);
}

static char next_byte(struct reading *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at))
		r->at++;
	return r->at < r->end ? *r->at : '\0';
}

static bool take_byte(struct reading *r, char byte)
{
	if (next_byte(r) != byte)
		return false;
	r->at++;
	return true;
}

/* @ret_value  the caller's reference. */
static int value_take(struct reading *r, json_t **ret_value)
{
	json_error_t error;

	next_byte(r);
	*ret_value = json_loadb(r->at, (size_t)(r->end - r->at),
				JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
	if (!*ret_value && json_error_code(&error) == json_error_out_of_memory)
		return -TUYEN_ENOMEM;
	if (!*ret_value)
		return refuse(r, error.line - 1, error.text);
	r->at += error.position; /* how many bytes it was */
	return 0;
}

typedef int (*item_fn)(struct reading *r, enum mib_table_id t, const json_t *item);

static int check_item(struct reading *r, enum mib_table_id t, const json_t *item)
{
	(void)t;
	r->checked = true;
	r->failures += json_is_false(json_object_get(item, "ok"));
	return 0;
}

static int row_item(struct reading *r, enum mib_table_id t, const json_t *item)
{
	return row_add(r->mib, t, item);
}

/* "[" is taken. */
static int items_take(struct reading *r, enum mib_table_id t, item_fn take)
{
	if (take_byte(r, ']'))
		return 0;
	for (;;) {
		json_t *item;
		int err = value_take(r, &item);

		if (err < 0)
			return err;
		err = take(r, t, item);
		json_decref(item);
		if (err < 0)
			return err;
		if (take_byte(r, ']'))
			return 0;
		if (!take_byte(r, ','))
			return refuse(r, 0, "',' or ']' expected");
	}
}

static int rest_take(struct reading *r, const char *key)
{
	json_t *value;
	int err = value_take(r, &value);

	if (err < 0)
		return err;
	return json_object_set_new(r->rest, key, value) < 0 ? -TUYEN_ENOMEM : 0;
}

static int member_take(struct reading *r, const char *key)
{
	if (!take_byte(r, ':'))
		return refuse(r, 0, "':' expected");
	if (next_byte(r) != '[')
		return rest_take(r, key);
	if (!strcmp(key, "self_check") && take_byte(r, '[')) {
		r->checked = true;
		return items_take(r, MIB_SITE, check_item);
	}
	for (size_t t = MIB_SITE + 1; t < MIB_TABLES; t++)
		if (!strcmp(key, mib_tables[t].json) && take_byte(r, '['))
			return items_take(r, (enum mib_table_id)t, row_item);
	return rest_take(r, key);
}

static int document_take(struct reading *r)
{
	if (!take_byte(r, '{'))
		return refuse(r, 0, "'{' expected");
	if (take_byte(r, '}'))
		return 0;
	for (;;) {
		json_t *key;
		int err;

		if (next_byte(r) != '"')
			return refuse(r, 0, "a key expected");
		err = value_take(r, &key);
		if (err < 0)
			return err;
		err = member_take(r, json_string_value(key));
		json_decref(key);
		if (err < 0)
			return err;
		if (take_byte(r, '}'))
			return next_byte(r) ? refuse(r, 0, "end of file expected") : 0;
		if (!take_byte(r, ','))
			return refuse(r, 0, "',' or '}' expected");
	}
}

static int document_load(struct reading *r)
{
	const char *nul = memchr(r->begin, '\0', (size_t)(r->end - r->begin));
	int err;

	if (nul) { /* the library passes over one behind a number, and then counts wrong */
		r->at = nul;
		return refuse(r, 0, "a byte of 0");
	}
	err = document_take(r);
	if (err < 0)
		return err;
	if (json_integer_value(json_object_get(r->rest, "format")) != STATUS_FORMAT)
		return reason_set(r->reason, -TUYEN_EINVAL, "not a status document of format %d",
				  STATUS_FORMAT);
	row_fill(r->mib->tables[MIB_SITE].rows, &mib_tables[MIB_SITE], r->rest);
	if (r->checked)
		mib_set_number(mib_scalar(r->mib, "tuyenSelfCheckFailures"), r->failures);
	tables_sort(r->mib);
	return 0;
}

int mib_load(const char *json, size_t length, struct mib *ret_mib, struct reason *reason)
{
	struct mib mib = {0};
	struct reading r = {.at = json,
			    .begin = json,
			    .end = json + length,
			    .mib = &mib,
			    .rest = json_object(),
			    .reason = reason};
	int err = r.rest ? mib_init(&mib) : -TUYEN_ENOMEM;

	if (!err)
		err = document_load(&r);
	json_decref(r.rest);
	if (err < 0) {
		mib_clear(&mib);
		return err == -TUYEN_ENOMEM ? reason_set(reason, err, "no memory") : err;
	}
	*ret_mib = mib;
	return 0;
}
