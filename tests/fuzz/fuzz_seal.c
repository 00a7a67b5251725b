/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/seal.c policies/seal_encode.c
// link: policies/roster.c policies/statement.c policies/merkle.c policies/lines.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/text.c daemon/base/wire.c
// libs: -lcrypto
/*
 * The one reader of bytes that nobody vouched for. What it takes it must write again as it was;
 * what the verifier lets through must be the bundle of site 901 that the kept corpus holds, signed
 * with keys known to tests alone.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char roster[] =
    "tuyen-roster 1\nversion 1\nthreshold 2\nissued 2025-01-31T08:00:00Z\n"
    "officer an ed25519 MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\n"
    "officer chi ed25519 MCowBQYDK2VwAyEA7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E=\n";
static const char bundle[] =
    "tuyen-bundle 1\nsite 901 name-901 commune\nroute\nroute\nroute\nroute\nroute\n";

static void decode_run(const uint8_t *bytes, size_t length)
{
	static struct seal_parts parts;
	struct text again = {0};
	struct reason why = {""};
	int err = seal_decode(bytes, length, &parts, &why);

	if (err < 0) {
		if (!why.text[0])
			abort();
		return;
	}
	seal_encode(&parts, &again);
	if (again.failed || again.length != length || memcmp(again.bytes, bytes, length) != 0)
		abort();
	text_clear(&again);
}

static void verify_run(const uint8_t *bytes, size_t length)
{
	static struct seal_result result;
	struct seal_trust trust = {
	    .roster = roster, .roster_length = strlen(roster), .site_id = 901};
	struct reason why = {""};
	int err = seal_verify(bytes, length, &trust, &result, &why);

	if (err < 0 && !why.text[0])
		abort();
	if (err == 0 && (result.bundle_length != strlen(bundle) ||
			 memcmp(result.bundle, bundle, strlen(bundle)) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	decode_run(bytes, length);
	verify_run(bytes, length);
	return 0;
}
