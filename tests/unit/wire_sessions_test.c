/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/wire_sessions.c daemon/service/bfd_io.c daemon/service/clock.c
// link: daemon/core/bfd.c daemon/core/bfd_packet.c daemon/core/padded_limit.c
// link: daemon/core/path_mtu.c daemon/core/path_quality.c daemon/base/wire.c daemon/base/err.c
// libs: -levent_core -Wl,--wrap=calloc
/* A reflector and who asks it, over the loopback device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/core/padded_limit.h"
#include "tuyen/service/log.h"
#include "tuyen/service/wire_sessions.h"

#define REFLECTOR 77u
#define ASKER	  0x11110001u
#define LONG	  1388u
#define PACE_US	  20000u

static struct {
	int callocs_left;	     /* then there is no memory; below 0 there is enough */
	unsigned int errors, infos; /* said */
} machine = {.callocs_left = -1};

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	if (!machine.callocs_left)
		return NULL;
	machine.callocs_left -= machine.callocs_left > 0;
	return __real_calloc(count, size);
}

void log_write(enum log_level level, const char *format, ...)
{
	(void)format;
	machine.errors += level == LOG_LEVEL_ERROR;
	machine.infos += level == LOG_LEVEL_INFO;
}

struct scene {
	struct event_base *base;
	struct wire_sessions *wire;
	struct sockaddr_in reflector;
	int asker;
};

static void report(void *context)
{
	(void)context;
}

/* An address of 127/8 that is this process's own: other runs may go on beside it. */
static uint32_t loopback(uint32_t host)
{
	return 0x7f000000u | ((uint32_t)getpid() & 0xffff) << 8 | host;
}

/* @asker  who asks: the last byte of his address */
static void scene_begin_from(struct scene *s, uint32_t asker)
{
	const struct message_reflect reflect = {loopback(1), REFLECTOR};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(loopback(asker))};

	s->base = event_base_new();
	s->wire = wire_sessions_new(s->base, report, NULL);
	assert_non_null(s->wire);
	wire_sessions_begin(s->wire, 1);
	assert_int_equal(wire_sessions_add_reflector(s->wire, &reflect), 0);
	assert_int_equal(wire_sessions_commit(s->wire, 1), 0);
	assert_int_equal(wire_sessions_counters(s->wire)->open_failures, 0);
	s->reflector = (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = htons(BFD_PORT_SBFD),
	    .sin_addr.s_addr = htonl(reflect.address),
	};
	s->asker = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->asker, (struct sockaddr *)&own, sizeof(own)), 0);
}

static void scene_begin(struct scene *s)
{
	scene_begin_from(s, 2);
}

static void scene_end(struct scene *s)
{
	close(s->asker);
	wire_sessions_free(s->wire);
	event_base_free(s->base);
}

static void ask(const struct scene *s, uint32_t discriminator, size_t length)
{
	const struct bfd_packet question = {
	    .state = BFD_STATE_UP,
	    .demand = true,
	    .multiplier = 3,
	    .my_discriminator = ASKER,
	    .your_discriminator = discriminator,
	    .desired_min_tx_us = 50000,
	    .required_min_rx_us = 50000,
	};
	uint8_t bytes[LONG] = {0};

	bfd_packet_encode(&question, bytes);
	if (!discriminator)
		memset(bytes, 0xff, sizeof(bytes)); /* nothing that can be decoded */
	assert_int_equal(sendto(s->asker, bytes, length, 0, (const struct sockaddr *)&s->reflector,
				sizeof(s->reflector)),
			 length);
}

/* Lets the reflector read all that it was sent. @return how many answers of @length came. */
static unsigned int answers(const struct scene *s, size_t length)
{
	uint8_t bytes[LONG + 1];
	unsigned int count = 0;
	ssize_t got;

	assert_int_not_equal(event_base_loop(s->base, EVLOOP_NONBLOCK), -1);
	while ((got = recv(s->asker, bytes, sizeof(bytes), 0)) >= 0) {
		assert_int_equal(got, length);
		count++;
	}
	return count;
}

static void an_answer_is_as_long_as_the_question(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	ask(&s, REFLECTOR, LONG);
	assert_int_equal(answers(&s, LONG), 1);
	ask(&s, REFLECTOR, BFD_PACKET_BYTES);
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 1);
	scene_end(&s);
}

/* Whoever forges a source without knowing the reflector takes none of that source's answers. */
static void what_is_not_answered_uses_up_nothing(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (int i = 0; i < 40; i++)
		ask(&s, i % 2 ? REFLECTOR + 1 : 0, LONG);
	assert_int_equal(answers(&s, LONG), 0);
	assert_int_equal(wire_sessions_counters(s.wire)->not_reflected, 40);
	ask(&s, REFLECTOR, LONG);
	assert_int_equal(answers(&s, LONG), 1);
	scene_end(&s);
}

/* Who forges the reflector's own address has it send nothing to services of its box. */
static void oneself_has_no_answer(void **state)
{
	struct scene s;

	(void)state;
	scene_begin_from(&s, 1);
	ask(&s, REFLECTOR, BFD_PACKET_BYTES);
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 0);
	assert_int_equal(wire_sessions_counters(s.wire)->not_reflected, 1);
	scene_end(&s);
}

/* A gap may pass meanwhile, on a busy machine even two. */
static void short_answers_are_always_given(void **state)
{
	struct scene s;
	unsigned int count;

	(void)state;
	scene_begin(&s);
	for (int i = 0; i < 60; i++)
		ask(&s, REFLECTOR, LONG);
	count = answers(&s, LONG);
	assert_in_range(count, PADDED_LIMIT_BURST, PADDED_LIMIT_BURST + 20);
	for (int i = 0; i < 60; i++)
		ask(&s, REFLECTOR, BFD_PACKET_BYTES);
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 60);
	scene_end(&s);
}

/* A path that waits for repairs, to the scene's own reflector. */
static void path_commit_by(struct scene *s, uint32_t generation, bool reflected,
			   uint32_t interval_us, uint32_t way)
{
	const struct message_reflect reflect = {loopback(1), REFLECTOR};
	const struct message_session path = {
	    .kind = SESSION_PATH,
	    .id = 1,
	    .local = loopback(3),
	    .remote = loopback(1),
	    .remote_discriminator = REFLECTOR,
	    .interval_us = interval_us,
	    .multiplier = 20,
	    .base_multiplier = 2,
	    .way = way,
	};

	wire_sessions_begin(s->wire, generation);
	assert_int_equal(wire_sessions_add(s->wire, &path), 0);
	if (reflected)
		assert_int_equal(wire_sessions_add_reflector(s->wire, &reflect), 0);
	assert_int_equal(wire_sessions_commit(s->wire, generation), 0);
}

static void path_commit_at(struct scene *s, uint32_t generation, bool reflected,
			   uint32_t interval_us)
{
	path_commit_by(s, generation, reflected, interval_us, 0);
}

static void path_commit(struct scene *s, uint32_t generation, bool reflected)
{
	path_commit_at(s, generation, reflected, PACE_US);
}

/* One more reflector than there may be: what is left is not what was meant. */
static void a_generation_without_all_of_it_is_none(void **state)
{
	struct message_reflect reflect = {loopback(1), REFLECTOR};
	struct scene s;

	(void)state;
	scene_begin(&s);
	wire_sessions_begin(s.wire, 2);
	for (int i = 0; i < WIRE_REFLECTORS_MAX; i++) {
		reflect.discriminator++;
		assert_int_equal(wire_sessions_add_reflector(s.wire, &reflect), 0);
	}
	assert_int_equal(wire_sessions_add_reflector(s.wire, &reflect), -TUYEN_ELIMIT);
	assert_int_equal(wire_sessions_commit(s.wire, 2), -TUYEN_EINVAL);
	ask(&s, REFLECTOR, BFD_PACKET_BYTES); /* that of before answers on */
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 1);
	scene_end(&s);
}

/* Nor has one without memory for its reflector. */
static void a_generation_without_its_reflector_is_none(void **state)
{
	const struct message_reflect reflect = {loopback(1), REFLECTOR + 1};
	struct scene s;

	(void)state;
	scene_begin(&s);
	wire_sessions_begin(s.wire, 2);
	assert_int_equal(wire_sessions_add_reflector(s.wire, &reflect), 0);
	machine.callocs_left = 0;
	assert_int_equal(wire_sessions_commit(s.wire, 2), -TUYEN_ENOMEM);
	machine.callocs_left = -1;
	ask(&s, REFLECTOR, BFD_PACKET_BYTES);
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 1);
	scene_end(&s);
}

/* Another program has the port. */
static void a_reflector_that_cannot_hear_is_said(void **state)
{
	const struct message_reflect reflect = {loopback(3), REFLECTOR};
	const struct sockaddr_in taken = {.sin_family = AF_INET,
					  .sin_port = htons(BFD_PORT_SBFD),
					  .sin_addr.s_addr = htonl(loopback(3))};
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct scene s;

	(void)state;
	assert_int_equal(bind(other, (const struct sockaddr *)&taken, sizeof(taken)), 0);
	scene_begin(&s);
	machine.errors = machine.infos = 0;
	wire_sessions_begin(s.wire, 2);
	assert_int_equal(wire_sessions_add_reflector(s.wire, &reflect), 0);
	assert_int_equal(wire_sessions_commit(s.wire, 2), 0);
	while (wire_sessions_counters(s.wire)->open_failures < 2)
		assert_int_not_equal(event_base_loop(s.base, EVLOOP_ONCE), -1);
	assert_int_equal(machine.errors, 1);
	close(other);
	while (!machine.infos)
		assert_int_not_equal(event_base_loop(s.base, EVLOOP_ONCE), -1);
	s.reflector.sin_addr = taken.sin_addr;
	ask(&s, REFLECTOR, BFD_PACKET_BYTES);
	assert_int_equal(answers(&s, BFD_PACKET_BYTES), 1);
	scene_end(&s);
}

/* Lets it run until something is told. @return the newest. */
static struct message_liveness path_hear(struct scene *s)
{
	struct message m;

	do
		assert_int_not_equal(event_base_loop(s->base, EVLOOP_ONCE), -1);
	while (!wire_sessions_report_next(s->wire, &m));
	wire_sessions_report_done(s->wire);
	return m.u.liveness;
}

/* A process that was stopped, or a machine that was paused, finds a path that answers no more: it takes its turn and goes on. */
static void who_stood_still_goes_on(void **state)
{
	struct message_liveness told;
	struct scene s;

	(void)state;
	alarm(60); /* else it would never end */
	scene_begin(&s);
	path_commit(&s, 2, true);
	do
		told = path_hear(&s);
	while (told.state != BFD_STATE_UP);
	path_commit(&s, 3, false);
	usleep(10 * PACE_US); /* it stands still: that is what is tried */
	while (!told.quiet)
		told = path_hear(&s);
	while (told.state != BFD_STATE_DOWN)
		told = path_hear(&s);
	scene_end(&s);
	alarm(0);
}

/* Until now it was asked less often: that silence says nothing. */
static void a_pace_that_quickens_is_no_doubt(void **state)
{
	struct message_liveness told;
	struct message m;
	struct scene s;

	(void)state;
	alarm(60);
	scene_begin(&s);
	path_commit_at(&s, 2, true, 40 * PACE_US);
	do
		told = path_hear(&s);
	while (told.state != BFD_STATE_UP);
	while (event_base_loop(s.base, EVLOOP_NONBLOCK) == 0 &&
	       wire_sessions_report_next(s.wire, &m))
		wire_sessions_report_done(s.wire);
	usleep(5 * PACE_US); /* the next question is due in 30 at least */
	path_commit(&s, 3, true);
	assert_true(wire_sessions_report_next(s.wire, &m));
	assert_int_equal(m.u.liveness.generation, 3);
	assert_int_equal(m.u.liveness.state, BFD_STATE_UP);
	assert_false(m.u.liveness.quiet);
	scene_end(&s);
	alarm(0);
}

/* Indexes are given out anew with each release, and addresses go with them: what was heard was of another path. */
static void another_way_under_the_same_index_is_another_path(void **state)
{
	static const uint32_t ways[] = {7, 7, 8, 8};
	static const enum bfd_state want[] = {BFD_STATE_DOWN, BFD_STATE_UP, BFD_STATE_DOWN,
					      BFD_STATE_UP};
	struct message m;
	struct scene s;

	(void)state;
	alarm(60);
	scene_begin(&s);
	for (uint32_t i = 0; i < 4; i++) {
		path_commit_by(&s, 2 + i, true, PACE_US, ways[i]);
		assert_true(wire_sessions_report_next(s.wire, &m));
		assert_int_equal(m.u.liveness.generation, 2 + i);
		assert_int_equal(m.u.liveness.state, want[i]);
		assert_int_equal(m.u.liveness.diagnostic, BFD_DIAG_NONE);
		while (m.u.liveness.state != BFD_STATE_UP)
			m.u.liveness = path_hear(&s);
	}
	scene_end(&s);
	alarm(0);
}

/* @return a neighbour's socket; we are at loopback(3). */
static int neighbor_open(struct scene *s)
{
	const struct message_session link = {
	    .kind = SESSION_LINK,
	    .id = 2,
	    .local = loopback(3),
	    .remote = loopback(4),
	    .interval_us = PACE_US,
	    .multiplier = 3,
	};
	const struct sockaddr_in own = {.sin_family = AF_INET,
					.sin_port = htons(BFD_PORT_SINGLE_HOP),
					.sin_addr.s_addr = htonl(loopback(4))};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ttl = 255;

	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
	wire_sessions_begin(s->wire, 2);
	assert_int_equal(wire_sessions_add(s->wire, &link), 0);
	assert_int_equal(wire_sessions_commit(s->wire, 2), 0);
	return fd;
}

static void neighbor_say(int fd, uint32_t your_discriminator, enum bfd_state state)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(BFD_PORT_SINGLE_HOP),
				       .sin_addr.s_addr = htonl(loopback(3))};
	const struct bfd_packet packet = {
	    .state = state,
	    .multiplier = 3,
	    .my_discriminator = ASKER,
	    .your_discriminator = your_discriminator,
	    .desired_min_tx_us = 1000000,
	    .required_min_rx_us = PACE_US,
	};
	uint8_t bytes[BFD_PACKET_BYTES];

	bfd_packet_encode(&packet, bytes);
	assert_int_equal(
	    sendto(fd, bytes, sizeof(bytes), 0, (const struct sockaddr *)&to, sizeof(to)),
	    sizeof(bytes));
}

/* @return whether the neighbour heard one more. */
static bool neighbor_hear(int fd, struct bfd_packet *ret_packet)
{
	uint8_t bytes[BFD_PACKET_BYTES];

	if (recv(fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	assert_int_equal(bfd_packet_decode(bytes, sizeof(bytes), ret_packet), BFD_ACCEPT);
	return true;
}

/* For its detection time, so that a neighbour who misses one hears another before he calls it a failure. */
static void a_farewell_is_said_again(void **state)
{
	struct bfd_packet heard;
	unsigned int count = 0;
	struct timeval wait = {0};
	struct scene s;
	uint64_t us;
	int fd;

	(void)state;
	alarm(60);
	scene_begin(&s);
	fd = neighbor_open(&s);
	while (!neighbor_hear(fd, &heard))
		assert_int_not_equal(event_base_loop(s.base, EVLOOP_ONCE), -1);
	assert_int_equal(wire_sessions_shut_down(s.wire), 0); /* to whom it was not up: once */
	wire_sessions_free(s.wire);
	close(fd);
	s.wire = wire_sessions_new(s.base, report, NULL);
	fd = neighbor_open(&s);
	while (!neighbor_hear(fd, &heard) || heard.state != BFD_STATE_DOWN)
		assert_int_not_equal(event_base_loop(s.base, EVLOOP_ONCE), -1);
	neighbor_say(fd, heard.my_discriminator, BFD_STATE_INIT);
	while (!neighbor_hear(fd, &heard) || heard.state != BFD_STATE_UP)
		assert_int_not_equal(event_base_loop(s.base, EVLOOP_ONCE), -1);
	us = wire_sessions_shut_down(s.wire);
	assert_int_equal(us, 3 * PACE_US);
	wait.tv_usec = (suseconds_t)us;
	assert_int_equal(event_base_loopexit(s.base, &wait), 0);
	assert_int_not_equal(event_base_dispatch(s.base), -1);
	while (neighbor_hear(fd, &heard))
		count += heard.state == BFD_STATE_ADMIN_DOWN;
	assert_in_range(count, 2, 5); /* 5 at 75 % of the pace; a busy machine is late */
	close(fd);
	scene_end(&s);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_answer_is_as_long_as_the_question),
	    cmocka_unit_test(what_is_not_answered_uses_up_nothing),
	    cmocka_unit_test(oneself_has_no_answer),
	    cmocka_unit_test(short_answers_are_always_given),
	    cmocka_unit_test(a_generation_without_all_of_it_is_none),
	    cmocka_unit_test(a_generation_without_its_reflector_is_none),
	    cmocka_unit_test(a_reflector_that_cannot_hear_is_said),
	    cmocka_unit_test(who_stood_still_goes_on),
	    cmocka_unit_test(a_pace_that_quickens_is_no_doubt),
	    cmocka_unit_test(another_way_under_the_same_index_is_another_path),
	    cmocka_unit_test(a_farewell_is_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
