/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/topology/forwarding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void forwarding_init(struct forwarding *f)
{
	*f = (struct forwarding){0};
}

void forwarding_clear(struct forwarding *f)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		free(f->neighbors[i].accept);
	for (size_t i = 0; i < f->peer_count; i++)
		free(f->peers[i].prefixes);
	free(f->lans);
	free(f->neighbors);
	free(f->labels);
	free(f->paths);
	free(f->returns);
	free(f->sessions);
	free(f->peers);
	free(f->rules);
	free(f->lines);
	free(f->queues);
	free(f->meters);
	free(f->devices);
	forwarding_init(f);
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int prefix_compare(const void *a, const void *b)
{
	const struct ipv4_prefix *p = a, *q = b;
	int o = order(p->address, q->address);

	return o ? o : order(p->length, q->length);
}

static int stack_compare(const void *a, const void *b)
{
	return label_stack_compare(a, b);
}

static int neighbor_compare(const void *a, const void *b)
{
	const struct fwd_neighbor *p = a, *q = b;

	return order(p->site_id, q->site_id);
}

static int label_compare(const void *a, const void *b)
{
	const struct fwd_label_route *p = a, *q = b;

	return order(p->in_label, q->in_label);
}

static int path_compare(const void *a, const void *b)
{
	const struct fwd_path *p = a, *q = b;

	return order(p->index, q->index);
}

static int return_compare(const void *a, const void *b)
{
	const struct fwd_return *p = a, *q = b;

	return order(p->destination, q->destination);
}

static int session_compare(const void *a, const void *b)
{
	const struct fwd_session *p = a, *q = b;

	return order(p->color, q->color);
}

static int peer_compare(const void *a, const void *b)
{
	const struct fwd_session_peer *p = a, *q = b;
	int o = order(p->color, q->color);

	return o ? o : order(p->site_id, q->site_id);
}

static int rule_compare(const void *a, const void *b)
{
	const struct fwd_rule *p = a, *q = b;
	int o;

	if ((o = order(p->color, q->color)) || (o = order(p->outbound, q->outbound)) ||
	    (o = order(p->priority, q->priority)) || (o = order(p->protocol, q->protocol)) ||
	    (o = order(p->port_first, q->port_first)) || (o = order(p->port_last, q->port_last)) ||
	    (o = order(!p->has_dscp, !q->has_dscp)) || (o = order(p->dscp, q->dscp)) ||
	    (o = prefix_compare(&p->to, &q->to)) || (o = prefix_compare(&p->from, &q->from)))
		return o;
	return strcmp(p->class_name, q->class_name);
}

static int line_compare(const void *a, const void *b)
{
	const struct fwd_line *p = a, *q = b;

	return strcmp(p->underlay, q->underlay);
}

static int queue_compare(const void *a, const void *b)
{
	const struct fwd_queue *p = a, *q = b;

	return order(p->color, q->color);
}

static int meter_compare(const void *a, const void *b)
{
	const struct fwd_meter *p = a, *q = b;

	return strcmp(p->underlay, q->underlay);
}

static int device_compare(const void *a, const void *b)
{
	const struct fwd_device *p = a, *q = b;

	return strcmp(p->name, q->name);
}

static bool sorted(const void *base, size_t count, size_t size,
		   int (*compare)(const void *, const void *))
{
	const char *at = base;

	for (size_t i = 1; i < count; i++, at += size)
		if (compare(at, at + size) > 0)
			return false;
	return true;
}

/* The compiler's arrays mostly are, and qsort() would copy them. It must not be given NULL. */
static void sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (!sorted(base, count, size, compare))
		qsort(base, count, size, compare);
}

static void rules_unique(struct forwarding *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->rule_count; i++)
		if (!kept || rule_compare(&f->rules[kept - 1], &f->rules[i]))
			f->rules[kept++] = f->rules[i];
	f->rule_count = kept;
}

static bool prefixes_equal(const struct fwd_session_peer *a, const struct fwd_session_peer *b)
{
	if (a->prefix_count != b->prefix_count)
		return false;
	for (size_t i = 0; i < a->prefix_count; i++)
		if (prefix_compare(&a->prefixes[i], &b->prefixes[i]) != 0)
			return false;
	return true;
}

/* Sorted by color, then site: each color's are as far behind those of the one before as it has of them. */
static bool peers_alike(const struct forwarding *f)
{
	size_t each = f->session_count ? f->peer_count / f->session_count : 0;

	if (f->peer_count != each * f->session_count)
		return false;
	for (size_t i = each; i < f->peer_count; i++) {
		const struct fwd_session_peer *a = &f->peers[i - each], *b = &f->peers[i];

		if (a->color == b->color || a->site_id != b->site_id || !prefixes_equal(a, b))
			return false;
	}
	return true;
}

void forwarding_sort(struct forwarding *f)
{
	for (size_t i = 0; i < f->neighbor_count; i++)
		sort(f->neighbors[i].accept, f->neighbors[i].accept_count,
		     sizeof(struct label_stack), stack_compare);
	for (size_t i = 0; i < f->peer_count; i++)
		sort(f->peers[i].prefixes, f->peers[i].prefix_count, sizeof(struct ipv4_prefix),
		     prefix_compare);
	sort(f->lans, f->lan_count, sizeof(*f->lans), prefix_compare);
	sort(f->neighbors, f->neighbor_count, sizeof(*f->neighbors), neighbor_compare);
	sort(f->labels, f->label_count, sizeof(*f->labels), label_compare);
	sort(f->paths, f->path_count, sizeof(*f->paths), path_compare);
	sort(f->returns, f->return_count, sizeof(*f->returns), return_compare);
	sort(f->sessions, f->session_count, sizeof(*f->sessions), session_compare);
	sort(f->peers, f->peer_count, sizeof(*f->peers), peer_compare);
	f->peers_alike = peers_alike(f);
	sort(f->rules, f->rule_count, sizeof(*f->rules), rule_compare);
	rules_unique(f);
	sort(f->lines, f->line_count, sizeof(*f->lines), line_compare);
	sort(f->queues, f->queue_count, sizeof(*f->queues), queue_compare);
	sort(f->meters, f->meter_count, sizeof(*f->meters), meter_compare);
	sort(f->devices, f->device_count, sizeof(*f->devices), device_compare);
}

/* bsearch() must not be given NULL either. */
static const void *find(const void *key, const void *base, size_t count, size_t size,
			int (*compare)(const void *, const void *))
{
	return count ? bsearch(key, base, count, size, compare) : NULL;
}

const struct fwd_neighbor *forwarding_neighbor(const struct forwarding *f, uint32_t site_id)
{
	struct fwd_neighbor key = {.site_id = site_id};

	return find(&key, f->neighbors, f->neighbor_count, sizeof(key), neighbor_compare);
}

/* These two are asked for each hop of each walk: without a call for each comparison. */
const struct fwd_label_route *forwarding_label(const struct forwarding *f, uint32_t in_label)
{
	size_t low = 0, high = f->label_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->labels[middle].in_label == in_label)
			return &f->labels[middle];
		if (f->labels[middle].in_label < in_label)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct fwd_return *forwarding_return(const struct forwarding *f, ipv4_t destination)
{
	size_t low = 0, high = f->return_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->returns[middle].destination == destination)
			return &f->returns[middle];
		if (f->returns[middle].destination < destination)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool stack_swap(struct label_stack *stack, const struct label_stack *out)
{
	struct label_stack result = *out;

	for (uint8_t i = 1; i < stack->depth; i++)
		if (!label_stack_push_bottom(&result, stack->label[i]))
			return false;
	*stack = result;
	return true;
}

const char *forwarding_step(const struct forwarding *f, struct label_stack *stack,
			    uint32_t *ret_next)
{
	for (;;) {
		const struct fwd_label_route *route =
		    stack->depth ? forwarding_label(f, stack->label[0]) : NULL;

		if (!route)
			return "has no such label";
		*ret_next = route->next_site;
		if (route->next_site)
			return route->out.depth && stack_swap(stack, &route->out)
				   ? NULL
				   : "leaves no lawful stack";
		memmove(stack->label, stack->label + 1,
			sizeof(stack->label) - sizeof(stack->label[0]));
		stack->label[LABEL_STACK_MAX - 1] = 0;
		if (!--stack->depth)
			return NULL;
	}
}

const struct fwd_path *forwarding_path(const struct forwarding *f, uint8_t index)
{
	struct fwd_path key = {.index = index};

	return find(&key, f->paths, f->path_count, sizeof(key), path_compare);
}

const struct fwd_session *forwarding_session(const struct forwarding *f, uint32_t color)
{
	struct fwd_session key = {.color = color};

	return find(&key, f->sessions, f->session_count, sizeof(key), session_compare);
}

const struct fwd_line *forwarding_line(const struct forwarding *f, const char *underlay)
{
	struct fwd_line key = {.underlay = ""};

	snprintf(key.underlay, sizeof(key.underlay), "%s", underlay);
	return find(&key, f->lines, f->line_count, sizeof(key), line_compare);
}

const struct fwd_meter *forwarding_meter(const struct forwarding *f, const char *underlay)
{
	for (size_t i = 0; i < f->meter_count; i++)
		if (!strcmp(f->meters[i].underlay, underlay))
			return &f->meters[i];
	return NULL;
}

const struct fwd_session_peer *forwarding_peer(const struct forwarding *f, uint32_t c, uint32_t id)
{
	size_t low = 0, high = f->peer_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct fwd_session_peer *p = &f->peers[middle];

		if (p->color == c && p->site_id == id)
			return p;
		if (p->color < c || (p->color == c && p->site_id < id))
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint16_t forwarding_session_port(const struct fwd_session *s, uint8_t slot)
{
	uint32_t below = (uint32_t)slot * FWD_RANK_PORTS;

	return s->listen_port > below + 1023 ? (uint16_t)(s->listen_port - below)
	       : slot			     ? 0
					     : s->listen_port;
}

/* Whichever begins first and does not overlap the other ends before all that follow. */
static bool prefixes_overlap(const struct fwd_session_peer *a, const struct fwd_session_peer *b)
{
	for (size_t i = 0, k = 0; i < a->prefix_count && k < b->prefix_count;) {
		if (ipv4_prefix_overlaps(a->prefixes[i], b->prefixes[k]))
			return true;
		if (a->prefixes[i].address < b->prefixes[k].address)
			i++;
		else
			k++;
	}
	return false;
}

bool forwarding_peers_share(const struct fwd_session_peer *a, const struct fwd_session_peer *b)
{
	if (!a->caller || !b->caller || a->color != b->color || a->site_id == b->site_id ||
	    a->rank == b->rank)
		return false;
	return prefixes_overlap(a, b);
}

/* Only who calls has several; and calls few. */
uint8_t forwarding_peer_slot(const struct forwarding *f, const struct fwd_session_peer *peer)
{
	uint8_t slot = 0;

	for (size_t i = 0; peer->caller && i < f->peer_count; i++)
		slot += f->peers[i].site_id < peer->site_id &&
			forwarding_peers_share(&f->peers[i], peer);
	return slot;
}
