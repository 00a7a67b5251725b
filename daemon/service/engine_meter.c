/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metered lines: counted at each turn, said when one comes near its day's allowance or beyond, kept over a restart. What is
 * kept goes to the disk at once, and this process waits for it: it is written when there is a hundredth of an allowance to be lost.
 */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define KEPT_MAX     4096
#define KEEP_US	     60000000u /* at most so often */
#define KEEP_PERCENT 1	       /* of the allowance; what a power cut may lose */
#define HEARD_US     60000000u /* from the start: before, nobody listens to what is said */

/* @return 0 while the clock is not set: before our release was made there was no day of it. What is carried meanwhile is counted
 * when it is set. */
static uint32_t today(const struct engine *e)
{
	time_t now = time(NULL);
	struct tm t;

	if (now < e->release.status.issued_s || !localtime_r(&now, &t))
		return 0;
	return (uint32_t)(t.tm_year + 1900) * 10000 + (uint32_t)(t.tm_mon + 1) * 100 +
	       (uint32_t)t.tm_mday;
}

void engine_meters_load(struct engine *e)
{
	const struct node_uplinks *u = &e->options->uplinks;
	struct reason reason;
	uint8_t *bytes;
	size_t length;
	int err;

	if (!u->count)
		return;
	err = store_read(&e->store, STORE_METERS, KEPT_MAX, &bytes, &length, &reason);
	if (err < 0 && err != -TUYEN_ENOENT)
		log_warning("%s: all lines are counted anew", reason.text);
	for (size_t i = 0; !err && i < u->count; i++)
		if (meter_find((const char *)bytes, length, u->entry[i].underlay, &e->meters[i]) ==
		    -TUYEN_EINVAL)
			log_warning("%s: it says nothing lawful of line %s, which is counted anew",
				    STORE_METERS, u->entry[i].underlay);
	if (!err)
		free(bytes);
}

void engine_meters_keep(struct engine *e)
{
	const struct node_uplinks *u = &e->uplinks;
	struct reason reason;
	struct text t;

	text_init(&t);
	for (size_t i = 0; i < u->count; i++)
		if (e->meters[i].day) {
			meter_put(u->entry[i].underlay, &e->meters[i], &t);
			e->meters_told[i].kept = e->meters[i];
		}
	if (!t.failed && t.length &&
	    store_write(&e->store, STORE_METERS, t.bytes, t.length, &reason) < 0)
		log_warning("%s", reason.text);
	text_clear(&t);
	e->meters_kept = monotime_now();
}

/* A metered line whose device nobody named is not counted: said once a release. */
static void unnamed_say(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;

	if (e->meters_epoch == e->release.status.epoch)
		return;
	e->meters_epoch = e->release.status.epoch;
	for (size_t i = 0; i < f->meter_count; i++) {
		bool named = false;

		for (size_t k = 0; k < e->uplinks.count; k++)
			named |= !strcmp(e->uplinks.entry[k].underlay, f->meters[i].underlay);
		if (!named)
			log_warning(
			    "line %s is metered, and is not counted: name its device, UPLINKS=%s=DEVICE in "
			    "/etc/tuyen/node.conf",
			    f->meters[i].underlay, f->meters[i].underlay);
	}
}

static void clock_say(struct engine *e, uint32_t day)
{
	bool unset = !day && e->uplinks.count && e->release.forwarding.meter_count;

	if (unset && !e->meters_wait)
		log_warning(
		    "the clock stands before the release was made: until it is set, no day of a metered line begins");
	e->meters_wait = unset;
}

static uint64_t allowance_of(const struct fwd_meter *m)
{
	return m->allowance_kb_day * UINT64_C(1000);
}

/* @return whether the level is another one than was said. */
static bool level_say(struct engine *e, size_t index, const struct fwd_meter *m)
{
	enum meter_level level = meter_level(&e->meters[index], allowance_of(m));
	enum meter_level was = e->meters_told[index].level;
	struct text line;

	if (monotime_between(e->started, monotime_now()) < HEARD_US)
		return false;
	e->meters_told[index].level = level;
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

/* Is there enough that a power cut would lose, and some time since the last? */
static bool worth_keeping(const struct engine *e, size_t index, const struct fwd_meter *m)
{
	const struct meter *now = &e->meters[index], *kept = &e->meters_told[index].kept;

	return monotime_between(e->meters_kept, monotime_now()) >= KEEP_US &&
	       (now->day != kept->day ||
		now->used_bytes - kept->used_bytes >= allowance_of(m) / 100 * KEEP_PERCENT);
}

/* Every named line is counted, whether this release meters it or not: the next one may. */
static bool line_look(struct engine *e, size_t index, uint32_t day)
{
	const struct node_uplink *u = &e->uplinks.entry[index];
	const struct fwd_meter *m = forwarding_meter(&e->release.forwarding, u->underlay);

	if (m &&
	    e->meters_told[index].level == METER_UNCOUNTED) /* as it was said in the last life */
		e->meters_told[index].level = meter_level(&e->meters[index], allowance_of(m));
	if (u->counted)
		meter_step(&e->meters[index], day, u->device, u->received_bytes, u->sent_bytes);
	else if (e->meters[index].day)
		meter_turn(&e->meters[index], day);
	return m && (level_say(e, index, m) || worth_keeping(e, index, m));
}

void engine_meters_look(struct engine *e)
{
	uint32_t day = today(e);
	bool keep = false;

	unnamed_say(e);
	clock_say(e, day);
	for (size_t i = 0; day && !e->uplinks_lost && i < e->uplinks.count; i++)
		keep |= line_look(e, i, day);
	if (keep)
		engine_meters_keep(e);
}
