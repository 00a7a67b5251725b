/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site with two lines. WireGuard's one socket serves all neighbours, so that no mark and no binding of a
 * socket can tell their lines apart; their addresses can. Each neighbour that is called over a line has a route to
 * its address alone, by that line's device and the gateway that the box's default route over it names. When the device loses that
 * route, the one behind it remains, which leads nowhere: else the other line would carry this one's packets, be charged
 * for them, and answer probes in its name.
 *
 * A neighbour that calls us is answered where it called: the kernel's WireGuard keeps the device and the address.
 */
#include "tuyen/core/uplink.h"

#include <string.h>

#include "tuyen/core/desired.h"

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
			return reason_set(reason, -TUYEN_EINVAL, "more than %d uplinks", NODE_UPLINKS_MAX);
		if (!word_take(&at, '=', entry.underlay, sizeof(entry.underlay)) ||
		    !word_take(&at, ',', entry.device, sizeof(entry.device)) ||
		    strpbrk(entry.device, "/ \t"))
			return reason_set(reason, -TUYEN_EINVAL,
					  "'%.100s' is not like fibre=eth0,lte=wwan0", words);
		if (said_already(&u, &entry))
			return reason_set(reason, -TUYEN_EINVAL, "'%.100s' says '%s' or '%s' twice", words,
					  entry.underlay, entry.device);
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
	if (u->address_count == NODE_UPLINK_ADDRESSES_MAX || (at < u->address_count && u->address[at] == address))
		return;
	memmove(&u->address[at + 1], &u->address[at], (u->address_count - at) * sizeof(address));
	u->address[at] = address;
	u->address_count++;
}

static bool addresses_equal(const struct node_uplink *a, const struct node_uplink *b)
{
	return a->address_count == b->address_count &&
	       memcmp(a->address, b->address, a->address_count * sizeof(a->address[0])) == 0;
}

bool node_uplinks_equal(const struct node_uplinks *a, const struct node_uplinks *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct node_uplink *x = &a->entry[i], *y = &b->entry[i];

		if (strcmp(x->device, y->device) || x->has_route != y->has_route ||
		    x->gateway != y->gateway || x->source != y->source || x->strict != y->strict ||
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

static ipv4_t address_of(const struct ip_endpoint *endpoint)
{
	const uint8_t *a = endpoint->address;

	return (ipv4_t)a[0] << 24 | (ipv4_t)a[1] << 16 | (ipv4_t)a[2] << 8 | a[3];
}

static struct kernel_route *route_add(struct kernel_state *desired, ipv4_t address, uint32_t metric)
{
	struct kernel_route *r = kernel_state_add_route(desired);

	if (!r)
		return NULL;
	r->table = DESIRED_TABLE_MAIN;
	r->destination = (struct ipv4_prefix){.address = address, .length = 32};
	r->metric = metric;
	return r;
}

static int pin(const struct node_uplink *u, ipv4_t address, struct kernel_state *desired)
{
	struct kernel_route *r = route_add(desired, address, TUYEN_METRIC_NOWHERE);

	if (!r)
		return -TUYEN_ENOMEM;
	r->type = KERNEL_ROUTE_UNREACHABLE;
	if (!u->has_route)
		return 0;
	r = route_add(desired, address, TUYEN_METRIC_UPLINK);
	if (!r)
		return -TUYEN_ENOMEM;
	memcpy(r->device, u->device, sizeof(r->device));
	r->gateway = u->gateway;
	r->source = u->source;
	r->link_scope = !u->gateway;
	return 0;
}

/* Two neighbours may be called at one address, by ports: the first of them says the line. */
static bool called_before(const struct forwarding *f, size_t index)
{
	const struct ip_endpoint *e = &f->neighbors[index].endpoint;

	for (size_t i = 0; i < index; i++)
		if (f->neighbors[i].caller && f->neighbors[i].endpoint.family == 4 &&
		    address_of(&f->neighbors[i].endpoint) == address_of(e))
			return true;
	return false;
}

int node_uplinks_desire(const struct node_uplinks *uplinks, const struct forwarding *forwarding,
			struct kernel_state *desired)
{
	for (size_t i = 0; uplinks->count && i < forwarding->neighbor_count; i++) {
		const struct fwd_neighbor *n = &forwarding->neighbors[i];
		const struct node_uplink *u = uplink_find(uplinks, n->underlay);

		if (!u || !n->caller || n->endpoint.family != 4 || called_before(forwarding, i))
			continue;
		if (pin(u, address_of(&n->endpoint), desired) < 0)
			return -TUYEN_ENOMEM;
	}
	return 0;
}
