/* SPDX-License-Identifier: Apache-2.0 */
/* tuyend: the daemon of one node. See tuyend(8). */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/service/engine.h"
#include "tuyen/service/log.h"
#include "tuyen/service/supervisor.h"
#include "tuyen/topology/network.h"

static const char help[] =
    "usage: tuyend --site ID [options]\n"
    "\n"
    "Keeps the forwarding of one site as its signed bundle says: WireGuard links, label routes,\n"
    "candidate paths probed by S-BFD, sessions. Runs in the foreground; stopping it leaves "
    "forwarding as it is.\n"
    "\n"
    "  --site ID         this site's id in the topology (1..65535)\n"
    "  --state DIR       keys, roster, release in force [/var/lib/tuyen]\n"
    "  --run DIR         control socket and lock [/run/tuyen]\n"
    "  --user USER       whom the kernel process runs as, name or number [tuyen]\n"
    "  --wire-user USER  whom the wire process runs as [tuyen-wire]\n"
    "  --uplinks LIST    which device each line is, where there are several: fibre=eth0,lte=wwan0\n"
    "  --group GROUP     who may open the control socket [the kernel process's group]\n"
    "  --plan            print what would be done to the kernel now, and change nothing\n"
    "  --check           check this machine (modules, sysctls), each failure with its remedy\n"
    "  --remove          take everything of tuyend's out of the kernel\n"
    "  --help, --version\n"
    "\n"
    "signals: SIGHUP looks at DIR/incoming, SIGTERM stops\n"
    "exit codes: 0 ok, 1 the input or the check failed, 2 the system failed\n";

/* Blocks from this size on go back to the system when they are freed. Left to itself, glibc raises it to the largest that it has seen,
 * and a gateway keeps what a turn needed for a moment. */
#define GIVEN_BACK_BYTES (128 * 1024)

enum mode { MODE_RUN, MODE_PLAN, MODE_CHECK, MODE_REMOVE };

struct arguments {
	enum mode mode;
	struct supervisor_options options;
	const char *user, *wire_user, *group;
};

static int number_of(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value > max)
		return -1;
	*ret = value;
	return 0;
}

static int identity_find(const char *name, struct sandbox_identity *ret)
{
	const struct passwd *user;
	unsigned long number;

	if (number_of(name, 0xfffffffe, &number) == 0) {
		*ret = (struct sandbox_identity){(uid_t)number, (gid_t)number};
		return 0;
	}
	user = getpwnam(name);
	if (!user) {
		fprintf(stderr, "tuyend: no user '%s'; make it with: systemd-sysusers\n", name);
		return -1;
	}
	*ret = (struct sandbox_identity){user->pw_uid, user->pw_gid};
	return 0;
}

static int group_find(const char *name, gid_t fallback, gid_t *ret)
{
	const struct group *group;
	unsigned long number;

	if (!name) {
		*ret = fallback;
		return 0;
	}
	if (number_of(name, 0xfffffffe, &number) == 0) {
		*ret = (gid_t)number;
		return 0;
	}
	group = getgrnam(name);
	if (!group) {
		fprintf(stderr, "tuyend: no group '%s'\n", name);
		return -1;
	}
	*ret = group->gr_gid;
	return 0;
}

static int site_parse(struct arguments *a, const char *text)
{
	unsigned long id;

	if (!*text) {
		fputs("tuyend: which site is this? Write SITE=ID, as in the topology, into "
		      "/etc/tuyen/node.conf\n",
		      stderr);
		return -1;
	}
	if (number_of(text, SITE_ID_MAX, &id) < 0 || !id) {
		fprintf(stderr, "tuyend: --site %s: not a site id (1..%d), as in the topology\n",
			text, SITE_ID_MAX);
		return -1;
	}
	a->options.engine.site_id = (uint32_t)id;
	return 0;
}

/* What was to be read and could not be written, as to a full disk, is a failure. */
static int printed(int code)
{
	return fflush(stdout) != 0 || ferror(stdout) ? 2 : code;
}

/* @return -1 to go on, else an exit code. */
static int arguments_parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
	    {"site", required_argument, NULL, 's'},
	    {"state", required_argument, NULL, 'd'},
	    {"run", required_argument, NULL, 'r'},
	    {"user", required_argument, NULL, 'u'},
	    {"wire-user", required_argument, NULL, 'w'},
	    {"group", required_argument, NULL, 'g'},
	    {"uplinks", required_argument, NULL, 'l'},
	    {"plan", no_argument, NULL, 'p'},
	    {"check", no_argument, NULL, 'c'},
	    {"remove", no_argument, NULL, 'R'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {0},
	};
	struct reason reason;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			if (site_parse(a, optarg) < 0)
				return 1;
			break;
		case 'd':
			a->options.engine.state_dir = optarg;
			break;
		case 'r':
			a->options.run_dir = optarg;
			break;
		case 'u':
			a->user = optarg;
			break;
		case 'w':
			a->wire_user = optarg;
			break;
		case 'g':
			a->group = optarg;
			break;
		case 'l':
			if (node_uplinks_parse(optarg, &a->options.engine.uplinks, &reason) < 0) {
				fprintf(stderr, "tuyend: --uplinks: %s\n", reason.text);
				return 1;
			}
			break;
		case 'p':
			a->mode = MODE_PLAN;
			break;
		case 'c':
			a->mode = MODE_CHECK;
			break;
		case 'R':
			a->mode = MODE_REMOVE;
			break;
		case 'h':
			fputs(help, stdout);
			return printed(0);
		case 'V':
			puts("tuyend " TUYEN_VERSION);
			return printed(0);
		default:
			fputs("try: tuyend --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "tuyend: unexpected '%s'; try: tuyend --help\n", argv[optind]);
		return 2;
	}
	return -1;
}

static int run(struct arguments *a)
{
	struct supervisor_options *o = &a->options;

	if (identity_find(a->user, &o->kernel) < 0 || identity_find(a->wire_user, &o->wire) < 0 ||
	    group_find(a->group, o->kernel.gid, &o->control_group) < 0)
		return 2;
	if (o->kernel.uid == o->wire.uid || !o->kernel.uid || !o->wire.uid) {
		fputs("tuyend: the two processes need two users, neither of them root\n", stderr);
		return 2;
	}
	mallopt(M_MMAP_THRESHOLD, GIVEN_BACK_BYTES); /* of all three processes */
	return supervisor_run(o);
}

int main(int argc, char **argv)
{
	struct arguments a = {
	    .options = {.engine = {.state_dir = "/var/lib/tuyen",
				   .pair_fd = -1,
				   .supervisor_fd = -1},
			.run_dir = "/run/tuyen"},
	    .user = "tuyen",
	    .wire_user = "tuyen-wire",
	};
	struct text text;
	int code = arguments_parse(argc, argv, &a);

	tzset(); /* while /etc is there to be read: a metered line's day is the box's */
	if (code >= 0)
		return code;
	if (!a.options.engine.site_id && (a.mode == MODE_RUN || a.mode == MODE_PLAN)) {
		fputs("tuyend: --site ID is needed; try: tuyend --help\n", stderr);
		return 2;
	}
	log_open("tuyend", LOG_LEVEL_INFO);
	if (geteuid() != 0) {
		fputs("tuyend: must be started by root; it gives up what it does not need\n",
		      stderr);
		return 2;
	}
	if (a.mode == MODE_RUN)
		return run(&a);
	text_init(&text);
	if (a.mode == MODE_PLAN)
		code = engine_plan(&a.options.engine, &text);
	else if (a.mode == MODE_REMOVE)
		code = engine_remove(&a.options.engine, &text);
	else
		code = engine_check(&text);
	fputs(text_string(&text), code && a.mode != MODE_CHECK ? stderr : stdout);
	text_clear(&text);
	return printed(code);
}
