/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is who in two countries, and what each site keeps. Then a stage is written (migrate_topology.c, migrate_policy.c),
 * read again with the language's own parser and checker, and completed with the links that the reading lacks: so what
 * parent and backup imply is known from one place alone.
 */
#include "migrate_plan_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/policies/check.h"
#include "tuyen/policies/names.h"
#include "tuyen/policies/print.h"

const char *migrate_stage_name(enum migrate_stage stage)
{
	static const char *const names[MIGRATE_STAGES] = {"join", "make", "move", "leave", "break"};

	return names[stage];
}

/* ---- who is who ----------------------------------------------------------------------------- */

struct key_of {
	const uint8_t *key;
	uint32_t site;
};

static int key_compare(const void *a, const void *b)
{
	const struct key_of *p = a, *q = b;

	return memcmp(p->key, q->key, WG_KEY_LEN);
}

static int match_keys(const struct network *old, const struct network *new, uint32_t *old_of)
{
	struct key_of *keys = calloc(old->site_count + 1, sizeof(*keys));
	size_t count = 0;

	if (!keys)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < old->site_count; i++)
		if (old->sites[i].has_keys)
			keys[count++] = (struct key_of){old->sites[i].link_key, i};
	qsort(keys, count, sizeof(*keys), key_compare);
	for (uint32_t i = 0; i < new->site_count; i++) {
		struct key_of key = {new->sites[i].link_key, i}, *found = NULL;

		if (new->sites[i].has_keys)
			found = bsearch(&key, keys, count, sizeof(*keys), key_compare);
		old_of[i] = found ? found->site : NETWORK_NONE;
	}
	free(keys);
	return 0;
}

static int match_names(const struct network *old, const struct network *new, uint32_t *old_of)
{
	struct name_table names;
	int err = 0;

	name_table_init(&names);
	for (uint32_t i = 0; i < old->site_count && !err; i++)
		err = name_table_add(&names, old->sites[i].name, i);
	for (uint32_t i = 0; i < new->site_count && !err; i++)
		old_of[i] = name_table_find(&names, new->sites[i].name);
	name_table_clear(&names);
	return err;
}

static int match_ids(const struct network *old, const struct network *new, uint32_t *old_of)
{
	uint32_t *by_id = calloc(SITE_ID_MAX + 1, sizeof(*by_id));

	if (!by_id)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < old->site_count; i++)
		if (old->sites[i].id <= SITE_ID_MAX)
			by_id[old->sites[i].id] = i + 1;
	for (uint32_t i = 0; i < new->site_count; i++) {
		uint32_t id = new->sites[i].id;

		old_of[i] = id <= SITE_ID_MAX && by_id[id] ? by_id[id] - 1 : NETWORK_NONE;
	}
	free(by_id);
	return 0;
}

static bool has_keys(const struct network *n)
{
	for (size_t i = 0; i < n->site_count; i++)
		if (n->sites[i].has_keys)
			return true;
	return false;
}

static int match(const struct network *old, const struct network *new, enum migrate_same same,
		 uint32_t *old_of)
{
	switch (same) {
	case MIGRATE_SAME_KEYS_OR_NAME:
		return has_keys(old) && has_keys(new) ? match_keys(old, new, old_of)
						      : match_names(old, new, old_of);
	case MIGRATE_SAME_KEYS:
		return match_keys(old, new, old_of);
	case MIGRATE_SAME_NAME:
		return match_names(old, new, old_of);
	case MIGRATE_SAME_ID:
		return match_ids(old, new, old_of);
	}
	return 0;
}

/* ---- numbers and networks --------------------------------------------------------------------- */

/* Networks in use, sorted; none overlaps another. */
struct taken {
	struct ipv4_prefix *prefixes;
	size_t count;
};

static ipv4_t prefix_last(struct ipv4_prefix p)
{
	return p.address | ~ipv4_netmask(p.length);
}

/* The first that ends at @address or behind. */
static size_t taken_at(const struct taken *t, ipv4_t address)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (prefix_last(t->prefixes[middle]) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool taken_is(const struct taken *t, struct ipv4_prefix p)
{
	size_t at = taken_at(t, p.address);

	return at < t->count && t->prefixes[at].address <= prefix_last(p);
}

/* What several gateways share is there once. */
static void taken_add(struct taken *t, struct ipv4_prefix p)
{
	size_t at = taken_at(t, p.address);

	if (taken_is(t, p))
		return;
	memmove(t->prefixes + at + 1, t->prefixes + at, (t->count - at) * sizeof(p));
	t->prefixes[at] = p;
	t->count++;
}

/* The next free network of its size behind it, round its /8. */
static bool taken_other(const struct taken *t, struct ipv4_prefix *prefix)
{
	uint64_t step = UINT64_C(1) << (32 - prefix->length), tries = (UINT64_C(1) << 24) / step;
	uint32_t base = prefix->address & 0xff000000u;

	for (uint64_t i = 1; i < tries; i++) {
		struct ipv4_prefix p = *prefix;

		p.address = base | ((uint32_t)(prefix->address - base + i * step) & 0x00ffffffu);
		if (taken_is(t, p))
			continue;
		*prefix = p;
		return true;
	}
	return false;
}

static bool site_lans_room(struct plan_site *s, size_t count)
{
	s->lans = calloc(count + 1, sizeof(*s->lans));
	s->lan_own = calloc(count + 1, sizeof(*s->lan_own));
	return s->lans && s->lan_own;
}

static void site_lan_take(struct plan_site *s, struct ipv4_prefix lan, ipv4_t own,
			  struct taken *taken)
{
	s->lan_own[s->lan_count] = own;
	s->lans[s->lan_count++] = lan;
	taken_add(taken, lan);
}

static int site_lans_old(struct migrate_plan *p, struct plan_site *s, struct taken *taken)
{
	const struct site *from = &plan_network(p, 0)->sites[s->old];

	if (!site_lans_room(s, from->lan_count))
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < from->lan_count; i++)
		site_lan_take(s, from->lans[i], site_lan_own(from, i), taken);
	return 0;
}

static int site_lans_new(struct migrate_plan *p, struct plan_site *s, struct taken *taken,
			 struct reason *reason)
{
	const struct site *from = &plan_network(p, 1)->sites[s->new];
	bool other = false;

	if (!site_lans_room(s, from->lan_count))
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < from->lan_count; i++) {
		struct ipv4_prefix lan = from->lans[i];

		if (!site_lan_own(from, i) && taken_is(taken, lan)) {
			other = true;
			if (!taken_other(taken, &lan))
				return reason_set(reason, -TUYEN_ELIMIT,
						  "there is no free network for site '%s'",
						  from->name);
		}
		site_lan_take(s, lan, site_lan_own(from, i), taken);
	}
	p->counts.new_lan += other;
	return 0;
}

static int sites_lans(struct migrate_plan *p, struct reason *reason)
{
	struct taken taken = {0};
	size_t room = 0;
	int err = 0;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < plan_network(p, side)->site_count; i++)
			room += plan_network(p, side)->sites[i].lan_count;
	taken.prefixes = calloc(room + 1, sizeof(*taken.prefixes));
	if (!taken.prefixes)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < p->count && !err; i++)
		if (p->sites[i].old != NETWORK_NONE)
			err = site_lans_old(p, &p->sites[i], &taken);
	for (size_t i = 0; i < p->count && !err; i++)
		if (p->sites[i].old == NETWORK_NONE)
			err = site_lans_new(p, &p->sites[i], &taken, reason);
	free(taken.prefixes);
	return err;
}

static int sites_ids(struct migrate_plan *p, struct reason *reason)
{
	uint8_t *used = calloc(SITE_ID_MAX + 1, 1);
	uint32_t next = 1;
	int err = used ? 0 : -TUYEN_ENOMEM;

	for (size_t i = 0; i < p->count && !err; i++)
		if (p->sites[i].old != NETWORK_NONE)
			used[p->sites[i].id] = 1;
	for (size_t i = 0; i < p->count && !err; i++) {
		struct plan_site *s = &p->sites[i];

		if (s->old != NETWORK_NONE)
			continue;
		if (used[s->id]) {
			while (next <= SITE_ID_MAX && used[next])
				next++;
			if (next > SITE_ID_MAX)
				err = reason_set(reason, -TUYEN_ELIMIT, "there is no free site id");
			s->id = next;
			p->counts.new_id++;
		}
		if (!err)
			used[s->id] = 1;
	}
	free(used);
	return err;
}

/* ---- the union -------------------------------------------------------------------------------- */

/* Two carrier addresses for one line. */
static bool carrier_differs(const struct network *old, const struct site *a,
			    const struct network *new, const struct site *b)
{
	for (size_t i = 0; i < a->uplink_count; i++)
		for (size_t k = 0; k < b->uplink_count; k++)
			if (!strcmp(old->underlays[a->uplinks[i].underlay].name,
				    new->underlays[b->uplinks[k].underlay].name) &&
			    !ip_endpoint_equal(&a->uplinks[i].endpoint, &b->uplinks[k].endpoint))
				return true;
	return false;
}

static void site_differs(struct migrate_plan *p, const struct plan_site *s)
{
	const struct site *a = &plan_network(p, 0)->sites[s->old];
	const struct site *b = &plan_network(p, 1)->sites[s->new];
	bool lans = a->lan_count == b->lan_count;

	for (size_t i = 0; lans && i < a->lan_count; i++)
		lans = a->lans[i].address == b->lans[i].address &&
		       a->lans[i].length == b->lans[i].length;
	p->counts.other_lan += !lans;
	p->counts.other_carrier += carrier_differs(plan_network(p, 0), a, plan_network(p, 1), b);
	p->counts.other_id += a->id != b->id;
	p->counts.renamed += strcmp(a->name, b->name) != 0;
	p->counts.other_keys += a->has_keys && b->has_keys &&
				(memcmp(a->link_key, b->link_key, WG_KEY_LEN) != 0 ||
				 memcmp(a->session_key, b->session_key, WG_KEY_LEN) != 0);
}

static uint32_t mapped(const struct migrate_plan *p, int side, uint32_t index)
{
	return index == NETWORK_NONE ? NETWORK_NONE : p->site_of[side][index];
}

/* Parents and backups, in both countries; who is new has the new ones from the beginning. */
static void sites_roles(struct migrate_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct plan_site *s = &p->sites[i];

		for (int side = 0; side < 2; side++) {
			uint32_t at = side ? s->new : s->old;
			const struct site *from =
			    at == NETWORK_NONE ? NULL : &plan_network(p, side)->sites[at];

			s->parent[side] = from ? mapped(p, side, from->parent) : NETWORK_NONE;
			s->backup[side] = from ? mapped(p, side, from->backup) : NETWORK_NONE;
		}
		if (s->old == NETWORK_NONE) {
			s->parent[0] = s->parent[1];
			s->backup[0] = s->backup[1];
		}
		s->moving = s->old != NETWORK_NONE && s->new != NETWORK_NONE &&
			    s->parent[0] != s->parent[1] && s->parent[0] != NETWORK_NONE &&
			    s->parent[1] != NETWORK_NONE;
		p->counts.moving += s->moving;
	}
}

static int sites_join(struct migrate_plan *p, const uint32_t *old_of)
{
	const struct network *old = plan_network(p, 0), *new = plan_network(p, 1);

	p->sites = calloc(old->site_count + new->site_count + 1, sizeof(*p->sites));
	p->site_of[0] = calloc(old->site_count + 1, sizeof(uint32_t));
	p->site_of[1] = calloc(new->site_count + 1, sizeof(uint32_t));
	if (!p->sites || !p->site_of[0] || !p->site_of[1])
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < old->site_count; i++) {
		p->sites[p->count] =
		    (struct plan_site){.old = i, .new = NETWORK_NONE, .id = old->sites[i].id};
		p->site_of[0][i] = (uint32_t)p->count++;
	}
	for (uint32_t i = 0; i < new->site_count; i++) {
		uint32_t at =
		    old_of[i] == NETWORK_NONE ? (uint32_t)p->count : p->site_of[0][old_of[i]];

		if (old_of[i] == NETWORK_NONE)
			p->sites[p->count++] =
			    (struct plan_site){.old = NETWORK_NONE, .id = new->sites[i].id};
		p->sites[at].new = i;
		p->site_of[1][i] = at;
	}
	for (size_t i = 0; i < p->count; i++) {
		const struct plan_site *s = &p->sites[i];

		p->counts.sites_gained += s->old == NETWORK_NONE;
		p->counts.sites_lost += s->new == NETWORK_NONE;
		if (s->old == NETWORK_NONE || s->new == NETWORK_NONE)
			continue;
		p->counts.sites_kept++;
		site_differs(p, s);
	}
	return 0;
}

/* One new site cannot be two old ones, nor the other way round. */
static int match_check(const struct network *old, const struct network *new, const uint32_t *old_of,
		       struct reason *reason)
{
	uint32_t *new_of = calloc(old->site_count + 1, sizeof(*new_of));
	int err = new_of ? 0 : -TUYEN_ENOMEM;
	size_t kept = 0;

	for (uint32_t i = 0; i < new->site_count && !err; i++) {
		if (old_of[i] == NETWORK_NONE)
			continue;
		kept++;
		if (new_of[old_of[i]])
			err = reason_set(reason, -TUYEN_EINVAL,
					 "'%s' and '%s' would both be the old site '%s'",
					 new->sites[new_of[old_of[i]] - 1].name, new->sites[i].name,
					 old->sites[old_of[i]].name);
		new_of[old_of[i]] = i + 1;
	}
	free(new_of);
	if (!err && !kept)
		err = reason_set(reason, -TUYEN_EINVAL,
				 "no site of the new country is one of the old: see --same");
	return err;
}

/* Old names hold until the end: a new site whose name an old one has gets a mark. */
static int sites_names(struct migrate_plan *p)
{
	struct name_table names;
	int err = 0;

	name_table_init(&names);
	for (size_t i = 0; i < p->count && !err; i++) {
		struct plan_site *s = &p->sites[i];
		char name[NAME_MAX_BYTES + 1];

		snprintf(name, sizeof(name), "%s",
			 s->old != NETWORK_NONE ? plan_network(p, 0)->sites[s->old].name
						: plan_network(p, 1)->sites[s->new].name);
		if (s->old == NETWORK_NONE && name_table_find(&names, name) != NETWORK_NONE)
			snprintf(name, sizeof(name), "new %u", s->id);
		s->name = strdup(name);
		err = s->name ? name_table_add(&names, s->name, (uint32_t)i) : -TUYEN_ENOMEM;
	}
	name_table_clear(&names);
	return err;
}

/* ---- words that nobody uses yet --------------------------------------------------------------- */

static bool tag_used(const struct migrate_plan *p, const char *tag)
{
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < plan_network(p, side)->tag_count; i++)
			if (!strcmp(plan_network(p, side)->tags[i], tag))
				return true;
	return false;
}

static bool path_used(const struct migrate_plan *p, const char *name)
{
	const struct network *n = plan_network(p, 0);

	for (size_t i = 0; i < n->policy_count; i++)
		for (size_t k = 0; k < n->policies[i].path_count; k++)
			if (!strcmp(n->policies[i].paths[k].name, name))
				return true;
	return false;
}

static void word_choose(const struct migrate_plan *p, const char *word,
			bool (*used)(const struct migrate_plan *, const char *),
			char out[NAME_MAX_BYTES + 1])
{
	snprintf(out, NAME_MAX_BYTES + 1, "%s", word);
	for (unsigned i = 2; used(p, out); i++)
		snprintf(out, NAME_MAX_BYTES + 1, "%s-%u", word, i);
}

/* ---- all of it -------------------------------------------------------------------------------- */

void migrate_plan_care(struct migrate_plan *p, enum migrate_care care)
{
	p->care = care;
}

bool migrate_plan_has(const struct migrate_plan *p, enum migrate_stage stage)
{
	return stage != MIGRATE_LEAVE || p->care != MIGRATE_CARE_NONE;
}

int migrate_plan_number(const struct migrate_plan *p, enum migrate_stage stage)
{
	return (int)stage + (stage < MIGRATE_LEAVE || p->care != MIGRATE_CARE_NONE);
}

static int plan_build(struct migrate_plan *p, enum migrate_same same, struct reason *reason)
{
	const struct network *old = plan_network(p, 0), *new = plan_network(p, 1);
	uint32_t *old_of = calloc(new->site_count + 1, sizeof(*old_of));
	int err = old_of ? match(old, new, same, old_of) : -TUYEN_ENOMEM;

	if (!err)
		err = match_check(old, new, old_of, reason);
	if (!err)
		err = sites_join(p, old_of);
	free(old_of);
	if (err || (err = sites_ids(p, reason)) || (err = sites_names(p)) ||
	    (err = sites_lans(p, reason)))
		return err;
	sites_roles(p);
	word_choose(p, "moving", tag_used, p->tag);
	word_choose(p, "move", path_used, p->path);
	return 0;
}

int migrate_plan_new(const struct migrate_country *old, const struct migrate_country *new_country,
		     enum migrate_same same, struct migrate_plan **ret, struct reason *reason)
{
	struct migrate_plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -TUYEN_ENOMEM;
	p->country[0] = *old;
	p->country[1] = *new_country;
	err = plan_build(p, same, reason);
	if (err < 0) {
		migrate_plan_free(p);
		return err;
	}
	*ret = p;
	return 0;
}

void migrate_plan_free(struct migrate_plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++) {
		free(p->sites[i].name);
		free(p->sites[i].lans);
		free(p->sites[i].lan_own);
	}
	free(p->sites);
	free(p->site_of[0]);
	free(p->site_of[1]);
	free(p);
}

struct migrate_plan_counts migrate_plan_counts(const struct migrate_plan *p)
{
	return p->counts;
}

/* Reads what was written so far, as whoever gets it will. */
static int stage_read(const struct text *topology, struct diag_list *diags,
		      struct syntax_file **ret_file, struct network *ret_network,
		      struct reason *reason)
{
	const struct syntax_file *files[1];
	struct text said = {0};
	int err = syntax_parse("stage", text_string(topology), topology->length, diags, ret_file);

	files[0] = *ret_file;
	if (!err && diags->error_count)
		err = -TUYEN_EINVAL;
	if (!err)
		err = check_network(files, 1, 0, diags, ret_network);
	if (err == -TUYEN_EINVAL) {
		diag_list_print(diags, &said);
		reason_set(reason, err, "%s", text_string(&said));
		text_clear(&said);
	}
	return err;
}

static int stage_links(const struct migrate_plan *p, enum migrate_stage stage,
		       struct text *topology, struct reason *reason)
{
	struct syntax_file *file = NULL;
	struct diag_list diags;
	struct network made;
	int err;

	diag_list_init(&diags);
	err = stage_read(topology, &diags, &file, &made, reason);
	if (!err) {
		err = plan_links(p, stage, &made, topology);
		network_clear(&made);
	}
	diag_list_clear(&diags);
	syntax_file_free(file);
	return err;
}

int migrate_plan_stage(const struct migrate_plan *p, enum migrate_stage stage,
		       struct text *ret_topology, struct text *ret_policy, struct reason *reason)
{
	int err;

	plan_topology(p, stage, ret_topology);
	if (ret_topology->failed)
		return -TUYEN_ENOMEM;
	err = stage_links(p, stage, ret_topology, reason);
	if (!err)
		err = plan_policy(p, stage, ret_policy);
	if (!err)
		err = print_canonical(ret_topology);
	return err ? err : print_canonical(ret_policy);
}
