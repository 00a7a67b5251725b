/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/bfd.c daemon/core/bfd_packet.c daemon/core/message.c daemon/base/wire.c
/*
 * A BFD session's whole life from bytes: the first byte is its role, then records of
 * {what, argument, 26 bytes of a datagram}: hear it, let time pass, change the timers, starve, go AdminDown. After
 * each, what must always hold is asserted.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/bfd.h"
#include "tuyen/core/message.h"

#define RECORD_BYTES 28
#define LOCAL	     0x01010101u
#define REMOTE	     0x02020202u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Discriminators of four equal bytes 1 or 2 are hard to guess: a flag byte sets them right. */
static size_t datagram_make(const uint8_t *record, uint8_t out[26])
{
	memcpy(out, record + 2, 26);
	if (record[1] & 1)
		memset(out + 4, 2, 4);
	if (record[1] & 2)
		memset(out + 8, 1, 4);
	if (record[1] & 4) {
		out[0] = (uint8_t)(0x20 | (out[0] & 0x1f));
		out[3] = 24;
		out[1] &= (uint8_t)~5u;
	}
	return record[1] & 8 ? record[1] >> 4 : 26;
}

static void sent_check(const struct bfd_session *s, const struct bfd_packet *p)
{
	uint8_t out[BFD_PACKET_BYTES];
	struct bfd_packet again, reply, second;

	assert(!(p->poll && p->final));
	assert(p->my_discriminator == LOCAL && p->state == s->state);
	assert(p->state == BFD_STATE_UP || p->desired_min_tx_us >= BFD_SLOW_INTERVAL_US);
	bfd_packet_encode(p, out);
	/* a Down session may have forgotten the remote, and an Up one may not */
	assert(bfd_packet_decode(out, sizeof(out), &again) == BFD_ACCEPT);
	assert(again.desired_min_tx_us == p->desired_min_tx_us && again.state == p->state);
	if (bfd_reflect(&again, REMOTE, 1000, &reply) == BFD_ACCEPT)
		assert(bfd_reflect(&reply, LOCAL, 1000, &second) == BFD_DROP_NOT_REFLECTED);
}

static void settle(struct bfd_session *s, struct monotime now, bool starved)
{
	struct bfd_step step;
	int sends = 0;

	do {
		enum bfd_state before = s->state;

		step = bfd_session_step(s, now, starved);
		assert(step.changed || s->state == before);
		if (step.send) {
			sent_check(s, &step.packet);
			assert(++sends <= 3);
		}
	} while (step.send);
	assert(monotime_before(now, bfd_session_deadline(s)));
	assert(s->state != BFD_STATE_UP || s->detect_at.us != MONOTIME_NEVER.us);
	assert(s->tx_interval_us >= s->applied_tx_us);
	assert(s->state <= BFD_STATE_UP);
}

static void hear(struct bfd_session *s, const uint8_t *record, struct monotime now)
{
	uint8_t datagram[26];
	size_t length = datagram_make(record, datagram);
	uint8_t *exact = malloc(length ? length : 1), again[BFD_PACKET_BYTES];
	struct bfd_packet p, reply;

	assert(exact);
	memcpy(exact, datagram, length);
	if (bfd_packet_decode(exact, length, &p) == BFD_ACCEPT) {
		bfd_packet_encode(&p, again);
		again[3] = exact[3];
		assert(!memcmp(again, exact, BFD_PACKET_BYTES));
		bfd_session_receive(s, &p, record[0] & 0x80 ? 255 : 64, now);
		bfd_reflect(&p, LOCAL, 1000, &reply);
	}
	free(exact);
}

static void record_run(struct bfd_session *s, const uint8_t *record, struct monotime *now)
{
	uint32_t argument = (uint32_t)record[2] << 16 | (uint32_t)record[3] << 8 | record[4];
	bool starved = false;

	switch (record[0] & 7) {
	case 0:
	case 1:
	case 2:
		*now = monotime_after(*now, argument >> 4);
		hear(s, record, *now);
		break;
	case 3:
		*now = bfd_session_deadline(s).us == MONOTIME_NEVER.us ? *now
								       : bfd_session_deadline(s);
		break;
	case 4:
		*now = monotime_after(*now, argument);
		break;
	case 5:
		*now = monotime_after(*now, argument);
		starved = true;
		break;
	case 6:
		bfd_session_configure(s, argument + 1, record[5] ? record[5] : 1, *now);
		break;
	case 7:
		bfd_session_enable(s, record[1] & 1, *now);
		break;
	}
	settle(s, *now, starved);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct bfd_config config = {
	    .role = BFD_ROLE_ACTIVE,
	    .local_discriminator = LOCAL,
	    .interval_us = 50000,
	    .multiplier = 3,
	};
	struct monotime now = {1000000};
	struct bfd_session s;

	if (!length)
		return 0;
	if (bytes[0] & 1) {
		config.role = BFD_ROLE_SBFD_INITIATOR;
		config.remote_discriminator = REMOTE;
	}
	bfd_session_init(&s, &config, now, bytes[0]);
	settle(&s, now, false);
	for (size_t at = 1; at + RECORD_BYTES <= length && at < 1 + 64 * RECORD_BYTES;
	     at += RECORD_BYTES)
		record_run(&s, bytes + at, &now);
	return 0;
}
