/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_UTF8_H
#define TUYEN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * One code point of valid UTF-8 (RFC 3629) at @bytes, of which @length (> 0) may be read.
 * @return its bytes, 1..4; 0 when there is none, and then *@ret_code is 0xfffd.
 */
static inline size_t utf8_decode(const char *bytes, size_t length, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)bytes;
	size_t size = s[0] < 0x80   ? 1
		      : s[0] < 0xc2 ? 0
		      : s[0] < 0xe0 ? 2
		      : s[0] < 0xf0 ? 3
		      : s[0] < 0xf5 ? 4
				    : 0;
	uint32_t code = size > 1 ? s[0] & (0x7fu >> size) : s[0];

	*ret_code = 0xfffd;
	if (!size || size > length)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return size;
}

/** Does it take no column of its own: a combining mark, as in decomposed Vietnamese? */
static inline bool utf8_is_combining(uint32_t code)
{
	return (code >= 0x300 && code <= 0x36f) || (code >= 0x1ab0 && code <= 0x1aff) ||
	       (code >= 0x20d0 && code <= 0x20ff) || (code >= 0xfe20 && code <= 0xfe2f);
}

/** C0, DEL and C1: what moves a terminal's cursor or ends a line. */
static inline bool utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

/** Does it take no room (Unicode's Default_Ignorable_Code_Point), or reorder what stands beside it? */
static inline bool utf8_is_deceptive(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
	    {0xad, 0xad},	{0x34f, 0x34f},	  {0x61c, 0x61c},     {0x115f, 0x1160},
	    {0x17b4, 0x17b5},	{0x180b, 0x180f}, {0x200b, 0x200f},   {0x202a, 0x202e},
	    {0x2060, 0x206f},	{0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
	    {0xffa0, 0xffa0},	{0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0xe0fff},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && code >= ranges[i].first; i++)
		if (code <= ranges[i].last)
			return true;
	return false;
}

/** May it be shown to a person as it is? */
static inline bool utf8_is_shown(uint32_t code)
{
	return !utf8_is_control(code) && !utf8_is_deceptive(code);
}

#endif
