/*
 * The text of IMAP's BODY and BODYSTRUCTURE (RFC 3501 7.4.2) from the tree
 * of a message's parts, outer parentheses included.
 */
#ifndef IMAPD_BODY_STRUCTURE_H
#define IMAPD_BODY_STRUCTURE_H

#include "common/buf.h"
#include "common/mime_parser.h"
#include "common/pool.h"

/* BODY and BODYSTRUCTURE.  0, or -1 if one of them is full. */
int body_structure_format(const struct mime_part *root, struct pool *pool,
    struct buf *body, struct buf *structure);

#endif
