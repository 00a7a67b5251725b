/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_LINES_H
#define TUYEN_POLICIES_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/err.h"

/**
 * Reads texts that have one canonical form: "keyword value\n" a line, printable, in a fixed order. The first
 * thing wrong is kept with its place; later reads then give empty values, so that a parser may check once.
 */
struct line_reader {
	const char *what; /* "roster", for the reason */
	const char *bytes;
	size_t length;
	size_t offset;
	unsigned int line; /* last one read, from 1 */
	bool failed;
	struct reason *reason;
};

#define LINE_VALUE_MAX 512 /* with the NUL */

void line_reader_init(struct line_reader *r, const char *what, const char *bytes, size_t length,
		      struct reason *reason);
bool line_at_end(const struct line_reader *r);
/** Is the next line one of @keyword? */
bool line_next_is(const struct line_reader *r, const char *keyword);
/** Reads a line "@keyword VALUE". Each of these gives "" or 0 when it failed. */
void line_read(struct line_reader *r, const char *keyword, char ret_value[static LINE_VALUE_MAX]);
/** Without leading zeros, within @min..@max. */
uint64_t line_read_u64(struct line_reader *r, const char *keyword, uint64_t min, uint64_t max);
/** Lower-case, exactly @length bytes. */
void line_read_hex(struct line_reader *r, const char *keyword, size_t length, uint8_t *ret_bytes);
/** RFC 3339 in UTC, seconds since 1970. */
int64_t line_read_time(struct line_reader *r, const char *keyword);
/** Notes "WHAT, line N: MESSAGE" unless something failed before. */
void line_fail(struct line_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** All read, nothing left over? @return 0 or -TUYEN_EINVAL. */
int line_finish(struct line_reader *r);

#endif
