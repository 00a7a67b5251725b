/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From compiled forwarding state to what must stand in the kernel.
 *
 *	link0		WireGuard, a peer a neighbour; /32 of ours on it and a /32 route to each neighbour's
 *	link1		the same for parallel links: a peer is known by its key, and a site has one; with a preshared key that
 *			keeps its handshakes apart from link0's
 *	lsp<id>		MPLS-in-IP to that neighbour, with a filter of the label stacks it may send
 *	lsp<id>p	the same over its parallel link
 *	s<color>	WireGuard of one traffic class, its encrypted packets marked OUTER|color
 *	s<color>-<n>	the same to the n-th gateway of those that share a LAN; routes say which is used
 *	lo		node address, path addresses, LAN address
 *
 *	rule		leads to table		which holds
 *	CLASS|color	TABLE_CLASS + color	prefixes behind the session's peers, dev s<color>
 *	OUTER|color	TABLE_OUTER + color	each endpoint over the active path, src its path address
 *	from path src	TABLE_PROBE + index	the endpoint over that path, for its S-BFD
 *	(a link down)	TABLE_REPAIR + site id	ways back over that neighbour's link, led around it
 *	LINK		(several lines)		uplink.c
 *	(main)		254			neighbours, ways back to path addresses, prefixes of the first color
 *
 * To change the active path is to replace one route of TABLE_OUTER. To lead all ways back around a link is to add one
 * rule, whatever label stacks they have (make bench-hub). Nexthop objects cannot do that (they hold the stack
 * themselves), and a label of ours in front of each stack would send every packet through the stack twice.
 *
 * In main, prefixes of ours and of peers are also unreachable with a high metric: without their device a default route
 * must not carry them off in clear.
 *
 * rp_filter is 0 for all and our devices: the kernel takes the larger of "all" and the device's, and labelled packets
 * arrive on lo, sessions' packets on a device that main does not name. The nft table makes the checks that matter
 * instead. What comes by WireGuard has a source that the peer may have: AllowedIPs have said so, and none is the box's
 * own but where addresses conflict (conflict.c). So the kernel need not look for the way back (accept_local). On lo it
 * must, a hundredth of what a label costs: that look is what refuses a source that is the box's own, forged under a
 * label. A session's device forwards, for what comes in there goes on to a LAN; what comes in by a link ends here or has
 * a label, which asks for no forwarding. The LAN's own device is the box's, and known by no name.
 * net.mpls.conf.<lsp>.input is a sysctl of its own (and not set with the device), because the plan must open it after
 * the device's filter stands.
 *
 * A label's TTL is the packet's own, which WireGuard takes from net.ipv4.ip_default_ttl, or net.mpls.default_ttl where
 * net.mpls.ip_ttl_propagate is 0: either is the box's, and is raised where ways would end on the way. Whether it is the
 * one or the other harms none.
 */
#include "desired_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/core/repair.h"
#include "tuyen/topology/mtu.h"

#define TABLE_MAIN     DESIRED_TABLE_MAIN
#define METRIC_LAST    1000000
#define KEEPALIVE_S    25
#define ADJACENCY_TTL  64
#define TTL_LEAST      64 /* the kernel's own; no way of ours has as many hops */
#define PREFIX_HOST(a) ((struct ipv4_prefix){.address = (a), .length = 32})

void desired_adjacency_name(uint32_t neighbor_id, char out[static KERNEL_IFNAME_MAX])
{
	snprintf(out, KERNEL_IFNAME_MAX, "lsp%u%s", forwarding_id_site(neighbor_id),
		 forwarding_id_parallel(neighbor_id) ? "p" : "");
}

uint32_t desired_repair_table(uint32_t neighbor_id)
{
	return TUYEN_TABLE_REPAIR + forwarding_id_site(neighbor_id) +
	       (forwarding_id_parallel(neighbor_id) ? SITE_ID_MAX + 1u : 0);
}

void desired_session_name(uint32_t color, uint8_t slot, char out[static KERNEL_IFNAME_MAX])
{
	snprintf(out, KERNEL_IFNAME_MAX, slot ? "s%u-%u" : "s%u", color, slot + 1u);
}

uint8_t desired_session_ranks(const struct forwarding *f, uint32_t color)
{
	uint8_t ranks = 1;

	for (size_t i = 0; i < f->peer_count; i++)
		if (f->peers[i].color == color && f->peers[i].rank >= ranks)
			ranks = f->peers[i].rank + 1;
	return ranks;
}

/* The path is @folder/@device/@name, or @folder/@name when @device is NULL. */
static int sysctl_add(struct kernel_state *state, const char *folder, const char *device,
		      const char *name, uint32_t value, bool at_least)
{
	struct kernel_sysctl *sysctl = kernel_state_add_sysctl(state);

	if (!sysctl)
		return -TUYEN_ENOMEM;
	snprintf(sysctl->path, sizeof(sysctl->path), "%s/%s%s%s", folder, device ? device : "",
		 device ? "/" : "", name);
	sysctl->value = value;
	sysctl->at_least = at_least;
	return 0;
}

/* All node SIDs, and, where there is one, its last repair SID. */
static uint32_t labels_end(const struct forwarding *f)
{
	uint32_t end = f->srgb.base + f->srgb.size;

	if (f->label_count && f->labels[f->label_count - 1].in_label >= end)
		end = f->labels[f->label_count - 1].in_label + 1;
	return end;
}

static int node_sysctls(struct kernel_state *state, const struct forwarding *f)
{
	uint32_t labels = labels_end(f);
	int err = sysctl_add(state, "net/ipv4", NULL, "ip_forward", 1, false);

	if (err == 0)
		err = sysctl_add(state, "net/ipv4/conf", "all", "rp_filter", 0, false);
	if (err == 0)
		err = sysctl_add(state, "net/ipv4/conf", "lo", "rp_filter", 0, false);
	if (err == 0)
		err = sysctl_add(state, "net/mpls/conf", "lo", "input", 1, false);
	if (err == 0)
		err = sysctl_add(state, "net/mpls", NULL, "platform_labels",
				 labels > LABEL_MAX ? LABEL_MAX : labels, true);
	if (err == 0)
		err = sysctl_add(state, "net/mpls", NULL, "default_ttl", TTL_LEAST, true);
	if (err == 0)
		err = sysctl_add(state, "net/ipv4", NULL, "ip_default_ttl", TTL_LEAST, true);
	return err;
}

/* Own labels are popped over it, and the node's addresses are its. */
static int loopback_device(struct kernel_state *state)
{
	struct kernel_device *device = kernel_state_add_device(state);

	if (!device)
		return -TUYEN_ENOMEM;
	strcpy(device->name, "lo");
	device->kind = KERNEL_DEVICE_LOOPBACK;
	device->up = true;
	return 0;
}

static int device_sysctls(struct kernel_state *state, const struct kernel_device *device)
{
	char name[KERNEL_IFNAME_MAX];
	bool mpls = device->mpls_input;
	int err;

	memcpy(name, device->name, sizeof(name));
	err = sysctl_add(state, "net/ipv4/conf", name, "rp_filter", 0, false);
	if (err == 0)
		err = sysctl_add(state, "net/ipv6/conf", name, "disable_ipv6", 1, false);
	if (err == 0 && device->kind == KERNEL_DEVICE_WIREGUARD)
		err = sysctl_add(state, "net/ipv4/conf", name, "accept_local", 1, false);
	if (err == 0 && mpls)
		err = sysctl_add(state, "net/mpls/conf", name, "input", 1, false);
	return err;
}

static struct kernel_device *device_add(struct kernel_state *state, const char *name,
					const char *role, const char *detail)
{
	struct kernel_device *device = kernel_state_add_device(state);

	if (!device)
		return NULL;
	snprintf(device->name, sizeof(device->name), "%s", name);
	snprintf(device->alias, sizeof(device->alias), "%s%s %s", TUYEN_IFALIAS_PREFIX, role,
		 detail);
	device->up = true;
	return device;
}

static int link_device(struct kernel_state *state, const struct forwarding *f,
		       const struct node_keys *keys, bool parallel)
{
	struct kernel_device *device =
	    device_add(state, parallel ? PARALLEL_DEVICE : LINK_DEVICE,
		       parallel ? "parallel links of" : "links of", f->site);

	if (!device)
		return -TUYEN_ENOMEM;
	device->kind = KERNEL_DEVICE_WIREGUARD;
	device->mtu = parallel ? f->parallel_mtu : f->link_mtu;
	memcpy(device->private_key, keys->link, WG_KEY_LEN);
	device->listen_port = parallel ? f->parallel_port : f->link_port;
	return device_sysctls(state, device);
}

static int link_devices(struct kernel_state *state, const struct forwarding *f,
			const struct node_keys *keys)
{
	int err = link_device(state, f, keys, false);

	return err || !f->parallel_address ? err : link_device(state, f, keys, true);
}

static int address_add(struct kernel_state *state, const char *device, ipv4_t address)
{
	struct kernel_address *entry;

	if (!address)
		return 0;
	entry = kernel_state_add_address(state);
	if (!entry)
		return -TUYEN_ENOMEM;
	snprintf(entry->device, sizeof(entry->device), "%s", device);
	entry->prefix = PREFIX_HOST(address);
	return 0;
}

static int node_addresses(struct kernel_state *state, const struct forwarding *f)
{
	int err = address_add(state, LINK_DEVICE, f->link_address);

	if (err == 0)
		err = address_add(state, PARALLEL_DEVICE, f->parallel_address);
	if (err == 0)
		err = address_add(state, "lo", f->node_address);
	if (err == 0 && f->lan_address != f->node_address)
		err = address_add(state, "lo", f->lan_address);
	for (size_t i = 0; err == 0 && i < f->path_count; i++)
		err = address_add(state, "lo", f->paths[i].source);
	return err;
}

static struct kernel_route *route_add(struct kernel_state *state, uint32_t table,
				      struct ipv4_prefix destination, const char *device)
{
	struct kernel_route *route = kernel_state_add_route(state);

	if (!route)
		return NULL;
	route->table = table;
	route->destination = destination;
	snprintf(route->device, sizeof(route->device), "%s", device);
	return route;
}

static int neighbor_peer(struct kernel_state *state, const struct fwd_neighbor *n)
{
	struct kernel_peer *peer = kernel_state_add_peer(state);

	if (!peer)
		return -TUYEN_ENOMEM;
	strcpy(peer->device, desired_link_device(n->site_id));
	memcpy(peer->public_key, n->link_key, WG_KEY_LEN);
	if (forwarding_id_parallel(n->site_id))
		peer->preshared = KERNEL_PRESHARED_PARALLEL;
	if (n->caller) {
		peer->endpoint = n->endpoint;
		peer->keepalive_s = KEEPALIVE_S;
	}
	return kernel_peer_allow(peer, PREFIX_HOST(n->link_address));
}

static int neighbor_route(struct kernel_state *state, const struct forwarding *f,
			  const struct fwd_neighbor *n)
{
	struct kernel_route *route = route_add(state, TABLE_MAIN, PREFIX_HOST(n->link_address),
					       desired_link_device(n->site_id));

	if (!route)
		return -TUYEN_ENOMEM;
	route->link_scope = true;
	route->source = forwarding_link_address(f, n->site_id);
	return 0;
}

static int adjacency_device(struct kernel_state *state, const struct forwarding *f,
			    const struct fwd_neighbor *n)
{
	struct kernel_device *device;
	char name[KERNEL_IFNAME_MAX];

	desired_adjacency_name(n->site_id, name);
	device = device_add(state, name, "labels to", n->name);
	if (!device)
		return -TUYEN_ENOMEM;
	device->kind = KERNEL_DEVICE_MPLS_IN_IP;
	device->mtu = n->lsp_mtu;
	device->mpls_input = true;
	device->local = forwarding_link_address(f, n->site_id);
	device->remote = n->link_address;
	device->ttl = ADJACENCY_TTL;
	return device_sysctls(state, device);
}

static int adjacency_filter(struct kernel_state *state, const struct fwd_neighbor *n)
{
	struct kernel_label_filter *filter = kernel_state_add_filter(state);
	int err = 0;

	if (!filter)
		return -TUYEN_ENOMEM;
	desired_adjacency_name(n->site_id, filter->device);
	for (size_t i = 0; err == 0 && i < n->accept_count; i++)
		err = kernel_filter_accept(filter, &n->accept[i]);
	return err;
}

static int neighbor_build(struct kernel_state *state, const struct forwarding *f,
			  const struct fwd_neighbor *n)
{
	int err = neighbor_peer(state, n);

	if (err == 0)
		err = neighbor_route(state, f, n);
	if (err == 0)
		err = adjacency_device(state, f, n);
	if (err == 0)
		err = adjacency_filter(state, n);
	return err;
}

static int label_build(struct kernel_state *state, const struct forwarding *f,
		       const enum repair_link *repaired, const struct fwd_label_route *l)
{
	struct kernel_label_route *label = kernel_state_add_label(state);
	bool repair = repair_used(f, repaired, l->next_site, &l->repair);

	if (!label)
		return -TUYEN_ENOMEM;
	label->in_label = l->in_label;
	label->out = repair ? l->repair.out : l->out;
	if (l->next_site)
		desired_adjacency_name(repair ? l->repair.next_site : l->next_site, label->device);
	else
		strcpy(label->device, "lo");
	return 0;
}

/* The kernel takes the stack off a route's MTU (lwtunnel_headroom()); a repair's stack may be deeper than
 * the path's MTU has room for. */
static uint16_t labelled_mtu(const struct forwarding *f, uint32_t first_site,
			     const struct label_stack *stack, uint16_t mtu)
{
	const struct fwd_neighbor *n = forwarding_neighbor(f, first_site);
	uint32_t with = mtu + (uint32_t)MTU_LABEL * stack->depth;

	return n && with > n->lsp_mtu ? n->lsp_mtu : (uint16_t)with;
}

static int labelled_route(struct kernel_state *state, const struct forwarding *f, uint32_t table,
			  ipv4_t destination, uint32_t first_site, const struct label_stack *stack,
			  ipv4_t source, uint16_t mtu)
{
	char device[KERNEL_IFNAME_MAX];
	struct kernel_route *route;

	desired_adjacency_name(first_site, device);
	route = route_add(state, table, PREFIX_HOST(destination), device);
	if (!route)
		return -TUYEN_ENOMEM;
	route->source = source;
	route->push = *stack;
	route->mtu = labelled_mtu(f, first_site, stack, mtu);
	return 0;
}

static int rule_add(struct kernel_state *state, uint32_t priority, uint32_t fwmark, ipv4_t source,
		    uint32_t table)
{
	struct kernel_rule *rule = kernel_state_add_rule(state);

	if (!rule)
		return -TUYEN_ENOMEM;
	rule->priority = priority;
	rule->fwmark = fwmark;
	rule->fwmask = fwmark ? TUYEN_MARK_MASK : 0;
	if (source)
		rule->source = PREFIX_HOST(source);
	rule->table = table;
	return 0;
}

/* Its entry if the path is in use, else NULL. */
static const struct active_path *path_active(const struct active_paths *active,
					     const struct fwd_path *p)
{
	for (size_t i = 0; i < active->count; i++)
		if (active->entry[i].color == p->color &&
		    active->entry[i].endpoint_site == p->endpoint_site)
			return active->entry[i].index == p->index ? &active->entry[i] : NULL;
	return NULL;
}

/* What was measured, where that is less than what was compiled. */
static uint16_t mtu_measured(uint16_t compiled, uint16_t measured)
{
	return measured && measured < compiled ? measured : compiled;
}

/*
 * The kernel looks for an equal next hop in a hash that knows device, source and metric and not the
 * labels: thousands of ways back over one first hop would each be compared with all others (10,611
 * of them: six seconds). So each has a metric of its own, which decides nothing.
 */
uint32_t desired_return_metric(ipv4_t destination)
{
	return 1 + (destination & 0xffff);
}

static int return_route(struct kernel_state *state, const struct forwarding *f, uint32_t table,
			const struct fwd_return *r, bool repair)
{
	int err = labelled_route(state, f, table, r->destination,
				 repair ? r->repair.next_site : r->first_site,
				 repair ? &r->repair.out : &r->stack, f->node_address, r->mtu);

	if (err == 0)
		state->routes[state->route_count - 1].metric =
		    desired_return_metric(r->destination);
	return err;
}

/*
 * The way around, in the table of its first hop. It stands there ready; while that table is in use and
 * the repair's own link is down, the way itself stands there.
 */
static int return_repair(struct kernel_state *state, const struct forwarding *f,
			 const enum repair_link *repaired, const struct fwd_return *r)
{
	bool ready = repair_link_of(f, repaired, r->first_site) == REPAIR_LINK_USED;

	return return_route(state, f, desired_repair_table(r->first_site), r,
			    ready || repair_used(f, repaired, r->first_site, &r->repair));
}

static int return_build(struct kernel_state *state, const struct forwarding *f,
			const enum repair_link *repaired, const struct fwd_return *r)
{
	int err = return_route(state, f, TABLE_MAIN, r, false);

	return err || !r->repair.next_site ? err : return_repair(state, f, repaired, r);
}

static int path_routes(struct kernel_state *state, const struct forwarding *f,
		       const enum repair_link *repaired, const struct fwd_path *p,
		       const struct active_path *active)
{
	bool repair = repair_used(f, repaired, p->first_site, &p->repair);
	uint32_t first = repair ? p->repair.next_site : p->first_site;
	const struct label_stack *stack = repair ? &p->repair.out : &p->stack;
	int err = labelled_route(state, f, TUYEN_TABLE_PROBE + p->index, p->endpoint, first, stack,
				 p->source, p->mtu);

	if (err == 0 && active)
		err = labelled_route(state, f, TUYEN_TABLE_OUTER + p->color, p->endpoint, first,
				     stack, p->source, mtu_measured(p->mtu, active->mtu));
	return err;
}

static int path_build(struct kernel_state *state, const struct forwarding *f,
		      const enum repair_link *repaired, const struct fwd_path *p,
		      const struct active_path *active)
{
	int err = path_routes(state, f, repaired, p, active);

	if (err == 0)
		err = rule_add(state, TUYEN_RULE_PROBE + p->index, 0, p->source,
			       TUYEN_TABLE_PROBE + p->index);
	return err;
}

/*
 * WireGuard pads to 16 bytes, but not beyond its device's MTU; the far end's device knows only what
 * was compiled. What is sent from there must fit with its padding.
 */
static uint16_t session_mtu_of(uint16_t outer)
{
	return (uint16_t)((outer - MTU_WIREGUARD_IPV4) & ~15u);
}

/* The smallest that the paths in use by this device carry. */
static uint16_t session_mtu(const struct forwarding *f, const struct active_paths *active,
			    const struct fwd_session *s, uint8_t slot)
{
	uint16_t mtu = s->mtu;

	for (size_t i = 0; i < active->count; i++) {
		const struct active_path *a = &active->entry[i];
		const struct fwd_session_peer *p = forwarding_peer(f, a->color, a->endpoint_site);

		if (a->color == s->color && p && forwarding_peer_slot(f, p) == slot &&
		    a->mtu > MTU_WIREGUARD_IPV4)
			mtu = mtu_measured(mtu, session_mtu_of(a->mtu));
	}
	return mtu;
}

static bool color_has_paths(const struct forwarding *f, uint32_t color)
{
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].color == color)
			return true;
	return false;
}

static int session_device(struct kernel_state *state, const struct node_keys *keys,
			  const struct fwd_session *s, uint8_t rank, uint16_t mtu)
{
	struct kernel_device *device;
	char name[KERNEL_IFNAME_MAX];
	int err;

	desired_session_name(s->color, rank, name);
	device = device_add(state, name, "policy", s->policy);
	if (!device)
		return -TUYEN_ENOMEM;
	device->kind = KERNEL_DEVICE_WIREGUARD;
	device->mtu = mtu;
	memcpy(device->private_key, keys->session, WG_KEY_LEN);
	device->listen_port = forwarding_session_port(s, rank);
	device->fwmark = TUYEN_MARK_OUTER | s->color;
	err = device_sysctls(state, device);
	return err ? err : sysctl_add(state, "net/ipv4/conf", name, "forwarding", 1, false);
}

static int session_build(struct kernel_state *state, const struct forwarding *f,
			 const struct node_keys *keys, const struct active_paths *active,
			 const struct fwd_session *s)
{
	uint8_t ranks = desired_session_ranks(f, s->color);
	int err = 0;

	for (uint8_t rank = 0; err == 0 && rank < ranks; rank++)
		err = session_device(state, keys, s, rank, session_mtu(f, active, s, rank));
	if (err == 0)
		err = rule_add(state, TUYEN_RULE_CLASS + s->color, TUYEN_MARK_CLASS | s->color, 0,
			       TUYEN_TABLE_CLASS + s->color);
	if (err == 0 && color_has_paths(f, s->color))
		err = rule_add(state, TUYEN_RULE_OUTER + s->color, TUYEN_MARK_OUTER | s->color, 0,
			       TUYEN_TABLE_OUTER + s->color);
	return err;
}

static int session_peer(struct kernel_state *state, const struct forwarding *f,
			const struct fwd_session_peer *p)
{
	struct kernel_peer *peer = kernel_state_add_peer(state);
	int err = 0;

	if (!peer)
		return -TUYEN_ENOMEM;
	desired_session_name(p->color, forwarding_peer_slot(f, p), peer->device);
	memcpy(peer->public_key, p->session_key, WG_KEY_LEN);
	if (p->caller) {
		peer->endpoint.family = 4;
		for (int i = 0; i < 4; i++)
			peer->endpoint.address[i] = (uint8_t)(p->endpoint >> (24 - 8 * i));
		peer->endpoint.port = p->port;
		peer->keepalive_s = KEEPALIVE_S;
	}
	for (size_t i = 0; err == 0 && i < p->prefix_count; i++)
		err = kernel_peer_allow(peer, p->prefixes[i]);
	return err;
}

/* Does another peer lead to @prefix too? Asked of a head-end's peers alone, who are few. */
static bool prefix_is_shared(const struct forwarding *f, const struct fwd_session_peer *p,
			     struct ipv4_prefix prefix)
{
	for (size_t i = 0; i < f->peer_count; i++) {
		const struct fwd_session_peer *q = &f->peers[i];

		if (q->color != p->color || q->rank == p->rank)
			continue;
		for (size_t k = 0; k < q->prefix_count; k++)
			if (ipv4_prefix_overlaps(q->prefixes[k], prefix))
				return true;
	}
	return false;
}

/* Of several endpoints with one LAN one carries: the first, until something is in use. */
static bool peer_carries(const struct forwarding *f, const struct active_paths *active,
			 const struct fwd_session_peer *p, struct ipv4_prefix prefix)
{
	if (!p->caller || !prefix_is_shared(f, p, prefix))
		return true;
	for (size_t i = 0; i < active->count; i++)
		if (active->entry[i].color == p->color &&
		    active->entry[i].endpoint_site == p->site_id)
			return active->entry[i].carries;
	return p->rank == 0;
}

static int session_peer_routes(struct kernel_state *state, const struct forwarding *f,
			       const struct active_paths *active, const struct fwd_session_peer *p)
{
	char device[KERNEL_IFNAME_MAX];

	desired_session_name(p->color, forwarding_peer_slot(f, p), device);
	for (size_t i = 0; i < p->prefix_count; i++) {
		struct kernel_route *route;

		if (!peer_carries(f, active, p, p->prefixes[i]))
			continue;
		route = route_add(state, TUYEN_TABLE_CLASS + p->color, p->prefixes[i], device);
		if (!route)
			return -TUYEN_ENOMEM;
		route->source = f->lan_address;
	}
	return 0;
}

/* A prefix that main must know: behind a session of @color, or (0) one of our LANs. */
struct main_prefix {
	struct ipv4_prefix prefix;
	uint32_t color;
	uint8_t slot;
};

static int main_prefix_compare(const void *a, const void *b)
{
	const struct main_prefix *x = a, *y = b;
	int by_prefix = ipv4_prefix_compare(&x->prefix, &y->prefix);

	if (by_prefix)
		return by_prefix;
	return x->color < y->color ? -1 : x->color > y->color;
}

static int main_prefix_build(struct kernel_state *state, const struct forwarding *f,
			     const struct main_prefix *m)
{
	char device[KERNEL_IFNAME_MAX];
	struct kernel_route *route = route_add(state, TABLE_MAIN, m->prefix, "");

	if (!route)
		return -TUYEN_ENOMEM;
	route->type = KERNEL_ROUTE_UNREACHABLE;
	route->metric = METRIC_LAST;
	if (!m->color)
		return 0;
	desired_session_name(m->color, m->slot, device);
	route = route_add(state, TABLE_MAIN, m->prefix, device);
	if (!route)
		return -TUYEN_ENOMEM;
	route->source = f->lan_address;
	return 0;
}

static size_t main_prefixes_list(const struct forwarding *f, const struct active_paths *active,
				 struct main_prefix *ret_list)
{
	size_t count = 0;

	for (size_t i = 0; i < f->lan_count; i++)
		ret_list[count++] = (struct main_prefix){.prefix = f->lans[i]};
	for (size_t i = 0; i < f->peer_count; i++)
		for (size_t j = 0; j < f->peers[i].prefix_count; j++)
			if (peer_carries(f, active, &f->peers[i], f->peers[i].prefixes[j]))
				ret_list[count++] =
				    (struct main_prefix){f->peers[i].prefixes[j], f->peers[i].color,
							 forwarding_peer_slot(f, &f->peers[i])};
	if (count > 1)
		qsort(ret_list, count, sizeof(*ret_list), main_prefix_compare);
	return count;
}

static int main_prefixes_build(struct kernel_state *state, const struct forwarding *f,
			       const struct active_paths *active)
{
	size_t room = f->lan_count + 1, count;
	struct main_prefix *list;
	int err = 0;

	for (size_t i = 0; i < f->peer_count; i++)
		room += f->peers[i].prefix_count;
	list = calloc(room, sizeof(*list));
	if (!list)
		return -TUYEN_ENOMEM;
	count = main_prefixes_list(f, active, list);
	for (size_t i = 0; err == 0 && i < count; i++)
		if (!i || ipv4_prefix_compare(&list[i - 1].prefix, &list[i].prefix))
			err = main_prefix_build(state, f, &list[i]);
	free(list);
	return err;
}

/* The rule that leads all ways back over this neighbour's link around it. */
static int returns_rule(struct kernel_state *state, const struct forwarding *f,
			const enum repair_link *repaired, uint32_t site_id)
{
	if (repair_link_of(f, repaired, site_id) == REPAIR_LINK_USED)
		return 0;
	for (size_t i = 0; i < f->return_count; i++)
		if (f->returns[i].first_site == site_id && f->returns[i].repair.next_site)
			return rule_add(state, TUYEN_RULE_REPAIR, 0, 0,
					desired_repair_table(site_id));
	return 0;
}

static int transit_build(struct kernel_state *state, const struct forwarding *f,
			 const enum repair_link *repaired)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < f->neighbor_count; i++)
		err = neighbor_build(state, f, &f->neighbors[i]);
	for (size_t i = 0; err == 0 && i < f->label_count; i++)
		err = label_build(state, f, repaired, &f->labels[i]);
	for (size_t i = 0; err == 0 && i < f->return_count; i++)
		err = return_build(state, f, repaired, &f->returns[i]);
	for (size_t i = 0; err == 0 && i < f->neighbor_count; i++)
		err = returns_rule(state, f, repaired, f->neighbors[i].site_id);
	return err;
}

static int sessions_build(struct kernel_state *state, const struct forwarding *f,
			  const struct node_keys *keys, const struct active_paths *active,
			  const enum repair_link *repaired)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < f->path_count; i++)
		err =
		    path_build(state, f, repaired, &f->paths[i], path_active(active, &f->paths[i]));
	for (size_t i = 0; err == 0 && i < f->session_count; i++)
		err = session_build(state, f, keys, active, &f->sessions[i]);
	for (size_t i = 0; err == 0 && i < f->peer_count; i++)
		err = session_peer(state, f, &f->peers[i]);
	for (size_t i = 0; err == 0 && i < f->peer_count; i++)
		err = session_peer_routes(state, f, active, &f->peers[i]);
	if (err == 0)
		err = main_prefixes_build(state, f, active);
	return err;
}

/* The main table has the carrier's longer prefix first, and is not ours to clean. */
static int lan_ways_build(struct kernel_state *state, const struct desired_lines *lines)
{
	for (size_t i = 0; lines && i < lines->way_count; i++) {
		const struct desired_lan_way *way = &lines->way[i];
		struct kernel_route *route =
		    route_add(state, TUYEN_TABLE_LAN, way->part, way->device);

		if (!route)
			return -TUYEN_ENOMEM;
		route->gateway = way->gateway;
		route->source = way->source;
		route->link_scope = !way->gateway;
	}
	return lines && lines->way_count ? rule_add(state, TUYEN_RULE_LAN, 0, 0, TUYEN_TABLE_LAN)
					 : 0;
}

static int nft_build(struct kernel_state *state, const struct forwarding *f,
		     const struct desired_lines *lines)
{
	struct text text;

	text_init(&text);
	desired_nft(f, lines, &text);
	if (text.failed) {
		text_clear(&text);
		return -TUYEN_ENOMEM;
	}
	state->nft = text.bytes;
	return 0;
}

int desired_build(const struct forwarding *forwarding, const struct node_keys *keys,
		  const struct active_paths *active, struct kernel_state **ret_desired)
{
	return desired_build_repaired(forwarding, keys, active, NULL, NULL, ret_desired);
}

int desired_build_removed(struct kernel_state **ret_desired)
{
	struct kernel_state *state = kernel_state_new();
	int err =
	    state ? sysctl_add(state, "net/ipv4", NULL, "ip_forward", 0, false) : -TUYEN_ENOMEM;

	if (err == 0)
		err = sysctl_add(state, "net/ipv4/conf", "all", "accept_redirects", 0, false);
	if (err == 0)
		kernel_state_sort(state);
	if (err) {
		kernel_state_free(state);
		return err;
	}
	*ret_desired = state;
	return 0;
}

static bool repair_concerns(const struct fwd_repair *repair, uint32_t next_site, uint32_t site_id)
{
	return repair->next_site && (next_site == site_id || repair->next_site == site_id);
}

static bool another_repaired(const struct forwarding *f, const enum repair_link *repaired,
			     uint32_t site_id)
{
	for (size_t i = 0; repaired && i < f->neighbor_count; i++)
		if (f->neighbors[i].site_id != site_id && repaired[i] != REPAIR_LINK_USED)
			return true;
	return false;
}

/* The rule moves all of them; what stands ready for others changes only when two links are down. */
static int link_returns(struct kernel_state *state, const struct forwarding *f,
			const enum repair_link *repaired, uint32_t site_id)
{
	bool two = another_repaired(f, repaired, site_id);
	int err = returns_rule(state, f, repaired, site_id);

	for (size_t i = 0; two && err == 0 && i < f->return_count; i++)
		if (repair_concerns(&f->returns[i].repair, f->returns[i].first_site, site_id))
			err = return_repair(state, f, repaired, &f->returns[i]);
	return err;
}

static int link_build(struct kernel_state *state, const struct forwarding *f,
		      const struct active_paths *active, const enum repair_link *repaired,
		      uint32_t site_id)
{
	int err = 0;

	for (size_t i = 0; err == 0 && i < f->label_count; i++)
		if (repair_concerns(&f->labels[i].repair, f->labels[i].next_site, site_id))
			err = label_build(state, f, repaired, &f->labels[i]);
	if (err == 0)
		err = link_returns(state, f, repaired, site_id);
	for (size_t i = 0; err == 0 && i < f->path_count; i++)
		if (repair_concerns(&f->paths[i].repair, f->paths[i].first_site, site_id))
			err = path_routes(state, f, repaired, &f->paths[i],
					  path_active(active, &f->paths[i]));
	return err;
}

int desired_build_link(const struct forwarding *forwarding, const struct active_paths *active,
		       const enum repair_link *repaired, uint32_t site_id,
		       struct kernel_state **ret_routes)
{
	struct kernel_state *state = kernel_state_new();
	int err;

	if (!state)
		return -TUYEN_ENOMEM;
	err = link_build(state, forwarding, active, repaired, site_id);
	if (err < 0) {
		kernel_state_free(state);
		return err;
	}
	kernel_state_sort(state);
	*ret_routes = state;
	return 0;
}

int desired_build_repaired(const struct forwarding *forwarding, const struct node_keys *keys,
			   const struct active_paths *active, const enum repair_link *repaired,
			   const struct desired_lines *lines, struct kernel_state **ret_desired)
{
	struct kernel_state *state = kernel_state_new();
	int err;

	if (!state)
		return -TUYEN_ENOMEM;
	err = node_sysctls(state, forwarding);
	if (err == 0)
		err = loopback_device(state);
	if (err == 0)
		err = link_devices(state, forwarding, keys);
	if (err == 0)
		err = node_addresses(state, forwarding);
	if (err == 0)
		err = transit_build(state, forwarding, repaired);
	if (err == 0)
		err = sessions_build(state, forwarding, keys, active, repaired);
	if (err == 0)
		err = desired_queues(state, forwarding);
	if (err == 0)
		err = lan_ways_build(state, lines);
	if (err == 0)
		err = nft_build(state, forwarding, lines);
	if (err < 0) {
		kernel_state_free(state);
		return err;
	}
	kernel_state_sort(state);
	*ret_desired = state;
	return 0;
}

static const struct kernel_route *route_in_use(const struct fwd_path *p,
					       const struct kernel_state *actual)
{
	struct kernel_route key = {
	    .table = TUYEN_TABLE_OUTER + p->color,
	    .destination = PREFIX_HOST(p->endpoint),
	};
	const struct kernel_route *route;

	if (!actual->route_count)
		return NULL;
	route =
	    bsearch(&key, actual->routes, actual->route_count, sizeof(key), kernel_route_compare);
	return route && route->source == p->source ? route : NULL;
}

/* The neighbour to whom the route in use leads: while the path's own is gone around, that of the repair. */
static uint32_t first_in_use(const struct fwd_path *p, const struct kernel_route *route)
{
	char device[KERNEL_IFNAME_MAX];

	desired_adjacency_name(p->repair.next_site, device);
	return p->repair.next_site && !strcmp(route->device, device) ? p->repair.next_site
								     : p->first_site;
}

/* What an earlier life measured stands in its route; see labelled_mtu(). */
static uint16_t mtu_in_use(const struct forwarding *f, const struct fwd_path *p,
			   const struct kernel_route *route)
{
	uint32_t labels = (uint32_t)MTU_LABEL * route->push.depth;

	if (!route->mtu ||
	    route->mtu >= labelled_mtu(f, first_in_use(p, route), &route->push, p->mtu))
		return 0;
	return (uint16_t)(route->mtu - labels);
}

/* Do packets for the endpoint's LANs leave by its own device? Of a LAN that is its alone they always do. */
static bool endpoint_in_use(const struct forwarding *f, const struct fwd_path *p,
			    const struct kernel_state *actual)
{
	const struct fwd_session_peer *peer = forwarding_peer(f, p->color, p->endpoint_site);
	char device[KERNEL_IFNAME_MAX];

	desired_session_name(p->color, peer ? forwarding_peer_slot(f, peer) : 0, device);
	for (size_t i = 0; peer && i < peer->prefix_count; i++) {
		struct kernel_route key = {.table = TUYEN_TABLE_CLASS + p->color,
					   .destination = peer->prefixes[i]};
		const struct kernel_route *route;

		if (!prefix_is_shared(f, peer, peer->prefixes[i]) || !actual->route_count)
			continue;
		route = bsearch(&key, actual->routes, actual->route_count, sizeof(key),
				kernel_route_compare);
		return route && strcmp(route->device, device) == 0;
	}
	return true;
}

void desired_active_read(const struct forwarding *forwarding, const struct kernel_state *actual,
			 struct active_paths *ret_active)
{
	struct active_paths active = {.count = 0};

	for (size_t i = 0; i < forwarding->path_count && active.count < SITE_PATHS_MAX; i++) {
		const struct fwd_path *p = &forwarding->paths[i];
		const struct kernel_route *route = route_in_use(p, actual);

		if (route)
			active.entry[active.count++] = (struct active_path){
			    .color = p->color,
			    .endpoint_site = p->endpoint_site,
			    .index = p->index,
			    .carries = endpoint_in_use(forwarding, p, actual),
			    .mtu = mtu_in_use(forwarding, p, route),
			};
	}
	*ret_active = active;
}
