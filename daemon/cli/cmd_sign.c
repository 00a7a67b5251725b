/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/cli/officer_key.h"
#include "daemon/cli/release_folder.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"

/*
 * An officer's signature over a release or over a new roster. Before the key is touched, the
 * release is made again from its files, and what is signed is printed: nobody signs a root that he
 * has not computed, nor, without saying so, one that nobody audited.
 */

struct sign_options {
	const char *path, *officer, *key, *passphrase_file;
	bool roster, unaudited;
};

static int bytes_sign(EVP_PKEY *key, const struct text *message,
		      uint8_t ret_signature[static SIGNATURE_MAX], size_t *ret_length,
		      struct reason *reason)
{
	const EVP_MD *digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? EVP_sha384() : NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t length = SIGNATURE_MAX;
	bool ok;

	ok = ctx && EVP_DigestSignInit(ctx, NULL, digest, NULL, key) == 1 &&
	     EVP_DigestSign(ctx, ret_signature, &length, (const uint8_t *)message->bytes,
			    message->length) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return reason_set(reason, -TUYEN_ESYSTEM, "OpenSSL cannot sign");
	*ret_length = length;
	return 0;
}

static int signature_make(const struct sign_options *o, const struct text *message,
			  uint8_t ret_signature[static SIGNATURE_MAX], size_t *ret_length,
			  struct reason *reason)
{
	struct officer officer;
	EVP_PKEY *key = NULL;
	int err = officer_private_read(o->key, o->passphrase_file, &key, reason);

	if (!err)
		err = officer_of_key(o->officer, key, &officer, reason);
	if (!err)
		err = bytes_sign(key, message, ret_signature, ret_length, reason);
	EVP_PKEY_free(key);
	return err;
}

static int signature_write(const struct sign_options *o, const struct text *message,
			   const char *folder, struct reason *reason)
{
	uint8_t signature[SIGNATURE_MAX];
	struct text path = {0};
	size_t length = 0;
	int err = signature_make(o, message, signature, &length, reason);

	if (!err)
		err = folder_make(folder, 0755, reason);
	if (!err) /* what is signed is on the disk before its signature: else a power cut leaves one of nothing */
		err = folder_flush(folder, reason);
	text_printf(&path, "%s/%s.sig", folder, o->officer);
	if (!err)
		err = path.failed ? -TUYEN_ENOMEM
				  : file_write(path.bytes, signature, length, 0644, 0, reason);
	if (err == -TUYEN_EEXIST) /* written with a wrong key it would undo a good one */
		reason_set(reason, err, "%s is there already: remove it to sign again", path.bytes);
	if (!err)
		printf("signed    %s\n", path.bytes);
	text_clear(&path);
	return err;
}

static int audit_require(const struct sign_options *o, const struct statement *statement,
			 struct reason *reason)
{
	if (statement->audit.clean || o->unaudited)
		return 0;
	return reason_set(reason, -TUYEN_EINVAL,
			  "%s/" RELEASE_FILE
			  " says 'audit none': nobody proved these bundles; compile "
			  "without --no-audit, or sign with --unaudited",
			  o->path);
}

/* Shows what stands in @text, after checking all that can be checked. */
static int release_review(const struct sign_options *o, const struct text *text,
			  struct reason *reason)
{
	struct release_folder folder;
	struct statement statement;
	int err = statement_parse(text->bytes, text->length, &statement, reason);

	if (!err)
		err = audit_require(o, &statement, reason);
	if (err < 0)
		return err;
	err = release_folder_read(o->path, NULL, 0, &folder, reason);
	if (err < 0)
		return err;
	err = release_folder_check(&folder, &statement, reason);
	release_folder_clear(&folder);
	if (!err)
		statement_print(&statement);
	return err;
}

static int roster_review(const struct text *text, struct reason *reason)
{
	struct roster roster;
	int err = roster_parse(text->bytes, text->length, &roster, reason);

	if (!err)
		fputs(text->bytes, stdout);
	return err;
}

static int sign_file(const struct sign_options *o, const char *file, const char *signatures,
		     struct reason *reason)
{
	struct text text = {0};
	int err =
	    file_read(file, o->roster ? ROSTER_BYTES_MAX : STATEMENT_BYTES_MAX, 0, &text, reason);

	if (!err)
		err = o->roster ? roster_review(&text, reason) : release_review(o, &text, reason);
	if (!err)
		err = signature_write(o, &text, signatures, reason);
	text_clear(&text);
	return err;
}

static int sign_path(const struct sign_options *o, struct reason *reason)
{
	struct text file = {0}, signatures = {0};
	struct stat st;
	bool folder = stat(o->path, &st) == 0 && S_ISDIR(st.st_mode);
	int err;

	text_printf(&file, "%s%s%s", o->path, folder ? "/" : "",
		    !folder	? ""
		    : o->roster ? RELEASE_ROSTER
				: RELEASE_FILE);
	if (o->roster)
		text_printf(&signatures, "%s-signatures", text_string(&file));
	else
		text_printf(&signatures, "%s/" RELEASE_SIGNATURES, o->path);
	if (file.failed || signatures.failed)
		err = -TUYEN_ENOMEM;
	else if (!folder && !o->roster)
		err = reason_set(reason, -TUYEN_EINVAL, "%s is not a release's folder", o->path);
	else
		err = sign_file(o, file.bytes, signatures.bytes, reason);
	text_clear(&file);
	text_clear(&signatures);
	return err;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"officer", required_argument, NULL, 'o'},
	    {"key", required_argument, NULL, 'k'},
	    {"passphrase-file", required_argument, NULL, 'p'},
	    {"roster", no_argument, NULL, 'r'},
	    {"unaudited", no_argument, NULL, 'u'},
	    {0},
	};
	struct sign_options o = {0};
	struct reason reason = {""};
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o')
			o.officer = optarg;
		else if (c == 'k')
			o.key = optarg;
		else if (c == 'p')
			o.passphrase_file = optarg;
		else if (c == 'r')
			o.roster = true;
		else if (c == 'u')
			o.unaudited = true;
		else
			return CLI_SYSTEM;
	}
	if (!o.officer || !o.key || argc - optind != 1) {
		fprintf(stderr, "usage: tuyen sign %s\n", cli_sign.usage);
		return CLI_SYSTEM;
	}
	o.path = argv[optind];
	err = sign_path(&o, &reason);
	return err < 0 ? cli_fail("sign", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"--officer", "NAME", "as the roster names you"},
    {"--key", "KEY.pem", "your private key, 0600"},
    {"--unaudited", NULL, "also a release whose statement says 'audit none'"},
    {"--roster", NULL, "sign the roster OUT/roster, or the file OUT, instead of the release"},
    {"--passphrase-file", "FILE", "of an encrypted key; 0600, its first line counts"},
    {0},
};

const struct cli_command cli_sign = {
    .name = "sign",
    .usage = "OUT --officer NAME --key KEY.pem [--unaudited] [--roster] [--passphrase-file FILE]",
    .summary = "sign a release, or a new roster, as an officer",
    .options = cli_options,
    .help =
	"The release is made again from its bundles first, and what is signed is printed. The signature is\n"
	"raw and detached (OUT/signatures/NAME.sig); stock openssl makes and checks the same:\n"
	"  openssl pkeyutl -sign -rawin -inkey KEY.pem -in OUT/release -out OUT/signatures/NAME.sig\n"
	"  openssl pkeyutl -verify -rawin -pubin -inkey NAME.pem -in OUT/release -sigfile OUT/signatures/NAME.sig\n"
	"(with a P-384 key: openssl dgst -sha384 -sign and -verify).\n",
    .run = run,
};
