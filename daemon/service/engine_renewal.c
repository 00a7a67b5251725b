/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of endpoints that are silent, and whose counters stand still, are made anew, each site at a moment of its own: see
 * core/renewal.h. What is removed here, the same turn's plan adds again, and the kernel calls a new peer at once.
 *
 * An endpoint that is heard again is not used instead of another before its session has a key: WireGuard may not have tried for
 * five seconds. It is asked to try, and its paths are unknown until then.
 *
 * Who calls us and is not heard any more may be refused: core/call_back.h.
 *
 * A box that stood still (suspended, a virtual machine that was paused, or stopped) finds links and sessions whose keys have ended.
 * WireGuard calls each of them five seconds after its last call. So links are made anew at once, and a session as soon as a path of its is
 * heard again: a call before that may be lost, and there would be no other for five seconds.
 *
 * A session whose path answers may be dead all the same: of a key that the other end does not have, say. Another gateway is used then.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/renewal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define CALLS_MAX   64u /* in one look: of a country that is cut off the rest has to wait */
#define LOOK_US	    200000u
#define STANDING_US 60000000u /* then all who are reached have been heard */
#define MOVED_US    1000000u  /* what comes from where a neighbour is moves it back at once */
#define LOOK_FOR_US 10000000u /* then the periodic turn will do */

/* Of one endpoint of ours. */
struct reach {
	bool any, silent, keyless;
	struct monotime renewed_for;
	struct renewal renewal;
	struct monotime since; /* silent: the end of its last path; else the return of its first */
};

static bool leads_to(const struct fwd_path *path, const struct fwd_session_peer *peer)
{
	return path->color == peer->color && path->endpoint_site == peer->site_id;
}

static struct reach reach_of(const struct engine *e, const struct fwd_session_peer *peer,
			     struct monotime now)
{
	const struct forwarding *f = &e->release.forwarding;
	struct reach r = {.silent = true, .since = {0}};
	struct monotime back = MONOTIME_NEVER, look;

	for (size_t i = 0; i < f->path_count; i++) {
		const struct status_liveness *l = &e->paths[i];

		if (!leads_to(&f->paths[i], peer))
			continue;
		r.any = true;
		r.keyless |= l->keyless;
		r.renewed_for = l->renewed_for;
		r.renewal = l->renewal;
		if (engine_path_liveness(l, now, &look) != PATH_DOWN)
			r.silent = false;
		if (l->known && l->last.state == BFD_STATE_UP)
			back = monotime_min(back, l->since);
		if (monotime_before(r.since, l->since))
			r.since = l->since;
	}
	if (!r.silent)
		r.since = back;
	return r;
}

static void reach_set(struct engine *e, const struct fwd_session_peer *peer, const struct reach *r)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < f->path_count; i++)
		if (leads_to(&f->paths[i], peer)) {
			e->paths[i].keyless = r->keyless;
			e->paths[i].renewed_for = r->renewed_for;
			e->paths[i].renewal = r->renewal;
		}
}

/* As the kernel had it at that reading; NULL: not at all. */
static const struct kernel_peer *key_find(const struct kernel_state *state, const uint8_t *key_of,
					  const char *device)
{
	struct kernel_peer key = {0};

	strcpy(key.device, device);
	memcpy(key.public_key, key_of, WG_KEY_LEN);
	return state && state->peer_count ? bsearch(&key, state->peers, state->peer_count,
						    sizeof(key), kernel_peer_compare)
					  : NULL;
}

static const struct kernel_peer *peer_find(const struct kernel_state *state,
					   const struct fwd_session_peer *peer, const char *device)
{
	return key_find(state, peer->session_key, device);
}

static void renew(struct engine *e, const struct fwd_session_peer *peer, const char *device,
		  struct reach *r)
{
	if (kernel_peer_forget(e->kernel, device, peer->session_key) < 0)
		return; /* the next turn tries again */
	log_info("%s: no path to %s is heard: its session is made anew", device, peer->name);
	r->keyless = true;
	r->renewed_for = r->since;
	reach_set(e, peer, r);
	engine_expect(e, EXPECTED_MOVES);
}

static void silence_step(struct engine *e, const struct fwd_session_peer *peer, const char *device,
			 const struct kernel_peer *found, struct reach *r,
			 struct monotime *next_look)
{
	renewal_read(&r->renewal, r->since, found ? found->rx_bytes : 0, e->actual_at);
	reach_set(e, peer, r);
	if (renewal_due(&r->renewal, e->release.forwarding.site_id, next_look))
		renew(e, peer, device, r);
}

/* When the handshake of @handshake_s was first read, by any path of the peer's; now, if by none. */
static struct monotime handshake_seen(const struct engine *e, const struct fwd_session_peer *peer,
				      int64_t handshake_s)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < f->path_count; i++)
		if (leads_to(&f->paths[i], peer) && e->paths[i].handshake_seen.us &&
		    e->paths[i].handshake_s == handshake_s)
			return e->paths[i].handshake_seen;
	return e->actual_at;
}

/* One that lives again is gone back to after the hold time. */
static void session_watch(struct engine *e, const struct fwd_session_peer *peer,
			  const struct kernel_peer *found, struct monotime now)
{
	const struct forwarding *f = &e->release.forwarding;
	struct monotime seen = found ? handshake_seen(e, peer, found->last_handshake_s) : now;
	bool was = false, dead = false;

	for (size_t i = 0; found && i < f->path_count; i++) {
		struct status_liveness *l = &e->paths[i];

		if (!leads_to(&f->paths[i], peer))
			continue;
		l->handshake_seen = seen;
		l->handshake_s = found->last_handshake_s;
		was |= l->session_dead;
		dead = renewal_session_dead(seen, e->actual_at);
		if (l->session_dead && !dead)
			l->better_since = now;
		l->session_dead = dead;
	}
	if (dead == was)
		return;
	log_warning("%s: the session with %s %s", found->device, peer->name,
		    dead ? "is dead: no handshake for four minutes" : "lives again");
	engine_expect(e, EXPECTED_MOVES);
}

/* Its key has ended. One that never had any is being called. */
static bool has_ended(const struct kernel_peer *peer, int64_t wall_s)
{
	return peer && peer->last_handshake_s &&
	       wall_s - peer->last_handshake_s >= ENGINE_KEY_ENDS_S;
}

/* Since the box stood still: has a path been heard that was not before, and was the session read? */
static bool is_heard_after_standing(const struct engine *e, const struct fwd_session_peer *peer,
				    struct monotime now)
{
	const struct forwarding *f = &e->release.forwarding;

	if (!e->stood_still_at.us || monotime_between(e->stood_still_at, now) > STANDING_US ||
	    monotime_before(e->actual_at, e->stood_still_at))
		return false;
	for (size_t i = 0; i < f->path_count; i++)
		if (leads_to(&f->paths[i], peer) && e->paths[i].known &&
		    e->paths[i].last.state == BFD_STATE_UP &&
		    !monotime_before(e->paths[i].since, e->stood_still_at))
			return true;
	return false;
}

static void session_renew_if_ended(struct engine *e, const struct fwd_session_peer *peer,
				   const char *device, const struct kernel_peer *found,
				   struct monotime now)
{
	if (!has_ended(found, (int64_t)time(NULL)) || !is_heard_after_standing(e, peer, now) ||
	    kernel_peer_forget(e->kernel, device, peer->session_key) < 0)
		return;
	log_info("%s: the session with %s has ended: it is made anew", device, peer->name);
	engine_expect(e, EXPECTED_MOVES);
}

static void peer_step(struct engine *e, const struct fwd_session_peer *peer, struct monotime now,
		      struct monotime *next_look)
{
	struct reach r = reach_of(e, peer, now);
	const struct kernel_peer *found;
	char device[KERNEL_IFNAME_MAX];

	if (!r.any)
		return;
	desired_session_name(peer->color, forwarding_peer_slot(&e->release.forwarding, peer),
			     device);
	found = peer_find(e->actual, peer, device);
	session_watch(e, peer, found, now);
	session_renew_if_ended(e, peer, device, found, now);
	if (!r.silent && !r.keyless)
		return;
	if (r.keyless && found && found->last_handshake_s) {
		r.keyless = false;
		reach_set(e, peer, &r);
		engine_expect(e, EXPECTED_MOVES);
	} else if (r.silent && r.renewed_for.us != r.since.us) {
		silence_step(e, peer, device, found, &r, next_look);
	} else if (!r.silent && monotime_between(r.since, now) < LOOK_FOR_US) {
		kernel_session_poke(e->kernel, device);
		*next_look = monotime_min(*next_look, monotime_after(now, LOOK_US));
	}
}

void engine_renewals_step(struct engine *e, struct monotime *next_look)
{
	const struct forwarding *f = &e->release.forwarding;
	struct monotime now = monotime_now();

	for (size_t i = 0; f->path_count && i < f->peer_count; i++)
		if (f->peers[i].caller)
			peer_step(e, &f->peers[i], now, next_look);
}

void engine_call_back(struct engine *e, const struct kernel_state *state, struct monotime read_at)
{
	const struct forwarding *f = &e->release.forwarding;
	unsigned int calls = 0;

	for (size_t i = 0; i < f->peer_count; i++) {
		const struct fwd_session_peer *peer = &f->peers[i];
		const struct kernel_peer *found;
		struct call_back_reading read;
		char device[KERNEL_IFNAME_MAX];

		if (peer->caller)
			continue;
		desired_session_name(peer->color, forwarding_peer_slot(f, peer), device);
		found = peer_find(state, peer, device);
		if (!found || !found->endpoint.family)
			continue;
		read = (struct call_back_reading){found->rx_bytes, found->tx_bytes,
						  found->last_handshake_s, read_at};
		if (!call_back_due(&e->call_backs[i], &read, calls < CALLS_MAX))
			continue;
		calls++;
		kernel_peer_renew(e->kernel, found);
	}
}

/*
 * Of two parallel links a turned handshake may have moved one to the other's port (core/desired_nft.c), or wherever a carrier
 * likes. What a neighbour said later counts for more; if it says nothing, the place that the topology has for it is right.
 */
void engine_links_recall(struct engine *e, const struct kernel_state *state,
			 struct monotime read_at)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; f->parallel_address && i < f->neighbor_count; i++) {
		const struct fwd_neighbor *n = &f->neighbors[i];
		const char *device = desired_link_device(n->site_id);
		const struct status_liveness *l = &e->links[i];
		const struct kernel_peer *found = key_find(state, n->link_key, device);

		if (!n->caller || !found || ip_endpoint_equal(&found->endpoint, &n->endpoint) ||
		    !l->known || l->last.state == BFD_STATE_UP ||
		    monotime_between(l->since, read_at) < MOVED_US ||
		    kernel_peer_forget(e->kernel, device, n->link_key) < 0)
			continue;
		log_warning(
		    "%s: %s is not heard from where it is now taken to be: it is called where the release has it",
		    device, n->name);
		engine_dirty(e, EXPECTED_ALL);
	}
}

/* What was read before says nothing of what has ended; who sent and heard meanwhile has keys. */
void engine_stood_still(struct engine *e, uint64_t us)
{
	const struct forwarding *f = &e->release.forwarding;
	int64_t wall_s = (int64_t)time(NULL);
	struct kernel_state *now = NULL;
	struct reason reason;
	size_t renewed = 0;

	if (!e->taken_over || !e->actual || !e->release.status.have ||
	    kernel_read_silent(e->kernel, e->actual, &now, &reason) < 0)
		return;
	/* the kernel itself calls the rest, five seconds after its last call */
	for (size_t i = 0; i < f->neighbor_count && renewed < CALLS_MAX; i++) {
		const struct fwd_neighbor *n = &f->neighbors[i];
		const char *device = desired_link_device(n->site_id);

		if (n->caller && has_ended(key_find(now, n->link_key, device), wall_s))
			renewed += kernel_peer_forget(e->kernel, device, n->link_key) == 0;
	}
	kernel_state_free(now);
	log_warning(
	    "this box stood still for %u s: %zu links have ended and are made anew; sessions follow",
	    (unsigned int)(us / 1000000), renewed);
	e->stood_still_at = monotime_now();
	engine_dirty(e, EXPECTED_ALL); /* which adds them again, and the kernel calls a new peer */
}
