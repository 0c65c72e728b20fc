/*
 * Views of sessions that sleep: what is left of a view when its worker has
 * gone, and how a later worker makes one of it that misses nothing.  Which
 * messages the client knows is kept as UIDs, since its sequence numbers hang on
 * them; flags are not: whatever changed behind the MODSEQ that it was told of
 * is told again.
 */
#include "imapd/account_state.h"

#include "common/memory.h"
#include "imapd/mailbox_keys.h"

#include <stdlib.h>
#include <string.h>

/* ---- Who sleeps, and hears of it ---- */

void
account_store_watch(struct account_store *account,
    void (*happened)(uint64_t mailbox, unsigned int what, void *context),
    void *context)
{
	account->watcher_told = happened;
	account->watcher_context = context;
	account->names_told = 0;
	for (size_t i = 0; i < account->folder_count; i++)
		account->folders[i]->told = 0;
}

/* Once: then they are awake. */
void
sleepers_tell(
    struct account_store *account, struct folder *folder, enum happening what)
{
	unsigned int *told =
	    folder == NULL ? &account->names_told : &folder->told;

	if ((*told & what) != 0 || account->watcher_told == NULL)
		return;
	*told |= what;
	account->watcher_told(folder == NULL ? 0 : folder->info.id, what,
	    account->watcher_context);
}

bool
account_store_identity(struct account_store *account, struct store_id *store,
    uint64_t *incarnation)
{
	*store = account->meta.store;
	*incarnation = account->meta.incarnation;
	return account->status == STATUS_OK;
}

/* ---- To sleep ---- */

static void
put_ranges(
    const uint32_t *uids, size_t count, struct pool *pool, struct imap_set *set)
{
	size_t ranges = 0;

	for (size_t i = 0; i < count; i++)
		ranges += i == 0 || uids[i] != uids[i - 1] + 1;
	set->count = 0;
	set->ranges = pool_alloc(pool, ranges, sizeof(*set->ranges));
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || uids[i] != uids[i - 1] + 1)
			set->ranges[set->count++].first = uids[i];
		set->ranges[set->count - 1].last = uids[i];
	}
}

/* Of the first `count` UIDs. */
static void
put_list(const struct uid_ranges *uids, size_t count, struct pool *pool,
    struct imap_set *set)
{
	set->count = 0;
	set->ranges = pool_alloc(pool, uids->range_count, sizeof(*set->ranges));
	for (size_t i = 0; i < uids->range_count; i++) {
		const struct uid_range *range = &uids->ranges[i];
		struct imap_range *to = &set->ranges[set->count];
		size_t left = count - range->before;

		if (range->before >= count)
			break;
		if (left > range->count)
			left = range->count;
		to->first = range->first;
		to->last = range->first + (uint32_t)(left - 1);
		set->count++;
	}
}

bool
mailbox_view_is_past(const struct mailbox_view *view)
{
	return view->folder->past != NULL;
}

void
mailbox_view_remember(const struct mailbox_view *view, struct pool *pool,
    struct mailbox_memory *memory)
{
	const struct mailbox_info *info = &view->folder->info;

	memory->is_past = mailbox_view_is_past(view);
	memory->past_sequence = view->folder->past_sequence;
	memory->mailbox = info->id;
	memory->uidvalidity = info->uidvalidity;
	memory->told_uidnext = view->told_uidnext;
	memory->told_modseq = view->told_modseq;
	memory->told_recent = (uint32_t)view->told_recent;
	memory->keyword_count = (uint8_t)info->keyword_count;
	memory->has_new_keywords = view->has_new_keywords;
	memory->has_new_key = view->has_new_key;
	if (!memory->is_past)
		memory->key = mailbox_key_mark(view->account, info->id);
	memory->is_read_only = view->is_read_only;
	put_list(&view->list->uids, view->count, pool, &memory->uids);
	put_ranges(view->recent, view->recent_count, pool, &memory->recent);
}

/* ---- And back ---- */

static size_t
count_uids(const struct imap_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < set->count; i++)
		count += set->ranges[i].last - set->ranges[i].first + 1;
	return count;
}

static uint32_t *
list_uids(const struct imap_set *set, size_t count)
{
	uint32_t *uids = memory_new(count + 1, sizeof(*uids)), *at = uids;

	for (size_t i = 0; i < set->count; i++) {
		uint32_t uid = set->ranges[i].first;

		do
			*at++ = uid;
		while (uid++ != set->ranges[i].last);
	}
	return uids;
}

static bool
begins_with(struct uid_ranges *uids, const struct uid_ranges *start)
{
	for (size_t i = 0; i < start->range_count; i++) {
		const struct uid_range *range = &start->ranges[i];

		if (uid_ranges_uid(uids, range->before + 1) != range->first ||
		    uid_ranges_uid(uids, range->before + range->count) !=
			range->first + (range->count - 1))
			return false;
	}
	return true;
}

/* The folder's own list, if the client knows its beginning and nothing else. */
static void
recall_list(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	struct uid_list *own = uid_list_new(), *now = view->folder->list;
	const struct imap_set *set = &memory->uids;

	for (size_t i = 0; i < set->count; i++)
		uid_ranges_append(&own->uids, set->ranges[i].first,
		    set->ranges[i].last - set->ranges[i].first + 1);
	view->count = own->uids.count;
	view->list = own;
	if (!begins_with(&now->uids, &own->uids))
		return;
	uid_list_release(&view->list);
	view->list = now;
	now->references++;
}

/* Those that came meanwhile are its own as if it had been there. */
static void
recall_recent(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	struct folder *folder = view->folder;
	size_t count = count_uids(&memory->recent);
	uint32_t *uids = list_uids(&memory->recent, count);

	for (size_t i = 0; i < count; i++)
		view_add_uid(&view->recent, &view->recent_count, uids[i]);
	free(uids);
	view->told_recent = memory->told_recent;
	if (view->is_read_only ||
	    folder->state.first_recent == folder->info.uidnext)
		return;
	for (size_t i = 0; i < folder->row_count; i++)
		if (folder->rows[i].uid >= folder->state.first_recent)
			view_add_uid(&view->recent, &view->recent_count,
			    folder->rows[i].uid);
	folder->state.first_recent = folder->info.uidnext;
	folder_put(view->account, folder);
}

static void
recall_flags(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	const struct folder *folder = view->folder;

	view->told_modseq = memory->told_modseq;
	if (folder->info.highest_modseq <= memory->told_modseq)
		return;
	for (size_t i = 0; i < folder->row_count; i++)
		if (folder->rows[i].modseq > memory->told_modseq &&
		    mailbox_view_number(view, folder->rows[i].uid) != 0)
			view_add_uid(&view->changed, &view->changed_count,
			    folder->rows[i].uid);
}

/* Where there was none no URL is void. */
static bool
has_new_key(struct account_store *account, const struct mailbox_memory *memory)
{
	return memory->has_new_key ||
	       (memory->key != 0 &&
		   memory->key != mailbox_key_mark(account, memory->mailbox));
}

/* Nobody knows it any more; its client hears of that as if he had been
 * there. */
static struct folder *
gone_folder(const struct mailbox_memory *memory)
{
	static struct mailbox_record record;

	memset(&record, 0, sizeof(record));
	record.id = memory->mailbox;
	record.uidvalidity = memory->uidvalidity;
	record.uidnext = memory->told_uidnext;
	record.highest_modseq = memory->told_modseq;
	return folder_new_gone(&record);
}

static void
recall_live(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	struct account_store *account = view->account;
	struct folder *folder = view->folder;

	recall_recent(view, memory);
	recall_flags(view, memory);
	view->has_new_keywords =
	    memory->has_new_keywords ||
	    memory->keyword_count != folder->info.keyword_count;
	view->has_new_key = has_new_key(account, memory);
}

struct mailbox_view *
mailbox_view_recall(struct account_store *account,
    const struct mailbox_memory *memory,
    const struct mailbox_view_handler *handler, void *context,
    enum status *status)
{
	struct folder *folder = folder_find_id(account, memory->mailbox);
	struct mailbox_view *view;

	*status = account_store_status(account);
	if (*status != STATUS_OK)
		return NULL;
	if (folder == NULL || folder->info.uidvalidity != memory->uidvalidity) {
		folder = gone_folder(memory);
	} else {
		watcher_add(account, folder);
		sync_folder_if_changed(account, folder);
		folder_load(account, folder);
	}
	view = memory_new(1, sizeof(*view));
	view->account = account;
	view->folder = folder;
	view->handler = handler;
	view->context = context;
	view->is_read_only = memory->is_read_only;
	view->told_uidnext = memory->told_uidnext;
	recall_list(view, memory);
	if (!folder->is_gone)
		recall_live(view, memory);
	view->next = folder->views;
	folder->views = view;
	return view;
}

void
view_recall_past(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	view->told_uidnext = memory->told_uidnext;
	view->told_modseq = memory->told_modseq;
	/* There may be more by now, of messages that it does not have. */
	view->has_new_keywords = memory->has_new_keywords;
	uid_list_release(&view->list);
	recall_list(view, memory);
}
