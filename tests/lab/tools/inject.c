/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends what nobody should: frames that a box in wrong hands, or the carrier, could make.
 *
 *	inject mpls DEVICE LABEL[/LABEL...] SOURCE DESTINATION PORT TEXT COUNT
 *		labelled UDP packets straight into a device (an adjacency); IPv6 where the addresses are
 *		PORT may be PORT@FROM: from port FROM instead of 40000
 *		TEXT may be 0xHEX: these bytes
 *		COUNT may be COUNTxBURST: each 10 ms so many at once instead of one
 *	inject udp SOURCE DESTINATION PORT TEXT COUNT
 *		clear UDP with any source address
 *	inject mpls-in-ip OUTER_SOURCE OUTER_DESTINATION LABEL[/LABEL...] SOURCE DESTINATION PORT TEXT COUNT
 *		clear MPLS-in-IP (RFC 4023), as from the carrier
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME_MAX = 1024, PROTOCOL_MPLS_IN_IP = 137 };

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t length;
};

static uint32_t sum_of(const void *bytes, size_t length)
{
	const uint8_t *b = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

static uint16_t checksum_end(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static uint16_t checksum(const void *bytes, size_t length)
{
	return checksum_end(sum_of(bytes, length));
}

static void add(struct frame *f, const void *bytes, size_t length)
{
	memcpy(f->bytes + f->length, bytes, length);
	f->length += length;
}

static void add_ip(struct frame *f, const char *from, const char *to, uint8_t protocol,
		   size_t payload)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 255, .protocol = protocol};

	ip.tot_len = htons((uint16_t)(sizeof(ip) + payload));
	if (inet_pton(AF_INET, from, &ip.saddr) != 1 || inet_pton(AF_INET, to, &ip.daddr) != 1)
		exit(2);
	ip.check = checksum(&ip, sizeof(ip));
	add(f, &ip, sizeof(ip));
}

/* @udp  its checksum, which IPv6 asks for, is set */
static void add_ipv6(struct frame *f, char **argv, struct udphdr *udp, size_t text)
{
	struct ip6_hdr ip = {.ip6_plen = udp->len, .ip6_nxt = IPPROTO_UDP, .ip6_hlim = 64};

	ip.ip6_vfc = 6 << 4;
	if (inet_pton(AF_INET6, argv[0], &ip.ip6_src) != 1 ||
	    inet_pton(AF_INET6, argv[1], &ip.ip6_dst) != 1)
		exit(2);
	udp->check = checksum_end(sum_of(&ip.ip6_src, 32) + ntohs(udp->len) + IPPROTO_UDP +
				  sum_of(udp, sizeof(*udp)) + sum_of(argv[3], text));
	add(f, &ip, sizeof(ip));
}

/* "0x20c0" becomes two bytes at the same place. @return how many there are. */
static size_t text_bytes(char *text)
{
	size_t count = 0;
	unsigned int byte;

	if (strncmp(text, "0x", 2) != 0)
		return strnlen(text, 512);
	for (const char *at = text + 2; count < 512 && sscanf(at, "%2x", &byte) == 1; at += 2)
		text[count++] = (char)byte;
	return count;
}

static void add_udp_packet(struct frame *f, char **argv) /* SOURCE DESTINATION PORT TEXT */
{
	const size_t text = text_bytes(argv[3]);
	const char *from = strchr(argv[2], '@');
	struct udphdr udp = {.source = htons((uint16_t)(from ? atoi(from + 1) : 40000)),
			     .dest = htons((uint16_t)atoi(argv[2]))};

	udp.len = htons((uint16_t)(sizeof(udp) + text));
	if (strchr(argv[0], ':'))
		add_ipv6(f, argv, &udp, text);
	else
		add_ip(f, argv[0], argv[1], IPPROTO_UDP, sizeof(udp) + text);
	add(f, &udp, sizeof(udp));
	add(f, argv[3], text);
}

static void add_labels(struct frame *f, char *labels)
{
	for (char *next, *l = labels; l; l = next) {
		uint32_t entry;

		next = strchr(l, '/');
		if (next)
			*next++ = '\0';
		entry = htonl((uint32_t)atoi(l) << 12 | (next ? 0 : 0x100) | 64);
		add(f, &entry, sizeof(entry));
	}
}

static void pause_ms(long ms)
{
	const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

static int transmit(int fd, const void *to, socklen_t to_length, const struct frame *f,
		    const char *count)
{
	const char *times = strchr(count, 'x');
	int burst = times ? atoi(times + 1) : 1;

	if (fd < 0) {
		perror("inject: socket");
		return 2;
	}
	for (int i = 0; i < atoi(count) * burst; i++) {
		/* of a burst some find the queue full: that is as it should be */
		if (sendto(fd, f->bytes, f->length, 0, to, to_length) < 0 && !times)
			perror("inject: send");
		if (i % burst == burst - 1)
			pause_ms(10);
	}
	return 0;
}

static int transmit_ip(const char *to, const struct frame *f, const char *count)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	inet_pton(AF_INET, to, &a.sin_addr);
	return transmit(socket(AF_INET, SOCK_RAW, IPPROTO_RAW), &a, sizeof(a), f, count);
}

static int inject_mpls(char **argv)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_MPLS_UC)};
	struct frame f = {.length = 0};

	a.sll_ifindex = (int)if_nametoindex(argv[0]);
	add_labels(&f, argv[1]);
	add_udp_packet(&f, argv + 2);
	return transmit(socket(AF_PACKET, SOCK_DGRAM, 0), &a, sizeof(a), &f, argv[6]);
}

static int inject_mpls_in_ip(char **argv)
{
	struct frame inner = {.length = 0}, f = {.length = 0};

	add_labels(&inner, argv[2]);
	add_udp_packet(&inner, argv + 3);
	add_ip(&f, argv[0], argv[1], PROTOCOL_MPLS_IN_IP, inner.length);
	add(&f, inner.bytes, inner.length);
	return transmit_ip(argv[1], &f, argv[7]);
}

static int inject_udp(char **argv)
{
	struct frame f = {.length = 0};

	add_udp_packet(&f, argv);
	return transmit_ip(argv[1], &f, argv[4]);
}

int main(int argc, char **argv)
{
	if (argc == 9 && !strcmp(argv[1], "mpls"))
		return inject_mpls(argv + 2);
	if (argc == 10 && !strcmp(argv[1], "mpls-in-ip"))
		return inject_mpls_in_ip(argv + 2);
	if (argc == 7 && !strcmp(argv[1], "udp"))
		return inject_udp(argv + 2);
	fprintf(stderr, "usage: inject mpls|udp|mpls-in-ip ...; see the top of its source\n");
	return 2;
}
