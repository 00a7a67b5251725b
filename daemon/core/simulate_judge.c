/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The judge. It knows when each way is dead, and is told which way each session uses from when to
 * when: so outages are differences of intervals, and a promise is judged whenever a way's time in
 * use is over.
 *
 * An outage is time in which a packet that the site sends is lost, or its answer. It is avoidable
 * as long as another way of the session lives: that is convergence; the rest no protocol can help.
 *
 * What is bound to a bound: detection time of the way in use, its round trip, the time to write a
 * route, a second and a round trip if the other way has just come back (S-BFD asks once a second
 * while down), and a margin. Where packets are lost by chance, probes go astray too, and only what
 * the site itself could know is judged.
 *
 * Of a link both ends must know within its detection time that it is down, and then go around it where they can: what a
 * path is worth is computed from what they do, so that a repair which nobody takes would look like a path that is dead.
 */
#include "simulate_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_US 1000u
#define START_US  5000000u /* a session that was never up is given this to say so */

static const char *const rule_names[SIMULATE_RULES] = {
    [SIMULATE_LOOP] = "no loop",
    [SIMULATE_ASTRAY] = "no delivery to another site",
    [SIMULATE_BLACK_HOLE] = "no black hole",
    [SIMULATE_PLAINTEXT] = "no plaintext",
    [SIMULATE_LOST] = "no site lost that has a live path",
    [SIMULATE_DEAD_CHOSEN] = "no dead path beside one that is up",
    [SIMULATE_NEEDLESS] = "no needless switch",
    [SIMULATE_EARLY] = "no way back before the hold time",
    [SIMULATE_MANY] = "one switch a failure",
    [SIMULATE_NOT_BEST] = "the best path in the end",
    [SIMULATE_DEAD_LINK] = "no dead link taken for a live one",
};

/* What is promised of a moment when a wire is cut or whole is not known of one that loses by chance. */
static const bool needs_certainty[SIMULATE_RULES] = {
    [SIMULATE_LOST] = true,
    [SIMULATE_MANY] = true,
    [SIMULATE_NOT_BEST] = true,
};

static bool is_judged(const struct simulation *s, enum simulate_rule rule)
{
	return !s->o.wire.loss_ppm || !needs_certainty[rule];
}

const char *simulate_rule_name(enum simulate_rule rule)
{
	return rule_names[rule];
}

/* @who  it happens to: the text begins with it. */
__attribute__((format(printf, 6, 0))) static void
breach_put(struct simulate_result *r, enum simulate_rule rule, struct monotime at, uint32_t site_id,
	   const char *who, const char *format, va_list arguments)
{
	struct simulate_breach *b = &r->breaches[r->breach_count];
	int length;

	r->breach_by_rule[rule]++;
	if (r->breach_count++ >= SIMULATE_BREACHES_MAX)
		return;
	*b = (struct simulate_breach){.rule = rule, .at = at, .site_id = site_id};
	length = snprintf(b->text, sizeof(b->text), "%s: ", who);
	vsnprintf(b->text + length, sizeof(b->text) - (size_t)length, format, arguments);
}

void sim_breach(struct simulation *s, struct simulate_result *r, enum simulate_rule rule,
		struct monotime at, uint32_t path, const char *format, ...)
{
	const struct sim_site *site = &s->sites[s->paths[path].site];
	const struct fwd_path *f = sim_path_forwarding(s, path);
	char who[160];
	va_list arguments;

	snprintf(who, sizeof(who), "%.63s, color %u, path %.48s", site->f.site, f->color, f->name);
	va_start(arguments, format);
	breach_put(r, rule, at, site->f.site_id, who, format, arguments);
	va_end(arguments);
}

__attribute__((format(printf, 5, 6))) static void link_breach(struct simulation *s,
							      enum simulate_rule rule,
							      uint64_t at_us, uint32_t end,
							      const char *format, ...)
{
	const struct sim_link *l = &s->links[end / 2];
	const struct forwarding *f = &s->sites[end % 2 ? l->b : l->a].f;
	char who[160];
	va_list arguments;

	snprintf(who, sizeof(who), "%.63s, link to %.63s%s", f->site,
		 s->sites[end % 2 ? l->a : l->b].f.site, l->parallel ? " (parallel)" : "");
	va_start(arguments, format);
	breach_put(s->result, rule, (struct monotime){at_us}, f->site_id, who, format, arguments);
	va_end(arguments);
}

/* ---- dead times ---------------------------------------------------------------------------- */

static bool path_dead_at(const struct simulation *s, uint32_t path, uint64_t at_us,
			 uint64_t *ret_until_us)
{
	const struct sim_interval *d = sim_wire_dead_next(s, path, at_us);

	*ret_until_us = !d ? UINT64_MAX : d->from_us > at_us ? d->from_us : d->to_us;
	return d && d->from_us <= at_us;
}

/* Of [from, to): in how much of it are all of @paths dead? */
static uint64_t all_dead_us(const struct simulation *s, const uint32_t *paths, size_t path_count,
			    uint64_t from_us, uint64_t to_us)
{
	uint64_t total = 0, at = from_us;

	while (at < to_us) {
		uint64_t end = to_us, until;
		bool alive = false;

		for (size_t i = 0; i < path_count && !alive; i++) {
			alive = !path_dead_at(s, paths[i], at, &until);
			if (alive || until < end)
				end = until < to_us ? until : to_us;
		}
		if (!alive)
			total += end - at;
		at = end;
	}
	return total;
}

/* The end of the dead interval before @at_us; 0 if it lived from the beginning. */
static uint64_t lives_since(const struct simulation *s, uint32_t path, uint64_t at_us)
{
	const struct sim_interval *dead = s->dead_intervals + s->dead[path].first;
	uint64_t since = 0;

	for (uint32_t i = 0; i < s->dead[path].count && dead[i].to_us <= at_us; i++)
		since = dead[i].to_us;
	return since;
}

/* Until traffic leaves it: for another path of the pair when it is in doubt, for another gateway when it is down; one that was
 * in doubt often may be no worse than the others. */
static uint64_t detection_us(const struct simulation *s, uint32_t path, uint32_t other,
			     uint64_t from_us)
{
	const struct probe_timers *t = &sim_path_forwarding(s, path)->probe;

	if (s->paths[path].base_us && s->paths[path].pair == s->paths[other].pair &&
	    s->sessions[path].damping.until.us <= from_us)
		return s->paths[path].base_us;
	return (uint64_t)t->interval_us * t->multiplier;
}

/* When the site must know that @path is there again. */
static uint64_t known_from(const struct simulation *s, uint32_t path, uint64_t alive_us)
{
	uint64_t since = lives_since(s, path, alive_us);

	return (since ? since : 1000000) + BFD_SLOW_INTERVAL_US + 2 * s->paths[path].round_trip_us +
	       2 * sim_wire_slack(s, path) + sim_path_forwarding(s, path)->probe.interval_us;
}

/* ---- outages ------------------------------------------------------------------------------- */

static void outage_end(struct simulation *s, uint32_t service)
{
	struct sim_service_run *run = &s->service_runs[service];
	struct sim_site_run *site = &s->site_runs[s->services[service].site];

	if (run->out_avoidable_us > run->longest_us)
		run->longest_us = run->out_avoidable_us;
	if (run->out_avoidable_us > site->longest_us)
		site->longest_us = run->out_avoidable_us;
	run->out_from_us = run->out_to_us = run->out_avoidable_us = 0;
}

static size_t service_paths(const struct simulation *s, uint32_t service,
			    uint32_t ret_paths[static SITE_PATHS_MAX])
{
	const struct sim_service *v = &s->services[service];
	size_t count = 0;

	for (uint8_t i = 0; i < v->pair_count; i++)
		for (uint8_t k = 0; k < s->pairs[v->pair[i]].path_count; k++)
			ret_paths[count++] = s->pairs[v->pair[i]].path[k];
	return count;
}

static void outage_add(struct simulation *s, uint32_t service, uint64_t from_us, uint64_t to_us)
{
	struct sim_service_run *run = &s->service_runs[service];
	struct sim_site_run *site = &s->site_runs[s->services[service].site];
	uint32_t paths[SITE_PATHS_MAX];
	size_t count = service_paths(s, service, paths);
	uint64_t hopeless = all_dead_us(s, paths, count, from_us, to_us);

	if (run->out_to_us && run->out_to_us != from_us)
		outage_end(s, service);
	if (!run->out_to_us)
		run->out_from_us = from_us;
	run->out_to_us = to_us;
	run->out_avoidable_us += to_us - from_us - hopeless;
	site->hit = true;
	site->cut |= hopeless > 0;
	s->result->lost_us += to_us - from_us;
	s->result->lost_avoidable_us += to_us - from_us - hopeless;
}

/* @path was in use and dead in [from, to): was @other there, and long enough? */
static void unused_judge(struct simulation *s, uint32_t path, uint32_t other, uint64_t from_us,
			 uint64_t to_us)
{
	uint64_t bound = detection_us(s, path, other, from_us) + s->paths[path].round_trip_us +
			 sim_wire_slack(s, path) + s->o.apply_us + MARGIN_US;
	uint64_t at = from_us, until;

	if (from_us < START_US)
		bound += START_US;
	for (; at < to_us; at = until) {
		bool dead = path_dead_at(s, other, at, &until);
		uint64_t begin = dead ? 0 : known_from(s, other, at);

		if (dead)
			continue;
		if (until > to_us)
			until = to_us;
		if (begin < at)
			begin = at;
		if (until > begin && until - begin > bound)
			sim_breach(s, s->result, SIMULATE_LOST, (struct monotime){begin}, path,
				   "dead for %llu us while path %s lived; %llu us are allowed",
				   (unsigned long long)(until - begin),
				   sim_path_forwarding(s, other)->name, (unsigned long long)bound);
	}
}

/* @path was in use in [from, to). */
static void use_judge(struct simulation *s, uint32_t service, uint32_t path, uint64_t from_us,
		      uint64_t to_us)
{
	uint32_t others[SITE_PATHS_MAX];
	size_t count = service_paths(s, service, others);
	uint64_t at = from_us, until;

	for (; at < to_us; at = until) {
		bool dead = path_dead_at(s, path, at, &until);

		if (until > to_us)
			until = to_us;
		if (!dead)
			continue;
		outage_add(s, service, at, until);
		for (size_t i = 0; i < count && is_judged(s, SIMULATE_LOST); i++)
			if (others[i] != path)
				unused_judge(s, path, others[i], at, until);
	}
}

/* ---- decisions ----------------------------------------------------------------------------- */

static void choice_judge(struct simulation *s, const struct sim_pair *pair, uint32_t path,
			 struct monotime now)
{
	if (s->sessions[path].state == BFD_STATE_UP ||
	    s->sessions[path].diagnostic == BFD_DIAG_NONE)
		return;
	for (uint8_t i = 0; i < pair->path_count; i++)
		if (s->sessions[pair->path[i]].state == BFD_STATE_UP) {
			sim_breach(s, s->result, SIMULATE_DEAD_CHOSEN, now, path,
				   "down, though path %s is up",
				   sim_path_forwarding(s, pair->path[i])->name);
			return;
		}
}

static uint64_t failures_and_repairs(const struct simulation *s, const struct sim_pair *pair,
				     uint64_t now_us)
{
	uint64_t count = 0;

	for (uint8_t i = 0; i < pair->path_count; i++) {
		const struct sim_list *list = &s->dead[pair->path[i]];

		for (uint32_t k = list->first; k < list->first + list->count; k++)
			count += (s->dead_intervals[k].from_us <= now_us) +
				 (s->dead_intervals[k].to_us <= now_us);
	}
	return count;
}

static void switch_judge(struct simulation *s, uint32_t pair_index, uint32_t from, uint32_t to,
			 struct monotime now)
{
	const struct sim_pair *pair = &s->pairs[pair_index];
	const struct fwd_path *a = sim_path_forwarding(s, from), *b = sim_path_forwarding(s, to);
	struct sim_pair_run *run = &s->pair_runs[pair_index];

	s->result->switches++;
	run->switches++;
	s->site_runs[pair->site].moved = true;
	if (s->sessions[from].state == BFD_STATE_UP && !s->sessions[from].doubted &&
	    b->preference <= a->preference)
		sim_breach(s, s->result, SIMULATE_NEEDLESS, now, to, "path %s was up and not worse",
			   a->name);
	if (s->sessions[from].state == BFD_STATE_UP && !s->sessions[from].doubted &&
	    damping_holds(&s->sessions[to].damping, now))
		sim_breach(
		    s, s->result, SIMULATE_EARLY, now, to,
		    "it failed often, and is held for %llu us more",
		    (unsigned long long)monotime_between(now, s->sessions[to].damping.until));
	if (s->sessions[from].state == BFD_STATE_UP && !s->sessions[from].doubted &&
	    monotime_before(now, monotime_after(s->sessions[to].since, pair->hold_us)))
		sim_breach(s, s->result, SIMULATE_EARLY, now, to, "up for %llu of %llu us",
			   (unsigned long long)monotime_between(s->sessions[to].since, now),
			   (unsigned long long)pair->hold_us);
	if (now.us >= SIMULATE_FIRST_EVENT_US && is_judged(s, SIMULATE_MANY) &&
	    run->switches > failures_and_repairs(s, pair, now.us))
		sim_breach(s, s->result, SIMULATE_MANY, now, to,
			   "switch %llu after fewer failures and repairs",
			   (unsigned long long)run->switches);
}

void sim_judge_turn(struct simulation *s, uint32_t pair_index, uint32_t from, uint32_t to,
		    struct monotime now)
{
	choice_judge(s, &s->pairs[pair_index], to, now);
	if (from != to && from != SIM_NONE)
		switch_judge(s, pair_index, from, to, now);
	s->pair_runs[pair_index].active = to;
}

void sim_judge_carry(struct simulation *s, uint32_t service, uint32_t path, struct monotime now)
{
	struct sim_service_run *run = &s->service_runs[service];
	uint32_t from = run->active;
	uint64_t effective = now.us + (from == SIM_NONE ? 0 : s->o.apply_us);

	if (from == path)
		return;
	if (from != SIM_NONE) {
		if (effective > s->o.duration_us)
			effective = s->o.duration_us;
		use_judge(s, service, from, run->active_from_us, effective);
		s->result->takeovers += s->paths[from].pair != s->paths[path].pair;
		s->site_runs[s->services[service].site].moved = true;
	}
	run->active = path;
	run->active_from_us = effective;
}

/* ---- the end ------------------------------------------------------------------------------- */

/* How long it is held after it lives again: one that failed often for longer, but not for ever. */
static uint64_t held_until(const struct simulation *s, const struct sim_pair *pair, uint32_t path,
			   uint64_t from_us)
{
	uint64_t held = from_us + pair->hold_us, damped = s->sessions[path].damping.until.us;
	uint64_t most = from_us + (pair->longest_us ? pair->longest_us : REPAIR_LONGEST_US);

	if (damped > most)
		damped = most;
	return damped > held ? damped : held;
}

/* Long enough alive to be in use, whatever the hold time. */
static bool is_settled_path(const struct simulation *s, const struct sim_pair *pair, uint32_t path)
{
	uint64_t end = s->o.duration_us, until;

	if (path_dead_at(s, path, end, &until))
		return false;
	return end >
	       held_until(s, pair, path, known_from(s, path, end)) + s->o.apply_us + MARGIN_US;
}

static void best_judge(struct simulation *s, const struct sim_pair *pair, uint32_t active)
{
	const struct fwd_path *now = sim_path_forwarding(s, active);

	for (uint8_t i = 0; i < pair->path_count; i++) {
		const struct fwd_path *f = sim_path_forwarding(s, pair->path[i]);

		if (f->preference <= now->preference || !is_settled_path(s, pair, pair->path[i]))
			continue;
		sim_breach(s, s->result, SIMULATE_NOT_BEST, (struct monotime){s->o.duration_us},
			   active, "path %s is better, alive, and not in use", f->name);
		return;
	}
}

static uint8_t rank_of(const struct simulation *s, const struct sim_pair *pair)
{
	const struct fwd_session_peer *peer =
	    forwarding_peer(&s->sites[pair->site].f, pair->color, pair->endpoint);

	return peer ? peer->rank : 0;
}

/* Of gateways that share a LAN the nearest carries again when its path in use has lived long enough. */
static void nearest_judge(struct simulation *s, const struct sim_service *service, uint32_t active)
{
	uint8_t rank = rank_of(s, &s->pairs[s->paths[active].pair]);

	for (uint8_t i = 0; i < service->pair_count; i++) {
		const struct sim_pair *pair = &s->pairs[service->pair[i]];
		uint32_t path = s->pair_runs[service->pair[i]].active;

		if (rank_of(s, pair) >= rank || path == SIM_NONE || s->sessions[path].doubted ||
		    !is_settled_path(s, pair, path))
			continue;
		sim_breach(s, s->result, SIMULATE_NOT_BEST, (struct monotime){s->o.duration_us},
			   active, "gateway %u is nearer, alive, and not in use", pair->endpoint);
		return;
	}
}

/* Several gateways have its LAN, and none was ever chosen to carry. */
static void service_unused(struct simulation *s, uint32_t service)
{
	uint32_t path = s->pairs[s->services[service].pair[0]].path[0];

	sim_breach(s, s->result, SIMULATE_LOST, (struct monotime){s->o.duration_us}, path,
		   "no gateway was ever chosen for its LAN");
	outage_add(s, service, 0, s->o.duration_us);
	outage_end(s, service);
}

static void service_end(struct simulation *s, uint32_t service)
{
	struct sim_service_run *run = &s->service_runs[service];

	if (run->active == SIM_NONE) {
		service_unused(s, service);
		return;
	}
	use_judge(s, service, run->active, run->active_from_us, s->o.duration_us);
	outage_end(s, service);
	if (is_judged(s, SIMULATE_NOT_BEST))
		nearest_judge(s, &s->services[service], run->active);
}

/* ---- links --------------------------------------------------------------------------------- */

static uint64_t link_detection_us(const struct simulation *s, const struct sim_link *l)
{
	const struct probe_timers *a = &sim_neighbor(s, l->a, l->b, l->parallel)->probe,
				  *b = &sim_neighbor(s, l->b, l->a, l->parallel)->probe;

	return (uint64_t)(a->interval_us > b->interval_us ? a->interval_us : b->interval_us) *
	       (a->multiplier > b->multiplier ? a->multiplier : b->multiplier);
}

#define TOUCHING 4
#define OWN_LIFE 2

/* What an end's session hangs on: the wire to it, the other site's life, its own, the wire from it. */
static void touching(const struct simulation *s, uint32_t end,
		     uint32_t ret_resources[static TOUCHING])
{
	const struct sim_link *l = &s->links[end / 2];

	ret_resources[0] = end ^ 1;
	ret_resources[1] = sim_resource_dead(s, end % 2 ? l->a : l->b);
	ret_resources[OWN_LIFE] = sim_resource_dead(s, end % 2 ? l->b : l->a);
	ret_resources[3] = end;
}

/* What is not heard is found here; what does not arrive, there, and said on the way back, or else that is not heard. */
static uint64_t link_bound_us(const struct simulation *s, uint32_t end, uint32_t resource,
			      uint64_t from_us)
{
	const struct sim_link *l = &s->links[end / 2];
	uint64_t once = link_detection_us(s, l) + l->delay_us + MARGIN_US;
	uint32_t others[TOUCHING];

	touching(s, end, others);
	for (size_t i = 0; i < 3 && resource == end; i++)
		if (sim_resource_down(s, others[i], from_us, from_us + once))
			return 2 * once;
	return once;
}

/* @resource was down in @d, and it is known of at @end of its link. */
static void link_down_judge(struct simulation *s, uint32_t end, uint32_t resource,
			    const struct sim_interval *d)
{
	uint64_t bound = link_bound_us(s, end, resource, d->from_us), at = d->from_us + bound;
	uint64_t to = d->to_us < s->o.duration_us ? d->to_us : s->o.duration_us, until;
	bool heard;

	for (; at < to; at = until) {
		if (sim_link_state(s, end, at, &until, &heard) != REPAIR_LINK_USED)
			continue;
		link_breach(s, SIMULATE_DEAD_LINK, at, end,
			    "nothing goes around it, down since %llu us; %llu us are allowed",
			    (unsigned long long)(at - d->from_us), (unsigned long long)bound);
		return;
	}
}

/* It is whole for longer than any link is held, and what it carried must be back. */
static void link_back_judge(struct simulation *s, uint32_t end, uint64_t whole_us)
{
	uint64_t most =
		     link_detection_us(s, &s->links[end / 2]) + REPAIR_LONGEST_US + REPAIR_HOLD_US,
		 until;
	bool heard;

	if (whole_us >= s->o.duration_us || s->o.duration_us - whole_us <= most ||
	    sim_link_state(s, end, s->o.duration_us, &until, &heard) == REPAIR_LINK_USED)
		return;
	link_breach(s, SIMULATE_NOT_BEST, s->o.duration_us, end,
		    "whole for %llu us, and traffic goes around it",
		    (unsigned long long)(s->o.duration_us - whole_us));
}

static void link_end_judge(struct simulation *s, uint32_t end)
{
	uint32_t resources[TOUCHING];
	uint64_t whole_us = 0;
	bool touched = false;

	touching(s, end, resources);
	for (size_t i = 0; i < TOUCHING; i++) {
		const struct sim_list *list = &s->down[resources[i]];

		for (uint32_t k = list->first; k < list->first + list->count; k++) {
			const struct sim_interval *d = &s->down_intervals[k];

			if (i != OWN_LIFE)
				link_down_judge(s, end, resources[i], d);
			whole_us = d->to_us > whole_us ? d->to_us : whole_us;
			touched = true;
		}
	}
	if (touched && is_judged(s, SIMULATE_NOT_BEST))
		link_back_judge(s, end, whole_us);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int u64_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The smallest that at least @percent of them are not above. */
static uint64_t percentile(const uint64_t *sorted, size_t count, unsigned int percent)
{
	size_t rank = (count * percent + 99) / 100;

	return count ? sorted[rank ? rank - 1 : 0] : 0;
}

/* @us holds o->count of them, and is sorted. */
static void outages_measure(uint64_t *us, struct simulate_outages *o)
{
	if (o->count > 1)
		qsort(us, o->count, sizeof(*us), u64_compare);
	o->p50_us = percentile(us, o->count, 50);
	o->p90_us = percentile(us, o->count, 90);
	o->p99_us = percentile(us, o->count, 99);
	o->max_us = percentile(us, o->count, 100);
}

/* 1, 2 or 5 times a power of ten. */
static uint64_t bar_width(uint64_t max_us)
{
	static const uint64_t steps[] = {1, 2, 5};

	for (uint64_t scale = 1000;; scale *= 10)
		for (size_t i = 0; i < 3; i++)
			if (steps[i] * scale * SIMULATE_BARS > max_us)
				return steps[i] * scale;
}

static uint32_t service_color(const struct simulation *s, size_t service)
{
	return s->pairs[s->services[service].pair[0]].color;
}

static struct simulate_policy *policy_find(struct simulate_result *r, uint32_t color)
{
	for (size_t i = 0; i < r->policy_count; i++)
		if (r->policies[i].color == color)
			return &r->policies[i];
	return NULL;
}

static void policies_list(const struct simulation *s, struct simulate_result *r)
{
	r->policy_count = 0;
	for (size_t i = 0; i < s->service_count; i++) {
		uint32_t color = service_color(s, i);
		const struct fwd_session *session =
		    forwarding_session(&s->sites[s->services[i].site].f, color);
		size_t at;

		if (!session || r->policy_count == SIMULATE_POLICIES_MAX || policy_find(r, color))
			continue;
		for (at = r->policy_count++; at && r->policies[at - 1].color > color; at--)
			r->policies[at] = r->policies[at - 1];
		r->policies[at] = (struct simulate_policy){.color = color};
		memcpy(r->policies[at].name, session->policy, sizeof(session->policy));
	}
}

static void policy_sum(const struct simulation *s, struct simulate_policy *p, uint64_t *longest)
{
	for (size_t i = 0; i < s->service_count; i++)
		if (s->service_runs[i].longest_us && service_color(s, i) == p->color)
			longest[p->outages.count++] = s->service_runs[i].longest_us;
	outages_measure(longest, &p->outages);
}

static void policies_sum(struct simulation *s, struct simulate_result *r)
{
	uint64_t *longest = calloc(s->service_count + 1, sizeof(*longest));

	if (!longest) {
		s->failed = true;
		return;
	}
	policies_list(s, r);
	for (size_t i = 0; i < r->policy_count; i++)
		policy_sum(s, &r->policies[i], longest);
	free(longest);
}

static void outages_sum(struct simulation *s, struct simulate_result *r)
{
	uint64_t *longest = calloc(s->site_count + 1, sizeof(*longest));

	if (!longest) {
		s->failed = true;
		return;
	}
	for (size_t i = 0; i < s->site_count; i++)
		if (s->site_runs[i].longest_us)
			longest[r->outages.count++] = s->site_runs[i].longest_us;
	outages_measure(longest, &r->outages);
	r->bar_us = bar_width(r->outages.max_us);
	for (size_t i = 0; i < r->outages.count; i++)
		r->bars[longest[i] / r->bar_us]++;
	free(longest);
}

static bool site_dark(const struct simulation *s, const struct sim_site *site, uint64_t from_us,
		      uint64_t to_us)
{
	uint32_t paths[SITE_PATHS_MAX];

	for (uint32_t i = 0; i < site->path_count; i++)
		paths[i] = site->path + i;
	return all_dead_us(s, paths, site->path_count, from_us, to_us) > 0;
}

static void sites_sum(struct simulation *s, struct simulate_result *r)
{
	for (size_t i = 0; i < s->site_count; i++) {
		const struct sim_site_run *run = &s->site_runs[i];
		uint32_t tier = s->sites[i].tier;

		r->sites_hit += run->hit;
		r->sites_moved += run->moved;
		r->sites_cut[tier] += run->cut;
		if (!run->cut)
			continue;
		r->sites_dark[tier] += site_dark(s, &s->sites[i], 0, s->o.duration_us);
		r->sites_dark_at_end[tier] +=
		    site_dark(s, &s->sites[i], s->o.duration_us - 1, s->o.duration_us);
	}
}

/* What was skipped goes out at the mean pace of RFC 5880 section 6.8.7. */
static void probes_sum(const struct simulation *s, struct simulate_result *r)
{
	r->probes_about = r->probes_run;
	for (size_t i = 0; i < s->path_count; i++) {
		const struct sim_session *e = &s->sessions[i];

		if (e->asleep)
			r->probes_about += (s->o.duration_us - e->now.us) * 8 /
					   (7 * (uint64_t)e->bfd.tx_interval_us);
	}
}

void sim_judge_end(struct simulation *s)
{
	struct simulate_result *r = s->result;

	if (s->failed)
		return;
	for (uint32_t i = 0; i < s->service_count; i++)
		service_end(s, i);
	for (uint32_t i = 0; i < s->pair_count && is_judged(s, SIMULATE_NOT_BEST); i++)
		best_judge(s, &s->pairs[i], s->pair_runs[i].active);
	for (uint32_t end = 0; end < 2 * s->link_count; end++)
		link_end_judge(s, end);
	for (size_t i = 0; i < s->step_count; i++)
		r->repairs += s->steps[i].state == REPAIR_LINK_DOWN &&
			      (!i || s->steps[i - 1].end != s->steps[i].end ||
			       s->steps[i - 1].state == REPAIR_LINK_USED);
	for (enum simulate_rule rule = 0; rule < SIMULATE_RULES; rule++)
		r->rules_judged += is_judged(s, rule);
	outages_sum(s, r);
	policies_sum(s, r);
	sites_sum(s, r);
	probes_sum(s, r);
	r->loses_by_chance = s->o.wire.loss_ppm > 0;
	r->packets_lost = r->lost_us / 1000 * s->o.packets_per_second / 1000;
	r->packets_lost_avoidable = r->lost_avoidable_us / 1000 * s->o.packets_per_second / 1000;
}
