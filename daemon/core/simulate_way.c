/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a packet by the compiled labels alone, from the head-end to the endpoint and back, as the
 * nodes would: the filter of the neighbour it comes from, the label table, the last pop. What it
 * meets on its way is its list of resources; so a path costs one walk and not one a probe.
 */
#include "simulate_internal.h"

#include <stdlib.h>
#include <string.h>

#define HOPS_MAX 128 /* one way; a longer one is a loop */

struct walk {
	struct simulation *s;
	uint32_t path;
	uint32_t at, from; /* sites */
	struct label_stack stack;
	uint32_t hops;
};

static int stack_compare(const void *a, const void *b)
{
	return label_stack_compare(a, b);
}

static int label_compare(const void *key, const void *entry)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct fwd_label_route *)entry)->in_label;

	return a < b ? -1 : a > b;
}

static int return_compare(const void *key, const void *entry)
{
	ipv4_t a = *(const ipv4_t *)key, b = ((const struct fwd_return *)entry)->destination;

	return a < b ? -1 : a > b;
}

static bool broken(struct walk *w, enum simulate_rule rule, const char *what)
{
	struct simulation *s = w->s;

	if (s->failed)
		return false;
	s->paths[w->path].broken = true;
	sim_breach(s, &s->standing, rule, (struct monotime){0}, w->path, "at %s: %s",
		   s->sites[w->at].f.site, what);
	return false;
}

static bool hop_add(struct walk *w, uint32_t resource)
{
	struct simulation *s = w->s;

	if (!sim_reserve(s, &s->hops, &s->hop_capacity, s->hop_count + 1, sizeof(*s->hops)))
		return false;
	s->hops[s->hop_count++] = resource;
	s->paths[w->path].hop_count++;
	return true;
}

/* Over the link to the neighbour, and past its filter. */
static bool cross(struct walk *w, uint32_t next_id)
{
	struct simulation *s = w->s;
	uint32_t next = sim_site_by_id(s, next_id);
	uint32_t resource = next == SIM_NONE ? SIM_NONE : sim_link_find(s, w->at, next_id);
	const struct fwd_neighbor *n;

	if (resource == SIM_NONE)
		return broken(w, SIMULATE_BLACK_HOLE, "the next hop is no neighbour");
	if (++w->hops > HOPS_MAX)
		return broken(w, SIMULATE_LOOP, "the packet goes round");
	if (!hop_add(w, resource) || !hop_add(w, sim_resource_node(s, next)))
		return false;
	n = sim_neighbor(s, next, w->at, forwarding_id_parallel(next_id));
	w->from = w->at;
	w->at = next;
	if (!bsearch(&w->stack, n->accept, n->accept_count, sizeof(*n->accept), stack_compare))
		return broken(w, SIMULATE_BLACK_HOLE,
			      "its neighbour's filter refuses these labels");
	return true;
}

/* @out in the place of the top label. @return false and the stack as it was: more than LABEL_STACK_MAX. */
static bool label_replace(struct label_stack *stack, const struct label_stack *out)
{
	struct label_stack ret = *out;

	if (stack->depth - 1 + out->depth > LABEL_STACK_MAX)
		return false;
	memcpy(ret.label + ret.depth, stack->label + 1, (stack->depth - 1u) * sizeof(ret.label[0]));
	ret.depth = (uint8_t)(ret.depth + stack->depth - 1);
	*stack = ret;
	return true;
}

/* One look into the label table. */
static bool look(struct walk *w)
{
	const struct forwarding *f = &w->s->sites[w->at].f;
	const struct fwd_label_route *route =
	    bsearch(w->stack.label, f->labels, f->label_count, sizeof(*f->labels), label_compare);

	if (!route)
		return broken(w, SIMULATE_BLACK_HOLE, "no such label");
	if (!label_replace(&w->stack, &route->out))
		return broken(w, SIMULATE_BLACK_HOLE, "the stack is too deep");
	if (route->next_site)
		return cross(w, route->next_site);
	return route->out.depth
		   ? broken(w, SIMULATE_BLACK_HOLE, "a label that ends here and goes on")
		   : true;
}

/* From one end to the other: until no label is left. */
static bool go(struct walk *w, uint32_t first, const struct label_stack *stack, uint32_t goal)
{
	w->stack = *stack;
	w->hops = 0;
	if (!cross(w, first))
		return false;
	while (w->stack.depth)
		if (!look(w))
			return false;
	return w->at == goal ? true
			     : broken(w, SIMULATE_ASTRAY, "delivered to a site it is not for");
}

static bool has_session(const struct forwarding *f, const struct fwd_path *p)
{
	if (!forwarding_session(f, p->color))
		return false;
	for (size_t i = 0; i < f->peer_count; i++)
		if (f->peers[i].color == p->color && f->peers[i].site_id == p->endpoint_site)
			return true;
	return false;
}

static void path_walk(struct simulation *s, uint32_t path)
{
	struct sim_path *p = &s->paths[path];
	const struct fwd_path *f = sim_path_forwarding(s, path);
	struct walk w = {.s = s, .path = path, .at = p->site, .from = p->site};
	uint32_t goal = sim_site_by_id(s, f->endpoint_site);
	const struct forwarding *end = goal == SIM_NONE ? NULL : &s->sites[goal].f;
	const struct fwd_return *back;

	p->hop = (uint32_t)s->hop_count;
	if (!end || end->node_address != f->endpoint) {
		broken(&w, SIMULATE_ASTRAY, "there is no such endpoint");
		return;
	}
	if (!has_session(&s->sites[p->site].f, f))
		broken(&w, SIMULATE_PLAINTEXT, "no session of its color");
	if (!go(&w, f->first_site, &f->stack, goal))
		return;
	back = bsearch(&f->source, end->returns, end->return_count, sizeof(*back), return_compare);
	if (!back)
		broken(&w, SIMULATE_BLACK_HOLE, "no way back");
	else
		go(&w, back->first_site, &back->stack, p->site);
}

static void way_count(struct simulation *s, uint32_t path)
{
	const struct sim_path *p = &s->paths[path];
	uint32_t end = sim_site_by_id(s, sim_path_forwarding(s, path)->endpoint_site);

	for (uint32_t i = p->hop; i < p->hop + p->hop_count; i++) {
		uint32_t site = s->hops[i] - (uint32_t)(2 * s->link_count);

		if (sim_resource_is_link(s, s->hops[i]) || site == p->site)
			continue;
		if (site == end)
			s->sites[site].ending++;
		else
			s->sites[site].transit++;
	}
}

int sim_ways_walk(struct simulation *s)
{
	for (uint32_t i = 0; i < s->path_count; i++) {
		path_walk(s, i);
		way_count(s, i);
	}
	return s->failed ? -TUYEN_ENOMEM : 0;
}

/* ---- a packet at a time --------------------------------------------------------------------- */

/* A packet under way. Each look at something that changes shortens the time in which others fare the same. */
struct transit {
	struct simulation *s;
	uint32_t path;
	uint64_t sent_us, now_us, until_us;
	bool chance;
	uint64_t probe;
	uint32_t at, hop;
	struct label_stack stack;
};

static bool goes_wrong(struct transit *t, enum simulate_rule rule, const char *what)
{
	struct simulation *s = t->s;

	if (!t->chance)
		sim_breach(s, s->result, rule, (struct monotime){t->sent_us}, t->path, "at %s: %s",
			   s->sites[t->at].f.site, what);
	return false;
}

/* What is seen now is so until @until_us. */
static void seen_until(struct transit *t, uint64_t until_us)
{
	uint64_t passed = t->now_us - t->sent_us;

	if (until_us != UINT64_MAX && until_us - passed < t->until_us)
		t->until_us = until_us - passed;
}

/* @return whether @resource works all through the next @us. */
static bool works(struct transit *t, uint32_t resource, uint64_t us)
{
	const struct sim_list *list = &t->s->down[resource];

	for (uint32_t i = list->first; i < list->first + list->count; i++) {
		struct sim_interval d = t->s->down_intervals[i];

		if (d.to_us <= t->now_us)
			continue;
		if (d.from_us <= t->now_us + us) {
			seen_until(t, d.to_us);
			return false;
		}
		seen_until(t, d.from_us - us);
		return true;
	}
	return true;
}

static enum repair_link link_state(struct transit *t, uint32_t next_id)
{
	const struct simulation *s = t->s;
	uint32_t next = sim_site_by_id(s, next_id);
	uint32_t way = next == SIM_NONE ? SIM_NONE : sim_link_find(s, t->at, next_id);
	uint64_t until, written = t->now_us > s->o.apply_us ? t->now_us - s->o.apply_us : 0;
	enum repair_link state;
	bool heard;

	if (way == SIM_NONE || !s->link_lists[sim_end_of(way)].count)
		return REPAIR_LINK_USED;
	state = sim_link_state(s, sim_end_of(way), written, &until, &heard);
	seen_until(t, until == UINT64_MAX ? UINT64_MAX : until + s->o.apply_us);
	return state;
}

static bool repaired(struct transit *t, uint32_t next_id, const struct fwd_repair *repair)
{
	return repair->next_site && link_state(t, next_id) != REPAIR_LINK_USED &&
	       link_state(t, repair->next_site) != REPAIR_LINK_DOWN;
}

static bool travel(struct transit *t, uint32_t next_id)
{
	struct simulation *s = t->s;
	uint32_t next = sim_site_by_id(s, next_id), from = t->at;
	uint32_t way = next == SIM_NONE ? SIM_NONE : sim_link_find(s, from, next_id);
	const struct fwd_neighbor *n;
	uint64_t delay;
	bool passes = true;

	if (way == SIM_NONE)
		return goes_wrong(t, SIMULATE_BLACK_HOLE, "the next hop is no neighbour");
	if (t->hop > 2 * HOPS_MAX)
		return goes_wrong(t, SIMULATE_LOOP, "the packet goes round");
	delay = s->links[way / 2].delay_us;
	if (t->chance)
		passes = simulate_wire_pass(&s->o, s->sites[s->paths[t->path].site].f.site_id,
					    sim_path_forwarding(s, t->path)->index, t->probe,
					    t->hop, (uint32_t)delay, &delay);
	t->hop++;
	if (!works(t, way, delay) || !passes)
		return false;
	t->now_us += delay;
	t->at = next;
	if (!works(t, sim_resource_node(s, next), 0))
		return false;
	n = sim_neighbor(s, next, from, forwarding_id_parallel(next_id));
	if (!bsearch(&t->stack, n->accept, n->accept_count, sizeof(*n->accept), stack_compare))
		return goes_wrong(t, SIMULATE_BLACK_HOLE,
				  "its neighbour's filter refuses these labels");
	return true;
}

static bool relabel(struct transit *t, const struct label_stack *out)
{
	return label_replace(&t->stack, out) ||
	       goes_wrong(t, SIMULATE_BLACK_HOLE, "the stack is too deep");
}

static bool switch_label(struct transit *t)
{
	const struct forwarding *f = &t->s->sites[t->at].f;
	const struct fwd_label_route *route =
	    bsearch(t->stack.label, f->labels, f->label_count, sizeof(*f->labels), label_compare);

	if (!route)
		return goes_wrong(t, SIMULATE_BLACK_HOLE, "no such label");
	if (route->next_site && repaired(t, route->next_site, &route->repair))
		return relabel(t, &route->repair.out) && travel(t, route->repair.next_site);
	return relabel(t, &route->out) && (!route->next_site || travel(t, route->next_site));
}

static bool journey(struct transit *t, uint32_t first, const struct label_stack *stack,
		    const struct fwd_repair *repair, uint32_t goal)
{
	bool around = repaired(t, first, repair);

	t->stack = around ? repair->out : *stack;
	if (!travel(t, around ? repair->next_site : first))
		return false;
	while (t->stack.depth)
		if (!switch_label(t))
			return false;
	return t->at == goal || goes_wrong(t, SIMULATE_ASTRAY, "delivered to a site it is not for");
}

static bool there_and_back(struct transit *t)
{
	const struct simulation *s = t->s;
	const struct sim_path *p = &s->paths[t->path];
	const struct fwd_path *f = sim_path_forwarding(s, t->path);
	uint32_t goal = sim_site_by_id(s, f->endpoint_site);
	const struct fwd_return *back;

	if (!journey(t, f->first_site, &f->stack, &f->repair, goal))
		return false;
	back = bsearch(&f->source, s->sites[goal].f.returns, s->sites[goal].f.return_count,
		       sizeof(*back), return_compare);
	return back && journey(t, back->first_site, &back->stack, &back->repair, p->site);
}

void sim_way_pass(struct simulation *s, uint32_t path, uint64_t sent_us, bool chance,
		  uint64_t probe, struct sim_passage *ret_passage)
{
	struct transit t = {
	    .s = s,
	    .path = path,
	    .sent_us = sent_us,
	    .now_us = sent_us,
	    .until_us = UINT64_MAX,
	    .chance = chance,
	    .probe = probe,
	    .at = s->paths[path].site,
	};

	ret_passage->round_trip_us = there_and_back(&t) ? t.now_us - sent_us : SIM_DEAD;
	ret_passage->until_us = t.until_us;
}
