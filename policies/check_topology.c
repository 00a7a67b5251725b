/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of the topology: tiers, underlays, sites, keys, links.
 *
 * A parent's tier stands strictly above its child's, so parents can form no
 * cycle, and neither can backups. Every parent and every backup makes one link;
 * link statements amend these or add others. In a link a is the caller: the one
 * that is named first or the child, unless only the other can be the caller.
 * LANs are compared by sorting: overlapping prefixes are nested, so a prefix
 * overlaps an earlier one only if it begins before the farthest end so far.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/err.h"
#include "tuyen/policies/check_state.h"
#include "tuyen/topology/mtu.h"

#define METRIC_DEFAULT	  10
#define METRIC_MAX	  65535
#define DELAY_MAX_US	  10000000
#define PROBE_MIN_US	  5000
#define PROBE_MAX_US	  60000000
#define PROBE_SLOW_US	  60000000 /* interval times multiplier */
#define PROBE_DEFAULT_US  50000
#define PROBE_DEFAULT_X	  3
#define MTU_MIN		  576
#define MTU_MAX		  MTU_CARRIER_MAX
#define MTU_DEFAULT	  1500
#define SNMP_PORT_DEFAULT 161
#define COLOR_MAX	  9999
#define LINK_SPACE_LENGTH 16
#define PATH_SPACE_LENGTH 12
#define LABELS_END                                                                                 \
	LABEL_MAX /* the kernel's platform_labels is at most this, its last label one less */

/* Nobody's LAN: this host (RFC 1122), itself, link-local (RFC 3927), multicast and above. */
static const struct ipv4_prefix lans_reserved[] = {
    {0x00000000, 8},
    {0x7f000000, 8},
    {0xa9fe0000, 16},
    {0xe0000000, 3},
};

/* ---- the whole network's settings ---- */

static void settings_space(struct check *c, const struct syntax_file *file,
			   const struct syntax_node *node, uint8_t length,
			   struct ipv4_prefix *space)
{
	if (node->prefix.length != length)
		diag_error(c->diags, syntax_place(file, node), "this space must be a /%u", length);
	else
		*space = node->prefix;
}

static void settings_labels(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node)
{
	struct syntax_node size = *node;
	uint64_t base = check_range(c, file, node, LABEL_MIN, LABELS_END - 2, "the first label");

	size.number = node->number2;
	c->network.srgb.base = (uint32_t)base;
	c->network.srgb.size = (uint32_t)check_range(c, file, &size, 2, LABELS_END - base,
						     "the number of labels from here on");
}

static void settings_one(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *node)
{
	struct network *n = &c->network;

	if (node->kind == SYNTAX_LABELS)
		settings_labels(c, file, node);
	else if (node->kind == SYNTAX_LINK_SPACE)
		settings_space(c, file, node, LINK_SPACE_LENGTH, &n->link_space);
	else if (node->kind == SYNTAX_PATH_SPACE)
		settings_space(c, file, node, PATH_SPACE_LENGTH, &n->path_space);
	else if (node->kind == SYNTAX_PARALLEL_SPACE)
		settings_space(c, file, node, LINK_SPACE_LENGTH, &n->parallel_space);
	else if (node->kind == SYNTAX_LINK_PORT)
		n->link_port = (uint16_t)check_range(c, file, node, 1, UINT16_MAX, "a port");
	else if (node->kind == SYNTAX_SESSION_PORT)
		n->session_port =
		    (uint16_t)check_range(c, file, node, 1, UINT16_MAX - COLOR_MAX,
					  "the session port, to which colors are added,");
}

static bool port_among_sessions(const struct network *n, uint64_t port)
{
	return port > n->session_port && port <= (uint64_t)n->session_port + COLOR_MAX;
}

/* WireGuard listens on every address: a port has one owner on a node. */
static void settings_ports(struct check *c, struct statement s)
{
	static const uint16_t reserved[] = {NETWORK_PORT_BFD, NETWORK_PORT_SBFD};
	const struct network *n = &c->network;

	if (port_among_sessions(n, n->link_port))
		diag_error(c->diags, check_at(s),
			   "the link port %u lies among the session ports %u to %u", n->link_port,
			   n->session_port + 1, n->session_port + COLOR_MAX);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (n->link_port == reserved[i] || port_among_sessions(n, reserved[i]))
			diag_error(c->diags, check_at(s),
				   "port %u is that of BFD: neither the link port nor among the "
				   "session ports, %u to %u",
				   reserved[i], n->session_port + 1, n->session_port + COLOR_MAX);
}

void check_network_settings(struct check *c, struct statement s)
{
	struct network *n = &c->network;

	check_once(c, s.file, s.node);
	for (const struct syntax_node *node = s.node->child; node; node = node->next)
		settings_one(c, s.file, node);
	if (ipv4_prefix_overlaps(n->link_space, n->path_space))
		diag_error(c->diags, check_at(s), "link space and path space overlap");
	settings_ports(c, s);
}

void check_tiers(struct check *c, struct statement s)
{
	struct network *n = &c->network;

	n->tiers = check_alloc(c, check_child_count(s.node, SYNTAX_NAME), sizeof(*n->tiers));
	if (!n->tiers)
		return;
	for (const struct syntax_node *name = s.node->child; name; name = name->next) {
		uint32_t index = (uint32_t)n->tier_count;
		int err = name_table_add(&c->tiers, name->text, index);

		if (err == -TUYEN_EEXIST)
			diag_error(c->diags, syntax_place(s.file, name),
				   "tier '%s' stands here twice", name->text);
		else if (err < 0)
			c->failed = true;
		n->tiers[n->tier_count++] = check_strdup(c, name->text);
	}
}

/* ---- underlays ---- */

static uint64_t probe_detection(struct probe_timers p)
{
	return (uint64_t)p.interval_us * p.multiplier;
}

static void probe_slow(struct check *c, struct diag_place place, struct probe_timers p)
{
	uint64_t tenths = probe_detection(p) / 100000;

	if (probe_detection(p) > PROBE_SLOW_US)
		diag_warning(
		    c->diags, place, "slow-detection",
		    "a failure is found after %llu.%llu s: until then all that is sent is lost",
		    (unsigned long long)tenths / 10, (unsigned long long)tenths % 10);
}

struct probe_timers check_probe(struct check *c, const struct syntax_file *file,
				const struct syntax_node *node)
{
	struct syntax_node multiplier = *node;
	struct probe_timers p;

	multiplier.number = node->number2;
	p = (struct probe_timers){
	    (uint32_t)check_time(c, file, node, PROBE_MIN_US, PROBE_MAX_US, "a probe's interval"),
	    (uint8_t)check_range(c, file, &multiplier, 1, UINT8_MAX, "a probe's multiplier"),
	};
	probe_slow(c, syntax_place(file, node), p);
	return p;
}

static uint16_t mtu_read(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *node)
{
	return (uint16_t)check_range(c, file, node, MTU_MIN, MTU_MAX, "an MTU");
}

static uint32_t delay_read(struct check *c, const struct syntax_file *file,
			   const struct syntax_node *node)
{
	return (uint32_t)check_time(c, file, node, 0, DELAY_MAX_US, "a delay");
}

static uint32_t metric_read(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node)
{
	return (uint32_t)check_range(c, file, node, 1, METRIC_MAX, "a metric");
}

static const char *rate_format(uint64_t bps, char out[static 24])
{
	if (bps % 1000000000 == 0)
		snprintf(out, 24, "%lluGbit/s", (unsigned long long)bps / 1000000000);
	else if (bps % 1000000 == 0)
		snprintf(out, 24, "%lluMbit/s", (unsigned long long)bps / 1000000);
	else
		snprintf(out, 24, "%llukbit/s", (unsigned long long)bps / 1000);
	return out;
}

static struct line_rate rate_read(struct check *c, const struct syntax_file *file,
				  const struct syntax_node *node)
{
	uint64_t low = node->number < node->number2 ? node->number : node->number2;
	uint64_t high = node->number < node->number2 ? node->number2 : node->number;
	char least[24], most[24];

	if (low < LINE_RATE_MIN_BPS || high > LINE_RATE_MAX_BPS)
		diag_error(
		    c->diags, syntax_place(file, node), "a line's rate must be from %s to %s",
		    rate_format(LINE_RATE_MIN_BPS, least), rate_format(LINE_RATE_MAX_BPS, most));
	c->rated = true;
	return (struct line_rate){node->number, node->number2};
}

static void dscp_marks_read(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *marks, struct underlay_class *u)
{
	const struct syntax_node *said[3] = {NULL};

	u->has_dscp = c->marked = true;
	for (const struct syntax_node *n = marks->child; n; n = n->next) {
		if (said[n->number]) {
			diag_error(c->diags, syntax_place(file, n), "this was said already");
			diag_note(c->diags, syntax_place(file, said[n->number]), "first said here");
		}
		said[n->number] = n;
		u->dscp[n->number] = check_dscp(c, file, n->child);
	}
}

void check_underlay(struct check *c, struct statement s, uint32_t index)
{
	struct underlay_class *u = &c->network.underlays[index];

	*u = (struct underlay_class){
	    .name = check_strdup(c, s.node->text),
	    .probe = {PROBE_DEFAULT_US, PROBE_DEFAULT_X},
	    .mtu_bytes = MTU_DEFAULT,
	    .metric = METRIC_DEFAULT,
	    .place = check_place(c, s.file, s.node),
	};
	check_once(c, s.file, s.node);
	for (const struct syntax_node *n = s.node->child; n; n = n->next) {
		if (n->kind == SYNTAX_PROBE)
			u->probe = check_probe(c, s.file, n);
		else if (n->kind == SYNTAX_MTU)
			u->mtu_bytes = mtu_read(c, s.file, n);
		else if (n->kind == SYNTAX_DELAY)
			u->delay_us = delay_read(c, s.file, n);
		else if (n->kind == SYNTAX_METRIC)
			u->metric = metric_read(c, s.file, n);
		else if (n->kind == SYNTAX_RATE)
			u->rate = rate_read(c, s.file, n);
		else if (n->kind == SYNTAX_DSCP_MARKS)
			dscp_marks_read(c, s.file, n, u);
	}
}

/* ---- sites ---- */

static bool address_is_usable(const struct check *c, const struct ip_endpoint *e)
{
	ipv4_t address = (ipv4_t)e->address[0] << 24 | (ipv4_t)e->address[1] << 16 |
			 (ipv4_t)e->address[2] << 8 | e->address[3];

	if (e->family == 6) /* neither ::/8 (loopback, mapped IPv4) nor multicast nor link-local */
		return e->address[0] != 0 && e->address[0] != 0xff &&
		       !(e->address[0] == 0xfe && (e->address[1] & 0xc0) == 0x80);
	return e->address[0] != 0 && e->address[0] != 127 && e->address[0] < 224 &&
	       !ipv4_prefix_contains(c->network.link_space, address) &&
	       !ipv4_prefix_contains(c->network.path_space, address);
}

static uint16_t uplink_port(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node)
{
	const struct network *n = &c->network;
	uint16_t port = (uint16_t)check_range(c, file, node, 1, UINT16_MAX, "a port");

	if (network_port_reserved(port) || port_among_sessions(n, port))
		diag_error(
		    c->diags, syntax_place(file, node),
		    "port %u is taken on every node: by BFD, or by the session ports %u to %u",
		    port, n->session_port + 1, n->session_port + COLOR_MAX);
	return port;
}

static void uplink_endpoint(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node, struct site_uplink *u)
{
	const struct syntax_node *address = check_child(node, SYNTAX_ADDRESS);
	const struct syntax_node *dynamic = check_child(node, SYNTAX_DYNAMIC);
	const struct syntax_node *port = check_child(node, SYNTAX_PORT);
	uint16_t number = c->network.link_port;

	if (!address == !dynamic) {
		diag_error(c->diags, syntax_place(file, node),
			   "an uplink is either 'dynamic' or has one address");
		return;
	}
	if (port)
		number = uplink_port(c, file, port);
	if (port && dynamic)
		diag_error(c->diags, syntax_place(file, port),
			   "a dynamic uplink is never called: it needs no port");
	if (!address || ip_endpoint_parse_address(address->text, number, &u->endpoint) < 0)
		return;
	if (!address_is_usable(c, &u->endpoint))
		diag_error(c->diags, syntax_place(file, address),
			   "'%s' cannot be the address of a carrier line", address->text);
}

/* A packet that leaves link0 tells its priority and not its neighbour: one set of marks a site. */
static void uplink_dscp(struct check *c, const struct syntax_file *file,
			const struct syntax_node *node, const struct site *site,
			const struct site_uplink *u)
{
	const struct network *n = &c->network;

	if (u->underlay == NETWORK_NONE || !n->underlays[u->underlay].has_dscp)
		return;
	for (size_t i = 0; i < site->uplink_count; i++) {
		const struct underlay_class *other = site->uplinks[i].underlay == NETWORK_NONE
							 ? NULL
							 : &n->underlays[site->uplinks[i].underlay];

		if (!other || !other->has_dscp ||
		    !memcmp(other->dscp, n->underlays[u->underlay].dscp, sizeof(other->dscp)))
			continue;
		diag_error(c->diags, syntax_place(file, node),
			   "the carriers of site '%s' must honour the same code points: '%s' has "
			   "others",
			   site->name, other->name);
		return;
	}
}

static void site_uplink_add(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node, struct site *site)
{
	const struct syntax_node *metered = check_child(node, SYNTAX_METERED);
	const struct syntax_node *rate = check_child(node, SYNTAX_RATE);
	struct site_uplink *u = &site->uplinks[site->uplink_count];

	check_once(c, file, node);
	u->underlay = check_name(c, file, node, &c->underlays, "underlay");
	u->place = check_place(c, file, node);
	check_intern_all(c, node, SYNTAX_RISK, &c->risks, &c->network.risks, &c->network.risk_count,
			 &u->risks, &u->risk_count);
	if (metered)
		u->allowance_bytes_day =
		    check_range(c, file, metered, 1000, INT64_MAX, "an allowance in bytes");
	if (rate)
		u->rate = rate_read(c, file, rate);
	else if (u->underlay != NETWORK_NONE)
		u->rate = c->network.underlays[u->underlay].rate;
	uplink_endpoint(c, file, node, u);
	uplink_dscp(c, file, node, site, u);
	for (size_t i = 0; i < site->uplink_count; i++) {
		const struct ip_endpoint *other = &site->uplinks[i].endpoint;

		if (site->uplinks[i].underlay == u->underlay && u->underlay != NETWORK_NONE)
			diag_error(c->diags, syntax_place(file, node),
				   "site '%s' has an uplink '%s' already", site->name, node->text);
		if (other->family && u->endpoint.family && other->port != u->endpoint.port)
			diag_error(c->diags, syntax_place(file, node),
				   "a site listens on one port: another uplink of '%s' has port %u",
				   site->name, other->port);
	}
	if (++site->uplink_count == SITE_UPLINKS_MAX + 1)
		diag_error(c->diags, syntax_place(file, node), "site '%s' has more than %u uplinks",
			   site->name, SITE_UPLINKS_MAX);
}

static uint32_t site_uplink_find(const struct site *site, uint32_t underlay)
{
	for (size_t i = 0; i < site->uplink_count; i++)
		if (site->uplinks[i].underlay == underlay)
			return (uint32_t)i;
	return NETWORK_NONE;
}

static void device_items(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *node, const struct site *site,
			 struct site_device *d)
{
	const struct syntax_node *address = check_child(node, SYNTAX_ADDRESS);
	const struct syntax_node *snmp = check_child(node, SYNTAX_SNMP);
	const struct syntax_node *interface = check_child(node, SYNTAX_INTERFACE);
	const struct syntax_node *carries = check_child(node, SYNTAX_CARRIES);
	const struct syntax_node *port = snmp ? check_child(snmp, SYNTAX_PORT) : NULL;

	if (address && ipv4_parse(address->text, &d->address) < 0)
		diag_error(c->diags, syntax_place(file, address), "a device has an IPv4 address");
	if (snmp)
		d->user = check_strdup(c, snmp->text);
	else if (!node->broken)
		diag_error(c->diags, syntax_place(file, node), "device '%s' has no 'snmp user'",
			   node->text);
	if (port)
		d->port = (uint16_t)check_range(c, file, port, 1, UINT16_MAX, "a port");
	if (interface && (!*interface->text || strlen(interface->text) > NAME_MAX_BYTES))
		diag_error(c->diags, syntax_place(file, interface),
			   "an interface's name has 1 to %d bytes", NAME_MAX_BYTES);
	if (interface)
		d->interface = check_strdup(c, interface->text);
	if (!carries)
		return;
	d->uplink = site_uplink_find(site, name_table_find(&c->underlays, carries->text));
	if (d->uplink == NETWORK_NONE)
		diag_error(c->diags, syntax_place(file, carries), "site '%s' has no uplink '%s'",
			   site->name, carries->text);
}

static void site_device_add(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *node, struct site *site)
{
	struct site_device *d = &site->devices[site->device_count];

	check_once(c, file, node);
	*d = (struct site_device){.name = check_strdup(c, node->text),
				  .port = SNMP_PORT_DEFAULT,
				  .uplink = NETWORK_NONE,
				  .place = check_place(c, file, node)};
	for (size_t i = 0; i < site->device_count && !c->failed; i++)
		if (strcmp(site->devices[i].name, d->name) == 0)
			diag_error(c->diags, syntax_place(file, node),
				   "site '%s' has a device '%s' already", site->name, node->text);
	site->device_count++;
	device_items(c, file, node, site, d);
}

/* Where a gateway stands in a LAN that it shares; 0: it does not. */
static ipv4_t lan_own_address(struct check *c, const struct syntax_file *file,
			      const struct syntax_node *lan)
{
	const struct syntax_node *node = check_child(lan, SYNTAX_ADDRESS);
	char text[IPV4_PREFIX_STRLEN];
	ipv4_t address;

	if (!node)
		return 0;
	if (ipv4_parse(node->text, &address) < 0) {
		diag_error(c->diags, syntax_place(file, node), "this is no IPv4 address");
		return 0;
	}
	if (!ipv4_prefix_contains(lan->prefix, address) || address == lan->prefix.address ||
	    address == (lan->prefix.address | ~ipv4_netmask(lan->prefix.length)))
		diag_error(c->diags, syntax_place(file, node),
			   "a gateway's own address must be one of a host in %s",
			   ipv4_prefix_format(lan->prefix, text));
	return address;
}

static void site_lan_add(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *node, struct site *site)
{
	const struct network *n = &c->network;
	char text[IPV4_PREFIX_STRLEN];

	for (size_t i = 0; i < sizeof(lans_reserved) / sizeof(lans_reserved[0]); i++)
		if (node->prefix.length && ipv4_prefix_overlaps(node->prefix, lans_reserved[i]))
			diag_error(c->diags, syntax_place(file, node),
				   "a LAN cannot have addresses of %s",
				   ipv4_prefix_format(lans_reserved[i], text));
	if (node->prefix.length == 0 || ipv4_prefix_overlaps(node->prefix, n->link_space) ||
	    ipv4_prefix_overlaps(node->prefix, n->path_space))
		diag_error(c->diags, syntax_place(file, node),
			   "a LAN cannot overlap the link space or the path space");
	site->lan_places[site->lan_count] = check_place(c, file, node);
	site->lan_own[site->lan_count] = lan_own_address(c, file, node);
	site->lans[site->lan_count++] = node->prefix;
}

static void site_parent(struct check *c, struct statement s, const struct syntax_node *node,
			const char *what, uint32_t *ret_index)
{
	uint32_t index = check_name(c, s.file, node, &c->sites, "site");

	if (index != NETWORK_NONE && c->site_at[index].node == s.node)
		diag_error(c->diags, syntax_place(s.file, node), "a site cannot be its own %s",
			   what);
	else
		*ret_index = index;
}

static void site_head(struct check *c, struct statement s, struct site *site)
{
	for (const struct syntax_node *n = s.node->child; n; n = n->next) {
		if (n->kind == SYNTAX_TIER)
			site->tier = check_name(c, s.file, n, &c->tiers, "tier");
		else if (n->kind == SYNTAX_ID)
			site->id =
			    (uint32_t)check_range(c, s.file, n, 1, SITE_ID_MAX, "a site's id");
		else if (n->kind == SYNTAX_UNDER)
			site_parent(c, s, n, "parent", &site->parent);
		else if (n->kind == SYNTAX_BACKUP)
			site_parent(c, s, n, "backup", &site->backup);
	}
}

static bool site_alloc(struct check *c, const struct syntax_node *node,
		       const struct syntax_node *template, struct site *site)
{
	size_t uplinks = check_child_count(node, SYNTAX_UPLINK);
	size_t lans = check_child_count(node, SYNTAX_LAN);
	size_t devices = check_child_count(node, SYNTAX_DEVICE);

	if (template) {
		uplinks += check_child_count(template, SYNTAX_UPLINK);
		lans += check_child_count(template, SYNTAX_LAN);
		devices += check_child_count(template, SYNTAX_DEVICE);
	}
	site->uplinks = check_alloc(c, uplinks, sizeof(*site->uplinks));
	site->lans = check_alloc(c, lans, sizeof(*site->lans));
	site->lan_places = check_alloc(c, lans, sizeof(*site->lan_places));
	site->lan_own = check_alloc(c, lans, sizeof(*site->lan_own));
	site->devices = check_alloc(c, devices, sizeof(*site->devices));
	return !c->failed;
}

static void site_item_add(struct check *c, struct statement at, struct site *site)
{
	if (at.node->kind == SYNTAX_UPLINK)
		site_uplink_add(c, at.file, at.node, site);
	else if (at.node->kind == SYNTAX_LAN)
		site_lan_add(c, at.file, at.node, site);
}

static void site_tags(struct check *c, const struct syntax_node *node, struct site *site)
{
	struct network *n = &c->network;

	check_intern_all(c, node, SYNTAX_TAG, &c->tags, &n->tags, &n->tag_count, &site->tags,
			 &site->tag_count);
}

/* Not kept: what is wrong in a template is said once, not once for each site. */
static void scratch_clear(struct site *site)
{
	for (size_t i = 0; i < site->uplink_count; i++)
		free(site->uplinks[i].risks);
	for (size_t i = 0; i < site->device_count; i++) {
		free(site->devices[i].name);
		free(site->devices[i].user);
		free(site->devices[i].interface);
	}
	free(site->uplinks);
	free(site->lans);
	free(site->lan_places);
	free(site->lan_own);
	free(site->devices);
	free(site->tags);
	free(site->name);
}

void check_template(struct check *c, uint32_t index)
{
	struct statement s = c->template_at[index];
	struct site scratch = {.name = check_strdup(c, s.node->text)};
	size_t errors = c->diags->error_count;

	if (site_alloc(c, s.node, NULL, &scratch)) {
		for (const struct syntax_node *n = s.node->child; n && !c->failed; n = n->next)
			site_item_add(c, (struct statement){s.file, n}, &scratch);
		for (const struct syntax_node *n = s.node->child; n && !c->failed; n = n->next)
			if (n->kind == SYNTAX_DEVICE)
				site_device_add(c, s.file, n, &scratch);
		site_tags(c, s.node, &scratch);
	}
	scratch_clear(&scratch);
	c->template_bad[index] = s.node->broken || c->diags->error_count > errors;
}

static void site_template(struct check *c, struct statement s, uint32_t index)
{
	const struct syntax_node *use = check_child(s.node, SYNTAX_USE);
	uint32_t found = use ? check_name(c, s.file, use, &c->templates, "template") : NETWORK_NONE;

	if (found == NETWORK_NONE)
		return;
	c->template_used[found] = true;
	if (!c->template_bad[found])
		c->template_of[index] = found;
}

static void site_items(struct check *c, uint32_t index, struct site *site)
{
	struct site_item item = {0};

	while (!c->failed && check_site_item(c, index, &item))
		site_item_add(c, item.at, site);
	item = (struct site_item){0};
	while (!c->failed && check_site_item(c, index, &item))
		if (item.at.node->kind == SYNTAX_DEVICE)
			site_device_add(c, item.at.file, item.at.node, site);
}

void check_site(struct check *c, uint32_t index)
{
	struct statement s = c->site_at[index];
	struct site *site = &c->network.sites[index];
	const struct syntax_node *template = NULL;
	bool unknown;

	site_template(c, s, index);
	if (c->template_of[index] != NETWORK_NONE)
		template = c->template_at[c->template_of[index]].node;
	if (!site_alloc(c, s.node, template, site))
		return;
	site_head(c, s, site);
	site_items(c, index, site);
	if (template)
		site_tags(c, template, site);
	site_tags(c, s.node, site);
	unknown = !template && check_child(s.node, SYNTAX_USE);
	if (!site->uplink_count && !s.node->broken && !unknown)
		diag_error(c->diags, check_at(s), "site '%s' has no uplink", site->name);
}

/* ---- keys ---- */

static bool key_read(struct check *c, struct statement s, enum syntax_kind kind, const char *what,
		     uint32_t site, uint8_t ret_key[static WG_KEY_LEN])
{
	const struct syntax_node *node = check_child(s.node, kind);
	int err;

	if (!node) {
		if (!s.node->broken)
			diag_error(c->diags, check_at(s), "the %s key is missing", what);
		return false;
	}
	if (wg_key_parse(node->text, ret_key) < 0) {
		diag_error(c->diags, syntax_place(s.file, node),
			   "this is no WireGuard key: 44 characters of base64");
		return false;
	}
	err = name_table_add(&c->keys, node->text, site);
	if (err == -TUYEN_EEXIST)
		diag_error(c->diags, syntax_place(s.file, node),
			   "this key is also one of site '%s'",
			   c->network.sites[name_table_find(&c->keys, node->text)].name);
	c->failed |= err == -TUYEN_ENOMEM;
	return true;
}

void check_keys(struct check *c, struct statement s)
{
	uint32_t index = check_name(c, s.file, s.node, &c->sites, "site");
	struct site *site;
	bool link, session;

	if (index == NETWORK_NONE)
		return;
	if (c->keys_at[index].node) {
		diag_error(c->diags, check_at(s), "site '%s' has keys already", s.node->text);
		diag_note(c->diags, check_at(c->keys_at[index]), "the others");
		return;
	}
	c->keys_at[index] = s;
	site = &c->network.sites[index];
	check_once(c, s.file, s.node);
	link = key_read(c, s, SYNTAX_LINK_KEY, "link", index, site->link_key);
	session = key_read(c, s, SYNTAX_SESSION_KEY, "session", index, site->session_key);
	site->has_keys = link && session;
}

static void topology_missing_keys(struct check *c)
{
	uint32_t first = NETWORK_NONE;
	size_t missing = 0;

	for (uint32_t i = 0; i < c->network.site_count; i++) {
		if (c->keys_at[i].node || c->site_at[i].node->broken)
			continue;
		if (c->flags & CHECK_NEED_KEYS)
			diag_error(c->diags, check_at(c->site_at[i]), "site '%s' has no keys",
				   c->network.sites[i].name);
		else if (!missing++)
			first = i;
	}
	if (check_unlawful(c))
		return; /* there is enough to do */
	if (missing == 1)
		diag_warning(c->diags, check_at(c->site_at[first]), "missing-keys",
			     "site '%s' has no keys", c->network.sites[first].name);
	else if (missing)
		diag_warning(c->diags, check_at(c->site_at[first]), "missing-keys",
			     "site '%s' and %zu more have no keys", c->network.sites[first].name,
			     missing - 1);
}

/* ---- what needs all sites ---- */

static void topology_ids(struct check *c)
{
	uint32_t *owner = check_alloc(c, SITE_ID_MAX + 1, sizeof(*owner)); /* index + 1 */

	if (!owner)
		return;
	for (uint32_t i = 0; i < c->network.site_count; i++) {
		const struct syntax_node *id = check_child(c->site_at[i].node, SYNTAX_ID);
		uint32_t value = c->network.sites[i].id;

		if (!id || id->number != value)
			continue;
		if (value >= c->network.srgb.size)
			diag_error(c->diags, syntax_place(c->site_at[i].file, id),
				   "id %u needs label %llu, but there are only %u labels", value,
				   (unsigned long long)c->network.srgb.base + value,
				   c->network.srgb.size);
		if (!owner[value]) {
			owner[value] = i + 1;
			continue;
		}
		diag_error(c->diags, syntax_place(c->site_at[i].file, id),
			   "id %u is that of site '%s'", value,
			   c->network.sites[owner[value] - 1].name);
		diag_note(c->diags, check_at(c->site_at[owner[value] - 1]), "the other site %u",
			  value);
	}
	free(owner);
}

/* A parent or backup stands above its child. @return whether it does. */
static bool hierarchy_above(struct check *c, uint32_t index, uint32_t above, enum syntax_kind kind)
{
	const struct network *n = &c->network;
	const struct site *site = &n->sites[index];
	const struct syntax_node *node;

	if (above == NETWORK_NONE)
		return true;
	if (site->tier == NETWORK_NONE || n->sites[above].tier == NETWORK_NONE)
		return false;
	if (n->sites[above].tier < site->tier)
		return true;
	node = check_child(c->site_at[index].node, kind);
	diag_error(c->diags, syntax_place(c->site_at[index].file, node),
		   "'%s' is of tier '%s', which does not stand above '%s'", node->text,
		   n->tiers[n->sites[above].tier], n->tiers[site->tier]);
	diag_note(c->diags, check_at(c->site_at[above]), "'%s' is declared here", node->text);
	return false;
}

static void topology_hierarchy(struct check *c)
{
	for (uint32_t i = 0; i < c->network.site_count; i++) {
		struct site *site = &c->network.sites[i];

		if (site->backup != NETWORK_NONE && site->backup == site->parent) {
			diag_error(c->diags,
				   syntax_place(c->site_at[i].file,
						check_child(c->site_at[i].node, SYNTAX_BACKUP)),
				   "the backup of site '%s' is its parent", site->name);
			site->backup = NETWORK_NONE;
		}
		if (!hierarchy_above(c, i, site->parent, SYNTAX_UNDER))
			site->parent = NETWORK_NONE;
		if (!hierarchy_above(c, i, site->backup, SYNTAX_BACKUP))
			site->backup = NETWORK_NONE;
	}
}

struct lan_entry {
	struct ipv4_prefix prefix;
	struct statement at;
	uint32_t site;
};

static int lan_prefix_compare(const struct lan_entry *a, const struct lan_entry *b)
{
	if (a->prefix.address != b->prefix.address)
		return a->prefix.address < b->prefix.address ? -1 : 1;
	if (a->prefix.length != b->prefix.length)
		return a->prefix.length < b->prefix.length ? -1 : 1;
	return 0;
}

static int lan_entry_compare(const void *left, const void *right)
{
	const struct lan_entry *a = left, *b = right;
	int order = lan_prefix_compare(a, b);

	if (order)
		return order;
	return a->site < b->site ? -1 : a->site > b->site;
}

static size_t lans_collect(const struct check *c, struct lan_entry *entries)
{
	size_t count = 0;

	for (uint32_t i = 0; i < c->network.site_count; i++) {
		const struct site *site = &c->network.sites[i];
		struct site_item item = {0};
		size_t said = 0;

		while (check_site_item(c, i, &item))
			if (item.at.node->kind == SYNTAX_LAN) {
				entries[count++] =
				    (struct lan_entry){item.at.node->prefix, item.at, i};
				said++;
			}
		if (said < site->lan_count) /* one that the plan gave */
			entries[count++] = (struct lan_entry){site->lans[said], c->site_at[i], i};
	}
	return count;
}

static bool lans_are_one(const struct lan_entry *a, const struct lan_entry *b)
{
	return a->prefix.address == b->prefix.address && a->prefix.length == b->prefix.length &&
	       a->site != b->site;
}

static const struct syntax_node *lan_shared(const struct lan_entry *e)
{
	return e->at.node->kind == SYNTAX_LAN ? check_child(e->at.node, SYNTAX_ADDRESS) : NULL;
}

/* Two gateways in one LAN: each has an address of its own there. */
static bool lans_share(struct check *c, const struct lan_entry *a, const struct lan_entry *b)
{
	const struct syntax_node *x = lan_shared(a), *y = lan_shared(b);

	if (!lans_are_one(a, b) || !x || !y)
		return false;
	if (strcmp(x->text, y->text) == 0) {
		diag_error(c->diags, syntax_place(b->at.file, y),
			   "gateway '%s' has this address in the LAN already",
			   c->network.sites[a->site].name);
		diag_note(c->diags, syntax_place(a->at.file, x), "the other gateway");
	}
	return true;
}

static void lan_shared_check(struct check *c, const struct lan_entry *e)
{
	const struct syntax_node *own = lan_shared(e);

	if (own && c->network.sites[e->site].tier != 0 &&
	    c->network.sites[e->site].tier != NETWORK_NONE)
		diag_error(c->diags, syntax_place(e->at.file, own),
			   "only sites of the first tier may share a LAN");
}

static void lans_compare(struct check *c, struct lan_entry *entries, size_t count)
{
	const struct lan_entry *widest = entries;
	char text[IPV4_PREFIX_STRLEN];

	qsort(entries, count, sizeof(*entries), lan_entry_compare);
	lan_shared_check(c, widest);
	for (size_t i = 1; i < count; i++) {
		const struct lan_entry *e = &entries[i];

		lan_shared_check(c, e);
		if (!ipv4_prefix_overlaps(widest->prefix, e->prefix)) {
			widest = e;
			continue;
		}
		if (lans_share(c, &entries[i - 1], e))
			continue;
		diag_error(c->diags, check_at(e->at), "this LAN overlaps %s of site '%s'",
			   ipv4_prefix_format(widest->prefix, text),
			   c->network.sites[widest->site].name);
		diag_note(c->diags, check_at(widest->at), "the other LAN");
		if (lans_are_one(widest, e) && c->network.sites[widest->site].tier == 0 &&
		    c->network.sites[e->site].tier == 0)
			diag_note(c->diags, check_at(e->at),
				  "gateways that take over for each other in one LAN say so, each "
				  "with its own address there: lan %s shared ADDRESS;",
				  ipv4_prefix_format(e->prefix, text));
	}
}

/*
 * Who takes over for a gateway does so in all their LANs: sites that share one share them all, or a
 * site elsewhere would have to use two of them at once, and one of it is chosen.
 */
struct lan_sets {
	struct lan_entry *entries; /* those that are shared, by site */
	uint32_t *first;	   /* a site each, and one behind the last */
	uint32_t
	    *compared; /* a site each: the one before it that has the same; itself: said already */
};

static int lan_entry_compare_sites(const void *left, const void *right)
{
	const struct lan_entry *a = left, *b = right;

	if (a->site != b->site)
		return a->site < b->site ? -1 : 1;
	return lan_prefix_compare(a, b);
}

/* Is there a LAN of @site that @other has not? @ret_lacking  set on true. */
static bool lan_lacking(const struct lan_sets *sets, uint32_t site, uint32_t other,
			const struct lan_entry **ret_lacking)
{
	uint32_t k = sets->first[other], end = sets->first[other + 1];

	for (uint32_t i = sets->first[site]; i < sets->first[site + 1]; i++) {
		const struct lan_entry *e = &sets->entries[i];

		while (k < end && lan_prefix_compare(&sets->entries[k], e) < 0)
			k++;
		if (k == end || lan_prefix_compare(&sets->entries[k], e) != 0) {
			*ret_lacking = e;
			return true;
		}
	}
	return false;
}

static void lan_lacking_say(struct check *c, const struct lan_entry *lacking,
			    const struct lan_entry *shared)
{
	char text[IPV4_PREFIX_STRLEN];

	diag_error(
	    c->diags, check_at(lacking->at),
	    "gateway '%s' shares %s with '%s', and not this LAN: gateways that share one LAN "
	    "share all their shared LANs",
	    c->network.sites[shared->site].name, ipv4_prefix_format(shared->prefix, text),
	    c->network.sites[lacking->site].name);
	diag_note(c->diags, check_at(shared->at), "the LAN that they share");
}

/* @a and @b are of one LAN, @a the one before @b. */
static void lan_sets_compare(struct check *c, struct lan_sets *sets, const struct lan_entry *a,
			     const struct lan_entry *b)
{
	uint32_t *compared = &sets->compared[b->site];
	const struct lan_entry *lacking;

	if (*compared == a->site || *compared == b->site)
		return;
	*compared = b->site;
	if (lan_lacking(sets, b->site, a->site, &lacking))
		lan_lacking_say(c, lacking, a);
	else if (lan_lacking(sets, a->site, b->site, &lacking))
		lan_lacking_say(c, lacking, b);
	else
		*compared = a->site;
}

static void lan_sets_fill(struct lan_sets *sets, const struct lan_entry *entries, size_t count,
			  size_t site_count)
{
	uint32_t shared = 0, site = 0;

	for (size_t i = 0; i < count; i++)
		if (lan_shared(&entries[i]))
			sets->entries[shared++] = entries[i];
	if (shared > 1)
		qsort(sets->entries, shared, sizeof(*entries), lan_entry_compare_sites);
	for (uint32_t i = 0; i < shared; i++)
		while (site <= sets->entries[i].site)
			sets->first[site++] = i;
	while (site <= site_count)
		sets->first[site++] = shared;
	memset(sets->compared, 0xff, site_count * sizeof(*sets->compared)); /* NETWORK_NONE */
}

/* @entries are sorted. */
static void lans_share_all(struct check *c, const struct lan_entry *entries, size_t count)
{
	size_t site_count = c->network.site_count;
	struct lan_sets sets = {
	    .entries = check_alloc(c, count, sizeof(*sets.entries)),
	    .first = check_alloc(c, site_count + 1, sizeof(*sets.first)),
	    .compared = check_alloc(c, site_count, sizeof(*sets.compared)),
	};

	if (sets.entries && sets.first && sets.compared) {
		lan_sets_fill(&sets, entries, count, site_count);
		for (size_t i = 1; i < count; i++)
			if (lans_are_one(&entries[i - 1], &entries[i]) &&
			    lan_shared(&entries[i - 1]) && lan_shared(&entries[i]))
				lan_sets_compare(c, &sets, &entries[i - 1], &entries[i]);
	}
	free(sets.entries);
	free(sets.first);
	free(sets.compared);
}

/* The LAN that @address lies in; @entries are sorted. NULL: none. */
static const struct lan_entry *lan_find(const struct lan_entry *entries, size_t count,
					ipv4_t address)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries[middle].prefix.address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && ipv4_prefix_contains(entries[low - 1].prefix, address) ? &entries[low - 1]
									     : NULL;
}

/* A carrier line inside a LAN: who has a session to the LAN would send the tunnel into itself. */
static void lan_uplink(struct check *c, const struct syntax_file *file,
		       const struct syntax_node *uplink, const struct lan_entry *entries,
		       size_t count)
{
	const struct syntax_node *node = check_child(uplink, SYNTAX_ADDRESS);
	char text[IPV4_PREFIX_STRLEN];
	const struct lan_entry *lan;
	ipv4_t address;

	if (!node || ipv4_parse(node->text, &address) < 0)
		return;
	lan = lan_find(entries, count, address);
	if (!lan)
		return;
	diag_error(c->diags, syntax_place(file, node),
		   "a carrier line cannot lie in a LAN: %s is one of site '%s'",
		   ipv4_prefix_format(lan->prefix, text), c->network.sites[lan->site].name);
	diag_note(c->diags, check_at(lan->at), "the LAN");
}

static void lans_against_uplinks(struct check *c, const struct lan_entry *entries, size_t count)
{
	for (uint32_t i = 0; i < c->network.site_count; i++) {
		struct site_item item = {0};

		while (check_site_item(c, i, &item))
			if (item.at.node->kind == SYNTAX_UPLINK)
				lan_uplink(c, item.at.file, item.at.node, entries, count);
	}
}

static void topology_lans(struct check *c)
{
	struct lan_entry *entries;
	size_t count = 0;

	for (size_t i = 0; i < c->network.site_count; i++)
		count += c->network.sites[i].lan_count;
	entries = check_alloc(c, count, sizeof(*entries));
	if (!entries)
		return;
	count = lans_collect(c, entries);
	if (count) {
		lans_compare(c, entries, count);
		lans_share_all(c, entries, count);
	}
	lans_against_uplinks(c, entries, count);
	free(entries);
}

struct endpoint_entry {
	struct ip_endpoint endpoint;
	struct statement at;
	uint32_t site;
};

static int endpoint_entry_compare(const void *left, const void *right)
{
	const struct endpoint_entry *a = left, *b = right;
	int order = memcmp(a->endpoint.address, b->endpoint.address, sizeof(a->endpoint.address));

	if (a->endpoint.family != b->endpoint.family)
		return a->endpoint.family < b->endpoint.family ? -1 : 1;
	if (order)
		return order;
	if (a->endpoint.port != b->endpoint.port)
		return a->endpoint.port < b->endpoint.port ? -1 : 1;
	return a->site < b->site ? -1 : a->site > b->site;
}

static size_t endpoints_collect(const struct check *c, struct endpoint_entry *entries)
{
	size_t count = 0;

	for (uint32_t i = 0; i < c->network.site_count; i++) {
		const struct site_uplink *u = c->network.sites[i].uplinks;
		struct site_item item = {0};

		while (check_site_item(c, i, &item)) {
			if (item.at.node->kind != SYNTAX_UPLINK)
				continue;
			if (u->endpoint.family)
				entries[count++] = (struct endpoint_entry){u->endpoint, item.at, i};
			u++;
		}
	}
	return count;
}

/* Sorted. @return NULL without memory. */
static struct endpoint_entry *endpoints_sorted(struct check *c, size_t *ret_count)
{
	struct endpoint_entry *entries;
	size_t count = 0;

	for (size_t i = 0; i < c->network.site_count; i++)
		count += c->network.sites[i].uplink_count;
	entries = check_alloc(c, count, sizeof(*entries));
	*ret_count = entries ? endpoints_collect(c, entries) : 0;
	if (*ret_count)
		qsort(entries, *ret_count, sizeof(*entries), endpoint_entry_compare);
	return entries;
}

/* Two uplinks cannot answer at the same address and port. */
static void topology_endpoints(struct check *c)
{
	size_t count;
	struct endpoint_entry *entries = endpoints_sorted(c, &count);

	for (size_t i = 1; i < count; i++) {
		const struct endpoint_entry *a = &entries[i - 1], *b = &entries[i];

		if (!ip_endpoint_equal(&a->endpoint, &b->endpoint))
			continue;
		diag_error(c->diags, check_at(b->at),
			   "site '%s' has an uplink with this address and port",
			   c->network.sites[a->site].name);
		diag_note(c->diags, check_at(a->at), "the other uplink");
	}
	free(entries);
}

void check_topology(struct check *c)
{
	topology_ids(c);
	topology_endpoints(c);
	topology_hierarchy(c);
	check_plan(c);
	topology_lans(c);
	topology_missing_keys(c);
}

/* ---- links ---- */

static uint32_t *pair_slot(const struct check *c, uint32_t a, uint32_t b, bool parallel)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;
	uint64_t hash = (low << 32 | high | (uint64_t)parallel << 63) * 0x9e3779b97f4a7c15u;
	size_t i = (size_t)(hash >> 32) & (c->pair_capacity - 1);

	while (c->links_by_pair[i]) {
		const struct link *l = &c->network.links[c->links_by_pair[i] - 1];

		if (l->parallel == parallel &&
		    ((l->a == a && l->b == b) || (l->a == b && l->b == a)))
			break;
		i = (i + 1) & (c->pair_capacity - 1);
	}
	return &c->links_by_pair[i];
}

uint32_t check_link_find(const struct check *c, uint32_t a, uint32_t b, bool parallel)
{
	uint32_t slot = *pair_slot(c, a, b, parallel);

	return slot ? slot - 1 : NETWORK_NONE;
}

uint32_t check_link_named(struct check *c, const struct syntax_file *file,
			  const struct syntax_node *node)
{
	const struct syntax_node *first = node->child, *second = first->next;
	bool parallel = check_child(node, SYNTAX_PARALLEL);
	uint32_t a = check_name(c, file, first, &c->sites, "site");
	uint32_t b = check_name(c, file, second, &c->sites, "site"), link;

	if (a == NETWORK_NONE || b == NETWORK_NONE)
		return NETWORK_NONE;
	link = check_link_find(c, a, b, parallel);
	if (link == NETWORK_NONE && !c->discarded)
		diag_error(c->diags, syntax_place(file, first),
			   "there is no %slink between '%s' and '%s'", parallel ? "parallel " : "",
			   first->text, second->text);
	return link;
}

/* The first uplinks of a common underlay, else the first of each. */
static void link_choose_uplinks(const struct network *n, struct link *l)
{
	const struct site *a = &n->sites[l->a], *b = &n->sites[l->b];

	l->uplink_a = l->uplink_b = 0;
	for (uint32_t i = 0; i < a->uplink_count; i++) {
		uint32_t other = site_uplink_find(b, a->uplinks[i].underlay);

		if (other == NETWORK_NONE)
			continue;
		l->uplink_a = i;
		l->uplink_b = other;
		return;
	}
}

/* NULL where the site has no such uplink or its underlay is unknown. */
static const struct underlay_class *link_underlay(const struct network *n, uint32_t site,
						  uint32_t uplink)
{
	const struct site *s = &n->sites[site];

	if (uplink >= s->uplink_count || s->uplinks[uplink].underlay == NETWORK_NONE)
		return NULL;
	return &n->underlays[s->uplinks[uplink].underlay];
}

static void link_defaults(const struct network *n, struct link *l)
{
	const struct underlay_class *a = link_underlay(n, l->a, l->uplink_a);
	const struct underlay_class *b = link_underlay(n, l->b, l->uplink_b);

	if (!a || !b)
		return;
	l->metric = a->metric > b->metric ? a->metric : b->metric;
	l->delay_us = a->delay_us > b->delay_us ? a->delay_us : b->delay_us;
	l->probe = probe_detection(a->probe) >= probe_detection(b->probe) ? a->probe : b->probe;
	l->mtu_bytes = a->mtu_bytes < b->mtu_bytes ? a->mtu_bytes : b->mtu_bytes;
}

/* @return the new link's index; @place is that of its first mention. */
static uint32_t link_add(struct check *c, uint32_t a, uint32_t b, bool parallel,
			 struct source_place place)
{
	uint32_t *slot = pair_slot(c, a, b, parallel), index = (uint32_t)c->network.link_count++;
	struct link *l = &c->network.links[index];

	*l = (struct link){.a = a,
			   .b = b,
			   .metric = METRIC_DEFAULT,
			   .mtu_bytes = MTU_DEFAULT,
			   .probe = {PROBE_DEFAULT_US, PROBE_DEFAULT_X},
			   .parallel = parallel,
			   .place = place};
	link_choose_uplinks(&c->network, l);
	link_defaults(&c->network, l);
	l->metric += parallel;
	*slot = index + 1;
	return index;
}

void check_links_implied(struct check *c)
{
	for (uint32_t i = 0; i < c->network.site_count; i++) {
		const struct site *site = &c->network.sites[i];

		if (site->parent != NETWORK_NONE)
			link_add(c, i, site->parent, false, site->place);
		if (site->backup != NETWORK_NONE)
			c->network.links[link_add(c, i, site->backup, false, site->place)].metric++;
	}
}

static void link_over_one(struct check *c, const struct syntax_file *file,
			  const struct syntax_node *name, uint32_t site, uint32_t *ret_uplink)
{
	uint32_t underlay = check_name(c, file, name, &c->underlays, "underlay");
	uint32_t uplink = site_uplink_find(&c->network.sites[site], underlay);

	if (underlay == NETWORK_NONE)
		return;
	if (uplink != NETWORK_NONE)
		*ret_uplink = uplink;
	else if (!c->site_at[site].node->broken) /* else it may be among what was not understood */
		diag_error(c->diags, syntax_place(file, name), "site '%s' has no uplink '%s'",
			   c->network.sites[site].name, name->text);
}

/* "over X, Y": X is the uplink of the site named first, @first. */
static void link_over(struct check *c, const struct syntax_file *file,
		      const struct syntax_node *over, uint32_t first, struct link *l)
{
	const struct syntax_node *x = over->child, *y = x->next ? x->next : x;
	bool swapped = l->a != first;

	link_over_one(c, file, swapped ? y : x, l->a, &l->uplink_a);
	link_over_one(c, file, swapped ? x : y, l->b, &l->uplink_b);
	link_defaults(&c->network, l);
}

static void link_amend(struct check *c, struct statement s, uint32_t first, struct link *l)
{
	const struct syntax_node *over = check_child(s.node, SYNTAX_OVER);
	bool backup = c->network.sites[l->a].backup == l->b;

	if (over) {
		link_over(c, s.file, over, first, l);
		l->metric += backup || l->parallel;
	}
	check_intern_all(c, s.node, SYNTAX_RISK, &c->risks, &c->network.risks,
			 &c->network.risk_count, &l->risks, &l->risk_count);
	for (const struct syntax_node *n = s.node->child; n; n = n->next) {
		if (n->kind == SYNTAX_METRIC)
			l->metric = metric_read(c, s.file, n);
		else if (n->kind == SYNTAX_DELAY)
			l->delay_us = delay_read(c, s.file, n);
		else if (n->kind == SYNTAX_PROBE)
			l->probe = check_probe(c, s.file, n);
		else if (n->kind == SYNTAX_MTU)
			l->mtu_bytes = mtu_read(c, s.file, n);
		else if (n->kind == SYNTAX_PREPARED)
			l->prepared = true;
		else if (n->kind == SYNTAX_FRESH)
			l->fresh = true;
	}
	if (l->prepared && l->fresh)
		diag_error(c->diags, syntax_place(s.file, check_child(s.node, SYNTAX_FRESH)),
			   "a link is prepared or fresh, not both");
}

static bool place_equal(struct source_place a, struct source_place b)
{
	return a.file == b.file && a.line == b.line && a.column == b.column;
}

void check_link(struct check *c, struct statement s)
{
	const struct syntax_node *first = s.node->child, *second = first->next;
	uint32_t a = check_name(c, s.file, first, &c->sites, "site");
	uint32_t b = check_name(c, s.file, second, &c->sites, "site"), index;
	struct link *l;

	bool parallel = check_child(s.node, SYNTAX_PARALLEL);

	check_once(c, s.file, s.node);
	if (a == NETWORK_NONE || b == NETWORK_NONE)
		return;
	if (a == b) {
		diag_error(c->diags, syntax_place(s.file, second), "a site has no link to itself");
		return;
	}
	index = check_link_find(c, a, b, parallel);
	if (index == NETWORK_NONE)
		index = link_add(c, a, b, parallel, check_place(c, s.file, s.node));
	l = &c->network.links[index];
	if (!place_equal(l->place, check_place(c, s.file, s.node)) &&
	    (parallel || !place_equal(l->place, c->network.sites[l->a].place))) {
		diag_error(c->diags, check_at(s),
			   "the %slink between '%s' and '%s' was described already",
			   parallel ? "parallel " : "", first->text, second->text);
		return;
	}
	l->place = check_place(c, s.file, s.node);
	link_amend(c, s, a, l);
}

static struct diag_place link_at(const struct check *c, const struct link *l)
{
	const struct syntax_file *file = c->files[l->place.file];
	uint32_t offset = file->source.line_starts[l->place.line - 1], line, column = 0;

	while (column < l->place.column) {
		diag_source_locate(&file->source, offset, &line, &column);
		if (column < l->place.column)
			offset++;
	}
	return (struct diag_place){&file->source, offset, 1};
}

static void link_swap(struct link *l)
{
	*l = (struct link){.a = l->b,
			   .b = l->a,
			   .uplink_a = l->uplink_b,
			   .uplink_b = l->uplink_a,
			   .metric = l->metric,
			   .delay_us = l->delay_us,
			   .probe = l->probe,
			   .mtu_bytes = l->mtu_bytes,
			   .risks = l->risks,
			   .risk_count = l->risk_count,
			   .prepared = l->prepared,
			   .fresh = l->fresh,
			   .parallel = l->parallel,
			   .place = l->place};
}

static int risk_compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* What a line shares, every link over it shares. */
static void link_risks(struct check *c, struct link *l)
{
	const struct site *ends[2] = {&c->network.sites[l->a], &c->network.sites[l->b]};
	const uint32_t uplinks[2] = {l->uplink_a, l->uplink_b};
	size_t kept = 0;

	for (int end = 0; end < 2; end++) {
		const struct site_uplink *u = uplinks[end] < ends[end]->uplink_count
						  ? &ends[end]->uplinks[uplinks[end]]
						  : NULL;
		uint32_t *more;

		if (!u || !u->risk_count)
			continue;
		more = realloc(l->risks, (l->risk_count + u->risk_count) * sizeof(*more));
		c->failed |= !more;
		if (!more)
			return;
		memcpy(more + l->risk_count, u->risks, u->risk_count * sizeof(*more));
		l->risks = more;
		l->risk_count += u->risk_count;
	}
	if (l->risk_count > 1)
		qsort(l->risks, l->risk_count, sizeof(*l->risks), risk_compare);
	for (size_t i = 0; i < l->risk_count; i++)
		if (!kept || l->risks[kept - 1] != l->risks[i])
			l->risks[kept++] = l->risks[i];
	l->risk_count = kept;
}

/* A group of one link says nothing: perhaps the other line's name is misspelt. */
static void risks_of_one(struct check *c)
{
	const struct network *n = &c->network;
	uint32_t *uses = check_alloc(c, n->risk_count, sizeof(*uses));

	for (size_t i = 0; uses && i < n->link_count; i++)
		for (size_t k = 0; k < n->links[i].risk_count; k++)
			uses[n->links[i].risks[k]]++;
	for (size_t i = 0; uses && i < n->link_count; i++)
		for (size_t k = 0; k < n->links[i].risk_count; k++)
			if (uses[n->links[i].risks[k]] == 1 && !check_unlawful(c))
				diag_warning(
				    c->diags, link_at(c, &n->links[i]), "single-risk",
				    "no other link shares the risk '%s' of the one between "
				    "'%s' and '%s'",
				    n->risks[n->links[i].risks[k]], n->sites[n->links[i].a].name,
				    n->sites[n->links[i].b].name);
	free(uses);
}

/* The caller calls an address: one end must have it, of a kind that the other end has too. */
static void link_caller(struct check *c, struct link *l)
{
	const struct site *a = &c->network.sites[l->a], *b = &c->network.sites[l->b];
	uint8_t from, to;

	if (!a->uplink_count || !b->uplink_count)
		return;
	from = a->uplinks[l->uplink_a].endpoint.family;
	to = b->uplinks[l->uplink_b].endpoint.family;
	if (!from && !to)
		diag_error(
		    c->diags, link_at(c, l),
		    "the link between '%s' and '%s' is dynamic on both ends: nobody can call",
		    a->name, b->name);
	else if (from && to && from != to)
		diag_error(
		    c->diags, link_at(c, l),
		    "the link between '%s' and '%s' has IPv%u on one end and IPv%u on the other",
		    a->name, b->name, from, to);
	else if (!to)
		link_swap(l);
}

/* ---- parallel links ---- */

static bool parallel_leaf(struct check *c, const struct link *l)
{
	const struct network *n = &c->network;
	uint32_t lowest = (uint32_t)n->tier_count - 1;
	bool a = n->sites[l->a].tier == lowest, b = n->sites[l->b].tier == lowest;

	if (a != b)
		return true;
	diag_error(c->diags, link_at(c, l),
		   "a parallel link joins a site of the lowest tier, '%s', to one of a higher",
		   n->tiers[lowest]);
	return false;
}

/* Two links over one line would be one. */
static void parallel_lines(struct check *c, const struct link *l)
{
	const struct network *n = &c->network;
	uint32_t ordinary = check_link_find(c, l->a, l->b, false);
	uint32_t leaf = n->sites[l->a].tier > n->sites[l->b].tier ? l->a : l->b;
	const struct link *o;

	if (ordinary == NETWORK_NONE) {
		diag_error(c->diags, link_at(c, l),
			   "there is no link between '%s' and '%s' to which this one is parallel",
			   n->sites[l->a].name, n->sites[l->b].name);
		return;
	}
	o = &n->links[ordinary];
	if ((o->a == leaf ? o->uplink_a : o->uplink_b) ==
	    (l->a == leaf ? l->uplink_a : l->uplink_b))
		diag_error(c->diags, link_at(c, l),
			   "the parallel link runs over the same line of '%s' as the other: say "
			   "'over'",
			   n->sites[leaf].name);
}

static void parallel_port(struct check *c, const struct link *l, uint32_t site)
{
	const struct network *n = &c->network;
	uint32_t port = network_listen_port(n, site) + 1u;

	if (port > UINT16_MAX || network_port_reserved(port) || port_among_sessions(n, port))
		diag_error(c->diags, link_at(c, l),
			   "parallel links of '%s' need the port above that of its links, %u, "
			   "which is taken or none",
			   n->sites[site].name, port);
}

/* Who is called at @endpoint by a parallel link is called at the port above, where @other answers. */
static void parallel_endpoint(struct check *c, const struct ip_endpoint *endpoint,
			      const struct endpoint_entry *other)
{
	const struct network *n = &c->network;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];

		if (!l->parallel || l->uplink_b >= n->sites[l->b].uplink_count ||
		    !ip_endpoint_equal(&n->sites[l->b].uplinks[l->uplink_b].endpoint, endpoint))
			continue;
		diag_error(c->diags, link_at(c, l),
			   "the parallel link calls '%s' at the port above that of its links, "
			   "where '%s' has an uplink",
			   n->sites[l->b].name, n->sites[other->site].name);
		diag_note(c->diags, check_at(other->at), "that uplink");
	}
}

static void parallel_endpoints(struct check *c)
{
	size_t count;
	struct endpoint_entry *entries = endpoints_sorted(c, &count);

	for (size_t i = 1; i < count; i++) {
		struct ip_endpoint above = entries[i - 1].endpoint;

		above.port++;
		if (ip_endpoint_equal(&above, &entries[i].endpoint))
			parallel_endpoint(c, &entries[i - 1].endpoint, &entries[i]);
	}
	free(entries);
}

/* The space of parallel links is nobody's only where there are any. */
static void parallel_space(struct check *c, const struct link *l)
{
	const struct network *n = &c->network;
	bool taken = ipv4_prefix_overlaps(n->parallel_space, n->link_space) ||
		     ipv4_prefix_overlaps(n->parallel_space, n->path_space);
	char text[IPV4_PREFIX_STRLEN];

	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		for (size_t k = 0; k < s->lan_count; k++)
			taken |= ipv4_prefix_overlaps(n->parallel_space, s->lans[k]);
		for (size_t k = 0; k < s->uplink_count; k++)
			taken |= s->uplinks[k].endpoint.family == 4 &&
				 ipv4_prefix_contains(
				     n->parallel_space,
				     (ipv4_t)s->uplinks[k].endpoint.address[0] << 24 |
					 (ipv4_t)s->uplinks[k].endpoint.address[1] << 16);
	}
	if (taken)
		diag_error(c->diags, link_at(c, l),
			   "the space of parallel links, %s, overlaps another space, a LAN or a "
			   "line's address: say 'network { parallel space ...; }'",
			   ipv4_prefix_format(n->parallel_space, text));
}

static void check_parallel_links(struct check *c)
{
	const struct link *first = NULL;

	for (size_t i = 0; i < c->network.link_count; i++) {
		const struct link *l = &c->network.links[i];

		if (!l->parallel)
			continue;
		first = first ? first : l;
		if (!c->network.tier_count || !parallel_leaf(c, l))
			continue;
		parallel_lines(c, l);
		parallel_port(c, l, l->a);
		parallel_port(c, l, l->b);
	}
	if (!first)
		return;
	parallel_space(c, first);
	parallel_endpoints(c);
	if (!label_node_sid(c->network.srgb, PARALLEL_ID + 1))
		diag_error(c->diags, link_at(c, first),
			   "parallel links need four blocks of %u labels from %u on: there are not "
			   "so many",
			   c->network.srgb.size, c->network.srgb.base);
	if (!check_unlawful(c))
		c->failed |= network_make_faces(&c->network) < 0;
}

void check_links(struct check *c)
{
	for (size_t i = 0; i < c->network.link_count; i++) {
		struct link *l = &c->network.links[i];

		link_caller(c, l);
		link_risks(c, l);
	}
	check_parallel_links(c);
	risks_of_one(c);
	check_use(c);
}
