/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures an outage from end to end.
 *
 *	stream echo ADDRESS PORT			answers each packet
 *	stream mirror ADDRESS PORT			a TCP server that sends back what it gets, one client at a time
 *	stream send ADDRESS PORT INTERVAL_MS [SOURCE[:PORT] [BYTES]]
 *							sends until SIGTERM or SIGINT, then waits for late answers
 *							and prints one line of figures
 *
 * A packet is a number and filling, 64 bytes unless said. "lost" are those never answered, "outage_ms" is the longest
 * run of lost ones in a row times the interval, "tail" how many were lost at the end. It sleeps to the next point in time and never spins on the clock.
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

enum { PACKET_BYTES = 64, PACKET_BYTES_MAX = 1472, PACKETS_MAX = 1 << 20, LATE_MS = 500 };

static volatile sig_atomic_t stopping;
static uint8_t answered[PACKETS_MAX];

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
		fprintf(stderr, "stream: '%s' is no address\n", host);
		exit(2);
	}
	return a;
}

static struct sockaddr_in source(const char *text)
{
	char host[INET_ADDRSTRLEN] = "";
	size_t length = strcspn(text, ":");

	if (length < sizeof(host))
		memcpy(host, text, length);
	return address(host, text[length] ? text + length + 1 : "0");
}

static int socket_on(const struct sockaddr_in *local)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (local && bind(fd, (const struct sockaddr *)local, sizeof(*local)) < 0)) {
		perror("stream");
		exit(2);
	}
	return fd;
}

static int echo(const char *host, const char *port)
{
	const struct sockaddr_in local = address(host, port);
	int fd = socket_on(&local);
	uint8_t packet[PACKET_BYTES_MAX];
	struct sockaddr_in from;

	while (!stopping) {
		socklen_t length = sizeof(from);
		ssize_t n =
		    recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length);

		if (n > 0)
			sendto(fd, packet, (size_t)n, 0, (const struct sockaddr *)&from, length);
	}
	return 0;
}

static int mirror(const char *host, const char *port)
{
	const struct sockaddr_in local = address(host, port);
	const int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char bytes[4096];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&local, sizeof(local)) < 0 ||
	    listen(listener, 8) < 0) {
		perror("stream");
		return 2;
	}
	while (!stopping) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write(fd, bytes, (size_t)n) != n)
				break;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

static void take_answers(int fd, int64_t until_us)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left_us;

	while ((left_us = until_us - now_us()) > 0) {
		struct timespec wait = {left_us / 1000000, left_us % 1000000 * 1000};
		uint32_t packet[PACKET_BYTES_MAX / 4];

		if (ppoll(&p, 1, &wait, NULL) <= 0)
			return;
		if (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) >= PACKET_BYTES &&
		    packet[0] < PACKETS_MAX)
			answered[packet[0]] = 1;
	}
}

static void print_figures(uint32_t sent, double interval_ms)
{
	uint32_t lost = 0, run = 0, longest = 0, runs = 0;

	for (uint32_t i = 0; i < sent; i++) {
		lost += !answered[i];
		runs += !answered[i] && !run;
		run = answered[i] ? 0 : run + 1;
		if (run > longest)
			longest = run;
	}
	printf("sent=%u answered=%u lost=%u gaps=%u outage_ms=%.0f tail=%u\n", sent, sent - lost,
	       lost, runs, longest * interval_ms, run);
}

static int send_stream(const struct sockaddr_in *to, const struct sockaddr_in *from,
		       double interval_ms, size_t bytes)
{
	int fd = socket_on(from);
	int64_t next_us = now_us();
	uint32_t packet[PACKET_BYTES_MAX / 4] = {0};
	uint32_t sent = 0;

	while (!stopping && sent < PACKETS_MAX) {
		packet[0] = sent++;
		sendto(fd, packet, bytes, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to));
		next_us += (int64_t)(interval_ms * 1000);
		while (!stopping && now_us() < next_us)
			take_answers(fd, next_us);
	}
	for (int64_t end_us = now_us() + LATE_MS * 1000; now_us() < end_us;)
		take_answers(fd, end_us);
	print_figures(sent, interval_ms);
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction on_stop = {.sa_handler = stop};

	sigaction(SIGTERM, &on_stop, NULL);
	sigaction(SIGINT, &on_stop, NULL);
	if (argc == 4 && !strcmp(argv[1], "echo"))
		return echo(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "mirror"))
		return mirror(argv[2], argv[3]);
	if (argc >= 5 && argc <= 7 && !strcmp(argv[1], "send")) {
		const struct sockaddr_in to = address(argv[2], argv[3]);
		const struct sockaddr_in from = source(argc > 5 ? argv[5] : "0.0.0.0");
		const int bytes = argc > 6 ? atoi(argv[6]) : PACKET_BYTES;

		if (bytes >= PACKET_BYTES && bytes <= PACKET_BYTES_MAX)
			return send_stream(&to, &from, atof(argv[4]), (size_t)bytes);
	}
	fprintf(
	    stderr,
	    "usage: stream echo|mirror ADDRESS PORT | stream send ADDRESS PORT INTERVAL_MS [SOURCE[:PORT] [BYTES]]\n");
	return 2;
}
