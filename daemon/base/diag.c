/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics are collected, not printed: a parser and a checker add to one
 * list, and whoever called them decides what becomes of it. A place is a range
 * of bytes; lines and columns are worked out only for what is shown. The list
 * keeps DIAG_SHOWN_MAX errors and as many warnings, so that a file full of
 * rubbish costs little, and counts the rest.
 */
#include "tuyen/base/diag.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/base/utf8.h"

#define EXCERPT_BYTES_MAX 1000 /* of a source line; a longer one is not shown */

static const char *const severity_text[] = {
    [DIAG_ERROR] = "error",
    [DIAG_WARNING] = "warning",
    [DIAG_NOTE] = "note",
};

/* The beginning of the line behind the one at @p; NULL: there is none. */
static const char *line_next(const char *p, const char *end)
{
	const char *feed = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

	return feed ? feed + 1 : NULL;
}

int diag_source_init(struct diag_source *s, const char *name, const char *bytes, size_t length)
{
	const char *end = bytes + length, *line;
	uint32_t count = 1;

	if (length > DIAG_SOURCE_MAX)
		return -TUYEN_ELIMIT;
	for (line = bytes; (line = line_next(line, end)); count++)
		;
	*s = (struct diag_source){.name = name, .bytes = bytes, .length = (uint32_t)length};
	s->line_starts = malloc(count * sizeof(*s->line_starts));
	if (!s->line_starts)
		return -TUYEN_ENOMEM;
	s->line_starts[s->line_count++] = 0;
	for (line = bytes; (line = line_next(line, end));)
		s->line_starts[s->line_count++] = (uint32_t)(line - bytes);
	return 0;
}

void diag_source_clear(struct diag_source *s)
{
	free(s->line_starts);
	*s = (struct diag_source){0};
}

/* Index of the line that holds @offset. */
static uint32_t source_line(const struct diag_source *s, uint32_t offset)
{
	uint32_t low = 0, high = s->line_count, near, step = 16;

	if (!s->line_count)
		return 0;
	/* Lines are of a length, more or less: few are looked at. */
	near = (uint32_t)((uint64_t)offset * s->line_count / ((uint64_t)s->length + 1));
	near = near < high ? near : high - 1;
	if (s->line_starts[near] <= offset) {
		low = near;
		while (low + step < high && s->line_starts[low + step] <= offset) {
			low += step;
			step *= 2;
		}
		high = low + step < high ? low + step : high;
	} else {
		high = near;
		while (high > step && s->line_starts[high - step] > offset) {
			high -= step;
			step *= 2;
		}
		low = high > step ? high - step : 0;
	}
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (s->line_starts[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Bytes of the code point at @p before @end; a byte that is none counts for one. */
static size_t step(const char *p, const char *end, uint32_t *ret_code)
{
	size_t size = utf8_decode(p, (size_t)(end - p), ret_code);

	return size ? size : 1;
}

void diag_source_locate(const struct diag_source *s, uint32_t offset, uint32_t *ret_line,
			uint32_t *ret_column)
{
	uint32_t line = source_line(s, offset), column = 1, code;
	const char *p = s->bytes + s->line_starts[line], *end = s->bytes + offset;

	while (p < end) {
		p += step(p, s->bytes + s->length, &code);
		column++;
	}
	*ret_line = line + 1;
	*ret_column = column;
}

void diag_list_init(struct diag_list *list)
{
	*list = (struct diag_list){0};
}

void diag_list_clear(struct diag_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].message);
	free(list->entries);
	diag_list_init(list);
}

int diag_list_promote(struct diag_list *list, const char *name)
{
	if (!name) {
		list->all_promoted = true;
		return 0;
	}
	if (list->promoted_count == DIAG_PROMOTE_MAX)
		return -TUYEN_ELIMIT;
	list->promoted[list->promoted_count++] = name;
	return 0;
}

static bool list_promotes(const struct diag_list *list, const char *name)
{
	if (list->all_promoted)
		return true;
	for (size_t i = 0; i < list->promoted_count; i++)
		if (strcmp(list->promoted[i], name) == 0)
			return true;
	return false;
}

int diag_list_ignore(struct diag_list *list, const char *name)
{
	if (!name) {
		list->all_ignored = true;
		return 0;
	}
	if (list->ignored_count == DIAG_PROMOTE_MAX)
		return -TUYEN_ELIMIT;
	list->ignored[list->ignored_count++] = name;
	return 0;
}

static bool list_ignores(const struct diag_list *list, const char *name)
{
	if (list->all_ignored)
		return true;
	for (size_t i = 0; i < list->ignored_count; i++)
		if (strcmp(list->ignored[i], name) == 0)
			return true;
	return false;
}

static bool list_reserve(struct diag_list *list)
{
	size_t capacity = list->capacity ? list->capacity * 2 : 16;
	struct diag *entries;

	if (list->count < list->capacity)
		return true;
	entries = realloc(list->entries, capacity * sizeof(*entries));
	if (!entries)
		return false;
	list->entries = entries;
	list->capacity = capacity;
	return true;
}

static void __attribute__((format(printf, 5, 0)))
list_add(struct diag_list *list, enum diag_severity severity, struct diag_place place,
	 const char *name, const char *format, va_list args)
{
	struct diag d = {.severity = severity, .name = name, .place = place};

	if (severity != DIAG_NOTE) {
		size_t *count = severity == DIAG_ERROR ? &list->error_count : &list->warning_count;

		list->dropping = ++*count > DIAG_SHOWN_MAX;
	}
	if (list->dropping)
		return;
	d.sequence = (uint32_t)list->count;
	if (!list_reserve(list) || vasprintf(&d.message, format, args) < 0) {
		list->failed = true;
		return;
	}
	list->entries[list->count++] = d;
}

void diag_error(struct diag_list *list, struct diag_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	list_add(list, DIAG_ERROR, place, NULL, format, args);
	va_end(args);
}

void diag_warning(struct diag_list *list, struct diag_place place, const char *name,
		  const char *format, ...)
{
	enum diag_severity severity = list_promotes(list, name) ? DIAG_ERROR : DIAG_WARNING;
	va_list args;

	if (list_ignores(list, name)) {
		list->dropping = true;
		return;
	}
	list->promoted_errors += severity == DIAG_ERROR;
	va_start(args, format);
	list_add(list, severity, place, name, format, args);
	va_end(args);
}

void diag_note(struct diag_list *list, struct diag_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	list_add(list, DIAG_NOTE, place, NULL, format, args);
	va_end(args);
}

bool diag_list_is_full(const struct diag_list *list)
{
	return list->error_count >= DIAG_SHOWN_MAX;
}

/* ---- order ---- */

struct ranked {
	uint32_t file, offset, sequence;
	struct diag diag;
};

static int ranked_compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void diag_list_sort(struct diag_list *list)
{
	struct ranked *ranked = calloc(list->count + 1, sizeof(*ranked));
	uint32_t file = 0, offset = 0;

	if (!ranked) {
		list->failed = true;
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct diag *d = &list->entries[i];

		if (d->severity != DIAG_NOTE) {
			file = d->place.source ? d->place.source->order : 0;
			offset = d->place.source ? d->place.offset : 0;
		}
		ranked[i] = (struct ranked){file, offset, d->sequence, *d};
	}
	qsort(ranked, list->count, sizeof(*ranked), ranked_compare);
	for (size_t i = 0; i < list->count; i++)
		list->entries[i] = ranked[i].diag;
	free(ranked);
}

/* ---- for people ---- */

static void print_visible(struct text *t, const char *p, const char *end)
{
	uint32_t code;

	while (p < end) {
		size_t size = utf8_decode(p, (size_t)(end - p), &code);

		if (!size || (code < 0x20 && code != '\t') || (code >= 0x7f && code < 0xa0))
			text_add_char(t, '?');
		else
			text_add_bytes(t, p, size);
		p += size ? size : 1;
	}
}

static void print_caret(struct text *t, const char *p, const char *place, const char *place_end,
			const char *end)
{
	uint32_t code;

	while (p < place) {
		p += step(p, end, &code);
		if (!utf8_is_combining(code))
			text_add_char(t, code == '\t' ? '\t' : ' ');
	}
	text_add_char(t, '^');
	if (p < end)
		p += step(p, end, &code);
	while (p < place_end && p < end) {
		p += step(p, end, &code);
		if (!utf8_is_combining(code))
			text_add_char(t, '~');
	}
}

static void print_excerpt(struct text *t, const struct diag_place *place)
{
	const struct diag_source *s = place->source;
	uint32_t line = source_line(s, place->offset);
	const char *start = s->bytes + s->line_starts[line];
	const char *end = line + 1 < s->line_count ? s->bytes + s->line_starts[line + 1] - 1
						   : s->bytes + s->length;

	if (end > start && end[-1] == '\r')
		end--;
	if (end - start > EXCERPT_BYTES_MAX)
		return;
	text_printf(t, "%5u | ", line + 1);
	print_visible(t, start, end);
	text_add(t, "\n      | ");
	print_caret(t, start, s->bytes + place->offset, s->bytes + place->offset + place->length,
		    end);
	text_add_char(t, '\n');
}

static void print_one(const struct diag *d, struct text *t)
{
	uint32_t line, column;

	if (d->place.source) {
		diag_source_locate(d->place.source, d->place.offset, &line, &column);
		text_printf(t, "%s:%u:%u: ", d->place.source->name, line, column);
	}
	text_printf(t, "%s: %s", severity_text[d->severity], d->message);
	if (d->name)
		text_printf(t, d->severity == DIAG_ERROR ? " [error=%s]" : " [%s]", d->name);
	text_add_char(t, '\n');
	if (d->place.source && d->place.source->length)
		print_excerpt(t, &d->place);
}

void diag_list_print(struct diag_list *list, struct text *ret_text)
{
	diag_list_sort(list);
	for (size_t i = 0; i < list->count; i++)
		print_one(&list->entries[i], ret_text);
	if (list->error_count > DIAG_SHOWN_MAX)
		text_printf(ret_text, "error: too many errors: %zu, the first %d are shown\n",
			    list->error_count, DIAG_SHOWN_MAX);
	if (list->warning_count > DIAG_SHOWN_MAX)
		text_printf(ret_text, "warning: too many warnings: %zu, the first %d are shown\n",
			    list->warning_count, DIAG_SHOWN_MAX);
	if (list->failed)
		text_add(ret_text, "error: out of memory: more may be wrong\n");
}

/* ---- for programs ---- */

static void print_json_fields(const struct diag *d, struct text *t)
{
	uint32_t line, column;

	text_add_char(t, '{');
	if (d->place.source) {
		diag_source_locate(d->place.source, d->place.offset, &line, &column);
		text_add(t, "\"file\":");
		text_add_json_string(t, d->place.source->name);
		text_printf(t, ",\"line\":%u,\"column\":%u,", line, column);
	}
	text_printf(t, "\"severity\":\"%s\",", severity_text[d->severity]);
	if (d->name)
		text_printf(t, "\"name\":\"%s\",", d->name);
	text_add(t, "\"message\":");
	text_add_json_string(t, d->message);
}

/* Prints entry @i with the notes that follow it. @return the index after them. */
static size_t print_json_group(const struct diag_list *list, size_t i, struct text *t)
{
	bool first = true;

	print_json_fields(&list->entries[i++], t);
	text_add(t, ",\"notes\":[");
	for (; i < list->count && list->entries[i].severity == DIAG_NOTE; i++) {
		text_add(t, first ? "" : ",");
		print_json_fields(&list->entries[i], t);
		text_add_char(t, '}');
		first = false;
	}
	text_add(t, "]}");
	return i;
}

void diag_list_print_json(struct diag_list *list, struct text *ret_text)
{
	size_t i = 0;

	diag_list_sort(list);
	text_add_char(ret_text, '[');
	while (i < list->count) {
		text_add(ret_text, i ? "," : "");
		i = print_json_group(list, i, ret_text);
	}
	text_add_char(ret_text, ']');
}
