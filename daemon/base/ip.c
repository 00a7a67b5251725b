/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "tuyen/base/err.h"

/* By hand: a country's bundles hold a million addresses. @return what follows. */
static char *byte_format(uint8_t value, char *out)
{
	if (value >= 100)
		*out++ = (char)('0' + value / 100);
	if (value >= 10)
		*out++ = (char)('0' + value / 10 % 10);
	*out++ = (char)('0' + value % 10);
	return out;
}

static char *address_format(ipv4_t address, char *out)
{
	for (int shift = 24; shift > 0; shift -= 8) {
		out = byte_format((uint8_t)(address >> shift), out);
		*out++ = '.';
	}
	return byte_format((uint8_t)address, out);
}

const char *ipv4_format(ipv4_t address, char out[static IPV4_STRLEN])
{
	*address_format(address, out) = '\0';
	return out;
}

const char *ipv4_prefix_format(struct ipv4_prefix prefix, char out[static IPV4_PREFIX_STRLEN])
{
	char *end = address_format(prefix.address, out);

	*end++ = '/';
	*byte_format(prefix.length, end) = '\0';
	return out;
}

const char *ipv6_format(const struct ipv6 *address, char out[static IPV6_STRLEN])
{
	if (!inet_ntop(AF_INET6, address->byte, out, IPV6_STRLEN))
		out[0] = '\0';
	return out;
}

const char *ipv6_prefix_format(const struct ipv6_prefix *prefix,
			       char out[static IPV6_PREFIX_STRLEN])
{
	size_t length = strlen(ipv6_format(&prefix->address, out));

	out[length++] = '/';
	*byte_format(prefix->length, out + length) = '\0';
	return out;
}

bool ipv6_equal(const struct ipv6 *a, const struct ipv6 *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

bool ipv6_is_none(const struct ipv6 *address)
{
	return ipv6_equal(address, &(struct ipv6){{0}});
}

const char *ip_endpoint_format(const struct ip_endpoint *endpoint,
			       char out[static IP_ENDPOINT_STRLEN])
{
	char address[INET6_ADDRSTRLEN];

	if (endpoint->family == 4 &&
	    inet_ntop(AF_INET, endpoint->address, address, sizeof(address)))
		snprintf(out, IP_ENDPOINT_STRLEN, "%s:%u", address, endpoint->port);
	else if (endpoint->family == 6 &&
		 inet_ntop(AF_INET6, endpoint->address, address, sizeof(address)))
		snprintf(out, IP_ENDPOINT_STRLEN, "[%s]:%u", address, endpoint->port);
	else
		snprintf(out, IP_ENDPOINT_STRLEN, "none");
	return out;
}

/* A decimal number of 0..@max without sign or leading zeros, then @end. @return what follows, or
 * NULL. */
static const char *number_parse(const char *s, uint32_t max, uint32_t *ret_value)
{
	uint32_t value = 0;
	const char *p = s;

	while (*p >= '0' && *p <= '9' && p - s < 6)
		value = value * 10 + (uint32_t)(*p++ - '0');
	if (p == s || (p - s > 1 && *s == '0') || value > max)
		return NULL;
	*ret_value = value;
	return p;
}

static const char *ipv4_scan(const char *s, ipv4_t *ret_address)
{
	ipv4_t address = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t byte;

		if (i && *s++ != '.')
			return NULL;
		s = number_parse(s, 255, &byte);
		if (!s)
			return NULL;
		address = address << 8 | byte;
	}
	*ret_address = address;
	return s;
}

int ipv4_parse(const char *string, ipv4_t *ret_address)
{
	ipv4_t address;
	const char *end = ipv4_scan(string, &address);

	if (!end || *end)
		return -TUYEN_EINVAL;
	*ret_address = address;
	return 0;
}

int ipv4_prefix_parse(const char *string, struct ipv4_prefix *ret_prefix)
{
	ipv4_t address;
	uint32_t length;
	const char *end = ipv4_scan(string, &address);

	if (!end || *end++ != '/')
		return -TUYEN_EINVAL;
	end = number_parse(end, 32, &length);
	if (!end || *end || (address & ~ipv4_netmask((uint8_t)length)))
		return -TUYEN_EINVAL;
	*ret_prefix = (struct ipv4_prefix){address, (uint8_t)length};
	return 0;
}

int ip_endpoint_parse_address(const char *string, uint16_t port, struct ip_endpoint *ret_endpoint)
{
	struct ip_endpoint endpoint = {.port = port};
	ipv4_t address;

	if (ipv4_parse(string, &address) == 0) {
		uint32_t network_order = htonl(address);

		endpoint.family = 4;
		memcpy(endpoint.address, &network_order, 4);
	} else if (inet_pton(AF_INET6, string, endpoint.address) == 1) {
		endpoint.family = 6;
	} else {
		return -TUYEN_EINVAL;
	}
	*ret_endpoint = endpoint;
	return 0;
}

int ip_endpoint_parse(const char *string, struct ip_endpoint *ret_endpoint)
{
	char address[IP_ENDPOINT_STRLEN], again[IP_ENDPOINT_STRLEN];
	struct ip_endpoint endpoint;
	const char *colon = strrchr(string, ':'), *end;
	bool bracket = string[0] == '[';
	size_t length;
	uint32_t port;

	if (strcmp(string, "none") == 0) {
		*ret_endpoint = (struct ip_endpoint){0};
		return 0;
	}
	if (!colon || strlen(string) >= sizeof(address))
		return -TUYEN_EINVAL;
	end = number_parse(colon + 1, 65535, &port);
	if (!end || *end)
		return -TUYEN_EINVAL;
	length = (size_t)(colon - string);
	if (bracket && (length < 2 || string[length - 1] != ']'))
		return -TUYEN_EINVAL;
	memcpy(address, string + bracket, length - 2 * bracket);
	address[length - 2 * bracket] = '\0';
	if (ip_endpoint_parse_address(address, (uint16_t)port, &endpoint) < 0 ||
	    strcmp(ip_endpoint_format(&endpoint, again), string) != 0)
		return -TUYEN_EINVAL; /* one way of writing each, RFC 5952 */
	*ret_endpoint = endpoint;
	return 0;
}

uint32_t ipv4_netmask(uint8_t length)
{
	return length ? UINT32_MAX << (32 - length) : 0;
}

bool ipv4_prefix_contains(struct ipv4_prefix outer, ipv4_t address)
{
	return (address & ipv4_netmask(outer.length)) == outer.address;
}

bool ipv4_prefix_overlaps(struct ipv4_prefix a, struct ipv4_prefix b)
{
	return a.length <= b.length ? ipv4_prefix_contains(a, b.address)
				    : ipv4_prefix_contains(b, a.address);
}

bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b)
{
	size_t length = a->family == 4 ? 4 : a->family == 6 ? 16 : 0;

	if (a->family != b->family)
		return false;
	return !length || (a->port == b->port && memcmp(a->address, b->address, length) == 0);
}
