/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocking client of the control socket, for commands that a person or a script waits for.
 * Every wait has one deadline for the whole exchange, so that a stopped daemon costs at most the
 * time that was given.
 */
#include "tuyen/client/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/client/answer.h"

#define WATCH_TIMEOUT_MS 5000

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int connect_error(const char *socket_path, struct reason *reason)
{
	const char *hint = "";

	if (errno == ENOENT || errno == ECONNREFUSED)
		hint = ": is tuyend running? systemctl status tuyend";
	else if (errno == EACCES)
		hint = ": it is for root and the group tuyen";
	return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s%s", socket_path, strerror(errno), hint);
}

int control_connect(const char *socket_path, int timeout_ms, struct reason *reason)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	int type = SOCK_STREAM | SOCK_CLOEXEC | (timeout_ms > 0 ? 0 : SOCK_NONBLOCK);
	int fd, err;

	if (!socket_path[0] || strlen(socket_path) >= sizeof(address.sun_path))
		return reason_set(reason, -TUYEN_EINVAL, "%s: not a path for a socket",
				  socket_path);
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, type, 0);
	if (fd < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "socket: %s", strerror(errno));
	if (timeout_ms > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		err = connect_error(socket_path, reason);
		close(fd);
		return err;
	}
	return fd;
}

static int request_send(int fd, const char *request, struct reason *reason)
{
	char line[CONTROL_REQUEST_MAX];
	size_t length = strlen(request);

	if (!length || length + 1 > sizeof(line) || strchr(request, '\n'))
		return reason_set(reason, -TUYEN_EINVAL,
				  "not a request: at most %d bytes in one line",
				  CONTROL_REQUEST_MAX - 1);
	memcpy(line, request, length);
	line[length++] = '\n';
	if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
		return reason_set(reason, -TUYEN_ESYSTEM, "cannot send the request: %s",
				  strerror(errno));
	return 0;
}

/* Waits for bytes until @deadline_ms. @return their number, at least 1. */
static int bytes_receive(int fd, char *bytes, size_t size, int64_t deadline_ms,
			 struct reason *reason)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};
	int64_t left_ms;
	ssize_t n;

	for (;;) {
		left_ms = deadline_ms - clock_ms();
		if (left_ms <= 0 || poll(&item, 1, (int)left_ms) == 0)
			return reason_set(reason, -TUYEN_ESYSTEM, "no answer in time");
		n = recv(fd, bytes, size, MSG_DONTWAIT);
		if (n > 0)
			return (int)n;
		if (n == 0)
			return reason_set(reason, -TUYEN_ESYSTEM,
					  "closed before the answer was complete");
		if (errno != EINTR && errno != EAGAIN)
			return reason_set(reason, -TUYEN_ESYSTEM, "cannot read the answer: %s",
					  strerror(errno));
	}
}

static bool answer_open(const struct control_answer *answer)
{
	return answer->stage == CONTROL_ANSWER_HEAD || answer->stage == CONTROL_ANSWER_BODY;
}

/* The head is read a byte at a time: what follows it in a stream is the caller's. */
static int answer_receive(int fd, int64_t deadline_ms, struct control_answer *answer,
			  struct reason *reason)
{
	char bytes[16384];
	size_t size, taken;
	int n, err;

	while (answer_open(answer)) {
		size = answer->stage == CONTROL_ANSWER_HEAD ? 1 : sizeof(bytes);
		n = bytes_receive(fd, bytes, size, deadline_ms, reason);
		if (n < 0)
			return n;
		err = control_answer_feed(answer, bytes, (size_t)n, &taken);
		if (err == -TUYEN_ENOMEM)
			return reason_set(reason, -TUYEN_ESYSTEM,
					  "the answer is too large for the memory");
		if (err < 0)
			return reason_set(reason, -TUYEN_EINVAL,
					  "what answers there is not tuyend");
	}
	return 0;
}

int control_request(const char *socket_path, const char *request, int timeout_ms,
		    enum control_status *ret_status, struct text *ret_body, struct reason *reason)
{
	int64_t deadline_ms = clock_ms() + timeout_ms;
	struct control_answer answer;
	int fd, err;

	fd = control_connect(socket_path, timeout_ms > 0 ? timeout_ms : 1, reason);
	if (fd < 0)
		return fd;
	control_answer_init(&answer);
	err = request_send(fd, request, reason);
	if (err == 0)
		err = answer_receive(fd, deadline_ms, &answer, reason);
	if (err == 0 && answer.stage != CONTROL_ANSWER_DONE)
		err = reason_set(reason, -TUYEN_EINVAL, "a stream, where one answer was expected");
	close(fd);
	if (err < 0) {
		control_answer_clear(&answer);
		return err;
	}
	*ret_status = answer.status;
	*ret_body = answer.body;
	return 0;
}

int control_watch(const char *socket_path, struct reason *reason)
{
	int64_t deadline_ms = clock_ms() + WATCH_TIMEOUT_MS;
	struct control_answer answer;
	int fd, err;

	fd = control_connect(socket_path, WATCH_TIMEOUT_MS, reason);
	if (fd < 0)
		return fd;
	control_answer_init(&answer);
	err = request_send(fd, "WATCH", reason);
	if (err == 0)
		err = answer_receive(fd, deadline_ms, &answer, reason);
	if (err == 0 && answer.stage != CONTROL_ANSWER_STREAM)
		err = reason_set(reason, -TUYEN_ESYSTEM, "%s", text_string(&answer.body));
	control_answer_clear(&answer);
	if (err == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		err = reason_set(reason, -TUYEN_ESYSTEM, "fcntl: %s", strerror(errno));
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}
