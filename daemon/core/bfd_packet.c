/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control packet of RFC 5880 section 4.1 and its checks that need no session, in the order of
 * section 6.8.6. We have no authentication configured, so a packet that carries any is dropped;
 * echo is never asked for. What follows the 24 bytes of the mandatory section is not read.
 */
#include "tuyen/core/bfd.h"

#include <assert.h>

#include "tuyen/base/wire.h"

#define BFD_VERSION	   1
#define BFD_AUTH_BYTES_MIN 26 /* with the smallest authentication section */

enum {
	FLAG_POLL = 0x20,
	FLAG_FINAL = 0x10,
	FLAG_CONTROL_PLANE_INDEPENDENT = 0x08,
	FLAG_AUTHENTICATION = 0x04,
	FLAG_DEMAND = 0x02,
	FLAG_MULTIPOINT = 0x01,
};

const char *bfd_state_name(enum bfd_state state)
{
	switch (state) {
	case BFD_STATE_ADMIN_DOWN:
		return "admin-down";
	case BFD_STATE_DOWN:
		return "down";
	case BFD_STATE_INIT:
		return "init";
	case BFD_STATE_UP:
		return "up";
	}
	return "unknown";
}

const char *bfd_diagnostic_name(enum bfd_diagnostic diagnostic)
{
	static const char *const names[] = {
	    [BFD_DIAG_NONE] = "none",
	    [BFD_DIAG_DETECTION_EXPIRED] = "detection time expired",
	    [BFD_DIAG_ECHO_FAILED] = "echo failed",
	    [BFD_DIAG_NEIGHBOR_DOWN] = "neighbor signaled session down",
	    [BFD_DIAG_FORWARDING_RESET] = "forwarding plane reset",
	    [BFD_DIAG_PATH_DOWN] = "path down",
	    [BFD_DIAG_CONCATENATED_DOWN] = "concatenated path down",
	    [BFD_DIAG_ADMIN_DOWN] = "administratively down",
	    [BFD_DIAG_REVERSE_CONCATENATED_DOWN] = "reverse concatenated path down",
	};

	if ((unsigned int)diagnostic >= sizeof(names) / sizeof(names[0]))
		return "reserved";
	return names[diagnostic];
}

const char *bfd_verdict_name(enum bfd_verdict verdict)
{
	switch (verdict) {
	case BFD_ACCEPT:
		return "accepted";
	case BFD_DROP_SHORT:
		return "shorter than a control packet";
	case BFD_DROP_VERSION:
		return "version is not 1";
	case BFD_DROP_LENGTH:
		return "length field does not fit";
	case BFD_DROP_MULTIPLIER:
		return "detect multiplier is 0";
	case BFD_DROP_MULTIPOINT:
		return "multipoint bit is set";
	case BFD_DROP_MY_DISCRIMINATOR:
		return "my discriminator is 0 or not the reflector's";
	case BFD_DROP_YOUR_DISCRIMINATOR:
		return "your discriminator is of no session";
	case BFD_DROP_AUTHENTICATION:
		return "authentication is not configured";
	case BFD_DROP_TTL:
		return "TTL is not 255";
	case BFD_DROP_ADMIN_DOWN:
		return "session is administratively down";
	case BFD_DROP_NOT_REFLECTED:
		return "not a packet to or from a reflector";
	}
	return "unknown";
}

static void flags_decode(uint8_t flags, struct bfd_packet *p)
{
	p->state = (enum bfd_state)(flags >> 6);
	p->poll = flags & FLAG_POLL;
	p->final = flags & FLAG_FINAL;
	p->control_plane_independent = flags & FLAG_CONTROL_PLANE_INDEPENDENT;
	p->authentication = flags & FLAG_AUTHENTICATION;
	p->demand = flags & FLAG_DEMAND;
	p->multipoint = flags & FLAG_MULTIPOINT;
}

static enum bfd_verdict packet_check(const struct bfd_packet *p, uint8_t version,
				     uint8_t length_field, size_t length)
{
	if (version != BFD_VERSION)
		return BFD_DROP_VERSION;
	if (length_field < (p->authentication ? BFD_AUTH_BYTES_MIN : BFD_PACKET_BYTES))
		return BFD_DROP_LENGTH;
	if (length_field > length)
		return BFD_DROP_LENGTH;
	if (!p->multiplier)
		return BFD_DROP_MULTIPLIER;
	if (p->multipoint)
		return BFD_DROP_MULTIPOINT;
	if (!p->my_discriminator)
		return BFD_DROP_MY_DISCRIMINATOR;
	if (!p->your_discriminator && p->state != BFD_STATE_DOWN &&
	    p->state != BFD_STATE_ADMIN_DOWN)
		return BFD_DROP_YOUR_DISCRIMINATOR;
	if (p->authentication)
		return BFD_DROP_AUTHENTICATION;
	return BFD_ACCEPT;
}

enum bfd_verdict bfd_packet_decode(const uint8_t *bytes, size_t length,
				   struct bfd_packet *ret_packet)
{
	struct wire_reader r;
	struct bfd_packet p = {0};
	uint8_t first, length_field;
	enum bfd_verdict verdict;

	wire_reader_init(&r, bytes, length);
	first = wire_read_u8(&r);
	flags_decode(wire_read_u8(&r), &p);
	p.diagnostic = (enum bfd_diagnostic)(first & 0x1f);
	p.multiplier = wire_read_u8(&r);
	length_field = wire_read_u8(&r);
	p.my_discriminator = wire_read_u32(&r);
	p.your_discriminator = wire_read_u32(&r);
	p.desired_min_tx_us = wire_read_u32(&r);
	p.required_min_rx_us = wire_read_u32(&r);
	p.required_min_echo_rx_us = wire_read_u32(&r);
	if (r.failed)
		return BFD_DROP_SHORT;
	verdict = packet_check(&p, first >> 5, length_field, length);
	if (verdict == BFD_ACCEPT)
		*ret_packet = p;
	return verdict;
}

static uint8_t flags_encode(const struct bfd_packet *p)
{
	return (uint8_t)((unsigned int)p->state << 6 | (p->poll ? FLAG_POLL : 0) |
			 (p->final ? FLAG_FINAL : 0) |
			 (p->control_plane_independent ? FLAG_CONTROL_PLANE_INDEPENDENT : 0) |
			 (p->authentication ? FLAG_AUTHENTICATION : 0) |
			 (p->demand ? FLAG_DEMAND : 0) | (p->multipoint ? FLAG_MULTIPOINT : 0));
}

void bfd_packet_encode(const struct bfd_packet *packet, uint8_t out[static BFD_PACKET_BYTES])
{
	struct wire_writer w;

	wire_writer_init(&w, out, BFD_PACKET_BYTES);
	wire_write_u8(&w, (uint8_t)(BFD_VERSION << 5 | (packet->diagnostic & 0x1f)));
	wire_write_u8(&w, flags_encode(packet));
	wire_write_u8(&w, packet->multiplier);
	wire_write_u8(&w, BFD_PACKET_BYTES);
	wire_write_u32(&w, packet->my_discriminator);
	wire_write_u32(&w, packet->your_discriminator);
	wire_write_u32(&w, packet->desired_min_tx_us);
	wire_write_u32(&w, packet->required_min_rx_us);
	wire_write_u32(&w, packet->required_min_echo_rx_us);
	assert(!w.failed && w.length == BFD_PACKET_BYTES);
}
