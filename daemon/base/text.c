/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/utf8.h"

void text_init(struct text *t)
{
	*t = (struct text){0};
}

void text_clear(struct text *t)
{
	free(t->bytes);
	text_init(t);
}

void text_reset(struct text *t)
{
	t->length = 0;
	t->failed = false;
	if (t->bytes)
		t->bytes[0] = '\0';
}

char *text_grow(struct text *t, size_t more)
{
	size_t capacity = t->capacity ? t->capacity : 256;
	char *bytes;

	if (t->failed || more >= SIZE_MAX / 2 - t->length) {
		t->failed = true;
		return NULL;
	}
	while (capacity < t->length + more + 1)
		capacity *= 2;
	bytes = realloc(t->bytes, capacity);
	if (!bytes) {
		t->failed = true;
		return NULL;
	}
	t->bytes = bytes;
	t->capacity = capacity;
	return bytes + t->length;
}

static unsigned int digit_count(uint64_t value)
{
	unsigned int n = 1;

	for (; value >= 10; value /= 10)
		n++;
	return n;
}

void text_add_u64(struct text *t, uint64_t value)
{
	unsigned int n = digit_count(value);
	char *digits = text_reserve(t, n);

	if (!digits)
		return;
	t->length += n;
	digits[n] = '\0';
	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (n);
}

void text_printf(struct text *t, const char *format, ...)
{
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		t->failed = true;
	else if (text_reserve(t, (size_t)length)) {
		vsnprintf(t->bytes + t->length, (size_t)length + 1, format, again);
		t->length += (size_t)length;
	}
	va_end(again);
}

/* Length of the valid UTF-8 sequence at @s (RFC 3629), 0 if there is none. */
static size_t utf8_sequence(const unsigned char *s)
{
	size_t length;
	uint32_t min, code;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] < 0xe0)
		length = 2, min = 0x80, code = s[0] & 0x1f;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		length = 3, min = 0x800, code = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		length = 4, min = 0x10000, code = s[0] & 0x07;
	else
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return length;
}

void text_add_json_string(struct text *t, const char *string)
{
	const unsigned char *s = (const unsigned char *)string;

	text_add_char(t, '"');
	while (*s) {
		size_t length = utf8_sequence(s);

		if (!length) {
			text_add(t, "\xef\xbf\xbd");
			s++;
			continue;
		}
		if (*s == '"' || *s == '\\')
			text_printf(t, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			text_printf(t, "\\u%04x", *s);
		else
			text_add_bytes(t, s, length);
		s += length;
	}
	text_add_char(t, '"');
}

void text_add_shown(struct text *t, const char *string)
{
	size_t left = strlen(string), size;

	for (; left; string += size, left -= size) {
		uint32_t code;
		bool shown;

		size = utf8_decode(string, left, &code);
		shown = size && (utf8_is_shown(code) || code == '\n' || code == '\t');
		size = size ? size : 1;
		text_add_bytes(t, shown ? string : "?", shown ? size : 1);
	}
}

const char *text_string(const struct text *t)
{
	return t->bytes ? t->bytes : "";
}
