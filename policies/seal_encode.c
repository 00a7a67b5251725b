/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/policies/seal.h"

#include <string.h>

#include "tuyen/base/wire.h"

/* The writer, apart from the verifier: a node never runs it. */

static void section_write(struct text *t, enum seal_section type, const void *head,
			  size_t head_length, const void *bytes, size_t length)
{
	uint8_t frame[5];
	struct wire_writer w;

	wire_writer_init(&w, frame, sizeof(frame));
	wire_write_u8(&w, (uint8_t)type);
	wire_write_u32(&w, (uint32_t)(head_length + length));
	text_add_bytes(t, frame, sizeof(frame));
	text_add_bytes(t, head, head_length);
	text_add_bytes(t, bytes, length);
}

static void signed_write(struct text *t, const struct seal_signed *s, enum seal_section type,
			 enum seal_section signature_type)
{
	section_write(t, type, "", 0, s->text.bytes, s->text.length);
	for (size_t i = 0; i < s->count; i++) {
		const struct signature *g = &s->signatures[i];
		char head[1 + OFFICER_NAME_MAX];

		head[0] = (char)g->name_length;
		memcpy(head + 1, g->name, g->name_length);
		section_write(t, signature_type, head, 1 + g->name_length, g->bytes, g->length);
	}
}

void seal_encode(const struct seal_parts *parts, struct text *ret_seal)
{
	uint8_t index[4];
	struct wire_writer w;

	text_add(ret_seal, SEAL_MAGIC);
	for (size_t i = 0; i < parts->chain_length; i++)
		signed_write(ret_seal, &parts->chain[i], SEAL_ROSTER, SEAL_ROSTER_SIGNATURE);
	signed_write(ret_seal, &parts->release, SEAL_RELEASE, SEAL_SIGNATURE);
	wire_writer_init(&w, index, sizeof(index));
	wire_write_u32(&w, parts->index);
	section_write(ret_seal, SEAL_PROOF, index, sizeof(index), parts->path.sibling,
		      parts->path.depth * sizeof(parts->path.sibling[0]));
	section_write(ret_seal, SEAL_BUNDLE, "", 0, parts->bundle.bytes, parts->bundle.length);
}
