/*
 * A store that was put back to an older state, as its account's worker finds
 * it: UIDs leap, and what the store has forgotten it is given again (P5, P6).
 */
#include "tests/unit/account_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static uint32_t
highest_uid(struct world *w, const char *name)
{
	struct mailbox_view *view = open_view(w, name);
	uint32_t uid = mailbox_view_uid(view, mailbox_view_count(view));

	mailbox_view_close(&view);
	return uid;
}

static void
an_older_store_leaps_and_gets_what_it_has_forgotten(void **state)
{
	struct world *w = *state;
	uint32_t uidvalidity =
	    mailbox_list_find(w->account, TEXT("INBOX"))->uidvalidity;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "A", "three\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_int_equal(
	    mailbox_list_find(w->account, TEXT("INBOX"))->uidvalidity,
	    uidvalidity);
	view = open_view(w, "INBOX");
	assert_in_range(mailbox_view_uid(view, 1), 1 << 20, 1 << 23);
	mailbox_view_close(&view);
	assert_int_equal(message_count(w, "A"), 1);
	append_to(w, "INBOX", "four\r\n");
	assert_int_equal(w->status, STATUS_OK);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
	restart(w);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
}

/* Its leap is the same as the first time; what was given since is not given
 * again. */
static void
the_same_older_store_may_come_back_twice(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t given = 0;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	for (int turn = 0; turn < 3; turn++) {
		account_store_free(&w->account);
		false_store_put_back(w->store);
		open_account(w);
		wait_for(w, is_idle);
		assert_int_equal(message_count(w, "INBOX"), 2 + turn);
		view = open_view(w, "INBOX");
		assert_true(mailbox_view_uid(view, 1) > given);
		mailbox_view_close(&view);
		append_to(w, "INBOX", "more\r\n");
		given = highest_uid(w, "INBOX");
		assert_in_range(given, 1 << 20, 1 << 25);
	}
}

/* A worker that was killed wrote no witness since it began; its index knows. */
static void
an_older_store_leaps_for_a_worker_that_was_killed(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	restart(w);
	append_to(w, "INBOX", "two\r\n");
	kill_worker(w);
	false_store_put_back(w->store);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
}

/* The sequence has come further than the witness, the account has not. */
static void
an_older_store_that_went_on_leaps_too(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	for (int i = 0; i < 20; i++)
		false_store_accept(w->store, "a@demo.test", "meanwhile\n");
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 22);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
}

/* One whose incarnation no store has reached. */
static void
write_witness_of_the_future(struct world *w)
{
	static const uint8_t future[8] = { 0, 0, 0, 0, 0, 0, 0, 0x70 };
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/witness", w->home);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, future, 8, 17), 8);
	close(fd);
}

static void
told(enum status status, void *context)
{
	struct world *w = context;

	w->status = status;
	w->answers++;
}

static void
an_older_store_that_does_not_believe_its_worker_is_not_served(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	false_store_use_claim(w->store);
	write_witness_of_the_future(w);
	begin_account(w);
	w->answers = 0;
	account_store_when_ready(w->account, told, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_FENCED);
	assert_int_equal(account_store_status(w->account), STATUS_FENCED);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(an_older_store_leaps_and_gets_what_it_has_forgotten),
		TEST_CASE(the_same_older_store_may_come_back_twice),
		TEST_CASE(an_older_store_leaps_for_a_worker_that_was_killed),
		TEST_CASE(an_older_store_that_went_on_leaps_too),
		TEST_CASE(
		    an_older_store_that_does_not_believe_its_worker_is_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
