/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's server. A client is a small machine: it reads one request line, waits for
 * its answer, writes it, ends; or it watches. STATUS is served from the newest snapshot; one that
 * is older than a second is refreshed first, and if the kernel process does not answer in time the
 * old one is served as it is. A gateway's is megabytes: there is one, for all who read it.
 *
 * Nothing here is trusted by the kernel process, and nothing a client does can make it wait.
 */
#include "tuyen/service/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/base/monotime.h"
#include "tuyen/base/text.h"
#include "tuyen/client/control.h"
#include "tuyen/service/clock.h"

#define SNAPSHOT_FRESH_US 1000000u
#define REFRESH_WAIT_US	  2000000u
#define CLIENT_TIME_S	  20	    /* for the whole of a request that is not WATCH */
#define WATCH_BACKLOG_MAX 262144u   /* bytes that a watcher may be behind */
#define EARLY_US	  10000000u /* from the start: who watched the last life is back by then */

enum client_stage {
	CLIENT_FREE = 0,
	CLIENT_REQUEST, /* reading its line */
	CLIENT_STATUS,	/* waiting for a snapshot */
	CLIENT_ANSWER,	/* waiting for the kernel process */
	CLIENT_WRITE,	/* writing, then the end */
	CLIENT_WATCH,
};

struct snapshot {
	unsigned int holders; /* the server, if it is the newest, and who is reading it */
	struct text text;
};

struct client {
	struct control_server *server;
	enum client_stage stage;
	uid_t user;
	int fd;
	struct event *io, *timeout;
	char line[CONTROL_REQUEST_MAX];
	size_t line_length;
	uint32_t request;
	struct text out;
	size_t written;
	struct snapshot *snapshot; /* comes after @out; or NULL */
	size_t snapshot_written;
};

struct control_server {
	struct event_base *base;
	struct event *listener, *listen_again, *refresh_timeout;
	control_command_fn command;
	void *context;
	struct client clients[CONTROL_CLIENTS_MAX];
	uint32_t next_request;
	struct snapshot *snapshot; /* NULL before the first */
	struct text snapshot_next, answer, event;
	struct monotime snapshot_at;
	bool refreshing;
	uint32_t answer_request;
	struct text early; /* events until then, for who watches later */
	struct monotime early_until;
};

static void snapshot_release(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->holders)
		return;
	text_clear(&snapshot->text);
	free(snapshot);
}

static void client_close(struct client *c)
{
	if (c->io)
		event_free(c->io);
	if (c->timeout)
		event_free(c->timeout);
	close(c->fd);
	text_clear(&c->out);
	snapshot_release(c->snapshot);
	*c = (struct client){.server = c->server, .fd = -1};
}

static void client_io(evutil_socket_t fd, short what, void *context);

static void client_want(struct client *c, short what)
{
	event_del(c->io);
	event_assign(c->io, c->server->base, c->fd, what | EV_PERSIST, client_io, c);
	event_add(c->io, NULL);
}

/* What is to be written next. @return its length, 0 for nothing. */
static size_t client_rest(const struct client *c, const char **ret_bytes)
{
	const struct text *shared = c->snapshot ? &c->snapshot->text : NULL;

	if (c->written < c->out.length) {
		*ret_bytes = c->out.bytes + c->written;
		return c->out.length - c->written;
	}
	if (!shared || c->snapshot_written == shared->length)
		return 0;
	*ret_bytes = shared->bytes + c->snapshot_written;
	return shared->length - c->snapshot_written;
}

/* Writes what it can. @return false when the client is gone. */
static bool client_flush(struct client *c)
{
	const char *bytes;
	size_t length;

	while ((length = client_rest(c, &bytes))) {
		ssize_t n = send(c->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			client_want(c, EV_READ | EV_WRITE);
			return true;
		}
		if (n < 0) {
			client_close(c);
			return false;
		}
		*(c->written < c->out.length ? &c->written : &c->snapshot_written) += (size_t)n;
	}
	if (c->stage == CLIENT_WRITE) {
		client_close(c);
		return false;
	}
	text_reset(&c->out);
	c->written = 0;
	client_want(c, EV_READ);
	return true;
}

static void client_answer_begin(struct client *c, enum control_status status, size_t length)
{
	static const char *const words[] = {"OK", "REFUSED", "FAILED"};

	text_reset(&c->out);
	text_printf(&c->out, "%s %zu\n", words[status], length);
	c->written = 0;
	c->stage = CLIENT_WRITE;
}

static void client_answer_end(struct client *c)
{
	if (c->out.failed)
		client_close(c);
	else
		client_flush(c);
}

static void client_answer(struct client *c, enum control_status status, const char *bytes,
			  size_t length)
{
	client_answer_begin(c, status, length);
	text_add_bytes(&c->out, bytes, length);
	client_answer_end(c);
}

static void client_answer_snapshot(struct client *c, struct snapshot *snapshot)
{
	client_answer_begin(c, CONTROL_OK, snapshot->text.length);
	snapshot->holders++;
	c->snapshot = snapshot;
	client_answer_end(c);
}

static void client_fail(struct client *c, const char *why)
{
	client_answer(c, CONTROL_FAILED, why, strlen(why));
}

static void snapshot_serve(struct control_server *s)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->stage != CLIENT_STATUS)
			continue;
		if (s->snapshot)
			client_answer_snapshot(c, s->snapshot);
		else
			client_fail(c, "no status yet: the kernel process has not come up\n");
	}
}

static void refresh_timed_out(evutil_socket_t fd, short what, void *context)
{
	struct control_server *s = context;

	(void)fd, (void)what;
	s->refreshing = false;
	snapshot_serve(s);
}

static void status_request(struct client *c)
{
	struct control_server *s = c->server;
	struct monotime fresh_until = monotime_after(s->snapshot_at, SNAPSHOT_FRESH_US);
	const struct timeval wait = {REFRESH_WAIT_US / 1000000, REFRESH_WAIT_US % 1000000};

	c->stage = CLIENT_STATUS;
	if (s->snapshot && !monotime_reached(monotime_now(), fresh_until)) {
		client_answer_snapshot(c, s->snapshot);
		return;
	}
	if (s->refreshing)
		return;
	if (s->command(s->context, COMMAND_STATUS, 0) < 0) {
		snapshot_serve(s);
		return;
	}
	s->refreshing = true;
	evtimer_add(s->refresh_timeout, &wait);
}

static void command_request(struct client *c, enum command_kind kind)
{
	struct control_server *s = c->server;

	c->request = s->next_request++;
	if (!c->request)
		c->request = s->next_request++;
	c->stage = CLIENT_ANSWER;
	if (s->command(s->context, kind, c->request) < 0)
		client_fail(c, "the kernel process does not take requests now\n");
}

static bool is_early(const struct control_server *s)
{
	return !monotime_reached(monotime_now(), s->early_until);
}

/* @again  it watched the last life of this process. */
static void watch_request(struct client *c, bool again)
{
	struct control_server *s = c->server;

	event_del(c->timeout);
	c->stage = CLIENT_WATCH;
	text_add(&c->out, "OK\n");
	if (again && is_early(s))
		text_add_bytes(&c->out, text_string(&s->early), s->early.length);
	client_flush(c);
}

static void client_dispatch(struct client *c)
{
	c->line[c->line_length] = '\0';
	if (strcmp(c->line, "STATUS") == 0)
		status_request(c);
	else if (strcmp(c->line, "PLAN") == 0)
		command_request(c, COMMAND_PLAN);
	else if (strcmp(c->line, "RELOAD") == 0)
		command_request(c, COMMAND_RELOAD);
	else if (strcmp(c->line, "WATCH") == 0)
		watch_request(c, false);
	else if (strcmp(c->line, "WATCH AGAIN") == 0)
		watch_request(c, true);
	else
		client_answer(c, CONTROL_REFUSED, "unknown request\n", 16);
}

static void client_read(struct client *c)
{
	char byte;
	ssize_t n;

	while (c->stage == CLIENT_REQUEST) {
		n = recv(c->fd, &byte, 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			client_close(c);
			return;
		}
		if (byte == '\n')
			client_dispatch(c);
		else if (c->line_length == sizeof(c->line) - 1)
			client_answer(c, CONTROL_REFUSED, "request too long\n", 17);
		else
			c->line[c->line_length++] = byte;
	}
}

/* After its request a client has nothing more to say; that it hung up is all there is to hear. */
static bool client_gone(struct client *c)
{
	char bytes[256];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return false;
	if (n == 0 && c->stage != CLIENT_WATCH) { /* half-closed: it may still read its answer */
		client_want(c, c->stage == CLIENT_WRITE ? EV_WRITE : 0);
		return false;
	}
	client_close(c);
	return true;
}

static void client_io(evutil_socket_t fd, short what, void *context)
{
	struct client *c = context;

	(void)fd;
	if (what & EV_READ) {
		if (c->stage == CLIENT_REQUEST)
			client_read(c);
		else if (client_gone(c))
			return;
	}
	if ((what & EV_WRITE) && (c->stage == CLIENT_WRITE || c->stage == CLIENT_WATCH))
		client_flush(c);
}

static void client_timed_out(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	client_close(context);
}

static struct client *client_slot(struct control_server *s)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (s->clients[i].stage == CLIENT_FREE)
			return &s->clients[i];
	return NULL;
}

static uid_t user_of(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t length = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
	return peer.uid;
}

/* One user, say an agent that was taken over and watches on every connection it gets, must not shut
 * out the rest. */
static bool user_has_all(const struct control_server *s, uid_t user)
{
	size_t count = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		count += s->clients[i].stage != CLIENT_FREE && s->clients[i].user == user;
	return count >= CONTROL_CLIENTS_USER_MAX;
}

/* No descriptor is free: the listener stays readable, and asking it again at once would spin. */
static void listener_rest(struct control_server *s)
{
	static const struct timeval second = {1, 0};

	event_del(s->listener);
	evtimer_add(s->listen_again, &second);
}

static void listen_again(evutil_socket_t fd, short what, void *context)
{
	struct control_server *s = context;

	(void)fd, (void)what;
	event_add(s->listener, NULL);
}

static void client_accept(evutil_socket_t fd, short what, void *context)
{
	const struct timeval limit = {CLIENT_TIME_S, 0};
	struct control_server *s = context;
	struct client *c;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uid_t user;

	(void)what;
	if (client < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			listener_rest(s);
		return;
	}
	user = user_of(client);
	c = user_has_all(s, user) ? NULL : client_slot(s);
	if (!c) {
		close(client);
		return;
	}
	*c = (struct client){.server = s, .stage = CLIENT_REQUEST, .user = user, .fd = client};
	text_init(&c->out);
	c->io = event_new(s->base, client, EV_READ | EV_PERSIST, client_io, c);
	c->timeout = evtimer_new(s->base, client_timed_out, c);
	if (!c->io || !c->timeout) {
		client_close(c);
		return;
	}
	event_add(c->io, NULL);
	evtimer_add(c->timeout, &limit);
}

struct control_server *control_server_new(struct event_base *base, int listen_fd,
					  control_command_fn command, void *context)
{
	struct control_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->base = base;
	s->command = command;
	s->context = context;
	/* what an earlier life asked for may be answered yet */
	s->next_request = (uint32_t)monotime_now().us;
	s->early_until = monotime_after(monotime_now(), EARLY_US);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		s->clients[i] = (struct client){.server = s, .fd = -1};
	s->listener = event_new(base, listen_fd, EV_READ | EV_PERSIST, client_accept, s);
	s->refresh_timeout = evtimer_new(base, refresh_timed_out, s);
	s->listen_again = evtimer_new(base, listen_again, s);
	if (!s->listener || !s->refresh_timeout || !s->listen_again ||
	    event_add(s->listener, NULL) < 0) {
		control_server_free(s);
		return NULL;
	}
	return s;
}

void control_server_free(struct control_server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].stage != CLIENT_FREE)
			client_close(&server->clients[i]);
	if (server->listener)
		event_free(server->listener);
	if (server->refresh_timeout)
		event_free(server->refresh_timeout);
	if (server->listen_again)
		event_free(server->listen_again);
	snapshot_release(server->snapshot);
	text_clear(&server->snapshot_next);
	text_clear(&server->answer);
	text_clear(&server->event);
	text_clear(&server->early);
	free(server);
}

static void snapshot_complete(struct control_server *s)
{
	struct snapshot *next = s->snapshot_next.failed ? NULL : malloc(sizeof(*next));

	if (!next) {
		text_clear(&s->snapshot_next);
		return;
	}
	*next = (struct snapshot){.holders = 1, .text = s->snapshot_next};
	snapshot_release(s->snapshot);
	s->snapshot = next;
	text_init(&s->snapshot_next);
	s->snapshot_at = monotime_now();
	s->refreshing = false;
	event_del(s->refresh_timeout);
	snapshot_serve(s);
}

static void answer_complete(struct control_server *s, const struct message_piece *piece)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &s->clients[i];

		if (c->stage != CLIENT_ANSWER || c->request != piece->request)
			continue;
		if (s->answer.failed)
			client_fail(c, "the answer is too long, or part of it was lost\n");
		else
			client_answer(c, (enum control_status)piece->status,
				      text_string(&s->answer), s->answer.length);
	}
	text_clear(&s->answer);
}

void control_server_piece(struct control_server *server, enum message_type type,
			  const struct message_piece *piece)
{
	struct text *t = type == MESSAGE_SNAPSHOT ? &server->snapshot_next
			 : type == MESSAGE_ANSWER ? &server->answer
						  : &server->event;

	if (!piece->offset)
		text_clear(t); /* what is there had no end: the process that wrote it is no more */
	if (t->length != piece->offset || t->length + piece->length > CONTROL_ANSWER_MAX)
		t->failed = true;
	text_add_bytes(t, piece->bytes, piece->length);
	if (!piece->last)
		return;
	if (type == MESSAGE_SNAPSHOT) {
		snapshot_complete(server);
	} else if (type == MESSAGE_ANSWER) {
		answer_complete(server, piece);
	} else {
		if (!t->failed)
			control_server_event(server, text_string(t), t->length);
		text_clear(t);
	}
}

/* Who reads on just behind the events is never done, and what he has read would stay for ever. */
static void watcher_forget_written(struct client *c)
{
	if (c->written < WATCH_BACKLOG_MAX)
		return;
	c->out.length -= c->written;
	memmove(c->out.bytes, c->out.bytes + c->written, c->out.length);
	c->written = 0;
}

static void early_keep(struct control_server *s, const char *line, size_t length)
{
	if (!is_early(s)) {
		text_clear(&s->early);
	} else if (s->early.length + length < WATCH_BACKLOG_MAX) {
		text_add_bytes(&s->early, line, length);
		text_add_char(&s->early, '\n');
	}
}

void control_server_event(struct control_server *server, const char *line, size_t length)
{
	early_keep(server, line, length);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *c = &server->clients[i];

		if (c->stage != CLIENT_WATCH)
			continue;
		if (c->out.length - c->written + length > WATCH_BACKLOG_MAX) {
			client_close(c); /* too slow: it may come again and ask STATUS */
			continue;
		}
		watcher_forget_written(c);
		text_add_bytes(&c->out, line, length);
		text_add_char(&c->out, '\n');
		if (c->out.failed)
			client_close(c);
		else
			client_flush(c);
	}
}

void control_server_kernel_restarted(struct control_server *server)
{
	text_clear(&server->snapshot_next);
	text_clear(&server->answer);
	text_clear(&server->event);
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (server->clients[i].stage == CLIENT_ANSWER)
			client_fail(&server->clients[i],
				    "the kernel process was started again meanwhile\n");
}
