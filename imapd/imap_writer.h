/*
 * The forms in which values go to an IMAP client (RFC 3501 section 9).  Each
 * call appends to a buffer and returns 0, or -1 if it is full.  Pure.
 */
#ifndef IMAPD_IMAP_WRITER_H
#define IMAPD_IMAP_WRITER_H

#include "common/buf.h"
#include "common/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As atom where that is allowed, else quoted, else as a literal. */
int imap_put_astring(struct buf *to, struct text value);
/* Quoted, or as a literal. */
int imap_put_string(struct buf *to, struct text value);
/* A mailbox name: in modified UTF-7, or (RFC 9755) as it is. */
int imap_put_mailbox(struct buf *to, struct text name, bool is_utf8);
/* "(\Seen foo)": FLAG_ bits, keyword bits with the mailbox's names. */
int imap_put_flags(struct buf *to, unsigned int flags, uint64_t keywords,
    const struct text *names, size_t name_count, const char *also);
/* "\" 5-Jan-2026 10:00:00 +0000\"" with its quotes; always UTC. */
int imap_put_date_time(struct buf *to, int64_t seconds);

#endif
