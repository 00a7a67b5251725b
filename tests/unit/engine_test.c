/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine.c daemon/service/pair.c daemon/service/clock.c
// link: daemon/core/message.c daemon/base/err.c daemon/base/text.c
// link: daemon/base/ip.c daemon/base/encode.c topology/forwarding.c topology/labels.c
// libs: -levent_core
/*
 * When there are turns, and how long they take. All else is a double: a node with one link; a reading that takes its time, and hears
 * the wire process once; a plan of so many operations, which no apply leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/service/engine_internal.h"
#include "stub.h"
#include "tuyen/core/plan.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

static struct {
	uint64_t run_us, read_us;
	int read_errors; /* so many readings fail */
	size_t planned;	 /* operations of the next plan */
	bool silently;	 /* a change that no event tells of */
	bool gone;	 /* so is this: a device has gone, as the next silent look finds */
	bool fails_then; /* the reading after that fails, and there is something to do */
	bool link_steps; /* the link's traffic goes another way at the next step */
	void (*heard)(struct engine *e);
	void (*halfway)(struct engine *e); /* between turns, when half of the time has passed */
	bool made;			   /* what is planned is no move */
	unsigned int failing; /* so many applies hear, at their beginning, of a link that fails */
	unsigned int reads, applies, silent_looks;
	uint64_t drift_repairs, turns;
	enum path_liveness link;
	struct monotime link_since; /* by which the last step was taken */
	uint64_t judged_us; /* how old what BFD said of the link was when it was judged last */
	int other;
} world;

static struct fwd_neighbor neighbor = {.site_id = 101};

static void end(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	event_base_loopexit(context, NULL);
}

static void halfway(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	if (world.halfway)
		world.halfway(context);
}

int engine_load(struct engine *e, struct reason *reason)
{
	const struct timeval then = {(time_t)(world.run_us / 1000000),
				     (suseconds_t)(world.run_us % 1000000)};
	const struct timeval half = {(time_t)(world.run_us / 2000000),
				     (suseconds_t)(world.run_us / 2 % 1000000)};

	(void)reason;
	event_base_once(e->base, -1, EV_TIMEOUT, halfway, e, &half);
	e->release.status.have = true;
	e->release.forwarding.neighbors = &neighbor;
	e->release.forwarding.neighbor_count = 1;
	e->links = calloc(1, sizeof(*e->links));
	e->repaired = calloc(1, sizeof(*e->repaired));
	e->seen = calloc(1, sizeof(*e->seen));
	return event_base_once(e->base, -1, EV_TIMEOUT, end, e->base, &then);
}

void engine_release_clear(struct engine *e)
{
	world.drift_repairs = e->drift_repairs;
	world.turns = e->turns;
	free(e->links);
	free(e->repaired);
	free(e->seen);
}

void engine_wire_message(void *context, const struct message *message)
{
	(void)message;
	if (world.heard)
		world.heard(context);
}

static struct kernel_state *state_new(void)
{
	return calloc(1, sizeof(struct kernel_state));
}

/* ---- the kernel ------------------------------------------------------------------------------ */

struct kernel {
	kernel_between_fn between;
	void *context;
	int event[2];
};

int kernel_open(struct kernel **ret_kernel, struct reason *reason)
{
	(void)reason;
	*ret_kernel = calloc(1, sizeof(**ret_kernel));
	return *ret_kernel && pipe((*ret_kernel)->event) == 0 ? 0 : -TUYEN_ESYSTEM;
}

void kernel_close(struct kernel *kernel)
{
	close(kernel->event[0]);
	close(kernel->event[1]);
	free(kernel);
}

int kernel_event_fd(const struct kernel *kernel)
{
	return kernel->event[0];
}

void kernel_set_between(struct kernel *kernel, kernel_between_fn between, void *context)
{
	kernel->between = between;
	kernel->context = context;
}

int kernel_read(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state **ret_actual, struct reason *reason)
{
	struct message m = {.type = MESSAGE_HELLO};

	(void)desired;
	world.reads++;
	usleep((useconds_t)world.read_us);
	if (world.read_errors > 0 && world.read_errors--)
		return reason_set(reason, -TUYEN_ESYSTEM, "no answer");
	if (world.heard)
		send(world.other, &m, message_size(m.type), MSG_DONTWAIT);
	if (kernel->between && kernel->between(kernel->context))
		return -TUYEN_ECANCELED;
	*ret_actual = state_new();
	return 0;
}

int kernel_read_silent(struct kernel *kernel, const struct kernel_state *known,
		       struct kernel_state **ret_state, struct reason *reason)
{
	(void)kernel, (void)known, (void)reason;
	world.silent_looks++;
	if (world.gone) {
		world.gone = false;
		return -TUYEN_EAGAIN;
	}
	*ret_state = state_new();
	return 0;
}

int kernel_plan_build(const struct kernel_state *desired, const struct kernel_state *actual,
		      struct kernel_plan **ret_plan, struct reason *reason)
{
	(void)desired, (void)actual, (void)reason;
	*ret_plan = calloc(1, sizeof(**ret_plan));
	(*ret_plan)->count = world.planned;
	(*ret_plan)->operations = calloc(world.planned + 1, sizeof(*(*ret_plan)->operations));
	return 0;
}

void kernel_plan_free(struct kernel_plan *plan)
{
	if (plan)
		free(plan->operations);
	free(plan);
}

static void link_fails_in_apply(struct engine *e)
{
	size_t planned = world.planned;

	world.heard = NULL;
	world.link_steps = true;
	world.planned = 0; /* of the repair itself */
	engine_link_changed(e, 0);
	world.planned = planned;
}

static bool apply_heard(struct kernel *kernel)
{
	struct message m = {.type = MESSAGE_HELLO};

	world.heard = link_fails_in_apply;
	send(world.other, &m, message_size(m.type), MSG_DONTWAIT);
	if (kernel->between && kernel->between(kernel->context))
		return true;
	world.heard = NULL;
	return false;
}

int kernel_apply(struct kernel *kernel, struct kernel_plan *plan, struct kernel_report *ret_report)
{
	world.applies++;
	if (world.failing && world.failing-- && apply_heard(kernel)) {
		ret_report->cancelled = true;
		return -TUYEN_ECANCELED;
	}
	for (size_t i = 0; i < plan->count; i++)
		plan->operations[i].done = true;
	world.planned = 0;
	return 0;
}

int kernel_apply_routes(struct kernel *kernel, struct kernel_plan *plan,
			struct kernel_report *ret_report)
{
	(void)kernel, (void)plan, (void)ret_report;
	return 0;
}

int kernel_plan_routes(const struct kernel_state *routes, struct kernel_plan **ret_plan)
{
	return kernel_plan_build(routes, NULL, ret_plan, NULL);
}

void kernel_plan_print(const struct kernel_plan *plan, struct text *ret_text)
{
	text_printf(ret_text, "plan of %zu\n", plan->count);
}

/* ---- what is the same whatever happens --------------------------------------------------------- */

ALWAYS(int, 0, store_open, const char *path, struct store *ret_store, struct reason *reason)
NOTHING(store_close, struct store *store)
NOTHING(log_write, enum log_level level, const char *format, ...)
ALWAYS(int, 0, kernel_uplinks, struct kernel *kernel, struct node_uplinks *uplinks,
       struct reason *reason)
ALWAYS(int, 0, kernel_next_hop, struct kernel *kernel, ipv4_t destination, ipv4_t *ret_gateway,
       uint32_t *ret_ifindex)
ALWAYS(int, 0, kernel_lans_inner, struct kernel *kernel, const struct ipv4_prefix *lans,
       size_t lan_count, struct desired_lines *lines, struct lan_claim *ret_claim)
ALWAYS(int, 0, kernel_device_name, struct kernel *kernel, uint32_t ifindex,
       char ret_name[static KERNEL_IFNAME_MAX], bool *ret_inner)
ALWAYS(int, 0, kernel_lan_there, struct kernel *kernel, struct ipv4_prefix lan, bool *ret_there)
ALWAYS(int, 0, kernel_lan_closed, struct kernel *kernel, struct ipv4_prefix lan,
       char ret_device[static KERNEL_IFNAME_MAX])
NOTHING(kernel_state_call_back, struct kernel_state *desired, const struct kernel_state *actual,
	const struct kernel_state *before)
ALWAYS(int, -1, kernel_address_own, struct kernel *kernel, ipv4_t address, bool *ret_own)
ALWAYS(int, 0, kernel_session_poke, struct kernel *kernel, const char *device)
ALWAYS(int, 0, kernel_peer_call, struct kernel *kernel, const char *device,
       const uint8_t public_key[static WG_KEY_LEN])
ALWAYS(int, 0, engine_conflicts_look, struct engine *e, struct reason *reason)
NOTHING(engine_stood_still, struct engine *e, uint64_t us)
NOTHING(engine_conflicts_hurry, struct engine *e)
NOTHING(engine_conflicts_say, struct engine *e)
ALWAYS(int, 0, conflicts_desire, const struct address_conflicts *c,
       const struct address_conflicts *there, struct kernel_state *desired)
ALWAYS(const char *, "", conflicts_format, const struct address_conflicts *c, bool of_lines,
       char out[static CONFLICTS_STRLEN])
ALWAYS(bool, false, kernel_event_own, struct kernel *kernel)
ALWAYS(bool, false, kernel_event_drain, struct kernel *kernel)
ALWAYS(size_t, 0, kernel_selfcheck, struct kernel *kernel, struct kernel_check *ret_checks,
       size_t size)
NOTHING(status_event_lan, bool away, int64_t wall_s, struct text *ret_json)
NOTHING(status_event_claim, const struct lan_claim *claim, int64_t wall_s, struct text *ret_json)
NOTHING(engine_meters_load, struct engine *e)
NOTHING(engine_meters_look, struct engine *e)
NOTHING(engine_expiry_look, struct engine *e)
NOTHING(engine_folder_look, struct engine *e)
NOTHING(store_held_clear, struct store_held *held)
NOTHING(engine_meters_keep, struct engine *e)
NOTHING(engine_call_back, struct engine *e, const struct kernel_state *state,
	struct monotime read_at)
NOTHING(engine_links_recall, struct engine *e, const struct kernel_state *state,
	struct monotime read_at)
NOTHING(engine_renewals_step, struct engine *e, struct monotime *next_look)
NOTHING(engine_request_incoming, struct engine *e)
NOTHING(engine_requests_serve, evutil_socket_t fd, short what, void *context)
NOTHING(engine_wire_configure, struct engine *e)
NOTHING(engine_untold_tell, struct engine *e)
NOTHING(engine_event, struct engine *e, struct text *line)
NOTHING(engine_publish, struct engine *e)
NOTHING(engine_reload, struct engine *e, struct text *ret_answer, unsigned int *ret_status)
ALWAYS(bool, !world.made, plan_operation_moves, const struct plan_operation *operation)
ALWAYS(bool, false, plan_operation_ousts, const struct plan_operation *operation)
ALWAYS(bool, false, plan_operation_restores, const struct plan_operation *operation,
       const struct kernel_state *before)
ALWAYS(int, 0, desired_build_removed, struct kernel_state **ret_desired)
NOTHING(kernel_state_sort, struct kernel_state *state)
ALWAYS(int, 0, ipv4_prefix_compare, const void *a, const void *b)
ALWAYS(int, 0, kernel_peer_compare, const void *a, const void *b)
NOTHING(desired_active_read, const struct forwarding *f, const struct kernel_state *actual,
	struct active_paths *ret_active)
NOTHING(desired_lines_add_hop, struct desired_lines *lines, ipv4_t hop)
NOTHING(desired_lines_add_device, struct desired_lines *lines, const char *device)
NOTHING(desired_lines_add_carrier, struct desired_lines *lines, const char *device)
NOTHING(desired_lines_add_inner, struct desired_lines *lines, struct ipv4_prefix part)
ALWAYS(bool, true, desired_lines_add_way, struct desired_lines *lines,
       const struct desired_lan_way *way)
ALWAYS(bool, true, desired_lines_equal, const struct desired_lines *a,
       const struct desired_lines *b)
NOTHING(desired_session_name, uint32_t color, uint8_t slot, char out[static KERNEL_IFNAME_MAX])
ALWAYS(bool, false, endpoint_watch_step, struct endpoint_watch *watch,
       const struct endpoint_sight *sight, struct monotime now)
ALWAYS(bool, false, endpoint_watch_wary, const struct endpoint_watch *watch, struct monotime now)
ALWAYS(bool, false, node_uplinks_conflict, const struct node_uplinks *uplinks,
       const struct forwarding *f, const struct fwd_neighbor **a, const struct fwd_neighbor **b)
ALWAYS(bool, false, node_uplinks_unnamed, const struct node_uplinks *uplinks,
       const struct forwarding *f, const struct fwd_neighbor **a, const struct fwd_neighbor **b)
ALWAYS(const struct node_uplink *, NULL, node_uplinks_unused, const struct node_uplinks *uplinks,
       const struct forwarding *f)
ALWAYS(int, 0, node_uplinks_desire, const struct node_uplinks *uplinks, const struct forwarding *f,
       const struct ip_endpoint *seen, struct kernel_state *desired)
ALWAYS(bool, true, node_uplinks_equal, const struct node_uplinks *a, const struct node_uplinks *b)
ALWAYS(bool, true, repair_matters, const struct forwarding *f, uint32_t site_id)
ALWAYS(bool, false, repair_there, const struct forwarding *f, uint32_t site_id)
NOTHING(repair_read, const struct forwarding *f, const struct kernel_state *actual,
	enum repair_link *ret_repaired)
NOTHING(engine_served_read, struct engine *e, const struct kernel_state *actual,
	const struct active_paths *use)
NOTHING(engine_served_look, struct engine *e)
ALWAYS(bool, false, engine_served_again, struct engine *e)
ALWAYS(bool, false, engine_intent_look, struct engine *e)
ALWAYS(bool, false, engine_served_waits, const struct engine *e, size_t path, struct monotime now,
       struct monotime *next_look)
NOTHING(status_event_drift, size_t repaired, const char *what, int64_t wall_s,
	struct text *ret_json)
NOTHING(status_event_duplicate, const struct fwd_neighbor *n, const struct endpoint_watch *watch,
	int64_t wall_s, struct text *ret_json)
NOTHING(status_event_gateway, const struct forwarding *f, const struct active_path *to,
	int64_t wall_s, struct text *ret_json)
NOTHING(status_event_repair, const struct forwarding *f, const struct fwd_neighbor *n,
	const enum repair_link *repaired, int64_t wall_s, struct text *ret_json)
NOTHING(status_event_switch, const struct forwarding *f, const struct active_path *from,
	const struct active_path *to, int64_t wall_s, struct text *ret_json)

void kernel_state_free(struct kernel_state *state)
{
	free(state);
}

int desired_build_repaired(const struct forwarding *forwarding, const struct node_keys *keys,
			   const struct active_paths *active, const enum repair_link *repaired,
			   const struct desired_lines *lines, struct kernel_state **ret_desired)
{
	*ret_desired = state_new();
	return 0;
}

int desired_build_link(const struct forwarding *forwarding, const struct active_paths *active,
		       const enum repair_link *repaired, uint32_t site_id,
		       struct kernel_state **ret_routes)
{
	*ret_routes = state_new();
	return 0;
}

void selection_choose(const struct forwarding *forwarding, const struct path_state *states,
		      size_t state_count, const struct active_paths *previous, struct monotime now,
		      struct active_paths *ret_active, struct monotime *ret_next_look)
{
	*ret_active = *previous;
	*ret_next_look = MONOTIME_NEVER;
}

enum path_liveness repair_link_liveness(const struct message_liveness *last, struct monotime since,
					uint64_t grace_us, struct monotime now,
					struct monotime *ret_next_look)
{
	world.judged_us = monotime_between(since, now);
	return PATH_UP;
}

enum repair_link repair_step(enum repair_link was, enum path_liveness link, struct monotime since,
			     struct monotime damped_until, struct monotime now,
			     struct monotime *ret_next_look)
{
	bool steps = world.link_steps;

	world.link = link;
	world.link_since = since;
	world.link_steps = false;
	if (steps && world.fails_then) {
		world.read_errors = 1;
		world.planned = 1;
	}
	return !steps ? was : was == REPAIR_LINK_USED ? REPAIR_LINK_DOWN : REPAIR_LINK_USED;
}

/* ---------------------------------------------------------------------------------------------- */

static void run(void)
{
	struct engine_options options = {.supervisor_fd = -1};
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	options.pair_fd = ends[0];
	world.other = ends[1];
	assert_int_equal(engine_run(&options), 0);
	close(ends[0]);
	close(ends[1]);
}

static int setup(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.run_us = 300000;
	world.read_us = 1000;
	return 0;
}

static void nothing_to_do_is_one_turn(void **state)
{
	(void)state;
	run();
	assert_int_equal(world.turns, 1);
	assert_int_equal(world.reads, 1);
}

/* More than all paths could do in a second. */
static void paths_flap(struct engine *e)
{
	e->hurried_since = monotime_now();
	e->hurried_count = 1000;
	engine_hurry(e);
}

static void flaps_that_looks_hear_take_a_fifth_of_the_time(void **state)
{
	(void)state;
	world.run_us = 2000000;
	world.read_us = 20000;
	world.heard = paths_flap;
	run();
	assert_in_range(world.reads * world.read_us, 8 * world.read_us, world.run_us * 3 / 10);
}

static void link_flaps(struct engine *e)
{
	for (int i = 0; i < 5; i++)
		engine_link_changed(e, 0);
}

static void link_will_flap(struct engine *e)
{
	world.heard = link_flaps;
	engine_dirty(e, EXPECTED_NOTHING);
}

static void old_word_is_heard(struct engine *e)
{
	engine_turn_after_rest(e);
	if (!e->taken_over)
		return;
	world.heard = NULL;
	e->links[0].known = true;
	e->links[0].since = (struct monotime){1};
	world.judged_us = 1;
	engine_link_changed(e, 0);
	assert_int_equal(world.judged_us, 0);
}

/* Another may wait behind one that had to wait. In turns nothing waits. */
static void time_alone_decides_in_turns(void **state)
{
	(void)state;
	world.heard = old_word_is_heard;
	run();
	assert_true(world.judged_us > 1000000);
}

/* Its time comes with the next turn: what is read now is of what is known. */
static void a_link_that_flaps_breaks_no_look_off(void **state)
{
	(void)state;
	world.heard = link_will_flap;
	run();
	assert_in_range(world.turns, 3, 10);
	assert_in_range(world.reads, 1, world.turns + 1);
}

static void link_fails(struct engine *e)
{
	world.heard = NULL;
	world.link_steps = true;
	engine_link_changed(e, 0);
}

/* Nobody knows yet what forwards, so it is repaired after that look; not when all of the kernel is looked at again. */
static void a_link_that_fails_during_the_first_look_is_repaired(void **state)
{
	(void)state;
	world.heard = link_fails;
	run();
	assert_null(world.heard);
	assert_false(world.link_steps);
	assert_int_equal(world.turns, 2);
}

static void link_repaired(struct engine *e)
{
	if (!e->taken_over)
		return;
	world.heard = NULL;
	world.link_steps = true;
	world.planned = 1;
	engine_link_changed(e, 0);
	world.planned = 1;
}

static void wants_turn(struct engine *e)
{
	world.heard = link_repaired;
	engine_dirty(e, EXPECTED_NOTHING);
}

/* What is wanted is known anew, and what comes of it is no drift. */
static void a_repair_during_a_look_is_in_its_plan(void **state)
{
	(void)state;
	world.heard = wants_turn;
	run();
	assert_null(world.heard);
	assert_int_equal(world.planned, 0);
	assert_int_equal(world.drift_repairs, 0);
}

/* What was planned before would undo the repair. */
static void a_link_that_fails_during_an_apply_leaves_the_rest_to_the_next_turn(void **state)
{
	(void)state;
	world.planned = world.failing = 1;
	run();
	assert_false(world.link_steps);
	assert_int_equal(world.applies, 2);
	assert_int_equal(world.planned, 0);
	assert_int_equal(world.drift_repairs, 0);
}

static void links_that_fail_without_end_do_not_keep_a_plan_from_its_end(void **state)
{
	(void)state;
	world.planned = 1;
	world.failing = 100;
	run();
	assert_int_equal(world.planned, 0);
	assert_in_range(world.applies, 2, 5);
	assert_int_equal(world.drift_repairs, 0);
}

/* What a start or a release has to do is no drift, however often a link fails meanwhile. */
static void what_was_left_twice_has_its_reason_still(void **state)
{
	(void)state;
	world.planned = 1;
	world.failing = 2;
	world.made = true;
	run();
	assert_int_equal(world.planned, 0);
	assert_int_equal(world.applies, 3);
	assert_int_equal(world.drift_repairs, 0);
}

static void goes_back(struct engine *e)
{
	world.heard = NULL;
	world.link_steps = world.fails_then = true;
	engine_dirty(e, EXPECTED_NOTHING);
}

/* A link's traffic goes back to it, and the look of that turn fails. */
static void what_a_failed_look_left_undone_is_no_drift(void **state)
{
	(void)state;
	world.heard = goes_back;
	run();
	assert_int_equal(world.planned, 0);
	assert_false(world.link_steps);
	assert_int_equal(world.drift_repairs, 0);
}

/* What sends no events may change after a turn that had something to do, too. */
static void it_is_looked_at_two_seconds_after_any_turn(void **state)
{
	(void)state;
	world.planned = 1;
	world.run_us = 2300000;
	run();
	assert_true(world.silent_looks || world.turns > 1);
}

/* The event that told of it may have been taken for an echo of what was applied then. */
static void a_device_that_a_silent_look_misses_is_looked_for(void **state)
{
	(void)state;
	world.gone = true;
	world.run_us = 2500000; /* less than the period */
	run();
	assert_false(world.gone);
	assert_int_equal(world.turns, 2);
}

static void neighbour_is_shut_down(struct engine *e)
{
	e->links[0].known = true;
	e->links[0].last.by_intent = 1;
	e->links[0].intent.silent = true;
	engine_dirty(e, EXPECTED_MOVES);
}

static void neighbour_s_daemon_is_stopped(struct engine *e)
{
	neighbour_is_shut_down(e);
	e->links[0].intent.silent = false;
}

static void neighbour_is_heard_again(struct engine *e)
{
	neighbour_s_daemon_is_stopped(e);
	e->links[0].intent.back.us = 17;
}

static void neighbour_is_back(struct engine *e)
{
	neighbour_is_heard_again(e);
	e->links[0].last.by_intent = 0;
}

/* What BFD alone says of all of them is that the link is up. */
static void a_neighbour_that_is_shut_down_is_led_around(void **state)
{
	static const struct {
		void (*what)(struct engine *);
		enum path_liveness link;
		uint64_t since_us; /* it has to hold since then */
	} rows[] = {
	    {neighbour_is_shut_down, PATH_DOWN, 0},
	    {neighbour_s_daemon_is_stopped, PATH_UP, 0},
	    {neighbour_is_heard_again, PATH_UP, 17},
	    {neighbour_is_back, PATH_UP, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(state);
		world.halfway = rows[i].what;
		run();
		assert_int_equal(world.turns, 2);
		assert_int_equal(world.link, rows[i].link);
		assert_int_equal(world.link_since.us, rows[i].since_us);
	}
}

static void path_fails_then_kernel_changes(struct engine *e)
{
	e->rest_until = monotime_after(monotime_now(), world.run_us);
	engine_hurry(e);
	engine_turn_after_rest(e);
}

static void path_fails_then_link_flaps(struct engine *e)
{
	e->rest_until = monotime_after(monotime_now(), world.run_us);
	engine_hurry(e);
	link_flaps(e);
}

/* What may wait for a rest comes in the same wakening, and does not make the failover wait with it. */
static void a_failover_is_not_put_off_by_what_can_wait(void **state)
{
	static void (*const what[])(struct engine *) = {path_fails_then_kernel_changes,
							path_fails_then_link_flaps};

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		setup(state);
		world.halfway = what[i];
		run();
		assert_int_equal(world.turns, 2);
	}
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(nothing_to_do_is_one_turn),
	    CASE(flaps_that_looks_hear_take_a_fifth_of_the_time),
	    CASE(time_alone_decides_in_turns),
	    CASE(a_link_that_flaps_breaks_no_look_off),
	    CASE(a_link_that_fails_during_the_first_look_is_repaired),
	    CASE(a_repair_during_a_look_is_in_its_plan),
	    CASE(a_link_that_fails_during_an_apply_leaves_the_rest_to_the_next_turn),
	    CASE(links_that_fail_without_end_do_not_keep_a_plan_from_its_end),
	    CASE(what_was_left_twice_has_its_reason_still),
	    CASE(what_a_failed_look_left_undone_is_no_drift),
	    CASE(it_is_looked_at_two_seconds_after_any_turn),
	    CASE(a_device_that_a_silent_look_misses_is_looked_for),
	    CASE(a_neighbour_that_is_shut_down_is_led_around),
	    CASE(a_failover_is_not_put_off_by_what_can_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
