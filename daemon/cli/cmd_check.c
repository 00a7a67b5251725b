/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen check`: is what these files say lawful? */
#include <getopt.h>
#include <stdio.h>

#include "tuyen/base/err.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/load.h"

static void check_count(struct text *t, size_t count, const char *one, const char *many)
{
	text_printf(t, "%zu %s", count, count == 1 ? one : many);
}

static void check_summary(const struct load *load, struct text *t)
{
	const struct diag_list *d = &load->diags;

	if (load->has_network) {
		check_count(t, load->network.site_count, "site", "sites");
		text_add(t, ", ");
		check_count(t, load->network.link_count, "link", "links");
		text_add(t, ", ");
		check_count(t, load->network.policy_count, "policy", "policies");
		text_add(t, ": ok");
	} else {
		check_count(t, d->error_count, "error", "errors");
	}
	if (d->warning_count) {
		text_add(t, load->has_network ? " (" : ", ");
		check_count(t, d->warning_count, "warning", "warnings");
		text_add(t, load->has_network ? ")" : "");
	}
	text_add_char(t, '\n');
}

static void check_json(struct load *load, struct text *t)
{
	text_printf(t, "{\"ok\":%s,", load->has_network ? "true" : "false");
	if (load->has_network)
		text_printf(t, "\"sites\":%zu,\"links\":%zu,\"policies\":%zu,",
			    load->network.site_count, load->network.link_count,
			    load->network.policy_count);
	text_printf(t, "\"errors\":%zu,\"warnings\":%zu,\"diagnostics\":", load->diags.error_count,
		    load->diags.warning_count);
	diag_list_print_json(&load->diags, t);
	text_add(t, "}\n");
}

/* @return CLI_OK, or what to exit with. */
static int check_options(int argc, char **argv, struct load_options *options)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"keys", no_argument, NULL, 'k'},
	    {"now", required_argument, NULL, 'n'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "W:", known, NULL)) >= 0) {
		if (option == 'j') {
			options->json = true;
		} else if (option == 'k') {
			options->flags |= CHECK_NEED_KEYS;
		} else if (option == '?' ||
			   (option == 'W' && load_option_warning("check", optarg, options) < 0)) {
			return CLI_SYSTEM;
		} else if (option == 'n' && load_time_parse(optarg, &options->now_s) < 0) {
			fprintf(stderr, "tuyen check: --now %s: write 2027-03-01\n", optarg);
			return CLI_SYSTEM;
		}
	}
	if (optind < argc)
		return CLI_OK;
	fprintf(stderr, "tuyen check: no file is named\n");
	return CLI_SYSTEM;
}

static int check_run(int argc, char **argv)
{
	struct load_options options = {0};
	struct load load;
	struct text t;
	int exit_code = check_options(argc, argv, &options), err;

	if (exit_code != CLI_OK)
		return exit_code;
	err = load_network((const char *const *)argv + optind, (size_t)(argc - optind), &options,
			   &load);
	text_init(&t);
	if (options.json)
		check_json(&load, &t);
	else
		check_summary(&load, &t);
	fputs(text_string(&t), err && !options.json ? stderr : stdout);
	text_clear(&t);
	load_clear(&load);
	return err == 0 ? CLI_OK : err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT;
}

static const struct cli_option cli_options[] = {
    {"--json", NULL, "what is wrong as one JSON document"},
    {"--keys", NULL, "a site without keys is an error, as when compiling"},
    {"--now", "DATE", "rules that expire by then have expired; else $SOURCE_DATE_EPOCH, else now"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_check = {
    .name = "check",
    .usage = "[--json] [--keys] [--now DATE] [-W error[=WARNING]] FILE...",
    .summary = "say what is wrong with topology and policy files",
    .options = cli_options,
    .help = "FILE \"-\" is standard input. Exits 0 when all is lawful, 1 when it is not.\n",
    .run = check_run,
};
