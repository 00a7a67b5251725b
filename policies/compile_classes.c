/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Have two classes packets in common, has one all of the other's, and does one have any for a site? A class is a product: one of its ports or protocols, one of
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

static struct span prefix_span(struct ipv4_prefix p)
{
	uint32_t hosts = p.length ? UINT32_MAX >> (p.length - 1) >> 1 : UINT32_MAX;

	return (struct span){p.address & ~hosts, p.address | hosts};
}

static struct span match_span(const struct class_match *m, enum part part)
{
	uint32_t protocol = (uint32_t)m->protocol << 16;

	switch (part) {
	case PART_PORTS:
		return m->protocol
			   ? (struct span){protocol | m->port_first, protocol | m->port_last}
			   : (struct span){0, UINT32_MAX};
	case PART_PREFIXES:
		return prefix_span(m->to);
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

/* What of @spans lies in a LAN of @site. Prefixes lie in one another or apart: there is no more than @count and LANs. */
static size_t spans_of_site(const struct span *spans, size_t count, const struct site *site,
			    struct span *ret_spans)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < site->lan_count; k++) {
			struct span lan = prefix_span(site->lans[k]);
			uint32_t first = spans[i].first > lan.first ? spans[i].first : lan.first;
			uint32_t last = spans[i].last < lan.last ? spans[i].last : lan.last;

			if (first <= last)
				ret_spans[kept++] = (struct span){first, last};
		}
	if (kept > 1)
		qsort(ret_spans, kept, sizeof(*ret_spans), span_compare);
	return kept;
}

/* What of @y is in @x. That several of @x together hold one of @y is not looked for. */
static enum compile_share spans_share(const struct span *x, size_t x_count, const struct span *y,
				      size_t y_count)
{
	bool some = false, all = true;

	for (size_t i = 0, k = 0; k < y_count; k++) {
		while (i < x_count && x[i].last < y[k].first)
			i++;
		if (i == x_count || x[i].first > y[k].last) {
			all = false;
			continue;
		}
		some = true;
		all &= x[i].first <= y[k].first && y[k].last <= x[i].last;
	}
	return !some ? COMPILE_SHARE_NONE : all ? COMPILE_SHARE_ALL : COMPILE_SHARE_SOME;
}

/* @room is for a span of each match of both, and again of @y, and of each LAN. */
static enum compile_share parts_share(const struct traffic_class *x, const struct traffic_class *y,
				      const struct site *site, struct span *room)
{
	enum compile_share least = COMPILE_SHARE_ALL;

	for (enum part part = PART_PORTS; part < PARTS; part++) {
		size_t x_count = spans_make(x, part, room);
		struct span *of_y = room + x_count;
		size_t y_count = spans_make(y, part, of_y);
		enum compile_share share;

		if (part == PART_PREFIXES) {
			struct span *in_lans = of_y + y_count;

			y_count = spans_of_site(of_y, y_count, site, in_lans);
			of_y = in_lans;
		}
		share = spans_share(room, x_count, of_y, y_count);
		least = share < least ? share : least;
	}
	return least;
}

int compile_class_share(const struct network *n, uint32_t a, uint32_t b, uint32_t site,
			enum compile_share *ret_share)
{
	const struct traffic_class *x = &n->classes[a], *y = &n->classes[b];
	const struct site *s = &n->sites[site];
	struct span *room;

	*ret_share = COMPILE_SHARE_NONE;
	if (!compile_class_enters(n, b, site) || !compile_classes_overlap(n, a, b))
		return 0;
	if (a == b) {
		*ret_share = COMPILE_SHARE_ALL;
		return 0;
	}
	room = malloc((x->match_count + 2 * y->match_count + s->lan_count) * sizeof(*room));
	if (!room)
		return -TUYEN_ENOMEM;
	*ret_share = parts_share(x, y, s, room);
	free(room);
	return 0;
}
