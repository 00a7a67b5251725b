/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stage's policy: the classes, policies, denials and expectations of a country's own sources, token by token as they
 * stand there, with some words put in while sites move.
 *
 * A moving site's spare path leads over its old backup, which gives its place to the new parent. So paths via backup are
 * for all others, and each policy that has a path via parent gets one via backup for the moving sites, made as its own
 * best path is: next after it, bound as it is, and disjoint from none. When the roles change (move), the new one is, label
 * for label, what the one via backup was, and the other way round: both stand through both stages.
 *
 * What is expected after a failure holds for those that move when they have moved.
 */
#include <stdlib.h>
#include <string.h>

#include "grammar.h"
#include "migrate_plan_internal.h"
#include "tuyen/policies/check_state.h"
#include "tuyen/policies/print.h"

/* Text that goes in before the byte at @offset of a file. */
struct insertion {
	uint32_t offset;
	struct text text;
};

struct writing {
	const struct migrate_plan *p;
	const struct syntax_file *file;
	struct insertion *insertions;
	size_t count, room;
	struct text *t;
	bool failed;
};

static struct text *insert_at(struct writing *w, uint32_t offset)
{
	struct insertion *larger;

	if (w->count == w->room) {
		size_t room = w->room ? 2 * w->room : 16;

		larger = realloc(w->insertions, room * sizeof(*larger));
		if (!larger) {
			w->failed = true;
			return NULL;
		}
		w->insertions = larger;
		w->room = room;
	}
	w->insertions[w->count] = (struct insertion){.offset = offset};
	return &w->insertions[w->count++].text;
}

static const struct token *token_at(const struct writing *w, uint32_t offset)
{
	const struct token_list *l = &w->file->tokens;
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->tokens[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return &l->tokens[low];
}

/* Behind these a name stands, whatever it looks like. */
static bool name_follows(int kind)
{
	return kind == TOKEN_FROM || kind == TOKEN_TIER || kind == TOKEN_SITE ||
	       kind == TOKEN_UNDER || kind == TOKEN_TAG || kind == TOKEN_EXCEPT || kind == ',' ||
	       kind == TOKEN_WITH;
}

/* From @t on, the first of the @stops that is no name; at the latest the end of the statement. */
static const struct token *token_find(const struct token *t, const int *stops)
{
	int before = 0;

	for (; t->kind != TOKEN_END_OF_FILE; t++) {
		if (t->kind == LEXER_COMMENT)
			continue;
		for (const int *s = stops; *s && !name_follows(before); s++)
			if (t->kind == *s)
				return t;
		before = t->kind;
	}
	return t;
}

/* ---- policies ----------------------------------------------------------------------------------- */

static void write_names(struct text *t, const struct syntax_node *names)
{
	for (const struct syntax_node *n = names->child; n; n = n->next) {
		text_add(t, n == names->child ? " " : ", ");
		print_name(n->text, t);
	}
}

/* What @path may not do, its twin may not either. */
static void write_constraints(struct text *t, const struct syntax_node *path)
{
	for (const struct syntax_node *n = path->child; n; n = n->next) {
		if (n->kind == SYNTAX_AVOID) {
			text_add(t, " avoid");
			write_names(t, n);
		} else if (n->kind == SYNTAX_AVOID_RISK) {
			text_add(t, " avoid risk");
			write_names(t, n);
		} else if (n->kind == SYNTAX_AVOID_LINK) {
			text_add(t, " avoid link ");
			print_name(n->child->text, t);
			text_add_char(t, ' ');
			print_name(n->child->next->text, t);
			text_add(t, check_child(n, SYNTAX_PARALLEL) ? " parallel" : "");
		} else if (n->kind == SYNTAX_BEGIN_OVER) {
			text_add(t, " over ");
			print_name(n->text, t);
		} else if (n->kind == SYNTAX_MAX_DELAY) {
			text_printf(t, " max delay %lluus", (unsigned long long)n->number);
		} else if (n->kind == SYNTAX_MAX_LABELS) {
			text_printf(t, " max labels %llu", (unsigned long long)n->number);
		}
	}
}

static uint64_t preference_of(const struct syntax_node *path)
{
	const struct syntax_node *n = check_child(path, SYNTAX_PREFERENCE);

	return n ? n->number : 0;
}

static bool preference_used(const struct syntax_node *policy, uint64_t preference)
{
	for (const struct syntax_node *n = policy->child; n; n = n->next)
		if (n->kind == SYNTAX_PATH && preference_of(n) == preference)
			return true;
	return false;
}

/* Of its paths via parent, the one of the highest preference. */
static const struct syntax_node *path_via_parent(const struct syntax_node *policy)
{
	const struct syntax_node *best = NULL;

	for (const struct syntax_node *n = policy->child; n; n = n->next)
		if (n->kind == SYNTAX_PATH && check_child(n, SYNTAX_VIA_PARENT) &&
		    (!best || preference_of(n) > preference_of(best)))
			best = n;
	return best;
}

static const struct token *path_end(const struct writing *w, const struct syntax_node *path)
{
	static const int stops[] = {';', 0};

	return token_find(token_at(w, path->offset), stops);
}

static void path_for_others(struct writing *w, const struct syntax_node *path)
{
	static const int stops[] = {';', TOKEN_DISJOINT, TOKEN_AVOID, TOKEN_OVER, TOKEN_MAX, 0};
	const struct syntax_node *from = check_child(path, SYNTAX_FROM);
	const struct token *at =
	    from ? token_find(token_at(w, from->offset), stops) : path_end(w, path);
	struct text *t = insert_at(w, at->offset);

	if (!t)
		return;
	text_add(t, from ? " except tag " : " from all except tag ");
	print_name(w->p->tag, t);
	text_add_char(t, ' ');
}

static void path_for_moving(struct writing *w, const struct syntax_node *policy,
			    const struct syntax_node *parent)
{
	uint64_t preference = preference_of(parent);
	struct text *t;

	while (preference && preference_used(policy, preference))
		preference--;
	t = preference ? insert_at(w, path_end(w, parent)->offset + 1) : NULL;
	if (!t)
		return;
	text_add(t, "\n\tpath ");
	print_name(w->p->path, t);
	text_printf(t, " preference %llu via backup", (unsigned long long)preference);
	write_constraints(t, parent);
	text_add(t, " from tag ");
	print_name(w->p->tag, t);
	text_add_char(t, ';');
}

static void policy_edit(struct writing *w, const struct syntax_node *policy)
{
	const struct syntax_node *parent = path_via_parent(policy);

	if (!parent)
		return;
	for (const struct syntax_node *n = policy->child; n; n = n->next)
		if (n->kind == SYNTAX_PATH && check_child(n, SYNTAX_VIA_BACKUP))
			path_for_others(w, n);
	path_for_moving(w, policy, parent);
}

/* ---- expectations ------------------------------------------------------------------------------- */

static void copy_bytes(const struct writing *w, uint32_t from, uint32_t end, struct text *t)
{
	text_add_bytes(t, w->file->bytes + from, end - from);
}

/* The same without a failure for all, and with it for those that stay. */
static void expect_edit(struct writing *w, const struct syntax_node *expect)
{
	static const int reaches[] = {TOKEN_REACHES, 0}, after[] = {TOKEN_AFTER, 0};
	const struct token *begin = token_at(w, expect->offset);
	const struct token *middle = token_find(begin + 1, reaches);
	const struct token *end = token_find(middle, after);
	struct text *t = insert_at(w, begin->offset);

	if (!t)
		return;
	copy_bytes(w, begin->offset, end->offset, t);
	text_add(t, ";\n");
	t = insert_at(w, middle->offset);
	if (!t)
		return;
	text_add(t, "except tag ");
	print_name(w->p->tag, t);
	text_add_char(t, ' ');
}

/* ---- files -------------------------------------------------------------------------------------- */

static void file_edit(struct writing *w)
{
	for (const struct syntax_node *n = w->file->statements; n; n = n->next) {
		if (n->kind == SYNTAX_POLICY)
			policy_edit(w, n);
		else if (n->kind == SYNTAX_EXPECT &&
			 (check_child(n, SYNTAX_AFTER_ANY) || check_child(n, SYNTAX_AFTER_LINK)))
			expect_edit(w, n);
	}
}

static int insertion_compare(const void *a, const void *b)
{
	const struct insertion *p = a, *q = b;

	return p->offset < q->offset ? -1 : p->offset > q->offset;
}

/* Bytes @from .. @end - 1 with what goes in between them. */
static void write_bytes(struct writing *w, uint32_t from, uint32_t end)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct insertion *in = &w->insertions[i];

		if (in->offset < from || in->offset >= end)
			continue;
		copy_bytes(w, from, in->offset, w->t);
		text_add(w->t, text_string(&in->text));
		w->failed |= in->text.failed;
		from = in->offset;
	}
	copy_bytes(w, from, end, w->t);
	text_add_char(w->t, '\n');
}

static bool statement_is_policy(int kind)
{
	return kind == TOKEN_CLASS || kind == TOKEN_POLICY || kind == TOKEN_DENY ||
	       kind == TOKEN_EXPECT;
}

/* The last token of the statement that begins at @t. */
static const struct token *statement_end(const struct token *t)
{
	unsigned depth = 0;

	for (; t->kind != TOKEN_END_OF_FILE; t++) {
		if (t->kind == '{')
			depth++;
		else if ((t->kind == '}' && !--depth) || (t->kind == ';' && !depth))
			return t;
	}
	return t;
}

static void write_file(struct writing *w)
{
	const struct token *t = w->file->tokens.tokens;

	while (t->kind != TOKEN_END_OF_FILE) {
		const struct token *end;

		if (t->kind == LEXER_COMMENT || t->kind == ';') {
			t++;
			continue;
		}
		end = statement_end(t);
		if (statement_is_policy(t->kind)) {
			write_bytes(w, t->offset, end->offset + end->length);
			if (end->kind == '}')
				text_add_char(w->t, '\n');
		}
		if (end->kind == TOKEN_END_OF_FILE)
			return;
		t = end + 1;
	}
}

int plan_policy(const struct migrate_plan *p, enum migrate_stage stage, struct text *t)
{
	const struct migrate_country *c = &p->country[stage == MIGRATE_END];
	struct writing w = {.p = p, .t = t};

	text_printf(t, "# The policy of stage %d of %d, %s. Written by `tuyen migrate`.\n\n",
		    migrate_plan_number(p, stage), migrate_plan_number(p, MIGRATE_END),
		    migrate_stage_name(stage));
	for (size_t i = 0; i < c->file_count && !w.failed; i++) {
		w.file = c->files[i];
		w.count = 0;
		if (plan_stage_moves(stage) && p->counts.moving)
			file_edit(&w);
		if (w.count > 1)
			qsort(w.insertions, w.count, sizeof(*w.insertions), insertion_compare);
		write_file(&w);
		for (size_t k = 0; k < w.count; k++)
			text_clear(&w.insertions[k].text);
	}
	free(w.insertions);
	return w.failed || t->failed ? -TUYEN_ENOMEM : 0;
}
