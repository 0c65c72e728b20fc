/*
 * What the index knows of a mailbox without a look at its rows: counts, sets of
 * UIDs and what changed last, held against a model over random changes; and
 * made from the rows of an index of before there were any.
 */
#include "common/record.h"
#include "imapd/index_record.h"
#include "imapd/message_index_file.h"
#include "tests/unit/scratch.h"

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	MAILBOX = 7,
	OTHER = 8,
	UIDS = 6000
};

static char home[64];
static int home_fd;
static struct message_index *the_index;
static struct index_row model[UIDS + 1]; /* of MAILBOX; uid 0: none */
static uint64_t modseq;

static void
open_index(void)
{
	bool was_made, was_unclean;
	struct error error;

	the_index = index_open(home_fd, &was_made, &was_unclean, &error);
	assert_non_null(the_index);
}

static void
open_again(void)
{
	index_close(&the_index);
	open_index();
}

static int
set_up(void **state)
{
	const struct index_meta meta = { .confirmed = 5 };

	scratch_make(home, "index_counts");
	home_fd = open(home, O_RDONLY | O_DIRECTORY);
	memset(model, 0, sizeof(model));
	modseq = 1;
	srandom(7);
	open_index();
	index_begin(the_index);
	index_put_meta(the_index, &meta);
	index_commit(the_index);
	return 0;
}

static int
tear_down(void **state)
{
	index_close(&the_index);
	close(home_fd);
	if (chdir("/tmp") == -1)
		return -1;
	scratch_remove(home);
	return 0;
}

/* -- Changes, of the index and of the model -- */

static void
put(uint32_t uid, uint32_t flags)
{
	model[uid] = (struct index_row){
		.uid = uid, .flags = flags, .modseq = modseq, .size = 100 + uid
	};
	index_put_row(the_index, MAILBOX, &model[uid]);
}

static void
take(uint32_t uid)
{
	memset(&model[uid], 0, sizeof(model[uid]));
	index_remove_row(the_index, MAILBOX, uid, ++modseq);
}

static void
change_some(void)
{
	uint32_t uid = 1 + (uint32_t)random() % UIDS;
	uint32_t run = 1 + (uint32_t)random() % 40;
	uint32_t flags = (random() % 2 ? FLAG_SEEN : 0) |
			 (random() % 3 == 0 ? FLAG_DELETED : 0);
	bool goes = random() % 3 == 0;

	modseq += (uint64_t)random() % 2;
	index_begin(the_index);
	for (; run-- > 0 && uid <= UIDS; uid++)
		if (goes)
			take(uid);
		else
			put(uid, flags);
	index_commit(the_index);
}

/* -- What the index says -- */

static bool
is_in(enum index_set set, uint32_t uid)
{
	const struct index_row *row = &model[uid];

	return row->uid != 0 &&
	       (set == INDEX_ALL ||
		   (set == INDEX_UNSEEN && !(row->flags & FLAG_SEEN)) ||
		   (set == INDEX_DELETED && (row->flags & FLAG_DELETED)));
}

struct checking {
	enum index_set set;
	uint32_t next; /* UIDs below it were told of, or are not in the set */
	bool is_open;  /* none may begin at `next`: it would touch */
};

static bool
check_run(uint32_t first, uint32_t last, void *context)
{
	struct checking *c = context;

	assert_true(first >= c->next && first <= last && last <= UIDS);
	assert_false(c->is_open && first == c->next);
	for (; c->next < first; c->next++)
		assert_false(is_in(c->set, c->next));
	for (; c->next <= last; c->next++)
		assert_true(is_in(c->set, c->next));
	c->is_open = true;
	return true;
}

static void
check_sets(void)
{
	for (int set = 0; set < INDEX_SETS; set++) {
		uint32_t from = 1 + (uint32_t)random() % UIDS;
		struct checking c = { .set = (enum index_set)set, .next = 1 };

		index_each_run(the_index, MAILBOX, c.set, 1, check_run, &c);
		for (; c.next <= UIDS; c.next++)
			assert_false(is_in(c.set, c.next));
		c = (struct checking){ .set = c.set, .next = from };
		index_each_run(the_index, MAILBOX, c.set, from, check_run, &c);
		for (; c.next <= UIDS; c.next++)
			assert_false(is_in(c.set, c.next));
	}
}

static void
check_counts(void)
{
	struct index_counts wanted = { 0 }, counts;

	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		uint64_t size = model[uid].size;

		wanted.messages += is_in(INDEX_ALL, uid);
		wanted.bytes += size;
		wanted.unseen += is_in(INDEX_UNSEEN, uid);
		wanted.deleted += is_in(INDEX_DELETED, uid);
		wanted.deleted_bytes += is_in(INDEX_DELETED, uid) ? size : 0;
	}
	index_count(the_index, MAILBOX, &counts);
	assert_int_equal(counts.messages, wanted.messages);
	assert_int_equal(counts.bytes, wanted.bytes);
	assert_int_equal(counts.unseen, wanted.unseen);
	assert_int_equal(counts.deleted, wanted.deleted);
	assert_int_equal(counts.deleted_bytes, wanted.deleted_bytes);
	assert_int_equal(index_usage(the_index)->messages, wanted.messages);
	assert_int_equal(index_usage(the_index)->bytes, wanted.bytes);
}

static void
check_rows(void)
{
	struct index_row row;
	uint32_t next = 1;

	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		bool is_there = model[uid].uid != 0;

		assert_int_equal(
		    index_find_row(the_index, MAILBOX, uid, &row), is_there);
		if (is_there)
			assert_memory_equal(&row, &model[uid], sizeof(row));
	}
	for (; index_row_from(the_index, MAILBOX, next, &row);
	     next = row.uid + 1) {
		for (; next < row.uid; next++)
			assert_int_equal(model[next].uid, 0);
		assert_memory_equal(&row, &model[next], sizeof(row));
	}
	for (; next <= UIDS; next++)
		assert_int_equal(model[next].uid, 0);
}

static uint8_t is_told[UIDS + 1];

static void
tell(uint32_t first, uint32_t last, void *context)
{
	assert_true(first >= 1 && first <= last && last <= UIDS);
	memset(&is_told[first], 1, last - first + 1);
}

/* 0: that is not known any more. */
static int
check_changes(uint64_t after)
{
	memset(is_told, 0, sizeof(is_told));
	if (!index_each_changed(the_index, MAILBOX, after, tell, NULL))
		return 0;
	for (uint32_t uid = 1; uid <= UIDS; uid++)
		if (model[uid].modseq > after)
			assert_true(is_told[uid]);
	return 1;
}

static void
check(void)
{
	check_sets();
	check_counts();
	check_rows();
	check_changes((uint64_t)random() % (modseq + 1));
	assert_int_equal(check_changes(modseq), 1);
}

/* -- Tests -- */

static void
all_is_as_the_rows_are(void **state)
{
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 20; i++)
			change_some();
		check();
		/* Inside of a transaction as well. */
		index_begin(the_index);
		change_some();
		check();
		index_commit(the_index);
		if (round % 20 == 19)
			open_again();
	}
}

/* As many runs as there can be, over many pages. */
static void
every_second_may_be_missing(void **state)
{
	index_begin(the_index);
	for (uint32_t uid = 1; uid <= UIDS; uid++)
		put(uid, uid % 3 ? FLAG_SEEN : FLAG_DELETED);
	index_commit(the_index);
	check();
	index_begin(the_index);
	for (uint32_t uid = 2; uid <= UIDS; uid += 2)
		take(uid);
	index_commit(the_index);
	check();
	index_begin(the_index);
	for (uint32_t uid = UIDS; uid >= 2; uid -= 2)
		put(uid, 0);
	index_commit(the_index);
	check();
	for (uint32_t uid = 1; uid <= UIDS; uid++)
		take(uid);
	check();
}

static void
the_newest_changes_are_known_and_cost_little(void **state)
{
	struct index_counts counts;

	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		modseq++;
		put(uid, 0);
	}
	assert_int_equal(check_changes(modseq - 1), 1);
	assert_int_equal(check_changes(modseq - 500), 1);
	assert_int_equal(check_changes(1), 0);
	index_count(the_index, MAILBOX, &counts);
	assert_in_range(counts.changes_after, modseq - 1000, modseq - 500);
	/* One that changes all is one run. */
	modseq++;
	index_begin(the_index);
	for (uint32_t uid = 1; uid <= UIDS; uid++)
		put(uid, FLAG_SEEN);
	index_commit(the_index);
	assert_int_equal(check_changes(modseq - 500), 1);
	open_again();
	assert_int_equal(check_changes(modseq - 500), 1);
	assert_int_equal(check_changes(1), 0);
}

static void
mailboxes_are_counted_each_by_itself(void **state)
{
	struct index_row row = { .uid = 3, .size = 50, .modseq = 9 };
	struct index_counts counts;

	put(1, 0);
	index_put_row(the_index, OTHER, &row);
	put(2, FLAG_SEEN);
	index_count(the_index, OTHER, &counts);
	assert_int_equal(counts.messages, 1);
	assert_int_equal(counts.unseen, 1);
	assert_int_equal(index_usage(the_index)->messages, 3);
	index_remove_mailbox(the_index, OTHER);
	index_count(the_index, OTHER, &counts);
	assert_int_equal(counts.messages, 0);
	assert_int_equal(index_set_count(the_index, OTHER, INDEX_ALL, 1), 0);
	check();
	open_again();
	check();
}

/* -- An index of before -- */

static void
make_uncounted(void)
{
	const MDB_dbi added[] = { the_index->count, the_index->uids,
		the_index->changed };
	MDB_val k = { 7, (void *)(uintptr_t) "account" }, v;
	uint8_t meta[64];

	index_begin(the_index);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mdb_drop(the_index->writer, added[i], 0), 0);
	assert_int_equal(
	    mdb_get(the_index->writer, the_index->meta, &k, &v), 0);
	memcpy(meta, v.mv_data, v.mv_size);
	meta[0] = INDEX_FORMAT_UNCOUNTED;
	v.mv_data = meta;
	assert_int_equal(
	    mdb_put(the_index->writer, the_index->meta, &k, &v, 0), 0);
	memset(&the_index->counted, 0, sizeof(the_index->counted));
	index_commit(the_index);
}

static void
an_index_of_before_keeps_its_rows_and_is_counted(void **state)
{
	struct index_meta meta;

	for (int i = 0; i < 400; i++)
		change_some();
	make_uncounted();
	open_again();
	assert_true(index_get_meta(the_index, &meta));
	assert_int_equal(meta.confirmed, 5);
	assert_false(index_has_lost_cache(the_index));
	check_sets();
	check_counts();
	check_rows();
	assert_int_equal(check_changes(1), 0);
	modseq++;
	put(5, FLAG_SEEN);
	assert_int_equal(check_changes(modseq - 1), 1);
	change_some();
	check();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_is_as_the_rows_are),
		TEST(every_second_may_be_missing),
		TEST(the_newest_changes_are_known_and_cost_little),
		TEST(mailboxes_are_counted_each_by_itself),
		TEST(an_index_of_before_keeps_its_rows_and_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
