/*
 * What the queue knows of the quotas: how much each account that has one holds,
 * as its worker said, and how much more was accepted that is not filed yet.  So
 * a full account is refused at RCPT, also while its worker is not there.  Of an
 * account whose worker has said nothing yet nobody knows: its mail is taken,
 * and filing it has the worker say.  Pure.
 */
#ifndef SMTPD_QUOTA_BOOK_H
#define SMTPD_QUOTA_BOOK_H

#include "common/account.h"

#include <stdbool.h>
#include <stdint.h>

struct quota_book;

struct quota_book *quota_book_new(void);
void quota_book_free(struct quota_book **book);

/* All that is in its mailboxes. */
void quota_book_heard(struct quota_book *book, uint32_t account, uint64_t bytes,
    uint64_t messages);
/* A message was accepted; it is filed, which was heard of before; nothing that
 * was accepted is unfiled any more. */
void quota_book_accepted(
    struct quota_book *book, uint32_t account, uint64_t size);
void quota_book_filed(struct quota_book *book, uint32_t account, uint64_t size);
void quota_book_settled(struct quota_book *book, uint32_t account);

/* Has it room for a message of so many bytes (0: of any size)? */
bool quota_book_has_room(const struct quota_book *book,
    const struct account *account, uint64_t size);

#endif
