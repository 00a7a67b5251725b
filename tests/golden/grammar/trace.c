/* SPDX-License-Identifier: Apache-2.0 */
/* Parses each file named, with the parser's own trace on standard error. Built by ./run alone. */
#include <stdio.h>
#include <stdlib.h>

#include "tuyen/policies/syntax.h"

extern int grammar_debug;

static void trace_file(const char *name)
{
	static char bytes[1 << 20];
	struct diag_list diags;
	struct syntax_file *file;
	FILE *stream = fopen(name, "rb");
	size_t length;

	if (!stream)
		exit(2);
	length = fread(bytes, 1, sizeof(bytes), stream);
	fclose(stream);
	diag_list_init(&diags);
	if (syntax_parse(name, bytes, length, &diags, &file) < 0)
		exit(2);
	syntax_file_free(file);
	diag_list_clear(&diags);
}

int main(int argc, char **argv)
{
	grammar_debug = 1;
	for (int i = 1; i < argc; i++)
		trace_file(argv[i]);
	return 0;
}
