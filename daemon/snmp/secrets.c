/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/snmp/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *word;
	enum secrets_auth auth;
} auth_words[] = {
    {"SHA", SECRETS_SHA},
    {"SHA-256", SECRETS_SHA_256},
    {"SHA-512", SECRETS_SHA_512},
};

void secrets_wipe(struct secrets *secrets)
{
	explicit_bzero(secrets, sizeof(*secrets));
}

const struct secrets_user *secrets_find(const struct secrets *secrets, const char *name)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (!strcmp(secrets->users[i].name, name))
			return &secrets->users[i];
	return NULL;
}

static const char *blank_skip(const char *at)
{
	return at + strspn(at, " \t\r");
}

/* Up to a blank or the line's end. */
static bool word_read(const char **at, char *out, size_t size)
{
	const char *start = blank_skip(*at);
	size_t length = strcspn(start, " \t\r\n");

	if (!length || length >= size)
		return false;
	memcpy(out, start, length);
	out[length] = '\0';
	*at = start + length;
	return true;
}

static bool word_expect(const char **at, const char *word)
{
	char found[16];

	return word_read(at, found, sizeof(found)) && !strcmp(found, word);
}

static bool phrase_read(const char **at, char *out)
{
	const char *start = blank_skip(*at);
	size_t length;

	if (*start++ != '"')
		return false;
	length = strcspn(start, "\"\n");
	if (start[length] != '"' || length < SECRETS_PHRASE_MIN || length > SECRETS_PHRASE_MAX)
		return false;
	memcpy(out, start, length);
	out[length] = '\0';
	*at = start + length + 1;
	return true;
}

static bool auth_read(const char **at, enum secrets_auth *ret_auth)
{
	char word[16];

	if (!word_read(at, word, sizeof(word)))
		return false;
	for (size_t i = 0; i < sizeof(auth_words) / sizeof(auth_words[0]); i++) {
		if (strcmp(auth_words[i].word, word))
			continue;
		*ret_auth = auth_words[i].auth;
		return true;
	}
	return false;
}

/* @return NULL, or what is wrong with the line. */
static const char *user_read(const char *at, struct secrets_user *user)
{
	if (!word_expect(&at, "user"))
		return "expected: user NAME auth SHA-256 \"...\" priv AES \"...\"";
	if (!word_read(&at, user->name, sizeof(user->name)))
		return "a user's name has 1 to 32 bytes";
	if (!word_expect(&at, "auth") || !auth_read(&at, &user->auth))
		return "expected auth SHA, SHA-256 or SHA-512 after the user's name";
	if (!phrase_read(&at, user->auth_phrase))
		return "the auth pass phrase stands in quotes and has 8 to 64 bytes";
	if (!word_expect(&at, "priv") || !word_expect(&at, "AES"))
		return "expected priv AES after the auth pass phrase";
	if (!phrase_read(&at, user->priv_phrase))
		return "the priv pass phrase stands in quotes and has 8 to 64 bytes";
	at = blank_skip(at);
	return *at && *at != '\n' && *at != '#' ? "something follows the priv pass phrase" : NULL;
}

static const char *line_parse(const char *at, struct secrets *secrets)
{
	struct secrets_user *user = &secrets->users[secrets->count];
	const char *wrong;

	at = blank_skip(at);
	if (!*at || *at == '\n' || *at == '#')
		return NULL;
	if (secrets->count == SECRETS_USERS_MAX)
		return "more than 16 users";
	wrong = user_read(at, user);
	if (wrong)
		return wrong;
	if (secrets_find(secrets, user->name))
		return "this user stands above already";
	secrets->count++;
	return NULL;
}

int secrets_parse(const char *text, struct secrets *ret_secrets, struct reason *reason)
{
	struct secrets secrets = {0};
	unsigned int line = 1;

	for (const char *at = text; *at; line++) {
		const char *wrong = line_parse(at, &secrets);

		if (wrong) {
			secrets_wipe(&secrets);
			return reason_set(reason, -TUYEN_EINVAL, "line %u: %s", line, wrong);
		}
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	*ret_secrets = secrets;
	secrets_wipe(&secrets);
	return 0;
}

static int file_read(int fd, const char *path, char text[static SECRETS_FILE_MAX + 1],
		     struct reason *reason)
{
	struct stat st;
	size_t length = 0;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return reason_set(reason, -TUYEN_EINVAL, "%s: not a plain file", path);
	if (st.st_mode & 037)
		return reason_set(reason, -TUYEN_EINVAL,
				  "%s: mode %04o lets others at the secrets; chmod 0640 or 0600 it",
				  path, (unsigned int)st.st_mode & 07777);
	while ((n = read(fd, text + length, SECRETS_FILE_MAX - length)) > 0)
		length += (size_t)n;
	if (n < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", path, strerror(errno));
	if (length == SECRETS_FILE_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "%s: too long", path);
	text[length] = '\0';
	return strlen(text) == length ? 0
				      : reason_set(reason, -TUYEN_EINVAL, "%s: not a text", path);
}

int secrets_read(const char *path, struct secrets *ret_secrets, struct reason *reason)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[SECRETS_FILE_MAX + 1];
	struct reason inner;
	int err;

	if (fd < 0)
		return reason_set(reason, errno == ENOENT ? -TUYEN_ENOENT : -TUYEN_ESYSTEM,
				  "%s: %s", path, strerror(errno));
	err = file_read(fd, path, text, reason);
	close(fd);
	if (err == 0) {
		err = secrets_parse(text, ret_secrets, &inner);
		if (err < 0)
			reason_set(reason, err, "%s: %s", path, inner.text);
	}
	explicit_bzero(text, sizeof(text));
	return err;
}
