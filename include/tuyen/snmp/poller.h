/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_POLLER_H
#define TUYEN_SNMP_POLLER_H

#include <stdbool.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "tuyen/base/monotime.h"
#include "tuyen/snmp/mib.h"
#include "tuyen/snmp/secrets.h"

/**
 * The manager: asks the devices beside the site (modem, optical terminal) over SNMPv3 how they are and how the
 * interface is that carries our link. Each device has a session and a pace of its own; nothing here waits, so
 * a dead device costs nobody else a moment.
 */
#define POLLER_DEVICES_MAX 64
#define POLLER_TIMEOUT_US  2000000
#define POLLER_RETRIES	   1

struct poller;

/** A device became reachable, or ceased to be. */
typedef void (*poller_changed_fn)(void *context, const char *name, bool reachable);

/** @secrets is taken over as keys and not kept; the caller wipes it. @return NULL without memory. */
struct poller *poller_new(const struct secrets *secrets, uint64_t interval_us,
			  poller_changed_fn changed, void *context);
void poller_free(struct poller *poller);

/** Polls the devices of @mib from now on, and no others. */
void poller_configure(struct poller *poller, const struct mib *mib, struct monotime now);
/** Writes what is known of the devices into their rows of @mib. */
void poller_apply(const struct poller *poller, struct mib *mib);

/** Adds the sessions' descriptors, as snmp_select_info2() does. */
void poller_select(struct poller *poller, int *descriptors, netsnmp_large_fd_set *set);
/** Reads what has come, gives up what is late, sends what is due. @return true if something new is known. */
bool poller_turn(struct poller *poller, netsnmp_large_fd_set *set, struct monotime now);
struct monotime poller_next(const struct poller *poller);

#endif
