/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_GENERATE_H
#define TUYEN_POLICIES_GENERATE_H

#include "tuyen/base/diag.h"
#include "tuyen/base/err.h"
#include "tuyen/base/text.h"

/**
 * Writes a country in the language: from counts, or from a table of administrative units. Pure and deterministic.
 *
 * A unit's number comes from its code alone, never from its place in the table, so that a unit that is put in
 * renumbers no other: site id = 100 + a code of two digits, 1000 + one of three, 10000 + one of
 * five; gateways have 1 to 3. Codes are decimal; 01 and 001 are two codes.
 *
 * Address plan of the LANs, 10.0.0.0/8: the gateways share 10.0.0.0/24; a province of code pp has
 * 10.(2pp).0.0/15, which is 1,024 networks of /25. A unit below it wants the network number (code / 3) mod 1024 and
 * goes on by steps that its code decides (odd, so that it comes everywhere) if that is gone. Communes choose first, those with code mod 3 = 1 before the others
 * (codes are given out in threes, and between two of them come the units founded later); then districts, then
 * the province itself.
 * Carrier addresses are from 198.18.0.0/15 (RFC 2544): fibre has 198.18.0.0 + site id, LTE 198.19.0.0 + site id; the
 * leased lines between gateways and provinces have 192.0.2.0 (RFC 5737) + site id. Units of the lowest tier have one
 * line, fibre or (one in ten) LTE, and no fixed address.
 *
 * Parent and backup: a unit's backup is its parent's neighbour, the next one by code below the same grandparent (the
 * first follows the last); where there is none, the grandparent. A province of code pp is under gateway
 * pp mod G, with the next gateway as its backup.
 *
 * Names are those of the table, runs of blanks as one. One that is not unique in the country gets its parent's name
 * behind it, "Xã Tân Thành (Huyện Phú Bình)", and where that is not unique either, or too long,
 * its code: "Xã An Khánh (13663)".
 */

#define GENERATE_TIERS_MAX	8
#define GENERATE_UNITS_MAX	60000
#define GENERATE_GATEWAYS_MAX	3
#define GENERATE_COLORS_MAX	3
#define GENERATE_PROVINCES_MAX	99
#define GENERATE_DISTRICTS_MAX	999
#define GENERATE_COMMUNES_MAX	18000
#define GENERATE_BLOCK_NETWORKS 1024 /* LANs of one province */

struct generate_unit {
	const char *code, *parent_code, *name;
	uint32_t tier;	 /* index into tiers */
	uint32_t parent; /* index into units; UINT32_MAX at the top */
	struct diag_place place;
};

/** Units of a country, in the order of the table. */
struct generate_units {
	char *bytes; /* all strings */
	struct generate_unit *units;
	size_t count;
	const char *tiers[GENERATE_TIERS_MAX]; /* top first */
	size_t tier_count;
};

/**
 * Reads a table: lines of fields with a tab between them, "#" lines are comments, the first other line
 * names the columns, of which code, parent_code, tier and name must be there. A parent_code that is no unit's makes
 * a top unit.
 * @source  borrowed by the places of @ret_units and @diags.
 * @ret_units  the caller's, released with generate_units_clear(); set on success only.
 * @return 0; -TUYEN_EINVAL, and @diags says all that is wrong; -TUYEN_ENOMEM.
 */
int generate_units_read(const struct diag_source *source, struct diag_list *diags,
			struct generate_units *ret_units);

struct generate_counts {
	uint32_t provinces, districts, communes; /* districts 0: communes stand under provinces */
};

/** Invents a country with evenly spread units. @return 0, -TUYEN_ELIMIT with @reason, -TUYEN_ENOMEM. */
int generate_units_invent(const struct generate_counts *counts, struct generate_units *ret_units,
			  struct reason *reason);
/** Takes the zeroed. */
void generate_units_clear(struct generate_units *units);

struct generate_options {
	uint32_t gateways; /* 1..GENERATE_GATEWAYS_MAX */
	uint32_t colors;   /* 1..GENERATE_COLORS_MAX */
	uint64_t seed;	   /* which communes have only LTE, and the fake keys */
};

/** Kinds of carrier line, the best first. */
enum generate_line {
	GENERATE_LEASED,
	GENERATE_FIBRE,
	GENERATE_LTE,
};

struct generate_site {
	char *name;
	uint32_t id;
	uint32_t lan;	 /* network address */
	uint32_t backup; /* index into units; UINT32_MAX: none, or a gateway */
	bool cellular;	 /* its only line is LTE */
	uint8_t lines;	 /* bit by enum generate_line: its own, and what those below it have */
};

/** What generate_plan() decided for each unit, by index. */
struct generate_plan {
	struct generate_site *sites;
	uint32_t *order; /* units as they are written: each before those below it */
	size_t count;
	uint8_t gateway_lines; /* that are called over, beside leased ones */
};

/** @return 0; -TUYEN_EINVAL with all errors in @diags; -TUYEN_ENOMEM. */
int generate_plan(const struct generate_units *units, const struct generate_options *options,
		  struct diag_list *diags, struct generate_plan *ret_plan);
/** Takes the zeroed. */
void generate_plan_clear(struct generate_plan *plan);

/** Each writes one file in its canonical form into @ret_text, which is empty. @return 0, -TUYEN_EINVAL (a bug), -TUYEN_ENOMEM. */
int generate_topology(const struct generate_units *units, const struct generate_plan *plan,
		      const struct generate_options *options, struct text *ret_text);
int generate_policy(const struct generate_units *units, const struct generate_options *options,
		    struct text *ret_text);
/** FAKE public keys: digests of seed, id and purpose, to which nobody has a private key. For tests and benchmarks. @return 0 or -TUYEN_ENOMEM. */
int generate_fake_keys(const struct generate_units *units, const struct generate_plan *plan,
		       const struct generate_options *options, struct text *ret_text);

#endif
