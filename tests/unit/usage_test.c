/*
 * How much is in an account's mailboxes, counted as messages come and go by all
 * ways there are, and what is refused beyond its quota.
 */
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BODY "Subject: x\r\n\r\nx\r\n"

enum {
	SIZE = sizeof(BODY) - 1
};

static void
assert_usage(struct world *w, uint64_t messages)
{
	struct account_usage usage;

	account_store_usage(w->account, &usage);
	assert_int_equal(usage.messages, messages);
	assert_int_equal(usage.bytes, messages * SIZE);
}

static enum status
append(struct world *w)
{
	append_to(w, "INBOX", BODY);
	return w->status;
}

static enum status
copy(struct world *w, uint32_t first, size_t count, bool is_move)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	uint32_t uids[10];

	for (size_t i = 0; i < count; i++)
		uids[i] = first + (uint32_t)i;
	w->answers = 0;
	mailbox_copy(view, uids, count, TEXT("Other"), is_move, answered, w);
	wait_for(w, has_answer);
	mailbox_view_close(&view);
	return w->status;
}

static void
make_other(struct world *w)
{
	w->answers = 0;
	mailbox_list_create(w->account, TEXT("Other"), 0, answered, w);
	wait_for(w, has_answer);
}

static bool
has_three(struct world *w)
{
	struct account_usage usage;

	account_store_usage(w->account, &usage);
	return usage.messages == 3;
}

static void
messages_are_counted_by_whatever_way_they_come_and_go(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	make_other(w);
	assert_usage(w, 0);
	append(w);
	append(w);
	assert_usage(w, 2);
	assert_int_equal(copy(w, 1, 2, false), STATUS_OK);
	assert_usage(w, 4);
	assert_int_equal(copy(w, 1, 1, true), STATUS_OK);
	assert_usage(w, 4);
	view = open_view(w, "INBOX");
	delete_message(w, view, 2);
	mailbox_view_close(&view);
	assert_usage(w, 3);
	w->answers = 0;
	mailbox_list_delete(w->account, TEXT("Other"), answered, w);
	wait_for(w, has_answer);
	assert_usage(w, 0);
	account_store_free(&w->account);
	false_store_accept(w->store, "a@demo.test", "Subject: x\n\nx\n");
	open_account(w);
	append(w);
	append(w);
	wait_for(w, has_three);
	assert_usage(w, 3);
}

static void
and_known_again_after_a_restart_a_kill_and_a_lost_index(void **state)
{
	struct world *w = *state;

	append(w);
	append(w);
	restart(w);
	assert_usage(w, 2);
	append(w);
	kill_worker(w);
	open_account(w);
	assert_usage(w, 3);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	assert_usage(w, 3);
	append(w);
	account_store_free(&w->account);
	cut_power(w);
	open_account(w);
	assert_usage(w, 4);
}

static void
who_has_as_much_as_he_may_adds_nothing(void **state)
{
	struct world *w = *state;

	make_other(w);
	account_store_set_quota(w->account, 3 * SIZE, 0);
	assert_int_equal(append(w), STATUS_OK);
	assert_int_equal(append(w), STATUS_OK);
	/* All or nothing. */
	assert_int_equal(copy(w, 1, 2, false), STATUS_QUOTA);
	assert_int_equal(message_count(w, "Other"), 0);
	assert_int_equal(copy(w, 1, 1, false), STATUS_OK);
	assert_int_equal(append(w), STATUS_QUOTA);
	assert_int_equal(copy(w, 1, 1, false), STATUS_QUOTA);
	assert_int_equal(copy(w, 1, 2, true), STATUS_OK);
	assert_usage(w, 3);
	account_store_set_quota(w->account, 0, 4);
	assert_int_equal(append(w), STATUS_OK);
	assert_int_equal(append(w), STATUS_QUOTA);
	account_store_set_quota(w->account, 0, 0);
	assert_int_equal(append(w), STATUS_OK);
	/* Less than is there: nothing goes for it. */
	account_store_set_quota(w->account, SIZE, 1);
	assert_int_equal(append(w), STATUS_QUOTA);
	assert_usage(w, 5);
}

static unsigned int refused;

static void
one_answered(const struct mailbox_answer *answer, void *context)
{
	refused += answer->status == STATUS_QUOTA;
	answered(answer, context);
}

static bool
has_three_answers(struct world *w)
{
	return w->answers == 3;
}

static bool
is_there_again(struct world *w)
{
	return store_client_is_present(w->account->client);
}

static bool
is_away(struct world *w)
{
	return !is_there_again(w);
}

/* Several that are on their way together have the room of one. */
static void
what_is_on_its_way_takes_room_as_well(void **state)
{
	struct world *w = *state;

	account_store_set_quota(w->account, 2 * SIZE, 0);
	refused = 0;
	w->answers = 0;
	for (int i = 0; i < 3; i++) {
		struct append *one = append_begin(w->account, TEXT("INBOX"));

		append_message(one, 0, NULL, 0, 1600000000);
		append_write(one, BODY, SIZE);
		append_commit(&one, one_answered, w);
	}
	wait_for(w, has_three_answers);
	assert_int_equal(refused, 1);
	assert_usage(w, 2);
	/* One that the store did not take gives its room back. */
	account_store_set_quota(w->account, 3 * SIZE, 0);
	false_store_disconnect(w->store);
	wait_for(w, is_away);
	assert_int_equal(append(w), STATUS_UNAVAILABLE);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_there_again);
	assert_int_equal(append(w), STATUS_OK);
}

static void
what_another_program_adds_is_counted_and_never_refused(void **state)
{
	struct world *w = *state;

	account_store_set_quota(w->account, 2 * SIZE, 0);
	append(w);
	append(w);
	put_file(w, "Maildir/new/1.foreign.host", "Subject: x\n\nx\n");
	wait_for(w, has_three);
	assert_int_equal(append(w), STATUS_QUOTA);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_are_counted_by_whatever_way_they_come_and_go),
		TEST(and_known_again_after_a_restart_a_kill_and_a_lost_index),
		TEST(who_has_as_much_as_he_may_adds_nothing),
		TEST(what_is_on_its_way_takes_room_as_well),
		TEST(what_another_program_adds_is_counted_and_never_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
