/*
 * What a client missed that was away: UIDs that vanished, by MODSEQ, from the
 * index or, where that was lost, from the store; and what a view tells at once.
 */
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void
put_run(uint32_t first, uint32_t last, void *context)
{
	char *text = context;

	snprintf(
	    text + strlen(text), 200 - strlen(text), "%u:%u ", first, last);
}

/* "2:2 4:5 " */
static const char *
vanished(const struct mailbox_view *view, uint64_t modseq)
{
	static char text[200];

	text[0] = '\0';
	mailbox_view_each_vanished(view, modseq, put_run, text);
	return text;
}

static uint64_t
highest(struct mailbox_view *view)
{
	return mailbox_view_info(view)->highest_modseq;
}

static void
fill(struct world *w, const char *mailbox, int count)
{
	for (int i = 0; i < count; i++)
		append_to(w, mailbox, "Subject: x\r\n\r\nx\r\n");
}

static void
change(struct world *w, struct mailbox_view *view, const uint32_t *uids,
    size_t count, uint32_t flags)
{
	struct flag_change change = { .mode = FLAGS_REPLACE, .flags = flags };

	w->answers = 0;
	mailbox_change_flags(view, uids, count, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
expunge(struct world *w, struct mailbox_view *view, const uint32_t *uids,
    size_t count)
{
	change(w, view, uids, count, FLAG_DELETED);
	w->answers = 0;
	mailbox_expunge(view, uids, count, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
learned(enum status status, void *context)
{
	struct world *w = context;

	w->status = status;
	w->answers++;
}

static void
learn(struct world *w)
{
	w->answers = 0;
	mailbox_learn_vanished(w->account, learned, w);
	wait_for(w, has_answer);
}

/* 1:8 without 2, then 4:6; *middle is the MODSEQ between the two. */
static struct mailbox_view *
expunge_twice(struct world *w, uint64_t *middle)
{
	static const uint32_t uids[] = { 2, 4, 5, 6 };
	struct mailbox_view *view;

	fill(w, "INBOX", 8);
	view = open_view(w, "INBOX");
	expunge(w, view, uids, 1);
	*middle = highest(view);
	expunge(w, view, uids + 1, 3);
	return view;
}

static void
what_vanished_is_known_by_modseq_in_runs(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint64_t middle;

	view = expunge_twice(w, &middle);
	assert_true(mailbox_view_knows_vanished(view, 0));
	assert_string_equal(vanished(view, 0), "2:2 4:6 ");
	assert_string_equal(vanished(view, middle - 1), "2:2 4:6 ");
	assert_string_equal(vanished(view, middle), "4:6 ");
	assert_string_equal(vanished(view, highest(view)), "");
	mailbox_view_close(&view);
	restart(w);
	view = open_view(w, "INBOX");
	assert_true(mailbox_view_knows_vanished(view, 0));
	assert_string_equal(vanished(view, 1), "2:2 4:6 ");
	mailbox_view_close(&view);
}

/* With the next MODSEQ of its mailbox, not with one of the target's. */
static void
what_was_moved_away_vanished(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	const uint32_t uids[] = { 1, 3 };
	uint64_t before;

	fill(w, "INBOX", 3);
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	before = highest(view);
	w->answers = 0;
	mailbox_copy(view, uids, 2, TEXT("A"), true, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_string_equal(vanished(view, before), "1:1 3:3 ");
	assert_string_equal(vanished(view, before + 1), "");
	assert_int_equal(highest(view), before + 1);
	mailbox_view_close(&view);
}

static void
after_a_lost_index_the_store_tells_what_vanished(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	const uint32_t last = 8;
	uint64_t middle;

	view = expunge_twice(w, &middle);
	mailbox_view_close(&view);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	view = open_view(w, "INBOX");
	assert_true(mailbox_view_knows_vanished(view, highest(view)));
	assert_false(mailbox_view_knows_vanished(view, middle));
	/* What vanishes from now on is known without asking. */
	middle = highest(view);
	expunge(w, view, &last, 1);
	assert_true(mailbox_view_knows_vanished(view, middle));
	assert_string_equal(vanished(view, middle), "8:8 ");
	mailbox_view_close(&view);
	/* A store that does not answer has told nothing. */
	false_store_disconnect(w->store);
	mailbox_learn_vanished(w->account, learned, w);
	restart(w);
	assert_int_equal(w->status, STATUS_UNAVAILABLE);
	view = open_view(w, "INBOX");
	assert_false(mailbox_view_knows_vanished(view, 1));
	mailbox_view_close(&view);
	learn(w);
	assert_int_equal(w->status, STATUS_OK);
	view = open_view(w, "INBOX");
	assert_true(mailbox_view_knows_vanished(view, 0));
	assert_non_null(strstr(vanished(view, 1), "2:2 "));
	assert_non_null(strstr(vanished(view, 1), "4:"));
	assert_non_null(strstr(vanished(view, 1), "8:8 "));
	mailbox_view_close(&view);
	restart(w);
	view = open_view(w, "INBOX");
	assert_true(mailbox_view_knows_vanished(view, 0));
	mailbox_view_close(&view);
}

static void
whoever_asks_and_goes_away_is_not_called(void **state)
{
	struct world *w = *state;

	w->answers = 0;
	mailbox_learn_vanished(w->account, learned, w);
	mailbox_learn_vanished(w->account, learned, w->account);
	mailbox_learn_cancel(w->account, w->account);
	wait_for(w, has_answer);
	wait_for(w, is_idle);
	assert_int_equal(w->answers, 1);
}

/* Its mail came from elsewhere, and so does what it knows. */
static void
a_modseq_that_was_never_reached_knows_nothing(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint64_t middle;

	view = expunge_twice(w, &middle);
	middle = highest(view);
	assert_int_equal(mailbox_view_known_modseq(view, middle), middle);
	assert_int_equal(mailbox_view_known_modseq(view, middle + 1), 0);
	assert_string_equal(vanished(view, middle + 1), "1:8 ");
	mailbox_view_close(&view);
}

static void
uids_of_a_lost_time_have_not_vanished(void **state)
{
	struct world *w = *state;
	const uint32_t uid = 3;
	struct mailbox_view *view;

	fill(w, "INBOX", 3);
	view = open_view(w, "INBOX");
	expunge(w, view, &uid, 1);
	mailbox_view_close(&view);
	account_store_free(&w->account);
	false_store_put_back(w->store);
	open_account(w);
	wait_for(w, is_idle);
	learn(w);
	view = open_view(w, "INBOX");
	assert_in_range(mailbox_view_uid(view, 1), 1 << 20, 1 << 23);
	assert_true(highest(view) > RECORD_MODSEQ_LEAP);
	assert_string_equal(vanished(view, 1), "");
	assert_string_equal(vanished(view, highest(view) + 1), "");
	mailbox_view_close(&view);
}

static void
expunges_are_taken_at_once_and_the_rest_stays_as_it_was(void **state)
{
	struct world *w = *state;
	static const uint32_t gone[] = { 1, 3, 4, 8 };
	struct mailbox_view *view, *other;
	struct mailbox_update update;
	uint32_t uids[10];

	fill(w, "INBOX", 8);
	view = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	expunge(w, other, gone, 4);
	assert_true(mailbox_view_misses_only(other, 4));
	assert_false(mailbox_view_misses_only(other, 3));
	/* It was not told of the flags, either. */
	assert_false(mailbox_view_misses_only(view, 4));
	fill(w, "INBOX", 1);
	assert_false(mailbox_view_misses_only(other, 4));
	assert_int_equal(mailbox_view_take_expunged(view, uids, 2), 2);
	assert_int_equal(uids[0], 1);
	assert_int_equal(uids[1], 3);
	assert_int_equal(mailbox_view_count(view), 6);
	assert_int_equal(mailbox_view_take_expunged(view, uids, 10), 2);
	assert_int_equal(uids[0], 4);
	assert_int_equal(uids[1], 8);
	assert_int_equal(mailbox_view_take_expunged(view, uids, 10), 0);
	assert_int_equal(mailbox_view_uid(view, 1), 2);
	assert_int_equal(mailbox_view_uid(view, 4), 7);
	assert_true(mailbox_view_next_update(view, true, &update));
	assert_int_equal(update.kind, UPDATE_EXISTS);
	assert_int_equal(update.number, 5);
	mailbox_view_close(&view);
	mailbox_view_close(&other);
}

static void
flags_are_told_in_order_and_once(void **state)
{
	struct world *w = *state;
	static const uint32_t order[] = { 3, 1, 2, 3 };
	struct mailbox_view *view, *other;
	struct mailbox_update update;
	uint32_t told[10] = { 0 };
	size_t count = 0;

	fill(w, "INBOX", 3);
	view = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	for (size_t i = 0; i < 4; i++)
		change(w, other, &order[i], 1, i == 3 ? 0 : FLAG_SEEN);
	while (mailbox_view_next_update(view, true, &update) && count < 10)
		if (update.kind == UPDATE_FLAGS)
			told[count++] = update.uid;
	assert_int_equal(count, 3);
	for (uint32_t uid = 1; uid <= 3; uid++)
		assert_int_equal(told[uid - 1], uid);
	mailbox_view_close(&view);
	mailbox_view_close(&other);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(what_vanished_is_known_by_modseq_in_runs),
		TEST_CASE(what_was_moved_away_vanished),
		TEST_CASE(after_a_lost_index_the_store_tells_what_vanished),
		TEST_CASE(whoever_asks_and_goes_away_is_not_called),
		TEST_CASE(a_modseq_that_was_never_reached_knows_nothing),
		TEST_CASE(uids_of_a_lost_time_have_not_vanished),
		TEST_CASE(
		    expunges_are_taken_at_once_and_the_rest_stays_as_it_was),
		TEST_CASE(flags_are_told_in_order_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
