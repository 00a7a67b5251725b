/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_TEXT_H
#define TUYEN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
void text_add(struct text *t, const char *string);
void text_add_bytes(struct text *t, const void *bytes, size_t length);
void text_add_char(struct text *t, char c);
void text_add_u64(struct text *t, uint64_t value);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Adds @string as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void text_add_json_string(struct text *t, const char *string);
/** Adds @string for a terminal: lines and tabs as they are, a '?' for what it would obey and for what hides (utf8.h). */
void text_add_shown(struct text *t, const char *string);
/** @return the NUL-terminated string, "" while empty; borrowed. */
const char *text_string(const struct text *t);

#endif
