/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which routes take a repair, and which do already.
 */
#include "tuyen/core/repair.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"

enum repair_link repair_link_of(const struct forwarding *f, const enum repair_link *repaired,
				uint32_t site_id)
{
	const struct fwd_neighbor *n = repaired ? forwarding_neighbor(f, site_id) : NULL;

	return n ? repaired[n - f->neighbors] : REPAIR_LINK_USED;
}

bool repair_used(const struct forwarding *f, const enum repair_link *repaired, uint32_t next_site,
		 const struct fwd_repair *repair)
{
	return repair->next_site && repair_link_of(f, repaired, next_site) != REPAIR_LINK_USED &&
	       repair_link_of(f, repaired, repair->next_site) != REPAIR_LINK_DOWN;
}

static bool label_repaired(const struct kernel_state *actual, const struct fwd_label_route *l)
{
	struct kernel_label_route key = {.in_label = l->in_label};
	const struct kernel_label_route *found;
	char device[KERNEL_IFNAME_MAX];

	if (!l->repair.next_site || !actual->label_count)
		return false;
	found =
	    bsearch(&key, actual->labels, actual->label_count, sizeof(key), kernel_label_compare);
	desired_adjacency_name(l->repair.next_site, device);
	return found && !strcmp(found->device, device) &&
	       label_stack_equal(&found->out, &l->repair.out);
}

static bool route_repaired(const struct kernel_state *actual, uint32_t table, ipv4_t destination,
			   uint32_t metric, const struct fwd_repair *repair)
{
	struct kernel_route key = {.table = table,
				   .metric = metric,
				   .destination = {.address = destination, .length = 32}};
	const struct kernel_route *found;
	char device[KERNEL_IFNAME_MAX];

	if (!repair->next_site || !actual->route_count)
		return false;
	found =
	    bsearch(&key, actual->routes, actual->route_count, sizeof(key), kernel_route_compare);
	desired_adjacency_name(repair->next_site, device);
	return found && !strcmp(found->device, device) &&
	       label_stack_equal(&found->push, &repair->out);
}

/* By the rule that leads around its first link. An earlier daemon, which may have run until now, replaced the route itself. */
static bool return_repaired(const struct kernel_state *actual, const struct fwd_return *r)
{
	struct kernel_rule key = {.priority = TUYEN_RULE_REPAIR,
				  .table = desired_repair_table(r->first_site)};

	if (route_repaired(actual, DESIRED_TABLE_MAIN, r->destination,
			   desired_return_metric(r->destination), &r->repair))
		return true;
	return actual->rule_count &&
	       bsearch(&key, actual->rules, actual->rule_count, sizeof(key), kernel_rule_compare) &&
	       route_repaired(actual, key.table, r->destination,
			      desired_return_metric(r->destination), &r->repair);
}

static void repaired_mark(const struct forwarding *f, uint32_t site_id, enum repair_link *repaired)
{
	const struct fwd_neighbor *n = forwarding_neighbor(f, site_id);

	if (n)
		repaired[n - f->neighbors] = REPAIR_LINK_HELD;
}

void repair_read(const struct forwarding *f, const struct kernel_state *actual,
		 enum repair_link *ret_repaired)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		ret_repaired[i] = REPAIR_LINK_USED;
	for (size_t i = 0; i < f->label_count; i++)
		if (label_repaired(actual, &f->labels[i]))
			repaired_mark(f, f->labels[i].next_site, ret_repaired);
	for (size_t i = 0; i < f->return_count; i++)
		if (return_repaired(actual, &f->returns[i]))
			repaired_mark(f, f->returns[i].first_site, ret_repaired);
	for (size_t i = 0; i < f->path_count; i++)
		if (route_repaired(actual, TUYEN_TABLE_PROBE + f->paths[i].index,
				   f->paths[i].endpoint, 0, &f->paths[i].repair))
			repaired_mark(f, f->paths[i].first_site, ret_repaired);
}

bool repair_there(const struct forwarding *f, uint32_t site_id)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].next_site == site_id && f->labels[i].repair.next_site)
			return true;
	for (size_t i = 0; i < f->return_count; i++)
		if (f->returns[i].first_site == site_id && f->returns[i].repair.next_site)
			return true;
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].first_site == site_id && f->paths[i].repair.next_site)
			return true;
	return false;
}

bool repair_matters(const struct forwarding *f, uint32_t site_id)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].repair.next_site == site_id)
			return true;
	for (size_t i = 0; i < f->return_count; i++)
		if (f->returns[i].repair.next_site == site_id)
			return true;
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].repair.next_site == site_id)
			return true;
	return repair_there(f, site_id);
}

size_t repair_count(const struct forwarding *f, const enum repair_link *repaired, uint32_t site_id)
{
	size_t count = 0;

	for (size_t i = 0; i < f->label_count; i++)
		count += f->labels[i].next_site == site_id &&
			 repair_used(f, repaired, site_id, &f->labels[i].repair);
	for (size_t i = 0; i < f->return_count; i++)
		count += f->returns[i].first_site == site_id &&
			 repair_used(f, repaired, site_id, &f->returns[i].repair);
	for (size_t i = 0; i < f->path_count; i++)
		count += f->paths[i].first_site == site_id &&
			 repair_used(f, repaired, site_id, &f->paths[i].repair);
	return count;
}
