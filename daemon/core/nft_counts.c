/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/core/nft_counts.h"

#include <stdlib.h>
#include <string.h>

#include "tuyen/base/err.h"

static const char word[] = "counter";

/* @return behind " packets 12 bytes 345", or NULL if that is not what stands @at. */
static const char *values_end(const char *at, uint64_t *ret_packets)
{
	static const char packets[] = " packets ", bytes[] = " bytes ";
	char *end;

	if (strncmp(at, packets, strlen(packets)) != 0)
		return NULL;
	*ret_packets = strtoull(at + strlen(packets), &end, 10);
	if (strncmp(end, bytes, strlen(bytes)) != 0)
		return NULL;
	strtoull(end + strlen(bytes), &end, 10);
	return end;
}

/* An element begins with its address: "{ 100.64.0.210 limit ... counter". @from  where its set begins */
static int element_take(struct kernel_state *state, const char *from, const char *at,
			uint64_t packets)
{
	char text[IPV4_STRLEN] = "";
	struct kernel_excess *excess;
	ipv4_t neighbor;
	size_t length;

	while (at > from && !strchr("{,\t", at[-1]))
		at--;
	at += strspn(at, " ");
	length = strcspn(at, " ");
	if (length >= sizeof(text))
		return 0;
	memcpy(text, at, length);
	if (ipv4_parse(text, &neighbor) < 0)
		return 0;
	excess = kernel_state_add_excess(state);
	if (!excess)
		return -TUYEN_ENOMEM;
	*excess = (struct kernel_excess){neighbor, packets};
	return 0;
}

int nft_counts_take(struct kernel_state *state)
{
	char *out = state->nft;
	const char *in = out, *at = out;
	const char *set = out ? strstr(out, "\tset " NFT_SET_BFD_EXCESS " {\n") : NULL;
	const char *set_end = set ? strstr(set, "\n\t}\n") : NULL;
	int err = 0;

	while (err == 0 && at && (at = strstr(at, word))) {
		uint64_t packets;
		const char *end = values_end(at + strlen(word), &packets);

		if (end && set_end && at > set && at < set_end)
			err = element_take(state, set, at, packets);
		at += strlen(word);
		if (!end)
			continue;
		memmove(out, in, (size_t)(at - in));
		out += at - in;
		in = at = end;
	}
	if (out)
		memmove(out, in, strlen(in) + 1);
	return err;
}
