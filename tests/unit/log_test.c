/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/log.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/service/log.h"

/* Standard error as @fd for the length of a test. @return the one before. */
static int stderr_put(int fd)
{
	int before = dup(STDERR_FILENO);

	assert_true(before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	return before;
}

static void stderr_restore(int before)
{
	dup2(before, STDERR_FILENO);
	close(before);
}

/* Writes until the reader, who does not read, has room for no more; then reads all. */
static void fill_and_read(const int ends[2], char *text, size_t size)
{
	int before = stderr_put(ends[1]);
	ssize_t n;
	size_t used = 0;

	alarm(20); /* a log that waits would wait for ever */
	for (int i = 0; i < 20000; i++)
		log_info(
		    "line %d of a flood that nobody reads, padded to be about as long as they are",
		    i);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while ((n = read(ends[0], text + used, size - used - 1)) > 0)
		used += (size_t)n;
	log_info("read again");
	while ((n = read(ends[0], text + used, size - used - 1)) > 0)
		used += (size_t)n;
	alarm(0);
	text[used] = '\0';
	stderr_restore(before);
}

static void check_flood(const int ends[2])
{
	char *text = malloc(4 << 20);

	assert_non_null(text);
	fill_and_read(ends, text, 4 << 20);
	assert_non_null(strstr(text, "tuyend: line 0 of"));
	assert_null(strstr(text, "line 19999 "));
	assert_non_null(strstr(text, "lines were lost"));
	assert_non_null(strstr(text, "read again"));
	free(text);
}

static void a_full_pipe_stops_nobody(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	check_flood(ends);
	close(ends[0]);
	close(ends[1]);
}

static void a_journal_that_does_not_read_stops_nobody(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check_flood(ends);
	close(ends[0]);
	close(ends[1]);
}

static void control_bytes_do_not_pass(void **state)
{
	char text[256] = "";
	int ends[2], before;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	before = stderr_put(ends[1]);
	log_warning("%s", "a\nb\x1b[31mc");
	stderr_restore(before);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "tuyend: a?b?[31mc\n");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_pipe_stops_nobody),
	    cmocka_unit_test(a_journal_that_does_not_read_stops_nobody),
	    cmocka_unit_test(control_bytes_do_not_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
