/* SPDX-License-Identifier: Apache-2.0 */
#include "compiled.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/workers.h"

/* Columns count code points. */
struct diag_place compiled_place(const struct load *load, struct source_place at)
{
	const struct diag_source *s;
	uint32_t offset, length = 0;

	if (at.file >= load->sources.count || !at.line)
		return (struct diag_place){0};
	s = &load->sources.files[at.file]->source;
	if (at.line > s->line_count)
		return (struct diag_place){0};
	offset = s->line_starts[at.line - 1];
	for (uint32_t c = 1; c < at.column && offset < s->length; c++)
		do
			offset++;
		while (offset < s->length && ((unsigned char)s->bytes[offset] & 0xc0) == 0x80);
	while (offset + length < s->length && !strchr(" \t\r\n;{},", s->bytes[offset + length]))
		length++;
	return (struct diag_place){s, offset, length};
}

/* @return whether one of them is an error, or was made one. */
static bool problems_say(const struct compiled *c, const struct load_options *options)
{
	struct diag_list diags;
	struct text out;
	bool wrong;

	diag_list_init(&diags);
	load_options_apply(options, &diags);
	for (size_t i = 0; i < compile_problem_count(c->result); i++) {
		const struct compile_problem *p = compile_problem(c->result, i);

		if (p->error)
			diag_error(&diags, compiled_place(&c->load, p->place), "%s", p->text);
		else
			diag_warning(&diags, compiled_place(&c->load, p->place), p->name, "%s",
				     p->text);
	}
	text_init(&out);
	if (diags.count)
		diag_list_print(&diags, &out);
	fputs(text_string(&out), stderr);
	text_clear(&out);
	wrong = diags.error_count != 0;
	diag_list_clear(&diags);
	return wrong;
}

int compiled_load(const char *command, const char *const *paths, size_t count,
		  const struct load_options *options, bool need_keys, struct compiled *ret_compiled)
{
	struct compiled *c = ret_compiled;
	struct executor executor;
	int err;

	*c = (struct compiled){0};
	err = load_network(paths, count, options, &c->load);
	if (err < 0)
		return err;
	executor =
	    workers_executor(options && options->workers ? options->workers : workers_default());
	err = compile_network_with(&c->load.network, need_keys ? COMPILE_NEED_KEYS : 0, &executor,
				   &c->result);
	if (!err && need_keys)
		err = compile_expect(c->result);
	if (err == -TUYEN_ENOMEM) {
		fprintf(stderr, "tuyen %s: no memory\n", command);
		return err;
	}
	return problems_say(c, options) ? -TUYEN_EINVAL : 0;
}

void compiled_clear(struct compiled *c)
{
	compile_free(c->result);
	load_clear(&c->load);
}

uint32_t compiled_site_find(const struct network *n, const char *word)
{
	uint32_t found = network_site_find(n, word);
	char *end;
	unsigned long id = strtoul(word, &end, 10);

	if (found != NETWORK_NONE || *end || end == word)
		return found;
	for (uint32_t i = 0; i < n->site_count; i++)
		if (n->sites[i].id == id)
			return i;
	return NETWORK_NONE;
}
