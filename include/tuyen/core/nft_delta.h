/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_CORE_NFT_DELTA_H
#define TUYEN_CORE_NFT_DELTA_H

#include <stdbool.h>

#include "tuyen/base/text.h"

/**
 * When two tables of ours differ in the elements of their sets and in nothing else: the commands that
 * take the one to the other, for one transaction. A site's network that moves is then a few elements and
 * not the whole table anew, and its counters go on.
 * @want, @have  as desired_nft() writes them and nft lists them.
 * @return false when more differs, or without memory: the whole table is to be written. @ret_commands is
 *         then untouched.
 */
bool nft_delta(const char *want, const char *have, struct text *ret_commands);

#endif
