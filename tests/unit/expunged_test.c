/*
 * What the store tells a worker of the past, and what it takes from it: numbers
 * of expunged messages, the kept snapshots, bytes recalled.  On a store in a
 * temporary directory, without a channel.
 */
#include "common/memory.h"
#include "common/control_record.h"
#include "snapd/batch.h"
#include "snapd/blob_use.h"
#include "snapd/expunged.h"
#include "snapd/reading.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAP_BYTES = 256 << 20,
	MINE = 1,
	OTHERS = 2,
	MY_INBOX = 1,
	OTHERS_INBOX = 2
};

struct fixture {
	char path[64];
	struct store *store;
	struct journal *journal;
	uint64_t counter;
	unsigned int deliveries;
	int64_t now_us;
	struct result_record result; /* the first one of the last batch */
	uint64_t sequence;
};

static void
open_store(struct fixture *f)
{
	struct error error;

	f->store = store_open(f->path, MAP_BYTES, &error);
	assert_non_null(f->store);
	assert_int_equal(expunged_fill(f->store, &error), 0);
	f->journal = journal_new(f->store, &error);
	assert_non_null(f->journal);
	journal_set_clock(f->journal, f->now_us, f->now_us);
}

static void
close_store(struct fixture *f)
{
	journal_free(&f->journal);
	store_close(&f->store);
}

static void
commit_round(struct fixture *f)
{
	struct error error;

	assert_int_equal(journal_commit(f->journal, &error), STATUS_OK);
	f->now_us += 1000000;
	journal_set_clock(f->journal, f->now_us, f->now_us);
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct store_id id;
	struct error error;

	scratch_store_make(f->path, "expunged_test", &id);
	f->now_us = INT64_C(1700000000) * 1000000;
	open_store(f);
	for (uint32_t account = MINE; account <= OTHERS; account++)
		assert_int_equal(journal_create_account(f->journal, account,
				     TEXT("a@demo.test"), &error),
		    STATUS_OK);
	commit_round(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close_store(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- Batches of one part -- */

static enum status
apply(struct fixture *f, uint32_t account, uint64_t counter,
    const struct message *part)
{
	struct batch *batch = batch_new(counter);
	struct batch_reply reply;
	struct reader r;

	assert_int_equal(batch_add(batch, part, NULL, 0), 0);
	batch_apply(batch, f->journal, account, &reply);
	commit_round(f);
	memset(&f->result, 0, sizeof(f->result));
	reader_init(&r, reply.results.data, reply.results.size);
	(void)record_get_result(&r, &f->result);
	f->sequence = reply.sequence;
	buf_clear(&reply.results);
	batch_free(&batch);
	return reply.status;
}

static struct delivery_id
new_delivery(struct fixture *f)
{
	struct delivery_id delivery = { { 0 } };

	f->deliveries++;
	memcpy(delivery.bytes, &f->deliveries, sizeof(f->deliveries));
	return delivery;
}

static uint32_t
append(struct fixture *f, uint64_t mailbox, const char *body)
{
	struct message m = { .type = MESSAGE_change_append };

	m.change_append.delivery = new_delivery(f);
	m.change_append.mailbox = mailbox;
	m.change_append.internaldate = 1600000000;
	m.change_append.flags = FLAG_FLAGGED;
	m.change_append.data = text_of(body);
	m.change_append.size = strlen(body);
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	return f->result.uid;
}

static void
expunge(struct fixture *f, uint64_t mailbox, uint32_t first, uint32_t last)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[400];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	while (first <= last)
		writer_put_u32(&w, first++);
	m.change_expunge.mailbox = mailbox;
	m.change_expunge.uids = text_make(data, w.size);
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
}

static uint64_t
create(struct fixture *f, const char *name)
{
	struct message m = { .type = MESSAGE_change_create };

	m.change_create.name = text_of(name);
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	return f->result.mailbox;
}

static enum status
recall(struct fixture *f, uint32_t account, uint64_t counter,
    const struct recall_record *records, size_t count, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_recall };
	uint8_t data[4 * RECORD_RECALL_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	for (size_t i = 0; i < count; i++)
		record_put_recall(&w, &records[i]);
	assert_false(w.failed);
	m.change_recall.mailbox = mailbox;
	m.change_recall.records = text_make(data, w.size);
	return apply(f, account, counter, &m);
}

/* -- Listings -- */

static struct reading *
read_now(struct fixture *f, enum reading_kind kind, uint32_t account)
{
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->kind = kind;
	reading->account = account;
	return reading;
}

/* Numbers and UIDs of what was expunged above `after`, as text. */
static const char *
expunged(struct fixture *f, uint32_t account, uint32_t after)
{
	static char text[4000];
	struct reading *reading = read_now(f, READ_EXPUNGED, account);
	static struct change_record change;
	size_t size = 0;
	struct reader r;

	reading->after = after;
	reading_run(reading, f->store);
	assert_int_equal(reading->status, STATUS_OK);
	text[0] = '\0';
	reader_init(&r, reading->data.data, reading->data.size);
	while (record_get_change(&r, &change) == 1) {
		if (change.kind == CHANGE_MAILBOX)
			size +=
			    (size_t)snprintf(text + size, sizeof(text) - size,
				"%.*s: ", TEXT_FMT(change.mailbox.name));
		else
			size +=
			    (size_t)snprintf(text + size, sizeof(text) - size,
				"%u=%u ", change.number, change.message.uid);
	}
	assert_int_equal(reader_done(&r), 0);
	reading_free(&reading);
	return text;
}

static size_t
live(struct fixture *f, uint64_t mailbox, struct message_record *last)
{
	struct reading *reading = read_now(f, READ_MESSAGES, MINE);
	size_t count = 0;
	struct reader r;

	reading->mailbox = mailbox;
	reading_run(reading, f->store);
	assert_int_equal(reading->status, STATUS_OK);
	reader_init(&r, reading->data.data, reading->data.size);
	while (record_get_message(&r, last) == 1)
		count++;
	reading_free(&reading);
	return count;
}

/* -- Tests -- */

static void
expunged_messages_have_numbers_in_the_order_of_their_deaths(void **state)
{
	struct fixture *f = *state;
	uint64_t work;

	for (int i = 0; i < 4; i++)
		append(f, MY_INBOX, "Subject: x\n\nx\n");
	work = create(f, "Work");
	append(f, work, "Subject: x\n\nx\n");
	assert_string_equal(expunged(f, MINE, 0), "");
	expunge(f, MY_INBOX, 4, 4);
	expunge(f, work, 1, 1);
	expunge(f, MY_INBOX, 1, 2);
	assert_string_equal(
	    expunged(f, MINE, 0), "INBOX: 1=4 Work: 2=1 3=1 4=2 ");
	assert_string_equal(expunged(f, MINE, 2), "INBOX: 3=1 4=2 ");
	assert_string_equal(expunged(f, MINE, 4), "");
	assert_string_equal(expunged(f, MINE, UINT32_MAX), "");
	assert_string_equal(expunged(f, OTHERS, 0), "");
	close_store(f);
	open_store(f);
	assert_string_equal(
	    expunged(f, MINE, 0), "INBOX: 1=4 Work: 2=1 3=1 4=2 ");
	expunge(f, MY_INBOX, 3, 3);
	assert_string_equal(expunged(f, MINE, 4), "INBOX: 5=3 ");
}

static void
changed_flags_and_moves_delete_nothing(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record copy = { .uid = 1 };
	uint8_t data[RECORD_COPY_SIZE];
	uint64_t trash = create(f, "Trash");
	struct writer w;

	append(f, MY_INBOX, "x");
	copy.delivery = new_delivery(f);
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &copy);
	m.change_copy.source = MY_INBOX;
	m.change_copy.target = trash;
	m.change_copy.is_move = 1;
	m.change_copy.records = text_make(data, w.size);
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	assert_string_equal(expunged(f, MINE, 0), "");
	expunge(f, trash, 1, 1);
	assert_string_equal(expunged(f, MINE, 0), "Trash: 1=1 ");
}

static void
messages_of_a_retired_mailbox_are_expunged_with_it(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_retire };
	uint64_t old = create(f, "old");

	append(f, old, "a");
	append(f, old, "b");
	append(f, old, "c");
	expunge(f, old, 2, 2);
	m.change_retire.mailbox = old;
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	assert_string_equal(expunged(f, MINE, 0), "old: 1=2 2=1 3=3 ");
}

static void
numbers_of_a_store_that_was_put_back_are_not_given_again(void **state)
{
	struct fixture *f = *state;
	struct transaction *t;
	struct error error;

	append(f, MY_INBOX, "a");
	append(f, MY_INBOX, "b");
	expunge(f, MY_INBOX, 1, 1);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(expunged_leap(t, MINE, 1000, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	expunge(f, MY_INBOX, 2, 2);
	assert_string_equal(expunged(f, MINE, 0), "INBOX: 1=1 1002=2 ");
	assert_string_equal(expunged(f, OTHERS, 0), "");
}

static void
numbers_end_before_they_begin_anew(void **state)
{
	struct fixture *f = *state;
	struct transaction *t;
	struct error error;
	uint32_t last;

	append(f, MY_INBOX, "a");
	append(f, MY_INBOX, "b");
	expunge(f, MY_INBOX, 1, 1);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(expunged_leap(t, MINE, UINT32_MAX - 4, &error), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    expunged_add(t, MINE, MY_INBOX, 9, 2, &error), 0);
	assert_int_equal(expunged_leap(t, 0, 1000, &error), 0);
	assert_int_equal(expunged_last(t, MINE, &last, &error), 0);
	assert_int_equal(last, UINT32_MAX - 2);
	assert_int_equal(expunged_last(t, OTHERS, &last, &error), 0);
	assert_int_equal(last, 1000);
	assert_int_equal(transaction_commit(&t, &error), 0);
	expunge(f, MY_INBOX, 2, 2);
	assert_string_equal(expunged(f, MINE, 0), "");
}

/* What the expiry of rows does, as far as numbers see it. */
static void
forget(struct fixture *f, uint64_t died, uint32_t uid)
{
	struct key key = { .size = 0 };
	struct transaction *t;
	struct error error;

	key_put_u64(&key, MY_INBOX);
	key_put_u64(&key, died);
	key_put_u32(&key, uid);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(store_take(t, DB_DEAD, &key, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
}

/* With the one that says that older deaths have theirs. */
static uint64_t
count_numbers(struct fixture *f)
{
	struct transaction *t;
	struct error error;
	uint64_t count;

	t = transaction_begin(f->store, false, &error);
	count = store_count(t, DB_EXPUNGED);
	transaction_abort(&t);
	return count;
}

static void
numbers_of_forgotten_rows_go_and_are_not_given_again(void **state)
{
	struct fixture *f = *state;
	uint32_t count = EXPUNGED_TRIM + 2;

	for (uint32_t i = 0; i < count; i++)
		append(f, MY_INBOX, "x");
	expunge(f, MY_INBOX, 1, 2);
	assert_int_equal(count_numbers(f), 3);
	forget(f, f->sequence, 1);
	forget(f, f->sequence, 2);
	assert_string_equal(expunged(f, MINE, 0), "");
	/* All are forgotten, but the last one still says what comes next. */
	expunge(f, MY_INBOX, 3, 3);
	assert_string_equal(expunged(f, MINE, 0), "INBOX: 3=3 ");
	assert_int_equal(count_numbers(f), 4);
	expunge(f, MY_INBOX, 4, count);
	assert_int_equal(count_numbers(f), count - 1);
}

static void
take_all_numbers(struct fixture *f)
{
	struct key none = { .size = 0 }, key;
	struct transaction *t;
	struct error error;
	struct text at, value;
	struct cursor *cursor;

	t = transaction_begin(f->store, true, &error);
	while (store_count(t, DB_EXPUNGED) > 0) {
		cursor = cursor_open(t, DB_EXPUNGED, &none, &error);
		assert_int_equal(cursor_next(cursor, &at, &value, &error), 1);
		key.size = 0;
		key_put_raw(&key, at.data, at.size);
		cursor_close(&cursor);
		assert_int_equal(store_take(t, DB_EXPUNGED, &key, &error), 0);
	}
	assert_int_equal(transaction_commit(&t, &error), 0);
}

static void
a_store_without_numbers_gets_those_that_it_had(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_retire };
	uint64_t old = create(f, "old");
	const char *before;

	for (int i = 0; i < 4; i++)
		append(f, MY_INBOX, "x");
	append(f, old, "y");
	append(f, old, "z");
	expunge(f, MY_INBOX, 4, 4);
	expunge(f, old, 1, 1);
	m.change_retire.mailbox = old;
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	expunge(f, MY_INBOX, 1, 2);
	before = "INBOX: 1=4 old: 2=1 3=2 4=1 5=2 ";
	assert_string_equal(expunged(f, MINE, 0), before);
	take_all_numbers(f);
	assert_string_equal(expunged(f, MINE, 0), "");
	close_store(f);
	open_store(f);
	assert_string_equal(expunged(f, MINE, 0), before);
	close_store(f);
	open_store(f);
	assert_int_equal(count_numbers(f), 6);
}

static uint32_t
count_references(struct fixture *f, uint64_t blob)
{
	struct blob_use use = { 0 };
	struct transaction *t;
	struct error error;

	t = transaction_begin(f->store, false, &error);
	assert_int_equal(blob_use_find(t, blob, &use, &error), 1);
	transaction_abort(&t);
	return use.references;
}

static void
recalled_bytes_are_a_new_message_with_date_and_flags(void **state)
{
	struct fixture *f = *state;
	struct recall_record records[2] = { { .flags = 0 },
		{ .internaldate = 1500000000,
		    .flags = FLAG_SEEN,
		    .keywords = 1 } };
	struct message m = { .type = MESSAGE_change_keyword };
	struct message_record row;
	uint64_t counter;

	m.change_keyword.mailbox = MY_INBOX;
	m.change_keyword.name = TEXT("Work");
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	append(f, MY_INBOX, "Subject: x\n\nbody\n");
	records[0].blob = records[1].blob = f->result.blob;
	records[0].delivery = new_delivery(f);
	records[1].delivery = new_delivery(f);
	expunge(f, MY_INBOX, 1, 1);
	counter = ++f->counter;
	assert_int_equal(
	    recall(f, MINE, counter, records, 2, MY_INBOX), STATUS_OK);
	assert_int_equal(f->result.uid, 2);
	assert_int_equal(f->result.size, 20);
	assert_int_equal(live(f, MY_INBOX, &row), 2);
	assert_int_equal(row.uid, 3);
	assert_int_equal(row.stored_size, 17);
	assert_int_equal(row.internaldate, 1500000000);
	assert_int_equal(row.flags, FLAG_SEEN);
	assert_int_equal(row.keywords, 1);
	/* Asked again, by counter and by delivery: the answer of then. */
	assert_int_equal(
	    recall(f, MINE, counter, records, 2, MY_INBOX), STATUS_OK);
	assert_int_equal(
	    recall(f, MINE, ++f->counter, records, 2, MY_INBOX), STATUS_OK);
	assert_int_equal(f->result.uid, 2);
	assert_int_equal(live(f, MY_INBOX, &row), 2);
	assert_string_equal(expunged(f, MINE, 0), "INBOX: 1=1 ");
	/* The dead one and the two that were recalled. */
	assert_int_equal(count_references(f, records[0].blob), 3);
}

/* A MODSEQ stands for one state of a mailbox: what a client knows up to it, it
 * never has to be told again. */
static void
each_change_has_a_modseq_above_all_before(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record flag = { .uid = 2, .flags = FLAG_SEEN };
	uint8_t data[RECORD_FLAGS_SIZE];
	struct message_record row;
	uint64_t before = 0;
	struct writer w;

	for (int i = 0; i < 2; i++) {
		append(f, MY_INBOX, "x");
		assert_int_equal(live(f, MY_INBOX, &row), i + 1);
		assert_true(row.modseq > before);
		before = row.modseq;
	}
	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &flag);
	m.change_flags.mailbox = MY_INBOX;
	m.change_flags.records = text_make(data, w.size);
	assert_int_equal(apply(f, MINE, ++f->counter, &m), STATUS_OK);
	(void)live(f, MY_INBOX, &row);
	assert_true(row.modseq > before);
	before = row.modseq;
	expunge(f, MY_INBOX, 1, 1);
	append(f, MY_INBOX, "x");
	(void)live(f, MY_INBOX, &row);
	assert_true(row.modseq > before + 1); /* the expunge has one, too */
}

/* Whoever brings UIDs along, as an import does, gets none that another message
 * has, had or could have had. */
static void
a_uid_below_uidnext_is_given_to_nobody(void **state)
{
	static const struct {
		uint32_t uid;
		enum status status;
	} asked[] = { { 1, STATUS_INVALID }, { 10, STATUS_OK },
		{ 10, STATUS_INVALID }, { 5, STATUS_INVALID },
		{ UINT32_MAX, STATUS_LIMIT }, { 11, STATUS_OK } };
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	struct message_record row;
	size_t i;

	append(f, MY_INBOX, "x");
	expunge(f, MY_INBOX, 1, 1);
	m.change_append.mailbox = MY_INBOX;
	m.change_append.data = TEXT("y");
	m.change_append.size = 1;
	for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		m.change_append.delivery = new_delivery(f);
		m.change_append.uid = asked[i].uid;
		assert_int_equal(
		    apply(f, MINE, ++f->counter, &m), asked[i].status);
	}
	assert_int_equal(live(f, MY_INBOX, &row), 2);
	assert_int_equal(append(f, MY_INBOX, "z"), 12);
}

static void
bytes_of_another_account_cannot_be_recalled(void **state)
{
	struct fixture *f = *state;
	struct recall_record records[2] = { { .flags = 0 } };
	struct message_record row;

	append(f, MY_INBOX, "a secret");
	records[0].delivery = new_delivery(f);
	records[1].delivery = new_delivery(f);
	records[0].blob = f->result.blob;
	assert_int_equal(
	    recall(f, OTHERS, 1, records, 1, OTHERS_INBOX), STATUS_MISSING);
	records[0].blob = 4711;
	assert_int_equal(
	    recall(f, OTHERS, 2, records, 1, OTHERS_INBOX), STATUS_MISSING);
	records[0].blob = 1;
	assert_int_equal(
	    recall(f, MINE, ++f->counter, records, 1, OTHERS_INBOX),
	    STATUS_MISSING);
	/* One that cannot is enough to leave all out. */
	records[1].blob = 4711;
	assert_int_equal(recall(f, MINE, ++f->counter, records, 2, MY_INBOX),
	    STATUS_MISSING);
	records[0].flags = RECORD_MISSING;
	assert_int_equal(recall(f, MINE, ++f->counter, records, 1, MY_INBOX),
	    STATUS_INVALID);
	records[0].flags = 0;
	records[0].keywords = 1;
	assert_int_equal(recall(f, MINE, ++f->counter, records, 1, MY_INBOX),
	    STATUS_INVALID);
	records[0].keywords = 0;
	records[0].form = 2;
	assert_int_equal(recall(f, MINE, ++f->counter, records, 1, MY_INBOX),
	    STATUS_INVALID);
	assert_int_equal(live(f, MY_INBOX, &row), 1);
}

static void
kept_snapshots_are_those_of_the_account_since_it_was_made(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t account;
		bool is_mine;
	} marks[] = { { 0, true }, { MINE, true }, { OTHERS, false } };
	struct reading *reading = read_now(f, READ_SNAPSHOTS, MINE);
	struct snapshot_record record;
	struct error error;
	uint64_t sequence;
	struct reader r;

	for (size_t i = 0; i < 3; i++) {
		append(f, MY_INBOX, "x");
		assert_int_equal(
		    journal_mark(f->journal, SNAPSHOT_NAMED, marks[i].account,
			TEXT("m"), TEXT(""), &sequence, &error),
		    STATUS_OK);
		commit_round(f);
	}
	reading->store = *store_identity(f->store);
	/* One before the account was, one between the marks. */
	reading->retention = (struct retention){ .every_s = 4, .count = 1 };
	reading->retention.tiers[0].every_s = 4;
	reading->retention.tiers[0].span_s = 8;
	reading->now = f->now_us / 1000000;
	reading_run(reading, f->store);
	assert_int_equal(reading->status, STATUS_OK);
	reader_init(&r, reading->data.data, reading->data.size);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(record_get_snapshot(&r, &record), 1);
		while (record.id.size == 0)
			assert_int_equal(record_get_snapshot(&r, &record), 1);
		assert_int_equal(record.id.size, 8);
		assert_int_equal(record.time, 1700000002 + 2 * (int64_t)i);
	}
	while (record_get_snapshot(&r, &record) == 1)
		assert_int_equal(record.id.size, 0);
	assert_int_equal(reader_done(&r), 0);
	reading_free(&reading);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(
		    expunged_messages_have_numbers_in_the_order_of_their_deaths),
		TEST(changed_flags_and_moves_delete_nothing),
		TEST(messages_of_a_retired_mailbox_are_expunged_with_it),
		TEST(numbers_of_a_store_that_was_put_back_are_not_given_again),
		TEST(numbers_end_before_they_begin_anew),
		TEST(numbers_of_forgotten_rows_go_and_are_not_given_again),
		TEST(a_store_without_numbers_gets_those_that_it_had),
		TEST(recalled_bytes_are_a_new_message_with_date_and_flags),
		TEST(each_change_has_a_modseq_above_all_before),
		TEST(a_uid_below_uidnext_is_given_to_nobody),
		TEST(bytes_of_another_account_cannot_be_recalled),
		TEST(kept_snapshots_are_those_of_the_account_since_it_was_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
