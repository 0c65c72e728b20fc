/*
 * Rewritten senders: the vectors are of another implementation (Python's hmac,
 * hashlib and base64 over the text that srs.h describes), every letter of them
 * counts, and time runs out.
 */
#include "smtpd/srs.h"

#include "common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DAY_S      86400
#define NOW_S      INT64_C(1795651200) /* day 20783: "JP" */
#define SECRET     "0123456789abcdef0123456789abcdef"
#define BOB        "SRS0=RJBB37Z5=JP=far.example=bob"
#define LONG_TOKEN "SRS0=YEVK5EHR=JP==T72GOWUH2MIV2CEX"

static struct settings *settings;

/* NULL ends the secrets. */
static struct srs *
make(const char *first, const char *second)
{
	settings_free(&settings);
	settings = settings_new();
	strcpy(settings->srs_domain, "ours.test");
	strcpy(settings->srs_secrets[settings->srs_secret_count++], first);
	if (second != NULL)
		strcpy(settings->srs_secrets[settings->srs_secret_count++],
		    second);
	return srs_new(settings);
}

static int
tear_down(void **state)
{
	settings_free(&settings);
	return 0;
}

static void
senders_become_what_another_implementation_makes_of_them(void **state)
{
	static const struct {
		const char *sender, *rewritten, *back;
	} rows[] = { { "bob@far.example", BOB, "bob@far.example" },
		{ "a=b+c@x.test", "SRS0=ZVC2ACKW=JP=x.test=a=b+c",
		    "a=b+c@x.test" },
		{ "b\xc3\xbc"
		  "cher@far.test",
		    "SRS0=YQXSOCOP=JP=far.test=b\xc3\xbc"
		    "cher",
		    "b\xc3\xbc"
		    "cher@far.test" },
		/* Of another host: back to that one, however many there
		 * were. */
		{ "SRS0=HHHH=AB=far.test=bob@mid.test",
		    "SRS1=7L5XU6Z4=mid.test==HHHH=AB=far.test=bob",
		    "SRS0=HHHH=AB=far.test=bob@mid.test" },
		{ "SRS0+HHHH=AB=far.test=bob@mid.test",
		    "SRS1=S4AM2GEK=mid.test=+HHHH=AB=far.test=bob",
		    "SRS0+HHHH=AB=far.test=bob@mid.test" },
		{ "SRS1=XX=mid.test==HHHH=AB=far.test=bob@third.test",
		    "SRS1=7L5XU6Z4=mid.test==HHHH=AB=far.test=bob",
		    "SRS0=HHHH=AB=far.test=bob@mid.test" },
		/* They only look like it. */
		{ "SRS0bob@far.test", "SRS0=JB6GCJA4=JP=far.test=SRS0bob",
		    "SRS0bob@far.test" },
		{ "SRS1=broken@far.test",
		    "SRS0=CI7Y57IJ=JP=far.test=SRS1=broken",
		    "SRS1=broken@far.test" } };
	struct srs *srs = make(SECRET, NULL);
	char to[SRS_ADDRESS_SIZE], expected[SRS_ADDRESS_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(expected, sizeof(expected), "%s@ours.test",
		    rows[i].rewritten);
		assert_int_equal(
		    srs_forward(srs, text_of(rows[i].sender), NOW_S, to), 0);
		assert_string_equal(to, expected);
		assert_int_equal(
		    srs_reverse(srs, text_of(rows[i].rewritten), NOW_S, to),
		    SRS_GOOD);
		assert_string_equal(to, rows[i].back);
	}
	srs_free(&srs);
	/* A secret that is longer than a block of the hash. */
	memset(expected, 'x', 128);
	expected[128] = '\0';
	srs = make(expected, NULL);
	assert_int_equal(
	    srs_forward(srs, TEXT("Bob.X@Far.example"), NOW_S, to), 0);
	assert_string_equal(to, "SRS0=H7BCBKLA=JP=Far.example=Bob.X@ours.test");
	srs_free(&srs);
}

static void
some_senders_stay_as_they_are(void **state)
{
	static const char *const senders[] = { "", "bob", "\"a b\"@far.test",
		"bob@[192.0.2.1]", "@far.test", "bob@far_test",
		/* 65 bytes with what is put before it */
		"a123456789b123456789c123456789d12345678@far.test" };
	struct srs *srs = make(SECRET, NULL);
	char to[SRS_ADDRESS_SIZE];

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
		assert_int_equal(
		    srs_forward(srs, text_of(senders[i]), NOW_S, to), -1);
	assert_int_equal(
	    srs_forward(srs, text_skip(text_of(senders[6]), 1), NOW_S, to), 0);
	assert_int_equal(strchr(to, '@') - to, MAIL_ADDRESS_MAX_LOCAL);
	srs_free(&srs);
}

/* The token is of that very sender, and the hash of that token. */
static void
a_long_sender_has_a_token(void **state)
{
	static const char sender[] =
	    "a123456789b123456789c123456789d12345678@far.test";
	struct srs *srs = make(SECRET, NULL);
	char to[SRS_ADDRESS_SIZE], back[SRS_ADDRESS_SIZE];
	struct text local;

	assert_int_equal(srs_forward_kept(srs, text_of(sender), NOW_S, to), 0);
	assert_string_equal(to, LONG_TOKEN "@ours.test");
	local = TEXT(LONG_TOKEN);
	assert_true(srs_is_form(local));
	assert_true(srs_is_kept_form(local));
	assert_false(srs_is_kept_form(TEXT(BOB)));
	assert_int_equal(srs_reverse(srs, local, NOW_S, back), SRS_KEPT);
	assert_int_equal(
	    srs_reverse(srs, local, NOW_S + 22 * DAY_S, back), SRS_EXPIRED);
	for (size_t i = 5; i < local.size; i++) {
		memcpy(back, LONG_TOKEN, sizeof(LONG_TOKEN));
		back[i] = back[i] == 'Q' ? 'R' : 'Q';
		assert_int_equal(
		    srs_reverse(srs, text_make(back, local.size), NOW_S, to),
		    SRS_FORGED);
	}
	assert_int_equal(
	    srs_forward_kept(srs, TEXT("\"a b\"@far.test"), NOW_S, to), -1);
	assert_int_equal(
	    srs_forward_kept(srs, TEXT("bob@[192.0.2.1]"), NOW_S, to), -1);
	srs_free(&srs);
}

/* Whoever guesses, shortens or shifts gets nothing; case does not matter, since
 * hosts on the way may change it. */
static void
every_letter_counts(void **state)
{
	static const char *const forged[] = { "SRS0", "SRS0=", "SRS0==JP=a.b=c",
		"SRS0=RJBB37Z=JP=far.example=bob",
		"SRS0=RJBB37Z5=JP=far.example",
		"SRS0=RJBB37Z5JP=far.example=bob",
		"SRS0=RJBB37Z55=JP=far.example=bob",
		"SRS1=RJBB37Z5=JP=far.example=bob", "SRS0=R=JP=far.example=bob",
		"SRS0==", "SRS0=RJBB37Z5=",
		"SRS2=RJBB37Z5=JP=far.example=bob" };
	struct srs *srs = make(SECRET, NULL);
	char to[SRS_ADDRESS_SIZE], changed[sizeof(BOB)];

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
		assert_int_equal(
		    srs_reverse(srs, text_of(forged[i]), NOW_S, to),
		    SRS_FORGED);
	for (size_t i = 0; i < sizeof(BOB) - 1; i++) {
		memcpy(changed, BOB, sizeof(BOB));
		changed[i] = text_lower_byte(changed[i]);
		assert_int_equal(
		    srs_reverse(srs, text_of(changed), NOW_S, to), SRS_GOOD);
		changed[i] = BOB[i] == 'q' ? 'r' : 'q';
		if (srs_reverse(srs, text_of(changed), NOW_S, to) != SRS_FORGED)
			fail_msg("taken: %s", changed);
	}
	srs_free(&srs);
	srs = make("another secret of 16", NULL);
	assert_int_equal(srs_reverse(srs, TEXT(BOB), NOW_S, to), SRS_FORGED);
	srs_free(&srs);
}

static void
it_is_taken_for_some_weeks(void **state)
{
	static const struct {
		int days;
		enum srs_result result;
	} rows[] = { { 0, SRS_GOOD }, { 1, SRS_GOOD }, { 21, SRS_GOOD },
		{ 22, SRS_EXPIRED }, { 500, SRS_EXPIRED }, { -1, SRS_EXPIRED },
		{ 1023, SRS_EXPIRED } };
	struct srs *srs = make(SECRET, NULL);
	char to[SRS_ADDRESS_SIZE];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(srs_reverse(srs, TEXT(BOB),
				     NOW_S + (int64_t)rows[i].days * DAY_S, to),
		    rows[i].result);
	srs_free(&srs);
}

static void
an_old_secret_is_still_believed_and_no_longer_used(void **state)
{
	struct srs *srs = make("a new secret of these", SECRET);
	char to[SRS_ADDRESS_SIZE];

	assert_int_equal(srs_reverse(srs, TEXT(BOB), NOW_S, to), SRS_GOOD);
	assert_int_equal(
	    srs_forward(srs, TEXT("bob@far.example"), NOW_S, to), 0);
	assert_int_not_equal(memcmp(to, BOB, sizeof(BOB) - 1), 0);
	srs_free(&srs);
	settings->srs_secret_count = 0;
	assert_null(srs_new(settings));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    senders_become_what_another_implementation_makes_of_them),
		cmocka_unit_test(some_senders_stay_as_they_are),
		cmocka_unit_test(a_long_sender_has_a_token),
		cmocka_unit_test(every_letter_counts),
		cmocka_unit_test(it_is_taken_for_some_weeks),
		cmocka_unit_test(
		    an_old_secret_is_still_believed_and_no_longer_used),
	};

	digest_prepare();
	return cmocka_run_group_tests(tests, NULL, tear_down);
}
