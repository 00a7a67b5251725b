/* SPDX-License-Identifier: Apache-2.0 */
#include "tuyen/base/wire.h"

#include <string.h>

void wire_reader_init(struct wire_reader *r, const void *bytes, size_t length)
{
	*r = (struct wire_reader){.bytes = bytes, .length = length};
}

size_t wire_reader_left(const struct wire_reader *r)
{
	return r->failed ? 0 : r->length - r->offset;
}

const uint8_t *wire_read_view(struct wire_reader *r, size_t length)
{
	const uint8_t *view;

	if (r->failed || length > r->length - r->offset) {
		r->failed = true;
		return NULL;
	}
	view = r->bytes + r->offset;
	r->offset += length;
	return view;
}

void wire_read_bytes(struct wire_reader *r, void *out, size_t length)
{
	const uint8_t *view = wire_read_view(r, length);

	if (view)
		memcpy(out, view, length);
	else
		memset(out, 0, length);
}

static uint64_t read_number(struct wire_reader *r, size_t bytes)
{
	const uint8_t *view = wire_read_view(r, bytes);
	uint64_t value = 0;

	for (size_t i = 0; view && i < bytes; i++)
		value = value << 8 | view[i];
	return value;
}

uint8_t wire_read_u8(struct wire_reader *r)
{
	return (uint8_t)read_number(r, 1);
}

uint16_t wire_read_u16(struct wire_reader *r)
{
	return (uint16_t)read_number(r, 2);
}

uint32_t wire_read_u32(struct wire_reader *r)
{
	return (uint32_t)read_number(r, 4);
}

uint64_t wire_read_u64(struct wire_reader *r)
{
	return read_number(r, 8);
}

void wire_writer_init(struct wire_writer *w, void *bytes, size_t size)
{
	*w = (struct wire_writer){.bytes = bytes, .size = size};
}

void wire_write_bytes(struct wire_writer *w, const void *bytes, size_t length)
{
	if (w->failed || length > w->size - w->length) {
		w->failed = true;
		return;
	}
	if (length)
		memcpy(w->bytes + w->length, bytes, length);
	w->length += length;
}

static void write_number(struct wire_writer *w, uint64_t value, size_t bytes)
{
	uint8_t buffer[8];

	for (size_t i = 0; i < bytes; i++)
		buffer[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	wire_write_bytes(w, buffer, bytes);
}

void wire_write_u8(struct wire_writer *w, uint8_t v)
{
	write_number(w, v, 1);
}

void wire_write_u16(struct wire_writer *w, uint16_t v)
{
	write_number(w, v, 2);
}

void wire_write_u32(struct wire_writer *w, uint32_t v)
{
	write_number(w, v, 4);
}

void wire_write_u64(struct wire_writer *w, uint64_t v)
{
	write_number(w, v, 8);
}
