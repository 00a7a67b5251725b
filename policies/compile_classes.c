/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Have two classes packets in common, and does one have any for a site? A class is a product: one of its ports or protocols, one of
 * its prefixes, one of its code points. So two overlap where each of the three does, and each is a
 * set of numbers: spans of them, sorted, are walked side by side. A class of 4,096 matches is thus
 * compared as the few words that it was written with. Small ones, nearly all, are compared match by
 * match.
 */
#include <stdlib.h>

#include "compile_internal.h"

#define PAIRS_FEW 1024 /* of matches: cheaper to compare than to sort */

/* @protocol 0: any. Ports count for TCP and UDP, and there alone. */
static bool match_overlaps(const struct class_match *a, const struct class_match *b)
{
	return (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
	       a->port_first <= b->port_last && b->port_first <= a->port_last &&
	       (!a->has_dscp || !b->has_dscp || a->dscp == b->dscp) &&
	       ipv4_prefix_overlaps(a->to, b->to);
}

static bool matches_overlap(const struct traffic_class *x, const struct traffic_class *y)
{
	for (size_t i = 0; i < x->match_count; i++)
		for (size_t k = 0; k < y->match_count; k++)
			if (match_overlaps(&x->matches[i], &y->matches[k]))
				return true;
	return false;
}

struct span {
	uint32_t first, last;
};

enum part {
	PART_PORTS, /* in the order of the product: matches that differ in a later one alone are neighbours */
	PART_PREFIXES,
	PART_DSCPS,
	PARTS,
};

static struct span match_span(const struct class_match *m, enum part part)
{
	uint32_t protocol = (uint32_t)m->protocol << 16;
	uint32_t hosts = m->to.length ? UINT32_MAX >> (m->to.length - 1) >> 1 : UINT32_MAX;

	switch (part) {
	case PART_PORTS:
		return m->protocol
			   ? (struct span){protocol | m->port_first, protocol | m->port_last}
			   : (struct span){0, UINT32_MAX};
	case PART_PREFIXES:
		return (struct span){m->to.address & ~hosts, m->to.address | hosts};
	case PART_DSCPS:
		return m->has_dscp ? (struct span){m->dscp, m->dscp} : (struct span){0, UINT8_MAX};
	case PARTS:
		break;
	}
	return (struct span){0, UINT32_MAX};
}

static bool span_equal(struct span a, struct span b)
{
	return a.first == b.first && a.last == b.last;
}

/* Does @m say the same as @first of all that comes before @part? Then it may say something new of @part. */
static bool match_is_of_first(const struct class_match *m, const struct class_match *first,
			      enum part part)
{
	for (enum part p = PART_PORTS; p < part; p++)
		if (!span_equal(match_span(m, p), match_span(first, p)))
			return false;
	return true;
}

static int span_compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Those of one part, sorted, and apart. @return how many. */
static size_t spans_make(const struct traffic_class *c, enum part part, struct span *ret_spans)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < c->match_count; i++) {
		struct span s = match_span(&c->matches[i], part);

		if (!match_is_of_first(&c->matches[i], c->matches, part))
			break;
		if (!count || !span_equal(ret_spans[count - 1], s))
			ret_spans[count++] = s;
	}
	if (count > 1)
		qsort(ret_spans, count, sizeof(*ret_spans), span_compare);
	for (size_t i = 0; i < count; i++) {
		struct span s = ret_spans[i];

		if (!kept || s.first > ret_spans[kept - 1].last)
			ret_spans[kept++] = s;
		else if (s.last > ret_spans[kept - 1].last)
			ret_spans[kept - 1].last = s.last;
	}
	return kept;
}

static bool spans_meet(const struct span *a, size_t a_count, const struct span *b, size_t b_count)
{
	for (size_t i = 0, k = 0; i < a_count && k < b_count;) {
		if (a[i].last < b[k].first)
			i++;
		else if (b[k].last < a[i].first)
			k++;
		else
			return true;
	}
	return false;
}

/* @room is for a span of each match of both. */
static bool parts_overlap(const struct traffic_class *x, const struct traffic_class *y,
			  struct span *room)
{
	for (enum part part = PART_PORTS; part < PARTS; part++) {
		size_t count = spans_make(x, part, room);

		if (!spans_meet(room, count, room + count, spans_make(y, part, room + count)))
			return false;
	}
	return true;
}

bool compile_classes_overlap(const struct network *n, uint32_t a, uint32_t b)
{
	const struct traffic_class *x = &n->classes[a], *y = &n->classes[b];
	struct span *room;
	bool overlap;

	if (a == b)
		return true;
	if (x->match_count * y->match_count <= PAIRS_FEW)
		return matches_overlap(x, y);
	room = malloc((x->match_count + y->match_count) * sizeof(*room));
	overlap = room ? parts_overlap(x, y, room) : matches_overlap(x, y);
	free(room);
	return overlap;
}

bool compile_class_enters(const struct network *n, uint32_t class_index, uint32_t site)
{
	const struct traffic_class *c;
	const struct site *s = &n->sites[site];

	if (class_index == NETWORK_NONE)
		return s->lan_count > 0;
	c = &n->classes[class_index];
	for (size_t i = 0; i < c->match_count; i++)
		for (size_t k = 0; k < s->lan_count; k++)
			if (ipv4_prefix_overlaps(c->matches[i].to, s->lans[k]))
				return true;
	return false;
}
