/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundles of a release: made, hashed and written site by site, by as many workers as there are,
 * and not kept. Their hashes stand by the site's place and come to the release writer in the
 * order of ids in the end, so that who made which bundle leaves no trace. A gateway's bundle has a
 * third of all bytes: tiers are dealt out from the top, for the small ones to even out what is
 * left.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/compile_output.h"
#include "daemon/cli/workers.h"
#include "tuyen/base/encode.h"

#define LOOK_EVERY 64 /* sites, for signals and progress */

struct made {
	size_t length;
	uint8_t digest[SHA256_LEN];
};

/* What one worker has, and the bundle that it is at. */
struct hand {
	struct text text; /* a piece */
	struct arena arena;
	int fd;
	char name[32];
	size_t length; /* of its pieces so far */
	struct merkle_hasher *hasher;
	struct reason reason;
	size_t failed; /* item + 1 */
};

struct bundles {
	struct output *out;
	const struct compile_result *result;
	const struct network *network;
	uint32_t *order;   /* place, by id -> site */
	uint32_t *deal;	   /* item -> place */
	struct made *made; /* by place */
	struct hand *hands;
	unsigned int workers;
	atomic_size_t done;
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
	return err ? err : output_write(hand->fd, hand->name, bytes, length, &hand->reason);
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

static int bundle_put(struct bundles *b, struct hand *hand, size_t place)
{
	uint32_t site = b->order[place];
	int err;

	memcpy(decimal_put(hand->name, b->network->sites[site].id), ".bundle", sizeof(".bundle"));
	hand->fd = output_create(b->out->bundles, hand->name, &hand->reason);
	if (hand->fd < 0)
		return hand->fd;
	err = bundle_write(b, site, hand, &b->made[place]);
	if (!err)
		return output_end(hand->fd, hand->name,
				  b->out->stats ? &b->out->stats[place] : NULL, &hand->reason);
	close(hand->fd);
	return err;
}

static int bundle_step(void *context, unsigned int worker, size_t item)
{
	struct bundles *b = context;
	struct hand *hand = &b->hands[worker];
	size_t done = atomic_fetch_add(&b->done, 1) + 1;
	int err = 0;

	if (done % LOOK_EVERY == 0 && interrupted())
		err = reason_set(&hand->reason, -TUYEN_EAGAIN, "interrupted");
	if (!err)
		err = bundle_put(b, hand, b->deal[item]);
	if (err)
		hand->failed = item + 1;
	else if (done % LOOK_EVERY == 0 || done == b->network->site_count)
		progress(done, b->network->site_count);
	return err;
}

/* ---- all of them ---------------------------------------------------------------------- */

static int by_id(const void *a, const void *b, void *network)
{
	const struct network *n = network;
	uint32_t p = n->sites[*(const uint32_t *)a].id, q = n->sites[*(const uint32_t *)b].id;

	return p < q ? -1 : p > q;
}

static void order_fill(struct bundles *b)
{
	struct network *n =
	    (struct network *)(uintptr_t)b->network; /* qsort_r's argument is not const */
	size_t dealt = 0;

	for (uint32_t i = 0; i < n->site_count; i++)
		b->order[i] = i;
	qsort_r(b->order, n->site_count, sizeof(*b->order), by_id, n);
	for (uint32_t tier = 0; tier < n->tier_count; tier++)
		for (uint32_t i = 0; i < n->site_count; i++)
			if (n->sites[b->order[i]].tier == tier)
				b->deal[dealt++] = i;
}

static bool bundles_init(struct bundles *b, struct output *out, const struct compile_result *result)
{
	size_t sites;

	*b = (struct bundles){.out = out,
			      .result = result,
			      .network = compile_source(result),
			      .workers = out->o->load.workers};
	sites = b->network->site_count;
	b->order = calloc(sites + 1, sizeof(*b->order));
	b->deal = calloc(sites + 1, sizeof(*b->deal));
	b->made = calloc(sites + 1, sizeof(*b->made));
	b->hands = calloc(b->workers, sizeof(*b->hands));
	for (unsigned int i = 0; b->hands && i < b->workers; i++)
		if (!(b->hands[i].hasher = merkle_hasher_new()))
			return false;
	return b->order && b->deal && b->made && b->hands;
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
	err = workers_run(b.workers, b.network->site_count, bundle_step, &b);
	if (err)
		bundles_failed(&b);
	else
		err = bundles_add(&b);
	bundles_clear(&b);
	return err;
}
