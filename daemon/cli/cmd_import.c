/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen import`: a spreadsheet of sites becomes topology text. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/cli/load.h"
#include "tuyen/policies/import.h"

struct options {
	const char *csv, *out;
	char *tiers; /* cut at its commas */
	bool json;
};

static bool options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"tiers", required_argument, NULL, 't'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:", known, NULL)) >= 0) {
		if (option == 'j')
			o->json = true;
		else if (option == 't')
			o->tiers = optarg;
		else if (option == 'o')
			o->out = optarg;
		else
			return false;
	}
	o->csv = argv[optind];
	if (argc - optind == 1)
		return true;
	fprintf(stderr, "usage: tuyen import %s\n", cli_import.usage);
	return false;
}

static size_t tiers_cut(char *list, const char **tiers)
{
	size_t count = 0;

	for (char *word = list ? strtok(list, ",") : NULL; word && count <= IMPORT_TIERS_MAX;
	     word = strtok(NULL, ","))
		tiers[count++] = word;
	return count;
}

static void summary_json(const struct options *o, const struct import_summary *s, int err,
			 struct diag_list *diags, struct text *t)
{
	text_printf(t, "{\"ok\":%s,", err ? "false" : "true");
	if (!err)
		text_printf(t,
			    "\"sites\":%zu,\"uplinks\":%zu,\"lans\":%zu,\"keys\":%zu,\"tiers\":%zu,"
			    "\"underlays\":%zu,",
			    s->sites, s->uplinks, s->lans, s->keys, s->tier_count,
			    s->underlay_count);
	if (o->out && !err) {
		text_add(t, "\"out\":");
		text_add_json_string(t, o->out);
		text_add_char(t, ',');
	}
	text_printf(t, "\"errors\":%zu,\"warnings\":%zu,\"diagnostics\":", diags->error_count,
		    diags->warning_count);
	diag_list_print_json(diags, t);
	text_add(t, "}\n");
}

static int result_say(const struct options *o, const struct import_summary *s, int err,
		      struct diag_list *diags, const struct text *topology)
{
	struct reason reason = {0};
	struct text t;

	text_init(&t);
	if (o->json)
		summary_json(o, s, err, diags, &t);
	else
		diag_list_print(diags, &t);
	fputs(text_string(&t), o->json ? stdout : stderr);
	text_clear(&t);
	if (err)
		return diags->error_count ? CLI_INPUT : cli_fail("import", err, &reason);
	if (o->out)
		err = file_write(o->out, topology->bytes, topology->length, 0644, FILE_REPLACE,
				 &reason);
	else if (!o->json)
		fputs(text_string(topology), stdout);
	return err ? cli_fail("import", err, &reason) : CLI_OK;
}

static int source_import(const struct options *o, const char *bytes, size_t length)
{
	const char *tiers[IMPORT_TIERS_MAX + 1];
	struct import_summary summary = {0};
	struct diag_source source;
	struct diag_list diags;
	struct text topology;
	int err, code;

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3; /* so that columns are those that a spreadsheet's user sees */
		length -= 3;
	}
	err = diag_source_init(&source, o->csv, bytes, length);
	if (err)
		return cli_fail("import", err, &(struct reason){0});
	diag_list_init(&diags);
	text_init(&topology);
	err = import_sites(&source, tiers, tiers_cut(o->tiers, tiers), &diags, &topology, &summary);
	code = result_say(o, &summary, err, &diags, &topology);
	text_clear(&topology);
	diag_list_clear(&diags);
	diag_source_clear(&source);
	return code;
}

static int import_run(int argc, char **argv)
{
	struct options o = {0};
	struct reason reason = {0};
	char *bytes;
	size_t length;
	int err, code;

	if (!options_read(argc, argv, &o))
		return CLI_SYSTEM;
	err = load_file(NULL, o.csv, &bytes, &length, &reason);
	if (err < 0) {
		fprintf(stderr, "tuyen import: %s: %s\n", o.csv, reason.text);
		return CLI_SYSTEM;
	}
	code = source_import(&o, bytes, length);
	free(bytes);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--tiers", "TIER,...", "the tiers, the highest first; else in the order of the lines"},
    {"-o", "FILE", "the topology goes there; else to standard output"},
    {"--json", NULL, "a summary as JSON instead, with what is wrong"},
    {0},
};

const struct cli_command cli_import = {
    .name = "import",
    .usage = "[--tiers TIER,...] [--json] [-o FILE] CSV",
    .summary = "turn a spreadsheet of sites into topology text",
    .options = cli_options,
    .help =
	"The first line names the columns: name, tier, id, parent, backup, uplink, address, port,\n"
	"metered, lan, link_key, session_key; uplink and what follows it may stand several times.\n"
	"Comma, semicolon or tab. CSV \"-\" is standard input. Exits 1, and writes nothing, when\n"
	"anything is wrong: all of it is said, with line and column.\n",
    .run = import_run,
};
