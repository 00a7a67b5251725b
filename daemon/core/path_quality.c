/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/path_quality.h"

void path_quality_reset(struct path_quality *q)
{
	*q = (struct path_quality){0};
}

/* Of the groups that are known, and @missing of @sent more. */
static uint16_t loss_compute(const struct path_quality *q, unsigned int missing, unsigned int sent)
{
	sent += q->known * PATH_QUALITY_GROUP;
	for (uint8_t i = 0; i < q->known; i++)
		missing += q->missing[i];
	return (uint16_t)(sent ? missing * 1000 / sent : 0);
}

bool path_quality_known(const struct path_quality *q)
{
	return q->known == PATH_QUALITY_GROUPS;
}

/* So many of this group's answers may yet come. */
static uint64_t under_way(const struct path_quality *q, uint32_t interval_us)
{
	uint64_t longest_us = q->round_trip_us + UINT64_C(4) * q->jitter_us;

	return q->samples < 4 || !interval_us ? PATH_QUALITY_GROUP : longest_us / interval_us;
}

/* Only ever more: that it is less, whole groups say. @return whether it is. */
static bool more_is_missing(struct path_quality *q, uint32_t interval_us)
{
	uint64_t there = q->received + under_way(q, interval_us);
	uint16_t loss;

	if (!path_quality_known(q) || q->sent <= there + q->early)
		return false;
	q->early = (uint8_t)(q->sent - there);
	loss = loss_compute(q, q->early, q->sent);
	if (loss <= q->loss_permille)
		return false;
	q->loss_permille = loss;
	return true;
}

bool path_quality_sent(struct path_quality *q, uint32_t interval_us)
{
	uint16_t before = q->loss_permille;
	bool known = path_quality_known(q);

	if (q->sent < PATH_QUALITY_GROUP) { /* a group ends when the probe after its last leaves */
		bool more = more_is_missing(q, interval_us);

		q->sent++;
		return more;
	}
	q->missing[q->at] =
	    q->received < PATH_QUALITY_GROUP ? (uint8_t)(PATH_QUALITY_GROUP - q->received) : 0;
	q->at = (uint8_t)((q->at + 1) % PATH_QUALITY_GROUPS);
	q->known += q->known < PATH_QUALITY_GROUPS;
	q->sent = 1;
	q->received = q->early = 0;
	q->loss_permille = loss_compute(q, 0, 0);
	return q->loss_permille != before || path_quality_known(q) != known;
}

void path_quality_received(struct path_quality *q)
{
	q->received += q->received < UINT8_MAX;
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
