/*
 * The snapshot process on a disk that fails, is full, or holds another
 * store or none: what was not written is not answered, deaths and marks find
 * room where mail does not, and nothing is created by accident.
 */
#include "common/file.h"
#include "common/memory.h"
#include "snapd/growth.h"
#include "tests/unit/snapd_mail_stand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
failed_disk_is_never_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;

	file_set_fault_hook(fail_sync, NULL);
	make_accept(&m, 1, 1, TEXT("x"), recipients);
	send_and_fail(f, &f->queue, &m);
	file_set_fault_hook(NULL, NULL);
}

static void
failed_commit_is_never_answered(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_batch_commit };

	store_set_commit_fault(EIO);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1, 1, "x");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	send_and_fail(f, &f->worker, &m);
}

static void
full_disk_says_full_and_stores_nothing(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_list_unfiled_accounts };

	store_set_commit_fault(ENOSPC);
	assert_int_equal(append_to_index(f, 1, 1), STATUS_FULL);
	store_set_commit_fault(0);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.size, 0);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
}

static void
full_disk_refuses_mail_and_takes_deaths_and_marks(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	enum status status = STATUS_FULL;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	stop(f);
	growth_set_fault(ENOSPC);
	start(f, (size_t)1 << 30);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_FULL);
	assert_int_equal(append(f, 3, 1), STATUS_FULL);
	assert_int_equal(set_flags(f, 1, 1, FLAG_DELETED), STATUS_OK);
	assert_int_equal(expunge(f, 1, 1), STATUS_OK);
	ask(&f->control, &mark);
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
	/* Room again: it is found without being told. */
	growth_set_fault(0);
	timer_start(f->deadline, DEADLINE_MS);
	while (status == STATUS_FULL)
		status = accept_mail(f, 2, 1, TEXT("x"));
	assert_int_equal(status, STATUS_OK);
}

static void
full_store_takes_deaths_and_marks_but_no_mail(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	enum status status = STATUS_OK;
	char *body = memory_new(1, 16000);
	unsigned int n;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	memset(body, 'x', 16000);
	for (n = 2; n < 20000 && status == STATUS_OK; n++) {
		memcpy(body, &n, sizeof(n));
		status = accept_mail(f, n, 1, text_make(body, 16000));
	}
	free(body);
	assert_int_equal(status, STATUS_FULL);
	/* A small one may still fit where a larger one did not. */
	for (n = 30000, status = STATUS_OK; n < 40000 && status == STATUS_OK;
	     n++)
		status = append(f, n, 1);
	assert_int_equal(status, STATUS_FULL);
	assert_int_equal(set_flags(f, 1, 1, FLAG_DELETED), STATUS_OK);
	assert_int_equal(expunge(f, 1, 1), STATUS_OK);
	ask(&f->control, &mark);
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
}

static bool
has_no_spare(struct fixture *f)
{
	return !store_has_spare(snapd_journal(f->snapd)->store);
}

static void
blocks_that_a_large_commit_left_are_given_back_at_rest(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	stop(f);
	start(f, (size_t)1 << 30);
	store = snapd_journal(f->snapd)->store;
	assert_true(store_has_room(store, 60 << 20));
	assert_true(store_has_spare(store));
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	run_until(f, has_no_spare);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
}

static void
foreign_or_missing_store_serves_nobody_and_creates_nothing(void **state)
{
	struct message hello = { .type = MESSAGE_queue_hello };
	struct fixture *f = *state;
	char right[33], path[64];
	struct stat st;

	memcpy(right, f->id, sizeof(right));
	memcpy(path, f->path, sizeof(path));
	stop(f);
	f->id[0] = f->id[0] == '0' ? '1' : '0';
	start(f, MAP_BYTES);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_UNAVAILABLE);
	assert_int_equal(append(f, 1, 1), STATUS_UNAVAILABLE);
	stop(f);
	memcpy(f->id, right, sizeof(right));
	strcpy(f->path, "/tmp/snapd_test_none");
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(
	    f->queue.answer.store_state.status, STATUS_UNAVAILABLE);
	assert_int_equal(stat(f->path, &st), -1);
	memcpy(f->path, path, sizeof(path));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(failed_disk_is_never_answered),
		TEST(failed_commit_is_never_answered),
		TEST(full_disk_says_full_and_stores_nothing),
		TEST(full_disk_refuses_mail_and_takes_deaths_and_marks),
		TEST(full_store_takes_deaths_and_marks_but_no_mail),
		TEST(
		    foreign_or_missing_store_serves_nobody_and_creates_nothing),
		TEST(blocks_that_a_large_commit_left_are_given_back_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
