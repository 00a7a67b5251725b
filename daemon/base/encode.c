/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/base/encode.h"

#include <string.h>

#include "tuyen/base/err.h"

const char decimal_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/*
 * Without branches or table look-ups that depend on the key: these bytes may be private.
 */
static inline char base64_digit(int16_t d)
{
	int16_t lower = (int16_t)(25 - d) >> 15, number = (int16_t)(51 - d) >> 15;
	int16_t plus = (int16_t)(61 - d) >> 15, slash = (int16_t)(62 - d) >> 15;

	return (char)(d + 'A' + (lower & 6) - (number & 75) - (plus & 15) + (slash & 3));
}

static int base64_value(char c)
{
	int d = (unsigned char)c, v = -1;

	v += ((('A' - 1 - d) & (d - ('Z' + 1))) >> 8) & (d - 64);
	v += ((('a' - 1 - d) & (d - ('z' + 1))) >> 8) & (d - 70);
	v += ((('0' - 1 - d) & (d - ('9' + 1))) >> 8) & (d + 5);
	v += ((('+' - 1 - d) & (d - ('+' + 1))) >> 8) & 63;
	v += ((('/' - 1 - d) & (d - ('/' + 1))) >> 8) & 64;
	return v;
}

const char *wg_key_format(const uint8_t key[static WG_KEY_LEN], char out[static WG_KEY_STRLEN])
{
	uint8_t padded[33] = {0};
	int16_t values[48] = {0};
	char digits[48];

	memcpy(padded, key, WG_KEY_LEN);
	for (int i = 0; i < 11; i++) {
		uint32_t v = (uint32_t)padded[3 * i] << 16 | (uint32_t)padded[3 * i + 1] << 8 |
			     padded[3 * i + 2];

		for (int j = 0; j < 4; j++)
			values[4 * i + j] = (int16_t)(v >> (18 - 6 * j) & 63);
	}
	for (int i = 0; i < 48; i++) /* a vector's worth at a time */
		digits[i] = base64_digit(values[i]);
	memcpy(out, digits, 43);
	out[43] = '=';
	out[44] = '\0';
	explicit_bzero(padded, sizeof(padded));
	explicit_bzero(values, sizeof(values));
	explicit_bzero(digits, sizeof(digits));
	return out;
}

char *wg_key_put(const uint8_t key[static WG_KEY_LEN], char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *k = key;

	for (int i = 0; i < 10; i++, k += 3) {
		uint32_t v = (uint32_t)k[0] << 16 | (uint32_t)k[1] << 8 | k[2];

		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = digits[v >> 6 & 63];
		*out++ = digits[v & 63];
	}
	*out++ = digits[k[0] >> 2];
	*out++ = digits[(k[0] << 4 & 63) | k[1] >> 4];
	*out++ = digits[k[1] << 2 & 63];
	*out++ = '=';
	return out;
}

int wg_key_parse(const char *string, uint8_t ret_key[static WG_KEY_LEN])
{
	uint8_t key[33];
	int bad = 0;

	if (strnlen(string, WG_KEY_STRLEN) != WG_KEY_STRLEN - 1 || string[43] != '=')
		return -TUYEN_EINVAL;
	for (int i = 0; i < 11; i++) {
		uint32_t v = 0;

		for (int j = 0; j < 4; j++) {
			int digit = 4 * i + j == 43 ? 0 : base64_value(string[4 * i + j]);

			bad |= digit;
			v = v << 6 | ((uint32_t)digit & 63);
		}
		key[3 * i] = (uint8_t)(v >> 16);
		key[3 * i + 1] = (uint8_t)(v >> 8);
		key[3 * i + 2] = (uint8_t)v;
	}
	bad = (bad < 0) | (key[32] != 0);
	if (!bad)
		memcpy(ret_key, key, WG_KEY_LEN);
	explicit_bzero(key, sizeof(key));
	return bad ? -TUYEN_EINVAL : 0;
}

const char *hex_format(const void *bytes, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *in = bytes;

	for (size_t i = 0; i < length; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[2 * length] = '\0';
	return out;
}

/* What a digit is worth, and one more; 0: it is none. */
static const uint8_t hex_values[256] = {
    ['0'] = 1, ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

int hex_parse(const char *string, size_t length, void *ret_bytes)
{
	const unsigned char *in = (const unsigned char *)string;
	uint8_t *out = ret_bytes;

	if (strnlen(string, 2 * length + 1) != 2 * length)
		return -TUYEN_EINVAL;
	for (size_t i = 0; i < 2 * length; i++)
		if (!hex_values[in[i]])
			return -TUYEN_EINVAL;
	for (size_t i = 0; i < length; i++)
		out[i] =
		    (uint8_t)((hex_values[in[2 * i]] - 1) << 4 | (hex_values[in[2 * i + 1]] - 1));
	return 0;
}
