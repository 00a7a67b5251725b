/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said about a rule beside what it does: who wants it, why, and until
 * when. Time is an argument; at the end the rules that have expired by then are
 * taken out of the network, so that nobody behind the checker can act on them:
 * not the compiler, not the audit, not `explain`. Indexes of classes stay, for
 * they are used everywhere; an expired class just is carried by nobody.
 */
#include <string.h>

#include "tuyen/base/date.h"
#include "tuyen/policies/check_state.h"

#define NOTE_MAX_BYTES 255

static char *note_text(struct check *c, struct statement s, enum syntax_kind kind, const char *what)
{
	const struct syntax_node *node = check_child(s.node, kind);

	if (!node)
		return NULL;
	if (!*node->text || strlen(node->text) > NOTE_MAX_BYTES)
		diag_error(c->diags, syntax_place(s.file, node), "%s has 1 to %d bytes", what,
			   NOTE_MAX_BYTES);
	return check_strdup(c, node->text);
}

void check_note(struct check *c, struct statement s, struct rule_note *ret_note)
{
	const struct syntax_node *expires = check_child(s.node, SYNTAX_EXPIRES);

	ret_note->author = note_text(c, s, SYNTAX_AUTHOR, "an author");
	ret_note->reason = note_text(c, s, SYNTAX_REASON, "a reason");
	/* a rule of the very first day is over too */
	ret_note->expires_s = !expires ? 0 : expires->number ? (int64_t)expires->number : 1;
}

/* @return whether it is over; says so, or that it will be before the release is. */
static bool rule_is_over(struct check *c, struct statement s, const struct rule_note *note,
			 const char *what)
{
	const struct syntax_node *expires = check_child(s.node, SYNTAX_EXPIRES);
	char day[DATE_STRLEN];

	if (!note->expires_s || !expires)
		return false;
	date_format(note->expires_s, day);
	if (note->expires_s <= c->times.now_s) {
		diag_warning(c->diags, syntax_place(s.file, expires), "expired-rule",
			     "%s expired on %s: it is left out", what, day);
		return true;
	}
	if (note->expires_s < c->times.until_s)
		diag_warning(
		    c->diags, syntax_place(s.file, expires), "expires-soon",
		    "%s expires on %s, before the release does: nodes keep it until the next", what,
		    day);
	return false;
}

static void class_drop(struct policy *p, uint32_t index)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->class_count; i++)
		if (p->classes[i] != index)
			p->classes[kept++] = p->classes[i];
	p->class_count = kept;
}

static void classes_expire(struct check *c)
{
	struct network *n = &c->network;

	for (uint32_t i = 0; i < n->class_count; i++) {
		n->classes[i].expired =
		    rule_is_over(c, c->class_at[i], &n->classes[i].note, "this class");
		for (size_t p = 0; n->classes[i].expired && p < n->policy_count; p++)
			class_drop(&n->policies[p], i);
	}
}

static void policies_expire(struct check *c)
{
	struct network *n = &c->network;
	size_t kept = 0;

	for (size_t i = 0; i < n->policy_count; i++) {
		bool over = rule_is_over(c, c->policy_at[i], &n->policies[i].note, "this policy");

		if (!over && !n->policies[i].class_count) {
			diag_warning(c->diags, check_at(c->policy_at[i]), "expired-rule",
				     "all that policy '%s' carries has expired: it is left out",
				     n->policies[i].name);
			over = true;
		}
		if (over)
			network_policy_clear(&n->policies[i]);
		else
			n->policies[kept++] = n->policies[i];
	}
	n->policy_count = kept;
}

static void denies_expire(struct check *c)
{
	struct network *n = &c->network;
	size_t kept = 0;

	for (size_t i = 0; i < n->deny_count; i++)
		if (rule_is_over(c, c->deny_at[i], &n->denies[i].note, "this deny rule"))
			network_deny_clear(&n->denies[i]);
		else
			n->denies[kept++] = n->denies[i];
	n->deny_count = kept;
}

void check_expired(struct check *c)
{
	if (check_unlawful(c))
		return; /* the network goes nowhere */
	classes_expire(c);
	policies_expire(c);
	denies_expire(c);
}
