/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SNMP_SECRETS_H
#define TUYEN_SNMP_SECRETS_H

#include <stddef.h>

#include "tuyen/base/err.h"

/**
 * Who tuyen-snmp is to the devices it polls. A file of lines
 *
 *	user NAME auth SHA-256 "pass phrase" priv AES "pass phrase"
 *
 * with # comments; auth is SHA, SHA-256 or SHA-512. SNMPv3 with authentication and privacy, nothing less.
 */
#define SECRETS_USERS_MAX  16
#define SECRETS_NAME_MAX   32 /* RFC 3414 section 5 */
#define SECRETS_PHRASE_MIN 8  /* RFC 3414 section 11.2 */
#define SECRETS_PHRASE_MAX 64
#define SECRETS_FILE_MAX   16384

enum secrets_auth {
	SECRETS_SHA,
	SECRETS_SHA_256,
	SECRETS_SHA_512,
};

struct secrets_user {
	char name[SECRETS_NAME_MAX + 1];
	enum secrets_auth auth;
	char auth_phrase[SECRETS_PHRASE_MAX + 1];
	char priv_phrase[SECRETS_PHRASE_MAX + 1];
};

struct secrets {
	struct secrets_user users[SECRETS_USERS_MAX];
	size_t count;
};

/** @return 0, or -TUYEN_EINVAL or -TUYEN_ELIMIT with "line N: ..." in @reason, which never quotes a phrase. */
int secrets_parse(const char *text, struct secrets *ret_secrets, struct reason *reason);

/**
 * Reads @path, which must be a plain file that others can neither read nor write.
 * @return 0; -TUYEN_ENOENT when there is no such file; else a negative error with @reason.
 */
int secrets_read(const char *path, struct secrets *ret_secrets, struct reason *reason);

/** Overwrites all of it. */
void secrets_wipe(struct secrets *secrets);

/** @return NULL if there is none. */
const struct secrets_user *secrets_find(const struct secrets *secrets, const char *name);

#endif
