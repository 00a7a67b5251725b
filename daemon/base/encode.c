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

/* @return @value, and 0 for a @d that is not from @first to @last. */
static inline int16_t base64_range(int16_t d, char first, char last, int value)
{
	int16_t above = (int16_t)(first - 1 - d), below = (int16_t)(d - (last + 1));

	return (int16_t)((int16_t)(above & below) >> 8) & (int16_t)value;
}

/* @return -1 for what is no digit. */
static inline int16_t base64_value(int16_t d)
{
	return (int16_t)(base64_range(d, 'A', 'Z', d - 64) + base64_range(d, 'a', 'z', d - 70) +
			 base64_range(d, '0', '9', d + 5) + base64_range(d, '+', '+', 63) +
			 base64_range(d, '/', '/', 64) - 1);
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

#define PAIRS(a)                                                                                   \
	a "A" a "B" a "C" a "D" a "E" a "F" a "G" a "H" a "I" a "J" a "K" a "L" a "M" a "N" a      \
	  "O" a "P" a "Q" a "R" a "S" a "T" a "U" a "V" a "W" a "X" a "Y" a "Z" a "a" a "b" a      \
	  "c" a "d" a "e" a "f" a "g" a "h" a "i" a "j" a "k" a "l" a "m" a "n" a "o" a "p" a      \
	  "q" a "r" a "s" a "t" a "u" a "v" a "w" a "x" a "y" a "z" a "0" a "1" a "2" a "3" a      \
	  "4" a "5" a "6" a "7" a "8" a "9" a "+" a "/"

/* What twelve bits are in base64: two characters each. */
static const char base64_pairs[] = PAIRS("A") PAIRS("B") PAIRS("C") PAIRS("D") PAIRS("E") PAIRS("F")
    PAIRS("G") PAIRS("H") PAIRS("I") PAIRS("J") PAIRS("K") PAIRS("L") PAIRS("M") PAIRS("N")
	PAIRS("O") PAIRS("P") PAIRS("Q") PAIRS("R") PAIRS("S") PAIRS("T") PAIRS("U") PAIRS("V")
	    PAIRS("W") PAIRS("X") PAIRS("Y") PAIRS("Z") PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d")
		PAIRS("e") PAIRS("f") PAIRS("g") PAIRS("h") PAIRS("i") PAIRS("j") PAIRS("k")
		    PAIRS("l") PAIRS("m") PAIRS("n") PAIRS("o") PAIRS("p") PAIRS("q") PAIRS("r")
			PAIRS("s") PAIRS("t") PAIRS("u") PAIRS("v") PAIRS("w") PAIRS("x") PAIRS("y")
			    PAIRS("z") PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3") PAIRS("4")
				PAIRS("5") PAIRS("6") PAIRS("7") PAIRS("8") PAIRS("9") PAIRS("+")
				    PAIRS("/");

char *wg_key_put(const uint8_t key[static WG_KEY_LEN], char *out)
{
	const uint8_t *k = key;
	uint32_t v;

	for (int i = 0; i < 10; i++, k += 3, out += 4) {
		v = (uint32_t)k[0] << 16 | (uint32_t)k[1] << 8 | k[2];
		memcpy(out, base64_pairs + 2 * (v >> 12), 2);
		memcpy(out + 2, base64_pairs + 2 * (v & 4095), 2);
	}
	v = (uint32_t)k[0] << 16 | (uint32_t)k[1] << 8;
	memcpy(out, base64_pairs + 2 * (v >> 12), 2);
	out[2] = base64_pairs[2 * (v & 4095)];
	out[3] = '=';
	return out + 4;
}

int wg_key_parse(const char *string, uint8_t ret_key[static WG_KEY_LEN])
{
	int16_t values[48];
	char digits[48] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	uint8_t key[33];
	int16_t bad = 0;

	if (strnlen(string, WG_KEY_STRLEN) != WG_KEY_STRLEN - 1 || string[43] != '=')
		return -TUYEN_EINVAL;
	memcpy(digits, string, 43);
	digits[47] = 'A';
	for (int i = 0; i < 48; i++)
		values[i] = base64_value((unsigned char)digits[i]);
	for (int i = 0; i < 48; i++) {
		bad |= values[i];
		values[i] &= 63;
	}
	for (int i = 0; i < 11; i++) {
		const int16_t *v = values + 4 * i;

		key[3 * i] = (uint8_t)(v[0] << 2 | v[1] >> 4);
		key[3 * i + 1] = (uint8_t)(v[1] << 4 | v[2] >> 2);
		key[3 * i + 2] = (uint8_t)(v[2] << 6 | v[3]);
	}
	bad = (bad < 0) | (key[32] != 0);
	if (!bad)
		memcpy(ret_key, key, WG_KEY_LEN);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(values, sizeof(values));
	explicit_bzero(digits, sizeof(digits));
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
