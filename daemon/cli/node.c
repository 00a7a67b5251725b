/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/node.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tuyen/cli/cli.h"

#define REQUEST_TIMEOUT_MS 30000

int node_arguments_parse(int argc, char **argv, struct node_arguments *ret)
{
	static const struct option options[] = {
	    {"control", required_argument, NULL, 'c'},
	    {"state", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},
	    {"sort", required_argument, NULL, 'o'},
	    {0},
	};
	int option;

	*ret = (struct node_arguments){.control = CONTROL_SOCKET, .state = "/var/lib/tuyen"};
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'c')
			ret->control = optarg;
		else if (option == 's')
			ret->state = optarg;
		else if (option == 'j')
			ret->json = true;
		else if (option == 'o')
			ret->sort = optarg;
		else {
			fprintf(stderr, "try: tuyen %s --help\n", argv[0]);
			return CLI_SYSTEM;
		}
	}
	ret->words = argv + optind;
	ret->word_count = argc - optind;
	return 0;
}

int node_request(const struct node_arguments *a, const char *request, struct text *ret_body)
{
	enum control_status status;
	struct reason reason;

	text_init(ret_body);
	if (control_request(a->control, request, REQUEST_TIMEOUT_MS, &status, ret_body, &reason) <
	    0) {
		fprintf(stderr, "tuyen: %s\n", reason.text);
		text_clear(ret_body);
		return CLI_SYSTEM;
	}
	return status == CONTROL_OK ? CLI_OK : status == CONTROL_REFUSED ? CLI_INPUT : CLI_SYSTEM;
}

void node_answer_print(const struct text *answer, FILE *stream)
{
	struct text shown;

	text_init(&shown);
	text_add_shown(&shown, text_string(answer));
	fputs(text_string(&shown), stream);
	text_clear(&shown);
}

/* For people; --json escapes what there is by itself. */
static void strings_clean(json_t *value)
{
	struct text shown;
	const char *key;
	json_t *item;
	size_t i;

	json_object_foreach(value, key, item) strings_clean(item);
	json_array_foreach(value, i, item) strings_clean(item);
	if (!json_is_string(value))
		return;
	text_init(&shown);
	text_add_shown(&shown, json_string_value(value));
	json_string_set(value, text_string(&shown));
	text_clear(&shown);
}

json_t *node_status(const struct node_arguments *a, int *ret_code)
{
	json_error_t error;
	struct text body;
	json_t *root = NULL;

	*ret_code = node_request(a, "STATUS", &body);
	if (*ret_code == CLI_OK) {
		root = json_loadb(text_string(&body), body.length, 0, &error);
		if (!json_is_object(root)) {
			fprintf(stderr, "tuyen: the status document cannot be read: %s\n",
				error.text);
			json_decref(root);
			root = NULL;
			*ret_code = CLI_SYSTEM;
		}
	} else if (body.length) {
		fputs("tuyen: ", stderr);
		node_answer_print(&body, stderr);
	}
	if (!a->json)
		strings_clean(root);
	text_clear(&body);
	return root;
}

void node_format_plain(const json_t *value, struct text *ret)
{
	if (json_is_string(value))
		text_add(ret, json_string_value(value));
	else if (json_is_integer(value))
		text_printf(ret, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		text_add(ret, json_boolean_value(value) ? "yes" : "no");
	else
		text_add(ret, "-");
}

/* BFD's reason for the last change; one that was never up has none. */
void node_format_why(const json_t *value, struct text *ret)
{
	const char *why = json_string_value(value);

	text_add(ret, why && strcmp(why, "none") != 0 ? why : "-");
}

void node_format_ago(const json_t *value, struct text *ret)
{
	json_int_t s = json_integer_value(value);

	if (!json_is_integer(value))
		text_add(ret, "-");
	else if (s < 120)
		text_printf(ret, "%" JSON_INTEGER_FORMAT " s", s);
	else if (s < 7200)
		text_printf(ret, "%" JSON_INTEGER_FORMAT " min", s / 60);
	else if (s < 172800)
		text_printf(ret, "%" JSON_INTEGER_FORMAT " h", s / 3600);
	else
		text_printf(ret, "%" JSON_INTEGER_FORMAT " d", s / 86400);
}

void node_format_bytes(const json_t *value, struct text *ret)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double v = (double)json_integer_value(value);
	size_t unit = 0;

	if (!json_is_integer(value)) {
		text_add_char(ret, '-');
		return;
	}
	while (v >= 10000 && unit < 4) {
		v /= 1000;
		unit++;
	}
	text_printf(ret, "%.0f %s", v, units[unit]);
}

void node_format_rate(const json_t *value, struct text *ret)
{
	double bps = (double)json_integer_value(value);

	if (bps < 10e6)
		text_printf(ret, "%.0f kbit/s", bps / 1e3);
	else
		text_printf(ret, "%.0f Mbit/s", bps / 1e6);
}

void node_format_us(const json_t *value, struct text *ret)
{
	json_int_t us = json_integer_value(value);

	if (!json_is_integer(value) || !us)
		text_add(ret, "-");
	else if (us < 1000)
		text_printf(ret, "%" JSON_INTEGER_FORMAT " us", us);
	else
		text_printf(ret, "%.1f ms", (double)us / 1000);
}

void node_format_state(const json_t *value, struct text *ret)
{
	const char *state = json_is_string(value) ? json_string_value(value) : "-";
	const char *color = strcmp(state, "up") == 0	 ? "32"
			    : strcmp(state, "down") == 0 ? "31"
							 : "33";

	if (isatty(STDOUT_FILENO) && !getenv("NO_COLOR"))
		text_printf(ret, "\033[%sm%s\033[0m", color, state);
	else
		text_add(ret, state);
}

void node_format_list(const json_t *value, struct text *ret)
{
	size_t i;
	json_t *item;

	if (!json_array_size(value))
		text_add_char(ret, '-');
	json_array_foreach(value, i, item)
	{
		if (i)
			text_add(ret, json_is_string(item) ? " " : "/");
		node_format_plain(item, ret);
	}
}

void node_format_mark(const json_t *value, struct text *ret)
{
	text_add_char(ret, json_is_true(value) ? '*' : ' ');
}

/* Columns on a terminal: UTF-8 continuation bytes and colors take none. */
static size_t width_of(const char *s)
{
	size_t width = 0;

	while (*s) {
		if (*s == '\033') {
			while (*s && *s != 'm')
				s++;
			s += *s == 'm';
			continue;
		}
		width += ((unsigned char)*s++ & 0xc0) != 0x80;
	}
	return width;
}

static void pad(size_t n)
{
	while (n--)
		putchar(' ');
}

static void cell_print(const char *text, size_t width, bool right, bool last)
{
	size_t space = width > width_of(text) ? width - width_of(text) : 0;

	if (right)
		pad(space);
	fputs(text, stdout);
	if (!right && !last)
		pad(space);
	fputs(last ? "\n" : "  ", stdout);
}

static void cell_format(const json_t *row, const struct node_column *column, struct text *ret)
{
	text_reset(ret);
	column->format(json_object_get(row, column->key), ret);
}

/* Each of @words is in one of the cells, as they are printed. */
static bool row_has(const json_t *row, const struct node_column *columns, size_t count,
		    char **words, int word_count, struct text *cell)
{
	for (int w = 0; w < word_count; w++) {
		size_t c = 0;

		for (; c < count; c++) {
			bool colored = columns[c].format == node_format_state;
			const json_t *value = json_object_get(row, columns[c].key);

			text_reset(cell);
			(colored ? node_format_plain : columns[c].format)(value, cell);
			if (strstr(text_string(cell), words[w]))
				break;
		}
		if (c == count)
			return false;
	}
	return true;
}

struct row {
	json_t *json;
	size_t place; /* equal ones stay as they were */
};

/* Numbers as numbers; what is unknown comes last. */
static int row_compare(const void *a, const void *b, void *context)
{
	const struct row *x = a, *y = b;
	const struct node_column *column = context;
	const json_t *p = json_object_get(x->json, column->key),
		     *q = json_object_get(y->json, column->key);
	int order = (!p || json_is_null(p)) - (!q || json_is_null(q));

	if (!order && json_is_integer(p) && json_is_integer(q))
		order = (json_integer_value(p) > json_integer_value(q)) -
			(json_integer_value(p) < json_integer_value(q));
	else if (!order && json_is_string(p) && json_is_string(q))
		order = strcmp(json_string_value(p), json_string_value(q));
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

json_t *node_table_select(const json_t *rows, const struct node_column *columns, size_t count,
			  char **words, int word_count, const struct node_column *sort)
{
	struct row *wanted = calloc(json_array_size(rows) + 1, sizeof(*wanted));
	json_t *ret = json_array(), *json;
	struct text cell;
	size_t i, n = 0;

	if (!wanted || !ret) {
		free(wanted);
		json_decref(ret);
		return NULL;
	}
	text_init(&cell);
	json_array_foreach(rows, i, json)
	{
		if (row_has(json, columns, count, words, word_count, &cell))
			wanted[n++] = (struct row){json, i};
	}
	text_clear(&cell);
	if (sort)
		qsort_r(wanted, n, sizeof(*wanted), row_compare, (void *)(uintptr_t)sort);
	for (i = 0; i < n; i++)
		json_array_append(ret, wanted[i].json);
	free(wanted);
	return ret;
}

void node_table_print(const json_t *rows, const struct node_column *columns, size_t count,
		      bool (*wanted)(const json_t *row))
{
	size_t *widths = calloc(count + 1, sizeof(*widths)), i, c;
	struct text cell;
	json_t *row;

	if (!widths) {
		fputs("error: out of memory\n", stderr);
		return;
	}
	text_init(&cell);
	for (c = 0; c < count; c++)
		widths[c] = width_of(columns[c].heading);
	json_array_foreach(rows, i, row) for (c = 0; c < count; c++)
	{
		cell_format(row, &columns[c], &cell);
		if (width_of(text_string(&cell)) > widths[c])
			widths[c] = width_of(text_string(&cell));
	}
	for (c = 0; c < count; c++)
		cell_print(columns[c].heading, widths[c], columns[c].right, c + 1 == count);
	json_array_foreach(rows, i, row)
	{
		if (wanted && !wanted(row))
			continue;
		for (c = 0; c < count; c++) {
			cell_format(row, &columns[c], &cell);
			cell_print(text_string(&cell), widths[c], columns[c].right, c + 1 == count);
		}
	}
	text_clear(&cell);
	free(widths);
}
