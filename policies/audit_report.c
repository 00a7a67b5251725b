/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an auditor files: one HTML page that needs nothing else, looks the same printed, and no
 * script; and a CSV with every row of what the page puts together.
 */
#include "audit_internal.h"

#include <stdio.h>
#include <string.h>

#include "tuyen/base/date.h"

#define POINTS_SHOWN   200
#define FINDINGS_SHOWN 500
#define NAMES_SHOWN    6

static const char style[] =
    ":root{--ink:#16202c;--soft:#5b6b7c;--line:#dde4ea;--ground:#f5f7f9;--good:#0b7a4b;--bad:#"
    "b3261e;"
    "--accent:#1f4e8c}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}"
    "main{max-width:1080px;margin:0 auto;padding:32px 24px 64px}"
    "header{display:flex;justify-content:space-between;align-items:flex-start;gap:24px;"
    "border-bottom:3px solid var(--accent);padding-bottom:16px;margin-bottom:24px}"
    "h1{font-size:26px;line-height:1.2;margin:0 0 4px}"
    "h2{font-size:18px;margin:36px 0 10px}"
    "p{margin:0 0 10px;max-width:75ch}.soft{color:var(--soft)}table+p{margin-top:8px}"
    ".verdict{padding:10px 18px;border-radius:8px;color:#fff;font-weight:600;white-space:nowrap}"
    ".good{background:var(--good)}.bad{background:var(--bad)}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin-"
    "top:20px}"
    ".tile{background:#fff;border:1px solid var(--line);border-radius:8px;padding:12px 14px}"
    ".tile b{display:block;font-size:22px;font-variant-numeric:tabular-nums;line-height:1.2}"
    ".tile span{color:var(--soft);font-size:13px}"
    "table{width:100%;border-collapse:collapse;background:#fff;border:1px solid var(--line);"
    "font-size:14px}"
    "th,td{padding:7px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}"
    "th{background:#eaf0f6;font-weight:600;font-size:13px}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "td.p{min-width:15em}td:first-child{overflow-wrap:normal}"
    "code{font:13px/1.4 "
    "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}"
    ".bar{height:8px;background:#e6ebf0;border-radius:4px;overflow:hidden;display:flex;margin-top:"
    "6px}"
    ".bar i{display:block;height:8px}.h{background:#9fb4c8}.r{background:#6fae8b}.a{background:var(--good)}.c{background:"
    "var(--bad)}"
    "footer{margin-top:40px;color:var(--soft);font-size:13px;border-top:1px solid var(--line);"
    "padding-top:10px}"
    "@media print{body{background:#fff;font-size:11px}main{max-width:none;padding:0}"
    "table{font-size:10px}h2{break-after:avoid}tr{break-inside:avoid}thead{display:table-header-"
    "group}"
    ".verdict,.bar i,th{print-color-adjust:exact;-webkit-print-color-adjust:exact}"
    "@page{margin:16mm}}";

static void html_add(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			text_add(t, "&lt;");
		else if (*s == '>')
			text_add(t, "&gt;");
		else if (*s == '&')
			text_add(t, "&amp;");
		else if (*s == '"')
			text_add(t, "&quot;");
		else
			text_add_char(t, *s);
	}
}

static void cell(struct text *t, const char *s)
{
	text_add(t, "<td>");
	html_add(t, s);
	text_add(t, "</td>");
}

static void cell_number(struct text *t, size_t number)
{
	text_add(t, "<td class=n>");
	audit_number(t, number);
	text_add(t, "</td>");
}

/* The names of few, the number of many. */
static void cell_sites(const struct network *n, const struct site_set *set, struct text *t)
{
	text_add(t, "<td>");
	if (set->count > NAMES_SHOWN) {
		audit_number(t, set->count);
		text_add(t, " sites");
	} else {
		for (size_t i = 0; i < set->count; i++) {
			text_add(t, i ? ", " : "");
			html_add(t, n->sites[set->sites[i]].name);
		}
	}
	text_add(t, "</td>");
}

static void cell_place(const struct audit *a, struct source_place place, struct text *t)
{
	struct text s;

	text_init(&s);
	audit_place(a, place, &s);
	text_add(t, "<td class=p><code>");
	html_add(t, text_string(&s));
	text_add(t, "</code></td>");
	text_clear(&s);
}

static void heading(struct text *t, const char *title, const char *columns)
{
	text_printf(t, "<h2>%s</h2>\n<table><thead><tr>%s</tr></thead><tbody>\n", title, columns);
}

static void table_end(struct text *t)
{
	text_add(t, "</tbody></table>\n");
}

static void html_head(const struct audit *a, const struct audit_about *about, struct text *t)
{
	size_t findings = audit_findings_total(a);

	text_add(t, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
		    "<meta name=viewport "
		    "content=\"width=device-width,initial-scale=1\">\n<title>Audit of ");
	html_add(t, about->title);
	text_printf(t,
		    "</title>\n<style>%s</style></head>\n<body><main>\n<header><div><h1>Audit of ",
		    style);
	html_add(t, about->title);
	text_add(t, "</h1><div class=soft>");
	if (about->made) {
		html_add(t, about->made);
		text_add(t, " &middot; ");
	}
	text_add(t, "tuyen ");
	html_add(t, about->version);
	text_printf(t, "</div></div><div class=\"verdict %s\">", findings ? "bad" : "good");
	if (findings) {
		audit_number(t, findings);
		text_add(t, findings == 1 ? " finding" : " findings");
	} else {
		text_add(t, "Clean");
	}
	text_add(
	    t,
	    "</div></header>\n<p>This report is computed from the compiled forwarding state of "
	    "every site: labels, accepted stacks, peers, AllowedIPs, rules. Every path was walked "
	    "there and back, filter by filter; what no lawful path uses was looked for; both ends "
	    "of "
	    "every session were compared with policy.</p>\n");
}

static void tile(struct text *t, const char *label, size_t number, size_t of)
{
	text_add(t, "<div class=tile><b>");
	audit_number(t, number);
	text_printf(t, "</b><span>%s", label);
	if (of != number) {
		text_add(t, " of ");
		audit_number(t, of);
	}
	text_add(t, "</span></div>\n");
}

static void html_tiles(const struct audit *a, struct text *t)
{
	const struct audit_counts *c = &a->counts;

	text_add(t, "<div class=tiles>\n");
	tile(t, "sites", c->sites, c->sites);
	tile(t, "links, from both ends", c->links, c->links);
	tile(t, "sessions", c->sessions, c->sessions);
	tile(t, "paths that work", c->paths_working, c->paths);
	tile(t, "links walked over", c->hops, c->hops);
	tile(t, "accepted stacks", c->accepts, c->accepts);
	tile(t, "label routes", c->labels, c->labels);
	tile(t, "rules compared", c->rules_compared, c->rules_compared);
	tile(t, "allowed connections open", c->pairs_open, c->pairs);
	tile(t, "expectations held", c->expectations_held, c->expectations);
	text_add(t, "</div>\n");
}

static void html_findings(const struct audit *a, struct text *t)
{
	struct text line;

	if (!a->finding_count)
		return;
	heading(t, "Findings", "<th>Kind<th>What is wrong<th>Bundle<th>Source");
	text_init(&line);
	for (size_t i = 0; i < a->finding_count && i < FINDINGS_SHOWN; i++) {
		const struct audit_finding *f = &a->findings[i];

		text_add(t, "<tr>");
		text_printf(t, "<td class=p>%s</td><td>", audit_kind_name(f->kind));
		html_add(t, f->text ? f->text : "");
		text_reset(&line);
		if (audit_finding_line(a, f, &line)) {
			text_add(t, "<br><code>");
			html_add(t, text_string(&line));
			text_add(t, "</code>");
		}
		text_add(t, "</td><td class=n>");
		if (f->site_id)
			text_printf(t, f->line ? "%u.bundle:%u" : "%u.bundle", f->site_id, f->line);
		text_add(t, "</td>");
		cell_place(a, f->place, t);
		text_add(t, "</tr>\n");
	}
	text_clear(&line);
	table_end(t);
	if (audit_findings_total(a) > FINDINGS_SHOWN)
		text_printf(t, "<p class=soft>%d of %zu are shown.</p>\n", FINDINGS_SHOWN,
			    audit_findings_total(a));
}

static int html_reach(const struct audit *a, struct text *t)
{
	const struct network *n = a->network;
	struct audit_group *groups;
	size_t count;

	if (audit_groups(a, &groups, &count) < 0)
		return -TUYEN_ENOMEM;
	heading(t, "Who may reach whom, and by which rule",
		"<th>Policy<th>Class<th>From<th>To<th class=n>Pairs of sites<th class=n>Open"
		"<th class=n>With a spare path<th>Source");
	for (size_t i = 0; i < count; i++) {
		const struct audit_group *g = &groups[i];
		const struct policy *p = &n->policies[g->policy];

		text_add(t, "<tr>");
		cell(t, p->name);
		cell(t, n->classes[p->classes[g->bit]].name);
		cell(t, n->tiers[g->from_tier]);
		cell(t, n->tiers[g->to_tier]);
		cell_number(t, g->pairs);
		cell_number(t, g->open);
		cell_number(t, g->with_spare);
		cell_place(a, p->place, t);
		text_add(t, "</tr>\n");
	}
	free(groups);
	table_end(t);
	text_add(t, "<p class=soft>What is not in this table is reached by nobody. The CSV names "
		    "every pair.</p>\n");
	return 0;
}

static void html_denies(const struct audit *a, struct text *t)
{
	const struct network *n = a->network;

	if (!n->deny_count)
		return;
	heading(t, "Explicit denials", "<th>Class<th>From<th>To<th>Source");
	for (size_t i = 0; i < n->deny_count; i++) {
		const struct deny_rule *d = &n->denies[i];

		text_add(t, "<tr>");
		cell(t, d->class_index == NETWORK_NONE ? "every class"
						       : n->classes[d->class_index].name);
		cell_sites(n, &d->from, t);
		cell_sites(n, &d->to, t);
		cell_place(a, d->place, t);
		text_add(t, "</tr>\n");
	}
	table_end(t);
}

/* ---- who says so, and until when ---------------------------------------------------------- */

/* A rule with what was said of it beside what it does. */
struct noted {
	const char *kind, *name;
	const struct rule_note *note;
	struct source_place place;
};

static struct noted noted_at(const struct network *n, size_t i)
{
	const struct policy *p = n->policies;
	const struct traffic_class *c = n->classes;
	const struct deny_rule *d = n->denies;

	if (i < n->policy_count)
		return (struct noted){"policy", p[i].name, &p[i].note, p[i].place};
	i -= n->policy_count;
	if (i < n->class_count)
		return (struct noted){"class", c[i].name, &c[i].note, c[i].place};
	i -= n->class_count;
	return (struct noted){"deny", "", &d[i].note, d[i].place};
}

static size_t noted_next(const struct network *n, size_t i)
{
	size_t count = n->policy_count + n->class_count + n->deny_count;

	while (i < count) {
		const struct rule_note *note = noted_at(n, i).note;

		if (note->author || note->reason || note->expires_s)
			break;
		i++;
	}
	return i < count ? i : SIZE_MAX;
}

static const char *note_day(const struct rule_note *note, char out[static DATE_STRLEN])
{
	return note->expires_s ? date_format(note->expires_s, out) : "";
}

static void html_notes(const struct audit *a, struct text *t)
{
	const struct network *n = a->network;
	char day[DATE_STRLEN];

	if (noted_next(n, 0) == SIZE_MAX)
		return;
	heading(t, "Who wants a rule, why, and until when",
		"<th>Rule<th>Name<th>Author<th>Reason<th>Expires<th>Source");
	for (size_t i = noted_next(n, 0); i != SIZE_MAX; i = noted_next(n, i + 1)) {
		struct noted r = noted_at(n, i);

		text_add(t, "<tr>");
		cell(t, r.kind);
		cell(t, r.name);
		cell(t, r.note->author ? r.note->author : "");
		cell(t, r.note->reason ? r.note->reason : "");
		cell(t, note_day(r.note, day));
		cell_place(a, r.place, t);
		text_add(t, "</tr>\n");
	}
	table_end(t);
}

static void html_bar(struct text *t, const struct audit_failure_sum *s)
{
	double total = s->tried ? (double)s->tried : 1;

	text_printf(t,
		    "<div class=bar><i class=h style=\"width:%.2f%%\"></i><i class=r "
		    "style=\"width:%.2f%%\"></i><i class=a style=\"width:%.2f%%\"></i><i class=c "
		    "style=\"width:%.2f%%\"></i></div>",
		    100 * (double)s->harmless / total, 100 * (double)s->repaired / total,
		    100 * (double)s->absorbed / total, 100 * (double)s->cutting / total);
}

static void html_failures(const struct audit *a, struct text *t)
{
	static const char *const names[] = {"Link", "Site", "Uplink with several links",
					    "Risk of several links"};

	if (!a->failure_count)
		return;
	heading(
	    t, "Every single failure",
	    "<th>What fails<th class=n>Tried<th class=n>Nobody notices<th class=n>Repaired beside it"
	    "<th class=n>All move"
	    "<th class=n>Sites are cut off<th class=n>At worst");
	for (int k = AUDIT_FAIL_LINK; k <= AUDIT_FAIL_RISK; k++) {
		struct audit_failure_sum s = audit_failure_sum(a, (enum audit_failure_kind)k);

		if (!s.tried)
			continue;
		text_printf(t, "<tr><td>%s", names[k]);
		html_bar(t, &s);
		text_add(t, "</td>");
		cell_number(t, s.tried);
		cell_number(t, s.harmless);
		cell_number(t, s.repaired);
		cell_number(t, s.absorbed);
		cell_number(t, s.cutting);
		cell_number(t, s.worst);
		text_add(t, "</tr>\n");
	}
	table_end(t);
}

static void html_point(const struct audit *a, const struct audit_failure *f, struct text *t)
{
	const uint32_t *cut = audit_failure_cut(a, f);
	struct text s;

	text_init(&s);
	audit_failure_name(a, f, &s);
	text_add(t, "<tr>");
	cell(t, text_string(&s));
	cell_number(t, f->sites_cut);
	text_reset(&s);
	audit_tiers(a, f, &s);
	cell(t, text_string(&s));
	text_reset(&s);
	for (uint32_t i = 0; i < f->sites_cut && i < NAMES_SHOWN; i++)
		text_printf(&s, "%s%s", i ? ", " : "", a->network->sites[cut[i]].name);
	if (f->sites_cut > NAMES_SHOWN)
		text_add(&s, ", \xe2\x80\xa6");
	cell(t, text_string(&s));
	text_add(t, "</tr>\n");
	text_clear(&s);
}

static void html_points(const struct audit *a, struct text *t)
{
	size_t count = 0;

	while (count < a->failure_count && a->failures[count].sites_cut)
		count++;
	if (!count)
		return;
	heading(t, "Single points of failure",
		"<th>If this fails<th class=n>Sites cut off<th>By tier<th>Which");
	for (size_t i = 0; i < audit_points_shown(a, POINTS_SHOWN); i++)
		html_point(a, &a->failures[i], t);
	table_end(t);
	if (count > audit_points_shown(a, POINTS_SHOWN)) {
		text_add(t, "<p class=soft>");
		audit_number(t, count - audit_points_shown(a, POINTS_SHOWN));
		text_add(t, " more cut off fewer sites, most of them one alone: the CSV names all, "
			    "and every site.</p>\n");
	}
}

static void html_sources(const struct audit_about *about, struct text *t)
{
	if (!about->source_count)
		return;
	heading(t, "Sources", "<th>File<th>SHA-256");
	for (size_t i = 0; i < about->source_count; i++) {
		text_add(t, "<tr>");
		cell(t, about->sources[i].name);
		text_printf(t, "<td><code>%s</code></td></tr>\n", about->sources[i].digest);
	}
	table_end(t);
}

void audit_html(const struct audit *a, const struct audit_about *about, struct text *t)
{
	html_head(a, about, t);
	html_tiles(a, t);
	html_findings(a, t);
	if (html_reach(a, t) < 0)
		t->failed = true;
	html_denies(a, t);
	html_notes(a, t);
	html_failures(a, t);
	html_points(a, t);
	html_sources(about, t);
	text_add(t, "<footer>A site that fails counts for nothing itself. A site is cut off when a "
		    "policy's "
		    "every endpoint is out of its reach; it chooses by preference among the paths "
		    "whose links "
		    "and sites are left.</footer>\n</main></body></html>\n");
}

/* ---- CSV, RFC 4180 ------------------------------------------------------------------------- */

/* A spreadsheet takes what begins with one of these for a formula, and runs it: an apostrophe makes
 * it text. */
static bool csv_is_formula(const char *s)
{
	return *s && strchr("=+-@", *s);
}

void audit_csv_field(struct text *t, const char *s, bool first)
{
	if (!first)
		text_add_char(t, ',');
	if (!strpbrk(s, ",\"\r\n")) {
		text_printf(t, "%s%s", csv_is_formula(s) ? "'" : "", s);
		return;
	}
	text_add(t, csv_is_formula(s) ? "\"'" : "\"");
	for (; *s; s++) {
		if (*s == '"')
			text_add_char(t, '"');
		text_add_char(t, *s);
	}
	text_add_char(t, '"');
}

static void csv_number(struct text *t, size_t number)
{
	text_printf(t, ",%zu", number);
}

static void csv_place(const struct audit *a, struct source_place place, struct text *t)
{
	struct text s;

	text_init(&s);
	audit_place(a, place, &s);
	audit_csv_field(t, text_string(&s), false);
	text_clear(&s);
}

static void csv_sources(const struct audit_about *about, struct text *t)
{
	text_add(t, "#source,file,sha256\r\n");
	for (size_t i = 0; i < about->source_count; i++) {
		audit_csv_field(t, "source", true);
		audit_csv_field(t, about->sources[i].name, false);
		audit_csv_field(t, about->sources[i].digest, false);
		text_add(t, "\r\n");
	}
}

static void csv_reach_classes(const struct audit *a, const struct audit_session *s, bool back,
			      struct text *t)
{
	const struct network *n = a->network;
	const struct policy *p = &n->policies[s->policy];
	uint32_t from = back ? s->endpoint : s->head, to = back ? s->head : s->endpoint;
	uint64_t intent = audit_intent(a, s->policy, from, to);
	uint64_t open = s->lawful && s->path_count ? (back ? s->opens_back : s->opens) : 0;

	for (; intent; intent &= intent - 1) {
		uint32_t bit = (uint32_t)__builtin_ctzll(intent);

		audit_csv_field(t, "reach", true);
		audit_csv_field(t, n->sites[from].name, false);
		audit_csv_field(t, n->tiers[n->sites[from].tier], false);
		audit_csv_field(t, n->sites[to].name, false);
		audit_csv_field(t, n->classes[p->classes[bit]].name, false);
		audit_csv_field(t, p->name, false);
		csv_place(a, p->place, t);
		audit_csv_field(t, open >> bit & 1 ? "open" : "not open", false);
		csv_number(t, s->path_count);
		text_add(t, "\r\n");
	}
}

static void csv_reach(const struct audit *a, struct text *t)
{
	text_add(t, "#reach,from,tier,to,class,policy,place,state,paths\r\n");
	for (size_t i = 0; i < a->session_count; i++) {
		csv_reach_classes(a, &a->sessions[i], false, t);
		csv_reach_classes(a, &a->sessions[i], true, t);
	}
}

static void csv_failures(const struct audit *a, struct text *t)
{
	struct text name;

	text_add(t, "#failure,what,sites cut,sites that lose an endpoint,sites that move,sessions "
		    "lost,sessions repaired\r\n");
	text_init(&name);
	for (size_t i = 0; i < a->failure_count; i++) {
		const struct audit_failure *f = &a->failures[i];

		if (!f->sessions_hit && !f->sessions_repaired)
			continue;
		text_reset(&name);
		audit_failure_name(a, f, &name);
		audit_csv_field(t, "failure", true);
		audit_csv_field(t, text_string(&name), false);
		csv_number(t, f->sites_cut);
		csv_number(t, f->sites_partly);
		csv_number(t, f->sites_moved);
		csv_number(t, f->sessions_lost);
		csv_number(t, f->sessions_repaired);
		text_add(t, "\r\n");
	}
	text_clear(&name);
}

static void csv_cut(const struct audit *a, struct text *t)
{
	const struct network *n = a->network;
	struct text name;

	text_add(t, "#cut,what fails,site,tier\r\n");
	text_init(&name);
	for (size_t i = 0; i < a->failure_count && a->failures[i].sites_cut; i++) {
		const struct audit_failure *f = &a->failures[i];
		const uint32_t *cut = audit_failure_cut(a, f);

		text_reset(&name);
		audit_failure_name(a, f, &name);
		for (uint32_t k = 0; k < f->sites_cut; k++) {
			audit_csv_field(t, "cut", true);
			audit_csv_field(t, text_string(&name), false);
			audit_csv_field(t, n->sites[cut[k]].name, false);
			audit_csv_field(t, n->tiers[n->sites[cut[k]].tier], false);
			text_add(t, "\r\n");
		}
	}
	text_clear(&name);
}

static void csv_findings(const struct audit *a, struct text *t)
{
	text_add(t, "#finding,kind,site id,bundle line,message,place\r\n");
	for (size_t i = 0; i < a->finding_count; i++) {
		const struct audit_finding *f = &a->findings[i];

		audit_csv_field(t, "finding", true);
		audit_csv_field(t, audit_kind_name(f->kind), false);
		csv_number(t, f->site_id);
		csv_number(t, f->line);
		audit_csv_field(t, f->text ? f->text : "", false);
		csv_place(a, f->place, t);
		text_add(t, "\r\n");
	}
}

static void csv_notes(const struct audit *a, struct text *t)
{
	const struct network *n = a->network;
	char day[DATE_STRLEN];

	if (noted_next(n, 0) != SIZE_MAX)
		text_add(t, "#note,rule,name,author,reason,expires,place\r\n");
	for (size_t i = noted_next(n, 0); i != SIZE_MAX; i = noted_next(n, i + 1)) {
		struct noted r = noted_at(n, i);

		audit_csv_field(t, "note", true);
		audit_csv_field(t, r.kind, false);
		audit_csv_field(t, r.name, false);
		audit_csv_field(t, r.note->author ? r.note->author : "", false);
		audit_csv_field(t, r.note->reason ? r.note->reason : "", false);
		audit_csv_field(t, note_day(r.note, day), false);
		csv_place(a, r.place, t);
		text_add(t, "\r\n");
	}
}

void audit_csv(const struct audit *a, const struct audit_about *about, struct text *t)
{
	csv_sources(about, t);
	csv_findings(a, t);
	csv_reach(a, t);
	csv_failures(a, t);
	csv_cut(a, t);
	csv_notes(a, t);
}
