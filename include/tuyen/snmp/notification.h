/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_NOTIFICATION_H
#define TUYEN_SNMP_NOTIFICATION_H

#include "tuyen/snmp/damping.h"
#include "tuyen/snmp/mib.h"

/** The notifications of TUYEN-MIB, by their last sub-identifier. Pure. */
enum notification_kind {
	NOTIFY_LINK_UP = 1,
	NOTIFY_LINK_DOWN = 2,
	NOTIFY_PATH_UP = 3,
	NOTIFY_PATH_DOWN = 4,
	NOTIFY_PATH_SWITCH = 5,
	NOTIFY_BUNDLE_REFUSED = 6,
	NOTIFY_DEVICE_UP = 7,
	NOTIFY_DEVICE_DOWN = 8,
	NOTIFY_DAEMON_UP = 9,
	NOTIFY_DAEMON_DOWN = 10,
	NOTIFY_PATH_QUALITY_DEGRADED = 11,
	NOTIFY_PATH_QUALITY_RESTORED = 12,
	NOTIFY_PATH_MTU_REDUCED = 13,
	NOTIFY_PATH_MTU_RESTORED = 14,
	NOTIFY_GATEWAY_CHANGE = 15,
	NOTIFY_DRIFT_REPAIRED = 16,
	NOTIFY_LINK_REPAIR_BEGIN = 17,
	NOTIFY_LINK_REPAIR_END = 18,
	NOTIFY_PATH_DAMPING_BEGIN = 19,
	NOTIFY_LINK_DAMPING_BEGIN = 20,
	NOTIFY_LINK_DUPLICATE_BEGIN = 21,
	NOTIFY_LINK_DUPLICATE_END = 22,
	NOTIFY_METER_LEVEL_CHANGE = 23,
	NOTIFY_LINK_MTU_REDUCED = 24,
	NOTIFY_LINK_MTU_RESTORED = 25,
	NOTIFY_LAN_AWAY_BEGIN = 26,
	NOTIFY_LAN_AWAY_END = 27,
	NOTIFY_CONFLICT_BEGIN = 28,
	NOTIFY_CONFLICT_END = 29,
	NOTIFY_BUNDLE_EXPIRY_SOON = 30,
	NOTIFY_BUNDLE_EXPIRY_PAST = 31,
	NOTIFY_LAN_CLAIM_BEGIN = 32,
	NOTIFY_LAN_CLAIM_END = 33,
	NOTIFY_FOLDER_LOST = 34,
	NOTIFY_FOLDER_RESTORED = 35,
};

/** Objects for notifications alone, TUYEN-MIB's tuyenNotify. */
enum notification_object {
	NOTIFY_OBJECT_AT = 1,
	NOTIFY_OBJECT_HELD = 2,
	NOTIFY_OBJECT_REASON = 3,
	NOTIFY_OBJECT_EPOCH = 4,
	NOTIFY_OBJECT_COLOR = 5,
	NOTIFY_OBJECT_ENDPOINT = 6,
	NOTIFY_OBJECT_FROM_PATH = 7,
	NOTIFY_OBJECT_TO_PATH = 8,
	NOTIFY_OBJECT_POLICY = 9,
	NOTIFY_OBJECT_DRIFT_COUNT = 10,
	NOTIFY_OBJECT_DRIFT_CHANGES = 11,
	NOTIFY_OBJECT_ROUTES = 12,
	NOTIFY_OBJECT_DAMPED_FOR = 13,
	NOTIFY_OBJECT_PLACE = 14,
	NOTIFY_OBJECT_OTHER_PLACE = 15,
};
#define NOTIFY_ARC 7

#define NOTIFICATION_BINDINGS_MAX 12

struct notification_binding {
	uint32_t oid[MIB_OID_MAX]; /* below mib_root */
	size_t oid_length;
	enum mib_type type;
	struct mib_cell cell;
};

struct notification {
	enum notification_kind kind;
	char key[DAMPING_KEY_BYTES]; /* what it is about, for damping */
	struct notification_binding bindings[NOTIFICATION_BINDINGS_MAX];
	size_t count;
};

void notification_free(struct notification *notification);

/**
 * What an event line of the control socket asks to be told to the network centre; @mib gives the site and
 * what the event leaves out.
 * @ret_notification  the caller's; NULL when the event calls for none.
 * @return 0; -TUYEN_EINVAL when it is not an event; -TUYEN_ENOMEM.
 */
int notification_from_event(const char *json, size_t length, const struct mib *mib,
			    struct notification **ret_notification);

/** About the device @name of @mib. @return NULL without memory or without such a device. */
struct notification *notification_of_device(const struct mib *mib, const char *name, bool up,
					    uint64_t now_s);
/** About tuyend. @return NULL without memory. */
struct notification *notification_of_daemon(const struct mib *mib, bool up, const char *reason,
					    uint64_t now_s);

/** A country's sites share a release, whose end comes nearer at all of them in one second: they tell it over so long. */
#define NOTIFICATION_EXPIRY_SPREAD_S 600u

/** What was told of a release's end: of which release, and its tuyenBundleExpiry. */
struct notification_expiry {
	uint64_t epoch, expiry;
	uint64_t due_s; /* wall clock: when what came since is told; 0: nothing came */
};

/**
 * About the end of the release in force, when it is nearer than was @told, or another release's. The status document tells of
 * it and no event, so that it does not matter who of tuyend and tuyen-snmp was there first. What only the time brought is told
 * in the site's own turn, by its number, within NOTIFICATION_EXPIRY_SPREAD_S.
 * @ret_told  what is to be @told next time; unchanged without memory.
 * @return NULL where there is nothing new, or without memory.
 */
struct notification *notification_of_expiry(const struct mib *mib,
					    const struct notification_expiry *told, uint64_t now_s,
					    struct notification_expiry *ret_told);
/** Says in @notification how many before it were held back. */
void notification_set_held(struct notification *notification, uint32_t held);

#endif
