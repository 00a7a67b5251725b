/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What surrounds the grammar: the building of nodes, the wording of syntax errors, and the walk
 * over included files. The walk keeps its own stack: files that include each
 * other a thousand deep cost memory, not the program's stack.
 */
#include "tuyen/policies/syntax.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "tuyen/policies/names.h"
#include "tuyen/policies/parser.h"
#include "tuyen/topology/network.h"

#define EXPECTED_SHOWN 6 /* more alternatives than this are not listed */

/* ---- what the grammar calls ---- */

struct token *parser_next(struct parser *p)
{
	struct token_list *list = &p->file->tokens;

	while (list->tokens[p->next].kind == LEXER_COMMENT)
		p->next++;
	p->previous = p->current;
	p->current = &list->tokens[p->next];
	if (p->next + 1 < list->count)
		p->next++;
	return p->current;
}

struct syntax_node *parser_node(struct parser *p, enum syntax_kind kind, const struct token *word)
{
	struct syntax_node *node = arena_alloc(&p->file->arena, sizeof(*node));

	if (!node) {
		p->failed = true;
		node = &p->spare;
	}
	*node = (struct syntax_node){.kind = kind,
				     .spare = node == &p->spare,
				     .offset = word->offset,
				     .length = word->length};
	return node;
}

struct syntax_node *parser_named(struct parser *p, enum syntax_kind kind, struct syntax_node *name)
{
	(void)p;
	name->kind = kind;
	return name;
}

struct syntax_node *parser_number(struct parser *p, enum syntax_kind kind, const struct token *word,
				  uint64_t number)
{
	struct syntax_node *node = parser_node(p, kind, word);

	node->number = number;
	return node;
}

/* The bytes that @word stands for: without quotes and their escapes. */
static const char *parser_text(struct parser *p, const struct token *word)
{
	bool quoted = word->kind == TOKEN_STRING;
	const char *from = p->file->bytes + word->offset + quoted;
	size_t length = word->length - 2 * quoted;
	const char *end = from + length;
	char *text = arena_alloc(&p->file->arena, length + 1), *to = text;

	if (!text) {
		p->failed = true;
		return "";
	}
	if (!quoted || !memchr(from, '\\', length)) {
		memcpy(text, from, length);
		text[length] = '\0';
		return text;
	}
	while (from < end) {
		if (*from == '\\')
			from++;
		*to++ = *from++;
	}
	*to = '\0';
	return text;
}

struct syntax_node *parser_value(struct parser *p, enum syntax_kind kind, const struct token *value)
{
	struct syntax_node *node = parser_number(p, kind, value, value->number);

	node->number2 = value->number2;
	if (value->kind == TOKEN_STRING || value->kind == TOKEN_ADDRESS)
		node->text = parser_text(p, value);
	if (value->kind == TOKEN_PREFIX) {
		node->prefix = (struct ipv4_prefix){(ipv4_t)value->number, (uint8_t)value->number2};
		node->number = node->number2 = 0;
	}
	return node;
}

struct syntax_node *parser_name(struct parser *p, struct token *word)
{
	struct syntax_node *node = parser_node(p, SYNTAX_NAME, word);
	size_t length;

	node->text = parser_text(p, word);
	length = strlen(node->text);
	if (!length && !p->failed)
		diag_error(p->diags, syntax_place(p->file, node), "a name cannot be empty");
	else if (length > NAME_MAX_BYTES)
		diag_error(p->diags, syntax_place(p->file, node),
			   "this name has %zu bytes; %d is the most", length, NAME_MAX_BYTES);
	word->quoted = word->quoted && !lexer_is_plain_name(node->text, length);
	return node;
}

struct syntax_list parser_list(struct syntax_list list, struct syntax_node *node)
{
	if (!node || node->spare)
		list.broken = true;
	else if (list.last)
		list.last = list.last->next = node;
	else
		list.first = list.last = node;
	return list;
}

struct syntax_list parser_list_join(struct syntax_list head, struct syntax_list tail)
{
	bool broken = head.broken || tail.broken;

	if (!head.first)
		head = tail;
	else if (tail.first) {
		head.last->next = tail.first;
		head.last = tail.last;
	}
	head.broken = broken;
	return head;
}

struct syntax_node *parser_children(struct syntax_node *node, struct syntax_list children)
{
	struct syntax_node **end = &node->child;

	while (*end)
		end = &(*end)->next;
	*end = children.first;
	node->broken |= children.broken;
	return node;
}

/* ---- the wording of syntax errors ---- */

static bool is_keyword_name(const char *expected)
{
	return lexer_keyword(expected, strlen(expected)) != 0;
}

static bool is_among(const char *what, const char *const *expected, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(expected[i], what) == 0)
			return true;
	return false;
}

/* Where any name can stand every keyword can too: only "a name" is worth saying. */
static size_t expected_reduce(const char *const *expected, size_t count, const char **out)
{
	bool name = is_among("a name", expected, count);
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		if (name &&
		    (is_keyword_name(expected[i]) || strcmp(expected[i], "a quoted string") == 0))
			continue;
		if (strcmp(expected[i], "an invalid word") != 0)
			out[n++] = expected[i];
	}
	return n;
}

static void expected_print(const char *const *expected, size_t count, struct text *t)
{
	for (size_t i = 0; i < count; i++) {
		text_add(t, i == 0 ? "" : i + 1 == count ? " or " : ", ");
		text_printf(t, is_keyword_name(expected[i]) ? "'%s'" : "%s", expected[i]);
	}
}

/* The expected word that @word was probably meant to be; NULL. */
static const char *expected_nearest(const char *word, const char *const *expected, size_t count)
{
	unsigned best = name_tolerance(word) + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		unsigned distance;

		if (!is_keyword_name(expected[i]))
			continue;
		distance = name_distance(word, expected[i]);
		if (distance < best) {
			best = distance;
			nearest = expected[i];
		}
	}
	return nearest;
}

/*
 * The keyword that @word was probably meant to be: an expected one. Where hardly any was, it may be
 * any: the parser decides what is left out before it sees the word that comes instead.
 */
static const char *word_nearest(const char *word, const char *const *expected, size_t count)
{
	const char *nearest = expected_nearest(word, expected, count), *all[256];
	size_t keywords = 0;

	for (size_t i = 0; i < count; i++)
		keywords += is_keyword_name(expected[i]);
	if (nearest || keywords > 1)
		return nearest;
	keywords = 0;
	while (keywords < sizeof(all) / sizeof(all[0]) && lexer_keyword_at(keywords)) {
		all[keywords] = lexer_keyword_at(keywords);
		keywords++;
	}
	return is_keyword_name(word) ? NULL : expected_nearest(word, all, keywords);
}

static struct diag_place token_place(const struct parser *p, const struct token *t)
{
	return (struct diag_place){&p->file->source, t->offset, t->length};
}

/* Was the ';' forgotten: something else begins on another line, or the block ends? */
static bool parser_lacks_semicolon(const struct parser *p)
{
	const struct token *before = p->previous, *now = p->current;
	uint32_t end;

	if (!before)
		return false;
	if (now->kind == '}' || now->kind == TOKEN_END_OF_FILE)
		return true;
	end = before->offset + before->length;
	return memchr(p->file->bytes + end, '\n', now->offset - end) != NULL ||
	       lexer_keyword(p->file->bytes + now->offset, now->length) != 0;
}

static void parser_complain_semicolon(struct parser *p)
{
	const struct token *before = p->previous;
	const struct diag_place place = {&p->file->source, before->offset + before->length, 0};

	diag_error(p->diags, place, "missing ';' after '%.*s'", (int)before->length,
		   p->file->bytes + before->offset);
}

static void parser_complain_word(struct parser *p, const char *const *expected, size_t count)
{
	const struct token *now = p->current;
	char word[NAME_MAX_BYTES + 1] = "";
	const char *nearest = NULL;
	struct text t;

	if (now->length && now->length < sizeof(word)) {
		memcpy(word, p->file->bytes + now->offset, now->length);
		nearest = word_nearest(word, expected, count);
	}
	text_init(&t);
	if (now->kind == TOKEN_END_OF_FILE)
		text_add(&t, "the file ends here, unfinished");
	else
		text_printf(&t, "unexpected '%s'", *word ? word : "...");
	if (nearest)
		text_printf(&t, "; did you mean '%s'?", nearest);
	else if (count && count <= EXPECTED_SHOWN) {
		text_add(&t, "; expected ");
		expected_print(expected, count, &t);
	}
	if (!nearest && count == 1 && now->kind == TOKEN_NAME && p->previous &&
	    p->previous->kind == TOKEN_NAME)
		text_printf(&t, "; a name of several words is written in quotes: \"%.*s %s\"",
			    (int)p->previous->length, p->file->bytes + p->previous->offset, word);
	diag_error(p->diags, token_place(p, now), "%s", text_string(&t));
	p->diags->failed |= t.failed;
	text_clear(&t);
}

void parser_complain(struct parser *p, const char *const *expected, size_t count)
{
	const char *reduced[256];

	if (p->complained == p->current)
		return;
	p->complained = p->current;
	if (p->current->reported)
		return;
	if (diag_list_is_full(p->diags)) {
		diag_error(p->diags, token_place(p, p->current), "a syntax error");
		return;
	}
	assert(count <= sizeof(reduced) / sizeof(reduced[0]));
	count = expected_reduce(expected, count, reduced);
	if (is_among("';'", reduced, count) && parser_lacks_semicolon(p))
		parser_complain_semicolon(p);
	else
		parser_complain_word(p, reduced, count);
}

/* ---- one file ---- */

static int file_parse(struct syntax_file *file, struct diag_list *diags)
{
	struct parser p = {.file = file, .diags = diags};
	size_t errors = diags->error_count;
	int outcome, err;

	err = lexer_scan(&file->source, diags, &file->tokens);
	if (err < 0)
		return err;
	outcome = grammar_parse(&p);
	if (p.failed)
		return -TUYEN_ENOMEM;
	if (outcome == 2)
		diag_error(diags, token_place(&p, p.current), "blocks are nested too deeply here");
	file->statements = p.statements.first;
	file->discarded = outcome != 0 || p.statements.broken;
	file->has_errors = diags->error_count > errors;
	return 0;
}

int syntax_parse(const char *name, const char *bytes, size_t length, struct diag_list *diags,
		 struct syntax_file **ret_file)
{
	struct syntax_file *file = calloc(1, sizeof(*file));
	int err = -TUYEN_ENOMEM;

	if (!file)
		return err;
	file->name = strdup(name);
	file->bytes = malloc(length + 1);
	if (!file->name || !file->bytes)
		goto fail;
	if (length)
		memcpy(file->bytes, bytes, length);
	file->bytes[length] = '\0';
	err = diag_source_init(&file->source, file->name, file->bytes, length);
	if (err < 0)
		goto fail;
	err = file_parse(file, diags);
	if (err < 0)
		goto fail;
	*ret_file = file;
	return 0;
fail:
	syntax_file_free(file);
	return err;
}

void syntax_file_free(struct syntax_file *file)
{
	if (!file)
		return;
	arena_clear(&file->arena);
	token_list_clear(&file->tokens);
	diag_source_clear(&file->source);
	free(file->bytes);
	free(file->name);
	free(file);
}

struct diag_place syntax_place(const struct syntax_file *file, const struct syntax_node *node)
{
	return (struct diag_place){&file->source, node->offset, node->length};
}

/* ---- comparison ---- */

static bool word_equal(const struct syntax_node *a, const struct syntax_node *b)
{
	if (a->kind != b->kind || a->number != b->number || a->number2 != b->number2 ||
	    a->prefix.address != b->prefix.address || a->prefix.length != b->prefix.length)
		return false;
	return !a->text == !b->text && (!a->text || strcmp(a->text, b->text) == 0);
}

/* As deep as the grammar nests, which is five. */
static bool nodes_equal(const struct syntax_node *a, const struct syntax_node *b)
{
	for (; a && b; a = a->next, b = b->next)
		if (!syntax_node_equal(a, b))
			return false;
	return !a && !b;
}

bool syntax_node_equal(const struct syntax_node *a, const struct syntax_node *b)
{
	return word_equal(a, b) && nodes_equal(a->child, b->child);
}

static const struct token *next_comment(const struct syntax_file *file, size_t *at)
{
	while (*at < file->tokens.count)
		if (file->tokens.tokens[(*at)++].kind == LEXER_COMMENT)
			return &file->tokens.tokens[*at - 1];
	return NULL;
}

static bool comments_equal(const struct syntax_file *a, const struct syntax_file *b)
{
	size_t at = 0, bt = 0;

	for (;;) {
		const struct token *ca = next_comment(a, &at), *cb = next_comment(b, &bt);

		if (!ca || !cb)
			return !ca && !cb;
		if (ca->length != cb->length ||
		    memcmp(a->bytes + ca->offset, b->bytes + cb->offset, ca->length) != 0)
			return false;
	}
}

bool syntax_file_equal(const struct syntax_file *a, const struct syntax_file *b)
{
	return nodes_equal(a->statements, b->statements) && comments_equal(a, b);
}

/* ---- many files ---- */

/* A file that was read, and perhaps parsed, before its turn. */
struct ahead {
	char *path;
	char *bytes;
	size_t length;
	struct syntax_file *file; /* only if there was nothing to say of it */
};

struct loading {
	struct syntax_set set;
	struct ahead *ahead;
	size_t ahead_count;
	struct diag_list *diags;
	syntax_loader *loader;
	void *context;
	struct open_file {
		size_t index;			     /* in the set */
		const struct syntax_node *statement; /* to be looked at next */
	} * stack;
	size_t depth;
	struct name_table known; /* path -> index */
};

/* Is the last part of @root .. @to - 1 a ".."? */
static bool path_ends_upward(const char *root, const char *to)
{
	return to - root >= 2 && to[-1] == '.' && to[-2] == '.' &&
	       (to - root == 2 || to[-3] == '/');
}

/* Drops "." and resolves ".." where something stands before it. @path is changed in place. */
static void path_normalize(char *path)
{
	char *root = path + (*path == '/'), *from = root, *to = root;

	while (*from) {
		const char *part = from;
		size_t length = strcspn(from, "/");

		from += length + (from[length] == '/');
		if (length == 0 || (length == 1 && *part == '.'))
			continue;
		if (length == 2 && memcmp(part, "..", 2) == 0 && to > root &&
		    !path_ends_upward(root, to)) {
			while (to > root && to[-1] != '/')
				to--;
			to -= to > root;
			continue;
		}
		if (to > root)
			*to++ = '/';
		memmove(to, part, length);
		to += length;
	}
	*to = '\0';
}

/* @path as the file @from means it; malloc()ed. */
static char *path_relative(const char *from, const char *path)
{
	const char *slash = from ? strrchr(from, '/') : NULL;
	size_t folder = slash && *path != '/' ? (size_t)(slash - from) + 1 : 0;
	char *joined = malloc(folder + strlen(path) + 2);

	if (!joined)
		return NULL;
	if (folder)
		memcpy(joined, from, folder);
	strcpy(joined + folder, path);
	path_normalize(joined);
	return joined;
}

static int loading_push(struct loading *l, struct syntax_file *file)
{
	size_t index = l->set.count;

	if (index == SYNTAX_FILES_MAX)
		return -TUYEN_ELIMIT;
	file->source.order = (uint32_t)index;
	l->set.files[l->set.count++] = file;
	l->stack[l->depth++] = (struct open_file){index, file->statements};
	return name_table_add(&l->known, file->name, (uint32_t)index);
}

static bool loading_is_open(const struct loading *l, size_t index)
{
	for (size_t i = 0; i < l->depth; i++)
		if (l->stack[i].index == index)
			return true;
	return false;
}

/* ---- files of the command line, ahead of their turn ---- */

static struct ahead *ahead_find(const struct loading *l, const char *path)
{
	for (size_t i = 0; i < l->ahead_count; i++)
		if (l->ahead[i].path && !strcmp(l->ahead[i].path, path))
			return &l->ahead[i];
	return NULL;
}

/* One that cannot be read is asked for again in its turn, for the message. */
static int ahead_read(struct loading *l, const char *path)
{
	char *clean = path_relative(NULL, path);
	struct ahead *a = &l->ahead[l->ahead_count];
	struct reason reason;

	if (!clean)
		return -TUYEN_ENOMEM;
	if (ahead_find(l, clean) ||
	    l->loader(l->context, clean, &a->bytes, &a->length, &reason) < 0) {
		free(clean);
		return 0;
	}
	a->path = clean;
	l->ahead_count++;
	return 0;
}

/* What complains is parsed again in its turn, where its complaints belong. */
static int ahead_parse(void *context, unsigned int worker, size_t item)
{
	struct ahead *a = &((struct loading *)context)->ahead[item];
	struct diag_list diags;
	int err;

	(void)worker;
	diag_list_init(&diags);
	err = syntax_parse(a->path, a->bytes, a->length, &diags, &a->file);
	if (err < 0) {
		a->file = NULL;
	} else if (diags.count || diags.failed) {
		syntax_file_free(a->file);
		a->file = NULL;
	}
	diag_list_clear(&diags);
	return 0;
}

static int ahead_all(struct loading *l, const struct executor *executor, const char *const *paths,
		     size_t count)
{
	int err = 0;

	if (!executor || executor->workers < 2 || count < 2 || count > SYNTAX_FILES_MAX)
		return 0;
	l->ahead = calloc(count, sizeof(*l->ahead));
	if (!l->ahead)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = ahead_read(l, paths[i]);
	return err ? err : executor_run(executor, l->ahead_count, ahead_parse, l);
}

static void ahead_clear(struct loading *l)
{
	for (size_t i = 0; i < l->ahead_count; i++) {
		free(l->ahead[i].path);
		free(l->ahead[i].bytes);
		syntax_file_free(l->ahead[i].file);
	}
	free(l->ahead);
}

/* ---- each in its turn ---- */

static int loading_keep(struct loading *l, struct syntax_file *file)
{
	int err = loading_push(l, file);

	if (err == -TUYEN_ELIMIT)
		syntax_file_free(file);
	return err;
}

static int loading_read(struct loading *l, const char *path, char **ret_bytes, size_t *ret_length,
			struct reason *reason)
{
	struct ahead *a = ahead_find(l, path);

	if (!a || !a->bytes)
		return l->loader(l->context, path, ret_bytes, ret_length, reason);
	*ret_bytes = a->bytes;
	*ret_length = a->length;
	a->bytes = NULL;
	return 0;
}

static int loading_open(struct loading *l, const char *path, struct diag_place place)
{
	struct ahead *a = ahead_find(l, path);
	struct reason reason = {""};
	struct syntax_file *file = a ? a->file : NULL;
	char *bytes = NULL;
	size_t length = 0;
	int err;

	if (file) {
		a->file = NULL;
		return loading_keep(l, file);
	}
	err = loading_read(l, path, &bytes, &length, &reason);
	if (err < 0) {
		diag_error(l->diags, place, "cannot read '%s': %s", path,
			   *reason.text ? reason.text : tuyen_strerror(err));
		return 0;
	}
	err = syntax_parse(path, bytes, length, l->diags, &file);
	free(bytes);
	if (err == -TUYEN_ELIMIT) {
		diag_error(l->diags, place, "'%s' is larger than %u bytes", path, DIAG_SOURCE_MAX);
		return 0;
	}
	return err < 0 ? err : loading_keep(l, file);
}

static int loading_include(struct loading *l, const struct syntax_file *from,
			   const struct syntax_node *include)
{
	char *path = path_relative(from->name, include->text);
	uint32_t index;
	int err = 0;

	if (!path)
		return -TUYEN_ENOMEM;
	index = name_table_find(&l->known, path);
	if (index == NAME_NONE)
		err = loading_open(l, path, syntax_place(from, include));
	else if (loading_is_open(l, index))
		diag_error(l->diags, syntax_place(from, include), "'%s' includes itself by this",
			   path);
	free(path);
	return err;
}

/* Everything that the files on the stack include, depth first. */
static int loading_run(struct loading *l)
{
	int err = 0;

	while (l->depth && err == 0) {
		struct open_file *top = &l->stack[l->depth - 1];
		const struct syntax_node *statement = top->statement;

		if (!statement) {
			l->depth--;
			continue;
		}
		top->statement = statement->next;
		if (statement->kind == SYNTAX_INCLUDE)
			err = loading_include(l, l->set.files[top->index], statement);
	}
	return err;
}

static int loading_given(struct loading *l, const char *path)
{
	char *clean = path_relative(NULL, path);
	int err = 0;

	if (!clean)
		return -TUYEN_ENOMEM;
	if (name_table_find(&l->known, clean) == NAME_NONE)
		err = loading_open(l, clean, (struct diag_place){0});
	free(clean);
	return err ? err : loading_run(l);
}

int syntax_load(const char *const *paths, size_t count, syntax_loader *loader, void *context,
		const struct executor *executor, struct diag_list *diags,
		struct syntax_set *ret_set)
{
	struct loading l = {.diags = diags, .loader = loader, .context = context};
	int err = 0;

	l.set.files = calloc(SYNTAX_FILES_MAX, sizeof(*l.set.files));
	l.stack = calloc(SYNTAX_FILES_MAX, sizeof(*l.stack));
	if (!l.set.files || !l.stack)
		err = -TUYEN_ENOMEM;
	if (!err)
		err = ahead_all(&l, executor, paths, count);
	for (size_t i = 0; i < count && err == 0; i++)
		err = loading_given(&l, paths[i]);
	ahead_clear(&l);
	free(l.stack);
	name_table_clear(&l.known);
	if (err < 0)
		syntax_set_clear(&l.set);
	else
		*ret_set = l.set;
	return err;
}

void syntax_set_trim(struct syntax_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		arena_clear(&set->files[i]->arena);
		token_list_clear(&set->files[i]->tokens);
		set->files[i]->statements = NULL;
	}
}

void syntax_set_clear(struct syntax_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		syntax_file_free(set->files[i]);
	free(set->files);
	*set = (struct syntax_set){0};
}
