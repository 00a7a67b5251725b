/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What wires and dead sites do to a packet. All faults of a run are known before it begins, so each
 * resource has a list of intervals in which it is down, and a packet is lost on a link that is down
 * at any moment of its passage.
 *
 * Without jitter the fate of a packet is a function of when it leaves: it is lost in (from - o - d,
 * to - o) where the resource lies o behind the head-end and takes d. So a path has a list of such
 * dead intervals of its own, and a probe far from all of them needs no look at any hop. Chance
 * (jitter, loss, order) is a hash of seed, session, probe and hop: it does not depend on who asks
 * when.
 */
#include "simulate_internal.h"

#include <stdlib.h>
#include <string.h>

uint64_t sim_random(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + a * 0xd1b54a32d192ed03u +
		     b * 0x8cb92ba72f3d8dd7u + 0x2545f4914f6cdd1du;

	for (int i = 0; i < 2; i++) { /* splitmix64 */
		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
		x = (x ^ x >> 27) * 0x94d049bb133111ebu;
		x ^= x >> 31;
	}
	return x;
}

struct monotime simulate_site_start(uint64_t seed, uint32_t site_id)
{
	return (struct monotime){sim_random(seed, site_id, 0) % 1000000};
}

uint32_t simulate_session_seed(uint64_t seed, uint32_t site_id, uint8_t path)
{
	return (uint32_t)sim_random(~seed, site_id, path) | 1;
}

static bool happens(uint64_t dice, uint32_t ppm)
{
	return ppm && (dice & 0xffffffff) % 1000000 < ppm;
}

bool simulate_wire_pass(const struct simulate_options *o, uint32_t site_id, uint8_t path,
			uint64_t probe, uint32_t hop, uint32_t delay_us, uint64_t *ret_delay_us)
{
	uint64_t dice =
	    sim_random(o->seed, (uint64_t)site_id << 32 | (uint32_t)path << 16 | hop, probe);

	*ret_delay_us = delay_us;
	if (o->wire.jitter_us)
		*ret_delay_us += (dice >> 32) % ((uint64_t)o->wire.jitter_us + 1);
	if (happens(dice * 0x9e3779b97f4a7c15u >> 20, o->wire.reorder_ppm))
		*ret_delay_us += delay_us;
	return !happens(dice, o->wire.loss_ppm);
}

/* ---- when resources are down -------------------------------------------------------------- */

struct edge { /* one event of one resource */
	uint64_t at_us;
	uint32_t resource;
	bool down;
};

struct edges {
	struct edge *entries;
	size_t count, capacity;
};

static void edge_add(struct simulation *s, struct edges *e, uint32_t resource, bool down,
		     uint64_t at_us)
{
	if (sim_reserve(s, &e->entries, &e->capacity, e->count + 1, sizeof(*e->entries)))
		e->entries[e->count++] = (struct edge){at_us, resource, down};
}

static int edge_compare(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->resource != y->resource)
		return x->resource < y->resource ? -1 : 1;
	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	return (int)y->down - (int)x->down;
}

static int event_edges(struct simulation *s, const struct simulate_event *event, struct edges *e)
{
	uint32_t a = sim_site_by_id(s, event->a), b = sim_site_by_id(s, event->b), resource;
	uint64_t at = event->at.us;

	if (a == SIM_NONE)
		return -TUYEN_ENOENT;
	switch (event->kind) {
	case SIMULATE_CUT:
	case SIMULATE_HEAL:
	case SIMULATE_CUT_WAY:
	case SIMULATE_HEAL_WAY:
		resource = b == SIM_NONE ? SIM_NONE : sim_link_find(s, a, b);
		if (resource == SIM_NONE)
			return -TUYEN_ENOENT;
		edge_add(s, e, resource,
			 event->kind == SIMULATE_CUT || event->kind == SIMULATE_CUT_WAY, at);
		if (event->kind == SIMULATE_CUT || event->kind == SIMULATE_HEAL)
			edge_add(s, e, resource ^ 1, event->kind == SIMULATE_CUT, at);
		return 0;
	case SIMULATE_KILL:
	case SIMULATE_SPOIL:
		edge_add(s, e, sim_resource_node(s, a), true, at);
		return 0;
	case SIMULATE_REVIVE:
	case SIMULATE_RESTORE:
		edge_add(s, e, sim_resource_node(s, a), false, at);
		return 0;
	}
	return -TUYEN_EINVAL;
}

static int events_check(struct simulation *s, const struct simulate_events *events, struct edges *e,
			struct reason *reason)
{
	for (size_t i = 0; i < events->count; i++) {
		const struct simulate_event *event = &events->entries[i];

		if (event->at.us < SIMULATE_FIRST_EVENT_US)
			return reason_set(
			    reason, -TUYEN_EINVAL,
			    "an event at %llu ms: until 5 s sessions are still coming up",
			    (unsigned long long)event->at.us / 1000);
		if (event_edges(s, event, e) < 0)
			return reason_set(reason, -TUYEN_ENOENT,
					  "an event names a site or a link that is not there");
	}
	return s->failed ? -TUYEN_ENOMEM : 0;
}

/* Failures of one resource may overlap: it is up when the last of them is healed. A heal too many
 * counts for nothing. */
static void intervals_make(struct simulation *s, const struct edges *e)
{
	size_t count = 0;

	for (size_t i = 0; i < e->count;) {
		uint32_t resource = e->entries[i].resource, depth = 0;
		struct sim_list *list = &s->down[resource];

		list->first = (uint32_t)count;
		for (; i < e->count && e->entries[i].resource == resource; i++) {
			if (e->entries[i].down && !depth++)
				s->down_intervals[count++] =
				    (struct sim_interval){e->entries[i].at_us, UINT64_MAX};
			else if (!e->entries[i].down && depth && !--depth)
				s->down_intervals[count - 1].to_us = e->entries[i].at_us;
		}
		list->count = (uint32_t)count - list->first;
	}
}

/* ---- when paths are dead ------------------------------------------------------------------- */

static int interval_compare(const void *a, const void *b)
{
	const struct sim_interval *x = a, *y = b;

	return x->from_us < y->from_us ? -1 : x->from_us > y->from_us;
}

static void dead_merge(struct simulation *s, struct sim_list *list)
{
	struct sim_interval *dead = s->dead_intervals + list->first;
	uint32_t kept = 0;

	if (list->count > 1)
		qsort(dead, list->count, sizeof(*dead), interval_compare);
	for (uint32_t i = 0; i < list->count; i++) {
		if (kept && dead[i].from_us <= dead[kept - 1].to_us) {
			if (dead[i].to_us > dead[kept - 1].to_us)
				dead[kept - 1].to_us = dead[i].to_us;
		} else {
			dead[kept++] = dead[i];
		}
	}
	list->count = kept;
	s->dead_count = list->first + kept;
}

static void dead_add(struct simulation *s, uint64_t from_us, uint64_t to_us)
{
	if (sim_reserve(s, &s->dead_intervals, &s->dead_capacity, s->dead_count + 1,
			sizeof(*s->dead_intervals)))
		s->dead_intervals[s->dead_count++] = (struct sim_interval){from_us, to_us};
}

static void path_dead_make(struct simulation *s, uint32_t path)
{
	struct sim_path *p = &s->paths[path];
	struct sim_list *list = &s->dead[path];
	uint64_t offset = 0;

	list->first = (uint32_t)s->dead_count;
	for (uint32_t i = p->hop; i < p->hop + p->hop_count; i++) {
		const struct sim_list *down = &s->down[s->hops[i]];
		uint64_t delay = sim_resource_delay(s, s->hops[i]);

		for (uint32_t k = down->first; k < down->first + down->count; k++) {
			struct sim_interval d = s->down_intervals[k];

			if (d.to_us > offset)
				dead_add(
				    s, d.from_us > offset + delay ? d.from_us - offset - delay : 0,
				    d.to_us == UINT64_MAX ? UINT64_MAX : d.to_us - offset);
		}
		offset += delay;
	}
	p->round_trip_us = offset;
	if (p->broken)
		dead_add(s, 0, UINT64_MAX);
	list->count = (uint32_t)s->dead_count - list->first;
	dead_merge(s, list);
}

int sim_wire_prepare(struct simulation *s, const struct simulate_events *events,
		     struct reason *reason)
{
	struct edges e = {0};
	int err = events_check(s, events, &e, reason);

	s->down = calloc(2 * s->link_count + s->site_count + 1, sizeof(*s->down));
	s->down_intervals = malloc((e.count + 1) * sizeof(*s->down_intervals));
	s->dead = calloc(s->path_count + 1, sizeof(*s->dead));
	if (!err && (!s->down || !s->down_intervals || !s->dead))
		err = -TUYEN_ENOMEM;
	if (!err) {
		if (e.count > 1)
			qsort(e.entries, e.count, sizeof(*e.entries), edge_compare);
		intervals_make(s, &e);
		for (uint32_t i = 0; i < s->path_count; i++)
			path_dead_make(s, i);
	}
	free(e.entries);
	return s->failed ? -TUYEN_ENOMEM : err;
}

void sim_wire_clear(struct simulation *s)
{
	free(s->down);
	free(s->down_intervals);
	free(s->dead);
	free(s->dead_intervals);
	s->down = NULL;
	s->down_intervals = NULL;
	s->dead = NULL;
	s->dead_intervals = NULL;
	s->dead_count = s->dead_capacity = 0;
}

/* ---- a probe's fate ------------------------------------------------------------------------ */

const struct sim_interval *sim_wire_dead_next(const struct simulation *s, uint32_t path,
					      uint64_t at_us)
{
	const struct sim_interval *dead = s->dead_intervals + s->dead[path].first;
	uint32_t low = 0, high = s->dead[path].count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (dead[middle].to_us <= at_us)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->dead[path].count ? &dead[low] : NULL;
}

uint64_t sim_wire_slack(const struct simulation *s, uint32_t path)
{
	const struct sim_path *p = &s->paths[path];
	uint64_t slack = (uint64_t)p->hop_count / 2 * s->o.wire.jitter_us;

	return s->o.wire.reorder_ppm ? slack + p->round_trip_us : slack;
}

static bool resource_down(const struct simulation *s, uint32_t resource, uint64_t from_us,
			  uint64_t to_us)
{
	const struct sim_list *list = &s->down[resource];

	for (uint32_t i = list->first; i < list->first + list->count; i++)
		if (from_us < s->down_intervals[i].to_us && to_us >= s->down_intervals[i].from_us)
			return true;
	return false;
}

static bool probe_walk(const struct simulation *s, uint32_t path, uint64_t at_us, uint64_t probe,
		       uint64_t *ret_arrives_us)
{
	const struct sim_path *p = &s->paths[path];
	uint32_t site_id = s->sites[p->site].f.site_id;
	uint8_t index = sim_path_forwarding(s, path)->index;

	for (uint32_t i = 0; i < p->hop_count; i++) {
		uint32_t resource = s->hops[p->hop + i];
		uint64_t delay = 0;

		if (sim_resource_is_link(s, resource) &&
		    !simulate_wire_pass(&s->o, site_id, index, probe, i / 2,
					sim_resource_delay(s, resource), &delay))
			return false;
		if (resource_down(s, resource, at_us, at_us + delay))
			return false;
		at_us += delay;
	}
	*ret_arrives_us = at_us;
	return true;
}

bool sim_wire_probe(const struct simulation *s, uint32_t path, uint64_t at_us, uint64_t probe,
		    uint64_t *ret_arrives_us)
{
	const struct simulate_wire *w = &s->o.wire;
	const struct sim_interval *dead;

	if (s->paths[path].broken)
		return false;
	if (w->jitter_us || w->loss_ppm || w->reorder_ppm)
		return probe_walk(s, path, at_us, probe, ret_arrives_us);
	dead = sim_wire_dead_next(s, path, at_us);
	if (dead && dead->from_us <= at_us)
		return false;
	*ret_arrives_us = at_us + s->paths[path].round_trip_us;
	return true;
}
