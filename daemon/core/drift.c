/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/drift.h"

#include <string.h>

void drift_clear(struct drift *d)
{
	text_clear(&d->open);
	text_clear(&d->ours);
	d->told = 0;
}

/* Is the line, @length bytes with its newline, one of @t's, which are searched from @from on? */
static bool lines_have_from(const struct text *t, size_t *from, const char *line, size_t length)
{
	for (size_t at = *from; at < t->length;) {
		const char *found = memmem(t->bytes + at, t->length - at, line, length);

		if (!found)
			return false;
		at = (size_t)(found - t->bytes);
		if (at == 0 || found[-1] == '\n') {
			*from = at + length;
			return true;
		}
		at++;
	}
	return false;
}

/* @cursor  behind the line that was found last: they come in one order, and a hub has thousands. */
static bool lines_have(const struct text *t, size_t *cursor, const char *line, size_t length)
{
	size_t begin = 0;

	if (lines_have_from(t, cursor, line, length))
		return true;
	if (!*cursor || !lines_have_from(t, &begin, line, length))
		return false;
	*cursor = begin;
	return true;
}

void drift_plan(struct drift *d, const char *plan, bool is_ours)
{
	size_t in_open = 0, in_ours = 0;

	for (const char *line = plan, *end; (end = strchr(line, '\n')); line = end + 1) {
		size_t length = (size_t)(end + 1 - line);

		if (*line == '#' || lines_have(&d->open, &in_open, line, length) ||
		    lines_have(&d->ours, &in_ours, line, length))
			continue;
		text_add_bytes(is_ours ? &d->ours : &d->open, line, length);
	}
}

static size_t lines_join(const char *lines, struct text *ret_joined)
{
	size_t count = 0;

	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		if (count++)
			text_add(ret_joined, "; ");
		text_add_bytes(ret_joined, lines, (size_t)(end - lines));
	}
	return count;
}

size_t drift_settle(struct drift *d, bool failed, struct text *ret_what)
{
	size_t count = lines_join(text_string(&d->open) + (failed ? d->told : 0), ret_what);

	if (failed)
		d->told = d->open.length;
	else
		drift_clear(d);
	return count;
}
