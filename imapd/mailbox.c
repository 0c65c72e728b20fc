/*
 * The views of sessions, and reading messages.  See mailbox.h; what changes
 * rows is in account_apply.c, what asks the store for changes in
 * mailbox_change.c.
 */
#include "imapd/mailbox.h"

#include "common/log.h"
#include "common/memory.h"
#include "imapd/account_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- UIDs -- */

static void
release_list(struct uid_list **list)
{
	if (*list != NULL && --(*list)->references == 0) {
		free((*list)->uids);
		free(*list);
	}
	*list = NULL;
}

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
	return view->list->uids[number - 1];
}

size_t
mailbox_view_number_from(const struct mailbox_view *view, uint32_t uid)
{
	size_t low = 0, high = view->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (view->list->uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low + 1;
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
	struct mailbox_row row;

	for (size_t n = 1; n <= view->count; n++)
		if (mailbox_row(view, view->list->uids[n - 1], &row) &&
		    !(row.flags & FLAG_SEEN))
			return n;
	return 0;
}

/* -- \Recent -- */

/* UIDs become recent in their order. */
bool
mailbox_view_is_recent(const struct mailbox_view *view, uint32_t uid)
{
	size_t low = 0, high = view->recent_count;

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

static void
add_uid(uint32_t **uids, size_t *count, uint32_t uid)
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
		add_uid(&view->recent, &view->recent_count,
		    view->list->uids[n - 1]);
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
	watcher_add(account, folder);
	sync_folder_if_changed(account, folder);
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
	for (at = &folder->views; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	release_list(&v->list);
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
	add_uid(&claimer->recent, &claimer->recent_count, uid);
	folder->state.first_recent = uid + 1;
}

void
view_flags_changed(
    struct folder *folder, uint32_t uid, const struct mailbox_view *origin)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next) {
		if (v == origin || mailbox_view_number(v, uid) == 0)
			continue;
		add_uid(&v->changed, &v->changed_count, uid);
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
view_folder_gone(struct folder *folder)
{
	for (struct mailbox_view *v = folder->views; v != NULL; v = v->next)
		v->handler->changed(v, v->context);
}

/* -- Updates -- */

/* The view's first UID that its folder has no more; 0: none. */
static size_t
first_expunged(const struct mailbox_view *view)
{
	const struct folder *folder = view->folder;
	const struct uid_list *now = folder->is_gone ? NULL : folder->list;
	size_t low = 0, high = view->count;

	if (now == view->list)
		return 0;
	/* Both rise, and before the first difference they are equal. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (now != NULL && middle < now->count &&
		    now->uids[middle] == view->list->uids[middle])
			low = middle + 1;
		else
			high = middle;
	}
	return low < view->count ? low + 1 : 0;
}

/* A list of the view's own, from which UIDs may be taken. */
static void
own_list(struct mailbox_view *view)
{
	struct uid_list *own;

	if (view->list->references == 1 && view->list != view->folder->list)
		return;
	own = memory_new(1, sizeof(*own));
	own->references = 1;
	own->count = view->count;
	own->capacity = view->count + 1;
	own->uids = memory_new(own->capacity, sizeof(uint32_t));
	memcpy(own->uids, view->list->uids, view->count * sizeof(uint32_t));
	release_list(&view->list);
	view->list = own;
}

static bool
next_expunge(struct mailbox_view *view, struct mailbox_update *update)
{
	size_t number = first_expunged(view);

	if (number == 0)
		return false;
	update->kind = UPDATE_EXPUNGE;
	update->number = number;
	update->uid = view->list->uids[number - 1];
	own_list(view);
	view->count--;
	memmove(&view->list->uids[number - 1], &view->list->uids[number],
	    (view->count - number + 1) * sizeof(uint32_t));
	view->list->count = view->count;
	return true;
}

size_t
mailbox_view_take_expunged(
    struct mailbox_view *view, uint32_t *uids, size_t max)
{
	const struct folder *folder = view->folder;
	size_t from = first_expunged(view), kept, at, taken = 0;
	size_t count = folder->is_gone ? 0 : folder->list->count;

	if (from == 0)
		return 0;
	own_list(view);
	kept = at = from - 1;
	for (size_t i = kept; i < view->count; i++) {
		uint32_t uid = view->list->uids[i];

		while (at < count && folder->list->uids[at] < uid)
			at++;
		if (taken == max ||
		    (at < count && folder->list->uids[at] == uid))
			view->list->uids[kept++] = uid;
		else
			uids[taken++] = uid;
	}
	view->count = view->list->count = kept;
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
		if (view->list != folder->list) {
			release_list(&view->list);
			view->list = folder->list;
			view->list->references++;
		}
		view->count = folder->list->count;
	} else {
		uint32_t last = before == 0 ? 0 : view->list->uids[before - 1];
		size_t at = folder->row_count;

		own_list(view);
		while (at > 0 && folder->rows[at - 1].uid > last &&
		       folder->rows[at - 1].uid >= view->told_uidnext)
			at--;
		view->list->uids = memory_resize(view->list->uids,
		    before + folder->row_count - at + 1, sizeof(uint32_t));
		for (; at < folder->row_count; at++)
			view->list->uids[view->count++] = folder->rows[at].uid;
		view->list->count = view->count;
		view->list->capacity = view->count + 1;
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
	if ((may_expunge && next_expunge(view, update)) ||
	    next_exists(view, update))
		return true;
	if (view->told_recent != view->recent_count) {
		view->told_recent = view->recent_count;
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
mailbox_view_has_updates(const struct mailbox_view *view)
{
	return view->has_new_keywords || view->changed_count > 0 ||
	       view->folder->is_gone || view->list != view->folder->list ||
	       view->count != view->folder->list->count ||
	       view->told_recent != view->recent_count;
}

bool
mailbox_view_misses_only(const struct mailbox_view *view, size_t expunged)
{
	const struct folder *folder = view->folder;
	const struct uid_list *now = folder->list;

	if (folder->is_gone || view->has_new_keywords ||
	    view->changed_count > 0)
		return false;
	return now->count + expunged == view->count &&
	       (now->count == 0 ||
		   now->uids[now->count - 1] < view->told_uidnext);
}

/* -- Reading -- */

struct reading {
	struct reading *next;
	struct account_store *account;
	uint64_t mailbox;
	uint32_t uid;
	bool is_past;
	uint8_t form;
	uint64_t wire_size;
	void (*done)(enum status status, struct mailbox_body *body,
	    void *context); /* NULL: cancelled */
	void *context;
};

static void
finish_reading(
    struct reading *reading, enum status status, int *fd, uint64_t size)
{
	struct reading **at = &reading->account->readings;
	struct mailbox_body body = { *fd, size, reading->form,
		reading->wire_size };

	while (*at != reading)
		at = &(*at)->next;
	*at = reading->next;
	if (reading->done != NULL)
		reading->done(status, &body, reading->context);
	*fd = body.fd;
	free(reading);
}

static void
read_from_store(enum status status, const struct text *envelope,
    struct store_body *body, void *context)
{
	struct reading *reading = context;
	int fd = -1;

	if (status == STATUS_OK && (fd = store_body_take(body)) == -1)
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK && !reading->is_past)
		sync_heal(
		    reading->account, reading->mailbox, reading->uid, false);
	finish_reading(reading, status, &fd, body->size);
	if (fd != -1)
		close(fd);
}

static void
ask_store(struct mailbox_view *view, const struct mailbox_row *row,
    uint64_t blob, uint8_t form,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct account_store *account = view->account;
	struct reading *reading = memory_new(1, sizeof(*reading));

	reading->account = account;
	reading->mailbox = view->folder->info.id;
	reading->uid = row->uid;
	reading->is_past = view->folder->past != NULL;
	reading->form = form;
	reading->wire_size = row->size;
	reading->done = done;
	reading->context = context;
	reading->next = account->readings;
	account->readings = reading;
	store_read_blob(account->client, blob, read_from_store, reading);
}

/* NULL if the mailbox is not of the past, or has no such message. */
static const struct past_message *
past_message(const struct mailbox_view *view, uint32_t uid)
{
	const struct folder *folder = view->folder;
	const struct index_row *row = folder_row(folder, uid);

	return folder->past == NULL || row == NULL
		   ? NULL
		   : &folder->past[row - folder->rows];
}

void
mailbox_read(struct mailbox_view *view, uint32_t uid,
    void (*done)(enum status status, struct mailbox_body *body, void *context),
    void *context)
{
	struct account_store *account = view->account;
	struct mailbox_body body = { .fd = -1 };
	const struct past_message *past;
	struct index_file file;
	struct mailbox_row row;
	struct error error;

	past = past_message(view, uid);
	if (past != NULL && mailbox_row(view, uid, &row)) {
		ask_store(view, &row, past->blob, past->form, done, context);
		return;
	}
	if (view->folder->past != NULL || !mailbox_row(view, uid, &row) ||
	    !index_find_file(
		account->index, view->folder->info.id, uid, &file)) {
		done(STATUS_MISSING, &body, context);
		return;
	}
	body.fd = files_open(account, view->folder, &file, &error);
	if (body.fd == -1) {
		ask_store(view, &row, file.blob, file.form, done, context);
		return;
	}
	body.size = file.stored_size;
	body.form = file.form;
	body.wire_size = row.size;
	done(STATUS_OK, &body, context);
	if (body.fd != -1)
		close(body.fd);
}

void
mailbox_read_cancel(struct account_store *account, void *context)
{
	for (struct reading *r = account->readings; r != NULL; r = r->next)
		if (r->context == context)
			r->done = NULL;
}

/* -- The cache -- */

/* What a message holds; false if it is gone. */
static bool
content_hash(const struct mailbox_view *view, uint32_t uid, struct hash *hash)
{
	const struct past_message *past = past_message(view, uid);
	struct index_file file;

	if (past != NULL) {
		*hash = past->hash;
		return true;
	}
	if (view->folder->past != NULL ||
	    !index_find_file(
		view->account->index, view->folder->info.id, uid, &file))
		return false;
	*hash = file.hash;
	return true;
}

bool
mailbox_cache_find(struct mailbox_view *view, uint32_t uid, struct text *bytes)
{
	struct hash hash;

	return content_hash(view, uid, &hash) &&
	       index_find_cache(view->account->index, &hash, bytes);
}

bool
mailbox_parse_begin(struct mailbox_view *view, uint32_t uid)
{
	struct hash key;

	return content_hash(view, uid, &key) &&
	       parse_note_begin(view->account->parse_note, &key);
}

void
mailbox_parse_end(struct mailbox_view *view)
{
	parse_note_end(view->account->parse_note);
}

void
mailbox_cache_put(struct mailbox_view *view, uint32_t uid, struct text bytes)
{
	struct hash hash;

	if (!content_hash(view, uid, &hash))
		return;
	if (view->folder->past != NULL)
		index_put_past_cache(view->account->index, &hash, bytes);
	else
		index_put_cache(view->account->index, &hash, bytes);
}
