/* What a batch does to the rows of the false store, and its answer. */
#include "common/file.h"
#include "common/memory.h"
#include "common/status.h"
#include "tests/unit/false_store_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void
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

void
take_change(struct false_store *s, const struct message *m, int fd)
{
	if (m->type == MESSAGE_batch_begin)
		clear_parts(s);
	else if (m->type != MESSAGE_batch_commit)
		keep_part(s, m, fd);
	else if (is_refused(s))
		refuse(s, m->batch_commit.counter);
	else
		commit(s, m->batch_commit.counter);
}
