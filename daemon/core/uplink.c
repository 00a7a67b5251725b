/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site with two lines. WireGuard's one socket serves all neighbours, so that no binding of a socket can tell their
 * lines apart; their addresses and ours can. What link0 sends bears a mark, and rules before the main table lead it:
 *
 *	rule		leads to table		which holds
 *	LINK		TABLE_CALLED		each endpoint that we call, by its line's device
 *	LINK		TABLE_SEEN		each endpoint that a peer really has, by its line's device
 *	LINK, from	TABLE_LINE + place	the line whose device has that address
 *	LINK		TABLE_SHARED		endpoints of peers of several lines: nowhere
 *
 * WireGuard keeps the address at which it heard a neighbour last, and asks for a way from there; when the way leads over
 * another device, it forgets the address and takes that way with the other's. So those who call us need ways too. The second is
 * one turn late; until then the third leads the answer back over the line by which the call came. Many who call may have one address,
 * a translator's, and come by several lines; and anyone on the way can make a neighbour seem to be where another is: such an
 * address is in the second table no more, and the third alone tells.
 *
 * When a line has no route, what leads nowhere remains: else the other line would carry this one's packets, be charged for
 * them, and answer probes in its name.
 *
 * IPv6 has the same rules and tables, and two ways of its own. A table that leads nowhere stands behind each, with a rule: see
 * TUYEN_TABLE_NOWHERE6. And WireGuard does not forget an address of ours when the way leads over another device: whoever
 * changes these rules and routes tells it to (kernel/apply.c).
 *
 * link1, of parallel links, has a mark, rules and tables of its own: it calls the same addresses over other lines.
 *
 * The main table has none of it: a lease may bring host routes (RFC 3442), and the box's own packets are its own.
 */
#include "tuyen/core/uplink.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"

/* One of the two WireGuard devices of links, and what leads its packets. */
struct device {
	const char *name;
	uint32_t mark;
	uint32_t tables, rules; /* added to what the other's are */
	bool parallel;
};

static const struct device devices[] = {
    {.name = LINK_DEVICE, .mark = TUYEN_MARK_LINK},
    {PARALLEL_DEVICE, TUYEN_MARK_PARALLEL, TUYEN_TABLE_PARALLEL, TUYEN_RULE_PARALLEL, true},
};

static bool device_leads(const struct device *d, const struct fwd_neighbor *n)
{
	return forwarding_id_parallel(n->site_id) == d->parallel;
}

static bool word_take(const char **at, char end, char *out, size_t size)
{
	size_t length = strcspn(*at, "=,");

	if (!length || length >= size || (end == '=' ? (*at)[length] != '=' : (*at)[length] == '='))
		return false;
	memcpy(out, *at, length);
	out[length] = '\0';
	*at += length + ((*at)[length] != '\0');
	return true;
}

static bool said_already(const struct node_uplinks *u, const struct node_uplink *entry)
{
	for (size_t i = 0; i < u->count; i++)
		if (!strcmp(u->entry[i].underlay, entry->underlay) ||
		    !strcmp(u->entry[i].device, entry->device))
			return true;
	return false;
}

int node_uplinks_parse(const char *words, struct node_uplinks *ret_uplinks, struct reason *reason)
{
	const char *at = words;
	struct node_uplinks u = {0};

	while (*at) {
		struct node_uplink entry = {0};

		if (u.count == NODE_UPLINKS_MAX)
			return reason_set(reason, -TUYEN_EINVAL, "more than %d uplinks",
					  NODE_UPLINKS_MAX);
		if (!word_take(&at, '=', entry.underlay, sizeof(entry.underlay)) ||
		    !word_take(&at, ',', entry.device, sizeof(entry.device)) ||
		    strpbrk(entry.device, "/ \t\"*") || (!*at && at[-1] == ','))
			return reason_set(reason, -TUYEN_EINVAL,
					  "'%.100s' is not like fibre=eth0,lte=wwan0", words);
		if (said_already(&u, &entry))
			return reason_set(reason, -TUYEN_EINVAL, "'%.100s' says '%s' or '%s' twice",
					  words, entry.underlay, entry.device);
		u.entry[u.count++] = entry;
	}
	*ret_uplinks = u;
	return 0;
}

void node_uplink_address_add(struct node_uplink *u, ipv4_t address)
{
	size_t at = 0;

	while (at < u->address_count && u->address[at] < address)
		at++;
	if (u->address_count == NODE_UPLINK_ADDRESSES_MAX ||
	    (at < u->address_count && u->address[at] == address))
		return;
	memmove(&u->address[at + 1], &u->address[at], (u->address_count - at) * sizeof(address));
	u->address[at] = address;
	u->address_count++;
}

void node_uplink_address6_add(struct node_uplink *u, const struct ipv6 *address)
{
	size_t at = 0;

	while (at < u->address6_count && memcmp(&u->address6[at], address, sizeof(*address)) < 0)
		at++;
	if (u->address6_count == NODE_UPLINK_ADDRESSES6_MAX ||
	    (at < u->address6_count && ipv6_equal(&u->address6[at], address)))
		return;
	memmove(&u->address6[at + 1], &u->address6[at],
		(u->address6_count - at) * sizeof(*address));
	u->address6[at] = *address;
	u->address6_count++;
}

static bool addresses_equal(const struct node_uplink *a, const struct node_uplink *b)
{
	return a->address_count == b->address_count && a->address6_count == b->address6_count &&
	       memcmp(a->address, b->address, a->address_count * sizeof(a->address[0])) == 0 &&
	       memcmp(a->address6, b->address6, a->address6_count * sizeof(a->address6[0])) == 0;
}

bool node_uplinks_equal(const struct node_uplinks *a, const struct node_uplinks *b)
{
	if (a->count != b->count || a->ipv6 != b->ipv6)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct node_uplink *x = &a->entry[i], *y = &b->entry[i];

		if (strcmp(x->device, y->device) || x->has_route != y->has_route ||
		    x->gateway != y->gateway || x->source != y->source || x->strict != y->strict ||
		    x->has_route6 != y->has_route6 || !ipv6_equal(&x->gateway6, &y->gateway6) ||
		    x->onlink6 != y->onlink6 || !ipv6_equal(&x->source6, &y->source6) ||
		    !addresses_equal(x, y))
			return false;
	}
	return true;
}

static const struct node_uplink *uplink_find(const struct node_uplinks *u, const char *underlay)
{
	for (size_t i = 0; i < u->count; i++)
		if (!strcmp(u->entry[i].underlay, underlay))
			return &u->entry[i];
	return NULL;
}

/* ---- of either family --------------------------------------------------------------------- */

/* An address, or (length 0) all of them. IPv4's in the first four bytes. */
struct place {
	uint8_t family; /* 4, 6; 0: none */
	uint8_t length; /* bits */
	struct ipv6 address;
};

static const struct place all4 = {.family = 4}, all6 = {.family = 6};

static struct place place_of(const struct ip_endpoint *endpoint)
{
	struct place p = {.family = endpoint->family};

	if (p.family == 4) {
		p.length = 32;
		memcpy(p.address.byte, endpoint->address, 4);
	} else if (p.family == 6) {
		p.length = 128;
		memcpy(p.address.byte, endpoint->address, sizeof(p.address.byte));
	}
	/* An address of one link alone means nothing without its device, and needs no way. */
	if (p.family == 6 && p.address.byte[0] == 0xfe && (p.address.byte[1] & 0xc0) == 0x80)
		p.family = 0;
	return p;
}

static int place_compare(const struct place *a, const struct place *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(&a->address, &b->address, sizeof(a->address));
}

static struct ipv4_prefix prefix_of(const struct place *p)
{
	const uint8_t *a = p->address.byte;

	return (struct ipv4_prefix){
	    (ipv4_t)a[0] << 24 | (ipv4_t)a[1] << 16 | (ipv4_t)a[2] << 8 | a[3], p->length};
}

static int route4_add(struct kernel_state *desired, const struct device *d,
		      const struct node_uplink *u, uint32_t table, const struct place *to)
{
	struct kernel_route *r = kernel_state_add_route(desired);

	if (!r)
		return -TUYEN_ENOMEM;
	r->table = table + d->tables;
	r->destination = prefix_of(to);
	r->metric = u ? TUYEN_METRIC_UPLINK : TUYEN_METRIC_NOWHERE;
	r->type = u ? KERNEL_ROUTE_UNICAST : KERNEL_ROUTE_UNREACHABLE;
	if (!u)
		return 0;
	memcpy(r->device, u->device, sizeof(r->device));
	r->gateway = u->gateway;
	r->source = u->source;
	r->link_scope = !u->gateway;
	return 0;
}

static int route6_add(struct kernel_state *desired, const struct device *d,
		      const struct node_uplink *u, uint32_t table, const struct place *to)
{
	struct kernel_route6 *r = kernel_state_add_route6(desired);

	if (!r)
		return -TUYEN_ENOMEM;
	r->table =
	    d->tables + (u || table == TUYEN_TABLE_SHARED ? table : table + TUYEN_TABLE_NOWHERE6);
	r->destination = (struct ipv6_prefix){to->address, to->length};
	r->metric = u ? TUYEN_METRIC_UPLINK : TUYEN_METRIC_NOWHERE;
	r->type = u ? KERNEL_ROUTE_UNICAST : KERNEL_ROUTE_UNREACHABLE;
	if (!u)
		return 0;
	memcpy(r->device, u->device, sizeof(r->device));
	r->gateway = u->gateway6;
	r->onlink = u->onlink6;
	r->source = u->source6;
	return 0;
}

/* Over @u, and behind that nowhere. @u NULL: nowhere. */
static int way_add(struct kernel_state *desired, const struct device *d,
		   const struct node_uplink *u, uint32_t table, const struct place *to)
{
	int (*add)(struct kernel_state *, const struct device *, const struct node_uplink *,
		   uint32_t, const struct place *) = to->family == 6 ? route6_add : route4_add;
	int err = add(desired, d, NULL, table, to);

	if (!err && u && (to->family == 6 ? u->has_route6 : u->has_route))
		err = add(desired, d, u, table, to);
	return err;
}

static int rule4_add(struct kernel_state *desired, const struct device *d, uint32_t priority,
		     const struct place *source, uint32_t table)
{
	struct kernel_rule *rule = kernel_state_add_rule(desired);

	if (!rule)
		return -TUYEN_ENOMEM;
	*rule = (struct kernel_rule){priority + d->rules, d->mark, TUYEN_MARK_MASK,
				     prefix_of(source), table + d->tables};
	return 0;
}

static int rule6_add(struct kernel_state *desired, const struct device *d, uint32_t priority,
		     const struct place *source, uint32_t table)
{
	struct kernel_rule6 *rule = kernel_state_add_rule6(desired);

	if (!rule)
		return -TUYEN_ENOMEM;
	*rule = (struct kernel_rule6){priority + d->rules,
				      d->mark,
				      TUYEN_MARK_MASK,
				      {source->address, source->length},
				      table + d->tables};
	return 0;
}

/* To the ways of @table, and behind them to where there is none. */
static int rule_add(struct kernel_state *desired, const struct device *d, uint32_t priority,
		    const struct place *source, uint32_t table)
{
	int err;

	if (source->family != 6)
		return rule4_add(desired, d, priority, source, table);
	err = rule6_add(desired, d, priority, source, table);
	return err || table == TUYEN_TABLE_SHARED
		   ? err
		   : rule6_add(desired, d, priority + TUYEN_RULE_NOWHERE6, source,
			       table + TUYEN_TABLE_NOWHERE6);
}

/* ---- endpoints ---------------------------------------------------------------------------- */

struct pin {
	struct place place;
	const struct fwd_neighbor *neighbor;
	const struct node_uplink *uplink;
};

/* Of several neighbours at one address the first comes first: its line serves all. */
static int pin_compare(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;
	int by_place = place_compare(&x->place, &y->place);

	if (by_place)
		return by_place;
	return x->neighbor < y->neighbor ? -1 : x->neighbor > y->neighbor;
}

static struct place called_at(const struct fwd_neighbor *n)
{
	return n->caller ? place_of(&n->endpoint) : (struct place){0};
}

/* @seen NULL: where they are called, else where they are, if it is another place. Sorted. @return how many. */
static size_t pins_list(const struct node_uplinks *uplinks, const struct forwarding *f,
			const struct device *d, const struct ip_endpoint *seen,
			struct pin *ret_pins)
{
	size_t count = 0;

	for (size_t i = 0; i < f->neighbor_count; i++) {
		const struct fwd_neighbor *n = &f->neighbors[i];
		const struct node_uplink *u = uplink_find(uplinks, n->underlay);
		struct place called = called_at(n), place = seen ? place_of(&seen[i]) : called;

		if (u && device_leads(d, n) && place.family &&
		    (place.family == 4 || uplinks->ipv6) &&
		    !(seen && !place_compare(&place, &called)))
			ret_pins[count++] = (struct pin){place, n, u};
	}
	if (count > 1)
		qsort(ret_pins, count, sizeof(*ret_pins), pin_compare);
	return count;
}

/* @return where the pins of one address that begin at @from end; and whether they are of one line. */
static size_t pins_group(const struct pin *pins, size_t count, size_t from, bool *ret_agree)
{
	size_t to = from + 1;

	*ret_agree = true;
	for (; to < count && !place_compare(&pins[to].place, &pins[from].place); to++)
		*ret_agree &= pins[to].uplink == pins[from].uplink;
	return to;
}

static int called_desire(struct kernel_state *desired, const struct device *d,
			 const struct pin *pins, size_t count)
{
	bool agree;
	int err = 0;

	for (size_t i = 0; !err && i < count; i = pins_group(pins, count, i, &agree))
		err = way_add(desired, d, pins[i].uplink, TUYEN_TABLE_CALLED, &pins[i].place);
	return err;
}

static int seen_desire(struct kernel_state *desired, const struct device *d, const struct pin *pins,
		       size_t count)
{
	bool agree;
	int err = 0;

	for (size_t i = 0, next; !err && i < count; i = next) {
		next = pins_group(pins, count, i, &agree);
		err = way_add(desired, d, agree ? pins[i].uplink : NULL,
			      agree ? TUYEN_TABLE_SEEN : TUYEN_TABLE_SHARED, &pins[i].place);
	}
	return err;
}

static int endpoints_desire(const struct node_uplinks *uplinks, const struct forwarding *f,
			    const struct device *d, const struct ip_endpoint *seen,
			    struct kernel_state *desired)
{
	struct pin *pins = calloc(f->neighbor_count + 1, sizeof(*pins));
	int err;

	if (!pins)
		return -TUYEN_ENOMEM;
	err = called_desire(desired, d, pins, pins_list(uplinks, f, d, NULL, pins));
	if (!err && seen)
		err = seen_desire(desired, d, pins, pins_list(uplinks, f, d, seen, pins));
	free(pins);
	return err;
}

static bool device_conflict(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			    const struct device *d, const struct fwd_neighbor **ret_first,
			    const struct fwd_neighbor **ret_second)
{
	struct pin *pins =
	    uplinks->count ? calloc(forwarding->neighbor_count + 1, sizeof(*pins)) : NULL;
	size_t count = pins ? pins_list(uplinks, forwarding, d, NULL, pins) : 0, first = 0, i;

	for (i = 1; i < count; i++) {
		if (place_compare(&pins[i].place, &pins[first].place))
			first = i;
		else if (pins[i].uplink != pins[first].uplink)
			break;
	}
	if (i < count) {
		*ret_first = pins[first].neighbor;
		*ret_second = pins[i].neighbor;
	}
	free(pins);
	return i < count;
}

bool node_uplinks_conflict(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			   const struct fwd_neighbor **ret_first,
			   const struct fwd_neighbor **ret_second)
{
	return device_conflict(uplinks, forwarding, &devices[0], ret_first, ret_second) ||
	       device_conflict(uplinks, forwarding, &devices[1], ret_first, ret_second);
}

bool node_uplinks_unnamed(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			  const struct fwd_neighbor **ret_link,
			  const struct fwd_neighbor **ret_parallel)
{
	for (size_t i = 0; i < forwarding->neighbor_count; i++) {
		const struct fwd_neighbor *p = &forwarding->neighbors[i];
		const struct fwd_neighbor *n =
		    forwarding_id_parallel(p->site_id)
			? forwarding_neighbor(forwarding, forwarding_id_site(p->site_id))
			: NULL;

		if (!n || !n->caller || !p->caller || !strcmp(n->underlay, p->underlay) ||
		    (uplink_find(uplinks, n->underlay) && uplink_find(uplinks, p->underlay)))
			continue;
		*ret_link = n;
		*ret_parallel = p;
		return true;
	}
	return false;
}

static bool goes_by(const struct forwarding *f, const struct node_uplink *u)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (!strcmp(f->neighbors[i].underlay, u->underlay))
			return true;
	return false;
}

const struct node_uplink *node_uplinks_unused(const struct node_uplinks *uplinks,
					      const struct forwarding *forwarding)
{
	for (size_t i = 0; i < uplinks->count; i++)
		if (!goes_by(forwarding, &uplinks->entry[i]))
			return &uplinks->entry[i];
	return NULL;
}

/* ---- lines -------------------------------------------------------------------------------- */

static size_t address_count(const struct node_uplink *u, uint8_t family)
{
	return family == 6 ? u->address6_count : u->address_count;
}

static struct place address_at(const struct node_uplink *u, uint8_t family, size_t index)
{
	struct place p = {.family = family, .length = family == 6 ? 128 : 32};

	if (family == 6)
		p.address = u->address6[index];
	else
		for (int i = 0; i < 4; i++)
			p.address.byte[i] = (uint8_t)(u->address[index] >> (24 - 8 * i));
	return p;
}

/* An address that two lines have tells neither. */
static bool address_ambiguous(const struct node_uplinks *uplinks, const struct node_uplink *of,
			      const struct place *address)
{
	for (size_t i = 0; i < uplinks->count; i++)
		for (size_t k = 0; &uplinks->entry[i] != of &&
				   k < address_count(&uplinks->entry[i], address->family);
		     k++) {
			struct place other = address_at(&uplinks->entry[i], address->family, k);

			if (!place_compare(&other, address))
				return true;
		}
	return false;
}

/* Has each of the line's addresses a rule? */
static bool addresses_tell(const struct node_uplinks *uplinks, const struct node_uplink *u,
			   uint8_t family)
{
	size_t most = family == 6 ? NODE_UPLINK_ADDRESSES6_MAX : NODE_UPLINK_ADDRESSES_MAX;
	bool tell = address_count(u, family) < most;

	for (size_t i = 0; i < address_count(u, family); i++) {
		struct place address = address_at(u, family, i);

		tell &= !address_ambiguous(uplinks, u, &address);
	}
	return tell;
}

static int line_desire(const struct node_uplinks *uplinks, const struct device *d, size_t index,
		       const struct place *all, struct kernel_state *desired)
{
	const struct node_uplink *u = &uplinks->entry[index];
	uint32_t table = TUYEN_TABLE_LINE + (uint32_t)index;
	int err = way_add(desired, d, u, table, all);

	for (size_t i = 0; !err && i < address_count(u, all->family); i++) {
		struct place address = address_at(u, all->family, i);

		if (!address_ambiguous(uplinks, u, &address))
			err = rule_add(desired, d, TUYEN_RULE_LINE, &address, table);
	}
	return err;
}

/* What is nobody's (a peer that moved and is not seen yet, from an address that is gone) waits for its line, unless there are
 * neighbours whose lines are not ours to lead, or lines with addresses that have no rule: then it may be an answer. */
static int rest_desire(const struct node_uplinks *uplinks, const struct forwarding *f,
		       const struct device *d, const struct place *all,
		       struct kernel_state *desired)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (device_leads(d, &f->neighbors[i]) &&
		    !uplink_find(uplinks, f->neighbors[i].underlay))
			return 0;
	for (size_t i = 0; i < uplinks->count; i++)
		if (!addresses_tell(uplinks, &uplinks->entry[i], all->family))
			return 0;
	return way_add(desired, d, NULL, TUYEN_TABLE_SHARED, all);
}

static int rules_desire(struct kernel_state *desired, const struct device *d,
			const struct place *all)
{
	int err = rule_add(desired, d, TUYEN_RULE_CALLED, all, TUYEN_TABLE_CALLED);

	if (!err)
		err = rule_add(desired, d, TUYEN_RULE_SEEN, all, TUYEN_TABLE_SEEN);
	return err ? err : rule_add(desired, d, TUYEN_RULE_SHARED, all, TUYEN_TABLE_SHARED);
}

static int lines_desire(const struct node_uplinks *uplinks, const struct forwarding *f,
			const struct device *d, const struct place *all,
			struct kernel_state *desired)
{
	int err = 0;

	for (size_t i = 0; !err && i < uplinks->count; i++)
		err = line_desire(uplinks, d, i, all, desired);
	if (!err)
		err = rest_desire(uplinks, f, d, all, desired);
	return err ? err : rules_desire(desired, d, all);
}

/* Does a line have IPv6, or a neighbour on one? */
static bool ipv6_used(const struct node_uplinks *uplinks, const struct kernel_state *desired)
{
	bool used = desired->route6_count > 0;

	for (size_t i = 0; i < uplinks->count; i++)
		used |= uplinks->entry[i].has_route6 || uplinks->entry[i].address6_count;
	return used && uplinks->ipv6;
}

static int device_desire(const struct node_uplinks *uplinks, const struct forwarding *f,
			 const struct device *d, const struct ip_endpoint *seen,
			 struct kernel_state *desired)
{
	int err = endpoints_desire(uplinks, f, d, seen, desired);

	if (!err)
		err = lines_desire(uplinks, f, d, &all4, desired);
	if (!err && ipv6_used(uplinks, desired))
		err = lines_desire(uplinks, f, d, &all6, desired);
	return err;
}

int node_uplinks_desire(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			const struct ip_endpoint *seen, struct kernel_state *desired)
{
	int err = 0;

	for (size_t i = 0; !err && uplinks->count && i < sizeof(devices) / sizeof(devices[0]);
	     i++) {
		struct kernel_device *link = kernel_state_device(desired, devices[i].name);

		if (link)
			link->fwmark = devices[i].mark;
		if (link || !devices[i].parallel)
			err = device_desire(uplinks, forwarding, &devices[i], seen, desired);
	}
	return err;
}
