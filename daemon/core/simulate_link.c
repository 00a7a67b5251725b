/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD on the links that something happens to, with the daemon's own machine at both ends, and what each end
 * makes of it: from when to when its traffic goes around the link (core/repair.h). A link meets nobody but
 * its two ends, so each is run alone and before all else; ways are walked over what comes out.
 *
 * A session is begun shortly before the first failure, and again before each that comes long after all is well.
 * Links that nothing happens to are up: that chance alone takes one down is not here.
 */
#include "simulate_internal.h"

#include <stdlib.h>

#define WARM_UP_US                                                                                 \
	4500000u /* a session is up within three slow intervals; SIMULATE_FIRST_EVENT_US is later */
#define QUIET_US    1000000u /* both ends up and nothing to come: all is well */
#define TOUCHING    4
#define FLIGHTS_MAX 256 /* one way: a packet each 5 ms, and a second of delay */

struct end {
	uint32_t site;
	uint32_t way; /* resource: over which it sends */
	const struct fwd_neighbor *neighbor;
	struct bfd_session bfd;
	struct sim_flight flight
	    [FLIGHTS_MAX]; /* on their way to it, by arrival: wires of links keep their order */
	uint32_t flight_count;
	enum bfd_state state;
	struct monotime since, look;
	struct damping damping;
	enum repair_link repaired;
};

struct link_run {
	struct simulation *s;
	uint32_t link;
	struct end end[2];
	struct monotime now;
};

static uint64_t edge_next(const struct simulation *s, uint32_t resource, uint64_t at_us)
{
	const struct sim_list *list = &s->down[resource];

	for (uint32_t i = list->first; i < list->first + list->count; i++) {
		if (s->down_intervals[i].from_us > at_us)
			return s->down_intervals[i].from_us;
		if (s->down_intervals[i].to_us > at_us)
			return s->down_intervals[i].to_us;
	}
	return UINT64_MAX;
}

/* Has @resource been as it should for all of the last @us? */
static bool was_whole(const struct simulation *s, uint32_t resource, uint64_t at_us, uint64_t us)
{
	return !sim_resource_down(s, resource, at_us > us ? at_us - us : 0, at_us);
}

/* What touches the link: its two wires, and whether its ends live. */
static void touching(const struct link_run *r, uint32_t ret_resources[static TOUCHING])
{
	ret_resources[0] = r->end[0].way;
	ret_resources[1] = r->end[1].way;
	ret_resources[2] = sim_resource_dead(r->s, r->end[0].site);
	ret_resources[3] = sim_resource_dead(r->s, r->end[1].site);
}

/* When the next of it begins or ends. */
static uint64_t trouble_next(const struct link_run *r, uint64_t at_us)
{
	uint32_t resources[TOUCHING];
	uint64_t next = UINT64_MAX;

	touching(r, resources);
	for (size_t i = 0; i < TOUCHING; i++) {
		uint64_t edge = edge_next(r->s, resources[i], at_us);

		next = edge < next ? edge : next;
	}
	return next;
}

static void send(struct link_run *r, struct end *from, struct end *to,
		 const struct bfd_packet *packet)
{
	const struct simulation *s = r->s;
	uint64_t delay = s->links[r->link].delay_us, at = r->now.us;

	if (to->flight_count == FLIGHTS_MAX || sim_resource_down(s, from->way, at, at + delay) ||
	    sim_resource_down(s, sim_resource_dead(s, from->site), at, at) ||
	    sim_resource_down(s, sim_resource_dead(s, to->site), at + delay, at + delay))
		return;
	to->flight[to->flight_count++] = (struct sim_flight){at + delay, *packet};
}

static void step_add(struct link_run *r, uint32_t which, enum repair_link state)
{
	struct simulation *s = r->s;

	if (sim_reserve(s, &s->steps, &s->step_capacity, s->step_count + 1, sizeof(*s->steps)))
		s->steps[s->step_count++] =
		    (struct sim_step){r->now.us, 2 * r->link + which, state,
				      r->end[which].bfd.diagnostic == BFD_DIAG_NEIGHBOR_DOWN};
}

/* What the kernel process makes of it. */
static void judge(struct link_run *r, uint32_t which)
{
	struct end *e = &r->end[which];
	const struct message_liveness last = {
	    .state = e->bfd.state, .diagnostic = e->bfd.diagnostic, .by_intent = e->bfd.by_intent};
	enum repair_link was = e->repaired;

	if (e->state != e->bfd.state) {
		if (e->state == BFD_STATE_UP)
			damping_failed(&e->damping, REPAIR_LONGEST_US, r->now);
		e->state = e->bfd.state;
		e->since = r->now;
	}
	e->look = MONOTIME_NEVER;
	e->repaired = repair_step(
	    was, repair_link_liveness(&last, e->since, REPAIR_NEVER_UP_US, r->now, &e->look),
	    e->since, e->damping.until, r->now, &e->look);
	if (e->repaired != was)
		step_add(r, which, e->repaired);
}

static void receive(struct link_run *r, struct end *e)
{
	uint32_t taken = 0;

	for (; taken < e->flight_count && e->flight[taken].arrives_us <= r->now.us; taken++)
		bfd_session_receive(&e->bfd, &e->flight[taken].packet, 255, r->now);
	e->flight_count -= taken;
	for (uint32_t i = 0; i < e->flight_count && taken; i++)
		e->flight[i] = e->flight[i + taken];
}

static void moment(struct link_run *r)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct end *e = &r->end[i];
		struct bfd_step step;

		receive(r, e);
		do {
			step = bfd_session_step(&e->bfd, r->now, false);
			if (step.send)
				send(r, e, &r->end[!i], &step.packet);
		} while (step.send);
		judge(r, i);
	}
}

static struct monotime next_moment(const struct link_run *r)
{
	struct monotime next = MONOTIME_NEVER;

	for (uint32_t i = 0; i < 2; i++) {
		const struct end *e = &r->end[i];

		next = monotime_min(next, monotime_min(bfd_session_deadline(&e->bfd), e->look));
		if (e->flight_count)
			next = monotime_min(next, (struct monotime){e->flight[0].arrives_us});
	}
	return monotime_before(next, r->now) ? r->now : next;
}

/* A failure that goes on, or is just over, may be one that neither end has found yet. */
static bool all_is_well(const struct link_run *r)
{
	uint32_t resources[TOUCHING];

	for (uint32_t i = 0; i < 2; i++)
		if (r->end[i].state != BFD_STATE_UP || r->end[i].repaired != REPAIR_LINK_USED ||
		    monotime_between(r->end[i].since, r->now) < QUIET_US)
			return false;
	touching(r, resources);
	for (uint32_t i = 0; i < TOUCHING; i++)
		if (!was_whole(r->s, resources[i], r->now.us,
			       r->end[0].bfd.detection_us + r->end[1].bfd.detection_us + QUIET_US))
			return false;
	return true;
}

/* Sessions that are up well before @trouble_us. */
static void begin(struct link_run *r, uint64_t trouble_us)
{
	uint64_t at = trouble_us > WARM_UP_US ? trouble_us - WARM_UP_US : 0;

	r->now = (struct monotime){at > r->now.us ? at : r->now.us};
	for (uint32_t i = 0; i < 2; i++) {
		struct end *e = &r->end[i];
		const struct bfd_config config = {
		    .role = BFD_ROLE_ACTIVE,
		    .local_discriminator = i + 1,
		    .interval_us = e->neighbor->probe.interval_us,
		    .multiplier = e->neighbor->probe.multiplier,
		};

		bfd_session_init(&e->bfd, &config, r->now,
				 (uint32_t)sim_random(r->s->o.seed, r->link, 2 + i) | 1);
		e->flight_count = 0;
		e->state = e->bfd.state;
		e->since = r->now;
		e->look = MONOTIME_NEVER;
		e->repaired = REPAIR_LINK_USED;
	}
}

static void link_run(struct simulation *s, uint32_t link)
{
	const struct sim_link *l = &s->links[link];
	struct link_run r = {.s = s, .link = link};
	uint64_t trouble;

	r.end[0] = (struct end){
	    .site = l->a, .way = 2 * link, .neighbor = sim_neighbor(s, l->a, l->b, l->parallel)};
	r.end[1] = (struct end){.site = l->b,
				.way = 2 * link + 1,
				.neighbor = sim_neighbor(s, l->b, l->a, l->parallel)};
	trouble = trouble_next(&r, 0);
	if (trouble == UINT64_MAX)
		return;
	begin(&r, trouble);
	while (r.now.us <= s->o.duration_us && !s->failed) {
		trouble = trouble_next(&r, r.now.us);
		if (all_is_well(&r) &&
		    (trouble == UINT64_MAX || trouble > r.now.us + 2 * WARM_UP_US)) {
			if (trouble == UINT64_MAX)
				return;
			begin(&r, trouble);
		}
		moment(&r);
		r.now = next_moment(&r);
	}
}

static int step_compare(const void *a, const void *b)
{
	const struct sim_step *x = a, *y = b;

	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

void sim_links_run(struct simulation *s)
{
	s->step_count = 0;
	for (uint32_t i = 0; i < s->link_count; i++)
		link_run(s, i);
	if (s->step_count > 1)
		qsort(s->steps, s->step_count, sizeof(*s->steps), step_compare);
	for (uint32_t i = 0; i < s->step_count; i++) {
		struct sim_list *list = &s->link_lists[s->steps[i].end];

		if (!i || s->steps[i - 1].end != s->steps[i].end)
			*list = (struct sim_list){i, 0};
		list->count++;
	}
}

/* The last step at or before @at_us is in force. */
static uint32_t step_find(const struct simulation *s, const struct sim_list *list, uint64_t at_us)
{
	uint32_t low = 0, high = list->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s->steps[list->first + middle].at_us <= at_us)
			low = middle + 1;
		else
			high = middle;
	}
	return low; /* of the next */
}

enum repair_link sim_link_state(const struct simulation *s, uint32_t end, uint64_t at_us,
				uint64_t *ret_until_us, bool *ret_heard)
{
	const struct sim_list *list = &s->link_lists[end];
	uint32_t next = step_find(s, list, at_us);

	*ret_until_us = next < list->count ? s->steps[list->first + next].at_us : UINT64_MAX;
	*ret_heard = next && s->steps[list->first + next - 1].heard;
	return next ? s->steps[list->first + next - 1].state : REPAIR_LINK_USED;
}

uint64_t sim_link_down_next(const struct simulation *s, uint32_t end, uint64_t after_us,
			    bool *ret_heard)
{
	const struct sim_list *list = &s->link_lists[end];

	for (uint32_t i = step_find(s, list, after_us); i < list->count; i++)
		if (s->steps[list->first + i].state == REPAIR_LINK_DOWN) {
			*ret_heard = s->steps[list->first + i].heard;
			return s->steps[list->first + i].at_us;
		}
	return UINT64_MAX;
}
