/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/padded_limit.h"

void padded_limit_init(struct padded_limit *l, uint64_t secret, struct monotime now)
{
	*l = (struct padded_limit){.secret = secret, .bytes = PADDED_LIMIT_BYTES, .since = now};
}

/* Mixed as splitmix64 does: from who is answered when, the secret is not to be guessed. */
static size_t slot_of(const struct padded_limit *l, ipv4_t source)
{
	uint64_t x = l->secret + source * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (size_t)(x ^ x >> 31) % PADDED_LIMIT_SOURCES;
}

static void refill(struct padded_limit *l, struct monotime now)
{
	uint64_t us = monotime_between(l->since, now);

	l->since = now;
	if (us >= (PADDED_LIMIT_BYTES - l->bytes) / PADDED_LIMIT_RATE)
		l->bytes = PADDED_LIMIT_BYTES;
	else
		l->bytes += us * PADDED_LIMIT_RATE;
}

bool padded_limit_take(struct padded_limit *l, ipv4_t source, size_t length, struct monotime now)
{
	size_t slot = slot_of(l, source);
	struct monotime paid = now;

	if (l->source[slot] == source && monotime_before(now, l->paid_until[slot]))
		paid = l->paid_until[slot];
	if (monotime_between(now, paid) > (PADDED_LIMIT_BURST - 1) * PADDED_LIMIT_GAP_US)
		return false;
	refill(l, now);
	if (length > l->bytes)
		return false;
	l->bytes -= length;
	l->source[slot] = source;
	l->paid_until[slot] = monotime_after(paid, PADDED_LIMIT_GAP_US);
	return true;
}
