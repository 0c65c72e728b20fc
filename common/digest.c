/*
 * SHA-256: see digest.h.  The context is made once, because fetching it costs
 * more than a small hash does.
 */
#include "common/digest.h"

#include "common/log.h"
#include "common/memory.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

struct digest {
	EVP_MD_CTX *context;
	EVP_MD *sha256;
};

void
digest_prepare(void)
{
	struct digest *first;

	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		fatal("libcrypto does not start");
	first = digest_new();
	digest_free(&first);
}

struct digest *
digest_new(void)
{
	struct digest *digest = memory_new(1, sizeof(*digest));

	digest->context = EVP_MD_CTX_new();
	digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (digest->context == NULL || digest->sha256 == NULL)
		fatal("libcrypto has no SHA-256");
	return digest;
}

void
digest_free(struct digest **digest)
{
	if (*digest == NULL)
		return;
	EVP_MD_CTX_free((*digest)->context);
	EVP_MD_free((*digest)->sha256);
	memory_free(digest);
}

void
digest_start(struct digest *digest)
{
	if (EVP_DigestInit_ex2(digest->context, digest->sha256, NULL) != 1)
		fatal("SHA-256 does not start");
}

void
digest_add(struct digest *digest, const void *data, size_t size)
{
	if (EVP_DigestUpdate(digest->context, data, size) != 1)
		fatal("SHA-256 failed");
}

struct hash
digest_finish(struct digest *digest)
{
	struct hash hash;

	if (EVP_DigestFinal_ex(digest->context, hash.bytes, NULL) != 1)
		fatal("SHA-256 failed");
	return hash;
}

struct hash
digest_of(struct digest *digest, const void *data, size_t size)
{
	digest_start(digest);
	digest_add(digest, data, size);
	return digest_finish(digest);
}
