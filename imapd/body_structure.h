/*
 * The text of IMAP's BODY and BODYSTRUCTURE (RFC 3501 7.4.2) from the tree
 * of a message's parts, outer parentheses included.
 */
#ifndef IMAPD_BODY_STRUCTURE_H
#define IMAPD_BODY_STRUCTURE_H

#include "common/buf.h"
#include "common/mime_parser.h"
#include "common/pool.h"
#include "common/text.h"

/* BODY and BODYSTRUCTURE, each as IMAP4rev1 has it; if message/global is among
 * the parts a NUL follows, and what IMAP4rev2 has (RFC 9051 7.5.2, RFC 9755 6).
 * 0, or -1 if one of them is full. */
int body_structure_format(const struct mime_part *root, struct pool *pool,
    struct buf *body, struct buf *structure);

/* The one of both that a session wants. */
struct text body_structure_form(struct text forms, bool is_rev2);

#endif
