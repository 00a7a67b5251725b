/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuyen-snmp stands between tuyend and SNMP, so that neither snmpd nor a modem can stall what
 *watches the links. One loop, one thread:
 *
 *	tuyend --- control socket ---> feed ---> mib ---> agent --- AgentX ---> snmpd
 *	                                 |        ^
 *	                                 |        +-- poller --- SNMPv3 ---> modem
 *	                                 +-> notification -> damping -> agent
 *
 * The snapshot is refreshed when somebody asks (at most once a second), after an event, and every
 * REFRESH_IDLE_US otherwise. When tuyend is gone the last rows stay, and tuyenDaemonState and
 * tuyenSnapshotAge say what they are worth.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/snmp/agent.h"
#include "tuyen/snmp/feed.h"
#include "tuyen/snmp/poller.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/library/large_fd_set.h>

#define REFRESH_ASKED_US 1000000u
#define REFRESH_EVENT_US 100000u
#define REFRESH_IDLE_US	 10000000u
#define ASKED_FOR_US	 5000000u  /* a walk is under way until so long after its last request */
#define DOWN_AFTER_US	 5000000u  /* a restart of tuyend is no news */
#define AWAY_AFTER_S	 20u	   /* longer than a turn takes, or the supervisor bears silence */
#define MASTER_AFTER_US	 10000000u /* a restart of snmpd is no news either */
#define TICK_US		 1000000u
#define EARLY_BYTES	 65536u /* of events before the first status */
#define TRIM_BYTES	 65536u /* reading a larger document leaves memory worth giving back */

enum { EXIT_INPUT = 1, EXIT_SYSTEM = 2 };
enum master_told { MASTER_UNKNOWN, MASTER_HERE, MASTER_GONE };

struct options {
	const char *control, *agentx, *devices, *user;
	unsigned int interval_s;
};

struct program {
	struct feed feed;
	struct agent agent;
	struct mib mib;
	struct damping damping;
	struct poller *poller;
	struct monotime asked_at, status_at, lost_at, made_at; /* made: the newest document */
	bool have_status, running, lost, told_down;
	struct text early; /* events, a line each, that wait for a status to say whose they are */
	struct notification_expiry told_expiry;
	const char *agentx;
	enum master_told master_told;
	struct monotime master_at; /* last seen */
	char why[128];
};

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static struct monotime clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (struct monotime){(uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u};
}

static void say(const char *what, const char *detail)
{
	fprintf(stderr, "tuyen-snmp: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
}

/* ---- the service manager, sd_notify(3) ---------------------------------------------- */

static void service_notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, strlen(path));
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
	       (struct sockaddr *)&address, length);
	close(fd);
}

/* ---- notifications ------------------------------------------------------------------- */

static void notification_release(void *notification)
{
	notification_free(notification);
}

static void notify(struct program *p, struct notification *notification)
{
	if (notification &&
	    damping_offer(&p->damping, notification->key, notification, clock_now()))
		agent_notify(&p->agent, notification);
}

static void held_send(struct program *p, struct monotime now)
{
	struct notification *notification;
	uint32_t held;

	while ((notification = damping_take(&p->damping, now, &held))) {
		notification_set_held(notification, held - 1);
		agent_notify(&p->agent, notification);
	}
}

/* ---- what the feed brings -------------------------------------------------------------- */

static void status_lost(void *context, const char *why)
{
	struct program *p = context;

	if (p->lost)
		return;
	p->lost = true;
	p->running = false;
	p->lost_at = clock_now();
	snprintf(p->why, sizeof(p->why), "%s", why);
	say("tuyend does not answer", why);
}

/* One that the wire process has kept is no sign that tuyend does its work; or the clock was just set. */
static void age_look(struct program *p)
{
	uint64_t age_s = mib_age_s(&p->mib, (uint64_t)time(NULL));

	p->made_at.us = p->status_at.us -
			(age_s < p->status_at.us / 1000000u ? age_s * 1000000u : p->status_at.us);
	if (age_s >= AWAY_AFTER_S) {
		status_lost(p, "its kernel process is away");
		feed_want(&p->feed, monotime_after(p->status_at, REFRESH_ASKED_US));
		return;
	}
	if (!p->running)
		say("tuyend answers", NULL);
	p->running = true;
	p->lost = false;
}

static void event_tell(struct program *p, const char *json, size_t length)
{
	struct notification *notification = NULL;

	if (notification_from_event(json, length, &p->mib, &notification) == 0)
		notify(p, notification);
}

static void early_tell(struct program *p)
{
	const char *line = text_string(&p->early), *end;

	for (; (end = strchr(line, '\n')); line = end + 1)
		event_tell(p, line, (size_t)(end - line));
	text_clear(&p->early);
}

static void event_came(void *context, const char *json, size_t length)
{
	struct program *p = context;

	if (p->have_status) {
		event_tell(p, json, length);
	} else if (p->early.length + length < EARLY_BYTES) {
		text_add_bytes(&p->early, json, length);
		text_add_char(&p->early, '\n');
	}
	feed_want(&p->feed, monotime_after(clock_now(), REFRESH_EVENT_US));
}

static void status_came(void *context, const char *json, size_t length)
{
	struct program *p = context;
	struct reason reason;
	struct mib mib;

	if (mib_load(json, length, &mib, &reason) < 0) {
		say("the status document is not understood", reason.text);
		return;
	}
	mib_clear(&p->mib);
	p->mib = mib;
	if (length > TRIM_BYTES)
		malloc_trim(0);
	p->status_at = clock_now();
	p->have_status = true;
	age_look(p);
	poller_configure(p->poller, &p->mib, p->status_at);
	poller_apply(p->poller, &p->mib);
	if (p->told_down && p->running) {
		notify(p, notification_of_daemon(&p->mib, true, "", (uint64_t)time(NULL)));
		p->told_down = false;
	}
	early_tell(p);
	notify(p, notification_of_expiry(&p->mib, &p->told_expiry, (uint64_t)time(NULL),
					 &p->told_expiry));
}

static void device_changed(void *context, const char *name, bool reachable)
{
	struct program *p = context;

	poller_apply(p->poller, &p->mib);
	notify(p, notification_of_device(&p->mib, name, reachable, (uint64_t)time(NULL)));
}

static void daemon_down_tell(struct program *p, struct monotime now)
{
	if (!p->lost || p->told_down || !p->have_status ||
	    !monotime_reached(now, monotime_after(p->lost_at, DOWN_AFTER_US)))
		return;
	p->told_down = true;
	notify(p, notification_of_daemon(&p->mib, false, p->why, (uint64_t)time(NULL)));
}

/* ---- what is asked of us ----------------------------------------------------------------- */

static const struct mib *mib_asked(void *context)
{
	struct program *p = context;
	struct monotime now = clock_now();

	p->asked_at = now;
	mib_set_number(mib_scalar(&p->mib, "tuyenDaemonState"), p->running ? 1 : 2);
	mib_set_number(mib_scalar(&p->mib, "tuyenNotificationsSent"), p->agent.sent);
	mib_set_number(mib_scalar(&p->mib, "tuyenNotificationsHeld"),
		       p->damping.held_total + p->agent.dropped);
	if (p->have_status)
		mib_set_number(mib_scalar(&p->mib, "tuyenSnapshotAge"),
			       monotime_between(p->made_at, now) / 1000000u);
	return &p->mib;
}

static struct monotime refresh_at(const struct program *p, struct monotime now)
{
	bool asked = p->asked_at.us && monotime_between(p->asked_at, now) < ASKED_FOR_US;

	return monotime_after(p->status_at, asked ? REFRESH_ASKED_US : REFRESH_IDLE_US);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static struct monotime turn_next(const struct program *p, struct monotime now)
{
	struct monotime next = monotime_after(now, TICK_US);

	next = monotime_min(next, feed_next(&p->feed));
	next = monotime_min(next, poller_next(p->poller));
	next = monotime_min(next, damping_next(&p->damping));
	return next;
}

static void descriptor_add(int fd, int *descriptors, netsnmp_large_fd_set *set)
{
	if (fd < 0)
		return;
	NETSNMP_LARGE_FD_SET(fd, set);
	if (fd >= *descriptors)
		*descriptors = fd + 1;
}

/* Waits for a descriptor or a deadline, ours or the library's. @return what select(2) says. */
static int loop_wait(struct program *p, netsnmp_large_fd_set *set)
{
	struct monotime now = clock_now();
	uint64_t wait_us = monotime_between(now, turn_next(p, now));
	struct timeval limit = {.tv_sec = (time_t)(wait_us / 1000000u),
				.tv_usec = (suseconds_t)(wait_us % 1000000u)};
	int descriptors = 0, block = 0;

	NETSNMP_LARGE_FD_ZERO(set);
	snmp_select_info2(&descriptors, set, &limit, &block);
	poller_select(p->poller, &descriptors, set);
	descriptor_add(p->feed.watch.fd, &descriptors, set);
	descriptor_add(p->feed.request.fd, &descriptors, set);
	return netsnmp_large_fd_set_select(descriptors, set, NULL, NULL, &limit);
}

/* @return why snmpd's socket cannot be reached, as far as the file system tells. */
static const char *master_why(const char *address)
{
	const char *path = !strncmp(address, "unix:", 5) ? address + 5 : address;

	return path[0] == '/' && access(path, W_OK) < 0 ? strerror(errno) : "no answer";
}

/* The library keeps silent about its master. */
static void master_tell(struct program *p, struct monotime now)
{
	enum master_told found = p->agent.master ? MASTER_HERE : MASTER_GONE;

	if (found == MASTER_HERE)
		p->master_at = now;
	if (found == p->master_told)
		return;
	if (found == MASTER_GONE && monotime_between(p->master_at, now) < MASTER_AFTER_US)
		return;
	p->master_told = found;
	if (found == MASTER_HERE)
		say("snmpd answers", NULL);
	else
		fprintf(stderr, "tuyen-snmp: snmpd does not answer on %s: %s\n", p->agentx,
			master_why(p->agentx));
}

static void loop_turn(struct program *p, netsnmp_large_fd_set *set, bool readable)
{
	struct monotime now;

	if (readable)
		snmp_read2(set);
	snmp_timeout();
	run_alarms();
	netsnmp_check_outstanding_agent_requests();
	now = clock_now();
	if (poller_turn(p->poller, readable ? set : NULL, now))
		poller_apply(p->poller, &p->mib);
	if (p->feed.request.fd < 0)
		feed_want(&p->feed, refresh_at(p, now));
	feed_turn(&p->feed, now);
	held_send(p, now);
	daemon_down_tell(p, now);
	master_tell(p, now);
	agent_flush(&p->agent);
}

static void loop_run(struct program *p)
{
	netsnmp_large_fd_set set;
	int ready;

	netsnmp_large_fd_set_init(&set, FD_SETSIZE);
	service_notify("READY=1");
	while (!stopping) {
		ready = loop_wait(p, &set);
		if (ready < 0 && errno != EINTR)
			say("select", strerror(errno));
		loop_turn(p, &set, ready > 0);
		if (getenv("WATCHDOG_USEC"))
			service_notify("WATCHDOG=1");
	}
	service_notify("STOPPING=1");
	netsnmp_large_fd_set_cleanup(&set);
}

/* ---- start ---------------------------------------------------------------------------------- */

static int privileges_drop(const char *user)
{
	const struct passwd *entry = getpwnam(user);
	uid_t uid = entry ? entry->pw_uid : 0;

	if (!entry) {
		say("no such user", user);
		return -1;
	}
	if (geteuid() == uid)
		return 0;
	if (initgroups(user, entry->pw_gid) < 0 || setgid(entry->pw_gid) < 0 || setuid(uid) < 0) {
		say("cannot become another user", strerror(errno));
		return -1;
	}
	return 0;
}

/* No core dump with keys in it, and never more than now. */
static void process_harden(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
}

static void signals_catch(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static int poller_start(struct program *p, const struct options *options)
{
	struct secrets secrets = {0};
	struct reason reason;
	int err = secrets_read(options->devices, &secrets, &reason);

	if (err == -TUYEN_ENOENT)
		say("no device can be polled", reason.text);
	else if (err < 0) {
		say("refused", reason.text);
		return EXIT_INPUT;
	}
	p->poller = poller_new(&secrets, options->interval_s * 1000000ull, device_changed, p);
	secrets_wipe(&secrets);
	return p->poller ? 0 : EXIT_SYSTEM;
}

static int program_start(struct program *p, const struct options *options)
{
	int err;

	if (mib_init(&p->mib) < 0)
		return EXIT_SYSTEM;
	damping_init(&p->damping, notification_release);
	feed_init(&p->feed, options->control);
	p->feed.status = status_came;
	p->feed.event = event_came;
	p->feed.lost = status_lost;
	p->feed.context = p;
	p->agentx = options->agentx;
	p->master_at = clock_now();
	p->agent.asked = mib_asked;
	p->agent.context = p;
	err = poller_start(p, options);
	if (err)
		return err;
	if (options->user && privileges_drop(options->user) < 0)
		return EXIT_SYSTEM;
	process_harden();
	signals_catch();
	if (agent_start(&p->agent, options->agentx) < 0) {
		say("the SNMP library does not start", NULL);
		return EXIT_SYSTEM;
	}
	return 0;
}

static void program_stop(struct program *p)
{
	agent_stop(&p->agent);
	poller_free(p->poller);
	feed_clear(&p->feed);
	damping_clear(&p->damping);
	text_clear(&p->early);
	mib_clear(&p->mib);
}

static const char help[] =
    "usage: tuyen-snmp [options]\n"
    "Tells snmpd what tuyend knows (TUYEN-MIB), and polls the devices beside the site.\n"
    "\n"
    "  --control PATH    tuyend's control socket (" CONTROL_SOCKET ")\n"
    "  --agentx SOCKET   snmpd's AgentX socket (unix:/var/agentx/master)\n"
    "  --devices FILE    SNMPv3 users for the devices (/etc/tuyen/snmp-devices.conf)\n"
    "  --interval S      seconds between two polls of a device (10)\n"
    "  --user NAME       become this user after the secrets are read\n"
    "  --foreground      stay in the foreground: the only mode\n"
    "  --help, --version\n"
    "\n"
    "Exit codes: 0 stopped by a signal, 1 the devices file is refused, 2 the call was wrong or the "
    "system failed.\n";

static bool interval_read(const char *string, unsigned int *ret_interval_s)
{
	char *end;
	unsigned long value = strtoul(string, &end, 10);

	if (string[0] < '0' || string[0] > '9' || *end || value < 1 || value > 3600)
		return false;
	*ret_interval_s = (unsigned int)value;
	return true;
}

static int printed(const char *text)
{
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_SYSTEM : 0;
}

/* @return -1 to go on, else an exit code. */
static int options_read(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
	    {"control", required_argument, NULL, 'c'},
	    {"agentx", required_argument, NULL, 'x'},
	    {"devices", required_argument, NULL, 'd'},
	    {"interval", required_argument, NULL, 'i'},
	    {"user", required_argument, NULL, 'u'},
	    {"foreground", no_argument, NULL, 'f'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'c')
			options->control = optarg;
		else if (c == 'x')
			options->agentx = optarg;
		else if (c == 'd')
			options->devices = optarg;
		else if (c == 'u')
			options->user = optarg;
		else if (c == 'h')
			return printed(help);
		else if (c == 'v')
			return printed("tuyen-snmp " TUYEN_VERSION "\n");
		else if (c != 'f' && (c != 'i' || !interval_read(optarg, &options->interval_s)))
			return EXIT_SYSTEM;
	}
	return optind == argc ? -1 : EXIT_SYSTEM;
}

int main(int argc, char **argv)
{
	static struct program program;
	struct options options = {
	    .control = CONTROL_SOCKET,
	    .agentx = "unix:/var/agentx/master",
	    .devices = "/etc/tuyen/snmp-devices.conf",
	    .interval_s = 10,
	};
	int code = options_read(argc, argv, &options);

	if (code == EXIT_SYSTEM)
		fputs("tuyen-snmp: wrong call; see tuyen-snmp --help\n", stderr);
	if (code >= 0)
		return code;
	code = program_start(&program, &options);
	if (code == 0) {
		loop_run(&program);
		program_stop(&program);
	}
	return code;
}
