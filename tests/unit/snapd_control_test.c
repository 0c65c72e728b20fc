/*
 * snapctl's requests, with a false snapctl, worker and broker at the channels
 * of a real snapshot process, all in this process.  Restore and the log that is
 * followed have tests of their own.
 */
#include "common/control_record.h"
#include "snapd/retention.h"
#include "snapd/snapd.h"
#include "tests/unit/snapd_stand.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
status_says_what_the_store_holds(void **state)
{
	struct message m = { .type = MESSAGE_control_status };
	struct fixture *f = *state;
	struct control_fact fact;
	struct text record;
	unsigned int known = 0;

	append(f, 1, 3, 1);
	assert_int_equal(ask(f, &m), STATUS_OK);
	for (size_t i = 0; find_row(f, CONTROL_FACT, i, &record); i++) {
		assert_int_equal(control_get_fact(record, &fact), 0);
		known +=
		    text_is(fact.name, "accounts") && text_is(fact.value, "2");
		known +=
		    text_is(fact.name, "messages") && text_is(fact.value, "3");
		known +=
		    text_is(fact.name, "store") && text_is(fact.value, f->id);
		known += text_is(fact.name, "vault") &&
			 text_is(fact.value, "none paired");
	}
	assert_int_equal(known, 4);
}

static void
mark_is_found_by_name_and_by_id(void **state)
{
	struct fixture *f = *state;
	struct message list = { .type = MESSAGE_control_list };
	struct control_snapshot snapshot;
	struct text record;
	char id[65];

	append(f, 1, 3, 1);
	mark(f, "monday");
	append(f, 4, 5, 1);
	assert_int_equal(ask(f, &list), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_SNAPSHOT), 1);
	assert_true(find_row(f, CONTROL_SNAPSHOT, 0, &record));
	assert_int_equal(control_get_snapshot(record, &snapshot), 0);
	assert_true(text_is(snapshot.name, "monday"));
	assert_int_equal(snapshot.kind, SNAPSHOT_NAMED);
	assert_int_equal(snapshot.id.size, 8);
	text_copy(snapshot.id, id, sizeof(id));
	assert_int_equal(ls(f, "monday", 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 3);
	assert_int_equal(ls(f, id, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 3);
	assert_int_equal(ls(f, NULL, 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 5);
	assert_int_equal(ls(f, "tuesday", 1, "INBOX"), STATUS_MISSING);
	assert_int_equal(ls(f, "monday", 1, "None"), STATUS_MISSING);
	assert_int_equal(ls(f, "monday", 9, ""), STATUS_MISSING);
}

static void
ls_counts_accounts_and_mailboxes_as_of_then(void **state)
{
	struct fixture *f = *state;
	struct control_account account;
	struct mailbox_record mailbox;
	struct text record;
	struct reader r;

	append(f, 1, 10, 1);
	mark(f, "ten");
	expunge(f, 1, 1, 4);
	assert_int_equal(ls(f, "ten", 0, ""), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_ACCOUNT), 2);
	assert_true(find_row(f, CONTROL_ACCOUNT, 0, &record));
	assert_int_equal(control_get_account(record, &account), 0);
	assert_int_equal(account.messages, 10);
	assert_int_equal(account.mailboxes, 1);
	assert_int_equal(ls(f, NULL, 1, ""), STATUS_OK);
	assert_true(find_row(f, CONTROL_MAILBOX, 0, &record));
	reader_init(&r, record.data, record.size);
	assert_int_equal(record_get_mailbox(&r, &mailbox), 1);
	assert_int_equal(mailbox.message_count, 6);
	assert_true(text_is(mailbox.name, "INBOX"));
}

static enum status
cat(struct fixture *f, const char *point, uint32_t uid, const char *id)
{
	struct message m = { .type = MESSAGE_control_cat };

	m.control_cat.point_kind = point != NULL ? POINT_NAMED : POINT_NOW;
	m.control_cat.point_name = text_of(point != NULL ? point : "");
	m.control_cat.account = 1;
	m.control_cat.mailbox = TEXT("INBOX");
	m.control_cat.uid = uid;
	m.control_cat.message_id = text_of(id);
	return ask(f, &m);
}

static void
cat_gives_an_expunged_message_by_uid_and_by_message_id(void **state)
{
	static const char body[] =
	    "Subject: x\nMessage-ID: <m2@demo.test>\n\nbody 2\n";
	struct fixture *f = *state;
	struct text record;

	append(f, 1, 3, 1);
	mark(f, "all");
	expunge(f, 1, 2, 2);
	assert_int_equal(cat(f, "all", 2, ""), STATUS_OK);
	assert_true(find_row(f, CONTROL_BODY, 0, &record));
	assert_true(text_is(record, body));
	assert_int_equal(cat(f, "all", 0, "m2@demo.test"), STATUS_OK);
	assert_true(find_row(f, CONTROL_BODY, 0, &record));
	assert_true(text_is(record, body));
	assert_int_equal(cat(f, NULL, 2, ""), STATUS_MISSING);
	assert_int_equal(cat(f, NULL, 0, "<m2@demo.test>"), STATUS_MISSING);
	assert_int_equal(cat(f, NULL, 0, "<m3@demo.test>"), STATUS_OK);
}

static void
diff_shows_added_removed_and_changed(void **state)
{
	struct message m = { .type = MESSAGE_control_diff };
	struct fixture *f = *state;
	unsigned int seen[3] = { 0 };
	struct control_diff diff;
	struct text record;

	append(f, 1, 5, 1);
	mark(f, "before");
	expunge(f, 1, 1, 2);
	append(f, 6, 6, 1);
	set_missing(f, 1, 4, 4); /* not a difference to people */
	m.control_diff.from_kind = POINT_NAMED;
	m.control_diff.from_name = TEXT("before");
	m.control_diff.to_kind = POINT_NOW;
	assert_int_equal(ask(f, &m), STATUS_OK);
	for (size_t i = 0; find_row(f, CONTROL_DIFF, i, &record); i++) {
		assert_int_equal(control_get_diff(record, &diff), 0);
		assert_true(diff.difference < 3);
		seen[diff.difference]++;
	}
	assert_int_equal(seen[DIFFERENCE_ADDED], 1);
	assert_int_equal(seen[DIFFERENCE_REMOVED], 2);
	assert_int_equal(seen[DIFFERENCE_CHANGED], 0);
}

static void
copy(struct fixture *f, uint64_t from, uint64_t to, uint32_t first,
    uint32_t last)
{
	struct message m = { .type = MESSAGE_change_copy };
	uint8_t data[2000];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	for (; first <= last; first++) {
		struct copy_record record = { .uid = first };

		memset(record.delivery.bytes, 0xc0, sizeof(record.delivery));
		memcpy(record.delivery.bytes, &first, sizeof(first));
		record_put_copy(&w, &record);
	}
	m.change_copy.source = from;
	m.change_copy.target = to;
	m.change_copy.records = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

static void
log_tells_every_event_in_order(void **state)
{
	struct message m = { .type = MESSAGE_control_log };
	struct fixture *f = *state;
	struct control_event event;
	uint64_t sequence = 0;
	struct text record;
	size_t i;

	append(f, 1, 1, 1);
	mark(f, "end");
	assert_int_equal(ask(f, &m), STATUS_OK);
	for (i = 0; find_row(f, CONTROL_EVENT, i, &record); i++) {
		assert_int_equal(control_get_event(record, &event), 0);
		assert_int_equal(event.sequence, ++sequence);
	}
	assert_int_equal(i, 4);
	m.control_log.account = 2;
	assert_int_equal(ask(f, &m), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_EVENT), 2);
}

static void
ask_for_event(struct fixture *f, size_t n, struct control_event *event)
{
	struct message m = { .type = MESSAGE_control_log };
	struct text record;

	assert_int_equal(ask(f, &m), STATUS_OK);
	assert_true(find_row(f, CONTROL_EVENT, n, &record));
	assert_int_equal(control_get_event(record, event), 0);
}

static void
log_and_find_say_who_removed_what_by_his_own_account(void **state)
{
	struct message m = { .type = MESSAGE_control_find };
	struct fixture *f = *state;
	struct control_death death;
	struct control_event event;
	struct text record;

	append(f, 1, 5, 1);
	f->note = (struct change_note){ CAUSE_EXPUNGE, "ann@demo.test",
		"2001:db8::7" };
	expunge(f, 1, 2, 4);
	ask_for_event(f, 3, &event);
	assert_true(text_is(event.what, "changed"));
	assert_true(text_is(event.actor, "worker"));
	assert_int_equal(event.account, 1);
	assert_int_equal(event.removed, 3);
	assert_true(text_is(event.mailbox, "INBOX"));
	assert_true(text_is(event.note.cause, "EXPUNGE"));
	assert_true(text_is(event.note.user, "ann@demo.test"));
	assert_true(text_is(event.note.address, "2001:db8::7"));
	/* Nobody said anything when they came. */
	ask_for_event(f, 2, &event);
	assert_int_equal(event.removed, 0);
	assert_true(text_is(event.note.cause, "-"));
	assert_int_equal(event.note.user.size, 0);

	m.control_find.point_kind = POINT_NOW;
	m.control_find.is_expunged = 1;
	m.control_find.account = 1;
	assert_int_equal(ask(f, &m), STATUS_OK);
	assert_true(find_row(f, CONTROL_DEATH, 2, &record));
	assert_int_equal(control_get_death(record, &death), 0);
	assert_true(text_is(death.note.cause, "EXPUNGE"));
	assert_true(text_is(death.note.user, "ann@demo.test"));
	assert_true(text_is(death.note.address, "2001:db8::7"));
}

static void
a_deleted_mailbox_is_removed_mail_too(void **state)
{
	struct message m = { .type = MESSAGE_change_retire };
	struct fixture *f = *state;
	struct control_event event;

	m.change_retire.mailbox = create_mailbox(f, "Work");
	append(f, 1, 3, m.change_retire.mailbox);
	f->note.cause = CAUSE_DELETE;
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
	ask_for_event(f, 4, &event);
	assert_int_equal(event.removed, 3);
	assert_true(text_is(event.mailbox, "Work"));
	assert_true(text_is(event.note.cause, "DELETE"));
}

static void
ask_for_usage(
    struct fixture *f, uint32_t account, size_t n, struct control_usage *usage)
{
	struct message m = { .type = MESSAGE_control_stats };
	struct text record;

	m.control_stats.account = account;
	m.control_stats.days = 7;
	assert_int_equal(ask(f, &m), STATUS_OK);
	assert_true(find_row(f, CONTROL_USAGE, n, &record));
	assert_int_equal(control_get_usage(record, usage), 0);
	assert_false(find_row(f, CONTROL_USAGE, n + 1, &record));
}

static void
stats_count_each_message_once_and_each_body_once(void **state)
{
	struct message m = { .type = MESSAGE_change_retire };
	struct fixture *f = *state;
	struct control_usage usage;
	struct control_store store;
	uint64_t size = strlen("Subject: x\nMessage-ID: <m1@demo.test>\n\n"
			       "body 1\n");
	struct text record;

	/* 1 to 4 live, 5 expunged, 6 and 7 in a mailbox that is gone, 1 to 4
	 * there as well, and a flag of 1 changed: its old row is no message. */
	m.change_retire.mailbox = create_mailbox(f, "Work");
	append(f, 1, 5, 1);
	append(f, 6, 7, m.change_retire.mailbox);
	copy(f, 1, m.change_retire.mailbox, 1, 4);
	expunge(f, 1, 5, 5);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
	set_flags(f, 1, 1, FLAG_FLAGGED, 0);
	ask_for_usage(f, 1, 0, &usage);
	assert_int_equal(usage.account, 1);
	assert_int_equal(usage.messages, 4);
	assert_int_equal(usage.bytes, 4 * size);
	assert_int_equal(usage.kept, 7);
	assert_int_equal(usage.kept_bytes, 7 * size);
	assert_int_equal(usage.bodies, 7);
	assert_int_equal(usage.body_bytes, 7 * size);
	assert_int_equal(usage.sealed_bytes, 0);
	assert_int_equal(usage.grown_bytes, 7 * size);
	assert_int_equal(usage.oldest, 1700000001);
	assert_int_equal(usage.newest, 1700000007);
	assert_true(find_row(f, CONTROL_STORE, 0, &record));
	assert_int_equal(control_get_store(record, &store), 0);
	assert_int_equal(store.staged_bytes, 7 * STORE_CHUNK_SIZE);
	assert_true(store.disk_bytes > store.disk_free_bytes);
	assert_true(store.disk_free_bytes > 0);
}

static void
stats_of_all_end_with_their_sum(void **state)
{
	struct message m = { .type = MESSAGE_control_stats };
	struct fixture *f = *state;
	struct control_usage usage;

	append(f, 1, 12000, 1);
	ask_for_usage(f, 0, 2, &usage);
	assert_int_equal(usage.account, 0);
	assert_int_equal(usage.messages, 12000);
	assert_int_equal(usage.bodies, 12000);
	m.control_stats.account = 77;
	m.control_stats.days = 7;
	assert_int_equal(ask(f, &m), STATUS_MISSING);
	m.control_stats.days = 0;
	assert_int_equal(ask(f, &m), STATUS_INVALID);
}

/* A worker that was taken over says what it likes, but not as control bytes
 * and not as a cause that there is not. */
static void
a_malformed_note_is_no_batch(void **state)
{
	static const struct change_note notes[] = {
		{ CAUSE_COUNT, "", "" },
		{ CAUSE_EXPUNGE, "ann\nx", "" },
		{ CAUSE_EXPUNGE, "", "\033[2J" },
	};
	struct message m = { .type = MESSAGE_batch_commit };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		f->note = notes[i];
		begin(f);
		add_append(f, 1, 1);
		m.batch_commit.counter = f->counter--;
		channel_send(f->worker.channel, &m, NULL, 0);
		wait_answer(&f->worker);
		assert_int_equal(
		    f->worker.answer.batch_done.status, STATUS_INVALID);
	}
	memset(&f->note, 0, sizeof(f->note));
	append(f, 1, 1, 1);
}

static uint64_t
count_alarms(struct fixture *f)
{
	struct message list = { .type = MESSAGE_control_list };
	struct control_snapshot snapshot;
	struct text record;
	uint64_t alarms = 0;

	assert_int_equal(ask(f, &list), STATUS_OK);
	for (size_t i = 0; find_row(f, CONTROL_SNAPSHOT, i, &record); i++) {
		assert_int_equal(control_get_snapshot(record, &snapshot), 0);
		alarms += snapshot.kind == SNAPSHOT_ALARM;
	}
	return alarms;
}

static void
bulk_loss_makes_one_mark_of_the_state_before_it(void **state)
{
	struct fixture *f = *state;

	append(f, 1, 100, 1);
	expunge(f, 1, 1, 20);
	assert_int_equal(count_alarms(f), 0);
	expunge(f, 1, 21, 41);
	assert_int_equal(count_alarms(f), 1);
	expunge(f, 1, 42, 100);
	assert_int_equal(count_alarms(f), 1);
	assert_int_equal(ls(f, "before-loss", 1, "INBOX"), STATUS_OK);
	assert_int_equal(count_rows(f, CONTROL_MESSAGE), 80);
}

static void
alarm_from_the_broker_makes_a_mark(void **state)
{
	struct message m = { .type = MESSAGE_alarm };
	struct fixture *f = *state;

	m.alarm.role = ROLE_WORKER;
	m.alarm.account = 1;
	channel_send(f->broker.channel, &m, NULL, 0);
	while (count_alarms(f) == 0)
		continue;
	assert_int_equal(ls(f, "alarm", 1, "INBOX"), STATUS_OK);
}

static uint32_t
uidnext_of_inbox(struct fixture *f)
{
	struct mailbox_record mailbox;
	struct text record;
	struct reader r;

	assert_int_equal(ls(f, NULL, 1, ""), STATUS_OK);
	assert_true(find_row(f, CONTROL_MAILBOX, 0, &record));
	reader_init(&r, record.data, record.size);
	assert_int_equal(record_get_mailbox(&r, &mailbox), 1);
	return mailbox.uidnext;
}

static void
copy_index(struct fixture *f, const char *from, const char *to)
{
	char path[128], bytes[4096];
	ssize_t n;
	int in, out;

	snprintf(path, sizeof(path), "%s/%s", f->path, from);
	in = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/%s", f->path, to);
	out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static void
store_that_was_put_back_leaps_once(void **state)
{
	struct fixture *f = *state;
	uint32_t uidnext;
	uint64_t lost;

	append(f, 1, 10, 1);
	stop(f);
	copy_index(f, "index/data.mdb", "old.mdb");
	start(f);
	assert_int_equal(uidnext_of_inbox(f), 11);
	append(f, 11, 20, 1);
	lost = create_mailbox(f, "Lost");
	stop(f);
	copy_index(f, "old.mdb", "index/data.mdb");
	start(f);
	/* The copy is some seconds old at most. */
	uidnext = uidnext_of_inbox(f);
	assert_in_range(uidnext, 11 + (1 << 20), 11 + (8 << 20));
	assert_int_equal(count_alarms(f), 1);
	stop(f);
	start(f);
	assert_int_equal(uidnext_of_inbox(f), uidnext);
	assert_int_equal(count_alarms(f), 1);
	/* Nor is a mailbox's number given to another one. */
	assert_true(create_mailbox(f, "New") > lost);
}

static void
guard_clock_goes_on_without_requests_and_never_back(void **state)
{
	struct fixture *f = *state;
	struct journal *journal;
	struct store *store;
	struct error error;
	uint64_t before;

	stop(f);
	store = store_open(f->path, (size_t)1 << 30, &error);
	journal = journal_new(store, &error);
	before = journal->state.guard_us;
	journal_set_clock(journal, 1000, 5000000);
	journal_set_clock(journal, 900, 8000000);
	journal_set_clock(journal, 1 << 30, 1000000);
	assert_int_equal(journal->state.guard_us, before + 3000000);
	assert_int_equal(journal_keep_clock(journal, &error), STATUS_OK);
	assert_int_equal(journal_commit(journal, &error), STATUS_OK);
	journal_free(&journal);
	journal = journal_new(store, &error);
	assert_int_equal(journal->state.guard_us, before + 3000000);
	assert_int_equal(journal->state.sequence, 2);
	journal_free(&journal);
	store_close(&store);
	start(f);
}

static void
schedule_gives_each_tier_its_instants(void **state)
{
	struct retention r = { .every_s = 900,
		.count = 2,
		.tiers = { { 900, 3600 }, { 86400, 3 * 86400 } } };
	int64_t now = 10 * 86400 + 1000, at = 0;
	int64_t expected[] = { 8 * 86400, 9 * 86400, 10 * 86400 - 1800,
		10 * 86400 - 900, 10 * 86400, 10 * 86400 + 900 };
	size_t i;

	(void)state;
	for (i = 0; i < 6; i++) {
		at = retention_next(&r, now, at);
		assert_int_equal(at, expected[i]);
	}
	assert_int_equal(retention_next(&r, now, at), -1);
	r.every_s = 0;
	assert_int_equal(retention_next(&r, now, 0), -1);
}

static void
answer_that_nobody_reads_costs_one_step(void **state)
{
	struct message m = { .type = MESSAGE_control_ls };
	struct fixture *f = *state;
	struct timer *once;
	unsigned int i;

	append(f, 1, 100000, 1);
	m.control_ls.tag = 42;
	m.control_ls.point_kind = POINT_NOW;
	m.control_ls.account = 1;
	m.control_ls.mailbox = TEXT("INBOX");
	f->control.answers = 0;
	channel_pause(f->control.channel);
	channel_send(f->control.channel, &m, NULL, 0);
	once = timer_new(f->loop, (void (*)(void *))event_loop_stop, f->loop);
	for (i = 0; i < 50; i++) {
		timer_start(once, 2);
		event_loop_run(f->loop);
		assert_true(snapd_waiting_bytes(f->snapd) < 1 << 20);
	}
	timer_free(&once);
	assert_true(snapd_waiting_bytes(f->snapd) > 0);
	assert_int_equal(f->control.answers, 0);
	channel_resume(f->control.channel);
	wait_answer(&f->control);
	assert_int_equal(f->control.row_count, 100000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(status_says_what_the_store_holds),
		TEST(mark_is_found_by_name_and_by_id),
		TEST(ls_counts_accounts_and_mailboxes_as_of_then),
		TEST(cat_gives_an_expunged_message_by_uid_and_by_message_id),
		TEST(diff_shows_added_removed_and_changed),
		TEST(log_tells_every_event_in_order),
		TEST(log_and_find_say_who_removed_what_by_his_own_account),
		TEST(a_deleted_mailbox_is_removed_mail_too),
		TEST(a_malformed_note_is_no_batch),
		TEST(stats_count_each_message_once_and_each_body_once),
		TEST(stats_of_all_end_with_their_sum),
		TEST(bulk_loss_makes_one_mark_of_the_state_before_it),
		TEST(alarm_from_the_broker_makes_a_mark),
		TEST(store_that_was_put_back_leaps_once),
		TEST(guard_clock_goes_on_without_requests_and_never_back),
		cmocka_unit_test(schedule_gives_each_tier_its_instants),
		TEST(answer_that_nobody_reads_costs_one_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
