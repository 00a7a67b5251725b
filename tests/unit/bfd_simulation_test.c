/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/bfd.c daemon/core/bfd_packet.c daemon/base/wire.c
/*
 * Two ends and a bad line between them, on a virtual clock. Each end has a clock of its own, with an offset and a
 * drift; the line delays, loses and reorders. The question in each scenario: is the failure seen in time, and is nothing seen
 * that was not there?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/bfd.h"

#define FLIGHT_MAX 256
#define SECOND	   1000000ull

struct flight {
	uint64_t arrives_us; /* true time */
	int to;
	uint8_t bytes[BFD_PACKET_BYTES];
	bool used;
};

struct end {
	struct bfd_session session;
	bool reflects;	    /* no session: the reflector */
	uint64_t offset_us; /* of its clock */
	int64_t drift_ppm;
	uint64_t down_at_us; /* true time of the newest change to Down; 0 never */
	uint64_t up_at_us;
	uint32_t downs;
};

struct line {
	uint64_t delay_us, jitter_us;
	uint32_t loss_percent;
	bool cut[2]; /* towards end 0, 1 */
};

struct world {
	uint64_t now_us;
	uint64_t last_arrival_us[2];
	uint64_t next_arrival_us; /* not later than any in flight */
	struct end end[2];
	struct line line;
	struct flight flight[FLIGHT_MAX];
	uint64_t random;
	uint64_t again_us; /* the next Final arrives twice, so far apart; 0 once */
};

static uint32_t chance(struct world *w, uint32_t below)
{
	w->random = w->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->random >> 33) % below;
}

static struct monotime local_time(const struct end *e, uint64_t true_us)
{
	int64_t drift = (int64_t)true_us / 1000000 * e->drift_ppm +
			(int64_t)(true_us % 1000000) * e->drift_ppm / 1000000;

	return (struct monotime){e->offset_us + (uint64_t)((int64_t)true_us + drift)};
}

static void flight_begin(struct world *w, int to, const struct bfd_packet *p, uint64_t arrives_us)
{
	for (int i = 0; i < FLIGHT_MAX; i++) {
		struct flight *f = &w->flight[i];

		if (f->used)
			continue;
		*f = (struct flight){.arrives_us = arrives_us, .to = to, .used = true};
		bfd_packet_encode(p, f->bytes);
		if (arrives_us < w->next_arrival_us)
			w->next_arrival_us = arrives_us;
		return;
	}
	fail_msg("more than %d packets in flight", FLIGHT_MAX);
}

static void line_send(struct world *w, int to, const struct bfd_packet *p)
{
	uint64_t arrives_us = w->now_us + w->line.delay_us;

	if (w->line.cut[to] || chance(w, 100) < w->line.loss_percent)
		return;
	if (w->line.jitter_us)
		arrives_us += chance(w, (uint32_t)w->line.jitter_us);
	flight_begin(w, to, p, arrives_us);
	if (!p->final || !w->again_us)
		return;
	flight_begin(w, to, p, arrives_us + w->again_us);
	w->again_us = 0;
}

static void end_settle(struct world *w, int at)
{
	struct end *e = &w->end[at];
	struct bfd_step step;

	do {
		step = bfd_session_step(&e->session, local_time(e, w->now_us), false);
		if (step.changed && e->session.state == BFD_STATE_DOWN && e->up_at_us) {
			e->down_at_us = w->now_us;
			e->downs++;
		}
		if (step.changed && e->session.state == BFD_STATE_UP)
			e->up_at_us = w->now_us;
		if (step.send)
			line_send(w, 1 - at, &step.packet);
	} while (step.send);
}

static void arrive(struct world *w, struct flight *f)
{
	struct end *e = &w->end[f->to];
	struct bfd_packet p, reply;

	f->used = false;
	if (w->line.cut[f->to] || bfd_packet_decode(f->bytes, sizeof(f->bytes), &p) != BFD_ACCEPT)
		return;
	w->last_arrival_us[f->to] = w->now_us;
	if (e->reflects) {
		if (bfd_reflect(&p, 77, 1000, &reply) == BFD_ACCEPT)
			line_send(w, 1 - f->to, &reply);
		return;
	}
	bfd_session_receive(&e->session, &p, 255, local_time(e, w->now_us));
	end_settle(w, f->to);
}

static void arrivals(struct world *w)
{
	if (w->now_us < w->next_arrival_us)
		return;
	w->next_arrival_us = UINT64_MAX;
	for (int i = 0; i < FLIGHT_MAX; i++) {
		struct flight *f = &w->flight[i];

		if (f->used && f->arrives_us <= w->now_us)
			arrive(w, f);
	}
	for (int i = 0; i < FLIGHT_MAX; i++)
		if (w->flight[i].used && w->flight[i].arrives_us < w->next_arrival_us)
			w->next_arrival_us = w->flight[i].arrives_us;
}

/* A tick of 100 us is finer than any interval here. */
static void run(struct world *w, uint64_t us)
{
	uint64_t end_us = w->now_us + us;

	for (; w->now_us < end_us; w->now_us += 100) {
		arrivals(w);
		for (int at = 0; at < 2; at++)
			if (!w->end[at].reflects &&
			    monotime_reached(local_time(&w->end[at], w->now_us),
					     bfd_session_deadline(&w->end[at].session)))
				end_settle(w, at);
	}
}

static void end_start(struct world *w, int at, uint32_t interval_us, uint8_t multiplier)
{
	const struct bfd_config config = {
	    .role = w->end[1 - at].reflects ? BFD_ROLE_SBFD_INITIATOR : BFD_ROLE_ACTIVE,
	    .local_discriminator = chance(w, 1000000) + 1,
	    .remote_discriminator = w->end[1 - at].reflects ? 77 : 0,
	    .interval_us = interval_us,
	    .multiplier = multiplier,
	};

	bfd_session_init(&w->end[at].session, &config, local_time(&w->end[at], w->now_us),
			 chance(w, 1u << 30) + 1);
	end_settle(w, at);
}

static void world_init(struct world *w, uint64_t seed, const struct line *line)
{
	*w = (struct world){.random = seed, .line = *line};
	w->end[1].offset_us = 3600 * SECOND;
	w->end[1].drift_ppm = 200;
	w->end[0].drift_ppm = -200;
	for (int i = 0; i < 10; i++)
		chance(w, 2);
}

static const struct scenario {
	const char *name;
	struct line line;
	uint32_t interval_us[2];
	uint8_t multiplier[2];
} scenarios[] = {
    {"fibre", {2000, 200, 0, {0}}, {50000, 50000}, {3, 3}},
    {"10 ms", {500, 100, 0, {0}}, {10000, 10000}, {3, 3}},
    {"lte with jitter that reorders", {40000, 60000, 0, {0}}, {50000, 50000}, {4, 4}},
    {"vsat", {300000, 50000, 0, {0}}, {1000000, 1000000}, {3, 3}},
    {"delay beyond the detection time", {300000, 0, 0, {0}}, {50000, 50000}, {3, 3}},
    {"unlike timers", {2000, 0, 0, {0}}, {50000, 300000}, {5, 3}},
    {"multiplier 1", {2000, 100, 0, {0}}, {100000, 100000}, {1, 1}},
    {"20 % lost", {2000, 200, 20, {0}}, {50000, 50000}, {10, 10}},
};
#define SCENARIO_COUNT (sizeof(scenarios) / sizeof(scenarios[0]))

static void scenario_start(struct world *w, const struct scenario *s, uint64_t seed, bool reflector)
{
	world_init(w, seed, &s->line);
	w->end[1].reflects = reflector;
	end_start(w, 0, s->interval_us[0], s->multiplier[0]);
	if (!reflector)
		end_start(w, 1, s->interval_us[1], s->multiplier[1]);
	run(w, 15 * SECOND);
	assert_int_equal(w->end[0].session.state, BFD_STATE_UP);
	assert_true(reflector || w->end[1].session.state == BFD_STATE_UP);
}

static void nothing_is_seen_that_is_not_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		for (int reflector = 0; reflector < 2; reflector++) {
			struct world w;

			scenario_start(&w, &scenarios[i], 7 + i, reflector);
			run(&w, 60 * SECOND);
			if (w.end[0].downs || w.end[1].downs)
				fail_msg("%s: %u and %u false downs", scenarios[i].name,
					 w.end[0].downs, w.end[1].downs);
			if (reflector)
				assert_in_range(
				    w.end[0].session.round_trip_us,
				    2 * scenarios[i].line.delay_us - 1000,
				    2 * (scenarios[i].line.delay_us + scenarios[i].line.jitter_us) +
					1000);
			else
				assert_false(w.end[0].session.poll_active);
		}
}

/* Detection time is counted from the newest packet: at most that long after the cut, and not a moment before. */
static void cut_check(const struct world *w, int at, uint64_t cut_us, const char *name)
{
	const struct end *e = &w->end[at];
	uint64_t detection_us =
	    (uint64_t)w->end[1 - at].session.config.multiplier *
	    (w->end[0].session.config.interval_us > w->end[1].session.config.interval_us
		 ? w->end[0].session.config.interval_us
		 : w->end[1].session.config.interval_us);
	uint64_t waited_us = e->down_at_us - w->last_arrival_us[at];

	if (e->downs != 1 || waited_us > detection_us + detection_us / 1000 + 200 ||
	    waited_us + detection_us / 1000 + 200 < detection_us ||
	    e->down_at_us - cut_us > detection_us + detection_us / 1000 + 200)
		fail_msg("%s, end %d: %u downs, %llu us after the last packet, %llu after the cut",
			 name, at, e->downs, (unsigned long long)waited_us,
			 (unsigned long long)(e->down_at_us - cut_us));
}

static void a_cut_is_seen_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENARIO_COUNT; i++)
		for (uint64_t seed = 0; seed < 5; seed++) {
			struct world w;
			uint64_t cut_us;

			scenario_start(&w, &scenarios[i], seed * 100 + i, false);
			run(&w, chance(&w, 300000));
			w.line.cut[0] = w.line.cut[1] = true;
			cut_us = w.now_us;
			run(&w, 12 * SECOND);
			cut_check(&w, 0, cut_us, scenarios[i].name);
			cut_check(&w, 1, cut_us, scenarios[i].name);
			w.line.cut[0] = w.line.cut[1] = false;
			run(&w, 15 * SECOND);
			assert_int_equal(w.end[0].session.state, BFD_STATE_UP);
			assert_int_equal(w.end[1].session.state, BFD_STATE_UP);
		}
}

static void a_cut_path_is_seen_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < SCENARIO_COUNT; i++) {
		struct world w;
		uint64_t cut_us, detection_us;

		scenario_start(&w, &scenarios[i], 40 + i, true);
		detection_us = w.end[0].session.detection_us;
		assert_int_equal(detection_us, (uint64_t)scenarios[i].interval_us[0] *
						   scenarios[i].multiplier[0]);
		w.line.cut[(i + 1) % 2] = true; /* one way is enough */
		cut_us = w.now_us;
		run(&w, 10 * SECOND);
		assert_int_equal(w.end[0].downs, 1);
		if (w.end[0].down_at_us - cut_us > detection_us + 2 * scenarios[i].line.delay_us +
						       2 * scenarios[i].line.jitter_us + 1000)
			fail_msg("%s: %llu us", scenarios[i].name,
				 (unsigned long long)(w.end[0].down_at_us - cut_us));
		w.line.cut[0] = w.line.cut[1] = false;
		run(&w, 10 * SECOND);
		assert_int_equal(w.end[0].session.state, BFD_STATE_UP);
	}
}

/* Loss in one direction is Down at both ends: one by silence, the other because it is told. */
static void a_cut_one_way_is_seen_at_both_ends(void **state)
{
	struct world w;

	(void)state;
	scenario_start(&w, &scenarios[0], 3, false);
	w.line.cut[1] = true;
	run(&w, 160000);
	assert_int_equal(w.end[0].session.state, BFD_STATE_DOWN);
	assert_int_equal(w.end[0].session.diagnostic, BFD_DIAG_NEIGHBOR_DOWN);
	assert_int_equal(w.end[1].session.state, BFD_STATE_DOWN);
	assert_int_equal(w.end[1].session.diagnostic, BFD_DIAG_DETECTION_EXPIRED);
	assert_in_range(w.end[0].down_at_us - w.end[1].down_at_us, 2000, 2400);
}

/* Both ends change their timers again and again, on a line that loses: agreed in the end, and never a flap. */
static void timers_change_without_a_flap(void **state)
{
	static const uint32_t intervals_us[] = {50000, 300000, 20000, 1000000, 10000, 100000};
	struct line bad = {5000, 10000, 10, {0}};

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct world w;

		world_init(&w, seed, &bad);
		end_start(&w, 0, 50000, 12);
		end_start(&w, 1, 50000, 12);
		run(&w, 10 * SECOND);
		for (int turn = 0; turn < 12; turn++) {
			int at = turn % 2;
			uint32_t interval_us = intervals_us[chance(&w, 6)];

			bfd_session_configure(&w.end[at].session, interval_us, 12,
					      local_time(&w.end[at], w.now_us));
			end_settle(&w, at);
			run(&w, chance(&w, 5) * SECOND / 2 + 1000);
		}
		bfd_session_configure(&w.end[0].session, 50000, 12,
				      local_time(&w.end[0], w.now_us));
		bfd_session_configure(&w.end[1].session, 200000, 12,
				      local_time(&w.end[1], w.now_us));
		run(&w, 20 * SECOND);
		for (int at = 0; at < 2; at++) {
			assert_int_equal(w.end[at].downs, 0);
			assert_false(w.end[at].session.poll_active);
			assert_int_equal(w.end[at].session.tx_interval_us, 200000);
			assert_int_equal(w.end[at].session.detection_us, 2400000);
		}
	}
}

static void a_restarted_end_comes_up_again(void **state)
{
	struct world w;

	(void)state;
	scenario_start(&w, &scenarios[0], 11, false);
	end_start(&w, 1, 50000, 3); /* it forgot everything */
	run(&w, 3 * SECOND);
	assert_int_equal(w.end[0].session.state, BFD_STATE_UP);
	assert_int_equal(w.end[1].session.state, BFD_STATE_UP);
	assert_int_equal(w.end[0].downs, 1);
	assert_int_equal(w.end[0].session.remote_discriminator,
			 w.end[1].session.config.local_discriminator);
}

static const struct step {
	const char *name;
	uint32_t interval_us;
	uint64_t before_us, after_us; /* the round trip */
	uint64_t cut_us;	      /* at the step */
	uint32_t loss_percent;
} steps[] = {
    {"up", 50000, 1000, 200000, 0, 0},
    {"up from a long one", 50000, 100000, 300000, 0, 0},
    {"up to a satellite", 50000, 1000, 600000, 0, 0},
    {"up at a quick pace", 10000, 20000, 200000, 0, 0},
    {"up above a second", 300000, 1000, 1200000, 0, 0},
    {"up to what is hardly counted", 50000, 1000, 2500000, 0, 0},
    {"up with loss", 50000, 1000, 200000, 0, 10},
    {"up behind a cut", 50000, 1000, 600000, 1 * SECOND, 0},
    {"up behind a long cut", 50000, 1000, 1500000, 5 * SECOND, 0},
    {"down", 50000, 600000, 1000, 0, 0},
    {"down with loss", 50000, 600000, 1000, 0, 10},
    {"down behind a cut with loss", 50000, 600000, 100000, 1 * SECOND, 5},
    {"much loss", 50000, 300000, 300000, 0, 20},
};

/* Two crossings of a line whose clock ticks 100 us, and two clocks that drift. */
static void round_trip_check(const struct world *w, uint64_t us, const char *name)
{
	uint64_t measured_us = w->end[0].session.round_trip_us;

	if (measured_us < us - us / 50 || measured_us > us + us / 50 + 400)
		fail_msg("%s: %llu us instead of %llu, at %llu s", name,
			 (unsigned long long)measured_us, (unsigned long long)us,
			 (unsigned long long)(w->now_us / SECOND));
}

static void path_start(struct world *w, const struct step *s, uint64_t seed)
{
	const struct line line = {.delay_us = s->before_us / 2};

	world_init(w, seed, &line);
	w->end[1].reflects = true;
	end_start(w, 0, s->interval_us, 3);
	run(w, 10 * SECOND);
	assert_int_equal(w->end[0].session.state, BFD_STATE_UP);
}

/* What was under way at the step may take silence for a failure; what is measured is right ever after. */
static void the_round_trip_is_right_after_a_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (uint64_t seed = 0; seed < 3; seed++) {
			struct world w;

			path_start(&w, &steps[i], 10 * i + seed);
			round_trip_check(&w, steps[i].before_us, steps[i].name);
			w.line.delay_us = steps[i].after_us / 2;
			w.line.loss_percent = steps[i].loss_percent;
			w.line.cut[0] = true;
			run(&w, steps[i].cut_us);
			w.line.cut[0] = false;
			run(&w, 30 * SECOND); /* many a Poll may be lost in a row */
			for (int n = 0; n < 300; n++) {
				run(&w, SECOND / 10);
				round_trip_check(&w, steps[i].after_us, steps[i].name);
			}
		}
}

/* The second time it may come after the next Poll went out: it is not taken for its answer. */
static void a_final_that_comes_twice_does_no_harm(void **state)
{
	static const struct step path = {"twice", 50000, 200000, 200000, 0, 0};

	(void)state;
	for (uint64_t again_us = 5000; again_us < 300000; again_us += 20000) {
		struct world w;

		path_start(&w, &path, again_us);
		w.again_us = again_us;
		for (int n = 0; n < 100; n++) {
			run(&w, SECOND / 10);
			round_trip_check(&w, path.after_us, path.name);
		}
		assert_int_equal(w.again_us, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_seen_that_is_not_there),
	    cmocka_unit_test(a_cut_is_seen_in_time),
	    cmocka_unit_test(a_cut_path_is_seen_in_time),
	    cmocka_unit_test(a_cut_one_way_is_seen_at_both_ends),
	    cmocka_unit_test(timers_change_without_a_flap),
	    cmocka_unit_test(a_restarted_end_comes_up_again),
	    cmocka_unit_test(the_round_trip_is_right_after_a_step),
	    cmocka_unit_test(a_final_that_comes_twice_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
