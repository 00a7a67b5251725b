/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may pass between the two processes. Each type has one size and one check; the table is the
 * whole protocol. A message of another type, size or range is refused as a whole: whoever sends it
 * is broken or taken over.
 */
#include "tuyen/core/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/core/path_mtu.h"

#define MESSAGE_HEAD_BYTES   ((uint32_t)offsetof(struct message, u))
#define MESSAGE_INTERVAL_MIN 1000u	 /* 1 ms */
#define MESSAGE_INTERVAL_MAX 3600000000u /* an hour */

static bool check_none(const struct message *m)
{
	(void)m;
	return true;
}

static bool device_name_ok(const char name[static 16])
{
	size_t length = strnlen(name, 16);

	if (length == 16)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

/* Of a neighbour: the site, and over which link. */
static bool neighbor_ok(uint32_t id)
{
	return id < 2 * PARALLEL_ID && id % PARALLEL_ID && id % PARALLEL_ID <= SITE_ID_MAX;
}

static bool check_session(const struct message *m)
{
	const struct message_session *s = &m->u.session;

	if (!s->id || !s->local || !s->remote)
		return false;
	if (s->interval_us < MESSAGE_INTERVAL_MIN || s->interval_us > MESSAGE_INTERVAL_MAX)
		return false;
	if (s->multiplier < 1 || s->multiplier > 255 || !device_name_ok(s->device))
		return false;
	if (s->mtu > UINT16_MAX || s->padded_gap_us > PATH_MTU_GAP_MAX_US ||
	    (s->mtu_known && (s->mtu_known < PATH_MTU_FLOOR || s->mtu_known >= s->mtu)))
		return false;
	if (s->kind == SESSION_LINK)
		return !s->remote_discriminator && neighbor_ok(s->id) && !s->first_site &&
		       !s->hasty_us && !s->way;
	return s->kind == SESSION_PATH && s->remote_discriminator && s->id <= SITE_PATHS_MAX &&
	       !s->device[0] && s->base_multiplier <= s->multiplier &&
	       (!s->first_site || (s->hasty_us && neighbor_ok(s->first_site)));
}

static bool check_reflect(const struct message *m)
{
	return m->u.reflect.address && m->u.reflect.discriminator;
}

static bool check_liveness(const struct message *m)
{
	const struct message_liveness *l = &m->u.liveness;
	return (l->kind == SESSION_LINK
		    ? neighbor_ok(l->id)
		    : l->kind == SESSION_PATH && l->id && l->id <= SITE_PATHS_MAX) &&
	       l->state <= BFD_STATE_UP && l->by_intent <= 1 &&
	       l->anew <= (l->kind == SESSION_LINK) && l->quiet <= (l->kind == SESSION_PATH) &&
	       l->diagnostic <= 31 && l->loss_permille <= 1000 &&
	       l->loss_known <= (l->kind == SESSION_PATH) &&
	       (!l->mtu || (l->mtu >= PATH_MTU_FLOOR && l->mtu <= UINT16_MAX));
}

static bool check_command(const struct message *m)
{
	return m->u.command.kind >= COMMAND_RELOAD && m->u.command.kind <= COMMAND_STATUS;
}

static bool check_piece(const struct message *m)
{
	const struct message_piece *p = &m->u.piece;

	return p->status <= 2 && p->last <= 1 && p->length <= MESSAGE_PIECE_MAX;
}

struct message_rule {
	uint32_t body_bytes;
	bool (*check)(const struct message *m);
};

static const struct message_rule rules[] = {
    [MESSAGE_HELLO] = {0, check_none},
    [MESSAGE_BEGIN] = {0, check_none},
    [MESSAGE_SESSION] = {sizeof(struct message_session), check_session},
    [MESSAGE_REFLECT] = {sizeof(struct message_reflect), check_reflect},
    [MESSAGE_COMMIT] = {0, check_none},
    [MESSAGE_SNAPSHOT] = {sizeof(struct message_piece), check_piece},
    [MESSAGE_EVENT] = {sizeof(struct message_piece), check_piece},
    [MESSAGE_ANSWER] = {sizeof(struct message_piece), check_piece},
    [MESSAGE_LIVENESS] = {sizeof(struct message_liveness), check_liveness},
    [MESSAGE_COMMAND] = {sizeof(struct message_command), check_command},
};

static const struct message_rule *rule_find(uint32_t type)
{
	if (type >= sizeof(rules) / sizeof(rules[0]) || !rules[type].check)
		return NULL;
	return &rules[type];
}

uint32_t message_size(enum message_type type)
{
	const struct message_rule *rule = rule_find((uint32_t)type);

	return rule ? MESSAGE_HEAD_BYTES + rule->body_bytes : 0;
}

int message_check(const struct message *m, uint32_t length)
{
	const struct message_rule *rule;

	if (length < MESSAGE_HEAD_BYTES)
		return -TUYEN_ETRUNC;
	rule = rule_find(m->type);
	if (!rule)
		return -TUYEN_EINVAL;
	if (length < MESSAGE_HEAD_BYTES + rule->body_bytes)
		return -TUYEN_ETRUNC;
	if (length > MESSAGE_HEAD_BYTES + rule->body_bytes)
		return -TUYEN_EINVAL;
	return rule->check(m) ? 0 : -TUYEN_EINVAL;
}
