/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit, in the order of its work:
 *
 *   audit_site.c     each bundle for itself, then each link from both its ends
 *   audit_flow.c     sessions: peers, keys, AllowedIPs; then the rules of both ends against policy
 *   audit_walk.c     every path there and back, label by label; what no lawful path used; who
 * reaches whom audit_expect.c   expectations audit_failure.c  all of it again for each single
 * failure, by an index from links and sites to paths audit_part.c  who helps with it
 *
 * What is proven is the compiled state; the compiler's own graphs are never asked. A walk does what
 * kernels do: cross the adjacency if both ends know each other, pass the filter with the whole
 * stack, look up the top label, pop, swap, go on. Whatever lawful paths touch is marked on the way.
 * What is left unmarked in the end serves nothing lawful: an accepted stack is a leak, a label
 * route is useless. So isolation needs no list of what could go wrong.
 *
 * Each cause has one finding, at the bundle and line where it stands; what follows from it
 * (a path that does not work, a site that is not reached) is found beside it, and said as such.
 *
 * Everything is numbered: adjacencies, labels, accepted stacks and peers are places in arrays
 * counted over all sites, so a mark is a byte and a look-up a binary search in one site.
 */
#include "audit_internal.h"

#include <string.h>

#define COLOR_LAST 65535

/* ---- looking up ------------------------------------------------------------------------ */

uint32_t audit_site_by_id(const struct audit *a, uint32_t id)
{
	return id < a->id_room ? a->by_id[id] : NETWORK_NONE;
}

uint32_t audit_adjacency(const struct audit *a, uint32_t site, uint32_t neighbor_id)
{
	const struct forwarding *f = &a->sites[site];
	const struct fwd_neighbor *n = forwarding_neighbor(f, neighbor_id);

	return n ? a->adjacency_first[site] + (uint32_t)(n - f->neighbors) : NETWORK_NONE;
}

uint32_t audit_peer(const struct audit *a, uint32_t site, uint32_t color, uint32_t site_id)
{
	const struct forwarding *f = &a->sites[site];
	size_t low = 0, high = f->peer_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fwd_session_peer *p = &f->peers[middle];

		if (p->color == color && p->site_id == site_id)
			return a->peer_first[site] + (uint32_t)middle;
		if (p->color < color || (p->color == color && p->site_id < site_id))
			low = middle + 1;
		else
			high = middle;
	}
	return NETWORK_NONE;
}

uint32_t audit_label(const struct audit *a, uint32_t site, uint32_t label)
{
	const struct forwarding *f = &a->sites[site];
	const struct fwd_label_route *l = forwarding_label(f, label);

	return l ? a->label_first[site] + (uint32_t)(l - f->labels) : NETWORK_NONE;
}

uint32_t audit_link(const struct audit *a, uint32_t x, uint32_t y, bool parallel)
{
	const struct network *n = a->network;
	uint32_t s =
	    a->link_first[x + 1] - a->link_first[x] < a->link_first[y + 1] - a->link_first[y] ? x
											      : y;

	for (uint32_t i = a->link_first[s]; i < a->link_first[s + 1]; i++) {
		const struct link *l = &n->links[a->link_near[i]];

		if (l->parallel == parallel &&
		    ((l->a == x && l->b == y) || (l->a == y && l->b == x)))
			return a->link_near[i];
	}
	return NETWORK_NONE;
}

uint32_t audit_link_twin(const struct audit *a, uint32_t link)
{
	const struct link *l = &a->network->links[link];

	return audit_link(a, l->a, l->b, !l->parallel);
}

static bool bits_has(const struct audit *a, size_t set, uint32_t site)
{
	return a->set_bits[set * a->set_words + site / 64] >> site % 64 & 1;
}

bool audit_policy_has(const struct audit *a, uint32_t policy, int side, uint32_t site)
{
	return bits_has(a, 2 * policy + (size_t)side, site);
}

static bool denied(const struct audit *a, uint32_t from, uint32_t to, uint32_t class_index)
{
	const struct network *n = a->network;

	for (size_t d = 0; d < n->deny_count; d++) {
		size_t set = 2 * (n->policy_count + d);

		if ((n->denies[d].class_index == class_index ||
		     n->denies[d].class_index == NETWORK_NONE) &&
		    bits_has(a, set, from) && bits_has(a, set + 1, to))
			return true;
	}
	return false;
}

uint64_t audit_intent(const struct audit *a, uint32_t policy, uint32_t from, uint32_t to)
{
	const struct network *n = a->network;
	const struct policy *p = &n->policies[policy];
	uint64_t open = 0;

	if (from == to || !n->sites[from].lan_count || !n->sites[to].lan_count ||
	    !audit_policy_has(a, policy, SET_FROM, from) ||
	    !audit_policy_has(a, policy, SET_TO, to) || network_shares_lan(n, from, to))
		return 0;
	for (size_t i = 0; i < p->class_count && i < 64; i++)
		if (!denied(a, from, to, p->classes[i]))
			open |= UINT64_C(1) << i;
	return open;
}

/* ---- making ------------------------------------------------------------------------------ */

static void set_fill(struct audit *a, size_t set, const struct site_set *sites)
{
	for (size_t i = 0; i < sites->count; i++)
		a->set_bits[set * a->set_words + sites->sites[i] / 64] |= UINT64_C(1)
									  << sites->sites[i] % 64;
}

static void sets_build(struct audit *a)
{
	const struct network *n = a->network;

	memset(a->policy_of_color, 0xff, a->color_room * sizeof(*a->policy_of_color));
	for (size_t i = 0; i < n->policy_count; i++) {
		set_fill(a, 2 * i, &n->policies[i].from);
		set_fill(a, 2 * i + 1, &n->policies[i].to);
		a->policy_of_color[n->policies[i].color & COLOR_LAST] = (uint32_t)i;
	}
	for (size_t i = 0; i < n->deny_count; i++) {
		set_fill(a, 2 * (n->policy_count + i), &n->denies[i].from);
		set_fill(a, 2 * (n->policy_count + i) + 1, &n->denies[i].to);
	}
}

static void links_build(struct audit *a)
{
	const struct network *n = a->network;

	for (size_t i = 0; i < n->link_count; i++) {
		a->link_first[n->links[i].a]++;
		a->link_first[n->links[i].b]++;
		a->parallel |= n->links[i].parallel;
		a->prepared |= n->links[i].prepared || n->links[i].fresh;
	}
	for (size_t i = 1; i <= n->site_count; i++)
		a->link_first[i] += a->link_first[i - 1];
	for (size_t i = n->link_count; i-- > 0;) {
		a->link_near[--a->link_first[n->links[i].a]] = (uint32_t)i;
		a->link_near[--a->link_first[n->links[i].b]] = (uint32_t)i;
	}
}

uint32_t audit_policy_of_color(const struct audit *a, uint32_t color)
{
	return color < a->color_room ? a->policy_of_color[color] : NETWORK_NONE;
}

static void ids_build(struct audit *a)
{
	memset(a->by_id, 0xff, a->id_room * sizeof(*a->by_id));
	memset(a->intent_by_id, 0xff, a->id_room * sizeof(*a->intent_by_id));
	for (size_t i = 0; i < a->network->site_count; i++)
		if (a->network->sites[i].id <= SITE_ID_MAX)
			a->intent_by_id[a->network->sites[i].id] = (uint32_t)i;
	for (size_t i = 0; i < a->count; i++) {
		uint32_t id = a->sites[i].site_id;

		a->intent[i] = id <= SITE_ID_MAX ? a->intent_by_id[id] : NETWORK_NONE;
		if (id > SITE_ID_MAX || a->intent[i] == NETWORK_NONE)
			audit_find(a, AUDIT_BUNDLE, (uint32_t)i, OBJECT_SITE, 0, AUDIT_NOWHERE,
				   "a bundle of '%s', id %u, which the topology does not know",
				   a->sites[i].site, id);
		else if (a->by_id[id] != NETWORK_NONE)
			audit_find(a, AUDIT_BUNDLE, (uint32_t)i, OBJECT_SITE, 0, AUDIT_NOWHERE,
				   "a second bundle of '%s'", a->sites[i].site);
		else
			a->by_id[id] = (uint32_t)i;
	}
	for (size_t i = 0; i < a->network->site_count; i++)
		if (a->network->sites[i].id > SITE_ID_MAX ||
		    a->by_id[a->network->sites[i].id] == NETWORK_NONE)
			audit_find(a, AUDIT_BUNDLE, NETWORK_NONE, OBJECT_NONE, 0,
				   a->network->sites[i].place, "'%s' has no bundle",
				   a->network->sites[i].name);
}

/* @return false when there are too many to be numbered. */
static bool firsts_build(struct audit *a)
{
	size_t adjacencies = 0, labels = 0, returns = 0, peers = 0, devices = 0, accepts = 0;

	for (size_t i = 0; i <= a->count; i++) {
		a->adjacency_first[i] = (uint32_t)adjacencies;
		a->label_first[i] = (uint32_t)labels;
		a->return_first[i] = (uint32_t)returns;
		a->peer_first[i] = (uint32_t)peers;
		a->session_device_first[i] = (uint32_t)devices;
		if (i == a->count)
			break;
		adjacencies += a->sites[i].neighbor_count;
		labels += a->sites[i].label_count;
		returns += a->sites[i].return_count;
		peers += a->sites[i].peer_count;
		devices += a->sites[i].session_count;
		for (size_t k = 0; k < a->sites[i].neighbor_count; k++)
			accepts += a->sites[i].neighbors[k].accept_count;
	}
	a->accept_count = accepts;
	return adjacencies < UINT32_MAX && labels < UINT32_MAX && returns < UINT32_MAX &&
	       peers < UINT32_MAX && devices < UINT32_MAX && accepts < UINT32_MAX;
}

static void room_for(size_t *room, uint32_t number, uint32_t last)
{
	if (number <= last && number >= *room)
		*room = (size_t)number + 1;
}

/* Tables by number are as long as the largest one that is used: a small country is proved in no time. */
static void rooms_count(struct audit *a)
{
	const struct network *n = a->network;

	a->id_room = a->color_room = 1;
	for (size_t i = 0; i < n->site_count; i++)
		room_for(&a->id_room, n->sites[i].id, SITE_ID_MAX);
	for (size_t i = 0; i < a->count; i++)
		room_for(&a->id_room, a->sites[i].site_id, SITE_ID_MAX);
	for (size_t i = 0; i < n->policy_count; i++)
		room_for(&a->color_room, n->policies[i].color & COLOR_LAST, COLOR_LAST);
}

static bool arrays_allocate(struct audit *a)
{
	const struct network *n = a->network;
	size_t sets = 2 * (n->policy_count + n->deny_count);

	rooms_count(a);
	a->set_words = n->site_count / 64 + 1;
	a->by_id = calloc(a->id_room, sizeof(*a->by_id));
	a->intent_by_id = calloc(a->id_room, sizeof(*a->intent_by_id));
	a->intent = calloc(a->count + 1, sizeof(*a->intent));
	a->adjacency_first = calloc(a->count + 1, sizeof(uint32_t));
	a->label_first = calloc(a->count + 1, sizeof(uint32_t));
	a->return_first = calloc(a->count + 1, sizeof(uint32_t));
	a->peer_first = calloc(a->count + 1, sizeof(uint32_t));
	a->session_device_first = calloc(a->count + 1, sizeof(uint32_t));
	a->session_first = calloc(a->count + 1, sizeof(uint32_t));
	a->link_first = calloc(n->site_count + 2, sizeof(uint32_t));
	a->link_near = calloc(2 * n->link_count + 1, sizeof(uint32_t));
	a->set_bits = calloc(sets * a->set_words + 1, sizeof(*a->set_bits));
	a->policy_of_color = calloc(a->color_room, sizeof(uint32_t));
	return a->by_id && a->intent_by_id && a->intent && a->adjacency_first && a->label_first &&
	       a->return_first && a->peer_first && a->session_device_first && a->session_first &&
	       a->link_first && a->link_near && a->set_bits && a->policy_of_color;
}

static bool marks_allocate(struct audit *a)
{
	a->adjacencies = calloc(a->adjacency_first[a->count] + 1, sizeof(*a->adjacencies));
	a->peers = calloc(a->peer_first[a->count] + 1, sizeof(*a->peers));
	a->accept_used = calloc(a->accept_count + 1, 1);
	a->label_used = calloc(a->label_first[a->count] + 1, 1);
	a->return_used = calloc(a->return_first[a->count] + 1, 1);
	return a->adjacencies && a->peers && a->accept_used && a->label_used && a->return_used;
}

int audit_new(const struct network *network, const struct forwarding *sites, size_t count,
	      struct audit **ret)
{
	struct audit *a = calloc(1, sizeof(*a));
	int err = -TUYEN_ENOMEM;

	if (!a)
		return err;
	*a = (struct audit){.network = network, .sites = sites, .count = count};
	if (!arrays_allocate(a))
		goto fail;
	if (!firsts_build(a)) {
		err = -TUYEN_ELIMIT;
		goto fail;
	}
	if (!marks_allocate(a))
		goto fail;
	links_build(a);
	sets_build(a);
	ids_build(a);
	*ret = a;
	return 0;
fail:
	audit_free(a);
	return err;
}

void audit_executor(struct audit *a, const struct executor *executor)
{
	a->executor = executor;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->finding_count; i++)
		free(a->findings[i].text);
	free(a->findings);
	free(a->by_id);
	free(a->intent_by_id);
	free(a->intent);
	free(a->adjacency_first);
	free(a->label_first);
	free(a->return_first);
	free(a->peer_first);
	free(a->session_device_first);
	free(a->session_first);
	free(a->adjacencies);
	free(a->peers);
	free(a->accept_used);
	free(a->label_used);
	free(a->return_used);
	free(a->link_first);
	free(a->link_near);
	free(a->set_bits);
	free(a->policy_of_color);
	free(a->least);
	free(a->sessions);
	free(a->asked);
	free(a->touches);
	free(a->paths);
	free(a->ways.value);
	free(a->nodes.value);
	free(a->repaired.value);
	free(a->failures);
	free(a->cut.value);
	free(a);
}

int audit_prove(struct audit *a)
{
	int err;

	a->counts.sites = a->count;
	a->counts.links = a->network->link_count;
	a->counts.labels = a->label_first[a->count];
	a->counts.accepts = a->accept_count;
	audit_orders(a);
	audit_identities(a);
	audit_links(a);
	if ((err = audit_peers(a)) || (err = audit_paths(a)) || (err = audit_flows(a)))
		return err;
	audit_isolation(a);
	audit_queues(a);
	audit_reach(a);
	err = audit_expect(a);
	return err ? err : a->failed ? -TUYEN_ENOMEM : 0;
}

/* ---- for those who ask --------------------------------------------------------------------- */

struct audit_counts audit_counts(const struct audit *a)
{
	return a->counts;
}

size_t audit_session_count(const struct audit *a)
{
	return a->session_count;
}

const struct audit_session *audit_session(const struct audit *a, size_t index)
{
	return &a->sessions[index];
}

const char *audit_path_name(const struct audit *a, uint32_t index)
{
	return a->paths[index].path->name;
}

const uint32_t *audit_path_repaired(const struct audit *a, uint32_t index, uint32_t *ret_count)
{
	*ret_count = a->paths[index].repaired_link_count;
	return a->repaired.value + a->paths[index].repaired;
}

const uint32_t *audit_path_links(const struct audit *a, uint32_t index, uint32_t *ret_count)
{
	*ret_count = a->paths[index].way_count;
	return a->ways.value + a->paths[index].way;
}
