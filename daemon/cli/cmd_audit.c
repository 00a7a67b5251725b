/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen audit`: does what the nodes will do agree with what topology and policy say? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/cli/proof.h"
#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/policies/audit.h"
#include "tuyen/policies/merkle.h"
#include "tuyen/policies/statement.h"

struct options {
	const char *release, *report, *csv, *moves;
	bool json, no_failures, canonical;
	struct load_options load;
};

/* What one run holds. */
struct run {
	const struct options *o;
	struct compiled compiled;
	struct states states;
	struct audit *audit;
	FILE *moves;
	bool terminal;
	struct reason reason;
};

static double now_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what it is about ----------------------------------------------------------------------- */

struct about {
	struct audit_about about;
	struct audit_source *sources;
	char (*digests)[SHA256_STRLEN];
	char made[RFC3339_STRLEN];
	char title[512];
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int64_t wall_clock(void)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	char *end;
	long long seconds = fixed ? strtoll(fixed, &end, 10) : -1;

	if (fixed && *fixed && !*end && seconds >= 0 && seconds <= RFC3339_MAX_S)
		return seconds;
	return (int64_t)time(NULL);
}

static int about_sources(struct about *a, const struct load *load)
{
	size_t count = load->sources.count;

	a->sources = calloc(count + 1, sizeof(*a->sources));
	a->digests = calloc(count + 1, sizeof(*a->digests));
	if (!a->sources || !a->digests)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct syntax_file *f = load->sources.files[i];
		uint8_t digest[SHA256_LEN];
		int err = sha256_digest(f->bytes, f->source.length, digest);

		if (err < 0)
			return err;
		hex_format(digest, SHA256_LEN, a->digests[i]);
		a->sources[i] = (struct audit_source){f->name, a->digests[i]};
	}
	a->about.sources = a->sources;
	a->about.source_count = count;
	return 0;
}

static int about_init(struct about *a, const struct run *r, double seconds)
{
	memset(a, 0, sizeof(*a));
	if (r->o->release)
		snprintf(a->title, sizeof(a->title), "%s, epoch %llu", r->o->release,
			 (unsigned long long)r->states.epoch);
	else
		snprintf(a->title, sizeof(a->title), "%zu sites, compiled now", r->states.count);
	a->about.title = a->title;
	a->about.made = rfc3339_format(wall_clock(), a->made);
	a->about.version = TUYEN_VERSION;
	a->about.seconds = seconds;
	return about_sources(a, &r->compiled.load);
}

static void about_clear(struct about *a)
{
	free(a->sources);
	free(a->digests);
}

/* A release is audited against the files that are named: they should be what it was made of. */
static void sources_compare(const struct run *r, const struct about *a)
{
	for (size_t i = 0; r->o->release && i < a->about.source_count; i++) {
		struct text line = {0};

		text_printf(&line, "%s %s\n", a->sources[i].digest, base_name(a->sources[i].name));
		if (!strstr(text_string(&r->states.sources), text_string(&line)))
			fprintf(stderr, "tuyen audit: note: the release was not made of this %s\n",
				a->sources[i].name);
		text_clear(&line);
	}
}

/* ---- failures as they are tried -------------------------------------------------------------- */

static void progress_show(void *context, size_t done, size_t total)
{
	const struct run *r = context;

	if (!r->terminal)
		return;
	if (done < total)
		fprintf(stderr, "\rsingle failures: %zu%% ", 100 * done / (total ? total : 1));
	else
		fprintf(stderr, "\r                      \r");
}

static void move_write(void *context, const struct audit_failure *f, const struct audit_session *s,
		       uint32_t before, uint32_t after)
{
	struct run *r = context;
	const struct network *n = &r->compiled.load.network;
	struct text name = {0}, line = {0};

	if (!r->moves)
		return;
	audit_failure_name(r->audit, f, &name);
	audit_csv_field(&line, text_string(&name), true);
	audit_csv_field(&line, n->sites[s->head].name, false);
	audit_csv_field(&line, n->sites[s->endpoint].name, false);
	audit_csv_field(&line, n->policies[s->policy].name, false);
	audit_csv_field(&line, audit_path_name(r->audit, before), false);
	audit_csv_field(&line, after == NETWORK_NONE ? "" : audit_path_name(r->audit, after),
			false);
	fprintf(r->moves, "%s\r\n", text_string(&line));
	text_clear(&name);
	text_clear(&line);
}

static int moves_open(struct run *r)
{
	if (!r->o->moves)
		return 0;
	r->moves = fopen(r->o->moves, "we");
	if (!r->moves)
		return reason_set(&r->reason, -TUYEN_ESYSTEM, "%s: %s", r->o->moves,
				  strerror(errno));
	fprintf(r->moves, "failure,site,endpoint,policy,path before,path after\r\n");
	return 0;
}

static int moves_close(struct run *r)
{
	bool bad = r->moves && ferror(r->moves);

	if (r->moves && (fclose(r->moves) != 0 || bad))
		return reason_set(&r->reason, -TUYEN_ESYSTEM, "%s: %s", r->o->moves,
				  strerror(errno));
	return 0;
}

/* ---- the audit ------------------------------------------------------------------------------ */

/* What cannot be read is one finding, and not all that would follow from a site that is not there. */
static int bundle_find(struct run *r, const struct states_bad *bad)
{
	struct text t = {0};
	int err;

	text_printf(&t, "%s%s", bad->why,
		    bad->kept ? "" : "; the rest is judged as if it were what the sources say");
	err = t.failed ? -TUYEN_ENOMEM : 0;
	if (!err)
		audit_add(r->audit, AUDIT_BUNDLE, bad->site_id, t.bytes);
	text_clear(&t);
	return err;
}

static int audit_run(struct run *r)
{
	struct executor executor = workers_executor(r->o->load.workers);
	int err = audit_new(&r->compiled.load.network, r->states.sites, r->states.count, &r->audit);

	if (err < 0)
		return err;
	for (size_t i = 0; i < r->states.bad_count && !err; i++)
		err = bundle_find(r, &r->states.bad[i]);
	if (err < 0)
		return err;
	audit_executor(r->audit, &executor);
	err = audit_prove(r->audit);
	audit_executor(r->audit, NULL);
	if (err < 0 || r->o->no_failures)
		return err;
	err = moves_open(r);
	if (!err)
		err = audit_failures(r->audit, progress_show, move_write, r);
	return moves_close(r) < 0 ? -TUYEN_ESYSTEM : err;
}

static int file_put(struct run *r, const char *path, const struct about *a,
		    void (*print)(const struct audit *, const struct audit_about *, struct text *))
{
	struct text t = {0};
	int err = 0;

	if (!path)
		return 0;
	print(r->audit, &a->about, &t);
	if (t.failed)
		err = -TUYEN_ENOMEM;
	else
		err = file_write(path, t.bytes, t.length, 0644, FILE_REPLACE, &r->reason);
	text_clear(&t);
	return err;
}

/* Another proof than this one: of other sources, other bundles, or by another version. */
static int statement_compare(const struct run *r)
{
	struct statement_audit now;
	int err;

	if (!r->o->release || !r->states.audit.clean)
		return 0;
	err = proof_statement(r->audit, &r->compiled.load, &now);
	if (!err && memcmp(now.digest, r->states.audit.digest, SHA256_LEN) != 0)
		fprintf(stderr,
			"tuyen audit: note: the release's statement is of another proof, by "
			"version %s\n",
			r->states.audit.version);
	return err;
}

static int document_print(const struct run *r)
{
	struct text t = {0};
	int err = proof_document(r->audit, &r->compiled.load, &t);

	if (!err)
		fputs(text_string(&t), stdout);
	text_clear(&t);
	return err;
}

static int audit_print(const struct run *r, const struct about *a)
{
	struct text t = {0}, shown = {0};
	int err;

	if (r->o->canonical)
		return document_print(r);
	(r->o->json ? audit_json : audit_text)(r->audit, &a->about, &t);
	text_add_shown(&shown, text_string(&t));
	err = t.failed || shown.failed ? -TUYEN_ENOMEM : 0;
	fputs(text_string(&shown), stdout);
	text_clear(&shown);
	text_clear(&t);
	return err;
}

static int output(struct run *r, double seconds)
{
	struct about a;
	int err = about_init(&a, r, seconds);

	if (!err) {
		sources_compare(r, &a);
		err = statement_compare(r);
	}
	if (!err)
		err = audit_print(r, &a);
	if (!err)
		err = file_put(r, r->o->report, &a, audit_html);
	if (!err)
		err = file_put(r, r->o->csv, &a, audit_csv);
	about_clear(&a);
	return err;
}

static int states_get(struct run *r)
{
	int err;

	if (!r->o->release)
		return states_compile(&r->compiled, r->o->load.workers, &r->states);
	err = states_read(r->o->release, &r->states, &r->reason);
	return err ? err : states_complete(&r->states, &r->compiled);
}

static int audit_files(struct run *r, const char *const *files, size_t count)
{
	double start;
	int err = compiled_load("audit", files, count, &r->o->load, false, &r->compiled);

	if (err < 0)
		return err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT;
	err = states_get(r);
	start = now_s(CLOCK_MONOTONIC);
	if (!err)
		err = audit_run(r);
	if (!err)
		err = output(r, now_s(CLOCK_MONOTONIC) - start);
	if (err < 0) {
		if (!r->reason.text[0])
			reason_set(&r->reason, err, "%s", tuyen_strerror(err));
		return cli_fail("audit", err, &r->reason);
	}
	return audit_findings_total(r->audit) ? CLI_INPUT : CLI_OK;
}

static int options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"release", required_argument, NULL, 'r'}, {"report", required_argument, NULL, 'h'},
	    {"csv", required_argument, NULL, 'c'},     {"moves", required_argument, NULL, 'm'},
	    {"json", no_argument, NULL, 'J'},	       {"canonical", no_argument, NULL, 'C'},
	    {"no-failures", no_argument, NULL, 'n'},   {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "W:j:", known, NULL)) >= 0) {
		if (option == 'r')
			o->release = optarg;
		else if (option == 'h')
			o->report = optarg;
		else if (option == 'c')
			o->csv = optarg;
		else if (option == 'm')
			o->moves = optarg;
		else if (option == 'J')
			o->json = true;
		else if (option == 'C')
			o->canonical = o->no_failures = true;
		else if (option == 'n')
			o->no_failures = true;
		else if (option == 'j'
			     ? workers_option("audit", optarg, &o->load.workers) < 0
			     : option != 'W' || load_option_warning("audit", optarg, &o->load) < 0)
			return CLI_SYSTEM;
	}
	if (optind < argc)
		return CLI_OK;
	fprintf(stderr, "usage: tuyen audit %s\n", cli_audit.usage);
	return CLI_SYSTEM;
}

static int run(int argc, char **argv)
{
	struct options o = {.load.workers = workers_default()};
	struct run r = {.o = &o, .terminal = isatty(STDERR_FILENO)};
	int code = options_read(argc, argv, &o);

	if (code != CLI_OK)
		return code;
	code = audit_files(&r, (const char *const *)argv + optind, (size_t)(argc - optind));
	audit_free(r.audit);
	states_clear(&r.states);
	compiled_clear(&r.compiled);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--release", "OUT", "the bundles of this release; else what the sources compile to"},
    {"--report", "FILE", "one HTML page to file and to print"},
    {"--csv", "FILE", "every pair that may talk, every failure, every site that it cuts off"},
    {"--moves", "FILE", "as CSV: for each failure, who goes on by which path, and who does not"},
    {"--no-failures", NULL, "only the network as it is"},
    {"-j", "N",
     "how many processors to use; else all that there are. What comes of it is the same"},
    {"--json", NULL, "one JSON document"},
    {"--canonical", NULL,
     "the JSON document whose SHA-256 stands in a release as `audit clean`; without "
     "failures"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_audit = {
    .name = "audit",
    .usage = "FILE... [--release OUT] [--report FILE.html] [--csv FILE] [--moves FILE] "
	     "[--no-failures] [-j N] [--json | --canonical]",
    .summary =
	"prove that what the nodes will do is what policy says, after any single failure too",
    .options = cli_options,
    .help =
	"Walks the compiled forwarding state of all sites, and compares it with topology and policy.\n"
	"A bundle that cannot be read is a finding; the rest is judged as if it were what the sources say.\n"
	"exit codes: 0 clean, 1 there are findings (or the sources are wrong), 2 the system failed\n",
    .run = run,
};
