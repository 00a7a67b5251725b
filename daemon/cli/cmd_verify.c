/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/cli/release_folder.h"
#include "tuyen/base/encode.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/topology/network.h"

struct verify_options {
	const char *path, *roster;
	uint32_t site_id;
	uint64_t epoch;
	bool json;
};

static void print_people(const struct seal_result *r, bool whole)
{
	char hex[SHA256_STRLEN];

	statement_print(&r->statement);
	printf("digest    %s\nsigned by", hex_format(r->statement_digest, SHA256_LEN, hex));
	for (size_t i = 0; i < r->roster.officer_count; i++)
		if (r->signers >> i & 1)
			printf(" %s", r->roster.officers[i].name);
	printf(" (%u needed, roster version %u%s)\n", r->roster.threshold, r->roster.version,
	       r->roster_moved ? ", newer than the one given" : "");
	if (r->expired)
		puts("EXPIRED   a node raises an alarm and goes on forwarding");
	if (whole)
		printf("verified  all %u bundles, the manifest, the root\n", r->statement.sites);
	else
		printf("verified  bundle of %zu bytes, sha256 %s\n", r->bundle_length,
		       hex_format(r->bundle_digest, SHA256_LEN, hex));
}

static void print_json(const struct seal_result *r, bool whole)
{
	json_t *object = statement_json(&r->statement, r->statement_digest);
	char hex[SHA256_STRLEN];

	json_object_set_new(object, "ok", json_true());
	json_object_set_new(object, "signers", signers_json(&r->roster, r->signers));
	json_object_set_new(object, "threshold", json_integer(r->roster.threshold));
	json_object_set_new(object, "roster_now", json_integer(r->roster.version));
	json_object_set_new(object, "roster_moved", json_boolean(r->roster_moved));
	json_object_set_new(object, "expired", json_boolean(r->expired));
	if (!whole)
		json_object_set_new(object, "bundle",
				    json_pack("{s:I, s:s}", "bytes", (json_int_t)r->bundle_length,
					      "sha256",
					      hex_format(r->bundle_digest, SHA256_LEN, hex)));
	json_line_print(object);
}

static void print_result(const struct verify_options *o, const struct seal_result *r, bool whole)
{
	if (o->json)
		print_json(r, whole);
	else
		print_people(r, whole);
}

static int epoch_check(const struct verify_options *o, const struct seal_result *r,
		       struct reason *reason)
{
	if (r->statement.epoch >= o->epoch)
		return 0;
	return reason_set(reason, -TUYEN_EEPOCH, "release has epoch %llu, --epoch asks for %llu",
			  (unsigned long long)r->statement.epoch, (unsigned long long)o->epoch);
}

static int verify_seal(const struct verify_options *o, const struct seal_trust *trust,
		       struct reason *reason)
{
	struct seal_result result;
	struct text seal = {0};
	int err;

	if (!o->site_id)
		return reason_set(reason, -TUYEN_EINVAL, "a seal is for one site: --site ID");
	err = file_read(o->path, SEAL_BYTES_MAX, 0, &seal, reason);
	if (!err)
		err = seal_verify((const uint8_t *)seal.bytes, seal.length, trust, &result, reason);
	if (!err)
		err = epoch_check(o, &result, reason);
	if (!err)
		print_result(o, &result, false);
	text_clear(&seal);
	return err;
}

static int verify_folder(const struct verify_options *o, const struct seal_trust *trust,
			 struct reason *reason)
{
	struct release_folder folder;
	struct seal_result result;
	int err = release_folder_read(o->path, NULL, 0, &folder, reason);

	if (err < 0)
		return err;
	err = seal_verify_statement(&folder.parts, trust, &result, reason);
	if (!err)
		err = epoch_check(o, &result, reason);
	if (!err)
		err = release_folder_check(&folder, &result.statement, reason);
	if (!err)
		print_result(o, &result, true);
	release_folder_clear(&folder);
	return err;
}

static int verify(const struct verify_options *o, struct reason *reason)
{
	struct seal_trust trust = {.site_id = o->site_id, .now_s = time(NULL)};
	struct text roster = {0};
	struct stat st;
	int err = file_read(o->roster, ROSTER_BYTES_MAX, 0, &roster, reason);

	if (err < 0)
		return err;
	trust.roster = text_string(&roster);
	trust.roster_length = roster.length;
	if (stat(o->path, &st) < 0)
		err = reason_set(reason, errno == ENOENT ? -TUYEN_ENOENT : -TUYEN_ESYSTEM, "%s: %s",
				 o->path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		err = verify_folder(o, &trust, reason);
	else
		err = verify_seal(o, &trust, reason);
	text_clear(&roster);
	return err;
}

static bool number_take(const char *s, uint64_t max, uint64_t *ret_number)
{
	char *end;

	*ret_number = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end && *ret_number >= 1 && *ret_number <= max;
}

static bool option_take(struct verify_options *o, int c)
{
	uint64_t number;

	switch (c) {
	case 'r':
		o->roster = optarg;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 'e':
		return number_take(optarg, INT64_MAX, &o->epoch);
	case 's':
		if (!number_take(optarg, SITE_ID_MAX, &number))
			return false;
		o->site_id = (uint32_t)number;
		return true;
	}
	return false;
}

/* The reason may name a file whose name is no UTF-8. */
static void print_refusal(int err, const struct reason *reason)
{
	struct text t = {0};

	text_add(&t, "{\"ok\":false,\"error\":");
	text_add_json_string(&t, tuyen_strerror(err));
	text_add(&t, ",\"reason\":");
	text_add_json_string(&t, reason->text);
	text_add(&t, "}\n");
	fputs(text_string(&t), stdout);
	text_clear(&t);
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"roster", required_argument, NULL, 'r'},
	    {"site", required_argument, NULL, 's'},
	    {"epoch", required_argument, NULL, 'e'},
	    {"json", no_argument, NULL, 'j'},
	    {0},
	};
	struct verify_options o = {0};
	struct reason reason = {""};
	bool good = true;
	int c, err;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		good = option_take(&o, c);
	if (!good || !o.roster || argc - optind != 1) {
		fputs("usage: tuyen verify OUT --roster ROSTER [--epoch N] [--json]\n"
		      "       tuyen verify FILE.seal --roster ROSTER --site ID [--epoch N] "
		      "[--json]\n",
		      stderr);
		return CLI_SYSTEM;
	}
	o.path = argv[optind];
	err = verify(&o, &reason);
	if (err < 0 && o.json)
		print_refusal(err, &reason);
	return err < 0 ? cli_fail("verify", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"--roster", "ROSTER", "the roster that is trusted, not one from the release"},
    {"--site", "ID", "the node that the seal is for"},
    {"--epoch", "N", "refuse an epoch below N"},
    {"--json", NULL, "for programs"},
    {0},
};

const struct cli_command cli_verify = {
    .name = "verify",
    .usage = "OUT|FILE.seal --roster ROSTER [--site ID] [--epoch N] [--json]",
    .summary = "check a whole release, or one site's seal, as a node would",
    .options = cli_options,
    .help =
	"OUT: signatures, manifest, every bundle, the Merkle root. Exit code 1: not verified, and\n"
	"the reason is said. An expired release is verified, and said to be expired.\n",
    .run = run,
};
