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

static void
a_third_key_needs_the_two_that_are_there(void **state)
{
	struct aging *f = *state;
	struct head_key admins[ADMINS];
	uint8_t signatures[2][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct transaction *t;
	struct admin_keys keys;
	struct text what;
	struct error error;
	size_t i;

	for (i = 0; i < ADMINS; i++)
		assert_int_equal(head_key_make(&admins[i], &error), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(
		    add_key(f, &admins[i], text_make(NULL, 0)), STATUS_OK);
	aging_restart(f, 0);
	t = transaction_begin(f->store, false, &error);
	assert_int_equal(admin_keys_read(t, &keys, &error), 0);
	transaction_abort(&t);
	assert_int_equal(keys.count, 2);
	what = text_make(statement, admin_key_statement(f->journal, &keys,
					admins[2].public_key, statement));
	for (i = 0; i < 2; i++)
		sign(&admins[i], what, signatures[i]);
	assert_int_equal(
	    add_key(f, &admins[2], text_make(signatures, sizeof(signatures))),
	    STATUS_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(less_needs_two_administrators_where_they_have_keys),
		AGING_TEST(a_third_key_needs_the_two_that_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
