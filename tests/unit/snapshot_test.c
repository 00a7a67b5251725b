/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/snapshot.c policies/check.c policies/check_plan.c
// link: policies/check_policy.c policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_topology.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c
// link: policies/compile_repair.c policies/compile_site.c policies/compile_way.c policies/expect.c policies/lexer.c
// link: policies/merkle.c policies/names.c policies/syntax.c
// link: gen/grammar.c topology/forwarding.c topology/forwarding_codec.c topology/labels.c
// link: topology/mtu.c topology/network.c topology/spf.c daemon/base/diag.c
// link: daemon/base/encode.c daemon/base/err.c daemon/base/ip.c daemon/base/text.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check.h"
#include "tuyen/policies/snapshot.h"

/* Two communes below two districts, so that nothing is warned of. */
static const char country[] =
    "tiers npdc, district, commune;\n"
    "underlay fibre { mtu 1500; metric 10; }\n"
    "site top tier npdc id 1 { uplink fibre 192.0.2.1; lan 10.0.0.0/24; }\n"
    "site left tier district id 2 under top { uplink fibre 192.0.2.2; }\n"
    "site right tier district id 3 under top { uplink fibre 192.0.2.3; }\n"
    "site one tier commune id 4 under left backup right { # first\n"
    "\tuplink fibre dynamic;\n\tlan 10.1.0.0/24;\n}\n"
    "site two tier commune id 5 under right backup left {\n"
    "\tuplink fibre dynamic;\n\tlan 10.2.0.0/24;\n}\n"
    "keys top { link \"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; session \"AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }\n"
    "keys left { link \"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; session \"AgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }\n"
    "keys right { link \"AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; session \"AwEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }\n"
    "keys one { link \"BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; session \"BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }\n"
    "keys two { link \"BQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; session \"BQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }\n"
    "class query { to port tcp 443; }\n"
    "policy p color 10 {\n\tfrom tier commune;\n\tto tier npdc;\n\tcarry query;\n"
    "\tpath main preference 200 via parent;\n\tpath spare preference 100 via backup disjoint main;\n"
    "\tencrypt end-to-end;\n}\n";

static const uint8_t program[SHA256_LEN] = "this build";

struct built {
	struct syntax_file *file;
	struct syntax_set set;
	struct diag_list diags;
	struct network network;
	struct compile_result *result;
};

static void build(const char *source, struct built *b)
{
	struct text said = {0};

	*b = (struct built){0};
	diag_list_init(&b->diags);
	assert_int_equal(syntax_parse("country", source, strlen(source), &b->diags, &b->file), 0);
	b->set = (struct syntax_set){&b->file, 1};
	if (check_network((const struct syntax_file *const *)b->set.files, 1, CHECK_NEED_KEYS,
			  &b->diags, &b->network)) {
		diag_list_print(&b->diags, &said);
		fail_msg("%s", text_string(&said));
	}
	assert_int_equal(compile_network(&b->network, COMPILE_NEED_KEYS, &b->result), 0);
}

static void clear(struct built *b)
{
	compile_free(b->result);
	network_clear(&b->network);
	diag_list_clear(&b->diags);
	syntax_file_free(b->file);
}

static char *replaced(const char *from, const char *to)
{
	const char *at = strstr(country, from);
	char *out = malloc(sizeof(country) + strlen(to));

	assert_non_null(at);
	assert_non_null(out);
	memcpy(out, country, (size_t)(at - country));
	strcpy(out + (at - country), to);
	strcat(out, at + strlen(from));
	return out;
}

static void encode(size_t ways_least, struct text *ret)
{
	struct built b;

	build(country, &b);
	text_init(ret);
	assert_int_equal(snapshot_encode(b.result, &b.set, program, "words", ways_least, ret), 0);
	clear(&b);
}

static void bundle(const struct compile_result *r, uint32_t site, struct text *ret)
{
	struct forwarding f;

	assert_int_equal(compile_site(r, site, &f), 0);
	text_reset(ret);
	forwarding_encode(&f, ret);
	forwarding_clear(&f);
}

static int piece_add(void *context, const char *bytes, size_t length)
{
	text_add_bytes(context, bytes, length);
	return 0;
}

/* As an update makes it. */
static void bundle_around(const struct snapshot *s, uint32_t site,
			  const struct forwarding_ways *ways, struct text *ret)
{
	struct text buffer = {0};
	struct arena arena = {0};
	struct forwarding f;

	assert_int_equal(compile_site_without_ways(snapshot_result(s), site, &arena, &f), 0);
	assert_true(!f.label_count && !f.path_count && !f.return_count);
	text_reset(ret);
	assert_int_equal(forwarding_encode_pieces(&f, ways, 4096, &buffer, piece_add, ret), 0);
	arena_clear(&arena);
	text_clear(&buffer);
}

/* Site by site, against a compile of @source. @return the number of sites whose ways were kept. */
static size_t agrees(const struct snapshot *s, const char *source)
{
	struct text have = {0}, want = {0};
	const struct forwarding_ways *ways;
	struct built b;
	size_t kept = 0;

	build(source, &b);
	for (uint32_t i = 0; i < b.network.site_count; i++) {
		bundle(snapshot_result(s), i, &have);
		bundle(b.result, i, &want);
		assert_string_equal(have.bytes, want.bytes);
		ways = snapshot_ways(s, i);
		if (!ways)
			continue;
		kept++;
		bundle_around(s, i, ways, &have);
		assert_string_equal(have.bytes, want.bytes);
	}
	text_clear(&have);
	text_clear(&want);
	clear(&b);
	return kept;
}

struct row {
	const char *name, *from, *to;
	int err;
	size_t sites; /* whose bundle may differ */
};

static const struct row rows[] = {
    {"nothing", "tiers", "tiers", 0, 0},
    {"a comment", "# first", "# the first", 0, 0},
    {"a LAN of a commune: it and its peer", "10.1.0.0/24", "10.9.0.0/24", 0, 2},
    {"one LAN more", "lan 10.1.0.0/24;", "lan 10.1.0.0/24; lan 10.9.0.0/30;", 0, 2},
    {"the gateway's LAN: all its peers", "10.0.0.0/24", "10.0.0.0/25", 0, 3},
    {"a link key: it and its neighbours", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     "BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0, 3},
    {"a session key: it and its peer", "BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     "BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0, 2},
    {"a key that is another's", "BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", -TUYEN_EINVAL, 0},
    {"no key", "BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "x", -TUYEN_EINVAL, 0},
    {"a LAN that overlaps", "10.1.0.0/24", "10.2.0.0/16", -TUYEN_EINVAL, 0},
    {"a LAN around a carrier line", "10.1.0.0/24", "192.0.2.0/24", -TUYEN_EINVAL, 0},
    {"a LAN in the link space", "10.1.0.0/24", "100.64.9.0/24", -TUYEN_EINVAL, 0},
    {"a LAN that is nobody's", "10.1.0.0/24", "169.254.0.0/24", -TUYEN_EINVAL, 0},
    {"no LAN any more", "\tlan 10.1.0.0/24;\n", "", -TUYEN_EINVAL, 0},
    {"a first LAN", "192.0.2.2;", "192.0.2.2; lan 10.9.0.0/24;", -TUYEN_EINVAL, 0},
    {"an uplink", "192.0.2.2", "192.0.2.9", -TUYEN_EINVAL, 0},
    {"another parent", "under left backup right", "under right backup left", -TUYEN_EINVAL, 0},
    {"another name", "site one", "site eno", -TUYEN_EINVAL, 0},
    {"a policy", "preference 100", "preference 90", -TUYEN_EINVAL, 0},
    {"a class", "tcp 443", "tcp 444", -TUYEN_EINVAL, 0},
    {"a statement more", "class query", "class more { to port tcp 80; }\nclass query",
     -TUYEN_EINVAL, 0},
    {"a statement less", "site two", "# site two", -TUYEN_EINVAL, 0},
    {"a plan", "class query", "plan lan 10.0.0.0/8 { tier commune /24; }\nclass query",
     -TUYEN_EINVAL, 0},
    {"no such word", "mtu 1500", "mtv 1500", -TUYEN_EINVAL, 0},
};

static int amend(struct snapshot *s, const char *source)
{
	int err = snapshot_amend(s, 0, source, strlen(source));

	return err ? err : snapshot_settle(s);
}

/* @least  of ways; @kept  sites that have so many. */
static void follow(const struct row *row, size_t least, size_t kept)
{
	char *source = replaced(row->from, row->to);
	struct snapshot *s;
	struct text bytes;
	size_t count;

	encode(least, &bytes);
	assert_int_equal(snapshot_open(bytes.bytes, bytes.length, false, program, "words", &s), 0);
	if (amend(s, source) != row->err)
		fail_msg("%s", row->name);
	snapshot_sites(s, &count);
	if (!row->err && count != row->sites)
		fail_msg("%s: %zu sites", row->name, count);
	if (!row->err)
		assert_int_equal(agrees(s, source), kept);
	snapshot_free(s);
	text_clear(&bytes);
	free(source);
}

static void follows_lans_and_keys_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		follow(&rows[i], 1, 5);
		follow(&rows[i], 5,
		       1); /* the gateway's: itself, its districts, and four ways back */
		follow(&rows[i], 1000, 0);
	}
}

static void the_cause_is_said(void **state)
{
	char *source = replaced("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
				"BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	const struct snapshot_site *sites;
	const struct snapshot_change *changes;
	struct snapshot *s;
	struct text bytes;
	size_t count;

	(void)state;
	encode(1, &bytes);
	assert_int_equal(snapshot_open(bytes.bytes, bytes.length, false, program, "words", &s), 0);
	assert_int_equal(amend(s, source), 0);
	changes = snapshot_changes(s, &count);
	assert_int_equal(count, 1);
	assert_int_equal(changes[0].site, 3);
	assert_true(changes[0].link_key && !changes[0].session_key && !changes[0].lan);
	sites = snapshot_sites(s, &count);
	assert_int_equal(count, 3);
	assert_int_equal(sites[0].site, 1);
	assert_int_equal(sites[0].cause, SNAPSHOT_NEIGHBOR);
	assert_int_equal(sites[0].of, 3);
	assert_int_equal(sites[2].site, 3);
	assert_int_equal(sites[2].cause, SNAPSHOT_ITSELF);
	snapshot_free(s);
	text_clear(&bytes);
	free(source);
}

static void damage_of_any_byte_is_found(void **state)
{
	static const uint8_t other[SHA256_LEN] = "another build";
	struct snapshot *s;
	struct text bytes;
	char *copy;

	(void)state;
	encode(1, &bytes);
	copy = malloc(bytes.length);
	assert_non_null(copy);
	for (size_t i = 0; i < bytes.length; i++) {
		memcpy(copy, bytes.bytes, bytes.length);
		copy[i] = (char)(copy[i] ^ 1 << i % 8);
		assert_int_equal(snapshot_open(copy, bytes.length, false, program, "words", &s),
				 -TUYEN_EINVAL);
	}
	for (size_t length = 0; length < bytes.length; length += 1 + length / 8) {
		memcpy(copy, bytes.bytes, bytes.length);
		assert_int_equal(snapshot_open(copy, length, false, program, "words", &s),
				 -TUYEN_EINVAL);
	}
	memcpy(copy, bytes.bytes, bytes.length);
	assert_int_equal(snapshot_open(copy, bytes.length, false, other, "words", &s),
			 -TUYEN_EINVAL);
	memcpy(copy, bytes.bytes, bytes.length);
	assert_int_equal(snapshot_open(copy, bytes.length, false, program, "others", &s),
			 -TUYEN_EINVAL);
	free(copy);
	text_clear(&bytes);
}

/* Whether a class leads anywhere is asked again where a LAN is another; and of nothing else. */
static void a_lan_below_prefixes_is_not_followed(void **state)
{
	static const char *const near[] = {
	    "class near { to 10.0.0.0/24; }\n",
	    "class near { to 0.0.0.0/0; to 10.0.0.0/24; }\n",
	};
	char *lan = replaced("10.1.0.0/24", "10.9.0.0/24"),
	     *key = replaced("BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			     "BwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	const char *const amended[] = {lan, key};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct snapshot *s;
		struct text source = {0}, bytes = {0}, other = {0};
		struct built b;

		text_add(&source, country);
		text_add(&source, near[i / 2]);
		build(source.bytes, &b);
		assert_int_equal(snapshot_encode(b.result, &b.set, program, "words", 1, &bytes), 0);
		text_add(&other, amended[i % 2]);
		text_add(&other, near[i / 2]);
		assert_int_equal(
		    snapshot_open(bytes.bytes, bytes.length, false, program, "words", &s), 0);
		assert_int_equal(amend(s, other.bytes), i % 2 ? 0 : -TUYEN_EINVAL);
		snapshot_free(s);
		clear(&b);
		text_clear(&source);
		text_clear(&bytes);
		text_clear(&other);
	}
	free(lan);
	free(key);
}

static void sources_that_it_cannot_follow_make_none(void **state)
{
	static const char *const more[] = {
	    "plan lan 10.64.0.0/10 { tier commune /24; }\n",
	    "deny from one to top class query { expires 2035-01-01; }\n",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct text source = {0}, bytes = {0};
		struct built b;

		text_add(&source, country);
		text_add(&source, more[i]);
		build(source.bytes, &b);
		assert_int_equal(snapshot_encode(b.result, &b.set, program, "words", 1, &bytes),
				 -TUYEN_EINVAL);
		clear(&b);
		text_clear(&bytes);
		text_clear(&source);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(follows_lans_and_keys_and_nothing_else),
	    cmocka_unit_test(the_cause_is_said),
	    cmocka_unit_test(damage_of_any_byte_is_found),
	    cmocka_unit_test(a_lan_below_prefixes_is_not_followed),
	    cmocka_unit_test(sources_that_it_cannot_follow_make_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
