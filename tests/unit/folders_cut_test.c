/*
 * What a kill or a power cut leaves of the Maildir's folders: directories that
 * stand where they stood before a RENAME or DELETE that was answered.  No
 * mailbox comes back, and none gets another one's messages.
 */
#include "common/file.h"
#include "tests/unit/account_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
create(struct world *w, const char *name)
{
	w->answers = 0;
	mailbox_list_create(w->account, text_of(name), 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
rename_mailbox(struct world *w, const char *from, const char *to)
{
	w->answers = 0;
	mailbox_list_rename(
	    w->account, text_of(from), text_of(to), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void delete (struct world *w, const char *name)
{
	w->answers = 0;
	mailbox_list_delete(w->account, text_of(name), answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

/* With one message, whose body is the name of the mailbox. */
static void
fill(struct world *w, const char *name)
{
	create(w, name);
	append_to(w, name, name);
	wait_for(w, is_idle);
}

static void
check_body(struct world *w, const char *name, const char *body)
{
	struct mailbox_view *view = open_view(w, name);

	assert_int_equal(mailbox_view_count(view), 1);
	assert_body(w, view, mailbox_view_uid(view, 1), body);
	mailbox_view_close(&view);
}

static bool
has_mailbox(struct world *w, const char *name)
{
	return mailbox_list_find(w->account, text_of(name)) != NULL;
}

/* The Maildir as it is now is what the power cut leaves. */
static void
keep_maildir(struct world *w, char kept[200])
{
	char path[200];

	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	snprintf(kept, 200, "%s.kept", w->home);
	scratch_copy(path, kept);
}

static void
cut(struct world *w, const char *kept)
{
	char path[200];

	kill_worker(w);
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
	assert_int_equal(rename(kept, path), 0);
	cut_power(w);
	open_account(w);
	wait_for(w, is_idle);
}

static void
a_name_that_was_used_again_has_the_right_messages(void **state)
{
	struct world *w = *state;
	char kept[200];

	fill(w, "A");
	fill(w, "B");
	keep_maildir(w, kept);
	delete (w, "B");
	rename_mailbox(w, "A", "B");
	cut(w, kept);
	assert_false(has_mailbox(w, "A"));
	check_body(w, "B", "A");
	assert_false(is_there(w, "Maildir/.A"));
}

static void
two_that_changed_places_have_their_own_messages(void **state)
{
	struct world *w = *state;
	char kept[200];

	fill(w, "A");
	fill(w, "B");
	keep_maildir(w, kept);
	rename_mailbox(w, "A", "C");
	rename_mailbox(w, "B", "A");
	rename_mailbox(w, "C", "B");
	cut(w, kept);
	assert_false(has_mailbox(w, "C"));
	check_body(w, "A", "B");
	check_body(w, "B", "A");
}

static void
a_chain_of_renames_is_finished(void **state)
{
	struct world *w = *state;
	char kept[200];

	fill(w, "A");
	fill(w, "B");
	fill(w, "C");
	keep_maildir(w, kept);
	delete (w, "C");
	rename_mailbox(w, "B", "C");
	rename_mailbox(w, "A", "B");
	cut(w, kept);
	assert_false(has_mailbox(w, "A"));
	check_body(w, "B", "A");
	check_body(w, "C", "B");
}

static void
one_that_was_made_anew_is_another_one(void **state)
{
	struct world *w = *state;
	char kept[200];

	fill(w, "A");
	keep_maildir(w, kept);
	delete (w, "A");
	create(w, "A");
	cut(w, kept);
	assert_int_equal(message_count(w, "A"), 0);
}

static void
a_folder_that_somebody_copied_is_a_mailbox(void **state)
{
	struct world *w = *state;
	char from[200], to[200];

	fill(w, "A");
	kill_worker(w);
	snprintf(from, sizeof(from), "%s/Maildir/.A", w->home);
	snprintf(to, sizeof(to), "%s/Maildir/.B", w->home);
	scratch_copy(from, to);
	open_account(w);
	wait_for(w, is_idle);
	check_body(w, "A", "A");
	check_body(w, "B", "A");
}

/* -- Each step of a DELETE -- */

struct kept {
	struct world *w;
	char path[200];
	unsigned int at; /* which call; from 1 */
	unsigned int calls;
};

static int
keep_at(const char *call, const char *name, void *context)
{
	struct kept *kept = context;

	if ((strcmp(call, "unlink") != 0 && strcmp(call, "rmdir") != 0) ||
	    ++kept->calls != kept->at)
		return 0;
	snprintf(kept->path, sizeof(kept->path), "%s.kept", kept->w->home);
	scratch_copy(kept->w->home, kept->path);
	return 0;
}

static bool
delete_is_cut(struct world *w, unsigned int at)
{
	struct kept kept = { .w = w, .at = at };

	fill(w, "A");
	file_set_fault_hook(keep_at, &kept);
	delete (w, "A");
	file_set_fault_hook(NULL, NULL);
	if (kept.calls < at)
		return false;
	kill_worker(w);
	scratch_remove(w->home);
	assert_int_equal(rename(kept.path, w->home), 0);
	open_account(w);
	wait_for(w, is_idle);
	assert_false(has_mailbox(w, "A"));
	restart(w);
	assert_false(has_mailbox(w, "A"));
	return true;
}

static void
a_delete_is_over_at_whatever_step_it_is_cut(void **state)
{
	unsigned int at = 1;

	while (delete_is_cut(*state, at))
		at++;
	assert_true(at > 5);
}

/* -- The first life -- */

/* No `state` yet that came to the disk: what was answered counts all the same.
 */
static void
a_cut_in_the_first_life_undoes_no_flag(void **state)
{
	const struct flag_change seen = { .mode = FLAGS_REPLACE,
		.flags = FLAG_SEEN };
	struct mailbox_row row = { 0 };
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t uid = 1;
	char kept[200], path[200];

	put_file(w, "Maildir/cur/1.x:2,F", "Subject: a\n\nx\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	keep_maildir(w, kept);
	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &seen, answered, w);
	wait_for(w, has_answer);
	mailbox_view_close(&view);
	kill_worker(w);
	lose_index(w);
	snprintf(path, sizeof(path), "%s/Maildir", w->home);
	scratch_remove(path);
	assert_int_equal(rename(kept, path), 0);
	open_account(w);
	wait_for(w, is_idle);
	view = open_view(w, "INBOX");
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.flags & FLAG_ALL, FLAG_SEEN);
	mailbox_view_close(&view);
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_name_that_was_used_again_has_the_right_messages),
		TEST(two_that_changed_places_have_their_own_messages),
		TEST(a_chain_of_renames_is_finished),
		TEST(one_that_was_made_anew_is_another_one),
		TEST(a_folder_that_somebody_copied_is_a_mailbox),
		TEST(a_delete_is_over_at_whatever_step_it_is_cut),
		TEST(a_cut_in_the_first_life_undoes_no_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
