/*
 * See sealed_secret.h.
 */
#include "common/sealed_secret.h"

#include "common/codec.h"

#include <openssl/crypto.h>
#include <string.h>

enum {
	MAGIC_SIZE = 8,
	KEY_ID_SIZE = 8,
	FORM = 1
};

static const char magic[] = "FIRNSEAL";
static const char label[] = "firnmail sealed secret 1";
/* Each key seals one thing. */
static const uint8_t nonce[AEAD_NONCE_SIZE];

int
sealed_secret_make(struct text name, struct text secret,
    const uint8_t public_key[RECOVERY_KEY_SIZE], struct buf *to,
    struct error *error)
{
	uint8_t head[SEALED_SECRET_HEAD_MAX], once[RECOVERY_KEY_SIZE];
	struct aead *aead;
	struct aead_key key;
	struct writer w;
	uint8_t *place;
	int result;

	if (recovery_key_offer(public_key, label, once, &key, error) != 0)
		return -1;
	writer_init(&w, head, sizeof(head));
	writer_put_raw(&w, magic, MAGIC_SIZE);
	writer_put_u8(&w, FORM);
	writer_put_raw(&w, public_key, KEY_ID_SIZE);
	writer_put_text(&w, name, SEALED_SECRET_MAX_NAME);
	writer_put_raw(&w, once, sizeof(once));
	place = buf_reserve(to, w.size + secret.size + AEAD_TAG_SIZE);
	if (w.failed || place == NULL) {
		OPENSSL_cleanse(&key, sizeof(key));
		return error_set(error, ERROR_LIMIT, "too large to be sealed");
	}
	memcpy(place, head, w.size);
	aead = aead_new();
	result = aead_seal(aead, &key, nonce, text_make(place, w.size), secret,
	    place + w.size, error);
	aead_free(&aead);
	OPENSSL_cleanse(&key, sizeof(key));
	if (result == 0)
		buf_added(to, w.size + secret.size + AEAD_TAG_SIZE);
	return result;
}

struct head {
	uint8_t key_id[KEY_ID_SIZE];
	struct text name;
	uint8_t once[RECOVERY_KEY_SIZE];
	size_t size;
};

static int
read_head(struct text sealed, struct head *head)
{
	struct reader r;

	if (!sealed_secret_is(sealed))
		return -1;
	reader_init(&r, sealed.data + MAGIC_SIZE, sealed.size - MAGIC_SIZE);
	if (reader_get_u8(&r) != FORM)
		return -1;
	reader_get_raw(&r, head->key_id, sizeof(head->key_id));
	head->name = reader_get_text(&r, SEALED_SECRET_MAX_NAME);
	reader_get_raw(&r, head->once, sizeof(head->once));
	head->size = sealed.size - r.size;
	return r.failed || r.size < AEAD_TAG_SIZE ? -1 : 0;
}

static int
check_head(const struct head *head, struct text name,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct error *error)
{
	uint8_t public_key[RECOVERY_KEY_SIZE];
	char theirs[2 * KEY_ID_SIZE + 1], ours[2 * KEY_ID_SIZE + 1];

	if (recovery_key_public(private_key, public_key, error) != 0)
		return -1;
	if (name.size > 0 && !text_equal(name, head->name))
		return error_set(error, ERROR_REFUSED,
		    "this was sealed as \"%.*s\", not as \"%.*s\"",
		    TEXT_FMT(head->name), TEXT_FMT(name));
	if (memcmp(head->key_id, public_key, KEY_ID_SIZE) == 0)
		return 0;
	text_format_hex(head->key_id, KEY_ID_SIZE, theirs);
	text_format_hex(public_key, KEY_ID_SIZE, ours);
	return error_set(error, ERROR_REFUSED,
	    "this was sealed for another recovery key (public half %s..., the "
	    "given one's is %s...)",
	    theirs, ours);
}

int
sealed_secret_open(struct text sealed, struct text name,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct buf *to,
    struct error *error)
{
	struct aead_key key;
	struct aead *aead;
	struct head head;
	uint8_t *place;
	size_t size;
	int result;

	if (read_head(sealed, &head) != 0)
		return error_set(error, ERROR_DAMAGED,
		    "this is not a sealed secret, or not all of it");
	if (check_head(&head, name, private_key, error) != 0 ||
	    recovery_key_accept(private_key, label, head.once, &key, error) !=
		0)
		return -1;
	size = sealed.size - head.size - AEAD_TAG_SIZE;
	place = buf_reserve(to, size + 1);
	if (place == NULL) {
		OPENSSL_cleanse(&key, sizeof(key));
		return error_set(error, ERROR_LIMIT, "too large");
	}
	aead = aead_new();
	result = aead_open(aead, &key, nonce, text_make(sealed.data, head.size),
	    text_skip(sealed, head.size), place, error);
	aead_free(&aead);
	OPENSSL_cleanse(&key, sizeof(key));
	if (result == 0)
		buf_added(to, size);
	return result;
}
