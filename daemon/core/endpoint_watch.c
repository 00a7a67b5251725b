/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/endpoint_watch.h"

#include <string.h>

static void returned(struct endpoint_watch *w, struct monotime now)
{
	memmove(w->returned + 1, w->returned, sizeof(w->returned) - sizeof(w->returned[0]));
	w->returned[0] = now;
}

static bool lately(struct monotime then, struct monotime now)
{
	return then.us && monotime_between(then, now) < ENDPOINT_WATCH_US;
}

bool endpoint_watch_step(struct endpoint_watch *w, const struct ip_endpoint *endpoint,
			 struct monotime now)
{
	bool was = w->twice;

	if (endpoint->family && !ip_endpoint_equal(endpoint, &w->now)) {
		if (w->before.family && ip_endpoint_equal(endpoint, &w->before))
			returned(w, now);
		w->before = w->now;
		w->now = *endpoint;
	}
	w->twice = lately(w->returned[was ? 0 : ENDPOINT_WATCH_RETURNS - 1], now);
	return w->twice != was;
}
