/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink as question and answer. libnl makes the messages and owns the socket; sending and
 * receiving are here, because libnl's own loop hides an interrupted dump, allocates a copy of each
 * answer, and knows no batch.
 *
 * A batch is one send() of many requests. The kernel works through them in order, within that call,
 * and one that fails doesn't stop the next. It answers each that fails, and of the others only what
 * asks for it: the last. So when the last one's answer is there, whatever else failed was told
 * before it.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define SOCKET_BUFFER_BYTES (4 << 20)

static void channel_options(int fd)
{
	int size = SOCKET_BUFFER_BYTES, on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
}

int channel_open(struct channel *channel, int protocol, struct reason *reason)
{
	int err;

	channel->buffer = malloc(CHANNEL_BUFFER_BYTES);
	channel->sock = nl_socket_alloc();
	if (!channel->sock || !channel->buffer) {
		channel_close(channel);
		return reason_set(reason, -TUYEN_ENOMEM, "netlink: no memory");
	}
	err = nl_connect(channel->sock, protocol);
	if (err < 0) {
		channel_close(channel);
		return reason_set(reason, -TUYEN_ESYSTEM, "netlink: %s", nl_geterror(err));
	}
	channel->fd = nl_socket_get_fd(channel->sock);
	channel->port = nl_socket_get_local_port(channel->sock);
	channel_options(channel->fd);
	return 0;
}

void channel_close(struct channel *channel)
{
	nl_socket_free(channel->sock);
	free(channel->buffer);
	channel->sock = NULL;
	channel->buffer = NULL;
}

static void request_finish(struct channel *channel, struct nl_msg *request, int flags)
{
	struct nlmsghdr *header = nlmsg_hdr(request);

	header->nlmsg_pid = channel->port;
	header->nlmsg_seq = ++channel->sequence;
	header->nlmsg_flags |= (uint16_t)(NLM_F_REQUEST | flags);
}

static int request_send(struct channel *channel, struct nl_msg *request)
{
	struct nlmsghdr *header = nlmsg_hdr(request);

	while (send(channel->fd, header, header->nlmsg_len, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

/*
 * Some answers were lost. The kernel loses all that come after them too, and says nothing more of it, until what is there was read: whoever
 * asks next would wait for ever.
 */
static void rest_drop(struct channel *channel)
{
	while (recv(channel->fd, channel->buffer, CHANNEL_BUFFER_BYTES, MSG_DONTWAIT) >= 0 ||
	       errno == EINTR)
		;
	errno = ENOBUFS;
}

/* @return bytes of the next datagram from the kernel, -1 with errno. */
static ssize_t answer_receive(struct channel *channel)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t length = sizeof(from);
		ssize_t got = recvfrom(channel->fd, channel->buffer, CHANNEL_BUFFER_BYTES,
				       MSG_TRUNC, (struct sockaddr *)&from, &length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS)
			rest_drop(channel);
		if (got > (ssize_t)CHANNEL_BUFFER_BYTES) {
			errno = EMSGSIZE;
			return -1;
		}
		if (got < 0 || from.nl_pid == 0)
			return got;
	}
}

/* An error message's errno, positive; 0 for an acknowledgement. */
static int error_code(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = nlmsg_data(message);

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return EPROTO;
	return -error->error;
}

/* A dump that broke off ends in DONE like any other, with its errno: what was read is then not all
 * there is. */
static int done_code(const struct nlmsghdr *message)
{
	int code = 0;

	if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
		memcpy(&code, nlmsg_data(message), sizeof(code));
	return code < 0 ? -code : 0;
}

/* The kernel's own words, NULL if it has none. */
static const char *error_words(const struct nlmsghdr *message)
{
	struct nlattr *attributes[NLMSGERR_ATTR_MAX + 1];
	size_t skip = sizeof(struct nlmsgerr);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		const struct nlmsgerr *error = nlmsg_data(message);

		skip += error->msg.nlmsg_len - sizeof(struct nlmsghdr);
	}
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, (int)skip, attributes,
			NLMSGERR_ATTR_MAX, NULL) < 0 ||
	    !attributes[NLMSGERR_ATTR_MSG])
		return NULL;
	return nla_get_string(attributes[NLMSGERR_ATTR_MSG]);
}

struct dump {
	message_step step;
	void *context;
	bool interrupted, done;
	int err;   /* the step's */
	int error; /* the kernel's errno */
};

static void dump_message(struct dump *dump, const struct nlmsghdr *message)
{
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		dump->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		dump->error =
		    message->nlmsg_type == NLMSG_DONE ? done_code(message) : error_code(message);
		dump->done = true;
	} else if (dump->err == 0) {
		dump->err = dump->step(message, dump->context);
	}
}

/* A dump that could not begin, or of which something was lost, is asked for again like one that was interrupted. */
static int dump_failed(int error)
{
	errno = error;
	return error == EBUSY || error == ENOBUFS ? -TUYEN_EAGAIN : -TUYEN_ESYSTEM;
}

static int dump_receive(struct channel *channel, struct dump *dump)
{
	while (!dump->done) {
		ssize_t got = answer_receive(channel);
		int left = (int)got;

		/* who has ended it has changed what he wants: nothing is read again for that */
		if (got < 0)
			return dump->err == -TUYEN_ECANCELED ? dump->err : dump_failed(errno);
		for (struct nlmsghdr *m = (struct nlmsghdr *)channel->buffer; nlmsg_ok(m, left);
		     m = nlmsg_next(m, &left))
			if (m->nlmsg_seq == channel->sequence)
				dump_message(dump, m);
		/* to the end all the same, for no other dump can begin before; and who is called goes on to be */
		if (channel->between && channel->between(channel->between_context) && !dump->err)
			dump->err = -TUYEN_ECANCELED;
	}
	if (dump->interrupted && dump->err != -TUYEN_ECANCELED)
		return -TUYEN_EAGAIN;
	if (dump->err || !dump->error)
		return dump->err;
	return dump_failed(dump->error);
}

int channel_dump(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	struct dump dump = {.step = step, .context = context};
	int err;

	request_finish(channel, request, NLM_F_DUMP);
	err = request_send(channel, request);
	nlmsg_free(request);
	return err < 0 ? dump_failed(errno) : dump_receive(channel, &dump);
}

struct ask {
	message_step step;
	void *context;
	struct reason *words;
};

/* @return true when @message ends the call, with its errno. */
static bool ask_message(const struct ask *ask, const struct nlmsghdr *message, int *ret_error)
{
	if (message->nlmsg_type == NLMSG_ERROR) {
		const char *words = error_words(message);

		*ret_error = error_code(message);
		if (*ret_error)
			reason_set(ask->words, 0, "%s", words ? words : strerror(*ret_error));
		return true;
	}
	if (ask->step && ask->step(message, ask->context) < 0)
		*ret_error = EPROTO;
	return false;
}

static int ask_receive(struct channel *channel, const struct ask *ask)
{
	int error = 0;

	for (;;) {
		ssize_t got = answer_receive(channel);
		int left = (int)got;

		if (got < 0)
			return errno;
		for (struct nlmsghdr *m = (struct nlmsghdr *)channel->buffer; nlmsg_ok(m, left);
		     m = nlmsg_next(m, &left))
			if (m->nlmsg_seq == channel->sequence && ask_message(ask, m, &error))
				return error;
	}
}

static int ask_send(struct channel *channel, struct nl_msg *request, const struct ask *ask)
{
	int err;

	if (!request)
		return errno ? errno : ENOMEM;
	request_finish(channel, request, NLM_F_ACK);
	channel->sent++;
	err = request_send(channel, request);
	nlmsg_free(request);
	return err < 0 ? errno : ask_receive(channel, ask);
}

int channel_call(struct channel *channel, struct nl_msg *request, struct reason *ret_text)
{
	struct ask ask = {.words = ret_text};

	return ask_send(channel, request, &ask);
}

int channel_ask(struct channel *channel, struct nl_msg *request, message_step step, void *context)
{
	struct ask ask = {.step = step, .context = context};

	return ask_send(channel, request, &ask);
}

bool batch_add(struct batch *batch, struct nl_msg *message, size_t tag)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	size_t length = NLMSG_ALIGN(header->nlmsg_len);

	if (batch->count == BATCH_MESSAGES || batch->length + length > BATCH_BYTES)
		return false;
	request_finish(batch->channel, message, 0);
	/* libnl's buffers are zeroed and rounded up */
	memcpy(batch->bytes + batch->length, header, length);
	batch->last = batch->length;
	batch->length += length;
	batch->tag[batch->count++] = tag;
	nlmsg_free(message);
	return true;
}

static int batch_send(struct batch *batch)
{
	((struct nlmsghdr *)(batch->bytes + batch->last))->nlmsg_flags |= NLM_F_ACK;
	batch->channel->sent += batch->count;
	while (send(batch->channel->fd, batch->bytes, batch->length, 0) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

/* One answer. @return true if it is the last one's. */
static bool batch_answer(const struct batch *batch, uint32_t first, const struct nlmsghdr *message,
			 batch_failure failure, void *context)
{
	uint32_t place = message->nlmsg_seq - first;
	const char *words;
	int error;

	if (message->nlmsg_type != NLMSG_ERROR || place >= batch->count)
		return false;
	error = error_code(message);
	words = error_words(message);
	if (error)
		failure(batch->tag[place], error, words ? words : strerror(error), context);
	return place + 1 == batch->count;
}

static void batch_fail(const struct batch *batch, int error, batch_failure failure, void *context)
{
	for (size_t i = 0; i < batch->count; i++)
		failure(batch->tag[i], error, strerror(error), context);
}

/* What is lost among the answers may have been any failure: all of them count as failed then, and
 * the next reading says what stands. */
static void batch_receive(const struct batch *batch, batch_failure failure, void *context)
{
	uint32_t first = batch->channel->sequence - (uint32_t)batch->count + 1;
	bool last = false;

	while (!last) {
		ssize_t got = answer_receive(batch->channel);
		int left = (int)got;

		if (got < 0) {
			batch_fail(batch, errno, failure, context);
			return;
		}
		for (struct nlmsghdr *m = (struct nlmsghdr *)batch->channel->buffer;
		     nlmsg_ok(m, left); m = nlmsg_next(m, &left))
			last |= batch_answer(batch, first, m, failure, context);
	}
}

void batch_flush(struct batch *batch, batch_failure failure, void *context)
{
	if (!batch->count)
		return;
	if (batch_send(batch) == 0)
		batch_receive(batch, failure, context);
	else
		batch_fail(batch, errno, failure, context);
	batch->count = batch->length = 0;
}
