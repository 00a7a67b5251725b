/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/kernel_state.c daemon/core/repair.c daemon/core/desired.c daemon/core/desired_queue.c daemon/core/desired_nft.c daemon/core/plan.c daemon/core/plan_print.c
// link: daemon/base/text.c daemon/base/err.c daemon/base/ip.c daemon/base/encode.c daemon/base/wire.c
// link: topology/labels.c topology/forwarding.c topology/forwarding_codec.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"
#include "tuyen/core/path_mtu.h"
#include "tuyen/core/plan.h"

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

static void bundle_read(struct forwarding *f)
{
	struct reason reason = {.text = ""};

	forwarding_init(f);
	if (forwarding_parse(bundle, sizeof(bundle) - 1, f, &reason) < 0)
		fail_msg("%s", reason.text);
}

/* The same, and its table, which the caller clears, too. */
static void table_read(struct forwarding *f, struct text *table)
{
	bundle_read(f);
	text_init(table);
	desired_nft(f, NULL, table);
}

/* ba-dinh is reached by LTE too; the second path goes there. */
static void parallel_read(struct forwarding *f)
{
	static const char old[] = "accept 211 16901\n", device[] = "lan 10.9.1.0/24\n",
			  first[] = "first 211";
	const char *at = strstr(bundle, device), *after = strstr(at, old) + strlen(old);
	const char *path = strstr(after, first);
	struct reason reason = {.text = ""};
	struct text t;

	text_init(&t);
	text_add_bytes(&t, bundle, (size_t)(at - bundle));
	text_add(&t, "link1 port 51821 mtu 1368 address 100.65.3.133 space 100.65.0.0/16\n");
	text_add_bytes(&t, at, (size_t)(after - at));
	text_add(&t, "neighbor 1000210 ba-dinh%20parallel over lte key "
		     "uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8= address 100.65.0.210 call "
		     "198.51.100.9:51821 probe 300000us x 3 mtu 1368 lsp 1348\n"
		     "accept 1000210 156901\n");
	text_add_bytes(&t, after, (size_t)(path - after));
	text_add(&t, "first 1000210");
	text_add(&t, path + strlen(first));
	forwarding_init(f);
	if (forwarding_parse(t.bytes, t.length, f, &reason) < 0)
		fail_msg("%s", reason.text);
	text_clear(&t);
}

static struct kernel_state *desired(const struct forwarding *f, uint8_t index)
{
	struct active_paths active = {.entry = {{10, 1, index, true}}, .count = index ? 1 : 0};
	struct node_keys keys;
	struct kernel_state *state;

	memset(keys.link, 1, WG_KEY_LEN);
	memset(keys.session, 2, WG_KEY_LEN);
	assert_int_equal(desired_build(f, &keys, &active, &state), 0);
	return state;
}

static char *words(const struct kernel_state *want, const struct kernel_state *have)
{
	struct kernel_plan *plan;
	struct reason reason;
	struct text t;

	assert_int_equal(kernel_plan_build(want, have, &plan, &reason), 0);
	text_init(&t);
	text_add(&t, "");
	kernel_plan_print(plan, &t);
	kernel_plan_free(plan);
	return t.bytes;
}

static void says_all(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strstr(text, words[i]))
			fail_msg("not there: %s%s", words[i], text);
}

static void a_commune_has_all_it_needs(void **state)
{
	static const char *const lines[] = {
	    "ip link add link0 type wireguard mtu 1440, listen-port 51820 fwmark 0x0\n",
	    "ip link add s10 type wireguard mtu 1352, listen-port 52010 fwmark 0x5500000a\n",
	    "ip link add lsp210 type ipip mode mplsip local 100.64.3.133 remote 100.64.0.210 ttl 64 mtu 1420\n",
	    "endpoint 198.51.100.9:51820 persistent-keepalive 25 allowed-ips 100.64.0.210/32\n",
	    "endpoint 100.80.0.16:52010 persistent-keepalive 25 allowed-ips 10.0.0.0/16\n",
	    "ip address add 100.64.3.133/32 dev link0\n",
	    "ip address add 100.80.56.80/32 dev lo\n",
	    "ip address add 100.80.56.82/32 dev lo\n",
	    "ip address add 10.9.1.1/32 dev lo\n",
	    "sysctl net/mpls/platform_labels=86000\n",
	    "sysctl net/mpls/default_ttl=64\n",
	    "sysctl net/ipv4/ip_default_ttl=64\n",
	    "sysctl net/mpls/conf/lsp211/input=1\n",
	    "sysctl net/ipv4/conf/all/rp_filter=0\n",
	    "sysctl net/ipv4/conf/s10/forwarding=1\n",
	    "sysctl net/ipv4/conf/s10/accept_local=1\n",
	    "sysctl net/ipv4/conf/link0/accept_local=1\n",
	    "tc filter add dev lsp210 ingress mpls pass 16901, else drop\n",
	    "ip -f mpls route add 16901 dev lo\n",
	    "ip route add 100.64.0.210/32 dev link0 src 100.64.3.133 table 254\n",
	    "ip route add 10.0.0.0/16 dev s10 src 10.9.1.1 table 254\n",
	    "ip route add unreachable 10.0.0.0/16 metric 1000000 table 254\n",
	    "ip route add unreachable 10.9.1.0/24 metric 1000000 table 254\n",
	    "ip route add 10.0.0.0/16 dev s10 src 10.9.1.1 table 540010\n",
	    "ip route add 100.80.0.16/32 encap mpls 16001 dev lsp210 src 100.80.56.81 mtu 1420 table 550010\n",
	    "ip route add 100.80.0.16/32 encap mpls 16001 dev lsp211 src 100.80.56.82 mtu 1416 table 560002\n",
	    "ip rule add priority 10010 fwmark 0x5400000a/0xff00ffff table 540010\n",
	    "ip rule add priority 20010 fwmark 0x5500000a/0xff00ffff table 550010\n",
	    "ip rule add priority 31002 from 100.80.56.82/32 table 560002\n",
	};
	struct kernel_state *want, *nothing = kernel_state_new();
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	want = desired(&f, 1);
	plan = words(want, nothing);
	says_all(plan, lines, sizeof(lines) / sizeof(lines[0]));
	free(plan);
	kernel_state_free(want);
	kernel_state_free(nothing);
	forwarding_clear(&f);
}

/* What an earlier life measured stands in its route, and is taken over with it. */
static void a_measured_mtu_is_taken_over(void **state)
{
	struct active_paths active = {.count = 1};
	struct kernel_state *actual;
	struct forwarding f;
	struct node_keys keys = {.link = {1}, .session = {2}};

	(void)state;
	bundle_read(&f);
	active.entry[0] = (struct active_path){
	    .color = 10, .endpoint_site = 1, .index = 2, .carries = true, .mtu = 1200};
	assert_int_equal(desired_build(&f, &keys, &active, &actual), 0);
	active.count = 0;
	desired_active_read(&f, actual, &active);
	assert_int_equal(active.count, 1);
	assert_int_equal(active.entry[0].index, 2);
	assert_int_equal(active.entry[0].mtu, 1200);
	kernel_state_free(actual);
	actual = desired(&f, 2);
	desired_active_read(&f, actual, &active);
	assert_int_equal(active.entry[0].mtu, 0);
	kernel_state_free(actual);
	forwarding_clear(&f);
}

/* All that a node sets in /proc/sys, and each is set again whatever it was set to. */
static void sysctls_are_these(void **state)
{
	static const char all[] = "sysctl net/ipv4/conf/all/rp_filter=0\n"
				  "sysctl net/ipv4/conf/link0/accept_local=1\n"
				  "sysctl net/ipv4/conf/link0/rp_filter=0\n"
				  "sysctl net/ipv4/conf/lo/rp_filter=0\n"
				  "sysctl net/ipv4/conf/lsp210/rp_filter=0\n"
				  "sysctl net/ipv4/conf/lsp211/rp_filter=0\n"
				  "sysctl net/ipv4/conf/s10/accept_local=1\n"
				  "sysctl net/ipv4/conf/s10/forwarding=1\n"
				  "sysctl net/ipv4/conf/s10/rp_filter=0\n"
				  "sysctl net/ipv4/ip_default_ttl=64\n"
				  "sysctl net/ipv4/ip_forward=1\n"
				  "sysctl net/ipv6/conf/link0/disable_ipv6=1\n"
				  "sysctl net/ipv6/conf/lsp210/disable_ipv6=1\n"
				  "sysctl net/ipv6/conf/lsp211/disable_ipv6=1\n"
				  "sysctl net/ipv6/conf/s10/disable_ipv6=1\n"
				  "sysctl net/mpls/default_ttl=64\n"
				  "sysctl net/mpls/platform_labels=86000\n"
				  "sysctl net/mpls/conf/lo/input=1\n"
				  "sysctl net/mpls/conf/lsp210/input=1\n"
				  "sysctl net/mpls/conf/lsp211/input=1\n";
	struct kernel_state *want, *have;
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	want = desired(&f, 1);
	have = desired(&f, 1);
	have->sysctl_count = 0;
	plan = words(want, have);
	assert_string_equal(plan, all);
	free(plan);
	kernel_state_free(have);
	for (size_t i = 0; i < want->sysctl_count; i++)
		for (int more = 0; more < 2; more++) {
			const char *path = want->sysctls[i].path;
			bool at_least = !strcmp(path, "net/mpls/platform_labels") ||
					strstr(path, "default_ttl");

			have = desired(&f, 1);
			have->sysctls[i].value += more ? 1u : -1u;
			plan = words(want, have);
			if (!*plan != (at_least && more))
				fail_msg("%s: %s", path, plan);
			free(plan);
			kernel_state_free(have);
		}
	kernel_state_free(want);
	f.labels[f.label_count - 1].in_label = 90000; /* a repair SID's lies above the node SIDs */
	want = desired(&f, 1);
	plan = words(want, have = kernel_state_new());
	assert_non_null(strstr(plan, "sysctl net/mpls/platform_labels=90001\n"));
	free(plan);
	kernel_state_free(have);
	kernel_state_free(want);
	forwarding_clear(&f);
}

#define REDIRECTS "net/ipv4/conf/all/accept_redirects"

/* Before the firewall goes, so that the LAN never lies open to the carrier. */
static void removed_node_forwards_nothing(void **state)
{
	static const char first[] = "sysctl net/ipv4/ip_forward=0 (is 1)\n",
			  last[] = "nft delete table inet tuyen\n";
	struct kernel_state *want, *have;
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	have = desired(&f, 1);
	*kernel_state_add_sysctl(have) = (struct kernel_sysctl){.path = REDIRECTS};
	kernel_state_sort(have);
	assert_int_equal(desired_build_removed(&want), 0);
	plan = words(want, have);
	assert_memory_equal(plan, first, sizeof(first) - 1);
	assert_string_equal(plan + strlen(plan) - (sizeof(last) - 1), last);
	free(plan);
	kernel_state_free(have);
	have = kernel_state_new();
	*kernel_state_add_sysctl(have) = (struct kernel_sysctl){.path = "net/ipv4/ip_forward"};
	*kernel_state_add_sysctl(have) = (struct kernel_sysctl){.path = REDIRECTS, .value = 1};
	kernel_state_sort(have);
	plan = words(want, have); /* the kernel took it for a host */
	assert_string_equal(plan, "sysctl " REDIRECTS "=0 (is 1)\n");
	free(plan);
	kernel_state_free(have);
	kernel_state_free(want);
	forwarding_clear(&f);
}

/* link0 has the one private key, sessions the other; and each peer its own. */
static void keys_are_where_they_belong(void **state)
{
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	want = desired(&f, 1);
	assert_int_equal(kernel_state_device(want, "link0")->private_key[WG_KEY_LEN - 1], 1);
	assert_int_equal(kernel_state_device(want, "s10")->private_key[WG_KEY_LEN - 1], 2);
	assert_int_equal(want->peer_count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct kernel_peer *p = &want->peers[i];
		const uint8_t *key = !strcmp(p->device, "s10") ? f.peers[0].session_key
				     : p->allowed[0].address == f.neighbors[0].link_address
					 ? f.neighbors[0].link_key
					 : f.neighbors[1].link_key;

		assert_memory_equal(p->public_key, key, WG_KEY_LEN);
	}
	kernel_state_free(want);
	forwarding_clear(&f);
}

static void devices_are_up_and_neighbours_on_their_link(void **state)
{
	struct kernel_state *want;
	struct forwarding f;
	size_t neighbors = 0;

	(void)state;
	bundle_read(&f);
	want = desired(&f, 1);
	for (size_t i = 0; i < want->device_count; i++)
		assert_true(want->devices[i].up);
	for (size_t i = 0; i < want->route_count; i++) {
		bool on_link = !strcmp(want->routes[i].device, "link0");

		assert_int_equal(want->routes[i].link_scope, on_link);
		neighbors += on_link;
	}
	assert_int_equal(neighbors, f.neighbor_count);
	kernel_state_free(want);
	f.node_address = f.lan_address; /* one address is not added twice */
	want = desired(&f, 1);
	assert_int_equal(want->address_count, 4);
	kernel_state_free(want);
	forwarding_clear(&f);
}

static void another_path_is_one_route(void **state)
{
	struct kernel_state *one, *two;
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	one = desired(&f, 1);
	two = desired(&f, 2);
	plan = words(two, one);
	assert_string_equal(plan, "ip route replace 100.80.0.16/32 encap mpls 16001 dev lsp211 "
				  "src 100.80.56.82 mtu 1416 table 550010\n");
	free(plan);
	kernel_state_free(one);
	kernel_state_free(two);
	forwarding_clear(&f);
}

static void the_active_path_is_read_back(void **state)
{
	struct active_paths active;
	struct kernel_state *actual;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (uint8_t index = 0; index <= 2; index++) {
		actual = desired(&f, index);
		desired_active_read(&f, actual, &active);
		assert_int_equal(active.count, index ? 1 : 0);
		if (index) {
			assert_int_equal(active.entry[0].index, index);
			assert_int_equal(active.entry[0].color, 10);
			assert_int_equal(active.entry[0].endpoint_site, 1);
		}
		kernel_state_free(actual);
	}
	forwarding_clear(&f);
}

#define OVERLAY_OUT                                                                                \
	"\t\tip saddr 100.64.0.0/11 jump egress_overlay\n"                                         \
	"\t\tip daddr 100.64.0.0/11 jump egress_overlay\n"

/* All that stands between a commune and its carrier, its LAN and its sessions, to be read in one sitting. What it must hold against
 * is said in desired_nft.c. */
static void a_commune_is_guarded_by_this_and_no_more(void **state)
{
	static const char whole[] =
	    "table inet tuyen {\n"
	    "\tset hops {\n"
	    "\t\ttype ipv4_addr\n"
	    "\t}\n"
	    "\n"
	    "\tset bfd_excess {\n"
	    "\t\ttype ipv4_addr\n"
	    "\t\tlimit rate over 600/second burst 128 packets counter\n"
	    "\t\telements = { 100.64.0.210 limit rate over 600/second burst 128 packets counter, 100.64.0.211 limit rate over 600/second burst 128 packets counter }\n"
	    "\t}\n"
	    "\n"
	    "\tset own {\n"
	    "\t\ttype ipv4_addr\n"
	    "\t\telements = { 100.80.56.80, 100.80.56.81,\n"
	    "\t\t\t     100.80.56.82 }\n"
	    "\t}\n"
	    "\n"
	    "\tset peers {\n"
	    "\t\ttype ipv4_addr\n"
	    "\t\tflags interval\n"
	    "\t\telements = { 10.0.0.0/16 }\n"
	    "\t}\n"
	    "\n"
	    "\tchain outbound {\n"
	    "\t\tip daddr @peers udp dport 162 meta mark set 0x5400000a accept\n"
	    "\t\tip daddr @peers tcp dport 443 meta mark set 0x5400000a accept\n"
	    "\t\tip daddr @peers icmp type { destination-unreachable, time-exceeded, parameter-problem } meta mark set 0x5400000a accept\n"
	    "\t}\n"
	    "\n"
	    "\tchain outbound_node {\n"
	    "\t\tjump outbound\n"
	    "\t\tip saddr != 10.9.1.1 return\n"
	    "\t\tip daddr @peers icmp type { echo-reply, echo-request } meta mark set 0x5400000a accept\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard_own {\n"
	    "\t\tip saddr 100.80.0.0/12 notrack accept\n"
	    "\t\tip saddr 100.64.0.0/16 notrack accept\n"
	    "\t\taccept\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard_lo {\n"
	    "\t\trt ip nexthop != 0.0.0.0 goto guard_own\n"
	    "\t\trt ip6 nexthop != :: goto guard_own\n"
	    "\t\tip saddr 100.80.0.0/12 ip daddr @own udp dport { 7784, 52010 } notrack accept\n"
	    "\t\tip saddr 100.80.0.0/12 ip daddr @own udp sport 7784 udp dport 49152-65535 notrack accept\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard_overlay {\n"
	    "\t\tip saddr 100.80.0.0/12 fib daddr . iif type != local counter drop\n"
	    "\t\tip saddr 100.64.0.0/16 fib daddr . iif type != local counter drop\n"
	    "\t\tip daddr 100.80.0.0/12 fib daddr . iif type != local counter drop\n"
	    "\t\tip daddr 100.64.0.0/16 fib daddr . iif type != local counter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard_line {\n"
	    "\t\tip saddr 100.64.0.0/11 jump guard_overlay\n"
	    "\t\tip daddr 100.64.0.0/11 jump guard_overlay\n"
	    "\t\tmeta l4proto { 4, 47, 137 } counter drop\n"
	    "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists jump outbound\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard {\n"
	    "\t\ttype filter hook prerouting priority raw; policy accept;\n"
	    "\t\tmeta iiftype ether goto guard_line\n"
	    "\t\tmeta iiftype loopback goto guard_lo\n"
	    "\t\tiifname \"link0\" notrack accept\n"
	    "\t\tiifname \"lsp*\" counter drop\n"
	    "\t\tgoto guard_line\n"
	    "\t}\n"
	    "\n"
	    "\tchain guard_local {\n"
	    "\t\ttype route hook output priority raw; policy accept;\n"
	    "\t\tmeta mark 0x57000000 accept\n"
	    "\t\tip daddr 100.80.0.0/12 notrack accept\n"
	    "\t\tip daddr 100.64.0.0/16 notrack accept\n"
	    "\t\tip saddr 10.9.1.0/24 jump outbound_node\n"
	    "\t}\n"
	    "\n"
	    "\tchain inbound_10 {\n"
	    "\t\tct direction reply ip saddr @peers udp sport 162 accept\n"
	    "\t\tct direction reply ip saddr @peers tcp sport 443 accept\n"
	    "\t\tct state related ip saddr @peers accept\n"
	    "\t}\n"
	    "\n"
	    "\tchain input_link {\n"
	    "\t\tmeta l4proto 137 accept\n"
	    "\t\tudp dport 3784 ip saddr @bfd_excess drop\n"
	    "\t\tudp dport 3784 accept\n"
	    "\t\ticmp type echo-request accept\n"
	    "\t\ticmp type echo-reply accept\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain input_10 {\n"
	    "\t\tip daddr 10.9.1.0/24 icmp type { echo-reply, echo-request } accept\n"
	    "\t\tip daddr 10.9.1.0/24 jump inbound_10\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain input_line {\n"
	    "\t\tct state established accept\n"
	    "\t\tct protocol 17 icmp type destination-unreachable icmp code frag-needed counter drop\n"
	    "\t\tct state related accept\n"
	    "\t\tudp dport 51820 accept\n"
	    "\t\tudp dport 68 accept\n"
	    "\t\tudp dport 546 accept\n"
	    "\t\ticmpv6 type { mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept\n"
	    "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists accept\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain input {\n"
	    "\t\ttype filter hook input priority filter; policy drop;\n"
	    "\t\tmeta iiftype ether goto input_line\n"
	    "\t\tmeta iiftype loopback accept\n"
	    "\t\tiifname \"link0\" meta l4proto 137 accept\n"
	    "\t\tiifname \"link0\" jump input_link\n"
	    "\t\tiifname \"s10\" jump input_10\n"
	    "\t\tiifname \"lsp*\" counter drop\n"
	    "\t\tgoto input_line\n"
	    "\t}\n"
	    "\n"
	    "\tchain closed {\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain from_10 {\n"
	    "\t\tip daddr 10.9.1.0/24 jump inbound_10\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain into_10 {\n"
	    "\t\ttcp flags syn / syn,rst tcp option maxseg size set rt mtu\n"
	    "\t\tip saddr 10.9.1.0/24 meta mark 0x5400000a accept\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain forward {\n"
	    "\t\ttype filter hook forward priority filter; policy accept;\n"
	    "\t\tmeta iiftype != ether iifname vmap { \"lo\" : jump closed, \"s10\" : jump from_10, \"link0\" : jump closed }\n"
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : jump closed, \"s10\" : jump into_10, \"link0\" : jump closed }\n"
	    "\t\tmeta iiftype != ether iifname \"lsp*\" counter drop\n"
	    "\t\tmeta oiftype != ether oifname \"lsp*\" counter drop\n"
	    "\t\tip saddr 10.9.1.0/24 counter drop\n"
	    "\t\tip daddr 10.9.1.0/24 counter drop\n"
	    "\t\tip saddr @peers counter drop\n"
	    "\t\tip daddr @peers counter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain line {\n"
	    "\t\tfib saddr . oif type != local counter drop\n"
	    "\t\tip daddr @hops return\n"
	    "\t\tudp sport 68 udp dport 67 return\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain egress_overlay {\n"
	    "\t\tip saddr 100.80.0.0/12 fib saddr . oif type != local counter drop\n"
	    "\t\tip saddr 100.64.0.0/16 fib saddr . oif type != local counter drop\n"
	    "\t\tip daddr 100.80.0.0/12 jump line\n"
	    "\t\tip daddr 100.64.0.0/16 jump line\n"
	    "\t}\n"
	    "\n"
	    "\tchain egress_link {\n" OVERLAY_OUT "\t\tudp sport 51820 accept\n"
	    "\t}\n"
	    "\n"
	    "\tchain egress_10 {\n"
	    "\t\tmeta mark 0x5400000a ct direction original accept\n"
	    "\t\tmeta mark 0x5400000a ct state related accept\n"
	    "\t\tmeta mark 0x5400000a ip saddr 10.9.1.1 icmp type { echo-reply, echo-request } accept\n"
	    "\t\tcounter drop\n"
	    "\t}\n"
	    "\n"
	    "\tchain egress {\n"
	    "\t\ttype filter hook postrouting priority filter; policy accept;\n"
	    "\t\tmeta oiftype ipip oifname \"lsp*\" accept\n"
	    "\t\tmeta oiftype != ether oifname \"link0\" accept\n"
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : accept, \"s10\" : jump egress_10 }\n"
	    "\t\tmeta mark 0x57000000 jump egress_link\n" OVERLAY_OUT
	    "\t\tip daddr @peers counter drop\n"
	    "\t\tip saddr @peers ip daddr != 10.9.1.0/24 counter drop\n"
	    "\t\tip saddr 10.9.1.0/24 ip daddr != 10.9.1.0/24 counter drop\n"
	    "\t}\n"
	    "}\n";
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	assert_string_equal(t.bytes, whole);
	text_clear(&t);
	forwarding_clear(&f);
}

static void rules_become_marks(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	assert_non_null(strstr(t.bytes, "\tchain outbound {\n"
					"\t\tip daddr @peers udp dport 162 "
					"meta mark set 0x5400000a accept\n"
					"\t\tip daddr @peers tcp dport 443 "
					"meta mark set 0x5400000a accept\n"
					"\t\tip daddr @peers icmp type { destination-unreachable, "
					"time-exceeded, parameter-problem } "
					"meta mark set 0x5400000a accept\n"));
	assert_non_null(strstr(t.bytes,
			       "\tchain inbound_10 {\n"
			       "\t\tct direction reply ip saddr @peers udp sport 162 accept\n"));
	assert_null(strstr(t.bytes, "original ip saddr @peers"));
	assert_null(strstr(t.bytes, "peers_10")); /* it would be the same as peers */
	assert_non_null(strstr(t.bytes, "\t\telements = { 100.80.56.80, 100.80.56.81,\n"
					"\t\t\t     100.80.56.82 }\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

/* In chains that see every packet anyway; where the direction of a connection says which rule it is, behind conntrack. */
static void marks_are_early_where_all_open_on_one_side(void **state)
{
	static const char *const early[] = {
	    "\t\tmeta l4proto { 4, 47, 137 } counter drop\n"
	    "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists jump outbound\n\t}\n",
	    "\tchain guard_local {\n\t\ttype route hook output priority raw; policy accept;\n",
	    "\t\tip daddr 100.64.0.0/16 notrack accept\n"
	    "\t\tip saddr 10.9.1.0/24 jump outbound_node\n\t}\n",
	    "\tchain egress_10 {\n"
	    "\t\tmeta mark 0x5400000a ct direction original accept\n"
	    "\t\tmeta mark 0x5400000a ct state related accept\n"
	    "\t\tmeta mark 0x5400000a ip saddr 10.9.1.1 icmp type { echo-reply, echo-request } accept\n"
	    "\t\tcounter drop\n"};
	static const char *const late[] = {
	    "\t\tct direction reply ip daddr @peers udp sport 162 meta mark set 0x5400000a accept\n"
	    "\t\tct direction original ip daddr @peers tcp dport 443 meta mark set 0x5400000a accept\n"
	    "\t\tct state related ip daddr @peers meta mark set 0x5400000a accept\n",
	    "\t\tmeta l4proto { 4, 47, 137 } counter drop\n\t}\n",
	    "\tchain guard_local {\n\t\ttype filter hook output priority raw; policy accept;\n",
	    "\t\tip daddr 100.64.0.0/16 notrack accept\n\t}\n",
	    "\tchain classify {\n"
	    "\t\ttype filter hook prerouting priority mangle; policy accept;\n"
	    "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists jump outbound\n\t}\n",
	    "\tchain classify_local {\n"
	    "\t\ttype route hook output priority mangle; policy accept;\n"
	    "\t\tip saddr 10.9.1.0/24 jump outbound_node\n\t}\n",
	    "\tchain egress_10 {\n\t\tmeta mark 0x5400000a accept\n\t\tcounter drop\n"};
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	text_init(&t);
	desired_nft(&f, NULL, &t);
	says_all(t.bytes, early, sizeof(early) / sizeof(early[0]));
	assert_null(strstr(t.bytes, "classify"));
	assert_null(strstr(t.bytes, "priority mangle"));
	text_clear(&t);
	assert_int_equal(f.rule_count, 2);
	f.rules[0].outbound = false;
	text_init(&t);
	desired_nft(&f, NULL, &t);
	says_all(t.bytes, late, sizeof(late) / sizeof(late[0]));
	text_clear(&t);
	forwarding_clear(&f);
}

/* Anybody in a LAN can write an error's type: only one about what conntrack knows enters a session. */
static void without_rules_nothing_new_enters_a_session(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	f.rule_count = 0;
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\tchain egress_10 {\n"
	    "\t\tmeta mark 0x5400000a ct state related accept\n"
	    "\t\tmeta mark 0x5400000a ip saddr 10.9.1.1 icmp type { echo-reply, echo-request } accept\n"
	    "\t\tcounter drop\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

#define A(a, b, c, d) ((ipv4_t)(a) << 24 | (ipv4_t)(b) << 16 | (ipv4_t)(c) << 8 | (d))

static void hops_become(const struct forwarding *f, const ipv4_t *hops, size_t count,
			const char *set)
{
	struct desired_lines list = {.count = 0};
	struct text t;

	for (size_t i = 0; i < count; i++)
		desired_lines_add_hop(&list, hops[i]);
	text_init(&t);
	desired_nft(f, &list, &t);
	says_all(t.bytes, &(const char *){set}, 1);
	text_clear(&t);
}

/* A carrier's gateway inside the overlay's range can be reached; one that has an address of ours cannot. */
static void a_line_leads_to_its_next_hop(void **state)
{
	static const char none[] = "\tset hops {\n\t\ttype ipv4_addr\n\t}\n";
	static const char some[] =
	    "\tset hops {\n\t\ttype ipv4_addr\n\t\telements = { 100.64.5.1, 100.80.77.1 }\n\t}\n";
	static const char chain[] = "\tchain line {\n"
				    "\t\tfib saddr . oif type != local counter drop\n"
				    "\t\tip daddr @hops return\n"
				    "\t\tudp sport 68 udp dport 67 return\n"
				    "\t\tcounter drop\n\t}\n";
	static const ipv4_t other[] = {A(192, 168, 1, 1), A(100, 96, 0, 1), A(198, 51, 100, 9), 0};
	/* of a neighbour, of the endpoint, of our own link, node and path */
	static const ipv4_t known[] = {A(100, 64, 0, 210), A(100, 80, 0, 16), A(100, 64, 3, 133),
				       A(100, 80, 56, 80), A(100, 80, 56, 82)};
	static const ipv4_t carrier[] = {A(100, 80, 77, 1), A(100, 64, 5, 1), A(100, 64, 0, 210),
					 A(100, 64, 5, 1)};
	struct desired_lines hops = {.count = 0};
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	hops_become(&f, NULL, 0, none);
	hops_become(&f, other, 4, none);
	hops_become(&f, known, 5, none);
	hops_become(&f, carrier, 4, some);
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, chain));
	assert_non_null(strstr(t.bytes, OVERLAY_OUT "\t\tip daddr @peers counter drop\n"));
	assert_non_null(strstr(
	    t.bytes, "\tchain egress_overlay {\n"
		     "\t\tip saddr 100.80.0.0/12 fib saddr . oif type != local counter drop\n"
		     "\t\tip saddr 100.64.0.0/16 fib saddr . oif type != local counter drop\n"
		     "\t\tip daddr 100.80.0.0/12 jump line\n"
		     "\t\tip daddr 100.64.0.0/16 jump line\n\t}\n"));
	text_clear(&t);
	for (ipv4_t i = 1; i < 20; i++)
		desired_lines_add_hop(&hops, i);
	assert_int_equal(hops.count, DESIRED_HOPS_MAX);
	forwarding_clear(&f);
}

/* The carriers' packets are not led from one of the box's lines to another, nor back. */
static void no_line_is_anothers_way(void **state)
{
	static const char words[] =
	    "\t\tip daddr @peers counter drop\n"
	    "\t\tiifname \"eth0\" oifname \"eth0\" udp dport 51820 counter drop\n"
	    "\t\tiifname \"eth0\" oifname \"wwan0\" counter drop\n"
	    "\t\tiifname \"wwan0\" oifname \"eth0\" counter drop\n"
	    "\t\tiifname \"wwan0\" oifname \"wwan0\" udp dport 51820 counter drop\n"
	    "\t}\n";
	static const char both[] =
	    "\t\tip daddr @peers counter drop\n"
	    "\t\tiifname \"eth0\" oifname \"eth0\" udp dport 51820 counter drop\n"
	    "\t\tiifname \"eth0\" oifname \"eth0\" udp dport 51821 counter drop\n"
	    "\t\tiifname \"eth0\" oifname \"wwan0\" counter drop\n"
	    "\t\tiifname \"wwan0\" oifname \"eth0\" counter drop\n"
	    "\t\tiifname \"wwan0\" oifname \"wwan0\" udp dport 51820 counter drop\n"
	    "\t\tiifname \"wwan0\" oifname \"wwan0\" udp dport 51821 counter drop\n"
	    "\t}\n";
	struct desired_lines lines = {.count = 0};
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	desired_lines_add_device(&lines, "eth0");
	desired_lines_add_device(&lines, "wwan0");
	text_init(&t);
	desired_nft(&f, &lines, &t);
	assert_non_null(strstr(t.bytes, words));
	text_clear(&t);
	for (int i = 0; i < 20; i++)
		desired_lines_add_device(&lines, "eth1");
	assert_int_equal(lines.device_count, DESIRED_DEVICES_MAX);
	forwarding_clear(&f);
	parallel_read(&f);
	lines.device_count = 2;
	text_init(&t);
	desired_nft(&f, &lines, &t);
	assert_non_null(strstr(t.bytes, both));
	text_clear(&t);
	forwarding_clear(&f);
}

/* What of a LAN lies behind another device is no carrier's to send, nor to get, whatever address or route its lease has. */
static void a_line_is_no_lan_s(void **state)
{
	static const char set[] = "\tset inner {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
				  "\t\telements = { 10.9.1.0/24 }\n\t}\n";
	static const char input[] = "nd-neighbor-advert } accept\n"
				    "\t\tiifname \"eth0\" ip saddr @inner counter drop\n"
				    "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists accept\n";
	static const char forward[] =
	    "\t\ttype filter hook forward priority filter; policy accept;\n"
	    "\t\tiifname \"eth0\" ip saddr @inner counter drop\n"
	    "\t\toifname \"eth0\" ip daddr @inner counter drop\n";
	struct desired_lines lines = {.count = 0};
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 9, 1, 0), 24});
	text_init(&t);
	desired_nft(&f, &lines, &t);
	assert_null(strstr(t.bytes, "inner")); /* of no line that is known */
	text_reset(&t);
	lines.inner_count = 0;
	desired_lines_add_carrier(&lines, "eth0");
	desired_nft(&f, &lines, &t);
	assert_null(strstr(t.bytes, "inner")); /* all of the LANs may come by that line */
	text_reset(&t);
	lines.carrier_count = 0;
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 9, 1, 0), 24});
	desired_lines_add_carrier(&lines, "eth0");
	desired_lines_add_carrier(&lines, "eth0");
	desired_lines_add_carrier(&lines, "");
	desired_lines_add_carrier(&lines, "eth*");
	desired_lines_add_carrier(&lines, "eth\"1");
	desired_nft(&f, &lines, &t);
	assert_non_null(strstr(t.bytes, set));
	assert_non_null(strstr(t.bytes, input));
	assert_non_null(strstr(t.bytes, forward));
	assert_int_equal(lines.carrier_count, 1);
	text_clear(&t);
	forwarding_clear(&f);
}

static void of_more_parts_than_there_is_room_for_the_broadest_stay(void **state)
{
	struct desired_lines lines = {.count = 0};
	bool there = false;

	(void)state;
	for (ipv4_t i = 0; i < DESIRED_INNER_MAX + 9; i++)
		desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 9, i, 0), 25});
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 8, 0, 0), 16});
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 8, 7, 0), 24});
	assert_int_equal(lines.inner_count, DESIRED_INNER_MAX);
	for (size_t i = 0; i < lines.inner_count; i++)
		there |= lines.inner[i].address == A(10, 8, 0, 0) && lines.inner[i].length == 16;
	assert_true(there);
}

/* What is said again takes no room from what is new; and what is more than there is room for changes nothing else. */
static void lines_keep_each_once_and_as_many_as_there_is_room_for(void **state)
{
	struct desired_lines lines = {.count = 0}, full;
	struct desired_lan_way way = {.device = "lan0"};
	char name[KERNEL_IFNAME_MAX];

	(void)state;
	desired_lines_add_hop(&lines, 0);
	desired_lines_add_carrier(&lines, "");
	desired_lines_add_carrier(&lines, "a\"b");
	desired_lines_add_carrier(&lines, "a*");
	desired_lines_add_carrier(&lines, "a\\");
	assert_int_equal(lines.count + lines.carrier_count, 0);
	for (unsigned int i = 0; i < DESIRED_INNER_MAX; i++)
		for (unsigned int again = 0; again <= i; again++) {
			snprintf(name, sizeof(name), "eth%u", again);
			if (i < DESIRED_HOPS_MAX)
				desired_lines_add_hop(&lines, A(100, 64, 0, again + 1));
			if (i < DESIRED_DEVICES_MAX)
				desired_lines_add_carrier(&lines, name);
			if (i < DESIRED_DEVICES_MAX && again == i)
				desired_lines_add_device(&lines, name);
			way.part = (struct ipv4_prefix){A(10, 9, again, 0), 24};
			desired_lines_add_inner(&lines, way.part);
			assert_true(desired_lines_add_way(&lines, &way));
		}
	assert_int_equal(lines.count, DESIRED_HOPS_MAX);
	assert_int_equal(lines.device_count, DESIRED_DEVICES_MAX);
	assert_int_equal(lines.carrier_count, DESIRED_DEVICES_MAX);
	assert_int_equal(lines.inner_count, DESIRED_INNER_MAX);
	assert_int_equal(lines.way_count, DESIRED_INNER_MAX);
	assert_true(desired_lines_is_carrier(&lines, "eth7"));
	assert_false(desired_lines_is_carrier(&lines, "eth8"));
	full = lines;
	desired_lines_add_hop(&lines, A(100, 64, 0, 99));
	desired_lines_add_device(&lines, "eth99");
	desired_lines_add_carrier(&lines, "eth99");
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 8, 0, 0), 24});
	way.part = (struct ipv4_prefix){A(10, 8, 0, 0), 24};
	assert_false(desired_lines_add_way(&lines, &way));
	full.inner_more = true; /* and nothing else */
	assert_memory_equal(&lines, &full, sizeof(lines));
	desired_lines_add_inner(&lines, (struct ipv4_prefix){A(10, 8, 0, 0), 23});
	assert_int_equal(lines.inner_count, DESIRED_INNER_MAX);
	assert_false(desired_lines_equal(&lines, &full));
}

/* The last of each, too. */
static void lines_differ_by_any_of_them(void **state)
{
	struct desired_lines a = {.count = 0}, b;

	(void)state;
	for (int i = 0; i < 2; i++) {
		desired_lines_add_hop(&a, A(192, 0, 2, i + 1));
		desired_lines_add_device(&a, i ? "eth1" : "eth0");
		desired_lines_add_carrier(&a, i ? "eth1" : "eth0");
		desired_lines_add_inner(&a, (struct ipv4_prefix){A(10, 9, i, 0), 24});
		desired_lines_add_way(
		    &a, &(struct desired_lan_way){{A(10, 9, i, 0), 24}, "lan0", 0, 0});
	}
	for (int i = 0; i < 10; i++) {
		b = a;
		assert_true(desired_lines_equal(&a, &b));
		b.hop[1] += i == 0;
		b.device[1][0] = i == 1 ? 'x' : 'e';
		b.carrier[1][0] = i == 2 ? 'x' : 'e';
		b.inner[1].address += i == 3 ? 256 : 0;
		b.way[1].part.length += i == 4;
		b.count -= i == 5;
		b.device_count -= i == 6;
		b.carrier_count -= i == 7;
		b.inner_count -= i == 8;
		b.way_count -= i == 9;
		assert_false(desired_lines_equal(&a, &b));
		assert_false(desired_lines_equal(&b, &a));
	}
}

/* What is not said is not compared: neither what a structure is filled up with nor what was there before. */
static void lines_are_equal_by_what_they_say(void **state)
{
	struct desired_lines a, b = {.count = 0}, other;

	(void)state;
	memset(&a, 0xa5, sizeof(a));
	a.count = a.device_count = a.carrier_count = a.inner_count = a.way_count = 0;
	assert_true(desired_lines_equal(&a, &b));
	for (int i = 0; i < 2; i++) {
		struct desired_lines *lines = i ? &a : &b;

		desired_lines_add_hop(lines, A(192, 0, 2, 1));
		desired_lines_add_device(lines, "eth0");
		desired_lines_add_carrier(lines, "eth1");
		desired_lines_add_inner(lines, (struct ipv4_prefix){A(10, 9, 1, 0), 24});
		desired_lines_add_way(
		    lines, &(struct desired_lan_way){{A(10, 9, 1, 0), 24}, "lan0", 0, 0});
	}
	memset((char *)&b.inner[0].length + 1, 0x5a,
	       sizeof(b.inner[0]) - offsetof(struct ipv4_prefix, length) - 1);
	assert_true(desired_lines_equal(&a, &b));
	other = b;
	other.hop[0]++;
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.device[0][3] = '9';
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.carrier[0][3] = '9';
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.inner[0].length--;
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.way[0].device[3] = '9';
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.way[0].gateway++;
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	other.way[0].source++;
	assert_false(desired_lines_equal(&a, &other));
	other = b;
	desired_lines_add_carrier(&other, "eth2");
	assert_false(desired_lines_equal(&a, &other));
}

static struct kernel_state *desired_with(const struct forwarding *f,
					 const struct desired_lines *lines)
{
	static const struct node_keys keys;
	static const struct active_paths none;
	struct kernel_state *state;

	assert_int_equal(desired_build_repaired(f, &keys, &none, NULL, lines, &state), 0);
	return state;
}

/* While a line claims some of a LAN a rule before the main table leads to the LAN's own ways; else there is none. */
static void a_claimed_lan_is_led_by_its_own_ways(void **state)
{
	static const char plan[] =
	    "ip route add 10.9.1.0/24 dev lan0 src 10.9.1.1 table 538000\n"
	    "ip route add 10.9.1.64/26 via 10.9.1.2 dev lan0 onlink table 538000\n"
	    "ip rule add priority 9800 table 538000\n";
	struct desired_lan_way ways[] = {{{A(10, 9, 1, 0), 24}, "lan0", 0, A(10, 9, 1, 1)},
					 {{A(10, 9, 1, 64), 26}, "lan0", A(10, 9, 1, 2), 0},
					 {{A(10, 9, 1, 0), 24}, "eth9", 0, 0}};
	struct desired_lines lines = {.count = 0};
	struct kernel_state *without, *with;
	struct forwarding f;
	char *text;

	(void)state;
	bundle_read(&f);
	without = desired_with(&f, &lines);
	for (size_t i = 0; i < 3; i++)
		assert_true(desired_lines_add_way(&lines, &ways[i]));
	with = desired_with(&f, &lines);
	text = words(with, without);
	assert_string_equal(text, plan);
	free(text);
	kernel_state_free(with);
	kernel_state_free(without);
	forwarding_clear(&f);
	for (; lines.way_count < DESIRED_INNER_MAX; ways[0].part.address += 256)
		desired_lines_add_way(&lines, &ways[0]);
	assert_false(desired_lines_add_way(&lines, &ways[0]));
}

static struct fwd_rule inbound(ipv4_t from, uint8_t length)
{
	return (struct fwd_rule){.color = 10,
				 .protocol = 6,
				 .port_first = 443,
				 .port_last = 443,
				 .from = {from, length}};
}

/* The commune's table where these are its rules. @shared  its LAN is another gateway's, too */
static void table_of_rules(struct fwd_rule *rules, size_t count, bool shared,
			   struct text *ret_table)
{
	struct forwarding f;
	struct fwd_rule *own;
	size_t own_count;

	bundle_read(&f);
	own = f.rules;
	own_count = f.rule_count;
	f.lan_shared = shared;
	f.rules = rules;
	f.rule_count = count;
	text_init(ret_table);
	desired_nft(&f, NULL, ret_table);
	f.rules = own;
	f.rule_count = own_count;
	forwarding_clear(&f);
}

/* Many peers with the same right are one rule with a set; nested prefixes, which nft refuses, become one. */
static void rights_of_many_peers_are_one_set(void **state)
{
	struct fwd_rule rules[] = {inbound(0x0a090000, 16), inbound(0x0a090100, 24),
				   inbound(0x0a0a0100, 24), inbound(0x0a0b0105, 32)};
	struct text t;

	(void)state;
	table_of_rules(rules, 4, false, &t);
	assert_non_null(strstr(t.bytes, "\tset far_0 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
					"\t\telements = { 10.9.0.0/16, 10.10.1.0/24,\n"
					"\t\t\t     10.11.1.5 }\n"));
	assert_non_null(strstr(t.bytes, "\tchain inbound_10 {\n\t\tct direction original "
					"ip saddr @peers ip saddr @far_0 tcp dport 443 accept\n"));
	text_clear(&t);
}

/* As nft prints it back: some code points have names. Other marks, other rules, not one set. */
static void marks_of_packets_are_matched_both_ways(void **state)
{
	struct fwd_rule rules[] = {inbound(0, 0), inbound(0x0a090100, 24), inbound(0x0a0a0100, 24)};
	struct text t;

	(void)state;
	rules[0].has_dscp = rules[1].has_dscp = true;
	rules[0].dscp = 46;
	rules[1].dscp = 11;
	table_of_rules(rules, 3, false, &t);
	assert_non_null(
	    strstr(t.bytes,
		   "\t\tct direction original ip saddr @peers ip dscp ef tcp dport 443 accept\n"));
	assert_non_null(strstr(t.bytes,
			       "\t\tct direction original ip saddr @peers ip saddr 10.9.1.0/24 "
			       "ip dscp 0x0b tcp dport 443 accept\n"));
	assert_non_null(strstr(t.bytes,
			       "\t\tct direction original ip saddr @peers ip saddr 10.10.1.0/24 "
			       "tcp dport 443 accept\n"));
	assert_non_null(
	    strstr(t.bytes, "\t\tip daddr @peers ip dscp ef tcp sport 443 meta mark set"));
	text_clear(&t);
}

/* One rule among others that asks for this: how its packets are known, there and back. */
static void protocols_and_ports_are_matched_both_ways(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t first, last;
		const char *there, *back;
		const char *shared[2]; /* back, where another gateway may have seen the rest */
	} rows[] = {
	    {0, 0, 65535, "", "", {"tcp flags != syn / syn,ack ", "meta l4proto != 6 "}},
	    {1, 0, 65535, "ip protocol 1 ", "ip protocol 1 ", {"ip protocol 1 "}},
	    {6,
	     0,
	     65535,
	     "ip protocol 6 ",
	     "ip protocol 6 ",
	     {"ip protocol 6 tcp flags != syn / syn,ack "}},
	    {17, 0, 65535, "ip protocol 17 ", "ip protocol 17 ", {"ip protocol 17 "}},
	    {6,
	     443,
	     443,
	     "tcp dport 443 ",
	     "tcp sport 443 ",
	     {"tcp sport 443 tcp flags != syn / syn,ack "}},
	    {17, 53, 53, "udp dport 53 ", "udp sport 53 ", {"udp sport 53 "}},
	    {6,
	     0,
	     1023,
	     "tcp dport 0-1023 ",
	     "tcp sport 0-1023 ",
	     {"tcp sport 0-1023 tcp flags != syn / syn,ack "}},
	    {17,
	     1024,
	     65535,
	     "udp dport 1024-65535 ",
	     "udp sport 1024-65535 ",
	     {"udp sport 1024-65535 "}},
	    {0,
	     53,
	     53,
	     "meta l4proto { 6, 17 } th dport 53 ",
	     "meta l4proto { 6, 17 } th sport 53 ",
	     {"tcp sport 53 tcp flags != syn / syn,ack ", "udp sport 53 "}},
	};
	char line[160];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int shared = 0; shared < 2; shared++) {
			struct forwarding f;
			struct text t;

			bundle_read(&f);
			f.lan_shared = shared;
			f.rules[0].protocol = rows[i].protocol;
			f.rules[0].port_first = rows[i].first;
			f.rules[0].port_last = rows[i].last;
			text_init(&t);
			desired_nft(&f, NULL, &t);
			snprintf(line, sizeof(line),
				 "\tchain outbound {\n\t\tip daddr @peers %smeta mark set "
				 "0x5400000a accept\n\t\tip daddr @peers tcp dport 443 ",
				 rows[i].there);
			if (!strstr(t.bytes, line))
				fail_msg("row %zu: %s%s", i, line, t.bytes);
			if (!shared)
				snprintf(
				    line, sizeof(line),
				    "\tchain inbound_10 {\n\t\tct direction reply ip saddr @peers "
				    "%saccept\n\t\tct direction reply ip saddr @peers tcp sport 443 ",
				    rows[i].back);
			else
				snprintf(
				    line, sizeof(line),
				    "\tchain inbound_10 {\n\t\tip saddr @peers %saccept\n%s%s%s"
				    "\t\tip saddr @peers tcp sport 443 ",
				    rows[i].shared[0],
				    rows[i].shared[1] ? "\t\tip saddr @peers " : "",
				    rows[i].shared[1] ? rows[i].shared[1] : "",
				    rows[i].shared[1] ? "accept\n" : "");
			if (!strstr(t.bytes, line))
				fail_msg("row %zu: %s%s", i, line, t.bytes);
			text_clear(&t);
			forwarding_clear(&f);
		}
}

/* Behind gateways that share a LAN: what the far side opens is matched whole there, and its answers from here are no opening. */
static void answers_of_a_shared_lan_open_nothing(void **state)
{
	struct fwd_rule rules[] = {inbound(0, 0), inbound(0, 0)};
	struct text t;

	(void)state;
	rules[0].protocol = 0;
	rules[0].port_first = rules[0].port_last = 53;
	table_of_rules(rules, 2, true, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\tchain outbound {\n"
	    "\t\tip daddr @peers tcp sport 53 tcp flags != syn / syn,ack meta mark set 0x5400000a accept\n"
	    "\t\tip daddr @peers udp sport 53 meta mark set 0x5400000a accept\n"
	    "\t\tip daddr @peers tcp sport 443 tcp flags != syn / syn,ack meta mark set 0x5400000a accept\n"
	    "\t\tip daddr @peers icmp type { destination-unreachable, time-exceeded, parameter-problem } "
	    "meta mark set 0x5400000a accept\n\t}\n"));
	assert_non_null(strstr(
	    t.bytes, "\tchain inbound_10 {\n"
		     "\t\tip saddr @peers meta l4proto { 6, 17 } th dport 53 accept\n"
		     "\t\tip saddr @peers tcp dport 443 accept\n"
		     "\t\tip saddr @peers icmp type { time-exceeded, parameter-problem } accept\n"
		     "\t}\n"));
	text_clear(&t);
}

/* Where one of those with the same right is anybody, there is no set: whoever is behind the session may. */
static void a_right_of_anybody_asks_for_no_set(void **state)
{
	struct fwd_rule rules[] = {inbound(0x0a090000, 16), inbound(0, 0), inbound(0x0a0a0100, 24)};
	struct text t;

	(void)state;
	table_of_rules(rules, 3, false, &t);
	assert_null(strstr(t.bytes, "far_"));
	assert_non_null(strstr(t.bytes, "\tchain inbound_10 {\n\t\tct direction original "
					"ip saddr @peers tcp dport 443 accept\n"
					"\t\tct state related ip saddr @peers accept\n\t}\n"));
	text_clear(&t);
}

/* A right of some hosts here to some there is asked for both ends, both ways. */
static void both_ends_of_a_right_are_asked(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	f.rules[0].from = (struct ipv4_prefix){A(10, 9, 1, 8), 29};
	f.rules[0].to = (struct ipv4_prefix){A(10, 0, 3, 7), 32};
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes,
			       "\tchain outbound {\n"
			       "\t\tip daddr @peers ip saddr 10.9.1.8/29 ip daddr 10.0.3.7 "
			       "udp dport 162 meta mark set 0x5400000a accept\n"));
	assert_non_null(strstr(t.bytes,
			       "\tchain inbound_10 {\n"
			       "\t\tct direction reply ip saddr @peers ip daddr 10.9.1.8/29 "
			       "ip saddr 10.0.3.7 udp sport 162 accept\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

/* Only those become one that differ in nothing but who is there. */
static void rights_that_differ_are_several_rules(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++) {
		struct fwd_rule rules[] = {inbound(0x0a090000, 16), inbound(0x0a0a0000, 16)};
		struct text t;

		rules[1].color += i == 1 ? 10 : 0;
		rules[1].protocol = i == 2 ? 17 : 6;
		rules[1].port_first -= i == 3;
		rules[1].port_last += i == 4;
		rules[1].has_dscp = i == 5;
		rules[0].has_dscp = i == 6;
		rules[1].to.length = i == 7 ? 16 : 0;
		rules[1].outbound = i == 8;
		table_of_rules(rules, 2, false, &t);
		if (!strstr(t.bytes, "@far_0") != (i > 0))
			fail_msg("row %d: %s", i, t.bytes);
		text_clear(&t);
	}
}

/* ---- gateways that share a LAN ----------------------------------------------------------- */

/* A second color whose peer has @prefix. */
static void colors_read(const char *prefix, struct forwarding *f, struct text *table)
{
	const char *session = strstr(bundle, "session 10"), *peer = strstr(bundle, "peer 10"),
		   *rule = strstr(bundle, "rule 10");
	struct reason reason = {.text = ""};
	struct text two;

	text_init(&two);
	text_printf(&two, "%.*s", (int)(session - bundle), bundle);
	text_add(&two,
		 "path 3 main color 20 preference 200 to 1 source 100.80.56.83 endpoint "
		 "100.80.0.16 first 210 stack 16001 mtu 1416 probe 50000us x 3 reflector 1\n");
	text_printf(&two, "%.*ssession 20 image port 52020 mtu 1352 revert 2000ms\n",
		    (int)(peer - session), session);
	text_printf(&two,
		    "%.*speer 20 1 npdc-hn key at5xF9hs2oX+KNPKmPx13GCINvL7WhRyr6z5CIfQ9Dw= call "
		    "100.80.0.16:52020\nprefix 20 1 %s\n%s",
		    (int)(rule - peer), peer, prefix, rule);
	text_add(&two, "rule 20 out priority 2 protocol 6 ports 873-873 to 0.0.0.0/0 from "
		       "0.0.0.0/0 class image\n");
	forwarding_init(f);
	if (forwarding_parse(two.bytes, two.length, f, &reason) < 0)
		fail_msg("%s", reason.text);
	text_clear(&two);
	text_init(table);
	desired_nft(f, NULL, table);
}

static void colors_with_the_same_peers_share_a_set(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	colors_read("10.0.0.0/16", &f, &t);
	assert_null(strstr(t.bytes, "peers_"));
	assert_non_null(
	    strstr(t.bytes, "\t\tip daddr @peers tcp dport 873 meta mark set 0x54000014 accept\n"));
	text_clear(&t);
	forwarding_clear(&f);
	colors_read("10.0.0.0/17", &f, &t);
	assert_non_null(strstr(t.bytes, "\tset peers_10 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
					"\t\telements = { 10.0.0.0/16 }\n"));
	assert_non_null(strstr(t.bytes, "\tset peers_20 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
					"\t\telements = { 10.0.0.0/17 }\n"));
	assert_non_null(strstr(
	    t.bytes, "\t\tip daddr @peers_20 tcp dport 873 meta mark set 0x54000014 accept\n"));
	assert_non_null(strstr(t.bytes, "ip saddr @peers_10 udp sport 162 accept\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

static void shared_read(struct forwarding *f)
{
	static const char path[] =
	    "path 3 main color 10 preference 200 to 2 source 100.80.56.83 endpoint 100.80.0.32 "
	    "first 210 stack 16002 mtu 1416 probe 50000us x 3 reflector 2\n";
	static const char peer[] =
	    "peer 10 2 npdc-hcm key k5xF9hs2oX+KNPKmPx13GCINvL7WhRyr6z5CIfQ9Dw8= call "
	    "100.80.0.32:52010 rank 1\nprefix 10 2 10.0.0.0/16\n";
	char *two = malloc(sizeof(bundle) + sizeof(path) + sizeof(peer));
	const char *session = strstr(bundle, "session 10"), *rule = strstr(bundle, "rule 10");
	struct reason reason = {.text = ""};

	assert_non_null(two);
	sprintf(two, "%.*s%s%.*s%s%s", (int)(session - bundle), bundle, path, (int)(rule - session),
		session, peer, rule);
	forwarding_init(f);
	if (forwarding_parse(two, strlen(two), f, &reason) < 0)
		fail_msg("%s", reason.text);
	free(two);
}

static struct kernel_state *desired_gateway(const struct forwarding *f, uint32_t endpoint)
{
	struct active_paths active = {
	    .entry = {{10, 1, 1, endpoint == 1}, {10, 2, 3, endpoint == 2}}, .count = 2};
	struct node_keys keys = {.link = {1}, .session = {2}};
	struct kernel_state *state;

	assert_int_equal(desired_build(f, &keys, &active, &state), 0);
	return state;
}

/* A device for each, all prefixes behind both; which one carries is two routes, and nothing else. */
static void another_gateway_is_two_routes(void **state)
{
	struct kernel_state *one, *two;
	struct active_paths read;
	struct forwarding f;
	char *plan;

	(void)state;
	shared_read(&f);
	one = desired_gateway(&f, 1);
	two = desired_gateway(&f, 2);
	assert_int_equal(kernel_state_device(one, "s10")->listen_port, 52010);
	assert_int_equal(kernel_state_device(one, "s10-2")->listen_port, 42010);
	plan = words(two, one);
	assert_string_equal(plan,
			    "ip route replace 10.0.0.0/16 dev s10-2 src 10.9.1.1 table 254\n"
			    "ip route replace 10.0.0.0/16 dev s10-2 src 10.9.1.1 table 540010\n");
	free(plan);
	desired_active_read(&f, two, &read);
	assert_int_equal(read.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(read.entry[i].carries, read.entry[i].endpoint_site == 2);
	kernel_state_free(one);
	kernel_state_free(two);
	forwarding_clear(&f);
}

/* Devices go by id: a release that ranks gateways otherwise makes no session anew. */
static size_t ways_by(const struct kernel_state *s, const char *device)
{
	size_t count = 0;

	for (size_t i = 0; i < s->route_count; i++)
		count += s->routes[i].destination.address == A(10, 0, 0, 0) &&
			 !strcmp(s->routes[i].device, device);
	return count;
}

/* The first gateway carries until a path is in use; what a path was measured to carry is the MTU of its gateway's device alone. */
static void each_gateway_has_its_own_size(void **state)
{
	static const struct {
		struct active_path entry;
		uint16_t first, second;
	} rows[] = {
	    {{10, 1, 1, true, 0}, 1352, 1352},	  {{10, 1, 1, true, 1300}, 1232, 1352},
	    {{10, 2, 3, true, 1300}, 1352, 1232}, {{20, 1, 1, true, 1300}, 1352, 1352},
	    {{10, 3, 1, true, 1300}, 1352, 1352},
	};
	const struct node_keys keys = {.link = {1}, .session = {2}};
	struct active_paths active = {.count = 0};
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	shared_read(&f);
	assert_int_equal(desired_build(&f, &keys, &active, &want), 0);
	assert_int_equal(ways_by(want, "s10"), 2); /* of the main table, and of the class's */
	assert_int_equal(ways_by(want, "s10-2"), 0);
	kernel_state_free(want);
	active.count = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		active.entry[0] = rows[i].entry;
		assert_int_equal(desired_build(&f, &keys, &active, &want), 0);
		assert_int_equal(kernel_state_device(want, "s10")->mtu, rows[i].first);
		assert_int_equal(kernel_state_device(want, "s10-2")->mtu, rows[i].second);
		kernel_state_free(want);
	}
	forwarding_clear(&f);
}

static void other_ranks_are_nothing(void **state)
{
	struct kernel_state *before, *after;
	struct forwarding f;
	char *plan;

	(void)state;
	shared_read(&f);
	before = desired_gateway(&f, 1);
	for (size_t i = 0; i < f.peer_count; i++)
		f.peers[i].rank = !f.peers[i].rank;
	after = desired_gateway(&f, 1);
	plan = words(after, before);
	assert_string_equal(plan, "");
	free(plan);
	kernel_state_free(before);
	kernel_state_free(after);
	forwarding_clear(&f);
}

static void a_gateway_that_shares_tracks_nothing(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	f.lan_shared = true;
	f.rules[0].protocol = 0; /* anything at all: its answers are two rules */
	f.rules[0].port_first = 0;
	f.rules[0].port_last = 65535;
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, "\tchain inbound_10 {\n"
					"\t\tip saddr @peers tcp flags != syn / syn,ack accept\n"
					"\t\tip saddr @peers meta l4proto != 6 accept\n"));
	assert_null(strstr(t.bytes, "saddr @peers icmp type { destination"));
	assert_null(strstr(t.bytes, "ct direction"));
	assert_null(strstr(t.bytes, "ct state related ip "));
	assert_non_null(strstr(t.bytes, "\tchain guard_session {\n\t\tnotrack\n\t}\n"));
	assert_non_null(strstr(t.bytes, "\t\tiifname \"link0\" notrack accept\n"
					"\t\tiifname \"s10\" jump guard_session\n"));
	assert_non_null(strstr(t.bytes,
			       "\t\tmeta l4proto { 4, 47, 137 } counter drop\n"
			       "\t\tip saddr 10.9.1.0/24 ip daddr @peers notrack\n"
			       "\t\tip saddr 10.9.1.0/24 fib saddr . iif oif exists jump outbound\n"
			       "\t}\n"));
	assert_non_null(strstr(
	    t.bytes, "\t\tip saddr @peers tcp sport 443 tcp flags != syn / syn,ack accept\n"));
	assert_non_null(strstr(t.bytes, "\t\tip daddr 100.64.0.0/16 notrack accept\n"
					"\t\tip saddr 10.9.1.0/24 ip daddr @peers notrack\n"
					"\t\tip saddr 10.9.1.0/24 jump outbound_node\n\t}\n"));
	text_reset(&t);
	f.rules[1].outbound =
	    false; /* nothing is tracked: what opens on either side is marked early */
	desired_nft(&f, NULL, &t);
	assert_null(strstr(t.bytes, "classify"));
	assert_non_null(strstr(t.bytes, "fib saddr . iif oif exists jump outbound\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

static void nobody_says_how_small_links_packets_be(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\tchain input_line {\n\t\tct state established accept\n"
	    "\t\tct protocol 17 icmp type destination-unreachable icmp code frag-needed counter drop\n"
	    "\t\tct state related accept\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

/* nft is slow with many, and refuses what overlaps: but what is in the set is what was given, and no more. */
static void networks_side_by_side_are_one(void **state)
{
	static const struct {
		struct ipv4_prefix lans[4];
		size_t count;
		const char *elements;
	} rows[] = {
	    {{{A(10, 0, 0, 0), 24}, {A(10, 0, 1, 0), 24}}, 2, "10.0.0.0/23"},
	    {{{A(10, 0, 1, 0), 24}, {A(10, 0, 0, 0), 24}}, 2, "10.0.0.0/23"},
	    {{{A(10, 0, 1, 0), 24}, {A(10, 0, 2, 0), 24}}, 2, "10.0.1.0/24, 10.0.2.0/24"},
	    {{{A(10, 0, 0, 0), 24}, {A(10, 0, 1, 0), 25}}, 2, "10.0.0.0/24, 10.0.1.0/25"},
	    {{{A(10, 0, 0, 0), 24}, {A(10, 0, 2, 0), 24}}, 2, "10.0.0.0/24, 10.0.2.0/24"},
	    {{{A(10, 0, 0, 4), 32}, {A(10, 0, 0, 5), 32}}, 2, "10.0.0.4/31"},
	    {{{A(10, 0, 0, 0), 25}, {A(10, 0, 0, 128), 26}, {A(10, 0, 0, 192), 26}},
	     3,
	     "10.0.0.0/24"},
	    {{{A(10, 0, 0, 0), 25},
	      {A(10, 0, 1, 0), 24},
	      {A(10, 0, 0, 128), 26},
	      {A(10, 0, 0, 192), 26}},
	     4,
	     "10.0.0.0/23"},
	    {{{A(10, 9, 0, 0), 16}, {A(10, 9, 1, 0), 24}}, 2, "10.9.0.0/16"},
	    {{{A(10, 9, 1, 0), 24}, {A(10, 9, 1, 0), 24}, {A(10, 9, 3, 0), 24}},
	     3,
	     "10.9.1.0/24, 10.9.3.0/24"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipv4_prefix lans[4], *own;
		struct forwarding f;
		struct text t, set;

		bundle_read(&f);
		own = f.lans;
		memcpy(lans, rows[i].lans, sizeof(lans));
		f.lans = lans;
		f.lan_count = rows[i].count;
		text_init(&t);
		text_init(&set);
		desired_nft(&f, NULL, &t);
		text_printf(&set,
			    "\tset lans {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
			    "\t\telements = { %s }\n\t}\n",
			    rows[i].elements);
		if (!strstr(t.bytes, set.bytes))
			fail_msg("row %zu: %s", i, strstr(t.bytes, "\tset lans"));
		text_clear(&t);
		text_clear(&set);
		f.lans = own;
		forwarding_clear(&f);
	}
}

/* As nft prints them back: one prefix is compared, a host has no length, more are a set. */
static void one_lan_is_compared(void **state)
{
	static const struct {
		struct ipv4_prefix lans[2];
		size_t count;
		const char *word;
		bool is_set;
	} rows[] = {
	    {{{0x0a090100, 24}}, 1, "10.9.1.0/24", false},
	    {{{0x0a09010a, 32}}, 1, "10.9.1.10", false},
	    {{{0x0a090100, 24}, {0x0a090300, 24}}, 2, "@lans", true},
	    {{{0, 0}}, 0, "@lans", true},
	    {{{0, 0}}, 1, "@lans", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipv4_prefix lans[2], *own;
		struct text t, words;
		struct forwarding f;

		bundle_read(&f);
		own = f.lans;
		memcpy(lans, rows[i].lans, sizeof(lans));
		f.lans = lans;
		f.lan_count = rows[i].count;
		text_init(&t);
		text_init(&words);
		desired_nft(&f, NULL, &t);
		text_printf(&words,
			    "\t\tip saddr @peers ip daddr != %s counter drop\n"
			    "\t\tip saddr %s ip daddr != %s counter drop\n\t}\n}\n",
			    rows[i].word, rows[i].word, rows[i].word);
		assert_non_null(strstr(t.bytes, words.bytes));
		assert_int_equal(strstr(t.bytes, "\tset lans {") != NULL, rows[i].is_set);
		assert_int_equal(strstr(t.bytes, "@lans") != NULL, rows[i].is_set);
		text_clear(&t);
		text_clear(&words);
		f.lans = own;
		forwarding_clear(&f);
	}
}

/* What a link sends is judged after the devices: into a session goes nothing without its color's mark, whatever the source. */
static void links_own_packets(void **state)
{
	struct desired_lines lines = {.count = 0};
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	assert_non_null(strstr(t.bytes, "\tchain egress_link {\n" OVERLAY_OUT
					"\t\tudp sport 51820 accept\n\t}\n"));
	assert_non_null(strstr(
	    t.bytes,
	    "\t\ttype filter hook postrouting priority filter; policy accept;\n"
	    "\t\tmeta oiftype ipip oifname \"lsp*\" accept\n"
	    "\t\tmeta oiftype != ether oifname \"link0\" accept\n"
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : accept, \"s10\" : jump egress_10 }\n"
	    "\t\tmeta mark 0x57000000 jump egress_link\n" OVERLAY_OUT));
	assert_non_null(strstr(t.bytes, "\t\ttype route hook output priority raw; policy accept;\n"
					"\t\tmeta mark 0x57000000 accept\n"
					"\t\tip daddr 100.80.0.0/12 notrack accept\n"
					"\t\tip daddr 100.64.0.0/16 notrack accept\n"));
	text_reset(&t);
	desired_lines_add_hop(&lines, f.overlay[0].address + 0xfffe); /* a carrier's gateway */
	desired_nft(&f, &lines, &t);
	assert_non_null(strstr(t.bytes, "\t\tmeta mark 0x57000000 accept\n"
					"\t\tip daddr @hops accept\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

/* ---- a parallel link ------------------------------------------------------------------- */

/* As nft prints it back in each element. */
#define BFD_BOUND "limit rate over 600/second burst 128 packets counter"

static void a_parallel_link_has_devices_of_its_own(void **state)
{
	static const char *const lines[] = {
	    "ip link add link0 type wireguard mtu 1440, listen-port 51820 fwmark 0x0\n",
	    "ip link add link1 type wireguard mtu 1368, listen-port 51821 fwmark 0x0\n",
	    "ip link add lsp210 type ipip mode mplsip local 100.64.3.133 remote 100.64.0.210 ttl 64 mtu 1420\n",
	    "ip link add lsp210p type ipip mode mplsip local 100.65.3.133 remote 100.65.0.210 ttl 64 mtu 1348\n",
	    "wg set link0 peer uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8= endpoint 198.51.100.9:51820 persistent-keepalive 25 allowed-ips 100.64.0.210/32\n",
	    "wg set link1 peer uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8= endpoint 198.51.100.9:51821 preshared-key <(echo l8wLa+G4692D5TmHJ6ZKZwpLm2FHf2/XR8nRtBJUaMA=) persistent-keepalive 25 allowed-ips 100.65.0.210/32\n",
	    "ip address add 100.65.3.133/32 dev link1\n",
	    "sysctl net/ipv4/conf/link1/rp_filter=0\n",
	    "sysctl net/ipv4/conf/link1/accept_local=1\n",
	    "sysctl net/mpls/conf/lsp210p/input=1\n",
	    "tc filter add dev lsp210p ingress mpls pass 156901, else drop\n",
	    "ip route add 100.65.0.210/32 dev link1 src 100.65.3.133 table 254\n",
	    "ip route add 100.80.0.16/32 encap mpls 16001 dev lsp210p src 100.80.56.82 mtu 1348 table 560002\n",
	};
	static const char *const rules[] = {
	    "\t\tudp dport 51820 accept\n\t\tudp dport 51821 accept\n",
	    "\t\tudp sport 51820 accept\n\t\tudp sport 51821 accept\n",
	    "\t\tmeta mark 0x57000000 accept\n\t\tmeta mark 0x58000000 accept\n",
	    "\t\tmeta mark 0x57000000 jump egress_link\n\t\tmeta mark 0x58000000 jump egress_link\n",
	    "\t\tiifname \"link0\" jump guard_link\n\t\tiifname \"link1\" jump guard_link\n",
	    "\t\tiifname \"link0\" jump input_link\n"
	    "\t\tiifname vmap { \"s10\" : jump input_10, \"link1\" : jump input_link }\n",
	    "\t\tmeta oiftype != ether oifname \"link0\" accept\n"
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : accept, \"s10\" : jump egress_10, \"link1\" : accept }\n",
	    "\tchain guard_line {\n"
	    "\t\tip saddr 100.64.0.0/11 jump guard_overlay\n"
	    "\t\tip daddr 100.64.0.0/11 jump guard_overlay\n",
	    "\tset bfd_excess {\n\t\ttype ipv4_addr\n\t\t" BFD_BOUND
	    "\n\t\telements = { 100.64.0.210 " BFD_BOUND ", 100.64.0.211 " BFD_BOUND
	    ",\n\t\t\t     100.65.0.210 " BFD_BOUND " }\n\t}\n",
	    "\t\tmeta l4proto 137 accept\n"
	    "\t\tudp dport 3784 ip saddr @bfd_excess drop\n\t\tudp dport 3784 accept\n",
	    "\t\tip saddr 100.64.0.0/16 fib daddr . iif type != local counter drop\n"
	    "\t\tip saddr 100.65.0.0/16 fib daddr . iif type != local counter drop\n",
	    "\t\tmeta l4proto { 4, 47, 137 } counter drop\n"
	    "\t\tip saddr 198.51.100.9 udp sport 51820 udp dport 51821 udp length 156 counter drop\n"
	    "\t\tip saddr 198.51.100.9 udp sport 51821 udp dport 51820 udp length 156 counter drop\n",
	};
	struct kernel_state *want, *nothing = kernel_state_new();
	struct forwarding f;
	struct text none;
	char *plan;

	(void)state;
	parallel_read(&f);
	want = desired(&f, 1);
	plan = words(want, nothing);
	says_all(plan, lines, sizeof(lines) / sizeof(lines[0]));
	says_all(want->nft, rules, sizeof(rules) / sizeof(rules[0]));
	for (size_t i = 0; i < f.neighbor_count; i++)
		assert_int_equal(ip_endpoint_parse("[2001:db8::9]:51820", &f.neighbors[i].endpoint),
				 0);
	text_init(&none);
	desired_nft(&f, NULL, &none);
	assert_non_null(strstr(none.bytes, "\t\tip6 saddr 2001:db8::9 udp sport 51820 "
					   "udp dport 51821 udp length 156 counter drop\n"));
	text_clear(&none);
	for (size_t i = 0; i < f.neighbor_count; i++)
		f.neighbors[i].caller =
		    false; /* who is called hears others' handshakes at either port */
	text_init(&none);
	desired_nft(&f, NULL, &none);
	assert_null(strstr(none.bytes, "udp length"));
	text_clear(&none);
	assert_int_equal(desired_repair_table(210), 570210);
	assert_int_equal(desired_repair_table(PARALLEL_ID + 210), 635746);
	assert_true(desired_repair_table(PARALLEL_ID + SITE_ID_MAX) < TUYEN_TABLE_END);
	free(plan);
	kernel_state_free(want);
	kernel_state_free(nothing);
	forwarding_clear(&f);
}

/* Where there is a parallel link, too: of its space what is known is none, and what is not is a carrier's. */
static void a_hop_may_lie_in_the_space_of_parallel_links(void **state)
{
	static const ipv4_t known[] = {A(100, 65, 3, 133), A(100, 65, 0, 210), A(100, 64, 3, 133)},
			    carrier[] = {A(100, 65, 5, 1), A(100, 64, 5, 1)};
	struct forwarding f;

	(void)state;
	parallel_read(&f);
	hops_become(&f, known, 3, "\tset hops {\n\t\ttype ipv4_addr\n\t}\n");
	hops_become(&f, carrier, 2,
		    "\tset hops {\n\t\ttype ipv4_addr\n"
		    "\t\telements = { 100.64.5.1, 100.65.5.1 }\n\t}\n");
	forwarding_clear(&f);
}

/* Sorted, as nft prints a set; a single one is none. */
static void where_paths_end(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\tchain guard_lo {\n"
	    "\t\trt ip nexthop != 0.0.0.0 goto guard_own\n"
	    "\t\trt ip6 nexthop != :: goto guard_own\n"
	    "\t\tip saddr 100.80.0.0/12 ip daddr @own udp dport { 7784, 52010 } notrack accept\n"
	    "\t\tip saddr 100.80.0.0/12 ip daddr @own udp sport 7784 udp dport 49152-65535 notrack accept\n"
	    "\t\tcounter drop\n\t}\n"));
	text_reset(&t);
	f.session_count = 0;
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, "ip daddr @own udp dport 7784 notrack accept\n"));
	text_clear(&t);
	f.session_count = 1;
	forwarding_clear(&f);
}

/* As nft prints them back: the shorter name first, then by the bytes from the last one on. */
static void devices_stand_as_nft_sorts_them(void **state)
{
	static const uint32_t colors[] = {100, 9, 4294967295u, 30, 20};
	struct fwd_session sessions[5];
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	for (size_t i = 0; i < 5; i++) {
		sessions[i] = f.sessions[0];
		sessions[i].color = colors[i];
	}
	free(f.sessions);
	f.sessions = sessions;
	f.session_count = 5;
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\t\tmeta oiftype != ether oifname vmap { \"s9\" : jump egress_9, \"lo\" : accept, \"s20\" : jump egress_20, "
	    "\"s30\" : jump egress_30, \"s100\" : jump egress_100, "
	    "\"s4294967295\" : jump egress_4294967295 }\n"));
	assert_non_null(strstr(t.bytes,
			       "\tchain into_9 {\n"
			       "\t\ttcp flags syn / syn,rst tcp option maxseg size set rt mtu\n"
			       "\t\tip saddr 10.9.1.0/24 meta mark 0x54000009 accept\n"));
	text_reset(&t);
	f.session_count = 0; /* a node that carries others' alone */
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(
	    t.bytes,
	    "\t\tmeta iiftype != ether iifname vmap { \"lo\" : jump closed, \"link0\" : jump closed }\n"));
	assert_null(strstr(t.bytes, "outbound_node"));
	assert_non_null(strstr(t.bytes, "\t\tiifname \"link0\" jump input_link\n"
					"\t\tiifname \"lsp*\" counter drop\n"));
	text_clear(&t);
	f.sessions = NULL;
	forwarding_clear(&f);
}

/* The overlay is looked for by what all of it has in common, else by each of its prefixes. */
static void the_overlay_is_found_wherever_it_lies(void **state)
{
	static const struct {
		struct ipv4_prefix links, paths;
		const char *words;
	} rows[] = {
	    {{A(10, 8, 0, 0), 16}, {A(10, 9, 0, 0), 16}, "\t\tip saddr 10.8.0.0/15 jump"},
	    {{A(10, 8, 0, 0), 13}, {A(10, 9, 0, 0), 16}, "\t\tip saddr 10.8.0.0/13 jump"},
	    {{A(10, 9, 0, 0), 16}, {A(10, 8, 0, 0), 13}, "\t\tip saddr 10.8.0.0/13 jump"},
	    {{A(10, 9, 0, 0), 16}, {A(127, 0, 0, 0), 8}, "\t\tip saddr 0.0.0.0/1 jump"},
	    {{A(10, 9, 0, 0), 16}, {0, 0}, "\t\tip saddr 10.9.0.0/16 jump"},
	    {{A(10, 9, 0, 0), 16},
	     {A(172, 16, 0, 0), 12},
	     "\t\tip saddr 172.16.0.0/12 jump guard_overlay\n\t\tip saddr 10.9.0.0/16 jump"},
	};
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	text_init(&t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char begin[160];

		f.overlay[0] = rows[i].links;
		f.overlay[1] = rows[i].paths;
		text_reset(&t);
		desired_nft(&f, NULL, &t);
		snprintf(begin, sizeof(begin),
			 "\tchain guard_line {\n%s guard_overlay\n\t\tip daddr ", rows[i].words);
		assert_non_null(strstr(t.bytes, begin));
	}
	text_clear(&t);
	forwarding_clear(&f);
}

/* What is no Ethernet is asked for its name; what is, is a line, whatever it is called. */
/* Two colors to one endpoint, each over a path of its own; the main table knows their network once, by the first. */
static void each_color_has_its_own_path_in_use(void **state)
{
	static const struct active_paths active = {.entry = {{20, 1, 3, true}, {10, 1, 2, true}},
						   .count = 2};
	const struct node_keys keys = {.link = {1}, .session = {2}};
	unsigned int outer = 0, main_by_s10 = 0, main_by_s20 = 0;
	struct kernel_state *want;
	struct active_paths read;
	struct forwarding f;
	struct text t;

	(void)state;
	colors_read("10.0.0.0/16", &f, &t);
	text_clear(&t);
	assert_int_equal(desired_build(&f, &keys, &active, &want), 0);
	for (size_t i = 0; i < want->route_count; i++) {
		const struct kernel_route *r = &want->routes[i];

		outer += r->table == TUYEN_TABLE_OUTER + 10 && r->source == A(100, 80, 56, 82);
		outer += r->table == TUYEN_TABLE_OUTER + 20 && r->source == A(100, 80, 56, 83);
		main_by_s10 += r->table == DESIRED_TABLE_MAIN && !strcmp(r->device, "s10");
		main_by_s20 += r->table == DESIRED_TABLE_MAIN && !strcmp(r->device, "s20");
	}
	assert_int_equal(outer, 2);
	assert_int_equal(main_by_s10, 1);
	assert_int_equal(main_by_s20, 0);
	desired_active_read(&f, want, &read);
	assert_int_equal(read.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(read.entry[i].index, read.entry[i].color == 10 ? 2 : 3);
	kernel_state_free(want);
	forwarding_clear(&f);
}

/* No color's packets are judged by another's rules. */
static void each_session_has_chains_of_its_own(void **state)
{
	static const char *const rules[] = {
	    "\tset peers {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
	    "\t\telements = { 10.0.0.0/16, 10.2.0.0/16 }\n",
	    "\tset peers_20 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
	    "\t\telements = { 10.2.0.0/16 }\n",
	    "\t\tiifname vmap { \"s10\" : jump input_10, \"s20\" : jump input_20 }\n",
	    "\t\tmeta iiftype != ether iifname vmap { \"lo\" : jump closed, \"s10\" : jump from_10, "
	    "\"s20\" : jump from_20, \"link0\" : jump closed }\n",
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : jump closed, \"s10\" : jump into_10, "
	    "\"s20\" : jump into_20, \"link0\" : jump closed }\n",
	    "\t\tmeta oiftype != ether oifname vmap { \"lo\" : accept, \"s10\" : jump egress_10, "
	    "\"s20\" : jump egress_20 }\n",
	    "\tchain from_20 {\n\t\tip daddr 10.9.1.0/24 jump inbound_20\n\t\tcounter drop\n\t}\n",
	    "\t\tip saddr 10.9.1.0/24 meta mark 0x54000014 accept\n\t\tcounter drop\n\t}\n",
	    "\tchain inbound_20 {\n\t\tct direction reply ip saddr @peers_20 tcp sport 873 accept\n"
	    "\t\tct state related ip saddr @peers_20 accept\n\t}\n",
	};
	struct forwarding f;
	struct text t;

	(void)state;
	colors_read("10.2.0.0/16", &f, &t);
	says_all(t.bytes, rules, sizeof(rules) / sizeof(rules[0]));
	text_clear(&t);
	forwarding_clear(&f);
}

static void without_a_lan_address_the_node_pings_nobody(void **state)
{
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	f.lan_address = 0;
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_null(strstr(t.bytes, "outbound_node"));
	assert_null(strstr(t.bytes, "ip saddr 0.0.0.0"));
	assert_non_null(strstr(t.bytes, "\t\tip saddr 10.9.1.0/24 jump outbound\n\t}\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

static void names_are_of_what_is_no_ethernet(void **state)
{
	static const char *const chains[][3] = {
	    {"guard", "filter hook prerouting priority raw; policy accept", "goto guard_lo"},
	    {"input", "filter hook input priority filter; policy drop", "accept"}};
	struct forwarding f;
	struct text t;

	(void)state;
	table_read(&f, &t);
	for (size_t i = 0; i < 2; i++) {
		char begin[160], *at;

		snprintf(begin, sizeof(begin),
			 "\tchain %s {\n\t\ttype %s;\n"
			 "\t\tmeta iiftype ether goto %s_line\n"
			 "\t\tmeta iiftype loopback %s\n"
			 "\t\tiifname ",
			 chains[i][0], chains[i][1], chains[i][0], chains[i][2]);
		at = strstr(t.bytes, begin);
		assert_non_null(at);
		snprintf(begin, sizeof(begin),
			 "\n\t\tiifname \"lsp*\" counter drop\n"
			 "\t\tgoto %s_line\n\t}\n",
			 chains[i][0]);
		assert_non_null(strstr(at, begin));
	}
	text_clear(&t);
	forwarding_clear(&f);
}

/* The commune's line takes @up_kbps; with two policies, of which the node has a session of one. */
static void rate(struct forwarding *f, uint32_t up_kbps, uint32_t down_kbps)
{
	static const struct fwd_queue queues[] = {{10, 1, 2, 50}, {20, 2, 0, 20}};
	struct fwd_line line = {.underlay = "fibre", .up_kbps = up_kbps, .overhead = 60};

	f->lines = malloc(sizeof(line));
	f->queues = malloc(sizeof(queues));
	assert_true(f->lines && f->queues);
	*f->lines = line;
	memcpy(f->queues, queues, sizeof(queues));
	f->line_count = 1;
	f->queue_count = 2;
	f->neighbors[1].down_kbps = down_kbps;
}

/* The class of the first line on @device; 0 none. */
static uint64_t line_rate(const struct kernel_state *s, const char *device)
{
	for (size_t i = 0; i < s->queue_count; i++)
		if (s->queues[i].minor == 1 && !strcmp(s->queues[i].device, device))
			return s->queues[i].rate;
	return 0;
}

/* @return what is promised to the neighbours over @device. */
static uint64_t promised(const struct kernel_state *s, const char *device)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->queue_count; i++)
		if (s->queues[i].destination && !strcmp(s->queues[i].device, device))
			sum += s->queues[i].rate;
	return sum;
}

/* Of a line under both devices link0 has all, link1 what its neighbours would take beside the other's. */
static void two_devices_share_a_line(void **state)
{
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	parallel_read(&f);
	rate(&f, 2000, 0);
	want = desired(&f, 1);
	for (size_t i = 0; i < want->queue_count; i++)
		assert_string_equal(want->queues[i].device,
				    LINK_DEVICE); /* LTE's rate is unknown */
	kernel_state_free(want);
	assert_ptr_equal(forwarding_neighbor(&f, PARALLEL_ID + 210), &f.neighbors[2]);
	strcpy(f.neighbors[2].underlay, "fibre");
	want = desired(&f, 1);
	for (size_t i = 0; i < want->queue_count; i++) {
		const struct kernel_queue *q = &want->queues[i];

		if (q->led && q->destination)
			assert_string_equal(q->device, q->destination == f.neighbors[2].link_address
							   ? PARALLEL_DEVICE
							   : LINK_DEVICE);
	}
	assert_int_equal(line_rate(want, LINK_DEVICE), 240000);
	assert_int_equal(promised(want, LINK_DEVICE), 240000);
	assert_int_equal(line_rate(want, PARALLEL_DEVICE), 80000); /* one neighbour of three */
	assert_int_equal(promised(want, PARALLEL_DEVICE), 80000);
	kernel_state_free(want);
	strcpy(f.neighbors[0].underlay, "lte");
	strcpy(f.neighbors[1].underlay, "lte");
	f.neighbors[1].down_kbps = 0;
	want = desired(&f, 1);
	assert_int_equal(line_rate(want, LINK_DEVICE), 0);
	assert_int_equal(line_rate(want, PARALLEL_DEVICE), 240000);
	kernel_state_free(want);
	forwarding_clear(&f);
}

static const struct kernel_queue *queue_of(const struct kernel_state *s, uint16_t minor)
{
	for (size_t i = 0; i < s->queue_count; i++)
		if (s->queues[i].minor == minor)
			return &s->queues[i];
	return NULL;
}

#define SLOT(site_id) ((uint16_t)(((site_id) % 1009 + 1) * 64))

static void without_a_rate_nothing_queues(void **state)
{
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	want = desired(&f, 1);
	assert_int_equal(want->queue_count, 0);
	assert_null(strstr(want->nft, "chain queues"));
	assert_null(strstr(want->nft, "ip dscp set"));
	kernel_state_free(want);
	rate(&f, 0, 0);
	want = desired(&f, 1);
	assert_int_equal(want->queue_count, 0);
	assert_non_null(strstr(want->nft, "chain queues")); /* others' queues need its marks */
	kernel_state_free(want);
	forwarding_clear(&f);
}

static void a_line_is_divided(void **state)
{
	static const char *const lines[] = {
	    "tc qdisc add dev link0 root htb\n"
	    "tc class add dev link0 classid 5459:1 parent 5459:0 htb rate 240000bps ceil 240000bps burst 240 cburst 240 "
	    "overhead 75 prio 0\n",
	    "tc class add dev link0 classid 5459:34c0 parent 5459:1 htb rate 161684bps ceil 240000bps burst 240 cburst 240 "
	    "overhead 75 prio 0, of packets to 100.64.0.210\n",
	    "tc class add dev link0 classid 5459:3500 parent 5459:1 htb rate 78315bps ceil 116250bps burst 116 cburst 116 "
	    "overhead 75 prio 0, of packets to 100.64.0.211\n",
	    "tc class add dev link0 classid 5459:34c1 parent 5459:34c0 htb rate 34599bps ceil 240000bps burst 240 cburst 240 "
	    "overhead 75 prio 0, of packets that are left\n",
	    "tc class add dev link0 classid 5459:34c2 parent 5459:34c0 htb rate 74374bps ceil 240000bps burst 240 cburst 240 "
	    "overhead 75 prio 1 quantum 1600, fq_codel target 32269us noecn, of mark 0x56000001\n",
	    "tc class add dev link0 classid 5459:34c3 parent 5459:34c1 htb rate 16bps ceil 240000bps burst 64 cburst 240 "
	    "overhead 75 prio 3 quantum 4800, fq_codel target 80674us noecn, of mark 0x56000002\n",
	    "tc class add dev link0 classid 5459:34f1 parent 5459:34c0 htb rate 8084bps ceil 60000bps burst 64 cburst 64 "
	    "overhead 75 prio 0 quantum 1600, fq_codel target 100000us noecn, of mark 0x56000030\n",
	    "tc class add dev link0 classid 5459:34ff parent 5459:34c1 htb rate 16bps ceil 240000bps burst 64 cburst 240 "
	    "overhead 75 prio 3 quantum 1600, fq_codel target 100000us noecn, of mark 0x00000000\n",
	};
	struct kernel_state *want, *nothing = kernel_state_new();
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	rate(&f, 2000, 1000);
	want = desired(&f, 1);
	plan = words(want, nothing);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (!strstr(plan, lines[i]))
			fail_msg("not in the plan: %s%s", lines[i],
				 strstr(plan, "tc qdisc add dev link0"));
	free(plan);
	kernel_state_free(want);
	kernel_state_free(nothing);
	forwarding_clear(&f);
}

/* Bytes a second: what the 20 % of low priority, with which it is promised together and takes turns, leave. */
static uint64_t promised_to_the_rest(const struct kernel_state *want, uint16_t slot)
{
	const struct kernel_queue *low = queue_of(want, slot + 1),
				  *rest = queue_of(want, slot + 63);

	assert_int_equal(rest->parent, low->minor);
	assert_int_equal(rest->priority, queue_of(want, slot + 3)->priority);
	assert_true(rest->quantum >= queue_of(want, slot + 3)->quantum * 3 / 20);
	return low->rate - queue_of(want, slot)->rate * 20 * 92 / 10000;
}

/* A turn is by the share, but no longer than 20 ms, and of a packet at least. */
static void low_ones_take_turns(void **state)
{
	static const struct {
		uint32_t kbps, share[2], quantum[3]; /* of the two, and of the rest */
	} rows[] = {
	    {64, {20, 20}, {1600, 1600, 1600}},		{2000, {20, 20}, {4800, 4800, 1600}},
	    {2000, {60, 30}, {4800, 4800, 1600}},	{100000, {20, 20}, {10666, 10666, 1600}},
	    {100000, {90, 1}, {144000, 1600, 4800}},	{10000000, {99, 1}, {158400, 1600, 4800}},
	    {10000000, {100, 0}, {160000, 1600, 4800}},
	};
	struct forwarding f;

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct kernel_state *want;

		bundle_read(&f);
		rate(&f, rows[r].kbps, 0);
		f.neighbor_count = 1;
		for (int i = 0; i < 2; i++) {
			f.queues[i].priority = 0;
			f.queues[i].share_percent = rows[r].share[i];
		}
		want = desired(&f, 1);
		for (uint16_t i = 0; i < 2; i++)
			assert_int_equal(queue_of(want, SLOT(210) + 2 + i)->quantum,
					 rows[r].quantum[i]);
		assert_int_equal(queue_of(want, SLOT(210) + 63)->quantum, rows[r].quantum[2]);
		kernel_state_free(want);
		f.neighbor_count = 2;
		forwarding_clear(&f);
	}
}

/*
 * Padded probes against the rest's share. What all paths ask for in their steady turn, whosever they are: one in 128 intervals, while
 * small ones fill all that they may. And what the node's own ask for at most: as often as their gap allows.
 */
static void padded_probes_fit_in_the_rest(void **state)
{
	static const uint32_t rates[] = {256, 512, 2000, 100000};
	struct forwarding f;

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		const struct kernel_queue *probes;
		uint64_t overhead, small, padded, gap, sum;
		const struct fwd_neighbor *n;
		struct kernel_state *want;

		bundle_read(&f);
		rate(&f, rates[r], 0);
		f.neighbor_count =
		    1; /* with two, each has its part of the line, and of probes all */
		want = desired(&f, 1);
		overhead = queue_of(want, SLOT(210))->overhead;
		probes = queue_of(want, SLOT(210) + 49);
		small = 52 + 20 + 4 + overhead;
		padded = 1416 + 20 + 4 + overhead;
		assert_true(promised_to_the_rest(want, SLOT(210)) >=
			    probes->ceil / small * padded / PATH_MTU_EVERY);
		kernel_state_free(want);
		f.neighbor_count = 2;
		want = desired(&f, 1);
		n = forwarding_neighbor(&f, 210);
		gap = desired_padded_gap_us(&f, n);
		sum = (n->link_mtu + overhead) * UINT64_C(1000000) / gap; /* its own */
		for (size_t i = 0; i < f.path_count; i++) {
			const struct fwd_path *p = &f.paths[i];

			if (p->first_site != 210)
				continue;
			padded = p->mtu + 20 + 4 * p->stack.depth + overhead;
			sum += padded * UINT64_C(1000000) / gap;
		}
		assert_in_range(sum, 1, promised_to_the_rest(want, SLOT(210)));
		kernel_state_free(want);
		forwarding_clear(&f);
	}
	bundle_read(&f);
	assert_int_equal(desired_padded_gap_us(&f, &f.neighbors[0]), 0); /* no rate, no queue */
	forwarding_clear(&f);
}

/* Nobody is promised more than there is, however odd the shares, and all can be borrowed. */
/* Only their own lines are known: each is promised all of its. */
static void without_a_rate_of_ours_each_has_its_own(void **state)
{
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	rate(&f, 0, 4000);
	f.neighbors[0].down_kbps = 2000;
	want = desired(&f, 1);
	assert_int_equal(line_rate(want, "link0"), 0);
	assert_int_equal(queue_of(want, SLOT(210))->rate, 2000 * 125 * 93 / 100);
	assert_int_equal(queue_of(want, SLOT(210))->ceil, 2000 * 125 * 93 / 100);
	assert_int_equal(queue_of(want, SLOT(211))->rate, 4000 * 125 * 93 / 100);
	assert_int_equal(queue_of(want, SLOT(211))->parent, 0);
	assert_non_null(queue_of(want, 0)); /* under the root itself */
	kernel_state_free(want);
	forwarding_clear(&f);
}

/* What goes over one line takes nothing of the other's. */
static void each_line_has_its_own_class(void **state)
{
	struct kernel_state *want;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	rate(&f, 2000, 0);
	f.lines = realloc(f.lines, 2 * sizeof(*f.lines));
	assert_non_null(f.lines);
	f.lines[1] = f.lines[0];
	strcpy(f.lines[1].underlay, "lte");
	f.lines[1].up_kbps = 500;
	f.lines[1].overhead = 80;
	f.line_count = 2;
	strcpy(f.neighbors[1].underlay, "lte");
	want = desired(&f, 1);
	for (uint32_t i = 0; i < 2; i++) {
		const struct kernel_queue *line = queue_of(want, i + 1);
		const struct kernel_queue *neighbor = queue_of(want, SLOT(210 + i));

		assert_int_equal(line->rate, (i ? 500 : 2000) * 125 * 96 / 100);
		assert_int_equal(neighbor->parent, i + 1);
		assert_int_equal(neighbor->rate, line->rate);
		assert_int_equal(neighbor->ceil, line->rate);
		assert_int_equal(neighbor->overhead, i ? 95 : 75);
		assert_int_equal(neighbor->destination, f.neighbors[i].link_address);
	}
	assert_int_equal(want->queue_count, 1 + 2 * (1 + 1 + 5)); /* the root, and of each line */
	kernel_state_free(want);
	forwarding_clear(&f);
}

/* Those that ask over one link share what the rest has there: the link itself, and each path that begins with it. */
static void who_asks_by_another_link_lengthens_no_gap(void **state)
{
	struct forwarding f;
	uint32_t gap[3];

	(void)state;
	bundle_read(&f);
	rate(&f, 2000, 0);
	for (uint32_t paths = 0; paths < 3; paths++) {
		f.paths[0].first_site = paths > 0 ? 210 : 211;
		f.paths[1].first_site = paths > 1 ? 210 : 211;
		gap[paths] = desired_padded_gap_us(&f, forwarding_neighbor(&f, 210));
	}
	assert_in_range(gap[1], 2 * gap[0] - 1, 2 * gap[0]);
	assert_in_range(gap[2], 3 * gap[0] - 2, 3 * gap[0]);
	forwarding_clear(&f);
}

static void promises_are_kept(void **state)
{
	static const uint32_t rates[] = {64, 512, 2000, 100000, 10000000};
	struct forwarding f;

	(void)state;
	for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
		struct kernel_state *want;
		uint64_t sums[2] = {0};

		bundle_read(&f);
		rate(&f, rates[r], 64);
		f.queues[0].share_percent = 100;
		f.queues[1].share_percent = 100;
		want = desired(&f, 1);
		for (size_t i = 0; i < want->queue_count; i++) {
			const struct kernel_queue *q = &want->queues[i];

			if (!q->minor)
				continue;
			assert_true(q->rate > 0 && q->rate <= q->ceil);
			assert_true(q->burst_bytes >= 64 && q->ceil_burst_bytes >= 64);
			/* as HTB counts it, in ticks of 64 ns */
			assert_true(q->burst_bytes * UINT64_C(1000000000) / q->rate / 64 <=
				    UINT32_MAX);
			assert_true(q->ceil <= rates[r] * UINT64_C(120));
			if (q->parent == SLOT(210) || q->parent == SLOT(211))
				sums[q->parent == SLOT(211)] += q->rate;
		}
		for (int i = 0; i < 2;
		     i++) /* HTB takes no rate of 0: four of them may be too much */
			assert_true(sums[i] <= queue_of(want, SLOT(210 + i))->rate + 4 * 1000);
		kernel_state_free(want);
		forwarding_clear(&f);
	}
}

/* A gateway's neighbours have classes that another neighbour does not move, nor the same slot twice. */
static void a_new_neighbor_moves_nobody(void **state)
{
	struct kernel_state *one, *two;
	struct fwd_neighbor *own;
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	rate(&f, 2000, 0);
	own = f.neighbors;
	f.neighbors = calloc(3, sizeof(*f.neighbors));
	memcpy(f.neighbors, own, 2 * sizeof(*own));
	f.neighbors[2] = own[0];
	f.neighbors[2].site_id = 210 + 1009;
	f.neighbors[2].link_address++;
	f.neighbors[2].accept = NULL;
	f.neighbors[2].accept_count = 0;
	one = desired(&f, 1);
	f.neighbor_count = 3;
	two = desired(&f, 1);
	assert_non_null(queue_of(two, SLOT(212))); /* 210's and 211's slots are taken */
	assert_int_equal(queue_of(two, SLOT(210))->destination, own[0].link_address);
	plan = words(one, two);
	assert_null(strstr(plan, "tc qdisc"));
	assert_non_null(strstr(plan, "tc class delete dev link0 classid 5459:357f\n"));
	assert_true(strstr(plan, "classid 5459:357f\n") < strstr(plan, "classid 5459:3540\n"));
	free(plan);
	kernel_state_free(one);
	kernel_state_free(two);
	free(own);
	forwarding_clear(&f);
}

static void a_packet_takes_its_queue_along(void **state)
{
	static const char chain[] =
	    "\tchain queues_path {\n"
	    "\t\tmeta length < 636 udp sport 7784 meta mark set 0x56000030\n"
	    "\t\tmeta length < 636 udp dport 7784 meta mark set 0x56000030\n"
	    "\t}\n"
	    "\n"
	    "\tchain queues_link {\n"
	    "\t\tmeta length < 636 ip dscp cs6 meta mark set 0x56000030\n"
	    "\t\tmeta mark 0x5500000a meta mark set 0x56000001\n"
	    "\t\tmeta mark 0x56000001 ip dscp set lephb\n"
	    "\t\tmeta mark 0x56000002 ip dscp set 0x02\n"
	    "\t\tmeta mark 0x56000030 ip dscp set cs6\n";
	static const char hook[] = "\tchain queues {\n"
				   "\t\ttype filter hook output priority filter; policy accept;\n"
				   "\t\tmeta oiftype ipip oifname \"lsp*\" jump queues_path\n"
				   "\t\tmeta oiftype != ether oifname \"link0\" jump queues_link\n";
	static const char link[] =
	    "\t\tmeta mark 0x56000030 ip dscp set cs6\n"
	    "\t\tip daddr @marked ip dscp lephb ip ecn set ect1\n"
	    "\t\tip daddr @marked ip dscp 0x02 ip ecn set ect0\n"
	    "\t\tip daddr @marked meta length < 636 ip dscp cs6 ip ecn set ect1\n"
	    "\t}\n";
	static const char carrier[] =
	    "\t\tmeta oiftype != ether oifname \"link0\" jump queues_link\n"
	    "\t\tudp sport 51820 ip dscp af41 ip dscp set ef accept\n"
	    "\t\tudp sport 51820 ip ecn ect1 ip dscp set ef ip ecn set not-ect accept\n"
	    "\t\tudp sport 51820 ip ecn ect0 ip dscp set cs1 ip ecn set not-ect accept\n"
	    "\t\tudp sport 51820 ip ecn not-ect ip dscp set af21 accept\n";
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	rate(&f, 2000, 0);
	text_init(&t);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, chain));
	assert_non_null(strstr(t.bytes, hook));
	assert_null(strstr(t.bytes, "@marked"));
	assert_non_null(strstr(t.bytes, "\t\tip dscp 0x02 meta mark set 0x56000002\n"
					"\t\tip dscp cs6 meta mark set 0x56000030\n"
					"\t\tnotrack accept\n"));
	text_reset(&t);
	f.lines[0].has_dscp = true;
	memcpy(f.lines[0].dscp, (const uint8_t[]){8, 18, 46}, 3);
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, carrier));
	assert_non_null(strstr(t.bytes, link));
	assert_non_null(strstr(t.bytes, "\tset marked {\n\t\ttype ipv4_addr\n"
					"\t\telements = { 100.64.0.210, 100.64.0.211 }\n"));
	text_reset(&t);
	strcpy(f.neighbors[0].underlay, "lte"); /* whose carrier honours none */
	desired_nft(&f, NULL, &t);
	assert_non_null(strstr(t.bytes, "\tset marked {\n\t\ttype ipv4_addr\n"
					"\t\telements = { 100.64.0.211 }\n"));
	text_clear(&t);
	forwarding_clear(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_commune_has_all_it_needs),
	    cmocka_unit_test(sysctls_are_these),
	    cmocka_unit_test(removed_node_forwards_nothing),
	    cmocka_unit_test(keys_are_where_they_belong),
	    cmocka_unit_test(devices_are_up_and_neighbours_on_their_link),
	    cmocka_unit_test(another_path_is_one_route),
	    cmocka_unit_test(a_measured_mtu_is_taken_over),
	    cmocka_unit_test(the_active_path_is_read_back),
	    cmocka_unit_test(a_commune_is_guarded_by_this_and_no_more),
	    cmocka_unit_test(rules_become_marks),
	    cmocka_unit_test(marks_are_early_where_all_open_on_one_side),
	    cmocka_unit_test(without_rules_nothing_new_enters_a_session),
	    cmocka_unit_test(a_line_leads_to_its_next_hop),
	    cmocka_unit_test(no_line_is_anothers_way),
	    cmocka_unit_test(a_line_is_no_lan_s),
	    cmocka_unit_test(of_more_parts_than_there_is_room_for_the_broadest_stay),
	    cmocka_unit_test(lines_keep_each_once_and_as_many_as_there_is_room_for),
	    cmocka_unit_test(lines_differ_by_any_of_them),
	    cmocka_unit_test(lines_are_equal_by_what_they_say),
	    cmocka_unit_test(a_claimed_lan_is_led_by_its_own_ways),
	    cmocka_unit_test(another_gateway_is_two_routes),
	    cmocka_unit_test(each_gateway_has_its_own_size),
	    cmocka_unit_test(other_ranks_are_nothing),
	    cmocka_unit_test(a_gateway_that_shares_tracks_nothing),
	    cmocka_unit_test(rights_of_many_peers_are_one_set),
	    cmocka_unit_test(colors_with_the_same_peers_share_a_set),
	    cmocka_unit_test(marks_of_packets_are_matched_both_ways),
	    cmocka_unit_test(the_overlay_is_found_wherever_it_lies),
	    cmocka_unit_test(protocols_and_ports_are_matched_both_ways),
	    cmocka_unit_test(answers_of_a_shared_lan_open_nothing),
	    cmocka_unit_test(a_right_of_anybody_asks_for_no_set),
	    cmocka_unit_test(both_ends_of_a_right_are_asked),
	    cmocka_unit_test(rights_that_differ_are_several_rules),
	    cmocka_unit_test(names_are_of_what_is_no_ethernet),
	    cmocka_unit_test(each_color_has_its_own_path_in_use),
	    cmocka_unit_test(each_session_has_chains_of_its_own),
	    cmocka_unit_test(without_a_lan_address_the_node_pings_nobody),
	    cmocka_unit_test(without_a_rate_nothing_queues),
	    cmocka_unit_test(low_ones_take_turns),
	    cmocka_unit_test(padded_probes_fit_in_the_rest),
	    cmocka_unit_test(a_line_is_divided),
	    cmocka_unit_test(without_a_rate_of_ours_each_has_its_own),
	    cmocka_unit_test(each_line_has_its_own_class),
	    cmocka_unit_test(who_asks_by_another_link_lengthens_no_gap),
	    cmocka_unit_test(promises_are_kept),
	    cmocka_unit_test(a_new_neighbor_moves_nobody),
	    cmocka_unit_test(a_packet_takes_its_queue_along),
	    cmocka_unit_test(nobody_says_how_small_links_packets_be),
	    cmocka_unit_test(networks_side_by_side_are_one),
	    cmocka_unit_test(one_lan_is_compared),
	    cmocka_unit_test(a_hop_may_lie_in_the_space_of_parallel_links),
	    cmocka_unit_test(where_paths_end),
	    cmocka_unit_test(a_parallel_link_has_devices_of_its_own),
	    cmocka_unit_test(two_devices_share_a_line),
	    cmocka_unit_test(links_own_packets),
	    cmocka_unit_test(devices_stand_as_nft_sorts_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
