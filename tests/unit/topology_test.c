/* SPDX-License-Identifier: Apache-2.0 */
// link: topology/network.c topology/labels.c topology/mtu.c daemon/base/err.c daemon/base/ip.c
// link: tests/unit/network_fixture.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "network_fixture.h"
#include "tuyen/base/err.h"
#include "tuyen/topology/labels.h"
#include "tuyen/topology/mtu.h"

static void addresses_follow_from_the_id(void **state)
{
	struct network n;
	char out[IPV4_STRLEN];

	(void)state;
	network_init(&n);
	assert_string_equal(ipv4_format(network_link_address(&n, 901), out), "100.64.3.133");
	assert_string_equal(ipv4_format(network_link_address(&n, SITE_ID_MAX), out),
			    "100.64.255.255");
	assert_string_equal(ipv4_format(network_path_address(&n, 901, 0), out), "100.80.56.80");
	assert_string_equal(ipv4_format(network_path_address(&n, 901, 15), out), "100.80.56.95");
	assert_string_equal(ipv4_format(network_path_address(&n, SITE_ID_MAX, 15), out),
			    "100.95.255.255");
	network_clear(&n);
}

static void sites_are_found_by_name(void **state)
{
	struct network n;

	(void)state;
	fixture_first_light(&n);
	assert_int_equal(network_site_find(&n, "npdc-hn"), 0);
	assert_int_equal(network_site_find(&n, "kham-thien"), 5);
	assert_int_equal(network_site_find(&n, "kham"), NETWORK_NONE);
	network_clear(&n);
	assert_int_equal(n.site_count, 0);
	network_clear(&n);
}

static void mtu_of_each_layer(void **state)
{
	static const struct {
		const char *name;
		uint16_t carrier;
		bool ipv6;
		uint8_t depth;
		int err;
		uint16_t link, lsp, path, session;
	} rows[] = {
	    {"one label on ethernet", 1500, false, 1, 0, 1440, 1420, 1416, 1356},
	    {"two labels", 1500, false, 2, 0, 1440, 1420, 1412, 1352},
	    {"the deepest stack", 1500, false, LABEL_STACK_MAX, 0, 1440, 1420, 1388, 1328},
	    {"no label", 1500, false, 0, 0, 1440, 1420, 1420, 1360},
	    {"carrier on IPv6", 1500, true, 1, 0, 1420, 1400, 1396, 1336},
	    {"LTE", 1428, false, 1, 0, 1368, 1348, 1344, 1284},
	    {"jumbo", 9000, false, 1, 0, 8940, 8920, 8916, 8856},
	    {"the largest", 65535, false, 1, 0, 65475, 65455, 65451, 65391},
	    {"just enough", 720, false, 1, 0, 660, 640, 636, 576},
	    {"one byte short", 719, false, 1, -TUYEN_ELIMIT, 0, 0, 0, 0},
	    {"just enough on IPv6", 740, true, 1, 0, 660, 640, 636, 576},
	    {"one byte short on IPv6", 739, true, 1, -TUYEN_ELIMIT, 0, 0, 0, 0},
	    {"nothing", 0, false, 1, -TUYEN_ELIMIT, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mtu_layers m = {0};
		int err = mtu_layers_compute(rows[i].carrier, rows[i].ipv6, rows[i].depth, &m);

		if (err != rows[i].err || m.link != rows[i].link || m.lsp != rows[i].lsp ||
		    m.path != rows[i].path || m.session != rows[i].session)
			fail_msg("%s: %d, %u %u %u %u", rows[i].name, err, m.link, m.lsp, m.path,
				 m.session);
		assert_int_equal(m.carrier, err ? 0 : rows[i].carrier);
	}
}

static void node_sids_lie_in_the_block(void **state)
{
	static const struct {
		struct label_block srgb;
		uint32_t id, label;
	} rows[] = {
	    {{16000, 70000}, 1, 16001}, {{16000, 70000}, 69999, 85999},
	    {{16000, 70000}, 70000, 0}, {{16, 10}, 0, 16},
	    {{15, 10}, 3, 0},		{{LABEL_MAX, 10}, 0, LABEL_MAX},
	    {{LABEL_MAX, 10}, 1, 0},	{{16000, 0}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(label_node_sid(rows[i].srgb, rows[i].id), rows[i].label);
}

/* Four blocks: node SIDs, their repair SIDs, and the same of parallel links. */
static void a_parallel_link_has_labels_of_its_own(void **state)
{
	const struct label_block srgb = {16000, 70000}, large = {16000, 300000};

	(void)state;
	assert_int_equal(label_node_sid(srgb, PARALLEL_ID + 901), 156901);
	assert_int_equal(label_repair_sid(srgb, PARALLEL_ID + 901), 226901);
	assert_int_equal(label_node_sid(srgb, PARALLEL_ID + 70000), 0);
	assert_int_equal(label_node_sid(large, 901), 16901);
	assert_int_equal(label_node_sid(large, PARALLEL_ID + 901), 0);
	assert_false(label_is_repair(srgb, 15999));
	assert_false(label_is_repair(srgb, 16901));
	assert_true(label_is_repair(srgb, 86901));
	assert_false(label_is_repair(srgb, 156901));
	assert_true(label_is_repair(srgb, 226901));
}

static void stacks_are_written_and_read(void **state)
{
	static const char *const good[] = {"-",	      "16", "16210/16901",
					   "1048575", "0",  "16/17/18/19/20/21/22/23"};
	static const char *const bad[] = {"",
					  "/",
					  "16/",
					  "/16",
					  "016",
					  "16//17",
					  "1048576",
					  "x",
					  "16 ",
					  "+16",
					  "-1",
					  "99999999999",
					  "16/17/18/19/20/21/22/23/24",
					  "--"};
	struct label_stack s = {.depth = 1, .label = {77}};
	char out[LABEL_STACK_STRLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (label_stack_parse(bad[i], &s) != -TUYEN_EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	assert_int_equal(s.label[0], 77);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(label_stack_parse(good[i], &s), 0);
		assert_string_equal(label_stack_format(&s, out), good[i]);
	}
	assert_int_equal(s.depth, LABEL_STACK_MAX);
	assert_int_equal(s.label[0], 16);
	assert_false(label_stack_push_bottom(&s, 24));
	for (size_t i = 0; i < LABEL_STACK_MAX; i++)
		s.label[i] = LABEL_MAX;
	assert_int_equal(strlen(label_stack_format(&s, out)), LABEL_STACK_STRLEN - 1);
}

static void stacks_have_a_total_order(void **state)
{
	const struct label_stack a = {1, {20}}, b = {1, {21}}, c = {2, {16, 16}}, d = {2, {16, 17}},
				 empty = {0, {99}};
	const struct label_stack *sorted[] = {&empty, &a, &b, &c, &d};

	(void)state;
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < 5; j++) {
			int order = label_stack_compare(sorted[i], sorted[j]);

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(label_stack_equal(sorted[i], sorted[j]), i == j);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_follow_from_the_id),
	    cmocka_unit_test(sites_are_found_by_name),
	    cmocka_unit_test(mtu_of_each_layer),
	    cmocka_unit_test(node_sids_lie_in_the_block),
	    cmocka_unit_test(a_parallel_link_has_labels_of_its_own),
	    cmocka_unit_test(stacks_are_written_and_read),
	    cmocka_unit_test(stacks_have_a_total_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
