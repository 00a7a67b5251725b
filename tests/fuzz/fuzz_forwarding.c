/* SPDX-License-Identifier: Apache-2.0 */
// link: topology/forwarding.c topology/forwarding_codec.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
/* A bundle that is taken is written again with the same bytes; one that is refused says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/topology/forwarding.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct reason why = {{0}};
	struct forwarding f;
	struct text again;

	if (forwarding_parse((const char *)bytes, length, &f, &why)) {
		if (!why.text[0])
			abort();
		return 0;
	}
	text_init(&again);
	forwarding_encode(&f, &again);
	if (again.length != length || memcmp(again.bytes, bytes, length))
		abort();
	text_clear(&again);
	forwarding_clear(&f);
	return 0;
}
