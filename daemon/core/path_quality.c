/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/path_quality.h"

#include <assert.h>

void path_quality_reset(struct path_quality *q)
{
	*q = (struct path_quality){0};
}

void neighbor_quality_reset(struct neighbor_quality *q)
{
	*q = (struct neighbor_quality){0};
}

bool quality_loss_known(const struct quality_loss *l)
{
	return l->known == PATH_QUALITY_GROUPS;
}

/* The group @back before the one that is filled now. */
static uint8_t *group(struct quality_loss *l, unsigned int back)
{
	return &l->missing[(l->at + PATH_QUALITY_GROUPS + 1 - back) % (PATH_QUALITY_GROUPS + 1)];
}

/* Of one at least it is known what became of it, and of none more than once. */
static uint16_t loss_compute(struct quality_loss *l)
{
	uint32_t missing = 0, sent = l->known * PATH_QUALITY_GROUP + l->judged;

	for (unsigned int back = 0; back <= l->known; back++)
		missing += *group(l, back);
	assert(sent && missing <= sent);
	return (uint16_t)(missing * 1000 / sent);
}

/* @return whether that ended its group. */
static bool probe_judge(struct quality_loss *l)
{
	if (++l->judged < PATH_QUALITY_GROUP)
		return false;
	l->judged = 0;
	l->at = (uint8_t)((l->at + 1) % (PATH_QUALITY_GROUPS + 1));
	l->missing[l->at] = 0;
	l->known += l->known < PATH_QUALITY_GROUPS;
	return true;
}

/* That loss is less a whole group says, or a late answer; that it is more is known at once. */
static bool loss_tell(struct quality_loss *l, bool anew)
{
	uint16_t loss = loss_compute(l);

	if (!anew && (!quality_loss_known(l) || loss <= l->permille))
		return false;
	l->permille = loss;
	return true;
}

/* Of one probe more it is known what became of it. */
static bool judge(struct quality_loss *l, bool missing)
{
	*group(l, 0) += missing;
	return loss_tell(l, probe_judge(l));
}

/* What was taken for lost has come: it is taken from the newest of the missing. */
static bool forgive(struct quality_loss *l)
{
	for (unsigned int back = 0; back <= l->known; back++)
		if (*group(l, back)) {
			--*group(l, back);
			return loss_tell(l, true);
		}
	return false;
}

/* The oldest is given up before as many are out as there are numbers: then the next would be the oldest's, and all look as none. */
#define AGE_MOST (PATH_QUALITY_NUMBERS - 3)

/* So many probes can leave within @us: at 75 to 100 % of the interval. */
static uint8_t probes_within(const struct path_quality *q, uint64_t us)
{
	uint64_t probes = us * 4 / (UINT64_C(3) * q->interval_us);

	return probes < AGE_MOST ? (uint8_t)probes : AGE_MOST;
}

/* So many leave before an answer can have come, as the round trip and jitter are. */
static uint8_t patience(const struct path_quality *q)
{
	return q->samples < 4 ? PATH_QUALITY_GROUP
			      : probes_within(q, q->last_us + UINT64_C(4) * q->jitter_us);
}

/* So many left after it. */
static uint8_t age(const struct path_quality *q, uint8_t number)
{
	return (uint8_t)(q->newest - number);
}

static bool under_way(const struct path_quality *q, uint8_t number)
{
	return q->probe[number].fate == PROBE_UNDER_WAY || q->probe[number].fate == PROBE_OVERTAKEN;
}

/* All that left before @end and have no answer yet. */
static void overtake(struct path_quality *q, uint8_t end)
{
	for (uint8_t n = q->oldest; n != end; n++)
		if (q->probe[n].fate == PROBE_UNDER_WAY)
			q->probe[n].fate = PROBE_OVERTAKEN;
}

/* Overtaken, and out for longer than it was to take when it left, and than it would take now: lost. */
static bool overdue_judge(struct path_quality *q)
{
	uint8_t end = (uint8_t)(q->newest + 1), now = patience(q);
	bool changed = false;

	for (uint8_t n = q->oldest; n != end; n++) {
		if (q->probe[n].fate != PROBE_OVERTAKEN || age(q, n) <= now ||
		    age(q, n) <= q->probe[n].patience)
			continue;
		q->probe[n].fate = PROBE_MISSING;
		changed |= judge(&q->loss, true);
	}
	while (q->oldest != end && !under_way(q, q->oldest))
		q->oldest++;
	return changed;
}

bool path_quality_sent(struct path_quality *q, uint8_t number, uint32_t interval_us,
		       struct monotime now)
{
	q->interval_us = interval_us;
	if (!under_way(q, q->oldest)) /* then none is: the first of all may have any number */
		q->oldest = number;
	q->newest = number;
	q->probe[number] =
	    (struct path_quality_probe){(uint32_t)now.us, PROBE_UNDER_WAY, patience(q)};
	if (age(q, q->oldest) > probes_within(q, BFD_ROUND_TRIP_MAX_US))
		overtake(q, number);
	return overdue_judge(q);
}

static uint32_t smoothed(uint32_t old, uint32_t sample, unsigned int share)
{
	int64_t difference = (int64_t)sample - old;

	return (uint32_t)(old + difference / (int64_t)share);
}

static void jitter_take(struct path_quality *q, uint32_t us, uint32_t before_us)
{
	q->jitter_us = smoothed(q->jitter_us, us > before_us ? us - before_us : before_us - us, 16);
}

void path_quality_round_trip(struct path_quality *q, uint32_t us)
{
	if (q->samples < 4) {
		if (!q->samples++ || us < q->round_trip_us)
			q->round_trip_us = q->last_us = us;
		return;
	}
	jitter_take(q, us, q->last_us);
	q->round_trip_us = smoothed(q->round_trip_us, us, 8);
	q->last_us = us;
}

static void round_trip_of_overtaken(struct path_quality *q, uint8_t number, uint32_t us)
{
	const struct path_quality_probe *before = &q->probe[(uint8_t)(number - 1)];

	if (q->samples < 4)
		return;
	if (before->fate == PROBE_ANSWERED && before->us)
		jitter_take(q, us, before->us);
	q->round_trip_us = smoothed(q->round_trip_us, us, 8);
}

bool path_quality_received(struct path_quality *q, uint8_t number, struct monotime now)
{
	struct path_quality_probe *probe = &q->probe[number];
	enum path_quality_fate fate = probe->fate;
	bool changed;

	if (fate == PROBE_ANSWERED) /* once more, or it is of none of ours */
		return false;
	probe->fate = PROBE_ANSWERED;
	probe->us = (uint32_t)now.us - probe->us;
	if (fate == PROBE_UNDER_WAY) {
		path_quality_round_trip(q, probe->us);
		overtake(q, number);
	} else {
		round_trip_of_overtaken(q, number, probe->us);
	}
	changed = fate == PROBE_MISSING ? forgive(&q->loss) : judge(&q->loss, false);
	return overdue_judge(q) || changed;
}

void neighbor_quality_heard(struct neighbor_quality *q)
{
	q->received++;
}

bool neighbor_quality_sent(struct neighbor_quality *q)
{
	uint32_t received = q->received;
	bool changed = false;

	/* a group ends when the packet after its last leaves */
	if (q->sent++ < PATH_QUALITY_GROUP)
		return false;
	q->sent = 1;
	q->received = 0;
	for (uint32_t i = 0; i < PATH_QUALITY_GROUP; i++)
		changed |= judge(&q->loss, i >= received);
	return changed;
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
