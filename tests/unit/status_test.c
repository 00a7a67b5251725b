/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/status.c daemon/service/status_release.c daemon/core/repair.c daemon/core/desired.c daemon/core/desired_queue.c daemon/core/desired_nft.c daemon/core/kernel_state.c daemon/core/meter.c daemon/core/conflict.c daemon/core/bfd.c daemon/core/bfd_packet.c daemon/base/wire.c
// link: topology/forwarding.c topology/labels.c daemon/base/err.c daemon/base/text.c daemon/base/ip.c daemon/base/encode.c
// libs: -ljansson
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "tuyen/service/status.h"
#include "tuyen/snmp/feed.h"

static json_t *document(const struct status_input *in)
{
	json_error_t error;
	struct text t;
	json_t *root;

	text_init(&t);
	status_document(in, &t);
	root = json_loads(text_string(&t), 0, &error);
	if (!root)
		fail_msg("%s at %d: %s", error.text, error.position, text_string(&t));
	text_clear(&t);
	return root;
}

static const char *text_at(json_t *root, const char *array, const char *key)
{
	json_t *row = json_array_get(json_object_get(root, array), 0);

	return json_string_value(json_object_get(row, key));
}

static json_int_t number_at(json_t *root, const char *array, const char *key)
{
	json_t *row = json_array_get(json_object_get(root, array), 0);

	return json_integer_value(json_object_get(row, key));
}

static bool is_null_at(json_t *root, const char *array, const char *key)
{
	return json_is_null(json_object_get(json_array_get(json_object_get(root, array), 0), key));
}

static void without_a_release(void **state)
{
	struct status_refusal refusal = {.at_s = 1764000000, .reason = {"a \"quoted\" reason"}};
	struct status_input in = {.wall_s = 1764000100, .refusals = &refusal, .refusal_count = 1};
	json_t *root = document(&in), *bundle = json_object_get(root, "bundle");

	(void)state;
	assert_true(json_is_null(json_object_get(root, "site")));
	assert_true(json_is_null(json_object_get(bundle, "epoch")));
	assert_string_equal(json_string_value(json_object_get(
				json_array_get(json_object_get(bundle, "refusals"), 0), "reason")),
			    "a \"quoted\" reason");
	assert_int_equal(json_array_size(json_object_get(root, "links")), 0);
	json_decref(root);
}

static void with_everything(void **state)
{
	struct fwd_neighbor neighbor = {.site_id = 210,
					.name = "ba-dinh",
					.underlay = "fibre",
					.link_address = 0x644000d2,
					.probe = {50000, 3}};
	struct fwd_path path = {.index = 1,
				.name = "main",
				.color = 10,
				.preference = 200,
				.endpoint_site = 1,
				.endpoint = 0x64500010,
				.source = 0x64503851,
				.first_site = 210,
				.stack = {1, {16001}},
				.mtu = 1416,
				.probe = {50000, 3},
				.reflector = 1};
	struct ipv4_prefix lan = {0x0a000000, 16};
	struct fwd_session session = {.color = 10, .policy = "citizen-query", .mtu = 1356};
	struct fwd_session_peer peer = {.color = 10,
					.site_id = 1,
					.name = "npdc \"hn\"",
					.caller = true,
					.endpoint = 0x64500010,
					.port = 52010,
					.prefixes = &lan,
					.prefix_count = 1};
	struct fwd_queue policies[] = {{10, 1, 2, 50}, {20, 2, 0, 50}};
	struct forwarding f = {.site_id = 901,
			       .site = "phúc xá",
			       .tier = "commune",
			       .own_label = 16901,
			       .neighbors = &neighbor,
			       .neighbor_count = 1,
			       .paths = &path,
			       .path_count = 1,
			       .sessions = &session,
			       .session_count = 1,
			       .queues = policies,
			       .queue_count = 2,
			       .peers = &peer,
			       .peer_count = 1};
	struct kernel_peer peers[] = {
	    {.device = "link0",
	     .endpoint = {4, {198, 51, 100, 9}, 51820},
	     .last_handshake_s = 1764000050,
	     .rx_bytes = 5},
	    {.device = "s10", .last_handshake_s = 1764000000 - 200},
	};
	struct kernel_label_filter filter = {.device = "lsp210", .drops = 40};
	struct kernel_excess excesses[] = {{0x644000d1, 7}, {0x644000d2, 2}};
	struct kernel_queue queues[] = {
	    {.minor = 0},
	    {.minor = 64, .destination = 0x644000d2, .led = true},
	    {.minor = 65,
	     .parent = 64,
	     .leaf = true,
	     .mark = TUYEN_MARK_QUEUE | 1,
	     .rate = 1000,
	     .ceil = 2000,
	     .bytes = 77,
	     .drops = 3,
	     .waiting_bytes = 9},
	    {.minor = 66, .parent = 64, .led = true, .rate = 2300},
	    {.minor = 67,
	     .parent = 66,
	     .leaf = true,
	     .rate = 16,
	     .priority = 3,
	     .quantum = 10666,
	     .mark = TUYEN_MARK_QUEUE | 2},
	    {.minor = 113, .parent = 64, .leaf = true, .rate = 500, .mark = TUYEN_MARK_QUEUE | 48},
	    {.minor = 127, .parent = 66, .leaf = true, .rate = 16, .priority = 3, .quantum = 1600},
	};
	struct kernel_state actual = {.peers = peers,
				      .peer_count = 2,
				      .filters = &filter,
				      .filter_count = 1,
				      .excesses = excesses,
				      .excess_count = 2,
				      .queues = queues,
				      .queue_count = 7};
	struct active_paths active = {.entry = {{10, 1, 1, true}}, .count = 1};
	struct status_liveness link = {.known = true,
				       .since = {930000000},
				       .changes = 3,
				       .last = {.state = BFD_STATE_UP, .detection_us = 150000}};
	struct status_liveness unknown = {0},
			       silent = {.known = true,
					 .doubts = 7,
					 .last = {.state = BFD_STATE_UP, .quiet = 1}};
	struct status_session seen = {0};
	struct status_input in = {
	    .now = {1000000000},
	    .wall_s = 1764000060,
	    .sessions = &seen,
	    .forwarding = &f,
	    .actual = &actual,
	    .active = &active,
	    .links = &link,
	    .paths = &unknown,
	    .release = {.have = true, .epoch = 7, .signers = "an binh", .expires_s = 1764000000}};
	static const char *const names[] = {"citizen-query", "policy", "probes", "rest"};
	static const int guaranteed[] = {8000, 15992, 4000,
					 2400}; /* two of them 18,400 together in whole bytes */
	json_t *root, *bundle;

	(void)state;
	root = document(&in);
	bundle = json_object_get(root, "bundle");
	assert_int_equal(json_array_size(json_object_get(root, "queues")), 4);
	for (size_t i = 0; i < 4; i++) {
		const json_t *q = json_array_get(json_object_get(root, "queues"), i);

		assert_string_equal(json_string_value(json_object_get(q, "queue")), names[i]);
		assert_string_equal(json_string_value(json_object_get(q, "site")), "ba-dinh");
		assert_int_equal(json_integer_value(json_object_get(q, "guaranteed_bps")),
				 guaranteed[i]);
	}
	assert_int_equal(number_at(root, "queues", "most_bps"), 16000);
	assert_int_equal(number_at(root, "queues", "tx_bytes"), 77);
	assert_int_equal(number_at(root, "queues", "drops"), 3);
	assert_int_equal(number_at(root, "queues", "waiting_bytes"), 9);
	assert_string_equal(text_at(root, "links", "state"), "up");
	assert_string_equal(text_at(root, "links", "endpoint"), "198.51.100.9:51820");
	assert_int_equal(number_at(root, "links", "since_s"), 70);
	assert_int_equal(number_at(root, "links", "handshake_age_s"), 10);
	assert_int_equal(number_at(root, "links", "filter_drops"), 42);
	assert_string_equal(text_at(root, "paths", "state"), "unknown");
	assert_string_equal(text_at(root, "paths", "endpoint"), "npdc \"hn\"");
	assert_true(json_is_true(
	    json_object_get(json_array_get(json_object_get(root, "paths"), 0), "active")));
	assert_string_equal(text_at(root, "sessions", "path"), "main");
	assert_string_equal(text_at(root, "sessions", "state"),
			    "down"); /* a handshake older than 180 s */
	assert_true(json_is_true(json_object_get(bundle, "expired")));
	assert_int_equal(json_array_size(json_object_get(bundle, "signers")), 2);
	json_decref(root);
	in.paths = &silent;
	root = document(&in);
	assert_int_equal(number_at(root, "paths", "doubts"), 7);
	assert_true(json_is_true(
	    json_object_get(json_array_get(json_object_get(root, "paths"), 0), "in_doubt")));
	json_decref(root);
}

/* One session, looked at from time to time; the wall clock and its last handshake are the test's. */
struct watched {
	struct fwd_session session;
	struct fwd_session_peer peer;
	struct forwarding f;
	struct kernel_peer key;
	struct kernel_state actual;
	struct status_session seen;
	struct status_input in;
};

static void watched_init(struct watched *w)
{
	memset(w, 0, sizeof(*w));
	w->session = (struct fwd_session){.color = 10, .policy = "citizen-query"};
	w->peer = (struct fwd_session_peer){.color = 10, .site_id = 1, .name = "npdc-hn"};
	w->f = (struct forwarding){
	    .sessions = &w->session, .session_count = 1, .peers = &w->peer, .peer_count = 1};
	strcpy(w->key.device, "s10");
	w->actual = (struct kernel_state){.peers = &w->key, .peer_count = 1};
	w->in =
	    (struct status_input){.forwarding = &w->f, .actual = &w->actual, .sessions = &w->seen};
}

#define BOOT_S 1764000000 /* the wall clock's time of it */

/* @handshake_s by the wall clock; 0: none. */
static json_t *watched_look(struct watched *w, uint64_t now_s, int64_t set_by_s,
			    int64_t handshake_s)
{
	w->in.now = w->in.actual_at = (struct monotime){now_s * 1000000};
	w->in.wall_s = BOOT_S + (int64_t)now_s + set_by_s;
	w->key.last_handshake_s = handshake_s;
	return document(&w->in);
}

/* A session whose last handshake was 100 s ago is up, and one of 200 s ago down, however the clock was set 10 s ago. */
static void a_wall_clock_that_is_set(void **state)
{
	static const int64_t set_by_s[] = {0, 3600, -3600, 86400 * 365, -86400 * 365};
	static const int64_t age_s[] = {100, 200};
	struct watched w;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(set_by_s) / sizeof(set_by_s[0]); i++) {
		json_t *root;

		watched_init(&w);
		json_decref(watched_look(&w, 990, 0, BOOT_S + 1000 - age_s[i % 2]));
		root = watched_look(&w, 1000, set_by_s[i / 2], w.key.last_handshake_s);
		assert_string_equal(text_at(root, "sessions", "state"), i % 2 ? "down" : "up");
		assert_int_equal(number_at(root, "sessions", "handshake_age_s"), age_s[i % 2]);
		json_decref(root);
	}
}

/* One at 995 s, the clock set after it, and both read at 1000 s: it was after the reading at 990 s. */
static void a_handshake_just_before_the_clock_is_set(void **state)
{
	static const int64_t set_by_s[] = {60, -60, 86400 * 365, -86400 * 365};
	struct watched w;

	(void)state;
	for (size_t i = 0; i < sizeof(set_by_s) / sizeof(set_by_s[0]); i++) {
		json_t *root;

		watched_init(&w);
		json_decref(watched_look(&w, 990, 0, BOOT_S + 800));
		root = watched_look(&w, 1000, set_by_s[i], BOOT_S + 995);
		assert_string_equal(text_at(root, "sessions", "state"), "up");
		assert_in_range(number_at(root, "sessions", "handshake_age_s"), 0, 10);
		assert_in_range(number_at(root, "sessions", "since_s"), 0, 10);
		json_decref(root);
	}
}

/* Handshakes come each 120 s, and none of them begins anything. */
static void how_long_a_session_is_up_or_down(void **state)
{
	static const struct {
		const char *what;
		uint64_t now_s;
		int64_t handshake_s; /* of the boot; 0: none */
		const char *state;
		int since_s;
	} rows[] = {
	    {"it was up before", 1000, 950, "up", 50},
	    {"a new key", 1080, 1070, "up", 130},
	    {"and the last", 1200, 1190, "up", 250},
	    {"its key has not ended", 1370, 1190, "up", 420},
	    {"and now it has", 1375, 1190, "down", 5},
	    {"still", 1500, 1190, "down", 130},
	    {"made anew", 1510, 0, "down", 140},
	    {"heard again", 1520, 1518, "up", 2},
	    {"and on", 2600, 2590, "up", 1082},
	    {"made anew, and not heard", 2610, 0, "down", 0},
	};
	struct watched w;

	(void)state;
	watched_init(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t at = rows[i].handshake_s;
		json_t *root = watched_look(&w, rows[i].now_s, 0, at ? BOOT_S + at : 0);

		if (strcmp(text_at(root, "sessions", "state"), rows[i].state) != 0 ||
		    number_at(root, "sessions", "since_s") != rows[i].since_s)
			fail_msg("%s: %s since %d", rows[i].what,
				 text_at(root, "sessions", "state"),
				 (int)number_at(root, "sessions", "since_s"));
		json_decref(root);
	}
}

static void before_the_kernel_is_read_nothing_is_known(void **state)
{
	struct watched w;
	json_t *root;

	(void)state;
	watched_init(&w);
	w.in.actual = NULL;
	root = watched_look(&w, 1000, 0, BOOT_S + 990);
	assert_false(w.seen.known);
	assert_string_equal(text_at(root, "sessions", "state"), "unknown");
	assert_true(is_null_at(root, "sessions", "rx_bytes"));
	json_decref(root);
	w.in.actual = &w.actual;
	w.key.rx_bytes = 5000000000;
	root = watched_look(&w, 1010, 0, BOOT_S + 990);
	assert_true(w.seen.known);
	assert_string_equal(text_at(root, "sessions", "state"), "up");
	assert_int_equal(number_at(root, "sessions", "rx_bytes"), 5000000000);
	json_decref(root);
}

/* Who reads 0 and then the old number again takes the difference for traffic. */
static void a_counter_of_what_is_not_there_is_not_zero(void **state)
{
	struct fwd_neighbor neighbor = {.site_id = 210, .name = "ba-dinh"};
	struct status_liveness link = {0};
	struct watched w;
	json_t *root;

	(void)state;
	watched_init(&w);
	w.f.neighbors = &neighbor;
	w.f.neighbor_count = 1;
	w.in.links = &link;
	w.actual.peer_count = 0;
	root = watched_look(&w, 1000, 0, 0);
	assert_true(is_null_at(root, "sessions", "tx_bytes"));
	assert_true(is_null_at(root, "links", "rx_bytes"));
	assert_int_equal(number_at(root, "links", "filter_drops"), 0);
	json_decref(root);
	w.in.actual = NULL;
	root = watched_look(&w, 1010, 0, 0);
	assert_true(is_null_at(root, "links", "filter_drops"));
	json_decref(root);
}

/* A network centre takes another time of its beginning for another beginning. */
static void what_began_once_began_at_one_time(void **state)
{
	const struct monotime began = {500000000};
	struct fwd_neighbor neighbor = {.site_id = 210, .name = "ba-dinh"};
	struct status_liveness link = {.known = true, .since = began};
	struct watched w;

	(void)state;
	watched_init(&w);
	w.f.neighbors = &neighbor;
	w.f.neighbor_count = 1;
	w.in.links = &link;
	w.in.started = began;
	for (uint32_t us = 100000; us < 2100000; us += 100000) {
		uint64_t wall_us = us + 700000;
		json_t *root, *daemon;

		w.in.now.us = began.us + us;
		w.in.wall_s = 1764000000 + (int64_t)(wall_us / 1000000);
		w.in.wall_us = wall_us % 1000000;
		root = document(&w.in);
		daemon = json_object_get(root, "daemon");
		assert_string_equal(text_at(root, "links", "since"), "2025-11-24T16:00:00Z");
		assert_string_equal(json_string_value(json_object_get(daemon, "started")),
				    "2025-11-24T16:00:00Z");
		json_decref(root);
	}
}

static void how_near_a_release_s_end_is(void **state)
{
	static const struct {
		const char *rule;
		int64_t life_days, left_s;
		enum status_expiry expiry;
		uint64_t days_left;
	} rows[] = {
	    {"more than thirty days", 90, 30 * 86400 + 1, STATUS_EXPIRY_DISTANT, 30},
	    {"thirty days", 90, 30 * 86400, STATUS_EXPIRY_MONTH, 30},
	    {"more than seven", 90, 7 * 86400 + 1, STATUS_EXPIRY_MONTH, 7},
	    {"seven days", 90, 7 * 86400, STATUS_EXPIRY_WEEK, 7},
	    {"more than one", 90, 86400 + 1, STATUS_EXPIRY_WEEK, 1},
	    {"the last day", 90, 86400, STATUS_EXPIRY_DAY, 1},
	    {"the last second", 90, 0, STATUS_EXPIRY_DAY, 0},
	    {"past", 90, -1, STATUS_EXPIRY_PAST, 0},
	    {"good for less than ninety days", 89, 30 * 86400, STATUS_EXPIRY_DISTANT, 30},
	    {"of three weeks", 21, 7 * 86400, STATUS_EXPIRY_WEEK, 7},
	    {"of less than three weeks", 20, 7 * 86400, STATUS_EXPIRY_DISTANT, 7},
	    {"of three days", 3, 86400, STATUS_EXPIRY_DAY, 1},
	    {"of two days: not before its end", 2, 1, STATUS_EXPIRY_DISTANT, 0},
	    {"... which is told", 2, -1, STATUS_EXPIRY_PAST, 0},
	};
	static const int64_t end_s = 1764000000;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct status_input in = {.wall_s = end_s - rows[i].left_s,
					  .release = {.have = true,
						      .epoch = 7,
						      .issued_s = end_s - rows[i].life_days * 86400,
						      .expires_s = end_s}};
		json_t *root = document(&in), *bundle = json_object_get(root, "bundle");

		if (status_release_expiry(&in.release, in.wall_s) != rows[i].expiry)
			fail_msg("%s", rows[i].rule);
		assert_string_equal(json_string_value(json_object_get(bundle, "expiry")),
				    status_expiry_word(rows[i].expiry));
		assert_int_equal(json_integer_value(json_object_get(bundle, "days_left")),
				 rows[i].days_left);
		json_decref(root);
		in.release.have = false;
		assert_int_equal(status_release_expiry(&in.release, in.wall_s),
				 STATUS_EXPIRY_DISTANT);
	}
}

static void a_metered_line_is_told(void **state)
{
	struct fwd_meter lines[] = {{"lte", 200000}, {"vsat", 1}};
	struct forwarding f = {.meters = lines, .meter_count = 2};
	struct node_uplinks uplinks = {.count = 1,
				       .entry = {{.underlay = "lte", .device = "wwan0"}}};
	struct meter meters[] = {{.day = 20261128, .used_bytes = 170000999}};
	struct status_input in = {.forwarding = &f, .uplinks = &uplinks, .meters = meters};
	json_t *root = document(&in), *event;
	struct text t;

	(void)state;
	assert_string_equal(text_at(root, "meters", "line"), "lte");
	assert_string_equal(text_at(root, "meters", "device"), "wwan0");
	assert_string_equal(text_at(root, "meters", "level"), "near");
	assert_int_equal(number_at(root, "meters", "used_bytes"), 170000999);
	assert_int_equal(number_at(root, "meters", "allowance_kb"), 200000);
	assert_int_equal(number_at(root, "meters", "used_percent"), 85);
	event = json_array_get(json_object_get(root, "meters"), 1); /* its device is not named */
	assert_string_equal(json_string_value(json_object_get(event, "level")), "uncounted");
	assert_true(json_is_null(json_object_get(event, "device")));
	assert_true(json_is_null(json_object_get(event, "used_bytes")) &&
		    json_is_null(json_object_get(event, "day")));
	json_decref(root);
	text_init(&t);
	status_event_meter(&lines[0], &meters[0], 0, &t);
	event = json_loads(text_string(&t), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(event, "level")), "near");
	assert_int_equal(json_integer_value(json_object_get(event, "used_kb")), 170000);
	json_decref(event);
	text_clear(&t);
}

static void a_lan_that_is_closed_is_told(void **state)
{
	struct forwarding f = {.site = "phuc-xa"};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int closed = 0; closed < 2; closed++) {
		json_t *root;

		in.lan_closed = closed ? "eth1" : "";
		root = document(&in);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(root, "site"), "lan_closed")),
		    closed ? "eth1" : "");
		json_decref(root);
	}
}

static void what_a_line_claims_is_told(void **state)
{
	const struct lan_claim claims[] = {{.device = ""},
					   {{0x0a09010a, 32}, "wwan0", NULL},
					   {{0x0a09010a, 32}, "wwan0", "more than 32 parts"}};
	const char *wanted[] = {"", "10.9.1.10/32 over wwan0",
				"10.9.1.10/32 over wwan0, cut off: more than 32 parts"};
	struct forwarding f = {.site = "phuc-xa"};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int i = 0; i < 3; i++) {
		json_t *root, *event;
		struct text t;

		in.claim = &claims[i];
		root = document(&in);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(root, "site"), "lan_claim")),
		    wanted[i]);
		json_decref(root);
		text_init(&t);
		status_event_claim(&claims[i], 1764000060, &t);
		event = json_loads(text_string(&t), 0, NULL);
		assert_string_equal(json_string_value(json_object_get(event, "event")), "claim");
		assert_string_equal(json_string_value(json_object_get(event, "claim")), wanted[i]);
		json_decref(event);
		text_clear(&t);
	}
}

static void what_a_restart_would_miss_is_told(void **state)
{
	const char *const words[] = {NULL, "", "/var/lib/tuyen: gone"};
	struct forwarding f = {.site = "phuc-xa"};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int i = 0; i < 3; i++) {
		const char *wanted = words[i] ? words[i] : "";
		json_t *root, *event;
		struct text t;

		in.folder = words[i];
		root = document(&in);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(root, "site"), "folder")),
		    wanted);
		json_decref(root);
		text_init(&t);
		status_event_folder(wanted, 1764000060, &t);
		event = json_loads(text_string(&t), 0, NULL);
		assert_string_equal(json_string_value(json_object_get(event, "event")), "folder");
		assert_string_equal(json_string_value(json_object_get(event, "folder")), wanted);
		json_decref(event);
		text_clear(&t);
	}
}

static void lines_without_a_device_are_told(void **state)
{
	struct forwarding f = {.site = "phuc-xa"};
	const struct fwd_neighbor n = {.name = "ba-dinh parallel"};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int unnamed = 0; unnamed < 2; unnamed++) {
		json_t *root;

		in.unnamed = unnamed ? &n : NULL;
		root = document(&in);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(root, "site"), "unnamed")),
		    unnamed ? "ba-dinh parallel" : "");
		json_decref(root);
	}
}

static void another_site_s_address_is_told(void **state)
{
	struct forwarding f = {.site = "phuc-xa"};
	struct address_conflicts conflicts = {
	    {{.address = 0x0a00000a, .device = "lan0"}, {.address = 0x0a00000b, .of_line = true}},
	    0};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int i = 0; i < 3; i++) {
		json_t *root, *event;
		struct text t;

		in.conflicts = i ? &conflicts : NULL;
		conflicts.count = i == 2;
		root = document(&in);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(root, "site"), "conflict")),
		    i == 2 ? "10.0.0.10 on lan0" : "");
		json_decref(root);
		text_init(&t);
		status_event_conflict("10.0.0.10 on lan0", 1764000060, &t);
		event = json_loads(text_string(&t), 0, NULL);
		assert_string_equal(json_string_value(json_object_get(event, "event")), "conflict");
		assert_string_equal(json_string_value(json_object_get(event, "addresses")),
				    "10.0.0.10 on lan0");
		json_decref(event);
		text_clear(&t);
	}
}

static void a_gateway_without_its_lan_is_told(void **state)
{
	struct forwarding f = {.site = "npdc-hn", .lan_shared = true};
	struct status_input in = {.forwarding = &f};

	(void)state;
	for (int away = 0; away < 2; away++) {
		json_t *root, *event;
		struct text t;

		in.lan_away = away;
		root = document(&in);
		assert_int_equal(
		    json_is_true(json_object_get(json_object_get(root, "site"), "lan_away")), away);
		json_decref(root);
		text_init(&t);
		status_event_lan(away, 1764000060, &t);
		event = json_loads(text_string(&t), 0, NULL);
		assert_string_equal(json_string_value(json_object_get(event, "event")), "lan");
		assert_true(json_is_boolean(json_object_get(event, "away")));
		assert_int_equal(json_is_true(json_object_get(event, "away")), away);
		assert_string_equal(json_string_value(json_object_get(event, "at")),
				    "2025-11-24T16:01:00Z");
		json_decref(event);
		text_clear(&t);
	}
}

static void events_are_json(void **state)
{
	struct text t;
	json_t *root;

	(void)state;
	text_init(&t);
	status_event_drift(2, "route \"x\"; peer", 0, &t);
	root = json_loads(text_string(&t), 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_integer_value(json_object_get(root, "repaired")), 2);
	assert_true(json_is_null(json_object_get(root, "at")));
	json_decref(root);
	text_clear(&t);
}

/* What a gateway loses with a device is thousands of operations. */
static void a_large_drift_is_told_in_a_line_that_all_take(void **state)
{
	static const char one[] = "wg set s10 peer \"x\" allowed-ips 10.9.1.0/24;";
	struct text what, t;
	const char *told;
	json_t *root;

	(void)state;
	text_init(&what);
	text_init(&t);
	for (int i = 0; i < 30000; i++)
		text_add(&what, one);
	text_add(&what, "last");
	status_event_drift(30001, text_string(&what), 0, &t);
	assert_in_range(t.length, 1000, FEED_EVENT_MAX - 1);
	root = json_loads(text_string(&t), 0, NULL);
	told = json_string_value(json_object_get(root, "what"));
	assert_non_null(told);
	assert_int_equal(strncmp(told, one, sizeof(one) - 1), 0);
	assert_string_equal(strrchr(told, ';'), "; and 29922 more");
	json_decref(root);
	text_reset(&t);
	text_reset(&what);
	for (int i = 0; i < 3000; i++)
		text_add(&what, "16001 ");
	status_event_drift(1, text_string(&what), 0, &t);
	assert_in_range(t.length, 1000, FEED_EVENT_MAX - 1);
	assert_non_null(strstr(text_string(&t), "16001 16001 16...\""));
	text_clear(&what);
	text_clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_release),
	    cmocka_unit_test(with_everything),
	    cmocka_unit_test(a_wall_clock_that_is_set),
	    cmocka_unit_test(a_handshake_just_before_the_clock_is_set),
	    cmocka_unit_test(how_long_a_session_is_up_or_down),
	    cmocka_unit_test(before_the_kernel_is_read_nothing_is_known),
	    cmocka_unit_test(a_counter_of_what_is_not_there_is_not_zero),
	    cmocka_unit_test(what_began_once_began_at_one_time),
	    cmocka_unit_test(how_near_a_release_s_end_is),
	    cmocka_unit_test(a_metered_line_is_told),
	    cmocka_unit_test(a_lan_that_is_closed_is_told),
	    cmocka_unit_test(what_a_line_claims_is_told),
	    cmocka_unit_test(what_a_restart_would_miss_is_told),
	    cmocka_unit_test(lines_without_a_device_are_told),
	    cmocka_unit_test(another_site_s_address_is_told),
	    cmocka_unit_test(a_gateway_without_its_lan_is_told),
	    cmocka_unit_test(events_are_json),
	    cmocka_unit_test(a_large_drift_is_told_in_a_line_that_all_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
