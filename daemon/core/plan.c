/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan = desired - actual. Each kind of object is a sorted array on both sides, walked once.
 *
 * The order, top to bottom:
 *	nft			before anything that it guards can answer
 *	strays			others' routes in tables of ours: the kernel replaces the first that stands in a route's
 *				place. One that stands there without ours is replaced and not removed
 *	devices			first those go whose kind or ends differ, or whose ports go round among them, which are made anew, and those
 *				that nobody wants, or that were given another name, and that have the port or the ends that another gets
 *	qdiscs			others', on devices of sessions
 *	routes of the lines	where the links' packets go, on devices that are the box's own; all routes of IPv6 are such
 *	peers of the links	the kernel calls a new one at once, as it does those of sessions; first those that lose a prefix, then those that gain one
 *	addresses, sysctls	all but net.mpls.conf.<device>.input
 *	filters			before
 *	sysctls			... input opens the device to labels
 *	queues			a packet that no class is for yet goes by
 *	labels, routes, rules	what carries before what leads to it; of repairs, a rule that goes does so before what
 *				stands ready in its table changes
 *	peers of the sessions	the kernel calls a new peer at once; with no way there it would wait 5 s to call again
 *	removals		in reverse; what hangs on a device that goes, goes with it
 *
 * A peer is never rewritten: the endpoint is the kernel's own from the first handshake on, and is set only where there
 * is none. The same prefix at two peers of a device would move back and forth, so it is refused.
 */
#include "tuyen/core/plan.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"

struct planner {
	const struct kernel_state *desired, *actual;
	struct kernel_plan *plan;
	size_t capacity;
	const char *queues_of; /* a device whose queues were looked at: */
	bool queues_anew;      /* none of them can stay */
};

static int emit(struct planner *p, enum plan_verb verb, enum plan_object object, const void *want,
		const void *have)
{
	struct kernel_plan *plan = p->plan;

	if (plan->count == KERNEL_PLAN_MAX)
		return -TUYEN_ELIMIT;
	if (plan->count == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 64;
		void *grown = realloc(plan->operations, capacity * sizeof(*plan->operations));

		if (!grown)
			return -TUYEN_ENOMEM;
		plan->operations = grown;
		p->capacity = capacity;
	}
	plan->operations[plan->count++] =
	    (struct plan_operation){.verb = verb, .object = object, .want = want, .have = have};
	return 0;
}

static bool device_same_object(const struct kernel_device *want, const struct kernel_device *have)
{
	if (want->kind != have->kind)
		return false;
	return want->kind == KERNEL_DEVICE_WIREGUARD ||
	       (want->local == have->local && want->remote == have->remote &&
		want->ttl == have->ttl);
}

/* ... in more than its MTU */
static bool device_is_another(const struct kernel_device *want, const struct kernel_device *have)
{
	if (want->up != have->up)
		return true;
	if (want->kind == KERNEL_DEVICE_LOOPBACK)
		return false;
	if (strcmp(want->alias, have->alias) || want->master != have->master)
		return true;
	return want->kind == KERNEL_DEVICE_WIREGUARD &&
	       (memcmp(want->private_key, have->private_key, WG_KEY_LEN) ||
		want->listen_port != have->listen_port || want->fwmark != have->fwmark);
}

static bool device_differs(const void *w, const void *h)
{
	const struct kernel_device *want = w, *have = h;

	return (want->mtu != have->mtu && want->kind != KERNEL_DEVICE_LOOPBACK) ||
	       device_is_another(want, have);
}

static bool prefixes_equal(const struct kernel_peer *a, const struct kernel_peer *b)
{
	if (a->allowed_count != b->allowed_count)
		return false;
	for (size_t i = 0; i < a->allowed_count; i++)
		if (ipv4_prefix_compare(&a->allowed[i], &b->allowed[i]))
			return false;
	return true;
}

static bool peer_differs(const void *w, const void *h)
{
	const struct kernel_peer *want = w, *have = h;

	return want->preshared != have->preshared || want->keepalive_s != have->keepalive_s ||
	       !prefixes_equal(want, have) || (want->endpoint.family && !have->endpoint.family);
}

static bool never_differs(const void *w, const void *h)
{
	(void)w;
	(void)h;
	return false;
}

static bool route_differs(const void *w, const void *h)
{
	const struct kernel_route *want = w, *have = h;

	return have->foreign || want->type != have->type || strcmp(want->device, have->device) ||
	       want->gateway != have->gateway || want->source != have->source ||
	       want->link_scope != have->link_scope || want->mtu != have->mtu ||
	       !label_stack_equal(&want->push, &have->push);
}

static bool route6_differs(const void *w, const void *h)
{
	const struct kernel_route6 *want = w, *have = h;

	return have->foreign || want->type != have->type || strcmp(want->device, have->device) ||
	       !ipv6_equal(&want->gateway, &have->gateway) || want->onlink != have->onlink ||
	       !ipv6_equal(&want->source, &have->source);
}

static bool label_differs(const void *w, const void *h)
{
	const struct kernel_label_route *want = w, *have = h;

	return have->foreign || strcmp(want->device, have->device) ||
	       !label_stack_equal(&want->out, &have->out);
}

static bool filter_differs(const void *w, const void *h)
{
	const struct kernel_label_filter *want = w, *have = h;

	if (want->accept_count != have->accept_count)
		return true;
	for (size_t i = 0; i < want->accept_count; i++)
		if (!label_stack_equal(&want->accept[i], &have->accept[i]))
			return true;
	return false;
}

static bool apart(uint32_t a, uint32_t b, uint32_t most)
{
	return a < b ? b - a > most : a - b > most;
}

/* The kernel counts buckets in ticks of 64 ns, and targets in units of 1024 ns. */
static bool queue_differs(const void *w, const void *h)
{
	const struct kernel_queue *want = w, *have = h;

	if (!want->minor)
		return false;
	return want->rate != have->rate || want->ceil != have->ceil ||
	       want->overhead != have->overhead || want->priority != have->priority ||
	       want->quantum != have->quantum ||
	       apart(want->burst_bytes, have->burst_bytes, (uint32_t)(want->rate >> 23) + 2) ||
	       apart(want->ceil_burst_bytes, have->ceil_burst_bytes,
		     (uint32_t)(want->ceil >> 23) + 2) ||
	       apart(want->target_us, have->target_us, 2) || want->led != have->led ||
	       want->destination != have->destination || want->mark != have->mark;
}

static bool sysctl_differs(const void *w, const void *h)
{
	const struct kernel_sysctl *want = w, *have = h;

	return want->at_least ? have->value < want->value : have->value != want->value;
}

/* A sorted array of a state, whatever it holds. */
struct span {
	const char *at;
	size_t count;
};

#define SPAN_OF(name, array, counter)                                                              \
	static struct span name(const struct kernel_state *state)                                  \
	{                                                                                          \
		return (struct span){(const char *)state->array, state->counter};                  \
	}

SPAN_OF(devices_of, devices, device_count)
SPAN_OF(peers_of, peers, peer_count)
SPAN_OF(addresses_of, addresses, address_count)
SPAN_OF(routes_of, routes, route_count)
SPAN_OF(strays_of, strays, stray_count)
SPAN_OF(labels_of, labels, label_count)
SPAN_OF(rules_of, rules, rule_count)
SPAN_OF(routes6_of, routes6, route6_count)
SPAN_OF(rules6_of, rules6, rule6_count)
SPAN_OF(filters_of, filters, filter_count)
SPAN_OF(queues_of, queues, queue_count)
SPAN_OF(qdiscs_of, qdiscs, qdisc_count)
SPAN_OF(sysctls_of, sysctls, sysctl_count)

static const char *peer_device(const void *o)
{
	return ((const struct kernel_peer *)o)->device;
}

static const char *address_device(const void *o)
{
	return ((const struct kernel_address *)o)->device;
}

static const char *route_device(const void *o)
{
	return ((const struct kernel_route *)o)->device;
}

static const char *route6_device(const void *o)
{
	return ((const struct kernel_route6 *)o)->device;
}

static const char *label_device(const void *o)
{
	return ((const struct kernel_label_route *)o)->device;
}

static const char *filter_device(const void *o)
{
	return ((const struct kernel_label_filter *)o)->device;
}

static const char *queue_device(const void *o)
{
	return ((const struct kernel_queue *)o)->device;
}

static const char *qdisc_device(const void *o)
{
	return ((const struct kernel_qdisc *)o)->device;
}

struct kind {
	enum plan_object object;
	size_t size;
	struct span (*of)(const struct kernel_state *state);
	int (*compare)(const void *a, const void *b);
	bool (*differs)(const void *want, const void *have);
	const char *(*device)(const void *object); /* that it goes with; NULL: with none */
};

enum {
	KIND_DEVICE,
	KIND_PEER,
	KIND_ADDRESS,
	KIND_SYSCTL,
	KIND_FILTER,
	KIND_LABEL,
	KIND_ROUTE,
	KIND_RULE,
	KIND_ROUTE6,
	KIND_RULE6,
	KIND_QUEUE,
	KIND_STRAY,
	KIND_QDISC,
};

static const struct kind kinds[] = {
    [KIND_DEVICE] = {PLAN_DEVICE, sizeof(struct kernel_device), devices_of, kernel_device_compare,
		     device_differs, NULL},
    [KIND_PEER] = {PLAN_PEER, sizeof(struct kernel_peer), peers_of, kernel_peer_compare,
		   peer_differs, peer_device},
    [KIND_ADDRESS] = {PLAN_ADDRESS, sizeof(struct kernel_address), addresses_of,
		      kernel_address_compare, never_differs, address_device},
    [KIND_SYSCTL] = {PLAN_SYSCTL, sizeof(struct kernel_sysctl), sysctls_of, kernel_sysctl_compare,
		     sysctl_differs, NULL},
    [KIND_FILTER] = {PLAN_FILTER, sizeof(struct kernel_label_filter), filters_of,
		     kernel_filter_compare, filter_differs, filter_device},
    [KIND_LABEL] = {PLAN_LABEL, sizeof(struct kernel_label_route), labels_of, kernel_label_compare,
		    label_differs, label_device},
    [KIND_ROUTE] = {PLAN_ROUTE, sizeof(struct kernel_route), routes_of, kernel_route_compare,
		    route_differs, route_device},
    [KIND_RULE] = {PLAN_RULE, sizeof(struct kernel_rule), rules_of, kernel_rule_compare,
		   never_differs, NULL},
    [KIND_ROUTE6] = {PLAN_ROUTE6, sizeof(struct kernel_route6), routes6_of, kernel_route6_compare,
		     route6_differs, route6_device},
    [KIND_RULE6] = {PLAN_RULE6, sizeof(struct kernel_rule6), rules6_of, kernel_rule6_compare,
		    never_differs, NULL},
    [KIND_QUEUE] = {PLAN_QUEUE, sizeof(struct kernel_queue), queues_of, kernel_queue_compare,
		    queue_differs, queue_device},
    [KIND_STRAY] = {PLAN_STRAY, sizeof(struct kernel_stray), strays_of, kernel_stray_compare,
		    never_differs, NULL},
    [KIND_QDISC] = {PLAN_QDISC, sizeof(struct kernel_qdisc), qdiscs_of, kernel_qdisc_compare,
		    never_differs, qdisc_device},
};

static const void *object_find(const struct kind *kind, const struct kernel_state *state,
			       const void *object)
{
	struct span all = kind->of(state);

	return all.count ? bsearch(object, all.at, all.count, kind->size, kind->compare) : NULL;
}

/* The device that is to have @port, NULL: none. */
static const struct kernel_device *port_owner(const struct kernel_state *desired, uint16_t port)
{
	for (size_t i = 0; i < desired->device_count; i++)
		if (desired->devices[i].kind == KERNEL_DEVICE_WIREGUARD &&
		    desired->devices[i].listen_port == port)
			return &desired->devices[i];
	return NULL;
}

/* It has the port of another, that has a third's, and so on round to its own: none of them can be set. */
static bool device_in_ring(const struct planner *p, const struct kernel_device *want)
{
	const struct kernel_device *at = want;

	for (size_t i = 0; at && i < p->desired->device_count; i++) {
		const struct kernel_device *have = kernel_state_device(p->actual, at->name);

		if (!have || have->foreign || have->kind != KERNEL_DEVICE_WIREGUARD ||
		    at->kind != KERNEL_DEVICE_WIREGUARD || have->listen_port == at->listen_port)
			return false;
		at = port_owner(p->desired, have->listen_port);
		if (at == want)
			return true;
	}
	return false;
}

/* Can the one be made of the other? */
static bool device_kept(const struct planner *p, const struct kernel_device *want,
			const struct kernel_device *have)
{
	return device_same_object(want, have) && !device_in_ring(p, want);
}

/* A device of ours that the plan removes and makes anew, before all that hangs on it is set. */
static bool device_remade(const struct planner *p, const char *name)
{
	const struct kernel_device *have = kernel_state_device(p->actual, name);
	const struct kernel_device *want = kernel_state_device(p->desired, name);

	return have && want && !have->foreign && !device_kept(p, want, have);
}

/* ... or removes at the very end. */
static bool device_removed(const struct planner *p, const char *name)
{
	const struct kernel_device *have = kernel_state_device(p->actual, name);

	return have && !have->foreign && have->kind != KERNEL_DEVICE_LOOPBACK &&
	       !kernel_state_device(p->desired, name);
}

/* The name is taken: what should hang on it waits, and nothing else does. */
static bool device_taken(const struct planner *p, const char *name)
{
	const struct kernel_device *have = kernel_state_device(p->actual, name);

	return have && have->foreign && kernel_state_device(p->desired, name);
}

static bool object_remade(const struct planner *p, const struct kind *kind, const void *have)
{
	return kind->device && device_remade(p, kind->device(have));
}

static bool object_goes(const struct planner *p, const struct kind *kind, const void *have)
{
	return object_remade(p, kind, have) ||
	       (kind->device && device_removed(p, kind->device(have)));
}

/* Each desired object beside the actual one of the same key, or NULL: one walk over both. */
typedef int (*pair_step)(struct planner *p, const struct kind *kind, const void *want,
			 const void *have);

static int walk(struct planner *p, const struct kind *kind, pair_step step)
{
	struct span want = kind->of(p->desired), have = kind->of(p->actual);
	size_t i = 0, j = 0;
	int err = 0;

	while (err == 0 && (i < want.count || j < have.count)) {
		const void *w = i < want.count ? want.at + i * kind->size : NULL;
		const void *h = j < have.count ? have.at + j * kind->size : NULL;
		int order = !w ? 1 : !h ? -1 : kind->compare(w, h);

		err = step(p, kind, order <= 0 ? w : NULL, order >= 0 ? h : NULL);
		i += order <= 0;
		j += order >= 0;
	}
	return err;
}

static int step_set(struct planner *p, const struct kind *kind, const void *want, const void *have)
{
	if (!want || (kind->device && device_taken(p, kind->device(want))))
		return 0;
	if (!have || object_remade(p, kind, have))
		return emit(p, PLAN_ADD, kind->object, want, NULL);
	if (kind->differs(want, have))
		return emit(p, PLAN_CHANGE, kind->object, want, have);
	return 0;
}

static int step_remove(struct planner *p, const struct kind *kind, const void *want,
		       const void *have)
{
	if (want || !have || object_goes(p, kind, have))
		return 0;
	return emit(p, PLAN_REMOVE, kind->object, NULL, have);
}

/* One of a kind has the port, or the ends, to itself. */
static bool devices_exclude(const struct kernel_device *a, const struct kernel_device *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == KERNEL_DEVICE_WIREGUARD ? a->listen_port == b->listen_port
						  : a->local == b->local && a->remote == b->remote;
}

/* Ours that nobody wants under its name: what is to have its port, or its ends, and has not yet, cannot have them beside it. */
static bool device_in_way(const struct planner *p, const struct kernel_device *have)
{
	for (size_t i = 0; i < p->desired->device_count; i++) {
		const struct kernel_device *want = &p->desired->devices[i];
		const struct kernel_device *now = kernel_state_device(p->actual, want->name);

		if (devices_exclude(want, have) &&
		    !(now && (now->foreign || devices_exclude(want, now))))
			return true;
	}
	return false;
}

static int step_device_clear(struct planner *p, const struct kind *kind, const void *want,
			     const void *have)
{
	const struct kernel_device *device = have;

	(void)kind;
	if (!device || device->foreign ||
	    (want ? device_kept(p, want, have) : !device_in_way(p, device)))
		return 0;
	return emit(p, PLAN_REMOVE, PLAN_DEVICE, NULL, have);
}

static int step_device(struct planner *p, const struct kind *kind, const void *want,
		       const void *have)
{
	const struct kernel_device *device = have, *wanted = want;

	if (want && (device ? device->foreign : wanted->kind == KERNEL_DEVICE_LOOPBACK))
		return 0;
	return step_set(p, kind, want, want && have && !device_kept(p, want, have) ? NULL : have);
}

static int step_device_remove(struct planner *p, const struct kind *kind, const void *want,
			      const void *have)
{
	const struct kernel_device *device = have;

	if (device && !want &&
	    (device->foreign || device->kind == KERNEL_DEVICE_LOOPBACK || device_in_way(p, device)))
		return 0;
	return step_remove(p, kind, want, have);
}

static bool peer_loses(const struct kernel_peer *want, const struct kernel_peer *have)
{
	for (size_t i = 0, j = 0; j < have->allowed_count; j++) {
		while (i < want->allowed_count &&
		       ipv4_prefix_compare(&want->allowed[i], &have->allowed[j]) < 0)
			i++;
		if (i == want->allowed_count ||
		    ipv4_prefix_compare(&want->allowed[i], &have->allowed[j]))
			return true;
	}
	return false;
}

static int peer_set(struct planner *p, const struct kind *kind, const struct kernel_peer *want,
		    const struct kernel_peer *have, bool of_link, bool losing)
{
	if (!want || of_link != desired_is_link_device(want->device))
		return 0;
	if (losing != (have && peer_loses(want, have)))
		return 0;
	return step_set(p, kind, want, have);
}

static int step_link_peer_losing(struct planner *p, const struct kind *kind, const void *want,
				 const void *have)
{
	return peer_set(p, kind, want, have, true, true);
}

static int step_link_peer(struct planner *p, const struct kind *kind, const void *want,
			  const void *have)
{
	return peer_set(p, kind, want, have, true, false);
}

static int step_session_peer_losing(struct planner *p, const struct kind *kind, const void *want,
				    const void *have)
{
	return peer_set(p, kind, want, have, false, true);
}

static int step_session_peer(struct planner *p, const struct kind *kind, const void *want,
			     const void *have)
{
	return peer_set(p, kind, want, have, false, false);
}

/* net/mpls/conf/<device>/input */
static bool sysctl_opens(const struct kernel_sysctl *sysctl)
{
	size_t length = strlen(sysctl->path);

	return strncmp(sysctl->path, "net/mpls/conf/", 14) == 0 && length > 6 &&
	       strcmp(sysctl->path + length - 6, "/input") == 0;
}

/* "lsp7" in the path of a sysctl of a device. */
static bool sysctl_device(const struct kernel_sysctl *sysctl,
			  char ret_name[static KERNEL_IFNAME_MAX])
{
	const char *conf = strstr(sysctl->path, "/conf/");
	size_t length = conf ? strcspn(conf + 6, "/") : 0;

	if (!length || length >= KERNEL_IFNAME_MAX)
		return false;
	memcpy(ret_name, conf + 6, length);
	ret_name[length] = '\0';
	return true;
}

#define IPV6_MTU_LEAST 1280 /* RFC 8200 section 5 */

/* The kernel takes IPv6 from a device that becomes too small for it, and gives it back, fresh, to one that grows. */
static bool device_gains_ipv6(const struct planner *p, const char *name)
{
	const struct kernel_device *want = kernel_state_device(p->desired, name);
	const struct kernel_device *have = kernel_state_device(p->actual, name);

	return want && have && have->mtu < IPV6_MTU_LEAST && want->mtu >= IPV6_MTU_LEAST;
}

/* The values of a device that is made anew are fresh; those of one that is not ours are not ours to
 * set. */
static int sysctl_set(struct planner *p, const struct kind *kind, const void *want,
		      const void *have)
{
	char name[KERNEL_IFNAME_MAX];

	if (want && sysctl_device(want, name)) {
		if (device_taken(p, name))
			return 0;
		if (device_remade(p, name) ||
		    (device_gains_ipv6(p, name) &&
		     strncmp(((const struct kernel_sysctl *)want)->path, "net/ipv6/", 9) == 0))
			have = NULL;
	}
	return step_set(p, kind, want, have);
}

static int step_sysctl(struct planner *p, const struct kind *kind, const void *want,
		       const void *have)
{
	return want && sysctl_opens(want) ? 0 : sysctl_set(p, kind, want, have);
}

static int step_sysctl_opening(struct planner *p, const struct kind *kind, const void *want,
			       const void *have)
{
	return want && sysctl_opens(want) ? sysctl_set(p, kind, want, have) : 0;
}

static bool route_of_repair(const struct kernel_route *route)
{
	return route->table >= TUYEN_TABLE_REPAIR && route->table < TUYEN_TABLE_END;
}

/* core/uplink.h */
static bool route_of_line(const struct kernel_route *route)
{
	return route->table >= TUYEN_TABLE_CALLED && route->table < TUYEN_TABLE_CLASS;
}

/* Somebody else's that stands where the wanted route @route should, and ours does not. */
static const struct kernel_stray *stray_in_place(const struct planner *p,
						 const struct kernel_route *route)
{
	const struct kernel_stray key = {.route = *route};

	return object_find(&kinds[KIND_STRAY], p->actual, &key);
}

static int step_stray(struct planner *p, const struct kind *kind, const void *want,
		      const void *have)
{
	const struct kernel_stray *stray = have;

	if (stray && object_find(&kinds[KIND_ROUTE], p->desired, &stray->route) &&
	    !object_find(&kinds[KIND_ROUTE], p->actual, &stray->route) &&
	    stray_in_place(p, &stray->route) == stray)
		return 0;
	return step_remove(p, kind, want, have);
}

/* Between the removal of what stands in its place and its own coming another table would decide. */
static int route_set(struct planner *p, const struct kind *kind, const struct kernel_route *want,
		     const struct kernel_route *have)
{
	const struct kernel_stray *stray = have ? NULL : stray_in_place(p, want);

	return step_set(p, kind, want, stray ? &stray->route : have);
}

static int step_route_of_line(struct planner *p, const struct kind *kind, const void *want,
			      const void *have)
{
	return want && route_of_line(want) ? route_set(p, kind, want, have) : 0;
}

static int step_route(struct planner *p, const struct kind *kind, const void *want,
		      const void *have)
{
	return want && !route_of_repair(want) && !route_of_line(want)
		   ? route_set(p, kind, want, have)
		   : 0;
}

static int step_route_of_repair(struct planner *p, const struct kind *kind, const void *want,
				const void *have)
{
	return want && route_of_repair(want) ? route_set(p, kind, want, have) : 0;
}

static int step_repair_end(struct planner *p, const struct kind *kind, const void *want,
			   const void *have)
{
	const struct kernel_rule *rule = have;

	return rule && rule->priority == TUYEN_RULE_REPAIR ? step_remove(p, kind, want, have) : 0;
}

static int step_rule_remove(struct planner *p, const struct kind *kind, const void *want,
			    const void *have)
{
	const struct kernel_rule *rule = have;

	return rule && rule->priority != TUYEN_RULE_REPAIR ? step_remove(p, kind, want, have) : 0;
}

/* A class stays below its parent, and what has children holds no packets: else all of its device are made anew. */
static bool queues_stuck(const struct planner *p, const char *device)
{
	const struct kernel_state *have = p->actual;

	for (size_t i = 0; i < have->queue_count; i++) {
		const struct kernel_queue *h = &have->queues[i], *w;

		if (strcmp(h->device, device) != 0)
			continue;
		w = object_find(&kinds[KIND_QUEUE], p->desired, h);
		if (w && (h->strange || w->parent != h->parent || w->leaf != h->leaf))
			return true;
	}
	return false;
}

/* All of a device stand together in the walk. */
static bool queues_anew(struct planner *p, const char *device)
{
	if (!p->queues_of || strcmp(p->queues_of, device) != 0)
		p->queues_anew = !device_remade(p, device) && queues_stuck(p, device);
	p->queues_of = device;
	return p->queues_anew;
}

static int step_queue(struct planner *p, const struct kind *kind, const void *want,
		      const void *have)
{
	const struct kernel_queue *w = want;
	int err = 0;

	if (!w || !queues_anew(p, w->device))
		return step_set(p, kind, want, have);
	if (!w->minor)
		err = emit(p, PLAN_REMOVE, PLAN_QUEUE, NULL, have);
	return err ? err : emit(p, PLAN_ADD, PLAN_QUEUE, want, NULL);
}

/* Children before their parents: from behind. With the root all goes. */
static int plan_queues_remove(struct planner *p)
{
	const struct kernel_state *want = p->desired, *have = p->actual;
	const struct kind *kind = &kinds[KIND_QUEUE];
	int err = 0;

	for (size_t i = have->queue_count; err == 0 && i-- > 0;) {
		const struct kernel_queue *queue = &have->queues[i];

		if (object_goes(p, kind, queue) || queues_anew(p, queue->device) ||
		    (!want->queue_count && queue->minor))
			continue;
		if (!want->queue_count || !bsearch(queue, want->queues, want->queue_count,
						   sizeof(*queue), kernel_queue_compare))
			err = emit(p, PLAN_REMOVE, PLAN_QUEUE, NULL, queue);
	}
	return err;
}

static int plan_nft(struct planner *p)
{
	const char *want = p->desired->nft, *have = p->actual->nft;

	if (!want || (have && strcmp(want, have) == 0))
		return 0;
	return emit(p, have ? PLAN_CHANGE : PLAN_ADD, PLAN_NFT, want, have);
}

static int plan_nft_remove(struct planner *p)
{
	if (p->desired->nft || !p->actual->nft)
		return 0;
	return emit(p, PLAN_REMOVE, PLAN_NFT, NULL, p->actual->nft);
}

static const struct {
	int kind;
	pair_step step;
} order_set[] =
    {
	{KIND_STRAY, step_stray},
	{KIND_DEVICE, step_device_clear},
	{KIND_DEVICE, step_device},
	{KIND_QDISC, step_remove},
	{KIND_ROUTE, step_route_of_line},
	{KIND_ROUTE6, step_set},
	{KIND_PEER, step_link_peer_losing},
	{KIND_PEER, step_link_peer},
	{KIND_ADDRESS, step_set},
	{KIND_SYSCTL, step_sysctl},
	{KIND_FILTER, step_set},
	{KIND_SYSCTL, step_sysctl_opening},
	{KIND_QUEUE, step_queue},
	{KIND_LABEL, step_set},
	{KIND_ROUTE, step_route},
	{KIND_RULE, step_repair_end},
	{KIND_ROUTE, step_route_of_repair},
	{KIND_RULE, step_set},
	{KIND_RULE6, step_set},
	{KIND_PEER, step_session_peer_losing},
	{KIND_PEER, step_session_peer},
},
  order_remove[] = {
      {KIND_RULE, step_rule_remove}, {KIND_RULE6, step_remove}, {KIND_ROUTE, step_remove},
      {KIND_ROUTE6, step_remove},    {KIND_LABEL, step_remove}, {KIND_FILTER, step_remove},
      {KIND_ADDRESS, step_remove},   {KIND_PEER, step_remove},	{KIND_DEVICE, step_device_remove},
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int plan_all(struct planner *p)
{
	int err = plan_nft(p);

	for (size_t i = 0; err == 0 && i < ARRAY_SIZE(order_set); i++)
		err = walk(p, &kinds[order_set[i].kind], order_set[i].step);
	if (err == 0)
		err = plan_queues_remove(p);
	for (size_t i = 0; err == 0 && i < ARRAY_SIZE(order_remove); i++)
		err = walk(p, &kinds[order_remove[i].kind], order_remove[i].step);
	if (err == 0)
		err = plan_nft_remove(p);
	return err;
}

static void note_names(struct planner *p)
{
	for (size_t i = 0; i < p->actual->device_count && !*p->plan->conflict.text; i++) {
		const struct kernel_device *have = &p->actual->devices[i];

		if (device_taken(p, have->name))
			reason_set(&p->plan->conflict, 0,
				   "device %s is there and is not Tuyen's: rename it or "
				   "remove it (ip link delete %s)",
				   have->name, have->name);
	}
}

struct owned_prefix {
	const struct kernel_peer *peer;
	struct ipv4_prefix prefix;
};

static int owned_prefix_compare(const void *a, const void *b)
{
	const struct owned_prefix *x = a, *y = b;
	int by_device = strcmp(x->peer->device, y->peer->device);

	return by_device ? by_device : ipv4_prefix_compare(&x->prefix, &y->prefix);
}

static size_t owned_prefixes_list(const struct kernel_state *state, struct owned_prefix *ret_list)
{
	size_t count = 0;

	for (size_t i = 0; i < state->peer_count; i++)
		for (size_t j = 0; j < state->peers[i].allowed_count; j++)
			ret_list[count++] =
			    (struct owned_prefix){&state->peers[i], state->peers[i].allowed[j]};
	if (count > 1)
		qsort(ret_list, count, sizeof(*ret_list), owned_prefix_compare);
	return count;
}

static int check_owners(const struct planner *p, struct reason *reason)
{
	size_t room = 1, count;
	struct owned_prefix *list;
	char prefix[IPV4_PREFIX_STRLEN];
	int err = 0;

	for (size_t i = 0; i < p->desired->peer_count; i++)
		room += p->desired->peers[i].allowed_count;
	list = calloc(room, sizeof(*list));
	if (!list)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	count = owned_prefixes_list(p->desired, list);
	for (size_t i = 1; err == 0 && i < count; i++)
		if (owned_prefix_compare(&list[i - 1], &list[i]) == 0)
			err = reason_set(reason, -TUYEN_ECONFLICT,
					 "two peers of %s are both given %s", list[i].peer->device,
					 ipv4_prefix_format(list[i].prefix, prefix));
	free(list);
	return err;
}

int kernel_plan_build(const struct kernel_state *desired, const struct kernel_state *actual,
		      struct kernel_plan **ret_plan, struct reason *reason)
{
	struct planner p = {.desired = desired, .actual = actual};
	int err;

	p.plan = calloc(1, sizeof(*p.plan));
	if (!p.plan)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	note_names(&p);
	err = check_owners(&p, reason);
	if (err == 0) {
		err = plan_all(&p);
		reason_set(err ? reason : NULL, err, "plan: %s", tuyen_strerror(err));
	}
	if (err < 0) {
		kernel_plan_free(p.plan);
		return err;
	}
	*ret_plan = p.plan;
	return 0;
}

int kernel_plan_routes(const struct kernel_state *routes, struct kernel_plan **ret_plan)
{
	struct planner p = {.plan = calloc(1, sizeof(*p.plan))};
	int err = p.plan ? 0 : -TUYEN_ENOMEM;

	for (size_t i = 0; err == 0 && i < routes->route_count; i++)
		err = emit(&p, PLAN_CHANGE, PLAN_ROUTE, &routes->routes[i], &routes->routes[i]);
	for (size_t i = 0; err == 0 && i < routes->rule_count; i++)
		err = emit(&p, PLAN_ADD, PLAN_RULE, &routes->rules[i], NULL);
	for (size_t i = 0; err == 0 && i < routes->label_count; i++)
		err = emit(&p, PLAN_CHANGE, PLAN_LABEL, &routes->labels[i], &routes->labels[i]);
	if (err < 0) {
		kernel_plan_free(p.plan);
		return err;
	}
	*ret_plan = p.plan;
	return 0;
}

static bool preshared_moves(const struct kernel_peer *want, const struct kernel_peer *have)
{
	if (!have)
		return true;
	return want ? want->preshared == have->preshared
		    : have->preshared != KERNEL_PRESHARED_ANOTHER;
}

bool plan_operation_moves(const struct plan_operation *operation)
{
	const struct kernel_sysctl *sysctl = operation->want;

	switch (operation->object) {
	case PLAN_DEVICE: /* a session's MTU is what its path carries; below 1,280 it loses what IPv6 had of it */
		return operation->verb == PLAN_CHANGE &&
		       !device_is_another(operation->want, operation->have);
	case PLAN_SYSCTL:
		return sysctl && !strncmp(sysctl->path, "net/ipv6/conf/s", 15);
	case PLAN_PEER:
		return preshared_moves(operation->want, operation->have);
	case PLAN_ADDRESS:
	case PLAN_FILTER:
	case PLAN_QUEUE:
	case PLAN_STRAY:
	case PLAN_QDISC:
		return false;
	case PLAN_NFT:
	case PLAN_LABEL:
	case PLAN_ROUTE:
	case PLAN_RULE:
	case PLAN_ROUTE6:
	case PLAN_RULE6:
		break;
	}
	return true;
}

static bool route_stood(const struct kernel_state *state, const struct kernel_route *route)
{
	const struct kernel_route *stood = object_find(&kinds[KIND_ROUTE], state, route);

	return stood && !stood->foreign;
}

static bool label_stood(const struct kernel_state *state, const struct kernel_label_route *label)
{
	const struct kernel_label_route *stood = object_find(&kinds[KIND_LABEL], state, label);

	return stood && !stood->foreign;
}

/* @device  "" for a route that only says no */
static bool device_stays(const struct kernel_state *state, const char *device)
{
	return !*device || strcmp(device, "lo") == 0 || kernel_state_device(state, device);
}

bool plan_operation_ousts(const struct plan_operation *operation)
{
	const struct kernel_route *route = operation->have;
	const struct kernel_route6 *route6 = operation->have;
	const struct kernel_label_route *label = operation->have;

	if (operation->verb != PLAN_CHANGE)
		return false;
	return operation->object == PLAN_ROUTE	  ? route->foreign
	       : operation->object == PLAN_ROUTE6 ? route6->foreign
	       : operation->object == PLAN_LABEL  ? label->foreign
						  : false;
}

bool plan_operation_restores(const struct plan_operation *operation,
			     const struct kernel_state *before)
{
	const struct kernel_route *route = operation->want;
	const struct kernel_label_route *label = operation->want;
	const struct kernel_peer *peer = operation->want;

	if (operation->verb != PLAN_ADD)
		return false;
	switch (operation->object) {
	case PLAN_ROUTE:
		return device_stays(before, route->device) && route_stood(before, route);
	case PLAN_LABEL:
		return device_stays(before, label->device) && label_stood(before, label);
	case PLAN_RULE:
		return object_find(&kinds[KIND_RULE], before, operation->want);
	case PLAN_NFT:
		return before->nft;
	case PLAN_PEER: /* of sessions we take some out ourselves */
		return desired_is_link_device(peer->device) &&
		       object_find(&kinds[KIND_PEER], before, peer);
	case PLAN_DEVICE:
	case PLAN_SYSCTL:
	case PLAN_ADDRESS:
	case PLAN_FILTER:
	case PLAN_QUEUE:
	case PLAN_STRAY:
	case PLAN_QDISC:
	case PLAN_ROUTE6:
	case PLAN_RULE6:
		break;
	}
	return false;
}

void kernel_plan_free(struct kernel_plan *plan)
{
	if (!plan)
		return;
	free(plan->operations);
	free(plan);
}
