/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/kernel_state.c daemon/core/plan.c daemon/core/plan_print.c daemon/base/text.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/encode.c topology/labels.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/plan.h"

static struct kernel_device *device(struct kernel_state *s, const char *name,
				    enum kernel_device_kind kind, ipv4_t remote)
{
	struct kernel_device *d = kernel_state_add_device(s);

	assert_non_null(d);
	strcpy(d->name, name);
	strcpy(d->alias, "tuyen: x");
	d->kind = kind;
	d->remote = remote;
	d->mtu = 1400;
	d->up = true;
	memset(d->private_key, 0x5a, sizeof(d->private_key));
	return d;
}

static struct kernel_peer *peer(struct kernel_state *s, const char *dev, uint8_t key)
{
	struct kernel_peer *p = kernel_state_add_peer(s);

	assert_non_null(p);
	strcpy(p->device, dev);
	p->public_key[0] = key;
	return p;
}

static void allow(struct kernel_peer *p, ipv4_t address)
{
	assert_int_equal(kernel_peer_allow(p, (struct ipv4_prefix){address, 32}), 0);
}

static struct kernel_route *route(struct kernel_state *s, uint32_t table, ipv4_t to,
				  const char *dev)
{
	struct kernel_route *r = kernel_state_add_route(s);

	assert_non_null(r);
	r->table = table;
	r->destination = (struct ipv4_prefix){to, 32};
	strcpy(r->device, dev);
	return r;
}

static void sysctl(struct kernel_state *s, const char *path, uint32_t value, bool at_least)
{
	struct kernel_sysctl *c = kernel_state_add_sysctl(s);

	assert_non_null(c);
	strcpy(c->path, path);
	c->value = value;
	c->at_least = at_least;
}

static void filter(struct kernel_state *s, const char *dev, uint32_t label)
{
	struct kernel_label_filter *f = kernel_state_add_filter(s);
	struct label_stack stack = {.depth = 1, .label = {label}};

	assert_non_null(f);
	strcpy(f->device, dev);
	assert_int_equal(kernel_filter_accept(f, &stack), 0);
}

static void label(struct kernel_state *s, uint32_t in, const char *dev)
{
	struct kernel_label_route *l = kernel_state_add_label(s);

	assert_non_null(l);
	l->in_label = in;
	strcpy(l->device, dev);
	l->out = (struct label_stack){.depth = 1, .label = {in}};
}

/* Both states are freed. @return the plan in words. */
static char *planned(struct kernel_state *want, struct kernel_state *have)
{
	struct kernel_plan *plan;
	struct reason reason;
	struct text t;

	kernel_state_sort(want);
	kernel_state_sort(have);
	text_init(&t);
	text_add(&t, "");
	if (kernel_plan_build(want, have, &plan, &reason) == 0) {
		kernel_plan_print(plan, &t);
		kernel_plan_free(plan);
	} else {
		text_add(&t, reason.text);
	}
	kernel_state_free(want);
	kernel_state_free(have);
	return t.bytes;
}

static void expect(struct kernel_state *want, struct kernel_state *have, const char *lines)
{
	char *got = planned(want, have);

	assert_string_equal(got, lines);
	free(got);
}

static struct kernel_state *adjacency(void)
{
	struct kernel_state *s = kernel_state_new();

	device(s, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	device(s, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
	sysctl(s, "net/mpls/conf/lsp7/input", 1, false);
	sysctl(s, "net/mpls/platform_labels", 1000, true);
	filter(s, "lsp7", 16007);
	label(s, 16007, "lsp7");
	allow(peer(s, "link0", 1), 1);
	s->nft = strdup("table");
	return s;
}

static struct kernel_stray *stray(struct kernel_state *s, uint32_t table, ipv4_t to,
				  uint32_t metric)
{
	struct kernel_stray *r = kernel_state_add_stray(s);

	assert_non_null(r);
	r->route = (struct kernel_route){
	    .table = table, .destination = {to, 32}, .metric = metric, .foreign = true};
	r->type = 7;
	r->protocol = 3;
	return r;
}

/* ... before ours is changed: the kernel replaces what comes first. */
static void what_stands_before_ours_goes(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	route(want, 550010, 1, "lsp7")->metric = 5;
	route(have, 550010, 1, "lsp8")->metric = 5;
	stray(have, 550010, 1, 5);
	stray(have, 550010, 1, 0);
	stray(have, 550010, 2, 0)->type = 6;
	stray(have, 540010, 3, 0)->type = 1;
	expect(want, have,
	       "ip route delete 0.0.0.3/32 table 540010 protocol 3\n"
	       "ip route delete unreachable 0.0.0.1/32 table 550010 protocol 3\n"
	       "ip route delete unreachable 0.0.0.1/32 metric 5 table 550010 protocol 3\n"
	       "ip route delete blackhole 0.0.0.2/32 table 550010 protocol 3\n"
	       "ip route replace 0.0.0.1/32 dev lsp7 metric 5 table 550010\n");
}

/* One is replaced; what else is there, or for some packets alone, is in nobody's place. */
static void one_stands_in_place(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	route(want, 550010, 1, "lsp7");
	stray(have, 550010, 1, 0)->tos = 16;
	stray(have, 550010, 1, 0);
	expect(want, have,
	       "ip route delete unreachable 0.0.0.1/32 tos 0x10 table 550010 protocol 3\n"
	       "ip route replace 0.0.0.1/32 dev lsp7 table 550010\n");
}

/* Somebody else's route or label route where ours should stand is replaced, though all else of it be the same. */
static void what_stands_in_place_is_replaced(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	route(want, 550010, 1, "lsp7");
	stray(have, 550010, 1, 0);
	label(want, 16007, "lsp7");
	label(have, 16007, "lsp7");
	have->labels[0].foreign = true;
	expect(want, have,
	       "ip -f mpls route replace 16007 as 16007 dev lsp7\n"
	       "ip route replace 0.0.0.1/32 dev lsp7 table 550010\n");
}

static void what_protects_comes_before_what_opens(void **state)
{
	(void)state;
	expect(
	    adjacency(), kernel_state_new(),
	    "nft add table inet tuyen\n"
	    "ip link add link0 type wireguard mtu 1400, listen-port 0 fwmark 0x0\n"
	    "ip link add lsp7 type ipip mode mplsip local 0.0.0.0 remote 0.0.0.7 ttl 0 mtu 1400\n"
	    "wg set link0 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= persistent-keepalive 0 "
	    "allowed-ips 0.0.0.1/32\n"
	    "sysctl net/mpls/platform_labels=1000\n"
	    "tc filter add dev lsp7 ingress mpls pass 16007, else drop\n"
	    "sysctl net/mpls/conf/lsp7/input=1\n"
	    "ip -f mpls route add 16007 as 16007 dev lsp7\n");
}

static void equal_states_need_nothing(void **state)
{
	struct kernel_state *have = adjacency();

	(void)state;
	have->devices[1].rx_bytes = 5;
	have->devices[1].ifindex = 9;
	have->filters[0].drops = 4;
	have->peers[0].last_handshake_s = 77;
	have->sysctls[1].value = 2000;
	expect(adjacency(), have, "");
}

static void removal_leaves_what_goes_with_a_device(void **state)
{
	(void)state;
	expect(kernel_state_new(), adjacency(),
	       "ip link delete link0\nip link delete lsp7\nnft delete table inet tuyen\n");
}

static void remade_device_takes_all_with_it(void **state)
{
	struct kernel_state *have = adjacency();

	(void)state;
	have->devices[1].remote = 8;
	expect(
	    adjacency(), have,
	    "ip link delete lsp7\n"
	    "ip link add lsp7 type ipip mode mplsip local 0.0.0.0 remote 0.0.0.7 ttl 0 mtu 1400\n"
	    "tc filter add dev lsp7 ingress mpls pass 16007, else drop\n"
	    "sysctl net/mpls/conf/lsp7/input=1\n"
	    "ip -f mpls route add 16007 as 16007 dev lsp7\n");
}

/* Neither a port nor two ends can be had twice. */
static void renamed_devices_go_before_theirs_come(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
	device(want, "lsp8", KERNEL_DEVICE_MPLS_IN_IP, 8);
	device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52010;
	device(have, "eth7", KERNEL_DEVICE_MPLS_IN_IP, 9);
	device(have, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 8);
	device(have, "lsp8", KERNEL_DEVICE_MPLS_IN_IP, 7);
	device(have, "wg0", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52010;
	expect(
	    want, have,
	    "ip link delete lsp7\n"
	    "ip link delete lsp8\n"
	    "ip link delete wg0\n"
	    "ip link add lsp7 type ipip mode mplsip local 0.0.0.0 remote 0.0.0.7 ttl 0 mtu 1400\n"
	    "ip link add lsp8 type ipip mode mplsip local 0.0.0.0 remote 0.0.0.8 ttl 0 mtu 1400\n"
	    "ip link add s10 type wireguard mtu 1400, listen-port 52010 fwmark 0x0\n"
	    "ip link delete eth7\n");
}

/* A release gives what one had to another that is there already. */
static void a_device_that_ends_goes_before_another_gets_its_ends(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 9);
	device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52020;
	device(have, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
	device(have, "lsp9", KERNEL_DEVICE_MPLS_IN_IP, 9);
	device(have, "s10", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52010;
	device(have, "s20", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52020;
	expect(
	    want, have,
	    "ip link delete lsp7\n"
	    "ip link delete lsp9\n"
	    "ip link delete s20\n"
	    "ip link add lsp7 type ipip mode mplsip local 0.0.0.0 remote 0.0.0.9 ttl 0 mtu 1400\n"
	    "ip link set s10 listen-port 52020 (is 52010)\n");
}

/* Names that somebody changed about: each has the port of the next, and none can be had before another is given up. */
static void devices_with_the_ports_of_each_other_are_made_anew(void **state)
{
	static const char *const names[] = {"link0", "link1", "s10", "s20"};
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		device(want, names[i], KERNEL_DEVICE_WIREGUARD, 0);
		device(have, names[i], KERNEL_DEVICE_WIREGUARD, 0);
		want->devices[i].listen_port = have->devices[i].listen_port = (uint16_t)(51820 + i);
	}
	have->devices[0].listen_port = 51821;
	have->devices[1].listen_port = 51822;
	have->devices[2].listen_port = 51820;
	peer(want, "link0", 1);
	peer(have, "link0", 1);
	peer(want, "s20", 2);
	peer(have, "s20", 2);
	expect(
	    want, have,
	    "ip link delete link0\n"
	    "ip link delete link1\n"
	    "ip link delete s10\n"
	    "ip link add link0 type wireguard mtu 1400, listen-port 51820 fwmark 0x0\n"
	    "ip link add link1 type wireguard mtu 1400, listen-port 51821 fwmark 0x0\n"
	    "ip link add s10 type wireguard mtu 1400, listen-port 51822 fwmark 0x0\n"
	    "wg set link0 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= persistent-keepalive "
	    "0\n");
}

/* One port is free: from there on each is set in its turn, and no session is lost for that. */
static void a_row_of_ports_is_no_ring(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52011;
	device(want, "s20", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52012;
	device(have, "s10", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52010;
	device(have, "s20", KERNEL_DEVICE_WIREGUARD, 0)->listen_port = 52011;
	expect(want, have,
	       "ip link set s10 listen-port 52011 (is 52010)\n"
	       "ip link set s20 listen-port 52012 (is 52011)\n");
}

static void label_leaves_a_device_before_it_goes(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "lsp8", KERNEL_DEVICE_MPLS_IN_IP, 8);
	device(have, "lsp8", KERNEL_DEVICE_MPLS_IN_IP, 8);
	device(have, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
	label(want, 16001, "lsp8");
	label(have, 16001, "lsp7");
	expect(want, have,
	       "ip -f mpls route replace 16001 as 16001 dev lsp8\nip link delete lsp7\n");
}

static void path_switch_is_one_route(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	route(want, 550010, 9, "lsp8")->source = 2;
	route(want, 560001, 9, "lsp7");
	route(have, 550010, 9, "lsp7")->source = 1;
	route(have, 560001, 9, "lsp7");
	expect(want, have, "ip route replace 0.0.0.9/32 dev lsp8 src 0.0.0.2 table 550010\n");
}

/* One object of each kind that has more than its key, and what of it may differ. */
static struct kernel_state *one_of_each(void)
{
	struct kernel_state *s = kernel_state_new();
	struct kernel_route6 *r6 = kernel_state_add_route6(s);
	struct kernel_rule *rule = kernel_state_add_rule(s);
	struct kernel_rule6 *rule6 = kernel_state_add_rule6(s);
	struct kernel_peer *p = peer(s, "link0", 1);

	device(s, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	device(s, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
	for (ipv4_t address = 1; address < 8; address += 3)
		allow(p, address);
	route(s, 550010, 1, "lsp7")->push = (struct label_stack){.depth = 1, .label = {16007}};
	label(s, 16007, "lsp7");
	filter(s, "lsp7", 16007);
	assert_true(r6 && rule && rule6);
	r6->table = 532000;
	rule->priority = rule6->priority = 10000;
	return s;
}

static uint8_t *bytes_of(struct kernel_state *s, enum plan_object object, size_t index)
{
	switch (object) {
	case PLAN_DEVICE:
		return (uint8_t *)&s->devices[index];
	case PLAN_PEER:
		return index ? (uint8_t *)&s->peers[0].allowed[index] : (uint8_t *)&s->peers[0];
	case PLAN_ROUTE:
		return (uint8_t *)&s->routes[index];
	case PLAN_ROUTE6:
		return (uint8_t *)&s->routes6[index];
	case PLAN_LABEL:
		return (uint8_t *)&s->labels[index];
	case PLAN_FILTER:
		return index ? (uint8_t *)s->filters[0].accept : (uint8_t *)&s->filters[0];
	case PLAN_RULE:
		return (uint8_t *)&s->rules[index];
	case PLAN_RULE6:
		return (uint8_t *)&s->rules6[index];
	default:
		fail_msg("%d", object);
	}
	return NULL;
}

#define OF(object, index, verb, type, member)                                                      \
	{                                                                                          \
#type "." #member, object, index, verb, offsetof(struct type, member)              \
	}

/* Whatever alone differs is set right, in its place where the kernel can. */
static void each_difference_counts(void **state)
{
	static const struct {
		const char *what;
		enum plan_object object;
		size_t index;
		enum plan_verb verb;
		size_t offset;
	} rows[] = {
	    OF(PLAN_DEVICE, 0, PLAN_REMOVE, kernel_device, kind), /* and made anew */
	    OF(PLAN_DEVICE, 1, PLAN_REMOVE, kernel_device, local),
	    OF(PLAN_DEVICE, 1, PLAN_REMOVE, kernel_device, remote),
	    OF(PLAN_DEVICE, 1, PLAN_REMOVE, kernel_device, ttl),
	    OF(PLAN_DEVICE, 0, PLAN_CHANGE, kernel_device, mtu),
	    OF(PLAN_DEVICE, 1, PLAN_CHANGE, kernel_device, alias),
	    OF(PLAN_DEVICE, 1, PLAN_CHANGE, kernel_device, up),
	    OF(PLAN_DEVICE, 0, PLAN_CHANGE, kernel_device, private_key[31]),
	    OF(PLAN_DEVICE, 0, PLAN_CHANGE, kernel_device, listen_port),
	    OF(PLAN_DEVICE, 0, PLAN_CHANGE, kernel_device, fwmark),
	    OF(PLAN_PEER, 0, PLAN_CHANGE, kernel_peer, keepalive_s),
	    OF(PLAN_PEER, 0, PLAN_CHANGE, kernel_peer, preshared),
	    OF(PLAN_PEER, 0, PLAN_CHANGE, kernel_peer, allowed_count),
	    OF(PLAN_PEER, 1, PLAN_CHANGE, ipv4_prefix, address),
	    OF(PLAN_PEER, 1, PLAN_CHANGE, ipv4_prefix, length),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, type),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, device),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, gateway),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, source),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, link_scope),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, push.label[0]),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, push.depth),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, mtu),
	    OF(PLAN_ROUTE, 0, PLAN_CHANGE, kernel_route, foreign),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, type),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, device),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, gateway),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, onlink),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, source),
	    OF(PLAN_ROUTE6, 0, PLAN_CHANGE, kernel_route6, foreign),
	    OF(PLAN_LABEL, 0, PLAN_CHANGE, kernel_label_route, device),
	    OF(PLAN_LABEL, 0, PLAN_CHANGE, kernel_label_route, out.label[0]),
	    OF(PLAN_LABEL, 0, PLAN_CHANGE, kernel_label_route, foreign),
	    OF(PLAN_FILTER, 0, PLAN_CHANGE, kernel_label_filter, accept_count),
	    OF(PLAN_FILTER, 1, PLAN_CHANGE, label_stack, label[0]),
	    OF(PLAN_RULE, 0, PLAN_ADD, kernel_rule, fwmask), /* and then the old one goes */
	    OF(PLAN_RULE6, 0, PLAN_ADD, kernel_rule6, fwmask),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel_state *want = one_of_each(), *have = one_of_each();
		struct kernel_plan *plan;
		struct reason reason;

		kernel_state_sort(want);
		kernel_state_sort(have);
		bytes_of(have, rows[i].object, rows[i].index)[rows[i].offset] ^= 1;
		assert_int_equal(kernel_plan_build(want, have, &plan, &reason), 0);
		if (!plan->count || plan->operations[0].object != rows[i].object ||
		    plan->operations[0].verb != rows[i].verb ||
		    (rows[i].verb == PLAN_CHANGE && plan->count != 1))
			fail_msg("%s: %zu operations", rows[i].what, plan->count);
		kernel_plan_free(plan);
		kernel_state_free(want);
		kernel_state_free(have);
	}
}

/* Before all that it guards, the devices that are made among it. */
static void a_table_that_differs_is_replaced_first(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	want->nft = strdup("table");
	have->nft = strdup("tables");
	device(want, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	expect(want, have,
	       "nft replace table inet tuyen\n"
	       "ip link add link0 type wireguard mtu 1400, listen-port 0 fwmark 0x0\n");
}

static void learned_endpoint_is_never_rewritten(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	assert_int_equal(ip_endpoint_parse("192.0.2.1:1", &peer(want, "s10", 1)->endpoint), 0);
	assert_int_equal(ip_endpoint_parse("192.0.2.9:9", &peer(have, "s10", 1)->endpoint), 0);
	expect(want, have, "");
}

/* Whoever set it, it goes; the endpoint that was learned stays. */
static void preshared_key_is_taken_away(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
	struct kernel_peer *p = peer(have, "s10", 1);

	(void)state;
	p->preshared = KERNEL_PRESHARED_ANOTHER;
	assert_int_equal(ip_endpoint_parse("192.0.2.9:9", &p->endpoint), 0);
	assert_int_equal(ip_endpoint_parse("192.0.2.1:1", &peer(want, "s10", 1)->endpoint), 0);
	expect(want, have,
	       "wg set s10 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= preshared-key "
	       "/dev/null\n");
}

#define PARALLEL_PRESHARED " preshared-key <(echo l8wLa+G4692D5TmHJ6ZKZwpLm2FHf2/XR8nRtBJUaMA=)"

static void preshared_key_is_the_devices(void **state)
{
	static const struct {
		const char *device;
		enum kernel_preshared want, have;
		const char *words;
	} rows[] = {
	    {"link1", KERNEL_PRESHARED_PARALLEL, KERNEL_PRESHARED_NONE, PARALLEL_PRESHARED},
	    {"link1", KERNEL_PRESHARED_PARALLEL, KERNEL_PRESHARED_ANOTHER, PARALLEL_PRESHARED},
	    {"link1", KERNEL_PRESHARED_PARALLEL, KERNEL_PRESHARED_PARALLEL, NULL},
	    {"link0", KERNEL_PRESHARED_NONE, KERNEL_PRESHARED_PARALLEL, " preshared-key /dev/null"},
	    {"link0", KERNEL_PRESHARED_NONE, KERNEL_PRESHARED_ANOTHER, " preshared-key /dev/null"},
	    {"link0", KERNEL_PRESHARED_NONE, KERNEL_PRESHARED_NONE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
		char line[200] = "";

		peer(want, rows[i].device, 1)->preshared = rows[i].want;
		peer(have, rows[i].device, 1)->preshared = rows[i].have;
		if (rows[i].words)
			snprintf(line, sizeof(line),
				 "wg set %s peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=%s\n",
				 rows[i].device, rows[i].words);
		expect(want, have, line);
	}
}

static void missing_endpoint_is_set(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	assert_int_equal(ip_endpoint_parse("192.0.2.1:1", &peer(want, "s10", 1)->endpoint), 0);
	peer(have, "s10", 1);
	expect(
	    want, have,
	    "wg set s10 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= endpoint 192.0.2.1:1\n");
}

/* ... whether it is before or behind what the other one keeps. */
static void peer_loses_a_prefix_before_another_gains_it(void **state)
{
	static const struct {
		ipv4_t moves;
		const char *gains;
	} rows[] = {{1, "0.0.0.1/32,0.0.0.3/32"}, {5, "0.0.0.3/32,0.0.0.5/32"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
		struct kernel_peer *p = peer(want, "s10", 1);
		char lines[300];

		allow(p, 3);
		allow(p, rows[i].moves);
		allow(peer(want, "s10", 9), 4);
		allow(peer(have, "s10", 1), 3);
		p = peer(have, "s10", 9);
		allow(p, 4);
		allow(p, rows[i].moves);
		snprintf(
		    lines, sizeof(lines),
		    "wg set s10 peer CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= allowed-ips "
		    "0.0.0.4/32\n"
		    "wg set s10 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= allowed-ips %s\n",
		    rows[i].gains);
		expect(want, have, lines);
	}
}

static void prefix_of_two_peers_is_refused(void **state)
{
	struct kernel_state *want = kernel_state_new();

	(void)state;
	allow(peer(want, "s10", 1), 1);
	allow(peer(want, "s10", 2), 1);
	allow(peer(want, "s20", 3), 1);
	expect(want, kernel_state_new(), "two peers of s10 are both given 0.0.0.1/32");
}

/* Wherever it stands among those that each has. */
static void one_prefix_of_several_is_refused_too(void **state)
{
	struct kernel_state *want = kernel_state_new();
	struct kernel_peer *p = peer(want, "s10", 1);

	(void)state;
	allow(p, 1);
	allow(p, 7);
	p = peer(want, "s10", 2);
	allow(p, 3);
	allow(p, 5);
	p = peer(want, "s10", 3);
	allow(p, 2);
	allow(p, 7);
	allow(p, 9);
	expect(want, kernel_state_new(), "two peers of s10 are both given 0.0.0.7/32");
}

/* lsp7 is somebody's dummy: it is not touched, not opened to labels, and link0 comes up all the same. */
static void foreign_device_costs_what_hangs_on_it_alone(void **state)
{
	struct kernel_state *want = adjacency(), *have = kernel_state_new();

	(void)state;
	label(want, 16008, "lsp8");
	device(have, "lsp7", KERNEL_DEVICE_WIREGUARD, 0);
	have->devices[0].foreign = true;
	expect(
	    want, have,
	    "# left out: device lsp7 is there and is not Tuyen's: rename it or remove it (ip link delete lsp7)\n"
	    "nft add table inet tuyen\n"
	    "ip link add link0 type wireguard mtu 1400, listen-port 0 fwmark 0x0\n"
	    "wg set link0 peer AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= persistent-keepalive 0 "
	    "allowed-ips 0.0.0.1/32\n"
	    "sysctl net/mpls/platform_labels=1000\n"
	    "ip -f mpls route add 16008 as 16008 dev lsp8\n");
}

static void the_last_device_may_be_the_foreign_one(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	for (int i = 0; i < 2; i++) {
		device(i ? want : have, "lsp7", KERNEL_DEVICE_MPLS_IN_IP, 7);
		device(i ? want : have, "lsp8", KERNEL_DEVICE_MPLS_IN_IP, 8);
	}
	have->devices[1].foreign = true;
	expect(
	    want, have,
	    "# left out: device lsp8 is there and is not Tuyen's: rename it or remove it (ip link delete lsp8)\n");
}

/* What comes by a device of a VRF is looked up in that one's table. */
static void a_device_is_taken_out_of_a_vrf(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0);
	device(have, "s10", KERNEL_DEVICE_WIREGUARD, 0);
	have->devices[0].master = 9;
	expect(want, have, "ip link set s10 nomaster\n");
}

/* It is the box's own: set up again, and never made, removed, or changed in anything else. */
static void the_loopback_device_is_up(void **state)
{
	static const char *const wanted[] = {
	    "", "ip link set lo up\nip -f mpls route replace 16007 as 16007 dev lo\n"};

	(void)state;
	for (int down = 0; down < 2; down++) {
		struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

		device(want, "lo", KERNEL_DEVICE_LOOPBACK, 0)->up = true;
		device(have, "lo", KERNEL_DEVICE_LOOPBACK, 0)->up = !down;
		strcpy(have->devices[0].alias, "an operator's");
		have->devices[0].mtu = UINT16_MAX;
		have->devices[0].master = 7;
		label(want, 16007, "lo");
		label(have, 16007, "lo");
		have->labels[0].foreign = down;
		expect(want, have, wanted[down]);
	}
	for (int wants = 0; wants < 2; wants++) {
		struct kernel_state *there = kernel_state_new(), *none = kernel_state_new();

		device(there, "lo", KERNEL_DEVICE_LOOPBACK, 0);
		expect(wants ? there : none, wants ? none : there, "");
	}
}

static void foreign_device_that_is_in_nobodys_way_is_no_conflict(void **state)
{
	struct kernel_state *have = kernel_state_new();

	(void)state;
	device(have, "lsp9", KERNEL_DEVICE_MPLS_IN_IP, 9);
	have->devices[0].foreign = true;
	expect(kernel_state_new(), have, "");
}

static void private_key_is_never_printed(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	device(have, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	memset(have->devices[0].private_key, 1, WG_KEY_LEN);
	expect(want, have, "ip link set link0 private key differs\n");
}

static void rule_is_added_before_the_old_one_goes(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
	struct kernel_rule *rule;

	(void)state;
	rule = kernel_state_add_rule(want);
	*rule = (struct kernel_rule){.priority = 5, .fwmark = 7, .fwmask = 0xff, .table = 1};
	rule = kernel_state_add_rule(have);
	*rule = (struct kernel_rule){.priority = 5, .fwmark = 7, .fwmask = 0xff, .table = 2};
	expect(want, have,
	       "ip rule add priority 5 fwmark 0x7/0xff table 1\n"
	       "ip rule delete priority 5 fwmark 0x7/0xff table 2\n");
}

/* The wanted one stays where both stand. Of a repair the old one goes first, as each of its rules does. */
static void rule_of_another_mask_is_another(void **state)
{
	static const uint32_t priorities[] = {5, TUYEN_RULE_REPAIR};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct kernel_rule wrong = {.priority = priorities[i],
						  .fwmask = 0xff,
						  .table = 1},
					 right = {.priority = priorities[i], .table = 1};

		for (int right_too = 0; right_too < 2; right_too++) {
			struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
			char plan[160], add[80];

			*kernel_state_add_rule(want) = right;
			*kernel_state_add_rule(have) = wrong;
			if (right_too)
				*kernel_state_add_rule(have) = right;
			snprintf(add, sizeof(add), "ip rule add priority %u table 1\n",
				 priorities[i]);
			snprintf(plan, sizeof(plan),
				 "%sip rule delete priority %u fwmark 0x0/0xff table 1\n%s",
				 right_too || i ? "" : add, priorities[i],
				 right_too || !i ? "" : add);
			expect(want, have, plan);
		}
	}
}

/* The kernel takes no source that is not its own; a line's has one of the carrier's, and is there before who calls by it. */
static void a_source_is_there_before_its_route(void **state)
{
	static const uint32_t tables[] = {254,
					  TUYEN_TABLE_CLASS + 10,
					  TUYEN_TABLE_OUTER + 10,
					  TUYEN_TABLE_PROBE + 1,
					  TUYEN_TABLE_REPAIR + 210,
					  TUYEN_TABLE_CALLED};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct kernel_state *want = kernel_state_new();
		struct kernel_address *a = kernel_state_add_address(want);
		char *plan, *address, *way, *call;

		strcpy(a->device, "lo");
		a->prefix = (struct ipv4_prefix){7, 32};
		device(want, "link0", KERNEL_DEVICE_WIREGUARD, 0);
		peer(want, "link0", 1);
		route(want, tables[i], 9, "link0");
		plan = planned(want, kernel_state_new());
		address = strstr(plan, "ip address add");
		way = strstr(plan, "ip route add");
		call = strstr(plan, "wg set link0 peer");
		assert_true(address && way && call);
		assert_int_equal(way > address, tables[i] != TUYEN_TABLE_CALLED);
		assert_int_equal(way > call, tables[i] != TUYEN_TABLE_CALLED);
		free(plan);
	}
}

static void sysctl_below_a_floor_is_raised(void **state)
{
	static const struct {
		uint32_t have, want;
		bool at_least;
		const char *plan;
	} cases[] = {
	    {5, 5, false, ""},
	    {6, 5, false, "sysctl x=5 (is 6)\n"},
	    {6, 5, true, ""},
	    {4, 5, true, "sysctl x=5 (is 4)\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

		sysctl(want, "x", cases[i].want, cases[i].at_least);
		sysctl(have, "x", cases[i].have, false);
		expect(want, have, cases[i].plan);
	}
}

static void a_device_that_grows_gets_ipv6_anew(void **state)
{
	static const uint16_t mtus[][2] = {
	    {576, 1352}, {1279, 1280}, {1280, 1352}, {1352, 576}, {576, 1200}};

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();
		char plan[160];

		device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0);
		device(have, "s10", KERNEL_DEVICE_WIREGUARD, 0);
		have->devices[0].mtu = mtus[i][0];
		want->devices[0].mtu = mtus[i][1];
		for (int k = 0; k < 2; k++) {
			sysctl(k ? want : have, "net/ipv4/conf/s10/rp_filter", 0, false);
			sysctl(k ? want : have, "net/ipv6/conf/s10/disable_ipv6", 1, false);
		}
		snprintf(plan, sizeof(plan), "ip link set s10 mtu %u (is %u)\n%s", mtus[i][1],
			 mtus[i][0], i < 2 ? "sysctl net/ipv6/conf/s10/disable_ipv6=1\n" : "");
		expect(want, have, plan);
	}
}

static struct kernel_queue *queue(struct kernel_state *s, uint16_t minor, uint16_t parent,
				  uint32_t mark)
{
	struct kernel_queue *q = kernel_state_add_queue(s);

	assert_non_null(q);
	strcpy(q->device, "link0");
	q->minor = minor;
	q->parent = parent;
	if (!minor)
		return q;
	q->rate = q->ceil = 240000;
	q->burst_bytes = q->ceil_burst_bytes = 240;
	q->led = q->leaf = mark != 0;
	q->mark = mark;
	q->target_us = mark ? 5000 : 0;
	q->quantum = mark ? 1600 : 0;
	return q;
}

static struct kernel_state *queues(void)
{
	struct kernel_state *s = kernel_state_new();

	device(s, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	queue(s, 65, 64, 1);
	queue(s, 64, 1, 0);
	queue(s, 1, 0, 0);
	queue(s, 0, 0, 0);
	return s;
}

#define CLASS(verb, id, parent)                                                                    \
	"tc class " verb " dev link0 classid 5459:" id " parent 5459:" parent
#define NUMBERS " htb rate 240000bps ceil 240000bps burst 240 cburst 240 overhead 0 prio 0"
#define LEAF	" quantum 1600, fq_codel target 5000us noecn, of mark 0x00000001\n"
#define ALL_QUEUES                                                                                 \
	"tc qdisc add dev link0 root htb\n" CLASS("add", "1", "0") NUMBERS                         \
	    "\n" CLASS("add", "40", "1") NUMBERS "\n" CLASS("add", "41", "40") NUMBERS LEAF

static void queues_are_made_from_the_root_and_removed_with_it(void **state)
{
	struct kernel_state *none = kernel_state_new();

	(void)state;
	device(none, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	expect(queues(), none, ALL_QUEUES);
	expect(queues(), queues(), "");
	none = kernel_state_new();
	device(none, "link0", KERNEL_DEVICE_WIREGUARD, 0);
	expect(none, queues(), "tc qdisc delete dev link0 root htb\n");
	expect(kernel_state_new(), queues(), "ip link delete link0\n");
}

static void a_wrong_queue_is_changed_at_its_place(void **state)
{
	struct kernel_state *have;

	(void)state;
	for (int i = 0; i < 11; i++) {
		struct kernel_queue *q;

		have = queues();
		q = &have->queues[0];
		q->rate += i == 0;
		q->ceil -= i == 1;
		q->overhead += i == 2;
		q->priority += i == 3;
		q->burst_bytes += i == 4 ? 10 : 0;
		q->target_us =
		    i == 5 ? 0 : q->target_us - 1; /* the kernel's rounding is no difference */
		q->led = i != 6;
		q->mark += i == 7;
		q->quantum += i == 8;
		q->ceil_burst_bytes += i == 9 ? 10 : 0;
		expect(queues(), have, i < 10 ? CLASS("replace", "41", "40") NUMBERS LEAF : "");
	}
	have = queues();
	have->queues[2].destination = 1;
	expect(queues(), have, CLASS("replace", "1", "0") NUMBERS "\n");
}

static void queues_that_go_do_so_from_behind(void **state)
{
	struct kernel_state *have = queues();

	(void)state;
	queue(have, 128, 1, 0);
	queue(have, 129, 128, 2);
	queue(have, 130, 128, 3);
	expect(queues(), have,
	       "tc class delete dev link0 classid 5459:82\n"
	       "tc class delete dev link0 classid 5459:81\n"
	       "tc class delete dev link0 classid 5459:80\n");
}

/* HTB moves no class below another, and something strange may lead anywhere. */
static void queues_are_made_anew_where_they_cannot_be_changed(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct kernel_state *have = queues();

		have->queues[0].parent = i == 0 ? 1 : have->queues[0].parent;
		have->queues[1].leaf = i == 1;
		have->queues[3].strange = i == 2;
		queue(have, 128, 1, 0); /* goes with the root */
		expect(queues(), have, "tc qdisc delete dev link0 root htb\n" ALL_QUEUES);
	}
}

/* A device that is made anew has none to remove. */
static void queues_go_with_a_device_that_is_made_anew(void **state)
{
	struct kernel_state *have = queues();

	(void)state;
	have->devices[0].kind = KERNEL_DEVICE_MPLS_IN_IP;
	have->queues[3].strange = true;
	expect(queues(), have,
	       "ip link delete link0\n"
	       "ip link add link0 type wireguard mtu 1400, listen-port 0 fwmark 0x0\n" ALL_QUEUES);
}

/* Those of link1 hold packets: what is wrong at link0 is no reason to drop them. Nor is there anything to remove where they are not. */
static void queues_of_another_device_are_left_alone(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct kernel_state *both[2] = {queues(), queues()};
		struct kernel_state *want = both[0], *have = both[1];

		for (int k = 0; k < 2; k++) {
			device(both[k], "link1", KERNEL_DEVICE_WIREGUARD, 0);
			for (uint16_t minor = 0; minor < 2 + (k && i == 1) && !(k && i == 2);
			     minor++)
				strcpy(queue(both[k], minor, 0, 0)->device, "link1");
		}
		have->queues[3].strange = true;
		expect(want, have,
		       i == 0	? "tc qdisc delete dev link0 root htb\n" ALL_QUEUES
		       : i == 1 ? "tc qdisc delete dev link0 root htb\n" ALL_QUEUES
				  "tc class delete dev link1 classid 5459:2\n"
				: "tc qdisc delete dev link0 root htb\n" ALL_QUEUES
				  "tc qdisc add dev link1 root htb\n"
				  "tc class add dev link1 classid 5459:1 parent 5459:0" NUMBERS
				  "\n");
	}
}

/* What a move may ask for, and what stays as the release says. */
static void qdisc(struct kernel_state *s, const char *dev, bool root, const char *kind)
{
	struct kernel_qdisc *q = kernel_state_add_qdisc(s);

	assert_non_null(q);
	strcpy(q->device, dev);
	q->parent = root ? 0xffffffffu : 0xfffffff1u;
	q->root = root;
	strcpy(q->kind, kind);
}

/* ... but with a device that goes anyway. */
static void what_others_put_on_a_session_goes(void **state)
{
	struct kernel_state *want = kernel_state_new(), *have = kernel_state_new();

	(void)state;
	device(want, "s10", KERNEL_DEVICE_WIREGUARD, 0);
	device(have, "s10", KERNEL_DEVICE_WIREGUARD, 0);
	device(have, "s20", KERNEL_DEVICE_WIREGUARD, 0);
	qdisc(have, "s10", false, "clsact");
	qdisc(have, "s10", true, "netem");
	qdisc(have, "s20", true, "netem");
	expect(want, have,
	       "tc qdisc delete dev s10 clsact\n"
	       "tc qdisc delete dev s10 root netem\n"
	       "ip link delete s20\n");
}

static void a_move_asks_for_routes(void **state)
{
	static const char *const paths[] = {"net/mpls/conf/lsp1/input",
					    "net/ipv6/conf/link0/disable_ipv6",
					    "net/ipv6/conf/s10/disable_ipv6"};

	(void)state;
	for (int verb = PLAN_ADD; verb <= PLAN_REMOVE; verb++)
		for (int object = PLAN_SYSCTL; object <= PLAN_QDISC; object++) {
			const struct kernel_device same = {0};
			const void *device = object == PLAN_DEVICE ? &same : NULL;
			struct plan_operation o = {.verb = (enum plan_verb)verb,
						   .object = (enum plan_object)object,
						   .want = device,
						   .have = device};
			bool release = object == PLAN_ADDRESS || object == PLAN_FILTER ||
				       object == PLAN_QUEUE || object == PLAN_SYSCTL ||
				       object == PLAN_STRAY || object == PLAN_QDISC ||
				       (object == PLAN_DEVICE && verb != PLAN_CHANGE);

			assert_int_equal(plan_operation_moves(&o), !release);
		}
	for (int i = 0; i < 3; i++) {
		struct kernel_sysctl sysctl = {.value = 1};
		struct plan_operation o = {
		    .verb = PLAN_CHANGE, .object = PLAN_SYSCTL, .want = &sysctl};

		strcpy(sysctl.path, paths[i]);
		assert_int_equal(plan_operation_moves(&o), i == 2); /* IPv6 goes with the MTU */
	}
	for (int i = 0; i < 4; i++) {
		struct kernel_device want = {.kind = KERNEL_DEVICE_WIREGUARD}, have = want;
		struct plan_operation o = {
		    .verb = PLAN_CHANGE, .object = PLAN_DEVICE, .want = &want, .have = &have};

		have.mtu = 1300;
		have.up = i == 1;
		have.listen_port = i == 2;
		have.private_key[5] = i == 3;
		assert_int_equal(plan_operation_moves(&o), i == 0);
	}
}

static void no_move_asks_for_a_preshared_key(void **state)
{
	struct kernel_peer want = {.keepalive_s = 25}, have = {.keepalive_s = 0};
	struct plan_operation o = {
	    .verb = PLAN_CHANGE, .object = PLAN_PEER, .want = &want, .have = &have};

	(void)state;
	assert_true(plan_operation_moves(&o));
	have.preshared = KERNEL_PRESHARED_ANOTHER;
	assert_false(plan_operation_moves(&o));
	want.preshared = KERNEL_PRESHARED_PARALLEL;
	assert_false(plan_operation_moves(&o));
	have.preshared = KERNEL_PRESHARED_NONE;
	assert_false(plan_operation_moves(&o));
	have.preshared = KERNEL_PRESHARED_PARALLEL;
	assert_true(plan_operation_moves(&o));
	o.verb = PLAN_REMOVE;
	o.want = NULL;
	assert_true(plan_operation_moves(&o));
	have.preshared = KERNEL_PRESHARED_ANOTHER;
	assert_false(plan_operation_moves(&o));
}

static struct kernel_state *stood(void)
{
	struct kernel_state *s = kernel_state_new();
	struct kernel_route *route = kernel_state_add_route(s);

	*route = (struct kernel_route){.table = 540010, .metric = 5, .device = "s10"};
	route = kernel_state_add_route(s);
	*route =
	    (struct kernel_route){.table = 540010, .metric = 9, .type = KERNEL_ROUTE_UNREACHABLE};
	route = kernel_state_add_route(s);
	*route = (struct kernel_route){.table = 58, .metric = 5, .device = "wan0"};
	route = kernel_state_add_route(s);
	*route = (struct kernel_route){.table = 59, .metric = 5, .device = "s10", .foreign = true};
	strcpy(kernel_state_add_device(s)->name, "s10");
	*kernel_state_add_label(s) =
	    (struct kernel_label_route){.in_label = 16500, .device = "lo", .foreign = true};
	*kernel_state_add_label(s) = (struct kernel_label_route){.in_label = 16101, .device = "lo"};
	kernel_state_add_rule(s)->priority = 10010;
	strcpy(kernel_state_add_peer(s)->device, "link0");
	strcpy(kernel_state_add_peer(s)->device, "s10");
	kernel_state_sort(s);
	return s;
}

static bool restores(const struct kernel_state *before, enum plan_verb verb,
		     enum plan_object object, const void *want)
{
	struct plan_operation o = {.verb = verb, .object = object, .want = want};

	return plan_operation_restores(&o, before);
}

/* What somebody took away while a path moved is no part of the move. */
static void what_stood_is_restored(void **state)
{
	struct kernel_state *before = stood();
	struct kernel_route route = {.table = 540010, .metric = 5, .device = "s10"};
	struct kernel_label_route label = {.in_label = 16101, .device = "lo"};
	struct kernel_rule rule = {.priority = 10010};
	struct kernel_address address = {.device = "s10"};
	struct kernel_peer peer = {.device = "link0"};

	(void)state;
	assert_true(restores(before, PLAN_ADD, PLAN_ROUTE, &route));
	assert_false(restores(before, PLAN_CHANGE, PLAN_ROUTE, &route));
	route.metric = 6; /* another way than before */
	assert_false(restores(before, PLAN_ADD, PLAN_ROUTE, &route));
	route =
	    (struct kernel_route){.table = 540010, .metric = 9, .type = KERNEL_ROUTE_UNREACHABLE};
	assert_true(restores(before, PLAN_ADD, PLAN_ROUTE, &route));
	/* the kernel itself takes what a line had */
	route = (struct kernel_route){.table = 58, .metric = 5, .device = "wan0"};
	assert_false(restores(before, PLAN_ADD, PLAN_ROUTE, &route));
	/* it was somebody else's, and he may take it away */
	route = (struct kernel_route){.table = 59, .metric = 5, .device = "s10"};
	assert_false(restores(before, PLAN_ADD, PLAN_ROUTE, &route));
	assert_true(restores(before, PLAN_ADD, PLAN_LABEL, &label));
	label.in_label++;
	assert_false(restores(before, PLAN_ADD, PLAN_LABEL, &label));
	label.in_label = 16500;
	assert_false(restores(before, PLAN_ADD, PLAN_LABEL, &label));
	/* with its device the kernel takes it, too */
	label = (struct kernel_label_route){.in_label = 16101, .device = "lsp9"};
	assert_false(restores(before, PLAN_ADD, PLAN_LABEL, &label));
	assert_true(restores(before, PLAN_ADD, PLAN_RULE, &rule));
	rule.priority++;
	assert_false(restores(before, PLAN_ADD, PLAN_RULE, &rule));
	assert_false(restores(before, PLAN_ADD, PLAN_ADDRESS, &address));
	assert_true(restores(before, PLAN_ADD, PLAN_PEER, &peer));
	peer.public_key[0] = 1; /* one that is new */
	assert_false(restores(before, PLAN_ADD, PLAN_PEER, &peer));
	peer.public_key[0] = 0;
	strcpy(peer.device, "s10"); /* the daemon makes sessions anew itself */
	assert_false(restores(before, PLAN_ADD, PLAN_PEER, &peer));
	assert_false(restores(before, PLAN_ADD, PLAN_NFT, "table"));
	before->nft = strdup("table");
	assert_true(restores(before, PLAN_ADD, PLAN_NFT, "table"));
	assert_false(restores(before, PLAN_CHANGE, PLAN_NFT, "table"));
	kernel_state_free(before);
}

/* What somebody put where ours should stand is never part of a move. */
static void a_move_ousts_nobody(void **state)
{
	struct kernel_route route = {.foreign = true};
	struct kernel_route6 route6 = {.foreign = true};
	struct kernel_label_route label = {.foreign = true};
	const struct kernel_device foreign_device = {.foreign = true};
	struct plan_operation o[] = {
	    {.verb = PLAN_CHANGE, .object = PLAN_ROUTE, .have = &route},
	    {.verb = PLAN_CHANGE, .object = PLAN_ROUTE6, .have = &route6},
	    {.verb = PLAN_CHANGE, .object = PLAN_LABEL, .have = &label},
	};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(plan_operation_ousts(&o[i]));
	route.foreign = route6.foreign = label.foreign = false;
	for (int i = 0; i < 3; i++)
		assert_false(plan_operation_ousts(&o[i]));
	o[0] = (struct plan_operation){.verb = PLAN_ADD, .object = PLAN_ROUTE};
	assert_false(plan_operation_ousts(&o[0]));
	for (int object = PLAN_SYSCTL; object <= PLAN_QDISC; object++) {
		const bool is_route =
		    object == PLAN_ROUTE || object == PLAN_ROUTE6 || object == PLAN_LABEL;

		o[0] = (struct plan_operation){.verb = PLAN_CHANGE,
					       .object = (enum plan_object)object,
					       .have = &foreign_device};
		assert_true(is_route || !plan_operation_ousts(&o[0]));
	}
}

static struct kernel_peer *peer_at(struct kernel_state *s, uint8_t key, uint8_t host)
{
	struct kernel_peer *p = kernel_state_add_peer(s);

	strcpy(p->device, "link0");
	p->public_key[0] = key;
	if (host)
		p->endpoint =
		    (struct ip_endpoint){.family = 4, .address = {192, 0, 2, host}, .port = 1};
	return p;
}

static void lost_peer_is_called_back(void **state)
{
	struct kernel_state *desired = kernel_state_new(), *actual = kernel_state_new();
	struct kernel_state *before = kernel_state_new();

	(void)state;
	peer_at(desired, 1, 0);	 /* gone */
	peer_at(desired, 2, 0);	 /* there, and placed */
	peer_at(desired, 3, 0);	 /* there, its place gone */
	peer_at(desired, 4, 44); /* one that we call anyway */
	peer_at(desired, 5, 0);	 /* never heard */
	peer_at(actual, 2, 22);
	peer_at(actual, 3, 0);
	for (uint8_t key = 1; key < 5; key++)
		peer_at(before, key, 10 + key);
	peer_at(before, 5, 0);
	kernel_state_call_back(desired, actual, NULL);
	assert_int_equal(desired->peers[0].endpoint.family, 0);
	kernel_state_call_back(desired, actual, before);
	assert_int_equal(desired->peers[0].endpoint.address[3], 11);
	assert_int_equal(desired->peers[1].endpoint.family, 0);
	assert_int_equal(desired->peers[2].endpoint.address[3], 13);
	assert_int_equal(desired->peers[3].endpoint.address[3], 44);
	assert_int_equal(desired->peers[4].endpoint.family, 0);
	kernel_state_free(desired);
	kernel_state_free(actual);
	kernel_state_free(before);
}

static void arrays_grow_and_sort(void **state)
{
	struct kernel_state *s = kernel_state_new();

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		route(s, 254, 1000 - i, "x");
	kernel_state_sort(s);
	assert_int_equal(s->route_count, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(s->routes[i].destination.address, i + 1);
	assert_null(kernel_state_device(s, "x"));
	assert_null(kernel_state_device(s, "a-name-that-is-too-long-for-a-device"));
	kernel_state_free(s);
	kernel_state_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_protects_comes_before_what_opens),
	    cmocka_unit_test(equal_states_need_nothing),
	    cmocka_unit_test(removal_leaves_what_goes_with_a_device),
	    cmocka_unit_test(remade_device_takes_all_with_it),
	    cmocka_unit_test(renamed_devices_go_before_theirs_come),
	    cmocka_unit_test(a_device_that_ends_goes_before_another_gets_its_ends),
	    cmocka_unit_test(devices_with_the_ports_of_each_other_are_made_anew),
	    cmocka_unit_test(a_row_of_ports_is_no_ring),
	    cmocka_unit_test(label_leaves_a_device_before_it_goes),
	    cmocka_unit_test(path_switch_is_one_route),
	    cmocka_unit_test(each_difference_counts),
	    cmocka_unit_test(a_table_that_differs_is_replaced_first),
	    cmocka_unit_test(learned_endpoint_is_never_rewritten),
	    cmocka_unit_test(preshared_key_is_taken_away),
	    cmocka_unit_test(preshared_key_is_the_devices),
	    cmocka_unit_test(missing_endpoint_is_set),
	    cmocka_unit_test(peer_loses_a_prefix_before_another_gains_it),
	    cmocka_unit_test(prefix_of_two_peers_is_refused),
	    cmocka_unit_test(one_prefix_of_several_is_refused_too),
	    cmocka_unit_test(foreign_device_costs_what_hangs_on_it_alone),
	    cmocka_unit_test(the_last_device_may_be_the_foreign_one),
	    cmocka_unit_test(a_device_is_taken_out_of_a_vrf),
	    cmocka_unit_test(foreign_device_that_is_in_nobodys_way_is_no_conflict),
	    cmocka_unit_test(the_loopback_device_is_up),
	    cmocka_unit_test(private_key_is_never_printed),
	    cmocka_unit_test(rule_is_added_before_the_old_one_goes),
	    cmocka_unit_test(rule_of_another_mask_is_another),
	    cmocka_unit_test(a_source_is_there_before_its_route),
	    cmocka_unit_test(sysctl_below_a_floor_is_raised),
	    cmocka_unit_test(a_device_that_grows_gets_ipv6_anew),
	    cmocka_unit_test(queues_are_made_from_the_root_and_removed_with_it),
	    cmocka_unit_test(a_wrong_queue_is_changed_at_its_place),
	    cmocka_unit_test(queues_that_go_do_so_from_behind),
	    cmocka_unit_test(queues_are_made_anew_where_they_cannot_be_changed),
	    cmocka_unit_test(queues_go_with_a_device_that_is_made_anew),
	    cmocka_unit_test(queues_of_another_device_are_left_alone),
	    cmocka_unit_test(what_stands_in_place_is_replaced),
	    cmocka_unit_test(what_stands_before_ours_goes),
	    cmocka_unit_test(one_stands_in_place),
	    cmocka_unit_test(what_others_put_on_a_session_goes),
	    cmocka_unit_test(a_move_asks_for_routes),
	    cmocka_unit_test(no_move_asks_for_a_preshared_key),
	    cmocka_unit_test(what_stood_is_restored),
	    cmocka_unit_test(a_move_ousts_nobody),
	    cmocka_unit_test(lost_peer_is_called_back),
	    cmocka_unit_test(arrays_grow_and_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
