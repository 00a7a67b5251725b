/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TUYEN_BASE_WIRE_H
#define TUYEN_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Reads network-order fields and cannot run past the end: a read beyond it
 * gives zeros and sets @failed for good, so a parser may check once at the end.
 */
struct wire_reader {
	const uint8_t *bytes;
	size_t length;
	size_t offset;
	bool failed;
};

void wire_reader_init(struct wire_reader *r, const void *bytes, size_t length);
uint8_t wire_read_u8(struct wire_reader *r);
uint16_t wire_read_u16(struct wire_reader *r);
uint32_t wire_read_u32(struct wire_reader *r);
uint64_t wire_read_u64(struct wire_reader *r);
/** Copies @length bytes to @out, or zeros if they are not there. */
void wire_read_bytes(struct wire_reader *r, void *out, size_t length);
/** @return a borrowed pointer to @length bytes, or NULL (and failed) if they are not there. */
const uint8_t *wire_read_view(struct wire_reader *r, size_t length);
size_t wire_reader_left(const struct wire_reader *r);

/** Writes network-order fields into a fixed buffer; sets @failed instead of overflowing. */
struct wire_writer {
	uint8_t *bytes;
	size_t size;
	size_t length;
	bool failed;
};

void wire_writer_init(struct wire_writer *w, void *bytes, size_t size);
void wire_write_u8(struct wire_writer *w, uint8_t v);
void wire_write_u16(struct wire_writer *w, uint16_t v);
void wire_write_u32(struct wire_writer *w, uint32_t v);
void wire_write_u64(struct wire_writer *w, uint64_t v);
void wire_write_bytes(struct wire_writer *w, const void *bytes, size_t length);

#endif
