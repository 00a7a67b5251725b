/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metered lines: counted at each turn, said when one comes near its day's allowance or beyond, kept over a restart. What is
 * kept is written seldom, as it goes to the disk at once: a power cut loses the last minutes.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define KEEP_US	 300000000u
#define KEPT_MAX 4096

/* @return 0 while the clock is not set: before our release was made there was no day of it. What is carried meanwhile is counted
 * when it is set. */
static uint32_t today(const struct engine *e)
{
	time_t now = time(NULL);
	struct tm t;

	if (now < e->release.status.issued_s || !localtime_r(&now, &t))
		return 0;
	return (uint32_t)(t.tm_year + 1900) * 10000 + (uint32_t)(t.tm_mon + 1) * 100 + (uint32_t)t.tm_mday;
}

void engine_meters_load(struct engine *e)
{
	const struct node_uplinks *u = &e->options->uplinks;
	uint8_t *bytes;
	size_t length;

	if (!u->count || store_read(&e->store, STORE_METERS, KEPT_MAX, &bytes, &length, NULL) < 0)
		return;
	for (size_t i = 0; i < u->count; i++)
		if (!meter_find((const char *)bytes, length, u->entry[i].underlay, &e->meters[i]))
			log_warning("%s: it says nothing lawful of line %s, which is counted anew", STORE_METERS,
				    u->entry[i].underlay);
	free(bytes);
}

void engine_meters_keep(struct engine *e)
{
	const struct node_uplinks *u = &e->uplinks;
	struct reason reason;
	struct text t;

	text_init(&t);
	for (size_t i = 0; i < u->count; i++)
		if (e->meters[i].day)
			meter_put(u->entry[i].underlay, &e->meters[i], &t);
	if (!t.failed && t.length && store_write(&e->store, STORE_METERS, t.bytes, t.length, &reason) < 0)
		log_warning("%s", reason.text);
	text_clear(&t);
	e->meters_kept = monotime_now();
}

/* @return whether the level is another one than was said. */
static bool level_say(struct engine *e, size_t index, const struct fwd_meter *m)
{
	enum meter_level level = meter_level(&e->meters[index], m->allowance_kb_day * UINT64_C(1000));
	enum meter_level was = e->meter_said[index];
	struct text line;

	e->meter_said[index] = level;
	if (level == was || (was < METER_NEAR && level < METER_NEAR))
		return false;
	text_init(&line);
	status_event_meter(m, &e->meters[index], (int64_t)time(NULL), &line);
	if (level >= METER_NEAR)
		log_warning("%s", text_string(&line));
	else
		log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
	return true;
}

void engine_meters_look(struct engine *e)
{
	uint32_t day = today(e);
	bool keep = false;

	for (size_t i = 0; day && !e->uplinks_lost && i < e->uplinks.count; i++) {
		const struct node_uplink *u = &e->uplinks.entry[i];
		const struct fwd_meter *m = forwarding_meter(&e->release.forwarding, u->underlay);

		if (!m || !u->counted)
			continue;
		if (e->meter_said[i] == METER_UNCOUNTED)
			e->meter_said[i] = meter_level(&e->meters[i], m->allowance_kb_day * UINT64_C(1000));
		meter_step(&e->meters[i], day, u->carried_bytes);
		keep |= level_say(e, i, m);
		keep |= monotime_between(e->meters_kept, monotime_now()) >= KEEP_US;
	}
	if (keep)
		engine_meters_keep(e);
}
