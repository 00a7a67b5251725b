/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What wires and dead sites do to a packet. All faults of a run are known before it begins, so each
 * resource has a list of intervals in which it is down, and a packet is lost on a link that is down
 * at any moment of its passage.
 *
 * Without jitter the fate of a packet is a function of when it leaves, and only changes when something does
 * that the packet met: so a path that something happens to has a list of fates, lost or back after so long, each from a
 * moment on, and a probe needs no look at any hop. Repairs on the way are among them. Chance
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
		resource = b == SIM_NONE ? SIM_NONE : sim_link_find(s, a, event->b);
		if (resource == SIM_NONE)
			return -TUYEN_ENOENT;
		edge_add(s, e, resource,
			 event->kind == SIMULATE_CUT || event->kind == SIMULATE_CUT_WAY, at);
		if (event->kind == SIMULATE_CUT || event->kind == SIMULATE_HEAL)
			edge_add(s, e, resource ^ 1, event->kind == SIMULATE_CUT, at);
		return 0;
	case SIMULATE_KILL:
	case SIMULATE_REVIVE:
		edge_add(s, e, sim_resource_dead(s, a), event->kind == SIMULATE_KILL, at);
		edge_add(s, e, sim_resource_node(s, a), event->kind == SIMULATE_KILL, at);
		return 0;
	case SIMULATE_SPOIL:
	case SIMULATE_RESTORE:
		edge_add(s, e, sim_resource_node(s, a), event->kind == SIMULATE_SPOIL, at);
		return 0;
	}
	return -TUYEN_EINVAL;
}

static int event_untimely(const struct simulation *s, const struct simulate_event *event,
			  const char *why, uint64_t than_us, struct reason *reason)
{
	struct text what, line;

	text_init(&what);
	text_init(&line);
	simulate_event_print(s, event, &what);
	if (event->line)
		text_printf(&line, "line %u: ", event->line);
	reason_set(
	    reason, -TUYEN_EINVAL, "%s'%s' at %llu.%03llu s: %s %llu.%03llu s", text_string(&line),
	    text_string(&what), (unsigned long long)event->at.us / 1000000,
	    (unsigned long long)event->at.us / 1000 % 1000, why,
	    (unsigned long long)than_us / 1000000, (unsigned long long)than_us / 1000 % 1000);
	text_clear(&what);
	text_clear(&line);
	return -TUYEN_EINVAL;
}

/* @event is of sites that are there. */
static int event_time_check(const struct simulation *s, const struct simulate_event *event,
			    struct reason *reason)
{
	if (event->at.us < SIMULATE_FIRST_EVENT_US)
		return event_untimely(s, event, "sessions are still coming up until",
				      SIMULATE_FIRST_EVENT_US, reason);
	if (event->at.us >= s->o.duration_us)
		return event_untimely(s, event, "it would never happen, the run ends at",
				      s->o.duration_us, reason);
	return 0;
}

static int events_check(struct simulation *s, const struct simulate_events *events, struct edges *e,
			struct reason *reason)
{
	for (size_t i = 0; i < events->count; i++) {
		const struct simulate_event *event = &events->entries[i];
		int err;

		if (event_edges(s, event, e) < 0)
			return reason_set(reason, -TUYEN_ENOENT,
					  "an event names a site or a link that is not there");
		err = event_time_check(s, event, reason);
		if (err)
			return err;
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

static bool path_touched(const struct simulation *s, const struct sim_path *p)
{
	for (uint32_t i = p->hop; i < p->hop + p->hop_count; i++)
		if (s->down[s->hops[i]].count)
			return true;
	return false;
}

static uint64_t quiet_round_trip(const struct simulation *s, const struct sim_path *p)
{
	uint64_t sum = 0;

	for (uint32_t i = p->hop; i < p->hop + p->hop_count; i++)
		sum += sim_resource_delay(s, s->hops[i]);
	return sum;
}

static void fate_add(struct simulation *s, struct sim_list *list, uint64_t from_us,
		     uint64_t round_trip_us)
{
	if (list->count && s->fates[s->fate_count - 1].round_trip_us == round_trip_us)
		return;
	if (!sim_reserve(s, &s->fates, &s->fate_capacity, s->fate_count + 1, sizeof(*s->fates)))
		return;
	s->fates[s->fate_count++] = (struct sim_fate){from_us, round_trip_us};
	list->count++;
}

/* One packet after the other, each at the moment from which on the one before is no example any more. */
static void path_fates_make(struct simulation *s, uint32_t path)
{
	struct sim_path *p = &s->paths[path];
	struct sim_list *list = &s->fate_lists[path];
	struct sim_passage passage = {0};

	list->first = (uint32_t)s->fate_count;
	p->round_trip_us = quiet_round_trip(s, p);
	for (uint64_t at = 0; at != UINT64_MAX && !s->failed; at = passage.until_us) {
		sim_way_pass(s, path, at, false, 0, &passage);
		fate_add(s, list, at, passage.round_trip_us);
		if (passage.round_trip_us != SIM_DEAD && passage.round_trip_us > p->round_trip_us)
			p->round_trip_us = passage.round_trip_us;
	}
}

static void dead_add(struct simulation *s, struct sim_list *list, uint64_t from_us, uint64_t to_us)
{
	if (!sim_reserve(s, &s->dead_intervals, &s->dead_capacity, s->dead_count + 1,
			 sizeof(*s->dead_intervals)))
		return;
	s->dead_intervals[s->dead_count++] = (struct sim_interval){from_us, to_us};
	list->count++;
}

static void path_dead_make(struct simulation *s, uint32_t path)
{
	const struct sim_path *p = &s->paths[path];
	const struct sim_list *fates = &s->fate_lists[path];
	struct sim_list *list = &s->dead[path];

	list->first = (uint32_t)s->dead_count;
	if (p->broken)
		dead_add(s, list, 0, UINT64_MAX);
	for (uint32_t i = fates->first; i < fates->first + fates->count && !p->broken; i++)
		if (s->fates[i].round_trip_us == SIM_DEAD)
			dead_add(s, list, s->fates[i].from_us,
				 i + 1 < fates->first + fates->count ? s->fates[i + 1].from_us
								     : UINT64_MAX);
}

static void path_prepare(struct simulation *s, uint32_t path)
{
	struct sim_path *p = &s->paths[path];

	if (!p->broken && path_touched(s, p))
		path_fates_make(s, path);
	else
		p->round_trip_us = quiet_round_trip(s, p);
	path_dead_make(s, path);
}

int sim_wire_prepare(struct simulation *s, const struct simulate_events *events,
		     struct reason *reason)
{
	struct edges e = {0};
	int err;

	sim_wire_clear(s);
	err = events_check(s, events, &e, reason);
	s->down = calloc(2 * (s->link_count + s->site_count) + 1, sizeof(*s->down));
	s->down_intervals = malloc((e.count + 1) * sizeof(*s->down_intervals));
	s->dead = calloc(s->path_count + 1, sizeof(*s->dead));
	s->fate_lists = calloc(s->path_count + 1, sizeof(*s->fate_lists));
	s->link_lists = calloc(2 * s->link_count + 1, sizeof(*s->link_lists));
	if (!err &&
	    (!s->down || !s->down_intervals || !s->dead || !s->fate_lists || !s->link_lists))
		err = -TUYEN_ENOMEM;
	if (!err) {
		if (e.count > 1)
			qsort(e.entries, e.count, sizeof(*e.entries), edge_compare);
		intervals_make(s, &e);
		sim_links_run(s);
		for (uint32_t i = 0; i < s->path_count && !s->failed; i++)
			path_prepare(s, i);
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
	free(s->fate_lists);
	free(s->fates);
	free(s->link_lists);
	free(s->steps);
	s->down = NULL;
	s->down_intervals = NULL;
	s->dead = NULL;
	s->dead_intervals = NULL;
	s->fate_lists = NULL;
	s->fates = NULL;
	s->link_lists = NULL;
	s->steps = NULL;
	s->dead_count = s->dead_capacity = 0;
	s->fate_count = s->fate_capacity = 0;
	s->step_count = s->step_capacity = 0;
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

bool sim_resource_down(const struct simulation *s, uint32_t resource, uint64_t from_us,
		       uint64_t to_us)
{
	const struct sim_list *list = &s->down[resource];

	for (uint32_t i = list->first; i < list->first + list->count; i++)
		if (from_us < s->down_intervals[i].to_us && to_us >= s->down_intervals[i].from_us)
			return true;
	return false;
}

/* Of a path that nothing happens to: chance alone. */
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
		at_us += delay;
	}
	*ret_arrives_us = at_us;
	return true;
}

static const struct sim_fate *fate_at(const struct simulation *s, uint32_t path, uint64_t at_us)
{
	const struct sim_fate *fates = s->fates + s->fate_lists[path].first;
	uint32_t low = 0, high = s->fate_lists[path].count;

	while (low < high) { /* the first begins at 0 */
		uint32_t middle = (low + high) / 2;

		if (fates[middle].from_us <= at_us)
			low = middle + 1;
		else
			high = middle;
	}
	return &fates[low - 1];
}

bool sim_wire_trouble(const struct simulation *s, uint32_t path, uint64_t at_us)
{
	const struct sim_list *list = &s->fate_lists[path];

	return s->paths[path].broken ||
	       (list->count &&
		fate_at(s, path, at_us) != &s->fates[list->first + list->count - 1]) ||
	       (list->count && s->fates[list->first + list->count - 1].round_trip_us == SIM_DEAD);
}

bool sim_wire_probe(struct simulation *s, uint32_t path, uint64_t at_us, uint64_t probe,
		    uint64_t *ret_arrives_us)
{
	const struct simulate_wire *w = &s->o.wire;
	bool chance = w->jitter_us || w->loss_ppm || w->reorder_ppm;
	struct sim_passage passage;

	if (s->paths[path].broken)
		return false;
	if (!s->fate_lists[path].count && chance)
		return probe_walk(s, path, at_us, probe, ret_arrives_us);
	if (chance)
		sim_way_pass(s, path, at_us, true, probe, &passage);
	else
		passage.round_trip_us = s->fate_lists[path].count
					    ? fate_at(s, path, at_us)->round_trip_us
					    : s->paths[path].round_trip_us;
	*ret_arrives_us = at_us + passage.round_trip_us;
	return passage.round_trip_us != SIM_DEAD;
}
