/*
 * Reads and rewrites the aliases file: bytes in, bytes out, with every line
 * that is not meant kept as it is, comments and order included.  Pure; what a
 * line means is common/alias_parser's.
 */
#ifndef FIRNMAIL_ALIAS_FILE_H
#define FIRNMAIL_ALIAS_FILE_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>

/* Takes lines off `rest` up to the next alias, as it is written; false at the
 * end. `targets` may be cut by text_next with ',' and text_trim. */
bool alias_file_next(
    struct text *rest, struct text *name, struct text *targets);

/* Names are the same in any case. The changed file goes into `to`. 1; 0: there
 * is nothing to change; -1: it does not fit. */

/* More targets for a name, or a new line at the end. */
int alias_file_add(struct text file, const char *name,
    const char *const *targets, size_t count, struct buf *to);

/* Without some targets, or, without the last or if `count` is 0, the line.
 * Targets that it has not: 0. */
int alias_file_remove(struct text file, const char *name,
    const char *const *targets, size_t count, struct buf *to);

#endif
