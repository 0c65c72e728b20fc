/*
 * What the log of accepted mail has and the index has not yet: it was answered,
 * so it outlives a full disk, a stop and a kill.
 */
#include "common/file.h"
#include "common/memory.h"
#include "snapd/accept_log.h"
#include "tests/unit/snapd_mail_stand.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned int
count_unfiled(struct fixture *f)
{
	struct message m = { .type = MESSAGE_list_unfiled };
	struct unfiled_record record;
	unsigned int found = 0;
	struct reader r;

	ask(&f->worker, &m);
	reader_init(&r, f->worker.data, f->worker.size);
	while (record_get_unfiled(&r, &record) == 1)
		found++;
	return found;
}

static void
mail_is_answered_before_the_index_has_it(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	before = commits(f);
	for (unsigned int n = 1; n <= 5; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	/* A repeated one as well. */
	assert_int_equal(accept_mail(f, 3, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(commits(f), before);
	assert_int_equal(count_unfiled(f), 5);
	assert_int_equal(commits(f), before + 1);
}

static bool
has_committed(struct fixture *f)
{
	return commits(f) >= f->wanted;
}

static void
what_the_log_has_is_committed_before_long(void **state)
{
	struct fixture *f = *state;
	unsigned int before = (unsigned int)commits(f);

	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	f->wanted = before + 1;
	run_until(f, has_committed);
}

static void
mail_can_be_read_as_soon_as_it_was_answered(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	wait_until_filing_waits(f, 1); /* its body is asked for */
	assert_int_equal(f->worker.answer.body.size, 1);
	assert_int_equal(commits(f), before);
}

static void
a_clean_stop_leaves_nothing_to_the_log(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	stop(f);
	assert_int_equal(commits(f), before + 1);
	start(f, MAP_BYTES);
	assert_int_equal(count_unfiled(f), 1);
}

static void
mail_of_the_log_outlives_a_commit_that_finds_no_room(void **state)
{
	struct fixture *f = *state;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("y")), STATUS_OK);
	store_set_next_commit_fault(ENOSPC);
	assert_int_equal(append_to_index(f, 3, 1), STATUS_FULL);
	assert_int_equal(f->failures, 0);
	assert_int_equal(count_unfiled(f), 2);
}

static void
mail_of_the_log_outlives_a_store_that_finds_none_at_all(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_batch_commit };

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	store_set_commit_fault(ENOSPC);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 2, 1, "y");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	send_and_fail(f, &f->worker, &m);
	stop(f);
	store_set_commit_fault(0);
	start(f, MAP_BYTES);
	assert_int_equal(count_unfiled(f), 1);
}

static void
a_store_whose_log_cannot_be_read_serves_nobody(void **state)
{
	struct message hello = { .type = MESSAGE_queue_hello };
	struct fixture *f = *state;
	char log[128], kept[128];

	stop(f);
	snprintf(log, sizeof(log), "%s/accepted", f->path);
	snprintf(kept, sizeof(kept), "%s/kept", f->path);
	assert_int_equal(rename(log, kept), 0);
	assert_int_equal(symlink("kept", log), 0);
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(
	    f->queue.answer.store_state.status, STATUS_UNAVAILABLE);
	stop(f);
	assert_int_equal(rename(kept, log), 0);
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(f->queue.answer.store_state.status, STATUS_OK);
}

static void
a_message_too_large_for_the_log_is_committed(void **state)
{
	struct fixture *f = *state;
	char *body = memory_new(1, ACCEPT_LOG_MAX_RECORD);
	struct message m;
	uint8_t recipients[400];
	struct error error;
	uint64_t before;
	int fd;

	be_patient(f);
	before = commits(f);
	fd = file_sealed_memory("body", body, ACCEPT_LOG_MAX_RECORD, &error);
	make_accept(&m, 1, 1, TEXT(""), recipients);
	m.accept.size = ACCEPT_LOG_MAX_RECORD;
	f->queue.answers = 0;
	channel_send(f->queue.channel, &m, &fd, 1);
	wait_answers(&f->queue, 1);
	assert_int_equal(f->queue.answer.accepted.status, STATUS_OK);
	assert_int_equal(commits(f), before + 1);
	close(fd);
	free(body);
}

static void
answered_mail_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	unsigned int n, answered = 0, found;
	int report[2], status;
	pid_t child;

	stop(f);
	assert_int_equal(pipe(report), 0);
	child = fork();
	if (child == 0) {
		start(f, MAP_BYTES);
		for (n = 1; accept_mail(f, n, 1, TEXT("x")) == STATUS_OK; n++)
			if (write(report[1], &n, sizeof(n)) != sizeof(n))
				break;
		_exit(1);
	}
	while (answered < 200 &&
	       read(report[0], &answered, sizeof(answered)) == sizeof(answered))
		continue;
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(report[1]);
	while (read(report[0], &answered, sizeof(answered)) == sizeof(answered))
		continue;
	close(report[0]);
	start(f, MAP_BYTES);
	found = count_unfiled(f);
	assert_true(answered >= 200);
	/* One more may have been committed and not been answered yet. */
	assert_true(found == answered || found == answered + 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(mail_is_answered_before_the_index_has_it),
		TEST(what_the_log_has_is_committed_before_long),
		TEST(mail_can_be_read_as_soon_as_it_was_answered),
		TEST(a_clean_stop_leaves_nothing_to_the_log),
		TEST(mail_of_the_log_outlives_a_commit_that_finds_no_room),
		TEST(mail_of_the_log_outlives_a_store_that_finds_none_at_all),
		TEST(a_store_whose_log_cannot_be_read_serves_nobody),
		TEST(a_message_too_large_for_the_log_is_committed),
		TEST(answered_mail_survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
