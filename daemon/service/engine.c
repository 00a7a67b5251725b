/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn. Facts (a release, a path's liveness, the kernel changed) mark the engine dirty; one
 * turn chooses candidate paths, builds desired state, reads actual state, plans their difference
 * and applies it. A start, a restart, a failover, a repair and a new release are this one code. A
 * plan that is not empty although none of our own facts changed is drift: somebody changed the
 * kernel; it is repaired and said.
 *
 * Repairs that are undone again and again are not fought in a loop: the pause between them doubles.
 * A name that something else has taken costs what hangs on it, and no more.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/path_mtu.h"
#include "tuyen/core/plan.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define PERIOD_MIN_US	    5000000u /* look at all of the kernel at least this often */
#define SILENT_LOOK_MIN_US  2000000u /* and at what sends no events, which costs little; */
#define SILENT_OF_LOOK	    50u	     /* but spend no more than a fiftieth of the time on that */
#define PERIOD_WARY_US	    1000000u /* while a neighbour may speak from two places */
#define PERIOD_OF_TURN	    20u	     /* but spend no more than a twentieth of the time on it */
#define SETTLE_US	    50000u   /* after a kernel event: changes come in groups */
#define REPAIR_PAUSE_MAX_US 30000000u
#define HURRIED_A_SECOND                                                                           \
	32u /* turns for a path that changed: more than twice the paths there can be */
#define LINK_HURRIED_A_SECOND 4u
#define REST_OF_TURN	      4u /* after a turn kernel events wait so many times what it took */
#define LOOKS_MAX	      4u /* at the kernel in one turn, where facts change meanwhile */
#define CANCELLED_MAX	      3u /* plans in a row, of which links that failed left the rest */
#define STOOD_STILL_US	      60000000u /* no turn takes so long, and keys live thrice as long */

static void timer_set(struct event *timer, uint64_t us)
{
	struct timeval tv = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

	event_add(timer, &tv);
}

/* A turn that is due sooner stays: events that never stop must not put it off for ever. */
static void turn_in(struct engine *e, uint64_t us)
{
	struct monotime at = monotime_after(monotime_now(), us);

	if (event_pending(e->turn_event, EV_TIMEOUT, NULL) && !monotime_before(at, e->turn_at))
		return;
	e->turn_at = at;
	timer_set(e->turn_event, us);
}

/* After the rest of the turn that runs, if one does. */
static void turn_when_rested(struct engine *e)
{
	if (e->in_turn)
		e->turn_wanted = true;
	else
		turn_in(e, monotime_between(monotime_now(), e->rest_until) + SETTLE_US);
}

static enum expected most(enum expected a, enum expected b)
{
	return a > b ? a : b;
}

void engine_expect(struct engine *e, enum expected expected)
{
	e->facts++;
	e->expected = most(e->expected, expected);
}

/* turn_at tells what comes before it runs that it is due: another event_add() would put it off. */
void engine_dirty(struct engine *e, enum expected expected)
{
	engine_expect(e, expected);
	if (!e->turn_event)
		return;
	e->turn_at = monotime_now();
	event_active(e->turn_event, EV_TIMEOUT, 0);
}

/*
 * A failover does not wait. But whoever holds the wire process may say any number of times that a
 * path is down and up: what is more than all paths could do in a second waits like the kernel's
 * events.
 */
void engine_hurry(struct engine *e)
{
	struct monotime now = monotime_now();

	if (monotime_between(e->hurried_since, now) >= 1000000) {
		e->hurried_since = now;
		e->hurried_count = 0;
	}
	engine_expect(e, EXPECTED_MOVES);
	if (e->hurried_count < HURRIED_A_SECOND) {
		e->hurried_count++;
		engine_dirty(e, EXPECTED_MOVES);
	} else {
		turn_when_rested(e);
	}
}

/*
 * A session that starts says Down without a diagnostic: it has heard nothing yet, which is unknown
 * and not down.
 */
enum path_liveness engine_path_liveness(const struct status_liveness *l, struct monotime now,
					struct monotime *next_look)
{
	struct monotime grace = monotime_after(l->since, engine_grace_us(l));

	if (!l->known)
		return PATH_UNKNOWN;
	if (l->last.state == BFD_STATE_UP)
		return PATH_UP;
	if (l->last.diagnostic != BFD_DIAG_NONE || monotime_reached(now, grace))
		return PATH_DOWN;
	*next_look = monotime_min(*next_look, grace);
	return PATH_UNKNOWN;
}

/* What padded probes found that the path in use carries, where that is less than it should; else 0. */
static uint16_t mtu_of(const struct engine *e, const struct active_path *a)
{
	const struct forwarding *f = &e->release.forwarding;
	const struct fwd_path *p = forwarding_path(f, a->index);
	const struct status_liveness *l = p ? &e->paths[p - f->paths] : NULL;

	return l && status_liveness_narrow(l, p) ? (uint16_t)l->last.mtu : 0;
}

/* A path that is up and whose session has no key yet carries nothing. */
static enum path_liveness liveness_for_use(const struct engine *e, size_t path, struct monotime now,
					   struct monotime *next_look)
{
	enum path_liveness liveness = engine_path_liveness(&e->paths[path], now, next_look);

	if (liveness == PATH_DOWN && engine_served_waits(e, path, now, next_look))
		return PATH_UNKNOWN;
	return liveness == PATH_UP && e->paths[path].keyless ? PATH_UNKNOWN : liveness;
}

static void choose(const struct engine *e, const struct active_paths *previous,
		   struct active_paths *ret_active, struct monotime *ret_next_look)
{
	const struct forwarding *f = &e->release.forwarding;
	struct path_state states[SITE_PATHS_MAX];
	struct monotime now = monotime_now(), grace = MONOTIME_NEVER;
	size_t count = 0;

	for (size_t i = 0; i < f->path_count && count < SITE_PATHS_MAX; i++)
		states[count++] = (struct path_state){
		    .index = f->paths[i].index,
		    .liveness = liveness_for_use(e, i, now, &grace),
		    .since = monotime_before(e->paths[i].since, e->paths[i].better_since)
				 ? e->paths[i].better_since
				 : e->paths[i].since,
		    .degraded =
			e->paths[i].degraded || status_liveness_narrow(&e->paths[i], &f->paths[i]),
		    .damped_until = e->paths[i].damping.until,
		    .in_doubt = status_liveness_in_doubt(&e->paths[i]),
		    .session_dead = e->paths[i].session_dead,
		};
	selection_choose(f, states, count, previous, now, ret_active, ret_next_look);
	for (size_t i = 0; i < ret_active->count; i++)
		ret_active->entry[i].mtu = mtu_of(e, &ret_active->entry[i]);
	*ret_next_look = monotime_min(*ret_next_look, grace);
}

static bool claims_equal(const struct lan_claim *a, const struct lan_claim *b)
{
	return !strcmp(a->device, b->device) && !ipv4_prefix_compare(&a->part, &b->part) &&
	       !strcmp(a->obstacle ? a->obstacle : "", b->obstacle ? b->obstacle : "");
}

static void claim_say(struct engine *e, const struct lan_claim *claim)
{
	char part[IPV4_PREFIX_STRLEN];
	struct text line;

	if (claims_equal(claim, &e->claim))
		return;
	e->claim = *claim;
	if (*claim->device && claim->obstacle)
		log_error(
		    "a route leads over line %s to %s, which is of the LAN behind another device: nothing "
		    "of it comes or goes by that line, and its hosts are cut off, for the LAN's own routes cannot be "
		    "set before it (%s); take the route away",
		    claim->device, ipv4_prefix_format(claim->part, part), claim->obstacle);
	else if (*claim->device)
		log_warning(
		    "a route leads over line %s to %s, which is of the LAN behind another device: nothing "
		    "of it comes or goes by that line, and the LAN's own routes are before it; take the route away",
		    claim->device, ipv4_prefix_format(claim->part, part));
	else
		log_info("no route leads over a line to the LAN any more");
	text_init(&line);
	status_event_claim(claim, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}

/* A line that has no way for a while is a line still. */
static void carriers_stay(const struct engine *e, struct desired_lines *lines)
{
	for (size_t i = 0; i < e->lines.carrier_count; i++)
		desired_lines_add_carrier(lines, e->lines.carrier[i]);
}

/* Who calls nobody has his lines named, or is left as he is: his default route may be the LAN's. */
static void lans_inner_look(struct engine *e, bool calls, struct desired_lines *lines)
{
	const struct forwarding *f = &e->release.forwarding;
	struct lan_claim claim = {.device = ""};

	if ((calls || lines->carrier_count) && f->lan_count &&
	    kernel_lans_inner(e->kernel, f->lans, f->lan_count, lines, &claim) < 0) {
		carriers_stay(e, lines);
		for (size_t i = 0; i < e->lines.inner_count; i++)
			desired_lines_add_inner(lines, e->lines.inner[i]);
		for (size_t i = 0; i < e->lines.way_count; i++)
			desired_lines_add_way(lines, &e->lines.way[i]);
		lines->inner_more = e->lines.inner_more;
		claim = e->claim;
	}
	if (lines->inner_more && !e->lines.inner_more)
		log_warning(
		    "the LAN has more than %d parts behind other devices than lines: of the narrowest "
		    "nothing is kept from a line that claims them",
		    DESIRED_INNER_MAX);
	claim_say(e, &claim);
}

/* @return false if the kernel did not answer. */
static bool line_look(struct engine *e, const struct fwd_neighbor *n, struct desired_lines *lines)
{
	char device[KERNEL_IFNAME_MAX] = "";
	ipv4_t gateway = 0;
	uint32_t ifindex = 0;
	bool inner;

	if (kernel_next_hop(e->kernel, engine_ipv4_of(&n->endpoint), &gateway, &ifindex) < 0 ||
	    (ifindex && kernel_device_name(e->kernel, ifindex, device, &inner) < 0))
		return false;
	desired_lines_add_hop(lines, gateway);
	desired_lines_add_carrier(lines, device);
	if (!ifindex)
		carriers_stay(e, lines);
	return true;
}

/* By way of those whom we call: each is reached by a line of ours. When the kernel does not answer, those of before stay too. */
static void lines_look(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct desired_lines lines = {.count = 0};
	bool failed = false, calls = false;

	for (size_t i = 0; i < e->uplinks.count; i++) {
		desired_lines_add_hop(&lines, e->uplinks.entry[i].gateway);
		desired_lines_add_device(&lines, e->uplinks.entry[i].device);
		desired_lines_add_carrier(&lines, e->uplinks.entry[i].device);
	}
	for (size_t i = 0; i < f->neighbor_count; i++) {
		calls |= f->neighbors[i].caller;
		if (f->neighbors[i].caller && f->neighbors[i].endpoint.family == 4)
			failed |= !line_look(e, &f->neighbors[i], &lines);
	}
	for (size_t i = 0; failed && i < e->lines.count; i++)
		desired_lines_add_hop(&lines, e->lines.hop[i]);
	if (failed)
		carriers_stay(e, &lines);
	lans_inner_look(e, calls, &lines);
	e->lines = lines;
}

/*
 * Does no way lead to any of the networks behind it? One of several that is gone may be so at every gateway, and no reason to leave
 * this one. What could not be asked is as it was.
 */
static bool lans_away(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	bool there = false;

	for (size_t i = 0; i < f->lan_count && !there; i++)
		if (kernel_lan_there(e->kernel, f->lans[i], &there) < 0)
			return e->lan_away;
	return f->lan_count && !there;
}

static void say_lan(struct engine *e)
{
	struct text line;

	if (!e->lan_away)
		log_info("a way leads to the LAN again");
	else if (e->release.forwarding.lan_shared)
		log_warning("no way leads to the shared LAN: no probe is answered, so that "
			    "sites go by the other gateways");
	else
		log_warning("no way leads to the LAN: what is for it is lost; is its cable in, and "
			    "has its device an address?");
	text_init(&line);
	status_event_lan(e->lan_away, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}

/*
 * A gateway that is cut off from the data centre's LAN would swallow what other gateways could deliver. Nobody takes another
 * site's place: its links, paths and sessions go on, and nothing else says why no host there is reached.
 */
static void lans_look(struct engine *e)
{
	bool away = lans_away(e);

	if (away == e->lan_away)
		return;
	e->lan_away = away;
	say_lan(e);
	if (e->release.forwarding.lan_shared)
		engine_wire_configure(e);
}

/* Whose device it is makes it none of ours to open. */
static void lans_closed_look(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	char closed[KERNEL_IFNAME_MAX] = "";

	if (e->lan_away)
		return; /* its device is not known, and may be closed as before */
	for (size_t i = 0; i < f->lan_count && !*closed; i++)
		if (kernel_lan_closed(e->kernel, f->lans[i], closed) < 0)
			return;
	if (strcmp(closed, e->lan_closed) == 0)
		return;
	memcpy(e->lan_closed, closed, sizeof(closed));
	if (*closed)
		log_warning(
		    "net.ipv4.conf.%s.forwarding is 0: nothing that comes from the LAN by it "
		    "goes on; 1 serves",
		    closed);
	else
		log_info("what comes from the LAN is forwarded again");
}

/* What the box's own lines and addresses ask for. */
static int desired_of_box(const struct engine *e, struct kernel_state *desired)
{
	int err = 0;

	if (e->uplinks.count)
		err = node_uplinks_desire(&e->uplinks, &e->release.forwarding, e->seen, desired);
	return err ? err : conflicts_desire(&e->conflicts, NULL, desired);
}

static int desired_make(const struct engine *e, const struct active_paths *active,
			struct kernel_state **ret_desired, struct reason *reason)
{
	int err = desired_build_repaired(&e->release.forwarding, &e->keys, active, e->repaired,
					 &e->lines, ret_desired);

	if (!err && (e->uplinks.count || e->conflicts.count)) {
		err = desired_of_box(e, *ret_desired);
		if (err) {
			kernel_state_free(*ret_desired);
			*ret_desired = NULL;
		} else {
			kernel_state_sort(*ret_desired);
		}
	}
	return err ? reason_set(reason, err, "desired state: %s", tuyen_strerror(err)) : 0;
}

static bool same_route6(const struct node_uplink *a, const struct node_uplink *b)
{
	return a->has_route6 == b->has_route6 && ipv6_equal(&a->gateway6, &b->gateway6);
}

static void uplink_say_ipv6(const struct node_uplink *u)
{
	char gateway[IPV6_STRLEN];
	bool by = !ipv6_is_none(&u->gateway6);

	if (u->has_route6)
		log_info("uplink %s: IPv6 over %s%s%s", u->underlay, u->device, by ? " by " : "",
			 by ? ipv6_format(&u->gateway6, gateway) : "");
	else
		log_warning(
		    "uplink %s: no default route of IPv6 over %s: what should go over it goes "
		    "nowhere",
		    u->underlay, u->device);
}

static void uplink_say_ipv4(const struct node_uplink *u)
{
	char gateway[IPV4_STRLEN];

	if (u->has_route)
		log_info("uplink %s: over %s%s%s", u->underlay, u->device, u->gateway ? " by " : "",
			 u->gateway ? ipv4_format(u->gateway, gateway) : "");
	else
		log_warning(
		    "uplink %s: no default route over %s: what should go over it goes nowhere",
		    u->underlay, u->device);
}

/* What is another than before; of a family that the line has not, nothing, unless it has neither. */
static void uplink_say(const struct node_uplink *before, const struct node_uplink *u)
{
	static const struct node_uplink nothing;
	const struct node_uplink *was = before ? before : &nothing;
	bool is_ipv6_alone = u->has_route6 && !was->has_route && !u->has_route;

	if (!is_ipv6_alone && (!before || u->has_route != was->has_route ||
			       u->gateway != was->gateway || u->source != was->source))
		uplink_say_ipv4(u);
	if (!same_route6(was, u))
		uplink_say_ipv6(u);
	if (u->strict && !was->strict)
		log_warning(
		    "uplink %s: net.ipv4.conf.%s.rp_filter is 1, which drops what comes by a line that is not the main "
		    "table's: 2 serves",
		    u->underlay, u->device);
}

static void conflict_say(struct engine *e)
{
	const struct fwd_neighbor *first, *second;
	bool conflict = node_uplinks_conflict(&e->uplinks, &e->release.forwarding, &first, &second);

	if (conflict && e->uplinks_conflict != second->site_id)
		log_warning("%s and %s are called at one address, by %s and %s: both go by %s",
			    first->name, second->name, first->underlay, second->underlay,
			    first->underlay);
	e->uplinks_conflict = conflict ? second->site_id : 0;
}

/* Two links that should go by two lines, and nobody said which devices these are. */
static void links_unnamed_say(struct engine *e)
{
	const struct fwd_neighbor *link, *parallel;
	bool unnamed = node_uplinks_unnamed(&e->uplinks, &e->release.forwarding, &link, &parallel);

	if (unnamed && e->uplinks_unnamed != parallel->site_id)
		log_warning("%s is called over %s and %s, and not both have a device: one cut may "
			    "take both links; name them, as in UPLINKS=fibre=eth0,lte=wwan0 in "
			    "/etc/tuyen/node.conf",
			    link->name, link->underlay, parallel->underlay);
	e->uplinks_unnamed = unnamed ? parallel->site_id : 0;
}

/* Once a release. */
static void uplinks_unused_say(struct engine *e)
{
	const struct node_uplink *u = node_uplinks_unused(&e->uplinks, &e->release.forwarding);

	if (e->uplinks_unused_epoch == e->release.status.epoch)
		return;
	e->uplinks_unused_epoch = e->release.status.epoch;
	if (u)
		log_warning(
		    "uplink %s: no link of this site goes by a line of that name, and nothing is "
		    "led over %s: is it misspelt in /etc/tuyen/node.conf?",
		    u->underlay, u->device);
}

/* What could not be read is as it was; before anything is known, no route of an earlier life must go. */
static int uplinks_unread(struct engine *e, int err, const struct reason *reason)
{
	if (!e->uplinks.count)
		return err;
	if (!e->uplinks_lost)
		log_warning("%s: they are taken to be as they were", reason->text);
	e->uplinks_lost = true;
	return 0;
}

/* A lease that ends or comes anew is a fact of the box, and what follows from it is no drift. */
static int uplinks_look(struct engine *e, struct reason *reason)
{
	struct node_uplinks now = e->options->uplinks;
	int err = kernel_uplinks(e->kernel, &now, reason);

	if (err)
		return uplinks_unread(e, err, reason);
	for (size_t i = 0; i < now.count; i++) {
		struct node_uplinks before = {.entry = {e->uplinks.entry[i]}, .count = 1};
		struct node_uplinks after = {.entry = {now.entry[i]}, .count = 1};

		if (!e->uplinks.count || !node_uplinks_equal(&before, &after)) {
			uplink_say(e->uplinks.count ? &e->uplinks.entry[i] : NULL, &now.entry[i]);
			engine_expect(e, EXPECTED_MOVES);
		}
	}
	e->uplinks = now;
	e->uplinks_lost = false;
	conflict_say(e);
	links_unnamed_say(e);
	uplinks_unused_say(e);
	return 0;
}

const struct kernel_peer *engine_link_peer(const struct kernel_state *actual,
					   const struct fwd_neighbor *n)
{
	struct kernel_peer wanted = {.device = ""};

	strcpy(wanted.device, desired_link_device(n->site_id));
	memcpy(wanted.public_key, n->link_key, sizeof(wanted.public_key));
	return actual->peer_count ? bsearch(&wanted, actual->peers, actual->peer_count,
					    sizeof(wanted), kernel_peer_compare)
				  : NULL;
}

/* So is a neighbour that roams, or calls for the first time. */
static void seen_look(struct engine *e, const struct kernel_state *actual)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; actual && e->uplinks.count && i < f->neighbor_count; i++) {
		const struct kernel_peer *p = engine_link_peer(actual, &f->neighbors[i]);
		const struct ip_endpoint nowhere = {0}, *at = p ? &p->endpoint : &nowhere;

		/* Another port leads the same way. */
		if (at->family != e->seen[i].family ||
		    memcmp(at->address, e->seen[i].address, sizeof(at->address)) != 0)
			engine_expect(e, EXPECTED_MOVES);
		e->seen[i] = *at;
	}
}

/* What an earlier life measured is what is known, until a probe says better. */
static void mtu_take_over(struct engine *e, const struct active_paths *found)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < found->count; i++) {
		const struct fwd_path *p = forwarding_path(f, found->entry[i].index);

		if (p && !e->paths[p - f->paths].last.mtu && found->entry[i].mtu >= PATH_MTU_FLOOR)
			e->paths[p - f->paths].last.mtu = found->entry[i].mtu;
	}
}

/* A link that fails is repaired here; of whatever changed, what was wanted and what was read is void. */
static bool wire_heard(void *context)
{
	struct engine *e = context;
	uint64_t before = e->facts;

	pair_receive(e->pair);
	return e->facts != before;
}

/* What should be there, of what is known now, and what is there. */
static int look_once(struct engine *e, const struct active_paths *previous,
		     struct kernel_state **ret_desired, struct kernel_state **ret_actual,
		     struct active_paths *ret_active, struct monotime *ret_next_look,
		     struct reason *reason)
{
	int err;

	choose(e, previous, ret_active, ret_next_look);
	err = desired_make(e, ret_active, ret_desired, reason);
	if (!err)
		err = kernel_read(e->kernel, *ret_desired, ret_actual, reason);
	if (err) {
		kernel_state_free(*ret_desired);
		*ret_desired = NULL;
	}
	return err;
}

/* Links and paths that change without end must not keep it from an end: the last time nobody is heard. */
static int look_heeding(struct engine *e, const struct active_paths *previous,
			struct kernel_state **ret_desired, struct kernel_state **ret_actual,
			struct active_paths *ret_active, struct monotime *ret_next_look,
			struct reason *reason)
{
	int err = -TUYEN_ECANCELED;

	for (unsigned int i = 0; err == -TUYEN_ECANCELED && i < LOOKS_MAX; i++) {
		bool heeding = e->pair && i + 1 < LOOKS_MAX;

		kernel_set_between(e->kernel, heeding ? wire_heard : NULL, e);
		err = look_once(e, previous, ret_desired, ret_actual, ret_active, ret_next_look,
				reason);
	}
	kernel_set_between(e->kernel, NULL, NULL);
	return err;
}

/* What could not be read is as it was: all else that a turn does must not wait for it. */
static void conflicts_look(struct engine *e)
{
	struct reason reason;
	bool unread = engine_conflicts_look(e, &reason) < 0;

	if (unread && !e->conflicts_unread)
		log_warning("%s", reason.text);
	e->conflicts_unread = unread;
}

int engine_look(struct engine *e, struct kernel_state **ret_desired,
		struct kernel_state **ret_actual, struct kernel_plan **ret_plan,
		struct active_paths *ret_active, struct monotime *ret_next_look,
		struct reason *reason)
{
	struct kernel_state *desired = NULL, *actual = NULL;
	struct active_paths previous = e->active;
	int err;

	if (!e->release.status.have)
		return reason_set(reason, -TUYEN_ENOENT, "no release is in force yet");
	err = uplinks_look(e, reason);
	if (err)
		return err;
	seen_look(e, e->actual);
	conflicts_look(e);
	lines_look(e);
	err = look_heeding(e, &previous, &desired, &actual, ret_active, ret_next_look, reason);
	if (!err && !e->taken_over) { /* what forwards already is what we go on with */
		desired_active_read(&e->release.forwarding, actual, &previous);
		repair_read(&e->release.forwarding, actual, e->repaired);
		engine_served_read(e, actual, &previous);
		mtu_take_over(e, &previous);
		seen_look(e, actual);
		conflicts_look(e);
		choose(e, &previous, ret_active, ret_next_look);
		kernel_state_free(desired);
		desired = NULL;
		err = desired_make(e, ret_active, &desired, reason);
	}
	if (!err) {
		kernel_state_call_back(desired, actual, e->stood ? e->stood : e->actual);
		err = kernel_plan_build(desired, actual, ret_plan, reason);
	}
	if (err) {
		kernel_state_free(desired);
		kernel_state_free(actual);
		return err;
	}
	*ret_desired = desired;
	*ret_actual = actual;
	return 0;
}

static const struct active_path *active_find(const struct active_paths *a,
					     const struct active_path *of)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entry[i].color == of->color &&
		    a->entry[i].endpoint_site == of->endpoint_site)
			return &a->entry[i];
	return NULL;
}

static bool switched(const struct active_paths *before, const struct active_paths *now)
{
	for (size_t i = 0; i < now->count; i++) {
		const struct active_path *was = active_find(before, &now->entry[i]);

		if (!was || was->index != now->entry[i].index ||
		    was->carries != now->entry[i].carries)
			return true;
	}
	return false;
}

static void say_switch(struct engine *e, const struct active_path *from,
		       const struct active_path *to)
{
	struct text line;

	text_init(&line);
	status_event_switch(&e->release.forwarding, from, to, (int64_t)time(NULL), &line);
	log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
}

static uint8_t slot_of(const struct engine *e, const struct active_path *a)
{
	const struct fwd_session_peer *p =
	    forwarding_peer(&e->release.forwarding, a->color, a->endpoint_site);

	return p ? forwarding_peer_slot(&e->release.forwarding, p) : 0;
}

static void say_gateway(struct engine *e, const struct active_path *to)
{
	struct text line;

	text_init(&line);
	status_event_gateway(&e->release.forwarding, to, (int64_t)time(NULL), &line);
	log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
}

/* The far end follows with the first packet from the new source: send it one now. */
static void switches_announce(struct engine *e, const struct active_paths *before)
{
	for (size_t i = 0; i < e->active.count; i++) {
		const struct active_path *to = &e->active.entry[i];
		const struct active_path *from = active_find(before, to);
		char device[KERNEL_IFNAME_MAX];

		if (from && to->carries && !from->carries)
			say_gateway(e, to);
		if (!from || from->index == to->index)
			continue;
		e->poke_due = true;
		desired_session_name(to->color, slot_of(e, to), device);
		if (kernel_session_poke(e->kernel, device) < 0)
			log_warning("%s: no keepalive could be sent", device);
	}
}

/* Away from a path in doubt and back is nothing that anybody need know: it is said when the doubt is over. */
static void switches_say(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct active_paths said = e->active;

	for (size_t i = 0; i < e->active.count; i++) {
		const struct active_path *to = &e->active.entry[i];
		const struct active_path *from = active_find(&e->said, to);
		const struct fwd_path *p = from ? forwarding_path(f, from->index) : NULL;

		if (!p || from->index == to->index)
			continue;
		if (status_liveness_in_doubt(&e->paths[p - f->paths]))
			said.entry[i].index = from->index;
		else
			say_switch(e, from, to);
	}
	e->said = said;
}

/* A switch that was said while part of its plan failed: the far end was called before the way was
 * there. */
static void sessions_poke(struct engine *e)
{
	for (size_t i = 0; i < e->active.count; i++) {
		char device[KERNEL_IFNAME_MAX];

		desired_session_name(e->active.entry[i].color, slot_of(e, &e->active.entry[i]),
				     device);
		kernel_session_poke(e->kernel, device);
	}
	e->poke_due = false;
}

static void failure_note(struct engine *e, const char *what)
{
	if (strcmp(e->last_failure, what) != 0)
		log_error("%s", what);
	snprintf(e->last_failure, sizeof(e->last_failure), "%s", what);
}

/* What somebody put into the kernel's table of the box's own by hand wins over every route: not ours to take away. @return whether it is so; @reason says it. */
static bool address_own(struct engine *e, ipv4_t address, struct reason *reason)
{
	char words[IPV4_STRLEN];
	bool own;

	if (kernel_address_own(e->kernel, address, &own) < 0 || !own)
		return false;
	ipv4_format(address, words);
	reason_set(reason, 0,
		   "%s is another site's and is taken for this box's own, so that nothing "
		   "reaches it: take it away (ip route show table local %s)",
		   words, words);
	return true;
}

static bool address_conflict(struct engine *e, struct reason *reason)
{
	const struct forwarding *f = &e->release.forwarding;

	for (size_t i = 0; i < f->path_count; i++)
		if (address_own(e, f->paths[i].endpoint, reason))
			return true;
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (address_own(e, f->neighbors[i].link_address, reason))
			return true;
	return false;
}

/* What a line has is needed there. */
static bool line_conflict(const struct engine *e, struct reason *reason)
{
	char words[CONFLICTS_STRLEN];

	if (!*conflicts_format(&e->conflicts, true, words))
		return false;
	reason_set(
	    reason, 0,
	    "another site's address stands on a device that is no LAN's and is left there, so "
	    "that nothing reaches that site: %s",
	    words);
	return true;
}

static void failure_settle(struct engine *e, int err, const struct kernel_plan *plan)
{
	struct reason reason;

	if (err)
		return;
	if (*plan->conflict.text)
		failure_note(e, plan->conflict.text);
	else if (line_conflict(e, &reason) || address_conflict(e, &reason))
		failure_note(e, reason.text);
	else
		e->last_failure[0] = '\0';
}

/* FNV-1a. */
static uint64_t words_hash(const char *words)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *words; words++)
		hash = (hash ^ (unsigned char)*words) * 0x100000001b3u;
	return hash;
}

static void drift_say(struct engine *e, bool whole, size_t repaired, const char *what)
{
	struct text line;

	text_init(&line);
	log_warning("drift, %s: %s", whole ? "repaired" : "not repaired in full", what);
	status_event_drift(repaired, what, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}

static size_t plan_done(const struct kernel_plan *plan)
{
	size_t done = 0;

	for (size_t i = 0; i < plan->count; i++)
		done += plan->operations[i].done;
	return done;
}

/* What fails in the same way turn after turn is said once. */
static void drift_note(struct engine *e, const struct kernel_plan *plan)
{
	size_t repaired = plan_done(plan);
	bool whole = repaired == plan->count;
	struct text what;
	uint64_t hash;

	text_init(&what);
	kernel_plan_print(plan, &what);
	for (char *p = what.bytes; p && *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	hash = words_hash(text_string(&what));
	e->drift_repairs += repaired;
	if (whole || repaired || hash != e->drift_failing)
		drift_say(e, whole, repaired, text_string(&what));
	e->drift_failing = whole ? 0 : hash;
	text_clear(&what);
}

/* What no move asks for; or what a move would, had it not stood there when all was as wanted. */
static bool is_drift(const struct engine *e, const struct plan_operation *operation)
{
	return !plan_operation_moves(operation) || plan_operation_ousts(operation) ||
	       (e->stood && plan_operation_restores(operation, e->stood));
}

/* What is repaired while traffic moves is drift all the same, where it has nothing to do with moves. */
static void drift_look(struct engine *e, enum expected expected, const struct kernel_plan *plan,
		       bool cancelled)
{
	struct kernel_plan drift = {0};

	if (expected != EXPECTED_NOTHING && expected != EXPECTED_MOVES)
		return;
	drift.operations = calloc(plan->count, sizeof(*drift.operations));
	for (size_t i = 0; drift.operations && i < plan->count; i++) {
		const struct plan_operation *op = &plan->operations[i];

		if ((!cancelled || op->done) && (expected == EXPECTED_NOTHING || is_drift(e, op)))
			drift.operations[drift.count++] = *op;
	}
	if (drift.count)
		drift_note(e, &drift);
	free(drift.operations);
}

static uint64_t repair_pause_us(const struct engine *e)
{
	uint64_t pause = SETTLE_US;

	for (unsigned int i = 1; i < e->repairs_in_row && pause < REPAIR_PAUSE_MAX_US; i++)
		pause *= 2;
	return pause < REPAIR_PAUSE_MAX_US ? pause : REPAIR_PAUSE_MAX_US;
}

/* Those that are put back where they were, and call us: they do not know that their keys serve no more. */
static void peers_call(struct engine *e, const struct kernel_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_operation *o = &plan->operations[i];
		const struct kernel_peer *want = o->want, *have = o->have;

		if (o->object == PLAN_PEER && o->done && want && want->endpoint.family &&
		    !want->keepalive_s && (!have || !have->endpoint.family))
			kernel_peer_call(e->kernel, want->device, want->public_key);
	}
}

/* What was planned before a link's repair would undo it. */
static bool repair_heard(void *context)
{
	struct engine *e = context;
	uint64_t before = e->link_repairs;

	pair_receive(e->pair);
	return e->link_repairs != before;
}

static int turn_apply(struct engine *e, struct kernel_plan *plan)
{
	struct kernel_report report = {0};
	bool heeding = e->pair && e->cancelled_in_row < CANCELLED_MAX;
	int err;

	kernel_set_between(e->kernel, heeding ? repair_heard : NULL, e);
	err = kernel_apply(e->kernel, plan, &report);
	kernel_set_between(e->kernel, NULL, NULL);
	e->cancelled_in_row = report.cancelled ? e->cancelled_in_row + 1 : 0;
	e->operations += report.applied;
	e->netlink_messages += report.netlink_messages;
	if (err && err != -TUYEN_ECANCELED)
		failure_note(e, report.first_failure.text);
	peers_call(e, plan);
	return err;
}

/* ---- local repair ------------------------------------------------------------------------- */

static void say_repair(struct engine *e, size_t index)
{
	const struct fwd_neighbor *n = &e->release.forwarding.neighbors[index];
	struct text line;

	if (!repair_there(&e->release.forwarding, n->site_id))
		return;
	text_init(&line);
	status_event_repair(&e->release.forwarding, n, e->repaired, (int64_t)time(NULL), &line);
	log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
}

static enum path_liveness link_liveness(const struct engine *e, size_t index, struct monotime now,
					struct monotime *next_look)
{
	const struct status_liveness *l = &e->links[index];

	if (l->known && l->last.by_intent && l->intent.silent)
		return PATH_DOWN;
	if (l->known && l->last.by_intent && l->intent.back.us)
		return PATH_UP;
	return l->known
		   ? repair_link_liveness(&l->last, l->since, engine_grace_us(l), now, next_look)
		   : PATH_UNKNOWN;
}

/* Since when it has held. */
static struct monotime link_since(const struct status_liveness *l)
{
	if (l->last.by_intent && l->intent.back.us)
		return l->intent.back;
	return l->forwarded_on ? (struct monotime){0} : l->since;
}

/* @return true if it changed, and something goes another way for that: else it is no fact for a turn. */
static bool link_step(struct engine *e, size_t index, struct monotime now,
		      struct monotime *next_look)
{
	const struct status_liveness *l = &e->links[index];
	enum repair_link was = e->repaired[index];

	e->repaired[index] = repair_step(was, link_liveness(e, index, now, next_look),
					 link_since(l), l->damping.until, now, next_look);
	return e->repaired[index] != was &&
	       repair_matters(&e->release.forwarding,
			      e->release.forwarding.neighbors[index].site_id);
}

/* What people hear of: going around it and over it again, not each time that it is up between. */
static bool repair_said(enum repair_link was, enum repair_link is)
{
	return (was == REPAIR_LINK_USED) != (is == REPAIR_LINK_USED);
}

/* All that time may have changed. */
static bool links_step(struct engine *e, struct monotime *next_look)
{
	struct monotime now = monotime_now();
	bool changed = false;

	for (size_t i = 0; e->repaired && i < e->release.forwarding.neighbor_count; i++) {
		enum repair_link was = e->repaired[i];

		if (!link_step(e, i, now, next_look))
			continue;
		changed = true;
		if (repair_said(was, e->repaired[i]))
			say_repair(e, i);
	}
	return changed;
}

/*
 * Nothing is read before: at a gateway that takes longer than all the rest. What the kernel holds
 * is known well enough, as routes are replaced whatever stands there; the turn that follows
 * verifies it.
 */
static int repair_apply(struct engine *e, size_t index, struct kernel_state **ret_routes,
			struct kernel_plan **ret_plan)
{
	struct kernel_report report = {0};
	int err = desired_build_link(&e->release.forwarding, &e->active, e->repaired,
				     e->release.forwarding.neighbors[index].site_id, ret_routes);

	if (!err)
		err = kernel_plan_routes(*ret_routes, ret_plan);
	if (!err && (*ret_plan)->count)
		err = kernel_apply_routes(e->kernel, *ret_plan, &report);
	e->operations += report.applied;
	e->netlink_messages += report.netlink_messages;
	if (report.failed)
		failure_note(e, report.first_failure.text);
	return err;
}

static void link_repair(struct engine *e, size_t index)
{
	struct kernel_state *routes = NULL;
	struct kernel_plan *plan = NULL;

	repair_apply(e, index, &routes, &plan); /* what failed, the next turn does */
	kernel_plan_free(plan);
	kernel_state_free(routes);
}

static bool link_may_hurry(struct status_liveness *l, struct monotime now)
{
	if (monotime_between(l->hurried_since, now) >= 1000000) {
		l->hurried_since = now;
		l->hurried = 0;
	}
	return l->hurried++ < LINK_HURRIED_A_SECOND;
}

void engine_link_changed(struct engine *e, size_t index)
{
	struct monotime next_look = MONOTIME_NEVER, now = monotime_now();
	enum repair_link was;

	if (!e->taken_over) { /* nobody knows yet what forwards: the turn after that decides */
		turn_in(e, monotime_between(now, e->rest_until) + SETTLE_US);
		return;
	}
	if (!link_may_hurry(&e->links[index], now)) { /* it flaps: the next turn takes the step */
		turn_when_rested(e);
		return;
	}
	was = e->repaired[index];
	/* what time alone decides is for turns: another word of this link may wait behind this one */
	if (link_step(e, index, e->links[index].since, &next_look)) {
		e->link_repairs++;
		link_repair(e, index);
		if (repair_said(was, e->repaired[index]))
			say_repair(e, index);
		engine_expect(e, EXPECTED_MOVES);
		turn_in(e, SETTLE_US);
	}
	if (next_look.us != UINT64_MAX)
		turn_in(e, monotime_between(now, next_look) + 1);
}

/* A box and its clone take the neighbour's peer from each other: nothing else tells of it. */
static void duplicates_look(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct text line;

	e->wary = false;
	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct kernel_peer *p = engine_link_peer(e->actual, &f->neighbors[i]);
		struct endpoint_watch *watch = &e->links[i].watch;
		struct endpoint_sight sight;
		bool changed;

		if (!p)
			continue;
		sight = (struct endpoint_sight){p->endpoint, p->last_handshake_s, p->rx_bytes};
		changed = endpoint_watch_step(watch, &sight, e->actual_at);
		e->wary |= endpoint_watch_wary(watch, e->actual_at);
		if (!changed)
			continue;
		text_init(&line);
		status_event_duplicate(&f->neighbors[i], watch, (int64_t)time(NULL), &line);
		log_warning("%s", text_string(&line));
		engine_event(e, &line);
		text_clear(&line);
	}
}

static void stood_forget(struct engine *e)
{
	if (e->stood != e->actual)
		kernel_state_free(e->stood);
	e->stood = NULL;
}

void engine_actual_take(struct engine *e, struct kernel_state *actual, struct monotime at,
			bool settled)
{
	if (settled)
		stood_forget(e);
	if (e->actual != e->stood)
		kernel_state_free(e->actual);
	e->actual = actual;
	e->actual_at = at;
	if (settled)
		e->stood = actual;
}

/* @return when the next turn is wanted, from now; 0: none but the periodic one. */
static uint64_t turn_run(struct engine *e)
{
	struct kernel_state *desired, *actual;
	struct kernel_plan *plan;
	struct active_paths before = e->active, active;
	struct monotime next_look = MONOTIME_NEVER, hold = MONOTIME_NEVER, looked_at, now;
	struct reason reason;
	enum expected expected;
	bool busy, cancelled, link_news;
	int err;

	if (e->taken_over) {
		engine_renewals_step(e, &hold);
		engine_served_look(e);
	}
	if (e->taken_over && links_step(e, &hold))
		engine_expect(e, EXPECTED_MOVES); /* of the next look too, if this one fails */
	looked_at = monotime_now();
	err = engine_look(e, &desired, &actual, &plan, &active, &next_look, &reason);
	next_look = monotime_min(next_look, hold);
	if (err == -TUYEN_ENOENT)
		return 0;
	if (err) {
		failure_note(e, reason.text);
		e->repairs_in_row++;
		return repair_pause_us(e);
	}
	expected = e->expected; /* what the look has found, too */
	e->expected = EXPECTED_NOTHING;
	e->taken_over = true;
	e->active = active;
	if (switched(&before, &active) || /* the end of a hold time is a fact of ours too */
	    !desired_lines_equal(&e->lines, &e->lines_in_force))
		expected = most(expected, EXPECTED_MOVES);
	e->lines_in_force = e->lines;
	busy = plan->count > 0;
	if (busy)
		err = turn_apply(e, plan);
	cancelled = err == -TUYEN_ECANCELED;
	if (busy)
		drift_look(e, expected, plan, cancelled);
	if (cancelled ||
	    (err && !e->expected_kept)) /* what the next turn tries again has the same reason */
		engine_expect(e, expected);
	if (!cancelled)
		e->expected_kept = err != 0;
	if (!busy)
		e->cancelled_in_row = 0;
	lans_look(e);
	lans_closed_look(e);
	engine_conflicts_say(e);
	if (e->poke_due && !err)
		sessions_poke(e);
	switches_announce(e, &before);
	switches_say(e);
	e->poke_due &= err != 0;
	failure_settle(e, err, plan);
	kernel_plan_free(plan);
	kernel_state_free(desired);
	engine_actual_take(e, actual, looked_at, !busy);
	if (busy && !cancelled) /* by what stood the rest is known for what it is */
		stood_forget(e);
	duplicates_look(e);
	link_news = engine_intent_look(e);
	link_news |= engine_served_again(e);
	if (link_news)
		engine_dirty(e, EXPECTED_MOVES);
	engine_meters_look(e);
	if (cancelled)
		return SETTLE_US;
	e->repairs_in_row = busy && (err || !expected) ? e->repairs_in_row + 1 : 0;
	now = monotime_now();
	if (err)
		return repair_pause_us(e);
	return next_look.us == UINT64_MAX ? 0 : monotime_between(now, next_look) + 1;
}

static void tell_supervisor(struct engine *e, char byte)
{
	if (e->options->supervisor_fd >= 0 && write(e->options->supervisor_fd, &byte, 1) < 0 &&
	    errno == EPIPE)
		event_base_loopexit(e->base, NULL);
}

static uint64_t period_us(const struct engine *e, uint64_t took_us)
{
	uint64_t least = e->wary ? PERIOD_WARY_US : PERIOD_MIN_US;

	return took_us * PERIOD_OF_TURN > least ? took_us * PERIOD_OF_TURN : least;
}

static void turn(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;
	struct monotime begin = monotime_now();
	uint64_t again, took;

	(void)fd, (void)what;
	e->turns++;
	e->in_turn = true;
	if (e->wire_stale)
		engine_wire_configure(e);
	again = turn_run(e);
	engine_expiry_look(e);
	engine_folder_look(e);
	e->in_turn = false;
	if (again)
		turn_in(e, again);
	engine_publish(e);
	malloc_trim(0); /* the many small pieces of netlink and nftables, of which a few stay */
	took = monotime_between(begin, monotime_now());
	e->rest_until = monotime_after(monotime_now(), took * REST_OF_TURN);
	turn_in(e, period_us(e, took));
	if (e->turn_wanted)
		turn_when_rested(e);
	e->turn_wanted = false;
	if (!e->ready) {
		e->ready = true;
		tell_supervisor(e, ENGINE_READY);
	}
}

/* Others' routes may come and go for ever, and each event asks for a turn: no more than a fifth of
 * the time. */
void engine_turn_after_rest(struct engine *e)
{
	uint64_t pause = repair_pause_us(e), rest = monotime_between(monotime_now(), e->rest_until);

	turn_in(e, rest > pause ? rest : pause);
}

static void kernel_changed(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;

	(void)fd, (void)what;
	if (!kernel_event_drain(e->kernel))
		return;
	if (kernel_event_own(e->kernel))
		engine_conflicts_hurry(e);
	engine_turn_after_rest(e);
}

/* @known  all as wanted. @return whether something of it is another by now. */
static bool silently_changed(struct engine *e, const struct kernel_state *known)
{
	const struct kernel_state part = {.devices = known->devices,
					  .device_count = known->device_count,
					  .peers = known->peers,
					  .peer_count = known->peer_count,
					  .sysctls = known->sysctls,
					  .sysctl_count = known->sysctl_count};
	struct monotime read_at = monotime_now();
	struct kernel_state *now = NULL;
	struct kernel_plan *plan = NULL;
	struct reason reason;
	int err = kernel_read_silent(e->kernel, known, &now, &reason);
	bool changed =
	    err == -TUYEN_EAGAIN ||
	    (!err && kernel_plan_build(&part, now, &plan, &reason) == 0 && plan->count > 0);

	if (now && !changed) {
		engine_call_back(e, now, read_at);
		engine_links_recall(e, now, read_at);
	}
	kernel_plan_free(plan);
	kernel_state_free(now);
	return changed;
}

/* Nothing tells of a peer that somebody takes out of WireGuard. After a turn that had something to do, another says what is there. */
static void silent_look(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;
	struct monotime begin = monotime_now();
	uint64_t took;

	(void)fd, (void)what;
	if (e->actual && (e->stood != e->actual || silently_changed(e, e->stood)))
		engine_turn_after_rest(e);
	took = monotime_between(begin, monotime_now());
	timer_set(e->silent_event, took * SILENT_OF_LOOK > SILENT_LOOK_MIN_US
				       ? took * SILENT_OF_LOOK
				       : SILENT_LOOK_MIN_US);
}

static void alive(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;
	struct monotime before = e->alive_at;

	(void)fd, (void)what;
	tell_supervisor(e, ENGINE_ALIVE);
	engine_untold_tell(e);
	e->alive_at = monotime_now();
	if (before.us && monotime_between(before, e->alive_at) >= STOOD_STILL_US)
		engine_stood_still(e, monotime_between(before, e->alive_at));
}

static void stop(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;

	(void)fd, (void)what;
	event_base_loopexit(e->base, NULL);
}

static void look_at_incoming(struct engine *e)
{
	struct text answer;
	unsigned int status;

	text_init(&answer);
	engine_reload(e, &answer, &status);
	text_clear(&answer);
}

static void hang_up(evutil_socket_t fd, short what, void *context)
{
	struct engine *e = context;

	(void)fd, (void)what;
	look_at_incoming(e);
	engine_dirty(e, EXPECTED_NOTHING);
}

static void wire_closed(void *context)
{
	struct engine *e = context;

	log_error("the supervisor is gone: stopping, forwarding stays");
	event_base_loopexit(e->base, NULL);
}

static int events_open(struct engine *e)
{
	const struct timeval second = {1, 0};

	e->turn_event = evtimer_new(e->base, turn, e);
	e->requests.event = evtimer_new(e->base, engine_requests_serve, e);
	e->kernel_event =
	    event_new(e->base, kernel_event_fd(e->kernel), EV_READ | EV_PERSIST, kernel_changed, e);
	e->silent_event = evtimer_new(e->base, silent_look, e);
	e->alive_event = event_new(e->base, -1, EV_PERSIST, alive, e);
	e->term_event = evsignal_new(e->base, SIGTERM, stop, e);
	e->int_event = evsignal_new(e->base, SIGINT, stop, e);
	e->hup_event = evsignal_new(e->base, SIGHUP, hang_up, e);
	e->pair = pair_new(e->base, e->options->pair_fd, engine_wire_message, wire_closed, e);
	if (!e->turn_event || !e->requests.event || !e->kernel_event || !e->silent_event ||
	    !e->alive_event || !e->term_event || !e->int_event || !e->hup_event || !e->pair)
		return -TUYEN_ENOMEM;
	event_add(e->kernel_event, NULL);
	timer_set(e->silent_event, SILENT_LOOK_MIN_US);
	event_add(e->alive_event, &second);
	event_add(e->term_event, NULL);
	event_add(e->int_event, NULL);
	event_add(e->hup_event, NULL);
	return 0;
}

static void events_close(struct engine *e)
{
	struct event *const events[] = {e->turn_event,	e->kernel_event,  e->silent_event,
					e->alive_event, e->term_event,	  e->int_event,
					e->hup_event,	e->requests.event};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	pair_free(e->pair);
	e->pair = NULL;
	if (e->base)
		event_base_free(e->base);
}

/* Opens what every use of the engine needs. */
static int engine_open(struct engine *e, const struct engine_options *options,
		       struct reason *reason)
{
	int err;

	*e = (struct engine){.options = options,
			     .started = monotime_now(),
			     .last_end = options->last_end,
			     .store = {.dir = -1}};
	err = kernel_open(&e->kernel, reason);
	if (!err)
		err = store_open(options->state_dir, &e->store, reason);
	return err;
}

static void engine_close(struct engine *e)
{
	engine_release_clear(e);
	stood_forget(e);
	kernel_state_free(e->actual);
	explicit_bzero(&e->keys, sizeof(e->keys));
	store_held_clear(&e->held_seal);
	store_held_clear(&e->held_roster);
	store_close(&e->store);
	kernel_close(e->kernel);
}

static void self_check(struct engine *e)
{
	e->check_count = kernel_selfcheck(e->kernel, e->checks, ENGINE_CHECKS_MAX);
	for (size_t i = 0; i < e->check_count; i++)
		if (!e->checks[i].ok)
			log_write(e->checks[i].fatal ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
				  "self-check: %s: %s; remedy: %s", e->checks[i].name,
				  e->checks[i].found, e->checks[i].remedy);
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return base;
}

/* Without keys or roster nothing can be done but to say so: `tuyen status` and the log carry the
 * reason. */
static int engine_start(struct engine *e, struct reason *reason)
{
	struct message hello = {.type = MESSAGE_HELLO};
	int err;

	e->base = base_new();
	if (!e->base || events_open(e) < 0)
		return reason_set(reason, -TUYEN_ENOMEM, "no event loop");
	self_check(e);
	/* what the last life's wire messages say must not be taken for ours */
	e->generation = (uint32_t)(e->started.us >> 10) & 0x7fffffffu;
	pair_send(e->pair, &hello);
	err = engine_load(e, reason);
	engine_meters_load(e);
	engine_wire_configure(e);
	engine_request_incoming(e);
	if (e->release.status.have)
		log_info("site %s (%u), release of epoch %" PRIu64, e->release.forwarding.site,
			 e->release.forwarding.site_id, e->release.status.epoch);
	else if (err == -TUYEN_ENOENT && e->have_keys)
		log_info(
		    "no release yet: waiting for one (tuyen install); the kernel stays as it is");
	else
		failure_note(e, reason->text);
	engine_dirty(e, EXPECTED_ALL);
	return 0;
}

int engine_run(const struct engine_options *options)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct reason reason;
	int err;

	if (!e)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	err = engine_open(e, options, &reason);
	if (!err)
		err = engine_start(e, &reason);
	if (err)
		log_error("%s", reason.text);
	else
		event_base_dispatch(e->base);
	engine_meters_keep(e);
	events_close(e);
	engine_close(e);
	free(e);
	return err ? 2 : 0;
}

int engine_plan(const struct engine_options *options, struct text *ret_text)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct kernel_state *desired, *actual;
	struct kernel_plan *plan;
	struct active_paths active;
	struct monotime next;
	struct reason reason;
	int err;

	if (!e)
		return 2;
	err = engine_open(e, options, &reason);
	if (!err)
		err = engine_load(e, &reason);
	if (!err)
		err = engine_look(e, &desired, &actual, &plan, &active, &next, &reason);
	if (!err) {
		kernel_plan_print(plan, ret_text);
		kernel_plan_free(plan);
		kernel_state_free(desired);
		kernel_state_free(actual);
	} else if (err == -TUYEN_ENOENT && e->have_keys && !e->release.status.have) {
		text_add(ret_text, "error: no release yet: tuyen install gives one\n");
	} else {
		text_printf(ret_text, "error: %s\n", reason.text);
	}
	engine_close(e);
	free(e);
	return err == 0 ? 0 : err == -TUYEN_ESYSTEM || err == -TUYEN_ENOMEM ? 2 : 1;
}

static int remove_look(struct kernel *kernel, const struct kernel_state *nothing,
		       const struct kernel_state *actual, struct text *ret_text,
		       struct reason *reason)
{
	struct kernel_report report = {0};
	struct kernel_plan *plan;
	int err = kernel_plan_build(nothing, actual, &plan, reason);

	if (err)
		return err;
	kernel_plan_print(plan, ret_text);
	err = kernel_apply(kernel, plan, &report);
	if (err)
		*reason = report.first_failure;
	kernel_plan_free(plan);
	return err;
}

int engine_remove(const struct engine_options *options, struct text *ret_text)
{
	struct kernel_state *nothing = NULL, *actual = NULL, *left = NULL;
	struct kernel *kernel = NULL;
	struct reason reason;
	int err;

	(void)options;
	err = desired_build_removed(&nothing) ? reason_set(&reason, -TUYEN_ENOMEM, "no memory")
					      : kernel_open(&kernel, &reason);
	if (!err)
		err = kernel_read(kernel, nothing, &actual, &reason);
	if (!err && !actual->nft && !actual->device_count)
		nothing->sysctl_count = 0; /* what forwards here does so for somebody else */
	if (!err)
		err = remove_look(kernel, nothing, actual, ret_text, &reason);
	if (!err)
		err = kernel_read(kernel, nothing, &left, &reason);
	if (!err)
		err = remove_look(kernel, nothing, left, ret_text, &reason);
	if (err)
		text_printf(ret_text, "error: %s\n", reason.text);
	kernel_state_free(left);
	kernel_state_free(actual);
	kernel_state_free(nothing);
	kernel_close(kernel);
	return err ? 2 : 0;
}

int engine_check(struct text *ret_text)
{
	struct kernel_check checks[ENGINE_CHECKS_MAX];
	struct kernel *kernel;
	struct reason reason;
	size_t count;
	bool fatal = false;

	if (kernel_open(&kernel, &reason) < 0) {
		text_printf(ret_text, "error: %s\n", reason.text);
		return 2;
	}
	count = kernel_selfcheck(kernel, checks, ENGINE_CHECKS_MAX);
	for (size_t i = 0; i < count; i++) {
		text_printf(ret_text, "%-4s %-28s %s\n",
			    checks[i].ok      ? "ok"
			    : checks[i].fatal ? "FAIL"
					      : "warn",
			    checks[i].name, checks[i].found);
		if (!checks[i].ok)
			text_printf(ret_text, "     %-28s remedy: %s\n", "", checks[i].remedy);
		fatal |= !checks[i].ok && checks[i].fatal;
	}
	kernel_close(kernel);
	return fatal ? 1 : 0;
}
