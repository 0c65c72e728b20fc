/*
 * Sessions that the broker keeps while they sleep: given back as they were, to
 * who wakes them for a reason, and never one that was not given before.
 */
#include "broker/sessions.h"

#include "common/clock.h"
#include "common/codec.h"
#include "common/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	ACCOUNT = 7,
	TOPIC = 3,
	NEWS = 7
};

static struct fixture {
	struct event_loop *loop;
	struct timer *deadline;
	struct sessions *sessions;
	struct session_list *list;
	struct channel *broker; /* its end */
	struct channel *worker;
	unsigned int wanted;
	unsigned int emptied;
	unsigned int woken;
	uint64_t number; /* of the last one that was */
	char user[40];
	char said[40]; /* what was in its stream */
	struct text state;
	char state_bytes[40];
	bool has_front;
	/* What it was told. */
	struct message to_front;
	unsigned int asleep;
	unsigned int awake;
	unsigned int over;
	unsigned int inherited;
	int stream; /* that it was given */
	bool is_direct;
	bool is_packed;
} fixture;

static void
is_wanted(void *context)
{
	fixture.wanted++;
	event_loop_stop(fixture.loop);
}

static void
is_empty(void *context)
{
	fixture.emptied++;
	event_loop_stop(fixture.loop);
}

static int
tell_front(const struct session_front *front, const struct message *message,
    const int *fd, void *context)
{
	if (!fixture.has_front)
		return -1;
	fixture.to_front = *message;
	fixture.asleep += message->type == MESSAGE_session_asleep;
	fixture.awake += message->type == MESSAGE_session_awake;
	fixture.over += message->type == MESSAGE_session_over;
	fixture.inherited += message->type == MESSAGE_session_inherited;
	if (fd != NULL)
		fixture.stream = dup(*fd);
	return 0;
}

static void
to_worker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	const struct message_session_wake *wake = &message->session_wake;
	ssize_t size;

	assert_int_equal(message->type, MESSAGE_session_wake);
	assert_int_equal(wake->is_tls, !fixture.is_direct);
	assert_int_equal(wake->is_direct, fixture.is_direct);
	assert_true(text_is(wake->client_ip, "192.0.2.1"));
	fixture.woken++;
	fixture.number = wake->session;
	(void)text_copy(wake->user, fixture.user, sizeof(fixture.user));
	fixture.state = text_make(fixture.state_bytes, wake->state.size);
	memcpy(fixture.state_bytes, wake->state.data, wake->state.size);
	size =
	    recv(fds[0], fixture.said, sizeof(fixture.said) - 1, MSG_DONTWAIT);
	fixture.said[size > 0 ? size : 0] = '\0';
	event_loop_stop(fixture.loop);
}

static void
to_broker(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("channel closed: %s", error->text);
}

static const struct channel_handler at_worker = { to_worker, closed };
static const struct channel_handler at_broker = { to_broker, closed };
static const struct session_list_handler handler = { is_wanted, is_empty,
	tell_front };

static void
too_late(void *context)
{
	fail_msg("not before the deadline");
}

static int
set_up(void **state)
{
	struct error error;
	int ends[2];

	memset(&fixture, 0, sizeof(fixture));
	fixture.has_front = true;
	fixture.stream = -1;
	fixture.loop = event_loop_new();
	fixture.deadline = timer_new(fixture.loop, too_late, NULL);
	fixture.sessions = sessions_new(fixture.loop);
	fixture.list =
	    session_list_new(fixture.sessions, ACCOUNT, &handler, NULL);
	assert_int_equal(channel_pair(ends, &error), 0);
	fixture.broker = channel_new(
	    fixture.loop, ends[0], ROLE_BROKER, ROLE_WORKER, &at_broker, NULL);
	fixture.worker = channel_new(
	    fixture.loop, ends[1], ROLE_WORKER, ROLE_BROKER, &at_worker, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	session_list_free(&fixture.list);
	sessions_free(&fixture.sessions);
	channel_free(&fixture.broker);
	channel_free(&fixture.worker);
	timer_free(&fixture.deadline);
	event_loop_free(&fixture.loop);
	return 0;
}

static void
wait_for(const unsigned int *count, unsigned int least)
{
	timer_start(fixture.deadline, DEADLINE_MS);
	while (*count < least)
		event_loop_run(fixture.loop);
	timer_stop(fixture.deadline);
}

/* Of the front's connections that many were added. */
static struct session_front
front_of(uint64_t number)
{
	return (struct session_front){ 5, number };
}

static uint64_t last_connection;

static uint64_t
add(void)
{
	const struct session_front front = front_of(++last_connection);

	return session_list_add(fixture.list, &front, !fixture.is_direct,
	    fixture.is_direct, TEXT("ann@a.test"), TEXT("192.0.2.1"));
}

/* The last one that went to sleep. */
static struct session_front
front(void)
{
	return front_of(fixture.to_front.session_asleep.connection);
}

/* As in session_sleep. */
static struct text
topics_of(const uint64_t *numbers, const uint8_t *what, size_t count)
{
	static uint8_t bytes[TOPICS_MAX * TOPIC_SIZE];
	struct writer writer;

	writer_init(&writer, bytes, sizeof(bytes));
	for (size_t i = 0; i < count; i++) {
		writer_put_u64(&writer, numbers[i]);
		writer_put_u8(&writer, what[i]);
	}
	return text_make(bytes, writer.size);
}

/* The client's end of its stream, or -1 if the session was refused. */
static int
put_to_sleep_until(uint64_t number, struct text topics)
{
	struct message_session_sleep message = { .session = number,
		.is_packed = fixture.is_packed,
		.topics = topics,
		.wake_s = 1000,
		.state = TEXT("told") };
	int ends[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	session_list_sleep(fixture.list, &message, &ends[1]);
	if (ends[1] == -1)
		return ends[0];
	close(ends[0]);
	close(ends[1]);
	return -1;
}

/* 0: until its client speaks. */
static int
put_to_sleep(uint64_t number, uint64_t topic)
{
	const uint8_t what = NEWS;

	return put_to_sleep_until(number, topics_of(&topic, &what, topic != 0));
}

static void
give(unsigned int count)
{
	assert_int_equal(
	    session_list_give(fixture.list, fixture.broker), count);
	wait_for(&fixture.woken, count);
	assert_int_equal(fixture.woken, count);
}

static void
a_session_wakes_as_it_was_when_its_client_speaks(void **state)
{
	uint64_t number = add();
	int client = put_to_sleep(number, 0);

	assert_int_equal(session_list_waking(fixture.list), 0);
	assert_int_equal(send(client, "DONE\r\n", 6, 0), 6);
	wait_for(&fixture.wanted, 1);
	assert_int_equal(session_list_waking(fixture.list), 1);
	give(1);
	assert_int_equal(fixture.number, number);
	assert_string_equal(fixture.user, "ann@a.test");
	assert_true(text_is(fixture.state, "told"));
	assert_string_equal(fixture.said, "DONE\r\n");
	assert_int_equal(session_list_waking(fixture.list), 0);
	/* The worker has it again: it may end, or sleep. */
	close(client);
	client = put_to_sleep(number, 0);
	assert_int_not_equal(client, -1);
	close(client);
}

static void
who_waits_for_news_is_woken_by_his_own(void **state)
{
	int clients[3] = { put_to_sleep(add(), 0), put_to_sleep(add(), TOPIC),
		put_to_sleep(add(), TOPIC + 1) };

	assert_int_equal(session_list_asleep(fixture.list), 3);
	session_list_changed(fixture.list, TOPIC + 2, NEWS);
	/* No topic is not a topic. */
	session_list_changed(fixture.list, 0, NEWS);
	assert_int_equal(fixture.wanted, 0);
	session_list_changed(fixture.list, TOPIC, NEWS);
	assert_int_equal(fixture.wanted, 1);
	assert_int_equal(session_list_waking(fixture.list), 1);
	session_list_alarm(fixture.list);
	assert_int_equal(session_list_waking(fixture.list), 2);
	assert_int_equal(session_list_asleep(fixture.list), 1);
	give(2);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
}

/* Of what it waits for, and of what happens, each a number and bits. */
static void
news_are_those_of_a_number_or_of_any_and_of_some_kinds(void **state)
{
	static const struct {
		uint64_t numbers[3];
		uint8_t what[3];
		size_t count;
		uint64_t changed;
		uint8_t changed_what;
		bool is_woken;
	} rows[] = {
		{ { 3 }, { 4 }, 1, 3, 4, true },
		{ { 3 }, { 4 }, 1, 3, 3, false },
		{ { 3 }, { 4 }, 1, 4, 4, false },
		{ { 3 }, { 4 }, 1, 0, 4, false },
		{ { 0 }, { 4 }, 1, 9, 6, true },
		{ { 0 }, { 4 }, 1, 9, 3, false },
		{ { 0, 3, 5 }, { 8, 1, 2 }, 3, 5, 2, true },
		{ { 0, 3, 5 }, { 8, 1, 2 }, 3, 5, 1, false },
		{ { 0, 3, 5 }, { 8, 1, 2 }, 3, 0, 8, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int client = put_to_sleep_until(add(),
		    topics_of(rows[i].numbers, rows[i].what, rows[i].count));

		assert_int_not_equal(client, -1);
		session_list_changed(
		    fixture.list, rows[i].changed, rows[i].changed_what);
		assert_int_equal(
		    session_list_waking(fixture.list), rows[i].is_woken);
		session_list_dismiss(fixture.list, true, STATUS_UNAVAILABLE);
		close(client);
	}
	assert_int_equal(put_to_sleep_until(add(), TEXT("half a topic")), -1);
}

static void
who_goes_while_he_sleeps_wakes_nobody(void **state)
{
	int client = put_to_sleep(add(), TOPIC);

	close(client);
	wait_for(&fixture.emptied, 1);
	assert_int_equal(fixture.wanted, 0);
	assert_true(session_list_is_empty(fixture.list));
}

/* What he sent before is done all the same. */
static void
who_speaks_and_goes_is_woken(void **state)
{
	int client = put_to_sleep(add(), 0);

	assert_int_equal(send(client, "a NOOP\r\n", 8, 0), 8);
	close(client);
	wait_for(&fixture.wanted, 1);
	give(1);
	assert_string_equal(fixture.said, "a NOOP\r\n");
}

static void
only_what_was_given_is_taken_back_and_once(void **state)
{
	uint64_t number = add();
	int client;

	assert_int_equal(put_to_sleep(number + 1, 0), -1);
	client = put_to_sleep(number, 0);
	assert_int_not_equal(client, -1);
	assert_int_equal(put_to_sleep(number, 0), -1);
	/* Who sleeps is not the worker's to end. */
	session_list_remove(fixture.list, number);
	assert_false(session_list_is_empty(fixture.list));
	close(client);
	wait_for(&fixture.emptied, 1);
	assert_int_equal(put_to_sleep(number, 0), -1);
}

static void
a_worker_that_ends_takes_what_it_had(void **state)
{
	uint64_t awake = add();
	int client = put_to_sleep(add(), TOPIC);

	session_list_lose(fixture.list);
	assert_int_equal(put_to_sleep(awake, 0), -1);
	assert_int_equal(session_list_asleep(fixture.list), 1);
	close(client);
}

static void
who_was_silent_for_too_long_is_woken(void **state)
{
	int client = put_to_sleep(add(), 0);

	sessions_wake_due(fixture.sessions, clock_monotonic_us());
	assert_int_equal(fixture.wanted, 0);
	sessions_wake_due(
	    fixture.sessions, clock_monotonic_us() + 1001 * INT64_C(1000000));
	assert_int_equal(fixture.wanted, 1);
	give(1);
	close(client);
}

static void
who_is_dismissed_hears_why(void **state)
{
	int waking, sleeping;
	char heard[20];

	sleeping = put_to_sleep(add(), 0);
	waking = put_to_sleep(add(), TOPIC);
	session_list_changed(fixture.list, TOPIC, NEWS);
	session_list_dismiss(fixture.list, false, STATUS_UNAVAILABLE);
	assert_int_equal(fixture.awake, 1);
	assert_int_equal(
	    fixture.to_front.session_awake.status, STATUS_UNAVAILABLE);
	assert_int_equal(recv(waking, heard, sizeof(heard), 0), 0);
	assert_int_equal(
	    recv(sleeping, heard, sizeof(heard), MSG_DONTWAIT), -1);
	session_list_dismiss(fixture.list, true, STATUS_MISSING);
	assert_int_equal(fixture.to_front.session_awake.status, STATUS_MISSING);
	assert_false(fixture.to_front.session_awake.is_packed);
	assert_int_equal(recv(sleeping, heard, sizeof(heard), 0), 0);
	assert_int_equal(fixture.emptied, 1);
	close(sleeping);
	/* Unless it could not read that. */
	fixture.is_packed = true;
	sleeping = put_to_sleep(add(), 0);
	session_list_dismiss(fixture.list, true, STATUS_MISSING);
	assert_true(fixture.to_front.session_awake.is_packed);
	close(waking);
	close(sleeping);
}

/* ---- With the front, which lets go of the stream as well ---- */

static void
a_parked_session_has_no_stream_and_gets_a_new_one(void **state)
{
	int client = put_to_sleep(add(), 0);
	struct session_front at = front();
	char heard[20];

	assert_int_equal(fixture.asleep, 1);
	sessions_parked(fixture.sessions, &at, 1);
	assert_int_equal(recv(client, heard, sizeof(heard), 0), 0);
	close(client);
	assert_int_equal(fixture.wanted, 0);
	sessions_resume(fixture.sessions, &at);
	assert_int_equal(fixture.wanted, 1);
	/* It is on the way: no second one. */
	sessions_resume(fixture.sessions, &at);
	assert_int_equal(fixture.wanted, 1);
	give(1);
	assert_int_equal(fixture.awake, 1);
	assert_int_equal(
	    fixture.to_front.session_awake.connection, at.connection);
	assert_int_equal(fixture.to_front.session_awake.status, STATUS_OK);
	assert_int_not_equal(fixture.stream, -1);
	close(fixture.stream);
	/* The one that it has now is another matter. */
	sessions_gone(fixture.sessions, &at);
	assert_false(session_list_is_empty(fixture.list));
}

/* What the client sent before the front heard of the sleep is in the stream. */
static void
what_was_on_the_way_is_not_lost_by_parking(void **state)
{
	int client = put_to_sleep(add(), 0);
	struct session_front at = front();

	assert_int_equal(send(client, "a NOOP\r\n", 8, 0), 8);
	sessions_parked(fixture.sessions, &at, 1);
	wait_for(&fixture.wanted, 1);
	give(1);
	assert_string_equal(fixture.said, "a NOOP\r\n");
	/* It goes on with the stream that it has. */
	assert_int_equal(fixture.awake, 1);
	assert_int_equal(fixture.stream, -1);
	close(client);
}

/* It was said of an earlier sleep. */
static void
parking_that_comes_late_is_nothing(void **state)
{
	uint64_t number = add();
	struct session_front at;
	char heard[20];
	int client;

	client = put_to_sleep(number, TOPIC);
	at = front();
	session_list_changed(fixture.list, TOPIC, NEWS);
	sessions_parked(fixture.sessions, &at, 1);
	give(1);
	close(client);
	client = put_to_sleep(number, TOPIC);
	sessions_parked(fixture.sessions, &at, 1);
	assert_int_equal(recv(client, heard, sizeof(heard), MSG_DONTWAIT), -1);
	sessions_parked(fixture.sessions, &at, 2);
	assert_int_equal(recv(client, heard, sizeof(heard), MSG_DONTWAIT), 0);
	close(client);
}

static void
parked_sessions_end_with_their_client_or_their_front(void **state)
{
	int clients[2] = { put_to_sleep(add(), 0), -1 };
	struct session_front first = front(), second;
	struct session_front strange = first;

	clients[1] = put_to_sleep(add(), 0);
	second = front();
	strange.instance++;
	sessions_parked(fixture.sessions, &first, 1);
	sessions_parked(fixture.sessions, &second, 1);
	/* Another front's connection of that number. */
	sessions_gone(fixture.sessions, &strange);
	sessions_resume(fixture.sessions, &strange);
	assert_int_equal(fixture.wanted, 0);
	sessions_gone(fixture.sessions, &first);
	assert_int_equal(fixture.emptied, 0);
	sessions_front_gone(fixture.sessions, strange.instance);
	assert_int_equal(fixture.emptied, 0);
	sessions_front_gone(fixture.sessions, second.instance);
	assert_int_equal(fixture.emptied, 1);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
}

static void
a_session_whose_front_is_gone_is_given_to_nobody(void **state)
{
	int client = put_to_sleep(add(), TOPIC);
	struct session_front at = front();

	sessions_parked(fixture.sessions, &at, 1);
	fixture.has_front = false;
	session_list_changed(fixture.list, TOPIC, NEWS);
	assert_int_equal(session_list_give(fixture.list, fixture.broker), 0);
	assert_true(session_list_is_empty(fixture.list));
	close(client);
}

static void
an_account_has_so_many_sessions_and_no_more(void **state)
{
	uint64_t last = 0;

	for (int i = 0; i < SESSIONS_OF_ACCOUNT; i++) {
		last = add();
		assert_int_not_equal(last, 0);
	}
	assert_int_equal(add(), 0);
	session_list_remove(fixture.list, last);
	assert_int_not_equal(add(), 0);
	assert_int_equal(add(), 0);
}

/* ---- Whose worker has the client's own socket ---- */

static void
expect_over(unsigned int count, enum status status)
{
	assert_int_equal(fixture.over, count);
	assert_int_equal(fixture.to_front.type, MESSAGE_session_over);
	assert_int_equal(fixture.to_front.session_over.status, status);
}

/* What the front says of it is a lie: it has no part in this. */
static void
a_direct_session_sleeps_and_wakes_without_its_front(void **state)
{
	struct session_front at;
	uint64_t number;
	int client;

	fixture.is_direct = true;
	number = add();
	at = front_of(last_connection);
	client = put_to_sleep(number, 0);
	sessions_parked(fixture.sessions, &at, 0);
	sessions_resume(fixture.sessions, &at);
	sessions_gone(fixture.sessions, &at);
	sessions_front_gone(fixture.sessions, at.instance);
	assert_int_equal(fixture.wanted, 0);
	assert_int_equal(send(client, "a NOOP\r\n", 8, 0), 8);
	wait_for(&fixture.wanted, 1);
	give(1);
	assert_int_equal(fixture.number, number);
	assert_string_equal(fixture.said, "a NOOP\r\n");
	assert_int_equal(fixture.asleep + fixture.awake + fixture.over, 0);
	close(client);
}

static void
the_front_hears_that_a_direct_session_is_over(void **state)
{
	uint64_t awake;
	int sleeping;

	fixture.is_direct = true;
	session_list_remove(fixture.list, add());
	expect_over(1, STATUS_OK);
	awake = add();
	sleeping = put_to_sleep(add(), 0);
	session_list_lose(fixture.list);
	expect_over(2, STATUS_OK);
	assert_int_equal(put_to_sleep(awake, 0), -1);
	close(sleeping);
	wait_for(&fixture.emptied, 2);
	expect_over(3, STATUS_OK);
	sleeping = put_to_sleep(add(), TOPIC);
	session_list_dismiss(fixture.list, true, STATUS_MISSING);
	expect_over(4, STATUS_MISSING);
	assert_int_equal(fixture.awake, 0);
	close(sleeping);
}

/* Awake or asleep, and once; one that the front relays is nobody's. */
static void
the_next_front_hears_of_direct_sessions(void **state)
{
	struct message *said = &fixture.to_front;
	uint64_t number, connection;
	int client;

	add();
	sessions_inherit(fixture.sessions, 6);
	assert_int_equal(fixture.inherited, 0);
	fixture.is_direct = true;
	number = add();
	client = put_to_sleep(add(), TOPIC);
	sessions_inherit(fixture.sessions, 6);
	sessions_inherit(fixture.sessions, 6);
	assert_int_equal(fixture.inherited, 2);
	assert_true(text_is(said->session_inherited.client_ip, "192.0.2.1"));
	session_list_remove(fixture.list, number);
	assert_int_equal(fixture.over, 1);
	connection = said->session_over.connection;
	assert_true(connection > UINT64_MAX / 2);
	session_list_dismiss(fixture.list, true, STATUS_MISSING);
	assert_int_equal(fixture.over, 2);
	assert_true(said->session_over.connection > UINT64_MAX / 2);
	assert_int_not_equal(said->session_over.connection, connection);
	close(client);
}

/* A file in the place of a stream could not be watched. */
static void
what_is_no_stream_is_not_taken(void **state)
{
	struct message_session_sleep message = {
		.session = add(), .wake_s = 1000, .state = TEXT("told")
	};
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	session_list_sleep(fixture.list, &message, &fd);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fixture.asleep, 0);
	close(fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_session_wakes_as_it_was_when_its_client_speaks),
		TEST(who_waits_for_news_is_woken_by_his_own),
		TEST(news_are_those_of_a_number_or_of_any_and_of_some_kinds),
		TEST(who_goes_while_he_sleeps_wakes_nobody),
		TEST(who_speaks_and_goes_is_woken),
		TEST(only_what_was_given_is_taken_back_and_once),
		TEST(a_worker_that_ends_takes_what_it_had),
		TEST(who_was_silent_for_too_long_is_woken),
		TEST(who_is_dismissed_hears_why),
		TEST(a_parked_session_has_no_stream_and_gets_a_new_one),
		TEST(what_was_on_the_way_is_not_lost_by_parking),
		TEST(parking_that_comes_late_is_nothing),
		TEST(parked_sessions_end_with_their_client_or_their_front),
		TEST(a_session_whose_front_is_gone_is_given_to_nobody),
		TEST(an_account_has_so_many_sessions_and_no_more),
		TEST(a_direct_session_sleeps_and_wakes_without_its_front),
		TEST(the_front_hears_that_a_direct_session_is_over),
		TEST(the_next_front_hears_of_direct_sessions),
		TEST(what_is_no_stream_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
