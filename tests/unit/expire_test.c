/*
 * What the store forgets, and what it does not: a real store on disk, its own
 * writer, clocks that the test holds, and the verifier after each story.
 */
#include "common/control_record.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/admin_keys.h"
#include "snapd/as_of.h"
#include "snapd/batch.h"
#include "snapd/blob_use.h"
#include "snapd/erasure.h"
#include "snapd/expire.h"
#include "snapd/hold.h"
#include "snapd/snapshot.h"
#include "snapd/verify.h"
#include "tests/unit/scratch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define DAY    (86400 * SECOND)

enum {
	MAP_BYTES = 64 << 20
};

struct fixture {
	char path[64];
	char data_path[96];
	size_t map_bytes;
	struct store *store;
	struct journal *journal;
	struct expire *expire;
	int64_t wall_us;
	int64_t raw_us;
	uint64_t counter;
	unsigned int deliveries;
	char finding[300];
};

static const struct retention usual = { .every_s = 900,
	.minimum_s = 30 * 86400,
	.count = 4,
	.tiers = { { 900, 86400 }, { 3600, 7 * 86400 }, { 86400, 90 * 86400 },
	    { 7 * 86400, 730 * 86400 } } };

/* -- Clocks -- */

static void
commit(struct fixture *f)
{
	struct error error = { .code = ERROR_NONE };

	if (journal_commit(f->journal, &error) != STATUS_OK)
		fail_msg("%s", error.text);
}

/* Time passes while snapd runs, which looks at its clock every minute. */
static void
pass(struct fixture *f, int64_t span_us)
{
	int64_t step_us;

	while (span_us > 0) {
		step_us = span_us < 500 * SECOND ? span_us : 500 * SECOND;
		span_us -= step_us;
		f->wall_us += step_us;
		f->raw_us += step_us;
		journal_set_clock(f->journal, f->wall_us, f->raw_us);
	}
}

static void
move_wall_clock(struct fixture *f, int64_t span_us)
{
	f->wall_us += span_us;
	journal_set_clock(f->journal, f->wall_us, f->raw_us);
}

/* -- The store -- */

static void
open_store(struct fixture *f)
{
	struct error error;

	f->store = store_open(f->path, f->map_bytes, &error);
	if (f->store == NULL)
		fail_msg("%s", error.text);
	f->journal = journal_new(f->store, &error);
	if (f->journal == NULL)
		fail_msg("%s", error.text);
	f->expire = expire_new();
	journal_set_clock(f->journal, f->wall_us, f->raw_us);
}

static void
close_store(struct fixture *f)
{
	expire_free(&f->expire);
	journal_free(&f->journal);
	store_close(&f->store);
}

/* Nobody runs for a while: another boot, another raw clock. */
static void
restart(struct fixture *f, int64_t away_us)
{
	uint64_t guard_us = f->journal->state.guard_us;
	struct error error;

	assert_int_equal(journal_keep_clock(f->journal, &error), STATUS_OK);
	commit(f);
	close_store(f);
	f->wall_us += away_us;
	f->raw_us = 5 * SECOND;
	open_store(f);
	assert_int_equal(f->journal->state.guard_us, guard_us);
}

static void
promise(struct fixture *f, const struct retention *policy)
{
	enum ratchet_change change;
	struct error error;

	assert_int_equal(journal_set_policy(f->journal, policy,
			     text_make(NULL, 0), &change, &error),
	    STATUS_OK);
	commit(f);
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct store_id id;
	struct error error;

	scratch_store_make(f->path, "expire_test", &id);
	snprintf(
	    f->data_path, sizeof(f->data_path), "%s/index/data.mdb", f->path);
	/* A multiple of a week, and one minute. */
	f->wall_us = INT64_C(1700092800) * SECOND + 60 * SECOND;
	f->raw_us = 77 * SECOND;
	f->map_bytes = MAP_BYTES;
	open_store(f);
	assert_int_equal(
	    journal_create_account(f->journal, 1, TEXT("a@demo.test"), &error),
	    STATUS_OK);
	assert_int_equal(
	    journal_create_account(f->journal, 2, TEXT("b@demo.test"), &error),
	    STATUS_OK);
	commit(f);
	pass(f, 60 * SECOND);
	promise(f, &usual);
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

/* -- A worker's changes -- */

static enum status
try(struct fixture *f, const struct message *change)
{
	struct batch *batch = batch_new(++f->counter);
	struct batch_reply reply;

	assert_int_equal(batch_add(batch, change, NULL, 0), 0);
	batch_apply(batch, f->journal, 1, &reply);
	buf_clear(&reply.results);
	batch_free(&batch);
	return reply.status;
}

static void
apply(struct fixture *f, const struct message *change)
{
	assert_int_equal(try(f, change), STATUS_OK);
	commit(f);
}

static struct delivery_id
next_delivery(struct fixture *f)
{
	struct delivery_id delivery = { { 0 } };

	f->deliveries++;
	memcpy(delivery.bytes, &f->deliveries, sizeof(f->deliveries));
	return delivery;
}

static void
append(struct fixture *f, const char *body)
{
	struct message m = { .type = MESSAGE_change_append };

	m.change_append.delivery = next_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = text_of(body);
	m.change_append.size = strlen(body);
	apply(f, &m);
}

static void
expunge(struct fixture *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4] = { (uint8_t)uid, (uint8_t)(uid >> 8) };

	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(data, sizeof(data));
	apply(f, &m);
}

static void
set_flags(struct fixture *f, uint32_t uid, uint32_t flags)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { .uid = uid, .flags = flags };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	apply(f, &m);
}

static void
set_missing(struct fixture *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_missing };
	uint8_t data[4] = { (uint8_t)uid };

	m.change_missing.mailbox = 1;
	m.change_missing.is_missing = 1;
	m.change_missing.uids = text_make(data, sizeof(data));
	apply(f, &m);
}

static void
copy(struct fixture *f, uint32_t uid, bool is_move)
{
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record record = { .uid = uid };
	uint8_t data[64];
	struct writer w;

	record.delivery = next_delivery(f);
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &record);
	m.change_copy.source = 1;
	m.change_copy.target = 1;
	m.change_copy.is_move = is_move;
	m.change_copy.records = text_make(data, w.size);
	apply(f, &m);
}

static void
recall(struct fixture *f, uint64_t blob)
{
	struct message m = { .type = MESSAGE_change_recall };
	struct recall_record record = { .blob = blob };
	uint8_t data[64];
	struct writer w;

	record.delivery = next_delivery(f);
	writer_init(&w, data, sizeof(data));
	record_put_recall(&w, &record);
	m.change_recall.mailbox = 1;
	m.change_recall.records = text_make(data, w.size);
	apply(f, &m);
}

/* -- What is there -- */

static uint64_t
count(struct fixture *f, enum database database)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	uint64_t n = store_count(t, database);

	transaction_abort(&t);
	return n;
}

/* A whole pass; what it took away is durable. */
static void
expire(struct fixture *f)
{
	struct error error = { .code = ERROR_NONE };
	bool has_more = true;

	expire_free(&f->expire);
	f->expire = expire_new();
	while (has_more) {
		if (expire_step(f->expire, f->journal, &has_more, &error) !=
		    STATUS_OK)
			fail_msg("%s", error.text);
		commit(f);
	}
}

static void
take_finding(void *context, const char *text)
{
	struct fixture *f = context;

	if (f->finding[0] == '\0')
		snprintf(f->finding, sizeof(f->finding), "%s", text);
}

static int
run_verify(struct fixture *f, struct verify_result *result)
{
	struct verify_options options = { .depth = VERIFY_ALL,
		.percent = 100,
		.findings = { take_finding, f, 0 } };
	int fd = open(f->data_path, O_RDONLY | O_CLOEXEC), status;

	f->finding[0] = '\0';
	status = verify_run(fd, &options, result);
	close(fd);
	return status;
}

static void
verify(struct fixture *f)
{
	struct verify_result result;

	if (run_verify(f, &result) != 0)
		fail_msg("%s", f->finding);
	assert_int_equal(result.events, f->journal->committed.sequence);
}

static uint32_t
references(struct fixture *f, uint64_t blob)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct blob_use use;

	assert_true(blob_use_find(t, blob, &use, &error) >= 0);
	transaction_abort(&t);
	return use.references;
}

/* How many messages of mailbox 1 the state of a sequence shows. */
static unsigned int
listed_at(struct fixture *f, uint64_t sequence)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct as_of as_of = { 0 };
	struct message_row row;
	unsigned int n = 0;

	as_of_start(&as_of, 1, sequence, 0);
	assert_int_equal(as_of_resume(&as_of, t, &error), 0);
	while (as_of_next(&as_of, &row, &error) == 1)
		n++;
	as_of_clear(&as_of);
	transaction_abort(&t);
	return n;
}

static void
list_snapshots(struct fixture *f, struct snapshot_list *list)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct digest *digest = digest_new();

	assert_int_equal(
	    snapshot_list_make(list, t, digest, store_identity(f->store),
		&usual, f->wall_us / SECOND, 0, &error),
	    0);
	transaction_abort(&t);
	digest_free(&digest);
}

/* How many snapshots are listed of states that showed `messages`; each must
 * still show all of them. */
static unsigned int
check_listed(struct fixture *f, const uint64_t *messages, size_t count)
{
	struct snapshot_list list;
	unsigned int seen = 0;
	uint64_t sequence;
	size_t i;

	list_snapshots(f, &list);
	for (i = 0; i < list.count; i++) {
		sequence = list.snapshots[i].sequence;
		if (sequence >= count || messages[sequence] == 0)
			continue;
		seen++;
		assert_int_equal(listed_at(f, sequence), messages[sequence]);
	}
	snapshot_list_clear(&list);
	return seen;
}

static bool
is_listed(struct fixture *f, uint64_t sequence)
{
	struct snapshot_list list;
	bool found = false;
	size_t i;

	list_snapshots(f, &list);
	for (i = 0; i < list.count; i++)
		found |= list.snapshots[i].sequence == sequence;
	snapshot_list_clear(&list);
	return found;
}

/* -- The tests -- */

static void
expunged_message_is_forgotten_after_the_minimum(void **state)
{
	struct fixture *f = *state;

	append(f, "gone\n");
	append(f, "stays\n");
	expunge(f, 1);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, 30 * DAY - 61 * SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, 61 * SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_BLOB), 1);
	assert_int_equal(count(f, DB_CHUNK), 1);
	assert_int_equal(count(f, DB_HASH), 1);
	assert_int_equal(count(f, DB_BLOB_USE), 1);
	assert_int_equal(count(f, DB_FORGOTTEN), 1);
	assert_int_equal(count(f, DB_DELIVERY), 1);
	verify(f);
	/* The same bytes again are a new body. */
	append(f, "gone\n");
	assert_int_equal(count(f, DB_BLOB), 2);
	verify(f);
}

static void
a_message_that_a_weekly_snapshot_saw_stays_for_two_years(void **state)
{
	struct fixture *f = *state;

	append(f, "weekly\n");
	pass(f, 8 * DAY);
	expunge(f, 1);
	pass(f, 729 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	verify(f);
}

static void
a_clock_that_is_moved_frees_nothing(void **state)
{
	static const int64_t moves[] = { 365 * DAY, -365 * DAY, -365 * DAY,
		4000 * DAY, -8000 * DAY };
	struct fixture *f = *state;
	size_t i;

	append(f, "x\n");
	append(f, "y\n");
	pass(f, 8 * DAY);
	expunge(f, 1);
	for (i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		move_wall_clock(f, moves[i]);
		append(f, "something happens\n");
		expire(f);
		assert_int_equal(count(f, DB_DEAD), 1);
		restart(f, moves[i]);
		expire(f);
		assert_int_equal(count(f, DB_DEAD), 1);
	}
	/* Nor does a death under a clock that went back. */
	expunge(f, 2);
	pass(f, 60 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 2);
	verify(f);
}

static void
downtime_is_no_time(void **state)
{
	struct fixture *f = *state;

	append(f, "x\n");
	expunge(f, 1);
	pass(f, 20 * DAY);
	restart(f, 365 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, 9 * DAY);
	restart(f, 0);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
}

static void
a_raw_clock_that_jumps_counts_for_ten_minutes(void **state)
{
	struct fixture *f = *state;
	uint64_t before = f->journal->state.guard_us;

	f->raw_us += 365 * DAY;
	journal_set_clock(f->journal, f->wall_us, f->raw_us);
	assert_int_equal(
	    f->journal->state.guard_us, before + 600 * (uint64_t)SECOND);
}

static void
bodies_stay_while_a_row_refers_to_them(void **state)
{
	struct fixture *f = *state;
	uint64_t blob;

	append(f, "same\n");
	blob = f->journal->state.next_blob - 1;
	append(f, "same\n");
	copy(f, 1, false);
	copy(f, 1, true);
	set_flags(f, 2, FLAG_SEEN);
	/* UIDs 2, 3, 4 live; 1 moved; 2 once more without the flag. */
	assert_int_equal(references(f, blob), 5);
	verify(f);
	pass(f, 30 * DAY);
	expire(f);
	assert_int_equal(references(f, blob), 3);
	verify(f);
	expunge(f, 2);
	expunge(f, 3);
	pass(f, 30 * DAY);
	expire(f);
	/* They were seen by weekly snapshots. */
	assert_int_equal(references(f, blob), 3);
	pass(f, 700 * DAY);
	expire(f);
	assert_int_equal(references(f, blob), 1);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

static void
a_recalled_message_keeps_its_body_when_the_old_one_ends(void **state)
{
	struct fixture *f = *state;
	uint64_t blob;

	append(f, "deleted and wanted back\n");
	blob = f->journal->state.next_blob - 1;
	expunge(f, 1);
	recall(f, blob);
	assert_int_equal(references(f, blob), 2);
	verify(f);
	pass(f, 1000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(references(f, blob), 1);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

static void
mail_that_is_not_filed_yet_refers_to_its_body(void **state)
{
	struct fixture *f = *state;
	struct recipient_record recipient = { 1, TEXT("a@demo.test") };
	struct message m = { .type = MESSAGE_change_file };
	struct delivery_id delivery = { { 9 } };
	struct error error;
	uint8_t data[400];
	struct writer w;

	append(f, "same\n");
	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	assert_int_equal(
	    journal_accept(f->journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), TEXT("same\n"), &error),
	    STATUS_OK);
	commit(f);
	expunge(f, 1);
	pass(f, 40 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_BLOB), 1);
	m.change_file.delivery = delivery;
	m.change_file.mailbox = 1;
	apply(f, &m);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

static void
an_old_state_of_a_row_is_forgotten_and_the_row_is_not(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	append(f, "x\n");
	for (i = 0; i < 200; i++)
		set_flags(f, 1, i % 2 == 0 ? FLAG_SEEN : 0);
	assert_int_equal(count(f, DB_DEAD), 200);
	pass(f, 31 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_LIVE), 1);
	assert_int_equal(count(f, DB_BLOB), 1);
	/* 90 rows an entry, or fewer. */
	assert_true(count(f, DB_FORGOTTEN) >= 3);
	verify(f);
}

static void
a_message_found_missing_and_expunged_stays(void **state)
{
	struct fixture *f = *state;

	append(f, "x\n");
	set_missing(f, 1);
	expunge(f, 1);
	pass(f, 3000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	verify(f);
}

static void
what_a_mark_saw_stays_as_long_as_the_mark(void **state)
{
	struct fixture *f = *state;
	struct error error;
	uint64_t sequence;

	append(f, "x\n");
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 0,
			     TEXT("keep"), TEXT(""), &sequence, &error),
	    STATUS_OK);
	commit(f);
	expunge(f, 1);
	pass(f, 729 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_int_equal(listed_at(f, sequence), 1);
	assert_true(is_listed(f, sequence));
	pass(f, DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_false(is_listed(f, sequence));
}

static void
an_alarm_keeps_what_was_lost_until_it_is_released(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t uids[120] = { 0 };
	unsigned int i;
	char body[20];

	for (i = 0; i < 30; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		append(f, body);
		uids[4 * i] = (uint8_t)(i + 1);
	}
	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(uids, sizeof(uids));
	apply(f, &m);
	assert_int_equal(count(f, DB_HOLD), 1);
	pass(f, 3000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 30);
	verify(f);
}

static struct retention_pin
scope_of(uint64_t sequence, uint32_t account, uint64_t mailbox, uint32_t uid)
{
	return (struct retention_pin){ .sequence = sequence,
		.account = account,
		.mailbox = mailbox,
		.uid = uid };
}

static void
hold(struct fixture *f, const char *tag, const struct retention_pin *scope,
    enum status expected)
{
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(
	    journal_hold(f->journal, text_of(tag), scope, TEXT("why"), &error),
	    expected);
	commit(f);
}

static void
release(struct fixture *f, const char *tag, const struct retention_pin *scope,
    enum status expected)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t until_us;

	assert_int_equal(
	    journal_release(f->journal, text_of(tag), scope, &until_us, &error),
	    expected);
	commit(f);
}

static void
a_hold_keeps_its_scope_and_ends_after_the_minimum(void **state)
{
	struct fixture *f = *state;
	struct retention_pin scope;

	append(f, "held\n");
	append(f, "other\n");
	scope = scope_of(f->journal->state.sequence, 1, 1, 1);
	hold(f, "case-7", &scope, STATUS_OK);
	hold(f, "case-7", &scope, STATUS_EXISTS);
	expunge(f, 1);
	expunge(f, 2);
	pass(f, 2000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_true(is_listed(f, scope.sequence));
	release(f, "case-8", &scope, STATUS_MISSING);
	release(f, "case-7", &scope, STATUS_OK);
	release(f, "case-7", &scope, STATUS_MISSING);
	pass(f, 30 * DAY - SECOND);
	restart(f, 365 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_false(is_listed(f, scope.sequence));
	verify(f);
}

static void
a_hold_that_is_placed_during_a_pass_counts_in_it(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct fixture *f = *state;
	struct retention_pin scope;
	bool has_more;

	append(f, "x\n");
	scope = scope_of(f->journal->state.sequence, 0, 0, 0);
	expunge(f, 1);
	pass(f, 20 * DAY);
	/* A pass reads the promises, and is not over for a while. */
	assert_int_equal(
	    expire_step(f->expire, f->journal, &has_more, &error), STATUS_OK);
	pass(f, 20 * DAY);
	hold(f, "late", &scope, STATUS_OK);
	assert_int_equal(
	    expire_step(f->expire, f->journal, &has_more, &error), STATUS_OK);
	commit(f);
	assert_int_equal(count(f, DB_DEAD), 1);
}

static void
a_release_waits_for_the_longest_minimum_in_force(void **state)
{
	static const struct retention brief = { .minimum_s = 1 };
	struct fixture *f = *state;
	struct retention_pin scope;

	append(f, "x\n");
	scope = scope_of(f->journal->state.sequence, 0, 0, 0);
	hold(f, "tag", &scope, STATUS_OK);
	expunge(f, 1);
	pass(f, 1000 * DAY);
	/* Whoever shortens the policy first gains nothing. */
	promise(f, &brief);
	release(f, "tag", &scope, STATUS_OK);
	pass(f, 30 * DAY - SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
}

static void
an_alarm_that_was_released_ends_like_a_hold(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct fixture *f = *state;
	struct retention_pin scope;
	uint64_t sequence;

	append(f, "x\n");
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_ALARM, 1,
			     TEXT("alarm"), TEXT("why"), &sequence, &error),
	    STATUS_OK);
	commit(f);
	expunge(f, 1);
	pass(f, 3000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_true(is_listed(f, sequence));
	/* Without an account a release is for every scope. */
	scope = scope_of(sequence, 0, 0, 0);
	release(f, "alarm", &scope, STATUS_OK);
	pass(f, 30 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	verify(f);
}

static void
an_attack_holds_the_day_before_it(void **state)
{
	struct fixture *f = *state;

	append(f, "two days before\n");
	append(f, "an hour before\n");
	expunge(f, 1);
	pass(f, 2 * DAY);
	expunge(f, 2);
	pass(f, 3600 * SECOND);
	journal_mark_attack(f->journal, 1, "worker of account 1");
	commit(f);
	pass(f, 3000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

static void
attacks_without_end_make_one_mark_in_ten_minutes(void **state)
{
	struct fixture *f = *state;
	uint64_t before = f->journal->state.sequence;
	unsigned int i;

	for (i = 0; i < 1000; i++)
		journal_mark_attack(f->journal, 1, "worker of account 1");
	commit(f);
	assert_int_equal(f->journal->state.sequence, before + 1);
	journal_mark_attack(f->journal, 2, "worker of account 2");
	pass(f, 660 * SECOND);
	journal_mark_attack(f->journal, 1, "worker of account 1");
	commit(f);
	assert_int_equal(f->journal->state.sequence, before + 3);
}

static void
junk_marks_free_nothing_and_do_not_stop_expiry(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct fixture *f = *state;
	uint64_t sequence, first = 0;
	unsigned int i;

	append(f, "seen by the first mark\n");
	append(f, "seen by none\n");
	expunge(f, 2);
	for (i = 0; i < 20000; i++) {
		assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, i % 3,
				     TEXT("junk"), TEXT(""), &sequence, &error),
		    STATUS_OK);
		if (i == 0) {
			first = sequence;
			expunge(f, 1);
		}
	}
	commit(f);
	pass(f, 40 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_int_equal(listed_at(f, first), 1);
	verify(f);
}

static enum status
accept_for(struct fixture *f, uint8_t number, uint32_t first, uint32_t second)
{
	struct recipient_record recipient = { first, TEXT("a@demo.test") };
	struct delivery_id delivery = { { 77, number } };
	struct error error = { .code = ERROR_NONE };
	enum status status;
	uint8_t data[400];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_recipient(&w, &recipient);
	if (second != 0) {
		recipient.account = second;
		record_put_recipient(&w, &recipient);
	}
	status =
	    journal_accept(f->journal, &delivery, 0, 1, TEXT("s@example.org"),
		text_make(data, w.size), text_make(&number, 1), &error);
	commit(f);
	return status;
}

/* -- Keys of administrators -- */

enum {
	ADMINS = 3
};

static void
sign(const struct head_key *key, struct text statement, uint8_t *to)
{
	size_t size = HEAD_SIGNATURE_SIZE;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY *signer = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, key->private_key, HEAD_KEY_SIZE);

	memcpy(to, key->public_key, ADMIN_KEY_SIZE);
	assert_int_equal(
	    EVP_DigestSignInit(context, NULL, NULL, NULL, signer), 1);
	assert_int_equal(EVP_DigestSign(context, to + ADMIN_KEY_SIZE, &size,
			     (const uint8_t *)statement.data, statement.size),
	    1);
	EVP_PKEY_free(signer);
	EVP_MD_CTX_free(context);
}

static enum status
add_key(struct fixture *f, const struct head_key *key, struct text signatures)
{
	struct error error = { .code = ERROR_NONE };
	enum status status =
	    admin_key_add(f->journal, key->public_key, signatures, &error);

	commit(f);
	return status;
}

static enum status
set_policy(
    struct fixture *f, const struct retention *policy, struct text signatures)
{
	struct error error = { .code = ERROR_NONE };
	enum ratchet_change change;
	enum status status =
	    journal_set_policy(f->journal, policy, signatures, &change, &error);

	commit(f);
	return status;
}

static void
less_needs_two_administrators_where_they_have_keys(void **state)
{
	static const struct retention brief = { .minimum_s = 1 };
	struct fixture *f = *state;
	struct head_key admins[ADMINS], stranger;
	uint8_t signatures[ADMINS][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX], old[ADMIN_SIGNATURE_SIZE * 2];
	struct text none = { NULL, 0 }, what;
	struct retention more = usual;
	struct error error;
	size_t i;

	for (i = 0; i < ADMINS; i++)
		assert_int_equal(head_key_make(&admins[i], &error), 0);
	assert_int_equal(head_key_make(&stranger, &error), 0);
	assert_int_equal(add_key(f, &admins[0], none), STATUS_OK);
	assert_int_equal(add_key(f, &admins[0], none), STATUS_EXISTS);
	assert_int_equal(add_key(f, &admins[1], none), STATUS_OK);
	/* From now on root alone is not enough. */
	assert_int_equal(add_key(f, &admins[2], none), STATUS_REFUSED);
	assert_int_equal(set_policy(f, &brief, none), STATUS_REFUSED);
	assert_int_equal(
	    journal_configure_policy(f->journal, &brief, &error), STATUS_OK);
	commit(f);
	assert_int_equal(f->journal->ratchet.count, 1);
	what = text_make(
	    statement, admin_policy_statement(f->journal, &brief, statement));
	sign(&admins[0], what, signatures[0]);
	sign(&admins[0], what, signatures[1]);
	assert_int_equal(
	    set_policy(f, &brief, text_make(signatures, sizeof(signatures[0]))),
	    STATUS_REFUSED);
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	sign(&stranger, what, signatures[1]);
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	sign(&admins[1], what, signatures[1]);
	memcpy(old, signatures, sizeof(old));
	signatures[1][40] ^= 1;
	assert_int_equal(set_policy(f, &brief,
			     text_make(signatures, 2 * sizeof(signatures[0]))),
	    STATUS_REFUSED);
	/* For another policy they are worth nothing. */
	more.minimum_s = 2;
	assert_int_equal(
	    set_policy(f, &more, text_make(old, sizeof(old))), STATUS_REFUSED);
	assert_int_equal(
	    set_policy(f, &brief, text_make(old, sizeof(old))), STATUS_OK);
	assert_int_equal(f->journal->ratchet.count, 2);
	/* More needs nobody, and the old signatures do not lower it again. */
	assert_int_equal(set_policy(f, &usual, none), STATUS_OK);
	assert_int_equal(
	    set_policy(f, &brief, text_make(old, sizeof(old))), STATUS_REFUSED);
	verify(f);
}

static void
a_third_key_needs_the_two_that_are_there(void **state)
{
	struct fixture *f = *state;
	struct head_key admins[ADMINS];
	uint8_t signatures[2][ADMIN_SIGNATURE_SIZE];
	uint8_t statement[ADMIN_STATEMENT_MAX];
	struct transaction *t;
	struct admin_keys keys;
	struct text what;
	struct error error;
	size_t i;

	for (i = 0; i < ADMINS; i++)
		assert_int_equal(head_key_make(&admins[i], &error), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(
		    add_key(f, &admins[i], text_make(NULL, 0)), STATUS_OK);
	restart(f, 0);
	t = transaction_begin(f->store, false, &error);
	assert_int_equal(admin_keys_read(t, &keys, &error), 0);
	transaction_abort(&t);
	assert_int_equal(keys.count, 2);
	what = text_make(statement, admin_key_statement(f->journal, &keys,
					admins[2].public_key, statement));
	for (i = 0; i < 2; i++)
		sign(&admins[i], what, signatures[i]);
	assert_int_equal(
	    add_key(f, &admins[2], text_make(signatures, sizeof(signatures))),
	    STATUS_OK);
}

/* -- Rows that nobody can reach -- */

static void
retire(struct fixture *f, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_retire };

	m.change_retire.mailbox = mailbox;
	apply(f, &m);
}

static void
a_deleted_mailbox_is_kept_like_what_was_expunged_in_it(void **state)
{
	struct message m = { .type = MESSAGE_change_create };
	struct message a = { .type = MESSAGE_change_append };
	struct fixture *f = *state;
	uint64_t mailbox = f->journal->state.next_mailbox;
	unsigned int i;
	char body[20];

	append(f, "stays\n");
	m.change_create.name = TEXT("Old");
	apply(f, &m);
	for (i = 0; i < 300; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		a.change_append.delivery = next_delivery(f);
		a.change_append.mailbox = mailbox;
		a.change_append.data = text_of(body);
		a.change_append.size = strlen(body);
		apply(f, &a);
	}
	pass(f, 8 * DAY);
	retire(f, mailbox);
	/* Weekly snapshots saw it: it comes back under its UIDs until they are
	 * gone, and only then do its rows die. */
	pass(f, 729 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_LIVE), 301);
	pass(f, DAY);
	expire(f);
	assert_int_equal(count(f, DB_LIVE), 1);
	assert_int_equal(count(f, DB_DEAD), 300);
	verify(f);
	/* They crossed no instant as dead rows, but many as live ones. */
	pass(f, 731 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

static void
erase(struct fixture *f, enum erasure_step step, enum status expected)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t left_us;

	assert_int_equal(
	    erasure_step(f->journal, 1, step, &left_us, &error), expected);
	commit(f);
}

static void
an_account_is_erased_after_two_words_and_two_minimums(void **state)
{
	struct fixture *f = *state;
	struct retention_pin scope;
	uint64_t sequence;

	append(f, "one\n");
	append(f, "two\n");
	append(f, "held\n");
	assert_int_equal(accept_for(f, 9, 2, 0), STATUS_OK);
	sequence = f->journal->state.sequence;
	scope = scope_of(sequence, 1, 1, 3);
	hold(f, "court", &scope, STATUS_OK);
	pass(f, 8 * DAY);
	expunge(f, 1);
	erase(f, ERASURE_CONFIRM, STATUS_MISSING);
	erase(f, ERASURE_REQUEST, STATUS_OK);
	erase(f, ERASURE_REQUEST, STATUS_EXISTS);
	erase(f, ERASURE_WITHDRAW, STATUS_OK);
	erase(f, ERASURE_WITHDRAW, STATUS_MISSING);
	erase(f, ERASURE_REQUEST, STATUS_OK);
	pass(f, 30 * DAY - SECOND);
	move_wall_clock(f, 400 * DAY);
	erase(f, ERASURE_CONFIRM, STATUS_REFUSED);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, SECOND);
	erase(f, ERASURE_CONFIRM, STATUS_OK);
	erase(f, ERASURE_WITHDRAW, STATUS_EXISTS);
	/* What was dead goes now, what was live dies and waits. */
	expire(f);
	assert_int_equal(count(f, DB_LIVE), 0);
	assert_int_equal(count(f, DB_DEAD), 2);
	pass(f, 30 * DAY - SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 2);
	pass(f, SECOND);
	expire(f);
	/* A hold goes before it, and another account is not concerned. */
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_int_equal(listed_at(f, sequence), 1);
	assert_int_equal(count(f, DB_UNFILED), 1);
	release(f, "court", &scope, STATUS_OK);
	pass(f, 30 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
}

/* -- Allowances -- */

static void
who_has_used_up_his_allowance_waits_for_the_next_day(void **state)
{
	static const struct allowance_limits limits = { .changes = 5 };
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	unsigned int i;

	allowance_configure(f->journal->allowance, &limits);
	for (i = 0; i < 5; i++)
		append(f, "x\n");
	m.change_append.delivery = next_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("y\n");
	m.change_append.size = 2;
	assert_int_equal(try(f, &m), STATUS_FULL);
	/* Mail for him alone waits; with others it goes to all. */
	assert_int_equal(accept_for(f, 1, 1, 0), STATUS_FULL);
	assert_int_equal(accept_for(f, 2, 2, 0), STATUS_OK);
	assert_int_equal(accept_for(f, 3, 1, 2), STATUS_OK);
	assert_int_equal(accept_for(f, 3, 1, 2), STATUS_OK);
	for (i = 4; i < 7; i++)
		assert_int_equal(accept_for(f, (uint8_t)i, 2, 0), STATUS_OK);
	/* What was accepted before is still answered so. */
	assert_int_equal(accept_for(f, 7, 1, 2), STATUS_FULL);
	assert_int_equal(accept_for(f, 3, 1, 2), STATUS_OK);
	move_wall_clock(f, 400 * DAY);
	assert_int_equal(accept_for(f, 7, 1, 2), STATUS_FULL);
	pass(f, DAY);
	assert_int_equal(accept_for(f, 7, 1, 2), STATUS_OK);
	apply(f, &m);
	verify(f);
}

static void
bytes_count_too(void **state)
{
	static const struct allowance_limits limits = { .bytes = 5000 };
	struct fixture *f = *state;
	static char body[4000];
	struct message m = { .type = MESSAGE_change_append };

	allowance_configure(f->journal->allowance, &limits);
	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, sizeof(body));
	m.change_append.size = sizeof(body);
	m.change_append.delivery = next_delivery(f);
	apply(f, &m);
	m.change_append.delivery = next_delivery(f);
	apply(f, &m);
	m.change_append.delivery = next_delivery(f);
	assert_int_equal(try(f, &m), STATUS_FULL);
}

static void
an_expiry_that_cannot_be_committed_takes_nothing(void **state)
{
	struct error error = { .code = ERROR_NONE };
	struct fixture *f = *state;
	bool has_more;

	append(f, "x\n");
	expunge(f, 1);
	pass(f, 31 * DAY);
	do
		assert_int_equal(
		    expire_step(f->expire, f->journal, &has_more, &error),
		    STATUS_OK);
	while (f->journal->round == NULL && has_more);
	store_set_commit_fault(ENOSPC);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_FULL);
	store_set_commit_fault(0);
	assert_int_equal(count(f, DB_DEAD), 1);
	assert_int_equal(count(f, DB_BLOB), 1);
	verify(f);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	verify(f);
}

static void
nothing_is_forgotten_without_a_policy(void **state)
{
	struct fixture *f = *state;

	append(f, "x\n");
	expunge(f, 1);
	f->journal->ratchet.count = 0;
	pass(f, 5000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
}

static void
a_shorter_policy_waits_for_the_old_minimum(void **state)
{
	static const struct retention brief = { .every_s = 900,
		.minimum_s = 3600,
		.count = 1,
		.tiers = { { 900, 3600 } } };
	struct fixture *f = *state;

	append(f, "x\n");
	pass(f, 8 * DAY);
	expunge(f, 1);
	promise(f, &brief);
	pass(f, 30 * DAY - SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	restart(f, 0);
	assert_int_equal(f->journal->ratchet.count, 2);
	pass(f, SECOND);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	verify(f);
}

static void
a_lock_outlives_the_policy_that_gave_it(void **state)
{
	static const struct retention brief = { .every_s = 0,
		.minimum_s = 3600 };
	struct fixture *f = *state;

	promise(f, &brief);
	pass(f, 29 * DAY);
	append(f, "late\n");
	expunge(f, 1);
	/* The old policy is over, but promised this body 30 days. */
	pass(f, 2 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 1);
	pass(f, 28 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
}

static void
a_listed_snapshot_is_always_whole(void **state)
{
	static const unsigned int seen[] = { 40, 40, 10, 5, 5, 5 };
	struct fixture *f = *state;
	uint64_t messages[200] = { 0 };
	unsigned int day, i;
	char body[20];

	/* A message a day, each for three days; what the state showed. */
	for (day = 0; day < 60; day++) {
		snprintf(body, sizeof(body), "%u\n", day);
		append(f, body);
		if (day >= 3)
			expunge(f, day - 2);
		messages[f->journal->state.sequence] = day < 3 ? day + 1 : 3;
		pass(f, DAY);
		expire(f);
	}
	for (i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		pass(f, 20 * DAY);
		expire(f);
		assert_true(check_listed(f, messages, 200) >= seen[i]);
	}
	assert_true(count(f, DB_DEAD) < 40);
	pass(f, 1000 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_LIVE), 3);
	/* Nor does a clock that is put back list what is gone. */
	move_wall_clock(f, -1100 * DAY);
	assert_int_equal(check_listed(f, messages, 200), 0);
	verify(f);
}

static void
a_row_that_is_gone_and_not_named_is_found(void **state)
{
	struct fixture *f = *state;
	struct verify_result result;
	struct key from = { .size = 0 }, key = { .size = 0 };
	struct text found, value;
	struct cursor *cursor;
	struct transaction *t;
	struct error error;

	append(f, "x\n");
	append(f, "y\n");
	expunge(f, 1);
	t = transaction_begin(f->store, true, &error);
	cursor = cursor_open(t, DB_DEAD, &from, &error);
	assert_int_equal(cursor_next(cursor, &found, &value, &error), 1);
	key_put_raw(&key, found.data, found.size);
	cursor_close(&cursor);
	assert_int_equal(store_take(t, DB_DEAD, &key, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	assert_int_equal(run_verify(f, &result), -1);
	assert_non_null(strstr(f->finding, "neither there nor forgotten"));
}

static void
a_store_of_before_counts_is_counted_once(void **state)
{
	struct fixture *f = *state;
	struct key counted = { "counted", 7 }, key = { .size = 0 };
	struct transaction *t;
	struct error error;
	uint64_t blob;

	append(f, "x\n");
	append(f, "x\n");
	blob = f->journal->state.next_blob - 1;
	set_flags(f, 1, FLAG_SEEN);
	t = transaction_begin(f->store, true, &error);
	key_put_u64(&key, blob);
	assert_int_equal(store_take(t, DB_BLOB_USE, &key, &error), 0);
	assert_int_equal(store_take(t, DB_META, &counted, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	restart(f, 0);
	assert_int_equal(references(f, blob), 3);
	restart(f, 0);
	assert_int_equal(references(f, blob), 3);
	verify(f);
}

/* Junk until no more is taken; how many messages that were. */
static unsigned int
fill(struct fixture *f, enum status *status)
{
	static char body[16000];
	struct message m = { .type = MESSAGE_change_append };
	unsigned int n = 0;

	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, sizeof(body));
	m.change_append.size = sizeof(body);
	do {
		m.change_append.delivery = next_delivery(f);
		memcpy(body, m.change_append.delivery.bytes, 8);
		*status = try(f, &m);
		commit(f);
		n++;
	} while (*status == STATUS_OK);
	return n - 1;
}

static void
a_full_store_still_lets_die_marks_and_forgets(void **state)
{
	struct fixture *f = *state;
	struct error error = { .code = ERROR_NONE };
	enum status status;
	uint64_t sequence;
	unsigned int n, again;
	uint32_t uid;

	f->map_bytes = 8 << 20;
	restart(f, 0);
	n = fill(f, &status);
	assert_int_equal(status, STATUS_FULL);
	assert_true(n > 80);
	for (uid = 1; uid <= n; uid++)
		expunge(f, uid);
	assert_int_equal(journal_mark(f->journal, SNAPSHOT_NAMED, 0,
			     TEXT("full"), TEXT(""), &sequence, &error),
	    STATUS_OK);
	commit(f);
	/* Never because the disk is full. */
	expire(f);
	assert_int_equal(count(f, DB_DEAD), n);
	assert_int_equal(fill(f, &status), 0);
	/* Mass expunge is an alarm, which somebody looked at. */
	for (sequence = 1; sequence <= f->journal->state.sequence; sequence++) {
		struct retention_pin scope = scope_of(sequence, 0, 0, 0);
		uint64_t until_us;

		(void)journal_release(
		    f->journal, TEXT("alarm"), &scope, &until_us, &error);
	}
	commit(f);
	pass(f, 31 * DAY);
	expire(f);
	assert_int_equal(count(f, DB_DEAD), 0);
	/* What was let go is room. */
	again = fill(f, &status);
	assert_int_equal(status, STATUS_FULL);
	assert_true(again > n / 2);
	verify(f);
}

/* Runs a pass on the store, until its alarm clock kills it. */
static void
expire_in_child(struct fixture *f, unsigned int life_us)
{
	const struct itimerval life = { .it_value = { .tv_usec = life_us } };
	struct error error = { .code = ERROR_NONE };
	bool has_more;

	log_set_level(LOG_LEVEL_ALARM);
	open_store(f);
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
	struct fixture *f = *state;
	unsigned int i, kills = 0;
	uint64_t before;
	int status = 1;
	char body[20];
	pid_t pid;

	for (i = 0; i < 200; i++) {
		snprintf(body, sizeof(body), "%u\n", i);
		append(f, body);
		set_flags(f, i + 1, FLAG_SEEN);
		if (i % 4 != 0)
			expunge(f, i + 1);
	}
	pass(f, 40 * DAY);
	restart(f, 0);
	while (status != 0) {
		before = count(f, DB_DEAD);
		close_store(f);
		pid = fork();
		if (pid == 0)
			expire_in_child(f, 100 + kills * 150);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		kills++;
		open_store(f);
		verify(f);
		assert_true(count(f, DB_DEAD) <= before);
		assert_int_equal(count(f, DB_LIVE), 50);
	}
	assert_true(kills > 3);
	assert_int_equal(count(f, DB_DEAD), 0);
	assert_int_equal(count(f, DB_BLOB), 50);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(expunged_message_is_forgotten_after_the_minimum),
		TEST(a_message_that_a_weekly_snapshot_saw_stays_for_two_years),
		TEST(a_clock_that_is_moved_frees_nothing),
		TEST(downtime_is_no_time),
		TEST(a_raw_clock_that_jumps_counts_for_ten_minutes),
		TEST(bodies_stay_while_a_row_refers_to_them),
		TEST(a_recalled_message_keeps_its_body_when_the_old_one_ends),
		TEST(mail_that_is_not_filed_yet_refers_to_its_body),
		TEST(an_old_state_of_a_row_is_forgotten_and_the_row_is_not),
		TEST(a_message_found_missing_and_expunged_stays),
		TEST(what_a_mark_saw_stays_as_long_as_the_mark),
		TEST(an_alarm_keeps_what_was_lost_until_it_is_released),
		TEST(a_hold_keeps_its_scope_and_ends_after_the_minimum),
		TEST(a_hold_that_is_placed_during_a_pass_counts_in_it),
		TEST(a_release_waits_for_the_longest_minimum_in_force),
		TEST(an_alarm_that_was_released_ends_like_a_hold),
		TEST(a_deleted_mailbox_is_kept_like_what_was_expunged_in_it),
		TEST(an_account_is_erased_after_two_words_and_two_minimums),
		TEST(less_needs_two_administrators_where_they_have_keys),
		TEST(a_third_key_needs_the_two_that_are_there),
		TEST(an_attack_holds_the_day_before_it),
		TEST(attacks_without_end_make_one_mark_in_ten_minutes),
		TEST(junk_marks_free_nothing_and_do_not_stop_expiry),
		TEST(who_has_used_up_his_allowance_waits_for_the_next_day),
		TEST(bytes_count_too),
		TEST(an_expiry_that_cannot_be_committed_takes_nothing),
		TEST(nothing_is_forgotten_without_a_policy),
		TEST(a_shorter_policy_waits_for_the_old_minimum),
		TEST(a_lock_outlives_the_policy_that_gave_it),
		TEST(a_listed_snapshot_is_always_whole),
		TEST(a_row_that_is_gone_and_not_named_is_found),
		TEST(a_store_of_before_counts_is_counted_once),
		TEST(a_kill_at_any_moment_leaves_all_of_a_step_or_nothing),
		TEST(a_full_store_still_lets_die_marks_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
