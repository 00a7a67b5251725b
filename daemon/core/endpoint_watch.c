/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/endpoint_watch.h"

#include <string.h>

static void note(struct monotime *times, size_t count, struct monotime now)
{
	memmove(times + 1, times, (count - 1) * sizeof(*times));
	times[0] = now;
}

static bool within(struct monotime then, struct monotime now, uint64_t us)
{
	return then.us && monotime_between(then, now) < us;
}

/* What comes at the next look is brief, also where a look at many peers takes its time. */
static uint64_t brief_us(const struct endpoint_watch *w, struct monotime now)
{
	uint64_t gap_us = w->seen_at.us ? monotime_between(w->seen_at, now) : 0,
		 us = gap_us + gap_us / 2;

	if (us < ENDPOINT_WATCH_BRIEF_US)
		return ENDPOINT_WATCH_BRIEF_US;
	return us < ENDPOINT_WATCH_BRIEF_MAX_US ? us : ENDPOINT_WATCH_BRIEF_MAX_US;
}

/* Nobody but a second box has reason to call when the first is heard and its key is young. */
static bool is_needless(const struct endpoint_watch *w, struct monotime now)
{
	return within(w->handshake_at, now, ENDPOINT_WATCH_REKEY_US) &&
	       within(w->heard_at, w->seen_at, brief_us(w, now));
}

static void call_look(struct endpoint_watch *w, const struct endpoint_sight *sight,
		      struct monotime now)
{
	if (sight->handshake_s && sight->handshake_s != w->seen.handshake_s) {
		if (is_needless(w, now))
			note(w->called, ENDPOINT_WATCH_CALLS, now);
		w->handshake_at = now;
	}
	if (sight->rx_bytes != w->seen.rx_bytes)
		w->heard_at = now;
}

/* @return its place among those known, or the last one, which is forgotten for it. */
static size_t place_find(const struct endpoint_watch *w, const struct ip_endpoint *endpoint)
{
	size_t i = 1;

	while (i < ENDPOINT_WATCH_PLACES - 1 && !ip_endpoint_equal(&w->place[i].endpoint, endpoint))
		i++;
	return i;
}

static void place_look(struct endpoint_watch *w, const struct ip_endpoint *endpoint,
		       struct monotime now)
{
	size_t at;

	if (!endpoint->family || ip_endpoint_equal(endpoint, &w->place[0].endpoint))
		return;
	at = place_find(w, endpoint);
	if (ip_endpoint_equal(&w->place[at].endpoint, endpoint) &&
	    within(w->place[at].left, now, brief_us(w, now)))
		note(w->returned, ENDPOINT_WATCH_RETURNS, now);
	w->place[0].left = now;
	memmove(w->place + 1, w->place, at * sizeof(w->place[0]));
	w->place[0] = (struct endpoint_place){.endpoint = *endpoint};
}

bool endpoint_watch_step(struct endpoint_watch *w, const struct endpoint_sight *sight,
			 struct monotime now)
{
	bool was = w->twice;

	call_look(w, sight, now);
	place_look(w, &sight->endpoint, now);
	w->seen = *sight;
	w->seen_at = now;
	w->twice =
	    within(w->returned[was ? 0 : ENDPOINT_WATCH_RETURNS - 1], now, ENDPOINT_WATCH_US) &&
	    (was || within(w->called[ENDPOINT_WATCH_CALLS - 1], now, ENDPOINT_WATCH_US));
	return w->twice != was;
}

bool endpoint_watch_wary(const struct endpoint_watch *w, struct monotime now)
{
	return !w->twice && within(w->called[0], now, ENDPOINT_WATCH_WARY_US);
}
