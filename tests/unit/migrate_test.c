/* SPDX-License-Identifier: Apache-2.0 */
// link: policies/migrate.c policies/migrate_flow.c policies/migrate_walk.c policies/migrate_plan.c policies/migrate_topology.c
// link: policies/migrate_policy.c policies/migrate_report.c policies/diff.c
// link: policies/check.c policies/check_topology.c policies/check_policy.c policies/check_rule.c policies/check_use.c policies/check_overlap.c
// link: policies/check_plan.c policies/print.c policies/print_canonical.c policies/lexer.c policies/syntax.c
// link: policies/names.c policies/merkle.c gen/grammar.c
// link: policies/audit.c policies/audit_finding.c policies/audit_site.c policies/audit_peer.c policies/audit_part.c policies/audit_flow.c
// link: policies/audit_walk.c policies/audit_expect.c policies/audit_failure.c policies/audit_queue.c
// link: policies/compile.c policies/compile_array.c policies/compile_divide.c policies/compile_part.c policies/compile_classes.c policies/compile_graph.c policies/compile_way.c
// link: policies/compile_site.c policies/compile_repair.c policies/expect.c
// link: topology/network.c topology/labels.c topology/mtu.c topology/spf.c topology/forwarding.c
// link: topology/forwarding_codec.c
// link: daemon/base/err.c daemon/base/ip.c daemon/base/text.c daemon/base/encode.c daemon/base/diag.c
// libs: -lcrypto
/*
 * Two small countries, three tiers and two, and the stages between them. That each stage holds is
 * asked of the proof, and of the audit too: it walks the states of nodes that took their release,
 * or did not, by the throw of a coin. Then faults are planted between two stages, each of which
 * must be found, at its site.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policies/migrate_internal.h"
#include "tuyen/policies/audit.h"
#include "tuyen/policies/check.h"
#include "tuyen/policies/compile.h"
#include "tuyen/policies/migrate_report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* South becomes a part of north; an is now where be was; gia is new, dat goes. */
static const char old_text[] =
    "tiers npdc, province, district, commune;\n"
    "underlay fibre { probe 1s x 3; metric 10; }\n"
    "underlay lte { mtu 1428; metric 50; rate up 1500kbit/s down 10Mbit/s; dscp high ef, low 8; }\n"
    "site hub tier npdc id 1 { uplink fibre 203.0.113.1; uplink lte 203.0.113.101; lan 10.0.0.0/24; }\n"
    "site hub-2 tier npdc id 2 { uplink fibre 203.0.113.2; lan 10.0.1.0/24; }\n"
    "link hub hub-2;\n"
    "site north tier province id 11 under hub backup hub-2 { uplink fibre 203.0.113.11; uplink lte 203.0.113.111; lan 10.1.0.0/24; }\n"
    "site south tier province id 12 under hub-2 backup hub { uplink fibre 203.0.113.12; lan 10.2.0.0/24; }\n"
    "site west tier province id 13 under hub-2 backup hub { uplink fibre 203.0.113.13; lan 10.3.0.0/24; }\n"
    "site n1 tier district id 21 under north backup south { uplink fibre 203.0.113.21; lan 10.1.1.0/24; }\n"
    "site n2 tier district id 22 under north backup south { uplink fibre 203.0.113.22; lan 10.1.2.0/24; }\n"
    "site s1 tier district id 23 under south backup north { uplink fibre 203.0.113.23; lan 10.2.1.0/24; }\n"
    "site be tier commune id 31 under n1 backup n2 { uplink fibre dynamic; lan 10.1.3.0/24; tag rural; }\n"
    "site ba tier commune id 32 under n2 backup n1 { uplink fibre dynamic; uplink lte dynamic metered 500MB/day;\n"
    "  lan 10.1.4.0/24; device modem 192.168.1.1 { snmp user poller; interface \"wan \\\"0\\\"\"; carries lte; } }\n"
    "site dat tier commune id 33 under s1 backup n1 { uplink fibre dynamic; lan 10.2.2.0/24; }\n"
    "site giang tier commune id 34 under west backup south { uplink fibre dynamic risk duct; lan 10.3.1.0/24; }\n"
    "site tay tier commune id 35 under west { uplink fibre dynamic risk duct; lan 10.3.2.0/24; }\n";

static const char old_policy[] =
    "class query { to port tcp 443; }\n"
    "class alarm { to port udp 162; }\n"
    "policy queries color 10 {\n"
    "  from all except tier npdc; to tier npdc; carry query;\n"
    "  path main preference 200 via parent max labels 6; path spare preference 100 via backup disjoint main;\n"
    "  encrypt end-to-end;\n"
    "}\n"
    "policy alarms color 20 {\n"
    "  from tier commune; to hub; carry alarm;\n"
    "  path main preference 200 via parent; path spare preference 199 via backup disjoint main from all;\n"
    "  path any preference 50 via shortest;\n"
    "  encrypt end-to-end;\n"
    "}\n"
    "expect tier commune except tay reaches hub with query after any single link failure;\n"
    "expect tier commune never reaches tier commune;\n";

static const char new_text[] =
    "tiers npdc, province, commune;\n"
    "underlay fibre { probe 1s x 3; metric 10; }\n"
    "underlay lte { mtu 1428; metric 50; rate up 1500kbit/s down 10Mbit/s; dscp high ef, low 8; }\n"
    "site hub tier npdc id 1 { uplink fibre 203.0.113.1; uplink lte 203.0.113.101; lan 10.0.0.0/24; }\n"
    "site hub-2 tier npdc id 2 { uplink fibre 203.0.113.2; lan 10.0.1.0/24; }\n"
    "link hub hub-2;\n"
    "site greater-north tier province id 11 under hub backup hub-2 { uplink fibre 203.0.113.11; uplink lte 203.0.113.111; lan 10.1.0.0/24; }\n"
    "site west tier province id 13 under hub-2 backup hub { uplink fibre 203.0.113.13; lan 10.3.0.0/24; }\n"
    "site an tier commune id 31 under greater-north backup west { uplink fibre dynamic; lan 10.1.77.0/24; tag rural; }\n"
    "site ba tier commune id 32 under greater-north backup west { uplink fibre dynamic; uplink lte dynamic metered 500MB/day; lan 10.1.4.0/24; }\n"
    "site gia tier commune id 36 under west backup greater-north { uplink fibre dynamic; lan 10.2.2.0/24; }\n"
    "site giang tier commune id 34 under west backup greater-north { uplink fibre dynamic; lan 10.3.1.0/24; }\n"
    "site tay tier commune id 35 under west { uplink fibre dynamic; lan 10.3.2.0/24; }\n";

static const char new_policy[] =
    "class query { to port tcp 443; }\n"
    "class alarm { to port udp 162; }\n"
    "policy queries color 10 {\n"
    "  from tier province, commune; to tier npdc; carry query;\n"
    "  path main preference 200 via parent; path spare preference 100 via backup disjoint main;\n"
    "  encrypt end-to-end;\n"
    "}\n"
    "policy alarms color 20 {\n"
    "  from tier commune; to hub; carry alarm;\n"
    "  path main preference 200 via parent; path spare preference 100 via backup disjoint main;\n"
    "  encrypt end-to-end;\n"
    "}\n";

/* ---- a country from sources ----------------------------------------------------------------- */

struct country {
	struct syntax_file *files[2];
	struct diag_list diags;
	struct network n;
	struct forwarding *site;
	size_t count;
};

static void country_read(struct country *c, const char *topology, const char *policy)
{
	const char *texts[2] = {topology, policy};
	struct text t = {0};

	*c = (struct country){0};
	diag_list_init(&c->diags);
	for (int i = 0; i < 2; i++)
		assert_int_equal(syntax_parse(i ? "policy" : "topology", texts[i], strlen(texts[i]),
					      &c->diags, &c->files[i]),
				 0);
	if (c->diags.error_count ||
	    check_network((const struct syntax_file *const *)c->files, 2, 0, &c->diags, &c->n)) {
		diag_list_print(&c->diags, &t);
		fail_msg("%s", text_string(&t));
	}
}

static void country_compile(struct country *c)
{
	struct compile_result *r;

	for (uint32_t i = 0; i < c->n.site_count; i++) { /* keys by id: who stays has the same */
		struct site *s = &c->n.sites[i];

		s->has_keys = true;
		snprintf((char *)s->link_key, WG_KEY_LEN, "link%u", s->id);
		snprintf((char *)s->session_key, WG_KEY_LEN, "session%u", s->id);
	}
	if (compile_network(&c->n, COMPILE_NEED_KEYS, &r))
		fail_msg("%s", r ? compile_problem(r, 0)->text : "no memory");
	c->count = c->n.site_count;
	c->site = calloc(c->count, sizeof(*c->site));
	for (uint32_t i = 0; i < c->count; i++)
		assert_int_equal(compile_site(r, i, &c->site[i]), 0);
	compile_free(r);
}

static void country_clear(struct country *c)
{
	for (size_t i = 0; i < c->count; i++)
		forwarding_clear(&c->site[i]);
	free(c->site);
	network_clear(&c->n);
	diag_list_clear(&c->diags);
	syntax_file_free(c->files[0]);
	syntax_file_free(c->files[1]);
}

static struct diff_side side_of(const struct country *c)
{
	return (struct diff_side){c->site, c->count};
}

static struct forwarding *site_of(struct country *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->site[i].site, name))
			return &c->site[i];
	fail_msg("no site %s", name);
	return NULL;
}

/* Old, the stages: places in an array. */
struct journey {
	struct country old, new;
	struct migrate_plan *plan;
	struct country at[1 + MIGRATE_STAGES];
	struct text text[MIGRATE_STAGES][2];
	int stages;
};

/* Topology, policy. */
struct sources {
	const char *old[2], *new[2];
};

static void journey_make_of(struct journey *j, const struct sources *of, enum migrate_same same,
			    enum migrate_care care)
{
	struct migrate_country a, b;
	struct reason reason = {0};

	memset(j, 0, sizeof(*j));
	country_read(&j->old, of->old[0], of->old[1]);
	country_read(&j->new, of->new[0], of->new[1]);
	a = (struct migrate_country){&j->old.n, (const struct syntax_file *const *)j->old.files, 2};
	b = (struct migrate_country){&j->new.n, (const struct syntax_file *const *)j->new.files, 2};
	if (migrate_plan_new(&a, &b, same, &j->plan, &reason))
		fail_msg("%s", reason.text);
	migrate_plan_care(j->plan, care);
	country_read(&j->at[0], of->old[0], of->old[1]);
	country_compile(&j->at[0]);
	for (int s = 0, k; s < MIGRATE_STAGES; s++) {
		if (!migrate_plan_has(j->plan, (enum migrate_stage)s))
			continue;
		k = j->stages++;
		assert_int_equal(migrate_plan_number(j->plan, (enum migrate_stage)s), k + 1);
		if (migrate_plan_stage(j->plan, (enum migrate_stage)s, &j->text[k][0],
				       &j->text[k][1], &reason))
			fail_msg("%s", reason.text);
		country_read(&j->at[k + 1], text_string(&j->text[k][0]),
			     text_string(&j->text[k][1]));
		country_compile(&j->at[k + 1]);
	}
}

static void journey_make(struct journey *j, enum migrate_same same)
{
	static const struct sources of = {{old_text, old_policy}, {new_text, new_policy}};

	journey_make_of(j, &of, same, MIGRATE_CARE_NONE);
}

static void journey_clear(struct journey *j)
{
	migrate_plan_free(j->plan);
	country_clear(&j->old);
	country_clear(&j->new);
	for (int s = 0; s <= j->stages; s++)
		country_clear(&j->at[s]);
	for (int s = 0; s < j->stages; s++) {
		text_clear(&j->text[s][0]);
		text_clear(&j->text[s][1]);
	}
}

/* ---- the plan --------------------------------------------------------------------------------- */

static void test_plan(void **state)
{
	struct journey j;
	struct migrate_plan_counts c;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	c = migrate_plan_counts(j.plan);
	assert_int_equal(c.sites_kept, 8);
	assert_int_equal(c.sites_gained, 1);
	assert_int_equal(c.sites_lost, 5);
	assert_int_equal(c.moving, 2);
	assert_int_equal(c.renamed, 2);
	assert_int_equal(c.other_lan, 1);
	assert_int_equal(c.new_lan, 1);
	assert_int_equal(c.other_id + c.new_id, 0);
	/* the last stage is the new country, with what sites keep */
	assert_int_equal(j.at[4].count, j.new.n.site_count);
	assert_int_equal(j.at[4].n.tier_count, 3);
	assert_int_equal(site_of(&j.at[4], "an")->lans[0].address, 0x0a010300);
	assert_int_not_equal(site_of(&j.at[4], "gia")->lans[0].address, 0x0a020200);
	assert_non_null(strstr(text_string(&j.text[0][0]), "prepared;"));
	assert_null(strstr(text_string(&j.text[0][0]), "fresh;"));
	assert_non_null(strstr(text_string(&j.text[1][0]), "fresh;"));
	assert_non_null(strstr(text_string(&j.text[1][0]), "rate up 1500kbit/s down 10Mbit/s;"));
	assert_non_null(strstr(text_string(&j.text[1][0]), "dscp low 8, normal"));
	assert_non_null(strstr(text_string(&j.text[1][0]), "interface \"wan \\\"0\\\"\";"));
	assert_non_null(
	    strstr(text_string(&j.text[1][1]),
		   "path move preference 199 via backup max labels 6 from tag moving;"));
	assert_non_null(strstr(text_string(&j.text[1][1]),
			       "via backup disjoint main from all except tag moving;"));
	assert_non_null(strstr(text_string(&j.text[1][1]),
			       "tier commune except tay except tag moving reaches hub"));
	assert_null(strstr(text_string(&j.text[3][0]), "moving"));
	journey_clear(&j);
}

static struct migrate_plan *plan_of(struct country *a, struct country *b, enum migrate_same same,
				    int *ret_err, struct reason *reason)
{
	struct migrate_country x = {&a->n, (const struct syntax_file *const *)a->files, 2};
	struct migrate_country y = {&b->n, (const struct syntax_file *const *)b->files, 2};
	struct migrate_plan *plan = NULL;

	*ret_err = migrate_plan_new(&x, &y, same, &plan, reason);
	return plan;
}

static void test_same(void **state)
{
	struct country a, b;
	struct migrate_plan *plan;
	struct reason reason = {0};
	int err;

	(void)state;
	country_read(&a, old_text, old_policy);
	country_read(&b, new_text, new_policy);
	plan = plan_of(&a, &b, MIGRATE_SAME_KEYS_OR_NAME, &err, &reason); /* there are no keys */
	assert_int_equal(err, 0);
	assert_int_equal(migrate_plan_counts(plan).sites_kept, 6);
	/* greater-north and an, with others' ids, are new: they get their own */
	assert_int_equal(migrate_plan_counts(plan).new_id, 2);
	assert_int_equal(migrate_plan_counts(plan).sites_gained, 3);
	migrate_plan_free(plan);
	for (size_t i = 0; i < b.n.site_count; i++) {
		b.n.sites[i].has_keys = a.n.sites[i].has_keys = true;
		snprintf((char *)a.n.sites[i].link_key, WG_KEY_LEN, "key %zu", i);
		snprintf((char *)b.n.sites[i].link_key, WG_KEY_LEN, "key %zu", i + 3);
	}
	plan = plan_of(&a, &b, MIGRATE_SAME_KEYS_OR_NAME, &err, &reason);
	assert_int_equal(migrate_plan_counts(plan).sites_kept, b.n.site_count - 3);
	assert_int_equal(migrate_plan_counts(plan).renamed, b.n.site_count - 3);
	migrate_plan_free(plan);
	country_clear(&a);
	country_clear(&b);
}

static void test_strangers(void **state)
{
	struct country a, b;
	struct reason reason = {0};
	int err;

	(void)state;
	country_read(&a, old_text, old_policy);
	country_read(&b, new_text, new_policy);
	assert_null(plan_of(&a, &b, MIGRATE_SAME_KEYS, &err, &reason));
	assert_int_equal(err, -TUYEN_EINVAL);
	assert_non_null(strstr(reason.text, "no site of the new country"));
	country_clear(&a);
	country_clear(&b);
}

/* ---- each stage holds --------------------------------------------------------------------------- */

static struct migrate_proof *prove(const struct country *a, const struct country *b, unsigned flags)
{
	struct migrate_proof *p;

	assert_int_equal(migrate_prove(side_of(a), side_of(b), flags, &p), 0);
	return p;
}

static void test_stages_hold(void **state)
{
	static const struct {
		size_t switched, gained, lost;
	} want[] = {{0, 1, 0}, {0, 0, 0}, {2, 0, 0}, {0, 0, 5}};
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	assert_int_equal(j.stages, COUNT(want));
	for (int s = 0; s < j.stages; s++) {
		struct migrate_proof *p =
		    prove(&j.at[s], &j.at[s + 1], s + 1 == j.stages ? MIGRATE_POLICY_CHANGES : 0);
		struct migrate_counts c = migrate_counts(p);

		if (migrate_findings_total(p))
			fail_msg("stage %d: %s", s + 1, migrate_finding(p, 0)->text);
		assert_int_equal(c.sites_switched, want[s].switched);
		assert_int_equal(c.sites_gained, want[s].gained);
		assert_int_equal(c.sites_lost, want[s].lost);
		assert_true(c.sessions_kept && c.paths_walked && c.stacks_walked);
		migrate_proof_free(p);
	}
	journey_clear(&j);
}

static void journey_is_clean(const struct journey *j)
{
	for (int s = 0; s <= j->stages; s++) {
		struct audit *a;

		assert_int_equal(audit_new(&j->at[s].n, j->at[s].site, j->at[s].count, &a), 0);
		assert_int_equal(audit_prove(a), 0);
		if (audit_findings_total(a))
			fail_msg("stage %d: %s", s, audit_finding(a, 0)->text);
		audit_free(a);
	}
}

static void test_stages_clean(void **state)
{
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	journey_is_clean(&j);
	journey_clear(&j);
}

/* Another judge: nodes took the release or did not, by a coin, and the audit walks what there is. */
static const struct forwarding *either(const struct country *b, const struct forwarding *f)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->site[i].site_id == f->site_id)
			return &b->site[i];
	return f;
}

static size_t sessions_dead(const struct audit *a, const struct country *old,
			    const struct country *b)
{
	size_t dead = 0;

	for (size_t i = 0; i < audit_session_count(a); i++) {
		const struct audit_session *s = audit_session(a, i);
		const struct forwarding *head = NULL;

		for (size_t k = 0; k < old->count; k++)
			if (old->site[k].site_id == old->n.sites[s->head].id)
				head = &old->site[k];
		dead += head && either(b, head) != head && !s->path_count;
	}
	return dead;
}

static size_t coins_dead(const struct country *a, const struct country *b, unsigned rounds)
{
	struct forwarding *mixed = calloc(a->count, sizeof(*mixed));
	uint64_t coin = 1;
	size_t dead = 0;

	for (unsigned round = 0; round < rounds; round++) {
		struct audit *audit;

		for (size_t i = 0; i < a->count; i++) {
			coin = coin * 6364136223846793005u + 1442695040888963407u;
			mixed[i] = coin >> 63 ? *either(b, &a->site[i]) : a->site[i];
		}
		assert_int_equal(audit_new(&a->n, mixed, a->count, &audit), 0);
		assert_int_equal(audit_prove(audit), 0);
		dead += sessions_dead(audit, a, b);
		audit_free(audit);
	}
	free(mixed);
	return dead;
}

static void test_coins(void **state)
{
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	for (int s = 0; s < j.stages; s++)
		assert_int_equal(coins_dead(&j.at[s], &j.at[s + 1], 40), 0);
	/* and the coins are no idle judge */
	assert_true(coins_dead(&j.at[0], &j.at[3], 40) > 0);
	journey_clear(&j);
}

/* ---- below one grandparent ------------------------------------------------------------------------ */

#define NEAR_TOP                                                                                   \
	"tiers npdc, province, district, commune;\n"                                               \
	"underlay fibre { }\n"                                                                     \
	"site hub tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/16; }\n"                 \
	"site p tier province id 2 under hub { uplink fibre 203.0.113.2; }\n"                      \
	"site q tier province id 3 under hub { uplink fibre 203.0.113.3; }\n"                      \
	"link p q;\n"
#define NEAR_POLICY                                                                                \
	"class web { to port tcp 443; }\n"                                                         \
	"policy web color 10 { from tier commune; to tier npdc; carry web; encrypt end-to-end;\n"  \
	"  path main preference 200 via parent; path spare preference 100 via backup disjoint main; }\n"

/* one: to the next district. two: parent and backup change places. three: stays, below a district that goes elsewhere. */
static const struct sources near_by = {
    {NEAR_TOP
     "site d1 tier district id 11 under p backup q { uplink fibre 203.0.113.11; }\n"
     "site d2 tier district id 12 under p backup q { uplink fibre 203.0.113.12; }\n"
     "site d3 tier district id 13 under p backup q { uplink fibre 203.0.113.13; }\n"
     "site one tier commune id 101 under d1 { uplink fibre dynamic; lan 10.1.1.0/24; }\n"
     "site two tier commune id 102 under d2 backup d1 { uplink fibre dynamic; lan 10.1.2.0/24; }\n"
     "site three tier commune id 103 under d3 backup d1 { uplink fibre dynamic; lan 10.1.3.0/24; }\n",
     NEAR_POLICY},
    {NEAR_TOP
     "site d1 tier district id 11 under p backup q { uplink fibre 203.0.113.11; }\n"
     "site d2 tier district id 12 under p backup q { uplink fibre 203.0.113.12; }\n"
     "site d3 tier district id 13 under q backup p { uplink fibre 203.0.113.13; }\n"
     "site one tier commune id 101 under d2 { uplink fibre dynamic; lan 10.1.1.0/24; }\n"
     "site two tier commune id 102 under d1 backup d2 { uplink fibre dynamic; lan 10.1.2.0/24; }\n"
     "site three tier commune id 103 under d3 backup d1 { uplink fibre dynamic; lan 10.1.3.0/24; }\n",
     NEAR_POLICY},
};

static size_t journey_findings(const struct journey *j, char first[static 400])
{
	size_t total = 0;

	for (int s = 0; s < j->stages; s++) {
		struct migrate_proof *p = prove(&j->at[s], &j->at[s + 1],
						s + 1 == j->stages ? MIGRATE_POLICY_CHANGES : 0);

		if (migrate_findings_total(p) && !total)
			snprintf(first, 400, "stage %d: %s", s + 1, migrate_finding(p, 0)->text);
		total += migrate_findings_total(p);
		migrate_proof_free(p);
	}
	return total;
}

static void test_near_by(void **state)
{
	struct journey j;
	char first[400] = "";

	(void)state;
	journey_make_of(&j, &near_by, MIGRATE_SAME_ID, MIGRATE_CARE_NONE);
	assert_int_equal(j.stages, 4);
	assert_true(journey_findings(&j, first) > 0);
	journey_clear(&j);

	journey_make_of(&j, &near_by, MIGRATE_SAME_ID, MIGRATE_CARE_NEARER);
	assert_int_equal(j.stages, 5);
	assert_int_equal(migrate_plan_counts(j.plan).moving, 3);
	if (journey_findings(&j, first))
		fail_msg("%s", first);
	journey_is_clean(&j);
	for (int s = 0; s < j.stages; s++)
		assert_int_equal(coins_dead(&j.at[s], &j.at[s + 1], 40), 0);
	assert_true(coins_dead(&j.at[2], &j.at[5], 40) > 0);
	journey_clear(&j);
}

/* ---- stages left out ------------------------------------------------------------------------------ */

static void test_leap(void **state)
{
	static const struct {
		int from, to;
		enum migrate_kind kind;
	} leaps[] = {
	    {0, 2, MIGRATE_BREAK}, /* used before it is prepared */
	    {0, 3, MIGRATE_BREAK}, {0, 4, MIGRATE_BREAK},
	    {1, 3, MIGRATE_BREAK}, /* prepared, and used without being fresh */
	    {2, 4, MIGRATE_BREAK}, /* broken before all have moved */
	    {4, 2, MIGRATE_BREAK}, /* back the same way */
	};
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	for (size_t i = 0; i < COUNT(leaps); i++) {
		struct migrate_proof *p =
		    prove(&j.at[leaps[i].from], &j.at[leaps[i].to], MIGRATE_POLICY_CHANGES);

		if (!migrate_findings_of_kind(p, leaps[i].kind))
			fail_msg("from %d to %d: nothing found", leaps[i].from, leaps[i].to);
		migrate_proof_free(p);
	}
	journey_clear(&j);
}

/* ---- planted faults -------------------------------------------------------------------------------- */

struct pair {
	struct country *a, *b;
};

static struct fwd_neighbor *neighbor(struct forwarding *f, uint32_t id)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		if (f->neighbors[i].site_id == id)
			return &f->neighbors[i];
	fail_msg("'%s' has no neighbour %u", f->site, id);
	return NULL;
}

static struct fwd_path *top_path(struct forwarding *f, uint32_t color)
{
	struct fwd_path *best = NULL;

	for (size_t i = 0; i < f->path_count; i++)
		if (f->paths[i].color == color &&
		    (!best || f->paths[i].preference > best->preference))
			best = &f->paths[i];
	assert_non_null(best);
	return best;
}

static void no_filter_entry(struct pair p)
{
	neighbor(site_of(p.b, "north"), 1)->accept_count = 0;
}

static void no_label(struct pair p)
{
	site_of(p.b, "north")->label_count = 0;
}

static void round_and_round(struct pair p)
{
	struct forwarding *f = site_of(p.b, "west");

	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].in_label == 16035)
			f->labels[i].next_site = 2;
}

static void link_forgotten(struct pair p)
{
	struct forwarding *f = site_of(p.b, "tay");

	while (f->neighbor_count)
		free(f->neighbors[--f->neighbor_count].accept);
}

static void no_return(struct pair p)
{
	struct forwarding *f = site_of(p.b, "hub-2");
	size_t kept = 0;

	for (size_t i = 0; i < f->return_count; i++)
		if (f->returns[i].site_id != 35)
			f->returns[kept++] = f->returns[i];
	f->return_count = kept;
}

static void path_replaced(struct pair p)
{
	struct forwarding *f = site_of(p.b, "tay");

	for (size_t i = 0; i < f->path_count; i++)
		f->paths[i].stack.label[0] = 16013;
}

static void path_gone(struct pair p)
{
	site_of(p.b, "tay")->path_count = 0;
}

/* Of two ways that both stand, one is preferred that not every mixture carries. */
static void hasty(struct pair p)
{
	struct forwarding *hub = site_of(p.a, "hub");
	size_t kept = 0;
	ipv4_t source = top_path(site_of(p.b, "be"), 20)->source;

	for (size_t i = 0; i < hub->return_count; i++)
		if (hub->returns[i].destination != source)
			hub->returns[kept++] = hub->returns[i];
	hub->return_count = kept;
	neighbor(site_of(p.b, "north"), 31)->accept_count = 0;
}

static void other_key(struct pair p)
{
	for (size_t i = 0; i < p.b->count; i++)
		for (size_t k = 0; k < p.b->site[i].neighbor_count; k++)
			if (p.b->site[i].neighbors[k].site_id == 13)
				p.b->site[i].neighbors[k].link_key[0] ^= 1;
}

static void other_address(struct pair p)
{
	site_of(p.b, "west")->node_address++;
}

static void other_site(struct pair p)
{
	struct forwarding *f = site_of(p.b, "tay");

	snprintf(f->site, sizeof(f->site), "other");
	f->link_address++;
}

static void both_call(struct pair p)
{
	neighbor(site_of(p.b, "tay"), 13)->caller = false;
	neighbor(site_of(p.b, "west"), 35)->caller = true;
}

static void carrier_moves(struct pair p)
{
	neighbor(site_of(p.b, "tay"), 13)->endpoint.address[3]++;
}

static void lan_moves(struct pair p)
{
	site_of(p.b, "giang")->lans[0] = site_of(p.a, "tay")->lans[0];
}

static void other_port(struct pair p)
{
	site_of(p.b, "hub-2")->sessions[0].listen_port++;
}

static void other_session_key(struct pair p)
{
	site_of(p.b, "hub-2")->peers[0].session_key[0] ^= 1;
}

static void too_big(struct pair p)
{
	site_of(p.b, "tay")->sessions[0].mtu += 40;
}

static void too_narrow(struct pair p)
{
	neighbor(site_of(p.b, "west"), 2)->lsp_mtu -= 80;
}

static struct fwd_label_route *label(struct forwarding *f, uint32_t in)
{
	for (size_t i = 0; i < f->label_count; i++)
		if (f->labels[i].in_label == in)
			return &f->labels[i];
	fail_msg("'%s' has no label %u", f->site, in);
	return NULL;
}

/* The new north sends to n2 what is n1's; the new n2 drops it, and the old one takes be's label off. */
static void leads_elsewhere(struct pair p)
{
	struct fwd_label_route *new = label(site_of(p.b, "north"), 16021);
	struct fwd_label_route *old = label(site_of(p.a, "n2"), 16032);
	struct fwd_neighbor *n = neighbor(site_of(p.a, "n2"), 11);

	new->next_site = 22;
	new->out.label[0] = 16022;
	*old = (struct fwd_label_route){.in_label = 16031};
	n->accept[n->accept_count - 1] = (struct label_stack){.depth = 2, .label = {16022, 16031}};
}

static void rule_gone(struct pair p)
{
	site_of(p.b, "tay")->rule_count = 0;
}

static void peer_gone(struct pair p)
{
	struct forwarding *f = site_of(p.b, "tay");

	while (f->peer_count)
		free(f->peers[--f->peer_count].prefixes);
}

/* tay may send to port 80 until it has the new release; hub-2 takes it when it has that. */
static void cross_opening(struct pair p)
{
	struct forwarding *from = site_of(p.a, "tay"), *to = site_of(p.b, "hub-2");

	for (size_t i = 0; i < from->rule_count; i++)
		if (from->rules[i].outbound && from->rules[i].color == 10)
			from->rules[i].port_first = from->rules[i].port_last = 80;
	for (size_t i = 0; i < to->rule_count; i++)
		if (!to->rules[i].outbound && to->rules[i].color == 10)
			to->rules[i].port_first = to->rules[i].port_last = 80;
}

/* Planted between make and move. */
static const struct fault {
	const char *name;
	void (*plant)(struct pair p);
	enum migrate_kind kind;
	uint32_t site; /* 0: any */
	const char *words;
} faults[] = {
    {"a node's filter forgets a stack", no_filter_entry, MIGRATE_BREAK, 11, "drops it"},
    {"a node's labels are gone", no_label, MIGRATE_BREAK, 11, "has no such label"},
    {"a label goes back", round_and_round, MIGRATE_BREAK, 0, "in use and would stop"},
    {"a link is forgotten at one end", link_forgotten, MIGRATE_BREAK, 0, "no working link"},
    {"a way back is gone", no_return, MIGRATE_BREAK, 2, "no way back to its source"},
    {"the path in use becomes another", path_replaced, MIGRATE_BREAK, 35, "has it no more"},
    {"no path is left", path_gone, MIGRATE_BREAK, 35, "has no path"},
    {"a better path that may fail again", hasty, MIGRATE_UNREADY, 0, "fail again"},
    {"another link key", other_key, MIGRATE_IDENTITY, 13, "another link key"},
    {"another node address", other_address, MIGRATE_IDENTITY, 13, "another node address"},
    {"another site of that id", other_site, MIGRATE_IDENTITY, 35, "called 'other'"},
    {"the caller of a link changes", both_call, MIGRATE_BREAK, 0, "no working link"},
    {"a carrier address changes", carrier_moves, MIGRATE_BREAK, 0, "no working link"},
    {"a network changes its owner", lan_moves, MIGRATE_LAN, 0, "10.3.2.0/24"},
    {"a session's port changes", other_port, MIGRATE_PEER, 0, "port, key, caller"},
    {"a session's key changes", other_session_key, MIGRATE_PEER, 0, "port, key, caller"},
    {"bigger packets at once", too_big, MIGRATE_MTU, 35, "do not fit"},
    {"a narrower line at once", too_narrow, MIGRATE_MTU, 0, "do not fit"},
    {"a label that ends elsewhere", leads_elsewhere, MIGRATE_LEAK, 11, "could end at 'n2'"},
    {"a rule is gone", rule_gone, MIGRATE_LOST, 35, "may not in the new release"},
    {"a peer is gone", peer_gone, MIGRATE_LOST, 35, "may not in the new release"},
    {"an opening that neither release has", cross_opening, MIGRATE_OPEN, 35, "lets in"},
};

static bool found(const struct migrate_proof *p, const struct fault *f)
{
	for (size_t i = 0; i < migrate_finding_count(p); i++) {
		const struct migrate_finding *m = migrate_finding(p, i);

		if (m->kind == f->kind && (!f->site || m->site_id == f->site) &&
		    strstr(m->text, f->words))
			return true;
	}
	return false;
}

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		struct migrate_proof *p;
		struct journey j;

		journey_make(&j, MIGRATE_SAME_ID);
		faults[i].plant((struct pair){&j.at[2], &j.at[3]});
		p = prove(&j.at[2], &j.at[3], 0);
		if (!found(p, &faults[i])) {
			for (size_t k = 0; k < migrate_finding_count(p); k++)
				print_message(
				    "%s %u: %s\n", migrate_kind_name(migrate_finding(p, k)->kind),
				    migrate_finding(p, k)->site_id, migrate_finding(p, k)->text);
			fail_msg("not found: %s", faults[i].name);
		}
		migrate_proof_free(p);
		journey_clear(&j);
	}
}

/* What changes in policy alone: @query's packets, what the first policy carries, and the second; and what is denied. */
static void policy_country(struct country *c, const char *query, const char *first,
			   const char *second, const char *deny)
{
	static const char rest[] =
	    "from tier commune; to hub; path main preference 200 via parent; "
	    "encrypt end-to-end; }\n";
	char policy[1024];

	snprintf(policy, sizeof(policy),
		 "class query { to port tcp 443; %s }\nclass alarm { to port udp 162; }\n"
		 "class any { protocol tcp; }\n"
		 "policy first color 10 { carry %s; %spolicy second color 20 { carry %s; %s%s\n",
		 query, first, rest, second, rest, deny);
	country_read(c, old_text, policy);
	country_compile(c);
}

/* A connection that both releases allow goes on in every mixture of its ends. */
static void test_policies(void **state)
{
	static const struct {
		const char *name, *query[2], *first[2], *second[2], *deny; /* old, new */
		unsigned flags;
		const char *words; /* NULL: all holds */
	} rows[] = {
	    {"nothing changes", {"", ""}, {"alarm", "alarm"}, {"query", "query"}, "", 0, NULL},
	    {"a lower color has the packets too, at an end that knows",
	     {"", ""},
	     {"alarm", "alarm, query"},
	     {"query", "query"},
	     "",
	     0,
	     "with the new release it sends some by color 10, by which 'hub' with the old one"},
	    {"as part of more",
	     {"", ""},
	     {"alarm", "alarm, any"},
	     {"query", "query"},
	     "",
	     MIGRATE_POLICY_CHANGES,
	     "with the new release it sends some by color 10, by which 'hub' with the old one"},
	    {"a higher color has them too",
	     {"", ""},
	     {"query", "query"},
	     {"alarm", "alarm, any"},
	     "",
	     0,
	     NULL},
	    {"the class goes elsewhere",
	     {"to 10.0.0.0/25;", "to 10.0.0.128/25;"},
	     {"alarm", "alarm"},
	     {"query", "query"},
	     "",
	     0,
	     "(class 'query', color 20), and may not all of them in the new release"},
	    {"to a part of a network, and is carried no more",
	     {"to 10.0.0.0/25;", "to 10.0.0.0/25;"},
	     {"alarm, query", "alarm"},
	     {"query", "alarm"},
	     "",
	     0,
	     "(class 'query', color 10), and may not all of them in the new release"},
	    {"as the new policy means it",
	     {"to 10.0.0.0/25;", "to 10.0.0.128/25;"},
	     {"alarm", "alarm"},
	     {"query", "query"},
	     "",
	     MIGRATE_POLICY_CHANGES,
	     NULL},
	    {"the class goes to more",
	     {"to 10.0.0.0/25;", "to 10.0.0.0/16;"},
	     {"alarm", "alarm"},
	     {"query", "query"},
	     "",
	     0,
	     NULL},
	    {"somebody else is denied: rules name the others",
	     {"", ""},
	     {"alarm", "alarm"},
	     {"query", "query"},
	     "deny from tay to hub;",
	     MIGRATE_POLICY_CHANGES,
	     NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct migrate_proof *p;
		struct country c[2];

		for (int r = 0; r < 2; r++)
			policy_country(&c[r], rows[i].query[r], rows[i].first[r], rows[i].second[r],
				       r ? rows[i].deny : "");
		p = prove(&c[0], &c[1], rows[i].flags);
		if (!migrate_findings_total(p) != !rows[i].words ||
		    (rows[i].words && !strstr(migrate_finding(p, 0)->text, rows[i].words)))
			fail_msg("%s: %s", rows[i].name,
				 migrate_findings_total(p) ? migrate_finding(p, 0)->text
							   : "all holds");
		assert_int_equal(migrate_findings_of_kind(p, MIGRATE_LOST),
				 migrate_findings_total(p));
		migrate_proof_free(p);
		country_clear(&c[0]);
		country_clear(&c[1]);
	}
}

/* ---- prepared and fresh, as the audit sees them ---------------------------------------------------- */

static size_t audit_finds(const struct country *c, enum audit_kind kind)
{
	struct audit *a;
	size_t count;

	assert_int_equal(audit_new(&c->n, c->site, c->count, &a), 0);
	assert_int_equal(audit_prove(a), 0);
	count = audit_findings_of_kind(a, kind);
	audit_free(a);
	return count;
}

static struct link *link_of(struct country *c, const char *a, const char *b)
{
	uint32_t x = network_site_find(&c->n, a), y = network_site_find(&c->n, b);

	for (size_t i = 0; i < c->n.link_count; i++)
		if ((c->n.links[i].a == x && c->n.links[i].b == y) ||
		    (c->n.links[i].a == y && c->n.links[i].b == x))
			return &c->n.links[i];
	fail_msg("no link %s %s", a, b);
	return NULL;
}

static void test_prepared(void **state)
{
	struct fwd_neighbor *n;
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	assert_true(link_of(&j.at[1], "be", "north")->prepared);
	assert_true(link_of(&j.at[2], "be", "north")->fresh);
	assert_false(link_of(&j.at[1], "be", "n1")->prepared);
	/* a commune's stack to a province is nobody's: be carries nothing for others */
	n = neighbor(site_of(&j.at[1], "n1"), 31);
	n->accept[0] = (struct label_stack){.depth = 1, .label = {16011}};
	assert_true(audit_finds(&j.at[1], AUDIT_LEAK) > 0);
	/* a path over a link that is only prepared */
	link_of(&j.at[2], "tay", "west")->prepared = true;
	assert_true(audit_finds(&j.at[2], AUDIT_DETOUR) > 0);
	/* without those links, what is accepted beyond need is a leak */
	for (size_t i = 0; i < j.at[1].n.link_count; i++)
		j.at[1].n.links[i].prepared = false;
	assert_true(audit_finds(&j.at[1], AUDIT_LEAK) > 1);
	journey_clear(&j);
}

/* ---- a parallel link ------------------------------------------------------------------- */

#define PARALLEL_TOPOLOGY(state)                                                                   \
	"tiers npdc, district, commune;\n"                                                         \
	"underlay fibre { }\n"                                                                     \
	"underlay lte { mtu 1428; metric 50; }\n"                                                  \
	"site hub tier npdc id 1 { uplink fibre 203.0.113.1; lan 10.0.0.0/24; }\n"                 \
	"site d tier district id 2 under hub { uplink fibre 203.0.113.2; }\n"                      \
	"site c tier commune id 3 under d { uplink fibre dynamic; uplink lte dynamic; lan "        \
	"10.1.0.0/24; }\n" state
#define PARALLEL_POLICY(path)                                                                      \
	"class q { to port tcp 443; }\nclass images { to port tcp 80; }\n"                         \
	"policy archive color 10 { from tier commune; to tier npdc; carry images;\n"               \
	"  path main preference 200 via parent; encrypt end-to-end; }\n"                           \
	"policy queries color 20 { from tier commune; to tier npdc; carry q;\n"                    \
	"  path main preference 200 via parent; " path " encrypt end-to-end; }\n"

/* As any link: prepared, fresh, then as any other; and back. One policy uses it, one must not. */
static void test_parallel(void **state)
{
	static const char *const releases[][2] = {
	    {PARALLEL_TOPOLOGY(""), PARALLEL_POLICY("")},
	    {PARALLEL_TOPOLOGY("link c d parallel { over lte, fibre; prepared; }"),
	     PARALLEL_POLICY("")},
	    {PARALLEL_TOPOLOGY("link c d parallel { over lte, fibre; fresh; }"),
	     PARALLEL_POLICY("path spare preference 100 via parent over lte;")},
	    {PARALLEL_TOPOLOGY("link c d parallel { over lte, fibre; }"),
	     PARALLEL_POLICY("path spare preference 100 via parent over lte;")},
	};
	struct country at[COUNT(releases)];

	(void)state;
	for (size_t i = 0; i < COUNT(releases); i++) {
		country_read(&at[i], releases[i][0], releases[i][1]);
		country_compile(&at[i]);
	}
	for (size_t i = 1; i < COUNT(releases); i++)
		for (int back = 0; back < 2; back++) {
			struct migrate_proof *p =
			    prove(&at[back ? i : i - 1], &at[back ? i - 1 : i], 0);

			if (migrate_finding_count(p))
				fail_msg("%zu, %d: %s", i, back, migrate_finding(p, 0)->text);
			migrate_proof_free(p);
		}
	for (size_t i = 0; i < COUNT(releases); i++)
		country_clear(&at[i]);
}

/* The space of parallel links is that of the country which has had them first. */
static void test_parallel_space(void **state)
{
	static const char here[] = "network { parallel space 100.66.0.0/16; }\n",
			  there[] = "network { parallel space 100.67.0.0/16; }\n",
			  line[] = "link c d parallel { over lte, fibre; }";
	static const struct {
		const char *old[2], *new[2], *space; /* network, link */
	} rows[] = {
	    {{"", ""}, {there, line}, "parallel space 100.67.0.0/16;"},
	    {{here, ""}, {there, line}, "parallel space 100.67.0.0/16;"},
	    {{here, line}, {there, line}, "parallel space 100.66.0.0/16;"},
	    {{here, line}, {there, ""}, "parallel space 100.66.0.0/16;"},
	    {{here, ""}, {there, ""}, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const *sides[2] = {rows[i].old, rows[i].new};
		struct text text[2] = {{0}, {0}};
		struct sources of;
		struct journey j;

		for (int k = 0; k < 2; k++)
			text_printf(&text[k], "%s%s%s", sides[k][0], PARALLEL_TOPOLOGY(""),
				    sides[k][1]);
		of = (struct sources){{text_string(&text[0]), PARALLEL_POLICY("")},
				      {text_string(&text[1]), PARALLEL_POLICY("")}};
		journey_make_of(&j, &of, MIGRATE_SAME_ID, MIGRATE_CARE_NONE);
		for (int s = 0; s < j.stages; s++) {
			const char *found = strstr(text_string(&j.text[s][0]), "parallel space");

			if (rows[i].space
				? !found || strncmp(found, rows[i].space, strlen(rows[i].space))
				: found != NULL)
				fail_msg("%zu, %d: %s", i, s, text_string(&j.text[s][0]));
		}
		journey_clear(&j);
		text_clear(&text[0]);
		text_clear(&text[1]);
	}
}

/* A path that only some of the head-ends have. */
static void test_path_heads(void **state)
{
	struct journey j;
	struct policy *policy;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	assert_int_equal(audit_finds(&j.at[2], AUDIT_PATH), 0);
	policy = &j.at[2].n.policies[0];
	for (size_t i = 0; i < policy->path_count; i++)
		if (!strcmp(policy->paths[i].name, "move")) {
			assert_true(policy->paths[i].some);
			assert_int_equal(policy->paths[i].heads.count, 2);
			policy->paths[i].heads.count = 1;
		}
	assert_int_equal(audit_finds(&j.at[2], AUDIT_PATH), 2); /* to both hubs */
	journey_clear(&j);
}

/* ---- what is printed ---------------------------------------------------------------------------------- */

static void test_report(void **state)
{
	struct migrate_report r = {.findings_max = 1};
	struct migrate_facts f = {.name = "move", .sites = 1234, .links = 5};
	struct migrate_plan_counts counts;
	struct migrate_proof *p;
	struct text t = {0};
	struct journey j;

	(void)state;
	journey_make(&j, MIGRATE_SAME_ID);
	counts = migrate_plan_counts(j.plan);
	p = prove(&j.at[2], &j.at[3], 0);
	assert_true(migrate_report_stage(&r, &f, p));
	migrate_proof_free(p);
	p = prove(&j.at[0], &j.at[4], 0);
	assert_false(migrate_report_stage(&r, &f, p));
	migrate_proof_free(p);
	migrate_report_text(&r, &counts, &t);
	assert_non_null(strstr(text_string(&t), "8 sites stay: 2 get another parent"));
	assert_non_null(strstr(text_string(&t), "1 move   1,234 "));
	assert_non_null(strstr(text_string(&t), "proven\n2 move"));
	assert_non_null(strstr(text_string(&t), "more [break]"));
	assert_non_null(strstr(text_string(&t), "refused: 1 of 2"));
	text_reset(&t);
	migrate_report_json(&r, &counts, &t);
	assert_non_null(strstr(text_string(&t), "{\"proven\":false,\"plan\":{\"sites_kept\":8,"));
	assert_non_null(strstr(text_string(&t), "\"switched\":[31,32]"));
	text_clear(&t);
	migrate_report_clear(&r);
	journey_clear(&j);
}

#define COUNTRY_SITES 20000u

/* Site 1 opens connections to each of the others, which have a LAN each. */
static void star_make(struct forwarding *sites, struct fwd_session_peer *peers,
		      struct fwd_session_peer *hub, struct ipv4_prefix *lans,
		      struct fwd_rule rules[static 2])
{
	rules[0] = (struct fwd_rule){.color = 10, .outbound = true, .port_last = UINT16_MAX};
	rules[1] = (struct fwd_rule){.color = 10, .port_last = UINT16_MAX};
	lans[0] = (struct ipv4_prefix){0x0a000000, 24};
	*hub = (struct fwd_session_peer){
	    .color = 10, .site_id = 1, .prefixes = lans, .prefix_count = 1};
	sites[0] = (struct forwarding){.site_id = 1,
				       .lans = lans,
				       .lan_count = 1,
				       .rules = &rules[0],
				       .rule_count = 1,
				       .peers = peers,
				       .peer_count = COUNTRY_SITES - 1};
	for (uint32_t i = 1; i < COUNTRY_SITES; i++) {
		lans[i] = (struct ipv4_prefix){0x0a000000 + i * 256, 24};
		peers[i - 1] = (struct fwd_session_peer){
		    .color = 10, .site_id = i + 1, .prefixes = &lans[i], .prefix_count = 1};
		sites[i] = (struct forwarding){.site_id = i + 1,
					       .lans = &lans[i],
					       .lan_count = 1,
					       .rules = &rules[1],
					       .rule_count = 1,
					       .peers = hub,
					       .peer_count = 1};
	}
}

static void test_country(void **state)
{
	struct forwarding *sites = calloc(COUNTRY_SITES, sizeof(*sites));
	struct fwd_session_peer *peers = calloc(COUNTRY_SITES, sizeof(*peers)), hub;
	struct ipv4_prefix *lans = calloc(COUNTRY_SITES, sizeof(*lans));
	struct fwd_rule rules[2];
	struct mix_loss loss;
	struct mix m = {0};
	clock_t start;

	(void)state;
	assert_true(sites && peers && lans);
	star_make(sites, peers, &hub, lans, rules);
	assert_int_equal(mix_init(&m, (struct diff_side){sites, COUNTRY_SITES},
				  (struct diff_side){sites, COUNTRY_SITES}),
			 0);
	start = clock();
	for (uint32_t id = 2; id <= COUNTRY_SITES; id++)
		assert_false(mix_openings_lost(&m, 1, id, 10, false, &loss));
	/* A look at all sites for each takes half a minute, and this a fraction of a second. */
	assert_true((clock() - start) / CLOCKS_PER_SEC < 10);
	mix_clear(&m);
	free(sites);
	free(peers);
	free(lans);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plan),	   cmocka_unit_test(test_same),
	    cmocka_unit_test(test_strangers),	   cmocka_unit_test(test_stages_hold),
	    cmocka_unit_test(test_stages_clean),   cmocka_unit_test(test_coins),
	    cmocka_unit_test(test_near_by),	   cmocka_unit_test(test_leap),
	    cmocka_unit_test(test_faults),	   cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_prepared),	   cmocka_unit_test(test_parallel),
	    cmocka_unit_test(test_parallel_space), cmocka_unit_test(test_path_heads),
	    cmocka_unit_test(test_report),	   cmocka_unit_test(test_country),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
