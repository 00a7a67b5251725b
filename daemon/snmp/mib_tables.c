/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TUYEN-MIB and the status document, side by side: a line a column. A unit test reads the MIB's own
 * text and fails where a name or a number here differs from it.
 */
#include "tuyen/snmp/mib.h"

#define COLUMNS(array) .columns = (array), .column_count = sizeof(array) / sizeof((array)[0])

static const struct mib_word truth_words[] = {{"true", 1}, {"false", 2}, {NULL, 2}};
static const struct mib_word link_words[] = {
    {"up", 1}, {"down", 2}, {"init", 3}, {"admin-down", 4}, {NULL, 5},
};
static const struct mib_word path_words[] = {{"up", 1}, {"down", 2}, {NULL, 3}};
static const struct mib_word expiry_words[] = {
    {"distant", MIB_EXPIRY_DISTANT},
    {"month", 2},
    {"week", 3},
    {"day", 4},
    {"past", MIB_EXPIRY_PAST},
    {NULL, MIB_EXPIRY_DISTANT},
};
static const struct mib_word daemon_words[] = {{"running", 1}, {"unreachable", 2}, {NULL, 2}};
static const struct mib_word device_words[] = {
    {"reachable", 1}, {"unreachable", 2}, {"unknown", 3}, {"refused", 4}, {NULL, 3},
};
static const struct mib_word oper_words[] = {{"up", 1}, {"down", 2}, {NULL, 4}};

static const struct mib_column site_columns[] = {
    {0, "snapshot", MIB_DATE, "daemon.snapshot", NULL},
    {1, "tuyenSiteName", MIB_STRING, "site.name", NULL},
    {2, "tuyenSiteId", MIB_GAUGE, "site.id", NULL},
    {3, "tuyenSiteTier", MIB_STRING, "site.tier", NULL},
    {4, "tuyenSiteLabel", MIB_GAUGE, "site.label", NULL},
    {5, "tuyenSiteNodeAddress", MIB_STRING, "site.node_address", NULL},
    {6, "tuyenBundleEpoch", MIB_GAUGE, "bundle.epoch", NULL},
    {7, "tuyenBundleDigest", MIB_STRING, "bundle.digest", NULL},
    {8, "tuyenBundleIssued", MIB_DATE, "bundle.issued", NULL},
    {9, "tuyenBundleExpires", MIB_DATE, "bundle.expires", NULL},
    {10, "tuyenBundleExpired", MIB_ENUM, "bundle.expired", truth_words},
    {11, "tuyenDaemonState", MIB_ENUM, NULL, daemon_words},
    {12, "tuyenDaemonVersion", MIB_STRING, "daemon.version", NULL},
    {13, "tuyenDaemonStarted", MIB_DATE, "daemon.started", NULL},
    {14, "tuyenDaemonLastFailure", MIB_STRING, "daemon.last_failure", NULL},
    {15, "tuyenDaemonDriftRepairs", MIB_COUNTER32, "daemon.drift_repairs", NULL},
    {16, "tuyenSnapshotAge", MIB_GAUGE, NULL, NULL},
    {17, "tuyenSelfCheckFailures", MIB_GAUGE, NULL, NULL},
    {18, "tuyenNotificationsSent", MIB_COUNTER32, NULL, NULL},
    {19, "tuyenNotificationsHeld", MIB_COUNTER32, NULL, NULL},
    {20, "tuyenSiteLanAway", MIB_ENUM, "site.lan_away", truth_words},
    {21, "tuyenSiteConflict", MIB_STRING, "site.conflict", NULL},
    {22, "tuyenBundleExpiry", MIB_ENUM, "bundle.expiry", expiry_words},
    {23, "tuyenBundleDaysLeft", MIB_GAUGE, "bundle.days_left", NULL},
    {24, "tuyenSiteLanClaim", MIB_STRING, "site.lan_claim", NULL},
    {25, "tuyenSiteFolder", MIB_STRING, "site.folder", NULL},
};

static const struct mib_column link_columns[] = {
    {2, "tuyenLinkName", MIB_STRING, "site", NULL},
    {3, "tuyenLinkDevice", MIB_STRING, "device", NULL},
    {4, "tuyenLinkUnderlay", MIB_STRING, "underlay", NULL},
    {5, "tuyenLinkState", MIB_ENUM, "state", link_words},
    {6, "tuyenLinkDiagnostic", MIB_STRING, "diagnostic", NULL},
    {7, "tuyenLinkSince", MIB_DATE, "since", NULL},
    {8, "tuyenLinkAddress", MIB_STRING, "link_address", NULL},
    {9, "tuyenLinkEndpoint", MIB_STRING, "endpoint", NULL},
    {10, "tuyenLinkHandshakeAge", MIB_GAUGE, "handshake_age_s", NULL},
    {11, "tuyenLinkInOctets", MIB_COUNTER64, "rx_bytes", NULL},
    {12, "tuyenLinkOutOctets", MIB_COUNTER64, "tx_bytes", NULL},
    {13, "tuyenLinkDetectionTime", MIB_GAUGE, "detection_us", NULL},
    {14, "tuyenLinkChanges", MIB_COUNTER32, "changes", NULL},
    {15, "tuyenLinkFilterDrops", MIB_COUNTER64, "filter_drops", NULL},
    {16, "tuyenLinkRepaired", MIB_ENUM, "repaired", truth_words},
    {17, "tuyenLinkDamped", MIB_ENUM, "damped", truth_words},
    {18, "tuyenLinkDuplicate", MIB_ENUM, "duplicate", truth_words},
    {19, "tuyenLinkMtu", MIB_GAUGE, "mtu", NULL},
    {20, "tuyenLinkCarriedMtu", MIB_GAUGE, "carried_mtu", NULL},
};

static const struct mib_column path_columns[] = {
    {2, "tuyenPathName", MIB_STRING, "name", NULL},
    {3, "tuyenPathPolicy", MIB_STRING, "policy", NULL},
    {4, "tuyenPathColor", MIB_GAUGE, "color", NULL},
    {5, "tuyenPathPreference", MIB_GAUGE, "preference", NULL},
    {6, "tuyenPathEndpoint", MIB_STRING, "endpoint", NULL},
    {7, "tuyenPathEndpointId", MIB_GAUGE, "endpoint_id", NULL},
    {8, "tuyenPathFirstHop", MIB_STRING, "first_hop", NULL},
    {9, "tuyenPathLabelStack", MIB_STRING, "labels", NULL},
    {10, "tuyenPathMtu", MIB_GAUGE, "mtu", NULL},
    {11, "tuyenPathState", MIB_ENUM, "state", path_words},
    {12, "tuyenPathActive", MIB_ENUM, "active", truth_words},
    {13, "tuyenPathDiagnostic", MIB_STRING, "diagnostic", NULL},
    {14, "tuyenPathSince", MIB_DATE, "since", NULL},
    {15, "tuyenPathRoundTrip", MIB_GAUGE, "round_trip_us", NULL},
    {16, "tuyenPathDetectionTime", MIB_GAUGE, "detection_us", NULL},
    {17, "tuyenPathChanges", MIB_COUNTER32, "changes", NULL},
    {18, "tuyenPathDegraded", MIB_ENUM, "degraded", truth_words},
    {19, "tuyenPathLoss", MIB_GAUGE, "loss_permille", NULL},
    {20, "tuyenPathJitter", MIB_GAUGE, "jitter_us", NULL},
    {21, "tuyenPathCarriedMtu", MIB_GAUGE, "carried_mtu", NULL},
    {22, "tuyenPathRepaired", MIB_ENUM, "repaired", truth_words},
    {23, "tuyenPathDamped", MIB_ENUM, "damped", truth_words},
    {24, "tuyenPathDoubts", MIB_COUNTER32, "doubts", NULL},
};

static const struct mib_column session_columns[] = {
    {3, "tuyenSessionPolicy", MIB_STRING, "policy", NULL},
    {4, "tuyenSessionDevice", MIB_STRING, "device", NULL},
    {5, "tuyenSessionPeer", MIB_STRING, "peer", NULL},
    {6, "tuyenSessionState", MIB_ENUM, "state", path_words},
    {7, "tuyenSessionPath", MIB_STRING, "path", NULL},
    {8, "tuyenSessionEndpoint", MIB_STRING, "endpoint", NULL},
    {9, "tuyenSessionSince", MIB_DATE, "since", NULL},
    {10, "tuyenSessionHandshakeAge", MIB_GAUGE, "handshake_age_s", NULL},
    {11, "tuyenSessionInOctets", MIB_COUNTER64, "rx_bytes", NULL},
    {12, "tuyenSessionOutOctets", MIB_COUNTER64, "tx_bytes", NULL},
    {13, "tuyenSessionMtu", MIB_GAUGE, "mtu", NULL},
    {14, "tuyenSessionStandby", MIB_ENUM, "standby", truth_words},
};

static const struct mib_column label_columns[] = {
    {2, "tuyenLabelOut", MIB_STRING, "out", NULL},
    {3, "tuyenLabelNext", MIB_STRING, "next", NULL},
    {4, "tuyenLabelDevice", MIB_STRING, "device", NULL},
    {5, "tuyenLabelRepaired", MIB_ENUM, "repaired", truth_words},
};

static const struct mib_column device_columns[] = {
    {0, "port", MIB_GAUGE, "port", NULL},
    {0, "user", MIB_STRING, "user", NULL},
    {0, "interface", MIB_STRING, "interface", NULL},
    {2, "tuyenDeviceAddress", MIB_STRING, "address", NULL},
    {3, "tuyenDeviceLink", MIB_STRING, "link", NULL},
    {4, "tuyenDeviceLinkId", MIB_GAUGE, "link_id", NULL},
    {5, "tuyenDeviceState", MIB_ENUM, NULL, device_words},
    {6, "tuyenDeviceSysName", MIB_STRING, NULL, NULL},
    {7, "tuyenDeviceSysDescr", MIB_STRING, NULL, NULL},
    {8, "tuyenDeviceUpTime", MIB_TICKS, NULL, NULL},
    {9, "tuyenDeviceIfName", MIB_STRING, NULL, NULL},
    {10, "tuyenDeviceIfOperStatus", MIB_ENUM, NULL, oper_words},
    {11, "tuyenDeviceIfSpeed", MIB_GAUGE, NULL, NULL},
    {12, "tuyenDeviceIfHighSpeed", MIB_GAUGE, NULL, NULL},
    {13, "tuyenDeviceIfInOctets", MIB_COUNTER64, NULL, NULL},
    {14, "tuyenDeviceIfOutOctets", MIB_COUNTER64, NULL, NULL},
    {15, "tuyenDeviceIfInErrors", MIB_COUNTER32, NULL, NULL},
    {16, "tuyenDeviceIfOutErrors", MIB_COUNTER32, NULL, NULL},
    {17, "tuyenDeviceLastPolled", MIB_DATE, NULL, NULL},
    {18, "tuyenDeviceLastError", MIB_STRING, NULL, NULL},
};

static const struct mib_word level_words[] = {
    {"uncounted", 1}, {"within", 2}, {"near", 3}, {"exceeded", 4}, {NULL, 1},
};

static const struct mib_column meter_columns[] = {
    {2, "tuyenMeterDevice", MIB_STRING, "device", NULL},
    {3, "tuyenMeterLevel", MIB_ENUM, "level", level_words},
    {4, "tuyenMeterUsed", MIB_GAUGE, "used_kb", NULL},
    {5, "tuyenMeterAllowance", MIB_GAUGE, "allowance_kb", NULL},
    {6, "tuyenMeterPercent", MIB_GAUGE, "used_percent", NULL},
};

const struct mib_table mib_tables[MIB_TABLES] = {
    [MIB_SITE] = {1, "tuyenSite", NULL, {NULL, NULL}, COLUMNS(site_columns)},
    [MIB_LINKS] = {2, "tuyenLinkEntry", "links", {"site_id", NULL}, COLUMNS(link_columns)},
    [MIB_PATHS] = {3, "tuyenPathEntry", "paths", {"index", NULL}, COLUMNS(path_columns)},
    [MIB_SESSIONS] =
	{4, "tuyenSessionEntry", "sessions", {"color", "peer_id"}, COLUMNS(session_columns)},
    [MIB_LABELS] = {5, "tuyenLabelEntry", "labels", {"in", NULL}, COLUMNS(label_columns)},
    [MIB_DEVICES] =
	{6, "tuyenDeviceEntry", "devices", {"name", NULL}, true, COLUMNS(device_columns)},
    [MIB_METERS] = {8, "tuyenMeterEntry", "meters", {"line", NULL}, true, COLUMNS(meter_columns)},
};
