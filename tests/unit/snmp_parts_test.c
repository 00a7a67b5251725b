/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/snmp/damping.c daemon/snmp/secrets.c daemon/snmp/notification.c daemon/snmp/mib.c
// link: daemon/snmp/mib_tables.c daemon/snmp/mib_load.c daemon/snmp/mib_date.c daemon/client/answer.c
// link: daemon/base/text.c daemon/base/err.c
// libs: -ljansson
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/client/answer.h"
#include "tuyen/snmp/damping.h"
#include "tuyen/snmp/notification.h"
#include "tuyen/snmp/secrets.h"

/* ---- damping ---------------------------------------------------------------------- */

static struct monotime ms(uint64_t t)
{
	return (struct monotime){t * 1000};
}

static bool offer(struct damping *d, const char *key, const char *what, uint64_t at_ms)
{
	char *copy = strdup(what);
	bool now = damping_offer(d, key, copy, ms(at_ms));

	if (now)
		free(copy);
	return now;
}

static void test_damping(void **state)
{
	struct damping d;
	uint32_t held = 0;
	char *last;

	(void)state;
	damping_init(&d, free);
	assert_true(offer(&d, "link 1", "down", 1000));
	assert_true(offer(&d, "link 1", "up", 1010));
	assert_int_equal(damping_next(&d).us, MONOTIME_NEVER.us);
	assert_false(offer(&d, "link 1", "down", 1020));
	assert_false(offer(&d, "link 1", "up again", 1030));
	assert_true(offer(&d, "link 2", "down", 1040));
	assert_int_equal(damping_next(&d).us, ms(2000).us);
	assert_null(damping_take(&d, ms(1999), &held));
	last = damping_take(&d, ms(2000), &held);
	assert_string_equal(last, "up again");
	assert_int_equal(held, 2);
	free(last);
	assert_null(damping_take(&d, ms(2000), &held));
	assert_true(offer(&d, "link 1", "the second of the new window", 2500));
	assert_false(offer(&d, "link 1", "the third", 2600));
	assert_int_equal(d.held_total, 3);
	damping_clear(&d);
	assert_int_equal(damping_next(&d).us, MONOTIME_NEVER.us);
}

static void test_damping_full(void **state)
{
	struct damping d;
	char key[32];

	(void)state;
	damping_init(&d, free);
	for (int i = 0; i < 3 * DAMPING_KEYS; i++) {
		snprintf(key, sizeof(key), "path %d", i);
		assert_true(offer(&d, key, "down", 1000));
	}
	for (int i = 0; i < 10; i++)
		assert_true(offer(&d, "one too many", "down", 1000));
	assert_true(offer(&d, "one too many", "up", 2001));
	assert_true(offer(&d, "one too many", "down", 2002));
	assert_false(offer(&d, "one too many", "up", 2003));
	damping_clear(&d);
}

/* ---- secrets ------------------------------------------------------------------------ */

struct secrets_case {
	const char *text;
	int err;
	size_t count;
	const char *reason;
};

static const struct secrets_case secrets_cases[] = {
    {"", 0, 0, NULL},
    {"# none\n\n  \n", 0, 0, NULL},
    {"user a auth SHA-256 \"12345678\" priv AES \"abcdefgh\"", 0, 1, NULL},
    {"user a auth SHA \"12345678\" priv AES \"a b c d e\" # mine\nuser b auth SHA-512 \"12345678\" priv AES \"abcdefgh\"\n",
     0, 2, NULL},
    {"\nusr a", -TUYEN_EINVAL, 0, "line 2: expected: user"},
    {"user a auth MD5 \"12345678\" priv AES \"abcdefgh\"", -TUYEN_EINVAL, 0,
     "line 1: expected auth SHA"},
    {"user a auth SHA \"1234567\" priv AES \"abcdefgh\"", -TUYEN_EINVAL, 0,
     "line 1: the auth pass phrase"},
    {"user a auth SHA 12345678 priv AES \"abcdefgh\"", -TUYEN_EINVAL, 0,
     "line 1: the auth pass phrase"},
    {"user a auth SHA \"12345678\" priv DES \"abcdefgh\"", -TUYEN_EINVAL, 0,
     "line 1: expected priv AES"},
    {"user a auth SHA \"12345678\" priv AES \"abcdefgh", -TUYEN_EINVAL, 0,
     "line 1: the priv pass phrase"},
    {"user a auth SHA \"12345678\" priv AES \"abcdefgh\" x", -TUYEN_EINVAL, 0,
     "line 1: something follows"},
    {"user a", -TUYEN_EINVAL, 0, "line 1: expected auth"},
    {"user", -TUYEN_EINVAL, 0, "line 1: a user's name"},
    {"user 123456789012345678901234567890123 auth", -TUYEN_EINVAL, 0, "line 1: a user's name"},
    {"user a auth SHA \"12345678\" priv AES \"abcdefgh\"\nuser a auth SHA \"12345678\" priv AES \"abcdefgh\"",
     -TUYEN_EINVAL, 0, "line 2: this user"},
};

static void test_secrets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(secrets_cases) / sizeof(secrets_cases[0]); i++) {
		const struct secrets_case *c = &secrets_cases[i];
		struct reason reason = {""};
		struct secrets s = {0};

		if (secrets_parse(c->text, &s, &reason) != c->err || s.count != c->count)
			fail_msg("%s", c->text);
		if (c->reason && strncmp(reason.text, c->reason, strlen(c->reason)))
			fail_msg("%s: %s", c->text, reason.text);
		if (strstr(reason.text, "12345678") || strstr(reason.text, "abcdefgh"))
			fail_msg("a phrase in the reason: %s", reason.text);
	}
}

static void test_secrets_phrases(void **state)
{
	const struct secrets_user *user;
	struct secrets s;

	(void)state;
	assert_int_equal(secrets_parse(secrets_cases[3].text, &s, NULL), 0);
	user = secrets_find(&s, "a");
	assert_non_null(user);
	assert_string_equal(user->auth_phrase, "12345678");
	assert_string_equal(user->priv_phrase, "a b c d e");
	assert_int_equal(user->auth, SECRETS_SHA);
	assert_int_equal(secrets_find(&s, "b")->auth, SECRETS_SHA_512);
	assert_null(secrets_find(&s, "c"));
	secrets_wipe(&s);
	for (size_t i = 0; i < sizeof(s); i++)
		assert_int_equal(((const unsigned char *)&s)[i], 0);
}

static void test_secrets_mode(void **state)
{
	static const struct {
		mode_t mode;
		int err;
	} cases[] = {{0600, 0},
		     {0640, 0},
		     {0400, 0},
		     {0644, -TUYEN_EINVAL},
		     {0660, -TUYEN_EINVAL},
		     {0602, -TUYEN_EINVAL}};
	char path[] = "/tmp/tuyen-secrets-XXXXXX";
	int fd = mkstemp(path);
	struct reason reason;
	struct secrets s;

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fchmod(fd, cases[i].mode), 0);
		assert_int_equal(secrets_read(path, &s, &reason), cases[i].err);
	}
	close(fd);
	unlink(path);
	assert_int_equal(secrets_read(path, &s, &reason), -TUYEN_ENOENT);
	assert_int_equal(secrets_read("/tmp", &s, &reason), -TUYEN_EINVAL);
}

/* ---- notifications ------------------------------------------------------------------ */

struct event_case {
	const char *event;
	int err;
	int kind; /* 0: none */
	const char *key;
	size_t bindings;
};

static const struct event_case event_cases[] = {
    {"{\"event\":\"link\",\"site\":\"b\",\"site_id\":210,\"state\":\"down\",\"diagnostic\":\"d\",\"at\":\"2026-11-24T08:00:02Z\"}",
     0, NOTIFY_LINK_DOWN, "link 210", 8},
    {"{\"event\":\"link\",\"site_id\":210,\"state\":\"up\"}", 0, NOTIFY_LINK_UP, "link 210", 8},
    {"{\"event\":\"link\",\"site_id\":210,\"state\":\"admin-down\"}", 0, NOTIFY_LINK_DOWN,
     "link 210", 8},
    {"{\"event\":\"link\",\"site_id\":210,\"state\":\"init\"}", 0, 0, NULL, 0},
    {"{\"event\":\"link\",\"site_id\":210}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"link\",\"site_id\":-1,\"state\":\"up\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"path\",\"index\":1,\"state\":\"up\"}", 0, NOTIFY_PATH_UP, "path 1", 10},
    {"{\"event\":\"path\",\"index\":1,\"state\":\"down\"}", 0, NOTIFY_PATH_DOWN, "path 1", 10},
    {"{\"event\":\"path\",\"index\":\"1\",\"state\":\"down\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"switch\",\"color\":10,\"endpoint_id\":1,\"from\":null,\"to\":2,\"to_name\":\"spare\"}",
     0, NOTIFY_PATH_SWITCH, "switch 10 1", 8},
    {"{\"event\":\"switch\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"bundle\",\"accepted\":false,\"reason\":\"r\"}", 0, NOTIFY_BUNDLE_REFUSED,
     "bundle", 6},
    {"{\"event\":\"bundle\",\"accepted\":true}", 0, 0, NULL, 0},
    {"{\"event\":\"quality\",\"index\":3,\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
     0, NOTIFY_PATH_QUALITY_DEGRADED, "quality 3", 11},
    {"{\"event\":\"quality\",\"index\":3,\"degraded\":false}", 0, NOTIFY_PATH_QUALITY_RESTORED,
     "quality 3", 11},
    {"{\"event\":\"quality\",\"index\":3}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"quality\",\"degraded\":true}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":1300,\"mtu\":1400}", 0,
     NOTIFY_PATH_MTU_REDUCED, "mtu path 3", 9},
    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":1400,\"mtu\":1400}", 0,
     NOTIFY_PATH_MTU_RESTORED, "mtu path 3", 9},
    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":0,\"mtu\":1400}", 0, NOTIFY_PATH_MTU_RESTORED,
     "mtu path 3", 9},
    {"{\"event\":\"mtu\",\"index\":3,\"mtu\":1400}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"mtu\",\"site\":\"b\",\"site_id\":210,\"carried_mtu\":1000,\"mtu\":1440}", 0,
     NOTIFY_LINK_MTU_REDUCED, "mtu link 210", 7},
    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":1440,\"mtu\":1440}", 0,
     NOTIFY_LINK_MTU_RESTORED, "mtu link 210", 7},
    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":0,\"mtu\":1440}", 0,
     NOTIFY_LINK_MTU_RESTORED, "mtu link 210", 7},
    {"{\"event\":\"mtu\",\"index\":3,\"site_id\":210,\"carried_mtu\":1300,\"mtu\":1400}", 0,
     NOTIFY_PATH_MTU_REDUCED, "mtu path 3", 9},
    {"{\"event\":\"mtu\",\"site_id\":210,\"mtu\":1440}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":null,\"mtu\":1440}", -TUYEN_EINVAL, 0,
     NULL, 0},
    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":1000}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"mtu\",\"site_id\":-1,\"carried_mtu\":1000,\"mtu\":1440}", -TUYEN_EINVAL, 0, NULL,
     0},
    {"{\"event\":\"mtu\",\"carried_mtu\":1000,\"mtu\":1440}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"gateway\",\"color\":10,\"policy\":\"p\",\"endpoint\":\"e\",\"endpoint_id\":2}",
     0, NOTIFY_GATEWAY_CHANGE, "gateway 10", 7},
    {"{\"event\":\"gateway\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"lan\",\"away\":true}", 0, NOTIFY_LAN_AWAY_BEGIN, "lan", 5},
    {"{\"event\":\"lan\",\"away\":false}", 0, NOTIFY_LAN_AWAY_END, "lan", 5},
    {"{\"event\":\"lan\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"lan\",\"away\":1}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"conflict\",\"addresses\":\"10.0.0.10 on lan0\"}", 0, NOTIFY_CONFLICT_BEGIN,
     "conflict", 5},
    {"{\"event\":\"conflict\",\"addresses\":\"\"}", 0, NOTIFY_CONFLICT_END, "conflict", 5},
    {"{\"event\":\"conflict\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"claim\",\"claim\":\"10.9.1.10/32 over eth0\"}", 0, NOTIFY_LAN_CLAIM_BEGIN,
     "claim", 5},
    {"{\"event\":\"claim\",\"claim\":\"\"}", 0, NOTIFY_LAN_CLAIM_END, "claim", 5},
    {"{\"event\":\"claim\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"folder\",\"folder\":\"/var/lib/tuyen: gone\"}", 0, NOTIFY_FOLDER_LOST, "folder",
     5},
    {"{\"event\":\"folder\",\"folder\":\"\"}", 0, NOTIFY_FOLDER_RESTORED, "folder", 5},
    {"{\"event\":\"folder\"}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"drift\",\"repaired\":1,\"what\":\"w\"}", 0, NOTIFY_DRIFT_REPAIRED, "drift", 6},
    {"{\"event\":\"drift\",\"repaired\":-1}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"repair\",\"site_id\":210,\"site\":\"b\",\"repaired\":true,\"routes\":4}", 0,
     NOTIFY_LINK_REPAIR_BEGIN, "repair 210", 7},
    {"{\"event\":\"repair\",\"site_id\":210,\"repaired\":false,\"routes\":4}", 0,
     NOTIFY_LINK_REPAIR_END, "repair 210", 7},
    {"{\"event\":\"damped\",\"index\":3,\"name\":\"main\",\"held_s\":60}", 0,
     NOTIFY_PATH_DAMPING_BEGIN, "damped path 3", 10},
    {"{\"event\":\"damped\",\"site\":\"b\",\"site_id\":210,\"held_s\":16}", 0,
     NOTIFY_LINK_DAMPING_BEGIN, "damped link 210", 7},
    {"{\"event\":\"damped\",\"index\":3}", -TUYEN_EINVAL, (enum notification_kind)0, "", 0},
    {"{\"event\":\"damped\",\"held_s\":3}", -TUYEN_EINVAL, (enum notification_kind)0, "", 0},
    {"{\"event\":\"duplicate\",\"site\":\"b\",\"site_id\":210,\"duplicate\":true,"
     "\"endpoint\":\"192.0.2.1:5\",\"other\":\"192.0.2.2:6\"}",
     0, NOTIFY_LINK_DUPLICATE_BEGIN, "duplicate 210", 8},
    {"{\"event\":\"duplicate\",\"site_id\":210,\"duplicate\":false}", 0, NOTIFY_LINK_DUPLICATE_END,
     "duplicate 210", 8},
    {"{\"event\":\"duplicate\",\"site_id\":210}", -TUYEN_EINVAL, (enum notification_kind)0, "", 0},
    {"{\"event\":\"meter\",\"line\":\"lte\",\"level\":\"near\",\"used_kb\":160000,\"allowance_kb\":200000}",
     0, NOTIFY_METER_LEVEL_CHANGE, "meter lte", 7},
    {"{\"event\":\"meter\",\"line\":\"lte\",\"level\":\"near\",\"used_kb\":-1,\"allowance_kb\":200000}",
     -TUYEN_EINVAL, (enum notification_kind)0, "", 0},
    {"{\"event\":\"meter\",\"level\":\"near\",\"used_kb\":1,\"allowance_kb\":2}", -TUYEN_EINVAL,
     (enum notification_kind)0, "", 0},
    {"{\"event\":\"repair\",\"site_id\":210}", -TUYEN_EINVAL, 0, NULL, 0},
    {"{\"event\":\"of another version\"}", 0, 0, NULL, 0},
    {"{\"event\":7}", -TUYEN_EINVAL, 0, NULL, 0},
    {"[]", -TUYEN_EINVAL, 0, NULL, 0},
    {"", -TUYEN_EINVAL, 0, NULL, 0},
};

static void test_events(void **state)
{
	struct mib mib;

	(void)state;
	assert_int_equal(mib_init(&mib), 0);
	for (size_t i = 0; i < sizeof(event_cases) / sizeof(event_cases[0]); i++) {
		const struct event_case *c = &event_cases[i];
		struct notification *n = NULL;

		if (notification_from_event(c->event, strlen(c->event), &mib, &n) != c->err)
			fail_msg("%s", c->event);
		if ((n ? (int)n->kind : 0) != c->kind)
			fail_msg("%s: kind %d", c->event, n ? (int)n->kind : 0);
		if (n && (strcmp(n->key, c->key) || n->count != c->bindings))
			fail_msg("%s: %s, %zu", c->event, n->key, n->count);
		notification_free(n);
	}
	mib_clear(&mib);
}

/* The event's words win over the snapshot's; the rest comes from the snapshot. */
static void test_event_values(void **state)
{
	static const char document[] =
	    "{\"format\":1,\"site\":{\"name\":\"phuc-xa\",\"id\":901},"
	    "\"links\":[{\"site\":\"ba-dinh\",\"site_id\":210,\"state\":\"up\",\"diagnostic\":\"old\"}]}";
	static const uint32_t name_oid[] = {2, 1, 2, 210};
	struct notification *n = NULL;
	struct reason reason;
	struct mib mib;

	(void)state;
	assert_int_equal(mib_load(document, strlen(document), &mib, &reason), 0);
	assert_int_equal(
	    notification_from_event(
		"{\"event\":\"link\",\"site_id\":210,\"state\":\"down\",\"diagnostic\":\"new\",\"at\":\"2026-11-24T08:00:02Z\"}",
		97, &mib, &n),
	    -TUYEN_EINVAL);
	assert_int_equal(
	    notification_from_event(event_cases[0].event, strlen(event_cases[0].event), &mib, &n),
	    0);
	assert_string_equal(n->bindings[0].cell.string, "phuc-xa");
	assert_int_equal(n->bindings[1].cell.number, 901);
	assert_int_equal(
	    mib_oid_compare(n->bindings[2].oid, n->bindings[2].oid_length, name_oid, 4), 0);
	assert_string_equal(n->bindings[2].cell.string, "b");
	assert_int_equal(n->bindings[3].cell.number, 2);
	assert_int_equal(n->bindings[4].cell.number, 1795507202);
	assert_string_equal(n->bindings[5].cell.string, "d");
	notification_set_held(n, 7);
	assert_int_equal(n->bindings[7].cell.number, 7);
	notification_free(n);
	mib_clear(&mib);
}

/* Of a device that was never heard: its interface is neither up nor 0, which is no ifOperStatus. */
static void test_enumeration_unknown(void **state)
{
	static const char document[] = "{\"format\":1,\"devices\":[{\"name\":\"modem\"}]}";
	struct notification *n;
	struct reason reason;
	struct mib mib;

	(void)state;
	assert_int_equal(mib_load(document, strlen(document), &mib, &reason), 0);
	n = notification_of_device(&mib, "modem", false, 1);
	assert_non_null(n);
	assert_int_equal(n->bindings[3].cell.number, 3); /* tuyenDeviceState */
	assert_int_equal(n->bindings[4].cell.number, 4); /* tuyenDeviceIfOperStatus */
	notification_free(n);
	mib_clear(&mib);
}

/* Numbers in the order of the MIB: the event's, and 0 where neither it nor the snapshot knows. */
static void test_service_values(void **state)
{
	static const struct {
		const char *event;
		size_t binding;
		uint64_t number;
		const char *string;
	} cases[] = {
	    {"{\"event\":\"quality\",\"index\":3,\"name\":\"q\",\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
	     2, 0, "q"},
	    {"{\"event\":\"quality\",\"index\":3,\"name\":\"q\",\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
	     5, 1, NULL},
	    {"{\"event\":\"quality\",\"index\":3,\"name\":\"q\",\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
	     6, 40, NULL},
	    {"{\"event\":\"quality\",\"index\":3,\"name\":\"q\",\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
	     7, 90000, NULL},
	    {"{\"event\":\"quality\",\"index\":3,\"name\":\"q\",\"degraded\":true,\"loss_permille\":40,\"round_trip_us\":90000,\"jitter_us\":7}",
	     8, 7, NULL},
	    {"{\"event\":\"quality\",\"index\":3,\"degraded\":false}", 5, 2, NULL},
	    {"{\"event\":\"quality\",\"index\":3,\"degraded\":false}", 6, 0, NULL},
	    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":1300,\"mtu\":1400}", 5, 1400, NULL},
	    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":1300,\"mtu\":1400}", 6, 1300, NULL},
	    {"{\"event\":\"mtu\",\"index\":3,\"carried_mtu\":0,\"mtu\":1400}", 6, 1400, NULL},
	    {"{\"event\":\"mtu\",\"site\":\"b\",\"site_id\":210,\"carried_mtu\":1000,\"mtu\":1440}",
	     2, 0, "b"},
	    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":1000,\"mtu\":1440}", 3, 1440,
	     NULL},
	    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":1000,\"mtu\":1440}", 4, 1000,
	     NULL},
	    {"{\"event\":\"mtu\",\"site_id\":210,\"carried_mtu\":0,\"mtu\":1440}", 4, 1440, NULL},
	    {"{\"event\":\"gateway\",\"color\":10,\"policy\":\"p\",\"endpoint\":\"e\"}", 2, 10,
	     NULL},
	    {"{\"event\":\"gateway\",\"color\":10,\"policy\":\"p\",\"endpoint\":\"e\"}", 3, 0, "p"},
	    {"{\"event\":\"gateway\",\"color\":10,\"policy\":\"p\",\"endpoint\":\"e\"}", 4, 0, "e"},
	    {"{\"event\":\"lan\",\"away\":true}", 2, 1, NULL},
	    {"{\"event\":\"lan\",\"away\":false}", 2, 2, NULL},
	    {"{\"event\":\"drift\",\"repaired\":3,\"what\":\"route\"}", 2, 3, NULL},
	    {"{\"event\":\"drift\",\"repaired\":3,\"what\":\"route\"}", 3, 0, "route"},
	    {"{\"event\":\"repair\",\"site\":\"b\",\"site_id\":210,\"repaired\":true,\"routes\":4}",
	     2, 0, "b"},
	    {"{\"event\":\"repair\",\"site\":\"b\",\"site_id\":210,\"repaired\":true,\"routes\":4}",
	     3, 1, NULL},
	    {"{\"event\":\"repair\",\"site\":\"b\",\"site_id\":210,\"repaired\":true,\"routes\":4}",
	     4, 4, NULL},
	};
	struct mib mib;

	(void)state;
	assert_int_equal(mib_init(&mib), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct notification_binding *b;
		struct notification *n = NULL;

		assert_int_equal(
		    notification_from_event(cases[i].event, strlen(cases[i].event), &mib, &n), 0);
		b = &n->bindings[cases[i].binding];
		if (cases[i].string ? strcmp(b->cell.string, cases[i].string) != 0
				    : b->cell.number != cases[i].number)
			fail_msg("%s: binding %zu", cases[i].event, cases[i].binding);
		notification_free(n);
	}
	mib_clear(&mib);
}

enum { EXPIRY_NOW = 1795507202 };

/* What the status document of site @id tells of a release's end at @now_s. */
static struct notification *expiry_look_at(unsigned int id, uint64_t now_s, const char *bundle,
					   struct notification_expiry *told, struct mib *ret_mib)
{
	char document[256];
	struct reason reason;

	snprintf(document, sizeof(document),
		 "{\"format\":1,\"site\":{\"name\":\"phuc-xa\",\"id\":%u},\"bundle\":{%s}}", id,
		 bundle);
	assert_int_equal(mib_load(document, strlen(document), ret_mib, &reason), 0);
	return notification_of_expiry(ret_mib, told, now_s, told);
}

static struct notification *expiry_look(const char *bundle, struct notification_expiry *told,
					struct mib *ret_mib)
{
	return expiry_look_at(901, EXPIRY_NOW, bundle, told, ret_mib);
}

/* The number that the MIB's text gives the object @name, and below what. */
static unsigned int object_number(const char *text, const char *name, char ret_entry[static 64])
{
	char wanted[96];
	unsigned int number = 0;
	const char *at;

	snprintf(wanted, sizeof(wanted), "\n%s OBJECT-TYPE", name);
	at = strstr(text, wanted);
	at = at ? strstr(at, "::=") : NULL;
	if (!at || sscanf(at, "::= { %63s %u }", ret_entry, &number) != 2)
		fail_msg("%s is not in the MIB", name);
	return number;
}

static void binding_check(const char *text, const char *name, const struct notification_binding *b)
{
	char entry[64];
	unsigned int number = object_number(text, name, entry);
	bool in_table = b->oid[0] != 1 && b->oid[0] != NOTIFY_ARC;
	const char *wanted = b->oid[0] == NOTIFY_ARC ? "tuyenNotify" : NULL;

	for (size_t i = 0; !wanted && i < MIB_TABLES; i++)
		if (mib_tables[i].arc == b->oid[0])
			wanted = mib_tables[i].entry;
	assert_non_null(wanted);
	if (strcmp(entry, wanted) != 0 || b->oid[in_table ? 2 : 1] != number)
		fail_msg("%s is not %s %u", name, wanted, b->oid[in_table ? 2 : 1]);
}

/* What a notification carries is what the MIB's text lists, in its order. */
static void objects_check(const char *text, const struct notification *n)
{
	char wanted[64], name[64];
	const char *end, *at, *next;
	size_t count = 0;

	snprintf(wanted, sizeof(wanted), "::= { tuyenNotifications %d }", (int)n->kind);
	end = strstr(text, wanted);
	assert_non_null(end);
	for (at = text; (next = strstr(at, " NOTIFICATION-TYPE\n")) && next < end; at = next + 1)
		;
	for (at = strchr(at, '{') + 1; sscanf(at, " %63[A-Za-z0-9]", name) == 1; count++) {
		assert_true(count < n->count);
		binding_check(text, name, &n->bindings[count]);
		at += strspn(at, " \n") + strlen(name);
		at += *at == ',';
	}
	assert_int_equal(count, n->count);
}

static void expiry_objects_check(const char *text)
{
	static const char *const bundles[] = {"\"epoch\":7,\"expiry\":\"month\"",
					      "\"epoch\":7,\"expiry\":\"past\""};

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		struct notification_expiry told = {0};
		struct mib mib;
		struct notification *n = expiry_look(bundles[i], &told, &mib);

		assert_non_null(n);
		objects_check(text, n);
		notification_free(n);
		mib_clear(&mib);
	}
}

static void test_event_objects(void **state)
{
	FILE *f = fopen("packaging/mib/TUYEN-MIB", "r");
	char *text = calloc(1, 1 << 20);
	struct mib mib;

	(void)state;
	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	assert_int_equal(mib_init(&mib), 0);
	for (size_t i = 0; i < sizeof(event_cases) / sizeof(event_cases[0]); i++) {
		struct notification *n = NULL;

		notification_from_event(event_cases[i].event, strlen(event_cases[i].event), &mib,
					&n);
		if (n)
			objects_check(text, n);
		notification_free(n);
	}
	mib_clear(&mib);
	expiry_objects_check(text);
	free(text);
}

/* ---- a release's end, by the status document ------------------------------------------ */

static void test_expiry(void **state)
{
	static const struct {
		const char *rule, *bundle;
		int kind; /* 0: none */
	} cases[] = {
	    {"no release yet", "\"epoch\":null", 0},
	    {"long to go", "\"epoch\":7,\"expiry\":\"distant\",\"days_left\":80", 0},
	    {"a month", "\"epoch\":7,\"expiry\":\"month\",\"days_left\":29",
	     NOTIFY_BUNDLE_EXPIRY_SOON},
	    {"the same", "\"epoch\":7,\"expiry\":\"month\",\"days_left\":28", 0},
	    {"a week", "\"epoch\":7,\"expiry\":\"week\",\"days_left\":6",
	     NOTIFY_BUNDLE_EXPIRY_SOON},
	    {"the last day", "\"epoch\":7,\"expiry\":\"day\",\"days_left\":0",
	     NOTIFY_BUNDLE_EXPIRY_SOON},
	    {"past", "\"epoch\":7,\"expiry\":\"past\",\"days_left\":0", NOTIFY_BUNDLE_EXPIRY_PAST},
	    {"still past", "\"epoch\":7,\"expiry\":\"past\",\"days_left\":0", 0},
	    {"another that is past", "\"epoch\":8,\"expiry\":\"past\",\"days_left\":0",
	     NOTIFY_BUNDLE_EXPIRY_PAST},
	    {"another that is good", "\"epoch\":9,\"expiry\":\"distant\",\"days_left\":90", 0},
	    {"the clock is set", "\"epoch\":9,\"expiry\":\"past\",\"days_left\":0",
	     NOTIFY_BUNDLE_EXPIRY_PAST},
	    {"and back", "\"epoch\":9,\"expiry\":\"week\",\"days_left\":7", 0},
	    {"and again", "\"epoch\":9,\"expiry\":\"day\",\"days_left\":0",
	     NOTIFY_BUNDLE_EXPIRY_SOON},
	    {"a daemon that does not say", "\"epoch\":9,\"expired\":true", 0},
	    {"a word of another version", "\"epoch\":10,\"expiry\":\"hour\"", 0},
	};
	struct notification_expiry told = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t now_s = EXPIRY_NOW + i * UINT64_C(86400);
		struct mib mib;
		struct notification *n = expiry_look_at(901, now_s, cases[i].bundle, &told, &mib);

		if (!n) { /* in its own turn */
			mib_clear(&mib);
			n = expiry_look_at(901, now_s + NOTIFICATION_EXPIRY_SPREAD_S,
					   cases[i].bundle, &told, &mib);
		}
		if ((n ? (int)n->kind : 0) != cases[i].kind)
			fail_msg("%s: kind %d", cases[i].rule, n ? (int)n->kind : 0);
		notification_free(n);
		mib_clear(&mib);
	}
}

/* When a site that had told nothing yet of release 7 tells that its end is near, in s from when it came near. */
static unsigned int expiry_turn(unsigned int id)
{
	struct notification_expiry told = {.epoch = 7, .expiry = MIB_EXPIRY_DISTANT};

	for (unsigned int s = 0; s <= NOTIFICATION_EXPIRY_SPREAD_S; s += 5) {
		struct mib mib;
		struct notification *n = expiry_look_at(
		    id, EXPIRY_NOW + s, "\"epoch\":7,\"expiry\":\"month\"", &told, &mib);
		bool said = n;

		notification_free(n);
		mib_clear(&mib);
		if (said)
			return s;
	}
	fail_msg("site %u tells nothing", id);
	return 0;
}

/* Sites of one release do not all tell of its end in one second: of 600 with numbers side by side, 60 a minute. */
static void test_expiry_turns(void **state)
{
	unsigned int minute[11] = {0};

	(void)state;
	for (unsigned int id = 700; id < 1300; id++)
		minute[expiry_turn(id) / 60]++;
	for (unsigned int i = 0; i < 10; i++)
		if (minute[i] < 50 || minute[i] > 70)
			fail_msg("%u sites in minute %u", minute[i], i);
}

/* Another release waits for no turn, and who set the clock back no longer than one. */
static void test_expiry_at_once(void **state)
{
	static const char near[] = "\"epoch\":7,\"expiry\":\"month\"";
	struct notification_expiry told = {.epoch = 6, .expiry = MIB_EXPIRY_DISTANT};
	struct notification *n;
	struct mib mib;

	(void)state;
	n = expiry_look(near, &told, &mib);
	assert_non_null(n);
	notification_free(n);
	mib_clear(&mib);
	told = (struct notification_expiry){.epoch = 7, .expiry = MIB_EXPIRY_DISTANT};
	assert_null(expiry_look(near, &told, &mib));
	mib_clear(&mib);
	for (uint64_t back = 0; back <= 1;
	     back++) { /* a year back: no more than its turn from there */
		n = expiry_look_at(
		    901, EXPIRY_NOW - UINT64_C(31536000) + back * NOTIFICATION_EXPIRY_SPREAD_S,
		    near, &told, &mib);
		assert_int_equal(n != NULL, back);
		notification_free(n);
		mib_clear(&mib);
	}
}

static void test_expiry_values(void **state)
{
	struct notification_expiry told = {0};
	struct notification *n;
	struct mib mib;

	(void)state;
	n = expiry_look("\"epoch\":7,\"expires\":\"2026-11-24T08:00:02Z\",\"expiry\":\"week\","
			"\"days_left\":6",
			&told, &mib);
	assert_non_null(n);
	assert_string_equal(n->key, "expiry");
	assert_string_equal(n->bindings[0].cell.string, "phuc-xa");
	assert_int_equal(n->bindings[2].cell.number, 7);
	assert_int_equal(n->bindings[3].cell.number, 1795507202);
	assert_int_equal(n->bindings[4].cell.number, 3);
	assert_int_equal(n->bindings[5].cell.number, 6);
	notification_free(n);
	mib_clear(&mib);
}

/* ---- the control socket's answers ------------------------------------------------------ */

struct answer_case {
	const char *bytes;
	int err;
	enum control_answer_stage stage;
	enum control_status status;
	const char *body;
	size_t left; /* of the bytes, behind the answer */
};

static const struct answer_case answer_cases[] = {
    {"OK 3\nabc", 0, CONTROL_ANSWER_DONE, CONTROL_OK, "abc", 0},
    {"OK 3\nabcdef", 0, CONTROL_ANSWER_DONE, CONTROL_OK, "abc", 3},
    {"OK 3\nab", 0, CONTROL_ANSWER_BODY, CONTROL_OK, "ab", 0},
    {"OK 0\n", 0, CONTROL_ANSWER_DONE, CONTROL_OK, "", 0},
    {"OK\n{}", 0, CONTROL_ANSWER_STREAM, CONTROL_OK, "", 2},
    {"REFUSED 2\nno", 0, CONTROL_ANSWER_DONE, CONTROL_REFUSED, "no", 0},
    {"FAILED 2\nno", 0, CONTROL_ANSWER_DONE, CONTROL_FAILED, "no", 0},
    {"O", 0, CONTROL_ANSWER_HEAD, CONTROL_OK, "", 0},
    {"REFUSED\n", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"ok 3\nabc", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"OK \nabc", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"OK 03\nabc", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"OK -3\nabc", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"OK 3 \nabc", -TUYEN_EINVAL, 0, 0, NULL, 0},
    {"OK 67108864\nx", 0, CONTROL_ANSWER_BODY, CONTROL_OK, "x", 0},
    {"OK 67108865\n", -TUYEN_ELIMIT, 0, 0, NULL, 0},
    {"OK 99999999999999999\n", -TUYEN_ELIMIT, 0, 0, NULL, 0},
    {"HTTP/1.1 400 Bad Request\n", -TUYEN_EINVAL, 0, 0, NULL, 0},
};

/* Each case whole, and each a byte at a time: the same comes out. */
static void answer_check(const struct answer_case *c, size_t step)
{
	size_t length = strlen(c->bytes), at = 0, taken;
	struct control_answer answer;
	int err = 0;

	control_answer_init(&answer);
	while (at < length && err == 0) {
		size_t piece = step < length - at ? step : length - at;

		err = control_answer_feed(&answer, c->bytes + at, piece, &taken);
		if (err == 0 && !taken)
			break;
		at += taken;
	}
	if (err != c->err)
		fail_msg("%s: %d", c->bytes, err);
	if (err == 0 && (answer.stage != c->stage || answer.status != c->status ||
			 length - at != c->left || strcmp(text_string(&answer.body), c->body)))
		fail_msg("%s: stage %d, %zu left", c->bytes, (int)answer.stage, length - at);
	control_answer_clear(&answer);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answer_cases) / sizeof(answer_cases[0]); i++) {
		answer_check(&answer_cases[i], SIZE_MAX);
		answer_check(&answer_cases[i], 1);
		answer_check(&answer_cases[i], 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_damping),	  cmocka_unit_test(test_damping_full),
	    cmocka_unit_test(test_secrets),	  cmocka_unit_test(test_secrets_phrases),
	    cmocka_unit_test(test_secrets_mode),  cmocka_unit_test(test_events),
	    cmocka_unit_test(test_event_values),  cmocka_unit_test(test_enumeration_unknown),
	    cmocka_unit_test(test_service_values),
	    cmocka_unit_test(test_event_objects), cmocka_unit_test(test_expiry),
	    cmocka_unit_test(test_expiry_turns),  cmocka_unit_test(test_expiry_at_once),
	    cmocka_unit_test(test_expiry_values), cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
