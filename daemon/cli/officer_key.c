/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/officer_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "tuyen/cli/files.h"

#define PEM_BYTES_MAX  16384
#define PASSPHRASE_MAX 1024

/* The first line of a passphrase file. */
static int passphrase_read(const char *path, struct text *ret_passphrase, struct reason *reason)
{
	int err = file_read(path, PASSPHRASE_MAX, FILE_SECRET, ret_passphrase, reason);

	if (err < 0)
		return err;
	ret_passphrase->length = strcspn(ret_passphrase->bytes, "\n");
	ret_passphrase->bytes[ret_passphrase->length] = '\0';
	if (!ret_passphrase->length)
		return reason_set(reason, -TUYEN_EINVAL, "%s: the passphrase is empty", path);
	return 0;
}

/* OpenSSL asks here, and never at the terminal. */
static int passphrase_give(char *buffer, int size, int writing, void *context)
{
	const struct text *passphrase = context;

	(void)writing;
	if (!passphrase->length || passphrase->length > (size_t)size)
		return -1;
	memcpy(buffer, passphrase->bytes, passphrase->length);
	return (int)passphrase->length;
}

int officer_private_read(const char *path, const char *passphrase_file, EVP_PKEY **ret_key,
			 struct reason *reason)
{
	struct text pem = {0}, passphrase = {0};
	EVP_PKEY *key = NULL;
	BIO *bio = NULL;
	int err = 0;

	if (passphrase_file)
		err = passphrase_read(passphrase_file, &passphrase, reason);
	if (!err)
		err = file_read(path, PEM_BYTES_MAX, FILE_SECRET, &pem, reason);
	if (!err) {
		bio = BIO_new_mem_buf(pem.bytes, (int)pem.length);
		key = bio ? PEM_read_bio_PrivateKey(bio, NULL, passphrase_give, &passphrase) : NULL;
		if (!key)
			err = reason_set(
			    reason, -TUYEN_EINVAL,
			    passphrase_file
				? "%s: no private key in PEM, or another passphrase"
				: "%s: no private key in PEM, or it needs --passphrase-file",
			    path);
	}
	BIO_free(bio);
	text_wipe(&pem);
	text_wipe(&passphrase);
	if (!err)
		*ret_key = key;
	return err;
}

int officer_private_write(const char *path, EVP_PKEY *key, const char *passphrase_file,
			  struct reason *reason)
{
	struct text passphrase = {0};
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes = NULL;
	long length;
	int err = bio ? 0 : -TUYEN_ENOMEM;

	if (!err && passphrase_file)
		err = passphrase_read(passphrase_file, &passphrase, reason);
	if (!err &&
	    PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase_file ? EVP_aes_256_cbc() : NULL,
					  NULL, 0, passphrase_give, &passphrase) != 1)
		err = reason_set(reason, -TUYEN_ESYSTEM, "%s: OpenSSL cannot write the key", path);
	if (!err) {
		length = BIO_get_mem_data(bio, &bytes);
		err = file_write(path, bytes, (size_t)length, 0600, 0, reason);
		OPENSSL_cleanse(bytes, (size_t)length);
	}
	BIO_free(bio);
	text_wipe(&passphrase);
	return err;
}

int officer_of_key(const char *name, EVP_PKEY *key, struct officer *ret_officer,
		   struct reason *reason)
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key, &der), err;

	if (length < 0)
		return reason_set(reason, -TUYEN_EINVAL, "key of officer '%s' has no public half",
				  name);
	err = officer_init(ret_officer, name, der, (size_t)length, reason);
	OPENSSL_free(der);
	return err;
}

int officer_public_read(const char *path, const char *name, struct officer *ret_officer,
			struct reason *reason)
{
	struct text pem = {0};
	EVP_PKEY *key = NULL;
	BIO *bio;
	int err = file_read(path, PEM_BYTES_MAX, 0, &pem, reason);

	if (err < 0)
		return err;
	bio = BIO_new_mem_buf(pem.bytes, (int)pem.length);
	key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	if (key)
		err = officer_of_key(name, key, ret_officer, reason);
	else
		err = reason_set(reason, -TUYEN_EINVAL, "%s: no public key in PEM", path);
	EVP_PKEY_free(key);
	BIO_free(bio);
	text_wipe(&pem); /* someone may have given a private one */
	return err;
}

int officer_public_write(const char *path, EVP_PKEY *key, struct reason *reason)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long length;
	int err;

	if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1) {
		BIO_free(bio);
		return -TUYEN_ENOMEM;
	}
	length = BIO_get_mem_data(bio, &bytes);
	err = file_write(path, bytes, (size_t)length, 0644, 0, reason);
	BIO_free(bio);
	return err;
}
