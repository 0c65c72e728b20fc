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
	put_list(&view->recent->uids, view->recent->uids.count, pool,
	    &memory->recent);
}

/* ---- And back ---- */

static void
append_set(struct uid_ranges *uids, const struct imap_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		uid_ranges_append(uids, set->ranges[i].first,
		    set->ranges[i].last - set->ranges[i].first + 1);
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

	append_set(&own->uids, &memory->uids);
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

	append_set(&view->recent->uids, &memory->recent);
	view->told_recent = memory->told_recent;
	if (view->is_read_only ||
	    folder->state.first_recent == folder->info.uidnext)
		return;
	uid_ranges_append_from(&view->recent->uids, &folder->list->uids,
	    folder->state.first_recent);
	folder->state.first_recent = folder->info.uidnext;
	folder_put(view->account, folder);
}

/* Of these UIDs, what changed behind what the view was told of. */
static void
recall_run(uint32_t first, uint32_t last, void *context)
{
	struct mailbox_view *view = context;
	const struct folder *folder = view->folder;
	size_t number = mailbox_view_number_from(view, first);
	struct index_row row;

	for (; number <= view->count; number++) {
		uint32_t uid = mailbox_view_uid(view, number);

		if (uid > last)
			break;
		if (folder_row(folder, uid, &row) &&
		    row.modseq > view->told_modseq)
			view_add_uid(&view->changed, &view->changed_count, uid);
	}
}

static void
recall_flags(struct mailbox_view *view, const struct mailbox_memory *memory)
{
	const struct folder *folder = view->folder;
	uint64_t after = memory->told_modseq;

	view->told_modseq = after;
	if (folder->info.highest_modseq > after &&
	    !index_each_changed(
		folder->index, folder->info.id, after, recall_run, view))
		recall_run(1, UINT32_MAX, view);
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
		folder_load(folder);
		/* The index may be broken. */
		*status = account_store_status(account);
		if (*status != STATUS_OK)
			return NULL;
	}
	view = memory_new(1, sizeof(*view));
	view->account = account;
	view->folder = folder;
	view->handler = handler;
	view->context = context;
	view->is_read_only = memory->is_read_only;
	view->told_uidnext = memory->told_uidnext;
	view->recent = uid_list_new();
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
