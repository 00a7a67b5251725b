/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two compiled states side by side. A bundle is a text of canonical lines in a canonical order, so
 * what differs are the lines that one has and the other has not: both sets sorted, walked once.
 *
 * A connection is there when its opener's rules let it out and the other's let it in; each site
 * gives its half, the halves are sorted together, and two that meet are a connection. A rule that
 * names peers by prefix finds them by a search. Everything is n log n.
 */
#include "tuyen/policies/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAY_MAX 64 /* sites shown of one way */

/* One end's word about connections from @from to @to. */
struct half {
	struct diff_flow flow;
	bool in;
};

struct half_list {
	struct half *entry;
	size_t count, room;
	bool failed;
};

struct side {
	struct diff_side of;
	uint32_t *by_id; /* SITE_ID_MAX + 1: index + 1 */
	struct diff_flow *flows;
	size_t flow_count;
};

/* Lines that differ at one site. */
struct site_diff {
	uint32_t id;
	const struct forwarding *before, *after; /* NULL: not there */
	uint32_t first, lost, gained;		 /* in lines: those lost, then those gained */
	bool counted;
	size_t operations;
};

struct flow_diff {
	enum diff_change change;
	const struct diff_flow *flow;
};

struct diff {
	struct side side[2];
	struct site_diff *sites;
	size_t site_count;
	char **lines;
	size_t line_count, line_room;
	struct flow_diff *flows;
	size_t flow_count, flow_room;
	struct diff_counts counts;
	bool *renumbered_to; /* SITE_ID_MAX + 1: endpoints */
	bool failed;
};

static const struct forwarding *side_site(const struct side *s, uint32_t id)
{
	return id <= SITE_ID_MAX && s->by_id[id] ? &s->of.sites[s->by_id[id] - 1] : NULL;
}

static bool side_init(struct side *s, struct diff_side of)
{
	s->of = of;
	s->by_id = calloc(SITE_ID_MAX + 1, sizeof(*s->by_id));
	for (size_t i = 0; s->by_id && i < of.count; i++)
		if (of.sites[i].site_id <= SITE_ID_MAX)
			s->by_id[of.sites[i].site_id] = (uint32_t)i + 1;
	return s->by_id != NULL;
}

/* ---- lines ------------------------------------------------------------------------------- */

static int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts @t into its lines, sorted. */
static char **lines_sorted(struct text *t, size_t *ret_count)
{
	size_t count = 0, room = 1;
	char **lines, *at = t->bytes;

	for (size_t i = 0; i < t->length; i++)
		room += t->bytes[i] == '\n';
	lines = calloc(room, sizeof(*lines));
	for (size_t i = 0; lines && i < t->length; i++) {
		if (t->bytes[i] != '\n')
			continue;
		t->bytes[i] = '\0';
		lines[count++] = at;
		at = t->bytes + i + 1;
	}
	if (count > 1)
		qsort(lines, count, sizeof(*lines), line_compare);
	*ret_count = count;
	return lines;
}

static void line_add(struct diff *d, const char *line)
{
	if (d->line_count == d->line_room) {
		size_t room = d->line_room ? 2 * d->line_room : 256;
		char **larger = realloc(d->lines, room * sizeof(*larger));

		if (!larger) {
			d->failed = true;
			return;
		}
		d->lines = larger;
		d->line_room = room;
	}
	d->lines[d->line_count] = strdup(line);
	if (!d->lines[d->line_count])
		d->failed = true;
	else
		d->line_count++;
}

/* Adds the lines of @a that @b has not. */
static uint32_t lines_only(struct diff *d, char **a, size_t a_count, char **b, size_t b_count)
{
	size_t before = d->line_count, k = 0;

	for (size_t i = 0; i < a_count; i++) {
		while (k < b_count && strcmp(b[k], a[i]) < 0)
			k++;
		if (k < b_count && !strcmp(b[k], a[i]))
			k++;
		else
			line_add(d, a[i]);
	}
	return (uint32_t)(d->line_count - before);
}

static void site_lines(struct diff *d, struct site_diff *s, struct text *before, struct text *after)
{
	size_t before_count = 0, after_count = 0;
	char **b = lines_sorted(before, &before_count), **a = lines_sorted(after, &after_count);

	s->first = (uint32_t)d->line_count;
	if (a && b) {
		s->lost = lines_only(d, b, before_count, a, after_count);
		s->gained = lines_only(d, a, after_count, b, before_count);
	} else {
		d->failed = true;
	}
	free(a);
	free(b);
}

/* ---- path numbers ------------------------------------------------------------------------- */

/* What @path was, if it has another number now. */
static const struct fwd_path *path_renumbered(const struct forwarding *before,
					      const struct fwd_path *path)
{
	for (size_t i = 0; i < before->path_count; i++) {
		const struct fwd_path *p = &before->paths[i];

		if (p->color == path->color && p->endpoint_site == path->endpoint_site &&
		    !strcmp(p->name, path->name))
			return p->index != path->index ? p : NULL;
	}
	return NULL;
}

/* A site's paths are numbered through, over all policies: one that comes or goes may shift those behind it. */
static void site_renumbered(struct diff *d, const struct site_diff *s)
{
	size_t before = d->counts.paths_renumbered;

	for (size_t i = 0; s->before && s->after && i < s->after->path_count; i++) {
		const struct fwd_path *p = &s->after->paths[i];

		if (!path_renumbered(s->before, p))
			continue;
		d->counts.paths_renumbered++;
		if (p->endpoint_site <= SITE_ID_MAX && !d->renumbered_to[p->endpoint_site]) {
			d->renumbered_to[p->endpoint_site] = true;
			d->counts.endpoints_renumbered++;
		}
	}
	d->counts.sites_renumbered += d->counts.paths_renumbered > before;
}

static void site_compare(struct diff *d, uint32_t id, struct text *before, struct text *after)
{
	struct site_diff s = {
	    .id = id, .before = side_site(&d->side[0], id), .after = side_site(&d->side[1], id)};

	text_reset(before);
	text_reset(after);
	if (s.before)
		forwarding_encode(s.before, before);
	if (s.after)
		forwarding_encode(s.after, after);
	if (before->length == after->length &&
	    !memcmp(before->bytes, after->bytes, after->length)) {
		d->counts.sites_same++;
		return;
	}
	d->counts.sites_changed += s.before && s.after;
	d->counts.sites_gained += !s.before;
	d->counts.sites_lost += !s.after;
	site_lines(d, &s, before, after);
	d->counts.lines_lost += s.lost;
	d->counts.lines_gained += s.gained;
	site_renumbered(d, &s);
	d->sites[d->site_count++] = s;
}

static void sites_compare(struct diff *d)
{
	struct text before, after;

	text_init(&before);
	text_init(&after);
	d->sites = calloc(d->side[0].of.count + d->side[1].of.count + 1, sizeof(*d->sites));
	d->renumbered_to = calloc(SITE_ID_MAX + 1, sizeof(*d->renumbered_to));
	for (uint32_t id = 1; d->sites && d->renumbered_to && id <= SITE_ID_MAX; id++)
		if (side_site(&d->side[0], id) || side_site(&d->side[1], id))
			site_compare(d, id, &before, &after);
	d->failed |= !d->sites || !d->renumbered_to || before.failed || after.failed;
	text_clear(&before);
	text_clear(&after);
}

/* ---- connections -------------------------------------------------------------------------- */

struct owned {
	struct ipv4_prefix prefix;
	uint32_t color;
	const struct fwd_session_peer *peer;
};

static int owned_compare(const void *x, const void *y)
{
	const struct owned *p = x, *q = y;

	if (p->color != q->color)
		return p->color < q->color ? -1 : 1;
	return p->prefix.address < q->prefix.address ? -1 : p->prefix.address > q->prefix.address;
}

/* What a rule has of the LANs at its destination, if it is less than one of them. */
static struct ipv4_prefix lan_part(const struct forwarding *f, const struct fwd_rule *r,
				   const struct fwd_session_peer *p)
{
	const struct ipv4_prefix *lans = r->outbound ? p->prefixes : f->lans;
	size_t count = r->outbound ? p->prefix_count : f->lan_count;

	for (size_t i = 0; i < count; i++)
		if (lans[i].length < r->to.length && ipv4_prefix_overlaps(lans[i], r->to))
			return r->to;
	return (struct ipv4_prefix){0};
}

static void half_add(struct half_list *l, const struct forwarding *f, const struct fwd_rule *r,
		     const struct fwd_session_peer *p)
{
	struct half *h;

	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 4096;
		struct half *larger = realloc(l->entry, room * sizeof(*larger));

		if (!larger) {
			l->failed = true;
			return;
		}
		l->entry = larger;
		l->room = room;
	}
	h = &l->entry[l->count++];
	h->in = !r->outbound;
	h->flow = (struct diff_flow){
	    .from = r->outbound ? f->site_id : p->site_id,
	    .to = r->outbound ? p->site_id : f->site_id,
	    .color = r->color,
	    .from_name = r->outbound ? f->site : p->name,
	    .to_name = r->outbound ? p->name : f->site,
	    .class_name = r->class_name,
	    .protocol = r->protocol,
	    .port_first = r->port_first,
	    .port_last = r->port_last,
	    .has_dscp = r->has_dscp,
	    .dscp = r->dscp,
	    .part = lan_part(f, r, p),
	};
}

static void halves_of_rule(struct half_list *l, const struct forwarding *f,
			   const struct fwd_rule *r, const struct owned *owned, size_t count)
{
	struct ipv4_prefix far = r->outbound ? r->to : r->from;
	uint32_t last = far.address | ~ipv4_netmask(far.length);
	const struct fwd_session_peer *previous = NULL;
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct owned *o = &owned[middle];

		if (o->color < r->color ||
		    (o->color == r->color &&
		     (o->prefix.address | ~ipv4_netmask(o->prefix.length)) < far.address))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && owned[low].color == r->color && owned[low].prefix.address <= last;
	     low++) {
		if (owned[low].peer != previous)
			half_add(l, f, r, owned[low].peer);
		previous = owned[low].peer;
	}
}

static void halves_of_site(struct half_list *l, const struct forwarding *f)
{
	size_t room = 0, count = 0;
	struct owned *owned;

	for (size_t i = 0; i < f->peer_count; i++)
		room += f->peers[i].prefix_count;
	owned = calloc(room + 1, sizeof(*owned));
	if (!owned) {
		l->failed = true;
		return;
	}
	for (size_t i = 0; i < f->peer_count; i++)
		for (size_t k = 0; k < f->peers[i].prefix_count; k++)
			owned[count++] = (struct owned){f->peers[i].prefixes[k], f->peers[i].color,
							&f->peers[i]};
	qsort(owned, count, sizeof(*owned), owned_compare);
	for (size_t i = 0; i < f->rule_count; i++)
		halves_of_rule(l, f, &f->rules[i], owned, count);
	free(owned);
}

static int flow_compare(const struct diff_flow *p, const struct diff_flow *q)
{
	int o;

	if (p->from != q->from)
		return p->from < q->from ? -1 : 1;
	if (p->to != q->to)
		return p->to < q->to ? -1 : 1;
	if (p->color != q->color)
		return p->color < q->color ? -1 : 1;
	o = strcmp(p->class_name, q->class_name);
	if (o)
		return o;
	if (p->protocol != q->protocol)
		return p->protocol < q->protocol ? -1 : 1;
	if (p->port_first != q->port_first)
		return p->port_first < q->port_first ? -1 : 1;
	if (p->port_last != q->port_last)
		return p->port_last < q->port_last ? -1 : 1;
	if (p->has_dscp != q->has_dscp)
		return p->has_dscp ? -1 : 1;
	if (p->dscp != q->dscp)
		return p->dscp < q->dscp ? -1 : 1;
	if (p->part.address != q->part.address)
		return p->part.address < q->part.address ? -1 : 1;
	return p->part.length < q->part.length ? -1 : p->part.length > q->part.length;
}

static int half_compare(const void *x, const void *y)
{
	const struct half *p = x, *q = y;
	int o = flow_compare(&p->flow, &q->flow);

	return o ? o : p->in - q->in;
}

/* A half out that meets a half in is a connection. */
static bool halves_join(struct side *s, struct half_list *l)
{
	if (l->count > 1)
		qsort(l->entry, l->count, sizeof(*l->entry), half_compare);
	s->flow_count = 0;
	s->flows = calloc(l->count / 2 + 1, sizeof(*s->flows));
	for (size_t i = 1; s->flows && i < l->count; i++) {
		const struct half *out = &l->entry[i - 1], *in = &l->entry[i];

		if (!out->in && in->in && !flow_compare(&out->flow, &in->flow))
			s->flows[s->flow_count++] = out->flow;
	}
	return s->flows != NULL;
}

static bool side_flows(struct side *s)
{
	struct half_list l = {0};
	bool ok;

	for (size_t i = 0; i < s->of.count; i++)
		halves_of_site(&l, &s->of.sites[i]);
	ok = !l.failed && halves_join(s, &l);
	free(l.entry);
	return ok;
}

/* ---- how a connection goes ------------------------------------------------------------------ */

/* Whoever has paths to the other decides. */
static const struct forwarding *flow_head(const struct side *s, const struct diff_flow *f,
					  uint32_t *ret_endpoint)
{
	const struct forwarding *ends[2] = {side_site(s, f->from), side_site(s, f->to)};
	uint32_t ids[2] = {f->to, f->from};

	for (int e = 0; e < 2; e++)
		for (size_t i = 0; ends[e] && i < ends[e]->path_count; i++)
			if (ends[e]->paths[i].color == f->color &&
			    ends[e]->paths[i].endpoint_site == ids[e]) {
				*ret_endpoint = ids[e];
				return ends[e];
			}
	return NULL;
}

/* "16001 > ba-dinh > hanoi > npdc-hn": the labels, and the sites where they lead. Whether that is
 * lawful is the audit's. */
static void way_add(const struct side *s, const struct fwd_path *p, struct text *t)
{
	uint32_t next = p->first_site;
	const struct forwarding *at = side_site(s, forwarding_id_site(next));
	struct label_stack stack = p->stack;
	char out[LABEL_STACK_STRLEN];

	text_add(t, label_stack_format(&stack, out));
	for (int hops = 0; at && hops < WAY_MAX; hops++) {
		text_printf(t, " > %s%s", at->site,
			    forwarding_id_parallel(next) ? NETWORK_PARALLEL_SUFFIX : "");
		if (forwarding_step(at, &stack, &next) || !next)
			return;
		at = side_site(s, forwarding_id_site(next));
	}
}

static void flow_way(const struct side *s, const struct diff_flow *f, struct text *t)
{
	uint32_t endpoint;
	const struct forwarding *head = flow_head(s, f, &endpoint);
	bool any = false;

	for (size_t i = 0; head && i < head->path_count; i++) {
		const struct fwd_path *p = &head->paths[i];

		if (p->color != f->color || p->endpoint_site != endpoint)
			continue;
		text_printf(t, "%s%s %u ", any ? ", " : "", p->name, p->preference);
		way_add(s, p, t);
		any = true;
	}
}

static void change_add(struct diff *d, enum diff_change change, const struct diff_flow *flow)
{
	d->counts.flows[change]++;
	if (d->flow_count == d->flow_room) {
		size_t room = d->flow_room ? 2 * d->flow_room : 1024;
		struct flow_diff *larger = realloc(d->flows, room * sizeof(*larger));

		if (!larger) {
			d->failed = true;
			return;
		}
		d->flows = larger;
		d->flow_room = room;
	}
	d->flows[d->flow_count++] = (struct flow_diff){change, flow};
}

static void flow_both(struct diff *d, const struct diff_flow *before, const struct diff_flow *after,
		      struct text *x, struct text *y)
{
	text_reset(x);
	text_reset(y);
	flow_way(&d->side[0], before, x);
	flow_way(&d->side[1], after, y);
	if (strcmp(text_string(x), text_string(y)) != 0)
		change_add(d, DIFF_MOVED, after);
	else
		d->counts.flows_same++;
}

static void flows_compare(struct diff *d)
{
	const struct side *b = &d->side[0], *a = &d->side[1];
	struct text x, y;
	size_t i = 0, k = 0;

	text_init(&x);
	text_init(&y);
	while (i < b->flow_count || k < a->flow_count) {
		int o = i == b->flow_count   ? 1
			: k == a->flow_count ? -1
					     : flow_compare(&b->flows[i], &a->flows[k]);

		if (o < 0)
			change_add(d, DIFF_LOST, &b->flows[i++]);
		else if (o > 0)
			change_add(d, DIFF_GAINED, &a->flows[k++]);
		else
			flow_both(d, &b->flows[i++], &a->flows[k++], &x, &y);
	}
	d->failed |= x.failed || y.failed;
	text_clear(&x);
	text_clear(&y);
}

/* ---- all of it --------------------------------------------------------------------------------
 */

int diff_new(struct diff_side before, struct diff_side after, bool flows, struct diff **ret)
{
	struct diff *d = calloc(1, sizeof(*d));

	if (!d)
		return -TUYEN_ENOMEM;
	if (!side_init(&d->side[0], before) || !side_init(&d->side[1], after))
		goto fail;
	sites_compare(d);
	if (flows && (!side_flows(&d->side[0]) || !side_flows(&d->side[1])))
		goto fail;
	flows_compare(d);
	if (d->failed)
		goto fail;
	*ret = d;
	return 0;
fail:
	diff_free(d);
	return -TUYEN_ENOMEM;
}

void diff_free(struct diff *d)
{
	if (!d)
		return;
	for (int i = 0; i < 2; i++) {
		free(d->side[i].by_id);
		free(d->side[i].flows);
	}
	for (size_t i = 0; i < d->line_count; i++)
		free(d->lines[i]);
	free(d->lines);
	free(d->renumbered_to);
	free(d->sites);
	free(d->flows);
	free(d);
}

struct diff_counts diff_counts(const struct diff *d)
{
	return d->counts;
}

size_t diff_site_count(const struct diff *d)
{
	return d->site_count;
}

struct diff_site diff_site(const struct diff *d, size_t index)
{
	const struct site_diff *s = &d->sites[index];

	return (struct diff_site){.id = s->id, .before = s->before, .after = s->after};
}

void diff_site_operations(struct diff *d, size_t index, size_t operations)
{
	d->sites[index].operations = operations;
	d->sites[index].counted = true;
}

size_t diff_flow_count(const struct diff *d)
{
	return d->flow_count;
}

enum diff_change diff_flow(const struct diff *d, size_t index, struct diff_flow *ret_flow)
{
	*ret_flow = *d->flows[index].flow;
	return d->flows[index].change;
}

void diff_flow_way(const struct diff *d, size_t index, bool after, struct text *t)
{
	enum diff_change change = d->flows[index].change;

	if (change != (after ? DIFF_LOST : DIFF_GAINED))
		flow_way(&d->side[after], d->flows[index].flow, t);
}

/* ---- for people --------------------------------------------------------------------------------
 */

static const char *const change_names[] = {
    [DIFF_GAINED] = "gained", [DIFF_LOST] = "lost", [DIFF_MOVED] = "moved"};

static const char *site_name(const struct site_diff *s)
{
	return s->after ? s->after->site : s->before->site;
}

/* "neighbor -1 +1, accept +2": what kinds of lines differ. */
static void keywords_add(const struct diff *d, const struct site_diff *s, struct text *t)
{
	static const char *const words[] = {"site",  "address", "srgb",	    "overlay", "link0",
					    "link1", "lan",	"neighbor", "accept",  "label",
					    "path",  "return",	"session",  "peer",    "prefix",
					    "rule",  "device",	"line",	    "queue",   "meter"};
	bool any = false;

	for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
		size_t length = strlen(words[w]), lost = 0, gained = 0;

		for (uint32_t i = s->first; i < s->first + s->lost + s->gained; i++)
			if (!strncmp(d->lines[i], words[w], length) && d->lines[i][length] == ' ')
				*(i < s->first + s->lost ? &lost : &gained) += 1;
		if (!lost && !gained)
			continue;
		text_printf(t, "%s%s", any ? ", " : "", words[w]);
		if (lost)
			text_printf(t, " -%zu", lost);
		if (gained)
			text_printf(t, " +%zu", gained);
		any = true;
	}
}

static void renumbered_text(const struct diff_counts *c, struct text *t)
{
	if (!c->paths_renumbered)
		return;
	text_printf(
	    t,
	    "path numbers: %zu path%s of %zu site%s only get%s another number, and so another "
	    "address. Each is probed anew\n"
	    "  from there, %zu endpoint%s get%s as many ways back, and a session that uses one "
	    "goes over to the new address.\n"
	    "  A site's paths are numbered by color, endpoint's id and preference: what is added "
	    "last renumbers nobody.\n",
	    c->paths_renumbered, c->paths_renumbered == 1 ? "" : "s", c->sites_renumbered,
	    c->sites_renumbered == 1 ? "" : "s", c->paths_renumbered == 1 ? "s" : "",
	    c->endpoints_renumbered, c->endpoints_renumbered == 1 ? "" : "s",
	    c->endpoints_renumbered == 1 ? "s" : "");
}

static const char *endpoint_name(const struct diff *d, const struct fwd_path *p)
{
	const struct forwarding *f = side_site(&d->side[1], p->endpoint_site);

	return f ? f->site : "?";
}

static void site_renumbered_text(const struct diff *d, const struct site_diff *s, struct text *t)
{
	char old[IPV4_STRLEN], new[IPV4_STRLEN];

	for (size_t i = 0; i < s->after->path_count; i++) {
		const struct fwd_path *p = &s->after->paths[i];
		const struct fwd_path *was = path_renumbered(s->before, p);

		if (was)
			text_printf(
			    t,
			    "  path '%s' to '%s', color %u: number %u becomes %u, %s becomes %s\n",
			    p->name, endpoint_name(d, p), p->color, was->index, p->index,
			    ipv4_format(was->source, old), ipv4_format(p->source, new));
	}
}

static void site_text(const struct diff *d, const struct site_diff *s, size_t lines_max,
		      struct text *t)
{
	size_t shown = 0;

	text_printf(t, "\n%u %s%s: ", s->id, site_name(s),
		    !s->before	? " (new)"
		    : !s->after ? " (gone)"
				: "");
	keywords_add(d, s, t);
	if (s->counted)
		text_printf(t, "; %zu operation%s", s->operations, s->operations == 1 ? "" : "s");
	text_add_char(t, '\n');
	if (!s->before || !s->after)
		return;
	site_renumbered_text(d, s, t);
	for (uint32_t i = s->first; i < s->first + s->lost + s->gained; i++) {
		if (lines_max && shown++ == lines_max) {
			text_printf(t, "  and %zu lines more\n", s->lost + s->gained - lines_max);
			return;
		}
		text_printf(t, "  %c %s\n", i < s->first + s->lost ? '-' : '+', d->lines[i]);
	}
}

static int operations_compare(const void *a, const void *b)
{
	const struct site_diff *const *x = a, *const *y = b;

	return (*x)->operations < (*y)->operations ? -1 : (*x)->operations > (*y)->operations;
}

/* Of the nodes that are counted, the fewest operations first. Bounded by what was compared. */
static const struct site_diff **operations_sorted(const struct diff *d, size_t *ret_count)
{
	const struct site_diff **sorted = calloc(d->site_count + 1, sizeof(*sorted));

	*ret_count = 0;
	for (size_t i = 0; sorted && i < d->site_count; i++)
		if (d->sites[i].counted)
			sorted[(*ret_count)++] = &d->sites[i];
	if (*ret_count)
		qsort(sorted, *ret_count, sizeof(*sorted), operations_compare);
	return sorted;
}

struct operations {
	size_t nodes, total, median, p90, most;
	const struct site_diff *busiest;
};

/* @return false when nothing was counted, or memory lacks. */
static bool operations_sum(const struct diff *d, struct operations *ret)
{
	size_t count;
	const struct site_diff **sorted = operations_sorted(d, &count);

	*ret = (struct operations){.nodes = count};
	for (size_t i = 0; i < count; i++)
		ret->total += sorted[i]->operations;
	if (count) {
		ret->median = sorted[(count - 1) / 2]->operations;
		ret->p90 = sorted[(count * 9 + 9) / 10 - 1]->operations;
		ret->busiest = sorted[count - 1];
		ret->most = ret->busiest->operations;
	}
	free(sorted);
	return count > 0;
}

static void operations_text(const struct diff *d, struct text *t)
{
	struct operations o;

	if (operations_sum(d, &o))
		text_printf(t,
			    "operations: %zu on %zu nodes; half of them need at most %zu, nine of "
			    "ten at most %zu, %s %zu\n",
			    o.total, o.nodes, o.median, o.p90, site_name(o.busiest), o.most);
}

static void flow_text(const struct diff *d, size_t index, struct text *t)
{
	char part[IPV4_PREFIX_STRLEN];
	struct diff_flow f;
	enum diff_change change = diff_flow(d, index, &f);

	text_printf(t, "  %-6s %s -> %s %s (color %u, protocol %u, ports %u-%u",
		    change_names[change], f.from_name, f.to_name, f.class_name, f.color, f.protocol,
		    f.port_first, f.port_last);
	if (f.has_dscp)
		text_printf(t, ", dscp %u", f.dscp);
	if (f.part.length)
		text_printf(t, ", to %s", ipv4_prefix_format(f.part, part));
	text_add(t, ")\n");
	if (change != DIFF_MOVED)
		return;
	text_add(t, "         - ");
	diff_flow_way(d, index, false, t);
	text_add(t, "\n         + ");
	diff_flow_way(d, index, true, t);
	text_add_char(t, '\n');
}

void diff_text(const struct diff *d, size_t lines_max, size_t flows_max, struct text *t)
{
	const struct diff_counts *c = &d->counts;

	text_printf(
	    t, "sites: %zu the same, %zu changed, %zu new, %zu gone; lines: %zu gone, %zu new\n",
	    c->sites_same, c->sites_changed, c->sites_gained, c->sites_lost, c->lines_lost,
	    c->lines_gained);
	if (d->side[0].flows)
		text_printf(t,
			    "connections: %zu the same, %zu gained, %zu lost, %zu go another way\n",
			    c->flows_same, c->flows[DIFF_GAINED], c->flows[DIFF_LOST],
			    c->flows[DIFF_MOVED]);
	operations_text(d, t);
	renumbered_text(c, t);
	for (size_t i = 0; i < d->site_count; i++)
		site_text(d, &d->sites[i], lines_max, t);
	if (d->flow_count)
		text_add(t, "\nconnections\n");
	for (size_t i = 0; i < d->flow_count; i++) {
		if (flows_max && i == flows_max) {
			text_printf(t, "  and %zu more\n", d->flow_count - flows_max);
			return;
		}
		flow_text(d, i, t);
	}
}

/* ---- JSON
 * ---------------------------------------------------------------------------------------- */

static void json_lines(const struct diff *d, uint32_t first, uint32_t count, struct text *t)
{
	text_add_char(t, '[');
	for (uint32_t i = first; i < first + count; i++) {
		text_add(t, i > first ? "," : "");
		text_add_json_string(t, d->lines[i]);
	}
	text_add_char(t, ']');
}

static void json_renumbered(const struct diff *d, const struct site_diff *s, struct text *t)
{
	const char *comma = "";

	text_add(t, ",\"renumbered\":[");
	for (size_t i = 0; s->before && s->after && i < s->after->path_count; i++) {
		const struct fwd_path *p = &s->after->paths[i];
		const struct fwd_path *was = path_renumbered(s->before, p);

		if (!was)
			continue;
		text_printf(t, "%s{\"path\":", comma);
		text_add_json_string(t, p->name);
		text_add(t, ",\"endpoint\":");
		text_add_json_string(t, endpoint_name(d, p));
		text_printf(t, ",\"color\":%u,\"before\":%u,\"after\":%u}", p->color, was->index,
			    p->index);
		comma = ",";
	}
	text_add_char(t, ']');
}

static void json_site(const struct diff *d, const struct site_diff *s, struct text *t)
{
	text_printf(t, "{\"id\":%u,\"name\":", s->id);
	text_add_json_string(t, site_name(s));
	text_printf(t, ",\"change\":\"%s\"", !s->before ? "new" : !s->after ? "gone" : "changed");
	if (s->counted)
		text_printf(t, ",\"operations\":%zu", s->operations);
	json_renumbered(d, s, t);
	text_add(t, ",\"lost\":");
	json_lines(d, s->first, s->lost, t);
	text_add(t, ",\"gained\":");
	json_lines(d, s->first + s->lost, s->gained, t);
	text_add_char(t, '}');
}

static void json_flow(const struct diff *d, size_t index, struct text *t)
{
	char part[IPV4_PREFIX_STRLEN];
	struct diff_flow f;
	enum diff_change change = diff_flow(d, index, &f);
	struct text way;

	text_printf(t, "{\"change\":\"%s\",\"from\":", change_names[change]);
	text_add_json_string(t, f.from_name);
	text_add(t, ",\"to\":");
	text_add_json_string(t, f.to_name);
	text_add(t, ",\"class\":");
	text_add_json_string(t, f.class_name);
	text_printf(t, ",\"color\":%u,\"protocol\":%u,\"ports\":[%u,%u]", f.color, f.protocol,
		    f.port_first, f.port_last);
	if (f.has_dscp)
		text_printf(t, ",\"dscp\":%u", f.dscp);
	if (f.part.length)
		text_printf(t, ",\"part\":\"%s\"", ipv4_prefix_format(f.part, part));
	text_init(&way);
	for (int after = 0; after < 2; after++) {
		text_reset(&way);
		diff_flow_way(d, index, after, &way);
		text_add(t, after ? ",\"after\":" : ",\"before\":");
		text_add_json_string(t, text_string(&way));
	}
	text_clear(&way);
	text_add_char(t, '}');
}

static void json_operations(const struct diff *d, struct text *t)
{
	struct operations o;

	if (operations_sum(d, &o))
		text_printf(t,
			    ",\"operations\":{\"nodes\":%zu,\"total\":%zu,\"median\":%zu,"
			    "\"p90\":%zu,\"most\":%zu}",
			    o.nodes, o.total, o.median, o.p90, o.most);
}

void diff_json(const struct diff *d, struct text *t)
{
	const struct diff_counts *c = &d->counts;

	text_printf(
	    t,
	    "{\"sites_same\":%zu,\"sites_changed\":%zu,\"sites_new\":%zu,\"sites_gone\":%zu,"
	    "\"lines_lost\":%zu,\"lines_gained\":%zu,\"paths_renumbered\":%zu,"
	    "\"sites_renumbered\":%zu,\"endpoints_renumbered\":%zu,\"sites\":[",
	    c->sites_same, c->sites_changed, c->sites_gained, c->sites_lost, c->lines_lost,
	    c->lines_gained, c->paths_renumbered, c->sites_renumbered, c->endpoints_renumbered);
	for (size_t i = 0; i < d->site_count; i++) {
		text_add(t, i ? "," : "");
		json_site(d, &d->sites[i], t);
	}
	text_add(t, "]");
	json_operations(d, t);
	if (d->side[0].flows) {
		text_printf(t,
			    ",\"flows_same\":%zu,\"flows_gained\":%zu,\"flows_lost\":%zu,"
			    "\"flows_moved\":%zu,\"flows\":[",
			    c->flows_same, c->flows[DIFF_GAINED], c->flows[DIFF_LOST],
			    c->flows[DIFF_MOVED]);
		for (size_t i = 0; i < d->flow_count; i++) {
			text_add(t, i ? "," : "");
			json_flow(d, i, t);
		}
		text_add(t, "]");
	}
	text_add(t, "}\n");
}
