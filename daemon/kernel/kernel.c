/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, names of devices, and one whole reading. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tuyen/core/desired.h"
#include "tuyen/core/nft_counts.h"

int kernel_open(struct kernel **ret_kernel, struct reason *reason)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int err;

	if (!kernel)
		return reason_set(reason, -TUYEN_ENOMEM, "no memory");
	kernel->event_epoll = kernel->event_wake = -1;
	err = channel_open(&kernel->route, NETLINK_ROUTE, reason);
	if (err == 0)
		err = channel_open(&kernel->generic, NETLINK_GENERIC, reason);
	if (err == 0)
		err = channel_open(&kernel->urgent, NETLINK_ROUTE, reason);
	if (err == 0)
		err = events_open(kernel, reason);
	if (err < 0) {
		kernel_close(kernel);
		return err;
	}
	*ret_kernel = kernel;
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	events_close(kernel);
	channel_close(&kernel->route);
	channel_close(&kernel->generic);
	channel_close(&kernel->urgent);
	free(kernel->links);
	free(kernel);
}

static int link_put(struct kernel *kernel, int index, const char *name)
{
	struct link_name *grown;

	for (size_t i = 0; i < kernel->link_count; i++) {
		if (kernel->links[i].index != index)
			continue;
		snprintf(kernel->links[i].name, KERNEL_IFNAME_MAX, "%s", name);
		return 0;
	}
	grown = realloc(kernel->links, (kernel->link_count + 1) * sizeof(*grown));
	if (!grown)
		return -TUYEN_ENOMEM;
	kernel->links = grown;
	kernel->links_sorted = false;
	grown[kernel->link_count].index = index;
	snprintf(grown[kernel->link_count++].name, KERNEL_IFNAME_MAX, "%s", name);
	return 0;
}

static int link_take(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *header = nlmsg_data(message);
	struct nlattr *a[IFLA_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), a, IFLA_MAX, NULL) <
		0 ||
	    !a[IFLA_IFNAME])
		return 0;
	return link_put(context, header->ifi_index, nla_get_string(a[IFLA_IFNAME]));
}

static struct nl_msg *link_request(void)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETLINK, 0);

	if (m && nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int link_compare(const void *a, const void *b)
{
	return strcmp(((const struct link_name *)a)->name, ((const struct link_name *)b)->name);
}

static void links_sort(struct kernel *kernel)
{
	if (kernel->link_count)
		qsort(kernel->links, kernel->link_count, sizeof(*kernel->links), link_compare);
	kernel->links_sorted = true;
}

int links_read(struct kernel *kernel)
{
	struct nl_msg *m = link_request();
	int err;

	if (!m)
		return -TUYEN_ENOMEM;
	kernel->link_count = 0;
	err = channel_dump(&kernel->route, m, link_take, kernel);
	links_sort(kernel);
	return err;
}

static const struct link_name *link_search(const struct kernel *kernel, const char *name)
{
	struct link_name key = {0};

	if (!kernel->link_count)
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);
	return bsearch(&key, kernel->links, kernel->link_count, sizeof(key), link_compare);
}

int links_index(const struct kernel *kernel, const char *name)
{
	if (kernel->links_sorted) {
		const struct link_name *found = link_search(kernel, name);

		return found ? found->index : 0;
	}
	for (size_t i = 0; i < kernel->link_count; i++)
		if (strcmp(kernel->links[i].name, name) == 0)
			return kernel->links[i].index;
	return 0;
}

const char *links_name(const struct kernel *kernel, int index)
{
	for (size_t i = 0; i < kernel->link_count; i++)
		if (kernel->links[i].index == index)
			return kernel->links[i].name;
	return "";
}

static void link_forget(struct kernel *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->link_count; i++)
		if (strcmp(kernel->links[i].name, name) == 0) {
			kernel->links[i--] = kernel->links[--kernel->link_count];
			kernel->links_sorted = false;
		}
}

int links_refresh(struct kernel *kernel, const char *name)
{
	struct nl_msg *m = link_request();
	int error;

	link_forget(kernel, name);
	if (!m)
		return -TUYEN_ENOMEM;
	if (nla_put_string(m, IFLA_IFNAME, name)) {
		nlmsg_free(m);
		return -TUYEN_ENOMEM;
	}
	error = channel_ask(&kernel->route, m, link_take, kernel);
	links_sort(kernel);
	if (error && error != ENODEV) {
		errno = error;
		return -TUYEN_ESYSTEM;
	}
	return error ? 0 : links_index(kernel, name);
}

/* Once for what an earlier life left, then only where there is something, or is to be. */
static int read_ipv6(struct kernel *kernel, const struct kernel_state *desired,
		     struct kernel_state *state)
{
	int err;

	if (kernel->ipv6_none && !desired->route6_count && !desired->rule6_count)
		return 0;
	err = read_routes6(kernel, desired, state);
	if (!err)
		err = read_rules6(kernel, desired, state);
	kernel->ipv6_none = !err && !state->route6_count && !state->rule6_count;
	return err;
}

void kernel_set_between(struct kernel *kernel, kernel_between_fn between, void *context)
{
	kernel->between = between;
	kernel->between_context = context;
}

int kernel_heed(const struct kernel *kernel)
{
	return kernel->between && kernel->between(kernel->between_context) ? -TUYEN_ECANCELED : 0;
}

/* All of what has names of devices, which are known by now. The nft table last: libnftables heeds nobody meanwhile, and what is
 * begun anew would wait for it each time. */
static int read_named(struct kernel *kernel, const struct kernel_state *desired,
		      struct kernel_state *state, struct reason *reason)
{
	int err = read_wireguard(kernel, state, reason);

	if (err == 0)
		err = kernel_heed(kernel);
	if (err == 0)
		err = read_addresses(kernel, desired, state);
	if (err == 0)
		err = read_routes(kernel, desired, state);
	if (err == 0)
		err = read_strays(kernel, desired, state);
	if (err == 0)
		err = read_labels(kernel, desired, state);
	if (err == 0)
		err = read_rules(kernel, desired, state);
	if (err == 0)
		err = read_ipv6(kernel, desired, state);
	if (err == 0)
		err = read_filters(kernel, state);
	if (err == 0)
		err = read_queues(kernel, state);
	if (err == 0)
		err = read_qdiscs(kernel, state);
	if (err == 0)
		err = read_sysctls(desired, state);
	if (err == 0)
		err = kernel_heed(kernel);
	if (err == 0)
		err = nft_read(kernel, &state->nft, reason);
	if (err == 0)
		err = nft_counts_take(state);
	return err;
}

static int read_once(struct kernel *kernel, const struct kernel_state *desired,
		     struct kernel_state *state, struct reason *reason)
{
	int err = links_read(kernel);

	if (err == 0)
		err = read_devices(kernel, desired, state);
	if (err)
		return err;
	kernel->route.between = kernel->between;
	kernel->route.between_context = kernel->between_context;
	err = read_named(kernel, desired, state, reason);
	kernel->route.between = NULL;
	return err;
}

static int devices_copy(const struct kernel_state *known, struct kernel_state *state)
{
	for (size_t i = 0; i < known->device_count; i++) {
		struct kernel_device *device = kernel_state_add_device(state);

		if (!device)
			return -TUYEN_ENOMEM;
		*device = known->devices[i];
	}
	return 0;
}

int kernel_read_silent(struct kernel *kernel, const struct kernel_state *known,
		       struct kernel_state **ret_state, struct reason *reason)
{
	struct kernel_state *state = kernel_state_new();
	int err = state ? devices_copy(known, state) : -TUYEN_ENOMEM;

	if (err == 0)
		err = read_wireguard(kernel, state, reason);
	if (err == 0)
		err = read_sysctls(known, state);
	if (err < 0) {
		kernel_state_free(state);
		return err;
	}
	kernel_state_sort(state);
	*ret_state = state;
	return 0;
}

static bool parallel_is_ours(const struct kernel_state *desired, const struct kernel_state *actual)
{
	const struct kernel_device *have = kernel_state_device(actual, PARALLEL_DEVICE);

	return kernel_state_device(desired, PARALLEL_DEVICE) && !(have && have->foreign);
}

int kernel_read(struct kernel *kernel, const struct kernel_state *desired,
		struct kernel_state **ret_actual, struct reason *reason)
{
	int err = -TUYEN_EAGAIN;

	for (int i = 0; err == -TUYEN_EAGAIN && i < DUMP_TRIES; i++) {
		struct kernel_state *state = kernel_state_new();

		if (!state)
			return reason_set(reason, -TUYEN_ENOMEM, "no memory");
		reason_set(reason, 0, "%s", "");
		err = read_once(kernel, desired, state, reason);
		if (err == 0) {
			kernel_state_sort(state);
			kernel->strays = state->stray_count != 0;
			kernel->parallel = parallel_is_ours(desired, state);
			*ret_actual = state;
			return 0;
		}
		kernel_state_free(state);
	}
	if (reason && !*reason->text)
		reason_set(reason, err, "cannot read the kernel: %s",
			   err == -TUYEN_ESYSTEM ? strerror(errno) : tuyen_strerror(err));
	return err;
}
