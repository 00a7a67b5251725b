/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_served.c daemon/core/repair_link.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c
// link: topology/forwarding.c topology/labels.c
/* What served before a life of the daemon, and how long its silence is borne: the clock and the kernel are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"

#define SERVED_US 1150000u /* of 50 ms x 3 */

static struct {
	struct monotime now;
	unsigned int readings;
	bool unreadable;
	struct kernel_peer peers[2]; /* one each of the neighbors */
} world;

static struct fwd_neighbor neighbors[] = {
    {.site_id = 101, .probe = {50000, 3}},
    {.site_id = 102, .probe = {50000, 3}},
};
static struct fwd_path paths[] = {
    {.index = 1, .color = 10, .endpoint_site = 1, .probe = {50000, 6}},
    {.index = 2, .color = 10, .endpoint_site = 1, .probe = {50000, 6}},
};
static struct node {
	struct engine engine;
	struct status_liveness links[2], paths[2];
} node;

struct monotime monotime_now(void)
{
	return world.now;
}

const struct kernel_peer *engine_link_peer(const struct kernel_state *actual,
					   const struct fwd_neighbor *n)
{
	return actual->peer_count ? &actual->peers[n - neighbors] : NULL;
}

static struct kernel_state read_now;

int kernel_read_silent(struct kernel *kernel, const struct kernel_state *known,
		       struct kernel_state **ret_state, struct reason *reason)
{
	(void)kernel, (void)known, (void)reason;
	world.readings++;
	if (world.unreadable)
		return -TUYEN_ESYSTEM;
	read_now = (struct kernel_state){.peers = world.peers, .peer_count = 2};
	*ret_state = &read_now;
	return 0;
}

void kernel_state_free(struct kernel_state *state)
{
	(void)state;
}

/* A daemon that begins, at a node whose links have had a handshake @age_s ago, and whose path 2 is in use. */
static struct engine *node_begin(int64_t age_s)
{
	struct engine *e = &node.engine;
	const struct active_paths use = {.entry = {{.index = 2}}, .count = 1};
	const struct kernel_state actual = {.peers = world.peers, .peer_count = 2};

	memset(&world, 0, sizeof(world));
	memset(&node, 0, sizeof(node));
	world.now = (struct monotime){1000000000};
	for (size_t i = 0; i < 2; i++) {
		world.peers[i].last_handshake_s = age_s < 0 ? 0 : (int64_t)time(NULL) - age_s;
		world.peers[i].rx_bytes = 100;
		node.links[i] = (struct status_liveness){
		    .known = true, .since = world.now, .last = {.state = BFD_STATE_DOWN}};
	}
	e->links = node.links;
	e->paths = node.paths;
	e->release.forwarding.neighbors = neighbors;
	e->release.forwarding.neighbor_count = 2;
	e->release.forwarding.paths = paths;
	e->release.forwarding.path_count = 2;
	engine_served_read(e, &actual, &use);
	return e;
}

static void what_the_kernel_says_served(void **state)
{
	static const struct {
		int64_t age_s;
		uint64_t want_us;
	} rows[] = {
	    {-1, REPAIR_NEVER_UP_US}, /* never any */
	    {1, SERVED_US},
	    {170, SERVED_US},
	    {190, REPAIR_NEVER_UP_US}, /* its key has ended */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		node_begin(rows[i].age_s);
		assert_int_equal(engine_grace_us(&node.links[0]), rows[i].want_us);
		assert_int_equal(node.links[0].unsaid, rows[i].want_us == SERVED_US);
		assert_true(node.paths[1].unsaid && !node.paths[0].unsaid);
		assert_int_equal(engine_grace_us(&node.paths[0]), REPAIR_NEVER_UP_US);
		assert_int_equal(engine_grace_us(&node.paths[1]), 1300000);
	}
}

/* The wire process may have ended with this one. */
static void what_served_is_to_be_said_in_each_life(void **state)
{
	const struct active_paths use = {.entry = {{.index = 2}}, .count = 1};
	const struct kernel_state actual = {.peers = world.peers, .peer_count = 2};
	struct engine *e = node_begin(1);

	(void)state;
	e->untold = node.links[0].unsaid = node.paths[1].unsaid = false;
	e->last_end = world.now;
	engine_served_read(e, &actual, &use);
	assert_true(e->untold && node.links[0].unsaid && node.paths[1].unsaid);
}

/* A clock that went back has handshakes in the time to come. */
static void what_the_clock_makes_doubtful_did_not_serve(void **state)
{
	const struct active_paths none = {.count = 0};
	struct kernel_state actual = {.peers = world.peers, .peer_count = 2};
	struct engine *e = node_begin(-1);

	(void)state;
	world.peers[0].last_handshake_s = (int64_t)time(NULL) + 3600;
	engine_served_read(e, &actual, &none);
	assert_int_equal(engine_grace_us(&node.links[0]), REPAIR_NEVER_UP_US);
	actual.peer_count = 0; /* and one that has no peer */
	engine_served_read(e, &actual, &none);
	assert_int_equal(engine_grace_us(&node.links[0]), REPAIR_NEVER_UP_US);
}

/* Both are silent for as long as is borne; of one something comes all the same. */
static void one_that_carries_is_given_the_whole_time(void **state)
{
	struct engine *e = node_begin(1);

	(void)state;
	world.now.us += SERVED_US - 1;
	world.peers[0].rx_bytes += 148;
	engine_served_look(e);
	assert_int_equal(world.readings, 0);
	world.now.us++;
	engine_served_look(e);
	assert_int_equal(world.readings, 1);
	assert_int_equal(engine_grace_us(&node.links[0]), REPAIR_NEVER_UP_US);
	assert_int_equal(engine_grace_us(&node.links[1]), SERVED_US);
	world.now.us += SERVED_US;
	engine_served_look(e);
	assert_int_equal(world.readings, 1); /* each is asked for once */
}

static void one_that_bfd_speaks_of_is_not_asked_for(void **state)
{
	struct engine *e = node_begin(1);

	(void)state;
	world.now.us += SERVED_US;
	node.links[0].last.diagnostic = BFD_DIAG_DETECTION_EXPIRED;
	node.links[1].last.state = BFD_STATE_UP;
	engine_served_look(e);
	assert_int_equal(world.readings, 0);
}

static void what_cannot_be_asked_is_given_the_whole_time(void **state)
{
	struct engine *e = node_begin(1);

	(void)state;
	world.unreadable = true;
	world.now.us += SERVED_US;
	engine_served_look(e);
	assert_int_equal(world.readings, 1);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(engine_grace_us(&node.links[i]), REPAIR_NEVER_UP_US);
}

/* The kernel process lives, and knows itself what was up. */
static void what_was_up_when_the_wire_process_ended(void **state)
{
	struct engine *e = node_begin(-1);

	(void)state;
	node.links[0].last.state = BFD_STATE_UP;
	node.paths[0] = node.links[0];
	node.paths[1].served_us = 0;
	engine_served_keep(e);
	assert_int_equal(engine_grace_us(&node.links[0]), SERVED_US);
	assert_int_equal(engine_grace_us(&node.links[1]), REPAIR_NEVER_UP_US);
	assert_int_equal(engine_grace_us(&node.paths[0]), 1300000);
	assert_int_equal(engine_grace_us(&node.paths[1]), REPAIR_NEVER_UP_US);
	node.links[0].last.state = BFD_STATE_DOWN; /* of the next life */
	world.now.us += SERVED_US;
	engine_served_look(e);
	assert_int_equal(world.readings, 0);
}

/* Its first packet is then the second in vain: a detection time later it is down. What never served is given its whole time again. */
static void what_was_asked_in_vain_in_the_life_before(void **state)
{
	struct engine *e = node_begin(-1);

	(void)state;
	node.links[0].last.state = BFD_STATE_UP;
	engine_served_keep(e);
	node.links[0].last.state = BFD_STATE_DOWN;
	engine_served_keep(e);
	assert_int_equal(engine_grace_us(&node.links[0]), 150000);
	assert_int_equal(engine_grace_us(&node.links[1]), REPAIR_NEVER_UP_US);
	node.links[0].last.state = BFD_STATE_UP;
	engine_served_keep(e);
	assert_int_equal(engine_grace_us(&node.links[0]), SERVED_US);
	node.links[0].known = false; /* it did not come to ask */
	engine_served_keep(e);
	assert_int_equal(engine_grace_us(&node.links[0]), SERVED_US);
}

static void what_forwarded_on_while_its_daemon_began_anew(void **state)
{
	static const struct {
		const char *rule;
		int64_t age_s; /* of the handshake when the link failed */
		bool anew, fresh;
		enum repair_link repaired;
		bool wanted;
	} rows[] = {
	    {"by the key that it had", 20, true, true, REPAIR_LINK_HELD, true},
	    {"the same daemon, so the line has failed", 20, false, true, REPAIR_LINK_HELD, false},
	    {"a key since then, as of a box that was started", -1, true, true, REPAIR_LINK_HELD,
	     false},
	    {"in the same second: nobody knows", 0, true, true, REPAIR_LINK_HELD, false},
	    {"read before it was up", 20, true, false, REPAIR_LINK_HELD, false},
	    {"it is used already", 20, true, true, REPAIR_LINK_USED, false},
	    {"it is down", 20, true, true, REPAIR_LINK_DOWN, false},
	};
	enum repair_link repaired[2] = {REPAIR_LINK_USED, REPAIR_LINK_USED};
	struct kernel_state actual = {.peers = world.peers, .peer_count = 2};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct engine *e = node_begin(1000);
		struct status_liveness *l = &node.links[1];

		e->repaired = repaired;
		e->actual = &actual;
		e->actual_at.us = world.now.us - !rows[i].fresh;
		repaired[1] = rows[i].repaired;
		l->last = (struct message_liveness){.state = BFD_STATE_UP, .anew = rows[i].anew};
		l->failed_s = (int64_t)time(NULL) - 100;
		world.peers[1].last_handshake_s = l->failed_s - rows[i].age_s;
		if (engine_served_again(e) != rows[i].wanted || l->forwarded_on != rows[i].wanted)
			fail_msg("%s", rows[i].rule);
		assert_false(
		    engine_served_again(e)); /* damping may hold it, and no turn ends that */
		assert_false(node.links[0].forwarded_on);
	}
}

/* AdminDown was said; a reading each five seconds. */
static void who_is_shut_down_by_intent_is_silent(void **state)
{
	struct kernel_state actual = {.peers = world.peers, .peer_count = 2};
	struct engine *e = node_begin(1);
	struct status_liveness *gone = &node.links[0], *stopped = &node.links[1];

	(void)state;
	e->actual = &actual;
	gone->last.by_intent = stopped->last.by_intent = 1;
	for (unsigned int s = 0; s < 60; s += 5) {
		e->actual_at.us = world.now.us + s * 1000000;
		world.peers[0].tx_bytes = world.peers[1].tx_bytes = s * 96;
		world.peers[1].rx_bytes += s % 10 ? 0 : 32;	  /* a keepalive for what we ask */
		assert_int_equal(engine_intent_look(e), s == 15); /* once */
		assert_int_equal(gone->intent.silent, s >= 15);
		assert_false(stopped->intent.silent);
	}
	assert_int_equal(gone->intent.back.us, 0);
	world.peers[0].rx_bytes++; /* it is started, and its daemon not yet */
	assert_true(engine_intent_look(e));
	assert_false(gone->intent.silent);
	assert_int_equal(gone->intent.back.us, e->actual_at.us);
	world.peers[0].rx_bytes++;
	e->actual_at.us += 5000000;
	assert_false(engine_intent_look(e));
	assert_int_equal(gone->intent.back.us, e->actual_at.us - 5000000);
	assert_int_equal(stopped->intent.back.us, 0);
	e->actual_at.us += 20000000;
	world.peers[0].tx_bytes += 10000;
	assert_true(engine_intent_look(e)); /* once more */
	assert_int_equal(gone->intent.silent, true);
}

static void who_was_not_asked_is_not_silent(void **state)
{
	struct kernel_state actual = {.peers = world.peers, .peer_count = 2};
	struct engine *e = node_begin(1);

	(void)state;
	e->actual = &actual;
	node.links[0].last.by_intent = 1;
	for (unsigned int s = 0; s < 60; s += 5) {
		e->actual_at.us = world.now.us + s * 1000000;
		world.peers[0].tx_bytes += s % 25 ? 0 : 32; /* our own keepalive asks for nothing */
		world.peers[1].tx_bytes += 1000;	    /* and of one that is up BFD knows */
		assert_false(engine_intent_look(e));
	}
	actual.peer_count = 0;
	assert_false(engine_intent_look(e));
}

static void a_path_is_left_early_for_one_that_is_up_alone(void **state)
{
	struct engine *e = node_begin(1);
	struct monotime next_look = MONOTIME_NEVER, begin = world.now;

	(void)state;
	node.paths[1] = node.links[0];
	assert_true(engine_served_waits(e, 1, monotime_after(begin, 1300000), &next_look));
	assert_int_equal(next_look.us, begin.us + REPAIR_NEVER_UP_US);
	assert_false(engine_served_waits(e, 1, next_look, &next_look));
	node.paths[0] = (struct status_liveness){.known = true, .last = {.state = BFD_STATE_UP}};
	assert_false(engine_served_waits(e, 1, monotime_after(begin, 1300000), &next_look));
	paths[0].endpoint_site = 2; /* another gateway's */
	assert_true(engine_served_waits(e, 1, monotime_after(begin, 1300000), &next_look));
	paths[0].endpoint_site = 1;
	node.paths[0].known = false;
	node.paths[1].last.diagnostic = BFD_DIAG_DETECTION_EXPIRED; /* that is no matter of time */
	assert_false(engine_served_waits(e, 1, monotime_after(begin, 1300000), &next_look));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_kernel_says_served),
	    cmocka_unit_test(what_served_is_to_be_said_in_each_life),
	    cmocka_unit_test(what_the_clock_makes_doubtful_did_not_serve),
	    cmocka_unit_test(one_that_carries_is_given_the_whole_time),
	    cmocka_unit_test(one_that_bfd_speaks_of_is_not_asked_for),
	    cmocka_unit_test(what_cannot_be_asked_is_given_the_whole_time),
	    cmocka_unit_test(what_was_up_when_the_wire_process_ended),
	    cmocka_unit_test(what_was_asked_in_vain_in_the_life_before),
	    cmocka_unit_test(what_forwarded_on_while_its_daemon_began_anew),
	    cmocka_unit_test(who_is_shut_down_by_intent_is_silent),
	    cmocka_unit_test(who_was_not_asked_is_not_silent),
	    cmocka_unit_test(a_path_is_left_early_for_one_that_is_up_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
