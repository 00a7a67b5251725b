/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_SYNTAX_H
#define TUYEN_POLICIES_SYNTAX_H

#include "tuyen/base/arena.h"
#include "tuyen/base/diag.h"
#include "tuyen/base/err.h"
#include "tuyen/base/executor.h"
#include "tuyen/base/ip.h"
#include "tuyen/policies/lexer.h"

/**
 * The syntax tree of one file of the language (topology and policy are one
 * language). A node is a word of the language with what was said about it;
 * nothing is resolved yet. Comments and blank lines live in the tokens.
 */
enum syntax_kind {
	SYNTAX_NAME, /* text */
	/* statements */
	SYNTAX_TIERS,	/* NAME... */
	SYNTAX_NETWORK, /* LABELS, LINK_SPACE, PATH_SPACE, PARALLEL_SPACE, LINK_PORT, SESSION_PORT */
	SYNTAX_UNDERLAY, /* text; PROBE, MTU, DELAY, METRIC */
	SYNTAX_SITE, /* text; TIER, ID, UNDER, BACKUP, USE, UPLINK..., LAN..., TAG..., DEVICE... */
	SYNTAX_TEMPLATE, /* text; UPLINK..., LAN..., TAG..., DEVICE... */
	SYNTAX_PLAN,	 /* prefix; PLAN_TIER... */
	SYNTAX_KEYS,	 /* text; LINK_KEY, SESSION_KEY */
	SYNTAX_LINK, /* NAME, NAME, PARALLEL; METRIC, DELAY, PROBE, MTU, OVER, RISK..., PREPARED or FRESH */
	SYNTAX_CLASS, /* text; TO_PORT..., TO_PREFIX..., PROTOCOL..., DSCP..., PRIORITY, SHARE, notes */
	SYNTAX_POLICY, /* text; COLOR, FROM, TO, CARRY, PATH..., REVERT, DEGRADED, PROBE, ENCRYPT, notes */
	SYNTAX_DENY,	/* FROM, TO, WITH, notes: EXPIRES, AUTHOR, REASON */
	SYNTAX_EXPECT,	/* FROM, TO, WITH, AFTER_ANY or AFTER_LINK; number: 1 for "never" */
	SYNTAX_INCLUDE, /* text */
	/* what stands in them */
	SYNTAX_LABELS,	       /* number: base, number2: size */
	SYNTAX_LINK_SPACE,     /* prefix */
	SYNTAX_PATH_SPACE,     /* prefix */
	SYNTAX_PARALLEL_SPACE, /* prefix */
	SYNTAX_LINK_PORT,      /* number */
	SYNTAX_SESSION_PORT,   /* number */
	SYNTAX_PROBE,	       /* number: us, number2: multiplier */
	SYNTAX_MTU,	       /* number: bytes */
	SYNTAX_DELAY,	       /* number: us */
	SYNTAX_METRIC,	       /* number */
	SYNTAX_RATE,	       /* number: up, number2: down, bit/s */
	SYNTAX_DSCP_MARKS,     /* DSCP_MARK... */
	SYNTAX_DSCP_MARK,      /* number: the priority, 0 low, 1 normal, 2 high; DSCP */
	SYNTAX_TIER,	       /* text */
	SYNTAX_ID,	       /* number */
	SYNTAX_UNDER,	       /* text */
	SYNTAX_BACKUP,	       /* text */
	SYNTAX_USE,	       /* text: a template */
	SYNTAX_TAG,	       /* NAME... */
	SYNTAX_RISK,	       /* NAME... */
	SYNTAX_PLAN_TIER,      /* text: the tier; LENGTH, OWN_LENGTH */
	SYNTAX_LENGTH,	       /* number */
	SYNTAX_OWN_LENGTH,     /* number */
	SYNTAX_UPLINK, /* text: the underlay; DYNAMIC or ADDRESS, METERED, PORT, RATE, RISK... */
	SYNTAX_DYNAMIC,
	SYNTAX_ADDRESS,	    /* text */
	SYNTAX_METERED,	    /* number: bytes a day */
	SYNTAX_PORT,	    /* number */
	SYNTAX_LAN,	    /* prefix; ADDRESS: shared, and where this gateway stands in it */
	SYNTAX_DEVICE,	    /* text; ADDRESS, SNMP, INTERFACE, CARRIES */
	SYNTAX_SNMP,	    /* text: the user; PORT */
	SYNTAX_INTERFACE,   /* text */
	SYNTAX_CARRIES,	    /* text: an underlay */
	SYNTAX_LINK_KEY,    /* text: base64 */
	SYNTAX_SESSION_KEY, /* text: base64 */
	SYNTAX_PREPARED,
	SYNTAX_FRESH,
	SYNTAX_PARALLEL,     /* the second link of a pair */
	SYNTAX_OVER,	     /* NAME, one or two: underlays of the first and the second site */
	SYNTAX_TO_PORT,	     /* number .. number2; PROTOCOL */
	SYNTAX_TO_PREFIX,    /* prefix */
	SYNTAX_PROTOCOL,     /* number: IPPROTO_ */
	SYNTAX_PRIORITY,     /* number: 0 low, 1 normal, 2 high */
	SYNTAX_DSCP,	     /* text: its name, or NULL and number */
	SYNTAX_SHARE,	     /* number: percent */
	SYNTAX_EXPIRES,	     /* number: seconds since 1970, the day's beginning in UTC */
	SYNTAX_AUTHOR,	     /* text */
	SYNTAX_REASON,	     /* text */
	SYNTAX_COLOR,	     /* number */
	SYNTAX_FROM,	     /* one SELECT_, EXCEPT... */
	SYNTAX_TO,	     /* one SELECT_, EXCEPT... */
	SYNTAX_EXCEPT,	     /* one SELECT_ */
	SYNTAX_SELECT_TIER,  /* NAME... */
	SYNTAX_SELECT_SITE,  /* NAME... */
	SYNTAX_SELECT_UNDER, /* NAME... */
	SYNTAX_SELECT_TAG,   /* NAME... */
	SYNTAX_SELECT_ALL,
	SYNTAX_CARRY, /* NAME... */
	SYNTAX_PATH, /* text; PREFERENCE, one VIA_, DISJOINT, AVOID..., BEGIN_OVER, MAX_..., FROM */
	SYNTAX_PREFERENCE, /* number */
	SYNTAX_VIA_PARENT,
	SYNTAX_VIA_BACKUP,
	SYNTAX_VIA_SHORTEST,
	SYNTAX_VIA_THROUGH, /* NAME... */
	SYNTAX_DISJOINT,    /* text */
	SYNTAX_AVOID,	    /* NAME...: sites */
	SYNTAX_AVOID_LINK,  /* NAME, NAME, PARALLEL */
	SYNTAX_AVOID_RISK,  /* NAME... */
	SYNTAX_BEGIN_OVER,  /* text: an underlay */
	SYNTAX_MAX_DELAY,   /* number: us */
	SYNTAX_MAX_LABELS,  /* number */
	SYNTAX_REVERT,	    /* number: us; REVERT_MAX */
	SYNTAX_REVERT_MAX,  /* number: us */
	SYNTAX_DEGRADED,    /* LOSS, ROUND_TRIP, JITTER */
	SYNTAX_LOSS,	    /* number: percent */
	SYNTAX_ROUND_TRIP,  /* number: us */
	SYNTAX_JITTER,	    /* number: us */
	SYNTAX_ENCRYPT,
	SYNTAX_WITH, /* text: a class */
	SYNTAX_AFTER_ANY,
	SYNTAX_AFTER_LINK, /* NAME, NAME, PARALLEL */
};

struct syntax_node {
	enum syntax_kind kind;
	bool broken; /* its statement had an error: the rest of it is unknown */
	bool spare;  /* there was no memory for it: one that stands for all such, and in no list */
	uint32_t offset, length; /* the words that say it; for a named one, the name */
	const char *text;	 /* unquoted */
	uint64_t number, number2;
	struct ipv4_prefix prefix;
	struct syntax_node *child; /* in source order */
	struct syntax_node *next;
};

struct syntax_file {
	char *name;  /* as messages show it */
	char *bytes; /* owned copy of the source */
	struct diag_source source;
	struct token_list tokens;
	struct syntax_node *statements;
	struct arena arena; /* of the tree */
	bool has_errors;
	bool discarded; /* whole statements are missing: do not wonder about unknown names */
};

/**
 * Reads one file. Errors go to @diags; what could be understood is in the tree all the same.
 * @ret_file  the caller's, released with syntax_file_free(); set also when there were errors.
 * @return 0; -TUYEN_ELIMIT above DIAG_SOURCE_MAX; -TUYEN_ENOMEM.
 */
int syntax_parse(const char *name, const char *bytes, size_t length, struct diag_list *diags,
		 struct syntax_file **ret_file);
/** Takes NULL. */
void syntax_file_free(struct syntax_file *file);
struct diag_place syntax_place(const struct syntax_file *file, const struct syntax_node *node);
/** Do both say the same, with all that stands in them? */
bool syntax_node_equal(const struct syntax_node *a, const struct syntax_node *b);
/** Do both hold the same tokens and comments in the same order? */
bool syntax_file_equal(const struct syntax_file *a, const struct syntax_file *b);

/**
 * Fetches the bytes of source file @path. @ret_bytes is malloc()ed.
 * @return 0, or a negative error with @reason.
 */
typedef int syntax_loader(void *context, const char *path, char **ret_bytes, size_t *ret_length,
			  struct reason *reason);

#define SYNTAX_FILES_MAX 4096

/** Files and all that they include, each once: an includer stands before what it includes. */
struct syntax_set {
	struct syntax_file **files;
	size_t count;
};

/**
 * Reads @paths and, relative to the file that includes it, every included one. A file that
 * cannot be had, and one that includes itself over any number of steps, is an error in @diags.
 * @executor  parses several of @paths at once; NULL: none. What comes of it is the same.
 * @return 0; -TUYEN_ENOMEM; -TUYEN_ELIMIT above SYNTAX_FILES_MAX.
 */
int syntax_load(const char *const *paths, size_t count, syntax_loader *loader, void *context,
		const struct executor *executor, struct diag_list *diags,
		struct syntax_set *ret_set);
void syntax_set_clear(struct syntax_set *set);
/** Gives back the trees and tokens: names, bytes and lines of the files stay. */
void syntax_set_trim(struct syntax_set *set);

#endif
