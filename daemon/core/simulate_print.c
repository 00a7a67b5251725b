/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found, for people and for programs. The same numbers in both. */
#include "simulate_internal.h"

#include <stdio.h>
#include <string.h>

#define BAR_COLUMNS 48

static void time_text(struct text *t, uint64_t us)
{
	char word[32];

	if (us < 1000)
		snprintf(word, sizeof(word), "%llu us", (unsigned long long)us);
	else if (us < 10000000)
		snprintf(word, sizeof(word), "%llu.%llu ms", (unsigned long long)us / 1000,
			 (unsigned long long)us / 100 % 10);
	else
		snprintf(word, sizeof(word), "%llu.%llu s", (unsigned long long)us / 1000000,
			 (unsigned long long)us / 100000 % 10);
	text_printf(t, "%12s", word);
}

static void tiers_text(const struct simulation *s, const size_t *count, struct text *t)
{
	const char *comma = "   ";

	for (size_t i = 0; i < s->tier_count; i++) {
		if (!count[i])
			continue;
		text_printf(t, "%s%s %zu", comma, s->tiers[i], count[i]);
		comma = ", ";
	}
}

static size_t tiers_sum(const size_t *count)
{
	size_t sum = 0;

	for (size_t i = 0; i < SIMULATE_TIERS_MAX; i++)
		sum += count[i];
	return sum;
}

static void sites_text(const struct simulation *s, const char *name, const size_t *count,
		       struct text *t)
{
	text_printf(t, "  %-21s %10zu", name, tiers_sum(count));
	tiers_text(s, count, t);
	text_add_char(t, '\n');
}

static void counts_text(const struct simulation *s, const struct simulate_result *r, struct text *t)
{
	text_printf(t, "  sites hit             %10zu\n", r->sites_hit);
	text_printf(t, "  moved to another path %10zu   in %llu switches\n", r->sites_moved,
		    (unsigned long long)r->switches);
	if (r->repairs)
		text_printf(t, "  repairs by neighbours %10llu   each end of a link for itself\n",
			    (unsigned long long)r->repairs);
	if (r->takeovers)
		text_printf(t, "  to another gateway    %10llu   and back\n",
			    (unsigned long long)r->takeovers);
	sites_text(s, "a session cut off", r->sites_cut, t);
	sites_text(s, "without any live path", r->sites_dark, t);
	sites_text(s, "so at the end", r->sites_dark_at_end, t);
	text_printf(t, "  %-21s %10llu   of them %llu while another path lived%s\n",
		    r->loses_by_chance ? "packets faults lost" : "packets lost",
		    (unsigned long long)r->packets_lost,
		    (unsigned long long)r->packets_lost_avoidable,
		    r->loses_by_chance ? "; those lost by chance are not counted" : "");
	text_printf(t,
		    "  probes, about         %10llu   %llu verdicts changed, %llu turns of sites\n",
		    (unsigned long long)r->probes_about, (unsigned long long)r->changes,
		    (unsigned long long)r->turns);
}

static void bars_text(const struct simulate_result *r, struct text *t)
{
	size_t most = 1, first = SIMULATE_BARS, last = 0;

	for (size_t i = 0; i < SIMULATE_BARS; i++) {
		if (r->bars[i] > most)
			most = r->bars[i];
		if (r->bars[i])
			last = i;
		if (r->bars[i] && first == SIMULATE_BARS)
			first = i;
	}
	for (size_t i = first; i <= last; i++) {
		size_t columns = r->bars[i] ? (r->bars[i] * BAR_COLUMNS + most - 1) / most : 0;

		text_add(t, "  <");
		time_text(t, (i + 1) * r->bar_us);
		text_add(t, " |");
		for (size_t c = 0; c < columns; c++)
			text_add_char(t, '#');
		text_printf(t, "%s%zu\n", columns ? " " : "", r->bars[i]);
	}
}

static void outages_row(const char *name, const struct simulate_outages *o, struct text *t)
{
	text_printf(t, "  %-24s %8zu", name, o->count);
	time_text(t, o->p50_us);
	time_text(t, o->p90_us);
	time_text(t, o->p99_us);
	time_text(t, o->max_us);
	text_add_char(t, '\n');
}

static void outages_text(const struct simulate_result *r, struct text *t)
{
	if (!r->outages.count) {
		text_add(t, "\nno site was out while it had a live path\n");
		return;
	}
	text_printf(t,
		    "\nhow long each site was out while it had a live path: %zu sites, the longest "
		    "of each\n",
		    r->outages.count);
	text_printf(t, "  %-24s %8s %11s %11s %11s %11s\n", "policy", "sessions", "p50", "p90",
		    "p99", "max");
	for (size_t i = 0; i < r->policy_count; i++)
		outages_row(r->policies[i].name, &r->policies[i].outages, t);
	outages_row("whole sites", &r->outages, t);
	text_add_char(t, '\n');
	bars_text(r, t);
}

static void breaches_text(const struct simulate_result *r, struct text *t)
{
	size_t kept =
	    r->breach_count < SIMULATE_BREACHES_MAX ? r->breach_count : SIMULATE_BREACHES_MAX;

	if (r->rules_judged < SIMULATE_RULES)
		text_printf(t,
			    "\n%zu of %d promises were judged, those that a site can keep where "
			    "packets are lost by chance\n",
			    r->rules_judged, SIMULATE_RULES);
	if (!r->breach_count) {
		text_printf(t, "\nall %zu promises kept\n", r->rules_judged);
		return;
	}
	text_printf(t, "\n%zu times a promise was BROKEN:\n", r->breach_count);
	for (size_t i = 0; i < kept; i++) {
		const struct simulate_breach *b = &r->breaches[i];

		text_printf(t, "  %llu.%06llu s  %s: %s\n", (unsigned long long)b->at.us / 1000000,
			    (unsigned long long)b->at.us % 1000000, simulate_rule_name(b->rule),
			    b->text);
	}
	if (kept < r->breach_count)
		text_printf(t, "  and %zu more\n", r->breach_count - kept);
}

void simulate_print(const struct simulation *s, const struct simulate_result *r,
		    struct text *ret_text)
{
	text_printf(
	    ret_text, "%zu sites, %zu links, %zu sessions, %zu paths; %llu.%llu s, seed %llu\n\n",
	    r->sites, r->links, r->sessions, r->paths, (unsigned long long)r->duration_us / 1000000,
	    (unsigned long long)r->duration_us / 100000 % 10, (unsigned long long)r->seed);
	counts_text(s, r, ret_text);
	outages_text(r, ret_text);
	breaches_text(r, ret_text);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void tiers_json(const struct simulation *s, const char *name, const size_t *count,
		       struct text *t)
{
	text_printf(t, ",\"%s\":{", name);
	for (size_t i = 0; i < s->tier_count; i++) {
		text_add(t, i ? "," : "");
		text_add_json_string(t, s->tiers[i]);
		text_printf(t, ":%zu", count[i]);
	}
	text_add_char(t, '}');
}

static void numbers_json(const struct simulate_result *r, struct text *t)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
	    {"seed", r->seed},
	    {"duration_us", r->duration_us},
	    {"sites", r->sites},
	    {"links", r->links},
	    {"sessions", r->sessions},
	    {"paths", r->paths},
	    {"sites_hit", r->sites_hit},
	    {"sites_moved", r->sites_moved},
	    {"switches", r->switches},
	    {"takeovers", r->takeovers},
	    {"repairs", r->repairs},
	    {"verdicts", r->changes},
	    {"turns", r->turns},
	    {"probes", r->probes_about},
	    {"lost_us", r->lost_us},
	    {"lost_avoidable_us", r->lost_avoidable_us},
	    {"packets_lost", r->packets_lost},
	    {"packets_lost_avoidable", r->packets_lost_avoidable},
	    {"promises", SIMULATE_RULES},
	    {"promises_judged", r->rules_judged},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		text_printf(t, "%s\"%s\":%llu", i ? "," : "", numbers[i].name,
			    (unsigned long long)numbers[i].value);
	text_printf(t, ",\"packets_lost_by_chance\":%s", r->loses_by_chance ? "null" : "0");
}

static void outages_json(const struct simulate_outages *o, const char *of, struct text *t)
{
	text_printf(t, "\"%s\":%zu,\"p50_us\":%llu,\"p90_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu",
		    of, o->count, (unsigned long long)o->p50_us, (unsigned long long)o->p90_us,
		    (unsigned long long)o->p99_us, (unsigned long long)o->max_us);
}

static void all_outages_json(const struct simulate_result *r, struct text *t)
{
	text_add(t, ",\"outage\":{");
	outages_json(&r->outages, "sites", t);
	text_printf(t, ",\"bar_us\":%llu,\"bars\":[", (unsigned long long)r->bar_us);
	for (size_t i = 0; i < SIMULATE_BARS; i++)
		text_printf(t, i ? ",%zu" : "%zu", r->bars[i]);
	text_add(t, "]},\"policies\":[");
	for (size_t i = 0; i < r->policy_count; i++) {
		const struct simulate_policy *p = &r->policies[i];

		text_add(t, i ? ",{\"policy\":" : "{\"policy\":");
		text_add_json_string(t, p->name);
		text_printf(t, ",\"color\":%u,", p->color);
		outages_json(&p->outages, "sessions", t);
		text_add_char(t, '}');
	}
	text_add_char(t, ']');
}

void simulate_print_json(const struct simulation *s, const struct simulate_result *r,
			 struct text *ret_text)
{
	numbers_json(r, ret_text);
	tiers_json(s, "sites_with_session_cut_off", r->sites_cut, ret_text);
	tiers_json(s, "sites_without_live_path", r->sites_dark, ret_text);
	tiers_json(s, "sites_without_live_path_at_end", r->sites_dark_at_end, ret_text);
	all_outages_json(r, ret_text);
	text_printf(ret_text, ",\"broken_promises\":%zu,\"broken\":[", r->breach_count);
	for (size_t i = 0; i < r->breach_count && i < SIMULATE_BREACHES_MAX; i++) {
		text_printf(ret_text, "%s{\"at_us\":%llu,\"site\":%u,\"promise\":", i ? "," : "",
			    (unsigned long long)r->breaches[i].at.us, r->breaches[i].site_id);
		text_add_json_string(ret_text, simulate_rule_name(r->breaches[i].rule));
		text_add(ret_text, ",\"text\":");
		text_add_json_string(ret_text, r->breaches[i].text);
		text_add_char(ret_text, '}');
	}
	text_add_char(ret_text, ']');
}
