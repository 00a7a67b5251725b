/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/bfd_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/base/err.h"

#define TTL_MAX		 255
#define TOS_CS6		 0xc0	   /* network control, RFC 2474 section 4.2.2.2 */
#define PRIORITY_CONTROL 6	   /* the highest that needs no privilege */
#define RECEIVE_BUFFER	 (1 << 20) /* cut by net.core.rmem_max */

static struct sockaddr_in address_of(ipv4_t address, uint16_t port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(address),
	};
}

static int options_set(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
	    {IPPROTO_IP, IP_FREEBIND, 1},
	    {IPPROTO_IP, IP_RECVTTL, 1},
	    {IPPROTO_IP, IP_TTL, TTL_MAX},
	    {IPPROTO_IP, IP_MTU_DISCOVER,
	     IP_PMTUDISC_PROBE}, /* padded packets ask the path, not us */
	    {IPPROTO_IP, IP_TOS, TOS_CS6},
	    {SOL_SOCKET, SO_PRIORITY, PRIORITY_CONTROL}, /* after IP_TOS, which sets it too */
	    {SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			       sizeof(options[i].value)) < 0)
			return -1;
	return 0;
}

static int socket_bind(int fd, ipv4_t local, uint16_t port, const char *device)
{
	struct sockaddr_in address = address_of(local, port);

	if (options_set(fd) < 0)
		return -1;
	if (device[0] &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) < 0)
		return -1;
	return bind(fd, (struct sockaddr *)&address, sizeof(address));
}

int bfd_io_open(ipv4_t local, uint16_t port, const char *device, int *ret_fd)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	int saved;

	if (fd < 0)
		return -TUYEN_ESYSTEM;
	if (socket_bind(fd, local, port, device) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -TUYEN_ESYSTEM;
	}
	*ret_fd = fd;
	return 0;
}

static uint8_t ttl_of(struct msghdr *m)
{
	int ttl;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_TTL)
			continue;
		memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
		return (uint8_t)ttl;
	}
	return 0;
}

static void room_set(struct bfd_batch *batch, size_t i)
{
	struct bfd_io_room *room = &batch->room;

	room->io[i] = (struct iovec){batch->datagram[i].bytes, BFD_IO_BYTES_MAX};
	room->message[i].msg_hdr = (struct msghdr){
	    .msg_name = &room->peer[i],
	    .msg_namelen = sizeof(room->peer[i]),
	    .msg_iov = &room->io[i],
	    .msg_iovlen = 1,
	    .msg_control = &room->control[i],
	    .msg_controllen = sizeof(room->control[i]),
	};
}

/* After that, only what a receive has changed is set again. */
static void room_prepare(struct bfd_batch *batch)
{
	for (size_t i = 0; !batch->room.ready && i < BFD_IO_BATCH; i++)
		room_set(batch, i);
	batch->room.ready = true;
}

void bfd_io_receive(int fd, struct bfd_batch *ret_batch)
{
	struct bfd_io_room *room = &ret_batch->room;
	int received;

	room_prepare(ret_batch);
	do
		received =
		    recvmmsg(fd, room->message, BFD_IO_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	while (received < 0 && errno == EINTR);
	ret_batch->count = received > 0 ? (size_t)received : 0;
	for (size_t i = 0; i < ret_batch->count; i++) {
		struct bfd_datagram *d = &ret_batch->datagram[i];

		d->peer = ntohl(room->peer[i].sin_addr.s_addr);
		d->port = ntohs(room->peer[i].sin_port);
		d->ttl = ttl_of(&room->message[i].msg_hdr);
		d->length = room->message[i].msg_len;
		room_set(ret_batch, i);
	}
}

int bfd_io_connect(int fd, ipv4_t peer, uint16_t port)
{
	struct sockaddr_in address = address_of(peer, port);

	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -TUYEN_ESYSTEM : 0;
}

static const uint8_t zeros[UINT16_MAX];

/* sendmsg takes what it reads without const */
static void *without_const(const uint8_t *bytes)
{
	union {
		const uint8_t *in;
		void *out;
	} u = {.in = bytes};

	return u.out;
}

/* @return how many of @ret_io are in use. */
static size_t pieces_of(const uint8_t *bytes, size_t kept, size_t length,
			struct iovec ret_io[static 2])
{
	size_t padding = length > kept ? length - kept : 0;

	ret_io[0] = (struct iovec){without_const(bytes), length < kept ? length : kept};
	ret_io[1] =
	    (struct iovec){without_const(zeros), padding < sizeof(zeros) ? padding : sizeof(zeros)};
	return padding ? 2 : 1;
}

/* A connected socket tells once of an earlier packet that nobody took; this one has not gone then.
 */
int bfd_io_send(int fd, ipv4_t peer, uint16_t port, const struct bfd_packet *packet, size_t length)
{
	struct sockaddr_in address = address_of(peer, port);
	uint8_t bytes[BFD_PACKET_BYTES];
	struct iovec io[2];
	struct msghdr m = {
	    .msg_name = peer ? &address : NULL,
	    .msg_namelen = peer ? sizeof(address) : 0,
	    .msg_iov = io,
	};
	bool told = false;

	bfd_packet_encode(packet, bytes);
	m.msg_iovlen = pieces_of(bytes, sizeof(bytes), length, io);
	for (;;) {
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR && (told || errno != ECONNREFUSED))
			return -TUYEN_ESYSTEM;
		told |= errno == ECONNREFUSED;
	}
}

size_t bfd_io_send_batch(int fd, const struct bfd_batch *batch)
{
	struct mmsghdr messages[BFD_IO_BATCH];
	struct sockaddr_in peers[BFD_IO_BATCH];
	struct iovec io[BFD_IO_BATCH][2];
	size_t done = 0, failed = 0;

	for (size_t i = 0; i < batch->count; i++) {
		const struct bfd_datagram *d = &batch->datagram[i];

		peers[i] = address_of(d->peer, d->port);
		messages[i].msg_hdr = (struct msghdr){
		    .msg_name = &peers[i],
		    .msg_namelen = sizeof(peers[i]),
		    .msg_iov = io[i],
		    .msg_iovlen = pieces_of(d->bytes, BFD_PACKET_BYTES, d->length, io[i]),
		};
	}
	while (done < batch->count) { /* it stops at the first that fails: step over that one */
		int sent = sendmmsg(fd, messages + done, (unsigned int)(batch->count - done),
				    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		failed += sent <= 0;
		done += sent > 0 ? (size_t)sent : 1;
	}
	return batch->count - failed;
}
