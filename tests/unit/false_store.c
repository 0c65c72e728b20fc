/* See false_store.h: the store itself, its channel, and what tests do to it. */
#include "common/memory.h"
#include "common/status.h"
#include "tests/unit/false_store_parts.h"

#include <stdlib.h>
#include <string.h>

uint64_t
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

uint64_t
add_blob(struct false_store *s, const void *data, size_t size)
{
	s->blobs =
	    memory_resize(s->blobs, s->blob_count + 1, sizeof(struct blob));
	s->blobs[s->blob_count].data = memory_copy(data, size);
	s->blobs[s->blob_count].size = size;
	return ++s->blob_count;
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
greet(struct false_store *s, const struct message_worker_hello *m)
{
	struct message state = { .type = MESSAGE_account_state };

	state.account_state.tag = m->tag;
	memset(state.account_state.store.bytes, 7, 16);
	state.account_state.incarnation = s->incarnation;
	state.account_state.sequence = s->sequence;
	state.account_state.counter = s->counter;
	channel_send(s->channel, &state, NULL, 0);
}

static void
received(
    struct channel *channel, const struct message *m, int *fds, void *context)
{
	struct false_store *s = context;

	if (m->type == MESSAGE_worker_hello) {
		greet(s, &m->worker_hello);
	} else if (m->type == MESSAGE_witness) {
		hear_witness(s, &m->witness);
	} else if (m->type == MESSAGE_caught_up) {
		s->caught_up = *m;
		s->missing_then = false_store_missing(s);
	} else if (!answer_question(s, m)) {
		take_change(s, m, fds[0]);
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
