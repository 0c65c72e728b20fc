/*
 * Changes of several sessions that are all asked for before the first is
 * committed, against the real snapshot process: none undoes another.
 */
#include "common/record.h"
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct text words[] = { { "Work", 4 }, { "urgent", 6 } };
static const uint32_t uids[] = { 1, 2, 3 };

static struct mailbox_view *
three_messages(struct world *w)
{
	for (int i = 0; i < 3; i++)
		append_to(w, "INBOX", "x\r\n");
	w->answers = 0;
	return open_view(w, "INBOX");
}

static void
store(struct world *w, struct mailbox_view *view, size_t count,
    enum flag_mode mode, uint32_t flags, const struct text *keyword)
{
	const struct flag_change change = { .mode = mode,
		.flags = flags,
		.keywords = keyword,
		.keyword_count = keyword == NULL ? 0 : 1 };

	mailbox_change_flags(view, uids, count, &change, answered, w);
}

static bool
has_two_answers(struct world *w)
{
	return w->answers == 2;
}

static bool
has_three_answers(struct world *w)
{
	return w->answers == 3;
}

static void
flags_of_two_sessions_are_both_there(void **state)
{
	struct world *w = *state;
	struct mailbox_view *mine = three_messages(w);
	struct mailbox_view *other = open_view(w, "INBOX");
	struct mailbox_row row;

	store(w, mine, 3, FLAGS_ADD, FLAG_SEEN, NULL);
	store(w, other, 2, FLAGS_ADD, FLAG_FLAGGED, NULL);
	store(w, mine, 1, FLAGS_REMOVE, FLAG_SEEN, NULL);
	wait_for(w, has_three_answers);
	assert_true(mailbox_row(mine, 1, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_FLAGGED);
	assert_true(mailbox_row(mine, 2, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_SEEN | FLAG_FLAGGED);
	assert_true(mailbox_row(mine, 3, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_SEEN);
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
new_keywords_of_two_sessions_get_numbers_of_their_own(void **state)
{
	struct world *w = *state;
	struct mailbox_view *mine = three_messages(w);
	struct append *append = append_begin(w->account, TEXT("INBOX"));
	struct mailbox_row row;

	append_message(append, 0, &words[1], 1, 1600000000);
	append_write(append, "y\r\n", 3);
	store(w, mine, 1, FLAGS_ADD, 0, &words[0]);
	append_commit(&append, answered, w);
	wait_for(w, has_two_answers);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(mailbox_view_info(mine)->keyword_count, 2);
	assert_true(mailbox_row(mine, 1, &row));
	assert_int_equal(row.keywords, 1);
	assert_true(mailbox_row(mine, 4, &row));
	assert_int_equal(row.keywords, 2);
	mailbox_view_close(&mine);
}

/* What another session expunges meanwhile costs the rest nothing. */
static void
what_is_being_expunged_is_left_out(void **state)
{
	struct world *w = *state;
	struct mailbox_view *mine = three_messages(w);
	struct mailbox_view *other = open_view(w, "INBOX");
	struct mailbox_row row;

	store(w, mine, 1, FLAGS_ADD, FLAG_DELETED, NULL);
	mailbox_expunge(mine, NULL, 0, answered, w);
	store(w, other, 3, FLAGS_ADD, FLAG_SEEN, NULL);
	wait_for(w, has_three_answers);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_true(mailbox_row(other, 3, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_SEEN);
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
two_moves_of_a_message_make_one(void **state)
{
	struct world *w = *state;
	struct mailbox_view *mine = three_messages(w);
	struct mailbox_view *other = open_view(w, "INBOX");

	mailbox_list_create(w->account, TEXT("There"), 0, answered, w);
	wait_for(w, has_answer);
	w->answers = 0;
	mailbox_copy(mine, uids, 2, TEXT("There"), true, answered, w);
	mailbox_copy(other, uids, 3, TEXT("There"), true, answered, w);
	wait_for(w, has_two_answers);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, 1);
	assert_int_equal(message_count(w, "INBOX"), 0);
	assert_int_equal(message_count(w, "There"), 3);
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
who_leaves_while_he_waits_changes_nothing(void **state)
{
	struct world *w = *state;
	struct mailbox_view *mine = three_messages(w);
	struct mailbox_view *other = open_view(w, "INBOX");
	struct mailbox_row row;

	store(w, mine, 3, FLAGS_ADD, FLAG_SEEN, NULL);
	store(w, other, 3, FLAGS_ADD, FLAG_FLAGGED, NULL);
	mailbox_view_close(&other);
	assert_int_equal(w->answers, 1);
	assert_int_equal(w->status, STATUS_UNAVAILABLE);
	wait_for(w, has_two_answers);
	wait_for(w, is_idle);
	assert_true(mailbox_row(mine, 1, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_SEEN);
	mailbox_view_close(&mine);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(flags_of_two_sessions_are_both_there),
		TEST_CASE(
		    new_keywords_of_two_sessions_get_numbers_of_their_own),
		TEST_CASE(what_is_being_expunged_is_left_out),
		TEST_CASE(two_moves_of_a_message_make_one),
		TEST_CASE(who_leaves_while_he_waits_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
