/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c
// link: policies/compile_repair.c policies/compile_way.c policies/compile_site.c policies/expect.c policies/explain.c
// link: topology/network.c topology/labels.c topology/mtu.c topology/spf.c
// link: topology/forwarding.c topology/forwarding_codec.c tests/unit/network_fixture.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
/*
 * What is compiled is tried, not read: a packet is sent along each path through the tables of all
 * sites, which must let it pass every filter, and end where it should, by the way that was wanted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "network_fixture.h"
#include "tuyen/policies/compile.h"
#include "tuyen/policies/explain.h"

/* ---- a country's tables -------------------------------------------------------------- */

struct tables {
	const struct network *n;
	struct compile_result *result;
	struct forwarding *site; /* by site index */
	uint32_t *by_id;
};

static void tables_compile(const struct network *n, struct tables *t)
{
	*t = (struct tables){.n = n};
	if (compile_network(n, COMPILE_NEED_KEYS, &t->result))
		fail_msg("%s", t->result ? compile_problem(t->result, 0)->text : "no memory");
	t->site = calloc(n->site_count, sizeof(*t->site));
	t->by_id = calloc(SITE_ID_MAX + 1, sizeof(*t->by_id));
	for (uint32_t i = 0; i < n->site_count; i++) {
		assert_int_equal(compile_site(t->result, i, &t->site[i]), 0);
		t->by_id[n->sites[i].id] = i;
	}
}

static void tables_clear(struct tables *t)
{
	for (size_t i = 0; i < t->n->site_count; i++)
		forwarding_clear(&t->site[i]);
	free(t->site);
	free(t->by_id);
	compile_free(t->result);
}

static bool accepted(const struct forwarding *f, uint32_t from, const struct label_stack *stack)
{
	const struct fwd_neighbor *n = forwarding_neighbor(f, from);

	for (size_t i = 0; n && i < n->accept_count; i++)
		if (label_stack_equal(&n->accept[i], stack))
			return true;
	return false;
}

static const struct fwd_label_route *label_route(const struct forwarding *f, uint32_t label)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].in_label == label)
			return &f->labels[i];
	return NULL;
}

/*
 * Sends a packet from @from to its neighbour @next (ids). @ret_way takes the ids that it passes.
 * @return the number of them; 0 when it is dropped on the way.
 */
static size_t packet_send(const struct tables *t, uint32_t from, uint32_t next,
			  struct label_stack stack, uint32_t ret_way[static COMPILE_WAY_MAX])
{
	size_t length = 0;

	ret_way[length++] = from;
	while (length < COMPILE_WAY_MAX) {
		const struct forwarding *f = &t->site[t->by_id[next]];
		const struct fwd_label_route *route;

		if (!forwarding_neighbor(&t->site[t->by_id[from]], next) ||
		    !accepted(f, from, &stack))
			return 0;
		ret_way[length++] = next;
		route = label_route(f, stack.label[0]);
		if (route && !route->next_site) { /* ours: off, and look again */
			memmove(stack.label, stack.label + 1,
				sizeof(stack.label) - sizeof(stack.label[0]));
			if (!--stack.depth)
				return length;
			route = label_route(f, stack.label[0]);
		}
		if (!route || !route->next_site)
			return 0;
		stack.label[0] = route->out.label[0];
		from = next;
		next = route->next_site;
	}
	return 0;
}

struct failed {
	uint32_t a[4], b[4]; /* ids of links' ends */
	size_t count;
};

static bool link_failed(const struct failed *down, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < down->count; i++)
		if ((down->a[i] == a && down->b[i] == b) || (down->a[i] == b && down->b[i] == a))
			return true;
	return false;
}

/* What a node with failed links does. @return where it sends it; 0: nowhere. */
static uint32_t repaired(const struct failed *down, uint32_t site, uint32_t next,
			 const struct fwd_repair *repair, const struct label_stack *out,
			 const struct label_stack **ret_out)
{
	*ret_out = out;
	if (!link_failed(down, site, next))
		return next;
	*ret_out = &repair->out;
	return repair->next_site && !link_failed(down, site, repair->next_site) ? repair->next_site
										: 0;
}

enum fate { DROPPED, ARRIVED, GOES_ROUND };

/* As packet_send(), with links that have failed. @ret_bytes: the labelled packet that fits. */
static enum fate packet_around(const struct tables *t, uint32_t from, uint32_t next,
			       struct label_stack stack, const struct fwd_repair *repair,
			       const struct failed *down, uint32_t *ret_end, uint32_t *ret_mtu)
{
	const struct label_stack *out;

	*ret_mtu = UINT16_MAX;
	next = repaired(down, from, next, repair, &stack, &out);
	stack = *out;
	for (size_t hops = 0; next; hops++) {
		const struct forwarding *f = &t->site[t->by_id[next]];
		const struct fwd_neighbor *n = forwarding_neighbor(&t->site[t->by_id[from]], next);
		const struct fwd_label_route *route;
		struct label_stack rest = {0};

		assert_non_null(n);
		if (hops == 2 * COMPILE_WAY_MAX)
			return GOES_ROUND;
		if (!accepted(f, from, &stack))
			return DROPPED;
		if (n->lsp_mtu - 4u * stack.depth < *ret_mtu)
			*ret_mtu = n->lsp_mtu - 4u * stack.depth;
		while ((route = label_route(f, stack.label[0])) && !route->next_site) {
			memmove(stack.label, stack.label + 1,
				sizeof(stack.label) - sizeof(stack.label[0]));
			if (!--stack.depth) {
				*ret_end = next;
				return ARRIVED;
			}
		}
		if (!route)
			return DROPPED;
		from = next;
		next = repaired(down, from, route->next_site, &route->repair, &route->out, &out);
		for (uint8_t i = 0; i < out->depth; i++)
			assert_true(label_stack_push_bottom(&rest, out->label[i]));
		for (uint8_t i = 1; i < stack.depth; i++)
			assert_true(label_stack_push_bottom(&rest, stack.label[i]));
		stack = rest;
	}
	return DROPPED;
}

static const struct fwd_return *return_find(const struct forwarding *f, ipv4_t destination)
{
	for (size_t i = 0; i < f->return_count; i++)
		if (f->returns[i].destination == destination)
			return &f->returns[i];
	return NULL;
}

static void way_check(const struct tables *t, const struct compile_path *path, const uint32_t *got,
		      size_t length, bool back)
{
	const uint32_t *want = compile_path_way(t->result, path);

	assert_int_equal(length, path->way_length);
	for (size_t i = 0; i < length; i++)
		assert_int_equal(got[i], t->n->sites[want[back ? length - 1 - i : i]].id);
}

static void paths_all_work(const struct tables *t)
{
	uint32_t way[COMPILE_WAY_MAX];

	for (size_t i = 0; i < compile_path_count(t->result); i++) {
		const struct compile_path *path = compile_path(t->result, i);
		const struct compile_pair *pair = compile_pair(t->result, path->pair);
		const struct forwarding *head = &t->site[pair->head],
					*end = &t->site[pair->endpoint];
		const struct fwd_path *p = forwarding_path(head, path->index);
		const struct fwd_return *r;

		assert_non_null(p);
		way_check(t, path, way, packet_send(t, head->site_id, p->first_site, p->stack, way),
			  false);
		r = return_find(end, p->source);
		assert_non_null(r);
		assert_int_equal(r->site_id, head->site_id);
		assert_int_equal(r->mtu, p->mtu);
		way_check(t, path, way, packet_send(t, end->site_id, r->first_site, r->stack, way),
			  true);
	}
}

/* Every label and every accepted stack serves a path: what no path needs is not there. */
static size_t labels_all(const struct tables *t)
{
	size_t count = 0;

	for (size_t i = 0; i < t->n->site_count; i++)
		count += t->site[i].label_count;
	return count;
}

static void bundles_all_read_back(const struct tables *t)
{
	struct text a, b;

	text_init(&a);
	text_init(&b);
	for (size_t i = 0; i < t->n->site_count; i++) {
		struct forwarding again;
		struct reason why = {{0}};

		text_reset(&a);
		text_reset(&b);
		forwarding_encode(&t->site[i], &a);
		if (forwarding_parse(a.bytes, a.length, &again, &why))
			fail_msg("%s: %s", t->site[i].site, why.text);
		forwarding_encode(&again, &b);
		assert_string_equal(text_string(&a), text_string(&b));
		forwarding_clear(&again);
	}
	text_clear(&a);
	text_clear(&b);
}

/* One path, one direction, with @down: @return what becomes of a packet; at its right end, if it arrives. */
static enum fate path_around(const struct tables *t, const struct compile_path *path, bool back,
			     const struct failed *down)
{
	const struct compile_pair *pair = compile_pair(t->result, path->pair);
	const struct forwarding *head = &t->site[pair->head], *end = &t->site[pair->endpoint];
	const struct fwd_path *p = forwarding_path(head, path->index);
	const struct fwd_return *r = return_find(end, p->source);
	uint32_t arrived, mtu;
	enum fate fate = back ? packet_around(t, end->site_id, r->first_site, r->stack, &r->repair,
					      down, &arrived, &mtu)
			      : packet_around(t, head->site_id, p->first_site, p->stack, &p->repair,
					      down, &arrived, &mtu);

	if (fate == ARRIVED) {
		assert_int_equal(arrived, (back ? head : end)->site_id);
		assert_true(p->mtu <= mtu);
	}
	return fate;
}

/* The stack that @path has on the hop from @at of its way, and so whether the compiler has a repair there. */
static bool hop_has_repair(const struct tables *t, const struct compile_path *path, bool back,
			   uint8_t at, struct failed *ret_link)
{
	const struct label_stack stack = compile_path_stack(t->result, path, back);
	const uint32_t *way = compile_path_way(t->result, path);
	struct compile_repair repair;
	struct label_stack rest = {0};
	uint32_t site[COMPILE_WAY_MAX];
	uint8_t used = 0;

	for (uint8_t i = 0; i < path->way_length; i++)
		site[i] = way[back ? path->way_length - 1 - i : i];
	for (uint8_t i = 1; i <= at; i++)
		used += stack.label[used] == label_node_sid(t->n->srgb, t->n->sites[site[i]].id);
	for (; used < stack.depth; used++)
		label_stack_push_bottom(&rest, stack.label[used]);
	*ret_link = (struct failed){{t->n->sites[site[at]].id}, {t->n->sites[site[at + 1]].id}, 1};
	return compile_repair_find(t->result, site[at], site[at + 1], &rest, &repair);
}

/* A way to a named site and back may cross a link twice, and have a repair but one way. */
static size_t times_crossed(const struct tables *t, const struct compile_path *path,
			    const struct failed *down)
{
	const uint32_t *way = compile_path_way(t->result, path);
	size_t count = 0;

	for (uint8_t i = 0; i + 1 < path->way_length; i++)
		count += link_failed(down, t->n->sites[way[i]].id, t->n->sites[way[i + 1]].id);
	return count;
}

/* @return hops that have a repair: each leads there, whatever else. */
static size_t repairs_all_work(const struct tables *t)
{
	struct failed down;
	size_t count = 0;

	for (size_t i = 0; i < compile_path_count(t->result); i++) {
		const struct compile_path *path = compile_path(t->result, i);
		bool any = false;

		for (int back = 0; back < 2; back++)
			for (uint8_t at = 0; at + 1 < path->way_length; at++) {
				if (!hop_has_repair(t, path, back, at, &down))
					continue;
				any = true;
				count++;
				if (path_around(t, path, back, &down) != ARRIVED &&
				    times_crossed(t, path, &down) == 1)
					fail_msg("path %zu, %s, without link %u %u", i,
						 back ? "back" : "there", down.a[0], down.b[0]);
			}
		assert_int_equal(path->repaired, any);
	}
	return count;
}

/* ---- the example country ---------------------------------------------------------------- */

static void stack_is(const struct label_stack *s, const char *want)
{
	char out[LABEL_STACK_STRLEN];

	assert_string_equal(label_stack_format(s, out), want);
}

static void first_light(void **state)
{
	const struct forwarding *phuc_xa, *hub;
	struct network n;
	struct tables t;

	(void)state;
	fixture_first_light(&n);
	tables_compile(&n, &t);
	paths_all_work(&t);
	bundles_all_read_back(&t);
	phuc_xa = &t.site[4];
	hub = &t.site[0];
	assert_int_equal(phuc_xa->path_count, 2);
	assert_string_equal(phuc_xa->paths[0].name, "main");
	assert_int_equal(phuc_xa->paths[0].first_site, 210);
	assert_int_equal(phuc_xa->paths[1].first_site, 211);
	stack_is(&phuc_xa->paths[0].stack, "16001");
	stack_is(&phuc_xa->paths[1].stack, "16001");
	assert_int_equal(phuc_xa->paths[0].mtu, 1416);
	assert_int_equal(phuc_xa->paths[1].mtu, 1412); /* two labels on the way back */
	assert_int_equal(phuc_xa->sessions[0].mtu, 1352);
	assert_int_equal(hub->return_count, 3);
	stack_is(&hub->returns[0].stack, "16901");
	stack_is(&hub->returns[1].stack, "16211/16901");
	assert_int_equal(hub->peer_count, 2);
	assert_false(hub->peers[0].caller);
	assert_true(phuc_xa->peers[0].caller);
	assert_int_equal(phuc_xa->peers[0].port, 52010);
	assert_int_equal(t.site[5].path_count, 1); /* no backup, no spare */
	assert_int_equal(labels_all(&t), 13);
	assert_int_equal(compile_problem_count(t.result), 1);
	assert_string_equal(compile_problem(t.result, 0)->name, "shared-links");
	assert_non_null(strstr(compile_problem(t.result, 0)->text, "'phuc-xa' (hanoi npdc-hn)"));
	tables_clear(&t);
	network_clear(&n);
}

static void a_commune_sends_to_its_district_only_what_its_paths_need(void **state)
{
	static const char *const forged[] = {"16902",	    "16901",	   "16101",	 "16211",
					     "16211/16902", "16001/16902", "16001/16001"};
	uint32_t way[COMPILE_WAY_MAX];
	struct network n;
	struct tables t;

	(void)state;
	fixture_first_light(&n);
	tables_compile(&n, &t);
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		struct label_stack s;

		assert_int_equal(label_stack_parse(forged[i], &s), 0);
		assert_int_equal(packet_send(&t, 901, 210, s, way), 0);
		assert_int_equal(packet_send(&t, 901, 211, s, way), 0);
	}
	assert_int_equal(forwarding_neighbor(&t.site[3], 901)->accept_count, 1);
	tables_clear(&t);
	network_clear(&n);
}

/* ---- ways --------------------------------------------------------------------------- */

/* npdc 1; provinces 10, 11; districts 100 under 10, 101 under 11; commune 1000 under 100, backup
 * 101. */
static void two_provinces(struct network *n, bool between)
{
	uint32_t hub, p, q, d, e;

	fixture_init(n);
	hub = fixture_site(n, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	p = fixture_site(n, "p", 1, 10, hub, FIXTURE_NONE, "");
	q = fixture_site(n, "q", 1, 11, hub, FIXTURE_NONE, "");
	d = fixture_site(n, "d", 2, 100, p, FIXTURE_NONE, "");
	e = fixture_site(n, "e", 2, 101, q, FIXTURE_NONE, "");
	fixture_site(n, "c", 3, 1000, d, e, "10.1.0.0/24");
	fixture_site(n, "c2", 3, 1001, d, e, "10.1.1.0/24");
	if (between)
		fixture_link(n, p, q, 1);
	fixture_class(n, "query", 6, 443);
}

static struct policy *commune_policy(struct network *n)
{
	struct policy *p = fixture_policy(n, "query", 10);

	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	return p;
}

static void path_is(const struct tables *t, uint32_t site, uint8_t index, const char *want,
		    const char *stack, const char *back)
{
	struct label_stack got_stack;
	char got[256] = "";

	for (size_t i = 0; i < compile_path_count(t->result); i++) {
		const struct compile_path *path = compile_path(t->result, i);

		if (compile_pair(t->result, path->pair)->head != site || path->index != index)
			continue;
		for (uint8_t k = 0; k < path->way_length; k++) {
			strcat(got, k ? " " : "");
			strcat(got, t->n->sites[compile_path_way(t->result, path)[k]].name);
		}
		assert_string_equal(got, want);
		got_stack = compile_path_stack(t->result, path, false);
		stack_is(&got_stack, stack);
		got_stack = compile_path_stack(t->result, path, true);
		stack_is(&got_stack, back);
		return;
	}
	fail_msg("no path %u", index);
}

static void disjoint_paths_share_nothing_where_they_can(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;

	(void)state;
	two_provinces(&n, true);
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	tables_compile(&n, &t);
	path_is(&t, 5, 1, "c d p hub", "16001", "17000");
	path_is(&t, 5, 2, "c e q hub", "16001", "17000");
	path_is(&t, 6, 2, "c2 e q hub", "16001", "17001"); /* out of the memo */
	assert_int_equal(compile_problem_count(t.result), 0);
	paths_all_work(&t);
	tables_clear(&t);
	network_clear(&n);
}

static void a_way_round_the_metric_takes_more_labels(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;
	uint32_t q;

	(void)state;
	two_provinces(&n, true);
	q = network_site_find(&n, "q");
	for (size_t i = 0; i < n.link_count; i++)
		if (n.links[i].a == network_site_find(&n, "e") && n.links[i].b == q)
			n.links[i].metric = 20;
	p = commune_policy(&n);
	fixture_path(p, "odd", 200, PATH_VIA_SITES, NETWORK_NONE);
	fixture_set_add(&p->paths[0].through, q);
	fixture_path(p, "short", 100, PATH_VIA_SHORTEST, NETWORK_NONE);
	fixture_path(p, "other", 50, PATH_VIA_SHORTEST, 1);
	tables_compile(&n, &t);
	path_is(&t, 5, 1, "c d p q hub", "16011/16001", "17000");
	path_is(&t, 5, 2, "c d p hub", "16001", "17000");
	path_is(&t, 5, 3, "c e q hub", "16001", "16101/17000");
	paths_all_work(&t);
	tables_clear(&t);
	network_clear(&n);
}

/* The metric would lead from e to c by q, p and d; the path says by the line itself. */
static void a_dear_backup_line_is_still_followed(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;

	(void)state;
	two_provinces(&n, true);
	for (size_t i = 0; i < n.link_count; i++)
		if (n.links[i].metric == 11) {
			n.links[i].metric = 5000;
			n.links[i].mtu_bytes = 1428;
			n.links[i].probe = n.underlays[1].probe;
		}
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	tables_compile(&n, &t);
	path_is(&t, 5, 2, "c e q hub", "16001", "16101/17000");
	paths_all_work(&t);
	assert_int_equal(t.site[5].paths[1].probe.interval_us, 300000);
	assert_int_equal(t.site[5].paths[1].probe.multiplier, 5);
	assert_int_equal(t.site[5].paths[0].probe.interval_us, 50000);
	assert_int_equal(t.site[5].link_mtu, 1368); /* one link0 for both lines */
	assert_int_equal(t.site[5].paths[1].mtu, 1368 - 20 - 8);
	assert_int_equal(t.site[0].link_mtu, 1440);
	tables_clear(&t);
	network_clear(&n);
}

static void leaves_carry_nobody_elses_traffic(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;
	uint32_t c;

	(void)state;
	two_provinces(&n, false);
	c = network_site_find(&n, "c");
	/* d loses its way up: c hangs between d and e and would be the only way for c2 by d */
	for (size_t i = 0; i < n.link_count; i++)
		if (n.links[i].a == 3 && n.links[i].b == 1)
			n.links[i] = n.links[--n.link_count];
	p = commune_policy(&n);
	fixture_path(p, "short", 200, PATH_VIA_SHORTEST, NETWORK_NONE);
	tables_compile(&n, &t);
	path_is(&t, 6, 1, "c2 e q hub", "16001", "17001");
	for (size_t i = 0; i < compile_path_count(t.result); i++) {
		const struct compile_path *path = compile_path(t.result, i);

		for (uint8_t k = 1; k < path->way_length; k++)
			assert_int_not_equal(compile_path_way(t.result, path)[k], c);
	}
	paths_all_work(&t);
	tables_clear(&t);
	network_clear(&n);
}

static void a_named_leaf_carries(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;

	(void)state;
	two_provinces(&n, false);
	p = commune_policy(&n);
	fixture_path(p, "by-c", 200, PATH_VIA_SITES, NETWORK_NONE);
	fixture_set_add(&p->paths[0].through, network_site_find(&n, "c"));
	p->from.count = 0;
	fixture_set_add(&p->from, network_site_find(&n, "c2"));
	tables_compile(&n, &t);
	path_is(&t, 6, 1, "c2 d c d p hub", "17000/16001", "17000/17001");
	paths_all_work(&t);
	tables_clear(&t);
	network_clear(&n);
}

/* ---- who may ------------------------------------------------------------------------ */

static void mutual_heads_share_one_session(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;

	(void)state;
	two_provinces(&n, false);
	p = fixture_policy(&n, "all", 10);
	for (uint32_t s = 0; s < n.site_count; s++) {
		fixture_set_add(&p->from, s);
		fixture_set_add(&p->to, s);
	}
	fixture_path(p, "short", 200, PATH_VIA_SHORTEST, NETWORK_NONE);
	tables_compile(&n, &t);
	paths_all_work(&t);
	bundles_all_read_back(&t);
	assert_int_equal(compile_pair_count(t.result), 3); /* hub, c and c2: those with a LAN */
	assert_int_equal(t.site[0].peer_count, 2);
	assert_int_equal(t.site[0].path_count, 0); /* the lower tier decides */
	assert_int_equal(t.site[0].rule_count, 2);
	assert_int_equal(t.site[6].path_count, 2); /* then the higher id */
	assert_int_equal(t.site[5].path_count, 1);
	tables_clear(&t);
	network_clear(&n);
}

static void what_is_denied_to_some_is_allowed_by_prefix_to_the_others(void **state)
{
	struct network n;
	struct deny_rule *d;
	struct policy *p;
	struct tables t;
	char out[IPV4_PREFIX_STRLEN];

	(void)state;
	two_provinces(&n, false);
	fixture_class(&n, "alarm", 17, 162);
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	d = fixture_deny(&n, 1);
	fixture_set_add(&d->from, 5);
	fixture_set_add(&d->to, 0);
	tables_compile(&n, &t);
	bundles_all_read_back(&t);
	assert_int_equal(t.site[5].rule_count, 1);
	assert_string_equal(t.site[5].rules[0].class_name, "query");
	assert_int_equal(t.site[6].rule_count, 2);
	assert_int_equal(t.site[0].rule_count, 2);
	assert_string_equal(t.site[0].rules[0].class_name, "query");
	assert_int_equal(t.site[0].rules[0].from.length, 0);
	assert_string_equal(t.site[0].rules[1].class_name, "alarm");
	assert_string_equal(ipv4_prefix_format(t.site[0].rules[1].from, out), "10.1.1.0/24");
	tables_clear(&t);
	network_clear(&n);
}

static void a_denied_pair_has_no_session(void **state)
{
	struct network n;
	struct deny_rule *d;
	struct policy *p;
	struct tables t;

	(void)state;
	two_provinces(&n, false);
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	d = fixture_deny(&n, NETWORK_NONE);
	fixture_set_add(&d->from, 5);
	fixture_set_add(&d->to, 0);
	tables_compile(&n, &t);
	assert_int_equal(t.site[5].session_count, 0);
	assert_int_equal(t.site[5].label_count, 0);
	assert_int_equal(t.site[6].session_count, 1);
	assert_int_equal(compile_denied_by(t.result, 5, 0, 0), 0);
	assert_int_equal(compile_denied_by(t.result, 0, 5, 0), NETWORK_NONE);
	assert_int_equal(explain_class(t.result, 5, 0, 0).verdict, EXPLAIN_DENIED);
	assert_int_equal(explain_class(t.result, 6, 0, 0).verdict, EXPLAIN_ALLOWED);
	assert_int_equal(explain_class(t.result, 0, 6, 0).verdict, EXPLAIN_NO_RULE);
	tables_clear(&t);
	network_clear(&n);
}

/* ---- expectations ------------------------------------------------------------------------ */

static void refused_with(struct network *n, const char *why)
{
	struct compile_result *r;
	int err = compile_network(n, 0, &r);
	bool said = false;

	if (!err)
		err = compile_expect(r);
	assert_int_equal(err, -TUYEN_EINVAL);
	for (size_t i = 0; i < compile_problem_count(r); i++)
		said |= compile_problem(r, i)->error && strstr(compile_problem(r, i)->text, why);
	assert_true(said);
	compile_free(r);
}

/* Any tcp has query's packets: a rule against query alone would deny nothing. */
static void what_is_forbidden_passes_as_no_other_class(void **state)
{
	struct expectation *e;
	struct deny_rule *d;
	struct policy *p;
	struct network n;
	struct tables t;
	uint32_t any;

	(void)state;
	two_provinces(&n, false);
	any = fixture_class(&n, "any-tcp", 6, 0);
	n.classes[any].matches[0].port_last = UINT16_MAX;
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	d = fixture_deny(&n, 0);
	fixture_set_add(&d->from, 5);
	fixture_set_add(&d->to, 0);
	refused_with(&n,
		     "packets of class 'query' still pass from 'c' to 'hub' as class 'any-tcp'");
	d->class_index = any; /* and the other way: query's are some of any-tcp's */
	refused_with(&n,
		     "packets of class 'any-tcp' still pass from 'c' to 'hub' as class 'query'");
	d->class_index = NETWORK_NONE;
	tables_compile(&n, &t);
	assert_true(compile_classes_overlap(&n, 0, any));
	tables_clear(&t);
	d->class_index = 0;
	d->from.sites[0] = 0;	     /* nobody who may */
	n.policies[0].class_count--; /* query is carried no more, any-tcp is */
	n.policies[0].classes[0] = any;
	e = fixture_expect(&n, EXPECT_NEVER_REACHES, 0);
	fixture_set_add(&e->from, 5);
	fixture_set_add(&e->to, 0);
	refused_with(&n, "'c' reaches 'hub' (with 'query')");
	network_clear(&n);
}

/* What one gateway refuses comes into their LAN by the other, and out of it. */
static void a_rule_holds_for_all_gateways_of_a_lan(void **state)
{
	struct expectation *e;
	struct deny_rule *d;
	struct network n;
	struct tables t;
	uint32_t second;

	(void)state;
	fixture_two_gateways(&n);
	second = (uint32_t)n.site_count - 1;
	d = fixture_deny(&n, 1); /* alarm */
	fixture_set_add(&d->from, 4);
	fixture_set_add(&d->to, 0);
	refused_with(&n, "packets still pass from 'phuc-xa' to 'npdc-hcm' as class 'alarm'");
	d->class_index = NETWORK_NONE;
	refused_with(&n, "packets still pass from 'phuc-xa' to 'npdc-hcm' as class 'query'");
	fixture_set_add(&d->to, second);
	tables_compile(&n, &t);
	tables_clear(&t);
	n.deny_count--;
	network_deny_clear(d);
	n.policies[0].to.count = 1; /* the first gateway alone */
	e = fixture_expect(&n, EXPECT_NEVER_REACHES, NETWORK_NONE);
	fixture_set_add(&e->from, 4);
	fixture_set_add(&e->to, second);
	refused_with(&n, "'phuc-xa' reaches 'npdc-hn'");
	network_clear(&n);
}

/* Two LANs, of two gateways each: those of the first policy's endpoints, and "h1" and "h2". */
static uint32_t two_shared_lans(struct network *n)
{
	uint32_t first;

	fixture_two_gateways(n);
	first = fixture_gateway(n, "h1", 3, 0x0a010002);
	fixture_gateway(n, "h2", 4, 0x0a010003);
	return first;
}

static struct policy *shared_policy(struct network *n)
{
	struct policy *p = fixture_policy(n, "shared", 20);

	fixture_path(p, "any", 100, PATH_VIA_SHORTEST, NETWORK_NONE);
	return p;
}

static void gateways_of_a_lan_are_called_or_call_alike(void **state)
{
	struct network n;
	struct policy *p;
	uint32_t h1;

	(void)state;
	h1 = two_shared_lans(&n);
	p = shared_policy(&n);
	fixture_set_add(&p->from, 0); /* of another LAN */
	fixture_set_add(&p->from, h1);
	fixture_set_add(&p->from, h1 + 1);
	fixture_set_tier(&n, &p->to, 3);
	refused_with(&n, "'h1' and 'h2' share a LAN, and only one of them may call");
	p->from.count = 0;
	fixture_set_add(&p->from, 4); /* calls one and is called by the other */
	fixture_set_add(&p->from, h1);
	p->to.count = 0;
	fixture_set_add(&p->to, 4);
	fixture_set_add(&p->to, h1 + 1);
	refused_with(&n, "'h1' and 'h2' share a LAN and 'phuc-xa' calls 'h2'");
	p->to.count = 0;
	fixture_set_add(&p->to, 4); /* calls both, and one may answer unasked */
	fixture_set_add(&p->to, h1);
	fixture_set_add(&p->to, h1 + 1);
	refused_with(&n, "'h1' and 'h2' share a LAN and 'phuc-xa' calls 'h2'");
	network_clear(&n);
}

/* Is what nobody allows said to go by a policy all the same, as another class? */
static bool is_said_to_pass(const struct compile_result *r, uint32_t from, uint32_t to,
			    uint32_t class_index)
{
	struct text text;
	bool said;

	text_init(&text);
	assert_false(explain_text(r, from, to, class_index, &text));
	said = strstr(text_string(&text), "too goes by policy");
	text_clear(&text);
	return said;
}

/* A class of two prefixes, each at another gateway: a site that reaches one has no rule for the other. */
static void a_prefix_that_is_elsewhere_has_no_rule(void **state)
{
	struct expectation *e;
	struct network n;
	struct tables t;
	struct class_match *m;
	uint32_t h1, web;

	(void)state;
	h1 = two_shared_lans(&n);
	web = fixture_class(&n, "web", 6, 443);
	m = realloc(n.classes[0].matches, 2 * sizeof(*m));
	assert_non_null(m);
	n.classes[0].matches = m;
	n.classes[0].match_count = 2;
	m[1] = m[0];
	m[0].to = (struct ipv4_prefix){0x0a000000, 24};
	m[1].to = (struct ipv4_prefix){0x0a010000, 24}; /* of h1 and h2, to which no policy leads */
	tables_compile(&n, &t);
	assert_int_equal(t.site[4].rule_count, 2);
	assert_int_equal(explain_class(t.result, 4, 0, 0).verdict, EXPLAIN_ALLOWED);
	for (size_t i = 0; i < 2; i++)
		assert_int_not_equal(t.site[4].rules[i].to.address, m[1].to.address);
	tables_clear(&t);
	e = fixture_expect(&n, EXPECT_REACHES, 0);
	fixture_set_add(&e->from, 4);
	fixture_set_add(&e->to, 0);
	m[0] = m[1];
	fixture_set_add(&n.policies[0].to, h1 + 1);
	shared_policy(&n);
	fixture_set_add(&n.policies[1].from, h1);
	fixture_set_add(&n.policies[1].to, h1 + 1); /* in the same LAN */
	tables_compile(&n, &t);
	assert_int_equal(explain_class(t.result, 4, 0, 0).verdict, EXPLAIN_NO_LAN);
	assert_int_equal(explain_class(t.result, 4, h1 + 1, 0).verdict, EXPLAIN_ALLOWED);
	assert_int_equal(explain_class(t.result, h1, h1 + 1, 0).verdict, EXPLAIN_SAME_LAN);
	assert_true(is_said_to_pass(t.result, 4, h1 + 1, web));
	assert_false(is_said_to_pass(t.result, 4, 0, web));
	assert_false(is_said_to_pass(t.result, h1, h1 + 1, web));
	tables_clear(&t);
	refused_with(&n, "'phuc-xa' does not reach 'npdc-hn' (with 'query')");
	assert_int_equal(n.sites[h1].lans[0].address, m[1].to.address);
	network_clear(&n);
}

/* Nobody tracks a connection between two shared LANs: what comes from port 162 would be an answer, to any port. */
static void between_shared_lans_goes_tcp_alone(void **state)
{
	struct network n;
	struct policy *p;
	struct tables t;
	uint32_t h1;

	(void)state;
	h1 = two_shared_lans(&n);
	p = shared_policy(&n);
	fixture_set_add(&p->from, 0);
	fixture_set_add(&p->to, h1);
	refused_with(&n, "answers of class 'alarm', which is not TCP alone, would open others");
	p->class_count = 1; /* query */
	tables_compile(&n, &t);
	tables_clear(&t);
	network_clear(&n);
}

/* Nodes take the first rule that fits, in the order of colors: so says explain. */
static void explain_names_the_policy_that_takes_the_packets(void **state)
{
	struct text text;
	struct policy *p;
	struct network n;
	struct tables t;
	uint32_t any;

	(void)state;
	two_provinces(&n, false);
	p = fixture_policy(&n, "late", 20); /* carries query */
	fixture_set_tier(&n, &p->from, 3);
	fixture_set_tier(&n, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	any = fixture_class(&n, "any-tcp", 6, 0);
	n.classes[any].matches[0].port_last = UINT16_MAX;
	p = commune_policy(&n); /* color 10: carries query and any-tcp */
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	tables_compile(&n, &t);
	assert_int_equal(explain_class(t.result, 5, 0, 0).policy, 1);
	tables_clear(&t);
	p->classes[0] = any; /* now any-tcp alone */
	p->class_count = 1;
	tables_compile(&n, &t);
	text_init(&text);
	assert_true(explain_text(t.result, 5, 0, 0, &text));
	assert_non_null(strstr(text_string(&text), "allowed by policy 'late'"));
	assert_non_null(
	    strstr(text_string(&text), "what of it is 'any-tcp' too goes by policy 'query'"));
	text_clear(&text);
	tables_clear(&t);
	network_clear(&n);
}

/* @broken  what the problem says; NULL: it holds */
static void expectation_check(struct compile_result *r, const char *name, const char *broken)
{
	int err = compile_expect(r);
	const char *said = err ? compile_problem(r, 0)->text : "it holds";

	if (!err != !broken || (err && !strstr(said, broken)))
		fail_msg("%s: %d, %s", name, err, said);
}

static void expectations_are_checked(void **state)
{
	static const struct {
		const char *name;
		bool between;
		enum expect_kind kind;
		uint32_t from, to;
		const char *a, *b;
		const char *broken; /* NULL: it holds */
	} rows[] = {
	    {"reaches", false, EXPECT_REACHES, 5, 0, NULL, NULL, NULL},
	    {"not backwards", false, EXPECT_REACHES, 0, 5, NULL, NULL, "'hub' does not reach 'c'"},
	    {"never, held", false, EXPECT_NEVER_REACHES, 5, 6, NULL, NULL, NULL},
	    {"never, broken", false, EXPECT_NEVER_REACHES, 5, 0, NULL, NULL, "'c' reaches 'hub'"},
	    {"any link", false, EXPECT_REACHES_AFTER_ANY_LINK_FAILURE, 5, 0, NULL, NULL, NULL},
	    {"any link, nobody", false, EXPECT_REACHES_AFTER_ANY_LINK_FAILURE, 5, 6, NULL, NULL,
	     "'c' does not reach 'c2'"},
	    {"that link", false, EXPECT_REACHES_AFTER_LINK_FAILURE, 5, 0, "c", "d", NULL},
	    {"a link not on the way", false, EXPECT_REACHES_AFTER_LINK_FAILURE, 5, 0, "c2", "e",
	     NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compile_result *r;
		struct expectation *e;
		struct policy *p;
		struct network n;

		two_provinces(&n, rows[i].between);
		p = commune_policy(&n);
		fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
		fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
		e = fixture_expect(&n, rows[i].kind, 0);
		fixture_set_add(&e->from, rows[i].from);
		fixture_set_add(&e->to, rows[i].to);
		assert_int_equal(compile_network(&n, 0, &r), 0);
		if (rows[i].a)
			e->link = compile_link_find(r, network_site_find(&n, rows[i].a),
						    network_site_find(&n, rows[i].b));
		expectation_check(r, rows[i].name, rows[i].broken);
		compile_free(r);
		network_clear(&n);
	}
}

static void a_common_link_breaks_an_expectation(void **state)
{
	struct compile_result *r;
	struct expectation *e;
	struct network n;

	(void)state;
	fixture_first_light(&n);
	e = fixture_expect(&n, EXPECT_REACHES_AFTER_ANY_LINK_FAILURE, NETWORK_NONE);
	fixture_set_tier(&n, &e->from, 3);
	fixture_set_tier(&n, &e->to, 0);
	assert_int_equal(compile_network(&n, 0, &r), 0);
	assert_int_equal(compile_expect(r), -TUYEN_EINVAL);
	assert_string_equal(
	    compile_problem(r, 1)->text,
	    "expectation broken: 'phuc-xa' does not reach 'npdc-hn' when link hanoi npdc-hn fails; "
	    "'kham-thien' does not reach 'npdc-hn' when link kham-thien dong-da fails");
	assert_int_equal(compile_problem(r, 1)->place.line, 501);
	compile_free(r);
	network_clear(&n);
}

/* A policy of one path at color 10, and at color 20 one of two that carries query. */
static uint32_t two_colors(struct network *n, uint16_t port_first, uint16_t port_last)
{
	struct policy *p;
	uint32_t web;

	two_provinces(n, false);
	web = fixture_class(n, "web", 6, port_first);
	n->classes[web].matches[0].port_last = port_last;
	p = commune_policy(n);
	p->classes[0] = web;
	p->class_count = 1;
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	p = commune_policy(n);
	p->color = 20;
	p->class_count = 1;
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	return web;
}

/* Packets go by the lower color, whichever color has a path left: where it has some of the class, its paths count. */
static void no_other_policy_helps_an_expectation(void **state)
{
	static const struct {
		const char *name;
		uint16_t first, last;
		uint32_t to; /* network behind the hub to which the first policy's class goes */
		uint8_t length;
		const char *broken;
	} rows[] = {
	    {"the same packets", 443, 443, 0, 0, "when link c d fails"},
	    {"more packets", 1, 65535, 0, 0, "when link c d fails"},
	    {"some of the packets", 443, 443, 0x0a000100, 24, "when link c d fails"},
	    {"other ports", 80, 80, 0, 0, NULL},
	    {"packets to elsewhere", 443, 443, 0x0a630000, 16, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compile_result *r;
		struct expectation *e;
		struct network n;
		uint32_t web = two_colors(&n, rows[i].first, rows[i].last);

		n.classes[web].matches[0].to = (struct ipv4_prefix){rows[i].to, rows[i].length};
		e = fixture_expect(&n, EXPECT_REACHES_AFTER_LINK_FAILURE, 0);
		fixture_set_add(&e->from, 5);
		fixture_set_add(&e->to, 0);
		assert_int_equal(compile_network(&n, 0, &r), 0);
		e->link = compile_link_find(r, 5, n.sites[5].parent);
		expectation_check(r, rows[i].name, rows[i].broken);
		compile_free(r);
		network_clear(&n);
	}
}

/* What a policy of a lower color has of the class, all of it, holds by that alone: the other has no packet of it. */
static void a_policy_without_packets_breaks_no_expectation(void **state)
{
	struct compile_result *r;
	struct expectation *e;
	struct network n;
	uint32_t web = two_colors(&n, 443, 443);

	(void)state;
	n.policies[0].classes[0] = 0; /* query by the one of two paths */
	n.policies[0].color = 20;
	n.policies[1].classes[0] = web;
	n.policies[1].color = 10;
	e = fixture_expect(&n, EXPECT_REACHES_AFTER_ANY_LINK_FAILURE, 0);
	fixture_set_add(&e->from, 5);
	fixture_set_add(&e->to, 0);
	assert_int_equal(compile_network(&n, 0, &r), 0);
	assert_int_equal(compile_expect(r), 0);
	compile_free(r);
	n.classes[web].matches[0].to =
	    (struct ipv4_prefix){0x0a000100, 24}; /* now the other has the rest */
	refused_with(&n, "when link c d fails");
	n.sites[0].lans[0] = n.classes[web].matches[0].to; /* there is no rest */
	assert_int_equal(compile_network(&n, 0, &r), 0);
	assert_int_equal(compile_expect(r), 0);
	compile_free(r);
	network_clear(&n);
}

/* ---- what is refused ------------------------------------------------------------------- */

static void no_keys(struct network *n)
{
	n->sites[3].has_keys = false;
}

static void equal_keys(struct network *n)
{
	memcpy(n->sites[3].session_key, n->sites[2].link_key, WG_KEY_LEN);
}

static void twin_link(struct network *n)
{
	fixture_link(n, 2, 1, 10);
}

static void small_mtu(struct network *n)
{
	n->links[0].mtu_bytes = 700;
}

static void just_too_small_mtu(struct network *n)
{
	n->links[0].mtu_bytes = 722; /* one label fits, two do not */
}

static void large_metric(struct network *n)
{
	n->links[0].metric = 65536;
}

static void large_id(struct network *n)
{
	n->srgb.size = 902;
}

static void all_dynamic(struct network *n)
{
	n->sites[1].uplinks[0].endpoint.family = 0;
}

static void no_way(struct network *n)
{
	n->links[0] = n->links[--n->link_count];
}

static void large_port(struct network *n)
{
	n->session_port = 65530;
}

static void many_paths(struct network *n)
{
	for (int i = 0; i < 7; i++) {
		struct policy *p = fixture_policy(n, "more", 20 + (uint32_t)i);

		fixture_set_tier(n, &p->from, 3);
		fixture_set_tier(n, &p->to, 0);
		fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
		fixture_path(p, "spare", 100, PATH_VIA_BACKUP, NETWORK_NONE);
	}
}

static void many_classes(struct network *n)
{
	struct deny_rule *d = fixture_deny(n, 0);
	struct policy *p;

	while (n->class_count <= COMPILE_CLASSES_MAX)
		fixture_class(n, "more", 6, (uint16_t)n->class_count);
	p = fixture_policy(n, "all", 20);
	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_set_tier(n, &d->from, 3);
	fixture_set_tier(n, &d->to, 0);
}

static void unlawful_networks_are_refused(void **state)
{
	static const struct {
		void (*change)(struct network *n);
		const char *text;
		uint32_t line;
	} rows[] = {
	    {no_keys, "no keys for site 'dong-da'", 103},
	    {equal_keys, "site 'dong-da' has a public key that 'ba-dinh' has too", 103},
	    {twin_link, "a second link between 'hanoi' and 'ba-dinh'", 0},
	    {small_mtu, "link 'hanoi' 'npdc-hn': MTU 700 is too small", 201},
	    {just_too_small_mtu, "path 'spare' from 'phuc-xa' to 'npdc-hn'", 301},
	    {large_metric, "metric 65536 is not 1 to 65535", 201},
	    {large_id, "id 902 of 'kham-thien' has no label in the block", 105},
	    {all_dynamic, "nobody can call: 'hanoi' has no fixed address here", 202},
	    {no_way, "no path of it leads from 'phuc-xa' to 'npdc-hn'", 301},
	    {large_port, "session port 65530 plus color 10 is no port", 301},
	    {many_paths, "'phuc-xa' would have more than 15 candidate paths", 0},
	    {many_classes, "carries more than 64 classes", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compile_result *r;
		const struct compile_problem *p = NULL;
		struct network n;

		fixture_first_light(&n);
		rows[i].change(&n);
		assert_int_equal(compile_network(&n, COMPILE_NEED_KEYS, &r), -TUYEN_EINVAL);
		for (size_t k = 0; k < compile_problem_count(r) && !p; k++)
			if (compile_problem(r, k)->error)
				p = compile_problem(r, k);
		assert_non_null(p);
		if (!strstr(p->text, rows[i].text) ||
		    (rows[i].line && p->place.line != rows[i].line))
			fail_msg("'%s' at %u, not '%s'", p->text, p->place.line, rows[i].text);
		compile_free(r);
		network_clear(&n);
	}
}

/* ---- many networks ---------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static uint32_t pick(const struct network *n, uint32_t tier, uint32_t *seed)
{
	uint32_t s;

	do
		s = next_random(seed) % n->site_count;
	while (n->sites[s].tier != tier);
	return s;
}

static void random_site(struct network *n, uint32_t tier, uint32_t id, uint32_t *seed)
{
	char name[16], lan[24];
	uint32_t parent = pick(n, tier - 1, seed), backup = pick(n, tier - 1, seed);

	snprintf(name, sizeof(name), "s%u", id);
	snprintf(lan, sizeof(lan), "10.%u.0.0/16", id);
	fixture_site(n, name, tier, id, parent, backup == parent ? FIXTURE_NONE : backup,
		     next_random(seed) % 3 ? lan : "");
}

static bool linked(const struct network *n, uint32_t a, uint32_t b)
{
	for (size_t i = 0; i < n->link_count; i++)
		if ((n->links[i].a == a && n->links[i].b == b) ||
		    (n->links[i].a == b && n->links[i].b == a))
			return true;
	return a == b;
}

static void random_policy(struct network *n, uint32_t color, uint32_t *seed)
{
	struct policy *p = fixture_policy(n, "p", color);

	for (uint32_t s = 0; s < n->site_count; s++)
		if (next_random(seed) % 4)
			fixture_set_add(&p->from, s);
	fixture_set_add(&p->to, next_random(seed) % (uint32_t)n->site_count);
	fixture_path(p, "a", 300, PATH_VIA_SHORTEST, NETWORK_NONE);
	fixture_path(p, "b", 200, PATH_VIA_PARENT, next_random(seed) % 2 ? 0 : NETWORK_NONE);
	fixture_path(p, "c", 100, PATH_VIA_BACKUP, next_random(seed) % 2);
	fixture_path(p, "d", 50, PATH_VIA_SITES, next_random(seed) % 2 ? 1 : NETWORK_NONE);
	fixture_set_add(&p->paths[3].through, next_random(seed) % (uint32_t)n->site_count);
}

static void random_network(struct network *n, uint32_t seed)
{
	uint32_t id = 1;

	fixture_init(n);
	fixture_site(n, "hub1", 0, id++, FIXTURE_NONE, FIXTURE_NONE, "10.1.0.0/16");
	fixture_site(n, "hub2", 0, id++, 0, FIXTURE_NONE, "10.2.0.0/16");
	for (int i = 0; i < 4; i++)
		random_site(n, 1, id++, &seed);
	for (int i = 0; i < 8; i++)
		random_site(n, 2, id++, &seed);
	for (int i = 0; i < 14; i++)
		random_site(n, 3, id++, &seed);
	for (int i = 0; i < 8; i++) {
		uint32_t a = next_random(&seed) % 22, b = next_random(&seed) % 22;

		if (!linked(n, a, b))
			fixture_link(n, a, b, 1 + next_random(&seed) % 30);
	}
	for (size_t i = 0; i < n->link_count; i++)
		n->links[i].metric = 1 + next_random(&seed) % 40;
	fixture_class(n, "query", 6, 443);
	random_policy(n, 10, &seed);
	random_policy(n, 20, &seed);
}

static void paths_of_random_networks_work(void **state)
{
	size_t tried = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 300; seed++) {
		struct compile_result *r;
		struct network n;
		struct tables t;

		random_network(&n, seed);
		if (!compile_network(&n, COMPILE_NEED_KEYS, &r)) {
			tables_compile(&n, &t);
			paths_all_work(&t);
			bundles_all_read_back(&t);
			tried += compile_path_count(t.result);
			tables_clear(&t);
		}
		compile_free(r);
		network_clear(&n);
	}
	assert_true(tried > 5000);
}

/* Whatever fails together, a packet arrives or is dropped. */
static void nothing_goes_round(const struct tables *t, uint32_t seed)
{
	for (size_t i = 0; i < compile_path_count(t->result); i++) {
		struct failed down = {.count = 4};

		for (size_t k = 0; k < down.count; k++) {
			const struct link *l =
			    &t->n->links[next_random(&seed) % (uint32_t)t->n->link_count];

			down.a[k] = t->n->sites[l->a].id;
			down.b[k] = t->n->sites[l->b].id;
		}
		assert_int_not_equal(path_around(t, compile_path(t->result, i), false, &down),
				     GOES_ROUND);
		assert_int_not_equal(path_around(t, compile_path(t->result, i), true, &down),
				     GOES_ROUND);
	}
}

static void repairs_of_random_networks_work(void **state)
{
	size_t tried = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 300; seed++) {
		struct compile_result *r;
		struct network n;
		struct tables t;

		random_network(&n, seed);
		for (size_t i = 0; seed % 3 == 0 && i < n.link_count; i++)
			n.links[i].mtu_bytes = i % 5 ? 1500 : 1400;
		if (!compile_network(&n, COMPILE_NEED_KEYS, &r)) {
			tables_compile(&n, &t);
			tried += repairs_all_work(&t);
			for (uint32_t k = 0; k < 10; k++)
				nothing_goes_round(&t, seed * 100 + k);
			tables_clear(&t);
		}
		compile_free(r);
		network_clear(&n);
	}
	assert_true(tried > 5000);
}

static const struct fwd_label_route *route_at(const struct tables *t, uint32_t site, uint32_t label)
{
	const struct fwd_label_route *l = label_route(&t->site[site], label);

	assert_non_null(l);
	return l;
}

enum { P2_HUB, P2_P, P2_Q, P2_D, P2_E, P2_C };

static void a_triangle_repairs_its_sides(void **state)
{
	struct network n;
	struct tables t;
	struct policy *p;
	const struct fwd_return *r;

	(void)state;
	two_provinces(&n, true);
	fixture_link(&n, P2_D, P2_Q, 30);
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	tables_compile(&n, &t);
	path_is(&t, P2_C, 1, "c d p hub", "16001", "17000");
	/* to the link's other end, where that is where the label ends: by the other province */
	assert_int_equal(route_at(&t, P2_P, 16001)->repair.next_site, 11);
	stack_is(&route_at(&t, P2_P, 16001)->repair.out, "86001");
	assert_int_equal(route_at(&t, P2_Q, 86001)->next_site, 1);
	assert_int_equal(route_at(&t, P2_Q, 86001)->repair.next_site, 0);
	assert_int_equal(route_at(&t, P2_HUB, 86001)->next_site, 0);
	/* past the province */
	assert_int_equal(route_at(&t, P2_D, 16001)->repair.next_site, 11);
	stack_is(&route_at(&t, P2_D, 16001)->repair.out, "86001");
	/* the way back: past the province to its district, and the old label below */
	r = return_find(&t.site[P2_HUB], network_path_address(&n, 1000, 1));
	assert_int_equal(r->first_site, 10);
	assert_int_equal(r->repair.next_site, 11);
	stack_is(&r->repair.out, "86100/17000");
	assert_true(accepted(&t.site[P2_Q], 1, &r->repair.out));
	assert_true(accepted(&t.site[P2_D], 11, &r->repair.out));
	/* a leaf carries nobody's: the last link has none */
	assert_int_equal(route_at(&t, P2_D, 17000)->repair.next_site, 0);
	/* one label more, and two probes more */
	assert_int_equal(t.site[P2_C].paths[0].mtu, 1440 - 20 - 8);
	assert_int_equal(t.site[P2_C].paths[0].probe.multiplier, 5);
	assert_int_equal(repairs_all_work(&t), 2 * 4);
	bundles_all_read_back(&t);
	tables_clear(&t);
	network_clear(&n);
}

static void a_repair_keeps_out_of_what_a_path_avoids(void **state)
{
	struct network n;
	struct tables t;
	struct policy *p;

	(void)state;
	two_provinces(&n, true);
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_set_add(&p->paths[0].avoid, P2_Q);
	tables_compile(&n, &t);
	assert_int_equal(route_at(&t, P2_P, 16001)->repair.next_site, 0);
	assert_int_equal(repairs_all_work(&t), 0);
	assert_int_equal(t.site[P2_C].paths[0].probe.multiplier, 3);
	tables_clear(&t);
	network_clear(&n);
}

/* A detour over a site with a thin line is refused: all packets would have to be smaller always. */
static void a_repair_costs_little_mtu(void **state)
{
	struct network n;
	struct tables t;
	struct policy *p;

	(void)state;
	two_provinces(&n, true);
	for (size_t i = 0; i < n.link_count; i++)
		if (n.links[i].a == P2_E && n.links[i].b == P2_Q)
			n.links[i].mtu_bytes = 1400;
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	tables_compile(&n, &t);
	assert_int_equal(t.site[P2_Q].link_mtu, 1340);
	assert_int_equal(route_at(&t, P2_P, 16001)->repair.next_site, 0);
	assert_int_equal(t.site[P2_C].paths[0].mtu, 1440 - 20 - 4);
	tables_clear(&t);
	network_clear(&n);
}

/* Over the same conduit as what failed: only where there is nothing else. */
static void a_repair_keeps_off_the_same_risk(void **state)
{
	struct network n;
	struct tables t;
	struct policy *p;
	uint32_t far;

	(void)state;
	two_provinces(&n, true);
	far = fixture_site(&n, "far", 1, 12, P2_HUB, FIXTURE_NONE, "");
	fixture_link(&n, P2_P, far, 500);
	n.risks = calloc(1, sizeof(*n.risks));
	n.risks[n.risk_count++] = strdup("bridge");
	for (size_t i = 0; i < n.link_count; i++)
		if (n.links[i].b == P2_HUB && n.links[i].a <= P2_Q) {
			n.links[i].risks = calloc(1, sizeof(uint32_t));
			n.links[i].risk_count = 1;
		}
	p = commune_policy(&n);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	tables_compile(&n, &t);
	assert_int_equal(route_at(&t, P2_P, 16001)->repair.next_site, 12);
	tables_clear(&t);
	network_clear(&n);
}

/* The last item first, each by another: what comes of it must not depend on who does it when. */
static int backwards_run(unsigned int workers, size_t count, executor_step *step, void *context)
{
	int err = 0;

	for (size_t i = count; i-- > 0;) {
		int failed = step(context, (unsigned int)(i % workers), i);

		err = failed ? failed : err;
	}
	return err;
}

static void same_problems(const struct compile_result *a, const struct compile_result *b)
{
	assert_int_equal(compile_errors(a), compile_errors(b));
	assert_int_equal(compile_problem_count(a), compile_problem_count(b));
	for (size_t i = 0; i < compile_problem_count(a); i++) {
		const struct compile_problem *p = compile_problem(a, i), *q = compile_problem(b, i);

		assert_int_equal(p->error, q->error);
		assert_int_equal(p->place.line, q->place.line);
		assert_string_equal(p->text, q->text);
	}
}

static void same_bundles(const struct compile_result *a, const struct compile_result *b,
			 size_t sites)
{
	struct text s, t;

	text_init(&s);
	text_init(&t);
	for (uint32_t i = 0; i < sites; i++) {
		struct forwarding f;

		text_reset(&s);
		text_reset(&t);
		assert_int_equal(compile_site(a, i, &f), 0);
		forwarding_encode(&f, &s);
		forwarding_clear(&f);
		assert_int_equal(compile_site(b, i, &f), 0);
		forwarding_encode(&f, &t);
		forwarding_clear(&f);
		assert_string_equal(text_string(&s), text_string(&t));
	}
	text_clear(&s);
	text_clear(&t);
}

/* Links in another order: the same bundles. */
static void order_of_sources_says_nothing(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 30; seed++) {
		struct network n, m;
		struct compile_result *r, *s;
		int err;

		random_network(&n, seed);
		random_network(&m, seed);
		for (size_t i = 0; i < m.link_count; i++)
			m.links[i] = n.links[n.link_count - 1 - i];
		err = compile_network(&n, 0, &r);
		assert_int_equal(compile_network(&m, 0, &s), err);
		if (!err)
			same_bundles(r, s, n.site_count);
		compile_free(r);
		compile_free(s);
		network_clear(&n);
		network_clear(&m);
	}
}

/* A commune with two lines to its district, declared last or before all others. */
static void two_lines(struct network *n, bool first)
{
	uint32_t leaf = 0, hub, district;
	struct policy *p;

	fixture_init(n);
	if (first)
		leaf = fixture_site(n, "leaf", 3, 900, FIXTURE_NONE, FIXTURE_NONE, "10.9.1.0/24");
	hub = fixture_site(n, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	district = fixture_site(n, "district", 2, 2, hub, FIXTURE_NONE, "");
	if (!first)
		leaf = fixture_site(n, "leaf", 3, 900, FIXTURE_NONE, FIXTURE_NONE, "10.9.1.0/24");
	n->sites[leaf].parent = district;
	fixture_link(n, leaf, district, 10);
	fixture_parallel(n, leaf, district, 50);
	assert_int_equal(network_make_faces(n), 0);
	fixture_class(n, "query", 6, 443);
	p = fixture_policy(n, "query", 10);
	fixture_set_add(&p->from, leaf);
	fixture_set_add(&p->to, hub);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "lte", 100, PATH_VIA_PARENT, NETWORK_NONE);
	p->paths[1].over = 1;
}

static void repairs_of_district(const struct network *n, size_t ret_repaired[static 2])
{
	struct compile_repair repair;
	struct tables t;

	tables_compile(n, &t);
	ret_repaired[0] = ret_repaired[1] = 0;
	for (size_t i = 0; i < n->site_count; i++)
		for (size_t k = 0; k < t.site[i].label_count; k++)
			ret_repaired[0] += t.site[i].labels[k].repair.next_site != 0;
	for (uint32_t node = 0; node < network_node_count(n); node++) {
		uint32_t id = n->sites[node].id;
		struct label_stack stack = {.depth = 1, .label = {label_node_sid(n->srgb, id)}};

		if (id % PARALLEL_ID == 900)
			ret_repaired[1] += compile_repair_find(
			    t.result, network_site_find(n, "district"), node, &stack, &repair);
	}
	tables_clear(&t);
}

static void a_leaf_that_is_declared_first_is_like_any(void **state)
{
	for (int first = 0; first < 2; first++) {
		struct network n;
		size_t repaired[2];

		(void)state;
		two_lines(&n, first);
		repairs_of_district(&n, repaired);
		assert_int_equal(repaired[0], 2); /* either line for the other */
		assert_int_equal(repaired[1], 2);
		network_clear(&n);
	}
}

static void same_by_several(const struct network *n, unsigned int workers, unsigned int *good,
			    unsigned int *bad)
{
	const struct executor executor = {workers, backwards_run};
	struct compile_result *alone, *several;
	int err = compile_network(n, COMPILE_NEED_KEYS, &alone);

	assert_int_equal(compile_network_with(n, COMPILE_NEED_KEYS, &executor, &several), err);
	same_problems(alone, several);
	if (!err) {
		assert_int_equal(compile_path_count(alone), compile_path_count(several));
		assert_int_equal(compile_label_count(alone), compile_label_count(several));
		same_bundles(alone, several, n->site_count);
	}
	(*(err ? bad : good))++;
	compile_free(alone);
	compile_free(several);
}

static void nobody_sees_how_many_compiled(void **state)
{
	unsigned int good = 0, bad = 0;
	struct network n;

	(void)state;
	for (uint32_t seed = 1; seed <= 120; seed++) {
		uint32_t other = seed;

		random_network(&n, seed);
		if (seed % 3 == 0) /* links to come, and links that have come */
			for (size_t i = 0; i < n.link_count; i++) {
				n.links[i].prepared = next_random(&other) % 8 == 0;
				n.links[i].fresh =
				    !n.links[i].prepared && next_random(&other) % 8 == 0;
			}
		if (seed % 5 == 0)
			n.policies[0].paths[0].max_labels = 1 + (uint8_t)(seed % 3);
		if (seed % 7 == 0)
			n.policies[0].paths[0].avoid_link_count = 0,
			fixture_set_add(&n.policies[0].paths[0].avoid, 2 + seed % 4);
		same_by_several(&n, 2 + seed % 3, &good, &bad);
		network_clear(&n);
	}
	assert_true(good > 30 && bad > 5);
	fixture_country(&n, 400);
	same_by_several(&n, 7, &good, &bad);
	network_clear(&n);
}

static void without_a_rate_there_is_no_queue(void **state)
{
	struct network n;
	struct tables t;

	(void)state;
	fixture_first_light(&n);
	n.classes[0].share_percent = 60;
	tables_compile(&n, &t);
	for (uint32_t i = 0; i < n.site_count; i++) {
		assert_int_equal(t.site[i].queue_count, 0);
		assert_int_equal(t.site[i].line_count, 0);
		assert_int_equal(t.site[i].neighbors[0].down_kbps, 0);
	}
	tables_clear(&t);
	network_clear(&n);
}

/* One rated line: its own site, the two that send towards it, and the queues of all. */
static void a_rate_makes_queues_at_both_ends(void **state)
{
	struct network n;
	struct tables t;
	struct policy *p;
	uint32_t commune;

	(void)state;
	fixture_country(&n, 30);
	for (commune = 0; n.sites[commune].tier != 3; commune++)
		;
	n.sites[commune].uplinks[0].rate = (struct line_rate){512000, 2000000};
	for (size_t i = 0; i < n.class_count; i++)
		n.classes[i].share_percent = 0;
	n.policies[0].class_count = n.policies[1].class_count = n.policies[2].class_count = 1;
	for (uint32_t i = 0; i < 3; i++)
		n.policies[i].classes[0] = i;
	n.classes[0].share_percent = 70;
	n.classes[1].priority = 0;
	p = &n.policies[2];
	p->classes[0] = 1;
	tables_compile(&n, &t);
	for (uint32_t i = 0; i < n.site_count; i++) {
		const struct forwarding *f = &t.site[i];
		const struct fwd_neighbor *to = forwarding_neighbor(f, n.sites[commune].id);
		bool parent = n.sites[commune].parent == i || n.sites[commune].backup == i;

		assert_int_equal(f->queue_count, 3);
		for (size_t k = 0; k < 3; k++) {
			assert_int_equal(f->queues[k].dscp, k + 1);
			assert_true(!k || f->queues[k - 1].color < f->queues[k].color);
		}
		assert_int_equal(to != NULL, parent);
		assert_int_equal(f->line_count, i == commune || parent);
		assert_int_equal(to ? to->down_kbps : 0, parent ? 2000 : 0);
	}
	assert_int_equal(t.site[commune].lines[0].up_kbps, 512);
	assert_int_equal(t.site[commune].lines[0].overhead, 60);
	assert_int_equal(t.site[n.sites[commune].parent].lines[0].up_kbps, 0);
	for (size_t k = 0; k < 3; k++) {
		const struct fwd_queue *q = &t.site[0].queues[k];
		bool first = q->color == n.policies[0].color;

		assert_int_equal(q->share_percent, first ? 70 : 15);
		assert_int_equal(q->priority, first ? n.classes[0].priority : 0);
	}
	bundles_all_read_back(&t);
	tables_clear(&t);
	network_clear(&n);
}

static void a_carrier_that_honours_code_points_is_told(void **state)
{
	struct network n;
	struct tables t;

	(void)state;
	fixture_first_light(&n);
	n.underlays[0].has_dscp = true;
	memcpy(n.underlays[0].dscp, (const uint8_t[]){8, 0, 46}, 3);
	n.sites[0].uplinks[0].endpoint.family = 6;
	tables_compile(&n, &t);
	assert_int_equal(t.site[0].line_count, 1);
	assert_true(t.site[0].lines[0].has_dscp);
	assert_int_equal(t.site[0].lines[0].dscp[2], 46);
	assert_int_equal(t.site[0].lines[0].up_kbps, 0);
	assert_int_equal(t.site[0].lines[0].overhead, 80);
	assert_int_equal(t.site[1].lines[0].overhead, 80); /* it calls site 0 */
	assert_int_equal(t.site[3].lines[0].overhead, 60);
	bundles_all_read_back(&t);
	tables_clear(&t);
	network_clear(&n);
}

static void a_country_of_3000_sites(void **state)
{
	struct network n;
	struct tables t;
	clock_t start;

	(void)state;
	fixture_country(&n, 2800);
	start = clock();
	tables_compile(&n, &t);
	paths_all_work(&t);
	bundles_all_read_back(&t);
	/* Quadratic passes would take minutes; this takes a second or two under the sanitizers. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 60);
	assert_true(n.site_count > 3000);
	assert_int_equal(t.site[0].peer_count, 3 * (n.site_count - 1));
	assert_int_equal(compile_pair_count(t.result), 3 * (n.site_count - 1));
	tables_clear(&t);
	network_clear(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_light),
	    cmocka_unit_test(a_commune_sends_to_its_district_only_what_its_paths_need),
	    cmocka_unit_test(disjoint_paths_share_nothing_where_they_can),
	    cmocka_unit_test(a_way_round_the_metric_takes_more_labels),
	    cmocka_unit_test(a_dear_backup_line_is_still_followed),
	    cmocka_unit_test(leaves_carry_nobody_elses_traffic),
	    cmocka_unit_test(a_named_leaf_carries),
	    cmocka_unit_test(mutual_heads_share_one_session),
	    cmocka_unit_test(what_is_denied_to_some_is_allowed_by_prefix_to_the_others),
	    cmocka_unit_test(a_denied_pair_has_no_session),
	    cmocka_unit_test(what_is_forbidden_passes_as_no_other_class),
	    cmocka_unit_test(a_rule_holds_for_all_gateways_of_a_lan),
	    cmocka_unit_test(gateways_of_a_lan_are_called_or_call_alike),
	    cmocka_unit_test(a_prefix_that_is_elsewhere_has_no_rule),
	    cmocka_unit_test(between_shared_lans_goes_tcp_alone),
	    cmocka_unit_test(explain_names_the_policy_that_takes_the_packets),
	    cmocka_unit_test(expectations_are_checked),
	    cmocka_unit_test(a_common_link_breaks_an_expectation),
	    cmocka_unit_test(no_other_policy_helps_an_expectation),
	    cmocka_unit_test(a_policy_without_packets_breaks_no_expectation),
	    cmocka_unit_test(unlawful_networks_are_refused),
	    cmocka_unit_test(paths_of_random_networks_work),
	    cmocka_unit_test(repairs_of_random_networks_work),
	    cmocka_unit_test(a_triangle_repairs_its_sides),
	    cmocka_unit_test(a_repair_keeps_out_of_what_a_path_avoids),
	    cmocka_unit_test(a_repair_costs_little_mtu),
	    cmocka_unit_test(a_repair_keeps_off_the_same_risk),
	    cmocka_unit_test(order_of_sources_says_nothing),
	    cmocka_unit_test(a_leaf_that_is_declared_first_is_like_any),
	    cmocka_unit_test(nobody_sees_how_many_compiled),
	    cmocka_unit_test(without_a_rate_there_is_no_queue),
	    cmocka_unit_test(a_rate_makes_queues_at_both_ends),
	    cmocka_unit_test(a_carrier_that_honours_code_points_is_told),
	    cmocka_unit_test(a_country_of_3000_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
