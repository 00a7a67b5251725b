/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make bench-compile: what a national compile costs, each figure beside a bare one of the same run.
 *
 *	bench_compile TUYEN FOLDER FILE...
 *
 * 1. `TUYEN compile` of FILEs into FOLDER and one Ed25519 signature, as a user would, five times;
 * each time also without the audit, which is no compiling, on all processors and on one; and the
 * same bytes only hashed and written, file by file, on one. The least of five counts, on all sides.
 * 2. The stages of it, in this process, without files.
 * 3. Shortest paths from every site, and the same by a bare bucket-queue loop below.
 * Prints a verdict a bar; exit code 1 when one is missed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/cli/load.h"
#include "tuyen/policies/compile.h"
#include "tuyen/policies/merkle.h"
#include "tuyen/topology/spf.h"

#define RUNS 5

static int missed;

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void bar(const char *name, double value, double limit, const char *unit)
{
	bool ok = value <= limit;

	printf("%-62s %9.2f %-4s  <= %-6g %s\n", name, value, unit, limit, ok ? "ok" : "MISSED");
	missed |= !ok;
}

static void least(double *best, double value)
{
	if (*best == 0 || value < *best)
		*best = value;
}

/* ---- 1. as a user would ------------------------------------------------------------- */

struct file {
	char *path;
	char *bytes;
	size_t length;
};

struct files {
	struct file *list;
	size_t count, room;
	size_t bytes;
};

static void file_slurp(struct files *files, const char *path, size_t skip)
{
	struct file *f;
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	if (files->count == files->room) {
		files->room = files->room ? 2 * files->room : 1024;
		files->list = realloc(files->list, files->room * sizeof(*files->list));
	}
	f = &files->list[files->count++];
	*f = (struct file){strdup(path + skip), malloc((size_t)st.st_size + 1), (size_t)st.st_size};
	if (read(fd, f->bytes, f->length) != (ssize_t)f->length)
		die(path);
	files->bytes += f->length;
	close(fd);
}

static void folder_slurp(struct files *files, const char *root, const char *name)
{
	char path[4096];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", root, name);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || e->d_type == DT_DIR)
			continue;
		snprintf(path, sizeof(path), "%s%s/%s", root, name, e->d_name);
		file_slurp(files, path, strlen(root));
	}
	if (d)
		closedir(d);
}

static void folder_remove(const char *path)
{
	char command[4200];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (system(command))
		die(path);
}

static double sign_ms(const char *release)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct files files = {0};
	uint8_t signature[64];
	size_t length = sizeof(signature);
	double begin;

	file_slurp(&files, release, 0);
	begin = now_ms(CLOCK_MONOTONIC);
	if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(ctx, signature, &length, (uint8_t *)files.list[0].bytes,
			   files.list[0].length) != 1)
		die("sign");
	begin = now_ms(CLOCK_MONOTONIC) - begin;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return begin;
}

struct cost {
	double wall_ms, cpu_ms;
};

struct whole {
	struct cost alone, all, audited, bare; /* one processor, all there are, with its audit */
	double sign_ms;
	long rss_kb;
	struct files files;
};

static void child_run(const char *tuyen, const char *out, char **sources, int count,
		      const char *jobs, bool audit)
{
	char **argv = calloc((size_t)count + 16, sizeof(*argv));
	int n = 0, null = open("/dev/null", O_WRONLY);

	argv[n++] = strdup("tuyen");
	argv[n++] = strdup("compile");
	for (int i = 0; i < count; i++)
		argv[n++] = sources[i];
	argv[n++] = strdup("-o");
	argv[n++] = strdup(out);
	argv[n++] = strdup("--epoch");
	argv[n++] = strdup("1");
	argv[n++] = strdup("--issued");
	argv[n++] = strdup("2025-01-01");
	if (jobs) {
		argv[n++] = strdup("-j");
		argv[n++] = strdup(jobs);
	}
	if (!audit)
		argv[n++] = strdup("--no-audit");
	dup2(null, STDOUT_FILENO);
	execv(tuyen, argv);
	_exit(127);
}

/* @jobs  NULL: as a user would. @audit: as by default; without it, it is the compiler's work alone.
 */
static void tuyen_compile(const char *tuyen, const char *out, char **sources, int count,
			  const char *jobs, bool audit, struct cost *cost, long *rss_kb)
{
	double begin;
	struct rusage used;
	pid_t child;
	int status;

	folder_remove(out);
	begin = now_ms(CLOCK_MONOTONIC);
	child = fork();
	if (!child)
		child_run(tuyen, out, sources, count, jobs, audit);
	if (child < 0 || wait4(child, &status, 0, &used) < 0 || status)
		die("tuyen compile");
	least(&cost->wall_ms, now_ms(CLOCK_MONOTONIC) - begin);
	least(&cost->cpu_ms, (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
				 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3);
	*rss_kb = used.ru_maxrss > *rss_kb ? used.ru_maxrss : *rss_kb;
}

static void bare_write(const char *root, struct whole *w)
{
	static const char *const folders[] = {"", "/sites", "/signatures"};
	double begin = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	char path[4096];
	uint8_t digest[SHA256_LEN];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", root, folders[i]);
		mkdir(path, 0755);
	}
	for (size_t i = 0; i < w->files.count; i++) {
		const struct file *f = &w->files.list[i];
		int fd;

		snprintf(path, sizeof(path), "%s%s", root, f->path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 || sha256_digest(f->bytes, f->length, digest) < 0 ||
		    write(fd, f->bytes, f->length) != (ssize_t)f->length || close(fd) < 0)
			die(path);
	}
	least(&w->bare.wall_ms, now_ms(CLOCK_MONOTONIC) - begin);
	least(&w->bare.cpu_ms, now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

static void cost_print(const char *what, struct cost c)
{
	printf("%s: %.0f ms wall, %.0f ms CPU\n", what, c.wall_ms, c.cpu_ms);
}

static void whole_print(const struct whole *w)
{
	printf("release: %zu files, %.1f MB; one signature %.2f ms\n", w->files.count,
	       (double)w->files.bytes / 1e6, w->sign_ms);
	cost_print("the same bytes hashed and written", w->bare);
	cost_print("compile -j 1", w->alone);
	cost_print("compile, on all processors", w->all);
	cost_print("compile with its audit, on all processors, as by default", w->audited);
	bar("-j 1: parse, compile, all bundles, one signature: wall",
	    (w->alone.wall_ms + w->sign_ms) / 1e3, 1.0, "s");
	bar("the same, CPU (what a core without neighbours takes)",
	    (w->alone.cpu_ms + w->sign_ms) / 1e3, 1.0, "s");
	bar("as by default, with its audit: wall", (w->audited.wall_ms + w->sign_ms) / 1e3, 1.0,
	    "s");
	bar("memory at most, with its audit", (double)w->rss_kb / 1024, 400, "MB");
	bar("-j 1 against hashing and writing the same bytes, CPU",
	    w->alone.cpu_ms / w->bare.cpu_ms, 3, "x");
	bar("on all processors against the same on one, wall", w->all.wall_ms / w->bare.wall_ms, 3,
	    "x");
}

static void bench_whole(const char *tuyen, const char *folder, char **sources, int count,
			struct whole *ret)
{
	struct whole w = {0};
	char out[4096], bare[4096], release[4200];

	snprintf(out, sizeof(out), "%s/release", folder);
	snprintf(bare, sizeof(bare), "%s/bare", folder);
	snprintf(release, sizeof(release), "%s/release", out);
	for (int run = 0; run < RUNS; run++) {
		folder_remove(bare);
		tuyen_compile(tuyen, out, sources, count, NULL, true, &w.audited, &w.rss_kb);
		tuyen_compile(tuyen, out, sources, count, NULL, false, &w.all, &w.rss_kb);
		tuyen_compile(tuyen, out, sources, count, "1", false, &w.alone, &w.rss_kb);
		least(&w.sign_ms, sign_ms(release));
		if (!run) {
			folder_slurp(&w.files, out, "");
			folder_slurp(&w.files, out, "/sites");
		}
		bare_write(bare, &w);
	}
	folder_remove(bare);
	whole_print(&w);
	*ret = w;
}

/* ---- 2. the stages ------------------------------------------------------------------ */

static double lap(double *from)
{
	double now = now_ms(CLOCK_PROCESS_CPUTIME_ID), passed = now - *from;

	*from = now;
	return passed;
}

/* Merkle leaves of all bundles, the tree, one signature: what sealing a country takes. */
static void stages_seal(const struct merkle_hash *leaves, uint32_t count, double leaves_ms,
			const struct whole *w)
{
	double at = now_ms(CLOCK_PROCESS_CPUTIME_ID), tree_ms;
	struct merkle_tree *tree;

	if (merkle_tree_build(leaves, count, &tree) < 0)
		die("merkle_tree_build");
	tree_ms = lap(&at);
	merkle_tree_free(tree);
	printf("seal: %.1f ms (leaves %.1f, tree %.1f, one signature %.2f)\n",
	       leaves_ms + tree_ms + w->sign_ms, leaves_ms, tree_ms, w->sign_ms);
}

static void stages_sites(struct compile_result *result, const struct network *n,
			 const struct whole *w, double parse_check)
{
	double at = now_ms(CLOCK_PROCESS_CPUTIME_ID), site = 0, encode = 0, hash = 0, top = 0, one;
	struct merkle_hash *leaves = calloc(n->site_count, sizeof(*leaves));
	uint8_t digest[SHA256_LEN];
	struct forwarding f;
	struct text t;

	text_init(&t);
	for (uint32_t i = 0; i < n->site_count; i++) {
		one = -(site + encode + hash);
		compile_site(result, i, &f);
		site += lap(&at);
		text_reset(&t);
		forwarding_encode(&f, &t);
		forwarding_clear(&f);
		encode += lap(&at);
		sha256_digest(t.bytes, t.length, digest);
		merkle_leaf(digest, SHA256_LEN, &leaves[i]);
		hash += lap(&at);
		top += n->sites[i].tier == 0 ? one + site + encode + hash : 0;
	}
	text_clear(&t);
	printf("stages (CPU): sites %.0f ms, text %.0f ms, leaves %.0f ms\n", site, encode, hash);
	stages_seal(leaves, (uint32_t)n->site_count, hash, w);
	printf("of a change of one commune, even if nothing else were done again: parse and check "
	       "%.0f ms, "
	       "gateways' bundles %.0f ms\n",
	       parse_check, top);
	free(leaves);
}

static void bench_stages(const struct load *load, double parse_check, const struct whole *w)
{
	double at = now_ms(CLOCK_PROCESS_CPUTIME_ID), compile, expect;
	struct compile_result *result;

	if (compile_network(&load->network, COMPILE_NEED_KEYS, &result) < 0)
		die("compile_network");
	compile = lap(&at);
	if (compile_expect(result) < 0)
		die("compile_expect");
	expect = lap(&at);
	printf(
	    "stages (CPU): parse and check %.0f ms, decide %.0f ms, expect %.0f ms; %zu sessions, "
	    "%zu paths, %zu labels\n",
	    parse_check, compile, expect, compile_pair_count(result), compile_path_count(result),
	    compile_label_count(result));
	stages_sites(result, &load->network, w, parse_check);
	compile_free(result);
}

/* ---- 3. shortest paths -------------------------------------------------------------- */

/* A bare bucket queue: distances and the node before, nothing else. Stale entries are passed over.
 */
struct bare {
	uint32_t *distance, *previous, *bucket;
	struct {
		uint32_t node, next;
	} * entries; /* at most one an arc */
	uint32_t buckets;
};

static void bare_tree(const struct spf_graph *g, struct bare *b, uint32_t source)
{
	uint32_t used = 1, left = 1, at = 0, mask = b->buckets - 1;

	memset(b->distance, 0xff, g->node_count * sizeof(*b->distance));
	memset(b->bucket, 0xff, b->buckets * sizeof(*b->bucket));
	b->distance[source] = 0;
	b->previous[source] = UINT32_MAX;
	b->entries[0].node = source;
	b->entries[0].next = UINT32_MAX;
	b->bucket[0] = 0;
	for (; left; at++) {
		while (b->bucket[at & mask] != UINT32_MAX) {
			uint32_t entry = b->bucket[at & mask], node = b->entries[entry].node;

			b->bucket[at & mask] = b->entries[entry].next;
			left--;
			if (b->distance[node] != at)
				continue;
			for (uint32_t i = g->first[node]; i < g->first[node + 1]; i++) {
				const struct spf_arc *arc = &g->arcs[i];
				uint32_t metric = at + arc->metric;

				if (metric >= b->distance[arc->to])
					continue;
				b->distance[arc->to] = metric;
				b->previous[arc->to] = node;
				b->entries[used].node = arc->to;
				b->entries[used].next = b->bucket[metric & mask];
				b->bucket[metric & mask] = used++;
				left++;
			}
		}
	}
}

static void graph_of(const struct network *n, struct spf_graph *g)
{
	struct spf_edge *edges = calloc(n->link_count, sizeof(*edges));
	uint32_t *rank = calloc(n->site_count, sizeof(*rank));

	for (size_t i = 0; i < n->link_count; i++)
		edges[i] = (struct spf_edge){n->links[i].a, n->links[i].b, n->links[i].metric};
	for (size_t i = 0; i < n->site_count; i++)
		rank[i] = n->sites[i].id;
	if (spf_graph_init(g, n->site_count, rank, edges, n->link_count) < 0)
		die("spf_graph_init");
	free(edges);
	free(rank);
}

static uint64_t bare_all(const struct spf_graph *g, struct bare *b, double *best)
{
	double begin = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < g->node_count; i++) {
		bare_tree(g, b, i);
		sum += b->distance[g->node_count - 1];
	}
	least(best, now_ms(CLOCK_PROCESS_CPUTIME_ID) - begin);
	return sum;
}

static uint64_t ours_all(const struct spf_graph *g, struct spf_work *w, struct spf_hop *hops,
			 double *best)
{
	double begin = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t sum = 0;

	for (uint32_t i = 0; i < g->node_count; i++) {
		spf_tree(g, w, i, hops);
		sum += hops[g->node_count - 1].metric;
	}
	least(best, now_ms(CLOCK_PROCESS_CPUTIME_ID) - begin);
	return sum;
}

static void bench_spf(const struct network *n)
{
	struct spf_graph g;
	struct spf_work w;
	struct spf_hop *hops = calloc(n->site_count, sizeof(*hops));
	struct bare b = {0};
	double bare = 0, ours = 0;

	graph_of(n, &g);
	if (spf_work_init(&w, &g) < 0)
		die("spf_work_init");
	for (b.buckets = 1; b.buckets <= g.metric_max; b.buckets *= 2)
		;
	b.distance = calloc(n->site_count, sizeof(uint32_t));
	b.previous = calloc(n->site_count, sizeof(uint32_t));
	b.entries = calloc(2 * n->link_count + 1, sizeof(*b.entries));
	b.bucket = calloc(b.buckets, sizeof(uint32_t));
	for (int run = 0; run < RUNS; run++)
		if (bare_all(&g, &b, &bare) != ours_all(&g, &w, hops, &ours)) {
			printf("MISSED: the two disagree about distances\n");
			missed = 1;
		}
	printf("shortest paths from %zu sites: %.0f ms CPU, bare bucket queue %.0f ms\n",
	       n->site_count, ours, bare);
	bar("shortest paths against a bare bucket queue", ours / bare, 1.3, "x");
	spf_work_clear(&w);
	spf_graph_clear(&g);
	free(hops);
	free(b.distance);
	free(b.previous);
	free(b.entries);
	free(b.bucket);
}

int main(int argc, char **argv)
{
	double at;
	struct whole whole;
	struct load load;

	if (argc < 4) {
		fprintf(stderr, "usage: bench_compile TUYEN FOLDER FILE...\n");
		return 2;
	}
	bench_whole(argv[1], argv[2], argv + 3, argc - 3, &whole);
	at = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	if (load_network((const char *const *)argv + 3, (size_t)argc - 3, NULL, &load) < 0)
		return 2;
	bench_stages(&load, lap(&at), &whole);
	bench_spf(&load.network);
	load_clear(&load);
	return missed;
}
