/*
 * Connections are taken within budgets, and those of proxies are their
 * clients': headers of both versions, in any pieces, and nothing of what
 * follows is lost.
 */
#include "common/listener.h"

#include "common/clock.h"
#include "common/proxy_wait.h"

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
	DEADLINE_MS = 60000
};

static const uint8_t key[16] = { 1 };
static struct event_loop *loop;
static struct budget *budget;
static struct network_list proxies;
static struct listener *listener;
static struct timer *deadline;
static struct sockaddr_in address;
static int taken, refused, last_fd = -1;
static struct listener_client last;
static bool is_late;

static void
accepted(int fd, const struct listener_client *client,
    enum budget_verdict verdict, void *context)
{
	last = *client;
	if (verdict == BUDGET_OK)
		taken++;
	else
		refused++;
	if (last_fd != -1)
		close(last_fd);
	last_fd = fd;
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
	struct budget_limits limits = {
		.all = 3, .per_address = 2, .per_network = 3
	};
	struct listener_rules rules = { .proxies = &proxies };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	address = (struct sockaddr_in){ .sin_family = AF_INET };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&address, &size);
	taken = refused = 0;
	is_late = false;
	proxies.count = 0;
	loop = event_loop_new();
	deadline = timer_new(loop, too_late, NULL);
	budget = budget_new(key);
	budget_set(budget, &limits);
	rules.budget = budget;
	listener = listener_new(loop, fd, &rules, accepted, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	listener_free(&listener);
	budget_free(&budget);
	timer_free(&deadline);
	event_loop_free(&loop);
	if (last_fd != -1)
		close(last_fd);
	last_fd = -1;
	return 0;
}

static int
dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Until the listener has decided. */
static void
run(void)
{
	timer_start(deadline, DEADLINE_MS);
	event_loop_run(loop);
	timer_stop(deadline);
	assert_false(is_late);
}

/* So long that what was sent is looked at, and nothing is decided. */
static void
run_without_decision(void)
{
	int before = taken + refused;

	timer_start(deadline, 5);
	event_loop_run(loop);
	assert_true(is_late);
	assert_int_equal(taken + refused, before);
	is_late = false;
}

static void
wait_until_closed(int fd)
{
	int64_t end_us = clock_monotonic_us() + DEADLINE_MS * 1000;
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) == -1) {
		assert_true(clock_monotonic_us() < end_us);
		timer_start(deadline, 1);
		event_loop_run(loop);
	}
	is_late = false;
}

static void
limits_hold_and_places_are_given_back(void **state)
{
	for (int i = 0; i < 4; i++) {
		int fd = dial();

		run();
		close(fd);
		assert_string_equal(last.ip, "127.0.0.1");
		assert_true(last.is_loopback);
	}
	assert_int_equal(taken, 3);
	assert_int_equal(refused, 1);
	budget_release(budget, &last.budget);
	close(dial());
	run();
	assert_int_equal(taken, 4);
}

/* -- Proxies -- */

static void
trust(const char *network)
{
	assert_int_equal(network_parse(text_of(network), &proxies.list[0]), 0);
	proxies.count = 1;
}

#define V2     "\r\n\r\n\0\r\nQUIT\n"
#define MIXED4 "\300\0\2\1\177\0\0\1\0\1\0\2"
#define MIXED6                                   \
	"\x20\x01\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7" \
	"\x20\x01\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"

struct row {
	const char *bytes;
	size_t size;
	const char *ip; /* NULL: it is refused */
};

#define ROW(bytes, ip)                           \
	{                                        \
		(bytes), sizeof(bytes) - 1, (ip) \
	}

static const struct row rows[] = {
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n", "192.0.2.1"),
	ROW("PROXY TCP6 2001:db8::7 ::1 65535 0\r\n", "2001:db8::7"),
	ROW("PROXY UNKNOWN\r\n", "127.0.0.1"),
	ROW("PROXY UNKNOWN ffff:f...f:ffff a b c d e f\r\n", "127.0.0.1"),
	ROW(V2 "\x21\x11\0\x0c" MIXED4, "192.0.2.1"),
	ROW(V2 "\x21\x11\0\x10" MIXED4 "\4\0\1x", "192.0.2.1"),
	ROW(V2 "\x21\x21\0\x24" MIXED6, "2001:db8::7"),
	ROW(V2 "\x21\x00\0\0", "127.0.0.1"),
	ROW(V2 "\x20\x00\0\0", "127.0.0.1"),
	/* LOCAL: whatever stands there counts for nothing. */
	ROW(V2 "\x20\x11\0\x0c" MIXED4, "127.0.0.1"),
	ROW(V2 "\x20\xff\0\3abc", "127.0.0.1"),
	ROW("EHLO me.example\r\n", NULL),
	ROW("proxy TCP4 192.0.2.1 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 1 25\n", NULL),
	ROW("PROXY TCP4  192.0.2.1 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 1 25 \r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 1\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 1 65536\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1 127.0.0.1 01 25\r\n", NULL),
	ROW("PROXY TCP4 2001:db8::7 ::1 1 25\r\n", NULL),
	ROW("PROXY TCP6 192.0.2.1 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.300 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY TCP5 192.0.2.1 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY TCP4 192.0.2.1\0x 127.0.0.1 1 25\r\n", NULL),
	ROW("PROXY \r\n", NULL),
	ROW("PROXY\r\n", NULL),
	/* 107 bytes, and no end in them. */
	ROW("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
	    NULL),
	ROW(V2 "\x21\x11\0\x0b" MIXED4, NULL),
	ROW(V2 "\x21\x21\0\x23" MIXED6, NULL),
	ROW(V2 "\x21\x12\0\x0c" MIXED4, NULL),   /* a datagram */
	ROW(V2 "\x22\x11\0\x0c" MIXED4, NULL),   /* no such command */
	ROW(V2 "\x11\x11\0\x0c" MIXED4, NULL),   /* no such version */
	ROW(V2 "\x21\x41\0\x0c" MIXED4, NULL),   /* no such family */
	ROW(V2 "\x21\x11\xff\xff" MIXED4, NULL), /* too long */
	ROW("\r\n\r\n\0\r\nQUIX", NULL),
};

/* The parser alone, byte by byte: it asks for more until it knows. */
static void
headers_are_read_at_every_length(void **state)
{
	struct proxy_header header;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum proxy_header_step step = PROXY_HEADER_MORE;
		size_t size = 0;

		while (step == PROXY_HEADER_MORE && size < rows[i].size)
			step = proxy_header_parse(
			    (const uint8_t *)rows[i].bytes, ++size, &header);
		if (step !=
		    (rows[i].ip == NULL ? PROXY_HEADER_BAD : PROXY_HEADER_DONE))
			fail_msg("row %zu", i);
		if (step != PROXY_HEADER_DONE)
			continue;
		assert_int_equal(size, rows[i].size);
		assert_int_equal(header.size, size);
	}
}

static void
the_client_is_who_the_proxy_says(void **state)
{
	trust("127.0.0.0/8");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = dial(), before = taken;
		char byte;

		if (rows[i].ip == NULL) {
			send(fd, rows[i].bytes, rows[i].size, 0);
			wait_until_closed(fd);
			assert_int_equal(taken, before);
			close(fd);
			continue;
		}
		send(fd, rows[i].bytes, 3, 0);
		run_without_decision();
		send(fd, rows[i].bytes + 3, rows[i].size - 3, MSG_MORE);
		send(fd, "E", 1, 0);
		run();
		assert_int_equal(taken, before + 1);
		assert_string_equal(last.ip, rows[i].ip);
		assert_int_equal(
		    last.is_loopback, strcmp(rows[i].ip, "127.0.0.1") == 0);
		/* Not a byte of what follows is taken. */
		assert_int_equal(recv(last_fd, &byte, 1, 0), 1);
		assert_int_equal(byte, 'E');
		assert_int_equal(recv(last_fd, &byte, 1, MSG_DONTWAIT), -1);
		budget_release(budget, &last.budget);
		close(fd);
	}
}

/* Two of one address, three of one network, whatever the proxy's is. */
static void
budgets_are_those_of_the_client(void **state)
{
	static const char *const lines[] = {
		"PROXY TCP4 192.0.2.1 127.0.0.1 1 25\r\n",
		"PROXY TCP4 192.0.2.1 127.0.0.1 2 25\r\n",
		"PROXY TCP4 192.0.2.1 127.0.0.1 3 25\r\n",
		"PROXY TCP4 192.0.2.2 127.0.0.1 4 25\r\n",
	};

	trust("127.0.0.1");
	for (int i = 0; i < 4; i++) {
		int fd = dial();

		send(fd, lines[i], strlen(lines[i]), 0);
		run();
		close(fd);
		assert_int_equal(refused, i >= 2);
	}
	assert_int_equal(taken, 3);
}

static void
nobody_else_is_a_proxy(void **state)
{
	int fd = dial();

	trust("127.0.0.2");
	send(fd, "PROXY UNKNOWN\r\n", 15, 0);
	wait_until_closed(fd);
	assert_int_equal(taken + refused, 0);
	close(fd);
}

/* -- Who does not say whose it is -- */

static const char *reason;
static bool is_done;

static void
header_came(
    int fd, const struct proxy_header *header, const char *why, void *context)
{
	assert_null(header);
	reason = why;
	is_done = true;
	event_loop_stop(loop);
}

static void
a_header_that_does_not_come_is_not_waited_for(void **state)
{
	static const struct {
		const char *sent;
		bool closes;
		const char *reason;
	} cases[] = { { "", true, NULL }, { "PROXY TC", true, "closed" },
		{ "PROXY TC", false, "timeout" }, { "", false, "timeout" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct proxy_wait *wait;
		int ends[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends),
		    0);
		wait = proxy_wait_new(loop, ends[0],
		    cases[i].closes ? DEADLINE_MS : 20, header_came, NULL);
		is_done = false;
		send(ends[1], cases[i].sent, strlen(cases[i].sent), 0);
		if (cases[i].closes)
			shutdown(ends[1], SHUT_WR);
		timer_start(deadline, DEADLINE_MS);
		event_loop_run(loop);
		assert_true(is_done);
		if (cases[i].reason == NULL)
			assert_null(reason);
		else
			assert_string_equal(reason, cases[i].reason);
		proxy_wait_free(&wait);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Those who wait go with the listener. */
static void
a_listener_ends_with_proxies_that_wait(void **state)
{
	int fd = dial();
	char byte;

	trust("127.0.0.1");
	send(fd, "PROXY", 5, 0);
	run_without_decision();
	listener_free(&listener);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(limits_hold_and_places_are_given_back),
		TEST(headers_are_read_at_every_length),
		TEST(the_client_is_who_the_proxy_says),
		TEST(budgets_are_those_of_the_client),
		TEST(nobody_else_is_a_proxy),
		TEST(a_header_that_does_not_come_is_not_waited_for),
		TEST(a_listener_ends_with_proxies_that_wait)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
