/* Grants, back-off, files that must not be followed, and the table of walls. */
#include "broker/grants.h"
#include "common/file.h"
#include "common/process_start.h"
#include "common/sandbox_profile.h"
#include "tests/unit/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
a_grant_works_once(void **state)
{
	struct grants *grants = grants_new();
	struct grant grant = { .instance = 1, .connection = 2, .account = 3 };
	struct grant got;

	assert_true(grants_add(grants, &grant, 0));
	assert_false(grants_take(grants, 1, 3, 1, &got));
	assert_false(grants_take(grants, 2, 2, 1, &got));
	assert_true(grants_take(grants, 1, 2, 1, &got));
	assert_int_equal(got.account, 3);
	assert_false(grants_take(grants, 1, 2, 1, &got));
	grants_free(&grants);
}

static void
a_grant_ends_after_30_seconds_or_with_its_front(void **state)
{
	struct grants *grants = grants_new();
	struct grant grant = { .instance = 1, .connection = 2, .account = 3 };
	struct grant got;

	assert_true(grants_add(grants, &grant, 0));
	assert_false(grants_take(grants, 1, 2, GRANT_LIFE_US, &got));
	assert_true(grants_add(grants, &grant, 0));
	grants_drop_instance(grants, 9);
	grants_drop_instance(grants, 1);
	assert_false(grants_take(grants, 1, 2, 1, &got));
	grants_free(&grants);
}

static void
back_off_doubles_from_1_to_60_seconds(void **state)
{
	const int64_t expected[] = { 1000, 1000, 2000, 4000, 8000, 16000, 32000,
		60000, 60000 };

	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(process_backoff_ms(i), expected[i]);
	assert_int_equal(process_backoff_ms(4000000000U), 60000);
}

static void
names_that_lead_elsewhere_are_refused(void **state)
{
	char top[SCRATCH_PATH];
	const char *const names[] = { "../etc/passwd", "/etc/passwd", "..", "",
		"link", "links/passwd", "fifo", "folder",
		"folder/../folder/.." };
	struct error error;
	int dir, fd;

	scratch_make(top, "walls_test");
	dir = open(top, O_RDONLY | O_DIRECTORY);
	assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
	assert_int_equal(symlinkat("/etc", dir, "links"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(file_make_directory(dir, "folder", 0700, &error), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(file_open_read(dir, names[i], &error), -1);
		assert_int_equal(
		    file_open_unnoticed(dir, names[i], &error), -1);
	}
	assert_int_equal(
	    file_replace(dir, "folder/f", "abc", 3, 0600, &error), 0);
	fd = file_open_read(dir, "folder/f", &error);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_create(dir, "folder/f", 0600, &error), -1);
	assert_int_equal(error.code, ERROR_EXISTS);
	assert_int_equal(file_unlink(dir, "folder/f", &error), 0);
	assert_int_equal(file_remove_directory(dir, "folder", &error), 0);
	assert_int_equal(file_unlink(dir, "link", &error), 0);
	assert_int_equal(file_unlink(dir, "links", &error), 0);
	assert_int_equal(file_unlink(dir, "fifo", &error), 0);
	close(dir);
	assert_int_equal(rmdir(top), 0);
}

static int
full(const char *call, const char *name, void *context)
{
	return strcmp(call, "create") == 0 ? ENOSPC : 0;
}

/* A note finds no room for a second one. */
static void
a_note_is_written_over_on_a_full_disk(void **state)
{
	char top[] = "/tmp/firnmail-file-XXXXXX", read_back[3];
	struct error error;
	int dir, fd;

	assert_non_null(mkdtemp(top));
	dir = open(top, O_RDONLY | O_DIRECTORY);
	file_set_fault_hook(full, NULL);
	assert_int_equal(
	    file_replace_note(dir, "n", "abc", 3, 0600, &error), -1);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(
	    file_replace_note(dir, "n", "abc", 3, 0600, &error), 0);
	file_set_fault_hook(full, NULL);
	assert_int_equal(
	    file_replace_note(dir, "n", "longer", 6, 0600, &error), -1);
	assert_int_equal(error.code, ERROR_FULL);
	assert_int_equal(
	    file_replace_note(dir, "n", "xyz", 3, 0600, &error), 0);
	file_set_fault_hook(NULL, NULL);
	fd = file_open_read(dir, "n", &error);
	assert_int_equal(pread(fd, read_back, 3, 0), 3);
	assert_memory_equal(read_back, "xyz", 3);
	close(fd);
	assert_int_equal(file_unlink(dir, "n", &error), 0);
	close(dir);
	assert_int_equal(rmdir(top), 0);
}

static void
a_file_is_read_and_nothing_is_noted(void **state)
{
	static const struct timespec times[2] = { { .tv_sec = 1000 },
		{ .tv_sec = 2000 } };
	char top[SCRATCH_PATH], byte;
	struct error error;
	struct stat st;
	uint64_t size;
	int dir, fd;

	(void)state;
	scratch_make(top, "walls_test");
	dir = open(top, O_RDONLY | O_DIRECTORY);
	assert_int_equal(file_replace(dir, "f", "abc", 3, 0600, &error), 0);
	assert_int_equal(utimensat(dir, "f", times, 0), 0);
	fd = file_open_sized(dir, "f", &size, &error);
	assert_true(fd >= 0);
	assert_int_equal(size, 3);
	assert_int_equal(pread(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_atime, 1000);
	close(fd);
	assert_int_equal(file_unlink(dir, "f", &error), 0);
	close(dir);
	assert_int_equal(rmdir(top), 0);
}

static void
only_memory_with_all_seals_passes(void **state)
{
	struct error error;
	int fd = file_sealed_memory("x", "abc", 3, &error);

	assert_int_equal(file_check_sealed(fd, &error), 0);
	assert_int_equal(pwrite(fd, "d", 1, 0), -1);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(file_check_sealed(fd, &error), -1);
	close(fd);
}

/* Filters stack: what the broker may not do, its children could not. */
static void
the_brokers_calls_hold_those_of_its_children(void **state)
{
	unsigned int broker = sandbox_profile_find(ROLE_BROKER)->calls;

	for (int role = ROLE_AUTHD; role <= ROLE_WORKER; role++)
		assert_int_equal(
		    sandbox_profile_find((enum role)role)->calls & ~broker, 0);
}

static void
who_reads_the_network_has_no_file_calls(void **state)
{
	const enum role roles[] = { ROLE_SMTPD, ROLE_IMAPD, ROLE_QUEUE,
		ROLE_AUTHD, ROLE_KEYD, ROLE_LOGGER };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		const struct sandbox_profile *profile =
		    sandbox_profile_find(roles[i]);

		assert_int_equal(profile->calls & (CALLS_FILES | CALLS_STARTER |
						      CALLS_CONFINE),
		    0);
		assert_int_equal(profile->capabilities, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_grant_works_once),
		cmocka_unit_test(
		    a_grant_ends_after_30_seconds_or_with_its_front),
		cmocka_unit_test(back_off_doubles_from_1_to_60_seconds),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(a_note_is_written_over_on_a_full_disk),
		cmocka_unit_test(a_file_is_read_and_nothing_is_noted),
		cmocka_unit_test(only_memory_with_all_seals_passes),
		cmocka_unit_test(the_brokers_calls_hold_those_of_its_children),
		cmocka_unit_test(who_reads_the_network_has_no_file_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
