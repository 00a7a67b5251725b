/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies a bundle again and again, and each time one call of it fails, the next one than the time before. Run with
 * fault_preload.so and FAULT_FILE (tests/lab/tools/fault.h).
 *
 *	sweep_driver LINK.key SESSION.key BUNDLE OTHER [LIMIT [NAME]]
 *
 * Two ways are walked: from nothing to BUNDLE, and from BUNDLE to OTHER. Each apply is a process of its own, as it may be
 * killed. After each: no device takes labels without its filter, none without the nft table; and a reading, a plan and an apply
 * that nothing disturbs (two, where the first found what it could not know) leave an empty plan.
 * Prints a line a fault: "NAME|WAY|HOW OFTEN|AND ENDED THE PROCESS|TURNS AT MOST|what went wrong, or nothing". With LIMIT, allocations are failed
 * in steps, LIMIT of them at most; with NAME, that sweep alone is made.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lab/tools/fault.h"
#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"
#include "tuyen/kernel/kernel.h"

#define TURNS_MAX  8
#define FRAMES	   64
#define PATIENCE_S 5
/* Not what libnftables leaves with: 2 without memory, 3 without a netlink socket. */
enum { CODE_NOT_BEGUN = 97, CODE_LIBRARY = 98 };

static const struct sweep {
	const char *name;
	enum fault_point point;
	int what[3];	  /* in turn, up to the first 0 */
	bool in_steps;	  /* too many to fail each */
	bool only_change; /* of the ways, only from release to release */
} sweeps[] = {
    {"kill -9 at every step", FAULT_STEP, {FAULT_KILL}, false, false},
    {"every step: EPERM", FAULT_STEP, {EPERM}, false, true},
    {"every send() fails: ENOBUFS", FAULT_CALL, {ENOBUFS}, false, false},
    {"every request refused: EBUSY, EEXIST, ENOMEM in turn",
     FAULT_REQUEST,
     {EBUSY, EEXIST, ENOMEM},
     false,
     false},
    {"every answer lost: ENOBUFS", FAULT_ANSWER, {FAULT_LOSE}, false, true},
    {"every dump interrupted", FAULT_DUMP, {FAULT_BREAK}, false, true},
    {"ENOMEM at the k-th allocation", FAULT_MEMORY, {ENOMEM}, true, false},
    {"ENOMEM at every allocation of ours", FAULT_OWN_MEMORY, {ENOMEM}, false, false},
};

struct country {
	struct kernel *kernel; /* ours, which nothing disturbs */
	struct fault_block *faults;
	int64_t limit;
	int64_t ended; /* how often the process ended by itself */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sweep_driver: %s: %s\n", what, why);
	exit(1);
}

static char *file_read(const char *path, size_t *ret_length)
{
	FILE *file = fopen(path, "re");
	char *bytes = malloc(1 << 20);

	if (!file || !bytes)
		die(path, strerror(errno));
	*ret_length = fread(bytes, 1, (1 << 20) - 1, file);
	bytes[*ret_length] = '\0';
	fclose(file);
	return bytes;
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

static struct kernel_state *desired_of(const char *path, const struct node_keys *keys)
{
	struct active_paths active = {.count = 0};
	struct kernel_state *desired;
	struct forwarding f;
	struct reason reason;
	size_t length;
	char *bytes = file_read(path, &length);

	if (forwarding_parse(bytes, length, &f, &reason) < 0)
		die(path, reason.text);
	if (f.path_count)
		active.entry[active.count++] =
		    (struct active_path){.color = f.paths[0].color,
					 .endpoint_site = f.paths[0].endpoint_site,
					 .index = f.paths[0].index,
					 .carries = true};
	if (desired_build(&f, keys, &active, &desired) < 0)
		die(path, "no memory");
	forwarding_clear(&f);
	free(bytes);
	return desired;
}

/* @return how many operations there were to do, negative if that could not be found out. */
static int turn(struct kernel *kernel, const struct kernel_state *desired)
{
	struct kernel_state *actual;
	struct kernel_report report;
	struct kernel_plan *plan;
	struct reason reason;
	int count = -1;

	if (kernel_read(kernel, desired, &actual, &reason) < 0)
		return -1;
	if (kernel_plan_build(desired, actual, &plan, &reason) == 0) {
		count = (int)plan->count;
		if (count)
			kernel_apply(kernel, plan, &report);
		kernel_plan_free(plan);
	}
	kernel_state_free(actual);
	return count;
}

/* @return how many turns it took until nothing was left to do; 0 if there was no end. */
static int settle(struct kernel *kernel, const struct kernel_state *desired)
{
	for (int i = 0; i < TURNS_MAX; i++)
		if (turn(kernel, desired) == 0)
			return i + 1;
	return 0;
}

static bool filtered(const struct kernel_state *actual, const char *device)
{
	for (size_t i = 0; i < actual->filter_count; i++)
		if (strcmp(actual->filters[i].device, device) == 0)
			return true;
	return false;
}

/* Default deny holds at every moment. */
static const char *unsafe(struct kernel *kernel, const struct kernel_state *desired)
{
	const char *found = NULL;
	struct kernel_state *actual;
	struct reason reason;

	if (kernel_read(kernel, desired, &actual, &reason) < 0)
		return "the kernel cannot be read";
	for (size_t i = 0; i < actual->device_count; i++) {
		const struct kernel_device *d = &actual->devices[i];

		if (d->kind == KERNEL_DEVICE_MPLS_IN_IP && d->mpls_input &&
		    !filtered(actual, d->name))
			found = "a device takes labels and has no filter";
		if (d->up && d->kind != KERNEL_DEVICE_LOOPBACK && !actual->nft)
			found = "a device is up without the nft table";
	}
	kernel_state_free(actual);
	return found;
}

/* Debian's libnftables ends the process without memory, and crashes where it asks the kernel in vain. That is not ours to mend,
 * and is told apart from what is: in a node the supervisor begins such a process anew. */
static void crashed(int signal_number)
{
	void *frames[FRAMES];
	int count = backtrace(frames, FRAMES);
	Dl_info info;

	for (int i = 0; i < count; i++)
		if (dladdr(frames[i], &info) && info.dli_fname &&
		    strstr(info.dli_fname, "libnftables"))
			_exit(CODE_LIBRARY);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static int what_of(const struct sweep *s, int64_t skip)
{
	int64_t count = 1;

	while (count < 3 && s->what[count])
		count++;
	return s->what[skip % count];
}

static void disturbed(struct fault_block *faults, const struct sweep *s, int64_t skip,
		      const struct kernel_state *desired)
{
	struct kernel *kernel;
	struct reason reason;

	void *frames[1];

	backtrace(frames, 1); /* loads what it needs */
	signal(SIGSEGV, crashed);
	signal(SIGABRT, crashed);
	signal(SIGALRM, crashed);
	alarm(PATIENCE_S);
	if (kernel_open(&kernel, &reason) < 0)
		_exit(CODE_NOT_BEGUN);
	faults->pid = getpid();
	faults->what = what_of(s, skip);
	faults->skip = skip;
	faults->count = 1;
	faults->seen = faults->hits = 0;
	faults->point = s->point;
	turn(kernel, desired);
	faults->point = FAULT_NOWHERE;
	_exit(0);
}

/* @return what went wrong, NULL for nothing. */
static const char *disturb(struct country *c, const struct sweep *s, int64_t skip,
			   const struct kernel_state *desired)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		disturbed(c->faults, s, skip, desired);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("fork", strerror(errno));
	c->faults->point = FAULT_NOWHERE;
	c->ended += WIFEXITED(status) && WEXITSTATUS(status);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return "it waits for ever";
	if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL || s->what[0] != FAULT_KILL))
		return strsignal(WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == CODE_NOT_BEGUN ? "it did not begin"
									  : NULL;
}

/* One that never fails tells how many there are. */
static int64_t stride_of(struct country *c, const struct sweep *s, const struct kernel_state *from,
			 const struct kernel_state *to)
{
	if (!s->in_steps || !c->limit)
		return 1;
	settle(c->kernel, from);
	disturb(c, s, INT64_MAX, to);
	return c->faults->seen / c->limit + 1;
}

static bool walk(struct country *c, const struct sweep *s, const char *way,
		 const struct kernel_state *from, const struct kernel_state *to)
{
	int64_t stride = stride_of(c, s, from, to), often = 0;
	const char *wrong = NULL;
	int worst = 0;

	c->ended = 0;

	for (int64_t skip = 0; !wrong; skip += stride) {
		int turns;

		if (!settle(c->kernel, from))
			die(way, "no way back");
		wrong = disturb(c, s, skip, to);
		if (!wrong && !c->faults->hits)
			break;
		often++;
		if (!wrong)
			wrong = unsafe(c->kernel, to);
		turns = settle(c->kernel, to);
		if (!wrong && !turns)
			wrong = "the plan never becomes empty";
		if (wrong)
			fprintf(stderr, "%s, %s, after %" PRId64 ": %s\n", s->name, way, skip,
				wrong);
		worst = turns > worst ? turns : worst;
	}
	printf("%s|%s|%" PRId64 "|%" PRId64 "|%d|%s\n", s->name, way, often, c->ended, worst,
	       wrong ? wrong : "");
	fflush(stdout);
	return !wrong && often;
}

static struct fault_block *faults_map(void)
{
	const char *path = getenv("FAULT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED
			  : mmap(NULL, sizeof(struct fault_block), PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		die("FAULT_FILE", strerror(errno));
	return at;
}

int main(int argc, char **argv)
{
	struct country c = {.faults = faults_map(), .limit = argc > 5 ? atoll(argv[5]) : 0};
	struct kernel_state *nothing = kernel_state_new(), *one, *other;
	struct node_keys keys;
	struct reason reason;
	bool well = true;

	if (argc < 5 || !nothing)
		die("usage", "LINK.key SESSION.key BUNDLE OTHER [LIMIT]");
	key_read(argv[1], keys.link);
	key_read(argv[2], keys.session);
	one = desired_of(argv[3], &keys);
	other = desired_of(argv[4], &keys);
	if (kernel_open(&c.kernel, &reason) < 0)
		die("open", reason.text);
	for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) {
		if (argc > 6 && strcmp(argv[6], sweeps[i].name) != 0)
			continue;
		if (!sweeps[i].only_change)
			well &= walk(&c, &sweeps[i], "from nothing", nothing, one);
		well &= walk(&c, &sweeps[i], "from release to release", one, other);
	}
	kernel_state_free(nothing);
	kernel_state_free(one);
	kernel_state_free(other);
	kernel_close(c.kernel);
	return well ? 0 : 1;
}
