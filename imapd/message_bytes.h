/*
 * The bytes of one message that comes in, in the form that they will have in
 * its file: LF line ends if every line end is CRLF, else exactly as they came.
 * In memory as long as they fit in a packet to the store, else in a sealed
 * memfd.  Pure but for that.
 */
#ifndef IMAPD_MESSAGE_BYTES_H
#define IMAPD_MESSAGE_BYTES_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_bytes {
	struct buf bytes; /* in the form below, as long as fd is -1 */
	int fd;
	uint64_t fd_size;
	uint64_t wire_size; /* with CRLF line ends */
	uint8_t form;       /* FORM_LF or FORM_EXACT */
	bool wire_after_cr; /* private, as are those below */
	bool has_cr;        /* a CR that waits for its LF */
	bool has_failed;
};

void message_bytes_init(struct message_bytes *message);
/* Closes fd, unless whoever took it put -1 there. */
void message_bytes_clear(struct message_bytes *message);

/* 0, or -1 if there is no room; then all later calls say so as well. */
int message_bytes_write(
    struct message_bytes *message, const void *data, size_t size);
/* After the last byte: as above. */
int message_bytes_seal(struct message_bytes *message);

/* As stored. */
uint64_t message_bytes_size(const struct message_bytes *message);
/* Those in memory; without data if they are in fd. */
struct text message_bytes_text(const struct message_bytes *message);

#endif
