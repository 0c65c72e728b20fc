/*
 * The workers of a restore: RESTORE_WORKERS accounts at a time are started if
 * need be, told to catch up and to write the files that are not there.  What
 * they read meanwhile is the progress; a body that is damaged is named.
 */
#include "snapd/restore_parts.h"

#include "common/log.h"
#include "common/memory.h"
#include "snapd/behind.h"

#include <stdio.h>

enum {
	HEARTBEAT_MS = 1000,
	WORKER_TRIES = 3,
	WORKER_BEATS = 60,   /* that a worker may take to come */
	ANSWER_BEATS = 3600, /* and to read the next body: an hour */
	MAX_LOOK_BYTES = 256 << 20
};

struct restore_files {
	struct restore_files *next;
	struct restore *restore;
	uint32_t account;
	bool is_look;       /* it only says what is missing, */
	bool is_done;       /* and has, */
	struct buf missing; /* or nothing, if it cannot */
	bool is_asked;      /* the worker is there */
	unsigned int tries;
	unsigned int beats;
	uint64_t tag;
};

static void
remove_files(struct restore_files *files)
{
	struct restore *restore = files->restore;
	struct restore_files **at = &restore->files;

	while (*at != files)
		at = &(*at)->next;
	*at = files->next;
	restore->files_count--;
	buf_clear(&files->missing);
	memory_free(&files);
}

/* What a look has found waits until the walk comes to its account. */
static void
end_files(struct restore_files *files)
{
	struct restore *restore = files->restore;

	if (files->is_look)
		files->is_done = true;
	else
		remove_files(files);
	restore_go_on(restore);
}

static void
give_up(struct restore_files *files)
{
	char where[40];

	snprintf(where, sizeof(where), "account %u", files->account);
	restore_send_finding(files->restore, where,
	    files->is_look ? "its files could not be looked at"
			   : "its worker does not come: the files follow when "
			     "it does");
	files->restore->workers_missing += !files->is_look;
	end_files(files);
}

/* Tags are never used twice: an answer to a restore that has ended is none to
 * the next one. */
static void
send_catch_up(struct client *worker, enum catch_up_files files)
{
	static uint64_t last_tag;
	struct message message = { .type = MESSAGE_catch_up };

	worker->catch_up = ++last_tag;
	message.catch_up.tag = last_tag;
	message.catch_up.sequence =
	    snapd_journal(worker->snapd)->committed.sequence;
	message.catch_up.check_files = (uint8_t)files;
	(void)channel_send(worker->channel, &message, NULL, 0);
}

static void
ask(struct restore_files *files, struct client *worker)
{
	send_catch_up(
	    worker, files->is_look ? CATCH_UP_MISSING : CATCH_UP_FILES);
	files->tag = worker->catch_up;
	files->is_asked = true;
	files->beats = 0;
}

static void
want_worker(struct restore_files *files)
{
	struct snapd *snapd = files->restore->snapd;
	struct client *worker = snapd_worker(snapd, files->account);

	if (worker != NULL) {
		/* Else the broker retires one that told it that it idles. */
		(void)snapd_start_worker(snapd, files->account);
		ask(files, worker);
		return;
	}
	files->is_asked = false;
	files->beats = 0;
	if (files->tries++ == WORKER_TRIES ||
	    snapd_start_worker(snapd, files->account) != 0)
		give_up(files);
}

/* -- It takes time -- */

static void
heartbeat(void *context)
{
	struct restore *restore = context;
	struct restore_files *files, *next;

	for (files = restore->files; files != NULL; files = next) {
		unsigned int most =
		    files->is_asked ? (unsigned int)ANSWER_BEATS : WORKER_BEATS;

		next = files->next;
		if (files->is_done)
			continue;
		if (++files->beats >= most)
			give_up(files);
		else if (!files->is_asked)
			/* The broker may not have seen yet that the last one is
			 * gone, and have started none. */
			(void)snapd_start_worker(
			    restore->snapd, files->account);
	}
	if (restore->files == NULL)
		return;
	restore_send_progress(
	    restore, "files", restore->bodies_read, restore->planned);
	timer_start(restore->heartbeat, HEARTBEAT_MS);
}

void
restore_files_start(struct restore *restore, uint32_t account, bool is_look)
{
	struct restore_files *files = memory_new(1, sizeof(*files));

	files->restore = restore;
	files->account = account;
	files->is_look = is_look;
	buf_init(&files->missing, MAX_LOOK_BYTES);
	files->next = restore->files;
	restore->files = files;
	restore->files_count++;
	if (restore->heartbeat == NULL)
		restore->heartbeat =
		    timer_new(snapd_loop(restore->snapd), heartbeat, restore);
	if (restore->files_count == 1)
		timer_start(restore->heartbeat, HEARTBEAT_MS);
	want_worker(files);
}

bool
restore_files_take_look(struct restore *restore)
{
	struct restore_files *files = restore->files;

	while (files != NULL && files->account != restore->job->walk.account)
		files = files->next;
	if (files == NULL)
		return true;
	if (!files->is_done)
		return false;
	restore_plan_missing(&restore->plan,
	    text_make(files->missing.data, files->missing.size));
	remove_files(files);
	return true;
}

void
restore_files_free(struct restore *restore)
{
	while (restore->files != NULL)
		remove_files(restore->files);
	timer_free(&restore->heartbeat);
}

/* -- What happens to workers -- */

static struct restore_files *
find(struct snapd *snapd, uint32_t account, bool is_asked)
{
	struct restore *restore = *snapd_restore(snapd);
	struct restore_files *files = restore == NULL ? NULL : restore->files;

	while (
	    files != NULL && (files->account != account ||
				 files->is_asked != is_asked || files->is_done))
		files = files->next;
	return files;
}

/* Of a restore that was cut off before its worker was told. */
static bool
is_behind(struct client *worker)
{
	struct journal *journal = snapd_journal(worker->snapd);
	struct transaction *t;
	uint64_t sequence;
	int found = 0;

	t = journal == NULL ? NULL
			    : transaction_begin(journal->store, false, NULL);
	if (t != NULL)
		found = behind_find(t, worker->account, &sequence, NULL);
	transaction_abort(&t);
	return found == 1;
}

void
restore_tell_worker(struct snapd *snapd, uint32_t account)
{
	struct client *worker = snapd_worker(snapd, account);

	if (worker != NULL && is_behind(worker))
		send_catch_up(worker, CATCH_UP_ROWS);
}

void
restore_worker_there(struct client *worker)
{
	struct restore_files *files =
	    find(worker->snapd, worker->account, false);

	if (files != NULL)
		want_worker(files);
	else if (is_behind(worker))
		send_catch_up(worker, CATCH_UP_ROWS);
}

void
restore_worker_gone(struct snapd *snapd, uint32_t account)
{
	struct restore_files *files = find(snapd, account, true);

	if (files != NULL)
		want_worker(files);
}

void
restore_worker_failed(struct snapd *snapd, uint32_t account)
{
	struct restore_files *files = find(snapd, account, false);

	if (files != NULL)
		give_up(files);
}

/* It knows all that happened before it was asked, unless a restore has done
 * more since: that one asks again, or the next channel does. */
static void
settle(struct client *worker, const struct message_caught_up *caught_up)
{
	struct restore *restore = *snapd_restore(worker->snapd);
	struct error error = { .code = ERROR_NONE };

	if (caught_up->status != STATUS_OK ||
	    caught_up->tag != worker->catch_up || worker->catch_up == 0)
		return;
	worker->catch_up = 0;
	if (restore != NULL && restore->job->walk.account == worker->account &&
	    find(worker->snapd, worker->account, true) == NULL)
		return;
	if (behind_settle(snapd_journal(worker->snapd), worker->account,
		&error) != STATUS_OK)
		log_warning("restore-settle", "account=%u error=\"%s\"",
		    worker->account, error.text);
}

void
restore_caught_up(struct client *worker,
    const struct message_caught_up *caught_up, struct text missing)
{
	struct restore_files *files =
	    find(worker->snapd, worker->account, true);
	struct restore *restore;

	settle(worker, caught_up);
	if (files == NULL || caught_up->tag != files->tag)
		return;
	restore = files->restore;
	restore->files_written += caught_up->files_written;
	restore->files_failed += caught_up->files_failed;
	if (caught_up->status != STATUS_OK ||
	    (files->is_look && (!restore_plan_is_missing(missing) ||
				   buf_put(&files->missing, missing.data,
				       missing.size) != 0))) {
		give_up(files);
		return;
	}
	end_files(files);
}

/* -- What they read -- */

static void
find_blob_in(struct restore *restore, struct transaction *t,
    const struct mailbox_row *mailbox, uint64_t blob)
{
	struct key from = { .size = 0 };
	char where[RECORD_MAX_NAME_SIZE + 40];
	struct message_row row;
	struct text key, value;
	struct cursor *cursor;
	int got;

	key_put_u64(&from, mailbox->record.id);
	cursor = cursor_open(t, DB_LIVE, &from, NULL);
	while (cursor != NULL &&
	       (got = cursor_next(cursor, &key, &value, NULL)) == 1 &&
	       key_u64_at(key, 0) == mailbox->record.id) {
		if (row_decode_live(key, value, &row, NULL) != 0 ||
		    row.record.blob != blob)
			continue;
		snprintf(where, sizeof(where), "%.*s;UID=%u",
		    TEXT_FMT(mailbox->record.name), row.record.uid);
		restore_send_finding(restore, where,
		    "the stored message is damaged, its file is left out");
	}
	cursor_close(&cursor);
}

/* Rare, and slow: each live message that has it. */
static void
name_blob(struct restore *restore, uint32_t account, uint64_t blob)
{
	static struct mailbox_row mailbox;
	struct journal *journal = snapd_journal(restore->snapd);
	struct key from = { .size = 0 };
	struct text key, value;
	struct cursor *cursor = NULL;
	struct transaction *t;

	if (restore->findings >= RESTORE_MAX_FINDINGS)
		return;
	t = transaction_begin(journal->store, false, NULL);
	key_put_u32(&from, account);
	if (t != NULL)
		cursor = cursor_open(t, DB_MAILBOX, &from, NULL);
	while (cursor != NULL && cursor_next(cursor, &key, &value, NULL) == 1 &&
	       key_u32_at(key, 0) == account)
		if (row_decode_mailbox(value, &mailbox, NULL) == 0 &&
		    !mailbox.record.is_retired)
			find_blob_in(restore, t, &mailbox, blob);
	cursor_close(&cursor);
	transaction_abort(&t);
}

void
restore_body_read(
    struct snapd *snapd, uint32_t account, uint64_t blob, enum status status)
{
	struct restore_files *files = find(snapd, account, true);

	if (files == NULL || files->is_look)
		return;
	files->beats = 0;
	files->restore->bodies_read++;
	if (status != STATUS_DAMAGED)
		return;
	files->restore->damaged++;
	name_blob(files->restore, account, blob);
}
