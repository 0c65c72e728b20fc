/*
 * The worker's mailboxes against a false store in the same process, on a real
 * Maildir in a temporary directory: promises P5 to P7 under wipes, crashes and
 * other programs.
 */
#include "common/file.h"
#include "tests/unit/account_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* -- Tests -- */

static void
append_is_committed_filed_and_read_back(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct mailbox_row row;

	append_to(w, "INBOX", "Subject: a\r\n\r\none\r\n");
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 1);
	assert_int_equal(false_store_live(w->store, 1), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	view = open_view(w, "inbox");
	assert_int_equal(mailbox_view_count(view), 1);
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.size, 19);
	assert_int_equal(row.internaldate, 1600000000);
	assert_true(mailbox_view_is_recent(view, 1));
	assert_body(w, view, 1, "Subject: a\n\none\n");
	mailbox_view_close(&view);
	append_to(w, "Nowhere", "x");
	assert_int_equal(w->status, STATUS_MISSING);
}

static void
bytes_that_are_not_lines_of_crlf_are_kept_as_they_came(void **state)
{
	static const char *const bodies[] = { "a\nb\r\n", "a\r\nb\rc",
		"a\r\nb\r", "\r\r\n", "\n" };
	struct world *w = *state;
	struct mailbox_view *view = open_view(w, "INBOX");

	for (uint32_t i = 0; i < 5; i++) {
		append_to(w, "INBOX", bodies[i]);
		assert_int_equal(w->status, STATUS_OK);
		assert_int_equal(w->target_uid, i + 1);
		assert_body(w, view, i + 1, bodies[i]);
	}
	mailbox_view_close(&view);
}

static void
flags_are_in_the_file_name_and_told_to_the_other_session(void **state)
{
	struct world *w = *state;
	const struct text keyword = TEXT("$Forwarded");
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
		.keywords = &keyword,
		.keyword_count = 1 };
	struct mailbox_view *mine, *other;
	struct mailbox_update update;
	const uint32_t uid = 1;
	char name[900];

	append_to(w, "INBOX", "x\r\n");
	mine = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	w->answers = 0;
	mailbox_change_flags(mine, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(count_files(w, "Maildir", name), 1);
	assert_non_null(strstr(name, ":2,Sa"));
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_KEYWORDS);
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_FLAGS);
	assert_int_equal(update.number, 1);
	assert_false(mailbox_view_next_update(other, true, &update));
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
expunge_waits_until_the_session_may_be_told(void **state)
{
	struct world *w = *state;
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_DELETED };
	struct mailbox_view *mine, *other;
	struct mailbox_update update;
	struct mailbox_row row;
	const uint32_t uid = 2;

	for (int i = 0; i < 3; i++)
		append_to(w, "INBOX", "x\r\n");
	mine = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	mailbox_change_flags(mine, &uid, 1, &change, answered, w);
	wait_for(w, is_idle);
	mailbox_expunge(mine, NULL, 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "INBOX", "new\r\n");
	assert_int_equal(mailbox_view_uid(other, 3), 3);
	assert_false(mailbox_row(other, 2, &row));
	while (mailbox_view_next_update(other, false, &update))
		assert_int_not_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(mailbox_view_count(other), 4);
	assert_int_equal(mailbox_view_uid(other, 4), 4);
	assert_true(mailbox_view_next_update(other, true, &update));
	assert_int_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(update.number, 2);
	while (mailbox_view_next_update(other, true, &update))
		assert_int_not_equal(update.kind, UPDATE_EXPUNGE);
	assert_int_equal(mailbox_view_count(other), 3);
	assert_int_equal(mailbox_view_number(other, 4), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	mailbox_view_close(&mine);
	mailbox_view_close(&other);
}

static void
copy_move_create_rename_delete_follow_the_store(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view, *target;
	const uint32_t uid = 1;

	append_to(w, "INBOX", "x\r\n");
	view = open_view(w, "INBOX");
	mailbox_list_create(w->account, TEXT("A.b/\xc3\xa4"), 0, answered, w);
	wait_for(w, is_idle);
	assert_non_null(mailbox_list_find(w->account, TEXT("A.b")));
	mailbox_copy(view, &uid, 1, TEXT("A.b/\xc3\xa4"), false, answered, w);
	wait_for(w, is_idle);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(count_files(w, "Maildir/.A\\2eb.&AOQ-", NULL), 1);
	mailbox_list_rename(w->account, TEXT("A.b"), TEXT("C"), answered, w);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir/.C.&AOQ-", NULL), 1);
	mailbox_copy(view, &uid, 1, TEXT("C"), true, answered, w);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	target = open_view(w, "C");
	assert_body(w, target, 1, "x\n");
	mailbox_list_delete(w->account, TEXT("C"), answered, w);
	wait_for(w, is_idle);
	assert_true(mailbox_view_is_gone(target));
	assert_null(mailbox_list_find(w->account, TEXT("C")));
	mailbox_view_close(&target);
	mailbox_view_close(&view);
}

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

static bool
two_batches(struct world *w)
{
	return false_store_batches(w->store) >= 2;
}

static void
what_was_committed_before_a_crash_is_there_after_it(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	false_store_lose_answers(w->store, true);
	{
		struct append *append = append_begin(w->account, TEXT("INBOX"));

		append_message(append, 0, NULL, 0, 1600000000);
		append_write(append, "two\r\n", 5);
		append_commit(&append, answered, w);
		wait_for(w, two_batches);
	}
	account_store_free(&w->account);
	false_store_lose_answers(w->store, false);
	open_account(w);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 2);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	mailbox_view_close(&view);
}

static void
a_lost_answer_is_asked_for_again_and_nothing_is_doubled(void **state)
{
	struct world *w = *state;
	struct append *append;

	append_to(w, "INBOX", "one\r\n");
	false_store_lose_answers(w->store, true);
	append = append_begin(w->account, TEXT("INBOX"));
	append_message(append, 0, NULL, 0, 1600000000);
	append_write(append, "two\r\n", 5);
	w->answers = 0;
	append_commit(&append, answered, w);
	wait_for(w, two_batches);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 2);
	assert_int_equal(false_store_live(w->store, 1), 2);
}

static void
a_change_while_the_store_is_away_is_unavailable(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	account_store_free(&w->account);
	open_account(w);
	false_store_disconnect(w->store);
	while (w->status != STATUS_UNAVAILABLE) {
		struct append *append = append_begin(w->account, TEXT("INBOX"));

		append_message(append, 0, NULL, 0, 1);
		w->answers = 0;
		append_commit(&append, answered, w);
		if (w->answers == 0)
			break;
	}
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 1);
	assert_body(w, view, 1, "one\n");
	mailbox_view_close(&view);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_ready);
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

static void
mail_that_waits_in_the_store_is_filed_at_start(void **state)
{
	struct world *w = *state;
	const struct mailbox_info *info;

	mailbox_list_create(w->account, TEXT("lists"), 0, answered, w);
	wait_for(w, is_idle);
	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_accept(w->store, "alice+lists@demo.test", "two\n");
	false_store_accept(w->store, "alice+none@demo.test", "three\n");
	open_account(w);
	wait_for(w, is_idle);
	info = mailbox_list_find(w->account, TEXT("INBOX"));
	assert_int_equal(info->message_count, 2);
	info = mailbox_list_find(w->account, TEXT("lists"));
	assert_int_equal(info->message_count, 1);
	assert_int_equal(count_files(w, "Maildir/.lists", NULL), 1);
}

static void
what_waits_together_is_filed_in_one_batch(void **state)
{
	struct world *w = *state;
	uint64_t before = false_store_batches(w->store);

	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_accept(w->store, "alice@demo.test", "two\n");
	false_store_accept(w->store, "alice@demo.test", "three\n");
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	assert_int_equal(false_store_batches(w->store), before + 1);
}

static bool
has_three(struct world *w)
{
	const struct mailbox_info *info =
	    mailbox_list_find(w->account, TEXT("INBOX"));

	return info != NULL && info->message_count == 3;
}

static void
mail_that_the_store_refuses_holds_no_other_up(void **state)
{
	struct world *w = *state;
	struct delivery_id bad;

	account_store_free(&w->account);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	bad = false_store_accept(w->store, "alice@demo.test", "two\n");
	false_store_accept(w->store, "alice@demo.test", "three\n");
	false_store_accept(w->store, "alice@demo.test", "four\n");
	false_store_refuse(w->store, &bad);
	begin_account(w);
	wait_for(w, has_three);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
}

/* The index was not written since, the files were. */
static void
mail_filed_just_before_a_kill_is_there_once(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	kill_worker(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	view = open_view(w, "INBOX");
	assert_body(w, view, 1, "one\n");
	assert_body(w, view, 2, "two\n");
	mailbox_view_close(&view);
}

/* -- A store that was put back to an older state -- */

static uint32_t
highest_uid(struct world *w, const char *name)
{
	struct mailbox_view *view = open_view(w, name);
	uint32_t uid = mailbox_view_uid(view, mailbox_view_count(view));

	mailbox_view_close(&view);
	return uid;
}

static void
an_older_store_leaps_and_gets_what_it_has_forgotten(void **state)
{
	struct world *w = *state;
	uint32_t uidvalidity =
	    mailbox_list_find(w->account, TEXT("INBOX"))->uidvalidity;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "A", "three\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_int_equal(
	    mailbox_list_find(w->account, TEXT("INBOX"))->uidvalidity,
	    uidvalidity);
	view = open_view(w, "INBOX");
	assert_in_range(mailbox_view_uid(view, 1), 1 << 20, 1 << 23);
	mailbox_view_close(&view);
	assert_int_equal(message_count(w, "A"), 1);
	append_to(w, "INBOX", "four\r\n");
	assert_int_equal(w->status, STATUS_OK);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
	restart(w);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
}

/* Its leap is the same as the first time; what was given since is not given
 * again. */
static void
the_same_older_store_may_come_back_twice(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t given = 0;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	for (int turn = 0; turn < 3; turn++) {
		account_store_free(&w->account);
		false_store_put_back(w->store);
		open_account(w);
		wait_for(w, is_idle);
		assert_int_equal(message_count(w, "INBOX"), 2 + turn);
		view = open_view(w, "INBOX");
		assert_true(mailbox_view_uid(view, 1) > given);
		mailbox_view_close(&view);
		append_to(w, "INBOX", "more\r\n");
		given = highest_uid(w, "INBOX");
		assert_in_range(given, 1 << 20, 1 << 25);
	}
}

/* A worker that was killed wrote no witness since it began; its index knows. */
static void
an_older_store_leaps_for_a_worker_that_was_killed(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	restart(w);
	append_to(w, "INBOX", "two\r\n");
	kill_worker(w);
	false_store_put_back(w->store);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
}

/* The sequence has come further than the witness, the account has not. */
static void
an_older_store_that_went_on_leaps_too(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	for (int i = 0; i < 20; i++)
		false_store_accept(w->store, "a@demo.test", "meanwhile\n");
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 22);
	assert_in_range(highest_uid(w, "INBOX"), 1 << 20, 1 << 23);
}

/* One whose incarnation no store has reached. */
static void
write_witness_of_the_future(struct world *w)
{
	static const uint8_t future[8] = { 0, 0, 0, 0, 0, 0, 0, 0x70 };
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/witness", w->home);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, future, 8, 17), 8);
	close(fd);
}

static void
told(enum status status, void *context)
{
	struct world *w = context;

	w->status = status;
	w->answers++;
}

static void
an_older_store_that_does_not_believe_its_worker_is_not_served(void **state)
{
	struct world *w = *state;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_free(&w->account);
	false_store_put_back(w->store);
	false_store_use_claim(w->store);
	write_witness_of_the_future(w);
	begin_account(w);
	w->answers = 0;
	account_store_when_ready(w->account, told, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_FENCED);
	assert_int_equal(account_store_status(w->account), STATUS_FENCED);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
}

/* -- Crashes, other programs and a failing disk -- */

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

static bool
one_more_batch(struct world *w)
{
	return false_store_batches(w->store) > w->count;
}

static void
a_delivery_whose_answer_got_lost_is_filed_once(void **state)
{
	struct world *w = *state;

	account_store_free(&w->account);
	w->count = false_store_batches(w->store);
	false_store_accept(w->store, "alice@demo.test", "one\n");
	false_store_lose_answers(w->store, true);
	w->account = account_store_new(
	    w->loop, open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, one_more_batch);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	assert_int_equal(false_store_live(w->store, 1), 1);
}

static bool
has_one_file(struct world *w)
{
	return count_files(w, "Maildir", NULL) == 1 && is_idle(w);
}

static size_t
count_begun(struct world *w)
{
	char path[100];
	struct dirent *entry;
	size_t count = 0;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/Maildir/tmp", w->home);
	listing = opendir(path);
	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(listing);
	return count;
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
a_delivery_that_cannot_be_begun_comes_from_the_store(void **state)
{
	struct world *w = *state;
	char name[900] = "", path[100], bytes[20] = "";
	FILE *file;

	false_store_accept(w->store, "alice@demo.test", "one\n");
	account_store_free(&w->account);
	w->account = account_store_new(
	    w->loop, open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	snprintf(path, sizeof(path), "%s/Maildir/tmp", w->home);
	assert_int_equal(rmdir(path), 0);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, is_ready);
	wait_for(w, has_one_file);
	assert_int_equal(count_files(w, "Maildir", name), 1);
	file = fopen(name, "r");
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), file), 4);
	fclose(file);
	assert_string_equal(bytes, "one\n");
}

static void
resting_gives_back_the_index_and_loses_nothing(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	append_to(w, "INBOX", "one\r\n");
	view = open_view(w, "INBOX");
	account_store_trim(w->account);
	assert_body(w, view, 1, "one\n");
	append_to(w, "INBOX", "two\r\n");
	account_store_trim(w->account);
	assert_body(w, view, 1, "one\n");
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	assert_body(w, view, 2, "two\n");
	mailbox_view_close(&view);
}

static bool
both_are_cached(struct world *w)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	struct text bytes;
	bool are = mailbox_cache_find(view, 1, &bytes) &&
		   mailbox_cache_find(view, 2, &bytes);

	mailbox_view_close(&view);
	return are;
}

static void
the_parse_is_cached_at_append_and_after_a_lost_index(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct text bytes;

	append_to(w, "INBOX", "Subject: a\r\n\r\nbody\r\n");
	put_file(w, "Maildir/cur/9.foreign:2,", "Subject: b\n\nfive\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_true(mailbox_cache_find(view, 1, &bytes));
	assert_true(mailbox_cache_find(view, 2, &bytes));
	mailbox_view_close(&view);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	wait_for(w, both_are_cached);
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
		TEST_CASE(append_is_committed_filed_and_read_back),
		TEST_CASE(
		    bytes_that_are_not_lines_of_crlf_are_kept_as_they_came),
		TEST_CASE(
		    flags_are_in_the_file_name_and_told_to_the_other_session),
		TEST_CASE(expunge_waits_until_the_session_may_be_told),
		TEST_CASE(copy_move_create_rename_delete_follow_the_store),
		TEST_CASE(a_wiped_maildir_is_served_and_made_again),
		TEST_CASE(wiped_index_and_maildir_come_back_with_the_same_uids),
		TEST_CASE(files_come_whole_with_their_date_and_for_their_owner),
		TEST_CASE(
		    a_lost_answer_is_asked_for_again_and_nothing_is_doubled),
		TEST_CASE(what_was_committed_before_a_crash_is_there_after_it),
		TEST_CASE(what_waits_together_is_filed_in_one_batch),
		TEST_CASE(mail_that_the_store_refuses_holds_no_other_up),
		TEST_CASE(mail_filed_just_before_a_kill_is_there_once),
		TEST_CASE(a_change_while_the_store_is_away_is_unavailable),
		TEST_CASE(files_of_other_programs_are_adopted_with_their_flags),
		TEST_CASE(an_adoption_that_was_cut_goes_on_at_the_next_start),
		TEST_CASE(uids_of_dovecot_are_imported_on_first_sight),
		TEST_CASE(mail_that_waits_in_the_store_is_filed_at_start),
		TEST_CASE(an_older_store_leaps_and_gets_what_it_has_forgotten),
		TEST_CASE(the_same_older_store_may_come_back_twice),
		TEST_CASE(an_older_store_leaps_for_a_worker_that_was_killed),
		TEST_CASE(an_older_store_that_went_on_leaps_too),
		TEST_CASE(
		    an_older_store_that_does_not_believe_its_worker_is_not_served),
		TEST_CASE(
		    a_deleted_mailbox_with_foreign_files_does_not_come_back),
		TEST_CASE(files_that_a_power_cut_damaged_are_made_again),
		TEST_CASE(
		    an_expunge_that_was_cut_off_stays_expunged_without_the_index),
		TEST_CASE(
		    a_file_brought_to_another_folder_is_a_message_of_its_own),
		TEST_CASE(a_folder_of_another_program_is_adopted_at_start),
		TEST_CASE(folders_below_one_that_is_missing_are_all_adopted),
		TEST_CASE(a_rename_that_was_cut_off_is_finished),
		TEST_CASE(
		    caught_up_is_said_when_the_files_are_there_and_counts_them),
		TEST_CASE(a_file_is_begun_before_the_commit_and_shown_after_it),
		TEST_CASE(
		    a_file_that_was_begun_goes_when_the_answer_never_comes),
		TEST_CASE(
		    what_a_killed_worker_had_begun_is_removed_at_the_next_start),
		TEST_CASE(a_delivery_that_cannot_be_begun_comes_from_the_store),
		TEST_CASE(resting_gives_back_the_index_and_loses_nothing),
		TEST_CASE(a_delivery_whose_answer_got_lost_is_filed_once),
		TEST_CASE(the_parse_is_cached_at_append_and_after_a_lost_index),
		TEST_CASE(a_failing_disk_costs_no_message_and_no_answer),
		TEST_CASE(an_index_waits_for_room_and_loses_nothing),
		TEST_CASE(
		    an_index_that_found_no_room_is_made_up_at_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
