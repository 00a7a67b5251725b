/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen generate national`: a whole country's topology and policy, from counts or from a table of
 * units. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/cli/load.h"
#include "tuyen/policies/generate.h"

struct options {
	struct generate_counts counts;
	struct generate_options how;
	const char *units, *out;
	bool keys, json;
};

struct result {
	struct generate_units units;
	struct generate_plan plan;
	struct reason reason;
};

static bool number_read(const char *s, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || v > max)
		return false;
	*ret = v;
	return true;
}

/* @return whether @value is a number that option @name may have. */
static bool number_option(struct options *o, int name, const char *value)
{
	const struct {
		int name;
		uint32_t *field;
		uint64_t low, high;
	} fields[] = {
	    {'p', &o->counts.provinces, 1, GENERATE_PROVINCES_MAX},
	    {'d', &o->counts.districts, 0, GENERATE_DISTRICTS_MAX},
	    {'c', &o->counts.communes, 0, GENERATE_COMMUNES_MAX},
	    {'g', &o->how.gateways, 1, GENERATE_GATEWAYS_MAX},
	    {'n', &o->how.colors, 1, GENERATE_COLORS_MAX},
	};
	uint64_t v;

	if (name == 's')
		return number_read(value, UINT64_MAX, &o->how.seed);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].name != name)
			continue;
		if (!number_read(value, fields[i].high, &v) || v < fields[i].low)
			return false;
		*fields[i].field = (uint32_t)v;
		return true;
	}
	return false;
}

static bool option_take(struct options *o, int option)
{
	switch (option) {
	case 'o':
		o->out = optarg;
		return true;
	case 'u':
		o->units = optarg;
		return true;
	case 'k':
		o->keys = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	default:
		return option != '?' && number_option(o, option, optarg);
	}
}

static bool options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"provinces", required_argument, NULL, 'p'},
	    {"districts", required_argument, NULL, 'd'},
	    {"communes", required_argument, NULL, 'c'},
	    {"gateways", required_argument, NULL, 'g'},
	    {"colors", required_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 's'},
	    {"units", required_argument, NULL, 'u'},
	    {"keys", no_argument, NULL, 'k'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "o:", known, &index)) >= 0) {
		if (option_take(o, option))
			continue;
		if (option != '?')
			fprintf(stderr, "tuyen generate: --%s %s: out of range\n",
				known[index].name, optarg);
		return false;
	}
	if (argc - optind == 1 && !strcmp(argv[optind], "national") && o->out &&
	    !o->units != !o->counts.provinces)
		return true;
	fprintf(stderr, "usage: tuyen generate %s\n", cli_generate.usage);
	return false;
}

/* ---- making ------------------------------------------------------------------------- */

static int diags_say(struct diag_list *diags, int err)
{
	struct text t;

	text_init(&t);
	diag_list_print(diags, &t);
	fputs(text_string(&t), stderr);
	text_clear(&t);
	return err;
}

static int units_load(const struct options *o, struct text *bytes, struct diag_source *source,
		      struct diag_list *diags, struct result *r)
{
	int err = file_read(o->units, DIAG_SOURCE_MAX, 0, bytes, &r->reason);

	if (err)
		return err;
	err = diag_source_init(source, o->units, bytes->bytes, bytes->length);
	return err ? err : generate_units_read(source, diags, &r->units);
}

static int country_plan(const struct options *o, struct result *r)
{
	struct text bytes;
	struct diag_source source = {0};
	struct diag_list diags;
	int err;

	text_init(&bytes);
	diag_list_init(&diags);
	err = o->units ? units_load(o, &bytes, &source, &diags, r)
		       : generate_units_invent(&o->counts, &r->units, &r->reason);
	if (!err)
		err = generate_plan(&r->units, &o->how, &diags, &r->plan);
	if (diags.error_count)
		diags_say(&diags, err);
	diag_list_clear(&diags);
	diag_source_clear(&source);
	text_clear(&bytes);
	return err;
}

static int put(const struct options *o, const char *name, struct text *t, struct result *r)
{
	struct text path;
	int err = t->failed ? -TUYEN_ENOMEM : 0;

	text_init(&path);
	text_printf(&path, "%s/%s", o->out, name);
	if (!err && !path.failed)
		err = file_write(path.bytes, t->bytes, t->length, 0644, FILE_REPLACE, &r->reason);
	text_clear(&path);
	text_reset(t);
	return err;
}

static int files_put(const struct options *o, struct result *r, struct text *t)
{
	int err = folder_make(o->out, 0755, &r->reason);

	if (err)
		return err;
	err = generate_topology(&r->units, &r->plan, &o->how, t);
	if (!err)
		err = put(o, "national.topology", t, r);
	if (err)
		return err;
	err = generate_policy(&r->units, &o->how, t);
	if (!err)
		err = put(o, "national.policy", t, r);
	if (err || !o->keys)
		return err;
	err = generate_fake_keys(&r->units, &r->plan, &o->how, t);
	return err ? err : put(o, "national.keys", t, r);
}

static void summary_print(const struct options *o, const struct result *r)
{
	uint32_t counts[GENERATE_TIERS_MAX] = {0};
	struct text t;

	for (size_t i = 0; i < r->units.count; i++)
		counts[r->units.units[i].tier]++;
	text_init(&t);
	if (o->json)
		text_add(&t, "{\"out\":");
	if (o->json)
		text_add_json_string(&t, o->out);
	else
		text_add(&t, o->out);
	text_printf(&t,
		    o->json ? ",\"sites\":%zu,\"tiers\":[[\"npdc\",%u]" : ": %zu sites: %u npdc",
		    r->units.count + o->how.gateways, o->how.gateways);
	for (size_t i = 0; i < r->units.tier_count; i++) {
		if (o->json) {
			text_add(&t, ",[");
			text_add_json_string(&t, r->units.tiers[i]);
			text_printf(&t, ",%u]", counts[i]);
		} else {
			text_printf(&t, ", %u %s", counts[i], r->units.tiers[i]);
		}
	}
	text_printf(&t, o->json ? "],\"fake_keys\":%s}\n" : "%s\n",
		    o->json ? (o->keys ? "true" : "false") : (o->keys ? " (with FAKE keys)" : ""));
	fputs(text_string(&t), stdout);
	text_clear(&t);
}

static int generate_run(int argc, char **argv)
{
	struct options o = {.how = {.gateways = 2, .colors = 3, .seed = 1}};
	struct result r = {0};
	struct text t;
	int err, code = CLI_OK;

	if (!options_read(argc, argv, &o))
		return CLI_SYSTEM;
	text_init(&t);
	err = country_plan(&o, &r);
	if (!err)
		err = files_put(&o, &r, &t);
	if (!err)
		summary_print(&o, &r);
	else if (err == -TUYEN_EINVAL && !r.reason.text[0])
		code = CLI_INPUT; /* said already, with places */
	else
		code = cli_fail("generate", err, &r.reason);
	text_clear(&t);
	generate_plan_clear(&r.plan);
	generate_units_clear(&r.units);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--units", "FILE",
     "a table of administrative units, tabs between code, parent_code, tier and name"},
    {"--provinces", "N", "an invented country of so many"},
    {"--districts", "N", "of it, altogether"},
    {"--communes", "N", "of it, altogether"},
    {"--gateways", "N", "of the data centre, 1 to 3, in one LAN; default 2"},
    {"--colors", "N", "policies, 1 to 3; default 3"},
    {"--seed", "N", "which communes have LTE alone, and the fake keys; default 1"},
    {"--keys", NULL,
     "also FAKE public keys, for tests and benchmarks: nobody has the private halves"},
    {"--json", NULL, "the summary as JSON"},
    {"-o", "DIR", "national.topology, national.policy and national.keys go there"},
    {0},
};

const struct cli_command cli_generate = {
    .name = "generate",
    .usage = "national (--units FILE | --provinces N --districts N --communes N) [--gateways N]\n"
	     "                      [--colors N] [--seed N] [--keys] [--json] -o DIR",
    .summary = "write a whole country, from counts or from a table of its units",
    .options = cli_options,
    .choices = "national",
    .help =
	"The same input gives the same bytes, canonical for `tuyen fmt --check`. A site's id and\n"
	"network come from its unit's code, see tuyen-generate(1). Exits 1 on a bad table.\n",
    .run = generate_run,
};
