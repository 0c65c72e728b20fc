/*
 * What the watch on a Maildir spares, and what it must not: a look at the names
 * that it tells of instead of at a whole folder, and a whole look wherever it
 * cannot have told of all.
 */
#include "common/file.h"
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FILES = 30,
	MANY_EVENTS = 200000 /* more than that no queue holds */
};

static const char HALF[] = "Maildir/cur/half.written:2,";

/* -- What is counted and made up -- */

static unsigned int wholes; /* looks at a whole folder */

struct known_files *__real_known_files_new(
    struct account_store *account, const struct folder *folder);
struct known_files *__wrap_known_files_new(
    struct account_store *account, const struct folder *folder);

struct known_files *
__wrap_known_files_new(
    struct account_store *account, const struct folder *folder)
{
	wholes++;
	return __real_known_files_new(account, folder);
}

/* Where another machine changes the files no event comes: the watch is on a
 * directory where nothing ever happens. */
static bool is_remote;

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);

int
__wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	return __real_inotify_add_watch(
	    fd, is_remote ? "/proc/sys" : path, mask);
}

/* Stopped so long after a file was changed; 0: it runs. */
static int64_t stopped_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_REALTIME || stopped_ns == 0)
		return __real_clock_gettime(clock, now);
	now->tv_sec = stopped_ns / 1000000000;
	now->tv_nsec = stopped_ns % 1000000000;
	return 0;
}

static void
stop_clock(const char *file, int64_t later_ms)
{
	struct stat info;

	assert_int_equal(stat(file, &info), 0);
	stopped_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 +
		     info.st_ctim.tv_nsec + later_ms * 1000000;
}

/* -- What happens -- */

static void
fill(struct world *w)
{
	char name[60];

	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "Maildir/cur/%u.foreign:2,S", i);
		put_file(w, name, "Subject: x\n\ntext\n");
	}
	wait_for_count(w, FILES);
	wholes = 0;
}

static void
rename_file(struct world *w, const char *from, const char *to)
{
	struct error error;

	assert_int_equal(file_rename(w->account->home_fd, from,
			     w->account->home_fd, to, &error),
	    0);
}

static size_t
count(struct world *w, const char *mailbox)
{
	message_count(w, mailbox);
	wait_for(w, is_idle);
	return message_count(w, mailbox);
}

static uint32_t
flags_of(struct world *w, uint32_t uid)
{
	struct index_row row;

	assert_true(index_find_row(w->account->index,
	    folder_find(w->account, TEXT("INBOX"))->info.id, uid, &row));
	return row.flags & FLAG_ALL;
}

static void
only_what_was_told_of_is_looked_at(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	rename_file(w, "Maildir/new/one.more", "Maildir/cur/one.more:2,F");
	rename_file(w, "Maildir/cur/one.more:2,F", "Maildir/cur/one.more:2,FS");
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	assert_int_equal(flags_of(w, FILES + 1), FLAG_FLAGGED | FLAG_SEEN);
	put_file(w, "Maildir/cur/short.lived:2,", "Subject: x\n\ntext\n");
	assert_int_equal(unlink("Maildir/cur/short.lived:2,"), 0);
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	assert_int_equal(wholes, 0);
}

/* Made again, and no mark for one: as by a whole look. */
static void
what_is_gone_is_made_again(void **state)
{
	struct world *w = *state;

	fill(w);
	rename_file(w, "Maildir/cur/4.foreign:2,S", "Maildir/cur/4.foreign:2,");
	assert_int_equal(unlink("Maildir/cur/3.foreign:2,S"), 0);
	assert_int_equal(count(w, "INBOX"), FILES);
	assert_true(is_there(w, "Maildir/cur/3.foreign:2,S"));
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(wholes, 0);
}

static void
what_is_gone_is_a_loss_if_it_is_much(void **state)
{
	struct world *w = *state;
	char name[60];

	fill(w);
	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "Maildir/cur/%u.foreign:2,S", i);
		assert_int_equal(unlink(name), 0);
	}
	assert_int_equal(count(w, "INBOX"), FILES);
	assert_true(is_there(w, "Maildir/cur/3.foreign:2,S"));
	assert_int_equal(false_store_marked(w->store), FILES);
	assert_int_equal(wholes, 0);
}

static void
a_file_that_goes_to_another_folder_is_in_both(void **state)
{
	struct world *w = *state;

	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "A", "ours\r\n");
	assert_int_equal(count(w, "A"), 1);
	fill(w);
	rename_file(
	    w, "Maildir/cur/5.foreign:2,S", "Maildir/.A/cur/5.foreign:2,S");
	assert_int_equal(count(w, "A"), 2);
	assert_int_equal(count(w, "INBOX"), FILES);
	assert_true(is_there(w, "Maildir/cur/5.foreign:2,S"));
	assert_true(is_there(w, "Maildir/.A/cur/5.foreign:2,S"));
	assert_int_equal(wholes, 0);
}

/* Nobody waits, but it comes in all the same. */
static bool
inbox_grew(struct world *w)
{
	return folder_find(w->account, TEXT("INBOX"))->info.message_count ==
	       w->wanted;
}

static void
what_was_told_of_comes_in_by_itself(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	w->wanted = FILES + 1;
	wait_for(w, inbox_grew);
	assert_int_equal(wholes, 0);
}

/* Looked at by nobody who waits as long as it may be half of what it shall
 * be. */
static void
a_file_that_is_being_written_is_left_alone(void **state)
{
	struct world *w = *state;
	struct folder *inbox;

	fill(w);
	inbox = folder_find(w->account, TEXT("INBOX"));
	put_file(w, HALF, "Subj");
	stop_clock(HALF, 100);
	sync_folder_patiently(w->account, inbox);
	wait_for(w, is_idle);
	assert_int_equal(inbox->info.message_count, FILES);
	assert_true(sync_is_unseen(w->account, inbox));
	put_file(w, HALF, "Subject: whole\n\ntext\n");
	stop_clock(HALF, 1000);
	sync_folder_patiently(w->account, inbox);
	wait_for(w, is_idle);
	assert_int_equal(inbox->info.message_count, FILES + 1);
	assert_false(sync_is_unseen(w->account, inbox));
	assert_int_equal(wholes, 0);
}

static void
who_waits_gets_what_is_there(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, HALF, "Subject: x\n\ntext\n");
	stop_clock(HALF, 100);
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	assert_int_equal(wholes, 0);
}

/* -- A snapshot waits for it -- */

static bool
has_caught_up(struct world *w)
{
	uint64_t written, failed;

	return false_store_caught_up(w->store, &written, &failed);
}

static void
a_snapshot_has_what_was_there_when_it_was_asked_for(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	rename_file(
	    w, "Maildir/cur/1.foreign:2,S", "Maildir/cur/1.foreign:2,FS");
	false_store_catch_up(w->store, CATCH_UP_CHANGED);
	wait_for(w, has_caught_up);
	assert_int_equal(
	    folder_find(w->account, TEXT("INBOX"))->info.message_count,
	    FILES + 1);
	assert_int_equal(wholes, 0);
	false_store_catch_up(w->store, CATCH_UP_CHANGED);
	wait_for(w, has_caught_up);
	assert_int_equal(wholes, 0);
	false_store_catch_up(w->store, CATCH_UP_ALL);
	wait_for(w, has_caught_up);
	assert_int_equal(wholes, 1);
}

static size_t came;

static bool
more_comes_until_it_has_caught_up(struct world *w)
{
	char name[60];

	if (has_caught_up(w))
		return true;
	snprintf(name, sizeof(name), "Maildir/new/%zu.comes", ++came);
	put_file(w, name, "Subject: x\n\ntext\n");
	return false;
}

/* It does not wait for what others do meanwhile, and that is not lost. */
static void
a_snapshot_is_made_while_others_go_on(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	false_store_catch_up(w->store, CATCH_UP_CHANGED);
	came = 0;
	wait_for(w, more_comes_until_it_has_caught_up);
	assert_in_range(
	    folder_find(w->account, TEXT("INBOX"))->info.message_count,
	    FILES + 1, FILES + 1 + came);
	wait_for_count(w, FILES + 1 + came);
	assert_int_equal(wholes, 0);
}

/* -- What it cannot have told of -- */

static unsigned int
queue_size(void)
{
	FILE *from = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	char line[30];
	long size;

	assert_non_null(from);
	assert_non_null(fgets(line, sizeof(line), from));
	fclose(from);
	size = strtol(line, NULL, 10);
	assert_in_range(size, 1, MANY_EVENTS);
	return (unsigned int)size;
}

static void
a_queue_that_ran_over_is_a_look_at_the_whole(void **state)
{
	struct world *w = *state;

	fill(w);
	for (unsigned int i = 0; i < queue_size() / 2 + 1; i++) {
		put_file(w, "Maildir/tmp/x", "x\n");
		rename_file(w, "Maildir/tmp/x", "Maildir/cur/x:2,");
		assert_int_equal(unlink("Maildir/cur/x:2,"), 0);
	}
	put_file(w, "Maildir/cur/not.told:2,", "Subject: x\n\ntext\n");
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	assert_int_equal(wholes, 1);
	put_file(w, "Maildir/cur/told.again:2,", "Subject: x\n\ntext\n");
	assert_int_equal(count(w, "INBOX"), FILES + 2);
	assert_int_equal(wholes, 1);
}

static void
a_list_that_is_full_is_a_look_at_the_whole(void **state)
{
	struct world *w = *state;
	struct folder *inbox;

	fill(w);
	inbox = folder_find(w->account, TEXT("INBOX"));
	put_file(w, "Maildir/cur/a:2,", "Subject: a\n\ntext\n");
	put_file(w, "Maildir/cur/b:2,", "Subject: b\n\ntext\n");
	for (unsigned int i = 0; !inbox->needs_scan && i < MANY_EVENTS; i++) {
		assert_int_equal(chmod("Maildir/cur/a:2,", 0600), 0);
		assert_int_equal(chmod("Maildir/cur/b:2,", 0600), 0);
		watcher_read(w->account);
	}
	assert_true(inbox->needs_scan);
	assert_int_equal(count(w, "INBOX"), FILES + 2);
	assert_int_equal(wholes, 1);
}

/* The watch still sees what becomes of the one that was. */
static void
a_folder_that_was_made_anew_is_looked_at_whole(void **state)
{
	struct world *w = *state;

	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "A", "ours\r\n");
	assert_int_equal(count(w, "A"), 1);
	wholes = 0;
	put_file(w, "Maildir/.A/cur/1.foreign:2,", "Subject: 1\n\ntext\n");
	rename_file(w, "Maildir/.A", "Maildir/aside");
	make_directory(w, "Maildir/.A");
	make_directory(w, "Maildir/.A/tmp");
	make_directory(w, "Maildir/.A/new");
	make_directory(w, "Maildir/.A/cur");
	put_file(w, "Maildir/.A/cur/2.foreign:2,", "Subject: 2\n\ntext\n");
	assert_int_equal(count(w, "A"), 2); /* ours is made again */
	assert_int_equal(count_files(w, "Maildir/.A", NULL), 2);
	assert_in_range(wholes, 1, 2);
}

static void
what_changes_without_an_event_is_looked_at_whole(void **state)
{
	struct world *w = *state;

	is_remote = true;
	restart(w);
	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	assert_int_equal(wholes, 1);
}

static void
what_was_told_of_and_not_looked_at_is_seen_by_the_next(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, "Maildir/new/one.more", "Subject: new\n\ntext\n");
	watcher_read(w->account);
	restart(w);
	assert_int_equal(count(w, "INBOX"), FILES + 1);
	put_file(w, "Maildir/new/two.more", "Subject: new\n\ntext\n");
	watcher_read(w->account);
	kill_worker(w);
	open_account(w);
	assert_int_equal(count(w, "INBOX"), FILES + 2);
}

static void
what_was_left_for_later_is_seen_by_the_next(void **state)
{
	struct world *w = *state;

	fill(w);
	put_file(w, HALF, "Subject: x\n\ntext\n");
	stop_clock(HALF, 100);
	sync_folder_patiently(
	    w->account, folder_find(w->account, TEXT("INBOX")));
	stop_clock(HALF, 10000); /* nor are its directories young */
	restart(w);
	assert_int_equal(count(w, "INBOX"), FILES + 1);
}

static int
end(void **state)
{
	is_remote = false;
	stopped_ns = 0;
	return world_teardown(state);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, end)
	const struct CMUnitTest tests[] = {
		TEST(only_what_was_told_of_is_looked_at),
		TEST(what_is_gone_is_made_again),
		TEST(what_is_gone_is_a_loss_if_it_is_much),
		TEST(a_file_that_goes_to_another_folder_is_in_both),
		TEST(what_was_told_of_comes_in_by_itself),
		TEST(a_file_that_is_being_written_is_left_alone),
		TEST(who_waits_gets_what_is_there),
		TEST(a_snapshot_has_what_was_there_when_it_was_asked_for),
		TEST(a_snapshot_is_made_while_others_go_on),
		TEST(a_queue_that_ran_over_is_a_look_at_the_whole),
		TEST(a_list_that_is_full_is_a_look_at_the_whole),
		TEST(a_folder_that_was_made_anew_is_looked_at_whole),
		TEST(what_changes_without_an_event_is_looked_at_whole),
		TEST(what_was_told_of_and_not_looked_at_is_seen_by_the_next),
		TEST(what_was_left_for_later_is_seen_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
