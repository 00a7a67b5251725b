/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire process: one libevent loop, in which the sessions (wire_sessions.c), the pair to the
 * kernel process and the control socket meet. It knows nothing but what the kernel process told it,
 * and outlives it: when the kernel process begins a new life, sessions run on until its next
 * COMMIT, so that its restart is no flap.
 *
 * Reports are not queued: each session remembers that its newest state is not yet told. When the
 * pair is full they wait there, and what happened meanwhile is told once.
 *
 * A config that cannot be taken, for want of memory say, is asked for again a second later: the kernel process hears nothing of sessions
 * that are of a config before its last.
 */
#include "tuyen/service/wire.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/service/control_server.h"
#include "tuyen/service/log.h"
#include "tuyen/service/pair.h"
#include "tuyen/service/wire_sessions.h"

struct wire {
	struct event_base *base;
	struct event *terminate, *interrupt, *alive, *ask_again;
	int alive_fd;
	struct pair *pair;
	struct wire_sessions *sessions;
	struct control_server *control;
	uint64_t refused;	     /* well-formed messages out of place */
	bool stopping, unconfigured; /* the newest config could not be taken */
	struct message report;
};

static void reports_send(void *context)
{
	struct wire *wire = context;

	if (!wire->pair)
		return;
	while (!pair_busy(wire->pair) && wire_sessions_report_next(wire->sessions, &wire->report)) {
		if (pair_send(wire->pair, &wire->report) < 0)
			return;
		wire_sessions_report_done(wire->sessions);
	}
}

static int hello_send(struct wire *wire)
{
	struct message m = {.type = MESSAGE_HELLO};

	return pair_send(wire->pair, &m);
}

/* Counters are only as fresh as the last report, and a status wants them. */
static int command_send(void *context, enum command_kind kind, uint32_t request)
{
	struct wire *wire = context;
	struct message m = {.type = MESSAGE_COMMAND};

	m.u.command = (struct message_command){.kind = kind, .request = request};
	if (kind == COMMAND_STATUS) {
		wire_sessions_report_all(wire->sessions);
		reports_send(wire);
	}
	return pair_send(wire->pair, &m);
}

static void kernel_restarted(struct wire *wire)
{
	wire_sessions_abandon(wire->sessions);
	wire_sessions_report_all(wire->sessions);
	reports_send(wire);
	if (wire->control)
		control_server_kernel_restarted(wire->control);
}

static int message_take(struct wire *wire, const struct message *m)
{
	switch ((enum message_type)m->type) {
	case MESSAGE_HELLO:
		kernel_restarted(wire);
		return 0;
	case MESSAGE_BEGIN:
		wire_sessions_begin(wire->sessions, m->generation);
		return 0;
	case MESSAGE_SESSION:
		return wire_sessions_add(wire->sessions, &m->u.session);
	case MESSAGE_REFLECT:
		return wire_sessions_add_reflector(wire->sessions, &m->u.reflect);
	case MESSAGE_COMMIT:
		return wire_sessions_commit(wire->sessions, m->generation);
	case MESSAGE_SNAPSHOT:
	case MESSAGE_EVENT:
	case MESSAGE_ANSWER:
		if (wire->control)
			control_server_piece(wire->control, (enum message_type)m->type,
					     &m->u.piece);
		return 0;
	case MESSAGE_LIVENESS:
	case MESSAGE_COMMAND:
		return -TUYEN_EINVAL; /* ours to send */
	}
	return -TUYEN_EINVAL;
}

static void ask_again(evutil_socket_t number, short events, void *context)
{
	struct wire *wire = context;

	(void)number;
	(void)events;
	if (wire->pair)
		hello_send(wire);
}

static void commit_ended(struct wire *wire, int err)
{
	static const struct timeval second = {1, 0};
	bool was = wire->unconfigured;

	wire->unconfigured = err != 0;
	if (err)
		event_add(wire->ask_again, &second);
	else
		event_del(wire->ask_again);
	if (err && !was)
		log_error("the config cannot be taken, the one before stays: %s; asked for again "
			  "each second",
			  tuyen_strerror(err));
	else if (was && !err)
		log_info("the config is taken");
}

static void message_received(void *context, const struct message *message)
{
	struct wire *wire = context;
	int err = message_take(wire, message);

	if (message->type == MESSAGE_COMMIT)
		commit_ended(wire, err);
	if (!err || message->type == MESSAGE_COMMIT)
		return;
	if (!wire->refused++)
		log_warning("kernel process: message %u refused: %s", message->type,
			    tuyen_strerror(err));
}

static void pair_closed(void *context)
{
	struct wire *wire = context;

	event_base_loopbreak(wire->base);
}

/* A supervisor that does not read for a while costs nothing: the pipe is full and the byte is lost.
 * @return false when there is none any more. */
static bool alive_say(const struct wire *wire)
{
	return !wire->alive || write(wire->alive_fd, ".", 1) >= 0 || errno != EPIPE;
}

static void alive_tell(evutil_socket_t number, short events, void *context)
{
	struct wire *wire = context;

	(void)number;
	(void)events;
	if (!alive_say(wire))
		event_base_loopbreak(wire->base);
}

static void terminated(evutil_socket_t number, short events, void *context)
{
	struct wire *wire = context;

	(void)number;
	(void)events;
	if (!wire->stopping ||
	    !alive_say(wire)) /* systemd says it to all, and the supervisor again */
		event_base_loopbreak(wire->base);
}

static bool alive_open(struct wire *wire, int fd)
{
	const struct timeval second = {1, 0};

	if (fd < 0)
		return true;
	wire->alive_fd = fd;
	wire->alive = event_new(wire->base, -1, EV_PERSIST, alive_tell, wire);
	return wire->alive && !event_add(wire->alive, &second);
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (!event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER))
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static bool wire_open(struct wire *wire, const struct wire_options *options)
{
	wire->base = base_new();
	if (!wire->base)
		return false;
	wire->terminate = evsignal_new(wire->base, SIGTERM, terminated, wire);
	wire->interrupt = evsignal_new(wire->base, SIGINT, terminated, wire);
	wire->ask_again = evtimer_new(wire->base, ask_again, wire);
	wire->sessions = wire_sessions_new(wire->base, reports_send, wire);
	wire->pair = pair_new(wire->base, options->pair_fd, message_received, pair_closed, wire);
	if (!wire->terminate || !wire->interrupt || !wire->ask_again || !wire->sessions ||
	    !wire->pair)
		return false;
	if (options->control_fd >= 0) {
		wire->control =
		    control_server_new(wire->base, options->control_fd, command_send, wire);
		if (!wire->control)
			return false;
	}
	return alive_open(wire, options->alive_fd) && !event_add(wire->terminate, NULL) &&
	       !event_add(wire->interrupt, NULL) && !hello_send(wire);
}

static void counters_log(const struct wire *wire)
{
	const struct wire_counters *c = wire_sessions_counters(wire->sessions);

	log_info("stopping: %llu packets of no session, %llu not reflected, %llu sends and %llu "
		 "opens failed, "
		 "%llu messages refused",
		 (unsigned long long)c->unmatched, (unsigned long long)c->not_reflected,
		 (unsigned long long)c->send_failures, (unsigned long long)c->open_failures,
		 (unsigned long long)(wire->refused + pair_rejected(wire->pair)));
}

static void wire_close(struct wire *wire)
{
	control_server_free(wire->control);
	wire_sessions_free(wire->sessions);
	pair_free(wire->pair);
	if (wire->terminate)
		event_free(wire->terminate);
	if (wire->interrupt)
		event_free(wire->interrupt);
	if (wire->ask_again)
		event_free(wire->ask_again);
	if (wire->alive)
		event_free(wire->alive);
	if (wire->base)
		event_base_free(wire->base);
	free(wire);
}

/* What asks meanwhile waits for the next life. That waits for the end of this one only where there is a supervisor: without him it may be
 * here by now, wants the ports, and what was said again would end its sessions. */
static void farewell_say(struct wire *wire)
{
	uint64_t us = wire_sessions_shut_down(wire->sessions);
	const struct timeval wait = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	wire->stopping = true;
	control_server_free(wire->control);
	wire->control = NULL;
	pair_free(wire->pair);
	wire->pair = NULL;
	if (alive_say(wire) && !event_base_loopexit(wire->base, &wait))
		event_base_dispatch(wire->base);
}

int wire_run(const struct wire_options *options)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	bool opened;

	if (!wire)
		return EX_OSERR;
	signal(SIGHUP, SIG_IGN); /* it has nothing to look at again */
	opened = wire_open(wire, options);
	if (opened) {
		event_base_dispatch(wire->base);
		counters_log(wire);
		farewell_say(wire);
	} else {
		log_error("wire process: event loop: no memory or no descriptors");
	}
	wire_close(wire);
	return opened ? 0 : EX_OSERR;
}
