/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_KERNEL_KERNEL_H
#define TUYEN_KERNEL_KERNEL_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/core/conflict.h"
#include "tuyen/core/desired.h"
#include "tuyen/core/kernel_state.h"
#include "tuyen/core/plan.h"
#include "tuyen/core/uplink.h"

/** The kernel behind a few functions: rtnetlink, WireGuard's generic netlink, nftables, /proc/sys/net. */
struct kernel;

/** Opens the netlink sockets; needs CAP_NET_ADMIN for kernel_apply() only. @return 0 or -TUYEN_ESYSTEM with @reason. */
int kernel_open(struct kernel **ret_kernel, struct reason *reason);
void kernel_close(struct kernel *kernel);

/**
 * Reads the facts of @uplinks: the default routes and the addresses of their devices. A device that is not there has none.
 * @return 0, or an error with @reason: nothing is known then, and @uplinks is as it was.
 */
int kernel_uplinks(struct kernel *kernel, struct node_uplinks *uplinks, struct reason *reason);

/**
 * Reads what is ours, what stands in the way of a device that @desired names, and, where there is reason to look
 * (kernel/stray.c), others' routes in tables of ours. Repeats an interrupted dump. The result is sorted.
 * @ret_actual  the caller's, released with kernel_state_free().
 */
int kernel_read(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state **ret_actual, struct reason *reason);

/**
 * Reads again what the kernel sends no notification of: WireGuard's devices and their peers, and sysctls; of @known, which was
 * read before. A tenth of the whole.
 * @ret_state  the caller's; it has @known's other devices as they were. Sorted.
 * @return 0, -TUYEN_EAGAIN where a device of @known's has gone, or another error with @reason.
 */
int kernel_read_silent(struct kernel *kernel, const struct kernel_state *known,
		       struct kernel_state **ret_state, struct reason *reason);

/**
 * @between is called while kernel_read() reads, every few milliseconds, and while kernel_apply() applies sysctls, peers of
 * sessions, labels, routes and rules, for what cannot wait until all is done: at a gateway of a country that takes a fifth of a
 * second, and two seconds. It may call kernel_apply_routes(). When it says true, what was being read is void, and what was not
 * yet applied is out of date: either ends with -TUYEN_ECANCELED. A plan that makes links is applied to its end. NULL: nobody
 * is called.
 */
typedef bool (*kernel_between_fn)(void *context);
void kernel_set_between(struct kernel *kernel, kernel_between_fn between, void *context);

struct kernel_report {
	size_t applied, failed;
	bool cancelled; /* by @between: the rest was not tried; something may have failed before */
	uint64_t netlink_messages; /* sent, dumps not counted */
	struct reason first_failure;
};

/**
 * Applies in order and goes on after a failed operation unless the next need it; the caller
 * reads again and plans again. Marks each operation that is done.
 * @return 0, -TUYEN_ESYSTEM if any failed (see @ret_report), or -TUYEN_ECANCELED: none did, and the rest was not tried.
 */
int kernel_apply(struct kernel *kernel, struct kernel_plan *plan, struct kernel_report *ret_report);

/**
 * The same for routes and label routes whose devices stood at the last kernel_read() or kernel_apply(): it asks the
 * kernel nothing first. A device that has gone since is a failed operation.
 */
int kernel_apply_routes(struct kernel *kernel, struct kernel_plan *plan,
			struct kernel_report *ret_report);

/**
 * By which gateway and device would a packet of the box's own to @destination go? Whose route it is makes no difference.
 * @ret_gateway  0: it is on the line itself, or there is no way.
 * @ret_ifindex  0: there is no way.
 * @return 0, -TUYEN_ENOMEM, or -TUYEN_ESYSTEM with errno when the kernel could not be asked.
 */
int kernel_next_hop(struct kernel *kernel, ipv4_t destination, ipv4_t *ret_gateway,
		    uint32_t *ret_ifindex);

/** A way over a line to a part of a LAN that lies behind another device. */
struct lan_claim {
	struct ipv4_prefix part;
	char device[KERNEL_IFNAME_MAX]; /* "" none */
	const char *obstacle; /* why the LAN's own ways do not stand before it; NULL: they do */
};

/**
 * Adds to @lines' carriers the devices of the box's own default routes, and what of @lans its routes lead to by others than carriers.
 * Where a line claims some of that, the ways to all of it too: of several to one part the one that the kernel takes, but rather with light
 * than without; of several legs one.
 * @return 0 or a tuyen error: @lines and @ret_claim are as they were then.
 */
int kernel_lans_inner(struct kernel *kernel, const struct ipv4_prefix *lans, size_t lan_count,
		      struct desired_lines *lines, struct lan_claim *ret_claim);

/**
 * Does a way lead to the network behind the box at @lan, or to a part of it, over a device that has light? Whose route it is makes no
 * difference; but a default route is none, nor is one of ours that only says no.
 * @return 0, -TUYEN_ENOMEM, or -TUYEN_ESYSTEM with errno when the kernel could not be asked.
 */
int kernel_lan_there(struct kernel *kernel, struct ipv4_prefix lan, bool *ret_there);

/**
 * Does the device that leads to the network at @lan keep to itself what comes in by it? Such a net.ipv4.conf.<device>.forwarding is 0,
 * which is the box's own matter. After kernel_read() or kernel_apply(). @ret_device  its name, "" if not.
 * @return as above; @ret_device is as it was then.
 */
int kernel_lan_closed(struct kernel *kernel, struct ipv4_prefix lan,
		      char ret_device[static KERNEL_IFNAME_MAX]);

/** Is @address, which is another box's, taken for this one's own, by whatever? Nothing reaches the other then. @return as above. */
int kernel_address_own(struct kernel *kernel, ipv4_t address, bool *ret_own);

/**
 * What the kernel takes for the box itself because of an address, of any device and any network.
 * @ret_own  the caller's to free().
 * @return 0, or an error with @reason.
 */
int kernel_own_read(struct kernel *kernel, struct own_address **ret_own, size_t *ret_count,
		    struct reason *reason);

/**
 * The name of the device, asked of the kernel now; "" if it has gone.
 * @ret_inner  a loopback or dummy device: nothing is behind it. @return 0 or a tuyen error.
 */
int kernel_device_name(struct kernel *kernel, uint32_t ifindex,
		       char ret_name[static KERNEL_IFNAME_MAX], bool *ret_inner);

/** Do packets for the network at @lan leave by the device? @return as kernel_lan_there(). */
int kernel_lan_over(struct kernel *kernel, struct ipv4_prefix lan, uint32_t ifindex,
		    bool *ret_over);

/** Has the main table a default route over the device, that is the box's own? @return 0 or a tuyen error. */
int kernel_device_is_default(struct kernel *kernel, const char *device, bool *ret_default);

/** Would a packet of the box's own to @destination leave by the device? @return as kernel_next_hop(). */
int kernel_leads_over(struct kernel *kernel, ipv4_t destination, uint32_t ifindex, bool *ret_over);

/** Sends one keepalive in each session of @device at once, so that the far end roams to our new source now. */
int kernel_session_poke(struct kernel *kernel, const char *device);

/** Has the kernel call a peer that has a place and no keepalive of its own. @return 0 or -TUYEN_ESYSTEM. */
int kernel_peer_call(struct kernel *kernel, const char *device,
		     const uint8_t public_key[static WG_KEY_LEN]);

/**
 * Makes a peer anew as it was read, without its keys and what it remembers of the far end's clock, and calls it where it was.
 * @return 0 or -TUYEN_ESYSTEM; it may be gone then.
 */
int kernel_peer_renew(struct kernel *kernel, const struct kernel_peer *peer);

/** Takes a peer and its session out of @device, for kernel_apply() to make it anew. @return 0 or -TUYEN_ESYSTEM. */
int kernel_peer_forget(struct kernel *kernel, const char *device,
		       const uint8_t public_key[static WG_KEY_LEN]);

/** A file descriptor that turns readable when links, addresses, routes, rules or nftables change; and its drain. */
int kernel_event_fd(const struct kernel *kernel);
/** @return true if something was lost or changed that calls for a turn: our own changes do not. */
bool kernel_event_drain(struct kernel *kernel);
/** Did an event since the last call tell of an address that is the box's now? That cannot wait for a turn: core/conflict.h. */
bool kernel_event_own(struct kernel *kernel);

/** One finding of the self-check. */
struct kernel_check {
	bool ok;
	bool fatal; /* tuyend cannot run without */
	char name[64];
	char found[160];
	char remedy[256]; /* a command or a sentence; "" when ok */
};

/**
 * Modules (wireguard, mpls_router, mpls_iptunnel, ipip, nf_tables, sch_ingress, cls_flower, sch_htb, sch_fq_codel, cls_fw), sysctls,
 * platform_labels, net/mpls/conf, capability. Tries with real objects of a name of its own
 * where there is no other way to know, and removes them.
 * @return number of findings written, at most @size.
 */
size_t kernel_selfcheck(struct kernel *kernel, struct kernel_check *ret_checks, size_t size);

#endif
