/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_AUDIT_H
#define TUYEN_POLICIES_AUDIT_H

#include "tuyen/base/err.h"
#include "tuyen/base/executor.h"
#include "tuyen/base/text.h"
#include "tuyen/topology/forwarding.h"
#include "tuyen/topology/network.h"

/**
 * Proves a country's compiled forwarding state: what the nodes will do, walked label by label and
 * filter by filter, against what topology and policy want. It shares no code with the compiler
 * but the types of both, so that a mistake of the compiler, or a hand in a bundle, shows.
 *
 * Pure. Bounded on any struct forwardings, however wrong, that hold what their types promise (stacks of at most
 * LABEL_STACK_MAX labels, prefixes of at most 32 bits, terminated names): as all have that forwarding_parse() lets in.
 * Time: n log n in the size of the state; single failures by an index from link and site to the paths over it.
 */

/** What can be wrong. A table in audit_finding.c has a name and a sentence for each. */
enum audit_kind {
	AUDIT_BUNDLE,	/* missing, twice, of a site that is not there, unreadable */
	AUDIT_ORDER,	/* entries not in strict order: twice the same key */
	AUDIT_IDENTITY, /* a site's own label, addresses, LANs, ports */
	AUDIT_NEIGHBOR, /* a link of the topology missing at one end, or one that it does not know */
	AUDIT_LINK_KEY,
	AUDIT_LINK_ADDRESS,
	AUDIT_LINK_CALL, /* who calls whom, and where */
	AUDIT_LINK_TIMERS,
	AUDIT_MTU,	  /* bigger than what carries it */
	AUDIT_PATH,	  /* a path that policy does not describe */
	AUDIT_SOURCE,	  /* path address, endpoint, reflector */
	AUDIT_STACK,	  /* empty, too deep, a label that is none */
	AUDIT_FILTERED,	  /* a lawful stack that the next node's filter drops */
	AUDIT_BLACK_HOLE, /* no label, no neighbour, a bare pop */
	AUDIT_LOOP,
	AUDIT_MISDELIVERY, /* ends at another node than it should */
	AUDIT_RETURN,	   /* no way back, or one of another path */
	AUDIT_DETOUR,	   /* there and back by different ways, or not as policy says */
	AUDIT_REPAIR,  /* what takes a failed adjacency's place does not lead where the path does */
	AUDIT_SESSION, /* port, policy, timers of a color's device */
	AUDIT_PEER_MISSING, /* policy wants it */
	AUDIT_PEER_EXTRA,   /* policy does not allow it */
	AUDIT_PEER_KEY,
	AUDIT_PEER_CALL,
	AUDIT_ALLOWED_IPS, /* not just the LANs of the other end */
	AUDIT_OVERLAP,	   /* one prefix, two owners */
	AUDIT_RULE_WIDE,   /* lets through what policy does not allow */
	AUDIT_RULE_MISSING,
	AUDIT_RULE_CLASS, /* of a class or with a priority that is not the policy's */
	AUDIT_QUEUE, /* a rate, share or code point that is not the topology's or the policy's */
	AUDIT_UNREACHABLE, /* allowed, and no path works */
	AUDIT_LEAK,	   /* a stack is accepted that no lawful path uses */
	AUDIT_USELESS,	   /* a label route, return or rule that nothing lawful uses */
	AUDIT_EXPECTATION,
	AUDIT_KINDS,
};

/** "black-hole"; static storage. */
const char *audit_kind_name(enum audit_kind kind);
/** One lower-case sentence, for people. */
const char *audit_kind_summary(enum audit_kind kind);

#define AUDIT_KEPT_MAX 200 /* findings kept a kind; more are counted */

struct audit_finding {
	enum audit_kind kind;
	uint32_t site_id;	   /* in whose bundle; 0: in none */
	uint32_t line;		   /* of it; 0: all of it, or what is not there */
	struct source_place place; /* line 0: none */
	char *text;
};

struct audit;

/**
 * @network  the intent.  @sites  @count of them in any order. Both borrowed until audit_free().
 * @ret  the caller's.
 * @return 0; -TUYEN_ENOMEM; -TUYEN_ELIMIT where the state has more than 2^32 entries of a kind.
 */
int audit_new(const struct network *network, const struct forwarding *sites, size_t count,
	      struct audit **ret);
/** From now on @executor helps; borrowed, NULL: nobody. What is found is the same. */
void audit_executor(struct audit *audit, const struct executor *executor);
void audit_free(struct audit *audit); /* takes NULL */

/** Everything but failures: findings, counts, expectations. Once. @return 0 or -TUYEN_ENOMEM; findings are no error. */
int audit_prove(struct audit *audit);

/** Adds a finding of the caller: a bundle that cannot be read. */
void audit_add(struct audit *audit, enum audit_kind kind, uint32_t site_id, const char *text);

size_t audit_finding_count(const struct audit *audit); /* of those kept */
const struct audit_finding *audit_finding(const struct audit *audit, size_t index);
size_t audit_findings_of_kind(const struct audit *audit, enum audit_kind kind); /* all of them */
size_t audit_findings_total(const struct audit *audit);

/** What was walked and compared. */
struct audit_counts {
	size_t sites, links, sessions, paths, paths_working, returns, labels, accepts, hops;
	size_t pairs;	   /* (site, site, class) that policy allows, counted by direction */
	size_t pairs_open; /* of those, with both ends' rules and a path that works */
	size_t rules_compared, expectations, expectations_held;
	size_t repairs; /* ways around a failed link or site that were walked */
	uint8_t deepest_stack;
	uint32_t longest_way; /* links */
};
struct audit_counts audit_counts(const struct audit *audit);

/** (head-end, endpoint, color) of the compiled state. Sorted by head-end's id, color, endpoint's id. */
struct audit_session {
	uint32_t head, endpoint; /* index into the network's sites */
	uint32_t policy;
	uint32_t color;
	uint64_t opens,
	    opens_back; /* bit i: the policy's classes[i], all of it, open at both ends */
	uint32_t path, path_count; /* those that work, highest preference first */
	bool lawful;		   /* policy wants it, and both ends agree on keys and calls */
};
size_t audit_session_count(const struct audit *audit);
const struct audit_session *audit_session(const struct audit *audit, size_t index);
/** The name of working path @index. */
const char *audit_path_name(const struct audit *audit, uint32_t index);
/** Its ways as links of the network, there and then (where it differs) back. */
const uint32_t *audit_path_links(const struct audit *audit, uint32_t index, uint32_t *ret_count);
/** The links that may fail and leave it working, by local repair, within that and at its two ends. */
const uint32_t *audit_path_repaired(const struct audit *audit, uint32_t index, uint32_t *ret_count);

/* ---- every single failure --------------------------------------------------------------- */

enum audit_failure_kind {
	AUDIT_FAIL_LINK,
	AUDIT_FAIL_SITE,
	AUDIT_FAIL_UPLINK, /* of a site: all links over it */
	AUDIT_FAIL_RISK,   /* shared by several links: all of them */
};

#define AUDIT_TIERS_MAX 16 /* counted apart; lower ones count as the last */

struct audit_failure {
	enum audit_failure_kind kind;
	uint32_t subject; /* link, site, or risk */
	uint32_t uplink;
	uint32_t
	    sessions_repaired; /* whose best path the nodes beside the failure lead around it: nobody moves */
	uint32_t sessions_hit; /* whose best path is gone */
	uint32_t sessions_moved, sessions_lost;
	uint32_t sites_moved;  /* still reach all they did, not all of it by the same path */
	uint32_t sites_partly; /* lose an endpoint, and still reach another for each policy */
	uint32_t sites_cut;    /* lose every endpoint of a policy at least */
	uint32_t cut_by_tier[AUDIT_TIERS_MAX];
	uint32_t cut_first; /* into the list of audit_failure_cut() */
};

/** @done of @total failures tried. */
typedef void audit_progress(void *context, size_t done, size_t total);
/** A session that a failure hits; @before and @after are working paths, @after NETWORK_NONE: lost. */
typedef void audit_visit(void *context, const struct audit_failure *failure,
			 const struct audit_session *session, uint32_t before, uint32_t after);

/**
 * Tries each link, each site and each uplink that carries more than one link: exact, none left out. The site that fails
 * counts for nothing itself. Local repair counts where one link or site fails; where several links fail at once it is
 * taken for none, as its detour may be among them. After audit_prove(). @progress, @visit may be NULL.
 */
int audit_failures(struct audit *audit, audit_progress *progress, audit_visit *visit,
		   void *context);
/** Those that cut a site off, the worst first. */
size_t audit_failure_count(const struct audit *audit); /* all that were tried */
const struct audit_failure *audit_failure(const struct audit *audit, size_t index);
/** Sites that it cuts, sites_cut of them, as indexes of the network. */
const uint32_t *audit_failure_cut(const struct audit *audit, const struct audit_failure *failure);
/** "link ba-dinh hanoi". */
void audit_failure_name(const struct audit *audit, const struct audit_failure *failure,
			struct text *ret_text);

/** Over all failures of a kind. */
struct audit_failure_sum {
	/* nobody was hit; all who were, were repaired locally; all others moved; somebody is cut off */
	size_t tried, harmless, repaired, absorbed, cutting;
	size_t sites_cut_sum;
	uint32_t worst; /* sites cut by the worst */
};
struct audit_failure_sum audit_failure_sum(const struct audit *audit, enum audit_failure_kind kind);

/* ---- what is printed ---------------------------------------------------------------------- */

/** A source file and the SHA-256 of its bytes in hex. */
struct audit_source {
	const char *name;
	const char *digest;
};

struct audit_about {
	const char *title;   /* "release-7, epoch 7" */
	const char *made;    /* date, RFC 3339; NULL leaves it out */
	const char *version; /* of the program */
	const struct audit_source *sources;
	size_t source_count;
	double seconds; /* below 0: not said */
};

/** For people. */
void audit_text(const struct audit *audit, const struct audit_about *about, struct text *ret_text);
void audit_json(const struct audit *audit, const struct audit_about *about, struct text *ret_text);
/**
 * The JSON document of a proof without failures whose digest stands in a release statement: no time, no place of
 * files, so that whoever has sources and bundles gets the same bytes. Of @about only version and sources are used,
 * in any order; names are cut to their last part.
 */
void audit_canonical(const struct audit *audit, const struct audit_about *about,
		     struct text *ret_text);
/** One page with all it needs in itself, to be printed and filed. */
void audit_html(const struct audit *audit, const struct audit_about *about, struct text *ret_text);
/** RFC 4180: sections told apart by the first column. */
void audit_csv(const struct audit *audit, const struct audit_about *about, struct text *ret_text);
/** One field, with a comma before it unless @first; quoted where it must be, and never a spreadsheet's formula. */
void audit_csv_field(struct text *t, const char *field, bool first);

#endif
