/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_SELECTION_H
#define TUYEN_CORE_SELECTION_H

#include "tuyen/base/monotime.h"
#include "tuyen/core/desired.h"

/** What the probes say of one candidate path. */
enum path_liveness {
	PATH_UNKNOWN, /* not heard since the daemon started */
	PATH_UP,
	PATH_DOWN,
};

struct path_state {
	uint8_t index;
	enum path_liveness liveness;
	struct monotime since; /* of liveness, or of the end of being degraded if that is later */
	bool
	    degraded; /* up, and worse than policy bears: another that is up and is not goes before it */
	struct monotime
	    damped_until; /* it failed again and again (core/damping.h): until then others that are up go before it */
	bool
	    in_doubt; /* up, and silent for longer than its links would bear: it may be repaired on the way, or not */
	bool
	    session_dead; /* its endpoint's session has had no handshake for so long that nothing goes by it */
};

/**
 * Chooses a candidate path for each (color, endpoint), RFC 9256 section 2.9 with hold-down. Pure.
 *  1. The path in use stays while it is up or unknown, unless a path of higher preference has been
 *     up for the policy's revert hold time.
 *  2. If it is down: the up path of the highest preference at once; else one that is unknown; else it stays
 *     (a path that all probes call down may still be the only one there is).
 *  3. Nothing in use yet: the highest preference that is up, else unknown, else any.
 *  4. If it is up and degraded: the up path of the highest preference that is not, at once. A degraded path is gone back to
 *     under rule 1 when it has been better for the hold time; where all are degraded, none is left for that. One in doubt is
 *     left the same way, and gone back to without a hold when it answers: it was never down.
 *  5. A path that is damped is held as spare: it is not gone back to under rule 1, and under rules 2, 3 and 4 only where no
 *     other does. In use, it stays: that it may fail again is no failure. Nor is it left for a doubt alone where the
 *     others are damped too: of ways that are all in doubt again and again, none is better.
 * Of endpoints that share a LAN one carries what is meant for it: by the same rules, its rank for the preference and the
 * liveness of its own path in use for its own. One whose session is dead is as one whose path is down, and one whose path is degraded
 * is left for one whose path is not; a doubt alone moves nothing here. The others' paths are chosen all the same, so that their
 * sessions stay warm.
 * @previous  what is in use; entries whose path no longer exists count as nothing.
 * @ret_next_look  when a hold time ends and this must be asked again; MONOTIME_NEVER if none does.
 */
void selection_choose(const struct forwarding *forwarding, const struct path_state *states,
		      size_t state_count, const struct active_paths *previous, struct monotime now,
		      struct active_paths *ret_active, struct monotime *ret_next_look);

/** The same way to the same end, whatever its index: indexes are given out anew with each release. */
bool selection_same_path(const struct fwd_path *a, const struct fwd_path *b);

/**
 * What is in use, under the indexes of the next release. An entry whose path is no more is left out, so that what is
 * known to be up is chosen before a newcomer that has the old one's index.
 * @ret_active  may be @active.
 */
void selection_carry_over(const struct forwarding *old, const struct forwarding *next,
			  const struct active_paths *active, struct active_paths *ret_active);

#endif
