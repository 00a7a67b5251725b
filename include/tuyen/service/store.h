/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_SERVICE_STORE_H
#define TUYEN_SERVICE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "tuyen/base/err.h"
#include "tuyen/core/desired.h"

/**
 * A node's folder, /var/lib/tuyen:
 *
 *	keys/link.key, keys/session.key	WireGuard private keys, base64, 0600
 *	roster				the officers now trusted: the trust anchor, put there when the node is installed
 *	current.seal, current.seal.copy	the release in force, twice: one may be torn
 *	state				the newest epoch ever accepted and its statement's digest
 *	incoming/			what `tuyen install` or a stick left to be looked at
 *
 * Each file is written beside, flushed, and renamed over the old one: it is the old or the new, never a part.
 */
#define STORE_ROSTER	   "roster"
#define STORE_CURRENT	   "current.seal"
#define STORE_CURRENT_COPY "current.seal.copy"
#define STORE_STATE	   "state"
#define STORE_METERS	   "meters" /* core/meter.h */
#define STORE_INCOMING	   "incoming"
#define STORE_KEYS	   "keys"
#define STORE_KEY_LINK	   STORE_KEYS "/link.key"
#define STORE_KEY_SESSION  STORE_KEYS "/session.key"

struct store {
	int dir; /* -1: closed */
};

int store_open(const char *path, struct store *ret_store, struct reason *reason);
void store_close(struct store *store);
/** Is the folder that is open the one at @path? */
bool store_is_at(const struct store *store, const char *path);

/**
 * Reads a whole file of at most @max bytes; a NUL follows the bytes. Not through a symbolic link.
 * @ret_bytes  the caller's, by free().
 * @return 0; -TUYEN_ENOENT; -TUYEN_EINVAL if it is no regular file; -TUYEN_ELIMIT; -TUYEN_ESYSTEM, with @reason.
 */
int store_read(const struct store *store, const char *name, size_t max, uint8_t **ret_bytes,
	       size_t *ret_length, struct reason *reason);
/** @return 0 or -TUYEN_ESYSTEM with @reason; then the old file stands. */
int store_write(const struct store *store, const char *name, const void *bytes, size_t length,
		struct reason *reason);

/** Nothing of that name is there. */
bool store_lacks(const struct store *store, const char *name);
/** As store_write(), but what stands is left: -TUYEN_EEXIST. */
int store_add(const struct store *store, const char *name, const void *bytes, size_t length,
	      struct reason *reason);
/** A folder in it. @return 0, also where one stands, or -TUYEN_ESYSTEM with @reason. */
int store_add_folder(const struct store *store, const char *name, mode_t mode,
		     struct reason *reason);

/** A file as it was when it was read or written: it outlives its name, and takes no memory. All zero: none. */
struct store_held {
	bool there;
	int fd;
	off_t size;
	struct timespec written_at;
};

/** In place of what @held was; of what cannot be opened, none. */
void store_hold(const struct store *store, const char *name, struct store_held *held);
void store_held_clear(struct store_held *held);
/** As store_add(); -TUYEN_EINVAL when somebody wrote into it since. */
int store_add_held(const struct store *store, const char *name, const struct store_held *held,
		   struct reason *reason);

/** -TUYEN_EINVAL when a key is malformed or readable by others than its owner. The caller wipes. */
int store_keys_read(const struct store *store, struct node_keys *ret_keys, struct reason *reason);
/** Those that are missing, and their folder. -TUYEN_EEXIST where one that stands is another: both are left to whoever changes them. */
int store_keys_add(const struct store *store, const struct node_keys *keys, struct reason *reason);

/** What must survive a restart for the epoch never to go back. */
struct store_state {
	uint64_t epoch; /* 0: none yet */
	uint8_t statement_digest[32];
	int64_t installed_s;
};

/** A missing file is no error: epoch 0. A damaged one is -TUYEN_EINVAL. */
int store_state_read(const struct store *store, struct store_state *ret_state,
		     struct reason *reason);
int store_state_write(const struct store *store, const struct store_state *state,
		      struct reason *reason);
/** As store_add(). */
int store_state_add(const struct store *store, const struct store_state *state,
		    struct reason *reason);

#define STORE_NAME_MAX 256

/**
 * The next of incoming/ after @after, in byte order, that ends in ".seal", as "incoming/NAME".
 * @after  what was returned before, "" for the first; may be @ret_name.
 * @return 0 or -TUYEN_ENOENT.
 */
int store_incoming_next(const struct store *store, const char *after,
			char ret_name[static STORE_NAME_MAX]);
/** Takes it out of incoming/. @return 0 or -TUYEN_ESYSTEM. */
int store_incoming_remove(const struct store *store, const char *name);

#endif
