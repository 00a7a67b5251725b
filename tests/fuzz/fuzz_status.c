/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/snmp/mib.c daemon/snmp/mib_tables.c daemon/snmp/mib_load.c daemon/snmp/mib_date.c
// link: daemon/base/text.c daemon/base/err.c
// libs: -ljansson
/* A status document that is read a row at a time is taken if the library takes it whole, and its rows stand in order. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/snmp/mib.h"

#define DEEP 1000 /* the library counts from where it begins */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool is_deep(const uint8_t *bytes, size_t length)
{
	size_t open = 0;

	for (size_t i = 0; i < length; i++)
		open += bytes[i] == '[' || bytes[i] == '{';
	return open > DEEP;
}

static bool taken_whole(const uint8_t *bytes, size_t length)
{
	json_t *document = json_loadb((const char *)bytes, length, 0, NULL);
	bool taken = json_is_object(document) &&
		     json_integer_value(json_object_get(document, "format")) == 1 &&
		     !memchr(bytes, 0, length); /* the library takes some of those */

	json_decref(document);
	return taken;
}

static void rows_check(const struct mib *mib)
{
	uint32_t oid[MIB_OID_MAX], next[MIB_OID_MAX];
	size_t length = 0, next_length;
	struct mib_value value;

	while (!mib_next(mib, oid, length, next, &next_length, &value)) {
		if (length && mib_oid_compare(oid, length, next, next_length) >= 0)
			abort();
		memcpy(oid, next, sizeof(oid));
		length = next_length;
		if (mib_get(mib, oid, length, &value) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	bool whole = taken_whole(bytes, length);
	struct reason reason = {""};
	struct mib mib;
	int err = mib_load((const char *)bytes, length, &mib, &reason);

	if (err < 0 && !reason.text[0])
		abort();
	if ((err == 0) != whole && !is_deep(bytes, length))
		abort();
	if (err < 0)
		return 0;
	rows_check(&mib);
	mib_clear(&mib);
	return 0;
}
