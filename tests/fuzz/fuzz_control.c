/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/control_server.c daemon/service/clock.c daemon/client/answer.c daemon/core/message.c daemon/base/text.c daemon/base/err.c
// libs: -levent_core
/*
 * Whatever reaches the control socket: a client's bytes at the server, the kernel process's
 * pieces beside them, a server's bytes at the client, and a struct message off the pair. The first byte chooses.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tuyen/client/answer.h"
#include "tuyen/service/control_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct state {
	struct control_server *server;
	uint32_t last_request;
	bool refuse;
};

static int take_command(void *context, enum command_kind kind, uint32_t request)
{
	struct state *s = context;

	if (kind != COMMAND_STATUS)
		s->last_request = request;
	return s->refuse ? -1 : 0;
}

static int listener_new(struct sockaddr_un *ret_address, socklen_t *ret_length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*ret_length = sizeof(sa_family_t); /* the kernel picks a name */
	if (fd < 0 || bind(fd, (const struct sockaddr *)ret_address, *ret_length) < 0 ||
	    listen(fd, 4) < 0)
		abort();
	*ret_length = sizeof(*ret_address);
	if (getsockname(fd, (struct sockaddr *)ret_address, ret_length) < 0)
		abort();
	return fd;
}

static void piece_feed(struct state *s, enum message_type type, const uint8_t *bytes, size_t length)
{
	static struct message_piece piece;

	memset(&piece, 0, sizeof(piece));
	piece.request = s->last_request;
	piece.status = length % 3;
	piece.last = length % 5 != 0;
	piece.offset = length % 4 ? 0 : (uint32_t)length;
	piece.length = (uint32_t)(length < 200 ? length : 200);
	memcpy(piece.bytes, bytes, piece.length);
	control_server_piece(s->server, type, &piece);
}

static void server_run(const uint8_t *bytes, size_t length)
{
	struct event_base *base = event_base_new();
	struct state s = {.refuse = length % 7 == 0};
	struct sockaddr_un address;
	socklen_t address_length;
	char sink[4096];
	int listener = listener_new(&address, &address_length), client;

	s.server = control_server_new(base, listener, take_command, &s);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!s.server || connect(client, (const struct sockaddr *)&address, address_length) < 0)
		abort();
	if (length && send(client, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		length = 0;
	for (int i = 0; i < 4; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		piece_feed(&s, i & 1 ? MESSAGE_ANSWER : MESSAGE_SNAPSHOT, bytes, length);
		piece_feed(&s, MESSAGE_EVENT, bytes, length);
		if (recv(client, sink, sizeof(sink), MSG_DONTWAIT) == 0)
			break;
	}
	if (length % 2)
		control_server_kernel_restarted(s.server);
	close(client);
	event_base_loop(base, EVLOOP_NONBLOCK);
	control_server_free(s.server);
	close(listener);
	event_base_free(base);
}

static void client_run(const uint8_t *bytes, size_t length)
{
	struct control_answer answer;
	size_t taken, step = length ? 1 + bytes[0] % 7 : 1;

	control_answer_init(&answer);
	for (size_t at = 0; at < length && answer.stage < CONTROL_ANSWER_STREAM; at += taken) {
		size_t part = length - at < step ? length - at : step;

		if (control_answer_feed(&answer, (const char *)bytes + at, part, &taken) < 0)
			break;
		if (taken > part || answer.body.length > answer.expected)
			abort();
		if (!taken && answer.stage < CONTROL_ANSWER_STREAM)
			abort();
	}
	control_answer_clear(&answer);
}

static void message_run(const uint8_t *bytes, size_t length)
{
	static struct message m;

	memset(&m, 0, sizeof(m));
	memcpy(&m, bytes, length < sizeof(m) ? length : sizeof(m));
	if (message_check(&m, (uint32_t)length) == 0 &&
	    message_size((enum message_type)m.type) != length)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (!length)
		return 0;
	if (bytes[0] % 3 == 0)
		server_run(bytes + 1, length - 1);
	else if (bytes[0] % 3 == 1)
		client_run(bytes + 1, length - 1);
	else
		message_run(bytes + 1, length - 1);
	return 0;
}
