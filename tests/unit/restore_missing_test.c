/*
 * What a restore brings back: messages that were expunged or lost, mailboxes
 * that were retired, once, and with or without a worker; killed, it goes on
 * where it was.  Its modes and its dry run are in restore_test.c.
 */
#include "tests/unit/snapd_stand.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
lose_a_lot(struct fixture *f, uint64_t *mailbox)
{
	*mailbox = create_mailbox(f, "Work");
	append(f, 1, 700, 1);
	append(f, 701, 710, *mailbox);
	mark(f, "good");
	expunge(f, 1, 1, 600);
	set_missing(f, 1, 601, 610);
	retire(f, *mailbox, "Work");
}

static void
restore_brings_back_what_was_expunged_and_retired(void **state)
{
	struct fixture *f = *state;
	struct message_record record;
	struct sums plan, done;
	uint64_t mailbox;
	struct text row;
	struct reader r;

	lose_a_lot(f, &mailbox);
	assert_int_equal(restore(f, "good", true, &plan), STATUS_OK);
	assert_int_equal(plan.add, 600);
	assert_int_equal(plan.refill, 20);
	assert_int_equal(plan.mailboxes, 2);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 100);
	assert_int_equal(restore(f, "good", false, &done), STATUS_OK);
	assert_memory_equal(&plan, &done, sizeof(plan));
	assert_int_equal(f->catch_ups, 1);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 700);
	/* UID 1 is 701 now: the same date and flags. */
	assert_true(find_row(f, CONTROL_MESSAGE, 100, &row));
	reader_init(&r, row.data, row.size);
	assert_int_equal(record_get_message(&r, &record), 1);
	assert_int_equal(record.uid, 701);
	assert_int_equal(record.internaldate, 1700000001);
	assert_int_equal(record.flags, FLAG_SEEN);
	assert_int_equal(ls(f, NULL, 1, "Work"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 10);
}

static void
second_restore_adds_nothing(void **state)
{
	struct fixture *f = *state;
	struct sums sums;
	uint64_t mailbox;

	lose_a_lot(f, &mailbox);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 0);
	/* The false worker does not clear the marks. */
	assert_int_equal(sums.refill, 10);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 700);
	/* What was brought back and expunged again comes back again. */
	expunge(f, 1, 701, 705);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 5);
}

static void
moved_message_is_not_lost_until_its_copy_is(void **state)
{
	struct fixture *f = *state;
	struct sums sums;
	uint64_t trash;

	trash = create_mailbox(f, "Trash");
	append(f, 1, 2, 1);
	mark(f, "good");
	move(f, 1, trash, 1);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_OK);
	assert_int_equal(sums.add, 0);
	expunge(f, trash, 1, 1);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_OK);
	assert_int_equal(sums.add, 1);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 1);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 0);
}

static void
retired_mailbox_whose_name_is_taken_comes_back_beside_it(void **state)
{
	struct fixture *f = *state;
	struct sums sums;
	uint64_t mailbox;

	lose_a_lot(f, &mailbox);
	create_mailbox(f, "Work");
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(ls(f, NULL, 1, "Work"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 0);
	assert_int_equal(ls(f, NULL, 1, "Work (restored)"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 10);
}

static void
restore_starts_a_worker_if_there_is_none(void **state)
{
	struct fixture *f = *state;
	struct sums sums;
	uint64_t mailbox;

	lose_a_lot(f, &mailbox);
	stop(f);
	start(f);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 600);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->catch_ups, 1);
}

static void
restore_without_a_worker_says_that_the_files_follow(void **state)
{
	struct fixture *f = *state;
	struct sums sums;
	uint64_t mailbox;

	lose_a_lot(f, &mailbox);
	stop(f);
	start(f);
	f->has_no_worker = true;
	assert_int_equal(restore(f, "good", false, &sums), STATUS_PARTLY);
	assert_int_equal(sums.add, 600);
	assert_non_null(
	    strstr(f->control.text, "1 accounts whose files follow"));
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 700);
}

/* A restore that is killed after its first rows, and asked for again. */
static void
restore_that_was_killed_goes_on_where_it_was(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	struct sums sums;
	uint64_t mailbox;
	int status;
	pid_t child;

	lose_a_lot(f, &mailbox);
	stop(f);
	child = fork();
	if (child == 0) {
		start(f);
		m.control_restore.point_kind = POINT_NAMED;
		m.control_restore.point_name = TEXT("good");
		m.control_restore.account = 1;
		channel_send(f->control.channel, &m, NULL, 0);
		/* Two progress rows: one step at least is on disk. */
		f->exit_at_row = 2;
		event_loop_run(f->loop);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	start(f);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_true(count_rows(f, CONTROL_MESSAGE) > 100);
	assert_true(count_rows(f, CONTROL_MESSAGE) < 700);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_true(sums.add > 0 && sums.add < 600);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 700);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(restore_brings_back_what_was_expunged_and_retired),
		TEST(second_restore_adds_nothing),
		TEST(moved_message_is_not_lost_until_its_copy_is),
		TEST(retired_mailbox_whose_name_is_taken_comes_back_beside_it),
		TEST(restore_starts_a_worker_if_there_is_none),
		TEST(restore_without_a_worker_says_that_the_files_follow),
		TEST(restore_that_was_killed_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
