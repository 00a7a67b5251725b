/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/bfd_packet.c daemon/base/wire.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/bfd.h"

/* version 1, diag 1 | Up, P | mult 3 | length 24 | my 0x01020304 | your 0x0a0b0c0d | 50 ms | 300 ms | 0 */
static const uint8_t good[BFD_PACKET_BYTES + 8] = {
    0x21, 0xe0, 3,    24,   1,	  2,	3,    4,    0x0a, 0x0b, 0x0c, 0x0d,
    0x00, 0x00, 0xc3, 0x50, 0x00, 0x04, 0x93, 0xe0, 0,	  0,	0,    0,
};

static void decodes_every_field(void **state)
{
	struct bfd_packet p;
	uint8_t again[BFD_PACKET_BYTES];

	(void)state;
	assert_int_equal(bfd_packet_decode(good, BFD_PACKET_BYTES, &p), BFD_ACCEPT);
	assert_int_equal(p.diagnostic, BFD_DIAG_DETECTION_EXPIRED);
	assert_int_equal(p.state, BFD_STATE_UP);
	assert_true(p.poll);
	assert_false(p.final || p.control_plane_independent || p.authentication || p.demand ||
		     p.multipoint);
	assert_int_equal(p.multiplier, 3);
	assert_int_equal(p.my_discriminator, 0x01020304);
	assert_int_equal(p.your_discriminator, 0x0a0b0c0d);
	assert_int_equal(p.desired_min_tx_us, 50000);
	assert_int_equal(p.required_min_rx_us, 300000);
	assert_int_equal(p.required_min_echo_rx_us, 0);
	bfd_packet_encode(&p, again);
	assert_memory_equal(again, good, BFD_PACKET_BYTES);
}

static void each_flag_has_its_bit(void **state)
{
	static const struct {
		struct bfd_packet packet;
		uint8_t byte;
	} rows[] = {
	    {{.poll = true}, 0x20},
	    {{.final = true}, 0x10},
	    {{.control_plane_independent = true}, 0x08},
	    {{.authentication = true}, 0x04},
	    {{.demand = true}, 0x02},
	    {{.multipoint = true}, 0x01},
	    {{.state = BFD_STATE_DOWN}, 0x40},
	    {{.state = BFD_STATE_INIT}, 0x80},
	    {{.state = BFD_STATE_UP}, 0xc0},
	};
	uint8_t out[BFD_PACKET_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bfd_packet_encode(&rows[i].packet, out);
		assert_int_equal(out[0], 0x20);
		assert_int_equal(out[1], rows[i].byte);
		assert_int_equal(out[3], BFD_PACKET_BYTES);
	}
}

/* RFC 5880 section 6.8.6: each row breaks one rule, and all later ones as well where it can. */
static void drops_in_the_order_of_the_rfc(void **state)
{
	static const struct {
		const char *rule;
		size_t length;
		struct {
			uint8_t at, value;
		} change[6];
		enum bfd_verdict verdict;
	} rows[] = {
	    {"empty", 0, {{0}}, BFD_DROP_SHORT},
	    {"one byte short", 23, {{0, 0x01}}, BFD_DROP_SHORT},
	    {"version 0", 24, {{0, 0x01}, {3, 0}, {2, 0}, {1, 0xc1}}, BFD_DROP_VERSION},
	    {"version 2", 24, {{0, 0x41}}, BFD_DROP_VERSION},
	    {"length below 24", 24, {{3, 23}, {2, 0}, {1, 0xc1}}, BFD_DROP_LENGTH},
	    {"length below 26 with A", 32, {{3, 25}, {1, 0xc4}}, BFD_DROP_LENGTH},
	    {"length beyond the payload", 24, {{3, 25}, {2, 0}}, BFD_DROP_LENGTH},
	    {"multiplier 0", 24, {{2, 0}, {1, 0xc1}}, BFD_DROP_MULTIPLIER},
	    {"multipoint", 24, {{1, 0xc1}, {4, 0}, {5, 0}, {6, 0}, {7, 0}}, BFD_DROP_MULTIPOINT},
	    {"my discriminator 0", 24, {{4, 0}, {5, 0}, {6, 0}, {7, 0}}, BFD_DROP_MY_DISCRIMINATOR},
	    {"your discriminator 0 and up",
	     24,
	     {{8, 0}, {9, 0}, {10, 0}, {11, 0}},
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"your discriminator 0 and init",
	     24,
	     {{8, 0}, {9, 0}, {10, 0}, {11, 0}, {1, 0x80}},
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"your discriminator 0 and down",
	     24,
	     {{8, 0}, {9, 0}, {10, 0}, {11, 0}, {1, 0x40}},
	     BFD_ACCEPT},
	    {"your discriminator 0 and admin down",
	     24,
	     {{8, 0}, {9, 0}, {10, 0}, {11, 0}, {1, 0}},
	     BFD_ACCEPT},
	    {"authentication that nobody configured",
	     32,
	     {{1, 0xc4}, {3, 28}},
	     BFD_DROP_AUTHENTICATION},
	    {"longer payload than the length says", 32, {{0, 0x20}}, BFD_ACCEPT},
	    {"a length with bytes that we don't read", 32, {{3, 32}}, BFD_ACCEPT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[sizeof(good)];
		struct bfd_packet p;
		enum bfd_verdict verdict;

		memcpy(bytes, good, sizeof(bytes));
		for (size_t j = 0; j < 6; j++)
			if (rows[i].change[j].at || rows[i].change[j].value)
				bytes[rows[i].change[j].at] = rows[i].change[j].value;
		verdict = bfd_packet_decode(bytes, rows[i].length, &p);
		if (verdict != rows[i].verdict)
			fail_msg("%s: %s", rows[i].rule, bfd_verdict_name(verdict));
	}
}

static void a_dropped_packet_leaves_the_output_alone(void **state)
{
	struct bfd_packet p = {.my_discriminator = 77};

	(void)state;
	assert_int_equal(bfd_packet_decode(good, 10, &p), BFD_DROP_SHORT);
	assert_int_equal(p.my_discriminator, 77);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(bfd_state_name(BFD_STATE_ADMIN_DOWN), "admin-down");
	assert_string_equal(bfd_state_name(BFD_STATE_UP), "up");
	assert_string_equal(bfd_state_name((enum bfd_state)9), "unknown");
	assert_string_equal(bfd_diagnostic_name(BFD_DIAG_DETECTION_EXPIRED),
			    "detection time expired");
	assert_string_equal(bfd_diagnostic_name((enum bfd_diagnostic)31), "reserved");
	assert_string_equal(bfd_verdict_name(BFD_DROP_TTL), "TTL is not 255");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_every_field),
	    cmocka_unit_test(each_flag_has_its_bit),
	    cmocka_unit_test(drops_in_the_order_of_the_rfc),
	    cmocka_unit_test(a_dropped_packet_leaves_the_output_alone),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
