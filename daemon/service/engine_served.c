/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session that begins says Down, which is no evidence: the far end may not have begun yet, WireGuard may have no key yet, a
 * packet may have been lost. Of what served until a moment ago the first two need not be waited for, and a line that was cut
 * while nobody looked is led around so much sooner.
 *
 * What served tells the kernel, which forwards on when all of the daemon is gone: a link whose peer has a key that is still good, and
 * the path that a session's route takes. Where the wire process alone ended, we know it ourselves.
 *
 * The neighbour's daemon may be away too, for both are upgraded at once, say: then its link is silent, but what passes it is not. So
 * a link of which only the kernel spoke is asked for once more.
 *
 * Where the neighbour's daemon alone begins anew, its link seems to fail and is led around, and is up again by the key that it had before:
 * a box that was started has no key any more. Then the line has never failed, need not show that it holds, and has cost nothing: damped
 * for a daemon that ends again and again, it would be led around into whatever else fails meanwhile.
 *
 * A neighbour that shuts its session down by intent forwards on, and its link is not led around. But so does a box begin that is shut down or
 * started anew, and then its kernel ends too. We go on to ask it each second: a kernel that is there answers that it has no such service, or
 * at least with a keepalive within WireGuard's KEEPALIVE_TIMEOUT, 10 s. So one from which nothing comes for longer is gone. One that is
 * heard again, its daemon still stopped, forwards as before: its line was cut for a while, and has to hold like any other.
 */
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"

#define INTENT_SILENCE_US  15000000u /* a keepalive's time, and half of it */
#define INTENT_ASKED_BYTES 512u	     /* more than a handshake and our own keepalive */

static bool has_key(const struct kernel_peer *peer, int64_t wall_s)
{
	int64_t age_s = peer ? wall_s - peer->last_handshake_s : -1;

	return age_s >= 0 && age_s < ENGINE_KEY_ENDS_S;
}

/*
 * Who watches believes that it is up; one that stays down from now on has no failure that anybody saw. Unless the wire process lived on:
 * what it says of it first tells.
 */
static void unsaid_note(struct engine *e, struct status_liveness *l)
{
	e->untold = l->untold = l->unsaid = true;
}

void engine_served_read(struct engine *e, const struct kernel_state *actual,
			const struct active_paths *use)
{
	const struct forwarding *f = &e->release.forwarding;
	int64_t wall_s = (int64_t)time(NULL);

	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct kernel_peer *peer = engine_link_peer(actual, &f->neighbors[i]);
		struct status_liveness *l = &e->links[i];

		if (!has_key(peer, wall_s))
			continue;
		l->served_us = repair_served_us(&f->neighbors[i].probe);
		l->served_in_kernel = true;
		l->served_rx_bytes = peer->rx_bytes;
		unsaid_note(e, l);
	}
	for (size_t i = 0; i < use->count; i++) {
		const struct fwd_path *p = forwarding_path(f, use->entry[i].index);

		if (!p)
			continue;
		e->paths[p - f->paths].served_us = repair_served_us(&p->probe);
		unsaid_note(e, &e->paths[p - f->paths]);
	}
}

/*
 * What served and was asked in vain until the wire process ended again is asked for the second time by this one's first packet: one that
 * ends again and again within a second would never say that a line is cut.
 */
static void served_keep(struct status_liveness *l, const struct probe_timers *probe)
{
	if (!l->known)
		return;
	if (l->last.state == BFD_STATE_UP) {
		l->served_us = repair_served_us(probe);
		l->served_in_kernel = false;
	} else if (l->served_us && l->last.diagnostic == BFD_DIAG_NONE) {
		l->served_us = repair_detection_us(probe);
	}
}

void engine_served_renew(struct status_liveness *l, const struct probe_timers *probe)
{
	served_keep(l, probe);
	l->known = false;
}

void engine_served_keep(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < f->neighbor_count; i++)
		served_keep(&e->links[i], &f->neighbors[i].probe);
	for (size_t i = 0; i < f->path_count; i++)
		served_keep(&e->paths[i], &f->paths[i].probe);
}

static bool any_up(const struct engine *e, const struct fwd_path *to)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].color == to->color &&
		    f->paths[i].endpoint_site == to->endpoint_site && e->paths[i].known &&
		    e->paths[i].last.state == BFD_STATE_UP)
			return true;
	return false;
}

bool engine_served_waits(const struct engine *e, size_t path, struct monotime now,
			 struct monotime *next_look)
{
	const struct status_liveness *l = &e->paths[path];
	struct monotime whole = monotime_after(l->since, REPAIR_NEVER_UP_US);

	if (l->last.diagnostic != BFD_DIAG_NONE || monotime_reached(now, whole) ||
	    any_up(e, &e->release.forwarding.paths[path]))
		return false;
	*next_look = monotime_min(*next_look, whole);
	return true;
}

/* Is it about to be taken for dead, and may carry all the same? */
static bool is_in_question(const struct status_liveness *l, struct monotime now)
{
	return l->known && l->served_in_kernel && l->last.state == BFD_STATE_DOWN &&
	       l->last.diagnostic == BFD_DIAG_NONE &&
	       monotime_reached(now, monotime_after(l->since, l->served_us));
}

static bool carries(const struct kernel_state *now, const struct fwd_neighbor *n,
		    const struct status_liveness *l)
{
	const struct kernel_peer *peer = now ? engine_link_peer(now, n) : NULL;

	return !peer || peer->rx_bytes != l->served_rx_bytes; /* what could not be asked, may */
}

void engine_served_look(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct monotime now = monotime_now();
	struct kernel_state *read = NULL;
	struct reason reason;
	bool asked = false;

	for (size_t i = 0; i < f->neighbor_count; i++) {
		struct status_liveness *l = &e->links[i];

		if (!is_in_question(l, now))
			continue;
		if (!asked && kernel_read_silent(e->kernel, e->actual, &read, &reason) < 0)
			read = NULL;
		asked = true;
		l->served_in_kernel = false;
		if (carries(read, &f->neighbors[i], l))
			l->served_us = 0;
	}
	kernel_state_free(read);
}

static bool has_forwarded_on(const struct engine *e, size_t index)
{
	const struct status_liveness *l = &e->links[index];
	const struct kernel_peer *peer;

	if (e->repaired[index] != REPAIR_LINK_HELD || l->forwarded_on || !l->last.anew ||
	    !l->failed_s || monotime_before(e->actual_at, l->since))
		return false;
	peer = engine_link_peer(e->actual, &e->release.forwarding.neighbors[index]);
	return peer && peer->last_handshake_s && peer->last_handshake_s < l->failed_s;
}

static bool intent_step(struct status_liveness *l, const struct kernel_peer *peer,
			struct monotime read_at)
{
	struct status_intent *i = &l->intent;
	bool was = i->silent;

	if (!l->known || !l->last.by_intent || !peer) {
		*i = (struct status_intent){.silent = false};
		return false;
	}
	if (!i->heard.us || peer->rx_bytes != i->rx_bytes)
		*i = (struct status_intent){.heard = read_at,
					    .rx_bytes = peer->rx_bytes,
					    .tx_bytes = peer->tx_bytes,
					    .back = was ? read_at : i->back};
	i->silent = monotime_between(i->heard, read_at) >= INTENT_SILENCE_US &&
		    peer->tx_bytes >= i->tx_bytes + INTENT_ASKED_BYTES;
	return i->silent != was;
}

bool engine_intent_look(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	bool any = false;

	for (size_t i = 0; i < f->neighbor_count; i++)
		any |= intent_step(&e->links[i], engine_link_peer(e->actual, &f->neighbors[i]),
				   e->actual_at);
	return any;
}

bool engine_served_again(struct engine *e)
{
	bool any = false;

	for (size_t i = 0; e->repaired && i < e->release.forwarding.neighbor_count; i++)
		if (has_forwarded_on(e, i)) {
			any = e->links[i].forwarded_on = true;
			e->links[i].damping = e->links[i].damping_before;
		}
	return any;
}
