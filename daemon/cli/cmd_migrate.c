/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen migrate`: from one country to another in stages, each proven for every mixture of nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/proof.h"
#include "daemon/cli/states.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/core/operations.h"
#include "tuyen/policies/migrate_report.h"

#define FINDINGS_SHOWN 5

struct options {
	const char **words[2]; /* a release's folder, or sources: owned */
	size_t count[2];
	bool sources, json, all;
	const char *out;
	enum migrate_same same;
};

/* What is before and after a change. */
struct run {
	const struct options *o;
	struct compiled compiled[2];
	struct states states[2];
	struct migrate_plan *plan;
	struct migrate_report report;
	struct reason reason;
};

/* ---- options ------------------------------------------------------------------------------- */

static bool same_read(const char *word, enum migrate_same *ret)
{
	static const struct {
		const char *word;
		enum migrate_same same;
	} words[] = {
	    {"keys", MIGRATE_SAME_KEYS}, {"name", MIGRATE_SAME_NAME}, {"id", MIGRATE_SAME_ID}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].word, word)) {
			*ret = words[i].same;
			return true;
		}
	return false;
}

/* @return how many words it took; 0: none that is known. */
static int option_read(struct options *o, char **word, const char *value, int *side)
{
	if (!strcmp(*word, "--old") || !strcmp(*word, "--new")) {
		*side = (*word)[2] == 'n';
		o->sources = true;
	} else if (!strcmp(*word, "--json")) {
		o->json = true;
	} else if (!strcmp(*word, "--all")) {
		o->all = true;
	} else if (!strcmp(*word, "-o") || !strcmp(*word, "--output")) {
		o->out = value;
		return value ? 2 : 0;
	} else if (!strcmp(*word, "--same")) {
		return value && same_read(value, &o->same) ? 2 : 0;
	} else {
		return 0;
	}
	return 1;
}

static bool options_words(int argc, char **argv, struct options *o)
{
	int side = 0;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			int took =
			    option_read(o, &argv[i], i + 1 < argc ? argv[i + 1] : NULL, &side);

			if (!took) {
				fprintf(stderr,
					"tuyen migrate: what is '%s'? try: tuyen migrate --help\n",
					argv[i]);
				return false;
			}
			i += took - 1;
			continue;
		}
		o->words[side][o->count[side]++] = argv[i];
		if (!o->sources && side == 0)
			side = 1;
	}
	return true;
}

static bool options_read(int argc, char **argv, struct options *o)
{
	o->words[0] = calloc((size_t)argc, sizeof(char *));
	o->words[1] = calloc((size_t)argc, sizeof(char *));
	if (!o->words[0] || !o->words[1] || !options_words(argc, argv, o))
		return false;
	if (o->count[0] && o->count[1] && (o->sources || (o->count[1] == 1 && !o->out)))
		return true;
	fprintf(stderr, "usage: tuyen migrate %s\n", cli_migrate.usage);
	return false;
}

/* ---- one change ------------------------------------------------------------------------------- */

static size_t links_count(const struct states *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		count += s->sites[i].neighbor_count;
	return count / 2;
}

static struct diff_side side_of(const struct states *s)
{
	return (struct diff_side){s->sites, s->count};
}

/* How many nodes get other bundles, and what their kernels need. A site that is gone is told nothing. */
static int change_count(struct run *r, struct migrate_facts *f)
{
	struct diff *d = NULL;
	int err = diff_new(side_of(&r->states[0]), side_of(&r->states[1]), false, &d);

	for (size_t i = 0; !err && i < diff_site_count(d); i++) {
		struct diff_site site = diff_site(d, i);
		size_t count = 0;

		if (!site.after)
			continue;
		f->nodes_changed++;
		err = operations_count(site.before, site.after, &count, &r->reason);
		f->operations += count;
	}
	diff_free(d);
	return err;
}

static int change_prove(struct run *r, struct migrate_facts *f, unsigned flags)
{
	struct migrate_proof *proof = NULL;
	int err = change_count(r, f);

	f->sites = r->states[1].count;
	f->links = links_count(&r->states[1]);
	if (!err)
		err = migrate_prove(side_of(&r->states[0]), side_of(&r->states[1]), flags, &proof);
	if (!err)
		migrate_report_stage(&r->report, f, proof);
	migrate_proof_free(proof);
	return err;
}

/* ---- at once ---------------------------------------------------------------------------------- */

static int side_read(struct run *r, int i)
{
	const struct options *o = r->o;
	int err;

	if (!o->sources) {
		err = states_read(o->words[i][0], &r->states[i], &r->reason);
		if (!err && r->states[i].bad_count)
			err = reason_set(&r->reason, -TUYEN_EINVAL, "%s", r->states[i].bad[0].why);
		return err;
	}
	err = compiled_load("migrate", o->words[i], o->count[i], NULL, false, &r->compiled[i]);
	if (err < 0)
		return reason_set(&r->reason, err, "the %s sources are wrong", i ? "new" : "old");
	return states_compile(&r->compiled[i], 1, &r->states[i]);
}

static int at_once(struct run *r)
{
	struct migrate_facts f = {.name = ""};
	int err = side_read(r, 0);

	if (!err)
		err = side_read(r, 1);
	return err ? err : change_prove(r, &f, 0);
}

/* ---- in stages -------------------------------------------------------------------------------- */

static struct migrate_country country_of(const struct load *l)
{
	return (struct migrate_country){
	    .network = &l->network,
	    .files = (const struct syntax_file *const *)l->sources.files,
	    .file_count = l->sources.count,
	};
}

/* "DIR/1-make.topology" */
static void stage_file(const struct run *r, enum migrate_stage stage, const char *kind,
		       struct text *ret)
{
	text_printf(ret, "%s/%d-%s.%s", r->o->out, migrate_plan_number(r->plan, stage),
		    migrate_stage_name(stage), kind);
}

static int stage_write(struct run *r, enum migrate_stage stage, const char *topology_path,
		       const char *policy_path)
{
	struct text topology = {0}, policy = {0};
	int err = migrate_plan_stage(r->plan, stage, &topology, &policy, &r->reason);

	if (!err)
		err = file_write(topology_path, topology.bytes, topology.length, 0644, FILE_REPLACE,
				 &r->reason);
	if (!err)
		err = file_write(policy_path, policy.bytes, policy.length, 0644, FILE_REPLACE,
				 &r->reason);
	text_clear(&topology);
	text_clear(&policy);
	return err;
}

/* Read again from the files, as whoever signs them will. */
static int stage_compile(struct run *r, enum migrate_stage stage, const char *topology,
			 const char *policy, struct proof *proof)
{
	static const struct load_options no_warnings = {.ignore = {""}, .ignore_count = 1};
	const char *files[2] = {topology, policy};
	int err = compiled_load("migrate", files, 2, &no_warnings, false, &r->compiled[1]);

	if (err < 0)
		return reason_set(&r->reason, err, "stage %d (%s) does not compile",
				  migrate_plan_number(r->plan, stage), migrate_stage_name(stage));
	err = proof_make(&r->compiled[1], 1, proof);
	if (!err) {
		r->states[1] = proof->states;
		proof->states = (struct states){0};
	}
	return err;
}

/* What was after is before the next. */
static void stage_next(struct run *r, struct proof *proof)
{
	proof_clear(proof);
	states_clear(&r->states[0]);
	compiled_clear(&r->compiled[1]);
	r->compiled[1] = (struct compiled){0};
	r->states[0] = r->states[1];
	r->states[1] = (struct states){0};
}

static int stage_make(struct run *r, enum migrate_stage stage)
{
	struct text topology = {0}, policy = {0};
	struct proof proof = {0};
	struct migrate_facts f = {.name = migrate_stage_name(stage)};
	int err;

	stage_file(r, stage, "topology", &topology);
	stage_file(r, stage, "policy", &policy);
	f.topology = text_string(&topology);
	f.policy = text_string(&policy);
	err = stage_write(r, stage, f.topology, f.policy);
	if (!err)
		err = stage_compile(r, stage, f.topology, f.policy, &proof);
	if (!err) {
		f.audit_findings = audit_findings_total(proof.audit);
		f.audit_first = f.audit_findings ? audit_finding(proof.audit, 0)->text : NULL;
		err = change_prove(r, &f, stage == MIGRATE_END ? MIGRATE_POLICY_CHANGES : 0);
	}
	stage_next(r, &proof);
	text_clear(&topology);
	text_clear(&policy);
	return err;
}

/* What an earlier try left: its stages may have other numbers. */
static void stages_forget(const struct run *r)
{
	static const char *const kinds[] = {"topology", "policy"};

	for (int care = 0; care < MIGRATE_CARES; care++) {
		migrate_plan_care(r->plan, (enum migrate_care)care);
		for (int i = 0; i < 2 * MIGRATE_STAGES; i++) {
			struct text path = {0};

			stage_file(r, (enum migrate_stage)(i / 2), kinds[i % 2], &path);
			unlink(text_string(&path));
			text_clear(&path);
		}
	}
}

static int stages_make(struct run *r, enum migrate_care care)
{
	int err = 0;

	stages_forget(r);
	migrate_plan_care(r->plan, care);
	for (int s = 0; s < MIGRATE_STAGES && !err; s++)
		if (migrate_plan_has(r->plan, (enum migrate_stage)s))
			err = stage_make(r, (enum migrate_stage)s);
	return err;
}

/* More carefully, from the beginning. */
static int stages_again(struct run *r, enum migrate_care care)
{
	migrate_report_clear(&r->report);
	r->report = (struct migrate_report){.findings_max = r->o->all ? 0 : FINDINGS_SHOWN};
	states_clear(&r->states[0]);
	return states_compile(&r->compiled[0], 1, &r->states[0]) ? -TUYEN_ENOMEM
								 : stages_make(r, care);
}

static int plan_make(struct run *r)
{
	struct migrate_country old, new;
	struct load load;
	int err = load_network(r->o->words[1], r->o->count[1], NULL, &load);

	if (err < 0) {
		load_clear(&load);
		return reason_set(&r->reason, err, "the new sources are wrong");
	}
	old = country_of(&r->compiled[0].load);
	new = country_of(&load);
	err = migrate_plan_new(&old, &new, r->o->same, &r->plan, &r->reason);
	if (!err)
		err = stages_make(r, MIGRATE_CARE_NONE);
	for (int care = MIGRATE_CARE_NONE + 1; care < MIGRATE_CARES && !err && r->report.refused;
	     care++)
		err = stages_again(r, (enum migrate_care)care);
	load_clear(&load);
	return err;
}

static int in_stages(struct run *r)
{
	int err = folder_make(r->o->out, 0755, &r->reason);

	if (!err)
		err = side_read(r, 0);
	return err ? err : plan_make(r);
}

/* ---- all of it -------------------------------------------------------------------------------- */

static int print(const struct run *r)
{
	struct migrate_plan_counts counts = {0};
	struct text t = {0}, shown = {0};
	bool failed;

	if (r->plan)
		counts = migrate_plan_counts(r->plan);
	(r->o->json ? migrate_report_json : migrate_report_text)(&r->report,
								 r->plan ? &counts : NULL, &t);
	text_add_shown(&shown, text_string(&t));
	fputs(text_string(&shown), stdout);
	failed = t.failed || shown.failed;
	text_clear(&shown);
	text_clear(&t);
	return failed ? CLI_SYSTEM : r->report.refused ? CLI_INPUT : CLI_OK;
}

static int run_options(const struct options *o)
{
	struct run r = {.o = o, .report = {.findings_max = o->all ? 0 : FINDINGS_SHOWN}};
	int err = o->out ? in_stages(&r) : at_once(&r), code;

	if (err < 0) {
		if (!r.reason.text[0])
			reason_set(&r.reason, err, "%s", tuyen_strerror(err));
		code = cli_fail("migrate", err, &r.reason);
	} else {
		code = print(&r);
	}
	migrate_plan_free(r.plan);
	migrate_report_clear(&r.report);
	for (int i = 0; i < 2; i++) {
		states_clear(&r.states[i]);
		compiled_clear(&r.compiled[i]);
	}
	return code;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	int code = options_read(argc, argv, &o) ? run_options(&o) : CLI_SYSTEM;

	free(o.words[0]);
	free(o.words[1]);
	return code;
}

static const struct cli_option cli_options[] = {
    {"OLD, NEW", NULL, "folders of two releases: prove the change from one to the other"},
    {"--old", "FILE...", "sources instead, compiled now"},
    {"--new", "FILE...", "those of the other side"},
    {"-o, --output", "DIR",
     "write the sources of the stages join, make, move, where need be leave, and break into DIR, "
     "and prove each"},
    {"--same", "keys|name|id",
     "what makes a site of the new country an old one: the same link key, name or id; else "
     "keys where both sides have them, and names where not"},
    {"--all", NULL, "every finding, not the first few"},
    {"--json", NULL, "one JSON document, with the sites that change a path"},
    {0},
};

const struct cli_command cli_migrate = {
    .name = "migrate",
    .usage =
	"OLD NEW | --old FILE... --new FILE... [-o DIR [--same keys|name|id]] [--all] [--json]",
    .summary = "go from one country to another in stages, each proven for every mixture of nodes",
    .options = cli_options,
    .help =
	"Proven is: whichever nodes have the new release already, no site that stays loses its path\n"
	"in use, and nothing is let through that neither release lets through.\n"
	"\n"
	"exit codes: 0 proven, 1 refused (or a side cannot be read), 2 the system failed\n",
    .run = run,
};
