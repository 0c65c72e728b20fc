/*
 * See aead.h.
 */
#include "common/aead.h"

#include "common/log.h"
#include "common/memory.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

enum {
	MAX_DERIVE = 128 /* bytes of label and context */
};

struct aead {
	EVP_CIPHER_CTX *context;
	EVP_CIPHER *gcm;
};

struct aead *
aead_new(void)
{
	struct aead *aead = memory_new(1, sizeof(*aead));

	aead->context = EVP_CIPHER_CTX_new();
	aead->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (aead->context == NULL || aead->gcm == NULL)
		fatal("libcrypto has no AES-256-GCM");
	return aead;
}

void
aead_free(struct aead **aead)
{
	if (*aead == NULL)
		return;
	EVP_CIPHER_CTX_free((*aead)->context);
	EVP_CIPHER_free((*aead)->gcm);
	memory_free(aead);
}

static int
failed(struct error *error)
{
	return error_set(error, ERROR_SYSTEM, "AES-256-GCM failed");
}

int
aead_seal(struct aead *aead, const struct aead_key *key, const uint8_t *nonce,
    struct text bound, struct text plain, uint8_t *to, struct error *error)
{
	EVP_CIPHER_CTX *context = aead->context;
	int size;

	if (EVP_EncryptInit_ex2(context, aead->gcm, key->bytes, nonce, NULL) !=
		1 ||
	    EVP_EncryptUpdate(context, NULL, &size, (const uint8_t *)bound.data,
		(int)bound.size) != 1 ||
	    EVP_EncryptUpdate(context, to, &size, (const uint8_t *)plain.data,
		(int)plain.size) != 1 ||
	    EVP_EncryptFinal_ex(context, to + size, &size) != 1 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE,
		to + plain.size) != 1)
		return failed(error);
	return 0;
}

int
aead_open(struct aead *aead, const struct aead_key *key, const uint8_t *nonce,
    struct text bound, struct text sealed, uint8_t *to, struct error *error)
{
	EVP_CIPHER_CTX *context = aead->context;
	uint8_t tag[AEAD_TAG_SIZE];
	int size, left;

	if (sealed.size < AEAD_TAG_SIZE)
		return error_set(error, ERROR_DAMAGED, "cut");
	sealed.size -= AEAD_TAG_SIZE;
	memcpy(tag, sealed.data + sealed.size, sizeof(tag));
	if (EVP_DecryptInit_ex2(context, aead->gcm, key->bytes, nonce, NULL) !=
		1 ||
	    EVP_CIPHER_CTX_ctrl(
		context, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) != 1 ||
	    EVP_DecryptUpdate(context, NULL, &size, (const uint8_t *)bound.data,
		(int)bound.size) != 1 ||
	    EVP_DecryptUpdate(context, to, &size, (const uint8_t *)sealed.data,
		(int)sealed.size) != 1)
		return failed(error);
	if (EVP_DecryptFinal_ex(context, to + size, &left) != 1)
		return error_set(error, ERROR_DAMAGED, "wrong key or altered");
	return 0;
}

int
aead_derive(const struct aead_key *key, const char *label, struct text context,
    struct aead_key *to, struct error *error)
{
	size_t label_size = strlen(label) + 1;
	uint8_t input[MAX_DERIVE];
	unsigned int size = 0;

	if (label_size + context.size > sizeof(input))
		return error_set(error, ERROR_LIMIT, "key derivation");
	memcpy(input, label, label_size);
	memcpy(input + label_size, context.data, context.size);
	if (HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes), input,
		label_size + context.size, to->bytes, &size) == NULL ||
	    size != sizeof(to->bytes))
		return error_set(error, ERROR_SYSTEM, "HMAC failed");
	return 0;
}

int
aead_random(void *to, size_t size, struct error *error)
{
	return getrandom(to, size, 0) == (ssize_t)size
		   ? 0
		   : error_set_errno(error, "getrandom");
}
