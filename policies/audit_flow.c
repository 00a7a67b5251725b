/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of both ends against policy, as boxes: protocol x ports x destination x source. At one
 * site, for one peer and one direction, what rules let through is a set of boxes, and what policy
 * allows is another. Both are cut along the LANs of the two ends; then each box of the one must lie
 * within a box of the other. So a rule that says the same in other words passes, and one that says
 * a port more does not.
 *
 * A rule that names some peers by prefix is found at those peers by a search, not tried at all of
 * them.
 */
#include "audit_internal.h"

#include <stdio.h>
#include <string.h>

struct box {
	uint8_t protocol; /* 0 any */
	uint16_t port_first, port_last;
	struct ipv4_prefix to, from; /* length 0 any */
	bool has_dscp;		     /* else any */
	uint8_t dscp;
};

/* A prefix of a peer, to find the peers of a rule; or a rule of a peer. */
struct owned {
	struct ipv4_prefix prefix;
	uint32_t peer;
};

struct rule_at {
	uint32_t peer, rule;
};

/* A site's rules of one color and direction. */
struct flows {
	struct audit *a;
	uint32_t site;
	const struct forwarding *f;
	const struct policy *policy;
	uint32_t policy_index, color;
	bool outbound;
	size_t peer_first, peer_end; /* in the site's peers */
	struct owned *owned;	     /* prefixes of those, sorted */
	size_t owned_count;
	uint32_t *wide; /* rules for every peer */
	size_t wide_count;
	struct rule_at *some; /* of single peers, by peer */
	size_t some_count, some_room;
	uint64_t *touched;	      /* of one peer, bit i: packets of the audit's asked[i] */
	uint64_t *covered;	      /* and bit i: all of them */
	uint32_t *too_much, *example; /* by rule: peers for whom it is, and one of them */
	size_t missing[64];	      /* by the policy's class */
	uint32_t missing_example[64];
};

static struct box box_of_rule(const struct fwd_rule *r)
{
	return (struct box){r->protocol, r->port_first, r->port_last, r->to,
			    r->from,	 r->has_dscp,	r->dscp};
}

static struct box box_of_match(const struct class_match *m)
{
	return (struct box){m->protocol, m->port_first, m->port_last, m->to,
			    {0},	 m->has_dscp,	m->dscp};
}

/* @return false when nothing is left of @p within @lan. */
static bool cut(struct ipv4_prefix *p, struct ipv4_prefix lan)
{
	if (!p->length) {
		*p = lan;
		return true;
	}
	if (!ipv4_prefix_overlaps(*p, lan))
		return false;
	if (lan.length > p->length)
		*p = lan;
	return true;
}

static bool box_cut(struct box *b, struct ipv4_prefix to, struct ipv4_prefix from)
{
	return cut(&b->to, to) && cut(&b->from, from);
}

static bool prefix_within(struct ipv4_prefix inner, struct ipv4_prefix outer)
{
	return inner.length >= outer.length && ipv4_prefix_contains(outer, inner.address);
}

static bool box_within(const struct box *inner, const struct box *outer)
{
	return (!outer->protocol || inner->protocol == outer->protocol) &&
	       inner->port_first >= outer->port_first && inner->port_last <= outer->port_last &&
	       (!outer->has_dscp || (inner->has_dscp && inner->dscp == outer->dscp)) &&
	       prefix_within(inner->to, outer->to) && prefix_within(inner->from, outer->from);
}

static bool box_meets(const struct box *x, const struct box *y)
{
	return (!x->protocol || !y->protocol || x->protocol == y->protocol) &&
	       x->port_first <= y->port_last && y->port_first <= x->port_last &&
	       (!x->has_dscp || !y->has_dscp || x->dscp == y->dscp) &&
	       ipv4_prefix_overlaps(x->to, y->to) && ipv4_prefix_overlaps(x->from, y->from);
}

/* ---- which rules are for which peers --------------------------------------------------------- */

static struct ipv4_prefix rule_far(const struct fwd_rule *r)
{
	return r->outbound ? r->to : r->from;
}

static int owned_compare(const void *x, const void *y)
{
	const struct owned *p = x, *q = y;

	return p->prefix.address < q->prefix.address ? -1 : p->prefix.address > q->prefix.address;
}

static int rule_at_compare(const void *x, const void *y)
{
	const struct rule_at *p = x, *q = y;

	if (p->peer != q->peer)
		return p->peer < q->peer ? -1 : 1;
	return p->rule < q->rule ? -1 : p->rule > q->rule;
}

static bool some_add(struct flows *w, uint32_t peer, uint32_t rule)
{
	if (w->some_count == w->some_room) {
		size_t room = w->some_room ? 2 * w->some_room : 256;
		struct rule_at *larger = realloc(w->some, room * sizeof(*larger));

		if (!larger) {
			w->a->failed = true;
			return false;
		}
		w->some = larger;
		w->some_room = room;
	}
	w->some[w->some_count++] = (struct rule_at){peer, rule};
	return true;
}

/* Prefixes of peers do not overlap (else it is a finding): those that meet @far stand side by side.
 */
static size_t peers_of_prefix(struct flows *w, struct ipv4_prefix far, uint32_t rule)
{
	uint32_t last = far.address | ~ipv4_netmask(far.length);
	size_t low = 0, high = w->owned_count, found = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct ipv4_prefix p = w->owned[middle].prefix;

		if ((p.address | ~ipv4_netmask(p.length)) < far.address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < w->owned_count && w->owned[low].prefix.address <= last; low++, found++)
		if (!some_add(w, w->owned[low].peer, rule))
			return found;
	return found;
}

static bool prefix_whole(struct ipv4_prefix p)
{
	return p.length <= 32 && !(p.address & ~ipv4_netmask(p.length));
}

static void rule_prefixes_check(struct flows *w, size_t rule)
{
	const struct fwd_rule *r = &w->f->rules[rule];

	if (!prefix_whole(r->to) || !prefix_whole(r->from))
		audit_find(
		    w->a, AUDIT_RULE_CLASS, w->site, OBJECT_RULE, rule, w->policy->place,
		    "a rule of '%s' names a prefix that is none: bits are set below its length",
		    w->f->site);
}

static void rule_class_check(struct flows *w, size_t rule)
{
	const struct fwd_rule *r = &w->f->rules[rule];
	const struct network *n = w->a->network;

	for (size_t i = 0; i < w->policy->class_count; i++) {
		const struct traffic_class *c = &n->classes[w->policy->classes[i]];

		if (strcmp(c->name, r->class_name) != 0)
			continue;
		if (c->priority != r->priority)
			audit_find(w->a, AUDIT_RULE_CLASS, w->site, OBJECT_RULE, rule, c->place,
				   "a rule of '%s' gives class '%s' priority %u, and it has %u",
				   w->f->site, c->name, r->priority, c->priority);
		return;
	}
	audit_find(w->a, AUDIT_RULE_CLASS, w->site, OBJECT_RULE, rule, w->policy->place,
		   "a rule of '%s' is of class '%s', which policy '%s' does not carry", w->f->site,
		   r->class_name, w->policy->name);
}

static void rules_sort_out(struct flows *w)
{
	w->wide_count = w->some_count = 0;
	for (size_t i = 0; i < w->f->rule_count; i++) {
		const struct fwd_rule *r = &w->f->rules[i];

		if (r->color != w->color || r->outbound != w->outbound)
			continue;
		rule_class_check(w, i);
		rule_prefixes_check(w, i);
		if (!rule_far(r).length)
			w->wide[w->wide_count++] = (uint32_t)i;
		else if (!peers_of_prefix(w, rule_far(r), (uint32_t)i))
			audit_find(w->a, AUDIT_USELESS, w->site, OBJECT_RULE, i, w->policy->place,
				   "a rule of '%s' in session s%u is for no peer", w->f->site,
				   w->color);
	}
	if (w->some_count > 1)
		qsort(w->some, w->some_count, sizeof(*w->some), rule_at_compare);
}

static void owned_list(struct flows *w)
{
	w->owned_count = 0;
	for (size_t i = w->peer_first; i < w->peer_end; i++)
		for (size_t k = 0; k < w->f->peers[i].prefix_count; k++)
			w->owned[w->owned_count++] =
			    (struct owned){w->f->peers[i].prefixes[k], (uint32_t)i};
	qsort(w->owned, w->owned_count, sizeof(*w->owned), owned_compare);
}

/* ---- one peer ----------------------------------------------------------------------------------
 */

/* Boxes of one peer: rules', or policy's. */
struct boxes {
	struct box box[512];
	uint32_t of[512]; /* rule, or bit of the class */
	size_t count;
	bool full;
};

static void boxes_add(struct boxes *b, struct box box, uint32_t of)
{
	if (b->count == sizeof(b->box) / sizeof(b->box[0])) {
		b->full = true;
		return;
	}
	b->box[b->count] = box;
	b->of[b->count++] = of;
}

struct meeting {
	struct boxes rules, wanted;
};

static void boxes_of_rules(const struct flows *w, uint32_t peer, size_t *some, struct boxes *b)
{
	b->count = 0;
	for (size_t i = 0; i < w->wide_count; i++)
		boxes_add(b, box_of_rule(&w->f->rules[w->wide[i]]), w->wide[i]);
	for (; *some < w->some_count && w->some[*some].peer == peer; (*some)++)
		boxes_add(b, box_of_rule(&w->f->rules[w->some[*some].rule]), w->some[*some].rule);
}

static void boxes_of_policy(const struct flows *w, uint64_t intent, struct boxes *b)
{
	b->count = 0;
	for (uint32_t bit = 0; bit < w->policy->class_count && bit < 64; bit++) {
		const struct traffic_class *c = &w->a->network->classes[w->policy->classes[bit]];

		for (size_t i = 0; intent >> bit & 1 && i < c->match_count; i++)
			boxes_add(b, box_of_match(&c->matches[i]), bit);
	}
}

typedef bool box_relation(const struct box *a, const struct box *b);

/* Is @box to any of @b, as far as that lies between these two networks, as @relation says? */
static bool to_any(const struct box *box, box_relation *relation, const struct boxes *b,
		   struct ipv4_prefix to, struct ipv4_prefix from)
{
	for (size_t i = 0; i < b->count; i++) {
		struct box other = b->box[i];

		if (box_cut(&other, to, from) && relation(box, &other))
			return true;
	}
	return false;
}

static void excess_at(struct flows *w, uint32_t peer, const struct meeting *m,
		      struct ipv4_prefix to, struct ipv4_prefix from)
{
	for (size_t i = 0; i < m->rules.count; i++) {
		struct box box = m->rules.box[i];
		uint32_t rule = m->rules.of[i];

		if (!box_cut(&box, to, from) || to_any(&box, box_within, &m->wanted, to, from))
			continue;
		if (w->too_much[rule]++ == 0)
			w->example[rule] = peer;
	}
}

/* The matches of a class that is asked for; NETWORK_NONE: any packet at all. */
static size_t asked_matches(const struct audit *a, uint32_t class_index,
			    const struct class_match **ret_matches)
{
	static const struct class_match any = {.port_last = UINT16_MAX};

	if (class_index == NETWORK_NONE) {
		*ret_matches = &any;
		return 1;
	}
	*ret_matches = a->network->classes[class_index].matches;
	return a->network->classes[class_index].match_count;
}

/* Does any packet of the class pass? */
static bool class_touched(const struct audit *a, uint32_t class_index, const struct meeting *m,
			  struct ipv4_prefix to, struct ipv4_prefix from)
{
	const struct class_match *matches;
	size_t count = asked_matches(a, class_index, &matches);

	for (size_t k = 0; k < count; k++) {
		struct box x = box_of_match(&matches[k]);

		if (box_cut(&x, to, from) && to_any(&x, box_meets, &m->rules, to, from))
			return true;
	}
	return false;
}

/* Do all of them that go there? */
static bool class_covered(const struct audit *a, uint32_t class_index, const struct meeting *m,
			  struct ipv4_prefix to, struct ipv4_prefix from)
{
	const struct class_match *matches;
	size_t count = asked_matches(a, class_index, &matches);

	for (size_t k = 0; k < count; k++) {
		struct box x = box_of_match(&matches[k]);

		if (box_cut(&x, to, from) && !to_any(&x, box_within, &m->rules, to, from))
			return false;
	}
	return true;
}

/* @return which of @intent's classes are wholly open between these two LANs. */
static uint64_t lack_at(const struct meeting *m, uint64_t intent, struct ipv4_prefix to,
			struct ipv4_prefix from)
{
	uint64_t open = intent;

	for (size_t i = 0; i < m->wanted.count; i++) {
		struct box box = m->wanted.box[i];

		if (box_cut(&box, to, from) && !to_any(&box, box_within, &m->rules, to, from))
			open &= ~(UINT64_C(1) << m->wanted.of[i]);
	}
	return open;
}

static void asked_at(struct flows *w, const struct meeting *m, struct ipv4_prefix to,
		     struct ipv4_prefix from)
{
	const struct audit *a = w->a;

	for (size_t i = 0; i < a->asked_count; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if (!(w->touched[i / 64] & bit) && class_touched(a, a->asked[i], m, to, from))
			w->touched[i / 64] |= bit;
		if (w->covered[i / 64] & bit && !class_covered(a, a->asked[i], m, to, from))
			w->covered[i / 64] &= ~bit;
	}
}

/* Both its ends do. */
static void session_narrow(struct flows *w, uint32_t peer, uint64_t open)
{
	struct audit *a = w->a;
	uint32_t session = a->peers[a->peer_first[w->site] + peer].session;
	struct audit_session *s;
	uint64_t *touches, *covers;
	bool back;

	if (session == NETWORK_NONE)
		return;
	s = &a->sessions[session];
	back = (s->head == a->intent[w->site]) != w->outbound;
	__atomic_fetch_and(back ? &s->opens_back : &s->opens, open, __ATOMIC_RELAXED);
	touches = audit_touches(a, session, back);
	covers = audit_covers(a, session, back);
	for (size_t i = 0; i < a->asked_words; i++) {
		__atomic_fetch_and(&touches[i], w->touched[i], __ATOMIC_RELAXED);
		__atomic_fetch_and(&covers[i], w->covered[i], __ATOMIC_RELAXED);
	}
}

static void lack_note(struct flows *w, uint32_t peer, uint64_t lacking)
{
	for (; lacking; lacking &= lacking - 1) {
		int bit = __builtin_ctzll(lacking);

		if (w->missing[bit]++ == 0)
			w->missing_example[bit] = peer;
	}
}

static void peer_compare(struct flows *w, uint32_t peer, size_t *some, struct meeting *m)
{
	struct audit *a = w->a;
	const struct session_peer *sp = &a->peers[a->peer_first[w->site] + peer];
	const struct fwd_session_peer *p = &w->f->peers[peer];
	uint32_t self = a->intent[w->site],
		 other = sp->other == NETWORK_NONE ? NETWORK_NONE : a->intent[sp->other];
	uint64_t intent = 0, open;

	if (self != NETWORK_NONE && other != NETWORK_NONE)
		intent = audit_intent(a, w->policy_index, w->outbound ? self : other,
				      w->outbound ? other : self);
	boxes_of_rules(w, peer, some, &m->rules);
	boxes_of_policy(w, intent, &m->wanted);
	open = intent;
	memset(w->touched, 0, a->asked_words * sizeof(*w->touched));
	memset(w->covered, 0xff, a->asked_words * sizeof(*w->covered));
	for (size_t i = 0; i < p->prefix_count; i++)
		for (size_t k = 0; k < w->f->lan_count; k++) {
			struct ipv4_prefix to = w->outbound ? p->prefixes[i] : w->f->lans[k];
			struct ipv4_prefix from = w->outbound ? w->f->lans[k] : p->prefixes[i];

			excess_at(w, peer, m, to, from);
			open &= lack_at(m, intent, to, from);
			asked_at(w, m, to, from);
		}
	a->counts.rules_compared += m->rules.count;
	lack_note(w, peer, intent & ~open);
	session_narrow(w, peer, open);
}

/* ---- what is said about one site, color and direction ------------------------------------------
 */

static void rule_describe(const struct fwd_rule *r, struct text *t)
{
	char out[IPV4_PREFIX_STRLEN];

	if (r->protocol)
		text_printf(t, "protocol %u", r->protocol);
	else
		text_add(t, "any protocol");
	if (r->port_first == r->port_last)
		text_printf(t, " port %u", r->port_first);
	else if (r->port_first || r->port_last != 65535)
		text_printf(t, " ports %u-%u", r->port_first, r->port_last);
	if (r->has_dscp)
		text_printf(t, " dscp %u", r->dscp);
	if (r->to.length)
		text_printf(t, " to %s", ipv4_prefix_format(r->to, out));
	if (r->from.length)
		text_printf(t, " from %s", ipv4_prefix_format(r->from, out));
}

static void excess_report(struct flows *w)
{
	for (size_t i = 0; i < w->f->rule_count; i++) {
		const struct fwd_rule *r = &w->f->rules[i];
		struct text t;

		if (!w->too_much[i])
			continue;
		text_init(&t);
		rule_describe(r, &t);
		audit_find(
		    w->a, AUDIT_RULE_WIDE, w->site, OBJECT_RULE, i, w->policy->place,
		    "a rule of '%s' lets %s %s '%s' by session s%u (class '%s'), which policy '%s' "
		    "does not allow%s",
		    w->f->site, text_string(&t), w->outbound ? "go to" : "come from",
		    w->f->peers[w->example[i]].name, w->color, r->class_name, w->policy->name,
		    w->too_much[i] > 1 ? "; and to others" : "");
		text_clear(&t);
		w->too_much[i] = 0;
	}
}

static void lack_report(struct flows *w)
{
	for (size_t bit = 0; bit < w->policy->class_count && bit < 64; bit++) {
		const struct traffic_class *c = &w->a->network->classes[w->policy->classes[bit]];

		if (w->missing[bit])
			audit_find(
			    w->a, AUDIT_RULE_MISSING, w->site, OBJECT_NONE, 0, w->policy->place,
			    "no rule of '%s' lets all of class '%s' %s '%s' by session s%u%s",
			    w->f->site, c->name, w->outbound ? "go to" : "come from",
			    w->f->peers[w->missing_example[bit]].name, w->color,
			    w->missing[bit] > 1 ? ", nor for others" : "");
	}
}

static void direction_compare(struct flows *w, bool outbound, struct meeting *m)
{
	size_t some = 0;

	w->outbound = outbound;
	memset(w->missing, 0, sizeof(w->missing));
	rules_sort_out(w);
	for (size_t p = w->peer_first; p < w->peer_end; p++)
		peer_compare(w, (uint32_t)p, &some, m);
	if (m->rules.full || m->wanted.full)
		audit_find(w->a, AUDIT_RULE_WIDE, w->site, OBJECT_NONE, 0, w->policy->place,
			   "'%s' has more than %zu rules for one peer in session s%u: not all were "
			   "compared",
			   w->f->site, sizeof(m->rules.box) / sizeof(m->rules.box[0]), w->color);
	m->rules.full = m->wanted.full = false;
	excess_report(w);
	lack_report(w);
}

static void color_compare(struct flows *w, struct meeting *m)
{
	w->policy_index = audit_policy_of_color(w->a, w->color);
	if (w->policy_index == NETWORK_NONE)
		return; /* each of its peers is a finding */
	w->policy = &w->a->network->policies[w->policy_index];
	owned_list(w);
	direction_compare(w, true, m);
	direction_compare(w, false, m);
}

static bool color_has_peers(const struct forwarding *f, uint32_t color)
{
	for (size_t i = 0; i < f->peer_count; i++)
		if (f->peers[i].color == color)
			return true;
	return false;
}

static void rules_without_peers(struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	bool any = true;

	for (size_t i = 0; i < f->rule_count; i++) {
		if (!i || f->rules[i].color != f->rules[i - 1].color)
			any = color_has_peers(f, f->rules[i].color);
		if (!any)
			audit_find(a, AUDIT_USELESS, s, OBJECT_RULE, i, AUDIT_NOWHERE,
				   "a rule of '%s' is of session s%u, which has no peer", f->site,
				   f->rules[i].color);
	}
}

static void flows_clear(struct flows *w)
{
	free(w->owned);
	free(w->wide);
	free(w->some);
	free(w->touched);
	free(w->covered);
	free(w->too_much);
	free(w->example);
}

static bool flows_init(struct flows *w, struct audit *a, uint32_t s)
{
	const struct forwarding *f = &a->sites[s];
	size_t prefixes = 0;

	*w = (struct flows){.a = a, .site = s, .f = f};
	for (size_t i = 0; i < f->peer_count; i++)
		prefixes += f->peers[i].prefix_count;
	w->owned = calloc(prefixes + 1, sizeof(*w->owned));
	w->wide = calloc(f->rule_count + 1, sizeof(*w->wide));
	w->touched = calloc(a->asked_words + 1, sizeof(*w->touched));
	w->covered = calloc(a->asked_words + 1, sizeof(*w->covered));
	w->too_much = calloc(f->rule_count + 1, sizeof(*w->too_much));
	w->example = calloc(f->rule_count + 1, sizeof(*w->example));
	return w->owned && w->wide && w->touched && w->covered && w->too_much && w->example;
}

static bool site_compare(struct audit *a, uint32_t s, struct meeting *m)
{
	const struct forwarding *f = &a->sites[s];
	struct flows w;
	bool ok = flows_init(&w, a, s);

	for (size_t i = 0; ok && i < f->peer_count; i = w.peer_end) {
		w.color = f->peers[i].color;
		w.peer_first = w.peer_end = i;
		while (w.peer_end < f->peer_count && f->peers[w.peer_end].color == w.color)
			w.peer_end++;
		color_compare(&w, m);
	}
	rules_without_peers(a, s);
	flows_clear(&w);
	return ok;
}

static int flows_compare(struct audit *a, uint32_t from, uint32_t to)
{
	struct meeting *m = calloc(1, sizeof(*m));
	bool ok = m != NULL;

	for (uint32_t s = from; ok && s < to; s++)
		ok = site_compare(a, s, m);
	free(m);
	return ok ? 0 : -TUYEN_ENOMEM;
}

static int asked_compare(const void *x, const void *y)
{
	const uint32_t *p = x, *q = y;

	return *p < *q ? -1 : *p > *q;
}

/* A class that no policy carries is asked for too: others may hold its packets. */
static bool asked_build(struct audit *a)
{
	const struct network *n = a->network;
	size_t kept = 0;

	a->asked = calloc(n->expectation_count + 1, sizeof(*a->asked));
	if (!a->asked)
		return false;
	for (size_t i = 0; i < n->expectation_count; i++)
		a->asked[a->asked_count++] = n->expectations[i].class_index;
	if (a->asked_count > 1)
		qsort(a->asked, a->asked_count, sizeof(*a->asked), asked_compare);
	for (size_t i = 0; i < a->asked_count; i++)
		if (!kept || a->asked[kept - 1] != a->asked[i])
			a->asked[kept++] = a->asked[i];
	a->asked_count = kept;
	a->asked_words = (kept + 63) / 64;
	a->touches = malloc((4 * a->session_count * a->asked_words + 1) * sizeof(*a->touches));
	return a->touches != NULL;
}

uint64_t *audit_touches(const struct audit *a, uint32_t session, bool back)
{
	return a->touches + (4 * (size_t)session + back) * a->asked_words;
}

uint64_t *audit_covers(const struct audit *a, uint32_t session, bool back)
{
	return a->touches + (4 * (size_t)session + 2 + back) * a->asked_words;
}

int audit_flows(struct audit *a)
{
	if (!asked_build(a))
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < a->session_count; i++) {
		struct audit_session *s = &a->sessions[i];

		s->opens = s->opens_back = s->lawful ? UINT64_MAX : 0;
		memset(audit_touches(a, (uint32_t)i, false), s->lawful ? 0xff : 0,
		       4 * a->asked_words * sizeof(*a->touches));
	}
	return audit_divide(a, flows_compare);
}
