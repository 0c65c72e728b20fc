/*
 * OpenSSL's way to a socket.  It differs from OpenSSL's own in what a packet
 * and a system call cost: what will be followed by more at once waits for it in
 * the kernel, 0.2 s at most, and who has just read all that was there is not
 * looked for again.  For common/tls*.c only.
 */
#ifndef COMMON_TLS_BIO_H
#define COMMON_TLS_BIO_H

#include <openssl/ssl.h>

#include <stdbool.h>

/* `ssl` reads from and writes to `fd`, which stays the caller's. 0, or -1:
 * OpenSSL has no memory. */
int tls_bio_attach(SSL *ssl, int fd);

/* All that is written from now on is followed by the end of the stream: it goes
 * out with that. */
void tls_bio_expect_end(SSL *ssl);

#endif
