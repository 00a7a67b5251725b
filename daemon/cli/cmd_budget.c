/* SPDX-License-Identifier: Apache-2.0 */
/* `tuyen budget`: what watching costs on every line, and whether metered lines can pay it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "compiled.h"
#include "tuyen/cli/cli.h"
#include "tuyen/policies/budget.h"

struct options {
	struct load_options load;
	bool json, sites;
};

#define MB    1e6
#define DAY_S 86400.0

static bool options_read(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
	    {"json", no_argument, NULL, 'j'},
	    {"sites", no_argument, NULL, 's'},
	    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "W:", known, NULL)) >= 0) {
		if (option == 'j')
			o->json = true;
		else if (option == 's')
			o->sites = true;
		else if (option != 'W' || load_option_warning("budget", optarg, &o->load) < 0)
			return false;
	}
	if (optind < argc)
		return true;
	fprintf(stderr, "usage: tuyen budget %s\n", cli_budget.usage);
	return false;
}

/* ---- for people --------------------------------------------------------------------- */

static void underlays_text(const struct budget *b, const struct network *n, struct text *t)
{
	text_add(t, "underlay   lines  links   detection    a link, each way   all lines, both "
		    "ways  busiest line\n");
	for (size_t i = 0; i < n->underlay_count; i++) {
		const struct budget_underlay *u = &b->underlays[i];

		text_printf(t, "%-8s %7u %6u %8llu ms %12.1f MB/day %15.1f MB/day",
			    n->underlays[i].name, u->lines, u->links,
			    (unsigned long long)u->detect_us / 1000,
			    (double)u->probe_bytes_day / MB, (double)u->both.bytes_day / MB);
		if (u->busiest != NETWORK_NONE)
			text_printf(t, "  %s, %.1f MB/day",
				    n->sites[b->uplinks[u->busiest].site].name,
				    (double)budget_uplink_bytes(&b->uplinks[u->busiest]) / MB);
		text_add_char(t, '\n');
	}
}

static void hubs_text(const struct budget *b, const struct network *n, struct text *t)
{
	for (size_t i = 0; i < b->hub_count; i++) {
		const struct budget_hub *h = &b->hubs[i];

		text_printf(
		    t,
		    "hub %s: %u sessions, reflects %.1f probes/s; sends %.1f packets/s, %.1f "
		    "MB/day; receives %.1f packets/s, %.1f MB/day\n",
		    n->sites[h->site].name, h->sessions, (double)h->reflected_day / DAY_S,
		    (double)h->sent.packets_day / DAY_S, (double)h->sent.bytes_day / MB,
		    (double)h->received.packets_day / DAY_S, (double)h->received.bytes_day / MB);
	}
}

static void uplink_text(const struct budget_uplink *u, const struct network *n, struct text *t)
{
	const struct site *site = &n->sites[u->site];
	const struct site_uplink *line = &site->uplinks[u->uplink];

	text_printf(t,
		    "%s %s: sends %.1f packets/s, %.1f MB/day; receives %.1f MB/day; transit %.1f "
		    "MB/day; detection %llu ms",
		    site->name, n->underlays[line->underlay].name,
		    (double)u->sent.packets_day / DAY_S, (double)u->sent.bytes_day / MB,
		    (double)u->received.bytes_day / MB, (double)u->transit_bytes_day / MB,
		    (unsigned long long)u->detect_us / 1000);
	if (line->allowance_bytes_day)
		text_printf(t, "; allowed %.1f MB/day", (double)line->allowance_bytes_day / MB);
	text_add_char(t, '\n');
}

static void budget_text(const struct options *o, const struct budget *b, const struct network *n,
			struct text *t)
{
	for (size_t i = 0; o->sites && i < b->uplink_count; i++)
		uplink_text(&b->uplinks[i], n, t);
	underlays_text(b, n, t);
	hubs_text(b, n, t);
	text_printf(t, "all: %.1f packets/s, %.1f MB/day\n", (double)b->all.packets_day / DAY_S,
		    (double)b->all.bytes_day / MB);
}

/* ---- for programs ------------------------------------------------------------------- */

static void flow_json(struct text *t, const char *name, const struct budget_flow *f)
{
	text_printf(t, ",\"%s\":{\"packets_day\":%llu,\"bytes_day\":%llu}", name,
		    (unsigned long long)f->packets_day, (unsigned long long)f->bytes_day);
}

static void uplinks_json(const struct options *o, const struct budget *b, const struct network *n,
			 struct text *t)
{
	const char *comma = "";

	text_add(t, "\"lines\":[");
	for (size_t i = 0; i < b->uplink_count; i++) {
		const struct budget_uplink *u = &b->uplinks[i];
		const struct site_uplink *line = &n->sites[u->site].uplinks[u->uplink];

		if (!o->sites && !line->allowance_bytes_day)
			continue;
		text_printf(t, "%s{\"site\":", comma);
		text_add_json_string(t, n->sites[u->site].name);
		text_add(t, ",\"underlay\":");
		text_add_json_string(t, n->underlays[line->underlay].name);
		text_printf(t, ",\"links\":%u,\"detect_us\":%llu,\"transit_bytes_day\":%llu",
			    u->links, (unsigned long long)u->detect_us,
			    (unsigned long long)u->transit_bytes_day);
		flow_json(t, "sent", &u->sent);
		flow_json(t, "received", &u->received);
		text_printf(t, ",\"allowance_bytes_day\":%llu,\"exceeds\":%s}",
			    (unsigned long long)line->allowance_bytes_day,
			    budget_uplink_exceeds(u, n) ? "true" : "false");
		comma = ",";
	}
	text_add(t, "]");
}

static void budget_json(const struct options *o, const struct budget *b, const struct network *n,
			size_t exceeded, struct text *t)
{
	text_printf(t, "{\"ok\":%s,\"exceeded\":%zu,\"underlays\":[", exceeded ? "false" : "true",
		    exceeded);
	for (size_t i = 0; i < n->underlay_count; i++) {
		const struct budget_underlay *u = &b->underlays[i];

		text_add(t, i ? ",{\"name\":" : "{\"name\":");
		text_add_json_string(t, n->underlays[i].name);
		text_printf(t,
			    ",\"lines\":%u,\"links\":%u,\"detect_us\":%llu,\"link_bytes_day\":%llu",
			    u->lines, u->links, (unsigned long long)u->detect_us,
			    (unsigned long long)u->probe_bytes_day);
		flow_json(t, "both", &u->both);
		text_add_char(t, '}');
	}
	text_add(t, "],\"hubs\":[");
	for (size_t i = 0; i < b->hub_count; i++) {
		text_add(t, i ? ",{\"site\":" : "{\"site\":");
		text_add_json_string(t, n->sites[b->hubs[i].site].name);
		text_printf(t, ",\"sessions\":%u,\"reflected_day\":%llu", b->hubs[i].sessions,
			    (unsigned long long)b->hubs[i].reflected_day);
		flow_json(t, "sent", &b->hubs[i].sent);
		flow_json(t, "received", &b->hubs[i].received);
		text_add_char(t, '}');
	}
	text_add(t, "],");
	uplinks_json(o, b, n, t);
	flow_json(t, "all", &b->all);
	text_add(t, "}\n");
}

/* ---- the command -------------------------------------------------------------------- */

/* Says which metered lines cannot pay. @return how many. */
static size_t exceeded_say(const struct compiled *c, const struct budget *b)
{
	const struct network *n = &c->load.network;
	struct diag_list diags;
	struct text t;
	size_t count;

	diag_list_init(&diags);
	for (size_t i = 0; i < b->uplink_count; i++) {
		const struct budget_uplink *u = &b->uplinks[i];
		const struct site_uplink *line = &n->sites[u->site].uplinks[u->uplink];

		if (budget_uplink_exceeds(u, n))
			diag_error(&diags, compiled_place(&c->load, line->place),
				   "watching takes %.1f MB a day here, both ways, of the %.1f MB "
				   "that are allowed",
				   (double)budget_uplink_bytes(u) / MB,
				   (double)line->allowance_bytes_day / MB);
	}
	count = diags.error_count;
	text_init(&t);
	diag_list_print(&diags, &t);
	fputs(text_string(&t), stderr);
	text_clear(&t);
	diag_list_clear(&diags);
	return count;
}

static int budget_say(const struct options *o, const struct compiled *c)
{
	struct budget b;
	struct text t;
	size_t exceeded;
	int err = budget_compute(c->result, &b);

	if (err) {
		fprintf(stderr, "tuyen budget: %s\n", tuyen_strerror(err));
		return CLI_SYSTEM;
	}
	exceeded = exceeded_say(c, &b);
	text_init(&t);
	if (o->json)
		budget_json(o, &b, &c->load.network, exceeded, &t);
	else
		budget_text(o, &b, &c->load.network, &t);
	fputs(text_string(&t), stdout);
	text_clear(&t);
	budget_clear(&b);
	return exceeded ? CLI_INPUT : CLI_OK;
}

static int budget_run(int argc, char **argv)
{
	struct options o = {0};
	struct compiled c;
	int err, code;

	if (!options_read(argc, argv, &o))
		return CLI_SYSTEM;
	err = compiled_load("budget", (const char *const *)argv + optind, (size_t)(argc - optind),
			    &o.load, false, &c);
	code = err ? (err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT) : budget_say(&o, &c);
	compiled_clear(&c);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--sites", NULL, "every line of every site; else only underlays and hubs"},
    {"--json", NULL, "as one JSON document; it always names the metered lines"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_budget = {
    .name = "budget",
    .usage = "[--sites] [--json] [-W error[=WARNING]] FILE...",
    .summary = "say what watching costs on every line, and refuse what is metered too tightly",
    .options = cli_options,
    .help = "BFD, S-BFD, keepalives and handshakes, with all headers, as the carrier counts them.\n"
	    "Keys are not needed. Exits 1, with file:line, when watching alone takes more than a\n"
	    "metered uplink allows in a day.\n",
    .run = budget_run,
};
