/*
 * Passwords are checked by children, in whatever number they come, and delays
 * grow with mistakes and fade with time.
 */
#include "authd/login_delay.h"
#include "authd/password_pool.h"

#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct event_loop *loop;
static int right;
static int wrong;

static void
confine(void *context)
{
}

static void
late(void *context)
{
	event_loop_stop(loop);
}

static void
done(bool is_right, void *context)
{
	if (is_right)
		right++;
	else
		wrong++;
	if (right + wrong == *(int *)context)
		event_loop_stop(loop);
}

static void
only_the_password_is_right(void **state)
{
	struct error error;
	struct password_pool *pool =
	    password_pool_new(2, confine, NULL, &error);
	struct crypt_data data = { 0 };
	const char *hash =
	    crypt_rn("secret", "$6$rounds=1000$salt", &data, sizeof(data));
	int expected = 100;
	struct timer *timer;

	assert_non_null(pool);
	loop = event_loop_new();
	timer = timer_new(loop, late, NULL);
	timer_start(timer, 10000);
	password_pool_start(pool, loop);
	for (int i = 0; i < 25; i++) {
		assert_int_equal(password_pool_check(pool, hash, TEXT("secret"),
				     done, &expected),
		    0);
		assert_int_equal(password_pool_check(pool, hash,
				     TEXT("secret\0x"), done, &expected),
		    0);
		assert_int_equal(password_pool_check(pool, hash, TEXT("Secret"),
				     done, &expected),
		    0);
		assert_int_equal(password_pool_check(pool, "*", TEXT("secret"),
				     done, &expected),
		    0);
	}
	event_loop_run(loop);
	assert_int_equal(right, 25);
	assert_int_equal(wrong, 75);
	timer_free(&timer);
	password_pool_free(&pool);
	event_loop_free(&loop);
}

static void
delays_grow_and_fade(void **state)
{
	static const int64_t expected[] = { 0, 0, 0, 500, 1000, 2000, 4000,
		8000, 15000, 15000 };
	const uint8_t key[16] = { 1 };
	struct login_delay *delay = login_delay_new(key);
	struct text who = TEXT("192.0.2.1");

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(login_delay_ms(delay, who, 0), expected[i]);
		login_delay_failed(delay, who, 0);
	}
	assert_int_equal(login_delay_ms(delay, TEXT("192.0.2.2"), 0), 0);
	assert_int_equal(login_delay_mistakes(delay, who, 600000000), 5);
	assert_int_equal(login_delay_ms(delay, who, 600000000), 2000);
	login_delay_succeeded(delay, who);
	assert_int_equal(login_delay_ms(delay, who, 600000000), 0);
	login_delay_free(&delay);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_password_is_right),
		cmocka_unit_test(delays_grow_and_fade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
