/*
 * A difference between two states says what the states themselves say: those
 * are read by another way, as lists.
 */
#include "snapd/changed.h"
#include "tests/unit/snapd_stand.h"

#include <stdio.h>
#include <string.h>

enum {
	BOXES = 3,
	UIDS = 600,
	OPERATIONS = 250,
	RETIRE_AT = 150,
	RESTORE_AT = 200,
	PAIRS = 120,
	FLAGS_AT_ONCE = 500,
	SAME = -1 /* beside enum control_difference */
};

static const char *const names[BOXES] = { "INBOX", "Work", "Gone" };
static uint64_t boxes[BOXES];
static uint64_t random_state;

struct seen {
	bool is_there;
	uint32_t flags;
	uint64_t keywords;
};

struct view {
	struct seen messages[BOXES][UIDS];
};

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(random_state >> 33) % below;
}

/* -- What there was -- */

static void
look_at_box(struct fixture *f, int64_t event, unsigned int box,
    struct seen messages[UIDS])
{
	struct message m = { .type = MESSAGE_control_ls };
	struct message_record record;
	struct text row;

	memset(messages, 0, UIDS * sizeof(*messages));
	m.control_ls.point_kind = POINT_EVENT;
	m.control_ls.point_time = event;
	m.control_ls.account = 1;
	m.control_ls.mailbox = text_of(names[box]);
	if (ask(f, &m) != STATUS_OK)
		return; /* was not there */
	for (size_t i = 0; find_row(f, CONTROL_MESSAGE, i, &row); i++) {
		struct reader r;

		reader_init(&r, row.data, row.size);
		assert_int_equal(record_get_message(&r, &record), 1);
		assert_true(record.uid < UIDS);
		messages[record.uid] = (struct seen){ true,
			record.flags & FLAG_ALL, record.keywords };
	}
}

static void
look(struct fixture *f, int64_t event, struct view *view)
{
	for (unsigned int box = 0; box < BOXES; box++)
		look_at_box(f, event, box, view->messages[box]);
}

/* -- What happens -- */

static int64_t
last_event(struct fixture *f)
{
	struct message m = { .type = MESSAGE_control_status };
	struct control_fact fact;
	unsigned long long number;
	struct text row;

	assert_int_equal(ask(f, &m), STATUS_OK);
	for (size_t i = 0; find_row(f, CONTROL_FACT, i, &row); i++) {
		assert_int_equal(control_get_fact(row, &fact), 0);
		if (text_is(fact.name, "sequence") &&
		    sscanf(fact.value.data, "%llu", &number) == 1)
			return (int64_t)number;
	}
	fail_msg("no sequence");
	return -1;
}

/* One that is live, 0: none. */
static uint32_t
draw_uid(const struct seen messages[UIDS])
{
	uint32_t uid = draw(UIDS);

	for (unsigned int i = 0; i < UIDS; i++, uid = (uid + 1) % UIDS)
		if (messages[uid].is_there)
			return uid;
	return 0;
}

/* With a delivery id of its own, as each new message has one. */
static void
move_one(struct fixture *f, unsigned int from, unsigned int to, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record copy = { .uid = uid };
	static uint32_t number;
	uint8_t data[64];
	struct writer w;

	number++;
	memset(copy.delivery.bytes, 0xc0, sizeof(copy.delivery.bytes));
	memcpy(copy.delivery.bytes, &number, sizeof(number));
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &copy);
	m.change_copy.source = boxes[from];
	m.change_copy.target = boxes[to];
	m.change_copy.is_move = 1;
	m.change_copy.records = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

static void
do_something(struct fixture *f, unsigned int *number, unsigned int box_count)
{
	static struct seen messages[UIDS];
	unsigned int box = draw(box_count), what = draw(10), more = draw(4);
	uint32_t uid;

	look_at_box(f, last_event(f), box, messages);
	uid = draw_uid(messages);
	if (what < 4 || uid == 0) {
		append(f, *number, *number + more, boxes[box]);
		*number += more + 1;
	} else if (what < 7) {
		set_flags(f, boxes[box], uid, draw(2) ? FLAG_SEEN : 0, 0);
	} else if (what < 8) {
		expunge(f, boxes[box], uid, uid);
	} else if (what < 9) {
		move_one(f, box, (box + 1) % box_count, uid);
	} else {
		set_missing(f, boxes[box], uid, uid);
	}
}

static void
restore_all_of(struct fixture *f, int64_t event)
{
	struct message m = { .type = MESSAGE_control_restore };
	struct sums sums;

	m.control_restore.point_kind = POINT_EVENT;
	m.control_restore.point_time = event;
	m.control_restore.account = 1;
	assert_int_equal(restore_with(f, &m, &sums), STATUS_OK);
}

static void
make_history(struct fixture *f)
{
	unsigned int number = 1;
	int64_t before;

	boxes[0] = 1;
	for (unsigned int box = 1; box < BOXES; box++)
		boxes[box] = create_mailbox(f, names[box]);
	append(f, 1, 40, boxes[2]);
	number = 41;
	before = last_event(f);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		if (i == RETIRE_AT)
			retire(f, boxes[2], names[2]);
		if (i == RESTORE_AT)
			restore_all_of(f, before);
		do_something(f, &number,
		    i >= RETIRE_AT && i < RESTORE_AT ? BOXES - 1 : BOXES);
	}
}

/* -- What is said of it -- */

static void
ask_difference(struct fixture *f, int64_t from, int64_t to)
{
	struct message m = { .type = MESSAGE_control_diff };

	m.control_diff.from_kind = m.control_diff.to_kind = POINT_EVENT;
	m.control_diff.from_time = from;
	m.control_diff.to_time = to;
	m.control_diff.account = 1;
	assert_int_equal(ask(f, &m), STATUS_OK);
}

static int
judge(const struct seen *from, const struct seen *to)
{
	if (!from->is_there && !to->is_there)
		return SAME;
	if (!from->is_there || !to->is_there)
		return to->is_there ? DIFFERENCE_ADDED : DIFFERENCE_REMOVED;
	return from->flags == to->flags && from->keywords == to->keywords
		   ? SAME
		   : DIFFERENCE_CHANGED;
}

static unsigned int
box_of(struct text name)
{
	for (unsigned int box = 0; box < BOXES; box++)
		if (text_is(name, names[box]))
			return box;
	fail_msg("a mailbox that there never was");
	return 0;
}

static unsigned int
count_differences(const struct view *from, const struct view *to)
{
	unsigned int count = 0;

	for (unsigned int box = 0; box < BOXES; box++)
		for (unsigned int uid = 0; uid < UIDS; uid++)
			count += judge(&from->messages[box][uid],
				     &to->messages[box][uid]) != SAME;
	return count;
}

static void
compare(struct fixture *f, int64_t from_event, int64_t to_event)
{
	static struct view from, to;
	struct control_diff diff;
	struct text row;
	size_t i;

	look(f, from_event, &from);
	look(f, to_event, &to);
	ask_difference(f, from_event, to_event);
	for (i = 0; find_row(f, CONTROL_DIFF, i, &row); i++) {
		struct seen *a, *b;

		assert_int_equal(control_get_diff(row, &diff), 0);
		a = &from.messages[box_of(diff.mailbox)][diff.uid];
		b = &to.messages[box_of(diff.mailbox)][diff.uid];
		assert_int_equal(judge(a, b), diff.difference);
		assert_int_equal(diff.flags_before, a->flags);
		assert_int_equal(diff.flags_after, b->flags);
		a->is_there = b->is_there = false; /* not twice */
	}
	assert_int_equal(count_differences(&from, &to), 0);
}

static void
a_difference_is_what_two_lists_differ_by(void **state)
{
	struct fixture *f = *state;
	int64_t last;

	random_state = 20261125;
	make_history(f);
	last = last_event(f);
	for (unsigned int i = 0; i < PAIRS; i++)
		compare(f, 1 + draw((uint32_t)last),
		    i % 4 == 0 ? last : 1 + draw((uint32_t)last));
}

static void
more_changes_than_are_looked_at_one_by_one_are_all_told(void **state)
{
	struct fixture *f = *state;
	int64_t before = last_event(f);

	append(f, 1, CHANGED_MAX + 1, 1);
	ask_difference(f, before, last_event(f));
	assert_int_equal(f->control.row_count, CHANGED_MAX + 1);
}

static void
flag_all(struct fixture *f, uint32_t count)
{
	static uint8_t data[FLAGS_AT_ONCE * RECORD_FLAGS_SIZE];
	uint32_t uid = 1;

	while (uid <= count) {
		struct message m = { .type = MESSAGE_change_flags };
		struct writer w;

		writer_init(&w, data, sizeof(data));
		while (uid <= count && w.size < sizeof(data)) {
			struct flag_record record = { uid++, FLAG_FLAGGED, 0 };

			record_put_flags(&w, &record);
		}
		m.change_flags.mailbox = 1;
		m.change_flags.records = text_make(data, w.size);
		begin(f);
		channel_send(f->worker.channel, &m, NULL, 0);
		commit(f);
	}
}

static unsigned int
count_changed(struct fixture *f)
{
	unsigned int count = 0;
	struct control_diff diff;
	struct reader r;

	reader_init(&r, f->control.rows.data, f->control.rows.size);
	while (r.size > 0) {
		assert_int_equal(reader_get_u8(&r), CONTROL_DIFF);
		assert_int_equal(
		    control_get_diff(reader_get_text(&r, 60000), &diff), 0);
		count += diff.difference == DIFFERENCE_CHANGED;
	}
	return count;
}

/* The answer comes in steps, and each sees another store. */
static void
what_changes_while_it_is_told_changes_nothing(void **state)
{
	struct message m = { .type = MESSAGE_control_diff };
	struct fixture *f = *state;
	const unsigned int count = 20000;
	int64_t before;

	append(f, 1, count, 1);
	before = last_event(f);
	flag_all(f, count);
	m.control_diff.from_kind = POINT_EVENT;
	m.control_diff.from_time = before;
	m.control_diff.to_kind = POINT_NOW;
	f->control.answers = 0;
	f->control.row_count = 0;
	buf_reset(&f->control.rows);
	channel_send(f->control.channel, &m, NULL, 0);
	/* Not all of it was read when the first came. */
	f->stop_at_row = 1;
	while (f->control.row_count == 0)
		event_loop_run(f->loop);
	channel_pause(f->control.channel);
	expunge(f, 1, 1, count);
	channel_resume(f->control.channel);
	wait_answer(&f->control);
	assert_int_equal(f->control.row_count, count);
	assert_int_equal(count_changed(f), count);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_difference_is_what_two_lists_differ_by),
		TEST(more_changes_than_are_looked_at_one_by_one_are_all_told),
		TEST(what_changes_while_it_is_told_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
