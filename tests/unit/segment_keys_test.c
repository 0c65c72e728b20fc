/*
 * Who opens what is sealed: keys of accounts and of the store, the recovery
 * key, and a block in its own place.
 */
#include "tests/unit/sealed.h"

#include "common/memory.h"
#include "snapd/account_key.h"
#include "snapd/block_seal.h"
#include "snapd/segments_open.h"

#include <stdlib.h>
#include <string.h>

static void
account_keys_open_with_the_recovery_key_only(void **state)
{
	struct sealed *f = *state;
	struct key_owner owner = { f->id, 1 }, other = { f->id, 2 };
	struct aead_key key, recovered;
	uint8_t row[ACCOUNT_KEY_ROW], wrong[RECOVERY_KEY_SIZE];
	struct segment_env *env;
	struct text value;
	struct error error;

	sealed_add(f, 4);
	sealed_must_pass(f);
	env = segments_get(f->segments, 1, &error);
	assert_int_equal(segment_env_key(env, 1, false, row, &error), 1);
	value = text_make(row, sizeof(row));
	assert_int_equal(
	    segments_key(f->segments, 1, 1, false, &key, &error), 1);
	assert_int_equal(
	    account_key_recover(&owner, value, f->recovery, &recovered, &error),
	    0);
	assert_memory_equal(&key, &recovered, sizeof(key));
	assert_int_equal(
	    account_key_recover(&other, value, f->recovery, &recovered, &error),
	    -1);
	memcpy(wrong, f->recovery, sizeof(wrong));
	wrong[5] ^= 1;
	assert_int_equal(
	    account_key_recover(&owner, value, wrong, &recovered, &error), -1);
	/* The accounts have different ones. */
	assert_int_equal(
	    segments_key(f->segments, 1, 2, false, &recovered, &error), 1);
	assert_memory_not_equal(&key, &recovered, sizeof(key));
}

/* A block opens in its own place, for its own account, unaltered, only. */
static void
block_opens_in_its_place_only(void **state)
{
	struct sealed *f = *state;
	struct aead_key key = { { 1 } };
	struct block_at at = { 3, 5, 0 }, elsewhere;
	struct block_head head = { .kind = BLOCK_BODIES, .account = 9 }, read;
	struct store_id other = f->id;
	struct block_packer *packer = block_packer_new();
	struct packed_block packed = { .room = 0 };
	struct block_seal *seal = block_seal_new();
	uint8_t *value = memory_new(1, SEGMENT_VALUE_SIZE);
	uint8_t to[600], first[BLOCK_SALT_SIZE];
	struct error error;
	size_t i, n;
	char *body = sealed_body(0, &n);

	assert_int_equal(
	    block_pack(packer, text_make(body, 500), &packed, &error), 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(block_seal_make(seal, &f->id, &at, &key, &head,
				     &packed, value, &error),
		    0);
		/* The same again is not the same bytes. */
		assert_int_equal(
		    i == 0 || memcmp(first, head.salt, sizeof(first)) != 0, 1);
		memcpy(first, head.salt, sizeof(first));
	}
	assert_int_equal(block_head_find(value, 0, 0, &read, &error), 1);
	assert_int_equal(
	    block_seal_open(seal, &f->id, &at, &key, &read, value, to, &error),
	    0);
	assert_memory_equal(to, body, 500);
	elsewhere = at;
	elsewhere.value++;
	assert_int_equal(block_seal_open(seal, &f->id, &elsewhere, &key, &read,
			     value, to, &error),
	    -1);
	other.bytes[0] ^= 1;
	assert_int_equal(
	    block_seal_open(seal, &other, &at, &key, &read, value, to, &error),
	    -1);
	/* No bit may change: of the head, the sums notice it first. */
	for (i = 0; i < block_size(&head) * 8; i += 7) {
		value[i / 8] ^= (uint8_t)(1U << i % 8);
		if (block_head_find(value, 0, 0, &read, &error) == 1)
			assert_int_equal(block_seal_open(seal, &f->id, &at,
					     &key, &read, value, to, &error),
			    -1);
		value[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	block_seal_free(&seal);
	block_packer_free(&packer);
	packed_block_clear(&packed);
	free(value);
	free(body);
}

static void
lost_store_key_comes_back_with_the_recovery_key_only(void **state)
{
	struct sealed *f = *state;
	char path[100], away[110];
	struct error error;

	sealed_add(f, 4);
	sealed_must_pass(f);
	sealed_close(f);
	snprintf(path, sizeof(path), "%s/key", f->path);
	snprintf(away, sizeof(away), "%s.away", path);
	assert_int_equal(rename(path, away), 0);
	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_null(segments_open(f->store, f->path, 0, &error));
	assert_int_equal(error.code, ERROR_MISSING);
	assert_int_equal(access(path, F_OK), -1);
	store_close(&f->store);
	/* Another recovery key opens nothing; the right one makes the file. */
	f->recovery[3] ^= 1;
	assert_int_equal(
	    segments_recover_key(f->path, f->recovery, &error), -1);
	f->recovery[3] ^= 1;
	if (segments_recover_key(f->path, f->recovery, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(
	    segments_recover_key(f->path, f->recovery, &error), -1);
	assert_int_equal(error.code, ERROR_EXISTS);
	sealed_open(f);
	sealed_check(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(account_keys_open_with_the_recovery_key_only),
		SEALED_TEST(block_opens_in_its_place_only),
		SEALED_TEST(
		    lost_store_key_comes_back_with_the_recovery_key_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
