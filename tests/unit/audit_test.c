/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/audit.c policies/audit_finding.c policies/audit_site.c policies/audit_peer.c policies/audit_part.c policies/audit_flow.c
// link: policies/audit_walk.c policies/audit_queue.c policies/audit_expect.c policies/audit_failure.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c policies/compile_repair.c policies/compile_way.c
// link: policies/compile_site.c policies/expect.c
// link: topology/network.c topology/labels.c topology/mtu.c topology/spf.c topology/forwarding.c
// link: topology/forwarding_codec.c tests/unit/network_fixture.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c
/*
 * The audit is tried by faults: each row of a table plants one into a compiled country, or changes
 * the sources behind its back, and says which finding must come of it, at which site, with which
 * words. A country without faults has none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network_fixture.h"
#include "tuyen/policies/audit.h"
#include "tuyen/policies/compile.h"

/* ---- a compiled country that can be damaged ---------------------------------------------- */

struct country {
	struct network n;
	struct forwarding *site;
	size_t count;
};

static void country_compile(struct country *c)
{
	struct compile_result *r;

	if (compile_network(&c->n, COMPILE_NEED_KEYS, &r))
		fail_msg("%s", r ? compile_problem(r, 0)->text : "no memory");
	c->count = c->n.site_count;
	c->site = calloc(c->count, sizeof(*c->site));
	for (uint32_t i = 0; i < c->count; i++)
		assert_int_equal(compile_site(r, i, &c->site[i]), 0);
	compile_free(r);
}

/* A slow line to one commune, and a carrier that honours code points. */
static void rate_lines(struct network *n)
{
	n->sites[4].uplinks[0].rate = (struct line_rate){2000000, 8000000};
	n->sites[4].uplinks[0].allowance_bytes_day = 200000000;
	n->underlays[0].has_dscp = true;
	memcpy(n->underlays[0].dscp, (const uint8_t[]){8, 18, 46}, 3);
	n->classes[0].share_percent = 40;
}

static void country_clear(struct country *c)
{
	for (size_t i = 0; i < c->n.site_count; i++)
		forwarding_clear(&c->site[i]);
	free(c->site);
	network_clear(&c->n);
}

/* The last part first, as threads may. */
static int backwards(unsigned int workers, size_t count, executor_step *step, void *context)
{
	int err = 0;

	for (size_t i = count; i-- > 0;)
		err = step(context, (unsigned int)i % workers, i) ? -TUYEN_EINVAL : err;
	return err;
}

static void findings_are_equal(const struct audit *a, const struct audit *b)
{
	assert_int_equal(audit_finding_count(a), audit_finding_count(b));
	for (int k = 0; k < AUDIT_KINDS; k++)
		assert_int_equal(audit_findings_of_kind(a, k), audit_findings_of_kind(b, k));
	for (size_t i = 0; i < audit_finding_count(a); i++) {
		const struct audit_finding *x = audit_finding(a, i), *y = audit_finding(b, i);

		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->site_id, y->site_id);
		assert_int_equal(x->line, y->line);
		assert_int_equal(x->place.line, y->place.line);
		assert_string_equal(x->text, y->text);
	}
}

static void paths_are_equal(const struct audit *a, const struct audit *b, uint32_t path)
{
	uint32_t m, n;
	const uint32_t *x = audit_path_links(a, path, &m), *y = audit_path_links(b, path, &n);

	assert_string_equal(audit_path_name(a, path), audit_path_name(b, path));
	assert_int_equal(m, n);
	assert_memory_equal(x, y, m * sizeof(*x));
	x = audit_path_repaired(a, path, &m);
	y = audit_path_repaired(b, path, &n);
	assert_int_equal(m, n);
	assert_true(!m || !memcmp(x, y, m * sizeof(*x)));
}

static void audits_are_equal(const struct audit *a, const struct audit *b)
{
	struct audit_counts x = audit_counts(a), y = audit_counts(b);

	findings_are_equal(a, b);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(audit_session_count(a), audit_session_count(b));
	for (size_t i = 0; i < audit_session_count(a); i++) {
		const struct audit_session *s = audit_session(a, i), *t = audit_session(b, i);

		assert_int_equal(s->head, t->head);
		assert_int_equal(s->endpoint, t->endpoint);
		assert_true(s->opens == t->opens && s->opens_back == t->opens_back);
		assert_int_equal(s->path, t->path);
		assert_int_equal(s->path_count, t->path_count);
		assert_int_equal(s->lawful, t->lawful);
		for (uint32_t p = s->path; p < s->path + s->path_count; p++)
			paths_are_equal(a, b, p);
	}
}

static struct audit *country_prove(const struct country *c, const struct executor *executor)
{
	struct audit *a;

	assert_int_equal(audit_new(&c->n, c->site, c->count, &a), 0);
	audit_executor(a, executor);
	assert_int_equal(audit_prove(a), 0);
	return a;
}

/* Alone, and with help: the same, whatever is wrong. */
static struct audit *country_audit(const struct country *c)
{
	static const struct executor several = {2, backwards};
	struct audit *a = country_prove(c, NULL), *b = country_prove(c, &several);

	audits_are_equal(a, b);
	audit_free(b);
	return a;
}

static void findings_print(const struct audit *a)
{
	for (size_t i = 0; i < audit_finding_count(a) && i < 40; i++) {
		const struct audit_finding *f = audit_finding(a, i);

		print_message("  %s site %u line %u: %s\n", audit_kind_name(f->kind), f->site_id,
			      f->line, f->text);
	}
}

static void clean(const struct audit *a)
{
	if (audit_findings_total(a)) {
		findings_print(a);
		fail_msg("%zu findings in a clean country", audit_findings_total(a));
	}
}

static bool found(const struct audit *a, enum audit_kind kind, uint32_t site_id, const char *words)
{
	for (size_t i = 0; i < audit_finding_count(a); i++) {
		const struct audit_finding *f = audit_finding(a, i);

		if (f->kind == kind && f->site_id == site_id && strstr(f->text, words))
			return true;
	}
	return false;
}

/* ---- planted faults ---------------------------------------------------------------------- */

enum { HUB, HANOI, BA_DINH, DONG_DA, PHUC_XA, KHAM_THIEN };

#define REMOVE(array, count, at)                                                                   \
	memmove(&(array)[at], &(array)[(at) + 1], (--(count) - (at)) * sizeof(*(array)))
#define APPEND(array, count, ...)                                                                  \
	do {                                                                                       \
		(array) = realloc((array), ((count) + 1) * sizeof(*(array)));                      \
		assert_non_null(array);                                                            \
		(array)[(count)++] = __VA_ARGS__;                                                  \
	} while (0)

static struct fwd_neighbor *neighbor(struct forwarding *f, uint32_t id)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (f->neighbors[i].site_id == id)
			return &f->neighbors[i];
	fail_msg("no neighbour %u", id);
	return NULL;
}

static struct fwd_label_route *label(struct forwarding *f, uint32_t in)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].in_label == in)
			return &f->labels[i];
	fail_msg("no label %u", in);
	return NULL;
}

static void accept_add(struct forwarding *f, uint32_t from, struct label_stack stack)
{
	struct fwd_neighbor *n = neighbor(f, from);

	APPEND(n->accept, n->accept_count, stack);
	forwarding_sort(f);
}

static void rule_add(struct forwarding *f, struct fwd_rule rule)
{
	APPEND(f->rules, f->rule_count, rule);
	forwarding_sort(f);
}

static void peer_copy(struct forwarding *f, size_t from, uint32_t site_id)
{
	struct fwd_session_peer p = f->peers[from];

	p.site_id = site_id;
	p.prefixes = calloc(1, sizeof(*p.prefixes));
	p.prefix_count = 0;
	APPEND(f->peers, f->peer_count, p);
	forwarding_sort(f);
}

static void neighbor_copy(struct forwarding *f, size_t from, uint32_t site_id)
{
	struct fwd_neighbor n = f->neighbors[from];

	n.site_id = site_id;
	n.accept = calloc(1, sizeof(*n.accept));
	n.accept_count = 0;
	APPEND(f->neighbors, f->neighbor_count, n);
	forwarding_sort(f);
}

#define STACK(...)                                                                                 \
	((struct label_stack){.depth = sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),       \
			      .label = {__VA_ARGS__}})

#define SWAP(type, x, y)                                                                           \
	do {                                                                                       \
		type keep = (x);                                                                   \
		(x) = (y);                                                                         \
		(y) = keep;                                                                        \
	} while (0)

/* name, kind, in whose bundle, words of the message, what is done to the sites */
#define FAULTS(X)                                                                                       \
	X(link_key_wrong, LINK_KEY, 901, "'phuc-xa' knows 'ba-dinh' by a link key",                     \
	  neighbor(&s[PHUC_XA], 210)->link_key[0] ^= 1)                                                 \
	X(link_keys_swapped, LINK_KEY, 101, "knows 'dong-da'",                                          \
	  memcpy(neighbor(&s[HANOI], 211)->link_key, neighbor(&s[HANOI], 210)->link_key,                \
		 WG_KEY_LEN))                                                                           \
	X(link_address_wrong, LINK_ADDRESS, 210, "'ba-dinh' knows 'phuc-xa' by link address",           \
	  neighbor(&s[BA_DINH], 901)->link_address++)                                                   \
	X(own_link_address_wrong, IDENTITY, 901, "link address", s[PHUC_XA].link_address++)             \
	X(both_call, LINK_CALL, 1, "both call each other", neighbor(&s[HUB], 101)->caller = true)       \
	X(nobody_calls, LINK_CALL, 210, "both wait for each other",                                     \
	  neighbor(&s[PHUC_XA], 210)->caller = false)                                                   \
	X(call_reversed, LINK_CALL, 210, "the wrong one",                                               \
	  SWAP(bool, neighbor(&s[PHUC_XA], 210)->caller, neighbor(&s[BA_DINH], 901)->caller))           \
	X(called_elsewhere, LINK_CALL, 901, "where it does not listen",                                 \
	  neighbor(&s[PHUC_XA], 210)->endpoint.address[3] ^= 1)                                         \
	X(called_port_wrong, LINK_CALL, 901, "where it does not listen",                                \
	  neighbor(&s[PHUC_XA], 210)->endpoint.port++)                                                  \
	X(link_port_wrong, IDENTITY, 210, "listens on port", s[BA_DINH].link_port++)                    \
	X(link_timers_slow, LINK_TIMERS, 901, "probes 'ba-dinh'",                                       \
	  neighbor(&s[PHUC_XA], 210)->probe.interval_us *= 2)                                           \
	X(neighbor_name_wrong, NEIGHBOR, 901, "and it is 'ba-dinh'",                                    \
	  strcpy(neighbor(&s[PHUC_XA], 210)->name, "ba-dihn"))                                          \
	X(underlay_wrong, NEIGHBOR, 901, "over 'lte', and should over 'fibre'",                         \
	  strcpy(neighbor(&s[PHUC_XA], 210)->underlay, "lte"))                                          \
	X(neighbor_extra, NEIGHBOR, 902, "without a link", neighbor_copy(&s[KHAM_THIEN], 0, 210))       \
	X(neighbor_missing, NEIGHBOR, 210, "does not know its neighbour 'phuc-xa'",                     \
	  free(neighbor(&s[BA_DINH], 901)->accept);                                                     \
	  REMOVE(s[BA_DINH].neighbors, s[BA_DINH].neighbor_count, 1))                                   \
	X(neighbor_twice, ORDER, 901, "neighbour 210 stands twice",                                     \
	  neighbor_copy(&s[PHUC_XA], 0, 210))                                                           \
	X(link_mtu_big, MTU, 901, "the line carries 1440", s[PHUC_XA].link_mtu = 1500)                  \
	X(neighbor_mtu_big, MTU, 901, "the line carries",                                               \
	  neighbor(&s[PHUC_XA], 210)->link_mtu = 1480)                                                  \
	X(lsp_mtu_big, MTU, 901, "exceed the link's", neighbor(&s[PHUC_XA], 210)->lsp_mtu = 1440)       \
	X(lsp_mtu_small, MTU, 901, "of only 1300 bytes to 'ba-dinh'",                                   \
	  neighbor(&s[PHUC_XA], 210)->lsp_mtu = 1300)                                                   \
	X(link_mtu_small, MTU, 901, "link0 of 'phuc-xa' takes packets of only 1300",                    \
	  s[PHUC_XA].link_mtu = 1300)                                                                   \
	X(session_mtu_small, MTU, 1, "takes packets of only 1200", s[HUB].sessions[0].mtu = 1200)       \
	X(path_timers_fast, LINK_TIMERS, 901, "it is probed every 10 us",                               \
	  s[PHUC_XA].paths[0].probe.interval_us = 10)                                                   \
	X(rule_prefix_none, RULE_CLASS, 901, "bits are set below",                                      \
	  s[PHUC_XA].rules[0].to.address = 1)                                                           \
	X(path_mtu_big, MTU, 901, "path 1 'main' of 'phuc-xa' to 'npdc-hn': packets of 1500",           \
	  s[PHUC_XA].paths[0].mtu = 1500)                                                               \
	X(return_mtu_big, MTU, 1, "on its way back: packets of 1500",                                   \
	  s[HUB].returns[0].mtu = 1500)                                                                 \
	X(return_mtu_differs, MTU, 901, "of 1000 back", s[HUB].returns[0].mtu = 1000)                   \
	X(session_mtu_big, MTU, 901, "session s10 of 'phuc-xa' takes packets of 1400",                  \
	  s[PHUC_XA].sessions[0].mtu = 1400)                                                            \
	X(hub_session_mtu_big, MTU, 1, "session s10 of 'npdc-hn' takes packets of 1400",                \
	  s[HUB].sessions[0].mtu = 1400)                                                                \
	X(own_label_wrong, IDENTITY, 210, "label 16211", s[BA_DINH].own_label = 16211)                  \
	X(block_wrong, IDENTITY, 210, "labels from 17000", s[BA_DINH].srgb.base = 17000)                \
	X(block_small, IDENTITY, 210, "a block of 100", s[BA_DINH].srgb.size = 100)                     \
	X(node_address_wrong, IDENTITY, 1, "node address", s[HUB].node_address += 16)                   \
	X(lan_address_outside, IDENTITY, 901, "lies in none", s[PHUC_XA].lan_address += 65536)          \
	X(overlay_narrow, IDENTITY, 901, "overlay", s[PHUC_XA].overlay[1].length = 13)                  \
	X(lan_wide, IDENTITY, 901, "10.9.0.0/16",                                                       \
	  s[PHUC_XA].lans[0] = ((struct ipv4_prefix){0x0a090000, 16}))                                  \
	X(lan_missing, IDENTITY, 901, "lacks its LAN", s[PHUC_XA].lan_count = 0)                        \
	X(tier_wrong, IDENTITY, 901, "of tier 'npdc'", strcpy(s[PHUC_XA].tier, "npdc"))                 \
	X(name_wrong, IDENTITY, 901, "is called 'kham-thien'",                                          \
	  strcpy(s[PHUC_XA].site, "kham-thien"))                                                        \
	X(label_missing, BLACK_HOLE, 210, "'ba-dinh' has no label 16001",                               \
	  REMOVE(s[BA_DINH].labels, s[BA_DINH].label_count, 0))                                         \
	X(own_label_missing, BLACK_HOLE, 901, "'phuc-xa' has no label 16901",                           \
	  s[PHUC_XA].label_count = 0)                                                                   \
	X(label_elsewhere, BLACK_HOLE, 101, "which is no neighbour",                                    \
	  label(&s[HANOI], 16901)->next_site = 902)                                                     \
	X(label_routes_swapped, FILTERED, 211, "'dong-da' drops 16901 from 'hanoi'",                    \
	  SWAP(uint32_t, label(&s[HANOI], 16901)->next_site, label(&s[HANOI], 16902)->next_site))       \
	X(label_back, LOOP, 101, "goes round", label(&s[BA_DINH], 16901)->next_site = 101;              \
	  accept_add(&s[HANOI], 210, STACK(16901)))                                                     \
	X(label_out_wrong, FILTERED, 1, "'npdc-hn' drops 16002 from 'hanoi'",                           \
	  label(&s[HANOI], 16001)->out.label[0] = 16002)                                                \
	X(label_popped, BLACK_HOLE, 210, "a bare pop", label(&s[BA_DINH], 16001)->out.depth = 0)        \
	X(label_swapped_to_site, FILTERED, 210, "'ba-dinh' drops 16902 from 'hanoi'",                   \
	  label(&s[HANOI], 16901)->out.label[0] = 16902)                                                \
	X(label_ends_here, IDENTITY, 210, "which is not its own",                                       \
	  label(&s[BA_DINH], 16001)->next_site = 0)                                                     \
	X(label_ends_early, MISDELIVERY, 901, "it leads to 'ba-dinh'",                                  \
	  label(&s[BA_DINH], 16001)->next_site = 0)                                                     \
	X(label_twice, ORDER, 210, "label 16001 stands twice",                                          \
	  APPEND(s[BA_DINH].labels, s[BA_DINH].label_count, s[BA_DINH].labels[0]);                      \
	  forwarding_sort(&s[BA_DINH]))                                                                 \
	X(label_useless, USELESS, 210, "label 16902",                                                   \
	  APPEND(s[BA_DINH].labels, s[BA_DINH].label_count,                                             \
		 (struct fwd_label_route){16902, 101, STACK(16902), {0}}))                              \
	X(labels_grow, STACK, 101, "too many labels",                                                   \
	  label(&s[HANOI], 16211)->out =                                                                \
	      STACK(16211, 16901, 16901, 16901, 16901, 16901, 16901, 16901))                            \
	X(accept_missing, FILTERED, 210, "'ba-dinh' drops 16001 from 'phuc-xa'",                        \
	  neighbor(&s[BA_DINH], 901)->accept_count = 0)                                                 \
	X(accept_extra_commune, LEAK, 211,                                                              \
	  "'dong-da' takes 16902 from 'phuc-xa', which no lawful path sends; it leads to 'kham-thien'", \
	  accept_add(&s[DONG_DA], 901, STACK(16902)))                                                   \
	X(accept_extra_lost, LEAK, 210, "it is lost", accept_add(&s[BA_DINH], 901, STACK(16902)))       \
	X(accept_extra_deep, LEAK, 211, "takes 16211/16902",                                            \
	  accept_add(&s[DONG_DA], 901, STACK(16211, 16902)))                                            \
	X(accept_twice, ORDER, 101, "stands twice", accept_add(&s[HANOI], 210, STACK(16001)))           \
	X(accept_other_neighbor, FILTERED, 101, "drops 16001 from 'ba-dinh'",                           \
	  SWAP(size_t, neighbor(&s[HANOI], 210)->accept_count, (size_t){0}))                            \
	X(path_label_wrong, FILTERED, 210, "drops 16002",                                               \
	  s[PHUC_XA].paths[0].stack.label[0] = 16002)                                                   \
	X(path_stack_empty, STACK, 901, "its stack of 0 labels",                                        \
	  s[PHUC_XA].paths[0].stack.depth = 0)                                                          \
	X(path_reserved_label, STACK, 901, "is none", s[PHUC_XA].paths[0].stack.label[0] = 3)           \
	X(path_first_wrong, BLACK_HOLE, 901, "has no neighbour 101",                                    \
	  s[PHUC_XA].paths[0].first_site = 101)                                                         \
	X(paths_swapped, DETOUR, 901, "which is not its parent",                                        \
	  SWAP(uint32_t, s[PHUC_XA].paths[0].first_site, s[PHUC_XA].paths[1].first_site))               \
	X(preferences_swapped, PATH, 901, "its preference is 100",                                      \
	  SWAP(uint32_t, s[PHUC_XA].paths[0].preference, s[PHUC_XA].paths[1].preference))               \
	X(path_name_wrong, PATH, 901, "has no such path", strcpy(s[PHUC_XA].paths[0].name, "x"))        \
	X(path_color_wrong, PATH, 901, "of no session", s[PHUC_XA].paths[0].color = 11)                 \
	X(path_unprobed, LINK_TIMERS, 901, "every 0 us",                                                \
	  s[PHUC_XA].paths[0].probe.interval_us = 0)                                                    \
	X(path_source_wrong, SOURCE, 901, "its source is", s[PHUC_XA].paths[0].source++)                \
	X(path_source_stolen, SOURCE, 902, "its source is",                                             \
	  s[KHAM_THIEN].paths[0].source = s[PHUC_XA].paths[0].source)                                   \
	X(path_endpoint_wrong, SOURCE, 901, "it leads to address", s[PHUC_XA].paths[0].endpoint++)      \
	X(path_reflector_wrong, SOURCE, 901, "asks for reflector",                                      \
	  s[PHUC_XA].paths[0].reflector = 2)                                                            \
	X(path_twice, ORDER, 901, "path 1 stands twice",                                                \
	  APPEND(s[PHUC_XA].paths, s[PHUC_XA].path_count, s[PHUC_XA].paths[0]);                         \
	  forwarding_sort(&s[PHUC_XA]))                                                                 \
	X(paths_all_missing, UNREACHABLE, 902, "no path works", s[KHAM_THIEN].path_count = 0)           \
	X(path_missing, USELESS, 1, "way back to site 901", s[PHUC_XA].path_count = 1)                  \
	X(return_missing, RETURN, 1, "has no way back",                                                 \
	  REMOVE(s[HUB].returns, s[HUB].return_count, 0))                                               \
	X(return_of_other, RETURN, 1, "another site's", s[HUB].returns[0].site_id = 902)                \
	X(returns_swapped, MISDELIVERY, 1, "it leads to 'kham-thien'",                                  \
	  SWAP(struct label_stack, s[HUB].returns[0].stack, s[HUB].returns[2].stack))                   \
	X(return_elsewhere, DETOUR, 901, "its way back is another",                                     \
	  s[HUB].returns[1].stack = s[HUB].returns[0].stack)                                            \
	X(return_extra, USELESS, 1, "way back to site 902",                                             \
	  APPEND(s[HUB].returns, s[HUB].return_count, s[HUB].returns[2]);                               \
	  s[HUB].returns[3].destination++)                                                              \
	X(return_first_wrong, BLACK_HOLE, 1, "has no neighbour 210",                                    \
	  s[HUB].returns[0].first_site = 210)                                                           \
	X(session_port_wrong, SESSION, 1, "listens on port", s[HUB].sessions[0].listen_port++)          \
	X(session_port_is_links, SESSION, 1, "the links' port",                                         \
	  s[HUB].sessions[0].listen_port = s[HUB].link_port)                                            \
	X(session_policy_wrong, SESSION, 901, "is said to be of",                                       \
	  strcpy(s[PHUC_XA].sessions[0].policy, "x"))                                                   \
	X(session_longest_hold_wrong, SESSION, 901, "at most",                                          \
	  s[PHUC_XA].sessions[0].revert_max_ms = 1)                                                     \
	X(session_revert_wrong, SESSION, 901, "goes back after",                                        \
	  s[PHUC_XA].sessions[0].revert_hold_ms = 0)                                                    \
	X(session_missing, SESSION, 901, "which is not there", s[PHUC_XA].session_count = 0)            \
	X(session_unknown, USELESS, 101, "has no peer",                                                 \
	  APPEND(s[HANOI].sessions, s[HANOI].session_count,                                             \
		 (struct fwd_session){.color = 10, .policy = "citizen-query"}))                         \
	X(peer_key_wrong, PEER_KEY, 1, "knows 'phuc-xa' in session s10",                                \
	  s[HUB].peers[0].session_key[0] ^= 1)                                                          \
	X(peer_keys_swapped, PEER_KEY, 1, "knows 'kham-thien'",                                         \
	  memcpy(s[HUB].peers[1].session_key, s[HUB].peers[0].session_key, WG_KEY_LEN))                 \
	X(peer_extra, PEER_EXTRA, 901, "a session s10", peer_copy(&s[PHUC_XA], 0, 902))                 \
	X(peer_missing, PEER_MISSING, 1, "no session s10 with 'kham-thien'",                            \
	  free(s[HUB].peers[1].prefixes);                                                               \
	  s[HUB].peer_count = 1)                                                                        \
	X(peer_call_elsewhere, PEER_CALL, 901, "does not listen", s[PHUC_XA].peers[0].endpoint++)       \
	X(peer_call_port, PEER_CALL, 901, "does not listen", s[PHUC_XA].peers[0].port++)                \
	X(peer_both_call, PEER_CALL, 1, "both call", s[HUB].peers[0].caller = true)                     \
	X(peer_nobody_calls, PEER_CALL, 1, "both wait for", s[PHUC_XA].peers[0].caller = false)         \
	X(peer_name_wrong, SESSION, 1, "and it is 'phuc-xa'", strcpy(s[HUB].peers[0].name, "x"))        \
	X(allowed_ips_wide, ALLOWED_IPS, 1, "takes 10.9.0.0/16 for 'phuc-xa'",                          \
	  s[HUB].peers[0].prefixes[0] = ((struct ipv4_prefix){0x0a090000, 16}))                         \
	X(allowed_ips_all, ALLOWED_IPS, 901, "takes 0.0.0.0/0",                                         \
	  s[PHUC_XA].peers[0].prefixes[0] = ((struct ipv4_prefix){0, 0}))                               \
	X(allowed_ips_missing, ALLOWED_IPS, 1, "does not know that",                                    \
	  s[HUB].peers[0].prefix_count = 0)                                                             \
	X(allowed_ips_overlap, OVERLAP, 1, "overlaps",                                                  \
	  s[HUB].peers[1].prefixes[0] = s[HUB].peers[0].prefixes[0])                                    \
	X(allowed_ips_own, OVERLAP, 1, "overlaps", s[HUB].peers[1].prefixes[0] = s[HUB].lans[0])        \
	X(rule_ports_wide, RULE_WIDE, 901, "ports 1-65535", s[PHUC_XA].rules[1].port_first = 1;         \
	  s[PHUC_XA].rules[1].port_last = 65535)                                                        \
	X(rule_port_changed, RULE_WIDE, 1, "port 22", s[HUB].rules[1].port_first = 22;                  \
	  s[HUB].rules[1].port_last = 22)                                                               \
	X(rule_port_changed_lacks, RULE_MISSING, 1, "class 'alarm'",                                    \
	  s[HUB].rules[1].port_first = 22;                                                              \
	  s[HUB].rules[1].port_last = 22)                                                               \
	X(rule_protocol_any, RULE_WIDE, 901, "any protocol", s[PHUC_XA].rules[0].protocol = 0)          \
	X(rule_protocol_other, RULE_MISSING, 901, "class 'query'",                                      \
	  s[PHUC_XA].rules[0].protocol = 17)                                                            \
	X(rule_back, RULE_WIDE, 1, "go to 'phuc-xa'", struct fwd_rule r = s[HUB].rules[0];              \
	  r.outbound = true; rule_add(&s[HUB], r))                                                      \
	X(rule_in_at_commune, RULE_WIDE, 901, "come from 'npdc-hn'",                                    \
	  struct fwd_rule r = s[PHUC_XA].rules[0];                                                      \
	  r.outbound = false; rule_add(&s[PHUC_XA], r))                                                 \
	X(rule_missing, RULE_MISSING, 1, "come from 'phuc-xa'", s[HUB].rule_count = 1)                  \
	X(rule_narrow, RULE_MISSING, 1, "come from",                                                    \
	  s[HUB].rules[0].from = ((struct ipv4_prefix){0x0a090180, 25}))                                \
	X(rule_dscp_narrow, RULE_MISSING, 1, "come from", s[HUB].rules[0].has_dscp = true)              \
	X(rule_to_narrow, RULE_MISSING, 901, "go to 'npdc-hn'",                                         \
	  s[PHUC_XA].rules[0].to = ((struct ipv4_prefix){0x0a000000, 24}))                              \
	X(rule_class_wrong, RULE_CLASS, 901, "is of class 'x'",                                         \
	  strcpy(s[PHUC_XA].rules[0].class_name, "x"))                                                  \
	X(rule_priority_wrong, RULE_CLASS, 901, "priority 2", s[PHUC_XA].rules[0].priority = 2)         \
	X(line_rate_wrong, QUEUE, 901, "sends 3000 kbit/s over 'fibre'",                                \
	  s[PHUC_XA].lines[0].up_kbps = 3000)                                                           \
	X(line_unknown, QUEUE, 901, "does not know its line 'fibre'", s[PHUC_XA].line_count = 0)        \
	X(line_extra, QUEUE, 902, "knows 2 lines, and 1 are to be",                                     \
	  APPEND(s[KHAM_THIEN].lines, s[KHAM_THIEN].line_count,                                         \
		 (struct fwd_line){.underlay = "lte"}))                                                 \
	X(line_overhead, QUEUE, 901, "counts 20 bytes more", s[PHUC_XA].lines[0].overhead = 20)         \
	X(line_dscp, QUEUE, 901, "other code points", s[PHUC_XA].lines[0].dscp[2] = 0)                  \
	X(meter_wrong, QUEUE, 901, "lets 'fibre' carry 1 KB a day, and 200000 are allowed",             \
	  s[PHUC_XA].meters[0].allowance_kb_day = 1)                                                    \
	X(meter_missing, QUEUE, 901, "carry 0 KB a day, and 200000 are allowed",                        \
	  s[PHUC_XA].meter_count = 0)                                                                   \
	X(meter_extra, QUEUE, 902, "carry 5 KB a day, and 0 are allowed",                               \
	  APPEND(s[KHAM_THIEN].meters, s[KHAM_THIEN].meter_count, (struct fwd_meter){"fibre", 5}))      \
	X(meter_unknown, QUEUE, 902, "has 1 metered lines, and 0 are to be",                            \
	  APPEND(s[KHAM_THIEN].meters, s[KHAM_THIEN].meter_count, (struct fwd_meter){"lte", 5}))        \
	X(neighbor_rate, QUEUE, 210, "sends 9000 kbit/s to 'phuc-xa', whose line takes 8000",           \
	  neighbor(&s[BA_DINH], 901)->down_kbps = 9000)                                                 \
	X(queue_share, QUEUE, 210, "has a share of 4%, and is promised 40%",                            \
	  s[BA_DINH].queues[0].share_percent = 4)                                                       \
	X(queue_priority, QUEUE, 210, "has priority 0, and should have",                                \
	  s[BA_DINH].queues[0].priority = 0)                                                            \
	X(queue_dscp, QUEUE, 210, "by code point 9, and its neighbours by 1",                           \
	  s[BA_DINH].queues[0].dscp = 9)                                                                \
	X(queue_color, QUEUE, 210, "a queue of color 11, which no policy has",                          \
	  s[BA_DINH].queues[0].color = 11)                                                              \
	X(queue_missing, QUEUE, 901, "has 0 queues, and 1 are to be", s[PHUC_XA].queue_count = 0)       \
	X(rule_for_nobody, USELESS, 1, "for no peer", struct fwd_rule r = s[HUB].rules[0];              \
	  r.from = (struct ipv4_prefix){0x0a630000, 16}; rule_add(&s[HUB], r))                          \
	X(rule_other_color, USELESS, 901, "session s11", struct fwd_rule r = s[PHUC_XA].rules[0];       \
	  r.color = 11; rule_add(&s[PHUC_XA], r))                                                       \
	X(id_of_other, BUNDLE, 902, "a second bundle", s[PHUC_XA].site_id = 902)                        \
	X(id_of_nobody, BUNDLE, 77, "does not know", s[PHUC_XA].site_id = 77)

#define FAULT_FUNCTION(name, kind, site, words, ...)                                               \
	static void fault_##name(struct forwarding *s)                                             \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
FAULTS(FAULT_FUNCTION)

struct fault {
	const char *name;
	enum audit_kind kind;
	uint32_t site_id;
	const char *words;
	void (*plant)(struct forwarding *sites);
};

#define FAULT_ROW(name, kind, site, words, ...) {#name, AUDIT_##kind, site, words, fault_##name},
static const struct fault faults[] = {FAULTS(FAULT_ROW)};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_planted_faults(void **state)
{
	size_t missed = 0;

	(void)state;
	assert_true(COUNT(faults) >= 50);
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct country c;
		struct audit *a;

		fixture_first_light(&c.n);
		rate_lines(&c.n);
		country_compile(&c);
		faults[i].plant(c.site);
		a = country_audit(&c);
		if (!found(a, faults[i].kind, faults[i].site_id, faults[i].words)) {
			print_message("%s: not found; %zu findings:\n", faults[i].name,
				      audit_findings_total(a));
			findings_print(a);
			missed++;
		}
		assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
		audit_free(a);
		country_clear(&c);
	}
	if (missed)
		fail_msg("%zu of %zu faults missed", missed, COUNT(faults));
}

/* ---- the sources changed behind the bundles' back -------------------------------------------- */

static void deny_kham_thien(struct network *n)
{
	struct deny_rule *d = fixture_deny(n, 0);

	fixture_set_add(&d->from, KHAM_THIEN);
	fixture_set_tier(n, &d->to, 0);
}

static void expect_any_link(struct network *n)
{
	struct expectation *e = fixture_expect(n, EXPECT_REACHES_AFTER_ANY_LINK_FAILURE, 0);

	fixture_set_add(&e->from, PHUC_XA);
	fixture_set_add(&e->to, HUB);
}

static void expect_never(struct network *n)
{
	struct expectation *e = fixture_expect(n, EXPECT_NEVER_REACHES, NETWORK_NONE);

	fixture_set_add(&e->from, PHUC_XA);
	fixture_set_add(&e->to, HUB);
}

/* A class that nobody carries, and whose packets pass as 'query' all the same; and one that comes after 64 others. */
static void expect_never_with(struct network *n, uint16_t port)
{
	uint32_t class_index = fixture_class(n, "web", IPPROTO_TCP, port);
	struct expectation *e = fixture_expect(n, EXPECT_NEVER_REACHES, class_index);

	fixture_set_add(&e->from, PHUC_XA);
	fixture_set_add(&e->to, HUB);
}

static void expect_much_never(struct network *n)
{
	for (uint16_t i = 0; i < 66; i++)
		expect_never_with(n, i == 65 ? 443 : (uint16_t)(1000 + i));
}

/* name, kind, in whose bundle (0: none), words, what is done to the network */
#define CHANGES(X)                                                                                 \
	X(deny_added, RULE_WIDE, 1, "come from 'kham-thien'", deny_kham_thien(n))                  \
	X(deny_added_there, RULE_WIDE, 902, "go to 'npdc-hn'", deny_kham_thien(n))                 \
	X(class_port, RULE_WIDE, 901, "port 443", n->classes[0].matches[0].port_first = 8443;      \
	  n->classes[0].matches[0].port_last = 8443)                                               \
	X(class_wider, RULE_MISSING, 901, "class 'query'",                                         \
	  n->classes[0].matches[0].port_last = 450)                                                \
	X(class_narrower, RULE_WIDE, 901, "port 443",                                              \
	  n->classes[0].matches[0].to = ((struct ipv4_prefix){0x0a000100, 24}))                    \
	X(class_priority, RULE_CLASS, 901, "priority", n->classes[0].priority = 0)                 \
	X(policy_without_site, PEER_EXTRA, 902, "which no policy wants",                           \
	  n->policies[0].from.count = 1)                                                           \
	X(policy_with_district, PEER_MISSING, 210, "which policy 'citizen-query' wants",           \
	  fixture_set_add(&n->policies[0].from, BA_DINH);                                          \
	  SWAP(uint32_t, n->policies[0].from.sites[0], n->policies[0].from.sites[2]);              \
	  SWAP(uint32_t, n->policies[0].from.sites[1], n->policies[0].from.sites[2]);              \
	  n->sites[BA_DINH].lan_count = 1;                                                         \
	  n->sites[BA_DINH].lans = calloc(1, sizeof(struct ipv4_prefix));                          \
	  n->sites[BA_DINH].lans[0] = (struct ipv4_prefix){0x0a080000, 24})                        \
	X(policy_color, PEER_EXTRA, 901, "which no policy wants", n->policies[0].color = 20)       \
	X(policy_preference, PATH, 901, "and policy says 300",                                     \
	  n->policies[0].paths[0].preference = 300)                                                \
	X(policy_revert, SESSION, 901, "and policy", n->policies[0].revert_hold_ms = 5000)         \
	X(policy_renamed, SESSION, 901, "is said to be", n->policies[0].name[0] = 'x')             \
	X(parent_changed, DETOUR, 901, "which is not its parent",                                  \
	  SWAP(uint32_t, n->sites[PHUC_XA].parent, n->sites[PHUC_XA].backup))                      \
	X(through_changed, DETOUR, 901, "does not pass",                                           \
	  n->policies[0].paths[0].via = PATH_VIA_SITES;                                            \
	  fixture_set_add(&n->policies[0].paths[0].through, DONG_DA))                              \
	X(way_slower, DETOUR, 902, "it takes longer than 5000 us",                                 \
	  n->policies[0].paths[0].max_delay_us = 5000;                                             \
	  n->links[n->link_count - 1].delay_us = 5001)                                             \
	X(labels_fewer, DETOUR, 901, "its policy allows 1",                                        \
	  n->policies[0].paths[1].max_labels = 1)                                                  \
	X(link_gone, NEIGHBOR, 902, "without a link", n->link_count--)                             \
	X(link_added, NEIGHBOR, 902, "does not know its neighbour 'ba-dinh'",                      \
	  fixture_link(n, KHAM_THIEN, BA_DINH, 5))                                                 \
	X(line_smaller, MTU, 902, "the line carries 1340",                                         \
	  n->links[n->link_count - 1].mtu_bytes = 1400)                                            \
	X(line_ipv6, MTU, 902, "the line carries 1420",                                            \
	  n->sites[DONG_DA].uplinks[0].endpoint.family = 6)                                        \
	X(line_slower, LINK_TIMERS, 902, "and should",                                             \
	  n->links[n->link_count - 1].probe.multiplier = 9)                                        \
	X(policy_slower, LINK_TIMERS, 901, "its policy want 1000000 us x 3",                       \
	  (n->policies[0].probe.interval_us = 1000000, n->policies[0].probe.multiplier = 3))       \
	X(policy_patient, LINK_TIMERS, 901, "us x 7",                                              \
	  (n->policies[0].probe.interval_us = 10000, n->policies[0].probe.multiplier = 7))         \
	X(link_key_rotated, LINK_KEY, 211, "knows 'kham-thien'",                                   \
	  n->sites[KHAM_THIEN].link_key[3] ^= 4)                                                   \
	X(session_key_rotated, PEER_KEY, 1, "knows 'kham-thien'",                                  \
	  n->sites[KHAM_THIEN].session_key[3] ^= 4)                                                \
	X(lan_moved, ALLOWED_IPS, 1, "is a LAN of 'kham-thien'",                                   \
	  n->sites[KHAM_THIEN].lans[0].address += 256)                                             \
	X(site_renamed, IDENTITY, 902, "should be 'xham-thien'",                                   \
	  n->sites[KHAM_THIEN].name[0] = 'x')                                                      \
	X(site_renumbered, BUNDLE, 902, "does not know", n->sites[KHAM_THIEN].id = 903)            \
	X(port_moved, IDENTITY, 210, "listens on port",                                            \
	  n->sites[BA_DINH].uplinks[0].endpoint.port = 4500)                                       \
	X(rate_changed, QUEUE, 901, "and the line carries 4000",                                   \
	  n->sites[PHUC_XA].uplinks[0].rate.up_bps = 4000000)                                      \
	X(share_changed, QUEUE, 1, "and is promised 30%", n->classes[0].share_percent = 30)        \
	X(expectation_link, EXPECTATION, 0,                                                        \
	  "'phuc-xa' does not reach 'npdc-hn' when link hanoi npdc-hn fails", expect_any_link(n))  \
	X(expectation_never, EXPECTATION, 0, "'phuc-xa' reaches 'npdc-hn'", expect_never(n))       \
	X(expectation_never_uncarried, EXPECTATION, 0, "'phuc-xa' reaches 'npdc-hn'",              \
	  expect_never_with(n, 443))                                                               \
	X(expectation_never_last, EXPECTATION, 0, "'phuc-xa' reaches 'npdc-hn'",                   \
	  expect_much_never(n))

#define CHANGE_FUNCTION(name, kind, site, words, ...)                                              \
	static void change_##name(struct network *n)                                               \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
CHANGES(CHANGE_FUNCTION)

struct change {
	const char *name;
	enum audit_kind kind;
	uint32_t site_id;
	const char *words;
	void (*make)(struct network *n);
};

#define CHANGE_ROW(name, kind, site, words, ...) {#name, AUDIT_##kind, site, words, change_##name},
static const struct change changes[] = {CHANGES(CHANGE_ROW)};

static void test_changed_sources(void **state)
{
	size_t missed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct country c;
		struct audit *a;

		fixture_first_light(&c.n);
		rate_lines(&c.n);
		country_compile(&c);
		changes[i].make(&c.n);
		a = country_audit(&c);
		if (!found(a, changes[i].kind, changes[i].site_id, changes[i].words)) {
			print_message("%s: not found; %zu findings:\n", changes[i].name,
				      audit_findings_total(a));
			findings_print(a);
			missed++;
		}
		audit_free(a);
		country_clear(&c);
	}
	if (missed)
		fail_msg("%zu of %zu changes missed", missed, COUNT(changes));
}

/* ---- what is whole --------------------------------------------------------------------------- */

static void test_first_light_is_clean(void **state)
{
	struct country c;
	struct audit *a;
	struct audit_counts counts;

	(void)state;
	fixture_first_light(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	counts = audit_counts(a);
	assert_int_equal(counts.sites, 6);
	assert_int_equal(counts.sessions, 2);
	assert_int_equal(counts.paths_working, 3);
	assert_int_equal(counts.pairs, 4);
	assert_int_equal(counts.pairs_open, 4);
	assert_int_equal(counts.deepest_stack, 2);
	assert_int_equal(counts.longest_way, 3);
	audit_free(a);
	country_clear(&c);
}

/* One of several head-ends is named on the way: for itself there is nothing to pass. */
static void test_head_on_its_own_way(void **state)
{
	struct country c = {0};
	struct policy *p;
	struct audit *a;

	(void)state;
	fixture_first_light(&c.n);
	p = &c.n.policies[0];
	p->paths[0].via = PATH_VIA_SITES;
	fixture_set_add(&p->paths[0].through, PHUC_XA);
	p->from.count = 1; /* another's packets do not pass a commune */
	p->from.sites[0] = PHUC_XA;
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	audit_free(a);
	country_clear(&c);
}

static void test_missing_bundle(void **state)
{
	struct country c;
	struct audit *a;

	(void)state;
	fixture_first_light(&c.n);
	country_compile(&c);
	c.count--;
	a = country_audit(&c);
	assert_true(found(a, AUDIT_BUNDLE, 0, "'kham-thien' has no bundle"));
	assert_true(found(a, AUDIT_PEER_EXTRA, 1, "kham-thien"));
	audit_free(a);
	country_clear(&c);
}

static void test_bundle_lines(void **state)
{
	struct country c;
	struct audit *a;
	struct text t;
	char *line;

	(void)state;
	fixture_first_light(&c.n);
	country_compile(&c);
	strcpy(c.site[HUB].rules[1].class_name, "x");
	a = country_audit(&c);
	assert_int_equal(audit_finding(a, 0)->kind, AUDIT_RULE_CLASS);
	text_init(&t);
	forwarding_encode(&c.site[HUB], &t);
	line = t.bytes;
	for (uint32_t i = 1; i < audit_finding(a, 0)->line; i++)
		line = strchr(line, '\n') + 1;
	assert_memory_equal(line, "rule 10 in priority 1 protocol 17", 33);
	assert_non_null(strstr(line, "class x\n"));
	text_clear(&t);
	audit_free(a);
	country_clear(&c);
}

static const struct audit_failure *failure_find(const struct audit *a, const char *name)
{
	const struct audit_failure *result = NULL;

	for (size_t i = 0; i < audit_failure_count(a) && !result; i++) {
		struct text t;

		text_init(&t);
		audit_failure_name(a, audit_failure(a, i), &t);
		if (!strcmp(text_string(&t), name))
			result = audit_failure(a, i);
		text_clear(&t);
	}
	if (!result)
		fail_msg("no failure %s", name);
	return result;
}

struct hit {
	const char *failure;
	uint32_t moved, partly, cut, communes_cut;
};

static void test_failures_of_first_light(void **state)
{
	static const struct hit hits[] = {
	    {"link phuc-xa ba-dinh", 1, 0, 0, 0}, {"link phuc-xa dong-da", 0, 0, 0, 0},
	    {"link hanoi npdc-hn", 0, 0, 2, 2},	  {"link kham-thien dong-da", 0, 0, 1, 1},
	    {"site ba-dinh", 1, 0, 0, 0},	  {"site dong-da", 0, 0, 1, 1},
	    {"site hanoi", 0, 0, 2, 2},		  {"site npdc-hn", 0, 0, 2, 2},
	    {"site phuc-xa", 0, 0, 0, 0},	  {"uplink hanoi fibre", 0, 0, 2, 2},
	    {"uplink phuc-xa fibre", 0, 0, 1, 1},
	};
	struct country c;
	struct audit *a;

	(void)state;
	fixture_first_light(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < COUNT(hits); i++) {
		const struct audit_failure *f = failure_find(a, hits[i].failure);

		if (f->sites_moved != hits[i].moved || f->sites_partly != hits[i].partly ||
		    f->sites_cut != hits[i].cut || f->cut_by_tier[3] != hits[i].communes_cut)
			fail_msg("%s: moved %u, partly %u, cut %u", hits[i].failure, f->sites_moved,
				 f->sites_partly, f->sites_cut);
	}
	assert_int_equal(*audit_failure_cut(a, failure_find(a, "site dong-da")), KHAM_THIEN);
	assert_int_equal(audit_failure_sum(a, AUDIT_FAIL_LINK).tried, 6);
	assert_int_equal(audit_failure_sum(a, AUDIT_FAIL_LINK).cutting, 3);
	audit_free(a);
	country_clear(&c);
}

/* Every failure again, the slow way: each session's paths against the failed link or site. */
static bool path_survives(const struct audit *a, uint32_t path, const struct audit_failure *f)
{
	uint32_t count;
	const uint32_t *links = audit_path_repaired(a, path, &count);

	for (uint32_t i = 0; f->kind == AUDIT_FAIL_LINK && i < count; i++)
		if (links[i] == f->subject)
			return true;
	links = audit_path_links(a, path, &count);
	for (uint32_t i = 0; f->kind == AUDIT_FAIL_LINK && i < count; i++)
		if (links[i] == f->subject)
			return false;
	return true;
}

static bool path_passes(const struct audit *a, uint32_t path, uint32_t link)
{
	uint32_t count;
	const uint32_t *links = audit_path_links(a, path, &count);

	for (uint32_t i = 0; i < count; i++)
		if (links[i] == link)
			return true;
	return false;
}

static void test_failures_the_slow_way(void **state)
{
	struct country c;
	struct audit *a;
	size_t repairs = 0;

	(void)state;
	fixture_country(&c.n, 200);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	assert_int_equal(audit_failure_sum(a, AUDIT_FAIL_LINK).repaired, 2);
	for (size_t i = 0; i < audit_failure_count(a); i++) {
		const struct audit_failure *f = audit_failure(a, i);
		uint32_t lost = 0, moved = 0, repaired = 0;

		if (f->kind != AUDIT_FAIL_LINK)
			continue;
		for (size_t s = 0; s < audit_session_count(a); s++) {
			const struct audit_session *e = audit_session(a, s);
			uint32_t p = e->path;

			while (p < e->path + e->path_count && !path_survives(a, p, f))
				p++;
			repaired += p == e->path && path_passes(a, p, f->subject);
			lost += p == e->path + e->path_count;
			moved += p > e->path && p < e->path + e->path_count;
		}
		assert_int_equal(f->sessions_lost, lost);
		assert_int_equal(f->sessions_moved, moved);
		assert_int_equal(f->sessions_repaired, repaired);
		repairs += repaired;
	}
	assert_true(repairs > 0);
	audit_free(a);
	country_clear(&c);
}

/* Two gateways, denies for some, both directions, two LANs: rules by prefix, sessions lost in part. */
static void test_many_policies(void **state)
{
	struct country c;
	struct audit *a;
	uint32_t hub2, deny_site;
	struct policy *p;
	struct deny_rule *d;

	(void)state;
	fixture_first_light(&c.n);
	hub2 = fixture_site(&c.n, "npdc-hcm", 0, 2, NETWORK_NONE, NETWORK_NONE, "10.1.0.0/16");
	fixture_link(&c.n, HANOI, hub2, 15);
	c.n.sites[HUB].lans = realloc(c.n.sites[HUB].lans, 2 * sizeof(struct ipv4_prefix));
	c.n.sites[HUB].lans[c.n.sites[HUB].lan_count++] = (struct ipv4_prefix){0x0a020000, 16};
	fixture_set_add(&c.n.policies[0].to, hub2);
	p = fixture_policy(&c.n, "push", 20);
	fixture_set_add(&p->from, HUB);
	fixture_set_tier(&c.n, &p->from, 3);
	fixture_set_add(&p->to, HUB);
	fixture_set_tier(&c.n, &p->to, 3);
	fixture_path(p, "best", 10, PATH_VIA_SHORTEST, NETWORK_NONE);
	deny_site = KHAM_THIEN;
	d = fixture_deny(&c.n, 0);
	fixture_set_add(&d->from, deny_site);
	fixture_set_add(&d->to, HUB);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	assert_int_equal(audit_counts(a).pairs, audit_counts(a).pairs_open);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	assert_int_equal(failure_find(a, "link hanoi npdc-hcm")->sites_partly, 2);
	assert_int_equal(failure_find(a, "link hanoi npdc-hcm")->sites_cut, 0);
	assert_int_equal(failure_find(a, "link hanoi npdc-hn")->sites_cut, 2);
	audit_free(a);
	country_clear(&c);
}

/* ---- blind faults: any byte of any entry -------------------------------------------------------- */

static uint32_t draw(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

/* An array of a site and how much of an entry is plain bytes, before its pointers. */
struct array {
	void *entries;
	size_t count, size, plain;
};

static struct array array_of(struct forwarding *f, uint32_t kind)
{
	switch (kind) {
	case 0:
		return (struct array){f->neighbors, f->neighbor_count, sizeof(*f->neighbors),
				      offsetof(struct fwd_neighbor, accept)};
	case 1:
		return (struct array){f->labels, f->label_count, sizeof(*f->labels),
				      sizeof(*f->labels)};
	case 2:
		return (struct array){f->paths, f->path_count, sizeof(*f->paths),
				      sizeof(*f->paths)};
	case 3:
		return (struct array){f->returns, f->return_count, sizeof(*f->returns),
				      sizeof(*f->returns)};
	case 4:
		return (struct array){f->sessions, f->session_count, sizeof(*f->sessions),
				      sizeof(*f->sessions)};
	case 5:
		return (struct array){f->peers, f->peer_count, sizeof(*f->peers),
				      offsetof(struct fwd_session_peer, prefixes)};
	case 6:
		return (struct array){f->lines, f->line_count, sizeof(*f->lines),
				      sizeof(*f->lines)};
	case 7:
		return (struct array){f->queues, f->queue_count, sizeof(*f->queues),
				      sizeof(*f->queues)};
	default:
		return (struct array){f->rules, f->rule_count, sizeof(*f->rules),
				      sizeof(*f->rules)};
	}
}

static void bound(void *byte, uint8_t most)
{
	uint8_t *b = byte;

	if (*b > most)
		*b = most;
}

/* What no struct forwarding may hold: more labels than its stacks, longer prefixes, a bool that is none. */
static void damage_bound(struct forwarding *f)
{
	for (size_t i = 0; i < f->label_count; i++)
		bound(&f->labels[i].out.depth, LABEL_STACK_MAX),
		    bound(&f->labels[i].repair.out.depth, LABEL_STACK_MAX);
	for (size_t i = 0; i < f->path_count; i++)
		bound(&f->paths[i].stack.depth, LABEL_STACK_MAX),
		    bound(&f->paths[i].repair.out.depth, LABEL_STACK_MAX);
	for (size_t i = 0; i < f->return_count; i++)
		bound(&f->returns[i].stack.depth, LABEL_STACK_MAX),
		    bound(&f->returns[i].repair.out.depth, LABEL_STACK_MAX);
	for (size_t i = 0; i < f->neighbor_count; i++)
		bound(&f->neighbors[i].caller, 1);
	for (size_t i = 0; i < f->peer_count; i++)
		bound(&f->peers[i].caller, 1);
	for (size_t i = 0; i < f->line_count; i++)
		bound(&f->lines[i].has_dscp, 1);
	for (size_t i = 0; i < f->rule_count; i++) {
		bound(&f->rules[i].outbound, 1);
		bound(&f->rules[i].has_dscp, 1);
		bound(&f->rules[i].dscp, 63);
		bound(&f->rules[i].to.length, 32);
		bound(&f->rules[i].from.length, 32);
	}
}

/* @return false where nothing was changed, or what no struct forwarding may hold. */
static bool damage(struct forwarding *f, uint64_t *seed)
{
	struct array a = array_of(f, draw(seed, 9));
	struct text before, after;
	size_t at, offset;
	bool changed;

	if (!a.count)
		return false;
	text_init(&before);
	text_init(&after);
	forwarding_encode(f, &before);
	at = draw(seed, (uint32_t)a.count);
	offset = draw(seed, (uint32_t)a.plain);
	((uint8_t *)a.entries)[at * a.size + offset] ^= (uint8_t)(1u << draw(seed, 7));
	damage_bound(f);
	forwarding_encode(f, &after);
	changed =
	    before.length != after.length || memcmp(before.bytes, after.bytes, after.length) != 0;
	text_clear(&before);
	text_clear(&after);
	return changed;
}

/* 0.0.0.0/1 to /4: all that this country has lies in it, as in 0.0.0.0/0. */
static bool prefix_all_of_10(const char *line, const char *word)
{
	unsigned int length;

	return sscanf(strstr(line, word) + strlen(word), "0.0.0.0/%u", &length) == 1 &&
	       length > 0 && length <= 4;
}

/* Prints the lines that differ. @return whether a rule says the same in other words: no fault. */
static bool difference_print(const char *x, const char *y)
{
	bool rule = false;

	while (*x && *y) {
		size_t n = strcspn(x, "\n"), m = strcspn(y, "\n");

		if (n != m || memcmp(x, y, n)) {
			rule = !strncmp(x, "rule ", 5) &&
			       (prefix_all_of_10(y, " to ") || prefix_all_of_10(y, " from "));
			if (!rule)
				print_message("missed: %.*s\n     to %.*s\n", (int)n, x, (int)m, y);
		}
		x += n + (x[n] == '\n');
		y += m + (y[m] == '\n');
	}
	return rule;
}

/* A country whose core has other ways. */
enum { RING_HUB, RING_P, RING_Q, RING_D, RING_E, RING_C };

static void ring(struct network *n)
{
	struct policy *p;

	fixture_init(n);
	fixture_site(n, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	fixture_site(n, "p", 1, 10, RING_HUB, FIXTURE_NONE, "10.2.0.0/24");
	fixture_site(n, "q", 1, 11, RING_HUB, FIXTURE_NONE, "");
	fixture_site(n, "d", 2, 100, RING_P, RING_Q, "");
	fixture_site(n, "e", 2, 101, RING_Q, FIXTURE_NONE, "");
	fixture_site(n, "c", 3, 1000, RING_D, RING_E, "10.1.0.0/24");
	fixture_link(n, RING_P, RING_Q, 30);
	fixture_class(n, "query", IPPROTO_TCP, 443);
	p = fixture_policy(n, "query", 10);
	fixture_set_tier(n, &p->from, 1);
	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
}

#define REPAIR(next, ...) ((struct fwd_repair){next, STACK(__VA_ARGS__)})

/* name, in whose bundle, words of the finding, what is done to the sites of the ring: p goes around its link to the
 * hub by d and q. */
#define REPAIR_FAULTS(X)                                                                           \
	X(over_what_failed, 10, "sends it where it is down",                                       \
	  label(&s[RING_P], 16001)->repair.next_site = 1)                                          \
	X(no_neighbor, 10, "has no neighbour 77", label(&s[RING_P], 16001)->repair.next_site = 77) \
	X(other_neighbor, 11, "drops 86011/86001 from 'p'",                                        \
	  label(&s[RING_P], 16001)->repair.next_site = 11)                                         \
	X(wrong_stack, 100, "drops 86010 from 'p'",                                                \
	  label(&s[RING_P], 16001)->repair.out = STACK(86010))                                     \
	X(plain_stack, 100, "drops 16001/17000 from 'p'",                                          \
	  label(&s[RING_P], 16001)->repair.out = STACK(16001, 17000))                              \
	X(no_stack, 10, "leaves no label", label(&s[RING_P], 16001)->repair.out.depth = 0)         \
	X(accept_missing, 100, "drops 86011/86001 from 'p'",                                       \
	  struct fwd_neighbor *n = neighbor(&s[RING_D], 10);                                       \
	  for (size_t i = n->accept_count; i-- > 0;) if (n->accept[i].label[0] == 86011)           \
	      REMOVE(n->accept, n->accept_count, i))                                               \
	X(label_missing, 11, "has no label 86001",                                                 \
	  REMOVE(s[RING_Q].labels, s[RING_Q].label_count,                                          \
		 (size_t)(label(&s[RING_Q], 86001) - s[RING_Q].labels)))                           \
	X(end_missing, 1, "has no label 86001",                                                    \
	  REMOVE(s[RING_HUB].labels, s[RING_HUB].label_count,                                      \
		 (size_t)(label(&s[RING_HUB], 86001) - s[RING_HUB].labels)))                       \
	X(detour_of_detour, 11, "which is a detour itself",                                        \
	  label(&s[RING_Q], 86001)->repair = REPAIR(10, 86001))                                    \
	X(detour_sent_back, 10, "drops 86011/86001 from 'd'",                                      \
	  label(&s[RING_D], 86011)->next_site = 10)                                                \
	X(detour_over_what_failed, 10, "sends it where it is down",                                \
	  label(&s[RING_D], 86011)->next_site = 10;                                                \
	  accept_add(&s[RING_P], 100, STACK(86011, 86001));                                        \
	  label(&s[RING_P], 86011)->next_site = 1)                                                 \
	X(return_to_another, 1000, "leads to another site",                                        \
	  for (size_t i = 0; i < s[RING_HUB].return_count;                                         \
	       i++) if (s[RING_HUB].returns[i].first_site == 10 &&                                 \
			s[RING_HUB].returns[i].site_id == 1000) s[RING_HUB]                        \
	      .returns[i]                                                                          \
	      .repair.out = STACK(86010);                                                          \
	  accept_add(&s[RING_Q], 1, STACK(86010)); accept_add(&s[RING_D], 11, STACK(86010)))       \
	X(head_repair_wrong, 100, "drops 86011 from 'p'",                                          \
	  s[RING_P].paths[0].repair.out = STACK(86011))

#define REPAIR_FAULT_FUNCTION(name, site, words, ...)                                              \
	static void repair_fault_##name(struct forwarding *s)                                      \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
REPAIR_FAULTS(REPAIR_FAULT_FUNCTION)
#define REPAIR_FAULT_ROW(name, site, words, ...)                                                   \
	{#name, AUDIT_REPAIR, site, words, repair_fault_##name},
static const struct fault repair_faults[] = {REPAIR_FAULTS(REPAIR_FAULT_ROW)};

/* Each of @planted, in @country of its own, is found. */
static void faults_are_found(void (*country)(struct network *n), const struct fault *planted,
			     size_t count)
{
	size_t missed = 0;

	for (size_t i = 0; i < count; i++) {
		struct country c;
		struct audit *a;

		country(&c.n);
		country_compile(&c);
		planted[i].plant(c.site);
		a = country_audit(&c);
		if (!found(a, planted[i].kind, planted[i].site_id, planted[i].words)) {
			print_message("%s: not found; %zu findings:\n", planted[i].name,
				      audit_findings_total(a));
			findings_print(a);
			missed++;
		}
		audit_free(a);
		country_clear(&c);
	}
	assert_int_equal(missed, 0);
}

static void test_planted_repair_faults(void **state)
{
	struct country c;
	struct audit *a;

	(void)state;
	ring(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	assert_true(audit_counts(a).repairs > 0);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	assert_true(failure_find(a, "link p hub")->sessions_repaired > 0);
	assert_int_equal(failure_find(a, "link p hub")->sessions_hit, 0);
	assert_int_equal(failure_find(a, "site p")->sessions_hit, 0);
	audit_free(a);
	for (size_t i = 0; i < c.n.link_count; i++) /* the way around is long, and the way is not */
		if (c.n.links[i].a + c.n.links[i].b == RING_D + RING_Q)
			c.n.links[i].delay_us = 5000;
	c.n.policies[0].paths[0].max_delay_us = 4000;
	a = country_audit(&c);
	assert_true(found(a, AUDIT_REPAIR, 1000, "it takes longer than its policy lets it"));
	assert_int_equal(audit_findings_of_kind(a, AUDIT_DETOUR), 0);
	audit_free(a);
	country_clear(&c);
	faults_are_found(ring, repair_faults, COUNT(repair_faults));
}

static void blind_fault(void (*country)(struct network *n), uint64_t *seed, size_t *planted,
			size_t *missed)
{
	struct text before, after;
	struct country c;
	struct audit *a;
	uint32_t site;

	country(&c.n);
	rate_lines(&c.n);
	country_compile(&c);
	site = draw(seed, (uint32_t)c.count);
	text_init(&before);
	text_init(&after);
	forwarding_encode(&c.site[site], &before);
	if (damage(&c.site[site], seed)) {
		++*planted;
		a = country_audit(&c);
		forwarding_encode(&c.site[site], &after);
		if (!audit_findings_total(a))
			*missed += !difference_print(text_string(&before), text_string(&after));
		audit_free(a);
	}
	text_clear(&before);
	text_clear(&after);
	country_clear(&c);
}

/* A bit of any entry is turned: whatever changes a bundle's text is a finding. */
static void test_blind_faults(void **state)
{
	size_t planted = 0, missed = 0;
	uint64_t seed = 7;

	(void)state;
	while (planted < 1000)
		blind_fault(fixture_first_light, &seed, &planted, &missed);
	while (planted < 3000)
		blind_fault(ring, &seed, &planted, &missed);
	if (missed)
		fail_msg("%zu of %zu missed", missed, planted);
}

/* ---- parallel links ----------------------------------------------------------------------------- */

enum { PAR_HUB, PAR_P, PAR_D, PAR_E, PAR_C, PAR_F, PAR_C_FACE };

/* c has two links to d and two to e; f one to d. One policy goes by LTE too, another never. */
static void parallel_country(struct network *n)
{
	struct policy *p;

	fixture_init(n);
	fixture_site(n, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	fixture_site(n, "p", 1, 10, PAR_HUB, FIXTURE_NONE, "");
	fixture_site(n, "d", 2, 100, PAR_P, FIXTURE_NONE, "");
	fixture_site(n, "e", 2, 101, PAR_P, FIXTURE_NONE, "");
	fixture_site(n, "c", 3, 1000, PAR_D, PAR_E, "10.1.0.0/24");
	fixture_site(n, "f", 3, 1001, PAR_D, FIXTURE_NONE, "10.1.1.0/24");
	fixture_link(n, PAR_D, PAR_E, 5);
	fixture_parallel(n, PAR_C, PAR_D, 50);
	fixture_parallel(n, PAR_C, PAR_E, 60);
	assert_int_equal(network_make_faces(n), 0);
	fixture_class(n, "query", IPPROTO_TCP, 443);
	p = fixture_policy(n, "query", 10);
	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "main", 300, PATH_VIA_PARENT, NETWORK_NONE);
	fixture_path(p, "lte", 200, PATH_VIA_PARENT, NETWORK_NONE);
	p->paths[1].over = 1;
	fixture_path(p, "spare", 100, PATH_VIA_BACKUP, 0);
	fixture_class(n, "images", IPPROTO_TCP, 80);
	p = fixture_policy(n, "archive", 20);
	p->class_count = 1;
	p->classes[0] = 1;
	fixture_set_tier(n, &p->from, 3);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
}

#define PAR(id) (PARALLEL_ID + (id))

/* kind, name, in whose bundle, words of the finding, what is done */
#define PARALLEL_FAULTS(X)                                                                         \
	X(NEIGHBOR, other_name, 100, "calls its neighbour 1001000 'c', and it is 'c parallel'",    \
	  strcpy(neighbor(&s[PAR_D], PAR(1000))->name, "c"))                                       \
	X(LINK_KEY, other_key, 100, "by a link key that is not its",                               \
	  neighbor(&s[PAR_D], PAR(1000))->link_key[0] ^= 1)                                        \
	X(LINK_ADDRESS, ordinary_address, 1000,                                                    \
	  "by link address 100.64.0.100, and it has 100.65.0.100",                                 \
	  neighbor(&s[PAR_C], PAR(100))->link_address = s[PAR_D].link_address)                     \
	X(LINK_CALL, ordinary_port, 1000, "where it does not listen",                              \
	  neighbor(&s[PAR_C], PAR(100))->endpoint.port--)                                          \
	X(NEIGHBOR, other_line, 1000, "over 'fibre', and should over 'lte'",                       \
	  strcpy(neighbor(&s[PAR_C], PAR(100))->underlay, "fibre"))                                \
	X(NEIGHBOR, unknown, 100, "'d' does not know its neighbour 'c parallel'",                  \
	  size_t at = (size_t)(neighbor(&s[PAR_D], PAR(1000)) - s[PAR_D].neighbors);               \
	  free(s[PAR_D].neighbors[at].accept);                                                     \
	  REMOVE(s[PAR_D].neighbors, s[PAR_D].neighbor_count, at))                                 \
	X(IDENTITY, own_address, 1000, "link1 of 'c'", s[PAR_C].parallel_address++)                \
	X(IDENTITY, own_port, 100, "link1 of 'd'", s[PAR_D].parallel_port++)                       \
	X(IDENTITY, own_space, 100, "link1 of 'd'", s[PAR_D].parallel_space.length--)              \
	X(MTU, device_small, 100, "link1 of 'd' takes packets of only 1367 bytes",                 \
	  s[PAR_D].parallel_mtu--)                                                                 \
	X(IDENTITY, other_label, 1000, "which is not its own",                                     \
	  label(&s[PAR_C], 157000)->in_label = 157001;                                             \
	  forwarding_sort(&s[PAR_C]))                                                              \
	X(FILTERED, not_accepted, 1000, "drops 157000 from 'd'",                                   \
	  neighbor(&s[PAR_C], PAR(100))->accept_count = 0)                                         \
	X(LEAK, accepts_the_other, 1000, "takes 87000 from 'd parallel'",                          \
	  accept_add(&s[PAR_C], PAR(100), STACK(87000)))                                           \
	X(DETOUR, other_line_there, 1000, "its way back is another",                               \
	  s[PAR_C].paths[1].first_site = 100)                                                      \
	X(DETOUR, line_of_the_path, 1000, "it does not begin over 'lte'",                          \
	  s[PAR_C].paths[1].first_site = 100)                                                      \
	X(REPAIR, wrong_twin, 1000, "drops 17000 from 'd'",                                        \
	  label(&s[PAR_D], 17000)->repair.out = STACK(17000))                                      \
	X(REPAIR, repair_of_pinned, 100, "which is a detour itself",                               \
	  label(&s[PAR_D], 87000)->repair = (struct fwd_repair){PAR(1000), STACK(157000)})         \
	X(REPAIR, trespass, 1000, "where its policy says that it must not",                        \
	  for (size_t i = 0; i < s[PAR_HUB].return_count;                                          \
	       i++) if (s[PAR_HUB].returns[i].stack.depth == 2 &&                                  \
			s[PAR_HUB].returns[i].stack.label[0] == 16100) s[PAR_HUB]                  \
	      .returns[i]                                                                          \
	      .stack = STACK(17000))

#define PARALLEL_FAULT_FUNCTION(kind, name, site, words, ...)                                      \
	static void parallel_fault_##name(struct forwarding *s)                                    \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
PARALLEL_FAULTS(PARALLEL_FAULT_FUNCTION)
#define PARALLEL_FAULT_ROW(kind, name, site, words, ...)                                           \
	{#name, AUDIT_##kind, site, words, parallel_fault_##name},
static const struct fault parallel_faults[] = {PARALLEL_FAULTS(PARALLEL_FAULT_ROW)};

/*
 * One parallel link is fresh and one prepared, to a line of a known rate. Between two communes: what the endpoint sent back before
 * the first link it may still send, and the line of the second is known already.
 */
static void test_prepared_and_fresh_are_clean(void **state)
{
	struct country c = {0};
	struct policy *p;
	struct audit *a;

	(void)state;
	parallel_country(&c.n);
	c.n.links[c.n.link_count - 2].fresh = true;
	c.n.links[c.n.link_count - 1].prepared = true;
	p = fixture_policy(&c.n, "between", 30);
	fixture_set_add(&p->from, PAR_C);
	fixture_set_add(&p->to, PAR_F);
	fixture_path(p, "any", 100, PATH_VIA_SHORTEST, NETWORK_NONE);
	c.n.sites[PAR_E].uplinks[0].rate = (struct line_rate){2000000, 8000000};
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	audit_free(a);
	country_clear(&c);
}

static void test_planted_parallel_faults(void **state)
{
	struct country c;
	struct audit *a;

	(void)state;
	parallel_country(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	assert_int_equal(failure_find(a, "link c d parallel")->sites_cut, 0);
	assert_int_equal(failure_find(a, "link c d")->sites_cut,
			 1); /* by the policy that keeps to it */
	audit_free(a);
	country_clear(&c);
	faults_are_found(parallel_country, parallel_faults, COUNT(parallel_faults));
}

static void test_blind_parallel_faults(void **state)
{
	size_t planted = 0, missed = 0;
	uint64_t seed = 11;

	(void)state;
	while (planted < 1000)
		blind_fault(parallel_country, &seed, &planted, &missed);
	if (missed)
		fail_msg("%zu of %zu missed", missed, planted);
}

/* Any leaf may have a parallel link to its parent, its backup, both. */
static void random_parallels(struct network *n, uint64_t *seed)
{
	for (uint32_t s = 0; s < n->site_count; s++) {
		uint32_t which = n->sites[s].tier == 3 ? draw(seed, 4) : 0;

		if (which & 1)
			fixture_parallel(n, s, n->sites[s].parent, 1 + draw(seed, 60));
		if (which & 2 && n->sites[s].backup != FIXTURE_NONE)
			fixture_parallel(n, s, n->sites[s].backup, 1 + draw(seed, 60));
	}
	for (size_t i = 0; i < n->link_count; i++)
		n->links[i].mtu_bytes = draw(seed, 4) ? 1500 : 1428;
	assert_int_equal(network_make_faces(n), 0);
}

static void random_paths(struct policy *p, uint64_t *seed)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	uint32_t count = 1 + draw(seed, 4);

	for (uint32_t i = 0; i < count; i++) {
		fixture_path(p, names[i], 400 - i, (enum path_via)draw(seed, 3),
			     i && draw(seed, 2) ? draw(seed, i) : NETWORK_NONE);
		p->paths[i].over = draw(seed, 3) ? NETWORK_NONE : draw(seed, 2);
	}
}

static void random_country(struct network *n, uint64_t seed)
{
	char name[16], lan[24];

	fixture_init(n);
	fixture_site(n, "hub", 0, 1, FIXTURE_NONE, FIXTURE_NONE, "10.0.0.0/16");
	for (uint32_t i = 1; i < 14; i++) {
		uint32_t tier = i < 3 ? 1 : i < 7 ? 2 : 3;
		uint32_t first = tier == 1   ? 0
				 : tier == 2 ? 1
					     : 3,
			 above = tier == 1   ? 1
				 : tier == 2 ? 2
					     : 4;
		uint32_t parent = first + draw(&seed, above), backup = first + draw(&seed, above);

		snprintf(name, sizeof(name), "s%u", i);
		snprintf(lan, sizeof(lan), "10.%u.0.0/16", i);
		fixture_site(n, name, tier, 10 + i, draw(&seed, 9) || tier < 3 ? parent : 0,
			     backup == parent || !draw(&seed, 3) ? FIXTURE_NONE : backup,
			     tier == 3 ? lan : "");
	}
	fixture_link(n, 1, 2, 3);
	random_parallels(n, &seed);
	fixture_class(n, "query", IPPROTO_TCP, 443);
	for (uint32_t color = 10; color <= 30; color += 10) {
		struct policy *p = fixture_policy(n, "p", color);

		if (color == 30) {
			fixture_set_tier(n, &p->from, 0);
			fixture_set_add(&p->to, 7 + draw(&seed, 7));
		} else {
			fixture_set_tier(n, &p->from, 3);
			fixture_set_tier(n, &p->to, 0);
		}
		random_paths(p, &seed);
	}
}

/* Whatever links fail, and whatever they share: what nodes do then is what policy says. */
static void test_random_parallel_links(void **state)
{
	size_t tried = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct compile_result *r;
		struct country c;
		struct audit *a;

		random_country(&c.n, seed);
		if (compile_network(&c.n, COMPILE_NEED_KEYS, &r)) {
			compile_free(r); /* a path that nobody has is refused */
			network_clear(&c.n);
			continue;
		}
		compile_free(r);
		country_compile(&c);
		a = country_audit(&c);
		if (audit_findings_total(a))
			print_message("seed %llu\n", (unsigned long long)seed);
		clean(a);
		assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
		tried += audit_counts(a).repairs;
		audit_free(a);
		country_clear(&c);
	}
	assert_true(tried > 2000);
}

/* ---- two gateways in one LAN --------------------------------------------------------------- */

static void two_ranks_swapped(struct forwarding *s)
{
	s[PHUC_XA].peers[0].rank = 1; /* both */
}

static void two_rank_alone(struct forwarding *s)
{
	s[KHAM_THIEN].peers[1].rank = 3;
}

static void two_rank_at_gateway(struct forwarding *s)
{
	s[HUB].peers[0].rank = 1;
}

static void two_tracks(struct forwarding *s)
{
	s[HUB].lan_shared = false;
}

static void one_does_not_track(struct forwarding *s)
{
	s[PHUC_XA].lan_shared = true;
}

static void two_same_address(struct forwarding *s)
{
	s[HUB].lan_address = 0x0a000003;
}

/* The second policy leads to the second gateway alone, the first to both; and each of its sets holds both gateways. */
static void two_policies(struct network *n)
{
	uint32_t second = (uint32_t)n->site_count - 1;
	struct policy *p = fixture_policy(n, "records", 30);

	fixture_set_tier(n, &p->from, 3);
	fixture_set_add(&p->to, second);
	fixture_path(p, "any", 100, PATH_VIA_SHORTEST, NETWORK_NONE);
	p = fixture_policy(n, "all", 40);
	for (uint32_t i = 0; i < n->site_count; i++)
		fixture_set_add(&p->from, i);
	fixture_set_tier(n, &p->to, 0);
	fixture_path(p, "any", 100, PATH_VIA_SHORTEST, NETWORK_NONE);
}

static void test_gateways_of_several_policies(void **state)
{
	struct expectation *e;
	struct country c;
	struct audit *a;

	(void)state;
	fixture_two_gateways(&c.n);
	two_policies(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	audit_free(a);
	e = fixture_expect(&c.n, EXPECT_NEVER_REACHES, NETWORK_NONE);
	fixture_set_add(&e->from, PHUC_XA);
	fixture_set_add(&e->to, HUB);
	c.n.policies[0].to.count = c.n.policies[2].to.count =
	    0; /* no policy leads there, two to the other */
	fixture_set_add(&c.n.policies[0].to, (uint32_t)c.n.site_count - 1);
	a = country_audit(&c);
	assert_true(found(a, AUDIT_EXPECTATION, 0, "'phuc-xa' reaches 'npdc-hcm'"));
	audit_free(a);
	c.site[PHUC_XA].peers[3].rank = c.site[PHUC_XA].peers[4].rank; /* both of color 40 */
	a = country_audit(&c);
	assert_true(found(a, AUDIT_OVERLAP, 901, "overlaps"));
	audit_free(a);
	country_clear(&c);
}

/* Phuc-xa's queries have two paths by color 10, and one by the other. */
static void one_path_policy(struct network *n, uint32_t color, uint32_t class_index)
{
	struct policy *p = fixture_policy(n, "one", color);

	p->class_count = 1;
	p->classes[0] = class_index;
	fixture_set_add(&p->from, PHUC_XA);
	fixture_set_add(&p->to, HUB);
	fixture_path(p, "main", 200, PATH_VIA_PARENT, NETWORK_NONE);
}

/* Of classes of several policies the lowest color has the packets, and no path of another's helps them. */
static void test_expectations_follow_the_color(void **state)
{
	static const struct {
		uint32_t color;
		uint16_t first, last;
		uint8_t length; /* of the prefix in the hub's LAN to which the class goes */
		bool held;
	} rows[] = {
	    {5, 443, 443, 0, false},				/* all queries go by it */
	    {5, 1, 65535, 0, false},  {5, 443, 443, 24, false}, /* some do */
	    {5, 8443, 8443, 0, true},				/* none */
	    {20, 443, 443, 0, true},  {20, 1, 65535, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct expectation *e;
		struct country c;
		struct audit *a;
		uint32_t web;

		fixture_first_light(&c.n);
		web = fixture_class(&c.n, "web", IPPROTO_TCP, rows[i].first);
		c.n.classes[web].matches[0].port_last = rows[i].last;
		c.n.classes[web].matches[0].to =
		    (struct ipv4_prefix){rows[i].length ? 0x0a000100 : 0, rows[i].length};
		one_path_policy(&c.n, rows[i].color, web);
		e = fixture_expect(&c.n, EXPECT_REACHES_AFTER_LINK_FAILURE, 0);
		fixture_set_add(&e->from, PHUC_XA);
		fixture_set_add(&e->to, HUB);
		country_compile(&c);
		e->link = 0;
		while (c.n.links[e->link].a + c.n.links[e->link].b != PHUC_XA + BA_DINH)
			e->link++;
		a = country_audit(&c);
		if (found(a, AUDIT_EXPECTATION, 0, "when link phuc-xa ba-dinh fails") ==
		    rows[i].held) {
			findings_print(a);
			fail_msg("row %zu", i);
		}
		assert_int_equal(audit_findings_total(a), !rows[i].held);
		audit_free(a);
		country_clear(&c);
	}
}

static const struct fault two_faults[] = {
    {"the same rank twice", AUDIT_OVERLAP, 901, "overlaps", two_ranks_swapped},
    {"a rank without the ones before", AUDIT_SESSION, 902, "number 4 of the 2 gateways",
     two_rank_alone},
    {"a rank at the gateway", AUDIT_SESSION, 1, "number 2 of the 1 gateways", two_rank_at_gateway},
    {"a gateway that tracks", AUDIT_IDENTITY, 1, "is not told so", two_tracks},
    {"a commune that does not", AUDIT_IDENTITY, 901, "tracks no connections", one_does_not_track},
    {"the other gateway's address", AUDIT_IDENTITY, 1, "not its own address", two_same_address},
};

static void two_gateways_take_over(void **state)
{
	struct country c;
	struct audit *a;
	struct audit_failure_sum sites;

	(void)state;
	fixture_two_gateways(&c.n);
	country_compile(&c);
	a = country_audit(&c);
	clean(a);
	assert_int_equal(audit_failures(a, NULL, NULL, NULL), 0);
	sites = audit_failure_sum(a, AUDIT_FAIL_SITE);
	for (size_t i = 0; i < audit_failure_count(a); i++) {
		const struct audit_failure *f = audit_failure(a, i);

		if (f->kind != AUDIT_FAIL_SITE || c.n.sites[f->subject].tier != 0)
			continue;
		assert_int_equal(f->sites_cut, 0); /* the other gateway has the LAN too */
		assert_int_equal(f->sites_partly, 0);
		assert_int_equal(f->sites_moved, 2);
	}
	assert_true(sites.tried >= 7);
	audit_free(a);
	for (size_t i = 0; i < sizeof(two_faults) / sizeof(two_faults[0]); i++) {
		struct country damaged;

		fixture_two_gateways(&damaged.n);
		country_compile(&damaged);
		two_faults[i].plant(damaged.site);
		a = country_audit(&damaged);
		if (!found(a, two_faults[i].kind, two_faults[i].site_id, two_faults[i].words)) {
			findings_print(a);
			fail_msg("%s: not found", two_faults[i].name);
		}
		audit_free(a);
		country_clear(&damaged);
	}
	country_clear(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_gateways_take_over),
	    cmocka_unit_test(test_gateways_of_several_policies),
	    cmocka_unit_test(test_expectations_follow_the_color),
	    cmocka_unit_test(test_planted_parallel_faults),
	    cmocka_unit_test(test_prepared_and_fresh_are_clean),
	    cmocka_unit_test(test_blind_parallel_faults),
	    cmocka_unit_test(test_random_parallel_links),
	    cmocka_unit_test(test_first_light_is_clean),
	    cmocka_unit_test(test_missing_bundle),
	    cmocka_unit_test(test_head_on_its_own_way),
	    cmocka_unit_test(test_bundle_lines),
	    cmocka_unit_test(test_many_policies),
	    cmocka_unit_test(test_failures_of_first_light),
	    cmocka_unit_test(test_failures_the_slow_way),
	    cmocka_unit_test(test_planted_faults),
	    cmocka_unit_test(test_planted_repair_faults),
	    cmocka_unit_test(test_changed_sources),
	    cmocka_unit_test(test_blind_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
