/*
 * See account_key.h.
 */
#include "snapd/account_key.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/digest.h"

#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

enum {
	KEY_FILE_SIZE = 1 + AEAD_KEY_SIZE + 8,
	OWNER_SIZE = 20
};

static const char box_label[] = "firnmail account key 1";

/* -- The store key's file -- */

static void
file_sum(const uint8_t *data, uint8_t *to)
{
	struct digest *digest = digest_new();
	struct hash hash = digest_of(digest, data, 1 + AEAD_KEY_SIZE);

	digest_free(&digest);
	memcpy(to, hash.bytes, 8);
}

int
store_key_put(int dir_fd, const struct aead_key *key, struct error *error)
{
	uint8_t data[KEY_FILE_SIZE] = { 1 };
	int fd, result;

	memcpy(data + 1, key->bytes, AEAD_KEY_SIZE);
	file_sum(data, data + 1 + AEAD_KEY_SIZE);
	fd = file_create(dir_fd, "key", 0600, error);
	if (fd == -1)
		return -1;
	result = file_write_all(fd, data, sizeof(data), error);
	if (result == 0)
		result = file_sync(fd, error);
	close(fd);
	OPENSSL_cleanse(data, sizeof(data));
	return result;
}

int
store_key_create(int dir_fd, struct error *error)
{
	struct aead_key key;
	int result = aead_random(key.bytes, sizeof(key.bytes), error);

	if (result == 0)
		result = store_key_put(dir_fd, &key, error);
	OPENSSL_cleanse(&key, sizeof(key));
	return result;
}

int
store_key_load(int dir_fd, struct aead_key *key, struct error *error)
{
	uint8_t sum[8];
	struct buf data;
	int fd, result;

	fd = file_open_read(dir_fd, "key", error);
	if (fd == -1)
		return -1;
	buf_init(&data, KEY_FILE_SIZE + 1);
	result = file_read_all(fd, &data, error);
	close(fd);
	if (result == 0 && data.size == KEY_FILE_SIZE && data.data[0] == 1) {
		file_sum((const uint8_t *)data.data, sum);
		result = memcmp(sum, data.data + 1 + AEAD_KEY_SIZE, 8);
		memcpy(key->bytes, data.data + 1, AEAD_KEY_SIZE);
		OPENSSL_cleanse(data.data, data.size);
	} else if (result == 0) {
		result = 1;
	}
	buf_clear(&data);
	if (result > 0 || (result < 0 && error->code == ERROR_NONE))
		return error_set(
		    error, ERROR_DAMAGED, "the store key's file is damaged");
	return result;
}

/* -- Rows -- */

static struct text
bound_of(const struct key_owner *owner, uint8_t *to)
{
	struct writer w;

	writer_init(&w, to, OWNER_SIZE);
	writer_put_raw(&w, owner->store.bytes, sizeof(owner->store.bytes));
	writer_put_u32(&w, owner->account);
	return text_make(to, w.size);
}

int
recovery_box(const struct key_owner *owner, const struct aead_key *key,
    const uint8_t public_key[RECOVERY_KEY_SIZE], uint8_t *to,
    struct error *error)
{
	static const uint8_t nonce[AEAD_NONCE_SIZE]; /* the key is used once */
	uint8_t bound[OWNER_SIZE];
	struct aead *aead = aead_new();
	struct aead_key box_with;
	int result;

	result =
	    recovery_key_offer(public_key, box_label, to, &box_with, error);
	if (result == 0)
		result =
		    aead_seal(aead, &box_with, nonce, bound_of(owner, bound),
			text_make(key->bytes, sizeof(key->bytes)),
			to + RECOVERY_KEY_SIZE, error);
	aead_free(&aead);
	OPENSSL_cleanse(&box_with, sizeof(box_with));
	return result;
}

int
recovery_unbox(const struct key_owner *owner, const uint8_t *box,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct aead_key *key,
    struct error *error)
{
	static const uint8_t nonce[AEAD_NONCE_SIZE];
	uint8_t bound[OWNER_SIZE];
	struct aead *aead = aead_new();
	struct aead_key box_with;
	int result;

	result =
	    recovery_key_accept(private_key, box_label, box, &box_with, error);
	if (result == 0)
		result =
		    aead_open(aead, &box_with, nonce, bound_of(owner, bound),
			text_make(box + RECOVERY_KEY_SIZE,
			    ACCOUNT_KEY_BOXED - RECOVERY_KEY_SIZE),
			key->bytes, error);
	aead_free(&aead);
	OPENSSL_cleanse(&box_with, sizeof(box_with));
	return result;
}

int
account_key_wrap(const struct key_owner *owner, const struct aead_key *key,
    const struct aead_key *store_key, const uint8_t recovery[RECOVERY_KEY_SIZE],
    uint8_t *row, struct error *error)
{
	uint8_t bytes[OWNER_SIZE];
	struct text bound = bound_of(owner, bytes);
	struct aead *aead = aead_new();
	int result;

	memset(row, 0, ACCOUNT_KEY_ROW);
	row[0] = 1;
	result = aead_random(row + 1, AEAD_NONCE_SIZE, error);
	if (result == 0)
		result = aead_seal(aead, store_key, row + 1, bound,
		    text_make(key->bytes, sizeof(key->bytes)),
		    row + 1 + AEAD_NONCE_SIZE, error);
	if (result == 0 && recovery_key_is_set(recovery))
		result = recovery_box(
		    owner, key, recovery, row + 1 + ACCOUNT_KEY_WRAPPED, error);
	aead_free(&aead);
	return result;
}

static int
check_row(struct text row, struct error *error)
{
	return row.size == ACCOUNT_KEY_ROW && row.data[0] == 1
		   ? 0
		   : error_set(error, ERROR_DAMAGED, "malformed account key");
}

int
account_key_unwrap(const struct key_owner *owner, struct text row,
    const struct aead_key *store_key, struct aead_key *key, struct error *error)
{
	const uint8_t *wrapped = (const uint8_t *)row.data + 1;
	uint8_t bytes[OWNER_SIZE];
	struct aead *aead;
	int result;

	if (check_row(row, error) != 0)
		return -1;
	aead = aead_new();
	result = aead_open(aead, store_key, wrapped, bound_of(owner, bytes),
	    text_make(wrapped + AEAD_NONCE_SIZE,
		ACCOUNT_KEY_WRAPPED - AEAD_NONCE_SIZE),
	    key->bytes, error);
	aead_free(&aead);
	return result;
}

int
account_key_recover(const struct key_owner *owner, struct text row,
    const uint8_t private_key[RECOVERY_KEY_SIZE], struct aead_key *key,
    struct error *error)
{
	if (check_row(row, error) != 0)
		return -1;
	return recovery_unbox(owner,
	    (const uint8_t *)row.data + 1 + ACCOUNT_KEY_WRAPPED, private_key,
	    key, error);
}
