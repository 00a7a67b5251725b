/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_IMPORT_H
#define TUYEN_POLICIES_IMPORT_H

#include "tuyen/policies/csv.h"
#include "tuyen/base/text.h"

/**
 * From a spreadsheet of sites, a site a line, to topology text.
 *
 * The first line names the columns, in any order and in any case; name, tier, id and uplink must be there:
 *
 *	name, tier, id		as in the language
 *	parent, backup		names of other sites; empty: none
 *	uplink			an underlay; may stand several times, and so may the next three, each of which
 *				belongs to the uplink before it
 *	address			of the carrier line; empty or "dynamic": dynamic
 *	port			of that address
 *	metered			"200MB/day"; empty: not
 *	lan			prefixes, with blanks between them; may stand several times
 *	link_key, session_key	public keys, in base64; both or none
 *
 * A column of another name is left out, with the warning "unknown-column".
 */

#define IMPORT_TIERS_MAX     16
#define IMPORT_UNDERLAYS_MAX 64

struct import_summary {
	size_t sites, lans, uplinks, keys;
	size_t tier_count, underlay_count;
};

/**
 * @tiers  top first, @tier_count of them; with 0 in the order in which they come first.
 * @ret_topology  empty; canonical text on success only.
 * @return 0; -TUYEN_EINVAL, and @diags says all that is wrong; -TUYEN_ENOMEM.
 */
int import_sites(const struct diag_source *source, const char *const *tiers, size_t tier_count,
		 struct diag_list *diags, struct text *ret_topology,
		 struct import_summary *ret_summary);

#endif
