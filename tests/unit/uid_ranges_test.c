/*
 * UIDs as ranges are what they are as an array, whatever is done to both.
 */
#include "imapd/uid_ranges.h"

#include "common/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MOST = 3000
};

struct model {
	struct uid_ranges uids;
	uint32_t plain[MOST];
	size_t count;
};

static size_t
plain_number_from(const struct model *m, uint32_t uid)
{
	size_t number = 1;

	while (number <= m->count && m->plain[number - 1] < uid)
		number++;
	return number;
}

static void
check_uid(struct model *m, uint32_t uid)
{
	size_t number = plain_number_from(m, uid);

	assert_int_equal(uid_ranges_number_from(&m->uids, uid), number);
	if (number > m->count || m->plain[number - 1] != uid)
		number = 0;
	assert_int_equal(uid_ranges_number(&m->uids, uid), number);
}

/* No two ranges that could be one, and what stands before each. */
static void
check_form(const struct model *m)
{
	size_t before = 0;

	for (size_t i = 0; i < m->uids.range_count; i++) {
		const struct uid_range *range = &m->uids.ranges[i];

		assert_true(range->count > 0);
		assert_int_equal(range->before, before);
		before += range->count;
	}
	assert_int_equal(m->uids.count, before);
	assert_int_equal(m->count, before);
}

static void
check_all(struct model *m)
{
	check_form(m);
	for (size_t n = 1; n <= m->count; n++)
		assert_int_equal(uid_ranges_uid(&m->uids, n), m->plain[n - 1]);
	assert_int_equal(uid_ranges_uid(&m->uids, 0), 0);
	assert_int_equal(uid_ranges_uid(&m->uids, m->count + 1), 0);
	for (size_t n = 0; n < m->count; n++) {
		check_uid(m, m->plain[n] - 1);
		check_uid(m, m->plain[n]);
		check_uid(m, m->plain[n] + 1);
	}
	check_uid(m, 1);
	check_uid(m, UINT32_MAX);
}

static void
append(struct model *m)
{
	uint32_t last = m->count == 0 ? 0 : m->plain[m->count - 1];
	uint32_t uid = last + 1 + (random() % 3 == 0 ? random() % 5 : 0);
	uint32_t count = random() % 4 == 0 ? 1 + random() % 40 : 1;

	if (m->count + count > MOST)
		return;
	uid_ranges_append(&m->uids, uid, count);
	while (count-- > 0)
		m->plain[m->count++] = uid++;
}

static void
take(struct model *m)
{
	size_t number;

	if (m->count == 0)
		return;
	number = 1 + (size_t)random() % m->count;
	uid_ranges_remove(&m->uids, number);
	m->count--;
	memmove(&m->plain[number - 1], &m->plain[number],
	    (m->count - number + 1) * sizeof(m->plain[0]));
}

/* The beginning goes on in a copy, and what was there before is as it was. */
static void
copy(struct model *m)
{
	struct uid_ranges to = { 0 };
	size_t count = m->count == 0
			   ? 0
			   : m->count - (size_t)random() % 3 % (m->count + 1);

	uid_ranges_copy(&to, &m->uids, count);
	check_all(m);
	uid_ranges_clear(&m->uids);
	m->uids = to;
	m->count = count;
}

static void
they_are_what_an_array_is(void **state)
{
	srandom(3);
	for (int round = 0; round < 12; round++) {
		struct model *m = memory_new(1, sizeof(*m));
		/* Growing, steady, and to the last one. */
		long takes = 20 + 20 * (round % 4);

		for (int step = 0; step < 1500; step++) {
			if (random() % 100 < takes)
				take(m);
			else
				append(m);
			if (random() % 100 == 0)
				copy(m);
			if (m->count > 0)
				check_uid(
				    m, m->plain[(size_t)random() % m->count] +
					   (uint32_t)(random() % 3));
			check_form(m);
		}
		check_all(m);
		uid_ranges_clear(&m->uids);
		free(m);
	}
}

/* Up to the largest that there is. */
static void
uids_end_where_they_end(void **state)
{
	struct uid_ranges uids = { 0 };

	uid_ranges_append(&uids, UINT32_MAX - 2, 2);
	uid_ranges_append(&uids, UINT32_MAX, 1);
	assert_int_equal(uids.range_count, 1);
	assert_int_equal(uid_ranges_uid(&uids, 3), UINT32_MAX);
	assert_int_equal(uid_ranges_number(&uids, UINT32_MAX), 3);
	assert_int_equal(uid_ranges_number_from(&uids, 1), 1);
	uid_ranges_remove(&uids, 3);
	assert_int_equal(uid_ranges_number_from(&uids, UINT32_MAX), 3);
	assert_int_equal(uid_ranges_number(&uids, UINT32_MAX), 0);
	uid_ranges_clear(&uids);
}

static void
a_million_without_a_gap_are_one_range(void **state)
{
	struct uid_ranges uids = { 0 };

	for (uint32_t uid = 1; uid <= 1000000; uid++)
		uid_ranges_append(&uids, uid, 1);
	assert_int_equal(uids.range_count, 1);
	uid_ranges_remove(&uids, 500000);
	assert_int_equal(uids.range_count, 2);
	assert_int_equal(uid_ranges_uid(&uids, 500000), 500001);
	uid_ranges_clear(&uids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_what_an_array_is),
		cmocka_unit_test(uids_end_where_they_end),
		cmocka_unit_test(a_million_without_a_gap_are_one_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
