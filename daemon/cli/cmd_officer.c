/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <openssl/ec.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/officer_key.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"

struct officer_options {
	const char *name, *folder, *passphrase_file;
	bool p384;
};

/* Both files or none. */
static int pair_write(EVP_PKEY *key, const char *private, const char *public,
		      const struct officer_options *o, struct reason *reason)
{
	int err = officer_private_write(private, key, o->passphrase_file, reason);

	if (err < 0)
		return err;
	err = officer_public_write(public, key, reason);
	if (err < 0)
		unlink(private);
	return err;
}

static int officer_new(const struct officer_options *o, struct reason *reason)
{
	struct text private = {0}, public = {0};
	struct officer officer;
	EVP_PKEY *key = o->p384 ? EVP_EC_gen("P-384") : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int err;

	if (!key)
		return reason_set(reason, -TUYEN_ESYSTEM, "OpenSSL cannot make a key");
	text_printf(&private, "%s/%s.key", o->folder, o->name);
	text_printf(&public, "%s/%s.pem", o->folder, o->name);
	err = private.failed || public.failed ? -TUYEN_ENOMEM
					      : officer_of_key(o->name, key, &officer, reason);
	if (!err)
		err = folder_make(o->folder, 0700, reason);
	if (!err)
		err = pair_write(key, private.bytes, public.bytes, o, reason);
	if (!err)
		printf("officer   %s\nalgorithm %s\nprivate   %s\npublic    %s\n", o->name,
		       officer_algorithm_name(officer.algorithm), private.bytes, public.bytes);
	text_clear(&private);
	text_clear(&public);
	EVP_PKEY_free(key);
	return err;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"p384", no_argument, NULL, '3'},
	    {"passphrase-file", required_argument, NULL, 'p'},
	    {0},
	};
	struct officer_options o = {0};
	struct reason reason = {""};
	int c, err;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o')
			o.folder = optarg;
		else if (c == '3')
			o.p384 = true;
		else if (c == 'p')
			o.passphrase_file = optarg;
		else
			return CLI_SYSTEM;
	}
	if (!o.folder || argc - optind != 2 || strcmp(argv[optind], "new") != 0) {
		fputs("usage: tuyen officer new NAME -o DIR [--p384] [--passphrase-file FILE]\n",
		      stderr);
		return CLI_SYSTEM;
	}
	o.name = argv[optind + 1];
	err = officer_new(&o, &reason);
	return err < 0 ? cli_fail("officer", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"-o", "DIR", "folder for NAME.key (private, 0600) and NAME.pem (public)"},
    {"--p384", NULL, "ECDSA on P-384 instead of Ed25519"},
    {"--passphrase-file", "FILE", "encrypt the private key; FILE is 0600, its first line counts"},
    {0},
};

const struct cli_command cli_officer = {
    .name = "officer",
    .usage = "new NAME -o DIR [--p384] [--passphrase-file FILE]",
    .summary = "make an officer's key pair, to sign releases with",
    .options = cli_options,
    .choices = "new",
    .help =
	"Both are plain PEM: `openssl genpkey -algorithm ed25519` or a token's key does as well.\n",
    .run = run,
};
