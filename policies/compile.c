/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler, in the order of its work:
 *
 *   compile_graph.c   neighbours, MTUs, the core graph, shortest paths on demand
 *   this file         which sites have a session under which policy (pairs), and
 *                     their candidate paths: index, way, stacks, MTU, timers
 *   compile_classes.c which classes have packets in common
 *   compile_way.c     the way of one path, its labels, the routes and filters they need
 *   compile_repair.c  detours around each adjacency that fails
 *   compile_site.c    one site's share of all that, as struct forwarding
 *
 * Everything is numbered: sites, links, pairs and paths are places in arrays, so that a country of
 * 12,000 sites takes some tens of megabytes and no pass is quadratic. A head-end has few endpoints
 * (SITE_PATHS_MAX), an endpoint may have all the country.
 *
 * Two sites that are head-ends of each other under one policy share one session, as WireGuard knows
 * one peer a key: the site of the lower tier (then of the higher id) decides the way, both may
 * open.
 */
#include "compile_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTOCOL_TCP 6

/* ---- problems ----------------------------------------------------------------------- */

void compile_report(struct compile_result *r, bool error, const char *name,
		    struct source_place place, const char *format, ...)
{
	struct compile_problem *p =
	    compile_grow(r, &r->problems, &r->problem_count, &r->problem_room, sizeof(*p));
	va_list ap;

	r->error_count += error;
	if (!p)
		return;
	*p = (struct compile_problem){.error = error, .name = name, .place = place};
	va_start(ap, format);
	if (vasprintf(&p->text, format, ap) < 0) {
		p->text = NULL;
		r->failed = true;
	}
	va_end(ap);
}

size_t compile_problem_count(const struct compile_result *r)
{
	return r->problem_count;
}

const struct compile_problem *compile_problem(const struct compile_result *r, size_t index)
{
	return &r->problems[index];
}

size_t compile_errors(const struct compile_result *r)
{
	return r->error_count;
}

/* ---- deny rules ------------------------------------------------------------------------ */

bool compile_set_has(const struct site_set *set, uint32_t site)
{
	return site_set_has(set, site);
}

/* @return whether the rule, or policy, whose bits are @index-th has @site in its set. */
static bool from_has(const struct compile_result *r, const uint64_t *bits, size_t index,
		     uint32_t site)
{
	return compile_bits_has(bits + 2 * index * r->words, site);
}

static bool to_has(const struct compile_result *r, const uint64_t *bits, size_t index,
		   uint32_t site)
{
	return compile_bits_has(bits + (2 * index + 1) * r->words, site);
}

static int sets_build(struct compile_result *r)
{
	const struct network *n = r->network;

	r->words = n->site_count / 64 + 1;
	r->deny_bits = calloc(n->deny_count * 2 * r->words + 1, sizeof(*r->deny_bits));
	r->policy_bits = calloc(n->policy_count * 2 * r->words + 1, sizeof(*r->policy_bits));
	if (!r->deny_bits || !r->policy_bits)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < n->deny_count; i++) {
		compile_bits_set(r->deny_bits + 2 * i * r->words, &n->denies[i].from);
		compile_bits_set(r->deny_bits + (2 * i + 1) * r->words, &n->denies[i].to);
	}
	for (size_t i = 0; i < n->policy_count; i++) {
		compile_bits_set(r->policy_bits + 2 * i * r->words, &n->policies[i].from);
		compile_bits_set(r->policy_bits + (2 * i + 1) * r->words, &n->policies[i].to);
	}
	return 0;
}

uint32_t compile_denied_by(const struct compile_result *r, uint32_t from, uint32_t to,
			   uint32_t class_index)
{
	for (size_t i = 0; i < r->network->deny_count; i++) {
		const struct deny_rule *d = &r->network->denies[i];

		if ((d->class_index == NETWORK_NONE || d->class_index == class_index) &&
		    from_has(r, r->deny_bits, i, from) && to_has(r, r->deny_bits, i, to))
			return (uint32_t)i;
	}
	return NETWORK_NONE;
}

/* Of a policy that carries more, which is an error said elsewhere, the first. */
static size_t classes_counted(const struct policy *p)
{
	return p->class_count < COMPILE_CLASSES_MAX ? p->class_count : COMPILE_CLASSES_MAX;
}

static uint64_t classes_open(const struct compile_result *r, const struct policy *p, uint32_t from,
			     uint32_t to)
{
	uint64_t open = 0;

	for (size_t i = 0; i < classes_counted(p); i++)
		if (compile_denied_by(r, from, to, p->classes[i]) == NETWORK_NONE)
			open |= UINT64_C(1) << i;
	return open;
}

/* A pair that a rule forbids a class, and has another open that holds some of its packets. */
struct leak {
	uint32_t from, to;
	size_t count;
};

static void leak_add(const struct compile_result *r, size_t deny, uint32_t from, uint32_t to,
		     struct leak *leak)
{
	if (!from_has(r, r->deny_bits, deny, from) || !to_has(r, r->deny_bits, deny, to))
		return;
	if (!leak->count++)
		leak->from = from, leak->to = to;
}

static struct leak leaks_count(const struct compile_result *r, size_t deny, uint32_t policy,
			       size_t bit)
{
	struct leak leak = {0};

	for (size_t i = 0; i < r->pair_count; i++) {
		const struct compile_pair *p = &r->pairs[i];

		if (p->policy != policy)
			continue;
		if (p->opens >> bit & 1)
			leak_add(r, deny, p->head, p->endpoint, &leak);
		if (p->opens_back >> bit & 1)
			leak_add(r, deny, p->endpoint, p->head, &leak);
	}
	return leak;
}

static void deny_check_class(struct compile_result *r, size_t deny, uint32_t policy, size_t bit)
{
	const struct network *n = r->network;
	const struct deny_rule *d = &n->denies[deny];
	uint32_t carried = n->policies[policy].classes[bit];
	struct leak leak;

	if (carried == d->class_index)
		return;
	leak = leaks_count(r, deny, policy, bit);
	if (leak.count && compile_classes_overlap(n, carried, d->class_index))
		compile_report(r, true, NULL, d->place,
			       "packets of class '%s' still pass from '%s' to '%s'%s as class "
			       "'%s' of policy '%s': deny that too, or let the classes not overlap",
			       n->classes[d->class_index].name, n->sites[leak.from].name,
			       n->sites[leak.to].name, leak.count > 1 ? " and others" : "",
			       n->classes[carried].name, n->policies[policy].name);
}

/* May packets of the class go into a LAN that the site shares? */
static bool class_enters_shared(const struct network *n, uint32_t class_index, uint32_t site)
{
	const struct traffic_class *c = &n->classes[class_index];
	const struct site *s = &n->sites[site];

	for (size_t i = 0; i < c->match_count; i++)
		for (size_t k = 0; k < s->lan_count; k++)
			if (site_lan_own(s, k) &&
			    ipv4_prefix_overlaps(c->matches[i].to, s->lans[k]))
				return true;
	return false;
}

/* What a deny rule forbids, with the gateways that share a LAN with one of it. */
struct deny_sharing {
	const uint64_t *from, *to;
	bool any; /* some site is there only for that */
};

/* @bits  room for both. */
static struct deny_sharing deny_share(const struct compile_result *r, size_t deny, uint64_t *bits)
{
	const struct deny_rule *d = &r->network->denies[deny];
	const uint64_t *named = r->deny_bits + 2 * deny * r->words;
	struct deny_sharing s = {bits, bits + r->words, false};

	memset(bits, 0, 2 * r->words * sizeof(*bits));
	network_bits_sharing(r->network, &d->from, bits);
	network_bits_sharing(r->network, &d->to, bits + r->words);
	s.any = memcmp(bits, named, 2 * r->words * sizeof(*bits)) != 0;
	return s;
}

/* Do packets pass of what the rule forbids, by another gateway of the same LAN? @return the bit of their class, or -1. */
static int deny_passed_by(const struct compile_result *r, size_t deny, const struct deny_sharing *s,
			  const struct compile_pair *p, bool head)
{
	const struct network *n = r->network;
	const struct policy *policy = &n->policies[p->policy];
	uint32_t from = head ? p->head : p->endpoint, to = head ? p->endpoint : p->head;
	uint32_t denied = n->denies[deny].class_index;
	uint64_t opens = head ? p->opens : p->opens_back;

	if (!compile_bits_has(s->from, from) || !compile_bits_has(s->to, to) ||
	    (from_has(r, r->deny_bits, deny, from) && to_has(r, r->deny_bits, deny, to)))
		return -1;
	for (int bit = 0; bit < (int)classes_counted(policy); bit++)
		if (opens >> bit & 1 &&
		    (denied == NETWORK_NONE ||
		     compile_classes_overlap(n, policy->classes[bit], denied)) &&
		    (to_has(r, r->deny_bits, deny, to) ||
		     class_enters_shared(n, policy->classes[bit], to)))
			return bit;
	return -1;
}

/* A rule names sites, and packets that one gateway of a LAN refuses come by the next: then it would not hold. */
static void deny_check_sharing(struct compile_result *r, size_t deny, uint64_t *bits)
{
	const struct network *n = r->network;
	const struct deny_sharing s = deny_share(r, deny, bits);

	for (size_t i = 0; s.any && i < r->pair_count; i++)
		for (int head = 1; head >= 0; head--) {
			const struct compile_pair *p = &r->pairs[i];
			int bit = deny_passed_by(r, deny, &s, p, head);

			if (bit < 0)
				continue;
			compile_report(
			    r, true, NULL, n->denies[deny].place,
			    "packets still pass from '%s' to '%s' as class '%s' of policy '%s', and "
			    "gateways that share a LAN stand for each other: deny all of them, or "
			    "leave that one out of the policy",
			    n->sites[head ? p->head : p->endpoint].name,
			    n->sites[head ? p->endpoint : p->head].name,
			    n->classes[n->policies[p->policy].classes[bit]].name,
			    n->policies[p->policy].name);
			return;
		}
}

static void denies_check_sharing(struct compile_result *r)
{
	uint64_t *bits = malloc(2 * r->words * sizeof(*bits));

	r->failed |= !bits;
	for (size_t i = 0; bits && i < r->network->deny_count; i++)
		deny_check_sharing(r, i, bits);
	free(bits);
}

/* Rules forbid classes by name, nodes judge packets: a rule that would not hold is refused. */
static void denies_check(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < n->deny_count; i++)
		for (uint32_t p = 0;
		     p < n->policy_count && n->denies[i].class_index != NETWORK_NONE; p++)
			for (size_t bit = 0; bit < classes_counted(&n->policies[p]); bit++)
				deny_check_class(r, i, p, bit);
}

/* ---- paths -------------------------------------------------------------------------- */

/* Bytes of IP packet that fit under the labels of @stack all along @w: the fewer are left of them, the more. */
static uint16_t way_mtu(const struct compile_result *r, const struct way *w,
			const struct label_stack *stack)
{
	uint16_t least = UINT16_MAX;
	uint8_t used = 0;

	for (uint32_t i = 1; i < w->length && used < stack->depth; i++) {
		uint16_t link = compile_link_room(r, w->site[i - 1], w->site[i]);
		uint16_t cost = (uint16_t)(MTU_MPLS_IN_IP + MTU_LABEL * (stack->depth - used));
		uint16_t room = link > cost ? link - cost : 0;

		least = room < least ? room : least;
		used += sites_label_is(r, w->site[i], stack->label[used]);
	}
	return least;
}

static struct probe_timers way_probe(const struct compile_result *r, const struct way *w)
{
	struct probe_timers slowest = {0};

	for (uint32_t i = 0; i + 1 < w->length; i++) {
		const struct link *l =
		    &r->network->links[compile_link_find(r, w->site[i], w->site[i + 1])];

		if (l->probe.interval_us > slowest.interval_us)
			slowest.interval_us = l->probe.interval_us;
		if (l->probe.multiplier > slowest.multiplier)
			slowest.multiplier = l->probe.multiplier;
	}
	return slowest;
}

/* Does @w pass from @a to @b, or back? Two sites, or a site and a face, have one link at most. */
static bool way_passes(const struct way *w, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i + 1 < w->length; i++)
		if ((w->site[i] == a && w->site[i + 1] == b) ||
		    (w->site[i] == b && w->site[i + 1] == a))
			return true;
	return false;
}

static void way_shared(struct compile_result *r, const struct way *w, const struct way *other,
		       struct compile_path *path)
{
	path->shared = (uint32_t)r->shared.count;
	for (uint32_t i = 0; i + 1 < w->length; i++)
		if (way_passes(other, w->site[i], w->site[i + 1]) &&
		    pool_add(r, &r->shared, compile_link_find(r, w->site[i], w->site[i + 1])))
			path->shared_count++;
}

static uint32_t link_shares_risk(const struct compile_result *r, uint32_t a, uint32_t b)
{
	const struct link *x = &r->network->links[a], *y = &r->network->links[b];

	for (size_t i = 0; i < x->risk_count; i++)
		for (size_t k = 0; k < y->risk_count; k++)
			if (x->risks[i] == y->risks[k])
				return x->risks[i];
	return NETWORK_NONE;
}

/* A risk that both ways run, NETWORK_NONE if there is none. */
static uint32_t way_shared_risk(const struct compile_result *r, const struct way *w,
				const struct way *other)
{
	for (uint32_t i = 0; i + 1 < w->length; i++)
		for (uint32_t k = 0; k + 1 < other->length; k++) {
			uint32_t risk = link_shares_risk(
			    r, compile_link_find(r, w->site[i], w->site[i + 1]),
			    compile_link_find(r, other->site[k], other->site[k + 1]));

			if (risk != NETWORK_NONE)
				return risk;
		}
	return NETWORK_NONE;
}

static void tally_risk(struct compile_result *r, const struct compile_path *path,
		       const struct way *w, const struct way *other)
{
	const struct compile_pair *pair = &r->pairs[path->pair];
	struct path_tally *t = &r->tallies[r->tally_first[pair->policy] + path->path];
	uint32_t risk = way_shared_risk(r, w, other);

	if (risk == NETWORK_NONE || path->shared_count)
		return;
	if (!t->risky++) {
		t->risky_head = pair->head;
		t->risky_risk = risk;
	}
}

static void tally_path(struct compile_result *r, const struct compile_path *path, uint32_t policy,
		       uint32_t position)
{
	struct path_tally *t = &r->tallies[r->tally_first[policy] + path->path];

	t->sites++;
	if (!path->shared_count)
		return;
	if (t->shared < 3)
		t->example[t->shared] = position;
	t->shared++;
}

/* One direction of a way: its stack, label routes, filters. @return where the stack's labels are. */
static uint32_t path_label(struct compile_result *r, const struct way *w,
			   const struct label_stack *stack, uint8_t *ret_depth)
{
	*ret_depth = stack->depth;
	return compile_way_install(r, w, stack);
}

static void path_measure(struct compile_result *r, const struct way *w, uint16_t there,
			 uint16_t back, struct compile_path *path)
{
	path->mtu = there < back ? there : back;
	path->session_mtu =
	    path->mtu < MTU_WIREGUARD_IPV4 ? 0 : (uint16_t)(path->mtu - MTU_WIREGUARD_IPV4);
	path->slowest = way_probe(r, w);
}

/*
 * A path of the same head-end that goes the same way, under another policy or preference: its way,
 * labels, filters and sizes serve again. A head-end has SITE_PATHS_MAX paths at most.
 */
static const struct compile_path *path_same_way(const struct compile_result *r, uint32_t head,
						const struct way *w, const bool *pinned,
						uint32_t end)
{
	for (uint32_t i = r->pairs[r->head_first[head]].path; i < end; i++) {
		const struct compile_path *p = &r->paths[i];

		if (p->way_length == w->length && p->back_depth && p->pinned[0] == pinned[0] &&
		    p->pinned[1] == pinned[1] &&
		    !memcmp(compile_path_way(r, p), w->site, w->length * sizeof(w->site[0])))
			return p;
	}
	return NULL;
}

static void path_copy_way(const struct compile_path *from, struct compile_path *path)
{
	path->way = from->way;
	path->stack = from->stack;
	path->stack_depth = from->stack_depth;
	path->back = from->back;
	path->back_depth = from->back_depth;
	path->mtu = from->mtu;
	path->session_mtu = from->session_mtu;
	path->slowest = from->slowest;
}

/*
 * Bytes that fit there and over the last link's twin, which takes over when that is down. What a twin may serve has a path of
 * its own there under the same policy: so the session is no wider anyway.
 */
static uint16_t way_mtu_twin(const struct compile_result *r, const struct way *w,
			     const struct label_stack *stack, bool pinned)
{
	uint32_t last = w->length - 1;
	uint32_t twin = pinned ? NETWORK_NONE : compile_twin(r, w->site[last - 1], w->site[last]);
	uint16_t mtu = way_mtu(r, w, stack), other;
	struct way way;

	if (twin == NETWORK_NONE)
		return mtu;
	way = *w;
	way.site[last] = twin;
	other = way_mtu(r, &way, stack);
	return other < mtu ? other : mtu;
}

static bool way_say(struct compile_result *r, const struct way *w, bool pinned,
		    struct label_stack *ret_stack)
{
	return pinned ? compile_way_stack_pinned(r, w, ret_stack)
		      : compile_way_stack(r, w, ret_stack);
}

/* @return false when labels cannot say it, or without memory. */
static bool path_make_way(struct compile_result *r, const struct way *w, struct compile_path *path)
{
	struct label_stack there, back;
	struct way reversed;

	path->way = (uint32_t)r->ways.count;
	for (uint32_t i = 0; i < w->length; i++)
		if (!pool_add(r, &r->ways, w->site[i]))
			return false;
	compile_way_reverse(w, &reversed);
	if (!way_say(r, w, path->pinned[0], &there) ||
	    !way_say(r, &reversed, path->pinned[1], &back))
		return false;
	path->stack = path_label(r, w, &there, &path->stack_depth);
	path->back = path_label(r, &reversed, &back, &path->back_depth);
	path_measure(r, w, way_mtu_twin(r, w, &there, path->pinned[0]),
		     way_mtu_twin(r, &reversed, &back, path->pinned[1]), path);
	return true;
}

/* No faster than its slowest link, and down no sooner than the most patient: else it fails where its links do not. */
static void path_probe(const struct policy *p, struct compile_path *path)
{
	uint64_t detection_us = (uint64_t)path->slowest.interval_us * path->slowest.multiplier,
		 least;

	path->probe = path->slowest;
	if (!p->probe.interval_us)
		return;
	if (p->probe.interval_us > path->probe.interval_us)
		path->probe.interval_us = p->probe.interval_us;
	least = (detection_us + path->probe.interval_us - 1) / path->probe.interval_us;
	path->probe.multiplier = p->probe.multiplier > least ? p->probe.multiplier : (uint8_t)least;
}

static void path_add(struct compile_result *r, uint32_t pair, uint32_t path_index,
		     const struct way *w, const struct way *other, const bool pinned[static 2])
{
	const struct compile_pair *p = &r->pairs[pair];
	const struct network *n = r->network;
	const struct candidate_path *c = &n->policies[p->policy].paths[path_index];
	uint32_t position = (uint32_t)r->path_count;
	struct compile_path *path =
	    compile_grow(r, &r->paths, &r->path_count, &r->path_room, sizeof(*path));
	const struct compile_path *same;

	if (!path)
		return;
	path->pair = pair;
	path->path = path_index;
	path->way_length = (uint8_t)w->length;
	memcpy(path->pinned, pinned, sizeof(path->pinned));
	same = path_same_way(r, p->head, w, pinned, position);
	if (other)
		way_shared(r, w, other, path);
	if (other && n->risk_count)
		tally_risk(r, path, w, other);
	if (same)
		path_copy_way(same, path);
	else if (!path_make_way(r, w, path) && r->failed)
		return;
	path_probe(&n->policies[p->policy], path);
	if (!path->back_depth) {
		compile_report(r, true, NULL, c->place,
			       "path '%s' from '%s' to '%s' needs more than %d labels", c->name,
			       n->sites[p->head].name, n->sites[p->endpoint].name, LABEL_STACK_MAX);
		return;
	}
	if (path->session_mtu < MTU_IPV4_MIN)
		compile_report(r, true, NULL, c->place,
			       "path '%s' from '%s' to '%s': under %u labels a session keeps %u "
			       "bytes of MTU, less than %d",
			       c->name, n->sites[p->head].name, n->sites[p->endpoint].name,
			       path->stack_depth, path->session_mtu, MTU_IPV4_MIN);
	if (c->max_labels && (pinned[0] || pinned[1]) &&
	    (path->stack_depth > c->max_labels || path->back_depth > c->max_labels))
		compile_report(
		    r, true, NULL, c->place,
		    "path '%s' from '%s' to '%s': to keep off a parallel link that no path of "
		    "the policy takes it needs a label more than %u",
		    c->name, n->sites[p->head].name, n->sites[p->endpoint].name, c->max_labels);
	tally_path(r, path, p->policy, position);
}

#define POLICY_PATHS_MAX SITE_PATHS_MAX

/* ---- constraints ---------------------------------------------------------------------- */

static uint64_t way_delay_us(const struct compile_result *r, const struct way *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < w->length; i++)
		sum += r->network->links[compile_link_find(r, w->site[i], w->site[i + 1])].delay_us;
	return sum;
}

static bool way_within_labels(struct compile_result *r, const struct way *w, uint8_t most)
{
	struct label_stack stack, back;
	struct way reversed;

	compile_way_reverse(w, &reversed);
	return compile_way_stack(r, w, &stack) && compile_way_stack(r, &reversed, &back) &&
	       stack.depth <= most && back.depth <= most;
}

static bool path_has_constraint(const struct candidate_path *c)
{
	return c->avoid.count || c->avoid_link_count || c->max_delay_us || c->max_labels ||
	       c->over != NETWORK_NONE;
}

static bool site_has_line(const struct site *s, uint32_t underlay)
{
	for (size_t i = 0; i < s->uplink_count; i++)
		if (s->uplinks[i].underlay == underlay)
			return true;
	return false;
}

/* Would the head-end have this path if nothing constrained it? */
static bool path_is_meant(const struct compile_result *r, const struct candidate_path *c,
			  uint32_t head)
{
	const struct site *s = &r->network->sites[head];

	return (c->over == NETWORK_NONE || site_has_line(s, c->over)) &&
	       (c->via != PATH_VIA_BACKUP || s->backup != NETWORK_NONE) &&
	       (c->via != PATH_VIA_PARENT || s->parent != NETWORK_NONE);
}

static bool way_meets(struct compile_result *r, const struct candidate_path *c, const struct way *w)
{
	if (c->max_delay_us && way_delay_us(r, w) > c->max_delay_us)
		return false;
	return !c->max_labels || way_within_labels(r, w, c->max_labels);
}

static bool path_meant_for(const struct candidate_path *c, uint32_t head)
{
	return !c->some || compile_set_has(&c->heads, head);
}

static void tally_lacking(struct compile_result *r, const struct compile_pair *p, uint32_t path)
{
	const struct candidate_path *c = &r->network->policies[p->policy].paths[path];
	struct path_tally *t = &r->tallies[r->tally_first[p->policy] + path];

	if (!path_has_constraint(c) || !path_is_meant(r, c, p->head))
		return;
	if (t->unmet < 3)
		t->lacking[t->unmet] = p->head;
	t->unmet++;
}

static bool pair_way(struct compile_result *r, const struct compile_pair *p, uint32_t path,
		     const struct way *other, struct way *ret_way)
{
	const struct candidate_path *c = &r->network->policies[p->policy].paths[path];

	if (!path_meant_for(c, p->head))
		return false;
	if (compile_way_find(r, c, p->head, p->endpoint, other, ret_way) &&
	    way_meets(r, c, ret_way))
		return true;
	tally_lacking(r, p, path);
	return false;
}

/* The ways of one pair's candidate paths, a disjoint one after what it is disjoint from. */
static void pair_search(struct compile_result *r, const struct compile_pair *p, struct way *ways,
			bool *found)
{
	const struct policy *policy = &r->network->policies[p->policy];

	for (size_t pass = 0; pass < policy->path_count; pass++)
		for (size_t i = 0; i < policy->path_count; i++) {
			const struct candidate_path *c = &policy->paths[i];
			size_t depth = 0;

			for (uint32_t d = c->disjoint_from;
			     d != NETWORK_NONE && depth <= policy->path_count;
			     d = policy->paths[d].disjoint_from)
				depth++;
			if (depth != pass)
				continue;
			found[i] =
			    pair_way(r, p, (uint32_t)i,
				     c->disjoint_from != NETWORK_NONE && found[c->disjoint_from]
					 ? &ways[c->disjoint_from]
					 : NULL,
				     &ways[i]);
		}
}

/* The pair of the same two sites under a policy with the same candidate paths. */
static const struct compile_pair *pair_twin(const struct compile_result *r,
					    const struct compile_pair *p, uint32_t end)
{
	for (uint32_t i = r->head_first[p->head]; r->twins[p->policy] != NETWORK_NONE && i < end;
	     i++)
		if (r->pairs[i].policy == r->twins[p->policy] &&
		    r->pairs[i].endpoint == p->endpoint)
			return &r->pairs[i];
	return NULL;
}

static void pair_copy(struct compile_result *r, const struct compile_pair *twin,
		      const struct compile_pair *p, struct way *ways, bool *found)
{
	const struct policy *policy = &r->network->policies[p->policy];

	for (uint32_t i = 0; i < twin->path_count; i++) {
		const struct compile_path *path = &r->paths[twin->path + i];
		struct way *w = &ways[path->path];

		found[path->path] = true;
		w->length = path->way_length;
		memcpy(w->site, compile_path_way(r, path), w->length * sizeof(w->site[0]));
	}
	for (uint32_t i = 0; i < policy->path_count; i++)
		if (!found[i] && path_meant_for(&policy->paths[i], p->head))
			tally_lacking(r, p, i);
}

/* ---- parallel links ------------------------------------------------------------------ */

/* The first two sites of a way, or its last two from the end. */
static uint32_t way_end(const struct way *w, bool first, uint32_t from_there)
{
	return w->site[first ? from_there : w->length - 1 - from_there];
}

static uint64_t twin_delay_us(const struct compile_result *r, const struct way *w, bool first,
			      uint32_t twin)
{
	struct way other = *w;

	other.site[first ? 0 : w->length - 1] = twin;
	return way_delay_us(r, &other);
}

/*
 * Where the last link of a way, @back or there, has a twin, that takes over while the link is down; not for whom policy
 * gives no path over it, nor for a path that says so itself.
 */
static bool way_pinned(const struct compile_result *r, const struct policy *policy, uint32_t path,
		       const struct way *ways, const bool *found, bool back)
{
	const struct candidate_path *c = &policy->paths[path];
	const struct way *w = &ways[path];
	uint32_t before = way_end(w, back, 1);
	uint32_t twin = compile_twin(r, before, way_end(w, back, 0));
	uint32_t link;
	bool used = false;

	if (twin == NETWORK_NONE)
		return false;
	for (uint32_t i = 0; i < policy->path_count; i++)
		used |= found[i] && way_end(&ways[i], back, 0) == twin &&
			way_end(&ways[i], back, 1) == before;
	link = compile_link_find(r, before, twin);
	for (size_t i = 0; i < c->avoid_link_count; i++)
		used &= c->avoid_links[i] != link;
	return !used || (c->max_delay_us && twin_delay_us(r, w, back, twin) > c->max_delay_us);
}

static void pair_paths(struct compile_result *r, uint32_t pair)
{
	const struct compile_pair p = r->pairs[pair], *twin = pair_twin(r, &p, pair);
	const struct policy *policy = &r->network->policies[p.policy];
	struct way ways[POLICY_PATHS_MAX];
	bool found[POLICY_PATHS_MAX] = {false};

	if (twin)
		pair_copy(r, twin, &p, ways, found);
	else
		pair_search(r, &p, ways, found);
	for (uint32_t i = 0; i < policy->path_count; i++) {
		uint32_t other = policy->paths[i].disjoint_from;
		bool pinned[2] = {false, false};

		if (!found[i])
			continue;
		for (int back = 0; back < 2; back++)
			pinned[back] = way_pinned(r, policy, i, ways, found, back);
		path_add(r, pair, i, &ways[i],
			 other != NETWORK_NONE && found[other] ? &ways[other] : NULL, pinned);
	}
}

/* ---- pairs -------------------------------------------------------------------------- */

/* Of two sites that are head-ends of each other: does @a decide? */
static bool head_wins(const struct network *n, uint32_t a, uint32_t b)
{
	if (n->sites[a].tier != n->sites[b].tier)
		return n->sites[a].tier > n->sites[b].tier;
	return n->sites[a].id > n->sites[b].id;
}

/* @return false when @head can have no more. */
static bool pair_add(struct compile_result *r, uint32_t policy_index, uint32_t head,
		     uint32_t endpoint, uint8_t *next_index)
{
	const struct network *n = r->network;
	const struct policy *policy = &n->policies[policy_index];
	bool mutual = from_has(r, r->policy_bits, policy_index, endpoint) &&
		      to_has(r, r->policy_bits, policy_index, head);
	struct compile_pair pair = {.head = head, .endpoint = endpoint, .policy = policy_index};
	struct compile_pair *added;
	uint32_t position = (uint32_t)r->pair_count;

	if ((mutual && !head_wins(n, head, endpoint)) || network_shares_lan(n, head, endpoint))
		return true;
	pair.opens = classes_open(r, policy, head, endpoint);
	pair.opens_back = mutual ? classes_open(r, policy, endpoint, head) : 0;
	pair.path = (uint32_t)r->path_count;
	if (!pair.opens && !pair.opens_back)
		return true;
	added = compile_grow(r, &r->pairs, &r->pair_count, &r->pair_room, sizeof(*added));
	if (!added)
		return false;
	*added = pair;
	pair_paths(r, position);
	r->pairs[position].path_count = (uint32_t)r->path_count - pair.path;
	if (!r->pairs[position].path_count && r->links != LINKS_PAST)
		compile_report(r, true, NULL, policy->place,
			       "policy '%s': no path of it leads from '%s' to '%s'", policy->name,
			       n->sites[head].name, n->sites[endpoint].name);
	for (size_t i = pair.path; i < r->path_count; i++) {
		if (*next_index == SITE_PATHS_MAX) {
			compile_report(
			    r, true, NULL, policy->place,
			    "'%s' would have more than %d candidate paths over all its policies",
			    n->sites[head].name, SITE_PATHS_MAX);
			return false;
		}
		r->paths[i].index = ++*next_index;
	}
	return true;
}

/* Policies by color, and of each its endpoints with a LAN by id. */
struct policy_order {
	uint32_t *policies;
	uint32_t **endpoints;
	size_t *endpoint_count;
};

static void policy_order_clear(struct policy_order *o, size_t count)
{
	for (size_t i = 0; o->endpoints && i < count; i++)
		free(o->endpoints[i]);
	free(o->policies);
	free(o->endpoints);
	free(o->endpoint_count);
}

static int by_color(const void *a, const void *b, void *network)
{
	const struct network *n = network;
	uint32_t p = n->policies[*(const uint32_t *)a].color,
		 q = n->policies[*(const uint32_t *)b].color;

	return p < q ? -1 : p > q;
}

static void policy_check(struct compile_result *r, const struct policy *p)
{
	if (p->path_count > POLICY_PATHS_MAX)
		compile_report(r, true, NULL, p->place, "policy '%s' has more than %d paths",
			       p->name, POLICY_PATHS_MAX);
	if (p->class_count > COMPILE_CLASSES_MAX)
		compile_report(r, true, NULL, p->place, "policy '%s' carries more than %d classes",
			       p->name, COMPILE_CLASSES_MAX);
	if (r->network->session_port + p->color > UINT16_MAX)
		compile_report(r, true, NULL, p->place,
			       "policy '%s': session port %u plus color %u is no port", p->name,
			       r->network->session_port, p->color);
}

static bool sets_equal(const struct site_set *a, const struct site_set *b)
{
	return a->count == b->count &&
	       (!a->count || !memcmp(a->sites, b->sites, a->count * sizeof(*a->sites)));
}

/* Does the same lead to their ways? */
static bool candidates_alike(const struct candidate_path *a, const struct candidate_path *b)
{
	return a->via == b->via && a->over == b->over && a->disjoint_from == b->disjoint_from &&
	       a->max_delay_us == b->max_delay_us && a->max_labels == b->max_labels &&
	       a->some == b->some && a->avoid_link_count == b->avoid_link_count &&
	       (!a->avoid_link_count || !memcmp(a->avoid_links, b->avoid_links,
						a->avoid_link_count * sizeof(*a->avoid_links))) &&
	       sets_equal(&a->through, &b->through) && sets_equal(&a->avoid, &b->avoid) &&
	       sets_equal(&a->heads, &b->heads);
}

static bool policies_alike(const struct policy *p, const struct policy *q)
{
	if (p->path_count != q->path_count)
		return false;
	for (size_t i = 0; i < p->path_count; i++)
		if (!candidates_alike(&p->paths[i], &q->paths[i]))
			return false;
	return true;
}

/* @policies  by color. */
static bool twins_find(struct compile_result *r, const uint32_t *policies)
{
	const struct network *n = r->network;

	r->twins = malloc((n->policy_count + 1) * sizeof(*r->twins));
	for (size_t i = 0; r->twins && i < n->policy_count; i++) {
		uint32_t *twin = &r->twins[policies[i]];

		*twin = NETWORK_NONE;
		for (size_t k = 0; k < i && *twin == NETWORK_NONE; k++)
			if (policies_alike(&n->policies[policies[i]], &n->policies[policies[k]]))
				*twin = policies[k];
	}
	return r->twins;
}

static int policy_order_build(struct compile_result *r, struct policy_order *o)
{
	struct network *n =
	    (struct network *)(uintptr_t)r->network; /* qsort_r's argument is not const */

	o->policies = calloc(n->policy_count + 1, sizeof(*o->policies));
	o->endpoints = calloc(n->policy_count + 1, sizeof(*o->endpoints));
	o->endpoint_count = calloc(n->policy_count + 1, sizeof(*o->endpoint_count));
	if (!o->policies || !o->endpoints || !o->endpoint_count)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < n->policy_count; i++) {
		const struct site_set *to = &n->policies[i].to;

		policy_check(r, &n->policies[i]);
		o->policies[i] = i;
		o->endpoints[i] = calloc(to->count + 1, sizeof(**o->endpoints));
		if (!o->endpoints[i])
			return -TUYEN_ENOMEM;
		for (size_t j = 0; j < to->count; j++)
			if (n->sites[to->sites[j]].lan_count)
				o->endpoints[i][o->endpoint_count[i]++] = to->sites[j];
		network_sort_by_id(r->network, o->endpoints[i], o->endpoint_count[i]);
	}
	qsort_r(o->policies, n->policy_count, sizeof(*o->policies), by_color, n);
	return twins_find(r, o->policies) ? 0 : -TUYEN_ENOMEM;
}

/* ---- gateways that share a LAN: the nearest first ---------------------------------------- */

static uint64_t pair_metric(const struct compile_result *r, const struct compile_pair *p)
{
	const struct compile_path *path = &r->paths[p->path];
	const uint32_t *way;
	uint64_t sum = 0;

	if (!p->path_count)
		return UINT64_MAX;
	way = compile_path_way(r, path);
	for (uint32_t i = 0; i + 1 < path->way_length; i++)
		sum += r->network->links[compile_link_find(r, way[i], way[i + 1])].metric;
	return sum;
}

/* Does the endpoint of pair @a come before that of @b, where both have the LAN? */
static bool pair_ranks_before(const struct compile_result *r, size_t a, uint64_t metric_a, size_t b,
			      uint64_t metric_b)
{
	const struct site *sites = r->network->sites;

	return metric_a != metric_b
		   ? metric_a < metric_b
		   : sites[r->pairs[a].endpoint].id < sites[r->pairs[b].endpoint].id;
}

/* Whose UDP port of @site is @port, where it is not a session's? NULL: nobody's. */
static const char *port_owner(const struct network *n, uint32_t site, uint32_t port)
{
	uint32_t link = network_listen_port(n, site);

	if (port == link)
		return "its links";
	if (n->sites[site].face && port == link + 1)
		return "its parallel links";
	return network_port_reserved(port) ? "BFD" : NULL;
}

/* Was what was reported last an error of that place? */
static bool reported_last(const struct compile_result *r, struct source_place place)
{
	const struct compile_problem *p = r->problems;

	return r->problem_count && p[r->problem_count - 1].error &&
	       !memcmp(&p[r->problem_count - 1].place, &place, sizeof(place));
}

/* A gateway of a rank above 0 is called from a port of its own, below the first one's. */
static void rank_port_check(struct compile_result *r, const struct compile_pair *p)
{
	const struct network *n = r->network;
	const struct policy *policy = &n->policies[p->policy];
	uint32_t below = p->rank * FWD_RANK_PORTS, port = n->session_port + policy->color;
	const char *owner;

	if (port < below + 1024) {
		compile_report(r, true, NULL, policy->place,
			       "policy '%s': session port %u leaves no port for a gateway of rank "
			       "%u: it would be %u below",
			       policy->name, n->session_port, p->rank + 1, below);
		return;
	}
	owner = port_owner(n, p->head, port - below);
	if (owner && !reported_last(r, policy->place)) /* of a policy one site is enough */
		compile_report(r, true, NULL, policy->place,
			       "policy '%s': '%s' would call its gateway of rank %u from port %u, "
			       "which is that of %s: another color or session port",
			       policy->name, n->sites[p->head].name, p->rank + 1, port - below,
			       owner);
}

/* @metrics  of the pairs from @first on. */
static void pair_rank(struct compile_result *r, size_t pair, size_t first, const uint64_t *metrics)
{
	struct compile_pair *p = &r->pairs[pair];
	const struct network *n = r->network;
	const struct policy *policy = &n->policies[p->policy];
	unsigned int rank = 0;

	for (size_t i = first; i < r->pair_count; i++)
		rank += i != pair && network_shares_lan(n, p->endpoint, r->pairs[i].endpoint) &&
			pair_ranks_before(r, i, metrics[i - first], pair, metrics[pair - first]);
	p->rank = (uint8_t)rank;
	if (rank >= FWD_RANKS_MAX)
		compile_report(r, true, NULL, policy->place,
			       "policy '%s': '%s' would have more than %d gateways to one LAN",
			       policy->name, n->sites[p->head].name, FWD_RANKS_MAX);
	else if (rank)
		rank_port_check(r, p);
}

/* Ranks the pairs of one head-end and policy, from @first on. */
static void pairs_rank(struct compile_result *r, size_t first)
{
	uint64_t metrics[SITE_PATHS_MAX];
	size_t count = r->pair_count - first;

	if (count < 2 || count > SITE_PATHS_MAX)
		return; /* nothing to choose from; or an error, said already */
	for (size_t i = 0; i < count; i++)
		metrics[i] = pair_metric(r, &r->pairs[first + i]);
	for (size_t i = first; i < r->pair_count; i++)
		if (r->pairs[i].path_count &&
		    site_shares_lan(&r->network->sites[r->pairs[i].endpoint]))
			pair_rank(r, i, first, metrics);
}

/* Does @site, in a shared LAN, call somebody under the policy? */
static bool policy_calls(const struct compile_result *r, size_t policy, uint32_t site)
{
	for (uint32_t p = r->head_first[site]; p < r->head_first[site + 1]; p++)
		if (r->pairs[p].policy == policy)
			return site_shares_lan(&r->network->sites[site]);
	return false;
}

/*
 * Several gateways of one LAN that each call a site would be peers with the same prefixes behind one
 * device of it: WireGuard knows one owner.
 */
static void callers_check(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < n->policy_count; i++) {
		const struct site_set *from = &n->policies[i].from;
		uint32_t other = NETWORK_NONE, one = NETWORK_NONE;

		for (size_t k = 0; k < from->count && other == NETWORK_NONE; k++) {
			if (!policy_calls(r, i, from->sites[k]))
				continue;
			for (size_t j = 0; j < k && other == NETWORK_NONE; j++) {
				one = from->sites[j];
				if (network_shares_lan(n, one, from->sites[k]) &&
				    policy_calls(r, i, one))
					other = from->sites[k];
			}
		}
		if (other != NETWORK_NONE)
			compile_report(r, true, NULL, n->policies[i].place,
				       "policy '%s': '%s' and '%s' share a LAN, and only one of "
				       "them may call a site: say 'from %s'",
				       n->policies[i].name, n->sites[one].name,
				       n->sites[other].name, n->sites[one].name);
	}
}

/*
 * Of gateways that share a LAN, @site calls one under the policy of @p: the other, of @p, must be called too, and both may
 * open connections or none. For a site's rules name LANs; and it has a device for each gateway that it calls, and none for one
 * that calls it instead.
 */
static bool sharers_differ(const struct compile_result *r, const struct compile_pair *p,
			   uint32_t site, uint32_t called)
{
	bool to_site = to_has(r, r->policy_bits, p->policy, site);

	if (p->head != site)
		return true;
	return to_site && from_has(r, r->policy_bits, p->policy, p->endpoint) !=
			      from_has(r, r->policy_bits, p->policy, called);
}

static void sharers_check_at(struct compile_result *r, const struct compile_pair *p, uint32_t site)
{
	const struct network *n = r->network;
	const struct policy *policy = &n->policies[p->policy];
	uint32_t other = p->head == site ? p->endpoint : p->head;

	for (uint32_t i = r->head_first[site]; i < r->head_first[site + 1]; i++) {
		const struct compile_pair *q = &r->pairs[i];

		if (q->policy != p->policy || !network_shares_lan(n, q->endpoint, other) ||
		    !sharers_differ(r, p, site, q->endpoint) || reported_last(r, policy->place))
			continue;
		compile_report(r, true, NULL, policy->place,
			       "policy '%s': '%s' and '%s' share a LAN and '%s' calls '%s': it "
			       "must call both, and both or none may call it",
			       policy->name, n->sites[other].name, n->sites[q->endpoint].name,
			       n->sites[site].name, n->sites[q->endpoint].name);
	}
}

static void sharers_check(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < r->pair_count; i++) {
		const struct compile_pair *p = &r->pairs[i];

		if (site_shares_lan(&n->sites[p->endpoint]))
			sharers_check_at(r, p, p->head);
		if (site_shares_lan(&n->sites[p->head]))
			sharers_check_at(r, p, p->endpoint);
	}
}

/*
 * Gateways that share a LAN track no connection, and the site at the other end does. Between two of them nobody does: an answer
 * of TCP opens nothing, while one of UDP comes from the class's port and goes to any.
 */
static void untracked_check(struct compile_result *r)
{
	const struct network *n = r->network;

	for (size_t i = 0; i < r->pair_count; i++) {
		const struct compile_pair *p = &r->pairs[i];
		const struct policy *policy = &n->policies[p->policy];

		if (!site_shares_lan(&n->sites[p->head]) ||
		    !site_shares_lan(&n->sites[p->endpoint]) || reported_last(r, policy->place))
			continue;
		for (size_t bit = 0; bit < classes_counted(policy); bit++) {
			const struct traffic_class *c = &n->classes[policy->classes[bit]];
			bool tcp = true;

			for (size_t m = 0; m < c->match_count; m++)
				tcp &= c->matches[m].protocol == PROTOCOL_TCP;
			if (tcp || !((p->opens | p->opens_back) >> bit & 1))
				continue;
			compile_report(
			    r, true, NULL, policy->place,
			    "policy '%s': '%s' and '%s' both stand in shared LANs, where "
			    "no connection is tracked: answers of class '%s', which is "
			    "not TCP alone, would open others",
			    policy->name, n->sites[p->head].name, n->sites[p->endpoint].name,
			    c->name);
			break;
		}
	}
}

static bool pairs_of_head(struct compile_result *r, const struct policy_order *o, uint32_t head)
{
	uint8_t next_index = 0;

	r->head_first[head] = (uint32_t)r->pair_count;
	if (!r->network->sites[head].lan_count)
		return true;
	for (size_t i = 0; i < r->network->policy_count; i++) {
		uint32_t p = o->policies[i];

		size_t first = r->pair_count;

		if (!from_has(r, r->policy_bits, p, head))
			continue;
		for (size_t e = 0; e < o->endpoint_count[p]; e++)
			if (o->endpoints[p][e] != head &&
			    !pair_add(r, p, head, o->endpoints[p][e], &next_index))
				return false;
		pairs_rank(r, first);
	}
	return true;
}

/* As many as there can be, but for mistakes. @first, @end  the sites that @r decides; a whole gets those of its parts too. */
static void pairs_reserve(struct compile_result *r, const struct policy_order *o, uint32_t first,
			  uint32_t end)
{
	const struct network *n = r->network;
	size_t heads = 0, pairs = 0, paths = 0;

	for (size_t i = first; i < end; i++)
		heads += n->sites[i].lan_count > 0;
	for (size_t i = 0; i < n->policy_count; i++) {
		pairs += o->endpoint_count[i];
		paths += o->endpoint_count[i] * n->policies[i].path_count;
	}
	pairs = pairs < SITE_PATHS_MAX ? pairs : SITE_PATHS_MAX;
	paths = paths < SITE_PATHS_MAX ? paths : SITE_PATHS_MAX;
	compile_reserve(&r->pairs, &r->pair_room, heads * pairs, sizeof(*r->pairs));
	compile_reserve(&r->paths, &r->path_room, heads * paths, sizeof(*r->paths));
	compile_reserve(&r->accepts, &r->accept_room, 4 * heads * paths, sizeof(*r->accepts));
	compile_reserve(&r->stacks.values, &r->stacks.room, 3 * heads * paths, sizeof(uint32_t));
	compile_reserve(&r->ways.values, &r->ways.room, 2 * heads * paths, sizeof(uint32_t));
	compile_reserve(&r->labels, &r->label_room, 6 * heads, sizeof(*r->labels));
	index_reserve(r, &r->label_index, 4 * heads);
}

struct pairs_work {
	const struct policy_order *order;
	const struct compile_parts *parts;
};

static int pairs_step(void *context, unsigned int worker, size_t item)
{
	const struct pairs_work *w = context;
	struct compile_result *r = w->parts->part[item];
	uint32_t first = w->parts->first[item], end = w->parts->first[item + 1];

	(void)worker;
	pairs_reserve(r, w->order, first, item ? end : (uint32_t)r->network->site_count);
	for (uint32_t s = first; s < end; s++)
		if (r->error_count > 200 || r->failed || !pairs_of_head(r, w->order, s))
			return r->failed ? -TUYEN_ENOMEM : -TUYEN_EINVAL;
	return 0;
}

/* @parts  initialised here. Who has errors is not put together. */
static int parts_decide(struct compile_result *r, const struct policy_order *o,
			struct compile_parts *parts)
{
	int err = compile_parts_init(r, parts);

	r->divided = parts->count > 1;
	if (!err)
		err = executor_run(r->executor, parts->count, pairs_step,
				   &(struct pairs_work){o, parts});
	if (r->divided && compile_parts_errors(parts)) {
		r->error_count += !r->error_count;
		return -TUYEN_EINVAL;
	}
	if (!err)
		err = compile_repairs_build(parts);
	if (!err || !r->divided)
		compile_parts_absorb(parts);
	return r->failed ? -TUYEN_ENOMEM : err;
}

/* Which sites have a session, on which paths, and what they do when a link fails. */
static int decide(struct compile_result *r)
{
	struct policy_order o = {0};
	struct compile_parts parts = {0};
	int err = policy_order_build(r, &o);

	if (!err)
		err = parts_decide(r, &o, &parts);
	if (!err) {
		callers_check(r);
		sharers_check(r);
		untracked_check(r);
	}
	compile_parts_clear(&parts);
	policy_order_clear(&o, r->network->policy_count);
	return err;
}

/* ---- warnings about all sites of a path at once ----------------------------------------- */

static void tally_example(const struct compile_result *r, const struct path_tally *t,
			  struct text *out)
{
	const struct network *n = r->network;

	for (uint32_t i = 0; i < t->shared && i < 3; i++) {
		const struct compile_path *path = &r->paths[t->example[i]];

		text_printf(out, "%s'%s' (", i ? ", " : "",
			    n->sites[r->pairs[path->pair].head].name);
		for (uint8_t k = 0; k < path->shared_count; k++) {
			const struct link *l = &n->links[r->shared.values[path->shared + k]];

			text_printf(out, "%s%s %s%s", k ? ", " : "", n->sites[l->a].name,
				    n->sites[l->b].name, network_link_suffix(l));
		}
		text_add(out, ")");
	}
	if (t->shared > 3)
		text_printf(out, " and %u more", t->shared - 3);
}

static void constraint_text(const struct compile_result *r, const struct candidate_path *c,
			    struct text *t)
{
	const char *comma = "";

	if (c->avoid.count || c->avoid_link_count) {
		text_add(t, "avoid");
		for (size_t i = 0; i < c->avoid.count; i++)
			text_printf(t, "%s %s", i ? "," : "",
				    r->network->sites[c->avoid.sites[i]].name);
		if (c->avoid_link_count)
			text_printf(t, "%s %zu link%s", c->avoid.count ? " and" : "",
				    c->avoid_link_count, c->avoid_link_count > 1 ? "s" : "");
		comma = ", ";
	}
	if (c->max_delay_us) {
		text_printf(t, c->max_delay_us % 1000 ? "%smax delay %uus" : "%smax delay %ums",
			    comma,
			    c->max_delay_us % 1000 ? c->max_delay_us : c->max_delay_us / 1000);
		comma = ", ";
	}
	if (c->max_labels) {
		text_printf(t, "%smax labels %u", comma, c->max_labels);
		comma = ", ";
	}
	if (c->over != NETWORK_NONE)
		text_printf(t, "%sover %s", comma, r->network->underlays[c->over].name);
}

/* A constraint that nobody can fulfil is a mistake; one that some cannot, a fact to be known. */
static void tally_unmet(struct compile_result *r, const struct candidate_path *path,
			const struct path_tally *t)
{
	const struct network *n = r->network;
	struct text text;

	text_init(&text);
	text_printf(&text, "path '%s' (", path->name);
	constraint_text(r, path, &text);
	if (t->sites)
		text_printf(&text, ") is lacking at %u of %u sites: ", t->unmet,
			    t->unmet + t->sites);
	else
		text_add(&text, ") has no way from any site: ");
	for (uint32_t i = 0; i < t->unmet && i < 3; i++)
		text_printf(&text, "%s'%s'", i ? ", " : "", n->sites[t->lacking[i]].name);
	if (t->unmet > 3)
		text_printf(&text, " and %u more", t->unmet - 3);
	compile_report(r, !t->sites, t->sites ? COMPILE_WARNING_UNMET : NULL, path->place, "%s",
		       text_string(&text));
	text_clear(&text);
}

static void tallies_report(struct compile_result *r)
{
	for (size_t p = 0; p < r->network->policy_count; p++)
		for (size_t c = 0; c < r->network->policies[p].path_count; c++) {
			const struct candidate_path *path = &r->network->policies[p].paths[c];
			const struct path_tally *t = &r->tallies[r->tally_first[p] + c];
			struct text examples;

			if (t->unmet)
				tally_unmet(r, path, t);
			if (t->risky)
				compile_report(
				    r, false, COMPILE_WARNING_RISKS, path->place,
				    "path '%s' cannot keep away from the risks of '%s' for %u of "
				    "%u "
				    "sites: '%s' (%s)%s",
				    path->name,
				    r->network->policies[p].paths[path->disjoint_from].name,
				    t->risky, t->sites, r->network->sites[t->risky_head].name,
				    r->network->risks[t->risky_risk],
				    t->risky > 1 ? " and others" : "");
			if (!t->shared)
				continue;
			text_init(&examples);
			tally_example(r, t, &examples);
			compile_report(
			    r, false, COMPILE_WARNING_SHARED, path->place,
			    "path '%s' cannot avoid links of '%s' for %u of %u sites: %s",
			    path->name, r->network->policies[p].paths[path->disjoint_from].name,
			    t->shared, t->sites, text_string(&examples));
			text_clear(&examples);
		}
}

/* ---- all of it ---------------------------------------------------------------------- */

static void sites_check(struct compile_result *r, unsigned flags)
{
	for (size_t i = 0; i < r->network->site_count; i++) {
		const struct site *s = &r->network->sites[i];

		if (!label_node_sid(r->network->srgb, s->id) || s->id > SITE_ID_MAX)
			compile_report(r, true, NULL, s->place,
				       "id %u of '%s' has no label in the block", s->id, s->name);
		if ((flags & COMPILE_NEED_KEYS) && !s->has_keys)
			compile_report(r, true, NULL, s->place, "no keys for site '%s'", s->name);
	}
}

/* The keys of all sites, link and session, by their first bytes, which are as random as any. */
struct keys {
	const struct network *network;
	uint32_t *slots; /* 2 * site + which, + 1; 0 empty */
	size_t slot_count;
};

static const uint8_t *keys_key(const struct keys *k, uint32_t position)
{
	const struct site *s = &k->network->sites[position / 2];

	return position % 2 ? s->session_key : s->link_key;
}

/* @return where it is already, or NETWORK_NONE: it is there now. */
static uint32_t keys_add(struct keys *k, uint32_t position)
{
	const uint8_t *key = keys_key(k, position);
	uint64_t first;

	memcpy(&first, key, sizeof(first));
	for (size_t at = first;; at++) {
		uint32_t *slot = &k->slots[at & (k->slot_count - 1)];

		if (!*slot) {
			*slot = position + 1;
			return NETWORK_NONE;
		}
		if (!memcmp(keys_key(k, *slot - 1), key, WG_KEY_LEN))
			return *slot - 1;
	}
}

/* WireGuard tells peers apart by their keys: one that stands twice is a copied box, or a copied
 * line. */
static int keys_check(struct compile_result *r)
{
	const struct network *n = r->network;
	struct keys keys = {.network = n, .slot_count = 2};

	while (keys.slot_count < 4 * n->site_count)
		keys.slot_count *= 2;
	keys.slots = calloc(keys.slot_count, sizeof(*keys.slots));
	if (!keys.slots)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < 2 * n->site_count; i++) {
		uint32_t other = n->sites[i / 2].has_keys ? keys_add(&keys, i) : NETWORK_NONE;

		if (other != NETWORK_NONE)
			compile_report(r, true, NULL, n->sites[i / 2].place,
				       "site '%s' has a public key that '%s' has too",
				       n->sites[i / 2].name, n->sites[other / 2].name);
	}
	free(keys.slots);
	return 0;
}

bool compile_tallies_allocate(struct compile_result *r)
{
	size_t paths = 0;

	for (size_t i = 0; i < r->network->policy_count; i++)
		paths += r->network->policies[i].path_count;
	r->tallies = calloc(paths + 1, sizeof(*r->tallies));
	r->tails = calloc(COMPILE_TAILS, sizeof(*r->tails));
	return r->tallies && r->tails;
}

static int result_allocate(struct compile_result *r)
{
	size_t sites = r->network->site_count, paths = 0;

	r->head_first = calloc(sites + 2, sizeof(*r->head_first));
	r->endpoint_first = calloc(sites + 2, sizeof(*r->endpoint_first));
	sites = network_node_count(r->network);
	r->accept_first = calloc(sites + 2, sizeof(*r->accept_first));
	r->label_first = calloc(sites + 2, sizeof(*r->label_first));
	r->tally_first = calloc(r->network->policy_count + 1, sizeof(*r->tally_first));
	if (!r->head_first || !r->endpoint_first || !r->accept_first || !r->label_first ||
	    !r->tally_first)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < r->network->policy_count; i++) {
		r->tally_first[i] = (uint32_t)paths;
		paths += r->network->policies[i].path_count;
	}
	return compile_tallies_allocate(r) ? 0 : -TUYEN_ENOMEM;
}

static int result_build(struct compile_result *r, unsigned flags);

/* The same network with other links: what is accepted then is accepted already, or still. Its warnings come in its time. */
static int other_build(struct compile_result *r, unsigned flags, enum compile_links links,
		       struct compile_result **ret)
{
	struct compile_result *o = *ret = calloc(1, sizeof(*o));
	int err;

	if (!o)
		return -TUYEN_ENOMEM;
	o->network = r->network;
	o->executor = r->executor;
	o->links = links;
	err = result_build(o, flags);
	o->executor = NULL;
	r->failed |= o->failed;
	r->divided |= o->divided;
	for (size_t i = 0; i < o->problem_count && !r->error_count; i++)
		if (o->problems[i].error)
			compile_report(r, true, NULL, o->problems[i].place, "%s: %s",
				       links == LINKS_ALL ? "when the prepared links are used"
							  : "without the fresh links",
				       o->problems[i].text);
	if (!err)
		compile_way_adopt(r, o);
	return err;
}

static int others_build(struct compile_result *r, unsigned flags)
{
	const struct network *n = r->network;
	bool prepared = false, fresh = false;
	int err = 0;

	for (size_t i = 0; r->links == LINKS_NOW && i < n->link_count; i++) {
		prepared |= n->links[i].prepared;
		fresh |= n->links[i].fresh;
	}
	if (prepared)
		err = other_build(r, flags, LINKS_ALL, &r->future);
	if (fresh && !err)
		err = other_build(r, flags, LINKS_PAST, &r->past);
	return err;
}

/* Has any line of the country something to queue or to mark for? */
static bool country_queues(const struct network *n)
{
	for (size_t i = 0; i < n->site_count; i++)
		for (size_t k = 0; k < n->sites[i].uplink_count; k++) {
			const struct site_uplink *u = &n->sites[i].uplinks[k];

			if (u->rate.up_bps || u->rate.down_bps ||
			    n->underlays[u->underlay].has_dscp)
				return true;
		}
	return false;
}

static int result_build(struct compile_result *r, unsigned flags)
{
	int err = result_allocate(r);

	if (err)
		return err;
	r->queues = country_queues(r->network);
	sites_check(r, flags);
	if ((err = keys_check(r)) || (err = compile_graph_build(r)) || (err = sets_build(r)) ||
	    (err = decide(r)) || (err = others_build(r, flags)) || (err = compile_divide(r)))
		return err;
	compile_trees_clear(r);
	if (r->links != LINKS_NOW)
		return 0; /* what it says of paths holds for none that are used */
	denies_check(r);
	denies_check_sharing(r);
	tallies_report(r);
	return 0;
}

/*
 * Errors are found in an order, and some only where others are not: where there are any, one alone finds them. One alone
 * needs less memory, too.
 */
int compile_network_with(const struct network *network, unsigned flags,
			 const struct executor *executor, struct compile_result **ret_result)
{
	struct compile_result *r = calloc(1, sizeof(*r));
	bool again, failed;
	int err;

	*ret_result = NULL;
	if (!r)
		return -TUYEN_ENOMEM;
	r->network = network;
	r->executor = executor;
	err = result_build(r, flags);
	failed = r->failed || err == -TUYEN_ENOMEM;
	again = r->divided && (failed || r->error_count || err == -TUYEN_EINVAL);
	if (failed || again) {
		compile_free(r);
		return again ? compile_network(network, flags, ret_result) : -TUYEN_ENOMEM;
	}
	r->executor = NULL; /* the caller's for this call */
	*ret_result = r;
	return r->error_count ? -TUYEN_EINVAL : err;
}

int compile_network(const struct network *network, unsigned flags,
		    struct compile_result **ret_result)
{
	return compile_network_with(network, flags, NULL, ret_result);
}

void compile_free(struct compile_result *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->problem_count; i++)
		free(r->problems[i].text);
	free(r->problems);
	compile_graph_clear(r);
	free(r->memo.values);
	free(r->memo_index.slots);
	free(r->deny_bits);
	free(r->policy_bits);
	free(r->twins);
	free(r->pairs);
	free(r->head_first);
	free(r->endpoint_first);
	free(r->endpoint_pairs);
	free(r->paths);
	free(r->ways.values);
	free(r->shared.values);
	free(r->tallies);
	free(r->tally_first);
	free(r->stacks.values);
	free(r->accepts);
	free(r->tails);
	free(r->accept_first);
	compile_repairs_clear(r);
	free(r->labels);
	free(r->label_index.slots);
	free(r->label_first);
	compile_free(r->future);
	compile_free(r->past);
	free(r);
}

/* ---- for those who ask ---------------------------------------------------------------- */

const struct network *compile_source(const struct compile_result *r)
{
	return r->network;
}

size_t compile_pair_count(const struct compile_result *r)
{
	return r->pair_count;
}

const struct compile_pair *compile_pair(const struct compile_result *r, size_t index)
{
	return &r->pairs[index];
}

size_t compile_pairs_of_head(const struct compile_result *r, uint32_t site, size_t *ret_count)
{
	*ret_count = r->head_first[site + 1] - r->head_first[site];
	return r->head_first[site];
}

size_t compile_path_count(const struct compile_result *r)
{
	return r->path_count;
}

const struct compile_path *compile_path(const struct compile_result *r, size_t index)
{
	return &r->paths[index];
}

const uint32_t *compile_path_way(const struct compile_result *r, const struct compile_path *path)
{
	return r->ways.values + path->way;
}

struct label_stack compile_path_stack(const struct compile_result *r,
				      const struct compile_path *path, bool back)
{
	return back ? compile_stack_kept(r, path->back, path->back_depth)
		    : compile_stack_kept(r, path->stack, path->stack_depth);
}

const uint32_t *compile_path_shared(const struct compile_result *r, const struct compile_path *path)
{
	return r->shared.values + path->shared;
}

size_t compile_label_count(const struct compile_result *r)
{
	return r->label_count;
}
