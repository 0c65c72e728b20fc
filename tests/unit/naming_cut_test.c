/*
 * The worker is killed right before or right behind the rename with which a
 * file follows its row; and before it starts again the store has the row
 * changed once more, as a restore does.  What the store says counts: the name
 * on the disk is nobody's wish.
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

static const char *const unseen = "Maildir/cur/1.x:2,";
static const char *const seen = "Maildir/cur/1.x:2,S";

/* The home as it was when the file was about to be renamed. */
struct kept {
	struct world *w;
	char path[80];
	bool is_there;
};

static int
keep(const char *call, const char *name, void *context)
{
	struct kept *kept = context;

	if (kept->is_there || strcmp(call, "rename") != 0 ||
	    strncmp(name, "1.x:2,", 6) != 0)
		return 0;
	snprintf(kept->path, sizeof(kept->path), "%s.kept", kept->w->home);
	scratch_copy(kept->w->home, kept->path);
	kept->is_there = true;
	return 0;
}

static void
change(struct world *w, enum flag_mode mode)
{
	const struct flag_change change = { .mode = mode, .flags = FLAG_SEEN };
	struct mailbox_view *view = open_view(w, "INBOX");
	uint32_t uid = 1;

	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	mailbox_view_close(&view);
}

/* A message, and the account that has forgotten how it came. */
static void
begin(struct world *w, const char *name)
{
	struct mailbox_view *view;

	put_file(w, name, "Subject: a\n\nx\n");
	view = open_view(w, "INBOX");
	wait_for(w, is_idle);
	mailbox_view_close(&view);
	restart(w);
}

static void
move(const char *home, const char *from, const char *to)
{
	char old[200], new[200];

	snprintf(old, sizeof(old), "%s/%s", home, from);
	snprintf(new, sizeof(new), "%s/%s", home, to);
	assert_int_equal(rename(old, new), 0);
}

/* What was kept is what is there. */
static void
put_back(struct world *w, const struct kept *kept)
{
	assert_true(kept->is_there);
	kill_worker(w);
	scratch_remove(w->home);
	assert_int_equal(rename(kept->path, w->home), 0);
}

static void
check_now(struct world *w, bool is_seen, uint64_t batches)
{
	struct mailbox_row row = { 0 };
	struct mailbox_view *view;

	view = open_view(w, "INBOX");
	assert_true(mailbox_row(view, 1, &row));
	assert_int_equal(row.flags & FLAG_SEEN, is_seen ? FLAG_SEEN : 0);
	mailbox_view_close(&view);
	wait_for(w, is_idle);
	assert_true(is_there(w, is_seen ? seen : unseen));
	assert_int_equal(false_store_batches(w->store), batches);
}

static void
check(struct world *w, bool is_seen, uint64_t batches)
{
	open_account(w);
	wait_for(w, is_idle);
	check_now(w, is_seen, batches);
}

static void
kill_while_it_is_renamed(struct world *w, bool was_seen, bool is_renamed)
{
	struct kept kept = { .w = w };
	uint64_t batches;

	begin(w, was_seen ? seen : unseen);
	file_set_fault_hook(keep, &kept);
	change(w, was_seen ? FLAGS_REMOVE : FLAGS_ADD);
	file_set_fault_hook(NULL, NULL);
	change(w, was_seen ? FLAGS_ADD : FLAGS_REMOVE);
	batches = false_store_batches(w->store);
	put_back(w, &kept);
	if (is_renamed)
		move(w->home, was_seen ? seen : unseen,
		    was_seen ? unseen : seen);
	check(w, was_seen, batches);
}

static void
a_kill_before_a_rename_is_no_wish(void **state)
{
	kill_while_it_is_renamed(*state, false, false);
}

static void
a_kill_behind_a_rename_is_no_wish(void **state)
{
	kill_while_it_is_renamed(*state, false, true);
}

static void
nor_is_one_that_took_a_flag_away(void **state)
{
	kill_while_it_is_renamed(*state, true, true);
}

/* It ends with the next look: another program's wish counts again. */
static void
what_others_wish_behind_the_next_start_counts(void **state)
{
	struct world *w = *state;
	struct kept kept = { .w = w };
	uint64_t batches;

	begin(w, unseen);
	file_set_fault_hook(keep, &kept);
	change(w, FLAGS_ADD);
	file_set_fault_hook(NULL, NULL);
	batches = false_store_batches(w->store);
	put_back(w, &kept);
	move(w->home, unseen, seen);
	check(w, true, batches);
	kill_worker(w);
	move(w->home, seen, unseen);
	check(w, false, batches + 1);
}

static int
no_room(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "reserve") == 0 ? ENOSPC : 0;
}

static bool
is_named(struct world *w)
{
	return is_there(w, seen);
}

/* Where it cannot be noted that the name is ours, it stays as it was; what was
 * answered is so all the same, also after a kill, and when there is room again
 * the name follows. */
static void
without_room_for_the_note_the_name_stays(void **state)
{
	struct world *w = *state;

	begin(w, unseen);
	file_set_fault_hook(no_room, NULL);
	restart(w);
	change(w, FLAGS_ADD);
	assert_true(is_there(w, unseen));
	kill_worker(w);
	open_account(w);
	wait_for(w, is_idle);
	assert_true(is_there(w, unseen));
	file_set_fault_hook(NULL, NULL);
	wait_for(w, is_named);
	check_now(w, true, false_store_batches(w->store));
}

int
main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_kill_before_a_rename_is_no_wish),
		TEST(a_kill_behind_a_rename_is_no_wish),
		TEST(nor_is_one_that_took_a_flag_away),
		TEST(what_others_wish_behind_the_next_start_counts),
		TEST(without_room_for_the_note_the_name_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
