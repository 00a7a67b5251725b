/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/topology/mtu.h"

#include "tuyen/base/err.h"

int mtu_layers_compute(uint16_t carrier_mtu, bool carrier_ipv6, uint8_t label_depth,
		       struct mtu_layers *ret_layers)
{
	int link = carrier_mtu - (carrier_ipv6 ? MTU_WIREGUARD_IPV6 : MTU_WIREGUARD_IPV4);
	int lsp = link - MTU_MPLS_IN_IP;
	int path = lsp - MTU_LABEL * label_depth;
	int session = path - MTU_WIREGUARD_IPV4;

	if (session < MTU_IPV4_MIN)
		return -TUYEN_ELIMIT;
	*ret_layers = (struct mtu_layers){
	    .carrier = carrier_mtu,
	    .link = (uint16_t)link,
	    .lsp = (uint16_t)lsp,
	    .path = (uint16_t)path,
	    .session = (uint16_t)session,
	};
	return 0;
}
