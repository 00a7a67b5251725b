/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "daemon/cli/node.h"
#include "tuyen/cli/cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct node_column link_columns[] = {
    {"LINK", "site", node_format_plain, false},
    {"STATE", "state", node_format_state, false},
    {"SINCE", "since_s", node_format_ago, true},
    {"WHY", "diagnostic", node_format_why, false},
    {"UNDERLAY", "underlay", node_format_plain, false},
    {"ENDPOINT", "endpoint", node_format_plain, false},
    {"HANDSHAKE", "handshake_age_s", node_format_ago, true},
    {"DETECTS", "detection_us", node_format_us, true},
    {"RX", "rx_bytes", node_format_bytes, true},
    {"TX", "tx_bytes", node_format_bytes, true},
    {"MTU", "mtu", node_format_plain, true},
    {"CARRIES", "carried_mtu", node_format_plain, true},
    {"CHANGES", "changes", node_format_plain, true},
    {"UNLAWFUL", "filter_drops", node_format_plain, true},
    {"REPAIRED", "repaired", node_format_mark, false},
};

static const struct node_column path_columns[] = {
    {" ", "active", node_format_mark, false},
    {"PATH", "name", node_format_plain, false},
    {"POLICY", "policy", node_format_plain, false},
    {"COLOR", "color", node_format_plain, true},
    {"TO", "endpoint", node_format_plain, false},
    {"FIRST HOP", "first_hop", node_format_plain, false},
    {"LABELS", "labels", node_format_list, false},
    {"PREF", "preference", node_format_plain, true},
    {"STATE", "state", node_format_state, false},
    {"SINCE", "since_s", node_format_ago, true},
    {"WHY", "diagnostic", node_format_why, false},
    {"RTT", "round_trip_us", node_format_us, true},
    {"DETECTS", "detection_us", node_format_us, true},
    {"MTU", "mtu", node_format_plain, true},
    {"CARRIES", "carried_mtu", node_format_plain, true},
    {"CHANGES", "changes", node_format_plain, true},
    {"DOUBTS", "doubts", node_format_plain, true},
    {"DAMPED", "damped_for_s", node_format_ago, true},
};

static const struct node_column session_columns[] = {
    {"SESSION", "peer", node_format_plain, false},
    {"POLICY", "policy", node_format_plain, false},
    {"COLOR", "color", node_format_plain, true},
    {"STATE", "state", node_format_state, false},
    {"SINCE", "since_s", node_format_ago, true},
    {"PATH", "path", node_format_plain, false},
    {"ENDPOINT", "endpoint", node_format_plain, false},
    {"HANDSHAKE", "handshake_age_s", node_format_ago, true},
    {"RX", "rx_bytes", node_format_bytes, true},
    {"TX", "tx_bytes", node_format_bytes, true},
    {"MTU", "mtu", node_format_plain, true},
    {"REACHES", "prefixes", node_format_list, false},
};

static const struct node_column label_columns[] = {
    {"LABEL", "in", node_format_plain, true},
    {"OUT", "out", node_format_list, false},
    {"NEXT", "next", node_format_plain, false},
    {"DEVICE", "device", node_format_plain, false},
    {"REPAIRED", "repaired", node_format_mark, false},
    {"REPAIR BY", "repair_next", node_format_plain, false},
    {"WITH", "repair_out", node_format_list, false},
};

static const struct node_column queue_columns[] = {
    {"TO", "site", node_format_plain, false},
    {"QUEUE", "queue", node_format_plain, false},
    {"COLOR", "color", node_format_plain, true},
    {"GUARANTEED", "guaranteed_bps", node_format_rate, true},
    {"AT MOST", "most_bps", node_format_rate, true},
    {"PRIORITY", "priority", node_format_plain, true},
    {"SENT", "tx_bytes", node_format_bytes, true},
    {"PACKETS", "packets", node_format_plain, true},
    {"DROPPED", "drops", node_format_plain, true},
    {"WAITING", "waiting_bytes", node_format_bytes, true},
};

static const struct node_column meter_columns[] = {
    {"LINE", "line", node_format_plain, false},
    {"DEVICE", "device", node_format_plain, false},
    {"TODAY", "level", node_format_plain, false},
    {"USED", "used_bytes", node_format_bytes, true},
    {"OF", "allowance_bytes", node_format_bytes, true},
    {"%", "used_percent", node_format_plain, true},
};

static const struct {
	const char *name;
	const struct node_column *columns;
	size_t count;
} tables[] = {
    {"links", link_columns, COUNT(link_columns)},
    {"paths", path_columns, COUNT(path_columns)},
    {"sessions", session_columns, COUNT(session_columns)},
    {"labels", label_columns, COUNT(label_columns)},
    {"queues", queue_columns, COUNT(queue_columns)},
    {"meters", meter_columns, COUNT(meter_columns)},
};

static const char *string_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "-";
}

static void duration_print(const char *before, const json_t *value, const char *after)
{
	struct text t;

	text_init(&t);
	node_format_ago(value, &t);
	printf("%s%s%s", before, text_string(&t), after);
	text_clear(&t);
}

static const char *expiry_note(const json_t *bundle)
{
	const char *expiry = json_string_value(json_object_get(bundle, "expiry"));

	if (json_is_true(json_object_get(bundle, "expired")))
		return " (PAST: a new release is due)";
	return expiry && strcmp(expiry, "distant") != 0 ? " (SOON: a new release is due)" : "";
}

static void bundle_print(const json_t *bundle)
{
	const json_t *refusals = json_object_get(bundle, "refusals");
	size_t i;
	json_t *refusal;
	struct text signers;

	if (json_is_null(json_object_get(bundle, "epoch"))) {
		puts("bundle    none in force: install one with `tuyen install`");
	} else {
		text_init(&signers);
		node_format_list(json_object_get(bundle, "signers"), &signers);
		printf("bundle    epoch %" JSON_INTEGER_FORMAT
		       ", signed by %s, issued %s, expires %s%s\n",
		       json_integer_value(json_object_get(bundle, "epoch")), text_string(&signers),
		       string_of(bundle, "issued"), string_of(bundle, "expires"),
		       expiry_note(bundle));
		text_clear(&signers);
	}
	json_array_foreach(refusals, i, refusal)
	    printf("refused   %s: %s\n", string_of(refusal, "at"), string_of(refusal, "reason"));
}

static size_t count_up(const json_t *rows)
{
	size_t i, up = 0;
	json_t *row;

	json_array_foreach(rows, i, row) up += strcmp(string_of(row, "state"), "up") == 0;
	return up;
}

static bool check_failed(const json_t *row)
{
	return !json_is_true(json_object_get(row, "ok"));
}

static void checks_print(const json_t *checks)
{
	size_t i;
	json_t *check;

	json_array_foreach(checks, i, check) if (check_failed(check))
	    printf("check     %s: %s; remedy: %s\n", string_of(check, "name"),
		   string_of(check, "found"), string_of(check, "remedy"));
}

/* "lte on wwan0: near, 170.2 MB of 200.0 MB today" */
static void meters_print(const json_t *meters)
{
	const json_t *m;
	struct text t;
	size_t k;

	json_array_foreach(meters, k, m)
	{
		text_init(&t);
		text_printf(&t, "metered   %s on %s: %s, ", string_of(m, "line"),
			    string_of(m, "device"), string_of(m, "level"));
		if (json_is_integer(json_object_get(m, "used_bytes"))) {
			node_format_bytes(json_object_get(m, "used_bytes"), &t);
			text_add(&t, " of ");
		}
		node_format_bytes(json_object_get(m, "allowance_bytes"), &t);
		printf("%s %s\n", text_string(&t),
		       json_is_integer(json_object_get(m, "used_bytes")) ? "today" : "a day");
		text_clear(&t);
	}
}

static void links_doubted_print(const json_t *links)
{
	size_t i;
	json_t *link;

	json_array_foreach(links, i, link)
	{
		if (json_is_true(json_object_get(link, "duplicate")))
			printf("duplicate %s's key speaks from two places, a box and its clone\n",
			       string_of(link, "site"));
		if (!json_is_true(json_object_get(link, "damped")))
			continue;
		printf("damped    the link to %s failed again and again", string_of(link, "site"));
		duration_print(": held as spare for ", json_object_get(link, "damped_for_s"),
			       " more\n");
	}
}

/* "degraded  path main of query: 12.0 % of its probes are lost, 80.0 ms there and back, jitter 3.0 ms" */
static void paths_degraded_print(const json_t *paths)
{
	size_t i;
	json_t *path;
	struct text t;

	json_array_foreach(paths, i, path)
	{
		if (!json_is_true(json_object_get(path, "degraded")))
			continue;
		text_init(&t);
		text_printf(&t, "%.1f %% of its probes are lost, ",
			    (double)json_integer_value(json_object_get(path, "loss_permille")) /
				10);
		node_format_us(json_object_get(path, "round_trip_us"), &t);
		text_add(&t, " there and back, jitter ");
		node_format_us(json_object_get(path, "jitter_us"), &t);
		printf("degraded  path %s of %s: %s\n", string_of(path, "name"),
		       string_of(path, "policy"), text_string(&t));
		text_clear(&t);
	}
}

#define OLD_S 20 /* longer than a turn takes, or the supervisor bears silence */

/* The wire process gives its last one while the kernel process, which makes them, is away. */
static void age_print(const json_t *daemon)
{
	const char *made = json_string_value(json_object_get(daemon, "snapshot"));
	struct tm tm = {0};
	json_t *age;

	if (!made || !strptime(made, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return;
	age = json_integer((json_int_t)(time(NULL) - timegm(&tm)));
	if (json_integer_value(age) >= OLD_S)
		duration_print("stale     all of this is what was ", age,
			       " ago: tuyend's kernel process says nothing\n");
	json_decref(age);
}

static void head_print(const json_t *root)
{
	const json_t *site = json_object_get(root, "site"),
		     *daemon = json_object_get(root, "daemon");
	const char *failure = string_of(daemon, "last_failure");

	age_print(daemon);
	if (json_is_object(site))
		printf("site      %s (%s, id %" JSON_INTEGER_FORMAT "), label %" JSON_INTEGER_FORMAT
		       ", node %s, LAN %s\n",
		       string_of(site, "name"), string_of(site, "tier"),
		       json_integer_value(json_object_get(site, "id")),
		       json_integer_value(json_object_get(site, "label")),
		       string_of(site, "node_address"), string_of(site, "lan_address"));
	if (json_is_true(json_object_get(site, "lan_away")))
		printf("LAN       no way leads to it: %s\n",
		       json_is_true(json_object_get(site, "lan_shared"))
			   ? "sites are left to the other gateways"
			   : "no host there is reached; is its cable in, and has its device an "
			     "address?");
	if (*string_of(site, "lan_closed") && strcmp(string_of(site, "lan_closed"), "-") != 0)
		printf(
		    "LAN       net.ipv4.conf.%s.forwarding is 0: nothing that comes from it goes on\n",
		    string_of(site, "lan_closed"));
	if (*string_of(site, "lan_claim") && strcmp(string_of(site, "lan_claim"), "-") != 0)
		printf("LAN       a route leads a part of it to a line: %s; take it away\n",
		       string_of(site, "lan_claim"));
	if (*string_of(site, "conflict") && strcmp(string_of(site, "conflict"), "-") != 0)
		printf("conflict  another site's address stands on a device of this box: %s\n",
		       string_of(site, "conflict"));
	if (*string_of(site, "folder") && strcmp(string_of(site, "folder"), "-") != 0)
		printf("folder    %s\n", string_of(site, "folder"));
	if (*string_of(site, "unnamed") && strcmp(string_of(site, "unnamed"), "-") != 0)
		printf("uplinks   %s and the other link there may go over one line: name the "
		       "devices of both, as in UPLINKS=fibre=eth0,lte=wwan0\n",
		       string_of(site, "unnamed"));
	printf("daemon    tuyend %s", string_of(daemon, "version"));
	duration_print(", up ", json_object_get(daemon, "uptime_s"), "");
	printf(", %" JSON_INTEGER_FORMAT " drift repairs\n",
	       json_integer_value(json_object_get(daemon, "drift_repairs")));
	if (*failure && strcmp(failure, "-") != 0)
		printf("failure   %s\n", failure);
	links_doubted_print(json_object_get(root, "links"));
	paths_degraded_print(json_object_get(root, "paths"));
	meters_print(json_object_get(root, "meters"));
	bundle_print(json_object_get(root, "bundle"));
	checks_print(json_object_get(root, "self_check"));
}

#define SESSIONS_SHOWN_MAX 40 /* a hub has thousands: status then shows those that are down */

static bool session_down(const json_t *row)
{
	return strcmp(string_of(row, "state"), "up") != 0;
}

static void section_print(const json_t *root, size_t t)
{
	const json_t *rows = json_object_get(root, tables[t].name);
	size_t count = json_array_size(rows), up = count_up(rows);
	bool many = strcmp(tables[t].name, "sessions") == 0 && count > SESSIONS_SHOWN_MAX;

	if (!count)
		return;
	printf("\n%s: %zu, %zu up%s\n", tables[t].name, count, up,
	       many ? "; those that are down (`tuyen show sessions` has all):" : "");
	if (!many || up < count)
		node_table_print(rows, tables[t].columns, tables[t].count,
				 many ? session_down : NULL);
}

static int status_run(int argc, char **argv)
{
	struct node_arguments a;
	int code = node_arguments_parse(argc, argv, &a);
	json_t *root;

	if (code)
		return code;
	if (a.word_count) {
		fprintf(stderr, "tuyen status: unexpected '%s'\n", a.words[0]);
		return CLI_SYSTEM;
	}
	root = node_status(&a, &code);
	if (!root)
		return code;
	if (a.json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		head_print(root);
		for (size_t t = 0; t < 3; t++)
			section_print(root, t);
	}
	json_decref(root);
	return CLI_OK;
}

static void show_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

#define LEFT_OUT "# left out: " /* plan.h: the conflict */

/* A plan's lines, cut at their ends: {operations: [words], left_out: words or null}. */
static int drift_json(char *plan)
{
	const char *left_out = NULL;
	struct text t;
	int code;

	text_init(&t);
	text_add(&t, "{\n  \"operations\": [");
	for (char *save = NULL, *line = strtok_r(plan, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, LEFT_OUT, strlen(LEFT_OUT))) {
			left_out = line + strlen(LEFT_OUT);
			continue;
		}
		text_add(&t, t.length && t.bytes[t.length - 1] == '[' ? "\n    " : ",\n    ");
		text_add_json_string(&t, line);
	}
	text_add(&t, "\n  ],\n  \"left_out\": ");
	if (left_out)
		text_add_json_string(&t, left_out);
	else
		text_add(&t, "null");
	text_add(&t, "\n}\n");
	if (t.failed)
		fputs("error: out of memory\n", stderr);
	else
		fputs(t.bytes, stdout);
	code = t.failed ? CLI_SYSTEM : CLI_OK;
	text_clear(&t);
	return code;
}

/* What the kernel holds is not what it should: tuyend's own next turn. */
static int drift_show(const struct node_arguments *a)
{
	char nothing[] = "";
	struct text plan;
	int code = node_request(a, "PLAN", &plan);

	if (code == CLI_OK && a->json)
		code = drift_json(plan.length ? plan.bytes : nothing);
	else if (code == CLI_OK && !plan.length)
		puts("none: the kernel holds what the bundle says");
	else
		node_answer_print(&plan, code ? stderr : stdout);
	text_clear(&plan);
	return code;
}

/* @return 0 with the column of a heading, or an exit code after saying why. */
static int column_find(size_t t, const char *heading, const struct node_column **ret)
{
	const struct node_column *columns = tables[t].columns;

	for (size_t c = 0; c < tables[t].count; c++)
		if (!strcasecmp(columns[c].heading, heading)) {
			*ret = &columns[c];
			return 0;
		}
	fprintf(stderr, "tuyen show: %s have no column '%s'; there are", tables[t].name, heading);
	for (size_t c = 0, said = 0; c < tables[t].count; c++)
		if (columns[c].heading[0] != ' ')
			fprintf(stderr, "%s '%s'", said++ ? "," : "", columns[c].heading);
	fputc('\n', stderr);
	return CLI_SYSTEM;
}

static int table_show(const json_t *root, size_t t, const struct node_arguments *a,
		      const struct node_column *sort)
{
	json_t *rows = node_table_select(json_object_get(root, tables[t].name), tables[t].columns,
					 tables[t].count, a->words + 1, a->word_count - 1, sort);

	if (!rows) {
		fputs("error: out of memory\n", stderr);
		return CLI_SYSTEM;
	}
	if (a->json)
		show_json(rows);
	else
		node_table_print(rows, tables[t].columns, tables[t].count, NULL);
	json_decref(rows);
	return CLI_OK;
}

static int show_run(int argc, char **argv)
{
	struct node_arguments a;
	int code = node_arguments_parse(argc, argv, &a);
	const struct node_column *sort = NULL;
	bool of_rows;
	json_t *root;
	size_t t = 0;

	if (code)
		return code;
	if (!a.word_count) {
		fputs(
		    "tuyen show: say one of links, paths, sessions, labels, queues, meters, bundle, drift\n",
		    stderr);
		return CLI_SYSTEM;
	}
	while (t < COUNT(tables) && strcmp(tables[t].name, a.words[0]) != 0)
		t++;
	of_rows = t < COUNT(tables);
	if (!of_rows && strcmp(a.words[0], "bundle") != 0 && strcmp(a.words[0], "drift") != 0) {
		fprintf(
		    stderr,
		    "tuyen show: no table '%s'; there are links, paths, sessions, labels, queues, meters, "
		    "bundle, drift\n",
		    a.words[0]);
		return CLI_SYSTEM;
	}
	if (!of_rows && (a.word_count > 1 || a.sort)) {
		fprintf(stderr, "tuyen show: '%s' has no rows to choose from\n", a.words[0]);
		return CLI_SYSTEM;
	}
	if (a.sort)
		code = column_find(t, a.sort, &sort);
	if (code)
		return code;
	if (!strcmp(a.words[0], "drift"))
		return drift_show(&a);
	root = node_status(&a, &code);
	if (!root)
		return code;
	if (of_rows)
		code = table_show(root, t, &a, sort);
	else if (a.json)
		show_json(json_object_get(root, "bundle"));
	else
		bundle_print(json_object_get(root, "bundle"));
	json_decref(root);
	return code;
}

static const struct cli_option cli_options[] = {
    {"--control", "SOCKET", "control socket of tuyend; else " CONTROL_SOCKET},
    {"--json", NULL, "the data as JSON (see control.h for its shape)"},
    {0},
};

static const struct cli_option show_options[] = {
    {"--sort", "COLUMN",
     "in the order of its values, by its heading: --sort since has the newest first"},
    {"--control", "SOCKET", "control socket of tuyend; else " CONTROL_SOCKET},
    {"--json", NULL, "the data as JSON (see control.h for its shape)"},
    {0},
};

#define NODE_EXITS "exit codes: 0 ok, 2 tuyend does not answer\n"

const struct cli_command cli_status = {
    .name = "status",
    .usage = "[--json] [--control SOCKET]",
    .summary = "show what this node does: links, paths, sessions, who is up and since when",
    .options = cli_options,
    .help = NODE_EXITS,
    .run = status_run,
};

const struct cli_command cli_show = {
    .name = "show",
    .usage =
	"links|paths|sessions|labels|queues|meters|bundle|drift [WORD...] [--sort COLUMN] [--json] [--control SOCKET]",
    .summary = "show one table of the status in full, or what the kernel holds otherwise",
    .choices = "links|paths|sessions|labels|queues|meters|bundle|drift",
    .options = show_options,
    .help =
	"Of a table, rows that have each WORD in one of their cells: tuyen show sessions down\n" NODE_EXITS,
    .run = show_run,
};
