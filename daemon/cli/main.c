/* SPDX-License-Identifier: Apache-2.0 */
/* tuyen: the command line. One table is the whole main. See tuyen(1). */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/cli/cli.h"
#include "tuyen/policies/check.h"

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
	      "`tuyen --words [COMMAND]` prints what a shell may complete.\n"
	      "exit codes: 0 ok, 1 the input or the check failed, 2 the system failed\n",
	      out);
}

/* ---- what a command can do ---- */

#define HELP_COLUMN 20 /* where the text of an option begins */
#define HELP_WIDTH  100

/* @text from column @at on, which the cursor stands at; broken at spaces. */
static void help_wrapped(const char *text, int at)
{
	int column = at;

	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > at && column + 1 + word > HELP_WIDTH) {
			printf("\n%*s", at, "");
			column = at;
		}
		column += printf("%s%.*s", column > at ? " " : "", word, text);
		text += word;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void help_option(const struct cli_option *o)
{
	int column = printf("  %s%s%s", o->words, o->value ? " " : "", o->value ? o->value : "");

	if (column + 2 > HELP_COLUMN)
		column = -printf("\n");
	printf("%*s", HELP_COLUMN - (column > 0 ? column : 0), "");
	help_wrapped(o->help, HELP_COLUMN);
}

static int command_help(const struct cli_command *c)
{
	printf("usage: tuyen %s %s\n\n%s\n\n", c->name, c->usage, c->summary);
	for (const struct cli_option *o = c->options; o->words; o++)
		help_option(o);
	if (c->help)
		printf("\n%s", c->help);
	return CLI_OK;
}

static bool command_warns(const struct cli_command *c)
{
	for (const struct cli_option *o = c->options; o->words; o++)
		if (!strcmp(o->words, "-W"))
			return true;
	return false;
}

static int warnings_help(void)
{
	for (size_t i = 0; check_warning_name(i); i++)
		printf("%-20s %s\n", check_warning_name(i), check_warning_summary(i));
	return CLI_OK;
}

/* ---- for the shell's completion ---- */

/* "--write\n", "--epoch N\n": each of an option's words, and what stands behind it. */
static void option_words(const struct cli_option *o)
{
	const char *word = o->words;

	while (*word == '-') {
		int length = (int)strcspn(word, ", ");

		printf("%.*s%s%s\n", length, word, o->value ? " " : "", o->value ? o->value : "");
		word += length;
		word += strspn(word, ", ");
	}
}

static int words_print(const char *name)
{
	for (size_t i = 0; i < COUNT(table); i++) {
		const struct cli_command *c = table[i].command;

		if (!name) {
			puts(c->name);
			continue;
		}
		if (strcmp(name, c->name) != 0)
			continue;
		if (c->choices)
			printf(". %s\n", c->choices);
		for (const struct cli_option *o = c->options; o->words; o++)
			option_words(o);
		puts("--help");
		return CLI_OK;
	}
	return name ? -1 : CLI_OK;
}

/* ---- main ---- */

static int command_run(const struct cli_command *c, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return command_help(c);
	for (int i = 1; i + 1 < argc && command_warns(c); i++)
		if (strcmp(argv[i], "-W") == 0 && strcmp(argv[i + 1], "help") == 0)
			return warnings_help();
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
	if (strcmp(argv[1], "--words") == 0)
		return words_print(argc > 2 ? argv[2] : NULL);
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
		fprintf(stderr, "tuyen: no command '%s'; try: tuyen --help\n",
			argv[strcmp(argv[1], "--words") == 0 ? 2 : 1]);
		return CLI_SYSTEM;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("tuyen: standard output");
		return CLI_SYSTEM;
	}
	return code;
}
