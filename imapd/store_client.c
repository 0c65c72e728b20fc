/*
 * See store_client.h.  Questions wait in a table by tag, batches in a list by
 * counter; both keep their packets until they are answered.  After a
 * reconnect: hello first, then all of them again in their old order.
 */
#include "imapd/store_client.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	INLINE_MAX = 60000 /* bytes of caught_up's list in the packet */
};

struct part {
	struct part *next;
	int fd;
	size_t size;
	uint8_t data[];
};

struct store_batch {
	struct store_batch *next;
	uint64_t counter;
	struct change_note note;
	struct part *first;
	struct part **end;
	store_committed *done;
	void *context;
};

enum answer_kind {
	ANSWER_LISTING,
	ANSWER_BODY,
	ANSWER_BODIES
};

/* A listing, a body or several bodies that were asked for. */
struct question {
	struct question *next;
	uint64_t tag;
	struct message message;
	enum answer_kind kind;
	union {
		store_listed *listed;
		store_read *read;
		store_read_many *read_many;
	} done;
	void *context;
	size_t blob_count;
	uint8_t blobs[]; /* of read_blobs, which points here */
};

struct store_client {
	struct event_loop *loop;
	struct channel *channel;
	const struct store_client_handler *handler;
	void *context;
	struct timer *patience;
	bool is_present;
	bool has_counter;
	uint64_t counter; /* of the batch sent last */
	uint64_t tag;
	uint64_t hello_tag;
	uint64_t committed; /* counter of the last batch that was */
	uint64_t claim_tag;
	void (*claimed)(enum status status, void *context);
	void *claim_context;
	struct question *questions;
	struct question **questions_end;
	struct store_batch *batches;
	struct store_batch **batches_end;
};

static const struct text no_text;

/* -- Batches -- */

struct store_batch *
store_batch_new(const struct change_note *note)
{
	struct store_batch *batch = memory_new(1, sizeof(*batch));

	batch->note = *note;
	batch->end = &batch->first;
	return batch;
}

struct store_batch *
store_batch_new_for(enum change_cause cause)
{
	struct change_note note = { .cause = (uint8_t)cause };

	return store_batch_new(&note);
}

void
store_batch_free(struct store_batch **batch)
{
	struct part *part;

	if (*batch == NULL)
		return;
	while ((part = (*batch)->first) != NULL) {
		(*batch)->first = part->next;
		if (part->fd != -1)
			close(part->fd);
		free(part);
	}
	memory_free(batch);
}

bool
store_batch_is_empty(const struct store_batch *batch)
{
	return batch->first == NULL;
}

void
store_batch_add(
    struct store_batch *batch, const struct message *message, int fd)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	size_t size = message_encode(message, packet);
	struct part *part;

	if (size == 0)
		fatal("store_client: a field of %d is too long",
		    (int)message->type);
	part = memory_new(1, sizeof(*part) + size);
	part->fd = fd == -1 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd != -1 && part->fd == -1)
		log_error("store-batch", "error=out-of-descriptors");
	part->size = size;
	memcpy(part->data, packet, size);
	*batch->end = part;
	batch->end = &part->next;
}

/* -- Sending -- */

static void
send_part(struct store_client *client, const struct part *part)
{
	struct message message;
	struct error error;

	if (message_decode(part->data, part->size, ROLE_WORKER, ROLE_SNAPD,
		&message, &error) == -1)
		fatal("store_client: own packet is malformed: %s", error.text);
	channel_send(client->channel, &message, &part->fd, part->fd != -1);
}

static void
send_batch(struct store_client *client, const struct store_batch *batch)
{
	struct message begin = { .type = MESSAGE_batch_begin };
	struct message commit = { .type = MESSAGE_batch_commit };

	begin.batch_begin.counter = batch->counter;
	begin.batch_begin.cause = batch->note.cause;
	begin.batch_begin.note_user = text_of(batch->note.user);
	begin.batch_begin.note_address = text_of(batch->note.address);
	channel_send(client->channel, &begin, NULL, 0);
	for (const struct part *p = batch->first; p != NULL; p = p->next)
		send_part(client, p);
	commit.batch_commit.counter = batch->counter;
	channel_send(client->channel, &commit, NULL, 0);
}

void
store_client_commit(struct store_client *client, struct store_batch **batch,
    store_committed *done, void *context)
{
	struct store_batch *b = *batch;

	*batch = NULL;
	if (!client->is_present) {
		store_batch_free(&b);
		done(STATUS_UNAVAILABLE, 0, no_text, context);
		return;
	}
	b->counter = ++client->counter;
	b->done = done;
	b->context = context;
	*client->batches_end = b;
	client->batches_end = &b->next;
	send_batch(client, b);
}

/* Instead of an answer. */
static void
tell_unavailable(const struct question *q)
{
	struct store_body none = { .fd = -1 };

	switch (q->kind) {
	case ANSWER_LISTING:
		q->done.listed(STATUS_UNAVAILABLE, 0, no_text, q->context);
		break;
	case ANSWER_BODY:
		q->done.read(STATUS_UNAVAILABLE, &no_text, &none, q->context);
		break;
	case ANSWER_BODIES:
		q->done.read_many(
		    STATUS_UNAVAILABLE, NULL, q->blob_count, q->context);
		break;
	}
}

static void
ask(struct store_client *client, struct question *q)
{
	if (!client->is_present) {
		tell_unavailable(q);
		free(q);
		return;
	}
	*client->questions_end = q;
	client->questions_end = &q->next;
	channel_send(client->channel, &q->message, NULL, 0);
}

static struct question *
question_new(struct store_client *client, enum message_type type,
    enum answer_kind kind, size_t blob_count, void *context)
{
	struct question *q =
	    memory_new(1, sizeof(*q) + blob_count * sizeof(uint64_t));

	q->tag = ++client->tag;
	q->message.type = type;
	q->kind = kind;
	q->blob_count = blob_count;
	q->context = context;
	return q;
}

static struct question *
listing_new(struct store_client *client, enum message_type type,
    store_listed *done, void *context)
{
	struct question *q =
	    question_new(client, type, ANSWER_LISTING, 0, context);

	q->done.listed = done;
	return q;
}

static struct question *
body_new(struct store_client *client, enum message_type type, store_read *done,
    void *context)
{
	struct question *q =
	    question_new(client, type, ANSWER_BODY, 0, context);

	q->done.read = done;
	return q;
}

void
store_list_mailboxes(struct store_client *client, uint64_t as_of,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_mailboxes, done, context);

	q->message.list_mailboxes.tag = q->tag;
	q->message.list_mailboxes.as_of = as_of;
	ask(client, q);
}

void
store_list_messages(struct store_client *client, uint64_t mailbox,
    uint64_t as_of, store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_messages, done, context);

	q->message.list_messages.tag = q->tag;
	q->message.list_messages.as_of = as_of;
	q->message.list_messages.mailbox = mailbox;
	ask(client, q);
}

void
store_list_changes(struct store_client *client, uint64_t since,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_changes, done, context);

	q->message.list_changes.tag = q->tag;
	q->message.list_changes.since = since;
	ask(client, q);
}

void
store_list_unfiled(
    struct store_client *client, store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_unfiled, done, context);

	q->message.list_unfiled.tag = q->tag;
	ask(client, q);
}

void
store_list_snapshots(
    struct store_client *client, store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_snapshots, done, context);

	q->message.list_snapshots.tag = q->tag;
	ask(client, q);
}

void
store_list_expunged(struct store_client *client, uint32_t after,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_expunged, done, context);

	q->message.list_expunged.tag = q->tag;
	q->message.list_expunged.after = after;
	ask(client, q);
}

void
store_list_vanished(
    struct store_client *client, store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_vanished, done, context);

	q->message.list_vanished.tag = q->tag;
	ask(client, q);
}

void
store_read_blob(
    struct store_client *client, uint64_t blob, store_read *done, void *context)
{
	struct question *q = body_new(client, MESSAGE_read_blob, done, context);

	q->message.read_blob.tag = q->tag;
	q->message.read_blob.blob = blob;
	ask(client, q);
}

void
store_read_blobs(struct store_client *client, const uint64_t *blobs,
    size_t count, store_read_many *done, void *context)
{
	struct question *q = question_new(
	    client, MESSAGE_read_blobs, ANSWER_BODIES, count, context);
	struct writer w;

	writer_init(&w, q->blobs, count * sizeof(blobs[0]));
	for (size_t i = 0; i < count; i++)
		writer_put_u64(&w, blobs[i]);
	q->message.read_blobs.tag = q->tag;
	q->message.read_blobs.blobs = text_make(q->blobs, w.size);
	q->done.read_many = done;
	ask(client, q);
}

void
store_read_unfiled(struct store_client *client,
    const struct delivery_id *delivery, store_read *done, void *context)
{
	struct question *q =
	    body_new(client, MESSAGE_read_unfiled, done, context);

	q->message.read_unfiled.tag = q->tag;
	q->message.read_unfiled.delivery = *delivery;
	ask(client, q);
}

void
store_client_caught_up(struct store_client *client, uint64_t tag,
    enum status status, uint64_t written, uint64_t failed, struct text missing)
{
	struct message message = { .type = MESSAGE_caught_up };
	struct error error;
	int fd = -1;

	if (client->channel == NULL)
		return;
	message.caught_up.size = missing.size;
	if (missing.size > INLINE_MAX) {
		fd = file_sealed_memory(
		    "missing", missing.data, missing.size, &error);
		missing = text_make(NULL, 0);
		if (fd == -1)
			status = STATUS_UNAVAILABLE;
	}
	message.caught_up.missing = missing;
	message.caught_up.tag = tag;
	message.caught_up.status = (uint8_t)status;
	message.caught_up.files_written = written;
	message.caught_up.files_failed = failed;
	channel_send(client->channel, &message, &fd, fd != -1);
	if (fd != -1)
		close(fd);
}

/* -- Answers -- */

static struct question *
take_question(struct store_client *client, uint64_t tag, enum answer_kind kind)
{
	struct question **at = &client->questions, *q;

	while ((q = *at) != NULL && q->tag != tag)
		at = &q->next;
	if (q == NULL || q->kind != kind)
		return NULL;
	*at = q->next;
	if (q->next == NULL)
		client->questions_end = at;
	return q;
}

/* The bytes of an answer: in the packet, or `size` bytes of `fd` read into
 * `buf`. */
static int
answer_bytes(struct text inline_data, uint64_t size, int fd, struct buf *buf,
    struct text *data)
{
	struct error error;

	if (fd == -1) {
		*data = inline_data;
		return size == inline_data.size ? 0 : -1;
	}
	buf_init(buf, STORE_MAX_LISTING);
	if (file_check_sealed(fd, &error) == -1 ||
	    lseek(fd, 0, SEEK_END) != (off_t)size ||
	    buf_reserve(buf, size + 1) == NULL ||
	    file_read_all(fd, buf, &error) == -1 || buf->size != size)
		return -1;
	*data = text_make(buf->data, buf->size);
	return 0;
}

static void
received_listing(
    struct store_client *client, const struct message_listing *m, int fd)
{
	struct question *q = take_question(client, m->tag, ANSWER_LISTING);
	enum status status = m->status;
	struct text data = no_text;
	struct buf buf;

	if (q == NULL)
		return;
	buf_init(&buf, 0);
	if (status == STATUS_OK &&
	    answer_bytes(m->data, m->size, fd, &buf, &data) == -1)
		status = STATUS_DAMAGED;
	q->done.listed(status, m->sequence, data, q->context);
	buf_clear(&buf);
	free(q);
}

int
store_body_take(struct store_body *body)
{
	struct error error;
	int fd = body->fd;

	body->fd = -1;
	if (fd == -1)
		fd = file_sealed_memory(
		    "body", body->data.data, body->data.size, &error);
	return fd;
}

static void
received_body(
    struct store_client *client, const struct message_body *m, int *from)
{
	struct question *q = take_question(client, m->tag, ANSWER_BODY);
	struct store_body body = { *from, m->data, m->size };
	enum status status = m->status;
	struct error error;

	if (q == NULL)
		return;
	*from = -1;
	if (status == STATUS_OK &&
	    (body.fd == -1 ? m->size != m->data.size
			   : file_check_sealed(body.fd, &error) == -1 ||
				 lseek(body.fd, 0, SEEK_END) != (off_t)m->size))
		status = STATUS_DAMAGED;
	q->done.read(status, &m->envelope, &body, q->context);
	if (body.fd != -1)
		close(body.fd);
	free(q);
}

/* The records of `index` and their bytes: exactly as many as were asked for. */
static int
cut_bodies(struct text index, struct text data, struct store_one_body *bodies,
    size_t count)
{
	struct body_record record;
	struct reader r;

	reader_init(&r, index.data, index.size);
	for (size_t i = 0; i < count; i++) {
		if (record_get_body(&r, &record) != 1 ||
		    record.size > data.size)
			return -1;
		bodies[i].status = record.status;
		bodies[i].data = text_make(data.data, record.size);
		data = text_skip(data, record.size);
	}
	return reader_done(&r) == 0 && data.size == 0 ? 0 : -1;
}

static void
received_bodies(
    struct store_client *client, const struct message_bodies *m, int fd)
{
	struct question *q = take_question(client, m->tag, ANSWER_BODIES);
	struct store_one_body bodies[BODIES_MAX];
	enum status status = m->status;
	struct text data = no_text;
	struct buf buf;

	if (q == NULL)
		return;
	buf_init(&buf, 0);
	if (status == STATUS_OK &&
	    (answer_bytes(m->data, m->size, fd, &buf, &data) == -1 ||
		cut_bodies(m->index, data, bodies, q->blob_count) == -1))
		status = STATUS_DAMAGED;
	q->done.read_many(status, status == STATUS_OK ? bodies : NULL,
	    q->blob_count, q->context);
	buf_clear(&buf);
	free(q);
}

static void
received_batch_done(
    struct store_client *client, const struct message_batch_done *m, int fd)
{
	struct store_batch *batch = client->batches;
	enum status status = m->status;
	struct text results = no_text;
	struct buf buf;

	if (batch == NULL || batch->counter != m->counter) {
		log_warning("store-answer", "error=unknown-counter");
		return;
	}
	client->batches = batch->next;
	if (client->batches == NULL)
		client->batches_end = &client->batches;
	if (status == STATUS_OK)
		client->committed = batch->counter;
	buf_init(&buf, 0);
	if (status == STATUS_OK &&
	    answer_bytes(m->results, m->size, fd, &buf, &results) == -1)
		status = STATUS_DAMAGED;
	batch->done(status, m->sequence, results, batch->context);
	buf_clear(&buf);
	store_batch_free(&batch);
}

/* All that was asked before and not answered, once more. */
static void
resume(struct store_client *client)
{
	for (struct store_batch *b = client->batches; b != NULL; b = b->next)
		send_batch(client, b);
	for (struct question *q = client->questions; q != NULL; q = q->next)
		channel_send(client->channel, &q->message, NULL, 0);
}

static void
received_state(
    struct store_client *client, const struct message_account_state *m)
{
	struct store_state state = { m->status, m->store, m->incarnation,
		m->sequence, m->counter };

	if (m->tag != client->hello_tag)
		return;
	if (state.status == STATUS_OK &&
	    !client->handler->trusts(&state, client->context))
		return;
	if (state.status == STATUS_OK) {
		client->committed = m->counter;
		timer_stop(client->patience);
		if (!client->has_counter || client->batches == NULL)
			client->counter = m->counter;
		client->has_counter = true;
		client->is_present = true;
		resume(client);
	}
	client->handler->greeted(&state, client->context);
}

static void
received_verdict(
    struct store_client *client, const struct message_witness_heard *m)
{
	void (*claimed)(enum status status, void *context) = client->claimed;

	if (m->tag != client->claim_tag || claimed == NULL)
		return;
	client->claimed = NULL;
	claimed(m->status, client->claim_context);
}

static void
received(struct channel *channel, const struct message *message, int *fds,
    void *context)
{
	struct store_client *client = context;

	switch ((int)message->type) {
	case MESSAGE_account_state:
		received_state(client, &message->account_state);
		break;
	case MESSAGE_listing:
		received_listing(client, &message->listing, fds[0]);
		break;
	case MESSAGE_body:
		received_body(client, &message->body, &fds[0]);
		break;
	case MESSAGE_bodies:
		received_bodies(client, &message->bodies, fds[0]);
		break;
	case MESSAGE_batch_done:
		received_batch_done(client, &message->batch_done, fds[0]);
		break;
	case MESSAGE_witness_heard:
		received_verdict(client, &message->witness_heard);
		break;
	case MESSAGE_catch_up:
		client->handler->catch_up(message->catch_up.tag,
		    message->catch_up.sequence,
		    (enum catch_up_files)message->catch_up.check_files,
		    client->context);
		break;
	default:
		break;
	}
}

/* Tells everybody who waits that no answer will come. */
static void
give_up(void *context)
{
	struct store_client *client = context;
	struct question *q = client->questions;
	struct store_batch *batch = client->batches;

	client->questions = NULL;
	client->questions_end = &client->questions;
	client->batches = NULL;
	client->batches_end = &client->batches;
	while (batch != NULL) {
		struct store_batch *next = batch->next;

		batch->done(STATUS_UNAVAILABLE, 0, no_text, batch->context);
		store_batch_free(&batch);
		batch = next;
	}
	while (q != NULL) {
		struct question *next = q->next;

		client->is_present = false;
		q->next = NULL;
		ask(client, q); /* answers at once */
		q = next;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct store_client *client = context;

	channel_free(&client->channel);
	client->is_present = false;
	log_warning("store-away", "error=\"%s\"", error->text);
	timer_start(client->patience, STORE_WAIT_MS);
	client->handler->away(client->context);
}

static const struct channel_handler channel_handler = { received, closed };

void
store_client_attach(struct store_client *client, int fd)
{
	channel_free(&client->channel);
	client->is_present = false;
	client->channel = channel_new(client->loop, fd, ROLE_WORKER, ROLE_SNAPD,
	    &channel_handler, client);
	channel_set_limit(client->channel, 64 * 1024 * 1024);
	store_client_greet(client);
}

void
store_client_greet(struct store_client *client)
{
	struct message hello = { .type = MESSAGE_worker_hello };

	if (client->channel == NULL)
		return;
	client->hello_tag = ++client->tag;
	hello.worker_hello.tag = client->hello_tag;
	channel_send(client->channel, &hello, NULL, 0);
}

void
store_client_claim(struct store_client *client, const struct store_state *known,
    void (*done)(enum status status, void *context), void *context)
{
	struct message m = { .type = MESSAGE_witness };

	if (client->channel == NULL)
		return;
	client->claim_tag = ++client->tag;
	client->claimed = done;
	client->claim_context = context;
	m.witness.tag = client->claim_tag;
	m.witness.store = known->store;
	m.witness.incarnation = known->incarnation;
	m.witness.sequence = known->sequence;
	m.witness.counter = known->counter;
	channel_send(client->channel, &m, NULL, 0);
}

uint64_t
store_client_counter(const struct store_client *client)
{
	return client->committed;
}

struct store_client *
store_client_new(struct event_loop *loop,
    const struct store_client_handler *handler, void *context)
{
	struct store_client *client = memory_new(1, sizeof(*client));

	client->loop = loop;
	client->handler = handler;
	client->context = context;
	client->patience = timer_new(loop, give_up, client);
	client->questions_end = &client->questions;
	client->batches_end = &client->batches;
	return client;
}

void
store_client_free(struct store_client **client)
{
	if (*client == NULL)
		return;
	(*client)->is_present = false;
	give_up(*client);
	channel_free(&(*client)->channel);
	timer_free(&(*client)->patience);
	memory_free(client);
}

bool
store_client_is_present(const struct store_client *client)
{
	return client->is_present;
}

bool
store_client_is_busy(const struct store_client *client)
{
	return client->batches != NULL || client->questions != NULL;
}
