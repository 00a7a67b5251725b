/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/control_server.c daemon/service/clock.c daemon/base/text.c
// libs: -levent_core
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuyen/service/control_server.h"

struct fixture {
	struct event_base *base;
	struct control_server *server;
	struct sockaddr_un address;
	int listener;
	unsigned int commands;
	struct message_command last;
};

static int on_command(void *context, enum command_kind kind, uint32_t request)
{
	struct fixture *f = context;

	f->commands++;
	f->last = (struct message_command){kind, request};
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->address.sun_family = AF_UNIX; /* abstract: open to every user of the test */
	snprintf(f->address.sun_path + 1, 64, "tuyen-control-test-%d", (int)getpid());
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(f->listener, (struct sockaddr *)&f->address, sizeof(f->address)) < 0 ||
	    listen(f->listener, 64) < 0)
		return -1;
	f->base = event_base_new();
	f->server = control_server_new(f->base, f->listener, on_command, f);
	*state = f;
	return f->server ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	control_server_free(f->server);
	event_base_free(f->base);
	close(f->listener);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static int dial(struct fixture *f, const char *request)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&f->address, sizeof(f->address)) < 0 ||
	    send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return -1;
	turn(f);
	return fd;
}

static bool hung_up(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void piece_put(struct fixture *f, enum message_type type, uint32_t offset, bool last,
		      const char *text)
{
	struct message_piece *piece = calloc(1, sizeof(*piece));

	piece->request = f->last.request;
	piece->offset = offset;
	piece->last = last;
	piece->length = (uint32_t)strlen(text);
	memcpy(piece->bytes, text, piece->length);
	control_server_piece(f->server, type, piece);
	free(piece);
}

static void snapshot_put(struct fixture *f, const char *json)
{
	piece_put(f, MESSAGE_SNAPSHOT, 0, true, json);
}

static void expect_text(int fd, const char *want)
{
	char text[128] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, want);
}

/* A process died in the middle of a snapshot: its tail is no snapshot, nor is its head one with the
 * next. */
static void half_a_text_is_none(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f, "STATUS\n");

	piece_put(f, MESSAGE_SNAPSHOT, 7, true, "tail}\n");
	turn(f);
	assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
	piece_put(f, MESSAGE_SNAPSHOT, 0, false, "{head");
	snapshot_put(f, "{}\n");
	turn(f);
	expect_text(fd, "OK 3\n{}\n");
	close(fd);
	fd = dial(f, "PLAN\n");
	piece_put(f, MESSAGE_ANSWER, 3, true, "tail\n");
	turn(f);
	expect_text(fd, "FAILED 47\nthe answer is too long, or part of it was lost\n");
	close(fd);
}

/* The wire process ended, and its next life is asked for something before the kernel process has answered the last. */
static void what_an_earlier_life_asked_for_is_nobodys(void **state)
{
	struct fixture *f = *state;
	struct message_command before;
	int fd = dial(f, "RELOAD\n");

	before = f->last;
	close(fd);
	control_server_free(f->server);
	f->server = control_server_new(f->base, f->listener, on_command, f);
	fd = dial(f, "PLAN\n");
	assert_int_equal(f->last.kind, COMMAND_PLAN);
	assert_int_not_equal(f->last.request, before.request);
	f->last.request = before.request;
	piece_put(f, MESSAGE_ANSWER, 0, true, "accepted\n");
	turn(f);
	assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
	close(fd);
}

static void one_user_gets_half(void **state)
{
	struct fixture *f = *state;
	int fd[CONTROL_CLIENTS_USER_MAX + 1];

	for (int i = 0; i < CONTROL_CLIENTS_USER_MAX; i++) {
		fd[i] = dial(f, "WATCH\n");
		assert_true(fd[i] >= 0 && !hung_up(fd[i]));
	}
	fd[CONTROL_CLIENTS_USER_MAX] = dial(f, "WATCH\n");
	assert_true(hung_up(fd[CONTROL_CLIENTS_USER_MAX]));
	close(fd[0]); /* one leaves, one may come */
	turn(f);
	fd[0] = dial(f, "WATCH\n");
	assert_false(hung_up(fd[0]));
	for (int i = 0; i <= CONTROL_CLIENTS_USER_MAX; i++)
		close(fd[i]);
}

/* As another user, who can be had only from root. @return 0 when it is let in. */
static int other_user_dials(struct fixture *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (setuid(65534) < 0 ||
	    connect(fd, (struct sockaddr *)&f->address, sizeof(f->address)) < 0)
		return 2;
	turn(f);
	return hung_up(fd);
}

static void another_user_still_comes_in(void **state)
{
	struct fixture *f = *state;
	int fd[CONTROL_CLIENTS_USER_MAX], status;
	pid_t pid;

	if (getuid() != 0)
		skip();
	for (int i = 0; i < CONTROL_CLIENTS_USER_MAX; i++)
		fd[i] = dial(f, "WATCH\n");
	pid = fork();
	if (pid == 0) {
		event_reinit(f->base);
		_exit(other_user_dials(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < CONTROL_CLIENTS_USER_MAX; i++)
		close(fd[i]);
}

static void without_descriptors_it_does_not_spin(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, none;
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	getrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(connect(client, (struct sockaddr *)&f->address, sizeof(f->address)), 0);
	none = (struct rlimit){3, before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ACTIVE), 0);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0); /* a second later */
	turn(f);
	assert_int_equal(send(client, "PLAN\n", 5, MSG_NOSIGNAL), 5);
	turn(f);
	assert_int_equal(f->commands, 1);
	assert_int_equal(f->last.kind, COMMAND_PLAN);
	close(client);
}

static void status_is_asked_for_once_and_served_to_all(void **state)
{
	struct fixture *f = *state;
	int fd[5];

	for (int i = 0; i < 5; i++)
		fd[i] = dial(f, "STATUS\n");
	assert_int_equal(f->commands, 1);
	snapshot_put(f, "{}\n");
	turn(f);
	for (int i = 0; i < 5; i++) {
		expect_text(fd[i], "OK 3\n{}\n");
		close(fd[i]);
	}
}

enum { LARGE_PIECES = 100, LARGE = LARGE_PIECES * MESSAGE_PIECE_MAX };

/* @letter  all of it but for the line's end */
static void large_snapshot_put(struct fixture *f, char letter)
{
	struct message_piece *piece = calloc(1, sizeof(*piece));

	for (uint32_t i = 0; i < LARGE_PIECES; i++) {
		piece->offset = i * MESSAGE_PIECE_MAX;
		piece->length = MESSAGE_PIECE_MAX;
		piece->last = i == LARGE_PIECES - 1;
		memset(piece->bytes, letter, MESSAGE_PIECE_MAX);
		control_server_piece(f->server, MESSAGE_SNAPSHOT, piece);
	}
	free(piece);
}

/* Reads to the end. @return how many bytes of @letter there were, and nothing else but the first line */
static size_t large_snapshot_read(struct fixture *f, int fd, char letter)
{
	size_t count = 0;
	bool line = true;
	char bytes[4096];
	ssize_t n;

	for (;;) {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0)
			return count;
		if (n < 0)
			assert_int_equal(errno, EAGAIN);
		for (ssize_t i = 0; i < n; i++) {
			if (line)
				line = bytes[i] != '\n';
			else if (bytes[i] == letter)
				count++;
			else
				return 0;
		}
		turn(f);
	}
}

/* Whoever is slow reads on in the one that he began, while others get newer ones. */
static void a_slow_reader_keeps_his_snapshot(void **state)
{
	struct fixture *f = *state;
	int old[3], new;

	for (int i = 0; i < 3; i++)
		old[i] = dial(f, "STATUS\n");
	large_snapshot_put(f, 'a');
	turn(f);
	large_snapshot_put(f, 'b');
	turn(f);
	close(old[2]); /* one goes away in the middle */
	turn(f);
	new = dial(f, "STATUS\n");
	assert_int_equal(large_snapshot_read(f, old[1], 'a'), LARGE);
	assert_int_equal(large_snapshot_read(f, new, 'b'), LARGE);
	assert_int_equal(large_snapshot_read(f, old[0], 'a'), LARGE);
	close(old[0]);
	close(old[1]);
	close(new);
}

static long memory_most_kb(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_maxrss;
}

/* Reads just as fast as events come, a little behind for ever. */
static void a_watcher_that_is_never_done_costs_no_more_than_what_it_is_behind(void **state)
{
	struct fixture *f = *state;
	const int behind = 300, events = 65536;
	int fd = dial(f, "WATCH\n");
	char line[1000], read[sizeof(line) + 1];
	long before;

	turn(f);
	memset(line, 'x', sizeof(line));
	for (int i = 0; i < behind; i++)
		control_server_event(f->server, line, sizeof(line));
	before = memory_most_kb();
	for (int i = 0; i < events; i++) {
		assert_int_equal(recv(fd, read, sizeof(read), MSG_DONTWAIT), sizeof(read));
		control_server_event(f->server, line, sizeof(line));
	}
	assert_in_range(memory_most_kb() - before, 0, events / 8);
	assert_false(hung_up(fd));
	close(fd);
}

/* Who watched the last life is cut off with it, and back a moment after this one has begun to read what was said meanwhile. */
static void what_was_said_meanwhile_is_told_to_who_comes_back(void **state)
{
	struct fixture *f = *state;
	int first, second, newcomer;

	control_server_event(f->server, "{1}", 3);
	first = dial(f, "WATCH AGAIN\n");
	expect_text(first, "OK\n{1}\n");
	control_server_event(f->server, "{2}", 3);
	turn(f);
	expect_text(first, "{2}\n");
	second = dial(f, "WATCH AGAIN\n");
	expect_text(second, "OK\n{1}\n{2}\n");
	newcomer = dial(f, "WATCH\n"); /* it asks for the state */
	expect_text(newcomer, "OK\n");
	close(first);
	close(second);
	close(newcomer);
}

static void a_client_that_says_too_much_is_refused(void **state)
{
	struct fixture *f = *state;
	char text[64] = "", line[200];
	int fd;

	memset(line, 'A', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	fd = dial(f, line);
	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(text, "REFUSED"));
	close(fd);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(one_user_gets_half),
	    CASE(another_user_still_comes_in),
	    CASE(without_descriptors_it_does_not_spin),
	    CASE(status_is_asked_for_once_and_served_to_all),
	    CASE(half_a_text_is_none),
	    CASE(what_an_earlier_life_asked_for_is_nobodys),
	    CASE(a_slow_reader_keeps_his_snapshot),
	    CASE(a_watcher_that_is_never_done_costs_no_more_than_what_it_is_behind),
	    CASE(what_was_said_meanwhile_is_told_to_who_comes_back),
	    CASE(a_client_that_says_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
