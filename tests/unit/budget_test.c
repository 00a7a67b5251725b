/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/budget.c policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c
// link: policies/compile_graph.c policies/compile_repair.c policies/compile_way.c policies/compile_site.c
// link: policies/expect.c topology/network.c topology/labels.c topology/mtu.c
// link: topology/spf.c topology/forwarding.c tests/unit/network_fixture.c daemon/base/err.c
// link: daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
/* What watching costs, by hand and by the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "network_fixture.h"
#include "tuyen/policies/budget.h"

static void test_packets(void **state)
{
	static const struct {
		enum budget_packet packet;
		struct budget_wrap wrap;
		uint32_t bytes;
	} rows[] = {
	    /* 52 padded to 64, + 32 + 28 */
	    {BUDGET_PROBE, {.labels = 0}, 124},
	    {BUDGET_PROBE, {.carrier_ipv6 = true}, 144},
	    /* 52 + 20 + 4 = 76 -> 80 */
	    {BUDGET_PROBE, {.in_lsp = true, .labels = 1}, 140},
	    {BUDGET_PROBE, {.in_lsp = true, .labels = 2}, 140}, /* 80 -> 80 */
	    {BUDGET_PROBE, {.in_lsp = true, .labels = 3}, 156}, /* 84 -> 96 */
	    {BUDGET_PROBE, {.in_lsp = true, .labels = 8}, 172}, /* 104 -> 112 */
	    /* 60 + 20 + 8 = 88 -> 96 */
	    {BUDGET_KEEPALIVE, {.in_lsp = true, .labels = 2}, 156},
	    {BUDGET_KEEPALIVE, {.link_itself = true}, 60},
	    {BUDGET_INITIATION, {.link_itself = true}, 176},
	    {BUDGET_INITIATION, {.link_itself = true, .carrier_ipv6 = true}, 196},
	    {BUDGET_RESPONSE, {.link_itself = true}, 120},
	    {BUDGET_INITIATION, {.in_lsp = true, .labels = 2}, 268}, /* 204 -> 208 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(budget_packet_bytes(rows[i].packet, rows[i].wrap), rows[i].bytes);
}

static void test_probes(void **state)
{
	static const struct {
		struct probe_timers timers;
		uint64_t packets;
	} rows[] = {
	    {{1000000, 3}, 98742},			  /* 86400 / 0.875 */
	    {{300000, 3}, 329142}, {{300000, 1}, 349090}, /* 86400 / 0.2475 */
	    {{50000, 3}, 1974857}, {{60000000, 3}, 1645}, {{0, 3}, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(budget_probes_day(rows[i].timers), rows[i].packets);
}

struct computed {
	struct network network;
	struct compile_result *result;
	struct budget budget;
};

static void compute(struct computed *c)
{
	assert_int_equal(compile_network(&c->network, 0, &c->result), 0);
	assert_int_equal(budget_compute(c->result, &c->budget), 0);
}

static void clear(struct computed *c)
{
	budget_clear(&c->budget);
	compile_free(c->result);
	network_clear(&c->network);
}

static const struct budget_uplink *uplink_of(const struct computed *c, const char *name)
{
	uint32_t site = network_site_find(&c->network, name);

	return &c->budget.uplinks[c->budget.uplink_first[site]];
}

#define P50 1974857u /* probes a day at 50 ms */
#define PAD 13500u   /* padded ones, 1,416 + 24 bytes and 60 around */
/* A link's padded ones, 1,440 bytes and 60 around: an eighth, and answers to the other end's. */
#define PAD_LINK_PACKETS (2u * (PAD / 8))
#define PAD_LINK_BYTES	 (PAD_LINK_PACKETS * 1500ull)

/* Three sites in a row: hub - middle - end, one color, one path. */
static void test_row(void **state)
{
	struct computed c;
	struct policy *p;
	uint32_t hub, middle;
	const struct budget_uplink *end, *between, *top;

	(void)state;
	fixture_init(&c.network);
	hub = fixture_site(&c.network, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	middle = fixture_site(&c.network, "middle", 1, 2, hub, FIXTURE_NONE, "");
	fixture_site(&c.network, "end", 2, 3, middle, FIXTURE_NONE, "10.1.0.0/24");
	fixture_class(&c.network, "query", 6, 443);
	p = fixture_policy(&c.network, "p", 10);
	fixture_set_tier(&c.network, &p->from, 2);
	fixture_set_tier(&c.network, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	compute(&c);
	end = uplink_of(&c, "end");
	between = uplink_of(&c, "middle");
	top = uplink_of(&c, "hub");

	assert_int_equal(end->links, 1);
	assert_int_equal(between->links, 2);
	assert_int_equal(end->detect_us, 150000);
	/* sent by the end: BFD, S-BFD, link's initiation, session's keepalive and initiation */
	assert_int_equal(end->sent.packets_day,
			 P50 + P50 + PAD + PAD_LINK_PACKETS + 720 + 3456 + 720);
	assert_int_equal(end->sent.bytes_day, (uint64_t)P50 * (124 + 140) + PAD * 1500 +
						  PAD_LINK_BYTES + 720 * 176 + 3456 * 156 +
						  720 * 268);
	assert_int_equal(end->received.packets_day, P50 + P50 + PAD + PAD_LINK_PACKETS + 720 + 720);
	assert_int_equal(end->transit_bytes_day, 0);
	/* each path's packet comes in and goes out of the middle, on one line */
	assert_int_equal(between->sent.packets_day,
			 4u * P50 + 2 * PAD + 2 * PAD_LINK_PACKETS + 2 * 720 + 3456 + 2 * 720);
	assert_int_equal(between->transit_bytes_day, (uint64_t)P50 * 140 * 4 + PAD * 1500ull * 4 +
							 2 * 3456 * 156 + 2 * 720 * (268 + 204));
	assert_int_equal(top->sent.packets_day, 2u * P50 + PAD + PAD_LINK_PACKETS + 720 + 720);
	assert_int_equal(c.budget.hub_count, 1);
	assert_int_equal(c.budget.hubs[0].site, hub);
	assert_int_equal(c.budget.hubs[0].sessions, 1);
	assert_int_equal(c.budget.hubs[0].reflected_day, P50);
	assert_int_equal(c.budget.underlays[0].lines, 3);
	assert_int_equal(c.budget.underlays[0].links, 4);
	assert_int_equal(c.budget.underlays[0].probe_bytes_day, (uint64_t)P50 * 124);
	assert_int_equal(c.budget.underlays[1].busiest, NETWORK_NONE);
	assert_int_equal(c.budget.uplinks[c.budget.underlays[0].busiest].site, middle);
	clear(&c);
}

/* What all send, all receive; and the sum of the lines is the whole. */
static void test_sums(void **state)
{
	struct computed c;
	struct budget_flow sent = {0}, received = {0}, both = {0};

	(void)state;
	fixture_country(&c.network, 300);
	compute(&c);
	for (size_t i = 0; i < c.budget.uplink_count; i++) {
		sent.bytes_day += c.budget.uplinks[i].sent.bytes_day;
		received.bytes_day += c.budget.uplinks[i].received.bytes_day;
		sent.packets_day += c.budget.uplinks[i].sent.packets_day;
	}
	for (size_t i = 0; i < c.network.underlay_count; i++)
		both.bytes_day += c.budget.underlays[i].both.bytes_day;
	assert_int_equal(sent.bytes_day, received.bytes_day);
	assert_int_equal(sent.bytes_day, c.budget.all.bytes_day);
	assert_int_equal(sent.packets_day, c.budget.all.packets_day);
	assert_int_equal(both.bytes_day, 2 * c.budget.all.bytes_day);
	clear(&c);
}

static void test_allowance(void **state)
{
	struct computed c;
	const struct budget_uplink *u;
	uint64_t *allowed;

	(void)state;
	fixture_first_light(&c.network);
	compute(&c);
	u = uplink_of(&c, "phuc-xa");
	allowed = &c.network.sites[u->site].uplinks[0].allowance_bytes_day;
	assert_false(budget_uplink_exceeds(u, &c.network)); /* not metered */
	*allowed = budget_uplink_bytes(u);
	assert_false(budget_uplink_exceeds(u, &c.network));
	*allowed -= 1;
	assert_true(budget_uplink_exceeds(u, &c.network));
	clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_packets),   cmocka_unit_test(test_probes),
	    cmocka_unit_test(test_row),	      cmocka_unit_test(test_sums),
	    cmocka_unit_test(test_allowance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
