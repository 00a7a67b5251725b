/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the wire process and plays the kernel process to it, from standard input and arguments alike:
 *
 *	wire_driver COMMAND...		each argument is one command; then lines of standard input are
 *
 *	begin GENERATION
 *	link ID LOCAL REMOTE INTERVAL_US MULTIPLIER DEVICE [MTU]
 *	path ID LOCAL REMOTE INTERVAL_US MULTIPLIER DISCRIMINATOR
 *	reflect ADDRESS DISCRIMINATOR
 *	commit GENERATION
 *	hello | status | quit
 *
 * Each LIVENESS gives a line: "US liveness KIND ID STATE 'DIAGNOSTIC' detection=US rtt=US sent=N received=N dropped=N generation=N mtu=N",
 * US of CLOCK_BOOTTIME when it came. "status" asks for nothing: it sends HELLO, which makes all sessions report.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuyen/core/message.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"
#include "tuyen/service/wire.h"

struct driver {
	int fd;
	pid_t wire;
};

static void fail(const char *what)
{
	fprintf(stderr, "wire_driver: %s\n", what);
	exit(2);
}

static void message_put(const struct driver *d, const struct message *m)
{
	if (send(d->fd, m, message_size((enum message_type)m->type), 0) < 0)
		fail("send");
}

static bool session_parse(const char *line, struct message_session *s)
{
	char kind[8], local[16], remote[16], last[16];
	unsigned int id, interval_us, multiplier, mtu = 0;

	if (sscanf(line, "%7s %u %15s %15s %u %u %15s %u", kind, &id, local, remote, &interval_us,
		   &multiplier, last, &mtu) < 7)
		return false;
	*s = (struct message_session){
	    .kind = !strcmp(kind, "link") ? SESSION_LINK : SESSION_PATH,
	    .id = id,
	    .interval_us = interval_us,
	    .multiplier = multiplier,
	    .mtu = mtu,
	};
	if (s->kind == SESSION_LINK && strcmp(last, "-"))
		memcpy(s->device, last, strlen(last) + 1);
	if (s->kind == SESSION_PATH)
		s->remote_discriminator = (uint32_t)strtoul(last, NULL, 0);
	return !ipv4_parse(local, &s->local) && !ipv4_parse(remote, &s->remote);
}

static bool reflect_parse(const char *line, struct message_reflect *r)
{
	char address[16];

	return sscanf(line, "reflect %15s %u", address, &r->discriminator) == 2 &&
	       !ipv4_parse(address, &r->address);
}

static void command_run(struct driver *d, const char *line)
{
	static struct message m;

	memset(&m, 0, sizeof(m));
	if (sscanf(line, "begin %u", &m.generation) == 1)
		m.type = MESSAGE_BEGIN;
	else if (sscanf(line, "commit %u", &m.generation) == 1)
		m.type = MESSAGE_COMMIT;
	else if (!strncmp(line, "hello", 5) || !strncmp(line, "status", 6))
		m.type = MESSAGE_HELLO;
	else if (reflect_parse(line, &m.u.reflect))
		m.type = MESSAGE_REFLECT;
	else if (session_parse(line, &m.u.session))
		m.type = MESSAGE_SESSION;
	else if (!strncmp(line, "quit", 4))
		kill(d->wire, SIGTERM);
	else
		fail(line);
	if (m.type)
		message_put(d, &m);
}

static void message_print(const struct message *m)
{
	const struct message_liveness *l = &m->u.liveness;

	printf("%llu ", (unsigned long long)monotime_now().us);
	if (m->type == MESSAGE_LIVENESS)
		printf(
		    "liveness %s %u %s '%s' detection=%llu rtt=%u sent=%llu received=%llu dropped=%llu generation=%u mtu=%u\n",
		    l->kind == SESSION_LINK ? "link" : "path", l->id,
		    bfd_state_name((enum bfd_state)l->state),
		    bfd_diagnostic_name((enum bfd_diagnostic)l->diagnostic),
		    (unsigned long long)l->detection_us, l->round_trip_us,
		    (unsigned long long)l->sent, (unsigned long long)l->received,
		    (unsigned long long)l->dropped, l->generation, l->mtu);
	else
		printf("%s\n", m->type == MESSAGE_HELLO ? "hello" : "message");
}

static void start(struct driver *d)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair");
	d->fd = ends[0];
	d->wire = fork();
	if (d->wire < 0)
		fail("fork");
	if (d->wire)
		close(ends[1]);
	else {
		struct wire_options options = {
		    .pair_fd = ends[1], .control_fd = -1, .alive_fd = -1};

		close(ends[0]);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		log_open("wire", LOG_LEVEL_INFO);
		exit(wire_run(&options));
	}
}

/* @return false at the end of standard input. */
static bool input_take(struct driver *d)
{
	char line[256];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	command_run(d, line);
	return true;
}

static void loop(struct driver *d)
{
	static struct message m;
	struct pollfd polled[] = {{.fd = d->fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

	while (poll(polled, 2, -1) > 0) {
		if (polled[0].revents) {
			ssize_t length = recv(d->fd, &m, sizeof(m), 0);

			if (length <= 0)
				return;
			if (!message_check(&m, (uint32_t)length))
				message_print(&m);
		}
		if (polled[1].revents && !input_take(d))
			polled[1].fd = -1;
	}
}

int main(int argc, char **argv)
{
	struct driver d;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	start(&d);
	for (int i = 1; i < argc; i++)
		command_run(&d, argv[i]);
	loop(&d);
	if (waitpid(d.wire, &status, 0) < 0)
		fail("waitpid");
	printf("%llu exit %d\n", (unsigned long long)monotime_now().us,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
