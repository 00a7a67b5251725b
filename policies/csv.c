/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records and cells of a spreadsheet's text, read in one pass. A cell's text is copied without its
 * quotes into a block of the source's size, where it can only be shorter, so that the block never
 * moves. Records point at cells by number until all are read, as the array of cells does move.
 */
#include "tuyen/policies/csv.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/utf8.h"

struct csv_reader {
	const struct diag_source *source;
	struct diag_list *diags;
	struct csv csv;
	uint32_t offset; /* in the source */
	size_t used;	 /* of csv.bytes */
	char separator;
	size_t *first; /* of each record: index of its first cell */
	size_t first_room;
};

bool csv_text_is_clean(const char *text)
{
	size_t length = strlen(text);

	while (length) {
		uint32_t code;
		size_t size = utf8_decode(text, length, &code);

		if (!size || !utf8_is_shown(code))
			return false;
		text += size;
		length -= size;
	}
	return true;
}

static bool csv_at_end(const struct csv_reader *r)
{
	return r->offset >= r->source->length;
}

static char csv_peek(const struct csv_reader *r)
{
	return csv_at_end(r) ? '\n' : r->source->bytes[r->offset];
}

static bool csv_line_ends(const struct csv_reader *r)
{
	if (csv_peek(r) == '\n')
		return true;
	return csv_peek(r) == '\r' &&
	       (r->offset + 1 >= r->source->length || r->source->bytes[r->offset + 1] == '\n');
}

static void csv_line_skip(struct csv_reader *r)
{
	if (csv_peek(r) == '\r')
		r->offset++;
	if (!csv_at_end(r))
		r->offset++;
}

static struct diag_place csv_place(const struct csv_reader *r, uint32_t from)
{
	return (struct diag_place){r->source, from, r->offset > from ? r->offset - from : 1};
}

/* ---- growing ------------------------------------------------------------------------ */

static bool csv_grow(void *array, size_t count, size_t *room, size_t size)
{
	void **pointer = array;
	size_t wanted = *room ? *room * 2 : 256;
	void *more;

	if (count < *room)
		return true;
	more = realloc(*pointer, wanted * size);
	if (!more)
		return false;
	*pointer = more;
	*room = wanted;
	return true;
}

/* ---- cells -------------------------------------------------------------------------- */

static void cell_quoted(struct csv_reader *r)
{
	uint32_t open = r->offset++;

	while (!csv_at_end(r)) {
		char c = r->source->bytes[r->offset++];

		if (c != '"') {
			r->csv.bytes[r->used++] = c;
		} else if (!csv_at_end(r) && csv_peek(r) == '"') {
			r->csv.bytes[r->used++] = '"';
			r->offset++;
		} else {
			return;
		}
	}
	diag_error(r->diags, (struct diag_place){r->source, open, 1}, "this quote is never closed");
}

static void cell_bare(struct csv_reader *r)
{
	while (!csv_line_ends(r) && csv_peek(r) != r->separator) {
		if (csv_peek(r) == '"')
			diag_error(
			    r->diags, (struct diag_place){r->source, r->offset, 1},
			    "a quote within a cell: quote the whole cell and double this one");
		r->csv.bytes[r->used++] = r->source->bytes[r->offset++];
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void cell_rest(struct csv_reader *r)
{
	uint32_t from;

	while (!csv_line_ends(r) && csv_peek(r) != r->separator && is_blank(csv_peek(r)))
		r->offset++;
	from = r->offset;
	while (!csv_line_ends(r) && csv_peek(r) != r->separator)
		r->offset++;
	if (r->offset > from)
		diag_error(r->diags, csv_place(r, from),
			   "text behind a closing quote; a quote within a cell is doubled");
}

static void cell_end(struct csv_reader *r, size_t start, struct diag_place place)
{
	char *text = r->csv.bytes + start;

	while (r->used > start && is_blank(r->csv.bytes[r->used - 1]))
		r->used--;
	if (memchr(text, '\0', r->used - start))
		diag_error(r->diags, place, "a NUL byte");
	r->csv.bytes[r->used++] = '\0';
	r->csv.cells[r->csv.cell_count++] = (struct csv_cell){text, place};
}

static int cell_read(struct csv_reader *r)
{
	size_t start = r->used;
	uint32_t from;

	if (!csv_grow(&r->csv.cells, r->csv.cell_count, &r->csv.cell_room, sizeof(*r->csv.cells)))
		return -TUYEN_ENOMEM;
	while (!csv_line_ends(r) && is_blank(csv_peek(r)) && csv_peek(r) != r->separator)
		r->offset++;
	from = r->offset;
	if (!csv_at_end(r) && csv_peek(r) == '"') {
		cell_quoted(r);
		cell_end(r, start, csv_place(r, from));
		cell_rest(r);
	} else {
		cell_bare(r);
		cell_end(r, start, csv_place(r, from));
	}
	return 0;
}

/* ---- records ------------------------------------------------------------------------ */

static int record_read(struct csv_reader *r)
{
	size_t first = r->csv.cell_count;
	int err = 0;

	if (!csv_grow(&r->csv.records, r->csv.count, &r->csv.room, sizeof(*r->csv.records)) ||
	    !csv_grow(&r->first, r->csv.count, &r->first_room, sizeof(*r->first)))
		return -TUYEN_ENOMEM;
	for (;;) {
		err = cell_read(r);
		if (err || csv_at_end(r) || csv_peek(r) != r->separator)
			break;
		r->offset++;
	}
	csv_line_skip(r);
	if (err)
		return err;
	if (r->csv.cell_count - first == 1 && !*r->csv.cells[first].text) {
		r->csv.cell_count = first; /* an empty line */
		return 0;
	}
	if (r->csv.cell_count - first > CSV_CELLS_MAX) {
		diag_error(r->diags, r->csv.cells[first + CSV_CELLS_MAX].place,
			   "a line has more than %d cells", CSV_CELLS_MAX);
		r->csv.cell_count = first + CSV_CELLS_MAX;
	}
	r->first[r->csv.count] = first;
	r->csv.records[r->csv.count++].count = r->csv.cell_count - first;
	return 0;
}

static char separator_find(const struct csv_reader *r)
{
	static const char candidates[] = ",;\t";
	size_t counts[3] = {0}, best = 0;
	bool quoted = false;

	for (uint32_t i = r->offset; i < r->source->length; i++) {
		char c = r->source->bytes[i];
		const char *found = c ? strchr(candidates, c) : NULL;

		quoted ^= c == '"';
		if (c == '\n' && !quoted)
			break;
		if (found && !quoted)
			counts[found - candidates]++;
	}
	for (size_t i = 1; i < 3; i++)
		if (counts[i] > counts[best])
			best = i;
	return candidates[best];
}

int csv_read(const struct diag_source *source, struct diag_list *diags, struct csv *ret_csv)
{
	struct csv_reader r = {.source = source, .diags = diags};
	int err = 0;

	/* a NUL a cell: there is a cell more than separators, and an empty line may be one */
	r.csv.bytes = malloc(2 * (size_t)source->length + 2);
	if (!r.csv.bytes)
		return -TUYEN_ENOMEM;
	if (source->length >= 3 && memcmp(source->bytes, "\xef\xbb\xbf", 3) == 0)
		r.offset = 3;
	r.separator = separator_find(&r);
	while (!err && !csv_at_end(&r))
		err = record_read(&r);
	for (size_t i = 0; !err && i < r.csv.count; i++)
		r.csv.records[i].cells = r.csv.cells + r.first[i];
	free(r.first);
	if (err) {
		csv_clear(&r.csv);
		return err;
	}
	*ret_csv = r.csv;
	return 0;
}

void csv_clear(struct csv *csv)
{
	free(csv->bytes);
	free(csv->cells);
	free(csv->records);
	*csv = (struct csv){0};
}
