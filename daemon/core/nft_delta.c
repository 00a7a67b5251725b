/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both texts are walked line by line. What is no element must be the same; the elements of each set,
 * with the statements that they have, are sorted as text on both sides and walked once. What goes is deleted before what comes is
 * added, for an interval may lie where another lay.
 */
#include "tuyen/core/nft_delta.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/core/kernel_state.h"

struct span {
	const char *at;
	size_t length;
};

struct elements {
	struct span *entry;
	size_t count;
	bool failed;
};

static struct span line_of(const char *text)
{
	return (struct span){text, strcspn(text, "\n")};
}

static const char *line_after(struct span line)
{
	return line.at + line.length + (line.at[line.length] == '\n');
}

static int span_compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t length = x->length < y->length ? x->length : y->length;
	int order = memcmp(x->at, y->at, length);

	return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void element_add(struct elements *e, struct span element)
{
	if ((e->count & (e->count - 1)) == 0) {
		struct span *grown =
		    realloc(e->entry, (e->count ? e->count * 2 : 1) * sizeof(*grown));

		if (!grown) {
			e->failed = true;
			return;
		}
		e->entry = grown;
	}
	e->entry[e->count++] = element;
}

/* @return what follows; @text itself if no elements begin there. */
static const char *elements_take(const char *text, struct elements *e)
{
	static const char opening[] = "\t\telements = { ";
	const char *at = text;

	if (strncmp(text, opening, sizeof(opening) - 1))
		return text;
	at += sizeof(opening) - 1;
	while (!e->failed && *at && *at != '}') {
		struct span element = {at, strcspn(at, ",}\n")};

		while (element.length && at[element.length - 1] == ' ')
			element.length--;
		if (element.length)
			element_add(e, element);
		at += element.length + strspn(at + element.length, ", \t\n");
	}
	if (*at != '}')
		e->failed = true;
	if (e->count > 1)
		qsort(e->entry, e->count, sizeof(*e->entry), span_compare);
	return e->failed ? at : line_after(line_of(at));
}

/* Those of @these that @others have not. */
static void difference_add(struct text *t, const char *verb, struct span set,
			   const struct elements *these, const struct elements *others)
{
	size_t j = 0, count = 0;

	for (size_t i = 0; i < these->count; i++) {
		while (j < others->count && span_compare(&others->entry[j], &these->entry[i]) < 0)
			j++;
		if (j < others->count && !span_compare(&others->entry[j], &these->entry[i]))
			continue;
		if (!count++)
			text_printf(t, "%s element inet " TUYEN_NFT_TABLE " %.*s { ", verb,
				    (int)set.length, set.at);
		else
			text_add(t, ", ");
		text_printf(t, "%.*s", (int)these->entry[i].length, these->entry[i].at);
	}
	if (count)
		text_add(t, " }\n");
}

struct walk {
	const char *want, *have;
	struct span set; /* the last one's name */
	struct text going, coming;
};

static bool sets_differ(struct walk *w)
{
	struct elements want = {0}, have = {0};
	bool fine;

	w->want = elements_take(w->want, &want);
	w->have = elements_take(w->have, &have);
	fine = !want.failed && !have.failed;
	if (fine && w->set.length) {
		difference_add(&w->going, "delete", w->set, &have, &want);
		difference_add(&w->coming, "add", w->set, &want, &have);
	}
	free(want.entry);
	free(have.entry);
	return fine;
}

static void set_note(struct walk *w, struct span line)
{
	if (line.length > 5 && !strncmp(line.at, "\tset ", 5))
		w->set = (struct span){line.at + 5, strcspn(line.at + 5, " ")};
}

static bool walk_through(struct walk *w)
{
	while (*w->want || *w->have) {
		struct span want, have;

		if (!sets_differ(w))
			return false;
		want = line_of(w->want);
		have = line_of(w->have);
		if (span_compare(&want, &have))
			return false;
		set_note(w, want);
		w->want = line_after(want);
		w->have = line_after(have);
	}
	return true;
}

bool nft_delta(const char *want, const char *have, struct text *ret_commands)
{
	struct walk w = {.want = want, .have = have};
	bool fine;

	text_init(&w.going);
	text_init(&w.coming);
	fine = walk_through(&w) && !w.going.failed && !w.coming.failed;
	if (fine) {
		text_add(ret_commands, text_string(&w.going));
		text_add(ret_commands, text_string(&w.coming));
	}
	text_clear(&w.going);
	text_clear(&w.coming);
	return fine;
}
