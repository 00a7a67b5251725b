/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/path_quality.c daemon/core/bfd.c daemon/core/bfd_packet.c daemon/base/wire.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "tuyen/core/bfd.h"
#include "tuyen/core/path_quality.h"

#define INTERVAL_US 50000

/* A path on a clock of its own: how late which answer is, or lost. The probes are those of S-BFD, core/bfd.c. */
#define SECOND_US 1000000u
#define UNDER_WAY 256 /* answers at most */
#define REFLECTOR 77u

struct world {
	struct path_quality q;
	struct bfd_session bfd;
	struct monotime now;
	uint32_t random, burst_us; /* answers come at whole ones of it; 0: each when it is there */
	uint32_t twice_us;	   /* each comes once more within that; 0: it does not */
	struct answer {
		struct monotime at;
		struct bfd_packet packet;
	} answers[UNDER_WAY]; /* by when they come */
	size_t count;
	uint16_t most_permille; /* loss, of what was told since the beginning of a run */
};

static uint32_t chance(struct world *w, uint32_t below)
{
	w->random = w->random * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(w->random >> 8) * below >> 24);
}

static void note(struct world *w)
{
	if (quality_loss_known(&w->q.loss) && w->q.loss.permille > w->most_permille)
		w->most_permille = w->q.loss.permille;
}

static void answer_take(struct world *w, const struct answer *a)
{
	assert_int_equal(bfd_session_receive(&w->bfd, &a->packet, 64, a->at), BFD_ACCEPT);
	path_quality_received(&w->q, w->bfd.answered, a->at);
	note(w);
}

static void answers_come(struct world *w, struct monotime until)
{
	size_t came = 0;

	while (came < w->count && monotime_reached(until, w->answers[came].at))
		answer_take(w, &w->answers[came++]);
	w->count -= came;
	memmove(w->answers, w->answers + came, w->count * sizeof(w->answers[0]));
}

static void answer_put(struct world *w, const struct answer *answer)
{
	size_t at = w->count;

	assert_true(w->count < UNDER_WAY);
	for (; at && monotime_before(answer->at, w->answers[at - 1].at); at--)
		w->answers[at] = w->answers[at - 1];
	w->answers[at] = *answer;
	w->count++;
}

static void answer_add(struct world *w, const struct bfd_packet *probe, uint64_t delay_us)
{
	struct answer answer = {.at = monotime_after(w->now, delay_us)};

	assert_int_equal(bfd_reflect(probe, REFLECTOR, 1, &answer.packet), BFD_ACCEPT);
	if (w->burst_us)
		answer.at.us += w->burst_us - answer.at.us % w->burst_us;
	answer_put(w, &answer);
	if (!w->twice_us)
		return;
	answer.at = monotime_after(answer.at, chance(w, w->twice_us));
	answer_put(w, &answer);
}

static void probe(struct world *w, uint32_t delay_us, bool lost)
{
	struct bfd_step step;

	answers_come(w, w->bfd.next_send);
	w->now = w->bfd.next_send;
	step = bfd_session_step(&w->bfd, w->now, false);
	assert_true(step.send && w->bfd.state == BFD_STATE_UP);
	path_quality_sent(&w->q, w->bfd.probe, w->bfd.tx_interval_us, w->now);
	note(w);
	if (!lost)
		answer_add(w, &step.packet, delay_us);
}

/* Up, and a round trip is known. The first seconds of the seeds' runs are all those of a minute. */
static void world_init(struct world *w, uint32_t random, uint32_t delay_us)
{
	const struct bfd_config config = {
	    .role = BFD_ROLE_SBFD_INITIATOR,
	    .local_discriminator = 1 + random % 60,
	    .remote_discriminator = REFLECTOR,
	    .interval_us = INTERVAL_US,
	    .multiplier = 255,
	};
	struct bfd_step first;

	*w = (struct world){.random = random, .now = {60 * SECOND_US}};
	bfd_session_init(&w->bfd, &config, w->now, random);
	first = bfd_session_step(&w->bfd, w->now, false);
	answer_add(w, &first.packet, delay_us);
	answers_come(w, w->answers[0].at);
	path_quality_reset(&w->q);
	for (int i = 0; i < 4; i++)
		path_quality_round_trip(&w->q, delay_us);
}

/* @count probes, each answered, after a delay that goes from one to the other. */
static void ramp(struct world *w, unsigned int count, uint32_t from_us, uint32_t to_us)
{
	for (unsigned int i = 0; i < count; i++)
		probe(w, from_us + (uint32_t)(((int64_t)to_us - from_us) * i / count), false);
}

/* Those whose bit of @lost is set, over and over, are not answered. */
static void lossy(struct world *w, unsigned int count, uint32_t delay_us, uint8_t lost)
{
	for (unsigned int i = 0; i < count; i++)
		probe(w, delay_us, lost >> (i % 8) & 1);
}

#define SEEDS 200 /* of the intervals between probes, and of chance */

/* What comes is not lost, whatever the delay was and becomes: less than the detection time apart, or there would be no path. */
static void late_is_not_lost(void **state)
{
	static const struct {
		const char *rule;
		unsigned int count;
		uint32_t from_us; /* by @by_us at once, then on to @to_us */
		int32_t by_us;
		uint32_t to_us;
		unsigned int restless_us;
	} rows[] = {
	    {"as it was", 400, 20000, 0, 20000, 0},
	    {"as long as an interval, or nearly", 400, 38000, 0, 50000, 0},
	    {"2 ms a second", 2000, 20000, 0, 220000, 0},
	    {"20 ms a second", 400, 20000, 0, 420000, 0},
	    {"100 ms a second", 400, 20000, 0, 2020000, 0},
	    {"500 ms a second", 80, 20000, 0, 2020000, 0},
	    {"at once by 100 ms", 80, 20000, 100000, 120000, 0},
	    {"at once by 100 ms, from a long one", 80, 350000, 100000, 450000, 0},
	    {"falls", 400, 2000000, 0, 20000, 0},
	    {"falls by 200 ms in four seconds", 80, 220000, 0, 20000, 0},
	    {"falls at once by 80 ms", 80, 100000, -80000, 20000, 0},
	    {"falls at once by 200 ms", 80, 220000, -200000, 20000, 0},
	    {"falls at once by all but a millisecond", 80, 250000, -249000, 1000, 0},
	    {"falls at once by half a second", 80, 600000, -500000, 100000, 0},
	    {"falls at once, and goes on to", 400, 500000, -250000, 20000, 0},
	    {"falls at once, restless", 80, 220000, -200000, 20000, 36000},
	    {"restless by less than two probes are apart", 800, 20000, 0, 20000, 36000},
	    {"restless, and grows", 800, 20000, 0, 420000, 36000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t seed = 1; seed <= SEEDS; seed++) {
			struct world w;

			world_init(&w, seed, rows[i].from_us);
			ramp(&w, 120, rows[i].from_us, rows[i].from_us);
			assert_true(quality_loss_known(&w.q.loss));
			w.most_permille = w.q.loss.permille;
			for (unsigned int k = 0; k < rows[i].count; k++) {
				int64_t at_once = (int64_t)rows[i].from_us + rows[i].by_us;

				probe(
				    &w,
				    (uint32_t)(at_once +
					       (rows[i].to_us - at_once) * k / rows[i].count) +
					(rows[i].restless_us ? chance(&w, rows[i].restless_us) : 0),
				    false);
			}
			ramp(&w, 80, rows[i].to_us, rows[i].to_us);
			if (w.most_permille)
				fail_msg("%s: %u of 1000 (%u)", rows[i].rule, w.most_permille,
					 seed);
		}
}

/* Somebody on the way keeps answers, and sends those of a fifth of a second at once: four or five. */
static void bursts_are_no_loss(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 20000);
	w.burst_us = SECOND_US / 5;
	for (unsigned int i = 0; i < 1000; i++) {
		probe(&w, 20000, false);
		assert_int_equal(w.q.loss.permille, 0);
	}
}

/* Of four probes the last is answered first: as soon as it is known that the way is so restless, that is no loss. */
static void answers_out_of_turn_are_no_loss(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 20000);
	for (unsigned int i = 0; i < 1000; i++) {
		probe(&w, 20000 + (3 - i % 4) * INTERVAL_US, false);
		if (i >= PATH_QUALITY_GROUP * PATH_QUALITY_GROUPS)
			assert_int_equal(w.q.loss.permille, 0);
	}
}

/* On a way so restless that by chance one probe's answer overtakes another's. Without the jitter it would be 33 of 1000. */
static void chance_of_turn_is_hardly_loss(void **state)
{
	uint64_t sum = 0, count = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		struct world w;

		world_init(&w, seed, 20000);
		for (unsigned int i = 0; i < 800; i++, count++) {
			probe(&w, 20000 + chance(&w, 80000), false);
			sum += w.q.loss.permille;
		}
	}
	assert_in_range(sum / count, 0, 2);
}

static void loss_is_counted(void **state)
{
	static const struct {
		uint8_t lost;
		uint16_t permille;
	} rows[] = {{0x00, 0}, {0x01, 125}, {0x11, 250}, {0x55, 500}};
	static const uint32_t delays_us[] = {6000, 45000, 120000};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; k < sizeof(delays_us) / sizeof(delays_us[0]); k++) {
			struct world w;

			world_init(&w, 1, delays_us[k]);
			lossy(&w, 240, delays_us[k], rows[i].lost);
			assert_true(quality_loss_known(&w.q.loss));
			/* of 32 to 40, which are no whole number of eights: one more or less */
			assert_in_range(w.q.loss.permille + 1000 / 32, rows[i].permille,
					rows[i].permille + 2000 / 32);
			ramp(&w, 180, delays_us[k], delays_us[k]); /* and forgotten */
			assert_int_equal(w.q.loss.permille, 0);
			path_quality_reset(&w.q);
			assert_false(quality_loss_known(&w.q.loss));
		}
}

/* Loss on a way that becomes longer or shorter, is long, is restless, or gives each answer twice, is what it is. */
static void loss_is_counted_where_the_way_changes(void **state)
{
	static const struct {
		uint32_t from_us, to_us, restless_us, twice_us;
	} rows[] = {
	    {20000, 20000, 0, 0},      {600000, 600000, 0, 0},	   {20000, 420000, 0, 0},
	    {420000, 20000, 0, 0},     {20000, 20000, 36000, 0},   {20000, 20000, 0, 1},
	    {20000, 20000, 0, 200000}, {420000, 20000, 0, 200000}, {600000, 600000, 0, SECOND_US}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned int percent = 5; percent <= 40; percent *= 2) {
			uint64_t sum = 0;

			for (uint32_t seed = 1; seed <= SEEDS; seed++) {
				struct world w;

				world_init(&w, seed, rows[i].from_us);
				w.twice_us = rows[i].twice_us;
				for (uint32_t k = 0; k < 400; k++) {
					uint32_t late_us = rows[i].restless_us
							       ? chance(&w, rows[i].restless_us)
							       : 0;

					probe(&w,
					      rows[i].from_us + late_us +
						  (uint32_t)(((int64_t)rows[i].to_us -
							      rows[i].from_us) *
							     k / 400),
					      chance(&w, 100) < percent);
					sum += k < 200 ? 0 : w.q.loss.permille;
				}
			}
			assert_in_range(sum / (200 * SEEDS), percent * 97 / 10, percent * 11);
		}
}

/* A path of 6 ms, of which a whole window came back, loses one: the next answer says so. */
static void loss_is_known_before_a_group_ends(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 6000);
	ramp(&w, 33, 6000, 6000);
	assert_true(quality_loss_known(&w.q.loss));
	for (unsigned int lost = 1; lost <= 2; lost++) {
		uint16_t before = w.q.loss.permille;

		probe(&w, 6000, true);
		probe(&w, 6000, false);
		assert_int_equal(w.q.loss.permille, before);
		probe(&w, 6000, false);
		assert_int_equal(w.q.loss.permille, lost * 1000 / (32 + 3 * lost));
	}
}

/* So many probes after a lost one left it is told. */
static unsigned int told_after(struct world *w, uint32_t delay_us)
{
	unsigned int after = 0;

	w->q.loss.permille = 0; /* as if none was told: any more is */
	for (probe(w, delay_us, true); !w->q.loss.permille; after++)
		probe(w, delay_us, false);
	return after;
}

static void loss_is_told_at_once_on_a_shorter_way(void **state)
{
	static const struct {
		const char *rule;
		uint32_t from_us, to_us;
		unsigned int since; /* so many probes ago it became so */
		unsigned int after;
	} rows[] = {
	    {"as it was", 20000, 20000, 20, 2}, {"by 80 ms", 100000, 20000, 1, 2},
	    {"by 200 ms", 220000, 20000, 1, 2}, {"by 200 ms, a while ago", 220000, 20000, 20, 2},
	    {"by 400 ms", 420000, 20000, 1, 4}, {"by 400 ms, a while ago", 420000, 20000, 20, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint32_t seed = 1; seed <= SEEDS; seed++) {
			struct world w;
			unsigned int after;

			world_init(&w, seed, rows[i].from_us);
			ramp(&w, 120, rows[i].from_us, rows[i].from_us);
			ramp(&w, rows[i].since, rows[i].to_us, rows[i].to_us);
			after = told_after(&w, rows[i].to_us);
			if (after > rows[i].after)
				fail_msg("%s: after %u (%u)", rows[i].rule, after, seed);
		}
}

static void probe_answered(struct path_quality *q, uint8_t number)
{
	path_quality_sent(q, number, INTERVAL_US, (struct monotime){0});
	path_quality_received(q, number, (struct monotime){20000});
}

/* Where answers overtake each other one is waited for as long as it may take, and what comes later still is lost no longer. */
static void what_may_be_overtaken_is_waited_for(void **state)
{
	struct path_quality q = {0};
	uint8_t n = 0;

	(void)state;
	while (n < 32)
		probe_answered(&q, n++);
	for (int i = 0; i < 100; i++) /* four times 20 ms, and 20: two probes leave within that */
		path_quality_round_trip(&q, i % 2 ? 20000 : 40000);
	path_quality_sent(&q, n, INTERVAL_US, (struct monotime){0});
	probe_answered(&q, (uint8_t)(n + 1));
	probe_answered(&q, (uint8_t)(n + 2));
	assert_int_equal(q.loss.permille, 0);
	path_quality_sent(&q, (uint8_t)(n + 3), INTERVAL_US, (struct monotime){0});
	assert_int_equal(q.loss.permille, 1000 / 35);
	path_quality_received(&q, n, (struct monotime){20000});
	assert_int_equal(q.loss.permille, 0);
}

/* Also where the number after it is the first of all. */
static void the_first_probe_may_have_any_number(void **state)
{
	static const uint8_t first[] = {0, 1, 254, 255};

	(void)state;
	for (size_t i = 0; i < sizeof(first); i++) {
		struct path_quality q = {0};

		path_quality_sent(&q, first[i], INTERVAL_US, (struct monotime){0});
		for (unsigned int n = 1; n < 40; n++)
			probe_answered(&q, (uint8_t)(first[i] + n));
		assert_in_range(q.loss.permille, 1000 / 40, 1000 / 32);
	}
}

/* For who says nothing there is the detection time; where that is longer, the probe that asked is given up. */
static void silence_is_no_loss_before_three_seconds(void **state)
{
	struct world w;
	struct monotime from;

	(void)state;
	world_init(&w, 1, 20000);
	ramp(&w, 40, 20000, 20000);
	from = w.now;
	while (monotime_between(from, w.now) < 29 * SECOND_US / 10)
		probe(&w, 20000, true);
	assert_int_equal(w.q.loss.permille, 0);
	while (monotime_between(from, w.now) < 42 * SECOND_US / 10)
		probe(&w, 20000, true);
	assert_int_equal(w.q.loss.permille, 1000);
}

static void it_is_known_when_a_window_was_answered(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (uint8_t i = 0; i < PATH_QUALITY_GROUP * PATH_QUALITY_GROUPS; i++) {
		assert_false(quality_loss_known(&q.loss));
		assert_false(path_quality_sent(&q, i, INTERVAL_US, (struct monotime){0}));
		assert_int_equal(path_quality_received(&q, i, (struct monotime){20000}),
				 i % 8 == 7);
	}
	assert_true(quality_loss_known(&q.loss));
	assert_int_equal(q.loss.permille, 0);
	for (uint8_t i = 32; i < 64; i++) { /* nothing new is said but once a group */
		assert_false(path_quality_sent(&q, i, INTERVAL_US, (struct monotime){0}));
		assert_int_equal(path_quality_received(&q, i, (struct monotime){20000}),
				 i % 8 == 7);
	}
}

/* Its group is of no loss that is told any more. */
static void an_answer_that_comes_when_all_is_forgotten_changes_nothing(void **state)
{
	struct path_quality q = {0};
	uint8_t n = 0;

	(void)state;
	while (n < 40)
		probe_answered(&q, n++);
	path_quality_sent(&q, n++, INTERVAL_US, (struct monotime){0});
	while (n < 50)
		probe_answered(&q, n++);
	assert_in_range(q.loss.permille, 1000 / 40, 1000 / 32);
	while (n < 100)
		probe_answered(&q, n++);
	assert_int_equal(q.loss.permille, 0);
	assert_false(path_quality_received(&q, 40, (struct monotime){60000000}));
	assert_int_equal(q.loss.permille, 0);
}

/* A probe's number comes again with the 256th after it: until then, at the fastest pace, it is given up. */
static void silence_is_told_before_the_numbers_come_again(void **state)
{
	struct path_quality q = {0};
	uint8_t n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		path_quality_sent(&q, n, 5000, (struct monotime){0});
		path_quality_received(&q, n++, (struct monotime){2000});
	}
	for (int i = 0; i < 300; i++)
		path_quality_sent(&q, n++, 5000, (struct monotime){0});
	assert_int_equal(q.loss.permille, 1000);
}

/* What comes twice, or from before the path was up, is nothing; the numbers go round. */
static void more_answers_than_probes_are_no_loss(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 256; i++)
		assert_false(path_quality_received(&q, (uint8_t)i, (struct monotime){1000000}));
	assert_int_equal(q.samples, 0);
	for (int i = 0; i < 600; i++) {
		probe_answered(&q, (uint8_t)i);
		assert_false(path_quality_received(&q, (uint8_t)i, (struct monotime){1000000}));
		assert_int_equal(q.loss.permille, 0);
	}
	assert_int_equal(q.round_trip_us, 20000);
	for (int i = 600; i < 1200; i++) { /* of four one is lost, and the next comes twice */
		path_quality_sent(&q, (uint8_t)i, INTERVAL_US, (struct monotime){0});
		for (int k = 0; i % 4 && k <= (i % 4 == 1); k++)
			path_quality_received(&q, (uint8_t)i, (struct monotime){20000});
	}
	assert_in_range(q.loss.permille, 240, 260);
}

/* A neighbour's packets are counted beside ours. */
static void of_a_neighbor_as_many_are_to_come(void **state)
{
	static const struct {
		uint8_t lost;
		uint16_t permille;
	} rows[] = {{0x00, 0}, {0x01, 125}, {0x11, 250}, {0x55, 500}, {0xff, 1000}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct neighbor_quality q = {0};

		for (unsigned int k = 0; k < 80; k++) {
			neighbor_quality_sent(&q);
			if (k >= 40 || !(rows[i].lost >> (k % 8) & 1))
				neighbor_quality_heard(&q);
			if (k == 40)
				assert_int_equal(q.loss.permille, rows[i].permille);
		}
		neighbor_quality_sent(&q); /* and forgotten */
		assert_true(quality_loss_known(&q.loss));
		assert_int_equal(q.loss.permille, 0);
	}
}

static void jitter_is_of_the_round_trip(void **state)
{
	struct path_quality q = {0};

	(void)state;
	path_quality_round_trip(&q, 3000000); /* the first probe waited for a handshake */
	assert_int_equal(path_quality_known_round_trip(&q), 0);
	for (int i = 0; i < 100; i++)
		path_quality_round_trip(&q, 20000);
	assert_int_equal(q.round_trip_us, 20000);
	assert_int_equal(q.jitter_us, 0);
	for (int i = 0; i < 200; i++)
		path_quality_round_trip(&q, i % 2 ? 10000 : 30000);
	assert_in_range(q.round_trip_us, 18000, 22000);
	assert_in_range(q.jitter_us, 19900, 20000); /* each is 20 ms from the one before */
	for (int i = 0; i < 200; i++)
		path_quality_round_trip(&q, 0);
	assert_in_range(q.round_trip_us, 0, 10);
	assert_in_range(q.jitter_us, 0, 20);
}

/* J += (|D| - J) / 16, by hand; the first four round trips are not of it. */
static void jitter_is_rfc_3550_s(void **state)
{
	static const uint32_t round_trip[] = {40000, 56000, 56000, 24000},
			      jitter[] = {0, 1000, 938, 2879};
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		path_quality_round_trip(&q, 40000 + (i == 2 ? 900000 : 0));
	for (size_t i = 0; i < sizeof(jitter) / sizeof(jitter[0]); i++) {
		path_quality_round_trip(&q, round_trip[i]);
		assert_int_equal(q.jitter_us, jitter[i]);
	}
}

/* By an eighth each; of the first four the least counts, wherever it stands. */
static void round_trip_is_smoothed(void **state)
{
	static const uint32_t firsts[][4] = {{40000, 50000, 3000000, 60000},
					     {3000000, 40000, 60000, 50000},
					     {60000, 50000, 50000, 40000}};
	static const uint32_t then[] = {40000, 56000, 56000, 24000},
			      smooth[] = {40000, 42000, 43750, 41282};

	(void)state;
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct path_quality q = {0};

		for (int k = 0; k < 4; k++) {
			assert_int_equal(path_quality_known_round_trip(&q), 0);
			path_quality_round_trip(&q, firsts[i][k]);
		}
		for (size_t k = 0; k < sizeof(then) / sizeof(then[0]); k++) {
			path_quality_round_trip(&q, then[k]);
			assert_int_equal(path_quality_known_round_trip(&q), smooth[k]);
		}
	}
}

/* The second of three is answered last: it is compared with the first, and with nothing where that was lost. */
static void jitter_of_what_was_overtaken_is_to_the_one_before_it(void **state)
{
	(void)state;
	for (int lost = 0; lost < 2; lost++) {
		struct path_quality q = {0};
		uint8_t n = 0;

		while (n < 8)
			probe_answered(&q, n++);
		assert_int_equal(q.jitter_us, 0);
		for (uint8_t i = 0; i < 3; i++)
			path_quality_sent(&q, (uint8_t)(n + i), INTERVAL_US, (struct monotime){0});
		if (!lost)
			path_quality_received(&q, n, (struct monotime){20000});
		path_quality_received(&q, (uint8_t)(n + 2), (struct monotime){20000});
		assert_int_equal(q.jitter_us, 0);
		path_quality_received(&q, (uint8_t)(n + 1), (struct monotime){36000});
		assert_int_equal(q.jitter_us, lost ? 0 : 1000);
		assert_int_equal(q.round_trip_us, 22000);
		path_quality_sent(&q, (uint8_t)(n + 3), INTERVAL_US, (struct monotime){0});
		path_quality_received(&q, (uint8_t)(n + 3), (struct monotime){20000});
		assert_int_equal(q.jitter_us, lost ? 0 : 938); /* to the newest in turn */
	}
}

/* A way that becomes 80 ms longer at once, and one that does so bit by bit: 5 ms is all that the first ever counts for. */
static void another_delay_is_no_jitter(void **state)
{
	struct path_quality q = {0};

	(void)state;
	for (int i = 0; i < 40; i++)
		path_quality_round_trip(&q, 20000);
	for (int i = 0; i < 40; i++) {
		path_quality_round_trip(&q, 100000);
		assert_in_range(q.jitter_us, 0, 5000);
	}
	assert_in_range(q.jitter_us, 0, 500);
	for (uint32_t us = 100000; us < 180000; us += 1000) {
		path_quality_round_trip(&q, us);
		assert_in_range(q.jitter_us, 0, 1000);
	}
}

static void limits_have_hysteresis(void **state)
{
	const struct path_limits none = {0}, l = {.loss_percent = 10,
						  .round_trip_us = 100000,
						  .jitter_us = 20000};

	(void)state;
	assert_false(path_quality_degraded(&none, 1000, 9999999, 9999999, false));
	assert_false(path_quality_degraded(&none, 0, 0, 0, true));
	assert_false(path_quality_degraded(&l, 100, 100000, 20000, false));
	assert_true(path_quality_degraded(&l, 101, 0, 0, false));
	assert_true(path_quality_degraded(&l, 50, 0, 0, true));
	assert_false(path_quality_degraded(&l, 49, 0, 0, true));
	assert_true(path_quality_degraded(&l, 0, 100001, 0, false));
	assert_true(path_quality_degraded(&l, 0, 75000, 0, true));
	assert_false(path_quality_degraded(&l, 0, 74999, 0, true));
	assert_true(path_quality_degraded(&l, 0, 0, 20001, false));
	assert_false(path_quality_degraded(&l, 0, 0, 14999, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(late_is_not_lost),
	    cmocka_unit_test(bursts_are_no_loss),
	    cmocka_unit_test(answers_out_of_turn_are_no_loss),
	    cmocka_unit_test(chance_of_turn_is_hardly_loss),
	    cmocka_unit_test(loss_is_counted),
	    cmocka_unit_test(loss_is_counted_where_the_way_changes),
	    cmocka_unit_test(loss_is_known_before_a_group_ends),
	    cmocka_unit_test(loss_is_told_at_once_on_a_shorter_way),
	    cmocka_unit_test(what_may_be_overtaken_is_waited_for),
	    cmocka_unit_test(the_first_probe_may_have_any_number),
	    cmocka_unit_test(silence_is_no_loss_before_three_seconds),
	    cmocka_unit_test(it_is_known_when_a_window_was_answered),
	    cmocka_unit_test(an_answer_that_comes_when_all_is_forgotten_changes_nothing),
	    cmocka_unit_test(silence_is_told_before_the_numbers_come_again),
	    cmocka_unit_test(more_answers_than_probes_are_no_loss),
	    cmocka_unit_test(of_a_neighbor_as_many_are_to_come),
	    cmocka_unit_test(jitter_is_of_the_round_trip),
	    cmocka_unit_test(jitter_is_rfc_3550_s),
	    cmocka_unit_test(round_trip_is_smoothed),
	    cmocka_unit_test(jitter_of_what_was_overtaken_is_to_the_one_before_it),
	    cmocka_unit_test(another_delay_is_no_jitter),
	    cmocka_unit_test(limits_have_hysteresis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
