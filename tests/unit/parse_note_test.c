/*
 * What is remembered of a worker that died while it parsed: a note that is
 * closed between begin and end is one whose process died.
 */
#include "imapd/parse_note.h"

#include "common/file.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct home {
	char path[64];
	int fd;
	struct event_loop *loop;
};

static int
set_up(void **state)
{
	struct home *home = calloc(1, sizeof(*home));

	scratch_make(home->path, "parse_note_test");
	home->fd = open(home->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	home->loop = event_loop_new();
	*state = home;
	return 0;
}

static int
tear_down(void **state)
{
	struct home *home = *state;

	event_loop_free(&home->loop);
	close(home->fd);
	scratch_remove(home->path);
	free(home);
	return 0;
}

static struct hash
key_of(unsigned int n)
{
	struct hash key = { { 1 } };

	memcpy(key.bytes + 1, &n, sizeof(n));
	return key;
}

/* True: it may be parsed, and the worker died of it. */
static bool
dies_of(struct home *home, unsigned int n)
{
	struct parse_note *note = parse_note_open(home->loop, home->fd);
	struct hash key = key_of(n);
	bool may = parse_note_begin(note, &key);

	parse_note_close(&note);
	return may;
}

static void
lives_through(struct home *home, unsigned int n)
{
	struct parse_note *note = parse_note_open(home->loop, home->fd);
	struct hash key = key_of(n);

	assert_true(parse_note_begin(note, &key));
	parse_note_end(note);
	parse_note_close(&note);
}

static void
what_killed_three_is_not_parsed_again(void **state)
{
	struct home *home = *state;

	for (int i = 0; i < PARSE_DEATHS; i++) {
		lives_through(home, 2);
		assert_true(dies_of(home, 1));
	}
	for (int i = 0; i < 10; i++)
		assert_false(dies_of(home, 1));
	lives_through(home, 2);
}

static bool
is_noted(const struct home *home, unsigned int n)
{
	struct hash key = key_of(n);
	uint8_t bytes[8 + 1 + sizeof(key.bytes)];
	int fd = openat(home->fd, "parsing", O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	return bytes[8] == 1 &&
	       memcmp(bytes + 9, key.bytes, sizeof(key.bytes)) == 0;
}

static void
stop(void *context)
{
	event_loop_stop(context);
}

static void
the_end_is_noted_when_the_turn_is_over(void **state)
{
	struct home *home = *state;
	struct parse_note *note = parse_note_open(home->loop, home->fd);
	struct timer *timer = timer_new(home->loop, stop, home->loop);

	for (unsigned int n = 1; n <= 3; n++) {
		struct hash key = key_of(n);

		assert_true(parse_note_begin(note, &key));
		assert_true(is_noted(home, n));
		parse_note_end(note);
	}
	timer_start(timer, 1);
	event_loop_run(home->loop);
	assert_false(is_noted(home, 3));
	timer_free(&timer);
	parse_note_close(&note);
}

static void
deaths_count_only_in_a_row(void **state)
{
	struct home *home = *state;

	for (int i = 0; i < 10; i++) {
		assert_true(dies_of(home, 1));
		assert_true(dies_of(home, 1));
		lives_through(home, 1);
	}
}

static void
each_message_dies_its_own_deaths(void **state)
{
	struct home *home = *state;

	for (int i = 0; i < PARSE_DEATHS; i++)
		for (unsigned int n = 0; n < 10; n++)
			assert_true(dies_of(home, n));
	for (unsigned int n = 0; n < 10; n++)
		assert_false(dies_of(home, n));
}

static void
the_oldest_is_forgotten_when_there_are_too_many(void **state)
{
	struct home *home = *state;

	for (unsigned int n = 0; n < PARSE_KEPT + 1; n++)
		for (int i = 0; i < PARSE_DEATHS; i++)
			assert_true(dies_of(home, n));
	/* The last death is counted when the note is opened again. */
	for (unsigned int n = PARSE_KEPT; n > 0; n--)
		assert_false(dies_of(home, n));
	assert_true(dies_of(home, 0));
}

static void
a_second_key_is_quarantined_at_once(void **state)
{
	struct home *home = *state;
	struct parse_note *note = parse_note_open(home->loop, home->fd);
	struct hash key = key_of(7);

	parse_note_add(note, &key);
	parse_note_close(&note);
	assert_false(dies_of(home, 7));
}

/* Cut at any length, or not ours at all. */
static void
a_damaged_file_is_as_none(void **state)
{
	struct home *home = *state;

	for (off_t size = 0; size < 2200; size += 7) {
		int fd = openat(home->fd, "parsing",
		    O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_int_equal(pwrite(fd, "x", 1, size), 1);
		close(fd);
		lives_through(home, 1);
		assert_int_equal(unlinkat(home->fd, "parsing", 0), 0);
	}
}

static void
without_a_file_everything_is_parsed(void **state)
{
	struct home *home = *state;

	assert_int_equal(mkdirat(home->fd, "parsing", 0700), 0);
	for (int i = 0; i < 5; i++)
		assert_true(dies_of(home, 1));
	lives_through(home, 1);
	assert_int_equal(unlinkat(home->fd, "parsing", AT_REMOVEDIR), 0);
}

static int
fail_write(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "write at") == 0 ? ENOSPC : 0;
}

/* Nor on a disk that takes none: then no death is counted. */
static void
what_cannot_be_written_is_parsed(void **state)
{
	struct home *home = *state;

	lives_through(home, 1);
	file_set_fault_hook(fail_write, NULL);
	for (int i = 0; i <= PARSE_DEATHS; i++)
		assert_true(dies_of(home, 1));
	file_set_fault_hook(NULL, NULL);
	assert_true(dies_of(home, 1));
}

int
main(void)
{
#define TEST_CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST_CASE(what_killed_three_is_not_parsed_again),
		TEST_CASE(the_end_is_noted_when_the_turn_is_over),
		TEST_CASE(deaths_count_only_in_a_row),
		TEST_CASE(each_message_dies_its_own_deaths),
		TEST_CASE(the_oldest_is_forgotten_when_there_are_too_many),
		TEST_CASE(a_second_key_is_quarantined_at_once),
		TEST_CASE(a_damaged_file_is_as_none),
		TEST_CASE(without_a_file_everything_is_parsed),
		TEST_CASE(what_cannot_be_written_is_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
