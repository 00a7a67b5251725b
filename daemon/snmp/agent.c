/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subtree of TUYEN-MIB is one registration with one handler, which looks up what mib.c has. The
 * library reconnects by itself (every AGENT_PING_S) and says so by callbacks.
 */
#include "tuyen/snmp/agent.h"

#include <net-snmp/agent/net-snmp-agent-includes.h>
#include <net-snmp/agent/agent_callbacks.h>
#include <stdlib.h>

#define ROOT_LEN      9
#define AGENTX_NOTIFY 12 /* agentx-Notify-PDU, RFC 2741 section 6.1.1 */
#define ANSWER_S      30 /* a master that does not read is found by a ping, and sooner */

static const oid mib_root[ROOT_LEN] = {SNMP_OID_ENTERPRISES, TUYEN_PEN, 1, 1};
static const oid trap_root[ROOT_LEN] = {SNMP_OID_ENTERPRISES, TUYEN_PEN, 1, 0};
static const oid trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}; /* snmpTrapOID.0 */

static const u_char asn_types[] = {
    [MIB_STRING] = ASN_OCTET_STR, [MIB_ENUM] = ASN_INTEGER,	 [MIB_GAUGE] = ASN_GAUGE,
    [MIB_TICKS] = ASN_TIMETICKS,  [MIB_COUNTER32] = ASN_COUNTER, [MIB_COUNTER64] = ASN_COUNTER64,
    [MIB_DATE] = ASN_OCTET_STR,
};

/* Sub-identifiers have 32 bits; the library's type has more. Longer names are cut: none of ours is
 * so long. */
static size_t oid_relative(const oid *name, size_t length, uint32_t out[static MIB_OID_MAX])
{
	size_t n = 0;

	for (size_t i = ROOT_LEN; i < length && n < MIB_OID_MAX; i++)
		out[n++] = (uint32_t)name[i];
	return n;
}

static size_t oid_absolute(const uint32_t *relative, size_t length, oid out[static MAX_OID_LEN])
{
	memcpy(out, mib_root, sizeof(mib_root));
	for (size_t i = 0; i < length; i++)
		out[ROOT_LEN + i] = relative[i];
	return ROOT_LEN + length;
}

/* @return the bytes of @value in the library's representation. */
static const void *value_bytes(const struct mib_value *value, long *integer,
			       struct counter64 *counter, size_t *ret_length)
{
	switch (value->type) {
	case MIB_STRING:
	case MIB_DATE:
		*ret_length = value->length;
		return value->bytes;
	case MIB_COUNTER64:
		counter->high = value->number >> 32;
		counter->low = value->number & UINT32_MAX;
		*ret_length = sizeof(*counter);
		return counter;
	case MIB_ENUM:
	case MIB_GAUGE:
	case MIB_TICKS:
	case MIB_COUNTER32:
		break;
	}
	*integer = (long)value->number;
	*ret_length = sizeof(*integer);
	return integer;
}

static void answer_value(netsnmp_variable_list *vb, const struct mib_value *value)
{
	struct counter64 counter;
	long integer;
	size_t length;
	const void *bytes = value_bytes(value, &integer, &counter, &length);

	snmp_set_var_typed_value(vb, asn_types[value->type], bytes, length);
}

static void answer_get(const struct mib *mib, netsnmp_agent_request_info *info,
		       netsnmp_request_info *request)
{
	netsnmp_variable_list *vb = request->requestvb;
	uint32_t relative[MIB_OID_MAX];
	size_t length = oid_relative(vb->name, vb->name_length, relative);
	struct mib_value value;

	if (!mib_get(mib, relative, length, &value))
		answer_value(vb, &value);
	else
		netsnmp_set_request_error(info, request, SNMP_NOSUCHINSTANCE);
}

/* Before our subtree its beginning counts; behind it there is nothing. */
static bool next_from(const netsnmp_variable_list *vb, uint32_t relative[static MIB_OID_MAX],
		      size_t *ret_length)
{
	int order = netsnmp_oid_is_subtree(mib_root, ROOT_LEN, vb->name, vb->name_length);

	*ret_length = 0;
	if (order == 0)
		*ret_length = oid_relative(vb->name, vb->name_length, relative);
	return order == 0 || snmp_oid_compare(vb->name, vb->name_length, mib_root, ROOT_LEN) < 0;
}

static void answer_next(const struct mib *mib, netsnmp_request_info *request)
{
	netsnmp_variable_list *vb = request->requestvb;
	uint32_t from[MIB_OID_MAX], found[MIB_OID_MAX];
	oid name[MAX_OID_LEN];
	size_t from_length, found_length;
	struct mib_value value;

	if (!next_from(vb, from, &from_length))
		return;
	if (request->inclusive && !mib_get(mib, from, from_length, &value)) {
		answer_value(vb, &value);
		return;
	}
	if (mib_next(mib, from, from_length, found, &found_length, &value) < 0)
		return;
	found_length = oid_absolute(found, found_length, name);
	snmp_set_var_objid(vb, name, found_length);
	answer_value(vb, &value);
}

static int handle_request(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
			  netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	struct agent *agent = handler->myvoid;
	const struct mib *mib = agent->asked(agent->context);

	(void)registration;
	for (netsnmp_request_info *r = requests; r; r = r->next) {
		if (r->processed)
			continue;
		if (info->mode == MODE_GET)
			answer_get(mib, info, r);
		else if (info->mode == MODE_GETNEXT)
			answer_next(mib, r);
		else
			netsnmp_set_request_error(info, r, SNMP_ERR_NOTWRITABLE);
	}
	return SNMP_ERR_NOERROR;
}

/* What was handed to a master that is gone, and that it has not answered, it may never have read. */
static int master_found(int major, int minor, void *server, void *client)
{
	struct agent *agent = *(struct agent *const *)client;

	(void)major;
	agent->master = minor == SNMPD_CALLBACK_INDEX_START ? server : NULL;
	for (size_t i = 0; i < agent->queue_count; i++)
		agent->queue[i].request = 0;
	return 0;
}

/* The library frees a callback's argument when it ends, so it gets a pointer to ours. */
static void master_watch(struct agent *agent, int event)
{
	snmp_register_callback(SNMP_CALLBACK_APPLICATION, event, master_found,
			       netsnmp_memdup(&agent, sizeof(agent)));
}

/*
 * Nothing is read from the machine: no configuration, no MIB, no state of an earlier run. The folder of state is none that could
 * be made: the library makes one at once, and root may anywhere else.
 */
static void library_options(const char *master)
{
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	setenv("SNMPCONFPATH", "/nonexistent", 1);
	setenv("SNMP_PERSISTENT_DIR", "/dev/null", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_ALARM_DONT_USE_SIG, 1);
	netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_TIMEOUT, 1);
	netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_RETRIES, 0);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_ROOT_ACCESS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_NO_CONNECTION_WARNINGS,
			       1);
	netsnmp_ds_set_string(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_X_SOCKET, master);
}

static void master_address(const char *master, char *out, size_t size)
{
	const char *path = !strncmp(master, "unix:", 5) ? master + 5 : master;

	if (path[0] == '/')
		snprintf(out, size, "tuyen-agentx:%s", path);
	else
		snprintf(out, size, "%s", master);
}

static int subtree_register(struct agent *agent)
{
	netsnmp_handler_registration *registration = netsnmp_create_handler_registration(
	    "tuyen", handle_request, mib_root, ROOT_LEN, HANDLER_CAN_RONLY);

	if (!registration)
		return -TUYEN_ENOMEM;
	registration->handler->myvoid = agent;
	if (netsnmp_register_handler(registration) != MIB_REGISTERED_OK)
		return -TUYEN_ESYSTEM;
	return 0;
}

int agent_start(struct agent *agent, const char *master)
{
	char address[160];
	netsnmp_session unused;
	int err;

	snmp_sess_init(
	    &unused); /* the library's own defaults first, or they would come over ours */
	snmp_disable_log();
	master_address(master, address, sizeof(address));
	library_options(address);
	netsnmp_enable_subagent();
	if (init_agent("tuyen-snmp") < 0)
		return -TUYEN_ESYSTEM;
	/* init_agent() has put back its own 15 s. */
	netsnmp_ds_set_int(NETSNMP_DS_APPLICATION_ID, NETSNMP_DS_AGENT_AGENTX_PING_INTERVAL,
			   AGENT_PING_S);
	agent_transport_register();
	master_watch(agent, SNMPD_CALLBACK_INDEX_START);
	master_watch(agent, SNMPD_CALLBACK_INDEX_STOP);
	err = subtree_register(agent);
	if (err < 0)
		return err;
	init_snmp("tuyen-snmp");
	return 0;
}

void agent_stop(struct agent *agent)
{
	for (size_t i = 0; i < agent->queue_count; i++)
		notification_free(agent->queue[i].notification);
	agent->queue_count = 0;
	snmp_shutdown("tuyen-snmp");
	shutdown_agent();
}

static void binding_append(netsnmp_variable_list **list, const struct notification_binding *b)
{
	struct mib_value value = {.type = b->type, .number = b->cell.number};
	struct counter64 counter;
	oid name[MAX_OID_LEN];
	size_t length, name_length = oid_absolute(b->oid, b->oid_length, name);
	const void *bytes;
	long integer;

	if (b->type == MIB_DATE) {
		mib_date_format(b->cell.number, value.date);
		value.bytes = value.date;
		value.length = sizeof(value.date);
	} else if (b->type == MIB_STRING) {
		value.bytes = b->cell.string ? b->cell.string : "";
		value.length = strlen(value.bytes);
	}
	bytes = value_bytes(&value, &integer, &counter, &length);
	snmp_varlist_add_variable(list, name, name_length, asn_types[b->type], bytes, length);
}

static netsnmp_pdu *notification_build(const struct agent *agent,
				       const struct notification *notification)
{
	netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_NOTIFY);
	oid kind[ROOT_LEN + 1];

	if (!pdu)
		return NULL;
	pdu->version = agent->master->version;
	pdu->sessid = agent->master->sessid;
	pdu->flags |= UCD_MSG_FLAG_PDU_TIMEOUT;
	pdu->time = ANSWER_S;
	memcpy(kind, trap_root, sizeof(trap_root));
	kind[ROOT_LEN] = notification->kind;
	snmp_varlist_add_variable(&pdu->variables, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID,
				  kind, sizeof(kind));
	for (size_t i = 0; i < notification->count; i++)
		binding_append(&pdu->variables, &notification->bindings[i]);
	return pdu;
}

static void queue_drop(struct agent *agent, size_t i)
{
	notification_free(agent->queue[i].notification);
	agent->queue_count--;
	memmove(agent->queue + i, agent->queue + i + 1,
		(agent->queue_count - i) * sizeof(agent->queue[0]));
}

/* Answered, or its master lives and has been silent for so long that no answer will come. */
static int notification_heard(int operation, netsnmp_session *session, int request,
			      netsnmp_pdu *pdu, void *magic)
{
	struct agent *agent = magic;

	(void)session, (void)pdu;
	for (size_t i = 0; i < agent->queue_count; i++)
		if (agent->queue[i].request == request &&
		    (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE ||
		     operation == NETSNMP_CALLBACK_OP_TIMED_OUT)) {
			queue_drop(agent, i);
			break;
		}
	return 1;
}

/* @return whether the master's socket took it. */
static bool notification_send(struct agent *agent, struct agent_queued *queued)
{
	netsnmp_pdu *pdu = notification_build(agent, queued->notification);

	if (!pdu)
		return false;
	queued->request = snmp_async_send(agent->master, pdu, notification_heard, agent);
	if (!queued->request) {
		snmp_free_pdu(pdu);
		return false;
	}
	agent->sent++;
	return true;
}

void agent_flush(struct agent *agent)
{
	for (size_t i = 0; agent->master && i < agent->queue_count; i++)
		if (!agent->queue[i].request && !notification_send(agent, &agent->queue[i]))
			return;
}

void agent_notify(struct agent *agent, struct notification *notification)
{
	if (agent->queue_count == AGENT_QUEUE_MAX) {
		agent->dropped += !agent->queue[0].request;
		queue_drop(agent, 0);
	}
	agent->queue[agent->queue_count++] = (struct agent_queued){.notification = notification};
	agent_flush(agent);
}
