/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"
#include "tuyen/service/restart.h"
#include "tuyen/service/store.h"
#include "tuyen/service/wire.h"

#define POLL_AGAIN_US 100000u
#define RUN_LOOK_US   1000000u

struct supervisor;

/** One of the two. */
struct child {
	const char *title;
	int (*body)(struct supervisor *s);
	pid_t pid;	    /* 0: not running */
	uint64_t earned_us; /* restart_pause() */
	struct monotime started, start_at, heard;
	struct monotime mute_since; /* of one that is ended for it; 0: it is not */
	struct monotime ended;	    /* the last one: since when it did nothing */
	int alive_pipe[2];	    /* it writes a byte a second */
};

struct supervisor {
	const struct supervisor_options *options;
	int lock_fd, state_fd, control_fd, signal_fd,
	    root_fd; /* root: of the wire process, also when its name is gone */
	int pair[2]; /* kernel's end, wire's end */
	struct child children[2];
	bool stopping, ready_said, run_lost;
	struct monotime notify_at, looked, run_look_at;
};

/* A notification to systemd: sd_notify(3)'s protocol is one datagram. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, length);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		   (const struct sockaddr *)&to,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		log_warning("systemd does not listen: %s", strerror(errno));
	close(fd);
}

static int run_path(const struct supervisor *s, const char *name, char *out, size_t size)
{
	int n = snprintf(out, size, "%s/%s", s->options->run_dir, name);

	return n > 0 && (size_t)n < size ? 0 : -1;
}

/* Only root may open it: whoever can, can hold the lock. @return its descriptor, or an error. */
static int lock_open(const struct supervisor *s, struct reason *reason)
{
	char path[256], pid[32];
	int fd;

	if (mkdir(s->options->run_dir, 0755) < 0 && errno != EEXIST)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", s->options->run_dir,
				  strerror(errno));
	if (run_path(s, "lock", path, sizeof(path)) < 0)
		return reason_set(reason, -TUYEN_EINVAL, "%s: too long", s->options->run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return reason_set(reason, -TUYEN_EEXIST, "another tuyend runs here (it holds %s)",
				  path);
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0) {
		int err = errno;

		close(fd);
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", path, strerror(err));
	}
	return fd;
}

/* The run folder may be deleted and made anew under a daemon; the folder of its keys, which nobody else may open,
 * tells nodes apart. */
static int state_lock(struct supervisor *s, struct reason *reason)
{
	const char *dir = s->options->engine.state_dir;
	int state = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (state < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", dir, strerror(errno));
	s->state_fd = openat(state, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (s->state_fd < 0) /* it has none yet */
		s->state_fd = state;
	else
		close(state);
	if (flock(s->state_fd, LOCK_EX | LOCK_NB) < 0)
		return reason_set(reason, -TUYEN_EEXIST,
				  "another tuyend runs for this node (it holds the keys in %s)",
				  dir);
	return 0;
}

static int lock_take(struct supervisor *s, struct reason *reason)
{
	s->lock_fd = lock_open(s, reason);
	return s->lock_fd < 0 ? s->lock_fd : state_lock(s, reason);
}

static int control_bind(const struct supervisor *s, int fd, const struct sockaddr_un *address)
{
	mode_t old = umask(0117);
	int err;

	unlink(address->sun_path); /* ours: we hold the lock */
	err = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	umask(old);
	return err < 0 || chown(address->sun_path, 0, s->options->control_group) < 0 ||
		       listen(fd, 16) < 0
		   ? -1
		   : 0;
}

/* @return its descriptor, or an error. */
static int control_open(const struct supervisor *s, struct reason *reason)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (run_path(s, "control", address.sun_path, sizeof(address.sun_path)) < 0)
		return reason_set(reason, -TUYEN_EINVAL, "%s: too long", s->options->run_dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "control socket: %s", strerror(errno));
	if (control_bind(s, fd, &address) == 0)
		return fd;
	err = errno;
	close(fd);
	return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", address.sun_path, strerror(err));
}

static int control_take(struct supervisor *s, struct reason *reason)
{
	s->control_fd = control_open(s, reason);
	return s->control_fd < 0 ? s->control_fd : 0;
}

/* Gives the kernel process's user what it must read and write; never through a link. */
static int own(int dir, const char *name, bool folder, const struct supervisor_options *o)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (folder ? O_DIRECTORY : 0);
	int fd = openat(dir, name, flags);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == 0 && (folder || (S_ISREG(st.st_mode) && st.st_nlink == 1)) &&
	    st.st_uid != o->kernel.uid && fchown(fd, o->kernel.uid, o->kernel.gid) < 0) {
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int state_own(const struct supervisor_options *o, struct reason *reason)
{
	static const struct {
		const char *name;
		bool folder;
	} entries[] = {
	    {".", true},
	    {"keys", true},
	    {STORE_INCOMING, true},
	    {STORE_KEY_LINK, false},
	    {STORE_KEY_SESSION, false},
	    {STORE_ROSTER, false},
	    {STORE_CURRENT, false},
	    {STORE_CURRENT_COPY, false},
	    {STORE_STATE, false},
	};
	int dir = open(o->engine.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", o->engine.state_dir,
				  strerror(errno));
	if (mkdirat(dir, STORE_INCOMING, 0750) < 0 && errno != EEXIST) {
		close(dir);
		return reason_set(reason, -TUYEN_ESYSTEM, "%s/%s: %s", o->engine.state_dir,
				  STORE_INCOMING, strerror(errno));
	}
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (own(dir, entries[i].name, entries[i].folder, o) < 0) {
			int err = errno;

			close(dir);
			return reason_set(reason, -TUYEN_ESYSTEM, "%s/%s: %s", o->engine.state_dir,
					  entries[i].name, strerror(err));
		}
	close(dir);
	return 0;
}

static int root_open(struct supervisor *s, struct reason *reason)
{
	char path[256];

	if (run_path(s, "empty", path, sizeof(path)) < 0)
		return reason_set(reason, -TUYEN_EINVAL, "%s: too long", s->options->run_dir);
	if (mkdir(path, 0555) == 0 || errno == EEXIST)
		s->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return s->root_fd < 0 ? reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", path, strerror(errno))
			      : 0;
}

static int sockets_open(struct supervisor *s, struct reason *reason)
{
	int size = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s->pair) < 0 ||
	    pipe2(s->children[0].alive_pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(s->children[1].alive_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "socketpair: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		setsockopt(s->pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int signals_open(struct supervisor *s, struct reason *reason)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "signals: %s", strerror(errno));
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? reason_set(reason, -TUYEN_ESYSTEM, "signals: %s", strerror(errno))
				: 0;
}

static int kernel_body(struct supervisor *s)
{
	struct engine_options engine = s->options->engine;
	struct reason reason;

	close(s->pair[1]);
	close(s->control_fd);
	close(s->root_fd);
	engine.pair_fd = s->pair[0];
	engine.supervisor_fd = s->children[0].alive_pipe[1];
	engine.last_end = s->children[0].ended;
	if (sandbox_kernel(s->options->kernel, &reason) < 0) {
		log_error("%s", reason.text);
		return 2;
	}
	return engine_run(&engine);
}

static int wire_body(struct supervisor *s)
{
	struct wire_options wire = {.pair_fd = s->pair[1],
				    .control_fd = s->control_fd,
				    .alive_fd = s->children[1].alive_pipe[1]};
	struct reason reason;

	close(s->pair[0]);
	if (sandbox_wire(s->options->wire, s->root_fd, &reason) < 0) {
		log_error("%s", reason.text);
		return 2;
	}
	return wire_run(&wire);
}

/* Only in the child; does not return. */
static void child_become(struct supervisor *s, const struct child *c, pid_t parent)
{
	sigset_t none;

	if (getppid() != parent)
		_exit(0);
	prctl(PR_SET_NAME, c->title);
	log_open(c->title, LOG_LEVEL_INFO);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	for (int i = 0; i < 2; i++) {
		close(s->children[i].alive_pipe[0]);
		if (c != &s->children[i])
			close(s->children[i].alive_pipe[1]);
	}
	close(s->signal_fd);
	close(s->lock_fd); /* the locks stay with the supervisor's descriptions: see lock_take() */
	close(s->state_fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	exit(c->body(s));
}

/* ---- the run folder ---- */

static bool same_file(const char *path, int fd)
{
	struct stat there, ours;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && there.st_ino == ours.st_ino &&
	       there.st_dev == ours.st_dev;
}

/* Of a socket the name's inode is another than the descriptor's: that it is there has to do. */
static bool run_stands(const struct supervisor *s)
{
	struct stat control;
	char path[256];

	return run_path(s, "lock", path, sizeof(path)) == 0 && same_file(path, s->lock_fd) &&
	       run_path(s, "control", path, sizeof(path)) == 0 && lstat(path, &control) == 0 &&
	       S_ISSOCK(control.st_mode);
}

/* The lock may still be there, and ours. */
static int run_lock_again(struct supervisor *s, struct reason *reason)
{
	char path[256];
	int fd;

	if (run_path(s, "lock", path, sizeof(path)) == 0 && same_file(path, s->lock_fd))
		return 0;
	fd = lock_open(s, reason);
	if (fd < 0)
		return fd;
	close(s->lock_fd);
	s->lock_fd = fd;
	return 0;
}

/* The wire process has the socket that nobody finds any more: it begins anew with another, which costs nothing. */
static int run_restore(struct supervisor *s, struct reason *reason)
{
	int fd, err = run_lock_again(s, reason);

	if (err)
		return err;
	fd = control_open(s, reason);
	if (fd < 0)
		return fd;
	close(s->control_fd);
	s->control_fd = fd;
	if (s->children[1].pid)
		kill(s->children[1].pid, SIGTERM);
	return 0;
}

/* Somebody may clean up under us. */
static void run_look(struct supervisor *s)
{
	struct monotime now = monotime_now();
	struct reason reason;

	if (s->stopping || !monotime_reached(now, s->run_look_at))
		return;
	s->run_look_at = monotime_after(now, RUN_LOOK_US);
	if (run_stands(s))
		return;
	if (run_restore(s, &reason) == 0) {
		log_warning("%s was deleted: made anew", s->options->run_dir);
		s->run_lost = false;
		return;
	}
	if (!s->run_lost)
		log_error("%s was deleted, and no control socket can be had: %s",
			  s->options->run_dir, reason.text);
	s->run_lost = true;
}

/* @return milliseconds until it is started. */
static unsigned int child_put_off(struct child *c, uint64_t lived_us)
{
	uint64_t pause_us = restart_pause(&c->earned_us, lived_us);

	c->start_at = monotime_after(monotime_now(), pause_us);
	return (unsigned int)(pause_us / 1000);
}

static void child_start(struct supervisor *s, struct child *c)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		child_become(s, c, parent);
	c->started = monotime_now();
	if (pid < 0) {
		log_error("%s: cannot start: %s", c->title, strerror(errno));
		child_put_off(c, 0);
		return;
	}
	c->pid = pid;
	c->heard = c->started;
}

static void child_ended(struct supervisor *s, struct child *c, int status)
{
	unsigned int pause_ms;

	c->pid = 0;
	if (s->stopping)
		return;
	pause_ms = child_put_off(c, monotime_between(c->started, monotime_now()));
	c->ended = c->mute_since.us ? c->mute_since : monotime_now();
	c->mute_since = (struct monotime){0};
	if (WIFSIGNALED(status))
		log_error("%s was ended by signal %d; forwarding is not touched; again in %u ms",
			  c->title, WTERMSIG(status), pause_ms);
	else
		log_error("%s ended with exit code %d; forwarding is not touched; again in %u ms",
			  c->title, WEXITSTATUS(status), pause_ms);
}

static void children_reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < 2; i++)
			if (s->children[i].pid == pid)
				child_ended(s, &s->children[i], status);
}

static void children_signal(struct supervisor *s, int signal)
{
	for (int i = 0; i < 2; i++)
		if (s->children[i].pid)
			kill(s->children[i].pid, signal);
}

static void signals_read(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			children_reap(s);
		else if (info.ssi_signo == SIGHUP && s->children[0].pid)
			kill(s->children[0].pid, SIGHUP);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
			s->stopping = true;
			notify("STOPPING=1");
			children_signal(s, SIGTERM);
		}
	}
}

static bool alive_read(struct child *c, struct monotime now, char wanted)
{
	bool found = false;
	char bytes[64];
	ssize_t n;

	while ((n = read(c->alive_pipe[0], bytes, sizeof(bytes))) > 0) {
		c->heard = now;
		found |= memchr(bytes, wanted, (size_t)n) != NULL;
	}
	return found;
}

static void silence_check(struct child *c, struct monotime now)
{
	if (c->pid && monotime_between(c->heard, now) > SUPERVISOR_SILENCE_S * 1000000ull) {
		log_error("%s says nothing for %d s: it is ended", c->title, SUPERVISOR_SILENCE_S);
		kill(c->pid, SIGKILL);
		if (!c->mute_since.us) /* it may take its time */
			c->mute_since = c->heard;
		c->heard = now;
	}
}

/* Who was stopped or suspended himself has not listened: their silence begins when he wakes. */
static void silence_forgive(struct supervisor *s, struct monotime now)
{
	if (monotime_between(s->looked, now) > SUPERVISOR_SILENCE_S * 1000000ull / 2)
		for (int i = 0; i < 2; i++)
			s->children[i].heard = now;
	s->looked = now;
}

static void children_hear(struct supervisor *s)
{
	struct monotime now = monotime_now();

	silence_forgive(s, now);
	if (alive_read(&s->children[0], now, ENGINE_READY) && !s->ready_said) {
		s->ready_said = true;
		notify("READY=1");
	}
	alive_read(&s->children[1], now, '.');
	for (int i = 0; i < 2; i++)
		silence_check(&s->children[i], now);
	if (monotime_reached(now, s->notify_at)) {
		s->notify_at = monotime_after(now, 1000000);
		notify("WATCHDOG=1");
	}
}

/* @return milliseconds until something is due. */
static int children_start_due(struct supervisor *s)
{
	struct monotime now = monotime_now();
	int wait_ms = 1000;

	for (int i = 0; i < 2; i++) {
		struct child *c = &s->children[i];
		uint64_t left;

		if (c->pid || s->stopping)
			continue;
		if (monotime_reached(now, c->start_at)) {
			child_start(s, c);
			continue;
		}
		left = monotime_between(now, c->start_at) / 1000 + 1;
		if (left < (uint64_t)wait_ms)
			wait_ms = (int)left;
	}
	return wait_ms;
}

static void supervise(struct supervisor *s)
{
	struct monotime stop_by = MONOTIME_NEVER;

	for (;;) {
		struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
				       {.fd = s->children[0].alive_pipe[0], .events = POLLIN},
				       {.fd = s->children[1].alive_pipe[0], .events = POLLIN}};
		int wait_ms = children_start_due(s);

		if (s->stopping && !s->children[0].pid && !s->children[1].pid)
			return;
		if (poll(fds, 3, wait_ms) < 0 && errno != EINTR)
			usleep(POLL_AGAIN_US); /* no memory: the two live on, and so do we */
		signals_read(s);
		children_hear(s);
		run_look(s);
		if (s->stopping && stop_by.us == UINT64_MAX)
			stop_by = monotime_after(monotime_now(), 5000000);
		if (s->stopping && monotime_reached(monotime_now(), stop_by))
			children_signal(s, SIGKILL);
	}
}

int supervisor_run(const struct supervisor_options *options)
{
	struct supervisor s = {
	    .options = options,
	    .root_fd = -1,
	    .lock_fd = -1,
	    .state_fd = -1,
	    .looked = monotime_now(),
	    .children =
		{{.title = "tuyend-kernel", .body = kernel_body, .earned_us = RESTART_PAUSE_MIN_US},
		 {.title = "tuyend-wire", .body = wire_body, .earned_us = RESTART_PAUSE_MIN_US}},
	};
	struct reason reason;
	int err;

	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN); /* of all three: whoever reads the log may go */
	err = lock_take(&s, &reason);
	if (!err)
		err = state_own(options, &reason);
	if (!err)
		err = control_take(&s, &reason);
	if (!err)
		err = root_open(&s, &reason);
	if (!err)
		err = sockets_open(&s, &reason);
	if (!err)
		err = signals_open(&s, &reason);
	if (err) {
		log_error("%s", reason.text);
		return 2; /* another one may end: unlike a wrong command line, that is worth another try */
	}
	supervise(&s);
	log_info("stopped; forwarding stays as it is");
	return 0;
}
