/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the wire process asks for, and through it whoever holds the control socket. None of it is
 * served where it is read: a link that goes down waits in the same queue. All that has come in is
 * served together, by one look at the kernel, and then the engine rests from it for four times as
 * long as that took; so neither thirty-two clients nor a wire process that was taken over get more
 * than a fifth of its time.
 */
#include <string.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/plan.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define REST_MIN_US   50000u
#define REST_OF_SERVE 4u

static void serve_soon(struct engine_requests *r)
{
	uint64_t us = monotime_between(monotime_now(), r->rest_until);
	struct timeval tv = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	if (!event_pending(r->event, EV_TIMEOUT, NULL))
		event_add(r->event, &tv);
}

static bool list_add(struct engine_request_list *list, uint32_t request)
{
	if (list->count == ENGINE_REQUESTS_MAX)
		return false;
	list->request[list->count++] = request;
	return true;
}

void engine_request_hello(struct engine *e)
{
	e->requests.hello = true;
	serve_soon(&e->requests);
}

void engine_request_incoming(struct engine *e)
{
	e->requests.incoming = true;
	serve_soon(&e->requests);
}

void engine_request_take(struct engine *e, const struct message_command *command)
{
	struct engine_requests *r = &e->requests;
	bool taken = true;

	switch ((enum command_kind)command->kind) {
	case COMMAND_RELOAD:
		taken = list_add(&r->reload, command->request);
		break;
	case COMMAND_PLAN:
		taken = list_add(&r->plan, command->request);
		break;
	case COMMAND_STATUS:
		r->status = true;
		break;
	}
	r->ignored += !taken; /* more than there can be clients: nobody waits for it */
	serve_soon(r);
}

static void answer_all(struct engine *e, struct engine_request_list *list, unsigned int status,
		       const struct text *t)
{
	int err = t->failed ? -TUYEN_ENOMEM : 0;

	for (size_t i = 0; i < list->count && !err; i++)
		err = pair_send_text(e->pair, MESSAGE_ANSWER, list->request[i], status,
				     text_string(t), t->length);
	if (err)
		log_error("an answer to the control socket was lost: %s", tuyen_strerror(err));
	list->count = 0;
}

static void serve_hello(struct engine *e)
{
	if (!e->requests.hello)
		return;
	e->requests.hello = false;
	log_info("wire process is here");
	engine_liveness_forget(e);
	engine_wire_configure(e);
	e->requests.status = true;
}

static void serve_reload(struct engine *e)
{
	struct text t;
	unsigned int status;

	if (!e->requests.reload.count && !e->requests.incoming)
		return;
	e->requests.incoming = false;
	text_init(&t);
	engine_reload(e, &t, &status);
	if (status) /* who reads of a refusal and asks for the status finds it there; what is taken has a turn */
		engine_publish(e);
	answer_all(e, &e->requests.reload, status, &t);
	text_clear(&t);
}

/*
 * One look serves both: its words are the plan, what it read is the status. Who asks while it reads asks of what comes after, and
 * has the next.
 */
static void serve_look(struct engine *e)
{
	struct engine_request_list plans = e->requests.plan;
	bool status_wanted = e->requests.status;
	struct kernel_state *desired = NULL, *actual = NULL;
	struct kernel_plan *plan = NULL;
	struct active_paths active;
	struct monotime next, looked_at = monotime_now();
	struct reason reason;
	struct text t;
	unsigned int status = 0;

	if (!status_wanted && !plans.count)
		return;
	e->requests.plan.count = 0;
	e->requests.status = false;
	text_init(&t);
	if (engine_look(e, &desired, &actual, &plan, &active, &next, &reason) == 0) {
		if (plans.count)
			kernel_plan_print(plan, &t);
		engine_actual_take(e, actual, looked_at, !plan->count);
		if (plan->count)
			engine_turn_after_rest(e);
		kernel_plan_free(plan);
		kernel_state_free(desired);
	} else {
		text_printf(&t, "error: %s\n", reason.text);
		status = 2;
	}
	answer_all(e, &plans, status, &t);
	text_clear(&t);
	if (status_wanted)
		engine_publish(e);
}

void engine_requests_serve(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;
	struct monotime begin = monotime_now(), end;
	uint64_t rest;

	(void)fd, (void)what;
	serve_hello(e);
	serve_reload(e);
	serve_look(e);
	end = monotime_now();
	rest = monotime_between(begin, end) * REST_OF_SERVE;
	e->requests.rest_until = monotime_after(end, rest > REST_MIN_US ? rest : REST_MIN_US);
	if (event_pending(e->requests.event, EV_TIMEOUT, NULL)) { /* heard meanwhile */
		event_del(e->requests.event);
		serve_soon(&e->requests);
	}
}
