/*
 * What the queue asks of URLs in messages that the account's user hands in
 * (BURL, RFC 4468): whether the URL gives it is decided here, by its token
 * (url_access.h), and what it names is put into memory that nobody can change
 * any more.  One after the other, a few MiB at a time.
 */
#ifndef IMAPD_URL_REQUESTS_H
#define IMAPD_URL_REQUESTS_H

#include "imapd/account_store.h"

#include <stdbool.h>

enum {
	URL_REQUESTS_MAX = 16 /* that wait; more are told to come again */
};

struct url_requests;

struct url_requests *url_requests_new(
    struct event_loop *loop, struct account_store *account);
void url_requests_free(struct url_requests **requests);
/* The worker may end. */
bool url_requests_is_idle(const struct url_requests *requests);

/* The queue's question. */
void url_requests_serve(const struct message_fetch_url *asked, void *context);

#endif
