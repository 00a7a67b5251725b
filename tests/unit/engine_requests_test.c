/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_requests.c daemon/service/pair.c daemon/service/clock.c
// link: daemon/core/message.c daemon/base/err.c daemon/base/text.c
// libs: -levent_core
/* The engine behind is a double that counts: a look takes 10 ms, as on a small site. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/plan.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define LOOK_US 10000

static struct {
	unsigned int looks, reloads, configures, published, turns;
	bool refuses;
	size_t waiting; /* requests that were not answered when the status was published */
	size_t planned; /* operations of each look */
	void (*meanwhile)(struct engine *e);
} seen;

int engine_look(struct engine *e, struct kernel_state **ret_desired,
		struct kernel_state **ret_actual, struct kernel_plan **ret_plan,
		struct active_paths *ret_active, struct monotime *ret_next_look,
		struct reason *reason)
{
	(void)ret_active, (void)ret_next_look, (void)reason;
	*ret_desired = *ret_actual = NULL;
	*ret_plan = calloc(1, sizeof(**ret_plan));
	if (*ret_plan)
		(*ret_plan)->count = seen.planned;
	seen.looks++;
	usleep(LOOK_US);
	if (seen.meanwhile)
		seen.meanwhile(e);
	return *ret_plan ? 0 : -TUYEN_ENOMEM;
}

void engine_actual_take(struct engine *e, struct kernel_state *actual, struct monotime at,
			bool settled)
{
	(void)e, (void)actual, (void)at, (void)settled;
}

void engine_turn_after_rest(struct engine *e)
{
	(void)e;
	seen.turns++;
}

void engine_reload(struct engine *e, struct text *ret_answer, unsigned int *ret_status)
{
	(void)e;
	text_add(ret_answer, "nothing in incoming\n");
	*ret_status = seen.refuses;
	seen.reloads++;
}

void engine_wire_configure(struct engine *e)
{
	(void)e;
	seen.configures++;
}

void engine_publish(struct engine *e)
{
	seen.published++;
	seen.waiting = e->requests.reload.count;
}

void engine_liveness_forget(struct engine *e)
{
	(void)e;
}

void kernel_plan_print(const struct kernel_plan *plan, struct text *ret_text)
{
	(void)plan;
	text_add(ret_text, "nothing to do\n");
}

void kernel_plan_free(struct kernel_plan *plan)
{
	free(plan);
}

void kernel_state_free(struct kernel_state *state)
{
	(void)state;
}

void log_write(enum log_level level, const char *format, ...)
{
	(void)level, (void)format;
}

struct fixture {
	struct engine engine;
	int ours, other;
};

static void on_message(void *context, const struct message *message)
{
	struct engine *e = context;

	if (message->type == MESSAGE_HELLO)
		engine_request_hello(e);
	else
		engine_request_take(e, &message->u.command);
}

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
	e->requests.event = evtimer_new(e->base, engine_requests_serve, e);
	e->pair = pair_new(e->base, ends[0], on_message, NULL, e);
	*state = f;
	return e->pair ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pair_free(f->engine.pair);
	event_free(f->engine.requests.event);
	event_base_free(f->engine.base);
	close(f->ours);
	close(f->other);
	free(f);
	return 0;
}

static void say(const struct fixture *f, enum message_type type, enum command_kind kind,
		uint32_t request)
{
	struct message m = {.type = type};

	if (type == MESSAGE_COMMAND)
		m.u.command = (struct message_command){kind, request};
	send(f->other, &m, message_size(type), MSG_DONTWAIT); /* full: as a flood is */
}

static void run_for(struct fixture *f, uint64_t us, void (*each)(struct fixture *f))
{
	struct monotime end = monotime_after(monotime_now(), us);

	while (!monotime_reached(monotime_now(), end)) {
		if (each)
			each(f);
		event_base_loop(f->engine.base, EVLOOP_NONBLOCK);
	}
}

/* A busy machine may take its time: a look, and the rest after it, which is four times as long. */
static void run_until(struct fixture *f, const unsigned int *count, unsigned int wanted)
{
	struct monotime end = monotime_after(monotime_now(), 10000000);

	while (*count < wanted && !monotime_reached(monotime_now(), end))
		event_base_loop(f->engine.base, EVLOOP_NONBLOCK);
	assert_int_equal(*count, wanted);
}

static unsigned int answers(const struct fixture *f, uint32_t *ret_last)
{
	static struct message m;
	unsigned int count = 0;

	while (recv(f->other, &m, sizeof(m), MSG_DONTWAIT) > 0) {
		assert_int_equal(m.type, MESSAGE_ANSWER);
		*ret_last = m.u.piece.request;
		count++;
	}
	return count;
}

static void plans_that_wait_together_cost_one_look(void **state)
{
	struct fixture *f = *state;
	uint32_t last = 0;

	for (uint32_t i = 1; i <= 5; i++)
		say(f, MESSAGE_COMMAND, COMMAND_PLAN, i);
	say(f, MESSAGE_COMMAND, COMMAND_STATUS, 0);
	run_until(f, &seen.looks, 1);
	assert_int_equal(seen.published, 1);
	assert_int_equal(answers(f, &last), 5);
	assert_int_equal(last, 5);
}

static void a_look_that_finds_drift_asks_for_a_turn(void **state)
{
	struct fixture *f = *state;

	say(f, MESSAGE_COMMAND, COMMAND_STATUS, 0);
	run_until(f, &seen.looks, 1);
	assert_int_equal(seen.turns, 0);
	seen.planned = 1;
	say(f, MESSAGE_COMMAND, COMMAND_STATUS, 0);
	run_until(f, &seen.looks, 2);
	assert_int_equal(seen.turns, 1);
}

static int other_end;

static void a_second_plan_comes(struct engine *e)
{
	struct message m = {.type = MESSAGE_COMMAND, .u.command = {COMMAND_PLAN, 2}};

	seen.meanwhile = NULL;
	send(other_end, &m, message_size(m.type), 0);
	pair_receive(e->pair);
}

/* Of what the look has read already, somebody may have changed something before he asks. */
static void what_is_asked_during_a_look_has_one_of_its_own(void **state)
{
	struct fixture *f = *state;
	uint32_t last = 0;

	other_end = f->other;
	seen.meanwhile = a_second_plan_comes;
	say(f, MESSAGE_COMMAND, COMMAND_PLAN, 1);
	run_until(f, &seen.looks, 1);
	assert_int_equal(answers(f, &last), 1);
	assert_int_equal(last, 1);
	run_until(f, &seen.looks, 2);
	assert_int_equal(answers(f, &last), 1);
	assert_int_equal(last, 2);
}

static void each_kind_is_answered_as_it_comes(void **state)
{
	struct fixture *f = *state;
	uint32_t last = 0;

	say(f, MESSAGE_COMMAND, COMMAND_RELOAD, 7);
	run_until(f, &seen.reloads, 1);
	assert_int_equal(seen.looks, 0);
	assert_int_equal(answers(f, &last), 1);
	assert_int_equal(last, 7);
	say(f, MESSAGE_HELLO, 0, 0);
	run_until(f, &seen.published, 1);
	assert_int_equal(seen.configures, 1);
}

/* Who is told of it may ask for the status at once. */
static void a_refusal_is_in_the_status_before_it_is_answered(void **state)
{
	struct fixture *f = *state;
	uint32_t last = 0;

	say(f, MESSAGE_COMMAND, COMMAND_RELOAD, 7);
	run_until(f, &seen.reloads, 1);
	assert_int_equal(seen.published, 0);
	seen.refuses = true;
	say(f, MESSAGE_COMMAND, COMMAND_RELOAD, 8);
	run_until(f, &seen.published, 1);
	assert_int_equal(seen.waiting, 1);
	assert_int_equal(answers(f, &last), 2);
	assert_int_equal(last, 8);
}

static void flood(struct fixture *f)
{
	static uint32_t request;

	for (int i = 0; i < 64; i++) {
		say(f, MESSAGE_COMMAND, COMMAND_PLAN, ++request);
		say(f, MESSAGE_COMMAND, COMMAND_RELOAD, ++request);
		say(f, MESSAGE_COMMAND, COMMAND_STATUS, ++request);
		say(f, MESSAGE_HELLO, 0, 0);
	}
}

/* Half a second of a flood: a look of 10 ms each 50 ms, and not one a request. */
static void a_flood_takes_a_fifth_of_the_time(void **state)
{
	struct fixture *f = *state;

	run_for(f, 500000, flood);
	assert_in_range(seen.looks, 1, 11);
	assert_in_range(seen.configures, 1, 11);
	assert_in_range(seen.reloads, 1, 11);
	assert_true(f->engine.requests.ignored > 0);
	assert_true(f->engine.requests.plan.count <= ENGINE_REQUESTS_MAX);
}

static void a_hello_comes(struct engine *e)
{
	struct message m = {.type = MESSAGE_HELLO};

	send(other_end, &m, message_size(m.type), 0);
	pair_receive(e->pair);
}

static void what_each_look_hears_takes_no_more_either(void **state)
{
	struct fixture *f = *state;

	other_end = f->other;
	seen.meanwhile = a_hello_comes;
	say(f, MESSAGE_HELLO, 0, 0);
	run_for(f, 500000, NULL);
	assert_in_range(seen.looks, 2, 11);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(plans_that_wait_together_cost_one_look),
	    CASE(a_look_that_finds_drift_asks_for_a_turn),
	    CASE(each_kind_is_answered_as_it_comes),
	    CASE(a_refusal_is_in_the_status_before_it_is_answered),
	    CASE(what_is_asked_during_a_look_has_one_of_its_own),
	    CASE(a_flood_takes_a_fifth_of_the_time),
	    CASE(what_each_look_hears_takes_no_more_either),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
