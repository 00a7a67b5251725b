/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_wire.c daemon/service/pair.c daemon/service/clock.c
// link: daemon/core/message.c topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/text.c
// link: daemon/base/ip.c daemon/core/path_quality.c daemon/core/damping.c
// libs: -levent_core
/* A wire process that was taken over says what it likes; one that is away reads nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

static struct {
	unsigned int events, lines, dirty, hellos, commands, degraded, better, mtus, link_mtus,
	    damped;
	enum bfd_state said;
} seen;

void status_event_quality(const struct forwarding *f, const struct fwd_path *path,
			  const struct message_liveness *l, bool degraded, int64_t wall_s,
			  struct text *ret_json)
{
	(void)f, (void)path, (void)l, (void)wall_s, (void)ret_json;
	seen.degraded += degraded;
	seen.better += !degraded;
}

void status_event_damped(const struct forwarding *f, const struct fwd_path *path,
			 const struct fwd_neighbor *neighbor, uint64_t held_us, int64_t wall_s,
			 struct text *ret_json)
{
	(void)f, (void)path, (void)neighbor, (void)held_us, (void)wall_s, (void)ret_json;
	seen.damped++;
}

void status_event_mtu(const struct forwarding *f, const struct fwd_path *path,
		      const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		      int64_t wall_s, struct text *ret_json)
{
	(void)f, (void)l, (void)wall_s, (void)ret_json;
	assert_true(!path != !neighbor);
	seen.mtus++;
	seen.link_mtus += !path;
}

void status_event_link(const struct fwd_neighbor *neighbor, const struct message_liveness *l,
		       int64_t wall_s, struct text *ret_json)
{
	(void)neighbor, (void)wall_s, (void)ret_json;
	seen.events++;
	seen.said = (enum bfd_state)l->state;
}

void status_event_path(const struct forwarding *f, const struct fwd_path *path,
		       const struct message_liveness *l, int64_t wall_s, struct text *ret_json)
{
	(void)f, (void)path, (void)l, (void)wall_s, (void)ret_json;
	seen.events++;
}

void status_document(const struct status_input *input, struct text *ret_json)
{
	(void)input;
	text_add(ret_json, "{}");
}

void engine_hurry(struct engine *e)
{
	(void)e;
	seen.dirty++;
}

void engine_link_changed(struct engine *e, size_t index)
{
	(void)e;
	(void)index;
}

void engine_served_keep(struct engine *e)
{
	(void)e;
}

void engine_request_hello(struct engine *e)
{
	(void)e;
	seen.hellos++;
}

void engine_request_take(struct engine *e, const struct message_command *command)
{
	(void)e, (void)command;
	seen.commands++;
}

void log_write(enum log_level level, const char *format, ...)
{
	(void)level, (void)format;
	seen.lines++;
}

uint32_t desired_padded_gap_us(const struct forwarding *forwarding,
			       const struct fwd_neighbor *neighbor)
{
	(void)forwarding, (void)neighbor;
	return 0;
}

struct fixture {
	struct engine engine;
	int ours, other;
};

static struct fwd_neighbor neighbors[] = {
    {.site_id = 101, .link_address = 1, .probe = {50000, 3}, .link_mtu = 1440},
    {.site_id = 210, .link_address = 2, .probe = {50000, 3}},
};
static struct fwd_path paths[] = {
    {.index = 1,
     .color = 10,
     .endpoint_site = 1,
     .source = 3,
     .endpoint = 4,
     .reflector = 1,
     .mtu = 1416,
     .probe = {50000, 3}},
};
static struct fwd_session sessions[] = {{.color = 10,
					 .degraded = {.loss_percent = 10},
					 .revert_hold_ms = 2000,
					 .revert_max_ms = 60000}};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct engine *e = &f->engine;
	int ends[2];

	memset(&seen, 0, sizeof(seen));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -1;
	f->ours = ends[0];
	f->other = ends[1];
	e->base = event_base_new();
	e->pair = pair_new(e->base, ends[0], engine_wire_message, NULL, e);
	e->release.status.have = true;
	e->release.forwarding = (struct forwarding){
	    .site_id = 901,
	    .link_address = 9,
	    .node_address = 10,
	    .neighbors = neighbors,
	    .neighbor_count = 2,
	    .paths = paths,
	    .path_count = 1,
	    .sessions = sessions,
	    .session_count = 1,
	};
	e->links = calloc(2, sizeof(*e->links));
	e->paths = calloc(1, sizeof(*e->paths));
	*state = f;
	return e->pair ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pair_free(f->engine.pair);
	event_base_free(f->engine.base);
	free(f->engine.links);
	free(f->engine.paths);
	close(f->ours);
	close(f->other);
	free(f);
	return 0;
}

static void lie(struct fixture *f, enum session_kind kind, uint32_t id, uint32_t generation,
		bool up)
{
	const struct message m = {
	    .type = MESSAGE_LIVENESS,
	    .u.liveness = {.kind = kind,
			   .id = id,
			   .generation = generation,
			   .state = up ? BFD_STATE_UP : BFD_STATE_DOWN,
			   .changed_at_us = UINT64_MAX},
	};

	assert_int_equal(message_check(&m, message_size(MESSAGE_LIVENESS)), 0);
	engine_wire_message(&f->engine, &m);
}

static void lies_at_any_rate_leave_few_lines(void **state)
{
	struct fixture *f = *state;
	struct monotime begin = monotime_now();
	uint64_t seconds;

	for (int i = 0; i < 100000; i++)
		lie(f, SESSION_LINK, 101, 0, i % 2 == 0);
	seconds = monotime_between(begin, monotime_now()) / 1000000 + 2;
	assert_true(seen.events <= 512 * seconds);
	assert_true(seen.lines <= 514 * seconds); /* and one that says how many were not said */
	assert_int_equal(f->engine.links[0].changes, 99999);
}

/* A neighbour that changes its mind with every packet. */
static void one_that_flaps_keeps_nobody_else_silent(void **state)
{
	struct fixture *f = *state;
	unsigned int events;

	for (int i = 0; i < 1001; i++)
		lie(f, SESSION_LINK, 101, 0, i % 2 == 0);
	assert_in_range(seen.events, 1, 8); /* of a second, or of two */
	lie(f, SESSION_LINK, 101, 0, false);
	events = seen.events;
	lie(f, SESSION_LINK, 210, 0, true);
	assert_int_equal(seen.events, events + 1);
	assert_true(f->engine.links[1].told_up);
}

/* ... and how it is in the end is said. */
static void what_was_not_said_is_said_later(void **state)
{
	struct fixture *f = *state;
	struct status_liveness *link = &f->engine.links[0];
	unsigned int events;

	for (int i = 0; i < 5; i++)
		lie(f, SESSION_LINK, 101, 0, i % 2 == 0);
	link->told = 4; /* also where a second began meanwhile */
	link->told_since = monotime_now();
	lie(f, SESSION_LINK, 101, 0, !link->told_up);
	lie(f, SESSION_LINK, 101, 0, link->told_up);
	lie(f, SESSION_LINK, 101, 0, !link->told_up);
	events = seen.events;
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, events);
	link->told_since = (struct monotime){0}; /* a second later */
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, events + 1);
	assert_int_equal(link->told_up, link->last.state == BFD_STATE_UP);
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, events + 1);
}

/* Between two that are said it was otherwise, or nobody need know. */
static void what_was_said_is_not_said_again(void **state)
{
	struct fixture *f = *state;
	struct status_liveness *link = &f->engine.links[0];

	lie(f, SESSION_LINK, 101, 0, true);
	link->told = 4;
	link->told_since = monotime_now();
	lie(f, SESSION_LINK, 101, 0, false);
	link->told_since = (struct monotime){0};
	lie(f, SESSION_LINK, 101, 0, true);
	assert_int_equal(seen.events, 1);
	engine_liveness_forget(
	    &f->engine); /* a new life of the wire process, in which it comes up */
	lie(f, SESSION_LINK, 101, 0, false);
	lie(f, SESSION_LINK, 101, 0, true);
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, 1);
	engine_liveness_forget(&f->engine); /* another, in which it came up before that was told */
	lie(f, SESSION_LINK, 101, 0, true);
	assert_int_equal(seen.events, 1);
	lie(f, SESSION_LINK, 101, 0, false);
	assert_int_equal(seen.events, 2);
}

/* A link falls, and the wire process begins a new life before it could say so: in which it was never up. */
static void who_falls_between_two_lives_is_said_to_be_down(void **state)
{
	struct fixture *f = *state;
	struct status_liveness *link = &f->engine.links[0];

	lie(f, SESSION_LINK, 101, 0, true);
	engine_liveness_forget(&f->engine);
	lie(f, SESSION_LINK, 101, 0, false);
	assert_int_equal(seen.events, 1);
	link->since = monotime_now(); /* it may yet come up */
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, 1);
	link->since = (struct monotime){0};
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, 2);
	assert_false(link->told_up);
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, 2);
}

static void a_lie_is_of_this_generation_and_not_of_the_future(void **state)
{
	struct fixture *f = *state;

	lie(f, SESSION_PATH, 1, 7, true);
	lie(f, SESSION_PATH, 2, 0, true); /* no such path */
	lie(f, SESSION_LINK, 999, 0, true);
	assert_false(f->engine.paths[0].known || f->engine.links[0].known ||
		     f->engine.links[1].known);
	assert_int_equal(seen.dirty, 0);
	lie(f, SESSION_PATH, 1, 0, true);
	assert_true(f->engine.paths[0].known);
	assert_true(f->engine.paths[0].since.us <= monotime_now().us);
	assert_int_equal(seen.dirty, 1);
}

static void the_wrong_direction_is_said_once(void **state)
{
	static const struct message m = {.type = MESSAGE_SNAPSHOT};
	struct fixture *f = *state;

	for (int i = 0; i < 1000; i++)
		engine_wire_message(&f->engine, &m);
	assert_int_equal(seen.lines, 1);
}

static void say(struct fixture *f, uint32_t state, uint32_t loss_permille, uint32_t mtu)
{
	struct message m = {.type = MESSAGE_LIVENESS};

	m.u.liveness = (struct message_liveness){.kind = SESSION_PATH,
						 .id = 1,
						 .state = state,
						 .generation = f->engine.generation,
						 .loss_permille = loss_permille,
						 .loss_known = state == BFD_STATE_UP,
						 .mtu = mtu};
	engine_wire_message(&f->engine, &m);
}

static void what_a_path_is_worth_is_a_fact(void **state)
{
	struct fixture *f = *state;
	struct message m = {
	    .type = MESSAGE_LIVENESS,
	    .u.liveness = {
		.kind = SESSION_PATH, .id = 1, .generation = f->engine.generation, .mtu = 1208}};
	unsigned int turns;

	say(f, BFD_STATE_UP, 0, 1416);
	turns = seen.dirty;
	say(f, BFD_STATE_UP, 100, 1416); /* not above ten of a hundred */
	say(f, BFD_STATE_UP, 100, 1416);
	assert_int_equal(seen.dirty, turns);
	say(f, BFD_STATE_UP, 125, 1416);
	assert_true(f->engine.paths[0].degraded);
	assert_int_equal(seen.degraded, 1);
	assert_int_equal(seen.dirty, turns + 1);
	say(f, BFD_STATE_UP, 60, 1416);
	assert_true(f->engine.paths[0].degraded);
	say(f, BFD_STATE_UP, 30, 1416);
	assert_false(f->engine.paths[0].degraded);
	assert_int_equal(seen.better, 1);
	say(f, BFD_STATE_UP, 0, 1208);
	assert_int_equal(seen.mtus, 1);
	assert_int_equal(seen.dirty, turns + 3);
	say(f, BFD_STATE_UP, 0, 1208);
	assert_int_equal(seen.dirty, turns + 3);
	engine_liveness_forget(
	    &f->engine); /* a new life of the wire process: it has not asked yet */
	say(f, BFD_STATE_UP, 0, 0);
	assert_int_equal(f->engine.paths[0].last.mtu, 1208);
	assert_int_equal(seen.mtus, 1);
	say(f, BFD_STATE_UP, 500, 1208);
	assert_int_equal(seen.degraded, 2);
	say(f, BFD_STATE_DOWN, 0, 1208); /* that it fails does not make it better */
	assert_true(f->engine.paths[0].degraded);
	m.u.liveness.state = BFD_STATE_UP; /* and up again, it is measured first */
	engine_wire_message(&f->engine, &m);
	assert_true(f->engine.paths[0].degraded);
	assert_int_equal(seen.better, 1);
	say(f, BFD_STATE_UP, 0, 1208);
	assert_false(f->engine.paths[0].degraded);
	assert_int_equal(seen.better, 2);
	assert_int_equal(seen.degraded, 2);
}

static void say_link(struct fixture *f, uint32_t mtu)
{
	struct message m = {.type = MESSAGE_LIVENESS};

	m.u.liveness = (struct message_liveness){.kind = SESSION_LINK,
						 .id = 101,
						 .state = BFD_STATE_UP,
						 .generation = f->engine.generation,
						 .mtu = mtu};
	engine_wire_message(&f->engine, &m);
}

/* Paths are asked for themselves. */
static void what_a_link_carries_is_said_and_nothing_follows(void **state)
{
	struct fixture *f = *state;
	unsigned int turns;

	say_link(f, 0); /* not asked yet */
	say_link(f, 1440);
	turns = seen.dirty;
	assert_int_equal(seen.link_mtus, 0);
	assert_false(status_link_narrow(&f->engine.links[0], &neighbors[0]));
	say_link(f, 1000);
	say_link(f, 1000);
	assert_int_equal(seen.link_mtus, 1);
	assert_true(status_link_narrow(&f->engine.links[0], &neighbors[0]));
	engine_liveness_forget(&f->engine);
	say_link(f, 0);
	assert_int_equal(f->engine.links[0].last.mtu, 1000);
	say_link(f, 1440);
	assert_int_equal(seen.link_mtus, 2);
	assert_int_equal(seen.mtus, 2);
	assert_int_equal(seen.dirty, turns);
}

/* Silence that may yet be repaired is no change of the path, and a turn at once all the same: there and back. */
static void doubt_is_a_fact(void **state)
{
	struct fixture *f = *state;
	unsigned int turns, events;
	uint64_t changes;

	say(f, BFD_STATE_UP, 0, 1416);
	turns = seen.dirty, events = seen.events, changes = f->engine.paths[0].changes;
	for (uint32_t quiet = 1; quiet < 3; quiet++) {
		struct message m = {.type = MESSAGE_LIVENESS};

		m.u.liveness = (struct message_liveness){.kind = SESSION_PATH,
							 .id = 1,
							 .state = BFD_STATE_UP,
							 .quiet = quiet & 1,
							 .generation = f->engine.generation,
							 .mtu = 1416};
		engine_wire_message(&f->engine, &m);
		engine_wire_message(&f->engine, &m);
		assert_int_equal(f->engine.paths[0].last.quiet, quiet & 1);
		assert_int_equal(seen.dirty, turns + quiet);
	}
	assert_int_equal(seen.events, events);
	assert_int_equal(f->engine.paths[0].changes, changes);
}

static void say_quiet(struct fixture *f, uint32_t state, uint32_t quiet)
{
	struct message m = {.type = MESSAGE_LIVENESS};

	m.u.liveness = (struct message_liveness){.kind = SESSION_PATH,
						 .id = 1,
						 .state = state,
						 .quiet = quiet,
						 .generation = f->engine.generation,
						 .mtu = 1416};
	engine_wire_message(&f->engine, &m);
}

static void many_doubts_are_counted_and_said_once(void **state)
{
	struct fixture *f = *state;
	unsigned int events;

	say_quiet(f, BFD_STATE_UP, 0);
	events = seen.events;
	for (unsigned int i = 1; i <= 100; i++) {
		say_quiet(f, BFD_STATE_UP, 1);
		say_quiet(f, BFD_STATE_UP, 1);
		assert_int_equal(f->engine.paths[0].doubts, i);
		say_quiet(f, BFD_STATE_UP, 0);
		assert_int_equal(seen.damped, i >= 5);
	}
	assert_true(damping_holds(&f->engine.paths[0].damping, monotime_now()));
	assert_int_equal(seen.events, events);
	assert_int_equal(f->engine.paths[0].changes, 0);
	/* where the policy damps no failures, too */
	f->engine.paths[0].damping = (struct damping){0};
	sessions[0].revert_max_ms = 2000;
	for (unsigned int i = 1; i <= 5; i++) {
		say_quiet(f, BFD_STATE_UP, 1);
		say_quiet(f, BFD_STATE_UP, 0);
	}
	sessions[0].revert_max_ms = 60000;
	assert_int_equal(seen.damped, 2);
}

/* What was in doubt and then failed costs one failure, and not a doubt besides. */
static void a_doubt_that_was_right_costs_a_failure(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 1; i <= 2; i++) {
		say_quiet(f, BFD_STATE_UP, 0);
		say_quiet(f, BFD_STATE_UP, 1);
		say_quiet(f, BFD_STATE_DOWN, 1);
		say_quiet(f, BFD_STATE_DOWN, 0);
	}
	assert_int_equal(f->engine.paths[0].doubts, 2);
	assert_in_range(f->engine.paths[0].damping.penalty, DAMPING_FAILURE, 2 * DAMPING_FAILURE);
	assert_int_equal(seen.damped, 0);
}

static void what_fails_often_is_said_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 6; i++) {
		assert_int_equal(seen.damped, i > 2);
		say(f, BFD_STATE_UP, 0, 1416);
		say(f, BFD_STATE_DOWN, 0, 1416);
	}
	assert_true(damping_holds(&f->engine.paths[0].damping, monotime_now()));
	f->engine.paths[0].damping = (struct damping){0};
	sessions[0].revert_max_ms = 2000;
	for (int i = 0; i < 6; i++) {
		say(f, BFD_STATE_UP, 0, 1416);
		say(f, BFD_STATE_DOWN, 0, 1416);
	}
	sessions[0].revert_max_ms = 60000;
	assert_int_equal(seen.damped, 1);
	assert_false(damping_holds(&f->engine.paths[0].damping, monotime_now()));
}

static unsigned int count_read(const struct fixture *f, enum message_type type)
{
	static struct message m;
	unsigned int count = 0;

	event_base_loop(f->engine.base, EVLOOP_NONBLOCK);
	while (recv(f->other, &m, sizeof(m), MSG_DONTWAIT) > 0) {
		count += m.type == (uint32_t)type;
		event_base_loop(f->engine.base, EVLOOP_NONBLOCK);
	}
	return count;
}

static void a_configuration_is_sent_whole(void **state)
{
	struct fixture *f = *state;

	engine_wire_configure(&f->engine);
	assert_false(f->engine.wire_stale);
	assert_int_equal(count_read(f, MESSAGE_SESSION), 3);
	engine_wire_configure(&f->engine);
	assert_int_equal(count_read(f, MESSAGE_COMMIT), 1);
}

/* @return the way of the path in the config. */
static uint32_t way_sent(struct fixture *f)
{
	uint32_t way = 0;
	struct message m;

	engine_wire_configure(&f->engine);
	while (recv(f->other, &m, sizeof(m), MSG_DONTWAIT) > 0)
		if (m.type == MESSAGE_SESSION && m.u.session.kind == SESSION_PATH)
			way = m.u.session.way;
	return way;
}

static void another_way_is_another_number(void **state)
{
	struct fixture *f = *state;
	struct fwd_path *p = &f->engine.release.forwarding.paths[0], was = *p;
	uint32_t before = way_sent(f);

	assert_int_equal(way_sent(f), before);
	p->first_site = 210;
	assert_int_not_equal(way_sent(f), before);
	*p = was;
	p->stack = (struct label_stack){.depth = 1, .label = {16001}};
	assert_int_not_equal(way_sent(f), before);
	*p = was;
	p->preference++; /* that is no matter of the way */
	assert_int_equal(way_sent(f), before);
	*p = was;
}

/* Leaves room in the queue for @room bytes and less than one REFLECT more. */
static void queue_fill(struct fixture *f, size_t room)
{
	static const struct message large = {.type = MESSAGE_SNAPSHOT},
				    small = {.type = MESSAGE_REFLECT};
	size_t left = PAIR_QUEUE_MAX - message_size(MESSAGE_SNAPSHOT) - room;

	while (!pair_busy(f->engine.pair))
		assert_int_equal(pair_send(f->engine.pair, &large), 0);
	for (; left >= message_size(MESSAGE_SNAPSHOT); left -= message_size(MESSAGE_SNAPSHOT))
		assert_int_equal(pair_send(f->engine.pair, &large), 0);
	for (; left >= message_size(MESSAGE_REFLECT); left -= message_size(MESSAGE_REFLECT))
		assert_int_equal(pair_send(f->engine.pair, &small), 0);
}

/* Room for BEGIN and COMMIT, and for no SESSION between them. */
static void a_configuration_without_room_is_not_committed(void **state)
{
	struct fixture *f = *state;

	queue_fill(f, 2 * message_size(MESSAGE_COMMIT));
	engine_wire_configure(&f->engine);
	assert_true(f->engine.wire_stale);
	engine_wire_configure(&f->engine); /* said once */
	assert_int_equal(seen.lines, 1);
	assert_int_equal(count_read(f, MESSAGE_COMMIT), 0);
	engine_wire_configure(&f->engine); /* as the next turn does */
	assert_false(f->engine.wire_stale);
	assert_int_equal(count_read(f, MESSAGE_COMMIT), 1);
}

/* @up_until  0: it never was */
static void say_state(struct fixture *f, enum bfd_state is, uint64_t since, uint64_t up_until)
{
	const struct message m = {
	    .type = MESSAGE_LIVENESS,
	    .u.liveness = {.kind = SESSION_LINK,
			   .id = 101,
			   .state = is,
			   .diagnostic = BFD_DIAG_DETECTION_EXPIRED,
			   .changed_at_us = since,
			   .up_until_us = up_until},
	};

	assert_int_equal(message_check(&m, message_size(MESSAGE_LIVENESS)), 0);
	engine_wire_message(&f->engine, &m);
}

/* The wire process lived on, and has seen what nobody took from it. */
static void what_failed_while_we_were_away_is_said(void **state)
{
	const uint64_t end = 1000000, before = 999999, after = 1000001, later = 1000002;
	struct fixture *f = *state;
	struct engine *e = &f->engine;

	e->last_end.us = end;
	say_state(f, BFD_STATE_DOWN, after, 0); /* it has begun, no more */
	assert_int_equal(seen.events, 0);
	e->links[0].known = false;
	say_state(f, BFD_STATE_DOWN, before, before); /* our last life has said that */
	assert_int_equal(seen.events, 0);
	e->links[0].known = false;
	say_state(f, BFD_STATE_DOWN, after, before); /* it went to Init and back */
	assert_int_equal(seen.events, 0);
	e->links[0].known = false;
	say_state(f, BFD_STATE_DOWN, later, after);
	assert_int_equal(seen.events, 1);
	assert_false(e->links[0].told_up);
	e->links[0].known = false; /* and once */
	say_state(f, BFD_STATE_DOWN, later, after);
	assert_int_equal(seen.events, 1);
}

/* Else each link and path of a gateway would be news whenever its kernel process ends. */
static void what_was_up_before_is_no_news(void **state)
{
	const uint64_t end = 1000000, before = 999999, after = 1000001;
	struct fixture *f = *state;

	f->engine.last_end.us = end;
	say_state(f, BFD_STATE_UP, before, 0);
	assert_int_equal(seen.events, 0);
	assert_true(f->engine.links[0].told_up);
	say_state(f, BFD_STATE_DOWN, after, after);
	assert_int_equal(seen.events, 1);
	say_state(f, BFD_STATE_UP, after, after);
	assert_int_equal(seen.events, 2);
	f->engine.links[0] = (struct status_liveness){.known = false};
	say_state(f, BFD_STATE_UP, after, before); /* it came up meanwhile */
	assert_int_equal(seen.events, 3);
}

/* A line is cut while all of the daemon is away: it never fails in this life, nor comes up. */
static void what_served_before_and_stays_down_is_said(void **state)
{
	struct fixture *f = *state;
	struct status_liveness *links = f->engine.links;

	for (int i = 0; i < 2; i++)
		f->engine.untold = links[i].untold = links[i].unsaid = true;
	engine_untold_tell(&f->engine); /* nothing is heard of them yet */
	lie(f, SESSION_LINK, 101, 0, false);
	lie(f, SESSION_LINK, 210, 0, false);
	engine_untold_tell(&f->engine); /* they may yet come up */
	assert_int_equal(seen.events, 0);
	lie(f, SESSION_LINK, 210, 0, true);
	assert_int_equal(seen.events, 1);
	assert_int_equal(seen.said, BFD_STATE_UP);
	links[0].since = (struct monotime){0};
	engine_untold_tell(&f->engine);
	assert_int_equal(seen.events, 2);
	assert_int_equal(seen.said, BFD_STATE_DOWN);
	engine_untold_tell(&f->engine); /* once */
	assert_int_equal(seen.events, 2);
	lie(f, SESSION_LINK, 101, 0, true);
	assert_int_equal(seen.events, 3);
}

static void say_begun(struct fixture *f, uint64_t since)
{
	const struct message m = {
	    .type = MESSAGE_LIVENESS,
	    .u.liveness = {.kind = SESSION_LINK,
			   .id = 101,
			   .state = BFD_STATE_DOWN,
			   .changed_at_us = since},
	};

	engine_wire_message(&f->engine, &m);
}

/* Both processes end, under one supervisor, and the line is cut meanwhile: no wire process has seen it fail. */
static void what_nobody_watched_is_said(void **state)
{
	const uint64_t end = 1000000, before = 999999, after = 1000001;
	struct fixture *f = *state;
	struct engine *e = &f->engine;

	e->last_end.us = end;
	e->links[0].unsaid = true;
	say_begun(f, after);
	engine_untold_tell(e);
	assert_int_equal(seen.events, 1);
	assert_int_equal(seen.said, BFD_STATE_DOWN);
	e->links[0].known = false; /* the wire process ends once more: that is no news */
	say_begun(f, after);
	engine_untold_tell(e);
	assert_int_equal(seen.events, 1);

	e->links[0] = (struct status_liveness){.unsaid = true};
	say_begun(f, before); /* one that lived on never saw it up */
	engine_untold_tell(e);
	assert_int_equal(seen.events, 1);
	e->links[0] = (struct status_liveness){.unsaid = true};
	say_state(f, BFD_STATE_UP, before, 0);
	engine_untold_tell(e);
	assert_int_equal(seen.events, 1);
	e->links[0] = (struct status_liveness){.unsaid = true};
	say_state(f, BFD_STATE_DOWN, after, after); /* it saw it fail: said at once, and so once */
	engine_untold_tell(e);
	assert_int_equal(seen.events, 2);
}

/* Of a line that leads one way alone the neighbour hears nothing, and we hear that it is down. */
static void what_is_not_up_is_said_to_be_down(void **state)
{
	struct fixture *f = *state;

	f->engine.last_end.us = 1000000;
	say_state(f, BFD_STATE_INIT, 1000002, 1000001);
	assert_int_equal(seen.events, 1);
	assert_int_equal(seen.said, BFD_STATE_DOWN);
	assert_int_equal(f->engine.links[0].last.state, BFD_STATE_INIT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(lies_at_any_rate_leave_few_lines),
	    CASE(one_that_flaps_keeps_nobody_else_silent),
	    CASE(what_was_not_said_is_said_later),
	    CASE(what_was_said_is_not_said_again),
	    CASE(who_falls_between_two_lives_is_said_to_be_down),
	    CASE(what_failed_while_we_were_away_is_said),
	    CASE(what_was_up_before_is_no_news),
	    CASE(what_served_before_and_stays_down_is_said),
	    CASE(what_nobody_watched_is_said),
	    CASE(what_is_not_up_is_said_to_be_down),
	    CASE(a_lie_is_of_this_generation_and_not_of_the_future),
	    CASE(what_a_path_is_worth_is_a_fact),
	    CASE(what_a_link_carries_is_said_and_nothing_follows),
	    CASE(doubt_is_a_fact),
	    CASE(many_doubts_are_counted_and_said_once),
	    CASE(a_doubt_that_was_right_costs_a_failure),
	    CASE(what_fails_often_is_said_once),
	    CASE(the_wrong_direction_is_said_once),
	    CASE(a_configuration_is_sent_whole),
	    CASE(another_way_is_another_number),
	    CASE(a_configuration_without_room_is_not_committed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
