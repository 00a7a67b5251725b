/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof of one change. Steps: who stays (identities, networks), then each session that both releases have, then every
 * stack that a node accepts, then who may open what.
 *
 * Of a session, the node carries over the path in use by its way, not by its index (core/selection.c): so here. A path is
 *
 *   sure   it works whatever releases the others have;
 *   rising once it works it works on, as more and more nodes get the new release: tried with every subset of the nodes
 *          on its way, all others free.
 *
 * The path in use must be sure before, and sure after if the new release has it. Whatever the head-end may change to
 * (what ranks above it) must be sure or rising. If the new release has it not, the best sure path of both takes over at
 * once, for what is known to be up comes first.
 */
#include "migrate_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/topology/mtu.h"

#define RISING_NODES_MAX 10

struct migrate_proof {
	struct mix mix;
	unsigned flags;
	struct migrate_finding *findings;
	size_t finding_count, finding_room;
	size_t found[MIGRATE_KINDS];
	struct migrate_site *sites;
	size_t site_count, site_room;
	struct migrate_counts counts;
	bool failed;
};

static const struct {
	const char *name, *summary;
} kinds[MIGRATE_KINDS] = {
    [MIGRATE_IDENTITY] = {"identity", "a site does not stay what it is"},
    [MIGRATE_LAN] = {"lan", "a network changes its owner"},
    [MIGRATE_PEER] = {"peer", "the ends of a session would not agree"},
    [MIGRATE_BREAK] = {"break", "the path in use breaks before another is made"},
    [MIGRATE_UNREADY] = {"unready", "a site would change to a path that may fail again"},
    [MIGRATE_MTU] = {"mtu", "packets would not fit the path"},
    [MIGRATE_LEAK] = {"leak", "a stack would end where neither release leads it"},
    [MIGRATE_OPEN] = {"open", "a connection would open that neither release allows"},
    [MIGRATE_LOST] = {"lost", "a connection between sites that stay is lost"},
};

const char *migrate_kind_name(enum migrate_kind kind)
{
	return kinds[kind].name;
}

const char *migrate_kind_summary(enum migrate_kind kind)
{
	return kinds[kind].summary;
}

/* ---- findings ------------------------------------------------------------------------------ */

static void *grow(struct migrate_proof *p, void *array, size_t *count, size_t *room, size_t size)
{
	void **at = array;
	char *entry;

	if (*count == *room) {
		size_t more = *room ? 2 * *room : 64;
		void *larger = reallocarray(*at, more, size);

		if (!larger) {
			p->failed = true;
			return NULL;
		}
		*at = larger;
		*room = more;
	}
	entry = (char *)*at + (*count)++ * size;
	memset(entry, 0, size);
	return entry;
}

static void find(struct migrate_proof *p, enum migrate_kind kind, uint32_t site, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));

static void find(struct migrate_proof *p, enum migrate_kind kind, uint32_t site, const char *format,
		 ...)
{
	struct migrate_finding *f;
	va_list ap;

	if (p->found[kind]++ >= MIGRATE_KEPT_MAX)
		return;
	f = grow(p, &p->findings, &p->finding_count, &p->finding_room, sizeof(*f));
	if (!f)
		return;
	f->kind = kind;
	f->site_id = site;
	va_start(ap, format);
	if (vasprintf(&f->text, format, ap) < 0) {
		f->text = NULL;
		p->failed = true;
	}
	va_end(ap);
}

/* ---- who stays ----------------------------------------------------------------------------- */

static bool overlay_same(const struct forwarding *a, const struct forwarding *b)
{
	for (int i = 0; i < 2; i++)
		if (a->overlay[i].address != b->overlay[i].address ||
		    a->overlay[i].length != b->overlay[i].length)
			return false;
	return true;
}

static void identity_check(struct migrate_proof *p, const struct forwarding *a,
			   const struct forwarding *b)
{
	const struct mix *m = &p->mix;
	uint32_t id = a->site_id;
	const char *what = NULL;

	if (a->link_address != b->link_address)
		what = "link address";
	else if (a->node_address != b->node_address)
		what = "node address";
	else if (a->own_label != b->own_label || a->srgb.base != b->srgb.base)
		what = "label";
	else if (!overlay_same(a, b))
		what = "overlay";
	else if (a->link_port != b->link_port)
		what = "link port";
	else if (a->parallel_address && b->parallel_address &&
		 a->parallel_address != b->parallel_address)
		what = "address of parallel links";
	else if (m->has_key[0][id] && m->has_key[1][id] &&
		 memcmp(m->link_key[0][id], m->link_key[1][id], WG_KEY_LEN) != 0)
		what = "link key";
	if (!what)
		return;
	if (strcmp(a->site, b->site) != 0)
		find(p, MIGRATE_IDENTITY, id,
		     "site %u: another %s in the new release, where it is called '%s' and not '%s'",
		     id, what, b->site, a->site);
	else
		find(p, MIGRATE_IDENTITY, id, "site %u '%s': another %s in the new release", id,
		     a->site, what);
}

static void sites_compare(struct migrate_proof *p)
{
	for (uint32_t id = 1; id <= SITE_ID_MAX; id++) {
		const struct forwarding *a = mix_site(&p->mix, 0, id),
					*b = mix_site(&p->mix, 1, id);

		p->counts.sites_kept += a && b;
		p->counts.sites_gained += !a && b;
		p->counts.sites_lost += a && !b;
		if (a && b)
			identity_check(p, a, b);
	}
}

struct lan {
	struct ipv4_prefix prefix;
	uint32_t site;
	int release;
	bool shared;
};

static int lan_compare(const void *x, const void *y)
{
	const struct lan *a = x, *b = y;

	if (a->prefix.address != b->prefix.address)
		return a->prefix.address < b->prefix.address ? -1 : 1;
	if (a->prefix.length != b->prefix.length)
		return a->prefix.length < b->prefix.length ? -1 : 1;
	if (a->site != b->site)
		return a->site < b->site ? -1 : 1;
	return a->release - b->release;
}

static uint32_t lan_last(const struct lan *l)
{
	return l->prefix.address | ~ipv4_netmask(l->prefix.length);
}

static void lans_compare(struct migrate_proof *p, struct lan *lans, size_t count)
{
	const struct lan *widest[2] = {NULL, NULL};
	char text[IPV4_PREFIX_STRLEN];

	qsort(lans, count, sizeof(*lans), lan_compare);
	for (size_t i = 0; i < count; i++) {
		const struct lan *l = &lans[i], *other = widest[!l->release];

		if (other && other->site != l->site && lan_last(other) >= l->prefix.address &&
		    !(other->shared && l->shared))
			find(p, MIGRATE_LAN, l->site,
			     "%s is a network of '%s' in one release and of '%s' in the other: let "
			     "a release between them have neither",
			     ipv4_prefix_format(l->prefix, text), mix_name(&p->mix, l->site),
			     mix_name(&p->mix, other->site));
		if (!widest[l->release] || lan_last(widest[l->release]) < lan_last(l))
			widest[l->release] = l;
	}
}

static void networks_compare(struct migrate_proof *p)
{
	size_t count = 0;
	struct lan *lans;

	for (int r = 0; r < 2; r++)
		for (size_t i = 0; i < p->mix.side[r].count; i++)
			count += p->mix.side[r].sites[i].lan_count;
	lans = calloc(count + 1, sizeof(*lans));
	p->failed |= !lans;
	count = 0;
	for (int r = 0; lans && r < 2; r++)
		for (size_t i = 0; i < p->mix.side[r].count; i++) {
			const struct forwarding *f = &p->mix.side[r].sites[i];

			for (size_t k = 0; k < f->lan_count; k++)
				lans[count++] =
				    (struct lan){f->lans[k], f->site_id, r, f->lan_shared};
		}
	if (lans)
		lans_compare(p, lans, count);
	free(lans);
}

/* ---- one path ------------------------------------------------------------------------------ */

static bool path_same(const struct fwd_path *a, const struct fwd_path *b)
{
	return a->color == b->color && a->endpoint_site == b->endpoint_site &&
	       a->endpoint == b->endpoint && a->first_site == b->first_site &&
	       label_stack_equal(&a->stack, &b->stack);
}

static bool path_before(const struct fwd_path *a, const struct fwd_path *b)
{
	return a->preference != b->preference ? a->preference > b->preference : a->index < b->index;
}

/* A path of a head-end that has @release, while others change. */
struct trial {
	uint32_t head;
	int release;
	const struct fwd_path *path;
	bool all, some; /* it works in every mixture; in one */
	bool fits;	/* the session's packets, both ways */
	uint32_t site;	/* where it fails first */
	char why[512];
	uint32_t nodes[RISING_NODES_MAX + 1];
	size_t node_count;
	struct mix_walk there, here;
};

static void trial_nodes(struct trial *t, const struct mix_walk *w)
{
	for (size_t i = 0; i < w->node_count; i++) {
		bool known = w->nodes[i] == t->head;

		for (size_t k = 0; k < t->node_count; k++)
			known |= t->nodes[k] == w->nodes[i];
		if (!known && t->node_count <= RISING_NODES_MAX)
			t->nodes[t->node_count++] = w->nodes[i];
	}
	if (w->node_count == MIX_NODES_MAX)
		t->node_count = RISING_NODES_MAX + 1;
}

static void trial_fails(struct trial *t, const struct mix_walk *w, bool back)
{
	if (t->all) {
		t->site = w->site ? w->site : w->end_count ? w->ends[0] : t->head;
		snprintf(t->why, sizeof(t->why), "%s%s", back ? "on its way back " : "",
			 w->why[0] ? w->why : "it ends elsewhere");
	}
	t->all = false;
}

static bool session_fits(const struct forwarding *f, uint32_t color, uint32_t capacity)
{
	const struct fwd_session *s = forwarding_session(f, color);

	return !s || (uint32_t)s->mtu + MTU_WIREGUARD_IPV4 <= capacity;
}

static bool trial_back(struct migrate_proof *p, struct trial *t, int release,
		       const struct pins *pins)
{
	const struct forwarding *end = mix_site(&p->mix, release, t->path->endpoint_site);
	const struct fwd_return *back = end ? forwarding_return(end, t->path->source) : NULL;

	if (!back || back->site_id != t->head) {
		if (t->all) {
			t->site = t->path->endpoint_site;
			snprintf(t->why, sizeof(t->why),
				 "'%s' with the %s release has no way back to its source",
				 mix_name(&p->mix, t->path->endpoint_site),
				 release ? "new" : "old");
		}
		t->all = false;
		return false;
	}
	mix_send(&p->mix, t->path->endpoint_site, (uint8_t)(1 << release), back->first_site,
		 &back->stack, pins, &t->here);
	p->counts.steps += t->here.steps;
	trial_nodes(t, &t->here);
	t->fits &= session_fits(end, t->path->color, t->here.capacity);
	if (!mix_walk_reaches(&t->here, t->head))
		trial_fails(t, &t->here, true);
	return mix_walk_touches(&t->here, t->head);
}

/* @pins: the head-end first. */
static void trial_run(struct migrate_proof *p, struct trial *t, const struct pins *pins)
{
	uint8_t ends = MIX_BOTH;
	bool back = false;

	t->all = true;
	t->fits = true;
	t->why[0] = '\0';
	t->site = t->head;
	mix_send(&p->mix, t->head, (uint8_t)(1 << t->release), t->path->first_site, &t->path->stack,
		 pins, &t->there);
	p->counts.steps += t->there.steps;
	p->counts.mixtures++;
	trial_nodes(t, &t->there);
	t->fits =
	    session_fits(mix_site(&p->mix, t->release, t->head), t->path->color, t->there.capacity);
	if (!mix_walk_reaches(&t->there, t->path->endpoint_site))
		trial_fails(t, &t->there, false);
	for (size_t i = 0; i < pins->count; i++)
		if (pins->id[i] == t->path->endpoint_site)
			ends = pins->releases[i];
	for (int r = 0; r < 2; r++)
		if (ends & (1 << r))
			back |= trial_back(p, t, r, pins);
	t->some = mix_walk_touches(&t->there, t->path->endpoint_site) && back;
}

static void trial_free(struct migrate_proof *p, struct trial *t, uint32_t head, int release,
		       const struct fwd_path *path)
{
	struct pins pins = {.id = {head}, .releases = {(uint8_t)(1 << release)}, .count = 1};

	t->head = head;
	t->release = release;
	t->path = path;
	t->node_count = 0;
	p->counts.paths_walked++;
	trial_run(p, t, &pins);
}

/* What a subset of the nodes makes of the path: bit 0 some, bit 1 all. Nodes of the set have the new release. */
static uint8_t rising_try(struct migrate_proof *p, struct trial *t, const uint32_t *nodes,
			  size_t count, uint32_t set)
{
	struct pins pins = {.id = {t->head}, .releases = {(uint8_t)(1 << t->release)}, .count = 1};

	for (size_t i = 0; i < count; i++, pins.count++) {
		pins.id[pins.count] = nodes[i];
		pins.releases[pins.count] = set & (1u << i) ? MIX_NEW : MIX_OLD;
	}
	trial_run(p, t, &pins);
	return (uint8_t)((t->some ? 1 : 0) | (t->all ? 2 : 0));
}

/* Wherever it works in one mixture, it must work in all mixtures in which nobody of the set went back. */
static bool rising_holds(const uint8_t *tried, size_t count)
{
	for (uint32_t set = 0; set < 1u << count; set++) {
		if (!(tried[set] & 1))
			continue;
		if (!(tried[set] & 2))
			return false;
		for (size_t i = 0; i < count; i++)
			if (!(tried[set | 1u << i] & 2))
				return false;
	}
	return tried[(1u << count) - 1] & 2;
}

/* The reason that @t holds stays that of the free trial. */
static bool trial_rises(struct migrate_proof *p, const struct trial *t)
{
	struct trial *again = calloc(1, sizeof(*again));
	uint8_t *tried = calloc(1u << RISING_NODES_MAX, 1);
	bool holds = false;

	p->failed |= !again || !tried;
	if (again && tried && t->node_count <= RISING_NODES_MAX) {
		*again = *t;
		for (uint32_t set = 0; set < 1u << t->node_count; set++)
			tried[set] = rising_try(p, again, t->nodes, t->node_count, set);
		holds = rising_holds(tried, t->node_count);
	}
	free(tried);
	free(again);
	return holds;
}

/* ---- one session --------------------------------------------------------------------------- */

struct session {
	uint32_t head, end, color;
	const struct forwarding *f[2];			/* the head-end's */
	const struct fwd_path *path[2][SITE_PATHS_MAX]; /* best first */
	size_t count[2];
};

static void session_paths(struct session *s, int release)
{
	const struct forwarding *f = s->f[release];

	s->count[release] = 0;
	for (size_t i = 0; i < f->path_count && s->count[release] < SITE_PATHS_MAX; i++) {
		const struct fwd_path *p = &f->paths[i];
		size_t at = s->count[release];

		if (p->color != s->color || p->endpoint_site != s->end)
			continue;
		for (; at && path_before(p, s->path[release][at - 1]); at--)
			s->path[release][at] = s->path[release][at - 1];
		s->path[release][at] = p;
		s->count[release]++;
	}
}

static size_t session_again(const struct session *s, int release, const struct fwd_path *path)
{
	size_t i = 0;

	while (i < s->count[release] && !path_same(s->path[release][i], path))
		i++;
	return i;
}

static const struct fwd_session_peer *peer_find(const struct forwarding *f, uint32_t color,
						uint32_t site)
{
	size_t low = 0, high = f ? f->peer_count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fwd_session_peer *p = &f->peers[middle];

		if (p->color == color && p->site_id == site)
			return p;
		if (p->color < color || (p->color == color && p->site_id < site))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Does @site's entry for @other stay, as far as both ends must agree on it? */
static bool peer_stays(const struct mix *m, uint32_t site, uint32_t other, uint32_t color)
{
	const struct forwarding *f[2] = {mix_site(m, 0, site), mix_site(m, 1, site)};
	const struct fwd_session *s[2];
	const struct fwd_session_peer *p[2];

	for (int r = 0; r < 2; r++) {
		s[r] = f[r] ? forwarding_session(f[r], color) : NULL;
		p[r] = peer_find(f[r], color, other);
	}
	return s[0] && s[1] && p[0] && p[1] &&
	       forwarding_peer_slot(f[0], p[0]) == forwarding_peer_slot(f[1], p[1]) &&
	       s[0]->listen_port == s[1]->listen_port && p[0]->caller == p[1]->caller &&
	       p[0]->endpoint == p[1]->endpoint && p[0]->port == p[1]->port &&
	       !memcmp(p[0]->session_key, p[1]->session_key, WG_KEY_LEN);
}

static void session_find(struct migrate_proof *p, const struct session *s, enum migrate_kind kind,
			 const struct trial *t, const char *what)
{
	find(p, kind, t->site, "'%s' to '%s', color %u, path '%s' (%s release) %s: %s",
	     mix_name(&p->mix, s->head), mix_name(&p->mix, s->end), s->color, t->path->name,
	     t->release ? "new" : "old", what, t->why);
}

static void session_fit(struct migrate_proof *p, const struct session *s, const struct trial *t)
{
	if (!t->fits)
		find(p, MIGRATE_MTU, s->head,
		     "'%s' to '%s', color %u, path '%s': the session's packets do not fit while "
		     "nodes change",
		     mix_name(&p->mix, s->head), mix_name(&p->mix, s->end), s->color,
		     t->path->name);
}

static bool path_is_sure(struct migrate_proof *p, const struct session *s, int release,
			 const struct fwd_path *path, struct trial *t)
{
	trial_free(p, t, s->head, release, path);
	return t->all;
}

/* A path that it may change to: what ranks above the one that it surely has. */
static void session_change(struct migrate_proof *p, const struct session *s,
			   const struct fwd_path *path, struct trial *t)
{
	if (path_is_sure(p, s, 1, path, t) || trial_rises(p, t))
		session_fit(p, s, t);
	else
		session_find(p, s, MIGRATE_UNREADY, t,
			     "may come up, be taken and fail again while nodes change");
}

/* Where the path in use is no more: the best of the new release that is sure in both. @return its rank. */
static size_t session_refuge(struct migrate_proof *p, const struct session *s, struct trial *t)
{
	for (size_t i = 0; i < s->count[1]; i++) {
		size_t was = session_again(s, 0, s->path[1][i]);

		if (was < s->count[0] && path_is_sure(p, s, 0, s->path[0][was], t) &&
		    path_is_sure(p, s, 1, s->path[1][i], t))
			return i;
	}
	return s->count[1];
}

static bool session_has_spare(struct migrate_proof *p, const struct session *s, struct trial *t)
{
	for (size_t i = 1; i < s->count[0]; i++) {
		size_t again = session_again(s, 1, s->path[0][i]);

		if (again < s->count[1] && path_is_sure(p, s, 0, s->path[0][i], t) &&
		    path_is_sure(p, s, 1, s->path[1][again], t))
			return true;
	}
	return false;
}

static void session_count(struct migrate_proof *p, const struct session *s, bool switched,
			  bool bare)
{
	struct migrate_site *site = p->site_count ? &p->sites[p->site_count - 1] : NULL;

	p->counts.sessions_switched += switched;
	p->counts.sessions_without_spare += bare;
	if (!switched && !bare)
		return;
	if (!site || site->id != s->head) {
		site = grow(p, &p->sites, &p->site_count, &p->site_room, sizeof(*site));
		if (!site)
			return;
		site->id = s->head;
		site->name = s->f[1]->site;
	}
	p->counts.sites_switched += switched && !site->switched;
	p->counts.sites_without_spare += bare && !site->without_spare;
	site->switched += switched;
	site->without_spare += bare;
}

/* Of endpoints with one LAN another comes first: both carry, and one route leads to the other. */
static bool ranks_change(const struct session *s)
{
	const struct fwd_session_peer *before = peer_find(s->f[0], s->color, s->end);
	const struct fwd_session_peer *after = peer_find(s->f[1], s->color, s->end);

	return before && after && before->rank != after->rank;
}

static void session_prove_paths(struct migrate_proof *p, const struct session *s, struct trial *t)
{
	const struct fwd_path *used = s->path[0][0];
	size_t again = session_again(s, 1, used);

	if (!path_is_sure(p, s, 0, used, t)) {
		session_find(p, s, MIGRATE_BREAK, t, "is in use and would stop");
		return;
	}
	session_fit(p, s, t);
	if (again < s->count[1]) {
		if (!path_is_sure(p, s, 1, s->path[1][again], t)) {
			session_find(p, s, MIGRATE_BREAK, t, "is in use and would stop");
			return;
		}
		session_fit(p, s, t);
	} else {
		again = session_refuge(p, s, t);
		if (again == s->count[1]) {
			find(p, MIGRATE_BREAK, s->head,
			     "'%s' to '%s', color %u: path '%s' is in use, the new release has it "
			     "no more, and no other surely works in both",
			     mix_name(&p->mix, s->head), mix_name(&p->mix, s->end), s->color,
			     used->name);
			return;
		}
	}
	for (size_t i = 0; i < again; i++)
		session_change(p, s, s->path[1][i], t);
	session_count(p, s, !path_same(used, s->path[1][0]) || ranks_change(s),
		      s->count[0] > 1 && s->count[1] > 1 && !session_has_spare(p, s, t));
}

static void session_prove(struct migrate_proof *p, struct session *s, struct trial *t)
{
	session_paths(s, 0);
	session_paths(s, 1);
	p->counts.sessions_kept++;
	if (!peer_stays(&p->mix, s->head, s->end, s->color) ||
	    !peer_stays(&p->mix, s->end, s->head, s->color))
		find(p, MIGRATE_PEER, s->head,
		     "'%s' to '%s', color %u: port, key, caller or device of the session change",
		     mix_name(&p->mix, s->head), mix_name(&p->mix, s->end), s->color);
	if (s->count[0] && s->count[1])
		session_prove_paths(p, s, t);
	else if (s->count[0])
		find(p, MIGRATE_BREAK, s->head,
		     "'%s' to '%s', color %u: the new release has no path",
		     mix_name(&p->mix, s->head), mix_name(&p->mix, s->end), s->color);
}

/* Sessions of which the site is the head-end: it is the caller. */
static void sessions_of_site(struct migrate_proof *p, uint32_t id, struct trial *t)
{
	struct session s = {.head = id, .f = {mix_site(&p->mix, 0, id), mix_site(&p->mix, 1, id)}};

	for (size_t i = 0; s.f[0] && i < s.f[0]->peer_count; i++) {
		const struct fwd_session_peer *peer = &s.f[0]->peers[i];

		if (!peer->caller)
			continue;
		if (!s.f[1] || !peer_find(s.f[1], peer->color, peer->site_id)) {
			p->counts.sessions_lost++;
			continue;
		}
		s.end = peer->site_id;
		s.color = peer->color;
		session_prove(p, &s, t);
	}
	for (size_t i = 0; s.f[1] && i < s.f[1]->peer_count; i++)
		p->counts.sessions_gained +=
		    s.f[1]->peers[i].caller &&
		    !peer_find(s.f[0], s.f[1]->peers[i].color, s.f[1]->peers[i].site_id);
}

static void sessions_prove(struct migrate_proof *p)
{
	struct trial *t = calloc(1, sizeof(*t));

	p->failed |= !t;
	for (uint32_t id = 1; t && id <= SITE_ID_MAX; id++)
		sessions_of_site(p, id, t);
	free(t);
}

/* ---- what is accepted ------------------------------------------------------------------------ */

/* Where @stack ends when all nodes have @release; 0: it does not. */
static uint32_t end_of(struct migrate_proof *p, uint32_t at, int release,
		       const struct label_stack *stack, struct mix_walk *w)
{
	struct pins pins = {.count = 0};

	/* a walk in one release: each node is pinned by asking the mixture of that release with itself */
	struct mix one = p->mix;

	one.side[!release] = one.side[release];
	one.by_id[!release] = one.by_id[release];
	one.link_key[!release] = one.link_key[release];
	one.has_key[!release] = one.has_key[release];
	mix_arrive(&one, at, release, stack, &pins, w);
	return !w->lost && w->end_count == 1 ? w->ends[0] : 0;
}

static bool accepts(const struct forwarding *f, uint32_t from, const struct label_stack *stack)
{
	const struct fwd_neighbor *n = f ? forwarding_neighbor(f, from) : NULL;

	for (size_t i = 0; n && i < n->accept_count; i++)
		if (label_stack_equal(&n->accept[i], stack))
			return true;
	return false;
}

static void stack_prove(struct migrate_proof *p, const struct forwarding *f, int release,
			const struct fwd_neighbor *n, const struct label_stack *stack,
			struct mix_walk *w)
{
	struct pins pins = {.id = {f->site_id}, .releases = {(uint8_t)(1 << release)}, .count = 1};
	uint32_t lawful = end_of(p, f->site_id, release, stack, w), end = 0;
	char text[LABEL_STACK_STRLEN];

	p->counts.stacks_walked++;
	mix_arrive(&p->mix, f->site_id, release, stack, &pins, w);
	p->counts.steps += w->steps;
	for (size_t i = 0; i < w->end_count; i++)
		end = w->ends[i] != lawful ? w->ends[i] : end;
	if (w->whole && !end)
		return;
	if (end && accepts(mix_site(&p->mix, !release, f->site_id), n->site_id, stack) &&
	    end == end_of(p, f->site_id, !release, stack, w))
		return;
	find(p, MIGRATE_LEAK, f->site_id,
	     "'%s' with the %s release takes %s from '%s', which could end at '%s'", f->site,
	     release ? "new" : "old", label_stack_format(stack, text), n->name,
	     end ? mix_name(&p->mix, end) : "many places");
}

static void stacks_prove(struct migrate_proof *p)
{
	struct mix_walk *w = calloc(1, sizeof(*w));

	p->failed |= !w;
	for (int r = 0; w && r < 2; r++)
		for (size_t i = 0; i < p->mix.side[r].count; i++) {
			const struct forwarding *f = &p->mix.side[r].sites[i];

			for (size_t k = 0; k < f->neighbor_count; k++)
				for (size_t s = 0; s < f->neighbors[k].accept_count; s++)
					stack_prove(p, f, r, &f->neighbors[k],
						    &f->neighbors[k].accept[s], w);
		}
	free(w);
}

/* ---- who may open ---------------------------------------------------------------------------- */

/* The packets of both rules: the same? Their priority and the name of their class do not matter. */
static bool rule_same(const struct fwd_rule *a, const struct fwd_rule *b)
{
	return a->color == b->color && a->outbound == b->outbound && a->protocol == b->protocol &&
	       a->port_first == b->port_first && a->port_last == b->port_last &&
	       a->has_dscp == b->has_dscp && a->dscp == b->dscp && a->to.address == b->to.address &&
	       a->to.length == b->to.length && a->from.address == b->from.address &&
	       a->from.length == b->from.length;
}

static bool rule_in(const struct forwarding *f, const struct fwd_rule *rule)
{
	for (size_t i = 0; i < f->rule_count; i++)
		if (rule_same(&f->rules[i], rule))
			return true;
	return false;
}

/* A rule of @now by which the site takes packets of @out, which its other release @then does not, nor lets @opener, the other release
 * of who sends them, any such out. */
static const struct fwd_rule *rule_opens(const struct forwarding *now,
					 const struct forwarding *then,
					 const struct forwarding *opener,
					 const struct fwd_rule *out)
{
	for (size_t i = 0; i < now->rule_count; i++) {
		const struct fwd_rule *in = &now->rules[i];
		struct fwd_rule packets;

		if (in->color != out->color || in->outbound || !mix_rules_meet(in, out) ||
		    rule_in(then, in))
			continue;
		packets = mix_rules_common(in, out);
		if (!mix_rules_hold(then, out->color, false, &packets) &&
		    !mix_rules_hold(opener, out->color, true, &packets))
			return in;
	}
	return NULL;
}

/* @from with release @r lets out what @to with the other lets in, and neither release has both. */
static void opening_check(struct migrate_proof *p, uint32_t from, uint32_t to, uint32_t color,
			  int r)
{
	const struct forwarding *a = mix_site(&p->mix, r, from), *b = mix_site(&p->mix, !r, from);
	const struct forwarding *c = mix_site(&p->mix, !r, to), *d = mix_site(&p->mix, r, to);

	for (size_t i = 0; i < a->rule_count; i++) {
		const struct fwd_rule *out = &a->rules[i], *in;

		if (out->color != color || !out->outbound || rule_in(b, out))
			continue;
		in = rule_opens(c, d, b, out);
		if (!in)
			continue;
		find(p, MIGRATE_OPEN, from,
		     "'%s' with the %s release lets out (class '%s') what '%s' with the %s one "
		     "lets in (class '%s'), color %u: let a release between them have neither",
		     a->site, r ? "new" : "old", out->class_name, c->site, r ? "old" : "new",
		     in->class_name, color);
		return;
	}
}

static bool rules_equal(const struct forwarding *a, const struct forwarding *b)
{
	if (a->rule_count != b->rule_count)
		return false;
	for (size_t i = 0; i < a->rule_count; i++)
		if (!rule_same(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

/* What is open stays open meanwhile. */
static void opening_keep(struct migrate_proof *p, uint32_t from, uint32_t to, uint32_t color)
{
	bool meant = p->flags & MIGRATE_POLICY_CHANGES;
	struct mix_loss l;

	if (!mix_openings_lost(&p->mix, from, to, color, meant, &l))
		return;
	if (l.from_release == l.to_release)
		find(p, MIGRATE_LOST, from,
		     "'%s' opens connections to '%s' (class '%s', color %u), and may not all of "
		     "them in the new release",
		     mix_name(&p->mix, from), mix_name(&p->mix, to), l.class_name, color);
	else
		find(p, MIGRATE_LOST, from,
		     "'%s' opens connections to '%s' (class '%s', color %u): with the %s release "
		     "it sends some by color %u, by which '%s' with the %s one does not take them",
		     mix_name(&p->mix, from), mix_name(&p->mix, to), l.class_name, color,
		     l.from_release ? "new" : "old", l.color, mix_name(&p->mix, to),
		     l.to_release ? "new" : "old");
}

/* Only where an end's rules change can a mixture lose what both have; where both ends' do, have what neither has. */
static void openings_prove(struct migrate_proof *p)
{
	bool *changed = calloc(SITE_ID_MAX + 1, sizeof(*changed));

	p->failed |= !changed;
	for (uint32_t id = 1; changed && id <= SITE_ID_MAX; id++)
		changed[id] = mix_site(&p->mix, 0, id) && mix_site(&p->mix, 1, id) &&
			      !rules_equal(mix_site(&p->mix, 0, id), mix_site(&p->mix, 1, id));
	for (size_t i = 0; changed && i < p->mix.side[0].count; i++) {
		const struct forwarding *f = &p->mix.side[0].sites[i];

		for (size_t k = 0; k < f->peer_count; k++) {
			if (changed[f->site_id] || changed[f->peers[k].site_id])
				opening_keep(p, f->site_id, f->peers[k].site_id, f->peers[k].color);
			if (!changed[f->site_id] || !changed[f->peers[k].site_id])
				continue;
			opening_check(p, f->site_id, f->peers[k].site_id, f->peers[k].color, 0);
			opening_check(p, f->site_id, f->peers[k].site_id, f->peers[k].color, 1);
		}
	}
	free(changed);
}

static bool stays(const struct mix *m, uint32_t id)
{
	return mix_site(m, 0, id) && mix_site(m, 1, id);
}

static int flows_compare(struct migrate_proof *p)
{
	struct diff *d = NULL;
	int err = diff_new(p->mix.side[0], p->mix.side[1], true, &d);

	for (size_t i = 0; !err && i < diff_flow_count(d); i++) {
		struct diff_flow f;
		enum diff_change change = diff_flow(d, i, &f);

		if (!stays(&p->mix, f.from) || !stays(&p->mix, f.to))
			continue;
		p->counts.flows_gained += change == DIFF_GAINED;
		p->counts.flows_lost += change == DIFF_LOST;
		if (change == DIFF_LOST && !f.part.length && !(p->flags & MIGRATE_POLICY_CHANGES))
			find(p, MIGRATE_LOST, f.from,
			     "'%s' opens connections to '%s' (class '%s', color %u), and may not "
			     "in the new release",
			     f.from_name, f.to_name, f.class_name, f.color);
	}
	diff_free(d);
	return err;
}

/* ---- all of it -------------------------------------------------------------------------------- */

int migrate_prove(struct diff_side before, struct diff_side after, unsigned flags,
		  struct migrate_proof **ret)
{
	struct migrate_proof *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -TUYEN_ENOMEM;
	p->flags = flags;
	err = mix_init(&p->mix, before, after);
	if (!err) {
		sites_compare(p);
		networks_compare(p);
		sessions_prove(p);
		stacks_prove(p);
		openings_prove(p);
		err = flows_compare(p);
	}
	if (!err && p->failed)
		err = -TUYEN_ENOMEM;
	if (err < 0) {
		migrate_proof_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void migrate_proof_free(struct migrate_proof *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->finding_count; i++)
		free(p->findings[i].text);
	free(p->findings);
	free(p->sites);
	mix_clear(&p->mix);
	free(p);
}

struct migrate_counts migrate_counts(const struct migrate_proof *p)
{
	return p->counts;
}

size_t migrate_finding_count(const struct migrate_proof *p)
{
	return p->finding_count;
}

const struct migrate_finding *migrate_finding(const struct migrate_proof *p, size_t index)
{
	return &p->findings[index];
}

size_t migrate_findings_of_kind(const struct migrate_proof *p, enum migrate_kind kind)
{
	return p->found[kind];
}

size_t migrate_findings_total(const struct migrate_proof *p)
{
	size_t total = 0;

	for (size_t i = 0; i < MIGRATE_KINDS; i++)
		total += p->found[i];
	return total;
}

size_t migrate_site_count(const struct migrate_proof *p)
{
	return p->site_count;
}

const struct migrate_site *migrate_site(const struct migrate_proof *p, size_t index)
{
	return &p->sites[index];
}
