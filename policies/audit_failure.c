/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every single failure, by an index from each link and each site to the paths that need it. A
 * failure takes just those paths away, but for those that were walked around it; a session that had
 * one of them goes on by the best that is left, for labels are static and sites choose alone. So a failure costs what it hits, and all of
 * them together cost the lengths of all paths.
 */
#include "audit_internal.h"

#include <string.h>

/* Lists by key, one after the other. */
struct lists {
	uint32_t *first; /* keys + 1 */
	uint32_t *value;
};

struct storm {
	struct audit *a;
	struct lists by_link, by_node, by_endpoint;
	uint32_t *path_hit, *session_hit, *head_hit; /* the last failure, from 1, that did */
	uint32_t *session_now; /* its path after the failure, or NETWORK_NONE */
	struct numbers sessions, heads;
	uint32_t number, repaired;
	audit_visit *visit;
	void *context;
};

static void lists_clear(struct lists *l)
{
	free(l->first);
	free(l->value);
}

typedef void each_key(const struct audit *a,
		      void (*put)(struct lists *l, uint32_t key, uint32_t value), struct lists *l);

static void put_count(struct lists *l, uint32_t key, uint32_t value)
{
	(void)value;
	l->first[key + 1]++;
}

static void put_value(struct lists *l, uint32_t key, uint32_t value)
{
	l->value[l->first[key + 1]++] = value;
}

/* Counts, makes room, fills: the ends of the lists become their firsts, shifted by one key. */
static bool lists_build(const struct audit *a, struct lists *l, size_t keys, each_key *each)
{
	uint32_t total = 0;

	l->first = calloc(keys + 2, sizeof(*l->first));
	if (!l->first)
		return false;
	each(a, put_count, l);
	for (size_t k = 0; k <= keys; k++) {
		uint32_t count = l->first[k + 1];

		l->first[k + 1] = total;
		total += count;
	}
	l->value = calloc((size_t)total + 1, sizeof(*l->value));
	if (!l->value)
		return false;
	each(a, put_value, l);
	return true;
}

static void each_link(const struct audit *a, void (*put)(struct lists *, uint32_t, uint32_t),
		      struct lists *l)
{
	for (uint32_t p = 0; p < a->path_count; p++)
		for (uint32_t i = 0; i < a->paths[p].way_count; i++)
			put(l, a->ways.value[a->paths[p].way + i], p);
}

static void each_node(const struct audit *a, void (*put)(struct lists *, uint32_t, uint32_t),
		      struct lists *l)
{
	for (uint32_t p = 0; p < a->path_count; p++)
		for (uint32_t i = 0; i < a->paths[p].node_count; i++)
			put(l, a->nodes.value[a->paths[p].nodes + i], p);
}

static void each_endpoint(const struct audit *a, void (*put)(struct lists *, uint32_t, uint32_t),
			  struct lists *l)
{
	for (uint32_t p = 0; p < a->path_count; p++)
		put(l, a->sessions[a->paths[p].session].endpoint, p);
}

static bool storm_init(struct storm *s, struct audit *a)
{
	const struct network *n = a->network;

	s->a = a;
	s->path_hit = calloc(a->path_count + 1, sizeof(uint32_t));
	s->session_hit = calloc(a->session_count + 1, sizeof(uint32_t));
	s->session_now = calloc(a->session_count + 1, sizeof(uint32_t));
	s->head_hit = calloc(n->site_count + 1, sizeof(uint32_t));
	return s->path_hit && s->session_hit && s->session_now && s->head_hit &&
	       lists_build(a, &s->by_link, n->link_count, each_link) &&
	       lists_build(a, &s->by_node, n->site_count, each_node) &&
	       lists_build(a, &s->by_endpoint, n->site_count, each_endpoint);
}

static void storm_clear(struct storm *s)
{
	lists_clear(&s->by_link);
	lists_clear(&s->by_node);
	lists_clear(&s->by_endpoint);
	free(s->path_hit);
	free(s->session_hit);
	free(s->session_now);
	free(s->head_hit);
	free(s->sessions.value);
	free(s->heads.value);
}

/* ---- one failure ------------------------------------------------------------------------------
 */

/* Alone of its kind that fails: the nodes beside it may lead around it. */
enum alone { NOT_ALONE, LINK_ALONE, SITE_ALONE };

static bool path_repaired(const struct audit *a, const struct audit_path *p, enum alone alone,
			  uint32_t key)
{
	const uint32_t *list = a->repaired.value + p->repaired;
	uint32_t count = alone == LINK_ALONE ? p->repaired_link_count : p->repaired_node_count;

	if (alone == NOT_ALONE)
		return false;
	if (alone == SITE_ALONE)
		list += p->repaired_link_count;
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == key)
			return true;
	return false;
}

static void paths_take(struct storm *s, const struct lists *l, uint32_t key, enum alone alone)
{
	for (uint32_t i = l->first[key]; i < l->first[key + 1]; i++) {
		uint32_t path = l->value[i], session = s->a->paths[path].session;

		if (path_repaired(s->a, &s->a->paths[path], alone, key)) {
			s->repaired += s->a->sessions[session].path == path;
			continue;
		}
		s->path_hit[path] = s->number;
		if (s->session_hit[session] == s->number)
			continue;
		s->session_hit[session] = s->number;
		numbers_add(s->a, &s->sessions, session);
	}
}

/* The best path that is left. */
static uint32_t session_choose(const struct storm *s, const struct audit_session *e)
{
	for (uint32_t p = e->path; p < e->path + e->path_count; p++)
		if (s->path_hit[p] != s->number)
			return p;
	return NETWORK_NONE;
}

static void sessions_choose(struct storm *s, struct audit_failure *f, uint32_t self)
{
	struct audit *a = s->a;

	for (size_t i = 0; i < s->sessions.count; i++) {
		uint32_t session = s->sessions.value[i];
		const struct audit_session *e = &a->sessions[session];

		s->session_now[session] = session_choose(s, e);
		if (e->head == self || !e->path_count || s->session_now[session] == e->path)
			continue;
		f->sessions_hit++;
		if (s->session_now[session] == NETWORK_NONE)
			f->sessions_lost++;
		else
			f->sessions_moved++;
		if (s->head_hit[e->head] != s->number) {
			s->head_hit[e->head] = s->number;
			numbers_add(a, &s->heads, e->head);
		}
		if (s->visit)
			s->visit(s->context, f, e, e->path, s->session_now[session]);
	}
}

enum fate { FATE_MOVED, FATE_PARTLY, FATE_CUT };

static bool session_is_lost(const struct storm *s, uint32_t session)
{
	return s->a->sessions[session].path_count > 0 && s->session_hit[session] == s->number &&
	       s->session_now[session] == NETWORK_NONE;
}

/* Does another gateway of the same LAN take over from session @lost's? Those of the color lie from
 * @first to @end. */
static bool session_is_relieved(const struct storm *s, uint32_t lost, uint32_t first, uint32_t end)
{
	const struct audit *a = s->a;

	for (uint32_t i = first; i < end && a->sessions[i].color == a->sessions[lost].color; i++)
		if (i != lost && a->sessions[i].path_count && !session_is_lost(s, i) &&
		    network_shares_lan(a->network, a->sessions[i].endpoint,
				       a->sessions[lost].endpoint))
			return true;
	return false;
}

/* Sessions of a head-end lie by color: a policy is lost when all of its are. */
static enum fate head_fate(const struct storm *s, uint32_t head)
{
	const struct audit *a = s->a;
	uint32_t site = audit_site_by_id(a, a->network->sites[head].id);
	uint32_t i = a->session_first[site], end = a->session_first[site + 1];
	enum fate fate = FATE_MOVED;

	while (i < end) {
		uint32_t color = a->sessions[i].color, first = i;
		size_t had = 0, lost = 0;

		for (; i < end && a->sessions[i].color == color; i++) {
			had += a->sessions[i].path_count > 0;
			lost += session_is_lost(s, i) && !session_is_relieved(s, i, first, end);
		}
		if (lost && lost == had)
			return FATE_CUT;
		if (lost)
			fate = FATE_PARTLY;
	}
	return fate;
}

static void heads_count(struct storm *s, struct audit_failure *f)
{
	struct audit *a = s->a;

	f->cut_first = (uint32_t)a->cut.count;
	for (size_t i = 0; i < s->heads.count; i++) {
		uint32_t head = s->heads.value[i], tier = a->network->sites[head].tier;

		switch (head_fate(s, head)) {
		case FATE_MOVED:
			f->sites_moved++;
			break;
		case FATE_PARTLY:
			f->sites_partly++;
			break;
		case FATE_CUT:
			f->sites_cut++;
			f->cut_by_tier[tier < AUDIT_TIERS_MAX ? tier : AUDIT_TIERS_MAX - 1]++;
			numbers_add(a, &a->cut, head);
			break;
		}
	}
}

static struct audit_failure *failure_new(struct audit *a)
{
	if (a->failure_count == a->failure_room) {
		size_t room = a->failure_room ? 2 * a->failure_room : 1024;
		struct audit_failure *larger = realloc(a->failures, room * sizeof(*larger));

		if (!larger) {
			a->failed = true;
			return NULL;
		}
		a->failures = larger;
		a->failure_room = room;
	}
	return &a->failures[a->failure_count++];
}

static bool failure_begin(struct storm *s, enum audit_failure_kind kind, uint32_t subject,
			  uint32_t uplink, struct audit_failure **ret)
{
	*ret = failure_new(s->a);
	if (!*ret)
		return false;
	**ret = (struct audit_failure){.kind = kind, .subject = subject, .uplink = uplink};
	s->number++;
	s->sessions.count = s->heads.count = 0;
	s->repaired = 0;
	return true;
}

static void failure_end(struct storm *s, struct audit_failure *f, uint32_t self)
{
	f->sessions_repaired = s->repaired;
	sessions_choose(s, f, self);
	heads_count(s, f);
}

static void link_fails(struct storm *s, uint32_t link)
{
	struct audit_failure *f;

	if (!failure_begin(s, AUDIT_FAIL_LINK, link, 0, &f))
		return;
	paths_take(s, &s->by_link, link, LINK_ALONE);
	failure_end(s, f, NETWORK_NONE);
}

static void site_fails(struct storm *s, uint32_t site)
{
	struct audit_failure *f;

	if (!failure_begin(s, AUDIT_FAIL_SITE, site, 0, &f))
		return;
	paths_take(s, &s->by_node, site, SITE_ALONE);
	paths_take(s, &s->by_endpoint, site, NOT_ALONE);
	failure_end(s, f, site);
}

static uint32_t uplink_of(const struct link *l, uint32_t site)
{
	return l->a == site ? l->uplink_a : l->uplink_b;
}

static uint32_t links_over(const struct audit *a, uint32_t site, uint32_t uplink)
{
	uint32_t count = 0;

	for (uint32_t i = a->link_first[site]; i < a->link_first[site + 1]; i++)
		count += uplink_of(&a->network->links[a->link_near[i]], site) == uplink;
	return count;
}

static void uplink_fails(struct storm *s, uint32_t site, uint32_t uplink)
{
	const struct audit *a = s->a;
	struct audit_failure *f;

	if (!failure_begin(s, AUDIT_FAIL_UPLINK, site, uplink, &f))
		return;
	for (uint32_t i = a->link_first[site]; i < a->link_first[site + 1]; i++)
		if (uplink_of(&a->network->links[a->link_near[i]], site) == uplink)
			paths_take(s, &s->by_link, a->link_near[i], NOT_ALONE);
	failure_end(s, f, NETWORK_NONE);
}

static size_t links_with_risk(const struct network *n, uint32_t risk, uint32_t *links)
{
	size_t count = 0;

	for (uint32_t i = 0; i < n->link_count; i++)
		for (size_t k = 0; k < n->links[i].risk_count; k++)
			if (n->links[i].risks[k] == risk)
				links[count++] = i;
	return count;
}

static void risk_strikes(struct storm *s, uint32_t risk, uint32_t *links)
{
	size_t count = links_with_risk(s->a->network, risk, links);
	struct audit_failure *f;

	if (count < 2 || !failure_begin(s, AUDIT_FAIL_RISK, risk, 0, &f))
		return;
	for (size_t i = 0; i < count; i++)
		paths_take(s, &s->by_link, links[i], NOT_ALONE);
	failure_end(s, f, NETWORK_NONE);
}

static void risks_strike(struct storm *s)
{
	const struct network *n = s->a->network;
	uint32_t *links = calloc(n->link_count + 1, sizeof(*links));

	s->a->failed |= !links;
	for (uint32_t i = 0; links && i < n->risk_count; i++)
		risk_strikes(s, i, links);
	free(links);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int failure_compare(const void *x, const void *y)
{
	const struct audit_failure *p = x, *q = y;

	if (p->sites_cut != q->sites_cut)
		return p->sites_cut > q->sites_cut ? -1 : 1;
	if (p->sites_partly != q->sites_partly)
		return p->sites_partly > q->sites_partly ? -1 : 1;
	if (p->sites_moved != q->sites_moved)
		return p->sites_moved > q->sites_moved ? -1 : 1;
	if (p->kind != q->kind)
		return p->kind < q->kind ? -1 : 1;
	if (p->subject != q->subject)
		return p->subject < q->subject ? -1 : 1;
	return p->uplink < q->uplink ? -1 : p->uplink > q->uplink;
}

static void storm_run(struct storm *s, audit_progress *progress)
{
	const struct network *n = s->a->network;
	size_t total = n->link_count + 2 * n->site_count, done = 0;

	for (uint32_t i = 0; i < n->link_count; i++, done++) {
		if (progress && done % 256 == 0)
			progress(s->context, done, total);
		link_fails(s, i);
	}
	for (uint32_t i = 0; i < n->site_count; i++, done += 2) {
		if (progress && done % 256 < 2)
			progress(s->context, done, total);
		site_fails(s, i);
		for (uint32_t u = 0; u < n->sites[i].uplink_count; u++)
			if (links_over(s->a, i, u) > 1)
				uplink_fails(s, i, u);
	}
	risks_strike(s);
	if (progress)
		progress(s->context, total, total);
}

int audit_failures(struct audit *a, audit_progress *progress, audit_visit *visit, void *context)
{
	struct storm s = {.visit = visit, .context = context};

	if (!storm_init(&s, a))
		a->failed = true;
	else
		storm_run(&s, progress);
	storm_clear(&s);
	if (a->failure_count > 1)
		qsort(a->failures, a->failure_count, sizeof(*a->failures), failure_compare);
	return a->failed ? -TUYEN_ENOMEM : 0;
}

size_t audit_failure_count(const struct audit *a)
{
	return a->failure_count;
}

const struct audit_failure *audit_failure(const struct audit *a, size_t index)
{
	return &a->failures[index];
}

const uint32_t *audit_failure_cut(const struct audit *a, const struct audit_failure *f)
{
	return a->cut.value + f->cut_first;
}

void audit_failure_name(const struct audit *a, const struct audit_failure *f, struct text *t)
{
	const struct network *n = a->network;

	switch (f->kind) {
	case AUDIT_FAIL_LINK:
		text_printf(t, "link %s %s%s", n->sites[n->links[f->subject].a].name,
			    n->sites[n->links[f->subject].b].name,
			    network_link_suffix(&n->links[f->subject]));
		return;
	case AUDIT_FAIL_SITE:
		text_printf(t, "site %s", n->sites[f->subject].name);
		return;
	case AUDIT_FAIL_UPLINK:
		text_printf(t, "uplink %s %s", n->sites[f->subject].name,
			    n->underlays[n->sites[f->subject].uplinks[f->uplink].underlay].name);
		return;
	case AUDIT_FAIL_RISK:
		text_printf(t, "risk %s", n->risks[f->subject]);
		return;
	}
}

struct audit_failure_sum audit_failure_sum(const struct audit *a, enum audit_failure_kind kind)
{
	struct audit_failure_sum sum = {0};

	for (size_t i = 0; i < a->failure_count; i++) {
		const struct audit_failure *f = &a->failures[i];

		if (f->kind != kind)
			continue;
		sum.tried++;
		sum.harmless += !f->sessions_hit && !f->sessions_repaired;
		sum.repaired += !f->sessions_hit && f->sessions_repaired;
		sum.absorbed += f->sessions_hit && !f->sites_cut;
		sum.cutting += f->sites_cut != 0;
		sum.sites_cut_sum += f->sites_cut;
		if (f->sites_cut > sum.worst)
			sum.worst = f->sites_cut;
	}
	return sum;
}
