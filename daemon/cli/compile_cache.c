/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of `tuyen compile`, and the update of a release in its place.
 *
 * A bundle that stays is not read: its file must look as it did when it was written (inode, size,
 * times), as git takes it. Times are coarse, so a file that was written just before they were noted
 * is read and held against its digest.
 */
#include "daemon/cli/compile_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"
#include "tuyen/cli/files.h"
#include "tuyen/policies/snapshot.h"

#define SNAPSHOT_FILE "snapshot"
#define STATE_FILE    "state"
#define STATE_MAGIC   "tuyenst3"
#define STATE_MAX     (64u << 20)
#define COARSE_NS     20000000 /* a clock that ticks 50 times a second, the slowest there is */
#define HUGE	      ((size_t)2 << 20)
#define ARENA_FIRST                                                                                \
	((size_t)32                                                                                \
	 << 20) /* what a gateway's bundle is built in; what is not touched costs nothing */
#define FILES_AT_ONCE 256
#define SHOWN_MAX     20 /* names in the summary for people */
#define WAYS_LEAST                                                                                 \
	128 /* of a site with so many lines of labels, paths and returns they are kept as text */

struct state_file {
	uint64_t size, inode;
	int64_t modified_ns, changed_ns;
	uint32_t site_id;
	uint32_t amended; /* perhaps not what the snapshot alone would give */
};

struct state_header {
	char magic[8];
	uint8_t digest[SHA256_LEN]; /* of all that follows it */
	uint64_t snapshot;	    /* its sum */
	uint8_t program[SHA256_LEN];
	uint64_t device, inode; /* of the folder of bundles */
	int64_t modified_ns, changed_ns;
	int64_t noted_ns; /* when all this was */
	uint64_t bytes;	  /* of all bundles */
	uint64_t count, node_count, manifest_length;
	struct state_file snapshot_file;
};

struct state {
	struct state_header header;
	struct state_file *files;	 /* by site id */
	struct text bytes;		 /* as it was read; holds the rest */
	const struct merkle_hash *nodes; /* of the release's tree */
	const char *manifest;
};

struct compile_cache {
	int folder;
	uint8_t program[SHA256_LEN];
	struct state state;
	char *snapshot_bytes; /* mapped */
	size_t snapshot_length;
	struct snapshot *snapshot;
	struct release_source *sources;
};

/* A bundle that an update writes. */
struct written {
	uint32_t site_id;
	struct written *next;
};

/* ---- the folder ---------------------------------------------------------------------- */

static int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* @return false when it cannot be known. */
static bool boot_read(char *to, size_t room)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, room - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* A program that was built or installed anew is another. So is one after a boot: a crash may have torn what was not flushed,
 * while its times and sizes are those of the whole. */
static int program_digest(uint8_t ret_digest[static SHA256_LEN])
{
	struct text t = {0};
	char boot[64];
	struct stat st;
	int err;

	if (stat("/proc/self/exe", &st) < 0 || !boot_read(boot, sizeof(boot)))
		return -TUYEN_ESYSTEM;
	text_printf(&t, "%s %s %llx %llx %llx %llx %llx", TUYEN_VERSION, boot,
		    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
		    (unsigned long long)st.st_size, (unsigned long long)time_ns(st.st_mtim),
		    (unsigned long long)time_ns(st.st_ctim));
	err = t.failed ? -TUYEN_ENOMEM : sha256_digest(t.bytes, t.length, ret_digest);
	text_clear(&t);
	return err;
}

/* Others must not be able to say what goes into our bundles. */
static int folder_open(const char *path)
{
	struct reason reason = {""};
	struct stat st;
	int fd;

	if (folder_make(path, 0700, &reason) < 0 && reason.text[0]) {
		fprintf(stderr, "tuyen compile: no cache: %s\n", reason.text);
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))) {
		fprintf(stderr, "tuyen compile: no cache: %s may be written by others\n", path);
		close(fd);
		return -1;
	}
	if (fd < 0)
		fprintf(stderr, "tuyen compile: no cache: %s: %s\n", path, strerror(errno));
	return fd;
}

struct compile_cache *compile_cache_open(const char *folder)
{
	struct compile_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->folder = folder_open(folder);
	if (c->folder >= 0 && !flock(c->folder, LOCK_EX | LOCK_NB) && !program_digest(c->program))
		return c;
	compile_cache_close(c);
	return NULL;
}

static void state_clear(struct state *s)
{
	free(s->files);
	text_clear(&s->bytes);
	*s = (struct state){0};
}

static void snapshot_forget(struct compile_cache *c)
{
	snapshot_free(c->snapshot);
	c->snapshot = NULL;
	if (c->snapshot_bytes)
		munmap(c->snapshot_bytes, c->snapshot_length);
	c->snapshot_bytes = NULL;
}

void compile_cache_close(struct compile_cache *c)
{
	if (!c)
		return;
	snapshot_forget(c);
	state_clear(&c->state);
	free(c->sources);
	if (c->folder >= 0)
		close(c->folder);
	free(c);
}

const struct compile_result *compile_cache_result(const struct compile_cache *c)
{
	return snapshot_result(c->snapshot);
}

/* The names of the files, as they were said. */
static char *options_said(const struct compile_options *o)
{
	struct text t = {0};

	for (size_t i = 0; i < o->file_count; i++) {
		text_add(&t, o->files[i]);
		text_add_char(&t, '\n');
	}
	/* an update does not look for warnings: it must not pass over one that was not wanted then, and is now */
	for (size_t i = 0; i < o->load.ignore_count; i++)
		text_printf(&t, "-W ignore=%s\n", o->load.ignore[i]);
	if (t.failed)
		text_clear(&t);
	return t.bytes;
}

/* ---- reading it ------------------------------------------------------------------------ */

/* Large, and touched all over: a fault for each 2 MB of it, not for each 4 KB. */
static void *memory_huge(size_t size)
{
	void *at = aligned_alloc(HUGE, (size + HUGE - 1) / HUGE * HUGE);

	if (at)
		(void)madvise(at, size, MADV_HUGEPAGE);
	return at;
}

static void state_file_note(struct state_file *f, const struct stat *st)
{
	f->size = (uint64_t)st->st_size;
	f->inode = st->st_ino;
	f->modified_ns = time_ns(st->st_mtim);
	f->changed_ns = time_ns(st->st_ctim);
}

/* Does the state say that the file is as it was when it was written, long enough before? Who reads the state itself finds out
 * whether the state is to be believed. */
static bool snapshot_unchanged(int folder, const struct stat *st)
{
	int fd = openat(folder, STATE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct state_file now = {0};
	struct state_header h;
	bool read_whole = fd >= 0 && read(fd, &h, sizeof(h)) == (ssize_t)sizeof(h);

	if (fd >= 0)
		close(fd);
	state_file_note(&now, st);
	return read_whole && !memcmp(h.magic, STATE_MAGIC, sizeof(h.magic)) &&
	       !memcmp(&now, &h.snapshot_file, sizeof(now)) &&
	       now.changed_ns < h.noted_ns - COARSE_NS;
}

/* Our own copy of the file, page by page as it is written to: most of it never is. Nobody shortens the file: it is replaced. */
static char *file_map(int fd, size_t length)
{
	void *base = (void *)(uintptr_t)SNAPSHOT_BASE;
	char *at =
	    mmap(base, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);

	if (at == MAP_FAILED)
		at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static bool snapshot_read(struct compile_cache *c, const struct compile_options *o)
{
	int fd = openat(c->folder, SNAPSHOT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *said = options_said(o);
	struct stat st = {0};

	if (fd >= 0 && said && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0) {
		c->snapshot_length = (size_t)st.st_size;
		c->snapshot_bytes = file_map(fd, c->snapshot_length);
	}
	if (c->snapshot_bytes &&
	    snapshot_open(c->snapshot_bytes, c->snapshot_length, snapshot_unchanged(c->folder, &st),
			  c->program, said, &c->snapshot) < 0)
		snapshot_forget(c);
	if (fd >= 0)
		close(fd);
	free(said);
	return c->snapshot != NULL;
}

static int folder_file_read(int folder, const char *name, size_t max, struct text *ret)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	char *to;
	int err = -TUYEN_ENOENT;

	if (fd < 0)
		return err;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= max) {
		to = text_reserve(ret, (size_t)st.st_size + 1);
		err = to ? 0 : -TUYEN_ENOMEM;
		while (!err && ret->length < (size_t)st.st_size) {
			n = read(fd, ret->bytes + ret->length, (size_t)st.st_size - ret->length);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				err = -TUYEN_ESYSTEM;
			else
				ret->length += (size_t)n;
		}
	}
	close(fd);
	return err;
}

#define DIGEST_FROM (offsetof(struct state_header, digest) + SHA256_LEN)

static bool state_lawful(const struct state_header *h, const struct text *t, const uint8_t *program)
{
	uint8_t digest[SHA256_LEN];

	return !memcmp(h->magic, STATE_MAGIC, sizeof(h->magic)) &&
	       !memcmp(h->program, program, SHA256_LEN) && h->count <= SITE_ID_MAX &&
	       h->node_count <= 2 * (uint64_t)MERKLE_LEAVES_MAX + MERKLE_PATH_MAX &&
	       h->manifest_length <= t->length &&
	       t->length == sizeof(*h) + h->count * sizeof(struct state_file) +
				h->node_count * sizeof(struct merkle_hash) + h->manifest_length &&
	       !sha256_digest(t->bytes + DIGEST_FROM, t->length - DIGEST_FROM, digest) &&
	       !memcmp(digest, h->digest, SHA256_LEN);
}

/* @t is the state's from now on. */
static bool state_take(struct text *t, struct state *ret)
{
	struct state s = {.bytes = *t};
	const char *at = t->bytes + sizeof(s.header);
	size_t size;

	*t = (struct text){0};
	memcpy(&s.header, s.bytes.bytes, sizeof(s.header));
	size = s.header.count * sizeof(*s.files);
	s.nodes = (const void *)(at + size);
	s.manifest = at + size + s.header.node_count * sizeof(*s.nodes);
	s.files = malloc(size + 1);
	if (s.files)
		memcpy(s.files, at, size);
	*ret = s;
	return s.files;
}

static bool state_read(struct compile_cache *c)
{
	struct state_header h;
	struct text t = {0};
	bool ok;

	state_clear(&c->state);
	ok = !folder_file_read(c->folder, STATE_FILE, STATE_MAX, &t) && t.length >= sizeof(h);
	if (ok) {
		memcpy(&h, t.bytes, sizeof(h));
		ok = state_lawful(&h, &t, c->program) && state_take(&t, &c->state);
	}
	text_clear(&t);
	return ok;
}

/* ---- writing it ------------------------------------------------------------------------ */

/* Whole, or not at all. */
static int folder_file_write(int folder, const char *name, const struct text *t)
{
	char next[64];
	int fd, err = 0;

	snprintf(next, sizeof(next), "%s" OUTPUT_NEXT, name);
	unlinkat(folder, next, 0);
	fd = openat(folder, next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -TUYEN_ESYSTEM;
	for (size_t done = 0; done < t->length && !err;) {
		ssize_t n = write(fd, t->bytes + done, t->length - done);

		if (n < 0 && errno != EINTR)
			err = -TUYEN_ESYSTEM;
		done += n > 0 ? (size_t)n : 0;
	}
	if (close(fd) < 0)
		err = -TUYEN_ESYSTEM;
	if (!err)
		unlinkat(folder, name,
			 0); /* over another a file goes to the disk at once; a cache can be lost */
	if (!err && renameat(folder, next, folder, name) < 0)
		err = -TUYEN_ESYSTEM;
	if (err)
		unlinkat(folder, next, 0);
	return err;
}

/* With the writer's lines. */
static int state_write(struct compile_cache *c, int bundles, const struct release_writer *w)
{
	const struct text *manifest = release_writer_manifest(w);
	const struct merkle_hash *nodes = merkle_tree_nodes(release_writer_tree(w));
	struct state *s = &c->state;
	struct state_header *h = &s->header;
	struct text t = {0};
	struct timespec now;
	struct stat st;
	int err;

	if (fstat(bundles, &st) < 0)
		return -TUYEN_ESYSTEM;
	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(h->magic, STATE_MAGIC, sizeof(h->magic));
	memcpy(h->program, c->program, SHA256_LEN);
	h->device = st.st_dev;
	h->inode = st.st_ino;
	h->modified_ns = time_ns(st.st_mtim);
	h->changed_ns = time_ns(st.st_ctim);
	h->noted_ns = time_ns(now);
	h->manifest_length = manifest->length;
	h->node_count = merkle_nodes(release_writer_count(w));
	(void)text_reserve(&t, sizeof(*h) + h->count * sizeof(*s->files) +
				   h->node_count * sizeof(*nodes) + manifest->length);
	text_add_bytes(&t, h, sizeof(*h));
	text_add_bytes(&t, s->files, h->count * sizeof(*s->files));
	text_add_bytes(&t, nodes, h->node_count * sizeof(*nodes));
	text_add_bytes(&t, manifest->bytes, manifest->length);
	err = t.failed ? -TUYEN_ENOMEM
		       : sha256_digest(t.bytes + DIGEST_FROM, t.length - DIGEST_FROM, h->digest);
	if (!err) {
		memcpy(t.bytes, h, sizeof(*h));
		err = folder_file_write(c->folder, STATE_FILE, &t);
	}
	text_clear(&t);
	return err;
}

/* ---- does it fit what is there? ----------------------------------------------------------- */

/* Each source as it is now, against the snapshot's. @return 1 when all could be followed. */
static int sources_amend(struct compile_cache *c)
{
	size_t count = snapshot_source_count(c->snapshot);
	int err = 0;

	c->sources = calloc(count + 1, sizeof(*c->sources));
	if (!c->sources)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		struct reason reason;
		size_t length;
		char *bytes;

		c->sources[i].name = snapshot_source_name(c->snapshot, i);
		err = load_file(NULL, c->sources[i].name, &bytes, &length, &reason);
		if (err)
			break;
		err = sha256_digest(bytes, length, c->sources[i].digest);
		if (!err)
			err = snapshot_amend(c->snapshot, i, bytes, length);
		free(bytes);
	}
	return err ? err : snapshot_settle(c->snapshot);
}

/* Nothing lies in OUT but what a compile writes: a full one would take it away. */
static bool out_plain(int folder)
{
	static const char *const names[] = {".",
					    "..",
					    RELEASE_FILE,
					    RELEASE_MANIFEST,
					    RELEASE_BUNDLES,
					    RELEASE_SIGNATURES,
					    RELEASE_ROSTER,
					    RELEASE_ROSTER "-signatures"};
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool plain = d;

	while (plain && (e = readdir(d))) {
		plain = false;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			plain |= !strcmp(e->d_name, names[i]);
	}
	if (d)
		closedir(d);
	return plain;
}

static bool bundle_is(int bundles, const char *name, const uint8_t digest[static SHA256_LEN])
{
	uint8_t found[SHA256_LEN];
	struct text t = {0};
	bool is = !folder_file_read(bundles, name, FORWARDING_BYTES_MAX, &t) &&
		  !sha256_digest(text_string(&t), t.length, found) &&
		  !memcmp(found, digest, SHA256_LEN);

	text_clear(&t);
	return is;
}

static bool site_affected(const struct compile_cache *c, uint32_t site)
{
	size_t count;
	const struct snapshot_site *sites = snapshot_sites(c->snapshot, &count);

	for (size_t i = 0; i < count; i++)
		if (sites[i].site == site)
			return true;
	return false;
}

static bool id_affected(const struct compile_cache *c, uint32_t site_id)
{
	const struct network *n = compile_source(compile_cache_result(c));
	size_t count;
	const struct snapshot_site *sites = snapshot_sites(c->snapshot, &count);

	for (size_t i = 0; i < count; i++)
		if (n->sites[sites[i].site].id == site_id)
			return true;
	return false;
}

struct opening {
	struct compile_cache *c;
	struct output *out;
};

static bool file_fits(const struct opening *o, const struct state_file *f)
{
	struct state_file now = {.site_id = f->site_id, .amended = f->amended};
	struct stat st;
	char name[32];

	memcpy(decimal_put(name, f->site_id), ".bundle", sizeof(".bundle"));
	if (fstatat(o->out->bundles, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	state_file_note(&now, &st);
	return memcmp(&now, f, sizeof(now)) == 0;
}

static bool files_fit(const struct opening *o, size_t chunk)
{
	const struct state *s = &o->c->state;

	for (size_t i = chunk * FILES_AT_ONCE;
	     i < s->header.count && i < (chunk + 1) * FILES_AT_ONCE; i++)
		if (!file_fits(o, &s->files[i]))
			return false;
	return true;
}

static bool just_written(const struct opening *o, const struct state_file *f)
{
	return f->changed_ns >= o->c->state.header.noted_ns - COARSE_NS &&
	       !id_affected(o->c, f->site_id);
}

/* A bundle that was written when times were noted, and is not made again anyway, is read: its times tell nothing. */
static bool fresh_fit(const struct opening *o)
{
	const struct state *s = &o->c->state;
	uint8_t digest[SHA256_LEN];
	size_t first = 0, offset = 0;
	uint32_t site_id;
	char name[32];

	while (first < s->header.count && !just_written(o, &s->files[first]))
		first++;
	for (size_t i = 0; first < s->header.count && i < s->header.count; i++) {
		if (release_manifest_next(s->manifest, s->header.manifest_length, &offset, &site_id,
					  digest) != 1 ||
		    site_id != s->files[i].site_id)
			return false;
		memcpy(decimal_put(name, site_id), ".bundle", sizeof(".bundle"));
		if (just_written(o, &s->files[i]) && !bundle_is(o->out->bundles, name, digest))
			return false;
	}
	return true;
}

static bool folder_fits(const struct opening *o)
{
	const struct state_header *h = &o->c->state.header;
	struct stat st;

	return fstat(o->out->bundles, &st) == 0 && st.st_dev == h->device &&
	       st.st_ino == h->inode && time_ns(st.st_mtim) == h->modified_ns &&
	       time_ns(st.st_ctim) == h->changed_ns;
}

static bool state_fits(const struct opening *o)
{
	struct compile_cache *c = o->c;
	struct output *out = o->out;

	return state_read(c) && folder_fits(o) && (out->writer = release_writer_new()) &&
	       !release_writer_resume(out->writer, c->state.manifest,
				      c->state.header.manifest_length, c->state.nodes,
				      (size_t)c->state.header.node_count, &out->reason);
}

static bool snapshot_fits(const struct opening *o)
{
	struct compile_cache *c = o->c;

	return snapshot_read(c, o->out->o) && sources_amend(c) == 0 &&
	       c->state.header.snapshot == snapshot_sum(c->snapshot) &&
	       c->state.header.count == compile_source(compile_cache_result(c))->site_count;
}

/* What was compiled and the sources first, by one, and the files meanwhile by the others. */
static int opening_step(void *context, unsigned int worker, size_t item)
{
	const struct opening *o = context;

	(void)worker;
	return (item ? files_fit(o, item - 1) : snapshot_fits(o)) ? 0 : -TUYEN_EINVAL;
}

/* ---- an update ---------------------------------------------------------------------------- */

static struct state_file *state_file_of(struct state *s, uint32_t site_id)
{
	size_t low = 0, high = s->header.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->files[middle].site_id == site_id)
			return &s->files[middle];
		if (s->files[middle].site_id < site_id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void bundle_name(char out[static 48], uint32_t site_id, const char *suffix)
{
	snprintf(out, 48, "%u.bundle%s", site_id, suffix);
}

/* @why as a sentence's part. */
static void change_say(struct output *out, size_t *said, const char *name, const char *why,
		       const char *of)
{
	struct text *t = &out->changes;

	if (out->o->json) {
		text_add(t, *said ? ",{\"site\":" : ",\"changed\":[{\"site\":");
		text_add_json_string(t, name);
		text_add(t, ",\"why\":");
		text_add_json_string(t, why);
		text_add(t, of ? ",\"of\":" : "}");
		if (of) {
			text_add_json_string(t, of);
			text_add_char(t, '}');
		}
	} else {
		text_printf(t, "%s%s (%s%s%s)", *said ? ", " : "changed: ", name, why,
			    of ? " " : "", of ? of : "");
	}
	(*said)++;
}

static void changes_end(struct output *out, size_t said)
{
	if (out->o->json)
		text_add(&out->changes, said ? "]" : ",\"changed\":[]");
	else
		text_add(&out->changes, said ? "\n" : "changed: nothing\n");
}

static void cause_say(struct output *out, const struct network *n, const struct snapshot_site *site,
		      size_t *said)
{
	const char *name = n->sites[site->site].name, *of = n->sites[site->of].name;

	switch (site->cause) {
	case SNAPSHOT_ITSELF:
		change_say(out, said, name, "itself", NULL);
		return;
	case SNAPSHOT_NEIGHBOR:
		change_say(out, said, name, "neighbour of", of);
		return;
	case SNAPSHOT_PEER:
		change_say(out, said, name, "has a session with", of);
		return;
	}
}

/* A bundle made again, beside the old one. */
struct remade {
	uint32_t site, site_id;
	size_t length;
	uint8_t digest[SHA256_LEN];
};

/* What one worker has, and the bundle that it is at. */
struct remaker {
	struct text text; /* a piece */
	struct arena arena;
	struct merkle_hasher *hasher;
	struct reason reason;
	struct remade *made;
	char name[48];
	int fd;
};

struct remaking {
	const struct output *out;
	const struct snapshot *snapshot;
	struct remade *made;
	struct remaker *remakers;
	unsigned int workers;
};

static int piece_put(void *context, const char *bytes, size_t length)
{
	struct remaker *r = context;
	int err = merkle_hasher_more(r->hasher, bytes, length);

	r->made->length += length;
	return err ? err : output_write(r->fd, r->name, bytes, length, &r->reason);
}

static int bundle_write(const struct remaking *all, struct remaker *r)
{
	const struct forwarding_ways *ways = snapshot_ways(all->snapshot, r->made->site);
	const struct compile_result *result = snapshot_result(all->snapshot);
	struct forwarding f;
	int err = merkle_hasher_begin(r->hasher);

	if (!err)
		err = (ways ? compile_site_without_ways : compile_site_in)(result, r->made->site,
									   &r->arena, &f);
	if (err)
		return err;
	err = forwarding_encode_pieces(&f, ways, OUTPUT_PIECE, &r->text, piece_put, r);
	arena_reset(&r->arena);
	if (!err && r->made->length > FORWARDING_BYTES_MAX)
		err = -TUYEN_ELIMIT;
	return err ? err : merkle_hasher_end(r->hasher, r->made->digest);
}

static int bundle_remake(void *context, unsigned int worker, size_t item)
{
	const struct remaking *all = context;
	struct remaker *r = &all->remakers[worker];
	int err;

	r->made = &all->made[item];
	bundle_name(r->name, r->made->site_id, OUTPUT_NEXT);
	r->fd = output_create(all->out->bundles, r->name, &r->reason);
	if (r->fd < 0)
		return r->fd;
	err = bundle_write(all, r);
	if (!err)
		return output_end(r->fd, r->name, NULL, &r->reason);
	close(r->fd);
	return err;
}

static bool remaker_init(struct remaker *r)
{
	struct arena_block *first = memory_huge(sizeof(*first) + ARENA_FIRST);

	if (first)
		*first = (struct arena_block){.size = ARENA_FIRST};
	r->arena.blocks = first;
	r->hasher = merkle_hasher_new();
	return first && r->hasher;
}

static bool remakers_init(struct remaking *all)
{
	all->remakers = calloc(all->workers, sizeof(*all->remakers));
	for (unsigned int i = 0; all->remakers && i < all->workers; i++)
		if (!remaker_init(&all->remakers[i]))
			return false;
	return all->remakers;
}

static void remakers_clear(struct remaking *all)
{
	for (unsigned int i = 0; all->remakers && i < all->workers; i++) {
		text_clear(&all->remakers[i].text);
		arena_clear(&all->remakers[i].arena);
		merkle_hasher_free(all->remakers[i].hasher);
	}
	free(all->remakers);
}

/* All of @made, beside the old ones. Workers read the snapshot alone. */
static int bundles_remake(struct compile_cache *c, const struct output *out, struct remade *made,
			  size_t count)
{
	struct remaking all = {
	    .out = out, .snapshot = c->snapshot, .made = made, .workers = out->o->load.workers};
	int err = remakers_init(&all) ? 0 : -TUYEN_ENOMEM;

	if (!err)
		err = workers_run(all.workers, count, bundle_remake, &all);
	remakers_clear(&all);
	return err;
}

/* Does it differ? Then it stays beside the old one. */
static int bundle_renew(struct compile_cache *c, struct output *out, const struct remade *m,
			bool *ret_changed)
{
	struct state_file *file = state_file_of(&c->state, m->site_id);
	char name[48];
	int err;

	if (!file)
		return -TUYEN_ENOENT;
	err = release_writer_replace(out->writer, m->site_id, m->digest, ret_changed);
	if (err)
		return err;
	if (*ret_changed) {
		out->bytes += m->length - file->size;
		return 0;
	}
	bundle_name(name, m->site_id, OUTPUT_NEXT);
	if (unlinkat(out->bundles, name, 0) < 0)
		return -TUYEN_ESYSTEM;
	bundle_name(name, m->site_id, "");
	return bundle_is(out->bundles, name, m->digest) ? 0 : -TUYEN_ESIGNATURE;
}

static int written_add(struct written **list, uint32_t site_id)
{
	struct written *w = calloc(1, sizeof(*w));

	if (!w)
		return -TUYEN_ENOMEM;
	*w = (struct written){site_id, *list};
	*list = w;
	return 0;
}

static void written_clear(struct written *list)
{
	while (list) {
		struct written *next = list->next;

		free(list);
		list = next;
	}
}

static void restored_say(struct output *out, const struct network *n, uint32_t site, size_t *said)
{
	change_say(out, said, n->sites[site].name, "as before an earlier change", NULL);
}

static void bundles_undo(const struct output *out, const struct remade *made, size_t count)
{
	char name[48];

	for (size_t i = 0; i < count; i++) {
		bundle_name(name, made[i].site_id, OUTPUT_NEXT);
		unlinkat(out->bundles, name, 0);
	}
}

/* @affected  of @made, the first ones: by what changed since the snapshot. */
static int bundles_renew_all(struct compile_cache *c, struct output *out, struct remade *made,
			     size_t affected, size_t count, struct written **list)
{
	const struct network *n = compile_source(compile_cache_result(c));
	const struct snapshot_site *sites = snapshot_sites(c->snapshot, &(size_t){0});
	size_t said = 0;
	int err = bundles_remake(c, out, made, count);

	for (size_t i = 0; i < count && !err; i++) {
		bool changed;

		err = bundle_renew(c, out, &made[i], &changed);
		if (err || !changed)
			continue;
		if (i < affected)
			cause_say(out, n, &sites[i], &said);
		else
			restored_say(out, n, made[i].site, &said);
		err = written_add(list, made[i].site_id);
	}
	changes_end(out, said);
	if (err)
		bundles_undo(out, made, count);
	return err;
}

/* What an earlier update touched, and this one does not, is as the snapshot says again. @return how
 * many are in @made, which has room for all sites. */
static size_t bundles_restored(struct compile_cache *c, struct remade *made, size_t count)
{
	const struct network *n = compile_source(compile_cache_result(c));

	for (uint32_t i = 0; i < n->site_count; i++) {
		struct state_file *file = state_file_of(&c->state, n->sites[i].id);
		bool affected = site_affected(c, i);

		if (!file)
			continue;
		if (file->amended && !affected)
			made[count++].site = i;
		file->amended = affected;
	}
	return count;
}

static int bundles_renew(struct compile_cache *c, struct output *out, struct written **list)
{
	const struct compile_result *r = compile_cache_result(c);
	struct remade *made = calloc(compile_source(r)->site_count + 1, sizeof(*made));
	size_t affected, count;
	const struct snapshot_site *sites = snapshot_sites(c->snapshot, &affected);
	int err;

	if (!made)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < affected; i++)
		made[i].site = sites[i].site;
	count = bundles_restored(c, made, affected);
	for (size_t i = 0; i < count; i++)
		made[i].site_id = compile_source(r)->sites[made[i].site].id;
	err = bundles_renew_all(c, out, made, affected, count, list);
	free(made);
	return err;
}

static const char *const headers[] = {RELEASE_MANIFEST, RELEASE_FILE};

static void update_undo(struct output *out, const struct written *list)
{
	char name[64];

	for (; list; list = list->next) {
		bundle_name(name, list->site_id, OUTPUT_NEXT);
		unlinkat(out->bundles, name, 0);
	}
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		snprintf(name, sizeof(name), "%s" OUTPUT_NEXT, headers[i]);
		unlinkat(out->folder, name, 0);
	}
}

/* The old statement goes first and the new one comes last. */
static int update_commit(struct output *out, const struct written *list)
{
	char from[64], to[64];

	if (unlinkat(out->folder, RELEASE_FILE, 0) < 0)
		return output_fail(out, RELEASE_FILE);
	for (; list; list = list->next) {
		bundle_name(from, list->site_id, OUTPUT_NEXT);
		bundle_name(to, list->site_id, "");
		if (renameat(out->bundles, from, out->bundles, to) < 0)
			return output_fail(out, to);
	}
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		snprintf(from, sizeof(from), "%s" OUTPUT_NEXT, headers[i]);
		if (renameat(out->folder, from, out->folder, headers[i]) < 0)
			return output_fail(out, headers[i]);
	}
	return 0;
}

/* @return an error after which the state is of no use. */
static int update_note(struct compile_cache *c, struct output *out, const struct written *list)
{
	int err = 0;

	for (; list && !err; list = list->next) {
		struct state_file *file = state_file_of(&c->state, list->site_id);
		char name[48];
		struct stat st;

		bundle_name(name, list->site_id, "");
		if (fstatat(out->bundles, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			err = -TUYEN_ESYSTEM;
		else
			state_file_note(file, &st);
	}
	c->state.header.bytes = out->bytes;
	return err ? err : state_write(c, out->bundles, out->writer);
}

static bool update_open(struct compile_cache *c, struct output *out)
{
	struct opening o = {.c = c, .out = out};

	if (output_check(out) < 0)
		return false;
	out->folder = open(out->o->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (out->folder < 0)
		return false;
	out->bundles =
	    openat(out->folder, RELEASE_BUNDLES, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return out->bundles >= 0 && out_plain(out->folder) && state_fits(&o) &&
	       !workers_run(out->o->load.workers, (size_t)c->state.header.count / FILES_AT_ONCE + 2,
			    opening_step, &o) &&
	       fresh_fit(&o);
}

static int update_prepare(struct compile_cache *c, struct output *out, struct written **list)
{
	int err;

	out->bytes = c->state.header.bytes;
	err = bundles_renew(c, out, list);
	if (!err)
		err =
		    output_header(out, c->sources, snapshot_source_count(c->snapshot), OUTPUT_NEXT);
	return err;
}

/* Nothing was changed; all is compiled anew. */
static int update_give_up(struct output *out)
{
	release_writer_free(out->writer);
	out->writer = NULL;
	if (out->bundles >= 0)
		close(out->bundles);
	if (out->folder >= 0)
		close(out->folder);
	out->bundles = out->folder = -1;
	out->reason.text[0] = '\0';
	return 0;
}

int compile_cache_update(struct compile_cache *c, struct output *out)
{
	struct written *list = NULL;
	int err;

	if (!update_open(c, out)) {
		snapshot_forget(c); /* a whole compile has no use for it, and needs the memory */
		free(c->sources);
		c->sources = NULL;
		return update_give_up(out);
	}
	err = update_prepare(c, out, &list);
	if (err) {
		update_undo(out, list);
		written_clear(list);
		return update_give_up(out);
	}
	err = update_commit(out, list);
	if (!err && update_note(c, out, list) < 0)
		unlinkat(c->folder, STATE_FILE, 0);
	written_clear(list);
	return err ? err : 1;
}

/* ---- after a full compile -------------------------------------------------------------------- */

struct lines {
	const char *bytes;
	size_t length, offset;
	bool there;
	uint32_t site_id;
	uint8_t digest[SHA256_LEN];
};

static void lines_next(struct lines *l)
{
	l->there =
	    release_manifest_next(l->bytes, l->length, &l->offset, &l->site_id, l->digest) == 1;
}

struct difference {
	size_t changed, added, removed, said;
};

static void difference_say(const struct compiled *c, struct output *out, uint32_t site_id,
			   const char *what, struct difference *d)
{
	char number[32];
	const char *name = number;

	if (!out->o->json && d->said == SHOWN_MAX)
		return;
	snprintf(number, sizeof(number), "site %u", site_id);
	for (size_t i = 0; i < c->load.network.site_count; i++)
		if (c->load.network.sites[i].id == site_id)
			name = c->load.network.sites[i].name;
	change_say(out, &d->said, name, what, NULL);
}

void compile_cache_compare(struct compile_cache *cache, const struct compiled *c,
			   struct output *out)
{
	const struct text *manifest = release_writer_manifest(out->writer);
	struct lines old = {0}, now = {.bytes = text_string(manifest), .length = manifest->length};
	struct difference d = {0};
	size_t all;

	if (!cache->state.files && !state_read(cache))
		return;
	old.bytes = cache->state.manifest;
	old.length = cache->state.header.manifest_length;
	lines_next(&old);
	lines_next(&now);
	while (old.there || now.there) {
		bool gone = old.there && (!now.there || old.site_id < now.site_id);
		bool fresh = now.there && (!old.there || now.site_id < old.site_id);

		if (gone)
			d.removed++, difference_say(c, out, old.site_id, "removed", &d);
		else if (fresh)
			d.added++, difference_say(c, out, now.site_id, "added", &d);
		else if (memcmp(old.digest, now.digest, SHA256_LEN) != 0)
			d.changed++, difference_say(c, out, now.site_id, "compiled anew", &d);
		if (!fresh)
			lines_next(&old);
		if (!gone)
			lines_next(&now);
	}
	all = d.changed + d.added + d.removed;
	if (!out->o->json && all > d.said)
		text_printf(&out->changes, " and %zu more", all - d.said);
	changes_end(out, d.said);
}

static int by_id(const void *a, const void *b)
{
	const struct state_file *p = a, *q = b;

	return p->site_id < q->site_id ? -1 : p->site_id > q->site_id;
}

/* out->stats are by id. */
static int state_make(struct compile_cache *cache, const struct network *n, struct output *out)
{
	struct state *s = &cache->state;

	state_clear(s);
	s->files = calloc(n->site_count + 1, sizeof(*s->files));
	if (!s->files || !out->stats)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < n->site_count; i++)
		s->files[i].site_id = n->sites[i].id;
	qsort(s->files, n->site_count, sizeof(*s->files), by_id);
	for (size_t i = 0; i < n->site_count; i++)
		state_file_note(&s->files[i], &out->stats[i]);
	s->header.count = n->site_count;
	s->header.bytes = out->bytes;
	return 0;
}

static int cache_write(struct compile_cache *cache, const struct compiled *c, struct output *out,
		       struct text *snapshot)
{
	char *said = options_said(out->o);
	struct stat st;
	int err = said ? state_make(cache, &c->load.network, out) : -TUYEN_ENOMEM;

	if (!err)
		err = c->load.diags.count
			  ? -TUYEN_EINVAL
			  : snapshot_encode(c->result, &c->load.sources, cache->program, said,
					    WAYS_LEAST, snapshot);
	if (!err) {
		cache->state.header.snapshot = snapshot_sum_of(snapshot);
		err = folder_file_write(cache->folder, SNAPSHOT_FILE, snapshot);
	}
	if (!err && fstatat(cache->folder, SNAPSHOT_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0)
		state_file_note(&cache->state.header.snapshot_file, &st);
	if (!err || err == -TUYEN_EINVAL) /* for comparing at least */
		err = state_write(cache, out->bundles, out->writer);
	free(said);
	return err;
}

void compile_cache_keep(struct compile_cache *cache, const struct compiled *c, struct output *out)
{
	struct text snapshot = {0};

	unlinkat(cache->folder, STATE_FILE, 0);
	if (cache_write(cache, c, out, &snapshot) < 0)
		fprintf(stderr, "tuyen compile: the cache could not be written\n");
	text_clear(&snapshot);
}
