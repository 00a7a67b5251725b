/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/simulate.c daemon/core/simulate_way.c daemon/core/simulate_wire.c daemon/core/simulate_session.c
// link: daemon/core/simulate_judge.c daemon/core/simulate_script.c daemon/core/simulate_print.c daemon/core/simulate_link.c
// link: daemon/core/repair_link.c
// link: daemon/core/bfd.c daemon/core/damping.c daemon/core/selection.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c policies/compile_repair.c policies/compile_way.c
// link: policies/compile_site.c policies/expect.c
// link: topology/network.c topology/labels.c topology/mtu.c topology/spf.c topology/forwarding.c
// link: tests/unit/network_fixture.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
// libs: -Wl,--wrap=bfd_session_step,--wrap=repair_step
/*
 * The simulator skips what is plain. Here stands a second one that skips nothing: each probe goes label by
 * label from site to site, an event a hop, past filters and over links that are up or down at that moment. Both must tell
 * the same changes at the same microsecond, over clean wires and bad ones.
 *
 * Then: each promise has a planted fault that breaks it, in selection, in the compiled state, in BFD or in repairs, and is
 * found by name; and small countries live through many hours of chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network_fixture.h"
#include "tuyen/core/repair.h"
#include "tuyen/core/simulate.h"
#include "tuyen/policies/compile.h"

#define SECOND 1000000ull

/* ---- countries --------------------------------------------------------------------------- */

struct country {
	struct network n;
	struct compile_result *compiled;
	struct simulation *s;
};

static uint32_t delay_of(uint32_t a, uint32_t b)
{
	return 700 + (a + b) * 37 % 1900;
}

typedef void spoiler(struct forwarding *f);

/* Two gateways with one LAN, and a ring at each tier: every line but a commune's own has a repair. */
static void meshed(struct network *n)
{
	fixture_two_gateways(n);
	fixture_link(n, 0, 6, 15);
	fixture_link(n, 2, 3, 12); /* ba-dinh and dong-da */
	fixture_link(n, 3, 6, 40);
	n->policies[0].probe = (struct probe_timers){80000, 3};
	for (size_t i = 0; i < n->link_count; i += 2)
		n->links[i].probe.interval_us = 30000;
}

#define MESHED UINT32_MAX

static void country_init(struct country *c, uint32_t communes, spoiler *spoil)
{
	struct reason reason;

	network_init(&c->n);
	if (communes == MESHED)
		meshed(&c->n);
	else if (communes)
		fixture_country(&c->n, communes);
	else
		fixture_first_light(&c->n);
	assert_int_equal(compile_network(&c->n, 0, &c->compiled), 0);
	c->s = simulation_new();
	for (uint32_t i = 0; i < c->n.site_count; i++) {
		struct forwarding f;

		assert_int_equal(compile_site(c->compiled, i, &f), 0);
		if (spoil)
			spoil(&f);
		assert_int_equal(simulation_add(c->s, &f), 0);
	}
	assert_int_equal(simulation_connect(c->s, 1000, &reason), 0);
	for (size_t i = 0; i < c->n.link_count; i++) {
		uint32_t a = c->n.sites[c->n.links[i].a].id, b = c->n.sites[c->n.links[i].b].id;

		assert_int_equal(simulation_delay_set(c->s, a, b, delay_of(a, b)), 0);
	}
}

static void country_clear(struct country *c)
{
	simulation_free(c->s);
	compile_free(c->compiled);
	network_clear(&c->n);
}

/* @text "": nothing happens. */
static void script(const struct country *c, const char *text, struct simulate_events *events)
{
	struct reason reason = {0};

	simulate_events_init(events);
	if (*text && simulate_script_parse(c->s, text, events, &reason) < 0)
		fail_msg("%s", reason.text);
}

static void run(const struct country *c, const struct simulate_options *o,
		const struct simulate_events *events, struct simulate_result *ret_result)
{
	struct reason reason = {0};

	if (simulation_run(c->s, o, events, ret_result, &reason) < 0)
		fail_msg("%s", reason.text);
}

/* ---- what both tell ----------------------------------------------------------------------- */

struct change {
	uint64_t at_us;
	uint32_t site, path;
	int state;
};

struct story {
	struct change *entries;
	size_t count, capacity;
	size_t switches;
};

static void story_add(struct story *t, uint64_t at_us, uint32_t site, uint32_t path, int state)
{
	if (t->count == t->capacity) {
		t->capacity = t->capacity ? 2 * t->capacity : 64;
		t->entries = realloc(t->entries, t->capacity * sizeof(*t->entries));
		assert_non_null(t->entries);
	}
	t->entries[t->count++] = (struct change){at_us, site, path, state};
}

static void story_watch(void *context, struct monotime at, uint32_t site, uint8_t path, bool active,
			enum bfd_state state)
{
	struct story *t = context;

	if (active)
		t->switches++;
	else
		story_add(t, at.us, site, path, (int)state);
}

static int change_compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->at_us != y->at_us)
		return x->at_us < y->at_us ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return x->path < y->path ? -1 : x->path > y->path;
}

static void stories_equal(const char *name, struct story *a, struct story *b)
{
	if (a->count)
		qsort(a->entries, a->count, sizeof(*a->entries), change_compare);
	if (b->count)
		qsort(b->entries, b->count, sizeof(*b->entries), change_compare);
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (change_compare(&a->entries[i], &b->entries[i]) ||
		    a->entries[i].state != b->entries[i].state)
			fail_msg(
			    "%s, change %zu: site %u path %u state %d at %llu us; site %u path %u state %d at %llu us",
			    name, i, a->entries[i].site, a->entries[i].path, a->entries[i].state,
			    (unsigned long long)a->entries[i].at_us, b->entries[i].site,
			    b->entries[i].path, b->entries[i].state,
			    (unsigned long long)b->entries[i].at_us);
	if (a->count != b->count)
		fail_msg("%s: %zu and %zu changes", name, a->count, b->count);
}

/* ---- the simulator that skips nothing ------------------------------------------------------- */

enum event_kind {
	EVENT_FAULT,
	EVENT_ARRIVAL,
	EVENT_HASTE,
	EVENT_HASTE_HEARD,
	EVENT_TIMER
}; /* in this order at one moment */

struct packet {
	uint32_t owner; /* session */
	uint64_t probe, entered_us;
	uint32_t hop, from, at; /* sites by index */
	struct label_stack stack;
	ipv4_t destination;
	struct bfd_packet bfd;
};

struct event {
	uint64_t at_us, number;
	enum event_kind kind;
	uint32_t which; /* fault, packet, session */
};

struct wire {
	uint32_t from, to;
	uint32_t down; /* how many faults hold it down */
	uint64_t last_down_us;
};

struct plain_session {
	struct bfd_session bfd;
	uint32_t site;
	const struct fwd_path *path;
	uint64_t armed_us, base_us, hasty_us;
	bool quiet;
};

struct plain {
	const struct country *c;
	const struct simulate_options *o;
	const struct simulate_events *faults;
	struct forwarding *f;
	uint32_t *node_down;
	struct wire *wires;
	size_t wire_count;
	struct plain_session *sessions;
	size_t session_count;
	struct packet *packets;
	size_t packet_count, packet_capacity;
	uint32_t *free_packets;
	size_t free_count;
	struct event *heap;
	size_t heap_count, heap_capacity;
	uint64_t now_us, number;
	uint64_t repaired, hastened;
	struct story *story;
};

static bool event_before(const struct event *a, const struct event *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	return a->kind != b->kind ? a->kind < b->kind : a->number < b->number;
}

static void event_push(struct plain *p, uint64_t at_us, enum event_kind kind, uint32_t which)
{
	struct event e = {at_us, p->number++, kind, which};
	size_t at = p->heap_count++;

	if (p->heap_count > p->heap_capacity) {
		p->heap_capacity = p->heap_capacity ? 2 * p->heap_capacity : 1024;
		p->heap = realloc(p->heap, p->heap_capacity * sizeof(*p->heap));
		assert_non_null(p->heap);
	}
	for (; at && event_before(&e, &p->heap[(at - 1) / 2]); at = (at - 1) / 2)
		p->heap[at] = p->heap[(at - 1) / 2];
	p->heap[at] = e;
}

static struct event event_pop(struct plain *p)
{
	struct event first = p->heap[0], last = p->heap[--p->heap_count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < p->heap_count) {
		if (child + 1 < p->heap_count && event_before(&p->heap[child + 1], &p->heap[child]))
			child++;
		if (!event_before(&p->heap[child], &last))
			break;
		p->heap[at] = p->heap[child];
		at = child;
	}
	p->heap[at] = last;
	return first;
}

static uint32_t site_index(const struct plain *p, uint32_t id)
{
	for (uint32_t i = 0; i < p->c->n.site_count; i++)
		if (p->c->n.sites[i].id == id)
			return i;
	fail_msg("no site %u", id);
	return 0;
}

static struct wire *wire_find(const struct plain *p, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < p->wire_count; i++)
		if (p->wires[i].from == from && p->wires[i].to == to)
			return &p->wires[i];
	fail_msg("no wire");
	return NULL;
}

static uint32_t packet_store(struct plain *p, const struct packet *packet)
{
	uint32_t at;

	if (p->free_count) {
		at = p->free_packets[--p->free_count];
	} else {
		if (p->packet_count == p->packet_capacity) {
			p->packet_capacity = p->packet_capacity ? 2 * p->packet_capacity : 256;
			p->packets = realloc(p->packets, p->packet_capacity * sizeof(*p->packets));
			p->free_packets =
			    realloc(p->free_packets, p->packet_capacity * sizeof(uint32_t));
			assert_true(p->packets && p->free_packets);
		}
		at = (uint32_t)p->packet_count++;
	}
	p->packets[at] = *packet;
	return at;
}

static void transmit(struct plain *p, struct packet packet, uint32_t next_id)
{
	const struct plain_session *e = &p->sessions[packet.owner];
	uint32_t next = site_index(p, next_id), a = p->f[packet.at].site_id;
	const struct wire *w = wire_find(p, packet.at, next);
	uint64_t delay;

	if (!simulate_wire_pass(p->o, p->f[e->site].site_id, e->path->index, packet.probe,
				packet.hop++, delay_of(a, next_id), &delay) ||
	    w->down)
		return;
	packet.from = packet.at;
	packet.at = next;
	packet.entered_us = p->now_us;
	event_push(p, p->now_us + delay, EVENT_ARRIVAL, packet_store(p, &packet));
}

/* The kernel knows of a link what its BFD said apply_us ago. That is a run of its own, and taken as it is. */
static enum repair_link link_at(const struct plain *p, uint32_t site, uint32_t next_id)
{
	uint64_t at = p->now_us > p->o->apply_us ? p->now_us - p->o->apply_us : 0;
	struct monotime until;
	bool heard;

	return simulation_link_at(p->c->s, p->f[site].site_id, next_id, (struct monotime){at},
				  &until, &heard);
}

static bool goes_around(struct plain *p, uint32_t site, uint32_t next_id,
			const struct fwd_repair *repair)
{
	bool around = repair->next_site && link_at(p, site, next_id) != REPAIR_LINK_USED &&
		      link_at(p, site, repair->next_site) != REPAIR_LINK_DOWN;

	p->repaired += around;
	return around;
}

static uint64_t quiet_at(const struct plain_session *e)
{
	if (!e->base_us || e->quiet || e->bfd.state != BFD_STATE_UP)
		return UINT64_MAX;
	return bfd_session_silent_since(&e->bfd).us + e->base_us;
}

static void plain_turn(struct plain *p, uint32_t session);

/* No path of the site to this endpoint answers, and another's does. */
static void quiet_judge(struct plain *p, uint32_t session)
{
	struct plain_session *e = &p->sessions[session];
	bool another = false;

	e->quiet = true;
	for (size_t i = 0; i < p->session_count; i++) {
		const struct plain_session *o = &p->sessions[i];

		if (o->site != e->site || o->bfd.state != BFD_STATE_UP || o->quiet)
			continue;
		if (o->path->endpoint == e->path->endpoint)
			return;
		another = true;
	}
	for (uint32_t i = 0; i < p->session_count && another; i++) {
		struct plain_session *o = &p->sessions[i];

		if (o->site != e->site || o->path->endpoint != e->path->endpoint || !o->quiet ||
		    !o->base_us)
			continue;
		bfd_session_hasten(&o->bfd, o->base_us, (struct monotime){p->now_us});
		p->hastened++;
		if (i != session)
			plain_turn(p, i);
	}
}

static void plain_turn(struct plain *p, uint32_t session)
{
	struct plain_session *e = &p->sessions[session];
	struct bfd_step step;

	if (p->now_us >= quiet_at(e))
		quiet_judge(p, session);
	do {
		step = bfd_session_step(&e->bfd, (struct monotime){p->now_us}, false);
		if (step.changed &&
		    p->now_us != simulate_site_start(p->o->seed, p->f[e->site].site_id).us)
			story_add(p->story, p->now_us, p->f[e->site].site_id, e->path->index,
				  (int)e->bfd.state);
		if (step.send) {
			struct packet packet = {.owner = session,
						.probe = e->bfd.counters.sent,
						.at = e->site,
						.stack = e->path->stack,
						.destination = e->path->endpoint,
						.bfd = step.packet};

			if (goes_around(p, e->site, e->path->first_site, &e->path->repair)) {
				packet.stack = e->path->repair.out;
				transmit(p, packet, e->path->repair.next_site);
			} else {
				transmit(p, packet, e->path->first_site);
			}
		}
	} while (step.send);
	e->armed_us = bfd_session_deadline(&e->bfd).us;
	if (quiet_at(e) < e->armed_us)
		e->armed_us = quiet_at(e);
	event_push(p, e->armed_us, EVENT_TIMER, session);
}

/* No label is left: an IP packet for this site. */
static void deliver(struct plain *p, struct packet packet)
{
	const struct forwarding *f = &p->f[packet.at];
	struct plain_session *e = &p->sessions[packet.owner];
	struct bfd_packet reply;

	if (packet.destination == e->path->source) {
		assert_int_equal(packet.at, e->site);
		if (bfd_session_receive(&e->bfd, &packet.bfd, 255, (struct monotime){p->now_us}) ==
		    BFD_ACCEPT)
			e->quiet = false;
		plain_turn(p, packet.owner);
		return;
	}
	assert_int_equal(packet.destination, f->node_address);
	assert_int_equal(bfd_reflect(&packet.bfd, f->site_id, 1000, &reply), BFD_ACCEPT);
	packet.bfd = reply;
	packet.destination = e->path->source;
	for (size_t i = 0; i < f->return_count; i++) {
		if (f->returns[i].destination != packet.destination)
			continue;
		if (goes_around(p, packet.at, f->returns[i].first_site, &f->returns[i].repair)) {
			packet.stack = f->returns[i].repair.out;
			transmit(p, packet, f->returns[i].repair.next_site);
			return;
		}
		packet.stack = f->returns[i].stack;
		transmit(p, packet, f->returns[i].first_site);
		return;
	}
	fail_msg("no way back");
}

static void arrival(struct plain *p, struct packet packet)
{
	const struct forwarding *f = &p->f[packet.at];
	const struct wire *w = wire_find(p, packet.from, packet.at);
	const struct fwd_neighbor *n = forwarding_neighbor(f, p->f[packet.from].site_id);
	bool accepted = false;

	if (w->down || (w->last_down_us && w->last_down_us >= packet.entered_us) ||
	    p->node_down[packet.at])
		return;
	for (size_t i = 0; i < n->accept_count; i++)
		accepted |= label_stack_equal(&n->accept[i], &packet.stack);
	assert_true(accepted);
	while (packet.stack.depth) {
		const struct fwd_label_route *r = NULL;

		for (size_t i = 0; i < f->label_count; i++)
			if (f->labels[i].in_label == packet.stack.label[0])
				r = &f->labels[i];
		assert_non_null(r);
		if (r->next_site && goes_around(p, packet.at, r->next_site, &r->repair)) {
			struct label_stack rest = packet.stack;

			packet.stack = r->repair.out;
			for (size_t i = 1; i < rest.depth; i++)
				packet.stack.label[packet.stack.depth++] = rest.label[i];
			transmit(p, packet, r->repair.next_site);
			return;
		}
		if (r->next_site) {
			assert_int_equal(r->out.depth, 1);
			packet.stack.label[0] = r->out.label[0];
			transmit(p, packet, r->next_site);
			return;
		}
		packet.stack.depth--;
		memmove(packet.stack.label, packet.stack.label + 1,
			packet.stack.depth * sizeof(uint32_t));
		for (size_t i = packet.stack.depth; i < LABEL_STACK_MAX; i++)
			packet.stack.label[i] = 0;
	}
	deliver(p, packet);
}

static void wire_fault(struct plain *p, uint32_t a, uint32_t b, bool down)
{
	struct wire *w = wire_find(p, site_index(p, a), site_index(p, b));

	if (down && !w->down++)
		w->last_down_us = p->now_us;
	else if (!down && w->down)
		w->down--;
}

static void node_fault(struct plain *p, uint32_t site, bool down)
{
	uint32_t *node = &p->node_down[site_index(p, site)];

	*node = down ? *node + 1 : *node ? *node - 1 : 0;
}

static void fault(struct plain *p, const struct simulate_event *e)
{
	switch (e->kind) {
	case SIMULATE_CUT:
	case SIMULATE_HEAL:
		wire_fault(p, e->b, e->a, e->kind == SIMULATE_CUT);
		wire_fault(p, e->a, e->b, e->kind == SIMULATE_CUT);
		return;
	case SIMULATE_CUT_WAY:
	case SIMULATE_HEAL_WAY:
		wire_fault(p, e->a, e->b, e->kind == SIMULATE_CUT_WAY);
		return;
	case SIMULATE_KILL:
	case SIMULATE_SPOIL:
		node_fault(p, e->a, true);
		return;
	case SIMULATE_REVIVE:
	case SIMULATE_RESTORE:
		node_fault(p, e->a, false);
		return;
	}
}

/* How the path is watched, and when the link that it leaves by goes down. */
static void plain_watch(struct plain *p, uint32_t session)
{
	struct plain_session *e = &p->sessions[session];
	const struct fwd_neighbor *first = forwarding_neighbor(&p->f[e->site], e->path->first_site);
	enum repair_link was = REPAIR_LINK_USED;
	struct monotime until;
	bool heard;

	e->base_us = (uint64_t)e->path->doubt * e->path->probe.interval_us;
	if (e->path->repair.next_site)
		return;
	e->hasty_us = (uint64_t)first->probe.interval_us * first->probe.multiplier;
	for (struct monotime at = {0}; at.us != UINT64_MAX; at = until) {
		enum repair_link is = simulation_link_at(p->c->s, p->f[e->site].site_id,
							 e->path->first_site, at, &until, &heard);

		if (is == REPAIR_LINK_DOWN && was != is)
			event_push(p, at.us, heard ? EVENT_HASTE_HEARD : EVENT_HASTE, session);
		was = is;
	}
}

static void plain_begin(struct plain *p)
{
	size_t count = p->c->n.site_count, paths = 0;

	p->f = calloc(count, sizeof(*p->f));
	p->node_down = calloc(count, sizeof(*p->node_down));
	p->wires = calloc(2 * p->c->n.link_count, sizeof(*p->wires));
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(compile_site(p->c->compiled, i, &p->f[i]), 0);
		paths += p->f[i].path_count;
	}
	for (size_t i = 0; i < p->c->n.link_count; i++) {
		p->wires[p->wire_count++] =
		    (struct wire){p->c->n.links[i].a, p->c->n.links[i].b, 0, 0};
		p->wires[p->wire_count++] =
		    (struct wire){p->c->n.links[i].b, p->c->n.links[i].a, 0, 0};
	}
	p->sessions = calloc(paths, sizeof(*p->sessions));
	for (uint32_t i = 0; i < p->faults->count; i++)
		event_push(p, p->faults->entries[i].at.us, EVENT_FAULT, i);
	for (uint32_t i = 0; i < count; i++)
		for (size_t k = 0; k < p->f[i].path_count; k++) {
			const struct fwd_path *path = &p->f[i].paths[k];
			struct bfd_config config = {BFD_ROLE_SBFD_INITIATOR, path->index,
						    path->reflector, path->probe.interval_us,
						    path->probe.multiplier};
			struct monotime start = simulate_site_start(p->o->seed, p->f[i].site_id);
			struct plain_session *e = &p->sessions[p->session_count];

			e->site = i;
			e->path = path;
			bfd_session_init(
			    &e->bfd, &config, start,
			    simulate_session_seed(p->o->seed, p->f[i].site_id, path->index));
			e->armed_us = start.us;
			plain_watch(p, (uint32_t)p->session_count);
			event_push(p, start.us, EVENT_TIMER, (uint32_t)p->session_count++);
		}
}

static void plain_clear(struct plain *p)
{
	for (size_t i = 0; i < p->c->n.site_count; i++)
		forwarding_clear(&p->f[i]);
	free(p->f);
	free(p->node_down);
	free(p->wires);
	free(p->sessions);
	free(p->packets);
	free(p->free_packets);
	free(p->heap);
}

struct seen {
	uint64_t repaired, hastened;
};

static struct seen plain_run(const struct country *c, const struct simulate_options *o,
			     const struct simulate_events *faults, struct story *story)
{
	struct plain p = {.c = c, .o = o, .faults = faults, .story = story};

	plain_begin(&p);
	while (p.heap_count && p.heap[0].at_us <= o->duration_us) {
		struct event e = event_pop(&p);

		if (e.kind == EVENT_TIMER && p.sessions[e.which].armed_us != e.at_us)
			continue;
		if (e.at_us > p.now_us)
			p.now_us = e.at_us;
		if (e.kind == EVENT_FAULT) {
			fault(&p, &faults->entries[e.which]);
		} else if (e.kind == EVENT_ARRIVAL) {
			struct packet packet = p.packets[e.which];

			p.free_packets[p.free_count++] = e.which;
			arrival(&p, packet);
		} else if (e.kind == EVENT_HASTE || e.kind == EVENT_HASTE_HEARD) {
			struct plain_session *hasty = &p.sessions[e.which];

			bfd_session_hasten(&hasty->bfd,
					   hasty->hasty_us + (e.kind == EVENT_HASTE
								  ? 0
								  : hasty->bfd.tx_interval_us),
					   (struct monotime){p.now_us});
			plain_turn(&p, e.which);
		} else {
			plain_turn(&p, e.which);
		}
	}
	plain_clear(&p);
	return (struct seen){p.repaired, p.hastened};
}

static const struct {
	const char *name, *script;
	struct simulate_wire wire;
	uint64_t seed;
	size_t changes_min;
} twins[] = {
    {"nothing happens", "", {0}, 1, 96},
    {"a link, cut and healed", "at 6s cut link 3 2; at 9s heal link 3 2;", {0}, 2, 150},
    {"one way of it", "at 6s cut way 2 1; at 8s heal way 2 1;", {0}, 3, 250},
    {"a short cut, below the detection time",
     "at 6s cut link 3 2; at 6050ms heal link 3 2;",
     {0},
     4,
     96},
    {"a cut about as long as the detection time",
     "at 6s cut link 2 1; at 6150ms heal link 2 1;",
     {0},
     5,
     100},
    {"a site dead, a release bad",
     "at 6s kill site 3; at 7s spoil site 2; at 8s revive site 3; at 9s restore site 2;",
     {0},
     6,
     200},
    {"a flapping link",
     "at 6s cut link 3 2; at 6170ms heal link 3 2; at 6300ms cut link 3 2; at 6480ms heal link 3 2;"
     "at 7s cut link 3 2; at 7150ms heal link 3 2;",
     {0},
     7,
     96},
    {"failures that overlap",
     "at 6s cut link 3 2; at 7s cut way 3 2; at 8s heal link 3 2; at 9s heal way 3 2;",
     {0},
     8,
     150},
    {"jitter", "at 6s cut link 3 2; at 9s heal link 3 2;", {.jitter_us = 3000}, 9, 150},
    {"jitter beyond the interval",
     "at 6s cut link 3 2; at 9s heal link 3 2;",
     {.jitter_us = 30000},
     10,
     150},
    {"jitter beyond the detection time", "", {.jitter_us = 90000}, 10, 150},
    {"loss", "at 6s cut link 3 2; at 9s heal link 3 2;", {.loss_ppm = 30000}, 11, 150},
    {"all of it",
     "at 6s cut link 3 2; at 8s spoil site 2; at 9s heal link 3 2;",
     {.jitter_us = 5000, .loss_ppm = 20000, .reorder_ppm = 100000},
     12,
     200},
};

static struct seen twin_run(const struct country *c, const char *name, const char *text,
			    struct simulate_options o, size_t changes_min)
{
	struct story skips = {0}, steps = {0}, plain = {0};
	struct simulate_events events;
	struct simulate_result a, b;
	struct seen seen;

	script(c, text, &events);
	o.watch = story_watch;
	o.context = &skips;
	run(c, &o, &events, &a);
	o.context = &steps;
	o.packet_by_packet = true;
	run(c, &o, &events, &b);
	seen = plain_run(c, &o, &events, &plain);
	stories_equal(name, &skips, &plain);
	stories_equal(name, &skips, &steps);
	if (plain.count < changes_min)
		fail_msg("%s: only %zu changes", name, plain.count);
	assert_int_equal(a.switches, b.switches);
	assert_int_equal(a.lost_us, b.lost_us);
	assert_true(a.probes_run <= b.probes_run);
	assert_in_range(a.probes_about, b.probes_run * 95 / 100, b.probes_run * 105 / 100);
	simulate_events_clear(&events);
	free(skips.entries);
	free(steps.entries);
	free(plain.entries);
	return seen;
}

static const struct {
	const char *name, *script;
	struct simulate_wire wire;
	uint64_t seed;
	bool repaired, hastened;
} meshed_twins[] = {
    {"nothing happens", "", {0}, 1, false, false},
    {"a line in the middle",
     "at 6s cut link hanoi ba-dinh; at 14s heal link hanoi ba-dinh;",
     {0},
     2,
     true,
     false},
    {"one way of it",
     "at 6s cut way hanoi ba-dinh; at 8s heal way hanoi ba-dinh;",
     {0},
     3,
     true,
     false},
    {"a commune's own line",
     "at 6s cut link phuc-xa ba-dinh; at 9s heal link phuc-xa ba-dinh;",
     {0},
     4,
     false,
     false},
    {"one way of that",
     "at 6s cut way phuc-xa ba-dinh; at 9s heal way phuc-xa ba-dinh;",
     {0},
     12,
     false,
     false},
    {"the province dead", "at 6s kill site hanoi; at 9s revive site hanoi;", {0}, 5, true, true},
    {"a gateway dead", "at 6s kill site npdc-hn; at 12s revive site npdc-hn;", {0}, 6, true, true},
    {"a gateway with a bad release",
     "at 6s spoil site npdc-hn; at 9s restore site npdc-hn;",
     {0},
     7,
     false,
     true},
    {"a line and its detour",
     "at 6s cut link hanoi ba-dinh; at 6200ms cut link ba-dinh dong-da; at 9s heal link hanoi ba-dinh;"
     "at 12s heal link ba-dinh dong-da;",
     {0},
     8,
     true,
     false},
    {"a line that flaps",
     "at 6s cut link hanoi ba-dinh; at 6120ms heal link hanoi ba-dinh; at 6300ms cut link hanoi ba-dinh;"
     "at 6500ms heal link hanoi ba-dinh; at 7s cut link hanoi ba-dinh; at 8s heal link hanoi ba-dinh;",
     {0},
     9,
     true,
     false},
    {"jitter",
     "at 6s cut link hanoi ba-dinh; at 9s heal link hanoi ba-dinh;",
     {.jitter_us = 4000},
     10,
     true,
     false},
    {"all of it",
     "at 6s cut link hanoi ba-dinh; at 8s kill site npdc-hn; at 9s heal link hanoi ba-dinh;"
     "at 10s revive site npdc-hn;",
     {.jitter_us = 5000, .loss_ppm = 20000, .reorder_ppm = 100000},
     11,
     true,
     false},
};

static void equals_with_repairs(void **state)
{
	struct country c;

	(void)state;
	country_init(&c, MESHED, NULL);
	for (size_t i = 0; i < sizeof(meshed_twins) / sizeof(meshed_twins[0]); i++) {
		struct simulate_options o = {.seed = meshed_twins[i].seed,
					     .duration_us = 16 * SECOND,
					     .wire = meshed_twins[i].wire,
					     .apply_us = 1000};
		struct seen seen = twin_run(&c, meshed_twins[i].name, meshed_twins[i].script, o, 6);

		if (meshed_twins[i].repaired != (seen.repaired > 0))
			fail_msg("%s: %llu packets were repaired", meshed_twins[i].name,
				 (unsigned long long)seen.repaired);
		if (meshed_twins[i].hastened && !seen.hastened)
			fail_msg("%s: no endpoint was found gone", meshed_twins[i].name);
	}
	country_clear(&c);
}

static void equals_packet_by_packet(void **state)
{
	struct country c;

	(void)state;
	country_init(&c, 22, NULL);
	for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
		struct simulate_options o = {
		    .seed = twins[i].seed, .duration_us = 11 * SECOND, .wire = twins[i].wire};

		twin_run(&c, twins[i].name, twins[i].script, o, twins[i].changes_min);
	}
	country_clear(&c);
}

/* Around the detection time: some sessions see it, some just do not, some only after it is over. */
static void equals_for_every_length_of_a_cut(void **state)
{
	struct country c;

	(void)state;
	country_init(&c, 16, NULL);
	for (unsigned int ms = 95; ms <= 165; ms += 5) {
		struct simulate_options o = {.seed = ms, .duration_us = 7 * SECOND};
		char text[96];

		snprintf(text, sizeof(text), "at 5s cut link 2 1; at %ums heal link 2 1;",
			 5000 + ms);
		twin_run(&c, text, text, o, 50);
	}
	country_clear(&c);
}

/* ---- what a failure costs ------------------------------------------------------------------- */

static void one_cut_costs_one_detection(void **state)
{
	struct simulate_options o = {
	    .seed = 3, .duration_us = 30 * SECOND, .apply_us = 1000, .packets_per_second = 1000};
	struct simulate_events events;
	struct simulate_result r;
	struct country c;

	(void)state;
	country_init(&c, 0, NULL);
	script(&c, "at 10s cut link phuc-xa ba-dinh; at 20s heal link phuc-xa ba-dinh", &events);
	run(&c, &o, &events, &r);
	assert_int_equal(r.breach_count, 0);
	assert_int_equal(r.sites_hit, 1);
	assert_int_equal(r.sites_moved, 1);
	assert_int_equal(r.switches, 2); /* away, and back after the hold */
	assert_int_equal(r.outages.count, 1);
	/* The detection time is 150 ms from the last answer, which is an interval old at most. */
	assert_in_range(r.outages.max_us, 100000, 150000 + 30000);
	assert_int_equal(r.outages.p50_us, r.outages.max_us);
	assert_int_equal(r.policy_count, 1);
	assert_string_equal(r.policies[0].name, "citizen-query");
	assert_int_equal(r.policies[0].color, 10);
	assert_int_equal(r.policies[0].outages.count, 1);
	assert_int_equal(r.policies[0].outages.p90_us, r.outages.max_us);
	assert_int_equal(r.repairs + r.takeovers, 2); /* both ends know that the line is down */
	assert_int_equal(r.lost_us, r.outages.max_us);
	assert_int_equal(r.lost_avoidable_us, r.lost_us);
	assert_int_equal(r.packets_lost, r.outages.max_us / 1000);
	assert_int_equal(r.sites_cut[3], 0);
	simulate_events_clear(&events);

	script(&c, "at 10s cut link kham-thien dong-da; at 20s heal link kham-thien dong-da",
	       &events);
	run(&c, &o, &events, &r); /* it has no other path: nothing could be done */
	assert_int_equal(r.breach_count, 0);
	assert_int_equal(r.switches, 0);
	assert_in_range(r.lost_us, 10 * SECOND, 10 * SECOND + 1500000);
	assert_int_equal(r.sites_cut[3], 1);
	assert_int_equal(r.sites_dark[3], 1);
	assert_int_equal(r.sites_dark_at_end[3], 0);
	simulate_events_clear(&events);
	country_clear(&c);
}

/* In a meshed country: what is repaired costs a link's detection, and a gateway that dies a path's. */
static const struct {
	const char *name, *script;
	uint64_t out_min_ms, out_max_ms;
	uint64_t switches, takeovers, repairs;
} costs[] = {
    {"a line in the middle is repaired",
     "at 10s cut link hanoi ba-dinh; at 15s heal link hanoi ba-dinh;", 60, 155, 0, 0, 2},
    {"and for as long as it is cut",
     "at 10s cut link hanoi ba-dinh; at 29s heal link hanoi ba-dinh;", 60, 155, 0, 0, 2},
    {"one way of it too", "at 10s cut way hanoi ba-dinh; at 15s heal way hanoi ba-dinh;", 60, 155,
     0, 0, 2},
    {"the province, around which its districts have a way",
     "at 10s kill site hanoi; at 15s revive site hanoi;", 60, 155, 0, 0, 8},
    {"a gateway: the other takes over", "at 10s kill site npdc-hn; at 15s revive site npdc-hn;",
     160, 270, 2, 4, 4},
};

static void repairs_and_takeovers_cost_little(void **state)
{
	struct simulate_options o = {.seed = 5, .duration_us = 30 * SECOND, .apply_us = 1000};
	struct country c;

	(void)state;
	country_init(&c, MESHED, NULL);
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++) {
		struct simulate_events events;
		struct simulate_result r;

		script(&c, costs[i].script, &events);
		run(&c, &o, &events, &r);
		if (r.breach_count)
			fail_msg("%s: %s", costs[i].name, r.breaches[0].text);
		assert_in_range(r.outages.max_us, costs[i].out_min_ms * 1000,
				costs[i].out_max_ms * 1000);
		assert_int_equal(r.switches, costs[i].switches);
		assert_int_equal(r.takeovers, costs[i].takeovers);
		assert_int_equal(r.repairs, costs[i].repairs);
		simulate_events_clear(&events);
	}
	country_clear(&c);
}

static void scenarios_run(void **state)
{
	struct simulate_options o = {.seed = 1, .duration_us = 70 * SECOND, .apply_us = 1000};
	struct country c;

	(void)state;
	country_init(&c, 31, NULL);
	for (size_t i = 0; simulate_scenario(i); i++) {
		const char *name = simulate_scenario(i)->name;
		struct simulate_events events;
		struct simulate_result r;
		struct reason reason = {0};
		int err;

		simulate_events_init(&events);
		err = simulate_scenario_make(c.s, name, 0, &events, &reason);
		if (!strcmp(name, "lte-only")) {
			assert_int_equal(err, -TUYEN_ENOENT); /* there is none here */
		} else {
			assert_int_equal(err, 0);
			run(&c, &o, &events, &r);
			if (r.breach_count)
				fail_msg("%s: %s", name, r.breaches[0].text);
			assert_true(r.sites_hit > 30);
		}
		simulate_events_clear(&events);
	}
	country_clear(&c);
}

static void choose_undamped(const struct forwarding *f, const struct path_state *states,
			    size_t count, const struct active_paths *previous, struct monotime now,
			    struct active_paths *ret_active, struct monotime *ret_next_look)
{
	struct path_state trusted[SITE_PATHS_MAX];

	for (size_t i = 0; i < count; i++) {
		trusted[i] = states[i];
		trusted[i].damped_until = (struct monotime){0};
	}
	selection_choose(f, trusted, count, previous, now, ret_active, ret_next_look);
}

/* A link that fails every eight seconds, five times; then it holds. */
static void a_link_that_flaps_costs_few_switches(void **state)
{
	struct simulate_options o = {.seed = 3, .duration_us = 150 * SECOND, .apply_us = 1000};
	struct simulate_events events;
	struct simulate_result damped, plain;
	struct country c;
	char text[1024] = "";

	(void)state;
	country_init(&c, 0, NULL);
	for (unsigned int i = 0; i < 5; i++)
		sprintf(text + strlen(text),
			"at %us cut link phuc-xa ba-dinh; at %us heal link phuc-xa ba-dinh;",
			10 + 8 * i, 11 + 8 * i);
	script(&c, text, &events);
	run(&c, &o, &events, &damped);
	o.choose = choose_undamped;
	run(&c, &o, &events, &plain);
	assert_int_equal(damped.breach_count, 0);
	assert_int_equal(damped.switches,
			 6); /* three times away, twice back at once and once in the end */
	assert_int_equal(plain.switches, 10);
	assert_int_equal(plain.breach_by_rule[SIMULATE_EARLY], 3);
	assert_true(damped.lost_us < plain.lost_us);
	simulate_events_clear(&events);

	strcpy(text,
	       ""); /* kham-thien has no other path: it is never held back from the one there is */
	for (unsigned int i = 0; i < 5; i++)
		sprintf(text + strlen(text),
			"at %us cut link kham-thien dong-da; at %us heal link kham-thien dong-da;",
			10 + 8 * i, 11 + 8 * i);
	script(&c, text, &events);
	o.choose = NULL;
	run(&c, &o, &events, &damped);
	assert_int_equal(damped.breach_count, 0);
	assert_int_equal(damped.switches, 0);
	assert_in_range(damped.lost_us, 5 * SECOND, 5 * (SECOND + 1100000));
	simulate_events_clear(&events);
	country_clear(&c);
}

/* ---- planted faults: selection ----------------------------------------------------------------- */

static void choose_never(const struct forwarding *f, const struct path_state *states, size_t count,
			 const struct active_paths *previous, struct monotime now,
			 struct active_paths *ret_active, struct monotime *ret_next_look)
{
	if (!previous->count) {
		selection_choose(f, states, count, previous, now, ret_active, ret_next_look);
		return;
	}
	*ret_active = *previous;
	*ret_next_look = MONOTIME_NEVER;
}

/* Takes the lower preference for the better one. */
static void choose_worst(const struct forwarding *f, const struct path_state *states, size_t count,
			 const struct active_paths *previous, struct monotime now,
			 struct active_paths *ret_active, struct monotime *ret_next_look)
{
	struct fwd_path paths[SITE_PATHS_MAX];
	struct forwarding turned = *f;

	memcpy(paths, f->paths, f->path_count * sizeof(*paths));
	for (size_t i = 0; i < f->path_count; i++)
		paths[i].preference = 1000 - paths[i].preference;
	turned.paths = paths;
	selection_choose(&turned, states, count, previous, now, ret_active, ret_next_look);
}

static void choose_without_hold(const struct forwarding *f, const struct path_state *states,
				size_t count, const struct active_paths *previous,
				struct monotime now, struct active_paths *ret_active,
				struct monotime *ret_next_look)
{
	struct fwd_session sessions[4];
	struct forwarding hasty = *f;

	memcpy(sessions, f->sessions, f->session_count * sizeof(*sessions));
	for (size_t i = 0; i < f->session_count; i++)
		sessions[i].revert_hold_ms = 0;
	hasty.sessions = sessions;
	selection_choose(&hasty, states, count, previous, now, ret_active, ret_next_look);
}

static void choose_without_return(const struct forwarding *f, const struct path_state *states,
				  size_t count, const struct active_paths *previous,
				  struct monotime now, struct active_paths *ret_active,
				  struct monotime *ret_next_look)
{
	struct path_state shy[SITE_PATHS_MAX];

	for (size_t i = 0; i < count; i++) {
		shy[i] = states[i];
		shy[i].since = now; /* never long enough up */
	}
	selection_choose(f, shy, count, previous, now, ret_active, ret_next_look);
	*ret_next_look = MONOTIME_NEVER;
}

/* Down for up, and up for down. */
static void choose_upside_down(const struct forwarding *f, const struct path_state *states,
			       size_t count, const struct active_paths *previous,
			       struct monotime now, struct active_paths *ret_active,
			       struct monotime *ret_next_look)
{
	struct path_state turned[SITE_PATHS_MAX];

	for (size_t i = 0; i < count; i++) {
		turned[i] = states[i];
		if (states[i].liveness != PATH_UNKNOWN)
			turned[i].liveness = states[i].liveness == PATH_UP ? PATH_DOWN : PATH_UP;
	}
	selection_choose(f, turned, count, previous, now, ret_active, ret_next_look);
}

/* Believes a failure 300 ms after it was told. */
static void choose_slowly(const struct forwarding *f, const struct path_state *states, size_t count,
			  const struct active_paths *previous, struct monotime now,
			  struct active_paths *ret_active, struct monotime *ret_next_look)
{
	struct path_state slow[SITE_PATHS_MAX];
	struct monotime next = MONOTIME_NEVER;

	for (size_t i = 0; i < count; i++) {
		struct monotime believed = monotime_after(states[i].since, 300000);

		slow[i] = states[i];
		if (states[i].liveness == PATH_DOWN && monotime_before(now, believed)) {
			slow[i].liveness = PATH_UP;
			next = monotime_min(next, believed);
		}
	}
	selection_choose(f, slow, count, previous, now, ret_active, ret_next_look);
	*ret_next_look = monotime_min(*ret_next_look, next);
}

/* Another path every 50 ms. */
static void choose_flapping(const struct forwarding *f, const struct path_state *states,
			    size_t count, const struct active_paths *previous, struct monotime now,
			    struct active_paths *ret_active, struct monotime *ret_next_look)
{
	selection_choose(f, states, count, previous, now, ret_active, ret_next_look);
	if (now.us < 6 * SECOND || now.us > 7 * SECOND)
		return;
	for (size_t i = 0; i < ret_active->count; i++)
		for (size_t k = 0; k < f->path_count; k++)
			if (f->paths[k].color == ret_active->entry[i].color &&
			    f->paths[k].index != previous->entry[i].index)
				ret_active->entry[i].index = f->paths[k].index;
	*ret_next_look = monotime_after(now, 50000);
}

/* Wakes up for that. */
static void choose_restless(const struct forwarding *f, const struct path_state *states,
			    size_t count, const struct active_paths *previous, struct monotime now,
			    struct active_paths *ret_active, struct monotime *ret_next_look)
{
	choose_flapping(f, states, count, previous, now, ret_active, ret_next_look);
	if (now.us < 6 * SECOND)
		*ret_next_look = monotime_min(*ret_next_look, (struct monotime){6 * SECOND});
}

/* Of all gateways to a LAN none carries. */
static void choose_nobody(const struct forwarding *f, const struct path_state *states, size_t count,
			  const struct active_paths *previous, struct monotime now,
			  struct active_paths *ret_active, struct monotime *ret_next_look)
{
	selection_choose(f, states, count, previous, now, ret_active, ret_next_look);
	for (size_t i = 0; i < ret_active->count; i++)
		ret_active->entry[i].carries = false;
}

static const struct {
	const char *name;
	simulate_choose *choose;
	enum simulate_rule found;
} wrong_choices[] = {
    {"never switches", choose_never, SIMULATE_LOST},
    {"never switches (its own verdict)", choose_never, SIMULATE_DEAD_CHOSEN},
    {"switches late", choose_slowly, SIMULATE_LOST},
    {"lower preference first", choose_worst, SIMULATE_NOT_BEST},
    {"lower preference first (needless)", choose_worst, SIMULATE_NEEDLESS},
    {"no hold time", choose_without_hold, SIMULATE_EARLY},
    {"never goes back", choose_without_return, SIMULATE_NOT_BEST},
    {"up and down confused", choose_upside_down, SIMULATE_DEAD_CHOSEN},
    {"up and down confused (needless)", choose_upside_down, SIMULATE_NEEDLESS},
    {"flaps", choose_restless, SIMULATE_MANY},
    {"no gateway carries", choose_nobody, SIMULATE_LOST},
};

static void wrong_choices_are_found(void **state)
{
	struct simulate_events events;
	struct country c;

	(void)state;
	country_init(&c, 31, NULL);
	script(
	    &c,
	    "at 10s cut link 19 2; at 20s heal link 19 2; at 30s cut link 21 3; at 35s heal link 21 3;",
	    &events);
	for (size_t i = 0; i < sizeof(wrong_choices) / sizeof(wrong_choices[0]); i++) {
		struct simulate_options o = {.seed = 1,
					     .duration_us = 60 * SECOND,
					     .apply_us = 1000,
					     .choose = wrong_choices[i].choose};
		struct simulate_result r;

		run(&c, &o, &events, &r);
		if (!r.breach_by_rule[wrong_choices[i].found])
			fail_msg("%s: '%s' is not found; %zu others, first: %s",
				 wrong_choices[i].name, simulate_rule_name(wrong_choices[i].found),
				 r.breach_count, r.breach_count ? r.breaches[0].text : "none");
		o.choose = NULL;
		run(&c, &o, &events, &r);
		if (r.breach_count)
			fail_msg("without the fault: %s: %s",
				 simulate_rule_name(r.breaches[0].rule), r.breaches[0].text);
	}
	simulate_events_clear(&events);
	country_clear(&c);
}

/* ---- planted faults: compiled state --------------------------------------------------------------- */

static void spoil_loop(struct forwarding *f) /* the hub's label, sent down again by the province */
{
	for (size_t i = 0; f->site_id == 2 && i < f->label_count; i++)
		if (f->labels[i].next_site == 1)
			f->labels[i].next_site = 3;
}

static void spoil_loop_and_filter(struct forwarding *f)
{
	const struct fwd_neighbor *below = forwarding_neighbor(f, 4);

	spoil_loop(f);
	for (size_t i = 0; f->site_id == 3 && i < f->neighbor_count; i++) {
		struct fwd_neighbor *n = &f->neighbors[i];

		if (n->site_id != 2)
			continue;
		free(n->accept);
		n->accept = malloc(below->accept_count * sizeof(*n->accept));
		assert_non_null(n->accept);
		memcpy(n->accept, below->accept, below->accept_count * sizeof(*n->accept));
		n->accept_count = below->accept_count;
	}
}

static void
spoil_label(struct forwarding *f) /* district 3 sends one commune's packets to another */
{
	for (size_t i = 0; f->site_id == 3 && i < f->label_count; i++)
		if (f->labels[i].next_site == 4)
			f->labels[i].next_site = 5;
}

static void spoil_table(struct forwarding *f)
{
	if (f->site_id == 2)
		f->label_count = 0;
}

static void spoil_filter(struct forwarding *f)
{
	for (size_t i = 0; f->site_id == 2 && i < f->neighbor_count; i++)
		f->neighbors[i].accept_count = 0;
}

static void spoil_return(struct forwarding *f)
{
	if (f->site_id == 1)
		f->return_count /= 2;
}

static void
spoil_return_site(struct forwarding *f) /* the stack of one site for the address of another */
{
	if (f->site_id == 1)
		f->returns[0].stack = f->returns[f->return_count - 1].stack,
		f->returns[0].first_site = f->returns[f->return_count - 1].first_site;
}

static void spoil_session(struct forwarding *f)
{
	if (f->site_id == 4)
		f->session_count = 0;
}

static void spoil_endpoint(struct forwarding *f)
{
	if (f->site_id == 4)
		f->paths[0].endpoint++;
}

static const struct {
	const char *name;
	spoiler *spoil;
	enum simulate_rule found;
	uint32_t site; /* that is named; 0 any */
} wrong_states[] = {
    {"a loop", spoil_loop, SIMULATE_BLACK_HOLE, 0}, /* the filters break it */
    {"a loop that the filters let through", spoil_loop_and_filter, SIMULATE_LOOP, 0},
    {"a label that leads astray", spoil_label, SIMULATE_BLACK_HOLE, 4},
    {"an empty label table", spoil_table, SIMULATE_BLACK_HOLE, 0},
    {"a filter that refuses all", spoil_filter, SIMULATE_BLACK_HOLE, 0},
    {"no way back", spoil_return, SIMULATE_BLACK_HOLE, 0},
    {"another's way back", spoil_return_site, SIMULATE_ASTRAY, 0},
    {"no session", spoil_session, SIMULATE_PLAINTEXT, 4},
    {"a wrong endpoint", spoil_endpoint, SIMULATE_ASTRAY, 4},
};

static void wrong_states_are_found(void **state)
{
	struct simulate_options o = {.seed = 1, .duration_us = 10 * SECOND};
	struct simulate_events none = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong_states) / sizeof(wrong_states[0]); i++) {
		struct simulate_result r;
		struct country c;

		country_init(&c, 31, wrong_states[i].spoil);
		run(&c, &o, &none, &r);
		if (!r.breach_by_rule[wrong_states[i].found])
			fail_msg("%s: '%s' is not found; %zu others, first: %s",
				 wrong_states[i].name, simulate_rule_name(wrong_states[i].found),
				 r.breach_count, r.breach_count ? r.breaches[0].text : "none");
		if (wrong_states[i].site && r.breaches[0].site_id != wrong_states[i].site)
			fail_msg("%s: named site %u", wrong_states[i].name, r.breaches[0].site_id);
		country_clear(&c);
	}
}

/* ---- planted faults: BFD, repairs, gateways --------------------------------------------------------- */

/* What the code of that name does wrong, as long as it is set. */
static enum {
	PLANT_NOTHING,
	PLANT_PATH_NEVER_FALLS, /* S-BFD of a path hears no silence */
	PLANT_LINK_NEVER_FALLS, /* nor does BFD of a link */
	PLANT_LINK_FALLS_LATE,	/* or after twice the time */
	PLANT_NO_REPAIR,	/* a link that is down is used on */
	PLANT_REPAIR_FOR_EVER,	/* and one that is up again is not */
} plant;

struct bfd_step __real_bfd_session_step(struct bfd_session *s, struct monotime now, bool starved);
struct bfd_step __wrap_bfd_session_step(struct bfd_session *s, struct monotime now, bool starved);
struct bfd_step __wrap_bfd_session_step(struct bfd_session *s, struct monotime now, bool starved)
{
	bool path = s->config.role == BFD_ROLE_SBFD_INITIATOR;

	if ((path && plant == PLANT_PATH_NEVER_FALLS) || (!path && plant == PLANT_LINK_NEVER_FALLS))
		s->detect_at = MONOTIME_NEVER;
	if (!path && plant == PLANT_LINK_FALLS_LATE && s->detection_us)
		s->detect_at = monotime_after(s->last_received, 2 * s->detection_us);
	return __real_bfd_session_step(s, now, starved);
}

enum repair_link __real_repair_step(enum repair_link was, enum path_liveness link,
				    struct monotime since, struct monotime damped_until,
				    struct monotime now, struct monotime *ret_next_look);
enum repair_link __wrap_repair_step(enum repair_link was, enum path_liveness link,
				    struct monotime since, struct monotime damped_until,
				    struct monotime now, struct monotime *ret_next_look);
enum repair_link __wrap_repair_step(enum repair_link was, enum path_liveness link,
				    struct monotime since, struct monotime damped_until,
				    struct monotime now, struct monotime *ret_next_look)
{
	enum repair_link is =
	    __real_repair_step(was, link, since, damped_until, now, ret_next_look);

	if (plant == PLANT_NO_REPAIR)
		return REPAIR_LINK_USED;
	return plant == PLANT_REPAIR_FOR_EVER && was != REPAIR_LINK_USED ? REPAIR_LINK_DOWN : is;
}

/* The gateway that took over keeps the LAN while it is up. */
static void choose_without_return_of_gateways(const struct forwarding *f,
					      const struct path_state *states, size_t count,
					      const struct active_paths *previous,
					      struct monotime now, struct active_paths *ret_active,
					      struct monotime *ret_next_look)
{
	selection_choose(f, states, count, previous, now, ret_active, ret_next_look);
	for (size_t i = 0; i < ret_active->count && previous->count == ret_active->count; i++) {
		const struct fwd_session_peer *peer =
		    forwarding_peer(f, previous->entry[i].color, previous->entry[i].endpoint_site);

		if (!previous->entry[i].carries || !peer || !peer->rank)
			continue;
		for (size_t k = 0; k < ret_active->count; k++)
			if (ret_active->entry[k].color == previous->entry[i].color)
				ret_active->entry[k].carries = k == i;
	}
}

static void spoil_repair(struct forwarding *f) /* the way around ends in a label that nobody has */
{
	for (size_t i = 0; f->site_id == 101 && i < f->label_count; i++)
		if (f->labels[i].repair.next_site)
			f->labels[i].repair.out.label[0] = 15999;
}

#define A_LINE	  "at 10s cut link hanoi ba-dinh; at 20s heal link hanoi ba-dinh;"
#define ONE_WAY	  "at 10s cut way hanoi ba-dinh; at 20s heal way hanoi ba-dinh;"
#define A_GATEWAY "at 10s kill site npdc-hn; at 20s revive site npdc-hn;"
#define OWN_LINE  "at 10s cut link 19 2; at 20s heal link 19 2;" /* of the country without a mesh */

static const struct {
	const char *name;
	uint32_t communes;
	const char *script;
	int plant;
	simulate_choose *choose;
	spoiler *spoil;
	enum simulate_rule found;
} wrong_deeds[] = {
    {"a path's BFD never falls", 31, OWN_LINE, PLANT_PATH_NEVER_FALLS, NULL, NULL, SIMULATE_LOST},
    {"a link's BFD never falls", MESHED, A_LINE, PLANT_LINK_NEVER_FALLS, NULL, NULL,
     SIMULATE_DEAD_LINK},
    {"a link's BFD falls late", MESHED, A_LINE, PLANT_LINK_FALLS_LATE, NULL, NULL,
     SIMULATE_DEAD_LINK},
    {"a repair that is not taken", MESHED, A_LINE, PLANT_NO_REPAIR, NULL, NULL, SIMULATE_DEAD_LINK},
    {"nor where one way is cut", MESHED, ONE_WAY, PLANT_NO_REPAIR, NULL, NULL, SIMULATE_DEAD_LINK},
    {"a repair that never ends", MESHED, A_LINE, PLANT_REPAIR_FOR_EVER, NULL, NULL,
     SIMULATE_NOT_BEST},
    {"a repair that leads astray", MESHED, A_LINE, PLANT_NOTHING, NULL, spoil_repair,
     SIMULATE_BLACK_HOLE},
    {"a takeover that never returns", MESHED, A_GATEWAY, PLANT_NOTHING,
     choose_without_return_of_gateways, NULL, SIMULATE_NOT_BEST},
};

static void wrong_deeds_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong_deeds) / sizeof(wrong_deeds[0]); i++) {
		struct simulate_options o = {
		    .seed = 1, .duration_us = 120 * SECOND, .apply_us = 1000};

		for (int planted = 0; planted < 2; planted++) {
			struct simulate_events events;
			struct simulate_result r;
			struct country c;

			country_init(&c, wrong_deeds[i].communes,
				     planted ? wrong_deeds[i].spoil : NULL);
			script(&c, wrong_deeds[i].script, &events);
			o.choose = planted ? wrong_deeds[i].choose : NULL;
			plant = planted ? wrong_deeds[i].plant : PLANT_NOTHING;
			run(&c, &o, &events, &r);
			plant = PLANT_NOTHING;
			if (planted && !r.breach_by_rule[wrong_deeds[i].found])
				fail_msg("%s: '%s' is not found; %zu others, first: %s",
					 wrong_deeds[i].name,
					 simulate_rule_name(wrong_deeds[i].found), r.breach_count,
					 r.breach_count ? r.breaches[0].text : "none");
			if (!planted && r.breach_count)
				fail_msg("without '%s': %s: %s", wrong_deeds[i].name,
					 simulate_rule_name(r.breaches[0].rule),
					 r.breaches[0].text);
			simulate_events_clear(&events);
			country_clear(&c);
		}
	}
}

/* ---- scripts ---------------------------------------------------------------------------------------- */

static const struct {
	const char *script;
	size_t count; /* of events; 0: refused with */
	const char *reason;
} scripts[] = {
    {"at 10s cut link hanoi ba-dinh", 1, NULL},
    {"at 10s cut link hanoi ba-dinh;\n# then\nat 20000ms heal link ba-dinh hanoi;;", 2, NULL},
    {"at 1m kill site phuc-xa; at 2m revive site 901; at 1h spoil site 210; at 2h restore site 210",
     4, NULL},
    {"at 10s cut way hanoi ba-dinh; at 11s heal way hanoi ba-dinh", 2, NULL},
    {"at 10s cut link \"hanoi\" \"ba-dinh\";at 11s kill site \"phuc-xa\"", 2, NULL},
    {"at 20s heal link hanoi ba-dinh; at 10s cut link hanoi ba-dinh", 2, NULL}, /* in any order */
    {"at 10s heal link hanoi ba-dinh; at 10s cut link hanoi ba-dinh", 2, NULL},
    {"at 10s cut link hanoi ba-dinh; at 11s heal way ba-dinh hanoi; at 12s heal way hanoi ba-dinh",
     3, NULL},
    {"# nothing\n", 0, "no event"},
    {";;", 0, "no event"},
    {"at 10s cut link hanoi ba-dinh;\nat 9s heal link hanoi ba-dinh", 0,
     "line 2: 'heal link hanoi ba-dinh' without a 'cut' before it"},
    {"at 10s cut link hanoi ba-dinh;\nat 20s heal link hanoi ba-dinh;\nat 30s heal link ba-dinh hanoi",
     0, "line 3: 'heal link ba-dinh hanoi' without a 'cut' before it"},
    {"at 10s cut way hanoi ba-dinh; at 20s heal way ba-dinh hanoi", 0,
     "line 1: 'heal way ba-dinh hanoi' without a 'cut' before it"},
    {"at 10s spoil site hanoi; at 20s revive site hanoi", 0,
     "line 1: 'revive site hanoi' without a 'kill' before it"},
    {"at 10s kill site hanoi; at 20s restore site hanoi", 0,
     "line 1: 'restore site hanoi' without a 'spoil' before it"},
    {"at 10s kill site \"a; b\"", 0, "line 1: a site is wanted, not 'a; b'"},
    {"at 10s kill site \"hanoi\n\"", 0, "line 1: a site is wanted, not '\"'"},
    {"cut link hanoi ba-dinh", 0, "line 1: 'at' is wanted, not 'cut'"},
    {"at ten cut link hanoi ba-dinh", 0,
     "line 1: a time like 10s, 250ms or 2m is wanted, not 'ten'"},
    {"at 10 cut link hanoi ba-dinh", 0, "line 1: a time like 10s, 250ms or 2m is wanted, not '10'"},
    {"at -10s cut link hanoi ba-dinh", 0,
     "line 1: a time like 10s, 250ms or 2m is wanted, not '-10s'"},
    {"at 999999999999999999999h kill site hanoi", 0,
     "line 1: a time within seven days is wanted, not '999999999999999999999h'"},
    {"at 4s cut link hanoi ba-dinh", 0, "line 1: until 5s sessions are still coming up"},
    {"at 10s cut site hanoi", 0,
     "line 1: cut or heal a link or way, kill, revive, spoil or restore a site, not 'cut site'"},
    {"\n\nat 10s kill site nowhere", 0, "line 3: a site is wanted, not 'nowhere'"},
    {"at 10s kill site", 0, "line 1: a site is wanted"},
    {"at 10s cut link hanoi phuc-xa", 0, "line 1: these two sites have no link"},
    {"at 10s cut link hanoi hanoi", 0, "line 1: these two sites have no link"},
    {"at 10s kill site hanoi at 11s revive site hanoi", 0, "line 1: ';' is wanted, not 'at'"},
};

static void scripts_are_read(void **state)
{
	struct country c;

	(void)state;
	country_init(&c, 0, NULL);
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct simulate_events events;
		struct reason reason = {0};
		int err;

		simulate_events_init(&events);
		err = simulate_script_parse(c.s, scripts[i].script, &events, &reason);
		if (scripts[i].count) {
			assert_int_equal(err, 0);
			assert_int_equal(events.count, scripts[i].count);
		} else {
			assert_int_equal(err, -TUYEN_EINVAL);
			assert_string_equal(reason.text, scripts[i].reason);
		}
		simulate_events_clear(&events);
	}
	country_clear(&c);
}

static void events_are_printed(void **state)
{
	struct simulate_events events;
	struct country c;
	struct text t;

	(void)state;
	country_init(&c, 0, NULL);
	script(&c, "at 10s cut way hanoi 210; at 11s kill site phuc-xa", &events);
	text_init(&t);
	simulate_event_print(c.s, &events.entries[0], &t);
	assert_string_equal(text_string(&t), "cut way hanoi ba-dinh");
	text_reset(&t);
	simulate_event_print(c.s, &events.entries[1], &t);
	assert_string_equal(text_string(&t), "kill site phuc-xa");
	text_clear(&t);
	simulate_events_clear(&events);
	country_clear(&c);
}

static void unlawful_input_is_refused(void **state)
{
	struct simulate_event nowhere = {.at = {10 * SECOND}, .kind = SIMULATE_KILL, .a = 4711};
	struct simulate_event early = {.at = {1 * SECOND}, .kind = SIMULATE_KILL, .a = 101};
	struct simulate_event late = {
	    .at = {20 * SECOND}, .kind = SIMULATE_KILL, .a = 101, .line = 7};
	struct simulate_options o = {.seed = 1, .duration_us = 20 * SECOND};
	struct simulate_result r;
	struct reason reason;
	struct forwarding f;
	struct country c;

	(void)state;
	country_init(&c, 0, NULL);
	assert_int_equal(
	    simulation_run(c.s, &o, &(struct simulate_events){&nowhere, 1, 1}, &r, &reason),
	    -TUYEN_ENOENT);
	assert_int_equal(
	    simulation_run(c.s, &o, &(struct simulate_events){&early, 1, 1}, &r, &reason),
	    -TUYEN_EINVAL);
	assert_string_equal(
	    reason.text,
	    "'kill site hanoi' at 1.000 s: sessions are still coming up until 5.000 s");
	assert_int_equal(
	    simulation_run(c.s, &o, &(struct simulate_events){&late, 1, 1}, &r, &reason),
	    -TUYEN_EINVAL);
	assert_string_equal(
	    reason.text,
	    "line 7: 'kill site hanoi' at 20.000 s: it would never happen, the run ends at 20.000 s");
	assert_int_equal(compile_site(c.compiled, 0, &f), 0);
	assert_int_equal(simulation_add(c.s, &f), -TUYEN_EEXIST);
	assert_int_equal(simulation_delay_set(c.s, 1, 901, 5), -TUYEN_ENOENT);
	assert_int_equal(simulation_site_find(c.s, "hanoi"), 101);
	assert_int_equal(simulation_site_find(c.s, "901"), 901);
	assert_int_equal(simulation_site_find(c.s, "902x"), 0);
	assert_int_equal(simulation_site_find(c.s, ""), 0);
	country_clear(&c);
}

/* ---- chance ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	struct simulate_wire wire;
	uint32_t failures_per_hour;
	uint64_t seeds, seconds;
} chances[] = {
    {"clean wires", {0}, 240, 30, 600},
    {"failures upon failures", {0}, 3600, 5, 300},
    {"jitter", {.jitter_us = 2000}, 240, 5, 300},
    {"order", {.jitter_us = 500, .reorder_ppm = 50000}, 240, 2, 120},
    {"loss", {.loss_ppm = 5000}, 240, 2, 60},
};

static void storms(uint32_t communes)
{
	struct country c;

	country_init(&c, communes, NULL);
	for (size_t i = 0; i < sizeof(chances) / sizeof(chances[0]); i++) {
		uint64_t moved = 0, hit = 0;

		for (uint64_t seed = 1; seed <= chances[i].seeds; seed++) {
			struct simulate_options o = {.seed = seed,
						     .duration_us = chances[i].seconds * SECOND,
						     .wire = chances[i].wire,
						     .apply_us = 1000};
			struct simulate_events events;
			struct simulate_result r;

			simulate_events_init(&events);
			assert_int_equal(simulate_random_make(c.s, seed, o.duration_us,
							      chances[i].failures_per_hour,
							      &events),
					 0);
			run(&c, &o, &events, &r);
			if (r.breach_count)
				fail_msg("%s, seed %llu: %s: %s (at %llu us)", chances[i].name,
					 (unsigned long long)seed,
					 simulate_rule_name(r.breaches[0].rule), r.breaches[0].text,
					 (unsigned long long)r.breaches[0].at.us);
			moved += r.switches + r.repairs;
			hit += r.sites_hit;
			simulate_events_clear(&events);
		}
		assert_true(moved > chances[i].seeds && hit > chances[i].seeds);
	}
	country_clear(&c);
}

static void storms_break_no_promise(void **state)
{
	(void)state;
	storms(31);
}

static void storms_break_no_promise_where_links_are_repaired(void **state)
{
	(void)state;
	storms(MESHED);
}

static void the_same_seed_tells_the_same(void **state)
{
	struct simulate_options o = {.seed = 77,
				     .duration_us = 300 * SECOND,
				     .wire = {.jitter_us = 1000},
				     .packets_per_second = 50};
	struct simulate_events events;
	struct simulate_result r;
	struct text first, second;
	struct country c;

	(void)state;
	text_init(&first);
	text_init(&second);
	country_init(&c, 31, NULL);
	simulate_events_init(&events);
	assert_int_equal(simulate_random_make(c.s, 77, o.duration_us, 600, &events), 0);
	run(&c, &o, &events, &r);
	simulate_print_json(c.s, &r, &first);
	run(&c, &o, &events, &r);
	simulate_print_json(c.s, &r, &second);
	assert_string_equal(text_string(&first), text_string(&second));
	o.seed = 78;
	text_reset(&second);
	run(&c, &o, &events, &r);
	simulate_print_json(c.s, &r, &second);
	assert_string_not_equal(text_string(&first), text_string(&second));
	text_clear(&first);
	text_clear(&second);
	simulate_events_clear(&events);
	country_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scripts_are_read),
	    cmocka_unit_test(events_are_printed),
	    cmocka_unit_test(unlawful_input_is_refused),
	    cmocka_unit_test(one_cut_costs_one_detection),
	    cmocka_unit_test(scenarios_run),
	    cmocka_unit_test(a_link_that_flaps_costs_few_switches),
	    cmocka_unit_test(equals_packet_by_packet),
	    cmocka_unit_test(equals_with_repairs),
	    cmocka_unit_test(repairs_and_takeovers_cost_little),
	    cmocka_unit_test(equals_for_every_length_of_a_cut),
	    cmocka_unit_test(wrong_choices_are_found),
	    cmocka_unit_test(wrong_states_are_found),
	    cmocka_unit_test(wrong_deeds_are_found),
	    cmocka_unit_test(storms_break_no_promise),
	    cmocka_unit_test(storms_break_no_promise_where_links_are_repaired),
	    cmocka_unit_test(the_same_seed_tells_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
