/*
 * Listings and bodies that were asked for.  A question waits with its packet
 * until it is answered, since it is asked again after a reconnect.
 */
#include "imapd/store_client_state.h"

#include "common/codec.h"
#include "common/file.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct text no_text;

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

bool
store_question_is_about_changes(const struct store_client *client)
{
	const struct question *q = client->questions;

	while (q != NULL && q->message.type != MESSAGE_list_changes)
		q = q->next;
	return q != NULL;
}

static void
send_question(struct store_client *client, struct question *q)
{
	bool is_quiet = client->batches == client->held;

	q->is_sent = is_quiet || q->message.type != MESSAGE_list_changes;
	client->has_unsent |= !q->is_sent;
	if (q->is_sent)
		channel_send(client->channel, &q->message, NULL, 0);
}

void
store_question_send_all(struct store_client *client)
{
	client->has_unsent = false;
	for (struct question *q = client->questions; q != NULL; q = q->next)
		if (!q->is_sent)
			send_question(client, q);
}

void
store_question_ask(struct store_client *client, struct question *q)
{
	if (!client->is_present) {
		tell_unavailable(q);
		free(q);
		return;
	}
	*client->questions_end = q;
	client->questions_end = &q->next;
	send_question(client, q);
}

static struct question *
question_new(struct store_client *client, enum message_type type,
    enum answer_kind kind, size_t blob_count, void *context)
{
	struct question *q =
	    memory_new(1, sizeof(*q) + blob_count * sizeof(uint64_t));

	q->tag = ++client->tag;
	q->message.type = type;
	/* It is the first field of all of them. */
	q->message.list_unfiled.tag = q->tag;
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

	q->message.list_mailboxes.as_of = as_of;
	store_question_ask(client, q);
}

void
store_list_messages(struct store_client *client, uint64_t mailbox,
    uint64_t as_of, store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_messages, done, context);

	q->message.list_messages.as_of = as_of;
	q->message.list_messages.mailbox = mailbox;
	store_question_ask(client, q);
}

void
store_list_changes(struct store_client *client, uint64_t since,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_changes, done, context);

	q->message.list_changes.since = since;
	store_question_ask(client, q);
}

void
store_list_unfiled(
    struct store_client *client, store_listed *done, void *context)
{
	store_question_ask(
	    client, listing_new(client, MESSAGE_list_unfiled, done, context));
}

void
store_list_snapshots(
    struct store_client *client, store_listed *done, void *context)
{
	store_question_ask(
	    client, listing_new(client, MESSAGE_list_snapshots, done, context));
}

void
store_list_expunged(struct store_client *client, uint32_t after,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_expunged, done, context);

	q->message.list_expunged.after = after;
	store_question_ask(client, q);
}

void
store_list_vanished(
    struct store_client *client, store_listed *done, void *context)
{
	store_question_ask(
	    client, listing_new(client, MESSAGE_list_vanished, done, context));
}

void
store_list_saved(struct store_client *client, uint64_t since,
    store_listed *done, void *context)
{
	struct question *q =
	    listing_new(client, MESSAGE_list_saved, done, context);

	q->message.list_saved.tag = q->tag;
	q->message.list_saved.since = since;
	store_question_ask(client, q);
}

void
store_read_blob(
    struct store_client *client, uint64_t blob, store_read *done, void *context)
{
	struct question *q = body_new(client, MESSAGE_read_blob, done, context);

	q->message.read_blob.blob = blob;
	store_question_ask(client, q);
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
	q->message.read_blobs.blobs = text_make(q->blobs, w.size);
	q->done.read_many = done;
	store_question_ask(client, q);
}

void
store_read_unfiled(struct store_client *client,
    const struct delivery_id *delivery, store_read *done, void *context)
{
	struct question *q =
	    body_new(client, MESSAGE_read_unfiled, done, context);

	q->message.read_unfiled.delivery = *delivery;
	store_question_ask(client, q);
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

int
store_answer_bytes(struct text inline_data, uint64_t size, int fd,
    struct buf *buf, struct text *data)
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

void
store_question_listing(
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
	    store_answer_bytes(m->data, m->size, fd, &buf, &data) == -1)
		status = STATUS_DAMAGED;
	q->done.listed(status, m->sequence, data, q->context);
	buf_clear(&buf);
	free(q);
	if (client->held != NULL && !store_question_is_about_changes(client))
		store_batch_send_from(client, client->held);
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

void
store_question_body(
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

void
store_question_bodies(
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
	    (store_answer_bytes(m->data, m->size, fd, &buf, &data) == -1 ||
		cut_bodies(m->index, data, bodies, q->blob_count) == -1))
		status = STATUS_DAMAGED;
	q->done.read_many(status, status == STATUS_OK ? bodies : NULL,
	    q->blob_count, q->context);
	buf_clear(&buf);
	free(q);
}
