/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While a namespace has no rules but the kernel's own three, its tables "local" and "main" are one (fib_unmerge()), where to be sent on
 * to the next table is to be refused; and what comes in with a source that is an address of the box is refused unasked
 * (fib_validate_source(); a WireGuard device of ours takes it, desired.c). A node without sessions has no rules: so with the routes there is one, to a table that nothing is in.
 */
#include "tuyen/core/conflict.h"

#include <stdio.h>
#include <string.h>

#include "tuyen/base/err.h"

static bool is_ours(const struct forwarding *f, ipv4_t address)
{
	if (address == f->link_address || address == f->node_address || address == f->lan_address ||
	    address == f->parallel_address)
		return true;
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].source == address)
			return true;
	for (size_t i = 0; i < f->lan_count; i++)
		if (ipv4_prefix_contains(f->lans[i], address))
			return true;
	return false;
}

/* A default route to a site is nobody's address. */
static bool is_behind(const struct fwd_session_peer *p, ipv4_t address)
{
	for (size_t i = 0; i < p->prefix_count; i++)
		if (p->prefixes[i].length && ipv4_prefix_contains(p->prefixes[i], address))
			return true;
	return false;
}

bool conflict_address_is_others(const struct forwarding *f, ipv4_t address)
{
	if (is_ours(f, address))
		return false;
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (f->neighbors[i].link_address == address)
			return true;
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].endpoint == address)
			return true;
	for (size_t i = 0; i < f->peer_count; i++)
		if (is_behind(&f->peers[i], address))
			return true;
	return forwarding_return(f, address) != NULL;
}

static void conflict_add(struct address_conflicts *c, const struct own_address *own)
{
	size_t at = 0, kept;

	while (at < c->count && c->entry[at].address < own->address)
		at++;
	if (at == CONFLICTS_MAX || (at < c->count && c->entry[at].address == own->address))
		return;
	kept = c->count < CONFLICTS_MAX ? c->count : CONFLICTS_MAX - 1;
	memmove(&c->entry[at + 1], &c->entry[at], (kept - at) * sizeof(c->entry[0]));
	c->entry[at] = (struct address_conflict){.address = own->address, .ifindex = own->ifindex};
	c->count = kept + 1;
}

void conflicts_find(const struct forwarding *f, const struct own_address *own, size_t count,
		    struct address_conflicts *ret_conflicts)
{
	*ret_conflicts = (struct address_conflicts){.count = 0};
	for (size_t i = 0; i < count; i++)
		if (conflict_address_is_others(f, own[i].address))
			conflict_add(ret_conflicts, &own[i]);
}

const struct address_conflict *conflict_of(const struct address_conflicts *c, ipv4_t address)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->entry[i].address == address)
			return &c->entry[i];
	return NULL;
}

static bool passed_over(const struct address_conflicts *c, ipv4_t address)
{
	const struct address_conflict *there = c ? conflict_of(c, address) : NULL;

	return there && !there->of_line;
}

static int rule_desire(struct kernel_state *desired)
{
	struct kernel_rule *rule = kernel_state_add_rule(desired);

	if (!rule)
		return -TUYEN_ENOMEM;
	rule->priority = TUYEN_RULE_APART;
	rule->table = TUYEN_TABLE_EMPTY;
	return 0;
}

int conflicts_desire(const struct address_conflicts *c, const struct address_conflicts *there,
		     struct kernel_state *desired)
{
	size_t added = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct kernel_route *route;

		if (c->entry[i].of_line || passed_over(there, c->entry[i].address))
			continue;
		route = kernel_state_add_route(desired);
		if (!route)
			return -TUYEN_ENOMEM;
		route->table = TUYEN_TABLE_LOCAL;
		route->destination = (struct ipv4_prefix){c->entry[i].address, 32};
		route->type = KERNEL_ROUTE_THROW;
		added++;
	}
	return added ? rule_desire(desired) : 0;
}

const char *conflicts_format(const struct address_conflicts *c, bool of_lines,
			     char out[static CONFLICTS_STRLEN])
{
	size_t length = 0;

	out[0] = '\0';
	for (size_t i = 0; i < c->count; i++) {
		char address[IPV4_STRLEN];

		if (of_lines && !c->entry[i].of_line)
			continue;
		length += (size_t)snprintf(
		    out + length, CONFLICTS_STRLEN - length, "%s%s on %s", length ? ", " : "",
		    ipv4_format(c->entry[i].address, address), c->entry[i].device);
	}
	return out;
}
