/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/diff.c policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c
// link: policies/compile_repair.c policies/compile_way.c policies/compile_site.c policies/expect.c
// link: topology/network.c topology/labels.c topology/mtu.c topology/spf.c topology/forwarding.c
// link: topology/forwarding_codec.c tests/unit/network_fixture.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network_fixture.h"
#include "tuyen/policies/compile.h"
#include "tuyen/policies/diff.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HUB, HANOI, BA_DINH, DONG_DA, PHUC_XA, KHAM_THIEN };

struct country {
	struct forwarding *site;
	size_t count;
};

static struct country country_compile(const struct network *n)
{
	struct country c = {calloc(n->site_count, sizeof(*c.site)), n->site_count};
	struct compile_result *r;

	if (compile_network(n, COMPILE_NEED_KEYS, &r))
		fail_msg("%s", r ? compile_problem(r, 0)->text : "no memory");
	for (uint32_t i = 0; i < c.count; i++)
		assert_int_equal(compile_site(r, i, &c.site[i]), 0);
	compile_free(r);
	return c;
}

static void country_clear(struct country *c)
{
	for (size_t i = 0; i < c->count; i++)
		forwarding_clear(&c->site[i]);
	free(c->site);
}

static void nothing(struct network *n)
{
	(void)n;
}

static void deny(struct network *n)
{
	struct deny_rule *d = fixture_deny(n, 0);

	fixture_set_add(&d->from, KHAM_THIEN);
	fixture_set_tier(n, &d->to, 0);
}

static void other_port(struct network *n)
{
	n->classes[0].matches[0].port_first = n->classes[0].matches[0].port_last = 8443;
}

static void part_of_the_lan(struct network *n)
{
	n->classes[0].matches[0].to = (struct ipv4_prefix){0x0a000100, 24};
}

static void more_than_the_lan(struct network *n)
{
	n->classes[0].matches[0].to = (struct ipv4_prefix){0x0a000000, 8};
}

static void other_preference(struct network *n)
{
	n->policies[0].paths[0].preference = 300;
}

static void shorter_way(struct network *n)
{
	fixture_link(n, BA_DINH, HUB, 1);
}

static void new_commune(struct network *n)
{
	fixture_set_add(&n->policies[0].from,
			fixture_site(n, "new", 3, 903, BA_DINH, NETWORK_NONE, "10.9.3.0/24"));
}

static void key(struct network *n)
{
	n->sites[PHUC_XA].link_key[0] ^= 1;
}

/* What is done to the network between the two sides, and what comes of it. */
static const struct change {
	const char *name;
	void (*make)(struct network *n);
	size_t changed, gained, lost, moved, sites_new;
} changes[] = {
    {"nothing", nothing, 0, 0, 0, 0, 0},
    {"a deny rule", deny, 2, 0, 1, 0, 0}, /* rules at both ends */
    {"a class's port", other_port, 3, 2, 2, 0, 0},
    {"a class to a part of the LAN", part_of_the_lan, 3, 2, 2, 0, 0},
    {"a class to the LAN and others", more_than_the_lan, 3, 0, 0, 0, 0},
    {"a preference", other_preference, 2, 0, 0, 4, 0},
    {"a shorter way", shorter_way, 5, 0, 0, 2,
     0}, /* and it repairs: phuc-xa's probes wait, dong-da has no part in it */
    {"a new site", new_commune, 3, 2, 0, 0, 1},
    {"a link's key", key, 2, 0, 0, 0, 0}, /* its two districts */
};

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		const struct change *want = &changes[i];
		struct network n, m;
		struct country before, after;
		struct diff_counts c;
		struct diff *d;

		fixture_first_light(&n);
		fixture_first_light(&m);
		want->make(&m);
		before = country_compile(&n);
		after = country_compile(&m);
		assert_int_equal(diff_new((struct diff_side){before.site, before.count},
					  (struct diff_side){after.site, after.count}, true, &d),
				 0);
		c = diff_counts(d);
		if (c.sites_changed != want->changed || c.flows[DIFF_GAINED] != want->gained ||
		    c.flows[DIFF_LOST] != want->lost || c.flows[DIFF_MOVED] != want->moved ||
		    c.sites_gained != want->sites_new)
			fail_msg(
			    "%s: %zu sites changed, %zu new; connections: %zu gained, %zu lost, %zu moved",
			    want->name, c.sites_changed, c.sites_gained, c.flows[DIFF_GAINED],
			    c.flows[DIFF_LOST], c.flows[DIFF_MOVED]);
		diff_free(d);
		country_clear(&before);
		country_clear(&after);
		network_clear(&n);
		network_clear(&m);
	}
}

static void test_lines_and_ways(void **state)
{
	struct network n, m;
	struct country before, after;
	struct text t;
	struct diff *d;

	(void)state;
	fixture_first_light(&n);
	fixture_first_light(&m);
	other_preference(&m);
	before = country_compile(&n);
	after = country_compile(&m);
	assert_int_equal(diff_new((struct diff_side){before.site, before.count},
				  (struct diff_side){after.site, after.count}, true, &d),
			 0);
	text_init(&t);
	diff_text(d, 0, 0, &t);
	assert_non_null(strstr(text_string(&t), "901 phuc-xa: path -1 +1\n"));
	assert_non_null(strstr(text_string(&t), "  - path 1 main color 10 preference 200 "));
	assert_non_null(strstr(text_string(&t), "  + path 1 main color 10 preference 300 "));
	assert_non_null(
	    strstr(text_string(&t),
		   "- main 200 16001 > ba-dinh > hanoi > npdc-hn, spare 100 16001 > dong-da "
		   "> hanoi > npdc-hn\n"));
	assert_non_null(
	    strstr(text_string(&t),
		   "+ main 300 16001 > ba-dinh > hanoi > npdc-hn, spare 100 16001 > dong-da "
		   "> hanoi > npdc-hn\n"));
	text_clear(&t);
	diff_free(d);
	country_clear(&before);
	country_clear(&after);
	network_clear(&n);
	network_clear(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_lines_and_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
