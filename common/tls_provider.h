/*
 * An OpenSSL 3 provider whose keys have a public half only: a signature is
 * asked for from a tls_signer.  Used by tls.c alone.
 */
#ifndef COMMON_TLS_PROVIDER_H
#define COMMON_TLS_PROVIDER_H

#include "common/tls.h"

#include <openssl/evp.h>
#include <openssl/provider.h>

struct tls_providers {
	OSSL_PROVIDER *system;
	OSSL_PROVIDER *own;
};

/* Adds OpenSSL's own provider and ours to `library`. 0, or -1; unloaded in
 * either case, after everything made with them and before the library. */
int tls_provider_load(OSSL_LIB_CTX *library, struct tls_providers *providers);
void tls_provider_unload(struct tls_providers *providers);

/* A key that looks private to libssl, for the public key `public`; NULL if it
 * cannot be made. `signer` must outlive it. */
EVP_PKEY *tls_provider_key(OSSL_LIB_CTX *library, EVP_PKEY *public,
    uint32_t number, const struct tls_signer *signer);

#endif
