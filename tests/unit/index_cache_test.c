/*
 * The cache of parses in an account's index: found by content and by number,
 * never that of another message; and an index of the older form, which goes on
 * without its cache.
 */
#include "common/file.h"
#include "imapd/account_state.h"
#include "imapd/index_record.h"
#include "imapd/message_index_file.h"

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
	MAILBOX = 7
};

static char home[40];
static int home_fd;
static struct message_index *the_index;
static bool was_made;

static void
open_index(void)
{
	struct error error;
	bool was_unclean;

	the_index = index_open(home_fd, &was_made, &was_unclean, &error);
	assert_non_null(the_index);
}

static int
set_up(void **state)
{
	const struct index_meta meta = { .confirmed = 5 };

	strcpy(home, "/tmp/firnmail-cache-XXXXXX");
	assert_non_null(mkdtemp(home));
	home_fd = open(home, O_RDONLY | O_DIRECTORY);
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
	unlinkat(home_fd, "index/data.mdb", 0);
	unlinkat(home_fd, "index", AT_REMOVEDIR);
	unlinkat(home_fd, "state", 0);
	close(home_fd);
	return rmdir(home);
}

static struct hash
content(char c)
{
	struct hash hash;

	memset(hash.bytes, c, sizeof(hash.bytes));
	return hash;
}

static void
put_parse(char c, const char *parse)
{
	struct hash hash = content(c);

	index_put_cache(the_index, &hash, text_of(parse));
}

/* A message of that content, whose file knows the number of its parse. */
static void
put_message(uint32_t uid, char c, uint64_t number)
{
	char base[16] = "base-";
	struct index_file file = { .hash = content(c), .cache_number = number };
	struct index_row row = { .uid = uid, .size = 100 };

	base[5] = (char)('a' + uid % 26);
	file.name = file.base = text_of(base);
	index_begin(the_index);
	index_put_row(the_index, MAILBOX, &row);
	index_put_file(the_index, MAILBOX, uid, &file);
	index_commit(the_index);
}

static uint64_t
number_of(char c)
{
	struct hash hash = content(c);

	return index_cache_number(the_index, &hash);
}

static bool
is_found(uint32_t uid, const char *parse)
{
	struct index_file file;
	struct text bytes;

	return index_find_file(the_index, MAILBOX, uid, &file) &&
	       index_find_parsed(the_index, &file, &bytes) &&
	       text_is(bytes, parse);
}

static void
a_parse_is_found_by_content_and_by_number(void **state)
{
	struct hash hash = content('a');
	struct text bytes;

	put_message(1, 'a', 0);
	assert_false(is_found(1, "of a"));
	put_parse('a', "of a");
	put_parse('b', "of b");
	assert_true(index_find_cache(the_index, &hash, &bytes));
	assert_true(text_is(bytes, "of a"));
	assert_true(is_found(1, "of a"));
	index_number_file(the_index, MAILBOX, 1);
	put_message(2, 'b', number_of('b'));
	assert_true(is_found(1, "of a"));
	assert_true(is_found(2, "of b"));
	/* Its bytes may change, its number does not. */
	put_parse('a', "of a, anew");
	assert_true(is_found(1, "of a, anew"));
}

/* What was read is not what is read after a write, in the same place too. */
static void
what_is_written_is_read_from_then_on(void **state)
{
	for (uint32_t uid = 1; uid <= 200; uid++) {
		put_message(uid, (char)uid, 0);
		put_parse((char)uid, "old");
		index_number_file(the_index, MAILBOX, uid);
	}
	for (uint32_t uid = 1; uid <= 200; uid++) {
		assert_true(is_found(uid, "old"));
		if (uid < 200)
			put_parse((char)(uid + 1), "new");
		assert_true(uid == 200 || is_found(uid + 1, "new"));
		put_parse((char)uid, "old");
		if (uid < 200)
			put_parse((char)(uid + 1), "old");
	}
	/* With and without the one in between. */
	index_remove_row(the_index, MAILBOX, 100, 1);
	index_forget_file(the_index, MAILBOX, 100);
	assert_true(is_found(99, "old"));
	assert_false(is_found(100, "old"));
	assert_true(is_found(101, "old"));
}

static void
a_number_that_comes_again_is_not_believed(void **state)
{
	struct hash b = content('b');

	put_parse('a', "of a");
	put_parse('b', "of b");
	put_message(2, 'b', number_of('b'));
	index_begin(the_index);
	index_count_cache(the_index, &b, -1);
	index_commit(the_index);
	index_trim_cache(the_index, 0);
	assert_int_equal(number_of('b'), 0);
	assert_false(is_found(2, "of b"));
	put_parse('c', "of c");
	put_message(3, 'c', number_of('c'));
	assert_true(is_found(3, "of c"));
	assert_false(is_found(2, "of c"));
}

static void
copies_share_a_parse_that_goes_with_the_last(void **state)
{
	struct hash a = content('a');

	put_parse('a', "of a");
	put_message(1, 'a', number_of('a'));
	index_count_cache(the_index, &a, 1);
	index_begin(the_index);
	index_count_cache(the_index, &a, 1);
	index_count_cache(the_index, &a, -1);
	index_commit(the_index);
	index_trim_cache(the_index, 0);
	assert_true(is_found(1, "of a"));
	index_begin(the_index);
	index_count_cache(the_index, &a, -1);
	index_commit(the_index);
	index_trim_cache(the_index, 1);
	assert_true(is_found(1, "of a"));
	index_trim_cache(the_index, 0);
	assert_false(is_found(1, "of a"));
}

/* -- The older form -- */

/* The index as an earlier version left it: that format, a cache by hash, and
 * files without a number. */
static void
make_old(void)
{
	struct hash a = content('a');
	uint8_t key[12];
	struct text value;
	MDB_dbi cache;

	put_message(1, 'a', 0);
	index_begin(the_index);
	assert_true(
	    index_get(the_index, the_index->meta, "account", 7, &value));
	*(uint8_t *)(uintptr_t)value.data = INDEX_FORMAT_BY_HASH;
	index_put(
	    the_index, the_index->meta, "account", 7, value.data, value.size);
	index_put_big(index_put_big(key, MAILBOX, 8), 1, 4);
	assert_true(
	    index_get(the_index, the_index->file, key, sizeof(key), &value));
	index_put(the_index, the_index->file, key, sizeof(key), value.data,
	    value.size - 8);
	assert_int_equal(
	    mdb_dbi_open(the_index->writer, "cache", MDB_CREATE, &cache), 0);
	index_put(the_index, cache, a.bytes, sizeof(a.bytes),
	    "\0\0\0\1of a, of old", 16);
	index_put(
	    the_index, the_index->unused, a.bytes, sizeof(a.bytes), "", 0);
	index_commit(the_index);
}

static void
open_again(void)
{
	index_close(&the_index);
	open_index();
}

static void
an_index_of_the_older_form_loses_its_cache_alone(void **state)
{
	struct index_file file;
	struct index_meta meta;
	struct index_row row;
	MDB_dbi cache;

	make_old();
	open_again();
	assert_false(was_made);
	assert_true(index_has_lost_cache(the_index));
	assert_false(index_is_broken(the_index));
	assert_true(index_get_meta(the_index, &meta));
	assert_int_equal(meta.confirmed, 5);
	assert_true(index_find_row(the_index, MAILBOX, 1, &row));
	assert_true(index_find_file(the_index, MAILBOX, 1, &file));
	assert_true(text_is(file.base, "base-b"));
	assert_int_equal(file.cache_number, 0);
	assert_false(is_found(1, "of a, of old"));
	/* It is filled like any other. */
	put_parse('a', "of a");
	index_number_file(the_index, MAILBOX, 1);
	index_trim_cache(the_index, 0);
	assert_true(is_found(1, "of a"));
	/* Once. */
	open_again();
	assert_false(index_has_lost_cache(the_index));
	assert_true(is_found(1, "of a"));
	index_begin(the_index);
	assert_int_equal(
	    mdb_dbi_open(the_index->writer, "cache", 0, &cache), MDB_NOTFOUND);
	index_commit(the_index);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_parse_is_found_by_content_and_by_number),
		TEST(what_is_written_is_read_from_then_on),
		TEST(a_number_that_comes_again_is_not_believed),
		TEST(copies_share_a_parse_that_goes_with_the_last),
		TEST(an_index_of_the_older_form_loses_its_cache_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
