/* SPDX-License-Identifier: Apache-2.0 */
// link: -ljq
/*
 * What daemons say of themselves, asked and judged in one process: a virtual kernel takes 20 to 100 ms to start one, and
 * a lab asks thousands of times.
 *
 *	status CONTROL FILTER					prints what jq -r would
 *	status SECONDS [CONTROL FILTER WANTED]...		waits until each FILTER's text is WANTED; 0 SECONDS: looks once
 *
 * CONTROL is a control socket, FILTER one of jq's. Says on standard error every 5 s that it waits, for what $WAITS_FOR says.
 * Exit codes: 0 so it is, 1 not, 2 a wrong call.
 */
#include <errno.h>
#include <jq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)
#define PAUSE_MS   50
#define PAUSE_MAX  400

struct condition {
	const char *control, *filter, *wanted;
};

static int dial(const char *control)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(control) >= sizeof(to.sun_path))
		return -1;
	strcpy(to.sun_path, control);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && write(fd, "STATUS\n", 7) == 7)
		return fd;
	close(fd);
	return -1;
}

/* "OK <bytes>", a line feed, and that many bytes. @return the document, or an invalid value. */
static jv answer(int fd)
{
	size_t room = 1u << 16, length = 0;
	char *text = malloc(room), *body;
	ssize_t n;
	jv document = jv_invalid();

	while (text && (n = read(fd, text + length, room - length - 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		length += (size_t)n;
		if (length + 1 < room)
			continue;
		room *= 2;
		text = room > ANSWER_MAX ? (free(text), NULL) : realloc(text, room);
	}
	if (!text)
		return document;
	text[length] = '\0';
	body = strchr(text, '\n');
	if (body && strncmp(text, "OK ", 3) == 0 &&
	    strtoul(text + 3, NULL, 10) == length - (size_t)(body + 1 - text))
		document = jv_parse(body + 1);
	free(text);
	return document;
}

static jv ask(const char *control)
{
	int fd = dial(control);
	jv document = fd < 0 ? jv_invalid() : answer(fd);

	if (fd >= 0)
		close(fd);
	return document;
}

/* As $(... | jq -r FILTER): the results, a line each, without the last line feed. NULL: it cannot be said. */
static char *result(jq_state *jq, jv document)
{
	size_t length = 0;
	char *all = NULL;
	FILE *out = open_memstream(&all, &length);
	jv each;

	if (!out)
		return NULL;
	jq_start(jq, document, 0);
	while (jv_is_valid(each = jq_next(jq))) {
		if (jv_get_kind(each) != JV_KIND_STRING)
			each = jv_dump_string(each, 0);
		fprintf(out, "%s\n", jv_string_value(each));
		jv_free(each);
	}
	jv_free(each);
	fclose(out);
	while (length && all[length - 1] == '\n')
		all[--length] = '\0';
	return all;
}

/* All filters in one program: what jq brings with it takes 25 ms to compile, each time. Condition N asks {"n": N, "d": DOCUMENT}. */
static jq_state *compiled(const struct condition *c, int count)
{
	jq_state *jq = jq_init();
	size_t length = 0;
	char *program = NULL;
	FILE *out = open_memstream(&program, &length);

	if (!jq || !out)
		exit(2);
	fprintf(out, ".n as $n | .d | if $n < 0 then empty");
	for (int i = 0; i < count; i++)
		fprintf(out, "\nelif $n == %d then (%s)", i, c[i].filter);
	fprintf(out, "\nelse empty end");
	fclose(out);
	if (!jq_compile(jq, program)) {
		fprintf(stderr, "status: a filter is wrong: %s\n", program);
		exit(2);
	}
	free(program);
	return jq;
}

static jv question(int n, jv document)
{
	return jv_object_set(jv_object_set(jv_object(), jv_string("n"), jv_number(n)),
			     jv_string("d"), document);
}

/* One document a site, however many conditions in a row are on it. */
static int all_hold(jq_state *jq, const struct condition *c, int count)
{
	jv document = jv_invalid();
	int held = 1;

	for (int i = 0; i < count && held; i++) {
		char *is;

		if (!i || strcmp(c[i].control, c[i - 1].control)) {
			jv_free(document);
			document = ask(c[i].control);
		}
		is = jv_is_valid(document) ? result(jq, question(i, jv_copy(document))) : NULL;
		held = is && !strcmp(is, c[i].wanted);
		free(is);
	}
	jv_free(document);
	return held;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int wait_for(const struct condition *c, int count, double seconds)
{
	jq_state *jq = compiled(c, count);
	const char *what = getenv("WAITS_FOR");
	double begun = now_s(), next = begun + 5;

	for (long pause_ms = PAUSE_MS;; pause_ms += pause_ms < PAUSE_MAX ? PAUSE_MS : 0) {
		const struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000};
		double now;

		if (all_hold(jq, c, count))
			return 0;
		now = now_s();
		if (now - begun >= seconds)
			return 1;
		if (now >= next) {
			fprintf(stderr, "# waiting for %s: %.0f s\n", what ? what : "a status",
				now - begun);
			next += 5;
		}
		nanosleep(&pause, NULL);
	}
}

static int print(const char *control, const char *filter)
{
	const struct condition only = {control, filter, NULL};
	jv document = ask(control);
	char *is;

	if (!jv_is_valid(document)) {
		jv_free(document);
		return 1;
	}
	is = result(compiled(&only, 1), question(0, document));
	if (is && *is)
		puts(is);
	free(is);
	return 0;
}

int main(int argc, char **argv)
{
	struct condition *c;
	int count = (argc - 2) / 3;

	if (argc == 3)
		return print(argv[1], argv[2]);
	if (argc < 2 || (argc - 2) % 3) {
		fprintf(
		    stderr,
		    "usage: status CONTROL FILTER | status SECONDS [CONTROL FILTER WANTED]...\n");
		return 2;
	}
	c = calloc((size_t)count + 1, sizeof(*c));
	for (int i = 0; c && i < count; i++)
		c[i] = (struct condition){argv[2 + 3 * i], argv[3 + 3 * i], argv[4 + 3 * i]};
	return c ? wait_for(c, count, atof(argv[1])) : 2;
}
