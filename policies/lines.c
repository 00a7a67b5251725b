/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/utf8.h"
#include "tuyen/policies/statement.h"

void line_reader_init(struct line_reader *r, const char *what, const char *bytes, size_t length,
		      struct reason *reason)
{
	*r = (struct line_reader){.what = what, .bytes = bytes, .length = length, .reason = reason};
}

void line_fail(struct line_reader *r, const char *format, ...)
{
	char message[256];
	va_list args;

	if (r->failed)
		return;
	r->failed = true;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	reason_set(r->reason, -TUYEN_EINVAL, "%s, line %u: %s", r->what, r->line, message);
}

bool line_at_end(const struct line_reader *r)
{
	return r->failed || r->offset == r->length;
}

bool line_next_is(const struct line_reader *r, const char *keyword)
{
	size_t n = strlen(keyword);

	return !r->failed && r->length - r->offset > n &&
	       memcmp(r->bytes + r->offset, keyword, n) == 0 && r->bytes[r->offset + n] == ' ';
}

/* An officer reads it before he signs: nothing that hides, or that a terminal obeys. */
static bool printable(const char *s, size_t length)
{
	for (size_t i = 0, size; i < length; i += size) {
		uint32_t code;

		size = utf8_decode(s + i, length - i, &code);
		if (!size || !utf8_is_shown(code))
			return false;
	}
	return true;
}

void line_read(struct line_reader *r, const char *keyword, char ret_value[static LINE_VALUE_MAX])
{
	size_t skip = strlen(keyword) + 1, length;
	const char *start, *end;

	ret_value[0] = '\0';
	r->line++;
	if (!line_next_is(r, keyword)) {
		line_fail(r, "expected '%s'", keyword);
		return;
	}
	start = r->bytes + r->offset + skip;
	end = memchr(start, '\n', r->length - r->offset - skip);
	length = end ? (size_t)(end - start) : 0;
	if (!end || !length || length >= LINE_VALUE_MAX || !printable(start, length)) {
		line_fail(r, "the value of '%s' is %s", keyword,
			  !end			     ? "cut off"
			  : !length		     ? "empty"
			  : length >= LINE_VALUE_MAX ? "too long"
						     : "not text");
		return;
	}
	memcpy(ret_value, start, length);
	ret_value[length] = '\0';
	r->offset += skip + length + 1;
}

uint64_t line_read_u64(struct line_reader *r, const char *keyword, uint64_t min, uint64_t max)
{
	char value[LINE_VALUE_MAX];
	uint64_t number = 0;
	const char *p = value;

	line_read(r, keyword, value);
	while (*p >= '0' && *p <= '9' && p - value < 19)
		number = number * 10 + (uint64_t)(*p++ - '0');
	if (p == value || *p || (value[0] == '0' && value[1]) || number < min || number > max)
		line_fail(r, "'%s' is not a number in %llu..%llu", keyword, (unsigned long long)min,
			  (unsigned long long)max);
	return r->failed ? 0 : number;
}

void line_read_hex(struct line_reader *r, const char *keyword, size_t length, uint8_t *ret_bytes)
{
	char value[LINE_VALUE_MAX];

	memset(ret_bytes, 0, length);
	line_read(r, keyword, value);
	if (hex_parse(value, length, ret_bytes) < 0)
		line_fail(r, "'%s' is not %zu lower-case hex digits", keyword, 2 * length);
}

int64_t line_read_time(struct line_reader *r, const char *keyword)
{
	char value[LINE_VALUE_MAX];
	int64_t seconds = 0;

	line_read(r, keyword, value);
	if (rfc3339_parse(value, &seconds) < 0)
		line_fail(r, "'%s' is not a time like 2025-01-31T08:00:00Z", keyword);
	return seconds;
}

int line_finish(struct line_reader *r)
{
	r->line++;
	if (!r->failed && r->offset != r->length)
		line_fail(r, "unexpected text");
	return r->failed ? -TUYEN_EINVAL : 0;
}
