/*
 * An account whose files, index or disk fail: wiped, cut off, damaged, without
 * room.  The store has its mail, and so has the Maildir again (P5, P6).
 */
#include "common/file.h"
#include "tests/unit/account_world.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
a_wiped_maildir_is_served_and_made_again(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	char path[600];

	for (int i = 0; i < 30; i++)
		append_to(w, "INBOX", "kept\r\n");
	view = open_view(w, "INBOX");
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
	assert_int_equal(mailbox_view_count(view), 30);
	assert_body(w, view, 7, "kept\n");
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 30);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 30);
	assert_int_equal(false_store_live(w->store, 1), 30);
	assert_in_range(false_store_marked(w->store), 29, 30);
	assert_int_equal(false_store_missing(w->store), 0);
	mailbox_view_close(&view);
}

static void
wiped_index_and_maildir_come_back_with_the_same_uids(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t uidvalidity;

	for (int i = 0; i < 5; i++)
		append_to(w, "INBOX", "kept\r\n");
	view = open_view(w, "INBOX");
	uidvalidity = mailbox_view_info(view)->uidvalidity;
	mailbox_view_close(&view);
	account_store_free(&w->account);
	scratch_remove(w->home);
	assert_int_equal(mkdir(w->home, 0700), 0);
	open_account(w);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 5);
	assert_int_equal(mailbox_view_uid(view, 5), 5);
	assert_int_equal(mailbox_view_info(view)->uidvalidity, uidvalidity);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 5);
	mailbox_view_close(&view);
}

static bool
has_caught_up(struct world *w)
{
	uint64_t written, failed;

	return false_store_caught_up(w->store, &written, &failed);
}

static void
caught_up_is_said_when_the_files_are_there_and_counts_them(void **state)
{
	struct world *w = *state;
	uint64_t written, failed;
	char path[600];

	for (int i = 0; i < 30; i++)
		append_to(w, "INBOX", "kept\r\n");
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
	false_store_catch_up(w->store, CATCH_UP_FILES);
	wait_for(w, has_caught_up);
	assert_int_equal(count_files(w, "Maildir", NULL), 30);
	assert_true(false_store_caught_up(w->store, &written, &failed));
	assert_int_equal(written, 30);
	assert_int_equal(failed, 0);
	wait_for(w, is_idle);
}

static void
a_deleted_mailbox_with_foreign_files_does_not_come_back(void **state)
{
	struct world *w = *state;
	const struct mailbox_info *info;
	uint64_t id;

	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	info = mailbox_list_find(w->account, TEXT("A"));
	assert_non_null(info);
	id = info->id;
	append_to(w, "A", "ours\r\n");
	put_file(w, "Maildir/.A/cur/123.foreign:2,", "foreign\n");
	put_file(w, "Maildir/.A/note", "not a message\n");
	w->answers = 0;
	mailbox_list_delete(w->account, TEXT("A"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	/* The foreign message was given to the store before. */
	assert_int_equal(false_store_live(w->store, id), 2);
	assert_false(is_there(w, "Maildir/.A"));
	assert_true(is_there(w, "left"));
	restart(w);
	assert_null(mailbox_list_find(w->account, TEXT("A")));
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_null(mailbox_list_find(w->account, TEXT("A")));
}

static void
files_that_a_power_cut_damaged_are_made_again(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	char name[900];
	int fd;

	append_to(w, "INBOX", "whole\r\n");
	assert_int_equal(count_files(w, "Maildir", name), 1);
	append_to(w, "INBOX", "also whole\r\n");
	account_store_free(&w->account);
	fd = open(name, O_WRONLY);
	assert_int_equal(write(fd, "\0\0\0\0\0\0", 6), 6); /* same size */
	close(fd);
	cut_power(w);
	open_account(w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	assert_body(w, view, 1, "whole\n");
	assert_body(w, view, 2, "also whole\n");
	mailbox_view_close(&view);
	account_store_free(&w->account);
	assert_int_equal(truncate(name, 0), 0);
	cut_power(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	view = open_view(w, "INBOX");
	assert_body(w, view, 1, "whole\n");
	mailbox_view_close(&view);
}

static void
an_expunge_that_was_cut_off_stays_expunged_without_the_index(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	char name[900];

	append_to(w, "INBOX", "gone\r\n");
	assert_int_equal(count_files(w, "Maildir", name), 1);
	view = open_view(w, "INBOX");
	delete_message(w, view, 1);
	mailbox_view_close(&view);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	account_store_free(&w->account);
	lose_index(w);
	put_file(w, name + strlen(w->home) + 1, "gone\n");
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
}

static void
a_rename_that_was_cut_off_is_finished(void **state)
{
	struct world *w = *state;
	char from[600], to[600];

	mailbox_list_create(w->account, TEXT("Now"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "Now", "kept\r\n");
	account_store_free(&w->account);
	snprintf(from, sizeof(from), "%s/Maildir/.Now", w->home);
	snprintf(to, sizeof(to), "%s/Maildir/.Before", w->home);
	assert_int_equal(rename(from, to), 0);
	open_account(w);
	wait_for(w, is_idle);
	assert_null(mailbox_list_find(w->account, TEXT("Before")));
	assert_false(is_there(w, "Maildir/.Before"));
	assert_int_equal(count_files(w, "Maildir/.Now", NULL), 1);
	assert_int_equal(message_count(w, "Now"), 1);
	assert_int_equal(false_store_marked(w->store), 0);
}

struct fault {
	unsigned int left; /* calls until it strikes */
	int errno_value;
	bool has_struck;
};

static int
strike(const char *call, const char *name, void *context)
{
	struct fault *fault = context;

	/* The store, which is in this process, has another disk. */
	if (strcmp(call, "write at") == 0 || strcmp(call, "sync") == 0)
		return 0;
	if (fault->left-- > 0 || fault->has_struck)
		return 0;
	fault->has_struck = true;
	return fault->errno_value;
}

/* One message comes, gets a flag, another goes: whatever fails, the client
 * has its OK, and afterwards files and rows agree. */
static bool
live_through(struct world *w, struct fault *fault)
{
	struct flag_change seen = { .mode = FLAGS_ADD, .flags = FLAG_SEEN };
	struct mailbox_view *view;
	uint32_t uid;
	size_t before;

	append_to(w, "INBOX", "to be deleted\r\n");
	before = message_count(w, "INBOX");
	file_set_fault_hook(strike, fault);
	append_to(w, "INBOX", "kept\r\n");
	assert_int_equal(w->status, STATUS_OK);
	uid = w->target_uid;
	view = open_view(w, "INBOX");
	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &seen, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	delete_message(w, view, uid - 1);
	assert_body(w, view, uid, "kept\n");
	file_set_fault_hook(NULL, NULL);
	mailbox_view_close(&view);
	restart(w);
	assert_int_equal(message_count(w, "INBOX"), before);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), before);
	assert_int_equal(message_count(w, "INBOX"), before);
	view = open_view(w, "INBOX");
	assert_body(w, view, uid, "kept\n");
	mailbox_view_close(&view);
	return fault->has_struck;
}

static void
a_failing_disk_costs_no_message_and_no_answer(void **state)
{
	static const int errors[] = { ENOSPC, EIO };
	struct world *w = *state;

	for (size_t e = 0; e < 2; e++) {
		struct fault fault = { 0, errors[e], true };

		for (unsigned int n = 0; fault.has_struck; n++) {
			fault = (struct fault){ n, errors[e], false };
			live_through(w, &fault);
			assert_in_range(n, 0, 200);
		}
	}
}

static int
no_room(const char *call, const char *name, void *context)
{
	return strcmp(call, "reserve") == 0 ? ENOSPC : 0;
}

/* What the index has on the disk: its two meta pages tell. */
static void
read_metas(struct world *w, char metas[8192])
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/index/data.mdb", w->home);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, metas, 8192, 0), 8192);
	close(fd);
}

static void
assert_inbox_is_kept(struct world *w)
{
	struct mailbox_view *view = open_view(w, "INBOX");

	assert_false(account_store_must_restart(w->account));
	assert_int_equal(mailbox_view_count(view), 2);
	assert_body(w, view, 2, "kept\n");
	assert_body(w, view, 3, "and this\n");
	mailbox_view_close(&view);
}

/* With room again at the end, or without. */
static void
live_without_room(struct world *w, bool has_room)
{
	char before[8192], after[8192];
	struct mailbox_view *view;

	append_to(w, "INBOX", "to be deleted\r\n");
	file_set_fault_hook(no_room, NULL);
	restart(w);
	read_metas(w, before);
	append_to(w, "INBOX", "kept\r\n");
	append_to(w, "INBOX", "and this\r\n");
	view = open_view(w, "INBOX");
	delete_message(w, view, 1);
	mailbox_view_close(&view);
	assert_inbox_is_kept(w);
	read_metas(w, after);
	assert_memory_equal(before, after, sizeof(before));
	if (has_room)
		file_set_fault_hook(NULL, NULL);
	account_store_free(&w->account);
	file_set_fault_hook(NULL, NULL);
	read_metas(w, after);
	assert_int_equal(memcmp(before, after, sizeof(before)) != 0, has_room);
	open_account(w);
	assert_inbox_is_kept(w);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
}

static void
an_index_waits_for_room_and_loses_nothing(void **state)
{
	live_without_room(*state, true);
}

static void
an_index_that_found_no_room_is_made_up_at_the_next_start(void **state)
{
	live_without_room(*state, false);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(a_wiped_maildir_is_served_and_made_again),
		TEST_CASE(wiped_index_and_maildir_come_back_with_the_same_uids),
		TEST_CASE(
		    a_deleted_mailbox_with_foreign_files_does_not_come_back),
		TEST_CASE(files_that_a_power_cut_damaged_are_made_again),
		TEST_CASE(
		    an_expunge_that_was_cut_off_stays_expunged_without_the_index),
		TEST_CASE(a_rename_that_was_cut_off_is_finished),
		TEST_CASE(
		    caught_up_is_said_when_the_files_are_there_and_counts_them),
		TEST_CASE(a_failing_disk_costs_no_message_and_no_answer),
		TEST_CASE(an_index_waits_for_room_and_loses_nothing),
		TEST_CASE(
		    an_index_that_found_no_room_is_made_up_at_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
