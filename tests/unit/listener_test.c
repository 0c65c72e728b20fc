/*
 * Limits on connections: in all, from one address, given back at the end.
 */
#include "common/clock.h"
#include "common/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 5000
};

static struct event_loop *loop;
static struct listener_limits *limits;
static struct listener *listener;
static struct timer *deadline;
static struct sockaddr_in address;
static int taken, refused;
static char last_ip[LISTENER_ADDRESS_SIZE];
static bool is_late;

static void
accepted(
    int fd, const char *ip, bool is_loopback, bool is_refused, void *context)
{
	assert_true(is_loopback);
	strcpy(last_ip, ip);
	if (is_refused)
		refused++;
	else
		taken++;
	close(fd);
	event_loop_stop(loop);
}

static void
too_late(void *context)
{
	is_late = true;
	event_loop_stop(loop);
}

static int
set_up(void **state)
{
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address = (struct sockaddr_in){ .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	taken = refused = 0;
	is_late = false;
	loop = event_loop_new();
	deadline = timer_new(loop, too_late, NULL);
	limits = listener_limits_new(3, 2);
	listener = listener_new(loop, fd, limits, accepted, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	listener_free(&listener);
	listener_limits_free(&limits);
	timer_free(&deadline);
	event_loop_free(&loop);
	return 0;
}

/* A client from 127.0.0.`last`. */
static void
call(uint8_t last)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	from.sin_addr.s_addr = htonl(0x7f000000U + last);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	timer_start(deadline, DEADLINE_MS);
	event_loop_run(loop);
	assert_false(is_late);
	close(fd);
}

static void
limits_hold_and_places_are_given_back(void **state)
{
	/* Who calls (0: who leaves), and what stands after it. */
	static const struct {
		uint8_t caller, leaver;
		int taken, refused;
	} rows[] = { { 1, 0, 1, 0 }, { 1, 0, 2, 0 }, { 1, 0, 2, 1 },
		{ 2, 0, 3, 1 }, { 3, 0, 3, 2 }, { 0, 2, 3, 2 }, { 1, 0, 3, 3 },
		{ 3, 0, 4, 3 }, { 0, 1, 4, 3 },
		{ 0, 9, 4, 3 }, /* was never there */
		{ 1, 0, 5, 3 }, { 2, 0, 5, 4 } };
	char ip[] = "127.0.0.0";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].caller != 0) {
			call(rows[i].caller);
			assert_int_equal(last_ip[8], '0' + rows[i].caller);
		} else {
			ip[8] = (char)('0' + rows[i].leaver);
			listener_limits_release(limits, ip);
		}
		if (taken != rows[i].taken || refused != rows[i].refused)
			fail_msg(
			    "row %zu: %d taken, %d refused", i, taken, refused);
	}
}

static void
new_limits_hold_for_those_who_come(void **state)
{
	call(1);
	listener_limits_set(limits, 1, 1);
	call(2);
	assert_int_equal(refused, 1);
	listener_limits_set(limits, 2, 1);
	call(2);
	call(1);
	assert_int_equal(taken, 2);
	assert_int_equal(refused, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(limits_hold_and_places_are_given_back),
		TEST(new_limits_hold_for_those_who_come)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
