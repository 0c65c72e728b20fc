/*
 * The one form in which the name of a mailbox is compared and kept: UTF-8 in
 * NFC, INBOX in capitals wherever it is the first level.  Pure.
 */
#ifndef COMMON_MAILBOX_NAME_H
#define COMMON_MAILBOX_NAME_H

#include "common/text.h"

/* To be freed by the caller; NULL: it is not UTF-8. */
char *mailbox_name_normal(struct text name);

#endif
