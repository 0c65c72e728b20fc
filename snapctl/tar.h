/*
 * A tar archive (POSIX.1-2001: ustar, and a pax header before a name that does
 * not fit) of folders and files that only their owner can read.  Pure: heads
 * and padding are appended to a buffer.
 */
#ifndef SNAPCTL_TAR_H
#define SNAPCTL_TAR_H

#include "common/buf.h"
#include "common/text.h"

#include <stdint.h>

enum {
	TAR_BLOCK = 512,
	TAR_MAX_PATH = 4000,
	TAR_MAX_HEAD = 3 * TAR_BLOCK + TAR_MAX_PATH + 64 /* of one entry */
};

/* The head of a file, whose `size` bytes and padding follow; `time` in seconds
 * since 1970 (1970 for what was before). -1 if the path is too long. */
int tar_put_file(struct text path, uint64_t size, int64_t time, struct buf *to);
int tar_put_folder(struct text path, int64_t time, struct buf *to);

/* Zeros up to the next block, behind a file of `size` bytes. */
int tar_put_padding(uint64_t size, struct buf *to);

/* The end of an archive. */
int tar_put_end(struct buf *to);

#endif
