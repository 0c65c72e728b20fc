/* What the false store answers to questions: listings and bodies. */
#include "common/file.h"
#include "common/status.h"
#include "tests/unit/false_store_parts.h"

#include <string.h>
#include <unistd.h>

static struct mailbox_record *
full_record(struct false_store *s, struct mailbox *m)
{
	m->record.name = text_of(m->name);
	m->record.message_count = false_store_live(s, m->record.id);
	for (size_t i = 0; i < m->record.keyword_count; i++)
		m->record.keywords[i] = text_of(m->keywords[i]);
	return &m->record;
}

static void
put_change(struct false_store *s, const struct change_record *change)
{
	static uint8_t bytes[RECORD_CHANGE_MAX];
	struct writer w;

	writer_init(&w, bytes, sizeof(bytes));
	record_put_change(&w, change);
	buf_put(&s->scratch, bytes, w.size);
}

static void
put_mailbox(struct false_store *s, struct mailbox *m)
{
	static struct change_record change;

	memset(&change, 0, sizeof(change));
	change.sequence = m->changed;
	change.kind = CHANGE_MAILBOX;
	change.mailbox = *full_record(s, m);
	put_change(s, &change);
}

static void
put_subscribed(struct false_store *s, size_t i)
{
	static struct change_record change;

	memset(&change, 0, sizeof(change));
	change.kind = CHANGE_SUBSCRIBE;
	change.name = text_of(s->subscribed[i]);
	change.is_subscribed = s->is_subscribed[i];
	put_change(s, &change);
}

static void
list_mailboxes(struct false_store *s)
{
	for (size_t i = 0; i < s->mailbox_count; i++)
		if (!s->mailboxes[i].record.is_retired)
			put_mailbox(s, &s->mailboxes[i]);
	for (size_t i = 0; i < s->subscribed_count; i++)
		put_subscribed(s, i);
}

static void
list_changes(struct false_store *s, uint64_t since)
{
	static struct change_record change;

	for (size_t i = 0; i < s->mailbox_count; i++)
		if (s->mailboxes[i].changed > since)
			put_mailbox(s, &s->mailboxes[i]);
	for (size_t i = 0; i < s->subscribed_count; i++)
		if (s->subscribed_at[i] > since)
			put_subscribed(s, i);
	for (size_t i = 0; i < s->row_count; i++) {
		struct row *row = &s->rows[i];

		memset(&change, 0, sizeof(change));
		change.message = row->record;
		change.message.base = text_of(row->base);
		change.kind = CHANGE_MESSAGE;
		if (row->died == 0 && row->record.born > since)
			put_change(s, &change);
		change.kind = CHANGE_EXPUNGE;
		change.message.modseq = row->died_modseq;
		if (row->died > since)
			put_change(s, &change);
	}
}

static void
list_vanished(struct false_store *s)
{
	uint8_t bytes[RECORD_VANISHED_SIZE];

	for (size_t i = 0; i < s->row_count; i++) {
		const struct row *row = &s->rows[i];
		struct vanished_record record = { row->record.mailbox,
			row->died_modseq, row->record.uid, row->record.uid };
		struct writer w;

		if (row->died == 0)
			continue;
		writer_init(&w, bytes, sizeof(bytes));
		record_put_vanished(&w, &record);
		buf_put(&s->scratch, bytes, w.size);
	}
}

/* The second of its sequence. */
static void
list_saved(struct false_store *s, uint64_t since)
{
	uint8_t bytes[RECORD_SAVED_SIZE];

	for (size_t i = 0; i < s->row_count; i++) {
		const struct row *row = &s->rows[i];
		struct saved_record record = { row->record.mailbox,
			1500000000 + (int64_t)row->came, row->record.uid,
			row->record.uid };
		struct writer w;

		if (row->came <= since)
			continue;
		writer_init(&w, bytes, sizeof(bytes));
		record_put_saved(&w, &record);
		buf_put(&s->scratch, bytes, w.size);
	}
}

static void
list_messages(struct false_store *s, uint64_t mailbox)
{
	for (size_t i = 0; i < s->row_count; i++) {
		uint8_t bytes[RECORD_MESSAGE_MAX];
		struct row *row = &s->rows[i];
		struct writer w;

		if (row->died != 0 || row->record.mailbox != mailbox)
			continue;
		row->record.base = text_of(row->base);
		writer_init(&w, bytes, sizeof(bytes));
		record_put_message(&w, &row->record);
		buf_put(&s->scratch, bytes, w.size);
	}
}

static void
list_unfiled(struct false_store *s)
{
	for (size_t i = 0; i < s->unfiled_count; i++) {
		uint8_t bytes[2000];
		struct writer w;

		if (s->unfiled[i].is_filed)
			continue;
		s->unfiled[i].record.address = text_of(s->unfiled[i].address);
		writer_init(&w, bytes, sizeof(bytes));
		record_put_unfiled(&w, &s->unfiled[i].record);
		buf_put(&s->scratch, bytes, w.size);
	}
}

static void
answer_listing(struct false_store *s, uint64_t tag)
{
	struct message m = { .type = MESSAGE_listing };
	struct error error;
	int fd = -1;

	m.listing.tag = tag;
	m.listing.sequence = s->sequence;
	m.listing.size = s->scratch.size;
	if (s->scratch.size <= 60000)
		m.listing.data = text_make(s->scratch.data, s->scratch.size);
	else
		fd = file_sealed_memory(
		    "listing", s->scratch.data, s->scratch.size, &error);
	channel_send(s->channel, &m, &fd, fd != -1);
	if (fd != -1)
		close(fd);
	buf_reset(&s->scratch);
}

static void
answer_body(struct false_store *s, uint64_t tag, uint64_t blob,
    const struct unfiled_record *unfiled)
{
	struct message m = { .type = MESSAGE_body };
	struct error error;
	uint8_t bytes[2000];
	struct writer w;
	int fd = -1;

	m.body.tag = tag;
	writer_init(&w, bytes, sizeof(bytes));
	if (unfiled != NULL)
		record_put_unfiled(&w, unfiled);
	m.body.envelope = text_make(bytes, w.size);
	if (blob == 0 || blob > s->blob_count) {
		m.body.status = STATUS_MISSING;
	} else {
		const struct blob *b = &s->blobs[blob - 1];

		m.body.size = b->size;
		if (b->size <= 16384)
			m.body.data = text_make(b->data, b->size);
		else
			fd = file_sealed_memory(
			    "body", b->data, b->size, &error);
	}
	channel_send(s->channel, &m, &fd, fd != -1);
	if (fd != -1)
		close(fd);
}

static void
answer_bodies(struct false_store *s, uint64_t tag, struct text blobs)
{
	struct message m = { .type = MESSAGE_bodies };
	uint8_t index[BODIES_MAX * RECORD_BODY_SIZE];
	struct error error;
	struct reader r;
	struct writer w;
	int fd = -1;

	reader_init(&r, blobs.data, blobs.size);
	writer_init(&w, index, sizeof(index));
	while (r.size > 0) {
		uint64_t blob = reader_get_u64(&r);
		struct body_record record = { .status = STATUS_MISSING };

		if (blob > 0 && blob <= s->blob_count) {
			const struct blob *b = &s->blobs[blob - 1];

			record.status = STATUS_OK;
			record.size = b->size;
			buf_put(&s->scratch, b->data, b->size);
		}
		record_put_body(&w, &record);
	}
	m.bodies.tag = tag;
	m.bodies.index = text_make(index, w.size);
	m.bodies.size = s->scratch.size;
	if (s->scratch.size <= 60000)
		m.bodies.data = text_make(s->scratch.data, s->scratch.size);
	else
		fd = file_sealed_memory(
		    "bodies", s->scratch.data, s->scratch.size, &error);
	channel_send(s->channel, &m, &fd, fd != -1);
	if (fd != -1)
		close(fd);
	buf_reset(&s->scratch);
}

static void
read_unfiled(struct false_store *s, const struct message_read_unfiled *q)
{
	for (size_t i = 0; i < s->unfiled_count; i++)
		if (!s->unfiled[i].is_filed &&
		    memcmp(&s->unfiled[i].record.delivery, &q->delivery,
			sizeof(q->delivery)) == 0) {
			s->unfiled[i].record.address =
			    text_of(s->unfiled[i].address);
			answer_body(s, q->tag, s->unfiled[i].record.blob,
			    &s->unfiled[i].record);
			return;
		}
	answer_body(s, q->tag, 0, NULL);
}

bool
answer_question(struct false_store *s, const struct message *m)
{
	switch ((int)m->type) {
	case MESSAGE_list_mailboxes:
		list_mailboxes(s);
		answer_listing(s, m->list_mailboxes.tag);
		return true;
	case MESSAGE_list_messages:
		list_messages(s, m->list_messages.mailbox);
		answer_listing(s, m->list_messages.tag);
		return true;
	case MESSAGE_list_changes:
		list_changes(s, m->list_changes.since);
		answer_listing(s, m->list_changes.tag);
		return true;
	case MESSAGE_list_vanished:
		list_vanished(s);
		answer_listing(s, m->list_vanished.tag);
		return true;
	case MESSAGE_list_saved:
		list_saved(s, m->list_saved.since);
		answer_listing(s, m->list_saved.tag);
		return true;
	case MESSAGE_list_unfiled:
		list_unfiled(s);
		answer_listing(s, m->list_unfiled.tag);
		return true;
	case MESSAGE_read_blob:
		answer_body(s, m->read_blob.tag, m->read_blob.blob, NULL);
		return true;
	case MESSAGE_read_blobs:
		answer_bodies(s, m->read_blobs.tag, m->read_blobs.blobs);
		return true;
	case MESSAGE_read_unfiled:
		read_unfiled(s, &m->read_unfiled);
		return true;
	default:
		return false;
	}
}
