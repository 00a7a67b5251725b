/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/path_quality.h"

void path_quality_reset(struct path_quality *q)
{
	*q = (struct path_quality){0};
}

bool path_quality_known(const struct path_quality *q)
{
	return q->known == PATH_QUALITY_GROUPS;
}

/* The group @back before the one that is filled now. */
static uint8_t *group(struct path_quality *q, unsigned int back)
{
	return &q->missing[(q->at + PATH_QUALITY_GROUPS + 1 - back) % (PATH_QUALITY_GROUPS + 1)];
}

static uint16_t loss_compute(struct path_quality *q)
{
	uint32_t missing = 0, sent = q->known * PATH_QUALITY_GROUP + q->judged;

	for (unsigned int back = 0; back <= q->known; back++)
		missing += *group(q, back);
	if (missing >= sent)
		return sent ? 1000 : 0;
	return (uint16_t)(missing * 1000 / sent);
}

/* What was taken for lost has come: the newest of it. */
static void forgive(struct path_quality *q, uint64_t came)
{
	for (unsigned int back = 0; came && back <= q->known; back++) {
		uint8_t *missing = group(q, back);
		uint8_t part = came < *missing ? (uint8_t)came : *missing;

		*missing -= part;
		came -= part;
	}
}

static void missing_add(struct path_quality *q, uint64_t missing)
{
	uint8_t *sum = group(q, 0);

	*sum = missing < (uint64_t)(UINT8_MAX - *sum) ? (uint8_t)(*sum + missing) : UINT8_MAX;
}

/* @return whether that ended its group. */
static bool probe_judge(struct path_quality *q)
{
	if (++q->judged < PATH_QUALITY_GROUP)
		return false;
	q->judged = 0;
	q->at = (uint8_t)((q->at + 1) % (PATH_QUALITY_GROUPS + 1));
	q->missing[q->at] = 0;
	q->known += q->known < PATH_QUALITY_GROUPS;
	return true;
}

/*
 * Of @count probes more it is known what became of them: so many more are missing, or less than was thought before.
 * That loss is less a whole group says, that it is more is known at once.
 */
static bool judge(struct path_quality *q, uint32_t count, int64_t missing)
{
	uint16_t before = q->loss_permille, loss;
	bool anew = missing < 0;

	if (missing < 0) {
		forgive(q, (uint64_t)-missing);
		missing = 0;
	} else if (!count) {
		missing_add(q, (uint64_t)missing);
	}
	for (uint32_t i = 0; i < count; i++) { /* spread evenly */
		missing_add(q, (uint64_t)missing * (i + 1) / count - (uint64_t)missing * i / count);
		anew |= probe_judge(q);
	}
	loss = loss_compute(q);
	if (anew || (path_quality_known(q) && loss > before))
		q->loss_permille = loss;
	return anew || q->loss_permille != before;
}

/* So many probes can leave within @us: at 75 to 100 % of the interval. */
static uint64_t probes_within(const struct path_quality *q, uint64_t us)
{
	return us * 4 / (UINT64_C(3) * q->interval_us);
}

static uint64_t restless_us(const struct path_quality *q)
{
	return UINT64_C(4) * q->jitter_us;
}

/* As the round trip and jitter were. */
static uint64_t under_way(const struct path_quality *q)
{
	return q->samples < 4 ? PATH_QUALITY_GROUP
			      : probes_within(q, q->round_trip_us + restless_us(q));
}

static int64_t missing_of(const struct path_quality *q, uint32_t sent)
{
	return (int64_t)q->owed + sent - q->received;
}

static bool guess(struct path_quality *q)
{
	uint64_t sent = (uint64_t)q->ahead + q->after, away = under_way(q);
	uint32_t judged = sent > away + q->guessed ? (uint32_t)(sent - away) : q->guessed;
	int64_t missing = missing_of(q, judged);
	uint32_t charged = missing > 0 ? (uint32_t)missing : 0;
	bool changed = false;

	if (judged != q->guessed || charged != q->charged)
		changed = judge(q, judged - q->guessed, (int64_t)charged - q->charged);
	q->guessed = judged;
	q->charged = charged;
	return changed;
}

bool path_quality_sent(struct path_quality *q, uint32_t interval_us, bool asks)
{
	bool changed;

	q->interval_us = interval_us;
	q->shortened_us -=
	    q->shortened_us < interval_us / 4 * 3 ? q->shortened_us : interval_us / 4 * 3;
	q->asked_lost |= q->asked && asks;
	changed = q->asked_lost && guess(q);
	if (asks) {
		q->ahead += q->after + 1;
		q->after = 0;
		q->asked = true;
	} else if (q->asked) {
		q->after++;
	} else {
		q->ahead++;
	}
	return changed;
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/*
 * Of what is @missing at a Final: what was at the one before, and more than can have been overtaken. Where the way has just become
 * shorter, what was missing before is on the longer one still.
 */
static int64_t lost_of(const struct path_quality *q, int64_t missing)
{
	int64_t beyond = missing - (int64_t)probes_within(q, restless_us(q) + q->shortened_us);
	int64_t most = missing > 0 ? missing : 0;
	int64_t least = within(q->owed > beyond && !q->shortened_us ? q->owed : beyond, 0, most);

	return within(q->charged, least, most);
}

/* The Final came: up to the probe that asked all is there or missing. */
static bool settle(struct path_quality *q)
{
	int64_t missing = missing_of(q, q->ahead), lost = lost_of(q, missing);
	uint32_t count = q->ahead > q->guessed ? q->ahead - q->guessed : 0;
	bool changed = judge(q, count, lost - q->charged);

	q->owed = (int32_t)within(missing - lost, -(int64_t)q->after, INT32_MAX);
	q->ahead = q->after;
	q->after = q->received = q->guessed = q->charged = 0;
	q->asked = q->asked_lost = false;
	return changed;
}

bool path_quality_received(struct path_quality *q, bool final)
{
	q->received++;
	if (final && q->asked)
		return settle(q);
	if (q->asked && missing_of(q, q->ahead) <= 0) /* not even itself is under way */
		q->asked_lost = true;
	return false;
}

bool path_quality_sent_to_neighbor(struct path_quality *q)
{
	uint32_t received = q->received;

	/* a group ends when the packet after its last leaves */
	if (q->ahead++ < PATH_QUALITY_GROUP)
		return false;
	q->ahead = 1;
	q->received = 0;
	return judge(q, PATH_QUALITY_GROUP,
		     received < PATH_QUALITY_GROUP ? PATH_QUALITY_GROUP - received : 0);
}

static uint32_t smoothed(uint32_t old, uint32_t sample, unsigned int share)
{
	int64_t difference = (int64_t)sample - old;

	return (uint32_t)(old + difference / (int64_t)share);
}

void path_quality_round_trip(struct path_quality *q, uint32_t us)
{
	if (q->samples < 4) {
		if (!q->samples++ || us < q->round_trip_us)
			q->round_trip_us = q->last_us = us;
		return;
	}
	if (us < q->round_trip_us && q->round_trip_us - us > restless_us(q))
		q->shortened_us = q->round_trip_us - us;
	q->jitter_us =
	    smoothed(q->jitter_us, us > q->last_us ? us - q->last_us : q->last_us - us, 16);
	q->round_trip_us = smoothed(q->round_trip_us, us, 8);
	q->last_us = us;
}

uint32_t path_quality_known_round_trip(const struct path_quality *q)
{
	return q->samples < 4 ? 0 : q->round_trip_us;
}

static bool above(uint64_t value, uint64_t limit, bool was, unsigned int percent)
{
	if (!limit)
		return false;
	return was ? value * 100 >= limit * percent : value > limit;
}

bool path_quality_degraded(const struct path_limits *l, uint16_t loss_permille,
			   uint32_t round_trip_us, uint32_t jitter_us, bool was)
{
	return above(loss_permille, l->loss_percent * UINT64_C(10), was, 50) ||
	       above(round_trip_us, l->round_trip_us, was, 75) ||
	       above(jitter_us, l->jitter_us, was, 75);
}
