/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway of the whole country, without a daemon: for make bench-hub.
 *
 *	hub_driver apply BUNDLE LINK.key SESSION.key	one turn from what is there: "desired", "read", "plan", "apply"
 *							and "sum" in ms, "operations", "messages", "failed"; then a
 *							second reading and plan: "again" in ms, "left" operations
 *	hub_driver commands BUNDLE LINK.key SESSION.key	what ip(8), tc(8), wg(8), nft(8) and sysctl(8) need to make the
 *							same state, as files in the working directory
 *	hub_driver replay FILE				sends what RECORD=FILE kept of an apply: "replay" in ms, "messages",
 *							"failed"
 *	hub_driver repair BUNDLE LINK.key SESSION.key	the link that most ways back and label routes go over falls, after an
 *							apply: "returns" and "label-routes", how many those are; "look",
 *							what is to be set, "moved", the ways back, and "labels", the label
 *							routes, in ms since it fell; "messages" until "moved", then
 *							"label-messages"; "left" operations for the turn that follows
 *	hub_driver clear				takes all of it away: "clear" in ms
 *
 * messages are counted with COUNT or RECORD in the environment: every request that changes something, those of an nft
 * transaction too. RECORD=FILE keeps each, as it left for the kernel, and every sysctl. The replay is
 * the least that can be done with them: large sends, one acknowledgement each, no thought in between. So it is the
 * kernel's own time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"
#include "tuyen/core/repair.h"
#include "tuyen/kernel/kernel.h"

#define SYSCTL_PROTOCOL 1000u /* beside NETLINK_ROUTE, NETLINK_GENERIC, NETLINK_NETFILTER */
#define REPLAY_BYTES	(128u << 10)

static FILE *record;
static bool detail, watching;
static size_t changing; /* netlink messages that change something, nft's among them */

static void die(const char *what, const char *why)
{
	fprintf(stderr, "hub_driver: %s: %s\n", what, why);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- recording: the process's own send, sendmsg and write ------------------------------- */

static void record_put(uint32_t protocol, const void *bytes, uint32_t length)
{
	uint32_t head[2] = {protocol, length};

	if (record &&
	    (fwrite(head, sizeof(head), 1, record) != 1 || fwrite(bytes, length, 1, record) != 1))
		die("record", strerror(errno));
}

static bool asks_only(uint32_t protocol, const struct nlmsghdr *m)
{
	if (protocol == NETLINK_ROUTE)
		return (m->nlmsg_type - RTM_BASE) % 4 == 2; /* NEW, DEL, GET, SET */
	if (protocol == NETLINK_NETFILTER)
		return m->nlmsg_type != NFNL_MSG_BATCH_BEGIN;
	return m->nlmsg_type == GENL_ID_CTRL || m->nlmsg_flags & NLM_F_DUMP;
}

static void record_datagram(int fd, const char *bytes, size_t length)
{
	int domain = 0, protocol = 0;
	socklen_t size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0)
		return;
	if (protocol == NETLINK_NETFILTER) { /* a transaction goes as it is */
		if (asks_only(NETLINK_NETFILTER, (const struct nlmsghdr *)bytes))
			return;
		record_put(NETLINK_NETFILTER, bytes, (uint32_t)length);
	}
	for (size_t at = 0; at + sizeof(struct nlmsghdr) <= length;) {
		const struct nlmsghdr *m = (const struct nlmsghdr *)(bytes + at);

		if (protocol == NETLINK_NETFILTER) {
			changing++;
		} else if (!asks_only((uint32_t)protocol, m)) {
			record_put((uint32_t)protocol, m, m->nlmsg_len);
			changing++;
		}
		at += NLMSG_ALIGN(m->nlmsg_len);
	}
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	if (watching)
		record_datagram(fd, bytes, length);
	return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	static char flat[8u << 20];
	size_t length = 0;

	for (size_t i = 0; watching && i < message->msg_iovlen; i++) {
		if (length + message->msg_iov[i].iov_len > sizeof(flat))
			die("record", "a datagram is too long");
		memcpy(flat + length, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
		length += message->msg_iov[i].iov_len;
	}
	if (watching)
		record_datagram(fd, flat, length);
	return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	char link[32], path[256], entry[300];
	ssize_t got;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (record && watching && fd != fileno(record) &&
	    (got = readlink(link, path, sizeof(path) - 1)) > 0) {
		path[got] = '\0';
		if (strncmp(path, "/proc/sys/", 10) == 0)
			record_put(SYSCTL_PROTOCOL, entry,
				   (uint32_t)snprintf(entry, sizeof(entry), "%s%c%.*s", path, 0,
						      (int)length, (const char *)bytes));
	}
	return syscall(SYS_write, fd, bytes, length);
}

/* ---- replaying -------------------------------------------------------------------------- */

struct replay {
	char *bytes; /* what is to go next */
	size_t length, last;
	uint32_t protocol, sequence;
	int fd[NETLINK_GENERIC + 1];
	size_t messages, failed;
	double since;
	double ms[64]; /* DETAIL: by what came first in a datagram */
	unsigned int kind;
};

/* Of rtnetlink the kind of object, of IP routes and label routes each; then WireGuard, nft, sysctl. */
static unsigned int kind_of(uint32_t protocol, const struct nlmsghdr *m)
{
	if (protocol == SYSCTL_PROTOCOL)
		return 62;
	if (protocol != NETLINK_ROUTE)
		return protocol == NETLINK_GENERIC ? 60 : 61;
	if (m->nlmsg_type == RTM_NEWROUTE &&
	    ((const struct rtmsg *)NLMSG_DATA(m))->rtm_family == AF_MPLS)
		return 59;
	return (m->nlmsg_type - RTM_BASE) / 4;
}

static int netlink_open(int protocol)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), size = 4 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("socket", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static void answers_take(struct replay *r, int fd)
{
	static char answer[64u << 10];

	for (;;) {
		ssize_t got = recv(fd, answer, sizeof(answer),
				   r->protocol == NETLINK_NETFILTER ? MSG_DONTWAIT : 0);
		int left = (int)got;

		if (got < 0 && errno == EAGAIN)
			return;
		if (got < 0)
			die("recv", strerror(errno));
		for (struct nlmsghdr *m = (struct nlmsghdr *)answer; NLMSG_OK(m, left);
		     m = NLMSG_NEXT(m, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(m);

			if (m->nlmsg_type != NLMSG_ERROR)
				continue;
			r->failed += e->error != 0;
			if (e->error)
				fprintf(stderr, "hub_driver: replay: protocol %u type %u: %s\n",
					r->protocol, e->msg.nlmsg_type, strerror(-e->error));
			if (m->nlmsg_seq == r->sequence && r->protocol != NETLINK_NETFILTER)
				return;
		}
	}
}

static void replay_flush(struct replay *r)
{
	int fd;

	if (!r->length)
		return;
	fd = r->fd[r->protocol];
	if (r->protocol != NETLINK_NETFILTER)
		((struct nlmsghdr *)(r->bytes + r->last))->nlmsg_flags |= NLM_F_ACK;
	if (syscall(SYS_sendto, fd, r->bytes, r->length, 0, NULL, 0) < 0)
		die("send", strerror(errno));
	answers_take(r, fd);
	r->length = 0;
}

static void replay_sysctl(const char *entry, uint32_t length)
{
	size_t path = strlen(entry) + 1;
	int fd = open(entry, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_write, fd, entry + path, length - path) < 0)
		die(entry, strerror(errno));
	close(fd);
}

static void replay_one(struct replay *r, uint32_t protocol, const char *bytes, uint32_t length)
{
	unsigned int kind = kind_of(protocol, (const struct nlmsghdr *)bytes);
	struct nlmsghdr *m;

	if (protocol != r->protocol || r->length + length > REPLAY_BYTES)
		replay_flush(r);
	if (kind != r->kind && detail) {
		double now;

		replay_flush(r);
		now = now_ms();
		r->ms[r->kind] += now - r->since;
		r->since = now;
		r->kind = kind;
	}
	r->protocol = protocol;
	if (protocol == SYSCTL_PROTOCOL) {
		replay_sysctl(bytes, length);
		return;
	}
	memcpy(r->bytes + r->length, bytes, length);
	m = (struct nlmsghdr *)(r->bytes + r->length);
	r->messages++;
	r->last = r->length;
	r->length += NLMSG_ALIGN(length);
	if (protocol == NETLINK_NETFILTER) {
		replay_flush(r);
		return;
	}
	m->nlmsg_pid = 0;
	m->nlmsg_seq = ++r->sequence;
	m->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
}

static void replay(const char *path)
{
	struct replay r = {.bytes = malloc(16u << 20)};
	FILE *file = fopen(path, "re");
	size_t length = 0, at = 0;
	char *all = malloc(256u << 20);
	double start;

	if (!file || !r.bytes || !all)
		die(path, strerror(errno));
	length = fread(all, 1, 256u << 20, file);
	fclose(file);
	r.fd[NETLINK_ROUTE] = netlink_open(NETLINK_ROUTE);
	r.fd[NETLINK_GENERIC] = netlink_open(NETLINK_GENERIC);
	r.fd[NETLINK_NETFILTER] = netlink_open(NETLINK_NETFILTER);
	memset(r.bytes, 0, 16u << 20); /* no page fault may count */
	detail = getenv("DETAIL") != NULL;
	start = r.since = now_ms();
	while (at < length) {
		uint32_t head[2];

		memcpy(head, all + at, sizeof(head));
		replay_one(&r, head[0], all + at + sizeof(head), head[1]);
		at += sizeof(head) + head[1];
	}
	replay_flush(&r);
	r.ms[r.kind] += now_ms() - r.since;
	for (int i = 0; detail && i < 64; i++)
		if (r.ms[i] > 1)
			printf("kind %d %.1f\n", i, r.ms[i]);
	printf("replay %.1f\nmessages %zu\nfailed %zu\n", now_ms() - start, r.messages, r.failed);
	free(all);
	free(r.bytes);
}

/* ---- a turn ------------------------------------------------------------------------------ */

static char *file_read(const char *path, size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(32u << 20);

	if (!file || !bytes)
		die(path, strerror(errno));
	*ret_length = fread(bytes, 1, (32u << 20) - 1, file);
	bytes[*ret_length] = '\0';
	fclose(file);
	return bytes;
}

static void forwarding_read(const char *path, struct forwarding *f)
{
	struct reason reason;
	size_t length;
	char *bytes = file_read(path, &length);

	forwarding_init(f);
	if (forwarding_parse(bytes, length, f, &reason) < 0)
		die(path, reason.text);
	free(bytes);
}

static void key_read(const char *path, uint8_t key[static WG_KEY_LEN])
{
	size_t length;
	char *text = file_read(path, &length);

	text[strcspn(text, "\n")] = '\0';
	if (wg_key_parse(text, key) < 0)
		die(path, "no key");
	free(text);
}

struct job {
	struct forwarding forwarding;
	struct node_keys keys;
	struct active_paths active;
	struct kernel_state *desired;
};

static void job_take(struct job *job, char **argv)
{
	memset(job, 0, sizeof(*job));
	forwarding_read(argv[0], &job->forwarding);
	key_read(argv[1], job->keys.link);
	key_read(argv[2], job->keys.session);
}

static void job_desire(struct job *job)
{
	if (desired_build(&job->forwarding, &job->keys, &job->active, &job->desired) < 0)
		die("desired", "no memory");
}

static void job_clear(struct job *job)
{
	kernel_state_free(job->desired);
	forwarding_clear(&job->forwarding);
}

static struct kernel_plan *look(struct kernel *kernel, const struct kernel_state *desired,
				struct kernel_state **ret_actual, double *ret_read_ms)
{
	struct kernel_plan *plan;
	struct reason reason;
	double start = now_ms();

	if (kernel_read(kernel, desired, ret_actual, &reason) < 0)
		die("read", reason.text);
	*ret_read_ms = now_ms() - start;
	if (kernel_plan_build(desired, *ret_actual, &plan, &reason) < 0)
		die("plan", reason.text);
	return plan;
}

static double do_plan(struct kernel *kernel, struct kernel_plan *plan)
{
	struct kernel_report report = {0};
	const char *path = getenv("RECORD");
	double start;
	int err;

	record = path ? fopen(path, "we") : NULL;
	watching = record || getenv("COUNT");
	start = now_ms();
	err = kernel_apply(kernel, plan, &report);
	start = now_ms() - start;
	watching = false;
	if (record)
		fclose(record);
	record = NULL;
	printf("operations %zu\nmessages %zu\nfailed %zu\n", plan->count, changing, report.failed);
	if (err < 0)
		die("apply", report.first_failure.text);
	return start;
}

static void apply(struct kernel *kernel, char **argv)
{
	struct kernel_state *actual;
	struct kernel_plan *plan;
	struct job job;
	double start, desired_ms, read_ms, plan_ms, apply_ms;

	job_take(&job, argv);
	start = now_ms();
	job_desire(&job);
	desired_ms = now_ms() - start;
	start = now_ms();
	plan = look(kernel, job.desired, &actual, &read_ms);
	plan_ms = now_ms() - start - read_ms;
	apply_ms = do_plan(kernel, plan);
	printf("desired %.1f\nread %.1f\nplan %.1f\napply %.1f\nsum %.1f\n", desired_ms, read_ms,
	       plan_ms, apply_ms, desired_ms + read_ms + plan_ms + apply_ms);
	kernel_plan_free(plan);
	kernel_state_free(actual);
	start = now_ms();
	plan = look(kernel, job.desired, &actual, &read_ms);
	printf("again %.1f\nleft %zu\n", now_ms() - start, plan->count);
	kernel_plan_free(plan);
	kernel_state_free(actual);
	job_clear(&job);
}

/* What leaves by the link to one neighbour, and has a repair. */
struct burden {
	size_t returns, labels;
};

static struct burden burden_of(const struct forwarding *f, uint32_t site_id)
{
	struct burden b = {0};

	for (size_t i = 0; i < f->return_count; i++)
		b.returns += f->returns[i].first_site == site_id && f->returns[i].repair.next_site;
	for (size_t i = 0; i < f->label_count; i++)
		b.labels += f->labels[i].next_site == site_id && f->labels[i].repair.next_site;
	return b;
}

/* @return the neighbour whose link has most of it. */
static size_t link_busiest(const struct forwarding *f, struct burden *ret_burden)
{
	struct burden most = {0};
	size_t best = 0;

	for (size_t i = 0; i < f->neighbor_count; i++) {
		struct burden b = burden_of(f, f->neighbors[i].site_id);

		if (b.returns + b.labels > most.returns + most.labels) {
			best = i;
			most = b;
		}
	}
	*ret_burden = most;
	return best;
}

/* As the engine does it at once; the rules and routes first, to see them apart. @return messages. */
static size_t routes_set(struct kernel *kernel, const struct kernel_state *routes)
{
	struct kernel_report report = {0};
	struct kernel_plan *plan;

	if (kernel_plan_routes(routes, &plan) < 0)
		die("plan", "no memory");
	if (kernel_apply_routes(kernel, plan, &report) < 0)
		die("apply", report.first_failure.text);
	kernel_plan_free(plan);
	return report.netlink_messages;
}

static void repair(struct kernel *kernel, char **argv)
{
	struct kernel_state *routes, *actual;
	enum repair_link *repaired;
	struct kernel_plan *plan;
	struct job job;
	struct burden burden;
	size_t link, labels, messages, label_messages;
	double start, read_ms, look_ms, moved_ms;

	job_take(&job, argv);
	link = link_busiest(&job.forwarding, &burden);
	repaired = calloc(job.forwarding.neighbor_count + 1, sizeof(*repaired));
	if (!(burden.returns + burden.labels) || !repaired)
		die("repair", "no link has one");
	job_desire(&job);
	kernel_plan_free(look(kernel, job.desired, &actual, &read_ms)); /* knows the devices then */
	kernel_state_free(actual);
	start = now_ms();
	repaired[link] = REPAIR_LINK_DOWN;
	if (desired_build_link(&job.forwarding, &job.active, repaired,
			       job.forwarding.neighbors[link].site_id, &routes) < 0)
		die("repair", "no memory");
	look_ms = now_ms() - start;
	labels = routes->label_count;
	routes->label_count = 0;
	messages = routes_set(kernel, routes);
	moved_ms = now_ms() - start;
	routes->label_count = labels;
	routes->route_count = routes->rule_count = 0;
	label_messages = routes_set(kernel, routes);
	printf("labels %.3f\nreturns %zu\nlook %.3f\nmoved %.3f\nmessages %zu\n", now_ms() - start,
	       burden.returns, look_ms, moved_ms, messages);
	printf("label-routes %zu\nlabel-messages %zu\n", burden.labels, label_messages);
	kernel_state_free(job.desired);
	if (desired_build_repaired(&job.forwarding, &job.keys, &job.active, repaired, NULL,
				   &job.desired) < 0)
		die("repair", "no memory");
	plan = look(kernel, job.desired, &actual, &read_ms);
	printf("left %zu\n", plan->count);
	kernel_plan_free(plan);
	kernel_state_free(actual);
	kernel_state_free(routes);
	free(repaired);
	job_clear(&job);
}

static void clear(struct kernel *kernel)
{
	struct kernel_state *nothing = kernel_state_new(), *actual;
	struct kernel_plan *plan;
	double read_ms;

	if (!nothing)
		die("clear", "no memory");
	plan = look(kernel, nothing, &actual, &read_ms);
	printf("clear %.1f\n", do_plan(kernel, plan));
	kernel_plan_free(plan);
	kernel_state_free(actual);
	kernel_state_free(nothing);
}

/* ---- the same state for others' tools ---------------------------------------------------- */

static void conf_write(const struct kernel_state *state, const struct kernel_device *device)
{
	char path[64], key[WG_KEY_STRLEN], prefix[IPV4_PREFIX_STRLEN];
	FILE *file;

	snprintf(path, sizeof(path), "%s.conf", device->name);
	file = fopen(path, "we");
	if (!file)
		die(path, strerror(errno));
	fprintf(file, "[Interface]\nPrivateKey = %s\nListenPort = %u\nFwMark = %u\n",
		wg_key_format(device->private_key, key), device->listen_port, device->fwmark);
	for (size_t i = 0; i < state->peer_count; i++) {
		const struct kernel_peer *p = &state->peers[i];

		if (strcmp(p->device, device->name) != 0)
			continue;
		fprintf(file,
			"[Peer]\nPublicKey = %s\nAllowedIPs = ", wg_key_format(p->public_key, key));
		for (size_t j = 0; j < p->allowed_count; j++)
			fprintf(file, "%s%s", j ? ", " : "",
				ipv4_prefix_format(p->allowed[j], prefix));
		fputc('\n', file);
	}
	fclose(file);
}

static void text_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0)
		die(path, strerror(errno));
	fclose(file);
}

static void commands(struct kernel *kernel, char **argv)
{
	struct kernel_state *actual;
	struct kernel_plan *plan;
	struct text text;
	struct job job;
	double read_ms;

	job_take(&job, argv);
	job_desire(&job);
	plan = look(kernel, job.desired, &actual, &read_ms);
	text_init(&text);
	kernel_plan_print(plan, &text);
	text_write("plan.txt", text_string(&text));
	text_write("table.nft", job.desired->nft);
	text_clear(&text);
	for (size_t i = 0; i < job.desired->device_count; i++)
		if (job.desired->devices[i].kind == KERNEL_DEVICE_WIREGUARD)
			conf_write(job.desired, &job.desired->devices[i]);
	kernel_plan_free(plan);
	kernel_state_free(actual);
	job_clear(&job);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct kernel *kernel = NULL;
	struct reason reason;

	if (argc == 3 && strcmp(verb, "replay") == 0) {
		replay(argv[2]);
		return 0;
	}
	if (kernel_open(&kernel, &reason) < 0)
		die("open", reason.text);
	if (argc == 5 && strcmp(verb, "apply") == 0)
		apply(kernel, argv + 2);
	else if (argc == 5 && strcmp(verb, "repair") == 0)
		repair(kernel, argv + 2);
	else if (argc == 5 && strcmp(verb, "commands") == 0)
		commands(kernel, argv + 2);
	else if (argc == 2 && strcmp(verb, "clear") == 0)
		clear(kernel);
	else
		die("usage",
		    "apply|repair|commands BUNDLE LINK.key SESSION.key | replay FILE | clear");
	kernel_close(kernel);
	return 0;
}
