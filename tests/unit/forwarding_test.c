/* SPDX-License-Identifier: Apache-2.0 */
// link: topology/forwarding.c topology/forwarding_codec.c topology/labels.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tuyen/topology/forwarding.h"

#define KEY "QkFERURBREJFRUZERUFEQkVFRkRFQURCRUVGREVBREI="

/* Every kind of line, with what is unusual in each. */
static const char whole[] =
    "tuyen-bundle 1\n"
    "site 210 ba%20đình tier district label 16210\n"
    "address link 100.64.0.210 node 100.80.13.32 lan 10.1.0.1\n"
    "srgb 16000 size 70000\n"
    "overlay link 100.64.0.0/16 path 100.80.0.0/12\n"
    "link0 port 51820 mtu 1440\n"
    "lan 10.1.0.0/24\n"
    "lan 10.1.1.0/24\n"
    "neighbor 101 %2D over fibre key " KEY
    " address 100.64.0.101 call [2001:db8::1]:51820 probe 50000us x 3 mtu 1440 lsp 1420\n"
    "accept 101 16901\n"
    "accept 101 16210/16901\n"
    "neighbor 901 phuc-xa over lte%25 key " KEY
    " address 100.64.3.133 wait probe 300000us x 5 mtu 1368 lsp 1348 down 2000kbit/s\n"
    "label 16001 to 101 out 16001\n"
    "label 16210 here\n"
    "label 16901 to 901 out 16901\n"
    "path 1 main color 10 preference 200 to 1 source 100.80.13.33 endpoint 100.80.0.16 first 101 "
    "stack 16001 mtu 1416 probe 50000us x 3 reflector 1\n"
    "path 15 spare color 10 preference 0 to 1 source 100.80.13.47 endpoint 100.80.0.16 first 901 "
    "stack 16101/16001 mtu 1412 probe 50000us x 3 reflector 1\n"
    "return 100.80.56.81 of 901 first 901 stack 16901 mtu 1416\n"
    "session 10 citizen-query port 52010 mtu 1352 revert 2000ms\n"
    "session 20 back port 52020 mtu 1356 revert 0ms max 300000ms degraded loss 5% round-trip 0us jitter 0us\n"
    "peer 10 1 npdc-hn key " KEY " call 100.80.0.16:52010\n"
    "prefix 10 1 10.0.0.0/16\n"
    "prefix 10 1 10.2.0.0/16\n"
    "peer 20 901 phuc-xa key " KEY " wait\n"
    "rule 10 in priority 0 protocol 1 ports 0-65535 to 0.0.0.0/0 from 10.9.1.0/24 class ping\n"
    "rule 10 out priority 2 protocol 6 ports 443-443 to 10.0.5.0/24 from 0.0.0.0/0 class query\n"
    "line fibre up 0kbit/s overhead 80 dscp 8 0 46\n"
    "line lte%25 up 512kbit/s overhead 60\n"
    "queue 10 dscp 1 priority 2 share 60\n"
    "queue 20 dscp 2 priority 0 share 40\n"
    "device modem address 192.168.100.1 port 161 user poller interface - link 901\n"
    "device modem2 address 192.168.100.2 port 161 user - interface wan0 link 0\n";

static void reads_every_kind_of_line(void **state)
{
	struct forwarding f;
	struct reason why = {{0}};
	struct text again;

	(void)state;
	if (forwarding_parse(whole, strlen(whole), &f, &why))
		fail_msg("%s", why.text);
	assert_int_equal(f.site_id, 210);
	assert_string_equal(f.site, "ba đình");
	assert_int_equal(f.lan_address, 0x0a010001);
	assert_int_equal(f.lan_count, 2);
	assert_string_equal(f.neighbors[0].name, "-");
	assert_true(f.neighbors[0].caller);
	assert_int_equal(f.neighbors[0].endpoint.family, 6);
	assert_int_equal(f.neighbors[0].accept_count, 2);
	assert_int_equal(f.neighbors[0].accept[1].label[1], 16901);
	assert_string_equal(forwarding_neighbor(&f, 901)->underlay, "lte%");
	assert_int_equal(forwarding_neighbor(&f, 901)->probe.multiplier, 5);
	assert_null(forwarding_neighbor(&f, 902));
	assert_int_equal(forwarding_path(&f, 15)->stack.depth, 2);
	assert_null(forwarding_path(&f, 2));
	assert_string_equal(forwarding_session(&f, 20)->policy, "back");
	assert_int_equal(f.labels[1].next_site, 0);
	assert_int_equal(f.peers[0].prefix_count, 2);
	assert_int_equal(f.peers[0].port, 52010);
	assert_int_equal(f.rules[0].from.length, 24);
	assert_string_equal(f.devices[0].interface, "");
	assert_int_equal(f.neighbors[0].down_kbps, 0);
	assert_int_equal(f.neighbors[1].down_kbps, 2000);
	assert_int_equal(forwarding_line(&f, "fibre")->dscp[2], 46);
	assert_false(forwarding_line(&f, "lte%")->has_dscp);
	assert_int_equal(forwarding_line(&f, "lte%")->up_kbps, 512);
	assert_null(forwarding_line(&f, "lte"));
	assert_int_equal(f.queues[1].dscp, 2);
	text_init(&again);
	forwarding_encode(&f, &again);
	assert_string_equal(text_string(&again), whole);
	text_clear(&again);
	forwarding_clear(&f);
}

struct pieces {
	struct text all;
	size_t count, fail_at;
};

static int piece_take(void *context, const char *bytes, size_t length)
{
	struct pieces *p = context;

	assert_true(length > 0);
	if (p->count++ == p->fail_at)
		return -TUYEN_ESYSTEM;
	text_add_bytes(&p->all, bytes, length);
	return 0;
}

static int piece_of_lines_take(void *context, const char *bytes, size_t length)
{
	assert_int_equal(bytes[length - 1], '\n');
	return piece_take(context, bytes, length);
}

/* Of any size they are the same text; after an error there are no more. */
static void pieces_are_the_whole(void **state)
{
	struct forwarding f;
	struct text buffer = {0};

	(void)state;
	assert_int_equal(forwarding_parse(whole, strlen(whole), &f, NULL), 0);
	for (size_t piece = 1; piece < 2 * sizeof(whole); piece += 97) {
		struct pieces p = {.fail_at = SIZE_MAX};

		assert_int_equal(
		    forwarding_encode_pieces(&f, NULL, piece, &buffer, piece_of_lines_take, &p), 0);
		assert_true(piece < sizeof(whole) ? p.count > 1 || piece > strlen(whole) / 2
						  : p.count == 1);
		assert_string_equal(text_string(&p.all), whole);
		assert_int_equal(buffer.length, 0);
		text_clear(&p.all);
		p = (struct pieces){.fail_at = 0};
		assert_int_equal(forwarding_encode_pieces(&f, NULL, piece, &buffer, piece_take, &p),
				 -TUYEN_ESYSTEM);
		assert_int_equal(p.count, 1);
	}
	text_clear(&buffer);
	forwarding_clear(&f);
}

/* Labels, paths and returns that somebody kept, in place of the bundle's own, which it need not have. */
static void ways_can_be_given(void **state)
{
	struct text kept = {0}, buffer = {0};
	struct forwarding_ways ways;
	struct forwarding f;

	(void)state;
	assert_int_equal(forwarding_parse(whole, strlen(whole), &f, NULL), 0);
	forwarding_encode_ways(&f, &kept);
	ways = (struct forwarding_ways){kept.bytes, kept.length};
	assert_true(f.label_count && f.path_count && f.return_count);
	assert_memory_equal(kept.bytes, "label ", 6);
	f.label_count = f.path_count = f.return_count = 0;
	for (size_t piece = 1; piece < 2 * sizeof(whole); piece += 97) {
		struct pieces p = {.fail_at = SIZE_MAX};

		assert_int_equal(
		    forwarding_encode_pieces(&f, &ways, piece, &buffer, piece_take, &p), 0);
		assert_string_equal(text_string(&p.all), whole);
		text_clear(&p.all);
		p.fail_at = p.count / 2;
		p.count = 0;
		assert_int_equal(
		    forwarding_encode_pieces(&f, &ways, piece, &buffer, piece_take, &p),
		    -TUYEN_ESYSTEM);
		assert_int_equal(p.count, p.fail_at + 1);
		text_clear(&p.all);
	}
	text_clear(&kept);
	text_clear(&buffer);
	forwarding_clear(&f);
}

static char *replaced(const char *from, const char *to)
{
	const char *at = strstr(whole, from);
	size_t before = (size_t)(at - whole);
	char *out = malloc(sizeof(whole) + strlen(to));

	assert_non_null(at);
	assert_non_null(out);
	memcpy(out, whole, before);
	strcpy(out + before, to);
	strcat(out, at + strlen(from));
	return out;
}

/* Each byte of an address, at each place of it. */
static void addresses_are_as_printf_writes_them(void **state)
{
	(void)state;
	for (uint32_t byte = 0; byte < 256; byte++)
		for (int shift = 0; shift < 32; shift += 8) {
			struct ipv4_prefix lan = {0x01020304 ^ byte << shift, 32};
			struct forwarding f = {.lans = &lan, .lan_count = 1};
			char want[64], *got;
			struct text t;

			text_init(&t);
			forwarding_encode(&f, &t);
			snprintf(want, sizeof(want), "\nlan %u.%u.%u.%u/32\n", lan.address >> 24,
				 lan.address >> 16 & 255, lan.address >> 8 & 255,
				 lan.address & 255);
			got = strstr(text_string(&t), "\nlan ");
			assert_non_null(got);
			assert_string_equal(got, want);
			text_clear(&t);
		}
}

static void refuses_what_is_not_canonical_or_unlawful(void **state)
{
	static const struct {
		const char *from, *to, *reason;
	} rows[] = {
	    {"tuyen-bundle 1", "tuyen-bundle 2", "line 1: this is not a bundle of version 1"},
	    {"tuyen-bundle 1", " tuyen-bundle 1", "line 1: "},
	    {"site 210", "site 0210", "line 2: not in its canonical form"},
	    {"site 210", "site 0", "line 2: a number"},
	    {"site 210", "site 65536", "line 2: a number"},
	    {"site 210", "site  210", "line 2: "},
	    {"ba%20đình", "ba đình", "line 2: 'tier' is missing"},
	    {"ba%20đình", "ba%2", "line 2: a name"},
	    {"ba%20đình", "ba%00", "line 2: a name"},
	    {"ba%20đình", "%62a", "line 2: not in its canonical form"},
	    {"ba%20đình", "-", "line 2: a name"},
	    {"ba%20đình", "0123456789012345678901234567890123456789012345678901234567890123",
	     "line 2: a name"},
	    {"label 16210\n", "label 16211\n", "site 210: its label is not its own"},
	    {"label 16210\n", "label 16210 \n", "line 2: not in its canonical form"},
	    {"label 16210\n", "label 16210 x\n", "line 2: not in its canonical form"},
	    {"lan 10.1.0.1\n", "lan 0.0.0.0\n", "line 3: not in its canonical form"},
	    {"srgb 16000", "srgb 15", "line 4: a number"},
	    {"100.64.0.0/16", "100.64.0.1/16", "line 5: a prefix"},
	    {"mtu 1440\n", "mtu 65536\n", "line 6: a number"},
	    {"lan 10.1.0.0/24\n", "lan 10.1.1.0/24\n", "prefix 10.1.1.0/24: overlaps another"},
	    {"prefix 10 1 10.0.0.0/16", "prefix 10 1 10.2.0.0/15",
	     "prefix 10.2.0.0/16: overlaps another"},
	    {"lan 10.1.0.0/24\n", "lan 10.1.2.0/24\n",
	     "line 7: not in its canonical form or place"},
	    {"lan 10.1.0.0/24\n", "wan 10.1.0.0/24\n", "line 7: unknown keyword"},
	    {"lan 10.1.0.0/24\n", "\n", "line 7: unknown keyword"},
	    {"neighbor 101", "neighbor 901", "line 10: its neighbor"},
	    {"key Q", "key =", "line 9: a key"},
	    {"BREI= address 100.64.0.101", "BREJ= address 100.64.0.101", "line 9: "},
	    {"call [2001:db8::1]:51820", "call none", "line 9: the endpoint"},
	    {"call [2001:db8::1]:51820", "ring [2001:db8::1]:51820", "line 9: 'call' or 'wait'"},
	    {"[2001:db8::1]", "[2001:db8:0::1]", "line 9: "},
	    {"50000us", "0us", "line 9: a number"},
	    {"50000us x 3", "50000us x 256", "line 9: a number"},
	    {"50000us", "50000ms", "line 9: a number"},
	    {"accept 101 16901", "accept 102 16901", "line 10: its neighbor is not above it"},
	    {"accept 101 16901", "accept 101 -", "line 10: a label stack"},
	    {"accept 101 16901", "accept 101 15", "line 10: a label is reserved"},
	    {"accept 101 16901\n", "accept 101 16210/16901\n", "accept: not in strict order"},
	    {"label 16001 to 101", "label 16001 to 902", "label 16001: leads to no neighbor"},
	    {"label 16001 to 101 out 16001", "label 16001 here",
	     "label 16001: ours alone ends here"},
	    {"label 16210 here", "label 16210 to 101 out 16210",
	     "label 16210: ours alone ends here"},
	    {"out 16001", "out -", "line 13: a label stack"},
	    {"path 15", "path 16", "line 17: a number"},
	    {"path 15", "path 1", ""},
	    {"first 901 stack 16101", "first 902 stack 16101", "path 15: starts at no neighbor"},
	    {"path 1 main color 10", "path 1 main color 20",
	     "path 1: leads to no peer of its color"},
	    {"of 901 first 901", "of 901 first 902", "return to site 901: starts at no neighbor"},
	    {"session 20", "session 30", "peer 901: its color has no session"},
	    {"session 20", "session 10000", "line 20: a number"},
	    {"revert 0ms", "revert 0", "line 20: a number"},
	    {"max 300000ms", "max 60000ms", "line 20: the default hold time"},
	    {"max 300000ms", "max 5", "line 20: a number"},
	    {"BREI= wait\n", "BREI= call 100.80.56.80:52020\n",
	     "peer 901: it is called, and no path leads there"},
	    {"call 100.80.0.16:52010", "call 100.80.0.16", "line 21: the endpoint"},
	    {"call 100.80.0.16:52010", "call 100.80.0.16:0", "line 21: a number"},
	    {"prefix 10 1 10.0.0.0/16", "prefix 10 2 10.0.0.0/16",
	     "line 22: its peer is not above it"},
	    {"rule 10 in", "rule 30 in", ""},
	    {"rule 10 in", "rule 10 on", "line 25: 'in' or 'out'"},
	    {"priority 0", "priority 3", "line 25: a number"},
	    {"ports 0-65535", "ports 5-4", "line 25: a number"},
	    {"ports 443-443", "ports 443", "line 26: the ports"},
	    {"link 901", "link 902", "device 'modem': its link has no neighbor"},
	    {"device modem2", "device modem", "devices: not in strict order"},
	    {"device modem2", "device", "line 32: "},
	    {"down 2000kbit/s", "down 0kbit/s", "line 12: a number"},
	    {"down 2000", "up 2000", "line 12: 'down' is missing"},
	    {"line fibre", "line mibre", "line 27: not in its canonical form"},
	    {"line lte%25 up", "line lte up", "neighbor 901: its rate is known and our line is"},
	    {"up 512kbit/s", "up 512", "line 28: a number"},
	    {"up 512", "up 63", "line 28: a number"},
	    {"up 512", "up 10000001", "line 28: a number"},
	    {"up 0kbit/s", "up 00kbit/s", "line 27: "},
	    {"dscp 8 0 46", "dscp 8 0 64", "line 27: a number"},
	    {"dscp 8 0 46", "dscp 8 0", "line 27: a number"},
	    {"overhead 60", "overhead 256", "line 28: a number"},
	    {"queue 20 dscp 2", "queue 20 dscp 1", "queues: not in strict order"},
	    {"queue 20", "queue 30", "session 20: it has no queue"},
	    {"queue 10 dscp 1", "queue 10 dscp 0", "line 29: a number"},
	    {"priority 2 share", "priority 3 share", "line 29: a number"},
	    {"share 40", "share 0", "line 30: a number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *bytes = replaced(rows[i].from, rows[i].to);
		struct reason why = {{0}};
		struct forwarding f;
		int err = forwarding_parse(bytes, strlen(bytes), &f, &why);

		if (err != -TUYEN_EINVAL ||
		    strncmp(why.text, rows[i].reason, strlen(rows[i].reason)))
			fail_msg("'%s' for '%s': %d, '%s'", rows[i].to, rows[i].from, err,
				 why.text);
		free(bytes);
	}
}

#define LINK1_OF(port, mtu)                                                                        \
	"link1 port " port " mtu " mtu " address 100.65.0.210 space 100.65.0.0/16\n"
#define LINK1_AT(address, space) "link1 port 51821 mtu 1368 address " address " space " space "\n"
#define LINK1			 LINK1_OF("51821", "1368")
#define PARALLEL                                                                                   \
	"neighbor 1000901 phuc-xa%20parallel over fibre key " KEY                                  \
	" address 100.65.3.133 wait probe 300000us x 3 mtu 1368 lsp 1348\n"                        \
	"accept 1000901 16001\n"                                                                   \
	"label 16001 to 101 out 16001\n"

/* @link1, @neighbor  what stands in their places. */
static int parallel_parse(const char *link1, const char *neighbor, struct forwarding *f,
			  struct reason *why, struct text *ret_text)
{
	char *first = replaced("lan 10.1.0.0/24\n", "@lan 10.1.0.0/24\n"), *at = strchr(first, '@');
	char *label = strstr(at, "label 16001 to 101 out 16001\n");

	text_reset(ret_text);
	text_add_bytes(ret_text, first, (size_t)(at - first));
	text_add(ret_text, link1);
	text_add_bytes(ret_text, at + 1, (size_t)(label - at - 1));
	text_add(ret_text, neighbor);
	text_add(ret_text, strchr(label, '\n') + 1);
	free(first);
	return forwarding_parse(text_string(ret_text), ret_text->length, f, why);
}

/* Who has a parallel link has link1; the same site is another neighbour there. */
static void a_parallel_link_is_read(void **state)
{
	static const struct {
		const char *link1, *neighbor, *reason;
	} rows[] = {
	    {"", PARALLEL, "neighbor 1000901: a parallel link, and no link1"},
	    {LINK1, "label 16001 to 101 out 16001\n", "link1: it has no neighbor"},
	    {LINK1_OF("0", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("51820", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("52010", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("52020", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("3784", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("7784", "1368"), PARALLEL, "link1: its port is 0, or another's"},
	    {LINK1_OF("51821", "0"), PARALLEL, "link1: no link has this MTU"},
	    {LINK1_OF("51821", "655"), PARALLEL, "link1: no link has this MTU"},
	    {LINK1_OF("51821", "9157"), PARALLEL, "link1: no link has this MTU"},
	    {LINK1_AT("100.66.0.210", "100.65.0.0/16"), PARALLEL,
	     "link1: its address is not of its space"},
	    {LINK1_AT("100.64.0.210", "100.65.0.0/16"), PARALLEL,
	     "link1: its address is not of its space"},
	    {LINK1_AT("100.65.0.210", "100.65.0.210/16"), PARALLEL, "line 7: a prefix is wrong"},
	    {LINK1_AT("100.65.0.210", "100.65.0.210/32"), PARALLEL, "link1: its space is none"},
	    {LINK1_AT("100.65.0.210", "0.0.0.0/0"), PARALLEL, "link1: its space is none, or an"},
	    {LINK1_AT("100.65.0.210", "100.64.0.0/15"), PARALLEL, "link1: its space is none, or"},
	    {LINK1_AT("100.64.0.210", "100.64.0.0/16"), PARALLEL, "link1: its space is none, or"},
	    {LINK1_AT("100.81.0.210", "100.81.0.0/16"), PARALLEL, "link1: its space is none, or"},
	    {"link1 port 51821 mtu 1368 address 0.0.0.0 space 100.65.0.0/16\n", PARALLEL,
	     "line 7: not"},
	    {"link1 port 51821 mtu 1368\n", PARALLEL, "line 7: 'address' is missing"},
	    {LINK1, "neighbor 1000000 x", "line 14: no site has this number"},
	    {LINK1, "neighbor 1065536 x", "line 14: a number"},
	    {LINK1, "neighbor 65536 x", "line 14: no site has this number"},
	    {LINK1, "label 16001 to 1000101 out 16001\n", "link1: it has no neighbor"},
	};
	struct reason why = {{0}};
	struct text text, again;
	struct forwarding f;

	(void)state;
	text_init(&text);
	text_init(&again);
	if (parallel_parse(LINK1, PARALLEL, &f, &why, &text) < 0)
		fail_msg("%s", why.text);
	assert_int_equal(f.parallel_port, 51821);
	assert_int_equal(f.neighbor_count, 3);
	assert_string_equal(forwarding_neighbor(&f, PARALLEL_ID + 901)->name, "phuc-xa parallel");
	assert_int_equal(forwarding_link_address(&f, PARALLEL_ID + 901), f.parallel_address);
	assert_int_equal(forwarding_link_address(&f, 901), f.link_address);
	assert_int_equal(forwarding_id_back(PARALLEL_ID + 901, f.site_id), PARALLEL_ID + 210);
	forwarding_encode(&f, &again);
	assert_string_equal(text_string(&again), text_string(&text));
	forwarding_clear(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parallel_parse(rows[i].link1, rows[i].neighbor, &f, &why, &text) !=
			-TUYEN_EINVAL ||
		    strncmp(why.text, rows[i].reason, strlen(rows[i].reason)))
			fail_msg("row %zu: '%s'", i, why.text);
	text_clear(&text);
	text_clear(&again);
}

/* That of the second of two gateways is the session's too. */
static void link1_has_no_session_s_port(void **state)
{
	static const char call[] = "call 100.80.0.16:52010";
	struct reason why = {{0}};
	struct text text, ranked;
	struct forwarding f;
	const char *at;

	(void)state;
	text_init(&text);
	text_init(&ranked);
	if (parallel_parse(LINK1_OF("42010", "1368"), PARALLEL, &f, &why, &text) < 0)
		fail_msg("%s", why.text);
	forwarding_clear(&f);
	at = strstr(text_string(&text), call) + strlen(call);
	text_add_bytes(&ranked, text.bytes, (size_t)(at - text.bytes));
	text_printf(&ranked, " rank 1%s", at);
	assert_int_equal(forwarding_parse(text_string(&ranked), ranked.length, &f, &why),
			 -TUYEN_EINVAL);
	assert_string_equal(why.text, "link1: its port is 0, or another's");
	text_clear(&text);
	text_clear(&ranked);
}

/* Two gateways with @count prefixes each, of which the last alone may be of both. */
static void gateways_print(unsigned int count, uint8_t rank, bool share, struct text *ret_text)
{
	text_add(ret_text, "tuyen-bundle 1\n"
			   "site 210 ba-dinh tier district label 16210\n"
			   "address link 100.64.0.210 node 100.80.13.32\n"
			   "srgb 16000 size 70000\n"
			   "overlay link 100.64.0.0/16 path 100.80.0.0/12\n"
			   "link0 port 51820 mtu 1440\n"
			   "neighbor 101 hanoi over fibre key " KEY
			   " address 100.64.0.101 wait probe 50000us x 3 mtu 1440 lsp 1420\n"
			   "label 16210 here\n");
	for (int i = 1; i <= 2; i++)
		text_printf(
		    ret_text,
		    "path %d main color 10 preference 200 to %d source 100.80.13.3%d endpoint "
		    "100.80.0.%d first 101 stack 1600%d mtu 1416 probe 50000us x 3 reflector 1\n",
		    i, i, 2 + i, i * 16, i);
	text_add(ret_text, "session 10 citizen-query port 52010 mtu 1352 revert 2000ms\n");
	for (unsigned int i = 1; i <= 2; i++) {
		text_printf(ret_text, "peer 10 %u npdc key " KEY " call 100.80.0.%u:52010", i,
			    i * 16);
		text_printf(ret_text, i == 2 && rank ? " rank %u\n" : "\n", rank);
		for (unsigned int k = 0; k <= count; k++)
			text_printf(ret_text, "prefix 10 %u 10.%u.%u.%u/32\n", i, k >> 14,
				    k >> 6 & 255, (k << 2 & 255) + (k == count && share ? 0 : i));
	}
}

static int gateways_parse(unsigned int count, uint8_t rank, bool share, struct reason *reason)
{
	struct forwarding f;
	struct text text;
	int err;

	text_init(&text);
	gateways_print(count, rank, share, &text);
	err = forwarding_parse(text_string(&text), text.length, &f, reason);
	if (!err)
		forwarding_clear(&f);
	text_clear(&text);
	return err;
}

/* A bundle that was signed is not yet one that nobody made to be slow. */
static void gateways_of_many_prefixes_are_soon_compared(void **state)
{
	static const char alone[] = "peer 2: its rank is not the next among those with its LAN";
	struct reason why = {{0}};
	clock_t start, other;

	(void)state;
	assert_int_equal(gateways_parse(1000, 1, true, &why), 0);
	assert_int_equal(gateways_parse(1000, 1, false, &why), -TUYEN_EINVAL);
	assert_string_equal(why.text, alone);
	start = clock();
	assert_int_equal(gateways_parse(50000, 0, false, &why), 0);
	other = clock() - start;
	start = clock();
	assert_int_equal(gateways_parse(50000, 1, false, &why), -TUYEN_EINVAL);
	assert_string_equal(why.text, alone);
	assert_true(clock() - start < other * 3);
}

static void a_site_has_no_more_lines_than_uplinks(void **state)
{
	struct reason why = {{0}};
	struct forwarding f;
	struct text text;

	(void)state;
	for (unsigned int more = 0; more < 2; more++) {
		text_init(&text);
		gateways_print(0, 0, false, &text);
		for (unsigned int i = 0; i < SITE_UPLINKS_MAX + more; i++)
			text_printf(&text, "line u%02u up 0kbit/s overhead 60\n", i);
		text_add(&text, "queue 10 dscp 1 priority 2 share 60\n");
		assert_int_equal(forwarding_parse(text_string(&text), text.length, &f, &why),
				 more ? -TUYEN_EINVAL : 0);
		if (!more)
			forwarding_clear(&f);
		text_clear(&text);
	}
	assert_string_equal(why.text, "lines 65: no site has so many");
}

static void refuses_every_truncation_inside_a_line(void **state)
{
	struct forwarding f;

	(void)state;
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		char *bytes =
		    malloc(i + 1); /* exactly, so that the sanitizer sees a byte too many */
		int err;

		memcpy(bytes, whole, i);
		err = forwarding_parse(bytes, i, &f, NULL);
		if (!err) {
			assert_int_equal(whole[i - 1], '\n');
			forwarding_clear(&f);
		}
		free(bytes);
	}
}

static void a_changed_byte_is_refused_or_said_again(void **state)
{
	static const char changes[] = {'\0', '\n', ' ', '0', '9', '-', '/', 'z', '%', '\x80'};
	char bytes[sizeof(whole)];
	struct text again;

	(void)state;
	text_init(&again);
	memcpy(bytes, whole, sizeof(whole));
	for (size_t i = 0; i < sizeof(whole) - 1; i++)
		for (size_t c = 0; c < sizeof(changes); c++) {
			struct forwarding f;

			bytes[i] = changes[c];
			if (!forwarding_parse(bytes, sizeof(whole) - 1, &f, NULL)) {
				text_reset(&again);
				forwarding_encode(&f, &again);
				assert_int_equal(again.length, sizeof(whole) - 1);
				assert_memory_equal(again.bytes, bytes, again.length);
				forwarding_clear(&f);
			}
			bytes[i] = whole[i];
		}
	text_clear(&again);
}

static void lines_below_the_wrong_owner_overflow_nothing(void **state)
{
	/* accept lines of a neighbour that go on behind a peer with more prefixes */
	static const char tail[] =
	    "accept 901 16901\naccept 901 16902\naccept 901 16903\naccept 901 16904\n"
	    "accept 901 16905\naccept 901 16906\naccept 901 16907\naccept 901 16908\n";
	char *bytes = malloc(sizeof(whole) + sizeof(tail));
	struct forwarding f;

	(void)state;
	strcpy(bytes, whole);
	strcat(bytes, tail);
	assert_int_equal(forwarding_parse(bytes, strlen(bytes), &f, NULL), -TUYEN_EINVAL);
	free(bytes);
}

static void sorts_and_drops_equal_rules(void **state)
{
	struct forwarding f;

	(void)state;
	forwarding_init(&f);
	f.rules = calloc(3, sizeof(*f.rules));
	f.rule_count = 3;
	f.rules[0].color = 20;
	f.rules[1].color = f.rules[2].color = 10;
	forwarding_sort(&f);
	assert_int_equal(f.rule_count, 2);
	assert_int_equal(f.rules[0].color, 10);
	assert_int_equal(f.rules[1].color, 20);
	forwarding_clear(&f);
}

/* Three colors' peers by site, as @rows say; prefix 10.SITE.0.0/16, but 10.0.0.0/16 of @odd in the second. */
static bool alike(const char *const rows[3], char odd)
{
	struct fwd_session sessions[3] = {{.color = 10}, {.color = 20}, {.color = 30}};
	struct fwd_session_peer peers[12] = {{0}};
	struct ipv4_prefix prefixes[12] = {{0}};
	struct forwarding f = {
	    .sessions = sessions, .session_count = 3, .peers = peers, .peer_count = 0};

	for (int i = 0; i < 3; i++)
		for (const char *site = rows[i]; *site; site++) {
			struct ipv4_prefix *prefix = &prefixes[f.peer_count];

			*prefix = (struct ipv4_prefix){
			    0x0a000000 + (i == 1 && *site == odd ? 0 : (uint32_t)*site << 16), 16};
			peers[f.peer_count++] = (struct fwd_session_peer){
			    .color = (i + 1) * 10,
			    .site_id = (uint32_t)*site,
			    .prefixes = prefix,
			    .prefix_count = 1,
			};
		}
	forwarding_sort(&f);
	return f.peers_alike;
}

static void peers_are_alike_where_every_color_has_the_same(void **state)
{
	static const struct {
		const char *peers[3];
		char odd;
		bool alike;
	} rows[] = {
	    {{"ABC", "CAB", "ABC"}, 0, true},  {{"A", "A", "A"}, 0, true},
	    {{"", "", ""}, 0, true},	       {{"ABC", "AB", "ABC"}, 0, false},
	    {{"ABC", "ABD", "ABC"}, 0, false}, {{"ABC", "ABC", "AB"}, 0, false},
	    {{"A", "AB", "ABC"}, 0, false},    {{"AB", "ABCD", ""}, 0, false},
	    {{"AB", "", "AB"}, 0, false},      {{"ABC", "ABC", "ABC"}, 'B', false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (alike(rows[i].peers, rows[i].odd) != rows[i].alike)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_every_kind_of_line),
	    cmocka_unit_test(pieces_are_the_whole),
	    cmocka_unit_test(ways_can_be_given),
	    cmocka_unit_test(addresses_are_as_printf_writes_them),
	    cmocka_unit_test(refuses_what_is_not_canonical_or_unlawful),
	    cmocka_unit_test(a_parallel_link_is_read),
	    cmocka_unit_test(link1_has_no_session_s_port),
	    cmocka_unit_test(gateways_of_many_prefixes_are_soon_compared),
	    cmocka_unit_test(a_site_has_no_more_lines_than_uplinks),
	    cmocka_unit_test(refuses_every_truncation_inside_a_line),
	    cmocka_unit_test(a_changed_byte_is_refused_or_said_again),
	    cmocka_unit_test(lines_below_the_wrong_owner_overflow_nothing),
	    cmocka_unit_test(sorts_and_drops_equal_rules),
	    cmocka_unit_test(peers_are_alike_where_every_color_has_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
