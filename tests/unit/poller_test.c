/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/snmp/poller.c daemon/snmp/mib.c daemon/snmp/mib_tables.c daemon/snmp/mib_load.c
// link: daemon/snmp/mib_date.c daemon/snmp/secrets.c daemon/base/ip.c daemon/base/text.c
// link: daemon/base/err.c
// libs: -lnetsnmp -ljansson
/*
 * The poller against devices that answer what they like. The library's sessions are replaced by the functions
 * below: a request is kept, and the test answers it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tuyen/snmp/poller.h"

static struct {
	netsnmp_session session;
	netsnmp_pdu *request;
	netsnmp_callback heard;
	void *magic;
} device;

void *snmp_sess_open(netsnmp_session *s)
{
	(void)s;
	return &device;
}

netsnmp_session *snmp_sess_session(void *s)
{
	(void)s;
	return &device.session;
}

int snmp_sess_close(void *s)
{
	(void)s;
	snmp_free_pdu(device.request);
	free(device.session.securityEngineID);
	free(device.session.contextEngineID);
	memset(&device, 0, sizeof(device));
	return 1;
}

int snmp_sess_async_send(void *s, netsnmp_pdu *pdu, netsnmp_callback heard, void *magic)
{
	(void)s;
	snmp_free_pdu(device.request);
	device.request = pdu;
	device.heard = heard;
	device.magic = magic;
	return 1;
}

int snmp_sess_read2(void *s, netsnmp_large_fd_set *set)
{
	(void)s, (void)set;
	return 0;
}

void snmp_sess_timeout(void *s)
{
	(void)s;
}

/* As the library does: it stays in its list. */
int usm_create_user_from_session(netsnmp_session *s)
{
	struct usmUser *user;

	if (usm_get_user(s->securityEngineID, s->securityEngineIDLen, "poller"))
		return SNMPERR_SUCCESS;
	user = usm_create_user();
	assert_non_null(user);
	user->name = strdup("poller");
	user->secName = strdup("poller");
	user->engineID = netsnmp_memdup(s->securityEngineID, s->securityEngineIDLen);
	user->engineIDLen = s->securityEngineIDLen;
	usm_add_user(user);
	return SNMPERR_SUCCESS;
}

static size_t users_kept(void)
{
	size_t count = 0;

	for (const struct usmUser *user = usm_get_userList(); user; user = user->next)
		count++;
	return count;
}

/* One interface: its ifIndex and ifName; other names are not there. */
struct modem {
	oid ifindex;
	const char *name;
	size_t name_length;
	bool circles; /* never comes to the end of a column */
	u_char engine;
	long number; /* what it answers where a number is asked; 0: 1 */
};

static void reply_text(netsnmp_pdu *pdu, const oid *name, size_t length, const char *text,
		       size_t bytes)
{
	snmp_pdu_add_variable(pdu, name, length, ASN_OCTET_STR, text, bytes);
}

static void reply_row(netsnmp_pdu *pdu, const netsnmp_variable_list *vb, const struct modem *m)
{
	oid name[16];
	size_t length = vb->name_length;
	long number = m->number ? m->number : 1;

	memcpy(name, vb->name, length * sizeof(oid));
	if (device.request->command == SNMP_MSG_GETBULK) {
		if (m->circles || length > 11) {
			reply_text(pdu, name, length, "x", 1);
			return;
		}
		name[length++] = m->ifindex;
		reply_text(pdu, name, length, m->name, m->name_length);
	} else if (name[length - 1] && name[length - 1] != m->ifindex) {
		snmp_pdu_add_variable(pdu, name, length, SNMP_NOSUCHINSTANCE, NULL, 0);
	} else if (length == 9 || name[length - 2] == 2 ||
		   (length == 12 && name[length - 2] == 1)) {
		reply_text(pdu, name, length, m->name, m->name_length);
	} else {
		snmp_pdu_add_variable(pdu, name, length, ASN_INTEGER, &number, sizeof(number));
	}
}

/* Answers what was asked last. */
static void answer(const struct modem *m)
{
	const u_char engine[] = {0x80, 0, 0, 0, m->engine};
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);

	pdu->securityEngineID = netsnmp_memdup(engine, sizeof(engine));
	pdu->securityEngineIDLen = sizeof(engine);
	pdu->errstat = SNMP_ERR_NOERROR;
	for (netsnmp_variable_list *vb = device.request->variables; vb; vb = vb->next_variable)
		reply_row(pdu, vb, m);
	device.heard(NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE, &device.session, 0, pdu, device.magic);
	snmp_free_pdu(pdu);
}

#define STEPS_MAX 2000

struct bench {
	struct poller *poller;
	struct mib mib;
	struct monotime now;
};

static void changed(void *context, const char *name, bool reachable)
{
	(void)context, (void)name, (void)reachable;
}

static void bench_init(struct bench *b)
{
	static const char document[] =
	    "{\"format\":1,\"devices\":[{\"name\":\"modem\",\"address\":\"192.0.2.1\","
	    "\"user\":\"poller\",\"interface\":\"wan0\"}]}";
	struct secrets secrets;
	struct reason reason;

	*b = (struct bench){.now = {1}};
	assert_int_equal(
	    secrets_parse("user poller auth SHA-256 \"12345678\" priv AES \"12345678\"\n", &secrets,
			  &reason),
	    0);
	b->poller = poller_new(&secrets, 1000000, changed, NULL);
	assert_non_null(b->poller);
	assert_int_equal(mib_load(document, strlen(document), &b->mib, &reason), 0);
	poller_configure(b->poller, &b->mib, b->now);
}

static void bench_clear(struct bench *b)
{
	poller_free(b->poller);
	mib_clear(&b->mib);
}

/* @return the requests of one round, at most STEPS_MAX. */
static size_t round_run(struct bench *b, const struct modem *m)
{
	size_t asked = 0;

	b->now = monotime_after(b->now, 1000000);
	poller_turn(b->poller, NULL, b->now);
	do {
		answer(m);
		asked++;
	} while (!poller_turn(b->poller, NULL, b->now) && asked < STEPS_MAX);
	poller_apply(b->poller, &b->mib);
	return asked;
}

static const struct mib_cell *cell(const struct bench *b, const char *column)
{
	return mib_cell_named(&b->mib, MIB_DEVICES, column, "modem");
}

static void an_interface_that_moved_is_not_up_where_it_was(void **state)
{
	const struct modem before = {7, "wan0", 4, false, 1, 0}, after = {9, "wan0", 4, false, 1, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(round_run(&b, &before), 4);
	assert_true(cell(&b, "tuyenDeviceIfOperStatus")->known);
	assert_string_equal(cell(&b, "tuyenDeviceIfName")->string, "wan0");
	round_run(&b, &after); /* 7 is there no more */
	assert_false(cell(&b, "tuyenDeviceIfOperStatus")->known);
	round_run(&b, &after);
	assert_true(cell(&b, "tuyenDeviceIfOperStatus")->known);
	bench_clear(&b);
}

/* The index is another's now, and the name nobody's. */
static void another_s_interface_is_not_ours(void **state)
{
	const struct modem before = {7, "wan0", 4, false, 1, 0}, after = {7, "lan0", 4, false, 1, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	round_run(&b, &before);
	for (int i = 0; i < 3; i++) {
		round_run(&b, &after);
		assert_false(cell(&b, "tuyenDeviceIfInOctets")->known);
		assert_false(cell(&b, "tuyenDeviceIfOperStatus")->known);
		assert_true(cell(&b, "tuyenDeviceSysName")->known);
	}
	bench_clear(&b);
}

static void a_device_that_is_silent_is_not_up(void **state)
{
	const struct modem m = {7, "wan0", 4, false, 1, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	round_run(&b, &m);
	assert_int_equal(cell(&b, "tuyenDeviceIfOperStatus")->number, 1);
	b.now = monotime_after(b.now, 1000000);
	poller_turn(b.poller, NULL, b.now);
	device.heard(NETSNMP_CALLBACK_OP_TIMED_OUT, &device.session, 0, NULL, device.magic);
	assert_true(poller_turn(b.poller, NULL, b.now));
	poller_apply(b.poller, &b.mib);
	assert_int_equal(cell(&b, "tuyenDeviceState")->number, 2);
	assert_false(cell(&b, "tuyenDeviceIfOperStatus")->known);
	assert_false(cell(&b, "tuyenDeviceIfInOctets")->known);
	assert_false(cell(&b, "tuyenDeviceSysName")->known);
	assert_true(cell(&b, "tuyenDeviceLastPolled")->known);
	bench_clear(&b);
}

static void a_status_that_there_is_not_is_unknown(void **state)
{
	const struct modem m = {7, "wan0", 4, false, 1, 99};
	struct bench b;

	(void)state;
	bench_init(&b);
	round_run(&b, &m);
	assert_int_equal(cell(&b, "tuyenDeviceIfOperStatus")->number, 4);
	assert_int_equal(cell(&b, "tuyenDeviceIfInErrors")->number, 99);
	bench_clear(&b);
}

static void a_strangers_text_does_nothing_to_a_terminal(void **state)
{
	static const char text[] = "\033[2Jm\xc3\xa1y\xff\nx\xe2\x80\xae\xc2\x9bz";
	const struct modem m = {7, text, sizeof(text) - 1, false, 1, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	round_run(&b, &m);
	assert_string_equal(cell(&b, "tuyenDeviceSysName")->string, "?[2Jm\xc3\xa1y??x??z");
	bench_clear(&b);
}

static void a_device_that_answers_in_circles_is_left(void **state)
{
	const struct modem m = {7, "x", 1, true, 1, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_true(round_run(&b, &m) < STEPS_MAX);
	assert_string_equal(cell(&b, "tuyenDeviceLastError")->string,
			    "the device has no such interface");
	bench_clear(&b);
}

/* It is asked as the same user each time, and the library would keep one for each of its engines. */
static void a_device_that_is_another_each_time_leaves_nothing(void **state)
{
	struct modem m = {7, "wan0", 4, false, 0, 0};
	struct bench b;

	(void)state;
	bench_init(&b);
	for (m.engine = 1; m.engine < 100; m.engine++) {
		b.now = monotime_after(b.now, 1000000);
		poller_turn(b.poller, NULL, b.now);
		answer(&m); /* who it is, and no more */
		poller_turn(b.poller, NULL, b.now);
		assert_int_equal(users_kept(), 1);
		device.heard(NETSNMP_CALLBACK_OP_TIMED_OUT, &device.session, 0, NULL, device.magic);
		assert_true(poller_turn(b.poller, NULL, b.now));
		assert_int_equal(users_kept(), 0);
	}
	bench_clear(&b);
	assert_int_equal(users_kept(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_interface_that_moved_is_not_up_where_it_was),
	    cmocka_unit_test(another_s_interface_is_not_ours),
	    cmocka_unit_test(a_device_that_is_silent_is_not_up),
	    cmocka_unit_test(a_status_that_there_is_not_is_unknown),
	    cmocka_unit_test(a_strangers_text_does_nothing_to_a_terminal),
	    cmocka_unit_test(a_device_that_answers_in_circles_is_left),
	    cmocka_unit_test(a_device_that_is_another_each_time_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
