/*
 * Private keys as OpenSSL holds them.  What may be signed is decided by
 * sign_block.c before a key is touched; there is no decryption and no way to
 * sign a digest that was made elsewhere.
 */
#include "keyd/keys.h"

#include "common/buf.h"
#include "common/file.h"
#include "common/memory.h"
#include "common/settings.h"
#include "keyd/sign_block.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdbool.h>
#include <string.h>

enum {
	KEY_FILE_MAX_BYTES = 32768
};

enum key_kind {
	KEY_P256 = 1,
	KEY_P384 = 2,
	KEY_RSA = 4
};

struct key {
	EVP_PKEY *private;
	enum key_kind kind;
};

struct keys {
	size_t count;
	struct key keys[SETTINGS_MAX_KEYS];
};

/* RFC 8446 4.2.3. In TLS 1.3 a curve goes with one hash, and RSA is PSS. */
static const struct scheme {
	uint16_t number;
	const char *digest;
	bool is_pss;
	int kinds_tls13;
	int kinds_tls12;
} schemes[] = {
	{ 0x0403, "SHA256", false, KEY_P256, KEY_P256 | KEY_P384 },
	{ 0x0503, "SHA384", false, KEY_P384, KEY_P256 | KEY_P384 },
	{ 0x0804, "SHA256", true, KEY_RSA, KEY_RSA },
	{ 0x0805, "SHA384", true, KEY_RSA, KEY_RSA },
	{ 0x0806, "SHA512", true, KEY_RSA, KEY_RSA },
	{ 0x0401, "SHA256", false, 0, KEY_RSA },
	{ 0x0501, "SHA384", false, 0, KEY_RSA },
	{ 0x0601, "SHA512", false, 0, KEY_RSA },
};

struct keys *
keys_new(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	return memory_new(1, sizeof(struct keys));
}

void
keys_free(struct keys **keys)
{
	if (*keys == NULL)
		return;
	for (size_t i = 0; i < (*keys)->count; i++)
		EVP_PKEY_free((*keys)->keys[i].private);
	memory_free(keys);
}

/* 0 for a key that we do not take. */
static int
kind_of(EVP_PKEY *key)
{
	char group[40] = "";
	size_t size;

	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= 2048 &&
			       EVP_PKEY_get_bits(key) <= 8192
			   ? KEY_RSA
			   : 0;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &size) != 1)
		return 0;
	if (strcmp(group, "prime256v1") == 0)
		return KEY_P256;
	return strcmp(group, "secp384r1") == 0 ? KEY_P384 : 0;
}

/* A key with a passphrase must not ask a terminal for it. */
static int
no_passphrase(char *to, int size, int is_writing, void *context)
{
	return -1;
}

static EVP_PKEY *
read_key(const struct buf *pem)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	EVP_PKEY *key = bio == NULL ? NULL
				    : PEM_read_bio_PrivateKey(
					  bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	ERR_clear_error();
	return key;
}

int
keys_add(struct keys *keys, int fd, struct error *error)
{
	EVP_PKEY *private = NULL;
	struct buf pem;
	int kind;

	if (keys->count == SETTINGS_MAX_KEYS)
		return error_set(error, ERROR_LIMIT, "too many keys");
	buf_init(&pem, KEY_FILE_MAX_BYTES);
	if (file_read_all(fd, &pem, error) == -1) {
		buf_clear(&pem);
		return -1;
	}
	if (pem.size > 0) {
		private = read_key(&pem);
		explicit_bzero(pem.data, pem.size);
	}
	buf_clear(&pem);
	if (private == NULL)
		return error_set(error, ERROR_INPUT,
		    "key %zu is not a PEM key without a passphrase",
		    keys->count);
	kind = kind_of(private);
	if (kind == 0) {
		EVP_PKEY_free(private);
		return error_set(error, ERROR_REFUSED,
		    "key %zu is not ECDSA P-256 or P-384 or RSA >= 2048",
		    keys->count);
	}
	keys->keys[keys->count++] =
	    (struct key){ private, (enum key_kind)kind };
	return 0;
}

static const struct scheme *
find_scheme(uint16_t number)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].number == number)
			return &schemes[i];
	return NULL;
}

static int
sign(const struct key *key, const struct scheme *scheme, struct text block,
    uint8_t *signature, size_t *signature_size)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding = NULL;
	int ok =
	    context != NULL &&
	    EVP_DigestSignInit_ex(context, &padding, scheme->digest, NULL, NULL,
		key->private, NULL) == 1 &&
	    (!scheme->is_pss || (EVP_PKEY_CTX_set_rsa_padding(
				     padding, RSA_PKCS1_PSS_PADDING) == 1 &&
				    EVP_PKEY_CTX_set_rsa_pss_saltlen(padding,
					RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_DigestSign(context, signature, signature_size,
		(const unsigned char *)block.data, block.size) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return ok ? 0 : -1;
}

enum status
keys_sign(struct keys *keys, uint32_t number, uint16_t scheme_number,
    struct text block, uint8_t signature[KEYS_MAX_SIGNATURE],
    size_t *signature_size)
{
	const struct scheme *scheme = find_scheme(scheme_number);
	enum sign_block form = sign_block_find(block);
	const struct key *key;
	int kinds;

	if (number >= keys->count)
		return STATUS_MISSING;
	if (form == SIGN_BLOCK_NONE || scheme == NULL)
		return STATUS_REFUSED;
	key = &keys->keys[number];
	kinds = form == SIGN_BLOCK_TLS13 ? scheme->kinds_tls13
					 : scheme->kinds_tls12;
	if ((kinds & (int)key->kind) == 0)
		return STATUS_REFUSED;
	*signature_size = KEYS_MAX_SIGNATURE;
	return sign(key, scheme, block, signature, signature_size) == 0
		   ? STATUS_OK
		   : STATUS_UNAVAILABLE;
}
