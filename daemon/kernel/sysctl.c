/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/sys. A kernel that was booted without IPv6 has no net/ipv6 at all: what is asked for there
 * counts as given and as done, for there is nothing to turn off.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static int sysctl_open(const char *path, int flags)
{
	char full[128];

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	return open(full, flags | O_CLOEXEC);
}

int sysctl_get(const char *path, uint32_t *ret_value)
{
	char text[32], *end;
	int fd = sysctl_open(path, O_RDONLY);
	unsigned long value;
	ssize_t got;

	if (fd < 0)
		return errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return EIO;
	text[got] = '\0';
	errno = 0;
	value = strtoul(text, &end, 10);
	if (end == text || errno || value > UINT32_MAX)
		return EINVAL;
	*ret_value = (uint32_t)value;
	return 0;
}

/* Neither a kernel without IPv6 has what turns it off, nor a device whose MTU is below what RFC 8200
 * asks for (1,280): the kernel takes IPv6 from it. */
static bool sysctl_without_ipv6(const char *path)
{
	static const char folder[] = "net/ipv6/conf/";
	const char *device = path + sizeof(folder) - 1, *end;
	char ipv4[96];

	if (strncmp(path, "net/ipv6/", 9) != 0)
		return false;
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		return true;
	end = strncmp(path, folder, sizeof(folder) - 1) == 0 ? strchr(device, '/') : NULL;
	if (!end)
		return false;
	snprintf(ipv4, sizeof(ipv4), "/proc/sys/net/ipv4/conf/%.*s", (int)(end - device), device);
	return access(ipv4, F_OK) == 0;
}

int sysctl_set(const char *path, uint32_t value)
{
	char text[16];
	int fd = sysctl_open(path, O_WRONLY), length, error = 0;

	if (fd < 0) {
		error = errno;
		return error == ENOENT && sysctl_without_ipv6(path) ? 0 : error;
	}
	length = snprintf(text, sizeof(text), "%u\n", value);
	if (write(fd, text, (size_t)length) != length)
		error = errno;
	close(fd);
	return error;
}

/* Opened, for access() asks as the real user and without his capabilities, which a net sysctl goes
 * by. */
int sysctl_writable(const char *path)
{
	int fd = sysctl_open(path, O_WRONLY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int read_sysctls(const struct kernel_state *desired, struct kernel_state *state)
{
	for (size_t i = 0; i < desired->sysctl_count; i++) {
		const struct kernel_sysctl *want = &desired->sysctls[i];
		struct kernel_sysctl *entry;
		uint32_t value = want->value;

		if (sysctl_get(want->path, &value) != 0 && !sysctl_without_ipv6(want->path))
			continue;
		entry = kernel_state_add_sysctl(state);
		if (!entry)
			return -TUYEN_ENOMEM;
		*entry = *want;
		entry->value = value;
	}
	return 0;
}
