/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundles of a release: made, hashed and written site by site, by as many workers as there are,
 * and not kept. Their hashes stand by the site's place and come to the release writer in the
 * order of ids in the end, so that who made which bundle leaves no trace. A gateway's bundle has a
 * third of all bytes: tiers are dealt out from the top, for the small ones to even out what is
 * left.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/cli/compile_output.h"
#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"

#define LOOK_EVERY 64 /* sites, for signals and progress */
#define GROUP_MAX  16 /* small bundles, whose files are made in one go */

struct made {
	size_t length;
	uint8_t digest[SHA256_LEN];
};

/* A file that waits for its bundle. */
struct file {
	int fd; /* -1: none */
	char name[32];
};

/* What one worker has, and the bundle that it is at. */
struct hand {
	struct text text; /* a piece */
	struct arena arena;
	struct file files[GROUP_MAX];
	struct file *file; /* one of them */
	size_t length;	   /* of its pieces so far */
	struct merkle_hasher *hasher;
	struct reason reason;
	size_t failed; /* item + 1 */
};

struct bundles {
	struct output *out;
	const struct compile_result *result;
	const struct network *network;
	uint32_t *order;	   /* place, by id -> site */
	uint32_t *deal;		   /* places, the large bundles' first */
	uint32_t *groups;	   /* item -> its first in deal; group_count + 1 */
	size_t group_count, group; /* so many small bundles each */
	struct made *made;	   /* by place */
	struct hand *hands;
	unsigned int workers;
	atomic_size_t done;
	/*
	 * A folder takes one new file at a time, and who waits for it in the kernel does nothing else: workers take turns, for a
	 * group each.
	 */
	pthread_mutex_t folder;
};

static bool interrupted(void)
{
	sigset_t waiting;

	return !sigpending(&waiting) &&
	       (sigismember(&waiting, SIGINT) || sigismember(&waiting, SIGTERM));
}

static void progress(size_t done, size_t all)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%zu of %zu bundles%s", done, all, done == all ? "\n" : "");
}

/* A piece of a bundle: hashed and written while it is in the cache. */
static int piece_put(void *context, const char *bytes, size_t length)
{
	struct hand *hand = context;
	int err = merkle_hasher_more(hand->hasher, bytes, length);

	hand->length += length;
	return err ? err
		   : output_write(hand->file->fd, hand->file->name, bytes, length, &hand->reason);
}

/* What was audited is what is written; without an audit a bundle lives no longer than it must. */
static int bundle_encode(const struct bundles *b, uint32_t site, struct hand *hand)
{
	struct forwarding f;
	int err;

	if (b->out->proof.audit)
		return forwarding_encode_pieces(&b->out->proof.states.sites[site], NULL,
						OUTPUT_PIECE, &hand->text, piece_put, hand);
	arena_reset(&hand->arena);
	err = compile_site_in(b->result, site, &hand->arena, &f);
	return err ? err
		   : forwarding_encode_pieces(&f, NULL, OUTPUT_PIECE, &hand->text, piece_put, hand);
}

static int bundle_write(const struct bundles *b, uint32_t site, struct hand *hand,
			struct made *made)
{
	int err = merkle_hasher_begin(hand->hasher);

	hand->length = 0;
	if (!err)
		err = bundle_encode(b, site, hand);
	if (!err && hand->length > FORWARDING_BYTES_MAX)
		err = reason_set(&hand->reason, -TUYEN_ELIMIT, "the bundle of '%s' is too large",
				 b->network->sites[site].name);
	made->length = hand->length;
	return err ? err : merkle_hasher_end(hand->hasher, made->digest);
}

static int bundle_put(const struct bundles *b, struct hand *hand, size_t place)
{
	struct file *file = hand->file;
	int fd = file->fd, err = bundle_write(b, b->order[place], hand, &b->made[place]);

	if (err)
		return err;
	file->fd = -1;
	return output_end(fd, file->name, b->out->stats ? &b->out->stats[place] : NULL,
			  &hand->reason);
}

/* Some of them, where there are no descriptors for all. @return how many there are, at least one; or a negative error. */
static int files_create(struct bundles *b, struct hand *hand, const uint32_t *places, size_t count)
{
	int made = 0, err = 0;

	for (size_t i = 0; i < count; i++)
		memcpy(decimal_put(hand->files[i].name, b->network->sites[b->order[places[i]]].id),
		       ".bundle", sizeof(".bundle"));
	pthread_mutex_lock(&b->folder);
	while ((size_t)made < count && !err) {
		struct file *file = &hand->files[made];
		int fd = output_create(b->out->bundles, file->name, &hand->reason);

		if (fd < 0)
			err = fd;
		else
			hand->files[made++].fd = fd;
	}
	if (err && made && (errno == EMFILE || errno == ENFILE))
		err = 0;
	pthread_mutex_unlock(&b->folder);
	return err ? err : made;
}

static void files_close(struct hand *hand)
{
	for (size_t i = 0; i < GROUP_MAX; i++) {
		if (hand->files[i].fd >= 0)
			close(hand->files[i].fd);
		hand->files[i].fd = -1;
	}
}

static int bundle_step(struct bundles *b, struct hand *hand, size_t place)
{
	size_t done = atomic_fetch_add(&b->done, 1) + 1;
	int err = 0;

	if (done % LOOK_EVERY == 0 && interrupted())
		err = reason_set(&hand->reason, -TUYEN_EAGAIN, "interrupted");
	if (!err)
		err = bundle_put(b, hand, place);
	if (!err && (done % LOOK_EVERY == 0 || done == b->network->site_count))
		progress(done, b->network->site_count);
	return err;
}

static int group_step(void *context, unsigned int worker, size_t item)
{
	struct bundles *b = context;
	struct hand *hand = &b->hands[worker];
	const uint32_t *places = b->deal + b->groups[item];
	size_t count = b->groups[item + 1] - b->groups[item];
	int err = 0;

	while (count && !err) {
		int made = files_create(b, hand, places, count);

		err = made < 0 ? made : 0;
		for (int i = 0; i < made && !err; i++) {
			hand->file = &hand->files[i];
			err = bundle_step(b, hand, *places++);
			count--;
		}
		files_close(hand); /* of those that failed */
	}
	if (err)
		hand->failed = item + 1;
	return err;
}

/* ---- all of them ---------------------------------------------------------------------- */

static void order_fill(struct bundles *b)
{
	const struct network *n = b->network;
	size_t dealt = 0, large = 0;

	for (uint32_t i = 0; i < n->site_count; i++) {
		b->order[i] = i;
		large += n->sites[i].tier + 1 < n->tier_count;
	}
	network_sort_by_id(n, b->order, n->site_count);
	for (uint32_t tier = 0; tier < n->tier_count; tier++)
		for (uint32_t i = 0; i < n->site_count; i++)
			if (n->sites[b->order[i]].tier == tier)
				b->deal[dealt++] = i;
	for (uint32_t i = 0; i < n->site_count; i += i < large ? 1 : (uint32_t)b->group)
		b->groups[b->group_count++] = i;
	b->groups[b->group_count] = (uint32_t)n->site_count;
}

/* Half of the descriptors that the process may have are enough for all workers. */
static size_t group_size(unsigned int workers)
{
	struct rlimit limit;
	size_t each = getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > SIZE_MAX
			  ? 1
			  : (size_t)limit.rlim_cur / 2 / workers;

	return each < 1 ? 1 : each > GROUP_MAX ? GROUP_MAX : each;
}

static bool bundles_init(struct bundles *b, struct output *out, const struct compile_result *result)
{
	size_t sites;

	*b = (struct bundles){.out = out,
			      .folder = PTHREAD_MUTEX_INITIALIZER,
			      .result = result,
			      .network = compile_source(result),
			      .workers = out->o->load.workers};
	b->group = group_size(b->workers);
	sites = b->network->site_count;
	b->order = calloc(sites + 1, sizeof(*b->order));
	b->deal = calloc(sites + 1, sizeof(*b->deal));
	b->groups = calloc(sites + 1, sizeof(*b->groups));
	b->made = calloc(sites + 1, sizeof(*b->made));
	b->hands = calloc(b->workers, sizeof(*b->hands));
	for (unsigned int i = 0; b->hands && i < b->workers; i++) {
		for (size_t k = 0; k < GROUP_MAX; k++)
			b->hands[i].files[k].fd = -1;
		if (!(b->hands[i].hasher = merkle_hasher_new()))
			return false;
	}
	return b->order && b->deal && b->groups && b->made && b->hands;
}

static void bundles_clear(struct bundles *b)
{
	for (unsigned int i = 0; b->hands && i < b->workers; i++) {
		text_clear(&b->hands[i].text);
		arena_clear(&b->hands[i].arena);
		merkle_hasher_free(b->hands[i].hasher);
	}
	free(b->hands);
	free(b->made);
	free(b->deal);
	free(b->groups);
	free(b->order);
}

/* The reason of the lowest item that failed, as workers_run() takes its error. */
static void bundles_failed(struct bundles *b)
{
	const struct hand *first = NULL;

	for (unsigned int i = 0; i < b->workers; i++)
		if (b->hands[i].failed && (!first || b->hands[i].failed < first->failed))
			first = &b->hands[i];
	if (first)
		b->out->reason = first->reason;
}

static int bundles_add(struct bundles *b)
{
	int err = 0;

	for (size_t i = 0; i < b->network->site_count && !err; i++) {
		const struct made *m = &b->made[i];

		b->out->bytes += m->length;
		err = release_writer_add_hashed(b->out->writer, b->network->sites[b->order[i]].id,
						m->length, m->digest, &b->out->reason);
	}
	return err;
}

int output_bundles(struct output *out, const struct compile_result *result)
{
	struct bundles b;
	int err;

	if (!bundles_init(&b, out, result)) {
		bundles_clear(&b);
		return reason_set(&out->reason, -TUYEN_ENOMEM, "no memory");
	}
	order_fill(&b);
	err = workers_run(b.workers, b.group_count, group_step, &b);
	if (err)
		bundles_failed(&b);
	else
		err = bundles_add(&b);
	bundles_clear(&b);
	return err;
}
