/*
 * An index that is made anew from segments is the lost one.
 */
#include "tests/unit/sealed.h"

#include "common/clock.h"
#include "snapd/expire.h"
#include "snapd/leap.h"
#include "snapd/rebuild.h"

#include <string.h>

static void
change(struct sealed *f, const struct message *m)
{
	sealed_change(f, 1, m);
	sealed_commit(f);
}

static void
set_flags(struct sealed *f, uint32_t uid, uint32_t flags)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { .uid = uid, .flags = flags };
	uint8_t data[64];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = 1;
	m.change_flags.records = text_make(data, w.size);
	change(f, &m);
}

static void
expunge(struct sealed *f, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4] = { (uint8_t)uid };

	m.change_expunge.mailbox = 1;
	m.change_expunge.uids = text_make(data, sizeof(data));
	change(f, &m);
}

/* A bit of everything that leaves rows. */
static void
live_a_little(struct sealed *f, unsigned int round)
{
	struct message m = { .type = MESSAGE_change_create };
	struct error error = { .code = ERROR_NONE };
	static const char *const names[] = { "One", "Two", "Three" };
	uint64_t sequence;

	sealed_add(f, 30);
	m.change_create.name = text_of(names[round]);
	change(f, &m);
	m = (struct message){ .type = MESSAGE_change_subscribe };
	m.change_subscribe.name = text_of(names[round]);
	m.change_subscribe.is_subscribed = 1;
	change(f, &m);
	set_flags(f, 1 + round, 3);
	set_flags(f, 1, round);
	expunge(f, 5 + round);
	assert_int_equal(journal_mark(f->journal, 1, 0, TEXT("a"), TEXT("b"),
			     &sequence, &error),
	    STATUS_OK);
	sealed_commit(f);
	if (round == 1) {
		m = (struct message){ .type = MESSAGE_change_rename };
		m.change_rename.mailbox = 3;
		m.change_rename.name = TEXT("Renamed");
		change(f, &m);
	}
	if (round == 2) {
		m = (struct message){ .type = MESSAGE_change_retire };
		m.change_retire.mailbox = 4;
		change(f, &m);
	}
}

/* File one of those that were accepted. */
static void
file_unfiled(struct sealed *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_change_file };

	memcpy(m.change_file.delivery.bytes, &n, sizeof(n));
	m.change_file.mailbox = 1 + n % 2;
	sealed_change(f, 1 + n % 2, &m);
	sealed_commit(f);
}

static void
rebuild(struct sealed *f, struct rebuild_result *result)
{
	struct error error;

	memset(result, 0, sizeof(*result));
	if (rebuild_index(f->path, MAP_BYTES, result, &error) != 0)
		fail_msg("%s", error.text);
}

static void
rebuilt_index_equals_the_lost_one(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;
	unsigned int round;

	f->segment_bytes = SMALL_SEGMENT;
	sealed_reopen(f);
	for (round = 0; round < 3; round++) {
		live_a_little(f, round);
		if (round == 1)
			file_unfiled(f, 9);
		sealed_must_pass(f);
	}
	while (segments_newest(f->segments) < 2) {
		sealed_add(f, 100);
		sealed_must_pass(f);
	}
	sealed_must_pass(f); /* the event of the full segment */
	sealed_dump(f, before);
	sealed_close(f);
	rebuild(f, &result);
	assert_int_equal(result.damaged, 0);
	assert_string_equal(result.kept, "index.before-rebuild-1");
	assert_memory_equal(&result.store, &f->id, sizeof(f->id));
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after, 1U << DB_REPLY);
	sealed_check(f);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char part[65536];
	ssize_t got;

	assert_true(in != -1 && out != -1);
	while ((got = read(in, part, sizeof(part))) > 0)
		assert_int_equal(write(out, part, (size_t)got), got);
	close(in);
	close(out);
}

static void
promise(struct sealed *f)
{
	const struct retention policy = { .minimum_s = 1 };
	enum ratchet_change change;
	struct error error = { .code = ERROR_NONE };

	assert_int_equal(journal_set_policy(f->journal, &policy,
			     text_make(NULL, 0), &change, &error),
	    STATUS_OK);
	sealed_commit(f);
}

/* Three years pass, and what nobody was promised any more goes. */
static void
expire_all(struct sealed *f)
{
	struct expire *expire = expire_new();
	struct error error = { .code = ERROR_NONE };
	int64_t wall_us = clock_wall_us(), raw_us = clock_raw_us(), i;
	bool has_more = true;

	for (i = 0; i < 3 * 365 * 86400 / 500; i++) {
		wall_us += INT64_C(500000000);
		raw_us += INT64_C(500000000);
		journal_set_clock(f->journal, wall_us, raw_us);
	}
	while (has_more) {
		assert_int_equal(
		    expire_step(expire, f->journal, &has_more, &error),
		    STATUS_OK);
		sealed_commit(f);
	}
	assert_true(expire_counts(expire)->bodies > 0);
	expire_free(&expire);
}

static void
what_was_forgotten_stays_forgotten_in_a_rebuilt_index(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;

	promise(f);
	live_a_little(f, 0);
	sealed_must_pass(f);
	live_a_little(f, 1);
	sealed_must_pass(f);
	expire_all(f);
	assert_true(sealed_count(f, DB_FORGOTTEN) > 0);
	sealed_must_pass(f);
	sealed_dump(f, before);
	sealed_close(f);
	sealed_must_verify(f);
	rebuild(f, &result);
	sealed_open(f);
	sealed_dump(f, after);
	/* Where deliveries went is known longer than before. */
	sealed_must_equal(before, after, 1U << DB_REPLY | 1U << DB_DELIVERY);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

/* What came after the last pass is not in it, and all that was is whole. */
static void
rebuild_gives_the_last_complete_pass(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct rebuild_result result;
	struct error error;

	live_a_little(f, 0);
	sealed_must_pass(f);
	sealed_dump(f, before);
	live_a_little(f, 1);
	/* Bodies are written, rows are not. */
	f->slices_left = 0;
	assert_int_equal(sealed_pass(f, &error), -1);
	sealed_close(f);
	rebuild(f, &result);
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after, 1U << DB_REPLY | 1U << DB_SEGMENT_USE);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

/* The index of yesterday, and segments of today: what the lost day wrote does
 * not mix with what followed. */
static void
store_that_was_put_back_is_rebuilt_as_it_went_on(void **state)
{
	struct sealed *f = *state;
	struct hash before[DB_COUNT], after[DB_COUNT];
	struct error error = { .code = ERROR_NONE };
	struct rebuild_result result;
	char kept[80], path[100];

	live_a_little(f, 0);
	sealed_must_pass(f);
	sealed_close(f);
	snprintf(path, sizeof(path), "%s/index/data.mdb", f->path);
	snprintf(kept, sizeof(kept), "%s/kept", f->path);
	copy_file(path, kept);
	sealed_open(f);
	live_a_little(f, 1);
	sealed_must_pass(f);
	sealed_close(f);
	copy_file(kept, path);
	sealed_open(f);
	assert_int_equal(
	    journal_leap(f->journal, 0, true, "put back", &error), STATUS_OK);
	sealed_commit(f);
	f->counter = 1000;
	f->messages += 1000; /* other deliveries than those of the lost day */
	sealed_add(f, 10);
	set_flags(f, 2, 7);
	sealed_must_pass(f);
	sealed_dump(f, before);
	sealed_close(f);
	rebuild(f, &result);
	assert_int_equal(result.damaged, 0);
	sealed_open(f);
	sealed_dump(f, after);
	sealed_must_equal(before, after, 1U << DB_REPLY | 1U << DB_SEGMENT_USE);
	sealed_close(f);
	sealed_must_verify(f);
	sealed_open(f);
}

static void
rebuild_is_refused_while_the_store_is_open(void **state)
{
	struct sealed *f = *state;
	struct rebuild_result result = { .rows = 0 };
	struct error error;

	assert_int_equal(
	    rebuild_index(f->path, MAP_BYTES, &result, &error), -1);
	assert_int_equal(error.code, ERROR_MISSING); /* nothing is sealed */
	sealed_add(f, 3);
	sealed_must_pass(f);
	assert_int_equal(
	    rebuild_index(f->path, MAP_BYTES, &result, &error), -1);
	assert_int_equal(error.code, ERROR_BUSY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SEALED_TEST(rebuilt_index_equals_the_lost_one),
		SEALED_TEST(
		    what_was_forgotten_stays_forgotten_in_a_rebuilt_index),
		SEALED_TEST(rebuild_gives_the_last_complete_pass),
		SEALED_TEST(store_that_was_put_back_is_rebuilt_as_it_went_on),
		SEALED_TEST(rebuild_is_refused_while_the_store_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
