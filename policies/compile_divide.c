/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided path by path, dealt out to its sites: sessions to their endpoints, label routes, and the stacks that a
 * site accepts from each neighbour.
 */
#include "compile_internal.h"

#include <stdlib.h>
#include <string.h>

static void counts_to_firsts(uint32_t *first, size_t count)
{
	for (size_t i = count; i > 0; i--)
		first[i] = first[i - 1];
	first[0] = 0;
	for (size_t i = 1; i <= count; i++)
		first[i] += first[i - 1];
}

/* ---- sessions ------------------------------------------------------------------------------- */

/* An endpoint's pairs come in the order of their heads' ids: so its returns are in order already. */
static int endpoints_divide(struct compile_result *r)
{
	size_t sites = r->network->site_count;
	uint32_t *fill = calloc(sites + 1, sizeof(*fill));
	uint32_t *heads = calloc(sites + 1, sizeof(*heads));

	r->endpoint_pairs = calloc(r->pair_count + 1, sizeof(*r->endpoint_pairs));
	if (!fill || !heads || !r->endpoint_pairs) {
		free(fill);
		free(heads);
		return -TUYEN_ENOMEM;
	}
	for (size_t i = 0; i < r->pair_count; i++)
		r->endpoint_first[r->pairs[i].endpoint]++;
	counts_to_firsts(r->endpoint_first, sites);
	for (uint32_t i = 0; i < sites; i++)
		heads[i] = i;
	network_sort_by_id(r->network, heads, sites);
	for (size_t h = 0; h < sites; h++)
		for (uint32_t i = r->head_first[heads[h]]; i < r->head_first[heads[h] + 1]; i++) {
			uint32_t e = r->pairs[i].endpoint;

			r->endpoint_pairs[r->endpoint_first[e] + fill[e]++] = i;
		}
	free(heads);
	free(fill);
	return 0;
}

/* ---- label routes --------------------------------------------------------------------------- */

static int label_entry_compare(const void *a, const void *b)
{
	const struct label_entry *p = a, *q = b;

	return p->label < q->label ? -1 : p->label > q->label;
}

static void labels_sort(struct label_entry *labels, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (labels[i - 1].label > labels[i].label) {
			qsort(labels, count, sizeof(*labels), label_entry_compare);
			return;
		}
}

/* Each label of a site stands among them once. */
static int labels_divide(struct compile_result *r)
{
	size_t sites = network_node_count(r->network);
	struct label_entry *dealt = calloc(r->label_count + 1, sizeof(*dealt));
	uint32_t *first = r->label_first;

	if (!dealt)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < r->label_count; i++)
		first[r->labels[i].site]++;
	counts_to_firsts(first, sites);
	for (size_t i = 0; i < r->label_count; i++)
		dealt[first[r->labels[i].site]++] = r->labels[i];
	memmove(first + 1, first, sites * sizeof(*first)); /* filling has moved each to its end */
	first[0] = 0;
	for (size_t i = 0; i < sites; i++)
		labels_sort(dealt + first[i], first[i + 1] - first[i]);
	free(r->labels);
	r->labels = dealt;
	r->label_room = r->label_count;
	/* What the index points at has moved. */
	free(r->label_index.slots);
	r->label_index = (struct index){0};
	return 0;
}

/* ---- stacks that are accepted ----------------------------------------------------------------- */

/*
 * Half a million, many of them said more than once. They are dealt out by site, and brought into the order of senders, then
 * label_stack_compare(), chunk by chunk of sites, by whoever there is to do it.
 */
#define ACCEPT_CHUNK 8 /* sites */

struct accepts_work {
	struct compile_result *r;
	struct accept_entry *dealt;
	uint32_t *kept; /* by site: how many differ */
};

static int accept_compare(const struct compile_result *r, const struct accept_entry *a,
			  const struct accept_entry *b)
{
	const uint32_t *x = r->stacks.values + a->labels, *y = r->stacks.values + b->labels;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	for (uint32_t i = 0; x != y && i < a->depth; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

/* @spare  half as many. */
static void accepts_sort(const struct compile_result *r, struct accept_entry *entries, size_t count,
			 struct accept_entry *spare)
{
	size_t left = count / 2, i = 0, k = left, at = 0;

	if (count < 2)
		return;
	accepts_sort(r, entries, left, spare);
	accepts_sort(r, entries + left, count - left, spare);
	if (accept_compare(r, &entries[left - 1], &entries[left]) <= 0)
		return;
	memcpy(spare, entries, left * sizeof(*entries));
	while (i < left)
		entries[at++] = k < count && accept_compare(r, &entries[k], &spare[i]) < 0
				    ? entries[k++]
				    : spare[i++];
}

/* @return how many are left. */
static uint32_t accepts_unique(const struct compile_result *r, struct accept_entry *entries,
			       uint32_t count)
{
	uint32_t kept = count > 0;

	for (uint32_t i = 1; i < count; i++)
		if (accept_compare(r, &entries[kept - 1], &entries[i]))
			entries[kept++] = entries[i];
	return kept;
}

static int accepts_step(void *context, unsigned int worker, size_t item)
{
	struct accepts_work *w = context;
	const uint32_t *first = w->r->accept_first;
	size_t from = item * ACCEPT_CHUNK, end = from + ACCEPT_CHUNK;

	(void)worker;
	if (end > network_node_count(w->r->network))
		end = network_node_count(w->r->network);
	for (size_t i = from; i < end; i++) {
		struct accept_entry *entries = w->dealt + first[i];
		uint32_t count = first[i + 1] - first[i];

		/* What they were dealt from has room for each site's half. */
		accepts_sort(w->r, entries, count, w->r->accepts + first[i]);
		w->kept[i] = accepts_unique(w->r, entries, count);
	}
	return 0;
}

static void accepts_deal(struct compile_result *r, struct accept_entry *dealt)
{
	size_t sites = network_node_count(r->network);
	uint32_t *first = r->accept_first;

	for (size_t i = 0; i < r->accept_count; i++)
		first[r->accepts[i].site]++;
	counts_to_firsts(first, sites);
	for (size_t i = 0; i < r->accept_count; i++)
		dealt[first[r->accepts[i].site]++] = r->accepts[i];
	memmove(first + 1, first, sites * sizeof(*first)); /* filling has moved each to its end */
	first[0] = 0;
}

/* Back to where they were dealt from, without those that were said twice. */
static void accepts_collect(const struct accepts_work *w)
{
	struct compile_result *r = w->r;
	uint32_t count = 0;

	for (size_t i = 0; i < network_node_count(r->network); i++) {
		memcpy(r->accepts + count, w->dealt + r->accept_first[i],
		       w->kept[i] * sizeof(*r->accepts));
		r->accept_first[i] = count;
		count += w->kept[i];
	}
	r->accept_first[network_node_count(r->network)] = count;
	r->accept_count = count;
}

static int accepts_divide(struct compile_result *r)
{
	size_t sites = network_node_count(r->network);
	struct accepts_work w = {.r = r};
	int err = -TUYEN_ENOMEM;

	if (!r->accept_count)
		return 0;
	w.dealt = malloc(r->accept_count * sizeof(*w.dealt));
	w.kept = calloc(sites + 1, sizeof(*w.kept));
	if (w.dealt && w.kept) {
		accepts_deal(r, w.dealt);
		err = executor_run(r->executor, (sites + ACCEPT_CHUNK - 1) / ACCEPT_CHUNK,
				   accepts_step, &w);
	}
	if (!err)
		accepts_collect(&w);
	free(w.dealt);
	free(w.kept);
	return err;
}

/* ---- all of it ------------------------------------------------------------------------------ */

int compile_divide(struct compile_result *r)
{
	int err = labels_divide(r);

	if (!err)
		err = accepts_divide(r);
	return err ? err : endpoints_divide(r);
}
