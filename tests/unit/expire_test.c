/*
 * What the store forgets, and what it does not, with the verifier after each
 * story.
 */
#include "tests/unit/aging.h"

#include "snapd/blob_use.h"

#include <string.h>

static void
expunged_message_is_forgotten_after_the_minimum(void **state)
{
	struct aging *f = *state;

	aging_append(f, "gone\n");
	aging_append(f, "stays\n");
	aging_expunge(f, 1);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, 30 * DAY - 61 * SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, 61 * SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	assert_int_equal(aging_count(f, DB_CHUNK), 1);
	assert_int_equal(aging_count(f, DB_HASH), 1);
	assert_int_equal(aging_count(f, DB_BLOB_USE), 1);
	assert_int_equal(aging_count(f, DB_FORGOTTEN), 1);
	assert_int_equal(aging_count(f, DB_DELIVERY), 1);
	aging_verify(f);
	/* The same bytes again are a new body. */
	aging_append(f, "gone\n");
	assert_int_equal(aging_count(f, DB_BLOB), 2);
	aging_verify(f);
}

static void
a_message_that_a_weekly_snapshot_saw_stays_for_two_years(void **state)
{
	struct aging *f = *state;

	aging_append(f, "weekly\n");
	aging_pass(f, 8 * DAY);
	aging_expunge(f, 1);
	aging_pass(f, 729 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	aging_verify(f);
}

static void
bodies_stay_while_a_row_refers_to_them(void **state)
{
	struct aging *f = *state;
	uint64_t blob;

	aging_append(f, "same\n");
	blob = f->journal->state.next_blob - 1;
	aging_append(f, "same\n");
	aging_copy(f, 1, false);
	aging_copy(f, 1, true);
	aging_set_flags(f, 2, FLAG_SEEN);
	/* UIDs 2, 3, 4 live; 1 moved; 2 once more without the flag. */
	assert_int_equal(aging_references(f, blob), 5);
	aging_verify(f);
	aging_pass(f, 30 * DAY);
	aging_expire(f);
	assert_int_equal(aging_references(f, blob), 3);
	aging_verify(f);
	aging_expunge(f, 2);
	aging_expunge(f, 3);
	aging_pass(f, 30 * DAY);
	aging_expire(f);
	/* They were seen by weekly snapshots. */
	assert_int_equal(aging_references(f, blob), 3);
	aging_pass(f, 700 * DAY);
	aging_expire(f);
	assert_int_equal(aging_references(f, blob), 1);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

static void
a_recalled_message_keeps_its_body_when_the_old_one_ends(void **state)
{
	struct aging *f = *state;
	uint64_t blob;

	aging_append(f, "deleted and wanted back\n");
	blob = f->journal->state.next_blob - 1;
	aging_expunge(f, 1);
	aging_recall(f, blob);
	assert_int_equal(aging_references(f, blob), 2);
	aging_verify(f);
	aging_pass(f, 1000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_references(f, blob), 1);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

static void
mail_that_is_not_filed_yet_refers_to_its_body(void **state)
{
	struct aging *f = *state;
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct message m = { .type = MESSAGE_change_file };
	struct delivery_id delivery = { { 9 } };
	struct error error;
	uint8_t data[400];
	struct writer w;

	aging_append(f, "same\n");
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	assert_int_equal(
	    journal_accept(f->journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), TEXT("same\n"), &error),
	    STATUS_OK);
	aging_commit(f);
	aging_expunge(f, 1);
	aging_pass(f, 40 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	m.change_file.delivery = delivery;
	m.change_file.mailbox = 1;
	aging_apply(f, &m);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
}

static void
an_old_state_of_a_row_is_forgotten_and_the_row_is_not(void **state)
{
	struct aging *f = *state;
	unsigned int i;

	aging_append(f, "x\n");
	for (i = 0; i < 200; i++)
		aging_set_flags(f, 1, i % 2 == 0 ? FLAG_SEEN : 0);
	assert_int_equal(aging_count(f, DB_DEAD), 200);
	aging_pass(f, 31 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_LIVE), 1);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	/* 90 rows an entry, or fewer. */
	assert_true(aging_count(f, DB_FORGOTTEN) >= 3);
	aging_verify(f);
}

static void
a_message_found_missing_and_expunged_stays(void **state)
{
	struct aging *f = *state;

	aging_append(f, "x\n");
	aging_set_missing(f, 1);
	aging_expunge(f, 1);
	aging_pass(f, 3000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_verify(f);
}

static void
nothing_is_forgotten_without_a_policy(void **state)
{
	struct aging *f = *state;

	aging_append(f, "x\n");
	aging_expunge(f, 1);
	f->journal->ratchet.count = 0;
	aging_pass(f, 5000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
}

static void
a_shorter_policy_waits_for_the_old_minimum(void **state)
{
	static const struct retention brief = { .every_s = 900,
		.minimum_s = 3600,
		.count = 1,
		.tiers = { { 900, 3600 } } };
	struct aging *f = *state;

	aging_append(f, "x\n");
	aging_pass(f, 8 * DAY);
	aging_expunge(f, 1);
	aging_promise(f, &brief);
	aging_pass(f, 30 * DAY - SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_restart(f, 0);
	assert_int_equal(f->journal->ratchet.count, 2);
	aging_pass(f, SECOND);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	aging_verify(f);
}

static void
a_lock_outlives_the_policy_that_gave_it(void **state)
{
	static const struct retention brief = { .every_s = 0,
		.minimum_s = 3600 };
	struct aging *f = *state;

	aging_promise(f, &brief);
	aging_pass(f, 29 * DAY);
	aging_append(f, "late\n");
	aging_expunge(f, 1);
	/* The old policy is over, but promised this body 30 days. */
	aging_pass(f, 2 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, 28 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
}

static void
a_policy_that_is_over_locks_nothing_any_more(void **state)
{
	static const struct retention brief = { .every_s = 0,
		.minimum_s = 3600 };
	struct aging *f = *state;

	aging_promise(f, &brief);
	aging_pass(f, 30 * DAY - SECOND);
	aging_append(f, "promised 30 days\n");
	aging_pass(f, SECOND);
	aging_append(f, "and an hour\n");
	aging_expunge(f, 1);
	aging_expunge(f, 2);
	aging_pass(f, DAY / 24);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_references(f, 1), 1);
}

/* What refers to a body later is promised it as long, from then on. */
static void
a_lock_is_that_of_the_last_copy(void **state)
{
	static const struct retention brief = { .every_s = 0,
		.minimum_s = 3600 };
	struct aging *f = *state;

	aging_promise(f, &brief);
	aging_append(f, "copied late\n");
	aging_pass(f, 29 * DAY);
	aging_copy(f, 1, false);
	aging_expunge(f, 2);
	aging_pass(f, 2 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	aging_pass(f, 28 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
}

/* Who did not get the answer may ask again for 30 days, however short a time
 * the message itself is kept. */
static void
what_was_forgotten_is_not_delivered_again(void **state)
{
	static const struct retention brief = { .every_s = 0,
		.minimum_s = 3600 };
	struct message m = { .type = MESSAGE_change_append };
	struct aging *f = *state;

	aging_promise(f, &brief);
	aging_pass(f, 31 * DAY);
	m.change_append.delivery = aging_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("once\n");
	m.change_append.size = 5;
	aging_apply(f, &m);
	aging_expunge(f, 1);
	aging_pass(f, DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	aging_apply(f, &m);
	assert_int_equal(aging_count(f, DB_LIVE), 0);
	assert_int_equal(aging_count(f, DB_DELIVERY), 1);
}

/* How many snapshots are listed of states that showed `messages`; each must
 * still show all of them. */
static unsigned int
aging_check_listed(struct aging *f, const uint64_t *messages, size_t count)
{
	struct snapshot_list list;
	unsigned int seen = 0;
	uint64_t sequence;
	size_t i;

	aging_list_snapshots(f, &list);
	for (i = 0; i < list.count; i++) {
		sequence = list.snapshots[i].sequence;
		if (sequence >= count || messages[sequence] == 0)
			continue;
		seen++;
		assert_int_equal(
		    aging_listed_at(f, sequence), messages[sequence]);
	}
	snapshot_list_clear(&list);
	return seen;
}

static void
a_listed_snapshot_is_always_whole(void **state)
{
	static const unsigned int seen[] = { 40, 40, 10, 5, 5, 5 };
	struct aging *f = *state;
	uint64_t messages[200] = { 0 };
	unsigned int day, i;
	char body[20];

	/* A message a day, each for three days; what the state showed. */
	for (day = 0; day < 60; day++) {
		snprintf(body, sizeof(body), "%u\n", day);
		aging_append(f, body);
		if (day >= 3)
			aging_expunge(f, day - 2);
		messages[f->journal->state.sequence] = day < 3 ? day + 1 : 3;
		aging_pass(f, DAY);
		aging_expire(f);
	}
	for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		aging_pass(f, 20 * DAY);
		aging_expire(f);
		assert_true(aging_check_listed(f, messages, 200) >= seen[i]);
	}
	assert_true(aging_count(f, DB_DEAD) < 40);
	aging_pass(f, 1000 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_LIVE), 3);
	/* Nor does a clock that is put back list what is gone. */
	aging_move_wall_clock(f, -1100 * DAY);
	assert_int_equal(aging_check_listed(f, messages, 200), 0);
	aging_verify(f);
}

static void
a_row_that_is_gone_and_not_named_is_found(void **state)
{
	struct aging *f = *state;
	struct verify_result result;
	struct key from = { .size = 0 }, key = { .size = 0 };
	struct text found, value;
	struct cursor *cursor;
	struct transaction *t;
	struct error error;

	aging_append(f, "x\n");
	aging_append(f, "y\n");
	aging_expunge(f, 1);
	t = transaction_begin(f->store, true, &error);
	cursor = cursor_open(t, DB_DEAD, &from, &error);
	assert_int_equal(cursor_next(cursor, &found, &value, &error), 1);
	key_put_raw(&key, found.data, found.size);
	cursor_close(&cursor);
	assert_int_equal(store_take(t, DB_DEAD, &key, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	assert_int_equal(aging_run_verify(f, &result), -1);
	assert_non_null(strstr(f->finding, "neither there nor forgotten"));
}

static void
a_store_of_before_counts_is_counted_once(void **state)
{
	struct aging *f = *state;
	struct key counted = { "counted", 7 }, key = { .size = 0 };
	struct transaction *t;
	struct error error;
	uint64_t blob;

	aging_append(f, "x\n");
	aging_append(f, "x\n");
	blob = f->journal->state.next_blob - 1;
	aging_set_flags(f, 1, FLAG_SEEN);
	t = transaction_begin(f->store, true, &error);
	key_put_u64(&key, blob);
	assert_int_equal(store_take(t, DB_BLOB_USE, &key, &error), 0);
	assert_int_equal(store_take(t, DB_META, &counted, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	aging_restart(f, 0);
	assert_int_equal(aging_references(f, blob), 3);
	aging_restart(f, 0);
	assert_int_equal(aging_references(f, blob), 3);
	aging_verify(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(expunged_message_is_forgotten_after_the_minimum),
		AGING_TEST(
		    a_message_that_a_weekly_snapshot_saw_stays_for_two_years),
		AGING_TEST(bodies_stay_while_a_row_refers_to_them),
		AGING_TEST(
		    a_recalled_message_keeps_its_body_when_the_old_one_ends),
		AGING_TEST(mail_that_is_not_filed_yet_refers_to_its_body),
		AGING_TEST(
		    an_old_state_of_a_row_is_forgotten_and_the_row_is_not),
		AGING_TEST(a_message_found_missing_and_expunged_stays),
		AGING_TEST(nothing_is_forgotten_without_a_policy),
		AGING_TEST(a_shorter_policy_waits_for_the_old_minimum),
		AGING_TEST(a_lock_outlives_the_policy_that_gave_it),
		AGING_TEST(a_policy_that_is_over_locks_nothing_any_more),
		AGING_TEST(a_lock_is_that_of_the_last_copy),
		AGING_TEST(what_was_forgotten_is_not_delivered_again),
		AGING_TEST(a_listed_snapshot_is_always_whole),
		AGING_TEST(a_row_that_is_gone_and_not_named_is_found),
		AGING_TEST(a_store_of_before_counts_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
