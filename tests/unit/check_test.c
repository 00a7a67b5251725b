/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: daemon/base/encode.c topology/network.c topology/labels.c
// link: policies/lexer.c policies/syntax.c policies/names.c gen/grammar.c
// link: policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_plan.c
// link: policies/check.c policies/check_topology.c policies/check_policy.c
// libs: -lcrypto
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "tuyen/base/err.h"
#include "tuyen/policies/check.h"

/* A small lawful country; each case adds to it. */
#define COUNTRY                                                                                    \
	"tiers npdc, province, district, commune;\n"                                               \
	"underlay fibre { probe 50ms x 3; mtu 1500; delay 2ms; }\n"                                \
	"underlay lte { probe 300ms x 3; mtu 1428; delay 40ms; metric 50; }\n"                     \
	"site hub tier npdc id 1 { uplink fibre 203.0.113.1; uplink lte 203.0.113.2; lan "         \
	"10.0.0.0/16; }\n"                                                                         \
	"site hanoi tier province id 2 under hub { uplink fibre 198.51.100.1; }\n"                 \
	"site ba-dinh tier district id 3 under hanoi { uplink fibre 198.51.100.2; }\n"             \
	"site dong-da tier district id 4 under hanoi { uplink lte dynamic; }\n"                    \
	"site phuc-xa tier commune id 5 under ba-dinh backup hub { uplink lte dynamic; uplink "    \
	"fibre dynamic; }\n"                                                                       \
	"class query { to port tcp 443, udp 161-162; to port tcp 80; priority high; }\n"
#define SMALL	      "tiers a, spare; underlay u { } site s tier a id 1 { uplink u dynamic; }"
#define POLICY(items) "policy p color 10 { " items " encrypt end-to-end; }\n"
#define GOOD_POLICY                                                                                \
	POLICY("from tier commune; to hub; carry query; path main preference 200 via parent;")

struct checked {
	struct syntax_file *file;
	struct diag_list diags;
	struct network network;
	int outcome;
};

static void check_text(struct checked *k, const char *before, const char *text, unsigned flags)
{
	struct text t;

	text_init(&t);
	text_add(&t, before);
	text_add(&t, text);
	diag_list_init(&k->diags);
	assert_int_equal(syntax_parse("t", text_string(&t), t.length, &k->diags, &k->file), 0);
	k->outcome = check_network((const struct syntax_file *const *)&k->file, 1, flags, &k->diags,
				   &k->network);
	text_clear(&t);
}

static void check_text_clear(struct checked *k)
{
	if (k->outcome == 0)
		network_clear(&k->network);
	diag_list_clear(&k->diags);
	syntax_file_free(k->file);
}

static bool says(const struct checked *k, enum diag_severity severity, const char *what)
{
	for (size_t i = 0; i < k->diags.count; i++)
		if (k->diags.entries[i].severity == severity &&
		    strstr(k->diags.entries[i].message, what))
			return true;
	return false;
}

static void network_holds_what_was_said(void **state)
{
	struct checked k;
	const struct network *n = &k.network;

	(void)state;
	check_text(
	    &k, COUNTRY,
	    POLICY(
		"from tier commune; to hub; carry query; revert after 3s max 90s;"
		"path spare preference 100 via backup disjoint main; path main preference 200 via "
		"parent;"
		"path far preference 50 via through ba-dinh, hanoi;") "deny from under hanoi to "
								      "tier npdc, province class "
								      "query;"
								      "expect phuc-xa reaches hub "
								      "with query after failure of "
								      "link phuc-xa ba-dinh;",
	    0);
	assert_int_equal(k.outcome, 0);
	assert_int_equal(n->site_count, 5);
	assert_int_equal(n->sites[4].parent, 2);
	assert_int_equal(n->sites[4].backup, 0);
	assert_int_equal(n->sites[4].tier, 3);
	assert_int_equal(n->sites[0].uplinks[0].endpoint.family, 4);
	assert_int_equal(n->sites[0].uplinks[0].endpoint.port, n->link_port);
	assert_int_equal(n->sites[3].uplinks[0].endpoint.family, 0);
	assert_int_equal(n->sites[0].place.line, 4);
	assert_int_equal(n->sites[0].place.column, 6);
	assert_int_equal(n->classes[0].match_count, 3);
	assert_int_equal(n->classes[0].matches[1].protocol, 17);
	assert_int_equal(n->classes[0].matches[1].port_first, 161);
	assert_int_equal(n->classes[0].matches[1].port_last, 162);
	assert_int_equal(n->classes[0].priority, 2);
	assert_int_equal(n->policies[0].color, 10);
	assert_int_equal(n->policies[0].revert_hold_ms, 3000);
	assert_int_equal(n->policies[0].revert_max_ms, 90000);
	assert_int_equal(n->policies[0].path_count, 3);
	assert_string_equal(n->policies[0].paths[0].name, "main");
	assert_string_equal(n->policies[0].paths[1].name, "spare");
	assert_int_equal(n->policies[0].paths[1].disjoint_from, 0);
	assert_int_equal(n->policies[0].paths[2].via, PATH_VIA_SITES);
	assert_int_equal(n->policies[0].paths[2].through.sites[0], 2);
	assert_int_equal(n->policies[0].paths[2].through.sites[1], 1);
	assert_int_equal(n->denies[0].from.count, 4); /* hanoi and all below it */
	assert_int_equal(n->denies[0].to.count, 2);
	assert_int_equal(n->denies[0].class_index, 0);
	assert_int_equal(n->expectations[0].kind, EXPECT_REACHES_AFTER_LINK_FAILURE);
	assert_int_equal(n->links[n->expectations[0].link].a, 4);
	check_text_clear(&k);
}

static const struct link *link_between(const struct network *n, const char *a, const char *b)
{
	for (size_t i = 0; i < n->link_count; i++)
		if (strcmp(n->sites[n->links[i].a].name, a) == 0 &&
		    strcmp(n->sites[n->links[i].b].name, b) == 0)
			return &n->links[i];
	return NULL;
}

static void links_take_their_values_from_both_ends(void **state)
{
	struct checked k;
	const struct network *n = &k.network;
	const struct link *l;

	(void)state;
	check_text(&k, COUNTRY,
		   GOOD_POLICY "link ba-dinh phuc-xa { metric 7; delay 1ms; }\n"
			       "link hub dong-da { over lte; mtu 1300; probe 1s x 5; }",
		   0);
	assert_int_equal(k.outcome, 0);
	assert_int_equal(n->link_count, 6);
	l = link_between(n, "hanoi", "hub"); /* a common underlay */
	assert_non_null(l);
	assert_int_equal(l->metric, 10);
	assert_int_equal(l->mtu_bytes, 1500);
	assert_int_equal(l->probe.interval_us, 50000);
	l = link_between(n, "dong-da", "hanoi"); /* none in common: the slower, the smaller */
	assert_int_equal(l->metric, 50);
	assert_int_equal(l->mtu_bytes, 1428);
	assert_int_equal(l->probe.interval_us, 300000);
	assert_int_equal(l->delay_us, 40000);
	l = link_between(n, "phuc-xa", "ba-dinh"); /* the second uplink is common; amended */
	assert_int_equal(l->uplink_a, 1);
	assert_int_equal(l->uplink_b, 0);
	assert_int_equal(l->metric, 7);
	assert_int_equal(l->delay_us, 1000);
	l = link_between(n, "phuc-xa", "hub"); /* a backup costs one more */
	assert_int_equal(l->uplink_a, 0);
	assert_int_equal(l->uplink_b, 1);
	assert_int_equal(l->metric, 51);
	l = link_between(n, "dong-da", "hub"); /* the dynamic end calls */
	assert_non_null(l);
	assert_int_equal(l->uplink_b, 1);
	assert_int_equal(l->mtu_bytes, 1300);
	assert_int_equal(l->probe.multiplier, 5);
	check_text_clear(&k);
}

static void unlawful_things_are_errors(void **state)
{
	static const struct {
		const char *text, *says, *note;
	} cases[] = {
	    {"site a tier commun id 9 under hub { uplink fibre dynamic; }",
	     "did you mean 'commune'?", NULL},
	    {"site a tier commune id 9 under ba-dihn { uplink fibre dynamic; }",
	     "did you mean 'ba-dinh'?", NULL},
	    {"site hub tier commune id 9 under hanoi { uplink fibre dynamic; }",
	     "'hub' is declared already", "the other 'hub'"},
	    {"site a tier commune id 5 under hanoi { uplink fibre dynamic; }",
	     "id 5 is that of site 'phuc-xa'", "the other site 5"},
	    {"site a tier commune id 65536 under hanoi { uplink fibre dynamic; }",
	     "from 1 to 65535", NULL},
	    {"network { labels 16000 size 5; }", "needs label 16005", NULL},
	    {"network { labels 15 size 5; }", "from 16 to", NULL},
	    {"network { labels 1048575 size 2; }", "from 16 to 1048573", NULL},
	    {"network { labels 983041 size 65535; }", "must be from 2 to 65534", NULL},
	    {"network { link space 100.64.0.0/10; }", "must be a /16", NULL},
	    {"network { link space 100.81.0.0/16; }", "overlap", NULL},
	    {"network { session port 51000; }", "lies among the session ports", NULL},
	    {"network { link port 7784; }", "port 7784 is that of BFD", NULL},
	    {"network { session port 3000; }", "port 3784 is that of BFD", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre 192.0.2.1 port 52010; }",
	     "port 52010 is taken on every node", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre 192.0.2.1 port 9; "
	     "uplink lte 192.0.2.2; }",
	     "listens on one port", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 0.0.0.0/1; }",
	     "addresses of 0.0.0.0/8", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 127.1.0.0/16; }",
	     "addresses of 127.0.0.0/8", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 239.0.0.0/8; }",
	     "addresses of 224.0.0.0/3", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 203.0.113.0/24; }",
	     "a carrier line cannot lie in a LAN", "the LAN"},
	    {"network { } network { }", "there is a network statement already", "the other one"},
	    {"tiers x;", "there is a tiers statement already", "the other one"},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 10.0.7.0/24; }",
	     "overlaps 10.0.0.0/16 of site 'hub'", "the other LAN"},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; lan 100.64.7.0/24; }",
	     "link space or the path space", NULL},
	    {"site a tier commune id 9 under hanoi backup hanoi { uplink fibre dynamic; }",
	     "is its parent", NULL},
	    {"site a tier district id 9 under dong-da { uplink fibre dynamic; }",
	     "does not stand above", "declared here"},
	    {"site a tier commune id 9 under a { uplink fibre dynamic; }", "its own parent", NULL},
	    {"site a tier commune id 9 under hanoi { }", "has no uplink", NULL},
	    {"site a tier commune id 9 under hanoi { uplink vsat dynamic; }", "unknown underlay",
	     NULL},
	    {"site a tier commune id 9 under dong-da { uplink lte dynamic; }",
	     "dynamic on both ends", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre 2001:db8::1; }",
	     "IPv6 on one end", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre 100.64.0.9; }",
	     "cannot be the address", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic 192.0.2.1; }",
	     "either 'dynamic' or", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; device m 192.0.2.1 { } "
	     "}",
	     "has no 'snmp user'", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre dynamic; device m 192.0.2.1 { "
	     "snmp user u; carries lte; } }",
	     "has no uplink 'lte'", NULL},
	    {"site a tier commune id 9 under hanoi { uplink fibre 203.0.113.2; }",
	     "has an uplink with this address and port", "the other uplink"},
	    {"underlay x { mtu 1500; mtu 1500; }", "said already", "first said here"},
	    {"underlay x { probe 1ms x 3; }", "from 5ms to 60s", NULL},
	    {"underlay x { mtu 99; }", "from 576 to 9216", NULL},
	    {"link hub hub;", "no link to itself", NULL},
	    {"link hub ba-dinh; link ba-dinh hub;", "described already", NULL},
	    {"link hub hanoi { over lte; }", "has no uplink 'lte'", NULL},
	    {"keys hub { link \"x\"; session \"y\"; }", "no WireGuard key", NULL},
	    {"keys nobody { }", "unknown site", NULL},
	    {"class c { priority low; }", "says no port", NULL},
	    {"class c { to port tcp 70000; }", "from 1 to 65535", NULL},
	    {"class c { to port tcp 9-3; }", "ends before it begins", NULL},
	    {"class query { to port tcp 1; }", "declared already", "the other 'query'"},
	    {"class c { to 10.77.0.0/24; } policy c color 20 { from tier commune; to hub; carry c; "
	     "path main preference 200 via parent; encrypt end-to-end; }",
	     "leads to a LAN in this prefix", NULL},
	    {"policy q color 10 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent; encrypt end-to-end; }",
	     "color 10 is that of policy 'p'", "the other policy"},
	    {"policy q color 11 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent; }",
	     "lacks 'encrypt end-to-end'", NULL},
	    {"policy q color 0 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent; encrypt end-to-end; }",
	     "from 1 to 9999", NULL},
	    {"policy q color 11 { from hub; to tier npdc; carry query; path m preference 1 via "
	     "parent; encrypt end-to-end; }",
	     "from and to the same sites", NULL},
	    {"policy q color 11 { from ba-dinh; to hub; carry qery; path m preference 1 via "
	     "parent; encrypt end-to-end; }",
	     "did you mean 'query'?", NULL},
	    {"policy q color 11 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent; path m preference 2 via shortest; encrypt end-to-end; }",
	     "has a path 'm' already", NULL},
	    {"policy q color 11 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent; path n preference 1 via shortest; encrypt end-to-end; }",
	     "has this preference already", NULL},
	    {"policy q color 11 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "parent disjoint n; encrypt end-to-end; }",
	     "has no path 'n'", NULL},
	    {"deny from tier x to all;", "unknown tier", NULL},
	    {"expect hub reaches ba-dinh with query after failure of link hub ba-dinh;",
	     "there is no link", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct checked k;

		check_text(&k, COUNTRY GOOD_POLICY, cases[i].text, 0);
		if (k.outcome != -TUYEN_EINVAL || !says(&k, DIAG_ERROR, cases[i].says) ||
		    (cases[i].note && !says(&k, DIAG_NOTE, cases[i].note)))
			fail_msg("%s: %s", cases[i].text,
				 k.diags.count ? k.diags.entries[0].message : "");
		assert_non_null(k.diags.entries[0].place.source);
		check_text_clear(&k);
	}
}

static void doubtful_things_are_warnings(void **state)
{
	static const struct {
		const char *before, *text, *name;
	} cases[] = {
	    {COUNTRY GOOD_POLICY, "site a tier commune id 9 { uplink fibre dynamic; }",
	     "isolated-site"},
	    {COUNTRY GOOD_POLICY, "class c { to port tcp 1; }", "unused-class"},
	    {SMALL, "underlay sat { probe 1s x 61; }", "slow-detection"},
	    {SMALL, "deny from s to tier spare;", "empty-selector"},
	    {COUNTRY GOOD_POLICY,
	     "policy q color 11 { from ba-dinh; to hub; carry query; path m preference 1 via "
	     "backup; "
	     "encrypt end-to-end; }",
	     "unused-path"},
	    {SMALL, "", "missing-keys"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct checked k;
		bool found = false, known = false;

		check_text(&k, cases[i].before, cases[i].text, 0);
		assert_int_equal(k.outcome, 0);
		for (size_t d = 0; d < k.diags.count; d++)
			found |= k.diags.entries[d].name &&
				 strcmp(k.diags.entries[d].name, cases[i].name) == 0;
		assert_true(found);
		for (size_t w = 0; check_warning_name(w); w++)
			known |= strcmp(check_warning_name(w), cases[i].name) == 0;
		assert_true(known);
		check_text_clear(&k);
	}
}

static void compiling_needs_keys(void **state)
{
	struct checked k;

	(void)state;
	check_text(&k, COUNTRY GOOD_POLICY, "", CHECK_NEED_KEYS);
	assert_int_equal(k.outcome, -TUYEN_EINVAL);
	assert_int_equal(k.diags.error_count, 5);
	assert_true(says(&k, DIAG_ERROR, "site 'phuc-xa' has no keys"));
	check_text_clear(&k);
	check_text(&k, "tiers a; underlay u { } site s tier a id 1 { uplink u dynamic; }",
		   "keys s { link \"mQ8OcHmP2Bvp5yPQe9Fn1iV4y0tBDzUzGGgdGnWFMWU=\"; "
		   "session \"nQ8OcHmP2Bvp5yPQe9Fn1iV4y0tBDzUzGGgdGnWFMWU=\"; }",
		   CHECK_NEED_KEYS);
	assert_int_equal(k.outcome, 0);
	assert_int_equal(k.diags.count, 0);
	assert_true(k.network.sites[0].has_keys);
	assert_int_equal(k.network.sites[0].link_key[0], 0x99);
	check_text_clear(&k);
}

static void a_site_has_as_many_uplinks_as_its_bundle_may_say(void **state)
{
	struct checked k;
	struct text t;

	(void)state;
	for (unsigned int more = 0; more < 2; more++) {
		text_init(&t);
		text_add(&t, "tiers a; site s tier a id 1 {");
		for (unsigned int i = 0; i < SITE_UPLINKS_MAX + more; i++)
			text_printf(&t, " uplink u%u dynamic;", i);
		text_add(&t, " }");
		for (unsigned int i = 0; i < SITE_UPLINKS_MAX + more; i++)
			text_printf(&t, " underlay u%u { }", i);
		check_text(&k, text_string(&t), "", 0);
		assert_int_equal(k.diags.error_count, more);
		assert_int_equal(says(&k, DIAG_ERROR, "site 's' has more than 64 uplinks"), more);
		check_text_clear(&k);
		text_clear(&t);
	}
}

/* One slip in a head does not blame those who name the site. */
static void broken_statements_are_not_held_against_others(void **state)
{
	struct checked k;

	(void)state;
	check_text(&k, COUNTRY GOOD_POLICY,
		   "site a tier district under hanoi { uplink fibre 192.0.2.9; }\n"
		   "site b tier commune id 9 under a { uplink fibre dynamic; }",
		   0);
	assert_int_equal(k.diags.error_count, 1);
	assert_true(says(&k, DIAG_ERROR, "expected 'id'"));
	check_text_clear(&k);
}

static void a_country_is_checked_in_half_a_second(void **state)
{
	struct checked k;
	struct text t;
	clock_t start;

	(void)state;
	text_init(&t);
	for (unsigned i = 0; i < 12000; i++)
		text_printf(&t,
			    "site commune-%u tier commune id %u under ba-dinh {\n\tuplink lte "
			    "dynamic metered "
			    "200MB/day;\n\tuplink fibre dynamic;\n\tlan 10.%u.%u.%u/28;\n}\n",
			    i, i + 10, 128 + (i * 16 >> 16), i * 16 >> 8 & 255, i * 16 & 255);
	start = clock();
	check_text(&k, COUNTRY GOOD_POLICY, text_string(&t), 0);
	assert_int_equal(k.outcome, 0);
	assert_int_equal(k.network.site_count, 12005);
	assert_int_equal(k.network.policies[0].from.count, 12001);
	assert_true(clock() - start <
		    4 * CLOCKS_PER_SEC); /* under the sanitizers, on a busy machine */
	check_text_clear(&k);
	text_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(network_holds_what_was_said),
	    cmocka_unit_test(links_take_their_values_from_both_ends),
	    cmocka_unit_test(unlawful_things_are_errors),
	    cmocka_unit_test(doubtful_things_are_warnings),
	    cmocka_unit_test(compiling_needs_keys),
	    cmocka_unit_test(a_site_has_as_many_uplinks_as_its_bundle_may_say),
	    cmocka_unit_test(broken_statements_are_not_held_against_others),
	    cmocka_unit_test(a_country_is_checked_in_half_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
