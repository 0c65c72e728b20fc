/*
 * The worker's mailboxes against a store in the same process, on a real Maildir
 * in a temporary directory: what changes is in the store, on the disk and told
 * to all sessions, and an answer that got lost is asked for again.
 */
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
append_is_committed_filed_and_read_back(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct mailbox_row row;

	append_to(w, "INBOX", "Subject: a\r\n\r\none\r\n");
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 1);
	assert_int_equal(false_store_live(w->store, 1), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	view = open_view(w, "inbox");
	assert_int_equal(mailbox_view_count(view), 1);
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.size, 19);
	assert_int_equal(row.internaldate, 1600000000);
	assert_true(mailbox_view_is_recent(view, 1));
	assert_body(w, view, 1, "Subject: a\n\none\n");
	mailbox_view_close(&view);
	append_to(w, "Nowhere", "x");
	assert_int_equal(w->status, STATUS_MISSING);
}

static void
bytes_that_are_not_lines_of_crlf_are_kept_as_they_came(void **state)
{
	static const char *const bodies[] = { "a\nb\r\n", "a\r\nb\rc",
		"a\r\nb\r", "\r\r\n", "\n" };
	struct world *w = *state;
	struct mailbox_view *view = open_view(w, "INBOX");

	for (uint32_t i = 0; i < 5; i++) {
		append_to(w, "INBOX", bodies[i]);
		assert_int_equal(w->status, STATUS_OK);
		assert_int_equal(w->target_uid, i + 1);
		assert_body(w, view, i + 1, bodies[i]);
	}
	mailbox_view_close(&view);
}

static void
flags_are_in_the_file_name_and_told_to_the_other_session(void **state)
{
	struct world *w = *state;
	const struct text keyword = TEXT("$Forwarded");
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
		.keywords = &keyword,
		.keyword_count = 1 };
	struct mailbox_view *mine, *other;
	struct mailbox_update update;
	const uint32_t uid = 1;
	char name[900];

	append_to(w, "INBOX", "x\r\n");
	mine = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	w->answers = 0;
	mailbox_change_flags(mine, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(count_files(w, "Maildir", name), 1);
	assert_non_null(strstr(name, ":2,Sa"));
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_KEYWORDS);
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_FLAGS);
	assert_int_equal(update.number, 1);
	assert_false(mailbox_view_next_update(other, true, &update));
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
expunge_waits_until_the_session_may_be_told(void **state)
{
	struct world *w = *state;
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_DELETED };
	struct mailbox_view *mine, *other;
	struct mailbox_update update;
	struct mailbox_row row;
	const uint32_t uid = 2;

	for (int i = 0; i < 3; i++)
		append_to(w, "INBOX", "x\r\n");
	mine = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	mailbox_change_flags(mine, &uid, 1, &change, answered, w);
	wait_for(w, is_idle);
	mailbox_expunge(mine, NULL, 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "INBOX", "new\r\n");
	assert_int_equal(mailbox_view_uid(other, 3), 3);
	assert_false(mailbox_row(other, 2, &row));
	while (mailbox_view_next_update(other, false, &update))
		assert_int_not_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(mailbox_view_count(other), 4);
	assert_int_equal(mailbox_view_uid(other, 4), 4);
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(update.number, 2);
	while (mailbox_view_next_update(other, true, &update))
		assert_int_not_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(mailbox_view_count(other), 3);
	assert_int_equal(mailbox_view_number(other, 4), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
copy_move_create_rename_delete_follow_the_store(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view, *target;
	const uint32_t uid = 1;

	append_to(w, "INBOX", "x\r\n");
	view = open_view(w, "INBOX");
	mailbox_list_create(w->account, TEXT("A.b/\xc3\xa4"), 0, answered, w);
	wait_for(w, is_idle);
	assert_non_null(mailbox_list_find(w->account, TEXT("A.b")));
	mailbox_copy(view, &uid, 1, TEXT("A.b/\xc3\xa4"), false, answered, w);
	wait_for(w, is_idle);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(count_files(w, "Maildir/.A\\2eb.&AOQ-", NULL), 1);
	mailbox_list_rename(w->account, TEXT("A.b"), TEXT("C"), answered, w);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir/.C.&AOQ-", NULL), 1);
	mailbox_copy(view, &uid, 1, TEXT("C"), true, answered, w);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	target = open_view(w, "C");
	assert_body(w, target, 1, "x\n");
	mailbox_list_delete(w->account, TEXT("C"), answered, w);
	wait_for(w, is_idle);
	assert_true(mailbox_view_is_gone(target));
	assert_null(mailbox_list_find(w->account, TEXT("C")));
	mailbox_view_close(&target);
	mailbox_view_close(&view);
}

static bool
two_batches(struct world *w)
{
	return false_store_batches(w->store) >= 2;
}

static void
what_was_committed_before_a_crash_is_there_after_it(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	false_store_lose_answers(w->store, true);
	{
		struct append *append = append_begin(w->account, TEXT("INBOX"));

		append_message(append, 0, NULL, 0, 1600000000);
		append_write(append, "two\r\n", 5);
		append_commit(&append, answered, w);
		wait_for(w, two_batches);
	}
	account_store_free(&w->account);
	false_store_lose_answers(w->store, false);
	open_account(w);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 2);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	mailbox_view_close(&view);
}

static void
a_lost_answer_is_asked_for_again_and_nothing_is_doubled(void **state)
{
	struct world *w = *state;
	struct append *append;

	append_to(w, "INBOX", "one\r\n");
	false_store_lose_answers(w->store, true);
	append = append_begin(w->account, TEXT("INBOX"));
	append_message(append, 0, NULL, 0, 1600000000);
	append_write(append, "two\r\n", 5);
	w->answers = 0;
	append_commit(&append, answered, w);
	wait_for(w, two_batches);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 2);
	assert_int_equal(false_store_live(w->store, 1), 2);
}

static void
a_change_while_the_store_is_away_is_unavailable(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	account_store_free(&w->account);
	open_account(w);
	false_store_disconnect(w->store);
	while (w->status != STATUS_UNAVAILABLE) {
		struct append *append = append_begin(w->account, TEXT("INBOX"));

		append_message(append, 0, NULL, 0, 1);
		w->answers = 0;
		append_commit(&append, answered, w);
		if (w->answers == 0)
			break;
	}
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 1);
	assert_body(w, view, 1, "one\n");
	mailbox_view_close(&view);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_ready);
}

static void
resting_gives_back_the_index_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	view = open_view(w, "INBOX");
	account_store_trim(w->account);
	assert_body(w, view, 1, "one\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_trim(w->account);
	assert_body(w, view, 1, "one\n");
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	assert_body(w, view, 2, "two\n");
	mailbox_view_close(&view);
}

static bool
both_are_cached(struct world *w)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	struct text bytes;
	bool are = mailbox_cache_find(view, 1, &bytes) &&
		   mailbox_cache_find(view, 2, &bytes);

	mailbox_view_close(&view);
	return are;
}

static void
the_parse_is_cached_at_append_and_after_a_lost_index(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct text bytes;

	append_to(w, "INBOX", "Subject: a\r\n\r\nbody\r\n");
	put_file(w, "Maildir/cur/9.foreign:2,", "Subject: b\n\nfive\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_true(mailbox_cache_find(view, 1, &bytes));
	assert_true(mailbox_cache_find(view, 2, &bytes));
	mailbox_view_close(&view);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	wait_for(w, both_are_cached);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(append_is_committed_filed_and_read_back),
		TEST_CASE(
		    bytes_that_are_not_lines_of_crlf_are_kept_as_they_came),
		TEST_CASE(
		    flags_are_in_the_file_name_and_told_to_the_other_session),
		TEST_CASE(expunge_waits_until_the_session_may_be_told),
		TEST_CASE(copy_move_create_rename_delete_follow_the_store),
		TEST_CASE(
		    a_lost_answer_is_asked_for_again_and_nothing_is_doubled),
		TEST_CASE(what_was_committed_before_a_crash_is_there_after_it),
		TEST_CASE(a_change_while_the_store_is_away_is_unavailable),
		TEST_CASE(resting_gives_back_the_index_and_loses_nothing),
		TEST_CASE(the_parse_is_cached_at_append_and_after_a_lost_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
