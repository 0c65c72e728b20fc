/* Listening sockets over a reload: an address that gives way to another. */
#include "master/listeners.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 20000
};

static struct settings *settings;
static struct listeners old, fresh;
static uint16_t port;
static int front;    /* what was handed to one */
static int reserved; /* keeps the port ours, and does not listen */

static struct sockaddr_in
loopback(uint16_t number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(number),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* One that listens on a port which it found free. */
static int
listen_somewhere(uint16_t *number)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(
	    getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*number = ntohs(address.sin_port);
	return fd;
}

static void
want(size_t place, const char *address, uint16_t number)
{
	memset(&settings->listeners[place], 0, sizeof(settings->listeners[0]));
	strcpy(settings->listeners[place].address, address);
	settings->listeners[place].port = number;
	settings->listener_count = place + 1;
}

/* A port that is free at all addresses, and stays so. */
static void
reserve_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	const int one = 1;

	reserved = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    setsockopt(reserved, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)),
	    0);
	assert_int_equal(bind(reserved, (struct sockaddr *)&address, size), 0);
	assert_int_equal(
	    getsockname(reserved, (struct sockaddr *)&address, &size), 0);
	port = ntohs(address.sin_port);
}

static int
set_up(void **state)
{
	struct error error;

	reserve_port();
	settings = settings_new();
	want(0, "127.0.0.1", port);
	if (listeners_open(&old, settings, NULL, &error) == -1)
		fail_msg("%s", error.text);
	front = dup(old.list[0].fd);
	return 0;
}

static int
tear_down(void **state)
{
	listeners_close(&old);
	listeners_close(&fresh);
	close(front);
	close(reserved);
	settings_free(&settings);
	return 0;
}

/* Whether who connects to the port comes in there. */
static bool
takes(int fd)
{
	struct sockaddr_in address = loopback(port);
	struct pollfd ready = { fd, POLLIN, 0 };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), taken;

	if (connect(client, (struct sockaddr *)&address, sizeof(address)) ==
	    -1) {
		close(client);
		return false;
	}
	(void)poll(&ready, 1, DEADLINE_MS);
	taken = accept(fd, NULL, NULL);
	close(client);
	if (taken != -1)
		close(taken);
	return taken != -1;
}

static int
find(const char *address)
{
	for (size_t i = 0; i < fresh.count; i++)
		if (strcmp(fresh.list[i].address, address) == 0)
			return fresh.list[i].fd;
	return -1;
}

static void
one_address_gives_way_to_all_and_back(void **state)
{
	struct error error;

	assert_true(takes(front));
	want(0, "*", port);
	if (listeners_open(&fresh, settings, &old, &error) == -1)
		fail_msg("%s", error.text);
	assert_true(takes(find("0.0.0.0")));
	listeners_close(&old);
	old = fresh;
	fresh.count = 0;
	want(0, "127.0.0.1", port);
	if (listeners_open(&fresh, settings, &old, &error) == -1)
		fail_msg("%s", error.text);
	assert_true(takes(find("127.0.0.1")));
}

static void
what_stays_is_not_touched(void **state)
{
	struct error error;

	want(1, "127.0.0.2", port);
	assert_int_equal(listeners_open(&fresh, settings, &old, &error), 0);
	assert_int_equal(fresh.count, 2);
	assert_true(takes(front));
}

static void
a_reload_that_fails_leaves_the_old_one_listening(void **state)
{
	struct error error;
	uint16_t taken;
	int other = listen_somewhere(&taken);

	want(0, "*", port);
	want(1, "127.0.0.1", taken);
	assert_int_equal(listeners_open(&fresh, settings, &old, &error), -1);
	assert_int_equal(fresh.count, 0);
	assert_true(takes(front));
	close(other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(one_address_gives_way_to_all_and_back),
		TEST(what_stays_is_not_touched),
		TEST(a_reload_that_fails_leaves_the_old_one_listening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
