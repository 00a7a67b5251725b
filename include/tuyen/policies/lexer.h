/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_LEXER_H
#define TUYEN_POLICIES_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tuyen/base/diag.h"

/**
 * Cuts a source file into tokens, comments among them. Bytes that are no text
 * (not UTF-8, NUL, control characters, characters that reorder what is shown)
 * are errors with a place, and never reach the grammar.
 */

/** Kinds above these are the grammar's (build/gen/grammar.h). */
#define LEXER_COMMENT (-2) /* "#" to the end of the line */

struct token {
	int kind;		 /* of the grammar, or LEXER_COMMENT */
	uint32_t offset, length; /* in the source */
	bool reported;		 /* invalid, and the list says so already */
	bool quoted;
	uint64_t
	    number; /* a number; a time in us; a size in bytes; the first of a range; the address of a prefix */
	uint64_t
	    number2; /* the last of a range; a prefix's length; equal to @number for one number */
};

struct token_list {
	struct token *tokens; /* the last is the grammar's end of file */
	size_t count, capacity;
};

/** @return 0 (also when there were errors: they are in @diags) or -TUYEN_ENOMEM. */
int lexer_scan(const struct diag_source *source, struct diag_list *diags,
	       struct token_list *ret_list);
void token_list_clear(struct token_list *list);

/** @return the kind of the keyword of these bytes, or 0. */
int lexer_keyword(const char *bytes, size_t length);
/** The keyword's letters; NULL when @kind is none. Static. */
const char *lexer_keyword_name(int kind);
/** Keyword number @index in alphabetical order; NULL past the last. */
const char *lexer_keyword_at(size_t index);
/** Can @bytes stand as a name without quotes, anywhere a name can? */
bool lexer_is_plain_name(const char *bytes, size_t length);

#endif
