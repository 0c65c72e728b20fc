/*
 * See recovery_key.h.
 */
#include "common/recovery_key.h"

#include "common/log.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

enum {
	MAX_LABEL = 61
};

int
recovery_key_make(uint8_t private_key[RECOVERY_KEY_SIZE],
    uint8_t public_key[RECOVERY_KEY_SIZE], struct error *error)
{
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	size_t private_size = RECOVERY_KEY_SIZE, public_size = private_size;
	int result = -1;

	if (pair != NULL &&
	    EVP_PKEY_get_raw_private_key(pair, private_key, &private_size) ==
		1 &&
	    EVP_PKEY_get_raw_public_key(pair, public_key, &public_size) == 1)
		result = 0;
	EVP_PKEY_free(pair);
	return result == 0 ? 0
			   : error_set(error, ERROR_SYSTEM, "no X25519 key");
}

int
recovery_key_public(const uint8_t private_key[RECOVERY_KEY_SIZE],
    uint8_t public_key[RECOVERY_KEY_SIZE], struct error *error)
{
	EVP_PKEY *pair = EVP_PKEY_new_raw_private_key_ex(
	    NULL, "X25519", NULL, private_key, RECOVERY_KEY_SIZE);
	size_t size = RECOVERY_KEY_SIZE;
	int result = -1;

	if (pair != NULL &&
	    EVP_PKEY_get_raw_public_key(pair, public_key, &size) == 1)
		result = 0;
	EVP_PKEY_free(pair);
	return result == 0 ? 0 : error_set(error, ERROR_INPUT, "no X25519 key");
}

bool
recovery_key_is_set(const uint8_t public_key[RECOVERY_KEY_SIZE])
{
	static const uint8_t zeros[RECOVERY_KEY_SIZE];

	return memcmp(public_key, zeros, sizeof(zeros)) != 0;
}

static int
agree(const uint8_t *private_key, const uint8_t *public_key, uint8_t *shared,
    struct error *error)
{
	EVP_PKEY *own = EVP_PKEY_new_raw_private_key_ex(
	    NULL, "X25519", NULL, private_key, RECOVERY_KEY_SIZE);
	EVP_PKEY *other = EVP_PKEY_new_raw_public_key_ex(
	    NULL, "X25519", NULL, public_key, RECOVERY_KEY_SIZE);
	EVP_PKEY_CTX *context =
	    own != NULL ? EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL) : NULL;
	size_t size = RECOVERY_KEY_SIZE;
	int result = -1;

	/* A shared secret of zeros is refused by libcrypto. */
	if (context != NULL && other != NULL &&
	    EVP_PKEY_derive_init(context) == 1 &&
	    EVP_PKEY_derive_set_peer(context, other) == 1 &&
	    EVP_PKEY_derive(context, shared, &size) == 1 &&
	    size == RECOVERY_KEY_SIZE)
		result = 0;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(other);
	EVP_PKEY_free(own);
	return result == 0 ? 0
			   : error_set(error, ERROR_DAMAGED, "X25519 failed");
}

/* HKDF-SHA-256 over the shared secret, with both public halves as salt. */
static int
derive(const uint8_t *shared, const char *label, const uint8_t *once,
    const uint8_t *recovery, struct aead_key *key, struct error *error)
{
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = hkdf != NULL ? EVP_KDF_CTX_new(hkdf) : NULL;
	uint8_t salt[2 * RECOVERY_KEY_SIZE], secret[RECOVERY_KEY_SIZE];
	char hash[] = "SHA256", info[MAX_LABEL];
	size_t info_size = strlen(label) + 1;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(
				    "digest", hash, 0),
		OSSL_PARAM_construct_octet_string("key", secret, 32),
		OSSL_PARAM_construct_octet_string("salt", salt, sizeof(salt)),
		OSSL_PARAM_construct_octet_string("info", info, info_size),
		OSSL_PARAM_construct_end() };
	int result = -1;

	if (info_size > sizeof(info))
		fatal("a label of %zu bytes", info_size);
	memcpy(secret, shared, sizeof(secret));
	memcpy(salt, once, RECOVERY_KEY_SIZE);
	memcpy(salt + RECOVERY_KEY_SIZE, recovery, RECOVERY_KEY_SIZE);
	memcpy(info, label, info_size);
	if (context != NULL && EVP_KDF_derive(context, key->bytes,
				   sizeof(key->bytes), params) == 1)
		result = 0;
	OPENSSL_cleanse(secret, sizeof(secret));
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
	return result == 0 ? 0 : error_set(error, ERROR_SYSTEM, "HKDF failed");
}

int
recovery_key_offer(const uint8_t public_key[RECOVERY_KEY_SIZE],
    const char *label, uint8_t *once, struct aead_key *key, struct error *error)
{
	uint8_t own[RECOVERY_KEY_SIZE], shared[RECOVERY_KEY_SIZE];
	int result;

	result = recovery_key_make(own, once, error);
	if (result == 0)
		result = agree(own, public_key, shared, error);
	if (result == 0)
		result = derive(shared, label, once, public_key, key, error);
	OPENSSL_cleanse(own, sizeof(own));
	OPENSSL_cleanse(shared, sizeof(shared));
	return result;
}

int
recovery_key_accept(const uint8_t private_key[RECOVERY_KEY_SIZE],
    const char *label, const uint8_t *once, struct aead_key *key,
    struct error *error)
{
	uint8_t public_key[RECOVERY_KEY_SIZE], shared[RECOVERY_KEY_SIZE];
	int result;

	result = recovery_key_public(private_key, public_key, error);
	if (result == 0)
		result = agree(private_key, once, shared, error);
	if (result == 0)
		result = derive(shared, label, once, public_key, key, error);
	OPENSSL_cleanse(shared, sizeof(shared));
	return result;
}

int
recovery_key_parse(struct text text, uint8_t private_key[RECOVERY_KEY_SIZE])
{
	char hex[2 * RECOVERY_KEY_SIZE + 1];
	size_t i, n = 0;
	int result;

	for (i = 0; i < text.size && n < sizeof(hex); i++)
		if (memchr("- \t\r\n", text.data[i], 5) == NULL)
			hex[n++] = text.data[i];
	result =
	    text_parse_hex(text_make(hex, n), private_key, RECOVERY_KEY_SIZE);
	OPENSSL_cleanse(hex, sizeof(hex));
	return result;
}
