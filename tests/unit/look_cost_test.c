/*
 * What a look at a whole folder costs: the index is asked for what changed, not
 * for each file that is where it was.
 */
#include "common/file.h"
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FILES = 60
};

static unsigned int asked;

uint32_t __real_index_find_name(
    struct message_index *index, uint64_t mailbox, struct text base);
uint32_t __wrap_index_find_name(
    struct message_index *index, uint64_t mailbox, struct text base);

uint32_t
__wrap_index_find_name(
    struct message_index *index, uint64_t mailbox, struct text base)
{
	asked++;
	return __real_index_find_name(index, mailbox, base);
}

static unsigned int opened;

int __real_openat(int dir_fd, const char *name, int flags, ...);
int __wrap_openat(int dir_fd, const char *name, int flags, ...);

int
__wrap_openat(int dir_fd, const char *name, int flags, ...)
{
	unsigned int mode = 0;
	va_list rest;

	va_start(rest, flags);
	if (flags & O_CREAT)
		mode = va_arg(rest, unsigned int);
	va_end(rest);
	opened++;
	return __real_openat(dir_fd, name, flags, mode);
}

static void
fill(struct world *w)
{
	static const char *const flags[] = { "", "S", "FS", "RS" };
	char name[60];

	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "Maildir/cur/%u.foreign:2,%s", i,
		    flags[i % 4]);
		put_file(w, name, "Subject: x\n\ntext\n");
	}
	wait_for_count(w, FILES);
}

/* How often the index was asked in a look. */
static unsigned int
look(struct world *w)
{
	struct folder *folder = folder_find(w->account, TEXT("INBOX"));

	watcher_read(w->account); /* it asks for each event of inotify */
	asked = 0;
	sync_folder(w->account, folder);
	return asked;
}

static void
rename_file(struct world *w, const char *from, const char *to)
{
	struct error error;

	assert_int_equal(file_rename(w->account->home_fd, from,
			     w->account->home_fd, to, &error),
	    0);
}

static void
files_that_did_not_change_cost_no_question(void **state)
{
	struct world *w = *state;

	fill(w);
	assert_int_equal(look(w), 0);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	assert_int_equal(look(w), 1);
	wait_for_count(w, FILES + 1);
	rename_file(
	    w, "Maildir/cur/3.foreign:2,RS", "Maildir/cur/3.foreign:2,FRS");
	rename_file(w, "Maildir/new/one.more", "Maildir/cur/one.more:2,");
	assert_int_equal(look(w), 2);
	wait_for(w, is_idle);
	assert_int_equal(look(w), 0);
	assert_int_equal(message_count(w, "INBOX"), FILES + 1);
}

/* A name that is in both halves is one message, and its second file none. */
static void
a_name_that_is_there_twice_is_looked_at(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/5.foreign:2,S", "Subject: x\n\ntext\n");
	assert_int_equal(look(w), 1);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), FILES);
}

/* And a few for the folder, however many there are. */
static void
adopting_a_file_opens_it_and_no_directory(void **state)
{
	struct world *w = *state;
	struct folder *folder = folder_find(w->account, TEXT("INBOX"));
	char name[60];

	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "Maildir/new/%u.foreign", i);
		put_file(w, name, "Subject: x\n\ntext\n");
	}
	opened = 0;
	sync_folder(w->account, folder);
	assert_in_range(opened, FILES, FILES + 30);
	wait_for_count(w, FILES);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(files_that_did_not_change_cost_no_question),
		TEST(a_name_that_is_there_twice_is_looked_at),
		TEST(adopting_a_file_opens_it_and_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
