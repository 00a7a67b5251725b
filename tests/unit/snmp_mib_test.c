/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/snmp/mib.c daemon/snmp/mib_tables.c daemon/snmp/mib_load.c daemon/snmp/mib_date.c
// link: daemon/base/text.c daemon/base/err.c
// libs: -ljansson
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/text.h"
#include "tuyen/snmp/mib.h"

static const char document[] =
    "{\"format\":1,\"site\":{\"name\":\"phuc-xa\",\"id\":901,\"lan_away\":true},"
    "\"bundle\":{\"epoch\":5000000000,\"expires\":\"2027-11-01T00:00:00Z\",\"expired\":true,\"expiry\":\"past\",\"days_left\":0},"
    "\"daemon\":{\"version\":7,\"drift_repairs\":4294967297},"
    "\"links\":[{\"site\":\"b\",\"site_id\":300,\"state\":\"down\",\"rx_bytes\":18000000000,"
    "\"mtu\":1440,\"carried_mtu\":1000},"
    "{\"site\":\"a\",\"site_id\":20,\"state\":\"odd\",\"rx_bytes\":null,\"mtu\":1412,\"carried_mtu\":null},"
    "{\"site\":\"twice\",\"site_id\":20,\"state\":\"up\"},"
    "{\"site\":\"none\"},{\"site\":\"minus\",\"site_id\":-1}],"
    "\"paths\":[{\"index\":1,\"labels\":[16101,16001],\"degraded\":true,\"loss_permille\":40,\"jitter_us\":null,"
    "\"carried_mtu\":1300,\"repaired\":false},{\"index\":2,\"labels\":[]}],"
    "\"sessions\":[{\"color\":10,\"peer_id\":2,\"mtu\":1352},{\"color\":10,\"peer_id\":1,\"mtu\":1300,\"standby\":true},{\"color\":9}],"
    "\"devices\":[{\"name\":\"modem\",\"address\":\"192.0.2.1\",\"user\":\"poller\"},{\"name\":\"\"},{\"name\":7}],"
    "\"meters\":[{\"line\":\"lte\",\"device\":\"wwan0\",\"level\":\"near\",\"used_kb\":170000,\"allowance_kb\":200000,"
    "\"used_percent\":85},{\"line\":7}],"
    "\"self_check\":[{\"ok\":true},{\"ok\":false},{\"ok\":false}]}";

static void load(struct mib *mib)
{
	struct reason reason;

	assert_int_equal(mib_load(document, strlen(document), mib, &reason), 0);
}

struct get_case {
	const char *rule;
	uint32_t oid[12];
	size_t length;
	int err;
	uint64_t number;
	const char *bytes;
};

static const struct get_case get_cases[] = {
    {"scalar", {1, 1, 0}, 3, 0, 0, "phuc-xa"},
    {"a gauge stays at its maximum", {1, 6, 0}, 3, 0, UINT32_MAX, NULL},
    {"a counter wraps", {1, 15, 0}, 3, 0, 1, NULL},
    {"a truth", {1, 10, 0}, 3, 0, 1, NULL},
    {"failed self-checks", {1, 17, 0}, 3, 0, 2, NULL},
    {"the shared LAN is away", {1, 20, 0}, 3, 0, 1, NULL},
    {"the release is past its end", {1, 22, 0}, 3, 0, 5, NULL},
    {"no day is left", {1, 23, 0}, 3, 0, 0, NULL},
    {"another kind is unknown", {1, 12, 0}, 3, -TUYEN_ENOENT, 0, NULL},
    {"scalar without instance", {1, 1}, 2, -TUYEN_ENOENT, 0, NULL},
    {"scalar of another instance", {1, 1, 1}, 3, -TUYEN_ENOENT, 0, NULL},
    {"table cell", {2, 1, 2, 300}, 4, 0, 0, "b"},
    {"the first of two stays", {2, 1, 2, 20}, 4, 0, 0, "a"},
    {"enum by word", {2, 1, 5, 300}, 4, 0, 2, NULL},
    {"an unlisted word", {2, 1, 5, 20}, 4, 0, 5, NULL},
    {"64 bits", {2, 1, 11, 300}, 4, 0, 18000000000u, NULL},
    {"null is unknown", {2, 1, 11, 20}, 4, -TUYEN_ENOENT, 0, NULL},
    {"a link's MTU", {2, 1, 19, 20}, 4, 0, 1412, NULL},
    {"what a link carries", {2, 1, 20, 300}, 4, 0, 1000, NULL},
    {"a link that was not asked", {2, 1, 20, 20}, 4, -TUYEN_ENOENT, 0, NULL},
    {"index too long", {2, 1, 2, 300, 0}, 5, -TUYEN_ENOENT, 0, NULL},
    {"index column is not served", {2, 1, 1, 300}, 4, -TUYEN_ENOENT, 0, NULL},
    {"label stack", {3, 1, 9, 1}, 4, 0, 0, "16101/16001"},
    {"empty label stack", {3, 1, 9, 2}, 4, 0, 0, ""},
    {"degraded", {3, 1, 18, 1}, 4, 0, 1, NULL},
    {"loss", {3, 1, 19, 1}, 4, 0, 40, NULL},
    {"no jitter known", {3, 1, 20, 1}, 4, -TUYEN_ENOENT, 0, NULL},
    {"carried", {3, 1, 21, 1}, 4, 0, 1300, NULL},
    {"not repaired", {3, 1, 22, 1}, 4, 0, 2, NULL},
    {"standby", {4, 1, 14, 10, 1}, 5, 0, 1, NULL},
    {"two indexes", {4, 1, 13, 10, 1}, 5, 0, 1300, NULL},
    {"half an index", {4, 1, 13, 9}, 4, -TUYEN_ENOENT, 0, NULL},
    {"named index", {6, 1, 2, 5, 'm', 'o', 'd', 'e', 'm'}, 9, 0, 0, "192.0.2.1"},
    {"our own columns are not served",
     {6, 1, 0, 5, 'm', 'o', 'd', 'e', 'm'},
     9,
     -TUYEN_ENOENT,
     0,
     NULL},
    {"a line", {8, 1, 2, 3, 'l', 't', 'e'}, 7, 0, 0, "wwan0"},
    {"its level", {8, 1, 3, 3, 'l', 't', 'e'}, 7, 0, 3, NULL},
    {"what it has carried", {8, 1, 4, 3, 'l', 't', 'e'}, 7, 0, 170000, NULL},
    {"the empty name", {0}, 0, -TUYEN_ENOENT, 0, NULL},
    {"behind the end", {9, 1}, 2, -TUYEN_ENOENT, 0, NULL},
};

static void test_get(void **state)
{
	struct mib mib;

	(void)state;
	load(&mib);
	for (size_t i = 0; i < sizeof(get_cases) / sizeof(get_cases[0]); i++) {
		const struct get_case *c = &get_cases[i];
		struct mib_value value = {0};

		if (mib_get(&mib, c->oid, c->length, &value) != c->err)
			fail_msg("%s", c->rule);
		if (c->err == 0 && c->bytes &&
		    (value.length != strlen(c->bytes) ||
		     memcmp(value.bytes, c->bytes, value.length)))
			fail_msg("%s", c->rule);
		if (c->err == 0 && !c->bytes && value.number != c->number)
			fail_msg("%s: %llu", c->rule, (unsigned long long)value.number);
	}
	mib_clear(&mib);
}

struct next_case {
	const char *rule;
	uint32_t oid[10];
	size_t length;
	uint32_t next[10];
	size_t next_length; /* 0: the end */
};

static const struct next_case next_cases[] = {
    {"from the root", {0}, 0, {1, 1, 0}, 3},
    {"over what is unknown", {1, 2, 0}, 3, {1, 6, 0}, 3},
    {"a column without instance", {1, 2}, 2, {1, 2, 0}, 3},
    {"from a table's arc", {2}, 1, {2, 1, 2, 20}, 4},
    {"from a table's entry", {2, 1}, 2, {2, 1, 2, 20}, 4},
    {"between rows", {2, 1, 2, 21}, 4, {2, 1, 2, 300}, 4},
    {"longer than a row", {2, 1, 2, 20, 0}, 5, {2, 1, 2, 300}, 4},
    {"to the next column", {2, 1, 2, 300}, 4, {2, 1, 5, 20}, 4},
    {"over an unknown cell", {2, 1, 5, 300}, 4, {2, 1, 11, 300}, 4},
    {"to the next table", {2, 1, 200}, 3, {3, 1, 9, 1}, 4},
    {"an arc that is not", {2, 0, 7}, 3, {2, 1, 2, 20}, 4},
    {"behind the entry", {2, 2}, 2, {3, 1, 9, 1}, 4},
    {"second index", {4, 1, 13, 10, 1}, 5, {4, 1, 13, 10, 2}, 5},
    {"over an empty table", {5, 1, 1}, 3, {6, 1, 2, 5, 'm', 'o', 'd', 'e', 'm'}, 9},
    {"to a line", {6, 1, 2, 5, 'm', 'o', 'd', 'e', 'm'}, 9, {8, 1, 2, 3, 'l', 't', 'e'}, 7},
    {"the last", {8, 1, 6, 3, 'l', 't', 'e'}, 7, {0}, 0},
    {"behind the end", {UINT32_MAX}, 1, {0}, 0},
};

static void test_next(void **state)
{
	struct mib mib;

	(void)state;
	load(&mib);
	for (size_t i = 0; i < sizeof(next_cases) / sizeof(next_cases[0]); i++) {
		const struct next_case *c = &next_cases[i];
		uint32_t oid[MIB_OID_MAX];
		struct mib_value value;
		size_t length = 0;
		int err = mib_next(&mib, c->oid, c->length, oid, &length, &value);

		if (err != (c->next_length ? 0 : -TUYEN_ENOENT))
			fail_msg("%s", c->rule);
		if (c->next_length && mib_oid_compare(oid, length, c->next, c->next_length))
			fail_msg("%s: %u.%u.%u.%u", c->rule, oid[0], oid[1], oid[2], oid[3]);
	}
	mib_clear(&mib);
}

/* Every instance that GETNEXT gives is one that GET gives, in order, and there is an end. */
static void test_walk(void **state)
{
	uint32_t oid[MIB_OID_MAX] = {0}, next[MIB_OID_MAX];
	size_t length = 0, next_length, count = 0;
	struct mib_value value, again;
	struct mib mib;

	(void)state;
	load(&mib);
	while (!mib_next(&mib, oid, length, next, &next_length, &value)) {
		assert_true(mib_oid_compare(oid, length, next, next_length) < 0);
		assert_int_equal(mib_get(&mib, next, next_length, &again), 0);
		assert_int_equal(value.number, again.number);
		memcpy(oid, next, sizeof(oid));
		length = next_length;
		assert_true(++count < 1000);
	}
	assert_int_equal(count, 33);
	mib_clear(&mib);
}

/* The wire process has one to give while the kernel process is away. */
static void test_age(void **state)
{
	static const struct {
		const char *made;
		uint64_t age_s;
	} rows[] = {
	    {"\"1970-01-01T00:16:40Z\"", 31}, /* 1000 s */
	    {"\"1970-01-01T00:17:11Z\"", 0},
	    {"\"1970-01-01T00:17:12Z\"", 0}, /* the clock went back */
	    {"null", 0},
	};
	struct reason reason;
	char json[128];
	struct mib mib;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(json, sizeof(json), "{\"format\":1,\"daemon\":{\"snapshot\":%s}}",
			 rows[i].made);
		assert_int_equal(mib_load(json, strlen(json), &mib, &reason), 0);
		assert_int_equal(mib_age_s(&mib, 1031), rows[i].age_s);
		mib_clear(&mib);
	}
}

static void test_refused(void **state)
{
	static const char *const cases[] = {
	    "",
	    "{",
	    "[]",
	    "{}",
	    "{\"format\":2}",
	    "{\"format\":\"1\"}",
	    "null",
	    "{\"format\":1}x",
	    "{\"format\":1,\"site\":{\"name\":\"\xff\"}}",
	};
	struct reason reason;
	struct mib mib;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (mib_load(cases[i], strlen(cases[i]), &mib, &reason) != -TUYEN_EINVAL)
			fail_msg("taken: %s", cases[i]);
}

/* A row at a time: wherever it ends before its end, it is refused, and nothing of it stays. */
static void test_cut(void **state)
{
	struct reason reason;
	struct mib mib;

	(void)state;
	for (size_t length = 0; length < strlen(document); length++) {
		char *cut = malloc(length + 1); /* so that nothing is read behind it */

		memcpy(cut, document, length);
		cut = realloc(cut, length ? length : 1);
		if (mib_load(cut, length, &mib, &reason) != -TUYEN_EINVAL)
			fail_msg("taken: %.*s", (int)length, cut);
		free(cut);
	}
	assert_int_equal(mib_load("{\"format\":1,\n\"links\":[{}\n{}]}", 27, &mib, &reason),
			 -TUYEN_EINVAL);
	assert_string_equal(reason.text, "line 3: ',' or ']' expected");
	assert_int_equal(mib_load("{\"format\":1\0}", 14, &mib, &reason), -TUYEN_EINVAL);
	assert_string_equal(reason.text, "line 1: a byte of 0");
}

/* As many rows as a gateway has: all of them, in order. */
static void test_many(void **state)
{
	struct reason reason;
	struct text json;
	struct mib mib;

	(void)state;
	text_init(&json);
	text_add(&json, "{\"sessions\":[");
	for (unsigned int i = 0; i < 1000; i++)
		text_printf(&json, "%s{\"color\":10,\"peer_id\":%u}", i ? "," : "",
			    (i * 7919 + 1) % 1009);
	text_add(&json, "],\"format\":1}");
	assert_int_equal(mib_load(json.bytes, json.length, &mib, &reason), 0);
	assert_int_equal(mib.tables[MIB_SESSIONS].count, 1000);
	for (size_t i = 1; i < 1000; i++)
		assert_true(mib.tables[MIB_SESSIONS].rows[i - 1].index[1] <
			    mib.tables[MIB_SESSIONS].rows[i].index[1]);
	mib_clear(&mib);
	text_clear(&json);
}

static void test_odd(void **state)
{
	static const char odd[] =
	    "{\"format\":1,\"links\":{\"a\":1},\"paths\":[1,null,[]],\"site\":7,\"devices\":\"x\"}";
	struct reason reason;
	struct mib mib;

	(void)state;
	assert_int_equal(mib_load(odd, strlen(odd), &mib, &reason), 0);
	assert_int_equal(mib.tables[MIB_LINKS].count, 0);
	assert_int_equal(mib.tables[MIB_PATHS].count, 0);
	mib_clear(&mib);
}

struct date_case {
	const char *string;
	int err;
	uint64_t seconds;
};

static const struct date_case date_cases[] = {
    {"1970-01-01T00:00:00Z", 0, 0},
    {"2026-11-24T08:00:02Z", 0, 1795507202},
    {"2028-02-29T23:59:59.123Z", 0, 1835481599},
    {"2026-02-29T00:00:00Z", -TUYEN_EINVAL, 0},
    {"2026-13-01T00:00:00Z", -TUYEN_EINVAL, 0},
    {"2026-11-24T24:00:00Z", -TUYEN_EINVAL, 0},
    {"2026-11-24T08:00:02+07:00", -TUYEN_EINVAL, 0},
    {"2026-11-24T08:00:02.Z", -TUYEN_EINVAL, 0},
    {"2026-11-24T08:00:02", -TUYEN_EINVAL, 0},
    {"2026", -TUYEN_EINVAL, 0},
    {"", -TUYEN_EINVAL, 0},
};

static void test_date(void **state)
{
	const uint8_t wanted[] = {0x07, 0xea, 11, 24, 8, 0, 2, 0, '+', 0, 0};
	char out[11];
	uint64_t seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(date_cases) / sizeof(date_cases[0]); i++) {
		seconds = 0;
		if (mib_date_parse(date_cases[i].string, &seconds) != date_cases[i].err ||
		    seconds != date_cases[i].seconds)
			fail_msg("%s: %llu", date_cases[i].string, (unsigned long long)seconds);
	}
	mib_date_format(1795507202, out);
	assert_memory_equal(out, wanted, sizeof(wanted));
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The tables here and the MIB that is shipped say the same. */
static void test_text(void **state)
{
	char *text = file_text("packaging/mib/TUYEN-MIB"), wanted[160], pen[64];

	(void)state;
	snprintf(pen, sizeof(pen), "::= { enterprises %d 1 }", TUYEN_PEN);
	assert_non_null(strstr(text, pen));
	for (size_t t = 0; t < MIB_TABLES; t++) {
		for (size_t c = 0; c < mib_tables[t].column_count; c++) {
			const struct mib_column *column = &mib_tables[t].columns[c];
			const char *at, *end;

			if (!column->id)
				continue;
			snprintf(wanted, sizeof(wanted), "\n%s OBJECT-TYPE", column->name);
			at = strstr(text, wanted);
			if (!at)
				fail_msg("%s is not in the MIB", column->name);
			snprintf(wanted, sizeof(wanted), "::= { %s %u }", mib_tables[t].entry,
				 column->id);
			end = strstr(at, "::=");
			if (!end || strncmp(end, wanted, strlen(wanted)))
				fail_msg("%s is not %s", column->name, wanted);
		}
	}
	free(text);
}

static void test_long_string(void **state)
{
	char string[600];
	struct mib_cell cell = {0};

	(void)state;
	memset(string, 'x', sizeof(string));
	memcpy(string + 254, "\xc3\xa1", 2); /* the 255th byte is half of a character */
	string[sizeof(string) - 1] = '\0';
	mib_set_string(&cell, string);
	assert_int_equal(strlen(cell.string), 254);
	string[254] = string[255] = 'x';
	mib_set_string(&cell, string);
	assert_int_equal(strlen(cell.string), MIB_STRING_MAX);
	mib_set_string(&cell, NULL);
	assert_false(cell.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_get),		cmocka_unit_test(test_next),
	    cmocka_unit_test(test_walk),	cmocka_unit_test(test_age),
	    cmocka_unit_test(test_refused),	cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_many),	cmocka_unit_test(test_odd),
	    cmocka_unit_test(test_date),	cmocka_unit_test(test_text),
	    cmocka_unit_test(test_long_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
