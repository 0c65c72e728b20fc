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

struct imap_deflate;

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

#endif
