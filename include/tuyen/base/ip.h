/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_IP_H
#define TUYEN_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An IPv4 address in host order. 0 means none. */
typedef uint32_t ipv4_t;

/** @address has no bit set below @length (0..32). */
struct ipv4_prefix {
	ipv4_t address;
	uint8_t length;
};

/** An IPv6 address in network order. All 0 means none. */
struct ipv6 {
	uint8_t byte[16];
};

/** @address has no bit set below @length (0..128). */
struct ipv6_prefix {
	struct ipv6 address;
	uint8_t length;
};

/** An underlay address and UDP port. @family 0 (none), 4 or 6; IPv4 uses the first four bytes. Network order. */
struct ip_endpoint {
	uint8_t family;
	uint8_t address[16];
	uint16_t port;
};

#define IPV4_STRLEN	   16 /* with the NUL */
#define IPV4_PREFIX_STRLEN 20
#define IPV6_STRLEN	   46
#define IPV6_PREFIX_STRLEN 50
#define IP_ENDPOINT_STRLEN 56

/** Each writes into @out, which has the size above, and returns @out. */
const char *ipv4_format(ipv4_t address, char out[static IPV4_STRLEN]);
const char *ipv4_prefix_format(struct ipv4_prefix prefix, char out[static IPV4_PREFIX_STRLEN]);
/** As RFC 5952 has it. */
const char *ipv6_format(const struct ipv6 *address, char out[static IPV6_STRLEN]);
const char *ipv6_prefix_format(const struct ipv6_prefix *prefix,
			       char out[static IPV6_PREFIX_STRLEN]);
/** "192.0.2.1:51820", "[2001:db8::1]:51820", or "none". */
const char *ip_endpoint_format(const struct ip_endpoint *endpoint,
			       char out[static IP_ENDPOINT_STRLEN]);

/** Strict: four decimal numbers without leading zeros. @return 0 or -TUYEN_EINVAL. */
int ipv4_parse(const char *string, ipv4_t *ret_address);
/** "a.b.c.d/len"; -TUYEN_EINVAL also when host bits are set. */
int ipv4_prefix_parse(const char *string, struct ipv4_prefix *ret_prefix);
/** An address of either family, no port. */
int ip_endpoint_parse_address(const char *string, uint16_t port, struct ip_endpoint *ret_endpoint);
/** What ip_endpoint_format() prints. */
int ip_endpoint_parse(const char *string, struct ip_endpoint *ret_endpoint);

/** Is it none? */
bool ipv6_is_none(const struct ipv6 *address);
bool ipv6_equal(const struct ipv6 *a, const struct ipv6 *b);
uint32_t ipv4_netmask(uint8_t length);
bool ipv4_prefix_contains(struct ipv4_prefix outer, ipv4_t address);
bool ipv4_prefix_overlaps(struct ipv4_prefix a, struct ipv4_prefix b);
bool ip_endpoint_equal(const struct ip_endpoint *a, const struct ip_endpoint *b);

#endif
