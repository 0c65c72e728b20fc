/*
 * The bytes of one packet: little-endian numbers, and runs of bytes with a
 * 32 bit length in front.  A reader that was asked for more than there is, or
 * for a field beyond its limit, fails for good; nothing is read past the end.
 */
#ifndef COMMON_CODEC_H
#define COMMON_CODEC_H

#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
	uint8_t *data;
	size_t size;     /* bytes written */
	size_t max_size; /* bytes that `data` holds */
	bool failed;     /* something did not fit */
};

struct reader {
	const uint8_t *data;
	size_t size; /* bytes left */
	bool failed; /* something was missing or too long */
};

void writer_init(struct writer *writer, void *data, size_t max_size);
void writer_put_u8(struct writer *writer, uint8_t value);
void writer_put_u16(struct writer *writer, uint16_t value);
void writer_put_u32(struct writer *writer, uint32_t value);
void writer_put_u64(struct writer *writer, uint64_t value);
void writer_put_raw(struct writer *writer, const void *data, size_t size);
void writer_put_text(struct writer *writer, struct text text, size_t max_size);

void reader_init(struct reader *reader, const void *data, size_t size);
uint8_t reader_get_u8(struct reader *reader);
uint16_t reader_get_u16(struct reader *reader);
uint32_t reader_get_u32(struct reader *reader);
uint64_t reader_get_u64(struct reader *reader);
void reader_get_raw(struct reader *reader, void *data, size_t size);

/* A view into the packet; {NULL, 0} if it failed. */
struct text reader_get_text(struct reader *reader, size_t max_size);

/* 0 if all was read and nothing failed, else -1. */
int reader_done(const struct reader *reader);

#endif
