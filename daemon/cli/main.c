/* SPDX-License-Identifier: Apache-2.0 */
/* tuyen: the command line. One table is the whole main. See tuyen(1). */
#include <stdio.h>
#include <string.h>

#include "tuyen/cli/cli.h"

static const struct {
	const char *heading;
	const struct cli_command *command;
} table[] = {
    {"Describe the network (off-line)", &cli_check},
    {NULL, &cli_fmt},
    {NULL, &cli_explain},
    {NULL, &cli_audit},
    {NULL, &cli_diff},
    {NULL, &cli_migrate},
    {NULL, &cli_generate},
    {NULL, &cli_import},
    {NULL, &cli_budget},
    {NULL, &cli_simulate},
    {"Make a release (off-line)", &cli_compile},
    {NULL, &cli_officer},
    {NULL, &cli_roster},
    {NULL, &cli_sign},
    {NULL, &cli_verify},
    {NULL, &cli_seal},
    {"On a node", &cli_keygen},
    {NULL, &cli_install},
    {NULL, &cli_reload},
    {NULL, &cli_status},
    {NULL, &cli_show},
    {NULL, &cli_plan},
    {NULL, &cli_watch},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void usage(FILE *out)
{
	fputs("usage: tuyen COMMAND [options]\n", out);
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].heading)
			fprintf(out, "\n%s:\n", table[i].heading);
		fprintf(out, "  %-9s %s\n", table[i].command->name, table[i].command->summary);
	}
	fputs("\n`tuyen COMMAND --help` says more; so does the manual page tuyen(1).\n"
	      "exit codes: 0 ok, 1 the input or the check failed, 2 the system failed\n",
	      out);
}

static int command_help(const struct cli_command *c)
{
	printf("usage: tuyen %s %s\n\n%s\n\n%s", c->name, c->usage, c->summary, c->help);
	return CLI_OK;
}

static int command_run(const struct cli_command *c, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return command_help(c);
	return c->run(argc, argv);
}

/* @return -1 where there is no such command. */
static int word_run(int argc, char **argv)
{
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tuyen " TUYEN_VERSION);
		return CLI_OK;
	}
	for (size_t i = 0; i < COUNT(table); i++)
		if (strcmp(argv[1], table[i].command->name) == 0)
			return command_run(table[i].command, argc - 1, argv + 1);
	return -1;
}

int main(int argc, char **argv)
{
	int code;

	if (argc < 2) {
		usage(stderr);
		return CLI_SYSTEM;
	}
	code = word_run(argc, argv);
	if (code < 0) {
		fprintf(stderr, "tuyen: no command '%s'; try: tuyen --help\n", argv[1]);
		return CLI_SYSTEM;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("tuyen: standard output");
		return CLI_SYSTEM;
	}
	return code;
}
