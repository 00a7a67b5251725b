/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking: what the kernels on the way do with a label stack. A walk starts with "site s sends this
 * stack to its neighbour n" and ends at a site, or with the first thing that is wrong.
 *
 * Of each path that works it is walked again what happens when one of its links fails, and one of
 * its sites: each node whose adjacency is down then sends what its bundle says for that. Such a walk
 * must end where the path does, keep out of what its policy avoids, and carry as much. Where there
 * is no repair the path is just gone, which is no fault.
 */
#include "audit_internal.h"

#include <stdio.h>
#include <string.h>

struct walk {
	uint32_t down_link, down_site; /* of the network: what has failed; NETWORK_NONE */
	bool repaired;		       /* some adjacency was down, and had a repair */
	bool cut;		       /* it stops where there is none, and not on a detour */
	uint32_t end;		       /* site where the last label came off */
	uint32_t hops;		       /* adjacencies crossed */
	uint32_t label_count;
	uint32_t capacity; /* bytes of IP packet that fit under the labels, all the way */
	uint32_t adjacency[AUDIT_HOPS_MAX];
	uint32_t accept[AUDIT_HOPS_MAX];
	bool repair[AUDIT_HOPS_MAX]; /* there is one for this hop */
	bool waits
	    [AUDIT_HOPS_MAX]; /* and it is not the other link of the same two sites, which an end of the path sees fail */
	uint32_t label[AUDIT_HOPS_MAX + LABEL_STACK_MAX];
	/* or: */
	enum audit_kind kind;
	uint32_t site; /* where it stops */
	enum audit_object object;
	size_t index;
	char why[256];
};

static bool walk_stop(struct walk *w, enum audit_kind kind, uint32_t site, enum audit_object object,
		      size_t index)
{
	w->kind = kind;
	w->site = site;
	w->object = object;
	w->index = index;
	return false;
}

static bool stack_lawful(const struct label_stack *stack)
{
	if (!stack->depth || stack->depth > LABEL_STACK_MAX)
		return false;
	for (uint8_t i = 0; i < stack->depth; i++)
		if (stack->label[i] < LABEL_MIN || stack->label[i] > LABEL_MAX)
			return false;
	return true;
}

static uint32_t accept_find(const struct fwd_neighbor *n, const struct label_stack *stack)
{
	size_t low = 0, high = n->accept_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int o = label_stack_compare(&n->accept[middle], stack);

		if (o == 0)
			return (uint32_t)middle;
		if (o < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NETWORK_NONE;
}

static bool adjacency_down(const struct audit *a, const struct walk *w, uint32_t site, uint32_t id)
{
	uint32_t adjacency = audit_adjacency(a, site, id);
	const struct adjacency *j;

	if (adjacency == NETWORK_NONE)
		return false; /* walk_cross() says so */
	j = &a->adjacencies[adjacency];
	return (w->down_link != NETWORK_NONE && j->link == w->down_link) ||
	       (w->down_site != NETWORK_NONE &&
		(a->intent[site] == w->down_site || j->peer == NETWORK_NONE ||
		 a->intent[j->peer] == w->down_site));
}

/* Where @site sends it, and what instead of the label that it had. */
struct choice {
	uint32_t next;
	const struct label_stack *out;
	bool repairable, waits;
};

/* @label  that it came with; 0 at its head-end. */
static bool walk_choose(const struct audit *a, struct walk *w, uint32_t site, uint32_t label,
			const struct fwd_repair *repair, struct choice *c)
{
	struct label_block srgb = a->sites[site].srgb;

	c->repairable = repair->next_site != 0;
	c->waits =
	    c->repairable && forwarding_id_site(repair->next_site) != forwarding_id_site(c->next);
	if ((w->down_link == NETWORK_NONE && w->down_site == NETWORK_NONE) ||
	    !adjacency_down(a, w, site, c->next))
		return true;
	if (repair->next_site && !adjacency_down(a, w, site, repair->next_site)) {
		w->repaired = true;
		c->next = repair->next_site;
		c->out = &repair->out;
		return true;
	}
	/* A repair SID that came without a detour is that of a path that takes none. */
	w->cut = !c->repairable && (!label_is_repair(srgb, label) || !w->repaired);
	w->repaired |= c->repairable;
	snprintf(w->why, sizeof(w->why), "'%s' sends it where it is down", audit_name(a, site));
	return walk_stop(w, AUDIT_BLACK_HOLE, site, OBJECT_NONE, 0);
}

/* From @site to its neighbour: the link, its MTU, the other end's filter. @return the neighbour. */
static uint32_t walk_cross(const struct audit *a, struct walk *w, uint32_t site,
			   const struct choice *c, const struct label_stack *stack)
{
	uint32_t next_id = c->next;
	uint32_t adjacency = audit_adjacency(a, site, next_id), accept, room;
	const struct adjacency *out, *in;
	const struct fwd_neighbor *n, *back;
	char text[LABEL_STACK_STRLEN];

	if (adjacency == NETWORK_NONE) {
		snprintf(w->why, sizeof(w->why), "'%s' has no neighbour %u", audit_name(a, site),
			 next_id);
		walk_stop(w, AUDIT_BLACK_HOLE, site, OBJECT_NONE, 0);
		return NETWORK_NONE;
	}
	out = &a->adjacencies[adjacency];
	n = &a->sites[site].neighbors[adjacency - a->adjacency_first[site]];
	if (!out->works) {
		snprintf(w->why, sizeof(w->why), "the link from '%s' to '%s' does not work",
			 audit_name(a, site), n->name);
		walk_stop(w, AUDIT_BLACK_HOLE, site, OBJECT_NEIGHBOR,
			  adjacency - a->adjacency_first[site]);
		return NETWORK_NONE;
	}
	in = &a->adjacencies[out->reverse];
	back = &a->sites[out->peer].neighbors[out->reverse - a->adjacency_first[out->peer]];
	accept = accept_find(back, stack);
	if (accept == NETWORK_NONE) {
		snprintf(w->why, sizeof(w->why), "'%s' drops %s from '%s'",
			 audit_name(a, out->peer), label_stack_format(stack, text),
			 audit_name(a, site));
		walk_stop(w, AUDIT_FILTERED, out->peer, OBJECT_NEIGHBOR,
			  out->reverse - a->adjacency_first[out->peer]);
		return NETWORK_NONE;
	}
	room = n->lsp_mtu > MTU_LABEL * stack->depth ? n->lsp_mtu - MTU_LABEL * stack->depth : 0;
	if (room < w->capacity)
		w->capacity = room;
	w->adjacency[w->hops] = adjacency;
	w->repair[w->hops] = c->repairable;
	w->waits[w->hops] = c->waits;
	w->accept[w->hops++] = in->accept + accept;
	return out->peer;
}

static const struct fwd_label_route *walk_look_up(const struct audit *a, struct walk *w,
						  uint32_t site, uint32_t label)
{
	uint32_t found = audit_label(a, site, label);

	if (w->label_count == AUDIT_HOPS_MAX + LABEL_STACK_MAX) {
		snprintf(w->why, sizeof(w->why), "it goes round, and is at '%s'",
			 audit_name(a, site));
		walk_stop(w, AUDIT_LOOP, site, OBJECT_NONE, 0);
		return NULL;
	}
	if (found == NETWORK_NONE) {
		snprintf(w->why, sizeof(w->why), "'%s' has no label %u", audit_name(a, site),
			 label);
		walk_stop(w, AUDIT_BLACK_HOLE, site, OBJECT_NONE, 0);
		return NULL;
	}
	w->label[w->label_count++] = found;
	return &a->sites[site].labels[found - a->label_first[site]];
}

static bool stack_swap(struct label_stack *stack, const struct label_stack *out)
{
	struct label_stack result = *out;

	if (out->depth > LABEL_STACK_MAX)
		return false;
	for (uint8_t i = 1; i < stack->depth; i++)
		if (!label_stack_push_bottom(&result, stack->label[i]))
			return false;
	*stack = result;
	return true;
}

/* What @site does with what came: pops its own labels, swaps. @ret_choice: next 0: it ends here. */
static bool walk_forward(const struct audit *a, struct walk *w, uint32_t site,
			 struct label_stack *stack, struct choice *ret_choice)
{
	const struct fwd_label_route *route = walk_look_up(a, w, site, stack->label[0]);

	while (route && !route->next_site) {
		memmove(stack->label, stack->label + 1,
			sizeof(stack->label) - sizeof(stack->label[0]));
		if (!--stack->depth) {
			ret_choice->next = 0;
			return true;
		}
		route = walk_look_up(a, w, site, stack->label[0]);
	}
	if (!route)
		return false;
	*ret_choice = (struct choice){.next = route->next_site, .out = &route->out};
	if (!walk_choose(a, w, site, route->in_label, &route->repair, ret_choice))
		return false;
	if (!ret_choice->out->depth || !stack_swap(stack, ret_choice->out)) {
		bool deep = ret_choice->out->depth;

		snprintf(w->why, sizeof(w->why), "'%s' leaves %s after label %u",
			 audit_name(a, site), deep ? "too many labels" : "no label",
			 route->in_label);
		return walk_stop(w, deep ? AUDIT_STACK : AUDIT_BLACK_HOLE, site, OBJECT_LABEL,
				 (size_t)(route - a->sites[site].labels));
	}
	return true;
}

/* @at has @stack from its neighbour already. */
static bool walk_on(const struct audit *a, uint32_t at, struct label_stack stack, struct walk *w)
{
	struct choice c;

	for (;;) {
		if (!walk_forward(a, w, at, &stack, &c))
			return false;
		if (!c.next) {
			w->end = at;
			return true;
		}
		if (w->hops == AUDIT_HOPS_MAX) {
			snprintf(w->why, sizeof(w->why),
				 "it goes round, and is at '%s' after %d links", audit_name(a, at),
				 AUDIT_HOPS_MAX);
			return walk_stop(w, AUDIT_LOOP, at, OBJECT_NONE, 0);
		}
		at = walk_cross(a, w, at, &c, &stack);
		if (at == NETWORK_NONE)
			return false;
	}
}

static void walk_init(struct walk *w, uint32_t down_link, uint32_t down_site)
{
	w->down_link = down_link;
	w->down_site = down_site;
	w->repaired = w->cut = false;
	w->hops = w->label_count = 0;
	w->capacity = UINT32_MAX;
	w->why[0] = '\0';
}

/* walk_init() before. */
static bool walk_start(const struct audit *a, uint32_t site, uint32_t next_id,
		       const struct label_stack *stack, const struct fwd_repair *repair,
		       struct walk *w)
{
	struct choice c = {.next = next_id, .out = stack};
	uint32_t at;

	if (!walk_choose(a, w, site, 0, repair, &c))
		return false;
	at = walk_cross(a, w, site, &c, c.out);
	return at != NETWORK_NONE && walk_on(a, at, *c.out, w);
}

static void walk_use(struct audit *a, const struct walk *w)
{
	for (uint32_t i = 0; i < w->hops; i++)
		audit_mark(&a->accept_used[w->accept[i]]);
	for (uint32_t i = 0; i < w->label_count; i++)
		audit_mark(&a->label_used[w->label[i]]);
}

static void walk_mark(struct audit *a, const struct walk *w)
{
	walk_use(a, w);
	a->counts.hops += w->hops;
	if (w->hops > a->counts.longest_way)
		a->counts.longest_way = w->hops;
}

/* ---- one candidate path ---------------------------------------------------------------------- */

/* What was found out of a path of the same head-end: another policy's may go the same way. */
struct known {
	const struct fwd_path *path;
	const struct fwd_return *back;
	const struct candidate_path *candidate;
	uint32_t repaired, link_count, node_count, capacity;
};

struct trial {
	struct audit *a;
	uint32_t site, end; /* head-end, endpoint, in sites */
	size_t index;
	const struct forwarding *head, *endpoint;
	const struct fwd_path *path;
	const struct policy *policy;
	const struct candidate_path *candidate;
	const struct fwd_return *back;
	bool lawful;
	struct walk there, here, around;
	uint32_t tried_links[2 * AUDIT_HOPS_MAX], tried_nodes[2 * AUDIT_HOPS_MAX];
	uint32_t tried_link_count, tried_node_count;
	uint32_t repaired_links[2 * AUDIT_HOPS_MAX], repaired_nodes[2 * AUDIT_HOPS_MAX];
	uint32_t repaired_link_count, repaired_node_count;
	uint32_t repaired_capacity; /* of the narrowest way around */
	struct known known[SITE_PATHS_MAX];
	size_t known_count;
};

#define TRIAL_FIND(t, kind, format, ...)                                                           \
	audit_find((t)->a, (kind), (t)->site, OBJECT_PATH, (t)->index, (t)->policy->place,         \
		   "path %u '%s' of '%s' to '%s': " format, (t)->path->index, (t)->path->name,     \
		   (t)->head->site, (t)->endpoint->site, ##__VA_ARGS__)

static const struct candidate_path *candidate_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->path_count; i++)
		if (!strcmp(p->paths[i].name, name))
			return &p->paths[i];
	return NULL;
}

static bool numbers_have(const uint32_t *list, size_t count, uint32_t value)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == value)
			return true;
	return false;
}

static void trial_policy(struct trial *t)
{
	t->candidate = candidate_find(t->policy, t->path->name);
	if (!t->candidate)
		TRIAL_FIND(t, AUDIT_PATH, "policy '%s' has no such path", t->policy->name);
	else if (t->candidate->some && !site_set_has(&t->candidate->heads, t->a->intent[t->site]))
		TRIAL_FIND(t, AUDIT_PATH, "policy '%s' gives it to other sites", t->policy->name);
	else if (t->candidate->preference != t->path->preference)
		TRIAL_FIND(t, AUDIT_PATH, "its preference is %u, and policy says %u",
			   t->path->preference, t->candidate->preference);
	if (!t->path->probe.interval_us || !t->path->probe.multiplier)
		TRIAL_FIND(t, AUDIT_LINK_TIMERS, "it is probed every %u us x %u",
			   t->path->probe.interval_us, t->path->probe.multiplier);
}

#define PATIENCE_MORE 2

/* The longest detection of a link that would be repaired; 0 where there is none. */
static uint64_t walk_repaired_after_us(const struct trial *t, const struct walk *w)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < w->hops; i++) {
		const struct adjacency *j = &t->a->adjacencies[w->adjacency[i]];
		struct probe_timers p = t->a->network->links[j->link].probe;

		if (w->waits[i] && (uint64_t)p.interval_us * p.multiplier > longest)
			longest = (uint64_t)p.interval_us * p.multiplier;
	}
	return longest;
}

/* @return after how many lost probes it is in doubt; 0: there is nothing to wait for. */
static uint8_t patience_want(const struct trial *t, struct probe_timers *want)
{
	uint8_t bears = want->multiplier;

	uint64_t there = walk_repaired_after_us(t, &t->there);
	uint64_t here = walk_repaired_after_us(t, &t->here);
	uint64_t after = there > here ? there : here, probes;

	if (!after || !want->interval_us)
		return 0;
	probes = (after + want->interval_us - 1) / want->interval_us + PATIENCE_MORE;
	if (probes <= bears)
		return 0;
	want->multiplier = probes < UINT8_MAX ? (uint8_t)probes : UINT8_MAX;
	return bears > DOUBT_LEAST ? bears : DOUBT_LEAST;
}

/* What the policy says, if its links bear that: @links is the slowest interval and the largest multiplier of them. */
static struct probe_timers timers_want(const struct policy *policy, struct probe_timers links)
{
	struct probe_timers want = links;
	uint64_t bear_us = (uint64_t)links.interval_us * links.multiplier;

	if (policy->probe.interval_us) {
		want.multiplier = policy->probe.multiplier;
		if (want.interval_us < policy->probe.interval_us)
			want.interval_us = policy->probe.interval_us;
		while ((uint64_t)want.interval_us * want.multiplier < bear_us)
			want.multiplier++;
	}
	return want;
}

/* As slowly as the slowest link, as patiently as the most patient: else it fails where its links do
 * not. Until a link is repaired, and two probes more: else it fails before that is. */
static void trial_timers(struct trial *t)
{
	struct probe_timers want = {0};
	uint8_t doubt;

	for (uint32_t i = 0; i < t->there.hops; i++) {
		const struct adjacency *j = &t->a->adjacencies[t->there.adjacency[i]];
		struct probe_timers p = t->a->network->links[j->link].probe;

		want.interval_us =
		    p.interval_us > want.interval_us ? p.interval_us : want.interval_us;
		want.multiplier = p.multiplier > want.multiplier ? p.multiplier : want.multiplier;
	}
	want = timers_want(t->policy, want);
	doubt = patience_want(t, &want);
	if (t->path->probe.interval_us != want.interval_us ||
	    t->path->probe.multiplier != want.multiplier)
		TRIAL_FIND(
		    t, AUDIT_LINK_TIMERS,
		    "it is probed every %u us x %u, and its links and its policy want %u us x %u",
		    t->path->probe.interval_us, t->path->probe.multiplier, want.interval_us,
		    want.multiplier);
	if (t->path->doubt != doubt)
		TRIAL_FIND(
		    t, AUDIT_LINK_TIMERS,
		    "it is in doubt after %u lost probes, and its links and its policy want %u",
		    t->path->doubt, doubt);
}

static bool trial_addresses(struct trial *t)
{
	const struct network *n = t->a->network;
	ipv4_t source = network_path_address(n, t->head->site_id, t->path->index);
	char have[IPV4_STRLEN], want[IPV4_STRLEN];

	if (!t->path->index || t->path->index > SITE_PATHS_MAX)
		TRIAL_FIND(t, AUDIT_SOURCE, "its index is not 1 to %d", SITE_PATHS_MAX);
	if (t->path->source != source)
		TRIAL_FIND(t, AUDIT_SOURCE, "its source is %s, and should be %s",
			   ipv4_format(t->path->source, have), ipv4_format(source, want));
	if (t->path->endpoint != t->endpoint->node_address)
		TRIAL_FIND(t, AUDIT_SOURCE, "it leads to address %s, and '%s' has %s",
			   ipv4_format(t->path->endpoint, have), t->endpoint->site,
			   ipv4_format(t->endpoint->node_address, want));
	if (t->path->reflector != t->endpoint->site_id)
		TRIAL_FIND(t, AUDIT_SOURCE, "it asks for reflector %u, and '%s' is %u",
			   t->path->reflector, t->endpoint->site, t->endpoint->site_id);
	return t->path->source == source && t->path->endpoint == t->endpoint->node_address;
}

/* A walk that went wrong, said where it stopped. */
static void trial_stopped(struct trial *t, const struct walk *w, bool back)
{
	audit_find(t->a, w->kind, w->site, w->object, w->index, t->policy->place,
		   "path %u '%s' of '%s' to '%s'%s: %s", t->path->index, t->path->name,
		   t->head->site, t->endpoint->site, back ? ", on its way back" : "", w->why);
}

static bool trial_there(struct trial *t)
{
	if (!stack_lawful(&t->path->stack)) {
		TRIAL_FIND(t, AUDIT_STACK, "its stack of %u labels is none", t->path->stack.depth);
		return false;
	}
	walk_init(&t->there, NETWORK_NONE, NETWORK_NONE);
	if (!walk_start(t->a, t->site, t->path->first_site, &t->path->stack, &t->path->repair,
			&t->there)) {
		trial_stopped(t, &t->there, false);
		return false;
	}
	if (t->there.end != t->end) {
		TRIAL_FIND(t, AUDIT_MISDELIVERY, "it leads to '%s'",
			   audit_name(t->a, t->there.end));
		return false;
	}
	if (t->lawful)
		walk_mark(t->a, &t->there);
	return true;
}

static void trial_forwarding_return(struct trial *t, enum audit_kind kind, const char *what)
{
	audit_find(t->a, kind, t->end, OBJECT_RETURN, (size_t)(t->back - t->endpoint->returns),
		   t->policy->place, "path %u '%s' of '%s' to '%s', on its way back: %s",
		   t->path->index, t->path->name, t->head->site, t->endpoint->site, what);
}

static bool trial_back(struct trial *t)
{
	char what[256];

	t->back = forwarding_return(t->endpoint, t->path->source);
	if (!t->back) {
		audit_find(t->a, AUDIT_RETURN, t->end, OBJECT_NONE, 0, t->policy->place,
			   "path %u '%s' of '%s' to '%s': '%s' has no way back to its source",
			   t->path->index, t->path->name, t->head->site, t->endpoint->site,
			   t->endpoint->site);
		return false;
	}
	if (t->lawful)
		audit_mark(&t->a->return_used[t->a->return_first[t->end] +
					      (size_t)(t->back - t->endpoint->returns)]);
	if (t->back->site_id != t->head->site_id)
		trial_forwarding_return(t, AUDIT_RETURN, "it is said to be another site's");
	if (!stack_lawful(&t->back->stack)) {
		trial_forwarding_return(t, AUDIT_STACK, "its stack is none");
		return false;
	}
	walk_init(&t->here, NETWORK_NONE, NETWORK_NONE);
	if (!walk_start(t->a, t->end, t->back->first_site, &t->back->stack, &t->back->repair,
			&t->here)) {
		trial_stopped(t, &t->here, true);
		return false;
	}
	if (t->here.end != t->site) {
		snprintf(what, sizeof(what), "it leads to '%s'", audit_name(t->a, t->here.end));
		trial_forwarding_return(t, AUDIT_MISDELIVERY, what);
		return false;
	}
	if (t->lawful)
		walk_mark(t->a, &t->here);
	return true;
}

static void session_mtu_check(struct trial *t, bool back, uint16_t mtu)
{
	const struct forwarding *f = back ? t->endpoint : t->head;
	const struct fwd_session *e = forwarding_session(f, t->path->color);
	uint32_t site = back ? t->end : t->site;

	if (!e)
		return;
	audit_least(&t->a->least[t->a->session_device_first[site] + (size_t)(e - f->sessions)],
		    mtu);
	if (e->mtu + MTU_WIREGUARD_IPV4 > mtu)
		audit_find(t->a, AUDIT_MTU, site, OBJECT_SESSION, (size_t)(e - f->sessions),
			   t->policy->place,
			   "session s%u of '%s' takes packets of %u bytes, and path %u '%s' of "
			   "'%s' carries %u less %d",
			   e->color, f->site, e->mtu, t->path->index, t->path->name, t->head->site,
			   mtu, MTU_WIREGUARD_IPV4);
}

/* The biggest packet that passes there and back. */
static void trial_mtu(struct trial *t)
{
	uint32_t both = t->there.capacity < t->here.capacity ? t->there.capacity : t->here.capacity;
	char what[128];

	if (t->path->mtu > t->repaired_capacity)
		TRIAL_FIND(t, AUDIT_MTU,
			   "packets of %u bytes, and around a failed link it carries %u",
			   t->path->mtu, t->repaired_capacity);
	both = t->repaired_capacity < both ? t->repaired_capacity : both;

	if (t->path->mtu > t->there.capacity)
		TRIAL_FIND(t, AUDIT_MTU, "packets of %u bytes, and it carries %u", t->path->mtu,
			   t->there.capacity);
	else if (t->path->mtu < both)
		TRIAL_FIND(t, AUDIT_MTU, "packets of only %u bytes, and it carries %u",
			   t->path->mtu, both);
	if (t->back->mtu > t->here.capacity) {
		snprintf(what, sizeof(what), "packets of %u bytes, and it carries %u", t->back->mtu,
			 t->here.capacity);
		trial_forwarding_return(t, AUDIT_MTU, what);
	}
	if (t->path->mtu != t->back->mtu)
		TRIAL_FIND(t, AUDIT_MTU, "packets of %u bytes there, and of %u back", t->path->mtu,
			   t->back->mtu);
	session_mtu_check(t, false, t->path->mtu);
	session_mtu_check(t, true, t->back->mtu);
}

/* Smaller than its smallest path is a fault too: packets are cut for nothing. */
static void sessions_mtu_small(struct audit *a)
{
	for (uint32_t s = 0; s < a->count; s++)
		for (size_t i = 0; i < a->sites[s].session_count; i++) {
			const struct fwd_session *e = &a->sites[s].sessions[i];
			uint16_t mtu = a->least[a->session_device_first[s] + i];

			if (mtu && e->mtu + MTU_WIREGUARD_IPV4 < mtu && !a->prepared)
				audit_find(a, AUDIT_MTU, s, OBJECT_SESSION, i, AUDIT_NOWHERE,
					   "session s%u of '%s' takes packets of only %u bytes, "
					   "and each of "
					   "its paths carries %u less %d",
					   e->color, a->sites[s].site, e->mtu, mtu,
					   MTU_WIREGUARD_IPV4);
		}
}

/* There and back over the same links? */
static bool trial_same_way(const struct trial *t)
{
	if (t->there.hops != t->here.hops)
		return false;
	for (uint32_t i = 0; i < t->there.hops; i++)
		if (t->a->adjacencies[t->there.adjacency[i]].reverse !=
		    t->here.adjacency[t->here.hops - 1 - i])
			return false;
	return true;
}

/* One policy has many head-ends, and may name one of them: that one has passed itself. */
static bool passes_in_order(const struct trial *t, const struct site_set *through)
{
	size_t next = through->count && through->sites[0] == t->a->intent[t->site];

	for (uint32_t i = 0; i < t->there.hops && next < through->count; i++)
		if (t->a->intent[t->a->adjacencies[t->there.adjacency[i]].peer] ==
		    through->sites[next])
			next++;
	return next == through->count;
}

/* Does it pass what its policy avoids? The path's ends are never meant. */
static bool walk_avoided(const struct trial *t, const struct walk *w, bool back)
{
	const struct candidate_path *c = t->candidate;
	const struct audit *a = t->a;

	if (!c || (!c->avoid.count && !c->avoid_link_count))
		return false;
	for (uint32_t i = 0; i < w->hops; i++) {
		const struct adjacency *j = &a->adjacencies[w->adjacency[i]];
		uint32_t site = a->intent[j->peer];

		if (numbers_have(c->avoid_links, c->avoid_link_count, j->link))
			return true;
		if (j->peer != (back ? t->site : t->end) && j->peer != (back ? t->end : t->site) &&
		    numbers_have(c->avoid.sites, c->avoid.count, site))
			return true;
	}
	return false;
}

/* Is it longer than the policy of the path lets it be? Where nothing is said, no way is. */
static bool walk_late(const struct trial *t, const struct walk *w)
{
	uint64_t delay_us = 0;

	if (!t->candidate || !t->candidate->max_delay_us)
		return false;
	for (uint32_t i = 0; i < w->hops; i++)
		delay_us += t->a->network->links[t->a->adjacencies[w->adjacency[i]].link].delay_us;
	return delay_us > t->candidate->max_delay_us;
}

/* ---- what is left of it when a link or a site fails -------------------------------------------- */

enum remains { REMAINS_NOT, REMAINS, REMAINS_WRONGLY };

/* At @site, where it went wrong; or in the path itself. */
static void repair_find(struct trial *t, bool back, bool stopped, const char *what)
{
	const struct network *n = t->a->network;
	const struct walk *w = &t->around;
	const struct link *l = w->down_link == NETWORK_NONE ? NULL : &n->links[w->down_link];

	audit_find(t->a, AUDIT_REPAIR, stopped ? w->site : t->site,
		   stopped ? w->object : OBJECT_PATH, stopped ? w->index : t->index,
		   t->policy->place, "path %u '%s' of '%s' to '%s'%s, when '%s'%s%s%s%s fails: %s",
		   t->path->index, t->path->name, t->head->site, t->endpoint->site,
		   back ? ", on its way back" : "", n->sites[l ? l->a : w->down_site].name,
		   l ? " '" : "", l ? n->sites[l->b].name : "", l ? "'" : "",
		   l ? network_link_suffix(l) : "", what);
}

/* The first adjacency, seen from @end, of that way of the path of the same session that ends there. */
static uint32_t path_last_link(const struct trial *t, const struct fwd_path *p, bool back)
{
	const struct fwd_return *r = back ? NULL : forwarding_return(t->endpoint, p->source);
	uint32_t site = back ? t->site : t->end;
	uint32_t first = back ? p->first_site : r ? r->first_site : 0;
	uint32_t adjacency = audit_adjacency(t->a, site, first);

	return adjacency == NETWORK_NONE ? NETWORK_NONE : t->a->adjacencies[adjacency].link;
}

/* Of two links to one site, does a repair take one that its session's paths leave alone? */
static bool walk_trespasses(const struct trial *t, const struct walk *w, bool back)
{
	uint32_t twin =
	    w->down_link == NETWORK_NONE ? NETWORK_NONE : audit_link_twin(t->a, w->down_link);
	bool taken = false;

	for (uint32_t i = 0; i < w->hops && twin != NETWORK_NONE; i++)
		taken |= t->a->adjacencies[w->adjacency[i]].link == twin;
	for (size_t i = 0; i < t->head->path_count && taken; i++) {
		const struct fwd_path *p = &t->head->paths[i];

		if (p->color == t->path->color && p->endpoint_site == t->path->endpoint_site)
			taken = path_last_link(t, p, back) != twin;
	}
	return taken;
}

/* One direction. What was repaired must go on rightly; without any repair the path is just gone. */
static enum remains direction_around(struct trial *t, bool back)
{
	struct walk *w = &t->around;
	uint32_t site = back ? t->end : t->site, end = back ? t->site : t->end;
	bool link = w->down_link != NETWORK_NONE;
	bool ok;

	ok =
	    back
		? walk_start(t->a, site, t->back->first_site, &t->back->stack, &t->back->repair, w)
		: walk_start(t->a, site, t->path->first_site, &t->path->stack, &t->path->repair, w);
	if (!ok && w->repaired && !w->cut && (link || w->kind == AUDIT_LOOP)) {
		repair_find(t, back, true, w->why);
		return REMAINS_WRONGLY;
	}
	if (!ok)
		return REMAINS_NOT;
	if (w->end != end) {
		repair_find(t, back, false, "it leads to another site");
		return REMAINS_WRONGLY;
	}
	if (w->repaired && (walk_avoided(t, w, back) || walk_trespasses(t, w, back))) {
		repair_find(t, back, false, "it goes where its policy says that it must not");
		return REMAINS_WRONGLY;
	}
	if (w->repaired && walk_late(t, w)) {
		repair_find(t, back, false, "it takes longer than its policy lets it");
		return REMAINS_WRONGLY;
	}
	t->a->counts.repairs += w->repaired;
	if (t->lawful)
		walk_use(t->a, w);
	if (link && w->capacity < t->repaired_capacity)
		t->repaired_capacity = w->capacity;
	return REMAINS;
}

static bool remains_around(struct trial *t, uint32_t link, uint32_t site)
{
	enum remains there, here;

	walk_init(&t->around, link, site);
	there = direction_around(t, false);
	walk_init(&t->around, link, site);
	here = direction_around(t, true);
	return there == REMAINS && here == REMAINS;
}

static void link_fails(struct trial *t, uint32_t link)
{
	if (numbers_have(t->tried_links, t->tried_link_count, link))
		return;
	t->tried_links[t->tried_link_count++] = link;
	if (remains_around(t, link, NETWORK_NONE))
		t->repaired_links[t->repaired_link_count++] = link;
}

static void node_fails(struct trial *t, uint32_t site)
{
	if (site == t->site || site == t->end)
		return;
	site = t->a->intent[site];
	if (numbers_have(t->tried_nodes, t->tried_node_count, site))
		return;
	t->tried_nodes[t->tried_node_count++] = site;
	if (remains_around(t, NETWORK_NONE, site))
		t->repaired_nodes[t->repaired_node_count++] = site;
}

/* Each link and site of the walk whose crossing has a repair. */
static void failures_of_walk(struct trial *t, const struct walk *w)
{
	for (uint32_t i = 0; i < w->hops; i++) {
		const struct adjacency *j = &t->a->adjacencies[w->adjacency[i]];

		if (!w->repair[i])
			continue;
		link_fails(t, j->link);
		node_fails(t, j->peer);
	}
}

static bool repair_equal(const struct fwd_repair *x, const struct fwd_repair *y)
{
	return x->next_site == y->next_site && label_stack_equal(&x->out, &y->out);
}

static bool known_serves(const struct trial *t, const struct known *k)
{
	bool avoids =
	    t->candidate && (t->candidate->avoid.count || t->candidate->avoid_link_count ||
			     t->candidate->max_delay_us);

	avoids |= t->a->parallel; /* whether a repair trespasses is the session's own */
	return t->lawful && (!avoids || k->candidate == t->candidate) &&
	       k->path->endpoint_site == t->path->endpoint_site &&
	       k->path->first_site == t->path->first_site &&
	       label_stack_equal(&k->path->stack, &t->path->stack) &&
	       repair_equal(&k->path->repair, &t->path->repair) &&
	       k->back->first_site == t->back->first_site &&
	       label_stack_equal(&k->back->stack, &t->back->stack) &&
	       repair_equal(&k->back->repair, &t->back->repair);
}

static void known_take(struct trial *t, const struct known *k)
{
	const uint32_t *list = t->a->repaired.value + k->repaired;

	t->repaired_link_count = k->link_count;
	t->repaired_node_count = k->node_count;
	t->repaired_capacity = k->capacity;
	for (uint32_t i = 0; i < k->link_count; i++)
		t->repaired_links[i] = list[i];
	for (uint32_t i = 0; i < k->node_count; i++)
		t->repaired_nodes[i] = list[k->link_count + i];
}

static void known_add(struct trial *t, const struct audit_path *p)
{
	if (t->lawful && t->known_count < SITE_PATHS_MAX)
		t->known[t->known_count++] = (struct known){t->path,
							    t->back,
							    t->candidate,
							    p->repaired,
							    p->repaired_link_count,
							    p->repaired_node_count,
							    t->repaired_capacity};
}

static void trial_repairs(struct trial *t)
{
	for (size_t i = 0; i < t->known_count; i++)
		if (known_serves(t, &t->known[i])) {
			known_take(t, &t->known[i]);
			return;
		}
	t->repaired_link_count = t->repaired_node_count = 0;
	t->tried_link_count = t->tried_node_count = 0;
	t->repaired_capacity = UINT32_MAX;
	failures_of_walk(t, &t->there);
	failures_of_walk(t, &t->here);
}

/* Over a link that is only prepared nothing goes. */
static void trial_prepared(struct trial *t)
{
	const struct network *n = t->a->network;

	for (int turn = 0; turn < 2; turn++) {
		const struct walk *w = turn ? &t->here : &t->there;

		for (uint32_t i = 0; i < w->hops; i++) {
			const struct link *l = &n->links[t->a->adjacencies[w->adjacency[i]].link];

			if (!l->prepared)
				continue;
			TRIAL_FIND(
			    t, AUDIT_DETOUR, "it uses the link '%s' '%s'%s, which is only prepared",
			    n->sites[l->a].name, n->sites[l->b].name, network_link_suffix(l));
			return;
		}
	}
}

static bool begins_over(const struct trial *t)
{
	const struct fwd_neighbor *n = forwarding_neighbor(t->head, t->path->first_site);

	return n && !strcmp(n->underlay, t->a->network->underlays[t->candidate->over].name);
}

static void trial_way(struct trial *t)
{
	const struct audit *a = t->a;
	const struct site *head = &a->network->sites[a->intent[t->site]];
	uint32_t first = a->intent[a->adjacencies[t->there.adjacency[0]].peer];
	bool parent = t->candidate && t->candidate->via == PATH_VIA_PARENT;
	bool backup = t->candidate && t->candidate->via == PATH_VIA_BACKUP;

	if (a->prepared)
		trial_prepared(t);
	if (!trial_same_way(t))
		TRIAL_FIND(t, AUDIT_DETOUR, "its way back is another");
	if ((parent && first != head->parent) || (backup && first != head->backup))
		TRIAL_FIND(t, AUDIT_DETOUR, "it goes via '%s', which is not its %s",
			   a->network->sites[first].name, parent ? "parent" : "backup");
	if (t->candidate && t->candidate->over != NETWORK_NONE && !begins_over(t))
		TRIAL_FIND(t, AUDIT_DETOUR, "it does not begin over '%s'",
			   a->network->underlays[t->candidate->over].name);
	if (walk_avoided(t, &t->there, false) || walk_avoided(t, &t->here, true))
		TRIAL_FIND(t, AUDIT_DETOUR, "it goes where its policy says that it must not");
	if (t->candidate && (walk_late(t, &t->there) || walk_late(t, &t->here)))
		TRIAL_FIND(t, AUDIT_DETOUR, "it takes longer than %u us, which its policy allows",
			   t->candidate->max_delay_us);
	if (t->candidate && t->candidate->max_labels &&
	    (t->path->stack.depth > t->candidate->max_labels ||
	     t->back->stack.depth > t->candidate->max_labels))
		TRIAL_FIND(t, AUDIT_DETOUR,
			   "it needs %u labels there and %u back, and its policy allows %u",
			   t->path->stack.depth, t->back->stack.depth, t->candidate->max_labels);
	if (t->candidate && t->candidate->via == PATH_VIA_SITES &&
	    !passes_in_order(t, &t->candidate->through))
		TRIAL_FIND(t, AUDIT_DETOUR, "it does not pass the sites that policy names");
}

/* It works: keep the links and sites that it needs. */
static void trial_keep(struct trial *t, uint32_t session)
{
	struct audit *a = t->a;
	struct audit_path *p = &a->paths[a->path_count++];
	bool same = trial_same_way(t);

	*p = (struct audit_path){.path = t->path,
				 .session = session,
				 .way = (uint32_t)a->ways.count,
				 .nodes = (uint32_t)a->nodes.count};
	for (int turn = 0; turn < (same ? 1 : 2); turn++) {
		const struct walk *w = turn ? &t->here : &t->there;

		for (uint32_t i = 0; i < w->hops; i++) {
			const struct adjacency *j = &a->adjacencies[w->adjacency[i]];

			numbers_add(a, &a->ways, j->link);
			if (i + 1 < w->hops)
				numbers_add(a, &a->nodes, a->intent[j->peer]);
		}
	}
	p->way_count = (uint32_t)a->ways.count - p->way;
	p->node_count = (uint32_t)a->nodes.count - p->nodes;
	p->repaired = (uint32_t)a->repaired.count;
	p->repaired_link_count = t->repaired_link_count;
	p->repaired_node_count = t->repaired_node_count;
	for (uint32_t i = 0; i < t->repaired_link_count; i++)
		numbers_add(a, &a->repaired, t->repaired_links[i]);
	for (uint32_t i = 0; i < t->repaired_node_count; i++)
		numbers_add(a, &a->repaired, t->repaired_nodes[i]);
	known_add(t, p);
}

static void path_try(struct trial *t, uint32_t session)
{
	bool addresses;

	t->path = &t->head->paths[t->index];
	if (t->path->stack.depth > t->a->counts.deepest_stack)
		t->a->counts.deepest_stack = t->path->stack.depth;
	trial_policy(t);
	addresses = trial_addresses(t);
	if (!trial_there(t) || !trial_back(t))
		return;
	if (t->back->stack.depth > t->a->counts.deepest_stack)
		t->a->counts.deepest_stack = t->back->stack.depth;
	trial_repairs(t);
	trial_mtu(t);
	trial_timers(t);
	trial_way(t);
	if (addresses)
		trial_keep(t, session);
}

/* ---- all paths ------------------------------------------------------------------------------ */

static void path_place(struct audit *a, uint32_t first)
{
	struct audit_path added = a->paths[a->path_count - 1];
	size_t i = a->path_count - 1;

	/* Highest preference first, then the lower index: as sites choose. */
	for (; i > first && (a->paths[i - 1].path->preference < added.path->preference ||
			     (a->paths[i - 1].path->preference == added.path->preference &&
			      a->paths[i - 1].path->index > added.path->index));
	     i--)
		a->paths[i] = a->paths[i - 1];
	a->paths[i] = added;
}

static void session_try(struct trial *t, uint32_t session, size_t paths, uint8_t *ret_tried)
{
	struct audit *a = t->a;
	struct audit_session *s = &a->sessions[session];

	s->path = (uint32_t)a->path_count;
	t->end = audit_site_by_id(a, a->network->sites[s->endpoint].id);
	t->endpoint = &a->sites[t->end];
	t->policy = &a->network->policies[s->policy];
	t->lawful = true;
	for (t->index = 0; t->index < paths; t->index++) {
		const struct fwd_path *p = &t->head->paths[t->index];
		size_t before = a->path_count;

		if (p->color != s->color || p->endpoint_site != t->endpoint->site_id)
			continue;
		ret_tried[t->index] = 1;
		path_try(t, session);
		if (a->path_count > before)
			path_place(a, s->path);
	}
	s->path_count = (uint32_t)a->path_count - s->path;
}

static void paths_of_site(struct trial *t)
{
	struct audit *a = t->a;
	size_t paths = t->head->path_count < SITE_PATHS_MAX ? t->head->path_count : SITE_PATHS_MAX;
	uint8_t tried[SITE_PATHS_MAX] = {0};

	t->known_count = 0;
	a->counts.paths += t->head->path_count;
	a->counts.returns += t->head->return_count;
	for (uint32_t s = a->session_first[t->site]; s < a->session_first[t->site + 1]; s++)
		session_try(t, s, paths, tried);
	for (size_t i = 0; i < t->head->path_count; i++)
		if (i >= SITE_PATHS_MAX || !tried[i])
			audit_find(a, AUDIT_PATH, t->site, OBJECT_PATH, i, AUDIT_NOWHERE,
				   i >= SITE_PATHS_MAX
				       ? "'%s' has path %u to site %u: one too many"
				       : "'%s' has path %u to site %u, of no session",
				   t->head->site, t->head->paths[i].index,
				   t->head->paths[i].endpoint_site);
}

static bool paths_allocate(struct audit *a, uint32_t from, uint32_t to)
{
	size_t most = 0;

	for (uint32_t s = from; s < to; s++)
		most += a->sites[s].path_count;
	a->paths = calloc(most + 1, sizeof(*a->paths));
	return a->paths;
}

static int paths_walk(struct audit *a, uint32_t from, uint32_t to)
{
	struct trial *t = calloc(1, sizeof(*t));

	if (!t || (!a->paths && !paths_allocate(a, from, to))) {
		free(t);
		return -TUYEN_ENOMEM;
	}
	t->a = a;
	for (t->site = from; t->site < to; t->site++) {
		t->head = &a->sites[t->site];
		paths_of_site(t);
	}
	free(t);
	return 0;
}

int audit_paths(struct audit *a)
{
	int err;

	a->least = calloc(a->session_device_first[a->count] + 1, sizeof(*a->least));
	if (!a->least || !paths_allocate(a, 0, (uint32_t)a->count))
		return -TUYEN_ENOMEM;
	err = audit_divide(a, paths_walk);
	if (err)
		return err;
	sessions_mtu_small(a);
	a->counts.paths_working = a->path_count;
	return a->failed ? -TUYEN_ENOMEM : 0;
}

/* ---- what nothing lawful used -----------------------------------------------------------------
 */

/* The site whose node or repair SID @stack ends with; NETWORK_NONE. */
static uint32_t stack_target(const struct audit *a, const struct label_stack *stack)
{
	const struct network *n = a->network;
	uint32_t label = stack->label[stack->depth - 1] - n->srgb.base;

	if (!n->srgb.size || label / n->srgb.size > 3) /* four blocks: network.h, labels.h */
		return NETWORK_NONE;
	return audit_site_by_id(a, label % n->srgb.size);
}

/* Does a site that carries what is not its own stand there: one with others below it? */
static bool site_carries(const struct audit *a, uint32_t intent)
{
	const struct network *n = a->network;

	if (n->sites[intent].tier + 1 < n->tier_count)
		return true;
	for (size_t i = 0; i < n->site_count; i++)
		if (n->sites[i].parent == intent || n->sites[i].backup == intent)
			return true;
	return false;
}

static bool heads_session_to(const struct audit *a, uint32_t head, uint32_t endpoint)
{
	for (uint32_t s = a->session_first[head]; s < a->session_first[head + 1]; s++)
		if (a->sessions[s].endpoint == a->intent[endpoint])
			return true;
	return false;
}

/* What a site that carries nothing for others may send: stacks to the other ends of its own sessions. */
static bool may_send_to(const struct audit *a, uint32_t from, uint32_t to)
{
	return heads_session_to(a, from, to) || heads_session_to(a, to, from) ||
	       a->intent[from] == NETWORK_NONE || site_carries(a, a->intent[from]);
}

/*
 * Where links are prepared or fresh, what will use them is accepted already, and what used others still: as long as it ends, if anywhere, at the site whose
 * label it ends with.
 */
static bool prepared_harmless(const struct audit *a, uint32_t site, uint32_t from,
			      const struct label_stack *stack, struct walk *w)
{
	walk_init(w, NETWORK_NONE, NETWORK_NONE);
	return a->prepared && stack_lawful(stack) && stack_target(a, stack) != NETWORK_NONE &&
	       (from == NETWORK_NONE || may_send_to(a, from, stack_target(a, stack))) &&
	       (!walk_on(a, site, *stack, w) ? w->kind != AUDIT_LOOP
					     : w->end == stack_target(a, stack));
}

static void leak_find(struct audit *a, uint32_t site, size_t neighbor, struct label_stack stack,
		      struct walk *w)
{
	const struct fwd_neighbor *n = &a->sites[site].neighbors[neighbor];
	char text[LABEL_STACK_STRLEN], where[320];

	walk_init(w, NETWORK_NONE, NETWORK_NONE);
	if (stack.depth > LABEL_STACK_MAX)
		stack.depth = 0;
	if (!stack_lawful(&stack))
		snprintf(where, sizeof(where), "it is no stack");
	else if (walk_on(a, site, stack, w))
		snprintf(where, sizeof(where), "it leads to '%s'", audit_name(a, w->end));
	else
		snprintf(where, sizeof(where), "it is lost: %s", w->why);
	audit_find(a, AUDIT_LEAK, site, OBJECT_NEIGHBOR, neighbor, AUDIT_NOWHERE,
		   "'%s' takes %s from '%s', which no lawful path sends; %s", audit_name(a, site),
		   label_stack_format(&stack, text), n->name, where);
}

static void leaks_of_site(struct audit *a, uint32_t s, size_t *accept, struct walk *w)
{
	for (size_t i = 0; i < a->sites[s].neighbor_count; i++)
		for (size_t k = 0; k < a->sites[s].neighbors[i].accept_count; k++, (*accept)++)
			if (!a->accept_used[*accept] &&
			    !prepared_harmless(a, s, a->adjacencies[a->adjacency_first[s] + i].peer,
					       &a->sites[s].neighbors[i].accept[k], w))
				leak_find(a, s, i, a->sites[s].neighbors[i].accept[k], w);
}

static bool prepared_label(const struct audit *a, uint32_t s, size_t index, struct walk *w)
{
	struct label_stack stack = {.depth = 1};

	stack.label[0] = a->sites[s].labels[index].in_label;
	return prepared_harmless(a, s, NETWORK_NONE, &stack, w);
}

static void useless_of_site(struct audit *a, uint32_t s, struct walk *w)
{
	const struct forwarding *f = &a->sites[s];

	for (size_t i = 0; i < f->label_count; i++)
		if (!a->label_used[a->label_first[s] + i] && !prepared_label(a, s, i, w))
			audit_find(a, AUDIT_USELESS, s, OBJECT_LABEL, i, AUDIT_NOWHERE,
				   "'%s' has a route for label %u, which no lawful path uses",
				   f->site, f->labels[i].in_label);
	for (size_t i = 0; i < f->return_count; i++)
		if (!a->return_used[a->return_first[s] + i])
			audit_find(a, AUDIT_USELESS, s, OBJECT_RETURN, i, AUDIT_NOWHERE,
				   "'%s' has a way back to site %u, which no lawful path uses",
				   f->site, f->returns[i].site_id);
}

void audit_isolation(struct audit *a)
{
	struct walk *w = calloc(1, sizeof(*w));
	size_t accept = 0;

	if (!w) {
		a->failed = true;
		return;
	}
	for (uint32_t s = 0; s < a->count; s++) {
		leaks_of_site(a, s, &accept, w);
		useless_of_site(a, s, w);
	}
	free(w);
}

void audit_reach(struct audit *a)
{
	const struct network *n = a->network;

	for (size_t i = 0; i < a->session_count; i++) {
		const struct audit_session *s = &a->sessions[i];
		uint32_t head = audit_site_by_id(a, n->sites[s->head].id);

		if (s->lawful && s->path_count) {
			a->counts.pairs_open += (size_t)__builtin_popcountll(s->opens) +
						(size_t)__builtin_popcountll(s->opens_back);
			continue;
		}
		audit_find(a, AUDIT_UNREACHABLE, head, OBJECT_NONE, 0, n->policies[s->policy].place,
			   "'%s' and '%s' do not reach each other by policy '%s': %s",
			   n->sites[s->head].name, n->sites[s->endpoint].name,
			   n->policies[s->policy].name,
			   s->lawful ? "no path works" : "the session's ends do not agree");
	}
}
