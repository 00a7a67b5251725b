/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/service/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

bool store_is_at(const struct store *store, const char *path)
{
	struct stat there, ours;

	return fstat(store->dir, &ours) == 0 && stat(path, &there) == 0 &&
	       there.st_ino == ours.st_ino && there.st_dev == ours.st_dev;
}

bool store_lacks(const struct store *store, const char *name)
{
	struct stat st;

	return fstatat(store->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
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

static int beside_place(const struct store *store, const char *beside, const char *name,
			bool replace)
{
	return replace ? renameat(store->dir, beside, store->dir, name)
		       : renameat2(store->dir, beside, store->dir, name, RENAME_NOREPLACE);
}

static int file_put(const struct store *store, const char *name, const void *bytes, size_t length,
		    bool replace, struct reason *reason)
{
	char beside[STORE_NAME_MAX];
	int fd, err;

	snprintf(beside, sizeof(beside), "%s.new", name);
	unlinkat(store->dir, beside, 0); /* left by a crash */
	fd = openat(store->dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", beside, strerror(errno));
	err = write_whole(fd, bytes, length);
	if (close(fd) < 0 || err < 0 || beside_place(store, beside, name, replace) < 0) {
		err = errno;
		unlinkat(store->dir, beside, 0);
		return reason_set(reason, err == EEXIST ? -TUYEN_EEXIST : -TUYEN_ESYSTEM, "%s: %s",
				  name, strerror(err));
	}
	if (fsync(store->dir) < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(errno));
	return 0;
}

int store_write(const struct store *store, const char *name, const void *bytes, size_t length,
		struct reason *reason)
{
	return file_put(store, name, bytes, length, true, reason);
}

int store_add(const struct store *store, const char *name, const void *bytes, size_t length,
	      struct reason *reason)
{
	return file_put(store, name, bytes, length, false, reason);
}

int store_add_folder(const struct store *store, const char *name, mode_t mode,
		     struct reason *reason)
{
	if (mkdirat(store->dir, name, mode) == 0 ? fsync(store->dir) == 0 : errno == EEXIST)
		return 0;
	return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(errno));
}

void store_held_clear(struct store_held *held)
{
	if (held->there)
		close(held->fd);
	*held = (struct store_held){0};
}

void store_hold(const struct store *store, const char *name, struct store_held *held)
{
	struct stat st;
	int fd = open_regular(store, name, &st, NULL);

	store_held_clear(held);
	if (fd >= 0)
		*held = (struct store_held){
		    .there = true, .fd = fd, .size = st.st_size, .written_at = st.st_mtim};
}

static bool held_is_whole(const struct store_held *held)
{
	struct stat st;

	return fstat(held->fd, &st) == 0 && st.st_size == held->size &&
	       st.st_mtim.tv_sec == held->written_at.tv_sec &&
	       st.st_mtim.tv_nsec == held->written_at.tv_nsec;
}

int store_add_held(const struct store *store, const char *name, const struct store_held *held,
		   struct reason *reason)
{
	void *bytes;
	int err;

	if (!held_is_whole(held))
		return reason_set(reason, -TUYEN_EINVAL, "%s: was written into before it went",
				  name);
	bytes = mmap(NULL, (size_t)held->size, PROT_READ, MAP_SHARED, held->fd, 0);
	if (bytes == MAP_FAILED)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", name, strerror(errno));
	err = store_add(store, name, bytes, (size_t)held->size, reason);
	munmap(bytes, (size_t)held->size);
	return err;
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

static int key_add(const struct store *folder, const char *name,
		   const uint8_t key[static WG_KEY_LEN], struct reason *reason)
{
	char line[WG_KEY_STRLEN];
	int err;

	wg_key_format(key, line);
	line[WG_KEY_STRLEN - 1] = '\n';
	err = store_add(folder, name, line, sizeof(line), reason);
	explicit_bzero(line, sizeof(line));
	return err;
}

/* Whoever makes keys makes one after the other: none of ours comes between. */
static bool key_may_stay(const struct store *store, const char *name,
			 const uint8_t key[static WG_KEY_LEN])
{
	uint8_t there[WG_KEY_LEN] = {0};
	int err = key_read(store, name, there, NULL);
	bool same = !err && memcmp(there, key, WG_KEY_LEN) == 0;

	explicit_bzero(there, sizeof(there));
	return same || err == -TUYEN_ENOENT;
}

int store_keys_add(const struct store *store, const struct node_keys *keys, struct reason *reason)
{
	const struct {
		const char *name;
		const uint8_t *key;
	} both[] = {{STORE_KEY_LINK, keys->link}, {STORE_KEY_SESSION, keys->session}};
	struct store folder;
	int err = store_add_folder(store, STORE_KEYS, 0700, reason);

	for (size_t i = 0; i < 2 && !err; i++)
		if (!key_may_stay(store, both[i].name, both[i].key))
			err = reason_set(reason, -TUYEN_EEXIST, "%s: another key", both[i].name);
	if (err)
		return err;
	folder.dir =
	    openat(store->dir, STORE_KEYS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (folder.dir < 0)
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", STORE_KEYS, strerror(errno));
	for (size_t i = 0; i < 2 && !err; i++)
		if (store_lacks(store, both[i].name))
			err = key_add(&folder, both[i].name + sizeof(STORE_KEYS), both[i].key,
				      reason);
	store_close(&folder);
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

static int state_put(const struct store *store, const struct store_state *state, bool replace,
		     struct reason *reason)
{
	struct text t;
	int err;

	text_init(&t);
	state_print(state, &t);
	err = t.failed ? -TUYEN_ENOMEM
		       : file_put(store, STORE_STATE, t.bytes, t.length, replace, reason);
	text_clear(&t);
	return err;
}

int store_state_write(const struct store *store, const struct store_state *state,
		      struct reason *reason)
{
	return state_put(store, state, true, reason);
}

int store_state_add(const struct store *store, const struct store_state *state,
		    struct reason *reason)
{
	return state_put(store, state, false, reason);
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
