/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_OFFICER_KEY_H
#define DAEMON_CLI_OFFICER_KEY_H

#include <openssl/evp.h>

#include "tuyen/base/err.h"
#include "tuyen/policies/roster.h"

/* Officers' keys in PEM files. */

/** A private key, 0600; @passphrase_file NULL: none. @ret_key is the caller's, released with EVP_PKEY_free(). */
int officer_private_read(const char *path, const char *passphrase_file, EVP_PKEY **ret_key,
			 struct reason *reason);
/** PKCS#8 in PEM; encrypted when there is a passphrase file. */
int officer_private_write(const char *path, EVP_PKEY *key, const char *passphrase_file,
			  struct reason *reason);

/** The officer of a public key's PEM file. */
int officer_public_read(const char *path, const char *name, struct officer *ret_officer,
			struct reason *reason);
int officer_public_write(const char *path, EVP_PKEY *key, struct reason *reason);
/** The officer that @key makes. */
int officer_of_key(const char *name, EVP_PKEY *key, struct officer *ret_officer,
		   struct reason *reason);

#endif
