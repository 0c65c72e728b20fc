/*
 * A self-signed certificate for `tls auto`, until a real one takes its place:
 * ECDSA P-256, for the host's name, valid for ten years.
 */
#ifndef FIRNMAIL_CERTIFICATE_H
#define FIRNMAIL_CERTIFICATE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/messages.h"

/* Appends the certificate and its key as PEM. `key` must be wiped. */
int certificate_make(const char *host, struct buf *certificate, struct buf *key,
    struct error *error);

/* SHA-256 of the public key (SubjectPublicKeyInfo, RFC 6698 section 2.1) of the
 * first certificate of a chain. 0, or -1 if there is none. */
int certificate_key_hash(const char *pem, struct hash *hash);

#endif
