/*
 * Following the log: who asks to hear of events hears each when it is durable,
 * however slowly he reads, and costs no memory meanwhile.
 */
#include "tests/unit/snapd_stand.h"

#include <string.h>

static void
start_following(struct fixture *f, uint32_t account, uint64_t after)
{
	struct message m = { .type = MESSAGE_control_log };

	m.control_log.account = account;
	m.control_log.after = after;
	m.control_log.is_following = 1;
	f->control.answers = 0;
	f->control.row_count = 0;
	buf_reset(&f->control.rows);
	channel_send(f->control.channel, &m, NULL, 0);
}

static void
wait_rows(struct fixture *f, size_t count)
{
	f->stop_at_row = count;
	timer_start(f->deadline, DEADLINE_MS);
	while (f->control.row_count < count)
		event_loop_run(f->loop);
	timer_stop(f->deadline);
	f->stop_at_row = 0;
}

static void
assert_events(struct fixture *f, uint64_t first, size_t count)
{
	struct control_event event;
	struct text record;

	wait_rows(f, count);
	assert_int_equal(f->control.row_count, count);
	for (size_t i = 0; i < count; i++) {
		assert_true(find_row(f, CONTROL_EVENT, i, &record));
		assert_int_equal(control_get_event(record, &event), 0);
		assert_int_equal(event.sequence, first + i);
	}
	assert_int_equal(f->control.answers, 0);
}

static void
who_follows_sees_events_when_they_are_durable_and_no_end(void **state)
{
	struct fixture *f = *state;

	start_following(f, 0, 1);
	assert_events(f, 2, 1);
	append(f, 1, 1, 1);
	assert_events(f, 2, 2);
	append(f, 2, 2, 1);
	append(f, 3, 3, 1);
	assert_events(f, 2, 4);
}

static void
who_follows_from_now_on_sees_nothing_of_before(void **state)
{
	struct fixture *f = *state;

	struct control_event event;
	struct text record;

	append(f, 1, 1, 1);
	start_following(f, 1, UINT64_MAX);
	/* Nothing says when now is: it is soon. */
	for (unsigned int i = 2; f->control.row_count == 0; i++)
		append(f, i, i, 1);
	assert_true(find_row(f, CONTROL_EVENT, 0, &record));
	assert_int_equal(control_get_event(record, &event), 0);
	assert_true(event.sequence > 3);
}

/* It waits for him in the log, and not in memory but for one step: rows are of
 * more than a kilobyte here. */
static void
who_follows_slowly_misses_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 1;
	char name[901];
	uint64_t mailbox;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(f->note.user, 'u', CHANGE_NOTE_MAX_USER);
	mailbox = create_mailbox(f, name);
	start_following(f, 0, 0);
	assert_events(f, 1, 3);
	channel_pause(f->control.channel);
	for (; n < 500 || snapd_waiting_bytes(f->snapd) == 0; n++)
		append(f, n, n, mailbox);
	assert_true(snapd_waiting_bytes(f->snapd) < 300 << 10);
	channel_resume(f->control.channel);
	assert_events(f, 1, 2 + n);
}

/* What is committed when the end of the log was read, but its rows are not sent
 * yet and nobody waits for an event: the same gap as between the last step of
 * the reader and the loop's turn, held open here by not reading. */
static void
who_follows_loses_nothing_between_reading_and_waiting(void **state)
{
	struct fixture *f = *state;
	struct timer *once;
	const unsigned int past = 200; /* in one step, and not in one packet */
	char name[901];
	uint64_t mailbox;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	mailbox = create_mailbox(f, name);
	for (unsigned int n = 1; n <= past; n++)
		append(f, n, n, mailbox);
	channel_pause(f->control.channel);
	start_following(f, 0, 0);
	once = timer_new(f->loop, (void (*)(void *))event_loop_stop, f->loop);
	timer_start(f->deadline, DEADLINE_MS);
	while (snapd_waiting_bytes(f->snapd) == 0) {
		timer_start(once, 1);
		event_loop_run(f->loop);
	}
	timer_stop(f->deadline);
	timer_free(&once);
	begin(f);
	add_append(f, past + 1, mailbox);
	add_subscribe(f, "INBOX");
	commit(f);
	channel_resume(f->control.channel);
	wait_rows(f, 3 + past);
	/* The reader answers in order, so that what he was not asked by then
	 * he is not asked before the next commit. */
	connect_peer(f, &f->more[0], ROLE_SNAPCTL, 0);
	for (unsigned int i = 0; i < 3; i++) {
		struct message m = { .type = MESSAGE_control_ls };

		f->more[0].answers = 0;
		channel_send(f->more[0].channel, &m, NULL, 0);
		wait_answer(&f->more[0]);
	}
	assert_int_equal(f->control.row_count, 3 + past + 1);
}

static void
who_follows_and_goes_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_control_status };

	start_following(f, 0, 0);
	assert_events(f, 1, 2);
	free_peer(&f->control);
	append(f, 1, 1, 1);
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	assert_int_equal(ask(f, &m), STATUS_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(who_follows_sees_events_when_they_are_durable_and_no_end),
		TEST(who_follows_from_now_on_sees_nothing_of_before),
		TEST(who_follows_slowly_misses_nothing),
		TEST(who_follows_loses_nothing_between_reading_and_waiting),
		TEST(who_follows_and_goes_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
