/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/engine_meter.c daemon/core/meter.c topology/forwarding.c topology/labels.c
// link: daemon/base/err.c daemon/base/text.c daemon/base/ip.c
// libs: -Wl,--wrap=time
/* What a metered line has carried, turn by turn: the clock, the disk and what is said of it are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define DAY_S	   86400
#define RELEASED_S (20000 * (int64_t)DAY_S + 43200)
#define S	   1000000u

static struct {
	int64_t wall_s;
	struct monotime now;
	char disk[4096];
	unsigned int writes, warnings, events;
	char warned[512];
	enum meter_level level; /* of the last event */
} world;

time_t __wrap_time(time_t *t);
time_t __wrap_time(time_t *t)
{
	if (t)
		*t = (time_t)world.wall_s;
	return (time_t)world.wall_s;
}

struct monotime monotime_now(void)
{
	return world.now;
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list words;

	if (level != LOG_LEVEL_WARNING)
		return;
	va_start(words, format);
	vsnprintf(world.warned, sizeof(world.warned), format, words);
	va_end(words);
	world.warnings++;
}

int store_read(const struct store *store, const char *name, size_t max, uint8_t **ret_bytes,
	       size_t *ret_length, struct reason *reason)
{
	(void)store, (void)max;
	assert_string_equal(name, STORE_METERS);
	if (!world.writes)
		return reason_set(reason, -TUYEN_ENOENT, "no file");
	*ret_length = strlen(world.disk);
	*ret_bytes = malloc(*ret_length + 1);
	assert_non_null(*ret_bytes);
	memcpy(*ret_bytes, world.disk, *ret_length);
	return 0;
}

int store_write(const struct store *store, const char *name, const void *bytes, size_t length,
		struct reason *reason)
{
	(void)store, (void)reason;
	assert_string_equal(name, STORE_METERS);
	assert_true(length < sizeof(world.disk));
	memcpy(world.disk, bytes, length);
	world.disk[length] = '\0';
	world.writes++;
	return 0;
}

void status_event_meter(const struct fwd_meter *line, const struct meter *meter, int64_t wall_s,
			struct text *ret_json)
{
	assert_int_equal(wall_s, world.wall_s);
	world.level = meter_level(meter, line->allowance_kb_day * UINT64_C(1000));
	text_add(ret_json, "{}");
}

void engine_event(struct engine *e, struct text *line)
{
	(void)e, (void)line;
	world.events++;
}

static struct fwd_meter allowance = {.underlay = "lte", .allowance_kb_day = 100000};
static struct engine_options options;

static void node_begin(struct engine *e)
{
	*e = (struct engine){.options = &options, .started = world.now};
	e->release.status.have = true;
	e->release.status.epoch = 1;
	e->release.status.issued_s = RELEASED_S;
	e->release.forwarding.meters = &allowance;
	e->release.forwarding.meter_count = 1;
	strcpy(options.uplinks.entry[0].underlay, "lte");
	strcpy(options.uplinks.entry[0].device, "wwan0");
	options.uplinks.count = 1;
	e->uplinks = options.uplinks;
	e->uplinks.entry[0].counted = true;
	engine_meters_load(e);
}

static void world_begin(struct engine *e)
{
	memset(&world, 0, sizeof(world));
	setenv("TZ", "UTC", 1);
	tzset();
	world.wall_s = RELEASED_S + 3600;
	world.now = (struct monotime){1000 * (uint64_t)S};
	node_begin(e);
}

/* A turn after @seconds, in which the line has carried @bytes more. */
static void turn(struct engine *e, uint64_t seconds, uint64_t bytes)
{
	world.now = monotime_after(world.now, seconds * S);
	world.wall_s += (int64_t)seconds;
	e->uplinks.entry[0].received_bytes += bytes;
	engine_meters_look(e);
}

static void a_day_comes_near_its_end(void **state)
{
	struct engine e;

	(void)state;
	world_begin(&e);
	turn(&e, 1, 5000);
	assert_int_equal(e.meters[0].used_bytes, 0); /* the first look counts nothing */
	turn(&e, 1, 90 * 1000000);
	assert_int_equal(e.meters[0].used_bytes, 90000000);
	assert_int_equal(world.events, 0); /* in the first minute nobody listens */
	turn(&e, 60, 0);
	assert_int_equal(world.events, 1);
	assert_int_equal(world.level, METER_NEAR);
	turn(&e, 60, 0);
	assert_int_equal(world.events, 1); /* once */
	turn(&e, 1, 10000000);
	assert_int_equal(world.level, METER_EXCEEDED);
	turn(&e, DAY_S, 1000);
	assert_int_equal(world.level, METER_WITHIN);
	assert_int_equal(world.events, 3);
	assert_int_equal(e.meters[0].used_bytes, 1000);
	assert_int_equal(world.warnings, 2); /* what is within is no warning */
}

/* Before the release was made there was no day of it. */
static void a_clock_that_is_not_set(void **state)
{
	struct engine e;

	(void)state;
	world_begin(&e);
	turn(&e, 1, 0);
	turn(&e, 1, 700);
	world.wall_s = 0; /* the battery is empty */
	turn(&e, 1, 1000);
	turn(&e, 1, 1000);
	assert_int_equal(e.meters[0].used_bytes, 700);
	assert_int_equal(world.warnings, 1);
	assert_non_null(strstr(world.warned, "clock"));
	world.wall_s = RELEASED_S + 7200;
	turn(&e, 1, 1);
	assert_int_equal(e.meters[0].used_bytes, 2701); /* nothing of it is lost */
	world.wall_s = RELEASED_S - 1;
	turn(&e, 0, 0);
	assert_int_equal(world.warnings, 2); /* said again, as it is another time */
	world.wall_s = RELEASED_S;
	turn(&e, 0, 1);
	assert_int_equal(e.meters[0].used_bytes, 2702);
}

/* Old facts are no facts: while the devices could not be asked, nothing is counted, and no day turned. */
static void lines_that_could_not_be_asked(void **state)
{
	struct engine e;

	(void)state;
	world_begin(&e);
	turn(&e, 1, 0);
	turn(&e, 1, 700);
	e.uplinks_lost = true;
	turn(&e, DAY_S, 0);
	assert_int_equal(e.meters[0].used_bytes, 700);
	e.uplinks_lost = false;
	turn(&e, 1, 40);
	assert_int_equal(e.meters[0].used_bytes, 40);
	assert_int_equal(e.meters[0].left.used_bytes, 700);
}

/* A hundredth of the allowance may be lost, and the disk has a minute's rest. */
static void what_is_kept(void **state)
{
	struct engine e;

	(void)state;
	world_begin(&e);
	turn(&e, 1, 0);
	assert_int_equal(world.writes, 1); /* the day */
	turn(&e, 30, 5000000);
	assert_int_equal(world.writes, 1); /* too soon */
	turn(&e, 30, 0);
	assert_int_equal(world.writes, 2);
	turn(&e, 61, 999999);
	assert_int_equal(world.writes, 2); /* too little */
	node_begin(&e);			   /* the power goes */
	assert_int_equal(e.meters[0].used_bytes, 5000000);
	e.uplinks.entry[0].received_bytes = 5000000;
	turn(&e, 1, 999999); /* it was the daemon alone: the device has counted on */
	assert_int_equal(e.meters[0].used_bytes, 5999999);
	assert_int_equal(world.writes, 3); /* a new life writes at once, and at its end */
	engine_meters_keep(&e);
	assert_int_equal(world.writes, 4);
	strcpy(world.disk, "lte nonsense\n");
	node_begin(&e);
	assert_int_equal(e.meters[0].used_bytes, 0);
	assert_non_null(strstr(world.warned, "lte"));
}

static void a_line_without_a_name(void **state)
{
	struct engine e;

	(void)state;
	world_begin(&e);
	e.uplinks.count = 0;
	turn(&e, 1, 0);
	turn(&e, 1, 0);
	assert_int_equal(world.warnings, 1);
	assert_non_null(strstr(world.warned, "UPLINKS=lte=DEVICE"));
	e.release.status.epoch = 2;
	turn(&e, 1, 0);
	assert_int_equal(world.warnings, 2); /* once a release */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_day_comes_near_its_end),
	    cmocka_unit_test(a_clock_that_is_not_set),
	    cmocka_unit_test(lines_that_could_not_be_asked),
	    cmocka_unit_test(what_is_kept),
	    cmocka_unit_test(a_line_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
