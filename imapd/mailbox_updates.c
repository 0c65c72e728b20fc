/*
 * What a session is to be told of its mailbox, in the order in which IMAP wants
 * it: expunges, new messages, \Recent, flags.  A view keeps the list of UIDs
 * that its client knows, and moves on to the folder's as it tells.
 */
#include "imapd/account_state.h"

#include "common/memory.h"

#include <stdlib.h>
#include <string.h>

/* The first number of the view whose UID its folder has no more; 0: none. */
static size_t
first_expunged(const struct mailbox_view *view)
{
	const struct folder *folder = view->folder;
	struct uid_ranges *now = folder->is_gone ? NULL : &folder->list->uids;
	size_t low = 0, high = view->count;

	if (now == &view->list->uids)
		return 0;
	/* Both rise, and before the first difference they are equal. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (now != NULL && uid_ranges_uid(now, middle + 1) ==
				       mailbox_view_uid(view, middle + 1))
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->count ? low + 1 : 0;
}

/* In the place of the view's list. */
static void
take_list(struct mailbox_view *view, struct uid_list *list)
{
	uid_list_release(&view->list);
	view->list = list;
	view->count = list->uids.count;
}

/* A list of the view's own, from which UIDs may be taken. */
static void
own_list(struct mailbox_view *view)
{
	struct uid_list *own;

	if (view->list->references == 1 && view->list != view->folder->list &&
	    view->list->uids.count == view->count)
		return;
	own = uid_list_new();
	uid_ranges_copy(&own->uids, &view->list->uids, view->count);
	take_list(view, own);
}

static bool
next_expunge(struct mailbox_view *view, struct mailbox_update *update)
{
	size_t number = first_expunged(view);

	if (number == 0)
		return false;
	update->kind = UPDATE_EXPUNGE;
	update->number = number;
	update->uid = mailbox_view_uid(view, number);
	own_list(view);
	uid_ranges_remove(&view->list->uids, number);
	view->count--;
	return true;
}

/* So many UIDs of the view from `number` on, one at least, stand without a gap
 * and all are in the folder, or none of them is. */
static size_t
run_from(const struct mailbox_view *view, size_t number, bool *is_there)
{
	struct uid_ranges *now = &view->folder->list->uids;
	uint32_t uid = mailbox_view_uid(view, number);
	size_t run = uid_ranges_run(&view->list->uids, number);
	size_t at = uid_ranges_number_from(now, uid), most;

	if (run > view->count - number + 1)
		run = view->count - number + 1;
	*is_there = !view->folder->is_gone && uid_ranges_uid(now, at) == uid;
	if (view->folder->is_gone || at > now->count)
		return run;
	most =
	    *is_there ? uid_ranges_run(now, at) : uid_ranges_uid(now, at) - uid;
	return run < most ? run : most;
}

size_t
mailbox_view_take_expunged(
    struct mailbox_view *view, uint32_t *uids, size_t max)
{
	size_t from = first_expunged(view), taken = 0, run;
	struct uid_list *kept;
	bool is_there;

	if (from == 0)
		return 0;
	kept = uid_list_new();
	uid_ranges_copy(&kept->uids, &view->list->uids, from - 1);
	for (size_t number = from; number <= view->count; number += run) {
		uint32_t uid = mailbox_view_uid(view, number);

		run = run_from(view, number, &is_there);
		if (!is_there && taken < max && run > max - taken)
			run = max - taken;
		if (is_there || taken == max)
			uid_ranges_append(&kept->uids, uid, (uint32_t)run);
		else
			for (size_t i = 0; i < run; i++)
				uids[taken++] = uid + (uint32_t)i;
	}
	take_list(view, kept);
	return taken;
}

/* New messages, behind what the client knows. While expunges wait, the view
 * keeps a list of its own. */
static bool
next_exists(struct mailbox_view *view, struct mailbox_update *update)
{
	struct folder *folder = view->folder;
	size_t before = view->count;

	if (folder->is_gone)
		return false;
	if (first_expunged(view) == 0) {
		folder->list->references++;
		take_list(view, folder->list);
	} else {
		uint32_t from = mailbox_view_uid(view, before) + 1;

		if (from < view->told_uidnext)
			from = view->told_uidnext;
		own_list(view);
		uid_ranges_append_from(
		    &view->list->uids, &folder->list->uids, from);
		view->count = view->list->uids.count;
	}
	view->told_uidnext = folder->info.uidnext;
	update->kind = UPDATE_EXISTS;
	update->number = view->count;
	return view->count != before;
}

static int
compare_falling(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left == *right ? 0 : *left > *right ? -1 : 1;
}

/* In rising order, each once. */
static bool
next_flags(struct mailbox_view *view, struct mailbox_update *update)
{
	struct mailbox_row row;

	if (!view->is_changed_sorted && view->changed_count > 1)
		qsort(view->changed, view->changed_count, sizeof(uint32_t),
		    compare_falling);
	view->is_changed_sorted = true;
	while (view->changed_count > 0) {
		uint32_t uid = view->changed[--view->changed_count];

		while (view->changed_count > 0 &&
		       view->changed[view->changed_count - 1] == uid)
			view->changed_count--;
		update->number = mailbox_view_number(view, uid);
		if (update->number == 0 || !mailbox_row(view, uid, &row))
			continue;
		update->kind = UPDATE_FLAGS;
		update->uid = uid;
		return true;
	}
	memory_free(&view->changed);
	view->told_modseq = view->folder->info.highest_modseq;
	return false;
}

bool
mailbox_view_next_update(
    struct mailbox_view *view, bool may_expunge, struct mailbox_update *update)
{
	memset(update, 0, sizeof(*update));
	if (view->has_new_keywords) {
		view->has_new_keywords = false;
		update->kind = UPDATE_KEYWORDS;
		return true;
	}
	if (view->has_new_key) {
		view->has_new_key = false;
		update->kind = UPDATE_KEY;
		return true;
	}
	if ((may_expunge && next_expunge(view, update)) ||
	    next_exists(view, update))
		return true;
	if (view->told_recent != view->recent->uids.count) {
		view->told_recent = view->recent->uids.count;
		update->kind = UPDATE_RECENT;
		update->number = mailbox_view_recent_count(view);
		return true;
	}
	return next_flags(view, update);
}

bool
mailbox_view_take_keywords(struct mailbox_view *view)
{
	bool is_new = view->has_new_keywords;

	view->has_new_keywords = false;
	return is_new;
}

bool
mailbox_view_has_updates(const struct mailbox_view *view, bool may_expunge)
{
	const struct folder *folder = view->folder;

	if (view->has_new_keywords || view->has_new_key ||
	    view->changed_count > 0 ||
	    view->told_recent != view->recent->uids.count)
		return true;
	if (!may_expunge)
		return !folder->is_gone &&
		       view->told_uidnext < folder->info.uidnext;
	return folder->is_gone || view->list != folder->list ||
	       view->count != folder->list->uids.count;
}

bool
mailbox_view_misses_only(const struct mailbox_view *view, size_t expunged)
{
	const struct folder *folder = view->folder;
	struct uid_ranges *now = &folder->list->uids;

	if (folder->is_gone || view->has_new_keywords || view->has_new_key ||
	    view->changed_count > 0)
		return false;
	return now->count + expunged == view->count &&
	       (now->count == 0 ||
		   uid_ranges_uid(now, now->count) < view->told_uidnext);
}
