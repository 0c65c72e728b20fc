/*
 * Zeros ahead of the store's last page: how many, when, and what a full disk
 * leaves of them.
 */
#include "snapd/growth.h"
#include "tests/unit/scratch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)

static void
an_eighth_is_kept_ahead_within_limits(void **state)
{
	static const struct {
		uint64_t used, limit, wanted;
	} cases[] = {
		{ 0, 1024 * 1024 * MIB, 16 * MIB },
		{ 128 * MIB, 1024 * 1024 * MIB, 16 * MIB },
		{ 256 * MIB, 1024 * 1024 * MIB, 32 * MIB },
		{ 512 * MIB, 1024 * 1024 * MIB, 64 * MIB },
		{ 4096 * MIB, 1024 * 1024 * MIB, 64 * MIB },
		{ 0, 64 * MIB, 8 * MIB },
		{ 60 * MIB, 64 * MIB, 8 * MIB },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(growth_wanted(cases[i].used, cases[i].limit),
		    cases[i].wanted);
}

static void
steps_are_taken_when_idle_or_when_most_is_gone(void **state)
{
	static const struct {
		uint64_t used, prepared;
		bool is_idle;
		uint64_t step;
	} cases[] = {
		{ 10 * MIB, 26 * MIB, true, 0 },
		{ 10 * MIB, 25 * MIB, true, MIB },
		{ 10 * MIB, 25 * MIB, false, 0 },
		{ 10 * MIB, 12 * MIB, false, 0 },
		{ 10 * MIB, 12 * MIB - 1, false, MIB / 4 },
		/* LMDB was faster. */
		{ 10 * MIB, 8 * MIB, false, MIB / 4 },
		/* The map ends. */
		{ 1020 * MIB, 1024 * MIB, true, 0 },
		{ 1020 * MIB, 1024 * MIB - 5, true, 5 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct growth growth = { .limit = 1024 * MIB,
			.prepared = cases[i].prepared };

		assert_int_equal(
		    growth_step(&growth, cases[i].used, cases[i].is_idle),
		    cases[i].step);
	}
}

static void
a_full_disk_leaves_half_of_the_zeros(void **state)
{
	struct growth growth = { .limit = 1024 * MIB, .prepared = 20 * MIB };

	assert_true(growth_has_room(&growth, 10 * MIB, 500 * MIB));
	growth.is_disk_full = true;
	assert_true(growth_has_room(&growth, 10 * MIB, 2 * MIB));
	assert_false(growth_has_room(&growth, 10 * MIB, 2 * MIB + 1));
	assert_false(growth_has_room(&growth, 30 * MIB, 1));
}

/* -- With a file -- */

static int
set_up(void **state)
{
	static char path[64];

	snprintf(path, sizeof(path), "/var/tmp/growth_test.XXXXXX");
	*state = path;
	return close(mkstemp(path));
}

static int
tear_down(void **state)
{
	growth_set_fault(0);
	return unlink(*state);
}

static uint64_t
blocks_of(int fd)
{
	struct stat status;

	assert_int_equal(fsync(fd), 0);
	assert_int_equal(fstat(fd, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

static void
a_step_has_its_blocks_and_touches_no_page(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	char page[4096] = "page", read_back[4096];
	struct growth growth;
	struct error error;

	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	assert_int_equal(
	    growth_open(&growth, fd, sizeof(page), 1024 * MIB, &error), 0);
	assert_int_equal(growth_write(&growth, sizeof(page), MIB, &error), 0);
	assert_int_equal(growth.prepared, MIB + sizeof(page));
	assert_true(blocks_of(fd) >= MIB + sizeof(page));
	assert_int_equal(pread(fd, read_back, sizeof(page), 0), sizeof(page));
	assert_memory_equal(read_back, page, sizeof(page));
	/* After a new start it is still known. */
	assert_int_equal(
	    growth_open(&growth, fd, sizeof(page), 1024 * MIB, &error), 0);
	assert_int_equal(growth.prepared, MIB + sizeof(page));
	close(fd);
}

static void
holes_of_a_copy_are_not_taken_for_zeros(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	struct growth growth;
	struct error error;

	assert_int_equal(pwrite(fd, "page", 4, 0), 4);
	assert_int_equal(ftruncate(fd, (off_t)(8 * MIB)), 0);
	assert_int_equal(growth_open(&growth, fd, 4096, 1024 * MIB, &error), 0);
	assert_true(growth.prepared <= MIB);
	close(fd);
}

static void
a_full_disk_is_seen_and_forgotten(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	struct growth growth;
	struct error error;

	assert_int_equal(growth_open(&growth, fd, 0, 1024 * MIB, &error), 0);
	growth_set_fault(ENOSPC);
	assert_int_equal(growth_write(&growth, 0, MIB, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	assert_true(growth.is_disk_full);
	assert_int_equal(growth.prepared, 0);
	growth_set_fault(0);
	assert_int_equal(growth_write(&growth, 0, MIB, &error), 0);
	assert_false(growth.is_disk_full);
	close(fd);
}

static void
a_reserve_has_its_blocks_and_touches_no_byte(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	struct growth growth;
	struct stat status;
	struct error error;

	assert_int_equal(pwrite(fd, "page", 4, 0), 4);
	assert_int_equal(growth_open(&growth, fd, 4096, 8 * MIB, &error), 0);
	assert_true(growth_reserve(&growth, 4096, 2 * MIB));
	assert_true(blocks_of(fd) >= 2 * MIB);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, 4);
	/* The map ends before the disk does. */
	assert_true(growth_reserve(&growth, 4096, 100 * MIB));
	assert_int_equal(growth.reserved, 8 * MIB);
	close(fd);
}

static void
blocks_that_a_burst_left_are_given_back(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	char page[4096] = "page", read_back[4096];
	uint64_t used = sizeof(page);
	struct growth growth;
	struct stat status;
	struct error error;

	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	assert_int_equal(growth_open(&growth, fd, used, 1024 * MIB, &error), 0);
	assert_int_equal(growth_write(&growth, used, MIB, &error), 0);
	assert_true(growth_reserve(&growth, used, 20 * MIB - GROWTH_STEP));
	assert_false(growth_has_spare(&growth, used));
	assert_true(growth_reserve(&growth, used, 30 * MIB));
	assert_true(growth_has_spare(&growth, used));
	/* What a full disk took would not come back. */
	growth.is_disk_full = true;
	assert_false(growth_has_spare(&growth, used));
	growth.is_disk_full = false;
	assert_true(blocks_of(fd) >= 30 * MIB);
	growth_give_back(&growth);
	assert_true(blocks_of(fd) < 2 * MIB);
	assert_false(growth_has_spare(&growth, used));
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_size, MIB + sizeof(page));
	assert_int_equal(pread(fd, read_back, sizeof(page), 0), sizeof(page));
	assert_memory_equal(read_back, page, sizeof(page));
	/* It can be reserved once more. */
	assert_true(growth_reserve(&growth, used, 8 * MIB));
	assert_true(blocks_of(fd) >= 8 * MIB);
	close(fd);
}

static void
a_reserve_that_finds_no_room_says_so(void **state)
{
	int fd = open(*state, O_RDWR | O_CLOEXEC);
	struct growth growth;
	struct error error;

	assert_int_equal(growth_open(&growth, fd, 0, 1024 * MIB, &error), 0);
	assert_true(growth_reserve(&growth, 0, MIB));
	growth_set_fault(EOPNOTSUPP);
	assert_false(growth_reserve(&growth, 0, 4 * MIB));
	assert_false(growth.is_disk_full);
	growth_set_fault(ENOSPC);
	assert_true(growth_reserve(&growth, 0, MIB));
	assert_false(growth_reserve(&growth, 0, 4 * MIB));
	assert_true(growth.is_disk_full);
	assert_false(growth_has_room(&growth, 0, 2 * MIB));
	close(fd);
}

/* -- A store whose disk fails a commit -- */

/* Each of these is taken for 20 KiB of pages. */
static enum error_code
fail_commit(struct store *store, unsigned int rows, int disk_says)
{
	struct error error = { .code = ERROR_NONE };
	struct transaction *t;

	/* More than a commit asks for. */
	assert_true(store_has_room(store, GROWTH_MAX + 16 * MIB));
	t = transaction_begin(store, true, &error);
	assert_non_null(t);
	for (unsigned int i = 0; i < rows; i++) {
		struct key key = { .size = 0 };

		key_put_u32(&key, i * 1000); /* no run */
		assert_int_equal(
		    store_put(t, DB_REPLY, &key, TEXT("row"), &error), 0);
	}
	store_set_commit_fault(EIO);
	growth_set_fault(disk_says);
	assert_int_equal(transaction_commit(&t, &error), -1);
	store_set_commit_fault(0);
	growth_set_fault(0);
	return error.code;
}

static void
what_reaches_the_end_of_the_disk_is_full_and_not_broken(void **state)
{
	const unsigned int more_than_is_asked_for = GROWTH_MAX / 20480 + 1;
	char path[SCRATCH_PATH];
	struct error error;
	struct store_id id;
	struct store *store;

	(void)state;
	scratch_store_make(path, "growth_test", &id);
	store = store_open(path, 1 << 30, &error);
	assert_non_null(store);
	assert_int_equal(
	    fail_commit(store, more_than_is_asked_for, ENOSPC), ERROR_FULL);
	/* The disk has room: then it is the disk. */
	assert_int_not_equal(
	    fail_commit(store, more_than_is_asked_for, 0), ERROR_FULL);
	assert_int_not_equal(
	    fail_commit(store, more_than_is_asked_for, EIO), ERROR_FULL);
	/* All that it may need had its blocks. */
	assert_int_not_equal(fail_commit(store, 1, ENOSPC), ERROR_FULL);
	store_close(&store);
	scratch_remove(path);
}

/* So many rows, each so far from the one before: whether the commit is sure of
 * its blocks; and it takes no more. */
static bool
is_assured(struct store *store, uint32_t step)
{
	struct error error = { .code = ERROR_NONE };
	uint64_t used = store_used_bytes(store);
	struct transaction *t = transaction_begin(store, true, &error);
	char row[230];
	bool is_it;

	assert_non_null(t);
	memset(row, 'r', sizeof(row));
	for (uint32_t i = 1; i <= 10000; i++) {
		struct key key = { .size = 0 };

		key_put_u64(&key, step);
		key_put_u32(&key, i * step);
		assert_int_equal(store_put(t, DB_DEAD, &key,
				     text_make(row, sizeof(row)), &error),
		    0);
	}
	is_it = store_is_assured(store);
	assert_int_equal(transaction_commit(&t, &error), 0);
	assert_in_range(store_used_bytes(store) - used, 1, GROWTH_MAX);
	return is_it;
}

static void
a_run_of_rows_is_counted_by_its_bytes(void **state)
{
	char path[SCRATCH_PATH];
	struct error error;
	struct store_id id;
	struct store *store;

	(void)state;
	scratch_store_make(path, "growth_test", &id);
	store = store_open(path, 1 << 30, &error);
	assert_non_null(store);
	assert_true(is_assured(store, 1));
	assert_false(is_assured(store, 1000));
	store_close(&store);
	scratch_remove(path);
}

int
main(void)
{
#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_eighth_is_kept_ahead_within_limits),
		cmocka_unit_test(
		    steps_are_taken_when_idle_or_when_most_is_gone),
		cmocka_unit_test(a_full_disk_leaves_half_of_the_zeros),
		cmocka_unit_test(
		    what_reaches_the_end_of_the_disk_is_full_and_not_broken),
		cmocka_unit_test(a_run_of_rows_is_counted_by_its_bytes),
		WITH_FILE(a_step_has_its_blocks_and_touches_no_page),
		WITH_FILE(holes_of_a_copy_are_not_taken_for_zeros),
		WITH_FILE(a_full_disk_is_seen_and_forgotten),
		WITH_FILE(a_reserve_has_its_blocks_and_touches_no_byte),
		WITH_FILE(blocks_that_a_burst_left_are_given_back),
		WITH_FILE(a_reserve_that_finds_no_room_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
