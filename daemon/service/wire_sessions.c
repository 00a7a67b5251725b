/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions, listeners, reflectors.
 *
 * A session owns the socket it sends from, with a source port of its own. A link's packets come in
 * at a listener, one a (local address, device), shared by all neighbours behind that device; a
 * path's answers come in at the socket it sends from, because the kernel routes the path by that
 * socket's source address.
 *
 * Our discriminator holds the session's slot in its lower half and chance in its upper: a lookup is
 * one array access, and a packet for a dead session that had the slot before does not match. A
 * packet without Your Discriminator is matched by listener and source address.
 *
 * A listener where a packet and more comes in each millisecond is no longer waited for, it is
 * looked at once a millisecond: a wakening a packet costs twice the packet itself. What it may cost
 * is that a neighbour's Down is heard a millisecond later.
 *
 * Deadlines are in a binary heap; one timer serves them all. A turn handles all that is due. Before
 * silence becomes a failure, the sockets are drained once: what waits there was sent in time, it
 * was us who were late.
 *
 * A device may be deleted and made anew under its sockets: sending then fails with ENODEV for good.
 * So the session's socket and its listener are opened anew, at once and then once a second until
 * the device is back.
 */
#include "tuyen/service/wire_sessions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <unistd.h>

#include "tuyen/base/err.h"
#include "tuyen/core/padded_limit.h"
#include "tuyen/core/path_mtu.h"
#include "tuyen/core/path_quality.h"
#include "tuyen/service/bfd_io.h"
#include "tuyen/service/clock.h"
#include "tuyen/service/log.h"

#define REOPEN_US	  1000000u
#define DRAIN_BATCHES	  8 /* a socket and turn: a flood must not hold the clock */
#define REFLECT_MIN_RX_US 1000u
#define NOT_IN_HEAP	  SIZE_MAX
#define LOOK_US		  1000u
#define LOOKS		  8u /* so many at a time are judged: busy or not */

struct listener { /* 3784 of a (local, device), or a reflector's 7784 */
	struct wire_sessions *owner;
	ipv4_t local;
	char device[16];
	uint16_t port;
	uint32_t discriminator; /* reflector */
	int fd;
	struct event *readable;
	bool used;
	bool deaf;	       /* that it cannot be opened is said */
	bool looked_at;	       /* by the clock, and not waited for */
	struct monotime since; /* of this judgement, */
	unsigned int packets, looks;
};

struct wire_session {
	struct wire_sessions *owner;
	struct message_session config;
	struct bfd_session bfd;
	struct monotime deadline;
	size_t heap_at;
	int fd;
	struct event *readable;	   /* SESSION_PATH */
	struct listener *listener; /* SESSION_LINK */
	struct monotime reopen_at;
	struct path_mtu mtu;
	bool padded_heard;   /* SESSION_LINK: the neighbour answers padded polls at length */
	size_t padded_asked; /* SESSION_LINK: the length of the last one, 0 none */
	struct path_quality *quality;	  /* SESSION_PATH */
	struct neighbor_quality neighbor; /* SESSION_LINK */
	struct {			  /* of the path's */
		uint16_t loss_permille;
		bool known;
		uint32_t round_trip_us, jitter_us;
	} told;
	bool quiet;		     /* SESSION_PATH: silent for as long as its links would bear */
	struct monotime quiet_after; /* we were late since its last answer: not before; else 0 */
	bool report_due, device_gone, kept, connected;
	uint64_t dropped; /* before they reached the machine */
};

struct array {
	void **items;
	size_t count, capacity;
};

struct wire_sessions {
	struct event_base *base;
	wire_report_fn report;
	void *context;
	struct event *timer;
	struct monotime armed_for;
	struct monotime look_at; /* the next look at busy listeners */
	uint32_t generation, staged_generation;
	bool staging;
	struct message_session *staged;
	size_t staged_count, staged_capacity;
	struct message_reflect staged_reflect[WIRE_REFLECTORS_MAX];
	size_t staged_reflect_count;
	struct array sessions; /* by (kind, id) */
	struct array heap;     /* by deadline */
	struct array listeners;
	struct wire_session *slot[WIRE_SESSIONS_MAX];
	size_t report_from, reports_due;
	struct event *retry; /* of listeners that could not be opened */
	struct wire_counters counters;
	uint64_t random;
	struct bfd_batch batch, replies;
	struct padded_limit padded; /* of long answers; short ones are always given */
};

static int array_reserve(struct array *a, size_t count)
{
	size_t capacity = a->capacity ? a->capacity : 16;
	void **items;

	if (count <= a->capacity)
		return 0;
	while (capacity < count)
		capacity *= 2;
	items = realloc(a->items, capacity * sizeof(*items));
	if (!items)
		return -TUYEN_ENOMEM;
	a->items = items;
	a->capacity = capacity;
	return 0;
}

static void array_add(struct array *a, void *item)
{
	assert(a->count < a->capacity);
	a->items[a->count++] = item;
}

static struct wire_session *session_at(const struct array *a, size_t i)
{
	return a->items[i];
}

/* ---- deadlines ---- */

static void heap_put(struct wire_sessions *w, size_t at, struct wire_session *s)
{
	w->heap.items[at] = s;
	s->heap_at = at;
}

static void heap_up(struct wire_sessions *w, struct wire_session *s, size_t at)
{
	while (at > 0) {
		struct wire_session *parent = session_at(&w->heap, (at - 1) / 2);

		if (!monotime_before(s->deadline, parent->deadline))
			break;
		heap_put(w, at, parent);
		at = (at - 1) / 2;
	}
	heap_put(w, at, s);
}

static void heap_down(struct wire_sessions *w, struct wire_session *s, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= w->heap.count)
			break;
		if (child + 1 < w->heap.count &&
		    monotime_before(session_at(&w->heap, child + 1)->deadline,
				    session_at(&w->heap, child)->deadline))
			child++;
		if (!monotime_before(session_at(&w->heap, child)->deadline, s->deadline))
			break;
		heap_put(w, at, session_at(&w->heap, child));
		at = child;
	}
	heap_put(w, at, s);
}

static void heap_move(struct wire_sessions *w, struct wire_session *s)
{
	size_t at = s->heap_at;

	if (at > 0 && monotime_before(s->deadline, session_at(&w->heap, (at - 1) / 2)->deadline))
		heap_up(w, s, at);
	else
		heap_down(w, s, at);
}

static void heap_add(struct wire_sessions *w, struct wire_session *s)
{
	array_add(&w->heap, s);
	heap_up(w, s, w->heap.count - 1);
}

static void heap_remove(struct wire_sessions *w, struct wire_session *s)
{
	size_t at = s->heap_at;
	struct wire_session *last;

	if (at == NOT_IN_HEAP)
		return;
	last = session_at(&w->heap, --w->heap.count);
	s->heap_at = NOT_IN_HEAP;
	if (last == s)
		return;
	last->heap_at = at;
	w->heap.items[at] = last;
	heap_move(w, last);
}

static void timer_arm(struct wire_sessions *w, struct monotime now)
{
	struct monotime first = w->heap.count ? session_at(&w->heap, 0)->deadline : MONOTIME_NEVER;
	struct timeval wait;
	uint64_t wait_us;

	first = monotime_min(first, w->look_at);
	wait_us = monotime_between(now, first);
	wait = (struct timeval){(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};
	if (first.us == w->armed_for.us)
		return;
	w->armed_for = first;
	if (first.us == MONOTIME_NEVER.us)
		evtimer_del(w->timer);
	else
		evtimer_add(w->timer, &wait);
}

/* ---- sockets ---- */

static void listener_readable(evutil_socket_t fd, short events, void *context);
static void reflector_readable(evutil_socket_t fd, short events, void *context);
static void session_readable(evutil_socket_t fd, short events, void *context);

static void socket_close(int *fd, struct event **readable)
{
	if (*readable)
		event_free(*readable);
	if (*fd >= 0)
		close(*fd);
	*readable = NULL;
	*fd = -1;
}

static struct event *readable_add(struct event_base *base, int fd, event_callback_fn read,
				  void *context)
{
	struct event *readable = event_new(base, fd, EV_READ | EV_PERSIST, read, context);

	if (readable && event_add(readable, NULL) < 0) {
		event_free(readable);
		readable = NULL;
	}
	return readable;
}

/* A link that is not heard is down, and that is said; who asks a reflector is at other sites. */
static void reflector_tell(struct listener *l, int error)
{
	bool deaf = error != 0;

	if (!l->discriminator || l->deaf == deaf)
		return;
	l->deaf = deaf;
	if (deaf)
		log_error(
		    "no other site's probe is answered, its paths to here are down: port %u: %s; "
		    "tried again each second",
		    (unsigned int)l->port, strerror(error));
	else
		log_info("other sites' probes are answered again");
}

/* @return 0 or errno. */
static int listener_try(struct listener *l)
{
	if (bfd_io_open(l->local, l->port, l->device, &l->fd) < 0)
		return errno;
	l->readable = readable_add(l->owner->base, l->fd,
				   l->discriminator ? reflector_readable : listener_readable, l);
	if (l->readable)
		return 0;
	socket_close(&l->fd, &l->readable);
	return ENOMEM;
}

static void listener_open(struct listener *l)
{
	static const struct timeval retry = {REOPEN_US / 1000000, 0};
	int error;

	socket_close(&l->fd, &l->readable);
	l->looked_at = false;
	error = listener_try(l);
	reflector_tell(l, error);
	if (!error)
		return;
	l->owner->counters.open_failures++;
	event_add(l->owner->retry, &retry);
}

static void listeners_retry(evutil_socket_t fd, short events, void *context)
{
	struct wire_sessions *w = context;

	(void)fd;
	(void)events;
	for (size_t i = 0; i < w->listeners.count; i++) {
		struct listener *l = w->listeners.items[i];

		if (l->fd < 0)
			listener_open(l);
	}
}

static uint32_t slot_of(const struct wire_session *s)
{
	return s->bfd.config.local_discriminator & 0xffff;
}

/* A foreign socket may hold a port; the second half of the range is then tried from a place apart.
 */
static int source_port_open(const struct wire_session *s, int *ret_fd)
{
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t offset = (slot_of(s) + i * 2039) % BFD_SOURCE_PORT_COUNT;
		int err = bfd_io_open(s->config.local, (uint16_t)(BFD_SOURCE_PORT_FIRST + offset),
				      s->config.device, ret_fd);

		if (!err || errno != EADDRINUSE)
			return err;
	}
	return -TUYEN_ESYSTEM;
}

static void session_open(struct wire_session *s, struct monotime now)
{
	if (!monotime_reached(now, s->reopen_at))
		return;
	socket_close(&s->fd, &s->readable);
	s->reopen_at = monotime_after(now, REOPEN_US);
	if (source_port_open(s, &s->fd) < 0) {
		s->owner->counters.open_failures++;
		return;
	}
	if (s->device_gone && s->listener)
		listener_open(s->listener);
	s->device_gone = s->connected = false;
	if (s->config.kind != SESSION_PATH)
		return;
	s->readable = readable_add(s->owner->base, s->fd, session_readable, s);
	if (!s->readable)
		socket_close(&s->fd, &s->readable);
}

/* ---- a session's turn ---- */

static void session_send(struct wire_session *s, const struct bfd_packet *packet, size_t length,
			 struct monotime now)
{
	uint16_t port = s->config.kind == SESSION_PATH ? BFD_PORT_SBFD : BFD_PORT_SINGLE_HOP;

	if (s->fd < 0 || s->device_gone)
		session_open(s, now);
	if (s->fd >= 0 && !s->connected)
		s->connected = !bfd_io_connect(s->fd, s->config.remote, port);
	if (s->fd >= 0 &&
	    !bfd_io_send(s->fd, s->connected ? 0 : s->config.remote, port, packet, length))
		return;
	s->owner->counters.send_failures++;
	s->device_gone |= s->fd >= 0 && errno == ENODEV;
}

static void report_mark(struct wire_session *s)
{
	s->owner->reports_due += !s->report_due;
	s->report_due = true;
}

/* IP and UDP around the BFD packet. */
#define HEADER_BYTES 28u

static bool session_probes_mtu(const struct wire_session *s)
{
	return s->config.mtu > HEADER_BYTES + BFD_PACKET_BYTES;
}

/* A path carries less than was known: is it one of our links? */
static void links_ask(const struct wire_session *path, struct monotime now)
{
	const struct array *sessions = &path->owner->sessions;

	for (size_t i = 0; i < sessions->count; i++) {
		struct wire_session *s = session_at(sessions, i);

		if (s->config.kind != SESSION_LINK || !session_probes_mtu(s) || s->mtu.in_flight ||
		    s->mtu.searching)
			continue;
		s->mtu.due = now;
		s->deadline = now;
		heap_move(s->owner, s);
	}
}

/* What its links alone would bear. */
static uint64_t base_us(const struct wire_session *s)
{
	return (uint64_t)s->config.base_multiplier * s->bfd.tx_interval_us;
}

/* When a path that waits for repairs has been silent for that long. */
static struct monotime quiet_at(const struct wire_session *s)
{
	struct monotime at = monotime_after(bfd_session_silent_since(&s->bfd), base_us(s));

	if (s->config.kind != SESSION_PATH || !s->config.base_multiplier || s->quiet ||
	    s->bfd.state != BFD_STATE_UP)
		return MONOTIME_NEVER;
	return monotime_before(at, s->quiet_after) ? s->quiet_after : at;
}

static struct monotime session_deadline(const struct wire_session *s)
{
	struct monotime deadline = monotime_min(bfd_session_deadline(&s->bfd), quiet_at(s));

	return session_probes_mtu(s) ? monotime_min(deadline, s->mtu.due) : deadline;
}

static bool path_answers(const struct wire_session *s)
{
	return s->bfd.state == BFD_STATE_UP && !s->quiet;
}

/*
 * Patience is for a repair on the way. Where no path to an endpoint is heard any more, and some to
 * another is, the endpoint is gone and not a link: none of them waits longer.
 */
static bool endpoint_is_gone(const struct wire_sessions *w, ipv4_t endpoint)
{
	bool another = false;

	for (size_t i = 0; i < w->sessions.count; i++) {
		const struct wire_session *s = session_at(&w->sessions, i);

		if (s->config.kind != SESSION_PATH || !path_answers(s))
			continue;
		if (s->config.remote == endpoint)
			return false;
		another = true;
	}
	return another;
}

static void quiet_set(struct wire_session *s, bool quiet)
{
	if (s->quiet != quiet)
		report_mark(s);
	s->quiet = quiet;
}

/* @starved  we were late ourselves: once between two answers it has an interval more, as in the machine. */
static void quiet_turn(struct wire_session *s, struct monotime now, bool starved)
{
	const struct array *sessions = &s->owner->sessions;

	if (!monotime_reached(now, quiet_at(s)))
		return;
	if (starved && !s->quiet_after.us) {
		s->quiet_after = monotime_after(now, s->bfd.tx_interval_us);
		return;
	}
	quiet_set(s, true);
	if (!endpoint_is_gone(s->owner, s->config.remote))
		return;
	for (size_t i = 0; i < sessions->count; i++) {
		struct wire_session *other = session_at(sessions, i);

		if (other->config.kind != SESSION_PATH || !other->quiet ||
		    other->config.remote != s->config.remote || !other->config.base_multiplier)
			continue;
		bfd_session_hasten(&other->bfd, base_us(other), now);
		if (other == s)
			continue;
		other->deadline = session_deadline(other);
		heap_move(other->owner, other);
	}
}

/*
 * A link went down. Paths that leave by it wait no longer for a repair that nobody makes. Where the neighbour says so,
 * its daemon may have died and begun anew while its kernel forwards on: then the answer to one probe more is waited for.
 */
static void paths_hasten(const struct wire_session *link, struct monotime now)
{
	const struct array *sessions = &link->owner->sessions;
	bool heard = link->bfd.diagnostic == BFD_DIAG_NEIGHBOR_DOWN;

	for (size_t i = 0; i < sessions->count; i++) {
		struct wire_session *s = session_at(sessions, i);
		uint64_t more_us = heard ? s->bfd.tx_interval_us : 0;

		if (s->config.kind != SESSION_PATH || s->config.first_site != link->config.id)
			continue;
		bfd_session_hasten(&s->bfd, s->config.hasty_us + more_us, now);
		s->deadline = session_deadline(s);
		heap_move(s->owner, s);
	}
}

/* One whose other end is AdminDown forwards on. */
static bool link_failed(const struct wire_session *s)
{
	return s->config.kind == SESSION_LINK && s->bfd.state == BFD_STATE_DOWN &&
	       !s->bfd.by_intent && s->bfd.diagnostic != BFD_DIAG_NONE;
}

/* Is what was told of the round trip or jitter out by more than an eighth? */
static bool quality_differs(uint32_t now, uint32_t told)
{
	return (now > told ? now - told : told - now) > told / 8 + 1;
}

/* Of a path whose loss is another one, or of which a group of probes more is judged. */
static void quality_tell(struct wire_session *s)
{
	const struct path_quality *is = s->quality;

	if (is->loss.permille != s->told.loss_permille ||
	    quality_loss_known(&is->loss) != s->told.known ||
	    quality_differs(is->round_trip_us, s->told.round_trip_us) ||
	    quality_differs(is->jitter_us, s->told.jitter_us))
		report_mark(s);
}

static void quality_reset(struct wire_session *s)
{
	if (s->quality)
		path_quality_reset(s->quality);
	neighbor_quality_reset(&s->neighbor);
}

static void quality_sent(struct wire_session *s, struct monotime now)
{
	if (s->bfd.state != BFD_STATE_UP)
		return;
	if (!s->quality)
		neighbor_quality_sent(&s->neighbor);
	else if (path_quality_sent(s->quality, s->bfd.probe, s->bfd.tx_interval_us, now))
		quality_tell(s);
}

static void quality_received(struct wire_session *s, size_t length, struct monotime now)
{
	if (length != BFD_PACKET_BYTES)
		return;
	if (!s->quality)
		neighbor_quality_heard(&s->neighbor);
	else if (path_quality_received(s->quality, s->bfd.answered, now))
		quality_tell(s);
}

/*
 * A path's padded probes are S-BFD's. A link's are BFD packets with the Poll bit, padded as in RFC 9764, that take no part in the machine:
 * they wait behind small ones, and what they say may be old. The answer is a Final as long. To others' implementations it is a poll
 * like any other, and their Final is short, or padded as all that they send; so nothing is concluded before a first one came that is as
 * long as the question, for which the smallest is asked.
 */
#define LINK_TTL 255 /* RFC 5881 section 5 */
#define LINK_MTU_EVERY                                                                             \
	8 /* times rarer than a path's: those find a black hole, a link's say where it is */

/* @return the size to be sent now, 0 none. */
static uint16_t mtu_due(struct wire_session *s, struct monotime now, bool *ret_changed)
{
	const struct quality_loss *loss = s->quality ? &s->quality->loss : &s->neighbor.loss;
	bool alive = s->bfd.state == BFD_STATE_UP;

	*ret_changed = false;
	if (s->config.kind == SESSION_PATH || s->padded_heard)
		return path_mtu_step(&s->mtu, now, alive, loss->permille, ret_changed);
	if (!monotime_reached(now, s->mtu.due))
		return 0;
	if (!alive || s->bfd.poll_active) {
		s->mtu.due = monotime_after(now, s->mtu.every_us / LINK_MTU_EVERY);
		return 0;
	}
	s->mtu.due = monotime_after(now, s->mtu.every_us);
	return PATH_MTU_FLOOR;
}

static void mtu_turn(struct wire_session *s, struct monotime now)
{
	bool changed, proven = s->mtu.proven;
	struct bfd_packet packet;
	uint16_t size;

	if (!session_probes_mtu(s))
		return;
	size = mtu_due(s, now, &changed);
	if (changed || s->mtu.proven != proven)
		report_mark(s);
	if (changed && s->config.kind == SESSION_PATH)
		links_ask(s, now);
	if (!size)
		return;
	packet = bfd_session_extra(&s->bfd);
	packet.poll = s->config.kind == SESSION_LINK;
	s->padded_asked = size - HEADER_BYTES;
	session_send(s, &packet, s->padded_asked, now);
}

static void mtu_answered(struct wire_session *s, uint16_t size, struct monotime now)
{
	bool proven = s->mtu.proven;

	if (!session_probes_mtu(s))
		return;
	if (path_mtu_answer(&s->mtu, size, now) || s->mtu.proven != proven)
		report_mark(s);
}

static void padded_poll_answer(struct wire_session *s, const struct bfd_datagram *d,
			       struct monotime now)
{
	struct bfd_packet answer = bfd_session_extra(&s->bfd);

	if (!padded_limit_take(&s->owner->padded, d->peer, d->length, now))
		return;
	answer.final = true;
	session_send(s, &answer, d->length, now);
}

static void padded_final_take(struct wire_session *s, const struct bfd_datagram *d,
			      struct monotime now)
{
	if (!s->padded_heard)
		s->mtu.due = now; /* it answers at length: now the whole size */
	s->padded_heard = true;
	mtu_answered(s, (uint16_t)(d->length + HEADER_BYTES), now);
	s->deadline = session_deadline(s);
	heap_move(s->owner, s);
}

/*
 * A padded question over a link, or the answer to ours? @return false if it is for the machine: of a neighbour that pads whatever it
 * sends, or of a session that is not up.
 */
static bool link_padded(struct wire_session *s, const struct bfd_datagram *d,
			const struct bfd_packet *packet, struct monotime now)
{
	if (s->config.kind != SESSION_LINK || d->length <= BFD_PACKET_BYTES ||
	    d->length > UINT16_MAX - HEADER_BYTES || d->ttl != LINK_TTL ||
	    s->bfd.state != BFD_STATE_UP || !packet->your_discriminator ||
	    packet->poll == packet->final)
		return false;
	if (packet->poll)
		padded_poll_answer(s, d, now);
	else if (s->padded_heard || d->length == s->padded_asked)
		padded_final_take(s, d, now);
	else
		return false;
	return true;
}

static void session_step(struct wire_session *s, const struct bfd_step *step, struct monotime now)
{
	if (step->changed) {
		report_mark(s);
		quality_reset(s);
		if (link_failed(s))
			paths_hasten(s, now);
	}
	if (!step->send)
		return;
	session_send(s, &step->packet, BFD_PACKET_BYTES, now);
	quality_sent(s, now);
}

static void session_turn(struct wire_session *s, struct monotime now, bool starved)
{
	struct bfd_step step;

	quiet_turn(s, now, starved);
	do {
		step = bfd_session_step(&s->bfd, now, starved);
		session_step(s, &step, now);
	} while (step.send);
	mtu_turn(s, now);
	s->deadline = session_deadline(s);
	heap_move(s->owner, s);
}

static struct wire_session *session_by_discriminator(const struct wire_sessions *w, uint32_t number)
{
	struct wire_session *s =
	    (number & 0xffff) < WIRE_SESSIONS_MAX ? w->slot[number & 0xffff] : NULL;

	return s && s->bfd.config.local_discriminator == number ? s : NULL;
}

static struct wire_session *session_by_peer(const struct listener *l, ipv4_t peer)
{
	const struct array *sessions = &l->owner->sessions;

	for (size_t i = 0; i < sessions->count; i++) {
		struct wire_session *s = session_at(sessions, i);

		if (s->listener == l && s->config.remote == peer)
			return s;
	}
	return NULL;
}

/* @only: the path whose socket it came from; else @l, where it came in, says whose it may be. */
static struct wire_session *session_match(struct wire_sessions *w, const struct listener *l,
					  struct wire_session *only, const struct bfd_datagram *d,
					  const struct bfd_packet *p)
{
	struct wire_session *s;

	if (only)
		return d->peer == only->config.remote && d->port == BFD_PORT_SBFD ? only : NULL;
	s = p->your_discriminator ? session_by_discriminator(w, p->your_discriminator)
				  : session_by_peer(l, d->peer);
	return s && s->listener == l && s->config.remote == d->peer ? s : NULL;
}

/* Of a padded one just the beginning is there. */
static size_t datagram_kept(const struct bfd_datagram *d)
{
	return d->length < sizeof(d->bytes) ? d->length : sizeof(d->bytes);
}

static void datagram_take(struct wire_sessions *w, const struct listener *l,
			  struct wire_session *only, const struct bfd_datagram *d,
			  struct monotime now)
{
	struct bfd_packet packet;
	struct wire_session *s;

	if (bfd_packet_decode(d->bytes, datagram_kept(d), &packet) != BFD_ACCEPT) {
		s = only ? only : session_by_peer(l, d->peer);
		if (s)
			s->dropped++;
		else
			w->counters.unmatched++;
		return;
	}
	s = session_match(w, l, only, d, &packet);
	if (!s) {
		w->counters.unmatched++;
		return;
	}
	if (link_padded(s, d, &packet, now))
		return;
	if (bfd_session_receive(&s->bfd, &packet, d->ttl, now) != BFD_ACCEPT)
		return;
	quiet_set(s, false);
	s->quiet_after = (struct monotime){0};
	quality_received(s, d->length, now);
	if (s->config.kind == SESSION_PATH)
		mtu_answered(s, (uint16_t)(d->length + HEADER_BYTES), now);
	if (session_deadline(s).us != s->deadline.us) /* else nothing is due for it */
		session_turn(s, now, false);
}

/* @return how many packets there were. */
static unsigned int socket_drain(struct wire_sessions *w, int fd, const struct listener *l,
				 struct wire_session *only)
{
	unsigned int count = 0;

	for (int batch = 0; batch < DRAIN_BATCHES; batch++) {
		struct monotime now;

		bfd_io_receive(fd, &w->batch);
		now = monotime_now();
		for (size_t i = 0; i < w->batch.count; i++)
			datagram_take(w, l, only, &w->batch.datagram[i], now);
		count += (unsigned int)w->batch.count;
		if (w->batch.count < BFD_IO_BATCH)
			break;
	}
	return count;
}

/* ---- busy listeners ---- */

static struct monotime look_next(struct monotime now)
{
	return (struct monotime){now.us - now.us % LOOK_US + LOOK_US};
}

/* A packet a millisecond is busy, half of that no longer. */
static void listener_judge(struct listener *l, struct monotime now)
{
	bool was = l->looked_at;
	uint64_t took_us = monotime_between(l->since, now);

	if (++l->looks < LOOKS)
		return;
	l->looked_at = (uint64_t)l->packets * LOOK_US * (was ? 2 : 1) >= took_us;
	l->packets = l->looks = 0;
	l->since = now;
	if (l->looked_at && !was)
		event_del(l->readable);
	else if (was && !l->looked_at)
		event_add(l->readable, NULL);
}

static void listener_drain(struct listener *l, struct monotime now)
{
	l->packets += socket_drain(l->owner, l->fd, l, NULL);
	if (l->readable)
		listener_judge(l, now);
}

static void listeners_look(struct wire_sessions *w, struct monotime now)
{
	bool any = false;

	if (!monotime_reached(now, w->look_at))
		return;
	for (size_t i = 0; i < w->listeners.count; i++) {
		struct listener *l = w->listeners.items[i];

		if (l->looked_at)
			listener_drain(l, now);
		any |= l->looked_at;
	}
	w->look_at = any ? look_next(now) : MONOTIME_NEVER;
}

static void sockets_drain(struct wire_sessions *w)
{
	for (size_t i = 0; i < w->listeners.count; i++) {
		struct listener *l = w->listeners.items[i];

		if (l->fd >= 0 && !l->discriminator)
			socket_drain(w, l->fd, l, NULL);
	}
	for (size_t i = 0; i < w->sessions.count; i++) {
		struct wire_session *s = session_at(&w->sessions, i);

		if (s->readable)
			socket_drain(w, s->fd, NULL, s);
	}
}

static void turn(struct wire_sessions *w)
{
	struct monotime now = monotime_now(), due = w->armed_for;
	bool drained = false;

	listeners_look(w, now);
	while (w->heap.count) {
		struct wire_session *s = session_at(&w->heap, 0);

		if (!monotime_reached(now, s->deadline))
			break;
		if (!drained &&
		    monotime_reached(now, monotime_min(s->bfd.detect_at, quiet_at(s)))) {
			sockets_drain(w);
			drained = true;
			continue;
		}
		session_turn(s, now, monotime_between(due, now) > s->bfd.config.interval_us);
	}
	timer_arm(w, now);
	w->report(w->context);
}

static void timer_due(evutil_socket_t fd, short events, void *context)
{
	struct wire_sessions *w = context;

	(void)fd;
	(void)events;
	turn(w);
	if (w->armed_for.us != MONOTIME_NEVER.us && !evtimer_pending(w->timer, NULL)) {
		w->armed_for.us = 0; /* it fired a little early: the same deadline again */
		timer_arm(w, monotime_now());
	}
}

static void listener_readable(evutil_socket_t fd, short events, void *context)
{
	struct listener *l = context;
	struct wire_sessions *w = l->owner;
	struct monotime now = monotime_now();

	(void)fd;
	(void)events;
	listener_drain(l, now);
	if (l->looked_at)
		w->look_at = monotime_min(w->look_at, look_next(now));
	turn(w);
}

static void session_readable(evutil_socket_t fd, short events, void *context)
{
	struct wire_session *s = context;
	struct wire_sessions *w = s->owner;

	(void)events;
	socket_drain(w, fd, NULL, s);
	turn(w);
}

/*
 * RFC 7881 section 4. A packet from the reflector's own port is another reflector's answer, one from its own address
 * nobody's: the answer would be for a service of this box.
 * What would not be answered anyhow must not use up the limit of the source that it names.
 */
static bool datagram_answer(const struct listener *l, const struct bfd_datagram *d,
			    struct monotime now, struct bfd_packet *ret_reply)
{
	struct bfd_packet packet, reply;

	if (d->port == BFD_PORT_SBFD || !d->port || d->peer == l->local ||
	    bfd_packet_decode(d->bytes, datagram_kept(d), &packet) != BFD_ACCEPT ||
	    bfd_reflect(&packet, l->discriminator, REFLECT_MIN_RX_US, &reply) != BFD_ACCEPT)
		return false;
	if (d->length > BFD_PACKET_BYTES &&
	    !padded_limit_take(&l->owner->padded, d->peer, d->length, now))
		return false;
	*ret_reply = reply;
	return true;
}

static void datagram_reflect(const struct listener *l, const struct bfd_datagram *d,
			     struct monotime now, struct bfd_batch *replies)
{
	struct bfd_datagram *out = &replies->datagram[replies->count];
	struct bfd_packet reply;

	if (!datagram_answer(l, d, now, &reply)) {
		l->owner->counters.not_reflected++;
		return;
	}
	out->peer = d->peer;
	out->port = d->port;
	out->length =
	    d->length; /* as long as the question, never longer: it asks what the path carries */
	bfd_packet_encode(&reply, out->bytes);
	replies->count++;
}

static void reflector_readable(evutil_socket_t fd, short events, void *context)
{
	struct listener *l = context;
	struct wire_sessions *w = l->owner;

	(void)events;
	for (int batch = 0; batch < DRAIN_BATCHES; batch++) {
		struct monotime now;

		bfd_io_receive(fd, &w->batch);
		now = monotime_now();
		w->replies.count = 0;
		for (size_t i = 0; i < w->batch.count; i++)
			datagram_reflect(l, &w->batch.datagram[i], now, &w->replies);
		if (w->replies.count)
			bfd_io_send_batch(fd, &w->replies);
		if (w->batch.count < BFD_IO_BATCH)
			break;
	}
}

/* ---- configuration ---- */

static uint32_t random_next(struct wire_sessions *w)
{
	uint64_t x = w->random += 0x9e3779b97f4a7c15u; /* splitmix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)((x ^ x >> 31) >> 32);
}

static uint32_t discriminator_new(struct wire_sessions *w, uint32_t slot)
{
	uint32_t chance;

	do
		chance = random_next(w) & 0xffff0000u;
	while (!chance);
	return chance | slot;
}

static struct listener *listener_get(struct wire_sessions *w, ipv4_t local, const char *device,
				     uint16_t port, uint32_t discriminator)
{
	struct listener *l;

	for (size_t i = 0; i < w->listeners.count; i++) {
		l = w->listeners.items[i];
		if (l->local == local && l->port == port && l->discriminator == discriminator &&
		    !strcmp(l->device, device))
			return l;
	}
	if (array_reserve(&w->listeners, w->listeners.count + 1) < 0)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	*l = (struct listener){
	    .owner = w, .local = local, .port = port, .discriminator = discriminator, .fd = -1};
	memcpy(l->device, device, strlen(device) + 1);
	array_add(&w->listeners, l);
	return l;
}

static void listeners_sweep(struct wire_sessions *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->sessions.count; i++)
		if (session_at(&w->sessions, i)->listener)
			session_at(&w->sessions, i)->listener->used = true;
	for (size_t i = 0; i < w->listeners.count; i++) {
		struct listener *l = w->listeners.items[i];

		if (l->used) {
			l->used = false;
			w->listeners.items[kept++] = l;
			if (l->fd < 0)
				listener_open(l);
			continue;
		}
		socket_close(&l->fd, &l->readable);
		free(l);
	}
	w->listeners.count = kept;
}

static void session_free(struct wire_session *s)
{
	heap_remove(s->owner, s);
	s->owner->reports_due -= s->report_due;
	s->owner->slot[slot_of(s)] = NULL;
	socket_close(&s->fd, &s->readable);
	free(s->quality);
	free(s);
}

/* Unlike at every node and session, which is all that jitter is for, and alike in every run of a
 * lab. */
static uint32_t jitter_seed(const struct message_session *m)
{
	uint32_t x = m->local * 0x9e3779b1u ^ m->remote * 0x85ebca6bu ^
		     (m->kind << 16 | m->id) * 0xc2b2ae35u;

	x ^= x >> 16;
	return x * 0x7feb352du;
}

static struct bfd_config bfd_config_of(const struct message_session *m, uint32_t discriminator)
{
	return (struct bfd_config){
	    .role = m->kind == SESSION_PATH ? BFD_ROLE_SBFD_INITIATOR : BFD_ROLE_ACTIVE,
	    .local_discriminator = discriminator,
	    .remote_discriminator = m->remote_discriminator,
	    .interval_us = m->interval_us,
	    .multiplier = (uint8_t)m->multiplier,
	};
}

static uint32_t slot_find(const struct wire_sessions *w)
{
	uint32_t slot = 0;

	while (slot < WIRE_SESSIONS_MAX && w->slot[slot])
		slot++;
	return slot;
}

/* Not yet in the table, nor open: see commit_install(). */
static struct wire_session *session_new(struct wire_sessions *w, const struct message_session *m,
					struct monotime now)
{
	uint32_t slot = slot_find(w);
	struct bfd_config config;
	struct wire_session *s;

	if (slot == WIRE_SESSIONS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->owner = w;
	s->config = *m;
	s->fd = -1;
	s->heap_at = NOT_IN_HEAP;
	config = bfd_config_of(m, discriminator_new(w, slot));
	bfd_session_init(&s->bfd, &config, now, jitter_seed(m));
	w->slot[slot] = s;
	if (m->kind == SESSION_LINK)
		s->listener = listener_get(w, m->local, m->device, BFD_PORT_SINGLE_HOP, 0);
	else
		s->quality = calloc(1, sizeof(*s->quality));
	if (s->listener || s->quality)
		return s;
	session_free(s);
	return NULL;
}

static int key_compare(const struct message_session *a, const struct message_session *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int staged_compare(const void *a, const void *b)
{
	return key_compare(a, b);
}

static bool same_session(const struct message_session *a, const struct message_session *b)
{
	return !key_compare(a, b) && a->local == b->local && a->remote == b->remote &&
	       a->remote_discriminator == b->remote_discriminator && a->way == b->way &&
	       !strcmp(a->device, b->device);
}

/* Old and new are both sorted and walked once. @next receives what the new generation has. */
static int commit_build(struct wire_sessions *w, struct array *next, struct monotime now)
{
	size_t old = 0;

	for (size_t i = 0; i < w->staged_count; i++) {
		const struct message_session *m = &w->staged[i];
		struct wire_session *s;

		while (old < w->sessions.count &&
		       key_compare(&session_at(&w->sessions, old)->config, m) < 0)
			old++;
		s = old < w->sessions.count ? session_at(&w->sessions, old) : NULL;
		if (s && same_session(&s->config, m))
			s->kept = true;
		else
			s = session_new(w, m, now);
		if (!s)
			return -TUYEN_ENOMEM;
		array_add(next, s);
	}
	return 0;
}

static int reflectors_build(struct wire_sessions *w)
{
	for (size_t i = 0; i < w->staged_reflect_count; i++) {
		const struct message_reflect *r = &w->staged_reflect[i];
		struct listener *l =
		    listener_get(w, r->address, "", BFD_PORT_SBFD, r->discriminator);

		if (!l)
			return -TUYEN_ENOMEM;
		l->used = true;
	}
	return 0;
}

/* @listeners  how many there were before */
static void commit_undo(struct wire_sessions *w, struct array *next, size_t listeners)
{
	for (size_t i = 0; i < next->count; i++)
		if (!session_at(next, i)->kept)
			session_free(session_at(next, i));
	for (size_t i = 0; i < w->sessions.count; i++)
		session_at(&w->sessions, i)->kept = false;
	for (size_t i = 0; i < w->listeners.count; i++) {
		struct listener *l = w->listeners.items[i];

		l->used = i < listeners && l->discriminator;
	}
	listeners_sweep(w);
	free(next->items);
}

static void session_update(struct wire_session *s, const struct message_session *m,
			   struct monotime now)
{
	if (s->config.interval_us != m->interval_us || s->config.multiplier != m->multiplier)
		bfd_session_configure(&s->bfd, m->interval_us, (uint8_t)m->multiplier, now);
	if (s->mtu.ceiling != m->mtu || s->config.interval_us != m->interval_us)
		path_mtu_init(&s->mtu, (uint16_t)m->mtu,
			      (uint16_t)(m->mtu_known ? m->mtu_known : m->mtu), m->interval_us,
			      (uint64_t)m->interval_us * m->multiplier, now);
	if (m->kind == SESSION_LINK)
		s->mtu.every_us = (uint64_t)m->interval_us * PATH_MTU_EVERY * LINK_MTU_EVERY;
	s->mtu.gap_us = m->padded_gap_us;
	s->config = *m;
	s->deadline = session_deadline(s);
	if (s->heap_at == NOT_IN_HEAP)
		heap_add(s->owner, s);
	else
		heap_move(s->owner, s);
	report_mark(s);
	s->kept = false;
}

static void commit_install(struct wire_sessions *w, struct array *next, struct monotime now)
{
	struct array gone = w->sessions;

	for (size_t i = 0; i < gone.count; i++)
		if (!session_at(&gone, i)->kept)
			session_free(session_at(&gone, i));
	free(gone.items);
	w->sessions = *next;
	for (size_t i = 0; i < next->count; i++)
		session_update(session_at(next, i), &w->staged[i], now);
	listeners_sweep(w);
	w->report_from = 0;
}

static int staged_check(const struct wire_sessions *w)
{
	for (size_t i = 1; i < w->staged_count; i++)
		if (!key_compare(&w->staged[i - 1], &w->staged[i]))
			return -TUYEN_EEXIST;
	return 0;
}

static int commit_apply(struct wire_sessions *w)
{
	struct monotime now = monotime_now();
	size_t listeners = w->listeners.count;
	struct array next = {0};
	int err;

	if (w->staged_count)
		qsort(w->staged, w->staged_count, sizeof(*w->staged), staged_compare);
	err = staged_check(w);
	if (err < 0)
		return err;
	if (array_reserve(&next, w->staged_count) < 0 ||
	    array_reserve(&w->heap, w->sessions.count + w->staged_count) < 0) {
		free(next.items);
		return -TUYEN_ENOMEM;
	}
	err = commit_build(w, &next, now);
	if (!err)
		err = reflectors_build(w);
	if (err < 0) {
		commit_undo(w, &next, listeners);
		return err;
	}
	commit_install(w, &next, now);
	return 0;
}

int wire_sessions_commit(struct wire_sessions *w, uint32_t generation)
{
	int err =
	    w->staging && generation == w->staged_generation ? commit_apply(w) : -TUYEN_EINVAL;

	wire_sessions_abandon(w);
	if (err < 0)
		return err;
	w->generation = generation;
	turn(w);
	return 0;
}

void wire_sessions_begin(struct wire_sessions *w, uint32_t generation)
{
	wire_sessions_abandon(w);
	w->staging = true;
	w->staged_generation = generation;
}

void wire_sessions_abandon(struct wire_sessions *w)
{
	free(w->staged);
	w->staged = NULL;
	w->staged_count = w->staged_capacity = w->staged_reflect_count = 0;
	w->staging = false;
}

/* Without one of its sessions a generation is none: its COMMIT finds nothing. */
static int staging_fail(struct wire_sessions *w, int err)
{
	wire_sessions_abandon(w);
	return err;
}

int wire_sessions_add(struct wire_sessions *w, const struct message_session *session)
{
	if (!w->staging)
		return -TUYEN_EINVAL;
	if (w->staged_count == WIRE_SESSIONS_MAX)
		return staging_fail(w, -TUYEN_ELIMIT);
	if (w->staged_count == w->staged_capacity) {
		size_t capacity = w->staged_capacity ? 2 * w->staged_capacity : 16;
		struct message_session *staged = realloc(w->staged, capacity * sizeof(*staged));

		if (!staged)
			return staging_fail(w, -TUYEN_ENOMEM);
		w->staged = staged;
		w->staged_capacity = capacity;
	}
	w->staged[w->staged_count++] = *session;
	return 0;
}

int wire_sessions_add_reflector(struct wire_sessions *w, const struct message_reflect *reflect)
{
	if (!w->staging)
		return -TUYEN_EINVAL;
	if (w->staged_reflect_count == WIRE_REFLECTORS_MAX)
		return staging_fail(w, -TUYEN_ELIMIT);
	w->staged_reflect[w->staged_reflect_count++] = *reflect;
	return 0;
}

/* ---- reports ---- */

void wire_sessions_report_all(struct wire_sessions *w)
{
	for (size_t i = 0; i < w->sessions.count; i++)
		report_mark(session_at(&w->sessions, i));
}

static struct message report_build(const struct wire_sessions *w, const struct wire_session *s)
{
	const struct path_quality *path = s->quality;

	return (struct message){
	    .type = MESSAGE_LIVENESS,
	    .u.liveness =
		{
		    .kind = s->config.kind,
		    .id = s->config.id,
		    .state = s->bfd.state,
		    .diagnostic = s->bfd.diagnostic,
		    .by_intent = s->bfd.by_intent,
		    .anew = s->config.kind == SESSION_LINK && s->bfd.remote_anew,
		    .quiet = s->quiet,
		    .round_trip_us = path ? path_quality_known_round_trip(path) : 0,
		    .loss_permille = path ? path->loss.permille : 0,
		    .loss_known = path && quality_loss_known(&path->loss),
		    .jitter_us = path ? path->jitter_us : 0,
		    .mtu = session_probes_mtu(s) && s->mtu.proven ? s->mtu.passes : 0,
		    .generation = w->generation,
		    .sent = s->bfd.counters.sent,
		    .received = s->bfd.counters.received,
		    .dropped = s->bfd.counters.dropped + s->dropped,
		    .detection_us = s->bfd.detection_us,
		    .changed_at_us = s->bfd.since.us,
		    .up_until_us = s->bfd.up_until.us,
		},
	};
}

bool wire_sessions_report_next(struct wire_sessions *w, struct message *ret_message)
{
	for (size_t i = 0; w->reports_due && i < w->sessions.count; i++) {
		size_t at = (w->report_from + i) % w->sessions.count;

		if (!session_at(&w->sessions, at)->report_due)
			continue;
		w->report_from = at;
		*ret_message = report_build(w, session_at(&w->sessions, at));
		return true;
	}
	return false;
}

void wire_sessions_report_done(struct wire_sessions *w)
{
	struct wire_session *s = session_at(&w->sessions, w->report_from);

	assert(s->report_due && w->reports_due);
	s->report_due = false;
	w->reports_due--;
	if (!s->quality)
		return;
	s->told.loss_permille = s->quality->loss.permille;
	s->told.known = quality_loss_known(&s->quality->loss);
	s->told.round_trip_us = s->quality->round_trip_us;
	s->told.jitter_us = s->quality->jitter_us;
}

const struct wire_counters *wire_sessions_counters(const struct wire_sessions *w)
{
	return &w->counters;
}

/* ---- life ---- */

struct wire_sessions *wire_sessions_new(struct event_base *base, wire_report_fn report,
					void *context)
{
	struct wire_sessions *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->base = base;
	w->report = report;
	w->context = context;
	w->armed_for = w->look_at = MONOTIME_NEVER;
	if (getrandom(&w->random, sizeof(w->random), GRND_NONBLOCK) != sizeof(w->random))
		w->random =
		    monotime_now().us; /* weaker discriminators, and no reason not to start */
	padded_limit_init(&w->padded, (uint64_t)random_next(w) << 32 | random_next(w),
			  monotime_now());
	w->timer = evtimer_new(base, timer_due, w);
	w->retry = evtimer_new(base, listeners_retry, w);
	if (!w->timer || !w->retry) {
		wire_sessions_free(w);
		return NULL;
	}
	return w;
}

void wire_sessions_free(struct wire_sessions *w)
{
	if (!w)
		return;
	wire_sessions_abandon(w);
	for (size_t i = 0; i < w->sessions.count; i++)
		session_free(session_at(&w->sessions, i));
	w->sessions.count = 0;
	listeners_sweep(w);
	free(w->sessions.items);
	free(w->heap.items);
	free(w->listeners.items);
	if (w->timer)
		event_free(w->timer);
	if (w->retry)
		event_free(w->retry);
	free(w);
}

uint64_t wire_sessions_shut_down(struct wire_sessions *w)
{
	struct monotime now = monotime_now();
	uint64_t longest_us = 0;

	for (size_t i = 0; i < w->sessions.count; i++) {
		struct wire_session *s = session_at(&w->sessions, i);
		uint64_t us;

		if (s->config.kind != SESSION_LINK)
			continue;
		bfd_session_enable(&s->bfd, false, now);
		session_turn(s, now, false);
		us = monotime_between(now, s->bfd.farewell_until);
		longest_us = us > longest_us ? us : longest_us;
	}
	timer_arm(w, now);
	return longest_us < WIRE_FAREWELL_MAX_US ? longest_us : WIRE_FAREWELL_MAX_US;
}
