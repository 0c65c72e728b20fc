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
	struct index_row row;

	if (view->folder->is_gone || !folder_row(view->folder, uid, &row))
		return false;
	to->uid = row.uid;
	to->flags = row.flags & FLAG_ALL;
	to->keywords = row.keywords;
	to->modseq = row.modseq;
	to->internaldate = row.internaldate;
	to->size = row.size;
	return true;
}

static size_t
first_unseen_of_past(const struct mailbox_view *view)
{
	const struct past_message *past = view->folder->past;

	for (size_t i = 0; i < view->count; i++)
		if (!(past[i].row.flags & FLAG_SEEN))
			return i + 1;
	return 0;
}

struct unseen_search {
	const struct mailbox_view *view;
	size_t number;
};

/* A message that the view was not told of may stand before. */
static bool
is_unknown_unseen(uint32_t first, uint32_t last, void *context)
{
	struct unseen_search *search = context;
	size_t number = mailbox_view_number_from(search->view, first);

	if (number > search->view->count)
		return false;
	if (mailbox_view_uid(search->view, number) > last)
		return true;
	search->number = number;
	return false;
}

size_t
mailbox_view_first_unseen(const struct mailbox_view *view)
{
	struct unseen_search search = { .view = view };
	struct folder *folder = view->folder;

	if (folder->past != NULL)
		return first_unseen_of_past(view);
	if (!folder->is_gone)
		index_each_run(folder->index, folder->info.id, INDEX_UNSEEN, 1,
		    is_unknown_unseen, &search);
	return search.number;
}

/* -- \Recent -- */

/* UIDs become recent in their order. */
bool
mailbox_view_is_recent(const struct mailbox_view *view, uint32_t uid)
{
	return uid_ranges_number(&view->recent->uids, uid) != 0;
}

size_t
mailbox_view_recent_count(const struct mailbox_view *view)
{
	const struct uid_ranges *recent = &view->recent->uids;
	size_t count = 0;

	for (size_t i = 0; i < recent->range_count; i++) {
		uint32_t first = recent->ranges[i].first;
		uint32_t behind = first + recent->ranges[i].count;

		count += mailbox_view_number_from(view, behind) -
			 mailbox_view_number_from(view, first);
	}
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
	uid_ranges_append_from(
	    &view->recent->uids, &view->list->uids, folder->state.first_recent);
	view->told_recent = view->recent->uids.count;
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
	view->count = folder_count(folder);
	view->recent = uid_list_new();
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
	folder_load(folder);
	*status = account_store_status(account); /* the index may be broken */
	return *status != STATUS_OK
		   ? NULL
		   : view_new(account, folder, is_read_only, handler, context);
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
	uid_list_release(&v->recent);
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
	uid_ranges_append(&claimer->recent->uids, uid, 1);
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
