/*
 * A snapshot is found by its name, its id or as the newest, and as fast among
 * many as among few.  What is found is compared with the list of all.
 */
#include "tests/unit/aging.h"

#include "common/text.h"
#include "snapd/snapshot_names.h"

#include <stdio.h>
#include <string.h>

static struct snapshot_point
point_of(const char *name)
{
	struct snapshot_point point = { .kind = POINT_NAMED };

	snprintf(point.name, sizeof(point.name), "%s", name);
	return point;
}

static enum error_code
find(struct aging *f, const struct snapshot_point *point, uint32_t account,
    uint64_t *sequence, uint64_t *looked)
{
	struct error error = { .code = ERROR_NONE };
	struct transaction *t = transaction_begin(f->store, false, &error);
	struct snapshot_view view = { .digest = digest_new(),
		.store = *store_identity(f->store),
		.retention = aging_usual,
		.now = f->wall_us / SECOND,
		.account = account };

	if (snapshot_find(t, &view, point, sequence, &error) == 0)
		error.code = ERROR_NONE;
	if (looked != NULL)
		*looked = snapshot_names_looked(store_names(t));
	digest_free(&view.digest);
	transaction_abort(&t);
	return error.code;
}

static uint64_t
find_name(struct aging *f, const char *name, uint32_t account)
{
	struct snapshot_point point = point_of(name);
	uint64_t sequence = 0;

	if (find(f, &point, account, &sequence, NULL) != ERROR_NONE)
		return 0;
	return sequence;
}

static uint64_t
mark(struct aging *f, uint8_t kind, uint32_t account, const char *name)
{
	struct error error;
	uint64_t sequence;

	assert_int_equal(journal_mark(f->journal, kind, account, text_of(name),
			     TEXT(""), &sequence, &error),
	    STATUS_OK);
	aging_commit(f);
	return sequence;
}

static void
name_is_that_of_its_newest_mark(void **state)
{
	struct aging *f = *state;
	uint64_t first = mark(f, SNAPSHOT_NAMED, 0, "one"), second, other;

	assert_int_equal(find_name(f, "one", 0), first);
	second = mark(f, SNAPSHOT_NAMED, 0, "one");
	other = mark(f, SNAPSHOT_NAMED, 2, "one");
	assert_int_equal(find_name(f, "one", 0), other);
	assert_int_equal(find_name(f, "one", 2), other);
	assert_int_equal(find_name(f, "one", 1), second);
	assert_int_equal(find_name(f, "on", 0), 0);
	assert_int_equal(find_name(f, "ones", 0), 0);
	/* After a start it is read again. */
	aging_restart(f, 0);
	assert_int_equal(find_name(f, "one", 1), second);
}

static void
latest_is_no_rewind(void **state)
{
	struct aging *f = *state;
	struct snapshot_point point = { .kind = POINT_LATEST };
	uint64_t named = mark(f, SNAPSHOT_NAMED, 0, "named"), found;

	mark(f, SNAPSHOT_NAMED, 2, "other");
	mark(f, SNAPSHOT_REWIND, 0, "rewind");
	assert_int_equal(find(f, &point, 1, &found, NULL), ERROR_NONE);
	assert_int_equal(found, named);
}

static void
each_of_the_list_is_found_by_its_id(void **state)
{
	struct aging *f = *state;
	struct snapshot_point point;
	struct snapshot_list list;
	char id[2 * SNAPSHOT_ID_BYTES + 1];
	uint64_t found;
	unsigned int several = 0;
	size_t i;

	for (i = 0; i < 600; i++)
		mark(f, SNAPSHOT_NAMED, (uint32_t)(i % 3), "");
	for (i = 0; i < 10; i++) {
		aging_append(f, "a body");
		aging_pass(f, DAY);
	}
	aging_list_snapshots(f, &list);
	assert_true(list.count > 605);
	for (i = 0; i < list.count; i++) {
		text_format_hex(list.snapshots[i].id, SNAPSHOT_ID_BYTES, id);
		id[list.snapshots[i].digits] = '\0';
		assert_int_equal(
		    find_name(f, id, 0), list.snapshots[i].sequence);
		id[4] = '\0';
		point = point_of(id);
		switch (find(f, &point, 0, &found, NULL)) {
		case ERROR_NONE:
			assert_int_equal(found, list.snapshots[i].sequence);
			break;
		case ERROR_LIMIT:
			several++;
			break;
		default:
			fail_msg("%s", id);
		}
	}
	assert_true(several < list.count / 4);
	snapshot_list_clear(&list);
}

/* What is too old is no snapshot any more, but for one that is held. */
static void
what_is_not_kept_is_not_found(void **state)
{
	struct aging *f = *state;
	uint64_t old, held;

	aging_promise(f, &aging_usual);
	old = mark(f, SNAPSHOT_NAMED, 0, "old");
	held = mark(f, SNAPSHOT_NAMED, 0, "held");
	aging_hold(f, "lawyer", &(struct retention_pin){ .sequence = held },
	    STATUS_OK);
	assert_int_equal(find_name(f, "old", 0), old);
	aging_pass(f, 800 * DAY);
	aging_append(f, "a body");
	assert_int_equal(find_name(f, "old", 0), 0);
	assert_int_equal(find_name(f, "held", 0), held);
}

static void
many_are_no_more_work_than_few(void **state)
{
	struct aging *f = *state;
	struct snapshot_point latest = { .kind = POINT_LATEST }, point;
	struct error error;
	uint64_t sequence, looked, oldest;
	char name[20];
	unsigned int i;

	oldest = mark(f, SNAPSHOT_NAMED, 0, "oldest");
	for (i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "m%u", i);
		assert_int_equal(
		    journal_mark(f->journal, SNAPSHOT_NAMED, 0, text_of(name),
			TEXT(""), &sequence, &error),
		    STATUS_OK);
	}
	aging_commit(f);
	point = point_of("oldest");
	assert_int_equal(find(f, &point, 0, &sequence, &looked), ERROR_NONE);
	assert_int_equal(sequence, oldest);
	assert_true(looked <= 8);
	assert_int_equal(find(f, &latest, 0, &sequence, &looked), ERROR_NONE);
	assert_true(looked <= 8);
	point = point_of("00000000");
	assert_int_equal(find(f, &point, 0, &sequence, &looked), ERROR_MISSING);
	assert_true(looked <= 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(name_is_that_of_its_newest_mark),
		AGING_TEST(latest_is_no_rewind),
		AGING_TEST(each_of_the_list_is_found_by_its_id),
		AGING_TEST(what_is_not_kept_is_not_found),
		AGING_TEST(many_are_no_more_work_than_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
