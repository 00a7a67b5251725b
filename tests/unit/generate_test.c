/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_plan.c
// link: policies/generate.c policies/generate_units.c policies/csv.c policies/names.c
// link: policies/print.c policies/print_canonical.c policies/lexer.c policies/syntax.c
// link: policies/check.c policies/check_topology.c policies/check_policy.c
// link: policies/merkle.c gen/grammar.c topology/network.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
// link: daemon/base/diag.c
// libs: -lcrypto
/* A country from a table or from counts: what becomes of each oddity, and that nobody is
 * renumbered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/ip.h"
#include "tuyen/policies/check.h"
#include "tuyen/policies/generate.h"
#include "tuyen/policies/print.h"
#include "tuyen/policies/syntax.h"

static const char header[] = "code\tparent_code\ttier\tascii_name\tname\n";

static const char country[] =
    "# comment\n"
    "code\tparent_code\ttier\tascii_name\tname\n"
    "01\tVN\tprovince\tx\tTỉnh Một\n"
    "02\tVN\tprovince\tx\tTỉnh Hai\n"
    "001\t01\tdistrict\tx\tHuyện An\n"
    "002\t01\tdistrict\tx\tHuyện Bé\n"
    "003\t02\tdistrict\tx\tHuyện An\n"	 /* of two provinces */
    "004\t02\tdistrict\tx\tHuyện Vắng\n" /* without a commune */
    "00001\t001\tcommune\tx\tXã Tân Thành\n"
    "00004\t001\tcommune\tx\tXã Cò  Nòi\n" /* two blanks */
    "00007\t002\tcommune\tx\tXã Tân Thành\n"
    "00008\t002\tcommune\tx\tXã Tân Thanh\n" /* other accents */
    "00010\t002\tcommune\tx\tXã Ea H'leo\n"
    "03073\t001\tcommune\tx\tThị trấn Phan Rang - Tháp Chàm\n" /* 3073 / 3 mod 1024 = 0 */
    "00013\t003\tcommune\tx\tXã Tân Thành\n";		       /* of a Huyện An too */

struct made {
	struct diag_source source;
	struct diag_list diags;
	struct generate_units units;
	struct generate_plan plan;
	int err;
};

static const struct generate_options two_gateways = {.gateways = 2, .colors = 3, .seed = 1};

static void make(const char *table, struct made *m)
{
	*m = (struct made){0};
	diag_list_init(&m->diags);
	assert_int_equal(diag_source_init(&m->source, "t.tsv", table, strlen(table)), 0);
	m->err = generate_units_read(&m->source, &m->diags, &m->units);
	if (!m->err)
		m->err = generate_plan(&m->units, &two_gateways, &m->diags, &m->plan);
}

static void unmake(struct made *m)
{
	generate_plan_clear(&m->plan);
	generate_units_clear(&m->units);
	diag_list_clear(&m->diags);
	diag_source_clear(&m->source);
}

static const struct generate_site *site_of(const struct made *m, const char *code)
{
	for (size_t i = 0; i < m->units.count; i++)
		if (strcmp(m->units.units[i].code, code) == 0)
			return &m->plan.sites[i];
	return NULL;
}

static void test_units(void **state)
{
	static const struct {
		const char *code, *name, *backup;
		uint32_t id;
	} rows[] = {
	    {"01", "Tỉnh Một", NULL, 101},
	    {"02", "Tỉnh Hai", NULL, 102},
	    {"001", "Huyện An (Tỉnh Một)", "02", 1001},
	    {"002", "Huyện Bé", "02", 1002},
	    {"003", "Huyện An (Tỉnh Hai)", "01", 1003},
	    {"00001", "Xã Tân Thành (00001)", "002", 10001},
	    {"00004", "Xã Cò Nòi", "002", 10004},
	    {"00007", "Xã Tân Thành (Huyện Bé)", "001", 10007},
	    {"00008", "Xã Tân Thanh", "001", 10008},
	    {"00010", "Xã Ea H'leo", "001", 10010},
	    {"03073", "Thị trấn Phan Rang - Tháp Chàm", "002", 13073},
	    {"00013", "Xã Tân Thành (00013)", "004", 10013},
	};
	struct made m;

	(void)state;
	make(country, &m);
	assert_int_equal(m.err, 0);
	assert_int_equal(m.units.tier_count, 3);
	assert_string_equal(m.units.tiers[0], "province");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct generate_site *s = site_of(&m, rows[i].code);

		assert_string_equal(s->name, rows[i].name);
		assert_int_equal(s->id, rows[i].id);
		if (rows[i].backup)
			assert_string_equal(m.units.units[s->backup].code, rows[i].backup);
		else
			assert_int_equal(s->backup, UINT32_MAX);
	}
	unmake(&m);
}

/* Those that find the network they want; the others look on, in the same block. */
static void test_lans(void **state)
{
	static const struct {
		const char *code, *lan;
	} rows[] = {
	    {"00001", "10.2.0.0"},   /* 1 / 3 = 0 */
	    {"00004", "10.2.0.128"}, /* 1 */
	    {"00007", "10.2.1.0"},   /* 2 */
	    {"00010", "10.2.1.128"}, /* 3 */
	    {"00013", "10.4.2.0"},   /* another province */
	    {"004", "10.4.0.128"},   /* districts after communes */
	    {"02", "10.4.0.0"},
	};
	static const char *const others[] = {"03073" /* 1024 */, "00008" /* late */, "001", "002",
					     "01"};
	char text[IPV4_STRLEN];
	struct made m;

	(void)state;
	make(country, &m);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ipv4_format(site_of(&m, rows[i].code)->lan, text), rows[i].lan);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(site_of(&m, others[i])->lan >> 17, 10u << 7 | 1);
	for (size_t i = 0; i < m.units.count; i++) {
		assert_int_equal(m.plan.sites[i].lan % 128, 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(m.plan.sites[i].lan, m.plan.sites[j].lan);
	}
	unmake(&m);
}

/* The same lines in another order, and one more: nobody else changes. */
static void test_stable(void **state)
{
	static const char *const codes[] = {"01", "02", "001", "002", "00001", "00007", "00008"};
	struct text t;
	struct made a, b;

	(void)state;
	text_init(&t);
	text_add(&t, header);
	text_add(&t, "00019\t001\tcommune\tx\tXã Mới\n005\t02\tdistrict\tx\tHuyện Mới\n");
	text_add(&t, strstr(country, "name\n") + 5);
	make(country, &a);
	make(t.bytes, &b);
	assert_int_equal(b.err, 0);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const struct generate_site *x = site_of(&a, codes[i]), *y = site_of(&b, codes[i]);

		assert_int_equal(x->id, y->id);
		assert_string_equal(x->name, y->name);
		if (strlen(codes[i]) == 5)
			assert_int_equal(x->lan, y->lan);
	}
	unmake(&a);
	unmake(&b);
	text_clear(&t);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *lines, *message;
	} rows[] = {
	    {"", "there is no unit here"},
	    {"1\tVN\tp\tx\tA\n", "code '1' makes no site id"},
	    {"00\tVN\tp\tx\tA\n", "code '00' makes no site id"},
	    {"0a\tVN\tp\tx\tA\n", "code '0a' makes no site id"},
	    {"001\tVN\tp\tx\tA\n", "a unit at the top has 2 digits"},
	    {"01\tVN\tp\tx\tA\n99999\t01\tc\tx\tB\n", "code '99999' makes no site id"},
	    {"01\tVN\tp\tx\tA\n01\tVN\tp\tx\tB\n", "code '01' is there already"},
	    {"01\tVN\tp\tx\tA\n001\t01\td\tx\tB\n002\t09\td\tx\tC\n",
	     "there is no unit of code '09'"},
	    {"01\tVN\tp\tx\tA\n001\t01\td\tx\tB\n00001\t001\tc\tx\tC\n00002\t01\tc\tx\tD\n",
	     "this c stands under a p, others under a d"},
	    {"01\tVN\tp\tx\tA\n001\t002\td\tx\tB\n002\t001\td\tx\tC\n",
	     "the tiers do not stand in one line"},
	    {"01\tVN\tp\tx\n", "the field 'name' is missing"},
	    {"01\tVN\tp\tx\t\n", "the field 'name' is empty"},
	    {"01\tVN\tp\tx\tA\xff\n", "the field 'name' is not clean UTF-8"},
	    {"01\tVN\tp\tx\t0123456789012345678901234567890123456789012345678901234567890123456789"
	     "\n",
	     "at most 63 bytes"},
	};
	struct text t;
	struct made m;

	(void)state;
	text_init(&t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text_reset(&t);
		text_add(&t, header);
		text_add(&t, rows[i].lines);
		make(t.bytes, &m);
		assert_int_equal(m.err, -TUYEN_EINVAL);
		assert_true(m.diags.count >= 1);
		if (!strstr(m.diags.entries[0].message, rows[i].message))
			fail_msg("row %zu: %s", i, m.diags.entries[0].message);
		unmake(&m);
	}
	make("code\tname\n", &m);
	assert_int_equal(m.err, -TUYEN_EINVAL);
	assert_int_equal(m.diags.error_count, 2); /* parent_code and tier are missing */
	unmake(&m);
	text_clear(&t);
}

/* ---- what is written is the language --------------------------------------------------- */

static struct syntax_file *parse(const char *name, const struct text *t, struct diag_list *diags)
{
	struct syntax_file *file;
	struct text again;

	assert_int_equal(syntax_parse(name, t->bytes, t->length, diags, &file), 0);
	assert_int_equal(diags->error_count, 0);
	text_init(&again);
	print_file(file, &again);
	assert_string_equal(again.bytes, t->bytes); /* canonical */
	text_clear(&again);
	return file;
}

static void check_country(const struct generate_units *units, const struct generate_options *o,
			  size_t sites, size_t links)
{
	struct generate_plan plan;
	struct text texts[3];
	struct syntax_file *files[3];
	struct diag_list diags;
	struct network n;

	diag_list_init(&diags);
	assert_int_equal(generate_plan(units, o, &diags, &plan), 0);
	for (int i = 0; i < 3; i++)
		text_init(&texts[i]);
	assert_int_equal(generate_topology(units, &plan, o, &texts[0]), 0);
	assert_int_equal(generate_policy(units, o, &texts[1]), 0);
	assert_int_equal(generate_fake_keys(units, &plan, o, &texts[2]), 0);
	for (int i = 0; i < 3; i++)
		files[i] = parse("f", &texts[i], &diags);
	if (check_network((const struct syntax_file *const *)files, 3, CHECK_NEED_KEYS, &diags, &n))
		fail_msg("%s", diags.entries[0].message);
	assert_int_equal(diags.count, 0);
	assert_int_equal(n.site_count, sites);
	assert_int_equal(n.link_count, links);
	assert_int_equal(n.policy_count, o->colors);
	network_clear(&n);
	for (int i = 0; i < 3; i++) {
		syntax_file_free(files[i]);
		text_clear(&texts[i]);
	}
	generate_plan_clear(&plan);
	diag_list_clear(&diags);
}

static void test_written(void **state)
{
	static const struct {
		struct generate_counts counts;
		uint32_t gateways, colors;
		size_t sites, links;
	} rows[] = {
	    {{2, 4, 8}, 2, 3, 16, 2 * 14 + 1},
	    {{1, 1, 1}, 1, 1, 4, 1 + 2 + 2},   /* a province without a backup */
	    {{3, 0, 9}, 2, 2, 14, 2 * 12 + 1}, /* two tiers */
	    {{5, 0, 0}, 3, 3, 8, 2 * 5 + 2},
	    {{63, 705, 2000}, 3, 3, 2771, 2 * 2768 + 2},
	};
	struct generate_units units;
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct generate_options o = {rows[i].gateways, rows[i].colors, 7};

		assert_int_equal(generate_units_invent(&rows[i].counts, &units, NULL), 0);
		check_country(&units, &o, rows[i].sites, rows[i].links);
		generate_units_clear(&units);
	}
	make(country, &m);
	check_country(&m.units, &two_gateways, 15, 2 * 13 + 1);
	unmake(&m);
}

static void test_seed(void **state)
{
	struct generate_counts counts = {2, 4, 2000};
	struct generate_options o = {2, 3, 1};
	struct generate_units units;
	struct generate_plan a, b, c;
	struct diag_list diags;
	size_t cellular = 0, other = 0;

	(void)state;
	diag_list_init(&diags);
	assert_int_equal(generate_units_invent(&counts, &units, NULL), 0);
	assert_int_equal(generate_plan(&units, &o, &diags, &a), 0);
	assert_int_equal(generate_plan(&units, &o, &diags, &b), 0);
	o.seed = 2;
	assert_int_equal(generate_plan(&units, &o, &diags, &c), 0);
	for (size_t i = 0; i < units.count; i++) {
		assert_int_equal(a.sites[i].cellular, b.sites[i].cellular);
		cellular += a.sites[i].cellular;
		other += a.sites[i].cellular != c.sites[i].cellular;
	}
	assert_in_range(cellular, 150, 250);
	assert_in_range(other, 200, 500);
	generate_plan_clear(&a);
	generate_plan_clear(&b);
	generate_plan_clear(&c);
	generate_units_clear(&units);
	diag_list_clear(&diags);
}

static void test_limits(void **state)
{
	static const struct generate_counts rows[] = {
	    {0, 1, 1}, {100, 1, 1}, {1, 1000, 1}, {1, 1, 18001}};
	struct generate_counts full = {1, 0, 1024};
	struct generate_units units;
	struct generate_plan plan;
	struct diag_list diags;
	struct reason reason;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(generate_units_invent(&rows[i], &units, &reason), -TUYEN_ELIMIT);
	diag_list_init(&diags);
	assert_int_equal(generate_units_invent(&full, &units, NULL), 0);
	assert_int_equal(generate_plan(&units, &two_gateways, &diags, &plan), -TUYEN_EINVAL);
	assert_int_equal(diags.error_count, 1); /* the province itself finds no network */
	generate_units_clear(&units);
	diag_list_clear(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_units),   cmocka_unit_test(test_lans),
	    cmocka_unit_test(test_stable),  cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_written), cmocka_unit_test(test_seed),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
