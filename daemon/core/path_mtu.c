/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/path_mtu.h"

#define LOST_MAX	2u /* of one size in a row, while searching */
#define LOST_MAX_STEADY 3u /* before what passed is doubted */
#define TIMEOUT_MIN_US	50000u
#define TIMEOUT_MAX_US	1000000u

void path_mtu_init(struct path_mtu *m, uint16_t ceiling, uint16_t passes, uint32_t interval_us,
		   uint64_t detection_us, struct monotime now)
{
	uint64_t timeout_us = detection_us < TIMEOUT_MIN_US   ? TIMEOUT_MIN_US
			      : detection_us > TIMEOUT_MAX_US ? TIMEOUT_MAX_US
							      : detection_us;

	*m = (struct path_mtu){
	    .ceiling = ceiling,
	    .passes = passes,
	    .until_raise = 1, /* it may be long ago that less was found */
	    .every_us = (uint64_t)interval_us * PATH_MTU_EVERY,
	    .timeout_us = timeout_us,
	    .due = monotime_after(now, (uint64_t)interval_us * PATH_MTU_EVERY),
	};
}

static void search_begin(struct path_mtu *m, uint16_t low, uint16_t high)
{
	m->searching = true;
	m->whole_asked = false;
	m->low = low;
	m->high = high;
}

/* @return whether what passes is another than was believed. */
static bool search_end(struct path_mtu *m)
{
	bool changed = m->passes != m->low;

	m->searching = false;
	m->proven = true;
	m->passes = m->low;
	m->until_raise = PATH_MTU_RAISE;
	return changed;
}

/*
 * A size was lost too often. What passed until now and does no longer is said at once, with the least
 * that is worth anything in its place, and better when more is known.
 * @return whether m->passes changed.
 */
static bool size_fails(struct path_mtu *m)
{
	if (m->searching) {
		m->whole_asked = m->high - m->low <= 1;
		if (!m->whole_asked)
			m->high = m->size;
		return false;
	}
	if (m->size > m->passes) { /* one that asked for more */
		search_begin(m, m->passes, m->size);
		return false;
	}
	if (m->passes <= PATH_MTU_FLOOR)
		return false;
	search_begin(m, PATH_MTU_FLOOR, m->size);
	m->passes = PATH_MTU_FLOOR;
	m->proven = true;
	return true;
}

/* One more in a row for every 4 % of loss: 30 % of loss in a row so often is one in thousands. */
static bool loss_count(struct path_mtu *m, uint16_t loss_permille)
{
	unsigned int most = (m->searching || m->size > m->passes ? LOST_MAX : LOST_MAX_STEADY) +
			    loss_permille / 40u;

	m->in_flight = false;
	if (++m->lost < most)
		return false;
	m->lost = 0;
	return size_fails(m);
}

static uint16_t size_choose(struct path_mtu *m)
{
	if (m->lost)
		return m->size; /* once more */
	if (m->searching)
		return m->high - m->low > 1 ? (uint16_t)(m->low + (m->high - m->low) / 2)
					    : m->ceiling;
	if (m->passes == m->ceiling)
		return m->passes;
	if (m->until_raise && --m->until_raise)
		return m->passes;
	m->until_raise = PATH_MTU_RAISE;
	return m->ceiling;
}

uint16_t path_mtu_step(struct path_mtu *m, struct monotime now, bool alive, uint16_t loss_permille,
		       bool *ret_changed)
{
	struct monotime next;

	*ret_changed = false;
	if (!monotime_reached(now, m->due))
		return 0;
	if (!alive) {
		if (m->searching)
			m->until_raise = 1; /* the first thing to ask when it is back */
		m->in_flight = m->searching = false;
		m->lost = 0;
		m->due = monotime_after(now, m->every_us);
		return 0;
	}
	if (m->in_flight)
		*ret_changed = loss_count(m, loss_permille);
	if (m->searching && m->whole_asked) {
		*ret_changed |= search_end(m);
		m->due = monotime_after(now, m->every_us);
		return 0;
	}
	next = monotime_after(m->sent_at, m->gap_us);
	if (m->sent_at.us && monotime_before(now, next)) {
		m->due = next;
		return 0;
	}
	m->size = size_choose(m);
	m->in_flight = true;
	m->sent_at = now;
	m->due = monotime_after(now, m->timeout_us + 2 * m->gap_us);
	return m->size;
}

bool path_mtu_answer(struct path_mtu *m, uint16_t size, struct monotime now)
{
	bool changed = false;

	if (!m->in_flight || size != m->size)
		return false; /* a small one, or one that was given up */
	m->in_flight = false;
	m->lost = 0;
	if (m->searching) {
		m->low = size;
		m->whole_asked = size == m->ceiling;
		m->due = now;
		return false;
	}
	if (size > m->passes) {
		m->passes = size;
		changed = true;
	}
	m->proven = true;
	m->due = monotime_after(now, m->every_us);
	return changed;
}
