/*
 * An OpenSSL 3 provider whose keys have a public half only: a signature is
 * asked for from a tls_signer.  Used by tls.c alone.
 */
#ifndef COMMON_TLS_PROVIDER_H
#define COMMON_TLS_PROVIDER_H

#include "common/tls.h"

#include <openssl/evp.h>

/* Adds the provider to `library`. 0, or -1. */
int tls_provider_load(OSSL_LIB_CTX *library);

/* A key that looks private to libssl, for the public key `public`; NULL if it
 * cannot be made. `signer` must outlive it. */
EVP_PKEY *tls_provider_key(OSSL_LIB_CTX *library, EVP_PKEY *public,
    uint32_t number, const struct tls_signer *signer);

#endif
