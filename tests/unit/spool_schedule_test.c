/*
 * The scheduler: turns, windows, pauses and duties, with times as the test
 * says; and beside a model that looks at every parcel each time.
 */
#include "smtpd/spool_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	MINUTE = 60 * 1000,
	HOUR = 60 * MINUTE,
	DAY = 24 * HOUR
};

static const struct schedule_settings settings = { .retry_s = 300,
	.retry_most_s = 4 * 3600,
	.probe_most_s = 1800,
	.expire_s = 5 * 86400,
	.notice_s = 4 * 3600,
	.seed = 1 };

static struct schedule *schedule;
static uint64_t taken;
static uint16_t number;

static int
set_up(void **state)
{
	schedule = schedule_new(&settings);
	return 0;
}

static int
tear_down(void **state)
{
	schedule_free(&schedule);
	return 0;
}

static void
add_from(uint64_t message, const char *domain, uint32_t account, int64_t now)
{
	struct schedule_parcel parcel = { .message = message,
		.account = account,
		.time = now,
		.next = now,
		.domain = text_of(domain) };

	schedule_add(schedule, &parcel, now);
}

static void
add(uint64_t message, const char *domain, int64_t now)
{
	add_from(message, domain, 1, now);
}

static uint64_t
take(int64_t now)
{
	return schedule_take(schedule, now, &taken, &number) ? taken : 0;
}

static void
done(uint64_t message, enum schedule_result result, int64_t now)
{
	schedule_done(schedule, message, 0, result, now);
}

static void
destinations_and_senders_take_turns(void **state)
{
	static const uint64_t turns[] = { 1, 20, 10, 21, 2, 22, 11, 23, 3, 24 };

	for (uint64_t i = 0; i < 5; i++) {
		add_from(1 + i, "a.test", 1, 0);
		add_from(20 + i, "b.test", 1, 0);
	}
	for (uint64_t i = 0; i < 5; i++)
		add_from(10 + i, "a.test", 2, 0);
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++)
		assert_int_equal(take(0), turns[i]);
	/* Both have their five connections. */
	assert_int_equal(take(0), 0);
}

/* Slow ones that would have twenty connections each. */
static size_t
fill_with_slow_ones(uint64_t destinations)
{
	struct schedule_destination at;
	uint64_t next = 1;
	char domain[20];
	size_t running = 0, most = 0;

	for (uint64_t n = 0; n < destinations; n++) {
		snprintf(domain, sizeof(domain), "slow%u.test", (unsigned)n);
		for (int i = 0; i < 400; i++)
			add(next++, domain, 0);
	}
	/* They took mail quickly until now. */
	for (int i = 0; i < 300 * (int)destinations && take(0) != 0; i++)
		done(taken, SCHEDULE_OVER, 0);
	while (take(0) != 0)
		running++;
	assert_int_equal(schedule_running(schedule), running);
	for (uint64_t n = 0; n < destinations; n++) {
		snprintf(domain, sizeof(domain), "slow%u.test", (unsigned)n);
		assert_true(
		    schedule_destination(schedule, text_of(domain), &at));
		most = at.running > most ? at.running : most;
		assert_true(at.running > 0);
	}
	return most;
}

static void
twenty_slow_destinations_leave_room_for_a_new_one(void **state)
{
	size_t most = fill_with_slow_ones(20);

	assert_true(most >= 10 && most <= SPOOL_WINDOW_MAX);
	for (uint64_t i = 0; i < 5; i++)
		add(1000000 + i, "new.test", 0);
	/* Nothing of the slow ones had to end. */
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(take(0), 1000000 + i);
	assert_int_equal(schedule_wake(schedule, true) > 0, true);
}

static void
many_slow_destinations_have_a_few_places_each(void **state)
{
	assert_true(fill_with_slow_ones(300) <= 2);
	add(1000000, "new.test", 0);
	assert_int_equal(take(0), 1000000);
}

static void
a_window_grows_with_success_and_not_beyond_twenty(void **state)
{
	struct schedule_destination at;
	uint64_t next = 1;

	for (uint64_t i = 1; i <= 1000; i++)
		add(i, "a.test", 0);
	while (take(0) != 0)
		next++;
	assert_int_equal(next, 1 + SPOOL_WINDOW_START);
	for (uint64_t over = 1; over <= 600; over++) {
		done(over, SCHEDULE_OVER, 0);
		while (take(0) != 0)
			next++;
	}
	assert_true(schedule_destination(schedule, TEXT("a.test"), &at));
	assert_int_equal(at.window, SPOOL_WINDOW_MAX);
	assert_int_equal(at.running, SPOOL_WINDOW_MAX);
	done(601, SCHEDULE_TROUBLE, 0);
	assert_true(schedule_destination(schedule, TEXT("a.test"), &at));
	assert_int_equal(at.window, SPOOL_WINDOW_MAX / 2);
	assert_int_equal(at.until, 0);
}

/* Whoever is not there is asked by one now and then. */
static void
a_dead_destination_is_left_alone_and_probed_by_one(void **state)
{
	struct schedule_destination at;
	int64_t now = 0, before, spans[4];

	for (uint64_t i = 1; i <= 100; i++)
		add(i, "dead.test", 0);
	for (int i = 0; i < SPOOL_WINDOW_START; i++)
		assert_int_not_equal(take(now), 0);
	for (uint64_t i = 1; i <= SPOOL_WINDOW_START; i++)
		done(i, SCHEDULE_TROUBLE, now);
	assert_int_equal(take(now), 0);
	for (int i = 0; i < 4; i++) {
		assert_true(
		    schedule_destination(schedule, TEXT("dead.test"), &at));
		before = now;
		now = at.until;
		spans[i] = now - before;
		assert_int_equal(take(now - 1), 0);
		assert_int_not_equal(take(now), 0);
		assert_int_equal(take(now), 0);
		done(taken, SCHEDULE_TROUBLE, now);
	}
	assert_in_range(spans[0], 262500, 337500);
	assert_in_range(spans[1], 525000, 675000);
	assert_in_range(spans[2], 1050000, 1350000);
	assert_in_range(spans[3], 1575000, 2025000);
	/* It is back: the others follow. */
	schedule_destination(schedule, TEXT("dead.test"), &at);
	assert_int_not_equal(take(at.until), 0);
	done(taken, SCHEDULE_OVER, at.until);
	for (int i = 0; i < SPOOL_WINDOW_START; i++)
		assert_int_not_equal(take(at.until), 0);
}

static void
a_dead_destination_with_many_costs_the_others_nothing(void **state)
{
	uint64_t alone, beside, steps;

	add(1, "a.test", 0);
	steps = schedule_steps(schedule);
	assert_int_equal(take(0), 1);
	done(1, SCHEDULE_OVER, 0);
	alone = schedule_steps(schedule) - steps;
	for (uint64_t i = 100; i < 50100; i++)
		add(i, "dead.test", 0);
	while (take(0) != 0)
		done(taken, SCHEDULE_TROUBLE, 0);
	add(2, "a.test", 0);
	steps = schedule_steps(schedule);
	assert_int_equal(take(0), 2);
	done(2, SCHEDULE_OVER, 0);
	beside = schedule_steps(schedule) - steps;
	/* The heaps of duties are as deep as the logarithm. */
	assert_true(beside <= alone + 40);
}

static void
a_message_is_tried_again_after_5_10_20_minutes(void **state)
{
	static const int64_t minutes[] = { 5, 10, 20, 40, 80, 160, 240, 240 };
	int64_t now = 0, wait;

	add(1, "a.test", 0);
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		assert_int_equal(take(now), 1);
		done(1, SCHEDULE_AGAIN, now);
		assert_int_equal(take(now), 0);
		wait = schedule_next_try(
			   schedule, 1, 0, (unsigned int)i + 1, now) -
		       now;
		assert_in_range(wait, minutes[i] * MINUTE * 7 / 8,
		    minutes[i] * MINUTE * 9 / 8);
		assert_int_equal(take(now + wait - 1), 0);
		now += wait;
	}
}

static void
a_relay_that_died_gives_back_what_it_had_a_few_times(void **state)
{
	add(1, "a.test", 0);
	for (int i = 1; i < SCHEDULE_MAX_RETURNS; i++) {
		assert_int_equal(take(0), 1);
		done(1, SCHEDULE_RETURNED, 0);
	}
	assert_int_equal(take(0), 1);
	done(1, SCHEDULE_RETURNED, 0);
	assert_int_equal(take(0), 0);
	assert_int_equal(take(6 * MINUTE), 1);
}

static void
a_relay_without_room_is_asked_later(void **state)
{
	add(1, "a.test", 0);
	assert_int_equal(take(0), 1);
	done(1, SCHEDULE_REFUSED, 0);
	assert_int_equal(take(0), 0);
	assert_int_equal(schedule_wake(schedule, true), 1000);
	assert_int_equal(take(1000), 1);
}

static void
a_notice_comes_once_and_then_the_end(void **state)
{
	uint64_t message;

	add(1, "a.test", 0);
	assert_int_equal(
	    schedule_duty(schedule, 4 * HOUR - 1, &message, &number),
	    SCHEDULE_NONE);
	assert_int_equal(take(4 * HOUR), 1);
	assert_int_equal(schedule_duty(schedule, 4 * HOUR, &message, &number),
	    SCHEDULE_NONE);
	done(1, SCHEDULE_AGAIN, 4 * HOUR);
	assert_int_equal(schedule_wake(schedule, false), 4 * HOUR);
	assert_int_equal(schedule_duty(schedule, 4 * HOUR, &message, &number),
	    SCHEDULE_NOTICE);
	assert_int_equal(
	    schedule_duty(schedule, 4 * DAY, &message, &number), SCHEDULE_NONE);
	assert_int_equal(schedule_duty(schedule, 5 * DAY, &message, &number),
	    SCHEDULE_EXPIRE);
	schedule_remove(schedule, 1, 0);
	assert_int_equal(schedule_wake(schedule, true), INT64_MAX);
}

/* RFC 2852: what is late is told at its time, or given up. */
static void
add_by(uint64_t message, int64_t deliver_by, bool is_returned)
{
	struct schedule_parcel parcel = { .message = message,
		.account = 1,
		.deliver_by = deliver_by,
		.is_returned = is_returned,
		.domain = TEXT("a.test") };

	schedule_add(schedule, &parcel, 0);
}

static void
who_set_a_time_hears_at_that_time(void **state)
{
	uint64_t message;

	add_by(1, MINUTE, false);
	assert_int_equal(schedule_wake(schedule, false), MINUTE);
	assert_int_equal(schedule_duty(schedule, MINUTE - 1, &message, &number),
	    SCHEDULE_NONE);
	assert_int_equal(schedule_duty(schedule, MINUTE, &message, &number),
	    SCHEDULE_NOTICE);
	assert_int_equal(
	    schedule_duty(schedule, 5 * DAY - 1, &message, &number),
	    SCHEDULE_NONE);
	assert_int_equal(schedule_duty(schedule, 5 * DAY, &message, &number),
	    SCHEDULE_EXPIRE);
	schedule_remove(schedule, 1, 0);
	/* It was late when it came; not later than others, either. */
	add_by(2, 1, false);
	assert_int_equal(
	    schedule_duty(schedule, 1, &message, &number), SCHEDULE_NOTICE);
	schedule_remove(schedule, 2, 0);
	add_by(3, 3 * DAY, false);
	assert_int_equal(schedule_duty(schedule, 4 * HOUR, &message, &number),
	    SCHEDULE_NOTICE);
}

static void
or_has_it_back(void **state)
{
	uint64_t message;

	add_by(1, 5 * HOUR, true);
	assert_int_equal(schedule_duty(schedule, 4 * HOUR, &message, &number),
	    SCHEDULE_NOTICE);
	assert_int_equal(take(4 * HOUR), 1);
	assert_int_equal(schedule_duty(schedule, 5 * HOUR, &message, &number),
	    SCHEDULE_NONE);
	done(1, SCHEDULE_AGAIN, 5 * HOUR);
	assert_int_equal(schedule_duty(schedule, 5 * HOUR, &message, &number),
	    SCHEDULE_EXPIRE);
	schedule_remove(schedule, 1, 0);
	add_by(2, 6 * DAY, true);
	assert_int_equal(schedule_duty(schedule, 5 * DAY, &message, &number),
	    SCHEDULE_EXPIRE);
}

static void
what_is_held_neither_goes_nor_ends(void **state)
{
	uint64_t message;

	add(1, "a.test", 0);
	schedule_hold(schedule, 1, 0, true, 0, 0);
	assert_int_equal(take(6 * DAY), 0);
	assert_int_equal(
	    schedule_duty(schedule, 6 * DAY, &message, &number), SCHEDULE_NONE);
	schedule_hold(schedule, 1, 0, false, DAY, DAY);
	assert_int_equal(take(DAY), 1);
}

static void
a_flush_goes_at_once_to_a_destination_in_trouble(void **state)
{
	add(1, "a.test", 0);
	add(2, "a.test", 0);
	for (int i = 0; i < 8; i++)
		if (take(i * HOUR) != 0)
			done(taken, SCHEDULE_TROUBLE, i * HOUR);
	assert_int_equal(take(7 * HOUR + 1), 0);
	schedule_flush(schedule, 1, 0, 7 * HOUR + 1);
	assert_int_not_equal(take(7 * HOUR + 1), 0);
}

static void
what_is_urgent_goes_first_and_what_may_wait_last(void **state)
{
	struct schedule_parcel parcel = { .account = 1,
		.domain = TEXT("a.test") };
	static const int8_t priorities[] = { -1, 0, 4, 0 };
	static const uint64_t order[] = { 3, 2, 4, 1 };

	for (uint64_t i = 1; i <= 4; i++) {
		parcel.message = i;
		parcel.priority = priorities[i - 1];
		schedule_add(schedule, &parcel, 0);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(take(0), order[i]);
}

/* -- The model: one array, walked for everything -- */

enum {
	MODEL_PARCELS = 60,
	MODEL_STEPS = 20000
};

struct model_parcel {
	bool is_there;
	bool is_running;
	bool is_held;
	unsigned int domain;
	int64_t next;
	unsigned int tries;
};

static uint64_t state_of_chance = 1;

static unsigned int
chance(unsigned int limit)
{
	state_of_chance = state_of_chance * UINT64_C(6364136223846793005) +
			  1442695040888963407;
	return (unsigned int)(state_of_chance >> 33) % limit;
}

static const char *const domains[] = { "a.test", "b.test", "c.test" };

/* Whether one of that domain may go now, by the model and what the destination
 * says of itself. */
static bool
may_go(const struct model_parcel *model, unsigned int domain, int64_t now)
{
	struct schedule_destination at;

	if (!schedule_destination(schedule, text_of(domains[domain]), &at) ||
	    at.running >= at.window || at.until > now)
		return false;
	for (int i = 0; i < MODEL_PARCELS; i++)
		if (model[i].is_there && !model[i].is_running &&
		    !model[i].is_held && model[i].domain == domain &&
		    model[i].next <= now)
			return true;
	return false;
}

static void
check_take(struct model_parcel *model, int64_t now)
{
	bool is_any = false;

	/* Pauses that are over count only from the next turn on. */
	if (take(now) != 0) {
		struct model_parcel *one = &model[taken - 1];

		assert_true(one->is_there && !one->is_running);
		assert_true(!one->is_held && one->next <= now);
		one->is_running = true;
		return;
	}
	for (unsigned int i = 0; i < 3; i++)
		is_any = is_any || may_go(model, i, now);
	assert_false(is_any);
}

static void
end_one(struct model_parcel *one, uint64_t message, int64_t now)
{
	enum schedule_result result = (enum schedule_result)chance(4);

	one->is_running = false;
	if (result == SCHEDULE_OVER)
		one->is_there = false;
	else if (result == SCHEDULE_RETURNED) /* at most twice in a row here */
		result = SCHEDULE_AGAIN;
	done(message, result, now);
	if (result != SCHEDULE_OVER)
		one->next =
		    schedule_next_try(schedule, message, 0, ++one->tries, now);
}

static void
it_does_what_the_model_does(void **state)
{
	static struct model_parcel model[MODEL_PARCELS];
	unsigned int i, running = 0;
	int64_t now = 0;
	size_t count = 0;

	for (int step = 0; step < MODEL_STEPS; step++) {
		struct model_parcel *one = &model[i = chance(MODEL_PARCELS)];

		now += chance(3) == 0 ? chance(10 * MINUTE) : 0;
		if (!one->is_there) {
			*one = (struct model_parcel){ .is_there = true,
				.domain = chance(3),
				.next = now };
			add_from(i + 1, domains[one->domain], chance(3), now);
		} else if (one->is_running) {
			end_one(one, i + 1, now);
		} else if (chance(8) == 0) {
			one->is_held = !one->is_held;
			one->next = one->is_held ? one->next : now;
			schedule_hold(
			    schedule, i + 1, 0, one->is_held, now, now);
		} else if (chance(20) == 0) {
			one->is_there = false;
			schedule_remove(schedule, i + 1, 0);
		}
		check_take(model, now);
	}
	for (i = 0; i < MODEL_PARCELS; i++) {
		count += model[i].is_there;
		running += model[i].is_running;
	}
	assert_int_equal(schedule_count(schedule), count);
	assert_int_equal(schedule_running(schedule), running);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(destinations_and_senders_take_turns),
		TEST(twenty_slow_destinations_leave_room_for_a_new_one),
		TEST(many_slow_destinations_have_a_few_places_each),
		TEST(a_window_grows_with_success_and_not_beyond_twenty),
		TEST(a_dead_destination_is_left_alone_and_probed_by_one),
		TEST(a_dead_destination_with_many_costs_the_others_nothing),
		TEST(a_message_is_tried_again_after_5_10_20_minutes),
		TEST(a_relay_that_died_gives_back_what_it_had_a_few_times),
		TEST(a_relay_without_room_is_asked_later),
		TEST(a_notice_comes_once_and_then_the_end),
		TEST(who_set_a_time_hears_at_that_time),
		TEST(or_has_it_back),
		TEST(what_is_held_neither_goes_nor_ends),
		TEST(a_flush_goes_at_once_to_a_destination_in_trouble),
		TEST(what_is_urgent_goes_first_and_what_may_wait_last),
		TEST(it_does_what_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
