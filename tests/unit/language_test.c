/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/base/diag.c daemon/base/text.c daemon/base/err.c daemon/base/ip.c
// link: daemon/base/encode.c topology/network.c topology/labels.c topology/mtu.c topology/spf.c
// link: topology/forwarding.c topology/forwarding_codec.c
// link: policies/lexer.c policies/syntax.c policies/names.c gen/grammar.c
// link: policies/check.c policies/check_topology.c policies/check_policy.c
// link: policies/check_rule.c policies/check_use.c policies/check_overlap.c policies/check_plan.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c
// link: policies/compile_repair.c policies/compile_way.c policies/compile_site.c policies/expect.c policies/explain.c
// libs: -lcrypto
/*
 * From words to ways: what rules that expire, tags, plans, templates, risks and constraints come to
 * in the network and in what is compiled from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/base/date.h"
#include "tuyen/base/err.h"
#include "tuyen/policies/check.h"
#include "tuyen/policies/compile.h"

/*
 *	      hub
 *	    /  |  \
 *	north  |  south --- west (to hub too)
 *	    \     /
 *	  a (north, backup south), b (south, backup north)
 */
#define COUNTRY                                                                                    \
	"tiers npdc, province, commune;\n"                                                         \
	"underlay fibre { delay 2ms; }\n"                                                          \
	"site hub tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16; tag core; }\n"       \
	"site north tier province id 2 under hub { uplink fibre 203.0.113.2; tag core; }\n"        \
	"site south tier province id 3 under hub { uplink fibre 203.0.113.3; tag core; }\n"        \
	"site west tier province id 4 under hub { uplink fibre 203.0.113.4; }\n"                   \
	"site a tier commune id 5 under north backup south { uplink fibre dynamic; lan "           \
	"10.1.0.0/24; tag rural, school; }\n"                                                      \
	"site b tier commune id 6 under south backup north { uplink fibre dynamic; lan "           \
	"10.1.1.0/24; tag rural; }\n"                                                              \
	"link south west { metric 3; }\n"                                                          \
	"class query { to port tcp 443; }\n"
#define POLICY(paths)                                                                              \
	"policy p color 1 { from tier commune; to hub; carry query; " paths                        \
	" encrypt end-to-end; }\n"

struct spoken {
	struct syntax_file *file;
	struct diag_list diags;
	struct network network;
	struct compile_result *result; /* NULL: not compiled */
	int outcome;
};

static void speak(struct spoken *s, const char *before, const char *text, struct check_times times)
{
	struct text t;

	*s = (struct spoken){0};
	text_init(&t);
	text_add(&t, before);
	text_add(&t, text);
	diag_list_init(&s->diags);
	assert_int_equal(syntax_parse("t", text_string(&t), t.length, &s->diags, &s->file), 0);
	s->outcome = check_network_at((const struct syntax_file *const *)&s->file, 1, 0, &times,
				      &s->diags, &s->network);
	text_clear(&t);
}

static void speak_and_compile(struct spoken *s, const char *text)
{
	speak(s, COUNTRY, text, (struct check_times){0});
	for (size_t i = 0; s->outcome && i < s->diags.count; i++)
		print_error("%s\n", s->diags.entries[i].message);
	if (s->outcome)
		fail_msg("%s", text);
	s->outcome = compile_network(&s->network, 0, &s->result);
	assert_non_null(s->result);
}

static void hush(struct spoken *s)
{
	compile_free(s->result);
	if (s->result || s->outcome == 0)
		network_clear(&s->network);
	diag_list_clear(&s->diags);
	syntax_file_free(s->file);
}

static size_t warnings(const struct spoken *s, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < s->diags.count; i++)
		count += s->diags.entries[i].name && !strcmp(s->diags.entries[i].name, name);
	return count;
}

/* ---- days ---- */

static void days_are_days_of_the_calendar(void **state)
{
	static const struct {
		const char *day;
		int64_t seconds; /* -1: none */
	} cases[] = {
	    {"1970-01-01", 0},		{"1970-03-01", 5097600},
	    {"2000-02-29", 951782400},	{"2024-02-29", 1709164800},
	    {"2027-03-01", 1803859200}, {"9999-12-31", DATE_MAX_S},
	    {"1969-12-31", -1},		{"2027-02-29", -1},
	    {"2100-02-29", -1},		{"2027-00-01", -1},
	    {"2027-13-01", -1},		{"2027-04-31", -1},
	    {"2027-3-1", -1},		{"", -1},
	};
	char again[DATE_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t seconds = -1;
		int err = date_parse(cases[i].day, &seconds);

		assert_int_equal(err, cases[i].seconds < 0 ? -TUYEN_EINVAL : 0);
		assert_int_equal(seconds, cases[i].seconds);
		if (!err)
			assert_string_equal(date_format(seconds + 86399, again), cases[i].day);
	}
}

/* ---- rules that expire ---- */

#define MARCH 1803859200 /* 2027-03-01 */

static void rules_hold_until_their_day(void **state)
{
	static const struct {
		int64_t now, until;
		size_t policies, denies, expired, soon;
	} cases[] = {
	    {0, 0, 1, 1, 0, 0},
	    {MARCH - 1, 0, 1, 1, 0, 0},
	    {MARCH - 1, MARCH, 1, 1, 0, 0},
	    {MARCH - 1, MARCH + 1, 1, 1, 0, 2},
	    {MARCH, MARCH + 1, 0, 0, 2, 0},
	    {MARCH + 1, 0, 0, 0, 2, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spoken s;

		speak(
		    &s, COUNTRY,
		    POLICY(
			"path m preference 1 via parent; expires 2027-03-01; author \"A\"; "
			"reason \"R\";") "deny from a to hub { expires 2027-03-01; author \"B\"; }",
		    (struct check_times){cases[i].now, cases[i].until});
		assert_int_equal(s.outcome, 0);
		assert_int_equal(s.network.policy_count, cases[i].policies);
		assert_int_equal(s.network.deny_count, cases[i].denies);
		assert_int_equal(warnings(&s, "expired-rule"), cases[i].expired);
		assert_int_equal(warnings(&s, "expires-soon"), cases[i].soon);
		if (s.network.policy_count) {
			assert_string_equal(s.network.policies[0].note.author, "A");
			assert_string_equal(s.network.policies[0].note.reason, "R");
			assert_int_equal(s.network.policies[0].note.expires_s, MARCH);
			assert_string_equal(s.network.denies[0].note.author, "B");
			assert_null(s.network.denies[0].note.reason);
		}
		hush(&s);
	}
}

static void an_expired_class_is_carried_by_nobody(void **state)
{
	struct spoken s;

	(void)state;
	speak(&s, COUNTRY,
	      "class old { to port udp 1; expires 2027-03-01; }\n"
	      "policy both color 2 { from a; to hub; carry old, query; path m preference 1 via "
	      "parent; encrypt end-to-end; }\n"
	      "policy alone color 3 { from a; to hub; carry old; path m preference 1 via parent; "
	      "encrypt end-to-end; }\n"
	      "deny from b to hub class old;",
	      (struct check_times){MARCH, 0});
	assert_int_equal(s.outcome, 0);
	assert_int_equal(s.network.class_count, 2);
	assert_true(s.network.classes[1].expired);
	assert_int_equal(s.network.policy_count, 1);
	assert_string_equal(s.network.policies[0].name, "both");
	assert_int_equal(s.network.policies[0].class_count, 1);
	assert_int_equal(s.network.policies[0].classes[0], 0);
	assert_int_equal(s.network.denies[0].class_index, 1);
	assert_int_equal(warnings(&s, "expired-rule"), 2);
	hush(&s);
}

/* ---- selectors ---- */

static void selectors_select(void **state)
{
	static const struct {
		const char *selector, *sites;
	} cases[] = {
	    {"tag rural", "a b"},
	    {"tag school, core", "hub north south a"},
	    {"tag rural except tag school", "b"},
	    {"all except tier province except b", "hub a"},
	    {"under south except site south, a", "b"},
	    {"a, b except under north", "b"},
	    {"tier province except west, hub", "north south"},
	    {"tag school except a", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256], got[256] = "";
		const struct site_set *set;
		struct spoken s;

		snprintf(text, sizeof(text), "deny from %s to hub;", cases[i].selector);
		speak(&s, COUNTRY, text, (struct check_times){0});
		assert_int_equal(s.outcome, 0);
		set = &s.network.denies[0].from;
		for (size_t k = 0; k < set->count; k++) {
			strcat(got, k ? " " : "");
			strcat(got, s.network.sites[set->sites[k]].name);
		}
		assert_string_equal(got, cases[i].sites);
		assert_int_equal(warnings(&s, "empty-selector"), !set->count);
		hush(&s);
	}
}

/* ---- the plan ---- */

static const char *lan_of(const struct spoken *s, const char *name, char out[IPV4_PREFIX_STRLEN])
{
	const struct site *site = &s->network.sites[network_site_find(&s->network, name)];

	return site->lan_count == 1 ? ipv4_prefix_format(site->lans[0], out) : "none";
}

#define PLAN                                                                                       \
	"tiers npdc, province, commune;\n"                                                         \
	"underlay fibre { }\n"                                                                     \
	"plan lan 10.0.0.0/8 { tier province /16 lan /24; tier commune /18; }\n"                   \
	"site hub tier npdc id 1 { uplink fibre 203.0.113.1; lan 172.16.0.0/16; }\n"               \
	"site p tier province id 7 under hub { uplink fibre 203.0.113.2; }\n"                      \
	"site x tier commune id 101 under p { uplink fibre dynamic; }\n"                           \
	"site z tier commune id 105 under p { uplink fibre dynamic; }\n"

static void a_plan_gives_lans_that_stay(void **state)
{
	static const struct {
		const char *text, *p, *x, *z;
	} cases[] = {
	    /* 101 and 105 fall on 1 of 4; the first piece of number 0 is the province's own */
	    {"", "10.7.0.0/24", "10.7.64.0/18", "10.7.128.0/18"},
	    {"site new tier commune id 110 under p { uplink fibre dynamic; }", "10.7.0.0/24",
	     "10.7.64.0/18", "10.7.128.0/18"},
	    {"site low tier commune id 99 under p { uplink fibre dynamic; }", "10.7.0.0/24",
	     "10.7.64.0/18", "10.7.128.0/18"},
	    {"site said tier commune id 97 under p { uplink fibre dynamic; lan 192.168.0.0/24; }",
	     "10.7.0.0/24", "10.7.64.0/18", "10.7.128.0/18"},
	    {"site q tier province id 3 under hub { uplink fibre 203.0.113.3; }", "10.7.0.0/24",
	     "10.7.64.0/18", "10.7.128.0/18"},
	};
	char out[IPV4_PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spoken s;

		speak(&s, PLAN, cases[i].text, (struct check_times){0});
		assert_int_equal(s.outcome, 0);
		assert_string_equal(lan_of(&s, "hub", out), "172.16.0.0/16");
		assert_string_equal(lan_of(&s, "p", out), cases[i].p);
		assert_string_equal(lan_of(&s, "x", out), cases[i].x);
		assert_string_equal(lan_of(&s, "z", out), cases[i].z);
		hush(&s);
	}
}

static void a_plan_knows_its_limits(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"site c tier commune id 1001 under p { uplink fibre dynamic; }\n"
	     "site d tier commune id 1002 under p { uplink fibre dynamic; }",
	     "has no /18 left for site 'd' in 10.7.0.0/16"},
	    {"site c tier commune id 1001 under hub { uplink fibre dynamic; lan 10.7.64.0/24; }",
	     "overlaps 10.7.64.0/18 of site 'x'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool said = false;
		struct spoken s;

		speak(&s, PLAN, cases[i].text, (struct check_times){0});
		assert_int_equal(s.outcome, -TUYEN_EINVAL);
		for (size_t k = 0; k < s.diags.count; k++)
			said |= strstr(s.diags.entries[k].message, cases[i].says) != NULL;
		assert_true(said);
		assert_int_equal(s.diags.error_count, 1);
		assert_int_equal(s.diags.entries[s.diags.count - 1].severity, DIAG_NOTE);
		hush(&s);
	}
}

/* ---- templates ---- */

static void a_site_wins_over_its_template(void **state)
{
	struct spoken s;
	const struct site *t, *u;

	(void)state;
	speak(
	    &s, COUNTRY,
	    "underlay lte { metric 50; }\n"
	    "template t { uplink fibre dynamic risk mast; uplink lte dynamic metered 1GB/day; tag "
	    "x; device m 192.168.0.1 { snmp user u; carries lte; } }\n"
	    "site t1 tier commune id 20 under north use t;\n"
	    "site t2 tier commune id 21 under north use t { uplink lte 203.0.113.77; tag y; lan "
	    "10.2.0.0/24; device m 192.168.9.9 { snmp user v; } }",
	    (struct check_times){0});
	assert_int_equal(s.outcome, 0);
	t = &s.network.sites[network_site_find(&s.network, "t1")];
	u = &s.network.sites[network_site_find(&s.network, "t2")];
	assert_int_equal(t->uplink_count, 2);
	assert_int_equal(t->uplinks[0].risk_count, 1);
	assert_true(t->uplinks[1].allowance_bytes_day == 1000000000);
	assert_int_equal(t->devices[0].uplink, 1);
	assert_int_equal(t->tag_count, 1);
	assert_int_equal(t->lan_count, 0);
	assert_int_equal(u->uplink_count, 2);
	assert_int_equal(u->uplinks[1].endpoint.family, 4);
	assert_true(u->uplinks[1].allowance_bytes_day == 0);
	assert_int_equal(u->device_count, 1);
	assert_string_equal(u->devices[0].user, "v");
	assert_int_equal(u->tag_count, 2);
	assert_int_equal(u->lan_count, 1);
	hush(&s);
}

/* ---- constraints and risks ---- */

/* The ways of @site's paths by name, "main: a north hub; spare: ...". */
static void ways_are(const struct spoken *s, const char *site, const char *want)
{
	const struct network *n = &s->network;
	size_t count, first = compile_pairs_of_head(s->result, network_site_find(n, site), &count);
	char got[512] = "";

	for (size_t i = first; i < first + count; i++) {
		const struct compile_pair *pair = compile_pair(s->result, i);

		for (uint32_t k = 0; k < pair->path_count; k++) {
			const struct compile_path *p = compile_path(s->result, pair->path + k);

			strcat(got, *got ? "; " : "");
			strcat(got, n->policies[pair->policy].paths[p->path].name);
			strcat(got, ":");
			for (uint8_t w = 0; w < p->way_length; w++) {
				strcat(got, " ");
				strcat(got, n->sites[compile_path_way(s->result, p)[w]].name);
			}
		}
	}
	assert_string_equal(got, want);
}

static void ways_fulfil_their_constraints(void **state)
{
	static const struct {
		const char *paths, *a, *b;
		size_t unmet; /* warnings */
	} cases[] = {
	    {"path m preference 1 via shortest avoid south;", "m: a north hub", "m: b north hub",
	     0},
	    {"path m preference 1 via shortest avoid north, west;", "m: a south hub",
	     "m: b south hub", 0},
	    {"path m preference 1 via shortest avoid link south hub avoid link north hub;",
	     "m: a south west hub", "m: b south west hub", 0},
	    {"path m preference 2 via shortest; path n preference 1 via parent avoid north;",
	     "m: a north hub", "m: b south hub; n: b south hub", 1},
	    {"path m preference 2 via shortest; path n preference 1 via backup avoid link b north;",
	     "m: a north hub; n: a south hub", "m: b south hub", 1},
	    {"path m preference 2 via parent; path n preference 1 via backup disjoint m avoid link "
	     "south hub;",
	     "m: a north hub; n: a south west hub", "m: b south hub; n: b north hub", 0},
	    {"path m preference 2 via parent; path n preference 1 via parent disjoint m;",
	     "m: a north hub; n: a north hub", "m: b south hub; n: b south west hub", 0},
	    {"path m preference 2 via parent; path n preference 1 via parent disjoint m max delay "
	     "5ms;",
	     "m: a north hub; n: a north hub", "m: b south hub", 1},
	    {"path m preference 2 via parent; path n preference 1 via parent disjoint m max labels "
	     "1;",
	     "m: a north hub; n: a north hub", "m: b south hub", 1},
	    {"path m preference 2 via parent; path n preference 1 via parent disjoint m max labels "
	     "2 max delay 6ms;",
	     "m: a north hub; n: a north hub", "m: b south hub; n: b south west hub", 0},
	    {"path m preference 1 via shortest avoid a, b, hub;", "m: a north hub",
	     "m: b south hub", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		size_t unmet = 0;
		struct spoken s;

		snprintf(text, sizeof(text), POLICY("%s"), cases[i].paths);
		speak_and_compile(&s, text);
		assert_int_equal(s.outcome, 0);
		ways_are(&s, "a", cases[i].a);
		ways_are(&s, "b", cases[i].b);
		for (size_t k = 0; k < compile_problem_count(s.result); k++)
			unmet += !strcmp(compile_problem(s.result, k)->name, COMPILE_WARNING_UNMET);
		assert_int_equal(unmet, cases[i].unmet);
		hush(&s);
	}
}

static void what_nobody_can_fulfil_is_an_error(void **state)
{
	static const struct {
		const char *paths, *says;
	} cases[] = {
	    {"path m preference 2 via parent; path n preference 1 via parent max delay 3ms;",
	     "path 'n' (max delay 3ms) has no way from any site: 'a', 'b'"},
	    {"path m preference 2 via parent; path n preference 1 via shortest avoid north, south;",
	     "path 'n' (avoid north, south) has no way"},
	    {"path m preference 1 via parent max labels 1 avoid link north hub;",
	     "no path of it leads from 'a' to 'hub'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		bool said = false;
		struct spoken s;

		snprintf(text, sizeof(text), POLICY("%s"), cases[i].paths);
		speak_and_compile(&s, text);
		assert_int_equal(s.outcome, -TUYEN_EINVAL);
		for (size_t k = 0; k < compile_problem_count(s.result); k++)
			said |= strstr(compile_problem(s.result, k)->text, cases[i].says) != NULL;
		assert_true(said);
		hush(&s);
	}
}

static void disjoint_paths_keep_away_from_shared_risks(void **state)
{
	static const struct {
		const char *text, *a;
		size_t risky; /* warnings */
	} cases[] = {
	    {"", "m: a north hub; n: a south hub", 0},
	    {"link north hub { risk duct; } link south hub { risk duct; }",
	     "m: a north hub; n: a south west hub", 1}, /* b has no such way */
	    /* no way around: the risk is borne, a common link is not */
	    {"link north hub { risk duct; } link south hub { risk duct; } link west hub { risk "
	     "duct; }",
	     "m: a north hub; n: a south hub", 1},
	    {"link a north { risk duct; } link a south { risk duct; }",
	     "m: a north hub; n: a south hub", 1},
	    {"link north hub { risk one, two; } link south hub { risk three, two; }",
	     "m: a north hub; n: a south west hub", 1}, /* b has no such way */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];
		struct spoken s;
		size_t risky = 0;

		snprintf(text, sizeof(text),
			 POLICY("path m preference 2 via parent; path n preference 1 via backup "
				"disjoint m;") "%s",
			 cases[i].text);
		speak_and_compile(&s, text);
		assert_int_equal(s.outcome, 0);
		ways_are(&s, "a", cases[i].a);
		for (size_t k = 0; k < compile_problem_count(s.result); k++)
			risky += !strcmp(compile_problem(s.result, k)->name, COMPILE_WARNING_RISKS);
		assert_int_equal(risky, cases[i].risky);
		hush(&s);
	}
}

static void a_link_shares_what_its_uplinks_share(void **state)
{
	struct spoken s;
	const struct link *l;

	(void)state;
	speak(
	    &s, COUNTRY,
	    "site e tier commune id 20 under north { uplink fibre dynamic risk mast, duct; }\n"
	    "site f tier commune id 21 under e2 { uplink fibre dynamic risk mast; }\n"
	    "site e2 tier province id 22 under hub { uplink fibre 203.0.113.9 risk duct, duct; }\n"
	    "link f e2 { risk bridge, mast; }",
	    (struct check_times){0});
	assert_int_equal(s.outcome, 0);
	assert_int_equal(s.network.risk_count, 3);
	for (size_t i = 0; i < s.network.link_count; i++) {
		l = &s.network.links[i];
		if (strcmp(s.network.sites[l->a].name, "f"))
			continue;
		assert_int_equal(l->risk_count, 3); /* mast, duct, bridge */
		assert_true(l->risks[0] < l->risks[1] && l->risks[1] < l->risks[2]);
	}
	assert_int_equal(warnings(&s, "single-risk"), 1); /* bridge */
	hush(&s);
}

/* Both ends must name the code point, or all of the port would pass. */
static void a_class_of_a_dscp_goes_to_both_ends(void **state)
{
	struct spoken s;

	(void)state;
	speak_and_compile(&s, "class voice { to port udp 5004; dscp ef, 12; }\n"
			      "policy v color 2 { from a; to hub; carry voice; path m preference 1 "
			      "via parent; encrypt end-to-end; }");
	assert_int_equal(s.outcome, 0);
	assert_int_equal(s.network.classes[1].match_count, 2);
	for (uint32_t site = 0; site < 5; site += 4) {
		struct forwarding f, again;
		struct reason reason;
		struct text t;

		assert_int_equal(compile_site(s.result, site, &f), 0);
		assert_int_equal(f.rule_count, 2);
		assert_true(f.rules[0].has_dscp && f.rules[1].has_dscp);
		assert_int_equal(f.rules[0].dscp, 12);
		assert_int_equal(f.rules[1].dscp, 46);
		assert_int_equal(f.rules[1].port_first, 5004);
		text_init(&t);
		forwarding_encode(&f, &t);
		assert_non_null(strstr(text_string(&t), " ports 5004-5004 dscp 46 to "));
		assert_int_equal(forwarding_parse(t.bytes, t.length, &again, &reason), 0);
		assert_int_equal(again.rules[1].dscp, 46);
		forwarding_clear(&again);
		forwarding_clear(&f);
		text_clear(&t);
	}
	hush(&s);
}

/* Who forbids one code point forbids no packet of another. */
static void classes_of_other_dscps_do_not_overlap(void **state)
{
	struct spoken s;

	(void)state;
	speak_and_compile(&s, "class ef { dscp ef; }\nclass low { dscp 8, 10; }\n"
			      "class any { dscp 46, 1; to port tcp 1; }\n"
			      "policy v color 2 { from a; to hub; carry ef, low, any; path m "
			      "preference 1 via parent; encrypt end-to-end; }");
	assert_int_equal(s.outcome, 0);
	assert_false(compile_classes_overlap(&s.network, 1, 2));
	assert_true(compile_classes_overlap(&s.network, 1, 3));
	assert_false(compile_classes_overlap(&s.network, 2, 3));
	assert_true(compile_classes_overlap(&s.network, 0, 2)); /* any mark */
	hush(&s);
}

/* The words of class @name: @first + 2 * i of each part. */
static void class_speak(struct text *t, const char *name, const unsigned first[static 3])
{
	text_printf(t, "class %s { to port ", name);
	for (unsigned i = 0; i < 32; i++)
		text_printf(t, "%s %u", i ? ", tcp" : "tcp", 1000 + first[0] + 2 * i);
	text_add(t, ", udp 7; ");
	for (unsigned i = 0; i < 8; i++)
		text_printf(t, "to 10.%u.0.0/16; ", first[1] + 2 * i);
	text_add(t, "dscp ");
	for (unsigned i = 0; i < 8; i++)
		text_printf(t, "%s%u", i ? ", " : "", first[2] + 2 * i);
	text_add(t, "; }\n");
}

/* Large classes overlap where ports, prefixes and code points all do; whatever is compared with them. */
static void large_classes_are_compared_by_their_parts(void **state)
{
	static const unsigned firsts[][3] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {2, 2, 2}};
	static const bool overlaps[] = {true, true /* udp 7 */, false, false, true};
	struct spoken s;
	struct text t;

	(void)state;
	text_init(&t);
	text_add(&t, "site far tier npdc id 9 { uplink fibre 203.0.113.9; lan 10.1.128.0/17; "
		     "lan 10.2.0.0/15; lan 10.4.0.0/14; lan 10.8.0.0/13; lan 10.16.0.0/16; }\n"
		     "link hub far;\n"
		     "class one { to port tcp 1002; to 10.2.0.0/15; dscp 14; }\n"
		     "class other { to port tcp 1003; to 10.2.0.0/15; dscp 14; }\n"
		     "class wide { to port tcp 1-1002; to 10.0.0.0/8; }\n");
	for (unsigned i = 0; i < 5; i++)
		class_speak(&t, (const char[]){(char)('a' + i), 0}, firsts[i]);
	text_add(
	    &t,
	    "policy v color 2 { from a; to hub, far; carry one, other, wide, a, b, c, d, e; path m "
	    "preference 1 via shortest; encrypt end-to-end; }");
	speak_and_compile(&s, text_string(&t));
	assert_int_equal(s.outcome, 0);
	for (uint32_t i = 1; i < 5; i++) {
		assert_int_equal(compile_classes_overlap(&s.network, 4, 4 + i), overlaps[i]);
		assert_int_equal(compile_classes_overlap(&s.network, 4 + i, 4), overlaps[i]);
	}
	assert_true(compile_classes_overlap(&s.network, 1, 4));
	assert_false(compile_classes_overlap(&s.network, 2, 4));
	assert_true(compile_classes_overlap(&s.network, 4, 3));
	text_clear(&t);
	hush(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(days_are_days_of_the_calendar),
	    cmocka_unit_test(rules_hold_until_their_day),
	    cmocka_unit_test(an_expired_class_is_carried_by_nobody),
	    cmocka_unit_test(selectors_select),
	    cmocka_unit_test(a_plan_gives_lans_that_stay),
	    cmocka_unit_test(a_plan_knows_its_limits),
	    cmocka_unit_test(a_site_wins_over_its_template),
	    cmocka_unit_test(ways_fulfil_their_constraints),
	    cmocka_unit_test(what_nobody_can_fulfil_is_an_error),
	    cmocka_unit_test(disjoint_paths_keep_away_from_shared_risks),
	    cmocka_unit_test(a_link_shares_what_its_uplinks_share),
	    cmocka_unit_test(a_class_of_a_dscp_goes_to_both_ends),
	    cmocka_unit_test(large_classes_are_compared_by_their_parts),
	    cmocka_unit_test(classes_of_other_dscps_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
