/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_CONFLICT_H
#define TUYEN_CORE_CONFLICT_H

#include "tuyen/core/kernel_state.h"
#include "tuyen/topology/forwarding.h"

/**
 * Another site's address that stands on a device of this box. Because of it the kernel's table "local", which it asks before all
 * others, has an entry: what is for the other site ends here, and what comes from there is refused. Neither the address nor
 * its entry is ours. So a route of ours is put before the entry, which has the kernel go on to the next table ("throw"), for as long as both
 * stand. What an address makes later (it is given anew, its device comes up) the kernel puts behind it. Pure.
 */

/** What an address of the box made the kernel take for the box: the address, or the broadcast address of its network. */
struct own_address {
	ipv4_t address;
	uint32_t ifindex;
};

#define CONFLICTS_MAX 32

struct address_conflict {
	ipv4_t address;
	uint32_t ifindex;
	char device[KERNEL_IFNAME_MAX]; /* "": it has gone meanwhile */
	bool
	    of_line; /* the device is no LAN's and may have a carrier behind it: the address may be needed there, and is left */
};

struct address_conflicts {
	struct address_conflict entry[CONFLICTS_MAX]; /* by address */
	size_t count;
};

/** Is @address another site's by the bundle, and none of this one's, nor in one of its LANs? */
bool conflict_address_is_others(const struct forwarding *forwarding, ipv4_t address);

/**
 * The conflicts of @own, in any order, each address once; without names of devices. Beyond CONFLICTS_MAX the highest are left out.
 */
void conflicts_find(const struct forwarding *forwarding, const struct own_address *own,
		    size_t count, struct address_conflicts *ret_conflicts);

/** @return the one of that address, or NULL. */
const struct address_conflict *conflict_of(const struct address_conflicts *conflicts,
					   ipv4_t address);

/**
 * Adds to @desired what has the kernel pass over each that is not of a line, but for those that are in @there (NULL: none) and not of a
 * line either. @return 0 or -TUYEN_ENOMEM; @desired is not sorted any more.
 */
int conflicts_desire(const struct address_conflicts *conflicts,
		     const struct address_conflicts *there, struct kernel_state *desired);

/** "10.0.0.10 on lan0, ...", "" for none. @of_lines  of lines alone. */
#define CONFLICTS_STRLEN (CONFLICTS_MAX * (IPV4_STRLEN + KERNEL_IFNAME_MAX + 8))
const char *conflicts_format(const struct address_conflicts *conflicts, bool of_lines,
			     char out[static CONFLICTS_STRLEN]);

#endif
