/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_TEXT_H
#define TUYEN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * A growing string. @bytes is NUL-terminated once anything was added (NULL before).
 * A failed allocation sets @failed for good; later additions are ignored, so a
 * writer may check once at the end.
 */
struct text {
	char *bytes;
	size_t length;
	size_t capacity;
	bool failed;
};

void text_init(struct text *t);
void text_clear(struct text *t);
/** Makes it empty and keeps the memory. */
void text_reset(struct text *t);
void text_add_u64(struct text *t, uint64_t value);
/** Room for @more bytes and the NUL. @return where they go; NULL without memory, now or before. */
char *text_grow(struct text *t, size_t more);
static inline char *text_reserve(struct text *t, size_t more)
{
	if (more < t->capacity - t->length && !t->failed)
		return t->bytes + t->length;
	return text_grow(t, more);
}

/* In the header: a country's bundles are ten million small pieces, most of them of known length. */
static inline void text_add_bytes(struct text *t, const void *bytes, size_t length)
{
	char *end = text_reserve(t, length);

	if (!end)
		return;
	if (length)
		memcpy(end, bytes, length);
	end[length] = '\0';
	t->length += length;
}

static inline void text_add(struct text *t, const char *string)
{
	text_add_bytes(t, string, strlen(string));
}

static inline void text_add_char(struct text *t, char c)
{
	text_add_bytes(t, &c, 1);
}

void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Adds @string as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_add_json_string(struct text *t, const char *string);
/** Adds @string for a terminal: lines and tabs as they are, a '?' for what it would obey and for what hides (utf8.h). */
void text_add_shown(struct text *t, const char *string);
/** @return the NUL-terminated string, "" while empty; borrowed. */
const char *text_string(const struct text *t);

#endif
