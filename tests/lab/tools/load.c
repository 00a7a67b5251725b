/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a query takes while a line is full.
 *
 *	load answer ADDRESS PORT		UDP: answers each query with as many bytes as it asks for
 *	load query ADDRESS PORT INTERVAL_MS COUNT BYTES ANSWER_BYTES [SOURCE]
 *						prints one line: how many were answered, and percentiles in us
 *	load server ADDRESS PORT		TCP: takes from, or gives to, whoever connects, without end
 *	load up|down ADDRESS PORT		fills the line until SIGTERM, then prints "bytes=N ms=N"
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

enum { QUERIES_MAX = 1 << 16, PACKET_MAX = 1400, LATE_MS = 3000, NEVER = -1 };

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
			sendto(fd, packet, q.answer_bytes, 0, (const struct sockaddr *)&from, length);
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
	       (long long)all->took_us[(n - 1) / 2], (long long)all->took_us[(uint64_t)(n - 1) * 90 / 100],
	       (long long)all->took_us[((uint64_t)n * 99 + 99) / 100 - 1], (long long)all->took_us[n - 1]);
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
		sendto(all.fd, packet, bytes, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
		next_us += interval_us;
		while (!stopping && now_us() < next_us)
			take_answers(&all, next_us);
	}
	for (int64_t end_us = now_us() + LATE_MS * 1000; now_us() < end_us;)
		take_answers(&all, end_us);
	print_figures(&all);
	return 0;
}

/* Fills the line in one direction, until the other end or a signal ends it. */
static uint64_t move(int fd, int giving)
{
	static char bytes[16384];
	uint64_t moved = 0;
	ssize_t n = 0;

	while (!stopping && n >= 0) {
		n = giving ? send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) : recv(fd, bytes, sizeof(bytes), 0);
		if (n == 0)
			break;
		moved += n > 0 ? (uint64_t)n : 0;
	}
	return moved;
}

static int server(const struct sockaddr_in *local)
{
	int listener = socket_of(SOCK_STREAM, local);

	signal(SIGCHLD, SIG_IGN);
	if (listen(listener, 8) < 0)
		return 2;
	while (!stopping) {
		int fd = accept(listener, NULL, NULL);
		char direction;

		if (fd < 0)
			continue;
		if (fork() == 0) {
			close(listener);
			if (recv(fd, &direction, 1, 0) == 1)
				move(fd, direction == 'd');
			_exit(0);
		}
		close(fd);
	}
	return 0;
}

static int fill(const struct sockaddr_in *to, char direction)
{
	int fd = socket_of(SOCK_STREAM, NULL);
	int64_t begun_us = now_us();
	uint64_t moved;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 || send(fd, &direction, 1, 0) != 1) {
		perror("load");
		return 1;
	}
	moved = move(fd, direction == 'u');
	printf("bytes=%llu ms=%lld\n", (unsigned long long)moved, (long long)(now_us() - begun_us) / 1000);
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
		if (argc == 4 && (!strcmp(argv[1], "up") || !strcmp(argv[1], "down")))
			return fill(&at, argv[1][0]);
		if ((argc == 8 || argc == 9) && !strcmp(argv[1], "query"))
			return query(&at, argv);
	}
	fprintf(stderr, "usage: load answer|server|up|down ADDRESS PORT\n"
			"       load query ADDRESS PORT INTERVAL_MS COUNT BYTES ANSWER_BYTES [SOURCE]\n");
	return 2;
}
