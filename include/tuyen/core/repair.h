/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_REPAIR_H
#define TUYEN_CORE_REPAIR_H

#include "tuyen/base/monotime.h"
#include "tuyen/core/kernel_state.h"
#include "tuyen/core/message.h"
#include "tuyen/core/selection.h"
#include "tuyen/topology/forwarding.h"

/**
 * Local repair: which neighbours' traffic goes by the repairs of its bundle lines, because their link is down. Pure.
 * A repair set is an array of enum repair_link, one each of the forwarding's neighbors.
 */

/** From the last packet that was answered. */
static inline uint64_t repair_detection_us(const struct probe_timers *probe)
{
	return (uint64_t)probe->interval_us * probe->multiplier;
}

#define REPAIR_HOLD_US 5000000u /* a link must be up so long before traffic goes back to it */
#define REPAIR_LONGEST_US                                                                          \
	60000000u /* and at most so long when it fails again and again: core/damping.h */
#define REPAIR_NEVER_UP_US 3000000u /* a session that was never up says "down" only after this */

/**
 * The same for a session of what served until its daemon ended: no handshake and no far end's start are to be waited for. The
 * second packet goes out a second after the first at the latest (RFC 5880 section 6.8.3), and a detection time later both were in vain.
 */
uint64_t repair_served_us(const struct probe_timers *probe);

/**
 * What BFD says of a link, as far as forwarding goes: a neighbour that shuts its session down by intent
 * (AdminDown, RFC 5882 section 3.2) says nothing of the link, nor does a session that has only begun, for @grace_us.
 * @ret_next_look  set earlier when time alone changes the answer.
 */
enum path_liveness repair_link_liveness(const struct message_liveness *last, struct monotime since,
					uint64_t grace_us, struct monotime now,
					struct monotime *ret_next_look);

/**
 * What becomes of the link's traffic from now on; @was: until now. Around it at once when the link is down; over it
 * again when it has been up for REPAIR_HOLD_US and is not damped any more; as it is while nothing is known.
 * @since  long ago: it need not show that it holds.
 */
enum repair_link repair_step(enum repair_link was, enum path_liveness link, struct monotime since,
			     struct monotime damped_until, struct monotime now,
			     struct monotime *ret_next_look);

/**
 * Does what goes to @next_site take @repair instead? Where the repair's own neighbour is down too, it does not.
 * @repaired  NULL: none is.
 */
bool repair_used(const struct forwarding *f, const enum repair_link *repaired, uint32_t next_site,
		 const struct fwd_repair *repair);

/** What becomes of that neighbour's link. @repaired NULL, or no such neighbour: it is used. */
enum repair_link repair_link_of(const struct forwarding *f, const enum repair_link *repaired,
				uint32_t site_id);

/** What @actual does already: how a restarted daemon takes over. @ret_repaired: one each of f's neighbors. */
void repair_read(const struct forwarding *f, const struct kernel_state *actual,
		 enum repair_link *ret_repaired);

/** Has the bundle a repair for anything that goes to this neighbour? */
bool repair_there(const struct forwarding *f, uint32_t site_id);

/** Does anything go another way when this neighbour's link falls or rises: has it a repair, or is it one's first hop? */
bool repair_matters(const struct forwarding *f, uint32_t site_id);

/** Label routes, ways back and paths of ours that take a repair under @repaired. */
size_t repair_count(const struct forwarding *f, const enum repair_link *repaired, uint32_t site_id);

#endif
