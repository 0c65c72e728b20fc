/*
 * Names of the special uses of mailboxes (RFC 6154).
 */
#ifndef IMAPD_SPECIAL_USE_H
#define IMAPD_SPECIAL_USE_H

#include "common/buf.h"
#include "common/text.h"

#include <stdint.h>

/* The bit of a name without its backslash, 0 if there is none. */
uint32_t special_use_find(struct text name);
/* "\\Drafts \\Sent" with `separator` in front; 0, or -1 if `to` is full. */
int special_use_put(
    struct buf *to, uint32_t special_use, const char *separator);

#endif
