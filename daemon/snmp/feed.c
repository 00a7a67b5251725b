/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/snmp/feed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void connection_init(struct feed_connection *c)
{
	*c = (struct feed_connection){.fd = -1, .give_up = MONOTIME_NEVER, .retry = MONOTIME_NEVER};
	control_answer_init(&c->answer);
}

void feed_init(struct feed *feed, const char *socket_path)
{
	*feed = (struct feed){.socket_path = socket_path};
	connection_init(&feed->watch);
	connection_init(&feed->request);
	feed->watch.retry = (struct monotime){0};
}

static void connection_close(struct feed_connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->give_up = MONOTIME_NEVER;
	control_answer_clear(&c->answer);
}

void feed_clear(struct feed *feed)
{
	connection_close(&feed->watch);
	connection_close(&feed->request);
}

void feed_want(struct feed *feed, struct monotime at)
{
	if (!feed->request.backoff_us)
		feed->request.retry = monotime_min(feed->request.retry, at);
}

static void connection_fail(struct feed *feed, struct feed_connection *c, struct monotime now,
			    const char *why)
{
	uint64_t backoff_us = c->backoff_us ? c->backoff_us * 2 : FEED_BACKOFF_US;

	connection_close(c);
	c->backoff_us = backoff_us < FEED_BACKOFF_MAX_US ? backoff_us : FEED_BACKOFF_MAX_US;
	c->retry = monotime_after(now, c->backoff_us);
	if (c == &feed->request)
		feed->lost(feed->context, why);
	else
		feed_want(feed, now);
}

static void connection_open(struct feed *feed, struct feed_connection *c, const char *request,
			    struct monotime now)
{
	struct reason reason;
	int fd;

	if (c->fd >= 0 || !monotime_reached(now, c->retry))
		return;
	fd = control_connect(feed->socket_path, 0, &reason);
	if (fd < 0) {
		connection_fail(feed, c, now, reason.text);
		return;
	}
	c->fd = fd;
	c->retry = MONOTIME_NEVER;
	c->give_up = monotime_after(now, FEED_TIMEOUT_US);
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		connection_fail(feed, c, now, "the control socket takes no request");
}

/* @return bytes read; 0 nothing now; -1 the connection is over. */
static int connection_read(struct feed *feed, struct feed_connection *c, struct monotime now,
			   char *bytes, size_t size)
{
	ssize_t n;

	if (c->fd < 0)
		return -1;
	n = recv(c->fd, bytes, size, MSG_DONTWAIT);
	if (n > 0)
		return (int)n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!monotime_reached(now, c->give_up))
			return 0;
		connection_fail(feed, c, now, "the control socket does not answer");
	} else {
		connection_fail(feed, c, now, "the control socket was closed");
	}
	return -1;
}

static void line_end(struct feed *feed)
{
	if (!feed->line_skip && feed->line_length)
		feed->event(feed->context, feed->line, feed->line_length);
	feed->line_length = 0;
	feed->line_skip = false;
}

static void line_take(struct feed *feed, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			line_end(feed);
		else if (feed->line_length == sizeof(feed->line))
			feed->line_skip = true;
		else
			feed->line[feed->line_length++] = bytes[i];
	}
}

static void watch_read(struct feed *feed, struct monotime now)
{
	struct feed_connection *c = &feed->watch;
	char bytes[4096];
	size_t taken;
	int n;

	while ((n = connection_read(feed, c, now, bytes, sizeof(bytes))) > 0) {
		if (control_answer_feed(&c->answer, bytes, (size_t)n, &taken) < 0 ||
		    c->answer.stage == CONTROL_ANSWER_DONE) {
			connection_fail(feed, c, now, "the control socket refuses to be watched");
			return;
		}
		if (c->answer.stage != CONTROL_ANSWER_STREAM)
			continue;
		if (c->backoff_us || !monotime_reached(c->give_up, MONOTIME_NEVER))
			feed_want(feed, now);
		c->backoff_us = 0;
		c->give_up = MONOTIME_NEVER;
		feed->watched = true;
		line_take(feed, bytes + taken, (size_t)n - taken);
	}
	if (n < 0) { /* of a line that has no end nothing is left for the next connection */
		feed->line_length = 0;
		feed->line_skip = false;
	}
}

static void status_done(struct feed *feed, struct monotime now)
{
	struct control_answer answer = feed->request.answer;

	control_answer_init(&feed->request.answer);
	connection_close(&feed->request);
	if (answer.status == CONTROL_OK) {
		feed->request.backoff_us = 0;
		feed->status(feed->context, text_string(&answer.body), answer.body.length);
	} else {
		connection_fail(feed, &feed->request, now, text_string(&answer.body));
	}
	control_answer_clear(&answer);
}

static void status_read(struct feed *feed, struct monotime now)
{
	struct feed_connection *c = &feed->request;
	char bytes[16384];
	size_t taken;
	int n;

	while ((n = connection_read(feed, c, now, bytes, sizeof(bytes))) > 0) {
		if (control_answer_feed(&c->answer, bytes, (size_t)n, &taken) < 0 ||
		    c->answer.stage == CONTROL_ANSWER_STREAM) {
			connection_fail(feed, c, now, "the control socket gave no status document");
			return;
		}
		if (c->answer.stage == CONTROL_ANSWER_DONE) {
			status_done(feed, now);
			return;
		}
	}
}

void feed_turn(struct feed *feed, struct monotime now)
{
	connection_open(feed, &feed->watch, feed->watched ? "WATCH AGAIN\n" : "WATCH\n", now);
	connection_open(feed, &feed->request, "STATUS\n", now);
	watch_read(feed, now);
	status_read(feed, now);
}

struct monotime feed_next(const struct feed *feed)
{
	const struct feed_connection *watch = &feed->watch, *request = &feed->request;

	return monotime_min(watch->fd < 0 ? watch->retry : watch->give_up,
			    request->fd < 0 ? request->retry : request->give_up);
}
