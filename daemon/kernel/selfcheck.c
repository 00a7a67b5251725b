/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can this kernel carry a node? Asked with real objects, because a feature may be built in, a
 * module, or a module that is loaded at first use: a device "tuyen-check" with a filter, and a
 * route in a table of its own. All are removed again, also those that an interrupted check has
 * left. A device of that name that is not ours stays, and the check takes another name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define CHECK_DEVICE	  "tuyen-check"
#define CHECK_NAMES	  10u
#define CHECK_TABLE	  569999
#define CAP_NET_ADMIN_BIT 12
#define TEST_NET_1	  0xc0000201u /* 192.0.2.1, RFC 5737 */

struct finding {
	const char *device; /* the name to try with */
	bool ok;
	char found[160];
};

static void found_error(struct finding *finding, int error, const char *words)
{
	finding->ok = error == 0;
	snprintf(finding->found, sizeof(finding->found), "%s",
		 error == 0	   ? "works"
		 : words && *words ? words
				   : strerror(error));
}

static void check_capability(struct kernel *kernel, struct finding *finding)
{
	unsigned long long effective = 0;
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	(void)kernel;
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "CapEff:", 7) == 0)
			effective = strtoull(line + 7, NULL, 16);
	if (file)
		fclose(file);
	finding->ok = effective >> CAP_NET_ADMIN_BIT & 1;
	snprintf(finding->found, sizeof(finding->found), "%s", finding->ok ? "held" : "not held");
}

static void check_wireguard(struct kernel *kernel, struct finding *finding)
{
	found_error(finding, wireguard_family(kernel) ? 0 : ENOENT, "no such netlink family");
}

static void check_labels(struct kernel *kernel, struct finding *finding)
{
	uint32_t value;
	int error = sysctl_get("net/mpls/platform_labels", &value);

	(void)kernel;
	found_error(finding, error, NULL);
	if (!error)
		snprintf(finding->found, sizeof(finding->found), "there, %u labels now", value);
}

static void check_push(struct kernel *kernel, struct finding *finding)
{
	struct kernel_route route = {
	    .table = CHECK_TABLE,
	    .destination = {TEST_NET_1, 32},
	    .device = "lo",
	    .push = {.depth = 1, .label = {LABEL_MIN}},
	};
	struct reason words = {.text = ""};
	int error =
	    channel_call(&kernel->route, message_route(kernel, PLAN_CHANGE, &route), &words);

	found_error(finding, error == ENETDOWN ? 0 : error, words.text);
	channel_call(&kernel->route, message_route(kernel, PLAN_REMOVE, &route), NULL);
}

static void check_device(struct kernel *kernel, struct finding *finding)
{
	struct kernel_device device = {
	    .kind = KERNEL_DEVICE_MPLS_IN_IP,
	    .mtu = 1280,
	    .local = TEST_NET_1,
	    .remote = TEST_NET_1 + 1,
	    .ttl = 64,
	};
	struct reason words = {.text = ""};
	int index = *finding->device ? links_refresh(kernel, finding->device) : 0;

	if (!*finding->device) {
		found_error(finding, EEXIST,
			    "devices that are not ours have all names to try with");
		return;
	}
	if (index > 0) /* ours: see device_name() */
		channel_call(&kernel->route, message_device_delete(index), NULL);
	snprintf(device.name, sizeof(device.name), "%s", finding->device);
	found_error(finding, channel_call(&kernel->route, message_device_new(&device), &words),
		    words.text);
	links_refresh(kernel, finding->device);
}

static void check_input(struct kernel *kernel, struct finding *finding)
{
	char path[64];
	uint32_t value;
	int error;

	(void)kernel;
	snprintf(path, sizeof(path), "net/mpls/conf/%s/input", finding->device);
	error = sysctl_get(path, &value);
	if (!error)
		error = sysctl_set(path, 0);
	found_error(finding, error, NULL);
}

static void check_clsact(struct kernel *kernel, struct finding *finding)
{
	struct reason words = {.text = ""};
	int index = links_index(kernel, finding->device);
	int error = index ? channel_call(&kernel->route, message_clsact(index), &words) : ENODEV;

	found_error(finding, error, words.text);
}

static void check_queues(struct kernel *kernel, struct finding *finding)
{
	struct kernel_queue queues[] = {
	    {.minor = 0},
	    {.minor = 1, .rate = 1000, .ceil = 1000, .burst_bytes = 100},
	    {.minor = 2,
	     .parent = 1,
	     .rate = 1000,
	     .ceil = 1000,
	     .burst_bytes = 100,
	     .leaf = true,
	     .target_us = 5000,
	     .led = true,
	     .mark = TUYEN_MARK_QUEUE},
	};
	struct reason words = {.text = ""};
	int error = 0;

	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct nl_msg *messages[QUEUE_MESSAGES];
		size_t count;

		snprintf(queues[i].device, sizeof(queues[i].device), "%s", finding->device);
		count = message_queue(kernel, PLAN_ADD, &queues[i], NULL, messages);

		for (size_t k = 0; k < count; k++) {
			if (messages[k] && !error)
				error = channel_call(&kernel->route, messages[k], &words);
			else if (messages[k])
				nlmsg_free(messages[k]);
			else if (!error)
				error = errno ? errno : ENOMEM;
		}
	}
	found_error(finding, error, words.text);
}

static void check_flower(struct kernel *kernel, struct finding *finding)
{
	const struct label_stack stack = {.depth = 2, .label = {LABEL_MIN, LABEL_MIN + 1}};
	struct reason words = {.text = ""};
	int index = links_index(kernel, finding->device);
	int error = index
			? channel_call(&kernel->route, message_filter_accept(index, &stack), &words)
			: ENODEV;

	if (!error)
		error = channel_call(&kernel->route, message_filter_drop(index), &words);
	found_error(finding, error, words.text);
	if (index)
		channel_call(&kernel->route, message_device_delete(index), NULL);
	links_refresh(kernel, finding->device);
}

static void check_nft(struct kernel *kernel, struct finding *finding)
{
	struct reason words = {.text = ""};
	char *text = NULL;

	found_error(finding, nft_read(kernel, &text, &words) < 0 ? EPROTO : 0, words.text);
	free(text);
}

static void check_sysctl(struct kernel *kernel, struct finding *finding)
{
	(void)kernel;
	found_error(finding, sysctl_writable("net/ipv4/ip_forward"), NULL);
}

static const struct {
	const char *name;
	void (*check)(struct kernel *kernel, struct finding *finding);
	bool fatal;
	const char *remedy;
} checks[] = {
    {"capability CAP_NET_ADMIN", check_capability, true,
     "start it by systemctl start tuyend, or as root"},
    {"WireGuard", check_wireguard, true,
     "modprobe wireguard; a kernel without it: apt install linux-image-amd64"},
    {"label routing (mpls_router)", check_labels, true,
     "modprobe mpls_router; a cloud kernel lacks it: apt install linux-image-amd64"},
    {"label push (mpls_iptunnel)", check_push, true,
     "modprobe mpls_iptunnel; a cloud kernel lacks it: apt install linux-image-amd64"},
    {"MPLS in IP (ipip)", check_device, true,
     "modprobe ipip; a kernel without it: apt install linux-image-amd64"},
    {"net.mpls.conf.<device>.input", check_input, true,
     "modprobe mpls_router before the devices; /proc/sys must be writable"},
    {"filters (sch_ingress)", check_clsact, true, "modprobe sch_ingress"},
    {"queues (sch_htb, sch_fq_codel, cls_fw)", check_queues, false,
     "modprobe -a sch_htb sch_fq_codel cls_fw; without it lines with a rate are not queued for"},
    {"label filters (cls_flower, cls_matchall, act_gact)", check_flower, true,
     "modprobe -a cls_flower cls_matchall act_gact; Linux 5.8 or newer"},
    {"nf_tables", check_nft, true, "modprobe nf_tables"},
    {"/proc/sys/net writable", check_sysctl, true,
     "in a container: give it a writable /proc/sys/net; in systemd: ProtectKernelTunables=no"},
};

/* A name that nobody has, or that a check of ours has left; "" if there is none. */
static void device_name(struct kernel *kernel, char ret_name[static KERNEL_IFNAME_MAX])
{
	snprintf(ret_name, KERNEL_IFNAME_MAX, "%s", CHECK_DEVICE);
	for (unsigned int i = 1; i < CHECK_NAMES; i++) {
		if (!links_refresh(kernel, ret_name) || device_is_ours(kernel, ret_name))
			return;
		snprintf(ret_name, KERNEL_IFNAME_MAX, "%s%u", CHECK_DEVICE, i);
	}
	*ret_name = '\0';
}

size_t kernel_selfcheck(struct kernel *kernel, struct kernel_check *ret_checks, size_t size)
{
	char device[KERNEL_IFNAME_MAX];
	size_t count = 0;

	links_read(kernel);
	device_name(kernel, device);
	for (; count < sizeof(checks) / sizeof(checks[0]) && count < size; count++) {
		struct kernel_check *check = &ret_checks[count];
		struct finding finding = {.device = device};

		checks[count].check(kernel, &finding);
		check->ok = finding.ok;
		check->fatal = checks[count].fatal;
		snprintf(check->name, sizeof(check->name), "%s", checks[count].name);
		snprintf(check->found, sizeof(check->found), "%s", finding.found);
		snprintf(check->remedy, sizeof(check->remedy), "%s",
			 finding.ok ? "" : checks[count].remedy);
	}
	events_forget_own(kernel);
	return count;
}
