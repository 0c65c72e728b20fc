/*
 * What comes in bulk: answered when it is sealed.  A large batch is written by
 * the sealer before it is applied, beside a loop that serves others.
 */
#include "common/file.h"
#include "snapd/segment_env.h"
#include "snapd/segment_use.h"
#include "tests/unit/snapd_mail_stand.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

/* The sealer's thread stands before its commit until it is let go. */
static sem_t reached, let_go;

static int
stand_at_gate(const char *call, const char *name, void *context)
{
	if (strcmp(call, "reserve") != 0)
		return 0;
	sem_post(&reached);
	sem_wait(&let_go);
	sem_post(&let_go);
	return 0;
}

static void
close_gate(void)
{
	sem_init(&reached, 0, 0);
	sem_init(&let_go, 0, 0);
	file_set_fault_hook(stand_at_gate, NULL);
}

/* For good: whoever comes later passes. */
static void
open_gate(void)
{
	sem_post(&let_go);
}

static int
tear_down_gate(void **state)
{
	file_set_fault_hook(NULL, NULL);
	open_gate();
	return tear_down(state);
}

enum {
	BULK_MESSAGES = 40,
	BULK_SIZE = 12000
};

static void
send_messages(struct fixture *f, unsigned int first, unsigned int count)
{
	static char body[BULK_SIZE + 1];

	begin(&f->worker, ++f->counter);
	for (unsigned int n = first; n < first + count; n++) {
		for (size_t i = 0; i < BULK_SIZE; i++)
			body[i] = (char)('a' + random() % 26);
		part_append(&f->worker, n, 1, body);
	}
}

static void
send_bulk(struct fixture *f, unsigned int first)
{
	send_messages(f, first, BULK_MESSAGES);
}

static uint64_t
count_live(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	uint64_t count = store_count(t, DB_LIVE);

	transaction_abort(&t);
	return count;
}

/* Dead bytes of the first segment. */
static uint64_t
sum_dead(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	struct segment_use use;

	assert_true(segment_use_find(t, 1, &use, &error) >= 0);
	transaction_abort(&t);
	return use.dead_bytes;
}

static uint64_t
count_staged(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	uint64_t count = store_count(t, DB_CHUNK);

	transaction_abort(&t);
	return count;
}

static void
bulk_is_answered_when_it_is_sealed(void **state)
{
	struct fixture *f = *state;

	stop(f);
	f->hold_bytes = 1 << 16; /* less than one batch */
	start(f, MAP_BYTES);
	for (unsigned int n = 0; n < 4 * BULK_MESSAGES; n += BULK_MESSAGES) {
		send_bulk(f, n);
		assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
		assert_int_equal(count_staged(f), 0);
	}
	/* What a person sends waits for nothing. */
	assert_int_equal(append_to_index(f, 1000, 1), STATUS_OK);
	assert_int_equal(count_staged(f), 1);
}

static void
what_follows_bulk_is_answered_after_it(void **state)
{
	struct message m = { .type = MESSAGE_batch_commit };
	struct fixture *f = *state;

	stop(f);
	f->hold_bytes = 1 << 16;
	start(f, MAP_BYTES);
	send_bulk(f, 0);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	/* Others do not wait. */
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "other");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_true(f->worker.answer.batch_done.counter == f->counter);
}

static void
bulk_that_waits_is_answered_before_what_fails(void **state)
{
	struct message m = { .type = MESSAGE_batch_commit };
	struct message list = { .type = MESSAGE_list_mailboxes };
	struct message second = { .type = MESSAGE_batch_begin };
	struct fixture *f = *state;
	uint64_t before;

	stop(f);
	f->hold_bytes = 1 << 16;
	start(f, MAP_BYTES);
	before = snapd_journal(f->snapd)->state.sequence;
	send_bulk(f, 0);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	while (snapd_journal(f->snapd)->state.sequence == before)
		ask(&f->other, &list);
	store_set_commit_fault(ENOSPC);
	second.batch_begin.counter = ++f->counter;
	channel_send(f->worker.channel, &second, NULL, 0);
	part_append(&f->worker, 1000, 1, "small");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answers(&f->worker, 2);
	assert_true(f->worker.answer.batch_done.counter == f->counter);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_FULL);
}

/* -- Large batches, which the sealer writes before they are applied -- */

enum {
	LARGE_MESSAGES = 100 /* 1.2 MB of BULK_SIZE */
};

static bool
is_at_gate(struct fixture *f)
{
	return sem_trywait(&reached) == 0;
}

static void
send_large(struct fixture *f, unsigned int first)
{
	struct message m = { .type = MESSAGE_batch_commit };

	send_messages(f, first, LARGE_MESSAGES);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
}

static void
a_large_batch_is_never_staged(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < 3 * LARGE_MESSAGES; n += LARGE_MESSAGES) {
		send_messages(f, n, LARGE_MESSAGES);
		assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
		assert_int_equal(f->worker.size,
		    LARGE_MESSAGES * (size_t)RECORD_RESULT_SIZE);
		assert_int_equal(count_staged(f), 0);
	}
	assert_int_equal(count_live(f), 3 * LARGE_MESSAGES);
}

static void
what_is_asked_behind_a_large_batch_sees_it(void **state)
{
	struct message list = { .type = MESSAGE_list_messages };
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	list.list_messages.mailbox = 1;
	channel_send(f->worker.channel, &list, NULL, 0);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	channel_send(f->worker.channel,
	    &(struct message){ .type = MESSAGE_batch_commit,
		.batch_commit.counter = f->counter },
	    NULL, 0);
	run_until(f, is_at_gate);
	/* Nothing of it is there yet, and nobody else waits. */
	assert_int_equal(count_live(f), 0);
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "other");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	assert_int_equal(f->worker.answers, 0);
	open_gate();
	wait_answers(&f->worker, 3);
	assert_int_equal(count_live(f), LARGE_MESSAGES + 2);
	assert_true(f->worker.listed >= LARGE_MESSAGES * (uint64_t)64);
	assert_true(f->worker.last_counter == f->counter);
}

/* It takes numbers without a commit: what the log has must not be repeated
 * behind them, where a commit finds no room. */
static void
what_the_log_has_is_committed_before_a_large_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	before = commits(f);
	close_gate();
	send_large(f, 0);
	run_until(f, is_at_gate);
	assert_int_equal(commits(f), before + 1);
	open_gate();
	wait_answers(&f->worker, 1);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
}

static bool
has_no_worker(struct fixture *f)
{
	return snapd_worker(f->snapd, 1) == NULL;
}

static bool
has_dead(struct fixture *f)
{
	return sum_dead(f) > 0;
}

static void
a_batch_whose_worker_is_gone_is_not_applied(void **state)
{
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	run_until(f, is_at_gate);
	free_peer(&f->worker);
	run_until(f, has_no_worker);
	open_gate();
	run_until(f, has_dead);
	assert_int_equal(count_live(f), 0);
	/* The next one sends it again, with the same counter. */
	connect_peer(f, &f->worker, ROLE_WORKER, 1);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

static void
a_batch_of_a_worker_that_was_replaced_is_not_applied(void **state)
{
	struct fixture *f = *state;
	struct peer next;

	close_gate();
	send_large(f, 0);
	run_until(f, is_at_gate);
	connect_peer(f, &next, ROLE_WORKER, 1);
	open_gate();
	run_until(f, has_dead);
	assert_int_equal(count_live(f), 0);
	assert_int_equal(f->worker.answers, 0);
	free_peer(&f->worker);
	f->worker = next;
	channel_set_context(f->worker.channel, &f->worker);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

static void
a_large_batch_is_staged_if_segments_have_no_room(void **state)
{
	struct fixture *f = *state;

	segment_env_set_fault(ENOSPC);
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_true(count_staged(f) > 0);
	send_messages(f, LARGE_MESSAGES, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), 2 * LARGE_MESSAGES);
}

static void
a_store_that_ends_has_all_of_a_large_batch_or_nothing(void **state)
{
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	send_large(f, LARGE_MESSAGES);
	run_until(f, is_at_gate);
	open_gate();
	stop(f);
	start(f, MAP_BYTES);
	assert_int_equal(count_live(f), 0);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_gate)
	const struct CMUnitTest tests[] = {
		TEST(bulk_is_answered_when_it_is_sealed),
		TEST(what_follows_bulk_is_answered_after_it),
		TEST(bulk_that_waits_is_answered_before_what_fails),
		TEST(a_large_batch_is_never_staged),
		TEST(what_is_asked_behind_a_large_batch_sees_it),
		TEST(what_the_log_has_is_committed_before_a_large_batch),
		TEST(a_batch_whose_worker_is_gone_is_not_applied),
		TEST(a_batch_of_a_worker_that_was_replaced_is_not_applied),
		TEST(a_large_batch_is_staged_if_segments_have_no_room),
		TEST(a_store_that_ends_has_all_of_a_large_batch_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
