/*
 * The access keys of an account's mailboxes (RFC 4467 section 2.2), with which
 * URLs are authorized.  They are secrets, and no mail: they stand in a file of
 * the account's home, readable to its worker alone, and never in the snapshot
 * store, where one that was revoked could be brought back.  Whose home is made
 * anew has none, and all URLs that were given out are void.
 *
 * The file: form u8 = 1, then for each key its mailbox's id u64 and 32 random
 * bytes.  It is written whole or not at all, and on disk before anybody is
 * told.
 */
#ifndef IMAPD_MAILBOX_KEYS_H
#define IMAPD_MAILBOX_KEYS_H

#include "common/status.h"
#include "imapd/account_store.h"

enum {
	MAILBOX_KEY_SIZE = 32,
	MAILBOX_KEYS_MAX = 10000 /* of an account */
};

/* The key of that mailbox. STATUS_MISSING: it has none. */
enum status mailbox_key_find(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE]);
/* The same; if there is none, one is made. */
enum status mailbox_key_get(struct account_store *account, uint64_t mailbox,
    uint8_t key[MAILBOX_KEY_SIZE]);
/* A new one in the place of the one that there is; 0: no mailbox has one any
 * more. Sessions that have it selected are told. */
enum status mailbox_key_reset(struct account_store *account, uint64_t mailbox);
/* Tells one from another and nothing else of it; 0: there is none. */
uint64_t mailbox_key_mark(struct account_store *account, uint64_t mailbox);
/* The mailbox is gone. */
void mailbox_key_forget(struct account_store *account, uint64_t mailbox);
void mailbox_keys_free(struct account_store *account);

#endif
