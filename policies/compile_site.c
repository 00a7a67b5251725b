/* SPDX-License-Identifier: Apache-2.0 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

/* A session of the site, of which it is the head-end or the other end. */
struct site_pair {
	const struct compile_pair *pair;
	bool head;
};

/*
 * What one site's writing needs. Its pairs are those of which it is the head, then those where it is the endpoint; a
 * gateway has ten thousands, and what is said of each policy's is found in one look at them.
 */
struct writer {
	const struct compile_result *r;
	const struct network *n;
	uint32_t site;
	struct forwarding *f;
	struct arena *arena; /* NULL: arrays of their own */
	struct site_pair *pairs;
	size_t pair_count;
	uint32_t *by_policy;	/* indexes of pairs, by policy and in their order */
	uint32_t *policy_first; /* policy_count + 1, into by_policy */
	uint32_t accept;	/* where the next neighbour's may begin */
	uint32_t accept_end;
	size_t rule_room;
	bool no_ways, failed;
	struct {
		uint32_t next;
		struct label_stack stack;
		struct fwd_repair repair;
	} known[4]; /* repairs that were found last: the next color's way back is often the same */
};

static void name_copy(char out[static NAME_MAX_BYTES + 1], const char *name)
{
	size_t length = name ? strnlen(name, NAME_MAX_BYTES) : 0;

	memcpy(out, name ? name : "", length);
	out[length] = '\0';
}

/* Whatever stands in it: who adds an object sets all of it. */
static void *array_new(struct writer *w, size_t count, size_t size)
{
	void *array = w->arena ? arena_alloc(w->arena, (count + 1) * size)
			       : reallocarray(NULL, count + 1, size);

	if (!array)
		w->failed = true;
	return array;
}

static void array_free(struct writer *w, void *array)
{
	if (!w->arena)
		free(array);
}

static void pairs_collect(struct writer *w)
{
	const struct compile_result *r = w->r;
	uint32_t head = r->head_first[w->site], head_end = r->head_first[w->site + 1];
	uint32_t other = r->endpoint_first[w->site], other_end = r->endpoint_first[w->site + 1];

	w->pair_count = head_end - head + other_end - other;
	w->pairs = array_new(w, w->pair_count, sizeof(*w->pairs));
	for (size_t i = 0; w->pairs && i < w->pair_count; i++) {
		bool is_head = i < head_end - head;
		uint32_t at =
		    is_head ? head + (uint32_t)i : r->endpoint_pairs[other + i - (head_end - head)];

		w->pairs[i] = (struct site_pair){&r->pairs[at], is_head};
	}
}

/* Deals them out to their policies. */
static void pairs_divide(struct writer *w)
{
	size_t policies = w->n->policy_count;
	uint32_t *first = w->policy_first = array_new(w, policies + 1, sizeof(*w->policy_first));

	w->by_policy = array_new(w, w->pair_count, sizeof(*w->by_policy));
	if (w->failed)
		return;
	memset(first, 0, (policies + 2) * sizeof(*first));
	for (size_t i = 0; i < w->pair_count; i++)
		first[w->pairs[i].pair->policy + 2]++;
	for (size_t p = 2; p <= policies + 1; p++)
		first[p] += first[p - 1];
	for (size_t i = 0; i < w->pair_count; i++)
		w->by_policy[first[w->pairs[i].pair->policy + 1]++] = (uint32_t)i;
}

/* A policy's pairs, one after the other. */
#define FOR_PAIRS(w, policy, pair)                                                                 \
	for (uint32_t at_ = (w)->policy_first[policy], end_ = (w)->policy_first[(policy) + 1];     \
	     at_ < end_ && ((pair) = &(w)->pairs[(w)->by_policy[at_]]); at_++)

static bool policy_used(const struct writer *w, uint32_t policy)
{
	return w->policy_first[policy] < w->policy_first[policy + 1];
}

static ipv4_t lan_first_host(struct ipv4_prefix lan)
{
	return lan.length >= 31 ? lan.address : lan.address + 1;
}

static ipv4_t lan_node_address(const struct site *s)
{
	return site_lan_own(s, 0) ? site_lan_own(s, 0) : lan_first_host(s->lans[0]);
}

/* The links of which the nodes know: prepared ones too. */
static const struct compile_result *links_of(const struct writer *w)
{
	return w->r->future ? w->r->future : w->r;
}

/* Of its link1: it leads from a leaf's face, or from a site to faces. 0: there is none. */
static uint16_t parallel_mtu(const struct compile_result *r, uint32_t site)
{
	uint32_t face = r->network->sites[site].face;

	return face ? r->link_mtu[face] : r->parallel_mtu[site];
}

static void write_parallel(struct writer *w)
{
	struct forwarding *f = w->f;

	if (!parallel_mtu(links_of(w), w->site))
		return;
	f->parallel_mtu = parallel_mtu(w->r, w->site);
	if (!f->parallel_mtu)
		f->parallel_mtu = parallel_mtu(links_of(w), w->site);
	f->parallel_address = network_link_address(w->n, PARALLEL_ID + f->site_id);
	f->parallel_port = f->link_port + 1;
	f->parallel_space = w->n->parallel_space;
}

static void write_site(struct writer *w)
{
	const struct site *s = &w->n->sites[w->site];
	struct forwarding *f = w->f;

	f->site_id = s->id;
	name_copy(f->site, s->name);
	name_copy(f->tier, w->n->tiers[s->tier]);
	f->srgb = w->n->srgb;
	f->own_label = sites_label(w->r, w->site);
	f->link_address = network_link_address(w->n, s->id);
	f->node_address = network_path_address(w->n, s->id, 0);
	f->lan_address = s->lan_count ? lan_node_address(s) : 0;
	f->lan_shared = site_shares_lan(s);
	f->overlay[0] = w->n->link_space;
	f->overlay[1] = w->n->path_space;
	f->link_port = network_listen_port(w->n, w->site);
	f->link_mtu = w->r->link_mtu[w->site];
	if (!f->link_mtu && w->r->future)
		f->link_mtu = w->r->future->link_mtu[w->site];
	write_parallel(w);
	f->lans = array_new(w, s->lan_count, sizeof(*f->lans));
	if (!f->lans)
		return;
	for (size_t i = 0; i < s->lan_count; i++)
		f->lans[f->lan_count++] = s->lans[i];
}

/* Neighbours come in the order of sites, as what is accepted of them does. */
static void neighbor_accept(struct writer *w, struct fwd_neighbor *n, uint32_t from)
{
	const struct compile_result *r = w->r;
	uint32_t first = w->accept, end = w->accept_end, count = 0;

	while (first < end && r->accepts[first].from < from)
		first++;
	while (first + count < end && r->accepts[first + count].from == from)
		count++;
	w->accept = first + count;
	n->accept = array_new(w, count, sizeof(*n->accept));
	if (!n->accept)
		return;
	for (; n->accept_count < count; n->accept_count++)
		n->accept[n->accept_count] =
		    compile_accept_stack(r, &r->accepts[first + n->accept_count]);
}

static struct ip_endpoint endpoint_of(const struct network *n, uint32_t site, uint32_t uplink,
				      bool parallel)
{
	struct ip_endpoint e = n->sites[site].uplinks[uplink].endpoint;

	if (!e.port)
		e.port = n->link_port;
	e.port += parallel;
	return e;
}

static uint16_t least(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

/* Over a prepared link only what watches it goes: the others stay as wide as they are. */
static uint16_t neighbor_mtu(const struct writer *w, uint32_t node, const struct near *near)
{
	return compile_link_room(w->n->links[near->link].prepared ? links_of(w) : w->r, node,
				 near->site);
}

/* By which @node, the site or its face, knows its neighbour @other. */
static uint32_t neighbor_id(const struct writer *w, uint32_t node, uint32_t other)
{
	uint32_t id = w->n->sites[other].id;

	return node == w->site ? id : PARALLEL_ID + id;
}

static void neighbor_name(struct writer *w, const struct link *l, const char *name,
			  char out[static NAME_MAX_BYTES + 1])
{
	char *face = l->parallel ? network_face_name(name) : NULL;

	w->failed |= l->parallel && !face;
	name_copy(out, face ? face : name);
	free(face);
}

static void write_neighbor(struct writer *w, struct fwd_neighbor *n, uint32_t node,
			   const struct near *near)
{
	const struct link *l = &w->n->links[near->link];
	uint32_t at = network_site_of(w->n, near->site);
	const struct site *other = &w->n->sites[at], *self = &w->n->sites[w->site];
	bool caller = l->a == w->site;

	*n = (struct fwd_neighbor){.site_id = neighbor_id(w, node, near->site)};
	neighbor_name(w, l, other->name, n->name);
	name_copy(n->underlay,
		  w->n->underlays[self->uplinks[caller ? l->uplink_a : l->uplink_b].underlay].name);
	memcpy(n->link_key, other->link_key, WG_KEY_LEN);
	n->link_address = network_link_address(w->n, n->site_id);
	n->caller = caller;
	if (caller)
		n->endpoint = endpoint_of(w->n, at, l->uplink_b, l->parallel);
	n->probe = l->probe;
	n->link_mtu = neighbor_mtu(w, node, near);
	n->lsp_mtu = n->link_mtu - MTU_MPLS_IN_IP;
	n->down_kbps =
	    (uint32_t)(other->uplinks[caller ? l->uplink_b : l->uplink_a].rate.down_bps / 1000);
	neighbor_accept(w, n, near->site);
}

/* Those of @node, the site or its face. */
static void write_neighbors_of(struct writer *w, uint32_t node)
{
	const struct compile_result *all = links_of(w);

	w->accept = w->r->accept_first[node];
	w->accept_end = w->r->accept_first[node + 1];
	for (uint32_t i = all->near_first[node]; i < all->near_first[node + 1]; i++)
		write_neighbor(w, &w->f->neighbors[w->f->neighbor_count++], node, &all->near[i]);
}

static uint32_t near_count(const struct compile_result *r, uint32_t node)
{
	return r->near_first[node + 1] - r->near_first[node];
}

static void write_neighbors(struct writer *w)
{
	const struct compile_result *all = links_of(w);
	uint32_t face = w->n->sites[w->site].face;
	uint32_t count = near_count(all, w->site) + (face ? near_count(all, face) : 0);

	w->f->neighbors = array_new(w, count, sizeof(*w->f->neighbors));
	if (!w->f->neighbors)
		return;
	write_neighbors_of(w, w->site);
	if (face)
		write_neighbors_of(w, face);
}

static void write_repair(const struct writer *w, uint32_t next, const struct label_stack *stack,
			 struct fwd_repair *ret)
{
	struct compile_repair repair;

	if (!compile_repair_find(w->r, w->site, next, stack, &repair))
		return;
	ret->next_site =
	    w->n->sites[repair.way[1]].id; /* a leaf has none: it is no face's neighbour */
	ret->out = repair.stack;
}

/* @slot  of those that were found last. An empty stack is none's. */
static void write_repair_again(struct writer *w, size_t slot, uint32_t next,
			       const struct label_stack *stack, struct fwd_repair *ret)
{
	__typeof__(&w->known[0]) known = &w->known[slot % (sizeof(w->known) / sizeof(w->known[0]))];

	if (!stack->depth || known->next != next || !label_stack_equal(&known->stack, stack)) {
		known->next = next;
		known->stack = *stack;
		known->repair = (struct fwd_repair){0};
		write_repair(w, next, stack, &known->repair);
	}
	*ret = known->repair;
}

/* Those of @node, the site or its face, of which all end there. */
static void write_labels_of(struct writer *w, uint32_t node)
{
	for (uint32_t i = w->r->label_first[node]; i < w->r->label_first[node + 1]; i++) {
		const struct label_entry *e = &w->r->labels[i];
		struct fwd_label_route *l = &w->f->labels[w->f->label_count++];

		*l = (struct fwd_label_route){.in_label = e->label};
		if (e->next == node)
			continue;
		l->next_site = w->n->sites[e->next].id;
		label_stack_push_bottom(&l->out, e->label);
		write_repair(w, e->next, &l->out, &l->repair);
	}
}

static uint32_t label_count(const struct compile_result *r, uint32_t node)
{
	return r->label_first[node + 1] - r->label_first[node];
}

static void write_labels(struct writer *w)
{
	uint32_t face = w->n->sites[w->site].face;
	uint32_t count = label_count(w->r, w->site) + (face ? label_count(w->r, face) : 0);

	w->f->labels = array_new(w, count, sizeof(*w->f->labels));
	if (!w->f->labels)
		return;
	write_labels_of(w, w->site);
	if (face)
		write_labels_of(w, face);
}

static void write_path(struct writer *w, const struct compile_pair *pair,
		       const struct compile_path *path)
{
	const struct candidate_path *c = &w->n->policies[pair->policy].paths[path->path];
	const uint32_t *way = compile_path_way(w->r, path);
	struct fwd_path *p = &w->f->paths[w->f->path_count++];

	*p = (struct fwd_path){.index = path->index};
	name_copy(p->name, c->name);
	p->color = w->n->policies[pair->policy].color;
	p->preference = c->preference;
	p->endpoint_site = w->n->sites[pair->endpoint].id;
	p->source = network_path_address(w->n, w->f->site_id, path->index);
	p->endpoint = network_path_address(w->n, p->endpoint_site, 0);
	p->first_site = neighbor_id(w, way[0], way[1]);
	p->stack = compile_path_stack(w->r, path, false);
	write_repair(w, way[1], &p->stack, &p->repair);
	p->mtu = path->mtu;
	p->probe = path->probe;
	p->doubt = path->doubt;
	p->reflector = p->endpoint_site;
}

static void write_return(struct writer *w, const struct compile_pair *pair,
			 const struct compile_path *path)
{
	const uint32_t *way = compile_path_way(w->r, path);
	struct fwd_return *e = &w->f->returns[w->f->return_count++];

	*e = (struct fwd_return){.site_id = w->n->sites[pair->head].id};
	e->destination = network_path_address(w->n, e->site_id, path->index);
	e->first_site = neighbor_id(w, way[path->way_length - 1], way[path->way_length - 2]);
	e->stack = compile_path_stack(w->r, path, true);
	write_repair_again(w, path->path, way[path->way_length - 2], &e->stack, &e->repair);
	e->mtu = path->mtu;
}

/* A gateway's sessions lie all over the country's: the processor begins to fetch what will be asked for. */
static void pairs_fetch(const struct writer *w, size_t i)
{
	enum { PAIRS = 24, PATHS = 16, WAYS = 8 };
	const struct compile_result *r = w->r;

	if (i + PAIRS < w->pair_count)
		__builtin_prefetch(w->pairs[i + PAIRS].pair);
	if (i + PATHS < w->pair_count)
		for (uint32_t k = 0; k < w->pairs[i + PATHS].pair->path_count; k++)
			__builtin_prefetch(&r->paths[w->pairs[i + PATHS].pair->path + k]);
	if (i + WAYS < w->pair_count && w->pairs[i + WAYS].pair->path_count) {
		const struct compile_path *path = &r->paths[w->pairs[i + WAYS].pair->path];

		__builtin_prefetch(r->ways.values + path->way);
		__builtin_prefetch(r->stacks.values + path->back);
	}
}

static void write_paths(struct writer *w)
{
	size_t paths = 0, returns = 0;

	for (size_t i = 0; i < w->pair_count; i++)
		*(w->pairs[i].head ? &paths : &returns) += w->pairs[i].pair->path_count;
	w->f->paths = array_new(w, paths, sizeof(*w->f->paths));
	w->f->returns = array_new(w, returns, sizeof(*w->f->returns));
	for (size_t i = 0; !w->failed && i < w->pair_count; i++) {
		const struct compile_pair *p = w->pairs[i].pair;

		pairs_fetch(w, i);
		for (uint32_t k = 0; k < p->path_count; k++)
			(w->pairs[i].head ? write_path : write_return)(w, p,
								       &w->r->paths[p->path + k]);
	}
}

static void write_peer(struct writer *w, const struct site_pair *pair)
{
	const struct site *other =
	    &w->n->sites[pair->head ? pair->pair->endpoint : pair->pair->head];
	struct fwd_session_peer *p = &w->f->peers[w->f->peer_count++];

	*p = (struct fwd_session_peer){.color = w->n->policies[pair->pair->policy].color,
				       .site_id = other->id,
				       .caller = pair->head};
	name_copy(p->name, other->name);
	memcpy(p->session_key, other->session_key, WG_KEY_LEN);
	if (pair->head) {
		p->endpoint = network_path_address(w->n, other->id, 0);
		p->port = (uint16_t)(w->n->session_port + p->color);
		p->rank = pair->pair->rank;
	}
	p->prefixes = array_new(w, other->lan_count, sizeof(*p->prefixes));
	if (!p->prefixes)
		return;
	memcpy(p->prefixes, other->lans, other->lan_count * sizeof(*other->lans));
	p->prefix_count = other->lan_count;
}

/* ---- sessions and rules, policy by policy ------------------------------------------------ */

static bool prefix_meet(struct ipv4_prefix a, struct ipv4_prefix b, struct ipv4_prefix *ret)
{
	if (!ipv4_prefix_overlaps(a, b))
		return false;
	*ret = a.length > b.length ? a : b;
	return true;
}

static void write_rule(struct writer *w, const struct fwd_rule *rule)
{
	if (w->f->rule_count == w->rule_room) {
		size_t room = w->rule_room ? w->rule_room * 2 : 16;
		struct fwd_rule *larger = array_new(w, room, sizeof(*larger));

		if (!larger)
			return;
		if (w->f->rule_count)
			memcpy(larger, w->f->rules, w->f->rule_count * sizeof(*larger));
		array_free(w, w->f->rules);
		w->f->rules = larger;
		w->rule_room = room;
	}
	w->f->rules[w->f->rule_count++] = *rule;
}

/* Only some peers may: their prefixes are named. */
static void write_rule_for_peer(struct writer *w, struct fwd_rule rule, const struct site *peer)
{
	struct ipv4_prefix to = rule.to;

	for (size_t i = 0; i < peer->lan_count; i++) {
		if (!rule.outbound)
			rule.from = peer->lans[i];
		else if (!prefix_meet(to, peer->lans[i], &rule.to))
			continue;
		write_rule(w, &rule);
	}
}

/* What the site (outbound), or the other end, may open over a pair: bits of the policy's classes. */
static uint64_t pair_opens(const struct site_pair *p, bool outbound)
{
	return p->head == outbound ? p->pair->opens : p->pair->opens_back;
}

/* Does a LAN lie there of a peer to which the site may open such connections? */
static bool rule_leads(const struct writer *w, uint32_t policy, size_t bit,
		       const struct fwd_rule *rule)
{
	const struct site_pair *p;

	FOR_PAIRS(w, policy, p)
	{
		const struct site *peer = &w->n->sites[p->head ? p->pair->endpoint : p->pair->head];

		for (size_t i = 0; pair_opens(p, true) >> bit & 1 && i < peer->lan_count; i++)
			if (ipv4_prefix_overlaps(rule->to, peer->lans[i]))
				return true;
	}
	return false;
}

static void write_class_rules(struct writer *w, uint32_t policy, size_t bit, bool outbound,
			      struct fwd_rule rule, bool everyone)
{
	const struct site_pair *p;

	if (everyone) {
		if (!outbound || rule_leads(w, policy, bit, &rule))
			write_rule(w, &rule);
		return;
	}
	FOR_PAIRS(w, policy, p)
	if (pair_opens(p, outbound) >> bit & 1)
		write_rule_for_peer(w, rule,
				    &w->n->sites[p->head ? p->pair->endpoint : p->pair->head]);
}

static void write_class(struct writer *w, uint32_t policy, size_t bit, bool outbound, bool everyone)
{
	const struct policy *p = &w->n->policies[policy];
	const struct traffic_class *c = &w->n->classes[p->classes[bit]];

	for (size_t i = 0; i < c->match_count; i++) {
		struct fwd_rule rule = {0};

		rule.color = p->color;
		rule.outbound = outbound;
		rule.priority = c->priority;
		rule.protocol = c->matches[i].protocol;
		rule.port_first = c->matches[i].port_first;
		rule.port_last = c->matches[i].port_last;
		rule.has_dscp = c->matches[i].has_dscp;
		rule.dscp = c->matches[i].dscp;
		rule.to = c->matches[i].to;
		name_copy(rule.class_name, c->name);
		write_class_rules(w, policy, bit, outbound, rule, everyone);
	}
}

/* The smallest over all paths, and over those that will be when prepared links are used. */
static uint16_t session_mtu(const struct writer *w, uint32_t policy)
{
	const struct compile_result *future = w->r->future;
	struct writer other = {.r = future, .n = w->n, .site = w->site, .arena = w->arena};
	uint16_t mtu = UINT16_MAX;
	const struct site_pair *p;

	FOR_PAIRS(w, policy, p)
	for (uint32_t k = 0; k < p->pair->path_count; k++)
		mtu = least(mtu, w->r->paths[p->pair->path + k].session_mtu);
	if (!future)
		return mtu;
	pairs_collect(&other);
	for (size_t i = 0; !other.failed && i < other.pair_count; i++)
		for (uint32_t k = 0; k < other.pairs[i].pair->path_count; k++)
			if (other.pairs[i].pair->policy == policy)
				mtu = least(
				    mtu, future->paths[other.pairs[i].pair->path + k].session_mtu);
	array_free(&other, other.pairs);
	return mtu;
}

static void write_session(struct writer *w, uint32_t policy)
{
	const struct policy *p = &w->n->policies[policy];
	struct fwd_session *s = &w->f->sessions[w->f->session_count++];
	uint64_t any[2] = {0}, all[2] = {UINT64_MAX, UINT64_MAX};
	const struct site_pair *pair;

	*s = (struct fwd_session){.color = p->color};
	name_copy(s->policy, p->name);
	s->listen_port = (uint16_t)(w->n->session_port + p->color);
	s->mtu = session_mtu(w, policy);
	s->revert_hold_ms = p->revert_hold_ms;
	s->revert_max_ms = p->revert_max_ms;
	s->degraded = p->degraded;
	FOR_PAIRS(w, policy, pair)
	for (int outbound = 0; outbound < 2; outbound++) {
		any[outbound] |= pair_opens(pair, outbound);
		all[outbound] &= pair_opens(pair, outbound);
	}
	for (size_t bit = 0; bit < p->class_count; bit++)
		for (int outbound = 1; outbound >= 0; outbound--)
			if (any[outbound] >> bit & 1)
				write_class(w, policy, bit, outbound, all[outbound] >> bit & 1);
}

/* In the order of colors, as peers are sorted by them first. */
static void write_peers(struct writer *w)
{
	const struct network *n = w->n;
	uint32_t color = 0, policy;
	const struct site_pair *pair;

	do {
		policy = NETWORK_NONE;
		for (uint32_t p = 0; p < n->policy_count; p++)
			if (policy_used(w, p) && n->policies[p].color > color &&
			    (policy == NETWORK_NONE ||
			     n->policies[p].color < n->policies[policy].color))
				policy = p;
		if (policy == NETWORK_NONE)
			return;
		FOR_PAIRS(w, policy, pair)
		write_peer(w, pair);
		color = n->policies[policy].color;
	} while (!w->failed);
}

static void write_sessions(struct writer *w)
{
	w->f->peers = array_new(w, w->pair_count, sizeof(*w->f->peers));
	w->f->sessions = array_new(w, w->n->policy_count, sizeof(*w->f->sessions));
	if (!w->failed)
		write_peers(w);
	for (uint32_t p = 0; !w->failed && p < w->n->policy_count; p++)
		if (policy_used(w, p))
			write_session(w, p);
}

/* ---- queues ----------------------------------------------------------------------- */

/* The site's next neighbour after @near (NULL: the first), and then its face's. */
static const struct near *near_next(const struct writer *w, const struct compile_result *r,
				    const struct near *near)
{
	uint32_t face = w->n->sites[w->site].face;

	near = near ? near + 1 : r->near + r->near_first[w->site];
	if (face && near == r->near + r->near_first[w->site + 1])
		near = r->near + r->near_first[face];
	if (near == r->near + r->near_first[face ? face + 1 : w->site + 1])
		return NULL;
	return near;
}

/* What @uplink's line must know of itself; false where nothing is queued or marked for it. */
static bool line_of(const struct writer *w, uint32_t uplink, struct fwd_line *line)
{
	const struct site_uplink *u = &w->n->sites[w->site].uplinks[uplink];
	const struct underlay_class *class = &w->n->underlays[u->underlay];
	bool needed = u->rate.up_bps || class->has_dscp;
	const struct near *near = NULL;

	*line = (struct fwd_line){.up_kbps = (uint32_t)(u->rate.up_bps / 1000),
				  .has_dscp = class->has_dscp};
	memcpy(line->dscp, class->dscp, sizeof(line->dscp));
	name_copy(line->underlay, class->name);
	line->overhead = MTU_WIREGUARD_IPV4;
	while ((near = near_next(w, links_of(w), near))) {
		const struct link *l = &w->n->links[near->link];
		bool caller = l->a == w->site;

		if ((caller ? l->uplink_a : l->uplink_b) != uplink)
			continue;
		needed |= w->n->sites[caller ? l->b : l->a]
			      .uplinks[caller ? l->uplink_b : l->uplink_a]
			      .rate.down_bps != 0;
		if (compile_link_is_ipv6(w->n, l))
			line->overhead = MTU_WIREGUARD_IPV6;
	}
	return needed;
}

static void write_lines(struct writer *w)
{
	size_t count = w->n->sites[w->site].uplink_count;

	w->f->lines = array_new(w, count, sizeof(*w->f->lines));
	for (uint32_t i = 0; w->f->lines && i < count; i++)
		if (line_of(w, i, &w->f->lines[w->f->line_count]))
			w->f->line_count++;
}

/* The shares of what the policy carries, 0 if none is said. */
static unsigned policy_share(const struct network *n, const struct policy *p, uint8_t *ret_priority)
{
	unsigned share = 0;

	*ret_priority = 0;
	for (size_t i = 0; i < p->class_count; i++) {
		const struct traffic_class *c = &n->classes[p->classes[i]];

		share += c->share_percent;
		if (c->priority > *ret_priority)
			*ret_priority = c->priority;
	}
	return share > 100 ? 100 : share;
}

/* Policies without a share divide what is left, and none is left without anything. */
static void queues_share(struct forwarding *f)
{
	unsigned left = 100, unsaid = 0;

	for (size_t i = 0; i < f->queue_count; i++) {
		unsigned share = f->queues[i].share_percent;

		left -= share < left ? share : left;
		unsaid += !share;
	}
	for (size_t i = 0; i < f->queue_count; i++)
		if (!f->queues[i].share_percent)
			f->queues[i].share_percent = left > unsaid ? (uint8_t)(left / unsaid) : 1;
}

/* The same on every node, so that a packet's code point means the same queue everywhere. */
static void write_queues(struct writer *w)
{
	struct forwarding *f = w->f;

	f->queues = array_new(w, w->n->policy_count, sizeof(*f->queues));
	for (size_t i = 0; f->queues && i < w->n->policy_count; i++) {
		struct fwd_queue *q = &f->queues[f->queue_count++];

		*q = (struct fwd_queue){.color = w->n->policies[i].color};
		q->share_percent = (uint8_t)policy_share(w->n, &w->n->policies[i], &q->priority);
	}
	forwarding_sort(f);
	for (size_t i = 0; i < f->queue_count; i++)
		f->queues[i].dscp = (uint8_t)(i + 1);
	queues_share(f);
}

/* The id of the neighbour whose link runs over @uplink of the site: the parent's first, else the first in source order. */
static uint32_t uplink_neighbor(const struct writer *w, uint32_t uplink)
{
	const struct site *s = &w->n->sites[w->site];
	const struct compile_result *all = links_of(w);
	uint32_t best = 0, best_link = NETWORK_NONE;
	const struct near *near = NULL;

	while ((near = near_next(w, all, near))) {
		const struct link *l = &w->n->links[near->link];
		uint32_t node = network_link_end(w->n, l, w->site);

		if ((l->a == w->site ? l->uplink_a : l->uplink_b) != uplink)
			continue;
		if (near->site == s->parent)
			return neighbor_id(w, node, near->site);
		if (!best || near->link < best_link) {
			best = neighbor_id(w, node, near->site);
			best_link = near->link;
		}
	}
	return best;
}

static void write_devices(struct writer *w)
{
	const struct site *s = &w->n->sites[w->site];

	w->f->devices = array_new(w, s->device_count, sizeof(*w->f->devices));
	for (size_t i = 0; w->f->devices && i < s->device_count; i++) {
		const struct site_device *from = &s->devices[i];
		struct fwd_device *d = &w->f->devices[w->f->device_count++];

		*d = (struct fwd_device){.address = from->address};
		name_copy(d->name, from->name);
		d->port = from->port;
		name_copy(d->user, from->user);
		name_copy(d->interface, from->interface);
		d->link_site = from->uplink == NETWORK_NONE ? 0 : uplink_neighbor(w, from->uplink);
	}
}

static uint32_t allowance_kb(const struct site_uplink *u)
{
	uint64_t kb = u->allowance_bytes_day / 1000;

	return kb > UINT32_MAX ? UINT32_MAX : (uint32_t)kb;
}

static void write_meters(struct writer *w)
{
	const struct site *s = &w->n->sites[w->site];

	w->f->meters = array_new(w, s->uplink_count, sizeof(*w->f->meters));
	for (size_t i = 0; w->f->meters && i < s->uplink_count; i++) {
		struct fwd_meter *m = &w->f->meters[w->f->meter_count];

		if (!s->uplinks[i].allowance_bytes_day)
			continue;
		w->f->meter_count++;
		*m = (struct fwd_meter){.allowance_kb_day = allowance_kb(&s->uplinks[i])};
		name_copy(m->underlay, w->n->underlays[s->uplinks[i].underlay].name);
	}
}

static void write_all(struct writer *w)
{
	write_site(w);
	write_neighbors(w);
	if (!w->no_ways)
		write_labels(w);
	pairs_collect(w);
	if (!w->failed)
		pairs_divide(w);
	if (!w->failed && !w->no_ways)
		write_paths(w);
	if (!w->failed)
		write_sessions(w);
	write_meters(w);
	write_devices(w);
	if (w->r->queues) {
		write_lines(w);
		write_queues(w);
	}
	array_free(w, w->pairs);
	array_free(w, w->by_policy);
	array_free(w, w->policy_first);
}

static int site_write(struct writer w)
{
	w.n = w.r->network;
	forwarding_init(w.f);
	write_all(&w);
	if (w.failed) {
		if (!w.arena)
			forwarding_clear(w.f);
		return -TUYEN_ENOMEM;
	}
	forwarding_sort(w.f);
	return 0;
}

int compile_site_in(const struct compile_result *r, uint32_t site, struct arena *arena,
		    struct forwarding *ret_forwarding)
{
	return site_write(
	    (struct writer){.r = r, .site = site, .f = ret_forwarding, .arena = arena});
}

int compile_site_without_ways(const struct compile_result *r, uint32_t site, struct arena *arena,
			      struct forwarding *ret_forwarding)
{
	return site_write((struct writer){
	    .r = r, .site = site, .f = ret_forwarding, .arena = arena, .no_ways = true});
}

int compile_site(const struct compile_result *r, uint32_t site, struct forwarding *ret_forwarding)
{
	return compile_site_in(r, site, NULL, ret_forwarding);
}
