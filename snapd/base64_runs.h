/*
 * Runs of base64 in bytes of any kind: lines of one length and one line end
 * that hold nothing but its 64 characters.  They are what attachments are made
 * of, and most of the bytes of mail.  Nothing here knows of MIME: what looks so
 * is so.
 *
 * A run can be kept as the bytes that it says, and comes back exactly: a line
 * of whole groups of four, none of them padded, can be written in one way only.
 * What is not so (a shorter last line, padding, other line ends, a line too
 * long) is no part of a run and stays as it is.
 *
 * Pure, and bounded on everything: it reads the bytes of any mail.
 */
#ifndef SNAPD_BASE64_RUNS_H
#define SNAPD_BASE64_RUNS_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BASE64_LINE_MIN = 40,
	BASE64_LINE_MAX = 1020,
	BASE64_PACK_LEAST = 2048 /* bytes of a run that base64_pack takes */
};

struct base64_run {
	size_t offset;
	size_t lines;
	uint32_t length; /* of a line: a multiple of 4, without its end */
	uint32_t end;    /* of a line: 1, LF; 2, CRLF */
	size_t tail;     /* bytes of a shorter, perhaps padded line behind it */
};

/* Without its tail. */
size_t base64_run_size(const struct base64_run *run);

/* The first run from `from` (where a line begins) on that has at least `least`
 * bytes: it goes as far as it can in both directions, and each such run is
 * found. */
bool base64_run_find(
    struct text bytes, size_t from, size_t least, struct base64_run *run);

/*
 * The bytes with their runs decoded; false if there is none, or no room.  No
 * larger than what was given, but `to` may grow to twice that.  Little-endian:
 * count u32; for each run, bytes that stand before it u32, lines u32, length of
 * a line / 4 u8, its end u8; then all bytes, those of the runs decoded.
 */
bool base64_pack(struct text bytes, struct buf *to);

/* The other way: exactly `size` bytes, or -1. */
int base64_unpack(struct text packed, uint8_t *to, size_t size);
/* Would exactly these bytes come back? */
bool base64_is_packed(struct text packed, struct text bytes);

#endif
