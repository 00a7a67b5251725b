/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_release.c daemon/service/engine_folder.c
// link: daemon/service/status_release.c daemon/service/store.c daemon/core/selection.c
// link: topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/encode.c
// link: daemon/base/ip.c
// libs: -Wl,--wrap=openat,--wrap=write,--wrap=fsync,--wrap=renameat,--wrap=unlinkat
/*
 * What is on disk after a release was taken, or could not be. The verifier is a double: a seal is
 * the text "EPOCH ROSTER [EXPIRES]", signed by the officers of that roster. It brings the chain up to its own
 * roster, so that a node with an older one follows; one with a newer roster finds officers that
 * never signed it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/log.h"

#define KEY "YAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA=\n"

int seal_verify(const uint8_t *bytes, size_t length, const struct seal_trust *trust,
		struct seal_result *ret, struct reason *reason)
{
	static char roster_text[16];
	unsigned int epoch, roster, trusted, expires = 0;

	(void)length;
	memset(ret, 0, sizeof(*ret));
	if (sscanf((const char *)bytes, "%u %u %u", &epoch, &roster, &expires) < 2 ||
	    sscanf(trust->roster, "%u", &trusted) != 1)
		return reason_set(reason, -TUYEN_EINVAL, "not a seal");
	if (roster < trusted)
		return reason_set(reason, -TUYEN_ESIGNATURE, "signed by officers of roster %u",
				  roster);
	if (epoch < trust->epoch)
		return reason_set(reason, -TUYEN_EEPOCH, "epoch %u is older", epoch);
	snprintf(roster_text, sizeof(roster_text), "%u", roster);
	ret->statement.epoch = epoch;
	ret->statement.expires_s = expires;
	ret->roster.version = roster;
	ret->roster_text = roster_text;
	ret->roster_length = strlen(roster_text);
	ret->roster_moved = roster > trusted;
	return 0;
}

static uint8_t second_key; /* of the two peers that the next bundle has */

/* What sessions of BFD of the next bundle go by. */
static struct {
	ipv4_t own, neighbor;
	uint8_t index; /* of its path */
} addresses = {1, 2, 1};

int forwarding_parse(const char *bytes, size_t length, struct forwarding *ret_forwarding,
		     struct reason *reason)
{
	struct fwd_session_peer *peers = calloc(2, sizeof(*peers));
	struct fwd_neighbor *neighbors = calloc(1, sizeof(*neighbors));
	struct fwd_path *paths = calloc(1, sizeof(*paths));

	(void)bytes, (void)length, (void)reason;
	assert_non_null(peers);
	assert_non_null(neighbors);
	assert_non_null(paths);
	neighbors[0] = (struct fwd_neighbor){.site_id = 101, .link_address = addresses.neighbor};
	paths[0] = (struct fwd_path){.index = addresses.index, .color = 10, .endpoint_site = 1};
	peers[0] = (struct fwd_session_peer){.color = 10, .site_id = 1, .session_key = {1}};
	peers[1] =
	    (struct fwd_session_peer){.color = 10, .site_id = 2, .session_key = {second_key}};
	*ret_forwarding = (struct forwarding){
	    .site_id = 901,
	    .link_address = addresses.own,
	    .peers = peers,
	    .peer_count = 2,
	    .neighbors = neighbors,
	    .neighbor_count = 1,
	    .paths = paths,
	    .path_count = 1,
	};
	return 0;
}

static unsigned int expiries_said, leads_said;

void log_write(enum log_level level, const char *format, ...)
{
	(void)level;
	expiries_said += strstr(format, "past its expiry") != NULL;
	leads_said += strstr(format, "expires soon") != NULL;
}

void engine_event(struct engine *e, struct text *line)
{
	(void)e, (void)line;
}

void engine_wire_configure(struct engine *e)
{
	e->generation++;
}

void engine_served_renew(struct status_liveness *l, const struct probe_timers *probe)
{
	(void)probe;
	l->known = false;
}

void engine_dirty(struct engine *e, enum expected expected)
{
	e->expected = expected;
}

void engine_request_incoming(struct engine *e)
{
	e->requests.incoming = true;
}

void status_event_bundle(uint64_t epoch, bool accepted, const char *why, int64_t wall_s,
			 struct text *ret_json)
{
	(void)epoch, (void)accepted, (void)why, (void)wall_s, (void)ret_json;
}

static unsigned int folder_events;
static char folder_told[512];

void status_event_folder(const char *words, int64_t wall_s, struct text *ret_json)
{
	(void)wall_s, (void)ret_json;
	folder_events++;
	snprintf(folder_told, sizeof(folder_told), "%s", words);
}

static const char daemon_runs; /* a pair that nothing is sent over */

struct fixture {
	char path[64];
	struct engine_options options;
	struct engine engine;
};

static void put(const struct fixture *f, const char *name, const char *content)
{
	int fd = openat(f->engine.store.dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static void life_begin(struct fixture *f)
{
	f->engine =
	    (struct engine){.options = &f->options, .pair = (struct pair *)(uintptr_t)&daemon_runs};
	assert_int_equal(store_open(f->path, &f->engine.store, NULL), 0);
}

static void life_end(struct fixture *f)
{
	engine_release_clear(&f->engine);
	store_held_clear(&f->engine.held_seal);
	store_held_clear(&f->engine.held_roster);
	store_close(&f->engine.store);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char command[256];

	snprintf(f->path, sizeof(f->path), "/tmp/tuyen-release-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	snprintf(command, sizeof(command), "mkdir %s/keys %s/incoming", f->path, f->path);
	if (system(command))
		return -1;
	f->options = (struct engine_options){.site_id = 901, .state_dir = f->path};
	life_begin(f);
	put(f, STORE_KEY_LINK, KEY);
	put(f, STORE_KEY_SESSION, KEY);
	put(f, STORE_ROSTER, "1");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[256];
	int err;

	life_end(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	err = system(command);
	free(f);
	return err;
}

static unsigned int reload(struct fixture *f)
{
	struct text answer;
	unsigned int status;

	text_init(&answer);
	engine_reload(&f->engine, &answer, &status);
	text_clear(&answer);
	return status;
}

static uint64_t epoch_after_restart(struct fixture *f)
{
	struct reason reason;

	life_end(f);
	life_begin(f);
	return engine_load(&f->engine, &reason) == 0 ? f->engine.release.status.epoch : 0;
}

static bool there(const struct fixture *f, const char *name)
{
	return faccessat(f->engine.store.dir, name, F_OK, 0) == 0;
}

/* Nothing can be written under that name: what stands beside it is a folder that is not empty. */
static void block(const struct fixture *f, const char *name, bool blocked)
{
	char beside[64], inside[80];

	snprintf(beside, sizeof(beside), "%s.new", name);
	snprintf(inside, sizeof(inside), "%s/x", beside);
	if (blocked) {
		assert_int_equal(mkdirat(f->engine.store.dir, beside, 0700), 0);
		put(f, inside, "x");
	} else {
		assert_int_equal(unlinkat(f->engine.store.dir, inside, 0), 0);
		assert_int_equal(unlinkat(f->engine.store.dir, beside, AT_REMOVEDIR), 0);
	}
}

static void an_older_epoch_is_refused_over_a_restart(void **state)
{
	struct fixture *f = *state;

	put(f, "incoming/a.seal", "7 1");
	assert_int_equal(reload(f), 0);
	assert_int_equal(epoch_after_restart(f), 7);
	put(f, "incoming/a.seal", "6 1");
	assert_int_equal(reload(f), 1);
	assert_false(there(f, "incoming/a.seal"));
	assert_int_equal(epoch_after_restart(f), 7);
}

/* Since when a session is up or down is known over a release that leaves its peer's key as it is. */
static void a_release_begins_no_session_anew(void **state)
{
	struct fixture *f = *state;
	const struct status_session was = {.known = true, .up = true, .since = {5000000}};

	second_key = 2;
	put(f, "incoming/a.seal", "7 1");
	assert_int_equal(reload(f), 0);
	assert_false(f->engine.sessions[0].known);
	f->engine.sessions[0] = f->engine.sessions[1] = was;
	second_key = 3;
	put(f, "incoming/a.seal", "8 1");
	assert_int_equal(reload(f), 0);
	assert_memory_equal(&f->engine.sessions[0], &was, sizeof(was));
	assert_false(f->engine.sessions[1].known);
}

/* That the session of a link or a path that stays is not up as it begins is no failure. */
static void what_a_release_has_asked_anew_is_not_known(void **state)
{
	static const struct {
		ipv4_t own, neighbor;
		uint8_t index;
		bool link, path; /* known still */
	} rows[] = {
	    {1, 2, 1, true, true},
	    {1, 2, 2, true, false},
	    {3, 2, 2, false, true},
	    {3, 4, 2, false, true},
	};
	struct fixture *f = *state;
	char seal[16];

	put(f, "incoming/a.seal", "7 1");
	assert_int_equal(reload(f), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->engine.links[0].known = f->engine.paths[0].known = true;
		f->engine.links[0].changes = f->engine.paths[0].changes = 5;
		addresses.own = rows[i].own;
		addresses.neighbor = rows[i].neighbor;
		addresses.index = rows[i].index;
		snprintf(seal, sizeof(seal), "%zu 1", 8 + i);
		put(f, "incoming/a.seal", seal);
		assert_int_equal(reload(f), 0);
		assert_int_equal(f->engine.links[0].known, rows[i].link);
		assert_int_equal(f->engine.paths[0].known, rows[i].path);
		assert_int_equal(f->engine.links[0].changes, 5);
		assert_int_equal(f->engine.paths[0].changes, 5);
	}
}

/* Whatever file cannot be written, on a full disk: the node starts with the old release or the new,
 * never with none. */
static void a_full_disk_leaves_the_old_or_the_new(void **state)
{
	static const char *const files[] = {STORE_CURRENT, STORE_CURRENT_COPY, STORE_ROSTER,
					    STORE_STATE};
	struct fixture *f = *state;

	put(f, "incoming/a.seal", "1 1");
	assert_int_equal(reload(f), 0);
	for (unsigned int i = 0; i < 4; i++) {
		char seal[32];
		uint64_t epoch;

		snprintf(seal, sizeof(seal), "%u %u", i + 2,
			 i + 2); /* every one with a new roster */
		put(f, "incoming/a.seal", seal);
		block(f, files[i], true);
		assert_int_equal(reload(f), 2);
		assert_true(there(f, "incoming/a.seal")); /* for the next try */
		epoch = epoch_after_restart(f);
		if (epoch != i + 1 && epoch != i + 2)
			fail_msg("%s could not be written: epoch %" PRIu64 " after it", files[i],
				 epoch);
		block(f, files[i], false);
		assert_int_equal(reload(f), 0);
		assert_int_equal(epoch_after_restart(f), i + 2);
	}
}

/* A crash came after the seal: its roster is kept at the next start, for the release after may need
 * it. */
static void a_roster_that_was_not_kept_is_kept_at_the_start(void **state)
{
	struct fixture *f = *state;
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	put(f, STORE_CURRENT, "4 3");
	assert_int_equal(epoch_after_restart(f), 4);
	assert_int_equal(store_read(&f->engine.store, STORE_ROSTER, 16, &bytes, &length, &reason),
			 0);
	assert_string_equal(bytes, "3");
	free(bytes);
	assert_int_equal(epoch_after_restart(f), 4);
}

static void what_is_wrong_at_the_start_is_said_with_its_file(void **state)
{
	struct fixture *f = *state;
	struct reason reason;

	put(f, STORE_CURRENT, "torn");
	put(f, STORE_CURRENT_COPY, "torn too");
	assert_int_equal(engine_load(&f->engine, &reason), -TUYEN_EINVAL);
	assert_string_equal(reason.text, STORE_CURRENT ": not a seal");
	assert_int_equal(unlinkat(f->engine.store.dir, STORE_ROSTER, 0), 0);
	assert_int_equal(engine_load(&f->engine, &reason), -TUYEN_ESYSTEM);
	assert_memory_equal(reason.text, "no roster here", sizeof("no roster here") - 1);
}

static void what_is_no_seal_stops_none_after_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->engine.store.dir, "incoming/a.seal", 0700), 0);
	assert_int_equal(mkfifoat(f->engine.store.dir, "incoming/b.seal", 0600), 0);
	assert_int_equal(symlinkat("nowhere", f->engine.store.dir, "incoming/c.seal"), 0);
	put(f, "incoming/d.seal", "5 1");
	assert_int_equal(reload(f), 1);
	assert_int_equal(f->engine.release.status.epoch, 5);
	assert_true(there(f, "incoming/a.seal")); /* a folder is not ours to empty */
	assert_false(there(f, "incoming/b.seal") || there(f, "incoming/c.seal") ||
		     there(f, "incoming/d.seal"));
	assert_false(f->engine.requests.incoming);
}

static void thousands_of_files_are_taken_in_parts(void **state)
{
	struct fixture *f = *state;
	unsigned int looks = 0;
	char name[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "incoming/%04d.seal", i);
		put(f, name, "no seal");
	}
	put(f, "incoming/last.seal", "5 1");
	do {
		f->engine.requests.incoming = false;
		reload(f);
		looks++;
	} while (f->engine.requests.incoming);
	assert_in_range(looks, 10, 20);
	assert_int_equal(f->engine.release.status.epoch, 5);
	assert_int_equal(f->engine.refusal_count, STATUS_REFUSALS_MAX);
}

static void keys_made_after_the_start_are_found_by_a_reload(void **state)
{
	struct fixture *f = *state;
	struct reason reason;

	put(f, STORE_CURRENT, "4 1");
	assert_int_equal(unlinkat(f->engine.store.dir, STORE_KEY_LINK, 0), 0);
	assert_int_equal(engine_load(&f->engine, &reason), -TUYEN_ENOENT);
	put(f, STORE_KEY_LINK, KEY);
	assert_int_equal(reload(f), 0);
	assert_int_equal(f->engine.release.status.epoch, 4);
	assert_true(f->engine.expected == EXPECTED_ALL && f->engine.generation);
}

/* A box that is not ready refuses nothing: the release waits for its keys and its roster. */
static void a_release_waits_for_keys_and_roster(void **state)
{
	static const char *const missing[] = {STORE_KEY_SESSION, STORE_ROSTER};
	static const char *const content[] = {KEY, "1"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(unlinkat(f->engine.store.dir, missing[i], 0), 0);
		life_end(f);
		life_begin(f);
		f->engine.have_keys = false;
		put(f, "incoming/a.seal", i ? "6 1" : "5 1");
		assert_int_equal(reload(f), 2);
		assert_true(there(f, "incoming/a.seal"));
		put(f, missing[i], content[i]);
		assert_int_equal(reload(f), 0);
		assert_int_equal(epoch_after_restart(f), 5 + i);
	}
}

static unsigned int expiries_said_in_two_looks(struct fixture *f)
{
	expiries_said = 0;
	engine_expiry_look(&f->engine);
	engine_expiry_look(&f->engine);
	return expiries_said;
}

/* A node runs for longer than its release is good for, or its clock is set: nobody loads it anew for that. */
static void an_expiry_is_said_once_whenever_it_comes(void **state)
{
	struct fixture *f = *state;
	const int64_t now_s = (int64_t)time(NULL);
	int64_t *expires_s = &f->engine.release.status.expires_s;

	assert_int_equal(expiries_said_in_two_looks(f), 0); /* there is no release yet */
	put(f, "incoming/a.seal", "7 1");
	assert_int_equal(reload(f), 0);
	assert_int_equal(expiries_said_in_two_looks(f), 0);
	*expires_s = now_s + 1000;
	assert_int_equal(expiries_said_in_two_looks(f), 0);
	*expires_s = now_s - 1;
	assert_int_equal(expiries_said_in_two_looks(f), 1);
	*expires_s = now_s + 1000; /* the clock was wrong */
	assert_int_equal(expiries_said_in_two_looks(f), 0);
	*expires_s = now_s - 1;
	assert_int_equal(expiries_said_in_two_looks(f), 1);
}

/* At thirty days, at seven, and on the last one; each once, and again when the clock came back. */
static void an_expiry_is_said_before_it_comes(void **state)
{
	static const struct {
		int64_t left_days;
		unsigned int leads, expiries;
	} steps[] = {{80, 0, 0}, {31, 0, 0}, {29, 1, 0}, {8, 0, 0},  {6, 1, 0},
		     {0, 1, 0},	 {-1, 0, 1}, {6, 0, 0},	 {31, 0, 0}, {-1, 0, 1},
		     {31, 0, 0}, {6, 1, 0},  {6, 0, 0}};
	struct fixture *f = *state;
	struct status_release *r = &f->engine.release.status;

	put(f, "incoming/a.seal", "7 1");
	assert_int_equal(reload(f), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		r->expires_s = (int64_t)time(NULL) + steps[i].left_days * STATUS_DAY_S +
			       (steps[i].left_days < 0 ? 0 : 1000);
		r->issued_s = r->expires_s - 90 * STATUS_DAY_S;
		leads_said = 0;
		assert_int_equal(expiries_said_in_two_looks(f), steps[i].expiries);
		assert_int_equal(leads_said, steps[i].leads);
	}
	r->epoch++; /* another one, as near its end */
	leads_said = 0;
	assert_int_equal(expiries_said_in_two_looks(f), 0);
	assert_int_equal(leads_said, 1);
}

static void an_expiry_is_said_of_each_release_and_in_each_life(void **state)
{
	struct fixture *f = *state;

	expiries_said = 0;
	put(f, "incoming/a.seal", "7 1 1000");
	assert_int_equal(reload(f), 0);
	assert_int_equal(expiries_said, 1);
	assert_int_equal(expiries_said_in_two_looks(f), 0);
	put(f, "incoming/a.seal", "8 1 1000");
	assert_int_equal(reload(f), 0);
	assert_int_equal(expiries_said, 1);
	assert_int_equal(epoch_after_restart(f), 8);
	assert_int_equal(expiries_said, 2);
}

/* ---- a folder that is deleted or moved ------------------------------------------------------ */

#define OTHER_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"

static void in_folder(const struct fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void in_folder(const struct fixture *f, const char *format, ...)
{
	char command[288], words[192];
	va_list list;

	va_start(list, format);
	vsnprintf(words, sizeof(words), format, list);
	va_end(list);
	snprintf(command, sizeof(command), "cd %s && %s", f->path, words);
	assert_int_equal(system(command), 0);
}

static void holds(const struct fixture *f, const char *name, const char *content)
{
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(store_read(&f->engine.store, name, 1024, &bytes, &length, &reason), 0);
	assert_string_equal(bytes, content);
	free(bytes);
}

/* A node with roster 3 and a release, in its second life when @restarted. */
static void release_serves(struct fixture *f, bool restarted)
{
	put(f, "incoming/a.seal", "7 3");
	assert_int_equal(reload(f), 0);
	if (restarted)
		assert_int_equal(epoch_after_restart(f), 7);
	engine_folder_look(&f->engine);
	folder_events = 0;
}

static void whole_again(struct fixture *f)
{
	struct reason reason;

	engine_folder_look(&f->engine);
	holds(f, STORE_KEY_LINK, KEY);
	holds(f, STORE_KEY_SESSION, KEY);
	holds(f, STORE_CURRENT, "7 3");
	holds(f, STORE_CURRENT_COPY, "7 3");
	holds(f, STORE_ROSTER, "3");
	assert_true(there(f, STORE_INCOMING));
	assert_string_equal(f->engine.folder, "");
	life_end(f);
	life_begin(f);
	assert_int_equal(store_state_read(&f->engine.store, &f->engine.accepted, &reason), 0);
	assert_int_equal(f->engine.accepted.epoch, 7);
	assert_int_equal(engine_load(&f->engine, &reason), 0);
	assert_int_equal(f->engine.release.status.epoch, 7);
}

static void what_is_deleted_is_written_again(void **state)
{
	static const char *const gone[] = {"*",	      "keys",	      "keys/*",	   "keys/link.key",
					   "roster",  "current.seal", "current.*", "state",
					   "incoming"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
		release_serves(f, i % 2);
		in_folder(f, "rm -r %s", gone[i]);
		whole_again(f);
		assert_int_equal(folder_events, 0);
	}
}

static void what_stands_is_left(void **state)
{
	struct fixture *f = *state;
	struct reason reason;

	release_serves(f, true);
	in_folder(f, "rm -r *");
	in_folder(f, "mkdir keys");
	put(f, STORE_KEY_LINK, OTHER_KEY); /* the first of two that are made */
	put(f, STORE_CURRENT, "another");
	put(f, STORE_ROSTER, "2");
	engine_folder_look(&f->engine);
	holds(f, STORE_KEY_LINK, OTHER_KEY);
	assert_false(there(f, STORE_KEY_SESSION));
	holds(f, STORE_CURRENT, "another");
	holds(f, STORE_ROSTER, "2");
	holds(f, STORE_CURRENT_COPY, "7 3");
	put(f, STORE_KEY_SESSION, OTHER_KEY);
	engine_folder_look(&f->engine);
	assert_int_equal(epoch_after_restart(f), 7);
	assert_int_equal(f->engine.keys.link[31], 1);
	assert_int_equal(store_keys_read(&f->engine.store, &f->engine.keys, &reason), 0);
}

/* What is written again is what was installed last. */
static void a_release_between_is_not_undone(void **state)
{
	struct fixture *f = *state;

	release_serves(f, true);
	put(f, "incoming/a.seal", "8 4");
	assert_int_equal(reload(f), 0);
	in_folder(f, "rm -r *");
	engine_folder_look(&f->engine);
	holds(f, STORE_CURRENT, "8 4");
	holds(f, STORE_ROSTER, "4");
	assert_int_equal(epoch_after_restart(f), 8);
}

/* One that could be kept in part is not in force: what is written again is the old one, as a whole. */
static void a_release_that_was_kept_in_part_is_no_part_of_it(void **state)
{
	struct fixture *f = *state;

	release_serves(f, true);
	put(f, "incoming/a.seal", "8 4");
	block(f, STORE_STATE, true);
	assert_int_equal(reload(f), 2);
	in_folder(f, "rm -r *");
	whole_again(f);
}

static void without_a_release_nothing_is_made_up(void **state)
{
	struct fixture *f = *state;
	struct reason reason;

	assert_int_equal(engine_load(&f->engine, &reason), -TUYEN_ENOENT);
	in_folder(f, "rm -r *");
	engine_folder_look(&f->engine);
	holds(f, STORE_KEY_LINK, KEY);
	assert_true(there(f, STORE_INCOMING));
	assert_false(there(f, STORE_CURRENT) || there(f, STORE_ROSTER) || there(f, STORE_STATE));
}

/* Said once; until one stands there again, be it new or the old one. */
static void a_folder_that_is_gone_is_said(void **state)
{
	struct fixture *f = *state;
	char command[256];

	for (size_t i = 0; i < 2; i++) {
		release_serves(f, true);
		snprintf(command, sizeof(command), i ? "mv %s %s.away" : "rm -r %s", f->path,
			 f->path);
		assert_int_equal(system(command), 0);
		engine_folder_look(&f->engine);
		engine_folder_look(&f->engine);
		assert_int_equal(folder_events, 1);
		assert_non_null(strstr(folder_told, "make that folder again"));
		assert_string_equal(f->engine.folder, folder_told);
		assert_int_equal(mkdir(f->path, 0750), 0);
		whole_again(f);
		assert_int_equal(folder_events, 2);
		assert_string_equal(folder_told, "");
	}
	snprintf(command, sizeof(command), "rm -r %s && mv %s.away %s", f->path, f->path, f->path);
	assert_int_equal(system(command), 0);
	whole_again(f);
}

static void what_cannot_be_written_is_said(void **state)
{
	struct fixture *f = *state;

	release_serves(f, true);
	in_folder(f, "rm roster");
	block(f, STORE_ROSTER, true);
	engine_folder_look(&f->engine);
	engine_folder_look(&f->engine);
	assert_int_equal(folder_events, 1);
	assert_non_null(strstr(folder_told, "roster"));
	block(f, STORE_ROSTER, false);
	whole_again(f);
	assert_int_equal(folder_events, 2);
}

/* ---- a power cut ------------------------------------------------------------------------- */

/*
 * What the store asks of the disk is recorded, and played back into another folder up to each call: of what is not flushed any part may be
 * lost. Of a file that is all that was written to it, or half; of the folder, any of the names that were made, changed or removed.
 */
#define OPS_MAX	   64
#define FILES_MAX  32
#define BYTES_MAX  256
#define NAMES_MAX  32
#define CHANGE_MAX 8 /* of the folder, between two flushes of it */

enum op_kind { OP_CREATE, OP_WRITE, OP_FSYNC, OP_FSYNC_DIR, OP_RENAME, OP_UNLINK };

struct op {
	enum op_kind kind;
	int file;
	char from[32], to[32]; /* names; of OP_WRITE what is written stands in @from */
};

static struct {
	bool on;
	int dir, file_of[1024]; /* by descriptor: 0 none */
	struct op op[OPS_MAX];
	size_t count;
	int files;
} disk;

int __real_openat(int dir, const char *path, int flags, mode_t mode);
ssize_t __real_write(int fd, const void *bytes, size_t length);
int __real_fsync(int fd);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_openat(int dir, const char *path, int flags, mode_t mode);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *path, int flags);

static struct op *op_add(enum op_kind kind, int file, const char *from, const char *to)
{
	struct op *op = &disk.op[disk.count++];

	assert_true(disk.count <= OPS_MAX);
	*op = (struct op){.kind = kind, .file = file};
	snprintf(op->from, sizeof(op->from), "%s", from);
	snprintf(op->to, sizeof(op->to), "%s", to);
	return op;
}

int __wrap_openat(int dir, const char *path, int flags, mode_t mode)
{
	int fd = __real_openat(dir, path, flags, mode);

	if (!disk.on || fd < 0)
		return fd;
	assert_in_range(fd, 0, 1023);
	disk.file_of[fd] = flags & O_CREAT ? ++disk.files : 0;
	if (flags & O_CREAT) {
		assert_int_equal(flags & O_EXCL, O_EXCL); /* a new file, always */
		op_add(OP_CREATE, disk.files, "", path);
	}
	return fd;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
	if (disk.on && disk.file_of[fd]) {
		struct op *op = op_add(OP_WRITE, disk.file_of[fd], "", "");

		if (length >=
		    sizeof(op->from)) /* as often as it takes: the rest comes with the next */
			length = sizeof(op->from) - 1;
		memcpy(op->from, bytes, length);
	}
	return __real_write(fd, bytes, length);
}

int __wrap_fsync(int fd)
{
	if (disk.on)
		op_add(fd == disk.dir ? OP_FSYNC_DIR : OP_FSYNC,
		       fd == disk.dir ? 0 : disk.file_of[fd], "", "");
	return __real_fsync(fd);
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (disk.on)
		op_add(OP_RENAME, 0, from, to);
	return __real_renameat(from_dir, from, to_dir, to);
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	int err = __real_unlinkat(dir, path, flags);

	if (disk.on && !err && !strchr(path, '/'))
		op_add(OP_UNLINK, 0, "", path);
	return err;
}

struct disk_name {
	char name[32];
	int file;
};

struct disk_file {
	char bytes[BYTES_MAX];
	size_t length, flushed;
};

struct image {
	struct disk_name name[NAMES_MAX];
	size_t names;
	struct disk_file file[FILES_MAX];
	size_t changes, change[CHANGE_MAX]; /* of the folder, not flushed: places in disk.op */
};

static struct disk_name *image_name(struct image *m, const char *name)
{
	for (size_t i = 0; i < m->names; i++)
		if (strcmp(m->name[i].name, name) == 0)
			return &m->name[i];
	assert_true(m->names < NAMES_MAX);
	snprintf(m->name[m->names].name, sizeof(m->name[0].name), "%s", name);
	m->name[m->names].file = 0;
	return &m->name[m->names++];
}

/* The file that will have the name @from when it is renamed: the last that was made under it. */
static int renamed_file(size_t at)
{
	for (size_t i = at; i-- > 0;)
		if (disk.op[i].kind == OP_CREATE && strcmp(disk.op[i].to, disk.op[at].from) == 0)
			return disk.op[i].file;
	fail_msg("%s was never made", disk.op[at].from);
	return 0;
}

static void change_do(struct image *m, size_t at)
{
	const struct op *op = &disk.op[at];

	if (op->kind == OP_RENAME) {
		image_name(m, op->from)->file = 0;
		image_name(m, op->to)->file = renamed_file(at);
	} else {
		image_name(m, op->to)->file = op->kind == OP_CREATE ? op->file : 0;
	}
}

static void op_play(struct image *m, size_t at)
{
	const struct op *op = &disk.op[at];
	struct disk_file *file = &m->file[op->file];

	switch (op->kind) {
	case OP_CREATE:
	case OP_RENAME:
	case OP_UNLINK:
		assert_true(m->changes < CHANGE_MAX);
		m->change[m->changes++] = at;
		break;
	case OP_WRITE:
		memcpy(file->bytes + file->length, op->from, strlen(op->from));
		file->length += strlen(op->from);
		assert_true(file->length < BYTES_MAX - sizeof(op->from));
		break;
	case OP_FSYNC:
		file->flushed = file->length;
		break;
	case OP_FSYNC_DIR:
		for (size_t i = 0; i < m->changes; i++)
			change_do(m, m->change[i]);
		m->changes = 0;
		break;
	}
}

/* What is in the folder already is flushed. */
static void image_begin(const struct fixture *f, struct image *m)
{
	static const char *const names[] = {STORE_KEY_LINK, STORE_KEY_SESSION,	STORE_ROSTER,
					    STORE_CURRENT,  STORE_CURRENT_COPY, STORE_STATE};

	memset(m, 0, sizeof(*m));
	memset(&disk, 0, sizeof(disk));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct reason reason;
		uint8_t *bytes;
		size_t length;

		if (store_read(&f->engine.store, names[i], BYTES_MAX - 1, &bytes, &length, &reason))
			continue;
		disk.files++;
		image_name(m, names[i])->file = disk.files;
		memcpy(m->file[disk.files].bytes, bytes, length);
		m->file[disk.files].length = m->file[disk.files].flushed = length;
		free(bytes);
	}
	disk.dir = f->engine.store.dir;
}

enum unflushed { LOST, TORN, WRITTEN };

/* The folder as it is found after the cut, in @f's. */
static void image_put(const struct fixture *f, const struct image *m, enum unflushed unflushed)
{
	for (size_t i = 0; i < m->names; i++) {
		const struct disk_file *file = &m->file[m->name[i].file];
		char bytes[BYTES_MAX] = "";
		size_t more = file->length - file->flushed;

		if (!m->name[i].file)
			continue;
		memcpy(bytes, file->bytes,
		       file->flushed + (unflushed == LOST   ? 0
					: unflushed == TORN ? more / 2
							    : more));
		put(f, m->name[i].name, bytes);
	}
}

/* A node that finds this starts with the old release or the new one, and takes the next. */
static void node_starts(const struct image *m, enum unflushed unflushed, uint64_t old, uint64_t new,
			const char *where)
{
	struct fixture *f;
	void *state;
	uint64_t epoch;
	char seal[32];

	assert_int_equal(setup(&state), 0);
	f = state;
	assert_int_equal(unlinkat(f->engine.store.dir, STORE_ROSTER, 0), 0);
	image_put(f, m, unflushed);
	epoch = epoch_after_restart(f);
	if (epoch != old && epoch != new)
		fail_msg("%s: epoch %" PRIu64, where, epoch);
	snprintf(seal, sizeof(seal), "%" PRIu64 " %" PRIu64, new + 1, new + 1);
	put(f, "incoming/next.seal", seal);
	if (reload(f) != 0 || epoch_after_restart(f) != new + 1)
		fail_msg("%s: the next release is not taken", where);
	teardown(&state);
}

/* Every part of what the folder was told, and every fate of what the files were. @return how many. */
static size_t cut_after(const struct image *begin, size_t ops, uint64_t old, uint64_t new)
{
	size_t cuts = 0;

	for (size_t part = 0; part < (size_t)1 << CHANGE_MAX; part++) {
		struct image m = *begin;
		char where[80];

		for (size_t i = 0; i < ops; i++)
			op_play(&m, i);
		if (part >> m.changes)
			break;
		for (size_t i = 0; i < m.changes; i++)
			if (part >> i & 1)
				change_do(&m, m.change[i]);
		for (int unflushed = LOST; unflushed <= WRITTEN; unflushed++, cuts++) {
			snprintf(where, sizeof(where), "call %zu of %zu, names %zx, bytes %d", ops,
				 disk.count, part, unflushed);
			node_starts(&m, (enum unflushed)unflushed, ops == disk.count ? new : old,
				    new, where);
		}
	}
	return cuts;
}

static void a_power_cut_leaves_the_old_or_the_new(void **state)
{
	struct fixture *f = *state;
	struct image begin;
	size_t cuts = 0;

	put(f, "incoming/a.seal", "1 1");
	assert_int_equal(reload(f), 0);
	image_begin(f, &begin);
	put(f, "incoming/a.seal", "2 2"); /* with a new roster: all files are written */
	disk.on = true;
	assert_int_equal(reload(f), 0);
	disk.on = false;
	assert_true(disk.count >= 4 * 5);
	for (size_t ops = 0; ops <= disk.count; ops++)
		cuts += cut_after(&begin, ops, 1, 2);
	print_message("# %zu calls, %zu cuts\n", disk.count, cuts);
	assert_true(cuts > 3 * disk.count);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_deleted_is_written_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_stands_is_left, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_release_between_is_not_undone, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_release_that_was_kept_in_part_is_no_part_of_it, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(without_a_release_nothing_is_made_up, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_folder_that_is_gone_is_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_be_written_is_said, setup, teardown),
	    CASE(an_older_epoch_is_refused_over_a_restart),
	    CASE(a_release_begins_no_session_anew),
	    CASE(what_a_release_has_asked_anew_is_not_known),
	    CASE(a_full_disk_leaves_the_old_or_the_new),
	    CASE(a_power_cut_leaves_the_old_or_the_new),
	    CASE(a_roster_that_was_not_kept_is_kept_at_the_start),
	    CASE(what_is_wrong_at_the_start_is_said_with_its_file),
	    CASE(what_is_no_seal_stops_none_after_it),
	    CASE(thousands_of_files_are_taken_in_parts),
	    CASE(keys_made_after_the_start_are_found_by_a_reload),
	    CASE(a_release_waits_for_keys_and_roster),
	    CASE(an_expiry_is_said_once_whenever_it_comes),
	    CASE(an_expiry_is_said_before_it_comes),
	    CASE(an_expiry_is_said_of_each_release_and_in_each_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
