/* SPDX-License-Identifier: Apache-2.0 */
/* What the audit says: for people, and as JSON. */
#include "audit_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_SHOWN 20
#define NAMES_SHOWN  4

void audit_number(struct text *t, size_t number)
{
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%zu", number);

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text_add_char(t, ',');
		text_add_char(t, digits[i]);
	}
}

bool audit_finding_line(const struct audit *a, const struct audit_finding *f, struct text *ret_line)
{
	uint32_t site = f->site_id ? audit_site_by_id(a, f->site_id) : NETWORK_NONE;
	const char *at, *end;
	struct text bundle;

	if (!f->line || site == NETWORK_NONE)
		return false;
	text_init(&bundle);
	forwarding_encode(&a->sites[site], &bundle);
	at = text_string(&bundle);
	for (uint32_t i = 1; i < f->line && at; i++) {
		at = strchr(at, '\n');
		at += at != NULL;
	}
	end = at ? strchr(at, '\n') : NULL;
	if (end)
		text_add_bytes(ret_line, at, (size_t)(end - at));
	text_clear(&bundle);
	return end != NULL;
}

void audit_tiers(const struct audit *a, const struct audit_failure *f, struct text *t)
{
	const struct network *n = a->network;
	bool any = false;

	for (size_t i = 0; i < n->tier_count && i < AUDIT_TIERS_MAX; i++) {
		if (!f->cut_by_tier[i])
			continue;
		if (any)
			text_add(t, ", ");
		audit_number(t, f->cut_by_tier[i]);
		text_printf(t, " %s", n->tiers[i]);
		any = true;
	}
}

const char *audit_failure_kind_name(enum audit_failure_kind kind)
{
	switch (kind) {
	case AUDIT_FAIL_LINK:
		return "link";
	case AUDIT_FAIL_SITE:
		return "site";
	case AUDIT_FAIL_UPLINK:
		return "uplink";
	case AUDIT_FAIL_RISK:
		return "risk";
	}
	return "";
}

/* ---- who reaches whom, put together --------------------------------------------------------- */

/* Groups by policy, class, tier, tier; a policy's classes start at @first[policy]. */
struct grouping {
	const struct audit *a;
	size_t *first;
	struct audit_group *all;
	size_t tiers;
};

static void group_session(struct grouping *g, const struct audit_session *s, bool back)
{
	const struct network *n = g->a->network;
	uint32_t from = back ? s->endpoint : s->head, to = back ? s->head : s->endpoint;
	uint64_t intent = audit_intent(g->a, s->policy, from, to);
	uint64_t open = s->lawful && s->path_count ? (back ? s->opens_back : s->opens) : 0;

	for (; intent; intent &= intent - 1) {
		uint32_t bit = (uint32_t)__builtin_ctzll(intent);
		size_t at = (g->first[s->policy] + bit) * g->tiers * g->tiers +
			    n->sites[from].tier * g->tiers + n->sites[to].tier;

		g->all[at].policy = s->policy;
		g->all[at].bit = bit;
		g->all[at].from_tier = n->sites[from].tier;
		g->all[at].to_tier = n->sites[to].tier;
		g->all[at].pairs++;
		g->all[at].open += open >> bit & 1;
		g->all[at].with_spare += (open >> bit & 1) && s->path_count > 1;
	}
}

int audit_groups(const struct audit *a, struct audit_group **ret_groups, size_t *ret_count)
{
	const struct network *n = a->network;
	struct grouping g = {.a = a, .tiers = n->tier_count};
	size_t classes = 0, kept = 0, total;

	g.first = calloc(n->policy_count + 1, sizeof(*g.first));
	for (size_t i = 0; g.first && i < n->policy_count; i++) {
		g.first[i] = classes;
		classes += n->policies[i].class_count;
	}
	total = classes * g.tiers * g.tiers;
	g.all = calloc(total + 1, sizeof(*g.all));
	if (!g.first || !g.all) {
		free(g.first);
		free(g.all);
		return -TUYEN_ENOMEM;
	}
	for (size_t i = 0; i < a->session_count; i++) {
		group_session(&g, &a->sessions[i], false);
		group_session(&g, &a->sessions[i], true);
	}
	for (size_t i = 0; i < total; i++)
		if (g.all[i].pairs)
			g.all[kept++] = g.all[i];
	free(g.first);
	*ret_groups = g.all;
	*ret_count = kept;
	return 0;
}

/* ---- for people --------------------------------------------------------------------------- */

static void of(struct text *t, const char *what, size_t done, size_t total)
{
	text_printf(t, "  %-13s ", what);
	audit_number(t, done);
	if (done != total) {
		text_add(t, " of ");
		audit_number(t, total);
	}
}

static void text_walked(const struct audit *a, struct text *t)
{
	const struct audit_counts *c = &a->counts;

	of(t, "sites", c->sites, a->network->site_count);
	text_add(t, ", ");
	audit_number(t, c->links);
	text_add(t, " links from both ends: keys, addresses, callers, timers, MTU\n");
	of(t, "paths", c->paths_working, c->paths);
	text_add(t, " work there and back, walked over ");
	audit_number(t, c->hops);
	text_printf(t, " links; the longest %u, the deepest stack %u\n", c->longest_way,
		    c->deepest_stack);
	of(t, "repairs", c->repairs, c->repairs);
	text_add(t, " ways around a failed link or site that nodes beside it take at once\n");
	of(t, "isolation", c->accepts, c->accepts);
	text_add(t, " accepted stacks and ");
	audit_number(t, c->labels);
	text_add(t, " label routes: ");
	audit_number(t, a->found[AUDIT_LEAK] + a->found[AUDIT_USELESS]);
	text_add(t, " serve nothing lawful\n");
	of(t, "sessions", c->sessions, c->sessions);
	text_add(t, "; ");
	audit_number(t, c->rules_compared);
	text_add(t, " rules of both ends against policy\n");
	of(t, "reach", c->pairs_open, c->pairs);
	text_add(t, " (site, site, class) that policy allows are open\n");
	of(t, "expectations", c->expectations_held, c->expectations);
	text_add(t, c->expectations ? " hold\n" : ": none\n");
}

static void text_failure_kind(const struct audit *a, enum audit_failure_kind kind, struct text *t)
{
	struct audit_failure_sum s = audit_failure_sum(a, kind);

	if (!s.tried)
		return;
	of(t, audit_failure_kind_name(kind), s.tried, s.tried);
	text_add(t, ": ");
	audit_number(t, s.harmless);
	text_add(t, " harmless, ");
	audit_number(t, s.repaired);
	text_add(t, " repaired, ");
	audit_number(t, s.absorbed);
	text_add(t, " absorbed, ");
	audit_number(t, s.cutting);
	text_add(t, " cut sites off");
	if (s.worst) {
		text_add(t, " (at worst ");
		audit_number(t, s.worst);
		text_add(t, ")");
	}
	text_add_char(t, '\n');
}

static void text_point(const struct audit *a, const struct audit_failure *f, struct text *t)
{
	const uint32_t *cut = audit_failure_cut(a, f);

	text_add(t, "  ");
	audit_failure_name(a, f, t);
	text_add(t, " cuts off ");
	audit_tiers(a, f, t);
	text_add(t, ": ");
	for (uint32_t i = 0; i < f->sites_cut && i < NAMES_SHOWN; i++)
		text_printf(t, "%s%s", i ? ", " : "", a->network->sites[cut[i]].name);
	text_add(t, f->sites_cut > NAMES_SHOWN ? ", ...\n" : "\n");
}

static size_t points_from(const struct audit *a, uint32_t least)
{
	size_t count = 0;

	while (count < a->failure_count && a->failures[count].sites_cut >= least)
		count++;
	return count;
}

static size_t points_count(const struct audit *a)
{
	return points_from(a, 1);
}

/* Where there are many, those that cut off one site alone are counted, not shown. */
size_t audit_points_shown(const struct audit *a, size_t most)
{
	size_t many = points_from(a, 2);

	if (points_count(a) <= most)
		return points_count(a);
	return many < most ? many : most;
}

static void text_points_more(const struct audit *a, size_t shown, struct text *t)
{
	size_t more = points_count(a) - shown, alone = points_count(a) - points_from(a, 2);

	if (!more)
		return;
	text_add(t, shown ? "  and " : "  ");
	audit_number(t, more);
	if (shown) {
		text_add(t, " more, of which ");
		audit_number(t, alone < more ? alone : more);
	} else {
		text_add(t, " that");
	}
	text_add(t, " cut off one site alone (--csv, --json have all)\n");
}

static void text_failures(const struct audit *a, struct text *t)
{
	size_t shown = audit_points_shown(a, POINTS_SHOWN);

	if (!a->failure_count)
		return;
	text_add(t, "\nevery single failure (");
	audit_number(t, a->failure_count);
	text_add(t, " tried)\n");
	text_failure_kind(a, AUDIT_FAIL_LINK, t);
	text_failure_kind(a, AUDIT_FAIL_SITE, t);
	text_failure_kind(a, AUDIT_FAIL_UPLINK, t);
	if (a->network->risk_count)
		text_failure_kind(a, AUDIT_FAIL_RISK, t);
	if (points_count(a))
		text_add(t, "\nsingle points of failure, the worst first (cut off: from all "
			    "endpoints of a policy)\n");
	for (size_t i = 0; i < shown; i++)
		text_point(a, &a->failures[i], t);
	text_points_more(a, shown, t);
}

static void text_finding(const struct audit *a, const struct audit_finding *f, struct text *t)
{
	struct text line;

	text_printf(t, "\n%s: %s", audit_kind_name(f->kind), f->text ? f->text : "");
	if (f->place.line) {
		text_add(t, " [");
		audit_place(a, f->place, t);
		text_add(t, "]");
	}
	text_add_char(t, '\n');
	text_init(&line);
	if (audit_finding_line(a, f, &line))
		text_printf(t, "  %u.bundle:%u: %s\n", f->site_id, f->line, text_string(&line));
	else if (f->site_id)
		text_printf(t, "  %u.bundle\n", f->site_id);
	text_clear(&line);
}

static void text_findings(const struct audit *a, struct text *t)
{
	bool more = false;

	for (size_t i = 0; i < a->finding_count; i++)
		text_finding(a, &a->findings[i], t);
	for (int k = 0; k < AUDIT_KINDS; k++) {
		if (a->found[k] <= AUDIT_KEPT_MAX)
			continue;
		text_printf(t, "%sand %zu more of %s\n", more ? "" : "\n",
			    a->found[k] - AUDIT_KEPT_MAX, audit_kind_name((enum audit_kind)k));
		more = true;
	}
}

void audit_text(const struct audit *a, const struct audit_about *about, struct text *t)
{
	size_t total = audit_findings_total(a);

	text_printf(t, "%s", about->title);
	if (about->seconds >= 0)
		text_printf(t, ", audited in %.2f s", about->seconds);
	text_add(t, "\n\n");
	text_walked(a, t);
	text_failures(a, t);
	text_findings(a, t);
	if (total) {
		text_add_char(t, '\n');
		audit_number(t, total);
		text_add(t, total == 1 ? " finding\n" : " findings\n");
	} else {
		text_add(t,
			 "\nclean: what the nodes will do is what policy says, and nothing else\n");
	}
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void json_string(struct text *t, const char *key, const char *value)
{
	text_printf(t, "\"%s\":", key);
	text_add_json_string(t, value);
}

static void json_finding(const struct audit *a, const struct audit_finding *f, struct text *t)
{
	uint32_t site = f->site_id ? audit_site_by_id(a, f->site_id) : NETWORK_NONE;
	struct text s;

	text_add_char(t, '{');
	json_string(t, "kind", audit_kind_name(f->kind));
	text_add_char(t, ',');
	json_string(t, "message", f->text ? f->text : "");
	if (f->site_id)
		text_printf(t, ",\"site_id\":%u,\"line\":%u", f->site_id, f->line);
	if (site != NETWORK_NONE) {
		text_add_char(t, ',');
		json_string(t, "site", audit_name(a, site));
	}
	text_init(&s);
	if (audit_finding_line(a, f, &s)) {
		text_add_char(t, ',');
		json_string(t, "bundle", text_string(&s));
	}
	text_reset(&s);
	audit_place(a, f->place, &s);
	if (s.length) {
		text_add_char(t, ',');
		json_string(t, "place", text_string(&s));
	}
	text_clear(&s);
	text_add_char(t, '}');
}

static void json_findings(const struct audit *a, struct text *t)
{
	bool any = false;

	text_add(t, "\"findings_by_kind\":{");
	for (int k = 0; k < AUDIT_KINDS; k++) {
		if (!a->found[k])
			continue;
		text_printf(t, "%s\"%s\":%zu", any ? "," : "", audit_kind_name((enum audit_kind)k),
			    a->found[k]);
		any = true;
	}
	text_add(t, "},\"findings\":[");
	for (size_t i = 0; i < a->finding_count; i++) {
		text_add(t, i ? "," : "");
		json_finding(a, &a->findings[i], t);
	}
	text_add(t, "]");
}

static void json_point(const struct audit *a, const struct audit_failure *f, struct text *t)
{
	const struct network *n = a->network;
	const uint32_t *cut = audit_failure_cut(a, f);
	struct text name;
	bool any = false;

	text_init(&name);
	audit_failure_name(a, f, &name);
	text_add_char(t, '{');
	json_string(t, "failure", text_string(&name));
	text_clear(&name);
	text_printf(t, ",\"kind\":\"%s\",\"sites_cut\":%u,\"sites_partly\":%u,\"sites_moved\":%u,",
		    audit_failure_kind_name(f->kind), f->sites_cut, f->sites_partly,
		    f->sites_moved);
	text_add(t, "\"by_tier\":{");
	for (size_t i = 0; i < n->tier_count && i < AUDIT_TIERS_MAX; i++) {
		if (!f->cut_by_tier[i])
			continue;
		text_add(t, any ? "," : "");
		text_add_json_string(t, n->tiers[i]);
		text_printf(t, ":%u", f->cut_by_tier[i]);
		any = true;
	}
	text_add(t, "},\"sites\":[");
	for (uint32_t i = 0; i < f->sites_cut; i++) {
		text_add(t, i ? "," : "");
		text_add_json_string(t, n->sites[cut[i]].name);
	}
	text_add(t, "]}");
}

static void json_failures(const struct audit *a, struct text *t)
{
	text_add(t, ",\"failures\":{");
	for (int k = AUDIT_FAIL_LINK; k <= AUDIT_FAIL_RISK; k++) {
		struct audit_failure_sum s = audit_failure_sum(a, (enum audit_failure_kind)k);

		text_printf(t,
			    "%s\"%s\":{\"tried\":%zu,\"harmless\":%zu,\"repaired\":%zu,"
			    "\"absorbed\":%zu,\"cutting\":%zu,\"worst\":%u}",
			    k ? "," : "", audit_failure_kind_name((enum audit_failure_kind)k),
			    s.tried, s.harmless, s.repaired, s.absorbed, s.cutting, s.worst);
	}
	text_add(t, "},\"single_points\":[");
	for (size_t i = 0; i < points_count(a); i++) {
		text_add(t, i ? "," : "");
		json_point(a, &a->failures[i], t);
	}
	text_add(t, "]");
}

static void json_sources(const struct audit_about *about, struct text *t)
{
	text_add(t, ",\"sources\":[");
	for (size_t i = 0; i < about->source_count; i++) {
		text_add(t, i ? ",{" : "{");
		json_string(t, "name", about->sources[i].name);
		text_add_char(t, ',');
		json_string(t, "sha256", about->sources[i].digest);
		text_add_char(t, '}');
	}
	text_add(t, "],");
}

static void json_document(const struct audit *a, const struct audit_about *about, bool failures,
			  struct text *t)
{
	const struct audit_counts *c = &a->counts;

	text_printf(t, "{\"ok\":%s,", audit_findings_total(a) ? "false" : "true");
	json_string(t, "audited", about->title);
	text_printf(
	    t,
	    ",\"sites\":%zu,\"links\":%zu,\"sessions\":%zu,\"paths\":%zu,\"paths_working\":%zu,"
	    "\"hops\":%zu,\"repairs\":%zu,\"labels\":%zu,\"accepts\":%zu,\"rules_compared\":%zu,"
	    "\"pairs_allowed\":%zu,\"pairs_open\":%zu,\"expectations\":%zu,"
	    "\"expectations_held\":%zu,\"deepest_stack\":%u,\"longest_way\":%u",
	    c->sites, c->links, c->sessions, c->paths, c->paths_working, c->hops, c->repairs,
	    c->labels, c->accepts, c->rules_compared, c->pairs, c->pairs_open, c->expectations,
	    c->expectations_held, c->deepest_stack, c->longest_way);
	if (about->seconds >= 0)
		text_printf(t, ",\"seconds\":%.3f", about->seconds);
	json_sources(about, t);
	json_findings(a, t);
	if (failures && a->failure_count)
		json_failures(a, t);
	text_add(t, "}\n");
}

void audit_json(const struct audit *a, const struct audit_about *about, struct text *t)
{
	json_document(a, about, true, t);
}

static int source_compare(const void *a, const void *b)
{
	const struct audit_source *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->digest, y->digest);
}

void audit_canonical(const struct audit *a, const struct audit_about *about, struct text *t)
{
	struct audit_about bare = {.title = "release", .version = about->version, .seconds = -1};
	struct audit_source *sorted = calloc(about->source_count + 1, sizeof(*sorted));

	if (!sorted) {
		t->failed = true;
		return;
	}
	for (size_t i = 0; i < about->source_count; i++) {
		const char *slash = strrchr(about->sources[i].name, '/');

		sorted[i] = about->sources[i];
		sorted[i].name = slash ? slash + 1 : sorted[i].name;
	}
	qsort(sorted, about->source_count, sizeof(*sorted), source_compare);
	bare.sources = sorted;
	bare.source_count = about->source_count;
	json_document(a, &bare, false, t);
	free(sorted);
}
