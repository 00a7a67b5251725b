/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a candidate path, and how it is said in labels (RFC 8402, 9256).
 *
 * Finding: the first hop may be forced (parent, backup), sites in between may be named; the rest is
 * shortest. Sites and links that a path avoids are never used, whatever else. A way that must be
 * disjoint from another is tried again and again, each time asking for less: no common link or
 * shared risk and no common site between the ends; no common link or risk; no common link; as few
 * common links as can be. The last two communes of a district ask the same question beyond their
 * district, so answers are remembered. An end that is a leaf with a parallel link is tried as itself and as its face.
 *
 * Saying: from the first hop on, take the farthest site that hop-by-hop forwarding reaches along
 * just this way, and go on from there. Every part of a way that labels follow is followed too,
 * so the greedy list is the shortest. The last segment is the endpoint's own label. Where the site before a leaf
 * might send by the other of two parallel links, and this way must not go there, that is the leaf's repair SID, which nobody
 * leads around, behind the label of the site before.
 */
#include "compile_internal.h"

#include <assert.h>
#include <string.h>

enum limit {
	LIMIT_NONE,  /* but not through the head-end again */
	LIMIT_SITES, /* no marked link or risk, no marked site */
	LIMIT_RISKS, /* no marked link or risk */
	LIMIT_LINKS, /* no marked link */
	LIMIT_DEAR,  /* as few marked links as can be */
};

/* Why a link or site is marked. */
enum mark {
	MARK_AVOID = 1, /* the path says so */
	MARK_OTHER = 2, /* on the way that it should be disjoint from */
	MARK_RISK = 4,	/* shares a risk with that */
	MARK_HEAD = 8,	/* the head-end itself */
};

/* What one search is about. */
struct search {
	const struct candidate_path *path;
	uint32_t head, endpoint;
	enum limit limit;
	bool plain; /* nothing is marked: trees that are there already will do */
};

struct cost {
	uint32_t dear, metric, hops;
};

static uint32_t way_last(const struct way *w)
{
	return w->site[w->length - 1];
}

static bool way_add(struct way *w, uint32_t site)
{
	if (w->length == COMPILE_WAY_MAX)
		return false;
	w->site[w->length++] = site;
	return true;
}

/* From core node @from, already the last of @w, to core node @to. */
static bool way_through_core(struct compile_result *r, const struct search *s, struct way *w,
			     uint32_t from, uint32_t to)
{
	const struct spf_hop *hops;

	if (s->plain) {
		hops = compile_tree(r, to);
		if (!hops)
			return false;
	} else {
		struct spf_limits limits = {
		    .edge_banned = r->edge_banned,
		    .edge_dear = s->limit == LIMIT_DEAR ? r->edge_marked : NULL,
		    .node_banned = r->node_marked,
		};
		const struct spf_hop *guide = compile_tree(r, from);

		if (!guide || r->node_marked[from] || r->node_marked[to])
			return false;
		hops = spf_way_limited(&r->core, &r->work, to, from, guide, &limits);
	}
	if (hops[from].metric == SPF_NONE)
		return false;
	while (from != to) {
		from = hops[from].next;
		if (!way_add(w, r->site_of[from]))
			return false;
	}
	return true;
}

/* The marks that forbid a link. */
static uint8_t limit_marks(enum limit limit)
{
	switch (limit) {
	case LIMIT_NONE:
	case LIMIT_DEAR:
		return MARK_AVOID;
	case LIMIT_SITES:
	case LIMIT_RISKS:
		return MARK_AVOID | MARK_OTHER | MARK_RISK;
	case LIMIT_LINKS:
		return MARK_AVOID | MARK_OTHER;
	}
	return 0;
}

static bool link_usable(const struct compile_result *r, const struct search *s, uint32_t link)
{
	return !(r->link_marked[link] & limit_marks(s->limit));
}

static struct cost way_cost(const struct compile_result *r, const struct search *s,
			    const struct way *w, uint32_t start)
{
	struct cost cost = {0};

	for (uint32_t i = start; i + 1 < w->length; i++) {
		uint32_t link = compile_link_find(r, w->site[i], w->site[i + 1]);

		cost.metric += r->network->links[link].metric;
		cost.dear += s->limit == LIMIT_DEAR && (r->link_marked[link] & MARK_OTHER);
		cost.hops++;
	}
	return cost;
}

static int cost_compare(struct cost a, struct cost b)
{
	if (a.dear != b.dear)
		return a.dear < b.dear ? -1 : 1;
	if (a.metric != b.metric)
		return a.metric < b.metric ? -1 : 1;
	return a.hops < b.hops ? -1 : a.hops > b.hops;
}

/* Equal costs: the lower site id where they part first. */
static bool way_before(const struct compile_result *r, const struct way *a, const struct way *b)
{
	for (uint32_t i = 0; i < a->length && i < b->length; i++)
		if (a->site[i] != b->site[i])
			return r->network->sites[a->site[i]].id < r->network->sites[b->site[i]].id;
	return a->length < b->length;
}

/* The places where @site stands at the core's edge: itself, or its neighbours there. */
struct gates {
	const struct near *near;
	uint32_t count;
	struct near self;
};

static void gates_of(const struct compile_result *r, uint32_t site, struct gates *ret)
{
	if (r->core_of[site] != NETWORK_NONE) {
		ret->self = (struct near){site, NETWORK_NONE};
		ret->near = &ret->self;
		ret->count = 1;
		return;
	}
	ret->near = r->near + r->near_first[site];
	ret->count = r->near_first[site + 1] - r->near_first[site];
}

/* Appends the way from the last of @w in by @in, out by @out, to @to. */
static bool way_between_gates(struct compile_result *r, const struct search *s, struct way *w,
			      const struct near *in, const struct near *out, uint32_t to)
{
	if (r->core_of[in->site] == NETWORK_NONE || r->core_of[out->site] == NETWORK_NONE)
		return false;
	if (in->link != NETWORK_NONE && (!link_usable(r, s, in->link) || !way_add(w, in->site)))
		return false;
	if (!way_through_core(r, s, w, r->core_of[in->site], r->core_of[out->site]))
		return false;
	return out->link == NETWORK_NONE || (link_usable(r, s, out->link) && way_add(w, to));
}

static void way_keep_better(const struct compile_result *r, const struct search *s,
			    const struct way *trial, uint32_t start, struct way *best)
{
	int order = best->length
			? cost_compare(way_cost(r, s, trial, start), way_cost(r, s, best, start))
			: -1;

	if (order < 0 || (order == 0 && way_before(r, trial, best)))
		*best = *trial;
}

/* Appends the shortest way from the last of @w to @to, a site or a face. */
static bool way_extend_to(struct compile_result *r, const struct search *s, struct way *w,
			  uint32_t to)
{
	uint32_t from = way_last(w), start = w->length - 1;
	uint32_t direct = compile_link_find(r, from, to);
	struct way best = {0}, trial;
	struct gates in, out;

	if (from == to)
		return true;
	gates_of(r, from, &in);
	gates_of(r, to, &out);
	for (uint32_t i = 0; i < in.count; i++)
		for (uint32_t j = 0; j < out.count; j++) {
			trial = *w;
			if (way_between_gates(r, s, &trial, &in.near[i], &out.near[j], to))
				way_keep_better(r, s, &trial, start, &best);
		}
	if (direct != NETWORK_NONE && link_usable(r, s, direct) &&
	    (in.near != &in.self || out.near != &out.self)) {
		trial = *w;
		if (way_add(&trial, to))
			way_keep_better(r, s, &trial, start, &best);
	}
	if (!best.length)
		return false;
	*w = best;
	return true;
}

/* The same to @to, on whichever face. */
static bool way_extend(struct compile_result *r, const struct search *s, struct way *w, uint32_t to)
{
	uint32_t start = w->length - 1, face = r->network->sites[to].face;
	struct way other = *w;
	bool found = way_extend_to(r, s, w, to);

	if (!face || !way_extend_to(r, s, &other, face))
		return found;
	if (found)
		way_keep_better(r, s, &other, start, w);
	else
		*w = other;
	return true;
}

static uint32_t first_hop(const struct compile_result *r, const struct search *s)
{
	const struct site *head = &r->network->sites[s->head];

	switch (s->path->via) {
	case PATH_VIA_PARENT:
		return head->parent;
	case PATH_VIA_BACKUP:
		return head->backup;
	case PATH_VIA_SHORTEST:
	case PATH_VIA_SITES:
		return NETWORK_NONE;
	}
	return NETWORK_NONE;
}

/* Neither end may come again in between: their own labels end there. */
static bool way_lawful(const struct search *s, const struct way *w)
{
	if (w->length < 2)
		return false;
	for (uint32_t i = 1; i + 1 < w->length; i++)
		if (w->site[i] == s->head || w->site[i] == s->endpoint)
			return false;
	return true;
}

static bool site_avoided(const struct compile_result *r, uint32_t site)
{
	return r->core_of[site] != NETWORK_NONE && (r->node_marked[r->core_of[site]] & MARK_AVOID);
}

/* @head  the head-end or its face. */
static bool way_search_from(struct compile_result *r, const struct search *s, uint32_t head,
			    struct way *ret_way)
{
	struct way w = {.length = 1, .site = {head}};
	bool forced = s->path->via == PATH_VIA_PARENT || s->path->via == PATH_VIA_BACKUP;
	uint32_t first = first_hop(r, s);
	uint32_t link = first == NETWORK_NONE ? first : compile_link_find(r, head, first);

	if (forced && (link == NETWORK_NONE || !link_usable(r, s, link) || !way_add(&w, first)))
		return false;
	if (forced && first != s->endpoint && site_avoided(r, first))
		return false;
	for (size_t i = 0; i < s->path->through.count; i++)
		if (!way_extend(r, s, &w, s->path->through.sites[i]))
			return false;
	if (!way_extend(r, s, &w, s->endpoint) || !way_lawful(s, &w))
		return false;
	*ret_way = w;
	return true;
}

static bool way_search(struct compile_result *r, const struct search *s, struct way *ret_way)
{
	uint32_t face = r->network->sites[s->head].face;
	bool found = way_search_from(r, s, s->head, ret_way);
	struct way other;

	if (!face || !way_search_from(r, s, face, &other))
		return found;
	if (found)
		way_keep_better(r, s, &other, 0, ret_way);
	else
		*ret_way = other;
	return true;
}

static void mark_link(struct compile_result *r, uint32_t link, uint8_t mark, bool on)
{
	uint32_t edge = r->edge_of[link];

	r->link_marked[link] = on ? r->link_marked[link] | mark : r->link_marked[link] & ~mark;
	if (edge == NETWORK_NONE)
		return;
	r->edge_marked[edge] = r->link_marked[link] & MARK_OTHER;
	r->edge_banned[edge] = r->link_marked[link] & MARK_AVOID;
}

static void mark_risks(struct compile_result *r, uint32_t link, bool on)
{
	const struct link *l = &r->network->links[link];

	for (size_t i = 0; i < l->risk_count; i++)
		for (uint32_t k = r->risk_first[l->risks[i]]; k < r->risk_first[l->risks[i] + 1];
		     k++)
			mark_link(r, r->risk_links[k], MARK_RISK, on);
}

static void mark_links(struct compile_result *r, const struct way *w, bool on)
{
	for (uint32_t i = 0; i + 1 < w->length; i++) {
		uint32_t link = compile_link_find(r, w->site[i], w->site[i + 1]);

		mark_link(r, link, MARK_OTHER, on);
		mark_risks(r, link, on);
	}
}

static void mark_site(struct compile_result *r, uint32_t site, uint8_t mark, bool on)
{
	uint32_t node = r->core_of[site];

	if (node != NETWORK_NONE)
		r->node_marked[node] =
		    on ? r->node_marked[node] | mark : r->node_marked[node] & ~mark;
}

static void mark_sites(struct compile_result *r, const struct way *w, bool on)
{
	for (uint32_t i = 1; i + 1 < w->length; i++)
		mark_site(r, w->site[i], MARK_OTHER, on);
}

/* The head-end's links over other lines than the one that the path begins with. @head  it or its face. */
static void mark_other_lines(struct compile_result *r, const struct search *s, uint32_t head,
			     bool on)
{
	const struct site *site = &r->network->sites[s->head];

	for (uint32_t i = r->near_first[head]; i < r->near_first[head + 1]; i++) {
		const struct link *l = &r->network->links[r->near[i].link];
		uint32_t uplink = l->a == s->head ? l->uplink_a : l->uplink_b;

		if (site->uplinks[uplink].underlay != s->path->over)
			mark_link(r, r->near[i].link, MARK_AVOID, on);
	}
}

/* What the path avoids; its ends are never meant. */
static void mark_avoided(struct compile_result *r, const struct search *s, bool on)
{
	uint32_t face = r->network->sites[s->head].face;

	const struct candidate_path *path = s->path;

	for (size_t i = 0; i < path->avoid.count; i++)
		if (path->avoid.sites[i] != s->head && path->avoid.sites[i] != s->endpoint)
			mark_site(r, path->avoid.sites[i], MARK_AVOID, on);
	for (size_t i = 0; i < path->avoid_link_count; i++)
		mark_link(r, path->avoid_links[i], MARK_AVOID, on);
	if (path->over == NETWORK_NONE)
		return;
	mark_other_lines(r, s, s->head, on);
	if (face)
		mark_other_lines(r, s, face, on);
}

static bool path_avoids(const struct candidate_path *path)
{
	return path->avoid.count || path->avoid_link_count || path->over != NETWORK_NONE;
}

/* The edges that a search under @limit may not use, of those on @other and of its risks. */
static void ban_edges(struct compile_result *r, const struct way *other, enum limit limit)
{
	uint8_t marks = limit_marks(limit);

	for (uint32_t i = 0; i + 1 < other->length; i++) {
		uint32_t link = compile_link_find(r, other->site[i], other->site[i + 1]);
		const struct link *l = &r->network->links[link];

		if (r->edge_of[link] != NETWORK_NONE)
			r->edge_banned[r->edge_of[link]] = r->link_marked[link] & marks;
		for (size_t k = 0; k < l->risk_count; k++)
			for (uint32_t m = r->risk_first[l->risks[k]];
			     m < r->risk_first[l->risks[k] + 1]; m++) {
				uint32_t risky = r->risk_links[m];

				if (r->edge_of[risky] != NETWORK_NONE)
					r->edge_banned[r->edge_of[risky]] =
					    r->link_marked[risky] & marks;
			}
	}
}

/* Without limits. Where trees lead through the head-end again, a search of its own avoids it. */
static bool way_find_alone(struct compile_result *r, struct search *s, struct way *ret_way)
{
	bool found, forced = s->path->via == PATH_VIA_PARENT || s->path->via == PATH_VIA_BACKUP;

	s->limit = LIMIT_NONE;
	s->plain = !path_avoids(s->path);
	if (s->plain && way_search(r, s, ret_way))
		return true;
	if (s->plain && (r->core_of[s->head] == NETWORK_NONE || !forced))
		return false;
	s->plain = false;
	mark_site(r, s->head, MARK_HEAD, forced);
	found = way_search(r, s, ret_way);
	mark_site(r, s->head, MARK_HEAD, false);
	return found;
}

static bool way_find_disjoint(struct compile_result *r, struct search *s, const struct way *other,
			      struct way *ret_way)
{
	bool forced = s->path->via == PATH_VIA_PARENT || s->path->via == PATH_VIA_BACKUP;
	bool found = false;

	s->plain = false;
	mark_links(r, other, true);
	for (s->limit = LIMIT_SITES; !found && s->limit <= LIMIT_DEAR; s->limit++) {
		if (s->limit == LIMIT_RISKS && !r->network->risk_count)
			continue; /* the same as LIMIT_LINKS */
		ban_edges(r, other, s->limit);
		mark_sites(r, other, s->limit == LIMIT_SITES);
		mark_site(r, s->head, MARK_HEAD, forced);
		found = way_search(r, s, ret_way);
		mark_sites(r, other, false);
		mark_site(r, s->head, MARK_HEAD, false);
	}
	mark_links(r, other, false);
	return found;
}

/*
 * A question: first hop, endpoint, a head-end that could be in the way, the other way from its
 * first hop on. Its answer, from the first hop on, follows: length 0 for none. In the memo: length,
 * question, length, answer.
 */
static const uint32_t *memo_find(const struct compile_result *r, const uint32_t *question,
				 uint32_t length, uint64_t hash)
{
	size_t step = 0;
	uint32_t position;

	while ((position = index_next(&r->memo_index, hash, &step)) != NETWORK_NONE) {
		const uint32_t *entry = r->memo.values + position;

		if (entry[0] == length && !memcmp(entry + 1, question, length * sizeof(*question)))
			return entry + 1 + length;
	}
	return NULL;
}

static void memo_add(struct compile_result *r, const uint32_t *question, uint32_t length,
		     uint64_t hash, const struct way *answer)
{
	uint32_t position = (uint32_t)r->memo.count;
	uint32_t answer_length = answer ? answer->length - 1 : 0;
	bool ok = pool_add(r, &r->memo, length);

	for (uint32_t i = 0; ok && i < length; i++)
		ok = pool_add(r, &r->memo, question[i]);
	ok = ok && pool_add(r, &r->memo, answer_length);
	for (uint32_t i = 0; ok && i < answer_length; i++)
		ok = pool_add(r, &r->memo, answer->site[i + 1]);
	if (ok)
		index_put(r, &r->memo_index, position, hash);
}

static bool memo_answer(const uint32_t *answer, uint32_t head, struct way *ret_way)
{
	if (!answer[0])
		return false;
	ret_way->length = 1 + answer[0];
	ret_way->site[0] = head;
	memcpy(ret_way->site + 1, answer + 1, answer[0] * sizeof(*answer));
	return true;
}

static bool link_risks_nothing(const struct compile_result *r, uint32_t a, uint32_t b)
{
	uint32_t link = compile_link_find(r, a, b);

	return link != NETWORK_NONE && !r->network->links[link].risk_count;
}

/* Can the answer be shared with other heads? Then their own links play no part in it. */
static bool memo_serves(const struct compile_result *r, const struct search *s,
			const struct way *other, uint32_t first)
{
	return first != NETWORK_NONE && r->core_of[s->head] == NETWORK_NONE &&
	       !r->network->sites[s->head].face && other->site[1] != first &&
	       !s->path->through.count && !path_avoids(s->path) &&
	       link_risks_nothing(r, s->head, first) &&
	       link_risks_nothing(r, s->head, other->site[1]);
}

static bool way_find_disjoint_once(struct compile_result *r, struct search *s,
				   const struct way *other, struct way *ret_way)
{
	uint32_t question[COMPILE_WAY_MAX + 2], length = 0, first = first_hop(r, s);
	const uint32_t *answer;
	uint64_t hash;
	bool found;

	if (!memo_serves(r, s, other, first))
		return way_find_disjoint(r, s, other, ret_way);
	question[length++] = first;
	question[length++] = s->endpoint;
	for (uint32_t i = 1; i < other->length; i++)
		question[length++] = other->site[i];
	hash = compile_hash(question, length);
	answer = memo_find(r, question, length, hash);
	if (answer)
		return memo_answer(answer, s->head, ret_way);
	found = way_find_disjoint(r, s, other, ret_way);
	memo_add(r, question, length, hash, found ? ret_way : NULL);
	return found;
}

bool compile_way_find(struct compile_result *r, const struct candidate_path *path, uint32_t head,
		      uint32_t endpoint, const struct way *other, struct way *ret_way)
{
	struct search s = {.path = path, .head = head, .endpoint = endpoint};
	bool found;

	if (path_avoids(path))
		mark_avoided(r, &s, true);
	found =
	    other ? way_find_disjoint_once(r, &s, other, ret_way) : way_find_alone(r, &s, ret_way);
	if (path_avoids(path))
		mark_avoided(r, &s, false);
	return found;
}

static bool way_followed(struct compile_result *r, const struct way *w, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		if (compile_label_next(r, w->site[i], w->site[to]) != w->site[i + 1])
			return false;
	return true;
}

bool compile_way_stack(struct compile_result *r, const struct way *w, struct label_stack *ret_stack)
{
	struct label_stack stack = {0};
	uint32_t at = 1, last = w->length - 1;

	do {
		uint32_t to = last;

		while (to > at + 1 && !way_followed(r, w, at, to))
			to--;
		if (!label_stack_push_bottom(&stack, sites_label(r, w->site[to])))
			return false;
		at = to;
	} while (at < last);
	*ret_stack = stack;
	return true;
}

uint32_t compile_twin(const struct compile_result *r, uint32_t neighbor, uint32_t leaf)
{
	uint32_t twin = network_other_face(r->network, leaf);

	return twin != NETWORK_NONE && compile_link_find(r, neighbor, twin) != NETWORK_NONE
		   ? twin
		   : NETWORK_NONE;
}

bool compile_way_stack_pinned(struct compile_result *r, const struct way *w,
			      struct label_stack *ret_stack)
{
	struct way before = *w;
	struct label_stack stack = {0};

	before.length--;
	if (before.length > 1 && !compile_way_stack(r, &before, &stack))
		return false;
	if (!label_stack_push_bottom(&stack, sites_repair_label(r, way_last(w))))
		return false;
	*ret_stack = stack;
	return true;
}

static uint64_t label_key_hash(uint32_t site, uint32_t label)
{
	uint32_t key[2] = {site, label};

	return compile_hash(key, 2);
}

static void label_put(struct compile_result *r, const struct label_entry *entry, uint64_t hash)
{
	struct label_entry *e;
	uint32_t position;
	size_t step = 0;

	while ((position = index_next(&r->label_index, hash, &step)) != NETWORK_NONE) {
		e = &r->labels[position];
		if (e->site != entry->site || e->label != entry->label)
			continue;
		assert(e->next == entry->next);
		return;
	}
	position = (uint32_t)r->label_count;
	e = compile_grow(r, &r->labels, &r->label_count, &r->label_room, sizeof(*e));
	if (!e)
		return;
	*e = *entry;
	index_put(r, &r->label_index, position, hash);
}

void compile_label_add(struct compile_result *r, uint32_t site, uint32_t label, uint32_t next)
{
	label_put(r, &(struct label_entry){site, label, next}, label_key_hash(site, label));
}

uint32_t compile_stack_keep(struct compile_result *r, const struct label_stack *stack)
{
	uint32_t first = (uint32_t)r->stacks.count;

	for (uint8_t i = 0; i < stack->depth; i++)
		pool_add(r, &r->stacks, stack->label[i]);
	return first;
}

void compile_accept_add(struct compile_result *r, uint32_t site, uint32_t from, uint32_t labels,
			uint32_t depth)
{
	struct accept_entry *e =
	    compile_grow(r, &r->accepts, &r->accept_count, &r->accept_room, sizeof(*e));

	if (e)
		*e = (struct accept_entry){site, from, labels, depth};
}

/*
 * The routes that a way needs, all of them looked up before any is added: the index is larger than a
 * cache, and so the processor waits for several of its lines at once.
 */
struct needs {
	struct label_entry labels[2 * COMPILE_WAY_MAX];
	uint64_t hashes[2 * COMPILE_WAY_MAX];
	uint32_t count;
};

static void needs_label(const struct compile_result *r, struct needs *needs, uint32_t site,
			uint32_t label, uint32_t next)
{
	needs->labels[needs->count] = (struct label_entry){site, label, next};
	needs->hashes[needs->count] = label_key_hash(site, label);
	index_fetch(&r->label_index, needs->hashes[needs->count++]);
}

/*
 * The leaves below one site go the same way from there, under the same labels: what one of them
 * installed of it, it installed for all.
 */
static bool tail_installed(struct compile_result *r, const struct way *w,
			   const struct label_stack *stack, uint32_t *ret_labels)
{
	size_t size = (w->length - 1) * sizeof(w->site[0]);
	struct installed_tail *t =
	    &r->tails[compile_hash(w->site + 1, w->length - 1) % COMPILE_TAILS];
	bool leaf = r->core_of[w->site[0]] == NETWORK_NONE;

	if (leaf && t->length == w->length - 1 && label_stack_equal(&t->stack, stack) &&
	    !memcmp(t->site, w->site + 1, size)) {
		*ret_labels = t->labels;
		return true;
	}
	*ret_labels = compile_stack_keep(r, stack);
	if (!leaf)
		return false;
	t->length = w->length - 1;
	t->stack = *stack;
	t->labels = *ret_labels;
	memcpy(t->site, w->site + 1, size);
	return false;
}

uint32_t compile_way_install(struct compile_result *r, const struct way *w,
			     const struct label_stack *stack)
{
	uint32_t labels;
	bool installed = tail_installed(r, w, stack, &labels);
	struct needs needs;
	uint8_t used = 0;

	compile_accept_add(r, w->site[1], w->site[0], labels, stack->depth);
	if (installed)
		return labels;
	needs.count = 0;
	for (uint32_t i = 1; i < w->length; i++) {
		uint32_t site = w->site[i];

		assert(used < stack->depth);
		if (i > 1)
			compile_accept_add(r, site, w->site[i - 1], labels + used,
					   stack->depth - used);
		if (sites_label_is(r, site, stack->label[used])) {
			needs_label(r, &needs, site, stack->label[used], site);
			used++;
		}
		if (i + 1 < w->length)
			needs_label(r, &needs, site, stack->label[used], w->site[i + 1]);
	}
	assert(used == stack->depth);
	for (uint32_t i = 0; i < needs.count; i++)
		label_put(r, &needs.labels[i], needs.hashes[i]);
	return labels;
}

void compile_labels_absorb(struct compile_result *r, const struct compile_result *part)
{
	enum { AHEAD = 16 };

	for (size_t i = 0; i < part->label_count; i++) {
		const struct label_entry *e = &part->labels[i];

		if (i + AHEAD < part->label_count)
			index_fetch(&r->label_index, label_key_hash(e[AHEAD].site, e[AHEAD].label));
		label_put(r, e, label_key_hash(e->site, e->label));
	}
}

static void label_adopt(struct compile_result *r, const struct label_entry *e)
{
	uint64_t hash = label_key_hash(e->site, e->label);
	uint32_t position;
	size_t step = 0;

	while ((position = index_next(&r->label_index, hash, &step)) != NETWORK_NONE)
		if (r->labels[position].site == e->site && r->labels[position].label == e->label)
			return;
	compile_label_add(r, e->site, e->label, e->next);
}

/*
 * The last step over a link that comes into use: what @from carries for others may take it as soon as @from knows of it,
 * with the stack of an older way.
 */
static void accept_last(struct compile_result *r, uint32_t from, uint32_t to)
{
	struct label_stack stack = {.depth = 1, .label = {sites_label(r, to)}};

	if (r->core_of[from] == NETWORK_NONE)
		return;
	compile_accept_add(r, to, from, compile_stack_keep(r, &stack), 1);
	label_adopt(r, &(struct label_entry){to, stack.label[0], to});
}

void compile_way_adopt(struct compile_result *r, const struct compile_result *other)
{
	for (size_t i = 0; i < other->label_count; i++)
		label_adopt(r, &other->labels[i]);
	for (size_t i = 0; i < other->accept_count; i++) {
		const struct accept_entry *e = &other->accepts[i];
		struct label_stack stack = compile_accept_stack(other, e);

		compile_accept_add(r, e->site, e->from, compile_stack_keep(r, &stack), e->depth);
	}
	for (size_t i = 0; i < r->network->link_count; i++) {
		const struct link *l = &r->network->links[i];

		if (!l->prepared && !l->fresh)
			continue;
		accept_last(r, network_link_end(r->network, l, l->a),
			    network_link_end(r->network, l, l->b));
		accept_last(r, network_link_end(r->network, l, l->b),
			    network_link_end(r->network, l, l->a));
	}
}

void compile_way_reverse(const struct way *w, struct way *ret_way)
{
	ret_way->length = w->length;
	for (uint32_t i = 0; i < w->length; i++)
		ret_way->site[i] = w->site[w->length - 1 - i];
}
