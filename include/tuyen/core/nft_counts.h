/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_NFT_COUNTS_H
#define TUYEN_CORE_NFT_COUNTS_H

#include "tuyen/core/kernel_state.h"

/** The set in which each neighbour has a bound of BFD packets, and a counter of those beyond. */
#define NFT_SET_BFD_EXCESS "bfd_excess"

/**
 * Takes the counters' values out of @state's table, as nft lists it: what stays is as `nft -s` lists it. What neighbours sent
 * beyond their bounds becomes @state's excesses.
 * @return 0 or -TUYEN_ENOMEM.
 */
int nft_counts_take(struct kernel_state *state);

#endif
