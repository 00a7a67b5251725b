/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CLI_CLI_H
#define TUYEN_CLI_CLI_H

/** Exit codes of every program of the project. */
enum cli_exit {
	CLI_OK = 0,
	CLI_INPUT = 1,	/* the input or the check failed */
	CLI_SYSTEM = 2, /* the system failed, or the call was wrong */
};

/** An option of a subcommand. --help and the shell's completion both come from here. */
struct cli_option {
	const char *
	    words; /* "--epoch", or "-w, --write"; without a dash an argument, told in --help alone. NULL: the end */
	const char *value; /* "N"; "keys|name|id": one of these; NULL: none */
	const char *help;  /* one sentence, however long: it is wrapped */
};

/** Whoever reads the language has these: load_option_warning(). */
#define CLI_WARNING_OPTIONS                                                                        \
	{"-W", "error[=WARNING]", "every warning is an error, or this one"},                       \
	    {"-W", "ignore=WARNING", "this one is not wanted"},                                    \
	{                                                                                          \
		"-W", "help", "lists the warnings"                                                 \
	}

/**
 * One subcommand. @run gets argv[0] = the subcommand's name and returns an exit code;
 * --help is answered by main() from @usage, @options and @help before @run.
 */
struct cli_command {
	const char *name;
	const char *usage;		  /* "FILE... -o OUT" */
	const char *summary;		  /* one line, lower case, no full stop */
	const struct cli_option *options; /* the last is {0} */
	const char *choices; /* "new|next|show": what its first word may be; NULL: anything */
	const char *help; /* what else there is to say, and what the exit codes mean here; NULL */
	int (*run)(int argc, char **argv);
};

extern const struct cli_command cli_check, cli_fmt, cli_compile, cli_explain, cli_audit, cli_diff,
    cli_migrate;
extern const struct cli_command cli_generate, cli_import, cli_budget, cli_simulate;
extern const struct cli_command cli_keygen, cli_roster, cli_sign, cli_verify, cli_seal, cli_officer;
extern const struct cli_command cli_install, cli_reload, cli_status, cli_show, cli_plan, cli_watch;

#endif
