/*
 * Alarms that wait for snapd: none is lost, each is told once, and too many are
 * told as one for everybody.
 */
#include "broker/alarms.h"

#include "common/messages.h"
#include "common/process.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
each_is_kept_once_and_told_once(void **state)
{
	struct alarms alarms = { .count = 0 };
	struct alarm_entry alarm;
	unsigned int seen = 0;

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		alarms_keep(&alarms, ROLE_WORKER, 1, ALARM_KILLED);
		alarms_keep(&alarms, ROLE_WORKER, 2, ALARM_KILLED);
		alarms_keep(&alarms, ROLE_WORKER, 1, ALARM_MISBEHAVED);
		alarms_keep(&alarms, ROLE_SMTPD, 0, ALARM_KILLED);
	}
	while (alarms_take(&alarms, &alarm))
		seen += alarm.role == ROLE_SMTPD ? 1000
			: alarm.reason == ALARM_KILLED
			    ? (alarm.account == 1 ? 1 : 10)
			    : 100;
	assert_int_equal(seen, 1111);
	assert_false(alarms_take(&alarms, &alarm));
}

static void
too_many_are_one_for_every_account(void **state)
{
	struct alarms alarms = { .count = 0 };
	struct alarm_entry alarm;
	bool is_for_all = false;
	size_t told = 0;

	(void)state;
	for (uint32_t account = 1; account <= 10 * ALARMS_MAX; account++)
		alarms_keep(&alarms, ROLE_WORKER, account, ALARM_KILLED);
	while (alarms_take(&alarms, &alarm)) {
		is_for_all = is_for_all || alarm.account == 0;
		told++;
	}
	assert_true(is_for_all);
	assert_true(told <= ALARMS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_kept_once_and_told_once),
		cmocka_unit_test(too_many_are_one_for_every_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
