/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/release_folder.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/topology/network.h"

/*
 * One file a site out of a signed release. A seal proves itself at the node; here only what would
 * make a useless one is refused: too few signatures, as far as the officers are known here, or a bundle that its proof
 * does not tie to the root.
 */

struct seal_options {
	const char *path, *output, *trusted;
	const char *rosters[SEAL_CHAIN_MAX];
	size_t roster_count;
	bool all, json;
	char **words; /* ids or names of sites */
	int word_count;
	bool names; /* some word is no number */
};

/* What one run has made. */
struct seal_work {
	const struct seal_options *options;
	struct release_folder folder;
	struct statement statement;
	struct merkle_tree *tree; /* its root is the statement's */
	bool *found;		  /* a word each */
	size_t count, bytes;
};

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* The site's name, from the bundle's second line: "site <id> <name> ...". "" if there is none. */
static void bundle_name(const struct text *bundle, char ret_name[static NAME_MAX_BYTES + 1])
{
	static const char form[] = "tuyen-bundle 1\nsite %*u %63s";

	ret_name[0] = '\0';
	if (bundle->length && sscanf(bundle->bytes, form, ret_name) != 1)
		ret_name[0] = '\0';
}

static bool site_wanted(struct seal_work *w, uint32_t site_id, const char *name)
{
	bool wanted = w->options->all;

	for (int i = 0; i < w->options->word_count; i++) {
		const char *word = w->options->words[i];

		if (is_number(word) ? strtoul(word, NULL, 10) == site_id
				    : name && strcmp(word, name) == 0)
			wanted = w->found[i] = true;
	}
	return wanted;
}

/* Adds proof and bundle to the folder's parts. The tree's root is the signed one, so is its leaf's
 * path. */
static int parts_finish(struct seal_work *w, uint32_t site_id, const struct text *bundle,
			struct reason *reason)
{
	struct seal_parts *parts = &w->folder.parts;
	uint8_t digest[SHA256_LEN];
	struct merkle_hash leaf;
	int err = sha256_digest(bundle->bytes, bundle->length, digest);

	if (!err)
		err = merkle_leaf(digest, SHA256_LEN, &leaf);
	if (err < 0)
		return err;
	merkle_tree_path(w->tree, parts->index, &parts->path);
	parts->bundle = (struct seal_view){(const uint8_t *)bundle->bytes, bundle->length};
	err = merkle_verify(&leaf, parts->index, w->statement.sites, &parts->path,
			    &w->statement.root);
	if (err == -TUYEN_ESIGNATURE)
		reason_set(reason, err,
			   "%s/" RELEASE_BUNDLES "/%u.bundle does not belong to this release",
			   w->options->path, site_id);
	return err;
}

static int seal_write(struct seal_work *w, uint32_t site_id, const struct text *bundle,
		      struct reason *reason)
{
	struct text seal = {0}, path = {0};
	int err = parts_finish(w, site_id, bundle, reason);

	if (err < 0)
		return err;
	seal_encode(&w->folder.parts, &seal);
	text_printf(&path, "%s/%u.seal", w->options->output, site_id);
	if (seal.failed || path.failed)
		err = -TUYEN_ENOMEM;
	else
		err = file_write(path.bytes, seal.bytes, seal.length, 0644,
				 FILE_REPLACE | FILE_MANY, reason);
	if (!err) {
		w->count++;
		w->bytes += seal.length;
	}
	text_clear(&seal);
	text_clear(&path);
	return err;
}

static int site_seal(struct seal_work *w, uint32_t site_id, struct reason *reason)
{
	char name[NAME_MAX_BYTES + 1];
	struct text bundle = {0};
	int err;

	if (!w->options->names && !site_wanted(w, site_id, NULL))
		return 0;
	err = release_folder_bundle(&w->folder, site_id, &bundle, reason);
	if (!err) {
		bundle_name(&bundle, name);
		if (site_wanted(w, site_id, name))
			err = seal_write(w, site_id, &bundle, reason);
	}
	text_clear(&bundle);
	return err;
}

static int sites_seal(struct seal_work *w, struct reason *reason)
{
	const struct text *manifest = &w->folder.manifest;
	size_t offset = 0;
	uint32_t site_id;
	int err = release_folder_tree(&w->folder, &w->statement, &w->tree, reason);

	for (uint32_t i = 0; !err && release_manifest_next(text_string(manifest), manifest->length,
							   &offset, &site_id, NULL) == 1;
	     i++) {
		w->folder.parts.index = i;
		err = site_seal(w, site_id, reason);
	}
	for (int i = 0; i < w->options->word_count && !err; i++)
		if (!w->found[i])
			err = reason_set(reason, -TUYEN_ENOENT, "the release has no site '%s'",
					 w->options->words[i]);
	return err;
}

/* As a node that trusts this roster would. */
static int signatures_trusted(const struct seal_work *w, struct reason *reason)
{
	struct seal_result *result = calloc(1, sizeof(*result));
	struct seal_trust trust = {0};
	struct text roster = {0};
	int err = result ? file_read(w->options->trusted, ROSTER_BYTES_MAX, 0, &roster, reason)
			 : -TUYEN_ENOMEM;

	if (!err) {
		trust.roster = text_string(&roster);
		trust.roster_length = roster.length;
		err = seal_verify_statement(&w->folder.parts, &trust, result, reason);
	}
	text_clear(&roster);
	free(result);
	return err;
}

/* Of the officers that the seal itself names last. Without any, only nodes know who they are. */
static int signatures_enough(const struct seal_work *w, struct reason *reason)
{
	const struct seal_parts *parts = &w->folder.parts;
	const struct seal_signed *last, *release = &parts->release;
	struct roster roster;
	int err;

	if (w->options->trusted)
		return signatures_trusted(w, reason);
	if (!parts->chain_length)
		return 0;
	last = &parts->chain[parts->chain_length - 1];
	err = roster_parse((const char *)last->text.bytes, last->text.length, &roster, reason);
	return err ? err
		   : roster_verify(&roster, release->text.bytes, release->text.length,
				   release->signatures, release->count, NULL, reason);
}

static int work_run(struct seal_work *w, struct reason *reason)
{
	const struct seal_signed *release = &w->folder.parts.release;
	int err = statement_parse((const char *)release->text.bytes, release->text.length,
				  &w->statement, reason);

	if (err < 0)
		return err;
	if (!release->count)
		return reason_set(reason, -TUYEN_ESIGNATURE,
				  "%s is not signed by anyone; see tuyen sign", w->options->path);
	err = signatures_enough(w, reason);
	if (!err)
		err = folder_make(w->options->output, 0755, reason);
	if (!err)
		err = sites_seal(w, reason);
	return err < 0 ? err : folder_flush(w->options->output, reason);
}

static int seal(const struct seal_options *o, struct reason *reason)
{
	struct seal_work work = {.options = o,
				 .found = calloc((size_t)o->word_count + 1, sizeof(bool))};
	int err = work.found ? release_folder_read(o->path, o->rosters, o->roster_count,
						   &work.folder, reason)
			     : -TUYEN_ENOMEM;

	if (!err) {
		err = work_run(&work, reason);
		if (!err && o->json)
			json_line_print(json_pack(
			    "{s:I, s:I, s:I, s:I}", "seals", (json_int_t)work.count, "bytes",
			    (json_int_t)work.bytes, "epoch", (json_int_t)work.statement.epoch,
			    "signatures", (json_int_t)work.folder.parts.release.count));
		else if (!err)
			printf(
			    "sealed    %zu sites of epoch %llu, %zu signatures, %zu bytes, in %s\n",
			    work.count, (unsigned long long)work.statement.epoch,
			    work.folder.parts.release.count, work.bytes, o->output);
		release_folder_clear(&work.folder);
	}
	merkle_tree_free(work.tree);
	free(work.found);
	return err;
}

static bool option_take(struct seal_options *o, int c)
{
	switch (c) {
	case 'o':
		o->output = optarg;
		return true;
	case 'a':
		o->all = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 't':
		o->trusted = optarg;
		return true;
	case 'r':
		if (o->roster_count == SEAL_CHAIN_MAX)
			return false;
		o->rosters[o->roster_count++] = optarg;
		return true;
	}
	return false;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"all", no_argument, NULL, 'a'},
	    {"roster", required_argument, NULL, 'r'},
	    {"trusted", required_argument, NULL, 't'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	struct seal_options o = {0};
	struct reason reason = {""};
	bool good = true;
	int c, err;

	while (good && (c = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		good = option_take(&o, c);
	o.words = argv + optind + 1;
	o.word_count = argc - optind - 1;
	if (!good || !o.output || o.word_count < 0 || o.all == (o.word_count > 0)) {
		fputs(
		    "usage: tuyen seal OUT SITE... -o DIR [--roster FILE]... [--trusted ROSTER] [--json]\n"
		    "       tuyen seal OUT --all -o DIR [--roster FILE]... [--trusted ROSTER] [--json]\n",
		    stderr);
		return CLI_SYSTEM;
	}
	o.path = argv[optind];
	for (int i = 0; i < o.word_count; i++)
		o.names |= !is_number(o.words[i]);
	err = seal(&o, &reason);
	return err < 0 ? cli_fail("seal", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"SITE", NULL, "a site's id or name"},
    {"--all", NULL, "every site of the release"},
    {"-o", "DIR", "folder for <id>.seal, made if missing"},
    {"--roster", "FILE",
     "how the officers changed: rosters, oldest first, each with its FILE-signatures/; "
     "default: OUT/roster, if it is there"},
    {"--trusted", "ROSTER", "the roster that nodes trust: refuse what they would refuse"},
    {"--json", NULL, "for programs"},
    {0},
};

const struct cli_command cli_seal = {
    .name = "seal",
    .usage = "OUT SITE...|--all -o DIR [--roster FILE]... [--trusted ROSTER] [--json]",
    .summary = "write one file a site, for a USB stick or the wire",
    .options = cli_options,
    .help =
	"A seal holds the roster chain, the statement, its signatures, the proof and the bundle.\n"
	"With too few signatures for the newest roster that is known here it is refused.\n",
    .run = run,
};
