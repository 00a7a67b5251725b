/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_CHECK_STATE_H
#define TUYEN_POLICIES_CHECK_STATE_H

#include "tuyen/policies/check.h"
#include "tuyen/policies/names.h"

/** What the files check*.c share; nobody else's. */

/** A statement and the file it stands in. */
struct statement {
	const struct syntax_file *file;
	const struct syntax_node *node; /* NULL: none */
};

#define CHECK_KINDS (SYNTAX_AFTER_LINK + 1)

struct check {
	const struct syntax_file *const *files;
	size_t file_count;
	struct statement *statements;	    /* of all files, by kind */
	size_t kind_first[CHECK_KINDS + 1]; /* into statements */
	unsigned flags;
	struct check_times times;
	struct diag_list *diags;
	struct network network;
	struct name_table tiers, underlays, sites, classes, policies, keys, templates, tags, risks;
	/* where each object of the network was declared, by its index there */
	struct statement *underlay_at, *site_at, *class_at, *policy_at;
	struct statement *keys_at; /* by site */
	struct statement *deny_at, *template_at;
	size_t template_count;
	bool *template_used, *template_bad;
	uint32_t *template_of; /* by site; NETWORK_NONE: none */
	struct statement tiers_at, network_at, plan_at;
	uint32_t *links_by_pair; /* hash table of indexes of links + 1 */
	size_t pair_capacity;	 /* a power of two */
	bool discarded; /* some statement could not be read: unknown names may be its fault */
	bool rated;	/* some line says its rate */
	bool marked;	/* some carrier honours code points */
	bool failed;	/* out of memory */
};

/** @return zeroed memory for @count objects (NULL and c->failed without memory). */
void *check_alloc(struct check *c, size_t count, size_t size);
char *check_strdup(struct check *c, const char *string);
struct source_place check_place(const struct check *c, const struct syntax_file *file,
				const struct syntax_node *node);
struct diag_place check_at(struct statement s);
/** @return @node's first child of @kind, NULL. */
const struct syntax_node *check_child(const struct syntax_node *node, enum syntax_kind kind);
size_t check_child_count(const struct syntax_node *node, enum syntax_kind kind);
/** Complains about children that may be said once and are said again. */
void check_once(struct check *c, const struct syntax_file *file, const struct syntax_node *node);
/** @return the number of @node if it lies in @low..@high; else complains and returns @low. */
uint64_t check_range(struct check *c, const struct syntax_file *file,
		     const struct syntax_node *node, uint64_t low, uint64_t high, const char *what);
/** "probe TIME x N", of an underlay, a link or a policy. */
struct probe_timers check_probe(struct check *c, const struct syntax_file *file,
				const struct syntax_node *node);
/** The same for a time, in microseconds. */
uint64_t check_time(struct check *c, const struct syntax_file *file, const struct syntax_node *node,
		    uint64_t low, uint64_t high, const char *what);
/** @return the index that @node's text names in @table; else complains and returns NETWORK_NONE. */
uint32_t check_name(struct check *c, const struct syntax_file *file, const struct syntax_node *node,
		    const struct name_table *table, const char *what);
/** Adds a name; complains, with a note at @first[the other], when it is there already. */
void check_declare(struct check *c, struct statement s, struct name_table *table, uint32_t index,
		   const struct statement *first, const char *what);
/** @return the ordinary, or the parallel, link between two sites in either direction, NETWORK_NONE. */
uint32_t check_link_find(const struct check *c, uint32_t a, uint32_t b, bool parallel);
/** The same for the sites that stand in @node, with SYNTAX_PARALLEL or without; complains where there is none. */
uint32_t check_link_named(struct check *c, const struct syntax_file *file,
			  const struct syntax_node *node);

/** @return the index of @name in the growing list @names, which it joins if need be. */
uint32_t check_intern(struct check *c, const char *name, struct name_table *table, char ***names,
		      size_t *count);
/** The sorted indexes, each once, of all names below @node's children of @kind, interned. */
void check_intern_all(struct check *c, const struct syntax_node *node, enum syntax_kind kind,
		      struct name_table *table, char ***names, size_t *name_count,
		      uint32_t **indexes, size_t *count);

/** What is said of a site: first by its template, save what the site says itself, then by itself. */
struct site_item {
	struct statement at; /* starts as zeros */
	bool own;
};
bool check_site_item(const struct check *c, uint32_t site, struct site_item *item);

/** Is something wrong, beside warnings that were made errors? Then do not wonder at what is missing. */
static inline bool check_unlawful(const struct check *c)
{
	return c->diags->error_count > c->diags->promoted_errors;
}

/* check_use.c */
void check_use(struct check *c); /* what is said and used by nothing; after all links */

/* check_overlap.c */
void check_overlaps(struct check *c); /* what two policies carry both; after all rules */

/* check_plan.c */
void check_plan(struct check *c); /* after the hierarchy, before LANs are compared */

/* check_rule.c */
/** What is said of a rule's author, reason and end. */
void check_note(struct check *c, struct statement s, struct rule_note *ret_note);
void check_expired(struct check *c); /* last of all: takes out what has expired */

/* check_topology.c; in this order */
void check_network_settings(struct check *c, struct statement s);
void check_tiers(struct check *c, struct statement s);
void check_underlay(struct check *c, struct statement s, uint32_t index);
void check_template(struct check *c, uint32_t index);
void check_site(struct check *c, uint32_t index);
void check_keys(struct check *c, struct statement s);
void check_topology(struct check *c); /* what needs all sites: hierarchy, ids, LANs, keys */
void check_links_implied(struct check *c);
void check_link(struct check *c, struct statement s);
void check_links(struct check *c); /* what needs all links */

/* check_policy.c */
/** Complains about a SYNTAX_DSCP that is none. @return its code point. */
uint8_t check_dscp(struct check *c, const struct syntax_file *file, const struct syntax_node *node);
/** The code point of a SYNTAX_DSCP that was checked. */
uint8_t check_dscp_of(const struct syntax_node *node);
/** What a SYNTAX_TO_PORT or SYNTAX_PROTOCOL says. */
struct class_match check_match(const struct syntax_node *node);
void check_class(struct check *c, uint32_t index);
void check_policy(struct check *c, uint32_t index);
void check_deny(struct check *c, struct statement s, struct deny_rule *ret_rule);
void check_expect(struct check *c, struct statement s, struct expectation *ret_expectation);
void check_policies(struct check *c); /* what needs all policies */

#endif
