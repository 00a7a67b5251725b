/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's folder under a running daemon. Somebody may clean up in it, delete it or move it: what forwards does not need it, but the next
 * start finds neither keys nor release, and the site is lost. So what is missing is written again, from memory and from what is held open, in
 * the order in which it is kept (engine_release.c). What stands is never touched: it may be an engineer's.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/log.h"

/* @return @err, but 0 where somebody was faster. */
static int noted(int err, const char *name, struct text *names)
{
	if (!err)
		text_printf(names, "%s%s", names->length ? ", " : "", name);
	return err == -TUYEN_EEXIST ? 0 : err;
}

static int keys_fill(const struct engine *e, struct text *names, struct reason *reason)
{
	if (!e->have_keys ||
	    (!store_lacks(&e->store, STORE_KEY_LINK) && !store_lacks(&e->store, STORE_KEY_SESSION)))
		return 0;
	return noted(store_keys_add(&e->store, &e->keys, reason), STORE_KEYS, names);
}

static int held_fill(const struct engine *e, const char *name, const struct store_held *held,
		     struct text *names, struct reason *reason)
{
	if (!held->there || !store_lacks(&e->store, name))
		return 0;
	return noted(store_add_held(&e->store, name, held, reason), name, names);
}

static int state_fill(const struct engine *e, struct text *names, struct reason *reason)
{
	if (!e->accepted.epoch || !store_lacks(&e->store, STORE_STATE))
		return 0;
	return noted(store_state_add(&e->store, &e->accepted, reason), STORE_STATE, names);
}

static int incoming_fill(const struct engine *e, struct text *names, struct reason *reason)
{
	if (!store_lacks(&e->store, STORE_INCOMING))
		return 0;
	return noted(store_add_folder(&e->store, STORE_INCOMING, 0750, reason), STORE_INCOMING,
		     names);
}

static int all_fill(const struct engine *e, struct text *names, struct reason *reason)
{
	int err = keys_fill(e, names, reason);

	if (!err)
		err = held_fill(e, STORE_CURRENT, &e->held_seal, names, reason);
	if (!err)
		err = held_fill(e, STORE_CURRENT_COPY, &e->held_seal, names, reason);
	if (!err)
		err = held_fill(e, STORE_ROSTER, &e->held_roster, names, reason);
	if (!err)
		err = state_fill(e, names, reason);
	return err ? err : incoming_fill(e, names, reason);
}

static int folder_fill(const struct engine *e, struct reason *why)
{
	const char *path = e->options->state_dir;
	struct reason reason;
	struct text names;
	int err;

	text_init(&names);
	err = all_fill(e, &names, &reason);
	if (names.length)
		log_warning("gone from %s, and written again: %s", path, text_string(&names));
	text_clear(&names);
	return err ? reason_set(why, err,
				"something is gone from %s, and cannot be written again: %s; a "
				"restart would miss it",
				path, reason.text)
		   : 0;
}

/*
 * One that was moved away is left for another at its place: that is where a restart looks. As long as something is amiss it is opened
 * anew each time: it may have been mounted again, as what can be written.
 */
static int folder_find(struct engine *e, struct reason *why)
{
	const char *path = e->options->state_dir;
	bool same = store_is_at(&e->store, path);
	struct reason reason;
	struct store other;

	if (same && !*e->folder)
		return 0;
	if (store_open(path, &other, &reason) < 0)
		return reason_set(why, -TUYEN_ENOENT,
				  "%s; make that folder again for tuyend's user, or move it back: "
				  "a restart before that finds no keys",
				  reason.text);
	store_close(&e->store);
	e->store = other;
	if (!same)
		log_warning("another folder stands at %s: it is taken", path);
	return 0;
}

static void folder_say(struct engine *e, const char *words)
{
	struct text line;

	if (strcmp(words, e->folder) == 0)
		return;
	snprintf(e->folder, sizeof(e->folder), "%s", words);
	if (*words)
		log_warning("%s", words);
	else
		log_info("%s has all that a restart needs", e->options->state_dir);
	text_init(&line);
	status_event_folder(words, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}

void engine_folder_look(struct engine *e)
{
	struct reason why = {""};

	if (folder_find(e, &why) == 0)
		folder_fill(e, &why);
	folder_say(e, why.text);
}
