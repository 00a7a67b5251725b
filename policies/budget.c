/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds up what watching costs. Each link's probes are charged to the two lines that it joins; each
 * path is walked, hop by hop, with the labels that are still on the packet there, and each hop
 * charged the same way. A label goes when its site is reached, but the last one stays on to the
 * end.
 */
#include "tuyen/policies/budget.h"

#include <stdlib.h>

#include "tuyen/topology/mtu.h"

#define DAY_US		86400000000u
#define WIREGUARD_BLOCK 16
#define IP_UDP		28
#define PADDED_BYTES	1416 /* see core/path_mtu.h */
#define PADDED_CARRIER	1500 /* a link's, with all headers */
#define PADDED_RARER	8    /* times, over a link itself */
#define PADDED_EVERY	128  /* intervals */
#define KEEPALIVES_DAY	(86400 / 25)
#define HANDSHAKES_DAY	(86400 / 120) /* REKEY_AFTER_TIME */

uint32_t budget_packet_bytes(enum budget_packet packet, struct budget_wrap wrap)
{
	static const uint32_t inner[] = {
	    [BUDGET_PROBE] = IP_UDP + 24,     [BUDGET_PADDED] = PADDED_BYTES,
	    [BUDGET_KEEPALIVE] = IP_UDP + 32, [BUDGET_INITIATION] = IP_UDP + 148,
	    [BUDGET_RESPONSE] = IP_UDP + 92,
	};
	uint32_t bytes;

	if (packet == BUDGET_PADDED_LINK)
		return PADDED_CARRIER;
	bytes = inner[packet];
	if (wrap.link_itself)
		return bytes + (wrap.carrier_ipv6 ? MTU_WIREGUARD_IPV6 - MTU_WIREGUARD_IPV4 : 0);
	if (wrap.in_lsp)
		bytes += MTU_MPLS_IN_IP + MTU_LABEL * wrap.labels;
	bytes = (bytes + WIREGUARD_BLOCK - 1) / WIREGUARD_BLOCK * WIREGUARD_BLOCK;
	return bytes + (wrap.carrier_ipv6 ? MTU_WIREGUARD_IPV6 : MTU_WIREGUARD_IPV4);
}

uint64_t budget_probes_day(struct probe_timers timers)
{
	uint64_t mean_us =
	    (uint64_t)timers.interval_us * (timers.multiplier == 1 ? 825 : 875) / 1000;

	return mean_us ? DAY_US / mean_us : 0;
}

static uint64_t padded_day(struct probe_timers timers)
{
	return timers.interval_us ? DAY_US / ((uint64_t)timers.interval_us * PADDED_EVERY) : 0;
}

/* ---- charging ----------------------------------------------------------------------- */

struct charge {
	const struct compile_result *result;
	const struct network *network;
	struct budget *budget;
};

static void flow_add(struct budget_flow *flow, uint64_t packets, uint64_t bytes)
{
	flow->packets_day += packets;
	flow->bytes_day += packets * bytes;
}

static struct budget_uplink *link_end(const struct charge *c, const struct link *l, uint32_t site)
{
	uint32_t uplink = site == l->a ? l->uplink_a : l->uplink_b;

	return &c->budget->uplinks[c->budget->uplink_first[site] + uplink];
}

static bool link_is_ipv6(const struct network *n, const struct link *l)
{
	return n->sites[l->b].uplinks[l->uplink_b].endpoint.family == 6;
}

static void link_charge(const struct charge *c, const struct link *l, uint32_t from,
			uint64_t packets, uint32_t bytes)
{
	struct budget_uplink *sender = link_end(c, l, from);
	struct budget_uplink *receiver = link_end(c, l, from == l->a ? l->b : l->a);

	flow_add(&sender->sent, packets, bytes);
	flow_add(&receiver->received, packets, bytes);
	flow_add(&c->budget->all, packets, bytes);
}

static void link_count(const struct charge *c, const struct link *l, uint32_t site)
{
	struct budget_uplink *u = link_end(c, l, site);
	uint64_t detect_us = (uint64_t)l->probe.interval_us * l->probe.multiplier;

	u->links++;
	if (detect_us > u->detect_us)
		u->detect_us = detect_us;
}

static void links_charge(const struct charge *c)
{
	for (size_t i = 0; i < c->network->link_count; i++) {
		const struct link *l = &c->network->links[i];
		struct budget_wrap wrap = {.carrier_ipv6 = link_is_ipv6(c->network, l)};
		uint32_t bytes = budget_packet_bytes(BUDGET_PROBE, wrap);

		link_count(c, l, l->a);
		link_count(c, l, l->b);
		link_charge(c, l, l->a, budget_probes_day(l->probe), bytes);
		link_charge(c, l, l->b, budget_probes_day(l->probe), bytes);
		bytes = budget_packet_bytes(BUDGET_PADDED_LINK, wrap);
		/* questions of its own, and answers to the other's */
		link_charge(c, l, l->a, 2 * (padded_day(l->probe) / PADDED_RARER), bytes);
		link_charge(c, l, l->b, 2 * (padded_day(l->probe) / PADDED_RARER), bytes);
		wrap.link_itself = true;
		link_charge(c, l, l->a, HANDSHAKES_DAY,
			    budget_packet_bytes(BUDGET_INITIATION, wrap));
		link_charge(c, l, l->b, HANDSHAKES_DAY, budget_packet_bytes(BUDGET_RESPONSE, wrap));
	}
}

/* ---- paths -------------------------------------------------------------------------- */

/* One path in one direction. */
struct walk {
	const uint32_t *way;
	uint32_t length;
	bool back;
	struct label_stack stack;
};

static uint32_t walk_site(const struct walk *w, uint32_t hop)
{
	return w->way[w->back ? w->length - 1 - hop : hop];
}

static void transit_add(const struct charge *c, const struct link *l, const struct walk *w,
			uint32_t hop, uint64_t bytes)
{
	/* between the ends: these are no faces */
	if (hop > 0)
		link_end(c, l, walk_site(w, hop))->transit_bytes_day += bytes;
	if (hop + 2 < w->length)
		link_end(c, l, walk_site(w, hop + 1))->transit_bytes_day += bytes;
}

static void walk_charge(const struct charge *c, const struct walk *w, enum budget_packet packet,
			uint64_t packets)
{
	uint8_t depth = w->stack.depth, top = 0;

	for (uint32_t hop = 0; hop + 1 < w->length; hop++) {
		uint32_t from = walk_site(w, hop), to = walk_site(w, hop + 1);
		uint32_t index = compile_link_find(c->result, from, to);
		const struct link *l = &c->network->links[index];
		struct budget_wrap wrap = {.in_lsp = true,
					   .labels = depth - top,
					   .carrier_ipv6 = link_is_ipv6(c->network, l)};
		uint32_t bytes = budget_packet_bytes(packet, wrap);

		link_charge(c, l, network_site_of(c->network, from), packets, bytes);
		transit_add(c, l, w, hop, packets * bytes);
		if (top + 1 < depth &&
		    w->stack.label[top] ==
			label_node_sid(c->network->srgb, c->network->sites[to].id))
			top++;
	}
}

static void pair_charge(const struct charge *c, const struct compile_pair *pair,
			struct budget_hub *hub)
{
	hub->sessions++;
	for (uint32_t i = 0; i < pair->path_count; i++) {
		const struct compile_path *p = compile_path(c->result, pair->path + i);
		struct walk out = {compile_path_way(c->result, p), p->way_length, false,
				   compile_path_stack(c->result, p, false)};
		struct walk back = {out.way, p->way_length, true,
				    compile_path_stack(c->result, p, true)};
		uint64_t probes = budget_probes_day(p->probe);

		hub->reflected_day += probes;
		walk_charge(c, &out, BUDGET_PROBE, probes);
		walk_charge(c, &back, BUDGET_PROBE, probes);
		walk_charge(c, &out, BUDGET_PADDED, padded_day(p->probe));
		walk_charge(c, &back, BUDGET_PADDED, padded_day(p->probe));
		if (i)
			continue;
		walk_charge(c, &out, BUDGET_KEEPALIVE, KEEPALIVES_DAY);
		walk_charge(c, &out, BUDGET_INITIATION, HANDSHAKES_DAY);
		walk_charge(c, &back, BUDGET_RESPONSE, HANDSHAKES_DAY);
	}
}

/* ---- sums --------------------------------------------------------------------------- */

uint64_t budget_uplink_bytes(const struct budget_uplink *uplink)
{
	return uplink->sent.bytes_day + uplink->received.bytes_day;
}

bool budget_uplink_exceeds(const struct budget_uplink *uplink, const struct network *network)
{
	uint64_t allowed = network->sites[uplink->site].uplinks[uplink->uplink].allowance_bytes_day;

	return allowed && budget_uplink_bytes(uplink) > allowed;
}

static void flow_join(struct budget_flow *sum, const struct budget_flow *more)
{
	sum->packets_day += more->packets_day;
	sum->bytes_day += more->bytes_day;
}

static void underlays_sum(const struct charge *c)
{
	struct budget *b = c->budget;

	for (size_t i = 0; i < c->network->underlay_count; i++) {
		struct probe_timers probe = c->network->underlays[i].probe;

		b->underlays[i] = (struct budget_underlay){
		    .probe_bytes_day = budget_probes_day(probe) *
				       budget_packet_bytes(BUDGET_PROBE, (struct budget_wrap){0}),
		    .detect_us = (uint64_t)probe.interval_us * probe.multiplier,
		    .busiest = NETWORK_NONE,
		};
	}
	for (uint32_t i = 0; i < b->uplink_count; i++) {
		const struct budget_uplink *u = &b->uplinks[i];
		struct budget_underlay *sum =
		    &b->underlays[c->network->sites[u->site].uplinks[u->uplink].underlay];

		sum->lines++;
		sum->links += u->links;
		flow_join(&sum->both, &u->sent);
		flow_join(&sum->both, &u->received);
		if (sum->busiest == NETWORK_NONE ||
		    budget_uplink_bytes(u) > budget_uplink_bytes(&b->uplinks[sum->busiest]))
			sum->busiest = i;
	}
}

/* Keeps the hubs that have a session, and adds up their lines. */
static void hubs_sum(const struct charge *c)
{
	struct budget *b = c->budget;

	for (uint32_t site = 0; site < c->network->site_count; site++) {
		struct budget_hub hub = b->hubs[site];

		if (!hub.sessions)
			continue;
		hub.site = site;
		for (uint32_t i = b->uplink_first[site]; i < b->uplink_first[site + 1]; i++) {
			flow_join(&hub.sent, &b->uplinks[i].sent);
			flow_join(&hub.received, &b->uplinks[i].received);
		}
		b->hubs[b->hub_count++] = hub;
	}
}

static bool budget_init(struct budget *b, const struct network *n)
{
	for (size_t i = 0; i < n->site_count; i++)
		b->uplink_count += n->sites[i].uplink_count;
	b->uplinks = calloc(b->uplink_count + 1, sizeof(*b->uplinks));
	b->uplink_first = calloc(n->site_count + 1, sizeof(*b->uplink_first));
	b->underlays = calloc(n->underlay_count + 1, sizeof(*b->underlays));
	b->hubs = calloc(n->site_count + 1, sizeof(*b->hubs));
	if (!b->uplinks || !b->uplink_first || !b->underlays || !b->hubs)
		return false;
	for (uint32_t site = 0, at = 0; site < n->site_count; site++) {
		for (uint32_t i = 0; i < n->sites[site].uplink_count; i++) {
			b->uplinks[at].site = site;
			b->uplinks[at++].uplink = i;
		}
		b->uplink_first[site + 1] = at;
	}
	return true;
}

int budget_compute(const struct compile_result *result, struct budget *ret_budget)
{
	struct budget budget = {0};
	struct charge c = {result, compile_source(result), &budget};

	if (!budget_init(&budget, c.network)) {
		budget_clear(&budget);
		return -TUYEN_ENOMEM;
	}
	links_charge(&c);
	for (size_t i = 0; i < compile_pair_count(result); i++) {
		const struct compile_pair *pair = compile_pair(result, i);

		pair_charge(&c, pair, &budget.hubs[pair->endpoint]);
	}
	underlays_sum(&c);
	hubs_sum(&c);
	*ret_budget = budget;
	return 0;
}

void budget_clear(struct budget *budget)
{
	free(budget->uplinks);
	free(budget->uplink_first);
	free(budget->underlays);
	free(budget->hubs);
	*budget = (struct budget){0};
}
