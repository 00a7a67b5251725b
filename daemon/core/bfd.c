/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One BFD session: RFC 5880 section 6.8 without authentication and echo, and the initiator and
 * reflector of Seamless BFD, RFC 7880.
 *
 * State changes in one function, state_set(). What follows from a change of state, of
 * our own timers or of the remote's, follows in timers_update(): which intervals are in force,
 * whether a poll sequence is due, when the next packet goes out and when silence becomes a failure.
 *
 * Timers. We advertise at once what we want, and use it at once when that can harm nobody: a
 * shorter transmit interval, a longer receive interval. A longer transmit interval and a
 * shorter receive interval wait, while up, for the remote's Final (section 6.8.3).
 * While not up we send once a second at most, but a packet that says something new is sent
 * at once (section 6.8.7). Detection time is counted from the newest valid packet, so that a
 * failure shows at most one detection time after it happened.
 *
 * An S-BFD initiator asks with the D bit set and is up as long as the reflector's answers come
 * back: its detection time is its own multiplier times its own interval. It runs no poll sequence:
 * the reflector keeps no state to agree on. It numbers its probes, and sets P on one at a time, so that the Final
 * tells the round trip, also where that is longer than the interval (VSAT). When the pace quickens,
 * the first answer at the new pace comes a round trip later: silence is counted from then. That round
 * trip is measured of what is down, too, and costs a session 16 bytes; core/path_quality.h times every
 * probe of what is up, for 2 KB, which the simulator's sessions of all sites have not.
 *
 * A path may be probed with more patience than its links, so that who repairs a link on the way has
 * the time to do it. Of the first link the head-end knows itself: when that is down nobody repairs,
 * and the patience ends (bfd_session_hasten).
 *
 * AdminDown is said at the pace that was until a detection time has passed (section 6.8.16), so that a
 * lost packet does not make a failure of what was meant; then once a second, as by all that is not up.
 *
 * Not done: echo, authentication, the passive role, demand mode of our own. A remote's demand
 * mode is honoured.
 */
#include "tuyen/core/bfd.h"

#include <assert.h>

#define TTL_SINGLE_HOP 255u
#define GRID_US	       1000u
#define NUMBERS	       256u /* of probes */

static uint32_t random_next(struct bfd_session *s)
{
	uint32_t x = s->random;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	s->random = x;
	return x;
}

/*
 * Packets go out on a grid, so that hundreds of sessions wake the processor once a millisecond and
 * not once a packet. It is a twentieth of the interval at most.
 */
static uint64_t grid_us(const struct bfd_session *s)
{
	uint64_t twentieth = s->tx_interval_us / 20;

	return twentieth > GRID_US ? GRID_US : twentieth ? twentieth : 1;
}

/* Section 6.8.7: 75 to 100 %, with a multiplier of 1 75 to 90 %; the room for the grid left out. */
static uint64_t interval_jittered(struct bfd_session *s)
{
	uint64_t spread = (uint64_t)s->tx_interval_us * (s->config.multiplier == 1 ? 15 : 25) / 100;

	spread -= grid_us(s);
	return (uint64_t)s->tx_interval_us - (uint64_t)s->tx_interval_us / 4 + grid_us(s) +
	       spread * (random_next(s) & 0xffff) / 0x10000;
}

static uint32_t desired_tx_us(const struct bfd_session *s)
{
	if (s->state == BFD_STATE_UP || s->config.interval_us > BFD_SLOW_INTERVAL_US)
		return s->config.interval_us;
	return BFD_SLOW_INTERVAL_US;
}

static bool periodic_wanted(const struct bfd_session *s)
{
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR)
		return s->state != BFD_STATE_ADMIN_DOWN;
	if (!s->remote_min_rx_us)
		return false;
	return !(s->remote_demand && s->state == BFD_STATE_UP && s->remote_state == BFD_STATE_UP) ||
	       s->poll_active;
}

static void send_schedule(struct bfd_session *s, struct monotime from, struct monotime now)
{
	s->next_send = monotime_after(from, interval_jittered(s));
	s->next_send.us -= s->next_send.us % grid_us(s);
	if (monotime_before(s->next_send, now))
		s->next_send = now;
}

static void farewell_begin(struct bfd_session *s, struct monotime now)
{
	uint64_t us = s->state == BFD_STATE_UP ? s->tx_interval_us : 0;

	s->farewell_us = us - us / 4;
	s->farewell_until = monotime_after(now, us * s->config.multiplier);
}

static void farewell_schedule(struct bfd_session *s, struct monotime now)
{
	struct monotime again = monotime_after(now, s->farewell_us);

	if (s->farewell_us && s->state == BFD_STATE_ADMIN_DOWN &&
	    !monotime_before(s->farewell_until, again))
		s->next_send = monotime_min(s->next_send, again);
}

static void poll_request(struct bfd_session *s)
{
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR || s->state == BFD_STATE_ADMIN_DOWN ||
	    !s->remote_discriminator)
		return;
	if (s->poll_active)
		s->poll_again = true;
	else
		s->poll_active = true;
}

static void poll_finish(struct bfd_session *s)
{
	if (!s->poll_active)
		return;
	s->poll_active = false;
	if (s->poll_again)
		return; /* the Final may answer the older values: the next sequence agrees on ours
			 */
	s->applied_tx_us = desired_tx_us(s);
	s->applied_rx_us = s->config.interval_us;
}

static uint64_t detection_compute(const struct bfd_session *s)
{
	uint32_t rx = s->applied_rx_us;

	if (!s->remote_multiplier)
		return 0;
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR)
		return (uint64_t)s->config.multiplier * s->tx_interval_us;
	if (s->remote_desired_tx_us > rx)
		rx = s->remote_desired_tx_us;
	return (uint64_t)s->remote_multiplier * rx;
}

static void detection_start(struct bfd_session *s, struct monotime from)
{
	if (monotime_before(from, s->answers_from))
		from = s->answers_from;
	s->detect_at = s->detection_us ? monotime_after(from, s->detection_us) : MONOTIME_NEVER;
}

static void detection_update(struct bfd_session *s)
{
	s->detection_us = detection_compute(s);
	s->put_off = false;
	detection_start(s, s->last_received);
}

static void answers_expect(struct bfd_session *s, struct monotime now)
{
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR)
		s->answers_from = monotime_after(now, s->round_trip_us);
}

/* A shorter time must not turn past silence into a failure: the remote sends at the old pace until
 * now. */
static void detection_change(struct bfd_session *s, struct monotime now)
{
	uint64_t before_us = s->detection_us;

	struct monotime before = s->detect_at;

	s->detection_us = detection_compute(s);
	if (s->detection_us > before_us) {
		detection_start(s, s->last_received);
	} else if (s->detection_us < before_us) {
		answers_expect(s, now);
		detection_start(s, now);
		s->detect_at = monotime_min(s->detect_at, before);
	}
}

static void intervals_apply(struct bfd_session *s)
{
	bool waits = s->state == BFD_STATE_UP && s->config.role == BFD_ROLE_ACTIVE &&
		     s->remote_discriminator;
	uint32_t desired = desired_tx_us(s), required = s->config.interval_us;

	if (desired < s->applied_tx_us || !waits)
		s->applied_tx_us = desired;
	if (required > s->applied_rx_us || !waits)
		s->applied_rx_us = required;
	if (desired != s->advertised_tx_us || required != s->advertised_rx_us)
		poll_request(s);
	s->advertised_tx_us = desired;
	s->advertised_rx_us = required;
}

/*
 * A neighbour may ask us to be slow: it is its own link. An answer along a path is of whoever stands
 * on the way: one that asked for hours between two probes would blind the path for as long.
 */
static uint32_t tx_interval_us(const struct bfd_session *s)
{
	uint32_t asked = s->remote_min_rx_us;

	if (s->config.role == BFD_ROLE_SBFD_INITIATOR && asked / 2 > s->applied_tx_us)
		asked = s->applied_tx_us * 2;
	return s->applied_tx_us > asked ? s->applied_tx_us : asked;
}

static void timers_update(struct bfd_session *s, struct monotime now)
{
	uint32_t before_us = s->tx_interval_us;

	intervals_apply(s);
	s->tx_interval_us = tx_interval_us(s);
	if (s->tx_interval_us != before_us && monotime_before(now, s->next_send))
		send_schedule(s, s->last_sent, now);
}

static void state_set(struct bfd_session *s, enum bfd_state state, enum bfd_diagnostic diagnostic,
		      struct monotime now)
{
	if (s->state == state)
		return;
	s->counters.up_transitions += state == BFD_STATE_UP;
	s->counters.down_transitions += s->state == BFD_STATE_UP;
	if (s->state == BFD_STATE_UP)
		s->up_until = now;
	s->state = state;
	s->diagnostic = diagnostic;
	s->by_intent = false;
	s->since = now;
	s->changed = true;
	s->next_send = now;
	if (state != BFD_STATE_UP)
		return;
	s->remote_anew = s->up_discriminator && s->up_discriminator != s->remote_discriminator;
	s->up_discriminator = s->remote_discriminator;
}

/* An initiator's Poll is under way all the same, and its Final tells how long the way has become. */
static void poll_forget(struct bfd_session *s)
{
	s->poll_again = false;
	if (s->config.role != BFD_ROLE_SBFD_INITIATOR)
		s->poll_active = false;
}

static void remote_forget(struct bfd_session *s)
{
	s->remote_state = BFD_STATE_DOWN;
	s->remote_discriminator =
	    s->config.role == BFD_ROLE_SBFD_INITIATOR ? s->config.remote_discriminator : 0;
	s->remote_min_rx_us = 1;
	s->remote_desired_tx_us = 0;
	s->remote_multiplier = 0;
	s->remote_demand = false;
	s->final_due = false;
	poll_forget(s);
	s->detection_us = 0;
	s->detect_at = MONOTIME_NEVER;
}

void bfd_session_init(struct bfd_session *s, const struct bfd_config *config, struct monotime now,
		      uint32_t random_seed)
{
	assert(config->local_discriminator && config->interval_us && config->multiplier);
	assert(config->role == BFD_ROLE_ACTIVE || config->remote_discriminator);
	*s = (struct bfd_session){
	    .config = *config,
	    .state = BFD_STATE_DOWN,
	    .random = random_seed ? random_seed : 1,
	    .since = now,
	    .last_sent = now,
	    .next_send = now,
	    .changed = true,
	};
	remote_forget(s);
	timers_update(s, now);
}

void bfd_session_configure(struct bfd_session *s, uint32_t interval_us, uint8_t multiplier,
			   struct monotime now)
{
	uint32_t before_us = s->tx_interval_us;

	assert(interval_us && multiplier);
	s->config.interval_us = interval_us;
	s->config.multiplier = multiplier;
	timers_update(s, now);
	if (s->tx_interval_us < before_us)
		answers_expect(s, now);
	detection_change(s, now);
}

void bfd_session_hasten(struct bfd_session *s, uint64_t silence_us, struct monotime now)
{
	struct monotime detect_at = monotime_after(bfd_session_silent_since(s), silence_us);

	assert(silence_us && s->config.role == BFD_ROLE_SBFD_INITIATOR);
	if (s->state != BFD_STATE_UP)
		return;
	if (monotime_before(detect_at, now))
		detect_at = now;
	s->detect_at = monotime_min(s->detect_at, detect_at);
}

void bfd_session_enable(struct bfd_session *s, bool enabled, struct monotime now)
{
	if (enabled == (s->state != BFD_STATE_ADMIN_DOWN))
		return;
	poll_forget(s);
	farewell_begin(s, now);
	if (enabled)
		state_set(s, BFD_STATE_DOWN, BFD_DIAG_NONE, now);
	else
		state_set(s, BFD_STATE_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, now);
	timers_update(s, now);
}

static enum bfd_verdict active_check(const struct bfd_session *s, const struct bfd_packet *p,
				     uint8_t ttl)
{
	if (p->your_discriminator && p->your_discriminator != s->config.local_discriminator)
		return BFD_DROP_YOUR_DISCRIMINATOR;
	if (!p->your_discriminator && p->state != BFD_STATE_DOWN &&
	    p->state != BFD_STATE_ADMIN_DOWN)
		return BFD_DROP_YOUR_DISCRIMINATOR;
	if (p->authentication)
		return BFD_DROP_AUTHENTICATION;
	if (ttl != TTL_SINGLE_HOP)
		return BFD_DROP_TTL;
	return BFD_ACCEPT;
}

static enum bfd_verdict reflected_check(const struct bfd_session *s, const struct bfd_packet *p)
{
	if (p->my_discriminator != s->config.remote_discriminator)
		return BFD_DROP_MY_DISCRIMINATOR;
	if (p->your_discriminator != s->config.local_discriminator)
		return BFD_DROP_YOUR_DISCRIMINATOR;
	if (p->authentication)
		return BFD_DROP_AUTHENTICATION;
	if (p->demand || (p->state != BFD_STATE_UP && p->state != BFD_STATE_ADMIN_DOWN))
		return BFD_DROP_NOT_REFLECTED;
	return BFD_ACCEPT;
}

static void remote_learn(struct bfd_session *s, const struct bfd_packet *p, struct monotime now)
{
	s->remote_discriminator = p->my_discriminator;
	s->remote_state = p->state;
	s->remote_demand = p->demand;
	s->remote_min_rx_us = p->required_min_rx_us;
	s->remote_desired_tx_us = p->desired_min_tx_us;
	s->remote_multiplier = p->multiplier;
	s->last_received = now;
}

static void neighbor_down(struct bfd_session *s, enum bfd_state heard, struct monotime now)
{
	state_set(s, BFD_STATE_DOWN, BFD_DIAG_NEIGHBOR_DOWN, now);
	s->by_intent = heard == BFD_STATE_ADMIN_DOWN;
}

/* The table of section 6.2, on one screen. */
static void state_machine(struct bfd_session *s, enum bfd_state heard, struct monotime now)
{
	switch (s->state) {
	case BFD_STATE_ADMIN_DOWN:
		break;
	case BFD_STATE_DOWN:
		if (heard == BFD_STATE_DOWN)
			state_set(s, BFD_STATE_INIT, s->diagnostic, now);
		else if (heard == BFD_STATE_INIT)
			state_set(s, BFD_STATE_UP, BFD_DIAG_NONE, now);
		break;
	case BFD_STATE_INIT:
		if (heard == BFD_STATE_INIT || heard == BFD_STATE_UP)
			state_set(s, BFD_STATE_UP, BFD_DIAG_NONE, now);
		else if (heard == BFD_STATE_ADMIN_DOWN)
			neighbor_down(s, heard, now);
		break;
	case BFD_STATE_UP:
		if (heard == BFD_STATE_DOWN || heard == BFD_STATE_ADMIN_DOWN)
			neighbor_down(s, heard, now);
		break;
	}
}

/* RFC 7880 section 7.1: there is no Init, an answer is enough. */
static void state_machine_initiator(struct bfd_session *s, enum bfd_state heard,
				    struct monotime now)
{
	if (heard == BFD_STATE_UP)
		state_set(s, BFD_STATE_UP, BFD_DIAG_NONE, now);
	else
		state_set(s, BFD_STATE_DOWN, BFD_DIAG_NEIGHBOR_DOWN, now);
}

static void active_receive(struct bfd_session *s, const struct bfd_packet *p, struct monotime now)
{
	bool wanted = periodic_wanted(s);

	remote_learn(s, p, now);
	if (p->final)
		poll_finish(s);
	state_machine(s, p->state, now);
	timers_update(s, now);
	detection_update(s);
	if (p->poll)
		s->final_due = true;
	if (!wanted && periodic_wanted(s) && monotime_before(s->next_send, now))
		send_schedule(s, s->last_sent, now);
}

/* A Final that came twice is no later Poll's. */
static void round_trip_take(struct bfd_session *s, const struct bfd_packet *p, struct monotime now)
{
	uint64_t us = monotime_between(s->poll_sent, now);

	if (!p->final || !s->poll_active || s->answered != s->poll_number)
		return;
	s->poll_active = false;
	s->round_trip_us = us ? (uint32_t)us : 1; /* 0 says unknown */
}

/*
 * Up by an answer that may be no Final. While not up probes are a second apart and it is of the last
 * one, or it is of one before, sent when the pace was quick: then as long as was measured.
 */
static void answers_expect_up(struct bfd_session *s, struct monotime now)
{
	uint64_t us = monotime_between(s->last_sent, now);

	s->answers_from = monotime_after(now, us > s->round_trip_us ? us : s->round_trip_us);
}

static void initiator_receive(struct bfd_session *s, const struct bfd_packet *p,
			      struct monotime now)
{
	bool was_up = s->state == BFD_STATE_UP;

	s->answered = bfd_probe_number(p);
	round_trip_take(s, p, now);
	remote_learn(s, p, now);
	state_machine_initiator(s, p->state, now);
	timers_update(s, now);
	if (!was_up)
		answers_expect_up(s, now);
	detection_update(s);
}

enum bfd_verdict bfd_session_receive(struct bfd_session *s, const struct bfd_packet *packet,
				     uint8_t ttl, struct monotime now)
{
	bool active = s->config.role == BFD_ROLE_ACTIVE;
	enum bfd_verdict verdict =
	    active ? active_check(s, packet, ttl) : reflected_check(s, packet);

	if (verdict == BFD_ACCEPT && s->state == BFD_STATE_ADMIN_DOWN)
		verdict = BFD_DROP_ADMIN_DOWN;
	if (verdict != BFD_ACCEPT) {
		s->counters.dropped++;
		return verdict;
	}
	s->counters.received++;
	if (active)
		active_receive(s, packet, now);
	else
		initiator_receive(s, packet, now);
	return BFD_ACCEPT;
}

struct monotime bfd_session_deadline(const struct bfd_session *s)
{
	if (s->final_due || s->changed)
		return (struct monotime){0};
	return periodic_wanted(s) ? monotime_min(s->next_send, s->detect_at) : s->detect_at;
}

/* Section 6.8.4, and the last of bfd.RemoteDiscr in section 6.8.1. */
static void detection_expire(struct bfd_session *s, struct monotime now)
{
	remote_forget(s);
	if (s->state == BFD_STATE_INIT || s->state == BFD_STATE_UP)
		state_set(s, BFD_STATE_DOWN, BFD_DIAG_DETECTION_EXPIRED, now);
	timers_update(s, now);
}

static uint64_t heard_interval_us(const struct bfd_session *s)
{
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR)
		return s->tx_interval_us;
	return s->detection_us / s->remote_multiplier;
}

static void detection_step(struct bfd_session *s, struct monotime now, bool starved)
{
	if (!monotime_reached(now, s->detect_at))
		return;
	if (starved && !s->put_off) {
		s->put_off = true; /* once between two packets, or a busy machine would never see a
				      failure */
		s->detect_at = monotime_after(now, heard_interval_us(s));
		return;
	}
	detection_expire(s, now);
}

uint8_t bfd_probe_number(const struct bfd_packet *packet)
{
	return packet->desired_min_tx_us % NUMBERS;
}

/* Never less than desired, nor 0, which is reserved. */
static uint32_t numbered(uint32_t desired_us, uint8_t number)
{
	return (desired_us + NUMBERS - 1) / NUMBERS * NUMBERS + number;
}

static struct bfd_packet packet_build(const struct bfd_session *s, bool final)
{
	bool initiator = s->config.role == BFD_ROLE_SBFD_INITIATOR;

	return (struct bfd_packet){
	    .diagnostic = s->diagnostic,
	    .state = s->state,
	    .poll = s->poll_active && !final,
	    .final = final,
	    .demand = initiator,
	    .multiplier = s->config.multiplier,
	    .my_discriminator = s->config.local_discriminator,
	    .your_discriminator = s->remote_discriminator,
	    .desired_min_tx_us =
		initiator ? numbered(desired_tx_us(s), s->probe) : desired_tx_us(s),
	    .required_min_rx_us = s->config.interval_us,
	};
}

struct bfd_packet bfd_session_extra(const struct bfd_session *s)
{
	struct bfd_packet p = packet_build(s, false);

	p.poll = false; /* its answer would be taken for that of the probe with its number */
	return p;
}

static bool probe_polls(struct bfd_session *s, struct monotime now)
{
	if (s->poll_active && monotime_between(s->poll_sent, now) < BFD_ROUND_TRIP_MAX_US)
		return false;
	s->poll_active = true;
	s->poll_sent = now;
	s->poll_number = s->probe;
	return true;
}

static void packet_periodic(struct bfd_session *s, struct monotime now,
			    struct bfd_packet *ret_packet)
{
	s->probe += s->config.role == BFD_ROLE_SBFD_INITIATOR;
	*ret_packet = packet_build(s, false);
	if (s->config.role == BFD_ROLE_SBFD_INITIATOR)
		ret_packet->poll = probe_polls(s, now);
	if (s->poll_again && !s->poll_active) { /* one packet without P parts two sequences */
		s->poll_again = false;
		s->poll_active = true;
	}
	s->last_sent = now;
	send_schedule(s, now, now);
	farewell_schedule(s, now);
}

struct bfd_step bfd_session_step(struct bfd_session *s, struct monotime now, bool starved)
{
	struct bfd_step step = {0};

	detection_step(s, now, starved);
	step.changed = s->changed;
	s->changed = false;
	if (s->final_due) {
		step.send = true;
		step.packet = packet_build(s, true);
		s->final_due = false;
	} else if (periodic_wanted(s) && monotime_reached(now, s->next_send)) {
		step.send = true;
		packet_periodic(s, now, &step.packet);
	}
	s->counters.sent += step.send;
	return step;
}

enum bfd_verdict bfd_reflect(const struct bfd_packet *packet, uint32_t reflector_discriminator,
			     uint32_t min_rx_us, struct bfd_packet *ret_reply)
{
	if (packet->your_discriminator != reflector_discriminator)
		return BFD_DROP_YOUR_DISCRIMINATOR;
	if (packet->authentication)
		return BFD_DROP_AUTHENTICATION;
	if (!packet->demand) /* an answer, perhaps of another reflector: it must not go round */
		return BFD_DROP_NOT_REFLECTED;
	*ret_reply = (struct bfd_packet){
	    .state = BFD_STATE_UP,
	    .final = packet->poll,
	    .multiplier = packet->multiplier,
	    .my_discriminator = packet->your_discriminator,
	    .your_discriminator = packet->my_discriminator,
	    .desired_min_tx_us = packet->desired_min_tx_us,
	    .required_min_rx_us = min_rx_us,
	};
	return BFD_ACCEPT;
}
