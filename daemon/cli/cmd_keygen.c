/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/utf8.h"
#include "tuyen/cli/cli.h"
#include "tuyen/cli/files.h"
#include "tuyen/policies/print.h"
#include "tuyen/topology/network.h"

/*
 * A node's two WireGuard keys. They are made here, written as wg(8) writes them, and never shown:
 * what is printed is the public statement for the topology.
 */

static const char *const key_names[] = {"link", "session"};
enum { KEYS = 2 };

static int key_make(uint8_t ret_private[static WG_KEY_LEN], struct reason *reason)
{
	if (getrandom(ret_private, WG_KEY_LEN, 0) != WG_KEY_LEN)
		return reason_set(reason, -TUYEN_ESYSTEM, "getrandom: %s", strerror(errno));
	ret_private[0] &= 248; /* RFC 7748 section 5 */
	ret_private[31] = (ret_private[31] & 127) | 64;
	return 0;
}

static int key_public(const uint8_t private[static WG_KEY_LEN],
		      uint8_t ret_public[static WG_KEY_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, WG_KEY_LEN);
	size_t length = WG_KEY_LEN;
	int ok = key && EVP_PKEY_get_raw_public_key(key, ret_public, &length) == 1;

	EVP_PKEY_free(key);
	return ok ? 0 : -TUYEN_ENOMEM;
}

static int key_write(const char *path, const uint8_t private[static WG_KEY_LEN],
		     struct reason *reason)
{
	char line[WG_KEY_STRLEN + 1];
	int err;

	wg_key_format(private, line);
	line[WG_KEY_STRLEN - 1] = '\n';
	err = file_write(path, line, WG_KEY_STRLEN, 0600, 0, reason);
	OPENSSL_cleanse(line, sizeof(line));
	return err;
}

static int key_create(const char *path, uint8_t ret_public[static WG_KEY_LEN],
		      struct reason *reason)
{
	uint8_t private[WG_KEY_LEN];
	int err = key_make(private, reason);

	if (!err)
		err = key_public(private, ret_public);
	if (!err)
		err = key_write(path, private, reason);
	OPENSSL_cleanse(private, sizeof(private));
	return err;
}

static int key_load(const char *path, uint8_t ret_public[static WG_KEY_LEN], struct reason *reason)
{
	uint8_t private[WG_KEY_LEN];
	struct text line = {0};
	int err = file_read(path, WG_KEY_STRLEN, FILE_SECRET, &line, reason);

	if (err < 0)
		return err;
	if (line.length && line.bytes[line.length - 1] == '\n')
		line.bytes[line.length - 1] = '\0';
	err = wg_key_parse(line.bytes, private);
	if (err < 0)
		reason_set(reason, err, "%s: not a WireGuard key", path);
	else
		err = key_public(private, ret_public);
	OPENSSL_cleanse(private, sizeof(private));
	text_wipe(&line);
	return err;
}

static int keys_absent(const struct text paths[static KEYS], struct reason *reason)
{
	struct stat st;

	for (int i = 0; i < KEYS; i++)
		if (lstat(paths[i].bytes, &st) == 0)
			return reason_set(reason, -TUYEN_EEXIST,
					  "%s exists already; a key is never overwritten",
					  paths[i].bytes);
	return 0;
}

static int keys_create(const char *folder, const struct text paths[static KEYS],
		       uint8_t ret_public[][WG_KEY_LEN], struct reason *reason)
{
	int err = folder_make(folder, 0700, reason);

	if (!err)
		err = keys_absent(paths, reason);
	if (!err)
		err = key_create(paths[0].bytes, ret_public[0], reason);
	if (err < 0)
		return err;
	err = key_create(paths[1].bytes, ret_public[1], reason);
	if (err < 0)
		unlink(paths[0].bytes);
	return err;
}

static int keygen(const char *folder, const char *site, bool again, struct reason *reason)
{
	uint8_t public[KEYS][WG_KEY_LEN];
	struct text paths[KEYS] = {{0}};
	char base64[KEYS][WG_KEY_STRLEN];
	struct text name = {0};
	int err = 0;

	print_name(site, &name);

	for (int i = 0; i < KEYS; i++) {
		text_printf(&paths[i], "%s/%s.key", folder, key_names[i]);
		if (paths[i].failed)
			err = -TUYEN_ENOMEM;
	}
	if (!err && !again)
		err = keys_create(folder, paths, public, reason);
	for (int i = 0; i < KEYS && again && !err; i++)
		err = key_load(paths[i].bytes, public[i], reason);
	if (!err)
		printf("keys %s { link \"%s\"; session \"%s\"; }\n", text_string(&name),
		       wg_key_format(public[0], base64[0]), wg_key_format(public[1], base64[1]));
	for (int i = 0; i < KEYS; i++)
		text_clear(&paths[i]);
	text_clear(&name);
	return err;
}

/* What the language can say, with quotes where it needs them. */
static bool name_valid(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0, size; i < length; i += size) {
		uint32_t code;

		size = utf8_decode(name + i, length - i, &code);
		if (!size || !utf8_is_shown(code))
			return false;
	}
	return length && length <= NAME_MAX_BYTES;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
	    {"site", required_argument, NULL, 's'},
	    {"public", no_argument, NULL, 'p'},
	    {0},
	};
	const char *folder = NULL, *site = NULL;
	struct reason reason = {""};
	bool again = false;
	int c, err;

	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o')
			folder = optarg;
		else if (c == 's')
			site = optarg;
		else if (c == 'p')
			again = true;
		else
			return CLI_SYSTEM;
	}
	if (!folder || !site || optind != argc) {
		fputs("usage: tuyen keygen -o DIR --site NAME [--public]\n", stderr);
		return CLI_SYSTEM;
	}
	if (!name_valid(site)) {
		fprintf(stderr, "tuyen keygen: '%s' cannot be the name of a site\n", site);
		return CLI_INPUT;
	}
	err = keygen(folder, site, again, &reason);
	return err < 0 ? cli_fail("keygen", err, &reason) : CLI_OK;
}

static const struct cli_option cli_options[] = {
    {"-o", "DIR", "folder for link.key and session.key (0600), made with 0700 if missing"},
    {"--site", "NAME", "the site as the topology names it"},
    {"--public", NULL, "make nothing; print the public halves of the keys that are there"},
    {0},
};

const struct cli_command cli_keygen = {
    .name = "keygen",
    .usage = "-o DIR --site NAME [--public]",
    .summary = "make this node's WireGuard keys and print their public halves",
    .options = cli_options,
    .help =
	"Prints the `keys` statement for the topology. The private keys are never printed and never\n"
	"overwritten.\n",
    .run = run,
};
