/*
 * The past as a worker's sessions see it, against the real snapshot process:
 * what was deleted is opened, read and copied back.  And the pure names.
 */
#include "imapd/snapshot_mailbox.h"

#include "imapd/account_state.h"
#include "imapd/loss_notice.h"
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum {
	MANY = 60
};

static const struct mailbox_view_handler handler;

struct opening {
	struct world *world;
	enum status status;
	struct mailbox_view *view;
};

static void
opened(enum status status, struct mailbox_view *view, void *context)
{
	struct opening *opening = context;

	opening->status = status;
	opening->view = view;
	opening->world->answers++;
}

static struct mailbox_view *
open_deleted(struct world *w)
{
	struct opening opening = { .world = w };

	w->answers = 0;
	snapshot_open(w->account, TEXT(SNAPSHOT_DELETED_MAIL), &handler, NULL,
	    opened, &opening);
	wait_for(w, has_answer);
	assert_int_equal(opening.status, STATUS_OK);
	return opening.view;
}

static void
append_marked(struct world *w, const char *mailbox, const char *keyword)
{
	const struct text keywords[] = { text_of(keyword) };
	struct append *append = append_begin(w->account, text_of(mailbox));

	append_message(append, FLAG_ANSWERED, keywords, 1, 1500000000);
	w->answers = 0;
	append_write(append, "Subject: x\r\n\r\nbody\r\n", 20);
	append_commit(&append, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
delete_all(struct world *w, const char *mailbox)
{
	struct flag_change change = { .mode = FLAGS_ADD,
		.flags = FLAG_DELETED };
	struct mailbox_view *view = open_view(w, mailbox);
	uint32_t uids[MANY];
	size_t count = mailbox_view_count(view);

	for (size_t i = 0; i < count; i++)
		uids[i] = mailbox_view_uid(view, i + 1);
	w->answers = 0;
	mailbox_change_flags(view, uids, count, &change, answered, w);
	wait_for(w, has_answer);
	w->answers = 0;
	mailbox_expunge(view, NULL, 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	mailbox_view_close(&view);
}

static void
create(struct world *w, const char *name)
{
	w->answers = 0;
	mailbox_list_create(w->account, text_of(name), 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

static void
copy(struct world *w, struct mailbox_view *view, const uint32_t *uids,
    size_t count)
{
	w->answers = 0;
	mailbox_copy(view, uids, count, TEXT("INBOX"), false, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->count, count);
}

static bool
has_keyword(
    const struct mailbox_view *view, uint32_t uid, size_t number, bool only)
{
	struct mailbox_row row;

	assert_true(mailbox_row(view, uid, &row));
	return only ? row.keywords == (uint64_t)1 << number
		    : (row.keywords >> number & 1) != 0;
}

/* -- Tests -- */

static void
deleted_mail_comes_back_with_date_flags_and_keywords(void **state)
{
	static const uint32_t both[] = { 1, 2 };
	struct world *w = *state;
	struct mailbox_view *past, *inbox;
	const struct mailbox_info *info;
	struct mailbox_row row;
	struct stat st;
	char name[900];

	create(w, "Work");
	append_marked(w, "INBOX", "first");
	append_marked(w, "Work", "second");
	delete_all(w, "INBOX");
	delete_all(w, "Work");
	past = open_deleted(w);
	info = mailbox_view_info(past);
	assert_int_equal(mailbox_view_count(past), 2);
	assert_int_equal(info->uidnext, 3);
	assert_int_equal(info->highest_modseq, 2);
	assert_int_equal(info->keyword_count, 2);
	assert_true(has_keyword(past, 1, 0, true));
	assert_true(has_keyword(past, 2, 1, true));
	assert_true(mailbox_row(past, 1, &row));
	assert_int_equal(row.flags, FLAG_ANSWERED);
	assert_body(w, past, 2, "Subject: x\n\nbody\n");
	copy(w, past, both, 2);
	assert_int_equal(w->target_uid, 2);
	mailbox_view_close(&past);
	inbox = open_view(w, "INBOX");
	assert_true(mailbox_row(inbox, 3, &row));
	assert_int_equal(row.flags, FLAG_ANSWERED);
	assert_int_equal(row.internaldate, 1500000000);
	assert_int_equal(row.size, 20);
	assert_true(has_keyword(inbox, 2, 0, true));
	assert_true(has_keyword(inbox, 3, 1, true));
	mailbox_view_close(&inbox);
	wait_for(w, is_idle);
	assert_int_equal(count_files(w, "Maildir", name), 2);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mtime, 1500000000);
	assert_int_equal(st.st_size, 17);
}

static bool
has_batches(struct world *w)
{
	return false_store_batches(w->store) >= w->changed;
}

static void
a_copy_whose_answer_got_lost_is_made_once(void **state)
{
	static const uint32_t uid = 1;
	struct world *w = *state;
	struct mailbox_view *past;

	append_marked(w, "INBOX", "k");
	delete_all(w, "INBOX");
	past = open_deleted(w);
	false_store_lose_answers(w->store, true);
	w->changed = false_store_batches(w->store) + 1;
	w->answers = 0;
	mailbox_copy(past, &uid, 1, TEXT("INBOX"), false, answered, w);
	wait_for(w, has_batches);
	false_store_lose_answers(w->store, false);
	account_store_attach_snapd(w->account, false_store_connect(w->store));
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	assert_int_equal(w->target_uid, 2);
	mailbox_view_close(&past);
	wait_for(w, is_idle);
	assert_int_equal(false_store_live(w->store, 1), 1);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
}

static void
many_copies_are_not_taken_for_missing_files(void **state)
{
	struct world *w = *state;
	struct mailbox_counts counts;
	struct mailbox_view *past;
	uint32_t uids[MANY];

	for (uint32_t i = 0; i < MANY; i++) {
		append_to(w, "INBOX", "Subject: x\r\n\r\nx\r\n");
		uids[i] = i + 1;
	}
	delete_all(w, "INBOX");
	past = open_deleted(w);
	copy(w, past, uids, MANY);
	/* Looks at the folder while its files are being made. */
	mailbox_list_count(
	    w->account, mailbox_list_find(w->account, TEXT("INBOX")), &counts);
	assert_int_equal(counts.messages, MANY);
	wait_for(w, is_idle);
	assert_int_equal(false_store_marked(w->store), 0);
	assert_int_equal(count_files(w, "Maildir", NULL), MANY);
	mailbox_view_close(&past);
}

static void
a_deleted_message_is_parsed_once(void **state)
{
	struct world *w = *state;
	struct mailbox_view *past;
	struct text bytes;

	append_to(w, "INBOX", "Subject: cached\r\n\r\nx\r\n");
	delete_all(w, "INBOX");
	past = open_deleted(w);
	assert_true(mailbox_cache_find(past, 1, &bytes));
	mailbox_view_close(&past);
	account_store_free(&w->account);
	lose_index(w);
	open_account(w);
	past = open_deleted(w);
	assert_false(mailbox_cache_find(past, 1, &bytes));
	mailbox_cache_put(past, 1, TEXT("parsed"));
	assert_true(mailbox_cache_find(past, 1, &bytes));
	assert_true(text_is(bytes, "parsed"));
	mailbox_view_close(&past);
}

static void
numbers_of_another_incarnation_have_another_uidvalidity(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint32_t inbox =
	    mailbox_list_find(w->account, TEXT("INBOX"))->uidvalidity;

	view = open_deleted(w);
	assert_int_equal(mailbox_view_info(view)->uidvalidity, inbox);
	mailbox_view_close(&view);
	w->account->meta.incarnation = ((uint64_t)inbox + 5) * 1000000 + 17;
	view = open_deleted(w);
	assert_int_equal(mailbox_view_info(view)->uidvalidity, inbox + 5);
	mailbox_view_close(&view);
}

static void
sessions_that_look_at_the_same_share_it(void **state)
{
	struct world *w = *state;
	struct mailbox_view *first, *second, *third;

	append_to(w, "INBOX", "x\r\n");
	delete_all(w, "INBOX");
	first = open_deleted(w);
	second = open_deleted(w);
	assert_ptr_equal(first->folder, second->folder);
	append_to(w, "INBOX", "y\r\n");
	delete_all(w, "INBOX");
	third = open_deleted(w);
	assert_ptr_not_equal(first->folder, third->folder);
	assert_int_equal(mailbox_view_count(third), 2);
	mailbox_view_close(&first);
	assert_int_equal(mailbox_view_count(second), 1);
	assert_body(w, second, 1, "x\n");
	mailbox_view_close(&second);
	mailbox_view_close(&third);
	assert_null(w->account->past_folders);
}

static void
parses_of_the_deleted_go_when_they_are_too_many(void **state)
{
	struct world *w = *state;
	struct mailbox_view *past, *inbox;
	struct text bytes;

	append_to(w, "INBOX", "Subject: gone\r\n\r\nx\r\n");
	delete_all(w, "INBOX");
	append_to(w, "INBOX", "Subject: live\r\n\r\nx\r\n");
	past = open_deleted(w);
	inbox = open_view(w, "INBOX");
	index_trim_cache(w->account->index, 1);
	assert_true(mailbox_cache_find(past, 1, &bytes));
	delete_all(w, "INBOX");
	append_to(w, "INBOX", "Subject: live\r\n\r\nx\r\n");
	index_trim_cache(w->account->index, 0);
	assert_false(mailbox_cache_find(past, 1, &bytes));
	assert_true(mailbox_cache_find(inbox, 3, &bytes));
	mailbox_view_close(&past);
	mailbox_view_close(&inbox);
}

static void
a_view_of_the_past_outlives_the_store_and_says_so(void **state)
{
	struct world *w = *state;
	struct opening opening = { .world = w };
	struct mailbox_view *past;
	struct mailbox_row row;

	append_to(w, "INBOX", "x\r\n");
	delete_all(w, "INBOX");
	past = open_deleted(w);
	snapshot_open(w->account, TEXT(SNAPSHOT_DELETED_MAIL), &handler, NULL,
	    opened, &opening);
	snapshot_cancel(w->account, &opening);
	wait_for(w, is_idle);
	assert_null(opening.view);
	w->answers = 0;
	snapshot_open(w->account, TEXT("Snapshots/never/INBOX"), &handler, NULL,
	    opened, &opening);
	wait_for(w, has_answer);
	assert_int_equal(opening.status, STATUS_MISSING);
	assert_true(mailbox_row(past, 1, &row));
	mailbox_view_close(&past);
}

/* ---- Whose session sleeps ---- */

static struct mailbox_view *
recall(struct world *w, const struct mailbox_memory *memory, enum status status)
{
	struct opening opening = { .world = w };

	w->answers = 0;
	snapshot_recall(w->account, memory, &handler, NULL, opened, &opening);
	wait_for(w, has_answer);
	assert_int_equal(opening.status, status);
	return opening.view;
}

/* Three deleted messages, of which it knows. */
static void
begin_asleep(struct world *w, struct pool *pool, struct mailbox_memory *memory)
{
	struct mailbox_view *view;

	for (int i = 0; i < 3; i++)
		append_to(w, "INBOX", "Subject: x\r\n\r\nx\r\n");
	delete_all(w, "INBOX");
	view = open_deleted(w);
	memset(memory, 0, sizeof(*memory));
	mailbox_view_remember(view, pool, memory);
	mailbox_view_close(&view);
}

static void
what_is_deleted_while_it_sleeps_is_not_in_its_view(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	append_marked(w, "INBOX", "later");
	delete_all(w, "INBOX");
	restart(w);
	view = recall(w, &memory, STATUS_OK);
	assert_true(mailbox_view_is_past(view));
	assert_true(mailbox_view_is_read_only(view));
	assert_int_equal(mailbox_view_count(view), 3);
	assert_false(mailbox_view_has_updates(view, true));
	assert_body(w, view, 3, "Subject: x\n\nx\n");
	mailbox_view_close(&view);
	/* Nothing at all was deleted then. */
	memory.past_sequence = 0;
	memory.uids.count = 0;
	view = recall(w, &memory, STATUS_OK);
	assert_int_equal(mailbox_view_count(view), 0);
	assert_false(mailbox_view_has_updates(view, true));
	mailbox_view_close(&view);
	assert_null(w->account->past_folders);
	pool_free(&pool);
}

/* By number, as ever, until it hears of it. */
static void
what_is_forgotten_while_it_sleeps_looks_expunged(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_update update;
	struct mailbox_view *view;
	struct mailbox_row row;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	/* The last one; then all, and the mailbox that they were in. */
	memory.past_sequence = 2;
	for (int i = 0; i < 2; i++) {
		view = recall(w, &memory, STATUS_OK);
		assert_int_equal(mailbox_view_count(view), 3);
		assert_int_equal(mailbox_view_uid(view, 3), 3);
		assert_int_equal(mailbox_row(view, 2, &row), i == 0);
		assert_false(mailbox_row(view, 3, &row));
		assert_true(mailbox_view_next_update(view, true, &update));
		assert_int_equal(update.kind, UPDATE_EXPUNGE);
		assert_int_equal(update.number, i == 0 ? 3 : 1);
		mailbox_view_close(&view);
		memory.mailbox = 12345;
	}
	pool_free(&pool);
}

static void
numbers_of_another_incarnation_are_not_taken_for_its_own(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	memory.uidvalidity++;
	assert_null(recall(w, &memory, STATUS_MISSING));
	pool_free(&pool);
}

static void
append_many(struct world *w, const char *mailbox, size_t count)
{
	while (count-- > 0)
		append_to(w, mailbox, "Subject: x\r\n\r\nx\r\n");
}

static void
a_bulk_loss_is_explained_once_a_day(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;

	account_store_set_owner(w->account, TEXT("a@demo.test"));
	append_many(w, "INBOX", 20);
	delete_all(w, "INBOX");
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 0);
	append_many(w, "INBOX", 21);
	delete_all(w, "INBOX");
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 1);
	view = open_view(w, "INBOX");
	assert_body(w, view, 42, w->body);
	assert_non_null(strstr(w->body, "To: <a@demo.test>"));
	mailbox_view_close(&view);
	assert_int_equal(count_files(w, "Maildir", NULL), 1);
	/* Neither this worker nor the next one says it again. */
	for (int i = 0; i < 2; i++) {
		append_many(w, "INBOX", 21);
		delete_all(w, "INBOX");
		wait_for(w, is_idle);
		assert_int_equal(message_count(w, "INBOX"), 0);
		restart(w);
		account_store_set_owner(w->account, TEXT("a@demo.test"));
	}
	assert_int_equal(count_files(w, "Maildir", NULL), 0);
}

static void
an_emptied_wastebasket_is_no_loss(void **state)
{
	struct world *w = *state;

	account_store_set_owner(w->account, TEXT("a@demo.test"));
	w->answers = 0;
	mailbox_list_create(
	    w->account, TEXT("Bin"), SPECIAL_USE_TRASH, answered, w);
	wait_for(w, has_answer);
	append_many(w, "Bin", 25);
	delete_all(w, "Bin");
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 0);
}

static void
the_letter_says_what_and_where(void **state)
{
	static const char *const parts[] = { "From: Mail server "
					     "<postmaster@demo.test>\n",
		"To: <a@demo.test>\n",
		"Subject: 37 messages were deleted at once\n",
		"Date: Tue, 14 Nov 2023 22:13:20 +0000\n",
		"Message-ID: <deleted-1700000000.a@demo.test>\n",
		"Auto-Submitted: auto-generated\n",
		"\n\nAt 2023-11-14 22:13:20 UTC ",
		"deleted 37 of the 120 messages in the folder\n\n"
		"    Gr\xc3\xbc\xc3\x9f"
		"e\n\n",
		"    Snapshots/Deleted mail\n" };
	struct loss_notice notice = { .time = 1700000000,
		.owner = TEXT("a@demo.test"),
		.mailbox = TEXT("Gr\xc3\xbc\xc3\x9f"
				"e"),
		.lost = 37,
		.of = 120 };
	struct buf letter;

	buf_init(&letter, 8192);
	assert_int_equal(loss_notice_format(&notice, &letter), 0);
	buf_put_byte(&letter, '\0');
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		assert_non_null(strstr((char *)letter.data, parts[i]));
	assert_null(strchr((char *)letter.data, '\r'));
	buf_clear(&letter);
	buf_init(&letter, 100);
	assert_int_equal(loss_notice_format(&notice, &letter), -1);
	buf_clear(&letter);
}

static void
names_of_the_past_are_told_from_others(void **state)
{
	static const struct {
		const char *name;
		bool is_past;
		const char *tree;
		const char *mailbox;
	} names[] = {
		{ "Snapshots", true, NULL, NULL },
		{ "Snapshots/", true, NULL, NULL },
		{ "Snapshots/x", true, NULL, NULL },
		{ "Snapshots/x/", true, NULL, NULL },
		{ "Snapshots/x/y", true, "x", "y" },
		{ "Snapshots/x/y/z", true, "x", "y/z" },
		{ "Snapshotsx", false, NULL, NULL },
		{ "snapshots/x/y", false, NULL, NULL },
		{ "Snapshot", false, NULL, NULL },
		{ "", false, NULL, NULL },
		{ "a/Snapshots/x/y", false, NULL, NULL },
	};
	char name[SNAPSHOT_TREE_SIZE];
	struct text tree, mailbox;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct text text = text_of(names[i].name);

		assert_int_equal(snapshot_name_is(text), names[i].is_past);
		assert_int_equal(snapshot_name_split(text, &tree, &mailbox),
		    names[i].tree != NULL);
		if (names[i].tree == NULL)
			continue;
		assert_true(text_is(tree, names[i].tree));
		assert_true(text_is(mailbox, names[i].mailbox));
	}
	snapshot_name_format(1700000000, TEXT(""), name);
	assert_string_equal(name, "2023-11-14 22:13:20 UTC");
	snapshot_name_format(0, TEXT("1a2b3c4d"), name);
	assert_string_equal(name, "1970-01-01 00:00:00 UTC 1a2b3c4d");
	snapshot_name_format(
	    INT64_MIN, TEXT("0123456789abcdef0123456789abcdef"), name);
	assert_int_equal(strlen(name), 56);
}

static void
patterns_ask_for_the_past_by_its_root(void **state)
{
	static const struct {
		const char *pattern;
		bool is_asked;
	} patterns[] = { { "*", false }, { "%", false }, { "Snap*", false },
		{ "Snapshots", true }, { "Snapshots*", true },
		{ "Snapshots%", true }, { "Snapshots/%", true },
		{ "Snapshots/2026*", true }, { "Snapshotsx*", false },
		{ "*Snapshots", false }, { "", false } };

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		assert_int_equal(
		    snapshot_name_is_asked(text_of(patterns[i].pattern)),
		    patterns[i].is_asked);
}

int
main(void)
{
#define TEST_CASE(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST_CASE(deleted_mail_comes_back_with_date_flags_and_keywords),
		TEST_CASE(a_copy_whose_answer_got_lost_is_made_once),
		TEST_CASE(many_copies_are_not_taken_for_missing_files),
		TEST_CASE(a_deleted_message_is_parsed_once),
		TEST_CASE(
		    numbers_of_another_incarnation_have_another_uidvalidity),
		TEST_CASE(sessions_that_look_at_the_same_share_it),
		TEST_CASE(parses_of_the_deleted_go_when_they_are_too_many),
		TEST_CASE(a_view_of_the_past_outlives_the_store_and_says_so),
		TEST_CASE(what_is_deleted_while_it_sleeps_is_not_in_its_view),
		TEST_CASE(what_is_forgotten_while_it_sleeps_looks_expunged),
		TEST_CASE(
		    numbers_of_another_incarnation_are_not_taken_for_its_own),
		TEST_CASE(a_bulk_loss_is_explained_once_a_day),
		TEST_CASE(an_emptied_wastebasket_is_no_loss),
		cmocka_unit_test(the_letter_says_what_and_where),
		cmocka_unit_test(names_of_the_past_are_told_from_others),
		cmocka_unit_test(patterns_ask_for_the_past_by_its_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
