/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/operations.c daemon/core/kernel_state.c daemon/core/repair.c daemon/core/desired.c
// link: daemon/core/desired_queue.c daemon/core/desired_nft.c daemon/core/plan.c daemon/base/text.c daemon/base/err.c
// link: daemon/base/ip.c daemon/base/encode.c daemon/base/wire.c topology/labels.c
// link: topology/forwarding.c topology/forwarding_codec.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/core/operations.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A commune with two paths of color 10, as the compiler writes it. */
static const char bundle[] =
    "tuyen-bundle 1\n"
    "site 901 phuc-xa tier commune label 16901\n"
    "address link 100.64.3.133 node 100.80.56.80 lan 10.9.1.1\n"
    "srgb 16000 size 70000\n"
    "overlay link 100.64.0.0/16 path 100.80.0.0/12\n"
    "link0 port 51820 mtu 1440\n"
    "lan 10.9.1.0/24\n"
    "neighbor 210 ba-dinh over fibre key uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8= address "
    "100.64.0.210 call 198.51.100.9:51820 probe 50000us x 3 mtu 1440 lsp 1420\n"
    "accept 210 16901\n"
    "neighbor 211 dong-da over fibre key e/V0khMNzPh6FWyKuCjCQtzF5U3HX3XQPek9AKa/W0Y= address "
    "100.64.0.211 call 198.51.100.13:51820 probe 50000us x 3 mtu 1440 lsp 1420\n"
    "accept 211 16901\n"
    "label 16901 here\n"
    "path 1 main color 10 preference 200 to 1 source 100.80.56.81 endpoint 100.80.0.16 first 210 "
    "stack 16001 mtu 1416 probe 50000us x 3 reflector 1\n"
    "path 2 spare color 10 preference 100 to 1 source 100.80.56.82 endpoint 100.80.0.16 first 211 "
    "stack 16001 mtu 1412 probe 50000us x 3 reflector 1\n"
    "session 10 citizen-query port 52010 mtu 1352 revert 2000ms\n"
    "peer 10 1 npdc-hn key at5xF9hs2oX+KNPKmPx13GCINvL7WhRyr6z5CIfQ9Dw= call 100.80.0.16:52010\n"
    "prefix 10 1 10.0.0.0/16\n"
    "rule 10 out priority 1 protocol 17 ports 162-162 to 0.0.0.0/0 from 0.0.0.0/0 class alarm\n"
    "rule 10 out priority 2 protocol 6 ports 443-443 to 0.0.0.0/0 from 0.0.0.0/0 class query\n";

static void bundle_read(const char *from, const char *to, struct forwarding *f)
{
	struct reason reason = {.text = ""};
	char text[sizeof(bundle) + 256];
	const char *at = strstr(bundle, from);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - bundle), bundle, to, at + strlen(from));
	forwarding_init(f);
	if (forwarding_parse(text, strlen(text), f, &reason) < 0)
		fail_msg("%s", reason.text);
}

/* What the bundle says instead, and how many operations that is. */
static const struct {
	const char *name, *from, *to;
	size_t operations;
} rows[] = {
    {"the same", "site 901", "site 901", 0},
    {"a timer: the kernel does not know it", "revert 2000ms", "revert 9000ms", 0},
    {"a neighbour calls from elsewhere", "198.51.100.9:", "198.51.100.10:", 0},
    {"a neighbour's stack", "accept 210 16901\n", "accept 210 16901\naccept 210 16902\n", 1},
    {"a label route", "label 16901 here\n", "label 16901 here\nlabel 16902 to 210 out 16902\n", 1},
    {"a port of a class", "443-443", "443-444", 1},
    {"the other path is preferred", "preference 100", "preference 300", 1},
};

static void only_what_differs_is_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reason reason = {.text = ""};
		struct forwarding before, after;
		size_t there = 99, back = 99;

		bundle_read("site", "site", &before);
		bundle_read(rows[i].from, rows[i].to, &after);
		assert_int_equal(operations_count(&before, &after, &there, &reason), 0);
		assert_int_equal(operations_count(&after, &before, &back, &reason), 0);
		if (there != rows[i].operations || back != rows[i].operations)
			fail_msg("%s: %zu there and %zu back", rows[i].name, there, back);
		forwarding_clear(&before);
		forwarding_clear(&after);
	}
}

static void a_new_node_needs_all_of_it(void **state)
{
	struct reason reason = {.text = ""};
	struct forwarding f;
	size_t all = 0;

	(void)state;
	bundle_read("site", "site", &f);
	assert_int_equal(operations_count(NULL, &f, &all, &reason), 0);
	assert_in_range(all, 30, 80);
	forwarding_clear(&f);
}

static void two_owners_of_a_prefix_are_an_error(void **state)
{
	struct reason reason = {.text = ""};
	struct forwarding f;
	size_t count = 7;

	(void)state;
	bundle_read("prefix 10 1 10.0.0.0/16\n",
		    "prefix 10 1 10.0.0.0/16\n"
		    "peer 10 2 npdc-dn key uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8= wait\n"
		    "prefix 10 2 10.1.0.0/16\n",
		    &f);
	f.peers[1].prefixes[0] = f.peers[0].prefixes[0]; /* no bundle says so: forwarding_parse() */
	assert_int_equal(operations_count(NULL, &f, &count, &reason), -TUYEN_ECONFLICT);
	assert_int_equal(count, 7);
	assert_non_null(strstr(reason.text, "10.0.0.0/16"));
	forwarding_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_differs_is_counted),
	    cmocka_unit_test(a_new_node_needs_all_of_it),
	    cmocka_unit_test(two_owners_of_a_prefix_are_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
