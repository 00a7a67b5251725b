/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_DIFF_H
#define TUYEN_POLICIES_DIFF_H

#include "tuyen/base/err.h"
#include "tuyen/base/text.h"
#include "tuyen/topology/forwarding.h"

/**
 * What changes between two compiled states of a country: which sites, in which lines of their bundles, and which
 * connections are gained, lost, or go another way. From the compiled state alone: no source is needed. Pure.
 */

struct diff_side {
	const struct forwarding *sites; /* any order, each id once */
	size_t count;
};

enum diff_change {
	DIFF_GAINED,
	DIFF_LOST,
	DIFF_MOVED, /* another way, other labels or other preferences */
};

/** A connection that @from may open to @to: both ends' rules let it through. Borrowed from the side that has it. */
struct diff_flow {
	uint32_t from, to; /* site ids */
	uint32_t color;
	const char *from_name, *to_name;
	const char *class_name;
	uint8_t protocol;
	uint16_t port_first, port_last;
	bool has_dscp; /* else any */
	uint8_t dscp;
	struct ipv4_prefix part; /* of a LAN at @to, to which it goes; length 0: to all of it */
};

struct diff;

/** @before, @after are borrowed until diff_free(). @flows: look at connections too. @return 0 or -TUYEN_ENOMEM. */
int diff_new(struct diff_side before, struct diff_side after, bool flows, struct diff **ret);
void diff_free(struct diff *diff); /* takes NULL */

struct diff_counts {
	size_t sites_same, sites_changed, sites_gained, sites_lost;
	size_t lines_gained, lines_lost;
	/* paths that keep name, color and endpoint and get another number, so another path address; their sites; endpoints */
	size_t paths_renumbered, sites_renumbered, endpoints_renumbered;
	size_t flows_same, flows[3]; /* by enum diff_change */
};
struct diff_counts diff_counts(const struct diff *diff);

/** The sites that differ, in order of id. */
struct diff_site {
	uint32_t id;
	const struct forwarding *before, *after; /* NULL: not there; borrowed from the sides */
};
size_t diff_site_count(const struct diff *diff);
struct diff_site diff_site(const struct diff *diff, size_t index);
/** What the printers say of it: operations that its kernel will need, which only a layer above can know. */
void diff_site_operations(struct diff *diff, size_t index, size_t operations);

/** Walks the changed connections in order of site. */
size_t diff_flow_count(const struct diff *diff);
enum diff_change diff_flow(const struct diff *diff, size_t index, struct diff_flow *ret_flow);
/** How it goes: "main 200 16001 > ba-dinh > hanoi > npdc-hn, spare 100 ..."; "" on a side that has it not. */
void diff_flow_way(const struct diff *diff, size_t index, bool after, struct text *ret_text);

/** For people; at most @lines_max lines of one bundle and @flows_max connections (0: all). */
void diff_text(const struct diff *diff, size_t lines_max, size_t flows_max, struct text *ret_text);
void diff_json(const struct diff *diff, struct text *ret_text);

#endif
