/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/wire.c daemon/service/pair.c daemon/core/message.c daemon/base/err.c daemon/base/text.c
// libs: -levent_core
/* How the wire process ends: with whom it says goodbye for a while, and with whom it goes at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "stub.h"
#include "tuyen/base/err.h"
#include "tuyen/service/control_server.h"
#include "tuyen/service/log.h"
#include "tuyen/service/wire.h"
#include "tuyen/service/wire_sessions.h"

#define FAREWELL_US                                                                                \
	900000u /* less than a second, after which a supervisor who is gone is missed anyway */

static struct {
	int alive[2], pair[2];
	unsigned int shut_down;
	struct timeval life; /* it is stopped after that, */
	int signal;	     /* by this */
	int refused;	     /* what COMMIT is answered with */
	unsigned int errors; /* said */
} scene;

static void stop(evutil_socket_t fd, short events, void *context)
{
	(void)fd, (void)events, (void)context;
	assert_int_equal(raise(SIGHUP),
			 0); /* who says "look again" to all processes means the kernel's */
	assert_int_equal(raise(scene.signal), 0);
}

struct wire_sessions *wire_sessions_new(struct event_base *base, wire_report_fn report,
					void *context)
{
	(void)report, (void)context;
	assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, stop, NULL, &scene.life), 0);
	return (struct wire_sessions *)&scene;
}

/* systemd's signal and the supervisor's: the second comes while the last words are said. */
uint64_t wire_sessions_shut_down(struct wire_sessions *w)
{
	(void)w;
	scene.shut_down++;
	assert_int_equal(raise(SIGTERM), 0);
	return FAREWELL_US;
}

const struct wire_counters *wire_sessions_counters(const struct wire_sessions *w)
{
	static const struct wire_counters none;

	(void)w;
	return &none;
}

NOTHING(wire_sessions_free, struct wire_sessions *w)
NOTHING(wire_sessions_begin, struct wire_sessions *w, uint32_t generation)
NOTHING(wire_sessions_abandon, struct wire_sessions *w)
NOTHING(wire_sessions_report_all, struct wire_sessions *w)
NOTHING(wire_sessions_report_done, struct wire_sessions *w)
ALWAYS(bool, false, wire_sessions_report_next, struct wire_sessions *w, struct message *ret_message)
ALWAYS(int, 0, wire_sessions_add, struct wire_sessions *w, const struct message_session *session)
ALWAYS(int, 0, wire_sessions_add_reflector, struct wire_sessions *w,
       const struct message_reflect *reflect)
ALWAYS(int, scene.refused, wire_sessions_commit, struct wire_sessions *w, uint32_t generation)
ALWAYS(struct control_server *, NULL, control_server_new, struct event_base *base, int listen_fd,
       control_command_fn command, void *context)
NOTHING(control_server_free, struct control_server *server)
NOTHING(control_server_piece, struct control_server *server, enum message_type type,
	const struct message_piece *piece)
NOTHING(control_server_kernel_restarted, struct control_server *server)

void log_write(enum log_level level, const char *format, ...)
{
	(void)format;
	scene.errors += level == LOG_LEVEL_ERROR;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void scene_open(void)
{
	alarm(60);
	signal(SIGPIPE, SIG_IGN);
	scene.shut_down = 0;
	scene.refused = 0;
	scene.signal = SIGTERM;
	scene.life = (struct timeval){0, 0};
	assert_int_equal(pipe2(scene.alive, O_NONBLOCK), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, scene.pair), 0);
}

/* But for who is the supervisor. */
static void scene_close(void)
{
	alarm(0);
	close(scene.pair[0]);
	close(scene.pair[1]);
	close(scene.alive[1]);
}

/* It is stopped as soon as it listens. @return after how long it ends. */
static uint64_t ending_us(bool orphan)
{
	struct wire_options options = {.control_fd = -1};
	uint64_t begin;

	scene_open();
	if (orphan)
		close(scene.alive[0]);
	options.pair_fd = scene.pair[1];
	options.alive_fd = scene.alive[1];
	begin = now_us();
	assert_int_equal(wire_run(&options), 0);
	assert_int_equal(scene.shut_down, 1);
	begin = now_us() - begin;
	if (!orphan)
		close(scene.alive[0]);
	scene_close();
	return begin;
}

static void a_supervisor_waits_for_the_last_words(void **state)
{
	(void)state;
	assert_true(ending_us(false) >= FAREWELL_US);
}

/* As from a terminal, which says it to all three. */
static void last_words_are_said_when_it_is_interrupted(void **state)
{
	struct wire_options options = {.control_fd = -1};

	(void)state;
	scene_open();
	scene.signal = SIGINT;
	options.pair_fd = scene.pair[1];
	options.alive_fd = scene.alive[1];
	assert_int_equal(wire_run(&options), 0);
	assert_int_equal(scene.shut_down, 1);
	close(scene.alive[0]);
	scene_close();
}

/* Nobody waits: the next life may be here. */
static void an_orphan_says_it_once(void **state)
{
	(void)state;
	assert_true(ending_us(true) < FAREWELL_US);
}

/* @return how often it has asked for a config, when the first was answered with @refused. */
static unsigned int asked(int refused)
{
	const struct message commit = {.type = MESSAGE_COMMIT, .generation = 1};
	struct wire_options options = {.control_fd = -1};
	unsigned int count = 0;
	struct message m;

	scene_open();
	scene.refused = refused;
	scene.life = (struct timeval){1, 500000};
	options.pair_fd = scene.pair[1];
	options.alive_fd = scene.alive[1];
	for (int i = 0; i < 3; i++)
		assert_int_equal(send(scene.pair[0], &commit, message_size(MESSAGE_COMMIT), 0),
				 message_size(MESSAGE_COMMIT));
	scene.errors = 0;
	assert_int_equal(wire_run(&options), 0);
	while (recv(scene.pair[0], &m, sizeof(m), 0) > 0)
		count += m.type == MESSAGE_HELLO;
	close(scene.alive[0]);
	scene_close();
	return count;
}

/* Else the kernel process would hear of no session any more. */
static void a_config_that_was_refused_is_asked_for_again(void **state)
{
	(void)state;
	assert_int_equal(asked(0), 1);
	assert_int_equal(scene.errors, 0);
	assert_int_equal(asked(-TUYEN_ENOMEM), 2);
	assert_int_equal(scene.errors, 1); /* said once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_supervisor_waits_for_the_last_words),
	    cmocka_unit_test(last_words_are_said_when_it_is_interrupted),
	    cmocka_unit_test(an_orphan_says_it_once),
	    cmocka_unit_test(a_config_that_was_refused_is_asked_for_again),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
