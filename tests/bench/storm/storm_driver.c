/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hub that loses its power, and all who call it: for make bench-storm. Everybody is a WireGuard device of the kernel's own,
 * the hub in one network namespace, SITES callers with a device each in another, a veth between them.
 *
 *	storm_driver HUB-NAMESPACE SITES-NAMESPACE SITES OUTAGE_S lockstep|spread
 *
 * Each caller sends a packet a second. The hub's device is deleted and, after OUTAGE_S, made anew with the same key and all its
 * peers. lockstep: the callers are WireGuard as it is: the first try 15 s after what was not answered, then one every 5 s and up
 * to a third. spread: before that, each makes its peer anew at its own moment of those 5 s, as tuyend does
 * (core/renewal.h). Printed: "half", "most" (99 of 100) and "all": ms from the hub's return until so many have a new session;
 * "peak": the most new sessions in 100 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wireguard.h"

#include "tuyen/core/renewal.h"

#define PORT	    51820
#define PORT_FIRST  20000 /* of the callers */
#define TICK_MS	    10
#define PATIENCE_MS 60000

struct site {
	wg_key private, public;
	unsigned int ifindex;
	uint64_t renew_ms; /* of the outage; 0: done, or never */
};

static struct site *sites;
static unsigned int count;
static int hub_ns, sites_ns, sender;
static wg_key hub_private, hub_public;

static void die(const char *what)
{
	fprintf(stderr, "storm_driver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int64_t wall_ns(struct timespec64 t)
{
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		die("setns");
}

static int namespace_open(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static void device_up(const char *name)
{
	struct ifreq r = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	r.ifr_flags = IFF_UP;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		die(name);
	close(fd);
}

/* A list of them all, made once: the kernel wants it in one piece. */
static wg_peer *hub_peers(void)
{
	wg_peer *peers = calloc(count, sizeof(*peers));
	wg_allowedip *allowed = calloc(count, sizeof(*allowed));

	if (!peers || !allowed)
		die("memory");
	for (unsigned int i = 0; i < count; i++) {
		allowed[i].family = AF_INET;
		allowed[i].ip4.s_addr = htonl(0x0a000000u + i);
		allowed[i].cidr = 32;
		peers[i].flags = WGPEER_HAS_PUBLIC_KEY | WGPEER_REPLACE_ALLOWEDIPS;
		memcpy(peers[i].public_key, sites[i].public, sizeof(wg_key));
		peers[i].first_allowedip = peers[i].last_allowedip = &allowed[i];
		peers[i].next_peer = i + 1 < count ? &peers[i + 1] : NULL;
	}
	return peers;
}

static void hub_begin(wg_peer *peers)
{
	wg_device d = {.name = "hub0",
		       .flags = WGDEVICE_HAS_PRIVATE_KEY | WGDEVICE_HAS_LISTEN_PORT,
		       .listen_port = PORT,
		       .first_peer = peers,
		       .last_peer = &peers[count - 1]};

	enter(hub_ns);
	memcpy(d.private_key, hub_private, sizeof(wg_key));
	if (wg_add_device(d.name) < 0 || wg_set_device(&d) < 0)
		die("the hub's device");
	device_up(d.name);
	enter(sites_ns);
}

static void hub_end(void)
{
	enter(hub_ns);
	if (wg_del_device("hub0") < 0)
		die("the hub's device");
	enter(sites_ns);
}

/* @return how many of the hub's peers have a session that is younger than @since_ns. */
static unsigned int hub_count(int64_t since_ns)
{
	unsigned int found = 0;
	wg_device *d;
	wg_peer *p;

	enter(hub_ns);
	if (wg_get_device(&d, "hub0") < 0)
		die("the hub's peers");
	wg_for_each_peer(d, p) found += wall_ns(p->last_handshake_time) > since_ns;
	wg_free_device(d);
	enter(sites_ns);
	return found;
}

static void peer_set(unsigned int i, bool remove)
{
	wg_allowedip all = {.family = AF_INET, .cidr = 0};
	wg_peer p = {.flags = WGPEER_HAS_PUBLIC_KEY | (remove ? WGPEER_REMOVE_ME : 0)};
	wg_device d = {.first_peer = &p, .last_peer = &p};

	memcpy(p.public_key, hub_public, sizeof(wg_key));
	if (!remove) {
		p.flags |= WGPEER_HAS_PERSISTENT_KEEPALIVE_INTERVAL;
		p.persistent_keepalive_interval = 25;
		p.endpoint.addr4 =
		    (struct sockaddr_in){AF_INET, htons(PORT), {htonl(0xc0000201u)}, {0}};
		p.first_allowedip = p.last_allowedip = &all;
	}
	snprintf(d.name, sizeof(d.name), "s%u", i);
	if (wg_set_device(&d) < 0)
		die(d.name);
}

static void site_begin(unsigned int i)
{
	wg_device d = {.flags = WGDEVICE_HAS_PRIVATE_KEY | WGDEVICE_HAS_LISTEN_PORT,
		       .listen_port = (uint16_t)(PORT_FIRST + i)};

	snprintf(d.name, sizeof(d.name), "s%u", i);
	memcpy(d.private_key, sites[i].private, sizeof(wg_key));
	if (wg_add_device(d.name) < 0 || wg_set_device(&d) < 0)
		die(d.name);
	device_up(d.name);
	sites[i].ifindex = if_nametoindex(d.name);
	peer_set(i, false);
}

static void send_one(unsigned int i)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(0x0aff0001u)}};
	char control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0}, byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_name = &to,
			   .msg_namelen = sizeof(to),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct in_pktinfo info = {.ipi_ifindex = (int)sites[i].ifindex};

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	sendmsg(sender, &m, MSG_DONTWAIT);
}

/* What every site does all the time: sends once a second, and renews when it is its turn. */
static void tick(uint64_t tick_number, uint64_t outage_ms)
{
	for (unsigned int i = (unsigned int)(tick_number % (1000 / TICK_MS)); i < count;
	     i += 1000 / TICK_MS)
		send_one(i);
	for (unsigned int i = 0; i < count; i++)
		if (sites[i].renew_ms && outage_ms >= sites[i].renew_ms) {
			peer_set(i, true);
			peer_set(i, false);
			sites[i].renew_ms = 0;
		}
}

static void live_for(uint64_t ms, bool outage)
{
	uint64_t begin = now_ms(), passed;

	for (uint64_t n = 0; (passed = now_ms() - begin) < ms; n++) {
		tick(n, outage ? passed : 0);
		usleep(TICK_MS * 1000);
	}
}

static void measure(void)
{
	static const struct {
		const char *name;
		unsigned int percent;
	} marks[] = {{"half", 50}, {"most", 99}, {"all", 100}};
	uint64_t begin = now_ms(), passed = 0, window_ms = 0;
	unsigned int up = 0, before = 0, peak = 0;
	struct timespec t;
	size_t mark = 0;

	clock_gettime(CLOCK_REALTIME, &t);
	for (uint64_t n = 0; mark < 3 && passed < PATIENCE_MS; n++) {
		tick(n, 0);
		usleep(TICK_MS * 1000);
		passed = now_ms() - begin;
		if (n % 10)
			continue;
		up = hub_count((int64_t)t.tv_sec * 1000000000 + t.tv_nsec);
		if (passed - window_ms >= 100) {
			peak = up - before > peak ? up - before : peak;
			before = up;
			window_ms = passed;
		}
		for (; mark < 3 && (uint64_t)up * 100 >= (uint64_t)count * marks[mark].percent;
		     mark++)
			printf("%s %llu\n", marks[mark].name, (unsigned long long)passed);
	}
	printf("peak %u\n", peak);
	if (mark < 3)
		printf("missing %u\n", count - up);
}

int main(int argc, char **argv)
{
	unsigned int outage_s;
	wg_peer *peers;
	bool spread;

	if (argc != 6)
		return 2;
	hub_ns = namespace_open(argv[1]);
	sites_ns = namespace_open(argv[2]);
	count = (unsigned int)atoi(argv[3]);
	if (count > PORT - PORT_FIRST)
		return 2;
	outage_s = (unsigned int)atoi(argv[4]);
	spread = !strcmp(argv[5], "spread");
	sites = calloc(count, sizeof(*sites));
	if (!sites || !count)
		die("sites");
	wg_generate_private_key(hub_private);
	wg_generate_public_key(hub_public, hub_private);
	for (unsigned int i = 0; i < count; i++) {
		wg_generate_private_key(sites[i].private);
		wg_generate_public_key(sites[i].public, sites[i].private);
	}
	peers = hub_peers();
	enter(sites_ns);
	sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sender < 0)
		die("socket");
	hub_begin(peers);
	for (unsigned int i = 0; i < count; i++)
		site_begin(i);
	for (int i = 0; i < 30 && hub_count(0) < count; i++)
		live_for(1000, false);
	printf("sessions %u\n", hub_count(0));
	live_for(12000, false); /* answers have come: nobody waits for one */
	hub_end();
	for (unsigned int i = 0; spread && i < count; i++)
		sites[i].renew_ms = renewal_wait_us(i + 1) / 1000;
	live_for(outage_s * 1000ull, true);
	hub_begin(peers);
	measure();
	return 0;
}
