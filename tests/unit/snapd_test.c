/*
 * The snapshot process with a false queue and a false worker at its channels,
 * all in this process: what is answered is on disk, nothing is doubled, and an
 * account reaches its own rows only.
 */
#include "common/clock.h"
#include "common/file.h"
#include "common/process.h"
#include "common/memory.h"
#include "snapd/growth.h"
#include "snapd/round.h"
#include "snapd/sealer.h"
#include "snapd/segment_env.h"
#include "snapd/segment_use.h"
#include "snapd/snapd.h"
#include "tests/unit/scratch_store.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 60000,
	MAP_BYTES = 64 << 20
};

/* One end of a channel to snapd, and the last answer on it. */
struct peer {
	struct channel *channel;
	struct message answer;
	uint8_t *data; /* the bytes of a listing, body or result */
	size_t size;
	uint8_t index[BODIES_MAX * RECORD_BODY_SIZE];
	size_t index_size;
	unsigned int answers;
	bool is_closed;
	uint64_t listed;       /* bytes of the last listing */
	uint64_t last_counter; /* of the last batch that was answered */
};

struct fixture {
	char path[64];
	char id[33];
	struct event_loop *loop;
	struct snapd *snapd;
	struct timer *deadline;
	struct timer *look;
	struct peer control, queue, worker, other;
	unsigned int failures;
	unsigned int wanted;
	struct peer *waiting;
	uint64_t counter;
	int64_t patience_ms;
	int64_t settle_ms;
	uint64_t hold_bytes; /* then bulk waits, however long */
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

static void
wait_answers(struct peer *peer, unsigned int wanted)
{
	current->waiting = peer;
	current->wanted = wanted;
	timer_start(current->deadline, DEADLINE_MS);
	if (peer->answers < wanted)
		event_loop_run(current->loop);
	timer_stop(current->deadline);
}

/* Sends and waits for the one answer. */
static void
ask(struct peer *peer, const struct message *message)
{
	peer->answers = 0;
	assert_int_equal(channel_send(peer->channel, message, NULL, 0), 0);
	wait_answers(peer, 1);
}

static void
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

static void
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

static void
free_peer(struct peer *peer)
{
	channel_free(&peer->channel);
	memory_free(&peer->data);
}

static void
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

static void
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

static int
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

/* The sealer's thread stands before its commit until it is let go. */
static sem_t reached, let_go;

static int
stand_at_gate(const char *call, const char *name, void *context)
{
	if (strcmp(call, "reserve") != 0)
		return 0;
	sem_post(&reached);
	sem_wait(&let_go);
	sem_post(&let_go);
	return 0;
}

static void
close_gate(void)
{
	sem_init(&reached, 0, 0);
	sem_init(&let_go, 0, 0);
	file_set_fault_hook(stand_at_gate, NULL);
}

/* For good: whoever comes later passes. */
static void
open_gate(void)
{
	sem_post(&let_go);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_set_commit_fault(0);
	growth_set_fault(0);
	segment_env_set_fault(0);
	file_set_fault_hook(NULL, NULL);
	open_gate();
	stop(f);
	scratch_remove(f->path);
	free(f);
	return 0;
}

/* -- What the false queue and worker say -- */

static struct delivery_id
delivery_of(unsigned int n)
{
	struct delivery_id delivery = { { 0 } };

	memcpy(delivery.bytes, &n, sizeof(n));
	return delivery;
}

static void
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

static enum status
accept_mail(
    struct fixture *f, unsigned int n, uint32_t account, struct text body)
{
	uint8_t recipients[400];
	struct message m;

	make_accept(&m, n, account, body, recipients);
	ask(&f->queue, &m);
	return f->queue.answer.accepted.status;
}

static void
begin(struct peer *worker, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_begin };

	m.batch_begin.counter = counter;
	worker->answers = 0;
	channel_send(worker->channel, &m, NULL, 0);
}

static enum status
commit(struct peer *worker, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_commit };

	m.batch_commit.counter = counter;
	channel_send(worker->channel, &m, NULL, 0);
	wait_answers(worker, 1);
	return worker->answer.batch_done.status;
}

static void
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

/* With it a batch is more than rows of messages: the index alone is enough. */
static void
part_subscribe(struct peer *worker)
{
	struct message m = { .type = MESSAGE_change_subscribe };

	m.change_subscribe.name = TEXT("INBOX");
	m.change_subscribe.is_subscribed = 1;
	channel_send(worker->channel, &m, NULL, 0);
}

static struct result_record
first_result(const struct peer *worker)
{
	struct result_record result = { 0 };
	struct reader r;

	reader_init(&r, worker->data, worker->size);
	assert_int_equal(record_get_result(&r, &result), 1);
	return result;
}

static enum status
append(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, n, mailbox, "Subject: x\n\nbody\n");
	return commit(&f->worker, f->counter);
}

static enum status
append_to_index(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, n, mailbox, "Subject: x\n\nbody\n");
	part_subscribe(&f->worker);
	return commit(&f->worker, f->counter);
}

static void
part_file(struct peer *worker, unsigned int n, uint64_t mailbox)
{
	struct message m = { .type = MESSAGE_change_file };

	m.change_file.delivery = delivery_of(n);
	m.change_file.mailbox = mailbox;
	channel_send(worker->channel, &m, NULL, 0);
}

static enum status
file_mail(struct fixture *f, unsigned int n, uint64_t mailbox)
{
	begin(&f->worker, ++f->counter);
	part_file(&f->worker, n, mailbox);
	return commit(&f->worker, f->counter);
}

static enum status
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

static enum status
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

static size_t
list_as_of(struct peer *worker, uint64_t mailbox, uint64_t as_of,
    struct message_record *records, size_t room)
{
	struct message m = { .type = MESSAGE_list_messages };
	size_t count = 0;
	struct reader r;

	m.list_messages.mailbox = mailbox;
	m.list_messages.as_of = as_of;
	ask(worker, &m);
	if (worker->answer.listing.status != STATUS_OK)
		return SIZE_MAX;
	reader_init(&r, worker->data, worker->size);
	while (count < room && record_get_message(&r, &records[count]) == 1)
		count++;
	assert_int_equal(reader_done(&r), 0);
	return count;
}

/* -- Tests -- */

static void
accepted_mail_is_filed_once(void **state)
{
	struct message read = { .type = MESSAGE_read_unfiled };
	struct fixture *f = *state;
	struct message_record record;
	struct result_record result, again;

	assert_int_equal(
	    accept_mail(f, 7, 1, TEXT("A: b\n\nhello\n")), STATUS_OK);
	assert_int_equal(
	    accept_mail(f, 7, 1, TEXT("A: b\n\nOTHER\n")), STATUS_OK);
	read.read_unfiled.delivery = delivery_of(7);
	ask(&f->worker, &read);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
	assert_memory_equal(f->worker.data, "A: b\n\nhello\n", 12);
	assert_int_equal(file_mail(f, 7, 1), STATUS_OK);
	result = first_result(&f->worker);
	assert_int_equal(result.uid, 1);
	assert_int_equal(result.size, 15);
	assert_int_equal(file_mail(f, 7, 1), STATUS_OK);
	again = first_result(&f->worker);
	assert_int_equal(again.uid, 1);
	assert_int_equal(again.size, result.size);
	assert_memory_equal(&again.hash, &result.hash, sizeof(result.hash));
	assert_int_equal(list_as_of(&f->worker, 1, 0, &record, 1), 1);
	assert_int_equal(record.internaldate, 1700000000);
}

static void
accept_for_unknown_account_stores_nothing(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_list_unfiled_accounts };

	assert_int_equal(accept_mail(f, 1, 99, TEXT("x")), STATUS_MISSING);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.size, 0);
}

static enum status
find_mail(struct fixture *f, uint32_t account, unsigned int n)
{
	struct message m = { .type = MESSAGE_find_delivery };

	m.find_delivery.account = account;
	m.find_delivery.delivery = delivery_of(n);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.answer.type, MESSAGE_delivery_found);
	return f->queue.answer.delivery_found.status;
}

/* Of mail that another queue had begun. */
static void
the_queue_is_told_what_was_accepted_for_whom(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(find_mail(f, 1, 1), STATUS_MISSING);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(find_mail(f, 1, 1), STATUS_OK);
	assert_int_equal(find_mail(f, 2, 1), STATUS_MISSING);
	assert_int_equal(find_mail(f, 1, 2), STATUS_MISSING);
	assert_int_equal(file_mail(f, 1, 1), STATUS_OK);
	assert_int_equal(find_mail(f, 1, 1), STATUS_OK);
}

static void
repeated_batch_gets_the_answer_of_then(void **state)
{
	struct fixture *f = *state;
	struct message_record records[3];

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	begin(&f->worker, 1);
	part_append(&f->worker, 9, 1, "something else");
	assert_int_equal(commit(&f->worker, 1), STATUS_OK);
	assert_int_equal(first_result(&f->worker).uid, 1);
	assert_int_equal(list_as_of(&f->worker, 1, 0, records, 3), 2);
}

static void
batch_with_one_bad_change_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct message_record record;

	begin(&f->worker, 1);
	part_append(&f->worker, 1, 1, "good");
	part_append(&f->worker, 2, 77, "no such mailbox");
	assert_int_equal(commit(&f->worker, 1), STATUS_MISSING);
	assert_int_equal(list_as_of(&f->worker, 1, 0, &record, 1), 0);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(first_result(&f->worker).uid, 1);
}

static void
foreign_mailbox_blob_and_delivery_are_missing(void **state)
{
	struct fixture *f = *state;
	struct message read = { .type = MESSAGE_read_blob };
	struct message file = { .type = MESSAGE_change_file };
	struct message_record record;
	uint64_t blob;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	blob = first_result(&f->worker).blob;
	assert_int_equal(list_as_of(&f->other, 1, 0, &record, 1), SIZE_MAX);
	assert_int_equal(f->other.answer.listing.status, STATUS_MISSING);
	read.read_blob.blob = blob;
	ask(&f->other, &read);
	assert_int_equal(f->other.answer.body.status, STATUS_MISSING);
	begin(&f->other, 1);
	part_append(&f->other, 5, 1, "into another's mailbox");
	assert_int_equal(commit(&f->other, 1), STATUS_MISSING);
	assert_int_equal(accept_mail(f, 6, 1, TEXT("x")), STATUS_OK);
	file.change_file.delivery = delivery_of(6);
	file.change_file.mailbox = 2;
	begin(&f->other, 1);
	channel_send(f->other.channel, &file, NULL, 0);
	assert_int_equal(commit(&f->other, 1), STATUS_MISSING);
}

static void
ask_for_bodies(struct peer *peer, const uint64_t *blobs, size_t count)
{
	struct message read = { .type = MESSAGE_read_blobs };
	uint8_t numbers[BODIES_MAX * sizeof(uint64_t)];
	struct writer w;

	writer_init(&w, numbers, sizeof(numbers));
	for (size_t i = 0; i < count; i++)
		writer_put_u64(&w, blobs[i]);
	read.read_blobs.blobs = text_make(numbers, w.size);
	ask(peer, &read);
	assert_int_equal(peer->answer.type, MESSAGE_bodies);
	assert_int_equal(peer->answer.bodies.status, STATUS_OK);
	assert_int_equal(peer->index_size, count * RECORD_BODY_SIZE);
}

static struct body_record
body_of(const struct peer *peer, size_t number)
{
	struct body_record record = { .status = 255 };
	struct reader r;

	reader_init(&r, peer->index, peer->index_size);
	for (size_t i = 0; i <= number; i++)
		assert_int_equal(record_get_body(&r, &record), 1);
	return record;
}

static void
several_bodies_come_together_each_with_a_status_of_its_own(void **state)
{
	struct fixture *f = *state;
	const char *const texts[] = { "first\n", "another's\n", "third\n" };
	uint64_t blobs[4];

	for (unsigned int i = 0; i < 3; i++) {
		struct peer *peer = i == 1 ? &f->other : &f->worker;
		uint64_t counter = i == 1 ? 1 : ++f->counter;

		begin(peer, counter);
		part_append(peer, i + 1, i == 1 ? 2 : 1, texts[i]);
		assert_int_equal(commit(peer, counter), STATUS_OK);
		blobs[i] = first_result(peer).blob;
	}
	blobs[3] = 12345; /* of nobody */
	ask_for_bodies(&f->worker, blobs, 4);
	assert_int_equal(body_of(&f->worker, 0).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 0).size, 6);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_MISSING);
	assert_int_equal(body_of(&f->worker, 1).size, 0);
	assert_int_equal(body_of(&f->worker, 2).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 3).status, STATUS_MISSING);
	assert_int_equal(f->worker.size, 12);
	assert_memory_equal(f->worker.data, "first\nthird\n", 12);
	ask_for_bodies(&f->worker, blobs, 0);
	assert_int_equal(f->worker.size, 0);
}

static void
append_large(struct fixture *f, unsigned int n, size_t size, char byte)
{
	struct message m = { .type = MESSAGE_change_append };
	char *body = memory_new(1, size);
	struct error error;
	int fd;

	memset(body, byte, size);
	fd = file_sealed_memory("body", body, size, &error);
	memory_free(&body);
	m.change_append.delivery = delivery_of(n);
	m.change_append.mailbox = 1;
	m.change_append.size = size;
	begin(&f->worker, ++f->counter);
	assert_int_equal(channel_send(f->worker.channel, &m, &fd, 1), 0);
	close(fd);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
}

/* One request must not have us fill the memory with 64 of the largest. */
static void
bodies_that_come_together_have_a_limit_but_for_the_first(void **state)
{
	struct fixture *f = *state;
	uint64_t blobs[3];
	char letters[] = "abc";

	for (unsigned int i = 0; i < 3; i++) {
		append_large(f, i + 1,
		    i == 0 ? BODIES_MAX_BYTES + 1 : BODIES_MAX_BYTES / 2,
		    letters[i]);
		blobs[i] = first_result(&f->worker).blob;
	}
	ask_for_bodies(&f->worker, blobs, 3);
	assert_int_equal(body_of(&f->worker, 0).status, STATUS_OK);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_LIMIT);
	assert_int_equal(body_of(&f->worker, 2).status, STATUS_LIMIT);
	assert_int_equal(f->worker.size, BODIES_MAX_BYTES + 1);
	ask_for_bodies(&f->worker, blobs + 1, 2);
	assert_int_equal(body_of(&f->worker, 1).status, STATUS_OK);
	assert_int_equal(f->worker.size, BODIES_MAX_BYTES);
	assert_int_equal(f->worker.data[0], 'b');
	assert_int_equal(f->worker.data[BODIES_MAX_BYTES - 1], 'c');
}

static void
same_bytes_of_two_accounts_are_two_blobs(void **state)
{
	struct fixture *f = *state;
	uint64_t mine, again;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	mine = first_result(&f->worker).blob;
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	again = first_result(&f->worker).blob;
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "Subject: x\n\nbody\n");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	assert_int_equal(mine, again);
	assert_int_not_equal(first_result(&f->other).blob, mine);
}

static void
reused_name_gets_a_higher_uidvalidity(void **state)
{
	struct fixture *f = *state;
	struct message create = { .type = MESSAGE_change_create };
	struct message retire = { .type = MESSAGE_change_retire };
	struct result_record first, second;

	create.change_create.name = TEXT("Work/2026");
	begin(&f->worker, 1);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 1), STATUS_OK);
	first = first_result(&f->worker);
	begin(&f->worker, 2);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 2), STATUS_EXISTS);
	retire.change_retire.mailbox = first.mailbox;
	begin(&f->worker, 2);
	channel_send(f->worker.channel, &retire, NULL, 0);
	channel_send(f->worker.channel, &create, NULL, 0);
	assert_int_equal(commit(&f->worker, 2), STATUS_OK);
	memmove(f->worker.data, f->worker.data + RECORD_RESULT_SIZE,
	    f->worker.size - RECORD_RESULT_SIZE);
	f->worker.size -= RECORD_RESULT_SIZE;
	second = first_result(&f->worker);
	assert_true(second.uid > first.uid);
	assert_true(second.mailbox > first.mailbox);
}

enum {
	MODEL_STEPS = 400,
	MODEL_UIDS = 200
};

struct model {
	uint32_t flags[MODEL_STEPS + 1][MODEL_UIDS];
	bool is_live[MODEL_STEPS + 1][MODEL_UIDS];
	uint64_t sequence[MODEL_STEPS + 1];
	uint32_t next;
};

static void
model_step(struct fixture *f, struct model *model, unsigned int n)
{
	uint32_t uid = 1 + (uint32_t)random() % (model->next + 1);
	uint32_t flags = (uint32_t)random() & FLAG_ALL;

	memcpy(model->flags[n], model->flags[n - 1], sizeof(model->flags[0]));
	memcpy(model->is_live[n], model->is_live[n - 1],
	    sizeof(model->is_live[0]));
	if (uid >= model->next || !model->is_live[n][uid]) {
		if (model->next == MODEL_UIDS)
			flags = UINT32_MAX;
		else
			assert_int_equal(append(f, n, 1), STATUS_OK);
		if (flags != UINT32_MAX) {
			assert_int_equal(
			    first_result(&f->worker).uid, model->next);
			model->flags[n][model->next] = 0;
			model->is_live[n][model->next++] = true;
		}
	} else if (random() % 3 == 0) {
		assert_int_equal(expunge(f, 1, uid), STATUS_OK);
		model->is_live[n][uid] = false;
	} else {
		assert_int_equal(set_flags(f, 1, uid, flags), STATUS_OK);
		model->flags[n][uid] = flags;
	}
	model->sequence[n] = f->worker.answer.batch_done.sequence;
}

static void
listing_as_of_any_sequence_equals_a_naive_model(void **state)
{
	struct model *model = memory_new(1, sizeof(*model));
	struct message_record records[MODEL_UIDS];
	struct fixture *f = *state;
	unsigned int n, uid;
	size_t count, i;

	srandom(4);
	model->next = 1;
	for (n = 1; n <= MODEL_STEPS; n++)
		model_step(f, model, n);
	for (n = 1; n <= MODEL_STEPS; n++) {
		count = list_as_of(
		    &f->worker, 1, model->sequence[n], records, MODEL_UIDS);
		for (i = 0, uid = 1; uid < MODEL_UIDS; uid++) {
			if (!model->is_live[n][uid])
				continue;
			assert_true(i < count);
			assert_int_equal(records[i].uid, uid);
			assert_int_equal(
			    records[i].flags, model->flags[n][uid]);
			i++;
		}
		assert_int_equal(i, count);
	}
	free(model);
}

static enum status
claim_anything(struct fixture *f, struct peer *worker, bool is_foreign)
{
	struct message m = { .type = MESSAGE_witness };

	text_parse_hex(text_of(f->id), m.witness.store.bytes, 16);
	m.witness.store.bytes[0] ^= is_foreign;
	m.witness.incarnation = m.witness.sequence = UINT64_MAX;
	ask(worker, &m);
	return worker->answer.witness_heard.status;
}

/* Whatever it claims, a worker moves its own counters, once. */
static void
witness_is_heard_once_a_channel_and_not_of_another_store(void **state)
{
	struct fixture *f = *state;
	struct message_record records[8];

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(claim_anything(f, &f->other, true), STATUS_REFUSED);
	assert_int_equal(claim_anything(f, &f->other, false), STATUS_LIMIT);
	assert_int_equal(claim_anything(f, &f->worker, false), STATUS_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(
		    claim_anything(f, &f->worker, false), STATUS_LIMIT);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
	assert_int_equal(list_as_of(&f->worker, 1, 0, records, 8), 2);
	assert_int_equal(records[0].uid, 1);
	assert_int_equal(records[1].uid, 2 + (1 << 20));
}

static int
fail_sync(const char *call, const char *name, void *context)
{
	(void)name;
	(void)context;
	return strcmp(call, "sync") == 0 ? EIO : 0;
}

/* Says that the disk failed, and nothing to whoever asked. */
static void
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

static void
failed_disk_is_never_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;

	file_set_fault_hook(fail_sync, NULL);
	make_accept(&m, 1, 1, TEXT("x"), recipients);
	send_and_fail(f, &f->queue, &m);
	file_set_fault_hook(NULL, NULL);
}

static void
failed_commit_is_never_answered(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_batch_commit };

	store_set_commit_fault(EIO);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1, 1, "x");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	send_and_fail(f, &f->worker, &m);
}

static void
full_disk_says_full_and_stores_nothing(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_list_unfiled_accounts };

	store_set_commit_fault(ENOSPC);
	assert_int_equal(append_to_index(f, 1, 1), STATUS_FULL);
	store_set_commit_fault(0);
	ask(&f->queue, &m);
	assert_int_equal(f->queue.size, 0);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
}

static void
full_disk_refuses_mail_and_takes_deaths_and_marks(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	enum status status = STATUS_FULL;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	stop(f);
	growth_set_fault(ENOSPC);
	start(f, (size_t)1 << 30);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_FULL);
	assert_int_equal(append(f, 3, 1), STATUS_FULL);
	assert_int_equal(set_flags(f, 1, 1, FLAG_DELETED), STATUS_OK);
	assert_int_equal(expunge(f, 1, 1), STATUS_OK);
	ask(&f->control, &mark);
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
	/* Room again: it is found without being told. */
	growth_set_fault(0);
	timer_start(f->deadline, DEADLINE_MS);
	while (status == STATUS_FULL)
		status = accept_mail(f, 2, 1, TEXT("x"));
	assert_int_equal(status, STATUS_OK);
}

static void
end_look(void *context)
{
	struct fixture *f = context;

	event_loop_stop(f->loop);
}

static void
look_for_spare(void *context)
{
	struct fixture *f = context;

	if (store_has_spare(snapd_journal(f->snapd)->store))
		timer_start(f->look, 5);
	else
		event_loop_stop(f->loop);
}

static void
blocks_that_a_large_commit_left_are_given_back_at_rest(void **state)
{
	struct fixture *f = *state;
	struct store *store;

	stop(f);
	start(f, (size_t)1 << 30);
	store = snapd_journal(f->snapd)->store;
	assert_true(store_has_room(store, 60 << 20));
	assert_true(store_has_spare(store));
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	f->waiting = NULL;
	f->look = timer_new(f->loop, look_for_spare, f);
	timer_start(f->look, 5);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	timer_free(&f->look);
	assert_int_equal(append(f, 2, 1), STATUS_OK);
}

/* -- Rounds -- */

/* How many transactions were committed: the newer meta page's number. */
static uint64_t
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

static void
send_filing(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_batch_commit };

	begin(&f->worker, n);
	part_file(&f->worker, n, 1);
	m.batch_commit.counter = n;
	channel_send(f->worker.channel, &m, NULL, 0);
}

/* Asked behind the filing, on the same channel, and answered before it. */
static void
wait_until_filing_waits(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_read_unfiled };

	m.read_unfiled.delivery = delivery_of(n);
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answers(&f->worker, 1);
	assert_int_equal(f->worker.answer.type, MESSAGE_body);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
}

static void
be_patient(struct fixture *f)
{
	stop(f);
	f->patience_ms = f->settle_ms = 1000 * 3600;
	start(f, MAP_BYTES);
}

/* Whoever reads where the mail is sees it in the index. */
static void
accept_and_commit(struct fixture *f, unsigned int n)
{
	struct message m = { .type = MESSAGE_list_unfiled };

	assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	ask(&f->worker, &m);
	f->worker.answers = 0;
}

static void
filing_rides_in_the_commit_of_the_next_change(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	accept_and_commit(f, 1);
	before = commits(f);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	assert_int_equal(commits(f), before);
	assert_int_equal(f->worker.answers, 1);
	ask(&f->control, &mark);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.type, MESSAGE_batch_done);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_int_equal(commits(f), before + 1);
}

/* Which is but a write to the log. */
static void
filing_rides_with_the_next_mail(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	accept_and_commit(f, 1);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	assert_int_equal(f->worker.answers, 1);
	assert_int_equal(accept_mail(f, 3, 1, TEXT("y")), STATUS_OK);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_int_equal(commits(f), before);
}

/* A worker knows answers by their order. */
static void
what_is_refused_is_answered_behind_what_waits(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;

	be_patient(f);
	accept_and_commit(f, 1);
	/* What stands behind this is not for the log: it waits. */
	snapd_alarm(f->snapd, ROLE_SMTPD, 0, ALARM_KILLED);
	send_filing(f, 1);
	send_filing(f, 2); /* there is no such mail */
	wait_until_filing_waits(f, 1);
	assert_int_equal(accept_mail(f, 3, 1, TEXT("y")), STATUS_OK);
	assert_int_equal(f->worker.answers, 1);
	ask(&f->control, &mark);
	wait_answers(&f->worker, 3);
	assert_int_equal(f->worker.answer.batch_done.counter, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_MISSING);
}

static void
only_filing_is_patient(void **state)
{
	struct fixture *f = *state;

	be_patient(f);
	assert_int_equal(append(f, 1, 1), STATUS_OK);
	assert_int_equal(set_flags(f, 1, 1, FLAG_SEEN), STATUS_OK);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("x")), STATUS_OK);
	/* Together with something else it is as urgent as that is. */
	begin(&f->worker, ++f->counter);
	part_file(&f->worker, 2, 1);
	part_append(&f->worker, 3, 1, "y");
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
}

static void
many_filings_wait_no_longer(void **state)
{
	struct fixture *f = *state;
	unsigned int n;

	be_patient(f);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		send_filing(f, n);
	f->worker.answers = 0;
	wait_answers(&f->worker, ROUND_PATIENT_MAX);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
}

/* It comes with the filing for which there is one, and that one fails. */
static void
mail_is_answered_before_a_commit_that_nobody_waits_for(void **state)
{
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;
	unsigned int n;

	be_patient(f);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	accept_and_commit(f, n);
	/* The log has not what stands behind this: the index has to. */
	snapd_alarm(f->snapd, ROLE_SMTPD, 0, ALARM_KILLED);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		send_filing(f, n);
	wait_until_filing_waits(f, n);
	store_set_commit_fault(EIO);
	send_filing(f, n);
	make_accept(&m, n + 1, 1, TEXT("y"), recipients);
	send_and_fail(f, &f->queue, &m);
	wait_answers(&f->queue, 1);
	assert_int_equal(f->queue.answers, 1);
	assert_int_equal(f->queue.answer.accepted.status, STATUS_OK);
	assert_int_equal(f->worker.answers, 0);
}

static void
what_only_the_log_has_is_read_to_be_filed(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	f->worker.answers = 0;
	wait_until_filing_waits(f, 1);
	assert_int_equal(f->worker.answer.body.size, 1);
	assert_int_equal(commits(f), before);
}

/* So much is filed that it does not go on waiting. */
static void
mail_is_answered_before_a_commit_for_what_is_filed(void **state)
{
	struct message commit = { .type = MESSAGE_batch_commit };
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;
	unsigned int n;

	be_patient(f);
	for (n = 1; n < ROUND_PATIENT_MAX; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	accept_and_commit(f, n);
	store_set_commit_fault(EIO);
	commit.batch_commit.counter = 1;
	begin(&f->worker, 1);
	for (n = 1; n <= ROUND_PATIENT_MAX; n++)
		part_file(&f->worker, n, 1);
	channel_send(f->worker.channel, &commit, NULL, 0);
	make_accept(&m, n, 1, TEXT("y"), recipients);
	send_and_fail(f, &f->queue, &m);
	wait_answers(&f->queue, 1);
	assert_int_equal(f->queue.answers, 1);
	assert_int_equal(f->queue.answer.accepted.status, STATUS_OK);
	assert_int_equal(f->worker.answers, 0);
}

static void
filing_that_waited_is_not_answered_when_the_disk_fails(void **state)
{
	struct fixture *f = *state;
	uint8_t recipients[400];
	struct message m;

	be_patient(f);
	accept_and_commit(f, 1);
	send_filing(f, 1);
	wait_until_filing_waits(f, 1);
	file_set_fault_hook(fail_sync, NULL);
	make_accept(&m, 2, 1, TEXT("y"), recipients);
	send_and_fail(f, &f->queue, &m);
	file_set_fault_hook(NULL, NULL);
	assert_int_equal(f->worker.answers, 1);
}

/* -- What the log has and the index has not -- */

static unsigned int
count_unfiled(struct fixture *f)
{
	struct message m = { .type = MESSAGE_list_unfiled };
	struct unfiled_record record;
	unsigned int found = 0;
	struct reader r;

	ask(&f->worker, &m);
	reader_init(&r, f->worker.data, f->worker.size);
	while (record_get_unfiled(&r, &record) == 1)
		found++;
	return found;
}

static void
mail_is_answered_before_the_index_has_it(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	before = commits(f);
	for (unsigned int n = 1; n <= 5; n++)
		assert_int_equal(accept_mail(f, n, 1, TEXT("x")), STATUS_OK);
	/* A repeated one as well. */
	assert_int_equal(accept_mail(f, 3, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(commits(f), before);
	assert_int_equal(count_unfiled(f), 5);
	assert_int_equal(commits(f), before + 1);
}

static void
what_the_log_has_is_committed_before_long(void **state)
{
	struct fixture *f = *state;
	uint64_t before = commits(f);

	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	f->waiting = NULL;
	timer_start(f->deadline, DEADLINE_MS);
	while (commits(f) == before) {
		f->look = timer_new(f->loop, end_look, f);
		timer_start(f->look, 5);
		event_loop_run(f->loop);
		timer_free(&f->look);
	}
	timer_stop(f->deadline);
}

static void
mail_can_be_read_as_soon_as_it_was_answered(void **state)
{
	struct fixture *f = *state;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	wait_until_filing_waits(f, 1); /* its body is asked for */
}

static void
a_clean_stop_leaves_nothing_to_the_log(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	before = commits(f);
	stop(f);
	assert_int_equal(commits(f), before + 1);
	start(f, MAP_BYTES);
	assert_int_equal(count_unfiled(f), 1);
}

static void
mail_of_the_log_outlives_a_commit_that_finds_no_room(void **state)
{
	struct fixture *f = *state;

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	assert_int_equal(accept_mail(f, 2, 1, TEXT("y")), STATUS_OK);
	store_set_next_commit_fault(ENOSPC);
	assert_int_equal(append_to_index(f, 3, 1), STATUS_FULL);
	assert_int_equal(f->failures, 0);
	assert_int_equal(count_unfiled(f), 2);
}

static void
mail_of_the_log_outlives_a_store_that_finds_none_at_all(void **state)
{
	struct fixture *f = *state;
	struct message m = { .type = MESSAGE_batch_commit };

	be_patient(f);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_OK);
	store_set_commit_fault(ENOSPC);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 2, 1, "y");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	send_and_fail(f, &f->worker, &m);
	stop(f);
	store_set_commit_fault(0);
	start(f, MAP_BYTES);
	assert_int_equal(count_unfiled(f), 1);
}

static void
a_store_whose_log_cannot_be_read_serves_nobody(void **state)
{
	struct message hello = { .type = MESSAGE_queue_hello };
	struct fixture *f = *state;
	char log[128], kept[128];

	stop(f);
	snprintf(log, sizeof(log), "%s/accepted", f->path);
	snprintf(kept, sizeof(kept), "%s/kept", f->path);
	assert_int_equal(rename(log, kept), 0);
	assert_int_equal(symlink("kept", log), 0);
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(
	    f->queue.answer.store_state.status, STATUS_UNAVAILABLE);
	stop(f);
	assert_int_equal(rename(kept, log), 0);
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(f->queue.answer.store_state.status, STATUS_OK);
}

static void
a_message_too_large_for_the_log_is_committed(void **state)
{
	struct fixture *f = *state;
	char *body = memory_new(1, ACCEPT_LOG_MAX_RECORD);
	struct message m;
	uint8_t recipients[400];
	struct error error;
	uint64_t before;
	int fd;

	be_patient(f);
	before = commits(f);
	fd = file_sealed_memory("body", body, ACCEPT_LOG_MAX_RECORD, &error);
	make_accept(&m, 1, 1, TEXT(""), recipients);
	m.accept.size = ACCEPT_LOG_MAX_RECORD;
	f->queue.answers = 0;
	channel_send(f->queue.channel, &m, &fd, 1);
	wait_answers(&f->queue, 1);
	assert_int_equal(f->queue.answer.accepted.status, STATUS_OK);
	assert_int_equal(commits(f), before + 1);
	close(fd);
	free(body);
}

static void
full_store_takes_deaths_and_marks_but_no_mail(void **state)
{
	struct message mark = { .type = MESSAGE_control_create };
	struct fixture *f = *state;
	enum status status = STATUS_OK;
	char *body = memory_new(1, 16000);
	unsigned int n;

	assert_int_equal(append(f, 1, 1), STATUS_OK);
	memset(body, 'x', 16000);
	for (n = 2; n < 20000 && status == STATUS_OK; n++) {
		memcpy(body, &n, sizeof(n));
		status = accept_mail(f, n, 1, text_make(body, 16000));
	}
	free(body);
	assert_int_equal(status, STATUS_FULL);
	/* A small one may still fit where a larger one did not. */
	for (n = 30000, status = STATUS_OK; n < 40000 && status == STATUS_OK;
	     n++)
		status = append(f, n, 1);
	assert_int_equal(status, STATUS_FULL);
	assert_int_equal(set_flags(f, 1, 1, FLAG_DELETED), STATUS_OK);
	assert_int_equal(expunge(f, 1, 1), STATUS_OK);
	ask(&f->control, &mark);
	assert_int_equal(f->control.answer.control_done.status, STATUS_OK);
}

static void
foreign_or_missing_store_serves_nobody_and_creates_nothing(void **state)
{
	struct message hello = { .type = MESSAGE_queue_hello };
	struct fixture *f = *state;
	char right[33], path[64];
	struct stat st;

	memcpy(right, f->id, sizeof(right));
	memcpy(path, f->path, sizeof(path));
	stop(f);
	f->id[0] = f->id[0] == '0' ? '1' : '0';
	start(f, MAP_BYTES);
	assert_int_equal(accept_mail(f, 1, 1, TEXT("x")), STATUS_UNAVAILABLE);
	assert_int_equal(append(f, 1, 1), STATUS_UNAVAILABLE);
	stop(f);
	memcpy(f->id, right, sizeof(right));
	strcpy(f->path, "/tmp/snapd_test_none");
	start(f, MAP_BYTES);
	ask(&f->queue, &hello);
	assert_int_equal(
	    f->queue.answer.store_state.status, STATUS_UNAVAILABLE);
	assert_int_equal(stat(f->path, &st), -1);
	memcpy(f->path, path, sizeof(path));
}

static void
answered_mail_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	unsigned int n, answered = 0, found;
	int report[2], status;
	pid_t child;

	stop(f);
	assert_int_equal(pipe(report), 0);
	child = fork();
	if (child == 0) {
		start(f, MAP_BYTES);
		for (n = 1; accept_mail(f, n, 1, TEXT("x")) == STATUS_OK; n++)
			if (write(report[1], &n, sizeof(n)) != sizeof(n))
				break;
		_exit(1);
	}
	while (answered < 200 &&
	       read(report[0], &answered, sizeof(answered)) == sizeof(answered))
		continue;
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(report[1]);
	while (read(report[0], &answered, sizeof(answered)) == sizeof(answered))
		continue;
	close(report[0]);
	start(f, MAP_BYTES);
	found = count_unfiled(f);
	assert_true(answered >= 200);
	/* One more may have been committed and not been answered yet. */
	assert_true(found == answered || found == answered + 1);
}

/* -- Sealing behind the loop -- */

static void
look_for_pass(void *context)
{
	struct fixture *f = context;
	struct sealer_state state;

	sealer_get_state(snapd_sealer(f->snapd), &state);
	assert_int_equal(state.failures, 0);
	if (state.passes >= f->wanted)
		event_loop_stop(f->loop);
	else
		timer_start(f->look, 5);
}

static void
wait_for_passes(struct fixture *f, unsigned int passes)
{
	f->waiting = NULL;
	f->wanted = passes;
	f->look = timer_new(f->loop, look_for_pass, f);
	timer_start(f->look, 0);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	timer_free(&f->look);
}

static void
check_mail(struct fixture *f, unsigned int n, struct text body)
{
	struct message m = { .type = MESSAGE_read_unfiled };

	m.read_unfiled.delivery = delivery_of(n);
	ask(&f->worker, &m);
	assert_int_equal(f->worker.answer.type, MESSAGE_body);
	assert_int_equal(f->worker.answer.body.status, STATUS_OK);
	assert_int_equal(f->worker.size, body.size);
	assert_memory_equal(f->worker.data, body.data, body.size);
}

static void
mail_is_sealed_behind_the_loop_and_reads_as_before(void **state)
{
	struct fixture *f = *state;
	static char body[12000];
	unsigned int n, round;

	for (round = 1; round <= 2; round++) {
		for (n = 0; n < 40; n++) {
			memset(body, 'a' + (int)(n % 26), sizeof(body));
			memcpy(body, &n, sizeof(n));
			memcpy(body + 4, &round, sizeof(round));
			assert_int_equal(accept_mail(f, round * 100 + n, 1,
					     text_make(body, sizeof(body))),
			    STATUS_OK);
		}
		sealer_request(snapd_sealer(f->snapd), NULL, NULL);
		wait_for_passes(f, round);
	}
	stop(f);
	start(f, MAP_BYTES);
	check_mail(f, 239, text_make(body, sizeof(body)));
	n = 7;
	memset(body, 'a' + 7, sizeof(body));
	memcpy(body, &n, sizeof(n));
	memcpy(body + 4, (unsigned int[]){ 1 }, sizeof(n));
	check_mail(f, 107, text_make(body, sizeof(body)));
}

/* -- What comes in bulk -- */

enum {
	BULK_MESSAGES = 40,
	BULK_SIZE = 12000
};

static void
send_messages(struct fixture *f, unsigned int first, unsigned int count)
{
	static char body[BULK_SIZE + 1];

	begin(&f->worker, ++f->counter);
	for (unsigned int n = first; n < first + count; n++) {
		for (size_t i = 0; i < BULK_SIZE; i++)
			body[i] = (char)('a' + random() % 26);
		part_append(&f->worker, n, 1, body);
	}
}

static void
send_bulk(struct fixture *f, unsigned int first)
{
	send_messages(f, first, BULK_MESSAGES);
}

static uint64_t
count_live(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	uint64_t count = store_count(t, DB_LIVE);

	transaction_abort(&t);
	return count;
}

/* Dead bytes of the first segment. */
static uint64_t
sum_dead(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	struct segment_use use;

	assert_true(segment_use_find(t, 1, &use, &error) >= 0);
	transaction_abort(&t);
	return use.dead_bytes;
}

static uint64_t
count_staged(struct fixture *f)
{
	struct error error;
	struct transaction *t =
	    transaction_begin(snapd_journal(f->snapd)->store, false, &error);
	uint64_t count = store_count(t, DB_CHUNK);

	transaction_abort(&t);
	return count;
}

static void
bulk_is_answered_when_it_is_sealed(void **state)
{
	struct fixture *f = *state;

	stop(f);
	f->hold_bytes = 1 << 16; /* less than one batch */
	start(f, MAP_BYTES);
	for (unsigned int n = 0; n < 4 * BULK_MESSAGES; n += BULK_MESSAGES) {
		send_bulk(f, n);
		assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
		assert_int_equal(count_staged(f), 0);
	}
	/* What a person sends waits for nothing. */
	assert_int_equal(append_to_index(f, 1000, 1), STATUS_OK);
	assert_int_equal(count_staged(f), 1);
}

static void
what_follows_bulk_is_answered_after_it(void **state)
{
	struct message m = { .type = MESSAGE_batch_commit };
	struct fixture *f = *state;

	stop(f);
	f->hold_bytes = 1 << 16;
	start(f, MAP_BYTES);
	send_bulk(f, 0);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	/* Others do not wait. */
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "other");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	wait_answers(&f->worker, 2);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
	assert_true(f->worker.answer.batch_done.counter == f->counter);
}

static void
bulk_that_waits_is_answered_before_what_fails(void **state)
{
	struct message m = { .type = MESSAGE_batch_commit };
	struct message list = { .type = MESSAGE_list_mailboxes };
	struct message second = { .type = MESSAGE_batch_begin };
	struct fixture *f = *state;
	uint64_t before;

	stop(f);
	f->hold_bytes = 1 << 16;
	start(f, MAP_BYTES);
	before = snapd_journal(f->snapd)->state.sequence;
	send_bulk(f, 0);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	while (snapd_journal(f->snapd)->state.sequence == before)
		ask(&f->other, &list);
	store_set_commit_fault(ENOSPC);
	second.batch_begin.counter = ++f->counter;
	channel_send(f->worker.channel, &second, NULL, 0);
	part_append(&f->worker, 1000, 1, "small");
	part_subscribe(&f->worker);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
	wait_answers(&f->worker, 2);
	assert_true(f->worker.answer.batch_done.counter == f->counter);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_FULL);
}

/* -- Large batches, which the sealer writes before they are applied -- */

enum {
	LARGE_MESSAGES = 100 /* 1.2 MB of BULK_SIZE */
};

static void
stop_at_gate(void *context)
{
	struct fixture *f = context;

	if (sem_trywait(&reached) == 0)
		event_loop_stop(f->loop);
	else
		timer_start(f->look, 2);
}

static void
run_until(struct fixture *f, void (*look)(void *context))
{
	f->waiting = NULL;
	f->look = timer_new(f->loop, look, f);
	timer_start(f->look, 0);
	timer_start(f->deadline, DEADLINE_MS);
	event_loop_run(f->loop);
	timer_stop(f->deadline);
	timer_free(&f->look);
}

static void
send_large(struct fixture *f, unsigned int first)
{
	struct message m = { .type = MESSAGE_batch_commit };

	send_messages(f, first, LARGE_MESSAGES);
	m.batch_commit.counter = f->counter;
	channel_send(f->worker.channel, &m, NULL, 0);
}

static void
a_large_batch_is_never_staged(void **state)
{
	struct fixture *f = *state;

	for (unsigned int n = 0; n < 3 * LARGE_MESSAGES; n += LARGE_MESSAGES) {
		send_messages(f, n, LARGE_MESSAGES);
		assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
		assert_int_equal(f->worker.size,
		    LARGE_MESSAGES * (size_t)RECORD_RESULT_SIZE);
		assert_int_equal(count_staged(f), 0);
	}
	assert_int_equal(count_live(f), 3 * LARGE_MESSAGES);
}

static void
what_is_asked_behind_a_large_batch_sees_it(void **state)
{
	struct message list = { .type = MESSAGE_list_messages };
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	list.list_messages.mailbox = 1;
	channel_send(f->worker.channel, &list, NULL, 0);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	channel_send(f->worker.channel,
	    &(struct message){ .type = MESSAGE_batch_commit,
		.batch_commit.counter = f->counter },
	    NULL, 0);
	run_until(f, stop_at_gate);
	/* Nothing of it is there yet, and nobody else waits. */
	assert_int_equal(count_live(f), 0);
	begin(&f->other, 1);
	part_append(&f->other, 1, 2, "other");
	assert_int_equal(commit(&f->other, 1), STATUS_OK);
	assert_int_equal(f->worker.answers, 0);
	open_gate();
	wait_answers(&f->worker, 3);
	assert_int_equal(count_live(f), LARGE_MESSAGES + 2);
	assert_true(f->worker.listed >= LARGE_MESSAGES * (uint64_t)64);
	assert_true(f->worker.last_counter == f->counter);
}

/* It takes numbers without a commit: what the log has must not be repeated
 * behind them, where a commit finds no room. */
static void
what_the_log_has_is_committed_before_a_large_batch(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	be_patient(f);
	begin(&f->worker, ++f->counter);
	part_append(&f->worker, 1000, 1, "small");
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	before = commits(f);
	close_gate();
	send_large(f, 0);
	run_until(f, stop_at_gate);
	assert_int_equal(commits(f), before + 1);
	open_gate();
	wait_answers(&f->worker, 1);
	assert_int_equal(f->worker.answer.batch_done.status, STATUS_OK);
}

static void
wait_without_worker(void *context)
{
	struct fixture *f = context;

	if (snapd_worker(f->snapd, 1) == NULL)
		event_loop_stop(f->loop);
	else
		timer_start(f->look, 2);
}

static void
wait_for_dead(void *context)
{
	struct fixture *f = context;

	if (sum_dead(f) > 0)
		event_loop_stop(f->loop);
	else
		timer_start(f->look, 2);
}

static void
a_batch_whose_worker_is_gone_is_not_applied(void **state)
{
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	run_until(f, stop_at_gate);
	free_peer(&f->worker);
	run_until(f, wait_without_worker);
	open_gate();
	run_until(f, wait_for_dead);
	assert_int_equal(count_live(f), 0);
	/* The next one sends it again, with the same counter. */
	connect_peer(f, &f->worker, ROLE_WORKER, 1);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

static void
a_batch_of_a_worker_that_was_replaced_is_not_applied(void **state)
{
	struct fixture *f = *state;
	struct peer next;

	close_gate();
	send_large(f, 0);
	run_until(f, stop_at_gate);
	connect_peer(f, &next, ROLE_WORKER, 1);
	open_gate();
	run_until(f, wait_for_dead);
	assert_int_equal(count_live(f), 0);
	assert_int_equal(f->worker.answers, 0);
	free_peer(&f->worker);
	f->worker = next;
	channel_set_context(f->worker.channel, &f->worker);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

static void
a_large_batch_is_staged_if_segments_have_no_room(void **state)
{
	struct fixture *f = *state;

	segment_env_set_fault(ENOSPC);
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_true(count_staged(f) > 0);
	send_messages(f, LARGE_MESSAGES, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), 2 * LARGE_MESSAGES);
}

static void
a_store_that_ends_has_all_of_a_large_batch_or_nothing(void **state)
{
	struct fixture *f = *state;

	close_gate();
	send_large(f, 0);
	send_large(f, LARGE_MESSAGES);
	run_until(f, stop_at_gate);
	open_gate();
	stop(f);
	start(f, MAP_BYTES);
	assert_int_equal(count_live(f), 0);
	f->counter = 0;
	send_messages(f, 0, LARGE_MESSAGES);
	assert_int_equal(commit(&f->worker, f->counter), STATUS_OK);
	assert_int_equal(count_live(f), LARGE_MESSAGES);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(accepted_mail_is_filed_once),
		TEST(accept_for_unknown_account_stores_nothing),
		TEST(the_queue_is_told_what_was_accepted_for_whom),
		TEST(repeated_batch_gets_the_answer_of_then),
		TEST(batch_with_one_bad_change_changes_nothing),
		TEST(foreign_mailbox_blob_and_delivery_are_missing),
		TEST(
		    several_bodies_come_together_each_with_a_status_of_its_own),
		TEST(bodies_that_come_together_have_a_limit_but_for_the_first),
		TEST(same_bytes_of_two_accounts_are_two_blobs),
		TEST(reused_name_gets_a_higher_uidvalidity),
		TEST(listing_as_of_any_sequence_equals_a_naive_model),
		TEST(witness_is_heard_once_a_channel_and_not_of_another_store),
		TEST(failed_disk_is_never_answered),
		TEST(failed_commit_is_never_answered),
		TEST(full_disk_says_full_and_stores_nothing),
		TEST(full_disk_refuses_mail_and_takes_deaths_and_marks),
		TEST(filing_rides_in_the_commit_of_the_next_change),
		TEST(filing_rides_with_the_next_mail),
		TEST(what_is_refused_is_answered_behind_what_waits),
		TEST(mail_is_answered_before_the_index_has_it),
		TEST(what_the_log_has_is_committed_before_long),
		TEST(mail_can_be_read_as_soon_as_it_was_answered),
		TEST(a_clean_stop_leaves_nothing_to_the_log),
		TEST(mail_of_the_log_outlives_a_commit_that_finds_no_room),
		TEST(mail_of_the_log_outlives_a_store_that_finds_none_at_all),
		TEST(a_store_whose_log_cannot_be_read_serves_nobody),
		TEST(a_message_too_large_for_the_log_is_committed),
		TEST(only_filing_is_patient),
		TEST(many_filings_wait_no_longer),
		TEST(mail_is_answered_before_a_commit_that_nobody_waits_for),
		TEST(what_only_the_log_has_is_read_to_be_filed),
		TEST(mail_is_answered_before_a_commit_for_what_is_filed),
		TEST(filing_that_waited_is_not_answered_when_the_disk_fails),
		TEST(full_store_takes_deaths_and_marks_but_no_mail),
		TEST(
		    foreign_or_missing_store_serves_nobody_and_creates_nothing),
		TEST(mail_is_sealed_behind_the_loop_and_reads_as_before),
		TEST(blocks_that_a_large_commit_left_are_given_back_at_rest),
		TEST(bulk_is_answered_when_it_is_sealed),
		TEST(what_follows_bulk_is_answered_after_it),
		TEST(bulk_that_waits_is_answered_before_what_fails),
		TEST(a_large_batch_is_never_staged),
		TEST(what_is_asked_behind_a_large_batch_sees_it),
		TEST(what_the_log_has_is_committed_before_a_large_batch),
		TEST(a_batch_whose_worker_is_gone_is_not_applied),
		TEST(a_batch_of_a_worker_that_was_replaced_is_not_applied),
		TEST(a_large_batch_is_staged_if_segments_have_no_room),
		TEST(a_store_that_ends_has_all_of_a_large_batch_or_nothing),
		TEST(answered_mail_survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
