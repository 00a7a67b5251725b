/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the status document to rows. The document comes from our own daemon, yet nothing is taken on
 * trust: a key that is missing, null or of another kind is an unknown cell, and what has no valid
 * index is no row.
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

	if (!strcmp(table->index[0], "name"))
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

static int row_add(struct mib *mib, enum mib_table_id t, const json_t *object)
{
	struct mib_row *row = &mib->tables[t].rows[mib->tables[t].count];
	uint32_t index[MIB_NAME_BYTES + 1];
	size_t length = index_read(&mib_tables[t], object, index);

	if (!length)
		return 0;
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

static int table_load(struct mib *mib, enum mib_table_id t, const json_t *document)
{
	const json_t *array = json_object_get(document, mib_tables[t].json);
	json_t *object;
	size_t i;
	int err;

	if (!json_array_size(array))
		return 0;
	mib->tables[t].rows = calloc(json_array_size(array), sizeof(struct mib_row));
	if (!mib->tables[t].rows)
		return -TUYEN_ENOMEM;
	json_array_foreach(array, i, object)
	{
		err = row_add(mib, t, object);
		if (err < 0)
			return err;
	}
	if (mib->tables[t].count)
		qsort(mib->tables[t].rows, mib->tables[t].count, sizeof(struct mib_row),
		      row_compare);
	rows_deduplicate(mib, t);
	return 0;
}

static void self_check_count(struct mib *mib, const json_t *document)
{
	const json_t *array = json_object_get(document, "self_check");
	uint64_t failures = 0;
	json_t *object;
	size_t i;

	json_array_foreach(array, i, object) failures +=
	    json_is_false(json_object_get(object, "ok"));
	if (json_is_array(array))
		mib_set_number(mib_scalar(mib, "tuyenSelfCheckFailures"), failures);
}

static int document_load(const json_t *document, struct mib *mib)
{
	int err = 0;

	row_fill(mib->tables[MIB_SITE].rows, &mib_tables[MIB_SITE], document);
	self_check_count(mib, document);
	for (size_t t = MIB_SITE + 1; t < MIB_TABLES && err == 0; t++)
		err = table_load(mib, t, document);
	return err;
}

int mib_load(const char *json, size_t length, struct mib *ret_mib, struct reason *reason)
{
	json_error_t error;
	json_t *document = json_loadb(json, length, 0, &error);
	struct mib mib = {0};
	int err;

	if (!document)
		return reason_set(reason, -TUYEN_EINVAL, "line %d: %s", error.line, error.text);
	if (json_integer_value(json_object_get(document, "format")) != STATUS_FORMAT)
		err = reason_set(reason, -TUYEN_EINVAL, "not a status document of format %d",
				 STATUS_FORMAT);
	else if (!(err = mib_init(&mib)))
		err = document_load(document, &mib);
	json_decref(document);
	if (err < 0) {
		mib_clear(&mib);
		return err;
	}
	*ret_mib = mib;
	return 0;
}
