/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiled.h"
#include "tuyen/cli/cli.h"
#include "tuyen/policies/explain.h"

struct options {
	const char **files; /* owned; what they point at is argv's */
	size_t file_count;
	const char **words; /* A B [CLASS], behind the files */
	size_t word_count;
	bool json;
	struct load_options load;
};

static bool ends_with(const char *string, const char *end)
{
	size_t n = strlen(string), k = strlen(end);

	return n >= k && !strcmp(string + n - k, end);
}

/* A site may be called like a file, but hardly with these. */
static bool is_file(const char *word)
{
	struct stat st;

	return strchr(word, '/') || !strcmp(word, "-") || ends_with(word, ".topology") ||
	       ends_with(word, ".policy") || ends_with(word, ".keys") ||
	       (!stat(word, &st) && S_ISREG(st.st_mode));
}

static int option_read(const char *word, const char *next, struct options *o, int *i)
{
	if (!strcmp(word, "--json")) {
		o->json = true;
		return 0;
	}
	if (!strcmp(word, "--now") && next) {
		++*i;
		if (!load_time_parse(next, &o->load.now_s))
			return 0;
		fprintf(stderr, "tuyen explain: --now %s: write 2027-03-01\n", next);
		return -TUYEN_EINVAL;
	}
	if (!strcmp(word, "-W") && next) {
		++*i;
		return load_option_warning("explain", next, &o->load);
	}
	fprintf(stderr, "tuyen explain: what is '%s'? try: tuyen explain --help\n", word);
	return -TUYEN_EINVAL;
}

/* Files first. They end at "--", else at the first word that is no file. */
static int options_read(int argc, char **argv, struct options *o)
{
	const char **out = calloc((size_t)argc, sizeof(*out));
	bool separated = false, words = false;
	size_t kept = 0;

	o->files = o->words = out;
	if (!out)
		return -TUYEN_ENOMEM;
	for (int i = 1; i < argc; i++)
		separated |= !strcmp(argv[i], "--");
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--") && !words) {
			words = true;
		} else if (word[0] == '-' && word[1]) {
			if (option_read(word, argv[i + 1], o, &i) < 0)
				return -TUYEN_EINVAL;
			continue;
		} else {
			if (!separated && !words)
				words = !is_file(word);
			out[kept++] = word;
			o->file_count += !words;
			o->word_count += words;
			continue;
		}
	}
	o->words = out + o->file_count;
	return 0;
}

static uint32_t class_find(const struct network *n, const char *name)
{
	for (uint32_t i = 0; i < n->class_count; i++)
		if (!strcmp(n->classes[i].name, name))
			return i;
	return NETWORK_NONE;
}

static int explain(const struct compiled *c, const struct options *o)
{
	const struct network *n = &c->load.network;
	uint32_t from = compiled_site_find(n, o->words[0]), to = compiled_site_find(n, o->words[1]);
	uint32_t class_index = o->word_count > 2 ? class_find(n, o->words[2]) : NETWORK_NONE;
	struct text out;
	bool allowed;

	if (from == NETWORK_NONE || to == NETWORK_NONE) {
		fprintf(stderr, "tuyen explain: no site '%s'\n", o->words[from != NETWORK_NONE]);
		return CLI_INPUT;
	}
	if (o->word_count > 2 && class_index == NETWORK_NONE) {
		fprintf(stderr, "tuyen explain: no class '%s'\n", o->words[2]);
		return CLI_INPUT;
	}
	text_init(&out);
	allowed = (o->json ? explain_json : explain_text)(c->result, from, to, class_index, &out);
	if (o->json)
		text_add_char(&out, '\n');
	fputs(text_string(&out), stdout);
	text_clear(&out);
	return allowed ? CLI_OK : CLI_INPUT;
}

static int load_and_explain(const struct options *o)
{
	struct compiled c;
	int code, err;

	if (!o->file_count || o->word_count < 2 || o->word_count > 3) {
		fprintf(stderr, "usage: tuyen explain %s\n", cli_explain.usage);
		return CLI_SYSTEM;
	}
	err = compiled_load("explain", o->files, o->file_count, &o->load, false, &c);
	if (err)
		code = err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT;
	else
		code = explain(&c, o);
	compiled_clear(&c);
	return code;
}

static int run(int argc, char **argv)
{
	struct options o = {0};
	int code = options_read(argc, argv, &o) < 0 ? CLI_SYSTEM : load_and_explain(&o);

	free(o.files);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--json", NULL, "one JSON object"},
    {"--now", "DATE", "rules that expire by then have expired; else $SOURCE_DATE_EPOCH, else now"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_explain = {
    .name = "explain",
    .usage = "FILE... [--] SITE SITE [CLASS] [--json] [--now DATE]",
    .summary = "say whether one site reaches another, by which line, on which ways",
    .options = cli_options,
    .help =
	"Files come first; they end at '--', or at the first word that is no file and does not end in\n"
	".topology, .policy or .keys. Sites are given by name or id. Without CLASS every class is answered.\n"
	"Where two policies carry the same packets, the one that gets them is named, and why.\n"
	"Each session follows with its queue, its limits and its candidate paths: the label stack on every\n"
	"hop there and back, and the narrowest line.\n"
	"\n"
	"exit codes: 0 something asked for is allowed, 1 nothing is (or the sources are wrong), 2 the system\n"
	"failed\n",
    .run = run,
};
