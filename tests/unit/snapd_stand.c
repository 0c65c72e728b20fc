/* See snapd_stand.h. */
#include "tests/unit/snapd_stand.h"

#include "common/memory.h"
#include "tests/unit/scratch_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fixture *current;
static const struct channel_handler peer_handler;

void
connect_peer(
    struct fixture *f, struct peer *peer, enum role role, uint32_t account)
{
	struct error error;
	int ends[2];

	assert_int_equal(channel_pair(ends, &error), 0);
	peer->channel = channel_new(
	    f->loop, ends[1], role, ROLE_SNAPD, &peer_handler, peer);
	buf_clear(&peer->rows); /* of a channel before */
	buf_init(&peer->rows, 512 << 20);
	snapd_add_channel(f->snapd, ends[0], role, account);
}

static void
take_row(struct peer *peer, const struct message_control_row *row)
{
	uint8_t head[5];
	struct writer w;

	writer_init(&w, head, sizeof(head));
	writer_put_u8(&w, row->kind);
	writer_put_u32(&w, (uint32_t)row->record.size);
	buf_put(&peer->rows, head, sizeof(head));
	buf_put(&peer->rows, row->record.data, row->record.size);
	if (++peer->row_count == current->exit_at_row)
		_exit(0);
	if (peer->row_count == current->stop_at_row)
		event_loop_stop(current->loop);
}

static void
answer_look(struct channel *channel, uint64_t tag)
{
	struct message answer = { .type = MESSAGE_caught_up };

	answer.caught_up.tag = tag;
	answer.caught_up.size = current->missing.size;
	answer.caught_up.missing = current->missing;
	channel_send(channel, &answer, NULL, 0);
}

/* Enough are asked for, or no more can be. */
static void
hold_look(struct channel *channel, uint64_t tag)
{
	struct fixture *f = current;

	f->held[f->held_count++] = (struct held_look){ channel, tag };
	if (f->held_count < f->looks_at_a_time)
		return;
	while (f->held_count > 0) {
		f->held_count--;
		answer_look(
		    f->held[f->held_count].channel, f->held[f->held_count].tag);
	}
}

/* It is gone in the middle of a look. */
static void
quit(struct fixture *f)
{
	struct message m = { .type = MESSAGE_batch_commit };

	f->quitters--;
	f->catch_ups++;
	if (f->quitters_commit) {
		begin(f);
		add_append(f, (unsigned int)f->counter, 1);
		m.batch_commit.counter = f->counter;
		channel_send(f->worker.channel, &m, NULL, 0);
	}
	free_peer(&f->worker);
}

/* The false worker writes all files it is asked to look for. */
static void
answer_catch_up(struct peer *peer, const struct message_catch_up *request)
{
	struct message answer = { .type = MESSAGE_caught_up };

	if (current->is_deaf)
		return;
	if (current->quitters > 0) {
		quit(current);
		return;
	}
	answer.caught_up.tag = request->tag;
	current->catch_up_files = request->check_files;
	if (request->check_files == CATCH_UP_MISSING) {
		current->looks++;
		hold_look(peer->channel, request->tag);
		return;
	}
	current->follow_ups += request->check_files == CATCH_UP_ROWS;
	current->catch_ups += request->check_files != CATCH_UP_ROWS;
	answer.caught_up.files_written = 7;
	channel_send(peer->channel, &answer, NULL, 0);
}

/* As the broker does: one that runs is kept. */
static void
want_worker(struct fixture *f, struct peer *broker, uint32_t account)
{
	struct message answer = { .type = MESSAGE_account_started };
	struct peer *worker =
	    f->looks_at_a_time > 0 ? &f->more[account] : &f->worker;

	f->wanted++;
	f->started |= 1u << account;
	if (!f->has_no_worker && worker->channel == NULL) {
		f->starts++;
		connect_peer(f, worker, ROLE_WORKER, account);
	}
	answer.account_started.account = account;
	answer.account_started.status =
	    f->has_no_worker ? STATUS_UNAVAILABLE : STATUS_OK;
	channel_send(broker->channel, &answer, NULL, 0);
}

static void
peer_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct peer *peer = context;
	struct fixture *f = current;

	switch ((int)message->type) {
	case MESSAGE_control_row:
		take_row(peer, &message->control_row);
		return;
	case MESSAGE_catch_up:
		answer_catch_up(peer, &message->catch_up);
		return;
	case MESSAGE_start_worker:
		want_worker(f, peer, message->start_worker.account);
		return;
	case MESSAGE_control_done:
		text_copy(
		    message->control_done.text, peer->text, sizeof(peer->text));
		break;
	case MESSAGE_listing:
		peer->listing_size = message->listing.size;
		break;
	case MESSAGE_batch_done:
		if (message->batch_done.results.size <= sizeof(peer->results))
			memcpy(peer->results, message->batch_done.results.data,
			    message->batch_done.results.size);
		break;
	default:
		break;
	}
	peer->answer = *message;
	peer->answers++;
	event_loop_stop(f->loop);
}

static void
peer_closed(struct channel *channel, const struct error *error, void *context)
{
	fail_msg("channel closed: %s", error->text);
}

static const struct channel_handler peer_handler = { peer_received,
	peer_closed };

static void
too_late(void *context)
{
	fail_msg("no answer before the deadline");
}

void
wait_answer(struct peer *peer)
{
	timer_start(current->deadline, DEADLINE_MS);
	while (peer->answers == 0)
		event_loop_run(current->loop);
	timer_stop(current->deadline);
}

void
start(struct fixture *f)
{
	struct snapd_options options = { .path = f->path,
		.map_bytes = (size_t)1 << 30,
		.store_id = f->id,
		.retention = { .every_s = 900 },
		.reconcile_every_s = f->reconcile_every_s,
		.settle_ms = f->settle_ms,
		.reconcile_tick_ms = 5 };

	current = f;
	f->loop = event_loop_new();
	f->deadline = timer_new(f->loop, too_late, f);
	f->snapd = snapd_new(f->loop, &options);
	memset(&f->worker, 0, sizeof(f->worker));
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	connect_peer(f, &f->broker, ROLE_BROKER, 0);
}

void
free_peer(struct peer *peer)
{
	channel_free(&peer->channel);
	buf_clear(&peer->rows);
	memset(peer, 0, sizeof(*peer));
}

void
stop(struct fixture *f)
{
	snapd_free(&f->snapd);
	free_peer(&f->control);
	free_peer(&f->broker);
	free_peer(&f->worker);
	for (size_t i = 0; i < STAND_WORKERS; i++)
		free_peer(&f->more[i]);
	timer_free(&f->deadline);
	event_loop_free(&f->loop);
}

/* -- What the false snapctl and worker say -- */

enum status
ask(struct fixture *f, struct message *m)
{
	f->control.answers = 0;
	f->control.row_count = 0;
	buf_reset(&f->control.rows);
	m->control_status.tag = 42;
	assert_int_equal(channel_send(f->control.channel, m, NULL, 0), 0);
	wait_answer(&f->control);
	assert_int_equal(f->control.answer.type, MESSAGE_control_done);
	assert_int_equal(f->control.answer.control_done.tag, 42);
	return f->control.answer.control_done.status;
}

/* The n-th row of a kind: its record. */
bool
find_row(struct fixture *f, enum control_row_kind kind, size_t n,
    struct text *record)
{
	struct reader r;

	reader_init(&r, f->control.rows.data, f->control.rows.size);
	while (r.size > 0) {
		uint8_t k = reader_get_u8(&r);

		*record = reader_get_text(&r, 60000);
		if (k == kind && n-- == 0)
			return true;
	}
	return false;
}

size_t
count_rows(struct fixture *f, enum control_row_kind kind)
{
	struct text record;
	size_t n = 0;

	while (find_row(f, kind, n, &record))
		n++;
	return n;
}

void
begin(struct fixture *f)
{
	struct message m = { .type = MESSAGE_batch_begin };

	if (f->worker.channel == NULL)
		connect_peer(f, &f->worker, ROLE_WORKER, 1);
	m.batch_begin.counter = ++f->counter;
	m.batch_begin.cause = f->note.cause;
	m.batch_begin.note_user = text_of(f->note.user);
	m.batch_begin.note_address = text_of(f->note.address);
	f->worker.answers = 0;
	channel_send(f->worker.channel, &m, NULL, 0);
}

void
commit(struct fixture *f)
{
	struct message m = { .type = MESSAGE_batch_commit };

	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answer(&f->worker);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
}

void
add_append(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_append };
	char body[200];

	snprintf(body, sizeof(body),
	    "Subject: x\nMessage-ID: <m%u@demo.test>\n\nbody %u\n", n, n);
	memcpy(m.change_append.delivery.bytes, &n, sizeof(n));
	m.change_append.mailbox = mailbox;
	m.change_append.internaldate = 1700000000 + n;
	m.change_append.flags = n % 2 ? FLAG_SEEN : 0;
	m.change_append.data = text_of(body);
	m.change_append.size = strlen(body);
	assert_int_equal(channel_send(f->worker.channel, &m, NULL, 0), 0);
}

void
add_subscribe(struct fixture *f, const char *name)
{
	struct message m = { .type = MESSAGE_change_subscribe };

	m.change_subscribe.name = text_of(name);
	m.change_subscribe.is_subscribed = 1;
	channel_send(f->worker.channel, &m, NULL, 0);
}

void
append(struct fixture *f, unsigned int from, unsigned int to, uint64_t mailbox)
{
	unsigned int n;

	for (; from <= to; from = n) {
		begin(f);
		for (n = from; n <= to && n < from + 500; n++)
			add_append(f, n, mailbox);
		commit(f);
	}
}

void
expunge(struct fixture *f, uint64_t mailbox, uint32_t from, uint32_t to)
{
	struct message m = { .type = MESSAGE_change_expunge };
	static uint8_t data[60000];
	struct writer w;

	begin(f);
	m.change_expunge.mailbox = mailbox;
	while (from <= to) {
		writer_init(&w, data, sizeof(data));
		while (from <= to && w.size < sizeof(data))
			writer_put_u32(&w, from++);
		m.change_expunge.uids = text_make(data, w.size);
		channel_send(f->worker.channel, &m, NULL, 0);
	}
	commit(f);
}

void
move(struct fixture *f, uint64_t from, uint64_t to, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_copy };
	struct copy_record copy = { .uid = uid };
	uint8_t data[64];
	struct writer w;

	memset(copy.delivery.bytes, (int)uid, sizeof(copy.delivery.bytes));
	writer_init(&w, data, sizeof(data));
	record_put_copy(&w, &copy);
	m.change_copy.source = from;
	m.change_copy.target = to;
	m.change_copy.is_move = 1;
	m.change_copy.records = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

void
set_flags(struct fixture *f, uint64_t mailbox, uint32_t uid, uint32_t flags,
    uint64_t keywords)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record record = { uid, flags, keywords };
	uint8_t data[RECORD_FLAGS_SIZE];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &record);
	m.change_flags.mailbox = mailbox;
	m.change_flags.records = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

uint64_t
create_mailbox(struct fixture *f, const char *name)
{
	struct message m = { .type = MESSAGE_change_create };
	struct result_record result;
	struct reader r;

	begin(f);
	m.change_create.name = text_of(name);
	channel_send(f->worker.channel, &m, NULL, 0);
	add_subscribe(f, name);
	commit(f);
	reader_init(&r, f->worker.results, sizeof(f->worker.results));
	assert_int_equal(record_get_result(&r, &result), 1);
	return result.mailbox;
}

void
retire(struct fixture *f, uint64_t mailbox, const char *name)
{
	struct message m = { .type = MESSAGE_change_retire };

	begin(f);
	m.change_retire.mailbox = mailbox;
	channel_send(f->worker.channel, &m, NULL, 0);
	m = (struct message){ .type = MESSAGE_change_subscribe };
	m.change_subscribe.name = text_of(name);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

void
mark(struct fixture *f, const char *name)
{
	struct message m = { .type = MESSAGE_control_create };

	m.control_create.name = text_of(name);
	m.control_create.why = TEXT("before the test");
	assert_int_equal(ask(f, &m), STATUS_OK);
}

void
set_missing(struct fixture *f, uint64_t mailbox, uint32_t from, uint32_t to)
{
	struct message m = { .type = MESSAGE_change_missing };
	uint8_t data[4000];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	while (from <= to)
		writer_put_u32(&w, from++);
	m.change_missing.mailbox = mailbox;
	m.change_missing.is_missing = 1;
	m.change_missing.uids = text_make(data, w.size);
	begin(f);
	channel_send(f->worker.channel, &m, NULL, 0);
	commit(f);
}

enum status
ls(struct fixture *f, const char *point, uint32_t account, const char *mailbox)
{
	struct message m = { .type = MESSAGE_control_ls };

	m.control_ls.point_kind = point != NULL ? POINT_NAMED : POINT_NOW;
	m.control_ls.point_name = text_of(point != NULL ? point : "");
	m.control_ls.account = account;
	m.control_ls.mailbox = text_of(mailbox);
	return ask(f, &m);
}

enum status
restore_with(struct fixture *f, struct message *m, struct sums *sums)
{
	enum status status = ask(f, m);
	struct control_plan plan;
	struct text record;

	memset(sums, 0, sizeof(*sums));
	for (; find_row(f, CONTROL_PLAN, sums->mailboxes, &record);
	     sums->mailboxes++) {
		assert_int_equal(control_get_plan(record, &plan), 0);
		sums->add += plan.add;
		sums->refill += plan.refill;
		sums->change += plan.change;
		sums->move += plan.move;
		sums->bytes += plan.bytes;
	}
	return status;
}

enum status
restore(
    struct fixture *f, const char *point, bool is_dry_run, struct sums *sums)
{
	struct message m = { .type = MESSAGE_control_restore };

	m.control_restore.is_dry_run = is_dry_run;
	m.control_restore.point_kind = POINT_NAMED;
	m.control_restore.point_name = text_of(point);
	m.control_restore.account = 1;
	return restore_with(f, &m, sums);
}

void
create_account(struct fixture *f, uint32_t account)
{
	struct message m = { .type = MESSAGE_control_account_create };

	m.control_account_create.account = account;
	assert_int_equal(ask(f, &m), STATUS_OK);
}

int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));
	struct store_id id;

	scratch_store_make(f->path, "snapd_stand", &id);
	text_format_hex(id.bytes, sizeof(id.bytes), f->id);
	start(f);
	create_account(f, 1);
	create_account(f, 2);
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	stop(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}
