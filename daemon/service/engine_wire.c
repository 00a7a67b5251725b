/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passes between the kernel process and the wire process. A config has a generation;
 * liveness of another generation is of sessions that are no more.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/service/engine_internal.h"
#include "tuyen/core/path_quality.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define TOLD_A_SECOND_MAX 512u
#define TOLD_EACH_MAX	  4u /* of the state of one link or path */

static int send_link(struct engine *e, const struct fwd_neighbor *n)
{
	const struct status_liveness *l = &e->links[n - e->release.forwarding.neighbors];
	struct message m = {.type = MESSAGE_SESSION};

	m.u.session = (struct message_session){
	    .kind = SESSION_LINK,
	    .id = n->site_id,
	    .local = forwarding_link_address(&e->release.forwarding, n->site_id),
	    .remote = n->link_address,
	    .interval_us = n->probe.interval_us,
	    .multiplier = n->probe.multiplier,
	    .mtu = n->link_mtu,
	    .padded_gap_us = desired_padded_gap_us(&e->release.forwarding, n),
	};
	strcpy(m.u.session.device, desired_link_device(n->site_id));
	if (status_link_narrow(l, n))
		m.u.session.mtu_known = l->last.mtu;
	return pair_send(e->pair, &m);
}

/* FNV-1a. The probes' own address says no more than the index. */
static uint32_t way_of(const struct fwd_path *p)
{
	uint32_t hash = (0x811c9dc5u ^ p->first_site) * 0x01000193u;

	for (uint8_t i = 0; i < p->stack.depth; i++)
		hash = (hash ^ p->stack.label[i]) * 0x01000193u;
	return hash;
}

static int send_path(struct engine *e, const struct fwd_path *p)
{
	const struct fwd_neighbor *first =
	    forwarding_neighbor(&e->release.forwarding, p->first_site);
	const struct status_liveness *l = &e->paths[p - e->release.forwarding.paths];
	uint64_t detection = first ? repair_detection_us(&first->probe) : 0;
	struct message m = {.type = MESSAGE_SESSION};

	m.u.session = (struct message_session){
	    .kind = SESSION_PATH,
	    .id = p->index,
	    .local = p->source,
	    .remote = p->endpoint,
	    .remote_discriminator = p->reflector,
	    .interval_us = p->probe.interval_us,
	    .multiplier = p->probe.multiplier,
	    .base_multiplier = p->doubt,
	    .mtu = p->mtu,
	    .way = way_of(p),
	    .padded_gap_us = first ? desired_padded_gap_us(&e->release.forwarding, first) : 0,
	};
	if (status_liveness_narrow(l, p))
		m.u.session.mtu_known = l->last.mtu;
	if (first &&
	    !p->repair.next_site) { /* else that link is repaired here, and worth the wait */
		m.u.session.first_site = first->site_id;
		m.u.session.hasty_us = detection < UINT32_MAX ? (uint32_t)detection : UINT32_MAX;
	}
	return pair_send(e->pair, &m);
}

/*
 * An endpoint of other sites' paths answers their probes; a pure head-end answers nobody, nor does a gateway that cannot reach the LAN
 * which another one shares: its paths are down, and sites go over to the other.
 */
static int send_reflector(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	struct message m = {.type = MESSAGE_REFLECT};

	if (!f->return_count || (f->lan_shared && e->lan_away))
		return 0;
	m.u.reflect = (struct message_reflect){f->node_address, f->site_id};
	return pair_send(e->pair, &m);
}

static int send_mark(struct engine *e, enum message_type type)
{
	const struct message m = {.type = type, .generation = e->generation};

	return pair_send(e->pair, &m);
}

/* It ends at the first that finds no room: without its COMMIT nothing of it is taken. */
static int send_all(struct engine *e)
{
	const struct forwarding *f = &e->release.forwarding;
	int err = send_mark(e, MESSAGE_BEGIN);

	for (size_t i = 0; i < f->neighbor_count && !err; i++)
		err = send_link(e, &f->neighbors[i]);
	for (size_t i = 0; i < f->path_count && !err; i++)
		err = send_path(e, &f->paths[i]);
	if (!err)
		err = send_reflector(e);
	return err ? err : send_mark(e, MESSAGE_COMMIT);
}

void engine_wire_configure(struct engine *e)
{
	bool was_stale = e->wire_stale;
	int err;

	if (!e->release.status.have)
		return;
	e->generation++;
	err = send_all(e);
	e->wire_stale = err != 0;
	if (err && !was_stale)
		log_error("wire process: not configured: %s", tuyen_strerror(err));
}

void engine_event(struct engine *e, struct text *line)
{
	if (e->pair && !line->failed)
		pair_send_text(e->pair, MESSAGE_EVENT, 0, 0, text_string(line), line->length);
}

static void status_input_fill(const struct engine *e, struct status_input *in)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	*in = (struct status_input){
	    .now = monotime_now(),
	    .wall_s = (int64_t)wall.tv_sec,
	    .wall_us = (uint32_t)(wall.tv_nsec / 1000),
	    .started = e->started,
	    .turns = e->turns,
	    .operations = e->operations,
	    .netlink_messages = e->netlink_messages,
	    .drift_repairs = e->drift_repairs,
	    .last_failure = e->last_failure,
	    .release = e->release.status,
	    .refusals = e->refusals,
	    .refusal_count = e->refusal_count,
	    .forwarding = e->release.status.have ? &e->release.forwarding : NULL,
	    .actual = e->actual,
	    .actual_at = e->actual_at,
	    .active = &e->active,
	    .repaired = e->repaired,
	    .lan_away = e->lan_away,
	    .lan_closed = e->lan_closed,
	    .claim = &e->claim,
	    .folder = e->folder,
	    .conflicts = &e->conflicts,
	    .unnamed = forwarding_neighbor(&e->release.forwarding, e->uplinks_unnamed),
	    .links = e->links,
	    .paths = e->paths,
	    .sessions = e->sessions,
	    .checks = e->checks,
	    .check_count = e->check_count,
	    .uplinks = &e->uplinks,
	    .meters = e->meters,
	};
}

void engine_publish(struct engine *e)
{
	struct status_input in;
	struct text json;

	if (!e->pair || pair_busy(e->pair))
		return; /* the wire process is away or slow: the next one will do */
	text_init(&json);
	status_input_fill(e, &in);
	status_document(&in, &json);
	if (!json.failed)
		pair_give_text(e->pair, MESSAGE_SNAPSHOT, &json);
	text_clear(&json);
}

static struct status_liveness *liveness_find(struct engine *e, const struct message_liveness *l)
{
	const struct forwarding *f = &e->release.forwarding;

	if (!e->release.status.have)
		return NULL;
	if (l->kind == SESSION_LINK) {
		const struct fwd_neighbor *n = forwarding_neighbor(f, l->id);

		return n ? &e->links[n - f->neighbors] : NULL;
	}
	if (l->kind == SESSION_PATH && l->id <= SITE_PATHS_MAX) {
		const struct fwd_path *p = forwarding_path(f, (uint8_t)l->id);

		return p ? &e->paths[p - f->paths] : NULL;
	}
	return NULL;
}

/* A wire process that was taken over may say anything at any rate: what the log takes of it is
 * bounded. */
static bool may_tell(struct engine *e)
{
	struct monotime now = monotime_now();

	if (monotime_between(e->told_since, now) >= 1000000) {
		if (e->told_count > TOLD_A_SECOND_MAX)
			log_warning("%u changes of links and paths in a second were not said",
				    e->told_count - TOLD_A_SECOND_MAX);
		e->told_since = now;
		e->told_count = 0;
	}
	return e->told_count++ < TOLD_A_SECOND_MAX;
}

/* Of two words: who is told of what is not up waits for its end, and asks no further. */
static void announce(struct engine *e, const struct message_liveness *l)
{
	const struct forwarding *f = &e->release.forwarding;
	struct message_liveness said = *l;
	int64_t wall_s = (int64_t)time(NULL);
	struct text line;

	if (said.state == BFD_STATE_INIT)
		said.state = BFD_STATE_DOWN;
	text_init(&line);
	if (l->kind == SESSION_LINK)
		status_event_link(forwarding_neighbor(f, l->id), &said, wall_s, &line);
	else
		status_event_path(f, forwarding_path(f, (uint8_t)l->id), l, wall_s, &line);
	log_info("%s", text_string(&line));
	engine_event(e, &line);
	text_clear(&line);
}

/* A neighbour may change its mind with every packet: that must not keep from us what others have to say. */
static bool may_tell_of(struct status_liveness *known)
{
	struct monotime now = monotime_now();

	if (monotime_between(known->told_since, now) >= 1000000) {
		known->told_since = now;
		known->told = 0;
	}
	return known->told < TOLD_EACH_MAX;
}

static void tell_state(struct engine *e, struct status_liveness *known)
{
	known->untold = false;
	if (!known->unsaid && known->told_up == (known->last.state == BFD_STATE_UP))
		return; /* it is again as was said, or was so in the last life of the wire process */
	known->untold = !may_tell_of(known) || !may_tell(e);
	e->untold |= known->untold;
	if (known->untold)
		return;
	known->told++;
	known->unsaid = false;
	known->told_up = known->last.state == BFD_STATE_UP;
	announce(e, &known->last);
}

/* Of a new life of the wire process: it has heard nothing yet. */
static bool has_just_begun(const struct status_liveness *l)
{
	return l->last.state != BFD_STATE_UP && l->last.diagnostic == BFD_DIAG_NONE &&
	       monotime_between(l->since, monotime_now()) < REPAIR_NEVER_UP_US;
}

static void untold_tell(struct engine *e, struct status_liveness *known, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!known[i].untold || !known[i].known)
			continue;
		if (has_just_begun(&known[i]))
			e->untold = true;
		else
			tell_state(e, &known[i]);
	}
}

void engine_untold_tell(struct engine *e)
{
	if (!e->untold || !e->release.status.have)
		return;
	e->untold = false;
	untold_tell(e, e->links, e->release.forwarding.neighbor_count);
	untold_tell(e, e->paths, e->release.forwarding.path_count);
}

/* The clock is the machine's, but a broken wire process must not move a state into the future. */
static struct monotime past(uint64_t us)
{
	struct monotime now = monotime_now();

	if (us >= now.us)
		return now;
	return (struct monotime){us};
}

static void tell(struct engine *e, struct text *line)
{
	log_info("%s", text_string(line));
	engine_event(e, line);
}

/* One that served badly before it failed goes on to do so until it was measured anew: failing is how much of what it loses shows. */
static bool quality_of(const struct fwd_session *s, const struct status_liveness *known,
		       const struct message_liveness *l)
{
	if (s && known->degraded && (l->state != BFD_STATE_UP || !l->loss_known))
		return true;
	return l->state == BFD_STATE_UP && s &&
	       path_quality_degraded(&s->degraded, (uint16_t)l->loss_permille, l->round_trip_us,
				     l->jitter_us, known->degraded);
}

/* A path that lives serves well or badly: a fact of its own. @return whether it changed. */
static bool take_quality(struct engine *e, const struct fwd_path *p, struct status_liveness *known,
			 const struct message_liveness *l)
{
	const struct forwarding *f = &e->release.forwarding;
	const struct fwd_session *s = forwarding_session(f, p->color);
	bool degraded = quality_of(s, known, l);
	struct text line;

	if (degraded == known->degraded)
		return false;
	known->degraded = degraded;
	if (!degraded)
		known->better_since = monotime_now();
	if (l->state != BFD_STATE_UP || !may_tell(e))
		return true;
	text_init(&line);
	status_event_quality(f, p, l, degraded, (int64_t)time(NULL), &line);
	tell(e, &line);
	text_clear(&line);
	return true;
}

/* @path, @neighbor  one of them: whose it is. @return whether it carries more or less than was known. */
static bool take_mtu(struct engine *e, const struct fwd_path *path,
		     const struct fwd_neighbor *neighbor, uint32_t compiled,
		     const struct status_liveness *known, const struct message_liveness *l)
{
	uint32_t before = known->last.mtu ? known->last.mtu : compiled;
	struct text line;

	if (!l->mtu || before == l->mtu) /* it has not asked yet: what was known stays so */
		return false;
	if (!may_tell(e))
		return true;
	text_init(&line);
	status_event_mtu(&e->release.forwarding, path, neighbor, l, (int64_t)time(NULL), &line);
	tell(e, &line);
	text_clear(&line);
	return true;
}

static bool take_path(struct engine *e, struct status_liveness *known,
		      const struct message_liveness *l)
{
	const struct fwd_path *p = forwarding_path(&e->release.forwarding, (uint8_t)l->id);
	bool other_mtu = take_mtu(e, p, NULL, p->mtu, known, l);

	if (status_liveness_narrow(known, p) && l->mtu >= p->mtu)
		known->better_since = monotime_now();
	return take_quality(e, p, known, l) || other_mtu;
}

static void tell_damped(struct engine *e, const struct status_liveness *known, bool link,
			struct monotime now)
{
	const struct forwarding *f = &e->release.forwarding;
	struct text line;

	if (!may_tell(e))
		return;
	text_init(&line);
	status_event_damped(f, link ? NULL : &f->paths[known - e->paths],
			    link ? &f->neighbors[known - e->links] : NULL,
			    monotime_between(now, known->damping.until), (int64_t)time(NULL),
			    &line);
	tell(e, &line);
	text_clear(&line);
}

/* 0: the policy wants none. */
static uint64_t damped_longest_us(const struct engine *e, const struct status_liveness *path)
{
	const struct forwarding *f = &e->release.forwarding;
	const struct fwd_session *s = forwarding_session(f, f->paths[path - e->paths].color);

	return s ? forwarding_damped_us(s) : 0;
}

/* A daemon that is stopped says so (by_intent), and a session that begins was not up: those are no failures. */
static void take_failure(struct engine *e, struct status_liveness *known,
			 const struct message_liveness *l)
{
	bool link = l->kind == SESSION_LINK;
	uint64_t longest_us = link ? REPAIR_LONGEST_US : damped_longest_us(e, known);
	struct monotime now = monotime_now();

	known->failed_s = (int64_t)time(NULL);
	known->damping_before = known->damping;
	if (longest_us && !l->by_intent && damping_failed(&known->damping, longest_us, now))
		tell_damped(e, known, link, now);
}

/*
 * One that ends with an answer was no failure and costs no hold, and that is why it is damped whatever the policy says of failures: its
 * traffic would go to and fro for ever, as often as a carrier swallows a few probes.
 */
static void take_end_of_doubt(struct engine *e, struct status_liveness *known)
{
	uint64_t longest_us = damped_longest_us(e, known);
	struct monotime now = monotime_now();

	if (damping_count(&known->damping, DAMPING_DOUBT,
			  longest_us ? longest_us : REPAIR_LONGEST_US, now))
		tell_damped(e, known, false, now);
}

/*
 * It failed while this process was away, and the wire process saw it: the last life has said that it was up, and nobody that it is no
 * more. What has tried in vain to come up meanwhile is no news: it was down before.
 */
static void tell_unheard(struct engine *e, struct status_liveness *known)
{
	struct monotime up_until = past(known->last.up_until_us);
	uint64_t ago_us = monotime_between(up_until, monotime_now());

	if (!e->last_end.us || !up_until.us || monotime_before(up_until, e->last_end) ||
	    known->failed_s || known->last.state == BFD_STATE_UP)
		return;
	known->failed_s = (int64_t)time(NULL) - (int64_t)(ago_us / 1000000);
	known->told_up = true;
	tell_state(e, known);
}

/* It came up before this process began, and the last life lived to say it. */
static bool is_told_up(const struct engine *e, const struct status_liveness *known)
{
	return known->last.state == BFD_STATE_UP && monotime_before(known->since, e->last_end);
}

/* Of a wire process that lived on while this one was away: it would have seen a failure, and what was said before is known by when. */
static bool is_watched(const struct engine *e, const struct status_liveness *known)
{
	return e->last_end.us &&
	       (monotime_before(known->since, e->last_end) || known->last.up_until_us ||
		known->last.diagnostic != BFD_DIAG_NONE);
}

static void take_liveness(struct engine *e, const struct message_liveness *l)
{
	struct status_liveness *known = liveness_find(e, l);
	bool was_up, is_up, was_in_doubt, is_in_doubt, changed, served, anew;
	uint32_t mtu;

	if (!known || l->generation != e->generation)
		return;
	anew = !known->known;
	was_up = known->known && known->last.state == BFD_STATE_UP;
	is_up = l->state == BFD_STATE_UP;
	changed = !known->known || known->last.state != l->state;
	if (changed) {
		known->changes += known->known && was_up != is_up;
		known->since = past(l->changed_at_us);
		known->forwarded_on = false;
	}
	served = l->kind == SESSION_PATH && take_path(e, known, l);
	if (l->kind == SESSION_LINK) { /* nothing follows from it: paths are asked for themselves */
		const struct fwd_neighbor *n = &e->release.forwarding.neighbors[known - e->links];

		take_mtu(e, NULL, n, n->link_mtu, known, l);
	}
	was_in_doubt = status_liveness_in_doubt(known);
	mtu = l->mtu ? l->mtu : known->last.mtu;
	known->last = *l;
	known->last.mtu = mtu;
	known->known = true;
	is_in_doubt = status_liveness_in_doubt(known);
	known->doubts += is_in_doubt && !was_in_doubt;
	if (was_up && !is_up)
		take_failure(e, known, l);
	else if (was_in_doubt && !is_in_doubt)
		take_end_of_doubt(e, known);
	if (changed && l->kind == SESSION_LINK)
		engine_link_changed(e, (size_t)(known - e->links)); /* before anything is written */
	known->told_up |= anew && is_told_up(e, known);
	known->unsaid &= !anew || !is_watched(e, known);
	if (was_up != is_up)
		tell_state(e, known);
	else if (anew && (known->told_up || known->unsaid))
		e->untold = known->untold =
		    true; /* it was up in the last life of the wire process, or of ours */
	else if (anew)
		tell_unheard(e, known);
	if ((changed && l->kind == SESSION_PATH) || served || is_in_doubt != was_in_doubt)
		engine_hurry(e);
}

void engine_liveness_forget(struct engine *e)
{
	engine_served_keep(e);
	for (size_t i = 0; i < e->release.forwarding.neighbor_count; i++)
		e->links[i].known = false;
	for (size_t i = 0; i < e->release.forwarding.path_count; i++)
		e->paths[i].known = false;
}

void engine_wire_message(void *context, const struct message *message)
{
	struct engine *e = context;

	switch ((enum message_type)message->type) {
	case MESSAGE_HELLO:
		engine_request_hello(e);
		break;
	case MESSAGE_LIVENESS:
		take_liveness(e, &message->u.liveness);
		break;
	case MESSAGE_COMMAND:
		engine_request_take(e, &message->u.command);
		break;
	case MESSAGE_BEGIN:
	case MESSAGE_SESSION:
	case MESSAGE_REFLECT:
	case MESSAGE_COMMIT:
	case MESSAGE_SNAPSHOT:
	case MESSAGE_EVENT:
	case MESSAGE_ANSWER:
		if (!e->misdirected++)
			log_error("wire process sent a message of the wrong direction");
		break;
	}
}
