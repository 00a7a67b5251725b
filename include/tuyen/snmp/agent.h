/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_AGENT_H
#define TUYEN_SNMP_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "tuyen/snmp/mib.h"
#include "tuyen/snmp/notification.h"

/**
 * The AgentX subagent (RFC 2741): net-snmp's, over a transport that does not wait. The library keeps its state in
 * globals, so there is one agent a process.
 */
#define AGENT_PING_S	2  /* also how often a lost master is looked for */
#define AGENT_QUEUE_MAX 64 /* notifications kept until a master has answered them */

struct agent_queued {
	struct notification *notification;
	int request; /* 0: not sent to the master that is there */
};

struct agent {
	/** Called before a request is answered: brings ages up to date. @return what to answer from. */
	const struct mib *(*asked)(void *context);
	void *context;
	netsnmp_session *master; /* the library's; NULL: there is none */
	struct agent_queued queue[AGENT_QUEUE_MAX];
	size_t queue_count;
	uint64_t sent, dropped;
};

/**
 * @master  "unix:/path" or "/path", or an address of net-snmp's: "tcp:localhost:705".
 * @agent   the caller's; lives as long as the process.
 * @return 0 or -TUYEN_ESYSTEM. A master that is not there is no error.
 */
int agent_start(struct agent *agent, const char *master);
void agent_stop(struct agent *agent);

/**
 * Takes @notification: sends it, or keeps it until there is a master; above AGENT_QUEUE_MAX the oldest goes. What a
 * master has not answered when it goes is sent again to the next: rather twice than never.
 */
void agent_notify(struct agent *agent, struct notification *notification);
/** Sends what was kept, if there is a master now. */
void agent_flush(struct agent *agent);

/**
 * Registers the transport "tuyen-agentx:" for UNIX sockets. A stopped master has a full queue sooner or
 * later, and the library's own would wait in connect(2) or send(2) for as long as it is stopped.
 */
void agent_transport_register(void);

#endif
