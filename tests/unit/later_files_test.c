/*
 * Files that follow their rows later (imapd/later_files.c): what a session sees
 * at once, what the Maildir shows in the end, and that nothing is taken for
 * another program's wish in between, whatever happens.
 */
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MANY = ACCOUNT_LATER_FROM + 20
};

/* How many files of the folder's cur and new have that in their flags. */
static size_t
count_flagged(struct world *w, const char *folder, char flag)
{
	static const char *const parts[] = { "cur", "new" };
	size_t count = 0;

	for (size_t i = 0; i < 2; i++) {
		char path[200];
		struct dirent *entry;
		DIR *d;

		snprintf(
		    path, sizeof(path), "%s/%s/%s", w->home, folder, parts[i]);
		if ((d = opendir(path)) == NULL)
			continue;
		while ((entry = readdir(d)) != NULL) {
			const char *flags = strstr(entry->d_name, ":2,");

			count += flags != NULL && strchr(flags, flag) != NULL;
		}
		closedir(d);
	}
	return count;
}

static bool
all_files_are_seen(struct world *w)
{
	return count_flagged(w, "Maildir", 'S') == MANY;
}

static bool
no_file_is_left(struct world *w)
{
	return count_files(w, "Maildir", NULL) == 0;
}

/* As another program's, which are adopted together. */
static void
fill(struct world *w, const char *mailbox)
{
	bool is_inbox = strcmp(mailbox, "INBOX") == 0;
	struct mailbox_view *view;
	char name[100];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "Maildir/%s%s/cur/%d.x:2,",
		    is_inbox ? "" : ".", is_inbox ? "" : mailbox, i);
		put_file(w, name, "Subject: a\n\nx\n");
	}
	view = open_view(w, mailbox);
	wait_for(w, is_idle);
	mailbox_view_close(&view);
	view = open_view(w, mailbox);
	assert_int_equal(mailbox_view_count(view), MANY);
	mailbox_view_close(&view);
}

/* Nothing follows before somebody says so, however slow the test is. */
static void
answered_and_held(const struct mailbox_answer *answer, void *context)
{
	struct world *w = context;

	timer_stop(w->account->later_timer);
	answered(answer, w);
}

static void
let_follow(struct world *w)
{
	timer_start(w->account->later_timer, 0);
}

static void
store_all(struct world *w, struct mailbox_view *view, uint32_t flags)
{
	const struct flag_change change = { .mode = FLAGS_ADD, .flags = flags };
	uint32_t uids[MANY];

	for (size_t i = 0; i < MANY; i++)
		uids[i] = mailbox_view_uid(view, i + 1);
	w->answers = 0;
	mailbox_change_flags(view, uids, MANY, &change, answered_and_held, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, MANY);
}

static void
expunge_all(struct world *w, struct mailbox_view *view)
{
	store_all(w, view, FLAG_DELETED);
	w->answers = 0;
	mailbox_expunge(view, NULL, 0, answered_and_held, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, MANY);
}

static size_t
count_rows(struct mailbox_view *view, uint32_t flags)
{
	struct mailbox_row row;
	size_t count = 0;

	for (size_t n = 1; n <= mailbox_view_count(view); n++)
		count += mailbox_row(view, mailbox_view_uid(view, n), &row) &&
			 (row.flags & flags) == flags;
	return count;
}

static void
flags_are_there_at_once_and_in_names_later(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	assert_int_equal(count_rows(view, FLAG_SEEN), MANY);
	assert_int_equal(count_flagged(w, "Maildir", 'S'), 0);
	assert_body(w, view, 1, "Subject: a\n\nx\n");
	let_follow(w);
	wait_for(w, all_files_are_seen);
	assert_body(w, view, MANY / 2, "Subject: a\n\nx\n");
	/* Nothing of it was anybody's wish. */
	wait_for(w, is_idle);
	assert_int_equal(count_rows(view, FLAG_SEEN), MANY);
	mailbox_view_close(&view);
}

static void
stop_loop(void *context)
{
	event_loop_stop(context);
}

/* How many files followed before a millisecond was over, although a step was
 * due at once. */
static size_t
follow_after_a_command(struct world *w)
{
	struct event_loop *loop = w->account->loop;
	struct timer *timer = timer_new(loop, stop_loop, loop);

	let_follow(w);
	timer_start(timer, 1);
	later_yield(w->account);
	event_loop_run(loop);
	timer_free(&timer);
	timer_stop(w->account->later_timer);
	return count_flagged(w, "Maildir", 'S');
}

/* Until it has waited for long. */
static void
a_command_goes_before_the_files(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	w->account->later_step_us = INT64_MAX; /* just now, however slow */
	assert_int_equal(follow_after_a_command(w), 0);
	w->account->later_step_us = INT64_MIN / 2;
	assert_true(follow_after_a_command(w) > 0);
	let_follow(w);
	wait_for(w, all_files_are_seen);
	mailbox_view_close(&view);
}

static void
a_clean_end_leaves_nothing_to_be_done(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	mailbox_view_close(&view);
	account_store_free(&w->account);
	assert_true(all_files_are_seen(w));
	open_account(w);
	view = open_view(w, "INBOX");
	expunge_all(w, view);
	mailbox_view_close(&view);
	account_store_free(&w->account);
	assert_true(no_file_is_left(w));
	open_account(w);
}

static void
what_a_kill_left_is_done_by_the_next_look(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	assert_int_equal(count_flagged(w, "Maildir", 'S'), 0);
	mailbox_view_close(&view);
	kill_worker(w);
	open_account(w);
	view = open_view(w, "INBOX");
	wait_for(w, all_files_are_seen);
	assert_int_equal(count_rows(view, FLAG_SEEN), MANY);
	expunge_all(w, view);
	assert_int_equal(count_files(w, "Maildir", NULL), MANY);
	mailbox_view_close(&view);
	kill_worker(w);
	open_account(w);
	view = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_count(view), 0);
	wait_for(w, no_file_is_left);
	assert_int_equal(mailbox_view_count(view), 0);
	mailbox_view_close(&view);
}

/* An index that is made anew knows no old names; after a kill they are ours. */
static void
old_names_are_no_wish_where_the_index_is_lost_as_well(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	char path[200];

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	mailbox_view_close(&view);
	kill_worker(w);
	snprintf(path, sizeof(path), "%s/index", w->home);
	scratch_remove(path);
	open_account(w);
	view = open_view(w, "INBOX");
	wait_for(w, all_files_are_seen);
	wait_for(w, is_idle);
	assert_int_equal(count_rows(view, FLAG_SEEN), MANY);
	mailbox_view_close(&view);
}

static void
a_mailbox_goes_with_files_that_were_to_follow(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	w->answers = 0;
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, has_answer);
	fill(w, "A");
	view = open_view(w, "A");
	expunge_all(w, view);
	mailbox_view_close(&view);
	assert_true(is_there(w, "Maildir/.A"));
	w->answers = 0;
	mailbox_list_delete(w->account, TEXT("A"), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_false(is_there(w, "Maildir/.A"));
	assert_false(is_there(w, "left"));
}

static void
what_others_do_to_a_file_meanwhile_counts(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct index_file file;
	char from[400], to[440];

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	store_all(w, view, FLAG_SEEN);
	assert_true(index_find_file(
	    w->account->index, mailbox_view_info(view)->id, 1, &file));
	snprintf(from, sizeof(from), "%s/Maildir/%s/%.*s", w->home,
	    file.is_new ? "new" : "cur", TEXT_FMT(file.name));
	snprintf(to, sizeof(to), "%s/Maildir/cur/%.*s:2,F", w->home,
	    TEXT_FMT(file.base));
	assert_int_equal(rename(from, to), 0);
	mailbox_view_close(&view);
	restart(w);
	view = open_view(w, "INBOX");
	wait_for(w, all_files_are_seen);
	wait_for(w, is_idle);
	assert_int_equal(count_rows(view, FLAG_SEEN), MANY);
	assert_int_equal(count_rows(view, FLAG_SEEN | FLAG_FLAGGED), 1);
	assert_int_equal(count_flagged(w, "Maildir", 'F'), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), MANY);
	mailbox_view_close(&view);
}

static void
what_comes_back_has_one_file(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	struct message_record record;
	struct message_source source = { .fd = -1,
		.data = TEXT("Subject: a\n\nx\n") };
	char base[RECORD_MAX_BASE_SIZE + 1] = "";
	struct index_file file;
	struct index_row row;
	uint64_t mailbox;

	fill(w, "INBOX");
	view = open_view(w, "INBOX");
	mailbox = mailbox_view_info(view)->id;
	assert_true(index_find_file(w->account->index, mailbox, 1, &file));
	assert_true(index_find_row(w->account->index, mailbox, 1, &row));
	(void)text_copy(file.base, base, sizeof(base));
	memset(&record, 0, sizeof(record));
	record.mailbox = mailbox;
	record.uid = 1;
	record.flags = FLAG_ANSWERED;
	record.size = row.size;
	record.stored_size = file.stored_size;
	record.hash = file.hash;
	record.blob = file.blob;
	record.form = file.form;
	record.base = text_of(base);
	expunge_all(w, view);
	record.modseq = mailbox_view_info(view)->highest_modseq + 1;
	assert_true(index_find_file(w->account->index, mailbox, 1, &file));
	apply_message(w->account, &record, &source, NULL);
	mailbox_view_close(&view);
	account_store_free(&w->account);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	assert_int_equal(count_flagged(w, "Maildir", 'R'), 1);
	open_account(w);
}

static void
a_copy_is_another_name(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view, *copies;
	const uint32_t uid = 1;

	append_to(w, "INBOX", "Subject: a\r\n\r\nx\r\n");
	w->answers = 0;
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, has_answer);
	view = open_view(w, "INBOX");
	w->answers = 0;
	mailbox_copy(view, &uid, 1, TEXT("A"), false, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	delete_message(w, view, 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
	assert_int_equal(count_files(w, "Maildir/.A", NULL), 1);
	copies = open_view(w, "A");
	assert_body(w, copies, 1, "Subject: a\n\nx\n");
	mailbox_view_close(&copies);
	mailbox_view_close(&view);
}

#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_CASE(flags_are_there_at_once_and_in_names_later),
		TEST_CASE(a_command_goes_before_the_files),
		TEST_CASE(a_clean_end_leaves_nothing_to_be_done),
		TEST_CASE(what_a_kill_left_is_done_by_the_next_look),
		TEST_CASE(
		    old_names_are_no_wish_where_the_index_is_lost_as_well),
		TEST_CASE(a_mailbox_goes_with_files_that_were_to_follow),
		TEST_CASE(what_others_do_to_a_file_meanwhile_counts),
		TEST_CASE(what_comes_back_has_one_file),
		TEST_CASE(a_copy_is_another_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
