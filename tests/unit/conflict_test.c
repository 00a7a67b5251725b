/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/conflict.c daemon/core/kernel_state.c daemon/core/plan.c daemon/core/plan_print.c
// link: topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c
/* Whose an address is, and what is done where it is another site's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/conflict.h"
#include "tuyen/core/plan.h"

#define IP(a, b, c, d) ((ipv4_t)(a) << 24 | (ipv4_t)(b) << 16 | (ipv4_t)(c) << 8 | (d))

static struct ipv4_prefix lan[] = {{IP(10, 9, 1, 0), 24}, {IP(10, 9, 3, 0), 24}};
static struct ipv4_prefix behind[] = {{0, 0}, {IP(10, 0, 0, 0), 8}},
			  behind_next[] = {{IP(172, 16, 0, 0), 16}};
static struct fwd_neighbor neighbor[] = {{.site_id = 210, .link_address = IP(100, 64, 0, 210)},
					 {.site_id = 213, .link_address = IP(100, 64, 0, 213)}};
static struct fwd_path path[] = {
    {.index = 1, .source = IP(100, 80, 56, 81), .endpoint = IP(100, 80, 0, 16)},
    {.index = 2, .source = IP(100, 80, 56, 82), .endpoint = IP(100, 80, 0, 32)}};
static struct fwd_return way_back[] = {{.destination = IP(100, 80, 57, 1)}};
static struct fwd_session_peer peer[] = {{.color = 10, .prefixes = behind, .prefix_count = 2},
					 {.color = 20, .prefixes = behind_next, .prefix_count = 1}};
static const struct forwarding site = {.link_address = IP(100, 64, 3, 133),
				       .node_address = IP(100, 80, 56, 80),
				       .lan_address = IP(10, 9, 1, 1),
				       .parallel_address = IP(100, 72, 3, 133),
				       .lans = lan,
				       .lan_count = 2,
				       .neighbors = neighbor,
				       .neighbor_count = 2,
				       .paths = path,
				       .path_count = 2,
				       .returns = way_back,
				       .return_count = 1,
				       .peers = peer,
				       .peer_count = 2};

static const struct {
	const char *what;
	ipv4_t address;
	bool others;
} cases[] = {
    {"our link's", IP(100, 64, 3, 133), false},
    {"our node's", IP(100, 80, 56, 80), false},
    {"our parallel link's", IP(100, 72, 3, 133), false},
    {"a path's of ours", IP(100, 80, 56, 81), false},
    {"another path's of ours", IP(100, 80, 56, 82), false},
    {"our own in our LAN", IP(10, 9, 1, 1), false},
    {"another in our LAN, though a larger one has it", IP(10, 9, 1, 200), false},
    {"in another LAN of ours", IP(10, 9, 3, 200), false},
    {"our LAN's broadcast", IP(10, 9, 1, 255), false},
    {"a neighbour's link's", IP(100, 64, 0, 210), true},
    {"another neighbour's link's", IP(100, 64, 0, 213), true},
    {"an endpoint's node's", IP(100, 80, 0, 16), true},
    {"another endpoint's node's", IP(100, 80, 0, 32), true},
    {"a path's of another", IP(100, 80, 57, 1), true},
    {"in another's LAN", IP(10, 0, 0, 10), true},
    {"in a LAN of another session's", IP(172, 16, 7, 7), true},
    {"another's LAN's broadcast", IP(10, 255, 255, 255), true},
    {"in the overlay's range, and nobody's", IP(100, 64, 0, 211), false},
    {"nobody's, though a default route has it", IP(192, 168, 1, 1), false},
    {"loopback", IP(127, 0, 0, 1), false},
};

static void whose_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (conflict_address_is_others(&site, cases[i].address) != cases[i].others)
			fail_msg("%s", cases[i].what);
}

/* A network that the policy has behind a session may be so large that our own addresses lie in it. */
static void what_is_ours_is_ours_wherever_it_lies(void **state)
{
	struct ipv4_prefix half[] = {{0, 1}};
	struct fwd_session_peer large = {.color = 10, .prefixes = half, .prefix_count = 1};
	struct forwarding at_large = site;

	(void)state;
	at_large.peers = &large;
	at_large.peer_count = 1;
	at_large.lan_count = 0;
	assert_true(conflict_address_is_others(&at_large, IP(100, 64, 3, 134)));
	assert_false(conflict_address_is_others(&at_large, site.link_address));
	assert_false(conflict_address_is_others(&at_large, site.node_address));
	assert_false(conflict_address_is_others(&at_large, site.lan_address));
	assert_false(conflict_address_is_others(&at_large, site.parallel_address));
	for (size_t i = 0; i < site.path_count; i++)
		assert_false(conflict_address_is_others(&at_large, path[i].source));
}

static void each_is_found_once_and_in_order(void **state)
{
	static const struct own_address own[] = {{IP(100, 80, 0, 16), 4},
						 {IP(127, 0, 0, 1), 1},
						 {IP(10, 9, 1, 1), 2},
						 {IP(10, 0, 0, 10), 3},
						 {IP(100, 80, 0, 16), 5}};
	struct address_conflicts c;

	(void)state;
	conflicts_find(&site, own, 5, &c);
	assert_int_equal(c.count, 2);
	assert_int_equal(c.entry[0].address, IP(10, 0, 0, 10));
	assert_int_equal(c.entry[0].ifindex, 3);
	assert_int_equal(c.entry[1].address, IP(100, 80, 0, 16));
	assert_int_equal(c.entry[1].ifindex, 4);
	assert_ptr_equal(conflict_of(&c, IP(100, 80, 0, 16)), &c.entry[1]);
	assert_null(conflict_of(&c, IP(10, 9, 1, 1)));
	conflicts_find(&site, NULL, 0, &c);
	assert_int_equal(c.count, 0);
}

/* One more than there is room for, and twice as many, in either order: each pushes one out, or none does. */
static void of_many_the_lowest_are_kept(void **state)
{
	static const unsigned int counts[] = {CONFLICTS_MAX + 1, 2 * CONFLICTS_MAX};

	(void)state;
	for (unsigned int k = 0; k < 4; k++) {
		struct own_address own[2 * CONFLICTS_MAX];
		unsigned int count = counts[k % 2];
		struct address_conflicts c;

		for (unsigned int i = 0; i < count; i++)
			own[i] =
			    (struct own_address){IP(10, 0, 1, 0) + (k < 2 ? count - 1 - i : i), 3};
		conflicts_find(&site, own, count, &c);
		assert_int_equal(c.count, CONFLICTS_MAX);
		for (unsigned int i = 0; i < CONFLICTS_MAX; i++)
			assert_int_equal(c.entry[i].address, IP(10, 0, 1, 0) + i);
	}
}

static const struct address_conflicts three = {{{IP(10, 0, 0, 10), 3, "lan0", false},
						{IP(10, 0, 0, 11), 3, "lan0", false},
						{IP(100, 80, 0, 16), 2, "eth0", true}},
					       3};

static char *plan_of(const struct address_conflicts *c, const struct address_conflicts *there,
		     const struct kernel_state *actual)
{
	struct kernel_state *desired = kernel_state_new();
	struct kernel_plan *plan;
	struct reason reason;
	struct text t;

	assert_int_equal(conflicts_desire(c, there, desired), 0);
	kernel_state_sort(desired);
	assert_int_equal(kernel_plan_build(desired, actual, &plan, &reason), 0);
	text_init(&t);
	text_add(&t, "");
	kernel_plan_print(plan, &t);
	kernel_plan_free(plan);
	kernel_state_free(desired);
	return t.bytes;
}

static void passed_over(const struct address_conflicts *c, const struct address_conflicts *there,
			const struct kernel_state *actual, const char *words)
{
	char *plan = plan_of(c, there, actual);

	assert_string_equal(plan, words);
	free(plan);
}

static void those_of_no_line_are_passed_over(void **state)
{
	struct address_conflicts one = three, none = {.count = 0};
	struct kernel_state *actual = kernel_state_new();

	(void)state;
	one.count = 1;
	passed_over(&none, NULL, actual, "");
	passed_over(&three, NULL, actual,
		    "ip route prepend throw 10.0.0.10/32 table 255\n"
		    "ip route prepend throw 10.0.0.11/32 table 255\n"
		    "ip rule add priority 9900 table 539000\n");
	passed_over(&three, &one, actual,
		    "ip route prepend throw 10.0.0.11/32 table 255\n"
		    "ip rule add priority 9900 table 539000\n");
	passed_over(&three, &three, actual, "");
	one.entry[0].of_line = true;
	passed_over(&one, NULL, actual, "");
	passed_over(&three, &one, actual,
		    "ip route prepend throw 10.0.0.10/32 table 255\n"
		    "ip route prepend throw 10.0.0.11/32 table 255\n"
		    "ip rule add priority 9900 table 539000\n");
	kernel_state_free(actual);
}

static void what_is_there_stays_and_goes_with_the_address(void **state)
{
	struct address_conflicts one = three, none = {.count = 0};
	struct kernel_state *actual = kernel_state_new();

	(void)state;
	one.count = 1;
	assert_int_equal(conflicts_desire(&three, NULL, actual), 0);
	kernel_state_sort(actual);
	passed_over(&three, NULL, actual, "");
	passed_over(&one, NULL, actual, "ip route delete throw 10.0.0.11/32 table 255\n");
	passed_over(&none, NULL, actual,
		    "ip rule delete priority 9900 table 539000\n"
		    "ip route delete throw 10.0.0.10/32 table 255\n"
		    "ip route delete throw 10.0.0.11/32 table 255\n");
	kernel_state_free(actual);
}

static void the_words(void **state)
{
	struct address_conflicts c = {.count = 0}, most = {.count = CONFLICTS_MAX};
	char words[CONFLICTS_STRLEN] = "what stood there";

	(void)state;
	assert_string_equal(conflicts_format(&c, false, words), "");
	assert_string_equal(conflicts_format(&three, false, words),
			    "10.0.0.10 on lan0, 10.0.0.11 on lan0, 100.80.0.16 on eth0");
	assert_string_equal(conflicts_format(&three, true, words), "100.80.0.16 on eth0");
	for (size_t i = 0; i < CONFLICTS_MAX; i++)
		most.entry[i] = (struct address_conflict){.address = IP(255, 255, 255, 255),
							  .device = "fifteen-letters"};
	assert_int_equal(strlen(conflicts_format(&most, false, words)),
			 CONFLICTS_MAX * (15 + 4 + 15) + (CONFLICTS_MAX - 1) * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whose_it_is),
	    cmocka_unit_test(what_is_ours_is_ours_wherever_it_lies),
	    cmocka_unit_test(each_is_found_once_and_in_order),
	    cmocka_unit_test(of_many_the_lowest_are_kept),
	    cmocka_unit_test(those_of_no_line_are_passed_over),
	    cmocka_unit_test(what_is_there_stays_and_goes_with_the_address),
	    cmocka_unit_test(the_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
