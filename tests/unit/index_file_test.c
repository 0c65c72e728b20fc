/*
 * What an index costs the disk at its beginning and end, and when it may be
 * trusted after that.
 */
#include "common/file.h"
#include "imapd/message_index.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char home[40];
static int home_fd;
static unsigned int syncs;
static bool was_made, was_unclean;

static int
count_syncs(const char *call, const char *name, void *context)
{
	syncs += strncmp(call, "sync", 4) == 0;
	return 0;
}

static int
set_up(void **state)
{
	strcpy(home, "/tmp/firnmail-index-XXXXXX");
	assert_non_null(mkdtemp(home));
	home_fd = open(home, O_RDONLY | O_DIRECTORY);
	return 0;
}

static int
tear_down(void **state)
{
	file_set_fault_hook(NULL, NULL);
	unlinkat(home_fd, "index/data.mdb", 0);
	unlinkat(home_fd, "index", AT_REMOVEDIR);
	unlinkat(home_fd, "state", 0);
	close(home_fd);
	return rmdir(home);
}

/* How often it waited for the disk is in `syncs`. */
static struct message_index *
open_index(void)
{
	struct message_index *index;
	struct error error;

	syncs = 0;
	file_set_fault_hook(count_syncs, NULL);
	index = index_open(home_fd, &was_made, &was_unclean, &error);
	file_set_fault_hook(NULL, NULL);
	assert_non_null(index);
	return index;
}

static void
write_something(struct message_index *index)
{
	const struct index_meta meta = { .confirmed = 7 };

	index_begin(index);
	index_put_meta(index, &meta);
	index_commit(index);
}

static void
make_index(void)
{
	struct message_index *index = open_index();

	write_something(index);
	index_close(&index);
}

/* Nobody has trusted it yet, so nothing must be taken back. */
static void
the_first_start_does_not_wait_for_the_disk(void **state)
{
	struct message_index *index = open_index();

	assert_true(was_made);
	assert_int_equal(syncs, 0);
	index_close(&index);
}

/* How often it waited for the disk to write that much. */
static unsigned int
syncs_of_a_write(struct message_index *index, uint64_t confirmed)
{
	const struct index_meta meta = { .confirmed = confirmed };

	syncs = 0;
	file_set_fault_hook(count_syncs, NULL);
	index_begin(index);
	index_put_meta(index, &meta);
	index_commit(index);
	file_set_fault_hook(NULL, NULL);
	assert_false(index_is_broken(index));
	return syncs;
}

/* Else the power could be cut after a page was written and before it was known
 * that one might be. */
static void
a_clean_index_is_unclean_on_disk_before_it_is_written(void **state)
{
	struct message_index *index;

	make_index();
	index = open_index();
	assert_false(was_made);
	assert_int_equal(syncs, 0);
	assert_int_equal(syncs_of_a_write(index, 8), 2);
	assert_int_equal(syncs_of_a_write(index, 9), 0);
	index_abandon(&index);
	/* Killed: on disk it is said already. */
	index = open_index();
	assert_false(was_made);
	assert_true(index_was_killed(index));
	assert_int_equal(syncs, 0);
	assert_int_equal(syncs_of_a_write(index, 10), 0);
	index_close(&index);
	index = open_index();
	assert_false(index_was_killed(index));
	index_close(&index);
}

/* Who only read has said nothing that is on disk for sure; the next one
 * must. */
static void
one_that_was_killed_while_it_was_read_is_marked_when_it_is_written(void **state)
{
	struct message_index *index;
	struct index_meta meta;

	make_index();
	for (unsigned int i = 0; i < 2; i++) {
		index = open_index();
		assert_true(index_get_meta(index, &meta));
		assert_int_equal(syncs, 0);
		index_abandon(&index);
	}
	index = open_index();
	assert_true(index_was_killed(index));
	assert_false(was_made);
	assert_int_equal(syncs_of_a_write(index, 8), 2);
	index_abandon(&index);
	/* What kills a worker that reads it goes. */
	index = open_index();
	assert_true(was_made);
	index_close(&index);
}

/* The machine went down while nobody had written: all is as it was closed. */
static void
an_index_that_was_only_read_survives_a_power_cut(void **state)
{
	struct message_index *index;
	char boot[] = "another boot";
	int fd;

	make_index();
	index = open_index();
	index_abandon(&index);
	fd = openat(home_fd, "state", O_WRONLY);
	assert_int_equal(pwrite(fd, boot, sizeof(boot), 1), sizeof(boot));
	close(fd);
	index = open_index();
	assert_false(was_made);
	assert_false(was_unclean);
	assert_int_equal(syncs_of_a_write(index, 8), 2);
	index_abandon(&index);
	fd = openat(home_fd, "state", O_WRONLY);
	assert_int_equal(pwrite(fd, boot, sizeof(boot), 1), sizeof(boot));
	close(fd);
	index = open_index();
	assert_true(was_made);
	assert_true(was_unclean);
	index_close(&index);
}

/* What a power cut makes of a note that was not synced. */
static void
an_index_without_a_readable_state_is_made_anew(void **state)
{
	struct message_index *index;
	struct index_meta meta;

	make_index();
	close(openat(home_fd, "state", O_WRONLY | O_TRUNC));
	index = open_index();
	assert_true(was_made);
	assert_false(index_get_meta(index, &meta));
	index_close(&index);
}

static uint64_t
blocks_beyond_the_end(void)
{
	struct stat info;
	uint64_t all;

	assert_int_equal(fstatat(home_fd, "index/data.mdb", &info, 0), 0);
	all = (uint64_t)info.st_blocks * 512;
	return all > (uint64_t)info.st_size ? all - (uint64_t)info.st_size : 0;
}

static void
what_was_reserved_is_given_back_when_it_rests(void **state)
{
	struct message_index *index = open_index();
	bool reserves;

	write_something(index);
	reserves = blocks_beyond_the_end() >= 65536;
	assert_in_range(blocks_beyond_the_end(), 0, 4 * 65536);
	index_rest(index);
	assert_in_range(blocks_beyond_the_end(), 0, 16384);
	write_something(index);
	index_close(&index);
	assert_in_range(blocks_beyond_the_end(), 0, 16384);
	if (!reserves)
		skip(); /* as on a file system that cannot */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_start_does_not_wait_for_the_disk),
		TEST(a_clean_index_is_unclean_on_disk_before_it_is_written),
		TEST(
		    one_that_was_killed_while_it_was_read_is_marked_when_it_is_written),
		TEST(an_index_that_was_only_read_survives_a_power_cut),
		TEST(an_index_without_a_readable_state_is_made_anew),
		TEST(what_was_reserved_is_given_back_when_it_rests)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
