/*
 * Forgetting on a disk that is full or fails, and in a process that is killed.
 */
#include "tests/unit/aging.h"

#include "common/log.h"
#include "tests/unit/power.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void
an_expiry_that_cannot_be_committed_takes_nothing(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct aging *f = *state;
	bool has_more;

	aging_append(f, "x\n");
	aging_expunge(f, 1);
	aging_pass(f, 31 * DAY);
	do
		assert_int_equal(
		    expire_step(f->expire, f->journal, &has_more, &error),
		    STATUS_OK);
	while (f->journal->round == NULL && has_more);
	store_set_commit_fault(ENOSPC);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_FULL);
	store_set_commit_fault(0);
	assert_int_equal(aging_count(f, DB_DEAD), 1);
	assert_int_equal(aging_count(f, DB_BLOB), 1);
	aging_verify(f);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	aging_verify(f);
}

/* Junk until no more is taken; how many messages that were. */
static unsigned int
fill(struct aging *f, enum status *status)
{
	static char body[16000];
	struct message m = { .type = MESSAGE_change_append };
	unsigned int n = 0;

	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, sizeof(body));
	m.change_append.size = sizeof(body);
	do {
		m.change_append.delivery = aging_delivery(f);
		memcpy(body, m.change_append.delivery.bytes, 8);
		*status = aging_try(f, &m);
		aging_commit(f);
		n++;
	} while (*status == STATUS_OK);
	return n - 1;
}

static void
a_full_store_still_lets_die_marks_and_forgets(void **state)
{
	struct aging *f = *state;
	struct error error = { .code = ERROR_NONE };
	enum status status;
	uint64_t sequence;
	unsigned int n, again;
	uint32_t uid;

	f->map_bytes = 8 << 20;
	aging_restart(f, 0);
	n = fill(f, &status);
	assert_int_equal(status, STATUS_FULL);
	assert_true(n > 80);
	for (uid = 1; uid <= n; uid++)
		aging_expunge(f, uid);
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 0,
			     TEXT("full"), TEXT(""), &sequence, &error),
	    STATUS_OK);
	aging_commit(f);
	/* Never because the disk is full. */
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), n);
	assert_int_equal(fill(f, &status), 0);
	/* Mass expunge is an alarm, which somebody looked at. */
	for (sequence = 1; sequence <= f->journal->state.sequence; sequence++) {
		struct retention_pin scope = aging_scope(sequence, 0, 0, 0);
		uint64_t until_us;

		(void)journal_release(
		    f->journal, TEXT("alarm"), &scope, &until_us, &error);
	}
	aging_commit(f);
	aging_pass(f, 31 * DAY);
	aging_expire(f);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	/* What was let go is room. */
	again = fill(f, &status);
	assert_int_equal(status, STATUS_FULL);
	assert_true(again > n / 2);
	aging_verify(f);
}

/* Runs a pass on the store, until its alarm clock kills it. */
static void
expire_in_child(struct aging *f, unsigned int life_us)
{
	const struct itimerval life = { .it_value = { .tv_usec = life_us } };
	struct error error = { .code = ERROR_NONE };
	bool has_more;

	log_set_level(LOG_LEVEL_ALARM);
	aging_open(f);
	setitimer(ITIMER_REAL, &life, NULL);
	for (;;) {
		if (expire_step(f->expire, f->journal, &has_more, &error) !=
			STATUS_OK ||
		    journal_commit(f->journal, &error) != STATUS_OK)
			_exit(1);
		if (!has_more)
			_exit(0);
	}
}

/* Killed at any moment, the store is as before a step or as after it. */
static void
a_kill_at_any_moment_leaves_all_of_a_step_or_nothing(void **state)
{
	struct aging *f = *state;
	unsigned int i, kills = 0;
	uint64_t before;
	int status = 1;
	char body[20];
	pid_t pid;

	for (i = 0; i < 200; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		aging_append(f, body);
		aging_set_flags(f, i + 1, FLAG_SEEN);
		if (i % 4 != 0)
			aging_expunge(f, i + 1);
	}
	aging_pass(f, 40 * DAY);
	aging_restart(f, 0);
	while (status != 0) {
		before = aging_count(f, DB_DEAD);
		aging_close(f);
		pid = fork();
		if (pid == 0)
			expire_in_child(f, 100 + kills * 150);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		kills++;
		aging_open(f);
		aging_verify(f);
		assert_true(aging_count(f, DB_DEAD) <= before);
		assert_int_equal(aging_count(f, DB_LIVE), 50);
	}
	assert_true(kills > 3);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 50);
}

/* -- Cut at each step of step.h, and at the writes and syncs behind it -- */

enum {
	SECOND_PASS_DAYS = 740, /* what was out of reach is forgotten, too */
	CUTS_EACH = 4
};

static void
make_folder(struct aging *f, unsigned int messages)
{
	struct message m = { .type = MESSAGE_change_create };
	struct message a = { .type = MESSAGE_change_append };
	uint64_t mailbox = f->journal->state.next_mailbox;
	unsigned int i;
	char body[20];

	m.change_create.name = TEXT("Old");
	aging_apply(f, &m);
	for (i = 0; i < messages; i++) {
		snprintf(body, sizeof(body), "old %u\n", i);
		a.change_append.delivery = aging_delivery(f);
		a.change_append.mailbox = mailbox;
		a.change_append.data = text_of(body);
		a.change_append.size = strlen(body);
		aging_apply(f, &a);
	}
	m = (struct message){ .type = MESSAGE_change_retire };
	m.change_retire.mailbox = mailbox;
	aging_apply(f, &m);
}

/* Bodies that are shared and that are not, old states, a deleted folder: all of
 * it free but for 10 messages. */
static void
make_much_to_forget(struct aging *f)
{
	unsigned int i;
	char body[20];

	for (i = 0; i < 60; i++) {
		snprintf(body, sizeof(body), "%u\n", i / 2);
		aging_append(f, body);
		aging_set_flags(f, i + 1, FLAG_SEEN);
	}
	for (i = 0; i < 50; i++)
		aging_expunge(f, i + 1);
	make_folder(f, 20);
	aging_pass(f, 800 * DAY);
	aging_restart(f, 0);
}

/* To be cut, and to be finished. */
static void
forget_all(void *context)
{
	struct aging *f = context;

	aging_expire(f);
	aging_pass(f, SECOND_PASS_DAYS * DAY);
	aging_expire(f);
}

static void
forget_in_child(void *context)
{
	log_set_level(LOG_LEVEL_ALARM);
	aging_open(context);
	forget_all(context);
}

static void
check_forgotten(struct aging *f)
{
	assert_int_equal(aging_count(f, DB_LIVE), 10);
	assert_int_equal(aging_count(f, DB_DEAD), 0);
	assert_int_equal(aging_count(f, DB_BLOB), 5);
	assert_int_equal(aging_count(f, DB_CHUNK), 5);
	assert_int_equal(aging_count(f, DB_HASH), 5);
	assert_int_equal(aging_count(f, DB_BLOB_USE), 5);
	assert_int_equal(aging_count(f, DB_DELIVERY), 10);
}

static void
a_cut_at_each_step_loses_and_keeps_nothing(void **state)
{
	static const unsigned int occurrences[CUTS_EACH] = { 1, 2, 9, 30 };
	struct aging *f = *state;
	struct power_cut cut = { .seed = 1 };
	unsigned int i, cuts = 0;
	char kept[SCRATCH_PATH + 8];
	bool was_cut;

	make_much_to_forget(f);
	aging_close(f);
	snprintf(kept, sizeof(kept), "%s.kept", f->path);
	scratch_copy(f->path, kept);
	for (cut.step = STEP_EXPIRE_REAPED; cut.step < STEP_COUNT; cut.step++)
		for (i = 0; i < CUTS_EACH; i++) {
			cut.occurrence = occurrences[i];
			cut.calls = i * 2 + cut.step % 2;
			cut.seed++;
			was_cut = power_run(&cut, forget_in_child, f);
			if (i == 0 && !was_cut)
				fail_msg(
				    "never reached: %s", step_name(cut.step));
			cuts += was_cut;
			aging_open(f);
			aging_verify(f);
			forget_all(f);
			check_forgotten(f);
			aging_verify(f);
			aging_close(f);
			scratch_copy(kept, f->path);
		}
	scratch_remove(kept);
	print_message("%u cuts\n", cuts);
	assert_true(cuts > 20);
	aging_open(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(a_cut_at_each_step_loses_and_keeps_nothing),
		AGING_TEST(an_expiry_that_cannot_be_committed_takes_nothing),
		AGING_TEST(a_full_store_still_lets_die_marks_and_forgets),
		AGING_TEST(
		    a_kill_at_any_moment_leaves_all_of_a_step_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
