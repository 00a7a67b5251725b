/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and queues. What a queue may count on is a promise of the policy: a share that is not the
 * policy's at one node breaks it for all whose packets pass there, and a code point that means
 * another queue at the next node mixes two policies.
 */
#include "audit_internal.h"

#include <string.h>

/* The topology's own words for one end of a link. */
static const struct site_uplink *end_uplink(const struct audit *a, const struct link *l,
					    uint32_t site)
{
	return &a->network->sites[site].uplinks[site == l->a ? l->uplink_a : l->uplink_b];
}

static uint32_t other_end(const struct link *l, uint32_t site)
{
	return site == l->a ? l->b : l->a;
}

/* Does the country queue at all? */
static bool queues_wanted(const struct network *n)
{
	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		for (const struct site_uplink *u = s->uplinks; u < s->uplinks + s->uplink_count;
		     u++)
			if (u->rate.up_bps + u->rate.down_bps || n->underlays[u->underlay].has_dscp)
				return true;
	}
	return false;
}

/* @wanted  is there anything to queue or to mark for on this line?  @ipv6  is a link over it IPv6?
 */
static void line_intent(const struct audit *a, uint32_t site, uint32_t uplink, bool *ret_wanted,
			bool *ret_ipv6)
{
	const struct network *n = a->network;
	const struct site_uplink *u = &n->sites[site].uplinks[uplink];

	*ret_wanted = u->rate.up_bps || n->underlays[u->underlay].has_dscp;
	*ret_ipv6 = false;
	for (uint32_t i = a->link_first[site]; i < a->link_first[site + 1]; i++) {
		const struct link *l = &n->links[a->link_near[i]];

		if (end_uplink(a, l, site) != u)
			continue;
		*ret_wanted |= end_uplink(a, l, other_end(l, site))->rate.down_bps > 0;
		*ret_ipv6 |= end_uplink(a, l, l->b)->endpoint.family == 6;
	}
}

static void line_check(struct audit *a, uint32_t s, size_t index, const struct site_uplink *u,
		       bool ipv6)
{
	const struct fwd_line *l = &a->sites[s].lines[index];
	const struct underlay_class *class = &a->network->underlays[u->underlay];
	unsigned overhead = ipv6 ? MTU_WIREGUARD_IPV6 : MTU_WIREGUARD_IPV4;

	if (l->up_kbps * UINT64_C(1000) != u->rate.up_bps)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_LINE, index, u->place,
			   "'%s' sends %u kbit/s over '%s', and the line carries %llu",
			   audit_name(a, s), l->up_kbps, class->name,
			   (unsigned long long)u->rate.up_bps / 1000);
	if (l->overhead != overhead)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_LINE, index, u->place,
			   "'%s' counts %u bytes more a packet over '%s', and they are %u",
			   audit_name(a, s), l->overhead, class->name, overhead);
	if (l->has_dscp != class->has_dscp || memcmp(l->dscp, class->dscp, sizeof(l->dscp)))
		audit_find(
		    a, AUDIT_QUEUE, s, OBJECT_LINE, index, u->place,
		    "'%s' gives packets over '%s' other code points than its carrier honours",
		    audit_name(a, s), class->name);
}

static void lines_check(struct audit *a, uint32_t s, bool wanted)
{
	const struct forwarding *f = &a->sites[s];
	const struct site *site = &a->network->sites[a->intent[s]];
	size_t known = 0;

	for (uint32_t k = 0; k < site->uplink_count; k++) {
		const struct site_uplink *u = &site->uplinks[k];
		const char *name = a->network->underlays[u->underlay].name;
		const struct fwd_line *line = forwarding_line(f, name);
		bool needed, ipv6;

		line_intent(a, a->intent[s], k, &needed, &ipv6);
		if (line && needed && wanted) {
			known++;
			line_check(a, s, (size_t)(line - f->lines), u, ipv6);
		} else if (needed && wanted) {
			audit_find(a, AUDIT_QUEUE, s, OBJECT_NONE, 0, u->place,
				   "'%s' does not know its line '%s'", f->site, name);
		}
	}
	if (known < f->line_count)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_LINE, 0, site->place,
			   "'%s' knows %zu lines, and %zu are to be", f->site, f->line_count,
			   known);
}

/* What a line may carry in a day: counted wrong, it costs, or a warning comes too late. */
static void meters_check(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	const struct site *site = &a->network->sites[a->intent[s]];
	size_t known = 0;

	for (uint32_t k = 0; k < site->uplink_count; k++) {
		const struct site_uplink *u = &site->uplinks[k];
		const char *name = a->network->underlays[u->underlay].name;
		uint64_t kb = u->allowance_bytes_day / 1000 < UINT32_MAX
				  ? u->allowance_bytes_day / 1000
				  : UINT32_MAX;
		const struct fwd_meter *m = forwarding_meter(f, name);
		uint32_t counted = m ? m->allowance_kb_day : 0;

		known += m && kb;
		if (counted != kb)
			audit_find(a, AUDIT_QUEUE, s, m ? OBJECT_METER : OBJECT_NONE,
				   m ? (size_t)(m - f->meters) : 0, u->place,
				   "'%s' lets '%s' carry %u KB a day, and %llu are allowed",
				   f->site, name, counted, (unsigned long long)kb);
	}
	if (known < f->meter_count)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_METER, 0, site->place,
			   "'%s' has %zu metered lines, and %zu are to be", f->site, f->meter_count,
			   known);
}

/* What a neighbour's own line takes, so that its queue stands here. */
static void neighbors_check(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];

	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct adjacency *j = &a->adjacencies[a->adjacency_first[s] + i];
		const struct site_uplink *u;

		if (j->link == NETWORK_NONE)
			continue;
		u = end_uplink(a, &a->network->links[j->link],
			       other_end(&a->network->links[j->link], a->intent[s]));
		if (f->neighbors[i].down_kbps * UINT64_C(1000) != u->rate.down_bps)
			audit_find(a, AUDIT_QUEUE, s, OBJECT_NEIGHBOR, i, u->place,
				   "'%s' sends %u kbit/s to '%s', whose line takes %llu", f->site,
				   f->neighbors[i].down_kbps, f->neighbors[i].name,
				   (unsigned long long)u->rate.down_bps / 1000);
	}
}

/* What policy @p is promised of a line: its classes' shares, or (0) a part of what is left. */
static unsigned policy_promise(const struct network *n, const struct policy *p)
{
	unsigned share = 0;

	for (size_t i = 0; i < p->class_count; i++)
		share += n->classes[p->classes[i]].share_percent;
	return share < 100 ? share : 100;
}

static unsigned promise_of_rest(const struct network *n)
{
	unsigned said = 0, without = 0;

	for (size_t i = 0; i < n->policy_count; i++) {
		unsigned share = policy_promise(n, &n->policies[i]);

		said += share;
		without += share == 0;
	}
	return without && said + without < 100 ? (100 - said) / without : 1;
}

static unsigned policy_first(const struct network *n, const struct policy *p)
{
	unsigned highest = 0;

	for (size_t i = 0; i < p->class_count; i++)
		if (n->classes[p->classes[i]].priority > highest)
			highest = n->classes[p->classes[i]].priority;
	return highest;
}

static void queue_check(struct audit *a, uint32_t s, size_t index, unsigned rest)
{
	const struct fwd_queue *q = &a->sites[s].queues[index];
	uint32_t policy = audit_policy_of_color(a, q->color);
	const struct network *n = a->network;
	const struct policy *p;
	unsigned share, rank = 1;

	if (policy == NETWORK_NONE) {
		audit_find(a, AUDIT_QUEUE, s, OBJECT_QUEUE, index, AUDIT_NOWHERE,
			   "'%s' has a queue of color %u, which no policy has", audit_name(a, s),
			   q->color);
		return;
	}
	p = &n->policies[policy];
	share = policy_promise(n, p);
	for (size_t i = 0; i < n->policy_count; i++)
		rank += n->policies[i].color < p->color;
	if (q->dscp != rank)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_QUEUE, index, p->place,
			   "'%s' knows the packets of policy '%s' by code point %u, and its "
			   "neighbours by %u",
			   audit_name(a, s), p->name, q->dscp, rank);
	if (q->priority != policy_first(n, p))
		audit_find(a, AUDIT_QUEUE, s, OBJECT_QUEUE, index, p->place,
			   "the queue of policy '%s' at '%s' has priority %u, and should have %u",
			   p->name, audit_name(a, s), q->priority, policy_first(n, p));
	if (q->share_percent != (share ? share : rest))
		audit_find(a, AUDIT_QUEUE, s, OBJECT_QUEUE, index, p->place,
			   "the queue of policy '%s' at '%s' has a share of %u%%, and is promised "
			   "%u%%",
			   p->name, audit_name(a, s), q->share_percent, share ? share : rest);
}

static void queues_check(struct audit *a, uint32_t s, size_t wanted, unsigned rest)
{
	const struct forwarding *f = &a->sites[s];

	if (f->queue_count != wanted)
		audit_find(a, AUDIT_QUEUE, s, OBJECT_NONE, 0, AUDIT_NOWHERE,
			   "'%s' has %zu queues, and %zu are to be", f->site, f->queue_count,
			   wanted);
	for (size_t i = 0; i < f->queue_count; i++)
		queue_check(a, s, i, rest);
	for (size_t i = 1; i < f->queue_count; i++)
		if (f->queues[i - 1].color >= f->queues[i].color)
			audit_find(a, AUDIT_ORDER, s, OBJECT_QUEUE, i, AUDIT_NOWHERE,
				   "queue %u is not in its place", f->queues[i].color);
	for (size_t i = 1; i < f->line_count; i++)
		if (strcmp(f->lines[i - 1].underlay, f->lines[i].underlay) >= 0)
			audit_find(a, AUDIT_ORDER, s, OBJECT_LINE, i, AUDIT_NOWHERE,
				   "line '%s' is not in its place", f->lines[i].underlay);
}

void audit_queues(struct audit *a)
{
	bool wanted = queues_wanted(a->network);
	unsigned rest = promise_of_rest(a->network);

	for (uint32_t s = 0; s < a->count; s++) {
		if (a->intent[s] == NETWORK_NONE)
			continue;
		lines_check(a, s, wanted);
		meters_check(a, s);
		neighbors_check(a, s);
		queues_check(a, s, wanted ? a->network->policy_count : 0, rest);
	}
}
