/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_POLICIES_PARSER_H
#define TUYEN_POLICIES_PARSER_H

#include "tuyen/policies/syntax.h"

/** What the grammar and syntax.c say to each other; nobody else's. */

struct syntax_list {
	struct syntax_node *first, *last;
	bool broken; /* one of its items had an error */
};

struct parser {
	struct syntax_file *file;
	struct diag_list *diags;
	size_t next;			  /* token to be read */
	struct token *current, *previous; /* the lookahead, and the one before it */
	const struct token *complained;	  /* the last one an error named: one error a token */
	struct syntax_list statements;
	struct syntax_node spare; /* what a failed allocation gives */
	bool failed;		  /* out of memory */
};

/** @return the next token that is no comment; it is then the lookahead. */
struct token *parser_next(struct parser *p);

/** Nodes never are NULL. @word gives the place; @name also the text; @value the number or prefix.
 */
struct syntax_node *parser_node(struct parser *p, enum syntax_kind kind, const struct token *word);
/** @name becomes it. */
struct syntax_node *parser_named(struct parser *p, enum syntax_kind kind, struct syntax_node *name);
struct syntax_node *parser_value(struct parser *p, enum syntax_kind kind,
				 const struct token *value);
/** As parser_value(), with a fixed number. */
struct syntax_node *parser_number(struct parser *p, enum syntax_kind kind, const struct token *word,
				  uint64_t number);
/** A SYNTAX_NAME; complains about an empty or overlong one. */
struct syntax_node *parser_name(struct parser *p, struct token *word);

/** @node NULL: an item that could not be understood. */
struct syntax_list parser_list(struct syntax_list list, struct syntax_node *node);
struct syntax_list parser_list_join(struct syntax_list head, struct syntax_list tail);
/** Hangs @children below @node, behind those it has. @return @node. */
struct syntax_node *parser_children(struct syntax_node *node, struct syntax_list children);

/**
 * Complains about the lookahead. @expected are the @count names of what could stand there:
 * keywords,
 * "';'", or descriptions with a blank in them.
 */
void parser_complain(struct parser *p, const char *const *expected, size_t count);

/** The grammar's own. @return 0; 1 when it gave up (said already); 2 when it is nested too deeply.
 */
int grammar_parse(struct parser *p);

#endif
