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

	folder->index = account->index;
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

/* -- Messages -- */

size_t
folder_count(const struct folder *folder)
{
	return folder->list->uids.count;
}

uint32_t
folder_uid(const struct folder *folder, size_t position)
{
	return uid_ranges_uid(&folder->list->uids, position + 1);
}

bool
folder_position_of(const struct folder *folder, uint32_t uid, size_t *position)
{
	size_t number = uid_ranges_number(&folder->list->uids, uid);

	*position = number - 1;
	return number != 0;
}

bool
folder_row(const struct folder *folder, uint32_t uid, struct index_row *row)
{
	const struct past_message *past;

	if (folder->past == NULL)
		return index_find_row(folder->index, folder->info.id, uid, row);
	past = folder_past(folder, uid);
	if (past != NULL)
		*row = past->row;
	return past != NULL;
}

struct uid_list *
uid_list_new(void)
{
	struct uid_list *list = memory_new(1, sizeof(*list));

	list->references = 1;
	return list;
}

static bool
append_run(uint32_t first, uint32_t last, void *context)
{
	struct uid_list *list = context;

	uid_ranges_append(&list->uids, first, last - first + 1);
	return true;
}

/* Of the rows that are in the index now. */
static struct uid_list *
list_new(const struct folder *folder)
{
	struct uid_list *list = uid_list_new();

	index_each_run(
	    folder->index, folder->info.id, INDEX_ALL, 1, append_run, list);
	index_check_count(folder->index, folder->info.id, list->uids.count);
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
folder_load(struct folder *folder)
{
	if (folder->list != NULL)
		return;
	folder->list = list_new(folder);
	folder->info.message_count = folder_count(folder);
}

void
folder_unload(struct folder *folder)
{
	uid_list_release(&folder->list);
}

struct folder *
folder_new_gone(const struct mailbox_record *record)
{
	struct folder *folder = memory_new(1, sizeof(*folder));

	folder_describe(&folder->info, record);
	folder->is_gone = true;
	folder->list = uid_list_new();
	return folder;
}

/* -- Mailboxes of the past -- */

struct folder *
folder_new_past(const struct mailbox_record *record)
{
	struct folder *folder = memory_new(1, sizeof(*folder));

	folder_describe(&folder->info, record);
	folder->past = memory_new(1, sizeof(*folder->past));
	folder->list = uid_list_new();
	folder->state.first_recent = UINT32_MAX;
	return folder;
}

void
folder_describe_past(struct folder *folder, const struct mailbox_record *record)
{
	folder_describe(&folder->info, record);
}

void
folder_add_past(struct folder *folder, const struct past_message *past)
{
	size_t count = folder_count(folder);

	if (count >= folder->past_capacity) {
		folder->past_capacity = folder->past_capacity * 2 + 64;
		folder->past = memory_resize(folder->past,
		    folder->past_capacity, sizeof(struct past_message));
	}
	folder->past[count] = *past;
	uid_ranges_append(&folder->list->uids, past->row.uid, 1);
	folder->info.message_count = count + 1;
}

const struct past_message *
folder_past(const struct folder *folder, uint32_t uid)
{
	size_t at;

	return folder->past != NULL && folder_position_of(folder, uid, &at)
		   ? &folder->past[at]
		   : NULL;
}

/* -- Rows that come and go -- */

void
folder_add_row(struct folder *folder, uint32_t uid)
{
	struct uid_ranges *uids;

	folder->info.message_count++;
	if (folder->list == NULL || folder->is_list_stale)
		return;
	uids = &folder->list->uids;
	if (uid > uid_ranges_uid(uids, uids->count))
		uid_ranges_append(uids, uid, 1);
	else
		folder->is_list_stale = true;
}

void
folder_drop_row(struct folder *folder)
{
	if (folder->info.message_count > 0)
		folder->info.message_count--;
	folder->is_list_stale = folder->list != NULL;
}

/* A new one: views know the old one as it was. */
void
folder_settle_list(struct folder *folder)
{
	if (folder->list != NULL && folder->is_list_stale) {
		folder_unload(folder);
		folder_load(folder);
	}
	folder->is_list_stale = false;
}
