/* SPDX-License-Identifier: Apache-2.0 */
// link: daemon/core/repair.c daemon/core/repair_link.c daemon/core/desired.c daemon/core/desired_queue.c daemon/core/desired_nft.c daemon/core/kernel_state.c daemon/core/plan.c daemon/core/plan_print.c
// link: daemon/base/text.c daemon/base/err.c daemon/base/ip.c daemon/base/encode.c daemon/base/wire.c
// link: topology/labels.c topology/forwarding.c topology/forwarding_codec.c
/*
 * What a province does with its label routes and ways back while a link is down: the state of each link, the kernel
 * state that comes of it, and what a restarted daemon reads back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/core/desired.h"
#include "tuyen/core/plan.h"
#include "tuyen/core/repair.h"

#define KEY "uNrjsEnT8Zq86bl04EvatwiEPtl55De564wTg4L0tX8="

/* A province between a gateway (1), another province (102) and a district (210); a head-end and an endpoint too. */
static const char bundle[] =
    "tuyen-bundle 1\n"
    "site 101 hanoi tier province label 16101\n"
    "address link 100.64.0.101 node 100.80.6.80 lan 10.1.0.1\n"
    "srgb 16000 size 70000\n"
    "overlay link 100.64.0.0/16 path 100.80.0.0/12\n"
    "link0 port 51820 mtu 1440\n"
    "lan 10.1.0.0/24\n"
    "neighbor 1 hub over fibre key " KEY
    " address 100.64.0.1 call 203.0.113.1:51820 probe 50000us x 3 mtu 1440 lsp 1420\n"
    "accept 1 16901\n"
    "neighbor 102 hai-phong over fibre key e/V0khMNzPh6FWyKuCjCQtzF5U3HX3XQPek9AKa/W0Y= address 100.64.0.102 wait "
    "probe 50000us x 3 mtu 1440 lsp 1420\n"
    "neighbor 210 ba-dinh over fibre key at5xF9hs2oX+KNPKmPx13GCINvL7WhRyr6z5CIfQ9Dw= address 100.64.0.210 wait "
    "probe 50000us x 3 mtu 1440 lsp 1420\n"
    "accept 210 16001\n"
    "label 16001 to 1 out 16001 repair 102 out 86001\n"
    "label 16101 here\n"
    "label 16901 to 210 out 16901 repair 102 out 86210/16901\n"
    "path 1 main color 10 preference 200 to 1 source 100.80.6.81 endpoint 100.80.0.16 first 1 stack 16001 mtu 1412 "
    "probe 50000us x 5 reflector 1 repair 102 out 86001\n"
    "return 100.80.56.81 of 901 first 210 stack 16901 mtu 1412 repair 102 out 86210/16901\n"
    "session 10 query port 52010 mtu 1352 revert 2000ms\n"
    "peer 10 1 hub key " KEY " call 100.80.0.16:52010\n"
    "prefix 10 1 10.0.0.0/16\n";

enum { HUB, HAI_PHONG, BA_DINH, NEIGHBORS };

static void bundle_read(struct forwarding *f)
{
	struct reason reason = {.text = ""};

	forwarding_init(f);
	if (forwarding_parse(bundle, sizeof(bundle) - 1, f, &reason) < 0)
		fail_msg("%s", reason.text);
}

static const struct active_paths active = {.entry = {{10, 1, 1}}, .count = 1};

static struct kernel_state *desired(const struct forwarding *f, const enum repair_link *repaired)
{
	struct node_keys keys = {.link = {1}, .session = {2}};
	struct kernel_state *state;

	assert_int_equal(desired_build_repaired(f, &keys, &active, repaired, NULL, &state), 0);
	return state;
}

static char *words(const struct kernel_state *want, const struct kernel_state *have)
{
	struct kernel_plan *plan;
	struct reason reason;
	struct text t;

	assert_int_equal(kernel_plan_build(want, have, &plan, &reason), 0);
	text_init(&t);
	kernel_plan_print(plan, &t);
	kernel_plan_free(plan);
	return t.bytes ? t.bytes : strdup("");
}

#define HUB_LABEL "ip -f mpls route replace 16001 as 86001 dev lsp102\n"
#define HUB_PATH                                                                                              \
	"ip route replace 100.80.0.16/32 encap mpls 86001 dev lsp102 src 100.80.6.81 mtu 1416 table 550010\n" \
	"ip route replace 100.80.0.16/32 encap mpls 86001 dev lsp102 src 100.80.6.81 mtu 1416 table 560001\n"

static void a_link_that_is_down_changes_what_goes_over_it(void **state)
{
	const enum repair_link none[NEIGHBORS] = {0}, hub[NEIGHBORS] = {[HUB] = REPAIR_LINK_DOWN},
			       district[NEIGHBORS] = {[BA_DINH] = REPAIR_LINK_HELD};
	struct kernel_state *before, *after;
	struct forwarding f;
	char *plan;

	(void)state;
	bundle_read(&f);
	before = desired(&f, none);
	after = desired(&f, hub);
	plan = words(after, before);
	assert_string_equal(plan, HUB_LABEL HUB_PATH);
	free(plan);
	kernel_state_free(after);
	after = desired(&f, district);
	plan = words(after, before);
	assert_string_equal(plan, "ip -f mpls route replace 16901 as 86210/16901 dev lsp102\n"
				  "ip rule add priority 32000 table 570210\n");
	free(plan);
	assert_int_equal(repair_count(&f, hub, 1), 2);
	assert_int_equal(repair_count(&f, hub, 210), 0);
	assert_int_equal(repair_count(&f, district, 210), 2);
	assert_int_equal(repair_count(&f, NULL, 210), 0);
	assert_true(repair_there(&f, 1));
	assert_true(repair_there(&f, 210));
	assert_false(repair_there(&f, 102));
	kernel_state_free(after);
	kernel_state_free(before);
	forwarding_clear(&f);
}

/* Over a link that is down itself there is no way around another; over one that only waits there is. */
static void a_repair_needs_its_own_link(void **state)
{
	static const struct {
		enum repair_link hub, hai_phong;
		bool used;
	} rows[] = {
	    {REPAIR_LINK_USED, REPAIR_LINK_USED, false},
	    {REPAIR_LINK_DOWN, REPAIR_LINK_USED, true},
	    {REPAIR_LINK_HELD, REPAIR_LINK_USED, true},
	    {REPAIR_LINK_DOWN, REPAIR_LINK_HELD, true},
	    {REPAIR_LINK_DOWN, REPAIR_LINK_DOWN, false},
	    {REPAIR_LINK_HELD, REPAIR_LINK_DOWN, false},
	};
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const enum repair_link repaired[NEIGHBORS] = {
		    [HUB] = rows[i].hub, [HAI_PHONG] = rows[i].hai_phong};

		assert_int_equal(repair_used(&f, repaired, 1, &f.labels[0].repair), rows[i].used);
	}
	assert_false(repair_used(&f, NULL, 1, &f.labels[0].repair));
	forwarding_clear(&f);
}

/* What is sent at once is what the whole state has of it, and nothing of other links. */
static void one_links_routes_are_part_of_the_whole(void **state)
{
	const enum repair_link hub[NEIGHBORS] = {[HUB] = REPAIR_LINK_DOWN};
	struct kernel_state *routes;
	struct kernel_plan *plan;
	struct forwarding f;
	struct text t;

	(void)state;
	bundle_read(&f);
	assert_int_equal(desired_build_link(&f, &active, hub, 1, &routes), 0);
	assert_int_equal(kernel_plan_routes(routes, &plan), 0);
	text_init(&t);
	kernel_plan_print(plan, &t);
	assert_string_equal(text_string(&t), HUB_PATH HUB_LABEL);
	kernel_plan_free(plan);
	kernel_state_free(routes);
	assert_int_equal(desired_build_link(&f, &active, hub, 102, &routes), 0);
	assert_int_equal(routes->label_count, 2); /* all that go around by it */
	kernel_state_free(routes);
	assert_int_equal(desired_build_link(&f, &active, hub, 999, &routes), 0);
	assert_int_equal(routes->label_count + routes->route_count, 0);
	kernel_state_free(routes);
	text_clear(&t);
	forwarding_clear(&f);
}

/* Of the lines, those of the way back and of rules. Takes @lines. */
static char *of_ways_back(char *lines)
{
	char *kept = calloc(1, strlen(lines) + 1);

	for (char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (strstr(line, "100.80.56.81") || strncmp(line, "ip rule", 7) == 0)
			strcat(strcat(kept, line), "\n");
	}
	free(lines);
	return kept;
}

static char *at_once(const struct forwarding *f, const enum repair_link *repaired, uint32_t site_id)
{
	struct kernel_state *routes;
	struct kernel_plan *plan;
	struct text t;

	assert_int_equal(desired_build_link(f, &active, repaired, site_id, &routes), 0);
	assert_int_equal(kernel_plan_routes(routes, &plan), 0);
	text_init(&t);
	kernel_plan_print(plan, &t);
	kernel_plan_free(plan);
	kernel_state_free(routes);
	return t.bytes ? t.bytes : strdup("");
}

#define RULE_ADD    "ip rule add priority 32000 table 570210\n"
#define RULE_DELETE "ip rule delete priority 32000 table 570210\n"
#define BACK(stack, device, mtu)                                                                   \
	"ip route replace 100.80.56.81/32 encap mpls " stack " dev " device                        \
	" src 100.80.6.80 mtu " mtu " metric 14418 table 570210\n"
#define BACK_ITSELF BACK("16901", "lsp210", "1416")
#define BACK_AROUND BACK("86210/16901", "lsp102", "1420")

#define USED REPAIR_LINK_USED
#define HELD REPAIR_LINK_HELD
#define DOWN REPAIR_LINK_DOWN

/*
 * Ways back move by a rule, for what they move to stands ready. Where that is down too, the way itself stands there
 * before the rule leads to it; and the rule is gone before that changes again.
 */
static void ways_back_move_by_one_rule(void **state)
{
	static const struct {
		enum repair_link district, hai_phong, district_then, hai_phong_then;
		const char *plan, *at_once; /* the latter of the link that changed */
	} rows[] = {
	    {USED, USED, DOWN, USED, RULE_ADD, RULE_ADD},
	    {DOWN, USED, HELD, USED, "", RULE_ADD},
	    {HELD, USED, USED, USED, RULE_DELETE, ""},
	    {USED, USED, USED, DOWN, "", ""},
	    {USED, DOWN, DOWN, DOWN, BACK_ITSELF RULE_ADD, BACK_ITSELF RULE_ADD},
	    {DOWN, USED, DOWN, DOWN, BACK_ITSELF, BACK_ITSELF},
	    {DOWN, DOWN, DOWN, HELD, BACK_AROUND, BACK_AROUND},
	    {HELD, DOWN, USED, DOWN, RULE_DELETE BACK_AROUND, BACK_AROUND},
	};
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const enum repair_link was[NEIGHBORS] = {
		    [BA_DINH] = rows[i].district, [HAI_PHONG] = rows[i].hai_phong};
		const enum repair_link is[NEIGHBORS] = {
		    [BA_DINH] = rows[i].district_then, [HAI_PHONG] = rows[i].hai_phong_then};
		bool district = was[BA_DINH] != is[BA_DINH];
		struct kernel_state *before = desired(&f, was), *after = desired(&f, is);
		char *plan = of_ways_back(words(after, before)),
		     *fast = of_ways_back(at_once(&f, is, district ? 210 : 102));

		assert_string_equal(plan, rows[i].plan);
		assert_string_equal(fast, rows[i].at_once);
		free(plan);
		free(fast);
		kernel_state_free(before);
		kernel_state_free(after);
	}
	forwarding_clear(&f);
}

/* A rule that leads to ways themselves, because the repairs were down too, says nothing of the link. */
static void a_rule_without_a_repair_is_none(void **state)
{
	const enum repair_link both[NEIGHBORS] = {[BA_DINH] = HELD, [HAI_PHONG] = DOWN};
	enum repair_link got[NEIGHBORS];
	struct kernel_state *actual;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	actual = desired(&f, both);
	assert_int_equal(f.labels[2].in_label, 16901);
	f.label_count = 2; /* which tells of the link by itself */
	repair_read(&f, actual, got);
	assert_int_equal(got[BA_DINH], USED);
	kernel_state_free(actual);
	f.label_count = 3;
	forwarding_clear(&f);
}

/* As an earlier daemon wrote it: the way back itself was another. */
static void an_upgraded_daemon_reads_the_old_form(void **state)
{
	const enum repair_link none[NEIGHBORS] = {USED};
	enum repair_link got[NEIGHBORS];
	struct kernel_state *actual;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	actual = desired(&f, none);
	f.label_count = 0; /* which tells of the link by itself */
	repair_read(&f, actual, got);
	assert_int_equal(got[BA_DINH], USED);
	for (size_t i = 0; i < actual->route_count; i++) {
		struct kernel_route *r = &actual->routes[i];

		if (r->table != DESIRED_TABLE_MAIN ||
		    r->destination.address != f.returns[0].destination)
			continue;
		desired_adjacency_name(f.returns[0].repair.next_site, r->device);
		r->push = f.returns[0].repair.out;
	}
	repair_read(&f, actual, got);
	assert_int_equal(got[BA_DINH], HELD);
	kernel_state_free(actual);
	f.label_count = 3;
	forwarding_clear(&f);
}

/* Labels, ways back and paths: each tells it by itself of the links that it leads over. */
static void a_restarted_daemon_reads_repairs_back(void **state)
{
	static const struct {
		size_t labels, returns, paths;
		int tell; /* 1: of the hub's link, 2: of the district's */
	} rows[] = {{3, 1, 1, 3}, {3, 0, 0, 3}, {0, 1, 0, 2}, {0, 0, 1, 1}, {0, 0, 0, 0}};
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (int which = 0; which < 4; which++) {
		enum repair_link set[NEIGHBORS] = {
		    [HUB] = which & 1 ? REPAIR_LINK_DOWN : REPAIR_LINK_USED,
		    [BA_DINH] = which & 2 ? REPAIR_LINK_HELD : REPAIR_LINK_USED,
		};
		enum repair_link got[NEIGHBORS];
		struct kernel_state *actual = desired(&f, set);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct forwarding part = f;

			part.label_count = rows[i].labels;
			part.return_count = rows[i].returns;
			part.path_count = rows[i].paths;
			repair_read(&part, actual, got);
			assert_int_equal((got[HUB] != USED) + 2 * (got[BA_DINH] != USED),
					 which & rows[i].tell);
			assert_int_equal(got[HAI_PHONG], USED);
		}
		kernel_state_free(actual);
	}
	forwarding_clear(&f);
}

/* What leads to the repair's neighbour with other labels is no repair, nor are its labels to another: of an older release, perhaps. */
static void half_of_a_repair_is_none(void **state)
{
	enum repair_link got[NEIGHBORS];
	struct kernel_state *actual;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (int way = 0; way < 3; way++) { /* the device, the labels, both */
		actual = desired(&f, NULL);
		for (size_t i = 0; i < actual->label_count; i++) {
			struct kernel_label_route *l = &actual->labels[i];

			if (l->in_label != 16001)
				continue;
			if (way != 1)
				strcpy(l->device, "lsp102");
			if (way != 0)
				l->out = f.labels[0].repair.out;
		}
		f.path_count = 0;
		repair_read(&f, actual, got);
		assert_int_equal(got[HUB], way == 2 ? HELD : USED);
		f.path_count = 1;
		kernel_state_free(actual);
		actual = desired(&f, NULL);
		for (size_t i = 0; i < actual->route_count; i++) {
			struct kernel_route *r = &actual->routes[i];

			if (r->table != TUYEN_TABLE_PROBE + 1)
				continue;
			if (way != 1)
				strcpy(r->device, "lsp102");
			if (way != 0)
				r->push = f.paths[0].repair.out;
		}
		f.label_count = 0;
		repair_read(&f, actual, got);
		assert_int_equal(got[HUB], way == 2 ? HELD : USED);
		f.label_count = 3;
		kernel_state_free(actual);
	}
	forwarding_clear(&f);
}

/* What goes over a link and has no repair waits for it. */
static void what_has_no_repair_is_not_counted(void **state)
{
	const enum repair_link both[NEIGHBORS] = {[HUB] = DOWN, [BA_DINH] = HELD};
	struct kernel_state *actual;
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (size_t i = 0; i < f.label_count; i++)
		f.labels[i].repair.next_site = 0;
	f.returns[0].repair.next_site = f.paths[0].repair.next_site = 0;
	assert_int_equal(repair_count(&f, both, 1), 0);
	assert_int_equal(repair_count(&f, both, 210), 0);
	assert_false(repair_there(&f, 1));
	assert_false(repair_there(&f, 210));
	assert_false(repair_matters(&f, 1));
	assert_false(repair_matters(&f, 102));
	actual = desired(&f, both);
	for (size_t i = 0; i < actual->route_count; i++)
		assert_true(actual->routes[i].table < TUYEN_TABLE_REPAIR);
	for (size_t i = 0; i < actual->rule_count; i++)
		assert_true(actual->rules[i].priority < TUYEN_RULE_REPAIR);
	kernel_state_free(actual);
	forwarding_clear(&f);
}

/* Around a link, a route's MTU is cut to what the repair's own first hop takes: that is no measurement, and hides none. */
static void a_repair_says_nothing_of_the_size_that_was_measured(void **state)
{
	static const struct {
		uint16_t lsp_hub, lsp_hai_phong, path, measured;
	} rows[] = {{1420, 1420, 1412, 0},    {1420, 1420, 1412, 1300}, {1420, 1360, 1412, 0},
		    {1420, 1360, 1412, 1300}, {1404, 1440, 1402, 0},	{1404, 1440, 1400, 0},
		    {1404, 1440, 1400, 1398}};
	const enum repair_link hub[NEIGHBORS] = {[HUB] = REPAIR_LINK_DOWN};
	const struct node_keys keys = {.link = {1}, .session = {2}};
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	f.paths[0].repair.out.label[1] = f.paths[0].repair.out.label[0];
	f.paths[0].repair.out.depth = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct active_paths used = active, got;
		struct kernel_state *actual;

		f.neighbors[HUB].lsp_mtu = rows[i].lsp_hub;
		f.neighbors[HAI_PHONG].lsp_mtu = rows[i].lsp_hai_phong;
		f.paths[0].mtu = rows[i].path;
		used.entry[0].mtu = rows[i].measured;
		for (int around = 0; around < 2; around++) {
			assert_int_equal(desired_build_repaired(&f, &keys, &used,
								around ? hub : NULL, NULL, &actual),
					 0);
			desired_active_read(&f, actual, &got);
			assert_int_equal(got.count, 1);
			if (got.entry[0].mtu != rows[i].measured)
				fail_msg("row %zu, %d: %u", i, around, got.entry[0].mtu);
			kernel_state_free(actual);
		}
	}
	forwarding_clear(&f);
}

/* The same of what a fall of either link may change, and of how much does; all go around by Hai Phong. */
static void each_kind_of_route_counts(void **state)
{
	static const struct {
		size_t labels, returns, paths, hub, district;
	} rows[] = {
	    {3, 1, 1, 2, 2}, {3, 0, 0, 1, 1}, {0, 1, 0, 0, 1}, {0, 0, 1, 1, 0}, {0, 0, 0, 0, 0}};
	const enum repair_link both[NEIGHBORS] = {[HUB] = DOWN, [BA_DINH] = HELD};
	struct forwarding f;

	(void)state;
	bundle_read(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct forwarding part = f;

		part.label_count = rows[i].labels;
		part.return_count = rows[i].returns;
		part.path_count = rows[i].paths;
		assert_int_equal(repair_count(&part, both, 1), rows[i].hub);
		assert_int_equal(repair_count(&part, both, 210), rows[i].district);
		assert_int_equal(repair_there(&part, 1), rows[i].hub > 0);
		assert_int_equal(repair_there(&part, 210), rows[i].district > 0);
		assert_false(repair_there(&part, 102));
		assert_int_equal(repair_matters(&part, 1), rows[i].hub > 0);
		assert_int_equal(repair_matters(&part, 210), rows[i].district > 0);
		assert_int_equal(repair_matters(&part, 102), rows[i].hub + rows[i].district > 0);
		assert_false(repair_matters(&part, 999));
	}
	forwarding_clear(&f);
}

#define AT(us) ((struct monotime){us})

static void links_go_down_at_once_and_back_after_a_while(void **state)
{
	struct monotime next = MONOTIME_NEVER, up = AT(20000000);

	(void)state;
	assert_int_equal(repair_step(REPAIR_LINK_USED, PATH_DOWN, AT(0), AT(0), AT(1), &next),
			 REPAIR_LINK_DOWN);
	assert_int_equal(repair_step(REPAIR_LINK_HELD, PATH_DOWN, AT(0), AT(0), AT(1), &next),
			 REPAIR_LINK_DOWN);
	assert_int_equal(repair_step(REPAIR_LINK_USED, PATH_UNKNOWN, AT(0), AT(0), AT(1), &next),
			 REPAIR_LINK_USED);
	assert_int_equal(repair_step(REPAIR_LINK_DOWN, PATH_UNKNOWN, AT(0), AT(0), AT(1), &next),
			 REPAIR_LINK_DOWN);
	assert_int_equal(repair_step(REPAIR_LINK_USED, PATH_UP, up, AT(0), up, &next),
			 REPAIR_LINK_USED);
	assert_int_equal(next.us, UINT64_MAX);
	assert_int_equal(repair_step(REPAIR_LINK_DOWN, PATH_UP, up, AT(0),
				     AT(up.us + REPAIR_HOLD_US - 1), &next),
			 REPAIR_LINK_HELD);
	assert_int_equal(next.us, up.us + REPAIR_HOLD_US);
	assert_int_equal(
	    repair_step(REPAIR_LINK_HELD, PATH_UP, up, AT(0), AT(up.us + REPAIR_HOLD_US), &next),
	    REPAIR_LINK_USED);
	next = MONOTIME_NEVER; /* one that fails often waits longer */
	assert_int_equal(
	    repair_step(REPAIR_LINK_HELD, PATH_UP, up, AT(30000000), AT(29999999), &next),
	    REPAIR_LINK_HELD);
	assert_int_equal(next.us, 30000000);
	assert_int_equal(
	    repair_step(REPAIR_LINK_HELD, PATH_UP, up, AT(30000000), AT(30000000), &next),
	    REPAIR_LINK_USED);
	assert_int_equal(
	    repair_step(REPAIR_LINK_USED, PATH_UP, up, AT(30000000), AT(20000000), &next),
	    REPAIR_LINK_USED);
}

static void what_bfd_says_of_a_link(void **state)
{
	static const struct {
		enum bfd_state state;
		uint32_t by_intent;
		enum bfd_diagnostic diagnostic;
		uint64_t age_us;
		enum path_liveness want;
		bool later; /* time alone will change it */
		uint64_t grace_us;
	} rows[] = {
	    {BFD_STATE_UP, 0, BFD_DIAG_NONE, 0, PATH_UP, false, REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_DETECTION_EXPIRED, 0, PATH_DOWN, false,
	     REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_NEIGHBOR_DOWN, 0, PATH_DOWN, false, REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 1, BFD_DIAG_NEIGHBOR_DOWN, 0, PATH_UNKNOWN, false, REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 1, BFD_DIAG_NEIGHBOR_DOWN, 60000000, PATH_UNKNOWN, false,
	     REPAIR_NEVER_UP_US},
	    {BFD_STATE_INIT, 0, BFD_DIAG_NEIGHBOR_DOWN, 0, PATH_UNKNOWN, true, REPAIR_NEVER_UP_US},
	    {BFD_STATE_INIT, 0, BFD_DIAG_NEIGHBOR_DOWN, REPAIR_NEVER_UP_US, PATH_DOWN, false,
	     REPAIR_NEVER_UP_US},
	    {BFD_STATE_ADMIN_DOWN, 0, BFD_DIAG_ADMIN_DOWN, 0, PATH_UNKNOWN, false,
	     REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_NONE, 0, PATH_UNKNOWN, true, REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_NONE, REPAIR_NEVER_UP_US, PATH_DOWN, false,
	     REPAIR_NEVER_UP_US},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_NONE, 1149999, PATH_UNKNOWN, true, 1150000},
	    {BFD_STATE_DOWN, 0, BFD_DIAG_NONE, 1150000, PATH_DOWN, false, 1150000},
	    {BFD_STATE_INIT, 0, BFD_DIAG_NONE, 1150000, PATH_DOWN, false, 1150000},
	    {BFD_STATE_DOWN, 1, BFD_DIAG_NEIGHBOR_DOWN, 1150000, PATH_UNKNOWN, false, 1150000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_liveness l = {.state = rows[i].state,
					     .by_intent = rows[i].by_intent,
					     .diagnostic = rows[i].diagnostic};
		struct monotime next = MONOTIME_NEVER;

		assert_int_equal(repair_link_liveness(&l, AT(100), rows[i].grace_us,
						      AT(100 + rows[i].age_us), &next),
				 rows[i].want);
		assert_int_equal(next.us != UINT64_MAX, rows[i].later);
	}
}

static void how_long_what_served_may_be_silent(void **state)
{
	static const struct {
		struct probe_timers probe;
		uint64_t want_us;
	} rows[] = {
	    {{50000, 3}, 1150000}, /* the second packet, and a detection time */
	    {{50000, 6}, 1300000}, /* of a path that waits for a repair */
	    {{300000, 3}, 1900000},
	    {{1000000, 3}, REPAIR_NEVER_UP_US}, /* never longer than what was never up */
	    {{2000000, 1}, REPAIR_NEVER_UP_US},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(repair_served_us(&rows[i].probe), rows[i].want_us);
}

static const struct {
	const char *old, *new, *why;
} refused[] = {
    {"repair 102 out 86001\nlabel 16101", "repair 1 out 86001\nlabel 16101",
     "its repair leads to no other neighbor"},
    {"repair 102 out 86001\nlabel 16101", "repair 103 out 86001\nlabel 16101",
     "its repair leads to no other neighbor"},
    {"repair 102 out 86001\nlabel 16101", "repair 102 out -\nlabel 16101",
     "a label stack is wrong"},
    {"repair 102 out 86001\nlabel 16101", "repair 102\nlabel 16101", "'out' is missing"},
    {"repair 102 out 86001\nlabel 16101", "repair 0 out 86001\nlabel 16101", "out of bounds"},
    {"repair 102 out 86001\nlabel 16101", "repair 102 out 86001 \nlabel 16101", "canonical"},
    {"16101 here", "16101 here repair 102 out 86001", "canonical"},
    {"86210/16901\npath", "86210/16901\nlabel 86101 to 1 out 86101\npath", "ours alone"},
    {"reflector 1 repair 102", "reflector 1 repair 1", "its repair leads to no other neighbor"},
    {"mtu 1412 repair 102 out 86210/16901\nsession", "mtu 1412 repair 210 out 86210/16901\nsession",
     "its repair leads to no other neighbor"},
};

static void unlawful_repairs_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *at = strstr(bundle, refused[i].old);
		struct reason reason = {.text = ""};
		struct forwarding f;
		struct text t;

		assert_non_null(at);
		text_init(&t);
		text_add_bytes(&t, bundle, (size_t)(at - bundle));
		text_add(&t, refused[i].new);
		text_add(&t, at + strlen(refused[i].old));
		if (forwarding_parse(t.bytes, t.length, &f, &reason) == 0 ||
		    !strstr(reason.text, refused[i].why))
			fail_msg("%s: %s", refused[i].new, reason.text);
		text_clear(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_link_that_is_down_changes_what_goes_over_it),
	    cmocka_unit_test(a_repair_needs_its_own_link),
	    cmocka_unit_test(one_links_routes_are_part_of_the_whole),
	    cmocka_unit_test(ways_back_move_by_one_rule),
	    cmocka_unit_test(a_rule_without_a_repair_is_none),
	    cmocka_unit_test(an_upgraded_daemon_reads_the_old_form),
	    cmocka_unit_test(a_restarted_daemon_reads_repairs_back),
	    cmocka_unit_test(a_repair_says_nothing_of_the_size_that_was_measured),
	    cmocka_unit_test(half_of_a_repair_is_none),
	    cmocka_unit_test(what_has_no_repair_is_not_counted),
	    cmocka_unit_test(each_kind_of_route_counts),
	    cmocka_unit_test(links_go_down_at_once_and_back_after_a_while),
	    cmocka_unit_test(what_bfd_says_of_a_link),
	    cmocka_unit_test(how_long_what_served_may_be_silent),
	    cmocka_unit_test(unlawful_repairs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
