/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cli/node.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"

#define SEAL_BYTES_MAX (68u << 20)

/* @return -1 after saying why: also for a pipe, which might never end, and a folder. */
static int file_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	fprintf(stderr, "tuyen install: %s: %s\n", path, fd < 0 ? strerror(errno) : "not a file");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Copies @from to @dir/@name, complete or not at all. @return 0 or an exit code after saying why.
 */
static int copy_file(const char *from, int dir, const char *name)
{
	char beside[300], buffer[65536];
	int in = file_open(from), out;
	size_t total = 0;
	ssize_t n = 0;

	if (in < 0)
		return CLI_INPUT;
	snprintf(beside, sizeof(beside), ".%s.new", name);
	unlinkat(dir, beside, 0);
	out = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	while (out >= 0 && (n = read(in, buffer, sizeof(buffer))) > 0) {
		total += (size_t)n;
		if (total > SEAL_BYTES_MAX || bytes_write(out, buffer, (size_t)n) < 0) {
			n = -1;
			break;
		}
	}
	if (total > SEAL_BYTES_MAX)
		errno = EFBIG;
	if (out < 0 || n < 0 || fchmod(out, 0644) < 0 || fsync(out) < 0 ||
	    renameat(dir, beside, dir, name) < 0) {
		fprintf(stderr, "tuyen install: %s: %s\n", name, strerror(errno));
		unlinkat(dir, beside, 0);
		n = -1;
	}
	close(in);
	if (out >= 0)
		close(out);
	return n < 0 ? CLI_SYSTEM : CLI_OK;
}

static int incoming_open(const char *state)
{
	int dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), incoming;

	if (dir < 0) {
		fprintf(stderr, "tuyen install: %s: %s\n", state, strerror(errno));
		return -1;
	}
	if (mkdirat(dir, "incoming", 0750) < 0 && errno != EEXIST)
		fprintf(stderr, "tuyen install: %s/incoming: %s\n", state, strerror(errno));
	incoming = openat(dir, "incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (incoming < 0)
		fprintf(stderr, "tuyen install: %s/incoming: %s\n", state, strerror(errno));
	close(dir);
	return incoming;
}

static bool daemon_runs(const char *control)
{
	return access(control, W_OK) == 0;
}

static int install_run(int argc, char **argv)
{
	struct node_arguments a;
	struct text answer;
	char *copy, *name;
	int dir, code = node_arguments_parse(argc, argv, &a);

	if (code)
		return code;
	if (a.word_count != 1) {
		fputs("tuyen install: say which seal to install; try: tuyen install --help\n",
		      stderr);
		return CLI_SYSTEM;
	}
	copy = strdup(a.words[0]);
	name = copy ? basename(copy) : NULL;
	if (!name || strlen(name) < 6 || strlen(name) > 200 || name[0] == '.' ||
	    strcmp(name + strlen(name) - 5, ".seal") != 0) {
		fprintf(stderr, "tuyen install: %s: a seal's name ends in .seal\n", a.words[0]);
		free(copy);
		return CLI_INPUT;
	}
	dir = incoming_open(a.state);
	code = dir < 0 ? CLI_SYSTEM : copy_file(a.words[0], dir, name);
	if (dir >= 0)
		close(dir);
	free(copy);
	if (code)
		return code;
	if (!daemon_runs(a.control)) {
		puts("tuyend does not run here: it will look at the release when it starts");
		return CLI_OK;
	}
	code = node_request(&a, "RELOAD", &answer);
	node_answer_print(&answer, code ? stderr : stdout);
	text_clear(&answer);
	return code;
}

static int ask_and_print(int argc, char **argv, const char *request)
{
	struct node_arguments a;
	struct text answer;
	int code = node_arguments_parse(argc, argv, &a);

	if (code)
		return code;
	code = node_request(&a, request, &answer);
	node_answer_print(&answer, code ? stderr : stdout);
	text_clear(&answer);
	return code;
}

static int reload_run(int argc, char **argv)
{
	return ask_and_print(argc, argv, "RELOAD");
}

static int plan_run(int argc, char **argv)
{
	struct node_arguments a;
	struct text plan;
	int code = node_arguments_parse(argc, argv, &a);

	if (code)
		return code;
	code = node_request(&a, "PLAN", &plan);
	if (code == CLI_OK && !plan.length)
		puts("nothing to do: the kernel holds what the bundle says");
	node_answer_print(&plan, code ? stderr : stdout);
	text_clear(&plan);
	return code;
}

static int watch_run(int argc, char **argv)
{
	struct node_arguments a;
	struct reason reason;
	char buffer[4096];
	ssize_t n;
	int fd, code = node_arguments_parse(argc, argv, &a);

	if (code)
		return code;
	fd = control_watch(a.control, &reason);
	if (fd < 0) {
		fprintf(stderr, "tuyen: %s\n", reason.text);
		return CLI_SYSTEM;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		fwrite(buffer, 1, (size_t)n, stdout);
		fflush(stdout);
	}
	close(fd);
	fputs("tuyen: tuyend closed the connection\n", stderr);
	return CLI_SYSTEM;
}

#define CONTROL_OPTION                                                                             \
	{                                                                                          \
		"--control", "SOCKET", "control socket of tuyend; else " CONTROL_SOCKET            \
	}

static const struct cli_option install_options[] = {
    {"--state", "DIR", "the node's folder; else /var/lib/tuyen"},
    CONTROL_OPTION,
    {0},
};

static const struct cli_option control_options[] = {CONTROL_OPTION, {0}};

const struct cli_command cli_install = {
    .name = "install",
    .usage = "FILE.seal [--state DIR] [--control SOCKET]",
    .summary = "give this node a release, as one file from a stick or any other way",
    .options = install_options,
    .help = "The node takes it only if it verifies: enough officers' signatures, this site's "
	    "bundle, no older epoch.\n"
	    "exit codes: 0 accepted (or tuyend does not run yet), 1 refused, 2 the system failed\n",
    .run = install_run,
};

const struct cli_command cli_reload = {
    .name = "reload",
    .usage = "[--control SOCKET]",
    .summary = "look again for releases in the node's folder `incoming`",
    .options = control_options,
    .help = "exit codes: 0 ok, 1 a release was refused, 2 tuyend does not answer\n",
    .run = reload_run,
};

const struct cli_command cli_plan = {
    .name = "plan",
    .usage = "[--control SOCKET]",
    .summary = "print what tuyend would do to the kernel now",
    .options = control_options,
    .help = "exit codes: 0 ok, 2 tuyend does not answer\n",
    .run = plan_run,
};

const struct cli_command cli_watch = {
    .name = "watch",
    .usage = "[--control SOCKET]",
    .summary = "print events as they happen, one JSON object a line",
    .options = control_options,
    .help = "exit codes: 2 tuyend ended or does not answer\n",
    .run = watch_run,
};
