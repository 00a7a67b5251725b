/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One S-BFD session, run ahead alone with the daemon's own machine until its state changes. Between
 * two changes nobody looks at it, so nobody has to wait for it either.
 *
 * It is not run at all while it is up and nothing can take it down: nothing on its way fails any
 * more, no packet is lost by chance, and the longest gap between two answers is shorter than the
 * detection time.
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
	bfd_session_receive(&e->bfd, &first.packet, 255, e->now);
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
	uint64_t interval = e->bfd.tx_interval_us, slack, echo;
	const struct sim_interval *dead;

	if (s->o.packet_by_packet || s->o.wire.loss_ppm || e->bfd.state != BFD_STATE_UP ||
	    e->bfd.changed)
		return false;
	slack = sim_wire_slack(s, path);
	if (interval + slack >= interval * e->bfd.config.multiplier ||
	    s->paths[path].round_trip_us + slack >= BFD_SLOW_INTERVAL_US)
		return false;
	echo = echo_us(s, path);
	dead = sim_wire_dead_next(s, path, e->now.us > echo ? e->now.us - echo : 0);
	return !dead || dead->from_us > s->o.duration_us + slack;
}

/* What is due now: answers first. @return whether the state changed. */
static bool moment(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	struct bfd_step step;
	bool changed = false;

	while (e->flight_count && e->flight[0].arrives_us <= e->now.us)
		flight_take(e);
	do {
		step = bfd_session_step(&e->bfd, e->now, false);
		changed |= step.changed;
		if (step.send)
			probe_send(s, path, &step.packet);
	} while (step.send);
	return changed;
}

static struct monotime next_moment(const struct sim_session *e)
{
	struct monotime next = bfd_session_deadline(&e->bfd);

	if (e->flight_count)
		next = monotime_min(next, (struct monotime){e->flight[0].arrives_us});
	return monotime_before(next, e->now) ? e->now : next;
}

void sim_session_advance(struct simulation *s, uint32_t path)
{
	struct sim_session *e = &s->sessions[path];
	enum bfd_state before = e->bfd.state;

	e->next_at = MONOTIME_NEVER;
	while (!s->failed && !is_settled(s, path)) {
		struct monotime next = next_moment(e);

		if (next.us > s->o.duration_us)
			return;
		e->now = next;
		if (!moment(s, path) || e->bfd.state == before)
			continue;
		e->next_at = e->now;
		e->next_state = e->bfd.state;
		e->next_diagnostic = e->bfd.diagnostic;
		return;
	}
	e->asleep = true;
}
