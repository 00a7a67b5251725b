/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event to the varbinds of its notification. The event's own words win over the snapshot,
 * which may be a second older; the snapshot gives who we are. A receiver gets every object that the
 * MIB lists, in its order: one that is not known has an empty or zero value, or that of unknown.
 */
#include "tuyen/snmp/notification.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void notification_free(struct notification *notification)
{
	for (size_t i = 0; notification && i < notification->count; i++)
		free(notification->bindings[i].cell.string);
	free(notification);
}

static struct notification *notification_new(enum notification_kind kind)
{
	struct notification *n = calloc(1, sizeof(*n));

	if (n)
		n->kind = kind;
	return n;
}

static struct notification_binding *binding_add(struct notification *n, enum mib_type type)
{
	struct notification_binding *b = &n->bindings[n->count++];

	b->type = type;
	b->cell.known = true;
	return b;
}

/* An enumeration has no 0: what is not known has its word for that. */
static uint64_t number_unknown(const struct mib_column *column)
{
	const struct mib_word *word = column->words;

	while (word && word->word)
		word++;
	return word ? word->number : 0;
}

static void cell_copy(struct mib_cell *to, const struct mib_cell *from,
		      const struct mib_column *column)
{
	bool known = from && from->known;

	to->number = known ? from->number : number_unknown(column);
	if (column->type == MIB_STRING)
		mib_set_string(to, known ? from->string : "");
	to->known = column->type != MIB_STRING || to->string;
}

/* An instance as the snapshot has it. */
static struct notification_binding *bind_column(struct notification *n, const struct mib *mib,
						enum mib_table_id table, const char *name,
						const uint32_t *index, size_t length)
{
	const struct mib_column *column = mib_column_find(table, name);
	struct notification_binding *b = binding_add(n, column->type);

	b->oid_length = mib_oid(table, column->id, index, length, b->oid);
	cell_copy(&b->cell, mib_cell(mib, table, name, index, length), column);
	return b;
}

static void bind_site(struct notification *n, const struct mib *mib)
{
	bind_column(n, mib, MIB_SITE, "tuyenSiteName", (const uint32_t[]){0}, 1);
	bind_column(n, mib, MIB_SITE, "tuyenSiteId", (const uint32_t[]){0}, 1);
}

static struct notification_binding *bind_object(struct notification *n,
						enum notification_object object, enum mib_type type)
{
	struct notification_binding *b = binding_add(n, type);

	b->oid[0] = NOTIFY_ARC;
	b->oid[1] = object;
	b->oid[2] = 0;
	b->oid_length = 3;
	return b;
}

static void bind_number(struct notification *n, enum notification_object object, enum mib_type type,
			uint64_t number)
{
	bind_object(n, object, type)->cell.number = number;
}

static void bind_string(struct notification *n, enum notification_object object, const char *string)
{
	mib_set_string(&bind_object(n, object, MIB_STRING)->cell, string ? string : "");
}

/* Every notification ends with when it happened and how many were held back. */
static void bind_end(struct notification *n, uint64_t seconds)
{
	bind_number(n, NOTIFY_OBJECT_AT, MIB_DATE, seconds);
	bind_number(n, NOTIFY_OBJECT_HELD, MIB_GAUGE, 0);
}

void notification_set_held(struct notification *notification, uint32_t held)
{
	notification->bindings[notification->count - 1].cell.number = held;
}

static uint64_t event_at(const json_t *event)
{
	const char *at = json_string_value(json_object_get(event, "at"));
	uint64_t seconds;

	return at && !mib_date_parse(at, &seconds) ? seconds : 0;
}

static bool event_number(const json_t *event, const char *key, uint32_t *ret_number)
{
	const json_t *value = json_object_get(event, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return false;
	*ret_number = (uint32_t)json_integer_value(value);
	return true;
}

static const char *event_string(const json_t *event, const char *key)
{
	return json_string_value(json_object_get(event, key));
}

static void override_string(struct notification_binding *b, const char *string)
{
	if (string)
		mib_set_string(&b->cell, string);
}

/* The state of the event, by the words of its column; the time of the event as since. */
static void bind_state(struct notification *n, const struct mib *mib, enum mib_table_id table,
		       const char *state_name, const char *since_name, uint32_t index,
		       const json_t *event)
{
	const struct mib_word *word = mib_column_find(table, state_name)->words;
	const char *state = event_string(event, "state");

	while (word->word && strcmp(word->word, state))
		word++;
	bind_column(n, mib, table, state_name, &index, 1)->cell.number = word->number;
	bind_column(n, mib, table, since_name, &index, 1)->cell.number = event_at(event);
}

/* up: @up; down of any kind: @down; else none. */
static int kind_of_state(const char *state, enum notification_kind up, enum notification_kind down)
{
	if (!state)
		return -TUYEN_EINVAL;
	if (!strcmp(state, "up"))
		return up;
	return !strcmp(state, "down") || !strcmp(state, "admin-down") ? (int)down : 0;
}

static int link_event(const json_t *event, const struct mib *mib,
		      struct notification **ret_notification)
{
	int kind = kind_of_state(event_string(event, "state"), NOTIFY_LINK_UP, NOTIFY_LINK_DOWN);
	struct notification *n;
	uint32_t id;

	if (kind <= 0 || !event_number(event, "site_id", &id))
		return kind == 0 ? 0 : -TUYEN_EINVAL;
	n = notification_new((enum notification_kind)kind);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "link %u", id);
	bind_site(n, mib);
	override_string(bind_column(n, mib, MIB_LINKS, "tuyenLinkName", &id, 1),
			event_string(event, "site"));
	bind_state(n, mib, MIB_LINKS, "tuyenLinkState", "tuyenLinkSince", id, event);
	override_string(bind_column(n, mib, MIB_LINKS, "tuyenLinkDiagnostic", &id, 1),
			event_string(event, "diagnostic"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

/* Which path it is. */
static void bind_path(struct notification *n, const struct mib *mib, uint32_t index,
		      const json_t *event)
{
	override_string(bind_column(n, mib, MIB_PATHS, "tuyenPathName", &index, 1),
			event_string(event, "name"));
	override_string(bind_column(n, mib, MIB_PATHS, "tuyenPathPolicy", &index, 1),
			event_string(event, "policy"));
	override_string(bind_column(n, mib, MIB_PATHS, "tuyenPathEndpoint", &index, 1),
			event_string(event, "endpoint"));
}

/* A number of the event, if it has it, else of the snapshot. */
static void bind_event_number(struct notification *n, const struct mib *mib,
			      enum mib_table_id table, const char *name, uint32_t index,
			      const json_t *event, const char *key)
{
	struct notification_binding *b = bind_column(n, mib, table, name, &index, 1);
	uint32_t number;

	if (event_number(event, key, &number))
		b->cell.number = number;
}

static void bind_truth(struct notification *n, const struct mib *mib, enum mib_table_id table,
		       const char *name, uint32_t index, bool truth)
{
	bind_column(n, mib, table, name, &index, 1)->cell.number = truth ? 1 : 2;
}

static int path_event(const json_t *event, const struct mib *mib,
		      struct notification **ret_notification)
{
	int kind = kind_of_state(event_string(event, "state"), NOTIFY_PATH_UP, NOTIFY_PATH_DOWN);
	struct notification *n;
	uint32_t index;

	if (kind <= 0 || !event_number(event, "index", &index))
		return kind == 0 ? 0 : -TUYEN_EINVAL;
	n = notification_new((enum notification_kind)kind);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "path %u", index);
	bind_site(n, mib);
	bind_path(n, mib, index, event);
	bind_state(n, mib, MIB_PATHS, "tuyenPathState", "tuyenPathSince", index, event);
	override_string(bind_column(n, mib, MIB_PATHS, "tuyenPathDiagnostic", &index, 1),
			event_string(event, "diagnostic"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int switch_event(const json_t *event, const struct mib *mib,
			struct notification **ret_notification)
{
	struct notification *n;
	uint32_t color, endpoint = 0;

	if (!event_number(event, "color", &color))
		return -TUYEN_EINVAL;
	n = notification_new(NOTIFY_PATH_SWITCH);
	if (!n)
		return -TUYEN_ENOMEM;
	event_number(event, "endpoint_id", &endpoint);
	snprintf(n->key, sizeof(n->key), "switch %u %u", color, endpoint);
	bind_site(n, mib);
	bind_number(n, NOTIFY_OBJECT_COLOR, MIB_GAUGE, color);
	bind_string(n, NOTIFY_OBJECT_ENDPOINT, event_string(event, "endpoint"));
	bind_string(n, NOTIFY_OBJECT_FROM_PATH, event_string(event, "from_name"));
	bind_string(n, NOTIFY_OBJECT_TO_PATH, event_string(event, "to_name"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int quality_event(const json_t *event, const struct mib *mib,
			 struct notification **ret_notification)
{
	const json_t *degraded = json_object_get(event, "degraded");
	bool worse = json_is_true(degraded);
	struct notification *n;
	uint32_t index;

	if (!json_is_boolean(degraded) || !event_number(event, "index", &index))
		return -TUYEN_EINVAL;
	n = notification_new(worse ? NOTIFY_PATH_QUALITY_DEGRADED : NOTIFY_PATH_QUALITY_RESTORED);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "quality %u", index);
	bind_site(n, mib);
	bind_path(n, mib, index, event);
	bind_truth(n, mib, MIB_PATHS, "tuyenPathDegraded", index, worse);
	bind_event_number(n, mib, MIB_PATHS, "tuyenPathLoss", index, event, "loss_permille");
	bind_event_number(n, mib, MIB_PATHS, "tuyenPathRoundTrip", index, event, "round_trip_us");
	bind_event_number(n, mib, MIB_PATHS, "tuyenPathJitter", index, event, "jitter_us");
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static void bind_link_name(struct notification *n, const struct mib *mib, uint32_t id,
			   const json_t *event)
{
	override_string(bind_column(n, mib, MIB_LINKS, "tuyenLinkName", &id, 1),
			event_string(event, "site"));
}

/*
 * Of a path, or else of a link. A carried MTU of 0: no probe says otherwise, so it carries what was
 * compiled.
 */
static int mtu_event(const json_t *event, const struct mib *mib,
		     struct notification **ret_notification)
{
	static const enum notification_kind kinds[2][2] = {
	    {NOTIFY_LINK_MTU_RESTORED, NOTIFY_LINK_MTU_REDUCED},
	    {NOTIFY_PATH_MTU_RESTORED, NOTIFY_PATH_MTU_REDUCED},
	};
	uint32_t index, carried, mtu;
	bool path = event_number(event, "index", &index);
	enum mib_table_id table = path ? MIB_PATHS : MIB_LINKS;
	struct notification *n;

	if ((!path && !event_number(event, "site_id", &index)) ||
	    !event_number(event, "mtu", &mtu) || !event_number(event, "carried_mtu", &carried))
		return -TUYEN_EINVAL;
	if (!carried)
		carried = mtu;
	n = notification_new(kinds[path][carried < mtu]);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "mtu %s %u", path ? "path" : "link", index);
	bind_site(n, mib);
	if (path)
		bind_path(n, mib, index, event);
	else
		bind_link_name(n, mib, index, event);
	bind_event_number(n, mib, table, path ? "tuyenPathMtu" : "tuyenLinkMtu", index, event,
			  "mtu");
	bind_column(n, mib, table, path ? "tuyenPathCarriedMtu" : "tuyenLinkCarriedMtu", &index, 1)
	    ->cell.number = carried;
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int gateway_event(const json_t *event, const struct mib *mib,
			 struct notification **ret_notification)
{
	struct notification *n;
	uint32_t color;

	if (!event_number(event, "color", &color))
		return -TUYEN_EINVAL;
	n = notification_new(NOTIFY_GATEWAY_CHANGE);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "gateway %u", color);
	bind_site(n, mib);
	bind_number(n, NOTIFY_OBJECT_COLOR, MIB_GAUGE, color);
	bind_string(n, NOTIFY_OBJECT_POLICY, event_string(event, "policy"));
	bind_string(n, NOTIFY_OBJECT_ENDPOINT, event_string(event, "endpoint"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int lan_event(const json_t *event, const struct mib *mib,
		     struct notification **ret_notification)
{
	const json_t *away = json_object_get(event, "away");
	bool begins = json_is_true(away);
	struct notification *n;

	if (!json_is_boolean(away))
		return -TUYEN_EINVAL;
	n = notification_new(begins ? NOTIFY_LAN_AWAY_BEGIN : NOTIFY_LAN_AWAY_END);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "lan");
	bind_site(n, mib);
	bind_truth(n, mib, MIB_SITE, "tuyenSiteLanAway", 0, begins);
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

/* Words that a column of the site has too. "": it has ended, which is the kind after @begin. */
static int words_event(const json_t *event, const char *words, const char *column,
		       enum notification_kind begin, const struct mib *mib,
		       struct notification **ret_notification)
{
	struct notification *n;

	if (!words)
		return -TUYEN_EINVAL;
	n = notification_new(*words ? begin : begin + 1);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "%s", event_string(event, "event"));
	bind_site(n, mib);
	override_string(bind_column(n, mib, MIB_SITE, column, (const uint32_t[]){0}, 1), words);
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int conflict_event(const json_t *event, const struct mib *mib,
			  struct notification **ret_notification)
{
	return words_event(event, event_string(event, "addresses"), "tuyenSiteConflict",
			   NOTIFY_CONFLICT_BEGIN, mib, ret_notification);
}

static int claim_event(const json_t *event, const struct mib *mib,
		       struct notification **ret_notification)
{
	return words_event(event, event_string(event, "claim"), "tuyenSiteLanClaim",
			   NOTIFY_LAN_CLAIM_BEGIN, mib, ret_notification);
}

static int folder_event(const json_t *event, const struct mib *mib,
			struct notification **ret_notification)
{
	return words_event(event, event_string(event, "folder"), "tuyenSiteFolder",
			   NOTIFY_FOLDER_LOST, mib, ret_notification);
}

static int drift_event(const json_t *event, const struct mib *mib,
		       struct notification **ret_notification)
{
	struct notification *n;
	uint32_t count;

	if (!event_number(event, "repaired", &count))
		return -TUYEN_EINVAL;
	n = notification_new(NOTIFY_DRIFT_REPAIRED);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "drift");
	bind_site(n, mib);
	bind_number(n, NOTIFY_OBJECT_DRIFT_COUNT, MIB_GAUGE, count);
	bind_string(n, NOTIFY_OBJECT_DRIFT_CHANGES, event_string(event, "what"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int repair_event(const json_t *event, const struct mib *mib,
			struct notification **ret_notification)
{
	const json_t *repaired = json_object_get(event, "repaired");
	bool begins = json_is_true(repaired);
	struct notification *n;
	uint32_t id, routes = 0;

	if (!json_is_boolean(repaired) || !event_number(event, "site_id", &id))
		return -TUYEN_EINVAL;
	n = notification_new(begins ? NOTIFY_LINK_REPAIR_BEGIN : NOTIFY_LINK_REPAIR_END);
	if (!n)
		return -TUYEN_ENOMEM;
	event_number(event, "routes", &routes);
	snprintf(n->key, sizeof(n->key), "repair %u", id);
	bind_site(n, mib);
	override_string(bind_column(n, mib, MIB_LINKS, "tuyenLinkName", &id, 1),
			event_string(event, "site"));
	bind_truth(n, mib, MIB_LINKS, "tuyenLinkRepaired", id, begins);
	bind_number(n, NOTIFY_OBJECT_ROUTES, MIB_GAUGE, routes);
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

/* Of a path, or else of a link. */
static int damped_event(const json_t *event, const struct mib *mib,
			struct notification **ret_notification)
{
	uint32_t index, id, held_s;
	bool path = event_number(event, "index", &index);
	struct notification *n;

	if (!event_number(event, "held_s", &held_s) ||
	    (!path && !event_number(event, "site_id", &id)))
		return -TUYEN_EINVAL;
	n = notification_new(path ? NOTIFY_PATH_DAMPING_BEGIN : NOTIFY_LINK_DAMPING_BEGIN);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "damped %s %u", path ? "path" : "link", path ? index : id);
	bind_site(n, mib);
	if (path) {
		bind_path(n, mib, index, event);
		bind_truth(n, mib, MIB_PATHS, "tuyenPathDamped", index, true);
		bind_column(n, mib, MIB_PATHS, "tuyenPathDoubts", &index, 1);
	} else {
		bind_link_name(n, mib, id, event);
		bind_truth(n, mib, MIB_LINKS, "tuyenLinkDamped", id, true);
	}
	bind_number(n, NOTIFY_OBJECT_DAMPED_FOR, MIB_GAUGE, held_s);
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int duplicate_event(const json_t *event, const struct mib *mib,
			   struct notification **ret_notification)
{
	const json_t *duplicate = json_object_get(event, "duplicate");
	bool begins = json_is_true(duplicate);
	struct notification *n;
	uint32_t id;

	if (!json_is_boolean(duplicate) || !event_number(event, "site_id", &id))
		return -TUYEN_EINVAL;
	n = notification_new(begins ? NOTIFY_LINK_DUPLICATE_BEGIN : NOTIFY_LINK_DUPLICATE_END);
	if (!n)
		return -TUYEN_ENOMEM;
	snprintf(n->key, sizeof(n->key), "duplicate %u", id);
	bind_site(n, mib);
	bind_link_name(n, mib, id, event);
	bind_truth(n, mib, MIB_LINKS, "tuyenLinkDuplicate", id, begins);
	bind_string(n, NOTIFY_OBJECT_PLACE, event_string(event, "endpoint"));
	bind_string(n, NOTIFY_OBJECT_OTHER_PLACE, event_string(event, "other"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int meter_event(const json_t *event, const struct mib *mib,
		       struct notification **ret_notification)
{
	const struct mib_word *word = mib_column_find(MIB_METERS, "tuyenMeterLevel")->words;
	const char *line = event_string(event, "line"), *level = event_string(event, "level");
	uint32_t index[MIB_NAME_BYTES + 1], used, allowance;
	size_t length = line ? mib_name_index(line, index) : 0;
	struct notification *n;

	if (!length || !level || !event_number(event, "used_kb", &used) ||
	    !event_number(event, "allowance_kb", &allowance))
		return -TUYEN_EINVAL;
	n = notification_new(NOTIFY_METER_LEVEL_CHANGE);
	if (!n)
		return -TUYEN_ENOMEM;
	while (word->word && strcmp(word->word, level))
		word++;
	snprintf(n->key, sizeof(n->key), "meter %s", line);
	bind_site(n, mib);
	bind_column(n, mib, MIB_METERS, "tuyenMeterLevel", index, length)->cell.number =
	    word->number;
	bind_column(n, mib, MIB_METERS, "tuyenMeterUsed", index, length)->cell.number = used;
	bind_column(n, mib, MIB_METERS, "tuyenMeterAllowance", index, length)->cell.number =
	    allowance;
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static int bundle_event(const json_t *event, const struct mib *mib,
			struct notification **ret_notification)
{
	struct notification *n;
	uint32_t epoch = 0;

	if (!json_is_false(json_object_get(event, "accepted")))
		return 0;
	n = notification_new(NOTIFY_BUNDLE_REFUSED);
	if (!n)
		return -TUYEN_ENOMEM;
	event_number(event, "epoch", &epoch);
	snprintf(n->key, sizeof(n->key), "bundle");
	bind_site(n, mib);
	bind_number(n, NOTIFY_OBJECT_EPOCH, MIB_GAUGE, epoch);
	bind_string(n, NOTIFY_OBJECT_REASON, event_string(event, "reason"));
	bind_end(n, event_at(event));
	*ret_notification = n;
	return 0;
}

static const struct {
	const char *event;
	int (*build)(const json_t *event, const struct mib *mib,
		     struct notification **ret_notification);
} events[] = {
    {"link", link_event},	{"path", path_event},		{"switch", switch_event},
    {"bundle", bundle_event},	{"quality", quality_event},	{"mtu", mtu_event},
    {"gateway", gateway_event}, {"drift", drift_event},		{"repair", repair_event},
    {"damped", damped_event},	{"duplicate", duplicate_event}, {"meter", meter_event},
    {"lan", lan_event},		{"conflict", conflict_event},	{"claim", claim_event},
    {"folder", folder_event},
};

int notification_from_event(const char *json, size_t length, const struct mib *mib,
			    struct notification **ret_notification)
{
	json_t *event = json_loadb(json, length, 0, NULL);
	const char *word = event ? event_string(event, "event") : NULL;
	struct notification *n = NULL;
	int err = word ? 0 : -TUYEN_EINVAL;

	for (size_t i = 0; word && i < sizeof(events) / sizeof(events[0]); i++)
		if (!strcmp(events[i].event, word))
			err = events[i].build(event, mib, &n);
	json_decref(event);
	if (err == 0)
		*ret_notification = n;
	return err;
}

struct notification *notification_of_device(const struct mib *mib, const char *name, bool up,
					    uint64_t now_s)
{
	static const char *const columns[] = {
	    "tuyenDeviceAddress", "tuyenDeviceState",  "tuyenDeviceIfOperStatus",
	    "tuyenDeviceLink",	  "tuyenDeviceLinkId", "tuyenDeviceLastError",
	};
	uint32_t index[MIB_NAME_BYTES + 1];
	size_t length = mib_name_index(name, index);
	struct notification *n;

	if (!length)
		return NULL;
	n = notification_new(up ? NOTIFY_DEVICE_UP : NOTIFY_DEVICE_DOWN);
	if (!n)
		return NULL;
	snprintf(n->key, sizeof(n->key), "device %s", name);
	bind_site(n, mib);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		bind_column(n, mib, MIB_DEVICES, columns[i], index, length);
	bind_end(n, now_s);
	return n;
}

static uint64_t scalar_number(const struct mib *mib, const char *name)
{
	const struct mib_cell *cell = mib_cell(mib, MIB_SITE, name, (const uint32_t[]){0}, 1);

	return cell && cell->known ? cell->number : 0;
}

/* Of a release that was there before. Knuth's multiplier puts sites whose numbers lie side by side far from each other. */
static uint64_t expiry_due(const struct mib *mib, const struct notification_expiry *told,
			   uint64_t now_s)
{
	uint32_t turn = (uint32_t)scalar_number(mib, "tuyenSiteId") * UINT32_C(2654435761);
	uint64_t wait_s = ((uint64_t)turn * NOTIFICATION_EXPIRY_SPREAD_S) >> 32;

	/* who set the clock back waits no longer for it */
	return told->due_s && told->due_s <= now_s + wait_s ? told->due_s : now_s + wait_s;
}

struct notification *notification_of_expiry(const struct mib *mib,
					    const struct notification_expiry *told, uint64_t now_s,
					    struct notification_expiry *ret_told)
{
	static const char *const columns[] = {
	    "tuyenBundleEpoch",
	    "tuyenBundleExpires",
	    "tuyenBundleExpiry",
	    "tuyenBundleDaysLeft",
	};
	const struct notification_expiry is = {.epoch = scalar_number(mib, "tuyenBundleEpoch"),
					       .expiry = scalar_number(mib, "tuyenBundleExpiry")};
	bool other = is.epoch != told->epoch;
	struct notification *n = NULL;

	if (is.expiry > MIB_EXPIRY_DISTANT && (other || is.expiry > told->expiry)) {
		uint64_t due_s = other ? now_s : expiry_due(mib, told, now_s);

		if (due_s > now_s) {
			*ret_told = *told;
			ret_told->due_s = due_s;
			return NULL;
		}
		n = notification_new(is.expiry == MIB_EXPIRY_PAST ? NOTIFY_BUNDLE_EXPIRY_PAST
								  : NOTIFY_BUNDLE_EXPIRY_SOON);
		if (!n)
			return NULL;
		snprintf(n->key, sizeof(n->key), "expiry");
		bind_site(n, mib);
		for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
			bind_column(n, mib, MIB_SITE, columns[i], (const uint32_t[]){0}, 1);
		bind_end(n, now_s);
	}
	*ret_told = is;
	return n;
}

struct notification *notification_of_daemon(const struct mib *mib, bool up, const char *reason,
					    uint64_t now_s)
{
	struct notification *n = notification_new(up ? NOTIFY_DAEMON_UP : NOTIFY_DAEMON_DOWN);

	if (!n)
		return NULL;
	snprintf(n->key, sizeof(n->key), "daemon");
	bind_site(n, mib);
	bind_string(n, NOTIFY_OBJECT_REASON, reason);
	bind_end(n, now_s);
	return n;
}
