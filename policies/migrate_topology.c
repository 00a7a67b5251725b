/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stage's topology as a source. Everything is written out flat: templates, plans and includes were resolved by the
 * checker. While the old country stands, what both have is the old one's, and the new one adds; at the end it is the new
 * one's, save for what a site keeps.
 */
#include <stdlib.h>
#include <string.h>

#include "migrate_plan_internal.h"
#include "tuyen/policies/names.h"
#include "tuyen/policies/print.h"

#define METRIC_MAX 65535 /* that a link may have */

static void write_words(struct text *t, char **words, const uint32_t *indexes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		text_add(t, i ? ", " : " ");
		print_name(words[indexes[i]], t);
	}
}

static void write_string(struct text *t, const char *string)
{
	text_add_char(t, '"');
	for (; *string; string++) {
		if (*string == '"' || *string == '\\')
			text_add_char(t, '\\');
		text_add_char(t, *string);
	}
	text_add_char(t, '"');
}

/* ---- tiers, settings, underlays ---------------------------------------------------------------- */

static bool tier_known(const struct network *n, const char *name)
{
	for (size_t i = 0; i < n->tier_count; i++)
		if (!strcmp(n->tiers[i], name))
			return true;
	return false;
}

static void write_tier(struct text *t, const char *name, bool *first)
{
	text_add(t, *first ? "tiers " : ", ");
	print_name(name, t);
	*first = false;
}

/* The old tiers; before each that both have, those that only the new country has there. */
static void write_tiers(const struct migrate_plan *p, enum migrate_stage stage, struct text *t)
{
	const struct network *old = plan_network(p, 0), *new = plan_network(p, 1);
	bool first = true;
	size_t k = 0;

	for (size_t i = 0; stage != MIGRATE_END && i < old->tier_count; i++) {
		if (tier_known(new, old->tiers[i])) {
			for (; strcmp(new->tiers[k], old->tiers[i]) != 0 && k + 1 < new->tier_count;
			     k++)
				if (!tier_known(old, new->tiers[k]))
					write_tier(t, new->tiers[k], &first);
			k += k + 1 < new->tier_count;
		}
		write_tier(t, old->tiers[i], &first);
	}
	for (; k < new->tier_count; k++)
		if (stage == MIGRATE_END || !tier_known(old, new->tiers[k]))
			write_tier(t, new->tiers[k], &first);
	text_add(t, ";\n\n");
}

static void write_network(const struct migrate_plan *p, struct text *t)
{
	const struct network *n = plan_network(p, 0), *new = plan_network(p, 1);
	char link[IPV4_PREFIX_STRLEN], path[IPV4_PREFIX_STRLEN];

	text_add(t, "network {\n");
	if (n->face_count || new->face_count) /* what nobody uses yet is the new one's to say */
		text_printf(t, "\tparallel space %s;\n",
			    ipv4_prefix_format((n->face_count ? n : new)->parallel_space, link));
	text_printf(t,
		    "\tlabels %u size %u;\n\tlink space %s;\n\tpath space %s;\n"
		    "\tlink port %u;\n\tsession port %u;\n}\n\n",
		    n->srgb.base, n->srgb.size, ipv4_prefix_format(n->link_space, link),
		    ipv4_prefix_format(n->path_space, path), n->link_port, n->session_port);
}

static void write_bandwidth(struct text *t, uint64_t bps)
{
	if (bps % 1000000 == 0)
		text_printf(t, "%lluMbit/s", (unsigned long long)(bps / 1000000));
	else
		text_printf(t, "%llukbit/s", (unsigned long long)(bps / 1000));
}

static void write_rate(struct text *t, struct line_rate rate)
{
	if (!rate.up_bps && !rate.down_bps)
		return;
	text_add(t, " rate up ");
	write_bandwidth(t, rate.up_bps);
	text_add(t, " down ");
	write_bandwidth(t, rate.down_bps);
}

static void write_marks(struct text *t, const struct underlay_class *u)
{
	static const char *const priorities[] = {"low", "normal", "high"};

	for (int i = 0; u->has_dscp && i < 3; i++)
		text_printf(t, "%s%s %u", i ? ", " : " dscp ", priorities[i], u->dscp[i]);
	text_add(t, u->has_dscp ? ";" : "");
}

static void write_underlay(struct text *t, const struct underlay_class *u)
{
	text_add(t, "underlay ");
	print_name(u->name, t);
	text_printf(t, " { probe %uus x %u; mtu %u; ", u->probe.interval_us, u->probe.multiplier,
		    u->mtu_bytes);
	if (u->delay_us)
		text_printf(t, "delay %uus; ", u->delay_us);
	text_printf(t, "metric %u;", u->metric);
	write_rate(t, u->rate);
	text_add(t, u->rate.up_bps || u->rate.down_bps ? ";" : "");
	write_marks(t, u);
	text_add(t, " }\n");
}

static const struct underlay_class *underlay_find(const struct network *n, const char *name)
{
	for (size_t i = 0; i < n->underlay_count; i++)
		if (!strcmp(n->underlays[i].name, name))
			return &n->underlays[i];
	return NULL;
}

static void write_underlays(const struct migrate_plan *p, enum migrate_stage stage, struct text *t)
{
	const struct network *old = plan_network(p, 0), *new = plan_network(p, 1);

	for (size_t i = 0; stage != MIGRATE_END && i < old->underlay_count; i++)
		write_underlay(t, &old->underlays[i]);
	for (size_t i = 0; i < new->underlay_count; i++)
		if (stage == MIGRATE_END || !underlay_find(old, new->underlays[i].name))
			write_underlay(t, &new->underlays[i]);
	text_add(t, "\n");
}

/* ---- sites ----------------------------------------------------------------------------------- */

static void write_address(struct text *t, const struct ip_endpoint *e)
{
	struct ip_endpoint bare = *e;
	char buffer[IP_ENDPOINT_STRLEN], *end;

	if (!e->family) {
		text_add(t, "dynamic");
		return;
	}
	bare.port = 1;
	ip_endpoint_format(&bare, buffer);
	end = strrchr(buffer, ':');
	*end = '\0';
	if (buffer[0] == '[') {
		end[-1] = '\0';
		text_add(t, buffer + 1);
	} else {
		text_add(t, buffer);
	}
	if (e->port)
		text_printf(t, " port %u", e->port);
}

static void write_uplink(struct text *t, const struct network *n, const struct site_uplink *u,
			 const struct ip_endpoint *endpoint)
{
	text_add(t, "\tuplink ");
	print_name(n->underlays[u->underlay].name, t);
	text_add_char(t, ' ');
	write_address(t, endpoint);
	if (u->allowance_bytes_day)
		text_printf(t, " metered %lluKB/day",
			    (unsigned long long)(u->allowance_bytes_day / 1000));
	write_rate(t, u->rate);
	if (u->risk_count) {
		text_add(t, " risk");
		write_words(t, n->risks, u->risks, u->risk_count);
	}
	text_add(t, ";\n");
}

/* The uplink of that underlay's name; NULL. */
static const struct site_uplink *uplink_find(const struct network *n, const struct site *s,
					     const char *underlay)
{
	for (size_t i = 0; s && i < s->uplink_count; i++)
		if (!strcmp(n->underlays[s->uplinks[i].underlay].name, underlay))
			return &s->uplinks[i];
	return NULL;
}

/* A carrier address that the old country knows stays. */
static void write_uplinks(const struct migrate_plan *p, enum migrate_stage stage,
			  const struct site *old, const struct site *new, struct text *t)
{
	const struct network *a = plan_network(p, 0), *b = plan_network(p, 1);

	for (size_t i = 0; stage != MIGRATE_END && old && i < old->uplink_count; i++)
		write_uplink(t, a, &old->uplinks[i], &old->uplinks[i].endpoint);
	for (size_t i = 0; new &&i < new->uplink_count; i++) {
		const struct site_uplink *u = &new->uplinks[i];
		const struct site_uplink *was = uplink_find(a, old, b->underlays[u->underlay].name);

		if (stage == MIGRATE_END || !was)
			write_uplink(t, b, u, was ? &was->endpoint : &u->endpoint);
	}
}

static void write_device(struct text *t, const struct network *n, const struct site *s,
			 const struct site_device *d)
{
	char address[IPV4_STRLEN];

	text_add(t, "\tdevice ");
	print_name(d->name, t);
	text_printf(t, " %s { snmp user ", ipv4_format(d->address, address));
	print_name(d->user ? d->user : "", t);
	text_printf(t, " port %u; ", d->port);
	if (d->interface) {
		text_add(t, "interface ");
		write_string(t, d->interface);
		text_add(t, "; ");
	}
	if (d->uplink != NETWORK_NONE) {
		text_add(t, "carries ");
		print_name(n->underlays[s->uplinks[d->uplink].underlay].name, t);
		text_add(t, "; ");
	}
	text_add(t, "}\n");
}

static void write_role(const struct migrate_plan *p, enum migrate_stage stage, const char *word,
		       uint32_t site, struct text *t)
{
	if (site == NETWORK_NONE)
		return;
	text_printf(t, " %s ", word);
	print_name(plan_site_name(p, &p->sites[site], stage), t);
}

/* A moving site has its new parent as a backup first, and its old one last. */
static void write_roles(const struct migrate_plan *p, enum migrate_stage stage,
			const struct plan_site *s, struct text *t)
{
	uint32_t parent = s->parent[0], backup = s->backup[0];

	if (stage == MIGRATE_END) {
		parent = s->parent[1];
		backup = s->backup[1];
	} else if (s->moving && stage != MIGRATE_JOIN) {
		parent = s->parent[stage != MIGRATE_MAKE];
		backup = s->parent[stage == MIGRATE_MAKE];
	}
	write_role(p, stage, "under", parent, t);
	write_role(p, stage, "backup", backup, t);
}

static void write_tags(const struct migrate_plan *p, enum migrate_stage stage,
		       const struct plan_site *s, const struct network *n, const struct site *from,
		       struct text *t)
{
	bool moving = s->moving && plan_stage_moves(stage);

	if (!from->tag_count && !moving)
		return;
	text_add(t, "\ttag");
	write_words(t, n->tags, from->tags, from->tag_count);
	if (moving) {
		text_add(t, from->tag_count ? ", " : " ");
		print_name(p->tag, t);
	}
	text_add(t, ";\n");
}

static void write_site(const struct migrate_plan *p, enum migrate_stage stage,
		       const struct plan_site *s, struct text *t)
{
	const struct site *old = s->old == NETWORK_NONE ? NULL : &plan_network(p, 0)->sites[s->old];
	const struct site *new = s->new == NETWORK_NONE ? NULL : &plan_network(p, 1)->sites[s->new];
	bool of_new = stage == MIGRATE_END || !old;
	const struct network *n = plan_network(p, of_new);
	const struct site *from = of_new ? new : old;
	char lan[IPV4_PREFIX_STRLEN], own[IPV4_STRLEN];

	text_add(t, "site ");
	print_name(plan_site_name(p, s, stage), t);
	text_add(t, " tier ");
	print_name(n->tiers[from->tier], t);
	text_printf(t, " id %u", s->id);
	write_roles(p, stage, s, t);
	text_add(t, " {\n");
	write_uplinks(p, stage, old, new, t);
	for (size_t i = 0; i < s->lan_count; i++) {
		text_printf(t, "\tlan %s", ipv4_prefix_format(s->lans[i], lan));
		if (s->lan_own[i])
			text_printf(t, " shared %s", ipv4_format(s->lan_own[i], own));
		text_add(t, ";\n");
	}
	write_tags(p, stage, s, n, from, t);
	for (size_t i = 0; i < from->device_count; i++)
		write_device(t, n, from, &from->devices[i]);
	text_add(t, "}\n\n");
}

static void write_keys(const struct migrate_plan *p, enum migrate_stage stage,
		       const struct plan_site *s, struct text *t)
{
	const struct site *from =
	    s->old == NETWORK_NONE ? NULL : &plan_network(p, 0)->sites[s->old];
	char link[WG_KEY_STRLEN], session[WG_KEY_STRLEN];

	if ((!from || !from->has_keys) && s->new != NETWORK_NONE)
		from = &plan_network(p, 1)->sites[s->new];
	if (!from || !from->has_keys)
		return;
	text_add(t, "keys ");
	print_name(plan_site_name(p, s, stage), t);
	text_printf(t, " { link \"%s\"; session \"%s\"; }\n", wg_key_format(from->link_key, link),
		    wg_key_format(from->session_key, session));
}

static const char *const headings[MIGRATE_STAGES] = {
    [MIGRATE_JOIN] = "sites and links of both countries; the new links are prepared, and not used",
    [MIGRATE_MAKE] = "the new links are used, freshly; who will move has a path to the new parent",
    [MIGRATE_MOVE] = "who moves has the new parent, and a path over the old one",
    [MIGRATE_LEAVE] = "the links to the old parents are prepared, and not used",
    [MIGRATE_END] = "the new country alone",
};

void plan_topology(const struct migrate_plan *p, enum migrate_stage stage, struct text *t)
{
	text_printf(t, "# Stage %d of %d, %s: %s.\n# Written by `tuyen migrate`.\n\n",
		    migrate_plan_number(p, stage), migrate_plan_number(p, MIGRATE_END),
		    migrate_stage_name(stage), headings[stage]);
	write_tiers(p, stage, t);
	write_network(p, t);
	write_underlays(p, stage, t);
	for (size_t i = 0; i < p->count; i++)
		if (plan_site_stands(&p->sites[i], stage))
			write_site(p, stage, &p->sites[i], t);
	for (size_t i = 0; i < p->count; i++)
		if (plan_site_stands(&p->sites[i], stage))
			write_keys(p, stage, &p->sites[i], t);
}

/* ---- links ------------------------------------------------------------------------------------- */

/* A link by its ends' places in the plan, the caller first. */
struct wanted {
	uint32_t a, b;
	bool parallel;
	const struct network *n;
	const struct link *link;
};

static uint64_t pair_of(uint32_t a, uint32_t b)
{
	return a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
}

static int wanted_compare(const void *x, const void *y)
{
	const struct wanted *v = x, *w = y;
	uint64_t a = pair_of(v->a, v->b), b = pair_of(w->a, w->b);

	return a != b ? (a < b ? -1 : 1) : v->parallel - w->parallel;
}

static const struct wanted *wanted_find(const struct wanted *list, size_t count, uint32_t a,
					uint32_t b, bool parallel)
{
	struct wanted key = {.a = a, .b = b, .parallel = parallel};

	return count ? bsearch(&key, list, count, sizeof(key), wanted_compare) : NULL;
}

static size_t wanted_of(const struct network *n, const uint32_t *site_of, struct wanted *list)
{
	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];

		list[i] = (struct wanted){site_of ? site_of[l->a] : l->a,
					  site_of ? site_of[l->b] : l->b, l->parallel, n, l};
	}
	if (n->link_count)
		qsort(list, n->link_count, sizeof(*list), wanted_compare);
	return n->link_count;
}

static const char *link_underlay(const struct network *n, uint32_t site, uint32_t uplink)
{
	return n->underlays[n->sites[site].uplinks[uplink].underlay].name;
}

static bool risks_same(const struct wanted *v, const struct wanted *w)
{
	if (v->link->risk_count != w->link->risk_count)
		return false;
	for (size_t i = 0; i < v->link->risk_count; i++) {
		bool found = false;

		for (size_t k = 0; k < w->link->risk_count; k++)
			found |=
			    !strcmp(v->n->risks[v->link->risks[i]], w->n->risks[w->link->risks[k]]);
		if (!found)
			return false;
	}
	return true;
}

static bool links_same(const struct wanted *v, const struct wanted *w)
{
	const struct link *l = v->link, *m = w->link;

	return v->a == w->a && v->b == w->b && l->prepared == m->prepared && l->fresh == m->fresh &&
	       l->metric == m->metric && l->delay_us == m->delay_us &&
	       l->probe.interval_us == m->probe.interval_us &&
	       l->probe.multiplier == m->probe.multiplier && l->mtu_bytes == m->mtu_bytes &&
	       !strcmp(link_underlay(v->n, l->a, l->uplink_a),
		       link_underlay(w->n, m->a, m->uplink_a)) &&
	       !strcmp(link_underlay(v->n, l->b, l->uplink_b),
		       link_underlay(w->n, m->b, m->uplink_b)) &&
	       risks_same(v, w);
}

/* Lists of the old country's links, the new one's, and those made so far: by places in the plan. */
struct link_lists {
	struct wanted *list[3];
	size_t count[3];
};

/* Does a new link come between old sites? */
static bool link_comes(const struct migrate_plan *p, const struct wanted *w)
{
	return w->n == plan_network(p, 1) && p->sites[w->a].old != NETWORK_NONE &&
	       p->sites[w->b].old != NETWORK_NONE;
}

/* Does the link lead a moving site to its old parent? */
static bool link_is_left(const struct migrate_plan *p, const struct wanted *w)
{
	const struct plan_site *a = &p->sites[w->a], *b = &p->sites[w->b];

	return (a->moving && a->parent[0] == w->b) || (b->moving && b->parent[0] == w->a);
}

/*
 * A new link between old sites is not used before all nodes know of it, and then nodes still accept what came without
 * it. One that is left goes the same way backwards: first nodes accept what will come without it, then it is not used.
 */
static const char *link_state(const struct migrate_plan *p, enum migrate_stage stage,
			      const struct wanted *w)
{
	bool comes = link_comes(p, w), left = p->care != MIGRATE_CARE_NONE && link_is_left(p, w);

	if (w->link->prepared || (comes && stage == MIGRATE_JOIN) ||
	    (left && stage == MIGRATE_LEAVE))
		return "prepared; ";
	return w->link->fresh || (comes && stage == MIGRATE_MAKE) || (left && stage == MIGRATE_MOVE)
		   ? "fresh; "
		   : "";
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * The way to moving @site by its old parent stays the shortest as long as that link is in use: the new one, and with it
 * all others, a little longer, or the old one a little shorter. Either may make the labels of others change, of sites
 * that are not far from equally near by two ways.
 */
static uint32_t link_metric_of(const struct migrate_plan *p, const struct link_lists *l,
			       uint32_t metric, uint32_t site, uint32_t other)
{
	const struct plan_site *s = &p->sites[site];
	uint32_t to_old, to_new;

	if (!s->moving)
		return metric;
	to_old = wanted_find(l->list[0], l->count[0], site, s->parent[0], false)->link->metric;
	to_new = wanted_find(l->list[1], l->count[1], site, s->parent[1], false)->link->metric;
	if (p->care == MIGRATE_CARE_NEARER) {
		if (other == s->parent[1])
			return to_new;
		return other != s->parent[0] || to_old < to_new || to_new == 1 ? metric
									       : to_new - 1;
	}
	if (other == s->parent[1])
		return larger(metric, to_old + 1);
	return other != s->parent[0] && (other == s->backup[0] || other == s->backup[1])
		   ? larger(metric, larger(to_old + 1, to_new) + 1)
		   : metric;
}

static uint32_t link_metric(const struct migrate_plan *p, enum migrate_stage stage,
			    const struct link_lists *l, const struct wanted *w)
{
	uint32_t metric = w->link->metric;

	if (p->care == MIGRATE_CARE_NONE || stage == MIGRATE_END || w->parallel)
		return metric; /* a parallel link leads to a label of its own */
	metric = link_metric_of(p, l, metric, w->a, w->b);
	metric = link_metric_of(p, l, metric, w->b, w->a);
	return metric < METRIC_MAX ? metric : METRIC_MAX;
}

static void write_link(const struct migrate_plan *p, enum migrate_stage stage,
		       const struct link_lists *lists, const struct wanted *w, struct text *t)
{
	const struct link *l = w->link;

	text_add(t, "link ");
	print_name(plan_site_name(p, &p->sites[w->a], stage), t);
	text_add_char(t, ' ');
	print_name(plan_site_name(p, &p->sites[w->b], stage), t);
	text_add(t, network_link_suffix(l));
	text_add(t, " { over ");
	print_name(link_underlay(w->n, l->a, l->uplink_a), t);
	text_add(t, ", ");
	print_name(link_underlay(w->n, l->b, l->uplink_b), t);
	text_printf(t, "; metric %u; probe %uus x %u; mtu %u; ", link_metric(p, stage, lists, w),
		    l->probe.interval_us, l->probe.multiplier, l->mtu_bytes);
	if (l->delay_us)
		text_printf(t, "delay %uus; ", l->delay_us);
	if (l->risk_count) {
		text_add(t, "risk");
		write_words(t, w->n->risks, l->risks, l->risk_count);
		text_add(t, "; ");
	}
	text_add(t, link_state(p, stage, w));
	text_add(t, "}\n");
}

static void write_lacking(const struct migrate_plan *p, enum migrate_stage stage,
			  const struct link_lists *l, struct text *t)
{
	for (int side = stage == MIGRATE_END; side < 2; side++)
		for (size_t i = 0; i < l->count[side]; i++) {
			const struct wanted *w = &l->list[side][i];
			const struct wanted *made =
			    wanted_find(l->list[2], l->count[2], w->a, w->b, w->parallel);

			if (side && stage != MIGRATE_END &&
			    wanted_find(l->list[0], l->count[0], w->a, w->b, w->parallel))
				continue;
			if (!made || !links_same(made, w) || *link_state(p, stage, w) ||
			    link_metric(p, stage, l, w) != w->link->metric)
				write_link(p, stage, l, w, t);
		}
}

static int made_sites(const struct migrate_plan *p, enum migrate_stage stage,
		      const struct network *made, uint32_t *site_of)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->count && at < made->site_count; i++)
		if (plan_site_stands(&p->sites[i], stage))
			site_of[at++] = i;
	return at == made->site_count ? 0 : -TUYEN_EINVAL;
}

int plan_links(const struct migrate_plan *p, enum migrate_stage stage, const struct network *made,
	       struct text *t)
{
	const struct network *of[3] = {plan_network(p, 0), plan_network(p, 1), made};
	uint32_t *site_of = calloc(made->site_count + 1, sizeof(*site_of));
	struct link_lists l = {0};
	int err = site_of ? made_sites(p, stage, made, site_of) : -TUYEN_ENOMEM;

	for (int i = 0; i < 3 && !err; i++) {
		l.list[i] = calloc(of[i]->link_count + 1, sizeof(*l.list[i]));
		if (!l.list[i])
			err = -TUYEN_ENOMEM;
		else
			l.count[i] = wanted_of(of[i], i == 2 ? site_of : p->site_of[i], l.list[i]);
	}
	text_add(t, "\n");
	if (!err)
		write_lacking(p, stage, &l, t);
	for (int i = 0; i < 3; i++)
		free(l.list[i]);
	free(site_of);
	return err ? err : t->failed ? -TUYEN_ENOMEM : 0;
}
