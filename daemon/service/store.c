/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/base/text.h"

int store_open(const char *path, struct store *ret_store, struct reason *reason)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", path, strerror(errno));
	ret_store->dir = dir;
	return 0;
}

void store_close(struct store *store)
{
	if (store->dir >= 0)
		close(store->dir);
	store->dir = -1;
}

static int read_whole(int fd, uint8_t *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = read(fd, bytes + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO; /* shrank while it was read */
		done += (size_t)n;
	}
	return 0;
}

/* @return an open regular file with its status, or a negative error with @reason. */
static int open_regular(const struct store *store, const char *name, struct stat *ret_stat,
			struct reason *reason)
{
	int fd = openat(store->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return reason_set(reason,
				  errno == ENOENT		     ? -TUYEN_ENOENT
				  : errno == ELOOP || errno == ENXIO ? -TUYEN_EINVAL
								     : -TUYEN_ESYSTEM,
				  "%s: %s", name, strerror(errno));
	if (fstat(fd, ret_stat) < 0 || !S_ISREG(ret_stat->st_mode)) {
		close(fd);
		return reason_set(reason, -TUYEN_EINVAL, "%s: not a regular file", name);
	}
	return fd;
}

int store_read(const struct store *store, const char *name, size_t max, uint8_t **ret_bytes,
	       size_t *ret_length, struct reason *reason)
{
	struct stat st;
	uint8_t *bytes;
	int err, fd = open_regular(store, name, &st, reason);

	if (fd < 0)
		return fd;
	if ((uint64_t)st.st_size > max) {
		close(fd);
		return reason_set(reason, -TUYEN_ELIMIT, "%s: larger than %zu bytes", name, max);
	}
	bytes = malloc((size_t)st.st_size + 1);
	err = bytes ? read_whole(fd, bytes, (size_t)st.st_size) : -ENOMEM;
	close(fd);
	if (err < 0) {
		free(bytes);
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(-err));
	}
	bytes[st.st_size] = '\0';
	*ret_bytes = bytes;
	*ret_length = (size_t)st.st_size;
	return 0;
}

static int write_whole(int fd, const uint8_t *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, bytes + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return fsync(fd);
}

int store_write(const struct store *store, const char *name, const void *bytes, size_t length,
		struct reason *reason)
{
	char beside[STORE_NAME_MAX];
	int fd, err;

	snprintf(beside, sizeof(beside), "%s.new", name);
	unlinkat(store->dir, beside, 0); /* left by a crash */
	fd = openat(store->dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", beside, strerror(errno));
	err = write_whole(fd, bytes, length);
	if (close(fd) < 0 || err < 0 || renameat(store->dir, beside, store->dir, name) < 0) {
		err = errno;
		unlinkat(store->dir, beside, 0);
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(err));
	}
	if (fsync(store->dir) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(errno));
	return 0;
}

static int key_read(const struct store *store, const char *name, uint8_t ret_key[static WG_KEY_LEN],
		    struct reason *reason)
{
	char base64[WG_KEY_STRLEN] = {0};
	struct stat st;
	int err, fd = open_regular(store, name, &st, reason);

	if (fd == -TUYEN_ENOENT)
		return reason_set(reason, fd, "no %s here: `tuyen keygen` makes this box's keys",
				  name);
	if (fd < 0)
		return fd;
	if (st.st_mode & 077) {
		close(fd);
		return reason_set(reason, -TUYEN_EINVAL,
				  "%s: readable by others; run chmod 600, and make new keys if it "
				  "may have been read",
				  name);
	}
	err = read_whole(fd, (uint8_t *)base64, WG_KEY_STRLEN - 1);
	close(fd);
	if (!err)
		err = wg_key_parse(base64, ret_key);
	explicit_bzero(base64, sizeof(base64));
	return err ? reason_set(reason, -TUYEN_EINVAL, "%s: not a WireGuard key", name) : 0;
}

int store_keys_read(const struct store *store, struct node_keys *ret_keys, struct reason *reason)
{
	struct node_keys keys = {0};
	int err = key_read(store, STORE_KEY_LINK, keys.link, reason);

	if (!err)
		err = key_read(store, STORE_KEY_SESSION, keys.session, reason);
	if (!err)
		*ret_keys = keys;
	explicit_bzero(&keys, sizeof(keys));
	return err;
}

static void state_print(const struct store_state *state, struct text *t)
{
	char hex[65];

	text_printf(t,
		    "tuyen-state 1\nepoch %" PRIu64 "\nstatement %s\ninstalled %" PRId64 "\nend\n",
		    state->epoch, hex_format(state->statement_digest, 32, hex), state->installed_s);
}

/* What state_print() writes and nothing else: a torn or edited file is seen. */
static int state_scan(const char *bytes, struct store_state *ret_state)
{
	struct store_state state = {0};
	struct text again;
	char hex[65] = "";
	int err = -TUYEN_EINVAL;

	text_init(&again);
	if (sscanf(bytes,
		   "tuyen-state 1\nepoch %" SCNu64 "\nstatement %64[0-9a-f]\ninstalled %" SCNd64
		   "\nend\n",
		   &state.epoch, hex, &state.installed_s) == 3 &&
	    hex_parse(hex, 32, state.statement_digest) == 0) {
		state_print(&state, &again);
		if (strcmp(text_string(&again), bytes) == 0)
			err = 0;
	}
	text_clear(&again);
	if (!err)
		*ret_state = state;
	return err;
}

int store_state_read(const struct store *store, struct store_state *ret_state,
		     struct reason *reason)
{
	uint8_t *bytes;
	size_t length;
	int err = store_read(store, STORE_STATE, 1024, &bytes, &length, reason);

	if (err == -TUYEN_ENOENT) {
		*ret_state = (struct store_state){0};
		return 0;
	}
	if (err)
		return err;
	err = state_scan((const char *)bytes, ret_state);
	free(bytes);
	return err ? reason_set(reason, err, "%s: damaged", STORE_STATE) : 0;
}

int store_state_write(const struct store *store, const struct store_state *state,
		      struct reason *reason)
{
	struct text t;
	int err;

	text_init(&t);
	state_print(state, &t);
	err = t.failed ? -TUYEN_ENOMEM : store_write(store, STORE_STATE, t.bytes, t.length, reason);
	text_clear(&t);
	return err;
}

static bool is_seal(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && length < STORE_NAME_MAX - sizeof(STORE_INCOMING) - 8 &&
	       name[0] != '.' && strcmp(name + length - 5, ".seal") == 0;
}

int store_incoming_next(const struct store *store, const char *after,
			char ret_name[static STORE_NAME_MAX])
{
	int fd =
	    openat(store->dir, STORE_INCOMING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	const char *last = *after ? after + sizeof(STORE_INCOMING) : "";
	char next[STORE_NAME_MAX] = "";
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return -TUYEN_ENOENT;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -TUYEN_ENOENT;
	}
	while ((entry = readdir(dir)))
		if (is_seal(entry->d_name) && strcmp(entry->d_name, last) > 0 &&
		    (!*next || strcmp(entry->d_name, next) < 0))
			snprintf(next, sizeof(next), "%s", entry->d_name);
	closedir(dir);
	if (!*next)
		return -TUYEN_ENOENT;
	snprintf(ret_name, STORE_NAME_MAX, "%s/%.240s", STORE_INCOMING, next);
	return 0;
}

int store_incoming_remove(const struct store *store, const char *name)
{
	return unlinkat(store->dir, name, 0) < 0 ? -TUYEN_ESYSTEM : 0;
}
