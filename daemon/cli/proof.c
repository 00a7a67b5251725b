/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"

int proof_make(const struct compiled *c, unsigned int workers, struct proof *p)
{
	struct executor executor = workers_executor(workers);
	int err;

	*p = (struct proof){0};
	err = states_compile(c, workers, &p->states);
	if (!err)
		err = audit_new(&c->load.network, p->states.sites, p->states.count, &p->audit);
	if (err)
		return err;
	audit_executor(p->audit, &executor);
	err = audit_prove(p->audit);
	audit_executor(p->audit, NULL);
	return err;
}

void proof_clear(struct proof *p)
{
	audit_free(p->audit);
	states_clear(&p->states);
	p->audit = NULL;
}

int proof_document(const struct audit *audit, const struct load *load, struct text *ret_document)
{
	size_t count = load->sources.count;
	struct audit_source *sources = calloc(count + 1, sizeof(*sources));
	char(*hex)[SHA256_STRLEN] = calloc(count + 1, sizeof(*hex));
	struct audit_about about = {
	    .version = TUYEN_VERSION, .sources = sources, .source_count = count};
	uint8_t digest[SHA256_LEN];
	struct text raw = {0};
	int err = sources && hex ? 0 : -TUYEN_ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		const struct syntax_file *f = load->sources.files[i];

		err = sha256_digest(f->bytes, f->source.length, digest);
		if (!err)
			sources[i] =
			    (struct audit_source){f->name, hex_format(digest, SHA256_LEN, hex[i])};
	}
	if (!err) {
		audit_canonical(audit, &about, &raw);
		text_add_shown(ret_document, text_string(&raw));
		err = raw.failed || ret_document->failed ? -TUYEN_ENOMEM : 0;
	}
	text_clear(&raw);
	free(sources);
	free(hex);
	return err;
}

int proof_statement(const struct audit *audit, const struct load *load,
		    struct statement_audit *ret_audit)
{
	struct statement_audit line = {.clean = !audit_findings_total(audit)};
	struct text document = {0};
	int err = proof_document(audit, load, &document);

	if (!err)
		err = sha256_digest(document.bytes, document.length, line.digest);
	text_clear(&document);
	if (err < 0)
		return err;
	snprintf(line.version, sizeof(line.version), "%s", TUYEN_VERSION);
	*ret_audit = line;
	return 0;
}

void proof_findings_print(const struct audit *audit)
{
	struct audit_about about = {.title = "the release is not made", .seconds = -1};
	struct text t = {0}, shown = {0};

	audit_text(audit, &about, &t);
	text_add_shown(&shown, text_string(&t));
	fputs(text_string(&shown), stderr);
	text_clear(&t);
	text_clear(&shown);
}
