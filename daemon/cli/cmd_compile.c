/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tuyen compile: sources in, a release folder out (release.h), ready to be signed.
 *
 * Everything is written into a folder beside OUT and takes OUT's place in one rename at the very
 * end, so that a compile that fails or is interrupted leaves the release that was there. Signals
 * wait while files are written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/cli/compile_cache.h"
#include "daemon/cli/compile_output.h"
#include "daemon/cli/workers.h"
#include "tuyen/cli/cli.h"
#include "tuyen/policies/release.h"

#define MEMORY_KEPT  (32 << 20) /* bytes of one piece, the most that malloc() lets be said */
#define MEMORY_PAD   (16 << 20) /* bytes that are asked of the kernel at least */
#define MEMORY_LARGE 4 /* pieces that are asked for in large pages: a country without its audit */
#define EXPIRES_DAYS 90
#define DAY_S	     86400

/* ---- options ------------------------------------------------------------------------ */

static int number_read(const char *s, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || v > max || !v)
		return -TUYEN_EINVAL;
	*ret = v;
	return 0;
}

static int option_value(struct compile_options *o, const char *name, const char *value)
{
	uint64_t n = 0;
	int err;

	if (!strcmp(name, "-o")) {
		o->out = value;
		return 0;
	}
	if (!strcmp(name, "--cache")) {
		o->cache = value;
		return 0;
	}
	if (!strcmp(name, "--epoch"))
		return number_read(value, INT64_MAX, &o->epoch);
	if (!strcmp(name, "--roster-version")) {
		err = number_read(value, UINT32_MAX, &n);
		o->roster_version = (uint32_t)n;
		return err;
	}
	if (!strcmp(name, "--expires"))
		return load_time_parse(value, &o->expires_s);
	if (!strcmp(name, "--issued"))
		return load_time_parse(value, &o->issued_s);
	if (!strcmp(name, "-j"))
		return workers_option("compile", value, &o->load.workers);
	if (!strcmp(name, "-W"))
		return load_option_warning("compile", value, &o->load);
	return -TUYEN_ENOENT;
}

static int options_fail(const char *what, const char *word)
{
	fprintf(stderr, "tuyen compile: %s '%s'; try: tuyen compile --help\n", what, word);
	return -TUYEN_EINVAL;
}

static int options_read(int argc, char **argv, struct compile_options *o)
{
	const char **out = calloc((size_t)argc, sizeof(*out));
	bool only_files = false;

	o->files = out;
	if (!out)
		return -TUYEN_ENOMEM;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		int err;

		if (only_files || word[0] != '-' || !word[1]) {
			out[o->file_count++] = word;
		} else if (!strcmp(word, "--")) {
			only_files = true;
		} else if (!strcmp(word, "--json")) {
			o->json = true;
		} else if (!strcmp(word, "--no-audit")) {
			o->no_audit = true;
		} else if (!strncmp(word, "-j", 2) && word[2]) { /* as make takes it */
			err = option_value(o, "-j", word + 2);
			if (err)
				return err; /* said */
		} else if (i + 1 == argc) {
			return options_fail("unknown option, or nothing after", word);
		} else {
			err = option_value(o, word, argv[++i]);
			if (err == -TUYEN_ENOENT)
				return options_fail("unknown option", word);
			if (err && (!strcmp(word, "-W") || !strcmp(word, "-j")))
				return err; /* said */
			if (err)
				return options_fail("wrong value of", word);
		}
	}
	if (!o->file_count || !o->out || !o->epoch) {
		fprintf(stderr, "usage: tuyen compile %s\n", cli_compile.usage);
		return -TUYEN_EINVAL;
	}
	return 0;
}

/* The clock is asked only where nobody says a time: the same input gives the same bytes. */
static int times_decide(struct compile_options *o)
{
	const char *fixed = getenv("SOURCE_DATE_EPOCH");
	uint64_t s;

	if (o->issued_s < 0 && fixed && !number_read(fixed, RFC3339_MAX_S, &s))
		o->issued_s = (int64_t)s;
	if (o->issued_s < 0)
		o->issued_s = time(NULL);
	if (o->expires_s < 0)
		o->expires_s = o->issued_s + EXPIRES_DAYS * DAY_S;
	o->load.now_s = o->issued_s;
	o->load.until_s = o->expires_s;
	if (o->expires_s > o->issued_s)
		return 0;
	fprintf(stderr, "tuyen compile: the release would expire before it is issued\n");
	return -TUYEN_EINVAL;
}

/* ---- files -------------------------------------------------------------------------- */

static int system_fail(const char *what, struct reason *reason)
{
	return reason_set(reason, -TUYEN_ESYSTEM, "%s: %s", what, strerror(errno));
}

int output_fail(struct output *out, const char *what)
{
	return system_fail(what, &out->reason);
}

int output_create(int folder, const char *name, struct reason *reason)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? system_fail(name, reason) : fd;
}

int output_write(int fd, const char *name, const char *bytes, size_t length, struct reason *reason)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, bytes + done, length - done);

		if (n < 0 && errno != EINTR)
			return system_fail(name, reason);
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int output_end(int fd, const char *name, struct stat *ret_stat, struct reason *reason)
{
	bool failed = ret_stat && fstat(fd, ret_stat) < 0;

	failed |= close(fd) < 0;
	return failed ? system_fail(name, reason) : 0;
}

int output_put(int folder, const char *name, const struct text *t, struct stat *ret_stat,
	       struct reason *reason)
{
	int fd, err;

	if (t->failed)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	fd = output_create(folder, name, reason);
	if (fd < 0)
		return fd;
	err = output_write(fd, name, t->bytes, t->length, reason);
	if (!err)
		return output_end(fd, name, ret_stat, reason);
	close(fd);
	return err;
}

static void tree_remove_at(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0 && depth < 4)
			tree_remove_at(dirfd(d), e->d_name, depth + 1);
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	unlinkat(parent, name, AT_REMOVEDIR);
}

static bool folder_has_files(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool has = false;

	while (d && !has && (e = readdir(d)))
		has = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return has;
}

int output_check(struct output *out)
{
	char release[PATH_MAX], next[PATH_MAX], signatures[PATH_MAX];
	struct stat st;

	if (lstat(out->o->out, &st) < 0)
		return errno == ENOENT ? 0 : output_fail(out, out->o->out);
	if (snprintf(release, sizeof(release), "%s/" RELEASE_FILE, out->o->out) >= PATH_MAX ||
	    snprintf(next, sizeof(next), "%s/" RELEASE_FILE OUTPUT_NEXT, out->o->out) >= PATH_MAX)
		return reason_set(&out->reason, -TUYEN_ELIMIT, "the name of OUT is too long");
	if (snprintf(signatures, sizeof(signatures), "%s/" RELEASE_SIGNATURES, out->o->out) <
		PATH_MAX &&
	    folder_has_files(signatures))
		return reason_set(&out->reason, -TUYEN_EEXIST,
				  "%s is signed: left alone; compile to another folder",
				  out->o->out);
	if (S_ISDIR(st.st_mode) &&
	    (!lstat(release, &st) || !lstat(next, &st) || !rmdir(out->o->out)))
		return 0;
	return reason_set(&out->reason, -TUYEN_EEXIST,
			  "%s is there and is not a release: left alone", out->o->out);
}

static int output_open(struct output *out)
{
	size_t length = strlen(out->o->out);
	int err = output_check(out);

	if (err)
		return err;
	while (length > 1 && out->o->out[length - 1] == '/')
		length--;
	if (snprintf(out->path, sizeof(out->path), "%.*s.XXXXXX", (int)length, out->o->out) >=
	    PATH_MAX)
		return reason_set(&out->reason, -TUYEN_ELIMIT, "the name of OUT is too long");
	if (!mkdtemp(out->path)) {
		err = output_fail(out, out->o->out);
		out->path[0] = '\0';
		return err;
	}
	out->folder = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->folder < 0 || fchmod(out->folder, 0755) < 0 ||
	    mkdirat(out->folder, RELEASE_BUNDLES, 0755) < 0 ||
	    mkdirat(out->folder, RELEASE_SIGNATURES, 0755) < 0)
		return output_fail(out, out->path);
	out->bundles = openat(out->folder, RELEASE_BUNDLES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->bundles < 0 ? output_fail(out, out->path) : 0;
}

/* A roster that lay in the old release still has its signatures and goes along. */
static void roster_keep(const char *old, const char *now)
{
	static const char *const names[] = {RELEASE_ROSTER, RELEASE_ROSTER "-signatures"};
	char from[PATH_MAX], to[PATH_MAX];

	for (size_t i = 0; i < 2; i++)
		if (snprintf(from, sizeof(from), "%s/%s", old, names[i]) < PATH_MAX &&
		    snprintf(to, sizeof(to), "%s/%s", now, names[i]) < PATH_MAX)
			(void)!rename(from, to);
}

/* One rename. Not flushed: a release is made again from its sources, and nobody takes one without
 * its digests. */
static int output_publish(struct output *out)
{
	struct stat st;

	if (lstat(out->o->out, &st) < 0) {
		if (rename(out->path, out->o->out) < 0)
			return output_fail(out, out->o->out);
		out->path[0] = '\0';
		return 0;
	}
	if (renameat2(AT_FDCWD, out->path, AT_FDCWD, out->o->out, RENAME_EXCHANGE) < 0)
		return output_fail(out, out->o->out);
	roster_keep(out->path, out->o->out);
	return 0;
}

/* What still has the temporary name, the new release that failed or the old one, goes. */
void output_close(struct output *out)
{
	if (out->path[0])
		tree_remove_at(AT_FDCWD, out->path, 0);
	if (out->bundles >= 0)
		close(out->bundles);
	if (out->folder >= 0)
		close(out->folder);
	release_writer_free(out->writer);
	text_clear(&out->changes);
	free(out->stats);
	proof_clear(&out->proof);
}

/* ---- the release ---------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int header_put(struct output *out, const char *name, const char *suffix,
		      const struct text *t)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s", name, suffix);
	return output_put(out->folder, path, t, NULL, &out->reason);
}

int output_header(struct output *out, struct release_source *sources, size_t count,
		  const char *suffix)
{
	struct release_header h = {
	    .epoch = out->o->epoch,
	    .issued_s = out->o->issued_s,
	    .expires_s = out->o->expires_s,
	    .roster_version = out->o->roster_version,
	    .compiler = TUYEN_VERSION,
	    .audit = &out->audit,
	    .sources = sources,
	    .source_count = count,
	};
	struct text statement;
	int err;

	for (size_t i = 0; i < count; i++)
		sources[i].name = base_name(sources[i].name);
	text_init(&statement);
	err = release_writer_finish(out->writer, &h, &statement, &out->reason);
	if (!err)
		err =
		    header_put(out, RELEASE_MANIFEST, suffix, release_writer_manifest(out->writer));
	if (!err)
		err = header_put(out, RELEASE_FILE, suffix, &statement);
	text_clear(&statement);
	return err;
}

static int release_put(struct output *out, const struct load *load)
{
	struct release_source *sources = calloc(load->sources.count + 1, sizeof(*sources));
	int err = 0;

	if (!sources)
		return reason_set(&out->reason, -TUYEN_ENOMEM, "no memory");
	for (size_t i = 0; !err && i < load->sources.count; i++) {
		const struct syntax_file *f = load->sources.files[i];

		sources[i].name = f->name;
		err = sha256_digest(f->bytes, f->source.length, sources[i].digest);
	}
	if (!err)
		err = output_header(out, sources, load->sources.count, "");
	free(sources);
	return err;
}

/* Before anything is written. */
static int output_prove(struct output *out, const struct compiled *c)
{
	int err;

	if (out->o->no_audit)
		return 0;
	err = proof_make(c, out->o->load.workers, &out->proof);
	if (err)
		return err;
	if (!audit_findings_total(out->proof.audit))
		return proof_statement(out->proof.audit, &c->load, &out->audit);
	proof_findings_print(out->proof.audit);
	return reason_set(&out->reason, -TUYEN_EINVAL,
			  "the audit has findings: no release is made of these bundles");
}

static int release_write(struct output *out, struct compiled *c)
{
	int err = output_prove(out, c);

	if (!err)
		err = output_open(out);
	if (err)
		return err;
	out->writer = release_writer_new();
	if (!out->writer)
		return reason_set(&out->reason, -TUYEN_ENOMEM, "no memory");
	if ((err = output_bundles(out, c->result)) || (err = release_put(out, &c->load)))
		return err;
	return output_publish(out);
}

/* ---- the command -------------------------------------------------------------------- */

static double elapsed_ms(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

void output_summary(const struct output *out, const struct compile_result *result, double ms)
{
	struct merkle_hash root = merkle_tree_root(release_writer_tree(out->writer));
	const char *audit = out->audit.clean ? "clean" : "none";
	size_t sites = compile_source(result)->site_count;
	char hex[SHA256_STRLEN];
	struct text t;

	hex_format(root.bytes, SHA256_LEN, hex);
	text_init(&t);
	if (out->o->json) {
		text_add(&t, "{\"out\":");
		text_add_json_string(&t, out->o->out);
		text_printf(&t,
			    ",\"epoch\":%llu,\"sites\":%zu,\"sessions\":%zu,\"paths\":%zu,"
			    "\"labels\":%zu,\"bytes\":%llu,\"ms\":%.0f,\"root\":\"%s\",\"audit\":"
			    "\"%s\"%s}\n",
			    (unsigned long long)out->o->epoch, sites, compile_pair_count(result),
			    compile_path_count(result), compile_label_count(result),
			    (unsigned long long)out->bytes, ms, hex, audit,
			    text_string(&out->changes));
	} else {
		text_printf(&t,
			    "%s: epoch %llu, %zu sites, %zu sessions, %zu paths, %zu labels, %llu "
			    "bytes, %.0f ms\nroot %s\naudit %s\n",
			    out->o->out, (unsigned long long)out->o->epoch, sites,
			    compile_pair_count(result), compile_path_count(result),
			    compile_label_count(result), (unsigned long long)out->bytes, ms, hex,
			    audit);
		text_add_shown(&t, text_string(&out->changes));
	}
	fputs(text_string(&t), stdout);
	text_clear(&t);
}

/* @return 1: made out of the cache; 0: all is to be compiled; a negative error. */
static int release_update(struct compile_cache *cache, struct output *out,
			  const struct timespec *start)
{
	int done = cache && out->o->no_audit ? compile_cache_update(cache, out) : 0;

	if (done == 1)
		output_summary(out, compile_cache_result(cache), elapsed_ms(start));
	return done;
}

static int release_make(struct compile_cache *cache, struct output *out, struct compiled *c,
			const struct timespec *start)
{
	int err;

	if (cache)
		out->stats = calloc(c->load.network.site_count + 1, sizeof(*out->stats));
	err = release_write(out, c);
	if (err)
		return err;
	if (cache)
		compile_cache_compare(cache, c, out);
	output_summary(out, c->result, elapsed_ms(start));
	if (cache)
		compile_cache_keep(cache, c, out);
	return 0;
}

static int output_code(const struct output *out, int err)
{
	if (!err)
		return CLI_OK;
	fprintf(stderr, "tuyen compile: %s\n",
		out->reason.text[0] ? out->reason.text : tuyen_strerror(err));
	return err == -TUYEN_ESYSTEM || err == -TUYEN_ENOMEM || err == -TUYEN_EAGAIN ? CLI_SYSTEM
										     : CLI_INPUT;
}

/* Signals wait while files are written. */
static void signals_hold(sigset_t *ret_before)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigprocmask(SIG_BLOCK, &held, ret_before);
}

static int compile_all(struct compile_cache *cache, const struct compile_options *o,
		       const struct timespec *start)
{
	struct output out = {.o = o, .folder = -1, .bundles = -1};
	static struct compiled
	    c; /* left when the process ends: a tenth of its time would go to giving it back piece by piece */
	sigset_t before;
	int code, err;

	compiled_clear(&c);
	err = compiled_load("compile", o->files, o->file_count, &o->load, true, &c);
	if (err) {
		code = err == -TUYEN_ENOMEM ? CLI_SYSTEM : CLI_INPUT;
	} else {
		signals_hold(&before);
		code = output_code(&out, release_make(cache, &out, &c, start));
		output_close(&out);
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	return code;
}

static int load_and_compile(struct compile_options *o)
{
	struct output out = {.o = o, .folder = -1, .bundles = -1};
	struct compile_cache *cache;
	struct timespec start;
	sigset_t before;
	int code, done;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (times_decide(o) < 0)
		return CLI_SYSTEM;
	cache = o->cache ? compile_cache_open(o->cache) : NULL;
	o->load.trim = !cache;
	signals_hold(&before);
	done = release_update(cache, &out, &start);
	output_close(&out);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (done)
		code = output_code(&out, done < 0 ? done : 0);
	else
		code = compile_all(cache, o, &start);
	compile_cache_close(cache);
	return code;
}

/* Advice: that it is not taken is no error. */
static void large_pages(void *bytes, size_t length)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)bytes & ~(page - 1);

	madvise((void *)from, length & ~(size_t)(page - 1), MADV_HUGEPAGE);
}

/*
 * What was given back is asked for again, by the next stage, the next gateway: the kernel would take it
 * and clear it each time, which costs as much as compiling.
 */
static void memory_keep(void)
{
	size_t length = MEMORY_KEPT - MEMORY_PAD / 16;
	void *piece[MEMORY_LARGE];

	mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, MEMORY_PAD);
	mallopt(M_ARENA_MAX, 1); /* for all threads: they ask for much and seldom */
	/* What is not touched costs nothing; what is, is cleared 512 pages at once, where the kernel has such. */
	for (size_t i = 0; i < MEMORY_LARGE; i++)
		if ((piece[i] = malloc(length)))
			large_pages(piece[i], length);
	for (size_t i = 0; i < MEMORY_LARGE; i++)
		free(piece[i]);
}

static int run(int argc, char **argv)
{
	struct compile_options o = {
	    .issued_s = -1,
	    .expires_s = -1,
	    .roster_version = 1,
	    .load = {.flags = CHECK_NEED_KEYS, .workers = workers_default()}};
	int code = options_read(argc, argv, &o);

	memory_keep();
	code = code < 0 ? CLI_SYSTEM : load_and_compile(&o);
	free(o.files);
	return code;
}

static const struct cli_option cli_options[] = {
    {"-o", "OUT",
     "the release's folder; a release that is there is replaced, whole, when all went well"},
    {"--epoch", "N", "number of the release; nodes refuse one that is lower than what they have"},
    {"--issued", "DATE", "2025-01-31 or 2025-01-31T08:00:00Z; else $SOURCE_DATE_EPOCH, else now"},
    {"--expires", "DATE", "after that nodes raise an alarm and go on; else 90 days after issue"},
    {"--roster-version", "N", "of the officers' roster that a node must have; else 1"},
    {"-j", "N",
     "how many processors to use; else all that there are. What comes of it is the same"},
    {"--no-audit", NULL, "do not prove the bundles before they are written; the release says so"},
    {"--cache", "FOLDER",
     "keep there what the next compile into OUT can use; say which bundles changed"},
    {"--json", NULL, "the summary as a JSON object"},
    CLI_WARNING_OPTIONS,
    {0},
};

const struct cli_command cli_compile = {
    .name = "compile",
    .usage = "FILE... -o OUT --epoch N [--expires DATE] [--issued DATE] [--roster-version N] "
	     "[-j N] [--no-audit] [--cache FOLDER] [--json]",
    .summary = "make a release out of topology and policy: a bundle for each site, ready to sign",
    .options = cli_options,
    .help =
	"Every site needs its keys; every `expect` must hold. Rules that have expired at the time "
	"of issue\n"
	"are left out. All bundles are audited, without failures, before the first is written: its "
	"findings\n"
	"are printed and nothing is made; else the digest of the proof stands in the release, and\n"
	"`tuyen audit --canonical` gives the document that it is of.\n"
	"With --no-audit and a cache, a change of sites' LANs, line addresses or keys is compiled "
	"alone, in a\n"
	"fifth of the time and to the same bytes.\n"
	"exit codes: 0 made, 1 the sources, an expectation or the audit are wrong, 2 the system "
	"failed;\n"
	"OUT is then as it was\n",
    .run = run,
};
