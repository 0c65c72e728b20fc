/*
 * See store_client.h.  Questions (store_question.c) and batches (store_batch.c)
 * keep their packets until they are answered.  After a reconnect: hello first,
 * then all of them again in their old order.
 */
#include "imapd/store_client.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "imapd/store_client_state.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	INLINE_MAX = 60000 /* bytes of caught_up's list in the packet */
};

static const struct text no_text;

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

static void
received_batch_done(
    struct store_client *client, const struct message_batch_done *m, int fd)
{
	struct store_batch *batch = client->batches;
	enum status status = m->status;
	struct text results = no_text;
	struct buf buf;

	if (batch == NULL || batch == client->held ||
	    batch->counter != m->counter) {
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
	    store_answer_bytes(m->results, m->size, fd, &buf, &results) == -1)
		status = STATUS_DAMAGED;
	batch->done(status, m->sequence, results, batch->context);
	buf_clear(&buf);
	store_batch_free(&batch);
	if (client->has_unsent && client->is_present)
		store_question_send_all(client);
}

/* All that was asked before and not answered, once more. */
static void
resume(struct store_client *client)
{
	store_batch_send_from(client, client->batches);
	for (struct question *q = client->questions; q != NULL; q = q->next)
		q->is_sent = false;
	store_question_send_all(client);
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
		store_question_listing(client, &message->listing, fds[0]);
		break;
	case MESSAGE_body:
		store_question_body(client, &message->body, &fds[0]);
		break;
	case MESSAGE_bodies:
		store_question_bodies(client, &message->bodies, fds[0]);
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
	client->held = NULL;
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
		store_question_ask(client, q); /* answers at once */
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

bool
store_client_is_full(const struct store_client *client)
{
	return client->channel != NULL &&
	       channel_waiting_bytes(client->channel) > 0;
}
