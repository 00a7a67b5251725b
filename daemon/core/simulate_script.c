/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a run's faults come from: a script, a ready-made scenario, or chance. Scenarios know no
 * tier by its name: a gateway is where ways end, a province what most ways lead through.
 */
#include "simulate_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCENARIO_FROM_US 10000000u
#define SCENARIO_TO_US	 40000000u
#define FAILURE_MIN_US	 1000000u
#define FAILURE_MAX_US	 60000000u
#define HOUR_US		 3600000000ull

void simulate_events_init(struct simulate_events *events)
{
	*events = (struct simulate_events){0};
}

void simulate_events_clear(struct simulate_events *events)
{
	free(events->entries);
	simulate_events_init(events);
}

int simulate_events_add(struct simulate_events *events, const struct simulate_event *event)
{
	if (events->count == events->capacity) {
		size_t capacity = events->capacity ? 2 * events->capacity : 16;
		struct simulate_event *larger =
		    realloc(events->entries, capacity * sizeof(*larger));

		if (!larger)
			return -TUYEN_ENOMEM;
		events->entries = larger;
		events->capacity = capacity;
	}
	events->entries[events->count++] = *event;
	return 0;
}

bool simulate_event_heals(const struct simulate_event *event)
{
	return event->kind & 1; /* each kind of fault is followed by its end */
}

/* @to_us: UINT64_MAX: it never ends. */
static int failure_add(struct simulate_events *events, enum simulate_event_kind kind, uint32_t a,
		       uint32_t b, uint64_t from_us, uint64_t to_us)
{
	struct simulate_event begin = {.at = {from_us}, .kind = kind, .a = a, .b = b};
	struct simulate_event end = {.at = {to_us}, .kind = kind + 1, .a = a, .b = b};
	int err = simulate_events_add(events, &begin);

	return err || to_us == UINT64_MAX ? err : simulate_events_add(events, &end);
}

/* ---- scripts ------------------------------------------------------------------------------- */

static const struct verb {
	const char *verb, *noun;
	enum simulate_event_kind kind;
} verbs[] = {
    {"cut", "link", SIMULATE_CUT},     {"heal", "link", SIMULATE_HEAL},
    {"cut", "way", SIMULATE_CUT_WAY},  {"heal", "way", SIMULATE_HEAL_WAY},
    {"kill", "site", SIMULATE_KILL},   {"revive", "site", SIMULATE_REVIVE},
    {"spoil", "site", SIMULATE_SPOIL}, {"restore", "site", SIMULATE_RESTORE},
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct reader {
	const struct simulation *s;
	const char *at;
	uint32_t line;
	char word[NAME_MAX_BYTES + 1];
	struct reason *reason;
};

static int wrong(struct reader *r, const char *what)
{
	return reason_set(r->reason, -TUYEN_EINVAL, "line %u: %s%s%s%s", r->line, what,
			  *r->word ? ", not '" : "", r->word, *r->word ? "'" : "");
}

static void space_skip(struct reader *r)
{
	for (;; r->at++) {
		if (*r->at == '#')
			while (r->at[1] && r->at[1] != '\n')
				r->at++;
		else if (!isspace((unsigned char)*r->at))
			return;
		r->line += *r->at == '\n';
	}
}

static bool word_ends(const struct reader *r, bool quoted)
{
	if (!*r->at || *r->at == '\n')
		return true;
	return quoted ? *r->at == '"'
		      : *r->at == ';' || *r->at == '#' || isspace((unsigned char)*r->at);
}

/* The next word into r->word; "" at the end; ";" is one; a name with blanks stands in quotes. */
static void word_read(struct reader *r)
{
	size_t length = 0;
	bool quoted;

	space_skip(r);
	quoted = *r->at == '"';
	r->at += quoted;
	if (!quoted && *r->at == ';')
		r->word[length++] = *r->at++;
	else
		for (; !word_ends(r, quoted); r->at++)
			if (length < NAME_MAX_BYTES)
				r->word[length++] = *r->at;
	if (quoted && *r->at == '"')
		r->at++;
	else if (quoted)
		r->word[0] = '"', length = 1; /* no such name: it has no end */
	r->word[length] = '\0';
}

static int time_read(struct reader *r, struct monotime *ret_at)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = {{"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"h", HOUR_US}};
	unsigned long long number;
	char *unit;

	word_read(r);
	number = strtoull(r->word, &unit, 10);
	for (size_t i = 0; isdigit((unsigned char)r->word[0]) && i < 4; i++) {
		if (strcmp(unit, units[i].unit) != 0)
			continue;
		if (number > SIMULATE_DURATION_MAX_US / units[i].us)
			return wrong(r, "a time within seven days is wanted");
		*ret_at = (struct monotime){number * units[i].us};
		return 0;
	}
	return wrong(r, "a time like 10s, 250ms or 2m is wanted");
}

/* "parallel", if it comes next. */
static bool parallel_read(struct reader *r)
{
	static const char word[] = "parallel";
	size_t length = strlen(word);

	space_skip(r);
	if (strncmp(r->at, word, length) != 0 ||
	    (r->at[length] && r->at[length] != ';' && r->at[length] != '#' &&
	     !isspace((unsigned char)r->at[length])))
		return false;
	r->at += length;
	return true;
}

static int site_read(struct reader *r, uint32_t *ret_id)
{
	word_read(r);
	*ret_id = simulation_site_find(r->s, r->word);
	return *ret_id ? 0 : wrong(r, "a site is wanted");
}

static int verb_read(struct reader *r, enum simulate_event_kind *ret_kind)
{
	char verb[sizeof(r->word)];

	word_read(r);
	memcpy(verb, r->word, sizeof(verb));
	word_read(r);
	for (size_t i = 0; i < VERBS; i++) {
		if (strcmp(verb, verbs[i].verb) != 0 || strcmp(r->word, verbs[i].noun) != 0)
			continue;
		*ret_kind = verbs[i].kind;
		return 0;
	}
	return reason_set(r->reason, -TUYEN_EINVAL,
			  "line %u: cut or heal a link or way, kill, revive, spoil or restore a "
			  "site, not '%s %s'",
			  r->line, verb, r->word);
}

static int event_read(struct reader *r, struct simulate_event *e)
{
	int err = time_read(r, &e->at);

	if (!err)
		err = verb_read(r, &e->kind);
	if (!err)
		err = site_read(r, &e->a);
	if (!err && e->kind <= SIMULATE_HEAL_WAY) {
		err = site_read(r, &e->b);
		if (!err && parallel_read(r))
			e->b += PARALLEL_ID;
		if (!err && (e->a == e->b ||
			     sim_link_find(r->s, sim_site_by_id(r->s, e->a), e->b) == SIM_NONE))
			err = reason_set(r->reason, -TUYEN_EINVAL,
					 "line %u: these two sites have no %slink", r->line,
					 forwarding_id_parallel(e->b) ? "parallel " : "");
	}
	e->line = r->line;
	if (!err && e->at.us < SIMULATE_FIRST_EVENT_US)
		err = reason_set(r->reason, -TUYEN_EINVAL,
				 "line %u: until 5s sessions are still coming up", r->line);
	return err;
}

/* By time; what begins before what ends, as intervals_make() has it. */
static int fault_compare(const void *a, const void *b)
{
	const struct simulate_event *x = a, *y = b;

	if (x->at.us != y->at.us)
		return x->at.us < y->at.us ? -1 : 1;
	if (simulate_event_heals(x) != simulate_event_heals(y))
		return simulate_event_heals(x) ? 1 : -1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* What @e is about: one or two of the resources. A site's death is one apart from its bad release. */
static size_t fault_resources(const struct simulation *s, const struct simulate_event *e,
			      uint32_t ret_resources[static 2])
{
	uint32_t a = sim_site_by_id(s, e->a);

	switch (e->kind) {
	case SIMULATE_CUT:
	case SIMULATE_HEAL:
	case SIMULATE_CUT_WAY:
	case SIMULATE_HEAL_WAY:
		ret_resources[0] = sim_link_find(s, a, e->b);
		ret_resources[1] = ret_resources[0] ^ 1;
		return e->kind == SIMULATE_CUT || e->kind == SIMULATE_HEAL ? 2 : 1;
	case SIMULATE_KILL:
	case SIMULATE_REVIVE:
		ret_resources[0] = sim_resource_dead(s, a);
		return 1;
	case SIMULATE_SPOIL:
	case SIMULATE_RESTORE:
		ret_resources[0] = sim_resource_node(s, a);
		return 1;
	}
	return 0;
}

/* @down: how many faults hold each resource. @return false: @e heals what is whole. */
static bool fault_takes_effect(const struct simulation *s, const struct simulate_event *e,
			       uint32_t *down)
{
	uint32_t resources[2];
	size_t count = fault_resources(s, e, resources);
	bool any = !simulate_event_heals(e);

	for (size_t i = 0; i < count; i++) {
		uint32_t *depth = &down[resources[i]];

		any |= *depth > 0;
		if (!simulate_event_heals(e))
			++*depth;
		else if (*depth)
			--*depth;
	}
	return any;
}

static int fault_useless(const struct simulation *s, const struct simulate_event *e,
			 struct reason *reason)
{
	struct text what;

	text_init(&what);
	simulate_event_print(s, e, &what);
	reason_set(reason, -TUYEN_EINVAL, "line %u: '%s' without a '%s' before it", e->line,
		   text_string(&what), verbs[e->kind - 1].verb);
	text_clear(&what);
	return -TUYEN_EINVAL;
}

/* Every fault that @events end must have begun. */
static int script_check(const struct simulation *s, const struct simulate_event *events,
			size_t count, struct reason *reason)
{
	uint32_t *down = calloc(2 * (s->link_count + s->site_count), sizeof(*down));
	struct simulate_event *sorted = malloc(count * sizeof(*sorted));
	int err = down && sorted ? 0 : -TUYEN_ENOMEM;

	if (!err) {
		memcpy(sorted, events, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), fault_compare);
	}
	for (size_t i = 0; i < count && !err; i++)
		if (!fault_takes_effect(s, &sorted[i], down))
			err = fault_useless(s, &sorted[i], reason);
	free(down);
	free(sorted);
	return err;
}

int simulate_script_parse(const struct simulation *s, const char *bytes,
			  struct simulate_events *events, struct reason *reason)
{
	struct reader r = {.s = s, .at = bytes, .line = 1, .reason = reason};
	size_t before = events->count;
	int err = 0;

	for (word_read(&r); !err && *r.word; word_read(&r)) {
		struct simulate_event e = {0};

		if (!strcmp(r.word, ";"))
			continue;
		if (strcmp(r.word, "at") != 0)
			return wrong(&r, "'at' is wanted");
		err = event_read(&r, &e);
		if (!err)
			err = simulate_events_add(events, &e);
		if (err)
			return err;
		word_read(&r);
		if (*r.word && strcmp(r.word, ";") != 0)
			return wrong(&r, "';' is wanted");
	}
	if (events->count == before)
		return reason_set(reason, -TUYEN_EINVAL, "no event");
	return script_check(s, events->entries + before, events->count - before, reason);
}

static void name_print(const struct simulation *s, uint32_t id, struct text *t)
{
	const char *name = s->sites[sim_site_by_id(s, id)].f.site;
	const char *quote = strpbrk(name, " \t;#") ? "\"" : "";

	text_printf(t, " %s%s%s%s", quote, name, quote,
		    forwarding_id_parallel(id) ? " parallel" : "");
}

void simulate_event_print(const struct simulation *s, const struct simulate_event *event,
			  struct text *ret_text)
{
	for (size_t i = 0; i < VERBS; i++) {
		if (verbs[i].kind != event->kind)
			continue;
		text_printf(ret_text, "%s %s", verbs[i].verb, verbs[i].noun);
		name_print(s, event->a, ret_text);
		if (event->kind <= SIMULATE_HEAL_WAY)
			name_print(s, event->b, ret_text);
	}
}

/* ---- scenarios ------------------------------------------------------------------------------ */

static bool is_lte(const struct fwd_neighbor *n)
{
	return strstr(n->underlay, "lte") || strstr(n->underlay, "LTE");
}

static uint32_t id_of(const struct simulation *s, uint32_t site)
{
	return s->sites[site].f.site_id;
}

static int province_cut(const struct simulation *s, uint32_t at, struct simulate_events *events)
{
	const struct sim_site *site = &s->sites[at];
	size_t before = events->count;
	int err = 0;

	for (size_t n = 0; n < site->f.neighbor_count && !err; n++)
		if (s->sites[sim_site_by_id(s, site->f.neighbors[n].site_id)].ending)
			err = failure_add(events, SIMULATE_CUT, id_of(s, at),
					  site->f.neighbors[n].site_id, SCENARIO_FROM_US,
					  SCENARIO_TO_US);
	return err ? err : events->count > before ? 0 : -TUYEN_ENOENT;
}

static int gateway_lost(const struct simulation *s, uint32_t at, struct simulate_events *events)
{
	return failure_add(events, SIMULATE_KILL, id_of(s, at), 0, SCENARIO_FROM_US,
			   SCENARIO_TO_US);
}

static int bad_release(const struct simulation *s, uint32_t at, struct simulate_events *events)
{
	return failure_add(events, SIMULATE_SPOIL, id_of(s, at), 0, SCENARIO_FROM_US,
			   SCENARIO_TO_US);
}

/* A site that nobody else's way needs keeps only its LTE links. */
static int lte_only(const struct simulation *s, uint32_t at, struct simulate_events *events)
{
	bool any = false;
	int err = 0;

	(void)at;
	for (uint32_t i = 0; i < s->site_count; i++) {
		const struct sim_site *site = &s->sites[i];

		for (size_t n = 0; n < site->f.neighbor_count && !err; n++) {
			any |= is_lte(&site->f.neighbors[n]);
			if (!site->transit && !site->ending && !is_lte(&site->f.neighbors[n]))
				err = failure_add(events, SIMULATE_CUT, site->f.site_id,
						  site->f.neighbors[n].site_id, SCENARIO_FROM_US,
						  SCENARIO_TO_US);
		}
	}
	return err ? err : any ? 0 : -TUYEN_ENOENT;
}

static const struct {
	struct simulate_scenario public;
	int (*make)(const struct simulation *s, uint32_t site, struct simulate_events *events);
	bool at_gateway, at_transit;
	const char *lacks;
} scenarios[] = {
    {{"province-cut", "the site that most ways lead through loses all its links to gateways"},
     province_cut,
     false,
     true,
     "no site between head-ends and gateways with a link to a gateway"},
    {{"gateway-lost", "the gateway that most ways end at is dead"},
     gateway_lost,
     true,
     false,
     "no gateway"},
    {{"bad-release",
      "the site that most ways lead through takes a release with a bad label table, and goes back"},
     bad_release,
     false,
     true,
     "no site between head-ends and gateways"},
    {{"lte-only", "sites at the edge lose all their lines but LTE"},
     lte_only,
     false,
     false,
     "no LTE line"},
};
#define SCENARIOS (sizeof(scenarios) / sizeof(scenarios[0]))

const struct simulate_scenario *simulate_scenario(size_t index)
{
	return index < SCENARIOS ? &scenarios[index].public : NULL;
}

static uint32_t busiest(const struct simulation *s, bool gateway)
{
	uint32_t best = SIM_NONE, most = 0;

	for (uint32_t i = 0; i < s->site_count; i++) {
		const struct sim_site *site = &s->sites[i];
		uint32_t count = gateway ? site->ending : site->ending ? 0 : site->transit;

		if (count > most) {
			most = count;
			best = i;
		}
	}
	return best;
}

int simulate_scenario_make(const struct simulation *s, const char *name, uint32_t site,
			   struct simulate_events *events, struct reason *reason)
{
	for (size_t i = 0; i < SCENARIOS; i++) {
		uint32_t at = site ? sim_site_by_id(s, site) : 0;
		int err;

		if (strcmp(name, scenarios[i].public.name) != 0)
			continue;
		if (!site && (scenarios[i].at_gateway || scenarios[i].at_transit))
			at = busiest(s, scenarios[i].at_gateway);
		err = at == SIM_NONE ? -TUYEN_ENOENT : scenarios[i].make(s, at, events);
		return err == -TUYEN_ENOENT
			   ? reason_set(reason, err, "%s: there is %s", name, scenarios[i].lacks)
			   : err;
	}
	return reason_set(reason, -TUYEN_ENOENT, "there is no scenario '%s'", name);
}

/* ---- chance ---------------------------------------------------------------------------------- */

static const struct {
	enum simulate_event_kind kind;
	uint32_t percent;
} chances[] = {
    {SIMULATE_CUT, 70},
    {SIMULATE_CUT_WAY, 10},
    {SIMULATE_KILL, 15},
    {SIMULATE_SPOIL, 5},
};

static int random_failure(const struct simulation *s, uint64_t dice[static 4], uint64_t at_us,
			  uint64_t duration_us, struct simulate_events *events)
{
	uint64_t to_us = at_us + FAILURE_MIN_US + dice[0] % (FAILURE_MAX_US - FAILURE_MIN_US);
	uint32_t percent = (uint32_t)(dice[1] % 100);
	size_t i = 0;

	if (to_us >= duration_us)
		to_us = UINT64_MAX;
	for (; percent >= chances[i].percent; i++)
		percent -= chances[i].percent;
	if (chances[i].kind == SIMULATE_CUT || chances[i].kind == SIMULATE_CUT_WAY) {
		const struct sim_link *l = &s->links[dice[2] % s->link_count];
		bool turned = dice[3] & 1;

		return failure_add(events, chances[i].kind, id_of(s, turned ? l->b : l->a),
				   id_of(s, turned ? l->a : l->b) + (l->parallel ? PARALLEL_ID : 0),
				   at_us, to_us);
	}
	return failure_add(events, chances[i].kind, id_of(s, (uint32_t)(dice[2] % s->site_count)),
			   0, at_us, to_us);
}

/* Between two failures: 0 to twice the mean, evenly. */
int simulate_random_make(const struct simulation *s, uint64_t seed, uint64_t duration_us,
			 uint32_t failures_per_hour, struct simulate_events *events)
{
	uint64_t at_us = SIMULATE_FIRST_EVENT_US,
		 mean_us = HOUR_US / (failures_per_hour ? failures_per_hour : 1);

	if (!s->link_count || !failures_per_hour)
		return 0;
	for (uint64_t n = 0;; n++) {
		uint64_t dice[4];
		int err;

		for (uint64_t i = 0; i < 4; i++)
			dice[i] = sim_random(seed, n, 100 + i);
		at_us += 1 + sim_random(seed, n, 99) % (2 * mean_us);
		if (at_us >= duration_us)
			return 0;
		err = random_failure(s, dice, at_us, duration_us, events);
		if (err)
			return err;
	}
}
