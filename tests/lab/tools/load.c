/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a query takes while a line is full, and how much a line takes.
 *
 *	load answer ADDRESS PORT		UDP: answers each query with as many bytes as it asks for
 *	load query ADDRESS PORT INTERVAL_MS COUNT BYTES ANSWER_BYTES [SOURCE]
 *						prints one line: how many were answered, and percentiles in us
 *	load server ADDRESS PORT		TCP: takes from, or gives to, whoever connects, without end
 *	load up|down ADDRESS PORT [SECONDS]	fills the line until SIGTERM, then prints "bytes=N ms=N"; with SECONDS
 *						it says "begin" after half a second, and counts so long from there
 *	load sink ADDRESS PORT			UDP: takes packets and says which it has seen
 *	load fill ADDRESS PORT SECONDS BYTES SOURCE
 *						sends it packets of so many bytes, no more than WINDOW at a time that
 *						it has not seen; the same lines, and "lost=N" packets
 *
 * A query is sent at its time, whether the one before was answered or not. Nothing spins on the clock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUERIES_MAX = 1 << 16, PACKET_MAX = 1400, LATE_MS = 3000, NEVER = -1, WARM_US = 500000 };
enum { WINDOW = 512, BURST = 64, FILL_MAX = 1472 };

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		fprintf(stderr, "load: '%s' is no address\n", host);
		exit(2);
	}
	return a;
}

static int socket_of(int type, const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || (local && bind(fd, (const struct sockaddr *)local, sizeof(*local)) < 0)) {
		perror("load");
		exit(2);
	}
	return fd;
}

/* The first two words of a packet. */
struct query {
	uint32_t number, answer_bytes;
};

static int answer(const struct sockaddr_in *local)
{
	int fd = socket_of(SOCK_DGRAM, local);
	uint8_t packet[PACKET_MAX] = {0};

	while (!stopping) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);
		struct query q;

		if (recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length) <
		    (ssize_t)sizeof(q))
			continue;
		memcpy(&q, packet, sizeof(q));
		if (q.answer_bytes <= sizeof(packet))
			sendto(fd, packet, q.answer_bytes, 0, (const struct sockaddr *)&from,
			       length);
	}
	return 0;
}

struct queries {
	int fd;
	uint32_t sent;
	int64_t sent_us[QUERIES_MAX], took_us[QUERIES_MAX];
};

static void take_answers(struct queries *all, int64_t until_us)
{
	struct pollfd p = {.fd = all->fd, .events = POLLIN};
	int64_t left_us;

	while ((left_us = until_us - now_us()) > 0) {
		struct timespec wait = {left_us / 1000000, left_us % 1000000 * 1000};
		uint8_t packet[PACKET_MAX];
		struct query q;

		if (ppoll(&p, 1, &wait, NULL) <= 0)
			return;
		if (recv(all->fd, packet, sizeof(packet), MSG_DONTWAIT) < (ssize_t)sizeof(q))
			continue;
		memcpy(&q, packet, sizeof(q));
		if (q.number < all->sent && all->took_us[q.number] == NEVER)
			all->took_us[q.number] = now_us() - all->sent_us[q.number];
	}
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Those that were never answered took longest. */
static void print_figures(struct queries *all)
{
	uint32_t n = all->sent, answered = 0;

	for (uint32_t i = 0; i < n; i++) {
		answered += all->took_us[i] != NEVER;
		if (all->took_us[i] == NEVER)
			all->took_us[i] = INT64_MAX / 2;
	}
	qsort(all->took_us, n, sizeof(all->took_us[0]), compare);
	printf("sent=%u answered=%u p50_us=%lld p90_us=%lld p99_us=%lld max_us=%lld\n", n, answered,
	       (long long)all->took_us[(n - 1) / 2],
	       (long long)all->took_us[(uint64_t)(n - 1) * 90 / 100],
	       (long long)all->took_us[((uint64_t)n * 99 + 99) / 100 - 1],
	       (long long)all->took_us[n - 1]);
}

static int query(const struct sockaddr_in *to, char **argv)
{
	static struct queries all;
	int64_t interval_us = (int64_t)(atof(argv[4]) * 1000), next_us = now_us();
	uint32_t count = (uint32_t)atoi(argv[5]), bytes = (uint32_t)atoi(argv[6]);
	struct query q = {.answer_bytes = (uint32_t)atoi(argv[7])};
	const struct sockaddr_in from = address(argv[8] ? argv[8] : "0.0.0.0", "0");
	uint8_t packet[PACKET_MAX] = {0};

	if (!count || count > QUERIES_MAX || bytes < sizeof(q) || bytes > PACKET_MAX) {
		fprintf(stderr, "load: too many, or too large\n");
		return 2;
	}
	all.fd = socket_of(SOCK_DGRAM, &from);
	while (!stopping && all.sent < count) {
		q.number = all.sent;
		memcpy(packet, &q, sizeof(q));
		all.took_us[all.sent] = NEVER;
		all.sent_us[all.sent++] = now_us();
		sendto(all.fd, packet, bytes, MSG_DONTWAIT, (const struct sockaddr *)to,
		       sizeof(*to));
		next_us += interval_us;
		while (!stopping && now_us() < next_us)
			take_answers(&all, next_us);
	}
	for (int64_t end_us = now_us() + LATE_MS * 1000; now_us() < end_us;)
		take_answers(&all, end_us);
	print_figures(&all);
	return 0;
}

/* What is moved from the end of the warm-up on. */
struct measure {
	int64_t begun_us, seconds; /* 0: without an end, and without a warm-up */
	uint64_t moved;
	int warm;
};

static struct measure measure_begin(const char *seconds)
{
	return (struct measure){
	    .begun_us = now_us(), .seconds = seconds ? atoi(seconds) : 0, .warm = !seconds};
}

/* @return 0 when its time is over. */
static int measure_goes_on(struct measure *m)
{
	int64_t now = m->seconds ? now_us() : 0;

	if (!m->seconds)
		return !stopping;
	if (!m->warm && now - m->begun_us >= WARM_US) {
		*m = (struct measure){.begun_us = now, .seconds = m->seconds, .warm = 1};
		puts("begin");
		fflush(stdout);
	}
	return !stopping && (!m->warm || now - m->begun_us < m->seconds * 1000000);
}

static void measure_print(const struct measure *m)
{
	printf("bytes=%llu ms=%lld\n", (unsigned long long)m->moved,
	       (long long)(now_us() - m->begun_us) / 1000);
	fflush(stdout);
}

/* Fills the line in one direction, until the other end, its time or a signal ends it. */
static void move(int fd, int giving, struct measure *m)
{
	static char bytes[65536];
	ssize_t n = 0;

	while (measure_goes_on(m) && n >= 0) {
		n = giving ? send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)
			   : recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			break;
		m->moved += n > 0 ? (uint64_t)n : 0;
	}
}

static int server(const struct sockaddr_in *local)
{
	int listener = socket_of(SOCK_STREAM, local);

	signal(SIGCHLD, SIG_IGN);
	if (listen(listener, 8) < 0)
		return 2;
	while (!stopping) {
		int fd = accept(listener, NULL, NULL);
		struct measure m = measure_begin(NULL);
		char direction;

		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			if (recv(fd, &direction, 1, 0) == 1)
				move(fd, direction == 'd', &m);
			_exit(0);
		}
		close(fd);
	}
	return 0;
}

static int fill(const struct sockaddr_in *to, char direction, const char *seconds)
{
	int fd = socket_of(SOCK_STREAM, NULL);
	struct measure m = measure_begin(seconds);

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
	    send(fd, &direction, 1, 0) != 1) {
		perror("load");
		return 1;
	}
	move(fd, direction == 'u', &m);
	measure_print(&m);
	return 0;
}

/* Packets by the burst: a system call costs a virtual kernel more than a packet does. */
struct burst {
	struct mmsghdr message[BURST];
	struct iovec vector[BURST];
	struct sockaddr_in peer[BURST];
	uint8_t bytes[BURST][FILL_MAX];
};

static void burst_init(struct burst *b, size_t bytes, const struct sockaddr_in *to)
{
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < BURST; i++) {
		b->vector[i] = (struct iovec){b->bytes[i], bytes};
		b->message[i].msg_hdr = (struct msghdr){.msg_iov = &b->vector[i], .msg_iovlen = 1};
		if (to)
			b->peer[i] = *to;
		b->message[i].msg_hdr.msg_name = &b->peer[i];
		b->message[i].msg_hdr.msg_namelen = sizeof(b->peer[i]);
	}
}

/* What the far end says of a stream: up to which number it has seen some of it, and how many packets. */
struct seen {
	uint32_t end, count;
};

static int sink(const struct sockaddr_in *local)
{
	static struct burst b;
	int fd = socket_of(SOCK_DGRAM, local), room = 4 << 20;
	struct seen seen = {0};

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	burst_init(&b, FILL_MAX, NULL);
	while (!stopping) {
		int got = recvmmsg(fd, b.message, BURST, MSG_WAITFORONE, NULL);

		for (int i = 0; i < got; i++) {
			uint32_t number;

			memcpy(&number, b.bytes[i], sizeof(number));
			seen = (struct seen){number + 1,
					     number ? seen.count + 1 : 1}; /* 0: a new stream */
		}
		if (got > 0)
			sendto(fd, &seen, sizeof(seen), 0,
			       (const struct sockaddr *)&b.peer[got - 1], sizeof(b.peer[0]));
	}
	return 0;
}

struct stream {
	int fd;
	size_t bytes; /* a packet */
	uint32_t sent;
	struct seen seen;
};

static int stream_full(const struct stream *s)
{
	return s->sent - s->seen.end > WINDOW - BURST;
}

/* What is lost is not sent again, and no longer waited for after 50 ms of silence. */
static void stream_hear(struct stream *s, struct measure *m)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	struct seen seen;

	if (poll(&p, 1, stream_full(s) ? 50 : 0) <= 0) {
		s->seen.end = stream_full(s) ? s->sent : s->seen.end;
		return;
	}
	while (recv(s->fd, &seen, sizeof(seen), MSG_DONTWAIT) == sizeof(seen)) {
		m->moved += (uint64_t)(seen.count - s->seen.count) * s->bytes;
		s->seen = seen;
	}
}

static void stream_send(struct stream *s, struct burst *b)
{
	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t number = s->sent + i;

		memcpy(b->bytes[i], &number, sizeof(number));
	}
	s->sent += BURST;
	sendmmsg(s->fd, b->message, BURST, 0);
}

static int fill_packets(const struct sockaddr_in *to, char **argv)
{
	static struct burst b;
	const struct sockaddr_in from = address(argv[6], "0");
	struct stream s = {.fd = socket_of(SOCK_DGRAM, &from), .bytes = (size_t)atoi(argv[5])};
	struct measure m = measure_begin(argv[4]);

	if (s.bytes < sizeof(uint32_t) || s.bytes > FILL_MAX || !m.seconds)
		return 2;
	burst_init(&b, s.bytes, to);
	while (measure_goes_on(&m)) {
		if (!stream_full(&s))
			stream_send(&s, &b);
		stream_hear(&s, &m);
	}
	measure_print(&m);
	printf("lost=%u\n", s.seen.end - s.seen.count);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction on_stop = {.sa_handler = stop};
	struct sockaddr_in at;

	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	if (argc >= 4) {
		at = address(argv[2], argv[3]);
		if (argc == 4 && !strcmp(argv[1], "answer"))
			return answer(&at);
		if (argc == 4 && !strcmp(argv[1], "server"))
			return server(&at);
		if ((argc == 4 || argc == 5) &&
		    (!strcmp(argv[1], "up") || !strcmp(argv[1], "down")))
			return fill(&at, argv[1][0], argv[4]);
		if (argc == 4 && !strcmp(argv[1], "sink"))
			return sink(&at);
		if (argc == 7 && !strcmp(argv[1], "fill"))
			return fill_packets(&at, argv);
		if ((argc == 8 || argc == 9) && !strcmp(argv[1], "query"))
			return query(&at, argv);
	}
	fprintf(stderr,
		"usage: load answer|server|sink ADDRESS PORT\n"
		"       load up|down ADDRESS PORT [SECONDS]\n"
		"       load fill ADDRESS PORT SECONDS BYTES SOURCE\n"
		"       load query ADDRESS PORT INTERVAL_MS COUNT BYTES ANSWER_BYTES [SOURCE]\n");
	return 2;
}
