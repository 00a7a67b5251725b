/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_TOPOLOGY_MTU_H
#define TUYEN_TOPOLOGY_MTU_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Bytes that each layer takes, outermost first. WireGuard: outer IP header
 * (20, or 40 on IPv6) + UDP 8 + data header 16 + tag 16. It pads its payload to 16 bytes
 * but never above the device's MTU, so padding costs nothing here.
 */
enum mtu_cost {
	MTU_WIREGUARD_IPV4 = 60,
	MTU_WIREGUARD_IPV6 = 80,
	MTU_MPLS_IN_IP = 20, /* RFC 4023 */
	MTU_LABEL = 4,	     /* RFC 3032 */
};

/** What fits through one link, all in bytes of the named layer's own packet. */
struct mtu_layers {
	uint16_t carrier; /* IP packet on the underlay */
	uint16_t link;	  /* IP packet on link0 */
	uint16_t lsp;	  /* labelled packet on an adjacency, labels included */
	uint16_t path;	  /* IP packet under @label_depth labels */
	uint16_t session; /* IP packet of a citizen's query inside the session */
};

#define MTU_IPV4_MIN	576  /* below this a session is not worth having */
#define MTU_CARRIER_MAX 9216 /* no line takes more */

/** @return 0, or -TUYEN_ELIMIT when the session would fall below MTU_IPV4_MIN. */
int mtu_layers_compute(uint16_t carrier_mtu, bool carrier_ipv6, uint8_t label_depth,
		       struct mtu_layers *ret_layers);

#endif
