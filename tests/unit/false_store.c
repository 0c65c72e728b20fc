/* See false_store.h.  Small and slow: every lookup walks the rows. */
#include "tests/unit/false_store.h"

#include "common/file.h"
#include "common/memory.h"
#include "common/record.h"
#include "common/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAX_PARTS = 20000
};

struct row {
	struct message_record record;
	char base[RECORD_MAX_BASE_SIZE + 1];
	uint64_t died; /* 0: live */
	uint64_t died_modseq;
	struct delivery_id delivery;
	uint64_t came; /* born there first */
};

struct mailbox {
	struct mailbox_record record;
	uint64_t changed;
	char name[RECORD_MAX_NAME_SIZE + 1];
	char keywords[RECORD_MAX_KEYWORDS][RECORD_MAX_KEYWORD_SIZE + 1];
};

struct blob {
	uint8_t *data;
	size_t size;
};

struct unfiled {
	struct unfiled_record record;
	char address[200];
	bool is_filed;
};

struct answer {
	uint64_t counter;
	uint64_t sequence;
	struct buf results;
};

struct part {
	uint8_t *packet;
	size_t size;
	struct blob body;
};

struct false_store {
	struct event_loop *loop;
	struct channel *channel;
	bool lose;
	bool is_claimed;
	struct message caught_up;
	size_t missing_then; /* when it said so */
	uint64_t incarnation;
	uint64_t incarnations; /* that there ever were */
	uint64_t sequence;
	uint64_t counter;
	uint64_t batches;
	size_t marked;
	uint32_t uidvalidity;
	struct row *rows;
	size_t row_count;
	struct mailbox *mailboxes;
	size_t mailbox_count;
	struct blob *blobs;
	size_t blob_count;
	struct unfiled *unfiled;
	size_t unfiled_count;
	struct answer *answers;
	size_t answer_count;
	struct part *parts;
	size_t part_count;
	char subscribed[64][64];
	bool is_subscribed[64];
	uint64_t subscribed_at[64];
	size_t subscribed_count;
	struct buf scratch;
	struct delivery_id refused;
};

static struct mailbox *
find_mailbox(struct false_store *s, uint64_t id)
{
	for (size_t i = 0; i < s->mailbox_count; i++)
		if (s->mailboxes[i].record.id == id)
			return &s->mailboxes[i];
	return NULL;
}

static struct row *
find_row(struct false_store *s, uint64_t mailbox, uint32_t uid)
{
	for (size_t i = s->row_count; i > 0; i--)
		if (s->rows[i - 1].record.mailbox == mailbox &&
		    s->rows[i - 1].record.uid == uid &&
		    s->rows[i - 1].died == 0)
			return &s->rows[i - 1];
	return NULL;
}

static uint64_t
add_mailbox(struct false_store *s, struct text name)
{
	struct mailbox *m;

	s->mailboxes = memory_resize(
	    s->mailboxes, s->mailbox_count + 1, sizeof(struct mailbox));
	m = &s->mailboxes[s->mailbox_count++];
	memset(m, 0, sizeof(*m));
	text_copy(name, m->name, sizeof(m->name));
	m->record.id = s->mailbox_count;
	m->record.uidvalidity = ++s->uidvalidity;
	m->record.uidnext = 1;
	m->changed = s->sequence;
	return m->record.id;
}

static struct mailbox_record *
full_record(struct false_store *s, struct mailbox *m)
{
	m->record.name = text_of(m->name);
	m->record.message_count = false_store_live(s, m->record.id);
	for (size_t i = 0; i < m->record.keyword_count; i++)
		m->record.keywords[i] = text_of(m->keywords[i]);
	return &m->record;
}

static uint64_t
add_blob(struct false_store *s, const void *data, size_t size)
{
	s->blobs =
	    memory_resize(s->blobs, s->blob_count + 1, sizeof(struct blob));
	s->blobs[s->blob_count].data = memory_copy(data, size);
	s->blobs[s->blob_count].size = size;
	return ++s->blob_count;
}

/* -- Applying a batch -- */

static void
put_result(struct false_store *s, struct writer *w, const struct row *row,
    uint64_t mailbox, uint64_t modseq)
{
	struct result_record result = { .mailbox = mailbox, .modseq = modseq };

	if (row != NULL) {
		result.uid = row->record.uid;
		result.born = row->record.born;
		result.blob = row->record.blob;
		result.size = row->record.size;
		result.hash = row->record.hash;
	}
	record_put_result(w, &result);
}

static struct row *
add_row(struct false_store *s, struct mailbox *m,
    const struct delivery_id *delivery, uint32_t uid, uint64_t blob)
{
	struct row *row;

	s->rows = memory_resize(s->rows, s->row_count + 1, sizeof(struct row));
	row = &s->rows[s->row_count++];
	memset(row, 0, sizeof(*row));
	row->delivery = *delivery;
	row->record.mailbox = m->record.id;
	row->record.uid = uid >= m->record.uidnext ? uid : m->record.uidnext;
	m->record.uidnext = row->record.uid + 1;
	row->record.modseq = m->record.highest_modseq;
	row->record.born = row->came = s->sequence;
	row->record.blob = blob;
	memcpy(row->record.hash.bytes, &blob, sizeof(blob));
	text_format_hex(delivery->bytes, sizeof(delivery->bytes), row->base);
	return row;
}

static struct row *
find_delivery(struct false_store *s, const struct delivery_id *delivery)
{
	for (size_t i = 0; i < s->row_count; i++)
		if (memcmp(&s->rows[i].delivery, delivery, sizeof(*delivery)) ==
		    0)
			return &s->rows[i];
	return NULL;
}

static void
do_file(struct false_store *s, const struct message_change_file *c,
    struct writer *w)
{
	struct row *row = find_delivery(s, &c->delivery);

	for (size_t i = 0; row == NULL && i < s->unfiled_count; i++) {
		struct unfiled *u = &s->unfiled[i];
		struct mailbox *m = find_mailbox(s, c->mailbox);

		if (memcmp(&u->record.delivery, &c->delivery,
			sizeof(c->delivery)) != 0)
			continue;
		m->record.highest_modseq++;
		row = add_row(s, m, &c->delivery, 0, u->record.blob);
		row->record.internaldate = u->record.time;
		row->record.size = u->record.size;
		row->record.stored_size = u->record.stored_size;
		u->is_filed = true;
	}
	if (row != NULL)
		put_result(s, w, row, row->record.mailbox, row->record.modseq);
}

static void
do_append(struct false_store *s, const struct message_change_append *c,
    const struct blob *body, struct writer *w)
{
	struct row *row = find_delivery(s, &c->delivery);
	struct mailbox *m = find_mailbox(s, c->mailbox);

	if (row == NULL) {
		size_t lines = 0;

		m->record.highest_modseq++;
		row = add_row(s, m, &c->delivery, c->uid,
		    add_blob(s, body->data, body->size));
		for (size_t i = 0; i < body->size; i++)
			lines += body->data[i] == '\n';
		row->record.internaldate = c->internaldate;
		row->record.flags = c->flags;
		row->record.keywords = c->keywords;
		row->record.form = c->form;
		row->record.stored_size = body->size;
		row->record.size =
		    body->size + (c->form == FORM_LF ? lines : 0);
		if (c->base.size > 0)
			text_copy(c->base, row->base, sizeof(row->base));
	}
	put_result(s, w, row, row->record.mailbox, row->record.modseq);
}

static void
kill_row(struct false_store *s, struct row *row, uint64_t modseq)
{
	row->died = s->sequence;
	row->died_modseq = modseq;
}

static void
do_flags(struct false_store *s, const struct message_change_flags *c,
    struct writer *w)
{
	struct mailbox *m = find_mailbox(s, c->mailbox);
	uint64_t modseq = ++m->record.highest_modseq;
	struct flag_record flag;
	struct reader r;

	reader_init(&r, c->records.data, c->records.size);
	while (record_get_flags(&r, &flag) == 1) {
		struct row *row = find_row(s, c->mailbox, flag.uid);

		if (row == NULL)
			continue;
		row->record.flags =
		    flag.flags | (row->record.flags & RECORD_MISSING);
		row->record.keywords = flag.keywords;
		row->record.modseq = modseq;
		row->record.born = s->sequence;
	}
	put_result(s, w, NULL, c->mailbox, modseq);
}

static void
do_copy(struct false_store *s, const struct message_change_copy *c,
    struct writer *w)
{
	struct mailbox *source = find_mailbox(s, c->source);
	struct mailbox *target = find_mailbox(s, c->target);
	struct copy_record copy;
	struct reader r;

	reader_init(&r, c->records.data, c->records.size);
	while (record_get_copy(&r, &copy) == 1) {
		struct row *old = find_row(s, c->source, copy.uid), *row;
		struct message_record from;

		if (old == NULL)
			continue;
		from = old->record;
		target->record.highest_modseq++;
		row = add_row(s, target, &copy.delivery, 0, from.blob);
		row->record.internaldate = from.internaldate;
		row->record.size = from.size;
		row->record.stored_size = from.stored_size;
		row->record.form = from.form;
		row->record.flags = from.flags & FLAG_ALL;
		row->record.keywords = copy.keywords;
		put_result(s, w, row, c->target, row->record.modseq);
		if (c->is_move)
			kill_row(s, find_row(s, c->source, copy.uid),
			    source->record.highest_modseq + 1);
	}
	if (c->is_move)
		put_result(
		    s, w, NULL, c->source, ++source->record.highest_modseq);
}

static void
do_uids(struct false_store *s, uint64_t mailbox, struct text uids,
    bool is_expunge, bool is_missing, struct writer *w)
{
	struct mailbox *m = find_mailbox(s, mailbox);
	uint64_t modseq =
	    is_expunge ? ++m->record.highest_modseq : m->record.highest_modseq;
	struct reader r;

	reader_init(&r, uids.data, uids.size);
	while (r.size > 0) {
		struct row *row = find_row(s, mailbox, reader_get_u32(&r));

		if (row == NULL)
			continue;
		if (is_expunge)
			kill_row(s, row, modseq);
		else if (is_missing)
			row->record.flags |= RECORD_MISSING, s->marked++;
		else
			row->record.flags &= ~(uint32_t)RECORD_MISSING;
	}
	put_result(s, w, NULL, mailbox, modseq);
}

static void
do_subscribe(struct false_store *s, const struct message_change_subscribe *c)
{
	size_t i = 0;

	while (i < s->subscribed_count && !text_is(c->name, s->subscribed[i]))
		i++;
	if (i == s->subscribed_count)
		s->subscribed_count++;
	text_copy(c->name, s->subscribed[i], 64);
	s->is_subscribed[i] = c->is_subscribed;
	s->subscribed_at[i] = s->sequence;
}

static void
do_mailbox(struct false_store *s, const struct message *c, struct writer *w)
{
	struct mailbox *m = NULL;

	switch ((int)c->type) {
	case MESSAGE_change_create: {
		struct result_record result = { 0 };

		result.mailbox = add_mailbox(s, c->change_create.name);
		m = find_mailbox(s, result.mailbox);
		m->record.special_use = c->change_create.special_use;
		result.uid = m->record.uidvalidity;
		record_put_result(w, &result);
		return;
	}
	case MESSAGE_change_rename:
		m = find_mailbox(s, c->change_rename.mailbox);
		text_copy(c->change_rename.name, m->name, sizeof(m->name));
		break;
	case MESSAGE_change_retire:
		m = find_mailbox(s, c->change_retire.mailbox);
		m->record.is_retired = 1;
		break;
	case MESSAGE_change_keyword:
		m = find_mailbox(s, c->change_keyword.mailbox);
		text_copy(c->change_keyword.name,
		    m->keywords[c->change_keyword.number],
		    RECORD_MAX_KEYWORD_SIZE + 1);
		m->record.keyword_count =
		    (uint8_t)(c->change_keyword.number + 1);
		break;
	default:
		m = find_mailbox(s, c->change_identity.mailbox);
		m->record.uidvalidity = c->change_identity.uidvalidity;
		if (c->change_identity.uidnext > m->record.uidnext)
			m->record.uidnext = c->change_identity.uidnext;
		break;
	}
	m->changed = s->sequence;
	put_result(s, w, NULL, m->record.id, ++m->record.highest_modseq);
}

static void
do_part(struct false_store *s, struct part *part, struct writer *w)
{
	struct message c;
	struct error error;

	if (message_decode(part->packet, part->size, ROLE_WORKER, ROLE_SNAPD,
		&c, &error) == -1)
		abort();
	switch ((int)c.type) {
	case MESSAGE_change_file:
		do_file(s, &c.change_file, w);
		break;
	case MESSAGE_change_append:
		do_append(s, &c.change_append, &part->body, w);
		break;
	case MESSAGE_change_flags:
		do_flags(s, &c.change_flags, w);
		break;
	case MESSAGE_change_copy:
		do_copy(s, &c.change_copy, w);
		break;
	case MESSAGE_change_expunge:
		do_uids(s, c.change_expunge.mailbox, c.change_expunge.uids,
		    true, false, w);
		break;
	case MESSAGE_change_missing:
		do_uids(s, c.change_missing.mailbox, c.change_missing.uids,
		    false, c.change_missing.is_missing, w);
		break;
	case MESSAGE_change_subscribe:
		do_subscribe(s, &c.change_subscribe);
		break;
	default:
		do_mailbox(s, &c, w);
		break;
	}
}

static void
clear_parts(struct false_store *s)
{
	for (size_t i = 0; i < s->part_count; i++) {
		free(s->parts[i].packet);
		free(s->parts[i].body.data);
	}
	s->part_count = 0;
}

static bool
is_refused(const struct false_store *s)
{
	struct message m;
	struct error error;

	for (size_t i = 0; i < s->part_count; i++) {
		if (message_decode(s->parts[i].packet, s->parts[i].size,
			ROLE_WORKER, ROLE_SNAPD, &m, &error) == -1)
			abort();
		if (m.type == MESSAGE_change_file &&
		    memcmp(&m.change_file.delivery, &s->refused,
			sizeof(s->refused)) == 0)
			return true;
	}
	return false;
}

static void
refuse(struct false_store *s, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_done };

	clear_parts(s);
	m.batch_done.counter = counter;
	m.batch_done.status = STATUS_MISSING;
	channel_send(s->channel, &m, NULL, 0);
}

static void
commit(struct false_store *s, uint64_t counter)
{
	struct message m = { .type = MESSAGE_batch_done };
	static uint8_t bytes[RECORD_RESULT_SIZE * 8000];
	struct answer *answer = NULL;
	struct error error;
	int fd = -1;

	for (size_t i = 0; i < s->answer_count; i++)
		if (s->answers[i].counter == counter)
			answer = &s->answers[i];
	if (answer == NULL) {
		struct writer w;

		writer_init(&w, bytes, sizeof(bytes));
		s->sequence++;
		s->batches++;
		for (size_t i = 0; i < s->part_count; i++)
			do_part(s, &s->parts[i], &w);
		s->answers = memory_resize(
		    s->answers, s->answer_count + 1, sizeof(struct answer));
		answer = &s->answers[s->answer_count++];
		answer->counter = s->counter = counter;
		answer->sequence = s->sequence;
		buf_init(&answer->results, sizeof(bytes));
		buf_put(&answer->results, bytes, w.size);
	}
	clear_parts(s);
	if (s->lose)
		return;
	m.batch_done.counter = counter;
	m.batch_done.sequence = answer->sequence;
	m.batch_done.size = answer->results.size;
	if (answer->results.size <= 60000)
		m.batch_done.results =
		    text_make(answer->results.data, answer->results.size);
	else
		fd = file_sealed_memory("results", answer->results.data,
		    answer->results.size, &error);
	channel_send(s->channel, &m, &fd, fd != -1);
	if (fd != -1)
		close(fd);
}

/* -- Listings -- */

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

static void
keep_part(struct false_store *s, const struct message *message, int fd)
{
	static uint8_t packet[MESSAGE_MAX_SIZE];
	struct part *part;

	if (s->part_count == MAX_PARTS)
		abort();
	part = &s->parts[s->part_count++];
	memset(part, 0, sizeof(*part));
	part->size = message_encode(message, packet);
	part->packet = memory_copy(packet, part->size);
	if (message->type != MESSAGE_change_append)
		return;
	part->body.size = message->change_append.size;
	part->body.data = memory_new(part->body.size + 1, 1);
	if (fd == -1)
		memcpy(part->body.data, message->change_append.data.data,
		    part->body.size);
	else if (pread(fd, part->body.data, part->body.size, 0) !=
		 (ssize_t)part->body.size)
		abort();
}

static void
forget(struct false_store *s)
{
	for (size_t i = 0; i < s->blob_count; i++)
		free(s->blobs[i].data);
	for (size_t i = 0; i < s->answer_count; i++)
		buf_clear(&s->answers[i].results);
	s->blob_count = s->answer_count = s->row_count = 0;
	s->mailbox_count = s->unfiled_count = s->subscribed_count = 0;
}

static void
begin(struct false_store *s)
{
	s->incarnation = 1;
	s->sequence = 1;
	s->counter = 0;
	s->uidvalidity = 1000;
	add_mailbox(s, TEXT("INBOX"));
}

static void
leap(struct mailbox_record *mailbox)
{
	mailbox->uidnext += 1 << 20;
	mailbox->highest_modseq += RECORD_MODSEQ_LEAP;
}

static void
hear_witness(struct false_store *s, const struct message_witness *m)
{
	struct message answer = { .type = MESSAGE_witness_heard };

	answer.witness_heard.tag = m->tag;
	answer.witness_heard.status = s->is_claimed ? STATUS_LIMIT : STATUS_OK;
	if (!s->is_claimed) {
		/* One that no store had before. */
		s->incarnation = ++s->incarnations + 1;
		for (size_t i = 0; i < s->mailbox_count; i++)
			leap(&s->mailboxes[i].record);
	}
	s->is_claimed = true;
	channel_send(s->channel, &answer, NULL, 0);
}

static void
received(
    struct channel *channel, const struct message *m, int *fds, void *context)
{
	struct false_store *s = context;
	struct message state = { .type = MESSAGE_account_state };

	switch ((int)m->type) {
	case MESSAGE_worker_hello:
		state.account_state.tag = m->worker_hello.tag;
		memset(state.account_state.store.bytes, 7, 16);
		state.account_state.incarnation = s->incarnation;
		state.account_state.sequence = s->sequence;
		state.account_state.counter = s->counter;
		channel_send(channel, &state, NULL, 0);
		break;
	case MESSAGE_witness:
		hear_witness(s, &m->witness);
		break;
	case MESSAGE_list_mailboxes:
		for (size_t i = 0; i < s->mailbox_count; i++)
			if (!s->mailboxes[i].record.is_retired)
				put_mailbox(s, &s->mailboxes[i]);
		for (size_t i = 0; i < s->subscribed_count; i++)
			put_subscribed(s, i);
		answer_listing(s, m->list_mailboxes.tag);
		break;
	case MESSAGE_list_messages:
		list_messages(s, m->list_messages.mailbox);
		answer_listing(s, m->list_messages.tag);
		break;
	case MESSAGE_list_changes:
		list_changes(s, m->list_changes.since);
		answer_listing(s, m->list_changes.tag);
		break;
	case MESSAGE_list_vanished:
		list_vanished(s);
		answer_listing(s, m->list_vanished.tag);
		break;
	case MESSAGE_list_saved:
		list_saved(s, m->list_saved.since);
		answer_listing(s, m->list_saved.tag);
		break;
	case MESSAGE_list_unfiled:
		list_unfiled(s);
		answer_listing(s, m->list_unfiled.tag);
		break;
	case MESSAGE_read_blob:
		answer_body(s, m->read_blob.tag, m->read_blob.blob, NULL);
		break;
	case MESSAGE_read_blobs:
		answer_bodies(s, m->read_blobs.tag, m->read_blobs.blobs);
		break;
	case MESSAGE_read_unfiled:
		read_unfiled(s, &m->read_unfiled);
		break;
	case MESSAGE_caught_up:
		s->caught_up = *m;
		s->missing_then = false_store_missing(s);
		break;
	case MESSAGE_batch_begin:
		clear_parts(s);
		break;
	case MESSAGE_batch_commit:
		if (is_refused(s))
			refuse(s, m->batch_commit.counter);
		else
			commit(s, m->batch_commit.counter);
		break;
	default:
		keep_part(s, m, fds[0]);
		break;
	}
}

static void
closed(struct channel *channel, const struct error *error, void *context)
{
	struct false_store *s = context;

	channel_free(&s->channel);
}

int
false_store_connect(struct false_store *s)
{
	static const struct channel_handler handler = { received, closed };
	struct error error;
	int ends[2];

	if (channel_pair(ends, &error) == -1)
		abort();
	channel_free(&s->channel);
	s->channel =
	    channel_new(s->loop, ends[0], ROLE_SNAPD, ROLE_WORKER, &handler, s);
	channel_set_limit(s->channel, 256 * 1024 * 1024);
	return ends[1];
}

void
false_store_disconnect(struct false_store *s)
{
	channel_free(&s->channel);
}

void
false_store_catch_up(struct false_store *s, enum catch_up_files files)
{
	struct message m = { .type = MESSAGE_catch_up };

	m.catch_up.tag = 7;
	m.catch_up.check_files = (uint8_t)files;
	s->caught_up = (struct message){ 0 };
	channel_send(s->channel, &m, NULL, 0);
}

bool
false_store_caught_up(
    const struct false_store *s, uint64_t *written, uint64_t *failed)
{
	*written = s->caught_up.caught_up.files_written;
	*failed = s->caught_up.caught_up.files_failed;
	return s->caught_up.caught_up.tag == 7;
}

size_t
false_store_missing_then(const struct false_store *s)
{
	return s->missing_then;
}

void
false_store_lose_answers(struct false_store *s, bool lose)
{
	s->lose = lose;
}

struct delivery_id
false_store_accept(struct false_store *s, const char *address, const char *body)
{
	struct unfiled *u;
	size_t lines = 0;

	for (const char *p = body; *p != '\0'; p++)
		lines += *p == '\n';
	s->unfiled = memory_resize(
	    s->unfiled, s->unfiled_count + 1, sizeof(struct unfiled));
	u = &s->unfiled[s->unfiled_count++];
	memset(u, 0, sizeof(*u));
	u->record.delivery.bytes[0] = 0xde;
	u->record.delivery.bytes[1] = (uint8_t)s->unfiled_count;
	u->record.time = 1700000000;
	u->record.stored_size = strlen(body);
	u->record.size = u->record.stored_size + lines;
	u->record.blob = add_blob(s, body, strlen(body));
	text_copy(text_of(address), u->address, sizeof(u->address));
	s->sequence++;
	return u->record.delivery;
}

void
false_store_refuse(struct false_store *s, const struct delivery_id *delivery)
{
	s->refused = *delivery;
}

size_t
false_store_live(const struct false_store *s, uint64_t mailbox)
{
	size_t count = 0;

	for (size_t i = 0; i < s->row_count; i++)
		count += s->rows[i].died == 0 &&
			 s->rows[i].record.mailbox == mailbox;
	return count;
}

size_t
false_store_missing(const struct false_store *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->row_count; i++)
		count += s->rows[i].died == 0 &&
			 (s->rows[i].record.flags & RECORD_MISSING) != 0;
	return count;
}

size_t
false_store_marked(const struct false_store *s)
{
	return s->marked;
}

uint64_t
false_store_batches(const struct false_store *s)
{
	return s->batches;
}

void
false_store_put_back(struct false_store *s)
{
	forget(s);
	begin(s);
	s->is_claimed = false;
}

void
false_store_use_claim(struct false_store *s)
{
	s->is_claimed = true;
}

struct false_store *
false_store_new(struct event_loop *loop)
{
	struct false_store *s = memory_new(1, sizeof(*s));

	s->loop = loop;
	s->parts = memory_new(MAX_PARTS, sizeof(struct part));
	buf_init(&s->scratch, 512 * 1024 * 1024);
	begin(s);
	return s;
}

void
false_store_free(struct false_store **store)
{
	struct false_store *s = *store;

	channel_free(&s->channel);
	clear_parts(s);
	forget(s);
	free(s->answers);
	free(s->blobs);
	free(s->rows);
	free(s->mailboxes);
	free(s->unfiled);
	free(s->parts);
	buf_clear(&s->scratch);
	memory_free(store);
}
