/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From files to a verified release. Nothing is parsed before seal_verify() has accepted it, and
 * nothing is used before it is on disk: first the seal (twice), then the epoch, then the running
 * configuration.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/service/log.h"

#define INCOMING_A_LOOK 64 /* the rest waits until others had their turn */

void engine_release_clear(struct engine *e)
{
	forwarding_clear(&e->release.forwarding);
	memset(&e->release, 0, sizeof(e->release));
	free(e->links);
	free(e->paths);
	free(e->repaired);
	free(e->seen);
	free(e->call_backs);
	free(e->sessions);
	e->links = e->paths = NULL;
	e->repaired = NULL;
	e->seen = NULL;
	e->call_backs = NULL;
	e->sessions = NULL;
}

static void release_describe(const struct seal_result *r, int64_t installed_s,
			     struct status_release *ret)
{
	size_t used = 0;

	*ret = (struct status_release){
	    .have = true,
	    .epoch = r->statement.epoch,
	    .roster_version = r->roster.version,
	    .issued_s = r->statement.issued_s,
	    .expires_s = r->statement.expires_s,
	    .installed_s = installed_s,
	};
	memcpy(ret->root, r->statement.root.bytes, 32);
	memcpy(ret->digest, r->bundle_digest, 32);
	for (size_t i = 0; i < r->roster.officer_count && used < sizeof(ret->signers); i++)
		if (r->signers & (roster_signers)1 << i)
			used +=
			    (size_t)snprintf(ret->signers + used, sizeof(ret->signers) - used,
					     "%s%s", used ? " " : "", r->roster.officers[i].name);
}

static void copy_liveness(struct status_liveness *to, const struct status_liveness *from)
{
	*to = *from;
}

static bool same_link_session(const struct forwarding *old, const struct fwd_neighbor *from,
			      const struct forwarding *f, const struct fwd_neighbor *to)
{
	return from->link_address == to->link_address &&
	       forwarding_link_address(old, from->site_id) ==
		   forwarding_link_address(f, to->site_id);
}

static bool same_path_session(const struct fwd_path *from, const struct fwd_path *to)
{
	return from->index == to->index && from->source == to->source &&
	       from->reflector == to->reflector;
}

/*
 * What the probes said of links and paths that the new release keeps stays known, as long as it goes by the same addresses: else the wire
 * process begins to ask anew, from Down, and that is no failure.
 */
static void liveness_carry_over(const struct engine *e, const struct forwarding *f,
				struct status_liveness *links, struct status_liveness *paths,
				enum repair_link *repaired)
{
	const struct forwarding *old = &e->release.forwarding;

	for (size_t i = 0; i < f->neighbor_count; i++)
		for (size_t k = 0; k < old->neighbor_count; k++)
			if (old->neighbors[k].site_id == f->neighbors[i].site_id) {
				copy_liveness(&links[i], &e->links[k]);
				if (!same_link_session(old, &old->neighbors[k], f,
						       &f->neighbors[i]))
					engine_served_renew(&links[i], &f->neighbors[i].probe);
				if (old->neighbors[k].link_mtu != f->neighbors[i].link_mtu)
					links[i].last.mtu = 0; /* another size is asked for */
				repaired[i] = e->repaired[k];
			}
	for (size_t i = 0; i < f->path_count; i++)
		for (size_t k = 0; k < old->path_count; k++)
			if (selection_same_path(&old->paths[k], &f->paths[i])) {
				copy_liveness(&paths[i], &e->paths[k]);
				if (!same_path_session(&old->paths[k], &f->paths[i]))
					engine_served_renew(&paths[i], &f->paths[i].probe);
			}
}

/* So does how long a session has been as it is. */
static void sessions_carry_over(const struct engine *e, const struct forwarding *f,
				struct status_session *sessions)
{
	const struct forwarding *old = &e->release.forwarding;

	for (size_t i = 0; i < f->peer_count; i++) {
		const struct fwd_session_peer *to = &f->peers[i];
		const struct fwd_session_peer *from = forwarding_peer(old, to->color, to->site_id);

		if (from && !memcmp(from->session_key, to->session_key, WG_KEY_LEN))
			sessions[i] = e->sessions[from - old->peers];
	}
}

static int release_adopt(struct engine *e, const struct status_release *status,
			 struct forwarding *forwarding)
{
	struct status_liveness *links = calloc(forwarding->neighbor_count + 1, sizeof(*links));
	struct status_liveness *paths = calloc(forwarding->path_count + 1, sizeof(*paths));
	enum repair_link *repaired = calloc(forwarding->neighbor_count + 1, sizeof(*repaired));
	struct ip_endpoint *seen = calloc(forwarding->neighbor_count + 1, sizeof(*seen));
	struct call_back *call_backs = calloc(forwarding->peer_count + 1, sizeof(*call_backs));
	struct status_session *sessions = calloc(forwarding->peer_count + 1, sizeof(*sessions));

	if (!links || !paths || !repaired || !seen || !call_backs || !sessions) {
		free(links);
		free(paths);
		free(repaired);
		free(seen);
		free(call_backs);
		free(sessions);
		return -TUYEN_ENOMEM;
	}
	if (e->release.status.have) {
		liveness_carry_over(e, forwarding, links, paths, repaired);
		sessions_carry_over(e, forwarding, sessions);
		selection_carry_over(&e->release.forwarding, forwarding, &e->active, &e->active);
		selection_carry_over(&e->release.forwarding, forwarding, &e->said, &e->said);
	}
	engine_release_clear(e);
	e->release.status = *status;
	e->release.forwarding = *forwarding;
	e->links = links;
	e->paths = paths;
	e->repaired = repaired;
	e->seen = seen;
	e->call_backs = call_backs;
	e->sessions = sessions;
	return 0;
}

/* Verify, then parse. @ret_result borrows from @seal and @roster. */
static int seal_check(const struct engine *e, const uint8_t *seal, size_t length,
		      const char *roster, size_t roster_length, struct seal_result *ret_result,
		      struct forwarding *ret_forwarding, struct reason *reason)
{
	struct seal_trust trust = {
	    .roster = roster,
	    .roster_length = roster_length,
	    .site_id = e->options->site_id,
	    .epoch = e->accepted.epoch,
	    .now_s = (int64_t)time(NULL),
	};
	int err;

	memcpy(trust.statement_digest, e->accepted.statement_digest, SHA256_LEN);
	err = seal_verify(seal, length, &trust, ret_result, reason);
	if (err)
		return err;
	err = forwarding_parse((const char *)ret_result->bundle, ret_result->bundle_length,
			       ret_forwarding, reason);
	if (err)
		return err;
	if (ret_forwarding->site_id != e->options->site_id) {
		err = reason_set(reason, -TUYEN_ESITE, "this bundle is of site %u, this node is %u",
				 ret_forwarding->site_id, e->options->site_id);
		forwarding_clear(ret_forwarding);
	}
	return err;
}

/* Together: a seal has the roster that it was verified by, or is led to by its chain. */
static void release_hold(struct engine *e, const char *seal)
{
	store_hold(&e->store, seal, &e->held_seal);
	store_hold(&e->store, STORE_ROSTER, &e->held_roster);
}

/*
 * Order: the seal twice, the roster that it brings, the epoch. A crash or a full disk between two
 * of them leaves an older roster and epoch beside a newer seal, which verifies by its own chain.
 * The other way round the seal in force would be left with a roster whose officers may never have
 * signed it.
 */
static int release_keep(struct engine *e, const uint8_t *seal, size_t length,
			const struct seal_result *r, struct reason *reason)
{
	struct store_state state = {.epoch = r->statement.epoch,
				    .installed_s = (int64_t)time(NULL)};
	int err = store_write(&e->store, STORE_CURRENT, seal, length, reason);

	memcpy(state.statement_digest, r->statement_digest, SHA256_LEN);
	if (!err)
		err = store_write(&e->store, STORE_CURRENT_COPY, seal, length, reason);
	if (!err && r->roster_moved)
		err =
		    store_write(&e->store, STORE_ROSTER, r->roster_text, r->roster_length, reason);
	if (!err)
		err = store_state_write(&e->store, &state, reason);
	if (err)
		return err;
	e->accepted = state;
	release_hold(e, STORE_CURRENT);
	return 0;
}

void engine_expiry_look(struct engine *e)
{
	const struct status_release *r = &e->release.status;
	int64_t wall_s = (int64_t)time(NULL);
	enum status_expiry expiry = status_release_expiry(r, wall_s);
	bool other = r->epoch != e->expiry_epoch;
	bool worse = expiry > (other ? STATUS_EXPIRY_DISTANT : e->expiry_said);

	if (worse && expiry == STATUS_EXPIRY_PAST)
		log_warning("the release of epoch %" PRIu64
			    " is past its expiry: forwarding goes on, a new one is due",
			    r->epoch);
	else if (worse)
		log_warning("the release of epoch %" PRIu64
			    " expires soon, whole days left: %" PRIu64,
			    r->epoch, status_release_days_left(r, wall_s));
	e->expiry_epoch = r->epoch;
	e->expiry_said = expiry;
}

static int release_take(struct engine *e, const uint8_t *seal, size_t length, bool keep,
			struct seal_result *r, struct reason *reason)
{
	struct status_release status;
	struct forwarding f;
	uint8_t *roster;
	size_t roster_length;
	int err;

	err =
	    store_read(&e->store, STORE_ROSTER, ROSTER_BYTES_MAX, &roster, &roster_length, reason);
	if (err == -TUYEN_ENOENT) /* the node is not ready, and the release is not to blame */
		return reason_set(reason, -TUYEN_ESYSTEM,
				  "no %s here: the officers' goes into the node's folder, under "
				  "that name",
				  STORE_ROSTER);
	if (err)
		return err;
	err = seal_check(e, seal, length, (const char *)roster, roster_length, r, &f, reason);
	if (err)
		goto out;
	if (keep)
		err = release_keep(e, seal, length, r, reason);
	if (!err) {
		release_describe(r, keep ? (int64_t)time(NULL) : e->accepted.installed_s, &status);
		err = release_adopt(e, &status, &f);
		if (err)
			reason_set(reason, err, "no memory for the new release");
	}
	if (err)
		forwarding_clear(&f);
	else
		engine_expiry_look(e);
out:
	free(roster);
	return err;
}

/* A crash came between seal and state, or a file was lost: what the seal brought is kept again. */
static void load_mend(struct engine *e, const struct seal_result *r)
{
	bool newer = r->statement.epoch > e->accepted.epoch;

	if (newer) {
		e->accepted.epoch = r->statement.epoch;
		e->accepted.installed_s = (int64_t)time(NULL);
		memcpy(e->accepted.statement_digest, r->statement_digest, SHA256_LEN);
	}
	if (!e->pair) /* only looking */
		return;
	if (r->roster_moved)
		store_write(&e->store, STORE_ROSTER, r->roster_text, r->roster_length, NULL);
	if (newer)
		store_state_write(&e->store, &e->accepted, NULL);
}

/* Whoever reads it at the start has handed no seal in: he is told which of the node's files it is. */
static int seal_blame(int err, const char *name, struct reason *reason)
{
	const struct reason why = *reason;

	return err == -TUYEN_ESYSTEM || err == -TUYEN_ENOMEM
		   ? err
		   : reason_set(reason, err, "%s: %s", name, why.text);
}

static int load_from(struct engine *e, const char *name, struct reason *reason)
{
	struct seal_result *r = malloc(sizeof(*r));
	uint8_t *seal;
	size_t length;
	int err;

	if (!r)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	err = store_read(&e->store, name, SEAL_BYTES_MAX, &seal, &length, reason);
	if (!err) {
		err = release_take(e, seal, length, false, r, reason);
		if (err) {
			err = seal_blame(err, name, reason);
		} else {
			load_mend(e, r);
			release_hold(e, name);
		}
		free(seal);
	}
	free(r);
	return err;
}

static int keys_need(struct engine *e, struct reason *reason)
{
	int err = e->have_keys ? 0 : store_keys_read(&e->store, &e->keys, reason);

	e->have_keys = !err;
	return err;
}

/*
 * A damaged state file is no reason to start empty: the seal in force says its epoch itself.
 */
int engine_load(struct engine *e, struct reason *reason)
{
	struct reason copy_reason;
	int err;

	err = keys_need(e, reason);
	if (err)
		return err;
	if (store_state_read(&e->store, &e->accepted, reason) < 0)
		log_error("%s: the epoch is taken from the release in force", reason->text);
	err = load_from(e, STORE_CURRENT, reason);
	if (err && load_from(e, STORE_CURRENT_COPY, &copy_reason) == 0) {
		log_error("%s; its copy is taken", reason->text);
		return 0;
	}
	return err;
}

static void refusal_note(struct engine *e, const char *name, uint64_t epoch,
			 const struct reason *why)
{
	struct text line;

	if (e->refusal_count == STATUS_REFUSALS_MAX) {
		memmove(e->refusals, e->refusals + 1, sizeof(e->refusals) - sizeof(e->refusals[0]));
		e->refusal_count--;
	}
	e->refusals[e->refusal_count++] =
	    (struct status_refusal){.at_s = (int64_t)time(NULL), .reason = *why};
	log_warning("refused %s: %s", name, why->text);
	text_init(&line);
	status_event_bundle(epoch, false, why->text, (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
}

static int take_one(struct engine *e, const char *name, struct seal_result *r,
		    struct reason *reason)
{
	struct text line;
	uint8_t *seal;
	size_t length;
	int err;

	if (keys_need(e, reason) < 0)
		return -TUYEN_ESYSTEM; /* no fault of the release: it waits until the node has keys
					*/
	err = store_read(&e->store, name, SEAL_BYTES_MAX, &seal, &length, reason);
	if (err)
		return err;
	err = release_take(e, seal, length, true, r, reason);
	free(seal);
	if (err)
		return err;
	log_info("accepted %s: epoch %" PRIu64 ", signed by %s", name, e->release.status.epoch,
		 e->release.status.signers);
	text_init(&line);
	status_event_bundle(e->release.status.epoch, true, "", (int64_t)time(NULL), &line);
	engine_event(e, &line);
	text_clear(&line);
	engine_wire_configure(e);
	engine_dirty(e, EXPECTED_ALL);
	return 0;
}

static int take_and_answer(struct engine *e, const char *name, struct seal_result *r,
			   struct text *answer)
{
	struct reason reason;
	int err = take_one(e, name, r, &reason);

	if (err) {
		refusal_note(e, name, 0, &reason);
		text_printf(answer, "refused: %s: %s\n", name, reason.text);
	} else {
		text_printf(answer, "accepted: epoch %" PRIu64 " for site %s (%u), signed by %s\n",
			    e->release.status.epoch, e->release.forwarding.site,
			    e->release.forwarding.site_id, e->release.status.signers);
	}
	return err;
}

/* What cannot be read or removed stays, and does not stand in the way of the next. @return whether
 * any went. */
static bool incoming_take(struct engine *e, struct seal_result *r, struct text *answer,
			  unsigned int *ret_status)
{
	char name[STORE_NAME_MAX] = "";
	bool removed = false;

	for (int i = 0; i < INCOMING_A_LOOK && store_incoming_next(&e->store, name, name) == 0;
	     i++) {
		int err = take_and_answer(e, name, r, answer);
		unsigned int status = !err					      ? 0
				      : err == -TUYEN_ESYSTEM || err == -TUYEN_ENOMEM ? 2
										      : 1;

		*ret_status = status > *ret_status ? status : *ret_status;
		if (status ==
		    2) /* a full disk is no fault of the release: it stays for the next try */
			continue;
		if (store_incoming_remove(&e->store, name) == 0)
			removed = true;
		else
			log_error("cannot remove %s", name);
	}
	return removed && store_incoming_next(&e->store, name, name) == 0;
}

static void load_again(struct engine *e)
{
	struct reason reason;

	if (e->release.status.have || engine_load(e, &reason) < 0)
		return;
	log_info("the release in force can be read now: epoch %" PRIu64, e->release.status.epoch);
	engine_wire_configure(e);
	engine_dirty(e, EXPECTED_ALL);
}

void engine_reload(struct engine *e, struct text *ret_answer, unsigned int *ret_status)
{
	struct seal_result *r = calloc(1, sizeof(*r));
	bool have = r != NULL;

	*ret_status = have ? 0 : 2;
	load_again(e);
	if (r && incoming_take(e, r, ret_answer, ret_status))
		engine_request_incoming(e);
	free(r);
	if (!ret_answer->length)
		text_add(ret_answer, have ? "nothing in incoming\n" : "no memory\n");
}
