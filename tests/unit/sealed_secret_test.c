/*
 * Secrets that only the recovery key opens: as they were, with no other key,
 * under no other name, and not if a single bit is another.
 */
#include "common/sealed_secret.h"

#include "common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint8_t private_key[RECOVERY_KEY_SIZE], public_key[RECOVERY_KEY_SIZE];

enum {
	MAX = 4 << 20
};

static const struct text name = TEXT("etc/firnmail/key.pem");

static void
seal(struct text secret, struct buf *to)
{
	struct error error;

	buf_init(to, MAX);
	if (sealed_secret_make(name, secret, public_key, to, &error) != 0)
		fail_msg("%s", error.text);
}

static enum error_code
open_it(struct text sealed, struct text as, const uint8_t *key, struct buf *to)
{
	struct error error = { .code = ERROR_NONE };

	buf_init(to, MAX);
	if (sealed_secret_open(sealed, as, key, to, &error) == 0)
		return ERROR_NONE;
	assert_int_equal(to->size, 0);
	buf_clear(to);
	assert_int_not_equal(error.code, ERROR_NONE);
	assert_true(error.text[0] != '\0');
	return error.code;
}

static void
what_was_sealed_comes_out(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 1000, 1 << 20 };
	struct buf sealed, again, secret;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *bytes = calloc(1, sizes[i] + 1);

		memset(bytes, 'k', sizes[i]);
		seal(text_make(bytes, sizes[i]), &sealed);
		seal(text_make(bytes, sizes[i]), &again);
		assert_true(
		    sealed_secret_is(text_make(sealed.data, sealed.size)));
		assert_true(sealed.size <= sizes[i] + SEALED_SECRET_MAX_MORE);
		/* Nobody can tell that it is the same. */
		assert_memory_not_equal(sealed.data, again.data, sealed.size);
		if (sizes[i] >= 15)
			assert_null(memmem(sealed.data, sealed.size, bytes, 8));
		assert_int_equal(open_it(text_make(sealed.data, sealed.size),
				     name, private_key, &secret),
		    ERROR_NONE);
		assert_int_equal(secret.size, sizes[i]);
		if (sizes[i] > 0)
			assert_memory_equal(secret.data, bytes, sizes[i]);
		buf_clear(&secret);
		buf_clear(&sealed);
		buf_clear(&again);
		free(bytes);
	}
}

static void
another_key_is_told_apart_from_damage(void **state)
{
	uint8_t other[RECOVERY_KEY_SIZE], its[RECOVERY_KEY_SIZE];
	struct buf sealed, secret;
	struct error error;

	(void)state;
	assert_int_equal(recovery_key_make(other, its, &error), 0);
	seal(TEXT("secret"), &sealed);
	assert_int_equal(
	    open_it(text_make(sealed.data, sealed.size), name, other, &secret),
	    ERROR_REFUSED);
	/* Who writes his own key's mark into it gets no further. */
	memcpy(sealed.data + 9, its, 8);
	assert_int_equal(
	    open_it(text_make(sealed.data, sealed.size), name, other, &secret),
	    ERROR_DAMAGED);
	buf_clear(&sealed);
}

static void
one_secret_cannot_stand_in_for_another(void **state)
{
	struct buf sealed, secret;

	(void)state;
	seal(TEXT("secret"), &sealed);
	assert_int_equal(open_it(text_make(sealed.data, sealed.size),
			     TEXT("users"), private_key, &secret),
	    ERROR_REFUSED);
	assert_int_equal(open_it(text_make(sealed.data, sealed.size),
			     text_make(NULL, 0), private_key, &secret),
	    ERROR_NONE);
	buf_clear(&secret);
	buf_clear(&sealed);
}

static void
each_flipped_bit_and_each_cut_is_noticed(void **state)
{
	struct buf sealed, secret;

	(void)state;
	seal(TEXT("a private key"), &sealed);
	for (size_t bit = 0; bit < sealed.size * 8; bit++) {
		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(
		    open_it(text_make(sealed.data, sealed.size),
			text_make(NULL, 0), private_key, &secret),
		    ERROR_NONE);
		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t size = 0; size < sealed.size; size++)
		assert_int_equal(open_it(text_make(sealed.data, size), name,
				     private_key, &secret),
		    ERROR_DAMAGED);
	buf_clear(&sealed);
}

static void
too_long_a_name_or_secret_is_refused(void **state)
{
	char longer[SEALED_SECRET_MAX_NAME + 1];
	struct error error;
	struct buf to;

	(void)state;
	memset(longer, 'n', sizeof(longer));
	buf_init(&to, MAX);
	assert_int_equal(sealed_secret_make(text_make(longer, sizeof(longer)),
			     TEXT("s"), public_key, &to, &error),
	    -1);
	assert_int_equal(error.code, ERROR_LIMIT);
	buf_clear(&to);
	buf_init(&to, 20);
	assert_int_equal(
	    sealed_secret_make(name, TEXT("s"), public_key, &to, &error), -1);
	assert_int_equal(to.size, 0);
	buf_clear(&to);
}

static void
key_is_read_as_people_copy_it(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ "0101010101010101010101010101010101010101010101010101010101"
		  "010101",
		    0 },
		{ "  01010101-01010101 01010101-01010101-01010101-01010101-"
		  "01010101-01010101\r\n",
		    0 },
		{ "", -1 },
		{ "01", -1 },
		{ "0101010101010101010101010101010101010101010101010101010101"
		  "01010101",
		    -1 },
		{ "zz01010101010101010101010101010101010101010101010101010101"
		  "010101",
		    -1 },
	};
	uint8_t key[RECOVERY_KEY_SIZE], ones[RECOVERY_KEY_SIZE];

	(void)state;
	memset(ones, 1, sizeof(ones));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(recovery_key_parse(text_of(rows[i].text), key),
		    rows[i].result);
		if (rows[i].result == 0)
			assert_memory_equal(key, ones, sizeof(ones));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_comes_out),
		cmocka_unit_test(another_key_is_told_apart_from_damage),
		cmocka_unit_test(one_secret_cannot_stand_in_for_another),
		cmocka_unit_test(each_flipped_bit_and_each_cut_is_noticed),
		cmocka_unit_test(too_long_a_name_or_secret_is_refused),
		cmocka_unit_test(key_is_read_as_people_copy_it),
	};
	struct error error;

	digest_prepare();
	if (recovery_key_make(private_key, public_key, &error) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
