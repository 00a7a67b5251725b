/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/cli/release_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuyen/base/encode.h"
#include "tuyen/cli/files.h"
#include "tuyen/topology/forwarding.h"

#define MANIFEST_BYTES_MAX (16u << 20)
#define SUFFIX		   ".sig"

/* Reads a file into a buffer that the folder keeps. */
static int buffer_read(struct release_folder *f, const char *path, size_t max,
		       struct seal_view *ret_view, struct reason *reason)
{
	struct text *buffers = realloc(f->buffers, (f->buffer_count + 1) * sizeof(*buffers));
	int err;

	if (!buffers)
		return -TUYEN_ENOMEM;
	f->buffers = buffers;
	text_init(&buffers[f->buffer_count]);
	err = file_read(path, max, 0, &buffers[f->buffer_count], reason);
	if (err < 0)
		return err;
	ret_view->bytes = (const uint8_t *)buffers[f->buffer_count].bytes;
	ret_view->length = buffers[f->buffer_count++].length;
	return 0;
}

/* The officer's name of a file name, NULL if it is none. Allocated. */
static char *officer_of_file(const char *file)
{
	size_t length = strlen(file), suffix = strlen(SUFFIX);

	if (length <= suffix || strcmp(file + length - suffix, SUFFIX) != 0 ||
	    !officer_name_valid(file, length - suffix))
		return NULL;
	return strndup(file, length - suffix);
}

static int signature_add(struct release_folder *f, const char *folder, char *name,
			 struct seal_signed *s, struct reason *reason)
{
	struct seal_view name_view = {(const uint8_t *)name, strlen(name)}, bytes;
	struct text path = {0};
	int err;

	if (s->count == SEAL_SIGNATURES_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "%s: above %d signatures", folder,
				  SEAL_SIGNATURES_MAX);
	text_printf(&path, "%s/%s" SUFFIX, folder, name);
	err =
	    path.failed ? -TUYEN_ENOMEM : buffer_read(f, path.bytes, SIGNATURE_MAX, &bytes, reason);
	text_clear(&path);
	if (err < 0)
		return err;
	s->signatures[s->count++] = (struct signature){
	    .name = (const char *)name_view.bytes,
	    .name_length = name_view.length,
	    .bytes = bytes.bytes,
	    .length = bytes.length,
	};
	return 0;
}

/* Names live as long as the folder: they become one of its buffers. */
static int name_keep(struct release_folder *f, char *name)
{
	struct text *buffers = realloc(f->buffers, (f->buffer_count + 1) * sizeof(*buffers));

	if (!buffers)
		return -TUYEN_ENOMEM;
	f->buffers = buffers;
	buffers[f->buffer_count++] = (struct text){.bytes = name};
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(((const struct signature *)a)->name, ((const struct signature *)b)->name);
}

static int signatures_read(struct release_folder *f, const char *folder, struct seal_signed *s,
			   struct reason *reason)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOENT
			   ? 0
			   : reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", folder, strerror(errno));
	while (!err && (entry = readdir(dir))) {
		char *name = officer_of_file(entry->d_name);

		if (!name)
			continue;
		err = name_keep(f, name);
		if (err < 0)
			free(name);
		else
			err = signature_add(f, folder, name, s, reason);
	}
	closedir(dir);
	qsort(s->signatures, s->count, sizeof(s->signatures[0]), name_compare);
	return err;
}

int release_folder_signed(struct release_folder *f, const char *text, const char *signatures,
			  size_t max, struct seal_signed *ret_signed, struct reason *reason)
{
	int err = buffer_read(f, text, max, &ret_signed->text, reason);

	ret_signed->count = 0;
	return err < 0 ? err : signatures_read(f, signatures, ret_signed, reason);
}

static int chain_add(struct release_folder *f, const char *roster, struct reason *reason)
{
	struct text signatures = {0};
	int err;

	if (f->parts.chain_length == SEAL_CHAIN_MAX)
		return reason_set(reason, -TUYEN_ELIMIT, "%s: above %d rosters", roster,
				  SEAL_CHAIN_MAX);
	text_printf(&signatures, "%s-signatures", roster);
	err = release_folder_signed(f, roster, text_string(&signatures), ROSTER_BYTES_MAX,
				    &f->parts.chain[f->parts.chain_length], reason);
	text_clear(&signatures);
	if (!err)
		f->parts.chain_length++;
	return err;
}

static int chain_read(struct release_folder *f, const char *const *rosters, size_t count,
		      struct reason *reason)
{
	struct text own = {0};
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = chain_add(f, rosters[i], reason);
	if (count)
		return err;
	text_printf(&own, "%s/" RELEASE_ROSTER, f->path);
	err = chain_add(f, text_string(&own), reason);
	text_clear(&own);
	return err == -TUYEN_ENOENT ? 0 : err;
}

int release_folder_read(const char *path, const char *const *rosters, size_t roster_count,
			struct release_folder *ret_folder, struct reason *reason)
{
	struct text release = {0}, signatures = {0}, manifest = {0};
	int err;

	memset(ret_folder, 0, sizeof(*ret_folder));
	ret_folder->path = path;
	text_printf(&release, "%s/" RELEASE_FILE, path);
	text_printf(&signatures, "%s/" RELEASE_SIGNATURES, path);
	text_printf(&manifest, "%s/" RELEASE_MANIFEST, path);
	err = chain_read(ret_folder, rosters, roster_count, reason);
	if (!err)
		err = release_folder_signed(ret_folder, text_string(&release),
					    text_string(&signatures), STATEMENT_BYTES_MAX,
					    &ret_folder->parts.release, reason);
	if (!err)
		err = file_read(text_string(&manifest), MANIFEST_BYTES_MAX, 0,
				&ret_folder->manifest, reason);
	text_clear(&release);
	text_clear(&signatures);
	text_clear(&manifest);
	if (err < 0)
		release_folder_clear(ret_folder);
	return err;
}

void release_folder_clear(struct release_folder *f)
{
	for (size_t i = 0; i < f->buffer_count; i++)
		text_clear(&f->buffers[i]);
	free(f->buffers);
	text_clear(&f->manifest);
	memset(f, 0, sizeof(*f));
}

int release_folder_bundle(const struct release_folder *f, uint32_t site_id, struct text *ret_bundle,
			  struct reason *reason)
{
	struct text path = {0};
	int err;

	text_printf(&path, "%s/" RELEASE_BUNDLES "/%u.bundle", f->path, site_id);
	err = path.failed ? -TUYEN_ENOMEM
			  : file_read(path.bytes, FORWARDING_BYTES_MAX, 0, ret_bundle, reason);
	text_clear(&path);
	return err;
}

/* A node knows its bundle by the id in it: under another's name, a site would have two to choose
 * from. */
static int bundle_of_site(const struct release_folder *f, const struct text *bundle,
			  uint32_t site_id, struct reason *reason)
{
	char head[sizeof(SEAL_BUNDLE_HEAD) + 12];
	size_t length = (size_t)snprintf(head, sizeof(head), SEAL_BUNDLE_HEAD "%u ", site_id);

	if (bundle->length > length && memcmp(bundle->bytes, head, length) == 0)
		return 0;
	return reason_set(reason, -TUYEN_ESITE,
			  "%s/" RELEASE_BUNDLES "/%u.bundle is not of site %u", f->path, site_id,
			  site_id);
}

/* The bundle of a line of the manifest, as it is on disk. */
static int bundle_add(const struct release_folder *f, struct release_writer *w, uint32_t site_id,
		      const uint8_t listed[static SHA256_LEN], struct text *bundle,
		      struct reason *reason)
{
	uint8_t digest[SHA256_LEN];
	struct reason why;
	int err = release_folder_bundle(f, site_id, bundle, reason);

	if (!err)
		err = sha256_digest(bundle->bytes, bundle->length, digest);
	if (err < 0)
		return err;
	if (memcmp(digest, listed, SHA256_LEN) != 0)
		return reason_set(reason, -TUYEN_ESIGNATURE,
				  "%s/" RELEASE_BUNDLES "/%u.bundle is not what the manifest says",
				  f->path, site_id);
	err = bundle_of_site(f, bundle, site_id, reason);
	if (err < 0)
		return err;
	why.text[0] = '\0';
	err = release_writer_add_hashed(w, site_id, bundle->length, digest, &why);
	return err < 0 && why.text[0]
		   ? reason_set(reason, err, "%s/" RELEASE_MANIFEST ": %s", f->path, why.text)
		   : err;
}

/* Every bundle that the manifest names. */
static int bundles_add(const struct release_folder *f, struct release_writer *w,
		       struct reason *reason)
{
	uint8_t listed[SHA256_LEN];
	struct text bundle = {0};
	size_t offset = 0;
	uint32_t site_id, line = 1;
	int more, err = 0;

	for (; !err && (more = release_manifest_next(text_string(&f->manifest), f->manifest.length,
						     &offset, &site_id, listed));
	     line++)
		err = more == 1 ? bundle_add(f, w, site_id, listed, &bundle, reason)
				: reason_set(reason, more,
					     "%s/" RELEASE_MANIFEST ": line %u is not of this form",
					     f->path, line);
	text_clear(&bundle);
	return err;
}

/* Before a file that it names is opened. */
static int manifest_check(const struct release_folder *f, const struct statement *s,
			  struct reason *reason)
{
	uint8_t manifest[SHA256_LEN];
	int err = sha256_digest(text_string(&f->manifest), f->manifest.length, manifest);

	if (err < 0)
		return err;
	if (s->form != STATEMENT_FORM)
		return reason_set(reason, -TUYEN_EINVAL,
				  "%s/" RELEASE_FILE " is of form %u, which only nodes still take: "
				  "compile it anew",
				  f->path, s->form);
	if (memcmp(manifest, s->manifest, SHA256_LEN) != 0)
		return reason_set(reason, -TUYEN_ESIGNATURE,
				  "%s/" RELEASE_MANIFEST " is not the one of this release",
				  f->path);
	return 0;
}

int release_folder_tree(const struct release_folder *f, const struct statement *statement,
			struct merkle_tree **ret_tree, struct reason *reason)
{
	struct reason why = {""};
	int err = manifest_check(f, statement, reason);

	if (err < 0)
		return err;
	err = release_manifest_tree(text_string(&f->manifest), f->manifest.length, statement,
				    ret_tree, &why);

	return err < 0 && why.text[0]
		   ? reason_set(reason, err, "%s/" RELEASE_MANIFEST ": %s", f->path, why.text)
		   : err;
}

static int root_compare(const struct release_folder *f, const struct release_writer *w,
			const struct statement *s, struct reason *reason)
{
	struct merkle_hash root = merkle_tree_root(release_writer_tree(w));

	if (release_writer_count(w) != s->sites)
		return reason_set(reason, -TUYEN_ESIGNATURE,
				  "%s/" RELEASE_MANIFEST ": %u bundles, the release has %u",
				  f->path, release_writer_count(w), s->sites);
	if (memcmp(root.bytes, s->root.bytes, SHA256_LEN) != 0)
		return reason_set(
		    reason, -TUYEN_ESIGNATURE,
		    "%s/" RELEASE_BUNDLES " is not of this release (another Merkle root)", f->path);
	return 0;
}

int release_folder_check(const struct release_folder *f, const struct statement *statement,
			 struct reason *reason)
{
	struct release_header header = {
	    .epoch = statement->epoch,
	    .issued_s = statement->issued_s,
	    .expires_s = statement->expires_s,
	    .roster_version = statement->roster_version,
	    .compiler = statement->compiler,
	};
	struct release_writer *w = release_writer_new();
	struct text again = {0};
	int err;

	if (!w)
		return -TUYEN_ENOMEM;
	err = manifest_check(f, statement, reason);
	if (!err)
		err = bundles_add(f, w, reason);
	if (!err)
		err = release_writer_finish(w, &header, &again, reason);
	if (!err)
		err = root_compare(f, w, statement, reason);
	text_clear(&again);
	release_writer_free(w);
	return err;
}

void statement_print(const struct statement *s)
{
	char issued[RFC3339_STRLEN], expires[RFC3339_STRLEN], hex[SHA256_STRLEN];
	struct statement_source source;
	size_t offset = 0;

	printf("epoch     %llu\n", (unsigned long long)s->epoch);
	printf("issued    %s\n", rfc3339_format(s->issued_s, issued));
	printf("expires   %s\n", rfc3339_format(s->expires_s, expires));
	printf("roster    version %u\n", s->roster_version);
	printf("sites     %u\n", s->sites);
	printf("root      %s\n", hex_format(s->root.bytes, SHA256_LEN, hex));
	printf("compiler  %s\n", s->compiler);
	if (s->audit.clean)
		printf("audit     clean, by %s, sha256 %s\n", s->audit.version,
		       hex_format(s->audit.digest, SHA256_LEN, hex));
	else
		printf("audit     none: nobody proved these bundles\n");
	while (statement_source_next(s, &offset, &source))
		printf("source    %s  %s\n", hex_format(source.digest, SHA256_LEN, hex),
		       source.name);
}

json_t *statement_json(const struct statement *s, const uint8_t *digest)
{
	char issued[RFC3339_STRLEN], expires[RFC3339_STRLEN], root[SHA256_STRLEN],
	    hex[SHA256_STRLEN];
	json_t *sources = json_array(), *object;
	struct statement_source source;
	size_t offset = 0;

	while (statement_source_next(s, &offset, &source))
		json_array_append_new(sources,
				      json_pack("{s:s, s:s}", "name", source.name, "sha256",
						hex_format(source.digest, SHA256_LEN, hex)));
	object = json_pack("{s:I, s:s, s:s, s:I, s:I, s:s, s:s, s:o}", "epoch",
			   (json_int_t)s->epoch, "issued", rfc3339_format(s->issued_s, issued),
			   "expires", rfc3339_format(s->expires_s, expires), "roster_version",
			   (json_int_t)s->roster_version, "sites", (json_int_t)s->sites, "root",
			   hex_format(s->root.bytes, SHA256_LEN, root), "compiler", s->compiler,
			   "sources", sources);
	if (s->audit.clean)
		json_object_set_new(object, "audit",
				    json_pack("{s:s, s:s}", "clean", s->audit.version, "sha256",
					      hex_format(s->audit.digest, SHA256_LEN, hex)));
	else
		json_object_set_new(object, "audit", json_null());
	if (digest)
		json_object_set_new(object, "digest",
				    json_string(hex_format(digest, SHA256_LEN, hex)));
	return object;
}

json_t *signers_json(const struct roster *roster, roster_signers signers)
{
	json_t *names = json_array();

	for (size_t i = 0; i < roster->officer_count; i++)
		if (signers >> i & 1)
			json_array_append_new(names, json_string(roster->officers[i].name));
	return names;
}

void json_line_print(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(object);
}
