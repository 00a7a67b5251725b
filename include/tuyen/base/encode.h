/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_ENCODE_H
#define TUYEN_BASE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include <string.h>

#define WG_KEY_LEN    32
#define WG_KEY_STRLEN 45 /* base64 with the NUL, as wg(8) prints it */

/** A WireGuard key in base64 (RFC 4648), as wg(8) prints it. */
const char *wg_key_format(const uint8_t key[static WG_KEY_LEN], char out[static WG_KEY_STRLEN]);
/** The same for a public key, in a quarter of the time and without a NUL. @return what follows its 44 characters. */
char *wg_key_put(const uint8_t key[static WG_KEY_LEN], char *out);
/** Strict: 44 characters, canonical padding bits. @return 0 or -TUYEN_EINVAL. */
int wg_key_parse(const char *string, uint8_t ret_key[static WG_KEY_LEN]);

/** "00" to "99", one after the other. */
extern const char decimal_pairs[201];

/** A decimal number below 10,000: its digits, or four with zeros in front. */
static inline char *decimal_put_short(char *out, uint32_t value)
{
	if (value >= 1000) {
		memcpy(out, decimal_pairs + 2 * (value / 100), 2);
		out += 2;
	} else if (value >= 100) {
		*out++ = (char)('0' + value / 100);
	} else if (value < 10) {
		*out = (char)('0' + value);
		return out + 1;
	}
	memcpy(out, decimal_pairs + 2 * (value % 100), 2);
	return out + 2;
}
static inline char *decimal_put_four(char *out, uint32_t value)
{
	memcpy(out, decimal_pairs + 2 * (value / 100), 2);
	memcpy(out + 2, decimal_pairs + 2 * (value % 100), 2);
	return out + 4;
}

/** Decimal digits without a NUL, ten at most. @return what follows them. In the header: a country's bundles hold five
 * million numbers. */
static inline char *decimal_put(char *out, uint32_t value)
{
	if (value < 10000)
		return decimal_put_short(out, value);
	if (value < 100000000)
		out = decimal_put_short(out, value / 10000);
	else
		out = decimal_put_four(decimal_put_short(out, value / 100000000),
				       value / 10000 % 10000);
	return decimal_put_four(out, value % 10000);
}

/** Lower-case hex with a NUL: @out has 2 * @length + 1 bytes. @return @out. */
const char *hex_format(const void *bytes, size_t length, char *out);
/** Exactly 2 * @length lower-case digits and then the NUL. @return 0 or -TUYEN_EINVAL. */
int hex_parse(const char *string, size_t length, void *ret_bytes);

#endif
