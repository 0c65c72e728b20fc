/*
 * When messages came into their mailboxes, as the store's log has it: asked for
 * when somebody wants to know, and the same after whatever the index went
 * through.
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
	mailbox_learn_saved(w->account, learned, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

/* 0: it is not known. */
static int64_t
saved(struct world *w, const char *mailbox, uint32_t uid)
{
	struct mailbox_view *view = open_view(w, mailbox);
	int64_t time = 0;

	if (!mailbox_view_saved(view, uid, &time))
		time = 0;
	mailbox_view_close(&view);
	return time;
}

static bool
is_known(struct world *w)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	bool is_so = mailbox_view_knows_saved(view);

	mailbox_view_close(&view);
	return is_so;
}

static void
fill(struct world *w)
{
	w->answers = 0;
	mailbox_list_create(w->account, TEXT("Other"), 0, answered, w);
	wait_for(w, has_answer);
	append_to(w, "INBOX", BODY);
	append_to(w, "INBOX", BODY);
	append_to(w, "Other", BODY);
}

static void
flag(struct world *w, uint32_t uid)
{
	struct flag_change change = { .mode = FLAGS_ADD, .flags = FLAG_SEEN };
	struct mailbox_view *view = open_view(w, "INBOX");

	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	mailbox_view_close(&view);
}

static void
copy(struct world *w, uint32_t uid, bool is_move)
{
	struct mailbox_view *view = open_view(w, "INBOX");

	w->answers = 0;
	mailbox_copy(view, &uid, 1, TEXT("Other"), is_move, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	mailbox_view_close(&view);
}

static void
nobody_is_asked_before_somebody_wants_to_know(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_false(is_known(w));
	assert_int_equal(saved(w, "INBOX", 1), 0);
	learn(w);
	assert_true(is_known(w));
	assert_true(saved(w, "INBOX", 1) > 1000000000);
	assert_true(saved(w, "INBOX", 2) >= saved(w, "INBOX", 1));
	assert_true(saved(w, "Other", 1) >= saved(w, "INBOX", 2));
	assert_int_equal(saved(w, "INBOX", 3), 0);
	/* Then only for what came since. */
	append_to(w, "INBOX", BODY);
	assert_false(is_known(w));
	learn(w);
	assert_true(saved(w, "INBOX", 3) >= saved(w, "Other", 1));
}

static void
flags_change_nothing_and_a_copy_comes_anew(void **state)
{
	struct world *w = *state;
	int64_t first, second;

	fill(w);
	learn(w);
	first = saved(w, "INBOX", 1);
	second = saved(w, "INBOX", 2);
	flag(w, 1);
	copy(w, 1, false);
	copy(w, 2, true);
	learn(w);
	assert_int_equal(saved(w, "INBOX", 1), first);
	assert_true(saved(w, "Other", 2) >= second);
	assert_true(saved(w, "Other", 3) >= saved(w, "Other", 2));
	/* And from the beginning. */
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	assert_false(is_known(w));
	learn(w);
	assert_int_equal(saved(w, "INBOX", 1), first);
	assert_true(saved(w, "Other", 2) >= second);
}

static void
it_is_the_same_after_a_restart_and_a_lost_index(void **state)
{
	struct world *w = *state;
	int64_t times[3];

	fill(w);
	learn(w);
	times[0] = saved(w, "INBOX", 1);
	times[1] = saved(w, "INBOX", 2);
	times[2] = saved(w, "Other", 1);
	restart(w);
	assert_true(is_known(w));
	assert_int_equal(saved(w, "INBOX", 2), times[1]);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	assert_int_equal(saved(w, "INBOX", 2), 0);
	learn(w);
	assert_int_equal(saved(w, "INBOX", 1), times[0]);
	assert_int_equal(saved(w, "INBOX", 2), times[1]);
	assert_int_equal(saved(w, "Other", 1), times[2]);
}

static bool
is_away(struct world *w)
{
	return !store_client_is_present(w->account->client);
}

static bool
is_there_again(struct world *w)
{
	return !is_away(w);
}

static void
who_cannot_be_told_hears_so(void **state)
{
	struct world *w = *state;

	fill(w);
	false_store_disconnect(w->store);
	wait_for(w, is_away);
	w->answers = 0;
	mailbox_learn_saved(w->account, learned, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_UNAVAILABLE);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_there_again);
	learn(w);
}

/* The session that asked is gone: the others of the same answer are told. */
static void
who_is_gone_is_not_told(void **state)
{
	struct world *w = *state;
	struct world gone = { 0 };

	fill(w);
	mailbox_learn_saved(w->account, learned, &gone);
	mailbox_learn_cancel(w->account, &gone);
	learn(w);
	assert_int_equal(w->answers, 1);
	assert_int_equal(gone.answers, 0);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_is_asked_before_somebody_wants_to_know),
		TEST(flags_change_nothing_and_a_copy_comes_anew),
		TEST(it_is_the_same_after_a_restart_and_a_lost_index),
		TEST(who_cannot_be_told_hears_so),
		TEST(who_is_gone_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
