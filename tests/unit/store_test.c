/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/service/store.c daemon/base/err.c daemon/base/text.c daemon/base/encode.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuyen/service/store.h"

struct fixture {
	char path[64];
	struct store store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char command[256];

	snprintf(f->path, sizeof(f->path), "/tmp/tuyen-store-XXXXXX");
	if (!mkdtemp(f->path) || store_open(f->path, &f->store, NULL) < 0)
		return -1;
	snprintf(command, sizeof(command), "mkdir %s/keys %s/incoming", f->path, f->path);
	*state = f;
	return system(command);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[256];
	int err;

	store_close(&f->store);
	snprintf(command, sizeof(command), "rm -rf %s", f->path);
	err = system(command);
	free(f);
	return err;
}

static void put(const struct fixture *f, const char *name, const char *content, mode_t mode)
{
	int fd = openat(f->store.dir, name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void written_is_read_back(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes;
	size_t length;
	struct reason reason;

	assert_int_equal(store_write(&f->store, "roster", "first", 5, &reason), 0);
	assert_int_equal(store_write(&f->store, "roster", "second\0x", 8, &reason), 0);
	assert_int_equal(store_read(&f->store, "roster", 8, &bytes, &length, &reason), 0);
	assert_int_equal(length, 8);
	assert_memory_equal(bytes, "second\0x", 9);
	free(bytes);
	assert_int_equal(store_read(&f->store, "roster", 7, &bytes, &length, &reason),
			 -TUYEN_ELIMIT);
	assert_int_equal(store_read(&f->store, "none", 7, &bytes, &length, &reason), -TUYEN_ENOENT);
}

static void links_and_folders_are_not_read(void **state)
{
	struct fixture *f = *state;
	uint8_t *bytes;
	size_t length;
	struct reason reason;

	put(f, "target", "x", 0600);
	assert_int_equal(symlinkat("target", f->store.dir, "roster"), 0);
	assert_int_equal(store_read(&f->store, "roster", 9, &bytes, &length, &reason),
			 -TUYEN_EINVAL);
	assert_int_equal(store_read(&f->store, "keys", 9, &bytes, &length, &reason), -TUYEN_EINVAL);
	assert_non_null(strstr(reason.text, "regular file"));
	/* writing replaces the link and not what it points to */
	assert_int_equal(store_write(&f->store, "roster", "new", 3, &reason), 0);
	assert_int_equal(store_read(&f->store, "target", 9, &bytes, &length, &reason), 0);
	assert_string_equal(bytes, "x");
	free(bytes);
}

static void state_survives_and_damage_is_seen(void **state)
{
	struct fixture *f = *state;
	struct store_state s = {.epoch = 7, .installed_s = 1764000000}, again;
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(store_state_read(&f->store, &again, &reason), 0);
	assert_int_equal(again.epoch, 0);
	memset(s.statement_digest, 0xab, 32);
	assert_int_equal(store_state_write(&f->store, &s, &reason), 0);
	assert_int_equal(store_state_read(&f->store, &again, &reason), 0);
	assert_int_equal(again.epoch, 7);
	assert_memory_equal(again.statement_digest, s.statement_digest, 32);
	assert_int_equal(store_read(&f->store, STORE_STATE, 1024, &bytes, &length, &reason), 0);
	for (size_t cut = 0; cut < length; cut++) { /* a torn file, at every byte */
		char part[256];

		memcpy(part, bytes, cut);
		part[cut] = '\0';
		put(f, STORE_STATE, part, 0600);
		assert_int_equal(store_state_read(&f->store, &again, &reason), -TUYEN_EINVAL);
	}
	free(bytes);
}

static void what_is_added_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	assert_true(store_lacks(&f->store, "roster"));
	assert_int_equal(store_add(&f->store, "roster", "first", 5, &reason), 0);
	assert_false(store_lacks(&f->store, "roster"));
	assert_int_equal(store_add(&f->store, "roster", "second", 6, &reason), -TUYEN_EEXIST);
	assert_true(store_lacks(&f->store, "roster.new"));
	assert_int_equal(store_read(&f->store, "roster", 8, &bytes, &length, &reason), 0);
	assert_string_equal(bytes, "first");
	free(bytes);
	assert_int_equal(store_add_folder(&f->store, "roster/a", 0700, &reason), -TUYEN_ESYSTEM);
	assert_int_equal(store_add_folder(&f->store, "incoming", 0700, &reason), 0);
}

static void what_is_held_outlives_its_name(void **state)
{
	struct fixture *f = *state;
	struct store_held held = {0};
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	store_hold(&f->store, "roster", &held);
	assert_false(held.there);
	put(f, "roster", "the roster", 0600);
	store_hold(&f->store, "roster", &held);
	assert_int_equal(store_add_held(&f->store, "roster", &held, &reason), -TUYEN_EEXIST);
	assert_int_equal(unlinkat(f->store.dir, "roster", 0), 0);
	assert_int_equal(store_add_held(&f->store, "roster", &held, &reason), 0);
	assert_int_equal(store_read(&f->store, "roster", 32, &bytes, &length, &reason), 0);
	assert_string_equal(bytes, "the roster");
	free(bytes);
	store_hold(&f->store, "roster", &held);
	put(f, "roster", "", 0600); /* in place: what was held is no more */
	assert_int_equal(unlinkat(f->store.dir, "roster", 0), 0);
	assert_int_equal(store_add_held(&f->store, "roster", &held, &reason), -TUYEN_EINVAL);
	assert_true(store_lacks(&f->store, "roster"));
	store_held_clear(&held);
	assert_false(held.there);
}

static void keys_are_added_beside_none_that_is_another(void **state)
{
	static const char other[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n";
	static const char *const names[] = {STORE_KEY_LINK, STORE_KEY_SESSION};
	const struct node_keys keys = {.link = {1}, .session = {2}};
	struct fixture *f = *state;
	struct node_keys again;
	struct reason reason;
	struct stat st;

	assert_int_equal(unlinkat(f->store.dir, STORE_KEYS, AT_REMOVEDIR), 0);
	assert_int_equal(store_keys_add(&f->store, &keys, &reason), 0);
	assert_int_equal(fstatat(f->store.dir, STORE_KEYS, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(f->store.dir, STORE_KEY_LINK, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, WG_KEY_STRLEN);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(unlinkat(f->store.dir, names[i], 0), 0);
		assert_int_equal(store_keys_add(&f->store, &keys, &reason), 0);
		assert_int_equal(store_keys_read(&f->store, &again, &reason), 0);
		assert_memory_equal(&again, &keys, sizeof(keys));
	}
	for (size_t i = 0; i < 2; i++) { /* half of a change of keys */
		assert_int_equal(unlinkat(f->store.dir, names[1 - i], 0), 0);
		put(f, names[i], other, 0600);
		assert_int_equal(store_keys_add(&f->store, &keys, &reason), -TUYEN_EEXIST);
		assert_true(store_lacks(&f->store, names[1 - i]));
		assert_int_equal(unlinkat(f->store.dir, names[i], 0), 0);
		assert_int_equal(store_keys_add(&f->store, &keys, &reason), 0);
	}
}

static void keys_must_be_private(void **state)
{
	static const char good[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";
	struct fixture *f = *state;
	struct node_keys keys;
	struct reason reason;

	assert_int_equal(store_keys_read(&f->store, &keys, &reason), -TUYEN_ENOENT);
	assert_non_null(strstr(reason.text, "no keys/link.key here: `tuyen keygen`"));
	put(f, STORE_KEY_LINK, "YAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA=\n", 0600);
	put(f, STORE_KEY_SESSION, good, 0640);
	assert_int_equal(store_keys_read(&f->store, &keys, &reason), -TUYEN_EINVAL);
	assert_non_null(strstr(reason.text, "keys/session.key"));
	assert_null(strstr(reason.text, good)); /* never the key itself */
	put(f, STORE_KEY_SESSION, good, 0600);
	assert_int_equal(store_keys_read(&f->store, &keys, &reason), 0);
	assert_int_equal(keys.link[0], 0x60);
	assert_int_equal(keys.session[31], 1);
	put(f, STORE_KEY_SESSION, "short", 0600);
	assert_int_not_equal(store_keys_read(&f->store, &keys, &reason), 0);
}

static void incoming_in_order_and_only_seals(void **state)
{
	struct fixture *f = *state;
	char name[STORE_NAME_MAX];

	assert_int_equal(store_incoming_next(&f->store, "", name), -TUYEN_ENOENT);
	put(f, "incoming/901.seal.new", "x", 0600);
	put(f, "incoming/.901.seal", "x", 0600);
	put(f, "incoming/.seal", "x", 0600);
	put(f, "incoming/b.seal", "x", 0600);
	put(f, "incoming/a.seal", "x", 0600);
	assert_int_equal(store_incoming_next(&f->store, "", name), 0);
	assert_string_equal(name, "incoming/a.seal");
	assert_int_equal(store_incoming_remove(&f->store, name), 0);
	assert_int_equal(store_incoming_next(&f->store, name, name), 0);
	assert_string_equal(name, "incoming/b.seal");
	assert_int_equal(store_incoming_remove(&f->store, name), 0);
	assert_int_equal(store_incoming_next(&f->store, "", name), -TUYEN_ENOENT);
}

/* A folder cannot be unlinked: the walk goes past it all the same. */
static void incoming_goes_past_what_is_no_file(void **state)
{
	struct fixture *f = *state;
	char name[STORE_NAME_MAX] = "";
	struct reason reason;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(mkdirat(f->store.dir, "incoming/a.seal", 0700), 0);
	assert_int_equal(mkfifoat(f->store.dir, "incoming/b.seal", 0600), 0);
	assert_int_equal(symlinkat("/dev/zero", f->store.dir, "incoming/c.seal"), 0);
	put(f, "incoming/d.seal", "x", 0600);
	for (char c = 'a'; c <= 'c'; c++) {
		assert_int_equal(store_incoming_next(&f->store, name, name), 0);
		assert_int_equal(name[9], c);
		assert_int_equal(store_read(&f->store, name, 9, &bytes, &length, &reason),
				 -TUYEN_EINVAL);
	}
	assert_int_equal(store_incoming_next(&f->store, name, name), 0);
	assert_string_equal(name, "incoming/d.seal");
	assert_int_equal(store_incoming_next(&f->store, name, name), -TUYEN_ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(written_is_read_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(links_and_folders_are_not_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(state_survives_and_damage_is_seen, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_added_replaces_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_held_outlives_its_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(keys_are_added_beside_none_that_is_another, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(keys_must_be_private, setup, teardown),
	    cmocka_unit_test_setup_teardown(incoming_in_order_and_only_seals, setup, teardown),
	    cmocka_unit_test_setup_teardown(incoming_goes_past_what_is_no_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
