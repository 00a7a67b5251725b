/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/explain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/base/date.h"

static bool policy_carries(const struct policy *p, uint32_t class_index)
{
	for (size_t i = 0; i < p->class_count; i++)
		if (p->classes[i] == class_index)
			return true;
	return false;
}

struct explain_answer explain_class(const struct compile_result *r, uint32_t from, uint32_t to,
				    uint32_t class_index)
{
	const struct network *n = compile_source(r);
	struct explain_answer best = {EXPLAIN_NO_RULE, NETWORK_NONE, NETWORK_NONE, NETWORK_NONE};

	for (uint32_t i = 0; i < n->policy_count && from != to; i++) {
		const struct policy *p = &n->policies[i];
		struct explain_answer a = {EXPLAIN_ALLOWED, i, NETWORK_NONE, NETWORK_NONE};

		if (!policy_carries(p, class_index) || !compile_set_has(&p->from, from) ||
		    !compile_set_has(&p->to, to))
			continue;
		a.deny = compile_denied_by(r, from, to, class_index);
		if (a.deny != NETWORK_NONE) {
			a.verdict = EXPLAIN_DENIED;
		} else if (!n->sites[from].lan_count || !n->sites[to].lan_count) {
			a.verdict = EXPLAIN_NO_LAN;
			a.site = n->sites[from].lan_count ? to : from;
		} else if (network_shares_lan(n, from, to)) {
			a.verdict = EXPLAIN_SAME_LAN;
		} else if (!compile_class_enters(n, class_index, to)) {
			a.verdict = EXPLAIN_NO_LAN;
			a.site = to;
		}
		if (a.verdict < best.verdict ||
		    (a.verdict == best.verdict && a.verdict == EXPLAIN_ALLOWED &&
		     p->color < n->policies[best.policy].color))
			best = a;
	}
	return best;
}

/* The session of @policy between two sites, whoever is its head-end; NULL if there is none. */
static const struct compile_pair *session_find(const struct compile_result *r, uint32_t policy,
					       uint32_t from, uint32_t to)
{
	for (int turn = 0; turn < 2; turn++) {
		size_t count, first = compile_pairs_of_head(r, turn ? to : from, &count);

		for (size_t i = first; i < first + count; i++) {
			const struct compile_pair *p = compile_pair(r, i);

			if (p->policy == policy && p->endpoint == (turn ? from : to))
				return p;
		}
	}
	return NULL;
}

/* Walks the stack along a way: what is left of it on the hop that leaves @way[@hop]. */
static struct label_stack stack_at(const struct network *n, const struct label_stack *whole,
				   const uint32_t *way, int step, uint32_t hop)
{
	struct label_stack rest = {0};
	uint8_t used = 0;

	for (uint32_t i = 1; i <= hop; i++) {
		uint32_t id = n->sites[way[(int)i * step]].id;

		if (used < whole->depth && (whole->label[used] == label_node_sid(n->srgb, id) ||
					    whole->label[used] == label_repair_sid(n->srgb, id)))
			used++;
	}
	for (uint8_t i = used; i < whole->depth; i++)
		label_stack_push_bottom(&rest, whole->label[i]);
	return rest;
}

/* ---- the same packets by two policies ---------------------------------------------------- */

/* @first: the policy that has @class_index goes before @other, which carries class @with. @own:
 * NULL where none has it. */
typedef void overlap_step(const struct network *n, bool first, const struct policy *own,
			  const struct policy *other, uint32_t with, struct text *t);

/* Does any packet of the class go from the one to the other, where a policy carries it? */
static bool class_passes(const struct compile_result *r, uint32_t from, uint32_t to,
			 uint32_t class_index)
{
	const struct network *n = compile_source(r);

	return n->sites[from].lan_count && !network_shares_lan(n, from, to) &&
	       compile_class_enters(n, class_index, to) &&
	       compile_denied_by(r, from, to, class_index) == NETWORK_NONE;
}

/*
 * Which packets of the class another one takes first, and which policies this one takes them from:
 * nodes go by color, the lowest that has the packet.
 */
static void overlaps_of_class(const struct compile_result *r, uint32_t from, uint32_t to,
			      uint32_t class_index, struct explain_answer a, overlap_step *found,
			      struct text *t)
{
	const struct network *n = compile_source(r);
	const struct policy *own = a.verdict == EXPLAIN_ALLOWED ? &n->policies[a.policy] : NULL;

	for (uint32_t i = 0; i < n->policy_count; i++) {
		const struct policy *p = &n->policies[i];

		if (p == own || !compile_set_has(&p->from, from) || !compile_set_has(&p->to, to))
			continue;
		for (size_t k = 0; k < p->class_count; k++)
			if ((own || p->classes[k] != class_index) &&
			    class_passes(r, from, to, p->classes[k]) &&
			    compile_classes_overlap(n, p->classes[k], class_index))
				found(n, own && own->color < p->color, own, p, p->classes[k], t);
	}
}

/* ---- lines ----------------------------------------------------------------------------- */

/* NULL: nothing of the country is queued or marked. */
static const struct fwd_queue *queue_find(const struct forwarding *f, uint32_t color)
{
	for (size_t i = 0; i < f->queue_count; i++)
		if (f->queues[i].color == color)
			return &f->queues[i];
	return NULL;
}

/* The narrowest line that a way takes, of those whose rate is known. */
struct narrowest {
	uint64_t bps; /* 0: none is */
	uint32_t site;
	const char *underlay;
	bool up; /* seen from @site */
};

static void narrowest_take(const struct network *n, uint32_t site, uint32_t uplink, bool up,
			   struct narrowest *least)
{
	const struct site_uplink *u = &n->sites[site].uplinks[uplink];
	uint64_t bps = up ? u->rate.up_bps : u->rate.down_bps;

	if (bps && (!least->bps || bps < least->bps))
		*least = (struct narrowest){bps, site, n->underlays[u->underlay].name, up};
}

/* @step 1 there, -1 back. */
static struct narrowest way_narrowest(const struct compile_result *r, const uint32_t *way, int step,
				      uint32_t length)
{
	const struct network *n = compile_source(r);
	struct narrowest least = {0};

	for (uint32_t i = 0; i + 1 < length; i++) {
		uint32_t from = way[(int)i * step], to = way[((int)i + 1) * step];
		const struct link *l = &n->links[compile_link_find(r, from, to)];
		bool caller;

		from = network_site_of(n, from);
		to = network_site_of(n, to);
		caller = l->a == from;

		narrowest_take(n, from, caller ? l->uplink_a : l->uplink_b, true, &least);
		narrowest_take(n, to, caller ? l->uplink_b : l->uplink_a, false, &least);
	}
	return least;
}

/* ---- for people ------------------------------------------------------------------------ */

static void place_add(const struct network *n, struct source_place place, struct text *t)
{
	text_printf(t, "%s:%u", place.file < n->file_count ? n->files[place.file] : "?",
		    place.line);
}

static void overlap_text(const struct network *n, bool first, const struct policy *own,
			 const struct policy *other, uint32_t class_index, struct text *t)
{
	const char *name = n->classes[class_index].name;

	if (first)
		text_printf(t, "               before policy '%s' (", other->name);
	else
		text_printf(t, "               but what of it is '%s' too goes by policy '%s' (",
			    name, other->name);
	place_add(n, other->place, t);
	text_add_char(t, ')');
	if (first)
		text_printf(t, ", which carries '%s' too", name);
	if (own)
		text_printf(t, ": the lower color wins, %u and not %u",
			    first ? own->color : other->color, first ? other->color : own->color);
	text_add_char(t, '\n');
}

/* Who wants a rule, why, and until when: lines of their own. */
static void note_text(const struct rule_note *note, const char *whose, struct text *t)
{
	char day[DATE_STRLEN];

	if (note->author)
		text_printf(t, "               %sauthor: %s\n", whose, note->author);
	if (note->reason)
		text_printf(t, "               %sreason: %s\n", whose, note->reason);
	if (note->expires_s)
		text_printf(t, "               %sexpires: %s\n", whose,
			    date_format(note->expires_s, day));
}

static void class_expired_text(const struct network *n, uint32_t class_index, struct text *t)
{
	char day[DATE_STRLEN];

	text_printf(t, "not allowed: the class expired on %s\n",
		    date_format(n->classes[class_index].note.expires_s, day));
}

static void answer_text(const struct network *n, uint32_t class_index, struct explain_answer a,
			struct text *t)
{
	const struct policy *p = a.policy == NETWORK_NONE ? NULL : &n->policies[a.policy];
	const char *policy = p ? p->name : "";

	text_printf(t, "  %-12s ", n->classes[class_index].name);
	switch (a.verdict) {
	case EXPLAIN_ALLOWED:
		text_printf(t, "allowed by policy '%s' (", policy);
		if (p)
			place_add(n, p->place, t);
		text_add(t, ")\n");
		if (p)
			note_text(&p->note, "", t);
		note_text(&n->classes[class_index].note, "class ", t);
		return;
	case EXPLAIN_DENIED:
		text_add(t, "denied by the deny rule at ");
		place_add(n, n->denies[a.deny].place, t);
		text_printf(t, ", against policy '%s'\n", policy);
		note_text(&n->denies[a.deny].note, "", t);
		return;
	case EXPLAIN_NO_LAN:
		text_printf(t, "no session: policy '%s' allows it, but '%s' has no lan%s\n", policy,
			    n->sites[a.site].name,
			    n->sites[a.site].lan_count ? " to which the class goes" : "");
		return;
	case EXPLAIN_SAME_LAN:
		text_printf(t, "no session: policy '%s' allows it, but both stand in one lan\n",
			    policy);
		return;
	case EXPLAIN_NO_RULE:
		if (n->classes[class_index].expired)
			class_expired_text(n, class_index, t);
		else
			text_add(t, "not allowed: no rule allows it\n");
		return;
	}
}

static void duration_add(uint64_t us, struct text *t)
{
	if (us % 1000)
		text_printf(t, "%llu us", (unsigned long long)us);
	else
		text_printf(t, "%llu ms", (unsigned long long)us / 1000);
}

static void way_text(const struct network *n, const uint32_t *way, int step, uint32_t length,
		     const struct label_stack *stack, struct text *t)
{
	char out[LABEL_STACK_STRLEN];

	for (uint32_t i = 0; i < length; i++) {
		struct label_stack rest = stack_at(n, stack, way, step, i);

		text_add(t, n->sites[way[(int)i * step]].name);
		if (i + 1 < length)
			text_printf(t, " ==%s==> ", label_stack_format(&rest, out));
	}
	text_add_char(t, '\n');
}

static void shared_text(const struct compile_result *r, const struct policy *p,
			const struct compile_path *path, struct text *t)
{
	const struct network *n = compile_source(r);
	const uint32_t *shared = compile_path_shared(r, path);

	if (!path->shared_count)
		return;
	text_add(t, "      shares ");
	for (uint8_t i = 0; i < path->shared_count; i++) {
		const struct link *l = &n->links[shared[i]];

		text_printf(t, "%slink %s %s%s", i ? ", " : "", n->sites[l->a].name,
			    n->sites[l->b].name, network_link_suffix(l));
	}
	text_printf(t, " with '%s': there is no way around\n",
		    p->paths[p->paths[path->path].disjoint_from].name);
}

typedef void repair_step(const struct network *n, uint32_t site, uint32_t next, bool back,
			 const struct compile_repair *repair, void *context);

/* The hops of a way, @step 1 there or -1 back, that have a repair. */
static void repairs_of_way(const struct compile_result *r, const uint32_t *way, int step,
			   uint32_t length, const struct label_stack *stack, repair_step *found,
			   void *context)
{
	const struct network *n = compile_source(r);
	struct compile_repair repair;

	for (uint32_t i = 0; i + 1 < length; i++) {
		struct label_stack rest = stack_at(n, stack, way, step, i);
		uint32_t site = way[(int)i * step], next = way[((int)i + 1) * step];

		if (compile_repair_find(r, site, next, &rest, &repair))
			found(n, site, next, step < 0, &repair, context);
	}
}

static void repairs_of_path(const struct compile_result *r, const struct compile_path *path,
			    repair_step *found, void *context)
{
	const struct label_stack stack = compile_path_stack(r, path, false);
	const struct label_stack back = compile_path_stack(r, path, true);
	const uint32_t *way = compile_path_way(r, path);

	repairs_of_way(r, way, 1, path->way_length, &stack, found, context);
	repairs_of_way(r, way + path->way_length - 1, -1, path->way_length, &back, found, context);
}

static void repair_text(const struct network *n, uint32_t site, uint32_t next, bool back,
			const struct compile_repair *repair, void *context)
{
	struct text *t = context;

	text_printf(t, "      repair %s, link %s %s: ", back ? "back" : "there",
		    n->sites[site].name, n->sites[next].name);
	way_text(n, repair->way, 1, repair->way_length, &repair->stack, t);
}

static void narrowest_text(const struct network *n, struct narrowest least, struct text *t)
{
	if (least.bps)
		text_printf(t, "             at most %llu kbit/s: '%s' %s %s\n",
			    (unsigned long long)least.bps / 1000, n->sites[least.site].name,
			    least.underlay, least.up ? "up" : "down");
}

static void path_text(const struct compile_result *r, const struct policy *p,
		      const struct compile_path *path, struct text *t)
{
	const struct network *n = compile_source(r);
	const struct candidate_path *c = &p->paths[path->path];
	const struct label_stack stack = compile_path_stack(r, path, false);
	const struct label_stack back = compile_path_stack(r, path, true);
	const uint32_t *way = compile_path_way(r, path);

	text_printf(t, "    path %u '%s', preference %u, MTU %u, probed every ", path->index,
		    c->name, c->preference, path->mtu);
	duration_add(path->probe.interval_us, t);
	if (path->doubt) {
		text_add(t, ", in doubt after ");
		duration_add((uint64_t)path->probe.interval_us * path->doubt, t);
	}
	text_add(t, ", down after ");
	duration_add((uint64_t)path->probe.interval_us * path->probe.multiplier, t);
	text_add(t, "\n      there  ");
	way_text(n, way, 1, path->way_length, &stack, t);
	narrowest_text(n, way_narrowest(r, way, 1, path->way_length), t);
	text_add(t, "      back   ");
	way_text(n, way + path->way_length - 1, -1, path->way_length, &back, t);
	narrowest_text(n, way_narrowest(r, way + path->way_length - 1, -1, path->way_length), t);
	repairs_of_path(r, path, repair_text, t);
	shared_text(r, p, path, t);
}

static const char *const priority_names[] = {"low", "normal", "high"};

/* The queue of the session's packets, and where the carrier sees a mark: the same on every node but
 * for its lines. */
static void queue_text(const struct forwarding *f, const struct fwd_queue *q, struct text *t)
{
	if (!q)
		return;
	text_printf(
	    t,
	    "    queue: priority %s, %u%% of a line whose rate is known; code point %u inside "
	    "link0",
	    priority_names[q->priority], q->share_percent, q->dscp);
	for (size_t i = 0; i < f->line_count; i++)
		if (f->lines[i].has_dscp)
			text_printf(t, ", %u on %s", f->lines[i].dscp[q->priority],
				    f->lines[i].underlay);
	text_add_char(t, '\n');
}

static void limits_text(const struct path_limits *l, struct text *t)
{
	const char *before = "    degraded above ";

	if (l->loss_percent) {
		text_printf(t, "%sloss %u%%", before, l->loss_percent);
		before = ", ";
	}
	if (l->round_trip_us) {
		text_printf(t, "%sround trip ", before);
		duration_add(l->round_trip_us, t);
		before = ", ";
	}
	if (l->jitter_us) {
		text_printf(t, "%sjitter ", before);
		duration_add(l->jitter_us, t);
	}
	if (l->loss_percent || l->round_trip_us || l->jitter_us)
		text_add(t, ": then the best path that is up and within them is used\n");
}

/* Who else stands in the endpoint's LAN, in the order in which the head-end takes them. */
static void gateway_text(const struct compile_result *r, const struct compile_pair *pair,
			 struct text *t)
{
	const struct network *n = compile_source(r);
	const char *before = "    gateways to its LAN, the first that is alive: ";
	size_t count, first = compile_pairs_of_head(r, pair->head, &count);

	if (!site_shares_lan(&n->sites[pair->endpoint]))
		return;
	for (uint8_t rank = 0; rank < FWD_RANKS_MAX; rank++)
		for (size_t i = first; i < first + count; i++) {
			const struct compile_pair *p = compile_pair(r, i);

			if (p->policy != pair->policy || p->rank != rank ||
			    (p->endpoint != pair->endpoint &&
			     !network_shares_lan(n, p->endpoint, pair->endpoint)))
				continue;
			text_printf(t, "%s'%s'", before, n->sites[p->endpoint].name);
			before = ", ";
		}
	text_add_char(t, '\n');
}

static void session_text(const struct compile_result *r, const struct compile_pair *pair,
			 const struct forwarding *head, struct text *t)
{
	const struct network *n = compile_source(r);
	const struct policy *p = &n->policies[pair->policy];
	uint16_t mtu = UINT16_MAX;

	for (uint32_t i = 0; i < pair->path_count; i++)
		if (compile_path(r, pair->path + i)->session_mtu < mtu)
			mtu = compile_path(r, pair->path + i)->session_mtu;
	text_printf(t,
		    "\n  session s%u of policy '%s': port %u, MTU %u; '%s' chooses the path, back "
		    "to a better one after ",
		    p->color, p->name, n->session_port + p->color, mtu, n->sites[pair->head].name);
	duration_add((uint64_t)p->revert_hold_ms * 1000, t);
	if (p->revert_max_ms > p->revert_hold_ms) {
		text_add(t, ", after ");
		duration_add((uint64_t)p->revert_max_ms * 1000, t);
		text_add(t, " at most if that fails often");
	}
	text_add_char(t, '\n');
	gateway_text(r, pair, t);
	queue_text(head, queue_find(head, p->color), t);
	limits_text(&p->degraded, t);
	for (uint32_t i = 0; i < pair->path_count; i++)
		path_text(r, p, compile_path(r, pair->path + i), t);
}

/* Does an allowed class that was asked for go by @policy? */
static bool policy_serves(const struct compile_result *r, uint32_t policy, uint32_t from,
			  uint32_t to, uint32_t class_index)
{
	const struct network *n = compile_source(r);

	for (size_t i = 0; i < n->policies[policy].class_count; i++) {
		uint32_t c = n->policies[policy].classes[i];

		if ((class_index == NETWORK_NONE || class_index == c) &&
		    compile_denied_by(r, from, to, c) == NETWORK_NONE)
			return true;
	}
	return false;
}

/* The next policy from *@policy on with a session to show. @return its session or NULL. */
static const struct compile_pair *session_next(const struct compile_result *r, uint32_t from,
					       uint32_t to, uint32_t class_index, uint32_t *policy)
{
	const struct network *n = compile_source(r);

	for (; *policy < n->policy_count; (*policy)++) {
		const struct policy *p = &n->policies[*policy];
		const struct compile_pair *pair;

		if (!compile_set_has(&p->from, from) || !compile_set_has(&p->to, to) ||
		    !policy_serves(r, *policy, from, to, class_index))
			continue;
		pair = session_find(r, *policy, from, to);
		if (!pair)
			continue;
		(*policy)++;
		return pair;
	}
	return NULL;
}

/* What the head-end's node is told. @return false without memory. */
static bool session_head(const struct compile_result *r, const struct compile_pair *pair,
			 struct forwarding *ret_head, struct text *t)
{
	bool ok = compile_site(r, pair->head, ret_head) == 0;

	t->failed |= !ok;
	return ok;
}

static bool asked(uint32_t class_index, uint32_t c)
{
	return class_index == NETWORK_NONE || class_index == c;
}

bool explain_text(const struct compile_result *r, uint32_t from, uint32_t to, uint32_t class_index,
		  struct text *ret_text)
{
	const struct network *n = compile_source(r);
	const struct compile_pair *pair;
	uint32_t policy = 0;
	bool allowed = false;

	text_printf(ret_text, "%s -> %s, new connections:\n", n->sites[from].name,
		    n->sites[to].name);
	for (uint32_t c = 0; c < n->class_count; c++) {
		struct explain_answer a = explain_class(r, from, to, c);

		if (!asked(class_index, c))
			continue;
		answer_text(n, c, a, ret_text);
		overlaps_of_class(r, from, to, c, a, overlap_text, ret_text);
		allowed |= a.verdict == EXPLAIN_ALLOWED;
	}
	while (allowed && (pair = session_next(r, from, to, class_index, &policy))) {
		struct forwarding head;

		if (!session_head(r, pair, &head, ret_text))
			break;
		session_text(r, pair, &head, ret_text);
		forwarding_clear(&head);
	}
	return allowed;
}

/* ---- for programs ---------------------------------------------------------------------- */

static void json_string(struct text *t, const char *before, const char *string)
{
	text_add(t, before);
	text_add_json_string(t, string);
}

static void json_place(const struct network *n, struct source_place place, struct text *t)
{
	json_string(t, ",\"file\":", place.file < n->file_count ? n->files[place.file] : "?");
	text_printf(t, ",\"line\":%u", place.line);
}

static void note_json(const struct rule_note *note, struct text *t)
{
	char day[DATE_STRLEN];

	if (note->author)
		json_string(t, ",\"author\":", note->author);
	if (note->reason)
		json_string(t, ",\"reason\":", note->reason);
	if (note->expires_s)
		json_string(t, ",\"expires\":", date_format(note->expires_s, day));
}

static void answer_json(const struct network *n, uint32_t class_index, struct explain_answer a,
			struct text *t)
{
	static const char *const verdicts[] = {
	    [EXPLAIN_ALLOWED] = "allowed", [EXPLAIN_DENIED] = "denied",
	    [EXPLAIN_NO_LAN] = "no-lan",   [EXPLAIN_SAME_LAN] = "same-lan",
	    [EXPLAIN_NO_RULE] = "no-rule",
	};

	json_string(t, "{\"class\":", n->classes[class_index].name);
	json_string(t, ",\"verdict\":", verdicts[a.verdict]);
	if (a.policy != NETWORK_NONE)
		json_string(t, ",\"policy\":", n->policies[a.policy].name);
	if (a.verdict == EXPLAIN_ALLOWED) {
		json_place(n, n->policies[a.policy].place, t);
		note_json(&n->policies[a.policy].note, t);
	}
	if (a.verdict == EXPLAIN_DENIED) {
		json_place(n, n->denies[a.deny].place, t);
		note_json(&n->denies[a.deny].note, t);
	}
	if (a.verdict == EXPLAIN_NO_LAN)
		json_string(t, ",\"site\":", n->sites[a.site].name);
}

static void overlap_json(const struct network *n, bool first, const struct policy *own,
			 const struct policy *other, uint32_t class_index, struct text *t)
{
	(void)own;
	text_add(t, t->bytes[t->length - 1] == '[' ? "{" : ",{");
	json_string(t, "\"policy\":", other->name);
	text_printf(t, ",\"color\":%u", other->color);
	json_string(t, ",\"class\":", n->classes[class_index].name);
	text_printf(t, ",\"wins\":%s}", first ? "false" : "true");
}

/* Ends the class's object. */
static void overlaps_json(const struct compile_result *r, uint32_t from, uint32_t to,
			  uint32_t class_index, struct explain_answer a, struct text *t)
{
	text_add(t, ",\"overlaps\":[");
	overlaps_of_class(r, from, to, class_index, a, overlap_json, t);
	text_add(t, "]}");
}

static void way_json(const struct network *n, const uint32_t *way, int step, uint32_t length,
		     const struct label_stack *stack, struct text *t)
{
	text_add_char(t, '[');
	for (uint32_t i = 0; i < length; i++) {
		struct label_stack rest = stack_at(n, stack, way, step, i);

		uint32_t at = way[(int)i * step], site = network_site_of(n, at);

		json_string(t, i ? ",{\"site\":" : "{\"site\":", n->sites[site].name);
		text_add(t, at != site ? ",\"parallel\":true" : "");
		text_add(t, ",\"labels\":[");
		for (uint8_t k = 0; i + 1 < length && k < rest.depth; k++)
			text_printf(t, "%s%u", k ? "," : "", rest.label[k]);
		text_add(t, "]}");
	}
	text_add_char(t, ']');
}

static void repair_json(const struct network *n, uint32_t site, uint32_t next, bool back,
			const struct compile_repair *repair, void *context)
{
	struct text *t = context;

	text_add(t, t->bytes[t->length - 1] == '[' ? "{" : ",{");
	text_printf(t, "\"back\":%s", back ? "true" : "false");
	json_string(t, ",\"link\":[", n->sites[site].name);
	json_string(t, ",", n->sites[network_site_of(n, next)].name);
	text_add(t, next < n->site_count ? "]" : "],\"parallel\":true");
	text_add(t, ",\"way\":");
	way_json(n, repair->way, 1, repair->way_length, &repair->stack, t);
	text_add_char(t, '}');
}

static void narrowest_json(const struct network *n, const char *name, struct narrowest least,
			   struct text *t)
{
	if (!least.bps)
		return;
	text_printf(t, ",\"%s\":{\"kbps\":%llu", name, (unsigned long long)least.bps / 1000);
	json_string(t, ",\"site\":", n->sites[least.site].name);
	json_string(t, ",\"underlay\":", least.underlay);
	text_printf(t, ",\"direction\":\"%s\"}", least.up ? "up" : "down");
}

static void path_json(const struct compile_result *r, const struct candidate_path *c,
		      const struct compile_path *path, struct text *t)
{
	const struct network *n = compile_source(r);
	const struct label_stack stack = compile_path_stack(r, path, false);
	const struct label_stack back = compile_path_stack(r, path, true);
	const uint32_t *way = compile_path_way(r, path), *shared = compile_path_shared(r, path);

	text_printf(t, "{\"index\":%u", path->index);
	json_string(t, ",\"name\":", c->name);
	text_printf(
	    t, ",\"preference\":%u,\"mtu\":%u,\"session_mtu\":%u,\"probe_us\":%u,\"multiplier\":%u",
	    c->preference, path->mtu, path->session_mtu, path->probe.interval_us,
	    path->probe.multiplier);
	if (path->doubt)
		text_printf(t, ",\"doubt\":%u", path->doubt);
	text_add(t, ",\"there\":");
	way_json(n, way, 1, path->way_length, &stack, t);
	text_add(t, ",\"back\":");
	way_json(n, way + path->way_length - 1, -1, path->way_length, &back, t);
	narrowest_json(n, "narrowest_there", way_narrowest(r, way, 1, path->way_length), t);
	narrowest_json(n, "narrowest_back",
		       way_narrowest(r, way + path->way_length - 1, -1, path->way_length), t);
	text_add(t, ",\"repairs\":[");
	repairs_of_path(r, path, repair_json, t);
	text_add(t, "],\"shared\":[");
	for (uint8_t i = 0; i < path->shared_count; i++) {
		json_string(t, i ? ",[" : "[", n->sites[n->links[shared[i]].a].name);
		json_string(t, ",", n->sites[n->links[shared[i]].b].name);
		text_add_char(t, ']');
	}
	text_add(t, "]}");
}

static void queue_json(const struct forwarding *f, const struct fwd_queue *q, struct text *t)
{
	const char *comma = "";

	if (!q)
		return;
	text_printf(t,
		    ",\"queue\":{\"priority\":\"%s\",\"share_percent\":%u,\"dscp\":%u,\"marks\":{",
		    priority_names[q->priority], q->share_percent, q->dscp);
	for (size_t i = 0; i < f->line_count; i++) {
		if (!f->lines[i].has_dscp)
			continue;
		json_string(t, comma, f->lines[i].underlay);
		text_printf(t, ":%u", f->lines[i].dscp[q->priority]);
		comma = ",";
	}
	text_add(t, "}}");
}

static void limits_json(const struct path_limits *l, struct text *t)
{
	if (l->loss_percent || l->round_trip_us || l->jitter_us)
		text_printf(
		    t, ",\"degraded\":{\"loss_percent\":%u,\"round_trip_us\":%u,\"jitter_us\":%u}",
		    l->loss_percent, l->round_trip_us, l->jitter_us);
}

static void session_json(const struct compile_result *r, const struct compile_pair *pair,
			 const struct forwarding *head, struct text *t)
{
	const struct network *n = compile_source(r);
	const struct policy *p = &n->policies[pair->policy];

	json_string(t, "{\"policy\":", p->name);
	text_printf(t, ",\"color\":%u,\"port\":%u", p->color, n->session_port + p->color);
	json_string(t, ",\"head\":", n->sites[pair->head].name);
	json_string(t, ",\"endpoint\":", n->sites[pair->endpoint].name);
	if (site_shares_lan(&n->sites[pair->endpoint]))
		text_printf(t, ",\"rank\":%u", pair->rank);
	text_printf(t, ",\"revert_ms\":%u,\"revert_max_ms\":%u", p->revert_hold_ms,
		    p->revert_max_ms);
	queue_json(head, queue_find(head, p->color), t);
	limits_json(&p->degraded, t);
	text_add(t, ",\"paths\":[");
	for (uint32_t i = 0; i < pair->path_count; i++) {
		const struct compile_path *path = compile_path(r, pair->path + i);

		text_add(t, i ? "," : "");
		path_json(r, &p->paths[path->path], path, t);
	}
	text_add(t, "]}");
}

bool explain_json(const struct compile_result *r, uint32_t from, uint32_t to, uint32_t class_index,
		  struct text *ret_text)
{
	const struct network *n = compile_source(r);
	const struct compile_pair *pair;
	const char *comma = "";
	uint32_t policy = 0;
	bool allowed = false;

	json_string(ret_text, "{\"from\":", n->sites[from].name);
	json_string(ret_text, ",\"to\":", n->sites[to].name);
	text_add(ret_text, ",\"classes\":[");
	for (uint32_t c = 0; c < n->class_count; c++) {
		struct explain_answer a = explain_class(r, from, to, c);

		if (!asked(class_index, c))
			continue;
		text_add(ret_text, comma);
		comma = ",";
		answer_json(n, c, a, ret_text);
		overlaps_json(r, from, to, c, a, ret_text);
		allowed |= a.verdict == EXPLAIN_ALLOWED;
	}
	text_add(ret_text, "],\"sessions\":[");
	comma = "";
	while (allowed && (pair = session_next(r, from, to, class_index, &policy))) {
		struct forwarding head;

		if (!session_head(r, pair, &head, ret_text))
			break;
		text_add(ret_text, comma);
		comma = ",";
		session_json(r, pair, &head, ret_text);
		forwarding_clear(&head);
	}
	text_printf(ret_text, "],\"allowed\":%s}", allowed ? "true" : "false");
	return allowed;
}
