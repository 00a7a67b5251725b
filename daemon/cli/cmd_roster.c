/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/cli/officer_key.h"
#include "daemon/cli/release_folder.h"
#include "tuyen/base/encode.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"

struct roster_options {
	const char *verb, *file, *output;
	const char *officers[ROSTER_OFFICERS_MAX], *removed[ROSTER_OFFICERS_MAX];
	size_t officer_count, removed_count;
	uint32_t threshold; /* 0: not said */
	int64_t issued_s;
	bool json;
};

static struct officer *officer_at(struct roster *roster, const char *name)
{
	for (size_t i = 0; i < roster->officer_count; i++)
		if (strcmp(roster->officers[i].name, name) == 0)
			return &roster->officers[i];
	return NULL;
}

static int officer_remove(struct roster *roster, const char *name, struct reason *reason)
{
	struct officer *officer = officer_at(roster, name);

	if (!officer)
		return reason_set(reason, -TUYEN_ENOENT, "no officer '%s' in the roster", name);
	*officer = roster->officers[--roster->officer_count];
	return 0;
}

/* "NAME=PUB.pem": a new officer, or a new key of an old one. */
static int officer_put(struct roster *roster, const char *argument, struct reason *reason)
{
	const char *equals = strchr(argument, '=');
	char name[OFFICER_NAME_MAX + 1] = "";
	struct officer *officer;

	if (!equals || equals - argument > OFFICER_NAME_MAX)
		return reason_set(reason, -TUYEN_EINVAL, "'%s' is not NAME=PUBLIC.pem", argument);
	memcpy(name, argument, (size_t)(equals - argument));
	officer = officer_at(roster, name);
	if (!officer && roster->officer_count == ROSTER_OFFICERS_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "a roster has at most %d officers",
				  ROSTER_OFFICERS_MAX);
	if (!officer)
		officer = &roster->officers[roster->officer_count++];
	return officer_public_read(equals + 1, name, officer, reason);
}

static int roster_change(struct roster *roster, const struct roster_options *o,
			 struct reason *reason)
{
	int err = 0;

	for (size_t i = 0; i < o->removed_count && !err; i++)
		err = officer_remove(roster, o->removed[i], reason);
	for (size_t i = 0; i < o->officer_count && !err; i++)
		err = officer_put(roster, o->officers[i], reason);
	if (err < 0)
		return err;
	roster->version++;
	roster->issued_s = o->issued_s;
	if (o->threshold)
		roster->threshold = o->threshold;
	return roster_finish(roster, reason);
}

static int roster_read(const char *path, struct roster *ret_roster, struct reason *reason)
{
	struct text text = {0};
	int err = file_read(path, ROSTER_BYTES_MAX, 0, &text, reason);

	if (!err)
		err = roster_parse(text.bytes, text.length, ret_roster, reason);
	text_clear(&text);
	return err;
}

static int roster_write(const struct roster *roster, const char *path, struct reason *reason)
{
	struct text text = {0};
	int err;

	roster_encode(roster, &text);
	err = text.failed ? -TUYEN_ENOMEM
			  : file_write(path, text.bytes, text.length, 0644, 0, reason);
	text_clear(&text);
	return err;
}

/* A short name of a key for two people on the telephone. */
static const char *fingerprint(const struct officer *officer, char out[static SHA256_STRLEN])
{
	uint8_t digest[SHA256_LEN];

	if (sha256_digest(officer->key, officer->key_length, digest) < 0)
		abort();
	return hex_format(digest, SHA256_LEN, out);
}

static void roster_print(const struct roster *roster)
{
	char issued[RFC3339_STRLEN], hex[SHA256_STRLEN];

	printf("version   %u\nthreshold %u of %zu\nissued    %s\n", roster->version,
	       roster->threshold, roster->officer_count, rfc3339_format(roster->issued_s, issued));
	for (size_t i = 0; i < roster->officer_count; i++)
		printf("officer   %-12s %-7s SHA-256 of the key %s\n", roster->officers[i].name,
		       officer_algorithm_name(roster->officers[i].algorithm),
		       fingerprint(&roster->officers[i], hex));
}

static void roster_print_json(const struct roster *roster)
{
	char issued[RFC3339_STRLEN], hex[SHA256_STRLEN];
	json_t *officers = json_array();

	for (size_t i = 0; i < roster->officer_count; i++)
		json_array_append_new(
		    officers,
		    json_pack("{s:s, s:s, s:s}", "name", roster->officers[i].name, "algorithm",
			      officer_algorithm_name(roster->officers[i].algorithm), "key_sha256",
			      fingerprint(&roster->officers[i], hex)));
	json_line_print(json_pack("{s:I, s:I, s:s, s:o}", "version", (json_int_t)roster->version,
				  "threshold", (json_int_t)roster->threshold, "issued",
				  rfc3339_format(roster->issued_s, issued), "officers", officers));
}

static int roster_show(const struct roster_options *o, struct reason *reason)
{
	struct roster roster;
	int err = roster_read(o->file, &roster, reason);

	if (err)
		return err;
	if (o->json)
		roster_print_json(&roster);
	else
		roster_print(&roster);
	return 0;
}

static int roster_new(const struct roster_options *o, struct reason *reason)
{
	struct roster roster = {0};
	int err = 0;

	if (o->file)
		err = roster_read(o->file, &roster, reason);
	if (!err)
		err = roster_change(&roster, o, reason);
	if (!err)
		err = roster_write(&roster, o->output, reason);
	if (!err)
		roster_print(&roster);
	return err;
}

/* Of as many officers as a roster has. */
static bool threshold_take(struct roster_options *o)
{
	char *end;
	unsigned long number = strtoul(optarg, &end, 10);

	if (*optarg < '0' || *optarg > '9' || *end || !number || number > ROSTER_OFFICERS_MAX)
		return false;
	o->threshold = (uint32_t)number;
	return true;
}

static bool name_take(const char **list, size_t *count)
{
	if (*count == ROSTER_OFFICERS_MAX)
		return false;
	list[(*count)++] = optarg;
	return true;
}

static bool option_take(struct roster_options *o, int c)
{
	switch (c) {
	case 'o':
		o->output = optarg;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 't':
		return threshold_take(o);
	case 'i':
		return rfc3339_parse(optarg, &o->issued_s) == 0;
	case 'a':
		return name_take(o->officers, &o->officer_count);
	case 'r':
		return name_take(o->removed, &o->removed_count);
	}
	return false;
}

/* The verb and the files that belong to it. */
static bool words_take(struct roster_options *o, int argc, char **argv)
{
	o->verb = argc > 0 ? argv[0] : "";
	o->file = argc > 1 ? argv[1] : NULL;
	if (strcmp(o->verb, "new") == 0)
		return argc == 1 && o->output && o->threshold && o->officer_count &&
		       !o->removed_count;
	if (strcmp(o->verb, "next") == 0)
		return argc == 2 && o->output;
	return strcmp(o->verb, "show") == 0 && argc == 2;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"threshold", required_argument, NULL, 't'},
	    {"officer", required_argument, NULL, 'a'},
	    {"remove", required_argument, NULL, 'r'},
	    {"issued", required_argument, NULL, 'i'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	struct roster_options o = {.issued_s = time(NULL)};
	struct reason reason = {""};
	bool good = true;
	int c, err;

	while (good && (c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		good = option_take(&o, c);
		if (!good && c != '?')
			fprintf(stderr,
				"tuyen roster: '%s': a roster has 1 to %d officers, of whom "
				"1 to %d sign, and a time is like 2025-01-31T08:00:00Z\n",
				optarg, ROSTER_OFFICERS_MAX, ROSTER_OFFICERS_MAX);
	}
	if (!good || !words_take(&o, argc - optind, argv + optind)) {
		fputs("usage: tuyen roster new --threshold M --officer NAME=PUB.pem ... -o FILE\n"
		      "       tuyen roster next OLD [--threshold M] [--officer NAME=PUB.pem] "
		      "[--remove NAME] -o FILE\n"
		      "       tuyen roster show FILE [--json]\n",
		      stderr);
		return CLI_SYSTEM;
	}
	err = strcmp(o.verb, "show") == 0 ? roster_show(&o, &reason) : roster_new(&o, &reason);
	return err < 0 ? cli_fail("roster", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"new", NULL, "a first roster, which nodes are installed with"},
    {"next OLD", NULL,
     "version + 1 of OLD; to be signed by the thresholds of both: tuyen sign FILE --roster"},
    {"show FILE", NULL, "what is in it"},
    {"--threshold", "M", "how many officers must sign"},
    {"--officer", "NAME=PUB.pem", "adds an officer, or gives one a new key (again for more)"},
    {"--remove", "NAME", "takes one out"},
    {"--issued", "TIME", "like 2025-01-31T08:00:00Z; default: now"},
    {"-o", "FILE", "written, never over an old file"},
    {"--json", NULL, "for programs"},
    {0},
};

const struct cli_command cli_roster = {
    .name = "roster",
    .usage = "new|next OLD|show FILE [options]",
    .summary = "say who the officers are and how many must sign",
    .options = cli_options,
    .choices = "new|next|show",
    .run = run,
};
