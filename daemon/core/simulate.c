/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A country on one virtual clock. Five ideas make the whole of it cheap and still exact.
 *
 * The future of the wires is known. All faults of a run are given before it begins, so a probe's
 * fate is a function of when it leaves and of which links its labels take it over
 * (simulate_wire.c); nothing has to be undone when a link fails, and nothing has to wait for it.
 *
 * Links meet nobody but their ends: BFD on those that something happens to is run first, and with it the repairs that their
 * ends make (simulate_link.c).
 *
 * Sessions hardly meet. An S-BFD initiator talks to a reflector without memory, so each session may
 * be run ahead alone, with the daemon's own bfd_session_*(), up to its next change of state, which
 * alone enters the calendar (simulate_session.c). A session whose way nothing happens to is never
 * run at all after it came up.
 *
 * Sites meet only in the calendar, a binary heap ordered by (time, site): what changes at one site
 * at one moment is told to its selection at once, as the wire process does with the kernel process.
 *
 * The judge sees what no site sees, the truth about each way (simulate_judge.c), and computes
 * outages and broken promises from intervals rather than from packets.
 *
 * Not here: links that chance alone takes down, WireGuard's handshakes, queues and bandwidth, a
 * daemon that restarts. A site that was dead comes back with its memory.
 */
#include "simulate_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_UP_GRACE_US 3000000u /* a session that was never up says "down" only after this */

bool sim_reserve(struct simulation *s, void *array, size_t *capacity, size_t count, size_t size)
{
	size_t larger = *capacity ? *capacity : 16;
	void *old, *new;

	if (count <= *capacity)
		return true;
	while (larger < count)
		larger *= 2;
	memcpy(&old, array, sizeof(old));
	new = realloc(old, larger * size);
	if (!new) {
		s->failed = true;
		return false;
	}
	memcpy(array, &new, sizeof(new));
	*capacity = larger;
	return true;
}

/* ---- the country -------------------------------------------------------------------------- */

struct simulation *simulation_new(void)
{
	struct simulation *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->site_of_id = malloc((SITE_ID_MAX + 1) * sizeof(*s->site_of_id));
	if (!s->site_of_id) {
		free(s);
		return NULL;
	}
	memset(s->site_of_id, 0xff, (SITE_ID_MAX + 1) * sizeof(*s->site_of_id));
	return s;
}

void simulation_free(struct simulation *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->site_count; i++) {
		forwarding_clear(&s->sites[i].f);
		free(s->sites[i].link);
	}
	free(s->sites);
	free(s->site_of_id);
	free(s->links);
	free(s->paths);
	free(s->pairs);
	free(s->hops);
	for (size_t i = 0; s->sessions && i < s->path_count; i++) {
		free(s->sessions[i].flight);
		free(s->sessions[i].mark);
	}
	free(s->sessions);
	free(s->services);
	free(s->service_runs);
	sim_wire_clear(s);
	free(s->pair_runs);
	free(s->site_runs);
	free(s->heap);
	free(s);
}

static uint32_t tier_find(struct simulation *s, const char *name)
{
	for (uint32_t i = 0; i < s->tier_count; i++)
		if (!strcmp(s->tiers[i], name))
			return i;
	if (s->tier_count == SIMULATE_TIERS_MAX)
		return SIMULATE_TIERS_MAX - 1;
	memcpy(s->tiers[s->tier_count], name, strlen(name) + 1);
	return (uint32_t)s->tier_count++;
}

int simulation_add(struct simulation *s, struct forwarding *forwarding)
{
	uint32_t id = forwarding->site_id;
	int err = 0;

	if (id > SITE_ID_MAX || s->site_of_id[id] != SIM_NONE)
		err = -TUYEN_EEXIST;
	else if (!sim_reserve(s, &s->sites, &s->site_capacity, s->site_count + 1,
			      sizeof(*s->sites)))
		err = -TUYEN_ENOMEM;
	if (err) {
		forwarding_clear(forwarding);
		return err;
	}
	s->site_of_id[id] = (uint32_t)s->site_count;
	s->sites[s->site_count++] =
	    (struct sim_site){.f = *forwarding, .tier = tier_find(s, forwarding->tier)};
	forwarding_init(forwarding);
	return 0;
}

uint32_t sim_site_by_id(const struct simulation *s, uint32_t id)
{
	id = forwarding_id_site(id);
	return id <= SITE_ID_MAX ? s->site_of_id[id] : SIM_NONE;
}

size_t simulation_site_count(const struct simulation *s)
{
	return s->site_count;
}

const char *simulation_tier_name(const struct simulation *s, size_t tier)
{
	return tier < s->tier_count ? s->tiers[tier] : NULL;
}

uint32_t simulation_site_find(const struct simulation *s, const char *word)
{
	char *end;
	unsigned long id;

	for (size_t i = 0; i < s->site_count; i++)
		if (!strcmp(s->sites[i].f.site, word))
			return s->sites[i].f.site_id;
	id = strtoul(word, &end, 10);
	return *word && !*end && id <= SITE_ID_MAX && s->site_of_id[id] != SIM_NONE ? (uint32_t)id
										    : 0;
}

static int site_compare(const void *a, const void *b)
{
	uint32_t x = ((const struct sim_site *)a)->f.site_id,
		 y = ((const struct sim_site *)b)->f.site_id;

	return x < y ? -1 : x > y;
}

static int links_make(struct simulation *s, uint32_t delay_us, struct reason *reason)
{
	size_t count = 0;

	for (uint32_t i = 0; i < s->site_count; i++)
		count += s->sites[i].f.neighbor_count;
	s->links = calloc(count + 1, sizeof(*s->links));
	if (!s->links)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < s->site_count; i++) {
		struct sim_site *site = &s->sites[i];

		site->link = calloc(site->f.neighbor_count + 1, sizeof(*site->link));
		if (!site->link)
			return -TUYEN_ENOMEM;
		for (size_t n = 0; n < site->f.neighbor_count; n++) {
			uint32_t id = site->f.neighbors[n].site_id, other = sim_site_by_id(s, id);
			uint32_t back = forwarding_id_back(id, site->f.site_id), found;

			if (other == SIM_NONE || !forwarding_neighbor(&s->sites[other].f, back))
				return reason_set(reason, -TUYEN_ENOENT,
						  "site %s: neighbour %u does not know it",
						  site->f.site, id);
			found = other < i ? sim_link_find(s, other, back) / 2
					  : (uint32_t)s->link_count++;
			site->link[n] = found;
			s->links[found] =
			    (struct sim_link){other < i ? other : i, other < i ? i : other,
					      forwarding_id_parallel(id), delay_us};
		}
	}
	return 0;
}

uint32_t sim_link_find(const struct simulation *s, uint32_t from, uint32_t id)
{
	const struct sim_site *site = &s->sites[from];
	const struct fwd_neighbor *n = forwarding_neighbor(&site->f, id);

	if (!n || !site->link)
		return SIM_NONE;
	return 2 * site->link[n - site->f.neighbors] + (from > sim_site_by_id(s, id));
}

static void pair_hold(struct sim_pair *pair, const struct fwd_session *session)
{
	pair->hold_us = (uint64_t)session->revert_hold_ms * 1000;
	pair->longest_us = forwarding_damped_us(session);
}

static uint32_t pair_find(struct simulation *s, struct sim_site *site, const struct fwd_path *p)
{
	struct sim_pair *pair;

	for (uint32_t i = site->pair; i < site->pair + site->pair_count; i++)
		if (s->pairs[i].color == p->color && s->pairs[i].endpoint == p->endpoint_site)
			return i;
	pair = &s->pairs[s->pair_count];
	*pair = (struct sim_pair){
	    .site = (uint32_t)(site - s->sites), .color = p->color, .endpoint = p->endpoint_site};
	for (size_t i = 0; i < site->f.session_count; i++)
		if (site->f.sessions[i].color == p->color)
			pair_hold(pair, &site->f.sessions[i]);
	site->pair_count++;
	return (uint32_t)s->pair_count++;
}

/* Of the pairs that lead to one LAN, the first makes a service. */
static void service_join(struct simulation *s, const struct sim_site *site, uint32_t pair)
{
	struct sim_pair *p = &s->pairs[pair];
	const struct fwd_session_peer *mine = forwarding_peer(&site->f, p->color, p->endpoint),
				      *other;

	for (uint32_t i = site->pair; i < pair && mine; i++) {
		struct sim_service *service = &s->services[s->pairs[i].service];

		other = forwarding_peer(&site->f, s->pairs[i].color, s->pairs[i].endpoint);
		if (!other || !forwarding_peers_share(mine, other) ||
		    service->pair_count == FWD_RANKS_MAX)
			continue;
		p->service = s->pairs[i].service;
		service->pair[service->pair_count++] = pair;
		return;
	}
	p->service = (uint32_t)s->service_count;
	s->services[s->service_count++] =
	    (struct sim_service){.site = p->site, .pair = {pair}, .pair_count = 1};
}

/* How it is watched: what the kernel process tells the wire process of it. */
static void path_watch(const struct simulation *s, uint32_t path)
{
	struct sim_path *p = &s->paths[path];
	const struct fwd_path *f = sim_path_forwarding(s, path);
	const struct fwd_neighbor *first = forwarding_neighbor(&s->sites[p->site].f, f->first_site);
	uint32_t next = sim_site_by_id(s, f->first_site);

	if (!first || next == SIM_NONE)
		return;
	p->first_end = sim_end_of(sim_link_find(s, p->site, f->first_site));
	p->base_us = (uint64_t)f->doubt * f->probe.interval_us;
	if (!f->repair.next_site)
		p->hasty_us = (uint64_t)first->probe.interval_us * first->probe.multiplier;
}

static void site_paths_make(struct simulation *s, uint32_t index)
{
	struct sim_site *site = &s->sites[index];

	assert(site->f.path_count <= SITE_PATHS_MAX);
	site->path = (uint32_t)s->path_count;
	site->pair = (uint32_t)s->pair_count;
	site->path_count = (uint32_t)site->f.path_count;
	for (size_t p = 0; p < site->f.path_count; p++) {
		uint32_t pair = pair_find(s, site, &site->f.paths[p]);

		s->pairs[pair].path[s->pairs[pair].path_count++] = (uint32_t)s->path_count;
		s->paths[s->path_count] =
		    (struct sim_path){.site = index, .pair = pair, .position = (uint8_t)p};
		path_watch(s, (uint32_t)s->path_count++);
	}
	for (uint32_t i = site->pair; i < site->pair + site->pair_count; i++)
		service_join(s, site, i);
}

static int paths_make(struct simulation *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->site_count; i++)
		count += s->sites[i].f.path_count;
	s->paths = calloc(count + 1, sizeof(*s->paths));
	s->pairs = calloc(count + 1, sizeof(*s->pairs));
	s->services = calloc(count + 1, sizeof(*s->services));
	if (!s->paths || !s->pairs || !s->services)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < s->site_count; i++)
		site_paths_make(s, i);
	return 0;
}

/* What nobody needs. */
static void site_trim(struct forwarding *f)
{
	struct forwarding rest;

	forwarding_init(&rest);
	rest.rules = f->rules, rest.rule_count = f->rule_count;
	rest.devices = f->devices, rest.device_count = f->device_count;
	forwarding_clear(&rest);
	f->rules = NULL, f->rule_count = 0;
	f->devices = NULL, f->device_count = 0;
}

int simulation_connect(struct simulation *s, uint32_t delay_us, struct reason *reason)
{
	int err;

	if (s->site_count)
		qsort(s->sites, s->site_count, sizeof(*s->sites), site_compare);
	for (uint32_t i = 0; i < s->site_count; i++)
		s->site_of_id[s->sites[i].f.site_id] = i;
	err = links_make(s, delay_us, reason);
	if (!err)
		err = paths_make(s);
	if (!err)
		err = sim_ways_walk(s);
	for (size_t i = 0; !err && i < s->site_count; i++)
		site_trim(&s->sites[i].f);
	return err;
}

int simulation_delay_set(struct simulation *s, uint32_t site_a, uint32_t site_b, uint32_t delay_us)
{
	uint32_t a = sim_site_by_id(s, site_a), b = sim_site_by_id(s, site_b);
	uint32_t link = a == SIM_NONE || b == SIM_NONE ? SIM_NONE : sim_link_find(s, a, site_b);

	if (link == SIM_NONE)
		return -TUYEN_ENOENT;
	s->links[link / 2].delay_us = delay_us;
	return 0;
}

/* ---- the calendar ------------------------------------------------------------------------- */

static bool wake_before(const struct sim_wake *a, const struct sim_wake *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	if (a->site != b->site)
		return a->site < b->site;
	return a->kind != b->kind ? a->kind < b->kind : a->path < b->path;
}

static void wake_add(struct simulation *s, struct sim_wake w)
{
	size_t at = s->heap_count;

	if (w.at_us > s->o.duration_us ||
	    !sim_reserve(s, &s->heap, &s->heap_capacity, at + 1, sizeof(*s->heap)))
		return;
	for (s->heap_count++; at && wake_before(&w, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
		s->heap[at] = s->heap[(at - 1) / 2];
	s->heap[at] = w;
}

static struct sim_wake wake_take(struct simulation *s)
{
	struct sim_wake first = s->heap[0], last = s->heap[--s->heap_count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= s->heap_count)
			break;
		if (child + 1 < s->heap_count && wake_before(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!wake_before(&s->heap[child], &last))
			break;
		s->heap[at] = s->heap[child];
		at = child;
	}
	s->heap[at] = last;
	return first;
}

/* ---- a site's turn ------------------------------------------------------------------------ */

/* What the kernel process makes of what the wire process says. */
static enum path_liveness liveness_of(const struct sim_session *e, struct monotime now,
				      struct monotime *next_look)
{
	struct monotime grace = monotime_after(e->since, NEVER_UP_GRACE_US);

	if (e->state == BFD_STATE_UP)
		return PATH_UP;
	if (e->diagnostic != BFD_DIAG_NONE || monotime_reached(now, grace))
		return PATH_DOWN;
	*next_look = monotime_min(*next_look, grace);
	return PATH_UNKNOWN;
}

static uint32_t path_of(const struct simulation *s, const struct sim_site *site,
			const struct active_path *a)
{
	for (uint32_t p = site->path; p < site->path + site->path_count; p++)
		if (sim_path_forwarding(s, p)->index == a->index)
			return p;
	return SIM_NONE;
}

static void active_take(struct simulation *s, uint32_t site_index,
			const struct active_paths *active, struct monotime now)
{
	const struct sim_site *site = &s->sites[site_index];

	for (size_t i = 0; i < active->count; i++) {
		uint32_t path = path_of(s, site, &active->entry[i]), pair, before;

		assert(path != SIM_NONE);
		pair = s->paths[path].pair;
		before = s->pair_runs[pair].active;
		sim_judge_turn(s, pair, before, path, now);
		if (active->entry[i].carries)
			sim_judge_carry(s, s->pairs[pair].service, path, now);
		if (before != path && s->o.watch)
			s->o.watch(s->o.context, now, site->f.site_id, active->entry[i].index, true,
				   s->sessions[path].state);
	}
	s->site_runs[site_index].active = *active;
}

static void site_turn(struct simulation *s, uint32_t site_index, struct monotime now)
{
	const struct sim_site *site = &s->sites[site_index];
	struct sim_site_run *run = &s->site_runs[site_index];
	struct path_state states[SITE_PATHS_MAX];
	struct monotime grace = MONOTIME_NEVER, next_look;
	struct active_paths active;

	for (uint32_t i = 0; i < site->path_count; i++) {
		const struct sim_session *e = &s->sessions[site->path + i];

		states[i] =
		    (struct path_state){.index = sim_path_forwarding(s, site->path + i)->index,
					.liveness = liveness_of(e, now, &grace),
					.since = e->since,
					.in_doubt = e->doubted && e->state == BFD_STATE_UP,
					.damped_until = e->damping.until};
	}
	s->o.choose(&site->f, states, site->path_count, &run->active, now, &active, &next_look);
	s->result->turns++;
	active_take(s, site_index, &active, now);
	run->next_look = monotime_min(next_look, grace);
	if (run->next_look.us != UINT64_MAX)
		wake_add(s, (struct sim_wake){run->next_look.us, site_index, SIM_WAKE_LOOK, 0, 0});
}

static void change_expect(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];

	sim_session_advance(s, path);
	wake_add(s, (struct sim_wake){e->next_at.us, s->paths[path].site, SIM_WAKE_CHANGE, path,
				      ++e->turn});
}

static bool answers(const struct sim_session *e)
{
	return e->state == BFD_STATE_UP && !e->doubted;
}

/* endpoint_is_gone() of the wire process: no path to it answers, and some to another does. */
static bool endpoint_gone(const struct simulation *s, uint32_t path)
{
	const struct sim_site *site = &s->sites[s->paths[path].site];
	uint32_t endpoint = sim_path_forwarding(s, path)->endpoint_site;
	bool another = false;

	for (uint32_t p = site->path; p < site->path + site->path_count; p++) {
		if (!answers(&s->sessions[p]))
			continue;
		if (sim_path_forwarding(s, p)->endpoint_site == endpoint)
			return false;
		another = true;
	}
	return another;
}

static void doubt_take(struct simulation *s, uint32_t path, struct monotime now)
{
	const struct sim_site *site = &s->sites[s->paths[path].site];
	uint32_t endpoint = sim_path_forwarding(s, path)->endpoint_site;

	sim_session_mark(s, path);
	if (s->failed || !endpoint_gone(s, path))
		return;
	for (uint32_t p = site->path; p < site->path + site->path_count; p++) {
		const struct sim_session *e = &s->sessions[p];

		if (sim_path_forwarding(s, p)->endpoint_site != endpoint || !s->paths[p].base_us ||
		    e->state != BFD_STATE_UP || !e->doubted)
			continue;
		sim_session_give_up(s, p, now);
		if (p != path)
			change_expect(s, p);
	}
}

static void change_take(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	uint64_t longest_us = s->pairs[s->paths[path].pair].longest_us;
	struct monotime now = e->next_at;
	bool changed = e->state != e->next_state, doubts = e->next_doubted && !e->doubted;

	if (e->state == BFD_STATE_UP && e->next_state != BFD_STATE_UP)
		damping_failed(&e->damping, longest_us, now);
	else if (e->state == BFD_STATE_UP && e->doubted && !e->next_doubted)
		damping_count(&e->damping, DAMPING_DOUBT,
			      longest_us ? longest_us : REPAIR_LONGEST_US, now);
	e->state = e->next_state;
	e->diagnostic = e->next_diagnostic;
	e->doubted = e->next_doubted;
	if (changed) {
		e->since = now;
		s->result->changes++;
		if (s->o.watch)
			s->o.watch(s->o.context, now, s->sites[s->paths[path].site].f.site_id,
				   sim_path_forwarding(s, path)->index, false, e->state);
	}
	if (doubts && e->state == BFD_STATE_UP)
		doubt_take(s, path, now);
	change_expect(s, path);
}

/* All that happens at one site at one moment. */
static void moment_run(struct simulation *s)
{
	struct sim_wake w = s->heap[0];
	bool wanted = false;

	while (s->heap_count && s->heap[0].at_us == w.at_us && s->heap[0].site == w.site) {
		struct sim_wake next = wake_take(s);

		if (next.kind == SIM_WAKE_CHANGE && next.turn != s->sessions[next.path].turn)
			continue;
		if (next.kind == SIM_WAKE_CHANGE)
			change_take(s, next.path);
		wanted |=
		    next.kind == SIM_WAKE_CHANGE || s->site_runs[w.site].next_look.us == w.at_us;
	}
	if (wanted)
		site_turn(s, w.site, (struct monotime){w.at_us});
}

/* ---- a run -------------------------------------------------------------------------------- */

/* Kept from run to run. */
static int room_make(struct simulation *s)
{
	if (!s->sessions)
		s->sessions = calloc(s->path_count + 1, sizeof(*s->sessions));
	if (!s->pair_runs)
		s->pair_runs = calloc(s->pair_count + 1, sizeof(*s->pair_runs));
	if (!s->service_runs)
		s->service_runs = calloc(s->service_count + 1, sizeof(*s->service_runs));
	if (!s->site_runs)
		s->site_runs = calloc(s->site_count + 1, sizeof(*s->site_runs));
	return s->sessions && s->pair_runs && s->service_runs && s->site_runs ? 0 : -TUYEN_ENOMEM;
}

static int run_prepare(struct simulation *s, const struct simulate_options *options,
		       struct simulate_result *result)
{
	*result = s->standing;
	result->seed = options->seed;
	result->duration_us = options->duration_us;
	result->sites = s->site_count;
	result->sessions = s->pair_count;
	result->paths = s->path_count;
	result->links = s->link_count;
	s->o = *options;
	if (!s->o.choose)
		s->o.choose = selection_choose;
	s->result = result;
	s->failed = false;
	s->heap_count = 0;
	return room_make(s);
}

static void run_begin(struct simulation *s)
{
	for (uint32_t i = 0; i < s->pair_count; i++)
		s->pair_runs[i] = (struct sim_pair_run){.active = SIM_NONE};
	for (uint32_t i = 0; i < s->service_count; i++)
		s->service_runs[i] = (struct sim_service_run){.active = SIM_NONE};
	memset(s->site_runs, 0, s->site_count * sizeof(*s->site_runs));
	for (uint32_t i = 0; i < s->path_count; i++) {
		sim_session_start(s, i);
		change_expect(s, i);
	}
	for (uint32_t i = 0; i < s->site_count; i++)
		if (s->sites[i].path_count)
			site_turn(s, i, (struct monotime){0});
}

enum repair_link simulation_link_at(const struct simulation *s, uint32_t site_id,
				    uint32_t neighbor_id, struct monotime at,
				    struct monotime *ret_until, bool *ret_heard)
{
	uint32_t a = sim_site_by_id(s, site_id), b = sim_site_by_id(s, neighbor_id);
	uint32_t way = a == SIM_NONE || b == SIM_NONE ? SIM_NONE : sim_link_find(s, a, neighbor_id);

	*ret_until = MONOTIME_NEVER;
	*ret_heard = false;
	return way == SIM_NONE || !s->link_lists
		   ? REPAIR_LINK_USED
		   : sim_link_state(s, sim_end_of(way), at.us, &ret_until->us, ret_heard);
}

int simulation_run(struct simulation *s, const struct simulate_options *options,
		   const struct simulate_events *events, struct simulate_result *ret_result,
		   struct reason *reason)
{
	struct simulate_result *result;
	int err;

	if (!s->pair_count)
		return reason_set(reason, -TUYEN_ENOENT,
				  "nothing was tried: no policy makes a session");
	result = malloc(sizeof(*result));
	if (!result)
		return -TUYEN_ENOMEM;
	err = run_prepare(s, options, result);
	if (!err)
		err = sim_wire_prepare(s, events, reason);
	if (!err) {
		run_begin(s);
		while (s->heap_count && !s->failed)
			moment_run(s);
		sim_judge_end(s);
		err = s->failed ? -TUYEN_ENOMEM : 0;
	}
	if (!err)
		*ret_result = *result;
	s->result = NULL;
	free(result);
	return err;
}
