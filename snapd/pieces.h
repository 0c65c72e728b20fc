/*
 * Where a body is cut into pieces: around each run of base64 that is worth a
 * blob of its own, so that an attachment which comes again, in another message
 * of the account, is kept once.  The bytes decide, and they alone: the same run
 * gives the same piece wherever it stands.  Pure.
 *
 * No piece would be cut again: what stands between runs has none, and a body
 * that is nothing but one run stays whole.
 */
#ifndef SNAPD_PIECES_H
#define SNAPD_PIECES_H

#include "common/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	PIECE_LEAST = 16 << 10, /* bytes of a run */
	PIECES_MAX = 4096       /* of a body; with more it stays whole */
};

struct piece_span {
	size_t offset;
	size_t size;
	bool is_run;
};

/* They follow each other and are all of it; how many, 0 if it stays whole. The
 * caller frees. */
size_t pieces_cut(struct text bytes, struct piece_span **spans);

#endif
