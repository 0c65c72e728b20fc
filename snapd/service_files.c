/*
 * See service_files.h.  First all is compared with what the store has, then
 * what differs is written (service_files_write.c): a reload that changes
 * nothing costs a few reads.
 */
#include "snapd/service_files.h"

#include "common/file.h"
#include "common/log.h"
#include "common/memory.h"
#include "snapd/batch_changes.h"
#include "snapd/service_files_parts.h"

#include <string.h>
#include <unistd.h>

enum {
	ROW_ROOM = 8192 /* of a version, beside its bytes */
};

struct service_files *
service_files_new(void)
{
	return memory_new(1, sizeof(struct service_files));
}

static void
forget_all(struct service_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		if (files->list[i].fd != -1)
			close(files->list[i].fd);
	files->count = 0;
}

void
service_files_free(struct service_files **files)
{
	if (*files == NULL)
		return;
	forget_all(*files);
	memory_free(files);
}

static struct service_file *
find_file(struct service_files *files, struct text name)
{
	for (size_t i = 0; i < files->count; i++)
		if (text_is(name, files->list[i].name))
			return &files->list[i];
	return NULL;
}

/* NULL: that name is told already (a key of two listeners), or is none that a
 * mailbox could have. */
static struct service_file *
add_name(struct service_files *files, struct text name)
{
	struct service_file *file = &files->list[files->count];

	if (files->count == SERVICE_FILES_MAX ||
	    find_file(files, name) != NULL || !change_is_name(name) ||
	    text_is_nocase(name, "INBOX") ||
	    text_copy(name, file->name, sizeof(file->name)) != 0)
		return NULL;
	files->count++;
	memset((char *)file + sizeof(file->name), 0,
	    sizeof(*file) - sizeof(file->name));
	file->fd = -1;
	return file;
}

void
service_files_add(struct service_files *files,
    const struct message_service_file *message, int fd)
{
	struct service_file *file = add_name(files, message->name);
	struct error error = { .code = ERROR_NONE };

	if (file == NULL) {
		if (fd != -1)
			close(fd);
		if (find_file(files, message->name) == NULL)
			log_warning("service-file", "why=\"not taken\"");
		return;
	}
	file->is_secret = message->is_secret != 0;
	file->time = message->time;
	if (fd != -1 && file_check_sealed(fd, &error) == 0) {
		file->fd = fd;
		return;
	}
	if (fd != -1)
		close(fd);
}

void
service_files_clear(struct buf *data)
{
	if (data->data != NULL)
		explicit_bzero(data->data, data->size);
	buf_clear(data);
}

/* -- What differs -- */

static int
sum_up(struct service_file *file, struct digest *digest, const uint8_t *secret,
    struct error *error)
{
	struct hash hash;
	struct buf data;

	buf_init(&data, SERVICE_FILES_MAX_BYTES);
	if (file_read_all(file->fd, &data, error) != 0) {
		service_files_clear(&data);
		return -1;
	}
	digest_start(digest);
	digest_add(digest, secret, 32);
	digest_add(digest, file->name, strlen(file->name) + 1);
	digest_add(digest, data.data, data.size);
	hash = digest_finish(digest);
	text_format_hex(hash.bytes, sizeof(hash.bytes), file->sum);
	file->size = data.size;
	service_files_clear(&data);
	return 0;
}

/* The version of the file that is live: 1, 0, -1. */
static int
find_version(struct transaction *t, uint64_t mailbox, struct message_row *row,
    struct error *error)
{
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox);
	cursor = cursor_open(t, DB_LIVE, &from, error);
	if (cursor == NULL)
		return -1;
	got = cursor_next(cursor, &key, &value, error);
	if (got == 1 && key_u64_at(key, 0) != mailbox)
		got = 0;
	if (got == 1 && row_decode_live(key, value, row, error) != 0)
		got = -1;
	cursor_close(&cursor);
	return got;
}

/* A mailbox of the account, and the file that it is of. */
static int
compare(void *context, struct transaction *t, const struct mailbox_row *mailbox,
    struct error *error)
{
	struct service_files *files = context;
	struct service_file *file = find_file(files, mailbox->record.name);
	struct message_row row;
	int found = find_version(t, mailbox->record.id, &row, error);

	if (found < 0)
		return -1;
	if (file == NULL && found == 1) {
		file = add_name(files, mailbox->record.name);
		if (file == NULL)
			return 0;
		file->is_gone = file->is_changed = true;
	}
	if (file == NULL)
		return 0;
	file->mailbox = mailbox->record.id;
	if (found == 1) {
		file->uid = row.record.uid;
		if (text_is(row.record.base, file->sum))
			file->is_changed = false;
	}
	return 0;
}

/* Calls for each file that the store ever had, until it returns other than
 * 0. */
static int
each_mailbox(struct transaction *t,
    int (*call)(void *context, struct transaction *t,
	const struct mailbox_row *mailbox, struct error *error),
    void *context, struct error *error)
{
	static _Thread_local struct mailbox_row row;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u32(&from, ACCOUNT_SERVICE);
	cursor = cursor_open(t, DB_MAILBOX, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u32_at(key, 0) == ACCOUNT_SERVICE)
		if (row_decode_mailbox(value, &row, error) != 0 ||
		    call(context, t, &row, error) != 0) {
			got = -1;
			break;
		}
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

static int
find_changes(struct service_files *files, struct journal *journal,
    struct transaction *t, const uint8_t *recovery, struct error *error)
{
	bool has_key = recovery_key_is_set(recovery);
	size_t i;

	for (i = 0; i < files->count; i++) {
		struct service_file *file = &files->list[i];

		if (file->fd == -1 || (file->is_secret && !has_key))
			continue;
		if (sum_up(file, journal->digest, store_secret(t), error) != 0)
			return -1;
		file->is_changed = true;
	}
	return each_mailbox(t, compare, files, error);
}

enum status
service_files_keep(struct service_files *files, struct journal *journal,
    const uint8_t recovery[RECOVERY_KEY_SIZE], struct error *error)
{
	struct transaction *own = NULL, *t = journal->round;
	enum status status = STATUS_OK;
	uint64_t bytes = 0;
	int result = -1;

	if (t == NULL)
		t = own = transaction_begin(journal->store, false, error);
	if (t != NULL)
		result = find_changes(files, journal, t, recovery, error);
	transaction_abort(&own);
	if (result != 0)
		status = journal_status_of(error);
	for (size_t i = 0; i < files->count; i++)
		if (files->list[i].is_changed && !files->list[i].is_gone)
			bytes += files->list[i].size + ROW_ROOM;
	for (size_t i = 0; i < files->count && status == STATUS_OK; i++)
		if (files->list[i].is_changed) {
			status = service_files_write(
			    files, journal, recovery, bytes, error);
			break;
		}
	forget_all(files);
	return status;
}

/* -- How many -- */

struct counts {
	uint64_t *live;
	uint64_t *dead;
};

static int
count_rows(void *context, struct transaction *t,
    const struct mailbox_row *mailbox, struct error *error)
{
	struct counts *counts = context;
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor;
	int got;

	*counts->live += mailbox->record.message_count;
	key_put_u64(&from, mailbox->record.id);
	cursor = cursor_open(t, DB_DEAD, &from, error);
	if (cursor == NULL)
		return -1;
	while ((got = cursor_next(cursor, &key, &value, error)) == 1 &&
	       key_u64_at(key, 0) == mailbox->record.id)
		++*counts->dead;
	cursor_close(&cursor);
	return got < 0 ? -1 : 0;
}

int
service_files_count(struct transaction *transaction, uint64_t *live,
    uint64_t *dead, struct error *error)
{
	struct counts counts = { live, dead };

	*live = *dead = 0;
	return each_mailbox(transaction, count_rows, &counts, error);
}
