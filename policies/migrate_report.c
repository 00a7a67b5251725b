/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/migrate_report.h"

static void number_add(struct text *t, size_t number)
{
	if (number >= 1000) {
		number_add(t, number / 1000);
		text_printf(t, ",%03zu", number % 1000);
	} else {
		text_printf(t, "%zu", number);
	}
}

static void cell_add(struct text *t, size_t number, int width)
{
	struct text cell = {0};

	number_add(&cell, number);
	text_printf(t, "%*s", width, text_string(&cell));
	text_clear(&cell);
}

/* "11,376 +7 -3" */
static void change_add(struct text *t, size_t number, size_t gained, size_t lost, int width)
{
	struct text cell = {0};

	number_add(&cell, number);
	if (gained) {
		text_add(&cell, " +");
		number_add(&cell, gained);
	}
	if (lost) {
		text_add(&cell, " -");
		number_add(&cell, lost);
	}
	text_printf(t, "%-*s", width, text_string(&cell));
	text_clear(&cell);
}

static void row_add(struct migrate_report *r, const struct migrate_facts *f,
		    const struct migrate_counts *c, bool holds)
{
	struct text *t = &r->table;

	if (*f->name)
		text_printf(t, "%zu %-7s", r->stages, f->name);
	else
		text_printf(t, "%-9s", "at once");
	change_add(t, f->sites, c->sites_gained, c->sites_lost, 24);
	cell_add(t, f->links, 8);
	cell_add(t, f->nodes_changed, 8);
	cell_add(t, f->operations, 12);
	cell_add(t, c->sites_switched, 10);
	cell_add(t, c->sites_without_spare, 10);
	text_printf(t, "  %-5s  %s\n", f->audit_findings ? "fails" : "clean",
		    holds ? "proven" : "refused");
}

static void findings_add(struct migrate_report *r, const struct migrate_facts *f,
			 const struct migrate_proof *proof)
{
	struct text *t = &r->details;
	size_t shown[MIGRATE_KINDS] = {0};

	if (f->audit_findings)
		text_printf(t, "%s%saudit: %zu finding%s, the first: %s\n", f->name,
			    *f->name ? ": " : "", f->audit_findings,
			    f->audit_findings > 1 ? "s" : "", f->audit_first ? f->audit_first : "");
	for (size_t i = 0; i < migrate_finding_count(proof); i++) {
		const struct migrate_finding *m = migrate_finding(proof, i);

		if (r->findings_max && shown[m->kind] == r->findings_max)
			continue;
		shown[m->kind]++;
		text_printf(t, "%s%s%s\n    [%s: %s]\n", f->name, *f->name ? ": " : "",
			    m->text ? m->text : "", migrate_kind_name(m->kind),
			    migrate_kind_summary(m->kind));
	}
	for (int k = 0; k < MIGRATE_KINDS; k++)
		if (migrate_findings_of_kind(proof, k) > shown[k])
			text_printf(t, "%s%sand %zu more [%s]\n", f->name, *f->name ? ": " : "",
				    migrate_findings_of_kind(proof, k) - shown[k],
				    migrate_kind_name(k));
}

static void json_ids(struct text *t, const char *key, const struct migrate_proof *proof, bool spare)
{
	bool first = true;

	text_printf(t, ",\"%s\":[", key);
	for (size_t i = 0; i < migrate_site_count(proof); i++) {
		const struct migrate_site *s = migrate_site(proof, i);

		if (!(spare ? s->without_spare : s->switched))
			continue;
		text_printf(t, "%s%u", first ? "" : ",", s->id);
		first = false;
	}
	text_add(t, "]");
}

static void json_file(struct text *t, const char *key, const char *name)
{
	if (!name)
		return;
	text_printf(t, ",\"%s\":", key);
	text_add_json_string(t, name);
}

static void json_counts(struct text *t, const struct migrate_facts *f,
			const struct migrate_counts *c)
{
	text_printf(t,
		    ",\"sites\":%zu,\"links\":%zu,\"sites_kept\":%zu,\"sites_gained\":%zu,"
		    "\"sites_lost\":%zu,\"nodes_changed\":%zu,\"operations\":%zu,"
		    "\"sessions_kept\":%zu,\"sessions_gained\":%zu,\"sessions_lost\":%zu,"
		    "\"sessions_switched\":%zu,\"sessions_without_spare\":%zu,"
		    "\"flows_gained\":%zu,\"flows_lost\":%zu,\"paths_walked\":%zu,"
		    "\"mixtures\":%zu,\"stacks_walked\":%zu,\"steps\":%zu",
		    f->sites, f->links, c->sites_kept, c->sites_gained, c->sites_lost,
		    f->nodes_changed, f->operations, c->sessions_kept, c->sessions_gained,
		    c->sessions_lost, c->sessions_switched, c->sessions_without_spare,
		    c->flows_gained, c->flows_lost, c->paths_walked, c->mixtures, c->stacks_walked,
		    c->steps);
}

static void json_add(struct migrate_report *r, const struct migrate_facts *f,
		     const struct migrate_proof *proof, const struct migrate_counts *c, bool holds)
{
	struct text *t = &r->json;

	text_printf(t, "%s{\"name\":\"%s\",\"proven\":%s", r->stages > 1 ? "," : "", f->name,
		    holds ? "true" : "false");
	json_file(t, "topology", f->topology);
	json_file(t, "policy", f->policy);
	json_counts(t, f, c);
	json_ids(t, "switched", proof, false);
	json_ids(t, "without_spare", proof, true);
	text_printf(t, ",\"audit_findings\":%zu,\"findings_total\":%zu,\"findings\":[",
		    f->audit_findings, migrate_findings_total(proof));
	for (size_t i = 0; i < migrate_finding_count(proof); i++) {
		const struct migrate_finding *m = migrate_finding(proof, i);

		text_printf(t, "%s{\"kind\":\"%s\",\"site\":%u,\"text\":", i ? "," : "",
			    migrate_kind_name(m->kind), m->site_id);
		text_add_json_string(t, m->text ? m->text : "");
		text_add(t, "}");
	}
	text_add(t, "]}");
}

bool migrate_report_stage(struct migrate_report *r, const struct migrate_facts *facts,
			  const struct migrate_proof *proof)
{
	struct migrate_counts c = migrate_counts(proof);
	bool holds = !facts->audit_findings && !migrate_findings_total(proof);

	r->stages++;
	r->refused += !holds;
	row_add(r, facts, &c, holds);
	findings_add(r, facts, proof);
	json_add(r, facts, proof, &c, holds);
	return holds;
}

static void part_add(struct text *t, bool *first, size_t number, const char *what)
{
	if (!number)
		return;
	text_add(t, *first ? "" : ", ");
	number_add(t, number);
	text_printf(t, " %s", what);
	*first = false;
}

static void plan_text(const struct migrate_plan_counts *c, struct text *t)
{
	bool first = true;

	number_add(t, c->sites_kept);
	text_add(t, " sites stay: ");
	number_add(t, c->moving);
	text_add(t, " get another parent, ");
	number_add(t, c->renamed);
	text_add(t, " another name; ");
	number_add(t, c->sites_gained);
	text_add(t, " are new, ");
	number_add(t, c->sites_lost);
	text_add(t, " go.\n");
	if (c->other_id || c->other_keys || c->other_lan || c->other_carrier) {
		text_add(t, "Where the new sources say otherwise, what a site has stays: ");
		part_add(t, &first, c->other_id, "ids");
		part_add(t, &first, c->other_keys, "pairs of keys");
		part_add(t, &first, c->other_lan, "sites' networks");
		part_add(t, &first, c->other_carrier, "sites' carrier addresses");
		text_add(t, ".\n");
	}
	first = true;
	if (c->new_id || c->new_lan) {
		text_add(t, "What new sites want and others have is given anew: ");
		part_add(t, &first, c->new_id, "ids");
		part_add(t, &first, c->new_lan, "sites' networks");
		text_add(t, ".\n");
	}
	text_add(t, "\n");
}

void migrate_report_text(const struct migrate_report *r, const struct migrate_plan_counts *counts,
			 struct text *t)
{
	if (counts)
		plan_text(counts, t);
	text_add(t, "stage    sites                      links   nodes  operations  switching  "
		    "no spare  audit  mixtures\n");
	text_add(t, text_string(&r->table));
	if (r->details.length)
		text_printf(t, "\n%s", text_string(&r->details));
	if (r->refused)
		text_printf(t, "\nrefused: %zu of %zu\n", r->refused, r->stages);
}

void migrate_report_json(const struct migrate_report *r, const struct migrate_plan_counts *c,
			 struct text *t)
{
	text_printf(t, "{\"proven\":%s", r->refused ? "false" : "true");
	if (c)
		text_printf(t,
			    ",\"plan\":{\"sites_kept\":%zu,\"sites_gained\":%zu,\"sites_lost\":%zu,"
			    "\"moving\":%zu,\"renamed\":%zu,\"old_ids_kept\":%zu,"
			    "\"old_keys_kept\":%zu,\"old_lans_kept\":%zu,"
			    "\"old_carrier_addresses_kept\":%zu,\"new_ids_changed\":%zu,"
			    "\"new_lans_changed\":%zu}",
			    c->sites_kept, c->sites_gained, c->sites_lost, c->moving, c->renamed,
			    c->other_id, c->other_keys, c->other_lan, c->other_carrier, c->new_id,
			    c->new_lan);
	text_printf(t, ",\"stages\":[%s]}\n", text_string(&r->json));
}

void migrate_report_clear(struct migrate_report *r)
{
	text_clear(&r->table);
	text_clear(&r->details);
	text_clear(&r->json);
}
