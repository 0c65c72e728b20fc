/*
 * Views whose session sleeps: what happened meanwhile, in whatever worker, is
 * what the view that was recalled tells, no more and no less; and who sleeps
 * hears that something happened.
 */
#include "imapd/mailbox_keys.h"
#include "tests/unit/account_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
changed(struct mailbox_view *view, void *context)
{
}

static const struct mailbox_view_handler handler = { changed };

static void
fill(struct world *w, const char *mailbox, int count)
{
	for (int i = 0; i < count; i++)
		append_to(w, mailbox, "Subject: x\r\n\r\nx\r\n");
}

static void
set_flags(struct world *w, struct mailbox_view *view, uint32_t uid,
    uint32_t flags, const char *keyword)
{
	struct text name = text_of(keyword);
	struct flag_change change = { .mode = FLAGS_REPLACE,
		.flags = flags,
		.keywords = &name,
		.keyword_count = name.size > 0 };

	w->answers = 0;
	mailbox_change_flags(view, &uid, 1, &change, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
}

/* All updates: "-2 +7 r1 f3 k0 u0". */
static const char *
news(struct mailbox_view *view)
{
	static const char kinds[] = { '-', '+', 'r', 'f', 'k', 'u' };
	static char text[200];
	struct mailbox_update update;

	text[0] = '\0';
	while (mailbox_view_next_update(view, true, &update))
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s%c%zu", text[0] != '\0' ? " " : "", kinds[update.kind],
		    update.number);
	return text;
}

static void
to_sleep(struct mailbox_view **view, struct pool *pool,
    struct mailbox_memory *memory)
{
	memset(memory, 0, sizeof(*memory));
	mailbox_view_remember(*view, pool, memory);
	mailbox_view_close(view);
}

static struct mailbox_view *
recall(struct world *w, const struct mailbox_memory *memory)
{
	enum status status;
	struct mailbox_view *view =
	    mailbox_view_recall(w->account, memory, &handler, NULL, &status);

	assert_int_equal(status, STATUS_OK);
	return view;
}

/* Five messages, of which the view was told, and it sleeps. */
static void
begin_asleep(struct world *w, struct pool *pool, struct mailbox_memory *memory)
{
	struct mailbox_view *view;

	fill(w, "INBOX", 5);
	view = open_view(w, "INBOX");
	news(view);
	to_sleep(&view, pool, memory);
}

static void
where_nothing_happened_nothing_is_told(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	restart(w);
	view = recall(w, &memory);
	assert_false(mailbox_view_has_updates(view, true));
	assert_string_equal(news(view), "");
	assert_int_equal(mailbox_view_count(view), 5);
	assert_int_equal(mailbox_view_recent_count(view), 5);
	mailbox_view_close(&view);
	pool_free(&pool);
}

/* By numbers that the client has, and in the order in which IMAP wants it. */
static void
what_happened_in_other_workers_is_told(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	restart(w);
	view = open_view(w, "INBOX");
	delete_message(w, view, 2);
	set_flags(w, view, 4, FLAG_SEEN, "new");
	mailbox_view_close(&view);
	restart(w);
	fill(w, "INBOX", 2);
	view = recall(w, &memory);
	assert_true(mailbox_view_has_updates(view, true));
	assert_int_equal(mailbox_view_count(view), 5);
	assert_int_equal(mailbox_view_uid(view, 2), 2);
	assert_string_equal(news(view), "k0 -2 +6 r6 f3");
	assert_false(mailbox_view_has_updates(view, true));
	assert_string_equal(news(view), "");
	mailbox_view_close(&view);
	pool_free(&pool);
}

/* Between two commands a client may not have been told yet; it sleeps on
 * that. */
static void
what_was_not_told_yet_is_told_later(void **state)
{
	struct mailbox_view *view, *other;
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_update update;
	struct world *w = *state;

	fill(w, "INBOX", 3);
	view = open_view(w, "INBOX");
	other = open_view(w, "INBOX");
	delete_message(w, other, 1);
	set_flags(w, other, 3, FLAG_SEEN, "");
	/* As before the answer to FETCH: no EXPUNGE. */
	assert_true(mailbox_view_next_update(view, false, &update));
	assert_int_equal(update.kind, UPDATE_FLAGS);
	assert_int_equal(update.number, 3);
	assert_false(mailbox_view_next_update(view, false, &update));
	fill(w, "INBOX", 1);
	mailbox_view_close(&other);
	to_sleep(&view, pool, &memory);
	restart(w);
	view = recall(w, &memory);
	assert_string_equal(news(view), "-1 +3");
	mailbox_view_close(&view);
	pool_free(&pool);
}

static void
all_that_vanished_is_taken_at_once(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;
	uint32_t uids[10];

	begin_asleep(w, pool, &memory);
	view = open_view(w, "INBOX");
	delete_message(w, view, 2);
	delete_message(w, view, 5);
	mailbox_view_close(&view);
	restart(w);
	view = recall(w, &memory);
	assert_int_equal(mailbox_view_take_expunged(view, uids, 10), 2);
	assert_int_equal(uids[0], 2);
	assert_int_equal(uids[1], 5);
	assert_string_equal(news(view), "");
	mailbox_view_close(&view);
	pool_free(&pool);
}

/* They are news of one session only. */
static void
recent_messages_stay_recent_and_new_ones_become_so_once(void **state)
{
	struct mailbox_view *view, *other;
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	restart(w);
	fill(w, "INBOX", 1);
	other = open_view(w, "INBOX");
	assert_int_equal(mailbox_view_recent_count(other), 1);
	view = recall(w, &memory);
	assert_string_equal(news(view), "+6");
	assert_int_equal(mailbox_view_recent_count(view), 5);
	assert_true(mailbox_view_is_recent(view, 5));
	assert_false(mailbox_view_is_recent(view, 6));
	mailbox_view_close(&view);
	mailbox_view_close(&other);
	pool_free(&pool);
}

static void
a_lost_index_changes_nothing_for_who_sleeps(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;

	begin_asleep(w, pool, &memory);
	view = open_view(w, "INBOX");
	delete_message(w, view, 3);
	mailbox_view_close(&view);
	lose_index(w);
	view = recall(w, &memory);
	assert_int_equal(
	    mailbox_view_take_expunged(view, &(uint32_t){ 0 }, 1), 1);
	assert_int_equal(mailbox_view_count(view), 4);
	mailbox_view_close(&view);
	pool_free(&pool);
}

static void
a_mailbox_that_is_gone_or_another_is_told_to_be(void **state)
{
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;
	struct mailbox_row row;

	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	fill(w, "A", 2);
	view = open_view(w, "A");
	to_sleep(&view, pool, &memory);
	for (int i = 0; i < 2; i++) {
		memory.uidvalidity += i == 0 ? 1 : -1;
		view = recall(w, &memory);
		assert_true(mailbox_view_is_gone(view));
		assert_int_equal(mailbox_view_uid(view, 2), 2);
		assert_false(mailbox_row(view, 2, &row));
		/* It may sleep once more. */
		to_sleep(&view, pool, &memory);
		view = recall(w, &memory);
		assert_string_equal(news(view), "-1 -1");
		mailbox_view_close(&view);
		mailbox_list_delete(w->account, TEXT("A"), answered, w);
		wait_for(w, is_idle);
	}
	pool_free(&pool);
}

/* URLs that it gave out are void by then. */
static void
a_new_key_is_told_when_it_came_in_whose_sleep(void **state)
{
	static const bool is_told[] = { false, true, true };
	uint8_t key[MAILBOX_KEY_SIZE];
	struct pool *pool = pool_new();
	struct mailbox_memory memory;
	struct mailbox_view *view;
	struct world *w = *state;
	uint64_t inbox;

	inbox = mailbox_list_find(w->account, TEXT("INBOX"))->id;
	assert_int_equal(mailbox_key_get(w->account, inbox, key), STATUS_OK);
	/* None; one while it slept; and one that it had not been told of. */
	for (int i = 0; i < 3; i++) {
		view = open_view(w, "INBOX");
		if (i == 2)
			assert_int_equal(
			    mailbox_key_reset(w->account, inbox), STATUS_OK);
		to_sleep(&view, pool, &memory);
		if (i == 1)
			assert_int_equal(
			    mailbox_key_reset(w->account, inbox), STATUS_OK);
		restart(w);
		view = recall(w, &memory);
		assert_string_equal(news(view), is_told[i] ? "u0" : "");
		mailbox_view_close(&view);
	}
	pool_free(&pool);
}

/* ---- Who is told that something happened ---- */

static char told[200];

/* "3new " */
static void
tell(uint64_t mailbox, unsigned int what, void *context)
{
	static const char *const kinds[] = { "new", "expunge", "flags", "name",
		"subscription", "key", "gone" };
	size_t kind = 0;

	while (what >> (kind + 1) != 0)
		kind++;
	assert_int_equal(what, 1 << kind);
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%llu%s ",
	    (unsigned long long)mailbox, kinds[kind]);
}

static uint64_t
id_of(struct world *w, const char *name)
{
	return mailbox_list_find(w->account, text_of(name))->id;
}

/* `form` with the numbers of INBOX and A. */
static void
assert_told(const char *form, uint64_t inbox, uint64_t a)
{
	char expected[200], *at = expected;

	for (; *form != '\0'; form++) {
		if (*form == 'I' || *form == 'A')
			at += sprintf(at, "%llu",
			    (unsigned long long)(*form == 'I' ? inbox : a));
		else
			*at++ = *form;
	}
	*at = '\0';
	assert_string_equal(told, expected);
	told[0] = '\0';
}

static void
each_thing_that_happens_to_a_mailbox_is_said_once(void **state)
{
	struct world *w = *state;
	struct mailbox_view *view;
	uint64_t inbox = id_of(w, "INBOX"), a;

	told[0] = '\0';
	mailbox_list_create(w->account, TEXT("A"), 0, answered, w);
	wait_for(w, is_idle);
	fill(w, "INBOX", 1);
	a = id_of(w, "A");
	account_store_watch(w->account, tell, NULL);
	fill(w, "INBOX", 2);
	fill(w, "A", 1);
	fill(w, "INBOX", 1);
	view = open_view(w, "INBOX");
	set_flags(w, view, 2, FLAG_SEEN, "");
	set_flags(w, view, 3, FLAG_SEEN, "new");
	assert_told("Inew Anew Iflags ", inbox, a);
	/* They were woken, and sleep again. */
	account_store_watch(w->account, tell, NULL);
	set_flags(w, view, 3, 0, "");
	delete_message(w, view, 2);
	mailbox_view_close(&view);
	assert_int_equal(mailbox_key_reset(w->account, inbox), STATUS_OK);
	assert_told("Iflags Iexpunge Ikey ", inbox, a);
	mailbox_list_rename(w->account, TEXT("A"), TEXT("B"), answered, w);
	wait_for(w, is_idle);
	mailbox_list_subscribe(w->account, TEXT("C"), true, answered, w);
	wait_for(w, is_idle);
	assert_told("0name 0subscription ", inbox, a);
	account_store_watch(w->account, tell, NULL);
	mailbox_list_delete(w->account, TEXT("B"), answered, w);
	wait_for(w, is_idle);
	assert_told("Agone 0name ", inbox, a);
}

/* A worker that died told nobody: the next one hears of it from the store. */
static void
what_a_killed_worker_did_is_said_by_the_next(void **state)
{
	struct world *w = *state;
	uint64_t inbox = id_of(w, "INBOX");

	told[0] = '\0';
	fill(w, "INBOX", 1);
	kill_worker(w);
	begin_account(w);
	account_store_watch(w->account, tell, NULL);
	wait_for(w, is_ready);
	wait_for(w, is_idle);
	assert_int_equal(message_count(w, "INBOX"), 1);
	assert_int_equal(strtoull(told, NULL, 10), inbox);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nothing_happened_nothing_is_told),
		TEST(what_happened_in_other_workers_is_told),
		TEST(what_was_not_told_yet_is_told_later),
		TEST(all_that_vanished_is_taken_at_once),
		TEST(recent_messages_stay_recent_and_new_ones_become_so_once),
		TEST(a_lost_index_changes_nothing_for_who_sleeps),
		TEST(a_mailbox_that_is_gone_or_another_is_told_to_be),
		TEST(a_new_key_is_told_when_it_came_in_whose_sleep),
		TEST(each_thing_that_happens_to_a_mailbox_is_said_once),
		TEST(what_a_killed_worker_did_is_said_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
