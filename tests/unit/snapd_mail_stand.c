/* See snapd_mail_stand.h. */
#include "tests/unit/snapd_mail_stand.h"

#include "common/file.h"
#include "common/memory.h"
#include "snapd/growth.h"
#include "snapd/segment_env.h"
#include "tests/unit/scratch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LOOK_MS = 2
};

static struct fixture *current;

static void
take_data(struct peer *peer, struct text data, uint64_t size, int *fds)
{
	memory_free(&peer->data);
	peer->size = size;
	peer->data = memory_new(1, size + 1);
	if (data.size > 0)
		memcpy(peer->data, data.data, data.size);
	else if (fds[0] >= 0)
		assert_int_equal(pread(fds[0], peer->data, size, 0), size);
}

static void
peer_received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct peer *peer = context;

	peer->answer = *message;
	peer->answers++;
	switch ((int)message->type) {
	case MESSAGE_listing:
		take_data(
		    peer, message->listing.data, message->listing.size, fds);
		peer->listed = message->listing.size;
		break;
	case MESSAGE_body:
		take_data(peer, message->body.data, message->body.size, fds);
		break;
	case MESSAGE_bodies:
		peer->index_size = message->bodies.index.size;
		memcpy(
		    peer->index, message->bodies.index.data, peer->index_size);
		take_data(
		    peer, message->bodies.data, message->bodies.size, fds);
		break;
	case MESSAGE_batch_done:
		take_data(peer, message->batch_done.results,
		    message->batch_done.size, fds);
		peer->last_counter = message->batch_done.counter;
		break;
	case MESSAGE_unfiled_accounts:
		take_data(peer, message->unfiled_accounts.accounts,
		    message->unfiled_accounts.accounts.size, fds);
		break;
	default:
		break;
	}
	if (current->waiting == peer && peer->answers >= current->wanted)
		event_loop_stop(current->loop);
}

static void
peer_closed(struct channel *channel, const struct error *error, void *context)
{
	struct peer *peer = context;

	peer->is_closed = true;
	event_loop_stop(current->loop);
}

static const struct channel_handler peer_handler = { peer_received,
	peer_closed };

static void
too_late(void *context)
{
	fail_msg("no answer before the deadline");
}

static void
store_failed(void *context)
{
	((struct fixture *)context)->failures++;
	event_loop_stop(current->loop);
}

void
wait_answers(struct peer *peer, unsigned int wanted)
{
	current->waiting = peer;
	current->wanted = wanted;
	timer_start(current->deadline, DEADLINE_MS);
	if (peer->answers < wanted)
		event_loop_run(current->loop);
	timer_stop(current->deadline);
}

void
ask(struct peer *peer, const struct message *message)
{
	peer->answers = 0;
	assert_int_equal(channel_send(peer->channel, message, NULL, 0), 0);
	wait_answers(peer, 1);
}

void
connect_peer(
    struct fixture *f, struct peer *peer, enum role role, uint32_t account)
{
	struct error error;
	int ends[2];

	memset(peer, 0, sizeof(*peer));
	assert_int_equal(channel_pair(ends, &error), 0);
	snapd_add_channel(f->snapd, ends[0], role, account);
	peer->channel = channel_new(
	    f->loop, ends[1], role, ROLE_SNAPD, &peer_handler, peer);
}

void
start(struct fixture *f, size_t map_bytes)
{
	struct snapd_options options = { .path = f->path,
		.map_bytes = map_bytes,
		.store_id = f->id,
		.patience_ms = f->patience_ms,
		.settle_ms = f->settle_ms,
		.seal_hold_bytes = f->hold_bytes,
		.hold_ms = f->hold_bytes > 0 ? 3600 * 1000 : 0,
		.failed = store_failed,
		.context = f };

	current = f;
	f->loop = event_loop_new();
	f->deadline = timer_new(f->loop, too_late, f);
	f->snapd = snapd_new(f->loop, &options);
	connect_peer(f, &f->control, ROLE_SNAPCTL, 0);
	connect_peer(f, &f->queue, ROLE_QUEUE, 0);
	connect_peer(f, &f->worker, ROLE_WORKER, 1);
	connect_peer(f, &f->other, ROLE_WORKER, 2);
}

void
free_peer(struct peer *peer)
{
	channel_free(&peer->channel);
	memory_free(&peer->data);
}

void
stop(struct fixture *f)
{
	snapd_free(&f->snapd);
	free_peer(&f->control);
	free_peer(&f->queue);
	free_peer(&f->worker);
	free_peer(&f->other);
	timer_free(&f->deadline);
	event_loop_free(&f->loop);
}

void
create_account(struct fixture *f, uint32_t account, enum status expected)
{
	struct message m = { .type = MESSAGE_control_account_create };

	m.control_account_create.account = account;
	ask(&f->control, &m);
	assert_int_equal(f->control.answer.control_done.status, expected);
}

static void
make_store(struct fixture *f)
{
	struct store_id id;

	scratch_store_make(f->path, "snapd_test", &id);
	text_format_hex(id.bytes, sizeof(id.bytes), f->id);
}

int
set_up(void **state)
{
	struct fixture *f = memory_new(1, sizeof(*f));

	make_store(f);
	start(f, MAP_BYTES);
	create_account(f, 1, STATUS_OK);
	create_account(f, 2, STATUS_OK);
	*state = f;
	return 0;
}

int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_set_commit_fault(0);
	growth_set_fault(0);
	segment_env_set_fault(0);
	file_set_fault_hook(NULL, NULL);
	stop(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- What the false queue and worker say -- */

struct delivery_id
delivery_of(unsigned int n)
{
	struct delivery_id delivery = { { 0 } };

	memcpy(delivery.bytes, &n, sizeof(n));
	return delivery;
}

void
make_accept(struct message *m, unsigned int n, uint32_t account,
    struct text body, uint8_t *recipients)
{
	struct recipient_record recipient = { account, TEXT("a@demo.test") };
	struct writer w;

	writer_init(&w, recipients, 400);
	record_put_recipient(&w, &recipient);
	*m = (struct message){ .type = MESSAGE_accept };
	m->accept.delivery = delivery_of(n);
	m->accept.time = 1700000000;
	m->accept.sender = TEXT("s@example.org");
	m->accept.recipients = text_make(recipients, w.size);
	m->accept.size = body.size;
	m->accept.data = body;
}

enum status
accept_mail(
    struct fixture *f, unsigned int n, uint32_t account, struct text body)
{
	uint8_t recipients[400];
	struct message m;

	make_accept(&m, n, account, body, recipients);
	ask(&f->queue, &m);
	return f->queue.answer.accepted.status;
}

void
begin(struct peer *worker, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_begin };

	m.batch_begin.counter = counter;
	worker->answers = 0;
	channel_send(worker->channel, &m, NULL, 0);
}

enum status
commit(struct peer *worker, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_commit };

	m.batch_commit.counter = counter;
	channel_send(worker->channel, &m, NULL, 0);
	wait_answers(worker, 1);
	return worker->answer.batch_done.status;
}

void
part_append(
    struct peer *worker, unsigned int n, uint64_t mailbox, const char *body)
{
	struct message m = { .type = MESSAGE_change_append };

	m.change_append.delivery = delivery_of(n);
	m.change_append.mailbox = mailbox;
	m.change_append.data = text_of(body);
	m.change_append.size = strlen(body);
	channel_send(worker->channel, &m, NULL, 0);
}

void
part_subscribe(struct peer *worker)
{
	struct message m = { .type = MESSAGE_change_subscribe };

	m.change_subscribe.name = TEXT("INBOX");
	m.change_subscribe.is_subscribed = 1;
	channel_send(worker->channel, &m, NULL, 0);
}

struct result_record
first_result(const struct peer *worker)
{
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, worker->data, worker->size);
	assert_int_equal(record_get_result(&r, &result), 1);
	return result;
}

enum status
append(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, n, mailbox, "Subject: x\n\nbody\n");
	return commit(&f->worker, f->counter);
}

enum status
append_to_index(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, n, mailbox, "Subject: x\n\nbody\n");
	part_subscribe(&f->worker);
	return commit(&f->worker, f->counter);
}

void
part_file(struct peer *worker, unsigned int n, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_file };

	m.change_file.delivery = delivery_of(n);
	m.change_file.mailbox = mailbox;
	channel_send(worker->channel, &m, NULL, 0);
}

enum status
set_flags(struct fixture *f, uint64_t mailbox, uint32_t uid, uint32_t flags)
{
	struct message m = { .type = MESSAGE_change_flags };
	struct flag_record flag = { uid, flags, 0 };
	uint8_t data[32];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	record_put_flags(&w, &flag);
	m.change_flags.mailbox = mailbox;
	m.change_flags.records = text_make(data, w.size);
	begin(&f->worker, ++f->counter);
	channel_send(f->worker.channel, &m, NULL, 0);
	return commit(&f->worker, f->counter);
}

enum status
expunge(struct fixture *f, uint64_t mailbox, uint32_t uid)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t data[4];
	struct writer w;

	writer_init(&w, data, sizeof(data));
	writer_put_u32(&w, uid);
	m.change_expunge.mailbox = mailbox;
	m.change_expunge.uids = text_make(data, w.size);
	begin(&f->worker, ++f->counter);
	channel_send(f->worker.channel, &m, NULL, 0);
	return commit(&f->worker, f->counter);
}

/* -- Waiting -- */

static void
look(void *context)
{
	struct fixture *f = context;

	if (f->is_so(f))
		event_loop_stop(f->loop);
	else
		timer_start(f->look, LOOK_MS);
}

void
run_until(struct fixture *f, bool (*is_so)(struct fixture *f))
{
	f->waiting = NULL;
	f->is_so = is_so;
	f->look = timer_new(f->loop, look, f);
	timer_start(f->look, 0);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	timer_free(&f->look);
}

int
fail_sync(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "sync") == 0 ? EIO : 0;
}

void
send_and_fail(struct fixture *f, struct peer *peer, const struct message *m)
{
	peer->answers = 0;
	channel_send(peer->channel, m, NULL, 0);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	assert_int_equal(f->failures, 1);
	assert_int_equal(peer->answers, 0);
}

uint64_t
commits(const struct fixture *f)
{
	uint64_t number[2] = { 0, 0 };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/index/data.mdb", f->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(
		    pread(fd, &number[i], sizeof(number[i]), 4096 * i + 144),
		    sizeof(number[i]));
	close(fd);
	return number[0] > number[1] ? number[0] : number[1];
}

void
be_patient(struct fixture *f)
{
	stop(f);
	f->patience_ms = f->settle_ms = 1000 * 3600;
	start(f, MAP_BYTES);
}

void
wait_until_filing_waits(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_read_unfiled };

	m.read_unfiled.delivery = delivery_of(n);
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answers(&f->worker, 1);
	assert_int_equal(f->worker.answer.type, MESSAGE_body);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
}
