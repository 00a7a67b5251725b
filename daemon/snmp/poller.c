/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One round of a device:
 *
 *	DISCOVER   its engine id (RFC 3414 section 4), once a session
 *	SYSTEM     sysDescr, sysUpTime, sysName
 *	FIND       the interface: ifName, then ifDescr; without a name the first that is not a
 *loopback INTERFACE  its row of ifTable and ifXTable (RFC 2863) IDLE       until the next round
 *
 * The library would discover by waiting for the answer, so sessions are opened with
 *SNMP_FLAGS_DONT_PROBE and the empty request of section 4 is sent here. A callback only notes what
 *happened: the library does not bear a session that is closed while it reads from it. A round that
 *fails drops the session: the next one begins with a discovery, which also finds a device that was
 *replaced.
 */
#include "tuyen/snmp/poller.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

#include "tuyen/base/ip.h"
#include "tuyen/base/utf8.h"

#define ROWS_MAX	1024 /* of an interface table; more is not a modem */
#define BULK_ROWS	16
#define TICK_US		200000
#define IFTYPE_LOOPBACK 24 /* IANAifType softwareLoopback */
#define OPER_UNKNOWN	4  /* ifOperStatus */

enum poll_step {
	POLL_IDLE,
	POLL_DISCOVER,
	POLL_SYSTEM,
	POLL_FIND,
	POLL_INTERFACE,
};

enum poll_outcome {
	OUTCOME_NONE, /* still under way */
	OUTCOME_ANSWER,
	OUTCOME_FAIL,
};

enum poll_number {
	NUMBER_UPTIME,
	NUMBER_OPER_STATUS,
	NUMBER_SPEED,
	NUMBER_HIGH_SPEED,
	NUMBER_IN_OCTETS,
	NUMBER_OUT_OCTETS,
	NUMBER_IN_ERRORS,
	NUMBER_OUT_ERRORS,
	NUMBERS,
};

enum poll_string {
	STRING_DESCR,
	STRING_NAME,
	STRING_IF_NAME,
	STRING_IF_DESCR,
	STRINGS,
};

enum device_state {
	DEVICE_REACHABLE = 1,
	DEVICE_UNREACHABLE = 2,
	DEVICE_UNKNOWN = 3,
	DEVICE_REFUSED = 4,
};

#define MIB2(...)                                                                                  \
	{                                                                                          \
		1, 3, 6, 1, 2, 1, __VA_ARGS__                                                      \
	}

/* What is asked, in which step, and where it goes. */
static const struct {
	oid base[12];
	size_t length;
	enum poll_step step;
	bool text;
	int slot;
} objects[] = {
    {MIB2(1, 1, 0), 9, POLL_SYSTEM, true, STRING_DESCR},
    {MIB2(1, 3, 0), 9, POLL_SYSTEM, false, NUMBER_UPTIME},
    {MIB2(1, 5, 0), 9, POLL_SYSTEM, true, STRING_NAME},
    {MIB2(2, 2, 1, 2), 10, POLL_INTERFACE, true, STRING_IF_DESCR},
    {MIB2(2, 2, 1, 5), 10, POLL_INTERFACE, false, NUMBER_SPEED},
    {MIB2(2, 2, 1, 8), 10, POLL_INTERFACE, false, NUMBER_OPER_STATUS},
    {MIB2(2, 2, 1, 14), 10, POLL_INTERFACE, false, NUMBER_IN_ERRORS},
    {MIB2(2, 2, 1, 20), 10, POLL_INTERFACE, false, NUMBER_OUT_ERRORS},
    {MIB2(31, 1, 1, 1, 1), 11, POLL_INTERFACE, true, STRING_IF_NAME},
    {MIB2(31, 1, 1, 1, 6), 11, POLL_INTERFACE, false, NUMBER_IN_OCTETS},
    {MIB2(31, 1, 1, 1, 10), 11, POLL_INTERFACE, false, NUMBER_OUT_OCTETS},
    {MIB2(31, 1, 1, 1, 15), 11, POLL_INTERFACE, false, NUMBER_HIGH_SPEED},
};
#define OBJECTS (sizeof(objects) / sizeof(objects[0]))

/* The columns that FIND walks, in order; the last one only when the topology names no interface. */
static const struct {
	oid base[12];
	size_t length;
} find_columns[] = {
    {MIB2(31, 1, 1, 1, 1), 11},
    {MIB2(2, 2, 1, 2), 10},
    {MIB2(2, 2, 1, 3), 10},
};
enum { FIND_IF_NAME, FIND_IF_DESCR, FIND_IF_TYPE, FIND_COLUMNS };

struct poll_values {
	struct mib_cell numbers[NUMBERS];
	struct mib_cell strings[STRINGS];
};

struct poll_device {
	char *name, *address, *user, *interface; /* @interface NULL: the first */
	uint16_t port;
	bool seen; /* in the newest configuration */
	struct session_list *session;
	enum poll_step step;
	enum poll_outcome outcome;
	struct monotime due;
	oid ifindex; /* 0: to be found */
	int find_column;
	size_t find_rows;
	oid find_at[MAX_OID_LEN];
	size_t find_at_length;
	enum device_state state, told;
	struct poll_values values;
	uint64_t polled_s;
	char error[128];
};

struct poll_key {
	char name[SECRETS_NAME_MAX + 1];
	enum secrets_auth auth;
	u_char auth_key[USM_AUTH_KU_LEN], priv_key[USM_PRIV_KU_LEN];
	size_t auth_length, priv_length;
};

struct poller {
	uint64_t interval_us;
	poller_changed_fn changed;
	void *context;
	struct poll_key keys[SECRETS_USERS_MAX];
	size_t key_count;
	struct poll_device *devices[POLLER_DEVICES_MAX];
	size_t count;
	struct monotime turned; /* the last poller_turn() */
};

static const oid *const auth_protocols[] = {
    [SECRETS_SHA] = usmHMACSHA1AuthProtocol,
    [SECRETS_SHA_256] = usmHMAC192SHA256AuthProtocol,
    [SECRETS_SHA_512] = usmHMAC384SHA512AuthProtocol,
};
#define AUTH_PROTOCOL_LEN 10

/* ---- keys ------------------------------------------------------------------------ */

static bool phrase_to_key(enum secrets_auth auth, const char *phrase, u_char *key, size_t *length)
{
	return generate_Ku(auth_protocols[auth], AUTH_PROTOCOL_LEN, (const u_char *)phrase,
			   strlen(phrase), key, length) == SNMPERR_SUCCESS;
}

static void key_make(struct poller *poller, const struct secrets_user *user)
{
	struct poll_key *key = &poller->keys[poller->key_count];

	snprintf(key->name, sizeof(key->name), "%s", user->name);
	key->auth = user->auth;
	key->auth_length = sizeof(key->auth_key);
	key->priv_length = sizeof(key->priv_key);
	if (phrase_to_key(user->auth, user->auth_phrase, key->auth_key, &key->auth_length) &&
	    phrase_to_key(user->auth, user->priv_phrase, key->priv_key, &key->priv_length))
		poller->key_count++;
}

static const struct poll_key *key_find(const struct poller *poller, const char *name)
{
	for (size_t i = 0; i < poller->key_count; i++)
		if (!strcmp(poller->keys[i].name, name))
			return &poller->keys[i];
	return NULL;
}

/* ---- values ---------------------------------------------------------------------- */

static void values_clear(struct poll_values *values)
{
	for (size_t i = 0; i < STRINGS; i++)
		free(values->strings[i].string);
	*values = (struct poll_values){0};
}

/* A stranger's text, shown on terminals: as UTF-8 (SnmpAdminString, RFC 3411), a '?' for what is
 * none or hides. */
static void cell_take_text(struct mib_cell *cell, const netsnmp_variable_list *vb)
{
	const char *bytes = (const char *)vb->val.string;
	char text[256];
	size_t at = 0, n = 0;

	if (vb->type != ASN_OCTET_STR)
		return;
	while (at < vb->val_len) {
		uint32_t code;
		size_t size = utf8_decode(bytes + at, vb->val_len - at, &code);

		if (n + (size ? size : 1) >= sizeof(text))
			break;
		if (size && utf8_is_shown(code))
			memcpy(text + n, bytes + at, size);
		else
			text[n] = '?';
		n += size && utf8_is_shown(code) ? size : 1;
		at += size ? size : 1;
	}
	text[n] = '\0';
	mib_set_string(cell, text);
}

static bool number_of(const netsnmp_variable_list *vb, uint64_t *ret_number)
{
	switch (vb->type) {
	case ASN_INTEGER:
	case ASN_UNSIGNED:
	case ASN_COUNTER:
	case ASN_TIMETICKS:
		*ret_number = (uint32_t)*vb->val.integer;
		return true;
	case ASN_COUNTER64:
		*ret_number = (uint64_t)vb->val.counter64->high << 32 | vb->val.counter64->low;
		return true;
	default:
		return false;
	}
}

/* What is asked again and not answered is not known any more: an interface that went away is not
 * up. */
static void values_forget(struct poll_device *d, enum poll_step step)
{
	for (size_t i = 0; i < OBJECTS; i++) {
		if (objects[i].step != step)
			continue;
		if (objects[i].text)
			mib_set_string(&d->values.strings[objects[i].slot], NULL);
		else
			d->values.numbers[objects[i].slot] = (struct mib_cell){0};
	}
}

/* ifOperStatus has no other values (RFC 2863). */
static uint64_t oper_status(uint64_t number)
{
	return number >= 1 && number <= 7 ? number : OPER_UNKNOWN;
}

static void value_take(struct poll_device *d, const netsnmp_variable_list *vb)
{
	uint64_t number;

	for (size_t i = 0; i < OBJECTS; i++) {
		if (objects[i].step != d->step || vb->name_length < objects[i].length ||
		    snmp_oid_compare(vb->name, objects[i].length, objects[i].base,
				     objects[i].length))
			continue;
		if (objects[i].text)
			cell_take_text(&d->values.strings[objects[i].slot], vb);
		else if (number_of(vb, &number))
			mib_set_number(&d->values.numbers[objects[i].slot],
				       objects[i].slot == NUMBER_OPER_STATUS ? oper_status(number)
									     : number);
	}
}

/* ---- what a device answers --------------------------------------------------------- */

static void device_fail(struct poll_device *d, enum device_state state, const char *why)
{
	d->outcome = OUTCOME_FAIL;
	d->state = state;
	snprintf(d->error, sizeof(d->error), "%s", why);
}

/* A report instead of an answer, RFC 3414 section 3.2: usmStats of our user, our keys or our clock.
 */
static void report_take(struct poll_device *d, const netsnmp_pdu *pdu)
{
	static const char *const causes[] = {
	    [1] = "refused: the security level is not supported",
	    [2] = "refused: not in the time window",
	    [3] = "refused: the device does not know the user",
	    [4] = "refused: the device has another engine id",
	    [5] = "refused: wrong authentication key",
	    [6] = "refused: wrong privacy key",
	};
	static const oid stats[] = {1, 3, 6, 1, 6, 3, 15, 1, 1};
	const netsnmp_variable_list *vb = pdu->variables;
	oid cause;

	if (!vb || vb->name_length < 10 || snmp_oid_compare(vb->name, 9, stats, 9)) {
		device_fail(d, DEVICE_REFUSED, "refused: a report without a cause");
		return;
	}
	cause = vb->name[9];
	if (cause < 1 || cause > 6)
		cause = 1;
	device_fail(d, DEVICE_REFUSED, causes[cause]);
}

static void engine_take(struct poll_device *d, netsnmp_session *session, const netsnmp_pdu *pdu)
{
	if (!pdu->securityEngineIDLen || pdu->securityEngineIDLen > USM_MAX_ID_LENGTH) {
		device_fail(d, DEVICE_REFUSED, "refused: no engine id");
		return;
	}
	if (!session->securityEngineIDLen) {
		session->securityEngineID =
		    netsnmp_memdup(pdu->securityEngineID, pdu->securityEngineIDLen);
		session->securityEngineIDLen =
		    session->securityEngineID ? pdu->securityEngineIDLen : 0;
	}
	if (!session->contextEngineIDLen) {
		session->contextEngineID =
		    netsnmp_memdup(pdu->securityEngineID, pdu->securityEngineIDLen);
		session->contextEngineIDLen =
		    session->contextEngineID ? pdu->securityEngineIDLen : 0;
	}
	if (usm_create_user_from_session(session) != SNMPERR_SUCCESS)
		device_fail(d, DEVICE_REFUSED, "the library takes no such user");
	else
		d->outcome = OUTCOME_ANSWER;
}

static bool row_matches(const struct poll_device *d, const netsnmp_variable_list *vb)
{
	size_t length = d->interface ? strlen(d->interface) : 0;

	if (d->find_column == FIND_IF_TYPE)
		return vb->type == ASN_INTEGER && *vb->val.integer != IFTYPE_LOOPBACK;
	return vb->type == ASN_OCTET_STR && vb->val_len == length &&
	       (!length || !memcmp(vb->val.string, d->interface, length));
}

/* @return false at the end of the column, or where a device answers in circles. */
static bool find_row(struct poll_device *d, const netsnmp_variable_list *vb)
{
	size_t length = find_columns[d->find_column].length;

	if (vb->name_length != length + 1 || ++d->find_rows > ROWS_MAX ||
	    snmp_oid_compare(vb->name, length, find_columns[d->find_column].base, length) ||
	    snmp_oid_compare(vb->name, vb->name_length, d->find_at, d->find_at_length) <= 0)
		return false;
	memcpy(d->find_at, vb->name, vb->name_length * sizeof(oid));
	d->find_at_length = vb->name_length;
	if (row_matches(d, vb))
		d->ifindex = vb->name[length];
	return !d->ifindex;
}

static void find_begin(struct poll_device *d, int column)
{
	d->find_column = column;
	d->find_rows = 0;
	d->find_at_length = find_columns[column].length;
	memcpy(d->find_at, find_columns[column].base, sizeof(find_columns[column].base));
}

static void find_take(struct poll_device *d, const netsnmp_variable_list *vb)
{
	bool more = vb != NULL;

	d->outcome = OUTCOME_ANSWER;
	for (; vb && more; vb = vb->next_variable)
		more = find_row(d, vb);
	if (d->ifindex || more)
		return;
	if (d->find_column == FIND_IF_NAME)
		find_begin(d, FIND_IF_DESCR);
	else
		device_fail(d, DEVICE_REACHABLE, "the device has no such interface");
}

static bool interface_moved(const struct poll_device *d)
{
	const char *name = d->values.strings[STRING_IF_NAME].string;
	const char *descr = d->values.strings[STRING_IF_DESCR].string;

	if (!d->interface)
		return !d->values.numbers[NUMBER_OPER_STATUS].known;
	return (!name || strcmp(name, d->interface)) && (!descr || strcmp(descr, d->interface));
}

static void response_take(struct poll_device *d, const netsnmp_pdu *pdu)
{
	if (pdu->errstat != SNMP_ERR_NOERROR) {
		device_fail(d, DEVICE_REFUSED, snmp_errstring((int)pdu->errstat));
		return;
	}
	if (d->step == POLL_FIND) {
		find_take(d, pdu->variables);
		return;
	}
	values_forget(d, d->step);
	for (const netsnmp_variable_list *vb = pdu->variables; vb; vb = vb->next_variable)
		value_take(d, vb);
	d->outcome = OUTCOME_ANSWER;
}

static int device_heard(int operation, netsnmp_session *session, int reqid, netsnmp_pdu *pdu,
			void *magic)
{
	struct poll_device *d = magic;

	(void)reqid;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || !pdu)
		device_fail(d, DEVICE_UNREACHABLE, "no answer");
	else if (d->step == POLL_DISCOVER)
		engine_take(d, session, pdu);
	else if (pdu->command == SNMP_MSG_REPORT)
		report_take(d, pdu);
	else if (pdu->command == SNMP_MSG_RESPONSE)
		response_take(d, pdu);
	else
		device_fail(d, DEVICE_REFUSED, "not an answer");
	return 1;
}

/* ---- what a device is asked -------------------------------------------------------- */

static netsnmp_pdu *probe_build(void)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

	if (!pdu)
		return NULL;
	pdu->version = SNMP_VERSION_3;
	pdu->securityName = strdup("");
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	return pdu;
}

static netsnmp_pdu *get_build(const struct poll_device *d)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	oid name[13];

	for (size_t i = 0; pdu && i < OBJECTS; i++) {
		size_t length = objects[i].length;

		if (objects[i].step != d->step)
			continue;
		memcpy(name, objects[i].base, length * sizeof(oid));
		if (d->step == POLL_INTERFACE)
			name[length++] = d->ifindex;
		snmp_add_null_var(pdu, name, length);
	}
	return pdu;
}

static netsnmp_pdu *bulk_build(const struct poll_device *d)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GETBULK);

	if (!pdu)
		return NULL;
	pdu->non_repeaters = 0;
	pdu->max_repetitions = BULK_ROWS;
	snmp_add_null_var(pdu, d->find_at, d->find_at_length);
	return pdu;
}

static void device_ask(struct poll_device *d)
{
	netsnmp_pdu *pdu = NULL;

	if (d->step == POLL_DISCOVER)
		pdu = probe_build();
	else if (d->step == POLL_FIND)
		pdu = bulk_build(d);
	else
		pdu = get_build(d);
	d->outcome = OUTCOME_NONE;
	if (pdu && snmp_sess_async_send(d->session, pdu, device_heard, d))
		return;
	snmp_free_pdu(pdu);
	device_fail(d, DEVICE_UNREACHABLE, "cannot send");
}

/* Of a session that is closed. */
struct engine {
	u_char id[USM_MAX_ID_LENGTH];
	size_t length;
};

static bool session_is_of(struct session_list *session, const struct engine *engine)
{
	const netsnmp_session *s = session ? snmp_sess_session(session) : NULL;

	return s && s->securityEngineIDLen == engine->length &&
	       !memcmp(s->securityEngineID, engine->id, engine->length);
}

/*
 * The library keeps our user at each engine that it ever heard of, and a device may say that it is another one each time. Another device
 * that says it is the same engine may be in need of it.
 */
static void engine_forget(const struct poller *poller, const char *user, struct engine *engine)
{
	struct usmUser *kept = usm_get_user(engine->id, engine->length, user);

	for (size_t i = 0; kept && i < poller->count; i++)
		if (session_is_of(poller->devices[i]->session, engine) &&
		    !strcmp(poller->devices[i]->user, user))
			return;
	if (kept) {
		usm_remove_user(kept);
		usm_free_user(kept);
	}
	free_enginetime(engine->id, engine->length);
}

static void device_close(const struct poller *poller, struct poll_device *d)
{
	const netsnmp_session *s = d->session ? snmp_sess_session(d->session) : NULL;
	struct engine engine = {.length = 0};

	if (!s)
		return;
	if (s->securityEngineIDLen <= sizeof(engine.id)) {
		engine.length = s->securityEngineIDLen;
		memcpy(engine.id, s->securityEngineID, engine.length);
	}
	snmp_sess_close(d->session);
	d->session = NULL;
	if (engine.length)
		engine_forget(poller, d->user, &engine);
}

static bool device_open(const struct poller *poller, struct poll_device *d)
{
	const struct poll_key *key = d->user ? key_find(poller, d->user) : NULL;
	netsnmp_session s;
	char peer[64];

	if (!key) {
		device_fail(d, DEVICE_UNKNOWN, "no secrets for this user on the node");
		return false;
	}
	snmp_sess_init(&s);
	snprintf(peer, sizeof(peer), "udp:%s:%u", d->address, (unsigned int)d->port);
	s.peername = peer;
	s.version = SNMP_VERSION_3;
	s.flags |= SNMP_FLAGS_DONT_PROBE;
	s.timeout = POLLER_TIMEOUT_US;
	s.retries = POLLER_RETRIES;
	s.securityModel = SNMP_SEC_MODEL_USM;
	s.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	s.securityName = d->user;
	s.securityNameLen = strlen(d->user);
	s.securityAuthProto =
	    netsnmp_memdup(auth_protocols[key->auth], AUTH_PROTOCOL_LEN * sizeof(oid));
	s.securityAuthProtoLen = AUTH_PROTOCOL_LEN;
	s.securityPrivProto = netsnmp_memdup(usmAESPrivProtocol, sizeof(usmAESPrivProtocol));
	s.securityPrivProtoLen = OID_LENGTH(usmAESPrivProtocol);
	memcpy(s.securityAuthKey, key->auth_key, key->auth_length);
	s.securityAuthKeyLen = key->auth_length;
	memcpy(s.securityPrivKey, key->priv_key, key->priv_length);
	s.securityPrivKeyLen = key->priv_length;
	d->session = snmp_sess_open(&s);
	free(s.securityAuthProto);
	free(s.securityPrivProto);
	explicit_bzero(s.securityAuthKey, sizeof(s.securityAuthKey));
	explicit_bzero(s.securityPrivKey, sizeof(s.securityPrivKey));
	if (!d->session) {
		device_fail(d, DEVICE_UNREACHABLE, "cannot open a session");
		return false;
	}
	snmp_sess_session(d->session)->flags |= SNMP_FLAGS_DONT_PROBE; /* opening takes it away */
	return true;
}

/* ---- a device's turn --------------------------------------------------------------- */

static void round_end(struct poller *poller, struct poll_device *d, struct monotime now)
{
	bool reachable = d->state == DEVICE_REACHABLE;

	d->step = POLL_IDLE;
	d->due = monotime_after(now, poller->interval_us);
	if (!reachable) {
		device_close(poller, d);
		values_clear(&d->values);
	}
	if (!d->ifindex) /* what was read is another's */
		values_forget(d, POLL_INTERFACE);
	if (reachable)
		d->polled_s = (uint64_t)time(NULL);
	if (d->state == d->told)
		return;
	if (reachable || d->told == DEVICE_REACHABLE || d->state != DEVICE_UNKNOWN)
		poller->changed(poller->context, d->name, reachable);
	d->told = d->state;
}

static void round_begin(struct poller *poller, struct poll_device *d, struct monotime now)
{
	if (!d->session && !device_open(poller, d)) {
		round_end(poller, d, now);
		return;
	}
	d->step = snmp_sess_session(d->session)->securityEngineIDLen ? POLL_SYSTEM : POLL_DISCOVER;
	device_ask(d);
}

static enum poll_step step_after(struct poll_device *d)
{
	switch (d->step) {
	case POLL_DISCOVER:
		return POLL_SYSTEM;
	case POLL_SYSTEM:
		if (d->ifindex)
			return POLL_INTERFACE;
		find_begin(d, d->interface ? FIND_IF_NAME : FIND_IF_TYPE);
		return POLL_FIND;
	case POLL_FIND:
		return d->ifindex ? POLL_INTERFACE : POLL_FIND;
	case POLL_INTERFACE:
	case POLL_IDLE:
		break;
	}
	return POLL_IDLE;
}

static void round_succeed(struct poller *poller, struct poll_device *d, struct monotime now)
{
	d->state = DEVICE_REACHABLE;
	d->error[0] = '\0';
	if (interface_moved(d))
		d->ifindex = 0;
	round_end(poller, d, now);
}

/* @return true when a round ended. */
static bool device_step(struct poller *poller, struct poll_device *d, struct monotime now)
{
	if (d->step == POLL_IDLE) {
		if (!monotime_reached(now, d->due))
			return false;
		round_begin(poller, d, now);
		return d->step == POLL_IDLE;
	}
	if (d->outcome == OUTCOME_NONE)
		return false;
	if (d->outcome == OUTCOME_FAIL) {
		d->ifindex = 0;
		round_end(poller, d, now);
		return true;
	}
	d->step = step_after(d);
	if (d->step == POLL_IDLE) {
		round_succeed(poller, d, now);
		return true;
	}
	device_ask(d);
	return false;
}

/* ---- the set of devices ------------------------------------------------------------ */

struct poller *poller_new(const struct secrets *secrets, uint64_t interval_us,
			  poller_changed_fn changed, void *context)
{
	struct poller *poller = calloc(1, sizeof(*poller));

	if (!poller)
		return NULL;
	poller->interval_us = interval_us;
	poller->changed = changed;
	poller->context = context;
	for (size_t i = 0; i < secrets->count; i++)
		key_make(poller, &secrets->users[i]);
	return poller;
}

/* Its session is closed. */
static void device_free(struct poll_device *d)
{
	values_clear(&d->values);
	free(d->name);
	free(d->address);
	free(d->user);
	free(d->interface);
	free(d);
}

void poller_free(struct poller *poller)
{
	if (!poller)
		return;
	for (size_t i = 0; i < poller->count; i++)
		device_close(poller, poller->devices[i]);
	for (size_t i = 0; i < poller->count; i++)
		device_free(poller->devices[i]);
	explicit_bzero(poller->keys, sizeof(poller->keys));
	free(poller);
}

static bool string_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const char *config_string(const struct mib *mib, const char *column, const char *name)
{
	return mib_cell_named(mib, MIB_DEVICES, column, name)->string;
}

static char *string_copy(const char *string)
{
	return string ? strdup(string) : NULL;
}

static struct poll_device *device_new(const struct mib *mib, const char *name, struct monotime now)
{
	const struct mib_cell *port = mib_cell_named(mib, MIB_DEVICES, "port", name);
	const char *address = config_string(mib, "tuyenDeviceAddress", name);
	struct poll_device *d;
	ipv4_t ignored;

	if (!address || ipv4_parse(address, &ignored) < 0 ||
	    (port->known && port->number > UINT16_MAX))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->name = strdup(name);
	d->address = strdup(address);
	d->user = string_copy(config_string(mib, "user", name));
	d->interface = string_copy(config_string(mib, "interface", name));
	d->port = port->known && port->number ? (uint16_t)port->number : SNMP_PORT;
	d->state = d->told = DEVICE_UNKNOWN;
	d->due = now;
	d->seen = true;
	if (!d->name || !d->address) {
		device_free(d);
		return NULL;
	}
	return d;
}

static bool device_same(const struct poll_device *a, const struct poll_device *b)
{
	return string_equal(a->name, b->name) && string_equal(a->address, b->address) &&
	       string_equal(a->user, b->user) && string_equal(a->interface, b->interface) &&
	       a->port == b->port;
}

static void device_configure(struct poller *poller, struct poll_device *wanted)
{
	for (size_t i = 0; wanted && i < poller->count; i++) {
		if (!device_same(poller->devices[i], wanted))
			continue;
		poller->devices[i]->seen = true;
		device_free(wanted);
		return;
	}
	if (!wanted)
		return;
	if (poller->count < POLLER_DEVICES_MAX)
		poller->devices[poller->count++] = wanted;
	else
		device_free(wanted);
}

static void row_name(const struct mib_row *row, char name[static MIB_NAME_BYTES + 1])
{
	size_t length = row->index_length - 1;

	for (size_t i = 0; i < length; i++)
		name[i] = (char)row->index[i + 1];
	name[length] = '\0';
}

void poller_configure(struct poller *poller, const struct mib *mib, struct monotime now)
{
	char name[MIB_NAME_BYTES + 1];
	size_t kept = 0;

	for (size_t i = 0; i < poller->count; i++)
		poller->devices[i]->seen = false;
	for (size_t i = 0; i < mib->tables[MIB_DEVICES].count; i++) {
		row_name(&mib->tables[MIB_DEVICES].rows[i], name);
		device_configure(poller, device_new(mib, name, now));
	}
	for (size_t i = 0; i < poller->count; i++)
		if (!poller->devices[i]->seen)
			device_close(poller, poller->devices[i]);
	for (size_t i = 0; i < poller->count; i++) {
		if (poller->devices[i]->seen)
			poller->devices[kept++] = poller->devices[i];
		else
			device_free(poller->devices[i]);
	}
	poller->count = kept;
}

static void apply_number(struct mib *mib, const struct poll_device *d, const char *column,
			 const struct mib_cell *from)
{
	struct mib_cell *to = mib_cell_named(mib, MIB_DEVICES, column, d->name);

	to->known = from->known;
	to->number = from->number;
}

static void device_apply(const struct poll_device *d, struct mib *mib)
{
	static const char *const numbers[NUMBERS] = {
	    [NUMBER_UPTIME] = "tuyenDeviceUpTime",
	    [NUMBER_OPER_STATUS] = "tuyenDeviceIfOperStatus",
	    [NUMBER_SPEED] = "tuyenDeviceIfSpeed",
	    [NUMBER_HIGH_SPEED] = "tuyenDeviceIfHighSpeed",
	    [NUMBER_IN_OCTETS] = "tuyenDeviceIfInOctets",
	    [NUMBER_OUT_OCTETS] = "tuyenDeviceIfOutOctets",
	    [NUMBER_IN_ERRORS] = "tuyenDeviceIfInErrors",
	    [NUMBER_OUT_ERRORS] = "tuyenDeviceIfOutErrors",
	};
	static const char *const strings[STRINGS] = {
	    [STRING_DESCR] = "tuyenDeviceSysDescr",
	    [STRING_NAME] = "tuyenDeviceSysName",
	    [STRING_IF_NAME] = "tuyenDeviceIfName",
	};
	struct mib_cell *cell = mib_cell_named(mib, MIB_DEVICES, "tuyenDeviceState", d->name);

	if (!cell)
		return;
	mib_set_number(cell, d->state);
	for (size_t i = 0; i < NUMBERS; i++)
		apply_number(mib, d, numbers[i], &d->values.numbers[i]);
	for (size_t i = 0; i < STRINGS; i++)
		if (strings[i])
			mib_set_string(mib_cell_named(mib, MIB_DEVICES, strings[i], d->name),
				       d->values.strings[i].string);
	if (d->polled_s)
		mib_set_number(mib_cell_named(mib, MIB_DEVICES, "tuyenDeviceLastPolled", d->name),
			       d->polled_s);
	mib_set_string(mib_cell_named(mib, MIB_DEVICES, "tuyenDeviceLastError", d->name), d->error);
}

void poller_apply(const struct poller *poller, struct mib *mib)
{
	for (size_t i = 0; i < poller->count; i++)
		device_apply(poller->devices[i], mib);
}

void poller_select(struct poller *poller, int *descriptors, netsnmp_large_fd_set *set)
{
	struct timeval ignored = {0};
	int block = 1;

	for (size_t i = 0; i < poller->count; i++)
		if (poller->devices[i]->session)
			snmp_sess_select_info2(poller->devices[i]->session, descriptors, set,
					       &ignored, &block);
}

bool poller_turn(struct poller *poller, netsnmp_large_fd_set *set, struct monotime now)
{
	bool news = false;

	for (size_t i = 0; i < poller->count; i++) {
		struct poll_device *d = poller->devices[i];

		if (d->session && set)
			snmp_sess_read2(d->session, set);
		if (d->session && d->step != POLL_IDLE)
			snmp_sess_timeout(d->session);
	}
	/* Only now: a session that is opened may get the descriptor of one that was closed. */
	for (size_t i = 0; i < poller->count; i++)
		news |= device_step(poller, poller->devices[i], now);
	poller->turned = now;
	return news;
}

struct monotime poller_next(const struct poller *poller)
{
	struct monotime next = MONOTIME_NEVER;

	for (size_t i = 0; i < poller->count; i++) {
		const struct poll_device *d = poller->devices[i];
		struct monotime due = d->due;

		if (d->step != POLL_IDLE)
			due = monotime_after(poller->turned,
					     d->outcome == OUTCOME_NONE ? TICK_US : 0);
		next = monotime_min(next, due);
	}
	return next;
}
