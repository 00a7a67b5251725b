/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLI_CLI_H
#define TUYEN_CLI_CLI_H

/** Exit codes of every program of the project. */
enum cli_exit {
	CLI_OK = 0,
	CLI_INPUT = 1,	/* the input or the check failed */
	CLI_SYSTEM = 2, /* the system failed, or the call was wrong */
};

/**
 * One subcommand. @run gets argv[0] = the subcommand's name and returns an exit code;
 * --help is answered by cli_main() from @usage and @help before @run.
 */
struct cli_command {
	const char *name;
	const char *usage;   /* "FILE... -o OUT" */
	const char *summary; /* one line, lower case, no full stop */
	const char *help;    /* options, one a line, and what the exit codes mean here */
	int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_check, cli_fmt, cli_compile, cli_explain, cli_audit, cli_diff, cli_migrate;
extern const struct cli_command cli_generate, cli_import, cli_budget, cli_simulate;
extern const struct cli_command cli_keygen, cli_roster, cli_sign, cli_verify, cli_seal, cli_officer;
extern const struct cli_command cli_install, cli_reload, cli_status, cli_show, cli_plan, cli_watch;

#endif
