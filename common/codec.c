/* See codec.h. */
#include "common/codec.h"

#include <string.h>

void
writer_init(struct writer *writer, void *data, size_t max_size)
{
	writer->data = data;
	writer->size = 0;
	writer->max_size = max_size;
	writer->failed = false;
}

void
writer_put_raw(struct writer *writer, const void *data, size_t size)
{
	if (writer->failed || size > writer->max_size - writer->size) {
		writer->failed = true;
		return;
	}
	if (size > 0)
		memcpy(writer->data + writer->size, data, size);
	writer->size += size;
}

static void
put_number(struct writer *writer, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	writer_put_raw(writer, bytes, size);
}

void
writer_put_u8(struct writer *writer, uint8_t value)
{
	put_number(writer, value, 1);
}

void
writer_put_u16(struct writer *writer, uint16_t value)
{
	put_number(writer, value, 2);
}

void
writer_put_u32(struct writer *writer, uint32_t value)
{
	put_number(writer, value, 4);
}

void
writer_put_u64(struct writer *writer, uint64_t value)
{
	put_number(writer, value, 8);
}

void
writer_put_text(struct writer *writer, struct text text, size_t max_size)
{
	if (text.size > max_size || text.size > UINT32_MAX) {
		writer->failed = true;
		return;
	}
	writer_put_u32(writer, (uint32_t)text.size);
	writer_put_raw(writer, text.data, text.size);
}

void
reader_init(struct reader *reader, const void *data, size_t size)
{
	reader->data = data;
	reader->size = size;
	reader->failed = false;
}

/* The next `size` bytes, or NULL. */
static const uint8_t *
take(struct reader *reader, size_t size)
{
	const uint8_t *data = reader->data;

	if (reader->failed || size > reader->size) {
		reader->failed = true;
		return NULL;
	}
	reader->data += size;
	reader->size -= size;
	return data;
}

static uint64_t
get_number(struct reader *reader, size_t size)
{
	const uint8_t *bytes = take(reader, size);
	uint64_t value = 0;

	if (bytes == NULL)
		return 0;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

uint8_t
reader_get_u8(struct reader *reader)
{
	return (uint8_t)get_number(reader, 1);
}

uint16_t
reader_get_u16(struct reader *reader)
{
	return (uint16_t)get_number(reader, 2);
}

uint32_t
reader_get_u32(struct reader *reader)
{
	return (uint32_t)get_number(reader, 4);
}

uint64_t
reader_get_u64(struct reader *reader)
{
	return get_number(reader, 8);
}

void
reader_get_raw(struct reader *reader, void *data, size_t size)
{
	const uint8_t *bytes = take(reader, size);

	if (bytes == NULL)
		memset(data, 0, size);
	else if (size > 0)
		memcpy(data, bytes, size);
}

struct text
reader_get_text(struct reader *reader, size_t max_size)
{
	uint32_t size = reader_get_u32(reader);
	const uint8_t *bytes;

	if (size > max_size)
		reader->failed = true;
	bytes = take(reader, size);
	if (bytes == NULL)
		return (struct text){ NULL, 0 };
	return text_make(bytes, size);
}

int
reader_done(const struct reader *reader)
{
	return reader->failed || reader->size > 0 ? -1 : 0;
}
