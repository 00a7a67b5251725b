/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel state as data: arrays that grow, are sorted by key, and are freed.
 *
 * An array's capacity is not stored: it is the power of two at or above its count, so that an
 * entry is added with one realloc() whenever the count is zero or a power of two.
 */
#include "tuyen/core/kernel_state.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

/* printf 'tuyen link1' | sha256sum */
const uint8_t kernel_preshared_parallel[WG_KEY_LEN] = {
    0x97, 0xcc, 0x0b, 0x6b, 0xe1, 0xb8, 0xeb, 0xdd, 0x83, 0xe5, 0x39, 0x87, 0x27, 0xa6, 0x4a, 0x67,
    0x0a, 0x4b, 0x9b, 0x61, 0x47, 0x7f, 0x6f, 0xd7, 0x47, 0xc9, 0xd1, 0xb4, 0x12, 0x54, 0x68, 0xc0,
};

static void *array_add(void **array, size_t *count, size_t size)
{
	char *entry;

	if ((*count & (*count - 1)) == 0) {
		void *grown = realloc(*array, (*count ? *count * 2 : 1) * size);

		if (!grown)
			return NULL;
		*array = grown;
	}
	entry = (char *)*array + *count * size;
	memset(entry, 0, size);
	(*count)++;
	return entry;
}

/* Through a void * of its own, because a struct foo ** is not a void **. */
#define STATE_ADD(type, name, field, counter)                                                      \
	struct type *kernel_state_add_##name(struct kernel_state *state)                           \
	{                                                                                          \
		void *array = state->field;                                                        \
		struct type *entry;                                                                \
                                                                                                   \
		entry = array_add(&array, &state->counter, sizeof(struct type));                   \
		state->field = array;                                                              \
		return entry;                                                                      \
	}

STATE_ADD(kernel_device, device, devices, device_count)
STATE_ADD(kernel_peer, peer, peers, peer_count)
STATE_ADD(kernel_address, address, addresses, address_count)
STATE_ADD(kernel_route, route, routes, route_count)
STATE_ADD(kernel_stray, stray, strays, stray_count)
STATE_ADD(kernel_label_route, label, labels, label_count)
STATE_ADD(kernel_rule, rule, rules, rule_count)
STATE_ADD(kernel_route6, route6, routes6, route6_count)
STATE_ADD(kernel_rule6, rule6, rules6, rule6_count)
STATE_ADD(kernel_label_filter, filter, filters, filter_count)
STATE_ADD(kernel_excess, excess, excesses, excess_count)
STATE_ADD(kernel_queue, queue, queues, queue_count)
STATE_ADD(kernel_qdisc, qdisc, qdiscs, qdisc_count)
STATE_ADD(kernel_sysctl, sysctl, sysctls, sysctl_count)

int kernel_peer_allow(struct kernel_peer *peer, struct ipv4_prefix prefix)
{
	void *array = peer->allowed;
	struct ipv4_prefix *entry = array_add(&array, &peer->allowed_count, sizeof(*entry));

	peer->allowed = array;
	if (!entry)
		return -TUYEN_ENOMEM;
	*entry = prefix;
	return 0;
}

int kernel_filter_accept(struct kernel_label_filter *filter, const struct label_stack *stack)
{
	void *array = filter->accept;
	struct label_stack *entry = array_add(&array, &filter->accept_count, sizeof(*entry));

	filter->accept = array;
	if (!entry)
		return -TUYEN_ENOMEM;
	*entry = *stack;
	return 0;
}

struct kernel_state *kernel_state_new(void)
{
	return calloc(1, sizeof(struct kernel_state));
}

void kernel_state_free(struct kernel_state *state)
{
	if (!state)
		return;
	for (size_t i = 0; i < state->device_count; i++)
		explicit_bzero(state->devices[i].private_key, WG_KEY_LEN);
	for (size_t i = 0; i < state->peer_count; i++)
		free(state->peers[i].allowed);
	for (size_t i = 0; i < state->filter_count; i++)
		free(state->filters[i].accept);
	free(state->devices);
	free(state->peers);
	free(state->addresses);
	free(state->routes);
	free(state->strays);
	free(state->labels);
	free(state->rules);
	free(state->routes6);
	free(state->rules6);
	free(state->filters);
	free(state->excesses);
	free(state->queues);
	free(state->qdiscs);
	free(state->sysctls);
	free(state->nft);
	free(state);
}

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The first comparison that is not equal decides. */
#define THEN(result, comparison) ((result) ? (result) : (comparison))

int ipv4_prefix_compare(const void *a, const void *b)
{
	const struct ipv4_prefix *x = a, *y = b;

	return THEN(order(x->address, y->address), order(x->length, y->length));
}

int kernel_device_compare(const void *a, const void *b)
{
	const struct kernel_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int kernel_peer_compare(const void *a, const void *b)
{
	const struct kernel_peer *x = a, *y = b;
	int by_device = strcmp(x->device, y->device);

	return THEN(by_device, memcmp(x->public_key, y->public_key, WG_KEY_LEN));
}

int kernel_address_compare(const void *a, const void *b)
{
	const struct kernel_address *x = a, *y = b;
	int by_device = strcmp(x->device, y->device);

	return THEN(by_device, ipv4_prefix_compare(&x->prefix, &y->prefix));
}

int kernel_route_compare(const void *a, const void *b)
{
	const struct kernel_route *x = a, *y = b;
	int result = order(x->table, y->table);

	result = THEN(result, ipv4_prefix_compare(&x->destination, &y->destination));
	return THEN(result, order(x->metric, y->metric));
}

int kernel_stray_compare(const void *a, const void *b)
{
	const struct kernel_stray *x = a, *y = b;

	return THEN(kernel_route_compare(&x->route, &y->route), order(x->tos, y->tos));
}

int kernel_label_compare(const void *a, const void *b)
{
	const struct kernel_label_route *x = a, *y = b;

	return order(x->in_label, y->in_label);
}

int kernel_rule_compare(const void *a, const void *b)
{
	const struct kernel_rule *x = a, *y = b;
	int result = order(x->priority, y->priority);

	result = THEN(result, order(x->fwmark, y->fwmark));
	result = THEN(result, order(x->fwmask, y->fwmask));
	result = THEN(result, ipv4_prefix_compare(&x->source, &y->source));
	return THEN(result, order(x->table, y->table));
}

static int ipv6_prefix_compare(const struct ipv6_prefix *x, const struct ipv6_prefix *y)
{
	return THEN(memcmp(x->address.byte, y->address.byte, sizeof(x->address.byte)),
		    order(x->length, y->length));
}

int kernel_route6_compare(const void *a, const void *b)
{
	const struct kernel_route6 *x = a, *y = b;
	int result = order(x->table, y->table);

	result = THEN(result, ipv6_prefix_compare(&x->destination, &y->destination));
	return THEN(result, order(x->metric, y->metric));
}

int kernel_rule6_compare(const void *a, const void *b)
{
	const struct kernel_rule6 *x = a, *y = b;
	int result = order(x->priority, y->priority);

	result = THEN(result, order(x->fwmark, y->fwmark));
	result = THEN(result, order(x->fwmask, y->fwmask));
	result = THEN(result, ipv6_prefix_compare(&x->source, &y->source));
	return THEN(result, order(x->table, y->table));
}

int kernel_filter_compare(const void *a, const void *b)
{
	const struct kernel_label_filter *x = a, *y = b;

	return strcmp(x->device, y->device);
}

int kernel_excess_compare(const void *a, const void *b)
{
	const struct kernel_excess *x = a, *y = b;

	return x->neighbor < y->neighbor ? -1 : x->neighbor > y->neighbor;
}

int kernel_queue_compare(const void *a, const void *b)
{
	const struct kernel_queue *x = a, *y = b;
	int by_device = strcmp(x->device, y->device);

	return THEN(by_device, order(x->minor, y->minor));
}

int kernel_qdisc_compare(const void *a, const void *b)
{
	const struct kernel_qdisc *x = a, *y = b;
	int by_device = strcmp(x->device, y->device);

	return THEN(by_device, order(x->parent, y->parent));
}

int kernel_sysctl_compare(const void *a, const void *b)
{
	const struct kernel_sysctl *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int stack_compare(const void *a, const void *b)
{
	return label_stack_compare(a, b);
}

static void sort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(array, count, size, compare);
}

#define SORT(array, count, compare) sort(array, count, sizeof(*(array)), compare)

void kernel_state_sort(struct kernel_state *state)
{
	for (size_t i = 0; i < state->peer_count; i++)
		SORT(state->peers[i].allowed, state->peers[i].allowed_count, ipv4_prefix_compare);
	for (size_t i = 0; i < state->filter_count; i++)
		SORT(state->filters[i].accept, state->filters[i].accept_count, stack_compare);
	SORT(state->devices, state->device_count, kernel_device_compare);
	SORT(state->peers, state->peer_count, kernel_peer_compare);
	SORT(state->addresses, state->address_count, kernel_address_compare);
	SORT(state->routes, state->route_count, kernel_route_compare);
	SORT(state->strays, state->stray_count, kernel_stray_compare);
	SORT(state->labels, state->label_count, kernel_label_compare);
	SORT(state->rules, state->rule_count, kernel_rule_compare);
	SORT(state->routes6, state->route6_count, kernel_route6_compare);
	SORT(state->rules6, state->rule6_count, kernel_rule6_compare);
	SORT(state->filters, state->filter_count, kernel_filter_compare);
	SORT(state->excesses, state->excess_count, kernel_excess_compare);
	SORT(state->queues, state->queue_count, kernel_queue_compare);
	SORT(state->qdiscs, state->qdisc_count, kernel_qdisc_compare);
	SORT(state->sysctls, state->sysctl_count, kernel_sysctl_compare);
}

static const struct kernel_peer *peer_placed(const struct kernel_state *state,
					     const struct kernel_peer *key)
{
	const struct kernel_peer *found =
	    state->peer_count
		? bsearch(key, state->peers, state->peer_count, sizeof(*key), kernel_peer_compare)
		: NULL;

	return found && found->endpoint.family ? found : NULL;
}

void kernel_state_call_back(struct kernel_state *desired, const struct kernel_state *actual,
			    const struct kernel_state *before)
{
	for (size_t i = 0; before && i < desired->peer_count; i++) {
		struct kernel_peer *p = &desired->peers[i];
		const struct kernel_peer *was;

		if (p->endpoint.family || peer_placed(actual, p))
			continue;
		was = peer_placed(before, p);
		if (was)
			p->endpoint = was->endpoint;
	}
}

struct kernel_device *kernel_state_device(const struct kernel_state *state, const char *name)
{
	struct kernel_device key = {0};

	if (!state->device_count || strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	return bsearch(&key, state->devices, state->device_count, sizeof(key),
		       kernel_device_compare);
}
