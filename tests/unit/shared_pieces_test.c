/*
 * What is attached to several messages of an account is kept once, as long as
 * one of them is there, and never for two accounts.
 */
#include "tests/unit/sealed.h"

#include "common/memory.h"
#include "snapd/batch.h"
#include "snapd/blob_use.h"
#include "snapd/rebuild.h"
#include "snapd/rows.h"
#include "snapd/bulk_writing.h"

#include <string.h>

enum {
	LINES = 300,
	RUN_SIZE = LINES * 77 + 9, /* of what is attached */
	BEGIN_SIZE = 200,
	END_SIZE = 40,
	SIZE = BEGIN_SIZE + RUN_SIZE + END_SIZE
};

/* Message n, with something attached that all have. */
static uint8_t *
make_body(unsigned int n)
{
	char *body = memory_new(1, SIZE + 1);
	int line;

	memset(body, '.', SIZE);
	snprintf(body, BEGIN_SIZE, "Subject: shared %u\n\nsee there", n);
	body[strlen(body)] = ' ';
	body[BEGIN_SIZE - 2] = body[BEGIN_SIZE - 1] = '\n';
	for (line = 0; line < LINES; line++)
		snprintf(body + BEGIN_SIZE + line * 77, 78, "%072dAAAA\n",
		    line * 7919);
	memcpy(body + BEGIN_SIZE + LINES * 77, "QUJDRA==\n", 9);
	snprintf(body + BEGIN_SIZE + RUN_SIZE, END_SIZE, "\n--of %u--\n", n);
	body[BEGIN_SIZE + RUN_SIZE + strlen(body + BEGIN_SIZE + RUN_SIZE)] =
	    '-';
	return (uint8_t *)body;
}

static struct batch *
make_batch(struct sealed *f, uint32_t account, unsigned int n, unsigned int end)
{
	struct message m = { .type = MESSAGE_change_append };
	struct batch *batch = batch_new(++f->counter);

	for (; n < end; n++) {
		m.change_append.delivery = (struct delivery_id){ { 0 } };
		memcpy(m.change_append.delivery.bytes, &n, sizeof(n));
		m.change_append.mailbox = account;
		m.change_append.size = SIZE;
		assert_int_equal(batch_add(batch, &m, make_body(n), SIZE), 0);
	}
	return batch;
}

static void
apply_batch(struct sealed *f, struct batch *batch, uint32_t account)
{
	struct batch_reply reply;

	batch_apply(batch, f->journal, account, &reply);
	assert_int_equal(reply.status, STATUS_OK);
	buf_clear(&reply.results);
}

/* Messages [n, end) of the account, staged. */
static void
add(struct sealed *f, uint32_t account, unsigned int n, unsigned int end)
{
	struct batch *batch = make_batch(f, account, n, end);

	apply_batch(f, batch, account);
	sealed_commit(f);
	batch_free(&batch);
}

static void
nobody_calls(struct bulk *bulk, bool is_ending)
{
	(void)is_ending;
	fail_msg("bulk %p", (void *)bulk);
}

struct one_bulk {
	struct batch *batch;
	struct bulk bulk;
};

static void
write_bulk(struct sealed *f, struct one_bulk *one, uint32_t account,
    unsigned int n, unsigned int end)
{
	struct error error = { .code = ERROR_NONE };
	struct bulk *bulk = &one->bulk;
	struct bulk_writing *writing;

	one->batch = make_batch(f, account, n, end);
	*bulk = (struct bulk){ .account = account, .done = nobody_calls };
	bulk->count = batch_bodies(one->batch, NULL);
	bulk->bodies = memory_new(bulk->count + 1, sizeof(*bulk->bodies));
	batch_bodies(one->batch, bulk->bodies);
	seal_bulk_begin(bulk, f->journal);
	if (f->sealing.writer == NULL)
		assert_int_equal(sealing_replay(&f->sealing, &error), 0);
	writing = bulk_writing_begin(&f->sealing, bulk);
	assert_int_equal(bulk_writing_place(&writing, &error), 0);
	assert_int_equal(bulk_writing_commit(&f->sealing, bulk, &error), 0);
}

static void
end_bulk(struct sealed *f, struct one_bulk *one, bool is_applied)
{
	struct error error = { .code = ERROR_NONE };

	batch_set_bulk(one->batch, &one->bulk);
	if (is_applied)
		apply_batch(f, one->batch, one->bulk.account);
	else
		assert_int_equal(
		    seal_bulk_disown(f->journal, &one->bulk, &error),
		    STATUS_OK);
	sealed_commit(f);
	seal_bulk_clear(&one->bulk);
	batch_free(&one->batch);
}

/* -- What is looked at -- */

static int
find(struct sealed *f, struct transaction *t, uint32_t account, unsigned int n,
    struct object *object)
{
	uint8_t *body = make_body(n);
	struct error error;
	int found;

	*object = (struct object){ .account = account };
	object_store_look(f->digest, text_make(body, SIZE), object);
	free(body);
	found = object_store_find_same(t, f->digest, object, &error);
	assert_true(found >= 0);
	return found;
}

static void
must_read(struct sealed *f, uint32_t account, unsigned int n)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	uint8_t *body = make_body(n), *read = memory_new(1, SIZE);
	struct object object;

	assert_int_equal(find(f, t, account, n, &object), 1);
	assert_true(object.is_pieced);
	assert_int_equal(object.size, SIZE);
	if (object_store_read(t, f->digest, &object, read, &error) != 0)
		fail_msg("%u: %s", n, error.text);
	assert_memory_equal(read, body, SIZE);
	transaction_abort(&t);
	free(body);
	free(read);
}

/* As expiry does it when its last row is forgotten. */
static void
forget(struct sealed *f, uint32_t account, unsigned int n)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, true, &error);
	struct object object;
	uint32_t left;

	f->has_removed = true;
	assert_int_equal(find(f, t, account, n, &object), 1);
	assert_int_equal(blob_use_drop(t, object.blob, &left, &error), 0);
	assert_int_equal(left, 0);
	assert_int_equal(object_store_remove(t, object.blob, &error), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
}

/* `dead` of UINT64_MAX: any. */
static void
check_use(struct sealed *f, uint64_t live, uint64_t dead)
{
	uint64_t is_live, is_dead;

	sealed_sum_use(f, &is_live, &is_dead);
	assert_int_equal(is_live, live);
	if (dead != UINT64_MAX)
		assert_int_equal(is_dead, dead);
}

static void
must_verify(struct sealed *f)
{
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

/* -- Tests -- */

static void
what_comes_again_is_kept_once_in_an_account(void **state)
{
	struct sealed *f = *state;

	add(f, 1, 0, 2);
	add(f, 1, 2, 3);
	/* Three messages of two ends each, and one run. */
	assert_int_equal(sealed_count(f, DB_BLOB), 3 * 3 + 1);
	add(f, 2, 10, 11);
	assert_int_equal(sealed_count(f, DB_BLOB), 3 * 3 + 1 + 4);
	must_read(f, 1, 1);
	sealed_must_pass(f);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
	check_use(f, 4 * (BEGIN_SIZE + END_SIZE) + 2 * RUN_SIZE, 0);
	must_read(f, 1, 0);
	must_read(f, 1, 2);
	must_read(f, 2, 10);
	must_verify(f);
}

static void
bulk_finds_what_came_before_it(void **state)
{
	struct sealed *f = *state;
	struct one_bulk one;

	add(f, 1, 0, 1);
	write_bulk(f, &one, 1, 1, 4);
	assert_int_equal(one.bulk.placed.count, 6); /* no run */
	end_bulk(f, &one, true);
	sealed_must_pass(f);
	check_use(f, 4 * (BEGIN_SIZE + END_SIZE) + RUN_SIZE, 0);
	must_read(f, 1, 0);
	must_read(f, 1, 3);
	write_bulk(f, &one, 2, 10, 12);
	assert_int_equal(one.bulk.placed.count, 5);
	end_bulk(f, &one, true);
	check_use(f, 6 * (BEGIN_SIZE + END_SIZE) + 2 * RUN_SIZE, 0);
	must_read(f, 2, 11);
	must_verify(f);
}

/* Two that were written before either is applied: the second's run is dead, and
 * that of one that is refused. */
static void
bulk_that_is_refused_takes_nothing_along(void **state)
{
	struct sealed *f = *state;
	struct one_bulk first, second, third;

	write_bulk(f, &first, 1, 0, 2);
	write_bulk(f, &second, 1, 2, 3);
	end_bulk(f, &first, false);
	end_bulk(f, &second, true);
	check_use(f, BEGIN_SIZE + END_SIZE + RUN_SIZE,
	    2 * (BEGIN_SIZE + END_SIZE) + RUN_SIZE);
	write_bulk(f, &third, 1, 3, 4);
	/* Forgotten between the writing and the batch: it comes from there. */
	forget(f, 1, 2);
	end_bulk(f, &third, true);
	must_read(f, 1, 3);
	sealed_must_pass(f);
	must_read(f, 1, 3);
	must_verify(f);
}

static void
a_piece_ends_with_the_last_that_has_it(void **state)
{
	struct sealed *f = *state;

	add(f, 1, 0, 3);
	sealed_must_pass(f);
	forget(f, 1, 0);
	must_read(f, 1, 1);
	check_use(
	    f, 2 * (BEGIN_SIZE + END_SIZE) + RUN_SIZE, BEGIN_SIZE + END_SIZE);
	forget(f, 1, 1);
	must_read(f, 1, 2);
	forget(f, 1, 2);
	check_use(f, 0, 3 * (BEGIN_SIZE + END_SIZE) + RUN_SIZE);
	assert_int_equal(sealed_count(f, DB_BLOB), 0);
	assert_int_equal(sealed_count(f, DB_HASH), 0);
	assert_int_equal(sealed_count(f, DB_BLOB_USE), 0);
}

/* Twice in one message, and as a message of its own. */
static void
a_piece_may_be_a_message(void **state)
{
	struct sealed *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	struct batch *batch = batch_new(++f->counter);
	uint8_t *body = make_body(0), *run = memory_new(1, RUN_SIZE),
		*twice = memory_new(2, SIZE);

	memcpy(run, body + BEGIN_SIZE, RUN_SIZE);
	memcpy(twice, body, SIZE);
	memcpy(twice + SIZE, body, SIZE);
	free(body);
	m.change_append.delivery.bytes[0] = 1;
	m.change_append.mailbox = 1;
	m.change_append.size = RUN_SIZE;
	assert_int_equal(batch_add(batch, &m, run, RUN_SIZE), 0);
	m.change_append.delivery.bytes[0] = 2;
	m.change_append.size = 2 * SIZE;
	assert_int_equal(batch_add(batch, &m, twice, 2 * SIZE), 0);
	apply_batch(f, batch, 1);
	sealed_commit(f);
	batch_free(&batch);
	/* The message; the other, its beginning, middle and end. */
	assert_int_equal(sealed_count(f, DB_BLOB), 5);
	sealed_must_pass(f);
	check_use(f, RUN_SIZE + 2 * (BEGIN_SIZE + END_SIZE), 0);
	must_verify(f);
}

static void
a_rebuilt_index_knows_what_is_shared(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;
	struct error error;
	struct one_bulk one;

	add(f, 1, 0, 2);
	sealed_must_pass(f);
	write_bulk(f, &one, 1, 2, 4);
	end_bulk(f, &one, true);
	add(f, 2, 10, 12);
	sealed_must_pass(f);
	sealed_dump(f, before);
	sealed_close(f);
	memset(&result, 0, sizeof(result));
	if (rebuild_index(f->path, MAP_BYTES, &result, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(result.damaged, 0);
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after, 1U << DB_REPLY);
	must_read(f, 1, 0);
	must_read(f, 1, 3);
	must_read(f, 2, 11);
	must_verify(f);
}

/* The message that brought it is gone, and the segment is emptied. */
static void
collecting_keeps_what_another_needs(void **state)
{
	struct sealed *f = *state;
	struct error error;
	struct transaction *t;
	unsigned int n, all;

	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	add(f, 1, 1000, 1002);
	while (segments_newest(f->segments) < 3) {
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	all = f->messages;
	forget(f, 1, 1000);
	t = transaction_begin(f->store, true, &error);
	for (n = 0; n < all; n++)
		sealed_remove(f, t, n);
	assert_int_equal(transaction_commit(&t, &error), 0);
	sealed_must_pass(f);
	sealed_must_pass(f);
	f->sealing.grace_us = 0;
	assert_int_equal(sealing_finish_dropped(&f->sealing, &error), 0);
	assert_null(segments_get(f->segments, 1, &error));
	must_read(f, 1, 1001);
	check_use(f, BEGIN_SIZE + END_SIZE + RUN_SIZE, UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(what_comes_again_is_kept_once_in_an_account),
		SEALED_TEST(bulk_finds_what_came_before_it),
		SEALED_TEST(bulk_that_is_refused_takes_nothing_along),
		SEALED_TEST(a_piece_ends_with_the_last_that_has_it),
		SEALED_TEST(a_piece_may_be_a_message),
		SEALED_TEST(a_rebuilt_index_knows_what_is_shared),
		SEALED_TEST(collecting_keeps_what_another_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
