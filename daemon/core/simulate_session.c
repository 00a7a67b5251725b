/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One S-BFD session, run ahead alone with the daemon's own machine until its state changes. Between
 * two changes nobody looks at it, so nobody has to wait for it either.
 *
 * It is not run at all while it is up and nothing can take it down: nothing on its way fails any
 * more, no packet is lost by chance, and the longest gap between two answers is shorter than the
 * detection time.
 *
 * A session in doubt, silent for what its links would bear, waits for a repair until its site finds that no path to the
 * endpoint answers (endpoint_is_gone() of the wire process): then it was run ahead in vain, and is run anew from a mark.
 */
#include "simulate_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sim_session_start(struct simulation *s, uint32_t path)
{
	const struct fwd_path *f = sim_path_forwarding(s, path);
	uint32_t site_id = s->sites[s->paths[path].site].f.site_id;
	struct sim_session *e = &s->sessions[path];
	const struct bfd_config config = {
	    .role = BFD_ROLE_SBFD_INITIATOR,
	    .local_discriminator = f->index,
	    .remote_discriminator = f->reflector,
	    .interval_us = f->probe.interval_us,
	    .multiplier = f->probe.multiplier,
	};

	*e = (struct sim_session){
	    .now = simulate_site_start(s->o.seed, site_id),
	    .flight = e->flight,
	    .flight_capacity = e->flight_capacity,
	    .mark = e->mark,
	    .state = BFD_STATE_DOWN,
	};
	e->since = e->now;
	bfd_session_init(&e->bfd, &config, e->now,
			 simulate_session_seed(s->o.seed, site_id, f->index));
}

/* Answers that overtake each other stand in the order of their arrival; equal ones as they were
 * sent. */
static void flight_add(struct simulation *s, struct sim_session *e, uint64_t arrives_us,
		       const struct bfd_packet *packet)
{
	size_t capacity = e->flight_capacity;
	uint32_t at = e->flight_count;

	if (!sim_reserve(s, &e->flight, &capacity, e->flight_count + 1u, sizeof(*e->flight)))
		return;
	e->flight_capacity = (uint32_t)capacity;
	for (e->flight_count++; at && e->flight[at - 1].arrives_us > arrives_us; at--)
		e->flight[at] = e->flight[at - 1];
	e->flight[at] = (struct sim_flight){arrives_us, *packet};
}

static void flight_take(struct sim_session *e)
{
	struct sim_flight first = e->flight[0];

	e->flight_count--;
	memmove(e->flight, e->flight + 1, e->flight_count * sizeof(*e->flight));
	if (bfd_session_receive(&e->bfd, &first.packet, 255, e->now) == BFD_ACCEPT)
		e->quiet = false;
}

static void probe_send(struct simulation *s, uint32_t path, const struct bfd_packet *packet)
{
	struct sim_session *e = &s->sessions[path];
	struct bfd_packet reply;
	uint64_t arrives_us;

	s->result->probes_run++;
	if (!sim_wire_probe(s, path, e->now.us, e->bfd.counters.sent, &arrives_us))
		return;
	if (bfd_reflect(packet, sim_path_forwarding(s, path)->reflector, 1000, &reply) ==
	    BFD_ACCEPT)
		flight_add(s, e, arrives_us, &reply);
}

/* A failure that is over may still be found for so long: nothing was heard for a detection time. */
static uint64_t echo_us(const struct simulation *s, uint32_t path)
{
	const struct bfd_session *b = &s->sessions[path].bfd;

	return s->paths[path].round_trip_us + sim_wire_slack(s, path) +
	       (uint64_t)b->tx_interval_us * b->config.multiplier;
}

static bool is_settled(const struct simulation *s, uint32_t path)
{
	const struct sim_session *e = &s->sessions[path];
	const struct sim_path *p = &s->paths[path];
	uint64_t interval = e->bfd.tx_interval_us, slack, echo;
	bool heard;
	uint64_t silence = p->base_us ? p->base_us : interval * e->bfd.config.multiplier;

	if (s->o.packet_by_packet || s->o.wire.loss_ppm || e->bfd.state != BFD_STATE_UP ||
	    e->bfd.changed || e->quiet)
		return false;
	slack = sim_wire_slack(s, path);
	if (interval + slack >= silence || p->round_trip_us + slack >= BFD_SLOW_INTERVAL_US)
		return false;
	echo = echo_us(s, path);
	return !sim_wire_trouble(s, path, e->now.us > echo ? e->now.us - echo : 0) &&
	       (!p->hasty_us ||
		sim_link_down_next(s, p->first_end, e->now.us, &heard) == UINT64_MAX);
}

static struct monotime quiet_at(const struct simulation *s, uint32_t path)
{
	const struct sim_session *e = &s->sessions[path];

	if (!s->paths[path].base_us || e->quiet || e->bfd.state != BFD_STATE_UP)
		return MONOTIME_NEVER;
	return monotime_after(bfd_session_silent_since(&e->bfd), s->paths[path].base_us);
}

/* The link that it leaves by goes down, and nobody repairs that. */
static struct monotime haste_at(const struct simulation *s, uint32_t path, uint64_t after_us,
				bool *ret_heard)
{
	const struct sim_path *p = &s->paths[path];

	return p->hasty_us
		   ? (struct monotime){sim_link_down_next(s, p->first_end, after_us, ret_heard)}
		   : MONOTIME_NEVER;
}

/* As the wire process: of a neighbour that says so, the answer to one probe more is waited for. */
static void haste(const struct simulation *s, uint32_t path, bool heard)
{
	struct sim_session *e = &s->sessions[path];
	uint64_t silence_us = s->paths[path].hasty_us + (heard ? e->bfd.tx_interval_us : 0);

	bfd_session_hasten(&e->bfd, silence_us, e->now);
}

/* What is due now: answers first. */
static void moment(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	struct bfd_step step;
	bool heard;

	while (e->flight_count && e->flight[0].arrives_us <= e->now.us)
		flight_take(e);
	if (e->now.us && haste_at(s, path, e->now.us - 1, &heard).us == e->now.us)
		haste(s, path, heard);
	if (monotime_reached(e->now, quiet_at(s, path)))
		e->quiet = true;
	do {
		step = bfd_session_step(&e->bfd, e->now, false);
		if (step.send)
			probe_send(s, path, &step.packet);
	} while (step.send);
}

static struct monotime next_moment(const struct simulation *s, uint32_t path)
{
	const struct sim_session *e = &s->sessions[path];
	struct monotime next = monotime_min(bfd_session_deadline(&e->bfd), quiet_at(s, path));
	bool heard;

	next = monotime_min(next, haste_at(s, path, e->now.us, &heard));
	if (e->flight_count)
		next = monotime_min(next, (struct monotime){e->flight[0].arrives_us});
	return monotime_before(next, e->now) ? e->now : next;
}

void sim_session_advance(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	enum bfd_state before = e->bfd.state;
	bool quiet = e->quiet;

	e->next_at = MONOTIME_NEVER;
	e->asleep = false;
	while (!s->failed && !is_settled(s, path)) {
		struct monotime next = next_moment(s, path);

		if (next.us > s->o.duration_us)
			return;
		e->now = next;
		moment(s, path);
		if (e->bfd.state == before && e->quiet == quiet)
			continue;
		e->next_at = e->now;
		e->next_state = e->bfd.state;
		e->next_diagnostic = e->bfd.diagnostic;
		e->next_doubted = e->quiet;
		return;
	}
	e->asleep = true;
}

void sim_session_mark(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	struct sim_mark *mark =
	    realloc(e->mark, sizeof(*mark) + e->flight_count * sizeof(mark->flight[0]));

	if (!mark) {
		s->failed = true;
		return;
	}
	e->mark = mark;
	mark->bfd = e->bfd;
	mark->now = e->now;
	mark->flight_count = e->flight_count;
	if (e->flight_count)
		memcpy(mark->flight, e->flight, e->flight_count * sizeof(mark->flight[0]));
}

void sim_session_give_up(struct simulation *s, uint32_t path, struct monotime now)
{
	struct sim_session *e = &s->sessions[path];
	const struct sim_mark *mark = e->mark;

	assert(mark && mark->flight_count <= e->flight_capacity);
	e->bfd = mark->bfd;
	e->now = mark->now;
	e->quiet = true;
	e->flight_count = mark->flight_count;
	if (mark->flight_count)
		memcpy(e->flight, mark->flight, mark->flight_count * sizeof(mark->flight[0]));
	for (struct monotime next; (next = next_moment(s, path)).us < now.us;) {
		e->now = next;
		moment(s, path);
	}
	e->now = now;
	bfd_session_hasten(&e->bfd, s->paths[path].base_us, now);
}
