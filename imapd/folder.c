/*
 * The mailboxes of an account in memory, in their order, and the rows of those
 * that somebody has open.  account_apply.c says what changes; nothing here asks
 * the store or touches a file.
 */
#include "imapd/account_state.h"

#include "common/log.h"
#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* -- Folders in memory -- */

int
folder_compare_names(struct text a, struct text b)
{
	bool a_inbox = text_is(a, "INBOX"), b_inbox = text_is(b, "INBOX");

	if (a_inbox || b_inbox)
		return (int)b_inbox - (int)a_inbox;
	return text_compare(a, b);
}

static void
clear_info(struct mailbox_info *info)
{
	for (size_t i = 0; i < info->keyword_count; i++)
		free((char *)(uintptr_t)info->keywords[i].data);
	free((struct text *)(uintptr_t)info->keywords);
	free((char *)(uintptr_t)info->name.data);
	memset(info, 0, sizeof(*info));
}

struct text
folder_copy_text(struct text text)
{
	char *copy = memory_new(1, text.size + 1);

	if (text.size > 0)
		memcpy(copy, text.data, text.size);
	return text_make(copy, text.size);
}

void
folder_describe(struct mailbox_info *info, const struct mailbox_record *record)
{
	struct text *keywords =
	    memory_new(record->keyword_count + 1U, sizeof(*keywords));
	size_t count = info->message_count;
	struct text name = folder_copy_text(record->name);

	for (size_t i = 0; i < record->keyword_count; i++)
		keywords[i] = folder_copy_text(record->keywords[i]);
	clear_info(info);
	info->id = record->id;
	info->uidvalidity = record->uidvalidity;
	info->uidnext = record->uidnext;
	info->highest_modseq = record->highest_modseq;
	info->special_use = record->special_use;
	info->message_count = count;
	info->name = name;
	info->keyword_count = record->keyword_count;
	info->keywords = keywords;
}

/* The first that is not before that name; there may be ten thousand. */
static size_t
folder_position(const struct account_store *account, struct text name)
{
	size_t low = 0, high = account->folder_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (folder_compare_names(
			account->folders[middle]->info.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct folder *
folder_find(struct account_store *account, struct text name)
{
	size_t at;

	if (text_is_nocase(name, "INBOX"))
		name = TEXT("INBOX");
	at = folder_position(account, name);
	return at < account->folder_count &&
		       text_equal(account->folders[at]->info.name, name)
		   ? account->folders[at]
		   : NULL;
}

struct folder *
folder_after(const struct account_store *account, struct text name)
{
	size_t at = name.size == 0 ? 0 : folder_position(account, name);

	if (at < account->folder_count && name.size > 0 &&
	    text_equal(account->folders[at]->info.name, name))
		at++;
	return at < account->folder_count ? account->folders[at] : NULL;
}

void
folder_insert(struct account_store *account, struct folder *folder)
{
	size_t at = folder_position(account, folder->info.name);

	account->folders = memory_resize(account->folders,
	    account->folder_count + 1, sizeof(struct folder *));
	memmove(&account->folders[at + 1], &account->folders[at],
	    (account->folder_count - at) * sizeof(struct folder *));
	account->folders[at] = folder;
	account->folder_count++;
	table_put_u64(account->folders_by_id, folder->info.id, folder);
}

void
folder_take(struct account_store *account, const struct folder *folder)
{
	size_t at = 0;

	while (at < account->folder_count && account->folders[at] != folder)
		at++;
	if (at == account->folder_count)
		return;
	table_remove_u64(account->folders_by_id, folder->info.id);
	account->folder_count--;
	memmove(&account->folders[at], &account->folders[at + 1],
	    (account->folder_count - at) * sizeof(struct folder *));
}

void
folder_free(struct folder **folder)
{
	folder_unload(*folder);
	clear_info(&(*folder)->info);
	free((*folder)->directory);
	free((*folder)->past);
	free((*folder)->later);
	memory_free(folder);
}

struct folder *
folder_add(struct account_store *account, const struct mailbox_record *record,
    const struct index_mailbox_state *state)
{
	struct folder *folder = memory_new(1, sizeof(*folder));

	folder_describe(&folder->info, record);
	folder->info.message_count = record->message_count;
	folder->directory = files_directory(record->name);
	if (folder->directory == NULL) {
		log_error("mailbox-name", "mailbox=%llu error=unusable",
		    (unsigned long long)record->id);
		folder_free(&folder);
		return NULL;
	}
	folder->state = *state;
	if (folder->state.first_recent == 0)
		folder->state.first_recent = 1;
	folder_insert(account, folder);
	return folder;
}

/* The folder's record into the index. While there are files that were seen but
 * are not rows yet, it says that the directories were never looked at: whoever
 * starts after us looks again. */
void
folder_put(struct account_store *account, struct folder *folder)
{
	static struct mailbox_record record;
	struct index_mailbox_state state = folder->state;

	memset(&record, 0, sizeof(record));
	record.id = folder->info.id;
	record.uidvalidity = folder->info.uidvalidity;
	record.uidnext = folder->info.uidnext;
	record.highest_modseq = folder->info.highest_modseq;
	record.message_count = folder->info.message_count;
	record.special_use = folder->info.special_use;
	record.name = folder->info.name;
	record.keyword_count = (uint8_t)folder->info.keyword_count;
	for (size_t i = 0; i < folder->info.keyword_count; i++)
		record.keywords[i] = folder->info.keywords[i];
	if (folder->is_adopting || sync_is_unseen(account, folder)) {
		state.cur_changed_ns = 0;
		state.new_changed_ns = 0;
	}
	index_begin(account->index);
	index_put_mailbox(account->index, &record, &state);
	index_commit(account->index);
}

void
folder_raise_modseq(struct folder *folder, uint64_t modseq)
{
	if (modseq > folder->info.highest_modseq)
		folder->info.highest_modseq = modseq;
}

/* -- Rows in memory -- */

void
uid_bounds(size_t count, uint32_t first, uint32_t last, uint32_t uid,
    size_t *low, size_t *high)
{
	*low = 0;
	*high = 0;
	if (count == 0 || uid <= first)
		return;
	if (uid > last) {
		*low = *high = count;
		return;
	}
	*high = uid - first < count - 1 ? uid - first : count - 1;
	if (last - uid < count - 1)
		*low = count - 1 - (last - uid);
}

static size_t
row_position(const struct folder *folder, uint32_t uid)
{
	size_t count = folder->row_count, low, high;

	uid_bounds(count, count == 0 ? 0 : folder->rows[0].uid,
	    count == 0 ? 0 : folder->rows[count - 1].uid, uid, &low, &high);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (folder->rows[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct index_row *
folder_row(const struct folder *folder, uint32_t uid)
{
	size_t at = row_position(folder, uid);

	if (at == folder->row_count || folder->rows[at].uid != uid ||
	    (folder->rows[at].flags & ROW_GONE))
		return NULL;
	return &folder->rows[at];
}

struct uid_list *
uid_list_new(void)
{
	struct uid_list *list = memory_new(1, sizeof(*list));

	list->references = 1;
	return list;
}

/* Of the folder's rows. */
static struct uid_list *
list_new(const struct folder *folder)
{
	struct uid_list *list = uid_list_new();

	for (size_t i = 0; i < folder->row_count; i++)
		uid_ranges_append(&list->uids, folder->rows[i].uid, 1);
	return list;
}

void
uid_list_release(struct uid_list **list)
{
	if (*list != NULL && --(*list)->references == 0) {
		uid_ranges_clear(&(*list)->uids);
		free(*list);
	}
	*list = NULL;
}

void
folder_load(struct account_store *account, struct folder *folder)
{
	if (folder->is_loaded)
		return;
	folder->rows = index_load_rows(
	    account->index, folder->info.id, &folder->row_count);
	folder->row_capacity = folder->row_count;
	folder->is_loaded = true;
	folder->unseen_from = 1;
	folder->list = list_new(folder);
	folder->info.message_count = folder->row_count;
}

void
folder_unload(struct folder *folder)
{
	memory_free(&folder->rows);
	uid_list_release(&folder->list);
	folder->row_count = 0;
	folder->row_capacity = 0;
	folder->is_loaded = false;
}

struct folder *
folder_new_gone(const struct mailbox_record *record)
{
	struct folder *folder = memory_new(1, sizeof(*folder));

	folder_describe(&folder->info, record);
	folder->is_loaded = true;
	folder->is_gone = true;
	folder->list = list_new(folder);
	return folder;
}

/* -- Mailboxes of the past -- */

struct folder *
folder_new_past(const struct mailbox_record *record)
{
	struct folder *folder = memory_new(1, sizeof(*folder));

	folder_describe(&folder->info, record);
	folder->past = memory_new(1, sizeof(*folder->past));
	folder->is_loaded = true;
	folder->list = list_new(folder);
	folder->state.first_recent = UINT32_MAX;
	return folder;
}

void
folder_describe_past(struct folder *folder, const struct mailbox_record *record)
{
	folder_describe(&folder->info, record);
}

void
folder_add_past(struct folder *folder, const struct index_row *row,
    const struct past_message *past)
{
	if (folder->row_count == folder->row_capacity) {
		folder->row_capacity = folder->row_capacity * 2 + 64;
		folder->rows = memory_resize(folder->rows, folder->row_capacity,
		    sizeof(struct index_row));
		folder->past = memory_resize(folder->past, folder->row_capacity,
		    sizeof(struct past_message));
	}
	folder->past[folder->row_count] = *past;
	folder->rows[folder->row_count++] = *row;
	folder->info.message_count = folder->row_count;
	uid_ranges_append(&folder->list->uids, row->uid, 1);
}

/* -- Changing rows in memory -- */

static void
note_unseen(struct folder *folder, const struct index_row *row)
{
	if (!(row->flags & FLAG_SEEN) && row->uid < folder->unseen_from)
		folder->unseen_from = row->uid;
}

void
folder_add_row(struct folder *folder, const struct index_row *row)
{
	size_t at;

	folder->info.message_count++;
	if (!folder->is_loaded)
		return;
	at = row_position(folder, row->uid);
	if (folder->row_count == folder->row_capacity) {
		folder->row_capacity = folder->row_capacity * 2 + 16;
		folder->rows = memory_resize(folder->rows, folder->row_capacity,
		    sizeof(struct index_row));
	}
	memmove(&folder->rows[at + 1], &folder->rows[at],
	    (folder->row_count - at) * sizeof(struct index_row));
	folder->rows[at] = *row;
	folder->row_count++;
	note_unseen(folder, row);
	if (at == folder->row_count - 1) {
		uid_ranges_append(&folder->list->uids, row->uid, 1);
	} else {
		uid_list_release(&folder->list);
		folder->list = list_new(folder);
	}
}

void
folder_set_row(struct folder *folder, const struct index_row *row)
{
	struct index_row *old;

	if (!folder->is_loaded || (old = folder_row(folder, row->uid)) == NULL)
		return;
	*old = *row;
	note_unseen(folder, row);
}

/* Out of the count now, out of the lists at apply_end. */
void
folder_drop_row(struct folder *folder, uint32_t uid)
{
	struct index_row *row;
	size_t at;

	if (folder->info.message_count > 0)
		folder->info.message_count--;
	if (!folder->is_loaded || (row = folder_row(folder, uid)) == NULL)
		return;
	row->flags |= ROW_GONE;
	at = (size_t)(row - folder->rows);
	if (folder->gone_count++ == 0 || at < folder->first_gone)
		folder->first_gone = at;
}

void
folder_take_gone_rows(struct folder *folder)
{
	size_t kept = folder->first_gone;
	struct uid_list *list;

	if (folder->gone_count == 0)
		return;
	list = uid_list_new();
	uid_ranges_copy(&list->uids, &folder->list->uids, kept);
	for (size_t i = kept; i < folder->row_count; i++)
		if (!(folder->rows[i].flags & ROW_GONE)) {
			uid_ranges_append(&list->uids, folder->rows[i].uid, 1);
			folder->rows[kept++] = folder->rows[i];
		}
	folder->row_count = kept;
	folder->gone_count = 0;
	uid_list_release(&folder->list);
	folder->list = list;
}
