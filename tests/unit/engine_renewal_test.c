/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_renewal.c daemon/core/kernel_state.c daemon/core/repair.c daemon/core/desired.c
// link: daemon/core/desired_queue.c daemon/core/desired_nft.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c daemon/base/wire.c
// link: topology/forwarding.c topology/labels.c
/* Sessions that die while their paths live, reading by reading: the clock and the kernel are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define S UINT64_C(1000000)

static struct {
	struct monotime now;
	unsigned int warnings, moves, turns, forgotten;
	bool forgets; /* a session may be made anew */
	const struct kernel_state *read;
} world;

struct monotime monotime_now(void)
{
	return world.now;
}

void log_write(enum log_level level, const char *format, ...)
{
	(void)format;
	world.warnings += level == LOG_LEVEL_WARNING;
}

int kernel_peer_forget(struct kernel *kernel, const char *device,
		       const uint8_t public_key[static WG_KEY_LEN])
{
	(void)kernel, (void)device, (void)public_key;
	if (!world.forgets)
		fail_msg("a session that is heard is not made anew");
	world.forgotten |= 1u << public_key[0];
	return 0;
}

/* What was known of them is not asked for. */
int kernel_read_silent(struct kernel *kernel, const struct kernel_state *known,
		       struct kernel_state **ret_state, struct reason *reason)
{
	struct kernel_state *now = kernel_state_new();

	(void)kernel, (void)known, (void)reason;
	for (size_t i = 0; i < world.read->peer_count; i++)
		*kernel_state_add_peer(now) = world.read->peers[i];
	kernel_state_sort(now);
	*ret_state = now;
	return 0;
}

void engine_dirty(struct engine *e, enum expected expected)
{
	(void)e;
	assert_int_equal(expected, EXPECTED_ALL);
	world.turns++;
}

int kernel_peer_renew(struct kernel *kernel, const struct kernel_peer *peer)
{
	(void)kernel, (void)peer;
	return 0;
}

int kernel_session_poke(struct kernel *kernel, const char *device)
{
	(void)kernel, (void)device;
	return 0;
}

void engine_expect(struct engine *e, enum expected expected)
{
	(void)e;
	world.moves += expected == EXPECTED_MOVES;
}

enum path_liveness engine_path_liveness(const struct status_liveness *l, struct monotime now,
					struct monotime *next_look)
{
	(void)now, (void)next_look;
	return l->known && l->last.state == BFD_STATE_UP ? PATH_UP : PATH_DOWN;
}

/* Two ways to gateway 1, one to gateway 2: all of them up since the first second. */
static struct fwd_path ways[] = {
    {.index = 1, .color = 10, .preference = 200, .endpoint_site = 1},
    {.index = 2, .color = 10, .preference = 100, .endpoint_site = 1},
    {.index = 3, .color = 10, .preference = 200, .endpoint_site = 2},
};
static struct fwd_session_peer callees[] = {
    {.color = 10, .site_id = 1, .name = "npdc-hn", .session_key = {1}, .caller = true},
    {.color = 10, .site_id = 2, .name = "npdc-hcm", .session_key = {2}, .rank = 1, .caller = true},
};

static struct node {
	struct engine engine;
	struct status_liveness paths[3];
	struct kernel_peer peers[2];
	struct kernel_state actual;
} node;

static struct engine *node_begin(void)
{
	struct engine *e = &node.engine;

	memset(&world, 0, sizeof(world));
	memset(&node, 0, sizeof(node));
	world.now = (struct monotime){1000 * S};
	for (size_t i = 0; i < 3; i++)
		node.paths[i] = (struct status_liveness){
		    .known = true, .since = {S}, .last = {.state = BFD_STATE_UP}};
	for (size_t i = 0; i < 2; i++) {
		desired_session_name(10, callees[i].rank, node.peers[i].device);
		node.peers[i].public_key[0] = callees[i].session_key[0];
	}
	node.actual.peers = node.peers;
	node.actual.peer_count = 2;
	e->actual = &node.actual;
	e->paths = node.paths;
	e->release.forwarding.paths = ways;
	e->release.forwarding.path_count = 3;
	e->release.forwarding.peers = callees;
	e->release.forwarding.peer_count = 2;
	return e;
}

/* A turn after @seconds, at which gateway 2 has made a key meanwhile, and gateway 1 where @first_too. */
static void turn(struct engine *e, uint64_t seconds, bool first_too)
{
	struct monotime next_look = MONOTIME_NEVER;

	world.now = monotime_after(world.now, seconds * S);
	node.peers[0].last_handshake_s += first_too;
	node.peers[1].last_handshake_s++;
	e->actual_at = world.now;
	engine_renewals_step(e, &next_look);
}

static void one_that_lives_again_is_held(void **state)
{
	struct engine *e = node_begin();

	(void)state;
	turn(e, 0, true);
	turn(e, 240, false);
	assert_false(node.paths[0].session_dead);
	turn(e, 1, false);
	assert_true(node.paths[0].session_dead && node.paths[1].session_dead);
	assert_false(node.paths[2].session_dead);
	assert_int_equal(node.paths[0].better_since.us, 0); /* it is no better yet */
	assert_int_equal(world.warnings, 1);
	turn(e, 60, false);
	assert_int_equal(world.warnings, 1);
	turn(e, 5, true);
	assert_int_equal(world.warnings, 2);
	assert_int_equal(world.moves, 2);
	for (size_t i = 0; i < 2; i++) { /* all its ways, though they were never down */
		assert_false(node.paths[i].session_dead);
		assert_int_equal(node.paths[i].better_since.us, world.now.us);
		assert_int_equal(node.paths[i].since.us, S);
	}
	assert_int_equal(node.paths[2].better_since.us, 0);
}

/* The hold begins when it lives again, and no later reading begins it anew. */
static void it_is_held_once(void **state)
{
	struct engine *e = node_begin();
	struct monotime lives;

	(void)state;
	turn(e, 0, true);
	turn(e, 300, false);
	turn(e, 5, true);
	lives = world.now;
	turn(e, 1, false);
	turn(e, 120, true);
	assert_int_equal(node.paths[0].better_since.us, lives.us);
	assert_int_equal(world.warnings, 2);
}

static void one_that_never_died_is_not_held(void **state)
{
	struct engine *e = node_begin();

	(void)state;
	for (int i = 0; i < 10; i++)
		turn(e, 120, true);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(node.paths[i].better_since.us, 0);
	assert_int_equal(world.warnings + world.moves, 0);
}

/* Links to 3, whom it calls, and to 4, who calls. @return whose links were made anew. */
static unsigned int stood_still(struct engine *e, int64_t age_of_3, int64_t age_of_4)
{
	static struct fwd_neighbor neighbors[] = {{.site_id = 3, .link_key = {3}, .caller = true},
						  {.site_id = 4, .link_key = {4}}};
	struct kernel_peer peers[] = {{.device = LINK_DEVICE, .public_key = {3}},
				      {.device = LINK_DEVICE, .public_key = {4}}};
	const struct kernel_state read = {.peers = peers, .peer_count = 2};
	int64_t wall_s = (int64_t)time(NULL);

	peers[0].last_handshake_s = age_of_3 < 0 ? 0 : wall_s - age_of_3;
	peers[1].last_handshake_s = wall_s - age_of_4;
	e->taken_over = true;
	e->release.status.have = true;
	e->release.forwarding.neighbors = neighbors;
	e->release.forwarding.neighbor_count = 2;
	world.read = &read;
	world.forgets = true;
	world.forgotten = 0;
	engine_stood_still(e, 300 * S);
	return world.forgotten;
}

static void links_that_ended_while_it_stood_still_are_made_anew(void **state)
{
	(void)state;
	assert_int_equal(stood_still(node_begin(), 300, 300), 1 << 3);
	assert_int_equal(world.turns, 1);
	assert_int_equal(stood_still(node_begin(), 20, 300), 0);
	assert_int_equal(stood_still(node_begin(), -1, 300), 0);
	assert_int_equal(world.warnings, 1);
}

/* Of parallel links, one that is down and goes to another place than the release says; who is called elsewhere and lives stays. */
static void a_link_that_was_led_astray_is_called_anew(void **state)
{
	static const struct ip_endpoint right = {4, {198, 51, 100, 9}, 51820},
					wrong = {4, {198, 51, 100, 9}, 51821};
	struct fwd_neighbor neighbor = {
	    .site_id = 3, .link_key = {3}, .caller = true, .endpoint = right};
	struct kernel_peer peer = {.device = LINK_DEVICE, .public_key = {3}, .endpoint = wrong};
	const struct kernel_state read = {.peers = &peer, .peer_count = 1};
	struct engine *e = node_begin();
	struct status_liveness link = {.known = true, .since = world.now};

	(void)state;
	e->release.forwarding.neighbors = &neighbor;
	e->release.forwarding.neighbor_count = 1;
	e->links = &link;
	world.forgets = true;
	for (int step = 0; step < 6; step++) {
		e->release.forwarding.parallel_address = step != 0;
		link.last.state = step == 1 ? BFD_STATE_UP : BFD_STATE_DOWN;
		peer.endpoint = step == 2 ? right : wrong;
		neighbor.caller = step != 3;
		world.forgotten = 0;
		engine_links_recall(e, &read, monotime_after(world.now, step == 4 ? S / 2 : 2 * S));
		assert_int_equal(world.forgotten, step == 5 ? 1 << 3 : 0);
	}
	assert_int_equal(world.turns, 1);
}

/* One turn each: before anything is heard, when gateway 1 is, and when its session was made. */
static void a_session_that_ended_is_made_anew_when_it_is_heard(void **state)
{
	struct engine *e = node_begin();
	struct monotime next_look, stood;
	int64_t wall_s = (int64_t)time(NULL);

	(void)state;
	node.peers[0].last_handshake_s = wall_s - 300;
	node.peers[1].last_handshake_s = wall_s - 20;
	stood_still(e, 20, 20);
	stood = world.now;
	for (int step = 0; step < 4; step++) {
		world.now = monotime_after(world.now, S);
		e->actual_at = step ? world.now : (struct monotime){stood.us - S};
		if (step)
			node.paths[2].since = stood; /* gateway 2's lives: it is left */
		if (step == 2)
			node.paths[1].since = stood;
		if (step == 3)
			node.peers[0].last_handshake_s = wall_s;
		world.forgotten = 0;
		engine_renewals_step(e, &next_look);
		assert_int_equal(world.forgotten, step == 2 ? 1 << 1 : 0);
	}
	node.peers[0].last_handshake_s = wall_s - 300;
	world.now = monotime_after(world.now, 60 * S);
	e->actual_at = world.now;
	engine_renewals_step(e, &next_look);
	assert_int_equal(world.forgotten, 0); /* that is of another cause by now */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_that_lives_again_is_held),
	    cmocka_unit_test(it_is_held_once),
	    cmocka_unit_test(one_that_never_died_is_not_held),
	    cmocka_unit_test(links_that_ended_while_it_stood_still_are_made_anew),
	    cmocka_unit_test(a_link_that_was_led_astray_is_called_anew),
	    cmocka_unit_test(a_session_that_ended_is_made_anew_when_it_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
