/*
 * snapd's side of a drill, with a false snapctl and worker at the channels of a
 * real snapshot process, and a snapd-drill that is the real one's work behind a
 * channel of this process, or one that dies, lies or says nothing.
 */
#include "common/memory.h"
#include "snapd/drill_record.h"
#include "snapd/drill_work.h"
#include "snapd/expire.h"
#include "snapd/snapd.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	MESSAGES = 40,
	DAMAGED_UID = 17
};

enum manner {
	REAL,
	DIES, /* when it is told to begin */
	LIES, /* that all is well, at the first row */
	FULL, /* at the first row */
	MUTE
};

struct fixture {
	char path[64], scratch[80], id[33];
	int scratch_fd;
	struct event_loop *loop;
	struct timer *deadline;
	struct snapd *snapd;
	struct channel *control, *worker, *drill;
	uint32_t drill_every_s; /* of the next start */
	enum manner manner;
	struct drill_work *work;
	uint64_t drill_tag;
	unsigned int begun, cancelled;
	bool is_answered;
	enum status status;
	char text[300];
	uint64_t counter;
	struct control_drill result;
	struct control_drill_finding finding; /* the last one */
	unsigned int findings;
	char last_drill[300]; /* of status */
	char alarms[30];      /* of status */
	unsigned int events;  /* drilled */
};

static struct fixture *current;

static void
answered(struct fixture *f)
{
	f->is_answered = true;
	event_loop_stop(f->loop);
}

static void
wait_for_answer(struct fixture *f)
{
	timer_start(f->deadline, DEADLINE_MS);
	while (!f->is_answered)
		event_loop_run(f->loop);
	timer_stop(f->deadline);
	f->is_answered = false;
}

static void
too_late(void *context)
{
	(void)context;
	fail_msg("no answer before the deadline");
}

/* -- snapctl and worker -- */

static void
take_fact(struct fixture *f, struct text record)
{
	struct control_fact fact;

	assert_int_equal(control_get_fact(record, &fact), 0);
	if (text_is(fact.name, "last_drill"))
		text_copy(fact.value, f->last_drill, sizeof(f->last_drill));
	if (text_is(fact.name, "alarms"))
		text_copy(fact.value, f->alarms, sizeof(f->alarms));
}

static void
take_row(struct fixture *f, const struct message_control_row *row)
{
	struct control_event event;

	if (row->kind == CONTROL_DRILL)
		assert_int_equal(control_get_drill(row->record, &f->result), 0);
	if (row->kind == CONTROL_FACT)
		take_fact(f, row->record);
	if (row->kind == CONTROL_EVENT) {
		assert_int_equal(control_get_event(row->record, &event), 0);
		f->events += text_is(event.what, "drilled");
	}
	if (row->kind == CONTROL_DRILL_FINDING) {
		assert_int_equal(
		    control_get_drill_finding(row->record, &f->finding), 0);
		f->findings++;
	}
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;

	(void)channel;
	(void)fds;
	switch ((int)message->type) {
	case MESSAGE_control_row:
		take_row(f, &message->control_row);
		break;
	case MESSAGE_control_done:
		f->status = message->control_done.status;
		text_copy(message->control_done.text, f->text, sizeof(f->text));
		answered(f);
		break;
	case MESSAGE_batch_done:
		assert_int_equal(message->batch_done.status, STATUS_OK);
		answered(f);
		break;
	default:
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	(void)channel;
	(void)context;
	fail_msg("channel closed: %s", error->text);
}

static const struct channel_handler handler = { received, closed };

/* -- snapd-drill -- */

static void
tell_finding(void *context, uint32_t account, struct text mailbox, uint32_t uid,
    const char *what)
{
	struct fixture *f = context;
	struct message m = { .type = MESSAGE_drill_finding };

	m.drill_finding.tag = f->drill_tag;
	m.drill_finding.account = account;
	m.drill_finding.mailbox = mailbox;
	m.drill_finding.uid = uid;
	m.drill_finding.text = text_of(what);
	assert_int_equal(channel_send(f->drill, &m, NULL, 0), 0);
}

static void
say_done(struct fixture *f, enum status status, const char *text)
{
	struct message m = { .type = MESSAGE_drill_done };
	struct drill_result result = { .messages = 0 };

	if (f->work != NULL)
		drill_work_result(f->work, &result);
	drill_work_free(&f->work);
	m.drill_done.tag = f->drill_tag;
	m.drill_done.status = (uint8_t)status;
	m.drill_done.messages = result.messages;
	m.drill_done.bytes = result.bytes;
	m.drill_done.findings = result.findings;
	m.drill_done.text = text_of(text);
	assert_int_equal(channel_send(f->drill, &m, NULL, 0), 0);
}

static void
drill_begins(struct fixture *f, uint64_t tag)
{
	const struct drill_options options = { .top_fd = f->scratch_fd,
		.part_messages = DRILL_PART_MESSAGES,
		.part_bytes = DRILL_PART_BYTES,
		.finding = tell_finding,
		.context = f };

	f->begun++;
	f->drill_tag = tag;
	drill_work_free(&f->work);
	if (f->manner == DIES)
		channel_free(&f->drill);
	else if (f->manner == REAL)
		f->work = drill_work_new(&options);
}

static void
drill_takes_row(struct fixture *f, const struct message_drill_row *row)
{
	struct error error;

	if (f->manner == LIES)
		say_done(f, STATUS_OK, "");
	else if (f->manner == FULL)
		say_done(f, STATUS_FULL, "no room");
	else if (f->work != NULL)
		assert_int_equal(
		    drill_work_row(f->work, row->kind, row->record, &error), 0);
}

static void
drill_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct fixture *f = context;
	struct error error;

	(void)channel;
	(void)fds;
	switch ((int)message->type) {
	case MESSAGE_drill_begin:
		drill_begins(f, message->drill_begin.tag);
		break;
	case MESSAGE_drill_row:
		drill_takes_row(f, &message->drill_row);
		break;
	case MESSAGE_drill_end:
		if (f->manner != REAL)
			break;
		assert_int_equal(drill_work_end(f->work, &error), 0);
		say_done(f, STATUS_OK, "");
		/* Of one that nobody asked for. */
		answered(f);
		break;
	default:
		f->cancelled++;
		drill_work_free(&f->work);
		answered(f);
		break;
	}
}

static const struct channel_handler drill_handler = { drill_received, closed };

/* -- Fixture -- */

static struct channel *
connect_peer(
    struct fixture *f, enum role role, const struct channel_handler *of)
{
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	if (role == ROLE_DRILL)
		snapd_set_driller(f->snapd, ends[0]);
	else
		snapd_add_channel(f->snapd, ends[0], role, role == ROLE_WORKER);
	return channel_new(f->loop, ends[1], role, ROLE_SNAPD, of, f);
}

static void
start(struct fixture *f)
{
	const struct snapd_options options = { .path = f->path,
		.map_bytes = (size_t)1 << 30,
		.store_id = f->id,
		.retention = { .every_s = 900 },
		.drill_every_s = f->drill_every_s,
		.drill_sample = 5,
		.drill_tick_ms = 5 };

	current = f;
	f->loop = event_loop_new();
	f->deadline = timer_new(f->loop, too_late, f);
	f->snapd = snapd_new(f->loop, &options);
	f->control = connect_peer(f, ROLE_SNAPCTL, &handler);
	f->worker = connect_peer(f, ROLE_WORKER, &handler);
	f->drill = connect_peer(f, ROLE_DRILL, &drill_handler);
}

static void
stop(struct fixture *f)
{
	snapd_free(&f->snapd);
	channel_free(&f->control);
	channel_free(&f->worker);
	channel_free(&f->drill);
	drill_work_free(&f->work);
	timer_free(&f->deadline);
	event_loop_free(&f->loop);
}

static enum status
ask(struct fixture *f, struct message *m)
{
	m->control_status.tag = 42;
	f->findings = f->events = 0;
	memset(&f->result, 0, sizeof(f->result));
	assert_int_equal(channel_send(f->control, m, NULL, 0), 0);
	do
		wait_for_answer(f);
	while (f->status == STATUS_COUNT);
	return f->status;
}

static enum status
drill(struct fixture *f, uint32_t sample)
{
	struct message m = { .type = MESSAGE_control_drill };

	m.control_drill.sample = sample;
	m.control_drill.point_kind = POINT_NOW;
	f->status = STATUS_COUNT; /* no answer */
	return ask(f, &m);
}

static const char *
last_drill(struct fixture *f)
{
	struct message m = { .type = MESSAGE_control_status };

	f->status = STATUS_COUNT;
	assert_int_equal(ask(f, &m), STATUS_OK);
	return f->last_drill;
}

static unsigned int
logged_drills(struct fixture *f)
{
	struct message m = { .type = MESSAGE_control_log };

	f->status = STATUS_COUNT;
	assert_int_equal(ask(f, &m), STATUS_OK);
	return f->events;
}

static void
fill(struct fixture *f)
{
	struct message m = { .type = MESSAGE_batch_begin };
	char body[100];

	m.batch_begin.counter = ++f->counter;
	channel_send(f->worker, &m, NULL, 0);
	for (uint32_t n = 1; n <= MESSAGES; n++) {
		m = (struct message){ .type = MESSAGE_change_append };
		snprintf(body, sizeof(body), "Subject: x\n\nbody-of-%u.\n", n);
		memcpy(m.change_append.delivery.bytes, &n, sizeof(n));
		m.change_append.mailbox = 1;
		m.change_append.internaldate = 1700000000 + n;
		m.change_append.flags = n % 2 ? FLAG_SEEN : 0;
		m.change_append.data = text_of(body);
		m.change_append.size = strlen(body);
		channel_send(f->worker, &m, NULL, 0);
	}
	m = (struct message){ .type = MESSAGE_batch_commit };
	m.batch_commit.counter = f->counter;
	channel_send(f->worker, &m, NULL, 0);
	wait_for_answer(f);
}

static int
set_up(void **state)
{
	struct message m = { .type = MESSAGE_control_account_create };
	struct fixture *f = memory_new(1, sizeof(*f));
	struct store_id id;

	scratch_store_make(f->path, "drill_request_test", &id);
	snprintf(f->scratch, sizeof(f->scratch), "%s.scratch", f->path);
	assert_int_equal(mkdir(f->scratch, 0700), 0);
	f->scratch_fd = open(f->scratch, O_DIRECTORY | O_CLOEXEC);
	text_format_hex(id.bytes, sizeof(id.bytes), f->id);
	start(f);
	m.control_account_create.account = 1;
	assert_int_equal(ask(f, &m), STATUS_OK);
	fill(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	stop(f);
	close(f->scratch_fd);
	/* Empty, whatever happened. */
	assert_int_equal(rmdir(f->scratch), 0);
	scratch_remove(f->path);
	memory_free(&f);
	return 0;
}

/* -- Tests -- */

static void
everything_is_restored_compared_and_recorded(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(last_drill(f), "never");
	assert_int_equal(drill(f, 0), STATUS_OK);
	assert_int_equal(f->result.messages, MESSAGES);
	assert_int_equal(f->result.mailboxes, 1);
	assert_int_equal(f->result.accounts, 1);
	assert_int_equal(f->result.findings, 0);
	assert_true(f->result.bytes > MESSAGES * 20);
	assert_non_null(strstr(last_drill(f), "ok sequence="));
	assert_int_equal(logged_drills(f), 1);
	/* What was recorded is there after a restart. */
	stop(f);
	start(f);
	assert_non_null(strstr(last_drill(f), " messages=40 "));
	assert_string_equal(f->alarms, "0");
}

static void
a_sample_has_as_many_messages_as_were_asked_for(void **state)
{
	struct fixture *f = *state;

	for (uint32_t sample = 1; sample <= 39; sample += 19) {
		assert_int_equal(drill(f, sample), STATUS_OK);
		assert_int_equal(f->result.messages, sample);
	}
	assert_int_equal(drill(f, MESSAGES + 1), STATUS_OK);
	assert_int_equal(f->result.messages, MESSAGES);
}

/* A bit of each place where these bytes stand in the store's file. */
static void
flip_bits(struct fixture *f, const void *bytes, size_t size)
{
	struct message status = { .type = MESSAGE_control_status };
	uint8_t *data, *at, *end;
	unsigned int places = 0;
	char path[100];
	struct stat st;
	int fd;

	/* Which only that has, and not the log. */
	assert_int_equal(ask(f, &status), STATUS_OK);
	snprintf(path, sizeof(path), "%s/index/data.mdb", f->path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	close(fd);
	end = data + st.st_size;
	for (at = data;
	     (at = memmem(at, (size_t)(end - at), bytes, size)) != NULL;
	     places++)
		at[2] ^= 4;
	assert_true(places > 0);
	munmap(data, (size_t)st.st_size);
}

static void
damage_body(struct fixture *f)
{
	char marker[20];

	snprintf(marker, sizeof(marker), "body-of-%d.", DAMAGED_UID);
	flip_bits(f, marker, strlen(marker));
}

static void
a_bit_flipped_in_the_store_is_named_and_holds_everything(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(drill(f, 0), STATUS_OK);
	damage_body(f);
	assert_int_equal(drill(f, 0), STATUS_DAMAGED);
	assert_int_equal(f->findings, 1);
	assert_int_equal(f->finding.uid, DAMAGED_UID);
	assert_int_equal(f->finding.account, 1);
	assert_int_equal(f->result.findings, 1);
	assert_int_equal(f->result.messages, MESSAGES - 1);
	assert_non_null(strstr(last_drill(f), "damaged sequence="));
	assert_string_equal(f->alarms, "1");
	/* The same damage again is no second alarm. */
	assert_int_equal(drill(f, 0), STATUS_DAMAGED);
	last_drill(f);
	assert_string_equal(f->alarms, "1");
	assert_int_equal(logged_drills(f), 3);
}

/* The hash stands in the rows of the message alone. */
static void
damage_rows(struct fixture *f)
{
	struct digest *digest = digest_new();
	struct hash hash;
	char body[100];

	snprintf(
	    body, sizeof(body), "Subject: x\n\nbody-of-%d.\n", DAMAGED_UID);
	hash = digest_of(digest, body, strlen(body));
	digest_free(&digest);
	flip_bits(f, hash.bytes, sizeof(hash.bytes));
}

static void
must_name_the_damaged_one(struct fixture *f)
{
	assert_int_equal(f->findings, 1);
	assert_int_equal(f->finding.account, 1);
	assert_int_equal(f->finding.uid, DAMAGED_UID);
	assert_int_equal(f->result.findings, 1);
	assert_int_equal(f->result.messages, MESSAGES - 1);
	assert_non_null(strstr(last_drill(f), "damaged sequence="));
	assert_string_equal(f->alarms, "1");
}

static void
a_row_that_is_corrupt_is_named_and_the_others_restored(void **state)
{
	struct fixture *f = *state;

	damage_rows(f);
	assert_int_equal(drill(f, 0), STATUS_DAMAGED);
	must_name_the_damaged_one(f);
}

static void
so_is_one_of_a_message_that_is_dead_now(void **state)
{
	struct message expunge = { .type = MESSAGE_change_expunge };
	struct message m = { .type = MESSAGE_batch_begin };
	const uint8_t uid[4] = { DAMAGED_UID };
	struct fixture *f = *state;

	m.batch_begin.counter = ++f->counter;
	channel_send(f->worker, &m, NULL, 0);
	expunge.change_expunge.mailbox = 1;
	expunge.change_expunge.uids = text_make(uid, sizeof(uid));
	channel_send(f->worker, &expunge, NULL, 0);
	m = (struct message){ .type = MESSAGE_batch_commit };
	m.batch_commit.counter = f->counter;
	channel_send(f->worker, &m, NULL, 0);
	wait_for_answer(f);
	assert_int_equal(drill(f, 0), STATUS_OK);
	assert_int_equal(f->result.messages, MESSAGES - 1);
	damage_rows(f);
	m = (struct message){ .type = MESSAGE_control_drill };
	m.control_drill.point_kind = POINT_EVENT;
	m.control_drill.point_time = 2; /* before it was expunged */
	f->status = STATUS_COUNT;
	assert_int_equal(ask(f, &m), STATUS_DAMAGED);
	must_name_the_damaged_one(f);
}

static void
a_mailbox_that_is_corrupt_is_named(void **state)
{
	struct fixture *f = *state;

	flip_bits(f, "INBOX", 5);
	assert_int_equal(drill(f, 0), STATUS_DAMAGED);
	assert_int_equal(f->findings, 1);
	assert_int_equal(f->finding.account, 1);
	assert_int_equal(f->finding.uid, 0);
	assert_int_equal(f->result.findings, 1);
	assert_int_equal(f->result.messages, 0);
}

static void
one_that_dies_lies_or_has_no_room_is_no_success(void **state)
{
	struct fixture *f = *state;

	f->manner = LIES;
	assert_int_equal(drill(f, 0), STATUS_UNAVAILABLE);
	f->manner = FULL;
	assert_int_equal(drill(f, 0), STATUS_FULL);
	assert_string_equal(f->text, "no room");
	assert_non_null(strstr(last_drill(f), "failed sequence="));
	f->manner = DIES;
	assert_int_equal(drill(f, 0), STATUS_UNAVAILABLE);
	assert_string_equal(f->text, "snapd-drill ended");
	assert_int_equal(drill(f, 0), STATUS_UNAVAILABLE);
	assert_string_equal(f->text, "snapd-drill does not run");
	assert_int_equal(logged_drills(f), 3);
	assert_string_equal(f->alarms, "0");
	f->manner = REAL;
	f->drill = connect_peer(f, ROLE_DRILL, &drill_handler);
	assert_int_equal(drill(f, 0), STATUS_OK);
}

static void
one_at_a_time_and_none_for_an_asker_who_went_away(void **state)
{
	struct message m = { .type = MESSAGE_control_drill };
	struct fixture *f = *state;

	f->manner = MUTE;
	m.control_drill.point_kind = POINT_NOW;
	assert_int_equal(channel_send(f->control, &m, NULL, 0), 0);
	while (f->begun == 0) {
		struct message status = { .type = MESSAGE_control_status };

		assert_int_equal(ask(f, &status), STATUS_OK);
	}
	/* Another snapctl. */
	channel_set_context(f->control, f);
	struct channel *first = f->control;
	f->control = connect_peer(f, ROLE_SNAPCTL, &handler);
	assert_int_equal(drill(f, 0), STATUS_BUSY);
	channel_free(&first);
	/* The tick sees that nobody waits. */
	while (f->cancelled == 0)
		wait_for_answer(f);
	f->manner = REAL;
	assert_int_equal(drill(f, 0), STATUS_OK);
	assert_int_equal(logged_drills(f), 1);
}

static void
the_timer_rehearses_a_sample_when_it_is_due(void **state)
{
	struct fixture *f = *state;

	stop(f);
	f->drill_every_s = 3600;
	f->begun = 0;
	start(f);
	f->is_answered = false;
	wait_for_answer(f);
	while (strstr(last_drill(f), "ok sequence=") == NULL)
		continue;
	assert_non_null(strstr(f->last_drill, " messages=5 "));
	/* Not again before its time, nor after a restart. */
	stop(f);
	start(f);
	for (int i = 0; i < 20; i++)
		last_drill(f);
	assert_int_equal(f->begun, 1);
}

static void
a_drill_is_due_when_its_time_has_come(void **state)
{
	(void)state;
	assert_false(drill_is_due(0, 1700000000, 0));
	assert_true(drill_is_due(0, 1700000000, 3600));
	assert_false(drill_is_due(1700000000, 1700003599, 3600));
	assert_true(drill_is_due(1700000000, 1700003600, 3600));
	/* The clock was put back: not for years. */
	assert_true(drill_is_due(1700000001, 1700000000, 3600));
}

static void
a_record_fits_its_event_whatever_it_says(void **state)
{
	struct drill_record record = { .outcome = DRILL_DAMAGED,
		.sequence = UINT64_MAX,
		.mailboxes = UINT64_MAX,
		.messages = UINT64_MAX,
		.bytes = UINT64_MAX,
		.sample = UINT32_MAX,
		.restore_us = UINT64_MAX,
		.check_us = UINT64_MAX,
		.total_us = UINT64_MAX,
		.findings = UINT64_MAX,
		.why = NULL };
	char detail[DRILL_DETAIL_SIZE], why[400];

	(void)state;
	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	record.why = why;
	drill_record_format(&record, detail);
	assert_non_null(strstr(detail, "damaged sequence=1844674407370955161"));
	assert_string_equal(detail + strlen(detail) - 3, "xx\"");
	record.why = NULL;
	drill_record_format(&record, detail);
	assert_non_null(strstr(detail, " findings=18446744073709551615"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_is_restored_compared_and_recorded),
		TEST(a_sample_has_as_many_messages_as_were_asked_for),
		TEST(a_bit_flipped_in_the_store_is_named_and_holds_everything),
		TEST(a_row_that_is_corrupt_is_named_and_the_others_restored),
		TEST(so_is_one_of_a_message_that_is_dead_now),
		TEST(a_mailbox_that_is_corrupt_is_named),
		TEST(one_that_dies_lies_or_has_no_room_is_no_success),
		TEST(one_at_a_time_and_none_for_an_asker_who_went_away),
		TEST(the_timer_rehearses_a_sample_when_it_is_due),
		cmocka_unit_test(a_drill_is_due_when_its_time_has_come),
		cmocka_unit_test(a_record_fits_its_event_whatever_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
