/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking while nodes change. A label stack is followed as in the audit, but each node on the way may have the old
 * release or the new one, and whoever reads this does not know which: where both do the same, the walk goes on as one;
 * where they differ, as two. A node that comes twice may choose anew, which is more than can happen: so what is proven
 * holds. Most walks never part, and then a walk costs little more than one in a single release.
 */
#include "migrate_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/topology/mtu.h"

/* A packet somewhere: @at has one of @releases and has done its part; it sends @stack to its neighbour @next. */
struct packet {
	uint32_t at, next;
	uint8_t releases;
	uint16_t hops;
	uint32_t capacity;
	struct label_stack stack;
};

struct walking {
	const struct mix *m;
	const struct pins *pins;
	struct mix_walk *w;
	struct packet *packets;
	size_t count, room;
};

static const char *const release_names[] = {"old", "new"};

/* ---- both releases ------------------------------------------------------------------------- */

const struct forwarding *mix_site(const struct mix *m, int release, uint32_t id)
{
	uint32_t index = id <= SITE_ID_MAX ? m->by_id[release][id] : 0;

	return index ? &m->side[release].sites[index - 1] : NULL;
}

const char *mix_name(const struct mix *m, uint32_t id)
{
	const struct forwarding *f = mix_site(m, 0, id);

	f = f ? f : mix_site(m, 1, id);
	return f ? f->site : "nobody";
}

static int mix_release_init(struct mix *m, int release)
{
	m->by_id[release] = calloc(SITE_ID_MAX + 1, sizeof(*m->by_id[release]));
	m->link_key[release] = calloc(SITE_ID_MAX + 1, sizeof(*m->link_key[release]));
	m->has_key[release] = calloc(SITE_ID_MAX + 1, sizeof(*m->has_key[release]));
	if (!m->by_id[release] || !m->link_key[release] || !m->has_key[release])
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < m->side[release].count; i++) {
		const struct forwarding *f = &m->side[release].sites[i];

		if (f->site_id <= SITE_ID_MAX)
			m->by_id[release][f->site_id] = (uint32_t)i + 1;
		for (size_t k = 0; k < f->neighbor_count; k++) {
			uint32_t id = forwarding_id_site(f->neighbors[k].site_id);

			if (id > SITE_ID_MAX || m->has_key[release][id])
				continue;
			memcpy(m->link_key[release][id], f->neighbors[k].link_key, WG_KEY_LEN);
			m->has_key[release][id] = true;
		}
	}
	return 0;
}

int mix_init(struct mix *m, struct diff_side before, struct diff_side after)
{
	int err;

	*m = (struct mix){.side = {before, after}};
	err = mix_release_init(m, 0);
	return err ? err : mix_release_init(m, 1);
}

void mix_clear(struct mix *m)
{
	for (int i = 0; i < 2; i++) {
		free(m->by_id[i]);
		free(m->link_key[i]);
		free(m->has_key[i]);
	}
}

/* ---- one link ------------------------------------------------------------------------------ */

/* What the caller calls does not move under it. */
static bool call_stays(const struct mix *m, const struct fwd_neighbor *entry, uint32_t site,
		       int other_release)
{
	const struct forwarding *f = mix_site(m, other_release, site);
	const struct fwd_neighbor *other = f ? forwarding_neighbor(f, entry->site_id) : NULL;

	return !entry->caller || !other || !other->caller ||
	       ip_endpoint_equal(&entry->endpoint, &other->endpoint);
}

/* Do packets cross between x with release @rx and y, its neighbour @id, with @ry? */
static bool link_works(const struct mix *m, const struct forwarding *x, int rx,
		       const struct forwarding *y, int ry, uint32_t id)
{
	uint32_t id_back = forwarding_id_back(id, x->site_id);
	const struct fwd_neighbor *to = forwarding_neighbor(x, id);
	const struct fwd_neighbor *from = forwarding_neighbor(y, id_back);

	if (!to || !from || to->caller == from->caller ||
	    to->link_address != forwarding_link_address(y, id) ||
	    from->link_address != forwarding_link_address(x, id))
		return false;
	if (rx == ry)
		return true;
	return !memcmp(to->link_key, m->link_key[ry][y->site_id], WG_KEY_LEN) &&
	       !memcmp(from->link_key, m->link_key[rx][x->site_id], WG_KEY_LEN) &&
	       call_stays(m, to, x->site_id, ry) && call_stays(m, from, y->site_id, rx);
}

static bool stack_accepted(const struct forwarding *f, uint32_t from,
			   const struct label_stack *stack)
{
	const struct fwd_neighbor *n = forwarding_neighbor(f, from);
	size_t low = 0, high = n ? n->accept_count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = label_stack_compare(&n->accept[middle], stack);

		if (!order)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* ---- all that can happen ------------------------------------------------------------------- */

static bool list_add(uint32_t *list, size_t *count, size_t room, uint32_t id)
{
	for (size_t i = 0; i < *count; i++)
		if (list[i] == id)
			return true;
	if (*count == room)
		return false;
	list[(*count)++] = id;
	return true;
}

static uint8_t pinned(const struct pins *pins, uint32_t id)
{
	for (size_t i = 0; pins && i < pins->count; i++)
		if (pins->id[i] == id)
			return pins->releases[i];
	return MIX_BOTH;
}

static void packet_lost(struct walking *k, uint32_t site, int release, const char *why,
			const struct label_stack *stack, uint32_t from)
{
	struct mix_walk *w = k->w;
	char text[LABEL_STACK_STRLEN];

	if (w->lost)
		return;
	w->lost = true;
	w->site = site;
	snprintf(w->why, sizeof(w->why), "'%s' with the %s release %s (%s from '%s')",
		 mix_name(k->m, site), release_names[release], why, label_stack_format(stack, text),
		 mix_name(k->m, from));
}

static void packet_add(struct walking *k, const struct packet *p)
{
	if (k->count == k->room) {
		size_t room = k->room ? 2 * k->room : 16;
		struct packet *larger =
		    k->w->steps > MIX_POINTS_MAX ? NULL : realloc(k->packets, room * sizeof(*p));

		if (!larger) {
			k->w->whole = false;
			return;
		}
		k->packets = larger;
		k->room = room;
	}
	k->packets[k->count++] = *p;
}

static bool packet_ends(struct walking *k, const struct packet *p)
{
	struct mix_walk *w = k->w;

	if (p->next)
		return false;
	if (p->capacity < w->capacity)
		w->capacity = p->capacity;
	w->whole &= list_add(w->ends, &w->end_count, MIX_ENDS_MAX, p->at);
	return true;
}

/*
 * The link to @to, which has @release, for all releases that the sender may have. @ret_some: with some of them it does
 * not work. @return NULL, or why it works with none.
 */
static const char *packet_cross(const struct walking *k, struct packet *p,
				const struct forwarding *to, int release, bool *ret_some)
{
	static const char *const none = "has no working link there";
	bool works = false;

	for (int r = 0; r < 2; r++) {
		const struct forwarding *from = mix_site(k->m, r, p->at);
		uint32_t room, labels = MTU_LABEL * p->stack.depth;

		if (!(p->releases & (1 << r)))
			continue;
		if (!from || !link_works(k->m, from, r, to, release, p->next)) {
			*ret_some = true;
			continue;
		}
		works = true;
		room = forwarding_neighbor(from, p->next)->lsp_mtu;
		room = room > labels ? room - labels : 0;
		p->capacity = room < p->capacity ? room : p->capacity;
	}
	if (!works)
		return none;
	return stack_accepted(to, forwarding_id_back(p->next, p->at), &p->stack) ? NULL
										 : "drops it";
}

/* One release of the next node. @return whether the packet goes on, or ends there. */
static bool packet_step(struct walking *k, const struct packet *p, int release, struct packet *ret)
{
	uint32_t next = forwarding_id_site(p->next);
	const struct forwarding *to = mix_site(k->m, release, next);
	const char *why = "is not there";
	bool some = false;

	*ret = *p;
	if (to)
		why = packet_cross(k, ret, to, release, &some);
	if (some && !why)
		packet_lost(k, next, release, "has no working link there", &p->stack, p->at);
	if (to && !why) {
		ret->at = next;
		ret->releases = (uint8_t)(1 << release);
		why = forwarding_step(to, &ret->stack, &ret->next);
	}
	if (!why && ++ret->hops > MIX_HOPS_MAX)
		why = "has it go round";
	if (why)
		packet_lost(k, next, release, why, &p->stack, p->at);
	return !why;
}

static bool packets_agree(const struct packet *a, const struct packet *b)
{
	return a->next == b->next && label_stack_equal(&a->stack, &b->stack);
}

static void packet_go(struct walking *k, const struct packet *p)
{
	uint32_t next = forwarding_id_site(p->next);
	uint8_t releases = pinned(k->pins, next);
	struct packet there[2];
	bool ok[2] = {false, false};

	list_add(k->w->nodes, &k->w->node_count, MIX_NODES_MAX, next);
	for (int r = 0; r < 2; r++)
		ok[r] = (releases & (1 << r)) && packet_step(k, p, r, &there[r]);
	if (ok[0] && ok[1] && packets_agree(&there[0], &there[1])) {
		there[0].releases = MIX_BOTH;
		if (there[1].capacity < there[0].capacity)
			there[0].capacity = there[1].capacity;
		ok[1] = false;
	}
	for (int r = 0; r < 2; r++)
		if (ok[r] && !packet_ends(k, &there[r]))
			packet_add(k, &there[r]);
}

static void walk_run(struct walking *k, const struct packet *first)
{
	packet_add(k, first);
	while (k->count && k->w->whole) {
		struct packet p = k->packets[--k->count];

		if (k->w->steps++ > MIX_POINTS_MAX)
			k->w->whole = false;
		else
			packet_go(k, &p);
	}
	free(k->packets);
	if (k->w->whole || k->w->lost)
		return;
	k->w->lost = true;
	k->w->site = first->at;
	snprintf(k->w->why, sizeof(k->w->why), "there are too many ways that it may go from '%s'",
		 mix_name(k->m, first->at));
}

static void walk_init(struct mix_walk *w)
{
	w->lost = false;
	w->whole = true;
	w->end_count = w->node_count = w->steps = 0;
	w->capacity = UINT32_MAX;
	w->site = 0;
	w->why[0] = '\0';
}

void mix_send(const struct mix *m, uint32_t from, uint8_t releases, uint32_t next,
	      const struct label_stack *stack, const struct pins *pins, struct mix_walk *ret)
{
	struct walking k = {.m = m, .pins = pins, .w = ret};
	struct packet first = {.at = from,
			       .next = next,
			       .releases = releases,
			       .capacity = UINT32_MAX,
			       .stack = *stack};

	walk_init(ret);
	walk_run(&k, &first);
}

void mix_arrive(const struct mix *m, uint32_t at, int release, const struct label_stack *stack,
		const struct pins *pins, struct mix_walk *ret)
{
	struct walking k = {.m = m, .pins = pins, .w = ret};
	struct packet first = {
	    .at = at, .releases = (uint8_t)(1 << release), .capacity = UINT32_MAX, .stack = *stack};
	const char *why = forwarding_step(mix_site(m, release, at), &first.stack, &first.next);

	walk_init(ret);
	if (why)
		packet_lost(&k, at, release, why, stack, at);
	else if (!packet_ends(&k, &first))
		walk_run(&k, &first);
}

bool mix_walk_reaches(const struct mix_walk *w, uint32_t site)
{
	return !w->lost && w->whole && w->end_count == 1 && w->ends[0] == site;
}

bool mix_walk_touches(const struct mix_walk *w, uint32_t site)
{
	for (size_t i = 0; i < w->end_count; i++)
		if (w->ends[i] == site)
			return true;
	return !w->whole;
}
