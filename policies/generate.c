/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A country from counts or from a table of its administrative units.
 *
 * Reading makes units (generate_units_read in generate_units.c), planning gives each a name, an id,
 * a LAN and a backup, writing puts them into words. All that planning decides about a unit depends
 * on its code and on its relatives' codes, not on the order of the table: units are first sorted by
 * code, siblings side by side.
 */
#include "tuyen/policies/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/base/ip.h"
#include "tuyen/policies/merkle.h"
#include "tuyen/policies/names.h"
#include "tuyen/policies/print.h"
#include "tuyen/topology/network.h"

#define NONE UINT32_MAX

#define LAN_SPACE	(10u << 24)
#define LAN_BLOCK	(1u << 17) /* addresses of a /15 */
#define LAN_SIZE	128u	   /* of a /25 */
#define CARRIER_FIRST	(198u << 24 | 18u << 16)
#define CARRIER_SECOND	(198u << 24 | 19u << 16)
#define CARRIER_LEASED	(192u << 24 | 2u << 8)
#define CELLULAR_ONE_IN 10

struct planner {
	const struct generate_units *units;
	const struct generate_options *options;
	struct diag_list *diags;
	struct generate_plan plan;
	uint32_t *sorted; /* siblings side by side, by code; the top ones first */
	uint32_t *next;	  /* the next sibling around the ring */
	struct name_table names;
};

/* ---- codes -------------------------------------------------------------------------- */

static uint32_t code_number(const char *code)
{
	uint32_t n = 0;

	for (; *code >= '0' && *code <= '9'; code++)
		n = n * 10 + (uint32_t)(*code - '0');
	return n;
}

/* 0: this code makes no id. */
static uint32_t code_id(const char *code)
{
	static const uint32_t base[] = {[2] = 100, [3] = 1000, [5] = 10000};
	size_t length = strlen(code);
	uint32_t id;

	if (length >= sizeof(base) / sizeof(base[0]) || !base[length])
		return 0;
	if (strspn(code, "0123456789") != length)
		return 0;
	id = base[length] + code_number(code);
	return id <= SITE_ID_MAX && id > base[length] ? id : 0;
}

static void plan_ids(struct planner *p)
{
	for (size_t i = 0; i < p->units->count; i++) {
		const struct generate_unit *u = &p->units->units[i];

		p->plan.sites[i].id = code_id(u->code);
		if (!p->plan.sites[i].id)
			diag_error(p->diags, u->place,
				   "code '%s' makes no site id: 2, 3 or 5 digits, from 1 to 55535",
				   u->code);
		if (u->parent == NONE && strlen(u->code) != 2)
			diag_error(p->diags, u->place,
				   "code '%s' makes no block of addresses: a unit at the top has 2 "
				   "digits",
				   u->code);
	}
}

/* ---- order -------------------------------------------------------------------------- */

static int by_parent_and_code(const void *left, const void *right, void *context)
{
	const struct generate_units *units = context;
	const struct generate_unit *a = &units->units[*(const uint32_t *)left];
	const struct generate_unit *b = &units->units[*(const uint32_t *)right];

	if (a->parent != b->parent)
		return a->parent + 1 < b->parent + 1 ? -1 : 1;
	return strcmp(a->code, b->code);
}

static void plan_siblings(struct planner *p)
{
	size_t count = p->units->count, first = 0;

	for (uint32_t i = 0; i < count; i++)
		p->sorted[i] = i;
	qsort_r(p->sorted, count, sizeof(*p->sorted), by_parent_and_code,
		(void *)(uintptr_t)p->units);
	for (size_t i = 0; i < count; i++) {
		uint32_t parent = p->units->units[p->sorted[i]].parent;
		bool last = i + 1 == count || p->units->units[p->sorted[i + 1]].parent != parent;

		p->next[p->sorted[i]] = p->sorted[last ? first : i + 1];
		if (last)
			first = i + 1;
	}
}

/* A backup is of a higher tier than its child, as the neighbour of a parent always is. */
static void plan_backups(struct planner *p)
{
	for (size_t i = 0; i < p->units->count; i++) {
		uint32_t parent = p->units->units[i].parent;

		p->plan.sites[i].backup = NONE;
		if (parent != NONE)
			p->plan.sites[i].backup = p->next[parent] != parent
						      ? p->next[parent]
						      : p->units->units[parent].parent;
	}
}

/* Children of @unit lie side by side in sorted: finds the first by halving. */
static size_t children_first(const struct planner *p, uint32_t unit)
{
	size_t low = 0, high = p->units->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (p->units->units[p->sorted[middle]].parent + 1 < unit + 1)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Depth first without recursion: children go onto the stack last first. */
static int plan_order(struct planner *p)
{
	size_t count = p->units->count, depth = 0, end;
	uint32_t *stack = calloc(count + 1, sizeof(*stack));

	if (!stack)
		return -TUYEN_ENOMEM;
	for (end = 0; end < count && p->units->units[p->sorted[end]].parent == NONE; end++)
		;
	while (end > 0)
		stack[depth++] = p->sorted[--end];
	while (depth > 0) {
		uint32_t unit = stack[--depth];
		size_t first = children_first(p, unit);

		p->plan.order[p->plan.count++] = unit;
		for (end = first; end < count && p->units->units[p->sorted[end]].parent == unit;
		     end++)
			;
		while (end > first)
			stack[depth++] = p->sorted[--end];
	}
	free(stack);
	return 0;
}

/* ---- names -------------------------------------------------------------------------- */

static void name_add_squeezed(struct text *t, const char *name)
{
	for (; *name; name++)
		if (*name != ' ' || name[1] != ' ')
			text_add_char(t, *name);
}

static char *name_make(const char *name, const char *behind)
{
	struct text t;

	text_init(&t);
	name_add_squeezed(&t, name);
	if (behind) {
		text_add(&t, " (");
		name_add_squeezed(&t, behind);
		text_add_char(&t, ')');
	}
	if (t.failed) {
		text_clear(&t);
		return NULL;
	}
	return t.bytes;
}

/* Counts how often each name is there: the table's value. */
static int names_count(struct planner *p, uint32_t *uses, uint32_t *ret_key)
{
	for (uint32_t i = 0; i < p->units->count; i++) {
		const char *name = p->plan.sites[i].name;
		uint32_t first = name_table_find(&p->names, name);

		if (first == NAME_NONE && name_table_add(&p->names, name, first = i) < 0)
			return -TUYEN_ENOMEM;
		ret_key[i] = first;
		uses[first]++;
	}
	return 0;
}

/* Those that are not unique get something behind: step 1 the parent's name, step 2 the code. */
static int names_step(struct planner *p, int step, uint32_t *uses, uint32_t *key)
{
	const struct generate_unit *u = p->units->units;
	char **longer = calloc(p->units->count + 1, sizeof(*longer));
	int err = longer ? 0 : -TUYEN_ENOMEM;

	memset(uses, 0, p->units->count * sizeof(*uses));
	name_table_clear(&p->names);
	name_table_init(&p->names);
	if (!err)
		err = names_count(p, uses, key);
	for (size_t i = 0; !err && i < p->units->count; i++) {
		const char *parent = u[i].parent == NONE ? u[i].code : u[u[i].parent].name;

		if (uses[key[i]] < 2 && strlen(p->plan.sites[i].name) <= NAME_MAX_BYTES)
			continue;
		longer[i] = name_make(u[i].name, step == 1 ? parent : u[i].code);
		err = longer[i] ? 0 : -TUYEN_ENOMEM;
	}
	name_table_clear(&p->names); /* it borrows the names */
	name_table_init(&p->names);
	for (size_t i = 0; longer && i < p->units->count; i++) {
		if (!longer[i])
			continue;
		free(p->plan.sites[i].name);
		p->plan.sites[i].name = longer[i];
	}
	free(longer);
	return err;
}

static void names_limit(struct planner *p)
{
	for (size_t i = 0; i < p->units->count; i++)
		if (strlen(p->plan.sites[i].name) > NAME_MAX_BYTES)
			diag_error(p->diags, p->units->units[i].place,
				   "the name is too long for a site: at most %d bytes",
				   NAME_MAX_BYTES);
}

static int plan_names(struct planner *p)
{
	uint32_t *uses = calloc(p->units->count + 1, sizeof(*uses));
	uint32_t *key = calloc(p->units->count + 1, sizeof(*key));
	int err = uses && key ? 0 : -TUYEN_ENOMEM;

	for (size_t i = 0; !err && i < p->units->count; i++) {
		p->plan.sites[i].name = name_make(p->units->units[i].name, NULL);
		err = p->plan.sites[i].name ? 0 : -TUYEN_ENOMEM;
	}
	for (int step = 1; !err && step <= 2; step++)
		err = names_step(p, step, uses, key);
	if (!err)
		names_limit(p);
	free(uses);
	free(key);
	return err;
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- addresses ---------------------------------------------------------------------- */

static uint32_t unit_top(const struct generate_units *units, uint32_t unit)
{
	while (units->units[unit].parent != NONE)
		unit = units->units[unit].parent;
	return unit;
}

/* Who chooses its network first. */
static int by_choice(const void *left, const void *right, void *context)
{
	const struct generate_units *units = context;
	const struct generate_unit *a = &units->units[*(const uint32_t *)left];
	const struct generate_unit *b = &units->units[*(const uint32_t *)right];
	bool late_a = code_number(a->code) % 3 != 1, late_b = code_number(b->code) % 3 != 1;

	if (a->tier != b->tier)
		return a->tier > b->tier ? -1 : 1;
	if (late_a != late_b)
		return late_a ? 1 : -1;
	return strcmp(a->code, b->code);
}

/* Each code looks elsewhere when its network is gone, so that one that comes or goes moves hardly
 * any other. */
static void lan_choose(struct planner *p, uint32_t unit, uint8_t *taken)
{
	const struct generate_unit *u = &p->units->units[unit];
	uint32_t block = code_number(p->units->units[unit_top(p->units, unit)].code);
	uint8_t *mine = taken + (size_t)block * GENERATE_BLOCK_NETWORKS;
	uint32_t number = code_number(u->code), want = number / 3 % GENERATE_BLOCK_NETWORKS;
	uint32_t step = (uint32_t)(mix(number) % GENERATE_BLOCK_NETWORKS) | 1, tries = 0;

	while (mine[want] && tries++ < GENERATE_BLOCK_NETWORKS)
		want = (want + step) % GENERATE_BLOCK_NETWORKS;
	if (mine[want])
		diag_error(p->diags, u->place, "no network is left in this unit's block of %d",
			   GENERATE_BLOCK_NETWORKS);
	mine[want] = 1;
	p->plan.sites[unit].lan = LAN_SPACE + block * LAN_BLOCK + want * LAN_SIZE;
}

static int plan_lans(struct planner *p)
{
	size_t count = p->units->count;
	uint8_t *taken = calloc(128, GENERATE_BLOCK_NETWORKS);
	uint32_t *order = calloc(count + 1, sizeof(*order));
	int err = taken && order ? 0 : -TUYEN_ENOMEM;

	for (uint32_t i = 0; !err && i < count; i++)
		order[i] = i;
	if (!err)
		qsort_r(order, count, sizeof(*order), by_choice, (void *)(uintptr_t)p->units);
	for (size_t i = 0; !err && i < count; i++)
		lan_choose(p, order[i], taken);
	free(taken);
	free(order);
	return err;
}

/* ---- lines -------------------------------------------------------------------------- */

/* What a unit's links to its parent and its backup run over. */
static enum generate_line line_up(const struct generate_unit *u, const struct generate_site *s)
{
	return s->cellular ? GENERATE_LTE : u->parent == NONE ? GENERATE_LEASED : GENERATE_FIBRE;
}

/* Who has others below needs a line for each kind that they have, and no other. */
static void plan_lines_needed(struct planner *p)
{
	for (size_t i = 0; i < p->units->count; i++) {
		const struct generate_unit *u = &p->units->units[i];
		struct generate_site *s = &p->plan.sites[i];
		uint8_t line = (uint8_t)(1 << line_up(u, s));

		s->lines |= line;
		if (u->parent != NONE)
			p->plan.sites[u->parent].lines |= line;
		if (s->backup != NONE)
			p->plan.sites[s->backup].lines |= line;
		if (s->backup == NONE || u->parent == NONE)
			p->plan.gateway_lines |= line;
	}
}

static void plan_lines(struct planner *p)
{
	for (size_t i = 0; i < p->units->count; i++) {
		struct generate_site *s = &p->plan.sites[i];
		uint64_t dice = mix(p->options->seed << 32 ^ s->id);

		s->cellular = p->units->units[i].tier + 1 == p->units->tier_count &&
			      p->units->units[i].parent != NONE && dice % CELLULAR_ONE_IN == 0;
	}
	plan_lines_needed(p);
}

/* ---- the plan ----------------------------------------------------------------------- */

static bool planner_init(struct planner *p)
{
	size_t count = p->units->count + 1;

	p->plan.sites = calloc(count, sizeof(*p->plan.sites));
	p->plan.order = calloc(count, sizeof(*p->plan.order));
	p->sorted = calloc(count, sizeof(*p->sorted));
	p->next = calloc(count, sizeof(*p->next));
	name_table_init(&p->names);
	return p->plan.sites && p->plan.order && p->sorted && p->next;
}

static int planner_run(struct planner *p)
{
	size_t before = p->diags->error_count;
	int err;

	plan_ids(p);
	if (p->diags->error_count > before)
		return -TUYEN_EINVAL;
	plan_siblings(p);
	plan_backups(p);
	plan_lines(p);
	if ((err = plan_order(p)) || (err = plan_names(p)) || (err = plan_lans(p)))
		return err;
	return p->diags->error_count > before ? -TUYEN_EINVAL : 0;
}

int generate_plan(const struct generate_units *units, const struct generate_options *options,
		  struct diag_list *diags, struct generate_plan *ret_plan)
{
	struct planner p = {.units = units, .options = options, .diags = diags};
	int err = planner_init(&p) ? planner_run(&p) : -TUYEN_ENOMEM;

	free(p.sorted);
	free(p.next);
	name_table_clear(&p.names);
	if (err) {
		p.plan.count = units->count;
		generate_plan_clear(&p.plan);
		return err;
	}
	*ret_plan = p.plan;
	return 0;
}

void generate_plan_clear(struct generate_plan *plan)
{
	for (size_t i = 0; plan->sites && i < plan->count; i++)
		free(plan->sites[i].name);
	free(plan->sites);
	free(plan->order);
	*plan = (struct generate_plan){0};
}

/* ---- the topology ------------------------------------------------------------------- */

struct writer {
	const struct generate_units *units;
	const struct generate_plan *plan;
	const struct generate_options *options;
	struct text *t;
};

static void gateway_name(struct text *t, uint32_t index)
{
	text_printf(t, "npdc-%u", index + 1);
}

static void add_address(struct text *t, ipv4_t address)
{
	char buffer[IPV4_STRLEN];

	text_add(t, ipv4_format(address, buffer));
}

static void add_uplinks(struct text *t, unsigned lines, uint32_t id)
{
	static const struct {
		const char *underlay;
		ipv4_t first;
	} kinds[] = {
	    [GENERATE_LEASED] = {"leased", CARRIER_LEASED},
	    [GENERATE_FIBRE] = {"fibre", CARRIER_FIRST},
	    [GENERATE_LTE] = {"lte", CARRIER_SECOND},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!(lines >> i & 1))
			continue;
		text_printf(t, "\tuplink %s ", kinds[i].underlay);
		add_address(t, kinds[i].first + id);
		text_add(t, ";\n");
	}
}

static void add_lan(struct text *t, ipv4_t address, int length)
{
	text_add(t, "\tlan ");
	add_address(t, address);
	text_printf(t, "/%d;\n", length);
}

static void write_head(const struct writer *w)
{
	text_add(w->t, "# A country, written by `tuyen generate national`.\n"
		       "# Carrier addresses are from 198.18.0.0/15 (RFC 2544) and 192.0.2.0/24 "
		       "(RFC 5737); LANs follow the plan in "
		       "tuyen-generate(1).\n\n"
		       "tiers npdc");
	for (size_t i = 0; i < w->units->tier_count; i++) {
		text_add(w->t, ", ");
		print_name(w->units->tiers[i], w->t);
	}
	text_add(w->t, ";\n\n"
		       "underlay fibre { probe 100ms x 3; mtu 1500; delay 2ms; metric 20; }\n"
		       "underlay leased { probe 50ms x 3; mtu 1500; delay 5ms; metric 10; }\n"
		       "underlay lte { probe 2s x 3; mtu 1428; delay 40ms; metric 50; }\n");
}

/* All gateways stand in one LAN, and take over for each other. */
static void add_gateway_lan(const struct writer *w, uint32_t index)
{
	char lan[IPV4_PREFIX_STRLEN], own[IPV4_STRLEN];

	text_printf(w->t, "\tlan %s", ipv4_prefix_format((struct ipv4_prefix){LAN_SPACE, 24}, lan));
	if (w->options->gateways > 1)
		text_printf(w->t, " shared %s", ipv4_format(LAN_SPACE + 2 + index, own));
	text_add(w->t, ";\n");
}

static void write_gateways(const struct writer *w)
{
	for (uint32_t i = 0; i < w->options->gateways; i++) {
		text_add(w->t, "\nsite ");
		gateway_name(w->t, i);
		text_printf(w->t, " tier npdc id %u {\n", i + 1);
		add_uplinks(w->t, w->plan->gateway_lines | 1 << GENERATE_LEASED, i + 1);
		add_gateway_lan(w, i);
		text_add(w->t, "}\n");
	}
	for (uint32_t i = 1; i < w->options->gateways; i++) {
		text_add(w->t, "\nlink ");
		gateway_name(w->t, i - 1);
		text_add_char(w->t, ' ');
		gateway_name(w->t, i);
		text_add(w->t, ";\n");
	}
}

static void write_above(const struct writer *w, uint32_t unit)
{
	const struct generate_unit *u = &w->units->units[unit];
	const struct generate_site *s = &w->plan->sites[unit];
	uint32_t gateways = w->options->gateways, home = code_number(u->code) % gateways;

	text_add(w->t, " under ");
	if (u->parent == NONE)
		gateway_name(w->t, home);
	else
		print_name(w->plan->sites[u->parent].name, w->t);
	if (s->backup == NONE && gateways < 2 && u->parent == NONE)
		return;
	text_add(w->t, " backup ");
	if (s->backup != NONE)
		print_name(w->plan->sites[s->backup].name, w->t);
	else
		gateway_name(w->t, u->parent == NONE ? (home + 1) % gateways : home);
}

static void write_site(const struct writer *w, uint32_t unit)
{
	const struct generate_unit *u = &w->units->units[unit];
	const struct generate_site *s = &w->plan->sites[unit];
	bool leaf = u->tier + 1 == w->units->tier_count && u->parent != NONE;

	text_add(w->t, "\nsite ");
	print_name(s->name, w->t);
	text_add(w->t, " tier ");
	print_name(w->units->tiers[u->tier], w->t);
	text_printf(w->t, " id %u", s->id);
	write_above(w, unit);
	text_add(w->t, " {\n");
	if (s->cellular) {
		text_add(w->t, "\tuplink lte dynamic metered 500MB/day;\n");
	} else if (leaf) {
		text_add(w->t, "\tuplink fibre dynamic;\n");
	} else {
		add_uplinks(w->t, s->lines, s->id);
	}
	add_lan(w->t, s->lan, 25);
	text_add(w->t, "}\n");
}

int generate_topology(const struct generate_units *units, const struct generate_plan *plan,
		      const struct generate_options *options, struct text *ret_text)
{
	struct writer w = {units, plan, options, ret_text};

	write_head(&w);
	write_gateways(&w);
	for (size_t i = 0; i < plan->count; i++)
		write_site(&w, plan->order[i]);
	return print_canonical(ret_text);
}

/* ---- the policy --------------------------------------------------------------------- */

/*
 * A head-end has at most 15 candidate paths, and every gateway of a policy needs its own: with one
 * or two gateways all policies go to all of them, with more the second and third to two.
 */
static const struct {
	const char *name, *class_text, *class_name,
	    *probe; /* a gateway answers all probes of a country */
} colors[GENERATE_COLORS_MAX] = {
    {"citizen-query", "class query { to port tcp 443; priority high; }\n", "query", "300ms x 3"},
    {"alarms", "class alarm { to port udp 162, tcp 6514; priority normal; }\n", "alarm", "1s x 3"},
    {"records", "class record { to port tcp 5432; priority low; }\n", "record", "1s x 3"},
};

static void write_endpoints(const struct generate_options *options, uint32_t color, struct text *t)
{
	if (!color || options->gateways < 3) {
		text_add(t, "tier npdc");
		return;
	}
	gateway_name(t, (color - 1) % options->gateways);
	text_add(t, ", ");
	gateway_name(t, color % options->gateways);
}

static void write_color(const struct generate_units *units, const struct generate_options *options,
			uint32_t color, struct text *t)
{
	text_printf(t, "\npolicy %s color %u {\n\tfrom tier ", colors[color].name,
		    10 * (color + 1));
	for (size_t i = 0; i < units->tier_count; i++) {
		text_add(t, i ? ", " : "");
		print_name(units->tiers[i], t);
	}
	text_add(t, ";\n\tto ");
	write_endpoints(options, color, t);
	text_printf(t, ";\n\tcarry %s;\n\tpath main preference 200 via parent;\n",
		    colors[color].class_name);
	text_printf(t,
		    "\tpath spare preference 100 via backup disjoint main;\n"
		    "\tprobe %s;\n\trevert after 10s;\n\tencrypt end-to-end;\n}\n",
		    colors[color].probe);
}

int generate_policy(const struct generate_units *units, const struct generate_options *options,
		    struct text *ret_text)
{
	const char *leaf = units->tiers[units->tier_count - 1];

	text_add(ret_text,
		 "# Who may reach the data centre. Written by `tuyen generate national`.\n\n");
	for (uint32_t i = 0; i < options->colors; i++)
		text_add(ret_text, colors[i].class_text);
	for (uint32_t i = 0; i < options->colors; i++)
		write_color(units, options, i, ret_text);
	text_add(ret_text, "\nexpect tier ");
	print_name(leaf, ret_text);
	text_add(ret_text, " reaches tier npdc with query;\nexpect tier ");
	print_name(leaf, ret_text);
	text_add(ret_text, " never reaches tier ");
	print_name(leaf, ret_text);
	text_add(ret_text, ";\n");
	return print_canonical(ret_text); /* long lists of tiers are folded */
}

/* ---- fake keys ---------------------------------------------------------------------- */

static int fake_key(uint64_t seed, uint32_t id, const char *purpose, struct text *t)
{
	uint8_t digest[SHA256_LEN];
	char word[96], base64[WG_KEY_STRLEN];
	int length = snprintf(word, sizeof(word), "tuyen fake %s key, seed %llu, site %u", purpose,
			      (unsigned long long)seed, id);
	int err = sha256_digest(word, (size_t)length, digest);

	if (!err)
		text_printf(t, "\t%s \"%s\";\n", purpose, wg_key_format(digest, base64));
	return err;
}

static int fake_keys_of(struct text *t, const struct generate_options *options, uint32_t id)
{
	int err;

	text_add(t, " {\n");
	if ((err = fake_key(options->seed, id, "link", t)) ||
	    (err = fake_key(options->seed, id, "session", t)))
		return err;
	text_add(t, "}\n");
	return 0;
}

int generate_fake_keys(const struct generate_units *units, const struct generate_plan *plan,
		       const struct generate_options *options, struct text *ret_text)
{
	int err = 0;

	(void)units;
	text_add(ret_text,
		 "# FAKE keys, for tests and benchmarks: nobody has the private halves.\n");
	for (uint32_t i = 0; !err && i < options->gateways; i++) {
		text_add(ret_text, "\nkeys ");
		gateway_name(ret_text, i);
		err = fake_keys_of(ret_text, options, i + 1);
	}
	for (size_t i = 0; !err && i < plan->count; i++) {
		const struct generate_site *s = &plan->sites[plan->order[i]];

		text_add(ret_text, "\nkeys ");
		print_name(s->name, ret_text);
		err = fake_keys_of(ret_text, options, s->id);
	}
	return err;
}
