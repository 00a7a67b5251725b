/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical printer works on the tokens, not on the tree: so it can lose
 * nothing. What it decides is only the white space between two tokens. A block
 * that stood on one line, holds no other block and fits the width stays on one
 * line; every other block is broken, a statement a line. A list that grows too
 * wide is folded behind a comma. All of it depends on what was printed so far
 * and on line breaks that printing keeps, hence printing twice changes nothing.
 */
#include "tuyen/policies/print.h"

#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "tuyen/base/utf8.h"

#define TAB_COLUMNS 8

struct printer {
	const struct syntax_file *file;
	struct text *out;
	const struct token *before; /* the token printed last, NULL at first */
	unsigned depth;		    /* blocks that are open */
	unsigned column;	    /* columns printed on this line, 0 at its start */
	bool inside;		    /* within a statement */
	bool flat;		    /* within a block that stays on one line */
};

/* ---- one token ---- */

static void token_text(const struct syntax_file *file, const struct token *t, struct text *out)
{
	const char *from = file->bytes + t->offset, *end = from + t->length;

	if (t->kind != TOKEN_STRING || t->quoted) {
		text_add_bytes(out, from, t->length);
		return;
	}
	for (from++, end--; from < end; from++)
		text_add_char(out, *from); /* a plain name has no escapes */
}

static unsigned token_columns(const struct syntax_file *file, const struct token *t)
{
	const char *p = file->bytes + t->offset, *end = p + t->length;
	unsigned columns = t->kind == TOKEN_STRING && !t->quoted ? (unsigned)-2 : 0;
	uint32_t code;

	while (p < end) {
		size_t size = utf8_decode(p, (size_t)(end - p), &code);

		p += size ? size : 1;
		columns += !utf8_is_combining(code);
	}
	return columns;
}

/* Line breaks in the source between the token before and @t. */
static unsigned breaks_before(const struct printer *pr, const struct token *t)
{
	uint32_t from = pr->before ? pr->before->offset + pr->before->length : 0;
	unsigned breaks = 0;

	for (uint32_t i = from; i < t->offset; i++)
		breaks += pr->file->bytes[i] == '\n';
	return breaks;
}

/* ---- lines ---- */

static void print_break(struct printer *pr)
{
	if (pr->column)
		text_add_char(pr->out, '\n');
	pr->column = 0;
}

static void print_indent(struct printer *pr, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		text_add_char(pr->out, '\t');
	pr->column = depth * TAB_COLUMNS;
}

static void print_text(struct printer *pr, const struct token *t)
{
	token_text(pr->file, t, pr->out);
	pr->column += token_columns(pr->file, t);
	pr->before = t;
}

/* One empty line is kept where there was any, save at the ends of a file or block. */
static void print_blank(struct printer *pr, const struct token *t)
{
	if (pr->before && pr->before->kind != '{' && t->kind != '}' && breaks_before(pr, t) > 1)
		text_add_char(pr->out, '\n');
}

/* Does the block that opens at @open stay on the line? */
static bool block_is_flat(const struct printer *pr, const struct token *open)
{
	unsigned columns = pr->column + 2;
	const struct token *t = open + 1;

	for (; t->kind != '}'; t++) {
		if (t->kind == '{' || t->kind == LEXER_COMMENT || t->kind == TOKEN_END_OF_FILE)
			return false;
		columns += token_columns(pr->file, t) + (t->kind != ';' && t->kind != ',');
	}
	if (t == open + 1)
		return columns + 2 <= PRINT_WIDTH;
	return columns + 2 <= PRINT_WIDTH &&
	       !memchr(pr->file->bytes + open->offset, '\n', t->offset - open->offset);
}

/* ---- the spaces between ---- */

static void print_comment(struct printer *pr, const struct token *t)
{
	bool own_line = !pr->before || breaks_before(pr, t) > 0;

	if (own_line) {
		print_break(pr);
		if (!pr->inside)
			print_blank(pr, t);
		print_indent(pr, pr->depth + pr->inside);
	} else {
		text_add_char(pr->out, ' ');
	}
	print_text(pr, t);
}

/* Begins @t on a line of its own, or behind a blank. */
static void print_gap(struct printer *pr, const struct token *t)
{
	bool fold = pr->before && pr->before->kind == ',' &&
		    pr->column + 2 + token_columns(pr->file, t) > PRINT_WIDTH;

	if (!pr->before) {
		print_indent(pr, pr->depth);
	} else if (!pr->inside && !pr->flat) {
		print_break(pr);
		print_blank(pr, t);
		print_indent(pr, pr->depth);
	} else if (pr->before->kind == LEXER_COMMENT || (fold && !pr->flat)) {
		print_break(pr);
		print_indent(pr, pr->depth + pr->inside);
	} else if (t->kind != ';' && t->kind != ',') {
		text_add_char(pr->out, ' ');
		pr->column++;
	}
}

static void print_open(struct printer *pr, const struct token *t)
{
	print_gap(pr, t);
	pr->flat = block_is_flat(pr, t);
	print_text(pr, t);
	pr->depth++;
	pr->inside = false;
}

static void print_close(struct printer *pr, const struct token *t)
{
	pr->depth -= pr->depth > 0;
	pr->inside = false;
	print_gap(pr, t);
	print_text(pr, t);
	pr->flat = false;
}

static void print_word(struct printer *pr, const struct token *t)
{
	print_gap(pr, t);
	print_text(pr, t);
	pr->inside = t->kind != ';';
}

void print_file(const struct syntax_file *file, struct text *ret_text)
{
	struct printer pr = {.file = file, .out = ret_text};

	for (size_t i = 0; i + 1 < file->tokens.count; i++) {
		const struct token *t = &file->tokens.tokens[i];

		if (t->kind == LEXER_COMMENT)
			print_comment(&pr, t);
		else if (t->kind == '{')
			print_open(&pr, t);
		else if (t->kind == '}')
			print_close(&pr, t);
		else
			print_word(&pr, t);
	}
	print_break(&pr);
}

void print_name(const char *name, struct text *ret_text)
{
	if (lexer_is_plain_name(name, strlen(name))) {
		text_add(ret_text, name);
		return;
	}
	text_add_char(ret_text, '"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			text_add_char(ret_text, '\\');
		text_add_char(ret_text, *name);
	}
	text_add_char(ret_text, '"');
}
