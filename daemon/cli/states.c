/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/states.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/cli/release_folder.h"
#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"

static struct forwarding *state_add(struct states *s)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct forwarding *larger = realloc(s->sites, room * sizeof(*larger));

		if (!larger)
			return NULL;
		s->sites = larger;
		s->room = room;
	}
	forwarding_init(&s->sites[s->count]);
	return &s->sites[s->count++];
}

/* "OUT/sites/902.bundle: WHY", unless @why names it already. */
static int bad_add(struct states *s, const struct release_folder *folder, uint32_t site_id,
		   bool kept, const char *why, bool listed_so)
{
	struct states_bad *larger = realloc(s->bad, (s->bad_count + 1) * sizeof(*larger));
	struct text t = {0};

	if (!larger)
		return -TUYEN_ENOMEM;
	s->bad = larger;
	text_printf(&t, "%s/" RELEASE_BUNDLES "/%u.bundle: ", folder->path, site_id);
	if (!strncmp(why, text_string(&t), t.length))
		text_reset(&t);
	text_add(&t, why);
	if (!listed_so)
		text_printf(&t, "%sthe bundle is not what the manifest says", *why ? "; " : "");
	if (t.failed) {
		text_clear(&t);
		return -TUYEN_ENOMEM;
	}
	s->bad[s->bad_count++] = (struct states_bad){site_id, kept, t.bytes};
	return 0;
}

struct compiling {
	const struct compile_result *result;
	struct forwarding *sites;
};

static int state_compile(void *context, unsigned int worker, size_t site)
{
	struct compiling *c = context;

	(void)worker;
	return compile_site(c->result, (uint32_t)site, &c->sites[site]);
}

int states_compile(const struct compiled *c, unsigned int workers, struct states *s)
{
	size_t count = c->load.network.site_count;
	struct compiling all = {.result = c->result};

	memset(s, 0, sizeof(*s));
	all.sites = s->sites = calloc(count + 1, sizeof(*s->sites));
	if (!s->sites)
		return -TUYEN_ENOMEM;
	s->count = s->room = count;
	return workers_run(workers, count, state_compile, &all);
}

static void state_drop(struct states *s)
{
	forwarding_clear(&s->sites[--s->count]);
}

int states_complete(struct states *s, const struct compiled *c)
{
	const struct network *n = &c->load.network;

	for (size_t i = 0; i < s->bad_count; i++)
		for (uint32_t site = 0; !s->bad[i].kept && site < n->site_count; site++) {
			struct forwarding *f =
			    n->sites[site].id == s->bad[i].site_id ? state_add(s) : NULL;

			if (n->sites[site].id != s->bad[i].site_id)
				continue;
			if (!f || compile_site(c->result, site, f) < 0)
				return -TUYEN_ENOMEM;
		}
	return 0;
}

/* What @bundle says, into a new state. */
static int bundle_parse(struct states *s, const struct text *bundle, uint32_t site_id,
			struct reason *why)
{
	struct forwarding *f = state_add(s);
	int err = f ? forwarding_parse(bundle->bytes, bundle->length, f, why) : -TUYEN_ENOMEM;

	if (err < 0 && f) {
		forwarding_init(f);
		state_drop(s);
	}
	if (!err && f->site_id != site_id) {
		err = reason_set(why, -TUYEN_EINVAL, "the bundle is another site's, '%s', id %u",
				 f->site, f->site_id);
		state_drop(s);
	}
	return err;
}

static int bundle_read(struct states *s, const struct release_folder *folder, uint32_t site_id,
		       const uint8_t *listed, struct text *bundle)
{
	struct reason why = {0};
	uint8_t digest[SHA256_LEN];
	bool listed_so = true; /* as the manifest says, as far as can be told */
	int err;

	text_reset(bundle);
	err = release_folder_bundle(folder, site_id, bundle, &why);
	if (!err)
		err = sha256_digest(bundle->bytes, bundle->length, digest);
	if (!err) {
		listed_so = !memcmp(digest, listed, SHA256_LEN);
		err = bundle_parse(s, bundle, site_id, &why);
	}
	if (err == -TUYEN_ENOMEM || (!err && listed_so))
		return err;
	if (err < 0 && !why.text[0])
		reason_set(&why, err, "%s", tuyen_strerror(err));
	return bad_add(s, folder, site_id, !err, why.text, listed_so);
}

static int statement_read(const struct release_folder *folder, struct states *s,
			  struct reason *reason)
{
	const struct seal_view *text = &folder->parts.release.text;
	struct statement statement;
	struct statement_source source;
	char hex[SHA256_STRLEN];
	size_t offset = 0;
	int err = statement_parse((const char *)text->bytes, text->length, &statement, reason);

	if (err < 0)
		return err;
	s->epoch = statement.epoch;
	s->audit = statement.audit;
	while (statement_source_next(&statement, &offset, &source))
		text_printf(&s->sources, "%s %s\n", hex_format(source.digest, SHA256_LEN, hex),
			    source.name);
	return s->sources.failed ? -TUYEN_ENOMEM : 0;
}

int states_read(const char *path, struct states *s, struct reason *reason)
{
	struct release_folder folder;
	uint8_t listed[SHA256_LEN];
	struct text bundle = {0};
	uint32_t site_id;
	size_t offset = 0;
	int err;

	memset(s, 0, sizeof(*s));
	err = release_folder_read(path, NULL, 0, &folder, reason);
	if (err < 0)
		return err;
	err = statement_read(&folder, s, reason);
	while (!err &&
	       (err = release_manifest_next(text_string(&folder.manifest), folder.manifest.length,
					    &offset, &site_id, listed)) == 1)
		err = bundle_read(s, &folder, site_id, listed, &bundle);
	if (err == -TUYEN_EINVAL && !reason->text[0])
		reason_set(reason, err, "%s/" RELEASE_MANIFEST ": a line is not of this form",
			   path);
	text_clear(&bundle);
	release_folder_clear(&folder);
	return err;
}

void states_clear(struct states *s)
{
	for (size_t i = 0; i < s->count; i++)
		forwarding_clear(&s->sites[i]);
	free(s->sites);
	for (size_t i = 0; i < s->bad_count; i++)
		free(s->bad[i].why);
	free(s->bad);
	text_clear(&s->sources);
	memset(s, 0, sizeof(*s));
}
