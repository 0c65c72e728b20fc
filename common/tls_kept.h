/*
 * Sessions of TLS that a client may resume, each under what was demanded of it:
 * a resumed session shows no certificate, so that it must not serve where more,
 * or something else, would have to be shown.  In memory only.  For
 * common/tls_client.c.
 */
#ifndef COMMON_TLS_KEPT_H
#define COMMON_TLS_KEPT_H

#include "common/tls_client.h"

#include <openssl/ssl.h>

struct tls_kept;

struct tls_kept *tls_kept_new(void);
void tls_kept_free(struct tls_kept **kept);

/* The key of a wish, the caller's to free; NULL if it must not be resumed. */
struct buf *tls_kept_key(const struct tls_wish *wish);

/* Takes the session over, instead of the one that was there. */
void tls_kept_put(
    struct tls_kept *kept, const struct buf *key, SSL_SESSION *session);
/* One to be offered, the caller's reference, or NULL. One of TLS 1.3 serves
 * once; none serves longer than an hour. */
SSL_SESSION *tls_kept_take(struct tls_kept *kept, const struct buf *key);
void tls_kept_forget(struct tls_kept *kept, const struct buf *key);
size_t tls_kept_count(const struct tls_kept *kept);

#endif
