/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all commands that read the language do first: read the files, parse,
 * check, and tell the user what is wrong.
 */
#include "tuyen/cli/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/cli/workers.h"
#include "tuyen/base/date.h"
#include "tuyen/base/err.h"
#include "tuyen/policies/statement.h"

static int stream_read(FILE *stream, struct text *ret_text)
{
	char piece[65536];
	size_t length;

	while ((length = fread(piece, 1, sizeof(piece), stream)) > 0) {
		text_add_bytes(ret_text, piece, length);
		if (ret_text->failed || ret_text->length > DIAG_SOURCE_MAX)
			break;
	}
	if (ferror(stream))
		return -TUYEN_ESYSTEM;
	return ret_text->failed ? -TUYEN_ENOMEM : 0;
}

int load_file(void *context, const char *path, char **ret_bytes, size_t *ret_length,
	      struct reason *reason)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
	struct text t;
	int err, saved;

	(void)context;
	if (!stream)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s", strerror(errno));
	text_init(&t);
	text_add(&t, "");
	err = stream_read(stream, &t);
	saved = errno;
	if (stream != stdin)
		fclose(stream);
	if (err < 0) {
		text_clear(&t);
		return reason_set(reason, err, "%s",
				  err == -TUYEN_ESYSTEM ? strerror(saved) : tuyen_strerror(err));
	}
	*ret_bytes = t.bytes;
	*ret_length = t.length;
	return 0;
}

/* The table's own copy of @name; NULL: there is no such warning. */
static const char *warning_find(const char *name)
{
	for (size_t i = 0; check_warning_name(i); i++)
		if (strcmp(name, check_warning_name(i)) == 0)
			return check_warning_name(i);
	return NULL;
}

static int warning_add(const char *name, const char **names, size_t *count)
{
	if (!name)
		return -TUYEN_EINVAL;
	if (*count == DIAG_PROMOTE_MAX)
		return -TUYEN_ELIMIT;
	names[(*count)++] = name;
	return 0;
}

int load_option_warning(const char *command, const char *argument, struct load_options *options)
{
	const char *name = strchr(argument, '=');
	int err = -TUYEN_EINVAL;

	if (!strcmp(argument, "error"))
		err = warning_add("", options->promote, &options->promote_count);
	else if (!strncmp(argument, "error=", 6))
		err =
		    warning_add(warning_find(name + 1), options->promote, &options->promote_count);
	else if (!strncmp(argument, "ignore=", 7))
		err = warning_add(warning_find(name + 1), options->ignore, &options->ignore_count);
	else
		name = NULL;
	if (err == -TUYEN_ELIMIT)
		fprintf(stderr, "tuyen %s: -W %s: at most %d of these\n", command, argument,
			DIAG_PROMOTE_MAX);
	else if (err < 0 && name)
		fprintf(stderr,
			"tuyen %s: -W %s: there is no warning '%s'; `tuyen check -W help` lists "
			"them\n",
			command, argument, name + 1);
	else if (err < 0)
		fprintf(stderr,
			"tuyen %s: -W %s: write error, error=WARNING, ignore=WARNING or help\n",
			command, argument);
	return err;
}

void load_options_apply(const struct load_options *options, struct diag_list *diags)
{
	for (size_t i = 0; options && i < options->promote_count; i++)
		diag_list_promote(diags, *options->promote[i] ? options->promote[i] : NULL);
	for (size_t i = 0; options && i < options->ignore_count; i++)
		diag_list_ignore(diags, *options->ignore[i] ? options->ignore[i] : NULL);
}

static void load_print(struct load *load)
{
	struct text t;

	text_init(&t);
	diag_list_print(&load->diags, &t);
	fputs(text_string(&t), stderr);
	text_clear(&t);
}

int load_time_parse(const char *string, int64_t *ret_s)
{
	if (strlen(string) == DATE_STRLEN - 1)
		return date_parse(string, ret_s);
	return rfc3339_parse(string, ret_s);
}

/* The clock is asked only where nobody says a time: the same input gives the same bytes. */
static int64_t load_now(const struct load_options *options)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	char *end = NULL;
	long long s = fixed ? strtoll(fixed, &end, 10) : -1;

	if (options->now_s)
		return options->now_s;
	return s > 0 && !*end && s <= RFC3339_MAX_S ? s : time(NULL);
}

static int load_sources(const char *const *paths, size_t count, const struct load_options *options,
			struct load *load)
{
	struct check_times times = {load_now(options), options->until_s};
	struct executor executor = workers_executor(options->workers);
	int err =
	    syntax_load(paths, count, load_file, NULL, &executor, &load->diags, &load->sources);

	if (err < 0) {
		diag_list_clear(&load->diags); /* its places may be gone */
		diag_error(&load->diags, (struct diag_place){0}, "%s", tuyen_strerror(err));
		return err == -TUYEN_ENOMEM ? err : -TUYEN_EINVAL;
	}
	err = check_network_at((const struct syntax_file *const *)load->sources.files,
			       load->sources.count, options->flags, &times, &load->diags,
			       &load->network);
	load->has_network = err == 0;
	if (options->trim)
		syntax_set_trim(&load->sources);
	return err;
}

int load_network(const char *const *paths, size_t count, const struct load_options *options,
		 struct load *ret_load)
{
	static const struct load_options defaults;
	int err;

	if (!options)
		options = &defaults;
	*ret_load = (struct load){0};
	diag_list_init(&ret_load->diags);
	load_options_apply(options, &ret_load->diags);
	err = load_sources(paths, count, options, ret_load);
	if (!options->json)
		load_print(ret_load);
	return err;
}

void load_clear(struct load *load)
{
	if (load->has_network)
		network_clear(&load->network);
	diag_list_clear(&load->diags);
	syntax_set_clear(&load->sources);
	load->has_network = false;
}
