/*
 * What snapctl asks that a worker has to look for first: reconcile, a mark of
 * an account, and missing messages that are let go.  The workers are false, and
 * come, go and look when the test says so (snapd_stand.h).
 */
#include "common/control_record.h"
#include "snapd/reconcile.h"
#include "tests/unit/snapd_stand.h"

#include <stdio.h>
#include <string.h>

static size_t
count_live(struct fixture *f)
{
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	return count_rows(f, CONTROL_MESSAGE);
}

static enum status
reconcile(struct fixture *f, uint32_t account)
{
	struct message m = { .type = MESSAGE_control_reconcile };

	m.control_reconcile.account = account;
	return ask(f, &m);
}

static void
run_until(struct fixture *f, const unsigned int *count, unsigned int wanted)
{
	struct timer *once =
	    timer_new(f->loop, (void (*)(void *))event_loop_stop, f->loop);

	timer_start(f->deadline, DEADLINE_MS);
	while (*count != wanted) {
		timer_start(once, 5);
		event_loop_run(f->loop);
	}
	timer_stop(f->deadline);
	timer_free(&once);
}

static void
reconcile_starts_a_worker_and_waits_for_it(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reconcile(f, 1), STATUS_OK);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->catch_ups, 1);
	assert_int_equal(f->catch_up_files, CATCH_UP_ALL);
	/* One that runs is not started again. The broker is told all the same:
	 * it may be about to retire it. */
	assert_int_equal(f->wanted, 1);
	assert_int_equal(reconcile(f, 1), STATUS_OK);
	assert_int_equal(f->starts, 1);
	assert_int_equal(f->wanted, 2);
	assert_int_equal(f->catch_ups, 2);
}

static void
reconcile_goes_on_with_the_next_worker(void **state)
{
	struct fixture *f = *state;

	f->quitters = 3;
	assert_int_equal(reconcile(f, 1), STATUS_OK);
	assert_int_equal(f->starts, 4);
	assert_int_equal(f->catch_ups, 4);
}

static void
reconcile_goes_on_as_long_as_something_is_committed(void **state)
{
	struct fixture *f = *state;

	f->quitters = 40;
	f->quitters_commit = true;
	assert_int_equal(reconcile(f, 1), STATUS_OK);
	assert_int_equal(f->starts, 41);
	assert_int_equal(count_live(f), 40);
}

static void
reconcile_ends_when_no_worker_gets_anything_done(void **state)
{
	struct fixture *f = *state;

	f->quitters = 1000;
	assert_int_equal(reconcile(f, 1), STATUS_UNAVAILABLE);
	assert_in_range(f->starts, 2, 10);
}

/* Whoever typed it and went away; what the next one wants looked at may have
 * come since the first one's worker was there. */
static void
who_asks_in_the_middle_of_a_look_has_another_one(void **state)
{
	struct message m = { .type = MESSAGE_control_reconcile };
	struct fixture *f = *state;

	f->is_deaf = true;
	m.control_reconcile.tag = 1;
	m.control_reconcile.account = 1;
	channel_send(f->control.channel, &m, NULL, 0);
	run_until(f, &f->wanted, 1);
	free_peer(&f->control);
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	/* By the answer snapd knows that he is gone. */
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	f->is_deaf = false;
	free_peer(&f->worker);
	assert_int_equal(reconcile(f, 1), STATUS_OK);
	assert_int_equal(f->catch_ups, 2);
}

static void
reconcile_without_a_worker_says_so(void **state)
{
	struct fixture *f = *state;

	f->has_no_worker = true;
	assert_int_equal(reconcile(f, 1), STATUS_UNAVAILABLE);
	assert_int_equal(f->wanted, 1);
}

/* -- Create -- */

static enum status
create(struct fixture *f, uint32_t account)
{
	struct message m = { .type = MESSAGE_control_create };

	m.control_create.account = account;
	m.control_create.name = TEXT("mine");
	return ask(f, &m);
}

static void
a_mark_of_an_account_waits_for_its_worker(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(create(f, 1), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_SNAPSHOT), 1);
	assert_int_equal(f->catch_ups, 1);
	assert_int_equal(f->catch_up_files, CATCH_UP_CHANGED);
	/* All of it is what is there. */
	assert_int_equal(create(f, 0), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_SNAPSHOT), 1);
	assert_int_equal(f->catch_ups, 1);
}

static void
a_mark_is_made_of_an_account_that_cannot_be_looked_at(void **state)
{
	struct fixture *f = *state;

	f->has_no_worker = true;
	assert_int_equal(create(f, 1), STATUS_PARTLY);
	assert_int_equal(count_rows(f, CONTROL_SNAPSHOT), 1);
	assert_non_null(strstr(f->control.text, "may be missing"));
	assert_int_equal(ls(f, "mine", 1, "INBOX"), STATUS_OK);
}

static void
a_mark_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	f->is_deaf = true;
	assert_int_equal(create(f, 1), STATUS_PARTLY);
	assert_int_equal(ls(f, "mine", 1, "INBOX"), STATUS_OK);
}

/* Behind a look that goes on: both are answered, in order. */
static void
marks_of_one_account_wait_for_each_other(void **state)
{
	struct message m = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	struct peer other = { 0 };

	f->is_deaf = true;
	connect_peer(f, &other, ROLE_SNAPCTL, 0);
	m.control_create.tag = 1;
	m.control_create.account = 1;
	m.control_create.name = TEXT("first");
	channel_send(other.channel, &m, NULL, 0);
	run_until(f, &f->wanted, 1);
	f->control.answers = 0;
	m.control_create.tag = 2;
	m.control_create.name = TEXT("second");
	channel_send(f->control.channel, &m, NULL, 0);
	f->is_deaf = false;
	free_peer(&f->worker);
	run_until(f, &other.answers, 1);
	run_until(f, &f->control.answers, 1);
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
	assert_int_equal(other.answer.control_done.status, STATUS_OK);
	assert_int_equal(f->catch_ups, 2);
	free_peer(&other);
}

static void
accounts_without_sessions_have_their_turn(void **state)
{
	struct fixture *f = *state;

	stop(f);
	f->reconcile_every_s = 1;
	f->has_no_worker = true;
	start(f);
	run_until(f, &f->started, 1 << 1 | 1 << 2);
}

/* -- Accept missing -- */

static enum status
accept(struct fixture *f, uint32_t account, uint64_t mailbox, uint32_t first,
    uint32_t last)
{
	struct message m = { .type = MESSAGE_control_accept_missing };
	uint8_t data[40];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	for (; first <= last; first++)
		writer_put_u32(&w, first);
	m.control_accept_missing.account = account;
	m.control_accept_missing.mailbox = mailbox;
	m.control_accept_missing.uids = text_make(data, w.size);
	return ask(f, &m);
}

static void
accepting_lets_missing_messages_go_and_no_others(void **state)
{
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 3, 1);
	mark(f, "before");
	set_missing(f, 1, 2, 2);
	/* One that has its file, one that never was, another's mailbox. */
	assert_int_equal(accept(f, 1, 1, 1, 2), STATUS_REFUSED);
	assert_int_equal(accept(f, 1, 1, 9, 9), STATUS_MISSING);
	assert_int_equal(accept(f, 2, 1, 2, 2), STATUS_MISSING);
	assert_int_equal(count_live(f), 3);
	assert_int_equal(accept(f, 1, 1, 2, 2), STATUS_OK);
	assert_int_equal(count_live(f), 2);
	assert_int_equal(f->catch_up_files, CATCH_UP_ROWS);
	/* What it held is kept. */
	assert_int_equal(restore(f, "before", false, &sums), STATUS_OK);
	assert_int_equal(count_live(f), 3);
}

static void
each_account_has_one_turn_a_day(void **state)
{
	enum {
		DAY = 86400,
		STEP = 60,
		ACCOUNTS = 300
	};
	unsigned int in_first_half = 0;

	(void)state;
	for (uint32_t account = 1; account <= ACCOUNTS; account++) {
		unsigned int turns = 0;

		for (uint64_t s = DAY; s < 3 * DAY; s += STEP)
			if (reconcile_is_due(account, s, s + STEP, DAY)) {
				turns++;
				in_first_half += s % DAY < DAY / 2;
			}
		assert_int_equal(turns, 2);
	}
	/* Twice for each account of which half is expected. */
	assert_in_range(in_first_half, ACCOUNTS - 60, ACCOUNTS + 60);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reconcile_starts_a_worker_and_waits_for_it),
		TEST(reconcile_goes_on_with_the_next_worker),
		TEST(reconcile_goes_on_as_long_as_something_is_committed),
		TEST(reconcile_ends_when_no_worker_gets_anything_done),
		TEST(who_asks_in_the_middle_of_a_look_has_another_one),
		TEST(reconcile_without_a_worker_says_so),
		TEST(a_mark_of_an_account_waits_for_its_worker),
		TEST(a_mark_is_made_of_an_account_that_cannot_be_looked_at),
		TEST(a_mark_does_not_wait_for_ever),
		TEST(marks_of_one_account_wait_for_each_other),
		TEST(accounts_without_sessions_have_their_turn),
		TEST(accepting_lets_missing_messages_go_and_no_others),
		cmocka_unit_test(each_account_has_one_turn_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
