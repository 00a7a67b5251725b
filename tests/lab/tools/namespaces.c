/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces for a lab, as `ip netns add` makes them, many in one process: a virtual kernel takes 20 to 40 ms to
 * start one.
 *
 *	namespaces NAME[:router]...
 *
 * In each, lo is up and IPv6 is off; a router forwards IPv4. Exit codes: 0 all are there, 1 not (it says which), 2 a wrong call.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/netns"

static int failed(const char *name, const char *what)
{
	fprintf(stderr, "namespaces: %s: %s: %s\n", name, what, strerror(errno));
	return -1;
}

/* Its mounts are seen by who comes later in a mount namespace of its own, as ip(8) is. */
static int folder_make(void)
{
	if (mkdir(FOLDER, 0755) < 0 && errno != EEXIST)
		return failed(FOLDER, "mkdir");
	if (mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL || mount(FOLDER, FOLDER, "none", MS_BIND | MS_REC, NULL) < 0 ||
	    mount("", FOLDER, "none", MS_SHARED | MS_REC, NULL) < 0)
		return failed(FOLDER, "mount");
	return 0;
}

static int setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, value, strlen(value)) < 0 ? -1 : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static int loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &lo);

	if (fd >= 0)
		close(fd);
	return err;
}

static int make(const char *name, int router)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0)
		return failed(name, "is there already, or cannot be");
	close(fd);
	if (unshare(CLONE_NEWNET) < 0 ||
	    mount("/proc/self/ns/net", path, "none", MS_BIND, NULL) < 0)
		return failed(name, "namespace");
	if (setting("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") < 0 ||
	    setting("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1") < 0)
		return failed(name, "disable_ipv6");
	if (router && setting("/proc/sys/net/ipv4/ip_forward", "1") < 0)
		return failed(name, "ip_forward");
	return loopback_up() < 0 ? failed(name, "lo") : 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: namespaces NAME[:router]...\n");
		return 2;
	}
	if (folder_make() < 0)
		return 1;
	for (int i = 1; i < argc; i++) {
		char *colon = strchr(argv[i], ':');

		if (colon)
			*colon = '\0';
		if (make(argv[i], colon && !strcmp(colon + 1, "router")) < 0)
			return 1;
	}
	return 0;
}
