/*
 * The compressed form of a session's stream (RFC 4978, RFC 1951 without a
 * head), both ways.  Pure but for memory.
 *
 * It runs in the account's worker, not in the front: what a client compressed
 * is read where he may do harm to his own mail alone.
 */
#ifndef IMAPD_IMAP_DEFLATE_H
#define IMAPD_IMAP_DEFLATE_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>

struct imap_deflate;

enum {
	/* What a client's bytes may refer to (RFC 1951), as it does not
	 * compress, and what stands around that. */
	DEFLATE_STATE_MAX = 32768 + 128
};

struct imap_deflate *imap_deflate_new(void);
void imap_deflate_free(struct imap_deflate **pair);

/* Compresses `plain` and appends it to `to`, which grows by no more than
 * `plain` and a little. */
void imap_deflate_put(
    struct imap_deflate *pair, struct text plain, struct buf *to);
/*
 * The client can read all that was put so far; what comes next is compressed
 * without regard to it.  So the length of an answer tells nothing of what stood
 * in an earlier one, and the memory of this half can be given back.
 */
void imap_deflate_flush(struct imap_deflate *pair, struct buf *to);
/* After a flush: gives that memory back until something is put. */
void imap_deflate_rest(struct imap_deflate *pair);

/* Takes bytes off the front of `packed` and appends what they stand for to
 * `to`, `size` bytes at most. 0, or -1: they are malformed, or say that they
 * are the last ones. */
int imap_deflate_take(struct imap_deflate *pair, struct text *packed,
    size_t size, struct buf *to);

/*
 * Both halves written down, when all that was put is flushed: of what we send
 * nothing is kept, of what the client sent the last 32 KiB, which his next
 * bytes may refer to, compressed.  Where that ends is the last block's end,
 * which may be within a byte, and a few bytes behind it that stand for nothing
 * yet: so it is behind any flush (Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_PARTIAL_FLUSH).
 */

/* Nothing that came is half said, so that this can be done. */
bool imap_deflate_is_between(const struct imap_deflate *pair);
/* Appends it to `to`, DEFLATE_STATE_MAX bytes at most. */
void imap_deflate_save(struct imap_deflate *pair, struct buf *to);
/* NULL: these bytes are no such state. */
struct imap_deflate *imap_deflate_recall(struct text state);

#endif
