/*
 * The modes of a restore, its dry run and its repetition, with a false worker
 * at a real snapshot process.
 */
#include "tests/unit/snapd_stand.h"

#include "common/codec.h"
#include "common/memory.h"
#include "common/record.h"
#include "snapd/journal.h"
#include "snapd/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- What the tests say and see -- */

static enum status
restore_mode(struct fixture *f, enum restore_mode mode, const char *point,
    bool is_dry_run, struct sums *sums)
{
	struct message m = { .type = MESSAGE_control_restore };

	m.control_restore.is_dry_run = is_dry_run;
	m.control_restore.mode = (uint8_t)mode;
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = text_of(point);
	m.control_restore.account = 1;
	return restore_with(f, &m, sums);
}

static void
add_keyword(
    struct fixture *f, uint64_t mailbox, uint8_t number, const char *name)
{
	struct message m = { .type = MESSAGE_change_keyword };

	m.change_keyword.mailbox = mailbox;
	m.change_keyword.number = number;
	m.change_keyword.name = text_of(name);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

static void
rename_mailbox(struct fixture *f, uint64_t mailbox, const char *name)
{
	struct message m = { .type = MESSAGE_change_rename };

	m.change_rename.mailbox = mailbox;
	m.change_rename.name = text_of(name);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

/* The n-th message of a live mailbox. */
static struct message_record
message_of(struct fixture *f, const char *mailbox, size_t n)
{
	struct message_record record;
	struct text row;
	struct reader r;

	assert_int_equal(ls(f, NULL, 1, mailbox), STATUS_OK);
	assert_true(find_row(f, CONTROL_MESSAGE, n, &row));
	reader_init(&r, row.data, row.size);
	assert_int_equal(record_get_message(&r, &record), 1);
	return record;
}

static size_t
count_of(struct fixture *f, const char *mailbox)
{
	return ls(f, NULL, 1, mailbox) == STATUS_OK
		   ? count_rows(f, CONTROL_MESSAGE)
		   : SIZE_MAX;
}

/* The live mailbox whose name ends so: false if there is none. */
static bool
find_mailbox(struct fixture *f, const char *end, struct mailbox_record *found,
    char name[RECORD_MAX_NAME_SIZE + 1])
{
	size_t size = strlen(end);
	struct text row;
	struct reader r;

	assert_int_equal(ls(f, NULL, 1, ""), STATUS_OK);
	for (size_t i = 0; find_row(f, CONTROL_MAILBOX, i, &row); i++) {
		reader_init(&r, row.data, row.size);
		assert_int_equal(record_get_mailbox(&r, found), 1);
		text_copy(found->name, name, RECORD_MAX_NAME_SIZE + 1);
		if (found->name.size >= size &&
		    strcmp(name + found->name.size - size, end) == 0)
			return true;
	}
	return false;
}

/* -- Dry run -- */

static void
dry_run_counts_files_of_whose_loss_nobody_knew(void **state)
{
	struct fixture *f = *state;
	uint8_t rows[3 * 12];
	struct sums sums;
	struct writer w;

	append(f, 1, 10, 1);
	mark(f, "good");
	append(f, 11, 12, 1);
	writer_init(&w, rows, sizeof(rows));
	for (uint32_t uid = 2; uid <= 11; uid += 4) { /* 2, 6, 10 */
		writer_put_u64(&w, 1);
		writer_put_u32(&w, uid);
	}
	f->missing = text_make(rows, w.size);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_OK);
	assert_int_equal(f->looks, 1);
	assert_int_equal(sums.refill, 3);
	assert_int_equal(sums.add, 0);
	assert_true(sums.bytes > 0);
	assert_int_equal(f->catch_ups, 0);
	/* One that is not of that time is not counted. */
	writer_init(&w, rows, sizeof(rows));
	writer_put_u64(&w, 1);
	writer_put_u32(&w, 12);
	f->missing = text_make(rows, w.size);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_OK);
	assert_int_equal(sums.refill, 0);
}

/* Nobody answers before eight, or four, were asked: one after the other would
 * wait for ever. */
static void
dry_run_asks_the_workers_of_several_accounts_at_a_time(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	struct sums sums;

	for (uint32_t account = 3; account <= 8; account++)
		create_account(f, account);
	mark(f, "good");
	m.control_restore.is_dry_run = 1;
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = TEXT("good");
	f->looks_at_a_time = 8;
	assert_int_equal(restore_with(f, &m, &sums), STATUS_OK);
	assert_int_equal(f->looks, 8);
	assert_int_equal(f->starts, 8);
	for (uint32_t account = 9; account <= 12; account++)
		create_account(f, account);
	f->looks_at_a_time = 4;
	assert_int_equal(restore_with(f, &m, &sums), STATUS_OK);
	assert_int_equal(f->looks, 8 + 12);
	assert_int_equal(f->starts, 12);
}

static void
dry_run_writes_nothing_in_any_mode(void **state)
{
	struct message status = { .type = MESSAGE_control_status };
	struct fixture *f = *state;
	struct control_fact before, after;
	char sequence[64];
	struct text row;
	struct sums sums;

	append(f, 1, 5, 1);
	mark(f, "good");
	expunge(f, 1, 1, 2);
	append(f, 6, 7, 1);
	assert_int_equal(ask(f, &status), STATUS_OK);
	assert_true(find_row(f, CONTROL_FACT, 2, &row));
	assert_int_equal(control_get_fact(row, &before), 0);
	assert_true(text_is(before.name, "sequence"));
	text_copy(before.value, sequence, sizeof(sequence));
	for (int mode = 0; mode < MODE_COUNT; mode++)
		assert_int_equal(restore_mode(f, (enum restore_mode)mode,
				     "good", true, &sums),
		    STATUS_OK);
	assert_int_equal(sums.add, 2);
	assert_int_equal(sums.move, 2);
	assert_int_equal(ask(f, &status), STATUS_OK);
	assert_true(find_row(f, CONTROL_FACT, 2, &row));
	assert_int_equal(control_get_fact(row, &after), 0);
	assert_true(text_is(after.value, sequence));
}

/* -- Copy -- */

static void
copy_has_flags_dates_and_keywords_of_then_and_is_not_doubled(void **state)
{
	char name[RECORD_MAX_NAME_SIZE + 1];
	struct fixture *f = *state;
	struct mailbox_record mailbox;
	struct message_record record;
	struct sums sums;

	append(f, 401, 403, create_mailbox(f, "Work"));
	append(f, 1, 400, 1);
	add_keyword(f, 1, 0, "$Junk");
	add_keyword(f, 1, 1, "blue");
	set_flags(f, 1, 7, FLAG_FLAGGED, 2);
	mark(f, "good");
	set_flags(f, 1, 7, 0, 0);
	expunge(f, 1, 300, 400);
	assert_int_equal(
	    restore_mode(f, MODE_COPY, "good", true, &sums), STATUS_OK);
	assert_int_equal(sums.add, 403);
	assert_int_equal(
	    restore_mode(f, MODE_COPY, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 403);
	assert_true(find_mailbox(f, "Z/Work", &mailbox, name));
	assert_int_equal(count_of(f, name), 3);
	assert_int_equal(count_of(f, "INBOX"), 299);
	assert_true(find_mailbox(f, "Z/INBOX", &mailbox, name));
	assert_int_equal(strncmp(name, "Restored/20", 11), 0);
	assert_int_equal(count_of(f, name), 400);
	record = message_of(f, name, 6);
	assert_int_equal(record.internaldate, 1700000007);
	assert_int_equal(record.flags, FLAG_FLAGGED);
	assert_true(find_mailbox(f, "Z/INBOX", &mailbox, name));
	assert_int_equal(mailbox.keyword_count, 1);
	assert_true(text_is(mailbox.keywords[0], "blue"));
	assert_int_equal(record.keywords, 1);
	assert_int_equal(
	    restore_mode(f, MODE_COPY, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 0);
	assert_int_equal(count_of(f, name), 400);
}

static void
copy_of_one_message_goes_into_the_mailbox_that_is_named(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct message_control_restore *r = &m.control_restore;
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 3, 1);
	r->mode = MODE_COPY;
	r->point_kind = POINT_NOW;
	r->account = 1;
	r->mailbox = TEXT("INBOX");
	r->uid = 2;
	r->into = TEXT("Found");
	assert_int_equal(restore_with(f, &m, &sums), STATUS_OK);
	assert_int_equal(count_of(f, "Found"), 1);
	assert_int_equal(message_of(f, "Found", 0).internaldate, 1700000002);
	r->into = TEXT("bad//name");
	assert_int_equal(restore_with(f, &m, &sums), STATUS_INVALID);
	r->mode = MODE_MISSING;
	r->into = TEXT("Found");
	assert_int_equal(restore_with(f, &m, &sums), STATUS_INVALID);
	r->mode = MODE_COUNT;
	r->into = TEXT("");
	assert_int_equal(restore_with(f, &m, &sums), STATUS_INVALID);
}

/* -- Rewind -- */

static void
rewind_makes_the_account_as_it_was(void **state)
{
	char name[RECORD_MAX_NAME_SIZE + 1];
	struct fixture *f = *state;
	struct mailbox_record mailbox;
	struct sums plan, done;
	uint64_t work;

	work = create_mailbox(f, "Work");
	append(f, 1, 500, 1);
	append(f, 501, 510, work);
	set_flags(f, 1, 3, FLAG_FLAGGED, 0);
	mark(f, "good");
	set_flags(f, 1, 3, FLAG_SEEN, 0);
	set_flags(f, 1, 4, FLAG_SEEN, 0);
	expunge(f, 1, 101, 400);
	append(f, 511, 530, 1);
	move(f, 1, work, 5);
	rename_mailbox(f, work, "Play");
	append(f, 531, 533, create_mailbox(f, "Later"));
	assert_int_equal(
	    restore_mode(f, MODE_REWIND, "good", true, &plan), STATUS_OK);
	assert_int_equal(plan.add, 301);
	assert_int_equal(plan.change, 2);
	assert_int_equal(plan.move, 20 + 1 + 3);
	assert_int_equal(
	    restore_mode(f, MODE_REWIND, "good", false, &done), STATUS_OK);
	assert_memory_equal(&plan, &done, sizeof(plan));
	assert_int_equal(count_of(f, "INBOX"), 500);
	assert_int_equal(count_of(f, "Work"), 10);
	assert_int_equal(count_of(f, "Play"), SIZE_MAX);
	assert_int_equal(count_of(f, "Later"), SIZE_MAX);
	assert_int_equal(message_of(f, "INBOX", 2).flags, FLAG_FLAGGED);
	assert_int_equal(message_of(f, "INBOX", 3).flags, 0);
	assert_true(find_mailbox(f, "Z/INBOX", &mailbox, name));
	assert_int_equal(strncmp(name, "Superseded/20", 13), 0);
	assert_int_equal(count_of(f, name), 20);
	assert_true(find_mailbox(f, "Z/Work", &mailbox, name));
	assert_int_equal(count_of(f, name), 1);
	assert_true(find_mailbox(f, "Z/Later", &mailbox, name));
	assert_int_equal(count_of(f, name), 3);
}

static void
second_rewind_changes_nothing_and_the_first_can_be_undone(void **state)
{
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 20, 1);
	mark(f, "good");
	expunge(f, 1, 1, 5);
	append(f, 21, 23, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    restore_mode(f, MODE_REWIND, "good", false, &sums),
		    STATUS_OK);
	assert_int_equal(sums.add + sums.change + sums.move, 0);
	assert_int_equal(count_of(f, "INBOX"), 20);
	/* What was brought back and changed since is set right again. */
	set_flags(f, 1, 24, FLAG_DRAFT, 0);
	assert_int_equal(
	    restore_mode(f, MODE_REWIND, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.change, 1);
	assert_int_equal(
	    restore_mode(f, MODE_REWIND, "before-rewind", true, &sums),
	    STATUS_OK);
	assert_int_equal(sums.change, 1);
}

static void
rewind_marks_the_state_before_it_which_is_never_the_latest(void **state)
{
	struct message list = { .type = MESSAGE_control_list };
	struct message latest = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	struct control_snapshot snapshot;
	struct sums sums;
	struct text row;

	append(f, 1, 5, 1);
	mark(f, "good");
	append(f, 6, 7, 1);
	assert_int_equal(
	    restore_mode(f, MODE_REWIND, "good", false, &sums), STATUS_OK);
	assert_int_equal(ask(f, &list), STATUS_OK);
	assert_true(find_row(f, CONTROL_SNAPSHOT, 1, &row));
	assert_int_equal(control_get_snapshot(row, &snapshot), 0);
	assert_int_equal(snapshot.kind, SNAPSHOT_REWIND);
	assert_true(text_is(snapshot.name, "before-rewind"));
	latest.control_restore.is_dry_run = 1;
	latest.control_restore.mode = MODE_REWIND;
	latest.control_restore.point_kind = POINT_LATEST;
	latest.control_restore.account = 1;
	assert_int_equal(restore_with(f, &latest, &sums), STATUS_OK);
	assert_int_equal(sums.add + sums.move, 0);
}

static void
rewind_of_one_message_leaves_the_others(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct message_control_restore *r = &m.control_restore;
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 5, 1);
	mark(f, "good");
	set_flags(f, 1, 2, FLAG_DRAFT, 0);
	set_flags(f, 1, 4, FLAG_DRAFT, 0);
	append(f, 6, 7, 1);
	r->mode = MODE_REWIND;
	r->point_kind = POINT_NAMED;
	r->point_name = TEXT("good");
	r->account = 1;
	r->mailbox = TEXT("INBOX");
	r->uid = 2;
	assert_int_equal(restore_with(f, &m, &sums), STATUS_OK);
	assert_int_equal(sums.change, 1);
	assert_int_equal(sums.move, 0);
	assert_int_equal(message_of(f, "INBOX", 1).flags, 0);
	assert_int_equal(message_of(f, "INBOX", 3).flags, FLAG_DRAFT);
	assert_int_equal(count_of(f, "INBOX"), 7);
}

/* -- The worker that was not told -- */

/* Asked for what came after everything. */
static uint64_t
changes_seen(struct fixture *f)
{
	struct message m = { .type = MESSAGE_list_changes };

	m.list_changes.since = 1000000;
	f->worker.answers = 0;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answer(&f->worker);
	assert_int_equal(f->worker.answer.type, MESSAGE_listing);
	return f->worker.listing_size;
}

/* A session need not wait for the last row to read the first message. */
static void
worker_hears_of_the_first_rows_while_others_are_written(void **state)
{
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 600, 1);
	mark(f, "good");
	expunge(f, 1, 1, 600);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_OK);
	assert_int_equal(f->follow_ups, 0);
	assert_int_equal(restore(f, "good", false, &sums), STATUS_OK);
	assert_int_equal(sums.add, 600);
	assert_in_range(f->follow_ups, 1, 600);
	assert_int_equal(f->catch_ups, 1);
	assert_int_equal(changes_seen(f), 0);
}

static void
what_a_restore_did_is_listed_until_the_worker_has_caught_up(void **state)
{
	struct fixture *f = *state;
	struct sums sums;

	append(f, 1, 10, 1);
	mark(f, "good");
	expunge(f, 1, 1, 5);
	assert_int_equal(changes_seen(f), 0);
	stop(f);
	start(f);
	f->has_no_worker = true;
	assert_int_equal(restore(f, "good", false, &sums), STATUS_PARTLY);
	assert_int_equal(sums.add, 5);
	/* As after a crash: nobody who would tell him is left. */
	stop(f);
	start(f);
	f->is_deaf = true;
	connect_peer(f, &f->worker, ROLE_WORKER, 1);
	assert_true(changes_seen(f) > 0);
	stop(f);
	start(f);
	f->is_deaf = false;
	connect_peer(f, &f->worker, ROLE_WORKER, 1);
	(void)changes_seen(f);
	assert_int_equal(f->follow_ups, 1);
	assert_int_equal(changes_seen(f), 0);
}

static void
restore_ends_when_who_asked_is_gone_and_goes_on_when_asked_again(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	enum status status;
	struct sums sums;

	append(f, 1, 2000, 1);
	mark(f, "good");
	expunge(f, 1, 1, 2000);
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = TEXT("good");
	m.control_restore.account = 1;
	f->stop_at_row = 4;
	f->control.row_count = 0;
	channel_send(f->control.channel, &m, NULL, 0);
	event_loop_run(f->loop);
	f->stop_at_row = 0;
	channel_free(&f->control.channel);
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	do /* until it is seen that he is gone */
		status = restore(f, "good", false, &sums);
	while (status == STATUS_BUSY);
	assert_int_equal(status, STATUS_OK);
	assert_true(sums.add > 0 && sums.add < 2000);
	assert_int_equal(count_of(f, "INBOX"), 2000);
}

static struct delivery_id
delivery_number(unsigned int n)
{
	struct delivery_id delivery = { { [15] = (uint8_t)(n + 1) } };

	return delivery;
}

static void
accept_mail(struct fixture *f, unsigned int n)
{
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct journal *journal = snapd_journal(f->snapd);
	struct delivery_id delivery = delivery_number(n);
	uint8_t data[400];
	struct error error;
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	assert_int_equal(
	    journal_accept(journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), TEXT("new\n"), &error),
	    STATUS_OK);
	assert_int_equal(journal_commit(journal, &error), STATUS_OK);
}

/* Nobody waits for its answer: it is patient (snapd/round.h). */
static void
file_mail(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_change_file };
	struct message end = { .type = MESSAGE_batch_commit };

	m.change_file.delivery = delivery_number(n);
	m.change_file.mailbox = 1;
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	end.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &end, NULL, 0);
}

static void
restore_waits_for_the_commit_that_others_are_patient_for(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	unsigned int n, filed = 0;

	append(f, 1, 2000, 1);
	mark(f, "good");
	expunge(f, 1, 1, 2000);
	for (n = 0; n < 40; n++)
		accept_mail(f, n);
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = TEXT("good");
	m.control_restore.account = 1;
	f->control.row_count = 0;
	f->control.answers = 0;
	channel_send(f->control.channel, &m, NULL, 0);
	while (f->control.answers == 0) {
		if (filed < 40)
			file_mail(f, filed++);
		f->stop_at_row = f->control.row_count + 1;
		event_loop_run(f->loop);
	}
	f->stop_at_row = 0;
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
	assert_true(filed > 1);
	while (f->worker.answer.batch_done.counter != f->counter)
		event_loop_run(f->loop);
	assert_int_equal(count_of(f, "INBOX"), 2000 + filed);
}

static void
second_restore_is_told_that_one_is_running(void **state)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct fixture *f = *state;
	struct peer first;
	struct sums sums;

	append(f, 1, 2000, 1);
	mark(f, "good");
	expunge(f, 1, 1, 2000);
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = TEXT("good");
	m.control_restore.account = 1;
	f->stop_at_row = 2;
	f->control.row_count = 0;
	channel_send(f->control.channel, &m, NULL, 0);
	event_loop_run(f->loop);
	f->stop_at_row = 0;
	first = f->control;
	memset(&f->control, 0, sizeof(f->control));
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	assert_int_equal(restore(f, "good", true, &sums), STATUS_BUSY);
	channel_free(&first.channel);
	buf_clear(&first.rows);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(dry_run_counts_files_of_whose_loss_nobody_knew),
		TEST(dry_run_asks_the_workers_of_several_accounts_at_a_time),
		TEST(dry_run_writes_nothing_in_any_mode),
		TEST(
		    copy_has_flags_dates_and_keywords_of_then_and_is_not_doubled),
		TEST(copy_of_one_message_goes_into_the_mailbox_that_is_named),
		TEST(rewind_makes_the_account_as_it_was),
		TEST(second_rewind_changes_nothing_and_the_first_can_be_undone),
		TEST(
		    rewind_marks_the_state_before_it_which_is_never_the_latest),
		TEST(rewind_of_one_message_leaves_the_others),
		TEST(worker_hears_of_the_first_rows_while_others_are_written),
		TEST(
		    what_a_restore_did_is_listed_until_the_worker_has_caught_up),
		TEST(
		    restore_ends_when_who_asked_is_gone_and_goes_on_when_asked_again),
		TEST(restore_waits_for_the_commit_that_others_are_patient_for),
		TEST(second_restore_is_told_that_one_is_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
