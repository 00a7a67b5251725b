/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/operations.h"

#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"

static struct active_path *active_find(struct active_paths *a, uint32_t color, uint32_t endpoint)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->entry[i].color == color && a->entry[i].endpoint_site == endpoint)
			return &a->entry[i];
	return NULL;
}

static const struct fwd_path *path_of(const struct forwarding *f, const struct active_path *a)
{
	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].color == a->color &&
		    f->paths[i].endpoint_site == a->endpoint_site && f->paths[i].index == a->index)
			return &f->paths[i];
	return NULL;
}

static bool endpoint_is_first(const struct forwarding *f, const struct fwd_path *p)
{
	const struct fwd_session_peer *peer = forwarding_peer(f, p->color, p->endpoint_site);

	return !peer || peer->rank == 0;
}

static void active_preferred(const struct forwarding *f, struct active_paths *ret_active)
{
	ret_active->count = 0;
	for (size_t i = 0; i < f->path_count; i++) {
		const struct fwd_path *p = &f->paths[i];
		struct active_path *a = active_find(ret_active, p->color, p->endpoint_site);

		if (!a && ret_active->count < SITE_PATHS_MAX)
			ret_active->entry[ret_active->count++] = (struct active_path){
			    .color = p->color,
			    .endpoint_site = p->endpoint_site,
			    .index = p->index,
			    .carries = endpoint_is_first(f, p),
			};
		else if (a && p->preference > path_of(f, a)->preference)
			a->index = p->index;
	}
}

static int state_build(const struct forwarding *f, struct kernel_state **ret_state)
{
	static const struct node_keys none;
	struct active_paths active;

	active_preferred(f, &active);
	return desired_build(f, &none, &active, ret_state);
}

int operations_count(const struct forwarding *before, const struct forwarding *after,
		     size_t *ret_count, struct reason *reason)
{
	struct kernel_state *have = NULL, *want = NULL;
	struct kernel_plan *plan = NULL;
	int err;

	if (before) {
		err = state_build(before, &have);
	} else {
		have = kernel_state_new();
		err = have ? 0 : -TUYEN_ENOMEM;
	}
	if (!err)
		err = state_build(after, &want);
	if (!err)
		err = kernel_plan_build(want, have, &plan, reason);
	if (!err)
		*ret_count = plan->count;
	kernel_plan_free(plan);
	kernel_state_free(want);
	kernel_state_free(have);
	return err;
}
