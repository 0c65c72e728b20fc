/*
 * The log of accepted mail: what was synced is read back, in order, and nothing
 * else is: no record of before, none that is torn, none that somebody wrote
 * into a message.
 */
#include "snapd/accept_log.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/table.h"
#include "snapd/accept_layout.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
	EVENT = 10 /* that records stand on */
};

static const uint8_t key[16] = "sixteen bytes k";

struct fixture {
	char path[SCRATCH_PATH];
	char file[SCRATCH_PATH + 16];
	struct accept_log *log;
	unsigned int seen; /* by the last replay */
	unsigned int stop_at;
};

static void
reopen(struct fixture *f, const uint8_t with[16])
{
	struct error error;

	accept_log_free(&f->log);
	f->log = accept_log_open(f->path, with, &error);
	assert_non_null(f->log);
}

static int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	scratch_make(f->path, "accept_log_test");
	snprintf(f->file, sizeof(f->file), "%s/accepted", f->path);
	reopen(f, key);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	accept_log_free(&f->log);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* The n-th, of its own size and bytes. */
static struct accept_record
record_of(unsigned int n, char body[4096])
{
	struct accept_record record = { .form = (uint8_t)(n & 1),
		.time = 1000 + n,
		.sender = TEXT("a@b.test"),
		.recipients = TEXT("\1\2\3") };

	memset(body, (int)('a' + n % 26), 4096);
	record.body = text_make(body, n * 37 % 4096);
	memset(record.delivery.bytes, (int)n + 1, 16);
	return record;
}

static bool
add(struct fixture *f, uint64_t event, unsigned int n)
{
	char body[4096];
	struct accept_record record = record_of(n, body);

	return accept_log_add(f->log, event, &record);
}

static void
add_and_sync(struct fixture *f, uint64_t event, unsigned int n)
{
	struct error error;

	assert_true(add(f, event, n));
	assert_int_equal(accept_log_sync(f->log, &error), 0);
}

static bool
is_same(struct text a, struct text b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static int
see(const struct accept_record *record, void *context)
{
	struct fixture *f = context;
	char body[4096];
	struct accept_record wanted = record_of(f->seen, body);

	assert_int_equal(record->form, wanted.form);
	assert_int_equal(record->time, wanted.time);
	assert_memory_equal(
	    &record->delivery, &wanted.delivery, sizeof(wanted.delivery));
	assert_true(is_same(record->sender, wanted.sender));
	assert_true(is_same(record->recipients, wanted.recipients));
	assert_true(is_same(record->body, wanted.body));
	f->seen++;
	return f->stop_at != 0 && f->seen == f->stop_at ? -1 : 0;
}

static const struct accept_log_handler seer = { .accept = see };

/* What a start finds. */
static unsigned int
replay(struct fixture *f, uint64_t event)
{
	struct error error;

	reopen(f, key);
	f->seen = 0;
	assert_int_equal(accept_log_replay(f->log, event, &seer, f, &error), 0);
	return f->seen;
}

static void
change_byte(struct fixture *f, off_t at)
{
	int fd = open(f->file, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void
what_was_synced_is_read_back_in_order(void **state)
{
	struct fixture *f = *state;
	struct error error;

	assert_false(accept_log_has(f->log));
	for (unsigned int n = 0; n < 40; n++)
		assert_true(add(f, EVENT, n));
	assert_int_equal(accept_log_sync(f->log, &error), 0);
	for (unsigned int n = 40; n < 60; n++)
		add_and_sync(f, EVENT, n);
	assert_true(accept_log_has(f->log));
	assert_int_equal(replay(f, EVENT), 60);
	assert_int_equal(replay(f, EVENT + 1), 0);
}

/* It was made anew, or put back: what the log has is not in it. */
static void
an_index_of_before_gets_all_that_stand_on_one_event(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < 30; n++)
		add_and_sync(f, EVENT, n);
	assert_int_equal(replay(f, EVENT - 1), 30);
	accept_log_clear(f->log);
	/* Those of before that stand behind it are no part of it. */
	add_and_sync(f, EVENT + 30, 0);
	assert_int_equal(replay(f, 0), 1);
}

static void
what_was_wiped_stands_on_no_event(void **state)
{
	struct fixture *f = *state;
	struct error error;

	for (unsigned int n = 0; n < 3; n++)
		add_and_sync(f, EVENT, n);
	assert_int_equal(accept_log_wipe(f->log, &error), 0);
	assert_false(accept_log_has(f->log));
	assert_int_equal(replay(f, 0), 0);
	add_and_sync(f, EVENT, 0);
	assert_int_equal(replay(f, EVENT), 1);
}

static void
what_was_not_synced_is_not_there(void **state)
{
	struct fixture *f = *state;

	add_and_sync(f, EVENT, 0);
	assert_true(add(f, EVENT, 1));
	assert_int_equal(replay(f, EVENT), 1);
}

static void
who_cannot_take_one_ends_the_replay(void **state)
{
	struct fixture *f = *state;
	struct error error;

	for (unsigned int n = 0; n < 3; n++)
		add_and_sync(f, EVENT, n);
	f->stop_at = 2;
	assert_int_equal(
	    accept_log_replay(f->log, EVENT, &seer, f, &error), -1);
	assert_int_equal(f->seen, 2);
}

/* Written over from the start, some of those of before stand behind. */
static void
records_of_before_are_over(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < 30; n++)
		add_and_sync(f, EVENT, n);
	accept_log_clear(f->log);
	assert_false(accept_log_has(f->log));
	add_and_sync(f, EVENT + 30, 0);
	assert_int_equal(replay(f, EVENT + 30), 1);
	assert_int_equal(replay(f, EVENT + 31), 0);
}

/* A commit that the log was not told of. */
static void
those_that_stand_on_another_event_begin_anew(void **state)
{
	struct fixture *f = *state;

	add_and_sync(f, EVENT, 7);
	add_and_sync(f, EVENT + 1, 0);
	add_and_sync(f, EVENT + 1, 1);
	assert_int_equal(replay(f, EVENT + 1), 2);
}

static void
a_record_with_one_wrong_bit_is_none(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	off_t at;

	add_and_sync(f, EVENT, 0);
	add_and_sync(f, EVENT, 1);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_size, ACCEPT_LOG_BYTES);
	/* The first one has no body: 28 of its head, 48 and 8 and 3 more. */
	for (at = 0; at < 28 + 48 + 8 + 3; at++) {
		change_byte(f, at);
		assert_int_equal(replay(f, EVENT), 0);
		change_byte(f, at);
	}
	assert_int_equal(replay(f, EVENT), 2);
	change_byte(f, at);
	assert_int_equal(replay(f, EVENT), 1);
}

/* The power failed in a write of two, of which the second one came to the disk:
 * nobody was told of it. Then one of the same size stands before it. */
static void
what_a_torn_write_left_stands_behind_nothing(void **state)
{
	struct fixture *f = *state;

	assert_true(add(f, EVENT, 0));
	add_and_sync(f, EVENT, 1);
	change_byte(f, 40);
	assert_int_equal(replay(f, EVENT), 0);
	add_and_sync(f, EVENT, 0);
	assert_int_equal(replay(f, EVENT), 1);
}

/* The same in one life: what was refused, since the commit found no room. */
static void
what_was_given_up_stands_behind_nothing(void **state)
{
	struct fixture *f = *state;

	assert_true(add(f, EVENT, 0));
	add_and_sync(f, EVENT, 1);
	accept_log_clear(f->log);
	add_and_sync(f, EVENT, 0);
	assert_int_equal(replay(f, EVENT), 1);
}

static int
no_sync(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "sync") == 0 ? ENOSPC : 0;
}

/* Its bytes stand there all the same. */
static void
what_could_not_be_synced_is_not_done_again(void **state)
{
	struct fixture *f = *state;
	struct error error;

	add_and_sync(f, EVENT, 0);
	assert_true(add(f, EVENT, 1));
	file_set_fault_hook(no_sync, NULL);
	assert_int_equal(accept_log_sync(f->log, &error), -1);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(error.code, ERROR_FULL);
	f->seen = 0;
	assert_int_equal(accept_log_replay(f->log, EVENT, &seer, f, &error), 0);
	assert_int_equal(f->seen, 1);
}

/* As a version would have written the first record whose layout is another one:
 * the sum is right (accept_log.c). */
static void
write_as_another_version(struct fixture *f)
{
	int fd = open(f->file, O_RDWR | O_CLOEXEC);
	uint8_t bytes[4096];
	uint64_t sums[2], sum = 0;
	uint32_t size;

	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	bytes[0] ^= 1;
	memcpy(&size, bytes + 8, sizeof(size));
	memcpy(bytes + 20, &sum, sizeof(sum));
	sums[0] = table_siphash(key, bytes, 28);
	sums[1] = table_siphash(key, bytes + 28, size);
	sum = table_siphash(key, sums, sizeof(sums));
	memcpy(bytes + 20, &sum, sizeof(sum));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	close(fd);
}

/* To pass it over would be to forget what was answered. */
static void
what_another_version_wrote_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error error;

	add_and_sync(f, EVENT, 0);
	write_as_another_version(f);
	reopen(f, key);
	f->seen = 0;
	assert_int_equal(
	    accept_log_replay(f->log, EVENT, &seer, f, &error), -1);
	assert_int_equal(error.code, ERROR_REFUSED);
	assert_int_equal(f->seen, 0);
	/* What is over is nobody's. */
	assert_int_equal(replay(f, EVENT + 1), 0);
}

/* Of a part that may stand in a record, no field is changed unseen. */
static void
each_field_of_a_row_makes_another_layout(void **state)
{
	struct accept_row rows[400];
	size_t count, logged = 0;
	const struct accept_row *all = accept_rows(&count);
	uint32_t is = accept_layout(NULL, 0);

	(void)state;
	assert_in_range(count, 100, 400);
	for (size_t i = 0; i < count; i++) {
		memcpy(rows, all, count * sizeof(*rows));
		rows[i].fields = "u8 ";
		if (accept_has_part(all[i].type)) {
			logged++;
			assert_int_not_equal(accept_layout(rows, count), is);
		} else {
			assert_int_equal(accept_layout(rows, count), is);
		}
	}
	assert_int_equal(logged, 6);
}

/*
 * Who comes here because he changed a change_* row, or a record within one: the
 * version before cannot be updated to this one after an unclean stop any more,
 * unless accept_log.c reads its records as well, by this number.  Say so in
 * CHANGES, and put the new number here.
 */
static void
the_layout_is_the_one_that_is_known(void **state)
{
	(void)state;
	assert_int_equal(accept_layout(NULL, 0), 0x26e6580c);
}

/* Whoever writes records into his mail does not have the key. */
static void
another_key_reads_nothing(void **state)
{
	static const uint8_t other[16] = "other bytes key";
	struct fixture *f = *state;
	struct error error;

	reopen(f, other);
	add_and_sync(f, EVENT, 0);
	assert_int_equal(replay(f, EVENT), 0);
	reopen(f, other);
	assert_int_equal(accept_log_replay(f->log, EVENT, &seer, f, &error), 0);
	assert_int_equal(f->seen, 1);
}

static void
a_full_log_takes_no_more_until_it_is_cleared(void **state)
{
	struct fixture *f = *state;
	struct error error;
	char *body = memory_new(1, ACCEPT_LOG_MAX_RECORD);
	struct accept_record large = { .sender = TEXT("") };
	unsigned int n = 0;

	large.body = text_make(body, ACCEPT_LOG_MAX_RECORD);
	assert_false(accept_log_add(f->log, EVENT, &large));
	large.body.size = ACCEPT_LOG_MAX_RECORD / 2;
	while (accept_log_add(f->log, EVENT, &large))
		n++;
	assert_int_equal(n, 2 * ACCEPT_LOG_BYTES / ACCEPT_LOG_MAX_RECORD - 1);
	assert_int_equal(accept_log_sync(f->log, &error), 0);
	assert_false(accept_log_add(f->log, EVENT, &large));
	accept_log_clear(f->log);
	assert_true(accept_log_add(f->log, EVENT, &large));
	free(body);
}

static void
deliveries_are_known_until_it_is_cleared(void **state)
{
	struct delivery_id delivery = { { 0 } };
	struct fixture *f = *state;

	memset(delivery.bytes, 3, 16);
	delivery.bytes[17] = 9; /* a recipient */
	assert_true(add(f, EVENT, 1));
	assert_false(accept_log_has_delivery(f->log, &delivery));
	assert_true(add(f, EVENT, 2));
	assert_true(accept_log_has_delivery(f->log, &delivery));
	accept_log_clear(f->log);
	assert_false(accept_log_has_delivery(f->log, &delivery));
}

static void
a_file_that_was_cut_off_is_made_again(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	accept_log_free(&f->log);
	assert_int_equal(truncate(f->file, 5000), 0);
	assert_int_equal(replay(f, EVENT), 0);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_size, ACCEPT_LOG_BYTES);
}

/* As an earlier version made it. */
static void
a_shorter_file_is_made_longer_and_keeps_what_it_has(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	add_and_sync(f, EVENT, 0);
	add_and_sync(f, EVENT, 1);
	accept_log_free(&f->log);
	assert_int_equal(truncate(f->file, ACCEPT_LOG_BYTES / 4), 0);
	assert_int_equal(replay(f, EVENT), 2);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_size, ACCEPT_LOG_BYTES);
}

static int
no_room(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "write at") == 0 ? ENOSPC : 0;
}

static void
without_room_there_is_no_log(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct stat st;

	accept_log_free(&f->log);
	assert_int_equal(unlink(f->file), 0);
	file_set_fault_hook(no_room, NULL);
	assert_null(accept_log_open(f->path, key, &error));
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(error.code, ERROR_FULL);
	assert_int_equal(stat(f->file, &st), -1);
}

/* It may be all that there is of some mail. */
static void
without_room_a_shorter_file_is_used_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct error error;
	struct stat st;
	unsigned int n = 2;

	add_and_sync(f, EVENT, 0);
	add_and_sync(f, EVENT, 1);
	accept_log_free(&f->log);
	assert_int_equal(truncate(f->file, 10000), 0);
	file_set_fault_hook(no_room, NULL);
	f->log = accept_log_open(f->path, key, &error);
	file_set_fault_hook(NULL, NULL);
	assert_non_null(f->log);
	f->seen = 0;
	assert_int_equal(accept_log_replay(f->log, EVENT, &seer, f, &error), 0);
	assert_int_equal(f->seen, 2);
	assert_int_equal(accept_log_wipe(f->log, &error), 0);
	while (add(f, EVENT, n))
		n++;
	assert_int_equal(accept_log_sync(f->log, &error), 0);
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_size, 10000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_synced_is_read_back_in_order),
		TEST(an_index_of_before_gets_all_that_stand_on_one_event),
		TEST(what_was_wiped_stands_on_no_event),
		TEST(what_was_not_synced_is_not_there),
		TEST(who_cannot_take_one_ends_the_replay),
		TEST(records_of_before_are_over),
		TEST(those_that_stand_on_another_event_begin_anew),
		TEST(a_record_with_one_wrong_bit_is_none),
		TEST(what_a_torn_write_left_stands_behind_nothing),
		TEST(what_was_given_up_stands_behind_nothing),
		TEST(what_could_not_be_synced_is_not_done_again),
		TEST(what_another_version_wrote_is_refused),
		TEST(each_field_of_a_row_makes_another_layout),
		TEST(the_layout_is_the_one_that_is_known),
		TEST(another_key_reads_nothing),
		TEST(a_full_log_takes_no_more_until_it_is_cleared),
		TEST(deliveries_are_known_until_it_is_cleared),
		TEST(a_file_that_was_cut_off_is_made_again),
		TEST(a_shorter_file_is_made_longer_and_keeps_what_it_has),
		TEST(without_room_there_is_no_log),
		TEST(without_room_a_shorter_file_is_used_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
