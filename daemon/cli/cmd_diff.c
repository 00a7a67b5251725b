/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen diff`: what changes from one compiled country to another? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/states.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/core/operations.h"
#include "tuyen/policies/diff.h"

#define LINES_SHOWN 12
#define FLOWS_SHOWN 50

struct options {
	const char **words[2]; /* a release's folder, or sources: owned */
	size_t count[2];
	bool sources, flows, json, all;
};

/* The two sides of a comparison. */
struct sides {
	struct compiled compiled[2];
	struct states states[2];
	struct diff *diff;
	struct reason reason;
};

static bool option_read(struct options *o, const char *word, int *side)
{
	if (!strcmp(word, "--old") || !strcmp(word, "--new")) {
		*side = word[2] == 'n';
		o->sources = true;
	} else if (!strcmp(word, "--flows")) {
		o->flows = true;
	} else if (!strcmp(word, "--json")) {
		o->json = true;
	} else if (!strcmp(word, "--all")) {
		o->all = true;
	} else {
		fprintf(stderr, "tuyen diff: what is '%s'? try: tuyen diff --help\n", word);
		return false;
	}
	return true;
}

static bool options_read(int argc, char **argv, struct options *o)
{
	int side = 0;

	o->words[0] = calloc((size_t)argc, sizeof(char *));
	o->words[1] = calloc((size_t)argc, sizeof(char *));
	if (!o->words[0] || !o->words[1])
		return false;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (!option_read(o, argv[i], &side))
				return false;
			continue;
		}
		o->words[side][o->count[side]++] = argv[i];
		if (!o->sources && side == 0)
			side = 1;
	}
	if (o->count[0] && o->count[1] && (o->sources || o->count[1] == 1))
		return true;
	fprintf(stderr, "usage: tuyen diff %s\n", cli_diff.usage);
	return false;
}

static int side_get(struct sides *s, const struct options *o, int i)
{
	int err;

	if (!o->sources)
		return states_read(o->words[i][0], &s->states[i], &s->reason);
	err = compiled_load("diff", o->words[i], o->count[i], NULL, false, &s->compiled[i]);
	if (err < 0)
		return reason_set(&s->reason, err, "the %s sources are wrong", i ? "new" : "old");
	return states_compile(&s->compiled[i], 1, &s->states[i]);
}

static int side_whole(struct sides *s, int i)
{
	if (!s->states[i].bad_count)
		return 0;
	return reason_set(&s->reason, -TUYEN_EINVAL, "%s", s->states[i].bad[0].why);
}

/* A site that is gone is told nothing. */
static int operations_add(struct sides *s)
{
	int err = 0;

	for (size_t i = 0; i < diff_site_count(s->diff) && !err; i++) {
		struct diff_site site = diff_site(s->diff, i);
		size_t count = 0;

		if (!site.after)
			continue;
		err = operations_count(site.before, site.after, &count, &s->reason);
		if (!err)
			diff_site_operations(s->diff, i, count);
	}
	return err;
}

static int diff_make(struct sides *s, const struct options *o)
{
	int err = 0;

	for (int i = 0; i < 2 && !err; i++) {
		err = side_get(s, o, i);
		if (!err)
			err = side_whole(s, i);
	}
	if (err < 0)
		return err;
	err = diff_new((struct diff_side){s->states[0].sites, s->states[0].count},
		       (struct diff_side){s->states[1].sites, s->states[1].count}, o->flows,
		       &s->diff);
	return err ? err : operations_add(s);
}

static int diff_print(const struct sides *s, const struct options *o)
{
	struct diff_counts c = diff_counts(s->diff);
	struct text t = {0}, shown = {0};
	bool failed;

	if (o->json)
		diff_json(s->diff, &t);
	else
		diff_text(s->diff, o->all ? 0 : LINES_SHOWN, o->all ? 0 : FLOWS_SHOWN, &t);
	text_add_shown(&shown, text_string(&t));
	fputs(text_string(&shown), stdout);
	failed = t.failed || shown.failed;
	text_clear(&shown);
	text_clear(&t);
	if (failed)
		return CLI_SYSTEM;
	return c.sites_changed || c.sites_gained || c.sites_lost ? CLI_INPUT : CLI_OK;
}

static int sides_run(const struct options *o)
{
	struct sides s = {0};
	int code, err = diff_make(&s, o);

	if (err < 0) {
		if (!s.reason.text[0])
			reason_set(&s.reason, err, "%s", tuyen_strerror(err));
		code = cli_fail("diff", err, &s.reason);
	} else {
		code = diff_print(&s, o);
	}
	diff_free(s.diff);
	for (int i = 0; i < 2; i++) {
		states_clear(&s.states[i]);
		compiled_clear(&s.compiled[i]);
	}
	return code;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	int code = options_read(argc, argv, &o) ? sides_run(&o) : CLI_SYSTEM;

	free(o.words[0]);
	free(o.words[1]);
	return code;
}

static const struct cli_option cli_options[] = {
    {"OLD, NEW", NULL, "folders of two releases"},
    {"--old", "FILE...", "sources instead, compiled now"},
    {"--new", "FILE...", "those of the other side"},
    {"--flows", NULL, "also connections: gained, lost, gone another way"},
    {"--all", NULL, "every line and every connection, not the first few"},
    {"--json", NULL, "one JSON document, with all of it"},
    {0},
};

const struct cli_command cli_diff = {
    .name = "diff",
    .usage = "OLD NEW | --old FILE... --new FILE... [--flows] [--all] [--json]",
    .summary = "say which sites change from one release to another, and who gains or loses whom",
    .options = cli_options,
    .help =
	"exit codes: 0 nothing changes, 1 something does (or a side cannot be read), 2 the system failed\n",
    .run = run,
};
