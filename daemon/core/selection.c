/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which candidate path carries a (color, endpoint): RFC 9256 section 2.9, with two departures. A
 * path that is merely unknown keeps its traffic (the daemon may just have started, and what
 * forwards must go on forwarding); and going back to a better path waits until that path has been
 * up for the policy's revert hold time, so that a flapping link costs one switch and not many.
 *
 * One pass over the paths a pair: the pair's paths are ranked by (preference, lower index), the
 * numbered rules of selection.h are choose(), one line each.
 */
#include "tuyen/core/selection.h"

#include <assert.h>
#include <stddef.h>

struct ranking { /* the best path of a pair, by liveness; NULL: none */
	const struct fwd_path *steady, *good, *up, *unknown,
	    *any;		   /* good: up, not degraded, not in doubt; steady: nor damped */
	struct monotime steady_at; /* when the next of the good ones is damped no more */
};

static const struct path_state *state_find(const struct path_state *states, size_t count,
					   uint8_t index)
{
	for (size_t i = 0; i < count; i++)
		if (states[i].index == index)
			return &states[i];
	return NULL;
}

static enum path_liveness liveness_of(const struct path_state *state)
{
	return state ? state->liveness : PATH_UNKNOWN;
}

static bool good(const struct path_state *state)
{
	return liveness_of(state) == PATH_UP && !state->degraded && !state->in_doubt;
}

static bool damped(const struct path_state *state, struct monotime now)
{
	return state && !monotime_reached(now, state->damped_until);
}

static bool same_pair(const struct fwd_path *a, const struct fwd_path *b)
{
	return a->color == b->color && a->endpoint_site == b->endpoint_site;
}

static bool ranks_before(const struct fwd_path *a, const struct fwd_path *b)
{
	if (!b || a->preference != b->preference)
		return !b || a->preference > b->preference;
	return a->index < b->index;
}

static void rank(const struct fwd_path **best, const struct fwd_path *path)
{
	if (ranks_before(path, *best))
		*best = path;
}

static struct ranking pair_rank(const struct forwarding *f, const struct fwd_path *pair,
				const struct path_state *states, size_t count, struct monotime now)
{
	struct ranking r = {.steady_at = MONOTIME_NEVER};

	for (size_t i = 0; i < f->path_count; i++) {
		const struct fwd_path *p = &f->paths[i];
		const struct path_state *state = state_find(states, count, p->index);

		if (!same_pair(p, pair))
			continue;
		rank(&r.any, p);
		switch (liveness_of(state)) {
		case PATH_UP:
			rank(&r.up, p);
			if (good(state))
				rank(&r.good, p);
			if (good(state) && !damped(state, now))
				rank(&r.steady, p);
			else if (good(state))
				r.steady_at = monotime_min(r.steady_at, state->damped_until);
			break;
		case PATH_UNKNOWN:
			rank(&r.unknown, p);
			break;
		case PATH_DOWN:
			break;
		}
	}
	return r;
}

/* Of one that is up and in use: is the best of @others to be taken instead? */
static bool unfit(const struct path_state *state, const struct ranking *others, struct monotime now)
{
	if (!others->good)
		return false;
	return state->degraded || (state->in_doubt && (others->steady || !damped(state, now)));
}

static const struct fwd_path *in_use(const struct forwarding *f, const struct fwd_path *pair,
				     const struct active_paths *previous)
{
	for (size_t i = 0; i < previous->count; i++) {
		const struct active_path *a = &previous->entry[i];

		if (a->color != pair->color || a->endpoint_site != pair->endpoint_site)
			continue;
		for (size_t j = 0; j < f->path_count; j++)
			if (f->paths[j].index == a->index && same_pair(&f->paths[j], pair))
				return &f->paths[j];
	}
	return NULL;
}

static uint64_t revert_hold_us(const struct forwarding *f, uint32_t color)
{
	const struct fwd_session *session = forwarding_session(f, color);

	return session ? (uint64_t)session->revert_hold_ms * 1000 : 0;
}

/* When it has been up for the hold time, and is damped no more. */
static struct monotime hold_end(const struct path_state *state, uint64_t hold_us)
{
	struct monotime end = monotime_after(state->since, hold_us);

	return monotime_before(end, state->damped_until) ? state->damped_until : end;
}

/* The best path above @current whose hold is over; notes when the next hold ends. */
static const struct fwd_path *revert_find(const struct forwarding *f,
					  const struct fwd_path *current,
					  const struct path_state *states, size_t count,
					  struct monotime now, struct monotime *next_look)
{
	const struct fwd_path *best = NULL;

	for (size_t i = 0; i < f->path_count; i++) {
		const struct fwd_path *p = &f->paths[i];
		const struct path_state *state = state_find(states, count, p->index);
		struct monotime end;

		if (!same_pair(p, current) || p->preference <= current->preference || !good(state))
			continue;
		end = hold_end(state, revert_hold_us(f, p->color));
		if (monotime_reached(now, end))
			rank(&best, p);
		else
			*next_look = monotime_min(*next_look, end);
	}
	return best;
}

static const struct fwd_path *choose(const struct forwarding *f, const struct fwd_path *pair,
				     const struct path_state *states, size_t count,
				     const struct active_paths *previous, struct monotime now,
				     struct monotime *next_look)
{
	const struct fwd_path *current = in_use(f, pair, previous);
	struct ranking r = pair_rank(f, pair, states, count, now);
	const struct path_state *state;
	const struct fwd_path *better;

	if (r.good)
		r.up = r.steady ? r.steady : r.good;
	if (!current) /* rule 3 */
		return r.up ? r.up : r.unknown ? r.unknown : r.any;
	state = state_find(states, count, current->index);
	if (liveness_of(state) == PATH_DOWN) /* rule 2 */
		return r.up ? r.up : r.unknown ? r.unknown : current;
	if (liveness_of(state) == PATH_UP && unfit(state, &r, now)) /* rule 4 */
		return r.up;
	if (state && state->in_doubt)
		*next_look = monotime_min(*next_look, r.steady_at);
	better = revert_find(f, current, states, count, now, next_look); /* rule 1 */
	return better ? better : current;
}

/* ---- endpoints that share a LAN ------------------------------------------------------------ */

/* One of them: its path in use, how that lives, its place among them. */
struct gateway {
	struct active_path *entry;
	const struct path_state *state;
	uint8_t rank;
};

static bool carried_before(const struct active_paths *previous, const struct active_path *entry)
{
	for (size_t i = 0; i < previous->count; i++)
		if (previous->entry[i].color == entry->color &&
		    previous->entry[i].endpoint_site == entry->endpoint_site)
			return previous->entry[i].carries;
	return false;
}

enum grade { GRADE_DEAD, GRADE_UNKNOWN, GRADE_UP, GRADE_GOOD, GRADE_STEADY };

/* A path that is up says nothing of the session that goes by it. */
static enum grade gateway_grade(const struct gateway *g, struct monotime now)
{
	if (liveness_of(g->state) == PATH_DOWN || (g->state && g->state->session_dead))
		return GRADE_DEAD;
	if (liveness_of(g->state) == PATH_UNKNOWN)
		return GRADE_UNKNOWN;
	if (!good(g->state))
		return GRADE_UP;
	return damped(g->state, now) ? GRADE_GOOD : GRADE_STEADY;
}

/* The best, of equals the first: they stand by rank. @else_this  where all are dead */
static const struct gateway *gateway_best(const struct gateway *g, size_t count,
					  const struct gateway *else_this, struct monotime now)
{
	const struct gateway *best = else_this;
	enum grade found = GRADE_DEAD;

	for (size_t i = 0; i < count; i++)
		if (gateway_grade(&g[i], now) > found) {
			best = &g[i];
			found = gateway_grade(best, now);
		}
	return best;
}

/* The rules of choose(), with the rank for the preference; but a doubt alone is no reason to go to another gateway. */
static const struct gateway *gateway_choose(const struct forwarding *f, const struct gateway *g,
					    size_t count, const struct active_paths *previous,
					    struct monotime now, struct monotime *next_look)
{
	const struct gateway *current = NULL, *best;

	for (size_t i = 0; i < count && !current; i++)
		if (carried_before(previous, g[i].entry))
			current = &g[i];
	best = gateway_best(g, count, current ? current : g, now);
	if (!current || gateway_grade(current, now) == GRADE_DEAD)
		return best;
	if (gateway_grade(current, now) == GRADE_UP && current->state->degraded &&
	    gateway_grade(best, now) >= GRADE_GOOD)
		return best;
	for (const struct gateway *better = g; better < current; better++) {
		struct monotime end;

		if (gateway_grade(better, now) < GRADE_GOOD)
			continue;
		end = hold_end(better->state, revert_hold_us(f, better->entry->color));
		if (monotime_reached(now, end))
			return better;
		*next_look = monotime_min(*next_look, end);
	}
	return current;
}

/* Those that share a LAN with the endpoint of @first, itself included, by rank. */
static size_t gateways_of(const struct forwarding *f, const struct path_state *states, size_t count,
			  struct active_paths *active, size_t first, struct gateway *ret_gateways)
{
	const struct fwd_session_peer *leader =
	    forwarding_peer(f, active->entry[first].color, active->entry[first].endpoint_site);
	size_t found = 0;

	for (uint8_t rank = 0; leader && !leader->rank && rank < FWD_RANKS_MAX; rank++)
		for (size_t i = 0; i < active->count; i++) {
			struct active_path *e = &active->entry[i];
			const struct fwd_session_peer *p =
			    forwarding_peer(f, e->color, e->endpoint_site);

			if (!p || p->rank != rank ||
			    (p != leader && !forwarding_peers_share(leader, p)))
				continue;
			ret_gateways[found++] =
			    (struct gateway){e, state_find(states, count, e->index), rank};
			break;
		}
	return found;
}

static void carriers_choose(const struct forwarding *f, const struct path_state *states,
			    size_t count, const struct active_paths *previous, struct monotime now,
			    struct active_paths *active, struct monotime *next_look)
{
	struct gateway gateways[FWD_RANKS_MAX];

	for (size_t i = 0; i < active->count; i++) {
		size_t found = gateways_of(f, states, count, active, i, gateways);
		const struct gateway *carrier;

		if (found < 2)
			continue;
		carrier = gateway_choose(f, gateways, found, previous, now, next_look);
		for (size_t k = 0; k < found; k++)
			gateways[k].entry->carries = &gateways[k] == carrier;
	}
}

static bool pair_is_first(const struct forwarding *f, size_t position)
{
	for (size_t i = 0; i < position; i++)
		if (same_pair(&f->paths[i], &f->paths[position]))
			return false;
	return true;
}

void selection_choose(const struct forwarding *forwarding, const struct path_state *states,
		      size_t state_count, const struct active_paths *previous, struct monotime now,
		      struct active_paths *ret_active, struct monotime *ret_next_look)
{
	struct active_paths active = {0};
	struct monotime next_look = MONOTIME_NEVER;

	for (size_t i = 0; i < forwarding->path_count; i++) {
		const struct fwd_path *pair = &forwarding->paths[i], *path;

		if (!pair_is_first(forwarding, i))
			continue;
		assert(active.count < SITE_PATHS_MAX);
		path = choose(forwarding, pair, states, state_count, previous, now, &next_look);
		active.entry[active.count++] = (struct active_path){
		    .color = path->color,
		    .endpoint_site = path->endpoint_site,
		    .index = path->index,
		    .carries = true,
		};
	}
	carriers_choose(forwarding, states, state_count, previous, now, &active, &next_look);
	*ret_active = active;
	*ret_next_look = next_look;
}

bool selection_same_path(const struct fwd_path *a, const struct fwd_path *b)
{
	return same_pair(a, b) && a->endpoint == b->endpoint && a->first_site == b->first_site &&
	       label_stack_equal(&a->stack, &b->stack);
}

static const struct fwd_path *path_again(const struct forwarding *old,
					 const struct forwarding *next, uint8_t index)
{
	const struct fwd_path *was = forwarding_path(old, index);

	for (size_t i = 0; was && i < next->path_count; i++)
		if (selection_same_path(was, &next->paths[i]))
			return &next->paths[i];
	return NULL;
}

void selection_carry_over(const struct forwarding *old, const struct forwarding *next,
			  const struct active_paths *active, struct active_paths *ret_active)
{
	struct active_paths carried = {0};

	for (size_t i = 0; i < active->count; i++) {
		const struct fwd_path *path = path_again(old, next, active->entry[i].index);

		if (!path)
			continue;
		carried.entry[carried.count] = active->entry[i];
		carried.entry[carried.count++].index = path->index;
	}
	*ret_active = carried;
}
