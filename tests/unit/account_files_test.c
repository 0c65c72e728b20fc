/*
 * Files of a Maildir that other programs read, write and bring (P7): a file is
 * there as a whole or not at all, and theirs are adopted.
 */
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Each file of cur/ or new/, and removed: how many. */
static int
check_and_remove_files(struct world *w, const char *part)
{
	char path[200], file[500];
	struct dirent *entry;
	struct stat st;
	int count = 0;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/Maildir/%s", w->home, part);
	listing = opendir(path);
	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_mtime, 1600000000);
		assert_int_equal(unlink(file), 0);
		count++;
	}
	closedir(listing);
	return count;
}

static void
watch_part(struct world *w, int watcher, const char *part)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/Maildir/%s", w->home, part);
	assert_true(inotify_add_watch(watcher, path, IN_CREATE) >= 0);
}

/* Other programs read the folder at any moment: a file is there as a whole,
 * with its date, or it is not; and it is nobody else's to read. */
static void
files_come_whole_with_their_date_and_for_their_owner(void **state)
{
	struct world *w = *state;
	char events[4096];
	int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), round;

	assert_true(watcher >= 0);
	append_to(w, "INBOX", "first\r\n");
	watch_part(w, watcher, "cur");
	watch_part(w, watcher, "new");
	append_to(w, "INBOX", "second\r\n");
	/* As they were appended; and as they were made again. */
	for (round = 0; round < 2; round++) {
		wait_for(w, is_idle);
		account_store_free(&w->account);
		assert_int_equal(check_and_remove_files(w, "cur") +
				     check_and_remove_files(w, "new"),
		    2);
		open_account(w);
	}
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	assert_int_equal(read(watcher, events, sizeof(events)), -1);
	close(watcher);
}

static size_t
count_begun(struct world *w)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/Maildir/tmp", w->home);
	return scratch_count(path);
}

static void
a_file_is_begun_before_the_commit_and_shown_after_it(void **state)
{
	struct world *w = *state;
	struct append *append = append_begin(w->account, TEXT("INBOX"));

	append_message(append, 0, NULL, 0, 1600000000);
	append_write(append, "one\r\n", 5);
	w->answers = 0;
	append_commit(&append, answered, w);
	assert_int_equal(count_begun(w), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	assert_int_equal(message_count(w, "INBOX"), 0);
	assert_int_equal(w->answers, 0);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(count_begun(w), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
}

static void
a_file_that_was_begun_goes_when_the_answer_never_comes(void **state)
{
	struct world *w = *state;
	struct append *append = append_begin(w->account, TEXT("INBOX"));

	append_message(append, 0, NULL, 0, 1600000000);
	false_store_lose_answers(w->store, true);
	append_write(append, "one\r\n", 5);
	w->answers = 0;
	append_commit(&append, answered, w);
	assert_int_equal(count_begun(w), 1);
	account_store_free(&w->account);
	assert_int_equal(w->status, STATUS_UNAVAILABLE);
	assert_int_equal(count_begun(w), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	false_store_lose_answers(w->store, false);
	open_account(w);
}

static void
what_a_killed_worker_had_begun_is_removed_at_the_next_start(void **state)
{
	struct world *w = *state;

	account_store_free(&w->account);
	put_file(w, "Maildir/tmp/951ec3cc2aba3400cb598a3d43a238150000", "half");
	put_file(w, "Maildir/tmp/123.foreign", "another's\n");
	open_account(w);
	assert_int_equal(count_begun(w), 1);
	assert_true(is_there(w, "Maildir/tmp/123.foreign"));
}

static void
files_of_other_programs_are_adopted_with_their_flags(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct mailbox_row row;
	char old[900], new[1000];

	put_file(w, "Maildir/cur/123.foreign:2,FS", "foreign\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.flags, FLAG_SEEN | FLAG_FLAGGED);
	assert_body(w, view, 1, "foreign\n");
	assert_int_equal(count_files(w, "Maildir", old), 1);
	snprintf(new, sizeof(new), "%.*sT", (int)strlen(old), old);
	assert_int_equal(rename(old, new), 0);
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.flags, FLAG_SEEN | FLAG_FLAGGED | FLAG_DELETED);
	assert_body(w, view, 1, "foreign\n");
	assert_int_equal(false_store_live(w->store, 1), 1);
	mailbox_view_close(&view);
}

/* More than the batches that are under way at once. */
static void
an_adoption_that_was_cut_goes_on_at_the_next_start(void **state)
{
	enum {
		FILES = 1700
	};
	struct world *w = *state;
	struct mailbox_view *view;
	char name[900];

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "Maildir/cur/%d.foreign:2,", i);
		put_file(w, name, "foreign\n");
	}
	false_store_lose_answers(w->store, true);
	view = open_view(w, "INBOX");
	mailbox_view_close(&view);
	account_store_free(&w->account);
	false_store_lose_answers(w->store, false);
	open_account(w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), FILES);
	assert_int_equal(false_store_live(w->store, 1), FILES);
	assert_int_equal(count_files(w, "Maildir", name), FILES);
	mailbox_view_close(&view);
}

static void
uids_of_dovecot_are_imported_on_first_sight(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	put_file(w, "Maildir/dovecot-uidlist",
	    "3 V1234567890 N901 G00\n17 :b,S=2\n900 :a,S=2\n");
	put_file(w, "Maildir/cur/a,S=2:2,", "a\n");
	put_file(w, "Maildir/cur/b,S=2:2,S", "b\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 2);
	assert_int_equal(mailbox_view_uid(view, 1), 17);
	assert_int_equal(mailbox_view_uid(view, 2), 900);
	assert_int_equal(mailbox_view_info(view)->uidvalidity, 1234567890);
	assert_int_equal(mailbox_view_info(view)->uidnext, 901);
	assert_body(w, view, 17, "b\n");
	mailbox_view_close(&view);
}

static bool
inbox_has_one(struct world *w)
{
	return is_idle(w) && message_count(w, "INBOX") == 1;
}

/* The timer's look leaves it for the next one: so it does its list. */
static void
uids_of_dovecot_wait_for_a_file_that_is_being_written(void **state)
{
	struct world *w = *state;
	struct folder *folder = folder_find(w->account, TEXT("INBOX"));
	struct mailbox_view *view;

	put_file(w, "Maildir/dovecot-uidlist",
	    "3 V1234567890 N901 G00\n900 :a,S=2\n");
	put_file(w, "Maildir/cur/a,S=2:2,", "a\n");
	folder->needs_scan = true;
	sync_folder_patiently(w->account, folder);
	wait_for(w, is_idle);
	wait_for(w, inbox_has_one);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_uid(view, 1), 900);
	assert_int_equal(mailbox_view_info(view)->uidvalidity, 1234567890);
	mailbox_view_close(&view);
}

static void
a_file_brought_to_another_folder_is_a_message_of_its_own(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	char name[900], to[1600];

	mailbox_list_create(w->account, TEXT("B"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "INBOX", "one\r\n");
	assert_int_equal(count_files(w, "Maildir", name), 1);
	snprintf(to, sizeof(to), "%s/Maildir/.B/cur/%s:2,S", w->home,
	    strrchr(name, '/') + 1);
	assert_int_equal(rename(name, to), 0);
	assert_int_equal(message_count(w, "B"), 0);
	wait_for(w, is_idle);
	view = open_view(w, "B");
	assert_int_equal(mailbox_view_count(view), 1);
	assert_body(w, view, 1, "one\n");
	mailbox_view_close(&view);
	assert_int_equal(message_count(w, "INBOX"), 1);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	assert_int_equal(count_files(w, "Maildir/.B", NULL), 1);
}

static void
a_folder_of_another_program_is_adopted_at_start(void **state)
{
	struct world *w = *state;

	make_directory(w, "Maildir/.New");
	make_directory(w, "Maildir/.New/cur");
	make_directory(w, "Maildir/.New/new");
	make_directory(w, "Maildir/.New/tmp");
	put_file(w, "Maildir/.New/new/5.foreign", "five\n");
	restart(w);
	assert_non_null(mailbox_list_find(w->account, TEXT("New")));
	assert_int_equal(message_count(w, "New"), 1);
}

static void
folders_below_one_that_is_missing_are_all_adopted(void **state)
{
	static const char *const names[] = { "Old/A", "Old/B", "Old/B/C",
		"Old/D", "Old/B/E" };
	struct world *w = *state;
	char path[100], *at;

	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "Maildir/.%s", names[i]);
		while ((at = strrchr(path, '/')) != path + 7)
			*at = '.';
		make_directory(w, path);
		at = path + strlen(path);
		strcpy(at, "/new");
		make_directory(w, path);
		strcpy(at, "/cur");
		make_directory(w, path);
		strcpy(at, "/cur/5.foreign:2,S");
		put_file(w, path, "five\n");
	}
	restart(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "Old"), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(message_count(w, names[i]), 1);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(files_come_whole_with_their_date_and_for_their_owner),
		TEST_CASE(files_of_other_programs_are_adopted_with_their_flags),
		TEST_CASE(an_adoption_that_was_cut_goes_on_at_the_next_start),
		TEST_CASE(uids_of_dovecot_are_imported_on_first_sight),
		TEST_CASE(
		    uids_of_dovecot_wait_for_a_file_that_is_being_written),
		TEST_CASE(
		    a_file_brought_to_another_folder_is_a_message_of_its_own),
		TEST_CASE(a_folder_of_another_program_is_adopted_at_start),
		TEST_CASE(folders_below_one_that_is_missing_are_all_adopted),
		TEST_CASE(a_file_is_begun_before_the_commit_and_shown_after_it),
		TEST_CASE(
		    a_file_that_was_begun_goes_when_the_answer_never_comes),
		TEST_CASE(
		    what_a_killed_worker_had_begun_is_removed_at_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
