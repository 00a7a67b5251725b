/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes that look at one site after the other are divided among workers, each with an audit of its
 * own for what it finds, counts and keeps. What is read is everybody's; a mark is set by whoever
 * comes to it, and being set twice is set (audit_mark()). In the end all is put together in the
 * order of sites: the same findings, numbers and paths as if nobody had helped.
 */
#include "audit_internal.h"

#include <string.h>

#define PARTS 64 /* about: none has more than its share of all lines, but for a site that does */

struct part {
	uint32_t from, to;
	struct audit audit;
};

struct division {
	struct audit *a;
	audit_pass *pass;
	struct part *parts;
	size_t count;
};

static size_t site_lines(const struct forwarding *f)
{
	return f->neighbor_count + f->label_count + f->path_count + f->return_count +
	       f->peer_count + f->rule_count + 1;
}

static void parts_cut(struct division *d)
{
	const struct audit *a = d->a;
	size_t all = 0, share, lines = 0;

	for (size_t s = 0; s < a->count; s++)
		all += site_lines(&a->sites[s]);
	share = all / PARTS + 1;
	for (uint32_t s = 0; s < a->count; s++) {
		if (!d->count || lines + site_lines(&a->sites[s]) > share) {
			d->parts[d->count++].from = s;
			lines = 0;
		}
		lines += site_lines(&a->sites[s]);
		d->parts[d->count - 1].to = s + 1;
	}
}

static int part_run(void *context, unsigned int worker, size_t item)
{
	const struct division *d = context;
	struct part *p = &d->parts[item];
	struct audit *own = &p->audit;

	(void)worker;
	*own = *d->a;
	own->paths = NULL;
	own->findings = NULL;
	own->path_count = own->finding_count = own->finding_room = 0;
	own->ways = own->nodes = own->repaired = (struct numbers){0};
	memset(own->found, 0, sizeof(own->found));
	own->counts = (struct audit_counts){0};
	return d->pass(own, p->from, p->to);
}

/* ---- putting together ---------------------------------------------------------------------- */

static void findings_take(struct audit *a, struct audit *own)
{
	size_t kept[AUDIT_KINDS] = {0};

	for (size_t i = 0; i < own->finding_count; i++) {
		kept[own->findings[i].kind]++;
		audit_finding_take(a, &own->findings[i]);
	}
	for (int k = 0; k < AUDIT_KINDS; k++)
		a->found[k] += own->found[k] - kept[k];
	free(own->findings);
}

static void counts_take(struct audit *a, const struct audit_counts *own)
{
	struct audit_counts *all = &a->counts;

	all->paths += own->paths;
	all->returns += own->returns;
	all->hops += own->hops;
	all->repairs += own->repairs;
	all->rules_compared += own->rules_compared;
	if (own->longest_way > all->longest_way)
		all->longest_way = own->longest_way;
	if (own->deepest_stack > all->deepest_stack)
		all->deepest_stack = own->deepest_stack;
}

/* @return where they begin now. */
static uint32_t numbers_take(struct audit *a, struct numbers *all, struct numbers *own)
{
	uint32_t first = (uint32_t)all->count;

	for (size_t i = 0; i < own->count; i++)
		numbers_add(a, all, own->value[i]);
	free(own->value);
	return first;
}

static void paths_take(struct audit *a, struct part *p)
{
	struct audit *own = &p->audit;
	uint32_t first = (uint32_t)a->path_count, ways = numbers_take(a, &a->ways, &own->ways);
	uint32_t nodes = numbers_take(a, &a->nodes, &own->nodes);
	uint32_t repaired = numbers_take(a, &a->repaired, &own->repaired);

	if (own->paths)
		for (uint32_t s = a->session_first[p->from]; s < a->session_first[p->to]; s++)
			a->sessions[s].path += first;
	for (size_t i = 0; own->paths && i < own->path_count; i++) {
		struct audit_path *path = &a->paths[a->path_count++];

		*path = own->paths[i];
		path->way += ways;
		path->nodes += nodes;
		path->repaired += repaired;
	}
	free(own->paths);
}

static void part_take(struct audit *a, struct part *p)
{
	a->failed |= p->audit.failed;
	counts_take(a, &p->audit.counts);
	findings_take(a, &p->audit);
	paths_take(a, p);
}

int audit_divide(struct audit *a, audit_pass *pass)
{
	struct division d = {.a = a, .pass = pass};
	int err;

	if (!a->executor || a->executor->workers < 2)
		return a->count ? pass(a, 0, (uint32_t)a->count) : 0;
	d.parts = calloc(a->count + 1, sizeof(*d.parts));
	if (!d.parts)
		return -TUYEN_ENOMEM;
	parts_cut(&d);
	err = executor_run(a->executor, d.count, part_run, &d);
	for (size_t i = 0; i < d.count; i++)
		part_take(a, &d.parts[i]);
	free(d.parts);
	return err;
}
