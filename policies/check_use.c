/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said and used by nothing: templates, sites, carrier lines. None is unlawful; each is more
 * often a slip than meant. A line is the dearest of them: somebody pays for it, and believes that
 * it takes over when the other is cut.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check_state.h"

#define UNUSED_SHOWN 3 /* further places of one warning */

/* An uplink that no link runs over; a template's stands here once for each site that has it. */
struct unused {
	struct statement at;
	uint32_t site;
};

static int unused_compare(const void *left, const void *right)
{
	const struct unused *a = left, *b = right;
	int order = strcmp(a->at.node->text, b->at.node->text);

	if (order)
		return order;
	if (a->at.file != b->at.file)
		return a->at.file->source.order < b->at.file->source.order ? -1 : 1;
	if (a->at.node->offset != b->at.node->offset)
		return a->at.node->offset < b->at.node->offset ? -1 : 1;
	return a->site < b->site ? -1 : a->site > b->site;
}

/* Where each site's uplinks begin among all. @return how many there are. */
static size_t uplinks_number(const struct network *n, uint32_t *first)
{
	size_t count = 0;

	for (size_t i = 0; i < n->site_count; i++) {
		first[i] = (uint32_t)count;
		count += n->sites[i].uplink_count;
	}
	return count;
}

static void uplinks_mark(const struct network *n, const uint32_t *first, bool *used, bool *linked)
{
	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];

		linked[l->a] = linked[l->b] = true;
		used[first[l->a] + l->uplink_a] = used[first[l->b] + l->uplink_b] = true;
	}
}

static size_t uplinks_collect(const struct check *c, const uint32_t *first, const bool *used,
			      const bool *linked, struct unused *list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < c->network.site_count; i++) {
		struct site_item item = {0};
		size_t uplink = first[i];

		while (linked[i] && check_site_item(c, i, &item))
			if (item.at.node->kind == SYNTAX_UPLINK && !used[uplink++])
				list[count++] = (struct unused){item.at, i};
	}
	return count;
}

/* @count lines of one kind. */
static void uplinks_warn_kind(struct check *c, const struct unused *list, size_t count)
{
	const char *name = list->at.node->text, *site = c->network.sites[list->site].name;
	const struct syntax_node *said = list->at.node;
	size_t notes = 0;

	if (count == 1)
		diag_warning(c->diags, check_at(list->at), "unused-uplink",
			     "no link runs over uplink '%s' of site '%s'", name, site);
	else
		diag_warning(c->diags, check_at(list->at), "unused-uplink",
			     "no link runs over uplink '%s' of site '%s' and %zu more", name, site,
			     count - 1);
	for (size_t i = 1; i < count && notes < UNUSED_SHOWN; i++) {
		if (list[i].at.node == said)
			continue; /* a template's, at another site */
		said = list[i].at.node;
		diag_note(c->diags, check_at(list[i].at), "nor over that of site '%s'",
			  c->network.sites[list[i].site].name);
		notes++;
	}
	diag_note(c->diags, (struct diag_place){0},
		  "a link takes the first kind of line that both its ends have, unless it says "
		  "another, link A B { over %s; }, or is a second one to the same site, link A B "
		  "parallel { over %s; }",
		  name, name);
}

/* One warning a kind of line: it may be idle at thousands of sites. */
static void uplinks_warn(struct check *c, struct unused *list, size_t count)
{
	if (count > 1)
		qsort(list, count, sizeof(*list), unused_compare);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1;
		     end < count && !strcmp(list[end].at.node->text, list[i].at.node->text);)
			end++;
		uplinks_warn_kind(c, list + i, end - i);
	}
}

static void use_uplinks(struct check *c, bool *linked)
{
	uint32_t *first = check_alloc(c, c->network.site_count, sizeof(*first));
	size_t count = first ? uplinks_number(&c->network, first) : 0;
	bool *used = check_alloc(c, count, sizeof(*used));
	struct unused *list = check_alloc(c, count, sizeof(*list));

	if (first && used && list) {
		uplinks_mark(&c->network, first, used, linked);
		uplinks_warn(c, list, uplinks_collect(c, first, used, linked, list));
	}
	free(first);
	free(used);
	free(list);
}

static void use_templates(struct check *c)
{
	for (size_t i = 0; i < c->template_count; i++)
		if (!c->template_used[i] && !c->discarded)
			diag_warning(c->diags, check_at(c->template_at[i]), "unused-template",
				     "no site uses template '%s'", c->template_at[i].node->text);
}

void check_use(struct check *c)
{
	bool *linked;

	use_templates(c);
	if (check_unlawful(c))
		return; /* a link may be missing for another reason */
	linked = check_alloc(c, c->network.site_count, sizeof(*linked));
	if (!linked)
		return;
	use_uplinks(c, linked);
	for (uint32_t i = 0; i < c->network.site_count; i++)
		if (!linked[i] && c->network.site_count > 1)
			diag_warning(c->diags, check_at(c->site_at[i]), "isolated-site",
				     "site '%s' has no link to any other",
				     c->network.sites[i].name);
	free(linked);
}
