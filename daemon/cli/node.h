/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CLI_NODE_H
#define DAEMON_CLI_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "tuyen/client/control.h"

/* What the commands that talk to a running tuyend share. */

struct node_arguments {
	const char *control; /* socket */
	const char *state;   /* folder */
	const char *sort;    /* a heading; NULL: none */
	bool json;
	char **words; /* what is no option */
	int word_count;
};

/** Takes --control, --state, --json, --sort. @return 0, or an exit code after saying why. */
int node_arguments_parse(int argc, char **argv, struct node_arguments *ret);
/** Asks; says why on failure. @return 0, or an exit code. @ret_body is the caller's. */
int node_request(const struct node_arguments *a, const char *request, struct text *ret_body);
/** Prints what was answered, without what a terminal would obey: a reason may name a file of anybody's. */
void node_answer_print(const struct text *answer, FILE *stream);
/** The status document, its strings as a terminal may show them unless --json. NULL after saying why, with @ret_code set. */
json_t *node_status(const struct node_arguments *a, int *ret_code);

/** A column of a table: heading, key of the row object, how to show it. */
struct node_column {
	const char *heading;
	const char *key;
	void (*format)(const json_t *value, struct text *ret);
	bool right;
};

/**
 * The rows that have each of @words in one of their cells, in the order of @sort's values; NULL: as they are.
 * @return a new array of the same rows, or NULL without memory.
 */
json_t *node_table_select(const json_t *rows, const struct node_column *columns, size_t count,
			  char **words, int word_count, const struct node_column *sort);

void node_table_print(const json_t *rows, const struct node_column *columns, size_t count,
		      bool (*wanted)(const json_t *row));

void node_format_plain(const json_t *value, struct text *ret);
void node_format_why(const json_t *value, struct text *ret);
void node_format_ago(const json_t *value, struct text *ret); /* seconds */
void node_format_bytes(const json_t *value, struct text *ret);
void node_format_rate(const json_t *value, struct text *ret); /* bit/s */
void node_format_us(const json_t *value, struct text *ret);
void node_format_state(const json_t *value, struct text *ret);
void node_format_list(const json_t *value, struct text *ret);
void node_format_mark(const json_t *value, struct text *ret); /* bool */

#endif
