/*
 * A self-signed certificate for `tls auto`, until a real one takes its place:
 * ECDSA P-256, for the host's name, valid for ten years.
 */
#ifndef FIRNMAIL_CERTIFICATE_H
#define FIRNMAIL_CERTIFICATE_H

#include "common/buf.h"
#include "common/error.h"

/* Appends the certificate and its key as PEM. `key` must be wiped. */
int certificate_make(const char *host, struct buf *certificate, struct buf *key,
    struct error *error);

#endif
