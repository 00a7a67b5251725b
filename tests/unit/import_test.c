/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_plan.c
// link: policies/import.c policies/csv.c policies/names.c policies/print.c
// link: policies/print_canonical.c policies/lexer.c policies/syntax.c policies/check.c
// link: policies/check_topology.c policies/check_policy.c gen/grammar.c topology/network.c
// link: topology/labels.c daemon/base/err.c daemon/base/ip.c daemon/base/text.c
// link: daemon/base/encode.c daemon/base/diag.c
/* Spreadsheets as programs really write them, and all that can be wrong in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/policies/check.h"
#include "tuyen/policies/import.h"
#include "tuyen/policies/print.h"
#include "tuyen/policies/syntax.h"

struct made {
	struct diag_source source;
	struct diag_list diags;
	struct text topology;
	struct import_summary summary;
	int err;
};

static void make_with(const char *csv, size_t length, const char *const *tiers, size_t tier_count,
		      struct made *m)
{
	*m = (struct made){0};
	diag_list_init(&m->diags);
	text_init(&m->topology);
	assert_int_equal(diag_source_init(&m->source, "s.csv", csv, length), 0);
	m->err = import_sites(&m->source, tiers, tier_count, &m->diags, &m->topology, &m->summary);
}

static void make(const char *csv, struct made *m)
{
	make_with(csv, strlen(csv), NULL, 0, m);
}

static void unmake(struct made *m)
{
	text_clear(&m->topology);
	diag_list_clear(&m->diags);
	diag_source_clear(&m->source);
}

static const char plain[] = "name,tier,id,parent,backup,uplink,address,metered,lan\n"
			    "npdc,npdc,1,,,fibre,203.0.113.1,,10.0.0.0/16\n"
			    "Hà Nội,province,101,npdc,,fibre,198.51.100.1,,\n"
			    "c,commune,901,Hà Nội,npdc,lte,,200MB/day,10.9.1.0/24 10.9.2.0/24\n";

static const char topology[] =
    "# Sites from a spreadsheet, by `tuyen import`.\n\n"
    "tiers npdc, province, commune;\n\n"
    "underlay fibre { probe 300ms x 3; mtu 1500; delay 2ms; metric 10; }\n"
    "underlay lte { probe 2s x 3; mtu 1428; delay 40ms; metric 50; }\n\n"
    "site npdc tier npdc id 1 {\n"
    "\tuplink fibre 203.0.113.1;\n"
    "\tlan 10.0.0.0/16;\n"
    "}\n\n"
    "site \"Hà Nội\" tier province id 101 under npdc {\n"
    "\tuplink fibre 198.51.100.1;\n"
    "}\n\n"
    "site c tier commune id 901 under \"Hà Nội\" backup npdc {\n"
    "\tuplink lte dynamic metered 200MB/day;\n"
    "\tlan 10.9.1.0/24;\n"
    "\tlan 10.9.2.0/24;\n"
    "}\n";

/* The same sheet as several programs write it. */
static void test_dialects(void **state)
{
	static const char *const rows[] = {
	    plain,
	    /* semicolons, CRLF, a byte order mark, no end of the last line */
	    "\xef\xbb\xbfName;Tier;ID;Parent;Backup;Uplink;Address;Metered;LAN\r\n"
	    "npdc;npdc;1;;;fibre;203.0.113.1;;10.0.0.0/16\r\n"
	    "Hà Nội;province;101;npdc;;fibre;198.51.100.1;;\r\n"
	    "c;commune;901;Hà Nội;npdc;lte;dynamic;200MB/day;10.9.1.0/24 10.9.2.0/24",
	    /* tabs, short lines, other order, an empty line, quotes */
	    "lan\tid\ttier\tname\tparent\tbackup\tuplink\taddress\tmetered\n"
	    "10.0.0.0/16\t1\tnpdc\tnpdc\t\t\tfibre\t203.0.113.1\n"
	    "\n"
	    "\t101\tprovince\t\"Hà Nội\"\tnpdc\t\tfibre\t198.51.100.1\n"
	    "\"10.9.1.0/24\n10.9.2.0/24\"\t901\tcommune\tc\tHà Nội\tnpdc\tlte\t\t200MB/day\n",
	    /* blanks around, all quoted, aliases */
	    "\"site\" , \"level\",site_id,under,backup, underlay,ip,allowance,prefix\n"
	    "\"npdc\" , npdc ,1,,,\"fibre\",\"203.0.113.1\",,10.0.0.0/16\n"
	    " Hà Nội,province,101,\"npdc\",,fibre,198.51.100.1 ,,\n"
	    "c,commune,901,Hà Nội,npdc,lte,,200MB/day,\"10.9.1.0/24, 10.9.2.0/24\"\n",
	};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(rows[i], &m);
		if (m.err)
			fail_msg("row %zu: %s", i, m.diags.entries[0].message);
		assert_string_equal(m.topology.bytes, topology);
		assert_int_equal(m.summary.sites, 3);
		assert_int_equal(m.summary.uplinks, 3);
		assert_int_equal(m.summary.lans, 3);
		assert_int_equal(m.diags.count, 0);
		unmake(&m);
	}
}

static void test_many_uplinks(void **state)
{
	static const char csv[] =
	    "name,tier,id,uplink,address,port,uplink2,address2,metered2,note\n"
	    "\"a \"\"b\"\" tier\",t,001,fibre,2001:db8::1,0443,vsat,,1GB/day,\"x\ny\"\n"
	    "tier,t,2,,,,my line,192.0.2.1,,z\n";
	struct made m;

	(void)state;
	make(csv, &m);
	assert_int_equal(m.err, 0);
	assert_non_null(strstr(m.topology.bytes, "site \"a \\\"b\\\" tier\" tier t id 1 {\n"
						 "\tuplink fibre 2001:db8::1 port 443;\n"
						 "\tuplink vsat dynamic metered 1GB/day;\n}\n"));
	assert_non_null(strstr(m.topology.bytes, "\tuplink \"my line\" 192.0.2.1;\n}\n"));
	assert_int_equal(m.diags.warning_count, 1);
	assert_string_equal(m.diags.entries[0].name, "unknown-column");
	unmake(&m);
}

/* What is written can be read, is canonical, and means what the sheet said. */
static void test_read_back(void **state)
{
	struct syntax_file *file;
	struct text again;
	struct network n;
	struct made m;

	(void)state;
	make(plain, &m);
	assert_int_equal(syntax_parse("t", m.topology.bytes, m.topology.length, &m.diags, &file),
			 0);
	text_init(&again);
	print_file(file, &again);
	assert_string_equal(again.bytes, m.topology.bytes);
	text_clear(&again);
	assert_int_equal(
	    check_network((const struct syntax_file *const *)&file, 1, 0, &m.diags, &n), 0);
	assert_int_equal(n.site_count, 3);
	assert_int_equal(n.link_count, 3);
	assert_int_equal(n.sites[2].uplinks[0].allowance_bytes_day, 200000000);
	network_clear(&n);
	syntax_file_free(file);
	unmake(&m);
}

struct wrong {
	const char *line; /* instead of the last of @plain */
	uint32_t column;
	const char *message;
};

static void test_wrong(void **state)
{
	static const struct wrong rows[] = {
	    {"c,,901,npdc,,lte,,,", 1, "'tier' is empty here"},
	    {"c,commune,0,npdc,,lte,,,", 11, "an id is a number from 1 to 65535"},
	    {"c,commune,65536,npdc,,lte,,,", 11, "an id is a number from 1 to 65535"},
	    {"c,commune,x,npdc,,lte,,,", 11, "an id is a number from 1 to 65535"},
	    {"c,commune,1,npdc,,lte,,,", 11, "id 1 is there already"},
	    {"npdc,commune,9,npdc,,lte,,,", 1, "site 'npdc' is there already"},
	    {"c,commune,9,Hà Nộ,,lte,,,", 13, "unknown site 'Hà Nộ'; did you mean 'Hà Nội'?"},
	    {"c,npdc,9,Hà Nội,,lte,,,", 10, "'Hà Nội' is of tier 'province', which does not stand"},
	    {"c,commune,9,npdc,npdc,lte,,,", 18, "the backup is the parent"},
	    {"c,commune,9,npdc,,,192.0.2.1,,", 20, "'192.0.2.1' without an uplink"},
	    {"c,commune,9,npdc,,lte,192.0.2,,", 23, "'192.0.2' is no address"},
	    {"c,commune,9,npdc,,lte,,200,", 24, "'200' is no amount like 200MB/day"},
	    {"c,commune,9,npdc,,lte,,,10.0.0.0", 25, "'10.0.0.0' is no prefix"},
	    {"c,commune,9,npdc,,lte,,,10.9.0.1/24", 25, "'10.9.0.1/24' is no prefix"},
	    {"c,commune,9,npdc,,lte,,,10.0.3.0/24", 25, "this LAN overlaps 10.0.0.0/16"},
	    {"c,commune,9,npdc,,lte,,,,x", 26, "there are more cells than columns"},
	    {"\"c,commune,9,npdc,,lte,,,\n", 1, "this quote is never closed"},
	    {"\"c\"x,commune,9,npdc,,lte,,,", 4, "text behind a closing quote"},
	    {"c\"x\",commune,9,npdc,,lte,,,", 2, "a quote within a cell"},
	    {"\"c\nd\",commune,9,npdc,,lte,,,", 1,
	     "this cell is not clean UTF-8, or has a line break"},
	    {"c\u202e,commune,9,npdc,,lte,,,", 1, "this cell is not clean UTF-8"},
	    {"c,commune,9,npdc,,0123456789012345678901234567890123456789012345678901234567890123,,"
	     ",",
	     19, "a name has at most 63 bytes"},
	    {"c\xff,commune,9,npdc,,lte,,,", 1, "this cell is not clean UTF-8"},
	    {"0123456789012345678901234567890123456789012345678901234567890123,commune,9,npdc,,lte,"
	     ",,",
	     1, "a name has at most 63 bytes"},
	};
	size_t head = (size_t)(strstr(plain, "c,commune") - plain);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t line, column;
		struct text t;
		struct made m;

		text_init(&t);
		text_add_bytes(&t, plain, head);
		text_add(&t, rows[i].line);
		make(t.bytes, &m);
		assert_int_equal(m.err, -TUYEN_EINVAL);
		assert_int_equal(m.topology.length, 0);
		if (!m.diags.count || !strstr(m.diags.entries[0].message, rows[i].message))
			fail_msg("row %zu: %s", i, m.diags.entries[0].message);
		diag_source_locate(&m.source, m.diags.entries[0].place.offset, &line, &column);
		assert_int_equal(line, 4);
		if (column != rows[i].column)
			fail_msg("row %zu: column %u", i, column);
		unmake(&m);
		text_clear(&t);
	}
}

static void test_all_at_once(void **state)
{
	struct made m;

	(void)state;
	make("name,tier,id,uplink\na,t,0,u\nb,t,0,u\nc,t,1,u\nc,t,1,u\n", &m);
	assert_int_equal(m.diags.error_count, 4);
	unmake(&m);
	make("nme,tier,adress\na,t,0\n", &m);
	assert_int_equal(m.diags.error_count,
			 3 + 0); /* name, id, uplink; not a word of the lines */
	assert_int_equal(m.diags.warning_count, 2);
	unmake(&m);
	make("name,name,tier,id,address,uplink\n", &m);
	assert_int_equal(m.diags.error_count, 2); /* twice; an address before any uplink */
	unmake(&m);
	make("", &m);
	assert_int_equal(m.diags.error_count, 1);
	unmake(&m);
	make("name,tier,id,uplink\n", &m);
	assert_string_equal(m.diags.entries[0].message, "there is no site here");
	unmake(&m);
	make_with("name,tier,id,uplink\na\0b,t,1,u\n", 31, NULL, 0, &m);
	assert_string_equal(m.diags.entries[0].message, "a NUL byte");
	unmake(&m);
}

static void test_tiers_told(void **state)
{
	static const char csv[] = "name,tier,id,parent,uplink\nb,low,1,a,u\na,high,2,,u\n";
	static const char *const tiers[] = {"high", "low"}, *const others[] = {"high"};
	struct made m;

	(void)state;
	make(csv, &m);
	assert_int_equal(m.err, -TUYEN_EINVAL);
	assert_non_null(strstr(m.diags.entries[0].message, "--tiers"));
	unmake(&m);
	make_with(csv, strlen(csv), tiers, 2, &m);
	assert_int_equal(m.err, 0);
	assert_non_null(strstr(m.topology.bytes, "tiers high, low;"));
	unmake(&m);
	make_with(csv, strlen(csv), others, 1, &m);
	assert_string_equal(m.diags.entries[0].message, "there is no tier 'low'");
	unmake(&m);
}

static void test_keys(void **state)
{
	struct made m;

	(void)state;
	make("name,tier,id,uplink,link_key,session_key\n"
	     "a,t,1,u,mQ8OcHmP2Bvp5yPQe9Fn1iV4y0tBDzUzGGgdGnWFMWU=,"
	     "nQ8OcHmP2Bvp5yPQe9Fn1iV4y0tBDzUzGGgdGnWFMWU=\n"
	     "b,t,2,u,,\n",
	     &m);
	assert_int_equal(m.err, 0);
	assert_int_equal(m.summary.keys, 1);
	assert_non_null(strstr(m.topology.bytes, "\nkeys a {\n\tlink \"mQ8O"));
	unmake(&m);
	make("name,tier,id,uplink,link_key,session_key\na,t,1,u,mQ8,\n", &m);
	assert_int_equal(m.diags.error_count, 2);
	unmake(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dialects),	cmocka_unit_test(test_many_uplinks),
	    cmocka_unit_test(test_read_back),	cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_tiers_told),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
