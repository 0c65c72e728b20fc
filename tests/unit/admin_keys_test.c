/*
 * Keys of administrators: who may promise less, and who may sign for it.
 */
#include "tests/unit/aging.h"

#include "snapd/admin_keys.h"

#include <openssl/evp.h>
#include <string.h>

enum {
	ADMINS = 3
};

static void
sign(const struct head_key *key, struct text statement, uint8_t *to)
{
	size_t size = HEAD_SIGNATURE_SIZE;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *signer = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, key->private_key, HEAD_KEY_SIZE);

	memcpy(to, key->public_key, ADMIN_KEY_SIZE);
	assert_int_equal(
	    EVP_DigestSignInit(context, NULL, NULL, NULL, signer), 1);
	assert_int_equal(EVP_DigestSign(context, to + ADMIN_KEY_SIZE, &size,
			     (const uint8_t *)statement.data, statement.size),
	    1);
	EVP_PKEY_free(signer);
	EVP_MD_CTX_free(context);
}

static enum status
add_key(struct aging *f, const struct head_key *key, struct text signatures)
{
	struct error error = { .code = ERROR_NONE };
	enum status status =
	    admin_key_add(f->journal, key->public_key, signatures, &error);

	aging_commit(f);
	return status;
}

static enum status
set_policy(
    struct aging *f, const struct retention *policy, struct text signatures)
{
	struct error error = { .code = ERROR_NONE };
	enum ratchet_change change;
	enum status status =
	    journal_set_policy(f->journal, policy, signatures, &change, &error);

	aging_commit(f);
	return status;
}

static void
less_needs_two_administrators_where_they_have_keys(void **state)
{
	static const struct retention brief = { .minimum_s = 1 };
	struct aging *f = *state;
	struct head_key admins[ADMINS], stranger;
	uint8_t signatures[ADMINS][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX], old[ADMIN_SIGNATURE_SIZE * 2];
	struct text none = { NULL, 0 }, what;
	struct retention more = aging_usual;
	struct error error;
	size_t i;

	for (i = 0; i < ADMINS; i++)
		assert_int_equal(head_key_make(&admins[i], &error), 0);
	assert_int_equal(head_key_make(&stranger, &error), 0);
	assert_int_equal(add_key(f, &admins[0], none), STATUS_OK);
	assert_int_equal(add_key(f, &admins[0], none), STATUS_EXISTS);
	assert_int_equal(add_key(f, &admins[1], none), STATUS_OK);
	/* From now on root alone is not enough. */
	assert_int_equal(add_key(f, &admins[2], none), STATUS_REFUSED);
	assert_int_equal(set_policy(f, &brief, none), STATUS_REFUSED);
	assert_int_equal(
	    journal_configure_policy(f->journal, &brief, &error), STATUS_OK);
	aging_commit(f);
	assert_int_equal(f->journal->ratchet.count, 1);
	what = text_make(
	    statement, admin_policy_statement(f->journal, &brief, statement));
	sign(&admins[0], what, signatures[0]);
	sign(&admins[0], what, signatures[1]);
	assert_int_equal(
	    set_policy(f, &brief, text_make(signatures, sizeof(signatures[0]))),
	    STATUS_REFUSED);
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	sign(&stranger, what, signatures[1]);
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	sign(&admins[1], what, signatures[1]);
	memcpy(old, signatures, sizeof(old));
	signatures[1][40] ^= 1;
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	/* For another policy they are worth nothing. */
	more.minimum_s = 2;
	assert_int_equal(
	    set_policy(f, &more, text_make(old, sizeof(old))), STATUS_REFUSED);
	assert_int_equal(
	    set_policy(f, &brief, text_make(old, sizeof(old))), STATUS_OK);
	assert_int_equal(f->journal->ratchet.count, 2);
	/* More needs nobody, and the old signatures do not lower it again. */
	assert_int_equal(set_policy(f, &aging_usual, none), STATUS_OK);
	assert_int_equal(
	    set_policy(f, &brief, text_make(old, sizeof(old))), STATUS_REFUSED);
	aging_verify(f);
}

/* -- More keys, and fewer -- */

static void
make_keys(struct head_key admins[ADMINS])
{
	struct error error;
	size_t i;

	for (i = 0; i < ADMINS; i++)
		assert_int_equal(head_key_make(&admins[i], &error), 0);
}

static void
read_keys(struct aging *f, struct admin_keys *keys)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);

	assert_int_equal(
	    admin_keys_read(t, f->journal->state.guard_us, keys, &error), 0);
	transaction_abort(&t);
}

/* Signed by two for a key more, or a key less. */
static struct text
signed_by(struct aging *f, const struct head_key *key, bool is_leaving,
    const struct head_key *a, const struct head_key *b)
{
	static uint8_t signatures[2][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct admin_keys keys;
	struct text what;

	read_keys(f, &keys);
	what =
	    text_make(statement, admin_key_statement(f->journal, &keys,
				     key->public_key, is_leaving, statement));
	sign(a, what, signatures[0]);
	sign(b, what, signatures[1]);
	return text_make(signatures, sizeof(signatures));
}

static enum status
let_leave(struct aging *f, const struct head_key *key, struct text signatures)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t until_us;
	enum status status = admin_key_leave(
	    f->journal, key->public_key, signatures, &until_us, &error);

	aging_commit(f);
	return status;
}

static size_t
count_keys(struct aging *f)
{
	struct admin_keys keys;

	read_keys(f, &keys);
	return keys.count;
}

/* A policy that keeps less, signed by two. */
static enum status
keep_less(struct aging *f, const struct head_key *a, const struct head_key *b)
{
	static const struct retention brief = { .minimum_s = 1 };
	uint8_t signatures[2][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct text what = text_make(
	    statement, admin_policy_statement(f->journal, &brief, statement));

	sign(a, what, signatures[0]);
	sign(b, what, signatures[1]);
	return set_policy(f, &brief, text_make(signatures, sizeof(signatures)));
}

static void
a_third_key_needs_the_two_that_are_there(void **state)
{
	struct text none = { NULL, 0 };
	struct aging *f = *state;
	struct head_key admins[ADMINS];

	make_keys(admins);
	assert_int_equal(add_key(f, &admins[0], none), STATUS_OK);
	assert_int_equal(add_key(f, &admins[1], none), STATUS_OK);
	aging_restart(f, 0);
	assert_int_equal(count_keys(f), 2);
	assert_int_equal(add_key(f, &admins[2], none), STATUS_REFUSED);
	assert_int_equal(
	    add_key(f, &admins[2],
		signed_by(f, &admins[2], false, &admins[0], &admins[1])),
	    STATUS_OK);
	assert_int_equal(count_keys(f), 3);
}

/* With the last pair the need for signatures goes: not before the minimum. */
static void
one_of_two_keys_leaves_after_the_minimum(void **state)
{
	static const struct retention brief = { .minimum_s = 1 };
	struct text none = { NULL, 0 };
	struct aging *f = *state;
	struct head_key admins[ADMINS];

	make_keys(admins);
	add_key(f, &admins[0], none);
	add_key(f, &admins[1], none);
	assert_int_equal(let_leave(f, &admins[2], none), STATUS_MISSING);
	assert_int_equal(let_leave(f, &admins[0], none), STATUS_REFUSED);
	/* What was signed for another key, or for adding one. */
	assert_int_equal(
	    let_leave(f, &admins[0],
		signed_by(f, &admins[1], true, &admins[0], &admins[1])),
	    STATUS_REFUSED);
	assert_int_equal(
	    let_leave(f, &admins[0],
		signed_by(f, &admins[0], false, &admins[0], &admins[1])),
	    STATUS_REFUSED);
	assert_int_equal(
	    let_leave(f, &admins[0],
		signed_by(f, &admins[0], true, &admins[0], &admins[1])),
	    STATUS_OK);
	assert_int_equal(
	    let_leave(f, &admins[0],
		signed_by(f, &admins[0], true, &admins[0], &admins[1])),
	    STATUS_EXISTS);
	aging_move_wall_clock(f, 400 * DAY);
	aging_pass(f, 30 * DAY - SECOND);
	aging_restart(f, 365 * DAY);
	assert_int_equal(count_keys(f), 2);
	assert_int_equal(set_policy(f, &brief, none), STATUS_REFUSED);
	aging_pass(f, SECOND);
	assert_int_equal(count_keys(f), 1);
	assert_int_equal(set_policy(f, &brief, none), STATUS_OK);
	aging_verify(f);
}

/* While two others stay, one that is to go signs nothing. */
static void
a_key_that_is_to_go_signs_nothing(void **state)
{
	struct text none = { NULL, 0 };
	struct aging *f = *state;
	struct head_key admins[ADMINS];
	uint8_t old[2 * ADMIN_SIGNATURE_SIZE];
	struct text leave;

	make_keys(admins);
	add_key(f, &admins[0], none);
	add_key(f, &admins[1], none);
	add_key(f, &admins[2],
	    signed_by(f, &admins[2], false, &admins[0], &admins[1]));
	leave = signed_by(f, &admins[2], true, &admins[0], &admins[1]);
	memcpy(old, leave.data, sizeof(old));
	assert_int_equal(let_leave(f, &admins[2], leave), STATUS_OK);
	assert_int_equal(keep_less(f, &admins[0], &admins[2]), STATUS_REFUSED);
	/* Two let it stay after all; what they signed before is used up. */
	assert_int_equal(add_key(f, &admins[2], none), STATUS_REFUSED);
	assert_int_equal(
	    add_key(f, &admins[2],
		signed_by(f, &admins[2], false, &admins[0], &admins[2])),
	    STATUS_REFUSED);
	assert_int_equal(
	    add_key(f, &admins[2],
		signed_by(f, &admins[2], false, &admins[0], &admins[1])),
	    STATUS_OK);
	assert_int_equal(let_leave(f, &admins[2], text_make(old, sizeof(old))),
	    STATUS_REFUSED);
	aging_pass(f, 31 * DAY);
	assert_int_equal(count_keys(f), 3);
	assert_int_equal(keep_less(f, &admins[0], &admins[2]), STATUS_OK);
}

/* Form 1, from before keys could leave. */
static void
keys_of_an_older_store_are_those_of_before(void **state)
{
	struct key key = { "admin_keys", 10 };
	uint8_t data[1 + 2 * ADMIN_KEY_SIZE] = { 1 };
	struct aging *f = *state;
	struct head_key admins[ADMINS];
	struct transaction *t;
	struct admin_keys keys;
	struct error error;
	size_t i;

	make_keys(admins);
	for (i = 0; i < 2; i++)
		memcpy(data + 1 + i * ADMIN_KEY_SIZE, admins[i].public_key,
		    ADMIN_KEY_SIZE);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(
	    store_put(t, DB_META, &key, text_make(data, sizeof(data)), &error),
	    0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	read_keys(f, &keys);
	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.changes, 2);
	assert_int_equal(
	    let_leave(f, &admins[1],
		signed_by(f, &admins[1], true, &admins[0], &admins[1])),
	    STATUS_OK);
	read_keys(f, &keys);
	assert_int_equal(keys.count, 2);
	assert_int_equal(keys.changes, 3);
	assert_memory_equal(
	    keys.keys[0].bytes, admins[0].public_key, ADMIN_KEY_SIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(less_needs_two_administrators_where_they_have_keys),
		AGING_TEST(a_third_key_needs_the_two_that_are_there),
		AGING_TEST(one_of_two_keys_leaves_after_the_minimum),
		AGING_TEST(a_key_that_is_to_go_signs_nothing),
		AGING_TEST(keys_of_an_older_store_are_those_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
