/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen fmt`: the canonical form of topology and policy files. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/cli/load.h"
#include "tuyen/policies/print.h"

enum fmt_mode {
	FMT_PRINT,
	FMT_WRITE,
	FMT_CHECK,
};

static int fmt_fail(const char *path, const char *why)
{
	fprintf(stderr, "tuyen fmt: %s: %s\n", path, why);
	return CLI_SYSTEM;
}

/* Beside the file and then over it, so that it is never half written. */
static int fmt_replace(const char *path, const struct text *t)
{
	struct stat st;
	char *temporary;
	int fd, saved;

	if (stat(path, &st) < 0 || asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return fmt_fail(path, strerror(errno));
	fd = mkstemp(temporary);
	if (fd >= 0 && bytes_write(fd, text_string(t), t->length) == 0 &&
	    fchmod(fd, st.st_mode & 07777) == 0 && fsync(fd) == 0 && rename(temporary, path) == 0) {
		close(fd);
		free(temporary);
		return CLI_OK;
	}
	saved = errno;
	if (fd >= 0) {
		close(fd);
		unlink(temporary);
	}
	free(temporary);
	return fmt_fail(path, strerror(saved));
}

static int fmt_output(const char *path, const struct syntax_file *file, enum fmt_mode mode)
{
	struct text t;
	bool same;
	int exit_code = CLI_OK;

	text_init(&t);
	print_file(file, &t);
	same =
	    t.length == file->source.length && memcmp(text_string(&t), file->bytes, t.length) == 0;
	if (t.failed)
		exit_code = fmt_fail(path, tuyen_strerror(-TUYEN_ENOMEM));
	else if (mode == FMT_PRINT)
		fputs(text_string(&t), stdout);
	else if (mode == FMT_CHECK && !same)
		exit_code = CLI_INPUT;
	else if (mode == FMT_WRITE && !same)
		exit_code = fmt_replace(path, &t);
	if (mode == FMT_CHECK && !same)
		printf("%s\n", path);
	text_clear(&t);
	return exit_code;
}

static int fmt_parsed(const char *path, const char *bytes, size_t length, enum fmt_mode mode)
{
	struct diag_list diags;
	struct syntax_file *file = NULL;
	struct text t;
	int err, exit_code;

	diag_list_init(&diags);
	text_init(&t);
	err = syntax_parse(path, bytes, length, &diags, &file);
	diag_list_print(&diags, &t);
	fputs(text_string(&t), stderr);
	if (err < 0)
		exit_code = fmt_fail(path, tuyen_strerror(err));
	else
		exit_code = diags.error_count ? CLI_INPUT : fmt_output(path, file, mode);
	text_clear(&t);
	diag_list_clear(&diags);
	syntax_file_free(file);
	return exit_code;
}

static int fmt_one(const char *path, enum fmt_mode mode)
{
	struct reason reason;
	char *bytes;
	size_t length;
	int exit_code;

	if (load_file(NULL, path, &bytes, &length, &reason) < 0)
		return fmt_fail(path, reason.text);
	exit_code = fmt_parsed(path, bytes, length, mode);
	free(bytes);
	return exit_code;
}

static int fmt_run(int argc, char **argv)
{
	static const struct option known[] = {
	    {"check", no_argument, NULL, 'c'},
	    {"write", no_argument, NULL, 'w'},
	    {0},
	};
	enum fmt_mode mode = FMT_PRINT;
	int option, worst = CLI_OK;

	while ((option = getopt_long(argc, argv, "w", known, NULL)) >= 0) {
		if (option == '?')
			return CLI_SYSTEM;
		mode = option == 'w' ? FMT_WRITE : FMT_CHECK;
	}
	if (optind == argc)
		return fmt_one("-", mode == FMT_WRITE ? FMT_PRINT : mode);
	for (int i = optind; i < argc; i++) {
		int exit_code = fmt_one(argv[i], mode);

		worst = exit_code > worst ? exit_code : worst;
	}
	return worst;
}

static const struct cli_option cli_options[] = {
    {"-w, --write", NULL, "into the files themselves; else to standard output"},
    {"--check", NULL, "name the files that are not canonical, and exit 1 if there are any"},
    {0},
};

const struct cli_command cli_fmt = {
    .name = "fmt",
    .usage = "[-w | --check] [FILE...]",
    .summary = "write topology and policy files in their canonical form",
    .options = cli_options,
    .help =
	"Comments stay where they are. Without FILE, standard input. Exits 1, and leaves a file\n"
	"as it is, when it has errors.\n",
    .run = fmt_run,
};
