/*
 * Batches of changes: put together packet by packet, kept until the store has
 * answered, since they are sent again after a reconnect.
 */
#include "imapd/store_client_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct part {
	struct part *next;
	int fd;
	size_t size;
	uint8_t data[];
};

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
	part->fd = fd;
	part->size = size;
	memcpy(part->data, packet, size);
	*batch->end = part;
	batch->end = &part->next;
}

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

void
store_batch_send(struct store_client *client, const struct store_batch *batch)
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
store_batch_send_from(struct store_client *client, struct store_batch *batch)
{
	client->held = NULL;
	for (; batch != NULL; batch = batch->next)
		store_batch_send(client, batch);
}

void
store_client_commit(struct store_client *client, struct store_batch **batch,
    store_committed *done, void *context)
{
	struct store_batch *b = *batch;
	const struct text none = { 0 };

	*batch = NULL;
	if (!client->is_present) {
		store_batch_free(&b);
		done(STATUS_UNAVAILABLE, 0, none, context);
		return;
	}
	b->counter = ++client->counter;
	b->done = done;
	b->context = context;
	*client->batches_end = b;
	client->batches_end = &b->next;
	if (client->held == NULL && store_question_is_about_changes(client))
		client->held = b;
	if (client->held == NULL)
		store_batch_send(client, b);
}
