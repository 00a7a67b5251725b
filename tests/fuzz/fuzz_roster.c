/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/roster.c policies/statement.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c
// libs: -lcrypto
/* A roster that is read is written again as it was, keeps its own rules, and no stray signature
 * counts. */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void rules_check(const struct roster *roster)
{
	if (!roster->version || !roster->threshold || roster->threshold > roster->officer_count ||
	    roster->officer_count > ROSTER_OFFICERS_MAX)
		abort();
	for (size_t i = 1; i < roster->officer_count; i++)
		if (strcmp(roster->officers[i - 1].name, roster->officers[i].name) >= 0)
			abort();
}

static void signature_try(const struct roster *roster, const uint8_t *bytes, size_t length)
{
	const struct signature stray = {
	    .name = roster->officers[0].name,
	    .name_length = strlen(roster->officers[0].name),
	    .bytes = bytes,
	    .length = length < SIGNATURE_MAX ? length : SIGNATURE_MAX,
	};
	struct roster next;

	if (roster_follow(roster, (const char *)bytes, length, &stray, 1, &next, NULL) >= 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct roster roster;
	struct text again = {0};
	struct reason why = {""};
	int err = roster_parse((const char *)bytes, length, &roster, &why);

	if (err < 0) {
		if (!why.text[0])
			abort();
		return 0;
	}
	rules_check(&roster);
	roster_encode(&roster, &again);
	if (again.length != length || memcmp(again.bytes, bytes, length) != 0)
		abort();
	text_clear(&again);
	signature_try(&roster, bytes, length);
	return 0;
}
