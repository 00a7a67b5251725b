/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of the policy: classes, policies and their candidate paths, deny
 * rules, expectations. A selector becomes a sorted set of sites here, so that
 * nobody behind the checker knows how it was said.
 */
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"
#include "tuyen/policies/check_state.h"

#define COLOR_MAX	  9999
#define PREFERENCE_MAX	  65535
#define REVERT_DEFAULT_MS 2000
#define REVERT_MAX_US	  3600000000u
#define ROUND_TRIP_MAX_US 10000000u
#define DELAY_MAX_US	  10000000
#define CLASS_MATCHES_MAX 4096
#define PRIORITY_NORMAL	  1

/* ---- classes ---- */

struct class_match check_match(const struct syntax_node *node)
{
	struct class_match m = {.port_last = UINT16_MAX};

	if (node->kind == SYNTAX_PROTOCOL) {
		m.protocol = (uint8_t)node->number;
		return m;
	}
	m.protocol = (uint8_t)check_child(node, SYNTAX_PROTOCOL)->number;
	m.port_first = (uint16_t)node->number;
	m.port_last = (uint16_t)node->number2;
	return m;
}

static void class_ports(struct check *c, const struct syntax_file *file,
			const struct syntax_node *node)
{
	struct syntax_node last = *node;

	last.number = node->number2;
	if (node->number2 < node->number)
		diag_error(c->diags, syntax_place(file, node), "this range ends before it begins");
	else if (check_range(c, file, node, 1, UINT16_MAX, "a port") == node->number)
		check_range(c, file, &last, 1, UINT16_MAX, "a port");
}

static const struct {
	const char *name;
	uint8_t dscp;
} dscp_names[] = {
    {"be", 0},	  {"cs0", 0},	{"cs1", 8},   {"cs2", 16},  {"cs3", 24},  {"cs4", 32},
    {"cs5", 40},  {"cs6", 48},	{"cs7", 56},  {"af11", 10}, {"af12", 12}, {"af13", 14},
    {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30},
    {"af41", 34}, {"af42", 36}, {"af43", 38}, {"ef", 46},   {"va", 44},	  {"le", 1},
};

uint8_t check_dscp_of(const struct syntax_node *node)
{
	for (size_t i = 0; node->text && i < sizeof(dscp_names) / sizeof(dscp_names[0]); i++)
		if (strcmp(dscp_names[i].name, node->text) == 0)
			return dscp_names[i].dscp;
	return (uint8_t)node->number;
}

uint8_t check_dscp(struct check *c, const struct syntax_file *file, const struct syntax_node *node)
{
	if (!node->text) {
		check_range(c, file, node, 0, 63, "a DSCP");
		return check_dscp_of(node) & 63;
	}
	for (size_t i = 0; i < sizeof(dscp_names) / sizeof(dscp_names[0]); i++)
		if (strcmp(dscp_names[i].name, node->text) == 0)
			return dscp_names[i].dscp;
	diag_error(c->diags, syntax_place(file, node),
		   "'%s' is no DSCP: 0 to 63, ef, af11 to af43, cs0 to cs7, va, le or be",
		   node->text);
	return 0;
}

/* @m with each of the class's DSCPs, or once with none. */
static void class_match_dscp(const struct syntax_node *node, struct class_match m,
			     struct traffic_class *t)
{
	const struct syntax_node *dscp = check_child(node, SYNTAX_DSCP);

	if (!dscp)
		t->matches[t->match_count++] = m;
	for (; dscp; dscp = dscp->next) {
		if (dscp->kind != SYNTAX_DSCP)
			continue;
		m.has_dscp = true;
		m.dscp = check_dscp_of(dscp);
		t->matches[t->match_count++] = m;
	}
}

/* @m with each of the class's prefixes, or once with none. */
static void class_match_add(const struct syntax_node *node, struct class_match m,
			    struct traffic_class *t)
{
	const struct syntax_node *prefix = check_child(node, SYNTAX_TO_PREFIX);

	if (!prefix)
		class_match_dscp(node, m, t);
	for (; prefix; prefix = prefix->next) {
		if (prefix->kind != SYNTAX_TO_PREFIX)
			continue;
		m.to = prefix->prefix;
		class_match_dscp(node, m, t);
	}
}

static void class_matches(struct check *c, struct statement s, struct traffic_class *t)
{
	size_t ports =
	    check_child_count(s.node, SYNTAX_TO_PORT) + check_child_count(s.node, SYNTAX_PROTOCOL);
	size_t prefixes = check_child_count(s.node, SYNTAX_TO_PREFIX);
	size_t dscps = check_child_count(s.node, SYNTAX_DSCP);
	size_t count = (ports ? ports : 1) * (prefixes ? prefixes : 1) * (dscps ? dscps : 1);

	if (count > CLASS_MATCHES_MAX) {
		diag_error(c->diags, check_at(s),
			   "class '%s' has %zu combinations of port, prefix and DSCP; "
			   "%d are the most",
			   s.node->text, count, CLASS_MATCHES_MAX);
		return;
	}
	t->matches = check_alloc(c, count, sizeof(*t->matches));
	if (!t->matches)
		return;
	for (const struct syntax_node *n = s.node->child; n; n = n->next)
		if (n->kind == SYNTAX_TO_PORT || n->kind == SYNTAX_PROTOCOL)
			class_match_add(s.node, check_match(n), t);
	if (!ports)
		class_match_add(s.node, (struct class_match){.port_last = UINT16_MAX}, t);
}

void check_class(struct check *c, uint32_t index)
{
	struct statement s = c->class_at[index];
	struct traffic_class *t = &c->network.classes[index];
	const struct syntax_node *priority = check_child(s.node, SYNTAX_PRIORITY);

	*t = (struct traffic_class){.name = check_strdup(c, s.node->text),
				    .priority =
					priority ? (uint8_t)priority->number : PRIORITY_NORMAL,
				    .place = check_place(c, s.file, s.node)};
	check_once(c, s.file, s.node);
	check_note(c, s, &t->note);
	for (const struct syntax_node *n = s.node->child; n; n = n->next) {
		if (n->kind == SYNTAX_TO_PORT)
			class_ports(c, s.file, n);
		else if (n->kind == SYNTAX_DSCP)
			check_dscp(c, s.file, n);
		else if (n->kind == SYNTAX_SHARE)
			t->share_percent =
			    (uint8_t)check_range(c, s.file, n, 1, 100, "a share in percent");
	}
	class_matches(c, s, t);
	if (!s.node->broken && !check_child(s.node, SYNTAX_TO_PORT) &&
	    !check_child(s.node, SYNTAX_TO_PREFIX) && !check_child(s.node, SYNTAX_PROTOCOL) &&
	    !check_child(s.node, SYNTAX_DSCP))
		diag_error(c->diags, check_at(s), "class '%s' says no port, protocol or prefix",
			   s.node->text);
}

/* Of one line there is only the whole. */
static void class_shares(struct check *c)
{
	const struct network *n = &c->network;
	unsigned sum = 0;
	size_t first = 0;

	for (size_t i = 0; i < n->class_count; i++) {
		sum += n->classes[i].share_percent;
		if (sum == n->classes[i].share_percent)
			first = i;
		if (sum <= 100 || !n->classes[i].share_percent)
			continue;
		diag_error(c->diags,
			   syntax_place(c->class_at[i].file,
					check_child(c->class_at[i].node, SYNTAX_SHARE)),
			   "with this, the classes' shares come to %u%% of a line", sum);
		diag_note(c->diags, check_at(c->class_at[first]), "the first class with a share");
		return;
	}
}

/* A share is of a rate. */
static void shares_without_rate(struct check *c)
{
	const struct network *n = &c->network;

	for (uint32_t i = 0; i < n->class_count && !check_unlawful(c) && !c->rated; i++) {
		if (!n->classes[i].share_percent)
			continue;
		diag_warning(c->diags,
			     syntax_place(c->class_at[i].file,
					  check_child(c->class_at[i].node, SYNTAX_SHARE)),
			     "share-without-rate",
			     "no underlay and no uplink says its rate: shares divide nothing");
		return;
	}
}

/* WireGuard's session hides which class a packet is of: a policy's packets have one queue. */
static void policy_priorities(struct check *c, uint32_t index)
{
	const struct policy *p = &c->network.policies[index];
	const struct traffic_class *classes = c->network.classes;

	for (size_t i = 1; i < p->class_count; i++) {
		const struct traffic_class *a = &classes[p->classes[0]],
					   *b = &classes[p->classes[i]];

		if (a->priority == b->priority)
			continue;
		diag_warning(c->diags, check_at(c->policy_at[index]), "mixed-priorities",
			     "classes '%s' and '%s' differ in priority and share the queue of "
			     "policy '%s': a policy of its own gives a class a queue of its own",
			     a->name, b->name, p->name);
		return;
	}
}

static void check_queues(struct check *c)
{
	if ((c->rated || c->marked) && c->network.policy_count > QUEUES_MAX)
		diag_error(c->diags, check_at(c->policy_at[QUEUES_MAX]),
			   "lines with a rate or with code points know %d policies apart: this is "
			   "one more",
			   QUEUES_MAX);
	shares_without_rate(c);
	for (uint32_t i = 0; c->rated && i < c->network.policy_count; i++)
		policy_priorities(c, i);
}

/* ---- selectors ---- */

static int index_compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

/* The sites that are named, each once. */
static void select_named(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *selector, struct site_set *set)
{
	size_t count = 0;

	set->sites = check_alloc(c, check_child_count(selector, SYNTAX_NAME), sizeof(*set->sites));
	if (!set->sites)
		return;
	for (const struct syntax_node *n = selector->child; n; n = n->next) {
		uint32_t index = check_name(c, file, n, &c->sites, "site");

		if (index != NETWORK_NONE)
			set->sites[count++] = index;
	}
	qsort(set->sites, count, sizeof(*set->sites), index_compare);
	for (size_t i = 0; i < count; i++)
		if (!set->count || set->sites[set->count - 1] != set->sites[i])
			set->sites[set->count++] = set->sites[i];
}

static bool site_is_marked(const struct check *c, const struct syntax_node *selector,
			   const bool *marked, uint32_t site)
{
	const struct network *n = &c->network;

	if (selector->kind == SYNTAX_SELECT_ALL)
		return true;
	if (selector->kind == SYNTAX_SELECT_TIER)
		return n->sites[site].tier != NETWORK_NONE && marked[n->sites[site].tier];
	if (selector->kind == SYNTAX_SELECT_TAG) {
		for (size_t i = 0; i < n->sites[site].tag_count; i++)
			if (marked[n->sites[site].tags[i]])
				return true;
		return false;
	}
	while (site != NETWORK_NONE && !marked[site])
		site = n->sites[site].parent; /* ends: tiers fall strictly */
	return site != NETWORK_NONE;
}

/* What the names of a selector are names of. */
struct selected {
	const struct name_table *table;
	const char *what;
	size_t count;
};

static struct selected selector_names(const struct check *c, enum syntax_kind kind)
{
	const struct network *n = &c->network;

	if (kind == SYNTAX_SELECT_TIER)
		return (struct selected){&c->tiers, "tier", n->tier_count};
	if (kind == SYNTAX_SELECT_TAG)
		return (struct selected){&c->tags, "tag", n->tag_count};
	return (struct selected){&c->sites, "site", n->site_count};
}

/* All sites, those of a tier or with a tag, or those below a site and itself. */
static void select_marked(struct check *c, const struct syntax_file *file,
			  const struct syntax_node *selector, struct site_set *set)
{
	const struct network *n = &c->network;
	struct selected names = selector_names(c, selector->kind);
	bool *marked = check_alloc(c, names.count, sizeof(*marked));

	set->sites = check_alloc(c, n->site_count, sizeof(*set->sites));
	for (const struct syntax_node *name = selector->child; name && !c->failed;
	     name = name->next) {
		uint32_t index = check_name(c, file, name, names.table, names.what);

		if (index != NETWORK_NONE)
			marked[index] = true;
	}
	for (uint32_t i = 0; i < n->site_count && !c->failed; i++)
		if (site_is_marked(c, selector, marked, i))
			set->sites[set->count++] = i;
	free(marked);
}

static void select_set(struct check *c, const struct syntax_file *file,
		       const struct syntax_node *selector, struct site_set *set)
{
	if (selector->kind == SYNTAX_SELECT_SITE)
		select_named(c, file, selector, set);
	else
		select_marked(c, file, selector, set);
}

/* Both are sorted. */
static void set_subtract(struct site_set *set, const struct site_set *without)
{
	size_t kept = 0, k = 0;

	for (size_t i = 0; i < set->count; i++) {
		while (k < without->count && without->sites[k] < set->sites[i])
			k++;
		if (k == without->count || without->sites[k] != set->sites[i])
			set->sites[kept++] = set->sites[i];
	}
	set->count = kept;
}

/* @selector, and the exceptions behind it. */
static void check_select(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *selector, struct site_set *set)
{
	size_t errors = c->diags->error_count;

	select_set(c, file, selector, set);
	for (const struct syntax_node *n = selector->next; n && !c->failed; n = n->next) {
		struct site_set without = {0};

		select_set(c, file, n->child, &without);
		set_subtract(set, &without);
		free(without.sites);
	}
	if (!set->count && c->diags->error_count == errors && !c->discarded && !c->failed)
		diag_warning(c->diags, syntax_place(file, selector), "empty-selector",
			     "no site is selected by this");
}

static bool set_equal(const struct site_set *a, const struct site_set *b)
{
	return a->count == b->count && a->count &&
	       memcmp(a->sites, b->sites, a->count * sizeof(*a->sites)) == 0;
}

/* ---- policies ---- */

static void policy_require(struct check *c, struct statement s, enum syntax_kind kind,
			   const char *what)
{
	if (!s.node->broken && !check_child(s.node, kind))
		diag_error(c->diags, check_at(s), "policy '%s' lacks '%s'", s.node->text, what);
}

static void policy_color(struct check *c, struct statement s, uint32_t index)
{
	const struct syntax_node *color = check_child(s.node, SYNTAX_COLOR);
	struct policy *p = &c->network.policies[index];

	if (!color)
		return;
	p->color = (uint32_t)check_range(c, s.file, color, 1, COLOR_MAX, "a color");
	for (uint32_t i = 0; i < index; i++) {
		if (c->network.policies[i].color != p->color || color->number != p->color)
			continue;
		diag_error(c->diags, syntax_place(s.file, color), "color %u is that of policy '%s'",
			   p->color, c->network.policies[i].name);
		diag_note(c->diags, check_at(c->policy_at[i]), "the other policy");
		return;
	}
}

static void policy_carry(struct check *c, struct statement s, struct policy *p)
{
	const struct syntax_node *carry = check_child(s.node, SYNTAX_CARRY);

	if (!carry)
		return;
	p->classes = check_alloc(c, check_child_count(carry, SYNTAX_NAME), sizeof(*p->classes));
	if (!p->classes)
		return;
	for (const struct syntax_node *n = carry->child; n; n = n->next) {
		uint32_t index = check_name(c, s.file, n, &c->classes, "class");

		if (index == NETWORK_NONE)
			continue;
		for (size_t i = 0; i < p->class_count; i++)
			if (p->classes[i] == index)
				diag_error(c->diags, syntax_place(s.file, n),
					   "class '%s' stands here twice", n->text);
		p->classes[p->class_count++] = index;
	}
}

static enum path_via path_via_of(const struct syntax_node *path, const struct syntax_node **ret_via)
{
	static const struct {
		enum syntax_kind kind;
		enum path_via via;
	} vias[] = {
	    {SYNTAX_VIA_PARENT, PATH_VIA_PARENT},
	    {SYNTAX_VIA_BACKUP, PATH_VIA_BACKUP},
	    {SYNTAX_VIA_THROUGH, PATH_VIA_SITES},
	};

	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		*ret_via = check_child(path, vias[i].kind);
		if (*ret_via)
			return vias[i].via;
	}
	*ret_via = check_child(path, SYNTAX_VIA_SHORTEST);
	return PATH_VIA_SHORTEST;
}

static void path_through(struct check *c, const struct syntax_file *file,
			 const struct syntax_node *via, struct site_set *set)
{
	set->sites = check_alloc(c, check_child_count(via, SYNTAX_NAME), sizeof(*set->sites));
	if (!set->sites)
		return;
	for (const struct syntax_node *n = via->child; n; n = n->next) {
		uint32_t index = check_name(c, file, n, &c->sites, "site");

		if (index == NETWORK_NONE)
			continue;
		for (size_t i = 0; i < set->count; i++)
			if (set->sites[i] == index)
				diag_error(c->diags, syntax_place(file, n),
					   "the path goes through '%s' twice", n->text);
		set->sites[set->count++] = index;
	}
	if (set->count >= LABEL_STACK_MAX)
		diag_error(c->diags, syntax_place(file, via),
			   "a path goes through %d sites at most", LABEL_STACK_MAX - 1);
}

static void path_avoid_links_grow(struct check *c, struct candidate_path *path, uint32_t link)
{
	uint32_t *more =
	    realloc(path->avoid_links, (path->avoid_link_count + 1) * sizeof(*path->avoid_links));

	c->failed |= !more;
	if (!more)
		return;
	path->avoid_links = more;
	more[path->avoid_link_count++] = link;
}

static void path_avoid_sites(struct check *c, const struct syntax_file *file,
			     const struct syntax_node *avoid, struct candidate_path *path)
{
	struct site_set more = {0};

	select_named(c, file, avoid, &more);
	for (const struct syntax_node *n = avoid->child; n; n = n->next)
		for (size_t i = 0; i < path->through.count; i++)
			if (path->through.sites[i] == name_table_find(&c->sites, n->text))
				diag_error(c->diags, syntax_place(file, n),
					   "the path goes through '%s': it cannot avoid it",
					   n->text);
	if (c->failed || !path->avoid.count) {
		free(path->avoid.sites);
		path->avoid = more;
		return;
	}
	set_subtract(&more, &path->avoid);
	path->avoid.sites =
	    reallocarray(path->avoid.sites, path->avoid.count + more.count, sizeof(uint32_t));
	memcpy(path->avoid.sites + path->avoid.count, more.sites, more.count * sizeof(uint32_t));
	path->avoid.count += more.count;
	qsort(path->avoid.sites, path->avoid.count, sizeof(uint32_t), index_compare);
	free(more.sites);
}

static void path_avoid_link(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *avoid, struct candidate_path *path)
{
	uint32_t link = check_link_named(c, file, avoid);

	if (link != NETWORK_NONE)
		path_avoid_links_grow(c, path, link);
}

static void path_avoid_risk(struct check *c, const struct syntax_file *file,
			    const struct syntax_node *avoid, struct candidate_path *path)
{
	const struct network *n = &c->network;

	for (const struct syntax_node *name = avoid->child; name; name = name->next) {
		uint32_t risk = check_name(c, file, name, &c->risks, "risk");

		for (uint32_t l = 0; risk != NETWORK_NONE && l < n->link_count; l++)
			for (size_t i = 0; i < n->links[l].risk_count; i++)
				if (n->links[l].risks[i] == risk)
					path_avoid_links_grow(c, path, l);
	}
}

static void path_constraints(struct check *c, const struct syntax_file *file,
			     const struct syntax_node *node, struct candidate_path *path)
{
	size_t kept = 0;

	for (const struct syntax_node *n = node->child; n && !c->failed; n = n->next) {
		if (n->kind == SYNTAX_AVOID)
			path_avoid_sites(c, file, n, path);
		else if (n->kind == SYNTAX_AVOID_LINK)
			path_avoid_link(c, file, n, path);
		else if (n->kind == SYNTAX_AVOID_RISK)
			path_avoid_risk(c, file, n, path);
		else if (n->kind == SYNTAX_BEGIN_OVER)
			path->over = check_name(c, file, n, &c->underlays, "underlay");
		else if (n->kind == SYNTAX_MAX_DELAY)
			path->max_delay_us =
			    (uint32_t)check_time(c, file, n, 1, DELAY_MAX_US, "a delay");
		else if (n->kind == SYNTAX_MAX_LABELS)
			path->max_labels = (uint8_t)check_range(c, file, n, 1, LABEL_STACK_MAX,
								"a number of labels");
	}
	if (path->avoid_link_count)
		qsort(path->avoid_links, path->avoid_link_count, sizeof(uint32_t), index_compare);
	for (size_t i = 0; i < path->avoid_link_count; i++)
		if (!kept || path->avoid_links[kept - 1] != path->avoid_links[i])
			path->avoid_links[kept++] = path->avoid_links[i];
	path->avoid_link_count = kept;
}

/* A path via backup makes sense only if some head-end has a backup. */
static void path_backup(struct check *c, struct statement s, const struct syntax_node *node,
			const struct site_set *heads, const struct policy *p)
{
	for (size_t i = 0; i < heads->count; i++)
		if (c->network.sites[heads->sites[i]].backup != NETWORK_NONE)
			return;
	if (heads->count && !check_unlawful(c))
		diag_warning(c->diags, syntax_place(s.file, node), "unused-path",
			     "no head-end of policy '%s' has a backup: path '%s' is never used",
			     p->name, node->text);
}

/* The same for one that begins over a line that no head-end has. */
static void path_over(struct check *c, struct statement s, const struct syntax_node *node,
		      const struct site_set *heads, const struct candidate_path *path)
{
	for (size_t i = 0; i < heads->count; i++) {
		const struct site *site = &c->network.sites[heads->sites[i]];

		for (size_t k = 0; k < site->uplink_count; k++)
			if (site->uplinks[k].underlay == path->over)
				return;
	}
	if (heads->count && !check_unlawful(c))
		diag_warning(c->diags, syntax_place(s.file, node), "unused-path",
			     "no head-end of policy '%s' has a line '%s': path '%s' is never used",
			     s.node->text, c->network.underlays[path->over].name, node->text);
}

/* "from": only these of the policy's head-ends have the path. Who else is named has no use of it. */
static void path_heads(struct check *c, struct statement s, const struct syntax_node *node,
		       const struct policy *p, struct candidate_path *path)
{
	const struct syntax_node *from = check_child(node, SYNTAX_FROM);
	size_t kept = 0, said;

	if (!from)
		return;
	path->some = true;
	check_select(c, s.file, from->child, &path->heads);
	said = path->heads.count;
	for (size_t i = 0, k = 0; i < path->heads.count; i++) {
		while (k < p->from.count && p->from.sites[k] < path->heads.sites[i])
			k++;
		if (k < p->from.count && p->from.sites[k] == path->heads.sites[i])
			path->heads.sites[kept++] = path->heads.sites[i];
	}
	path->heads.count = kept;
	if (said && !kept && p->from.count && !check_unlawful(c))
		diag_warning(c->diags, syntax_place(s.file, node), "unused-path",
			     "no head-end of policy '%s' is among these: path '%s' is never used",
			     p->name, node->text);
}

static void policy_path(struct check *c, struct statement s, const struct syntax_node *node,
			struct policy *p)
{
	const struct syntax_node *preference = check_child(node, SYNTAX_PREFERENCE), *via;
	struct candidate_path *path = &p->paths[p->path_count];

	*path = (struct candidate_path){.name = check_strdup(c, node->text),
					.disjoint_from = NETWORK_NONE,
					.over = NETWORK_NONE,
					.place = check_place(c, s.file, node)};
	path->preference =
	    (uint32_t)check_range(c, s.file, preference, 1, PREFERENCE_MAX, "a preference");
	path->via = path_via_of(node, &via);
	if (path->via == PATH_VIA_SITES)
		path_through(c, s.file, via, &path->through);
	check_once(c, s.file, node);
	path_constraints(c, s.file, node, path);
	path_heads(c, s, node, p, path);
	if (path->via == PATH_VIA_BACKUP)
		path_backup(c, s, node, path->some ? &path->heads : &p->from, p);
	if (path->over != NETWORK_NONE)
		path_over(c, s, node, path->some ? &path->heads : &p->from, path);
	for (size_t i = 0; i < p->path_count && !c->failed; i++) {
		if (strcmp(p->paths[i].name, path->name) == 0)
			diag_error(c->diags, syntax_place(s.file, node),
				   "policy '%s' has a path '%s' already", p->name, node->text);
		else if (p->paths[i].preference == path->preference)
			diag_error(c->diags, syntax_place(s.file, preference),
				   "path '%s' has this preference already", p->paths[i].name);
	}
	p->path_count++;
}

static int path_compare(const void *left, const void *right)
{
	const struct candidate_path *a = left, *b = right;

	return a->preference > b->preference ? -1 : a->preference < b->preference;
}

static uint32_t path_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->path_count; i++)
		if (strcmp(p->paths[i].name, name) == 0)
			return (uint32_t)i;
	return NETWORK_NONE;
}

static void path_disjoint(struct check *c, struct statement s, const struct syntax_node *node,
			  struct policy *p)
{
	const struct syntax_node *disjoint = check_child(node, SYNTAX_DISJOINT);
	uint32_t self, other;

	if (!disjoint)
		return;
	self = path_find(p, node->text);
	other = path_find(p, disjoint->text);
	if (other == NETWORK_NONE && s.node->broken)
		return; /* it may be among what was not understood */
	if (other == NETWORK_NONE)
		diag_error(c->diags, syntax_place(s.file, disjoint), "policy '%s' has no path '%s'",
			   p->name, disjoint->text);
	else if (other >= self)
		diag_error(c->diags, syntax_place(s.file, disjoint),
			   "a path is disjoint from one of higher preference; '%s' is not",
			   disjoint->text);
	else
		p->paths[self].disjoint_from = other;
}

static void policy_paths(struct check *c, struct statement s, struct policy *p)
{
	size_t count = check_child_count(s.node, SYNTAX_PATH);

	if (count > SITE_PATHS_MAX) {
		diag_error(c->diags, check_at(s), "policy '%s' has %zu paths; %d are the most",
			   s.node->text, count, SITE_PATHS_MAX);
		return;
	}
	p->paths = check_alloc(c, count, sizeof(*p->paths));
	for (const struct syntax_node *n = s.node->child; n && !c->failed; n = n->next)
		if (n->kind == SYNTAX_PATH)
			policy_path(c, s, n, p);
	if (c->failed)
		return;
	qsort(p->paths, p->path_count, sizeof(*p->paths), path_compare);
	for (const struct syntax_node *n = s.node->child; n; n = n->next)
		if (n->kind == SYNTAX_PATH)
			path_disjoint(c, s, n, p);
}

static void policy_ends(struct check *c, struct statement s, struct policy *p)
{
	const struct syntax_node *from = check_child(s.node, SYNTAX_FROM);
	const struct syntax_node *to = check_child(s.node, SYNTAX_TO);

	if (from)
		check_select(c, s.file, from->child, &p->from);
	if (to)
		check_select(c, s.file, to->child, &p->to);
	if (from && to && set_equal(&p->from, &p->to))
		diag_error(c->diags, syntax_place(s.file, to),
			   "policy '%s' leads from and to the same sites", s.node->text);
}

static void policy_degraded(struct check *c, struct statement s, struct policy *p)
{
	const struct syntax_node *node = check_child(s.node, SYNTAX_DEGRADED);

	if (!node)
		return;
	check_once(c, s.file, node);
	for (const struct syntax_node *n = node->child; n; n = n->next)
		if (n->kind == SYNTAX_LOSS)
			p->degraded.loss_percent =
			    (uint8_t)check_range(c, s.file, n, 1, 99, "a loss in percent");
		else if (n->kind == SYNTAX_ROUND_TRIP)
			p->degraded.round_trip_us = (uint32_t)check_time(
			    c, s.file, n, 1000, ROUND_TRIP_MAX_US, "a round trip");
		else if (n->kind == SYNTAX_JITTER)
			p->degraded.jitter_us =
			    (uint32_t)check_time(c, s.file, n, 100, ROUND_TRIP_MAX_US, "a jitter");
}

static uint32_t hold_read(struct check *c, struct statement s, const struct syntax_node *node)
{
	return (uint32_t)(check_time(c, s.file, node, 0, REVERT_MAX_US, "a hold time") / 1000);
}

static void policy_revert(struct check *c, struct statement s, struct policy *p)
{
	const struct syntax_node *revert = check_child(s.node, SYNTAX_REVERT);
	const struct syntax_node *most = revert ? check_child(revert, SYNTAX_REVERT_MAX) : NULL;

	if (revert)
		p->revert_hold_ms = hold_read(c, s, revert);
	if (p->revert_max_ms < p->revert_hold_ms)
		p->revert_max_ms = p->revert_hold_ms;
	if (!most)
		return;
	p->revert_max_ms = hold_read(c, s, most);
	if (p->revert_max_ms < p->revert_hold_ms)
		diag_error(c->diags, syntax_place(s.file, most),
			   "the longest hold time is shorter than the first");
}

static void policy_probe(struct check *c, struct statement s, struct policy *p)
{
	const struct syntax_node *probe = check_child(s.node, SYNTAX_PROBE);

	if (probe)
		p->probe = check_probe(c, s.file, probe);
}

void check_policy(struct check *c, uint32_t index)
{
	struct statement s = c->policy_at[index];
	struct policy *p = &c->network.policies[index];

	*p = (struct policy){.name = check_strdup(c, s.node->text),
			     .revert_hold_ms = REVERT_DEFAULT_MS,
			     .revert_max_ms = REVERT_MAX_DEFAULT_MS,
			     .place = check_place(c, s.file, s.node)};
	check_once(c, s.file, s.node);
	check_note(c, s, &p->note);
	policy_color(c, s, index);
	policy_ends(c, s, p);
	policy_carry(c, s, p);
	policy_paths(c, s, p);
	policy_degraded(c, s, p);
	policy_revert(c, s, p);
	policy_probe(c, s, p);
	policy_require(c, s, SYNTAX_FROM, "from");
	policy_require(c, s, SYNTAX_TO, "to");
	policy_require(c, s, SYNTAX_CARRY, "carry");
	policy_require(c, s, SYNTAX_PATH, "path");
	policy_require(c, s, SYNTAX_ENCRYPT, "encrypt end-to-end");
}

/* ---- rules and expectations ---- */

static uint32_t class_of(struct check *c, struct statement s)
{
	const struct syntax_node *with = check_child(s.node, SYNTAX_WITH);

	return with ? check_name(c, s.file, with, &c->classes, "class") : NETWORK_NONE;
}

void check_deny(struct check *c, struct statement s, struct deny_rule *ret_rule)
{
	ret_rule->place = check_place(c, s.file, s.node);
	check_once(c, s.file, s.node);
	check_note(c, s, &ret_rule->note);
	check_select(c, s.file, check_child(s.node, SYNTAX_FROM)->child, &ret_rule->from);
	check_select(c, s.file, check_child(s.node, SYNTAX_TO)->child, &ret_rule->to);
	ret_rule->class_index = class_of(c, s);
}

void check_expect(struct check *c, struct statement s, struct expectation *ret_expectation)
{
	const struct syntax_node *link = check_child(s.node, SYNTAX_AFTER_LINK);

	*ret_expectation = (struct expectation){
	    .kind = s.node->number			    ? EXPECT_NEVER_REACHES
		    : link				    ? EXPECT_REACHES_AFTER_LINK_FAILURE
		    : check_child(s.node, SYNTAX_AFTER_ANY) ? EXPECT_REACHES_AFTER_ANY_LINK_FAILURE
							    : EXPECT_REACHES,
	    .link = link ? check_link_named(c, s.file, link) : NETWORK_NONE,
	    .place = check_place(c, s.file, s.node),
	};
	check_select(c, s.file, check_child(s.node, SYNTAX_FROM)->child, &ret_expectation->from);
	check_select(c, s.file, check_child(s.node, SYNTAX_TO)->child, &ret_expectation->to);
	ret_expectation->class_index = class_of(c, s);
}

static bool set_has_lan(const struct network *n, const struct site_set *set,
			struct ipv4_prefix prefix)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct site *s = &n->sites[set->sites[i]];

		for (size_t k = 0; k < s->lan_count; k++)
			if (ipv4_prefix_overlaps(s->lans[k], prefix))
				return true;
	}
	return false;
}

static bool prefix_is_reached(const struct network *n, uint32_t class_index,
			      struct ipv4_prefix prefix)
{
	for (size_t i = 0; i < n->policy_count; i++)
		for (size_t k = 0; k < n->policies[i].class_count; k++)
			if (n->policies[i].classes[k] == class_index &&
			    set_has_lan(n, &n->policies[i].to, prefix))
				return true;
	return false;
}

/* Of a class that several policies carry, not each must lead to each of its prefixes; one at least to each. */
static void class_prefixes(struct check *c, uint32_t index)
{
	struct statement s = c->class_at[index];

	for (const struct syntax_node *n = s.node->child; n && !check_unlawful(c); n = n->next)
		if (n->kind == SYNTAX_TO_PREFIX &&
		    !prefix_is_reached(&c->network, index, n->prefix))
			diag_error(
			    c->diags, syntax_place(s.file, n),
			    "no policy that carries class '%s' leads to a LAN in this prefix",
			    s.node->text);
}

void check_policies(struct check *c)
{
	bool *carried = check_alloc(c, c->network.class_count, sizeof(*carried));

	if (!carried)
		return;
	for (size_t i = 0; i < c->network.policy_count; i++)
		for (size_t k = 0; k < c->network.policies[i].class_count; k++)
			carried[c->network.policies[i].classes[k]] = true;
	for (uint32_t i = 0; i < c->network.class_count && !c->discarded; i++)
		if (!carried[i])
			diag_warning(c->diags, check_at(c->class_at[i]), "unused-class",
				     "no policy carries class '%s'", c->network.classes[i].name);
	for (uint32_t i = 0; i < c->network.class_count && !c->discarded; i++)
		if (carried[i])
			class_prefixes(c, i);
	free(carried);
	class_shares(c);
	check_queues(c);
	check_overlaps(c);
}
