/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot is a header and arrays, each where a pointer says, as if the block lay at
 * SNAPSHOT_BASE: opening it moves every pointer by one difference, and writes none where it does lie there. One walk over all
 * pointers counts the bytes, copies what they point to, and moves them. What compile_site() does not read is
 * not kept: its pointers are NULL, its counts 0.
 *
 * Amending: a source's text is compared with the snapshot's. What lies between their common
 * beginning and their common end, to the borders of whole statements, is parsed in both, and may
 * differ in the LANs of sites, the addresses of their lines, and in keys. The lexer and the parser
 * have no memory beyond a statement and a line's end, so that these statements mean here what they
 * mean in their file.
 */
#include "tuyen/policies/snapshot.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "compile_internal.h"
#include "grammar.h"
#include "tuyen/base/encode.h"

#define SNAPSHOT_MAGIC "tuyensn2"
#define SNAPSHOT_ALIGN 16

struct snapshot_source {
	char *name, *bytes;
	size_t length;
	uint32_t *ends; /* where its statements end: behind each one's last '}' or ';' */
	size_t end_count;
};

/* The text of one site's ways; in the order of sites. */
struct snapshot_text {
	uint32_t site;
	struct forwarding_ways ways;
};

struct snapshot_header {
	char magic[8];
	uint64_t length;
	uint64_t sum; /* of all that follows it */
	uint8_t program[SHA256_LEN];
	char *said;
	struct network *network;
	struct compile_result *result;
	struct snapshot_source *sources;
	size_t source_count;
	struct snapshot_text *texts;
	size_t text_count;
};

struct snapshot {
	struct snapshot_header *header;
	struct network *network;
	struct snapshot_change changes[SNAPSHOT_CHANGES_MAX];
	struct ipv4_prefix *lans[SNAPSHOT_CHANGES_MAX]; /* of changed sites; owned */
	size_t change_count;
	struct snapshot_site sites[SNAPSHOT_CHANGES_MAX];
	size_t site_count;
};

/* ---- the walk ------------------------------------------------------------------------- */

enum walk_purpose { WALK_COUNT, WALK_COPY, WALK_OPEN };

struct walk {
	enum walk_purpose purpose;
	char *bytes;
	size_t length, used;
	bool failed;
};

static size_t aligned(size_t size)
{
	return (size + SNAPSHOT_ALIGN - 1) / SNAPSHOT_ALIGN * SNAPSHOT_ALIGN;
}

static void *walk_copy(struct walk *w, void *field, const void *from, size_t size)
{
	uint64_t stored = SNAPSHOT_BASE + w->used;
	char *to = w->bytes + w->used;

	memcpy(to, from, size);
	memcpy(field, &stored, sizeof(stored));
	w->used += aligned(size);
	return to;
}

static void *walk_open(struct walk *w, void *field, size_t size)
{
	uint64_t stored;
	char *to;

	memcpy(&stored, field, sizeof(stored));
	stored -= SNAPSHOT_BASE;
	if (stored > w->length || size > w->length - stored || stored % sizeof(uint64_t)) {
		w->failed = true;
		return NULL;
	}
	to = w->bytes + stored;
	if ((uintptr_t)w->bytes != SNAPSHOT_BASE)
		memcpy(field, &to, sizeof(to));
	return to;
}

/* The pointer at @field points to @count objects of @size. @return where they can be walked on;
 * NULL: there are none, or no more of this. */
static void *walk(struct walk *w, void *field, size_t count, size_t size)
{
	void *from;

	static_assert(sizeof(from) == sizeof(uint64_t), "pointers of 64 bits");
	memcpy(&from, field, sizeof(from));
	size_t bytes;

	if (!from || w->failed)
		return NULL;
	if (__builtin_mul_overflow(count, size, &bytes)) {
		w->failed = true;
		return NULL;
	}
	if (w->purpose == WALK_OPEN)
		return walk_open(w, field, bytes);
	if (w->purpose == WALK_COPY)
		return walk_copy(w, field, from, count * size);
	w->used += aligned(count * size);
	return from;
}

static void walk_string(struct walk *w, char **field)
{
	size_t length = *field && w->purpose != WALK_OPEN ? strlen(*field) : 0;

	const char *at = walk(w, field, length + 1, 1);

	if (at && w->purpose == WALK_OPEN && !memchr(at, 0, w->length - (size_t)(at - w->bytes)))
		w->failed = true;
}

/* An array of @count at @field; @each of them is walked, as a copy trimmed before. */
#define WALK_EACH(w, field, count, each)                                                           \
	do {                                                                                       \
		__typeof__(field) first = walk(w, &(field), count, sizeof(*(field)));              \
                                                                                                   \
		for (size_t at = 0; first && at < (count); at++)                                   \
			each(w, &first[at]);                                                       \
	} while (0)

static void walk_nothing(struct walk *w, const void *object)
{
	(void)w;
	(void)object;
}

static void walk_name(struct walk *w, char **name)
{
	walk_string(w, name);
}

static void walk_underlay(struct walk *w, struct underlay_class *u)
{
	walk_string(w, &u->name);
}

static void walk_uplink(struct walk *w, struct site_uplink *u)
{
	if (w->purpose == WALK_COPY)
		u->risks = NULL, u->risk_count = 0;
}

static void walk_device(struct walk *w, struct site_device *d)
{
	walk_string(w, &d->name);
	walk_string(w, &d->user);
	walk_string(w, &d->interface);
}

static void walk_site(struct walk *w, struct site *s)
{
	if (w->purpose == WALK_COPY)
		s->tags = NULL, s->tag_count = 0, s->lan_places = NULL;
	walk_string(w, &s->name);
	WALK_EACH(w, s->uplinks, s->uplink_count, walk_uplink);
	WALK_EACH(w, s->lans, s->lan_count, walk_nothing);
	WALK_EACH(w, s->lan_own, s->lan_count, walk_nothing);
	WALK_EACH(w, s->devices, s->device_count, walk_device);
}

static void walk_link(struct walk *w, struct link *l)
{
	if (w->purpose == WALK_COPY)
		l->risks = NULL, l->risk_count = 0;
}

static void walk_class(struct walk *w, struct traffic_class *c)
{
	if (w->purpose == WALK_COPY)
		c->note = (struct rule_note){0};
	walk_string(w, &c->name);
	WALK_EACH(w, c->matches, c->match_count, walk_nothing);
}

static void walk_candidate(struct walk *w, struct candidate_path *p)
{
	if (w->purpose == WALK_COPY) {
		p->through = p->avoid = p->heads = (struct site_set){0};
		p->avoid_links = NULL, p->avoid_link_count = 0;
	}
	walk_string(w, &p->name);
}

static void walk_policy(struct walk *w, struct policy *p)
{
	if (w->purpose == WALK_COPY) {
		p->from = p->to = (struct site_set){0};
		p->note = (struct rule_note){0};
	}
	walk_string(w, &p->name);
	WALK_EACH(w, p->classes, p->class_count, walk_nothing);
	WALK_EACH(w, p->paths, p->path_count, walk_candidate);
}

static void walk_network(struct walk *w, struct network *n)
{
	if (w->purpose == WALK_COPY) {
		n->files = n->tags = n->risks = NULL;
		n->file_count = n->tag_count = n->risk_count = 0;
		n->denies = NULL, n->deny_count = 0;
		n->expectations = NULL, n->expectation_count = 0;
	}
	WALK_EACH(w, n->tiers, n->tier_count, walk_name);
	WALK_EACH(w, n->underlays, n->underlay_count, walk_underlay);
	WALK_EACH(w, n->sites, network_node_count(n), walk_site);
	WALK_EACH(w, n->links, n->link_count, walk_link);
	WALK_EACH(w, n->classes, n->class_count, walk_class);
	WALK_EACH(w, n->policies, n->policy_count, walk_policy);
}

/* Of a result, what compile_site() reads. */
static void result_trim(const struct compile_result *r, struct compile_result *ret)
{
	*ret = (struct compile_result){
	    .near_first = r->near_first,
	    .near = r->near,
	    .link_mtu = r->link_mtu,
	    .parallel_mtu = r->parallel_mtu,
	    .core_of = r->core_of,
	    .pairs = r->pairs,
	    .pair_count = r->pair_count,
	    .head_first = r->head_first,
	    .endpoint_first = r->endpoint_first,
	    .endpoint_pairs = r->endpoint_pairs,
	    .paths = r->paths,
	    .path_count = r->path_count,
	    .ways = {.values = r->ways.values, .count = r->ways.count},
	    .stacks = {.values = r->stacks.values, .count = r->stacks.count},
	    .accepts = r->accepts,
	    .accept_count = r->accept_count,
	    .accept_first = r->accept_first,
	    .detours = r->detours,
	    .detour_count = r->detour_count,
	    .detour_sites = {.values = r->detour_sites.values, .count = r->detour_sites.count},
	    .crossings = r->crossings,
	    .crossing_count = r->crossing_count,
	    .crossing_index = r->crossing_index,
	    .queues = r->queues,
	    .labels = r->labels,
	    .label_count = r->label_count,
	    .label_first = r->label_first,
	};
}

static void walk_result(struct walk *w, struct compile_result *r, const struct network *n)
{
	size_t heads = n->site_count, sites = network_node_count(n);
	const uint32_t *near_first = walk(w, &r->near_first, sites + 1, sizeof(*r->near_first));

	walk(w, &r->near, near_first ? near_first[sites] : 0, sizeof(*r->near));
	walk(w, &r->link_mtu, sites, sizeof(*r->link_mtu));
	walk(w, &r->parallel_mtu, sites, sizeof(*r->parallel_mtu));
	walk(w, &r->core_of, sites, sizeof(*r->core_of));
	walk(w, &r->pairs, r->pair_count, sizeof(*r->pairs));
	walk(w, &r->head_first, heads + 1, sizeof(*r->head_first));
	walk(w, &r->endpoint_first, heads + 1, sizeof(*r->endpoint_first));
	walk(w, &r->endpoint_pairs, r->pair_count, sizeof(*r->endpoint_pairs));
	walk(w, &r->paths, r->path_count, sizeof(*r->paths));
	walk(w, &r->ways.values, r->ways.count, sizeof(*r->ways.values));
	walk(w, &r->stacks.values, r->stacks.count, sizeof(*r->stacks.values));
	walk(w, &r->accepts, r->accept_count, sizeof(*r->accepts));
	walk(w, &r->accept_first, sites + 1, sizeof(*r->accept_first));
	walk(w, &r->detours, r->detour_count, sizeof(*r->detours));
	walk(w, &r->detour_sites.values, r->detour_sites.count, sizeof(uint32_t));
	walk(w, &r->crossings, r->crossing_count, sizeof(*r->crossings));
	walk(w, &r->crossing_index.slots, r->crossing_index.slot_count,
	     sizeof(*r->crossing_index.slots));
	walk(w, &r->labels, r->label_count, sizeof(*r->labels));
	walk(w, &r->label_first, sites + 1, sizeof(*r->label_first));
}

static void walk_source(struct walk *w, struct snapshot_source *s)
{
	walk_string(w, &s->name);
	walk(w, &s->bytes, s->length + 1, 1);
	walk(w, &s->ends, s->end_count, sizeof(*s->ends));
}

static void walk_text(struct walk *w, struct snapshot_text *t)
{
	walk(w, &t->ways.bytes, t->ways.length, 1);
}

/* @return the network, where it can be read. */
static struct network *walk_header(struct walk *w, struct snapshot_header *h)
{
	struct network *n;
	struct compile_result *r;

	walk_string(w, &h->said);
	WALK_EACH(w, h->sources, h->source_count, walk_source);
	WALK_EACH(w, h->texts, h->text_count, walk_text);
	n = walk(w, &h->network, 1, sizeof(*n));
	if (!n)
		return NULL;
	walk_network(w, n);
	r = walk(w, &h->result, 1, sizeof(*r));
	if (r)
		walk_result(w, r, n);
	return n;
}

static_assert(sizeof(struct compile_result) == 0x310,
	      "what compile_site() reads of a result is kept here: is what is new among it?");

/* ---- making one ------------------------------------------------------------------------ */

static uint64_t word_at(const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t folded(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Four lanes of two words: a processor multiplies while it waits for the next ones. */
static uint64_t bytes_sum(const char *bytes, size_t length)
{
	static const uint64_t odd[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u,
					0x94d049bb133111ebu, 0xd6e8feb86659fd93u};
	uint64_t lane[4] = {1, 2, 3, 4}, sum = length;

	for (; length >= 64; bytes += 64, length -= 64)
		for (int i = 0; i < 4; i++)
			lane[i] = folded(lane[i] ^ word_at(bytes + 16 * i),
					 odd[i] ^ word_at(bytes + 16 * i + 8)) +
				  odd[i];
	for (int i = 0; i < 4; i++)
		sum = folded(sum ^ lane[i], odd[i]) + 1;
	for (; length; bytes++, length--)
		sum = (sum ^ (unsigned char)*bytes) * 0x100000001b3u;
	return sum;
}

#define SUM_FROM (offsetof(struct snapshot_header, sum) + sizeof(uint64_t))

static bool note_expires(const struct rule_note *note)
{
	return note->expires_s != 0;
}

/* What makes a bundle depend on the day, or on more than its own statements. */
static bool sources_fit(const struct compile_result *r, const struct syntax_set *sources)
{
	const struct network *n = r->network;
	bool fit = !r->problem_count;

	for (size_t i = 0; i < n->class_count; i++)
		fit &= !note_expires(&n->classes[i].note);
	for (size_t i = 0; i < n->policy_count; i++)
		fit &= !note_expires(&n->policies[i].note);
	for (size_t i = 0; i < n->deny_count; i++)
		fit &= !note_expires(&n->denies[i].note);
	for (size_t i = 0; i < sources->count && fit; i++) {
		fit &= strcmp(sources->files[i]->name, "-") != 0;
		for (const struct syntax_node *s = sources->files[i]->statements; s; s = s->next)
			fit &= s->kind != SYNTAX_PLAN;
	}
	return fit;
}

/* Statements end where no brace is open. */
static int source_ends(const struct syntax_file *file, struct snapshot_source *ret)
{
	int depth = 0;

	ret->ends = malloc((file->tokens.count + 1) * sizeof(*ret->ends));
	ret->end_count = 0;
	if (!ret->ends)
		return -TUYEN_ENOMEM;
	for (size_t i = 0; i < file->tokens.count; i++) {
		const struct token *t = &file->tokens.tokens[i];

		depth += (t->kind == '{') - (t->kind == '}');
		if (!depth && (t->kind == '}' || t->kind == ';'))
			ret->ends[ret->end_count++] = t->offset + t->length;
	}
	return 0;
}

static void sources_free(struct snapshot_source *sources, size_t count)
{
	for (size_t i = 0; sources && i < count; i++)
		free(sources[i].ends);
	free(sources);
}

static int sources_of(const struct syntax_set *set, struct snapshot_source **ret)
{
	struct snapshot_source *sources = calloc(set->count + 1, sizeof(*sources));
	int err = sources ? 0 : -TUYEN_ENOMEM;

	for (size_t i = 0; !err && i < set->count; i++) {
		sources[i].name = set->files[i]->name;
		sources[i].bytes = set->files[i]->bytes;
		sources[i].length = set->files[i]->source.length;
		err = source_ends(set->files[i], &sources[i]);
	}
	if (err)
		sources_free(sources, set->count);
	else
		*ret = sources;
	return err;
}

static size_t ways_count(const struct compile_result *r, uint32_t site)
{
	size_t count = r->label_first[site + 1] - r->label_first[site];

	for (uint32_t i = r->head_first[site]; i < r->head_first[site + 1]; i++)
		count += r->pairs[i].path_count;
	for (uint32_t i = r->endpoint_first[site]; i < r->endpoint_first[site + 1]; i++)
		count += r->pairs[r->endpoint_pairs[i]].path_count;
	return count;
}

static void texts_free(struct snapshot_header *h)
{
	for (size_t i = 0; i < h->text_count; i++) {
		struct text t = {.bytes = (char *)(uintptr_t)h->texts[i].ways.bytes};

		text_clear(&t);
	}
	free(h->texts);
}

static int text_make(const struct compile_result *r, uint32_t site, struct snapshot_text *ret)
{
	struct text t = {0};
	struct forwarding f;
	int err = compile_site(r, site, &f);

	if (err)
		return err;
	forwarding_encode_ways(&f, &t);
	forwarding_clear(&f);
	if (t.failed)
		text_clear(&t);
	*ret = (struct snapshot_text){site, {t.bytes, t.length}};
	return t.bytes ? 0 : -TUYEN_ENOMEM;
}

static int texts_make(struct snapshot_header *h, const struct compile_result *r, size_t least)
{
	size_t sites = r->network->site_count;
	int err = 0;

	h->texts = calloc(sites + 1, sizeof(*h->texts));
	if (!h->texts)
		return -TUYEN_ENOMEM;
	for (uint32_t i = 0; i < sites && !err; i++) {
		if (ways_count(r, i) < (least ? least : 1))
			continue;
		err = text_make(r, i, &h->texts[h->text_count]);
		h->text_count += !err;
	}
	return err;
}

static int header_encode(struct snapshot_header *h, struct text *ret_bytes)
{
	struct walk count = {.purpose = WALK_COUNT, .used = aligned(sizeof(*h))};
	struct walk copy = {.purpose = WALK_COPY, .used = count.used};
	struct snapshot_header *to;

	walk_header(&count, h);
	copy.bytes = text_reserve(ret_bytes, count.used);
	if (!copy.bytes)
		return -TUYEN_ENOMEM;
	memset(copy.bytes, 0, count.used);
	memcpy(copy.bytes, h, sizeof(*h));
	to = (struct snapshot_header *)(void *)copy.bytes;
	walk_header(&copy, to);
	to->length = count.used;
	to->sum = bytes_sum(copy.bytes + SUM_FROM, count.used - SUM_FROM);
	ret_bytes->length = count.used;
	return 0;
}

int snapshot_encode(const struct compile_result *result, const struct syntax_set *sources,
		    const uint8_t program[static SHA256_LEN], const char *said, size_t ways_least,
		    struct text *ret_bytes)
{
	struct network network = *result->network;
	struct compile_result trimmed;
	struct snapshot_header h = {.magic = SNAPSHOT_MAGIC,
				    .network = &network,
				    .result = &trimmed,
				    .source_count = sources->count};
	char *words;
	int err;

	if (!sources_fit(result, sources) || result->future || result->past)
		return -TUYEN_EINVAL;
	words = strdup(said);
	err = words ? sources_of(sources, &h.sources) : -TUYEN_ENOMEM;
	if (!err)
		err = texts_make(&h, result, ways_least);
	if (!err) {
		memcpy(h.program, program, SHA256_LEN);
		h.said = words;
		result_trim(result, &trimmed);
		err = header_encode(&h, ret_bytes);
	}
	texts_free(&h);
	sources_free(h.sources, h.source_count);
	free(words);
	return err;
}

/* ---- opening one ------------------------------------------------------------------------ */

static bool header_lawful(const char *bytes, size_t length, bool unchanged, const uint8_t *program)
{
	struct snapshot_header h;

	if (length < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	return !memcmp(h.magic, SNAPSHOT_MAGIC, sizeof(h.magic)) && h.length == length &&
	       !memcmp(h.program, program, SHA256_LEN) &&
	       (unchanged || h.sum == bytes_sum(bytes + SUM_FROM, length - SUM_FROM));
}

int snapshot_open(char *bytes, size_t length, bool unchanged,
		  const uint8_t program[static SHA256_LEN], const char *said,
		  struct snapshot **ret_snapshot)
{
	struct walk open = {.purpose = WALK_OPEN, .bytes = bytes, .length = length};
	struct snapshot *s;

	if (!header_lawful(bytes, length, unchanged, program))
		return -TUYEN_EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -TUYEN_ENOMEM;
	s->header = (struct snapshot_header *)(void *)bytes;
	s->network = walk_header(&open, s->header);
	if (open.failed || !s->network || strcmp(s->header->said, said) != 0) {
		free(s);
		return -TUYEN_EINVAL;
	}
	s->header->result->network = s->network;
	*ret_snapshot = s;
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; s && i < s->change_count; i++)
		free(s->lans[i]);
	free(s);
}

uint64_t snapshot_sum_of(const struct text *bytes)
{
	struct snapshot_header h;

	memcpy(&h, bytes->bytes, sizeof(h));
	return h.sum;
}

uint64_t snapshot_sum(const struct snapshot *s)
{
	return s->header->sum;
}

size_t snapshot_source_count(const struct snapshot *s)
{
	return s->header->source_count;
}

const char *snapshot_source_name(const struct snapshot *s, size_t source)
{
	return s->header->sources[source].name;
}

const struct forwarding_ways *snapshot_ways(const struct snapshot *s, uint32_t site)
{
	size_t low = 0, high = s->header->text_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->header->texts[middle].site == site)
			return &s->header->texts[middle].ways;
		if (s->header->texts[middle].site < site)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct compile_result *snapshot_result(const struct snapshot *s)
{
	return s->header->result;
}

const struct snapshot_change *snapshot_changes(const struct snapshot *s, size_t *ret_count)
{
	*ret_count = s->change_count;
	return s->changes;
}

const struct snapshot_site *snapshot_sites(const struct snapshot *s, size_t *ret_count)
{
	*ret_count = s->site_count;
	return s->sites;
}

/* ---- what differs ------------------------------------------------------------------------ */

/* Bytes that two texts have in common at their beginning. */
static size_t common_beginning(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	while (n + 4096 <= most && !memcmp(a + n, b + n, 4096))
		n += 4096;
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* The same before @a_end and @b_end. */
static size_t common_end(const char *a_end, const char *b_end, size_t most)
{
	size_t n = 0;

	while (n + 4096 <= most && !memcmp(a_end - n - 4096, b_end - n - 4096, 4096))
		n += 4096;
	while (n < most && a_end[-(ptrdiff_t)n - 1] == b_end[-(ptrdiff_t)n - 1])
		n++;
	return n;
}

/* What of the old text, from @from to @to, is whole statements and holds all that differs. */
struct cut {
	size_t from, to, tail; /* @tail: bytes behind @to, the same in both */
};

static struct cut source_cut(const struct snapshot_source *s, const char *bytes, size_t length)
{
	size_t least = s->length < length ? s->length : length, begin, end;
	struct cut cut = {.to = s->length};

	begin = common_beginning(s->bytes, bytes, least);
	end = common_end(s->bytes + s->length, bytes + length, least - begin);
	for (size_t i = 0; i < s->end_count && s->ends[i] <= begin; i++)
		cut.from = s->ends[i];
	for (size_t i = s->end_count; i-- > 0;) {
		size_t to = (size_t)s->ends[i] + 1; /* behind the line's end, which is common too */

		if (s->length - s->ends[i] > end || s->ends[i] < cut.from)
			break;
		if (to <= s->length && s->bytes[to - 1] == '\n')
			cut.to = to;
	}
	cut.tail = s->length - cut.to;
	return cut;
}

static bool change_find(const struct snapshot *s, uint32_t site, size_t *ret_change)
{
	for (size_t i = 0; i < s->change_count; i++)
		if (s->changes[i].site == site) {
			*ret_change = i;
			return true;
		}
	return false;
}

static struct snapshot_change *change_of(struct snapshot *s, uint32_t site, size_t *ret_index)
{
	if (!change_find(s, site, ret_index)) {
		if (s->change_count == SNAPSHOT_CHANGES_MAX)
			return NULL;
		*ret_index = s->change_count++;
		s->changes[*ret_index] = (struct snapshot_change){.site = site};
	}
	return &s->changes[*ret_index];
}

static size_t lan_count(const struct syntax_node *site)
{
	size_t count = 0;

	for (const struct syntax_node *n = site->child; n; n = n->next)
		count += n->kind == SYNTAX_LAN;
	return count;
}

/* Then what is lawful depends on where LANs lie. */
static bool classes_name_prefixes(const struct network *n)
{
	for (size_t i = 0; i < n->class_count; i++)
		for (size_t k = 0; k < n->classes[i].match_count; k++)
			if (n->classes[i].matches[k].to.length)
				return true;
	return false;
}

static int site_lans(struct snapshot *s, const struct syntax_node *now)
{
	uint32_t site = network_site_find(s->network, now->text);
	size_t count = lan_count(now), at = 0;
	struct snapshot_change *change;
	struct ipv4_prefix *lans;
	size_t index;

	change = site == NETWORK_NONE ? NULL : change_of(s, site, &index);
	if (!change || !count || change->lan || classes_name_prefixes(s->network))
		return -TUYEN_EINVAL;
	lans = calloc(count, sizeof(*lans));
	if (!lans)
		return -TUYEN_ENOMEM;
	for (const struct syntax_node *n = now->child; n; n = n->next)
		if (n->kind == SYNTAX_LAN)
			lans[at++] = n->prefix;
	change->lan = true;
	s->lans[index] = lans;
	s->network->sites[site].lans = lans;
	s->network->sites[site].lan_own = NULL;
	s->network->sites[site].lan_count = count;
	return 0;
}

static const struct syntax_node *past_lans(const struct syntax_node *n)
{
	while (n && n->kind == SYNTAX_LAN)
		n = n->next;
	return n;
}

/* LANs that belong to the site alone: those that gateways share say more. */
static bool lans_own(const struct syntax_node *site)
{
	for (const struct syntax_node *n = site->child; n; n = n->next)
		if (n->kind == SYNTAX_LAN && n->child)
			return false;
	return true;
}

/* The same kind of line, and at most another IPv4 address of it. */
static bool uplink_same(const struct syntax_node *old, const struct syntax_node *now)
{
	const struct syntax_node *a = old->child, *b = now->child;
	ipv4_t address;

	if (old->kind != SYNTAX_UPLINK || now->kind != SYNTAX_UPLINK ||
	    strcmp(old->text, now->text) != 0)
		return false;
	for (; a && b; a = a->next, b = b->next)
		if (!syntax_node_equal(a, b) &&
		    (a->kind != SYNTAX_ADDRESS || b->kind != SYNTAX_ADDRESS ||
		     ipv4_parse(a->text, &address) < 0 || ipv4_parse(b->text, &address) < 0))
			return false;
	return !a && !b;
}

/* Is a site the same but for its LANs and the addresses of its lines? */
static bool site_same(const struct syntax_node *old, const struct syntax_node *now)
{
	const struct syntax_node *a = past_lans(old->child), *b = past_lans(now->child);

	for (; a && b; a = past_lans(a->next), b = past_lans(b->next))
		if (a->kind == SYNTAX_USE || (!syntax_node_equal(a, b) && !uplink_same(a, b)))
			return false;
	return !a && !b && lan_count(old) && lan_count(now) && lans_own(old) && lans_own(now);
}

static bool lans_same(const struct syntax_node *old, const struct syntax_node *now)
{
	const struct syntax_node *a = old->child, *b = now->child;

	for (;; a = a->next, b = b->next) {
		while (a && a->kind != SYNTAX_LAN)
			a = a->next;
		while (b && b->kind != SYNTAX_LAN)
			b = b->next;
		if (!a || !b)
			return !a && !b;
		if (!syntax_node_equal(a, b))
			return false;
	}
}

/* A site's own items are its uplinks, in their order: site_same() lets no template pass. */
static int site_uplinks(struct snapshot *s, const struct syntax_node *now)
{
	uint32_t site = network_site_find(s->network, now->text);
	struct snapshot_change *change;
	size_t index, at = 0;

	change = site == NETWORK_NONE ? NULL : change_of(s, site, &index);
	if (!change)
		return -TUYEN_EINVAL;
	for (const struct syntax_node *n = now->child; n; n = n->next) {
		const struct syntax_node *address = n->child;
		struct site_uplink *u;

		if (n->kind != SYNTAX_UPLINK)
			continue;
		if (at == s->network->sites[site].uplink_count)
			return -TUYEN_EINVAL;
		u = &s->network->sites[site].uplinks[at++];
		while (address && address->kind != SYNTAX_ADDRESS)
			address = address->next;
		if (address && u->endpoint.family == 4 &&
		    ip_endpoint_parse_address(address->text, u->endpoint.port, &u->endpoint) < 0)
			return -TUYEN_EINVAL;
	}
	change->uplink = true;
	return 0;
}

static bool uplinks_same(const struct syntax_node *old, const struct syntax_node *now)
{
	const struct syntax_node *a = past_lans(old->child), *b = past_lans(now->child);

	for (; a && b; a = past_lans(a->next), b = past_lans(b->next))
		if (!syntax_node_equal(a, b))
			return false;
	return true;
}

/* @return false when it is no key. */
static bool key_take(const struct syntax_node *node, uint8_t key[static WG_KEY_LEN],
		     bool *ret_changed)
{
	uint8_t now[WG_KEY_LEN];

	if (!node->text || wg_key_parse(node->text, now) < 0)
		return false;
	*ret_changed |= memcmp(now, key, WG_KEY_LEN) != 0;
	memcpy(key, now, WG_KEY_LEN);
	return true;
}

static int site_keys(struct snapshot *s, const struct syntax_node *now)
{
	uint32_t site = network_site_find(s->network, now->text);
	const struct syntax_node *a = now->child, *b = a ? a->next : NULL;
	struct snapshot_change *change;
	size_t index;

	if (site == NETWORK_NONE || !b || b->next || a->kind == b->kind)
		return -TUYEN_EINVAL;
	change = change_of(s, site, &index);
	if (!change)
		return -TUYEN_EINVAL;
	for (; a; a = a->next) {
		struct site *at = &s->network->sites[site];
		bool link = a->kind == SYNTAX_LINK_KEY;

		if (!link && a->kind != SYNTAX_SESSION_KEY)
			return -TUYEN_EINVAL;
		if (!key_take(a, link ? at->link_key : at->session_key,
			      link ? &change->link_key : &change->session_key))
			return -TUYEN_EINVAL;
	}
	return 0;
}

static int statement_amend(struct snapshot *s, const struct syntax_node *old,
			   const struct syntax_node *now)
{
	if (syntax_node_equal(old, now))
		return 0;
	if (old->kind != now->kind || !old->text || !now->text || strcmp(old->text, now->text))
		return -TUYEN_EINVAL;
	if (now->kind == SYNTAX_KEYS)
		return site_keys(s, now);
	if (now->kind != SYNTAX_SITE || !site_same(old, now))
		return -TUYEN_EINVAL;
	if (!uplinks_same(old, now) && site_uplinks(s, now) < 0)
		return -TUYEN_EINVAL;
	return lans_same(old, now) ? 0 : site_lans(s, now);
}

static int statements_amend(struct snapshot *s, const struct syntax_file *old,
			    const struct syntax_file *now)
{
	const struct syntax_node *a = old->statements, *b = now->statements;
	int err = 0;

	for (; a && b && !err; a = a->next, b = b->next)
		err = statement_amend(s, a, b);
	return err ? err : a || b ? -TUYEN_EINVAL : 0;
}

int snapshot_amend(struct snapshot *s, size_t source, const char *bytes, size_t length)
{
	const struct snapshot_source *from = &s->header->sources[source];
	struct syntax_file *old = NULL, *now = NULL;
	struct diag_list diags;
	struct cut cut;
	int err;

	if (length == from->length && !memcmp(bytes, from->bytes, length))
		return 0;
	cut = source_cut(from, bytes, length);
	if (length - cut.tail < cut.from)
		return -TUYEN_EINVAL;
	diag_list_init(&diags);
	err = syntax_parse(from->name, from->bytes + cut.from, cut.to - cut.from, &diags, &old);
	if (!err)
		err = syntax_parse(from->name, bytes + cut.from, length - cut.tail - cut.from,
				   &diags, &now);
	if (!err && diags.count)
		err = -TUYEN_EINVAL;
	if (!err)
		err = statements_amend(s, old, now);
	syntax_file_free(old);
	syntax_file_free(now);
	diag_list_clear(&diags);
	return err == -TUYEN_ENOMEM || !err ? err : -TUYEN_EINVAL;
}

/* ---- against the rest of the country ----------------------------------------------------- */

/* A LAN that nobody could object to by itself; others are for the check to judge. */
static bool lan_plain(const struct network *n, struct ipv4_prefix lan)
{
	uint32_t first = lan.address >> 24;

	return lan.length >= 8 && first > 0 && first != 127 && first < 224 &&
	       !ipv4_prefix_overlaps(lan, (struct ipv4_prefix){0xa9fe0000, 16}) &&
	       !ipv4_prefix_overlaps(lan, n->link_space) &&
	       !ipv4_prefix_overlaps(lan, n->path_space) &&
	       !(n->face_count && ipv4_prefix_overlaps(lan, n->parallel_space));
}

static bool endpoint_within(const struct ip_endpoint *e, struct ipv4_prefix lan)
{
	ipv4_t address = (ipv4_t)e->address[0] << 24 | (ipv4_t)e->address[1] << 16 |
			 (ipv4_t)e->address[2] << 8 | e->address[3];

	return e->family == 4 && ipv4_prefix_contains(lan, address);
}

/* Nobody else has any of it, and no carrier line lies in it. */
static bool lan_free(const struct network *n, const struct ipv4_prefix *lan)
{
	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		for (size_t k = 0; k < s->lan_count; k++)
			if (&s->lans[k] != lan && ipv4_prefix_overlaps(s->lans[k], *lan))
				return false;
		for (size_t k = 0; k < s->uplink_count; k++)
			if (endpoint_within(&s->uplinks[k].endpoint, *lan))
				return false;
	}
	return true;
}

static bool lans_lawful(const struct network *n, const struct site *s)
{
	for (size_t k = 0; k < s->lan_count; k++)
		if (!lan_plain(n, s->lans[k]) || !lan_free(n, &s->lans[k]))
			return false;
	return true;
}

static bool key_unique(const struct network *n, const uint8_t *key)
{
	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		if ((s->link_key != key && !memcmp(s->link_key, key, WG_KEY_LEN)) ||
		    (s->session_key != key && !memcmp(s->session_key, key, WG_KEY_LEN)))
			return false;
	}
	return true;
}

/* Of a carrier line as check_topology.c wants it; what it would refuse is for it to say. */
static bool uplink_lawful(const struct network *n, const struct site_uplink *uplink)
{
	const struct ip_endpoint *e = &uplink->endpoint;
	ipv4_t address = (ipv4_t)e->address[0] << 24 | (ipv4_t)e->address[1] << 16 |
			 (ipv4_t)e->address[2] << 8 | e->address[3];

	if (e->family != 4)
		return true;
	if (e->address[0] == 0 || e->address[0] == 127 || e->address[0] >= 224 ||
	    ipv4_prefix_contains(n->link_space, address) ||
	    ipv4_prefix_contains(n->path_space, address) ||
	    (n->face_count && ipv4_prefix_contains(n->parallel_space, address)))
		return false;
	for (size_t i = 0; i < n->site_count; i++) {
		const struct site *s = &n->sites[i];

		for (size_t k = 0; k < s->lan_count; k++)
			if (ipv4_prefix_contains(s->lans[k], address))
				return false;
		for (size_t k = 0; k < s->uplink_count; k++)
			if (&s->uplinks[k] != uplink &&
			    ip_endpoint_equal(&s->uplinks[k].endpoint, e))
				return false;
	}
	return true;
}

static bool uplinks_lawful(const struct network *n, const struct site *s)
{
	for (size_t k = 0; k < s->uplink_count; k++)
		if (!uplink_lawful(n, &s->uplinks[k]))
			return false;
	return true;
}

static bool change_lawful(const struct snapshot *s, const struct snapshot_change *c)
{
	const struct network *n = s->network;
	const struct site *site = &n->sites[c->site];

	return (!c->lan || lans_lawful(n, site)) && (!c->uplink || uplinks_lawful(n, site)) &&
	       (!c->link_key || key_unique(n, site->link_key)) &&
	       (!c->session_key || key_unique(n, site->session_key));
}

/* @return false when there are too many. The first cause that is found stays. */
static bool affect(struct snapshot *s, uint32_t site, enum snapshot_cause cause, uint32_t of)
{
	for (size_t i = 0; i < s->site_count; i++)
		if (s->sites[i].site == site)
			return true;
	if (s->site_count == SNAPSHOT_CHANGES_MAX)
		return false;
	s->sites[s->site_count++] = (struct snapshot_site){site, cause, of};
	return true;
}

/* @node  the site or its face. */
static bool affect_near(struct snapshot *s, uint32_t node, uint32_t site)
{
	const struct compile_result *r = s->header->result;
	bool room = true;

	for (uint32_t i = r->near_first[node]; i < r->near_first[node + 1] && room; i++)
		room = affect(s, network_site_of(s->network, r->near[i].site), SNAPSHOT_NEIGHBOR,
			      site);
	return room;
}

static bool affect_neighbors(struct snapshot *s, uint32_t site)
{
	uint32_t face = s->network->sites[site].face;

	return affect_near(s, site, site) && (!face || affect_near(s, face, site));
}

static bool affect_peers(struct snapshot *s, uint32_t site)
{
	const struct compile_result *r = s->header->result;
	bool room = true;

	for (uint32_t i = r->head_first[site]; i < r->head_first[site + 1] && room; i++)
		room = affect(s, r->pairs[i].endpoint, SNAPSHOT_PEER, site);
	for (uint32_t i = r->endpoint_first[site]; i < r->endpoint_first[site + 1] && room; i++)
		room = affect(s, r->pairs[r->endpoint_pairs[i]].head, SNAPSHOT_PEER, site);
	return room;
}

static int site_order(const void *a, const void *b)
{
	const struct snapshot_site *p = a, *q = b;

	return p->site < q->site ? -1 : p->site > q->site;
}

int snapshot_settle(struct snapshot *s)
{
	bool room = true;

	for (size_t i = 0; i < s->change_count; i++)
		if (!change_lawful(s, &s->changes[i]))
			return -TUYEN_EINVAL;
	for (size_t i = 0; i < s->change_count && room; i++)
		room = affect(s, s->changes[i].site, SNAPSHOT_ITSELF, s->changes[i].site);
	for (size_t i = 0; i < s->change_count && room; i++) {
		const struct snapshot_change *c = &s->changes[i];

		if (c->link_key || c->uplink)
			room = affect_neighbors(s, c->site);
		if (room && (c->lan || c->session_key))
			room = affect_peers(s, c->site);
	}
	if (!room)
		return -TUYEN_EINVAL;
	qsort(s->sites, s->site_count, sizeof(*s->sites), site_order);
	return 0;
}
