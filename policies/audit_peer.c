/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what each end knows of the other, and whether policy wants it. */
#include "audit_internal.h"

#include <stdio.h>
#include <string.h>

/* One peer that both ends know. */
struct ends {
	struct audit *a;
	uint32_t site, index; /* of the peer in the site's bundle */
	const struct forwarding *self, *other;
	const struct fwd_session_peer *p, *back;
	const struct site *want; /* the other */
	const struct policy *policy;
	uint32_t policy_index;
};

#define ENDS_FIND(e, kind, ...)                                                                    \
	audit_find((e)->a, (kind), (e)->site, OBJECT_PEER, (e)->index, (e)->policy->place,         \
		   __VA_ARGS__)

static bool ends_key(const struct ends *e)
{
	if (!e->want->has_keys || !memcmp(e->p->session_key, e->want->session_key, WG_KEY_LEN))
		return true;
	ENDS_FIND(e, AUDIT_PEER_KEY, "'%s' knows '%s' in session s%u by a key that is not its",
		  e->self->site, e->other->site, e->p->color);
	return false;
}

static bool ends_name(const struct ends *e)
{
	if (strcmp(e->p->name, e->want->name) != 0)
		ENDS_FIND(e, AUDIT_SESSION, "'%s' calls its peer %u '%s', and it is '%s'",
			  e->self->site, e->p->site_id, e->p->name, e->want->name);
	return true;
}

static bool ends_call_address(const struct ends *e)
{
	const struct fwd_session *s = forwarding_session(e->other, e->p->color);
	char address[IPV4_STRLEN];

	if (e->p->endpoint == e->other->node_address && s && e->p->port == s->listen_port)
		return true;
	ENDS_FIND(e, AUDIT_PEER_CALL,
		  "'%s' calls '%s' at %s:%u, where its session s%u does not listen", e->self->site,
		  e->other->site, ipv4_format(e->p->endpoint, address), e->p->port, e->p->color);
	return false;
}

static bool ends_call(const struct ends *e)
{
	uint32_t self = e->a->intent_by_id[e->self->site_id],
		 other = e->a->intent_by_id[e->other->site_id];
	bool said_here = e->self->site_id < e->other->site_id; /* by one end alone */

	if (e->p->caller == e->back->caller) {
		if (said_here)
			ENDS_FIND(e, AUDIT_PEER_CALL, "'%s' and '%s' %s each other in session s%u",
				  e->self->site, e->other->site,
				  e->p->caller ? "both call" : "both wait for", e->p->color);
		return false;
	}
	if (!e->p->caller)
		return true;
	if (!audit_policy_has(e->a, e->policy_index, SET_FROM, self) ||
	    !audit_policy_has(e->a, e->policy_index, SET_TO, other))
		ENDS_FIND(e, AUDIT_PEER_CALL,
			  "'%s' calls '%s' in session s%u, and policy '%s' has it the other way",
			  e->self->site, e->other->site, e->p->color, e->policy->name);
	return ends_call_address(e);
}

static bool list_has(const struct ipv4_prefix *list, size_t count, struct ipv4_prefix p)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].address == p.address && list[i].length == p.length)
			return true;
	return false;
}

static bool ends_prefixes(const struct ends *e)
{
	char out[IPV4_PREFIX_STRLEN];
	bool same = true;

	for (size_t i = 0; i < e->p->prefix_count; i++) {
		if (list_has(e->want->lans, e->want->lan_count, e->p->prefixes[i]))
			continue;
		ENDS_FIND(e, AUDIT_ALLOWED_IPS, "'%s' takes %s for '%s', which is no LAN of it",
			  e->self->site, ipv4_prefix_format(e->p->prefixes[i], out),
			  e->other->site);
		same = false;
	}
	for (size_t i = 0; i < e->want->lan_count; i++) {
		if (list_has(e->p->prefixes, e->p->prefix_count, e->want->lans[i]))
			continue;
		ENDS_FIND(e, AUDIT_ALLOWED_IPS, "'%s' does not know that %s is a LAN of '%s'",
			  e->self->site, ipv4_prefix_format(e->want->lans[i], out), e->other->site);
		same = false;
	}
	return same;
}

static bool ends_check(const struct ends *e)
{
	static bool (*const checks[])(const struct ends *) = {
	    ends_key,
	    ends_name,
	    ends_call,
	    ends_prefixes,
	};
	bool works = true;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		works &= checks[i](e);
	return works;
}

static bool peer_lawful(const struct audit *a, uint32_t s, const struct session_peer *sp)
{
	uint32_t self = a->intent[s], other = a->intent[sp->other];

	return self != NETWORK_NONE && other != NETWORK_NONE &&
	       (audit_intent(a, sp->policy, self, other) ||
		audit_intent(a, sp->policy, other, self));
}

static void peer_match(struct audit *a, uint32_t s, size_t i)
{
	const struct fwd_session_peer *p = &a->sites[s].peers[i];
	struct session_peer *sp = &a->peers[a->peer_first[s] + i];

	*sp = (struct session_peer){.other = audit_site_by_id(a, p->site_id),
				    .reverse = NETWORK_NONE,
				    .policy = audit_policy_of_color(a, p->color),
				    .session = NETWORK_NONE};
	if (sp->other != NETWORK_NONE && sp->policy != NETWORK_NONE)
		sp->lawful = peer_lawful(a, s, sp);
	if (sp->other != NETWORK_NONE)
		sp->reverse = audit_peer(a, sp->other, p->color, a->sites[s].site_id);
	if (!sp->lawful)
		audit_find(a, AUDIT_PEER_EXTRA, s, OBJECT_PEER, i,
			   sp->policy == NETWORK_NONE ? AUDIT_NOWHERE
						      : a->network->policies[sp->policy].place,
			   "'%s' has a session s%u with '%s', which no policy wants",
			   a->sites[s].site, p->color, p->name);
}

static void peer_check(struct audit *a, uint32_t s, size_t i)
{
	struct session_peer *sp = &a->peers[a->peer_first[s] + i];
	struct ends e = {.a = a,
			 .site = s,
			 .index = (uint32_t)i,
			 .self = &a->sites[s],
			 .p = &a->sites[s].peers[i]};

	if (!sp->lawful || sp->reverse == NETWORK_NONE)
		return;
	e.other = &a->sites[sp->other];
	e.back = &e.other->peers[sp->reverse - a->peer_first[sp->other]];
	e.want = &a->network->sites[a->intent[sp->other]];
	e.policy_index = sp->policy;
	e.policy = &a->network->policies[sp->policy];
	sp->works = ends_check(&e);
}

/* ---- what policy wants ---------------------------------------------------------------------- */

static void pair_want_at(struct audit *a, const struct policy *p, uint32_t self, uint32_t other)
{
	uint32_t s = audit_site_by_id(a, a->network->sites[self].id);

	if (s == NETWORK_NONE ||
	    audit_peer(a, s, p->color, a->network->sites[other].id) != NETWORK_NONE)
		return;
	audit_find(a, AUDIT_PEER_MISSING, s, OBJECT_NONE, 0, p->place,
		   "'%s' has no session s%u with '%s', which policy '%s' wants", a->sites[s].site,
		   p->color, a->network->sites[other].name, p->name);
}

static void policy_want(struct audit *a, uint32_t policy)
{
	const struct policy *p = &a->network->policies[policy];

	for (size_t i = 0; i < p->from.count; i++)
		for (size_t k = 0; k < p->to.count; k++) {
			uint32_t from = p->from.sites[i], to = p->to.sites[k];
			uint64_t intent = audit_intent(a, policy, from, to);

			if (!intent)
				continue;
			a->counts.pairs += (size_t)__builtin_popcountll(intent);
			pair_want_at(a, p, from, to);
			pair_want_at(a, p, to, from);
		}
}

/* ---- devices ------------------------------------------------------------------------------- */

static void session_check(struct audit *a, uint32_t s, size_t i)
{
	const struct forwarding *f = &a->sites[s];
	const struct fwd_session *e = &f->sessions[i];
	uint32_t policy = audit_policy_of_color(a, e->color);
	const struct policy *p;

	if (policy == NETWORK_NONE) {
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, AUDIT_NOWHERE,
			   "'%s' has a session s%u, and no policy that color", f->site, e->color);
		return;
	}
	p = &a->network->policies[policy];
	if (strcmp(e->policy, p->name) != 0)
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
			   "session s%u of '%s' is said to be of policy '%s', and is of '%s'",
			   e->color, f->site, e->policy, p->name);
	if (e->listen_port != a->network->session_port + e->color)
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
			   "session s%u of '%s' listens on port %u, and should on %u", e->color,
			   f->site, e->listen_port, a->network->session_port + e->color);
	if (e->listen_port == f->link_port)
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
			   "session s%u of '%s' listens on the links' port %u", e->color, f->site,
			   e->listen_port);
	if (e->revert_hold_ms != p->revert_hold_ms)
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
			   "session s%u of '%s' goes back after %u ms, and policy '%s' says %u",
			   e->color, f->site, e->revert_hold_ms, p->name, p->revert_hold_ms);
	if (e->revert_max_ms != p->revert_max_ms)
		audit_find(
		    a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
		    "session s%u of '%s' holds a path that fails often for %u ms at most, and "
		    "policy '%s' says %u",
		    e->color, f->site, e->revert_max_ms, p->name, p->revert_max_ms);
	if (e->degraded.loss_percent != p->degraded.loss_percent ||
	    e->degraded.round_trip_us != p->degraded.round_trip_us ||
	    e->degraded.jitter_us != p->degraded.jitter_us)
		audit_find(a, AUDIT_SESSION, s, OBJECT_SESSION, i, p->place,
			   "session s%u of '%s' calls a path degraded by other limits than policy "
			   "'%s'",
			   e->color, f->site, p->name);
}

static void sessions_of_site(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	size_t peer = 0;

	for (size_t i = 0; i < f->session_count; i++) {
		bool any = false;

		session_check(a, s, i);
		for (; peer < f->peer_count && f->peers[peer].color <= f->sessions[i].color; peer++)
			any |= f->peers[peer].color == f->sessions[i].color;
		if (!any)
			audit_find(a, AUDIT_USELESS, s, OBJECT_SESSION, i, AUDIT_NOWHERE,
				   "session s%u of '%s' has no peer", f->sessions[i].color,
				   f->site);
	}
	for (size_t i = 0; i < f->peer_count; i++)
		if (!forwarding_session(f, f->peers[i].color))
			audit_find(a, AUDIT_SESSION, s, OBJECT_PEER, i, AUDIT_NOWHERE,
				   "'%s' has a peer '%s' in session s%u, which is not there",
				   f->site, f->peers[i].name, f->peers[i].color);
}

/* ---- one prefix, one owner ------------------------------------------------------------------ */

struct owned {
	struct ipv4_prefix prefix;
	uint32_t color; /* 0: our own LAN */
	uint32_t site_id;
	uint32_t peer;
};

static int owned_compare(const void *x, const void *y)
{
	const struct owned *p = x, *q = y;

	if (p->prefix.address != q->prefix.address)
		return p->prefix.address < q->prefix.address ? -1 : 1;
	if (p->prefix.length != q->prefix.length)
		return p->prefix.length < q->prefix.length ? -1 : 1;
	if (p->color != q->color)
		return p->color < q->color ? -1 : 1;
	return p->peer < q->peer ? -1 : p->peer > q->peer;
}

/* The same LAN in several colors, or of two gateways that share it, in sessions both. */
static bool owned_lawful(const struct audit *a, const struct owned *x, const struct owned *y)
{
	uint32_t p = audit_site_by_id(a, x->site_id), q = audit_site_by_id(a, y->site_id);

	if (x->site_id == y->site_id)
		return x->color != y->color;
	return x->color && y->color && p != NETWORK_NONE && q != NETWORK_NONE &&
	       a->intent[p] != NETWORK_NONE && a->intent[q] != NETWORK_NONE &&
	       network_shares_lan(a->network, a->intent[p], a->intent[q]) &&
	       x->prefix.address == y->prefix.address && x->prefix.length == y->prefix.length;
}

/* A session has a device for each gateway of a LAN: @ranks are taken by those of @o's LAN and color that come before it. */
static bool owned_apart(const struct audit *a, uint32_t s, const struct owned *o, uint32_t *ranks)
{
	uint8_t rank = o->color ? a->sites[s].peers[o->peer].rank : 0;
	uint32_t bit = UINT32_C(1) << rank % 32; /* rank_check() says which there are */
	bool apart = !(*ranks & bit);

	*ranks |= bit;
	return apart;
}

static bool owned_same(const struct owned *x, const struct owned *y)
{
	return x->prefix.address == y->prefix.address && x->prefix.length == y->prefix.length &&
	       x->color == y->color;
}

/* Of those that lead to one LAN each has its place; who is alone, the first. */
static void rank_check(struct audit *a, uint32_t s, size_t i)
{
	const struct forwarding *f = &a->sites[s];
	const struct fwd_session_peer *p = &f->peers[i];
	const struct fwd_session *e = forwarding_session(f, p->color);
	uint32_t before = 0, others = 0;

	for (size_t k = 0; p->caller && k < f->peer_count; k++) {
		uint32_t x = a->peers[a->peer_first[s] + i].other,
			 y = a->peers[a->peer_first[s] + k].other;

		if (k == i || f->peers[k].color != p->color || x == NETWORK_NONE ||
		    y == NETWORK_NONE || a->intent[x] == NETWORK_NONE ||
		    a->intent[y] == NETWORK_NONE ||
		    !network_shares_lan(a->network, a->intent[x], a->intent[y]))
			continue;
		others++;
		before |= f->peers[k].rank < 32 ? 1u << f->peers[k].rank : 0;
	}
	if (p->rank <= others && !(before & 1u << p->rank) &&
	    (!p->rank || (e && forwarding_session_port(e, p->rank))))
		return;
	audit_find(a, AUDIT_SESSION, s, OBJECT_PEER, i, AUDIT_NOWHERE,
		   "'%s' has '%s' as number %u of the %u gateways to its LAN in session s%u",
		   f->site, p->name, p->rank + 1u, others + 1, p->color);
}

static void owned_check(struct audit *a, uint32_t s, const struct owned *list, size_t count)
{
	const struct forwarding *f = &a->sites[s];
	const struct owned *widest = list;
	char x[IPV4_PREFIX_STRLEN], y[IPV4_PREFIX_STRLEN];
	uint32_t ranks = 0;

	for (size_t i = 0; i < count; i++) {
		const struct owned *o = &list[i];
		bool apart;

		if (!i || !owned_same(&list[i - 1], o))
			ranks = 0;
		apart = owned_apart(a, s, o, &ranks);
		if (!i || !ipv4_prefix_overlaps(widest->prefix, o->prefix)) {
			widest = o;
			continue;
		}
		if (apart && owned_lawful(a, widest, o))
			continue;
		audit_find(a, AUDIT_OVERLAP, s, o->color ? OBJECT_PEER : OBJECT_LAN,
			   o->color ? o->peer : 0, AUDIT_NOWHERE,
			   "at '%s' the prefix %s of site %u overlaps %s of site %u", f->site,
			   ipv4_prefix_format(o->prefix, x), o->site_id,
			   ipv4_prefix_format(widest->prefix, y), widest->site_id);
	}
}

static int overlaps_of_site(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	size_t room = f->lan_count, count = 0;
	struct owned *list;

	for (size_t i = 0; i < f->peer_count; i++)
		room += f->peers[i].prefix_count;
	list = calloc(room + 1, sizeof(*list));
	if (!list)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < f->lan_count; i++)
		list[count++] = (struct owned){f->lans[i], 0, f->site_id, 0};
	for (size_t i = 0; i < f->peer_count; i++)
		for (size_t k = 0; k < f->peers[i].prefix_count; k++)
			list[count++] = (struct owned){f->peers[i].prefixes[k], f->peers[i].color,
						       f->peers[i].site_id, (uint32_t)i};
	qsort(list, count, sizeof(*list), owned_compare);
	owned_check(a, s, list, count);
	free(list);
	return 0;
}

/* ---- all sessions ------------------------------------------------------------------------- */

static void sessions_count(struct audit *a)
{
	size_t count = 0;

	for (uint32_t s = 0; s < a->count; s++) {
		a->session_first[s] = (uint32_t)count;
		for (size_t i = 0; i < a->sites[s].peer_count; i++)
			count +=
			    a->sites[s].peers[i].caller && a->peers[a->peer_first[s] + i].lawful;
	}
	a->session_first[a->count] = (uint32_t)count;
}

/* Of whom the head-end's end is there and lawful; numbered in the order of sites. */
static int sessions_list(struct audit *a)
{
	sessions_count(a);
	a->sessions = calloc(a->session_first[a->count] + 1, sizeof(*a->sessions));
	if (!a->sessions)
		return -TUYEN_ENOMEM;
	for (uint32_t s = 0; s < a->count; s++)
		for (size_t i = 0; i < a->sites[s].peer_count; i++) {
			struct session_peer *sp = &a->peers[a->peer_first[s] + i];

			if (!a->sites[s].peers[i].caller || !sp->lawful)
				continue;
			sp->session = (uint32_t)a->session_count;
			if (sp->reverse != NETWORK_NONE &&
			    a->peers[sp->reverse].session == NETWORK_NONE)
				a->peers[sp->reverse].session = sp->session;
			a->sessions[a->session_count++] = (struct audit_session){
			    .head = a->intent[s],
			    .endpoint = a->intent[sp->other],
			    .policy = sp->policy,
			    .color = a->sites[s].peers[i].color,
			    .lawful = sp->works && sp->reverse != NETWORK_NONE &&
				      a->peers[sp->reverse].works,
			};
		}
	a->counts.sessions = a->session_count;
	return 0;
}

static int peers_match(struct audit *a, uint32_t from, uint32_t to)
{
	for (uint32_t s = from; s < to; s++)
		for (size_t i = 0; i < a->sites[s].peer_count; i++)
			peer_match(a, s, i);
	return 0;
}

static int peers_check(struct audit *a, uint32_t from, uint32_t to)
{
	for (uint32_t s = from; s < to; s++) {
		for (size_t i = 0; i < a->sites[s].peer_count; i++)
			peer_check(a, s, i);
		for (size_t i = 0; i < a->sites[s].peer_count; i++)
			if (a->sites[s].peers[i].caller || a->sites[s].peers[i].rank)
				rank_check(a, s, i);
		sessions_of_site(a, s);
		if (overlaps_of_site(a, s) < 0)
			return -TUYEN_ENOMEM;
	}
	return 0;
}

int audit_peers(struct audit *a)
{
	int err = audit_divide(a, peers_match);

	if (!err)
		err = audit_divide(a, peers_check);
	if (err)
		return err;
	for (uint32_t p = 0; p < a->network->policy_count; p++)
		policy_want(a, p);
	return sessions_list(a);
}
