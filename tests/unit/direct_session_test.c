/*
 * A session that has its client's own socket: it answers the login, and looks
 * after the client as the front does for those that it relays.
 */
#include "imapd/imap_session.h"
#include "imapd/imap_session_state.h"
#include "tests/unit/false_account.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	MESSAGE_SIZE = 900 * 1024,
	MESSAGES = 20
};

static struct world {
	struct event_loop *loop;
	struct timer *deadline;
	struct account_store *account;
	struct imap_session *session; /* NULL: it has ended */
	struct watch *watch;
	int client;
	char heard[65536]; /* the last bytes of what was said */
	size_t heard_size;
	const char *wanted;
	unsigned int stalls; /* how often five minutes began, */
	bool is_over_at_once;
	unsigned int acknowledged;
} world;

void __real_timer_start(struct timer *timer, int64_t delay_ms);
void __wrap_timer_start(struct timer *timer, int64_t delay_ms);

/* Five minutes pass at once, or not at all. */
void
__wrap_timer_start(struct timer *timer, int64_t delay_ms)
{
	if (delay_ms != SESSION_STALL_MS) {
		__real_timer_start(timer, delay_ms);
		return;
	}
	world.stalls++;
	if (world.is_over_at_once)
		__real_timer_start(timer, 0);
}

int __wrap_setsockopt(
    int fd, int level, int name, const void *value, socklen_t size);

int
__wrap_setsockopt(
    int fd, int level, int name, const void *value, socklen_t size)
{
	assert_int_equal(level, IPPROTO_TCP);
	assert_int_equal(name, TCP_QUICKACK);
	world.acknowledged++;
	if (world.wanted == NULL)
		event_loop_stop(world.loop);
	return 0;
}

static void
session_ended(struct imap_session *session, void *context)
{
	imap_session_free(&world.session);
	event_loop_stop(world.loop);
}

static void
too_late(void *context)
{
	fail_msg("late: %s", world.heard);
}

static void
client_ready(int fd, int events, void *context)
{
	size_t room = sizeof(world.heard) - 1 - world.heard_size;
	ssize_t size;

	if (room == 0) {
		room = sizeof(world.heard) / 2;
		memmove(
		    world.heard, world.heard + world.heard_size - room, room);
		world.heard_size = room;
		room = sizeof(world.heard) - 1 - room;
	}
	size = recv(fd, world.heard + world.heard_size, room, MSG_DONTWAIT);
	if (size > 0)
		world.heard_size += (size_t)size;
	world.heard[world.heard_size] = '\0';
	if (strstr(world.heard, world.wanted) != NULL)
		event_loop_stop(world.loop);
}

/* Until the client hears that, or (NULL) what he does not hear has happened. */
static void
run(const char *wanted)
{
	world.wanted = wanted;
	if (wanted != NULL)
		watch_set(world.watch, WATCH_READ);
	timer_start(world.deadline, DEADLINE_MS);
	event_loop_run(world.loop);
	timer_stop(world.deadline);
	watch_set(world.watch, 0);
}

static void
say(const char *text, const char *answer)
{
	world.heard_size = 0;
	assert_int_equal(
	    send(world.client, text, strlen(text), 0), strlen(text));
	run(answer);
}

static void
fill_inbox(void)
{
	static char message[MESSAGE_SIZE + 1];

	memset(message, 'x', MESSAGE_SIZE);
	memcpy(message, "Subject: x\r\n\r\n", 14);
	for (int i = 0; i < MESSAGES; i++)
		false_account_deliver(world.account, message);
}

static void
begin(bool is_direct, struct text tag, struct text input)
{
	struct session_start start;
	int ends[2];

	memset(&world, 0, sizeof(world));
	world.loop = event_loop_new();
	world.account = false_account_new(world.loop);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	world.client = ends[0];
	world.watch = watch_new(world.loop, ends[0], 0, client_ready, NULL);
	world.deadline = timer_new(world.loop, too_late, NULL);
	start = false_account_session(ends[1]);
	start.is_tls = false;
	start.is_direct = is_direct;
	start.tag = tag;
	start.input = input;
	world.session = imap_session_new(
	    world.loop, world.account, &start, session_ended, NULL);
}

static void
end(void)
{
	watch_free(&world.watch);
	imap_session_free(&world.session);
	close(world.client);
	false_account_free(&world.account);
	timer_free(&world.deadline);
	event_loop_free(&world.loop);
}

static void
the_login_is_answered_before_what_was_read_behind_it(void **state)
{
	begin(true, TEXT("l1"), TEXT("a NOOP\r\nb NO"));
	run("a OK NOOP completed\r\n");
	assert_ptr_equal(
	    strstr(world.heard, "l1 OK [CAPABILITY IMAP4rev1 "), world.heard);
	assert_non_null(strstr(world.heard, "] Logged in\r\na OK"));
	say("OP\r\n", "b OK NOOP completed\r\n");
	end();
}

static void
who_slept_is_not_answered_again(void **state)
{
	begin(true, text_make(NULL, 0), text_make(NULL, 0));
	say("a NOOP\r\n", "a OK NOOP completed\r\n");
	assert_ptr_equal(strstr(world.heard, "a OK"), world.heard);
	end();
}

static void
ask_for_much(void)
{
	static const char ask[] =
	    "a SELECT INBOX\r\nb FETCH 1:* BODY.PEEK[]\r\n";

	fill_inbox();
	assert_int_equal(
	    send(world.client, ask, sizeof(ask) - 1, 0), sizeof(ask) - 1);
}

static void
who_reads_nothing_for_long_is_sent_away(void **state)
{
	begin(true, TEXT("l"), text_make(NULL, 0));
	world.is_over_at_once = true;
	ask_for_much();
	run(NULL);
	assert_null(world.session);
	assert_int_equal(world.stalls, 1);
	end();
}

/* Each time that he takes something his time begins anew, and it is over when
 * nothing waits. */
static void
who_reads_slowly_stays(void **state)
{
	begin(true, TEXT("l"), text_make(NULL, 0));
	ask_for_much();
	run("b OK");
	assert_true(world.stalls > 2);
	assert_non_null(world.session);
	assert_null(world.session->stall);
	end();
}

/* The front does that for him. */
static void
who_is_relayed_has_the_front_for_that(void **state)
{
	begin(false, text_make(NULL, 0), text_make(NULL, 0));
	ask_for_much();
	run("b OK");
	assert_int_equal(
	    send(world.client, "c APPEND INBOX {3+}\r\n", 21, 0), 21);
	say("abc\r\n", "c OK");
	assert_int_equal(world.stalls, 0);
	assert_int_equal(world.acknowledged, 0);
	end();
}

static void
what_came_of_a_command_is_acknowledged_at_once(void **state)
{
	begin(true, TEXT("l"), text_make(NULL, 0));
	say("a NOOP\r\n", "a OK");
	assert_int_equal(world.acknowledged, 0);
	assert_int_equal(
	    send(world.client, "b APPEND INBOX {3+}\r\n", 21, 0), 21);
	run(NULL);
	assert_int_equal(world.acknowledged, 1);
	say("abc\r\n", "b OK");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_login_is_answered_before_what_was_read_behind_it),
		cmocka_unit_test(who_slept_is_not_answered_again),
		cmocka_unit_test(who_reads_nothing_for_long_is_sent_away),
		cmocka_unit_test(who_reads_slowly_stays),
		cmocka_unit_test(who_is_relayed_has_the_front_for_that),
		cmocka_unit_test(
		    what_came_of_a_command_is_acknowledged_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
