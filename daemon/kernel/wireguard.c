/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WireGuard. Reading goes through its embeddable library, which puts a device's many answers
 * together. Writing does not: the library knows no "update only", so that a keepalive sent to a
 * peer that has just been removed would make it anew, and opens a socket and asks for the family at
 * each call, which for a gateway's 11,379 peers is more than the work itself.
 * WGDEVICE_F_REPLACE_PEERS is never sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#include "wireguard.h"

#define PREFIX_BYTES 32 /* in a request, with its nest */

static int family_id(const struct nlmsghdr *message, void *context)
{
	struct nlattr *attributes[CTRL_ATTR_MAX + 1];

	if (genlmsg_parse((struct nlmsghdr *)(uintptr_t)message, 0, attributes, CTRL_ATTR_MAX,
			  NULL) < 0 ||
	    !attributes[CTRL_ATTR_FAMILY_ID])
		return -TUYEN_EINVAL;
	*(int *)context = nla_get_u16(attributes[CTRL_ATTR_FAMILY_ID]);
	return 0;
}

int wireguard_family(struct kernel *kernel)
{
	struct nl_msg *m;

	if (kernel->wireguard_family)
		return kernel->wireguard_family;
	m = nlmsg_alloc();
	if (!m)
		return 0;
	if (!genlmsg_put(m, 0, 0, GENL_ID_CTRL, 0, 0, CTRL_CMD_GETFAMILY, 1) ||
	    nla_put_string(m, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME)) {
		nlmsg_free(m);
		return 0;
	}
	if (channel_ask(&kernel->generic, m, family_id, &kernel->wireguard_family) != 0)
		kernel->wireguard_family = 0;
	return kernel->wireguard_family;
}

/* @prefixes: how many it has room for. */
static struct nl_msg *set_device(struct kernel *kernel, const char *name, size_t prefixes)
{
	int family = wireguard_family(kernel);
	struct nl_msg *m;

	if (!family) {
		errno = EPROTONOSUPPORT;
		return NULL;
	}
	m = nlmsg_alloc_size(MESSAGE_BYTES + prefixes * PREFIX_BYTES);
	if (!m)
		return NULL;
	if (genlmsg_put(m, 0, 0, family, 0, 0, WG_CMD_SET_DEVICE, WG_GENL_VERSION) &&
	    nla_put_string(m, WGDEVICE_A_IFNAME, name) == 0)
		return m;
	nlmsg_free(m);
	return NULL;
}

struct nl_msg *message_wireguard_device(struct kernel *kernel, const struct kernel_device *want,
					const struct kernel_device *have)
{
	struct nl_msg *m = set_device(kernel, want->name, 0);
	int failed = 0;

	if (!m)
		return NULL;
	if (!have || memcmp(want->private_key, have->private_key, sizeof(want->private_key)))
		failed = nla_put(m, WGDEVICE_A_PRIVATE_KEY, sizeof(want->private_key),
				 want->private_key);
	if (!failed && (!have || want->listen_port != have->listen_port))
		failed = nla_put_u16(m, WGDEVICE_A_LISTEN_PORT, want->listen_port);
	if (!failed && (!have || want->fwmark != have->fwmark))
		failed = nla_put_u32(m, WGDEVICE_A_FWMARK, want->fwmark);
	if (!failed)
		return m;
	nlmsg_free(m);
	return NULL;
}

struct nl_msg *message_wireguard_mark(struct kernel *kernel, const char *device, uint32_t mark)
{
	struct nl_msg *m = set_device(kernel, device, 0);

	if (m && nla_put_u32(m, WGDEVICE_A_FWMARK, mark)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int put_endpoint(struct nl_msg *m, const struct ip_endpoint *endpoint)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};

	if (endpoint->family == 4) {
		memcpy(&v4.sin_addr, endpoint->address, 4);
		return nla_put(m, WGPEER_A_ENDPOINT, sizeof(v4), &v4);
	}
	memcpy(&v6.sin6_addr, endpoint->address, 16);
	return nla_put(m, WGPEER_A_ENDPOINT, sizeof(v6), &v6);
}

static int put_prefix(struct nl_msg *m, const struct ipv4_prefix *prefix)
{
	struct nlattr *nest = nla_nest_start(m, 0);

	if (!nest || nla_put_u16(m, WGALLOWEDIP_A_FAMILY, AF_INET) ||
	    nla_put_u32(m, WGALLOWEDIP_A_IPADDR, htonl(prefix->address)) ||
	    nla_put_u8(m, WGALLOWEDIP_A_CIDR_MASK, prefix->length))
		return -1;
	return nla_nest_end(m, nest);
}

static bool peer_has(const struct kernel_peer *peer, const struct ipv4_prefix *prefix)
{
	return peer && peer->allowed_count &&
	       bsearch(prefix, peer->allowed, peer->allowed_count, sizeof(*prefix),
		       ipv4_prefix_compare);
}

/* All prefixes that @have has are wanted too: then only what is new is sent. */
static bool peer_only_gains(const struct kernel_peer *want, const struct kernel_peer *have)
{
	for (size_t i = 0; have && i < have->allowed_count; i++)
		if (!peer_has(want, &have->allowed[i]))
			return false;
	return true;
}

/* How many prefixes from @first on go into one request. */
static size_t prefixes_from(const struct kernel_peer *peer, size_t first)
{
	size_t left = peer->allowed_count - first;

	return left > PEER_PREFIXES_MAX ? PEER_PREFIXES_MAX : left;
}

static int put_prefixes(struct nl_msg *m, const struct kernel_peer *want,
			const struct kernel_peer *skip, size_t first)
{
	struct nlattr *nest = nla_nest_start(m, WGPEER_A_ALLOWEDIPS);
	size_t end = first + prefixes_from(want, first);

	if (!nest)
		return -1;
	for (size_t i = first; i < end; i++)
		if (!peer_has(skip, &want->allowed[i]) && put_prefix(m, &want->allowed[i]))
			return -1;
	return nla_nest_end(m, nest);
}

/* Opens the two nests that every peer request has. */
static int peer_begin(struct nl_msg *m, const uint8_t *key, uint32_t flags,
		      struct nlattr *ret_nest[2])
{
	ret_nest[0] = nla_nest_start(m, WGDEVICE_A_PEERS);
	ret_nest[1] = ret_nest[0] ? nla_nest_start(m, 0) : NULL;
	if (!ret_nest[1] || nla_put(m, WGPEER_A_PUBLIC_KEY, sizeof(wg_key), key))
		return -1;
	return flags ? nla_put_u32(m, WGPEER_A_FLAGS, flags) : 0;
}

static struct nl_msg *peer_end(struct nl_msg *m, struct nlattr *nest[2], int failed)
{
	if (!failed && nla_nest_end(m, nest[1]) == 0 && nla_nest_end(m, nest[0]) == 0)
		return m;
	nlmsg_free(m);
	errno = ENOMEM;
	return NULL;
}

/* All zero is none. The sessions that stand go on; the next handshake is made with it. */
static int put_preshared(struct nl_msg *m, enum kernel_preshared preshared)
{
	static const wg_key none;

	return nla_put(m, WGPEER_A_PRESHARED_KEY, sizeof(none),
		       preshared == KERNEL_PRESHARED_PARALLEL ? kernel_preshared_parallel : none);
}

struct nl_msg *message_peer(struct kernel *kernel, const struct kernel_peer *want,
			    const struct kernel_peer *have, size_t first)
{
	bool gains = peer_only_gains(want, have);
	uint32_t flags = (have || first ? (uint32_t)WGPEER_F_UPDATE_ONLY : 0) |
			 (!first && !gains ? (uint32_t)WGPEER_F_REPLACE_ALLOWEDIPS : 0);
	struct nl_msg *m = set_device(kernel, want->device, prefixes_from(want, first));
	struct nlattr *nest[2];
	int failed;

	if (!m)
		return NULL;
	failed = peer_begin(m, want->public_key, flags, nest);
	if (!failed && !first &&
	    want->preshared != (have ? have->preshared : KERNEL_PRESHARED_NONE))
		failed = put_preshared(m, want->preshared);
	if (!failed && !first && want->endpoint.family && (!have || !have->endpoint.family))
		failed = put_endpoint(m, &want->endpoint);
	if (!failed && !first && (!have || have->keepalive_s != want->keepalive_s))
		failed = nla_put_u16(m, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, want->keepalive_s);
	if (!failed)
		failed = put_prefixes(m, want, gains ? have : NULL, first);
	return peer_end(m, nest, failed);
}

struct nl_msg *message_peer_remove(struct kernel *kernel, const struct kernel_peer *have)
{
	struct nl_msg *m = set_device(kernel, have->device, 0);
	struct nlattr *nest[2];

	if (!m)
		return NULL;
	return peer_end(m, nest,
			peer_begin(m, have->public_key,
				   (uint32_t)WGPEER_F_REMOVE_ME | (uint32_t)WGPEER_F_UPDATE_ONLY,
				   nest));
}

struct nl_msg *message_peer_keepalive(struct kernel *kernel, const char *device,
				      const uint8_t key[static WG_KEY_LEN], uint16_t seconds)
{
	struct nl_msg *m = set_device(kernel, device, 0);
	struct nlattr *nest[2];
	int failed;

	if (!m)
		return NULL;
	failed = peer_begin(m, key, (uint32_t)WGPEER_F_UPDATE_ONLY, nest) ||
		 nla_put_u16(m, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, seconds);
	return peer_end(m, nest, failed);
}

static void endpoint_take(const wg_peer *peer, struct ip_endpoint *ret_endpoint)
{
	if (peer->endpoint.addr.sa_family == AF_INET) {
		ret_endpoint->family = 4;
		memcpy(ret_endpoint->address, &peer->endpoint.addr4.sin_addr, 4);
		ret_endpoint->port = ntohs(peer->endpoint.addr4.sin_port);
	} else if (peer->endpoint.addr.sa_family == AF_INET6) {
		ret_endpoint->family = 6;
		memcpy(ret_endpoint->address, &peer->endpoint.addr6.sin6_addr, 16);
		ret_endpoint->port = ntohs(peer->endpoint.addr6.sin6_port);
	}
}

/* An IPv6 prefix is never ours: it shows as 0.0.0.0/255, which no desired peer has. */
static int allowed_take(struct kernel_peer *peer, const wg_allowedip *allowed)
{
	struct ipv4_prefix prefix = {.address = ntohl(allowed->ip4.s_addr),
				     .length = allowed->cidr};

	if (allowed->family != AF_INET)
		prefix = (struct ipv4_prefix){.length = 255};
	return kernel_peer_allow(peer, prefix);
}

static enum kernel_preshared preshared_take(const wg_peer *peer)
{
	static const wg_key none;

	if (!memcmp(peer->preshared_key, none, sizeof(none)))
		return KERNEL_PRESHARED_NONE;
	return memcmp(peer->preshared_key, kernel_preshared_parallel, sizeof(none))
		   ? KERNEL_PRESHARED_ANOTHER
		   : KERNEL_PRESHARED_PARALLEL;
}

static int peer_take(struct kernel_state *state, const char *device, wg_peer *from)
{
	struct kernel_peer *peer = kernel_state_add_peer(state);
	wg_allowedip *allowed;
	int err = 0;

	if (!peer)
		return -TUYEN_ENOMEM;
	memcpy(peer->device, device, sizeof(peer->device));
	memcpy(peer->public_key, from->public_key, sizeof(peer->public_key));
	endpoint_take(from, &peer->endpoint);
	peer->preshared = preshared_take(from);
	peer->keepalive_s = from->persistent_keepalive_interval;
	peer->last_handshake_s = from->last_handshake_time.tv_sec;
	peer->rx_bytes = from->rx_bytes;
	peer->tx_bytes = from->tx_bytes;
	wg_for_each_allowedip(from, allowed)
	{
		if (err == 0)
			err = allowed_take(peer, allowed);
	}
	return err;
}

static void library_device_free(wg_device *device)
{
	wg_peer *peer;

	explicit_bzero(device->private_key, sizeof(device->private_key));
	wg_for_each_peer(device, peer)
	    explicit_bzero(peer->preshared_key, sizeof(peer->preshared_key));
	wg_free_device(device);
}

static int device_take(struct kernel_state *state, size_t index, struct reason *reason)
{
	struct kernel_device *device = &state->devices[index];
	wg_device *from;
	wg_peer *peer;
	int err = 0;

	if (wg_get_device(&from, device->name) < 0) {
		if (errno == ENODEV)
			return -TUYEN_EAGAIN; /* it went while we read */
		return reason_set(reason, -TUYEN_ESYSTEM, "%s: cannot read it: %s", device->name,
				  strerror(errno));
	}
	memcpy(device->private_key, from->private_key, sizeof(device->private_key));
	device->listen_port = from->listen_port;
	device->fwmark = from->fwmark;
	wg_for_each_peer(from, peer)
	{
		if (err == 0)
			err = peer_take(state, device->name, peer);
	}
	library_device_free(from);
	return err;
}

int read_wireguard(struct kernel *kernel, struct kernel_state *state, struct reason *reason)
{
	int err = 0;

	(void)kernel;
	for (size_t i = 0; err == 0 && i < state->device_count; i++)
		if (!state->devices[i].foreign && state->devices[i].kind == KERNEL_DEVICE_WIREGUARD)
			err = device_take(state, i, reason);
	return err;
}

/* A caller's session has a keepalive: 0 and back again makes the kernel send at once, a packet or a
 * handshake. */
static int peer_poke(struct kernel *kernel, const char *device, const wg_peer *peer)
{
	uint16_t seconds = peer->persistent_keepalive_interval;
	int error;

	if (!seconds)
		return 0;
	error = channel_call(&kernel->generic,
			     message_peer_keepalive(kernel, device, peer->public_key, 0), NULL);
	if (!error)
		error = channel_call(
		    &kernel->generic,
		    message_peer_keepalive(kernel, device, peer->public_key, seconds), NULL);
	return error;
}

int kernel_session_poke(struct kernel *kernel, const char *device)
{
	wg_device *from;
	wg_peer *peer;
	int error = 0;

	if (wg_get_device(&from, device) < 0)
		return -TUYEN_ESYSTEM;
	wg_for_each_peer(from, peer)
	{
		int one = peer_poke(kernel, device, peer);

		error = error ? error : one;
	}
	library_device_free(from);
	errno = error;
	return error ? -TUYEN_ESYSTEM : 0;
}

int kernel_peer_call(struct kernel *kernel, const char *device,
		     const uint8_t public_key[static WG_KEY_LEN])
{
	int error = channel_call(&kernel->generic,
				 message_peer_keepalive(kernel, device, public_key, 1), NULL);

	if (!error)
		error = channel_call(&kernel->generic,
				     message_peer_keepalive(kernel, device, public_key, 0), NULL);
	return error ? -TUYEN_ESYSTEM : 0;
}

static int peer_set(struct kernel *kernel, const struct kernel_peer *want)
{
	int error = channel_call(&kernel->generic, message_peer(kernel, want, NULL, 0), NULL);

	for (size_t i = PEER_PREFIXES_MAX; !error && i < want->allowed_count;
	     i += PEER_PREFIXES_MAX)
		error = channel_call(&kernel->generic, message_peer(kernel, want, NULL, i), NULL);
	return error;
}

int kernel_peer_renew(struct kernel *kernel, const struct kernel_peer *peer)
{
	int error = channel_call(&kernel->generic, message_peer_remove(kernel, peer), NULL);

	if (!error)
		error = peer_set(kernel, peer);
	return error ? -TUYEN_ESYSTEM : kernel_peer_call(kernel, peer->device, peer->public_key);
}

int kernel_peer_forget(struct kernel *kernel, const char *device,
		       const uint8_t public_key[static WG_KEY_LEN])
{
	struct kernel_peer have = {0};

	snprintf(have.device, sizeof(have.device), "%s", device);
	memcpy(have.public_key, public_key, WG_KEY_LEN);
	return channel_call(&kernel->generic, message_peer_remove(kernel, &have), NULL)
		   ? -TUYEN_ESYSTEM
		   : 0;
}
