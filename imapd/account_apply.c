/*
 * Brings a change that the store has committed into index, memory, Maildir
 * and views, in this one place for all of them.  Applying a change twice is
 * harmless: after a crash, and where the list of changes overlaps with the
 * answers to our own batches, it happens.
 */
#include "imapd/account_state.h"

#include "common/file.h"
#include "common/log.h"
#include "common/maildir.h"
#include "common/memory.h"
#include "imapd/mailbox_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	APPLY_FLUSH = 4096 /* rows in one transaction of the index */
};

/* -- Many changes at a time -- */

void
apply_begin(struct account_store *account)
{
	if (account->applying++ == 0) {
		account->has_new_names = false;
		directories_hold(account);
	}
	index_begin(account->index);
}

/* Before each change of a row. Half a batch in the index is harmless: it is
 * not confirmed before all of it is there. What the kernel tells of our own
 * changes is read before its queue of 16,384 runs over. */
static void
touch(struct account_store *account, struct folder *folder)
{
	if (++account->unflushed % APPLY_FLUSH == 0) {
		index_flush(account->index);
		watcher_read(account);
	}
	if (folder->is_touched)
		return;
	folder->is_touched = true;
	folder->was_current = sync_begin_change(account, folder);
	folder->next_touched = account->touched;
	account->touched = folder;
}

static void
untouch(struct account_store *account, struct folder *folder)
{
	struct folder **at = &account->touched;

	while (*at != NULL && *at != folder)
		at = &(*at)->next_touched;
	if (*at != NULL)
		*at = folder->next_touched;
	folder->is_touched = false;
}

void
apply_end(struct account_store *account)
{
	struct folder *folder;

	if (--account->applying == 0) {
		for (folder = account->touched; folder != NULL;
		     folder = folder->next_touched)
			later_follow(account, folder);
		directories_release(account);
		while ((folder = account->touched) != NULL) {
			account->touched = folder->next_touched;
			folder->is_touched = false;
			folder_settle_list(folder);
			if (folder->was_current)
				sync_end_change(account, folder);
			folder_put(account, folder);
		}
		quota_look(account);
	}
	/* A message that is added may be added again, what no file follows yet
	 * is done again, and of a file that was renamed is noted that we are at
	 * it. One that was moved or removed may not be forgotten. */
	if (account->has_new_names)
		index_commit(account->index);
	else if (index_commit_later(account->index))
		account_commit_soon(account);
}

/* -- Messages -- */

/* A leap counts as a change of all that was there: what mail programs saw of
 * it in the time that the store has lost may have been otherwise. */
static uint64_t
modseq_after_leap(const struct folder *folder, uint64_t modseq)
{
	uint64_t highest = folder->info.highest_modseq;
	uint64_t leap = highest - highest % RECORD_MODSEQ_PART;

	return modseq < leap ? leap : modseq;
}

static void
row_of_record(const struct folder *folder, const struct message_record *record,
    struct index_row *row)
{
	row->uid = record->uid;
	row->flags = record->flags;
	row->keywords = record->keywords;
	row->modseq = modseq_after_leap(folder, record->modseq);
	row->internaldate = record->internaldate;
	row->size = record->size;
}

/* BASE,S=size,W=wire size and the flags; `buf` holds the name. */
static int
name_file(const struct message_record *record, struct index_file *file,
    struct buf *buf)
{
	char whole[RECORD_MAX_BASE_SIZE + 64];

	snprintf(whole, sizeof(whole), "%.*s,S=%llu,W=%llu",
	    TEXT_FMT(record->base), (unsigned long long)record->stored_size,
	    (unsigned long long)record->size);
	file->is_new = (record->flags & FLAG_ALL) == 0 && record->keywords == 0;
	if (maildir_name_format(text_of(whole), file->is_new, record->flags,
		record->keywords, buf) == -1) {
		buf_reset(buf);
		if (maildir_name_format(record->base, file->is_new,
			record->flags, record->keywords, buf) == -1)
			return -1;
	}
	file->name = text_make(buf->data, buf->size);
	file->base = record->base;
	return 0;
}

static void
file_of_record(const struct message_record *record, struct index_file *file)
{
	file->born = record->born;
	file->blob = record->blob;
	file->stored_size = record->stored_size;
	file->hash = record->hash;
	file->form = record->form;
	file->cache_number = 0;
	file->has_new_flags = false;
	file->is_being_named = false;
}

/* A file is not as its row says: the next look at the folder, in this life or
 * another, finds out. */
static void
look_again(struct account_store *account, struct folder *folder)
{
	folder->needs_scan = true;
	folder->was_current = false;
	folder->state.cur_changed_ns = 0;
	watcher_look_later(account);
}

/* Another name for the same bytes, which nobody changes in place; where that
 * cannot be, a copy of them. */
static bool
copy_file(struct account_store *account, struct folder *folder,
    const struct message_record *record, const struct index_file *file,
    const struct message_source *source)
{
	struct message_source bytes = { .fd = -1 };
	struct index_file old;
	struct error error;
	bool is_made;

	if (!index_find_file(account->index, source->copied_from->info.id,
		source->source_uid, &old))
		return false;
	if (files_link(
		account, source->copied_from, &old, folder, file, &error) == 0)
		return true;
	bytes.fd = files_open(account, source->copied_from, &old, &error);
	if (bytes.fd == -1)
		return false;
	is_made = files_write(account, folder, file, record->internaldate,
		      &bytes, &error) == 0;
	close(bytes.fd);
	if (!is_made)
		log_warning("file-write", "error=\"%s\"", error.text);
	return is_made;
}

/* What a restore brings back may have a file that was still to be removed. */
static void
drop_dead_file(
    struct account_store *account, struct folder *folder, uint32_t uid)
{
	struct index_file file;

	if (!index_find_file(account->index, folder->info.id, uid, &file))
		return;
	account->has_new_names = true;
	(void)files_unlink(account, folder, &file);
	index_forget_file(account->index, folder->info.id, uid);
}

/* Makes the file of a new row: moved, written, or asked from the store. */
static void
make_file(struct account_store *account, struct folder *folder,
    const struct message_record *record, struct index_file *file,
    const struct message_source *source)
{
	struct index_file old;
	struct error error;
	bool is_made = false;

	if (source != NULL && source->is_assumed)
		return;
	if (source != NULL && source->moved_from != NULL) {
		account->has_new_names = true;
		is_made =
		    index_find_file(account->index, source->moved_from->info.id,
			source->source_uid, &old) &&
		    files_rename(account, source->moved_from, &old, folder,
			file, &error) == 0;
	} else if (source != NULL && source->copied_from != NULL) {
		is_made = copy_file(account, folder, record, file, source);
	} else if (source != NULL) {
		is_made = files_write(account, folder, file,
			      record->internaldate, source, &error) == 0;
		if (!is_made)
			log_warning("file-write", "error=\"%s\"", error.text);
	}
	if (is_made)
		return;
	look_again(account, folder);
	sync_heal(account, record->mailbox, record->uid, false);
}

static void
add_message(struct account_store *account, struct folder *folder,
    const struct message_record *record, const struct message_source *source)
{
	struct index_file file;
	struct index_row row;
	struct buf buf;

	buf_init(&buf, 2 * MAILDIR_MAX_NAME);
	drop_dead_file(account, folder, record->uid);
	file_of_record(record, &file);
	row_of_record(folder, record, &row);
	if (name_file(record, &file, &buf) == -1) {
		log_error("file-name", "mailbox=%llu uid=%u error=unusable",
		    (unsigned long long)record->mailbox, record->uid);
		file.name = record->base;
	}
	make_file(account, folder, record, &file, source);
	index_put_row(account->index, record->mailbox, &row);
	index_count_cache(account->index, &record->hash, 1);
	if (source != NULL && source->moved_from == NULL && !source->is_assumed)
		cache_fill(account, &record->hash, source, record->stored_size);
	file.cache_number = index_cache_number(account->index, &record->hash);
	index_put_file(account->index, record->mailbox, record->uid, &file);
	buf_clear(&buf);
	folder_add_row(folder, record->uid);
	view_message_added(folder, record->uid);
	events_messages(account, folder, HAPPENED_NEW);
}

void
apply_file_name(struct account_store *account, struct folder *folder,
    const struct message_record *record)
{
	struct index_file old, new;
	struct maildir_name name;
	struct error error;
	struct buf kept, buf;

	if (!index_find_file(
		account->index, record->mailbox, record->uid, &old))
		return;
	buf_init(&buf, 2 * MAILDIR_MAX_NAME);
	buf_init(&kept, 4 * MAILDIR_MAX_NAME);
	buf_put(&kept, old.name.data, old.name.size);
	buf_put(&kept, old.base.data, old.base.size);
	old.base = text_make(kept.data + old.name.size, old.base.size);
	old.name = text_make(kept.data, old.name.size);
	new = old;
	new.born = record->born;
	new.has_new_flags = false;
	new.is_being_named = false;
	new.is_new = old.is_new && (record->flags & FLAG_ALL) == 0 &&
		     record->keywords == 0;
	if (maildir_name_parse(old.name, &name) == 0 &&
	    maildir_name_format(name.whole, new.is_new, record->flags,
		record->keywords, &buf) == 0) {
		new.name = text_make(buf.data, buf.size);
		if (files_rename(account, folder, &old, folder, &new, &error) ==
		    -1) {
			new.name = old.name;
			new.is_new = old.is_new;
			look_again(account, folder);
		}
	}
	index_put_file(account->index, record->mailbox, record->uid, &new);
	buf_clear(&buf);
	buf_clear(&kept);
}

static void
change_message(struct account_store *account, struct folder *folder,
    const struct message_record *record, const struct index_row *old,
    const struct mailbox_view *origin, bool is_later)
{
	struct index_row row;
	bool has_other_name;

	row_of_record(folder, record, &row);
	has_other_name = ((row.flags ^ old->flags) & FLAG_ALL) != 0 ||
			 row.keywords != old->keywords;
	if (has_other_name)
		later_add(account, folder, row.uid, is_later);
	index_put_row(account->index, record->mailbox, &row);
	view_flags_changed(folder, row.uid, origin);
	events_messages(account, folder, HAPPENED_FLAGS);
}

void
apply_message(struct account_store *account,
    const struct message_record *record, const struct message_source *source,
    const struct mailbox_view *origin)
{
	struct folder *folder = folder_find_id(account, record->mailbox);
	struct index_row old;

	if (folder == NULL)
		return;
	apply_begin(account);
	touch(account, folder);
	if (record->uid >= folder->info.uidnext)
		folder->info.uidnext = record->uid + 1;
	if (!index_find_row(account->index, record->mailbox, record->uid, &old))
		add_message(account, folder, record, source);
	else if (record->modseq > old.modseq)
		change_message(account, folder, record, &old, origin, false);
	folder_raise_modseq(folder, record->modseq);
	apply_end(account);
}

void
apply_flags(struct account_store *account, const struct message_record *record,
    const struct mailbox_view *origin, bool is_later)
{
	struct folder *folder = folder_find_id(account, record->mailbox);
	struct message_record whole = *record;
	struct index_row old;

	if (folder == NULL)
		return;
	apply_begin(account);
	touch(account, folder);
	if (index_find_row(
		account->index, record->mailbox, record->uid, &old) &&
	    record->modseq > old.modseq) {
		whole.flags |= old.flags & RECORD_MISSING;
		whole.internaldate = old.internaldate;
		whole.size = old.size;
		change_message(account, folder, &whole, &old, origin, is_later);
	}
	folder_raise_modseq(folder, record->modseq);
	apply_end(account);
}

/* The row goes, its file does now or later. */
static void
remove_message(struct account_store *account, struct folder *folder,
    uint32_t uid, uint64_t modseq, bool is_later)
{
	uint64_t mailbox = folder->info.id;
	struct index_file file;

	index_remove_row(account->index, mailbox, uid, modseq);
	if (is_later)
		later_add(account, folder, uid, true);
	else if (!index_find_file(account->index, mailbox, uid, &file) ||
		 files_unlink(account, folder, &file) == 0)
		index_forget_file(account->index, mailbox, uid);
	else /* Its name stays known, as one of a dead row. */
		look_again(account, folder);
	folder_drop_row(folder);
}

void
apply_expunge(struct account_store *account, uint64_t mailbox, uint32_t uid,
    uint64_t modseq, bool is_later)
{
	struct folder *folder = folder_find_id(account, mailbox);
	struct index_row row;

	if (folder == NULL)
		return;
	apply_begin(account);
	if (!is_later)
		account->has_new_names = true;
	touch(account, folder);
	if (index_find_row(account->index, mailbox, uid, &row)) {
		remove_message(account, folder, uid, modseq, is_later);
		view_message_removed(folder);
		events_messages(account, folder, HAPPENED_EXPUNGE);
	}
	folder_raise_modseq(folder, modseq);
	apply_end(account);
}

/* -- Mailboxes -- */

static void
retire(struct account_store *account, struct folder *folder)
{
	struct index_file file;

	folder_load(folder);
	later_finish(account, folder);
	for (size_t i = 0; i < folder_count(folder); i++)
		if (index_find_file(account->index, folder->info.id,
			folder_uid(folder, i), &file))
			files_unlink(account, folder, &file);
	watcher_remove(account, folder);
	files_remove_folder(account, folder);
	index_remove_mailbox(account->index, folder->info.id);
	mailbox_key_forget(account, folder->info.id);
	untouch(account, folder);
	list_folder_adopted(account, folder);
	folder_take(account, folder);
	folder->is_gone = true;
	sleepers_tell(account, folder, HAPPENED_GONE);
	events_name(account, text_make(NULL, 0), folder->info.name);
	if (folder->views == NULL)
		folder_free(&folder);
	else
		view_folder_gone(folder);
}

static void
rename_folder(struct account_store *account, struct folder *folder,
    const struct mailbox_record *record)
{
	char *directory = files_directory(record->name);
	char old_name[RECORD_MAX_NAME_SIZE + 1];
	struct error error;

	if (directory == NULL)
		return;
	(void)text_copy(folder->info.name, old_name, sizeof(old_name));
	folder_take(account, folder);
	folder_describe(&folder->info, record);
	if (files_rename_folder(account, folder, directory, &error) == -1) {
		log_warning("folder-rename", "mailbox=%llu error=\"%s\"",
		    (unsigned long long)folder->info.id, error.text);
		folder->needs_scan = true;
	}
	free(folder->directory);
	folder->directory = directory;
	folder_insert(account, folder);
	events_name(account, folder->info.name, text_of(old_name));
}

static void
create_folder(
    struct account_store *account, const struct mailbox_record *record)
{
	/* What vanished from it before, if any did, only the store knows. */
	const struct index_mailbox_state state = {
		.vanished_after =
		    record->uidnext == 1 ? 0 : record->highest_modseq
	};
	struct folder *folder = folder_add(account, record, &state);
	struct error error;

	if (folder == NULL)
		return;
	folder->info.message_count = 0;
	/* At the start another one may stand in its place (sync_folders). */
	if (account->status == STATUS_OK &&
	    files_make_folder(account, folder, &error) == -1)
		log_warning("folder-make", "mailbox=%llu error=\"%s\"",
		    (unsigned long long)record->id, error.text);
	folder_put(account, folder);
	events_name(account, folder->info.name, text_make(NULL, 0));
}

void
apply_mailbox(
    struct account_store *account, const struct mailbox_record *record)
{
	struct folder *folder = folder_find_id(account, record->id);

	apply_begin(account);
	account->has_new_names = true;
	if (record->is_retired) {
		if (folder != NULL)
			retire(account, folder);
	} else if (folder == NULL) {
		create_folder(account, record);
	} else {
		size_t keywords = folder->info.keyword_count;
		uint64_t modseq = folder->info.highest_modseq;
		uint32_t uidnext = folder->info.uidnext;

		if (!text_equal(folder->info.name, record->name))
			rename_folder(account, folder, record);
		else
			folder_describe(&folder->info, record);
		if (folder->info.uidnext < uidnext)
			folder->info.uidnext = uidnext;
		folder_raise_modseq(folder, modseq);
		folder_put(account, folder);
		if (folder->info.keyword_count != keywords) {
			view_keywords_changed(folder);
			sleepers_tell(account, folder, HAPPENED_FLAGS);
		}
	}
	apply_end(account);
}

void
apply_subscribed(
    struct account_store *account, struct text name, bool is_subscribed)
{
	if (!list_note_subscribed(account, name, is_subscribed))
		return;
	index_begin(account->index);
	index_put_subscribed(account->index, name, is_subscribed);
	index_commit(account->index);
	events_subscription(account, name);
}

/* -- Listings -- */

void
apply_change(struct account_store *account, const struct change_record *change)
{
	switch (change->kind) {
	case CHANGE_MESSAGE:
		apply_message(account, &change->message, NULL, NULL);
		break;
	case CHANGE_EXPUNGE:
		apply_expunge(account, change->message.mailbox,
		    change->message.uid, change->message.modseq, false);
		break;
	case CHANGE_MAILBOX:
		apply_mailbox(account, &change->mailbox);
		break;
	case CHANGE_SUBSCRIBE:
		apply_subscribed(
		    account, change->name, change->is_subscribed != 0);
		break;
	case CHANGE_PAST: /* not in these listings */
		break;
	}
}

int
apply_listing(struct account_store *account, struct text data)
{
	static struct change_record change;
	struct reader r;
	int more;

	reader_init(&r, data.data, data.size);
	apply_begin(account);
	while ((more = record_get_change(&r, &change)) == 1)
		apply_change(account, &change);
	apply_end(account);
	return more;
}

void
apply_sequence(struct account_store *account, uint64_t sequence)
{
	if (sequence <= account->applied)
		return;
	account->applied = sequence;
	account_witness_write_soon(account);
}
