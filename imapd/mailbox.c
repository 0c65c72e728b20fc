/*
 * The views of sessions.  See mailbox.h; what a view is told of changes is in
 * mailbox_updates.c, what is left of it while its session sleeps in
 * mailbox_sleep.c, reading messages in mailbox_read.c, what changes rows in
 * account_apply.c, what asks the store for changes in mailbox_change.c.
 */
#include "imapd/mailbox.h"

#include "common/memory.h"
#include "imapd/account_state.h"
#include "imapd/turns.h"

#include <stdlib.h>
#include <string.h>

/* -- UIDs -- */

size_t
mailbox_view_count(const struct mailbox_view *view)
{
	return view->count;
}

uint32_t
mailbox_view_uid(const struct mailbox_view *view, size_t number)
{
	if (number == 0 || number > view->count)
		return 0;
	return uid_ranges_uid(&view->list->uids, number);
}

size_t
mailbox_view_number_from(const struct mailbox_view *view, uint32_t uid)
{
	size_t number = uid_ranges_number_from(&view->list->uids, uid);

	return number > view->count ? view->count + 1 : number;
}

size_t
mailbox_view_number(const struct mailbox_view *view, uint32_t uid)
{
	size_t number = mailbox_view_number_from(view, uid);

	return mailbox_view_uid(view, number) == uid ? number : 0;
}

bool
mailbox_row(
    const struct mailbox_view *view, uint32_t uid, struct mailbox_row *to)
{
	const struct index_row *row;

	if (view->folder->is_gone ||
	    (row = folder_row(view->folder, uid)) == NULL)
		return false;
	to->uid = row->uid;
	to->flags = row->flags & FLAG_ALL;
	to->keywords = row->keywords;
	to->modseq = row->modseq;
	to->internaldate = row->internaldate;
	to->size = row->size;
	return true;
}

size_t
mailbox_view_first_unseen(const struct mailbox_view *view)
{
	struct folder *folder = view->folder;
	size_t n = mailbox_view_number_from(view, folder->unseen_from);
	struct mailbox_row row;

	for (; n <= view->count; n++)
		if (mailbox_row(view, mailbox_view_uid(view, n), &row) &&
		    !(row.flags & FLAG_SEEN))
			break;
	/* A view that was not told of all does not know what lies between. */
	if (view->list == folder->list && !folder->is_gone)
		folder->unseen_from = n > view->count
					  ? folder->info.uidnext
					  : mailbox_view_uid(view, n);
	return n > view->count ? 0 : n;
}

/* -- \Recent -- */

/* UIDs become recent in their order. */
bool
mailbox_view_is_recent(const struct mailbox_view *view, uint32_t uid)
{
	size_t count = view->recent_count, low, high;

	uid_bounds(count, count == 0 ? 0 : view->recent[0],
	    count == 0 ? 0 : view->recent[count - 1], uid, &low, &high);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->recent[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->recent_count && view->recent[low] == uid;
}

size_t
mailbox_view_recent_count(const struct mailbox_view *view)
{
	size_t count = 0;

	for (size_t i = 0; i < view->recent_count; i++)
		if (mailbox_view_number(view, view->recent[i]) != 0)
			count++;
	return count;
}

void
view_add_uid(uint32_t **uids, size_t *count, uint32_t uid)
{
	if ((*count & (*count - 1)) == 0)
		*uids = memory_resize(
		    *uids, *count == 0 ? 1 : *count * 2, sizeof(uint32_t));
	(*uids)[(*count)++] = uid;
}

/* The messages nobody was told of become recent in this view. */
static void
claim_recent(struct mailbox_view *view)
{
	struct folder *folder = view->folder;

	if (folder->past != NULL)
		return;
	for (size_t n =
		 mailbox_view_number_from(view, folder->state.first_recent);
	     n <= view->count; n++)
		view_add_uid(&view->recent, &view->recent_count,
		    mailbox_view_uid(view, n));
	view->told_recent = view->recent_count;
	if (view->is_read_only ||
	    folder->state.first_recent == folder->info.uidnext)
		return;
	folder->state.first_recent = folder->info.uidnext;
	folder_put(view->account, folder);
}

/* -- Opening -- */

struct mailbox_view *
view_new(struct account_store *account, struct folder *folder,
    bool is_read_only, const struct mailbox_view_handler *handler,
    void *context)
{
	struct mailbox_view *view = memory_new(1, sizeof(*view));

	view->account = account;
	view->folder = folder;
	view->handler = handler;
	view->context = context;
	view->is_read_only = is_read_only;
	view->list = folder->list;
	view->list->references++;
	view->count = folder->row_count;
	view->told_uidnext = folder->info.uidnext;
	view->told_modseq = folder->info.highest_modseq;
	view->next = folder->views;
	folder->views = view;
	claim_recent(view);
	return view;
}

struct mailbox_view *
mailbox_view_open(struct account_store *account, struct text name,
    bool is_read_only, const struct mailbox_view_handler *handler,
    void *context, enum status *status)
{
	struct folder *folder = folder_find(account, name);

	*status = account_store_status(account);
	if (*status == STATUS_OK && folder == NULL)
		*status = STATUS_MISSING;
	if (*status != STATUS_OK)
		return NULL;
	sync_folder_if_changed(account, folder);
	watcher_add_soon(account, folder);
	folder_load(account, folder);
	return view_new(account, folder, is_read_only, handler, context);
}

void
mailbox_view_close(struct mailbox_view **view)
{
	struct mailbox_view *v = *view, **at;
	struct account_store *account;
	struct folder *folder;

	if (v == NULL)
		return;
	account = v->account;
	folder = v->folder;
	turns_forget(account, v);
	for (at = &folder->views; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	uid_list_release(&v->list);
	free(v->recent);
	free(v->changed);
	memory_free(view);
	if (folder->past != NULL && folder->views == NULL)
		snapshot_close_folder(account, folder);
	else if (folder->is_gone && folder->views == NULL)
		folder_free(&folder);
}

const struct mailbox_info *
mailbox_view_info(struct mailbox_view *view)
{
	return &view->folder->info;
}

bool
mailbox_view_is_read_only(const struct mailbox_view *view)
{
	return view->is_read_only;
}

bool
mailbox_view_is_gone(const struct mailbox_view *view)
{
	return view->folder->is_gone;
}

/* -- What happened, from account_apply.c -- */

void
view_notify_soon(struct mailbox_view *view)
{
	if (view->is_pending)
		return;
	view->is_pending = true;
	timer_start(view->account->notify_timer, 0);
}

void
view_message_added(struct folder *folder, uint32_t uid)
{
	struct mailbox_view *claimer = NULL;

	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next) {
		view_notify_soon(v);
		if (claimer == NULL && !v->is_read_only)
			claimer = v;
	}
	if (claimer == NULL || uid < folder->state.first_recent)
		return;
	view_add_uid(&claimer->recent, &claimer->recent_count, uid);
	folder->state.first_recent = uid + 1;
}

void
view_flags_changed(
    struct folder *folder, uint32_t uid, const struct mailbox_view *origin)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next) {
		if (v == origin || mailbox_view_number(v, uid) == 0)
			continue;
		view_add_uid(&v->changed, &v->changed_count, uid);
		v->is_changed_sorted = false;
		view_notify_soon(v);
	}
}

void
view_message_removed(struct folder *folder)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next)
		view_notify_soon(v);
}

void
view_keywords_changed(struct folder *folder)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next) {
		v->has_new_keywords = true;
		view_notify_soon(v);
	}
}

void
view_key_changed(struct folder *folder)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next) {
		v->has_new_key = true;
		view_notify_soon(v);
	}
}

void
view_folder_gone(struct folder *folder)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next)
		v->handler->changed(v, v->context);
}
