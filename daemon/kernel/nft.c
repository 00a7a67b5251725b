/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nft table through libnftables: a change is one transaction, so that no packet meets a half of
 * it. It is the elements of sets where nothing else differs, else the whole table. Listed with protocols
 * as numbers (/etc/protocols need not be there), its text is compared with what desired_nft() wrote once
 * the counters' values are taken out of it.
 *
 * A context is made for each call: a kept one keeps a cache of all tables, with a gateway's sets in
 * it.
 */
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tuyen/core/nft_delta.h"

static struct nft_ctx *context_new(void)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!nft)
		return NULL;
	nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_NUMERIC_PROTO);
	if (nft_ctx_buffer_output(nft) == 0 && nft_ctx_buffer_error(nft) == 0)
		return nft;
	nft_ctx_free(nft);
	return NULL;
}

/* The first line of what libnftables says. */
static int failure(struct nft_ctx *nft, struct reason *reason)
{
	const char *words = nft_ctx_get_error_buffer(nft);

	return reason_set(reason, -TUYEN_ESYSTEM, "nft: %.*s", (int)strcspn(words, "\n"), words);
}

int nft_read(struct kernel *kernel, char **ret_text, struct reason *reason)
{
	struct nft_ctx *nft = context_new();
	char *text = NULL;
	int err = 0;

	(void)kernel;
	if (!nft)
		return reason_set(reason, -TUYEN_ESYSTEM, "nft: cannot open it: %s",
				  strerror(errno));
	if (nft_run_cmd_from_buffer(nft, "list table inet " TUYEN_NFT_TABLE) == 0) {
		text = strdup(nft_ctx_get_output_buffer(nft));
		err = text ? 0 : -TUYEN_ENOMEM;
	} else if (!strstr(nft_ctx_get_error_buffer(nft), "No such file")) {
		err = failure(nft, reason);
	}
	nft_ctx_free(nft);
	if (err == 0)
		*ret_text = text;
	return err;
}

static void commands_write(struct text *commands, const char *text)
{
	text_add(commands, "table inet " TUYEN_NFT_TABLE "\n"
			   "delete table inet " TUYEN_NFT_TABLE "\n");
	if (text)
		text_add(commands, text);
}

static int commands_run(const struct text *commands, struct reason *reason)
{
	struct nft_ctx *nft = context_new();
	int err = 0;

	if (!nft)
		return reason_set(reason, -TUYEN_ESYSTEM, "nft: cannot open it: %s",
				  strerror(errno));
	if (commands->failed)
		err = reason_set(reason, -TUYEN_ENOMEM, "nft: no memory");
	else if (nft_run_cmd_from_buffer(nft, text_string(commands)) != 0)
		err = failure(nft, reason);
	nft_ctx_free(nft);
	return err;
}

/* @return true if all that differed was elements, and now is none. */
static bool elements_apply(const char *want, const char *have)
{
	struct text commands;
	bool done;

	if (!want || !have)
		return false;
	text_init(&commands);
	done = nft_delta(want, have, &commands) && commands_run(&commands, NULL) == 0;
	text_clear(&commands);
	return done;
}

int nft_apply(struct kernel *kernel, const char *want, const char *have, struct reason *reason)
{
	struct text commands;
	int err;

	(void)kernel;
	if (elements_apply(want, have))
		return 0;
	text_init(&commands);
	commands_write(&commands, want);
	err = commands_run(&commands, reason);
	text_clear(&commands);
	return err;
}
