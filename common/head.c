/*
 * Ed25519 over heads: see head.h.
 */
#include "common/head.h"

#include "common/codec.h"

#include <openssl/evp.h>
#include <string.h>

static const char head_context[] = "firnmail head 1";

enum {
	TO_SIGN_SIZE = sizeof(head_context) + 16 + HEAD_SIGNED_SIZE
};

int
head_key_make(struct head_key *key, struct error *error)
{
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t private_size = HEAD_KEY_SIZE, public_size = HEAD_KEY_SIZE;
	int result = -1;

	if (pair != NULL &&
	    EVP_PKEY_get_raw_private_key(
		pair, key->private_key, &private_size) == 1 &&
	    EVP_PKEY_get_raw_public_key(pair, key->public_key, &public_size) ==
		1)
		result = 0;
	EVP_PKEY_free(pair);
	return result == 0 ? 0
			   : error_set(error, ERROR_SYSTEM, "no Ed25519 key");
}

static void
put_to_sign(const struct store_id *store, const uint8_t *head, uint8_t *to_sign)
{
	memcpy(to_sign, head_context, sizeof(head_context));
	to_sign += sizeof(head_context);
	memcpy(to_sign, store->bytes, sizeof(store->bytes));
	memcpy(to_sign + sizeof(store->bytes), head, HEAD_SIGNED_SIZE);
}

int
head_sign(const struct head *head, const struct head_key *key,
    const struct store_id *store, uint8_t *to, struct error *error)
{
	uint8_t to_sign[TO_SIGN_SIZE];
	size_t size = HEAD_SIGNATURE_SIZE;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *signer;
	struct writer w;
	int result = -1;

	writer_init(&w, to, HEAD_SIGNED_SIZE);
	writer_put_u8(&w, 1);
	writer_put_u64(&w, head->wall_us);
	writer_put_u64(&w, head->guard_us);
	writer_put_u64(&w, head->incarnation);
	writer_put_u64(&w, head->events);
	writer_put_raw(&w, head->root.bytes, sizeof(head->root.bytes));
	writer_put_raw(&w, head->previous.bytes, sizeof(head->previous.bytes));
	put_to_sign(store, to, to_sign);
	signer = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, key->private_key, HEAD_KEY_SIZE);
	if (context != NULL && signer != NULL &&
	    EVP_DigestSignInit(context, NULL, NULL, NULL, signer) == 1 &&
	    EVP_DigestSign(context, to + HEAD_SIGNED_SIZE, &size, to_sign,
		sizeof(to_sign)) == 1 &&
	    size == HEAD_SIGNATURE_SIZE)
		result = 0;
	EVP_PKEY_free(signer);
	EVP_MD_CTX_free(context);
	return result == 0
		   ? 0
		   : error_set(error, ERROR_SYSTEM, "a head was not signed");
}

int
head_decode(struct text value, struct head *head, struct error *error)
{
	struct reader r;

	reader_init(&r, value.data, value.size);
	if (value.size != HEAD_SIZE || reader_get_u8(&r) != 1)
		return error_set(error, ERROR_INPUT, "malformed head");
	head->wall_us = reader_get_u64(&r);
	head->guard_us = reader_get_u64(&r);
	head->incarnation = reader_get_u64(&r);
	head->events = reader_get_u64(&r);
	reader_get_raw(&r, head->root.bytes, sizeof(head->root.bytes));
	reader_get_raw(&r, head->previous.bytes, sizeof(head->previous.bytes));
	return 0;
}

bool
head_check_signature(const uint8_t *public_key, const uint8_t *signature,
    struct text signed_bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *signer = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, public_key, HEAD_KEY_SIZE);
	bool holds;

	holds = context != NULL && signer != NULL &&
		EVP_DigestVerifyInit(context, NULL, NULL, NULL, signer) == 1 &&
		EVP_DigestVerify(context, signature, HEAD_SIGNATURE_SIZE,
		    (const uint8_t *)signed_bytes.data, signed_bytes.size) == 1;
	EVP_PKEY_free(signer);
	EVP_MD_CTX_free(context);
	return holds;
}

int
head_check(struct text value, const uint8_t *public_key,
    const struct store_id *store, struct error *error)
{
	const uint8_t *p = (const uint8_t *)value.data;
	uint8_t to_sign[TO_SIGN_SIZE];

	if (value.size != HEAD_SIZE)
		return error_set(error, ERROR_DAMAGED, "malformed head");
	put_to_sign(store, p, to_sign);
	if (head_check_signature(public_key, p + HEAD_SIGNED_SIZE,
		text_make(to_sign, sizeof(to_sign))))
		return 0;
	return error_set(error, ERROR_DAMAGED, "a head has a wrong signature");
}
