/*
 * A segment of which little is alive is emptied and dropped, whatever cuts
 * that.
 */
#include "tests/unit/sealed.h"

#include "common/file.h"
#include "common/memory.h"
#include "snapd/rebuild.h"
#include "snapd/segment_folder.h"
#include "snapd/segment_use.h"
#include "tests/unit/power.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
rebuild(struct sealed *f, struct rebuild_result *result)
{
	struct error error;

	memset(result, 0, sizeof(*result));
	if (rebuild_index(f->path, MAP_BYTES, result, &error) != 0)
		fail_msg("%s", error.text);
}

/* Bodies but each third go away, as expiry would do it. */
static void
remove_most(struct sealed *f, unsigned int end)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, true, &error);
	unsigned int n;

	f->has_removed = true;
	for (n = 1; n <= end; n++)
		if (n % 3 != 0)
			sealed_remove(f, t, n - 1);
	assert_int_equal(transaction_commit(&t, &error), 0);
}

/* The third that is left reads as before. */
static void
check_left(struct sealed *f, unsigned int end)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct object object;
	unsigned int n;

	for (n = 1; n <= f->messages; n++) {
		size_t size;
		char *body = sealed_body(n - 1, &size);
		uint8_t *read = memory_new(1, size);
		bool is_left = n > end || n % 3 == 0;

		assert_int_equal(sealed_find(f, t, n - 1, &object), is_left);
		if (is_left) {
			if (object_store_read(
				t, f->digest, &object, read, &error) != 0)
				fail_msg("%u: %s", n, error.text);
			assert_memory_equal(read, body, size);
		}
		free(read);
		free(body);
	}
	transaction_abort(&t);
}

static struct segment_use
use_of(struct sealed *f, uint32_t segment)
{
	struct error error;
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct segment_use use;

	assert_true(segment_use_find(t, segment, &use, &error) >= 0);
	transaction_abort(&t);
	return use;
}

static uint8_t
state_of(struct sealed *f, uint32_t segment)
{
	return use_of(f, segment).state;
}

static size_t
count_folders(struct sealed *f)
{
	struct error error;
	uint32_t *numbers;
	size_t count;

	assert_int_equal(
	    segment_folder_list(f->path, &numbers, &count, &error), 0);
	free(numbers);
	return count;
}

static unsigned int
fill_segments(struct sealed *f, uint32_t count)
{
	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	while (segments_newest(f->segments) < count) {
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	sealed_must_pass(f);
	return f->messages;
}

/* -- What is emptied -- */

static void
segments_of_which_little_is_alive_are_emptied_and_dropped(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;
	char path[100];
	unsigned int all = fill_segments(f, 3);

	remove_most(f, all);
	assert_int_equal(state_of(f, 1), SEGMENT_FULL);
	sealed_must_pass(f);
	assert_int_equal(state_of(f, 1), SEGMENT_DROPPED);
	check_left(f, all);
	sealed_must_pass(f);
	assert_int_equal(state_of(f, 2), SEGMENT_DROPPED);
	sealed_must_pass(f); /* the events of that */
	check_left(f, all);
	/* Files go away at the latest when it is opened again. */
	sealed_reopen(f);
	snprintf(path, sizeof(path), "%s/segment/1", f->path);
	assert_int_equal(access(path, F_OK), -1);
	check_left(f, all);
	sealed_dump(f, before);
	sealed_close(f);
	sealed_must_verify(f);
	/* Rows that the dropped ones carried went along. Bodies whose rows are
	 * still there come back as long as a segment has them, and refer to
	 * their pieces once more. */
	rebuild(f, &result);
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after,
	    1U << DB_REPLY | 1U << DB_SEGMENT_USE | 1U << DB_BLOB |
		1U << DB_HASH | 1U << DB_BLOB_USE);
}

/* Those that are dead go together, and their files when the minute is over. */
static void
all_dead_segments_go_at_once(void **state)
{
	struct sealed *f = *state;
	struct error error;
	struct transaction *t;
	unsigned int n, all;

	all = fill_segments(f, 5);
	f->has_removed = true;
	t = transaction_begin(f->store, true, &error);
	for (n = 1; n <= all; n++)
		sealed_remove(f, t, n - 1);
	assert_int_equal(transaction_commit(&t, &error), 0);
	sealed_must_pass(f);
	for (n = 1; n < 5; n++)
		assert_int_equal(state_of(f, n), SEGMENT_DROPPED);
	assert_int_equal(sealing_finish_dropped(&f->sealing, &error), 0);
	assert_int_equal(count_folders(f), segments_newest(f->segments));
	f->sealing.grace_us = 0;
	assert_int_equal(sealing_finish_dropped(&f->sealing, &error), 0);
	assert_int_equal(count_folders(f), segments_newest(f->segments) - 4);
}

static bool
file_system_takes_blocks_back(struct sealed *f)
{
	struct error error;
	char path[100];
	int fd, result;

	snprintf(path, sizeof(path), "%s/try", f->path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd != -1);
	assert_int_equal(ftruncate(fd, 8192), 0);
	result = file_punch(fd, 0, 4096, &error);
	close(fd);
	assert_int_equal(unlink(path), 0);
	return result == 0;
}

/* What a full one does not use is the file system's. */
static void
full_segment_has_blocks_for_what_it_holds_only(void **state)
{
	struct sealed *f = *state;
	struct stat st;
	char path[100];
	unsigned int i;

	if (!file_system_takes_blocks_back(f))
		skip();
	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	/* Each pass writes the last value again. */
	for (i = 0; segments_newest(f->segments) < 2; i++) {
		sealed_add(f, 20);
		sealed_must_pass(f);
	}
	assert_true(i > 4);
	sealed_must_pass(f);
	assert_int_equal(state_of(f, 1), SEGMENT_FULL);
	snprintf(path, sizeof(path), "%s/segment/1/data.mdb", f->path);
	assert_int_equal(stat(path, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 <=
		    (uint64_t)use_of(f, 1).values * (1 << 20) + (128 << 10));
	sealed_check(f);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
stat_newest(struct sealed *f, struct stat *st)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/segment/%u/data.mdb", f->path,
	    segments_newest(f->segments));
	assert_int_equal(stat(path, st), 0);
}

/* Nor does the newest keep more when a pass is over; but before it is written
 * again it has them, so that a full disk is met before a commit and not in it.
 */
static void
newest_segment_has_blocks_for_what_it_holds_only(void **state)
{
	struct sealed *f = *state;
	uint8_t *value = memory_new(1, SEGMENT_VALUE_SIZE);
	struct segment_env *env;
	struct error error;
	struct stat st;
	uint32_t values;
	unsigned int i;

	if (!file_system_takes_blocks_back(f)) {
		free(value);
		skip();
	}
	for (i = 0; i < 5; i++) {
		sealed_add(f, 20);
		sealed_must_pass(f);
	}
	stat_newest(f, &st);
	env = segments_get(f->segments, segments_newest(f->segments), &error);
	assert_non_null(env);
	assert_int_equal(segment_env_values(env, &values, &error), 0);
	assert_true((uint64_t)st.st_blocks * 512 <=
		    (uint64_t)values * (1 << 20) + (128 << 10));
	assert_true(st.st_blocks * 512 < st.st_size - (1 << 20));
	assert_int_equal(segment_env_value(env, values - 1, value, &error), 1);
	assert_int_equal(segment_env_put(env, values - 1, value, &error), 0);
	assert_int_equal(segment_env_commit(env, &error), 0);
	stat_newest(f, &st);
	assert_true(st.st_blocks * 512 >= st.st_size);
	free(value);
	sealed_reopen(f);
	sealed_add(f, 20);
	sealed_must_pass(f);
	sealed_check(f);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

/* -- Cuts -- */

static void
cut_while_collecting_loses_nothing(void **state)
{
	struct sealed *f = *state;
	unsigned int all = fill_segments(f, 2);
	uint64_t live, dead, live_before, dead_before;
	struct error error;
	int cut;

	remove_most(f, all);
	sealed_sum_use(f, &live_before, &dead_before);
	dead_before += use_of(f, 1).live_bytes;
	for (cut = 0; cut < 1000; cut += 1 + cut / 2) {
		f->slices_left = cut;
		f->budget_us = 0;
		if (sealed_pass(f, &error) == 0)
			break;
		sealed_reopen(f);
		check_left(f, all);
	}
	assert_true(cut > 10);
	assert_int_equal(state_of(f, 1), SEGMENT_DROPPED);
	sealed_reopen(f);
	check_left(f, all);
	/* Nor copies anything twice. */
	sealed_sum_use(f, &live, &dead);
	assert_int_equal(live, live_before);
	assert_int_equal(dead, dead_before);
}

static void
damaged_segment_is_not_dropped(void **state)
{
	struct sealed *f = *state;
	unsigned int all = fill_segments(f, 2);
	char path[100], byte;
	off_t middle;
	int fd;

	remove_most(f, all);
	sealed_close(f);
	snprintf(path, sizeof(path), "%s/segment/1/data.mdb", f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	middle = lseek(fd, 0, SEEK_END) / 2;
	assert_int_equal(pread(fd, &byte, 1, middle), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, middle), 1);
	close(fd);
	sealed_open(f);
	sealed_add(f, 3);
	sealed_must_pass(f);
	assert_int_equal(state_of(f, 1), SEGMENT_FULL);
	assert_int_equal(sealed_count(f, DB_CHUNK), 0);
}

/* -- Cut at each step of step.h, and at the writes and syncs behind it -- */

/* The segment is emptied, dropped, and its files go away at the next start. */
static void
collect_in_child(void *context)
{
	struct sealed *f = context;

	sealed_open(f);
	sealed_must_pass(f);
	sealed_reopen(f);
}

static void
a_cut_at_each_step_of_collecting_loses_nothing(void **state)
{
	static const unsigned int occurrences[] = { 1, 2 };
	struct sealed *f = *state;
	struct power_cut cut = { .seed = 1 };
	char kept[SCRATCH_PATH + 8], path[SCRATCH_PATH + 20];
	unsigned int i, all, cuts = 0;
	bool was_cut;

	all = fill_segments(f, 2);
	remove_most(f, all);
	sealed_close(f);
	snprintf(kept, sizeof(kept), "%s.kept", f->path);
	snprintf(path, sizeof(path), "%s/segment/1", f->path);
	scratch_copy(f->path, kept);
	for (cut.step = STEP_COLLECT_LISTED; cut.step <= STEP_COLLECT_GONE;
	     cut.step++)
		for (i = 0; i < 2; i++) {
			cut.occurrence = occurrences[i];
			cut.calls = i * 2 + cut.step % 2;
			cut.seed++;
			was_cut = power_run(&cut, collect_in_child, f);
			if (i == 0 && !was_cut)
				fail_msg(
				    "never reached: %s", step_name(cut.step));
			cuts += was_cut;
			/* As it lies there, before anything is replayed. */
			sealed_must_verify(f);
			sealed_open(f);
			check_left(f, all);
			sealed_must_pass(f);
			sealed_reopen(f);
			assert_int_equal(access(path, F_OK), -1);
			check_left(f, all);
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
		SEALED_TEST(
		    segments_of_which_little_is_alive_are_emptied_and_dropped),
		SEALED_TEST(all_dead_segments_go_at_once),
		SEALED_TEST(full_segment_has_blocks_for_what_it_holds_only),
		SEALED_TEST(newest_segment_has_blocks_for_what_it_holds_only),
		SEALED_TEST(cut_while_collecting_loses_nothing),
		SEALED_TEST(a_cut_at_each_step_of_collecting_loses_nothing),
		SEALED_TEST(damaged_segment_is_not_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
