/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- strict order: no key twice --------------------------------------------------------- */

static int compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static void order_bad(struct audit *a, uint32_t site, enum audit_object object, size_t index,
		      const char *what, uint32_t key, bool twice)
{
	audit_find(a, AUDIT_ORDER, site, object, index, AUDIT_NOWHERE, "%s %u %s", what, key,
		   twice ? "stands twice" : "is not in its place");
}

static void order_neighbor(struct audit *a, uint32_t s, size_t i)
{
	const struct fwd_neighbor *n = &a->sites[s].neighbors[i];
	int o = i ? compare_u32(n[-1].site_id, n->site_id) : -1;

	if (o >= 0)
		order_bad(a, s, OBJECT_NEIGHBOR, i, "neighbour", n->site_id, o == 0);
	for (size_t k = 1; k < n->accept_count; k++) {
		char out[LABEL_STACK_STRLEN];

		o = label_stack_compare(&n->accept[k - 1], &n->accept[k]);
		if (o >= 0)
			audit_find(a, AUDIT_ORDER, s, OBJECT_NEIGHBOR, i, AUDIT_NOWHERE,
				   "the stack %s accepted from '%s' %s",
				   label_stack_format(&n->accept[k], out), n->name,
				   o == 0 ? "stands twice" : "is not in its place");
	}
}

static void order_peer(struct audit *a, uint32_t s, size_t i)
{
	const struct fwd_session_peer *p = &a->sites[s].peers[i];
	int o = i ? compare_u32(p[-1].color, p->color) : -1;

	if (o == 0)
		o = compare_u32(p[-1].site_id, p->site_id);
	if (o >= 0)
		order_bad(a, s, OBJECT_PEER, i, "peer", p->site_id, o == 0);
}

static void orders_of_site(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	int o;

	for (size_t i = 0; i < f->neighbor_count; i++)
		order_neighbor(a, s, i);
	for (size_t i = 1; i < f->label_count; i++)
		if ((o = compare_u32(f->labels[i - 1].in_label, f->labels[i].in_label)) >= 0)
			order_bad(a, s, OBJECT_LABEL, i, "label", f->labels[i].in_label, o == 0);
	for (size_t i = 1; i < f->path_count; i++)
		if ((o = compare_u32(f->paths[i - 1].index, f->paths[i].index)) >= 0)
			order_bad(a, s, OBJECT_PATH, i, "path", f->paths[i].index, o == 0);
	for (size_t i = 1; i < f->return_count; i++)
		if ((o = compare_u32(f->returns[i - 1].destination, f->returns[i].destination)) >=
		    0)
			order_bad(a, s, OBJECT_RETURN, i, "return to site", f->returns[i].site_id,
				  o == 0);
	for (size_t i = 1; i < f->session_count; i++)
		if ((o = compare_u32(f->sessions[i - 1].color, f->sessions[i].color)) >= 0)
			order_bad(a, s, OBJECT_SESSION, i, "session", f->sessions[i].color, o == 0);
	for (size_t i = 0; i < f->peer_count; i++)
		order_peer(a, s, i);
}

void audit_orders(struct audit *a)
{
	for (uint32_t s = 0; s < a->count; s++)
		orders_of_site(a, s);
}

/* ---- a bundle for itself ---------------------------------------------------------------- */

static bool prefix_equal(struct ipv4_prefix x, struct ipv4_prefix y)
{
	return x.address == y.address && x.length == y.length;
}

static void identity_number(struct audit *a, uint32_t s, enum audit_object object, const char *what,
			    uint32_t have, uint32_t want)
{
	if (have != want)
		audit_find(a, AUDIT_IDENTITY, s, object, 0, AUDIT_NOWHERE,
			   "'%s' has %s %u, and should have %u", audit_name(a, s), what, have,
			   want);
}

static void identity_address(struct audit *a, uint32_t s, const char *what, ipv4_t have,
			     ipv4_t want)
{
	char h[IPV4_STRLEN], w[IPV4_STRLEN];

	if (have != want)
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_ADDRESS, 0, AUDIT_NOWHERE,
			   "'%s' has %s address %s, and should have %s", audit_name(a, s), what,
			   ipv4_format(have, h), ipv4_format(want, w));
}

static bool has_prefix(const struct ipv4_prefix *list, size_t count, struct ipv4_prefix p)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_equal(list[i], p))
			return true;
	return false;
}

static void identity_lans(struct audit *a, uint32_t s, const struct site *want)
{
	const struct forwarding *f = &a->sites[s];
	char out[IPV4_PREFIX_STRLEN];
	bool inside = !f->lan_address;

	for (size_t i = 0; i < f->lan_count; i++) {
		inside |= ipv4_prefix_contains(f->lans[i], f->lan_address);
		if (!has_prefix(want->lans, want->lan_count, f->lans[i]))
			audit_find(a, AUDIT_IDENTITY, s, OBJECT_LAN, i, want->place,
				   "'%s' has the LAN %s, which the topology does not give it",
				   f->site, ipv4_prefix_format(f->lans[i], out));
	}
	for (size_t i = 0; i < want->lan_count; i++)
		if (!has_prefix(f->lans, f->lan_count, want->lans[i]))
			audit_find(a, AUDIT_IDENTITY, s, OBJECT_NONE, 0, want->place,
				   "'%s' lacks its LAN %s", f->site,
				   ipv4_prefix_format(want->lans[i], out));
	if (f->lan_shared != site_shares_lan(want))
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_ADDRESS, 0, want->place,
			   f->lan_shared ? "'%s' tracks no connections, as if it shared its LAN"
					 : "'%s' shares its LAN, and is not told so",
			   f->site);
	if (want->lan_count && site_lan_own(want, 0) && f->lan_address != site_lan_own(want, 0))
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_ADDRESS, 0, want->place,
			   "'%s' has not its own address in the LAN that it shares", f->site);
	if (!inside)
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_ADDRESS, 0, want->place,
			   "the LAN address of '%s' lies in none of its LANs", f->site);
}

static bool port_is_uplinks(const struct network *n, const struct site *site, uint16_t port)
{
	bool any = false;

	for (size_t i = 0; i < site->uplink_count; i++) {
		any |= site->uplinks[i].endpoint.family && site->uplinks[i].endpoint.port;
		if (site->uplinks[i].endpoint.family && site->uplinks[i].endpoint.port == port)
			return true;
	}
	return !any && port == n->link_port;
}

/* Where there is none, a parallel link does not work, and that is said. */
static void identity_of_link1(struct audit *a, uint32_t s)
{
	const struct network *n = a->network;
	const struct forwarding *f = &a->sites[s];
	ipv4_t address = network_link_address(n, PARALLEL_ID + f->site_id);

	if (f->parallel_address == address && f->parallel_port == f->link_port + 1 &&
	    prefix_equal(f->parallel_space, n->parallel_space))
		return;
	audit_find(a, AUDIT_IDENTITY, s, OBJECT_LINK1, 0, n->sites[a->intent[s]].place,
		   "link1 of '%s' has not the port, address or space that it should have", f->site);
}

static void identity_of_site(struct audit *a, uint32_t s)
{
	const struct network *n = a->network;
	const struct forwarding *f = &a->sites[s];
	const struct site *want = &n->sites[a->intent[s]];

	if (strcmp(f->site, want->name) != 0 || want->tier >= n->tier_count ||
	    strcmp(f->tier, n->tiers[want->tier]) != 0)
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_SITE, 0, want->place,
			   "site %u is called '%s' of tier '%s', and should be '%s' of '%s'",
			   f->site_id, f->site, f->tier, want->name,
			   want->tier < n->tier_count ? n->tiers[want->tier] : "?");
	identity_number(a, s, OBJECT_SRGB, "labels from", f->srgb.base, n->srgb.base);
	identity_number(a, s, OBJECT_SRGB, "a block of", f->srgb.size, n->srgb.size);
	identity_number(a, s, OBJECT_SITE, "label", f->own_label, n->srgb.base + f->site_id);
	identity_address(a, s, "link", f->link_address, network_link_address(n, f->site_id));
	identity_address(a, s, "node", f->node_address, network_path_address(n, f->site_id, 0));
	if (!prefix_equal(f->overlay[0], n->link_space) ||
	    !prefix_equal(f->overlay[1], n->path_space))
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_OVERLAY, 0, AUDIT_NOWHERE,
			   "'%s' takes other addresses for the overlay's than the network",
			   f->site);
	if (!port_is_uplinks(n, want, f->link_port))
		audit_find(a, AUDIT_IDENTITY, s, OBJECT_LINK0, 0, want->place,
			   "'%s' listens on port %u, which none of its uplinks has", f->site,
			   f->link_port);
	if (f->parallel_address)
		identity_of_link1(a, s);
	identity_lans(a, s, want);
}

/* Its own label on parallel links, or that one's twin. */
static bool label_of_face(const struct forwarding *f, uint32_t label)
{
	uint32_t face = PARALLEL_ID + f->site_id;

	return label == label_node_sid(f->srgb, face) || label == label_repair_sid(f->srgb, face);
}

/* The label that ends here, and no other. */
static void labels_of_site(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];

	for (size_t i = 0; i < f->label_count; i++) {
		const struct fwd_label_route *l = &f->labels[i];
		bool ours = l->in_label == f->own_label ||
			    l->in_label == label_repair_sid(f->srgb, f->site_id) ||
			    (f->parallel_address && label_of_face(f, l->in_label));

		if (l->in_label < LABEL_MIN || l->in_label > LABEL_MAX)
			audit_find(a, AUDIT_STACK, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   "'%s' routes %u, which is no label", f->site, l->in_label);
		if (ours != !l->next_site)
			audit_find(a, AUDIT_IDENTITY, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   l->next_site ? "'%s' sends its own label %u on"
						: "'%s' ends label %u, which is not its own",
				   f->site, l->in_label);
		if (!l->next_site)
			continue;
		if (l->repair.next_site && label_is_repair(f->srgb, l->in_label))
			audit_find(a, AUDIT_REPAIR, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   "'%s' repairs label %u, which is a detour itself: two could "
				   "send packets round",
				   f->site, l->in_label);
		if (!forwarding_neighbor(f, l->next_site))
			audit_find(a, AUDIT_BLACK_HOLE, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   "'%s' sends label %u to site %u, which is no neighbour", f->site,
				   l->in_label, l->next_site);
		if (!l->out.depth)
			audit_find(a, AUDIT_BLACK_HOLE, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   "'%s' takes label %u off and sends on what is below: a bare pop "
				   "loses it",
				   f->site, l->in_label);
	}
}

void audit_identities(struct audit *a)
{
	for (uint32_t s = 0; s < a->count; s++) {
		if (a->intent[s] == NETWORK_NONE)
			continue;
		identity_of_site(a, s);
		labels_of_site(a, s);
	}
}

/* ---- links, from both ends --------------------------------------------------------------- */

/* One end of a link that both bundles know. */
struct end {
	struct audit *a;
	uint32_t site, peer; /* in sites */
	size_t index;
	const struct forwarding *self, *other;
	const struct fwd_neighbor *n, *back; /* ours; the other's for us */
	const struct link *link;
	const struct site *self_want, *other_want;
	bool is_a;
};

#define END_FIND(e, kind, ...)                                                                     \
	audit_find((e)->a, (kind), (e)->site, OBJECT_NEIGHBOR, (e)->index, (e)->link->place,       \
		   __VA_ARGS__)

static bool end_key(const struct end *e)
{
	if (!e->other_want->has_keys ||
	    !memcmp(e->n->link_key, e->other_want->link_key, WG_KEY_LEN))
		return true;
	END_FIND(e, AUDIT_LINK_KEY, "'%s' knows '%s' by a link key that is not its", e->self->site,
		 e->other->site);
	return false;
}

static bool end_address(const struct end *e)
{
	char have[IPV4_STRLEN], want[IPV4_STRLEN];

	ipv4_t address = forwarding_link_address(e->other, e->n->site_id);

	if (e->n->link_address == address)
		return true;
	END_FIND(e, AUDIT_LINK_ADDRESS, "'%s' knows '%s' by link address %s, and it has %s",
		 e->self->site, e->other->site, ipv4_format(e->n->link_address, have),
		 ipv4_format(address, want));
	return false;
}

static bool end_names(const struct end *e)
{
	const struct site_uplink *u =
	    &e->self_want->uplinks[e->is_a ? e->link->uplink_a : e->link->uplink_b];

	char *face = e->link->parallel ? network_face_name(e->other_want->name) : NULL;
	const char *name = face ? face : e->other_want->name;

	if (strcmp(e->n->name, name) != 0)
		END_FIND(e, AUDIT_NEIGHBOR, "'%s' calls its neighbour %u '%s', and it is '%s'",
			 e->self->site, e->n->site_id, e->n->name, name);
	free(face);
	if (strcmp(e->n->underlay, e->a->network->underlays[u->underlay].name) != 0)
		END_FIND(e, AUDIT_NEIGHBOR, "'%s' reaches '%s' over '%s', and should over '%s'",
			 e->self->site, e->other->site, e->n->underlay,
			 e->a->network->underlays[u->underlay].name);
	return true;
}

static bool end_call_address(const struct end *e)
{
	const struct site_uplink *u = &e->other_want->uplinks[e->link->uplink_b];
	char have[IP_ENDPOINT_STRLEN];

	if (e->n->endpoint.family && e->n->endpoint.family == u->endpoint.family &&
	    !memcmp(e->n->endpoint.address, u->endpoint.address,
		    u->endpoint.family == 4 ? 4 : 16) &&
	    e->n->endpoint.port ==
		(e->link->parallel ? e->other->parallel_port : e->other->link_port))
		return true;
	END_FIND(e, AUDIT_LINK_CALL, "'%s' calls '%s' at %s, where it does not listen",
		 e->self->site, e->other->site, ip_endpoint_format(&e->n->endpoint, have));
	return false;
}

static bool end_call(const struct end *e)
{
	if (e->n->caller == e->back->caller && e->site < e->peer)
		END_FIND(e, AUDIT_LINK_CALL, "'%s' and '%s' %s each other", e->self->site,
			 e->other->site, e->n->caller ? "both call" : "both wait for");
	else if (e->n->caller != e->is_a && e->n->caller != e->back->caller && e->site < e->peer)
		END_FIND(e, AUDIT_LINK_CALL, "the wrong one of '%s' and '%s' calls", e->self->site,
			 e->other->site);
	if (e->n->caller == e->back->caller)
		return false;
	return !e->n->caller || !e->is_a || end_call_address(e);
}

static bool end_timers(const struct end *e)
{
	if (e->n->probe.interval_us != e->link->probe.interval_us ||
	    e->n->probe.multiplier != e->link->probe.multiplier)
		END_FIND(e, AUDIT_LINK_TIMERS,
			 "'%s' probes '%s' every %u us x %u, and should every %u us x %u",
			 e->self->site, e->other->site, e->n->probe.interval_us,
			 e->n->probe.multiplier, e->link->probe.interval_us,
			 e->link->probe.multiplier);
	return true;
}

/* What the carrier's line leaves for a packet on link0. */
static uint32_t link_carries(const struct audit *a, const struct link *l)
{
	const struct ip_endpoint *called = &a->network->sites[l->b].uplinks[l->uplink_b].endpoint;
	uint32_t cost = called->family == 6 ? MTU_WIREGUARD_IPV6 : MTU_WIREGUARD_IPV4;

	return l->mtu_bytes > cost ? l->mtu_bytes - cost : 0;
}

/* Nothing is sent over it yet: what it carries binds nobody else. */
static bool prepared_mtu(const struct end *e, uint32_t carries)
{
	if (e->n->link_mtu > carries || e->n->lsp_mtu + MTU_MPLS_IN_IP != e->n->link_mtu)
		END_FIND(e, AUDIT_MTU,
			 "'%s' would send packets of %u bytes, %u of them labelled, to '%s' over a "
			 "prepared line that carries %u",
			 e->self->site, e->n->link_mtu, e->n->lsp_mtu, e->other->site, carries);
	return true;
}

/* Of the device that leads to parallel links, or to the others. */
static uint32_t device_mtu(const struct forwarding *f, bool parallel)
{
	return parallel ? f->parallel_mtu : f->link_mtu;
}

static bool end_mtu(const struct end *e)
{
	uint32_t carries = link_carries(e->a, e->link);
	uint32_t self_mtu = device_mtu(e->self, e->link->parallel);
	uint32_t other_mtu = device_mtu(e->other, e->link->parallel);

	if (e->link->prepared)
		return prepared_mtu(e, carries);
	if (e->n->link_mtu > carries || self_mtu > carries)
		END_FIND(e, AUDIT_MTU,
			 "'%s' sends packets of %u bytes to '%s', the line carries %u",
			 e->self->site, e->n->link_mtu > self_mtu ? e->n->link_mtu : self_mtu,
			 e->other->site, carries);
	else if (e->n->link_mtu > self_mtu || e->n->link_mtu > other_mtu)
		END_FIND(e, AUDIT_MTU, "'%s' sends packets of %u bytes to '%s', its link0 has %u",
			 e->self->site, e->n->link_mtu, e->other->site,
			 self_mtu < other_mtu ? self_mtu : other_mtu);
	else if (e->n->link_mtu < self_mtu && e->n->link_mtu < other_mtu)
		END_FIND(e, AUDIT_MTU,
			 "'%s' sends packets of only %u bytes to '%s', both their link0 carry more",
			 e->self->site, e->n->link_mtu, e->other->site);
	if (e->n->lsp_mtu + MTU_MPLS_IN_IP > e->n->link_mtu)
		END_FIND(
		    e, AUDIT_MTU,
		    "'%s' sends labelled packets of %u bytes to '%s': with %d more they exceed "
		    "the link's %u",
		    e->self->site, e->n->lsp_mtu, e->other->site, MTU_MPLS_IN_IP, e->n->link_mtu);
	else if (e->n->lsp_mtu + MTU_MPLS_IN_IP < e->n->link_mtu)
		END_FIND(e, AUDIT_MTU,
			 "'%s' sends labelled packets of only %u bytes to '%s': the link carries "
			 "%u less %d",
			 e->self->site, e->n->lsp_mtu, e->other->site, e->n->link_mtu,
			 MTU_MPLS_IN_IP);
	return true;
}

/* @return whether packets cross. Timers and MTU matter elsewhere. */
static bool end_check(const struct end *e)
{
	static bool (*const checks[])(const struct end *) = {
	    end_key, end_address, end_names, end_call, end_timers, end_mtu,
	};
	bool works = true;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		works &= checks[i](e);
	return works;
}

static void adjacency_match(struct audit *a, uint32_t s, size_t index, uint32_t *accept)
{
	const struct fwd_neighbor *n = &a->sites[s].neighbors[index];
	struct adjacency *j = &a->adjacencies[a->adjacency_first[s] + index];

	*j = (struct adjacency){s,
				audit_site_by_id(a, forwarding_id_site(n->site_id)),
				NETWORK_NONE,
				NETWORK_NONE,
				*accept,
				false};
	*accept += (uint32_t)n->accept_count;
	if (j->peer == NETWORK_NONE)
		return;
	j->reverse =
	    audit_adjacency(a, j->peer, forwarding_id_back(n->site_id, a->sites[s].site_id));
	if (a->intent[s] != NETWORK_NONE && a->intent[j->peer] != NETWORK_NONE)
		j->link = audit_link(a, a->intent[s], a->intent[j->peer],
				     forwarding_id_parallel(n->site_id));
}

static void adjacency_check(struct audit *a, uint32_t s, size_t index)
{
	struct adjacency *j = &a->adjacencies[a->adjacency_first[s] + index];
	const struct forwarding *f = &a->sites[s];
	const struct fwd_neighbor *n = &f->neighbors[index];
	struct end e = {.a = a, .site = s, .peer = j->peer, .index = index, .self = f, .n = n};

	if (j->peer == NETWORK_NONE || j->link == NETWORK_NONE) {
		audit_find(a, AUDIT_NEIGHBOR, s, OBJECT_NEIGHBOR, index, AUDIT_NOWHERE,
			   "'%s' has a neighbour '%s' (%u) without a link in the topology", f->site,
			   n->name, n->site_id);
		return;
	}
	if (j->reverse == NETWORK_NONE)
		return; /* said by links_both_ends() */
	e.other = &a->sites[j->peer];
	e.back = &e.other->neighbors[j->reverse - a->adjacency_first[j->peer]];
	e.link = &a->network->links[j->link];
	e.self_want = &a->network->sites[a->intent[s]];
	e.other_want = &a->network->sites[a->intent[j->peer]];
	e.is_a = e.link->a == a->intent[s];
	j->works = end_check(&e);
}

/* A device has one MTU: what the narrowest of the lines under it carries. */
static void device_check(struct audit *a, uint32_t s, bool parallel)
{
	const struct forwarding *f = &a->sites[s];
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < f->neighbor_count; i++) {
		uint32_t link = a->adjacencies[a->adjacency_first[s] + i].link;
		const struct link *l = link == NETWORK_NONE ? NULL : &a->network->links[link];
		uint32_t carries =
		    !l || l->prepared || l->parallel != parallel ? UINT32_MAX : link_carries(a, l);

		least = carries < least ? carries : least;
	}
	if (least != UINT32_MAX && device_mtu(f, parallel) < least)
		audit_find(a, AUDIT_MTU, s, parallel ? OBJECT_LINK1 : OBJECT_LINK0, 0,
			   AUDIT_NOWHERE,
			   "link%d of '%s' takes packets of only %u bytes, and its lines carry %u",
			   parallel, f->site, device_mtu(f, parallel), least);
}

static void links_both_ends(struct audit *a)
{
	const struct network *n = a->network;

	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];
		uint32_t ends[2] = {audit_site_by_id(a, n->sites[l->a].id),
				    audit_site_by_id(a, n->sites[l->b].id)};

		for (int k = 0; k < 2; k++) {
			if (ends[k] == NETWORK_NONE || ends[1 - k] == NETWORK_NONE ||
			    forwarding_neighbor(&a->sites[ends[k]],
						a->sites[ends[1 - k]].site_id +
						    (l->parallel ? PARALLEL_ID : 0)))
				continue;
			audit_find(a, AUDIT_NEIGHBOR, ends[k], OBJECT_NONE, 0, l->place,
				   "'%s' does not know its neighbour '%s%s'",
				   audit_name(a, ends[k]), audit_name(a, ends[1 - k]),
				   network_link_suffix(l));
		}
	}
}

void audit_links(struct audit *a)
{
	uint32_t accept = 0;

	for (uint32_t s = 0; s < a->count; s++)
		for (size_t i = 0; i < a->sites[s].neighbor_count; i++)
			adjacency_match(a, s, i, &accept);
	for (uint32_t s = 0; s < a->count; s++)
		for (size_t i = 0; i < a->sites[s].neighbor_count; i++)
			adjacency_check(a, s, i);
	for (uint32_t s = 0; s < a->count; s++)
		for (int parallel = 0; parallel < 2; parallel++)
			device_check(a, s, parallel);
	links_both_ends(a);
	/* A link works from both ends or from none. */
	for (uint32_t j = 0; j < a->adjacency_first[a->count]; j++)
		if (a->adjacencies[j].reverse == NETWORK_NONE ||
		    !a->adjacencies[a->adjacencies[j].reverse].works)
			a->adjacencies[j].works = false;
}
