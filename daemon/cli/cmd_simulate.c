/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen simulate`: the decisions of every site of a compiled country, on a virtual clock, under
 * faults. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiled.h"
#include "release_folder.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/core/simulate.h"

#define SCRIPT_BYTES_MAX (1u << 20)
#define DELAY_DEFAULT_US 2000u /* of a link whose delay nobody knows */
#define APPLY_US	 1000u
#define SECONDS_DEFAULT	 60u
#define SECONDS_RANDOM	 600u
#define FAILURES_DEFAULT 60u
#define RATE_DEFAULT	 10u

struct options {
	struct load_options load;
	struct simulate_options run;
	const char *scenario, *site, *script, *release;
	uint64_t seconds, seeds, failures_per_hour;
	bool json, time;
};

/* ---- options -------------------------------------------------------------------------- */

static bool number_take(const char *word, uint64_t max, uint64_t *ret_number)
{
	char *end;

	*ret_number = strtoull(word, &end, 10);
	return *word >= '0' && *word <= '9' && !*end && *ret_number <= max;
}

/* "1.5" of a hundred: 15000 of a million. */
static bool percent_take(const char *word, uint32_t *ret_ppm)
{
	char *end;
	double percent = strtod(word, &end);

	if (end == word || *end || !(percent >= 0 && percent <= 100))
		return false;
	*ret_ppm = (uint32_t)(percent * 10000 + 0.5);
	return true;
}

static bool number_option(struct options *o, int option, const char *word)
{
	static const struct {
		int option;
		uint64_t max;
	} limits[] = {{'d', UINT64_MAX}, {'n', 1000000},  {'t', SIMULATE_DURATION_MAX_US / 1000000},
		      {'f', 1000000},	 {'i', 10000000}, {'p', 1000000}};
	uint64_t number = 0;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].option == option && !number_take(word, limits[i].max, &number))
			return false;
	switch (option) {
	case 'd':
		o->run.seed = number;
		return true;
	case 'n':
		o->seeds = number;
		return number > 0;
	case 't':
		o->seconds = number;
		return number > 0;
	case 'f':
		o->failures_per_hour = number;
		return number > 0;
	case 'i':
		o->run.wire.jitter_us = (uint32_t)number;
		return true;
	case 'p':
		o->run.packets_per_second = (uint32_t)number;
		return true;
	default:
		return false;
	}
}

static bool option_take(struct options *o, int option, const char *word)
{
	switch (option) {
	case 's':
		o->scenario = word;
		return true;
	case 'a':
		o->site = word;
		return true;
	case 'x':
		o->script = word;
		return true;
	case 'r':
		o->release = word;
		return true;
	case 'l':
		return percent_take(word, &o->run.wire.loss_ppm);
	case 'o':
		return percent_take(word, &o->run.wire.reorder_ppm);
	case 'j':
		o->json = true;
		return true;
	case 'c':
		o->time = true;
		return true;
	case 'W':
		return load_option_warning("simulate", word, &o->load) == 0;
	default:
		return number_option(o, option, word);
	}
}

static bool is_random(const struct options *o)
{
	return o->scenario && !strcmp(o->scenario, "random");
}

static void defaults_fill(struct options *o)
{
	if (!o->scenario && !o->script)
		o->scenario = "random";
	if (!o->seconds)
		o->seconds = is_random(o) ? SECONDS_RANDOM : SECONDS_DEFAULT;
	o->run.duration_us = o->seconds * 1000000;
}

static bool options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"scenario", required_argument, NULL, 's'},
	    {"at", required_argument, NULL, 'a'},
	    {"script", required_argument, NULL, 'x'},
	    {"release", required_argument, NULL, 'r'},
	    {"seed", required_argument, NULL, 'd'},
	    {"seeds", required_argument, NULL, 'n'},
	    {"seconds", required_argument, NULL, 't'},
	    {"failures-per-hour", required_argument, NULL, 'f'},
	    {"jitter-us", required_argument, NULL, 'i'},
	    {"loss", required_argument, NULL, 'l'},
	    {"reorder", required_argument, NULL, 'o'},
	    {"rate", required_argument, NULL, 'p'},
	    {"json", no_argument, NULL, 'j'},
	    {"time", no_argument, NULL, 'c'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "W:", known, NULL)) >= 0)
		if (!option_take(o, option, optarg)) {
			if (option != '?' && option != 'W')
				fprintf(stderr, "tuyen simulate: '%s' is out of its range\n",
					optarg);
			return false;
		}
	defaults_fill(o);
	if ((optind < argc) != (o->release != NULL) && !(o->scenario && o->script))
		return true;
	fprintf(stderr, "usage: tuyen simulate %s\n", cli_simulate.usage);
	return false;
}

/* ---- the country ------------------------------------------------------------------------ */

static int delays_take(const struct network *n, struct simulation *s)
{
	for (size_t i = 0; i < n->link_count; i++) {
		const struct link *l = &n->links[i];

		if (l->delay_us)
			simulation_delay_set(s, n->sites[l->a].id,
					     n->sites[l->b].id + (l->parallel ? PARALLEL_ID : 0),
					     l->delay_us);
	}
	return 0;
}

static int sources_take(const struct options *o, const char *const *paths, size_t count,
			struct simulation *s, struct reason *reason)
{
	struct compiled c;
	int err = compiled_load("simulate", paths, count, &o->load, false, &c);

	for (uint32_t i = 0; !err && i < c.load.network.site_count; i++) {
		struct forwarding f;

		err = compile_site(c.result, i, &f);
		if (!err)
			err = simulation_add(s, &f);
	}
	if (!err)
		err = simulation_connect(s, DELAY_DEFAULT_US, reason);
	if (!err)
		err = delays_take(&c.load.network, s);
	compiled_clear(&c);
	return err;
}

static int bundle_take(const struct release_folder *folder, uint32_t site_id, const uint8_t *digest,
		       struct simulation *s, struct reason *reason)
{
	uint8_t found[SHA256_LEN];
	struct forwarding f;
	struct text bundle = {0};
	int err = release_folder_bundle(folder, site_id, &bundle, reason);

	if (!err)
		err = sha256_digest(bundle.bytes, bundle.length, found);
	if (!err && memcmp(found, digest, SHA256_LEN) != 0)
		err = reason_set(reason, -TUYEN_ESIGNATURE,
				 "bundle of site %u: not the one of the manifest", site_id);
	if (!err)
		err = forwarding_parse(bundle.bytes, bundle.length, &f, reason);
	if (!err)
		err = simulation_add(s, &f);
	text_clear(&bundle);
	return err;
}

static int release_take(const char *path, struct simulation *s, struct reason *reason)
{
	struct release_folder folder;
	uint8_t digest[SHA256_LEN];
	uint32_t site_id;
	size_t offset = 0;
	int err = release_folder_read(path, NULL, 0, &folder, reason), more;

	if (err)
		return err;
	while ((more = release_manifest_next(folder.manifest.bytes, folder.manifest.length, &offset,
					     &site_id, digest)) > 0 &&
	       !err)
		err = bundle_take(&folder, site_id, digest, s, reason);
	if (!err && more < 0)
		err = reason_set(reason, more, "%s: its manifest is damaged", path);
	release_folder_clear(&folder);
	return err ? err : simulation_connect(s, DELAY_DEFAULT_US, reason);
}

/* ---- faults ------------------------------------------------------------------------------ */

/* What is wrong with a script has its name before its line. */
static int script_name(const char *path, int err, struct reason *reason)
{
	struct reason inner = *reason;

	return err == -TUYEN_EINVAL ? reason_set(reason, err, "%s: %.400s", path, inner.text) : err;
}

static int script_take(const char *path, const struct simulation *s, struct simulate_events *events,
		       struct reason *reason)
{
	struct text script;
	int err;

	text_init(&script);
	err = file_read(path, SCRIPT_BYTES_MAX, 0, &script, reason);
	if (!err)
		err = script_name(
		    path, simulate_script_parse(s, text_string(&script), events, reason), reason);
	text_clear(&script);
	return err;
}

static int events_make(const struct options *o, uint64_t seed, const struct simulation *s,
		       struct simulate_events *events, struct reason *reason)
{
	uint32_t site = o->site ? simulation_site_find(s, o->site) : 0;

	if (o->site && !site)
		return reason_set(reason, -TUYEN_EINVAL, "no site '%s'", o->site);
	if (o->script)
		return script_take(o->script, s, events, reason);
	if (is_random(o))
		return simulate_random_make(s, seed, o->run.duration_us,
					    (uint32_t)o->failures_per_hour, events);
	return simulate_scenario_make(s, o->scenario, site, events, reason);
}

/* ---- what is said ------------------------------------------------------------------------- */

#define EVENTS_SHOWN 12

static void events_text(const struct simulation *s, const struct simulate_events *events,
			struct text *t)
{
	for (size_t i = 0; i < events->count && i < EVENTS_SHOWN; i++) {
		text_printf(t, "  at %llu.%03llu s  ",
			    (unsigned long long)events->entries[i].at.us / 1000000,
			    (unsigned long long)events->entries[i].at.us / 1000 % 1000);
		simulate_event_print(s, &events->entries[i], t);
		text_add_char(t, '\n');
	}
	if (!events->count)
		text_add(t, "  nothing fails in this run\n");
	if (events->count > EVENTS_SHOWN)
		text_printf(t, "  and %zu more\n", events->count - EVENTS_SHOWN);
	text_add_char(t, '\n');
}

static void events_json(const struct simulation *s, const struct simulate_events *events,
			struct text *t)
{
	text_add(t, ",\"events\":[");
	for (size_t i = 0; i < events->count; i++) {
		struct text what;

		text_init(&what);
		simulate_event_print(s, &events->entries[i], &what);
		text_printf(t, "%s{\"at_us\":%llu,\"what\":", i ? "," : "",
			    (unsigned long long)events->entries[i].at.us);
		text_add_json_string(t, text_string(&what));
		text_add_char(t, '}');
		text_clear(&what);
	}
	text_add(t, "]}");
}

static size_t faults_count(const struct simulate_events *events)
{
	size_t count = 0;

	for (size_t i = 0; i < events->count; i++)
		count += !simulate_event_heals(&events->entries[i]);
	return count;
}

/* Behind what is lost a '+' where chance lost more. */
static void row_text(const struct simulate_result *r, const struct simulate_events *events,
		     struct text *t)
{
	text_printf(t, "%8llu %9zu %10zu %9llu %9.1f ms %9.1f ms %10llu%s %*zu\n",
		    (unsigned long long)r->seed, faults_count(events), r->sites_hit,
		    (unsigned long long)r->switches, (double)r->outages.p50_us / 1000,
		    (double)r->outages.max_us / 1000, (unsigned long long)r->packets_lost,
		    r->loses_by_chance ? "+" : "", r->loses_by_chance ? 6 : 7, r->breach_count);
}

static void run_say(const struct options *o, const struct simulation *s,
		    const struct simulate_result *r, const struct simulate_events *events)
{
	struct text t;

	text_init(&t);
	if (o->json) {
		text_printf(&t, "{\"ok\":%s,\"scenario\":", r->breach_count ? "false" : "true");
		text_add_json_string(&t, o->scenario ? o->scenario : "script");
		text_add_char(&t, ',');
		simulate_print_json(s, r, &t);
		events_json(s, events, &t);
		text_add_char(&t, '\n');
	} else if (o->seeds > 1) {
		row_text(r, events, &t);
	} else {
		text_printf(&t, "%s\n", o->scenario ? o->scenario : o->script);
		events_text(s, events, &t);
		simulate_print(s, r, &t);
	}
	fputs(text_string(&t), stdout);
	fflush(stdout);
	text_clear(&t);
}

/* ---- the runs ------------------------------------------------------------------------------ */

static int event_compare(const void *a, const void *b)
{
	const struct simulate_event *x = a, *y = b;

	if (x->at.us != y->at.us)
		return x->at.us < y->at.us ? -1 : 1;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

/* Of all runs. */
struct verdict {
	size_t breaches, judged;
};

static int run_once(const struct options *o, uint64_t seed, struct simulation *s,
		    struct verdict *verdict, struct reason *reason)
{
	struct simulate_options run = o->run;
	struct simulate_result r;
	struct simulate_events events;
	int err;

	run.seed = seed;
	simulate_events_init(&events);
	err = events_make(o, seed, s, &events, reason);
	if (events.count > 1)
		qsort(events.entries, events.count, sizeof(*events.entries), event_compare);
	if (!err) {
		err = simulation_run(s, &run, &events, &r, reason);
		if (o->script)
			err = script_name(o->script, err, reason);
	}
	if (!err) {
		verdict->breaches += r.breach_count;
		verdict->judged = r.rules_judged;
		run_say(o, s, &r, &events);
	}
	simulate_events_clear(&events);
	return err;
}

static void verdict_say(const struct options *o, const struct verdict *v)
{
	printf("%llu seeds, %zu broken promises", (unsigned long long)o->seeds, v->breaches);
	if (v->judged < SIMULATE_RULES)
		printf("; %zu of %d were judged", v->judged, SIMULATE_RULES);
	putchar('\n');
}

static void time_say(const struct options *o, const struct timespec *begin,
		     const struct timespec *end)
{
	double took =
	    (double)(end->tv_sec - begin->tv_sec) + (double)(end->tv_nsec - begin->tv_nsec) / 1e9;
	double virtual = (double)o->seconds * (double)o->seeds;

	if (o->time)
		fprintf(stderr, "%.0f virtual seconds in %.2f s: %.0f a second\n", virtual, took,
			virtual / (took > 0 ? took : 1e-9));
}

static int runs(const struct options *o, struct simulation *s, struct reason *reason)
{
	struct timespec begin, end;
	struct verdict verdict = {0};
	int err = 0;

	if (o->seeds > 1 && !o->json)
		puts("    seed  failures  sites hit  switches   outage p50          max       lost "
		     " broken");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (uint64_t i = 0; i < o->seeds && !err; i++)
		err = run_once(o, o->run.seed + i, s, &verdict, reason);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (err)
		return cli_fail("simulate", err, reason);
	if (o->seeds > 1 && !o->json)
		verdict_say(o, &verdict);
	time_say(o, &begin, &end);
	return verdict.breaches ? CLI_INPUT : CLI_OK;
}

static int simulate_run(int argc, char **argv)
{
	struct options o = {
	    .run = {.seed = 1, .apply_us = APPLY_US, .packets_per_second = RATE_DEFAULT},
	    .seeds = 1,
	    .failures_per_hour = FAILURES_DEFAULT};
	struct reason reason = {0};
	struct simulation *s;
	int err, code;

	if (!options_read(argc, argv, &o))
		return CLI_SYSTEM;
	s = simulation_new();
	if (!s)
		err = -TUYEN_ENOMEM;
	else if (o.release)
		err = release_take(o.release, s, &reason);
	else
		err = sources_take(&o, (const char *const *)argv + optind, (size_t)(argc - optind),
				   s, &reason);
	if (err == -TUYEN_EINVAL && !reason.text[0])
		code = CLI_INPUT; /* said already, with places */
	else
		code = err ? cli_fail("simulate", err, &reason) : runs(&o, s, &reason);
	simulation_free(s);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--scenario", "random|province-cut|gateway-lost|bad-release|lte-only",
     "what happens; default random"},
    {"--at", "SITE", "where; else the site that most paths depend on"},
    {"--script", "FILE", "\"at 10s cut link A B; at 20s heal link A B; at 30s kill site X;\""},
    {"--seed", "N", "of all chance; default 1"},
    {"--seeds", "N", "so many runs, one line each"},
    {"--seconds", "N", "of virtual time; default 60, random 600"},
    {"--failures-per-hour", "N", "random: in the whole country; default 60"},
    {"--jitter-us", "N", "a packet is late by 0 to N us on each link"},
    {"--loss", "PERCENT", "is lost on each link"},
    {"--reorder", "PERCENT", "takes twice a link's delay"},
    {"--rate", "N", "packets a second of each session, to say what is lost; default 10"},
    {"--release", "OUT", "the bundles of a release folder instead of sources"},
    {"--json", NULL, "one JSON document a run"},
    {"--time", NULL, "to standard error: virtual seconds a second"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_simulate = {
    .name = "simulate",
    .usage = "[--scenario NAME [--at SITE] | --script FILE] [--seed N] [--seeds N] [--seconds N]\n"
	     "                      [--failures-per-hour N] [--jitter-us N] [--loss PERCENT]\n"
	     "                      [--reorder PERCENT] [--rate N] [--json] [--time] "
	     "FILE... | --release OUT",
    .summary = "let links and sites fail on a virtual clock, and see how long each site is out",
    .options = cli_options,
    .help =
	"S-BFD and path selection are the daemon's own code, run for every site over the compiled\n"
	"labels. The same input and seed give the same output. Exits 1 when a promise is broken, and\n"
	"when nothing could be tried. What a script or scenario does must lie within --seconds. With\n"
	"--loss fewer promises are judged, and what chance loses is not counted.\n",
    .run = simulate_run,
};
