/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes between the kernel process and the wire process. A config has a generation;
 * liveness of another generation is of sessions that are no more.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

static void send_or_log(struct engine *e, const struct message *m)
{
	int err = pair_send(e->pair, m);

	if (err)
		log_error("wire process: %s", tuyen_strerror(err));
}

static void send_session(struct engine *e, enum session_kind kind, uint32_t id, ipv4_t local,
			 ipv4_t remote, uint32_t reflector, const struct probe_timers *probe)
{
	struct message m = {.type = MESSAGE_SESSION};

	m.u.session = (struct message_session){
		.kind = kind,
		.id = id,
		.local = local,
		.remote = remote,
		.remote_discriminator = reflector,
		.interval_us = probe->interval_us,
		.multiplier = probe->multiplier,
	};
	if (kind == SESSION_LINK)
		memcpy(m.u.session.device, LINK_DEVICE, sizeof(LINK_DEVICE));
	send_or_log(e, &m);
}

/* An endpoint of other sites' paths answers their probes; a pure head-end answers nobody. */
static void send_reflector(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct message m = {.type = MESSAGE_REFLECT};

	if (!f->return_count)
		return;
	m.u.reflect = (struct message_reflect){f->node_address, f->site_id};
	send_or_log(e, &m);
}

void engine_wire_configure(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct message m = {.type = MESSAGE_BEGIN};

	if (!e->release.status.have)
		return;
	m.generation = ++e->generation;
	send_or_log(e, &m);
	for (size_t i = 0; i < f->neighbor_count; i++)
		send_session(e, SESSION_LINK, f->neighbors[i].site_id, f->link_address,
			     f->neighbors[i].link_address, 0, &f->neighbors[i].probe);
	for (size_t i = 0; i < f->path_count; i++)
		send_session(e, SESSION_PATH, f->paths[i].index, f->paths[i].source,
			     f->paths[i].endpoint, f->paths[i].reflector, &f->paths[i].probe);
	send_reflector(e);
	m.type = MESSAGE_COMMIT;
	send_or_log(e, &m);
}

void engine_event(struct engine *e, struct text *line)
{
	if (e->pair && !line->failed)
		pair_send_text(e->pair, MESSAGE_EVENT, 0, 0, line->bytes, line->length);
}

static void status_input_fill(const struct engine *e, struct status_input *in)
{
	*in = (struct status_input){
		.now = monotime_now(),
		.wall_s = (int64_t)time(NULL),
		.started = e->started,
		.turns = e->turns,
		.operations = e->operations,
		.netlink_messages = e->netlink_messages,
		.drift_repairs = e->drift_repairs,
		.last_failure = e->last_failure,
		.release = e->release.status,
		.refusals = e->refusals,
		.refusal_count = e->refusal_count,
		.forwarding = e->release.status.have ? &e->release.forwarding : NULL,
		.actual = e->actual,
		.active = &e->active,
		.links = e->links,
		.paths = e->paths,
		.checks = e->checks,
		.check_count = e->check_count,
	};
}

void engine_publish(struct engine *e)
{
	struct status_input in;
	struct text json;

	if (!e->pair || pair_busy(e->pair))
		return; /* the wire process is away or slow: the next one will do */
	text_init(&json);
	status_input_fill(e, &in);
	status_document(&in, &json);
	if (!json.failed)
		pair_send_text(e->pair, MESSAGE_SNAPSHOT, e->generation, 0, json.bytes, json.length);
	text_clear(&json);
}

static struct status_liveness *liveness_find(struct engine *e, const struct message_liveness *l)
{
	const struct forwarding *f = &e->release.forwarding;

	if (!e->release.status.have)
		return NULL;
	if (l->kind == SESSION_LINK) {
		const struct fwd_neighbor *n = forwarding_neighbor(f, l->id);

		return n ? &e->links[n - f->neighbors] : NULL;
	}
	if (l->kind == SESSION_PATH && l->id <= SITE_PATHS_MAX) {
		const struct fwd_path *p = forwarding_path(f, (uint8_t)l->id);

		return p ? &e->paths[p - f->paths] : NULL;
	}
	return NULL;
}

static void announce(struct engine *e, const struct message_liveness *l)
{
	const struct forwarding *f = &e->release.forwarding;
	int64_t wall_s = (int64_t)time(NULL);
	struct text line;

	text_init(&line);
	if (l->kind == SESSION_LINK)
		status_event_link(forwarding_neighbor(f, l->id), l, wall_s, &line);
	else
		status_event_path(f, forwarding_path(f, (uint8_t)l->id), l, wall_s, &line);
	log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
}

/* The clock is the machine's, but a broken wire process must not move a state into the future. */
static struct monotime past(uint64_t us)
{
	struct monotime now = monotime_now();

	return us < now.us ? (struct monotime){us} : now;
}

static void take_liveness(struct engine *e, const struct message_liveness *l)
{
	struct status_liveness *known = liveness_find(e, l);
	bool was_up, is_up, changed;

	if (!known || l->generation != e->generation)
		return;
	was_up = known->known && known->last.state == BFD_STATE_UP;
	is_up = l->state == BFD_STATE_UP;
	changed = !known->known || known->last.state != l->state;
	if (changed) {
		known->changes += known->known && was_up != is_up;
		known->since = past(l->changed_at_us);
	}
	known->last = *l;
	known->known = true;
	if (was_up != is_up)
		announce(e, l);
	if (changed && l->kind == SESSION_PATH)
		engine_dirty(e, true);
}

/* A new life of the wire process: its sessions start from Down, which is no evidence against a path. */
static void forget_liveness(struct engine *e)
{
	for (size_t i = 0; i < e->release.forwarding.neighbor_count; i++)
		e->links[i].known = false;
	for (size_t i = 0; i < e->release.forwarding.path_count; i++)
		e->paths[i].known = false;
}

static void answer(struct engine *e, uint32_t request, unsigned int status, struct text *t)
{
	if (t->failed || pair_send_text(e->pair, MESSAGE_ANSWER, request, status, text_string(t),
					t->length) < 0)
		log_error("an answer to the control socket was lost");
}

static void command_status(struct engine *e)
{
	struct kernel_state *desired = NULL, *actual = NULL;
	struct kernel_plan *plan = NULL;
	struct active_paths active;
	struct monotime next;
	struct reason reason;

	if (engine_look(e, &desired, &actual, &plan, &active, &next, &reason) == 0) {
		kernel_plan_free(plan);
		kernel_state_free(desired);
		kernel_state_free(e->actual);
		e->actual = actual;
	}
	engine_publish(e);
}

static void command_plan(struct engine *e, uint32_t request)
{
	struct kernel_state *desired = NULL, *actual = NULL;
	struct kernel_plan *plan = NULL;
	struct active_paths active;
	struct monotime next;
	struct reason reason;
	struct text t;
	unsigned int status = 0;

	text_init(&t);
	if (engine_look(e, &desired, &actual, &plan, &active, &next, &reason) == 0) {
		kernel_plan_print(plan, &t);
		kernel_plan_free(plan);
		kernel_state_free(desired);
		kernel_state_free(actual);
	} else {
		text_printf(&t, "error: %s\n", reason.text);
		status = 2;
	}
	answer(e, request, status, &t);
	text_clear(&t);
}

static void command_reload(struct engine *e, uint32_t request)
{
	struct text t;
	unsigned int status;

	text_init(&t);
	engine_take_incoming(e, &t, &status);
	answer(e, request, status, &t);
	text_clear(&t);
}

static void take_command(struct engine *e, const struct message_command *c)
{
	switch ((enum command_kind)c->kind) {
	case COMMAND_RELOAD:
		command_reload(e, c->request);
		break;
	case COMMAND_PLAN:
		command_plan(e, c->request);
		break;
	case COMMAND_STATUS:
		command_status(e);
		break;
	}
}

void engine_wire_message(void *context, const struct message *message)
{
	struct engine *e = context;

	switch ((enum message_type)message->type) {
	case MESSAGE_HELLO:
		log_info("wire process is here");
		forget_liveness(e);
		engine_wire_configure(e);
		engine_publish(e);
		break;
	case MESSAGE_LIVENESS:
		take_liveness(e, &message->u.liveness);
		break;
	case MESSAGE_COMMAND:
		take_command(e, &message->u.command);
		break;
	case MESSAGE_BEGIN:
	case MESSAGE_SESSION:
	case MESSAGE_REFLECT:
	case MESSAGE_COMMIT:
	case MESSAGE_SNAPSHOT:
	case MESSAGE_EVENT:
	case MESSAGE_ANSWER:
		log_error("wire process sent a message of the wrong direction");
		break;
	}
}
