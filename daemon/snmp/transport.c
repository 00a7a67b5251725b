/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A net-snmp transport for the AgentX socket whose every call returns at once. A connection that
 * ends before it was of use (the master is stopped: it connects, but never answers the Open) is
 * followed by a pause that grows to BACKOFF_MAX_S, because each attempt costs the library's
 * synchronous wait of a second. The library calls without a context, hence the one static.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tuyen/snmp/agent.h"

#define BACKOFF_MAX_S 4

static const oid transport_domain[] = {SNMP_OID_ENTERPRISES, TUYEN_PEN, 1, 99, 1};

static struct {
	time_t retry;
	time_t pause;
	bool useful; /* a byte was received */
} state;

static time_t clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

static int transport_recv(netsnmp_transport *t, void *bytes, int size, void **opaque,
			  int *opaque_length)
{
	ssize_t n;

	*opaque = NULL;
	*opaque_length = 0;
	n = recv(t->sock, bytes, (size_t)size, MSG_DONTWAIT);
	if (n > 0)
		state.useful = true;
	return (int)n;
}

/* Half a message would leave the stream out of step: then it is over. */
static int transport_send(netsnmp_transport *t, const void *bytes, int size, void **opaque,
			  int *opaque_length)
{
	ssize_t n = send(t->sock, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)opaque;
	(void)opaque_length;
	if (n == size)
		return size;
	shutdown(t->sock, SHUT_RDWR);
	return -1;
}

static int transport_close(netsnmp_transport *t)
{
	if (t->sock < 0)
		return -1;
	close(t->sock);
	t->sock = -1;
	state.pause = state.useful ? 0 : state.pause ? state.pause * 2 : 1;
	if (state.pause > BACKOFF_MAX_S)
		state.pause = BACKOFF_MAX_S;
	state.retry = clock_s() + state.pause;
	return 0;
}

static char *transport_format(netsnmp_transport *t, const void *bytes, int length)
{
	(void)t;
	(void)bytes;
	(void)length;
	return strdup("the AgentX socket");
}

static int socket_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static netsnmp_transport *transport_create(const char *path, int local, const char *default_target)
{
	netsnmp_transport *t;
	int fd;

	(void)default_target;
	if (local || !path || clock_s() < state.retry)
		return NULL;
	fd = socket_open(path);
	if (fd < 0)
		return NULL;
	t = SNMP_MALLOC_TYPEDEF(netsnmp_transport);
	if (!t) {
		close(fd);
		return NULL;
	}
	state.useful = false;
	t->domain = transport_domain;
	t->domain_length = OID_LENGTH(transport_domain);
	t->sock = fd;
	t->flags = NETSNMP_TRANSPORT_FLAG_STREAM;
	t->msgMaxSize = SNMP_MAX_PACKET_LEN;
	t->f_recv = transport_recv;
	t->f_send = transport_send;
	t->f_close = transport_close;
	t->f_fmtaddr = transport_format;
	return t;
}

void agent_transport_register(void)
{
	static netsnmp_tdomain domain = {
	    .name = transport_domain,
	    .name_length = OID_LENGTH(transport_domain),
	    .f_create_from_tstring_new = transport_create,
	};
	const char **prefix = calloc(2, sizeof(*prefix)); /* the library frees it */

	if (!prefix)
		return;
	prefix[0] = "tuyen-agentx";
	domain.prefix = prefix;
	netsnmp_tdomain_register(&domain);
}
