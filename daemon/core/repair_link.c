/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a link's traffic goes around it. Going there is at once, for that is what a repair is for;
 * going back waits until the link has held for a while, so that a line that flaps costs one change
 * every REPAIR_HOLD_US, and one that goes on flapping waits longer each time. Either way a route is replaced by one whose way is there already.
 *
 * A link whose neighbour says that it is administratively down forwards on: its daemon is being
 * stopped, or upgraded. One that has just begun, or hears its neighbour begin, is unknown, and what the kernel does is left alone:
 * so a daemon that restarts takes over the repairs that it finds.
 */
#include "tuyen/core/repair.h"

uint64_t repair_served_us(const struct probe_timers *probe)
{
	uint64_t interval_us =
	    probe->interval_us > BFD_SLOW_INTERVAL_US ? probe->interval_us : BFD_SLOW_INTERVAL_US;
	uint64_t us = interval_us + repair_detection_us(probe);

	return us < REPAIR_NEVER_UP_US ? us : REPAIR_NEVER_UP_US;
}

enum path_liveness repair_link_liveness(const struct message_liveness *last, struct monotime since,
					uint64_t grace_us, struct monotime now,
					struct monotime *ret_next_look)
{
	struct monotime grace = monotime_after(since, grace_us);

	if (last->state == BFD_STATE_UP)
		return PATH_UP;
	if (last->by_intent || last->state == BFD_STATE_ADMIN_DOWN)
		return PATH_UNKNOWN;
	if ((last->state == BFD_STATE_DOWN && last->diagnostic != BFD_DIAG_NONE) ||
	    monotime_reached(now, grace))
		return PATH_DOWN;
	*ret_next_look = monotime_min(*ret_next_look, grace);
	return PATH_UNKNOWN;
}

enum repair_link repair_step(enum repair_link was, enum path_liveness link, struct monotime since,
			     struct monotime damped_until, struct monotime now,
			     struct monotime *ret_next_look)
{
	struct monotime held = monotime_after(since, REPAIR_HOLD_US);

	if (monotime_before(held, damped_until))
		held = damped_until;
	switch (link) {
	case PATH_DOWN:
		return REPAIR_LINK_DOWN;
	case PATH_UNKNOWN:
		return was;
	case PATH_UP:
		if (was == REPAIR_LINK_USED || monotime_reached(now, held))
			return REPAIR_LINK_USED;
		*ret_next_look = monotime_min(*ret_next_look, held);
		return REPAIR_LINK_HELD;
	}
	return was;
}
