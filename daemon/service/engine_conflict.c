/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other sites' addresses on devices of this box: a fact of the box, as its lines are. What is done against them is desired state, which
 * the turn plans and applies. But while it waits for its pause, and reads, nothing reaches the other site: so an address that comes is
 * answered at once, by two messages, and the turn verifies them.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define HURRIED_A_SECOND 4u /* each is a reading of the kernel's table */

static bool is_uplink(const struct engine *e, const char *device)
{
	for (size_t i = 0; i < e->uplinks.count; i++)
		if (!strcmp(e->uplinks.entry[i].device, device))
			return true;
	return false;
}

static int endpoint_leads_over(struct engine *e, const struct ip_endpoint *endpoint,
			       uint32_t ifindex, bool *ret_over)
{
	ipv4_t address = engine_ipv4_of(endpoint);

	return address && !*ret_over ? kernel_leads_over(e->kernel, address, ifindex, ret_over) : 0;
}

/* Is a neighbour reached over it, where it is called or where it was heard? */
static int neighbors_are_over(struct engine *e, uint32_t ifindex, bool *ret_over)
{
	const struct forwarding *f = &e->release.forwarding;
	int err = 0;

	for (size_t i = 0; !err && i < f->neighbor_count; i++) {
		err = endpoint_leads_over(e, &f->neighbors[i].endpoint, ifindex, ret_over);
		if (!err && e->seen)
			err = endpoint_leads_over(e, &e->seen[i], ifindex, ret_over);
	}
	return err;
}

static int is_lans(struct engine *e, uint32_t ifindex, bool *ret_lans)
{
	const struct forwarding *f = &e->release.forwarding;
	int err = 0;

	for (size_t i = 0; !err && !*ret_lans && i < f->lan_count; i++)
		err = kernel_lan_over(e->kernel, f->lans[i], ifindex, ret_lans);
	return err;
}

static int is_line(struct engine *e, const struct address_conflict *c, bool *ret_line)
{
	int err = 0;

	*ret_line = is_uplink(e, c->device);
	if (!*ret_line)
		err = kernel_device_is_default(e->kernel, c->device, ret_line);
	if (!err && !*ret_line)
		err = neighbors_are_over(e, c->ifindex, ret_line);
	return err;
}

/*
 * Which device it stands on, and whether that may be a line. While an address is passed over the kernel takes no route with it as its
 * source: a line that gets one before its routes, as all do, would never come up. So it must be a LAN's, or have nothing behind it.
 */
static int place(struct engine *e, struct address_conflict *c)
{
	bool within = false;
	int err = kernel_device_name(e->kernel, c->ifindex, c->device, &within);

	if (err || !*c->device)
		return err;
	if (!within)
		err = is_lans(e, c->ifindex, &within);
	c->of_line = !within;
	return !err && within ? is_line(e, c, &c->of_line) : err;
}

static bool same(const struct address_conflicts *a, const struct address_conflicts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->entry[i].address != b->entry[i].address ||
		    a->entry[i].of_line != b->entry[i].of_line ||
		    strcmp(a->entry[i].device, b->entry[i].device) != 0)
			return false;
	return true;
}

/* While it was passed over the kernel took no route with it as its source: none to its network, if its device came up meanwhile. */
static void given_back_say(const struct address_conflict *c)
{
	char address[IPV4_STRLEN];

	log_info("%s on %s is no other site's any more; where a route to its network is missing, "
		 "set the device down and up",
		 ipv4_format(c->address, address), c->device);
}

static void given_back_look(const struct engine *e, const struct address_conflicts *now,
			    const struct own_address *own, size_t count)
{
	for (size_t i = 0; i < e->conflicts.count; i++) {
		const struct address_conflict *c = &e->conflicts.entry[i];

		if (c->of_line || conflict_of(now, c->address))
			continue;
		for (size_t k = 0; k < count; k++)
			if (own[k].address == c->address) {
				given_back_say(c);
				break;
			}
	}
}

int engine_conflicts_look(struct engine *e, struct reason *reason)
{
	struct address_conflicts now;
	struct own_address *own;
	size_t count;
	int err = kernel_own_read(e->kernel, &own, &count, reason);

	if (err)
		return err;
	conflicts_find(&e->release.forwarding, own, count, &now);
	given_back_look(e, &now, own, count);
	free(own);
	for (size_t i = 0; !err && i < now.count; i++)
		err = place(e, &now.entry[i]);
	if (err)
		return reason_set(reason, err,
				  "cannot read the kernel: whose device an address is on");
	if (!same(&now, &e->conflicts))
		engine_expect(e, EXPECTED_MOVES);
	e->conflicts = now;
	return 0;
}

/* Many addresses that come one after the other would each have all of them read. */
static bool may_hurry(struct engine *e)
{
	struct monotime now = monotime_now();

	if (monotime_between(e->conflicts_hurried_since, now) >= 1000000) {
		e->conflicts_hurried_since = now;
		e->conflicts_hurried = 0;
	}
	return e->taken_over && e->release.status.have && e->conflicts_hurried++ < HURRIED_A_SECOND;
}

static void pass_over(struct engine *e, const struct kernel_state *routes)
{
	struct kernel_report report = {0};
	struct kernel_plan *plan;

	if (kernel_plan_routes(routes, &plan) < 0)
		return;
	if (plan->count)
		kernel_apply_routes(e->kernel, plan, &report);
	e->operations += report.applied;
	e->netlink_messages += report.netlink_messages;
	kernel_plan_free(plan);
}

void engine_conflicts_hurry(struct engine *e)
{
	struct address_conflicts before = e->conflicts;
	struct kernel_state *routes;
	struct reason reason;

	if (!may_hurry(e) || engine_conflicts_look(e, &reason) < 0)
		return;
	routes = kernel_state_new();
	if (routes && conflicts_desire(&e->conflicts, &before, routes) == 0)
		pass_over(e, routes); /* what failed, the turn does */
	kernel_state_free(routes);
}

void engine_conflicts_say(struct engine *e)
{
	char words[CONFLICTS_STRLEN];
	struct text line;

	if (same(&e->conflicts, &e->conflicts_said))
		return;
	e->conflicts_said = e->conflicts;
	if (*conflicts_format(&e->conflicts, false, words))
		log_warning("another site's address stands on a device of this box: %s; those on a "
			    "LAN's device are passed over; take them away (ip address delete)",
			    words);
	else
		log_info("no other site's address stands on a device of this box any more");
	text_init(&line);
	status_event_conflict(words, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}
