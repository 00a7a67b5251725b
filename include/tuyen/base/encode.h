/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_ENCODE_H
#define TUYEN_BASE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#define WG_KEY_LEN    32
#define WG_KEY_STRLEN 45 /* base64 with the NUL, as wg(8) prints it */

/** A WireGuard key in base64 (RFC 4648), as wg(8) prints it. */
const char *wg_key_format(const uint8_t key[static WG_KEY_LEN], char out[static WG_KEY_STRLEN]);
/** Strict: 44 characters, canonical padding bits. @return 0 or -TUYEN_EINVAL. */
int wg_key_parse(const char *string, uint8_t ret_key[static WG_KEY_LEN]);

/** Lower-case hex with a NUL: @out has 2 * @length + 1 bytes. @return @out. */
const char *hex_format(const void *bytes, size_t length, char *out);
/** Exactly 2 * @length lower-case digits and then the NUL. @return 0 or -TUYEN_EINVAL. */
int hex_parse(const char *string, size_t length, void *ret_bytes);

#endif
