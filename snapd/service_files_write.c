/*
 * New versions of the service's own files: see service_files.h.  Rows are
 * changed by the functions that change those of mail.
 */
#include "snapd/service_files_parts.h"

#include "common/file.h"
#include "snapd/batch_changes.h"

#include <stdio.h>
#include <string.h>

static enum status
take_away(struct change_context *context, const struct service_file *file)
{
	struct message message = { .type = MESSAGE_change_expunge };
	uint8_t uid[4];
	struct writer w;

	if (file->uid == 0)
		return STATUS_OK;
	writer_init(&w, uid, sizeof(uid));
	writer_put_u32(&w, file->uid);
	message.change_expunge.mailbox = file->mailbox;
	message.change_expunge.uids = text_make(uid, sizeof(uid));
	return change_apply(context, &message);
}

static enum status
append(struct change_context *context, const struct service_file *file,
    struct text body)
{
	struct message message = { .type = MESSAGE_change_append };
	struct message_change_append *change = &message.change_append;
	uint64_t sequence = journal_sequence(context->journal);
	struct digest *digest = context->journal->digest;
	struct hash hash;

	/* Its own: bytes that come back are another version. */
	digest_start(digest);
	digest_add(digest, &sequence, sizeof(sequence));
	digest_add(digest, file->sum, SERVICE_FILE_SUM);
	hash = digest_finish(digest);
	memcpy(change->delivery.bytes, hash.bytes, 16);
	change->mailbox = file->mailbox;
	change->internaldate = file->time;
	change->flags = file->is_secret ? SERVICE_FILE_SEALED : 0;
	change->form = FORM_EXACT;
	change->base = text_of(file->sum);
	change->size = body.size;
	context->body = body;
	context->has_body = true;
	return change_apply(context, &message);
}

/* The bytes as they will stand in the store. */
static int
read_version(const struct service_file *file, const uint8_t *recovery,
    struct buf *to, struct error *error)
{
	struct buf plain;
	int result;

	if (!file->is_secret)
		return file_read_all(file->fd, to, error);
	buf_init(&plain, SERVICE_FILES_MAX_BYTES);
	result = file_read_all(file->fd, &plain, error);
	if (result == 0)
		result = sealed_secret_make(text_of(file->name),
		    text_make(plain.data, plain.size), recovery, to, error);
	service_files_clear(&plain);
	return result;
}

static enum status
write_version(struct change_context *context, struct service_file *file,
    const uint8_t *recovery)
{
	enum status status = STATUS_OK;
	struct mailbox_row row;
	struct buf body;

	if (file->mailbox == 0) {
		status = journal_make_mailbox(context->journal, ACCOUNT_SERVICE,
		    text_of(file->name), 0, &row, context->error);
		file->mailbox = row.record.id;
	}
	if (status == STATUS_OK)
		status = take_away(context, file);
	if (status != STATUS_OK || file->is_gone)
		return status;
	buf_init(&body, SERVICE_FILES_MAX_BYTES + SEALED_SECRET_MAX_MORE);
	if (read_version(file, recovery, &body, context->error) != 0)
		status = change_failed(context);
	else
		status = append(context, file, text_make(body.data, body.size));
	service_files_clear(&body);
	return status;
}

static enum status
make_account(struct journal *journal, struct error *error)
{
	struct account_row row;
	int found =
	    row_find_account(journal->batch, ACCOUNT_SERVICE, &row, error);

	if (found == 1)
		return STATUS_OK;
	row = (struct account_row){ .created = journal_sequence(journal),
		.name = "config" };
	return found == 0 && row_put_account(journal->batch, ACCOUNT_SERVICE,
				 &row, error) == 0
		   ? STATUS_OK
		   : journal_status_of(error);
}

/* For the log: which ones, as far as there is room. */
static void
name_changes(const struct service_files *files, char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t i = 0; i < files->count && used < size; i++)
		if (files->list[i].is_changed)
			used += (size_t)snprintf(to + used, size - used,
			    "%s%s%s", used > 0 ? " " : "",
			    files->list[i].is_gone ? "-" : "",
			    files->list[i].name);
}

enum status
service_files_write(struct service_files *files, struct journal *journal,
    const uint8_t recovery[RECOVERY_KEY_SIZE], uint64_t bytes,
    struct error *error)
{
	struct change_context context = {
		.journal = journal, .account = ACCOUNT_SERVICE, .error = error
	};
	struct buf results;
	char names[200];
	enum status status = journal_begin(journal, bytes, error);

	if (status != STATUS_OK)
		return status;
	buf_init(&results, JOURNAL_MAX_RESULTS * RECORD_RESULT_SIZE);
	context.results = &results;
	status = make_account(journal, error);
	for (size_t i = 0; i < files->count && status == STATUS_OK; i++)
		if (files->list[i].is_changed)
			status =
			    write_version(&context, &files->list[i], recovery);
	buf_clear(&results);
	if (status != STATUS_OK) {
		journal_drop(journal);
		return status;
	}
	name_changes(files, names, sizeof(names));
	return journal_finish(
	    journal, EVENT_BATCH, ROLE_MASTER, ACCOUNT_SERVICE, names, error);
}
