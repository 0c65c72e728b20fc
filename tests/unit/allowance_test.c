/*
 * What one account may add in a day.
 */
#include "tests/unit/aging.h"

#include <string.h>

static void
who_has_used_up_his_allowance_waits_for_the_next_day(void **state)
{
	static const struct allowance_limits limits = { .changes = 5 };
	struct aging *f = *state;
	struct message m = { .type = MESSAGE_change_append };
	unsigned int i;

	allowance_configure(f->journal->allowance, &limits);
	for (i = 0; i < 5; i++)
		aging_append(f, "x\n");
	m.change_append.delivery = aging_delivery(f);
	m.change_append.mailbox = 1;
	m.change_append.data = TEXT("y\n");
	m.change_append.size = 2;
	assert_int_equal(aging_try(f, &m), STATUS_FULL);
	/* Mail for him alone waits; with others it goes to all. */
	assert_int_equal(aging_accept(f, 1, 1, 0), STATUS_FULL);
	assert_int_equal(aging_accept(f, 2, 2, 0), STATUS_OK);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	for (i = 4; i < 7; i++)
		assert_int_equal(aging_accept(f, (uint8_t)i, 2, 0), STATUS_OK);
	/* What was accepted before is still answered so. */
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_FULL);
	assert_int_equal(aging_accept(f, 3, 1, 2), STATUS_OK);
	aging_move_wall_clock(f, 400 * DAY);
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_FULL);
	aging_pass(f, DAY);
	assert_int_equal(aging_accept(f, 7, 1, 2), STATUS_OK);
	aging_apply(f, &m);
	aging_verify(f);
}

static void
bytes_count_too(void **state)
{
	static const struct allowance_limits limits = { .bytes = 5000 };
	struct aging *f = *state;
	static char body[4000];
	struct message m = { .type = MESSAGE_change_append };

	allowance_configure(f->journal->allowance, &limits);
	m.change_append.mailbox = 1;
	m.change_append.data = text_make(body, sizeof(body));
	m.change_append.size = sizeof(body);
	m.change_append.delivery = aging_delivery(f);
	aging_apply(f, &m);
	m.change_append.delivery = aging_delivery(f);
	aging_apply(f, &m);
	m.change_append.delivery = aging_delivery(f);
	assert_int_equal(aging_try(f, &m), STATUS_FULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AGING_TEST(
		    who_has_used_up_his_allowance_waits_for_the_next_day),
		AGING_TEST(bytes_count_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
