/*
 * BINARY (RFC 3516): the content of a part without its transfer encoding, a
 * chunk at a time, whatever its size.  Reads a message's file, keeps no more
 * than a chunk.
 */
#ifndef IMAPD_FETCH_BINARY_H
#define IMAPD_FETCH_BINARY_H

#include "common/mime_encoding.h"
#include "imapd/fetch_body.h"

enum {
	FETCH_BINARY_CHUNK = 32 * 1024 /* of the file */
};

struct fetch_binary {
	int fd; /* the caller's */
	uint64_t offset;
	uint64_t end;
	struct line_ends line_ends;
	struct mime_decoder decoder;
};

/* The encoding that a part's header names; false if it is unknown to us. */
bool fetch_binary_encoding(struct text header, enum mime_encoding *encoding);

void fetch_binary_begin(struct fetch_binary *binary, int fd,
    const struct mime_span *span, enum mime_encoding encoding);
/* Appends what the next chunk stands for: 1, 0 if it was the last one, or -1 if
 * the file ends too early. */
int fetch_binary_next(struct fetch_binary *binary, struct buf *out);

#endif
