/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/pair.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"

/* A message, or a text that is cut into pieces when there is room for them. */
struct waiting {
	STAILQ_ENTRY(waiting) next;
	size_t length;	  /* what it counts of PAIR_QUEUE_MAX */
	struct text text; /* without bytes: a message */
	size_t offset;	  /* of it that is sent */
	enum message_type type;
	unsigned char message[];
};

STAILQ_HEAD(waiting_list, waiting);

struct pair {
	int fd;
	struct event *readable, *writable;
	pair_message_fn on_message;
	pair_closed_fn on_closed;
	void *context;
	struct waiting_list queue;
	size_t queued_bytes;
	uint64_t rejected;
	bool closed;
};

#define MESSAGES_A_WAKEUP 256 /* then other events get their turn */

/* recv() says 0 for the end and for an empty message, which the other end may send to be taken for
 * gone. */
static bool other_end_closed(int fd)
{
	struct pollfd state = {.fd = fd, .events = POLLIN};

	return poll(&state, 1, 0) > 0 && state.revents & (POLLHUP | POLLERR);
}

void pair_receive(struct pair *pair)
{
	static struct message m; /* 16 KB: not on the stack; one loop a process */

	for (int i = 0; i < MESSAGES_A_WAKEUP && !pair->closed; i++) {
		ssize_t length = recv(pair->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if ((length == 0 && other_end_closed(pair->fd)) ||
		    (length < 0 && errno == ECONNRESET)) {
			pair->closed = true;
			event_del(pair->readable);
			if (pair->on_closed)
				pair->on_closed(pair->context);
			return;
		}
		if (length < 0)
			return;
		if (message_check(&m, (uint32_t)length) < 0)
			pair->rejected++;
		else
			pair->on_message(pair->context, &m);
	}
}

static void pair_readable(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	pair_receive(context);
}

/* @return true when sent; false when it must wait. */
static bool send_now(struct pair *pair, const void *m, size_t length)
{
	ssize_t sent;

	do
		sent = send(pair->fd, m, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS); /* a closed end takes nothing more */
}

/* The piece of @text that begins at @offset; @m has all else. @return where the next begins. */
static size_t piece_fill(struct message *m, const char *text, size_t length, size_t offset)
{
	size_t part = length - offset;

	if (part > MESSAGE_PIECE_MAX)
		part = MESSAGE_PIECE_MAX;
	memcpy(m->u.piece.bytes, text + offset, part);
	memset(m->u.piece.bytes + part, 0, MESSAGE_PIECE_MAX - part);
	m->u.piece.offset = (uint32_t)offset;
	m->u.piece.length = (uint32_t)part;
	m->u.piece.last = offset + part == length;
	return offset + part;
}

/* @return whether all of it was sent. */
static bool text_send_now(struct pair *pair, struct waiting *w)
{
	static struct message m; /* as above */
	size_t next;

	m.type = w->type;
	do {
		next = piece_fill(&m, w->text.bytes, w->text.length, w->offset);
		if (!send_now(pair, &m, message_size(w->type)))
			return false;
		w->offset = next;
	} while (next < w->text.length);
	return true;
}

static bool waiting_send_now(struct pair *pair, struct waiting *w)
{
	return w->text.bytes ? text_send_now(pair, w) : send_now(pair, w->message, w->length);
}

static void waiting_free(struct waiting *w)
{
	text_clear(&w->text);
	free(w);
}

static void pair_writable(evutil_socket_t fd, short what, void *context)
{
	struct pair *pair = context;
	struct waiting *w;

	(void)fd, (void)what;
	while ((w = STAILQ_FIRST(&pair->queue))) {
		if (!waiting_send_now(pair, w))
			return;
		STAILQ_REMOVE_HEAD(&pair->queue, next);
		pair->queued_bytes -= w->length;
		waiting_free(w);
	}
	event_del(pair->writable);
}

struct pair *pair_new(struct event_base *base, int fd, pair_message_fn on_message,
		      pair_closed_fn on_closed, void *context)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->fd = fd;
	pair->on_message = on_message;
	pair->on_closed = on_closed;
	pair->context = context;
	STAILQ_INIT(&pair->queue);
	evutil_make_socket_nonblocking(fd);
	pair->readable = event_new(base, fd, EV_READ | EV_PERSIST, pair_readable, pair);
	pair->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, pair_writable, pair);
	if (!pair->readable || !pair->writable || event_add(pair->readable, NULL) < 0) {
		pair_free(pair);
		return NULL;
	}
	return pair;
}

void pair_free(struct pair *pair)
{
	struct waiting *w;

	if (!pair)
		return;
	if (pair->readable)
		event_free(pair->readable);
	if (pair->writable)
		event_free(pair->writable);
	while ((w = STAILQ_FIRST(&pair->queue))) {
		STAILQ_REMOVE_HEAD(&pair->queue, next);
		waiting_free(w);
	}
	free(pair);
}

int pair_send(struct pair *pair, const struct message *message)
{
	size_t length = message_size((enum message_type)message->type);
	struct waiting *w;

	assert(length);
	if (STAILQ_EMPTY(&pair->queue) && send_now(pair, message, length))
		return 0;
	if (pair->queued_bytes + length > PAIR_QUEUE_MAX)
		return -TUYEN_ELIMIT;
	w = calloc(1, sizeof(*w) + length);
	if (!w)
		return -TUYEN_ENOMEM;
	w->length = length;
	memcpy(w->message, message, length);
	STAILQ_INSERT_TAIL(&pair->queue, w, next);
	pair->queued_bytes += length;
	event_add(pair->writable, NULL);
	return 0;
}

int pair_send_text(struct pair *pair, enum message_type type, uint32_t request, uint32_t status,
		   const char *text, size_t length)
{
	struct message *m;
	size_t offset = 0, pieces = length / MESSAGE_PIECE_MAX + 1;
	int err = 0;

	if (pair->queued_bytes + pieces * message_size(type) > PAIR_QUEUE_MAX)
		return -TUYEN_ELIMIT;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -TUYEN_ENOMEM;
	m->type = type;
	m->u.piece.request = request;
	m->u.piece.status = status;
	do {
		offset = piece_fill(m, text, length, offset);
		err = pair_send(pair, m);
	} while (!err && offset < length);
	free(m);
	return err;
}

int pair_give_text(struct pair *pair, enum message_type type, struct text *text)
{
	struct waiting *w;

	if (!text->length)
		return -TUYEN_EINVAL;
	if (pair->queued_bytes + text->length > PAIR_QUEUE_MAX)
		return -TUYEN_ELIMIT;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -TUYEN_ENOMEM;
	w->type = type;
	w->text = *text;
	w->length = text->length;
	text_init(text);
	if (STAILQ_EMPTY(&pair->queue) && waiting_send_now(pair, w)) {
		waiting_free(w);
		return 0;
	}
	STAILQ_INSERT_TAIL(&pair->queue, w, next);
	pair->queued_bytes += w->length;
	event_add(pair->writable, NULL);
	return 0;
}

bool pair_busy(const struct pair *pair)
{
	return !STAILQ_EMPTY(&pair->queue);
}

uint64_t pair_rejected(const struct pair *pair)
{
	return pair->rejected;
}
