/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_MIGRATE_H
#define TUYEN_POLICIES_MIGRATE_H

#include "tuyen/policies/diff.h"

/**
 * From one release to the next, nodes go at different moments: between the two, any of them may have either. This proves
 * from both compiled states that in every such mixture
 *
 *  - the path that a site uses carries, there and back, whoever on the way and at the end has which release;
 *  - a path that the new release has a site change to is either one of these, or one that, once it is up, stays up
 *    until all nodes have the new release (so that S-BFD may be believed);
 *  - a stack that a node accepts ends where one of both releases leads it, or is dropped;
 *  - no connection opens that neither release allows, no network changes its owner, no id its site;
 *  - what both releases let a site open to another passes, whichever of the two has which.
 *
 * What is proven is more than what can happen: a node that a packet meets twice may have another release the second time.
 * It says nothing of links that fail meanwhile; `without_spare` counts who then has no other path that surely works.
 * Both states must be proven by themselves (audit.h). Pure.
 */

enum migrate_kind {
	MIGRATE_IDENTITY, /* an id, key, address or label that stays must be the same site's */
	MIGRATE_LAN,	  /* a network of one site that another has in the other release */
	MIGRATE_PEER,	  /* a session whose ends would not agree */
	MIGRATE_BREAK,	  /* the path in use would stop, and nothing that surely works is left */
	MIGRATE_UNREADY,  /* a site would change to a path that may fail again */
	MIGRATE_MTU,	  /* packets of a session would not fit */
	MIGRATE_LEAK,	  /* a stack would end where neither release leads it */
	MIGRATE_OPEN,	  /* a connection that neither release allows */
	MIGRATE_LOST,	  /* a connection between sites that stay */
	MIGRATE_KINDS,
};

/** "break"; static storage. */
const char *migrate_kind_name(enum migrate_kind kind);
/** One lower-case sentence, for people. */
const char *migrate_kind_summary(enum migrate_kind kind);

#define MIGRATE_KEPT_MAX 50 /* findings kept a kind; more are counted */

struct migrate_finding {
	enum migrate_kind kind;
	uint32_t site_id;
	char *text;
};

/** What a change does to a site that both releases have. */
struct migrate_site {
	uint32_t id;
	const char *name;	     /* of the new release; borrowed */
	uint16_t sessions, switched; /* of which it is the head-end; those that change their path */
	uint16_t
	    without_spare; /* had a second path before and have one after, and none that surely works meanwhile */
};

struct migrate_counts {
	size_t sites_kept, sites_gained, sites_lost;
	size_t sessions_kept, sessions_gained, sessions_lost;
	size_t sessions_switched, sites_switched;
	size_t sessions_without_spare, sites_without_spare;
	size_t paths_walked, mixtures, stacks_walked, steps;
	size_t flows_gained, flows_lost; /* between sites that both releases have */
};

struct migrate_proof;

enum migrate_flag {
	MIGRATE_POLICY_CHANGES = 1, /* connections may be lost: the new policy means it */
};

/** @before, @after are borrowed until migrate_proof_free(). @return 0 or -TUYEN_ENOMEM; findings are no error. */
int migrate_prove(struct diff_side before, struct diff_side after, unsigned flags,
		  struct migrate_proof **ret);
void migrate_proof_free(struct migrate_proof *proof); /* takes NULL */

struct migrate_counts migrate_counts(const struct migrate_proof *proof);
size_t migrate_finding_count(const struct migrate_proof *proof); /* of those kept */
const struct migrate_finding *migrate_finding(const struct migrate_proof *proof, size_t index);
size_t migrate_findings_of_kind(const struct migrate_proof *proof, enum migrate_kind kind);
size_t migrate_findings_total(const struct migrate_proof *proof);
/** The sites that change a path or have no spare meanwhile, in order of id. */
size_t migrate_site_count(const struct migrate_proof *proof);
const struct migrate_site *migrate_site(const struct migrate_proof *proof, size_t index);

#endif
