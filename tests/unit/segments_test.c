/*
 * What was sealed reads as before, and a cut after any step of a pass loses
 * nothing and stores nothing twice.
 */
#include "tests/unit/sealed.h"

#include "common/file.h"
#include "snapd/growth.h"
#include "snapd/segment_use.h"
#include "tests/unit/power.h"

#include <errno.h>
#include <string.h>

static void
sealed_bodies_read_as_before(void **state)
{
	struct sealed *f = *state;
	uint64_t sealed;

	sealed_add(f, 60);
	sealed_check_bodies(f, &sealed);
	assert_int_equal(sealed, 0);
	sealed_must_pass(f);
	sealed_check(f);
	sealed_reopen(f);
	sealed_check(f);
	/* Another pass goes on in the same value, and changes nothing. */
	sealed_add(f, 5);
	sealed_must_pass(f);
	sealed_check(f);
	assert_int_equal(segments_newest(f->segments), 1);
}

static void
pass_without_news_writes_nothing(void **state)
{
	struct sealed *f = *state;
	struct sealed_totals before, after;

	sealed_add(f, 3);
	sealed_must_pass(f);
	before = sealed_totals(f);
	sealed_must_pass(f);
	sealed_reopen(f);
	sealed_must_pass(f);
	after = sealed_totals(f);
	assert_int_equal(after.blocks, before.blocks);
}

/* After each slice of the index in turn the power fails. */
static void
cut_after_any_step_loses_and_doubles_nothing(void **state)
{
	struct sealed *f = *state;
	struct error error;
	uint64_t sealed;
	int cut;

	sealed_add(f, 40);
	for (cut = 0;; cut++) {
		sealed_add(f, 10);
		f->slices_left = cut;
		f->budget_us = 0; /* one body, or a part of a large one */
		if (sealed_pass(f, &error) == 0)
			break;
		assert_int_equal(error.code, ERROR_BUSY);
		sealed_reopen(f);
		sealed_check_bodies(f, &sealed);
		sealed_must_pass(f);
		sealed_check(f);
	}
	assert_true(cut > 10);
}

static void
full_disk_leaves_mail_staged(void **state)
{
	struct sealed *f = *state;
	struct error error;
	uint64_t sealed;

	sealed_add(f, 60);
	segment_env_set_fault(ENOSPC);
	assert_int_equal(sealed_pass(f, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	segment_writer_free(&f->sealing.writer);
	seal_batch_clear(&f->sealing.batch);
	sealed_check_bodies(f, &sealed);
	assert_int_equal(sealed, 0);
	sealed_add(f, 2);
	segment_env_set_fault(0);
	sealed_must_pass(f);
	sealed_check(f);
}

static int
no_room(const char *call, const char *name, void *context)
{
	return strcmp(call, context) == 0 ? ENOSPC : 0;
}

/* LMDB would say of it that the disk failed. */
static void
no_commit_begins_without_its_blocks(void **state)
{
	static const char *const calls[] = { "create", "write", "reserve" };
	struct sealed *f = *state;
	struct error error;
	uint64_t sealed;

	sealed_add(f, 60);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		file_set_fault_hook(no_room, (void *)(uintptr_t)calls[i]);
		assert_int_equal(sealed_pass(f, &error), -1);
		file_set_fault_hook(NULL, NULL);
		assert_int_equal(error.code, ERROR_FULL);
		segment_writer_free(&f->sealing.writer);
		seal_batch_clear(&f->sealing.batch);
		sealed_check_bodies(f, &sealed);
		assert_int_equal(sealed, 0);
	}
	sealed_must_pass(f);
	sealed_check(f);
}

/* A transaction that may write more than has blocks. */
static int
commit_much(struct sealed *f, struct error *error)
{
	struct transaction *t = transaction_begin(f->store, true, error);
	static const char chunk[STORE_CHUNK_SIZE];
	struct key key = { .size = 0 };

	for (uint32_t i = 0; i < 16 * 1024; i++) {
		key.size = 0;
		key_put_u64(&key, UINT64_MAX);
		key_put_u32(&key, i);
		assert_int_equal(store_put(t, DB_CHUNK, &key,
				     text_make(chunk, sizeof(chunk)), error),
		    0);
	}
	return transaction_commit(&t, error);
}

static void
an_index_without_room_is_no_failed_disk(void **state)
{
	struct sealed *f = *state;
	struct error error;

	store_set_commit_fault(EIO);
	assert_int_equal(commit_much(f, &error), -1);
	assert_int_equal(error.code, ERROR_SYSTEM);
	sealed_reopen(f);
	growth_set_fault(ENOSPC);
	assert_int_equal(commit_much(f, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	growth_set_fault(0);
	store_set_commit_fault(0);
	assert_int_equal(commit_much(f, &error), 0);
}

static void
failed_disk_is_no_full_disk(void **state)
{
	struct sealed *f = *state;
	struct error error;
	uint64_t sealed;

	sealed_add(f, 10);
	segment_env_set_fault(EIO);
	assert_int_equal(sealed_pass(f, &error), -1);
	assert_int_equal(error.code, ERROR_SYSTEM);
	segment_env_set_fault(0);
	sealed_reopen(f);
	sealed_check_bodies(f, &sealed);
	sealed_must_pass(f);
	sealed_check(f);
}

/* A full segment: state, sum, event; and the next one goes on. */
static void
full_segments_have_their_sum_in_the_log(void **state)
{
	struct sealed *f = *state;
	uint64_t events = 0;
	struct transaction *t;
	struct segment_use use;
	struct error error;
	uint32_t number;

	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	while (segments_newest(f->segments) < 3) {
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	sealed_check(f);
	t = transaction_begin(f->store, false, &error);
	for (number = 1; number <= 3; number++) {
		static const struct hash none;

		assert_int_equal(segment_use_find(t, number, &use, &error), 1);
		assert_int_equal(
		    use.state, number < 3 ? SEGMENT_FULL : SEGMENT_OPEN);
		assert_int_equal(
		    memcmp(&use.hash, &none, sizeof(none)) != 0, number < 3);
		events += use.state == SEGMENT_FULL;
	}
	transaction_abort(&t);
	assert_int_equal(events, 2);
	sealed_reopen(f);
	sealed_check(f);
}

/* After a reload: the one that is being filled is full, and others are as large
 * as they may be. */
static void
a_lower_limit_counts_at_once(void **state)
{
	struct sealed *f = *state;
	struct segment_use use = { .values = 0 };
	struct transaction *t;
	struct error error;

	while (use.values < SMALL_SEGMENT / 2 / SEGMENT_VALUE_SIZE) {
		sealed_add(f, 50);
		sealed_must_pass(f);
		t = transaction_begin(f->store, false, &error);
		assert_int_equal(segment_use_find(t, 1, &use, &error), 1);
		transaction_abort(&t);
	}
	assert_int_equal(segments_newest(f->segments), 1);
	segments_limit(f->segments, SMALL_SEGMENT / 2);
	for (uint32_t newest = 1; newest < 3;
	     newest = segments_newest(f->segments)) {
		t = transaction_begin(f->store, false, &error);
		assert_int_equal(segment_use_find(t, newest, &use, &error), 1);
		transaction_abort(&t);
		assert_true(
		    use.values <= SMALL_SEGMENT / 2 / SEGMENT_VALUE_SIZE + 1);
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	sealed_check(f);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
removed_bodies_are_dead_bytes(void **state)
{
	struct sealed *f = *state;
	struct transaction *t;
	struct object object;
	struct error error;
	uint64_t live, dead, before;

	sealed_add(f, 60);
	sealed_must_pass(f);
	sealed_add(f, 1);
	before = sealed_count(f, DB_HASH);
	t = transaction_begin(f->store, true, &error);
	assert_int_equal(sealed_find(f, t, 6, &object), 1);
	sealed_remove(f, t, 49); /* and the three pieces of it */
	sealed_remove(f, t, 6);
	sealed_remove(f, t, 60); /* staged */
	assert_int_equal(object_store_remove(t, object.blob, &error), -1);
	assert_int_equal(sealed_find(f, t, 6, &object), 0);
	assert_int_equal(transaction_commit(&t, &error), 0);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
	assert_int_equal(sealed_count(f, DB_HASH), before - 6);
	assert_int_equal(sealed_count(f, DB_BLOB), before - 6);
	sealed_sum_use(f, &live, &dead);
	assert_int_equal(dead, sealed_size(49) + sealed_size(6));
	assert_int_equal(live + dead, sealed_bytes(f) - sealed_size(60));
}

/* Removed while the sealer had it in hand. */
static void
body_removed_meanwhile_is_dead(void **state)
{
	struct sealed *f = *state;
	struct transaction *t;
	struct error error;
	uint64_t live, dead;

	sealed_add(f, 20);
	f->slices_left = 0;
	assert_int_equal(sealed_pass(f, &error), -1);
	sealed_reopen(f);
	t = transaction_begin(f->store, true, &error);
	sealed_remove(f, t, 9);
	assert_int_equal(transaction_commit(&t, &error), 0);
	sealed_must_pass(f);
	sealed_sum_use(f, &live, &dead);
	assert_int_equal(dead, sealed_size(9));
	assert_int_equal(live, sealed_bytes(f) - sealed_size(9));
}

/* -- Cut at each step of step.h, and at the writes and syncs behind it -- */

static void
pass_in_child(void *context)
{
	struct sealed *f = context;

	sealed_open(f);
	sealed_must_pass(f);
}

static void
a_cut_at_each_step_of_sealing_loses_and_doubles_nothing(void **state)
{
	static const unsigned int occurrences[] = { 1, 3 };
	struct sealed *f = *state;
	struct power_cut cut = { .seed = 1 };
	char kept[SCRATCH_PATH + 8];
	unsigned int i, cuts = 0;
	uint64_t sealed;
	bool was_cut;

	f->segment_bytes = SMALL_SEGMENT / 2;
	sealed_add(f, 200);
	sealed_close(f);
	snprintf(kept, sizeof(kept), "%s.kept", f->path);
	scratch_copy(f->path, kept);
	for (cut.step = STEP_SEAL_MADE; cut.step <= STEP_SEAL_KEPT; cut.step++)
		for (i = 0; i < 2; i++) {
			cut.occurrence = occurrences[i];
			cut.calls = i * 2 + cut.step % 2;
			cut.seed++;
			was_cut = power_run(&cut, pass_in_child, f);
			if (i == 0 && !was_cut)
				fail_msg(
				    "never reached: %s", step_name(cut.step));
			cuts += was_cut;
			/* As it lies there, before anything is replayed. */
			sealed_must_verify(f);
			sealed_open(f);
			sealed_check_bodies(f, &sealed);
			sealed_must_pass(f);
			sealed_check(f);
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
		SEALED_TEST(a_lower_limit_counts_at_once),
		SEALED_TEST(sealed_bodies_read_as_before),
		SEALED_TEST(pass_without_news_writes_nothing),
		SEALED_TEST(cut_after_any_step_loses_and_doubles_nothing),
		SEALED_TEST(
		    a_cut_at_each_step_of_sealing_loses_and_doubles_nothing),
		SEALED_TEST(full_disk_leaves_mail_staged),
		SEALED_TEST(no_commit_begins_without_its_blocks),
		SEALED_TEST(an_index_without_room_is_no_failed_disk),
		SEALED_TEST(failed_disk_is_no_full_disk),
		SEALED_TEST(full_segments_have_their_sum_in_the_log),
		SEALED_TEST(removed_bodies_are_dead_bytes),
		SEALED_TEST(body_removed_meanwhile_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
