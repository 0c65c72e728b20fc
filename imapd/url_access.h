/*
 * Whether an URL may be shown to who has it (URLAUTH, RFC 4467): its token is
 * checked with the key of its mailbox, then its date and its access identifier.
 *
 * A token is one byte, 1, that says how the other 16 were made: two SipHash-2-4
 * of the rump under the two halves of the key.  Each is a keyed function with a
 * key of 128 bits that nobody but the worker has, so that guessing is all that
 * is left, against 128 bits; and the worker needs no cryptographic library.
 */
#ifndef IMAPD_URL_ACCESS_H
#define IMAPD_URL_ACCESS_H

#include "imapd/imap_url.h"
#include "imapd/mailbox_keys.h"

enum {
	URL_TOKEN_SIZE = 2 * 17 + 1 /* as text, with its NUL */
};

/* Pure. */
void url_token_make(const uint8_t key[MAILBOX_KEY_SIZE], struct text rump,
    char token[URL_TOKEN_SIZE]);
/* How long it takes does not tell how much of it is right. */
bool url_token_is_right(
    const uint8_t key[MAILBOX_KEY_SIZE], struct text rump, struct text token);

/* The id of the URL's mailbox, which is there; 0. */
uint64_t url_access_mailbox(
    struct account_store *account, const struct imap_url *url);
/* Its server is this one. */
bool url_access_is_here(
    const struct account_store *account, const struct imap_url *url);
/* Its user is the account's. */
bool url_access_is_owned(
    const struct account_store *account, const struct imap_url *url);

enum url_use {
	URL_USE_FETCH, /* by a session of the account */
	URL_USE_SUBMIT /* in a message that the account's user hands in */
};

/* It has a token for this account that is right at `now` and for this use. */
bool url_access_is_given(struct account_store *account,
    const struct imap_url *url, enum url_use use, int64_t now);

#endif
