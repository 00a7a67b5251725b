/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/err.c daemon/base/wire.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/err.h"
#include "tuyen/base/ip.h"
#include "tuyen/base/text.h"
#include "tuyen/base/wire.h"

static void strerror_takes_either_sign_and_anything(void **state)
{
	(void)state;
	assert_string_equal(tuyen_strerror(-TUYEN_EEPOCH), tuyen_strerror(TUYEN_EEPOCH));
	assert_string_equal(tuyen_strerror(-9999), "unknown error");
	assert_string_equal(tuyen_strerror(INT32_MIN), "unknown error");
}

static void reason_is_cut_and_terminated(void **state)
{
	struct reason r;
	char longer[1000];

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[999] = '\0';
	assert_int_equal(reason_set(&r, -TUYEN_EINVAL, "%s", longer), -TUYEN_EINVAL);
	assert_int_equal(strlen(r.text), sizeof(r.text) - 1);
	assert_int_equal(reason_set(NULL, -3, "x"), -3);
}

static void reader_stops_at_the_end(void **state)
{
	const uint8_t bytes[] = {1, 2, 3, 4, 5};
	struct wire_reader r;

	(void)state;
	wire_reader_init(&r, bytes, sizeof(bytes));
	assert_int_equal(wire_read_u32(&r), 0x01020304);
	assert_int_equal(wire_reader_left(&r), 1);
	assert_int_equal(wire_read_u16(&r), 0);
	assert_true(r.failed);
	assert_int_equal(wire_read_u8(&r), 0); /* stays failed */
	assert_null(wire_read_view(&r, 0));
}

static void writer_stops_at_the_end(void **state)
{
	uint8_t bytes[6];
	struct wire_writer w;

	(void)state;
	wire_writer_init(&w, bytes, sizeof(bytes));
	wire_write_u32(&w, 0xa1b2c3d4);
	wire_write_u16(&w, 0x0102);
	assert_false(w.failed);
	wire_write_u8(&w, 9);
	assert_true(w.failed);
	assert_memory_equal(bytes, "\xa1\xb2\xc3\xd4\x01\x02", 6);
}

static void json_strings(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"", "\"\""},
	    {"a\"b\\c\n", "\"a\\\"b\\\\c\\u000a\""},
	    {"Phúc Xá", "\"Phúc Xá\""},
	    {"\xff", "\"\xef\xbf\xbd\""},
	    {"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},		  /* overlong */
	    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
	    {"\xe1\xba", "\"\xef\xbf\xbd\xef\xbf\xbd\""},		  /* cut short */
	};
	struct text t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_init(&t);
		text_add_json_string(&t, rows[i].in);
		assert_string_equal(text_string(&t), rows[i].out);
		text_clear(&t);
	}
}

static void shown_strings(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"", ""},
	    {"Phúc Xá\n\tx", "Phúc Xá\n\tx"},
	    {"\033[2J\r\x7f", "?[2J??"},
	    {"a\xc2\x9b"
	     "31m",
	     "a?31m"}, /* C1's CSI */
	    {"a\xe2\x80\xae"
	     "b\xe2\x80\x8b",
	     "a?b?"}, /* right to left, no width */
	    {"\xff\xe1\xba", "???"},
	};
	struct text t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_init(&t);
		text_add_shown(&t, rows[i].in);
		assert_string_equal(text_string(&t), rows[i].out);
		text_clear(&t);
	}
}

static void text_grows(void **state)
{
	struct text t;

	(void)state;
	text_init(&t);
	assert_string_equal(text_string(&t), "");
	for (int i = 0; i < 1000; i++)
		text_printf(&t, "%03d,", i);
	text_add_u64(&t, UINT64_MAX);
	assert_int_equal(t.length, 4020);
	assert_string_equal(t.bytes + 3996, "999,18446744073709551615");
	text_reset(&t);
	assert_string_equal(text_string(&t), "");
	text_clear(&t);
}

static void addresses(void **state)
{
	static const char *const bad[] = {"",	       "1.2.3",	   "1.2.3.4.5", "01.2.3.4",
					  "256.1.1.1", "1.2.3.4 ", "+1.2.3.4"};
	static const char *const bad_prefix[] = {"10.0.0.0", "10.0.0.1/8", "10.0.0.0/33",
						 "10.0.0.0/08", "10.0.0.0/8x"};
	char out[IPV4_PREFIX_STRLEN];
	struct ipv4_prefix p, q;
	ipv4_t a;

	(void)state;
	assert_int_equal(ipv4_parse("198.51.100.9", &a), 0);
	assert_int_equal(a, 0xc6336409);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ipv4_parse(bad[i], &a), -TUYEN_EINVAL);
	for (size_t i = 0; i < sizeof(bad_prefix) / sizeof(bad_prefix[0]); i++)
		assert_int_equal(ipv4_prefix_parse(bad_prefix[i], &p), -TUYEN_EINVAL);
	assert_int_equal(ipv4_prefix_parse("0.0.0.0/0", &p), 0);
	assert_int_equal(ipv4_prefix_parse("10.9.1.0/24", &q), 0);
	assert_true(ipv4_prefix_overlaps(p, q));
	assert_true(ipv4_prefix_contains(q, 0x0a0901ff));
	assert_false(ipv4_prefix_contains(q, 0x0a090200));
	assert_string_equal(ipv4_prefix_format(q, out), "10.9.1.0/24");
	assert_int_equal(ipv4_netmask(32), UINT32_MAX);
}

static void endpoints(void **state)
{
	static const char *const good[] = {"none", "192.0.2.1:51820", "[2001:db8::1]:51820"};
	static const char *const bad[] = {
	    "192.0.2.1",     "192.0.2.1:",    "192.0.2.1:65536", "[2001:db8::1",
	    "2001:db8::1:5", "[192.0.2.1]:5", "[2001:DB8::1]:5", "]:5",
	    "[:5",	     "[]:5"};
	char out[IP_ENDPOINT_STRLEN];
	struct ip_endpoint e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(ip_endpoint_parse(good[i], &e), 0);
		assert_string_equal(ip_endpoint_format(&e, out), good[i]);
		assert_true(ip_endpoint_equal(&e, &e));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ip_endpoint_parse(bad[i], &e), -TUYEN_EINVAL);
}

static void wireguard_keys(void **state)
{
	uint8_t key[WG_KEY_LEN], again[WG_KEY_LEN];
	char out[WG_KEY_STRLEN];

	(void)state;
	for (int round = 0; round < 256; round++) {
		for (int i = 0; i < WG_KEY_LEN; i++)
			key[i] = (uint8_t)(i * 37 + round * 11);
		wg_key_format(key, out);
		assert_int_equal(wg_key_parse(out, again), 0);
		assert_memory_equal(key, again, WG_KEY_LEN);
	}
	memset(key, 0xff, sizeof(key));
	assert_string_equal(wg_key_format(key, out),
			    "//////////////////////////////////////////8=");
	assert_int_equal(wg_key_parse("//////////////////////////////////////////9=", key),
			 -TUYEN_EINVAL);
	assert_int_equal(wg_key_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", key), 0);
	assert_int_equal(wg_key_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-A=", key),
			 -TUYEN_EINVAL);
	assert_int_equal(wg_key_parse("AAAA", key), -TUYEN_EINVAL);
}

static void a_key_has_digits_of_base64_alone(void **state)
{
	uint8_t key[WG_KEY_LEN], again[WG_KEY_LEN];

	(void)state;
	for (int place = 0; place < 44; place++)
		for (int byte = 1; byte < 256; byte++) {
			char said[WG_KEY_STRLEN] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
			bool digit = byte == '+' || byte == '/' || (byte < 0x80 && isalnum(byte));
			bool lawful = place == 43 ? byte == '=' : digit;

			said[place] = (char)byte;
			if (place == 42) /* two bits of the last one are none of the key's */
				lawful = digit && strchr("AEIMQUYcgkosw048", byte);
			assert_int_equal(wg_key_parse(said, key), lawful ? 0 : -TUYEN_EINVAL);
			if (!lawful)
				continue;
			assert_string_equal(wg_key_format(key, (char[WG_KEY_STRLEN]){0}), said);
			assert_int_equal(wg_key_parse(said, again), 0);
			assert_memory_equal(key, again, WG_KEY_LEN);
		}
}

static void hex(void **state)
{
	uint8_t bytes[3];
	char out[7];

	(void)state;
	assert_int_equal(hex_parse("00ff7a", 3, bytes), 0);
	assert_string_equal(hex_format(bytes, 3, out), "00ff7a");
	assert_int_equal(hex_parse("00ff7A", 3, bytes), -TUYEN_EINVAL);
	assert_int_equal(hex_parse("00ff7", 3, bytes), -TUYEN_EINVAL);
	assert_int_equal(hex_parse("00ff7a0", 3, bytes), -TUYEN_EINVAL);
}

static void public_keys_are_as_others(void **state)
{
	uint8_t key[WG_KEY_LEN];
	char want[WG_KEY_STRLEN], got[WG_KEY_STRLEN];
	uint32_t x = 1;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < WG_KEY_LEN; i++)
			key[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		*wg_key_put(key, got) = '\0';
		assert_string_equal(got, wg_key_format(key, want));
	}
}

static void decimals_are_as_printf_writes_them(void **state)
{
	char want[16], got[16];

	(void)state;
	for (uint64_t power = 1; power <= 10000000000; power *= 10)
		for (int64_t d = -2; d <= 2; d++) {
			int64_t value = (int64_t)(power > UINT32_MAX ? UINT32_MAX : power) + d;

			if (value < 0 || value > UINT32_MAX)
				continue;
			*decimal_put(got, (uint32_t)value) = '\0';
			snprintf(want, sizeof(want), "%u", (uint32_t)value);
			assert_string_equal(got, want);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decimals_are_as_printf_writes_them),
	    cmocka_unit_test(public_keys_are_as_others),
	    cmocka_unit_test(strerror_takes_either_sign_and_anything),
	    cmocka_unit_test(reason_is_cut_and_terminated),
	    cmocka_unit_test(reader_stops_at_the_end),
	    cmocka_unit_test(writer_stops_at_the_end),
	    cmocka_unit_test(json_strings),
	    cmocka_unit_test(shown_strings),
	    cmocka_unit_test(text_grows),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(endpoints),
	    cmocka_unit_test(wireguard_keys),
	    cmocka_unit_test(a_key_has_digits_of_base64_alone),
	    cmocka_unit_test(hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
