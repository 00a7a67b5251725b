/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_EXPLAIN_H
#define TUYEN_POLICIES_EXPLAIN_H

#include "tuyen/base/text.h"
#include "tuyen/policies/compile.h"

/** May a site open connections to another, who says so, and on which ways: for people, and as JSON. */

enum explain_verdict {
	EXPLAIN_ALLOWED,  /* @policy carries it */
	EXPLAIN_DENIED,	  /* @policy would, but @deny forbids it */
	EXPLAIN_NO_LAN,	  /* @policy would, but @site has no LAN, or none to which the class goes */
	EXPLAIN_SAME_LAN, /* @policy would, but both share a LAN: nothing goes by a session */
	EXPLAIN_NO_RULE,  /* no policy carries it from the one to the other */
};

struct explain_answer {
	enum explain_verdict verdict;
	uint32_t policy, deny, site; /* indexes, NETWORK_NONE where they say nothing */
};

/** What holds for new connections of class @class_index from @from to @to: of policies that allow it, the lowest color's. */
struct explain_answer explain_class(const struct compile_result *result, uint32_t from, uint32_t to,
				    uint32_t class_index);

/**
 * Adds the answers for @class_index (NETWORK_NONE: each class of the network), then each session that carries what
 * is allowed: its paths, the stack on every hop both ways, MTU and timers. Ends with LF.
 * @return whether anything asked for is allowed.
 */
bool explain_text(const struct compile_result *result, uint32_t from, uint32_t to,
		  uint32_t class_index, struct text *ret_text);
/** The same as one JSON object without LF. */
bool explain_json(const struct compile_result *result, uint32_t from, uint32_t to,
		  uint32_t class_index, struct text *ret_text);

#endif
