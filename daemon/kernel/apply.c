/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies a plan, top to bottom. Peers, addresses, routes, labels and rules are collected while the
 * kind stays the same and sent in batches; devices, filters, sysctls and the nft table one by one.
 *
 * What a failed operation stops: without the nft table nothing is applied at all; a device that
 * could not be made or filtered is not opened to labels, and is closed if it was open without a
 * filter. All else goes on, and the next plan has what is missing. An object that is to be removed
 * and is gone already is no failure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tuyen/core/desired.h"

#define REFUSED_MAX 64
#define DEAF_MIN    8192	   /* operations */
#define HEED_OF	    BATCH_MESSAGES /* operations */

struct applying {
	struct kernel *kernel;
	struct kernel_plan *plan;
	struct kernel_report *report;
	struct batch route, generic;
	bool *failed; /* by operation */
	char refused[REFUSED_MAX][KERNEL_IFNAME_MAX];
	size_t refused_count;
	bool heeding, cancelled;
};

static bool gone_already(int error)
{
	return error == ENOENT || error == ESRCH || error == ENODEV || error == EADDRNOTAVAIL;
}

static bool throws(const struct plan_operation *op)
{
	const struct kernel_route *route = op->want;

	return op->object == PLAN_ROUTE && route->type == KERNEL_ROUTE_THROW;
}

/* A rule has nothing but its key, nor has a route that throws: one that is there already is the one that is wanted. */
static bool error_harmless(const struct plan_operation *op, int error)
{
	switch (op->verb) {
	case PLAN_REMOVE:
		return gone_already(error);
	case PLAN_ADD:
		return (op->object == PLAN_RULE || op->object == PLAN_RULE6 || throws(op)) &&
		       error == EEXIST;
	case PLAN_CHANGE:
		return throws(op) && error == EEXIST;
	}
	return false;
}

static void failure_words(const struct plan_operation *op, const char *words, struct reason *reason)
{
	struct plan_operation copy = *op;
	struct kernel_plan one = {.operations = &copy, .count = 1};
	struct text text;

	text_init(&text);
	kernel_plan_print(&one, &text);
	reason_set(reason, 0, "%.*s: %s", (int)strcspn(text_string(&text), "\n"),
		   text_string(&text), words);
	text_clear(&text);
}

/* Somebody else's stands there, which no reading of ours shows. */
static void stranger_note(struct kernel *kernel, enum plan_object object)
{
	kernel->strays |= object == PLAN_ROUTE;
	kernel->wide |= object == PLAN_LABEL || object == PLAN_ROUTE6;
}

static void operation_failed(size_t tag, int error, const char *words, void *context)
{
	struct applying *a = context;
	const struct plan_operation *op = &a->plan->operations[tag];

	if (a->failed[tag] || error_harmless(op, error))
		return;
	if (error == EEXIST)
		stranger_note(a->kernel, op->object);
	a->failed[tag] = true;
	if (!a->report->failed++)
		failure_words(op, words, &a->report->first_failure);
}

static void fail(struct applying *a, size_t tag, int error, const char *words)
{
	operation_failed(tag, error, words && *words ? words : strerror(error), a);
}

static void device_refuse(struct applying *a, const char *device)
{
	if (a->refused_count < REFUSED_MAX)
		snprintf(a->refused[a->refused_count++], KERNEL_IFNAME_MAX, "%s", device);
}

/* @return true if @sysctl would open a device that has no filter. Too many to remember: all of
 * them. */
static bool sysctl_refused(const struct applying *a, const struct kernel_sysctl *sysctl)
{
	char path[sizeof(sysctl->path)];

	for (size_t i = 0; i < a->refused_count; i++) {
		snprintf(path, sizeof(path), "net/mpls/conf/%s/input", a->refused[i]);
		if (strcmp(path, sysctl->path) == 0)
			return true;
	}
	return a->refused_count == REFUSED_MAX &&
	       strncmp(sysctl->path, "net/mpls/conf/lsp", 17) == 0;
}

static void flush(struct applying *a)
{
	batch_flush(&a->route, operation_failed, a);
	batch_flush(&a->generic, operation_failed, a);
}

static void collect(struct applying *a, struct batch *batch, struct nl_msg *message, size_t tag)
{
	if (!message) {
		fail(a, tag, errno ? errno : ENOMEM, NULL);
		return;
	}
	if (batch_add(batch, message, tag))
		return;
	flush(a);
	batch_add(batch, message, tag);
}

static int call(struct applying *a, struct channel *channel, struct nl_msg *message, size_t tag)
{
	struct reason words = {.text = ""};
	int error = channel_call(channel, message, &words);

	if (error)
		fail(a, tag, error, words.text);
	return error;
}

static int device_configure(struct applying *a, const struct kernel_device *want,
			    const struct kernel_device *have, size_t tag)
{
	int error = 0;

	if (want->kind == KERNEL_DEVICE_WIREGUARD)
		error = call(a, &a->kernel->generic,
			     message_wireguard_device(a->kernel, want, have), tag);
	if (!error)
		error = call(a, &a->kernel->route,
			     message_device_set(want, links_index(a->kernel, want->name)), tag);
	return error;
}

/* @index is what links_refresh() said. */
static int refresh_error(int index)
{
	if (index > 0)
		return 0;
	return index == -TUYEN_ENOMEM ? ENOMEM : index < 0 ? errno : ENODEV;
}

static void device_add(struct applying *a, const struct kernel_device *want, size_t tag)
{
	int error = call(a, &a->kernel->route, message_device_new(want), tag);

	if (!error) {
		error = refresh_error(links_refresh(a->kernel, want->name));
		if (error)
			fail(a, tag, error, NULL);
	}
	if (!error)
		error = device_configure(a, want, NULL, tag);
	if (error)
		device_refuse(a, want->name);
}

static void device_remove(struct applying *a, const struct kernel_device *have, size_t tag)
{
	int index = links_refresh(a->kernel, have->name);

	if (index > 0)
		call(a, &a->kernel->route, message_device_delete(index), tag);
	else if (index < 0)
		fail(a, tag, refresh_error(index), NULL);
	links_refresh(a->kernel, have->name);
}

static void apply_device(struct applying *a, const struct plan_operation *op, size_t tag)
{
	switch (op->verb) {
	case PLAN_ADD:
		device_add(a, op->want, tag);
		break;
	case PLAN_CHANGE:
		device_configure(a, op->want, op->have, tag);
		break;
	case PLAN_REMOVE:
		device_remove(a, op->have, tag);
		break;
	}
}

static void apply_peer(struct applying *a, const struct plan_operation *op, size_t tag)
{
	const struct kernel_peer *want = op->want;

	if (op->verb == PLAN_REMOVE) {
		collect(a, &a->generic, message_peer_remove(a->kernel, op->have), tag);
		return;
	}
	collect(a, &a->generic, message_peer(a->kernel, want, op->have, 0), tag);
	for (size_t i = PEER_PREFIXES_MAX; i < want->allowed_count; i += PEER_PREFIXES_MAX)
		collect(a, &a->generic, message_peer(a->kernel, want, op->have, i), tag);
}

static bool stack_listed(const struct label_stack *stack, const struct label_stack *list,
			 size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (label_stack_equal(stack, &list[i]))
			return true;
	return false;
}

/* Where ours is to be somebody may have put an "ingress", which would keep it out for good. */
static int clsact_set(struct applying *a, int index, size_t tag)
{
	struct channel *channel = &a->kernel->route;

	if (channel_call(channel, message_clsact(index), NULL) == 0)
		return 0;
	channel_call(channel, message_clsact_remove(index), NULL);
	return call(a, channel, message_clsact(index), tag);
}

static int filter_new(struct applying *a, int index, size_t tag)
{
	struct channel *channel = &a->kernel->route;
	int error = clsact_set(a, index, tag);

	if (!error)
		channel_call(channel, message_filters_flush(index), NULL);
	if (!error)
		error = call(a, channel, message_filter_drop(index), tag);
	return error;
}

/* What is no longer to be accepted goes, whatever became of the rest: policy has closed it. */
static void filter_close(struct applying *a, const struct kernel_label_filter *want, int index,
			 const struct filter_dump *dump, size_t tag)
{
	for (size_t i = 0; i < dump->count; i++)
		if (!stack_listed(&dump->entry[i].stack, want->accept, want->accept_count))
			collect(a, &a->route, message_filter_delete(index, dump->entry[i].handle),
				tag);
	flush(a);
}

static void filter_accept(struct applying *a, const struct kernel_label_filter *want, int index,
			  const struct filter_dump *dump, size_t tag)
{
	struct label_stack *there = calloc(dump->count + 1, sizeof(*there));

	if (!there) {
		fail(a, tag, ENOMEM, NULL);
		return;
	}
	for (size_t i = 0; i < dump->count; i++)
		there[i] = dump->entry[i].stack;
	for (size_t i = 0; i < want->accept_count; i++)
		if (!stack_listed(&want->accept[i], there, dump->count))
			collect(a, &a->route, message_filter_accept(index, &want->accept[i]), tag);
	flush(a);
	free(there);
}

/* Accepts what is wanted and missing, then no longer what is there and not wanted. A gateway's
 * adjacency has thousands. @return what went wrong; the words are said already. */
static int filter_adjust(struct applying *a, const struct kernel_label_filter *want, int index,
			 size_t tag)
{
	struct filter_dump dump;

	if (filter_read(a->kernel, index, &dump) < 0)
		return EAGAIN;
	filter_accept(a, want, index, &dump, tag);
	filter_close(a, want, index, &dump, tag);
	free(dump.entry);
	return a->failed[tag] ? EPROTO : 0;
}

/* It was open, its filter was gone, and a new one cannot be had: no labels from there until one
 * can. */
static void device_close(const char *device)
{
	char path[sizeof(((struct kernel_sysctl *)0)->path)];

	snprintf(path, sizeof(path), "net/mpls/conf/%s/input", device);
	sysctl_set(path, 0);
}

static void apply_filter(struct applying *a, const struct plan_operation *op, size_t tag)
{
	const struct kernel_label_filter *filter = op->want ? op->want : op->have;
	int index = links_index(a->kernel, filter->device), error = index ? 0 : ENODEV;

	if (op->verb == PLAN_REMOVE) {
		if (index)
			call(a, &a->kernel->route, message_filters_flush(index), tag);
		return;
	}
	if (!error && op->verb == PLAN_ADD) {
		error = filter_new(a, index, tag);
		if (error)
			device_close(filter->device);
	}
	if (!error)
		error = filter_adjust(a, filter, index, tag);
	if (!error)
		return;
	fail(a, tag, error, NULL);
	device_refuse(a, filter->device);
}

static void apply_sysctl(struct applying *a, const struct kernel_sysctl *want, size_t tag)
{
	int error = sysctl_refused(a, want) ? EPERM : sysctl_set(want->path, want->value);

	if (error)
		fail(a, tag, error,
		     error == EPERM ? "not done: the device has no filter, or no right" : NULL);
}

/* @return false when nothing may follow. */
static bool apply_nft(struct applying *a, const struct plan_operation *op, size_t tag)
{
	struct reason reason = {.text = ""};

	if (nft_apply(a->kernel, op->want, op->have, &reason) == 0)
		return true;
	fail(a, tag, EPROTO, reason.text);
	return op->verb == PLAN_REMOVE;
}

static void apply_queue(struct applying *a, const struct plan_operation *op, size_t tag)
{
	struct nl_msg *messages[QUEUE_MESSAGES];
	size_t count = message_queue(a->kernel, op->verb, op->want, op->have, messages);

	for (size_t i = 0; i < count; i++)
		collect(a, &a->route, messages[i], tag);
}

static bool collected(enum plan_object object)
{
	switch (object) {
	case PLAN_PEER:
	case PLAN_ADDRESS:
	case PLAN_LABEL:
	case PLAN_ROUTE:
	case PLAN_RULE:
	case PLAN_ROUTE6:
	case PLAN_RULE6:
	case PLAN_QUEUE:
	case PLAN_STRAY:
	case PLAN_QDISC:
		return true;
	case PLAN_SYSCTL:
	case PLAN_NFT:
	case PLAN_DEVICE:
	case PLAN_FILTER:
		return false;
	}
	return false;
}

static bool apply_one(struct applying *a, size_t tag)
{
	const struct plan_operation *op = &a->plan->operations[tag];
	const void *subject = op->verb == PLAN_REMOVE ? op->have : op->want;
	const struct kernel *kernel = a->kernel;

	switch (op->object) {
	case PLAN_NFT:
		return apply_nft(a, op, tag);
	case PLAN_DEVICE:
		apply_device(a, op, tag);
		return true;
	case PLAN_FILTER:
		apply_filter(a, op, tag);
		return true;
	case PLAN_SYSCTL:
		apply_sysctl(a, subject, tag);
		return true;
	case PLAN_PEER:
		apply_peer(a, op, tag);
		return true;
	case PLAN_ADDRESS:
		collect(a, &a->route, message_address(kernel, op->verb, subject), tag);
		return true;
	case PLAN_LABEL:
		collect(a, &a->route, message_label(kernel, op->verb, subject), tag);
		return true;
	case PLAN_ROUTE:
		collect(a, &a->route, message_route(kernel, op->verb, subject), tag);
		return true;
	case PLAN_QUEUE:
		apply_queue(a, op, tag);
		return true;
	case PLAN_STRAY:
		collect(a, &a->route, message_stray_remove(subject), tag);
		return true;
	case PLAN_QDISC:
		collect(a, &a->route, message_qdisc_remove(kernel, subject), tag);
		return true;
	case PLAN_RULE:
		collect(a, &a->route, message_rule(op->verb, subject), tag);
		return true;
	case PLAN_ROUTE6:
		collect(a, &a->route, message_route6(kernel, op->verb, subject), tag);
		return true;
	case PLAN_RULE6:
		collect(a, &a->route, message_rule6(op->verb, subject), tag);
		return true;
	}
	return true;
}

static bool is_link(const char *device)
{
	return desired_is_link_device(device) || strncmp(device, "lsp", 3) == 0;
}

/* A plan that makes links has reasons that come before any repair. */
static bool makes_links(const struct kernel_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_operation *op = &plan->operations[i];

		if (op->object == PLAN_DEVICE && op->want &&
		    is_link(((const struct kernel_device *)op->want)->name))
			return true;
	}
	return false;
}

/* May the rest wait for the next plan? What leads on may, and what is the larger part at a gateway; not half of a move of links' peers. */
static bool may_wait(const struct plan_operation *op)
{
	const struct kernel_peer *peer = op->want;

	switch (op->object) {
	case PLAN_SYSCTL:
	case PLAN_LABEL:
	case PLAN_ROUTE:
	case PLAN_RULE:
		return true;
	case PLAN_PEER:
		return op->verb == PLAN_ADD && !is_link(peer->device);
	default:
		return false;
	}
}

/* What the one who is called does must not be undone by what was collected before. @return false when nothing may follow. */
static bool flush_and_heed(struct applying *a, const struct plan_operation *next)
{
	flush(a);
	a->cancelled = a->heeding && may_wait(next) && kernel_heed(a->kernel) < 0;
	return !a->cancelled;
}

static size_t apply_all(struct applying *a)
{
	const struct kernel_plan *plan = a->plan;
	size_t i;

	for (i = 0; i < plan->count; i++) {
		const struct plan_operation *op = &plan->operations[i];
		bool same = i && op->object == op[-1].object && op->verb == op[-1].verb;
		bool due = a->heeding && i % HEED_OF == 0;

		if ((!same || !collected(op->object) || due) && !flush_and_heed(a, op))
			return i;
		if (!apply_one(a, i))
			return i + 1;
	}
	flush(a);
	return i;
}

/* @return false where it could not be told. */
static bool device_forget(struct applying *a, const char *device, uint32_t mark)
{
	struct reason words = {.text = ""};
	int error = channel_call(&a->kernel->generic,
				 message_wireguard_mark(a->kernel, device, mark), &words);

	if (!error || error == ENODEV) /* without it there are none */
		return true;
	if (!a->report->failed++)
		reason_set(&a->report->first_failure, 0, "wg set %s fwmark 0x%x: %s", device, mark,
			   words.text[0] ? words.text : strerror(error));
	return false;
}

/*
 * Where a way of IPv6 leads now, WireGuard's packets may not leave with an address of the line by which it led before: it
 * forgets its own addresses when it is told its mark, though that is the same. What could not be told is a failure, and is told with
 * the next plan.
 */
static void sources_forget(struct applying *a)
{
	bool changed = false;

	for (size_t i = 0; i < a->plan->count; i++) {
		const struct plan_operation *op = &a->plan->operations[i];

		changed |= op->verb != PLAN_REMOVE &&
			   (op->object == PLAN_ROUTE6 || op->object == PLAN_RULE6);
	}
	a->kernel->sources_stale |= changed;
	if (!a->kernel->sources_stale)
		return;
	a->kernel->sources_stale = !device_forget(a, LINK_DEVICE, TUYEN_MARK_LINK);
	if (a->kernel->parallel) /* elsewhere it may be somebody else's */
		a->kernel->sources_stale |= !device_forget(a, PARALLEL_DEVICE, TUYEN_MARK_PARALLEL);
}

/* @reached  that many were tried. @return how many are done. */
static size_t mark_done(struct applying *a, size_t reached)
{
	size_t done = 0;

	for (size_t i = 0; i < a->plan->count; i++) {
		a->plan->operations[i].done = i < reached && !a->failed[i];
		done += a->plan->operations[i].done;
	}
	return done;
}

static uint64_t messages_sent(const struct kernel *kernel)
{
	return kernel->route.sent + kernel->generic.sent + kernel->urgent.sent;
}

/* @route  by which batches go */
static int apply_plan(struct kernel *kernel, struct channel *route, struct kernel_plan *plan,
		      struct kernel_report *ret_report)
{
	struct kernel_report report = {0};
	struct applying *a = calloc(1, sizeof(*a));
	uint64_t before = messages_sent(kernel);

	if (!a)
		return -TUYEN_ENOMEM;
	a->kernel = kernel;
	a->plan = plan;
	a->report = &report;
	a->route.channel = route;
	/* not within what is done there */
	a->heeding = kernel->between && route == &kernel->route && !makes_links(plan);
	a->generic.channel = &kernel->generic;
	a->failed = calloc(plan->count + 1, sizeof(*a->failed));
	if (!a->failed) {
		free(a);
		return -TUYEN_ENOMEM;
	}
	if (plan->count >= DEAF_MIN)
		events_deafen(kernel);
	report.applied = mark_done(a, apply_all(a));
	sources_forget(a);
	report.netlink_messages = messages_sent(kernel) - before;
	events_forget_own(kernel);
	report.cancelled = a->cancelled;
	free(a->failed);
	free(a);
	*ret_report = report;
	return report.failed ? -TUYEN_ESYSTEM : report.cancelled ? -TUYEN_ECANCELED : 0;
}

int kernel_apply(struct kernel *kernel, struct kernel_plan *plan, struct kernel_report *ret_report)
{
	bool wide = kernel->wide;
	int err;

	if (links_read(kernel) == -TUYEN_ENOMEM)
		return -TUYEN_ENOMEM;
	kernel->wide = false; /* what that reading found is in the plan */
	err = apply_plan(kernel, &kernel->route, plan, ret_report);
	kernel->wide |= wide && ret_report->cancelled;
	return err;
}

int kernel_apply_routes(struct kernel *kernel, struct kernel_plan *plan,
			struct kernel_report *ret_report)
{
	return apply_plan(kernel, &kernel->urgent, plan, ret_report);
}
