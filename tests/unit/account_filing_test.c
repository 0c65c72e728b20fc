/* Mail that waits in the store is filed by the account's worker, once. */
#include "tests/unit/account_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void
mail_that_waits_in_the_store_is_filed_at_start(void **state)
{
	struct world *w = *state;
	const struct mailbox_info *info;

	mailbox_list_create(w->account, TEXT("lists"), 0, answered, w);
	wait_for(w, is_idle);
	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_accept(w->store, "alice+lists@demo.test", "two\n");
	false_store_accept(w->store, "alice+none@demo.test", "three\n");
	open_account(w);
	wait_for(w, is_idle);
	info = mailbox_list_find(w->account, TEXT("INBOX"));
	assert_int_equal(info->message_count, 2);
	info = mailbox_list_find(w->account, TEXT("lists"));
	assert_int_equal(info->message_count, 1);
	assert_int_equal(count_files(w, "Maildir/.lists", NULL), 1);
}

static void
what_waits_together_is_filed_in_one_batch(void **state)
{
	struct world *w = *state;
	uint64_t before = false_store_batches(w->store);

	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_accept(w->store, "alice@demo.test", "two\n");
	false_store_accept(w->store, "alice@demo.test", "three\n");
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	assert_int_equal(false_store_batches(w->store), before + 1);
}

static bool
has_three(struct world *w)
{
	const struct mailbox_info *info =
	    mailbox_list_find(w->account, TEXT("INBOX"));

	return info != NULL && info->message_count == 3;
}

static void
mail_that_the_store_refuses_holds_no_other_up(void **state)
{
	struct world *w = *state;
	struct delivery_id bad;

	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	bad = false_store_accept(w->store, "alice@demo.test", "two\n");
	false_store_accept(w->store, "alice@demo.test", "three\n");
	false_store_accept(w->store, "alice@demo.test", "four\n");
	false_store_refuse(w->store, &bad);
	begin_account(w);
	wait_for(w, has_three);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
}

/* The index was not written since, the files were. */
static void
mail_filed_just_before_a_kill_is_there_once(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	kill_worker(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	view = open_view(w, "INBOX");
	assert_body(w, view, 1, "one\n");
	assert_body(w, view, 2, "two\n");
	mailbox_view_close(&view);
}

static bool
one_more_batch(struct world *w)
{
	return false_store_batches(w->store) > w->count;
}

static void
a_delivery_whose_answer_got_lost_is_filed_once(void **state)
{
	struct world *w = *state;

	account_store_free(&w->account);
	w->count = false_store_batches(w->store);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_lose_answers(w->store, true);
	w->account = account_store_new(
	    w->loop, open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, one_more_batch);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	assert_int_equal(false_store_live(w->store, 1), 1);
}

static bool
has_one_file(struct world *w)
{
	return count_files(w, "Maildir", NULL) == 1 && is_idle(w);
}

static void
a_delivery_that_cannot_be_begun_comes_from_the_store(void **state)
{
	struct world *w = *state;
	char name[900] = "", path[100], bytes[20] = "";
	FILE *file;

	false_store_accept(w->store, "alice@demo.test", "one\n");
	account_store_free(&w->account);
	w->account = account_store_new(
	    w->loop, open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	snprintf(path, sizeof(path), "%s/Maildir/tmp", w->home);
	assert_int_equal(rmdir(path), 0);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_ready);
	wait_for(w, has_one_file);
	assert_int_equal(count_files(w, "Maildir", name), 1);
	file = fopen(name, "r");
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), 4);
	fclose(file);
	assert_string_equal(bytes, "one\n");
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(what_waits_together_is_filed_in_one_batch),
		TEST_CASE(mail_that_the_store_refuses_holds_no_other_up),
		TEST_CASE(mail_filed_just_before_a_kill_is_there_once),
		TEST_CASE(mail_that_waits_in_the_store_is_filed_at_start),
		TEST_CASE(a_delivery_that_cannot_be_begun_comes_from_the_store),
		TEST_CASE(a_delivery_whose_answer_got_lost_is_filed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
