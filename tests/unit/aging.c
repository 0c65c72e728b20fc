/* See aging.h. */
#include "tests/unit/aging.h"

#include "common/memory.h"
#include "snapd/as_of.h"
#include "snapd/batch.h"
#include "snapd/blob_use.h"

#include <string.h>

enum {
	MAP_BYTES = 64 << 20
};

const struct retention aging_usual = { .every_s = 900,
	.minimum_s = 30 * 86400,
	.count = 4,
	.tiers = { { 900, 86400 }, { 3600, 7 * 86400 }, { 86400, 90 * 86400 },
	    { 7 * 86400, 730 * 86400 } } };

/* -- Clocks -- */

void
aging_commit(struct aging *f)
{
	struct error error = { .code = ERROR_NONE };

	if (journal_commit(f->journal, &error) != STATUS_OK)
		fail_msg("%s", error.text);
}

/* Time passes while snapd runs, which looks at its clock every minute. */
void
aging_pass(struct aging *f, int64_t span_us)
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

void
aging_move_wall_clock(struct aging *f, int64_t span_us)
{
	f->wall_us += span_us;
	journal_set_clock(f->journal, f->wall_us, f->raw_us);
}

/* -- The store -- */

void
aging_open(struct aging *f)
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

void
aging_close(struct aging *f)
{
	expire_free(&f->expire);
	journal_free(&f->journal);
	store_close(&f->store);
}

/* Nobody runs for a while: another boot, another raw clock. */
void
aging_restart(struct aging *f, int64_t away_us)
{
	uint64_t guard_us = f->journal->state.guard_us;
	struct error error;

	assert_int_equal(journal_keep_clock(f->journal, &error), STATUS_OK);
	aging_commit(f);
	aging_close(f);
	f->wall_us += away_us;
	f->raw_us = 5 * SECOND;
	aging_open(f);
	assert_int_equal(f->journal->state.guard_us, guard_us);
}

void
aging_promise(struct aging *f, const struct retention *policy)
{
	enum ratchet_change change;
	struct error error;

	assert_int_equal(journal_set_policy(f->journal, policy,
			     text_make(NULL, 0), &change, &error),
	    STATUS_OK);
	aging_commit(f);
}

int
aging_set_up(void **state)
{
	struct aging *f = memory_new(1, sizeof(*f));
	struct store_id id;
	struct error error;

	scratch_store_make(f->path, "aging", &id);
	snprintf(
	    f->data_path, sizeof(f->data_path), "%s/index/data.mdb", f->path);
	/* A multiple of a week, and one minute. */
	f->wall_us = INT64_C(1700092800) * SECOND + 60 * SECOND;
	f->raw_us = 77 * SECOND;
	f->map_bytes = MAP_BYTES;
	aging_open(f);
	assert_int_equal(
	    journal_create_account(f->journal, 1, TEXT("a@demo.test"), &error),
	    STATUS_OK);
	assert_int_equal(
	    journal_create_account(f->journal, 2, TEXT("b@demo.test"), &error),
	    STATUS_OK);
	aging_commit(f);
	aging_pass(f, 60 * SECOND);
	aging_promise(f, &aging_usual);
	*state = f;
	return 0;
}

int
aging_tear_down(void **state)
{
	struct aging *f = *state;

	aging_close(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- A worker's changes -- */

enum status
aging_try(struct aging *f, const struct message *change)
{
	struct batch *batch = batch_new(++f->counter);
	struct batch_reply reply;

	assert_int_equal(batch_add(batch, change, NULL, 0), 0);
	batch_apply(batch, f->journal, 1, &reply);
	buf_clear(&reply.results);
	batch_free(&batch);
	return reply.status;
}

void
aging_apply(struct aging *f, const struct message *change)
{
	assert_int_equal(aging_try(f, change), STATUS_OK);
	aging_commit(f);
}

struct delivery_id
aging_delivery(struct aging *f)
{
	struct delivery_id delivery = { { 0 } };

	f->deliveries++;
	memcpy(delivery.bytes, &f->deliveries, sizeof(f->deliveries));
	return delivery;
}

void
aging_append(struct aging *f, const char *body)
{
	struct message m = { .type = MESSAGE_change_append };

	m.change_append.delivery = aging_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = text_of(body);
	m.change_append.size = strlen(body);
	aging_apply(f, &m);
}

void
aging_expunge(struct aging *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4] = { (uint8_t)uid, (uint8_t)(uid >> 8) };

	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(data, sizeof(data));
	aging_apply(f, &m);
}

void
aging_set_flags(struct aging *f, uint32_t uid, uint32_t flags)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { .uid = uid, .flags = flags };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	aging_apply(f, &m);
}

void
aging_set_missing(struct aging *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_missing };
	uint8_t data[4] = { (uint8_t)uid };

	m.change_missing.mailbox = 1;
	m.change_missing.is_missing = 1;
	m.change_missing.uids = text_make(data, sizeof(data));
	aging_apply(f, &m);
}

void
aging_copy(struct aging *f, uint32_t uid, bool is_move)
{
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record record = { .uid = uid };
	uint8_t data[64];
	struct writer w;

	record.delivery = aging_delivery(f);
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &record);
	m.change_copy.source = 1;
	m.change_copy.target = 1;
	m.change_copy.is_move = is_move;
	m.change_copy.records = text_make(data, w.size);
	aging_apply(f, &m);
}

void
aging_recall(struct aging *f, uint64_t blob)
{
	struct message m = { .type = MESSAGE_change_recall };
	struct recall_record record = { .blob = blob };
	uint8_t data[64];
	struct writer w;

	record.delivery = aging_delivery(f);
	writer_init(&w, data, sizeof(data));
	record_put_recall(&w, &record);
	m.change_recall.mailbox = 1;
	m.change_recall.records = text_make(data, w.size);
	aging_apply(f, &m);
}

enum status
aging_accept(struct aging *f, uint8_t number, uint32_t first, uint32_t second)
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
	aging_commit(f);
	return status;
}

/* -- What is there -- */

uint64_t
aging_count(struct aging *f, enum database database)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	uint64_t n = store_count(t, database);

	transaction_abort(&t);
	return n;
}

/* A whole pass; what it took away is durable. */
void
aging_expire(struct aging *f)
{
	struct error error = { .code = ERROR_NONE };
	bool has_more = true;

	expire_free(&f->expire);
	f->expire = expire_new();
	while (has_more) {
		if (expire_step(f->expire, f->journal, &has_more, &error) !=
		    STATUS_OK)
			fail_msg("%s", error.text);
		aging_commit(f);
	}
}

static void
take_finding(void *context, const char *text)
{
	struct aging *f = context;

	if (f->finding[0] == '\0')
		snprintf(f->finding, sizeof(f->finding), "%s", text);
}

int
aging_run_verify(struct aging *f, struct verify_result *result)
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

void
aging_verify(struct aging *f)
{
	struct verify_result result;

	if (aging_run_verify(f, &result) != 0)
		fail_msg("%s", f->finding);
	assert_int_equal(result.events, f->journal->committed.sequence);
}

uint32_t
aging_references(struct aging *f, uint64_t blob)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct blob_use use;

	assert_true(blob_use_find(t, blob, &use, &error) >= 0);
	transaction_abort(&t);
	return use.references;
}

/* How many messages of mailbox 1 the state of a sequence shows. */
unsigned int
aging_listed_at(struct aging *f, uint64_t sequence)
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

void
aging_list_snapshots(struct aging *f, struct snapshot_list *list)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct digest *digest = digest_new();

	assert_int_equal(
	    snapshot_list_make(list, t, digest, store_identity(f->store),
		&aging_usual, f->wall_us / SECOND, 0, &error),
	    0);
	transaction_abort(&t);
	digest_free(&digest);
}

bool
aging_is_listed(struct aging *f, uint64_t sequence)
{
	struct snapshot_list list;
	bool found = false;
	size_t i;

	aging_list_snapshots(f, &list);
	for (i = 0; i < list.count; i++)
		found |= list.snapshots[i].sequence == sequence;
	snapshot_list_clear(&list);
	return found;
}

struct retention_pin
aging_scope(uint64_t sequence, uint32_t account, uint64_t mailbox, uint32_t uid)
{
	return (struct retention_pin){ .sequence = sequence,
		.account = account,
		.mailbox = mailbox,
		.uid = uid };
}

void
aging_hold(struct aging *f, const char *tag, const struct retention_pin *scope,
    enum status expected)
{
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(
	    journal_hold(f->journal, text_of(tag), scope, TEXT("why"), &error),
	    expected);
	aging_commit(f);
}

void
aging_release(struct aging *f, const char *tag,
    const struct retention_pin *scope, enum status expected)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t until_us;

	assert_int_equal(
	    journal_release(f->journal, text_of(tag), scope, &until_us, &error),
	    expected);
	aging_commit(f);
}
