/*
 * A false lower half of the worker for tests of sessions: mailboxes in memory
 * behind the functions of imapd/account_store.h and imapd/mailbox.h.
 */
#ifndef TESTS_UNIT_FALSE_ACCOUNT_H
#define TESTS_UNIT_FALSE_ACCOUNT_H

#include "common/status.h"
#include "imapd/account_store.h"
#include "imapd/imap_session.h"

/* An account with INBOX, which has the messages that were given. */
struct account_store *false_account_new(struct event_loop *loop);
void false_account_free(struct account_store **account);
/* One more message in INBOX, as if delivered: views are told. */
void false_account_deliver(struct account_store *account, const char *message);
/* Every change is refused with `status` from now on (STATUS_OK: none). */
void false_account_refuse(struct account_store *account, enum status status);
/* Bodies come from the loop, as if from the store, in all accounts. */
void false_account_read_later(bool is_later);
/* Who was said to ask for the last change. */
const struct change_note *false_account_noted(
    const struct account_store *account);
/* What a session of its owner begins with, behind the front. */
struct session_start false_account_session(int fd);
/* A row that another session removed. */
void false_account_expunge(struct account_store *account, uint32_t uid);

#endif
