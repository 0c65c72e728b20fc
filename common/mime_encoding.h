/*
 * Content-Transfer-Encodings (RFC 2045) in both directions, streaming, and
 * the encoded words of RFC 2047 and parameters of RFC 2231 as UTF-8.
 * Decoders are tolerant: what is no valid code is skipped (base64) or taken
 * as it stands (quoted-printable).
 */
#ifndef COMMON_MIME_ENCODING_H
#define COMMON_MIME_ENCODING_H

#include "common/buf.h"
#include "common/pool.h"
#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum mime_encoding {
	MIME_ENCODING_IDENTITY, /* 7bit, 8bit, binary, unknown */
	MIME_ENCODING_BASE64,
	MIME_ENCODING_QUOTED_PRINTABLE
};

enum mime_encoding mime_encoding_find(struct text name);

/* Zeroed before the first byte. */
struct mime_decoder {
	enum mime_encoding encoding;
	uint32_t bits;      /* private */
	uint8_t bit_count;  /* private */
	uint8_t held_count; /* private */
	char held[80];      /* private */
};

/* Appends what `data` decodes to; 0, or -1 if `out` is full. */
int mime_decode(
    struct mime_decoder *decoder, struct text data, struct buf *out);
int mime_decode_end(struct mime_decoder *decoder, struct buf *out);

struct mime_encoder {
	enum mime_encoding encoding;
	uint8_t column;     /* private */
	uint8_t held_count; /* private */
	uint8_t held[3];    /* private */
};

/* Encodes with CRLF after 76 columns; quoted-printable takes CRLF in `data`
 * as a line end and encodes any other CR or LF. */
int mime_encode(
    struct mime_encoder *encoder, struct text data, struct buf *out);
int mime_encode_end(struct mime_encoder *encoder, struct buf *out);

/* An unstructured value (unfolded or not) with its encoded words decoded,
 * as UTF-8: bytes that are neither become U+FFFD. 0, or -1 if `out` is full.
 */
int mime_decode_words(struct text value, struct buf *out);

/* Parameter `name` of a Content-Type or Content-Disposition value as UTF-8,
 * RFC 2231's continuations and charsets and encoded words included; data
 * NULL if there is none. */
struct text mime_parameter_find(
    struct text value, const char *name, struct pool *pool);

#endif
