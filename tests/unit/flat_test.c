/*
 * What a worker does for one message does not grow with its mailbox: the first
 * SELECT of a worker that has just started, a session that wakes, a FETCH, a
 * STORE, an APPEND and an EXPUNGE of one message, STATUS.  Counted, not timed:
 * calls of LMDB, rows that are read, steps through ranges of UIDs, and bytes of
 * memory, in mailboxes of which one is ten times as large as the other.
 */
#include "common/file.h"
#include "common/memory.h"
#include "imapd/account_state.h"
#include "imapd/message_index_file.h"
#include "tests/unit/account_world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	SMALL = 3000,
	LARGE = 10 * SMALL,
	GAPS = 20, /* in either */
	STORED = SMALL / 2 + 1,
	EXPUNGED = 3
};

/* -- What is counted -- */

static struct {
	unsigned long steps;
	unsigned long bytes;
	unsigned long puts;
} done;

#define COUNTED(type, name, parameters, arguments) \
	type __real_##name parameters;             \
	type __wrap_##name parameters;             \
	type __wrap_##name parameters              \
	{                                          \
		done.steps++;                      \
		return __real_##name arguments;    \
	}

COUNTED(int, mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
    (txn, dbi, key, data))
COUNTED(int, mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *data),
    (txn, dbi, key, data))
COUNTED(int, mdb_cursor_get,
    (MDB_cursor * cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op),
    (cursor, key, data, op))
COUNTED(int, mdb_cursor_put,
    (MDB_cursor * cursor, MDB_val *key, MDB_val *data, unsigned int flags),
    (cursor, key, data, flags))
COUNTED(int, mdb_cursor_del, (MDB_cursor * cursor, unsigned int flags),
    (cursor, flags))
COUNTED(uint32_t, uid_ranges_uid, (struct uid_ranges * uids, size_t number),
    (uids, number))
COUNTED(size_t, uid_ranges_number_from,
    (struct uid_ranges * uids, uint32_t uid), (uids, uid))

int __real_mdb_put(
    MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags);
int __wrap_mdb_put(
    MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags);
void __real_index_row_decode(const uint8_t *bytes, struct index_row *row);
void __wrap_index_row_decode(const uint8_t *bytes, struct index_row *row);
void *__real_memory_new(size_t count, size_t size);
void *__wrap_memory_new(size_t count, size_t size);
void *__real_memory_resize(void *p, size_t count, size_t size);
void *__wrap_memory_resize(void *p, size_t count, size_t size);

int
__wrap_mdb_put(
    MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
{
	done.steps++;
	done.puts++;
	return __real_mdb_put(txn, dbi, key, data, flags);
}

void
__wrap_index_row_decode(const uint8_t *bytes, struct index_row *row)
{
	done.steps++;
	__real_index_row_decode(bytes, row);
}

void *
__wrap_memory_new(size_t count, size_t size)
{
	done.bytes += count * size;
	return __real_memory_new(count, size);
}

void *
__wrap_memory_resize(void *p, size_t count, size_t size)
{
	done.bytes += count * size;
	return __real_memory_resize(p, count, size);
}

/* -- A mailbox -- */

static uint64_t inbox;
static uint32_t uidnext;
static uint64_t modseq;

static void
name_of(uint32_t uid, char name[40])
{
	snprintf(name, 40, "%u.of.test:2,", uid);
}

static void
put_message(struct message_index *index, uint32_t uid)
{
	struct index_row row = { .uid = uid,
		.flags = uid % 1000 == 0 ? 0 : FLAG_SEEN,
		.modseq = 2 + uid / 100,
		.size = 1000 };
	struct index_file file = { .born = 1, .stored_size = 2 };
	char name[40];

	name_of(uid, name);
	file.name = text_of(name);
	file.base = text_make(name, strlen(name) - 3);
	index_put_row(index, inbox, &row);
	index_put_file(index, inbox, uid, &file);
	modseq = row.modseq;
}

static void
describe(const struct mailbox_record *record,
    const struct index_mailbox_state *state, void *context)
{
	struct mailbox_record *to = context;

	if (record->id == inbox)
		*to = *record;
}

/* The folder has been looked at, and has not changed since. */
static void
put_inbox(struct world *w, struct message_index *index, size_t count)
{
	static struct mailbox_record record;
	struct index_mailbox_state state = { .first_recent = uidnext };
	struct folder folder = { .directory = (char *)(uintptr_t) "Maildir" };
	struct account_store account = {
		.home_fd = open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
	};
	char name[RECORD_MAX_NAME_SIZE + 1] = "INBOX";
	struct directory_stamp stamp;

	index_each_mailbox(index, describe, &record);
	record.name = text_of(name);
	record.uidnext = uidnext;
	record.highest_modseq = modseq;
	record.message_count = count;
	files_stamp(&account, &folder, "cur", &stamp);
	state.cur_changed_ns = stamp.changed_ns;
	files_stamp(&account, &folder, "new", &stamp);
	state.new_changed_ns = stamp.changed_ns;
	close(account.home_fd);
	index_put_mailbox(index, &record, &state);
}

/* The files are missing but of those that are changed: nobody looks. */
static void
put_files(struct world *w)
{
	static const uint32_t uids[] = { STORED, EXPUNGED };
	char path[60], name[40];

	for (size_t i = 0; i < 2; i++) {
		name_of(uids[i], name);
		snprintf(path, sizeof(path), "Maildir/cur/%s", name);
		put_file(w, path, "x\n");
	}
}

static void
fill(struct world *w, size_t count)
{
	bool was_made, was_unclean;
	struct message_index *index;
	struct error error;
	int home_fd;

	inbox = folder_find(w->account, TEXT("INBOX"))->info.id;
	account_store_free(&w->account);
	put_files(w);
	home_fd = open(w->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	index = index_open(home_fd, &was_made, &was_unclean, &error);
	assert_non_null(index);
	index_begin(index);
	for (uidnext = 1; uidnext <= count; uidnext++)
		if (uidnext % (count / GAPS) != 0)
			put_message(index, uidnext);
	put_inbox(w, index, count - GAPS);
	index_put_subscribed(index, TEXT("A"), true);
	index_put_subscribed(index, TEXT("B"), true);
	index_put_subscribed(index, TEXT("INBOX"), true);
	index_commit(index);
	index_close(&index);
	close(home_fd);
}

/* -- What a worker does -- */

static struct mailbox_view *view;
static struct mailbox_memory memory;
static struct pool *pool;

static void
start(struct world *w)
{
	open_account(w);
}

static void
select_first(struct world *w)
{
	view = open_view(w, "INBOX");
	assert_true(mailbox_view_count(view) > SMALL / 2);
	assert_int_equal(
	    mailbox_view_first_unseen(view), mailbox_view_number(view, 1000));
	assert_int_equal(mailbox_view_recent_count(view), 0);
}

static void
fetch(struct world *w)
{
	struct mailbox_row row;

	assert_true(mailbox_row(view, STORED, &row));
	assert_true(mailbox_row(
	    view, mailbox_view_uid(view, mailbox_view_count(view)), &row));
}

static void
store(struct world *w)
{
	struct message_record record = { .mailbox = inbox,
		.uid = STORED,
		.modseq = ++modseq,
		.flags = FLAG_DELETED };

	apply_flags(w->account, &record, view, false);
	account_store_trim(w->account);
}

static void
take_updates(void)
{
	struct mailbox_update update;

	while (mailbox_view_next_update(view, true, &update))
		;
}

static void
append(struct world *w)
{
	struct message_record record = { .mailbox = inbox,
		.uid = uidnext,
		.modseq = ++modseq,
		.stored_size = 2,
		.size = 3,
		.base = TEXT("new.of.test") };
	struct message_source source = { .fd = -1, .data = TEXT("x\n") };
	size_t before = mailbox_view_count(view);

	uidnext++;
	apply_message(w->account, &record, &source, NULL);
	take_updates();
	assert_int_equal(mailbox_view_count(view), before + 1);
	assert_true(mailbox_view_is_recent(view, record.uid));
}

static void
expunge(struct world *w)
{
	size_t before = mailbox_view_count(view);

	apply_expunge(w->account, inbox, EXPUNGED, ++modseq, false);
	take_updates();
	assert_int_equal(mailbox_view_count(view), before - 1);
}

/* No message has \\Deleted by then: the store is not asked. */
static void
expunge_none(struct world *w)
{
	struct message_record record = { .mailbox = inbox,
		.uid = STORED,
		.modseq = ++modseq,
		.flags = FLAG_SEEN };

	apply_flags(w->account, &record, NULL, false);
	w->answers = 0;
	mailbox_expunge(view, NULL, 0, answered, w);
	wait_for(w, has_answer);
	assert_int_equal(w->status, STATUS_OK);
	take_updates();
}

static void
status(struct world *w)
{
	struct mailbox_counts counts;

	mailbox_list_count(
	    w->account, mailbox_list_find(w->account, TEXT("INBOX")), &counts);
	assert_int_equal(counts.messages, mailbox_view_count(view));
	assert_true(counts.unseen > 1 && counts.unseen < SMALL);
}

/* A folder that changed in the last tick of the clock is looked at whole. */
static bool
is_old(struct world *w)
{
	const struct folder *folder = folder_find(w->account, TEXT("INBOX"));
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec >
	       folder->state.cur_changed_ns + 100000000;
}

static void
sleep_away(struct world *w)
{
	wait_for(w, is_old);
	mailbox_view_remember(view, pool, &memory);
	mailbox_view_close(&view);
	account_store_free(&w->account);
}

static const struct mailbox_view_handler no_handler;

/* What happened meanwhile is that one message has another flag. */
static void
wake(struct world *w)
{
	struct message_record record = { .mailbox = inbox,
		.uid = STORED,
		.modseq = ++modseq,
		.flags = FLAG_FLAGGED };
	struct mailbox_update update;
	enum status opened;

	open_account(w);
	apply_flags(w->account, &record, NULL, false);
	view = mailbox_view_recall(
	    w->account, &memory, &no_handler, NULL, &opened);
	assert_non_null(view);
	assert_true(mailbox_view_next_update(view, true, &update));
	assert_int_equal(update.kind, UPDATE_FLAGS);
	assert_int_equal(update.uid, STORED);
	assert_false(mailbox_view_next_update(view, true, &update));
}

static const struct {
	const char *name;
	void (*run)(struct world *w);
} steps[] = {
	{ "the start of a worker", start },
	{ "the first SELECT", select_first },
	{ "a FETCH", fetch },
	{ "a STORE", store },
	{ "an APPEND", append },
	{ "an EXPUNGE", expunge },
	{ "an EXPUNGE of none", expunge_none },
	{ "STATUS", status },
	{ "a session that goes to sleep", sleep_away },
	{ "a session that wakes", wake },
};

enum {
	STEPS = sizeof(steps) / sizeof(steps[0])
};

struct cost {
	unsigned long steps;
	unsigned long bytes;
};

static void
measure(size_t count, struct cost costs[STEPS])
{
	struct world *w;
	void *state;

	assert_int_equal(world_setup(&state), 0);
	w = state;
	pool = pool_new();
	fill(w, count);
	for (size_t i = 0; i < STEPS; i++) {
		memset(&done, 0, sizeof(done));
		steps[i].run(w);
		costs[i] = (struct cost){ done.steps, done.bytes };
	}
	mailbox_view_close(&view);
	pool_free(&pool);
	assert_int_equal(world_teardown(&state), 0);
}

/* Trees are a level higher at most, and pages are shared otherwise. */
static void
ten_times_the_messages_cost_no_more(void **state)
{
	struct cost small[STEPS], large[STEPS];
	bool is_flat = true;

	measure(SMALL, small);
	measure(LARGE, large);
	for (size_t i = 0; i < STEPS; i++) {
		print_message("%-30s %6lu %6lu steps, %8lu %8lu bytes\n",
		    steps[i].name, small[i].steps, large[i].steps,
		    small[i].bytes, large[i].bytes);
		is_flat &= large[i].steps <= small[i].steps * 3 / 2 + 20 &&
			   large[i].bytes <= small[i].bytes + 4096;
	}
	assert_true(is_flat);
}

/* Nor is its disk waited for. */
static void
an_account_that_is_only_looked_at_is_not_written(void **state)
{
	struct world *w = *state;

	fill(w, SMALL);
	memset(&done, 0, sizeof(done));
	start(w);
	select_first(w);
	assert_true(mailbox_list_is_subscribed(w->account, TEXT("INBOX")));
	assert_true(mailbox_list_is_subscribed(w->account, TEXT("B")));
	assert_false(mailbox_list_is_subscribed(w->account, TEXT("C")));
	assert_int_equal(done.puts, 0);
	mailbox_view_close(&view);
}

/* A mailbox is never shown without messages that it has. */
static void
uids_that_are_not_as_many_as_rows_are_not_believed(void **state)
{
	struct world *w = *state;
	struct message_index *index;
	enum status opened;

	fill(w, SMALL);
	start(w);
	index = w->account->index;
	index_begin(index);
	index_uids_remove_all(index, inbox);
	index_commit(index);
	assert_null(mailbox_view_open(
	    w->account, TEXT("INBOX"), true, &no_handler, NULL, &opened));
	assert_int_equal(opened, STATUS_UNAVAILABLE);
	assert_true(account_store_must_restart(w->account));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    an_account_that_is_only_looked_at_is_not_written,
		    world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(
		    uids_that_are_not_as_many_as_rows_are_not_believed,
		    world_setup, world_teardown),
		cmocka_unit_test(ten_times_the_messages_cost_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
