/*
 * Maildirs that other programs change while the worker writes to them, is
 * killed, cannot look or heals: what they did is neither overlooked nor
 * undone, and what cannot be seen is not taken for lost.
 */
#include "common/file.h"
#include "imapd/account_state.h"
#include "tests/unit/account_world.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void
look_at_inbox(struct world *w)
{
	struct mailbox_counts counts;

	mailbox_list_count(
	    w->account, mailbox_list_find(w->account, TEXT("INBOX")), &counts);
}

/* Where inotify cannot be had (the linker takes it away for a second program
 * of these tests), others' changes are seen when somebody looks. */
#ifdef WITHOUT_INOTIFY
int __wrap_inotify_init1(int flags);

int
__wrap_inotify_init1(int flags)
{
	errno = EMFILE;
	return -1;
}

static void
look_if_blind(struct world *w)
{
	look_at_inbox(w);
}
#else
static void
look_if_blind(struct world *w)
{
}
#endif

/* -- Another program writes while we write -- */

/* A file that appears in the middle of our own change. */
struct intrusion {
	struct world *w;
	const char *call; /* of file.c, before which it comes */
	const char *name;
	unsigned int left;
	const char *text; /* NULL: some mail */
};

static int
intrude(const char *call, const char *name, void *context)
{
	struct intrusion *intrusion = context;

	if (strcmp(call, intrusion->call) == 0 && intrusion->left > 0 &&
	    --intrusion->left == 0)
		put_file(intrusion->w, intrusion->name,
		    intrusion->text != NULL ? intrusion->text : "foreign\n");
	return 0;
}

static bool
inbox_has_two(struct world *w)
{
	return mailbox_list_find(w->account, TEXT("INBOX"))->message_count == 2;
}

static void
a_file_that_comes_while_we_write_is_seen(void **state)
{
	static const char *const names[] = { "Maildir/cur/9.foreign:2,S",
		"Maildir/new/9.foreign" };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = *state;
		struct intrusion intrusion = { w, "rename", names[i], 1, NULL };
		struct mailbox_view *view = open_view(w, "INBOX");

		file_set_fault_hook(intrude, &intrusion);
		append_to(w, "INBOX", "ours\r\n");
		file_set_fault_hook(NULL, NULL);
		assert_int_equal(intrusion.left, 0);
		look_if_blind(w);
		wait_for(w, inbox_has_two);
		mailbox_view_close(&view);
		if (i == 0) {
			world_teardown(state);
			world_setup(state);
		}
	}
}

static void
a_file_that_comes_while_we_write_is_seen_where_nobody_looks(void **state)
{
	struct world *w = *state;
	struct intrusion intrusion = { w, "rename",
		"Maildir/.A/cur/9.foreign:2,S", 1, NULL };

	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	append_to(w, "A", "ours\r\n");
	message_count(w, "A");
	wait_for(w, is_idle);
	restart(w);
	file_set_fault_hook(intrude, &intrusion);
	append_to(w, "A", "ours as well\r\n");
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(intrusion.left, 0);
	message_count(w, "A"); /* looks */
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "A"), 3);
}

static void
a_file_that_comes_while_we_write_is_seen_after_a_kill(void **state)
{
	struct world *w = *state;
	struct intrusion intrusion = { w, "rename", "Maildir/cur/9.foreign:2,S",
		1, NULL };

	append_to(w, "INBOX", "ours\r\n");
	restart(w);
	file_set_fault_hook(intrude, &intrusion);
	append_to(w, "INBOX", "ours as well\r\n");
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(intrusion.left, 0);
	kill_worker(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(false_store_live(w->store, 1), 3);
}

static bool
inbox_has_six(struct world *w)
{
	return mailbox_list_find(w->account, TEXT("INBOX"))->message_count == 6;
}

static void
a_file_that_comes_while_we_heal_is_seen(void **state)
{
	struct world *w = *state;
	struct intrusion intrusion = { w, "rename", "Maildir/cur/9.foreign:2,S",
		5, NULL };
	struct mailbox_view *view;
	char path[600];

	for (int i = 0; i < 5; i++)
		append_to(w, "INBOX", "kept\r\n");
	view = open_view(w, "INBOX");
	snprintf(path, sizeof(path), "%s/Maildir/new", w->home);
	scratch_remove(path);
	file_set_fault_hook(intrude, &intrusion);
	mailbox_view_close(&view);
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(intrusion.left, 0);
	look_if_blind(w);
	wait_for(w, inbox_has_six);
	assert_int_equal(count_files(w, "Maildir", NULL), 6);
	mailbox_view_close(&view);
}

/* Of the one file in Maildir/new, as a path beneath home. */
static void
find_name(const struct world *w, char *name, size_t size)
{
	char path[600];
	struct dirent *entry;
	DIR *listing;

	snprintf(path, sizeof(path), "%s/Maildir/new", w->home);
	listing = opendir(path);
	assert_non_null(listing);
	do
		entry = readdir(listing);
	while (entry != NULL && entry->d_name[0] == '.');
	assert_non_null(entry);
	snprintf(name, size, "Maildir/new/%s", entry->d_name);
	closedir(listing);
}

static void
read_back(const struct world *w, const char *name, char *text, size_t size)
{
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->home, name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, (int)size, file));
	fclose(file);
}

/* Between our look and the rename: a backup that is put back. */
static void
a_file_that_comes_back_while_we_heal_stays_if_it_can_be_it(void **state)
{
	static const char *const theirs[] = { "kepT\n", "cut" };
	static const char *const left[] = { "kepT\n", "kept\n" };

	for (size_t i = 0; i < 2; i++) {
		struct world *w = *state;
		struct intrusion intrusion = { w, "rename", NULL, 1,
			theirs[i] };
		struct mailbox_view *view;
		char name[500], path[600], text[100];

		append_to(w, "INBOX", "kept\r\n");
		find_name(w, name, sizeof(name));
		intrusion.name = name;
		snprintf(path, sizeof(path), "%s/%s", w->home, name);
		assert_int_equal(unlink(path), 0);
		file_set_fault_hook(intrude, &intrusion);
		view = open_view(w, "INBOX");
		wait_for(w, is_idle);
		file_set_fault_hook(NULL, NULL);
		assert_int_equal(intrusion.left, 0);
		read_back(w, name, text, sizeof(text));
		assert_string_equal(text, left[i]);
		mailbox_view_close(&view);
		if (i == 0) {
			world_teardown(state);
			world_setup(state);
		}
	}
}

/* The folder's parts are open since the message was filed. */
static void
a_folder_that_was_put_aside_is_healed_where_its_path_leads(void **state)
{
	struct world *w = *state;
	char from[600], to[600], whole[600];
	struct mailbox_view *view;

	append_to(w, "INBOX", "kept\r\n");
	append_to(w, "INBOX", "kept as well\r\n");
	snprintf(from, sizeof(from), "%s/Maildir/new", w->home);
	snprintf(to, sizeof(to), "%s/aside", w->home);
	snprintf(whole, sizeof(whole), "%s/aside/new", w->home);
	assert_int_equal(mkdir(to, 0700), 0);
	assert_int_equal(rename(from, whole), 0);
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 2);
	assert_int_equal(count_files(w, "aside", NULL), 2);
	assert_body(w, view, 1, "kept\n");
	mailbox_view_close(&view);
}

/* Nothing of ours is taken for another's: nobody looks at all files again. */
static void
our_own_changes_are_not_taken_for_those_of_others(void **state)
{
	struct flag_change seen = { .mode = FLAGS_ADD, .flags = FLAG_SEEN };
	struct world *w = *state;
	struct mailbox_view *view = open_view(w, "INBOX");
	uint64_t batches;
	uint32_t uid = 2;

	append_to(w, "INBOX", "one\r\n");
	append_to(w, "INBOX", "two\r\n");
	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &seen, answered, w);
	wait_for(w, has_answer);
	delete_message(w, view, 1);
	batches = false_store_batches(w->store);
	mailbox_view_close(&view);
	assert_int_equal(message_count(w, "INBOX"), 1);
	wait_for(w, is_idle);
	assert_int_equal(false_store_batches(w->store), batches);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
}

/* -- Flags -- */

static uint32_t
flags_of(struct world *w, uint32_t uid)
{
	struct mailbox_view *view = open_view(w, "INBOX");
	struct mailbox_row row = { 0 };

	assert_true(mailbox_row(view, uid, &row));
	mailbox_view_close(&view);
	return row.flags;
}

static void
rename_file(struct world *w, const char *from, const char *to)
{
	char old[600], new[600];

	snprintf(old, sizeof(old), "%s/%s", w->home, from);
	snprintf(new, sizeof(new), "%s/%s", w->home, to);
	assert_int_equal(rename(old, new), 0);
}

static void
flags_of_another_program_survive_a_kill(void **state)
{
	struct world *w = *state;

	put_file(w, "Maildir/cur/1.foreign:2,F", "foreign\n");
	look_at_inbox(w);
	wait_for(w, is_idle);
	restart(w);
	rename_file(
	    w, "Maildir/cur/1.foreign:2,F", "Maildir/cur/1.foreign:2,S");
	look_at_inbox(w); /* tells the store, which does not hear it */
	kill_worker(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_int_equal(flags_of(w, 1), FLAG_SEEN);
	assert_true(is_there(w, "Maildir/cur/1.foreign:2,S"));
	restart(w);
	assert_int_equal(flags_of(w, 1), FLAG_SEEN);
	assert_true(is_there(w, "Maildir/cur/1.foreign:2,S"));
}

static void
flags_of_a_client_and_of_another_program_both_stay(void **state)
{
	struct flag_change flagged = { .mode = FLAGS_ADD,
		.flags = FLAG_FLAGGED };
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t uid = 1;

	put_file(w, "Maildir/cur/1.foreign:2,T", "foreign\n");
	look_at_inbox(w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	rename_file(
	    w, "Maildir/cur/1.foreign:2,T", "Maildir/cur/1.foreign:2,S");
	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &flagged, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	mailbox_view_close(&view);
	look_at_inbox(w);
	wait_for(w, is_idle);
	assert_int_equal(flags_of(w, 1), FLAG_FLAGGED | FLAG_SEEN);
	assert_true(is_there(w, "Maildir/cur/1.foreign:2,FS"));
}

/* A client flags a message, and another program says in its file's name that it
 * is seen and not deleted, which we see while the store has the client's. */
static struct mailbox_view *
flag_and_rename(struct world *w, mailbox_done *done)
{
	struct flag_change flagged = { .mode = FLAGS_ADD,
		.flags = FLAG_FLAGGED };
	struct mailbox_view *view;
	uint32_t uid = 1;

	put_file(w, "Maildir/cur/1.foreign:2,T", "foreign\n");
	look_at_inbox(w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &flagged, done, w);
	rename_file(
	    w, "Maildir/cur/1.foreign:2,T", "Maildir/cur/1.foreign:2,S");
	look_at_inbox(w);
	assert_int_equal(w->answers, 0);
	wait_for(w, has_answer);
	return view;
}

/* The store has the client's on its way when the file is seen: what comes
 * behind it must not be computed from the row of before. */
static void
flags_of_another_program_come_behind_a_client_s(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view = flag_and_rename(w, answered);

	assert_int_equal(w->status, STATUS_OK);
	mailbox_view_close(&view);
	wait_for(w, is_idle);
	assert_int_equal(flags_of(w, 1), FLAG_FLAGGED | FLAG_SEEN);
	assert_true(is_there(w, "Maildir/cur/1.foreign:2,FS"));
}

static void
answered_and_looked(const struct mailbox_answer *answer, void *context)
{
	struct world *w = context;

	answered(answer, w);
	folder_find(w->account, TEXT("INBOX"))->needs_scan = true;
	look_at_inbox(w);
}

/* The client's are in the row, the other program's still on their way: the name
 * must not be held against that row. */
static void
a_look_in_between_undoes_neither(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view = flag_and_rename(w, answered_and_looked);

	mailbox_view_close(&view);
	wait_for(w, is_idle);
	assert_int_equal(flags_of(w, 1), FLAG_FLAGGED | FLAG_SEEN);
	assert_true(is_there(w, "Maildir/cur/1.foreign:2,FS"));
}

/* -- What cannot be looked at -- */

/* No descriptor can be had until it is set back. */
static void
set_descriptors(rlim_t count)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = count;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
a_folder_that_cannot_be_read_is_not_empty(void **state)
{
	struct rlimit limit;
	struct world *w = *state;
	struct stat before, after;
	char name[900];

	for (int i = 0; i < 25; i++)
		append_to(w, "INBOX", "kept\r\n");
	restart(w);
	count_files(w, "Maildir", name);
	assert_int_equal(stat(name, &before), 0);
	put_file(w, "Maildir/cur/9.foreign:2,", "foreign\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	set_descriptors(0);
	look_at_inbox(w);
	set_descriptors(limit.rlim_cur);
	wait_for(w, is_idle);
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(message_count(w, "INBOX"), 25);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 26);
	assert_int_equal(stat(name, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(false_store_marked(w->store), 0);
}

/* A file in the place of the directory. */
static void
what_stands_in_the_place_of_a_folder_is_not_an_empty_one(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 25; i++)
		append_to(w, "INBOX", "kept\r\n");
	rename_file(w, "Maildir/new", "Maildir/away");
	put_file(w, "Maildir/new", "no directory\n");
	assert_int_equal(message_count(w, "INBOX"), 25);
	wait_for(w, is_idle);
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(unlink("Maildir/new"), 0);
	rename_file(w, "Maildir/away", "Maildir/new");
	assert_int_equal(message_count(w, "INBOX"), 25);
	wait_for(w, is_idle);
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 25);
}

/* -- Healing -- */

static bool
has_caught_up(struct world *w)
{
	uint64_t written, failed;

	return false_store_caught_up(w->store, &written, &failed);
}

static void
a_restore_that_meets_a_starting_worker_writes_each_file_once(void **state)
{
	struct world *w = *state;
	uint64_t written, failed;
	char path[600];

	for (int i = 0; i < 30; i++)
		append_to(w, "INBOX", "kept\r\n");
	account_store_free(&w->account);
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
	begin_account(w);
	false_store_catch_up(w->store, CATCH_UP_FILES);
	wait_for(w, has_caught_up);
	assert_true(false_store_caught_up(w->store, &written, &failed));
	assert_int_equal(written, 30);
	assert_int_equal(failed, 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 30);
	wait_for(w, is_ready);
	assert_int_equal(false_store_marked(w->store), 30);
	assert_int_equal(false_store_missing(w->store), 0);
}

enum {
	MANY = 2100 /* more than one step of marks, and of their removal */
};

static void
file_many_and_wipe(struct world *w)
{
	char name[60], path[600];

	for (size_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "Maildir/new/%zu.foreign", i);
		put_file(w, name, "kept\n");
	}
	message_count(w, "INBOX");
	wait_for(w, is_idle);
	assert_int_equal(false_store_live(w->store, 1), MANY);
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
}

static void
a_wipe_of_many_is_marked_and_unmarked_in_steps(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint64_t batches;

	file_many_and_wipe(w);
	batches = false_store_batches(w->store);
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), MANY);
	assert_int_equal(false_store_marked(w->store), MANY);
	assert_int_equal(false_store_missing(w->store), 0);
	/* Two steps each, or some more where the first files were there again
	 * before the last was missed. */
	assert_in_range(false_store_batches(w->store) - batches, 4, 10);
	mailbox_view_close(&view);
}

static void
a_restore_of_many_is_over_when_none_is_marked_any_more(void **state)
{
	struct world *w = *state;
	uint64_t written, failed;

	file_many_and_wipe(w);
	false_store_catch_up(w->store, CATCH_UP_FILES);
	wait_for(w, has_caught_up);
	assert_true(false_store_caught_up(w->store, &written, &failed));
	assert_int_equal(written, MANY);
	assert_int_equal(false_store_marked(w->store), MANY);
	assert_int_equal(false_store_missing_then(w->store), 0);
}

/* -- Files that another program takes away -- */

static void
take_away(struct world *w, size_t count)
{
	char name[900];

	while (count-- > 0) {
		count_files(w, "Maildir", name);
		assert_int_equal(unlink(name), 0);
	}
}

static void
fill(struct world *w, unsigned int count)
{
	char body[40];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(body, sizeof(body), "message %u\r\n", i);
		append_to(w, "INBOX", body);
	}
}

/* A worker that begins, with the setting or without. */
static void
begin_with(struct world *w, bool takes_deletes)
{
	account_store_free(&w->account);
	begin_account(w);
	account_store_take_deletes(w->account, takes_deletes);
	wait_for(w, is_ready);
	wait_for(w, is_idle);
}

static void
what_others_delete_is_deleted_if_the_settings_say_so(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	fill(w, 5);
	begin_with(w, true);
	view = open_view(w, "INBOX");
	take_away(w, 2);
	look_if_blind(w);
	look_at_inbox(w);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 3);
	assert_int_equal(false_store_live(w->store, 1), 3);
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), 3);
	mailbox_view_close(&view);
	/* And while no worker runs. */
	account_store_free(&w->account);
	take_away(w, 1);
	begin_account(w);
	account_store_take_deletes(w->account, true);
	wait_for(w, is_ready);
	assert_int_equal(message_count(w, "INBOX"), 2);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 2);
	assert_int_equal(false_store_live(w->store, 1), 2);
}

/* Each row: how many there are, how many go, the setting, an unclean stop. */
static void
what_is_a_loss_is_made_again_whatever_the_settings_say(void **state)
{
	static const struct {
		unsigned int count;
		unsigned int gone;
		bool takes_deletes;
		bool is_cut;
	} rows[] = {
		{ 5, 2, false, false },  /* not set */
		{ 5, 5, true, false },   /* all of a mailbox */
		{ 30, 21, true, false }, /* many */
		{ 5, 2, true, true },    /* they may never have been written */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = *state;

		fill(w, rows[i].count);
		account_store_free(&w->account);
		take_away(w, rows[i].gone);
		if (rows[i].is_cut)
			cut_power(w);
		begin_account(w);
		account_store_take_deletes(w->account, rows[i].takes_deletes);
		wait_for(w, is_ready);
		look_at_inbox(w);
		wait_for(w, is_idle);
		assert_int_equal(
		    count_files(w, "Maildir", NULL), rows[i].count);
		assert_int_equal(false_store_live(w->store, 1), rows[i].count);
		world_teardown(state);
		world_setup(state);
	}
}

static void
a_restore_brings_back_what_others_deleted(void **state)
{
	struct world *w = *state;
	uint64_t written, failed;

	fill(w, 5);
	begin_with(w, true);
	take_away(w, 2); /* which nobody has looked at yet */
	false_store_catch_up(w->store, CATCH_UP_FILES);
	wait_for(w, has_caught_up);
	assert_true(false_store_caught_up(w->store, &written, &failed));
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", NULL), 5);
	assert_int_equal(false_store_live(w->store, 1), 5);
}

/* What the store takes for one: more than a part of the mailbox in one
 * batch. */
static void
the_first_marks_of_a_loss_are_enough_to_be_one(void **state)
{
	static const size_t sizes[] = { 21, 2000, 40000, 100000, 1000000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t size = sizes[i];

		assert_in_range(
		    marks_step(size, true, size), size / LOSS_SHARE + 1, size);
		assert_in_range(marks_step(size, false, size), 1, MARKS_A_STEP);
		assert_int_equal(marks_step(5, true, size), 5);
	}
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(a_file_that_comes_while_we_write_is_seen),
		TEST_CASE(
		    a_file_that_comes_while_we_write_is_seen_where_nobody_looks),
		TEST_CASE(
		    a_file_that_comes_while_we_write_is_seen_after_a_kill),
		cmocka_unit_test(
		    the_first_marks_of_a_loss_are_enough_to_be_one),
		TEST_CASE(a_file_that_comes_while_we_heal_is_seen),
		TEST_CASE(
		    a_file_that_comes_back_while_we_heal_stays_if_it_can_be_it),
		TEST_CASE(
		    a_folder_that_was_put_aside_is_healed_where_its_path_leads),
		TEST_CASE(a_wipe_of_many_is_marked_and_unmarked_in_steps),
		TEST_CASE(
		    a_restore_of_many_is_over_when_none_is_marked_any_more),
		TEST_CASE(our_own_changes_are_not_taken_for_those_of_others),
		TEST_CASE(flags_of_another_program_survive_a_kill),
		TEST_CASE(flags_of_a_client_and_of_another_program_both_stay),
		TEST_CASE(flags_of_another_program_come_behind_a_client_s),
		TEST_CASE(a_look_in_between_undoes_neither),
		TEST_CASE(a_folder_that_cannot_be_read_is_not_empty),
		TEST_CASE(
		    what_stands_in_the_place_of_a_folder_is_not_an_empty_one),
		TEST_CASE(
		    a_restore_that_meets_a_starting_worker_writes_each_file_once),
		TEST_CASE(what_others_delete_is_deleted_if_the_settings_say_so),
		TEST_CASE(
		    what_is_a_loss_is_made_again_whatever_the_settings_say),
		TEST_CASE(a_restore_brings_back_what_others_deleted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
