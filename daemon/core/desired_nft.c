/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nft table, as text. What it must hold against:
 *
 *   guard, guard_local   A carrier that sends overlay addresses or an IP tunnel in clear. Overlay
 * packets are not tracked: a gateway has some for every site, and each is judged by itself. A
 * carrier that translates addresses gives its lines some of RFC 6598, where the overlay lies too:
 * what is for the very device that it comes by, or is from it, is no overlay packet.
 *   line                 So may its gateway and its DHCP server have such addresses. A device's own
 * packets reach the next hop of our lines, and a DHCP server by its ports; not what routes would lead
 * to a carrier that only says of itself that it is the overlay. Nothing with an address of ours goes
 * out by it: that has its source on lo or link0, or the destination is known.
 *   outbound, inbound_C  The policy's rules, for each packet in the direction of its connection: as
 * the rule says for who opened it, turned round for the replies. So a connection lasts no longer than
 * the rule that allowed it, and no color carries another's packets. A LAN packet gets the mark of the
 * color that the policy has for it. It counts as a LAN's only if the way back to its source is the
 * device it came from. Where all connections are opened by the same side, guard and guard_local mark,
 * and egress_C looks at the direction; else classify and classify_local do both.
 *   forward, egress      Nothing enters a session without its color's mark, nothing of a LAN or of
 * what is behind a session leaves in clear, nothing goes from one line to another, and other
 * forwarding is left alone. A line is no LAN's where that lies behind another device: not if a lease
 * gives the line an address or a route of the LAN's.
 *
 * The color is not kept in a connection mark: both ends find it by the first rule that matches, in
 * the same order.
 *
 * The text is compared with what nft lists, so every line stands the way Debian 12's nft 1.0.6
 * prints it back: sets sorted, two addresses a line, marks as eight digits, protocols as numbers.
 * Three of its habits are avoided: masked marks (printed as prefixes that do not parse back), sets of
 * one element, and overlapping prefixes (refused).
 *
 * Each packet of a session passes these chains at every node some ten times, inside and outside of its
 * tunnels: what most packets are is asked for first, which is link0; of the other devices a verdict map leads
 * on; one or two prefixes are compared, as a set costs several times that, and of the overlay what all of it has in common.
 * Names cost much: no device of ours is an Ethernet, so what comes or goes by one is known by that alone. What a
 * hook has costs more than its rules, and half of what a chain costs is to fetch it: no hook has two chains that
 * could be one, and none leads to a chain of a single rule.
 */
#include "desired_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/bfd.h"
#include "tuyen/core/nft_counts.h"
#include "tuyen/core/path_mtu.h"

#define DHCPV4_CLIENT_PORT 68
#define DHCPV4_SERVER_PORT 67
#define DHCPV6_CLIENT_PORT 546
/*
 * All who are behind a device share one receive buffer of the wire process, some 550 packets. The fastest pace that policy may
 * ask for is 5 ms: 267 packets a second with jitter, and Polls and their Finals beside. The burst is what WireGuard keeps for a
 * peer until a handshake is done.
 */
#define BFD_EXCESS	 "limit rate over 600/second burst 128 packets counter"
#define INITIATION_BYTES (8 + 148) /* WireGuard's, in UDP; no other packet of its is as long */

struct prefix_list {
	struct ipv4_prefix *entry;
	size_t count;
	bool failed;
};

static void list_init(struct prefix_list *list, size_t room)
{
	*list = (struct prefix_list){.entry = calloc(room + 1, sizeof(struct ipv4_prefix))};
	list->failed = !list->entry;
}

static void list_add(struct prefix_list *list, struct ipv4_prefix prefix)
{
	if (!list->failed)
		list->entry[list->count++] = prefix;
}

/* The two halves of one prefix. */
static bool halves(struct ipv4_prefix a, struct ipv4_prefix b)
{
	return a.length == b.length && a.length > 0 &&
	       (a.address ^ b.address) == UINT32_C(1) << (32 - a.length);
}

/*
 * Sorts, leaves out what lies inside another (the shorter of two that overlap comes first), and
 * makes one of two halves: a province's networks lie side by side, and nft is slow with many.
 */
static void list_normalize(struct prefix_list *list, bool interval)
{
	struct ipv4_prefix *entry = list->entry;
	size_t kept = 0;

	if (list->count > 1)
		qsort(entry, list->count, sizeof(*entry), ipv4_prefix_compare);
	for (size_t i = 0; i < list->count; i++) {
		if (kept && ipv4_prefix_contains(entry[kept - 1], entry[i].address))
			continue;
		entry[kept++] = entry[i];
		while (interval && kept > 1 && halves(entry[kept - 2], entry[kept - 1]))
			entry[--kept - 1].length--;
	}
	list->count = kept;
}

static void prefix_add(struct text *t, struct ipv4_prefix prefix)
{
	char out[IPV4_PREFIX_STRLEN];

	if (prefix.length == 32)
		text_add(t, ipv4_format(prefix.address, out));
	else
		text_add(t, ipv4_prefix_format(prefix, out));
}

/* @each  what an element has of its own: a statement, or "" */
static void set_add_each(struct text *t, const char *name, bool interval, const char *each,
			 struct prefix_list *list)
{
	list_normalize(list, interval);
	text_printf(t, "\tset %s {\n\t\ttype ipv4_addr\n%s", name,
		    interval ? "\t\tflags interval\n" : "");
	if (*each)
		text_printf(t, "\t\t%s\n", each);
	for (size_t i = 0; i < list->count; i++) {
		text_add(t, i == 0 ? "\t\telements = { " : i % 2 ? ", " : ",\n\t\t\t     ");
		prefix_add(t, list->entry[i]);
		text_printf(t, "%s%s", *each ? " " : "", each);
	}
	text_add(t, list->count ? " }\n\t}\n\n" : "\t}\n\n");
	if (list->failed)
		t->failed = true;
	free(list->entry);
}

static void set_add(struct text *t, const char *name, bool interval, struct prefix_list *list)
{
	set_add_each(t, name, interval, "", list);
}

void desired_lines_add_hop(struct desired_lines *lines, ipv4_t hop)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->hop[i] == hop)
			return;
	if (hop && lines->count < DESIRED_HOPS_MAX)
		lines->hop[lines->count++] = hop;
}

void desired_lines_add_device(struct desired_lines *lines, const char *device)
{
	if (lines->device_count < DESIRED_DEVICES_MAX)
		snprintf(lines->device[lines->device_count++], KERNEL_IFNAME_MAX, "%s", device);
}

bool desired_lines_is_carrier(const struct desired_lines *lines, const char *device)
{
	for (size_t i = 0; i < lines->carrier_count; i++)
		if (!strcmp(lines->carrier[i], device))
			return true;
	return false;
}

void desired_lines_add_carrier(struct desired_lines *lines, const char *device)
{
	if (*device && !strpbrk(device, "\"*\\") && lines->carrier_count < DESIRED_DEVICES_MAX &&
	    !desired_lines_is_carrier(lines, device))
		snprintf(lines->carrier[lines->carrier_count++], KERNEL_IFNAME_MAX, "%s", device);
}

void desired_lines_add_inner(struct desired_lines *lines, struct ipv4_prefix part)
{
	struct ipv4_prefix *narrowest = lines->inner;

	for (size_t i = 0; i < lines->inner_count; i++) {
		struct ipv4_prefix *entry = &lines->inner[i];

		if (entry->length <= part.length && ipv4_prefix_contains(*entry, part.address))
			return;
		if (entry->length > narrowest->length)
			narrowest = entry;
	}
	if (lines->inner_count < DESIRED_INNER_MAX) {
		lines->inner[lines->inner_count++] = part;
		return;
	}
	lines->inner_more = true;
	if (narrowest->length > part.length)
		*narrowest = part;
}

bool desired_lines_add_way(struct desired_lines *lines, const struct desired_lan_way *way)
{
	for (size_t i = 0; i < lines->way_count; i++)
		if (!ipv4_prefix_compare(&lines->way[i].part, &way->part))
			return true;
	if (lines->way_count == DESIRED_INNER_MAX)
		return false;
	lines->way[lines->way_count++] = *way;
	return true;
}

static bool ways_equal(const struct desired_lines *a, const struct desired_lines *b)
{
	if (a->way_count != b->way_count)
		return false;
	for (size_t i = 0; i < a->way_count; i++)
		if (ipv4_prefix_compare(&a->way[i].part, &b->way[i].part) ||
		    strcmp(a->way[i].device, b->way[i].device) != 0 ||
		    a->way[i].gateway != b->way[i].gateway || a->way[i].source != b->way[i].source)
			return false;
	return true;
}

static bool names_equal(const char a[][KERNEL_IFNAME_MAX], const char b[][KERNEL_IFNAME_MAX],
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

bool desired_lines_equal(const struct desired_lines *a, const struct desired_lines *b)
{
	if (a->count != b->count || a->device_count != b->device_count ||
	    a->carrier_count != b->carrier_count || a->inner_count != b->inner_count ||
	    !names_equal(a->device, b->device, a->device_count) ||
	    !names_equal(a->carrier, b->carrier, a->carrier_count))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->hop[i] != b->hop[i])
			return false;
	for (size_t i = 0; i < a->inner_count; i++)
		if (ipv4_prefix_compare(&a->inner[i], &b->inner[i]) != 0)
			return false;
	return ways_equal(a, b);
}

/* An address of the overlay's that packets of ours have. */
static bool is_known(const struct forwarding *f, ipv4_t address)
{
	if (address == f->link_address || address == f->node_address ||
	    (f->parallel_address && address == f->parallel_address) ||
	    forwarding_return(f, address))
		return true;
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (f->neighbors[i].link_address == address)
			return true;
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].source == address || f->paths[i].endpoint == address)
			return true;
	return false;
}

/* @index  0 links, 1 paths, 2 parallel links. @return length 0 where there is none. */
static struct ipv4_prefix overlay(const struct forwarding *f, int index)
{
	return index < 2 ? f->overlay[index] : f->parallel_space;
}

static bool in_overlay(const struct forwarding *f, ipv4_t address)
{
	for (int i = 0; i < 3; i++)
		if (overlay(f, i).length && ipv4_prefix_contains(overlay(f, i), address))
			return true;
	return false;
}

static bool is_hop(const struct forwarding *f, ipv4_t hop)
{
	return in_overlay(f, hop) && !is_known(f, hop);
}

static bool hops_are_there(const struct forwarding *f, const struct desired_lines *lines)
{
	for (size_t i = 0; lines && i < lines->count; i++)
		if (is_hop(f, lines->hop[i]))
			return true;
	return false;
}

static void set_hops(struct text *t, const struct forwarding *f, const struct desired_lines *lines)
{
	struct prefix_list list;

	list_init(&list, DESIRED_HOPS_MAX);
	for (size_t i = 0; lines && i < lines->count; i++)
		if (is_hop(f, lines->hop[i]))
			list_add(&list, (struct ipv4_prefix){lines->hop[i], 32});
	set_add(t, "hops", false, &list);
}

static void set_own(struct text *t, const struct forwarding *f)
{
	struct prefix_list list;

	list_init(&list, f->path_count + 1);
	if (f->node_address)
		list_add(&list, (struct ipv4_prefix){f->node_address, 32});
	for (size_t i = 0; i < f->path_count; i++)
		list_add(&list, (struct ipv4_prefix){f->paths[i].source, 32});
	set_add(t, "own", false, &list);
}

/* One prefix is compared, more are a set. */
static bool lan_is_one(const struct forwarding *f)
{
	return f->lan_count == 1 && f->lans[0].length > 0;
}

/* @end  "saddr", "daddr", "daddr !=" */
static void lans_add(struct text *t, const struct forwarding *f, const char *end)
{
	text_printf(t, "ip %s ", end);
	if (lan_is_one(f))
		prefix_add(t, f->lans[0]);
	else
		text_add(t, "@lans");
	text_add_char(t, ' ');
}

static void set_lans(struct text *t, const struct forwarding *f)
{
	struct prefix_list list;

	if (lan_is_one(f))
		return;
	list_init(&list, f->lan_count);
	for (size_t i = 0; i < f->lan_count; i++)
		list_add(&list, f->lans[i]);
	set_add(t, "lans", true, &list);
}

static bool lans_lie_inside(const struct desired_lines *lines)
{
	return lines && lines->carrier_count && lines->inner_count;
}

static void set_inner(struct text *t, const struct desired_lines *lines)
{
	struct prefix_list list;

	if (!lans_lie_inside(lines))
		return;
	list_init(&list, lines->inner_count);
	for (size_t i = 0; i < lines->inner_count; i++)
		list_add(&list, lines->inner[i]);
	set_add(t, "inner", true, &list);
}

/* A gateway has ten thousands of elements in each, and each reading of the table costs a kilobyte an element: colors that have the
 * same peers have one set. */
static void peers_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	text_add(t, "@peers");
	if (!f->peers_alike)
		text_printf(t, "_%u", color);
}

/* @color 0: of all. */
static void set_peers(struct text *t, const struct forwarding *f, uint32_t color, const char *name)
{
	struct prefix_list list;
	size_t room = 0;

	for (size_t i = 0; i < f->peer_count; i++)
		room += f->peers[i].prefix_count;
	list_init(&list, room);
	for (size_t i = 0; i < f->peer_count; i++)
		for (size_t j = 0; j < f->peers[i].prefix_count; j++)
			if (!color || f->peers[i].color == color)
				list_add(&list, f->peers[i].prefixes[j]);
	set_add(t, name, true, &list);
}

/* The end of a rule's connections that lies at the peers, and the one that lies here. */
static struct ipv4_prefix rule_far(const struct fwd_rule *rule)
{
	return rule->outbound ? rule->to : rule->from;
}

static struct ipv4_prefix rule_near(const struct fwd_rule *rule)
{
	return rule->outbound ? rule->from : rule->to;
}

/* Do the two differ in nothing but the peer? Such rules lie side by side and become one, with a
 * set. */
static bool rule_same_group(const struct fwd_rule *a, const struct fwd_rule *b)
{
	struct ipv4_prefix near_a = rule_near(a), near_b = rule_near(b);

	return a->color == b->color && a->outbound == b->outbound && a->priority == b->priority &&
	       a->protocol == b->protocol && a->port_first == b->port_first &&
	       a->port_last == b->port_last && a->has_dscp == b->has_dscp && a->dscp == b->dscp &&
	       ipv4_prefix_compare(&near_a, &near_b) == 0;
}

/* @return how many rules, from the one at @first on, are one group. */
static size_t rule_group(const struct forwarding *f, size_t first)
{
	size_t count = 1;

	while (first + count < f->rule_count &&
	       rule_same_group(&f->rules[first], &f->rules[first + count]))
		count++;
	return count;
}

/* Any peer, in one of the @count rules from @first on. */
static bool group_of_any(const struct forwarding *f, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!rule_far(&f->rules[first + i]).length)
			return true;
	return false;
}

static void sets_far_add(struct text *t, const struct forwarding *f)
{
	char name[32];

	for (size_t i = 0, count; i < f->rule_count; i += count) {
		struct prefix_list list;

		count = rule_group(f, i);
		if (count == 1 || group_of_any(f, i, count))
			continue;
		list_init(&list, count);
		for (size_t j = 0; j < count; j++)
			list_add(&list, rule_far(&f->rules[i + j]));
		snprintf(name, sizeof(name), "far_%zu", i);
		set_add(t, name, true, &list);
	}
}

static bool line_marked(const struct forwarding *f, const struct fwd_neighbor *n)
{
	const struct fwd_line *line = forwarding_line(f, n->underlay);

	return line && line->has_dscp;
}

static const struct fwd_line *marked_line(const struct forwarding *f)
{
	for (size_t i = 0; i < f->line_count; i++)
		if (f->lines[i].has_dscp)
			return &f->lines[i];
	return NULL;
}

static void set_marked(struct text *t, const struct forwarding *f)
{
	struct prefix_list list;

	list_init(&list, f->neighbor_count);
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (line_marked(f, &f->neighbors[i]))
			list_add(&list, (struct ipv4_prefix){f->neighbors[i].link_address, 32});
	set_add(t, "marked", false, &list);
}

/* Each neighbour with a bound of its own; matches, and counts, what is beyond. */
static void set_bfd_excess(struct text *t, const struct forwarding *f)
{
	struct prefix_list list;

	list_init(&list, f->neighbor_count);
	for (size_t i = 0; i < f->neighbor_count; i++)
		list_add(&list, (struct ipv4_prefix){f->neighbors[i].link_address, 32});
	set_add_each(t, NFT_SET_BFD_EXCESS, false, BFD_EXCESS, &list);
}

static void sets_add(struct text *t, const struct forwarding *f, const struct desired_lines *lines)
{
	char name[32];

	set_hops(t, f, lines);
	set_bfd_excess(t, f);
	set_own(t, f);
	set_lans(t, f);
	set_inner(t, lines);
	set_peers(t, f, 0, "peers");
	for (size_t i = 0; i < f->session_count && !f->peers_alike; i++) {
		snprintf(name, sizeof(name), "peers_%u", f->sessions[i].color);
		set_peers(t, f, f->sessions[i].color, name);
	}
	sets_far_add(t, f);
	if (marked_line(f))
		set_marked(t, f);
}

/* ---- where devices lead to ---------------------------------------------------------------- */

struct device_list {
	struct device {
		char name[KERNEL_IFNAME_MAX];
		char then[40]; /* a verdict */
	} * entry;
	size_t count;
	bool failed;
};

static struct device_list devices_new(const struct forwarding *f)
{
	size_t room = 3; /* lo, link0, link1 */
	struct device_list list = {0};

	for (size_t i = 0; i < f->session_count; i++)
		room += desired_session_ranks(f, f->sessions[i].color);
	list.entry = calloc(room, sizeof(*list.entry));
	list.failed = !list.entry;
	return list;
}

/* @then  a verdict */
static void device_jumps(struct device_list *list, const char *name, const char *then)
{
	struct device *d;

	if (list->failed)
		return;
	d = &list->entry[list->count++];
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->then, sizeof(d->then), "%s", then);
}

static void parallel_jump(struct device_list *list, const struct forwarding *f, const char *then)
{
	if (f->parallel_address)
		device_jumps(list, PARALLEL_DEVICE, then);
}

static void links_jump(struct device_list *list, const struct forwarding *f, const char *then)
{
	device_jumps(list, LINK_DEVICE, then);
	parallel_jump(list, f, then);
}

/* "s10", "s10-2": each of a color to @chain, or to its own (@each), "@chain_10". */
static void sessions_jump(struct device_list *list, const struct forwarding *f, const char *chain,
			  bool each)
{
	char name[KERNEL_IFNAME_MAX], then[40];

	for (size_t i = 0; i < f->session_count; i++)
		for (uint8_t k = 0; k < desired_session_ranks(f, f->sessions[i].color); k++) {
			desired_session_name(f->sessions[i].color, k, name);
			snprintf(then, sizeof(then), "%s_%u", chain, f->sessions[i].color);
			device_jumps(list, name, each ? then : chain);
		}
}

/* As nft sorts names: as numbers whose first byte is the least. */
static int device_compare(const void *a, const void *b)
{
	const struct device *x = a, *y = b;

	for (size_t i = KERNEL_IFNAME_MAX; i-- > 0;)
		if (x->name[i] != y->name[i])
			return (unsigned char)x->name[i] < (unsigned char)y->name[i] ? -1 : 1;
	return 0;
}

/* @what  "iifname" or "oifname", and what comes before it */
static void devices_map(struct text *t, const char *what, struct device_list *list)
{
	bool many = list->count > 1;

	if (list->count) {
		qsort(list->entry, list->count, sizeof(*list->entry), device_compare);
		text_printf(t, "\t\t%s %s", what, many ? "vmap { " : "");
		for (size_t i = 0; i < list->count; i++)
			text_printf(t, "%s\"%s\"%s%s", i ? ", " : "", list->entry[i].name,
				    many ? " : " : " ", list->entry[i].then);
		text_add(t, many ? " }\n" : "\n");
	}
	if (list->failed)
		t->failed = true;
	free(list->entry);
}

/* A rule for each of the overlay's prefixes, that of paths first. @end  "saddr" or "daddr" */
static void overlay_rules(struct text *t, const struct forwarding *f, const char *end,
			  const char *rest)
{
	static const int order[] = {1, 0, 2};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct ipv4_prefix prefix = overlay(f, order[i]);

		if (!prefix.length)
			continue;
		text_printf(t, "\t\tip %s ", end);
		prefix_add(t, prefix);
		text_printf(t, " %s\n", rest);
	}
}

/* @return the longest prefix that all of the overlay lies in; length 0: there is none */
static struct ipv4_prefix overlay_cover(const struct forwarding *f)
{
	struct ipv4_prefix cover = overlay(f, 0);

	for (int i = 1; i < 3; i++) {
		struct ipv4_prefix prefix = overlay(f, i);

		if (!prefix.length)
			continue;
		if (cover.length > prefix.length)
			cover.length = prefix.length;
		while ((cover.address ^ prefix.address) & ipv4_netmask(cover.length))
			cover.length--;
	}
	cover.address &= ipv4_netmask(cover.length);
	return cover;
}

/* Leads to @chain, which looks again, what is of the overlay or near it: hardly a packet of a carrier's is. */
static void overlay_jump(struct text *t, const struct forwarding *f, const char *end,
			 const char *chain)
{
	struct ipv4_prefix cover = overlay_cover(f);
	char jump[40];

	snprintf(jump, sizeof(jump), "jump %s", chain);
	if (!cover.length) {
		overlay_rules(t, f, end, jump);
		return;
	}
	text_printf(t, "\t\tip %s ", end);
	prefix_add(t, cover);
	text_printf(t, " %s\n", jump);
}

static void chain_begin(struct text *t, const char *name, const char *hook)
{
	text_printf(t, "\tchain %s {\n", name);
	if (hook)
		text_printf(t, "\t\ttype %s\n", hook);
}

static void chain_end(struct text *t)
{
	text_add(t, "\t}\n\n");
}

/* The names that nft prints; the others are numbers. */
static const char *const dscp_names[64] = {
    [0] = "cs0",   [1] = "lephb", [8] = "cs1",	 [10] = "af11", [12] = "af12", [14] = "af13",
    [16] = "cs2",  [18] = "af21", [20] = "af22", [22] = "af23", [24] = "cs3",  [26] = "af31",
    [28] = "af32", [30] = "af33", [32] = "cs4",	 [34] = "af41", [36] = "af42", [38] = "af43",
    [40] = "cs5",  [44] = "va",	  [46] = "ef",	 [48] = "cs6",	[56] = "cs7",
};

static void dscp_word(struct text *t, uint8_t dscp)
{
	if (dscp_names[dscp & 63])
		text_add(t, dscp_names[dscp & 63]);
	else
		text_printf(t, "0x%02x", dscp & 63);
}

/* A packet that came by one adjacency and goes on by the next: see desired_queue.c. */
static void queue_in_add(struct text *t, uint8_t dscp)
{
	text_add(t, "\t\tip dscp ");
	dscp_word(t, dscp);
	text_printf(t, " meta mark set 0x%08x\n", TUYEN_MARK_QUEUE | dscp);
}

/*
 * Behind gateways that share a LAN a connection may leave by one and come back by another: nobody
 * sees all of it. Its packets are judged by addresses and ports alone, and are not tracked, so that
 * half a connection never looks like one in the other direction. The other end judges by direction.
 */
static void guard_session_add(struct text *t, const struct forwarding *f, struct device_list *from)
{
	if (!f->lan_shared || !f->session_count)
		return;
	chain_begin(t, "guard_session", NULL);
	text_add(t, "\t\tnotrack\n");
	chain_end(t);
	sessions_jump(from, f, "jump guard_session", false);
}

static int port_compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Where paths end: sessions' packets, and probes. As nft prints a set: sorted. */
static void path_ports_add(struct text *t, const struct forwarding *f)
{
	uint16_t *port;
	size_t count = 0, room = 1;

	for (size_t i = 0; i < f->session_count; i++)
		room += desired_session_ranks(f, f->sessions[i].color);
	port = calloc(room, sizeof(*port));
	if (!port) {
		t->failed = true;
		return;
	}
	port[count++] = BFD_PORT_SBFD;
	for (size_t i = 0; i < f->session_count; i++)
		for (uint8_t k = 0; k < desired_session_ranks(f, f->sessions[i].color); k++)
			port[count++] = forwarding_session_port(&f->sessions[i], k);
	qsort(port, count, sizeof(*port), port_compare);
	text_add(t, count > 1 ? "{ " : "");
	for (size_t i = 0; i < count; i++)
		text_printf(t, "%s%u", i ? ", " : "", port[i]);
	text_add(t, count > 1 ? " }" : "");
	free(port);
}

static void label_match_add(struct text *t, const struct forwarding *f)
{
	text_add(t, "\t\t");
	if (f->overlay[1].length) {
		text_add(t, "ip saddr ");
		prefix_add(t, f->overlay[1]);
		text_add_char(t, ' ');
	}
	text_add(t, "ip daddr @own ");
}

/*
 * On lo, what a label brought has no route yet; what this box says to itself has one. The first comes from whoever may send
 * the label: it is for a path's end, of IPv4, from a path's address, or goes no further. Whether a source is the box's own the
 * kernel asks of IPv4 alone: of IPv6 anybody could be ::1. Answers are for the ports from which paths are probed.
 */
static void guard_lo_add(struct text *t, const struct forwarding *f)
{
	chain_begin(t, "guard_own", NULL);
	overlay_rules(t, f, "saddr", "notrack accept");
	text_add(t, "\t\taccept\n");
	chain_end(t);
	chain_begin(t, "guard_lo", NULL);
	text_add(t, "\t\trt ip nexthop != 0.0.0.0 goto guard_own\n"
		    "\t\trt ip6 nexthop != :: goto guard_own\n");
	label_match_add(t, f);
	text_add(t, "udp dport ");
	path_ports_add(t, f);
	text_add(t, " notrack accept\n");
	if (f->path_count) {
		label_match_add(t, f);
		text_printf(t, "udp sport %d udp dport %d-65535 notrack accept\n", BFD_PORT_SBFD,
			    BFD_SOURCE_PORT_FIRST);
	}
	text_add(t, "\t\tcounter drop\n");
	chain_end(t);
}

/* What goes to a peer of a shared LAN's gateway. */
static void guard_shared_add(struct text *t, const struct forwarding *f)
{
	if (!f->lan_shared)
		return;
	text_add(t, "\t\t");
	lans_add(t, f, "saddr");
	text_add(t, "ip daddr @peers notrack\n");
}

/* A rule for the port of link0, and one for that of link1 where there is one. @end  "sport" or "dport" */
static void link_ports_add(struct text *t, const struct forwarding *f, const char *end)
{
	text_printf(t, "\t\tudp %s %u accept\n", end, f->link_port);
	if (f->parallel_address)
		text_printf(t, "\t\tudp %s %u accept\n", end, f->parallel_port);
}

/*
 * Do connections all have the side that opens them here, or all there, or is none tracked? Then a packet's color is known
 * before its connection is, in the chains that see every packet anyway: a hook less for each layer of each tunnel.
 */
static bool marks_early(const struct forwarding *f)
{
	for (size_t i = 1; i < f->rule_count && !f->lan_shared; i++)
		if (f->rules[i].outbound != f->rules[0].outbound)
			return false;
	return true;
}

static void from_lan_add(struct text *t, const struct forwarding *f)
{
	if (!f->lan_count)
		return;
	text_add(t, "\t\t");
	lans_add(t, f, "saddr");
	text_add(t, "fib saddr . iif oif exists jump outbound\n");
}

/* The node may also ping through a session, so that an engineer can. */
static bool node_pings(const struct forwarding *f)
{
	return f->lan_address && f->session_count;
}

#define PINGS "icmp type { echo-reply, echo-request }"

/* The node's own packets. */
static void outbound_node_add(struct text *t, const struct forwarding *f)
{
	char address[IPV4_STRLEN];

	if (!node_pings(f))
		return;
	chain_begin(t, "outbound_node", NULL);
	text_printf(t, "\t\tjump outbound\n\t\tip saddr != %s return\n",
		    ipv4_format(f->lan_address, address));
	for (size_t i = 0; i < f->session_count; i++) {
		text_add(t, "\t\tip daddr ");
		peers_add(t, f, f->sessions[i].color);
		text_printf(t, " " PINGS " meta mark set 0x%08x accept\n",
			    TUYEN_MARK_CLASS | f->sessions[i].color);
	}
	chain_end(t);
}

static void from_node_add(struct text *t, const struct forwarding *f)
{
	if (!f->lan_count)
		return;
	text_add(t, "\t\t");
	lans_add(t, f, "saddr");
	text_printf(t, "jump outbound%s\n", node_pings(f) ? "_node" : "");
}

static void classify_add(struct text *t, const struct forwarding *f)
{
	if (marks_early(f))
		return;
	chain_begin(t, "classify", "filter hook prerouting priority mangle; policy accept;");
	from_lan_add(t, f);
	chain_end(t);
	chain_begin(t, "classify_local", "route hook output priority mangle; policy accept;");
	from_node_add(t, f);
	chain_end(t);
}

/* Links' own packets are the carrier's, wherever they go: egress judges them. */
static void guard_local_add(struct text *t, const struct forwarding *f,
			    const struct desired_lines *lines)
{
	chain_begin(t, "guard_local",
		    marks_early(f) ? "route hook output priority raw; policy accept;"
				   : "filter hook output priority raw; policy accept;");
	text_printf(t, "\t\tmeta mark 0x%08x accept\n", TUYEN_MARK_LINK);
	if (f->parallel_address)
		text_printf(t, "\t\tmeta mark 0x%08x accept\n", TUYEN_MARK_PARALLEL);
	if (hops_are_there(f, lines))
		text_add(t, "\t\tip daddr @hops accept\n");
	overlay_rules(t, f, "daddr", "notrack accept");
	guard_shared_add(t, f);
	if (marks_early(f))
		from_node_add(t, f);
	chain_end(t);
}

static void endpoint_from_add(struct text *t, const struct ip_endpoint *from)
{
	char address[IPV6_STRLEN];
	struct ipv6 six;

	memcpy(six.byte, from->address, sizeof(six.byte));
	if (from->family == 6)
		text_printf(t, "ip6 saddr %s ", ipv6_format(&six, address));
	else
		text_printf(t, "ip saddr %u.%u.%u.%u ", from->address[0], from->address[1],
			    from->address[2], from->address[3]);
	text_printf(t, "udp sport %u ", from->port);
}

/*
 * Two parallel links have the same keys but for a preshared one, which the first packet of a handshake does not have yet.
 * A carrier that turns it to the other link's port moves that link's endpoint. Where that happens at both ends at once each
 * calls the wrong port of the other. So the end that calls takes none here: it then goes on sending to where the other is,
 * which tells that where this one is.
 */
static void turned_add(struct text *t, const struct forwarding *f)
{
	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct fwd_neighbor *n = &f->neighbors[i];
		bool parallel = forwarding_id_parallel(n->site_id);

		if (!n->caller || (!parallel && !forwarding_neighbor(f, PARALLEL_ID + n->site_id)))
			continue;
		text_add(t, "\t\t");
		endpoint_from_add(t, &n->endpoint);
		text_printf(t, "udp dport %u udp length %d counter drop\n",
			    parallel ? f->link_port : f->parallel_port, INITIATION_BYTES);
	}
}

/* Where there is more to be done with what came by a link than one statement. */
static bool links_have_a_guard(const struct forwarding *f)
{
	return f->queue_count || f->parallel_address;
}

static void guard_link_add(struct text *t, const struct forwarding *f)
{
	if (!links_have_a_guard(f))
		return;
	chain_begin(t, "guard_link", NULL);
	for (size_t i = 0; i < f->queue_count; i++)
		queue_in_add(t, f->queues[i].dscp);
	if (f->queue_count)
		queue_in_add(t, DESIRED_DSCP_PROBES);
	text_add(t, "\t\tnotrack accept\n");
	chain_end(t);
}

static void guard_add(struct text *t, const struct forwarding *f, const struct desired_lines *lines)
{
	struct device_list from = devices_new(f);

	guard_lo_add(t, f);
	guard_link_add(t, f);
	parallel_jump(&from, f, "jump guard_link");
	guard_session_add(t, f, &from);
	chain_begin(t, "guard_overlay", NULL);
	overlay_rules(t, f, "saddr", "fib daddr . iif type != local counter drop");
	overlay_rules(t, f, "daddr", "fib daddr . iif type != local counter drop");
	chain_end(t);
	chain_begin(t, "guard_line", NULL);
	overlay_jump(t, f, "saddr", "guard_overlay");
	overlay_jump(t, f, "daddr", "guard_overlay");
	text_add(t, "\t\tmeta l4proto { 4, 47, 137 } counter drop\n");
	turned_add(t, f);
	guard_shared_add(t, f);
	if (marks_early(f))
		from_lan_add(t, f);
	chain_end(t);
	chain_begin(t, "guard", "filter hook prerouting priority raw; policy accept;");
	text_add(t, "\t\tmeta iiftype ether goto guard_line\n"
		    "\t\tmeta iiftype loopback goto guard_lo\n"
		    "\t\tiifname \"" LINK_DEVICE "\" ");
	text_add(t, links_have_a_guard(f) ? "jump guard_link\n" : "notrack accept\n");
	devices_map(t, "iifname", &from);
	text_add(t, "\t\tiifname \"lsp*\" counter drop\n"
		    "\t\tgoto guard_line\n");
	chain_end(t);
	guard_local_add(t, f, lines);
}

static void ports_add(struct text *t, const char *protocol, const struct fwd_rule *rule, bool reply)
{
	text_printf(t, "%s %s %u", protocol, reply ? "sport" : "dport", rule->port_first);
	if (rule->port_last != rule->port_first)
		text_printf(t, "-%u", rule->port_last);
	text_add_char(t, ' ');
}

static void port_add(struct text *t, const struct fwd_rule *rule, bool reply)
{
	bool any_port = rule->port_first == 0 && rule->port_last == 65535;

	if (rule->protocol == 6 && !any_port)
		ports_add(t, "tcp", rule, reply);
	else if (rule->protocol == 17 && !any_port)
		ports_add(t, "udp", rule, reply);
	else if (rule->protocol)
		text_printf(t, "ip protocol %u ", rule->protocol);
	else if (!any_port)
		ports_add(t, "meta l4proto { 6, 17 } th", rule, reply);
}

/* One end of a connection; nothing for any. */
static void end_add(struct text *t, const char *end, struct ipv4_prefix prefix)
{
	if (!prefix.length)
		return;
	text_printf(t, "ip %s ", end);
	prefix_add(t, prefix);
	text_add_char(t, ' ');
}

/* Both directions are marked alike: each packet is judged by itself. */
static void dscp_add(struct text *t, const struct fwd_rule *rule)
{
	if (!rule->has_dscp)
		return;
	text_add(t, "ip dscp ");
	dscp_word(t, rule->dscp);
	text_add_char(t, ' ');
}

/* Which answers behind gateways that share a LAN a line is for. */
enum half { HALF_NONE, HALF_TCP, HALF_OTHER };

static void half_add(struct text *t, const struct fwd_rule *rule, bool reply, enum half half)
{
	struct fwd_rule one = *rule;
	bool any_port = rule->port_first == 0 && rule->port_last == 65535;

	if (half != HALF_NONE && !rule->protocol && any_port) {
		text_add(t,
			 half == HALF_TCP ? "tcp flags != syn / syn,ack " : "meta l4proto != 6 ");
		return;
	}
	if (half != HALF_NONE && !rule->protocol)
		one.protocol = half == HALF_TCP ? 6 : 17;
	port_add(t, &one, reply);
	if (half == HALF_TCP)
		text_add(t, "tcp flags != syn / syn,ack ");
}

/* What the @count rules from @first on have in common, for packets that leave (@leaving) a LAN for
 * the peers or come. */
static void match_add(struct text *t, const struct forwarding *f, size_t first, size_t count,
		      bool leaving, enum half half)
{
	const struct fwd_rule *rule = &f->rules[first];
	bool reply = rule->outbound != leaving;
	const char *far = leaving ? "daddr" : "saddr", *near = leaving ? "saddr" : "daddr";

	if (!f->lan_shared && !(leaving && marks_early(f)))
		text_printf(t, "ct direction %s ", reply ? "reply" : "original");
	text_printf(t, "ip %s ", far);
	peers_add(t, f, rule->color);
	text_add_char(t, ' ');
	end_add(t, near, rule_near(rule));
	if (count == 1)
		end_add(t, far, rule_far(rule));
	else if (!group_of_any(f, first, count))
		text_printf(t, "ip %s @far_%zu ", far, first);
	dscp_add(t, rule);
	half_add(t, rule, reply, half);
}

/* One rule, or one for answers of TCP and another for those of what is not. */
static int match_lines(const struct forwarding *f, size_t first, bool leaving)
{
	const struct fwd_rule *rule = &f->rules[first];

	return f->lan_shared && rule->outbound != leaving && !rule->protocol ? 2 : 1;
}

/* Nobody opens a connection by answering. */
static enum half match_half(const struct forwarding *f, size_t first, bool leaving, int i)
{
	const struct fwd_rule *rule = &f->rules[first];

	if (!f->lan_shared || rule->outbound == leaving)
		return HALF_NONE;
	if (rule->protocol)
		return rule->protocol == 6 ? HALF_TCP : HALF_NONE;
	return i ? HALF_OTHER : HALF_TCP;
}

/* Errors about what passed: of tracked connections conntrack knows them. */
#define RELATED_OUT "icmp type { destination-unreachable, time-exceeded, parameter-problem }"
#define RELATED_IN                                                                                 \
	"icmp type { time-exceeded, parameter-problem }" /* no site says how small another's packets be */

static void related_add(struct text *t, const struct forwarding *f, bool leaving, uint32_t color)
{
	bool tracked = !f->lan_shared && !(leaving && marks_early(f));

	text_printf(t, "\t\t%sip %s ", tracked ? "ct state related " : "",
		    leaving ? "daddr" : "saddr");
	peers_add(t, f, color);
	text_add_char(t, ' ');
	if (!tracked)
		text_add(t, leaving ? RELATED_OUT " " : RELATED_IN " ");
}

static void outbound_add(struct text *t, const struct forwarding *f)
{
	chain_begin(t, "outbound", NULL);
	for (size_t i = 0, count; i < f->rule_count; i += count) {
		count = rule_group(f, i);
		for (int k = 0; k < match_lines(f, i, true); k++) {
			text_add(t, "\t\t");
			match_add(t, f, i, count, true, match_half(f, i, true, k));
			text_printf(t, "meta mark set 0x%08x accept\n",
				    TUYEN_MARK_CLASS | f->rules[i].color);
		}
	}
	for (size_t i = 0; i < f->session_count; i++) {
		related_add(t, f, true, f->sessions[i].color);
		text_printf(t, "meta mark set 0x%08x accept\n",
			    TUYEN_MARK_CLASS | f->sessions[i].color);
	}
	chain_end(t);
}

static void inbound_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	char name[32];

	snprintf(name, sizeof(name), "inbound_%u", color);
	chain_begin(t, name, NULL);
	for (size_t i = 0, count; i < f->rule_count; i += count) {
		count = rule_group(f, i);
		if (f->rules[i].color != color)
			continue;
		for (int k = 0; k < match_lines(f, i, false); k++) {
			text_add(t, "\t\t");
			match_add(t, f, i, count, false, match_half(f, i, false, k));
			text_add(t, "accept\n");
		}
	}
	related_add(t, f, false, color);
	text_add(t, "accept\n");
	chain_end(t);
}

static void input_link_add(struct text *t)
{
	chain_begin(t, "input_link", NULL);
	text_add(t, "\t\tmeta l4proto 137 accept\n");
	text_printf(t, "\t\tudp dport %d ip saddr @" NFT_SET_BFD_EXCESS " drop\n",
		    BFD_PORT_SINGLE_HOP);
	text_printf(t, "\t\tudp dport %d accept\n", BFD_PORT_SINGLE_HOP);
	text_add(t, "\t\ticmp type echo-request accept\n"
		    "\t\ticmp type echo-reply accept\n"
		    "\t\tcounter drop\n");
	chain_end(t);
}

static void chain_begin_color(struct text *t, const char *name, uint32_t color)
{
	char whole[40];

	snprintf(whole, sizeof(whole), "%s_%u", name, color);
	chain_begin(t, whole, NULL);
}

/* What is for a LAN is judged by the rules, and the rest dropped. */
static void inbound_jump_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	text_add(t, "\t\t");
	lans_add(t, f, "daddr");
	text_printf(t,
		    "jump inbound_%u\n"
		    "\t\tcounter drop\n",
		    color);
}

static void input_session_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	chain_begin_color(t, "input", color);
	text_add(t, "\t\t");
	lans_add(t, f, "daddr");
	text_add(t, PINGS " accept\n");
	inbound_jump_add(t, f, color);
	chain_end(t);
}

/* Whatever a carrier's lease says. @end  "saddr" or "daddr" */
static void inner_drop_add(struct text *t, const struct desired_lines *lines, const char *device,
			   const char *end)
{
	for (size_t i = 0; lans_lie_inside(lines) && i < lines->carrier_count; i++)
		text_printf(t, "\t\t%s \"%s\" ip %s @inner counter drop\n", device,
			    lines->carrier[i], end);
}

/*
 * WireGuard's packets forbid nobody to part them: a router that cannot take one whole does so and tells nothing. Who says of them
 * that they are too long has never seen them, and would have each sent in three for ten minutes.
 */
static void input_related_add(struct text *t)
{
	text_add(
	    t,
	    "\t\tct protocol 17 icmp type destination-unreachable icmp code frag-needed counter drop\n"
	    "\t\tct state related accept\n");
}

static void input_line_add(struct text *t, const struct forwarding *f,
			   const struct desired_lines *lines)
{
	chain_begin(t, "input_line", NULL);
	text_add(t, "\t\tct state established accept\n");
	input_related_add(t);
	link_ports_add(t, f, "dport");
	text_printf(t, "\t\tudp dport %d accept\n", DHCPV4_CLIENT_PORT);
	text_printf(t, "\t\tudp dport %d accept\n", DHCPV6_CLIENT_PORT);
	text_add(
	    t,
	    "\t\ticmpv6 type { mld-listener-query, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept\n");
	inner_drop_add(t, lines, "iifname", "saddr");
	text_add(t, "\t\t");
	lans_add(t, f, "saddr");
	text_add(t, "fib saddr . iif oif exists accept\n"
		    "\t\tcounter drop\n");
	chain_end(t);
}

static void input_add(struct text *t, const struct forwarding *f, const struct desired_lines *lines)
{
	struct device_list from = devices_new(f);

	input_link_add(t);
	for (size_t i = 0; i < f->session_count; i++)
		input_session_add(t, f, f->sessions[i].color);
	input_line_add(t, f, lines);
	parallel_jump(&from, f, "jump input_link");
	sessions_jump(&from, f, "jump input", true);
	chain_begin(t, "input", "filter hook input priority filter; policy drop;");
	text_add(t, "\t\tmeta iiftype ether goto input_line\n"
		    "\t\tmeta iiftype loopback accept\n"
		    "\t\tiifname \"" LINK_DEVICE "\" meta l4proto 137 accept\n"
		    "\t\tiifname \"" LINK_DEVICE "\" jump input_link\n");
	devices_map(t, "iifname", &from);
	/* guard has dropped what came by an adjacency without a label, and judged what came with one */
	text_add(t, "\t\tiifname \"lsp*\" counter drop\n"
		    "\t\tgoto input_line\n");
	chain_end(t);
}

static void forward_session_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	chain_begin_color(t, "from", color);
	inbound_jump_add(t, f, color);
	chain_end(t);
	chain_begin_color(t, "into", color);
	text_add(t, "\t\ttcp flags syn / syn,rst tcp option maxseg size set rt mtu\n\t\t");
	lans_add(t, f, "saddr");
	text_printf(t,
		    "meta mark 0x%08x accept\n"
		    "\t\tcounter drop\n",
		    TUYEN_MARK_CLASS | color);
	chain_end(t);
}

/* No carrier's router: what came by one line costs on the other. Back over the same go at least no packets of links, which were
 * for an address that is gone; others' may pass between the ports of a bridge. */
static void forward_line_add(struct text *t, const char *from, const char *to, uint16_t port)
{
	text_printf(t, "\t\tiifname \"%s\" oifname \"%s\" ", from, to);
	if (port)
		text_printf(t, "udp dport %u ", port);
	text_add(t, "counter drop\n");
}

static void forward_lines_add(struct text *t, const struct forwarding *f,
			      const struct desired_lines *lines)
{
	size_t count = lines ? lines->device_count : 0;

	for (size_t i = 0; i < count * count; i++) {
		const char *from = lines->device[i / count], *to = lines->device[i % count];
		bool same = i / count == i % count;

		forward_line_add(t, from, to, same ? f->link_port : 0);
		if (same && f->parallel_address)
			forward_line_add(t, from, to, f->parallel_port);
	}
}

static void forward_add(struct text *t, const struct forwarding *f,
			const struct desired_lines *lines)
{
	struct device_list from = devices_new(f), into = devices_new(f);

	chain_begin(t, "closed", NULL);
	text_add(t, "\t\tcounter drop\n");
	chain_end(t);
	for (size_t i = 0; i < f->session_count; i++)
		forward_session_add(t, f, f->sessions[i].color);
	device_jumps(&from, "lo", "jump closed");
	links_jump(&from, f, "jump closed");
	sessions_jump(&from, f, "jump from", true);
	device_jumps(&into, "lo", "jump closed");
	links_jump(&into, f, "jump closed");
	sessions_jump(&into, f, "jump into", true);
	chain_begin(t, "forward", "filter hook forward priority filter; policy accept;");
	inner_drop_add(t, lines, "iifname", "saddr");
	inner_drop_add(t, lines, "oifname", "daddr");
	devices_map(t, "meta iiftype != ether iifname", &from);
	devices_map(t, "meta oiftype != ether oifname", &into);
	text_add(t, "\t\tmeta iiftype != ether iifname \"lsp*\" counter drop\n"
		    "\t\tmeta oiftype != ether oifname \"lsp*\" counter drop\n");
	for (int i = 0; i < 2; i++) {
		text_add(t, "\t\t");
		lans_add(t, f, i ? "daddr" : "saddr");
		text_add(t, "counter drop\n");
	}
	text_add(t, "\t\tip saddr @peers counter drop\n"
		    "\t\tip daddr @peers counter drop\n");
	forward_lines_add(t, f, lines);
	chain_end(t);
}

/* ---- queues and code points: see desired_queue.c --------------------------------------- */

static void queue_mark_add(struct text *t, const char *match, uint8_t dscp)
{
	text_printf(t, "\t\t%s meta mark set 0x%08x\n", match, TUYEN_MARK_QUEUE | dscp);
}

static void queue_out_add(struct text *t, uint8_t dscp)
{
	text_printf(t, "\t\tmeta mark 0x%08x ip dscp set ", TUYEN_MARK_QUEUE | dscp);
	dscp_word(t, dscp);
	text_add_char(t, '\n');
}

/* WireGuard gives its own packets no DSCP but the two ECN bits of what it encrypts: with them link0
 * tells the carrier's side a priority. */
static const char *const priority_ecn[3] = {"ect0", "not-ect", "ect1"};

/* @match  of what of that code point it is for; "" all */
static void marked_priority_add(struct text *t, uint8_t dscp, uint8_t priority, const char *match)
{
	if (priority == 1)
		return;
	text_printf(t, "\t\tip daddr @marked %sip dscp ", match);
	dscp_word(t, dscp);
	text_printf(t, " ip ecn set %s\n", priority_ecn[priority]);
}

static void carrier_dscp_add(struct text *t, const struct forwarding *f, const char *match,
			     uint8_t dscp, const char *then)
{
	int devices = f->parallel_address ? 2 : 1;

	for (int parallel = 0; parallel < devices; parallel++) {
		text_printf(t, "\t\tudp sport %u %s ip dscp set ",
			    parallel ? f->parallel_port : f->link_port, match);
		dscp_word(t, dscp);
		text_printf(t, "%s accept\n", then);
	}
}

static void carrier_add(struct text *t, const struct forwarding *f, const struct fwd_line *line)
{
	/* WireGuard's handshakes are AF41 */
	carrier_dscp_add(t, f, "ip dscp af41", line->dscp[2], "");
	carrier_dscp_add(t, f, "ip ecn ect1", line->dscp[2], " ip ecn set not-ect");
	carrier_dscp_add(t, f, "ip ecn ect0", line->dscp[0], " ip ecn set not-ect");
	carrier_dscp_add(t, f, "ip ecn not-ect", line->dscp[1], "");
}

/* A padded one is as long as an image's packet: a query would wait for it and for what is on the
 * line already. It waits with the rest. */
static void queue_probe_add(struct text *t, const char *match)
{
	char small[64];

	snprintf(small, sizeof(small), "meta length < %d %s", PATH_MTU_FLOOR, match);
	queue_mark_add(t, small, DESIRED_DSCP_PROBES);
}

static void queues_path_add(struct text *t)
{
	char match[32];

	chain_begin(t, "queues_path", NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(match, sizeof(match), "udp %s %d", i ? "dport" : "sport", BFD_PORT_SBFD);
		queue_probe_add(t, match);
	}
	chain_end(t);
}

static void queues_link_add(struct text *t, const struct forwarding *f, bool marked)
{
	char match[32];

	chain_begin(t, "queues_link", NULL);
	queue_probe_add(t, "ip dscp cs6");
	for (size_t i = 0; i < f->queue_count; i++) {
		if (!forwarding_session(f, f->queues[i].color))
			continue;
		snprintf(match, sizeof(match), "meta mark 0x%08x",
			 TUYEN_MARK_OUTER | f->queues[i].color);
		queue_mark_add(t, match, f->queues[i].dscp);
	}
	for (size_t i = 0; i < f->queue_count; i++)
		queue_out_add(t, f->queues[i].dscp);
	queue_out_add(t, DESIRED_DSCP_PROBES);
	for (size_t i = 0; marked && i < f->queue_count; i++)
		marked_priority_add(t, f->queues[i].dscp, f->queues[i].priority, "");
	snprintf(match, sizeof(match), "meta length < %d ", PATH_MTU_FLOOR);
	if (marked) /* a link's padded probe has that code point, too */
		marked_priority_add(t, DESIRED_DSCP_PROBES, 2, match);
	chain_end(t);
}

static void queues_add(struct text *t, const struct forwarding *f)
{
	const struct fwd_line *marked = marked_line(f);

	if (!f->queue_count)
		return;
	queues_path_add(t);
	queues_link_add(t, f, marked);
	chain_begin(t, "queues", "filter hook output priority filter; policy accept;");
	text_add(t, "\t\tmeta oiftype ipip oifname \"lsp*\" jump queues_path\n"
		    "\t\tmeta oiftype != ether oifname \"" LINK_DEVICE "\" jump queues_link\n");
	if (f->parallel_address)
		text_add(t, "\t\tmeta oiftype != ether oifname \"" PARALLEL_DEVICE
			    "\" jump queues_link\n");
	if (marked)
		carrier_add(t, f, marked);
	chain_end(t);
}

static void line_add(struct text *t)
{
	chain_begin(t, "line", NULL);
	text_add(t, "\t\tfib saddr . oif type != local counter drop\n"
		    "\t\tip daddr @hops return\n");
	text_printf(t, "\t\tudp sport %d udp dport %d return\n", DHCPV4_CLIENT_PORT,
		    DHCPV4_SERVER_PORT);
	text_add(t, "\t\tcounter drop\n");
	chain_end(t);
}

static void egress_overlay_add(struct text *t, const struct forwarding *f)
{
	chain_begin(t, "egress_overlay", NULL);
	overlay_rules(t, f, "saddr", "fib saddr . oif type != local counter drop");
	overlay_rules(t, f, "daddr", "jump line");
	chain_end(t);
}

static void egress_overlay_jump(struct text *t, const struct forwarding *f)
{
	overlay_jump(t, f, "saddr", "egress_overlay");
	overlay_jump(t, f, "daddr", "egress_overlay");
}

/* WireGuard's own packets of links, by their mark and port: encrypted, so that nothing of a LAN leaves in clear by them. What
 * is not for the carrier all the same is judged with the rest. */
static void egress_link_add(struct text *t, const struct forwarding *f)
{
	chain_begin(t, "egress_link", NULL);
	egress_overlay_jump(t, f);
	link_ports_add(t, f, "sport");
	chain_end(t);
}

/* What has its mark from the chains before connections are known must be of one that the right side opened. */
static void egress_session_add(struct text *t, const struct forwarding *f, uint32_t color)
{
	uint32_t mark = TUYEN_MARK_CLASS | color;
	char address[IPV4_STRLEN];

	chain_begin_color(t, "egress", color);
	if (f->lan_shared || !marks_early(f)) {
		text_printf(t, "\t\tmeta mark 0x%08x accept\n", mark);
	} else {
		if (f->rule_count) /* without a rule there are errors about the node's own pings, and no more */
			text_printf(t, "\t\tmeta mark 0x%08x ct direction %s accept\n", mark,
				    f->rules[0].outbound ? "original" : "reply");
		text_printf(t, "\t\tmeta mark 0x%08x ct state related accept\n", mark);
		if (node_pings(f))
			text_printf(t, "\t\tmeta mark 0x%08x ip saddr %s " PINGS " accept\n", mark,
				    ipv4_format(f->lan_address, address));
	}
	text_add(t, "\t\tcounter drop\n");
	chain_end(t);
}

static void egress_add(struct text *t, const struct forwarding *f)
{
	struct device_list into = devices_new(f);

	egress_overlay_add(t, f);
	egress_link_add(t, f);
	for (size_t i = 0; i < f->session_count; i++)
		egress_session_add(t, f, f->sessions[i].color);
	device_jumps(&into, "lo", "accept");
	parallel_jump(&into, f, "accept");
	sessions_jump(&into, f, "jump egress", true);
	chain_begin(t, "egress", "filter hook postrouting priority filter; policy accept;");
	text_add(t, "\t\tmeta oiftype ipip oifname \"lsp*\" accept\n"
		    "\t\tmeta oiftype != ether oifname \"" LINK_DEVICE "\" accept\n");
	devices_map(t, "meta oiftype != ether oifname",
		    &into); /* before the mark: nothing of a link's goes into a session */
	text_printf(t, "\t\tmeta mark 0x%08x jump egress_link\n", TUYEN_MARK_LINK);
	if (f->parallel_address)
		text_printf(t, "\t\tmeta mark 0x%08x jump egress_link\n", TUYEN_MARK_PARALLEL);
	egress_overlay_jump(t, f);
	text_add(t, "\t\tip daddr @peers counter drop\n"
		    "\t\tip saddr @peers ");
	lans_add(t, f, "daddr !=");
	text_add(t, "counter drop\n"
		    "\t\t");
	lans_add(t, f, "saddr");
	lans_add(t, f, "daddr !=");
	text_add(t, "counter drop\n"
		    "\t}\n");
}

void desired_nft(const struct forwarding *forwarding, const struct desired_lines *lines,
		 struct text *ret_text)
{
	struct text *t = ret_text;

	text_add(t, "table inet " TUYEN_NFT_TABLE " {\n");
	sets_add(t, forwarding, lines);
	outbound_add(t, forwarding);
	outbound_node_add(t, forwarding);
	guard_add(t, forwarding, lines);
	for (size_t i = 0; i < forwarding->session_count; i++)
		inbound_add(t, forwarding, forwarding->sessions[i].color);
	classify_add(t, forwarding);
	input_add(t, forwarding, lines);
	forward_add(t, forwarding, lines);
	queues_add(t, forwarding);
	line_add(t);
	egress_add(t, forwarding);
	text_add(t, "}\n");
}
