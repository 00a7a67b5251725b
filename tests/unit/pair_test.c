/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/pair.c daemon/core/message.c daemon/base/text.c
// libs: -levent_core
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/service/pair.h"

struct fixture {
	struct event_base *base;
	struct pair *pair;
	int ours, other; /* the other: what a taken-over process would hold */
	unsigned int messages, closed;
};

static void on_message(void *context, const struct message *message)
{
	struct fixture *f = context;

	(void)message;
	f->messages++;
}

static void on_closed(void *context)
{
	struct fixture *f = context;

	f->closed++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	f->ours = ends[0];
	f->other = ends[1];
	f->base = event_base_new();
	f->pair = pair_new(f->base, ends[0], on_message, on_closed, f);
	*state = f;
	return f->pair ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pair_free(f->pair);
	event_base_free(f->base);
	close(f->ours);
	if (f->other >= 0)
		close(f->other);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void hello(const struct fixture *f)
{
	const struct message m = {.type = MESSAGE_HELLO};
	size_t length = message_size(MESSAGE_HELLO);

	assert_int_equal(send(f->other, &m, length, 0), length);
}

static void an_empty_message_is_not_the_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(send(f->other, "", 0, 0), 0);
	hello(f);
	turn(f);
	assert_int_equal(f->closed, 0);
	assert_int_equal(f->messages, 1);
	assert_int_equal(pair_rejected(f->pair), 1);
}

static void the_end_is_told_once(void **state)
{
	struct fixture *f = *state;

	close(f->other);
	f->other = -1;
	turn(f);
	turn(f);
	assert_int_equal(f->closed, 1);
}

static void who_is_away_from_the_loop_takes_what_is_there(void **state)
{
	struct fixture *f = *state;

	hello(f);
	hello(f);
	pair_receive(f->pair);
	assert_int_equal(f->messages, 2);
	close(f->other);
	f->other = -1;
	pair_receive(f->pair);
	pair_receive(f->pair);
	turn(f);
	assert_int_equal(f->closed, 1);
}

static void what_is_too_short_or_too_long_is_rejected(void **state)
{
	struct fixture *f = *state;
	static const char bytes[sizeof(struct message) + 64];

	assert_int_equal(send(f->other, bytes, 1, 0), 1);
	assert_int_equal(send(f->other, bytes, sizeof(bytes), 0), sizeof(bytes));
	turn(f);
	assert_int_equal(f->messages, 0);
	assert_int_equal(pair_rejected(f->pair), 2);
}

static void who_does_not_read_costs_no_more_than_the_limit(void **state)
{
	struct fixture *f = *state;
	static const char text[10 * MESSAGE_PIECE_MAX];
	unsigned int sent = 0;

	while (sent < 10000 &&
	       pair_send_text(f->pair, MESSAGE_SNAPSHOT, 0, 0, text, sizeof(text)) == 0)
		sent++;
	assert_true(sent < 10000);
	assert_true(pair_busy(f->pair));
	assert_int_equal(pair_send_text(f->pair, MESSAGE_ANSWER, 1, 0, text, sizeof(text)),
			 -TUYEN_ELIMIT);
}

/* Reads one message of the other end. @return its length */
static ssize_t other_reads(const struct fixture *f, struct message *m)
{
	return recv(f->other, m, sizeof(*m), MSG_DONTWAIT);
}

/* A text that was given away goes in pieces, as the other end reads, and what was sent after it comes after it. */
static void a_text_goes_in_pieces(void **state)
{
	static const size_t lengths[] = {1,
					 MESSAGE_PIECE_MAX - 1,
					 MESSAGE_PIECE_MAX,
					 MESSAGE_PIECE_MAX + 1,
					 3 * MESSAGE_PIECE_MAX,
					 200 * MESSAGE_PIECE_MAX + 7};
	struct fixture *f = *state;
	struct message *m = calloc(1, sizeof(*m));

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const struct message hello_message = {.type = MESSAGE_HELLO};
		size_t offset = 0;
		struct text text;

		text_init(&text);
		while (text.length < lengths[i])
			text_add_char(&text, (char)('a' + text.length % 23));
		assert_int_equal(pair_give_text(f->pair, MESSAGE_SNAPSHOT, &text), 0);
		assert_int_equal(text.length, 0);
		assert_null(text.bytes);
		if (lengths[i] < 2 * MESSAGE_PIECE_MAX) /* there is room: it is underway */
			assert_false(pair_busy(f->pair));
		assert_int_equal(pair_send(f->pair, &hello_message), 0);
		for (;;) {
			turn(f);
			if (other_reads(f, m) < 0)
				continue;
			if (m->type == MESSAGE_HELLO)
				break;
			assert_int_equal(message_check(m, (uint32_t)message_size(MESSAGE_SNAPSHOT)),
					 0);
			assert_int_equal(m->u.piece.offset, offset);
			assert_int_equal(m->u.piece.request, 0);
			for (size_t k = 0; k < m->u.piece.length; k++)
				assert_int_equal(m->u.piece.bytes[k], 'a' + (offset + k) % 23);
			offset += m->u.piece.length;
			assert_int_equal(m->u.piece.last, offset == lengths[i]);
		}
		assert_int_equal(offset, lengths[i]);
		assert_false(pair_busy(f->pair));
	}
	free(m);
}

static void a_text_that_is_not_taken_stays_the_callers(void **state)
{
	struct fixture *f = *state;
	struct text text;
	int err;

	text_init(&text);
	assert_int_equal(pair_give_text(f->pair, MESSAGE_SNAPSHOT, &text), -TUYEN_EINVAL);
	do {
		text_clear(&text);
		for (size_t i = 0; i < 1000000; i++)
			text_add(&text, "0123456789");
		err = pair_give_text(f->pair, MESSAGE_SNAPSHOT, &text);
	} while (!err);
	assert_int_equal(err, -TUYEN_ELIMIT);
	assert_int_equal(text.length, 10000000);
	text_clear(&text); /* and what waits goes with the pair */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(an_empty_message_is_not_the_end),
	    CASE(the_end_is_told_once),
	    CASE(who_is_away_from_the_loop_takes_what_is_there),
	    CASE(what_is_too_short_or_too_long_is_rejected),
	    CASE(who_does_not_read_costs_no_more_than_the_limit),
	    CASE(a_text_goes_in_pieces),
	    CASE(a_text_that_is_not_taken_stays_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
