/*
 * Bulk goes from its batch into a segment and never into the index; refused or
 * cut anywhere it leaves nothing but dead bytes, and comes again as a whole.
 */
#include "tests/unit/sealed.h"

#include "common/file.h"
#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/rows.h"
#include "snapd/bulk_writing.h"
#include "tests/unit/power.h"

#include <errno.h>
#include <string.h>

enum {
	MANY = 60, /* two of them larger than a block */
	MAILBOX = 1,
	NO_MAILBOX = 77
};

static void
nobody_calls(struct bulk *bulk, bool is_ending)
{
	(void)is_ending;
	fail_msg("bulk %p", (void *)bulk);
}

/* Messages [first, end) of account 1; each body is the batch's. */
static struct batch *
make_batch(
    struct sealed *f, unsigned int first, unsigned int end, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_append };
	struct batch *batch = batch_new(++f->counter);
	unsigned int n;

	for (n = first; n < end; n++) {
		size_t size;
		uint8_t *body = (uint8_t *)sealed_body(n, &size);

		memcpy(m.change_append.delivery.bytes, &n, sizeof(n));
		m.change_append.mailbox = mailbox;
		m.change_append.size = size;
		assert_int_equal(batch_add(batch, &m, body, size), 0);
	}
	return batch;
}

static void
make_bulk(struct sealed *f, const struct batch *batch, struct bulk *bulk)
{
	*bulk = (struct bulk){ .account = 1, .done = nobody_calls };
	bulk->count = batch_bodies(batch, NULL);
	bulk->bodies = memory_new(bulk->count + 1, sizeof(*bulk->bodies));
	batch_bodies(batch, bulk->bodies);
	seal_bulk_begin(bulk, f->journal);
}

static int
write_bulk(struct sealed *f, struct bulk *bulk, struct error *error)
{
	struct bulk_writing *writing;

	error->code = ERROR_NONE;
	if (f->sealing.writer == NULL &&
	    sealing_replay(&f->sealing, error) != 0)
		return -1;
	writing = bulk_writing_begin(&f->sealing, bulk);
	if (bulk_writing_place(&writing, error) != 0)
		return -1;
	return bulk_writing_commit(&f->sealing, bulk, error);
}

/* As the loop does it with what was written. */
static enum status
apply_bulk(struct sealed *f, struct batch **batch, struct bulk *bulk)
{
	struct batch_reply reply;
	struct error error;

	batch_set_bulk(*batch, bulk);
	batch_apply(*batch, f->journal, 1, &reply);
	if (reply.status != STATUS_OK || !bulk->is_known)
		assert_int_equal(
		    seal_bulk_disown(f->journal, bulk, &error), STATUS_OK);
	sealed_commit(f);
	buf_clear(&reply.results);
	seal_bulk_clear(bulk);
	batch_free(batch);
	return reply.status;
}

static enum status
add_bulk(
    struct sealed *f, unsigned int first, unsigned int end, uint64_t mailbox)
{
	struct batch *batch = make_batch(f, first, end, mailbox);
	struct error error;
	struct bulk bulk;

	make_bulk(f, batch, &bulk);
	assert_int_equal(write_bulk(f, &bulk, &error), 0);
	return apply_bulk(f, &batch, &bulk);
}

/* Two, as the sealer writes what comes while it is at work. */
struct two {
	struct batch *batches[2];
	struct bulk bulks[2];
	struct bulk_writing *next;
};

/* The first has its places, the second is begun. */
static void
begin_two(struct sealed *f, struct two *two, unsigned int first,
    unsigned int middle, unsigned int end, uint64_t second_mailbox)
{
	struct bulk_writing *writing;
	struct error error;

	two->batches[0] = make_batch(f, first, middle, MAILBOX);
	two->batches[1] = make_batch(f, middle, end, second_mailbox);
	make_bulk(f, two->batches[0], &two->bulks[0]);
	make_bulk(f, two->batches[1], &two->bulks[1]);
	if (f->sealing.writer == NULL)
		assert_int_equal(sealing_replay(&f->sealing, &error), 0);
	writing = bulk_writing_begin(&f->sealing, &two->bulks[0]);
	assert_int_equal(bulk_writing_place(&writing, &error), 0);
	two->next = bulk_writing_begin(&f->sealing, &two->bulks[1]);
}

static enum status
end_two(struct sealed *f, struct two *two)
{
	struct error error;

	assert_int_equal(
	    bulk_writing_commit(&f->sealing, &two->bulks[0], &error), 0);
	assert_int_equal(
	    apply_bulk(f, &two->batches[0], &two->bulks[0]), STATUS_OK);
	assert_int_equal(bulk_writing_place(&two->next, &error), 0);
	assert_int_equal(
	    bulk_writing_commit(&f->sealing, &two->bulks[1], &error), 0);
	return apply_bulk(f, &two->batches[1], &two->bulks[1]);
}

static uint64_t
size_of(unsigned int first, unsigned int end)
{
	uint64_t size = 0;

	for (; first < end; first++)
		size += sealed_size(first);
	return size;
}

/* The message is there with its bytes, in a segment: 1; or it is not. */
static bool
has_message(struct sealed *f, struct transaction *t, unsigned int n)
{
	struct message_row row;
	struct object object;
	struct error error;
	uint8_t *read;
	size_t size;
	char *body;
	int found = row_find_message(t, MAILBOX, n + 1, &row, &error);

	if (found == 0)
		return false;
	assert_int_equal(found, 1);
	assert_int_equal(
	    object_store_find(t, row.record.blob, &object, &error), 1);
	assert_true(object.is_sealed);
	body = sealed_body(n, &size);
	assert_int_equal(object.size, size);
	read = memory_new(1, size);
	assert_int_equal(
	    object_store_read(t, f->digest, &object, read, &error), 0);
	assert_memory_equal(read, body, size);
	free(read);
	free(body);
	return true;
}

/* How many of the first `count` messages there are. */
static unsigned int
count_messages(struct sealed *f, unsigned int count)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	unsigned int n, there = 0;

	for (n = 0; n < count; n++)
		there += has_message(f, t, n);
	transaction_abort(&t);
	return there;
}

static void
check_use(struct sealed *f, uint64_t expected_live, uint64_t expected_dead)
{
	uint64_t live, dead;

	sealed_sum_use(f, &live, &dead);
	assert_int_equal(live, expected_live);
	assert_int_equal(dead, expected_dead);
	assert_int_equal(sealed_totals(f).body_bytes, live + dead);
}

static void
must_verify(struct sealed *f)
{
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
bulk_is_never_staged(void **state)
{
	struct sealed *f = *state;

	assert_int_equal(add_bulk(f, 0, MANY, MAILBOX), STATUS_OK);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
	assert_int_equal(count_messages(f, MANY), MANY);
	check_use(f, size_of(0, MANY), 0);
	must_verify(f);
	assert_int_equal(count_messages(f, MANY), MANY);
	/* A pass takes its rows, and no body of it again. */
	sealed_must_pass(f);
	check_use(f, size_of(0, MANY), 0);
	assert_int_equal(sealed_totals(f).ends, 1);
	/* More goes on behind it. */
	assert_int_equal(add_bulk(f, MANY, MANY + 9, MAILBOX), STATUS_OK);
	sealed_must_pass(f);
	check_use(f, size_of(0, MANY + 9), 0);
	must_verify(f);
}

static void
refused_bulk_is_dead(void **state)
{
	struct sealed *f = *state;

	assert_int_equal(add_bulk(f, 0, MANY, NO_MAILBOX), STATUS_MISSING);
	assert_int_equal(count_messages(f, MANY), 0);
	assert_int_equal(sealed_count(f, DB_BLOB), 0);
	check_use(f, 0, size_of(0, MANY));
	must_verify(f);
	assert_int_equal(add_bulk(f, 0, MANY, MAILBOX), STATUS_OK);
	assert_int_equal(count_messages(f, MANY), MANY);
	check_use(f, size_of(0, MANY), size_of(0, MANY));
	must_verify(f);
}

/* In the account, or earlier in the same batch. */
static void
what_the_account_has_is_not_written_again(void **state)
{
	struct sealed *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	struct batch *batch;
	struct batch_reply reply;
	struct error error;
	struct bulk bulk;
	unsigned int n;

	assert_int_equal(add_bulk(f, 0, 20, MAILBOX), STATUS_OK);
	batch = batch_new(++f->counter);
	for (n = 0; n < 30; n++) {
		size_t size;
		uint8_t *body = (uint8_t *)sealed_body(15 + n % 10, &size);

		m.change_append.delivery.bytes[0] = (uint8_t)(100 + n);
		m.change_append.mailbox = MAILBOX;
		m.change_append.size = size;
		assert_int_equal(batch_add(batch, &m, body, size), 0);
	}
	make_bulk(f, batch, &bulk);
	assert_int_equal(write_bulk(f, &bulk, &error), 0);
	assert_int_equal(bulk.placed.count, 5);
	batch_set_bulk(batch, &bulk);
	batch_apply(batch, f->journal, 1, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	sealed_commit(f);
	buf_clear(&reply.results);
	seal_bulk_clear(&bulk);
	batch_free(&batch);
	assert_int_equal(sealed_count(f, DB_LIVE), 50);
	/* Two of them have something attached, and are three pieces. */
	assert_int_equal(sealed_count(f, DB_BLOB), 25 + 2 * 3);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
	check_use(f, size_of(0, 25), 0);
	must_verify(f);
}

/* Two batches that were written before either was applied. */
static void
what_another_batch_brought_meanwhile_is_dead(void **state)
{
	struct sealed *f = *state;
	struct batch *batch = make_batch(f, 0, 10, MAILBOX);
	struct batch_reply reply;
	struct error error;
	struct bulk bulk;

	make_bulk(f, batch, &bulk);
	assert_int_equal(write_bulk(f, &bulk, &error), 0);
	f->counter = 0;
	/* The same deliveries: the answer of then. */
	assert_int_equal(add_bulk(f, 0, 10, MAILBOX), STATUS_OK);
	batch_free(&batch);
	batch = make_batch(f, 0, 10, MAILBOX);
	batch_set_bulk(batch, &bulk);
	batch_apply(batch, f->journal, 1, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	sealed_commit(f);
	buf_clear(&reply.results);
	seal_bulk_clear(&bulk);
	batch_free(&batch);
	assert_int_equal(sealed_count(f, DB_LIVE), 10);
	check_use(f, size_of(0, 10), size_of(0, 10));
	must_verify(f);
}

static void
numbers_are_not_given_twice_when_a_round_is_undone(void **state)
{
	struct sealed *f = *state;
	struct batch *batch = make_batch(f, 0, 5, MAILBOX);
	struct error error;
	struct bulk bulk;
	uint64_t last;

	make_bulk(f, batch, &bulk);
	last = bulk.bodies[4].object.blob;
	store_set_commit_fault(ENOSPC);
	assert_int_equal(journal_keep_clock(f->journal, &error), STATUS_OK);
	assert_int_equal(journal_commit(f->journal, &error), STATUS_FULL);
	store_set_commit_fault(0);
	seal_bulk_clear(&bulk);
	make_bulk(f, batch, &bulk);
	assert_int_equal(bulk.bodies[0].object.blob, last + 1);
	seal_bulk_clear(&bulk);
	batch_free(&batch);
}

static void
bulk_without_room_in_segments_is_staged(void **state)
{
	struct sealed *f = *state;
	struct batch *batch = make_batch(f, 0, 10, MAILBOX);
	struct batch_reply reply;
	struct error error;
	struct bulk bulk;

	make_bulk(f, batch, &bulk);
	segment_env_set_fault(ENOSPC);
	assert_int_equal(write_bulk(f, &bulk, &error), -1);
	segment_env_set_fault(0);
	assert_int_equal(error.code, ERROR_FULL);
	assert_int_equal(bulk.placed.count, 0);
	segment_writer_free(&f->sealing.writer);
	batch_set_bulk(batch, &bulk);
	batch_apply(batch, f->journal, 1, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	sealed_commit(f);
	buf_clear(&reply.results);
	seal_bulk_clear(&bulk);
	batch_free(&batch);
	assert_true(sealed_count(f, DB_CHUNK) > 0);
	sealed_must_pass(f);
	assert_int_equal(count_messages(f, 10), 10);
	check_use(f, size_of(0, 10), 0);
}

/* The next list is packed while this one waits for the disk. */
static void
what_is_begun_before_a_commit_comes_behind_it(void **state)
{
	struct sealed *f = *state;
	struct block_at now;
	struct two two;

	begin_two(f, &two, 0, MANY, 6 * MANY, MAILBOX);
	assert_true(two.bulks[0].placed.count > 0);
	/* It is being packed, and nowhere yet. */
	assert_true(pack_queue_count(f->sealing.queue) > 0);
	assert_int_equal(two.bulks[1].placed.count, 0);
	now = segment_writer_end(f->sealing.writer);
	assert_memory_equal(&now, &two.bulks[0].end, sizeof(now));
	assert_int_equal(end_two(f, &two), STATUS_OK);
	assert_int_equal(count_messages(f, 6 * MANY), 6 * MANY);
	check_use(f, size_of(0, 6 * MANY), 0);
	must_verify(f);
}

static void
what_is_begun_before_a_commit_that_fails_is_nowhere(void **state)
{
	struct sealed *f = *state;
	struct error error;
	struct two two;
	int i;

	begin_two(f, &two, 0, MANY, 6 * MANY, MAILBOX);
	segment_env_set_fault(ENOSPC);
	assert_int_equal(
	    bulk_writing_commit(&f->sealing, &two.bulks[0], &error), -1);
	segment_env_set_fault(0);
	bulk_writing_drop(&two.next);
	segment_writer_free(&f->sealing.writer);
	for (i = 0; i < 2; i++) {
		assert_int_equal(two.bulks[i].placed.count, 0);
		assert_int_equal(two.bulks[i].end.segment, 0);
		assert_int_equal(
		    apply_bulk(f, &two.batches[i], &two.bulks[i]), STATUS_OK);
	}
	assert_true(sealed_count(f, DB_CHUNK) > 0);
	sealed_must_pass(f);
	assert_int_equal(count_messages(f, 6 * MANY), 6 * MANY);
	check_use(f, size_of(0, 6 * MANY), 0);
	must_verify(f);
}

/* -- Cut at each step of step.h, and at the writes and syncs behind it -- */

static void
bulk_in_child(void *context)
{
	struct sealed *f = context;
	struct two two;

	sealed_open(f);
	begin_two(f, &two, 20, 50, MANY, NO_MAILBOX);
	assert_int_equal(end_two(f, &two), STATUS_MISSING);
	assert_int_equal(add_bulk(f, 50, MANY, MAILBOX), STATUS_OK);
}

static void
a_cut_at_each_step_of_bulk_loses_and_doubles_nothing(void **state)
{
	static const unsigned int occurrences[] = { 1, 2 };
	struct sealed *f = *state;
	struct power_cut cut = { .seed = 1 };
	uint64_t counter, live, dead;
	char kept[SCRATCH_PATH + 8];
	unsigned int i, there, cuts = 0;
	bool was_cut;

	assert_int_equal(add_bulk(f, 0, 20, MAILBOX), STATUS_OK);
	counter = f->counter;
	sealed_close(f);
	snprintf(kept, sizeof(kept), "%s.kept", f->path);
	scratch_copy(f->path, kept);
	for (cut.step = STEP_BULK_WRITTEN; cut.step <= STEP_BULK_DISOWNED;
	     cut.step++)
		for (i = 0; i < 4; i++) {
			cut.occurrence = occurrences[i / 2];
			cut.calls = i % 2 * 3;
			cut.seed++;
			f->counter = counter;
			was_cut = power_run(&cut, bulk_in_child, f);
			if (i == 0 && !was_cut)
				fail_msg(
				    "never reached: %s", step_name(cut.step));
			cuts += was_cut;
			sealed_must_verify(f);
			sealed_open(f);
			/* Each batch as a whole, or nothing of it. */
			there = count_messages(f, MANY);
			assert_true(
			    there == 20 || there == 50 || there == MANY);
			f->counter = counter + 3;
			if (there < MANY)
				assert_int_equal(
				    add_bulk(f, there, MANY, MAILBOX),
				    STATUS_OK);
			assert_int_equal(count_messages(f, MANY), MANY);
			sealed_must_pass(f);
			sealed_sum_use(f, &live, &dead);
			assert_int_equal(live, size_of(0, MANY));
			assert_true(dead <= 2 * size_of(20, MANY));
			assert_int_equal(
			    sealed_totals(f).body_bytes, live + dead);
			assert_int_equal(sealed_count(f, DB_CHUNK), 0);
			sealed_close(f);
			sealed_must_verify(f);
			scratch_copy(kept, f->path);
		}
	scratch_remove(kept);
	print_message("%u cuts\n", cuts);
	sealed_open(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(bulk_is_never_staged),
		SEALED_TEST(refused_bulk_is_dead),
		SEALED_TEST(what_the_account_has_is_not_written_again),
		SEALED_TEST(what_another_batch_brought_meanwhile_is_dead),
		SEALED_TEST(numbers_are_not_given_twice_when_a_round_is_undone),
		SEALED_TEST(bulk_without_room_in_segments_is_staged),
		SEALED_TEST(what_is_begun_before_a_commit_comes_behind_it),
		SEALED_TEST(
		    what_is_begun_before_a_commit_that_fails_is_nowhere),
		SEALED_TEST(
		    a_cut_at_each_step_of_bulk_loses_and_doubles_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
