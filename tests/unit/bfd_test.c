/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/bfd.c daemon/core/bfd_packet.c daemon/base/wire.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/bfd.h"

#define US(n)	 ((struct monotime){(uint64_t)(n)})
#define MS(n)	 US((uint64_t)(n)*1000)
#define LOCAL	 0x11110001u
#define REMOTE	 0x22220002u
#define START_MS 5000

static const struct bfd_config active = {
    .role = BFD_ROLE_ACTIVE,
    .local_discriminator = LOCAL,
    .interval_us = 50000,
    .multiplier = 3,
};
static const struct bfd_config initiator = {
    .role = BFD_ROLE_SBFD_INITIATOR,
    .local_discriminator = LOCAL,
    .remote_discriminator = REMOTE,
    .interval_us = 50000,
    .multiplier = 3,
};

static struct bfd_packet heard(enum bfd_state state)
{
	return (struct bfd_packet){
	    .state = state,
	    .multiplier = 4,
	    .my_discriminator = REMOTE,
	    .your_discriminator = LOCAL,
	    .desired_min_tx_us = 100000,
	    .required_min_rx_us = 20000,
	};
}

/* Sends all that is due at @now; the last packet that went out, or one with multiplier 0. */
static struct bfd_packet sent(struct bfd_session *s, struct monotime now)
{
	struct bfd_packet last = {0};
	struct bfd_step step;

	while ((step = bfd_session_step(s, now, false)).send)
		last = step.packet;
	return last;
}

static void hear(struct bfd_session *s, enum bfd_state state, struct monotime now)
{
	struct bfd_packet p = heard(state);

	assert_int_equal(bfd_session_receive(s, &p, 255, now), BFD_ACCEPT);
}

static struct bfd_session session(const struct bfd_config *config, enum bfd_state state)
{
	struct bfd_session s;

	bfd_session_init(&s, config, MS(START_MS), 1);
	sent(&s, MS(START_MS));
	if (state == BFD_STATE_INIT || state == BFD_STATE_UP)
		hear(&s, config->role == BFD_ROLE_ACTIVE ? BFD_STATE_DOWN : BFD_STATE_UP,
		     MS(START_MS));
	if (state == BFD_STATE_UP)
		hear(&s, config->role == BFD_ROLE_ACTIVE ? BFD_STATE_INIT : BFD_STATE_UP,
		     MS(START_MS));
	if (state == BFD_STATE_ADMIN_DOWN)
		bfd_session_enable(&s, false, MS(START_MS));
	sent(&s, MS(START_MS));
	assert_int_equal(s.state, state);
	return s;
}

/* Section 6.2 and 6.8.6, all sixteen. */
static void the_table_of_states(void **state)
{
	static const struct {
		enum bfd_state is, heard, becomes;
		enum bfd_diagnostic diagnostic;
	} rows[] = {
	    {BFD_STATE_DOWN, BFD_STATE_ADMIN_DOWN, BFD_STATE_DOWN, BFD_DIAG_NONE},
	    {BFD_STATE_DOWN, BFD_STATE_DOWN, BFD_STATE_INIT, BFD_DIAG_NONE},
	    {BFD_STATE_DOWN, BFD_STATE_INIT, BFD_STATE_UP, BFD_DIAG_NONE},
	    {BFD_STATE_DOWN, BFD_STATE_UP, BFD_STATE_DOWN, BFD_DIAG_NONE},
	    {BFD_STATE_INIT, BFD_STATE_ADMIN_DOWN, BFD_STATE_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
	    {BFD_STATE_INIT, BFD_STATE_DOWN, BFD_STATE_INIT, BFD_DIAG_NONE},
	    {BFD_STATE_INIT, BFD_STATE_INIT, BFD_STATE_UP, BFD_DIAG_NONE},
	    {BFD_STATE_INIT, BFD_STATE_UP, BFD_STATE_UP, BFD_DIAG_NONE},
	    {BFD_STATE_UP, BFD_STATE_ADMIN_DOWN, BFD_STATE_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
	    {BFD_STATE_UP, BFD_STATE_DOWN, BFD_STATE_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
	    {BFD_STATE_UP, BFD_STATE_INIT, BFD_STATE_UP, BFD_DIAG_NONE},
	    {BFD_STATE_UP, BFD_STATE_UP, BFD_STATE_UP, BFD_DIAG_NONE},
	    {BFD_STATE_ADMIN_DOWN, BFD_STATE_ADMIN_DOWN, BFD_STATE_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN},
	    {BFD_STATE_ADMIN_DOWN, BFD_STATE_DOWN, BFD_STATE_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN},
	    {BFD_STATE_ADMIN_DOWN, BFD_STATE_INIT, BFD_STATE_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN},
	    {BFD_STATE_ADMIN_DOWN, BFD_STATE_UP, BFD_STATE_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bfd_session s = session(&active, rows[i].is);
		struct bfd_packet p = heard(rows[i].heard);
		enum bfd_verdict verdict = bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
		struct bfd_step step = bfd_session_step(&s, MS(START_MS + 1), false);

		assert_int_equal(verdict, rows[i].is == BFD_STATE_ADMIN_DOWN ? BFD_DROP_ADMIN_DOWN
									     : BFD_ACCEPT);
		if (s.state != rows[i].becomes || s.diagnostic != rows[i].diagnostic)
			fail_msg("row %zu: %s, %s", i, bfd_state_name(s.state),
				 bfd_diagnostic_name(s.diagnostic));
		assert_int_equal(s.by_intent,
				 rows[i].heard == BFD_STATE_ADMIN_DOWN &&
				     (rows[i].is == BFD_STATE_INIT || rows[i].is == BFD_STATE_UP));
		assert_int_equal(step.changed, rows[i].is != rows[i].becomes);
		assert_int_equal(step.send, step.changed); /* news goes out at once, 6.8.7 */
		if (step.changed)
			assert_int_equal(s.since.us, MS(START_MS + 1).us);
	}
}

static void a_packet_that_does_not_fit_the_session(void **state)
{
	static const struct {
		const char *rule;
		const struct bfd_config *config;
		struct bfd_packet change; /* what is set replaces */
		bool zero_yours;
		uint8_t ttl;
		enum bfd_verdict verdict;
	} rows[] = {
	    {"ttl 254", &active, {.state = BFD_STATE_UP}, false, 254, BFD_DROP_TTL},
	    {"ttl 0", &active, {.state = BFD_STATE_UP}, false, 0, BFD_DROP_TTL},
	    {"another's",
	     &active,
	     {.state = BFD_STATE_UP, .your_discriminator = 9},
	     false,
	     255,
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"zero while up",
	     &active,
	     {.state = BFD_STATE_UP},
	     true,
	     255,
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"authentication",
	     &active,
	     {.state = BFD_STATE_UP, .authentication = true},
	     false,
	     255,
	     BFD_DROP_AUTHENTICATION},
	    {"reflected, authentication",
	     &initiator,
	     {.state = BFD_STATE_UP, .authentication = true},
	     false,
	     3,
	     BFD_DROP_AUTHENTICATION},
	    {"reflected, any ttl", &initiator, {.state = BFD_STATE_UP}, false, 3, BFD_ACCEPT},
	    {"reflected, reflector away",
	     &initiator,
	     {.state = BFD_STATE_ADMIN_DOWN},
	     false,
	     3,
	     BFD_ACCEPT},
	    {"reflected by another",
	     &initiator,
	     {.state = BFD_STATE_UP, .my_discriminator = 8},
	     false,
	     3,
	     BFD_DROP_MY_DISCRIMINATOR},
	    {"reflected to another",
	     &initiator,
	     {.state = BFD_STATE_UP, .your_discriminator = 8},
	     false,
	     3,
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"reflected to nobody",
	     &initiator,
	     {.state = BFD_STATE_ADMIN_DOWN},
	     true,
	     3,
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"not reflected: D",
	     &initiator,
	     {.state = BFD_STATE_UP, .demand = true},
	     false,
	     3,
	     BFD_DROP_NOT_REFLECTED},
	    {"not reflected: down",
	     &initiator,
	     {.state = BFD_STATE_DOWN},
	     false,
	     3,
	     BFD_DROP_NOT_REFLECTED},
	    {"not reflected: init",
	     &initiator,
	     {.state = BFD_STATE_INIT},
	     false,
	     3,
	     BFD_DROP_NOT_REFLECTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bfd_session s = session(rows[i].config, BFD_STATE_UP);
		struct bfd_packet p = heard(rows[i].change.state);
		uint64_t detect_at = s.detect_at.us, dropped = s.counters.dropped;
		uint64_t received = s.counters.received;
		enum bfd_verdict verdict;

		p.demand = rows[i].change.demand;
		p.authentication = rows[i].change.authentication;
		if (rows[i].change.my_discriminator)
			p.my_discriminator = rows[i].change.my_discriminator;
		if (rows[i].change.your_discriminator || rows[i].zero_yours)
			p.your_discriminator = rows[i].change.your_discriminator;
		verdict = bfd_session_receive(&s, &p, rows[i].ttl, MS(START_MS + 30));
		if (verdict != rows[i].verdict)
			fail_msg("%s: %s", rows[i].rule, bfd_verdict_name(verdict));
		assert_int_equal(s.counters.received, received + (verdict == BFD_ACCEPT));
		if (verdict == BFD_ACCEPT)
			continue;
		assert_int_equal(s.counters.dropped, dropped + 1);
		assert_int_equal(s.detect_at.us,
				 detect_at); /* a dropped packet is no sign of life */
		assert_int_equal(s.state, BFD_STATE_UP);
	}
}

/* A neighbour that restarted knows no discriminator of ours: that takes the session down, it is not dropped. */
static void a_restarted_neighbour_takes_the_session_down(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_DOWN);

	(void)state;
	p.your_discriminator = 0;
	p.my_discriminator = 777;
	assert_int_equal(bfd_session_receive(&s, &p, 255, MS(START_MS + 1)), BFD_ACCEPT);
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_int_equal(s.up_until.us, MS(START_MS + 1).us);
	assert_int_equal(sent(&s, MS(START_MS + 1)).your_discriminator, 777);
}

static void what_was_up_last_outlives_vain_attempts(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);

	(void)state;
	assert_int_equal(s.up_until.us, 0);
	hear(&s, BFD_STATE_DOWN, MS(START_MS + 1));
	hear(&s, BFD_STATE_DOWN, MS(START_MS + 2));
	assert_int_equal(s.state, BFD_STATE_INIT);
	hear(&s, BFD_STATE_ADMIN_DOWN, MS(START_MS + 3));
	assert_int_equal(s.since.us, MS(START_MS + 3).us);
	assert_int_equal(s.up_until.us, MS(START_MS + 1).us);
}

/* It is told that there is one, and who is there is called at once. */
static void a_session_begins_with_a_packet(void **state)
{
	struct bfd_session s;
	struct bfd_step step;

	(void)state;
	bfd_session_init(&s, &active, MS(START_MS), 1);
	assert_int_equal(s.since.us, MS(START_MS).us);
	assert_int_equal(s.next_send.us, MS(START_MS).us);
	step = bfd_session_step(&s, MS(START_MS), false);
	assert_true(step.changed && step.send && !step.packet.final && !step.packet.poll);
	assert_false(bfd_session_step(&s, MS(START_MS), false).send);
}

/* By another discriminator than when it was up before; a line that fails and heals has the same. */
static void one_that_began_anew_is_known(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_INIT);

	(void)state;
	assert_false(s.remote_anew);
	sent(&s, s.detect_at);
	assert_int_equal(s.state, BFD_STATE_DOWN);
	hear(&s, BFD_STATE_INIT, MS(START_MS + 1000));
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_false(s.remote_anew);
	sent(&s, s.detect_at);
	p.my_discriminator = 777;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 2000));
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_true(s.remote_anew);
	sent(&s, s.detect_at);
	bfd_session_receive(&s, &p, 255, MS(START_MS + 3000));
	assert_false(s.remote_anew);
}

static void slow_while_not_up(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_DOWN);
	struct bfd_packet p;

	(void)state;
	assert_int_equal(s.tx_interval_us, BFD_SLOW_INTERVAL_US);
	assert_in_range(s.next_send.us, MS(START_MS + 750).us, MS(START_MS + 1000).us);
	p = sent(&s, s.next_send);
	assert_int_equal(p.desired_min_tx_us, BFD_SLOW_INTERVAL_US);
	assert_int_equal(p.required_min_rx_us, 50000);
	assert_int_equal(p.your_discriminator, 0);
	s = session(&active, BFD_STATE_UP);
	assert_int_equal(s.tx_interval_us, 50000);
	hear(&s, BFD_STATE_DOWN, MS(START_MS + 1));
	assert_int_equal(sent(&s, MS(START_MS + 1)).desired_min_tx_us, BFD_SLOW_INTERVAL_US);
	assert_in_range(s.next_send.us, MS(START_MS + 751).us, MS(START_MS + 1001).us);
}

static void slower_than_slow(void **state)
{
	struct bfd_config config = active;
	struct bfd_session s;

	(void)state;
	config.interval_us = 5 * BFD_SLOW_INTERVAL_US;
	s = session(&config, BFD_STATE_DOWN);
	assert_int_equal(s.tx_interval_us, 5 * BFD_SLOW_INTERVAL_US);
	assert_int_equal(sent(&s, s.next_send).desired_min_tx_us, 5 * BFD_SLOW_INTERVAL_US);
}

/* Section 6.8.7: never slower than asked, never below 75 %; with multiplier 1 never above 90 %. On a millisecond's grid. */
static void jitter(void **state)
{
	static const struct {
		uint8_t multiplier;
		uint32_t interval_us;
		uint64_t least, most;
	} rows[] = {{3, 50000, 37500, 50000},
		    {255, 50000, 37500, 50000},
		    {1, 50000, 37500, 45000},
		    {3, 1000000, 750000, 1000000},
		    {1, 1000000, 750000, 900000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bfd_config config = active;
		struct bfd_session s;
		uint64_t least = UINT64_MAX, most = 0;

		config.multiplier = rows[i].multiplier;
		config.interval_us = rows[i].interval_us;
		s = session(&config, BFD_STATE_UP);
		for (int n = 0; n < 20000; n++) {
			struct monotime before = s.next_send;
			uint64_t gap;

			hear(&s, BFD_STATE_UP, before);
			assert_int_equal(sent(&s, before).multiplier, rows[i].multiplier);
			gap = monotime_between(before, s.next_send);
			assert_int_equal(s.next_send.us % 1000, 0);
			least = gap < least ? gap : least;
			most = gap > most ? gap : most;
		}
		assert_in_range(least, rows[i].least, rows[i].least + 1000);
		assert_in_range(most, rows[i].most - 1000, rows[i].most);
	}
}

static void the_slower_side_sets_the_pace(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);
	struct monotime last = {0};

	(void)state;
	for (int i = 0; i < 5; i++) {
		last = s.next_send;
		sent(&s, last);
	}
	p.required_min_rx_us = 400000; /* from the last one on */
	bfd_session_receive(&s, &p, 255, US(last.us + 1000));
	assert_int_equal(s.tx_interval_us, 400000);
	assert_in_range(s.next_send.us, last.us + 300000, last.us + 401000);
	p.required_min_rx_us = 1;
	bfd_session_receive(&s, &p, 255, US(last.us + 2000));
	assert_int_equal(s.tx_interval_us, 50000);
	assert_in_range(s.next_send.us, last.us + 2000, last.us + 52000);
	p.required_min_rx_us = 0; /* cease, section 6.8.7 */
	bfd_session_receive(&s, &p, 255, US(last.us + 3000));
	assert_int_equal(bfd_session_deadline(&s).us, s.detect_at.us);
	assert_int_equal(sent(&s, US(last.us + 300000)).multiplier, 0);
}

static void detection_time_is_exact(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_step step;
	struct monotime last = MS(START_MS + 20);

	(void)state;
	hear(&s, BFD_STATE_UP, last);
	assert_int_equal(s.detection_us,
			 400000); /* the remote's 4 x max(50 ms, the remote's 100 ms) */
	step = bfd_session_step(&s, US(last.us + 399999), false);
	assert_false(step.changed);
	assert_int_equal(s.state, BFD_STATE_UP);
	step = bfd_session_step(&s, US(last.us + 400000), false);
	assert_true(step.changed);
	assert_true(step.send); /* and tells at once */
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_int_equal(step.packet.state, BFD_STATE_DOWN);
	assert_int_equal(step.packet.diagnostic, BFD_DIAG_DETECTION_EXPIRED);
	assert_int_equal(step.packet.your_discriminator, 0); /* bfd.RemoteDiscr, 6.8.1 */
	assert_int_equal(s.counters.down_transitions, 1);
	assert_int_equal(s.detect_at.us, MONOTIME_NEVER.us);
	assert_int_equal(s.detection_us, 0);
}

static void detection_uses_our_own_rx_if_slower(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);

	(void)state;
	p.desired_min_tx_us = 1000;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
	assert_int_equal(s.detection_us, 200000);
	p.multiplier = 255;
	p.desired_min_tx_us = UINT32_MAX;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
	assert_int_equal(s.detection_us, 255ull * UINT32_MAX); /* no overflow */
}

static void a_silent_remote_is_forgotten_while_down(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_DOWN);

	(void)state;
	hear(&s, BFD_STATE_UP,
	     MS(START_MS + 1)); /* stays down, but now we know its discriminator */
	assert_int_equal(s.remote_discriminator, REMOTE);
	assert_false(bfd_session_step(&s, MS(START_MS + 1), false).changed);
	assert_false(bfd_session_step(&s, MS(START_MS + 401), false).changed);
	assert_int_equal(s.remote_discriminator, 0);
	assert_int_equal(s.diagnostic, BFD_DIAG_NONE);
}

/* Section 6.8.1: the state variables begin anew. One that asked us to cease before it died would never be called again. */
static void a_remote_that_is_gone_is_called_as_at_first(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);

	(void)state;
	p.required_min_rx_us = 0;
	p.demand = true;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
	assert_true(bfd_session_step(&s, s.detect_at, false).changed);
	assert_int_equal(s.remote_state, BFD_STATE_DOWN);
	assert_int_equal(s.remote_min_rx_us, 1);
	assert_int_equal(s.remote_desired_tx_us, 0);
	assert_false(s.remote_demand);
	assert_int_equal(sent(&s, s.next_send).state, BFD_STATE_DOWN);
	bfd_session_configure(&s, 60000, 3, MS(START_MS + 2000));
	assert_int_equal(s.detection_us, 0);
}

static void starved_puts_an_expiry_off_once(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);

	(void)state;
	hear(&s, BFD_STATE_UP, MS(START_MS));
	bfd_session_step(&s, MS(START_MS + 1000), true);
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_int_equal(s.detect_at.us,
			 MS(START_MS + 1100).us); /* one of the remote's intervals */
	hear(&s, BFD_STATE_UP, MS(START_MS + 1050));
	bfd_session_step(&s, MS(START_MS + 2000), true);
	assert_int_equal(s.state, BFD_STATE_UP); /* heard meanwhile: once more */
	bfd_session_step(&s, MS(START_MS + 3000), true);
	assert_int_equal(s.state, BFD_STATE_DOWN); /* not heard: not again */
	s = session(&initiator,
		    BFD_STATE_UP); /* one of our own intervals, whatever the answer says */
	hear(&s, BFD_STATE_UP, MS(START_MS));
	bfd_session_step(&s, MS(START_MS + 1000), true);
	assert_int_equal(s.detect_at.us, MS(START_MS + 1050).us);
}

static void final_answers_poll_at_once(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);
	struct bfd_step step;
	uint64_t next_send;

	(void)state;
	p.final = true; /* ends the poll sequence of coming up */
	bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
	p.final = false;
	p.poll = true;
	next_send = s.next_send.us;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 2));
	assert_int_equal(bfd_session_deadline(&s).us, 0);
	step = bfd_session_step(&s, MS(START_MS + 2), false);
	assert_true(step.send && step.packet.final && !step.packet.poll);
	assert_int_equal(s.next_send.us, next_send); /* beside the periodic ones */
	assert_false(bfd_session_step(&s, MS(START_MS + 2), false).send);
}

static void coming_up_is_a_poll_sequence(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_INIT);
	struct bfd_packet p;

	(void)state;
	hear(&s, BFD_STATE_INIT, MS(START_MS + 1));
	p = sent(&s, MS(START_MS + 1));
	assert_true(p.poll);
	assert_int_equal(p.desired_min_tx_us, 50000);
	assert_int_equal(s.tx_interval_us, 50000); /* shorter: used at once */
	assert_true(sent(&s, s.next_send).poll);   /* until the Final comes */
	p = heard(BFD_STATE_UP);
	p.final = true;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 60));
	assert_false(s.poll_active);
	assert_false(sent(&s, s.next_send).poll);
}

static struct bfd_session polled_up(void)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);

	p.final = true;
	p.desired_min_tx_us = 10000;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 1));
	assert_false(s.poll_active);
	return s;
}

/* Section 6.8.3: a longer TX and a shorter RX wait for the Final; the others don't. */
static void new_timers_wait_for_the_final(void **state)
{
	static const struct {
		uint32_t interval_us, tx_before_us, tx_after_us;
		uint64_t detection_before_us, detection_after_us;
	} rows[] = {
	    {300000, 50000, 300000, 1200000,
	     1200000},				  /* slower: detection at once, sending later */
	    {20000, 20000, 20000, 200000, 80000}, /* faster: sending at once, detection later */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bfd_session s = polled_up();
		struct bfd_packet p;

		bfd_session_configure(&s, rows[i].interval_us, 5, MS(START_MS + 2));
		p = sent(&s, s.next_send);
		assert_true(p.poll);
		assert_int_equal(p.desired_min_tx_us, rows[i].interval_us);
		assert_int_equal(p.required_min_rx_us, rows[i].interval_us);
		assert_int_equal(p.multiplier, 5);
		assert_int_equal(s.tx_interval_us, rows[i].tx_before_us);
		assert_int_equal(s.detection_us, rows[i].detection_before_us);
		p = heard(BFD_STATE_UP);
		p.final = true;
		p.desired_min_tx_us = 10000;
		bfd_session_receive(&s, &p, 255, MS(START_MS + 3));
		assert_int_equal(s.tx_interval_us, rows[i].tx_after_us);
		assert_int_equal(s.detection_us, rows[i].detection_after_us);
		assert_int_equal(s.state, BFD_STATE_UP);
	}
}

/* A Final may answer the older of two changes: the second gets a sequence of its own, parted by a packet without P. */
static void two_changes_are_two_sequences(void **state)
{
	struct bfd_session s = polled_up();
	struct bfd_packet p = heard(BFD_STATE_UP);

	(void)state;
	bfd_session_configure(&s, 300000, 3, MS(START_MS + 2));
	assert_true(sent(&s, s.next_send).poll);
	bfd_session_configure(&s, 400000, 3, MS(START_MS + 3));
	p.final = true;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 40));
	assert_int_equal(s.tx_interval_us, 50000);
	assert_false(sent(&s, s.next_send).poll);
	assert_true(sent(&s, s.next_send).poll);
	bfd_session_receive(&s, &p, 255, MS(START_MS + 200));
	assert_int_equal(s.tx_interval_us, 400000);
	assert_false(s.poll_active || s.poll_again);
	bfd_session_configure(&s, 500000, 3, MS(START_MS + 201));
	bfd_session_configure(&s, 600000, 3, MS(START_MS + 202));
	sent(&s, s.detect_at); /* who is gone is asked nothing */
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_false(sent(&s, s.next_send).poll);
	assert_false(sent(&s, s.next_send).poll);
}

static void demand_of_the_remote_is_honoured(void **state)
{
	struct bfd_session s = polled_up();
	struct bfd_packet p = heard(BFD_STATE_UP);

	(void)state;
	p.demand = true;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 10));
	assert_int_equal(bfd_session_deadline(&s).us, s.detect_at.us); /* we go on listening */
	assert_int_equal(sent(&s, MS(START_MS + 200)).multiplier, 0);
	p.poll = true; /* it still gets its answer */
	bfd_session_receive(&s, &p, 255, MS(START_MS + 210));
	assert_true(sent(&s, MS(START_MS + 210)).final);
	bfd_session_configure(&s, 60000, 3,
			      MS(START_MS + 220)); /* and a poll sequence of ours goes out */
	assert_true(sent(&s, MS(START_MS + 300)).poll);
	p.poll = p.demand = false;
	bfd_session_receive(&s, &p, 255, MS(START_MS + 310));
	assert_int_equal(bfd_session_deadline(&s).us, s.next_send.us);
	assert_false(
	    monotime_before(s.next_send, MS(START_MS + 310))); /* who calls us was not late */
	assert_int_equal(sent(&s, MS(START_MS + 371)).state, BFD_STATE_UP);
}

/* What was said before an upgrade is no excuse for the failure after it: it would never be repaired. */
static void intent_ends_with_the_state(void **state)
{
	static const enum bfd_state back[] = {BFD_STATE_DOWN, BFD_STATE_INIT};
	struct bfd_session s = session(&active, BFD_STATE_UP);

	(void)state;
	hear(&s, BFD_STATE_ADMIN_DOWN, MS(START_MS + 1));
	assert_true(s.by_intent);
	for (uint64_t i = 0; i < 2; i++) {
		hear(&s, back[i], MS(START_MS + 2 + i));
		assert_false(s.by_intent);
	}
	assert_int_equal(s.state, BFD_STATE_UP);
	sent(&s, s.detect_at);
	assert_int_equal(s.diagnostic, BFD_DIAG_DETECTION_EXPIRED);
	assert_false(s.by_intent);
}

static void admin_down_and_back(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	struct bfd_packet p;

	(void)state;
	bfd_session_enable(&s, true, MS(START_MS));
	assert_int_equal(s.state, BFD_STATE_UP);
	bfd_session_enable(&s, false, MS(START_MS + 1));
	p = sent(&s, MS(START_MS + 1));
	assert_int_equal(s.tx_interval_us, BFD_SLOW_INTERVAL_US);
	assert_int_equal(p.state, BFD_STATE_ADMIN_DOWN);
	assert_int_equal(p.diagnostic, BFD_DIAG_ADMIN_DOWN);
	assert_false(p.poll);
	sent(&s, MS(START_MS + 2000)); /* silence makes no change of state */
	assert_int_equal(s.state, BFD_STATE_ADMIN_DOWN);
	bfd_session_enable(&s, true, MS(START_MS + 2001));
	assert_int_equal(sent(&s, MS(START_MS + 2001)).state, BFD_STATE_DOWN);
	bfd_session_enable(&s, true, MS(START_MS + 2002));
	assert_int_equal(s.since.us, MS(START_MS + 2001).us);
}

/* Section 6.8.16: for a detection time, three of them being 50 ms each, at the pace that was. */
static void admin_down_is_said_for_a_detection_time(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_UP);
	uint64_t last_ms = 0;
	unsigned int count = 0;

	(void)state;
	bfd_session_enable(&s, false, MS(START_MS));
	for (uint64_t ms = 0; ms < 750; ms++) {
		struct bfd_packet p = sent(&s, MS(START_MS + ms));

		if (!p.multiplier)
			continue;
		assert_int_equal(p.state, BFD_STATE_ADMIN_DOWN);
		assert_int_equal(p.desired_min_tx_us, BFD_SLOW_INTERVAL_US);
		assert_true(!count || ms - last_ms >= 37); /* 75 % of the interval */
		last_ms = ms;
		count++;
	}
	assert_int_equal(count, 4);
	assert_in_range(last_ms, 150 - 38, 150);
	assert_true(s.next_send.us >= MS(START_MS + last_ms + 750).us);
	bfd_session_enable(&s, true, MS(START_MS + 750));
	assert_int_equal(sent(&s, MS(START_MS + 750)).state, BFD_STATE_DOWN);
	assert_true(s.next_send.us >= MS(START_MS + 1500).us);
}

static void who_was_not_up_says_admin_down_once(void **state)
{
	struct bfd_session s = session(&active, BFD_STATE_INIT);

	(void)state;
	bfd_session_enable(&s, false, MS(START_MS + 1));
	assert_int_equal(sent(&s, MS(START_MS + 1)).state, BFD_STATE_ADMIN_DOWN);
	assert_true(s.next_send.us >= MS(START_MS + 751).us);
}

static void initiator_is_up_by_an_answer(void **state)
{
	struct bfd_session s;
	struct bfd_packet p, reply;

	(void)state;
	bfd_session_init(&s, &initiator, MS(START_MS), 9);
	p = sent(&s, MS(START_MS));
	assert_true(p.demand);
	assert_true(p.poll); /* its Final will tell the round trip */
	assert_int_equal(p.state, BFD_STATE_DOWN);
	assert_int_equal(p.my_discriminator, LOCAL);
	assert_int_equal(p.your_discriminator, REMOTE);
	assert_int_equal(bfd_reflect(&p, REMOTE, 1000, &reply), BFD_ACCEPT);
	assert_int_equal(bfd_session_receive(&s, &reply, 60, MS(START_MS + 7)), BFD_ACCEPT);
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_int_equal(s.round_trip_us, 7000);
	assert_int_equal(s.detection_us, 150000); /* our own multiplier, our own interval */
	p = sent(&s, MS(START_MS + 7));
	assert_int_equal(p.state, BFD_STATE_UP);
	assert_in_range(s.next_send.us, US(START_MS * 1000 + 7000 + 37500).us,
			MS(START_MS + 57).us);
	/* the first answer at the quick pace may take a round trip: 7 + 7 + 150 ms */
	bfd_session_step(&s, US(START_MS * 1000 + 163999), false);
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_true(bfd_session_step(&s, MS(START_MS + 164), false).changed);
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_int_equal(s.tx_interval_us, BFD_SLOW_INTERVAL_US);
	p = sent(&s, s.next_send);
	assert_int_equal(p.your_discriminator, REMOTE); /* configured, not learned */
}

static void initiator_follows_the_reflector(void **state)
{
	struct bfd_session s = session(&initiator, BFD_STATE_UP);
	struct bfd_packet p = heard(BFD_STATE_UP);

	(void)state;
	p.required_min_rx_us = 80000; /* it asks to be probed less often */
	bfd_session_receive(&s, &p, 60, MS(START_MS + 10));
	assert_int_equal(s.tx_interval_us, 80000);
	assert_int_equal(s.detection_us, 240000);
	p.required_min_rx_us =
	    UINT32_MAX; /* or it is somebody on the way, who wants no probe for an hour */
	bfd_session_receive(&s, &p, 60, MS(START_MS + 15));
	assert_int_equal(s.tx_interval_us, 100000);
	assert_int_equal(s.detection_us, 300000);
	p.required_min_rx_us = 0; /* no probe ever again: nor does it end the path's watch */
	bfd_session_receive(&s, &p, 60, MS(START_MS + 18));
	assert_int_equal(sent(&s, s.next_send).state, BFD_STATE_UP);
	p.state = BFD_STATE_ADMIN_DOWN; /* it is out of service */
	bfd_session_receive(&s, &p, 60, MS(START_MS + 90));
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_int_equal(s.diagnostic, BFD_DIAG_NEIGHBOR_DOWN);
}

/* The reflector's answer to @probe. */
static struct bfd_packet reflected(const struct bfd_packet *probe)
{
	struct bfd_packet p = heard(BFD_STATE_UP);

	p.final = probe->poll;
	p.desired_min_tx_us = probe->desired_min_tx_us;
	return p;
}

/* Its first Poll has its Final after so long. */
static struct bfd_session answered_after(uint64_t ms)
{
	struct bfd_session s;
	struct bfd_packet p;

	bfd_session_init(&s, &initiator, MS(START_MS), 9);
	p = sent(&s, MS(START_MS));
	assert_true(p.poll);
	p = reflected(&p);
	bfd_session_receive(&s, &p, 60, MS(START_MS + ms));
	return s;
}

/* Each probe has the next number, in what it says of its interval, which the reflector gives back. */
static void an_initiator_s_probes_are_numbered(void **state)
{
	struct bfd_session s = answered_after(1);
	struct bfd_packet probe, reply;
	uint8_t before = s.probe;

	(void)state;
	for (int i = 0; i < 600; i++) {
		probe = sent(&s, s.next_send);
		assert_int_equal(bfd_probe_number(&probe), (uint8_t)(before + 1));
		before = bfd_probe_number(&probe);
		assert_in_range(probe.desired_min_tx_us, s.config.interval_us,
				s.config.interval_us + 511);
		assert_int_equal(bfd_reflect(&probe, REMOTE, 1000, &reply), BFD_ACCEPT);
		assert_int_equal(bfd_session_receive(&s, &reply, 60, s.last_sent), BFD_ACCEPT);
		assert_int_equal(s.answered, before);
	}
}

/* A Final that comes once more, after the next Poll, says nothing of that. */
static void a_final_is_of_its_own_poll(void **state)
{
	struct bfd_session s = answered_after(1);
	struct bfd_packet first = sent(&s, MS(START_MS + 1)), second;

	(void)state;
	assert_true(first.poll);
	first = reflected(&first);
	bfd_session_receive(&s, &first, 60, MS(START_MS + 31));
	assert_int_equal(s.round_trip_us, 30000);
	second = sent(&s, MS(START_MS + 61));
	assert_true(second.poll);
	bfd_session_receive(&s, &first, 60, MS(START_MS + 63));
	assert_int_equal(s.round_trip_us, 30000);
	second = reflected(&second);
	bfd_session_receive(&s, &second, 60, MS(START_MS + 81));
	assert_int_equal(s.round_trip_us, 20000);
}

/* VSAT probed faster than its round trip: each Final tells it, and the first silence after coming up is lawful. */
static void initiator_with_a_long_way(void **state)
{
	struct bfd_session s = answered_after(600);
	struct bfd_packet poll, p = heard(BFD_STATE_UP);

	(void)state;
	assert_int_equal(s.round_trip_us, 600000);
	assert_int_equal(s.detect_at.us, MS(START_MS + 600 + 600 + 150).us);
	poll = sent(&s, MS(START_MS + 600));
	assert_true(poll.poll);
	for (uint64_t ms = 601; ms < 1210; ms++)
		assert_false(sent(&s, MS(START_MS + ms)).poll); /* one probe at a time */
	bfd_session_receive(&s, &p, 60, MS(START_MS + 1205));
	assert_int_equal(s.round_trip_us, 600000);
	p = reflected(&poll);
	bfd_session_receive(&s, &p, 60, MS(START_MS + 1210));
	assert_int_equal(s.round_trip_us, 610000);
	assert_int_equal(s.detect_at.us, MS(START_MS + 1210 + 150).us); /* exact from here on */
}

/* Its answer may be of any age: were it a Poll, its Final would be taken for that of the probe with its number. */
static void a_padded_probe_takes_no_part(void **state)
{
	struct bfd_session s = answered_after(1), before;
	struct bfd_packet p;

	(void)state;
	assert_true(sent(&s, MS(START_MS + 1)).poll);
	before = s;
	p = bfd_session_extra(&s);
	assert_false(p.poll || p.final);
	assert_true(p.demand && p.state == BFD_STATE_UP);
	assert_int_equal(p.your_discriminator, REMOTE);
	assert_memory_equal(&s, &before, sizeof(s));
}

/* The Final of a Poll that went out before the failure is that Poll's, and no other goes out until it must be lost. */
static void initiator_keeps_its_poll_through_a_failure(void **state)
{
	struct bfd_session s = answered_after(1);
	struct bfd_packet poll, p = heard(BFD_STATE_UP);

	(void)state;
	poll = sent(&s, MS(START_MS + 1)); /* and now it takes longer */
	assert_true(poll.poll);
	assert_false(sent(&s, MS(START_MS + 160)).poll);
	assert_int_equal(s.state, BFD_STATE_DOWN);
	bfd_session_receive(&s, &p, 60, MS(START_MS + 190)); /* of which one? */
	assert_int_equal(s.state, BFD_STATE_UP);
	assert_int_equal(s.round_trip_us, 1000);
	p = reflected(&poll);
	bfd_session_receive(&s, &p, 60, MS(START_MS + 201));
	assert_int_equal(s.round_trip_us, 200000);
	bfd_session_enable(&s, false, MS(START_MS + 202));
	bfd_session_enable(&s, true, MS(START_MS + 203));
	assert_true(sent(&s, MS(START_MS + 203)).poll); /* none was under way */
	bfd_session_enable(&s, false, MS(START_MS + 204));
	bfd_session_enable(&s, true, MS(START_MS + 205));
	assert_false(sent(&s, MS(START_MS + 205)).poll);
	assert_false(sent(&s, MS(START_MS + 3202)).poll);
	assert_true(sent(&s, MS(START_MS + 4203)).poll);
}

static void answer_after_30_ms(struct bfd_session *s)
{
	struct bfd_packet p = sent(s, MS(START_MS));

	p = reflected(&p);
	bfd_session_receive(s, &p, 60, MS(START_MS + 30));
}

static struct bfd_config slow_initiator(void)
{
	struct bfd_config slow = initiator;

	slow.interval_us = 1000000;
	return slow;
}

/* A shorter detection time must not turn silence that was lawful into a failure. */
static void initiator_takes_new_timers_without_a_flap(void **state)
{
	const struct bfd_config slow = slow_initiator();
	struct bfd_session s;
	struct bfd_packet p;

	(void)state;
	bfd_session_init(&s, &slow, MS(START_MS), 1);
	bfd_session_configure(&s, 1000000, 2,
			      MS(START_MS)); /* of who was not heard yet nothing is due */
	assert_int_equal(s.detection_us, 0);
	assert_int_equal(s.detect_at.us, MONOTIME_NEVER.us);
	answer_after_30_ms(&s);
	hear(&s, BFD_STATE_UP, MS(START_MS + 31));
	sent(&s, MS(START_MS + 31));
	/* what is sent at the new pace is answered a round trip later: 780 + 30 + 150 */
	bfd_session_configure(&s, 50000, 3, MS(START_MS + 780));
	assert_int_equal(s.detect_at.us, MS(START_MS + 960).us);
	assert_int_equal(s.next_send.us, MS(START_MS + 780).us); /* at once, and not: was due */
	p = sent(&s, MS(START_MS + 780));
	assert_in_range(p.desired_min_tx_us, 50000, 50511);
	assert_int_equal(s.state, BFD_STATE_UP);
	bfd_session_configure(&s, 40000, 3,
			      MS(START_MS + 920)); /* nor put the failure off for ever */
	assert_int_equal(s.detect_at.us, MS(START_MS + 960).us);
	hear(&s, BFD_STATE_UP, MS(START_MS + 951));
	bfd_session_configure(&s, 40000, 5, MS(START_MS + 960));
	assert_int_equal(s.detect_at.us, MS(START_MS + 1151).us);
}

/* Whatever becomes of the detection time: here it is the same. */
static void initiator_is_silent_from_the_new_pace_on(void **state)
{
	const struct bfd_config slow = slow_initiator();
	struct bfd_session s;

	(void)state;
	bfd_session_init(&s, &slow, MS(START_MS), 1);
	answer_after_30_ms(&s);
	assert_int_equal(bfd_session_silent_since(&s).us, MS(START_MS + 60).us);
	hear(&s, BFD_STATE_UP, MS(START_MS + 100));
	assert_int_equal(bfd_session_silent_since(&s).us, MS(START_MS + 100).us);
	bfd_session_configure(&s, 50000, 60, MS(START_MS + 780));
	assert_int_equal(s.detect_at.us, MS(START_MS + 3100).us);
	assert_int_equal(bfd_session_silent_since(&s).us, MS(START_MS + 810).us);
	bfd_session_configure(&s, 1000000, 60,
			      MS(START_MS + 820)); /* a slower one asks less of it */
	assert_int_equal(bfd_session_silent_since(&s).us, MS(START_MS + 810).us);
}

/* Its first link is down: patience ends, and no answer that came in time is taken for silence. */
static void initiator_in_haste(void **state)
{
	struct bfd_config patient = initiator;
	struct bfd_session s;

	(void)state;
	patient.multiplier = 5;
	s = session(&patient, BFD_STATE_UP);
	hear(&s, BFD_STATE_UP, MS(START_MS + 1000));
	hear(&s, BFD_STATE_UP, MS(START_MS + 1040));
	assert_int_equal(s.detect_at.us, MS(START_MS + 1040 + 250).us);
	bfd_session_hasten(&s, 150000, MS(START_MS + 1150));
	assert_int_equal(s.detect_at.us, MS(START_MS + 1040 + 150).us);
	hear(&s, BFD_STATE_UP,
	     MS(START_MS + 1160)); /* it was the neighbour's daemon, not the way */
	assert_int_equal(s.detect_at.us, MS(START_MS + 1160 + 250).us);
	bfd_session_hasten(&s, 150000, MS(START_MS + 1360)); /* silent for longer than that: now */
	assert_int_equal(s.detect_at.us, MS(START_MS + 1360).us);
	bfd_session_hasten(&s, 10000000, MS(START_MS + 1361)); /* never later */
	assert_int_equal(s.detect_at.us, MS(START_MS + 1360).us);
	sent(&s, MS(START_MS + 1360));
	assert_int_equal(s.state, BFD_STATE_DOWN);
	assert_int_equal(s.diagnostic, BFD_DIAG_DETECTION_EXPIRED);
	bfd_session_hasten(&s, 150000, MS(START_MS + 1400));
	assert_int_equal(s.detect_at.us, MONOTIME_NEVER.us);
	s = answered_after(600); /* of the quick pace no answer can be there before another 600 */
	bfd_session_hasten(&s, 100000, MS(START_MS + 900));
	assert_int_equal(s.detect_at.us, MS(START_MS + 600 + 600 + 100).us);
}

static void reflector(void **state)
{
	static const struct {
		const char *rule;
		struct bfd_packet in;
		enum bfd_verdict verdict;
	} rows[] = {
	    {"reflects",
	     {.demand = true, .your_discriminator = 7, .my_discriminator = 5},
	     BFD_ACCEPT},
	    {"of another",
	     {.demand = true, .your_discriminator = 8, .my_discriminator = 5},
	     BFD_DROP_YOUR_DISCRIMINATOR},
	    {"of nobody", {.demand = true, .my_discriminator = 5}, BFD_DROP_YOUR_DISCRIMINATOR},
	    {"an answer, not a question",
	     {.your_discriminator = 7, .my_discriminator = 5},
	     BFD_DROP_NOT_REFLECTED},
	    {"authentication",
	     {.demand = true, .authentication = true, .your_discriminator = 7},
	     BFD_DROP_AUTHENTICATION},
	};
	struct bfd_packet reply = {.multiplier = 99}, again;
	struct bfd_packet in = rows[0].in;

	(void)state;
	for (size_t i = 1; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum bfd_verdict verdict = bfd_reflect(&rows[i].in, 7, 1000, &reply);

		if (verdict != rows[i].verdict)
			fail_msg("%s: %s", rows[i].rule, bfd_verdict_name(verdict));
		assert_int_equal(reply.multiplier, 99);
	}
	in.poll = true;
	in.state = BFD_STATE_DOWN;
	in.diagnostic = BFD_DIAG_DETECTION_EXPIRED;
	in.multiplier = 3;
	in.desired_min_tx_us = 50000;
	in.required_min_rx_us = 50000;
	assert_int_equal(bfd_reflect(&in, 7, 1000, &reply), BFD_ACCEPT);
	assert_int_equal(reply.state, BFD_STATE_UP);
	assert_int_equal(reply.diagnostic, BFD_DIAG_NONE);
	assert_int_equal(reply.my_discriminator, 7);
	assert_int_equal(reply.your_discriminator, 5);
	assert_int_equal(reply.multiplier, 3);
	assert_int_equal(reply.desired_min_tx_us, 50000);
	assert_int_equal(reply.required_min_rx_us, 1000);
	assert_true(reply.final && !reply.poll && !reply.demand);
	assert_int_equal(bfd_reflect(&reply, 5, 1000, &again),
			 BFD_DROP_NOT_REFLECTED); /* no loop of two */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_of_states),
	    cmocka_unit_test(a_packet_that_does_not_fit_the_session),
	    cmocka_unit_test(a_restarted_neighbour_takes_the_session_down),
	    cmocka_unit_test(what_was_up_last_outlives_vain_attempts),
	    cmocka_unit_test(a_session_begins_with_a_packet),
	    cmocka_unit_test(one_that_began_anew_is_known),
	    cmocka_unit_test(slow_while_not_up),
	    cmocka_unit_test(slower_than_slow),
	    cmocka_unit_test(jitter),
	    cmocka_unit_test(the_slower_side_sets_the_pace),
	    cmocka_unit_test(detection_time_is_exact),
	    cmocka_unit_test(detection_uses_our_own_rx_if_slower),
	    cmocka_unit_test(a_silent_remote_is_forgotten_while_down),
	    cmocka_unit_test(a_remote_that_is_gone_is_called_as_at_first),
	    cmocka_unit_test(starved_puts_an_expiry_off_once),
	    cmocka_unit_test(final_answers_poll_at_once),
	    cmocka_unit_test(coming_up_is_a_poll_sequence),
	    cmocka_unit_test(new_timers_wait_for_the_final),
	    cmocka_unit_test(two_changes_are_two_sequences),
	    cmocka_unit_test(demand_of_the_remote_is_honoured),
	    cmocka_unit_test(intent_ends_with_the_state),
	    cmocka_unit_test(admin_down_and_back),
	    cmocka_unit_test(admin_down_is_said_for_a_detection_time),
	    cmocka_unit_test(who_was_not_up_says_admin_down_once),
	    cmocka_unit_test(initiator_is_up_by_an_answer),
	    cmocka_unit_test(initiator_follows_the_reflector),
	    cmocka_unit_test(an_initiator_s_probes_are_numbered),
	    cmocka_unit_test(a_final_is_of_its_own_poll),
	    cmocka_unit_test(initiator_with_a_long_way),
	    cmocka_unit_test(a_padded_probe_takes_no_part),
	    cmocka_unit_test(initiator_keeps_its_poll_through_a_failure),
	    cmocka_unit_test(initiator_takes_new_timers_without_a_flap),
	    cmocka_unit_test(initiator_is_silent_from_the_new_pace_on),
	    cmocka_unit_test(initiator_in_haste),
	    cmocka_unit_test(reflector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
