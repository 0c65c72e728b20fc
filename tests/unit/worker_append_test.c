/*
 * Messages that are appended together, and in the place of others, against the
 * real snapshot process: all or none, in one batch.
 */
#include "common/record.h"
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	LARGE = 100 * 1000 /* more than a packet to the store holds */
};

static const struct text words[] = { { "Work", 4 }, { "urgent", 6 },
	{ "WORK", 4 } };

static void
add(struct append *append, const struct text *keywords, size_t count,
    const char *body)
{
	append_message(append, FLAG_SEEN, keywords, count, 1600000000);
	append_write(append, body, strlen(body));
}

static void
commit(struct world *w, struct append *append)
{
	w->answers = 0;
	append_commit(&append, answered, w);
	wait_for(w, has_answer);
}

/* Three messages, one of which does not fit in a packet. */
static struct append *
three(struct world *w, const char *mailbox)
{
	struct append *append = append_begin(w->account, text_of(mailbox));
	char *large = calloc(1, LARGE + 1);

	memset(large, 'x', LARGE);
	add(append, words, 2, "one\r\n");
	add(append, words + 2, 1, large);
	add(append, NULL, 0, "three\n");
	free(large);
	return append;
}

static void
several_messages_are_one_batch(void **state)
{
	struct world *w = *state;
	uint64_t batches = false_store_batches(w->store);
	struct mailbox_view *view;
	struct mailbox_row row;

	commit(w, three(w, "INBOX"));
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, 3);
	assert_int_equal(false_store_batches(w->store), batches + 1);
	assert_int_equal(false_store_live(w->store, 1), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_info(view)->keyword_count, 2);
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.keywords, 3);
	assert_true(mailbox_row(view, 2, &row));
	assert_int_equal(row.keywords, 1);
	assert_int_equal(row.size, LARGE);
	assert_true(mailbox_row(view, 3, &row));
	assert_int_equal(row.keywords, 0);
	assert_body(w, view, 1, "one\n");
	assert_body(w, view, 3, "three\n");
	mailbox_view_close(&view);
	restart(w);
	assert_int_equal(message_count(w, "INBOX"), 3);
}

static bool
has_batch(struct world *w)
{
	return false_store_batches(w->store) > 0;
}

/* The answer to the batch is lost: it is asked for again, and doubles none. */
static void
a_lost_answer_doubles_none_of_them(void **state)
{
	struct world *w = *state;
	struct append *append = three(w, "INBOX");

	false_store_lose_answers(w->store, true);
	w->answers = 0;
	append_commit(&append, answered, w);
	wait_for(w, has_batch);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, 3);
	assert_int_equal(false_store_live(w->store, 1), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
}

static void
too_many_keywords_refuse_all_of_them(void **state)
{
	struct world *w = *state;
	struct append *append = append_begin(w->account, TEXT("INBOX"));
	char name[16];

	for (int i = 0; i <= RECORD_MAX_KEYWORDS; i++) {
		struct text keyword;

		snprintf(name, sizeof(name), "k%d", i);
		keyword = text_of(name);
		add(append, &keyword, 1, "x\r\n");
	}
	commit(w, append);
	assert_int_equal(w->status, STATUS_LIMIT);
	assert_int_equal(false_store_live(w->store, 1), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	commit(w, three(w, "Nowhere"));
	assert_int_equal(w->status, STATUS_MISSING);
	assert_true(is_idle(w));
}

static void
replace_first(struct world *w, struct mailbox_view *view, const char *target)
{
	struct append *append = append_begin(w->account, text_of(target));

	add(append, NULL, 0, "new\r\n");
	append_replace(append, view, 1);
	commit(w, append);
}

static void
a_replaced_message_dies_as_the_new_one_is_born(void **state)
{
	struct world *w = *state;
	uint64_t batches;
	struct mailbox_update update;
	struct mailbox_view *view;

	append_to(w, "INBOX", "old\r\n");
	append_to(w, "INBOX", "other\r\n");
	view = open_view(w, "INBOX");
	batches = false_store_batches(w->store);
	replace_first(w, view, "INBOX");
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 3);
	assert_int_equal(false_store_batches(w->store), batches + 1);
	assert_int_equal(false_store_live(w->store, 1), 2);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	assert_true(mailbox_view_next_update(view, true, &update));
	assert_int_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(update.uid, 1);
	assert_body(w, view, 3, "new\n");
	mailbox_view_close(&view);
	restart(w);
	assert_int_equal(message_count(w, "INBOX"), 2);
}

static void
what_is_gone_is_not_replaced_and_nothing_is_added(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "old\r\n");
	view = open_view(w, "INBOX");
	delete_message(w, view, 1);
	replace_first(w, view, "INBOX");
	assert_int_equal(w->status, STATUS_MISSING);
	assert_int_equal(false_store_live(w->store, 1), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	mailbox_view_close(&view);
}

static void
a_full_account_may_replace_what_it_has(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "old and longer\r\n");
	account_store_set_quota(w->account, 16, 1);
	append_to(w, "INBOX", "x\r\n");
	assert_int_equal(w->status, STATUS_QUOTA);
	view = open_view(w, "INBOX");
	replace_first(w, view, "INBOX");
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(false_store_live(w->store, 1), 1);
	mailbox_view_close(&view);
	account_store_set_quota(w->account, 6, 1);
	view = open_view(w, "INBOX");
	{
		struct append *append = append_begin(w->account, TEXT("INBOX"));

		add(append, NULL, 0, "larger\r\n");
		append_replace(append, view, 2);
		commit(w, append);
	}
	assert_int_equal(w->status, STATUS_QUOTA);
	assert_int_equal(false_store_live(w->store, 1), 1);
	mailbox_view_close(&view);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(several_messages_are_one_batch),
		TEST_CASE(a_lost_answer_doubles_none_of_them),
		TEST_CASE(too_many_keywords_refuse_all_of_them),
		TEST_CASE(a_replaced_message_dies_as_the_new_one_is_born),
		TEST_CASE(what_is_gone_is_not_replaced_and_nothing_is_added),
		TEST_CASE(a_full_account_may_replace_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
