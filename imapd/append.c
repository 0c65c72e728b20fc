/*
 * APPEND and REPLACE: takes the bytes of one message or of several, and commits
 * them as one batch, all or none; where they replace a message, its death is in
 * the same batch.
 */
#include "imapd/mailbox_change.h"

#include "common/memory.h"
#include "imapd/message_bytes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct appended {
	struct message_bytes bytes;
	int fd; /* the batch's, once it has taken it from `bytes` */
	uint32_t flags;
	int64_t internaldate;
	uint64_t wishes;   /* of append->names */
	uint64_t keywords; /* as the mailbox numbers them */
	struct delivery_id delivery;
	struct prepared prepared;
};

struct append {
	struct account_store *account;
	char *mailbox;
	size_t count, room;
	struct appended *messages;
	struct names *names; /* of all their keywords; NULL: none */
	bool has_too_many;
	bool has_failed;
	uint64_t replaced_mailbox;
	uint32_t replaced_uid; /* 0: none */
};

struct append *
append_begin(struct account_store *account, struct text mailbox)
{
	struct append *append = memory_new(1, sizeof(*append));

	append->account = account;
	append->mailbox = memory_new(1, mailbox.size + 1);
	memcpy(append->mailbox, mailbox.data, mailbox.size);
	return append;
}

void
append_abort(struct append **append)
{
	if (*append == NULL)
		return;
	for (size_t i = 0; i < (*append)->count; i++) {
		struct appended *message = &(*append)->messages[i];

		message_prepare_end((*append)->account, &message->prepared);
		message_bytes_clear(&message->bytes);
	}
	free((*append)->messages);
	free((*append)->mailbox);
	free((*append)->names);
	memory_free(append);
}

/* Its bit in append->names. */
static uint64_t
wish(struct append *append, struct text name)
{
	size_t n = 0;

	if (append->names == NULL)
		append->names = memory_new(1, sizeof(*append->names));
	while (n < append->names->count &&
	       !text_equal_nocase(append->names->list[n], name))
		n++;
	if (n == append->names->count && names_add(append->names, name) == -1) {
		append->has_too_many = true;
		return 0;
	}
	return (uint64_t)1 << n;
}

void
append_message(struct append *append, uint32_t flags,
    const struct text *keywords, size_t keyword_count, int64_t internaldate)
{
	struct appended *message;

	if (append->count > 0 &&
	    message_bytes_seal(&append->messages[append->count - 1].bytes) ==
		-1)
		append->has_failed = true;
	if (append->count == append->room) {
		append->room = append->room == 0 ? 1 : 2 * append->room;
		append->messages = memory_resize(
		    append->messages, append->room, sizeof(*append->messages));
	}
	message = &append->messages[append->count++];
	memset(message, 0, sizeof(*message));
	message_bytes_init(&message->bytes);
	message->fd = -1;
	message->flags = flags & FLAG_ALL;
	message->internaldate = internaldate;
	for (size_t i = 0; i < keyword_count; i++)
		message->wishes |= wish(append, keywords[i]);
}

void
append_replace(struct append *append, struct mailbox_view *view, uint32_t uid)
{
	append->replaced_mailbox = view->folder->info.id;
	append->replaced_uid = uid;
}

int
append_write(struct append *append, const void *data, size_t size)
{
	return message_bytes_write(
	    &append->messages[append->count - 1].bytes, data, size);
}

static struct message_source
append_source(struct appended *message)
{
	return (struct message_source){ .fd = message->fd,
		.data = message_bytes_text(&message->bytes),
		.prepared = &message->prepared };
}

/* -- When the store has committed -- */

static void
apply_one(struct change *change, struct appended *message,
    const struct result_record *result, uint64_t sequence)
{
	const struct message_source source = append_source(message);
	struct message_record record = { .mailbox = change->mailbox,
		.uid = result->uid,
		.modseq = result->modseq,
		.born = sequence,
		.internaldate = message->internaldate,
		.size = message->bytes.wire_size,
		.stored_size = message_bytes_size(&message->bytes),
		.flags = message->flags,
		.keywords = message->keywords,
		.blob = result->blob,
		.form = message->bytes.form,
		.hash = result->hash };
	char hex[2 * sizeof(message->delivery.bytes) + 1];

	text_format_hex(
	    message->delivery.bytes, sizeof(message->delivery.bytes), hex);
	record.base = text_of(hex);
	apply_message(change->account, &record, &source, NULL);
	change->target_uids[change->answer.count++] = result->uid;
	change->answer.modseq = result->modseq;
}

static void
apply_all(struct change *change, struct text results, uint64_t sequence)
{
	struct append *append = change->append;
	struct result_record result;
	struct reader r;

	reader_init(&r, results.data, results.size);
	if (append->names != NULL)
		change_learn_keywords(change->account, change->mailbox,
		    append->names->list, append->names->count);
	for (size_t i = 0; i < change->new_keywords; i++)
		change_next_result(&r, &result);
	for (size_t i = 0; i < append->count && change_next_result(&r, &result);
	     i++)
		apply_one(change, &append->messages[i], &result, sequence);
	if (append->replaced_uid != 0 && change_next_result(&r, &result))
		apply_expunge(change->account, append->replaced_mailbox,
		    append->replaced_uid, result.modseq, false);
}

static void
append_committed(
    enum status status, uint64_t sequence, struct text results, void *context)
{
	struct change *change = context;
	struct folder *folder;

	if (status == STATUS_OK) {
		apply_begin(change->account);
		apply_all(change, results, sequence);
		folder = folder_find_id(change->account, change->mailbox);
		if (folder != NULL)
			change->answer.uidvalidity = folder->info.uidvalidity;
		apply_sequence(change->account, sequence);
		apply_end(change->account);
	}
	change_finish(change, status);
}

/* -- Until then -- */

/* While the store commits. */
static void
prepare_all(struct append *append)
{
	for (size_t i = 0; i < append->count; i++) {
		struct appended *message = &append->messages[i];
		const struct message_source source = append_source(message);

		message_prepare(append->account, &message->delivery,
		    message->internaldate, &source, &message->prepared);
	}
}

/* The batch has the descriptor from here on, until its answer was taken. */
static void
add_message(
    struct store_batch *batch, uint64_t mailbox, struct appended *message)
{
	struct message m = { .type = MESSAGE_change_append };

	change_draw_delivery(&message->delivery);
	message->fd = message->bytes.fd;
	message->bytes.fd = -1;
	m.change_append.delivery = message->delivery;
	m.change_append.mailbox = mailbox;
	m.change_append.internaldate = message->internaldate;
	m.change_append.flags = message->flags;
	m.change_append.keywords = message->keywords;
	m.change_append.form = message->bytes.form;
	m.change_append.size = message_bytes_size(&message->bytes);
	if (message->fd == -1)
		m.change_append.data = message_bytes_text(&message->bytes);
	store_batch_add(batch, &m, message->fd);
}

static void
add_replaced(struct store_batch *batch, const struct append *append)
{
	struct message m = { .type = MESSAGE_change_expunge };
	uint8_t uid[4];
	struct writer w;

	writer_init(&w, uid, sizeof(uid));
	writer_put_u32(&w, append->replaced_uid);
	m.change_expunge.mailbox = append->replaced_mailbox;
	m.change_expunge.uids = text_make(uid, w.size);
	store_batch_add(batch, &m, -1);
}

/* Numbers the keywords of all messages. */
static enum status
number_keywords(struct append *append, struct folder *folder,
    struct store_batch *batch, size_t *added)
{
	uint64_t bits[RECORD_MAX_KEYWORDS];
	enum status status;

	*added = 0;
	if (append->has_too_many)
		return STATUS_LIMIT;
	if (append->names == NULL)
		return STATUS_OK;
	status = change_number_keywords(folder, append->names->list,
	    append->names->count, batch, added, bits);
	for (size_t i = 0; status == STATUS_OK && i < append->count; i++)
		for (size_t n = 0; n < append->names->count; n++)
			if (append->messages[i].wishes >> n & 1)
				append->messages[i].keywords |= bits[n];
	return status;
}

static enum status
fill_batch(struct append *append, struct folder *folder,
    struct store_batch *batch, size_t *added)
{
	struct message_bytes *last = &append->messages[append->count - 1].bytes;
	enum status status;

	if (message_bytes_seal(last) == -1 || append->has_failed)
		return STATUS_FULL;
	status = number_keywords(append, folder, batch, added);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < append->count; i++)
		add_message(batch, folder->info.id, &append->messages[i]);
	if (append->replaced_uid != 0)
		add_replaced(batch, append);
	return STATUS_OK;
}

/* Of a message in the place of another, only by how much it is larger. */
static enum status
take_quota(struct change *change)
{
	const struct append *append = change->append;
	uint64_t messages = append->count, bytes = 0, freed = 0;
	struct folder *folder =
	    folder_find_id(change->account, append->replaced_mailbox);
	struct index_row row;

	for (size_t i = 0; i < append->count; i++)
		bytes += append->messages[i].bytes.wire_size;
	if (folder != NULL && folder_row(folder, append->replaced_uid, &row)) {
		messages--;
		freed = row.size < bytes ? row.size : bytes;
	}
	if (messages == 0 && freed == bytes)
		return STATUS_OK;
	return change_take_quota(change, messages, bytes - freed);
}

/* `turn`: NULL if it needs none. */
static void
commit(
    struct append *append, struct turn *turn, mailbox_done *done, void *context)
{
	struct account_store *account = append->account;
	struct folder *folder = folder_find(account, text_of(append->mailbox));
	struct store_batch *batch = store_batch_new(&account->note);
	enum status status = STATUS_MISSING;
	struct change *change;
	size_t added;
	bool is_sent;

	if (folder != NULL)
		status = fill_batch(append, folder, batch, &added);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		append_abort(&append);
		turn_end(&turn);
		account_answer(done, context, status);
		return;
	}
	change = change_new(account, folder, append->count, done, context);
	change->append = append;
	change->turn = turn;
	status = take_quota(change);
	if (status != STATUS_OK) {
		store_batch_free(&batch);
		change_finish(change, status);
		return;
	}
	change->new_keywords = added;
	/* Without a store it is answered, and gone, at once. */
	is_sent = store_client_is_present(account->client);
	store_client_commit(account->client, &batch, append_committed, change);
	if (is_sent)
		prepare_all(append);
}

static void
start_append(struct turn *turn)
{
	commit(turn->subject, turn, turn->done, turn->context);
}

void
append_commit(struct append **from, mailbox_done *done, void *context)
{
	struct append *append = *from;
	const struct folder *folder =
	    folder_find(append->account, text_of(append->mailbox));
	const struct turn turn = {
		.mailboxes = { folder == NULL ? 0 : folder->info.id,
		    append->replaced_mailbox },
		.subject = append,
		.done = done,
		.context = context,
		.start = start_append
	};

	*from = NULL;
	if (append->names == NULL && append->replaced_uid == 0)
		commit(append, NULL, done, context);
	else
		turn_take(append->account, &turn);
}
