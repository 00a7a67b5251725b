/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to move all ways back of a gateway from one first hop to another, in the ways that the kernel has:
 *
 *	move COUNT		prints "WAY MS MESSAGES" a line
 *
 *	routes		each route with its own stack rewritten, in batches, and each with a metric of its own
 *	same-metric	the same without: the kernel then compares each with all before it
 *	nexthops	a nexthop object a stack (they carry the encapsulation, so different stacks cannot share one)
 *	nexthop		one object, all stacks alike: the bound, for routes that could share it
 *	label		each route pushes one label more and leaves by lo, where that label's route is the first hop
 *	rule		what they move to stands ready in a table of its own, to which one rule leads: what we do
 *
 * lsp1 and lsp2 and label 89999 are made by whoever calls. All is in place before the clock runs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH_BYTES (64u << 10)
#define GROUP_LABEL 89999u
#define OTHER_TABLE 570101u

static char buffer[BATCH_BYTES + 1024];
static size_t length, last;
static uint32_t sequence;
static unsigned long messages;
static int fd;

static void die(const char *what, int error)
{
	fprintf(stderr, "move: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void flush(void)
{
	static char answer[65536];
	bool done = false;

	if (!length)
		return;
	((struct nlmsghdr *)(buffer + last))->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, buffer, length, 0) < 0)
		die("send", errno);
	while (!done) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);
		int left = (int)got;

		if (got < 0)
			die("recv", errno);
		for (struct nlmsghdr *m = (struct nlmsghdr *)answer; NLMSG_OK(m, left);
		     m = NLMSG_NEXT(m, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(m);

			if (m->nlmsg_type == NLMSG_ERROR && e->error)
				die("a request", -e->error);
			done |= m->nlmsg_seq == sequence;
		}
	}
	length = 0;
}

static void begin(int type, const void *header, size_t size)
{
	struct nlmsghdr *m;

	if (length > BATCH_BYTES)
		flush();
	last = length;
	m = (struct nlmsghdr *)(buffer + length);
	memset(m, 0, 512);
	*m = (struct nlmsghdr){.nlmsg_type = (uint16_t)type,
			       .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE,
			       .nlmsg_seq = ++sequence};
	memcpy(NLMSG_DATA(m), header, size);
	length += NLMSG_HDRLEN + NLMSG_ALIGN(size);
	messages++;
}

static size_t put(int type, const void *bytes, size_t size)
{
	struct rtattr *a = (struct rtattr *)(buffer + length);
	size_t at = length;

	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)(RTA_LENGTH(0) + size);
	if (size)
		memcpy(RTA_DATA(a), bytes, size);
	length += RTA_ALIGN(a->rta_len);
	return at;
}

static void put32(int type, uint32_t value)
{
	put(type, &value, 4);
}

static void end(void)
{
	((struct nlmsghdr *)(buffer + last))->nlmsg_len = (uint32_t)(length - last);
}

static void put_stack(int encap, int encap_type, const uint32_t *labels, size_t count)
{
	uint16_t mpls = LWTUNNEL_ENCAP_MPLS;
	uint32_t entry[8];
	size_t nest;

	for (size_t i = 0; i < count; i++)
		entry[i] = htonl(labels[i] << 12 | (i + 1 == count ? 0x100u : 0));
	put(encap_type, &mpls, 2);
	nest = put(encap | NLA_F_NESTED, NULL, 0);
	put(MPLS_IPTUNNEL_DST, entry, count * 4);
	((struct rtattr *)(buffer + nest))->rta_len = (uint16_t)(length - nest);
}

static void route(uint32_t table, uint32_t i, uint32_t metric, uint32_t device, uint32_t nexthop,
		  const uint32_t *labels, size_t count)
{
	struct rtmsg header = {
	    .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_protocol = 84, .rtm_type = RTN_UNICAST};

	begin(RTM_NEWROUTE, &header, sizeof(header));
	put32(RTA_TABLE, table);
	put32(RTA_DST, htonl(0x64500000u + 64 + i));
	if (metric)
		put32(RTA_PRIORITY, metric);
	if (nexthop)
		put32(RTA_NH_ID, nexthop);
	else
		put32(RTA_OIF, device);
	if (count)
		put_stack(RTA_ENCAP, RTA_ENCAP_TYPE, labels, count);
	end();
}

static void nexthop(uint32_t id, uint32_t device, const uint32_t *labels, size_t count)
{
	struct nhmsg header = {.nh_family = AF_INET, .nh_protocol = 84};

	begin(RTM_NEWNEXTHOP, &header, sizeof(header));
	put32(NHA_ID, id);
	put32(NHA_OIF, device);
	if (count)
		put_stack(NHA_ENCAP, NHA_ENCAP_TYPE, labels, count);
	end();
}

static void group_label(uint32_t device)
{
	struct rtmsg header = {.rtm_family = AF_MPLS,
			       .rtm_dst_len = 20,
			       .rtm_table = RT_TABLE_MAIN,
			       .rtm_protocol = 84,
			       .rtm_type = RTN_UNICAST};

	begin(RTM_NEWROUTE, &header, sizeof(header));
	put32(RTA_DST, htonl(GROUP_LABEL << 12 | 0x100));
	put32(RTA_OIF, device);
	end();
}

static void rule(bool there)
{
	struct fib_rule_hdr header = {.family = AF_INET, .action = FR_ACT_TO_TBL};

	begin(there ? RTM_NEWRULE : RTM_DELRULE, &header, sizeof(header));
	put32(FRA_PRIORITY, 32000);
	put32(FRA_TABLE, OTHER_TABLE);
	end();
}

enum way { ROUTES, ALIKE, NEXTHOPS, NEXTHOP, LABEL, RULE };
static const char *const names[] = {"routes",  "same-metric", "nexthops",
				    "nexthop", "label",	      "rule"};

static void set(enum way way, uint32_t count, uint32_t device, bool moving)
{
	uint32_t alike[] = {16101, 20001};

	if (way == LABEL)
		group_label(device);
	if (way == NEXTHOP)
		nexthop(1, device, alike, 2);
	if (way == RULE && moving)
		rule(device == if_nametoindex("lsp2"));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t stack[] = {GROUP_LABEL, 16101, 20000 + i};

		if (way == ROUTES || way == ALIKE)
			route(RT_TABLE_MAIN, i, way == ROUTES ? i + 1 : 0, device, 0, stack + 1, 2);
		if (way == NEXTHOPS)
			nexthop(i + 1, device, stack + 1, 2);
		if (way == NEXTHOPS && !moving)
			route(RT_TABLE_MAIN, i, 0, 0, i + 1, NULL, 0);
		if (way == NEXTHOP && !moving)
			route(RT_TABLE_MAIN, i, 0, 0, 1, NULL, 0);
		if (way == LABEL && !moving)
			route(RT_TABLE_MAIN, i, 0, if_nametoindex("lo"), 0, stack, 3);
		if (way == RULE && !moving) {
			route(RT_TABLE_MAIN, i, i + 1, device, 0, stack + 1, 2);
			route(OTHER_TABLE, i, i + 1, if_nametoindex("lsp2"), 0, stack + 1, 2);
		}
	}
	flush();
}

int main(int argc, char **argv)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 10611;
	uint32_t one = if_nametoindex("lsp1"), two = if_nametoindex("lsp2");
	int room = 4 << 20;

	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || !one || !two)
		die("lsp1, lsp2", errno);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	for (int way = ROUTES; way <= RULE; way++) {
		double best = 1e9;

		set((enum way)way, count, one, false);
		for (int n = 0; n < 4; n++) {
			double start = now_ms(), took;

			messages = 0;
			set((enum way)way, count, n % 2 ? one : two, true);
			took = now_ms() - start;
			best = took < best ? took : best;
		}
		printf("%s %.3f %lu\n", names[way], best, messages);
	}
	return 0;
}
