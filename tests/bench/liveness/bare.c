/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What make bench-liveness measures against: loops that do a BFD daemon's input and output and nothing else.
 *
 *	bare hub|look COUNT INTERVAL_US	10.1.0.1 to COUNT neighbours from 10.2.0.1 on; look: reads once a millisecond
 *	bare far COUNT INTERVAL_US	the neighbours, all in one process, each at its own time as if it were alone
 *	bare echo PORT			10.1.0.1: sends every datagram back; recvmmsg and sendmmsg of 64
 *	bare cpu PID			processor time that it has used, in ns
 *	bare ask PORT WINDOW SECONDS DISCRIMINATOR	S-BFD probes to 10.1.0.1:PORT, WINDOW at a time; prints "replies N"
 *
 * hub and far know of BFD what it takes to come up and stay there (RFC 5880 section 6.2, no detection): a socket a session
 * to send from, one to receive at, sending once a millisecond what is due. On SIGTERM they print "sent N received N up N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	 64
#define SESSIONS 4096
#define TICK_US	 1000
#define HUB	 0x0a010001u
#define FAR	 0x0a020001u

enum { DOWN = 1, INIT = 2, UP = 3 };

struct session {
	int fd;
	uint32_t theirs;
	uint8_t state;
	uint64_t next_us;
	struct sockaddr_in to;
};

static struct session sessions[SESSIONS];
static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in address_of(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
}

static int socket_at(uint32_t local, uint16_t port)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), ttl = 255, room = 4 << 20;
	struct sockaddr_in at = address_of(local, port);

	setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("bind");
	return fd;
}

/* ---- receiving many ------------------------------------------------------------------------ */

struct batch {
	struct mmsghdr message[BATCH];
	struct iovec io[BATCH];
	struct sockaddr_in peer[BATCH];
	uint8_t bytes[BATCH][256];
	char control[BATCH][64];
};

static int receive(int fd, struct batch *b, bool with_control, int flags)
{
	for (int i = 0; i < BATCH; i++) {
		b->io[i] = (struct iovec){b->bytes[i], sizeof(b->bytes[i])};
		b->message[i].msg_hdr = (struct msghdr){
		    .msg_name = &b->peer[i],
		    .msg_namelen = sizeof(b->peer[i]),
		    .msg_iov = &b->io[i],
		    .msg_iovlen = 1,
		    .msg_control = with_control ? b->control[i] : NULL,
		    .msg_controllen = with_control ? sizeof(b->control[i]) : 0,
		};
	}
	return recvmmsg(fd, b->message, BATCH, flags, NULL);
}

static uint32_t local_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			return ntohl(((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr.s_addr);
	return 0;
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void put32(uint8_t *to, uint32_t value)
{
	value = htonl(value);
	memcpy(to, &value, 4);
}

static uint32_t get32(const uint8_t *from)
{
	uint32_t value;

	memcpy(&value, from, 4);
	return ntohl(value);
}

static void packet_send(struct session *s, uint32_t mine, uint32_t interval_us, bool final)
{
	uint8_t p[24] = {0x20, (uint8_t)(s->state << 6 | (final ? 0x10 : 0)), 3, 24};

	put32(p + 4, mine);
	put32(p + 8, s->theirs);
	put32(p + 12, s->state == UP ? interval_us : 1000000);
	put32(p + 16, interval_us);
	sendto(s->fd, p, sizeof(p), MSG_DONTWAIT, (struct sockaddr *)&s->to, sizeof(s->to));
}

static bool packet_take(struct session *s, const uint8_t *p, uint32_t mine, uint32_t interval_us)
{
	unsigned int heard = p[1] >> 6;
	uint8_t was = s->state;

	s->theirs = get32(p + 4);
	if (s->state == DOWN)
		s->state = heard == DOWN ? INIT : heard == INIT ? UP : DOWN;
	else if (s->state == INIT && heard >= INIT)
		s->state = UP;
	else if (s->state == UP && heard <= DOWN)
		s->state = DOWN;
	if (s->state != was)
		s->next_us = 0;
	if (p[1] & 0x20) { /* a poll */
		packet_send(s, mine, interval_us, true);
		return true;
	}
	return false;
}

static void run(bool hub, bool look, uint32_t count, uint32_t interval_us)
{
	static struct batch b;
	int one = 1, fd = socket_at(hub ? HUB : 0, 3784);
	unsigned long long sent = 0, received = 0;
	uint32_t up = 0, random = 1;
	uint64_t first = 0;

	setsockopt(fd, IPPROTO_IP, hub ? IP_RECVTTL : IP_PKTINFO, &one, sizeof(one));
	for (uint32_t i = 0; i < count; i++)
		sessions[i] = (struct session){
		    .fd = socket_at(hub ? HUB : FAR + i, (uint16_t)(49152 + i)),
		    .state = DOWN,
		    .to = address_of(hub ? FAR + i : HUB, 3784),
		};
	while (!ended) {
		struct pollfd polled = {fd, POLLIN, 0};
		uint64_t now = now_us(), wait = hub	      ? TICK_US - now % TICK_US
						: first > now ? first - now
							      : 0;
		struct timespec tick = {0, (long)(wait < TICK_US ? wait : TICK_US) * 1000};
		int got;

		ppoll(&polled, look ? 0 : 1, &tick, NULL);
		while ((got = receive(fd, &b, true, MSG_DONTWAIT)) > 0) {
			received += (unsigned int)got;
			for (int i = 0; i < got; i++) {
				uint32_t yours = get32(b.bytes[i] + 8), at = yours - 1;

				if (!yours)
					at = (hub ? ntohl(b.peer[i].sin_addr.s_addr)
						  : local_of(&b.message[i].msg_hdr)) -
					     FAR;
				if (at < count)
					sent += packet_take(&sessions[at], b.bytes[i], at + 1,
							    interval_us);
			}
			if (got < BATCH)
				break;
		}
		now = now_us();
		if (hub && now < first)
			continue;
		first = hub ? now - now % TICK_US + TICK_US : UINT64_MAX;
		for (uint32_t i = 0; i < count; i++) {
			struct session *s = &sessions[i];
			uint32_t pace = s->state == UP ? interval_us : 1000000;

			if (s->next_us > now) {
				if (!hub && s->next_us < first)
					first = s->next_us;
				continue;
			}
			packet_send(s, i + 1, interval_us, false);
			sent++;
			random = random * 1664525 + 1013904223;
			s->next_us = now + pace - (uint64_t)pace / 4 * (random >> 16) / 65536;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		up += sessions[i].state == UP;
	printf("sent %llu received %llu up %u\n", sent, received, up);
}

/* ---- reflection ------------------------------------------------------------------------------ */

static void echo(uint16_t port)
{
	static struct batch b;
	int fd = socket_at(HUB, port), got;

	while (!ended) {
		struct pollfd polled = {fd, POLLIN, 0};

		if (poll(&polled, 1, -1) < 0)
			continue;
		while ((got = receive(fd, &b, false, MSG_DONTWAIT)) > 0) {
			for (int i = 0; i < got; i++)
				b.io[i].iov_len = b.message[i].msg_len;
			sendmmsg(fd, b.message, (unsigned int)got, MSG_DONTWAIT);
		}
	}
}

static void ask(uint16_t port, int window, int seconds, uint32_t discriminator)
{
	static struct batch out, in;
	int fd = socket_at(FAR, 50000);
	uint64_t until = now_us() + (uint64_t)seconds * 1000000;
	unsigned long long replies = 0;

	for (int i = 0; i < BATCH; i++) {
		uint8_t p[24] = {0x20, UP << 6 | 0x02, 3, 24};

		put32(p + 4, (uint32_t)i + 1);
		put32(p + 8, discriminator);
		put32(p + 12, 50000);
		memcpy(out.bytes[i], p, sizeof(p));
		out.peer[i] = address_of(HUB, port);
		out.io[i] = (struct iovec){out.bytes[i], sizeof(p)};
		out.message[i].msg_hdr = (struct msghdr){.msg_name = &out.peer[i],
							 .msg_namelen = sizeof(out.peer[i]),
							 .msg_iov = &out.io[i],
							 .msg_iovlen = 1};
	}
	while (now_us() < until) {
		int waiting = sendmmsg(fd, out.message, (unsigned int)window, 0);

		while (waiting > 0) {
			struct pollfd polled = {fd, POLLIN, 0};
			int got =
			    poll(&polled, 1, 20) > 0 ? receive(fd, &in, false, MSG_DONTWAIT) : 0;

			if (got <= 0)
				break;
			waiting -= got;
			replies += (unsigned int)got;
		}
	}
	printf("replies %llu\n", replies);
}

static void cpu(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used) < 0)
		die("cpu");
	printf("%llu\n",
	       (unsigned long long)used.tv_sec * 1000000000 + (unsigned long long)used.tv_nsec);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	struct sigaction stop = {.sa_handler = end};

	sigaction(SIGTERM, &stop, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	if ((!strcmp(verb, "hub") || !strcmp(verb, "look") || !strcmp(verb, "far")) && argc == 4 &&
	    atoi(argv[2]) <= SESSIONS)
		run(*verb != 'f', *verb == 'l', (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
	else if (!strcmp(verb, "cpu"))
		cpu(atoi(argv[2]));
	else if (!strcmp(verb, "echo"))
		echo((uint16_t)atoi(argv[2]));
	else if (!strcmp(verb, "ask") && argc == 6 && atoi(argv[3]) <= BATCH)
		ask((uint16_t)atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), (uint32_t)atoi(argv[5]));
	else
		return 2;
	return 0;
}
