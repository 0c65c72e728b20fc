/*
 * Rounds of the snapshot process: what is only filing waits for the commit of
 * what somebody waits for, and answers keep their order.
 */
#include "common/file.h"
#include "common/process.h"
#include "snapd/round.h"
#include "tests/unit/snapd_mail_stand.h"

#include <errno.h>

static void
send_filing(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_batch_commit };

	begin(&f->worker, n);
	part_file(&f->worker, n, 1);
	m.batch_commit.counter = n;
	channel_send(f->worker.channel, &m, NULL, 0);
}

/* Whoever reads where the mail is sees it in the index. */
static void
accept_and_commit(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_list_unfiled };

	assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	ask(&f->worker, &m);
	f->worker.answers = 0;
}

static void
filing_rides_in_the_commit_of_the_next_change(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	accept_and_commit(f, 1);
	before = commits(f);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	assert_int_equal(commits(f), before);
	assert_int_equal(f->worker.answers, 1);
	ask(&f->control, &mark);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.type, MESSAGE_batch_done);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_int_equal(commits(f), before + 1);
}

/* Which is but a write to the log. */
static void
filing_rides_with_the_next_mail(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	accept_and_commit(f, 1);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	assert_int_equal(f->worker.answers, 1);
	assert_int_equal(accept_mail(f, 3, 1, TEXT("y")), STATUS_OK);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_int_equal(commits(f), before);
}

/* A worker knows answers by their order. */
static void
what_is_refused_is_answered_behind_what_waits(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;

	be_patient(f);
	accept_and_commit(f, 1);
	/* What stands behind this is not for the log: it waits. */
	snapd_alarm(f->snapd, ROLE_SMTPD, 0, ALARM_KILLED);
	send_filing(f, 1);
	send_filing(f, 2); /* there is no such mail */
	wait_until_filing_waits(f, 1);
	assert_int_equal(accept_mail(f, 3, 1, TEXT("y")), STATUS_OK);
	assert_int_equal(f->worker.answers, 1);
	ask(&f->control, &mark);
	wait_answers(&f->worker, 3);
	assert_int_equal(f->worker.answer.batch_done.counter, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_MISSING);
}

static void
only_filing_is_patient(void **state)
{
	struct fixture *f = *state;

	be_patient(f);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(set_flags(f, 1, 1, FLAG_SEEN), STATUS_OK);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_OK);
	/* Together with something else it is as urgent as that is. */
	begin(&f->worker, ++f->counter);
	part_file(&f->worker, 2, 1);
	part_append(&f->worker, 3, 1, "y");
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
}

static void
many_filings_wait_no_longer(void **state)
{
	struct fixture *f = *state;
	unsigned int n;

	be_patient(f);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		send_filing(f, n);
	f->worker.answers = 0;
	wait_answers(&f->worker, ROUND_PATIENT_MAX);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
}

/* Mail comes, and the commit behind it fails: whoever handed it in has his
 * answer, and the worker none. */
static void
accept_and_fail(struct fixture *f, unsigned int n)
{
	uint8_t recipients[400];
	struct message m;

	make_accept(&m, n, 1, TEXT("y"), recipients);
	send_and_fail(f, &f->queue, &m);
	wait_answers(&f->queue, 1);
	assert_int_equal(f->queue.answers, 1);
	assert_int_equal(f->queue.answer.accepted.status, STATUS_OK);
	assert_int_equal(f->worker.answers, 0);
}

/* It comes with the filing for which there is one, and that one fails. */
static void
mail_is_answered_before_a_commit_that_nobody_waits_for(void **state)
{
	struct fixture *f = *state;
	unsigned int n;

	be_patient(f);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	accept_and_commit(f, n);
	/* The log has not what stands behind this: the index has to. */
	snapd_alarm(f->snapd, ROLE_SMTPD, 0, ALARM_KILLED);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		send_filing(f, n);
	wait_until_filing_waits(f, n);
	store_set_commit_fault(EIO);
	send_filing(f, n);
	accept_and_fail(f, n + 1);
}

/* So much is filed that it does not go on waiting. */
static void
mail_is_answered_before_a_commit_for_what_is_filed(void **state)
{
	struct message commit = { .type = MESSAGE_batch_commit };
	struct fixture *f = *state;
	unsigned int n;

	be_patient(f);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	accept_and_commit(f, n);
	store_set_commit_fault(EIO);
	commit.batch_commit.counter = 1;
	begin(&f->worker, 1);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		part_file(&f->worker, n, 1);
	channel_send(f->worker.channel, &commit, NULL, 0);
	accept_and_fail(f, n);
}

static void
filing_that_waited_is_not_answered_when_the_disk_fails(void **state)
{
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;

	be_patient(f);
	accept_and_commit(f, 1);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	file_set_fault_hook(fail_sync, NULL);
	make_accept(&m, 2, 1, TEXT("y"), recipients);
	send_and_fail(f, &f->queue, &m);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(f->worker.answers, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(filing_rides_in_the_commit_of_the_next_change),
		TEST(filing_rides_with_the_next_mail),
		TEST(what_is_refused_is_answered_behind_what_waits),
		TEST(only_filing_is_patient),
		TEST(many_filings_wait_no_longer),
		TEST(mail_is_answered_before_a_commit_that_nobody_waits_for),
		TEST(mail_is_answered_before_a_commit_for_what_is_filed),
		TEST(filing_that_waited_is_not_answered_when_the_disk_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
