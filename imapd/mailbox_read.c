/*
 * The bytes of a message for a session: its file, or where that is missing the
 * store's copy (and the file is made again); and what was parsed of it before,
 * by the hash of its content.
 */
#include "imapd/account_state.h"

#include "common/memory.h"

#include <stdlib.h>
#include <unistd.h>

struct reading {
	struct reading *next;
	struct account_store *account;
	uint64_t mailbox;
	uint32_t uid;
	bool is_past;
	uint8_t form;
	uint64_t wire_size;
	void (*done)(enum status status, struct mailbox_body *body,
	    void *context); /* NULL: cancelled */
	void *context;
};

static void
finish_reading(
    struct reading *reading, enum status status, int *fd, uint64_t size)
{
	struct reading **at = &reading->account->readings;
	struct mailbox_body body = { *fd, size, reading->form,
		reading->wire_size };

	while (*at != reading)
		at = &(*at)->next;
	*at = reading->next;
	if (reading->done != NULL)
		reading->done(status, &body, reading->context);
	*fd = body.fd;
	free(reading);
}

static void
read_from_store(enum status status, const struct text *envelope,
    struct store_body *body, void *context)
{
	struct reading *reading = context;
	int fd = -1;

	if (status == STATUS_OK && (fd = store_body_take(body)) == -1)
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK && !reading->is_past)
		sync_heal(
		    reading->account, reading->mailbox, reading->uid, false);
	finish_reading(reading, status, &fd, body->size);
	if (fd != -1)
		close(fd);
}

static void
ask_store(struct mailbox_view *view, const struct mailbox_row *row,
    uint64_t blob, uint8_t form,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct account_store *account = view->account;
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->account = account;
	reading->mailbox = view->folder->info.id;
	reading->uid = row->uid;
	reading->is_past = view->folder->past != NULL;
	reading->form = form;
	reading->wire_size = row->size;
	reading->done = done;
	reading->context = context;
	reading->next = account->readings;
	account->readings = reading;
	store_read_blob(account->client, blob, read_from_store, reading);
}

/* NULL if the mailbox is not of the past, or has no such message. */
static const struct past_message *
past_message(const struct mailbox_view *view, uint32_t uid)
{
	return folder_past(view->folder, uid);
}

void
mailbox_read(struct mailbox_view *view, uint32_t uid,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct account_store *account = view->account;
	struct mailbox_body body = { .fd = -1 };
	const struct past_message *past;
	struct index_file file;
	struct mailbox_row row;
	struct error error;

	past = past_message(view, uid);
	if (past != NULL && mailbox_row(view, uid, &row)) {
		ask_store(view, &row, past->blob, past->form, done, context);
		return;
	}
	if (view->folder->past != NULL || !mailbox_row(view, uid, &row) ||
	    !index_find_file(
		account->index, view->folder->info.id, uid, &file)) {
		done(STATUS_MISSING, &body, context);
		return;
	}
	directories_hold_turn(account);
	body.fd = files_open(account, view->folder, &file, &error);
	if (body.fd == -1) {
		ask_store(view, &row, file.blob, file.form, done, context);
		return;
	}
	body.size = file.stored_size;
	body.form = file.form;
	body.wire_size = row.size;
	done(STATUS_OK, &body, context);
	if (body.fd != -1)
		close(body.fd);
}

void
mailbox_read_cancel(struct account_store *account, void *context)
{
	for (struct reading *r = account->readings; r != NULL; r = r->next)
		if (r->context == context)
			r->done = NULL;
}

/* -- The cache -- */

bool
mailbox_content_hash(
    const struct mailbox_view *view, uint32_t uid, struct hash *hash)
{
	const struct past_message *past = past_message(view, uid);
	struct index_file file;
	struct index_row row;

	if (past != NULL) {
		*hash = past->hash;
		return true;
	}
	if (view->folder->past != NULL ||
	    !folder_row(view->folder, uid, &row) ||
	    !index_find_file(
		view->account->index, view->folder->info.id, uid, &file))
		return false;
	*hash = file.hash;
	return true;
}

bool
mailbox_cache_find(struct mailbox_view *view, uint32_t uid, struct text *bytes)
{
	const struct past_message *past = past_message(view, uid);
	struct message_index *index = view->account->index;
	struct index_file file;
	struct index_row row;

	if (past != NULL)
		return index_find_cache(index, &past->hash, bytes);
	return view->folder->past == NULL &&
	       folder_row(view->folder, uid, &row) &&
	       index_find_file(index, view->folder->info.id, uid, &file) &&
	       index_find_parsed(index, &file, bytes);
}

bool
mailbox_parse_begin(struct mailbox_view *view, uint32_t uid)
{
	struct hash key;

	return mailbox_content_hash(view, uid, &key) &&
	       parse_note_begin(view->account->parse_note, &key);
}

void
mailbox_parse_end(struct mailbox_view *view)
{
	parse_note_end(view->account->parse_note);
}

void
mailbox_cache_put(struct mailbox_view *view, uint32_t uid, struct text bytes)
{
	struct message_index *index = view->account->index;
	struct hash hash;

	if (!mailbox_content_hash(view, uid, &hash))
		return;
	if (view->folder->past != NULL) {
		index_put_past_cache(index, &hash, bytes);
		return;
	}
	/* Many are made in a row after the index was lost. */
	index_begin(index);
	index_set_number(index, view->folder->info.id, uid,
	    index_put_cache(index, &hash, bytes));
	if (index_commit_later(index))
		account_commit_soon(view->account);
}
