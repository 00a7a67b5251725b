/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_PLAN_H
#define TUYEN_CORE_PLAN_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/core/kernel_state.h"

enum plan_verb {
	PLAN_ADD,
	PLAN_CHANGE, /* the object stays; only what differs is sent */
	PLAN_REMOVE,
};

enum plan_object {
	PLAN_SYSCTL,
	PLAN_NFT,
	PLAN_DEVICE,
	PLAN_PEER,
	PLAN_ADDRESS,
	PLAN_FILTER,
	PLAN_LABEL,
	PLAN_ROUTE,
	PLAN_RULE,
	PLAN_ROUTE6,
	PLAN_RULE6,
	PLAN_QUEUE,
	PLAN_STRAY, /* only removed */
	PLAN_QDISC, /* the same */
};

/** One operation. @want and @have borrow from the states the plan was built of, and must outlive it. */
struct plan_operation {
	enum plan_verb verb;
	enum plan_object object;
	const void *want; /* struct kernel_<object>, NULL for PLAN_REMOVE; PLAN_NFT: const char * */
	const void *have; /* NULL for PLAN_ADD */
	bool done;	  /* set by kernel_apply() */
};

#define KERNEL_PLAN_MAX (1u << 20)

struct kernel_plan {
	struct plan_operation *operations;
	size_t count;
	struct reason conflict; /* why something of @desired is left out, "" if nothing is */
};

/**
 * Build the smallest list of operations that turns @actual into @desired.
 * Both sorted (kernel_state_sort). Objects not ours are left alone, but for routes in tables of ours.
 * Safe to apply top to bottom: sysctls that close and filters before what they protect,
 * what carries traffic before what uses it, removals last.
 * Where something not ours holds a name that is needed, what hangs on that name is left out, with
 * the plan's @conflict; all else is planned.
 * @ret_plan  the caller's, released with kernel_plan_free().
 * @return 0, or with @reason: -TUYEN_ENOMEM; -TUYEN_ELIMIT above KERNEL_PLAN_MAX operations;
 *         -TUYEN_ECONFLICT when two peers of a device want one prefix.
 */
int kernel_plan_build(const struct kernel_state *desired, const struct kernel_state *actual,
		      struct kernel_plan **ret_plan, struct reason *reason);
/**
 * Every route and label route of @routes is set over what stands there, of which nothing is known but that it is ours,
 * and every rule is there afterwards: what cannot wait until the kernel has been read. Label routes, which are many, come last.
 * @ret_plan  borrows from @routes, as want and as have. @return 0 or -TUYEN_ENOMEM.
 */
int kernel_plan_routes(const struct kernel_state *routes, struct kernel_plan **ret_plan);
void kernel_plan_free(struct kernel_plan *plan);
/**
 * Whether what the node sees of its links, paths and lines may ask for @operation. Devices (but for
 * their MTU), addresses, label filters, queues, what others put there, and sysctls (but those of a session's IPv6, which goes with its MTU), are as the release
 * says, whatever happens outside; and so are preshared keys.
 */
bool plan_operation_moves(const struct plan_operation *operation);
/** Whether @operation sets a route over somebody else's that stands there. */
bool plan_operation_ousts(const struct plan_operation *operation);
/**
 * Whether @operation puts back a route, label route, rule, link's peer or the nft table, which stood in @before, when all was as wanted,
 * and which only somebody else can have taken away since: the kernel takes the routes of a line that fails, but none of our own
 * devices'.
 */
bool plan_operation_restores(const struct plan_operation *operation,
			     const struct kernel_state *before);

/** The conflict, if there is one, then one line an operation, in words of ip(8), wg(8), tc(8); never a private key. */
void kernel_plan_print(const struct kernel_plan *plan, struct text *ret_text);

#endif
