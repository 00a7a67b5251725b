/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From syntax trees to a network. All files count as one: the statements are
 * counted, declared (so that a name may be used before the line that declares
 * it), and then resolved kind by kind. A check never stops at an error; it puts
 * something lawful in its place and goes on, so that one run finds everything.
 * The network leaves here only when nothing was wrong.
 */
#include "tuyen/policies/check.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/policies/check_state.h"
#include "tuyen/policies/compile.h"

static const struct {
	const char *name, *summary;
} warnings[] = {
    {"empty-selector", "a selector selects no site"},
    {"expired-rule", "a rule has expired: it is left out"},
    {"expires-soon", "a rule expires before the release does"},
    {"isolated-site", "a site has no link"},
    {"missing-keys", "sites have no keys; compiling needs them"},
    {"mixed-priorities", "classes of different priority share the queue of one policy"},
    {"overlapping-classes", "some packets that a policy carries go by another of a lower color"},
    {"shadowed-class", "all packets of a class go by another policy, of a lower color"},
    {"share-without-rate", "a class has a share, and no line a rate"},
    {COMPILE_WARNING_SHARED, "a path cannot be as disjoint as it should"},
    {COMPILE_WARNING_RISKS, "a path shares a risk with one from which it should be disjoint"},
    {"single-risk", "a shared risk is that of one link alone"},
    {"slow-detection", "a failure is found by a probe after more than a minute"},
    {COMPILE_WARNING_UNMET, "some sites lack a path: no way of theirs fulfils its constraints"},
    {"unused-class", "no policy carries the class"},
    {"unused-path", "no head-end can have the path"},
    {"unused-template", "no site uses the template"},
    {"unused-uplink", "no link runs over the uplink"},
};

const char *check_warning_name(size_t index)
{
	return index < sizeof(warnings) / sizeof(warnings[0]) ? warnings[index].name : NULL;
}

const char *check_warning_summary(size_t index)
{
	return warnings[index].summary;
}

/* ---- shared ---- */

void *check_alloc(struct check *c, size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	c->failed |= !memory;
	return memory;
}

char *check_strdup(struct check *c, const char *string)
{
	char *copy = strdup(string);

	c->failed |= !copy;
	return copy;
}

struct source_place check_place(const struct check *c, const struct syntax_file *file,
				const struct syntax_node *node)
{
	struct source_place place = {0};

	/* files are few, and those of one statement kind stand together */
	while (c->files[place.file] != file)
		place.file++;
	diag_source_locate(&file->source, node->offset, &place.line, &place.column);
	return place;
}

struct diag_place check_at(struct statement s)
{
	return syntax_place(s.file, s.node);
}

const struct syntax_node *check_child(const struct syntax_node *node, enum syntax_kind kind)
{
	for (const struct syntax_node *n = node->child; n; n = n->next)
		if (n->kind == kind)
			return n;
	return NULL;
}

size_t check_child_count(const struct syntax_node *node, enum syntax_kind kind)
{
	size_t count = 0;

	for (const struct syntax_node *n = node->child; n; n = n->next)
		count += n->kind == kind;
	return count;
}

static bool kind_repeats(enum syntax_kind kind)
{
	return kind == SYNTAX_NAME || kind == SYNTAX_UPLINK || kind == SYNTAX_LAN ||
	       kind == SYNTAX_DEVICE || kind == SYNTAX_TO_PORT || kind == SYNTAX_TO_PREFIX ||
	       kind == SYNTAX_PROTOCOL || kind == SYNTAX_PATH || kind == SYNTAX_DSCP ||
	       kind == SYNTAX_TAG || kind == SYNTAX_RISK || kind == SYNTAX_AVOID ||
	       kind == SYNTAX_AVOID_LINK || kind == SYNTAX_AVOID_RISK || kind == SYNTAX_PLAN_TIER ||
	       kind == SYNTAX_DSCP_MARK;
}

static const struct syntax_node *first_of_kind(const struct syntax_node *node,
					       enum syntax_kind kind)
{
	while (node->kind != kind)
		node = node->next;
	return node;
}

void check_once(struct check *c, const struct syntax_file *file, const struct syntax_node *node)
{
	uint64_t seen[2] = {0};

	static_assert(SYNTAX_AFTER_LINK < 128, "a bit for each kind");
	for (const struct syntax_node *n = node->child; n; n = n->next) {
		uint64_t bit = UINT64_C(1) << n->kind % 64;

		if (kind_repeats(n->kind))
			continue;
		if (seen[n->kind / 64] & bit) {
			diag_error(c->diags, syntax_place(file, n), "this was said already");
			diag_note(c->diags, syntax_place(file, first_of_kind(node->child, n->kind)),
				  "first said here");
		}
		seen[n->kind / 64] |= bit;
	}
}

uint64_t check_range(struct check *c, const struct syntax_file *file,
		     const struct syntax_node *node, uint64_t low, uint64_t high, const char *what)
{
	if (node->number >= low && node->number <= high)
		return node->number;
	diag_error(c->diags, syntax_place(file, node), "%s must be from %llu to %llu", what,
		   (unsigned long long)low, (unsigned long long)high);
	return low;
}

static const char *time_format(uint64_t us, char out[static 24])
{
	if (us % 1000000 == 0)
		snprintf(out, 24, "%llus", (unsigned long long)us / 1000000);
	else if (us % 1000 == 0)
		snprintf(out, 24, "%llums", (unsigned long long)us / 1000);
	else
		snprintf(out, 24, "%lluus", (unsigned long long)us);
	return out;
}

uint64_t check_time(struct check *c, const struct syntax_file *file, const struct syntax_node *node,
		    uint64_t low, uint64_t high, const char *what)
{
	char least[24], most[24];

	if (node->number >= low && node->number <= high)
		return node->number;
	diag_error(c->diags, syntax_place(file, node), "%s must be from %s to %s", what,
		   time_format(low, least), time_format(high, most));
	return low;
}

uint32_t check_name(struct check *c, const struct syntax_file *file, const struct syntax_node *node,
		    const struct name_table *table, const char *what)
{
	uint32_t index = name_table_find(table, node->text);
	const char *nearest;

	if (index != NAME_NONE)
		return index;
	nearest = diag_list_is_full(c->diags) ? NULL : name_table_nearest(table, node->text);
	if (table == &c->sites && name_table_find(&c->tiers, node->text) != NAME_NONE)
		diag_error(c->diags, syntax_place(file, node),
			   "unknown site '%s'; all sites of the tier are 'tier %s'", node->text,
			   node->text);
	else if (table == &c->sites && name_table_find(&c->tags, node->text) != NAME_NONE)
		diag_error(c->diags, syntax_place(file, node),
			   "unknown site '%s'; all sites with the tag are 'tag %s'", node->text,
			   node->text);
	else if (nearest)
		diag_error(c->diags, syntax_place(file, node),
			   "unknown %s '%s'; did you mean '%s'?", what, node->text, nearest);
	else if (!c->discarded)
		diag_error(c->diags, syntax_place(file, node), "unknown %s '%s'", what, node->text);
	return NETWORK_NONE;
}

void check_declare(struct check *c, struct statement s, struct name_table *table, uint32_t index,
		   const struct statement *first, const char *what)
{
	int err = name_table_add(table, s.node->text, index);

	if (err == -TUYEN_EEXIST) {
		diag_error(c->diags, check_at(s), "%s '%s' is declared already", what,
			   s.node->text);
		diag_note(c->diags, check_at(first[name_table_find(table, s.node->text)]),
			  "the other '%s'", s.node->text);
	} else if (err < 0) {
		c->failed = true;
	}
}

/* Room for one more at the end of a list that grows by doubling. */
static bool names_grow(struct check *c, char ***names, size_t count)
{
	char **more;

	if (count & (count - 1))
		return true;
	more = realloc(*names, (count ? count * 2 : 1) * sizeof(*more));
	c->failed |= !more;
	if (more)
		*names = more;
	return more != NULL;
}

uint32_t check_intern(struct check *c, const char *name, struct name_table *table, char ***names,
		      size_t *count)
{
	uint32_t index = name_table_find(table, name);

	if (index != NAME_NONE)
		return index;
	if (!names_grow(c, names, *count) || name_table_add(table, name, (uint32_t)*count) < 0) {
		c->failed = true;
		return NETWORK_NONE;
	}
	(*names)[*count] = check_strdup(c, name);
	return (uint32_t)(*count)++;
}

static int index_compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

void check_intern_all(struct check *c, const struct syntax_node *node, enum syntax_kind kind,
		      struct name_table *table, char ***names, size_t *name_count,
		      uint32_t **indexes, size_t *count)
{
	size_t most = *count, kept = 0;
	uint32_t *all;

	for (const struct syntax_node *n = node->child; n; n = n->next)
		if (n->kind == kind)
			most += check_child_count(n, SYNTAX_NAME);
	if (most == *count)
		return;
	all = realloc(*indexes, most * sizeof(*all));
	c->failed |= !all;
	if (!all)
		return;
	*indexes = all;
	for (const struct syntax_node *n = node->child; n; n = n->next)
		for (const struct syntax_node *name = n->child; n->kind == kind && name;
		     name = name->next)
			all[(*count)++] = check_intern(c, name->text, table, names, name_count);
	qsort(all, *count, sizeof(*all), index_compare);
	for (size_t i = 0; i < *count; i++)
		if (!kept || all[kept - 1] != all[i])
			all[kept++] = all[i];
	*count = kept;
}

/* Does the site say itself what this item of its template says? */
static bool item_is_replaced(const struct check *c, uint32_t site, const struct syntax_node *item)
{
	if (item->kind != SYNTAX_UPLINK && item->kind != SYNTAX_DEVICE)
		return false;
	for (const struct syntax_node *n = c->site_at[site].node->child; n; n = n->next)
		if (n->kind == item->kind && strcmp(n->text, item->text) == 0)
			return true;
	return false;
}

bool check_site_item(const struct check *c, uint32_t site, struct site_item *item)
{
	const struct syntax_node *next = item->at.node ? item->at.node->next : NULL;
	uint32_t t = c->template_of[site];

	if (!item->at.file && t != NETWORK_NONE) {
		item->at.file = c->template_at[t].file;
		next = c->template_at[t].node->child;
	}
	while (!item->own && next && item_is_replaced(c, site, next))
		next = next->next;
	if (!item->own && !next) {
		item->own = true;
		item->at.file = c->site_at[site].file;
		next = c->site_at[site].node->child;
	}
	item->at.node = next;
	return next != NULL;
}

/* ---- passes ---- */

/* What is done with the @index-th statement of its kind. */
typedef void check_visitor(struct check *c, struct statement s, uint32_t index);

static void check_visit(struct check *c, enum syntax_kind kind, check_visitor *visitor)
{
	for (size_t i = c->kind_first[kind]; i < c->kind_first[kind + 1] && !c->failed; i++)
		visitor(c, c->statements[i], (uint32_t)(i - c->kind_first[kind]));
}

static size_t check_count(const struct check *c, enum syntax_kind kind)
{
	return c->kind_first[kind + 1] - c->kind_first[kind];
}

/* All statements by kind, and in the order of the sources: they are asked for kind by kind. */
static bool check_divide(struct check *c)
{
	size_t fill[CHECK_KINDS + 1];

	for (size_t i = 0; i < c->file_count; i++)
		for (const struct syntax_node *n = c->files[i]->statements; n; n = n->next)
			c->kind_first[n->kind + 1]++;
	for (size_t k = 1; k <= CHECK_KINDS; k++)
		c->kind_first[k] += c->kind_first[k - 1];
	c->statements = check_alloc(c, c->kind_first[CHECK_KINDS], sizeof(*c->statements));
	if (c->failed)
		return false;
	memcpy(fill, c->kind_first, sizeof(fill));
	for (size_t i = 0; i < c->file_count; i++)
		for (const struct syntax_node *n = c->files[i]->statements; n; n = n->next)
			c->statements[fill[n->kind]++] = (struct statement){c->files[i], n};
	return true;
}

static void visit_network(struct check *c, struct statement s, uint32_t index)
{
	if (index) {
		diag_error(c->diags, check_at(s), "there is a network statement already");
		diag_note(c->diags, check_at(c->network_at), "the other one");
		return;
	}
	c->network_at = s;
	check_network_settings(c, s);
}

static void visit_tiers(struct check *c, struct statement s, uint32_t index)
{
	if (index) {
		diag_error(c->diags, check_at(s), "there is a tiers statement already");
		diag_note(c->diags, check_at(c->tiers_at), "the other one");
		return;
	}
	c->tiers_at = s;
	check_tiers(c, s);
}

static void visit_underlay(struct check *c, struct statement s, uint32_t index)
{
	c->underlay_at[index] = s;
	check_declare(c, s, &c->underlays, index, c->underlay_at, "underlay");
	check_underlay(c, s, index);
}

static void visit_template(struct check *c, struct statement s, uint32_t index)
{
	c->template_at[index] = s;
	check_declare(c, s, &c->templates, index, c->template_at, "template");
}

static void visit_plan(struct check *c, struct statement s, uint32_t index)
{
	if (index) {
		diag_error(c->diags, check_at(s), "there is a plan of the LANs already");
		diag_note(c->diags, check_at(c->plan_at), "the other one");
		return;
	}
	c->plan_at = s;
}

static void visit_site(struct check *c, struct statement s, uint32_t index)
{
	struct site *site = &c->network.sites[index];

	c->site_at[index] = s;
	c->template_of[index] = NETWORK_NONE;
	check_declare(c, s, &c->sites, index, c->site_at, "site");
	*site = (struct site){.name = check_strdup(c, s.node->text),
			      .tier = NETWORK_NONE,
			      .parent = NETWORK_NONE,
			      .backup = NETWORK_NONE};
	site->place = check_place(c, s.file, s.node);
}

static void visit_class(struct check *c, struct statement s, uint32_t index)
{
	c->class_at[index] = s;
	check_declare(c, s, &c->classes, index, c->class_at, "class");
}

static void visit_policy(struct check *c, struct statement s, uint32_t index)
{
	c->policy_at[index] = s;
	check_declare(c, s, &c->policies, index, c->policy_at, "policy");
}

static void visit_keys(struct check *c, struct statement s, uint32_t index)
{
	(void)index;
	check_keys(c, s);
}

static void visit_link(struct check *c, struct statement s, uint32_t index)
{
	(void)index;
	check_link(c, s);
}

static void visit_deny(struct check *c, struct statement s, uint32_t index)
{
	c->deny_at[index] = s;
	check_deny(c, s, &c->network.denies[index]);
}

static void visit_expect(struct check *c, struct statement s, uint32_t index)
{
	check_expect(c, s, &c->network.expectations[index]);
}

/* ---- memory ---- */

static bool check_alloc_files(struct check *c)
{
	struct network *n = &c->network;

	n->files = check_alloc(c, c->file_count, sizeof(*n->files));
	if (!n->files)
		return false;
	n->file_count = c->file_count;
	for (size_t i = 0; i < c->file_count; i++) {
		n->files[i] = check_strdup(c, c->files[i]->name);
		c->discarded |= c->files[i]->discarded;
	}
	return !c->failed;
}

#define ALLOC(array, counter, kind)                                                                \
	do {                                                                                       \
		size_t alloc_count = check_count(c, kind);                                         \
		(array) = check_alloc(c, alloc_count, sizeof(*(array)));                           \
		(counter) = (array) ? alloc_count : 0;                                             \
	} while (0)

static bool check_alloc_all(struct check *c)
{
	struct network *n = &c->network;
	size_t pairs;

	ALLOC(n->underlays, n->underlay_count, SYNTAX_UNDERLAY);
	ALLOC(n->sites, n->site_count, SYNTAX_SITE);
	ALLOC(n->classes, n->class_count, SYNTAX_CLASS);
	ALLOC(n->policies, n->policy_count, SYNTAX_POLICY);
	ALLOC(n->denies, n->deny_count, SYNTAX_DENY);
	ALLOC(n->expectations, n->expectation_count, SYNTAX_EXPECT);
	c->underlay_at = check_alloc(c, n->underlay_count, sizeof(*c->underlay_at));
	c->site_at = check_alloc(c, n->site_count, sizeof(*c->site_at));
	c->keys_at = check_alloc(c, n->site_count, sizeof(*c->keys_at));
	c->template_count = check_count(c, SYNTAX_TEMPLATE);
	c->template_at = check_alloc(c, c->template_count, sizeof(*c->template_at));
	c->template_used = check_alloc(c, c->template_count, sizeof(*c->template_used));
	c->template_bad = check_alloc(c, c->template_count, sizeof(*c->template_bad));
	c->template_of = check_alloc(c, n->site_count, sizeof(*c->template_of));
	c->deny_at = check_alloc(c, n->deny_count, sizeof(*c->deny_at));
	c->class_at = check_alloc(c, n->class_count, sizeof(*c->class_at));
	c->policy_at = check_alloc(c, n->policy_count, sizeof(*c->policy_at));
	pairs = n->site_count * 2 + check_count(c, SYNTAX_LINK);
	n->links = check_alloc(c, pairs, sizeof(*n->links));
	for (c->pair_capacity = 16; c->pair_capacity < pairs * 2; c->pair_capacity *= 2)
		;
	c->links_by_pair = check_alloc(c, c->pair_capacity, sizeof(*c->links_by_pair));
	return !c->failed;
}

static void check_clear(struct check *c)
{
	name_table_clear(&c->tiers);
	name_table_clear(&c->underlays);
	name_table_clear(&c->sites);
	name_table_clear(&c->classes);
	name_table_clear(&c->policies);
	name_table_clear(&c->keys);
	name_table_clear(&c->templates);
	name_table_clear(&c->tags);
	name_table_clear(&c->risks);
	free(c->statements);
	free(c->template_at);
	free(c->template_used);
	free(c->template_bad);
	free(c->template_of);
	free(c->deny_at);
	free(c->underlay_at);
	free(c->site_at);
	free(c->keys_at);
	free(c->class_at);
	free(c->policy_at);
	free(c->links_by_pair);
}

static void check_run_topology(struct check *c)
{
	check_visit(c, SYNTAX_NETWORK, visit_network);
	check_visit(c, SYNTAX_TIERS, visit_tiers);
	check_visit(c, SYNTAX_UNDERLAY, visit_underlay);
	check_visit(c, SYNTAX_TEMPLATE, visit_template);
	check_visit(c, SYNTAX_PLAN, visit_plan);
	check_visit(c, SYNTAX_SITE, visit_site);
	for (uint32_t i = 0; i < c->template_count && !c->failed; i++)
		check_template(c, i);
	for (uint32_t i = 0; i < c->network.site_count && !c->failed; i++)
		check_site(c, i);
	check_visit(c, SYNTAX_KEYS, visit_keys);
	if (!c->failed)
		check_topology(c);
	if (!c->failed)
		check_links_implied(c);
	check_visit(c, SYNTAX_LINK, visit_link);
	if (!c->failed)
		check_links(c);
}

static void check_run_policies(struct check *c)
{
	check_visit(c, SYNTAX_CLASS, visit_class);
	check_visit(c, SYNTAX_POLICY, visit_policy);
	for (uint32_t i = 0; i < c->network.class_count && !c->failed; i++)
		check_class(c, i);
	for (uint32_t i = 0; i < c->network.policy_count && !c->failed; i++)
		check_policy(c, i);
	check_visit(c, SYNTAX_DENY, visit_deny);
	check_visit(c, SYNTAX_EXPECT, visit_expect);
	if (!c->failed)
		check_policies(c);
	if (!c->failed)
		check_expired(c);
}

int check_network(const struct syntax_file *const *files, size_t count, unsigned flags,
		  struct diag_list *diags, struct network *ret_network)
{
	static const struct check_times before_all = {0};

	return check_network_at(files, count, flags, &before_all, diags, ret_network);
}

int check_network_at(const struct syntax_file *const *files, size_t count, unsigned flags,
		     const struct check_times *times, struct diag_list *diags,
		     struct network *ret_network)
{
	struct check c = {
	    .files = files, .file_count = count, .flags = flags, .times = *times, .diags = diags};
	int err = 0;

	network_init(&c.network);
	if (check_alloc_files(&c) && check_divide(&c) && check_alloc_all(&c)) {
		check_run_topology(&c);
		check_run_policies(&c);
	}
	if (c.failed || diags->failed)
		err = -TUYEN_ENOMEM;
	else if (diags->error_count)
		err = -TUYEN_EINVAL;
	if (err < 0)
		network_clear(&c.network);
	else
		*ret_network = c.network;
	check_clear(&c);
	return err;
}
